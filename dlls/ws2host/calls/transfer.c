/*
 * Sending and receiving without an OVERLAPPED: one system call when nothing has to be waited for.
 *
 * The state that Winsock checks first (shut down, not connected, reset) stands in the slot's flags; the buffers go to the
 * host as they are, which reports a bad one itself.
 */
#include <errno.h>
#include <poll.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include "sockets/connect.h"
#include "events/events.h"
#include "sockets/datagram_errors.h"
#include "operations/operation.h"
#include "sockets/transfer.h"
#include "sockets/urgent.h"
#include "descriptors/wait.h"

#define SEND_FLAGS ( WS_MSG_OOB | WS_MSG_DONTROUTE | WS_MSG_PARTIAL )
#define RECEIVE_FLAGS \
    ( WS_MSG_OOB | WS_MSG_PEEK | WS_MSG_WAITALL | WS_MSG_INTERRUPT | WS_MSG_PUSH_IMMEDIATE | WS_MSG_PARTIAL )

int32_t transfer_check_receive( struct descriptor *d, uint32_t flags )
{
    uint32_t state = descriptor_flags( d );

    if ( flags & ~RECEIVE_FLAGS ) return WSAEOPNOTSUPP;
    if ( state & WS2_FLAG_SHUT_RECEIVE ) return WSAESHUTDOWN;
    if ( d->slot->type == SOCK_STREAM )
    {
        if ( !( state & WS2_FLAG_CONNECTED ) &&
             ( connect_check( d ) != CONNECT_DONE || !( descriptor_flags( d ) & WS2_FLAG_CONNECTED ) ) )
            return WSAENOTCONN;
        if ( state & WS2_FLAG_RESET ) return WSAECONNRESET;
    }
    else if ( !( state & WS2_FLAG_BOUND ) ) return WSAEINVAL;
    else if ( ( state & WS2_FLAG_DATAGRAM_ERROR ) && datagram_error_known( d ) ) return datagram_error_take( d );
    return 0;
}

int32_t transfer_check_send( struct descriptor *d, uint32_t flags, int addressed )
{
    uint32_t state = descriptor_flags( d );

    if ( flags & ~SEND_FLAGS ) return WSAEOPNOTSUPP;
    if ( state & WS2_FLAG_SHUT_SEND ) return WSAESHUTDOWN;
    if ( d->slot->type == SOCK_STREAM )
    {
        if ( !( state & WS2_FLAG_CONNECTED ) &&
             ( connect_check( d ) != CONNECT_DONE || !( descriptor_flags( d ) & WS2_FLAG_CONNECTED ) ) )
            return WSAENOTCONN;
        if ( state & WS2_FLAG_RESET ) return WSAECONNRESET;
    }
    /* asked without an address, the host would bind the socket before it refuses */
    else if ( !addressed && !( state & WS2_FLAG_CONNECTED ) ) return WSAENOTCONN;
    return 0;
}

/* The code of a failed transfer on the host. A reset is told by the host once, by Windows again and again. */
int32_t transfer_error( struct descriptor *d, int error )
{
    if ( d->slot->type != SOCK_STREAM ) return error == ECONNREFUSED ? WSAECONNRESET : winsock_error( error );
    if ( error == ECONNRESET || error == EPIPE )
    {
        descriptor_set_flags( d, WS2_FLAG_RESET );
        return WSAECONNRESET;
    }
    if ( error == EINVAL ) return WSAEINVAL;
    return winsock_error( error );
}

int transfer_receive_flags( uint32_t flags )
{
    return MSG_DONTWAIT | ( flags & WS_MSG_OOB ? MSG_OOB : 0 ) | ( flags & WS_MSG_PEEK ? MSG_PEEK : 0 );
}

int transfer_send_flags( uint32_t flags )
{
    return MSG_DONTWAIT | MSG_NOSIGNAL | ( flags & WS_MSG_OOB ? MSG_OOB : 0 ) |
           ( flags & WS_MSG_DONTROUTE ? MSG_DONTROUTE : 0 );
}

void transfer_urgent_inline( struct descriptor *d )
{
    int at_mark = 0;
    char byte;

    if ( !( descriptor_flags( d ) & WS2_FLAG_URGENT_TAKEN ) ) return;
    if ( !ioctl( d->fd, SIOCATMARK, &at_mark ) && at_mark ) recv( d->fd, &byte, 1, MSG_DONTWAIT );
    descriptor_clear_flags( d, WS2_FLAG_URGENT_TAKEN );
}

void transfer_receive_ends( struct descriptor *d, uint32_t flags )
{
    if ( ( flags & ( WS_MSG_OOB | WS_MSG_PEEK ) ) == WS_MSG_OOB ) descriptor_set_flags( d, WS2_FLAG_URGENT_TAKEN );
    events_reenable( d, flags & WS_MSG_OOB ? WS2_FD_OOB : WS2_FD_READ );
}

/* Overlapped operations of the same direction come first: with some left the socket is as if it were not ready. */
int transfer_queued_before( struct descriptor *d, enum operation_queue queue )
{
    if ( !operation_queued( d, queue ) ) return 0;
    operation_serve( d );
    errno = EAGAIN;
    return operation_queued( d, queue );
}

enum operation_queue transfer_receive_queue( uint32_t flags )
{
    return flags & WS_MSG_OOB ? QUEUE_URGENT : QUEUE_RECEIVE;
}

/* The host has refused a receive (errno). Waits where that helps; 1: try again, 0: it ends with *error or *status. `done`
 * bytes have been received before. */
int transfer_receive_blocked( struct descriptor *d, uint32_t flags, uint32_t done, struct ws2_wait *wait,
                              int32_t *error, NTSTATUS *status )
{
    const int reason = errno;
    enum wait_result result;

    if ( errno == EINTR ) return 1;
    if ( errno != EAGAIN )
    {
        *error = datagram_error_received( d, reason );
        if ( *error < 0 ) *error = transfer_error( d, reason );
        else if ( *error ) events_reenable( d, WS2_FD_READ );
        return !*error;
    }
    events_reenable( d, WS2_FD_READ );
    if ( descriptor_flags( d ) & WS2_FLAG_NONBLOCKING )
    {
        if ( !done ) *error = WSAEWOULDBLOCK;
        return 0;
    }
    if ( ( result = wait_one( d, POLLIN, atomic_load( &d->slot->receive_timeout ), wait ) ) != WAIT_READY )
    {
        *status = wait_status( result, error );
        return 0;
    }
    return !( *error = transfer_check_receive( d, flags ) );
}

/* The same for a send. *rest is set when a non-blocking stream has taken a part: Windows takes all of it or nothing. */
int transfer_send_blocked( struct descriptor *d, uint32_t flags, int addressed, uint32_t done, struct ws2_wait *wait,
                           int *refused, int *rest, int32_t *error, NTSTATUS *status )
{
    const int reason = errno;
    enum wait_result result;

    if ( errno == EINTR ) return 1;
    if ( errno != EAGAIN )
    {
        if ( datagram_error_sent( d, reason, refused ) ) return 1;
        *error = transfer_error( d, reason );
        return 0;
    }
    if ( descriptor_flags( d ) & WS2_FLAG_NONBLOCKING )
    {
        if ( done ) *rest = 1;
        else
        {
            *error = WSAEWOULDBLOCK;
            events_send_blocked( d );
        }
        return 0;
    }
    if ( ( result = wait_one( d, POLLOUT, atomic_load( &d->slot->send_timeout ), wait ) ) != WAIT_READY )
    {
        *status = wait_status( result, error );
        return 0;
    }
    return !( *error = transfer_check_send( d, flags, addressed ) );
}

static void touch_page( char *byte )
{
    char value = *(volatile char *)byte;

    /* a write whatever it finds, and no other thread's is lost */
    __atomic_compare_exchange_n( byte, &value, value, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED );
}

void transfer_touch( const struct iovec *vectors, uint32_t count, uint64_t limit )
{
    for ( uint32_t i = 0; i < count && limit; i++ )
    {
        char *bytes = vectors[i].iov_base;
        const uint64_t size = vectors[i].iov_len < limit ? vectors[i].iov_len : limit;

        /* the first byte, and the first of each page that follows */
        for ( uint64_t at = 0; at < size; at += 0x1000 - ( (uintptr_t)bytes + at ) % 0x1000 ) touch_page( bytes + at );
        limit -= size;
    }
}

NTSTATUS unix_recv( void *args )
{
    struct ws2_transfer_params *params = args;
    NTSTATUS status = 0;
    struct descriptor *d = descriptor_acquire( params->handle, &status );
    const struct iovec whole = { (char *)(uintptr_t)params->buffer, params->size };
    int stream, flags, touched = 0;
    uint8_t kept;

    if ( !d ) return status;
    if ( d->slot->type != SOCK_STREAM && !params->wait.deadline )
    {
        descriptor_release( d );
        transfer_touch( &whole, 1, TOUCH_DATAGRAM );
        if ( !( d = descriptor_acquire( params->handle, &status ) ) ) return status;
    }
again:
    if ( ( params->error = transfer_check_receive( d, params->flags ) ) ) goto done;
    stream = d->slot->type == SOCK_STREAM;
    flags = transfer_receive_flags( params->flags ) | ( stream ? 0 : MSG_TRUNC );
    if ( ( params->flags & WS_MSG_OOB ) && params->size && urgent_fetch( d, params->flags, &kept ) )
    {
        descriptor_release( d );
        *(uint8_t *)(uintptr_t)params->buffer = kept;
        params->done = 1;
        return 0;
    }
    for ( ;; )
    {
        const int urgent = urgent_look( d, params->flags );
        uint32_t left = params->size - params->done;
        ssize_t n = transfer_queued_before( d, transfer_receive_queue( params->flags ) )
                        ? -1
                        : recv( d->fd, (char *)(uintptr_t)params->buffer + params->done, left, flags );

        if ( n >= 0 )
        {
            urgent_passed( d, urgent );
            if ( (size_t)n > left )
            {
                params->error = WSAEMSGSIZE;
                n = left;
            }
            params->done += n;
            if ( ( params->flags & WS_MSG_WAITALL ) && stream && n && params->done < params->size &&
                 !( params->flags & WS_MSG_PEEK ) )
                continue;
            transfer_receive_ends( d, params->flags );
            break;
        }
        if ( errno == EFAULT && !touched++ )
        {
            descriptor_release( d );
            transfer_touch( &whole, 1, params->size );
            if ( !( d = descriptor_acquire( params->handle, &status ) ) ) return status;
            goto again;
        }
        if ( !transfer_receive_blocked( d, params->flags, params->done, &params->wait, &params->error, &status ) )
            break;
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

        if ( n >= 0 )
        {
            params->done += n;
            if ( params->done >= params->size || d->slot->type != SOCK_STREAM ) break;
            continue;
        }
        if ( !transfer_send_blocked( d, params->flags, 0, params->done, &params->wait, &refused, &rest, &params->error,
                                     &status ) )
            break;
    }
done:
    descriptor_release( d );
    if ( rest )
    {
        struct iovec vector = { (char *)(uintptr_t)params->buffer + params->done, params->size - params->done };

        params->error = operation_send_rest( params->handle, &vector, 1, params->flags, &params->need_io_thread );
        params->done = params->size;
    }
    return status;
}
