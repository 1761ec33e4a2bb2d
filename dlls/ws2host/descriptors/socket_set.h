/*
 * Several host sockets behind one descriptor. The host gives a datagram socket that is bound to an adapter's address its
 * unicasts only, where Windows gives it the adapter's broadcasts and the groups that it joined too: helpers, further host
 * sockets that are bound to just those addresses, hear them. The descriptor's own host socket sends, and hears the unicasts.
 *
 * All are in one epoll, which is readable when one of them is, and tells the place of one that is: 0 is the descriptor's
 * own, helpers follow. A helper stays until the descriptor goes; it is never closed under a call. Helpers are added under the
 * lock of sockets/helpers.c; a descriptor without helpers has no set and costs nothing more.
 *
 * The socket may be other processes' too: the server has epoll and helpers then, at the same places, and a descriptor
 * fetches what others have added. The epoll is one for all of them, so that who waits for it hears of new ones.
 */
#ifndef WS2HOST_SOCKET_SET_H
#define WS2HOST_SOCKET_SET_H

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include "descriptors/descriptor.h"
#include "descriptors/upcalls.h"

#define SOCKET_SET_HELPERS ( WS2_HELPERS_MOST - 1 )

struct socket_set
{
    int epoll;        /* the descriptor's host socket and the helpers, as far as they are readable */
    int shared;       /* the helpers are the record's (helper_set_open) */
    int own_epoll;    /* and the epoll is not, since nobody had one any more */
    _Atomic int next; /* what the program has peeked at lies in this one; -1 for none */
    _Atomic uint32_t count;
    int helpers[SOCKET_SET_HELPERS];
};

static inline struct socket_set *socket_set_of( const struct descriptor *d )
{
    return atomic_load_explicit( &d->set, memory_order_acquire );
}

/* A set without helpers, with an epoll of its own or with the one given; NULL without memory. */
struct socket_set *socket_set_make( int own_fd );
struct socket_set *socket_set_of_epoll( int epoll_consume );
/* The next helper, -1 for one that is gone; it stays the caller's unless the set is not shared. */
void socket_set_add( struct socket_set *set, int helper, int watch );
/* Into the epoll. */
void socket_set_watch_place( const struct socket_set *set, uint32_t place, int fd );
/* Of one that no descriptor has. */
void socket_set_discard( struct socket_set *set );
void socket_set_free( struct descriptor *descriptor );

/* Where a descriptor's set is looked at for the first time in a call, and no lock above connection's is held. */
static inline void socket_set_renew( struct descriptor *d )
{
    const struct socket_set *set;
    uint32_t known;

    /* the server alone has any, of sockets that it counts */
    if ( d->slot->type != SOCK_DGRAM || !descriptor_is_shared( d ) ) return;
    set = socket_set_of( d );
    known = set ? atomic_load( &set->count ) + 1 : 0;
    if ( ws2_slot_helpers( d->slot ) > known ) upcalls.fetch_helpers( d );
}

/* setsockopt on every helper, as on the descriptor's own before. */
void socket_set_option( const struct descriptor *descriptor, int level, int name, const void *value, socklen_t size );

/* What a poll of the whole set shows. */
uint32_t socket_set_poll( const struct socket_set *set, int fd );
ssize_t socket_set_recv( struct descriptor *descriptor, void *buffer, size_t size, int flags );
/* many: what takes the place of recvmsg for more than IOV_MAX buffers */
ssize_t socket_set_recvmsg( struct descriptor *descriptor, struct msghdr *message, int flags,
                            ssize_t ( *many )( int, struct msghdr *, int ) );
/* The host socket whose datagram is the next, for who asks of its size. */
int socket_set_next( struct descriptor *descriptor );

/* What to poll for events: the epoll shows all that can be read, and nothing else. */
static inline int socket_set_fd( const struct descriptor *d, short events )
{
    const struct socket_set *set = socket_set_of( d );

    return set && !( events & POLLOUT ) ? set->epoll : d->fd;
}

/* epoll_ctl for the whole set. */
static inline int socket_set_watch( const struct descriptor *d, int epoll, int how, struct epoll_event *event )
{
    const struct socket_set *set = socket_set_of( d );
    struct epoll_event readable;

    if ( set )
    {
        if ( event )
            readable = ( struct epoll_event ){ .events = event->events & ( EPOLLIN | EPOLLET | EPOLLONESHOT ),
                                               .data = event->data };
        epoll_ctl( epoll, how, set->epoll, event ? &readable : NULL );
    }
    return epoll_ctl( epoll, how, d->fd, event );
}

#endif
