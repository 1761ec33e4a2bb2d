/*
 * Sending and receiving without an OVERLAPPED: one system call when nothing has to be waited for.
 *
 * The state that Winsock checks first (shut down, not connected, reset) stands in the slot's flags; the buffers go to the
 * host as they are, which reports a bad one itself.
 */
#include <errno.h>
#include <sys/socket.h>
#include "descriptors/socket_set.h"
#include "calls/blocking.h"
#include "operations/operation.h"
#include "sockets/datagram_send.h"
#include "sockets/urgent.h"
#include "descriptors/wait.h"

NTSTATUS unix_recv( void *args )
{
    struct ws2_transfer_params *params = args;
    NTSTATUS status = 0;
    struct descriptor *d = descriptor_acquire( params->handle, &status );
    const struct iovec whole = { (char *)(uintptr_t)params->buffer, params->size };
    int stream, flags, touched = 0;

    if ( !d ) return status;
    if ( d->slot->type != SOCK_STREAM && !params->wait.deadline )
    {
        descriptor_release( d );
        transfer_touch( &whole, 1, TOUCH_DATAGRAM );
        if ( !( d = descriptor_acquire( params->handle, &status ) ) ) return status;
    }
again:
    if ( ( params->error = blocking_check_receive( d, params->flags ) ) ) goto done;
    stream = d->slot->type == SOCK_STREAM;
    flags = transfer_receive_flags( params->flags ) | ( stream ? 0 : MSG_TRUNC );
    for ( ;; )
    {
        uint32_t left = params->size - params->done;
        ssize_t n =
            transfer_queued_before( d, transfer_receive_queue( params->flags ) )
                ? -1
                : transfer_recv( d, (char *)(uintptr_t)params->buffer + params->done, left, flags, params->flags );

        if ( n >= 0 )
        {
            if ( (size_t)n > left )
            {
                params->error = WSAEMSGSIZE;
                n = left;
            }
            if ( stream && !n && left && !params->done ) params->error = transfer_stream_ended( d );
            params->done += n;
            if ( ( params->flags & WS_MSG_WAITALL ) && stream && n && params->done < params->size &&
                 !( params->flags & WS_MSG_PEEK ) )
                continue;
            transfer_receive_ends( d, params->flags );
            break;
        }
        if ( errno == EFAULT && !params->watched )
        {
            params->watched = 1;
            params->error = WSAEFAULT;
            break;
        }
        if ( errno == EFAULT && !touched++ )
        {
            descriptor_release( d );
            transfer_touch( &whole, 1, params->size );
            if ( !( d = descriptor_acquire( params->handle, &status ) ) ) return status;
            goto again;
        }
        if ( !blocking_receive( d, params->flags, params->done, &params->wait, &params->error, &status ) ) break;
    }
done:
    descriptor_release( d );
    return status;
}

NTSTATUS unix_send( void *args )
{
    struct ws2_transfer_params *params = args;
    NTSTATUS status = 0;
    struct descriptor *d = descriptor_acquire( params->handle, &status );
    int flags, refused = 0, rest = 0;

    if ( !d ) return status;
    if ( ( params->error = transfer_check_send( d, params->flags, 0 ) ) ) goto done;
    flags = transfer_send_flags( params->flags );
    for ( ;; )
    {
        ssize_t n = transfer_queued_before( d, QUEUE_SEND )
                        ? -1
                        : send( d->fd, (const char *)(uintptr_t)params->buffer + params->done,
                                params->size - params->done, flags );

        if ( n < 0 && errno != EAGAIN && d->slot->type == SOCK_DGRAM )
        {
            struct iovec whole = { (char *)(uintptr_t)params->buffer, params->size };
            const struct msghdr message = { .msg_iov = &whole, .msg_iovlen = 1 };

            n = datagram_send_anyway( d, &message, flags, errno );
        }

        if ( n >= 0 )
        {
            params->done += n;
            if ( params->flags & WS_MSG_OOB ) urgent_sent( d );
            if ( params->done >= params->size || d->slot->type != SOCK_STREAM ) break;
            continue;
        }
        if ( !blocking_send( d, params->flags, 0, params->done, &params->wait, &refused, &rest, &params->error,
                             &status ) )
            break;
    }
done:
    descriptor_release( d );
    if ( rest )
    {
        struct iovec vector = { (char *)(uintptr_t)params->buffer + params->done, params->size - params->done };

        params->error = operation_background_send( params->handle, &vector, 1, params->flags, &params->need_io_thread );
        params->done = params->size;
    }
    return status;
}
