/* The epoll of the network events, and what is made of what it shows: see events.h. */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "descriptors/socket_set.h"
#include "base/io_loop.h"
#include "client/event_kick.h"
#include "events/event_record.h"
#include "client/connection.h"
#include "descriptors/upcalls.h"
#include "events/event_serving.h"
#include "events/events.h"
#include "events/notify.h"
#include "base/owner_lock.h"
#include "sockets/conditions.h"
#include "sockets/option_bits.h"

static _Atomic int io_epoll = -1;
static owner_lock io_lock; /* making the epoll, and a socket's entering and leaving it or that of a served event */

#define WATCHED_EVENTS ( EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLET )

/* Where it is to be watched: in the epoll of the event that it sets, where that is served. */
static int epoll_for( const struct descriptor *d )
{
    const int served =
        atomic_load( &d->slot->event_message ) ? -1 : serving_epoll( atomic_load( &d->slot->event_target ) );

    return served < 0 ? atomic_load( &io_epoll ) : served;
}

static uint64_t epoll_key( struct descriptor *d, uint32_t generation ) { return generation | d->handle << 32; }

/* Takes the socket out of the process's epoll. The lock is held. */
static void events_unwatch( struct descriptor *d )
{
    assert( owner_lock_held( &io_lock ) );
    if ( atomic_fetch_and( &d->local, ~LOCAL_WATCHED ) & LOCAL_WATCHED )
        socket_set_watch( d, atomic_load( &d->event_epoll ), EPOLL_CTL_DEL, NULL );
}

int32_t events_watch( struct descriptor *d, uint32_t generation )
{
    struct epoll_event event = { .events = WATCHED_EVENTS, .data.u64 = epoll_key( d, generation ) };
    int32_t error = 0;
    int epoll;

    owner_lock_take( &io_lock );
    atomic_store( &d->event_generation, generation );
    epoll = epoll_for( d );
    if ( atomic_load( &d->event_epoll ) != epoll ) events_unwatch( d );
    /* what is ready now comes back from the epoll at once, without having arrived */
    if ( poll_host_now( d ) > 0 ) atomic_fetch_or( &d->local, LOCAL_INITIAL );
    if ( !socket_set_watch( d, epoll, atomic_load( &d->local ) & LOCAL_WATCHED ? EPOLL_CTL_MOD : EPOLL_CTL_ADD,
                            &event ) )
    {
        atomic_store( &d->event_epoll, epoll );
        atomic_fetch_or( &d->local, LOCAL_WATCHED );
    }
    else error = winsock_error( errno );
    owner_lock_give( &io_lock );
    return error;
}

int32_t events_open( uint32_t *made )
{
    struct epoll_event event = { .events = EPOLLIN, .data.u64 = io_key( IO_EVENTS, 0 ) };
    int32_t error = 0;
    int outer, fd;

    if ( io_epoll >= 0 ) return 0;
    owner_lock_take( &io_lock );
    if ( io_epoll < 0 && !( error = io_loop_open( made, &outer ) ) )
    {
        if ( ( fd = epoll_create1( EPOLL_CLOEXEC ) ) < 0 ) error = winsock_error( errno );
        else if ( epoll_ctl( outer, EPOLL_CTL_ADD, fd, &event ) < 0 ) error = winsock_error( errno ), close( fd );
        else io_epoll = fd;
    }
    owner_lock_give( &io_lock );
    return error;
}

/* Nothing of these is there to be told anew, and what comes next the epoll tells by itself. */
static int is_quiet( struct descriptor *d, uint32_t events )
{
    struct pollfd fd = { .fd = d->fd, .events = POLLIN | POLLPRI | POLLRDHUP };

    return !( events & ~( WS2_FD_READ | WS2_FD_ACCEPT ) ) && poll_silence_is_answer( d ) && !poll( &fd, 1, 0 );
}

/* Our own epoll tells its thread at once what of the events holds; another process's thread is kicked. */
static void events_rearm( struct descriptor *d, uint32_t events )
{
    if ( ( atomic_load( &d->local ) & LOCAL_WATCHED ) && is_quiet( d, events ) ) return;
    if ( atomic_load( &d->local ) & LOCAL_WATCHED )
    {
        struct epoll_event changed = { .events = WATCHED_EVENTS,
                                       .data.u64 = epoll_key( d, atomic_load( &d->event_generation ) ) };
        atomic_fetch_or( &d->local, LOCAL_INITIAL );
        if ( socket_set_watch( d, atomic_load( &d->event_epoll ), EPOLL_CTL_MOD, &changed ) && errno == ENOENT )
        {
            /* it is on its way from one epoll to another */
            owner_lock_take( &io_lock );
            if ( atomic_load( &d->local ) & LOCAL_WATCHED )
                socket_set_watch( d, atomic_load( &d->event_epoll ), EPOLL_CTL_MOD, &changed );
            owner_lock_give( &io_lock );
        }
    }
    else if ( ws2_events_mask( atomic_load( &d->slot->events ) ) & events )
    {
        const int now = poll_host_now( d );

        if ( now > 0 && ( event_due( d, poll_conditions( d, now ) ) & events ) )
            event_kick_send( atomic_load( &d->slot->event_owner ), d->slot_index, d->generation );
    }
}

void events_reenable_slow( struct descriptor *d, uint32_t event )
{
    uint64_t word = atomic_load( &d->slot->events );

    if ( !( ( ws2_events_seen( word ) | ws2_events_recorded( word ) ) & event ) ) return;
    event_clear_seen( d, event, ~0u );
    events_rearm( d, event );
}

void events_look_again( struct descriptor *d )
{
    if ( atomic_load( &d->slot->events ) ) events_rearm( d, WS2_EVENT_ALL );
}

void events_send_blocked( struct descriptor *d )
{
    descriptor_set_flags( d, WS2_FLAG_SEND_BLOCKED );
    notify_send_blocked( d );
    if ( atomic_load( &d->slot->events ) ) events_reenable_slow( d, WS2_FD_WRITE );
}

void events_sent_slow( struct descriptor *d )
{
    if ( d->slot->type != SOCK_STREAM ) return;
    if ( ( ws2_events_seen( atomic_load( &d->slot->events ) ) & WS2_FD_WRITE ) && !option_bit( d->slot, BIT_SENT ) )
        option_set_bit( d->slot, BIT_SENT, 1 );
}

void events_connect_begins( struct descriptor *d )
{
    atomic_store( &d->slot->close_error, 0 );
    if ( atomic_load( &d->slot->events ) ) event_clear_seen( d, WS2_FD_CONNECT | WS2_FD_WRITE | WS2_FD_CLOSE, ~0u );
}

int events_forget( struct descriptor *d )
{
    if ( !( atomic_load( &d->local ) & LOCAL_WATCHED ) ) return 0;
    owner_lock_take( &io_lock );
    events_unwatch( d );
    owner_lock_give( &io_lock );
    return 1;
}

void events_watch_again( struct descriptor *d ) { events_watch( d, atomic_load( &d->event_generation ) ); }

/* A later registration has taken over. Where it is this process's own, its events_watch() may be anywhere by now: it has given
 * the entry its own generation, or it will make a new one. */
static void forget_superseded( struct descriptor *d, uint32_t generation )
{
    owner_lock_take( &io_lock );
    if ( atomic_load( &d->event_generation ) == generation ) events_unwatch( d );
    owner_lock_give( &io_lock );
}

int events_look( struct descriptor *d, uint32_t revents, uint32_t arrivals, uint32_t generation,
                 struct ws2_io_action *action )
{
    uint32_t bits;

    action->target = atomic_load( &d->slot->event_target );
    action->message = atomic_load( &d->slot->event_message );
    bits = event_evaluate( d, revents, action->message ? 0 : arrivals, generation );
    /* another process is registering, and tells its program of what is recorded; the target may be its own already */
    if ( atomic_load( &d->slot->event_owner ) != connection_client_index() ) return 0;
    if ( action->message && bits ) event_mark_posted( d, bits );
    action->events = bits;
    action->handle = d->handle;
    event_codes( d, bits, action->codes );
    return bits != 0;
}

int events_arrived( struct descriptor *d, uint32_t events, struct ws2_io_action *action )
{
    action->target = atomic_load( &d->slot->event_target );
    action->message = atomic_load( &d->slot->event_message );
    action->handle = d->handle;
    action->events = event_record( d, events, events, 0 );
    if ( !action->events || atomic_load( &d->slot->event_owner ) != connection_client_index() ) return 0;
    if ( action->message ) event_mark_posted( d, action->events );
    event_codes( d, action->events, action->codes );
    return 1;
}

/* One event of the epoll. */
static int events_next_action( const struct epoll_event *event, struct ws2_io_action *action )
{
    uint32_t generation = event->data.u64, initial;
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
        initial = atomic_fetch_and( &d->local, ~LOCAL_INITIAL ) & LOCAL_INITIAL;
        /* it may be the next registration's, whose own event has yet to come */
        if ( atomic_load( &d->event_generation ) != generation ) atomic_fetch_or( &d->local, initial );
        else due = events_look( d, event->events, initial ? 0 : EVENT_ARRIVALS, generation, action );
    }
    descriptor_release( d );
    return due;
}

uint32_t events_act( const struct epoll_event *events, int count, struct ws2_io_action *actions )
{
    uint32_t due = 0;

    for ( int i = 0; i < count; i++ )
    {
        if ( events[i].data.u64 >> 32 ) due += events_next_action( &events[i], &actions[due] );
        else serving_woken( events[i].data.u64 );
    }
    return due;
}

uint32_t events_take( int epoll, struct ws2_io_action *actions, uint32_t room )
{
    struct epoll_event events[WS2_IO_ACTIONS];

    return events_act( events, epoll_wait( epoll, events, room, 0 ), actions );
}

static uint64_t ready_served; /* by the events' numbers; the I/O thread's */
static int ready_main;

static void events_ready( uint64_t value, uint32_t shown )
{
    (void)shown;
    if ( value ) ready_served |= serving_bit( value );
    else ready_main = 1;
}

/* What the network events' epolls show; as much as there is room for, they show the rest again. */
static void events_turn( struct io_turn *turn )
{
    struct ws2_io_wait_params *params = turn->params;
    uint64_t served = ready_served;

    if ( ready_main && params->count < WS2_IO_ACTIONS )
        params->count += events_take( io_epoll, &params->actions[params->count], WS2_IO_ACTIONS - params->count );
    while ( served && params->count < WS2_IO_ACTIONS )
        params->count += events_take( serving_epoll_of( serving_next( &served ) ), &params->actions[params->count],
                                      WS2_IO_ACTIONS - params->count );
    ready_main = 0;
    ready_served = 0;
    serving_turn( params );
}

void events_init( void )
{
    static const struct io_source source = { .ready = events_ready, .turn = events_turn, .timeout = serving_timeout };

    io_loop_register( IO_EVENTS, &source );
    upcalls.look_again = events_look_again;
}
