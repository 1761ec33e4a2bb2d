/*
 * The server monitor thread: a small host thread of a process that shares sockets, asleep in poll until something ends.
 *
 * When the server dies it has the connection made again at once, so that an idle process publishes what it holds without
 * waiting for its next Winsock call; and it takes note of tickets that ended, whose sockets the process keeps open for a
 * server that might take over (tickets.c); and it tells the server what others may not wait for (helper_sets.c), and what nobody
 * has told in a while (tickets.c). It starts with the first sharing operation and lasts as long as the process. The loader does
 * not know this thread: it runs with all signals blocked, and never calls into Windows code.
 */
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include "base/host_thread.h"
#include "base/host_trace.h"
#include "client/client_private.h"

#define LONGEST_PAUSE 8000 /* ms between attempts to find a server */
#define SOON 20            /* ms */

/* Set once, under connection's mutex, before the thread starts. */
static int wake = -1, timer = -1, notice[2] = { -1, -1 };

void server_monitor_wake( void )
{
    if ( wake >= 0 ) eventfd_write( wake, 1 );
}

void server_monitor_wake_soon( void )
{
    const struct itimerspec once = { .it_value = { 0, SOON * 1000000 } };

    timerfd_settime( timer, 0, &once, NULL );
}

static void read_notices( void )
{
    uint32_t numbers[256];
    ssize_t size;

    while ( ( size = recv( notice[0], numbers, sizeof( numbers ), MSG_DONTWAIT ) ) > 0 )
        tickets_ended( numbers, size / sizeof( numbers[0] ) );
}

static void *attend( void *unused )
{
    int pause = -1;

    (void)unused;
    for ( ;; )
    {
        uint64_t serial;
        struct pollfd fds[4] = { { .fd = wake, .events = POLLIN },
                                 { .fd = notice[0], .events = POLLIN },
                                 { .fd = connection_fd( &serial ), .events = POLLRDHUP },
                                 { .fd = timer, .events = POLLIN } };
        eventfd_t count;

        /* no connection: another look after a pause, longer each time */
        if ( fds[2].fd < 0 ) pause = pause < 0 ? 1 : pause < LONGEST_PAUSE ? 2 * pause : LONGEST_PAUSE;
        else pause = -1;
        if ( poll( fds, 4, pause ) < 0 && errno != EINTR ) return NULL;
        if ( fds[0].revents ) eventfd_read( wake, &count );
        helper_sets_tell_late();
        if ( fds[1].revents ) read_notices();
        if ( fds[3].revents && read( timer, &count, sizeof( count ) ) == sizeof( count ) ) tickets_tell_late();
        if ( fds[2].fd < 0 || fds[2].revents )
        {
            host_trace( "the server has gone" );
            connection_mend( serial );
        }
    }
}

int server_monitor_start( void )
{
    if ( wake >= 0 ) return notice[1];
    if ( socketpair( AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, notice ) < 0 ) return -1;
    if ( ( wake = eventfd( 0, EFD_CLOEXEC | EFD_NONBLOCK ) ) >= 0 &&
         ( timer = timerfd_create( CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK ) ) >= 0 &&
         host_thread_start( attend, NULL ) )
        return notice[1];
    if ( wake >= 0 ) close( wake );
    if ( timer >= 0 ) close( timer );
    close( notice[0] );
    close( notice[1] );
    wake = timer = notice[0] = notice[1] = -1;
    return -1;
}
