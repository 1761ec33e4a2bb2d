/*
 * Sending and receiving without an OVERLAPPED: one system call when nothing has to be waited for.
 *
 * The state that Winsock checks first (shut down, not connected, reset) stands in the slot's flags; the buffers go to the
 * host as they are, which reports a bad one itself.
 */
#include "calls/blocking.h"
#include "operations/operation.h"

NTSTATUS unix_recv( void *args )
{
    struct ws2_transfer_params *params = args;
    NTSTATUS status = 0;
    struct descriptor *d = descriptor_acquire( params->handle, &status );
    struct iovec left = { (char *)(uintptr_t)params->buffer + params->done, params->size - params->done };
    struct transfer t = {
        .vectors = &left, .count = 1, .flags = params->flags, .done = params->done, .total = params->size
    };
    int touched = 0;

    if ( !d ) return status;
    if ( d->slot->type != SOCK_STREAM && !params->wait.deadline &&
         !( d = blocking_touch( d, params->handle, &t, TOUCH_DATAGRAM, &status ) ) )
        return status;
    while ( !( t.error = blocking_check_receive( d, t.flags ) ) &&
            blocking_receive( d, &t, NULL, &params->wait, &status ) == TRANSFER_FAULT && params->watched && !touched++ )
        if ( !( d = blocking_touch( d, params->handle, &t, UINT32_MAX, &status ) ) ) return status;
    if ( t.error == WSAEFAULT ) params->watched = 1;
    params->done = t.done;
    params->error = t.error;
    descriptor_release( d );
    return status;
}

NTSTATUS unix_send( void *args )
{
    struct ws2_transfer_params *params = args;
    NTSTATUS status = 0;
    struct descriptor *d = descriptor_acquire( params->handle, &status );
    struct iovec left = { (char *)(uintptr_t)params->buffer + params->done, params->size - params->done };
    struct transfer t = {
        .vectors = &left, .count = 1, .flags = params->flags, .done = params->done, .total = params->size
    };
    int rest = 0;

    if ( !d ) return status;
    if ( !( t.error = transfer_check_send( d, t.flags, 0 ) ) )
        rest = blocking_send( d, &t, NULL, 0, &params->wait, &status );
    descriptor_release( d );
    params->done = t.done;
    params->error = t.error;
    if ( rest )
    {
        params->error =
            operation_background_send( params->handle, t.vectors, t.count, t.flags, &params->need_io_thread );
        params->done = params->size;
    }
    return status;
}
