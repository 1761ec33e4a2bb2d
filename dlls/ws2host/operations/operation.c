/* The queues of overlapped operations: see operation.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include "operations/afd_poll.h"
#include "client/connection.h"
#include "events/events.h"
#include "events/notify.h"
#include "operations/operation.h"
#include "base/owner_lock.h"
#include "operations/port.h"

#define TICK 200 /* ms between two looks at listeners whose wake-up another process may have taken to its grave */

static _Atomic int io_epoll = -1;
static _Atomic int wake_fd = -1;
static _Atomic uint32_t epoll_lock; /* making them */

/* What has ended, in order, and what the PE side is telling the program of. */
static _Atomic uint32_t ended_lock;
static struct operation *_Atomic ended_first, *ended_last;
static struct operation *telling;

static _Atomic uint32_t rests; /* internal operations: rests of sends that are under way */

static _Atomic uint32_t exclusive_lock;
static struct descriptor *_Atomic exclusive_first;

/* --- the epoll --------------------------------------------------------------------------------------------------------*/

int32_t operation_epoll( uint32_t *made, int *epoll )
{
    int32_t error = 0;

    if ( ( *epoll = io_epoll ) >= 0 ) return 0;
    owner_lock_take( &epoll_lock );
    if ( io_epoll < 0 )
    {
        struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.u64 = OPERATION_KEY_WAKE };
        int fd = epoll_create1( EPOLL_CLOEXEC );

        wake_fd = eventfd( 0, EFD_CLOEXEC | EFD_NONBLOCK );
        if ( fd < 0 || wake_fd < 0 || epoll_ctl( fd, EPOLL_CTL_ADD, wake_fd, &event ) < 0 )
        {
            error = winsock_error( errno );
            if ( wake_fd >= 0 ) close( wake_fd );
            if ( fd >= 0 ) close( fd );
        }
        else
        {
            io_epoll = fd;
            *made = 1;
        }
    }
    *epoll = io_epoll;
    owner_lock_give( &epoll_lock );
    return error;
}

void operation_wake_io( void )
{
    const uint64_t one = 1;

    while ( write( wake_fd, &one, sizeof( one ) ) < 0 && errno == EINTR ) continue;
}

static const uint32_t queue_events[QUEUE_COUNT] = { EPOLLIN | EPOLLRDHUP, EPOLLOUT, EPOLLPRI, 0 };

static int is_shared( const struct descriptor *d )
{
    return ws2_word_state( atomic_load( &d->slot->word ) ) == WS2_SLOT_SHARED;
}

/* Edge-triggered and kept: a queue that fills again costs no system call. A listener of several processes is watched
 * level-triggered and exclusively, so that a connection wakes one of them, and only while this one wants connections. */
static int32_t watch( struct descriptor *d, enum operation_queue queue )
{
    struct operation_queues *queues = &d->queues;
    struct epoll_event event = { .data.u64 = (uintptr_t)d };
    uint32_t wanted = queues->watched | queue_events[queue];

    if ( wanted == queues->watched ) return 0;
    if ( ( descriptor_flags( d ) & WS2_FLAG_LISTENING ) && is_shared( d ) )
    {
        event.events = EPOLLIN | EPOLLEXCLUSIVE;
        queues->epoll = io_epoll;
        if ( epoll_ctl( io_epoll, EPOLL_CTL_ADD, d->fd, &event ) < 0 ) return winsock_error( errno );
        queues->exclusive = 1;
        owner_lock_take( &exclusive_lock );
        queues->next_exclusive = exclusive_first;
        exclusive_first = d;
        owner_lock_give( &exclusive_lock );
        operation_wake_io(); /* which may be asleep without a tick */
    }
    else
    {
        event.events = wanted | EPOLLET;
        if ( !queues->watched ) queues->epoll = queues->port ? port_epoll( queues->port ) : io_epoll;
        if ( epoll_ctl( queues->epoll, queues->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, d->fd, &event ) < 0 )
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
    epoll_ctl( queues->epoll, EPOLL_CTL_DEL, d->fd, NULL );
    if ( !queues->exclusive ) return;
    queues->exclusive = 0;
    owner_lock_take( &exclusive_lock );
    if ( exclusive_first == d ) exclusive_first = queues->next_exclusive;
    else
        for ( struct descriptor *i = exclusive_first; i; i = i->queues.next_exclusive )
            if ( i->queues.next_exclusive == d ) i->queues.next_exclusive = queues->next_exclusive;
    owner_lock_give( &exclusive_lock );
}

void operation_watch_again( struct descriptor *d )
{
    operation_forget( d );
    for ( enum operation_queue queue = 0; queue < QUEUE_IDLE; queue++ )
        if ( operation_queued( d, queue ) ) watch( d, queue );
}

int operation_patience( void ) { return exclusive_first ? TICK : -1; }

void operation_tick( void )
{
    struct descriptor *listeners[32];
    unsigned int count = 0;

    owner_lock_take( &exclusive_lock );
    for ( struct descriptor *d = exclusive_first; d && count < 32; d = d->queues.next_exclusive )
        if ( descriptor_hold( d ) ) listeners[count++] = d;
    owner_lock_give( &exclusive_lock );
    while ( count-- )
    {
        operation_serve( listeners[count] );
        descriptor_release( listeners[count] );
    }
}

/* --- the queues; their lock is held -------------------------------------------------------------------------------------*/

struct ws2_port port_of( const struct descriptor *d )
{
    const struct ws2_slot *slot = d->slot;
    struct ws2_port port = { 0 };
    uint32_t handle = atomic_load( &slot->port_handle ), owner;

    port.modes = handle & 3;
    if ( !( descriptor_flags( d ) & WS2_FLAG_HAS_PORT ) || !( handle & ~3u ) ) return port;
    owner = atomic_load( &slot->port_owner );
    if ( owner >= WS2_CLIENT_COUNT ) return port;
    port.handle = handle & ~3u;
    port.key = atomic_load( &slot->port_key );
    port.owner = atomic_load( &ws2_table_clients( connection_table() )[owner].windows_pid );
    return port;
}

struct ws2_port operation_port( const struct operation *operation )
{
    return operation->port_known ? operation->port : port_of( operation->owner );
}

static void append( struct descriptor *d, struct operation *operation )
{
    struct operation_queues *queues = &d->queues;
    enum operation_queue queue = operation->queue;

    operation->next = NULL;
    if ( atomic_load( &queues->first[queue] ) ) queues->last[queue]->next = operation;
    else atomic_store( &queues->first[queue], operation );
    queues->last[queue] = operation;
    atomic_fetch_add( &queues->untold[queue], 1 );
    if ( operation->internal ) atomic_fetch_add( &rests, 1 );
}

/* What is after `before` (NULL: the first) leaves the queue. */
static void take_out( struct descriptor *d, struct operation *before, struct operation *operation )
{
    struct operation_queues *queues = &d->queues;
    enum operation_queue queue = operation->queue;

    if ( before ) before->next = operation->next;
    else atomic_store( &queues->first[queue], operation->next );
    if ( queues->last[queue] == operation ) queues->last[queue] = before;
}

void operation_discard( struct operation *operation )
{
    if ( operation->dispose ) operation->dispose( operation );
    descriptor_release( operation->owner );
    descriptor_release( operation->descriptor );
    free( operation );
}

/* It is out of its queue; the program is to be told, or nobody. */
static void end( struct operation *operation )
{
    if ( operation->internal )
    {
        atomic_fetch_sub( &operation->descriptor->queues.untold[operation->queue], 1 );
        atomic_fetch_sub( &rests, 1 );
        operation_discard( operation );
        return;
    }
    if ( operation->detach ) operation->detach( operation );
    operation->port = operation_port( operation );
    operation->busy = atomic_load( &operation->owner->busy );
    operation->next = NULL;
    owner_lock_take( &ended_lock );
    if ( ended_first ) ended_last->next = operation;
    else ended_first = operation;
    ended_last = operation;
    owner_lock_give( &ended_lock );
}

void operation_tell( struct operation *operation )
{
    atomic_fetch_add( &operation->descriptor->queues.untold[operation->queue], 1 );
    end( operation );
}

/* Goes on with what is queued. Bits of the queues in which something ended. */
static uint32_t serve( struct descriptor *d, struct operation **moved )
{
    struct operation_queues *queues = &d->queues;
    uint32_t ended = 0;

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
            take_out( d, NULL, operation );
            ended |= 1u << queue;
            if ( result == OPERATION_DONE ) end( operation );
            else
            {
                atomic_fetch_sub( &queues->untold[queue], 1 );
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

/* After the lock is given back: moved operations go where they belong, and the network events look again. */
static void after_serving( struct descriptor *d, uint32_t ended, struct operation *moved )
{
    while ( moved )
    {
        struct operation *operation = moved;
        struct descriptor *from = operation->descriptor;

        moved = operation->next;
        operation->descriptor = operation->next_descriptor;
        operation->next_descriptor = NULL;
        if ( operation_queue( operation->descriptor, operation ) )
        {
            operation->error = WSA_OPERATION_ABORTED;
            atomic_fetch_add( &operation->descriptor->queues.untold[operation->queue], 1 );
            end( operation );
        }
        descriptor_release( from );
    }
    if ( ended ) afd_poll_look( d ); /* what is left is for those that only ask */
    if ( ended & 1u << QUEUE_RECEIVE )
        events_reenable( d, descriptor_flags( d ) & WS2_FLAG_LISTENING ? WS2_FD_ACCEPT : WS2_FD_READ );
    if ( ended & 1u << QUEUE_URGENT ) events_reenable( d, WS2_FD_OOB );
    if ( ( ended & 1u << QUEUE_SEND ) && ( descriptor_flags( d ) & WS2_FLAG_SEND_BLOCKED ) &&
         !operation_queued( d, QUEUE_SEND ) )
        events_look_again( d );
}

static void serve_and_tell( struct descriptor *d )
{
    struct operation *moved = NULL;
    uint32_t ended;

    owner_lock_take( &d->queues.lock );
    ended = serve( d, &moved );
    owner_lock_give( &d->queues.lock );
    after_serving( d, ended, moved );
}

void operation_serve( struct descriptor *d )
{
    /* from inside perform, or what it calls: the queues are being served already */
    if ( atomic_load( &d->queues.lock ) == owner_lock_self() ) return;
    serve_and_tell( d );
    if ( operation_ended() ) operation_wake_io();
}

int operation_shut_send( struct descriptor *d )
{
    int later;

    if ( !operation_queued( d, QUEUE_SEND ) ) return 0;
    owner_lock_take( &d->queues.lock );
    if ( ( later = operation_queued( d, QUEUE_SEND ) ) ) d->queues.shut_send = 1;
    owner_lock_give( &d->queues.lock );
    return later;
}

void operation_edge( uint64_t key )
{
    struct descriptor *d = (struct descriptor *)(uintptr_t)key;

    if ( !descriptor_hold( d ) ) return;
    atomic_fetch_add( &d->queues.edges, 1 );
    serve_and_tell( d );
    descriptor_release( d );
}

uint32_t operation_filter( struct descriptor *d, uint32_t revents )
{
    struct pollfd fd = { .fd = d->fd, .events = POLLIN | POLLOUT | POLLPRI | POLLRDHUP };

    if ( !revents ) return 0;
    operation_serve( d );
    if ( poll( &fd, 1, 0 ) < 0 ) return 0;
    revents &= fd.revents | POLLNVAL;
    if ( operation_queued( d, QUEUE_RECEIVE ) ) revents &= ~POLLIN;
    if ( operation_queued( d, QUEUE_SEND ) ) revents &= ~POLLOUT;
    return revents;
}

/* --- starting ---------------------------------------------------------------------------------------------------------*/

static int32_t queue_it( struct descriptor *d, struct operation *operation, uint32_t edges, int tried )
{
    struct operation *moved = NULL;
    uint32_t ended = 0;
    int32_t error = 0;

    owner_lock_take( &d->queues.lock );
    if ( atomic_load( &d->closing ) && !operation->internal ) error = WSAENOTSOCK;
    else if ( !( error = watch( d, operation->queue ) ) )
    {
        append( d, operation );
        /* what came between the first try and now has counted an edge, or will */
        if ( !tried || atomic_load( &d->queues.edges ) != edges ) ended = serve( d, &moved );
    }
    owner_lock_give( &d->queues.lock );
    if ( ended ) after_serving( d, ended, moved );
    if ( operation_ended() ) operation_wake_io();
    return error;
}

int32_t operation_queue( struct descriptor *d, struct operation *operation ) { return queue_it( d, operation, 0, 0 ); }

/* How long a new operation waits for the telling of the one before: some yields, and then up to 2 ms. */
#define TELLING_YIELDS 64
#define TELLING_TURNS ( TELLING_YIELDS + 20 )

void operation_busy( struct descriptor *d )
{
    uint32_t before = atomic_load( &d->busy );

    while ( !atomic_compare_exchange_weak( &d->busy, &before, ( before | 1 ) + 2 ) ) continue;
}

void operation_start( struct descriptor *d, struct operation *operation, struct ws2_operation *params,
                      struct operation *( *clone )(const struct operation *))
{
    struct operation_queues *queues = &d->queues;
    enum operation_queue queue = operation->queue;
    uint32_t edges = atomic_load( &queues->edges );
    struct operation *queued = NULL;
    int tried = 0, epoll;

    operation->descriptor = operation->owner = d;
    operation->target = params->target;
    operation->how = params->how;
    /* the program may be told of the one before at this moment, and has noticed: packets stay in order */
    for ( unsigned int turns = 0;
          atomic_load( &queues->untold[queue] ) && !operation_queued( d, queue ) && turns < TELLING_TURNS; turns++ )
    {
        if ( turns < TELLING_YIELDS ) sched_yield();
        else usleep( 100 );
    }
    if ( !atomic_load( &queues->untold[queue] ) && clone )
    {
        tried = 1;
        if ( operation->perform( operation ) == OPERATION_DONE )
        {
            params->error = operation->error;
            params->information = operation->information;
            params->flags = operation->flags_out;
            params->port = port_of( d );
            return;
        }
    }
    if ( ( ( params->how & WS2_OPERATION_TRY ) && !operation->information ) ||
         ( ( params->how & WS2_OPERATION_NO_WAIT ) && ( descriptor_flags( d ) & WS2_FLAG_NONBLOCKING ) ) )
        params->error = WSAEWOULDBLOCK;
    else if ( !( params->error = operation_epoll( &params->need_io_thread, &epoll ) ) &&
              !( queued = clone ? clone( operation ) : operation ) )
        params->error = WSAENOBUFS;
    if ( params->error )
    {
        if ( !clone )
        {
            if ( operation->dispose ) operation->dispose( operation );
            free( operation );
        }
        return;
    }
    descriptor_hold( d );
    descriptor_hold( d );
    queued->descriptor = queued->owner = d;
    /* who waits for an event need not come to the port */
    if ( !params->target.event ) operation_busy( d );
    else if ( queues->port ) port_detach( d );
    if ( params->how & WS2_OPERATION_TRY )
    {
        queued->held = 1;
        params->held = (uintptr_t)queued;
    }
    if ( ( params->error = queue_it( d, queued, edges, tried ) ) ) operation_discard( queued );
    else params->error = WSA_IO_PENDING;
}

NTSTATUS unix_operation_release( void *args )
{
    struct ws2_operation *params = args;
    struct operation *operation = (struct operation *)(uintptr_t)params->held;
    struct descriptor *d = operation->descriptor;

    descriptor_hold( d );
    owner_lock_take( &d->queues.lock );
    operation->held = 0;
    owner_lock_give( &d->queues.lock );
    serve_and_tell( d );
    descriptor_release( d );
    if ( operation_ended() ) operation_wake_io();
    params->error = WSA_IO_PENDING;
    return 0;
}

void operation_probe( uint64_t user, uint64_t size )
{
    volatile const char *memory = (const char *)(uintptr_t)user;

    for ( uint64_t i = 0; i < size; i += 4096 ) (void)memory[i];
    if ( size ) (void)memory[size - 1];
}

void operation_write( struct operation *operation, uint64_t target, const void *source, uint64_t size )
{
    unsigned int i = operation->write_count;

    if ( !target || !size || i >= WS2_COMPLETION_WRITES ) return;
    operation->writes[i].target = target;
    operation->writes[i].source = (uintptr_t)source;
    operation->writes[i].size = size;
    operation->write_count++;
}

/* --- ending -----------------------------------------------------------------------------------------------------------*/

struct match
{
    struct descriptor *owner; /* NULL: any */
    uint64_t iosb;
    uint32_t thread_id;
    uint32_t keep_ports;
    uint32_t options;
    uint32_t spared;
};

static int matches( const struct match *match, const struct operation *operation )
{
    return !operation->internal && ( !match->owner || operation->owner == match->owner ) &&
           ( !match->iosb || operation->target.iosb == match->iosb ) &&
           ( !match->thread_id || operation->target.thread_id == match->thread_id ) &&
           ( operation->target.options & match->options ) == match->options &&
           !( operation->target.options & match->spared ) &&
           ( !match->keep_ports || !port_of( operation->owner ).handle );
}

/* Ends what matches in the queues of one descriptor. */
static uint32_t cancel_in( struct descriptor *d, const struct match *match )
{
    struct operation_queues *queues = &d->queues;
    uint32_t count = 0;

    owner_lock_take( &queues->lock );
    for ( enum operation_queue queue = 0; queue < QUEUE_COUNT; queue++ )
    {
        struct operation *before = NULL, *operation, *next;

        for ( operation = atomic_load( &queues->first[queue] ); operation; operation = next )
        {
            next = operation->next;
            if ( matches( match, operation ) && !operation->finished )
            {
                operation->error = WSA_OPERATION_ABORTED;
                if ( queue != QUEUE_SEND ) operation->information = 0; /* of a send that much has gone */
                operation->write_count = 0;
                if ( ( operation->finished = operation->held ) )
                {
                    before = operation;
                    continue;
                }
                take_out( d, before, operation );
                end( operation );
                count++;
            }
            else before = operation;
        }
    }
    if ( queues->exclusive && !atomic_load( &queues->first[QUEUE_RECEIVE] ) ) operation_forget( d );
    owner_lock_give( &queues->lock );
    return count;
}

/* AcceptEx waits in the listener's queue for a connection, then in the acceptor's for data. */
static uint32_t cancel_everywhere( const struct match *match )
{
    struct ws2_handle_params next = { 0 };
    uint32_t count = 0;

    while ( unix_socket_next( &next ), next.handle )
    {
        NTSTATUS status;
        struct descriptor *d = descriptor_acquire( next.handle, &status );

        if ( !d ) continue;
        if ( operation_any( d ) || operation_queued( d, QUEUE_URGENT ) || operation_queued( d, QUEUE_IDLE ) )
            count += cancel_in( d, match );
        descriptor_release( d );
    }
    return count;
}

uint32_t operation_close( struct descriptor *d, struct descriptor *heir, uint32_t copies )
{
    struct descriptor *listener = atomic_exchange( &d->queues.accepting, NULL );
    const struct match all = { 0 }, of_listener = { .owner = d };
    uint32_t count;

    if ( io_epoll < 0 ) return 0;
    count = cancel_in( d, &all );
    if ( descriptor_flags( d ) & WS2_FLAG_LISTENING ) count += cancel_everywhere( &of_listener );
    if ( listener ) count += operation_cancel_accept( listener, d );
    if ( atomic_load( &d->polls ) && is_shared( d ) && atomic_load( &d->slot->descriptors ) > 1 ) connection_settle();
    return count + afd_poll_close( d, heir, copies || ( is_shared( d ) && atomic_load( &d->slot->descriptors ) > 1 ) );
}

NTSTATUS unix_operation_cancel( void *args )
{
    struct ws2_operation_cancel_params *params = args;
    struct match match = { .iosb = params->iosb,
                           .thread_id = params->thread_id,
                           .keep_ports = params->keep_ports,
                           .options = params->options,
                           .spared = params->spared };
    NTSTATUS status;

    params->error = 0;
    params->count = 0;
    if ( params->handle )
    {
        if ( !( match.owner = descriptor_acquire( params->handle, &status ) ) ) return status;
        params->count = cancel_in( match.owner, &match );
        if ( descriptor_flags( match.owner ) & WS2_FLAG_LISTENING ) params->count += cancel_everywhere( &match );
        params->count += afd_poll_cancel( match.owner, match.iosb, match.thread_id, match.keep_ports );
        descriptor_release( match.owner );
    }
    else if ( io_epoll >= 0 )
    {
        params->count = cancel_everywhere( &match );
        if ( !match.options ) params->count += afd_poll_cancel( NULL, match.iosb, match.thread_id, match.keep_ports );
    }
    return 0;
}

/* The AcceptEx that waits for a connection with this acceptor. */
uint32_t operation_cancel_accept( struct descriptor *listener, struct descriptor *acceptor )
{
    struct operation *before = NULL, *operation;
    uint32_t count = 0;

    if ( !descriptor_hold( listener ) ) return 0;
    owner_lock_take( &listener->queues.lock );
    for ( operation = atomic_load( &listener->queues.first[QUEUE_RECEIVE] ); operation; operation = operation->next )
    {
        if ( operation->next_descriptor == acceptor )
        {
            take_out( listener, before, operation );
            operation->error = WSA_OPERATION_ABORTED;
            end( operation );
            count = 1;
            break;
        }
        before = operation;
    }
    owner_lock_give( &listener->queues.lock );
    descriptor_release( listener );
    return count;
}

int operation_ended( void ) { return ended_first != NULL; }

NTSTATUS unix_operation_fetch( void *args )
{
    struct ws2_operation_fetch_params *params = args;
    struct operation *operation, *next;

    for ( operation = telling; operation; operation = next )
    {
        next = operation->next;
        operation_discard( operation );
    }
    telling = NULL;
    params->error = 0;
    params->count = 0;
    if ( !ended_first ) return 0;

    owner_lock_take( &ended_lock );
    for ( operation = ended_first; operation && params->count < WS2_COMPLETIONS; operation = next )
    {
        struct ws2_completion *completion = &params->completions[params->count++];

        next = operation->next;
        completion->target = operation->target;
        completion->port = operation->port;
        completion->handle = operation->owner->handle;
        completion->information = operation->information;
        completion->busy = (uintptr_t)&operation->owner->busy;
        completion->busy_before = operation->busy;
        completion->told = (uintptr_t)&operation->descriptor->queues.untold[operation->queue];
        completion->error = operation->error;
        completion->flags = operation->flags_out;
        completion->write_count = operation->write_count;
        memcpy( completion->writes, operation->writes, sizeof( completion->writes ) );
        operation->next = telling;
        telling = operation;
    }
    ended_first = operation;
    owner_lock_give( &ended_lock );
    return 0;
}

/* --- the end of the process ---------------------------------------------------------------------------------------------*/

NTSTATUS unix_operation_flush( void *args )
{
    struct ws2_operation_flush_params *params = args;
    const struct timespec nap = { 0, 1000000 };

    params->error = 0;
    for ( uint32_t waited = 0; atomic_load( &rests ) && waited < params->timeout; waited++ )
    {
        struct epoll_event events[16];
        int count = epoll_wait( io_epoll, events, 16, 0 );

        for ( int i = 0; i < count; i++ )
            if ( events[i].data.u64 > OPERATION_KEY_LAST && !port_is_key( events[i].data.u64 ) )
                operation_edge( events[i].data.u64 );
        port_serve_all();
        if ( !count ) nanosleep( &nap, NULL );
    }
    return 0;
}
