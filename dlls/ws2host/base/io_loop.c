/* The I/O loop: see io_loop.h. */
#include <assert.h>
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "base/host_trace.h"
#include "base/io_loop.h"
#include "base/owner_lock.h"

_Static_assert( IO_KINDS <= IO_KIND_BITS + 1, "a kind is three bits" );

static const struct io_source *sources[IO_KINDS];
static _Atomic int loop_epoll = -1;
static _Atomic int wake_fd = -1;
static owner_lock open_lock; /* making them */

void io_loop_register( enum io_kind kind, const struct io_source *source )
{
    assert( kind < IO_KINDS && ( !sources[kind] || sources[kind] == source ) );
    sources[kind] = source;
}

int io_loop_epoll( void ) { return loop_epoll; }

int32_t io_loop_open( uint32_t *made, int *epoll )
{
    int32_t error = 0;

    if ( ( *epoll = loop_epoll ) >= 0 ) return 0;
    owner_lock_take( &open_lock );
    if ( loop_epoll < 0 )
    {
        struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.u64 = io_key( IO_WAKE, 0 ) };
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
            loop_epoll = fd;
            *made = 1;
        }
    }
    *epoll = loop_epoll;
    owner_lock_give( &open_lock );
    return error;
}

void io_loop_wake( void )
{
    const uint64_t one = 1;

    while ( write( wake_fd, &one, sizeof( one ) ) < 0 && errno == EINTR ) continue;
}

static uint32_t dispatch( const struct epoll_event *event )
{
    const enum io_kind kind = event->data.u64 & IO_KIND_BITS;

    if ( sources[kind] && sources[kind]->ready ) sources[kind]->ready( io_value( event->data.u64 ), event->events );
    return 1u << kind;
}

static void give_turns( struct io_turn *turn )
{
    for ( enum io_kind kind = 0; kind < IO_KINDS; kind++ )
        if ( sources[kind] && sources[kind]->turn ) sources[kind]->turn( turn );
}

static int shortest_timeout( void )
{
    int shortest = -1;

    for ( enum io_kind kind = 0; kind < IO_KINDS; kind++ )
    {
        const int timeout = sources[kind] && sources[kind]->timeout ? sources[kind]->timeout() : -1;

        if ( timeout >= 0 && ( shortest < 0 || timeout < shortest ) ) shortest = timeout;
    }
    return shortest;
}

NTSTATUS unix_io_wait( void *args )
{
    struct ws2_io_wait_params *params = args;
    struct io_turn turn = { .params = params, .count = -1 };
    struct epoll_event events[WS2_IO_ACTIONS];
    int epoll = -1;

    params->count = 0;
    params->completions = params->notifications = params->outstanding = 0;
    if ( ( params->error = io_loop_open( &params->completions, &epoll ) ) ) return 0;
    params->completions = 0;
    for ( ;; )
    {
        give_turns( &turn );
        if ( params->count || params->completions || params->notifications || params->outstanding ) return 0;
        turn.count = epoll_wait( epoll, events, WS2_IO_ACTIONS, shortest_timeout() );
        turn.ready = 0;
        for ( int i = 0; i < turn.count; i++ ) turn.ready |= dispatch( &events[i] );
        if ( turn.count > 0 ) host_trace( "the I/O loop wakes for %d source%s", turn.count, turn.count > 1 ? "s" : "" );
    }
}

int io_loop_poll( enum io_kind kind )
{
    struct epoll_event events[16];
    const int count = epoll_wait( loop_epoll, events, 16, 0 );

    for ( int i = 0; i < count; i++ )
        if ( ( events[i].data.u64 & IO_KIND_BITS ) == kind ) dispatch( &events[i] );
    return count;
}
