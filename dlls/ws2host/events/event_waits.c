/*
 * Waiting in the process for events that sockets set (event_serving.h). The thread that waits polls the events' epolls, records
 * what comes, as the I/O thread does otherwise, and goes on with it, without a conversation with anybody.
 */
#include "descriptors/wait.h"
#include "events/event_serving.h"
#include "events/events.h"

/* --- serving --------------------------------------------------------------------------------------------------------*/

static void for_sockets( uint32_t target, void ( *act )( struct descriptor *d ) )
{
    struct descriptor *d;
    uint64_t handle = 0;

    while ( ( d = descriptor_next( &handle ) ) )
    {
        if ( ( atomic_load( &d->local ) & LOCAL_WATCHED ) && atomic_load( &d->slot->event_target ) == target &&
             !atomic_load( &d->slot->event_message ) )
            act( d );
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
    /* they are watched elsewhere than they should be now */
    for_sockets( params->target, events_watch_again );
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
             atomic_load( (_Atomic uint32_t *)&serving_state_of( index )->sets ) != params->seen[index] )
            return 1;
    }
    return 0;
}

/* What has come for one, from that action on: its own event is set by that, other targets are told by the caller. */
static void sort( uint32_t index, struct ws2_event_wait_params *params, const uint32_t first )
{
    uint32_t kept = first;
    int set = 0;

    for ( uint32_t i = first; i < params->count; i++ )
    {
        const struct ws2_io_action action = params->actions[i];

        if ( !action.message && action.target == serving_target_of( index ) ) set = 1;
        else params->actions[kept++] = action;
    }
    params->count = kept;
    if ( !set ) return;
    serving_defer( index );
    /* the calling thread is one of them unless it only looks */
    if ( wait_serving( 1ull << index ) > !!params->timeout ) serving_wake( 1ull << index );
}

static void take( uint32_t index, struct ws2_event_wait_params *params )
{
    const uint32_t first = params->count;

    params->count += events_take( serving_epoll_of( index ), &params->actions[first], WS2_WAIT_ACTIONS - first );
    sort( index, params, first );
}

static void take_all( struct ws2_event_wait_params *params )
{
    uint64_t mask = params->mask;

    wait_set_handling( mask );
    while ( mask && params->count < WS2_WAIT_ACTIONS ) take( serving_next( &mask ), params );
    wait_set_handling( 0 );
}

/* Waits for one event alone, and sees to what came. */
static enum wait_result wait_single( uint32_t index, struct ws2_event_wait_params *params )
{
    struct epoll_event events[WS2_WAIT_ACTIONS];
    enum wait_result result;
    int count;

    wait_set_awaiting( params->mask );
    result = wait_served_by( serving_epoll_of( index ), events, WS2_WAIT_ACTIONS, &count, is_due, params,
                             params->timeout, &params->wait );
    if ( count )
    {
        wait_set_handling( params->mask );
        params->count = events_act( events, count, params->actions );
        sort( index, params, 0 );
        wait_set_handling( 0 );
    }
    wait_set_awaiting( 0 );
    return result;
}

/* A thread was ended from outside in a wait for those: what it has taken out of an epoll and not seen to may have set any, and what it
 * has perhaps just taken out is shown again. */
static void thread_ended( uint64_t waited, uint64_t handling, uint64_t awaiting )
{
    while ( waited ) serving_single_ends( serving_next( &waited ) );
    while ( handling ) serving_defer( serving_next( &handling ) );
    while ( awaiting ) for_sockets( serving_target_of( serving_next( &awaiting ) ), events_look_again );
}

void event_waits_init( void ) { wait_served_ends = thread_ended; }

NTSTATUS unix_event_wait( void *args )
{
    struct ws2_event_wait_params *params = args;
    struct pollfd fds[WS2_SERVED_EVENTS + 1];
    enum wait_result result = WAIT_READY;
    uint32_t count = 0, only = 0;

    params->count = params->timed_out = params->look = 0;
    params->error = 0;
    /* the others are served no longer */
    for ( uint64_t mask = params->mask; mask; )
    {
        const uint32_t index = serving_next( &mask );

        if ( !serving_target_of( index ) )
        {
            params->mask &= ~( 1ull << index );
            continue;
        }
        only = index;
        fds[count++] = ( struct pollfd ){ .fd = serving_epoll_of( index ), .events = POLLIN };
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
    if ( count == 1 && serving_single_begins( only ) )
    {
        result = wait_single( only, params );
        serving_single_ends( only );
    }
    else
    {
        result = wait_served( fds, count, is_due, params, params->timeout, &params->wait );
        if ( result == WAIT_READY ) take_all( params );
    }
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

    serving_wake( params->mask );
    params->error = 0;
    return 0;
}
