/*
 * Requests of IOCTL_AFD_POLL that wait: see afd_poll.h; afd_poll_call.c makes them.
 *
 * A request that finds nothing is linked into the lists of its sockets. These are in an epoll of their own, edge-triggered,
 * nested into the I/O thread's: an edge is a reason to look at the socket, never an answer, since overlapped receives take
 * what arrives before a poll sees it. A socket stays in the epoll after its last request, until an edge finds it without.
 */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include "descriptors/socket_set.h"
#include "operations/afd_poll.h"
#include "operations/afd_poll_private.h"
#include "base/host_clock.h"
#include "base/host_mutex.h"
#include "base/io_loop.h"
#include "sockets/conditions.h"

#define WAIT_TIMEOUT 258 /* Win32's error for STATUS_TIMEOUT */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct afd_request *pending;
static _Atomic uint32_t pending_count;
static uint64_t last_serial;
static uint64_t timer_at = NO_DEADLINE;
static _Atomic int poll_epoll = -1;
static int timer = -1;

/* --- what holds of a socket -------------------------------------------------------------------------------------------*/

uint32_t afd_poll_conditions( struct descriptor *d, uint32_t revents )
{
    uint32_t conditions = poll_conditions( d, revents );

    if ( d->slot->type != SOCK_STREAM )
        return conditions | ( descriptor_flags( d ) & WS2_FLAG_CONNECTED ? POLL_CONNECT : 0 );
    return poll_data( d, conditions );
}

int32_t afd_poll_status( const struct descriptor *d, uint32_t flags )
{
    static const struct
    {
        int32_t error;
        uint32_t status;
    } statuses[] = {
        { WSAECONNREFUSED, 0xc0000236 }, { WSAETIMEDOUT, 0xc00000b5 },     { WSAENETUNREACH, 0xc000023c },
        { WSAEHOSTUNREACH, 0xc000023d }, { WSAEADDRNOTAVAIL, 0xc0000207 }, { WSAEADDRINUSE, 0xc0000043 },
    };

    if ( !( flags & POLL_CONNECT_ERROR ) ) return 0;
    for ( unsigned int i = 0; i < sizeof( statuses ) / sizeof( statuses[0] ); i++ )
        if ( statuses[i].error == atomic_load( &d->slot->connect_error ) ) return statuses[i].status;
    return statuses[0].status;
}

/* The host's events for a mask, whatever state the socket is in now or gets into later. */
static uint32_t epoll_events( uint32_t mask )
{
    return ( mask & ( POLL_READ | POLL_HANGUP | POLL_ACCEPT ) ? EPOLLIN | EPOLLRDHUP : 0 ) |
           ( mask & ( POLL_WRITE | POLL_CONNECT | POLL_CONNECT_ERROR ) ? EPOLLOUT : 0 ) |
           ( mask & POLL_OOB ? EPOLLPRI : 0 );
}

/* --- the end of a request ---------------------------------------------------------------------------------------------*/

static void unlink_entry( struct afd_entry *entry )
{
    struct afd_entry *first = atomic_load( &entry->descriptor->polls ), *before = first;

    assert( first );
    if ( first == entry ) atomic_store( &entry->descriptor->polls, entry->next );
    else
    {
        while ( before && before->next != entry ) before = before->next;
        if ( before ) before->next = entry->next;
    }
}

static void unlink_request( struct afd_request *request )
{
    assert( host_mutex_held( &mutex ) && atomic_load( &pending_count ) && *request->link == request );
    atomic_fetch_sub( &pending_count, 1 );
    if ( ( *request->link = request->next ) ) request->next->link = request->link;
    for ( uint32_t i = 0; i < request->count; i++ )
        if ( request->entries[i].descriptor ) unlink_entry( &request->entries[i] );
}

/* Takes a request out; it ends for the entry given, or for none, and goes to the list of ended ones. */
static void end_request( struct afd_request *request, const struct afd_entry *entry, uint32_t flags, int32_t error,
                         struct afd_request **ended )
{
    unlink_request( request );
    request->operation.error = error;
    request->reply.header.count = 0;
    request->operation.information = sizeof( request->reply.header );
    if ( entry )
    {
        request->reply.header.count = 1;
        if ( CALLER_IS_32 )
            request->reply.entry32 =
                ( struct ws2_afd_poll_entry32 ){ entry->handle, flags, afd_poll_status( entry->descriptor, flags ) };
        else
            request->reply.entry =
                ( struct ws2_afd_poll_entry ){ entry->handle, flags, afd_poll_status( entry->descriptor, flags ) };
        request->operation.information = sizeof( request->reply.header ) + ENTRY_SIZE;
    }
    if ( error == WSA_OPERATION_ABORTED ) request->operation.information = 0;
    else operation_write( &request->operation, request->output, &request->reply, request->operation.information );
    request->next = *ended;
    *ended = request;
}

/* Tells of those in a list, the mutex not held. The I/O thread fetches them, or who closes or cancels. */
static uint32_t tell_ended( struct afd_request *ended )
{
    uint32_t count = 0;

    while ( ended )
    {
        struct afd_request *request = ended;

        ended = request->next;
        for ( uint32_t i = 0; i < request->count; i++ )
            if ( request->entries[i].descriptor ) descriptor_release( request->entries[i].descriptor );
        operation_complete( &request->operation );
        count++;
    }
    return count;
}

static uint32_t end_by( struct descriptor *d, uint32_t conditions )
{
    struct afd_request *ended = NULL;
    struct afd_entry *entry;
    sigset_t before;

    host_mutex_lock( &mutex, &before );
again:
    for ( entry = atomic_load( &d->polls ); entry; entry = entry->next )
        if ( conditions & entry->mask )
        {
            /* an entry of the same request may follow: begin anew */
            end_request( entry->request, entry, conditions & entry->mask, 0, &ended );
            goto again;
        }
    host_mutex_unlock( &mutex, &before );
    return tell_ended( ended );
}

static uint32_t look_at_host( struct descriptor *d, uint32_t mask )
{
    struct pollfd fd = { .fd = d->fd, .events = poll_host_events( d, mask ) };

    if ( fd.events && poll( &fd, 1, 0 ) < 0 ) fd.revents = 0;
    if ( fd.events && socket_set_of( d ) ) fd.revents = socket_set_poll( socket_set_of( d ), d->fd );
    return afd_poll_conditions( d, fd.events ? fd.revents : 0 );
}

static uint32_t afd_poll_examine( struct descriptor *d )
{
    struct afd_entry *entry;
    uint32_t mask = 0, count;
    sigset_t before;

    host_mutex_lock( &mutex, &before );
    for ( entry = atomic_load( &d->polls ); entry; entry = entry->next ) mask |= entry->mask;
    if ( !atomic_load( &d->polls ) )
    {
        struct epoll_event none = { .events = EPOLLET, .data.ptr = d };

        if ( d->poll_events && !socket_set_watch( d, poll_epoll, EPOLL_CTL_MOD, &none ) ) d->poll_events = 0;
        host_mutex_unlock( &mutex, &before );
        return 0;
    }
    /* an entry counts the descriptor, and so do we from here on */
    descriptor_ref( d, 1 );
    host_mutex_unlock( &mutex, &before );
    count = end_by( d, look_at_host( d, mask ) );
    descriptor_release( d );
    return count;
}

void afd_poll_look_slow( struct descriptor *d )
{
    if ( afd_poll_examine( d ) ) io_loop_wake();
}

void afd_poll_forget( struct descriptor *d )
{
    sigset_t before;

    if ( !d->poll_watched ) return;
    host_mutex_lock( &mutex, &before );
    socket_set_watch( d, poll_epoll, EPOLL_CTL_DEL, NULL );
    d->poll_watched = d->poll_events = 0;
    host_mutex_unlock( &mutex, &before );
}

void afd_poll_watch_again( struct descriptor *d )
{
    struct epoll_event event = { .events = EPOLLET, .data.ptr = d };
    sigset_t before;

    if ( !atomic_load( &d->polls ) ) return;
    host_mutex_lock( &mutex, &before );
    for ( struct afd_entry *entry = atomic_load( &d->polls ); entry; entry = entry->next )
        event.events |= epoll_events( entry->mask );
    if ( !socket_set_watch( d, poll_epoll, EPOLL_CTL_ADD, &event ) )
    {
        d->poll_watched = 1;
        d->poll_events = event.events & ~EPOLLET;
    }
    host_mutex_unlock( &mutex, &before );
}

/* What stands for the handle of a request whose handle has been closed: the socket must not stay open for that. */
static struct ws2_slot no_slot;
static struct descriptor nobody = { .users = 1, .fd = -1, .slot = &no_slot };

/* The request goes on without d, of which it has two counts that become the caller's. */
static void afd_poll_leave( struct afd_request *request, struct descriptor *d, struct descriptor *survivor )
{
    if ( !survivor )
    {
        survivor = &nobody;
        request->operation.port = port_of( d );
        request->operation.port_known = 1;
    }
    descriptor_ref( survivor, 2 );
    request->operation.owner = request->operation.descriptor = survivor;
}

uint32_t afd_poll_close( struct descriptor *d, struct descriptor *survivor, int elsewhere )
{
    struct afd_request *ended = NULL;
    struct afd_entry *entry;
    sigset_t before;
    uint32_t detached = 0;

    if ( !atomic_load( &d->polls ) && !d->poll_watched ) return 0;
    host_mutex_lock( &mutex, &before );
    /* the loader has a descriptor of the same socket: closing ours would leave it in the epoll */
    if ( d->poll_watched ) socket_set_watch( d, poll_epoll, EPOLL_CTL_DEL, NULL );
    d->poll_watched = d->poll_events = 0;
    while ( ( entry = atomic_load( &d->polls ) ) )
    {
        struct afd_request *request = entry->request;
        const struct ws2_operation_target *target = &request->operation.target;

        if ( survivor )
        {
            atomic_store( &d->polls, entry->next );
            descriptor_ref( survivor, 1 ); /* the caller holds it */
            entry->descriptor = survivor;
            entry->next = atomic_load( &survivor->polls );
            atomic_store( &survivor->polls, entry );
        }
        else if ( !elsewhere )
        {
            end_request( request, entry, POLL_CLOSE, 0, &ended );
            continue;
        }
        /* the socket lives on in other processes: a request of the completion port kind is cancelled, others stay */
        else if ( target->apc_context && !target->apc && !target->event )
        {
            request->operation.target.options |= WS2_TARGET_LATE;
            end_request( request, NULL, 0, WSA_OPERATION_ABORTED, &ended );
            continue;
        }
        else
        {
            atomic_store( &d->polls, entry->next );
            entry->descriptor = NULL;
        }
        detached++;
        if ( request->operation.owner != d ) continue;
        afd_poll_leave( request, d, survivor );
        detached += 2;
    }
    host_mutex_unlock( &mutex, &before );
    while ( detached-- ) descriptor_release( d );
    if ( survivor )
    {
        afd_poll_forget( survivor );
        afd_poll_watch_again( survivor );
        afd_poll_look( survivor );
    }
    return tell_ended( ended );
}

uint32_t afd_poll_cancel( struct descriptor *owner, uint64_t iosb, uint32_t thread_id, uint32_t keep_ports )
{
    struct afd_request *request, *next, *ended = NULL;
    sigset_t before;

    if ( !atomic_load( &pending_count ) ) return 0;
    host_mutex_lock( &mutex, &before );
    for ( request = pending; request; request = next )
    {
        next = request->next;
        if ( ( owner && request->operation.owner != owner ) || ( iosb && request->operation.target.iosb != iosb ) ||
             ( thread_id && request->operation.target.thread_id != thread_id ) ||
             ( keep_ports && operation_is_ports( &request->operation ) ) )
            continue;
        end_request( request, NULL, 0, WSA_OPERATION_ABORTED, &ended );
    }
    host_mutex_unlock( &mutex, &before );
    return tell_ended( ended );
}

/* --- time -------------------------------------------------------------------------------------------------------------*/

/* The mutex is held. */
static void set_timer( uint64_t deadline )
{
    struct itimerspec at = { 0 };

    timer_at = deadline;
    if ( deadline != NO_DEADLINE )
    {
        at.it_value.tv_sec = deadline / 1000000000;
        at.it_value.tv_nsec = deadline % 1000000000;
        if ( !deadline ) at.it_value.tv_nsec = 1;
    }
    timerfd_settime( timer, TFD_TIMER_ABSTIME, &at, NULL );
}

static void end_late( void )
{
    struct afd_request *request, *next, *ended = NULL;
    uint64_t now = host_now_ns(), earliest = NO_DEADLINE, expirations;
    sigset_t before;

    host_mutex_lock( &mutex, &before );
    if ( read( timer, &expirations, sizeof( expirations ) ) < 0 ) expirations = 0;
    for ( request = pending; request; request = next )
    {
        next = request->next;
        if ( request->deadline <= now ) end_request( request, NULL, 0, WAIT_TIMEOUT, &ended );
        else if ( request->deadline < earliest ) earliest = request->deadline;
    }
    set_timer( earliest );
    host_mutex_unlock( &mutex, &before );
    tell_ended( ended );
}

/* --- the I/O thread ---------------------------------------------------------------------------------------------------*/

static void afd_poll_serve( struct io_turn *turn )
{
    struct epoll_event events[64];
    int count;

    if ( !( turn->ready & 1u << IO_AFD_POLLS ) ) return;
    count = epoll_wait( poll_epoll, events, 64, 0 );
    for ( int i = 0; i < count; i++ )
        if ( events[i].data.ptr ) afd_poll_examine( events[i].data.ptr );
        else end_late();
}

void afd_poll_init( void )
{
    static const struct io_source source = { .turn = afd_poll_serve };

    io_loop_register( IO_AFD_POLLS, &source );
}

/* The mutex is held. */
static int32_t afd_poll_open( uint32_t *need_io_thread )
{
    struct epoll_event event = { .events = EPOLLIN };
    int outer, inner, clock;
    int32_t error;

    if ( poll_epoll >= 0 ) return 0;
    if ( ( error = io_loop_open( need_io_thread, &outer ) ) ) return error;
    inner = epoll_create1( EPOLL_CLOEXEC );
    clock = inner < 0 ? -1 : timerfd_create( CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK );
    if ( clock >= 0 && !epoll_ctl( inner, EPOLL_CTL_ADD, clock, &event ) )
    {
        event.data.u64 = io_key( IO_AFD_POLLS, 0 );
        if ( !epoll_ctl( outer, EPOLL_CTL_ADD, inner, &event ) )
        {
            timer = clock;
            poll_epoll = inner;
            return 0;
        }
    }
    if ( clock >= 0 ) close( clock );
    if ( inner >= 0 ) close( inner );
    return WSAENOBUFS;
}

/* --- the beginning of a request -----------------------------------------------------------------------------------------*/

/* The socket's main entry, through whichever of its descriptors in this process; NULL for none. The mutex is held. */
static struct afd_entry *find_main( const struct descriptor *d )
{
    struct afd_entry *entry;

    for ( entry = atomic_load( &d->polls ); entry; entry = entry->next )
        if ( entry->main ) return entry;
    if ( !descriptor_may_have_others( d ) ) return NULL;
    for ( struct afd_request *request = pending; request; request = request->next )
        for ( uint32_t i = 0; i < request->count; i++ )
        {
            const struct descriptor *other = request->entries[i].descriptor;

            if ( other && other != d && request->entries[i].main && descriptor_is_same( d, other ) )
                return &request->entries[i];
        }
    return NULL;
}

/* Links the request into its sockets' lists and the sockets into the epoll. *settled: nothing can have happened since the
 * look at the sockets that no edge will show. WSAENOTSOCK: one is being closed. The mutex is held. */
static int32_t link_request( struct afd_request *request, int *settled, struct afd_request **ended )
{
    assert( host_mutex_held( &mutex ) );
    *settled = 1;
    request->serial = ++last_serial;
    if ( ( request->next = pending ) ) pending->link = &request->next;
    request->link = &pending;
    pending = request;
    atomic_fetch_add( &pending_count, 1 );
    for ( uint32_t i = 0; i < request->count; i++ )
    {
        struct afd_entry *entry = &request->entries[i], *other;
        struct descriptor *d = entry->descriptor;
        uint32_t events = epoll_events( entry->mask ) | d->poll_events;
        struct epoll_event event = { .events = events | EPOLLET, .data.ptr = d };

        /* A socket has one main request or none. A new one becomes that if there is none, or if both are exclusive: then
         * the one before ends with no events. Beside any other main one it never does, whatever becomes of that. */
        other = find_main( d );
        if ( other && other->request != request && request->reply.header.exclusive &&
             other->request->reply.header.exclusive )
        {
            end_request( other->request, NULL, 0, 0, ended );
            other = NULL;
        }
        entry->main = !other;
        entry->next = atomic_load( &d->polls );
        atomic_store( &d->polls, entry );
        if ( d->poll_watched && events == d->poll_events ) *settled = 0;
        else if ( !socket_set_watch( d, poll_epoll, d->poll_watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, &event ) )
        {
            d->poll_watched = 1;
            d->poll_events = events;
        }
        else return winsock_error( errno );
    }
    /* who closes a descriptor marks it first, then looks at its list */
    for ( uint32_t i = 0; i < request->count; i++ )
        if ( atomic_load( &request->entries[i].descriptor->closing ) ) return WSAENOTSOCK;
    if ( request->deadline < timer_at ) set_timer( request->deadline );
    return 0;
}

/* Who closed a descriptor looked at its list before the request was in it: what link_request left in the epoll goes. The
 * mutex is held. */
static void unwatch_closed( struct afd_request *request )
{
    for ( uint32_t i = 0; i < request->count; i++ )
    {
        struct descriptor *d = request->entries[i].descriptor;

        if ( !d || !atomic_load( &d->closing ) || !d->poll_watched ) continue;
        socket_set_watch( d, poll_epoll, EPOLL_CTL_DEL, NULL );
        d->poll_watched = d->poll_events = 0;
    }
}

static void afd_request_discard( struct afd_request *request )
{
    for ( uint32_t i = 0; i < request->count; i++ )
        if ( request->entries[i].descriptor ) descriptor_release( request->entries[i].descriptor );
    operation_discard( &request->operation );
}

int32_t afd_request_begin( struct afd_request *request, uint32_t *need_io_thread, uint64_t *serial, int *settled )
{
    struct afd_request *ended = NULL;
    sigset_t before;
    int32_t error;

    host_mutex_lock( &mutex, &before );
    if ( !( error = afd_poll_open( need_io_thread ) ) && ( error = link_request( request, settled, &ended ) ) )
    {
        unlink_request( request );
        unwatch_closed( request );
    }
    *serial = request->serial;
    host_mutex_unlock( &mutex, &before );
    if ( tell_ended( ended ) ) io_loop_wake();
    if ( error ) afd_request_discard( request );
    return error;
}

int afd_request_withdraw( uint64_t serial )
{
    struct afd_request *request;
    sigset_t before;

    host_mutex_lock( &mutex, &before );
    for ( request = pending; request && request->serial != serial; request = request->next ) continue;
    if ( request ) unlink_request( request );
    host_mutex_unlock( &mutex, &before );
    if ( request ) afd_request_discard( request );
    return request != NULL;
}
