/* The state of a connection being made: see connect.h. Any thread; the state stands in the slot. */
#include <errno.h>
#include <poll.h>
#include "descriptors/upcalls.h"
#include "sockets/connect.h"
#include "sockets/endpoint.h"
#include "sockets/subnets.h"

void connect_time_now( struct descriptor *d ) { atomic_store( &d->slot->connect_time, connect_clock() ); }

int connect_peer( const struct descriptor *d, union host_address *address, socklen_t *size )
{
    int result = getpeername( d->fd, &address->any, size );

    /* getpeername forgets it when both ends have closed, and does not know it before there is a connection; this does */
    if ( result < 0 && errno == ENOTCONN && d->slot->family != WS_AF_UNIX )
    {
        *size = d->slot->family == WS_AF_INET6 ? sizeof( address->in6 ) : sizeof( address->in );
        result = getsockopt( d->fd, SOL_SOCKET, SO_PEERNAME, address, size );
    }
    return result;
}

void connect_done( struct descriptor *d )
{
    atomic_store( &d->slot->error, 0 );
    atomic_store( &d->slot->connect_error, 0 );
    atomic_store( &d->slot->connect_time, connect_clock() );
    connect_limit_ends( d );
    endpoint_remember( d );
    descriptor_set_flags( d, WS2_FLAG_CONNECTED );
    descriptor_clear_flags( d, WS2_FLAG_CONNECTING | WS2_FLAG_CONNECT_FAILED );
}

/* The host needs to be told, and gives up a port that it chose itself. */
void connect_reset( struct descriptor *d )
{
    const struct sockaddr none = { .sa_family = AF_UNSPEC };
    union host_address address = { 0 };
    uint16_t port = htons( atomic_load( &d->slot->local_port ) );

    connect( d->fd, &none, sizeof( none ) );
    if ( !port ) return;
    if ( d->slot->family == WS_AF_INET6 )
    {
        address.in6.sin6_family = AF_INET6;
        address.in6.sin6_port = port;
        ws2_slot_address( d->slot, &address.in6.sin6_addr, 16 );
        bind( d->fd, &address.any, sizeof( address.in6 ) );
    }
    else
    {
        address.in.sin_family = AF_INET;
        address.in.sin_port = port;
        ws2_slot_address( d->slot, &address.in.sin_addr, 4 );
        bind( d->fd, &address.any, sizeof( address.in ) );
    }
}

void connect_failed( struct descriptor *d, int32_t error, int told )
{
    if ( !told ) atomic_store( &d->slot->error, error );
    atomic_store( &d->slot->connect_error, error );
    atomic_store( &d->slot->connect_time, 0 );
    connect_reset( d );
    descriptor_set_flags( d, WS2_FLAG_CONNECT_FAILED );
    descriptor_clear_flags( d, WS2_FLAG_CONNECTING );
    upcalls.look_again( d );
}

/* Nobody answers for the address on the link: the host says so after 3 s, and Windows goes on as with any silence. */
static int tries_again( struct descriptor *d )
{
    const uint32_t left = connect_limit_left( d );
    union host_address peer;
    socklen_t size = sizeof( peer );

    if ( !left || connect_peer( d, &peer, &size ) || !subnet_reaches( &peer ) ) return 0;
    connect_reset( d );
    connect_limit_continues( d, left );
    if ( connect( d->fd, &peer.any, size ) < 0 && errno != EINPROGRESS ) return 0;
    endpoint_remember( d );
    return 1;
}

/* Several may come here for one socket, and before connect has reached the host. A socket that is neither connected nor
 * has an error is still at its beginning, or the one who was told the error, as the host tells it once, is about to take
 * it down. */
enum connect_state connect_check( struct descriptor *d )
{
    union host_address peer;
    int error = 0;
    socklen_t size = sizeof( error );
    struct pollfd poll_fd = { .fd = d->fd, .events = POLLOUT };

    if ( !( descriptor_flags( d ) & WS2_FLAG_CONNECTING ) )
        return descriptor_flags( d ) & WS2_FLAG_CONNECT_FAILED ? CONNECT_FAILED : CONNECT_DONE;
    if ( poll( &poll_fd, 1, 0 ) <= 0 ) return CONNECT_PENDING;
    /* what is not connected is hung up to the host */
    if ( poll_fd.revents & ( POLLERR | POLLHUP ) )
    {
        getsockopt( d->fd, SOL_SOCKET, SO_ERROR, &error, &size );
        size = sizeof( peer );
        if ( !error && getpeername( d->fd, &peer.any, &size ) ) return CONNECT_PENDING;
        if ( error == ETIMEDOUT && connect_limit_was_here( d ) ) error = ECONNREFUSED;
        if ( error == EHOSTUNREACH && tries_again( d ) ) return CONNECT_PENDING;
    }
    if ( !error )
    {
        connect_done( d );
        return CONNECT_DONE;
    }
    connect_failed( d, winsock_error( error ), 0 );
    return CONNECT_FAILED;
}
