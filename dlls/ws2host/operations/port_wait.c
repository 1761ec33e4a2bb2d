/*
 * Waiting at a completion port in epoll: the waiter itself performs the operations whose sockets are ready.
 *
 * Each port has an epoll for its sockets. While threads come to wait at the port they alone poll it (polled_by_waiters), and
 * the host wakes the last of them first. Operations go on when no thread waits any more, so the I/O thread looks with each
 * tick whether one was there since the tick before. If not, it serves the port and takes the port's epoll into its own,
 * until the next waiter takes it out again; while the last waiter is still at work, on a busy machine, or on what takes long,
 * it only serves the port with each tick, for some ticks: two that serve one port hinder each other. While threads wait and nothing happens the ticks are far between: they only
 * find threads that were ended in their wait.
 *
 * Signals by which the loader ends threads wait while events are in a thread's hands: they are shown once only.
 */
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "base/host_clock.h"
#include "base/host_counts.h"
#include "base/owner_lock.h"
#include "base/thread_stat.h"
#include "descriptors/wait.h"
#include "operations/operation_private.h"
#include "operations/port_private.h"

#define TICK 10 /* ms that operations may wait when threads stop coming to their port */
#define AT_WORK_TICKS 20
#define QUIET_TICK 1000 /* the same while all wait */
#define EVENTS 64

static _Atomic uint32_t changed; /* a port is polled_by_waiters that was not, or no longer quiet */
static int tick_interval = -1;   /* the I/O thread's, as the next */
static uint64_t last_tick;

static void port_raise_wake( struct port *port )
{
    const uint64_t one = 1;

    while ( write( port->wake, &one, sizeof( one ) ) < 0 && errno == EINTR ) continue;
}

NTSTATUS unix_port_wake( void *args )
{
    struct ws2_port_open_params *params = args;

    port_raise_wake( (struct port *)(uintptr_t)params->port );
    params->error = 0;
    return 0;
}

static void port_wake_tick( void )
{
    atomic_store( &changed, 1 );
    io_loop_wake();
}

/* A thread comes or goes. */
static void port_waiter_change( struct port *port )
{
    atomic_fetch_add( &port->waiter_changes, 1 );
    if ( !atomic_load( &port->polled_by_waiters ) && !atomic_exchange( &port->polled_by_waiters, 1 ) )
    {
        port_disarm( port );
        port_wake_tick();
    }
    else if ( atomic_load( &port->quiet ) && atomic_exchange( &port->quiet, 0 ) ) port_wake_tick();
}

static _Atomic uint32_t *port_enter( struct port *port )
{
    const uint32_t self = owner_lock_self();

    for ( uint32_t i = 0; i < PORT_WAITERS; i++ )
    {
        _Atomic uint32_t *place = &port->waiters[( self + i ) % PORT_WAITERS];
        uint32_t nobody = 0;

        if ( atomic_compare_exchange_strong( place, &nobody, self ) ) return place;
    }
    return NULL;
}

/* Those that were ended are struck out. */
static int port_has_waiters( struct port *port )
{
    int any = 0;

    for ( uint32_t i = 0; i < PORT_WAITERS; i++ )
    {
        uint32_t thread = atomic_load( &port->waiters[i] );

        if ( !thread ) continue;
        if ( thread_is_gone( thread ) ) atomic_compare_exchange_strong( &port->waiters[i], &thread, 0 );
        else any = 1;
    }
    return any;
}

/* A wait that an APC ends, too, is a poll of the epoll and of what wakes the thread. */
static NTSTATUS wait_alertable( struct port *port, struct ws2_port_wait_params *params )
{
    static struct descriptor nothing = { .handle = 4 };
    struct descriptor *descriptors = &nothing;
    struct pollfd fds[2] = { { .fd = port->epoll, .events = POLLIN } };
    uint64_t timeout = params->timeout < 0 ? WAIT_FOREVER_US : params->timeout * 1000ull;

    return wait_status( wait_many( &descriptors, fds, 1, timeout, &params->wait ), &params->error );
}

/* Whether the loader is about to end the calling thread, which has that signal blocked. */
static int is_ended( void )
{
    sigset_t pending;

    return !sigpending( &pending ) && sigismember( &pending, SIGQUIT );
}

NTSTATUS unix_port_wait( void *args )
{
    struct ws2_port_wait_params *params = args;
    struct port *port = (struct port *)(uintptr_t)params->port;
    struct epoll_event events[EVENTS];
    const uint32_t most = params->most < EVENTS ? params->most : EVENTS;
    _Atomic uint32_t *place = NULL;
    sigset_t all_but_faults, before;
    NTSTATUS status = 0;
    int count, timeout = params->timeout;

    params->error = 0;
    params->ended = 0;
    operation_sweep();
    if ( timeout ) place = port_enter( port );
    if ( timeout && !params->alertable ) host_count( WS2_COUNT_WAITS, 1 );
    port_waiter_change( port );
    if ( timeout && params->alertable )
    {
        status = wait_alertable( port, params );
        timeout = 0;
        params->error = 0; /* whether its time is up the caller knows */
    }
    sigfillset( &all_but_faults );
    sigdelset( &all_but_faults, SIGSEGV );
    sigdelset( &all_but_faults, SIGBUS );
    sigdelset( &all_but_faults, SIGILL );
    sigdelset( &all_but_faults, SIGFPE );
    sigdelset( &all_but_faults, SIGTRAP );
    pthread_sigmask( SIG_BLOCK, &all_but_faults, &before );
    count = epoll_pwait( port->epoll, events, most, timeout, &before );
    if ( place ) atomic_store( place, 0 );
    for ( int i = 0; i < count; i++ )
        if ( events[i].data.u64 != PORT_WAKE_KEY ) operation_edge( io_value( events[i].data.u64 ), events[i].events );
    if ( count > 0 && is_ended() )
    {
        /* this thread goes no further: what it was woken for, and is to tell, is others' now */
        port_raise_wake( port );
        if ( operation_ended() ) io_loop_wake();
    }
    pthread_sigmask( SIG_SETMASK, &before, NULL );
    params->ended = operation_ended();
    atomic_store_explicit( &port->visitor, owner_lock_self(), memory_order_relaxed );
    port_waiter_change( port );
    return status;
}

/* Whether the host runs a thread of this process now: one that waits for anything does not, nor one that is gone. */
static int is_running( uint32_t thread )
{
    char text[THREAD_STAT_SIZE];
    const char *state = thread_stat( thread, text );

    return state && state[0] == ' ' && state[1] == 'R';
}

/* --- the I/O thread -----------------------------------------------------------------------------------------------------*/

static void port_serve( struct port *port )
{
    struct epoll_event events[EVENTS];
    int count, woken = 0;

    do {
        count = epoll_wait( port->epoll, events, EVENTS, 0 );
        for ( int i = 0; i < count; i++ )
        {
            if ( events[i].data.u64 == PORT_WAKE_KEY ) woken = 1;
            else operation_edge( io_value( events[i].data.u64 ), events[i].events );
        }
    } while ( count == EVENTS );
    /* that was meant for a waiter */
    if ( woken && port_has_waiters( port ) ) port_raise_wake( port );
}

static void port_fired( uint64_t value, uint32_t events )
{
    struct port *port = NULL, *fired = (struct port *)(uintptr_t)value;

    (void)events;
    /* it may have gone meanwhile */
    while ( ( port = port_next( port ) ) && port != fired ) continue;
    if ( !port ) return;
    /* a visitor who came while it was being put back has left it there */
    if ( port_has_waiters( port ) ) port_waiter_change( port );
    else port_serve( port );
    port_release( port );
}

static int port_timeout( void ) { return tick_interval; }

static void tick_port( struct port *port )
{
    const uint32_t waiter_changes = atomic_load( &port->waiter_changes );

    if ( !atomic_load( &port->polled_by_waiters ) ) return;
    if ( waiter_changes != port->seen )
    {
        port->seen = waiter_changes;
        port->unvisited = 0;
        tick_interval = TICK;
    }
    else if ( port_has_waiters( port ) )
    {
        atomic_store( &port->quiet, 1 );
        if ( tick_interval < 0 ) tick_interval = QUIET_TICK;
        /* who came or went just now has not seen it */
        if ( atomic_load( &port->waiter_changes ) != waiter_changes && atomic_exchange( &port->quiet, 0 ) )
            tick_interval = TICK;
    }
    else
    {
        port_serve( port );
        atomic_store( &port->quiet, 0 );
        if ( port->unvisited++ < AT_WORK_TICKS && is_running( atomic_load( &port->visitor ) ) ) tick_interval = TICK;
        else if ( !port_arm( port ) ) atomic_store( &port->polled_by_waiters, 0 );
    }
}

static void port_turn( struct io_turn *turn )
{
    uint64_t now;

    if ( turn->count < 0 ) return;
    if ( atomic_exchange( &changed, 0 ) && ( tick_interval < 0 || tick_interval > TICK ) )
    {
        tick_interval = TICK;
        last_tick = host_now_coarse_ms();
    }
    if ( tick_interval < 0 || ( now = host_now_coarse_ms() ) - last_tick < (uint64_t)tick_interval ) return;
    last_tick = now;
    tick_interval = -1;
    for ( struct port *port = port_next( NULL ); port; port = port_next( port ) ) tick_port( port );
}

void port_init( void )
{
    static const struct io_source source = { .ready = port_fired, .turn = port_turn, .timeout = port_timeout };

    io_loop_register( IO_PORTS, &source );
}

void port_serve_all( void )
{
    for ( struct port *port = port_next( NULL ); port; port = port_next( port ) ) port_serve( port );
}

/* --- threads that took packets ------------------------------------------------------------------------------------------*/

NTSTATUS unix_port_thread( void *args )
{
    struct ws2_port_thread_params *params = args;

    params->error = 0;
    if ( !params->thread ) params->thread = owner_lock_self();
    else params->running = is_running( params->thread );
    return 0;
}
