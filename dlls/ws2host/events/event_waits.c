/*
 * Waiting in the process for events that sockets set (event_serving.h). The thread that waits polls the events' epolls, records
 * what comes, as the I/O thread does otherwise, and goes on with it, without a conversation with anybody.
 */
#include "descriptors/wait.h"
#include "events/event_serving.h"
#include "events/events.h"

/* --- serving --------------------------------------------------------------------------------------------------------*/

/* Sockets that are watched elsewhere than they should be now. */
static void move_sockets( uint32_t target )
{
    struct descriptor *d;
    uint64_t handle = 0;

    while ( ( d = descriptor_next( &handle ) ) )
    {
        if ( ( atomic_load( &d->local ) & LOCAL_WATCHED ) && atomic_load( &d->slot->event_target ) == target &&
             !atomic_load( &d->slot->event_message ) )
            events_watch_again( d );
        descriptor_release( d );
    }
}

NTSTATUS unix_event_serve( void *args )
{
    struct ws2_event_serve_params *params = args;
    uint32_t made = 0;

    params->error = WSAEINVAL;
    if ( params->index >= WS2_SERVED_EVENTS || params->target != (uint32_t)params->target ) return 0;
    if ( ( params->error = events_open( &made ) ) ) return 0;
    if ( !params->serve ) serving_end( params->index );
    else if ( ( params->error = serving_begin( params ) ) ) return 0;
    move_sockets( params->target );
    return 0;
}

/* --- waiting --------------------------------------------------------------------------------------------------------*/

/* Whether one of them has been set since, or is served no longer. */
static int is_due( const void *context )
{
    const struct ws2_event_wait_params *params = context;
    uint64_t mask = params->mask;

    while ( mask )
    {
        const uint32_t index = serving_next( &mask );

        if ( !serving_target_of( index ) ||
             *(volatile uint32_t *)&serving_state_of( index )->sets != params->seen[index] )
            return 1;
    }
    return 0;
}

/* What the epoll of one shows: its own event is set by that, other targets are told by the caller. */
static void take( uint32_t index, struct ws2_event_wait_params *params )
{
    const uint32_t count = params->count;
    uint32_t kept = count;
    int set = 0;

    params->count += events_take( serving_epoll_of( index ), &params->actions[count], WS2_WAIT_ACTIONS - count );
    for ( uint32_t i = count; i < params->count; i++ )
    {
        const struct ws2_io_action action = params->actions[i];

        if ( !action.message && action.target == serving_target_of( index ) ) set = 1;
        else params->actions[kept++] = action;
    }
    params->count = kept;
    if ( !set ) return;
    serving_defer( index );
    /* the calling thread is one of them unless it only looks */
    if ( wait_serving( 1ull << index ) > !!params->timeout ) wait_wake_served( 1ull << index );
}

static void take_all( struct ws2_event_wait_params *params )
{
    uint64_t mask = params->mask;

    wait_set_handling( mask );
    while ( mask && params->count < WS2_WAIT_ACTIONS ) take( serving_next( &mask ), params );
    wait_set_handling( 0 );
}

/* A thread was ended from outside: what it has taken out of an epoll and not seen to may have set any of them. */
static void thread_ended( uint64_t handling )
{
    while ( handling ) serving_defer( serving_next( &handling ) );
}

void event_waits_init( void ) { wait_served_ends = thread_ended; }

NTSTATUS unix_event_wait( void *args )
{
    struct ws2_event_wait_params *params = args;
    struct pollfd fds[WS2_SERVED_EVENTS + 1];
    enum wait_result result = WAIT_READY;
    uint32_t count = 0;

    params->count = params->timed_out = params->look = 0;
    params->error = 0;
    /* the others are served no longer */
    for ( uint64_t mask = params->mask; mask; )
    {
        const uint32_t index = serving_next( &mask );

        if ( !serving_target_of( index ) ) params->mask &= ~( 1ull << index );
        else fds[count++] = ( struct pollfd ){ .fd = serving_epoll_of( index ), .events = POLLIN };
    }
    if ( !params->timeout )
    {
        take_all( params );
        if ( params->release ) serving_leave( params->mask, 1 );
        return 0;
    }
    if ( !wait_served_begin( params->mask ) )
    {
        params->error = WSAENOBUFS;
        return 0;
    }
    serving_enter( params->mask );
    result = wait_served( fds, count, is_due, params, params->timeout, &params->wait );
    if ( result == WAIT_READY ) take_all( params );
    wait_served_end();
    serving_leave( params->mask, params->release );
    params->timed_out = result == WAIT_TIMED_OUT;
    params->look = result == WAIT_ALERT;
    if ( result == WAIT_FAILED ) params->error = WSAENOBUFS;
    return 0;
}

NTSTATUS unix_event_wake( void *args )
{
    struct ws2_event_wake_params *params = args;

    wait_wake_served( params->mask );
    params->error = 0;
    return 0;
}
