/* Kicks of other processes, received: see client/event_kick.h. */
#include <sys/epoll.h>
#include <unistd.h>
#include "base/io_loop.h"
#include "base/owner_lock.h"
#include "client/event_kick.h"
#include "events/changes.h"
#include "events/events.h"
#include "sockets/conditions.h"

static _Atomic int socket_fd = -1; /* in the I/O loop */
static owner_lock open_lock;

void events_receive_kicks( void )
{
    struct epoll_event event = { .events = EPOLLIN, .data.u64 = io_key( IO_KICKS, 0 ) };
    int fd;

    if ( socket_fd >= 0 ) return;
    owner_lock_take( &open_lock );
    if ( socket_fd < 0 && ( fd = event_kick_open() ) >= 0 )
    {
        if ( epoll_ctl( io_loop_epoll(), EPOLL_CTL_ADD, fd, &event ) < 0 ) close( fd );
        else socket_fd = fd;
    }
    owner_lock_give( &open_lock );
}

/* A kick names a slot: the descriptor through which this process watches it is looked for, which is rare enough. */
static int kick_serve( const struct event_kick *kick, struct ws2_io_action *action )
{
    struct descriptor *d;
    uint64_t handle = 0;
    int due = 0;

    while ( !due && ( d = descriptor_next( &handle ) ) )
    {
        int now;

        if ( d->slot_index == kick->slot && d->generation == kick->generation &&
             ( atomic_load( &d->local ) & LOCAL_WATCHED ) && ( now = poll_host_now( d ) ) >= 0 )
        {
            changes_registered( d );
            due = events_look( d, now, 0, atomic_load( &d->event_generation ), action );
        }
        descriptor_release( d );
    }
    return due;
}

/* One kick a turn: the loop shows the next one again. */
static void kick_turn( struct io_turn *turn )
{
    struct ws2_io_wait_params *params = turn->params;
    struct event_kick kick;

    if ( !( turn->ready & 1u << IO_KICKS ) || params->count >= WS2_IO_ACTIONS ) return;
    if ( event_kick_receive( socket_fd, &kick ) ) params->count += kick_serve( &kick, &params->actions[params->count] );
}

void event_kicks_init( void )
{
    static const struct io_source source = { .turn = kick_turn };

    io_loop_register( IO_KICKS, &source );
}
