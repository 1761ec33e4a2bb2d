/* Notifications: see notify.h. */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>
#include "descriptors/socket_set.h"
#include "base/host_mutex.h"
#include "base/io_loop.h"
#include "events/notify.h"
#include "sockets/conditions.h"

/* numbers of SOCK_NOTIFY_REGISTRATION */
enum
{
    EVENT_IN = 0x1,
    EVENT_OUT = 0x2,
    EVENT_HANGUP = 0x4,
    EVENT_ERR = 0x40,
    EVENT_REMOVE = 0x80,
    OP_ENABLE = 0x1,
    OP_DISABLE = 0x2,
    OP_REMOVE = 0x4,
    TRIGGER_ONESHOT = 0x1,
    TRIGGER_LEVEL = 0x4
};

#define WATCHED_EVENTS ( EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET )

TAILQ_HEAD( notification_list, notification );

struct notification
{
    TAILQ_ENTRY( notification ) entry;
    struct notification_list *list; /* the one that it is in, or NULL */
    uint64_t handle;
    uint64_t key;
    uint32_t port;
    uint8_t filter;
    uint8_t trigger;
    uint8_t enabled;
    uint8_t removed; /* no descriptor has it any more; the packet that says so is due */
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static _Atomic int notify_epoll = -1;
static struct notification_list outstanding = TAILQ_HEAD_INITIALIZER( outstanding );
static struct notification_list taken = TAILQ_HEAD_INITIALIZER( taken ); /* the program has the packet */
static struct notification_list due = TAILQ_HEAD_INITIALIZER( due );
static _Atomic uint32_t outstanding_count, due_count;

/* --- the mutex is held ------------------------------------------------------------------------------------------------*/

/* list: NULL for none */
static void move_to( struct notification *n, struct notification_list *list )
{
    assert( host_mutex_held( &mutex ) );
    if ( n->list ) TAILQ_REMOVE( n->list, n, entry );
    if ( n->list == &due ) atomic_fetch_sub( &due_count, 1 );
    if ( n->list == &outstanding ) atomic_fetch_sub( &outstanding_count, 1 );
    if ( ( n->list = list ) ) TAILQ_INSERT_TAIL( list, n, entry );
    if ( list == &due ) atomic_fetch_add( &due_count, 1 );
    if ( list == &outstanding ) atomic_fetch_add( &outstanding_count, 1 );
}

static int32_t notify_open( uint32_t *need_io_thread )
{
    struct epoll_event event = { .events = EPOLLIN, .data.u64 = io_key( IO_NOTIFICATIONS, 0 ) };
    int32_t error;
    int outer, inner;

    if ( notify_epoll >= 0 ) return 0;
    if ( ( error = io_loop_open( need_io_thread, &outer ) ) ) return error;
    if ( ( inner = epoll_create1( EPOLL_CLOEXEC ) ) >= 0 && !epoll_ctl( outer, EPOLL_CTL_ADD, inner, &event ) )
    {
        notify_epoll = inner;
        return 0;
    }
    error = winsock_error( errno );
    if ( inner >= 0 ) close( inner );
    return error;
}

/* With EPOLL_CTL_MOD the epoll tells anew of what holds already. */
static int notify_watch( struct descriptor *d, struct notification *n, int how )
{
    struct epoll_event event = { .events = WATCHED_EVENTS, .data.ptr = n };

    atomic_store( &d->notified_room, 0 );
    return socket_set_watch( d, notify_epoll, how, &event );
}

static int32_t notify_enable( struct descriptor *d, const struct ws2_notify_register_params *params )
{
    struct notification *n = atomic_load( &d->notification );
    const int known = n != NULL;

    if ( known && n->port != params->port ) return WSA_INVALID_PARAMETER;
    if ( !known )
    {
        if ( !( n = calloc( 1, sizeof( *n ) ) ) ) return WSAENOBUFS;
        n->handle = d->handle;
        n->port = params->port;
    }
    n->key = params->key;
    n->filter = params->filter;
    n->trigger = params->trigger;
    n->enabled = 1;
    if ( notify_watch( d, n, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD ) )
    {
        int32_t error = winsock_error( errno );

        if ( !known ) free( n );
        return error;
    }
    move_to( n, NULL );
    atomic_store( &d->notification, n );
    return 0;
}

static void remove_notification( struct descriptor *d, struct notification *n )
{
    atomic_store( &d->notification, NULL );
    socket_set_watch( d, notify_epoll, EPOLL_CTL_DEL, NULL );
    n->removed = 1;
    move_to( n, &due );
}

static int32_t notify_change( struct descriptor *d, const struct ws2_notify_register_params *params )
{
    struct notification *n = atomic_load( &d->notification );

    /* who closes a descriptor marks it first, then looks for its registration */
    if ( atomic_load( &d->closing ) ) return WSAENOTSOCK;
    if ( params->operation == OP_ENABLE ) return notify_enable( d, params );
    if ( !n || n->port != params->port ) return WS2_ERROR_NOT_FOUND;
    if ( params->operation == OP_REMOVE ) remove_notification( d, n );
    else
    {
        n->enabled = 0;
        move_to( n, NULL );
    }
    return 0;
}

static uint32_t events_of( struct descriptor *d, uint32_t revents )
{
    uint32_t conditions = poll_conditions( d, revents ), events = 0;

    if ( conditions & ( POLL_READ | POLL_ACCEPT ) ) events |= EVENT_IN;
    if ( conditions & POLL_WRITE ) events |= EVENT_OUT;
    if ( conditions & ( POLL_HANGUP | POLL_RESET ) ) events |= EVENT_HANGUP;
    if ( conditions & ( POLL_RESET | POLL_CONNECT_ERROR ) ) events |= EVENT_ERR;
    return events;
}

/* --- what is due: for one thread at a time, the only one that frees ---------------------------------------------------*/

/* The mutex is held. */
static void notify_put( struct ws2_notify_fetch_params *params, const struct notification *n, uint32_t events )
{
    if ( !events ) return;
    params->packets[params->count].key = n->key;
    params->packets[params->count].handle = n->handle;
    params->packets[params->count].port = n->port;
    params->packets[params->count++].events = events;
}

/* Tells of the events of now, if there are any. edge: the epoll's word that something has changed. The mutex is not held while the
 * socket is looked at, which may take the lock of its queues. */
static void notify_evaluate( struct ws2_notify_fetch_params *params, struct notification *n, int edge )
{
    struct pollfd fd = { .events = POLLIN | POLLOUT | POLLRDHUP };
    NTSTATUS status;
    struct descriptor *d = descriptor_acquire( n->handle, &status );
    uint32_t events = 0;
    sigset_t before;

    if ( !d ) return; /* it is being closed */
    fd.fd = d->fd;
    if ( poll( &fd, 1, 0 ) >= 0 ) events = events_of( d, fd.revents );
    host_mutex_lock( &mutex, &before );
    if ( atomic_load( &d->notification ) != n || !n->enabled || n->list == &outstanding || n->list == &taken )
        events = 0;
    events &= n->filter | EVENT_ERR;
    if ( !( n->trigger & TRIGGER_LEVEL ) )
    {
        /* the host tells of room with every arrival */
        if ( !edge ) events = 0;
        else if ( ( events & EVENT_OUT ) && atomic_exchange( &d->notified_room, 1 ) ) events &= ~EVENT_OUT;
    }
    if ( events && ( n->trigger & TRIGGER_ONESHOT ) ) n->enabled = 0;
    else if ( events && ( n->trigger & TRIGGER_LEVEL ) ) move_to( n, &outstanding );
    notify_put( params, n, events );
    host_mutex_unlock( &mutex, &before );
    descriptor_release( d );
}

/* The next one that is due; a removed one has been told of, and nobody else knows it. */
static struct notification *pop_due( struct ws2_notify_fetch_params *params, int *removed )
{
    struct notification *n;
    sigset_t before;

    host_mutex_lock( &mutex, &before );
    if ( ( n = TAILQ_FIRST( &due ) ) )
    {
        move_to( n, NULL );
        if ( ( *removed = n->removed ) ) notify_put( params, n, EVENT_REMOVE );
    }
    host_mutex_unlock( &mutex, &before );
    return n;
}

static void take_due( struct ws2_notify_fetch_params *params )
{
    struct notification *n;
    int removed;

    while ( params->count < WS2_NOTIFICATIONS && ( n = pop_due( params, &removed ) ) )
        if ( removed ) free( n );
        else notify_evaluate( params, n, 0 );
}

static void take_edges( struct ws2_notify_fetch_params *params )
{
    struct epoll_event events[WS2_NOTIFICATIONS];
    int count;

    /* a change that is no packet does not end the loop: count 0 would say that there is nothing more */
    while ( params->count < WS2_NOTIFICATIONS &&
            ( count = epoll_wait( notify_epoll, events, WS2_NOTIFICATIONS - params->count, 0 ) ) > 0 )
        for ( int i = 0; i < count; i++ ) notify_evaluate( params, events[i].data.ptr, 1 );
}

/* --- calls --------------------------------------------------------------------------------------------------------------*/

NTSTATUS unix_notify_register( void *args )
{
    struct ws2_notify_register_params *params = args;
    NTSTATUS status;
    struct descriptor *d = descriptor_acquire( params->handle, &status );
    sigset_t before;

    if ( !d ) return status;
    params->need_io_thread = 0;
    socket_set_renew( d );
    descriptor_renew( d );
    host_mutex_lock( &mutex, &before );
    /* closing forgets what it finds, which is nothing that comes later */
    if ( atomic_load( &d->closing ) ) params->error = WSAENOTSOCK;
    else if ( !( params->error = notify_open( &params->need_io_thread ) ) ) params->error = notify_change( d, params );
    host_mutex_unlock( &mutex, &before );
    descriptor_release( d );
    return 0;
}

static void move_all( struct notification_list *from, uint32_t port, struct notification_list *to )
{
    struct notification *n, *next;

    for ( n = TAILQ_FIRST( from ); n; n = next )
    {
        next = TAILQ_NEXT( n, entry );
        if ( n->port == port ) move_to( n, to );
    }
}

NTSTATUS unix_notify_taken( void *args )
{
    struct ws2_notify_taken_params *params = args;
    const uint64_t *handles = (const uint64_t *)(uintptr_t)params->handles;
    sigset_t before;

    params->error = 0;
    switch ( (enum ws2_notify_taken)params->how )
    {
    case WS2_NOTIFY_NOTED:
        for ( uint32_t i = 0; i < params->count; i++ )
        {
            NTSTATUS status;
            struct descriptor *d = descriptor_acquire( handles[i], &status );
            struct notification *n;

            if ( !d ) continue; /* closed meanwhile */
            host_mutex_lock( &mutex, &before );
            n = atomic_load( &d->notification );
            if ( n && n->port == params->port && n->list == &outstanding ) move_to( n, &taken );
            host_mutex_unlock( &mutex, &before );
            descriptor_release( d );
        }
        break;
    case WS2_NOTIFY_AGAIN:
        host_mutex_lock( &mutex, &before );
        move_all( &taken, params->port, &due );
        host_mutex_unlock( &mutex, &before );
        break;
    case WS2_NOTIFY_EMPTY:
        host_mutex_lock( &mutex, &before );
        move_all( &outstanding, params->port, &due );
        host_mutex_unlock( &mutex, &before );
        break;
    }
    return 0;
}

NTSTATUS unix_notify_fetch( void *args )
{
    struct ws2_notify_fetch_params *params = args;

    params->error = 0;
    params->count = 0;
    if ( notify_epoll < 0 ) return 0;
    /* edges first: a removal that comes meanwhile is told of after them */
    take_edges( params );
    take_due( params );
    return 0;
}

void notify_forget( struct descriptor *d )
{
    struct notification *n;
    sigset_t before;

    if ( notify_epoll < 0 ) return;
    host_mutex_lock( &mutex, &before );
    if ( ( n = atomic_load( &d->notification ) ) ) remove_notification( d, n );
    host_mutex_unlock( &mutex, &before );
    if ( n ) io_loop_wake();
}

void notify_unwatch( struct descriptor *d )
{
    if ( atomic_load( &d->notification ) ) socket_set_watch( d, notify_epoll, EPOLL_CTL_DEL, NULL );
}

void notify_watch_again( struct descriptor *d )
{
    struct notification *n;
    sigset_t before;

    if ( notify_epoll < 0 ) return;
    host_mutex_lock( &mutex, &before );
    if ( ( n = atomic_load( &d->notification ) ) ) notify_watch( d, n, EPOLL_CTL_ADD );
    host_mutex_unlock( &mutex, &before );
}

/* --- the I/O loop -------------------------------------------------------------------------------------------------------*/

/* How soon it is noticed that a program takes packets without calling ProcessSocketNotifications: only the ports show it. */
#define OUTSTANDING_MS 10

static int notify_timeout( void ) { return atomic_load( &outstanding_count ) ? OUTSTANDING_MS : -1; }

static void notify_turn( struct io_turn *turn )
{
    if ( ( turn->ready & 1u << IO_NOTIFICATIONS ) || atomic_load( &due_count ) ) turn->params->notifications = 1;
    if ( !turn->count && atomic_load( &outstanding_count ) ) turn->params->outstanding = 1;
}

void notify_init( void )
{
    static const struct io_source source = { .turn = notify_turn, .timeout = notify_timeout };

    io_loop_register( IO_NOTIFICATIONS, &source );
}
