/* Waiting, and being woken: see wait.h. A waiter publishes which descriptors it waits on as a set of 64 hash bits, then
 * looks at their `closing`; a closer sets `closing`, then looks at the sets. One of the two sees the other. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "base/host_clock.h"
#include "base/host_counts.h"
#include "descriptors/socket_set.h"
#include "descriptors/wait.h"

struct waiter
{
    _Atomic uint64_t set; /* bits of the descriptors being waited on, 0 = not waiting */
    _Atomic uint32_t in_use;
    _Atomic uint32_t thread;    /* Windows thread id, 0 before the thread's first wait */
    _Atomic uint32_t alert;     /* a user APC was queued to it */
    _Atomic uint32_t blocking;  /* it is in a wait, or looks for APCs between two parts of one */
    _Atomic uint32_t cancelled; /* that wait is to end */
    _Atomic uint64_t served;    /* events of the process that it waits for, by their numbers */
    _Atomic uint64_t handling;  /* of which it handles what was shown, */
    _Atomic uint64_t awaiting;  /* or has it shown at any moment */
    int wake_fd;                /* -1 before the first wait */
    int epoll;                  /* for waiting exclusively, made on first need */
    uint64_t looked;            /* when the PE side was last sent to look for APCs */
    void *scratch;              /* the thread's working memory, kept from call to call */
    size_t scratch_size;
    struct waiter *next;
};

static _Atomic( struct waiter * ) waiters; /* only ever grows */
static pthread_key_t waiter_key;
static pthread_once_t waiter_once = PTHREAD_ONCE_INIT;
static __thread struct waiter *own_waiter;
static _Atomic uint32_t threads;
static _Atomic uint32_t *_Atomic shown; /* where the PE side reads it */

static void count_thread( int more )
{
    _Atomic uint32_t *at = atomic_load( &shown );

    atomic_fetch_add( &threads, more );
    if ( at ) atomic_fetch_add( at, more );
}

void wait_show( _Atomic uint32_t *at )
{
    atomic_store( at, atomic_load( &threads ) );
    atomic_store( &shown, at );
}

void ( *wait_served_ends )( uint64_t served, uint64_t handling, uint64_t awaiting );

static void thread_ends( void *arg )
{
    struct waiter *waiter = arg;
    const uint64_t handling = atomic_exchange( &waiter->handling, 0 );
    const uint64_t awaiting = atomic_exchange( &waiter->awaiting, 0 );
    const uint64_t served = atomic_exchange( &waiter->served, 0 );

    if ( served | handling | awaiting ) wait_served_ends( served, handling, awaiting & ~handling );
    free( waiter->scratch );
    waiter->scratch = NULL;
    waiter->scratch_size = 0;
    atomic_store( &waiter->set, 0 );
    if ( atomic_exchange( &waiter->thread, 0 ) ) count_thread( -1 );
    atomic_store( &waiter->alert, 0 );
    atomic_store( &waiter->blocking, 0 );
    atomic_store( &waiter->in_use, 0 );
}

static void make_key( void ) { pthread_key_create( &waiter_key, thread_ends ); }

static struct waiter *get_waiter( void )
{
    struct waiter *waiter;

    if ( own_waiter ) return own_waiter;
    pthread_once( &waiter_once, make_key );
    for ( waiter = atomic_load( &waiters ); waiter; waiter = waiter->next )
    {
        uint32_t free = 0;
        if ( atomic_compare_exchange_strong( &waiter->in_use, &free, 1 ) ) break;
    }
    if ( !waiter )
    {
        if ( !( waiter = calloc( 1, sizeof( *waiter ) ) ) ) return NULL;
        waiter->wake_fd = waiter->epoll = -1;
        waiter->in_use = 1;
        waiter->next = atomic_load( &waiters );
        while ( !atomic_compare_exchange_weak( &waiters, &waiter->next, waiter ) ) continue;
    }
    pthread_setspecific( waiter_key, waiter );
    return own_waiter = waiter;
}

void *wait_scratch( size_t size )
{
    struct waiter *waiter = get_waiter();
    void *scratch, *old;

    if ( !waiter ) return NULL;
    if ( waiter->scratch_size >= size ) return waiter->scratch;
    if ( size < 4096 ) size = 4096;
    if ( !( scratch = malloc( size ) ) ) return NULL;
    /* a thread that is ended in between gives back at its end what stands there */
    old = waiter->scratch;
    waiter->scratch_size = 0;
    waiter->scratch = scratch;
    waiter->scratch_size = size;
    free( old );
    return scratch;
}

void wait_wake( struct descriptor *d )
{
    uint64_t bit = descriptor_handle_bit( d->handle ), one = 1;

    for ( struct waiter *waiter = atomic_load( &waiters ); waiter; waiter = waiter->next )
        if ( atomic_load( &waiter->set ) & bit )
            while ( write( waiter->wake_fd, &one, sizeof( one ) ) < 0 && errno == EINTR ) continue;
}

NTSTATUS unix_wait_thread( void *args )
{
    struct ws2_thread_params *params = args;
    struct waiter *waiter = get_waiter();

    if ( waiter && !atomic_exchange( &waiter->thread, params->thread ) ) count_thread( 1 );
    params->error = 0;
    return 0;
}

/* The waiter publishes its set, then looks at `alert`; this sets `alert`, then looks at the set. */
NTSTATUS unix_wait_alert( void *args )
{
    struct ws2_thread_params *params = args;
    uint64_t one = 1;

    for ( struct waiter *waiter = atomic_load( &waiters ); waiter; waiter = waiter->next )
    {
        if ( atomic_load( &waiter->thread ) != params->thread ) continue;
        atomic_store( &waiter->alert, 1 );
        if ( atomic_load( &waiter->set ) )
            while ( write( waiter->wake_fd, &one, sizeof( one ) ) < 0 && errno == EINTR ) continue;
    }
    params->error = 0;
    return 0;
}

static struct waiter *waiter_of( uint32_t thread )
{
    struct waiter *waiter = atomic_load( &waiters );

    while ( waiter && atomic_load( &waiter->thread ) != thread ) waiter = waiter->next;
    return waiter;
}

/* Between two parts of a wait the thread is about to come back, or done: that is seen within moments. */
#define CANCEL_TRIES 20

NTSTATUS unix_wait_cancel( void *args )
{
    struct ws2_thread_params *params = args;
    struct waiter *waiter = waiter_of( params->thread );
    uint64_t one = 1;

    params->error = WSAEINVAL;
    if ( !waiter ) return 0;
    for ( unsigned int tries = 0; tries < CANCEL_TRIES && atomic_load( &waiter->blocking ); tries++ )
    {
        if ( atomic_load( &waiter->set ) )
        {
            atomic_store( &waiter->cancelled, 1 );
            while ( write( waiter->wake_fd, &one, sizeof( one ) ) < 0 && errno == EINTR ) continue;
            params->error = 0;
            return 0;
        }
        host_sleep_ms( 1 );
    }
    return 0;
}

NTSTATUS unix_wait_cancel_self( void *args )
{
    struct ws2_thread_params *params = args;
    struct waiter *waiter = get_waiter();

    if ( waiter ) atomic_store( &waiter->cancelled, 1 );
    params->error = 0;
    return 0;
}

/* The slices grow from 10 to 80 ms: an APC from outside the process is seen soon when waits are short, and a thread that
 * waits for long costs a dozen looks a second. */
#define FIRST_SLICE 10
#define LAST_SLICE 80

static int has_wake_fd( struct waiter *waiter )
{
    return waiter->wake_fd >= 0 || ( waiter->wake_fd = eventfd( 0, EFD_CLOEXEC | EFD_NONBLOCK ) ) >= 0;
}

static void drain_wake_fd( const struct waiter *waiter )
{
    uint64_t drained;

    while ( read( waiter->wake_fd, &drained, sizeof( drained ) ) < 0 && errno == EINTR ) continue;
}

/* The first part of a wait; 0: it is a later one. */
static int begin_wait( struct ws2_wait *wait, uint64_t now, uint64_t timeout_us )
{
    if ( wait->deadline ) return 0;
    wait->deadline = timeout_us >= UINT64_MAX / 2000 ? UINT64_MAX : now + timeout_us * 1000;
    wait->slice = FIRST_SLICE;
    return 1;
}

/* When this part of it is over. */
static uint64_t end_of_part( const struct ws2_wait *wait, uint64_t now )
{
    const uint64_t slice_end = now + wait->slice * 1000000ull;

    return slice_end < wait->deadline ? slice_end : wait->deadline;
}

static void next_slice( struct ws2_wait *wait )
{
    if ( wait->slice < LAST_SLICE ) wait->slice *= 2;
}

static struct timespec time_until( uint64_t now, uint64_t until )
{
    const uint64_t left = now < until ? until - now : 0;

    return ( struct timespec ){ left / 1000000000, left % 1000000000 };
}

/* The waiter's epoll with its wake-up descriptor and, exclusively, a listener; 0 when there is none to be had. */
static int begin_exclusive( struct waiter *waiter, int listener )
{
    struct epoll_event event = { .events = EPOLLIN, .data.u32 = 1 };

    if ( waiter->epoll < 0 )
    {
        if ( ( waiter->epoll = epoll_create1( EPOLL_CLOEXEC ) ) < 0 ) return 0;
        epoll_ctl( waiter->epoll, EPOLL_CTL_ADD, waiter->wake_fd, &event );
    }
    event.events = EPOLLIN | EPOLLEXCLUSIVE;
    event.data.u32 = 0;
    return !epoll_ctl( waiter->epoll, EPOLL_CTL_ADD, listener, &event );
}

static int poll_exclusive( struct waiter *waiter, struct pollfd fds[2], const struct timespec *left )
{
    struct epoll_event events[2];
    int ready = epoll_wait( waiter->epoll, events, 2, left->tv_sec * 1000 + ( left->tv_nsec + 999999 ) / 1000000 );

    for ( int i = 0; i < ready; i++ ) fds[events[i].data.u32 & 1].revents = events[i].events & 0xffff;
    return ready;
}

/* exclusively: of the threads that wait for a listener, in whatever process, a connection wakes one */
static enum wait_result wait_on( struct descriptor **descriptors, struct pollfd *fds, uint32_t count,
                                 uint64_t timeout_us, struct ws2_wait *wait, int exclusively )
{
    struct waiter *waiter = get_waiter();
    enum wait_result result = WAIT_READY;
    uint64_t now, until, set = 0;
    int ready;

    if ( !waiter || !has_wake_fd( waiter ) ) return WAIT_FAILED;
    now = host_now_ns();
    /* a cancel that came when the wait before had just ended */
    if ( begin_wait( wait, now, timeout_us ) ) atomic_store( &waiter->cancelled, 0 );
    until = end_of_part( wait, now );

    /* the first wait of a thread: the PE side looks for APCs queued so far and tells who the thread is */
    if ( !atomic_load_explicit( &waiter->thread, memory_order_relaxed ) )
    {
        waiter->looked = now;
        return WAIT_ALERT;
    }

    for ( uint32_t i = 0; i < count; i++ ) set |= descriptor_handle_bit( descriptors[i]->handle );
    fds[count] = ( struct pollfd ){ .fd = waiter->wake_fd, .events = POLLIN };
    exclusively = exclusively && begin_exclusive( waiter, fds[0].fd );
    if ( !wait->counted ) host_count( WS2_COUNT_WAITS, 1 );
    wait->counted = 1;
    atomic_store( &waiter->blocking, 1 );
    atomic_store( &waiter->set, set );
    for ( ;; )
    {
        uint32_t i;
        struct timespec left;

        for ( i = 0; i < count; i++ )
            if ( atomic_load( &descriptors[i]->closing ) ) break;
        if ( i < count )
        {
            result = WAIT_CLOSED;
            break;
        }
        if ( atomic_exchange( &waiter->cancelled, 0 ) )
        {
            result = WAIT_CANCELLED;
            break;
        }
        if ( atomic_exchange( &waiter->alert, 0 ) )
        {
            result = WAIT_ALERT;
            break;
        }
        if ( now >= until )
        {
            /* a wait that is over before its first slice is alertable too; a row of such waits looks as often as a long one */
            result = until == wait->deadline && now - waiter->looked < FIRST_SLICE * 1000000ull ? WAIT_TIMED_OUT
                                                                                                : WAIT_ALERT;
            break;
        }
        left = time_until( now, until );
        ready = exclusively ? poll_exclusive( waiter, fds, &left ) : ppoll( fds, count + 1, &left, NULL );
        if ( ready > 0 )
        {
            if ( fds[count].revents )
            {
                /* something about a socket changed that no poll shows: the caller looks, and waits again */
                drain_wake_fd( waiter );
                for ( i = 0; i < count; i++ )
                    if ( atomic_load( &descriptors[i]->closing ) ) result = WAIT_CLOSED;
                if ( result == WAIT_READY && atomic_exchange( &waiter->cancelled, 0 ) ) result = WAIT_CANCELLED;
                if ( result == WAIT_READY && atomic_exchange( &waiter->alert, 0 ) ) result = WAIT_ALERT;
            }
            break;
        }
        else if ( ready < 0 && errno != EINTR )
        {
            result = WAIT_FAILED;
            break;
        }
        now = host_now_ns();
    }
    if ( exclusively ) epoll_ctl( waiter->epoll, EPOLL_CTL_DEL, fds[0].fd, NULL );
    atomic_store( &waiter->set, 0 );
    if ( result != WAIT_ALERT ) atomic_store( &waiter->blocking, 0 );
    if ( result == WAIT_ALERT )
    {
        waiter->looked = host_now_ns();
        next_slice( wait );
    }
    return result;
}

enum wait_result wait_many( struct descriptor **descriptors, struct pollfd *fds, uint32_t count, uint64_t timeout_us,
                            struct ws2_wait *wait )
{
    return wait_on( descriptors, fds, count, timeout_us, wait, 0 );
}

enum wait_result wait_connection( struct descriptor *listener, struct ws2_wait *wait )
{
    struct pollfd fds[2] = { { .fd = listener->fd, .events = POLLIN } };
    const int shared = descriptor_is_shared( listener );

    return wait_on( &listener, fds, 1, WAIT_FOREVER_US, wait, shared );
}

enum wait_result wait_one( struct descriptor *d, short events, uint32_t timeout_ms, struct ws2_wait *wait )
{
    struct pollfd fds[2] = { { .fd = socket_set_fd( d, events ), .events = events } };

    return wait_many( &d, fds, 1, timeout_ms ? timeout_ms * 1000ull : WAIT_FOREVER_US, wait );
}

void wait_set_handling( uint64_t mask )
{
    struct waiter *waiter = get_waiter();

    if ( waiter ) atomic_store( &waiter->handling, mask );
}

void wait_set_awaiting( uint64_t mask )
{
    struct waiter *waiter = get_waiter();

    if ( waiter ) atomic_store( &waiter->awaiting, mask );
}

void wait_wake_served( uint64_t mask )
{
    const uint64_t one = 1;

    for ( struct waiter *waiter = atomic_load( &waiters ); waiter; waiter = waiter->next )
        if ( atomic_load( &waiter->served ) & mask )
            while ( write( waiter->wake_fd, &one, sizeof( one ) ) < 0 && errno == EINTR ) continue;
}

unsigned int wait_serving( uint64_t mask )
{
    unsigned int count = 0;

    for ( struct waiter *waiter = atomic_load( &waiters ); waiter; waiter = waiter->next )
        if ( atomic_load( &waiter->served ) & mask ) count++;
    return count;
}

int wait_served_begin( uint64_t mask )
{
    struct waiter *waiter = get_waiter();

    if ( !waiter || !has_wake_fd( waiter ) ) return 0;
    atomic_store( &waiter->served, mask );
    return 1;
}

void wait_served_end( void )
{
    struct waiter *waiter = get_waiter();

    if ( waiter ) atomic_store( &waiter->served, 0 );
}

/* Waits in parts until `look`, given how long it may take, finds something or fails: > 0, < 0. */
static enum wait_result wait_in_parts( int ( *look )( void *sight, const struct timespec *left ), void *sight,
                                       int ( *due )( const void *context ), const void *context, uint64_t timeout_us,
                                       struct ws2_wait *wait )
{
    uint64_t now = host_now_ns(), until;

    begin_wait( wait, now, timeout_us );
    until = end_of_part( wait, now );
    while ( !due( context ) )
    {
        const struct timespec left = time_until( now, until );
        const int found = look( sight, &left );

        if ( found > 0 ) break;
        if ( found < 0 && errno != EINTR ) return WAIT_FAILED;
        if ( ( now = host_now_ns() ) < until ) continue;
        next_slice( wait );
        return until == wait->deadline ? WAIT_TIMED_OUT : WAIT_ALERT;
    }
    return WAIT_READY;
}

struct poll_sight
{
    const struct waiter *waiter;
    struct pollfd *fds; /* the last is the waiter's */
    uint32_t count;
};

static int look_by_poll( void *argument, const struct timespec *left )
{
    const struct poll_sight *sight = argument;
    const int ready = ppoll( sight->fds, sight->count + 1, left, NULL );
    const int woken = ready > 0 && sight->fds[sight->count].revents;

    if ( woken ) drain_wake_fd( sight->waiter );
    return woken ? ready - 1 : ready;
}

enum wait_result wait_served( struct pollfd *fds, uint32_t count, int ( *due )( const void *context ),
                              const void *context, uint64_t timeout_us, struct ws2_wait *wait )
{
    struct poll_sight sight = { get_waiter(), fds, count };

    if ( !sight.waiter ) return WAIT_FAILED;
    fds[count] = ( struct pollfd ){ .fd = sight.waiter->wake_fd, .events = POLLIN };
    return wait_in_parts( look_by_poll, &sight, due, context, timeout_us, wait );
}

struct epoll_sight
{
    int epoll, room, count;
    struct epoll_event *events;
};

static int look_by_epoll( void *argument, const struct timespec *left )
{
    struct epoll_sight *sight = argument;
    const int milliseconds = (int)( left->tv_sec * 1000 + ( left->tv_nsec + 999999 ) / 1000000 );
    const int count = epoll_wait( sight->epoll, sight->events, sight->room, milliseconds );

    if ( count > 0 ) sight->count = count;
    return count;
}

enum wait_result wait_served_by( int epoll, struct epoll_event *events, int room, int *count,
                                 int ( *due )( const void *context ), const void *context, uint64_t timeout_us,
                                 struct ws2_wait *wait )
{
    struct epoll_sight sight = { .epoll = epoll, .room = room, .events = events };
    const enum wait_result result = wait_in_parts( look_by_epoll, &sight, due, context, timeout_us, wait );

    *count = sight.count;
    return result;
}

NTSTATUS wait_status( enum wait_result result, int32_t *error )
{
    switch ( result )
    {
    case WAIT_READY: break;
    case WAIT_TIMED_OUT: *error = WSAETIMEDOUT; break;
    case WAIT_CLOSED: *error = WSAEINTR; break;
    case WAIT_CANCELLED: *error = WSA_OPERATION_ABORTED; break;
    case WAIT_ALERT: return WS2_STATUS_ALERT;
    case WAIT_FAILED: *error = WSAENOBUFS; break;
    }
    return 0;
}
