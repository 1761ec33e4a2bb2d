/* Several host sockets behind one descriptor: see socket_set.h. */
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "client/connection.h"
#include "descriptors/socket_set.h"

void socket_set_watch_place( const struct socket_set *set, uint32_t place, int fd )
{
    struct epoll_event event = { .events = EPOLLIN, .data.u64 = place };

    epoll_ctl( set->epoll, EPOLL_CTL_ADD, fd, &event );
}

struct socket_set *socket_set_of_epoll( int epoll )
{
    struct socket_set *set = calloc( 1, sizeof( *set ) );

    if ( !set )
    {
        close( epoll );
        return NULL;
    }
    set->next = -1;
    set->epoll = epoll;
    return set;
}

struct socket_set *socket_set_make( int fd )
{
    const int epoll = epoll_create1( EPOLL_CLOEXEC );
    struct socket_set *set = epoll < 0 ? NULL : socket_set_of_epoll( epoll );

    if ( set ) socket_set_watch_place( set, 0, fd );
    return set;
}

void socket_set_add( struct socket_set *set, int helper, int watch )
{
    const uint32_t index = atomic_load( &set->count );

    set->helpers[index] = helper;
    atomic_store( &set->count, index + 1 );
    if ( watch && helper >= 0 ) socket_set_watch_place( set, index + 1, helper );
    descriptor_changed();
}

void socket_set_discard( struct socket_set *set )
{
    for ( uint32_t i = 0; !set->shared && i < atomic_load( &set->count ); i++ ) close( set->helpers[i] );
    close( set->epoll );
    free( set );
}

void socket_set_free( struct descriptor *d )
{
    struct socket_set *set = socket_set_of( d );

    while ( d->joined )
    {
        struct joined *joined = d->joined;

        d->joined = *(struct joined **)joined;
        free( joined );
    }
    if ( !set ) return;
    atomic_store( &d->set, NULL );
    if ( set->shared ) helper_set_close( d->slot_index, d->generation );
    socket_set_discard( set );
}

void socket_set_option( const struct descriptor *d, int level, int name, const void *value, socklen_t size )
{
    const struct socket_set *set = socket_set_of( d );

    if ( !set ) return;
    for ( uint32_t i = 0; i < atomic_load( &set->count ); i++ ) setsockopt( set->helpers[i], level, name, value, size );
}

uint32_t socket_set_poll( const struct socket_set *set, int fd )
{
    struct pollfd fds[2] = { { .fd = fd, .events = POLLIN | POLLOUT | POLLPRI | POLLRDHUP },
                             { .fd = set->epoll, .events = POLLIN } };

    if ( poll( fds, 2, 0 ) < 0 ) return 0;
    /* an error is the own socket's, of which the epoll tells as well */
    return (uint32_t)fds[0].revents | ( fds[0].revents & POLLERR ? 0u : (uint32_t)fds[1].revents & POLLIN );
}

/* A host socket that has something to read, -1 and EAGAIN for none. The epoll names each in its turn; one that another
 * process has added is fetched, and -1 and EINTR is for a look again. */
static int readable( struct descriptor *d, struct socket_set *set )
{
    struct epoll_event event;
    int fd = atomic_exchange( &set->next, -1 ), count;

    if ( fd >= 0 ) return fd;
    while ( ( count = epoll_wait( set->epoll, &event, 1, 0 ) ) < 0 && errno == EINTR ) continue;
    errno = EAGAIN;
    if ( count <= 0 ) return -1;
    if ( !event.data.u64 ) return d->fd;
    if ( event.data.u64 > atomic_load( &set->count ) ) upcalls.fetch_helpers( d );
    if ( event.data.u64 <= atomic_load( &set->count ) && ( fd = set->helpers[event.data.u64 - 1] ) >= 0 ) return fd;
    errno = EINTR;
    return -1;
}

/* The sender of a packet that an adapter has shown, which stands in its IP header. */
static struct sockaddr_in sender_of( int fd )
{
    struct sockaddr_in sender = { .sin_family = AF_INET };
    uint8_t header[20];

    if ( recv( fd, header, sizeof( header ), MSG_PEEK | MSG_DONTWAIT ) == sizeof( header ) )
        memcpy( &sender.sin_addr, header + 12, sizeof( sender.sin_addr ) );
    return sender;
}

#define TURNS 16 /* others may take what the epoll has named */

ssize_t socket_set_recvmsg( struct descriptor *d, struct msghdr *message, int flags,
                            ssize_t ( *many )( int, struct msghdr *, int ) )
{
    struct socket_set *set = socket_set_of( d );
    const int named = message->msg_name && d->slot->type == SOCK_RAW;
    struct sockaddr_in sender;

    for ( unsigned int turn = 0; turn < TURNS; turn++ )
    {
        const int fd = readable( d, set );
        ssize_t n;

        if ( fd < 0 && errno == EINTR ) continue;
        if ( fd < 0 ) return -1;
        if ( named ) sender = sender_of( fd );
        if ( ( n = ( message->msg_iovlen > IOV_MAX ? many : recvmsg )( fd, message, flags ) ) < 0 && errno == EAGAIN )
            continue;
        if ( n >= 0 && ( flags & MSG_PEEK ) ) atomic_store( &set->next, fd );
        if ( n >= 0 && named )
        {
            memcpy( message->msg_name, &sender, sizeof( sender ) );
            message->msg_namelen = sizeof( sender );
        }
        return n;
    }
    errno = EAGAIN;
    return -1;
}

ssize_t socket_set_recv( struct descriptor *d, void *buffer, size_t size, int flags )
{
    struct iovec vector = { buffer, size };
    struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };

    return socket_set_recvmsg( d, &message, flags, recvmsg );
}

int socket_set_next( struct descriptor *d )
{
    struct socket_set *set = socket_set_of( d );
    const int fd = readable( d, set );

    if ( fd < 0 ) return d->fd;
    atomic_store( &set->next, fd );
    return fd;
}
