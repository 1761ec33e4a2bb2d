/*
 * Threads that have operations pending which are to end with them. One that ends by itself, or is ended from inside the
 * process, says so (dlls/ws2_32/hooks/handles.c); another process may end it too. The host tells of that by a descriptor of the
 * thread, which it has from Linux 6.9 on: without it, such operations stay. One descriptor for each thread that ever had such
 * an operation, made with the first and closed when the thread has gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/io_loop.h"
#include "base/owner_lock.h"
#include "operations/operation_private.h"

#define PIDFD_OF_THREAD O_EXCL

struct watched_thread
{
    struct watched_thread *_Atomic next;
    uint32_t id; /* Windows' */
    int fd;
};

static struct watched_thread *_Atomic threads; /* one store puts it in, and one takes it out */
static owner_lock lock;
static _Atomic int impossible;
static uint32_t ( *cancel )( uint32_t thread_id );

void operation_watch_thread( uint32_t id )
{
    static __thread int watched;
    struct watched_thread *thread;
    struct epoll_event event = { .events = EPOLLIN | EPOLLONESHOT };
    int fd;

    if ( watched || !id || atomic_load_explicit( &impossible, memory_order_relaxed ) ) return;
    watched = 1;
    if ( ( fd = syscall( SYS_pidfd_open, (pid_t)syscall( SYS_gettid ), PIDFD_OF_THREAD ) ) < 0 )
    {
        if ( errno == EINVAL || errno == ENOSYS ) atomic_store( &impossible, 1 );
        return;
    }
    if ( !( thread = malloc( sizeof( *thread ) ) ) )
    {
        close( fd );
        return;
    }
    thread->id = id;
    thread->fd = fd;
    owner_lock_take( &lock );
    thread->next = threads;
    threads = thread;
    owner_lock_give( &lock );
    event.data.u64 = io_key( IO_WAKE, (uint64_t)fd << 3 );
    epoll_ctl( io_loop_epoll(), EPOLL_CTL_ADD, fd, &event );
}

/* value: of the key; 0 is the loop's own. */
static void thread_ended( uint64_t value, uint32_t events )
{
    struct watched_thread *_Atomic *link = &threads, *thread, *ended;
    const int fd = (int)( value >> 3 );
    uint32_t id = 0;

    (void)events;
    if ( !value ) return;
    owner_lock_take( &lock );
    while ( ( ended = *link ) && ended->fd != fd ) link = &ended->next;
    if ( ended )
    {
        id = ended->id;
        *link = ended->next;
    }
    /* the number may be another thread's by now */
    for ( thread = threads; thread; thread = thread->next )
        if ( thread->id == id ) id = 0;
    owner_lock_give( &lock );
    if ( !ended ) return;
    close( fd );
    free( ended );
    if ( id ) cancel( id );
}

void operation_threads_init( uint32_t ( *cancel_of_thread )( uint32_t thread_id ) )
{
    static const struct io_source source = { .ready = thread_ended,
                                             .turn = operation_outliving_turn,
                                             .timeout = operation_outliving_timeout };

    cancel = cancel_of_thread;
    io_loop_register( IO_WAKE, &source );
}
