/* Which events are served, and who looks after them: see event_serving.h. */
#include <errno.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "base/host_clock.h"
#include "base/io_loop.h"
#include "base/owner_lock.h"
#include "descriptors/wait.h"
#include "events/event_serving.h"

#define TURN_MS 10

static struct served
{
    _Atomic uint32_t target; /* 0: not in use */
    owner_lock lock;         /* of what follows */
    uint32_t entered;        /* counts up with each that comes */
    uint32_t entered_before; /* at the turn before */
    _Atomic uint32_t ours;   /* threads look after it, and the I/O thread does not */
    uint32_t exact;
    uint32_t sets_before;
    int epoll;               /* 0 before the first use, then kept */
    int wake;                /* an eventfd in it, which wakes the one thread that waits there; the same */
    _Atomic uint32_t single; /* that thread; 0: none */
    struct ws2_served_event *_Atomic state;
} served[WS2_SERVED_EVENTS];
static _Atomic uint32_t turning; /* the I/O thread has turns */
static uint64_t last_turn;       /* the I/O thread's */

static _Atomic uint32_t *deferred_of( const struct served *s )
{
    return (_Atomic uint32_t *)&atomic_load( &s->state )->deferred;
}
static _Atomic uint32_t *sets_of( const struct served *s )
{
    return (_Atomic uint32_t *)&atomic_load( &s->state )->sets;
}

int serving_epoll( uint32_t target )
{
    for ( uint32_t i = 0; i < WS2_SERVED_EVENTS && target; i++ )
        if ( atomic_load( &served[i].target ) == target ) return served[i].epoll;
    return -1;
}

int serving_epoll_of( uint32_t index ) { return served[index].epoll; }
uint32_t serving_target_of( uint32_t index ) { return atomic_load( &served[index].target ); }
struct ws2_served_event *serving_state_of( uint32_t index ) { return atomic_load( &served[index].state ); }
uint64_t serving_bit( uint64_t value ) { return 1ull << ( ( value >> 3 ) - 1 ); }

/* Whether the I/O thread's epoll shows it. */
static int show( uint32_t index, int epoll, int on, int how )
{
    struct epoll_event event = { .events = on ? EPOLLIN : 0, .data.u64 = io_key( IO_EVENTS, ( index + 1 ) << 3 ) };

    return epoll_ctl( io_loop_epoll(), how, epoll, &event );
}

int32_t serving_begin( const struct ws2_event_serve_params *params )
{
    struct served *s = &served[params->index];

    atomic_store( &s->state, (struct ws2_served_event *)(uintptr_t)params->state );
    s->exact = params->exact;
    if ( !s->epoll )
    {
        struct epoll_event woken = { .events = EPOLLIN, .data.u64 = params->index };
        const int epoll = epoll_create1( EPOLL_CLOEXEC ), wake = eventfd( 0, EFD_CLOEXEC | EFD_NONBLOCK );

        if ( epoll < 0 || wake < 0 || epoll_ctl( epoll, EPOLL_CTL_ADD, wake, &woken ) ||
             show( params->index, epoll, 1, EPOLL_CTL_ADD ) )
        {
            const int error = errno;

            if ( epoll >= 0 ) close( epoll );
            if ( wake >= 0 ) close( wake );
            return winsock_error( error );
        }
        s->wake = wake;
        s->epoll = epoll;
    }
    atomic_store( &s->target, params->target );
    return 0;
}

void serving_end( uint32_t index ) { atomic_store( &served[index].target, 0 ); }

static void begin_turns( void )
{
    if ( !atomic_exchange( &turning, 1 ) ) io_loop_wake();
}

void serving_enter( uint64_t mask )
{
    while ( mask )
    {
        const uint32_t index = serving_next( &mask );
        struct served *s = &served[index];

        owner_lock_take( &s->lock );
        s->entered++;
        if ( !s->ours || !atomic_load( &turning ) )
        {
            /* in this order: wherever the thread is ended, a turn gives it back to the I/O thread, which sees it too until then */
            const uint32_t hide = !atomic_exchange( &s->ours, 1 );

            begin_turns();
            if ( hide && show( index, s->epoll, 0, EPOLL_CTL_MOD ) ) atomic_store( &s->ours, 0 );
        }
        owner_lock_give( &s->lock );
    }
}

/* The lock is held. */
static void hand_over( uint32_t index )
{
    if ( served[index].ours && !show( index, served[index].epoll, 1, EPOLL_CTL_MOD ) ) served[index].ours = 0;
}

void serving_leave( uint64_t mask, int now )
{
    while ( mask )
    {
        const uint32_t index = serving_next( &mask );
        struct served *s = &served[index];

        owner_lock_take( &s->lock );
        if ( ( now || s->exact ) && !wait_serving( 1ull << index ) ) hand_over( index );
        owner_lock_give( &s->lock );
    }
}

int serving_single_begins( uint32_t index )
{
    uint32_t nobody = 0;

    return atomic_compare_exchange_strong( &served[index].single, &nobody, owner_lock_self() );
}

void serving_single_ends( uint32_t index )
{
    uint32_t self = owner_lock_self();

    atomic_compare_exchange_strong( &served[index].single, &self, 0 );
}

void serving_wake( uint64_t mask )
{
    const uint64_t one = 1;

    wait_wake_served( mask );
    while ( mask )
    {
        const struct served *s = &served[serving_next( &mask )];

        if ( atomic_load( &s->single ) )
            while ( write( s->wake, &one, sizeof( one ) ) < 0 && errno == EINTR ) continue;
    }
}

/* A thread in a wait of another kind leaves it to the one that is meant, if there is one. */
void serving_woken( uint64_t index )
{
    const uint32_t single = atomic_load( &served[index].single );
    uint64_t drained;

    if ( !single || single == owner_lock_self() )
        while ( read( served[index].wake, &drained, sizeof( drained ) ) < 0 && errno == EINTR ) continue;
}

void serving_defer( uint32_t index )
{
    struct served *s = &served[index];

    atomic_store( deferred_of( s ), 1 );
    atomic_fetch_add( sets_of( s ), 1 );
    if ( !atomic_load( &turning ) ) begin_turns();
}

int serving_timeout( void ) { return atomic_load( &turning ) ? TURN_MS : -1; }

/* Whether it needs another turn. */
static int turn_of( uint32_t index, struct ws2_io_wait_params *params )
{
    struct served *s = &served[index];
    int again;

    owner_lock_take( &s->lock );
    if ( s->ours && s->entered == s->entered_before && !wait_serving( 1ull << index ) ) hand_over( index );
    s->entered_before = s->entered;
    again = s->ours;
    owner_lock_give( &s->lock );
    if ( !atomic_load( &s->target ) || !atomic_load( deferred_of( s ) ) ) return again;
    if ( atomic_load( sets_of( s ) ) == s->sets_before && params->count < WS2_IO_ACTIONS )
        params->actions[params->count++] = ( struct ws2_io_action ){ .target = atomic_load( &s->target ) };
    s->sets_before = atomic_load( sets_of( s ) );
    return 1;
}

void serving_turn( struct ws2_io_wait_params *params )
{
    const uint64_t now = atomic_load( &turning ) ? host_now_ms() : 0;
    int again = 0;

    if ( !now || now - last_turn < TURN_MS ) return;
    last_turn = now;
    /* before the look: who defers after it begins the turns anew */
    atomic_store( &turning, 0 );
    for ( uint32_t i = 0; i < WS2_SERVED_EVENTS; i++ )
        if ( atomic_load( &served[i].state ) ) again |= turn_of( i, params );
    if ( again ) atomic_store( &turning, 1 );
}
