/*
 * The server's one loop: epoll over the listener, the connections, the watches and the pidfds; and work in small steps.
 *
 * One event is taken at a time, so that a handler may free any source without another event of the same batch pointing
 * to it. What would take long is done as work, a step between two events: nobody waits for more than a step of it.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>
#include "server.h"

static int epoll_fd = -1;
static TAILQ_HEAD(, work ) works = TAILQ_HEAD_INITIALIZER( works );

int loop_create( void )
{
    epoll_fd = epoll_create1( EPOLL_CLOEXEC );
    return epoll_fd >= 0 ? 0 : -1;
}

int loop_add( struct source *source, int fd, uint32_t events )
{
    struct epoll_event event = { .events = events, .data.ptr = source };

    return epoll_ctl( epoll_fd, EPOLL_CTL_ADD, fd, &event );
}

void loop_change( struct source *source, int fd, uint32_t events )
{
    struct epoll_event event = { .events = events, .data.ptr = source };

    epoll_ctl( epoll_fd, EPOLL_CTL_MOD, fd, &event );
}

/* Needed before every close: a descriptor that another process holds too stays in the epoll set otherwise. */
void loop_remove( int fd ) { epoll_ctl( epoll_fd, EPOLL_CTL_DEL, fd, NULL ); }

uint64_t loop_now_us( void )
{
    struct timespec now;

    clock_gettime( CLOCK_MONOTONIC, &now );
    return (uint64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

uint64_t loop_now( void ) { return loop_now_us() / 1000; }

void loop_run( const struct loop_work *work, uint64_t linger )
{
    /* the process that started the server gets its time to connect, however short the linger is */
    uint64_t idle_since = loop_now(), patience = linger > 2000 ? linger : 2000;

    for ( ;; )
    {
        uint64_t now = loop_now(), deadline = work->deadline();
        struct epoll_event event;
        int timeout = -1, count;

        if ( work->needed() || work_pending() ) idle_since = 0;
        else if ( !idle_since )
        {
            idle_since = now;
            patience = linger;
        }
        if ( idle_since && ( !deadline || idle_since + patience < deadline ) ) deadline = idle_since + patience;
        if ( deadline ) timeout = deadline > now ? deadline - now : 0;
        if ( work_pending() ) timeout = 0;

        count = epoll_wait( epoll_fd, &event, 1, timeout );
        if ( count > 0 )
        {
            struct source *source = event.data.ptr;
            source->ready( source, event.events );
        }
        else if ( count < 0 && errno != EINTR ) return;
        else if ( !count && idle_since && loop_now() >= idle_since + patience ) return;
        work_step();
        work->run();
        if ( work->over() ) return;
    }
}

void work_begin( struct work *work ) { TAILQ_INSERT_TAIL( &works, work, entry ); }
void work_cancel( struct work *work ) { TAILQ_REMOVE( &works, work, entry ); }
int work_pending( void ) { return !TAILQ_EMPTY( &works ); }

void work_step( void )
{
    struct work *work = TAILQ_FIRST( &works );

    if ( !work ) return;
    TAILQ_REMOVE( &works, work, entry );
    /* a step that has finished may have freed it */
    if ( work->step( work ) ) TAILQ_INSERT_TAIL( &works, work, entry );
}
