/*
 * Where a descriptor's queues are watched: in the I/O loop's epoll, or in that of its completion port.
 *
 * Edge-triggered and kept: a queue that fills again costs no system call. A listener of several processes is watched
 * level-triggered and exclusively, so that a connection wakes one of them, and only while this one wants connections.
 * The queues' lock guards what stands in the descriptor.
 */
#include <assert.h>
#include <errno.h>
#include <sys/epoll.h>
#include "descriptors/socket_set.h"
#include "base/owner_lock.h"
#include "descriptors/upcalls.h"
#include "operations/operation_private.h"
#include "operations/port.h"
#include "sockets/local_keep.h"

_Static_assert( _Alignof( struct descriptor ) > IO_KIND_BITS, "the kind goes into the address" );

static owner_lock exclusive_lock;
static struct descriptor *_Atomic exclusive_first;

/* receives: with urgent bytes, which are not to be passed by */
static const uint32_t queue_events[QUEUE_COUNT] = { EPOLLIN | EPOLLRDHUP | EPOLLPRI, EPOLLOUT, EPOLLPRI, 0 };

int32_t operation_watch( struct descriptor *d, enum operation_queue queue )
{
    struct operation_queues *queues = &d->queues;
    struct epoll_event event = { .data.u64 = io_key( IO_OPERATIONS, (uintptr_t)d ) };
    uint32_t wanted = queues->watched | queue_events[queue];

    assert( owner_lock_held( &queues->lock ) );
    if ( wanted == queues->watched ) return 0;
    if ( ( descriptor_flags( d ) & WS2_FLAG_LISTENING ) && descriptor_is_shared( d ) )
    {
        event.events = EPOLLIN | EPOLLEXCLUSIVE;
        queues->epoll = io_loop_epoll();
        if ( socket_set_watch( d, io_loop_epoll(), EPOLL_CTL_ADD, &event ) < 0 ) return winsock_error( errno );
        queues->exclusive = 1; /* from before it is in the list until it is out of it, wherever a thread is ended */
        owner_lock_take( &exclusive_lock );
        queues->next_exclusive = exclusive_first;
        exclusive_first = d;
        owner_lock_give( &exclusive_lock );
        io_loop_wake(); /* which may be asleep without a tick */
    }
    else
    {
        event.events = wanted | EPOLLET;
        if ( !queues->watched ) queues->epoll = queues->port ? port_epoll( queues->port ) : io_loop_epoll();
        if ( socket_set_watch( d, queues->epoll, queues->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, &event ) < 0 )
            return winsock_error( errno );
    }
    queues->watched = wanted;
    return 0;
}

void operation_forget( struct descriptor *d )
{
    struct operation_queues *queues = &d->queues;

    if ( !queues->watched ) return;
    queues->watched = 0;
    socket_set_watch( d, queues->epoll, EPOLL_CTL_DEL, NULL );
    if ( !queues->exclusive ) return;
    owner_lock_take( &exclusive_lock );
    if ( exclusive_first == d ) exclusive_first = queues->next_exclusive;
    else
        for ( struct descriptor *i = exclusive_first; i; i = i->queues.next_exclusive )
            if ( i->queues.next_exclusive == d ) i->queues.next_exclusive = queues->next_exclusive;
    owner_lock_give( &exclusive_lock );
    queues->exclusive = 0;
}

void operation_watch_again( struct descriptor *d )
{
    operation_forget( d );
    for ( enum operation_queue queue = 0; queue < QUEUE_CHANGE; queue++ )
        if ( descriptor_queued( d, queue ) ) operation_watch( d, queue );
}

void operation_lock( struct descriptor *d )
{
    struct operation_queues *queues = &d->queues;

    if ( !owner_lock_take( &queues->lock ) ) return;
    /* the chains are right at any instruction */
    for ( enum operation_queue queue = 0; queue < QUEUE_COUNT; queue++ )
    {
        struct operation *last = atomic_load( &queues->first[queue] );

        while ( last && last->next ) last = last->next;
        queues->last[queue] = last;
    }
    /* it may be in the epoll, or not */
    if ( queues->epoll > 0 ) queues->watched = EPOLLET;
    operation_watch_again( d );
}

void operation_attach_port( struct descriptor *d, struct port *port )
{
    operation_lock( d );
    if ( !d->queues.port )
    {
        port_hold( port );
        d->queues.port = port;
        operation_watch_again( d );
    }
    owner_lock_give( &d->queues.lock );
}

void operation_detach_port( struct descriptor *d )
{
    struct port *port;

    operation_lock( d );
    if ( ( port = d->queues.port ) )
    {
        operation_forget( d );
        d->queues.port = NULL;
        operation_watch_again( d );
    }
    owner_lock_give( &d->queues.lock );
    port_release( port );
}

int operation_has_exclusive( void ) { return exclusive_first != NULL; }

unsigned int operation_exclusive( struct descriptor **listeners, unsigned int room )
{
    unsigned int count = 0;

    owner_lock_take( &exclusive_lock );
    for ( struct descriptor *d = exclusive_first; d && count < room; d = d->queues.next_exclusive )
        if ( descriptor_hold( d ) ) listeners[count++] = d;
    owner_lock_give( &exclusive_lock );
    return count;
}

static void operation_last_user( struct descriptor *d )
{
    operation_forget( d );
    port_release( d->queues.port );
    local_forget( d );
}

void operation_watch_init( void ) { upcalls.unwatch = operation_last_user; }
