/* Connecting a stream socket, the attempt: see attempt.h. */
#include <errno.h>
#include "attempts/attempt.h"
#include "events/events.h"
#include "sockets/connect.h"
#include "sockets/endpoint.h"
#include "sockets/local.h"

static int is_any( const union host_address *address )
{
    if ( address->any.sa_family == AF_INET ) return !address->in.sin_addr.s_addr;
    return IN6_IS_ADDR_UNSPECIFIED( &address->in6.sin6_addr );
}

int32_t connect_begin( struct descriptor *d, const union host_address *address, socklen_t size,
                       const struct given_name *given )
{
    uint32_t flags = descriptor_flags( d );
    int result;

    if ( ( flags & WS2_FLAG_LISTENING ) || atomic_load( &d->queues.accepting ) ) return WSAEINVAL;
    if ( flags & WS2_FLAG_CONNECTED ) return flags & WS2_FLAG_NEEDS_CONNECT_CONTEXT ? WSAEINVAL : WSAEISCONN;
    if ( flags & WS2_FLAG_CONNECTING )
    {
        const int by_call = connect_by_call( d );

        switch ( connect_check( d ) )
        {
        case CONNECT_PENDING: return by_call ? WSAEALREADY : WSAEINVAL;
        case CONNECT_DONE: return by_call ? WSAEISCONN : WSAEINVAL;
        case CONNECT_FAILED: break;
        }
    }
    if ( ( address->any.sa_family == AF_INET || address->any.sa_family == AF_INET6 ) && is_any( address ) )
        return WSAEADDRNOTAVAIL;
    if ( ( address->any.sa_family == AF_INET && !address->in.sin_port ) ||
         ( address->any.sa_family == AF_INET6 && !address->in6.sin6_port ) )
        return WSAEADDRNOTAVAIL;
    events_connect_begins( d );
    descriptor_set_flags( d, WS2_FLAG_CONNECTING );
    descriptor_clear_flags( d, WS2_FLAG_CONNECT_FAILED );
    /* the host ends a failed attempt, already told of, with the next connect, and begins anew with the one after it */
    if ( size == LOCAL_NOBODY ) result = -1, errno = ECONNREFUSED;
    else if ( ( result = connect( d->fd, &address->any, size ) ) < 0 && errno == ECONNABORTED )
        result = connect( d->fd, &address->any, size );
    if ( !result )
    {
        given_name_keep( d->fd, given );
        connect_done( d );
        events_look_again( d ); /* of a connection that is made at once the host tells nobody */
        return 0;
    }
    if ( errno == EINPROGRESS )
    {
        connect_limit_begins( d, address );
        endpoint_remember( d );
        return WSAEWOULDBLOCK;
    }
    result = errno;
    /* no such file, and no room in the listener's queue: nobody is there */
    if ( address->any.sa_family == AF_UNIX && ( result == ENOENT || result == EAGAIN ) ) result = ECONNREFUSED;
    if ( result == ECONNREFUSED && ( descriptor_flags( d ) & WS2_FLAG_NONBLOCKING ) )
    {
        /* the host knows at once; Windows always tells it later */
        connect_failed( d, WSAECONNREFUSED, 0 );
        return WSAEWOULDBLOCK;
    }
    if ( result == ECONNREFUSED ) connect_failed( d, WSAECONNREFUSED, 1 );
    else
    {
        connect_reset( d );
        descriptor_clear_flags( d, WS2_FLAG_CONNECTING );
    }
    return winsock_error( result );
}
