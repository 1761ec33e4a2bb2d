/*
 * Sending and receiving without an OVERLAPPED: one system call when nothing has to be waited for.
 *
 * The state that Winsock checks first (shut down, not connected, reset) stands in the slot's flags; the buffers go to the
 * host as they are, which reports a bad one itself.
 */
#include "calls/blocking.h"
#include "operations/operation.h"

/* The caller's buffer, of which params->done bytes are moved already; left becomes the rest of it. */
static struct transfer one_buffer( const struct ws2_transfer_params *params, struct iovec *left )
{
    left->iov_base = (char *)(uintptr_t)params->buffer + params->done;
    left->iov_len = params->size - params->done;
    return ( struct transfer ){
        .vectors = left, .count = 1, .flags = params->flags, .done = params->done, .total = params->size
    };
}

NTSTATUS unix_recv( void *args )
{
    struct ws2_transfer_params *params = args;
    NTSTATUS status = 0;
    struct descriptor *d = descriptor_acquire( params->handle, &status );
    struct iovec left;
    struct transfer t = one_buffer( params, &left );
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
    struct iovec left;
    struct transfer t = one_buffer( params, &left );
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
