/* Network events: see events.h. Every change of a record is one compare-and-swap of the slot's events word. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "operations/afd_poll.h"
#include "events/changes.h"
#include "client/connection.h"
#include "events/events.h"
#include "events/notify.h"
#include "operations/operation.h"
#include "base/owner_lock.h"
#include "operations/port.h"
#include "client/poke.h"
#include "sockets/conditions.h"

static _Atomic int io_epoll = -1;
static _Atomic int io_poke = -1; /* in the epoll too, under a key that no descriptor has */
#define POKE_KEY 0
static _Atomic uint32_t io_lock; /* making the epoll, and a socket's entering and leaving it */

#define WATCHED_EVENTS ( EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLET )

/* Records events (those in `fresh` even when they were seen, the others only once); the bits that the program is to be
 * told of, 0 when the registration is not `generation` any more (0 = whatever it is). */
static uint32_t record( struct descriptor *d, uint32_t bits, uint32_t fresh, uint32_t generation )
{
    uint64_t word = atomic_load( &d->slot->events ), next;
    uint32_t added;

    do {
        if ( generation && ws2_events_generation( word ) != generation ) return 0;
        added = bits & ( fresh | ~( ws2_events_seen( word ) | ws2_events_recorded( word ) ) );
        if ( !added ) return 0;
        next = ws2_events( ws2_events_generation( word ), ws2_events_seen( word ) & ~added,
                           ws2_events_recorded( word ) | added, ws2_events_mask( word ) );
    } while ( !atomic_compare_exchange_weak( &d->slot->events, &word, next ) );
    return added & ws2_events_mask( next );
}

/* Whether one of bits has been neither recorded nor seen. */
static int record_would_add( const struct descriptor *d, uint32_t bits )
{
    const uint64_t word = atomic_load( &d->slot->events );

    return ( bits & ~( ws2_events_seen( word ) | ws2_events_recorded( word ) ) ) != 0;
}

/* A window has been told of events: each is posted once, until its re-enabling call. */
static void mark_posted( struct descriptor *d, uint32_t bits )
{
    uint64_t word = atomic_load( &d->slot->events ), next;

    do
        next = ws2_events( ws2_events_generation( word ), ws2_events_seen( word ) | bits,
                           ws2_events_recorded( word ) & ~bits, ws2_events_mask( word ) );
    while ( !atomic_compare_exchange_weak( &d->slot->events, &word, next ) );
}

static void clear_seen( struct descriptor *d, uint32_t bits, uint32_t also_recorded )
{
    uint64_t word = atomic_load( &d->slot->events ), next;

    do
        next = ws2_events( ws2_events_generation( word ), ws2_events_seen( word ) & ~bits,
                           ws2_events_recorded( word ) & ~( also_recorded & bits ), ws2_events_mask( word ) );
    while ( next != word && !atomic_compare_exchange_weak( &d->slot->events, &word, next ) );
}

/* The events whose conditions hold. */
static uint32_t due_events( struct descriptor *d, uint32_t conditions )
{
    uint32_t bits = 0;

    if ( d->slot->type != SOCK_STREAM )
    {
        if ( conditions & POLL_READ ) bits |= WS2_FD_READ;
        if ( ( conditions & POLL_WRITE ) && ( descriptor_flags( d ) & ( WS2_FLAG_CONNECTED | WS2_FLAG_SEND_BLOCKED ) ) )
        {
            bits |= WS2_FD_WRITE;
            /* a window is not told of a datagram socket's connect */
            if ( ( descriptor_flags( d ) & WS2_FLAG_CONNECTED ) && !atomic_load( &d->slot->event_message ) )
                bits |= WS2_FD_CONNECT;
        }
        return bits;
    }
    if ( conditions & POLL_ACCEPT ) bits |= WS2_FD_ACCEPT;
    if ( conditions & POLL_READ ) bits |= WS2_FD_READ;
    if ( conditions & POLL_OOB ) bits |= WS2_FD_OOB;
    if ( conditions & POLL_CONNECT )
    {
        /* an accepted socket was never connecting: WRITE is all that it reports */
        if ( !( descriptor_flags( d ) & WS2_FLAG_ACCEPTED ) ) bits |= WS2_FD_CONNECT;
        if ( conditions & POLL_WRITE ) bits |= WS2_FD_WRITE;
    }
    if ( conditions & POLL_CONNECT_ERROR ) bits |= WS2_FD_CONNECT;
    if ( conditions & ( POLL_HANGUP | POLL_RESET ) ) bits |= WS2_FD_CLOSE;
    if ( conditions & POLL_RESET )
    {
        atomic_store( &d->slot->close_error, WSAECONNABORTED );
        bits &= ~WS2_FD_READ;
    }
    if ( !( poll_data( d, conditions ) & POLL_READ ) ) bits &= ~WS2_FD_READ;
    return bits;
}

/* Events that arrive anew each time, however often they were seen. */
#define ARRIVALS ( WS2_FD_READ | WS2_FD_ACCEPT | WS2_FD_OOB )

/* Records what holds now; the bits to tell. `arrivals`: the epoll's word that something came. */
static uint32_t evaluate( struct descriptor *d, uint32_t revents, uint32_t arrivals, uint32_t generation )
{
    uint32_t bits = due_events( d, poll_conditions( d, revents ) );

    if ( ( bits & WS2_FD_WRITE ) && ( descriptor_flags( d ) & WS2_FLAG_SEND_BLOCKED ) )
    {
        descriptor_clear_flags( d, WS2_FLAG_SEND_BLOCKED );
        clear_seen( d, WS2_FD_WRITE, 0 );
    }
    /* what the end of the stream has found lying there did not come with it */
    if ( record_would_add( d, bits & WS2_FD_CLOSE ) ) arrivals &= ~WS2_FD_READ;
    return record( d, bits, arrivals, generation );
}

static uint32_t evaluate_now( struct descriptor *d )
{
    struct pollfd fd = { .fd = d->fd, .events = POLLIN | POLLOUT | POLLPRI | POLLRDHUP };

    if ( poll( &fd, 1, 0 ) < 0 ) return 0;
    return evaluate( d, fd.revents, 0, 0 );
}

static uint64_t epoll_key( struct descriptor *d, uint32_t generation ) { return generation | d->handle << 32; }

/* Puts the socket into the process's epoll, or gives its entry there the new generation. */
static int32_t watch( struct descriptor *d, uint32_t generation )
{
    struct epoll_event event = { .events = WATCHED_EVENTS, .data.u64 = epoll_key( d, generation ) };
    struct pollfd fd = { .fd = d->fd, .events = POLLIN | POLLOUT | POLLPRI | POLLRDHUP };
    int32_t error = 0;

    owner_lock_take( &io_lock );
    atomic_store( &d->event_generation, generation );
    /* what is ready now comes back from the epoll at once, without having arrived */
    if ( poll( &fd, 1, 0 ) > 0 ) atomic_fetch_or( &d->local, LOCAL_INITIAL );
    if ( !epoll_ctl( io_epoll, atomic_load( &d->local ) & LOCAL_WATCHED ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, d->fd,
                     &event ) )
        atomic_fetch_or( &d->local, LOCAL_WATCHED );
    else error = winsock_error( errno );
    owner_lock_give( &io_lock );
    return error;
}

/* Takes the socket out of the process's epoll. The lock is held. */
static void unwatch( struct descriptor *d )
{
    if ( atomic_fetch_and( &d->local, ~LOCAL_WATCHED ) & LOCAL_WATCHED )
        epoll_ctl( io_epoll, EPOLL_CTL_DEL, d->fd, NULL );
}

static void fill_codes( struct descriptor *d, uint32_t events, int32_t codes[WS2_EVENT_BIT_COUNT] )
{
    memset( codes, 0, WS2_EVENT_BIT_COUNT * sizeof( *codes ) );
    if ( events & WS2_FD_CONNECT ) codes[4] = atomic_load( &d->slot->connect_error );
    if ( events & WS2_FD_CLOSE ) codes[5] = atomic_load( &d->slot->close_error );
}

static int32_t register_events( struct descriptor *d, uint64_t target, uint32_t message, uint32_t mask, uint32_t *due,
                                int32_t codes[WS2_EVENT_BIT_COUNT] )
{
    struct ws2_slot *slot = d->slot;
    uint64_t word = atomic_load( &slot->events ), next;
    uint32_t generation, seen, recorded;
    int32_t error;

    /* The target is in place before the generation that it belongs to: who signals looks at the generation first. */
    atomic_store( &slot->event_target, target );
    atomic_store( &slot->event_message, message );
    atomic_store( &slot->event_owner, connection_client_index() );
    do {
        generation = ws2_events_generation( word ) + 1;
        if ( !generation ) generation = 1;
        seen = ws2_events_seen( word );
        recorded = ws2_events_recorded( word );
        /* a window is told of everything that holds now, but for the connect */
        if ( message )
        {
            recorded = 0;
            seen = descriptor_flags( d ) & WS2_FLAG_CONNECTED ? WS2_FD_CONNECT : 0;
        }
        next = ws2_events( generation, seen, recorded, mask );
    } while ( !atomic_compare_exchange_weak( &slot->events, &word, next ) );

    if ( mask ) descriptor_set_flags( d, WS2_FLAG_NONBLOCKING );
    if ( ( error = watch( d, generation ) ) ) return error;
    evaluate_now( d );
    if ( message && slot->type != SOCK_STREAM ) record( d, WS2_FD_WRITE, 0, 0 );
    changes_registered( d );
    *due = ws2_events_recorded( atomic_load( &slot->events ) ) & mask;
    fill_codes( d, *due, codes );
    if ( message ) mark_posted( d, *due );
    return 0;
}

static int32_t make_epoll( uint32_t *made )
{
    int32_t error = 0;
    int outer, poke;

    if ( io_epoll >= 0 ) return 0;
    owner_lock_take( &io_lock );
    if ( io_epoll < 0 )
    {
        int fd = epoll_create1( EPOLL_CLOEXEC );
        if ( fd < 0 ) error = winsock_error( errno );
        else
        {
            struct epoll_event event = { .events = EPOLLIN, .data.u64 = POKE_KEY };

            /* without it only re-enabling calls of other processes go unnoticed */
            if ( ( poke = poke_open() ) >= 0 ) epoll_ctl( fd, EPOLL_CTL_ADD, poke, &event );
            io_poke = poke;
            event.data.u64 = OPERATION_KEY_EVENTS;
            if ( ( error = operation_epoll( made, &outer ) ) ) close( fd );
            else if ( epoll_ctl( outer, EPOLL_CTL_ADD, fd, &event ) < 0 ) error = winsock_error( errno ), close( fd );
            else io_epoll = fd;
        }
    }
    owner_lock_give( &io_lock );
    return error;
}

NTSTATUS unix_event_select( void *args )
{
    struct ws2_event_select_params *params = args;
    NTSTATUS status;
    struct descriptor *d = descriptor_acquire( params->handle, &status );

    if ( !d ) return status;
    params->need_io_thread = 0;
    if ( !params->mask && !atomic_load( &d->slot->events ) ) params->error = 0; /* nothing to end */
    else if ( !( params->error = make_epoll( &params->need_io_thread ) ) )
        params->error =
            register_events( d, params->target, params->message, params->mask, &params->due, params->codes );
    descriptor_release( d );
    return 0;
}

NTSTATUS unix_event_inherit( void *args )
{
    struct ws2_event_inherit_params *params = args;
    NTSTATUS status;
    struct descriptor *listener = descriptor_acquire( params->listener, &status ), *d;

    if ( !listener ) return status;
    params->target = atomic_load( &listener->slot->event_target );
    params->message = atomic_load( &listener->slot->event_message );
    params->mask = ws2_events_mask( atomic_load( &listener->slot->events ) );
    if ( atomic_load( &listener->slot->event_owner ) != connection_client_index() ) params->mask = 0;
    descriptor_release( listener );
    params->error = 0;
    if ( !params->mask ) return 0;
    if ( !( d = descriptor_acquire( params->handle, &status ) ) ) return status;
    params->error = register_events( d, params->target, params->message, params->mask, &params->due, params->codes );
    descriptor_release( d );
    return 0;
}

NTSTATUS unix_event_enum( void *args )
{
    struct ws2_event_enum_params *params = args;
    NTSTATUS status;
    struct descriptor *d = descriptor_acquire( params->handle, &status );
    uint64_t word, next;

    if ( !d ) return status;
    params->error = 0;
    params->events = 0;
    if ( atomic_load( &d->slot->events ) )
    {
        evaluate_now( d ); /* the I/O thread may not have come to it yet */
        word = atomic_load( &d->slot->events );
        do {
            params->events = ws2_events_recorded( word ) & ws2_events_mask( word );
            next = ws2_events( ws2_events_generation( word ), ws2_events_seen( word ) | params->events,
                               ws2_events_recorded( word ) & ~params->events, ws2_events_mask( word ) );
        } while ( !atomic_compare_exchange_weak( &d->slot->events, &word, next ) );
    }
    fill_codes( d, WS2_EVENT_ALL, params->codes );
    descriptor_release( d );
    return 0;
}

/* Our own epoll tells its thread at once what of the events holds; another process's thread is poked. */
static void look_again( struct descriptor *d, uint32_t events )
{
    if ( atomic_load( &d->local ) & LOCAL_WATCHED )
    {
        struct epoll_event changed = { .events = WATCHED_EVENTS,
                                       .data.u64 = epoll_key( d, atomic_load( &d->event_generation ) ) };
        atomic_fetch_or( &d->local, LOCAL_INITIAL );
        epoll_ctl( io_epoll, EPOLL_CTL_MOD, d->fd, &changed );
    }
    else if ( ws2_events_mask( atomic_load( &d->slot->events ) ) & events )
    {
        struct pollfd fd = { .fd = d->fd, .events = POLLIN | POLLPRI | POLLOUT | POLLRDHUP };

        if ( poll( &fd, 1, 0 ) > 0 && ( due_events( d, poll_conditions( d, fd.revents ) ) & events ) )
            poke_send( atomic_load( &d->slot->event_owner ), d->slot_index, d->generation );
    }
}

void events_reenable_slow( struct descriptor *d, uint32_t event )
{
    uint64_t word = atomic_load( &d->slot->events );

    if ( !( ( ws2_events_seen( word ) | ws2_events_recorded( word ) ) & event ) ) return;
    clear_seen( d, event, ~0u );
    look_again( d, event );
}

void events_look_again( struct descriptor *d )
{
    if ( atomic_load( &d->slot->events ) ) look_again( d, WS2_EVENT_ALL );
}

NTSTATUS unix_event_attempt( void *args )
{
    struct ws2_event_attempt_params *params = args;
    NTSTATUS status;
    struct descriptor *d = descriptor_acquire( params->handle, &status );

    if ( !d ) return status;
    /* a window is told again after any attempt, an event object only after one that could have succeeded */
    if ( atomic_load( &d->slot->event_message ) ) events_reenable( d, params->event );
    descriptor_release( d );
    params->error = 0;
    return 0;
}

void events_send_blocked( struct descriptor *d )
{
    descriptor_set_flags( d, WS2_FLAG_SEND_BLOCKED );
    notify_send_blocked( d );
    if ( atomic_load( &d->slot->events ) ) events_reenable_slow( d, WS2_FD_WRITE );
}

void events_connect_begins( struct descriptor *d )
{
    atomic_store( &d->slot->close_error, 0 );
    if ( atomic_load( &d->slot->events ) ) clear_seen( d, WS2_FD_CONNECT | WS2_FD_WRITE | WS2_FD_CLOSE, ~0u );
}

int events_forget( struct descriptor *d )
{
    if ( !( atomic_load( &d->local ) & LOCAL_WATCHED ) ) return 0;
    owner_lock_take( &io_lock );
    unwatch( d );
    owner_lock_give( &io_lock );
    return 1;
}

void events_watch_again( struct descriptor *d ) { watch( d, atomic_load( &d->event_generation ) ); }

/* A later registration has taken over. Where it is this process's own, its watch() may be anywhere by now: it has given
 * the entry its own generation, or it will make a new one. */
static void forget_superseded( struct descriptor *d, uint32_t generation )
{
    owner_lock_take( &io_lock );
    if ( atomic_load( &d->event_generation ) == generation ) unwatch( d );
    owner_lock_give( &io_lock );
}

/* Records what holds, of an arrival or not; what to tell the program in action, 0 when it is nothing. */
static int look( struct descriptor *d, uint32_t revents, uint32_t arrivals, struct ws2_io_action *action )
{
    uint32_t generation = atomic_load( &d->event_generation ), bits;

    /* a hang-up may be older than the connection: the host shows one on a socket that was never connected */
    if ( revents & ( POLLHUP | POLLERR | POLLRDHUP ) )
    {
        struct pollfd fd = { .fd = d->fd, .events = POLLIN | POLLOUT | POLLPRI | POLLRDHUP };
        if ( poll( &fd, 1, 0 ) >= 0 ) revents = fd.revents;
    }
    action->target = atomic_load( &d->slot->event_target );
    action->message = atomic_load( &d->slot->event_message );
    bits = evaluate( d, revents, action->message ? 0 : arrivals, generation );
    if ( action->message && bits ) mark_posted( d, bits );
    action->events = bits;
    action->handle = d->handle;
    fill_codes( d, bits, action->codes );
    return bits != 0;
}

int events_arrived( struct descriptor *d, uint32_t events, struct ws2_io_action *action )
{
    action->target = atomic_load( &d->slot->event_target );
    action->message = atomic_load( &d->slot->event_message );
    action->handle = d->handle;
    action->events = record( d, events, events, 0 );
    if ( !action->events || atomic_load( &d->slot->event_owner ) != connection_client_index() ) return 0;
    if ( action->message ) mark_posted( d, action->events );
    fill_codes( d, action->events, action->codes );
    return 1;
}

/* One event of the epoll. */
static int next_action( const struct epoll_event *event, struct ws2_io_action *action )
{
    uint32_t generation = event->data.u64, arrivals;
    NTSTATUS status;
    struct descriptor *d = descriptor_acquire( event->data.u64 >> 32, &status );
    int due = 0;

    if ( !d ) return 0;
    if ( atomic_load( &d->event_generation ) != generation )
        ; /* the handle is another socket by now */
    else if ( ws2_events_generation( atomic_load( &d->slot->events ) ) != generation )
        forget_superseded( d, generation );
    else
    {
        arrivals = atomic_fetch_and( &d->local, ~LOCAL_INITIAL ) & LOCAL_INITIAL ? 0 : ARRIVALS;
        due = look( d, event->events, arrivals, action );
    }
    descriptor_release( d );
    return due;
}

/* A poke names a slot: the descriptor through which this process watches it is looked for, which is rare enough. */
static int poked( const struct poke *poke, struct ws2_io_action *action )
{
    struct ws2_handle_params next = { 0 };
    int due = 0;

    while ( !due && ( unix_socket_next( &next ), next.handle ) )
    {
        struct pollfd fd = { .events = POLLIN | POLLOUT | POLLPRI | POLLRDHUP };
        NTSTATUS status;
        struct descriptor *d = descriptor_acquire( next.handle, &status );

        if ( !d ) continue;
        fd.fd = d->fd;
        if ( d->slot_index == poke->slot && d->generation == poke->generation &&
             ( atomic_load( &d->local ) & LOCAL_WATCHED ) && poll( &fd, 1, 0 ) >= 0 )
        {
            changes_registered( d );
            due = look( d, fd.revents, 0, action );
        }
        descriptor_release( d );
    }
    return due;
}

/* What the network events' epoll shows; as much as there is room for, it shows the rest again. */
static void take_events( struct ws2_io_wait_params *params )
{
    struct epoll_event events[WS2_IO_ACTIONS];
    int count = epoll_wait( io_epoll, events, WS2_IO_ACTIONS - params->count, 0 );

    for ( int i = 0; i < count; i++ )
    {
        struct ws2_io_action *action = &params->actions[params->count];
        struct poke poke;

        /* one poke a turn: the epoll shows the next one again */
        if ( events[i].data.u64 != POKE_KEY ) params->count += next_action( &events[i], action );
        else if ( poke_receive( io_poke, &poke ) ) params->count += poked( &poke, action );
    }
}

/* How soon it is noticed that a program takes packets without calling ProcessSocketNotifications. */
#define OUTSTANDING_MS 10

static int shorter( int a, int b ) { return a < 0 ? b : b < 0 || a < b ? a : b; }

NTSTATUS unix_io_wait( void *args )
{
    struct ws2_io_wait_params *params = args;
    struct epoll_event events[WS2_IO_ACTIONS];
    uint8_t turns = 0;
    int epoll = -1;

    params->count = 0;
    params->completions = params->notifications = params->outstanding = 0;
    if ( ( params->error = operation_epoll( &params->completions, &epoll ) ) ) return 0;
    changes_tell( params ); /* of the turn before */
    while ( !params->count && !operation_ended() && !params->notifications && !params->outstanding )
    {
        const int patience = shorter( notify_outstanding() ? OUTSTANDING_MS : operation_patience(), port_patience() );
        int count = epoll_wait( epoll, events, WS2_IO_ACTIONS, patience ), network = 0, polls = 0;

        for ( int i = 0; i < count; i++ )
        {
            if ( events[i].data.u64 == OPERATION_KEY_EVENTS ) network = 1;
            else if ( events[i].data.u64 == OPERATION_KEY_POLLS ) polls = 1;
            else if ( events[i].data.u64 == NOTIFY_KEY ) params->notifications = 1;
            else if ( events[i].data.u64 >= OPERATION_KEY_CHANGES && events[i].data.u64 <= OPERATION_KEY_LAST )
                changes_seen( events[i].data.u64 );
            else if ( port_is_key( events[i].data.u64 ) ) port_fired( events[i].data.u64 );
            else if ( events[i].data.u64 != OPERATION_KEY_WAKE ) operation_edge( events[i].data.u64 );
        }
        /* the operations come first: what they take is no event */
        changes_tell( params );
        if ( network ) take_events( params );
        if ( polls ) afd_poll_serve();
        port_tick();
        if ( !count || !++turns ) operation_tick();
        if ( notify_due() ) params->notifications = 1;
        params->outstanding = !count && notify_outstanding();
    }
    params->completions = operation_ended();
    return 0;
}
