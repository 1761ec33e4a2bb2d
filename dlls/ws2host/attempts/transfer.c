/* Sends and receives, a step at a time: see transfer.h. */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include "descriptors/socket_set.h"
#include "attempts/transfer.h"
#include "base/host_clock.h"
#include "base/host_counts.h"
#include "descriptors/upcalls.h"
#include "events/events.h"
#include "sockets/connect.h"
#include "sockets/endpoint.h"
#include "sockets/echo.h"
#include "sockets/datagram_errors.h"
#include "sockets/datagram_send.h"
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
    else
    {
        if ( endpoint_unknown( d ) ) return WSAEINVAL;
        socket_set_renew( d );
        if ( ( state & WS2_FLAG_DATAGRAM_ERROR ) && datagram_error_known( d ) ) return datagram_error_take( d );
    }
    return 0;
}

int32_t transfer_check_send( struct descriptor *d, uint32_t flags, int addressed )
{
    uint32_t state = descriptor_flags( d );

    if ( flags & ~SEND_FLAGS ) return WSAEOPNOTSUPP;
    /* the host refuses it of IPv4 alone */
    if ( ( flags & WS_MSG_OOB ) && d->slot->type != SOCK_STREAM ) return WSAEOPNOTSUPP;
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

int transfer_still_queued( struct descriptor *d, enum operation_queue queue )
{
    upcalls.serve( d );
    return descriptor_queued( d, queue );
}

/* --- a step -----------------------------------------------------------------------------------------------------------*/

void transfer_advance( struct transfer *t, uint64_t n )
{
    while ( t->count && n >= t->vectors->iov_len )
    {
        n -= t->vectors->iov_len;
        t->vectors++;
        t->count--;
    }
    if ( !t->count ) return;
    t->vectors->iov_base = (char *)t->vectors->iov_base + n;
    t->vectors->iov_len -= n;
}

/* One call takes IOV_MAX vectors: have so many been filled, with more behind them? */
static int filled_most( const struct transfer *t, size_t n )
{
    size_t size = 0;

    if ( t->count <= IOV_MAX ) return 0;
    for ( unsigned int i = 0; i < IOV_MAX; i++ ) size += t->vectors[i].iov_len;
    return n == size;
}

#define RESET_TURNS 20 /* of a ms, until a thread that has been told of a reset has said so */

/* A stream has given nothing: 0 for its end, or the error when a reset came after it, or one before was told of a reset. */
static int32_t stream_ended( struct descriptor *d )
{
    struct pollfd fd = { .fd = d->fd };

    if ( descriptor_flags( d ) & WS2_FLAG_RESET ) return reset_error( d );
    if ( poll( &fd, 1, 0 ) < 0 ) return 0;
    if ( fd.revents & POLLERR ) return transfer_error( d, EPIPE );
    /* Both sides are down, and nobody has said that ours is: another thread has been told of a reset, and is about to say so,
     * or it is just shutting ours down. Of AF_UNIX a peer that is closed looks like that. */
    for ( int turn = 0; fd.revents & POLLHUP && d->slot->family != WS_AF_UNIX && turn < RESET_TURNS &&
                        !( descriptor_flags( d ) & ( WS2_FLAG_RESET | WS2_FLAG_SHUT_SEND ) );
          turn++ )
        host_sleep_ms( 1 );
    return descriptor_flags( d ) & WS2_FLAG_RESET ? reset_error( d ) : 0;
}

static int receive_flags( uint32_t flags )
{
    return MSG_DONTWAIT | ( flags & WS_MSG_OOB ? MSG_OOB : 0 ) | ( flags & WS_MSG_PEEK ? MSG_PEEK : 0 );
}

static int send_flags( uint32_t flags )
{
    return MSG_DONTWAIT | MSG_NOSIGNAL | ( flags & WS_MSG_OOB ? MSG_OOB : 0 ) |
           ( flags & WS_MSG_DONTROUTE ? MSG_DONTROUTE : 0 );
}

/* An urgent byte that waits beside the stream, or what the stream has without any; -2: the host is to be asked. */
static ssize_t receive_watched( struct descriptor *d, const struct transfer *t )
{
    const size_t count = vectors_count( t->count, SOCK_STREAM );
    int n;

    if ( t->flags & WS_MSG_OOB )
    {
        urgent_watch( d );
        return urgent_watched( d ) && ( n = urgent_fetch( d, t->vectors, count, t->flags ) ) ? n : -2;
    }
    return urgent_watched( d ) ? urgent_receive( d, t->vectors, count, t->flags ) : -2;
}

static ssize_t receive_vectors( struct descriptor *d, struct transfer *t, struct msghdr *header )
{
    struct msghdr data = { 0 };
    ssize_t n;

    if ( !header ) header = &data;
    header->msg_iov = t->vectors;
    header->msg_iovlen = vectors_count( t->count, d->slot->type );
    if ( ( n = vectors_receive_any( d, header, receive_flags( t->flags ) ) ) >= 0 )
        t->truncated = ( header->msg_flags & MSG_TRUNC ) != 0;
    return n;
}

/* The process watches writes: a datagram whose memory the host cannot write to would be lost. */
static _Atomic int writes_watched;

NTSTATUS unix_watches_begin_anew( void *args )
{
    atomic_store( &writes_watched, 1 );
    ( (struct ws2_watches_params *)args )->error = 0;
    return 0;
}

/* 0: the datagram that is next would be, and stays. */
static int can_write( struct descriptor *d, const struct transfer *t )
{
    struct msghdr look = { .msg_iov = t->vectors, .msg_iovlen = vectors_count( t->count, d->slot->type ) };

    return vectors_receive_any( d, &look, MSG_DONTWAIT | MSG_PEEK ) >= 0 || errno != EFAULT;
}

static ssize_t receive_once( struct descriptor *d, struct transfer *t, struct msghdr *header )
{
    const int stream = d->slot->type == SOCK_STREAM;
    size_t size;
    ssize_t n;
    int flags;

    /* less the urgent bytes of a stream that is watched */
    if ( stream && ( n = receive_watched( d, t ) ) != -2 ) return n;
    if ( echo_stands_in( d ) )
        return echo_receive( d, t->vectors, t->count, header, receive_flags( t->flags ), &t->truncated );
    if ( !stream && atomic_load_explicit( &writes_watched, memory_order_relaxed ) && !can_write( d, t ) ) return -1;
    if ( header || t->count != 1 ) return receive_vectors( d, t, header );
    flags = stream ? receive_flags( t->flags ) : receive_flags( t->flags ) | MSG_TRUNC;
    size = t->vectors->iov_len;
    n = socket_set_of( d ) ? socket_set_recv( d, t->vectors->iov_base, size, flags )
                           : vectors_recv_one( d->fd, t->vectors->iov_base, size, flags );
    if ( n < 0 || (size_t)n <= size ) return n;
    t->truncated = 1;
    return size;
}

/* The host has refused a receive for a reason other than that it would have to wait: TRANSFER_DONE when it is to be tried
 * again. */
static enum transfer_result receive_refused( struct descriptor *d, struct transfer *t, int reason )
{
    if ( reason == EFAULT )
    {
        t->error = WSAEFAULT;
        return TRANSFER_FAULT;
    }
    if ( reason == ENOTCONN && descriptor_renew( d ) ) return TRANSFER_DONE;
    if ( !( t->error = datagram_error_received( d, reason ) ) ) return TRANSFER_DONE;
    t->icmp = t->error > 0;
    if ( !t->icmp ) t->error = transfer_error( d, reason );
    return TRANSFER_FAILED;
}

enum transfer_result transfer_receive( struct descriptor *d, struct transfer *t, struct msghdr *header )
{
    const int stream = d->slot->type == SOCK_STREAM;
    enum transfer_result result;
    int more = 0;
    ssize_t n;

    if ( !stream && datagram_error_known( d ) && ( t->error = datagram_error_take( d ) ) )
    {
        t->icmp = 1;
        return TRANSFER_FAILED;
    }
    for ( t->error = 0;; )
    {
        if ( ( n = receive_once( d, t, header ) ) >= 0 )
        {
            if ( t->truncated ) t->error = WSAEMSGSIZE;
            if ( !n && stream && t->total && descriptor_renew( d ) )
                continue; /* that was a connection before this one */
            if ( !n && stream && t->total && !t->done ) t->error = stream_ended( d );
            t->done += n;
            if ( n && !( t->flags & WS_MSG_PEEK ) ) host_count( WS2_COUNT_RECEIVED, n );
            if ( !n || !stream || ( t->flags & WS_MSG_PEEK ) ) return TRANSFER_DONE;
            if ( t->flags & WS_MSG_WAITALL ? t->done >= t->total : !( more = filled_most( t, n ) ) )
                return TRANSFER_DONE;
            transfer_advance( t, n );
            continue;
        }
        if ( errno == EINTR ) continue;
        if ( more )
        {
            /* what came is told first; the host tells a reset once */
            if ( errno != EAGAIN ) transfer_error( d, errno );
            return TRANSFER_DONE;
        }
        if ( errno == EAGAIN ) return TRANSFER_BLOCKED;
        if ( ( result = receive_refused( d, t, errno ) ) != TRANSFER_DONE ) return result;
    }
}

/* Of what has just been sent; the program's memory is read by the host, as it may be gone by now. */
static uint8_t byte_at( const struct transfer *t, size_t place )
{
    struct iovec from = { NULL, 1 }, to;
    uint8_t byte = 0;
    unsigned int i = 0;

    for ( ; i < t->count && place >= t->vectors[i].iov_len; i++ ) place -= t->vectors[i].iov_len;
    if ( i == t->count ) return 0;
    from.iov_base = (char *)t->vectors[i].iov_base + place;
    to = ( struct iovec ){ &byte, 1 };
    return process_vm_readv( getpid(), &to, 1, &from, 1, 0 ) == 1 ? byte : 0;
}

static ssize_t send_vectors( struct descriptor *d, struct transfer *t, struct msghdr *header )
{
    struct msghdr data = { 0 };

    if ( !header ) header = &data;
    header->msg_iov = t->vectors;
    header->msg_iovlen = vectors_count( t->count, d->slot->type );
    return datagram_sendmsg( d, header, send_flags( t->flags ) );
}

static ssize_t send_once( struct descriptor *d, struct transfer *t, struct msghdr *header )
{
    ssize_t n;

    if ( header || t->count != 1 ) return send_vectors( d, t, header );
    n = vectors_send_one( d->fd, t->vectors->iov_base, t->vectors->iov_len, send_flags( t->flags ) );
    if ( n >= 0 || errno == EAGAIN || errno == EINTR || d->slot->type != SOCK_DGRAM ) return n;
    return datagram_send_anyway( d, &( struct msghdr ){ .msg_iov = t->vectors, .msg_iovlen = 1 },
                                 send_flags( t->flags ), errno );
}

enum transfer_result transfer_send( struct descriptor *d, struct transfer *t, struct msghdr *header )
{
    int refused = 0, reason;
    ssize_t n;

    if ( !t->orphan && echo_stands_in( d ) ) echo_sends( d, byte_at( t, 4 ), byte_at( t, 5 ) );
    for ( t->error = 0;; )
    {
        if ( ( n = send_once( d, t, header ) ) >= 0 )
        {
            t->done += n;
            host_count( WS2_COUNT_SENT, n );
            if ( ( t->flags & WS_MSG_OOB ) && !t->orphan && n ) urgent_sent( d, byte_at( t, n - 1 ) );
            if ( t->done >= t->total || d->slot->type != SOCK_STREAM )
            {
                if ( !t->orphan ) events_sent( d );
                return TRANSFER_DONE;
            }
            transfer_advance( t, n );
            continue;
        }
        if ( ( reason = errno ) == EINTR ) continue;
        if ( reason == EAGAIN ) return TRANSFER_BLOCKED;
        if ( datagram_error_sent( d, reason, &refused ) ) continue;
        if ( ( reason == EPIPE || reason == ENOTCONN ) && !t->orphan && descriptor_renew( d ) ) continue;
        /* its descriptor is gone, and with it the slot */
        t->error = t->orphan ? WSAECONNRESET : transfer_error( d, reason );
        return TRANSFER_FAILED;
    }
}

/* --- after the last step ------------------------------------------------------------------------------------------------*/

/* Sending has bound an unbound datagram socket. */
void transfer_send_ends( struct descriptor *d )
{
    if ( d->slot->type == SOCK_STREAM || !endpoint_unknown( d ) ) return;
    endpoint_remember( d );
    events_look_again( d );
}

/* --- memory whose writes are watched ------------------------------------------------------------------------------------*/

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
