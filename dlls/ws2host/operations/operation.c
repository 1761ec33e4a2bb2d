/* The queues of overlapped operations: see operation.h. */
#include <assert.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "base/host_counts.h"
#include "descriptors/socket_set.h"
#include "operations/afd_poll.h"
#include "base/io_loop.h"
#include "descriptors/upcalls.h"
#include "events/events.h"
#include "sockets/conditions.h"
#include "sockets/urgent.h"
#include "operations/operation_private.h"
#include "base/host_mutex.h"
#include "base/owner_lock.h"

/* Those that are in no queue, between one and the next. */
static atomic_uint operations_moving;

/* --- the queues; their lock is held -------------------------------------------------------------------------------------*/

static void operation_append( struct descriptor *d, struct operation *operation )
{
    struct operation_queues *queues = &d->queues;
    enum operation_queue queue = operation->queue;
    sigset_t before;

    assert( owner_lock_held( &queues->lock ) && operation->owner && operation->descriptor == d );
    operation->next = NULL;
    /* the end of the process waits for one that is counted, and must not wait for one that there is not */
    if ( operation->internal ) host_signals_block( &before );
    /* first: a thread that is ended here leaves one too many and not one too few */
    atomic_fetch_add( &queues->undelivered[queue], 1 );
    if ( atomic_load( &queues->first[queue] ) ) queues->last[queue]->next = operation;
    else atomic_store( &queues->first[queue], operation );
    queues->last[queue] = operation;
    if ( !operation->internal ) return;
    atomic_fetch_add( &operation_background_sends, 1 );
    host_signals_restore( &before );
}

void operation_take_out( struct descriptor *d, struct operation *before, struct operation *operation )
{
    struct operation_queues *queues = &d->queues;
    enum operation_queue queue = operation->queue;

    assert( owner_lock_held( &queues->lock ) );
    assert( ( before ? before->next : atomic_load( &queues->first[queue] ) ) == operation );
    if ( before ) before->next = operation->next;
    else atomic_store( &queues->first[queue], operation->next );
    if ( queues->last[queue] == operation ) queues->last[queue] = before;
}

void operation_abort( struct descriptor *d, struct operation *before, struct operation *operation )
{
    operation_take_out( d, before, operation );
    operation->error = WSA_OPERATION_ABORTED;
    operation_end( operation );
}

struct operation *operation_of_acceptor( const struct descriptor *listener, const struct descriptor *acceptor,
                                         struct operation **before )
{
    struct operation *operation = atomic_load( &listener->queues.first[QUEUE_RECEIVE] );

    for ( *before = NULL; operation && operation->next_descriptor != acceptor; operation = operation->next )
        *before = operation;
    return operation;
}

/* The first of its queue has been done. */
static void operation_first_ends( struct descriptor *d, struct operation *operation )
{
    const int internal = operation->internal;
    sigset_t before;

    if ( internal ) host_signals_block( &before ); /* as in operation_append */
    operation_take_out( d, NULL, operation );
    operation_end( operation );
    if ( internal ) host_signals_restore( &before );
}

/* Goes on with what is queued. Bits of the queues in which something ended. */
static uint32_t operation_serve_queues( struct descriptor *d, struct operation **moved )
{
    struct operation_queues *queues = &d->queues;
    uint32_t ended = 0;

    assert( owner_lock_held( &queues->lock ) );
    for ( enum operation_queue queue = 0; queue < QUEUE_COUNT; queue++ )
    {
        struct operation *operation;

        while ( ( operation = atomic_load( &queues->first[queue] ) ) )
        {
            enum operation_result result = operation->finished ? OPERATION_DONE : operation->perform( operation );

            if ( result == OPERATION_BLOCKED ) break;
            if ( operation->held )
            {
                operation->finished = 1;
                break;
            }
            ended |= 1u << queue;
            if ( result == OPERATION_DONE ) operation_first_ends( d, operation );
            else
            {
                operation_take_out( d, NULL, operation );
                atomic_fetch_add( &operations_moving, 1 );
                atomic_fetch_sub( &queues->undelivered[queue], 1 );
                operation->next = *moved;
                *moved = operation;
            }
        }
    }
    if ( queues->shut_send && !atomic_load( &queues->first[QUEUE_SEND] ) )
    {
        queues->shut_send = 0;
        shutdown( d->fd, SHUT_WR );
    }
    if ( queues->exclusive && !atomic_load( &queues->first[QUEUE_RECEIVE] ) ) operation_forget( d );
    return ended;
}

/* To where it belongs. An acceptor may have been closed meanwhile, and another handle of it be there. */
static int32_t operation_arrive( struct operation *operation )
{
    struct descriptor *closed, *other;
    int32_t error = operation_queue( operation->descriptor, operation );

    if ( !error || !( other = descriptor_other( operation->descriptor ) ) ) return error;
    closed = operation->descriptor;
    operation->descriptor = other;
    error = operation_set_accepting( other, operation->owner ) ? 0 : WSAENOTSOCK;
    descriptor_release( closed );
    return error ? error : operation_queue( other, operation );
}

/* After the lock is given back: moved operations go where they belong, and the network events look again. */
static void operation_after_serving( struct descriptor *d, uint32_t ended, struct operation *moved )
{
    replacement_settle();
    while ( moved )
    {
        struct operation *operation = moved;
        struct descriptor *from = operation->descriptor;

        moved = operation->next;
        operation->descriptor = operation->next_descriptor;
        operation->next_descriptor = NULL;
        if ( operation_arrive( operation ) )
        {
            operation->error = WSA_OPERATION_ABORTED;
            atomic_fetch_add( &operation->descriptor->queues.undelivered[operation->queue], 1 );
            operation_end( operation );
        }
        atomic_fetch_sub( &operations_moving, 1 );
        descriptor_release( from );
    }
    replacement_settle();
    if ( ended ) afd_poll_look( d ); /* what is left is for those that only ask */
    if ( ended & 1u << QUEUE_RECEIVE )
        events_reenable( d, descriptor_flags( d ) & WS2_FLAG_LISTENING ? WS2_FD_ACCEPT : WS2_FD_READ );
    if ( ended & 1u << QUEUE_URGENT ) events_reenable( d, WS2_FD_OOB );
    if ( ( ended & 1u << QUEUE_SEND ) && ( descriptor_flags( d ) & WS2_FLAG_SEND_BLOCKED ) &&
         !descriptor_queued( d, QUEUE_SEND ) )
        events_look_again( d );
}

static void operation_serve_now( struct descriptor *d )
{
    struct operation *moved = NULL;
    uint32_t ended;

    operation_lock( d );
    ended = operation_serve_queues( d, &moved );
    owner_lock_give( &d->queues.lock );
    operation_after_serving( d, ended, moved );
}

void operation_serve( struct descriptor *d )
{
    /* from inside perform, or what it calls: the queues are being served already */
    if ( owner_lock_held( &d->queues.lock ) ) return;
    operation_serve_now( d );
    if ( operation_ended() ) io_loop_wake();
}

int operation_shut_send( struct descriptor *d )
{
    int later;

    if ( !descriptor_queued( d, QUEUE_SEND ) ) return 0;
    operation_lock( d );
    if ( ( later = descriptor_queued( d, QUEUE_SEND ) ) ) d->queues.shut_send = 1;
    owner_lock_give( &d->queues.lock );
    return later;
}

void operation_edge( uint64_t value, uint32_t events )
{
    struct descriptor *d = (struct descriptor *)(uintptr_t)value;

    if ( !descriptor_hold( d ) ) return;
    if ( events & EPOLLPRI ) urgent_watch( d );
    atomic_fetch_add( &d->queues.readiness, 1 );
    operation_serve_now( d );
    descriptor_release( d );
}

uint32_t operation_filter( struct descriptor *d, uint32_t revents )
{
    int now;

    if ( !revents ) return 0;
    operation_serve( d );
    now = socket_set_of( d ) ? (int)socket_set_poll( socket_set_of( d ), d->fd ) : poll_host_now( d );
    if ( now < 0 ) return 0;
    revents &= (uint32_t)now | POLLNVAL;
    if ( descriptor_queued( d, QUEUE_RECEIVE ) ) revents &= ~POLLIN;
    if ( descriptor_queued( d, QUEUE_SEND ) ) revents &= ~POLLOUT;
    return revents;
}

/* --- starting ---------------------------------------------------------------------------------------------------------*/

/* attempt: NULL when it has not been tried */
static int32_t operation_enqueue( struct descriptor *d, struct operation *operation,
                                  const struct operation_attempt *attempt )
{
    struct operation *moved = NULL;
    uint32_t ended = 0;
    int32_t error = 0;

    operation_lock( d );
    /* an acceptor whose request has outlived its handle gets that all the same */
    if ( atomic_load( &d->closing ) && !operation->internal && !atomic_load( &d->queues.accepting ) )
        error = WSAENOTSOCK;
    else if ( !( error = operation_watch( d, operation->queue ) ) )
    {
        operation_append( d, operation );
        /* what came between the first try and now has counted an edge, or will */
        if ( !attempt || !attempt->tried || atomic_load( &d->queues.readiness ) != attempt->readiness )
            ended = operation_serve_queues( d, &moved );
    }
    owner_lock_give( &d->queues.lock );
    if ( ended ) operation_after_serving( d, ended, moved );
    if ( operation_ended() ) io_loop_wake();
    return error;
}

int32_t operation_queue( struct descriptor *d, struct operation *operation )
{
    return operation_enqueue( d, operation, NULL );
}

void operation_unsignal( struct descriptor *d )
{
    uint32_t before = atomic_load( &d->signal_sequence );

    while ( !atomic_compare_exchange_weak( &d->signal_sequence, &before, ( before | 1 ) + 2 ) ) continue;
}

/* How long a thread waits for what another is just doing, unless that has ended: some yields, and then up to 2 ms. */
#define PATIENCE_YIELDS 64
#define PATIENCE_TURNS ( PATIENCE_YIELDS + 20 )

static void pause_in_turn( unsigned int turn )
{
    if ( turn < PATIENCE_YIELDS ) sched_yield();
    else usleep( 100 );
}

void operation_await_moves( void )
{
    for ( unsigned int turn = 0; atomic_load( &operations_moving ) && turn < PATIENCE_TURNS; turn++ )
        pause_in_turn( turn );
}

/* The program may be learning of the operation before at this moment, and may have started this one because of it: their
 * packets are to stay in order. */
static void operation_await_delivery( struct descriptor *d, enum operation_queue queue )
{
    for ( unsigned int turn = 0;
          atomic_load( &d->queues.undelivered[queue] ) && !descriptor_queued( d, queue ) && turn < PATIENCE_TURNS;
          turn++ )
        pause_in_turn( turn );
}

int operation_keeps_caller( const struct descriptor *d, const struct ws2_operation *params )
{
    return ( params->how & WS2_OPERATION_KIND ) && !( descriptor_flags( d ) & WS2_FLAG_OVERLAPPED ) &&
           !( ( params->how & WS2_OPERATION_NO_WAIT ) && ( descriptor_flags( d ) & WS2_FLAG_NONBLOCKING ) );
}

/* What the caller does not let wait. */
static int operation_would_block( const struct descriptor *d, const struct operation *operation,
                                  const struct ws2_operation *params )
{
    return ( ( params->how & WS2_OPERATION_TRY ) && !operation->information ) ||
           ( ( params->how & WS2_OPERATION_NO_WAIT ) && ( descriptor_flags( d ) & WS2_FLAG_NONBLOCKING ) );
}

int operation_try( struct descriptor *d, struct operation *operation, const struct ws2_operation *params,
                   struct operation_attempt *attempt )
{
    attempt->readiness = atomic_load( &d->queues.readiness );
    operation->descriptor = operation->owner = d;
    operation->target = params->target;
    operation->how = params->how;
    operation_await_delivery( d, operation->queue );
    if ( atomic_load( &d->queues.undelivered[operation->queue] ) ) attempt->tried = 0;
    else
    {
        attempt->tried = 1;
        if ( operation->perform( operation ) == OPERATION_DONE )
        {
            replacement_settle();
            host_count( WS2_COUNT_OPERATIONS, 1 );
            return 1;
        }
    }
    if ( !operation_would_block( d, operation, params ) ) return 0;
    operation->error = WSAEWOULDBLOCK;
    return 1;
}

void operation_tried( const struct operation *operation, struct ws2_operation *params )
{
    params->error = operation->error;
    if ( params->error == WSAEWOULDBLOCK ) return;
    params->information = operation->information;
    params->flags = operation->flags_out;
    params->port = port_of( operation->owner );
}

/* Queues it, however it has come to be on the heap. */
static void operation_submit( struct descriptor *d, struct operation *operation, struct ws2_operation *params,
                              const struct operation_attempt *attempt )
{
    int epoll;

    if ( ( params->error = io_loop_open( &params->need_io_thread, &epoll ) ) )
    {
        operation_free( operation );
        return;
    }
    host_count( WS2_COUNT_OPERATIONS, 1 );
    operation->target = params->target;
    operation->how = params->how;
    operation->descriptor = operation->owner = d;
    descriptor_ref( d, 2 ); /* as its descriptor and its owner */
    if ( !operation->internal && !operation_is_ports( operation ) ) operation_watch_thread( params->target.thread_id );
    /* who waits for an event need not come to the port */
    if ( !params->target.event ) operation_unsignal( d );
    else if ( d->queues.port ) operation_detach_port( d );
    if ( params->how & WS2_OPERATION_TRY )
    {
        operation->held = 1;
        params->held = (uintptr_t)operation;
    }
    if ( ( params->error = operation_enqueue( d, operation, attempt ) ) ) operation_discard( operation );
    else params->error = WSA_IO_PENDING;
}

void operation_start_tried( struct descriptor *d, struct operation *operation_consume, struct ws2_operation *params,
                            const struct operation_attempt *attempt )
{
    if ( operation_consume ) operation_submit( d, operation_consume, params, attempt );
    else params->error = WSAENOBUFS;
}

void operation_start( struct descriptor *d, struct operation *operation_consume, struct ws2_operation *params )
{
    operation_await_delivery( d, operation_consume->queue );
    if ( !operation_would_block( d, operation_consume, params ) )
        operation_submit( d, operation_consume, params, NULL );
    else
    {
        operation_free( operation_consume );
        params->error = WSAEWOULDBLOCK;
    }
}

NTSTATUS unix_operation_release( void *args )
{
    struct ws2_operation *params = args;
    struct operation *operation = (struct operation *)(uintptr_t)params->held;
    struct descriptor *d = operation->descriptor;

    descriptor_ref( d, 1 );
    operation_lock( d );
    operation->held = 0;
    owner_lock_give( &d->queues.lock );
    operation_serve_now( d );
    descriptor_release( d );
    if ( operation_ended() ) io_loop_wake();
    params->error = WSA_IO_PENDING;
    return 0;
}

/* --- the I/O loop -------------------------------------------------------------------------------------------------------*/

#define TICK 200 /* ms between two looks at listeners whose wake-up another process may have taken to its grave */

static int operation_timeout( void ) { return operation_has_exclusive() ? TICK : -1; }

static void operation_tick( void )
{
    struct descriptor *listeners[32];
    unsigned int count = operation_exclusive( listeners, 32 );

    while ( count-- )
    {
        operation_serve( listeners[count] );
        descriptor_release( listeners[count] );
    }
}

static void operation_turn( struct io_turn *turn )
{
    static uint8_t turns;

    /* also when entries come all the time */
    if ( !turn->count || !++turns ) operation_tick();
    replacement_settle();
    turn->params->completions = operation_ended();
}

void operation_init( void )
{
    static const struct io_source source = { .ready = operation_edge,
                                             .turn = operation_turn,
                                             .timeout = operation_timeout };

    io_loop_register( IO_OPERATIONS, &source );
    operation_watch_init();
    upcalls.serve = operation_serve;
    upcalls.filter = operation_filter;
}
