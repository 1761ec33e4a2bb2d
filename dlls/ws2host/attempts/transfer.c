/* The rules of sends and receives: see transfer.h. */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include "attempts/transfer.h"
#include "descriptors/upcalls.h"
#include "events/events.h"
#include "sockets/connect.h"
#include "sockets/endpoint.h"
#include "sockets/datagram_errors.h"
#include "sockets/option_bits.h"
#include "sockets/urgent.h"
#include "sockets/vectors.h"

#define SEND_FLAGS ( WS_MSG_OOB | WS_MSG_DONTROUTE | WS_MSG_PARTIAL )
#define RECEIVE_FLAGS \
    ( WS_MSG_OOB | WS_MSG_PEEK | WS_MSG_WAITALL | WS_MSG_INTERRUPT | WS_MSG_PUSH_IMMEDIATE | WS_MSG_PARTIAL )

static int32_t reset_error( const struct descriptor *d )
{
    return option_bit( d->slot, BIT_ABORTED ) ? WSAECONNABORTED : WSAECONNRESET;
}

int32_t transfer_check_receive( struct descriptor *d, uint32_t flags )
{
    uint32_t state = descriptor_flags( d );

    if ( flags & ~RECEIVE_FLAGS ) return WSAEOPNOTSUPP;
    if ( ( flags & ( WS_MSG_OOB | WS_MSG_WAITALL ) ) && d->slot->type != SOCK_STREAM ) return WSAEOPNOTSUPP;
    if ( ( flags & WS_MSG_WAITALL ) && ( flags & ( WS_MSG_PEEK | WS_MSG_OOB | WS_MSG_PARTIAL ) ) ) return WSAEOPNOTSUPP;
    if ( state & WS2_FLAG_SHUT_RECEIVE ) return WSAESHUTDOWN;
    if ( d->slot->type == SOCK_STREAM )
    {
        if ( !( state & WS2_FLAG_CONNECTED ) &&
             ( connect_check( d ) != CONNECT_DONE || !( descriptor_flags( d ) & WS2_FLAG_CONNECTED ) ) )
            return WSAENOTCONN;
        if ( state & WS2_FLAG_RESET ) return reset_error( d );
    }
    else if ( endpoint_unknown( d ) ) return WSAEINVAL;
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
        if ( state & WS2_FLAG_RESET ) return reset_error( d );
        if ( flags & WS_MSG_OOB ) urgent_sends( d );
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
        /* the host tells the two apart once: a connection of which the peer had closed its half is a broken pipe */
        if ( !( descriptor_flags( d ) & WS2_FLAG_RESET ) ) option_set_bit( d->slot, BIT_ABORTED, error == EPIPE );
        descriptor_set_flags( d, WS2_FLAG_RESET );
        return reset_error( d );
    }
    if ( error == EINVAL ) return WSAEINVAL;
    return winsock_error( error );
}

int32_t transfer_stream_ended( struct descriptor *d )
{
    struct pollfd fd = { .fd = d->fd };

    if ( poll( &fd, 1, 0 ) < 0 || !( fd.revents & POLLERR ) ) return 0;
    return transfer_error( d, EPIPE );
}

/* An urgent byte that waits beside the stream, or what the stream has without any; -2: the host is to be asked. */
static ssize_t receive_watched( struct descriptor *d, const struct iovec *vectors, size_t count, uint32_t flags )
{
    int n;

    if ( flags & WS_MSG_OOB )
    {
        urgent_watch( d );
        return urgent_watched( d ) && ( n = urgent_fetch( d, vectors, count, flags ) ) ? n : -2;
    }
    return urgent_watched( d ) ? urgent_receive( d, vectors, count, flags ) : -2;
}

ssize_t transfer_recv( struct descriptor *d, void *buffer, size_t size, int host_flags, uint32_t flags )
{
    const struct iovec whole = { buffer, size };
    ssize_t n = d->slot->type == SOCK_STREAM ? receive_watched( d, &whole, 1, flags ) : -2;

    if ( n != -2 ) return n;
    return socket_set_of( d ) ? socket_set_recv( d, buffer, size, host_flags )
                              : recv( d->fd, buffer, size, host_flags );
}

ssize_t transfer_recvmsg( struct descriptor *d, struct msghdr *message, int host_flags, uint32_t flags )
{
    ssize_t n = d->slot->type == SOCK_STREAM ? receive_watched( d, message->msg_iov, message->msg_iovlen, flags ) : -2;

    return n == -2 ? vectors_receive_any( d, message, host_flags ) : n;
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

void transfer_receive_ends( struct descriptor *d, uint32_t flags )
{
    events_reenable( d, flags & WS_MSG_OOB ? WS2_FD_OOB : WS2_FD_READ );
}

/* Overlapped operations of the same direction come first: with some left the socket is as if it were not ready. */
int transfer_queued_before( struct descriptor *d, enum operation_queue queue )
{
    if ( !descriptor_queued( d, queue ) ) return 0;
    upcalls.serve( d );
    errno = EAGAIN;
    return descriptor_queued( d, queue );
}

enum operation_queue transfer_receive_queue( uint32_t flags )
{
    return flags & WS_MSG_OOB ? QUEUE_URGENT : QUEUE_RECEIVE;
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
