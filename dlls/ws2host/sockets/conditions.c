/* Host poll results as conditions of Windows': see conditions.h. Any thread. */
#include <poll.h>
#include <sys/socket.h>
#include "descriptors/socket_set.h"
#include "descriptors/upcalls.h"
#include "sockets/conditions.h"
#include "sockets/urgent.h"
#include "sockets/connect.h"
#include "sockets/datagram_errors.h"

short poll_host_events( struct descriptor *d, uint32_t wanted )
{
    uint32_t flags = descriptor_flags( d );
    short events = 0;

    if ( d->slot->type == SOCK_STREAM )
    {
        if ( flags & WS2_FLAG_CONNECTING ) events |= POLLOUT; /* the outcome, whatever is wanted of it */
        /* the host calls a stream socket that was never connected writable and hung up */
        if ( !( flags & ( WS2_FLAG_CONNECTED | WS2_FLAG_CONNECTING | WS2_FLAG_LISTENING ) ) ) return 0;
        if ( flags & WS2_FLAG_LISTENING ) return wanted & ( POLL_READ | POLL_ACCEPT ) ? POLLIN : 0;
    }
    if ( wanted & ( POLL_READ | POLL_HANGUP ) ) events |= POLLIN | POLLRDHUP;
    if ( wanted & POLL_OOB ) events |= POLLPRI;
    if ( wanted & ( POLL_WRITE | POLL_CONNECT ) ) events |= POLLOUT;
    return events;
}

int poll_host_now( const struct descriptor *d )
{
    struct pollfd fd = { .fd = d->fd, .events = POLLIN | POLLOUT | POLLPRI | POLLRDHUP };

    return poll( &fd, 1, 0 ) < 0 ? -1 : fd.revents;
}

int poll_silence_is_answer( struct descriptor *d )
{
    const uint32_t flags = descriptor_flags( d );

    if ( d->slot->type != SOCK_STREAM ) return !datagram_error_known( d ) && !socket_set_of( d );
    switch ( flags & ( WS2_FLAG_CONNECTED | WS2_FLAG_CONNECTING | WS2_FLAG_LISTENING | WS2_FLAG_CONNECT_FAILED ) )
    {
    case WS2_FLAG_LISTENING: return !atomic_load( &d->deferred );
    case WS2_FLAG_CONNECTED: return !atomic_load( &d->urgent );
    default: return 0;
    }
}

int poll_is_plain( const struct descriptor *d )
{
    return d->slot->type != SOCK_STREAM || ( descriptor_flags( d ) & ( WS2_FLAG_CONNECTED | WS2_FLAG_LISTENING |
                                                                       WS2_FLAG_RESET ) ) == WS2_FLAG_CONNECTED;
}

uint32_t poll_plain_conditions( const struct descriptor *d, uint32_t revents )
{
    if ( ( revents & ~( POLLIN | POLLOUT ) ) || urgent_sent_by_any() || descriptor_has_operations( d ) ||
         atomic_load( &d->queues.readiness ) )
        return 0;
    return ( revents & POLLIN ? POLL_READ : 0 ) | ( revents & POLLOUT ? POLL_WRITE : 0 );
}

/* revents may be older than the connection: the host shows POLLHUP on a socket that was never connected, and POLLERR too where
 * connecting it had failed before. The end of the stream that comes from the peer alone is POLLRDHUP without them, and is not
 * asked for twice. */
static uint32_t of_this_connection( const struct descriptor *d, uint32_t revents )
{
    const int now = revents & ( POLLHUP | POLLERR ) ? poll_host_now( d ) : -1;

    return now < 0 ? revents : revents & (uint32_t)now;
}

uint32_t poll_renewed( struct descriptor *d, uint32_t revents )
{
    int now;

    if ( !( revents & POLLHUP ) || !( descriptor_flags( d ) & WS2_FLAG_CONNECTED ) || !descriptor_renew( d ) )
        return revents;
    now = poll_host_now( d );
    return now < 0 ? 0 : now;
}

uint32_t poll_conditions( struct descriptor *d, uint32_t revents )
{
    uint32_t flags, conditions = 0;

    if ( socket_set_of( d ) ) revents = socket_set_poll( socket_set_of( d ), d->fd );
    /* what overlapped operations take is not there for others, nor what they have taken since the host was asked */
    if ( descriptor_has_operations( d ) || ( revents && atomic_load( &d->queues.readiness ) ) )
        revents = upcalls.filter( d, revents );
    flags = descriptor_flags( d );
    if ( d->slot->type != SOCK_STREAM )
    {
        if ( ( revents & POLLERR ) && d->slot->type == SOCK_DGRAM ) datagram_errors_look( d ), revents &= ~POLLERR;
        if ( ( revents & ( POLLIN | POLLERR ) ) || datagram_error_known( d ) ) conditions |= POLL_READ;
        if ( revents & POLLOUT ) conditions |= POLL_WRITE;
        return conditions;
    }
    if ( flags & WS2_FLAG_LISTENING )
        return ( ( revents & POLLIN ) || atomic_load( &d->deferred ) ? POLL_ACCEPT : 0 ) |
               ( flags & WS2_FLAG_CONNECT_FAILED ? POLL_CONNECT_ERROR : 0 );
    if ( ( flags & WS2_FLAG_CONNECTING ) && revents )
    {
        switch ( connect_check( d ) )
        {
        case CONNECT_PENDING: return 0;
        case CONNECT_FAILED: return POLL_CONNECT_ERROR;
        case CONNECT_DONE: flags = descriptor_flags( d ); break;
        }
    }
    if ( !( flags & WS2_FLAG_CONNECTED ) ) return flags & WS2_FLAG_CONNECT_FAILED ? POLL_CONNECT_ERROR : 0;

    conditions = POLL_CONNECT;
    revents = of_this_connection( d, revents );
    /* the peer reset the connection: the host shows it as an error once, and then as an end of stream */
    if ( ( revents & POLLERR ) || ( ( flags & WS2_FLAG_RESET ) && revents ) )
        return conditions | POLL_RESET | POLL_WRITE;
    if ( ( revents & POLLPRI ) || urgent_watched( d ) ) revents = urgent_poll( d, revents );
    if ( revents & POLLIN ) conditions |= POLL_READ;
    if ( revents & POLLOUT ) conditions |= POLL_WRITE;
    if ( revents & POLLPRI ) conditions |= POLL_OOB;
    if ( revents & ( POLLHUP | POLLRDHUP ) ) conditions |= POLL_HANGUP;
    return conditions;
}

uint32_t poll_data( struct descriptor *d, uint32_t conditions )
{
    char byte;

    if ( ( conditions & ( POLL_READ | POLL_HANGUP ) ) != ( POLL_READ | POLL_HANGUP ) ) return conditions;
    if ( urgent_has_data( d ) ) return conditions;
    return recv( d->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT ) == 0 ? conditions & ~POLL_READ : conditions;
}
