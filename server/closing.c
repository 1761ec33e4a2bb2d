/*
 * Closing: descriptors that came from others are closed by threads of their own.
 *
 * The last close of a socket may take as long as its SO_LINGER says, that of a file in user space as long as its server
 * likes. Whoever sent the descriptor decides that, so the server never closes one itself: nor a connection, whose unread
 * messages may hold some. Descriptors of one process are closed one after the other; one that takes its time holds up
 * those of its own process only.
 *
 * Many processes could so take all threads. A close that lasts is interrupted: what SO_LINGER waits for goes on without it. Where
 * that is not enough, and none of all threads comes to an end, the server leaves; the next one takes over, and has them all.
 *
 * A mutex guards everything here; it is held for some instructions and never during a close.
 */
#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include "server.h"

#define STACK_SIZE 0x10000
#define THREADS 512u
#define THREADS_KEPT 2u
#define PATIENCE 100u /* ms that a close may take */
#define SOON 16u      /* descriptors that wait for others, to be closed with them */
#define SOON_MS 20u
#define STUCK 5000u /* ms in which no thread has had an end, and there are no more */

struct job
{
    STAILQ_ENTRY( job ) entry;
    int fd;
};

struct close_queue
{
    TAILQ_ENTRY( close_queue ) in_ready;
    STAILQ_HEAD(, job ) jobs;
    _Atomic unsigned int pending;
    unsigned char busy;      /* a thread is at it, or it stands among those that are ready */
    unsigned char abandoned; /* freed when it is empty */
};

/* A thread, while it closes something. */
struct closing
{
    LIST_ENTRY( closing ) entry;
    pthread_t thread;
    uint64_t since;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static TAILQ_HEAD( ready_list, close_queue ) ready = TAILQ_HEAD_INITIALIZER( ready );
static LIST_HEAD(, closing ) under_way;
static unsigned int ready_count, idle, starting, threads;
static uint64_t last_end, look_at;

/* By the server's one thread alone. */
static struct
{
    int fd;
    struct close_queue *queue;
} soon[SOON];
static unsigned int soon_count;
static uint64_t soon_at;

struct close_queue *close_queue_create( void )
{
    struct close_queue *queue = calloc( 1, sizeof( *queue ) );

    if ( queue ) STAILQ_INIT( &queue->jobs );
    return queue;
}

/* Mutex held, as below. */
static void make_ready( struct close_queue *queue )
{
    queue->busy = 1;
    TAILQ_INSERT_TAIL( &ready, queue, in_ready );
    ready_count++;
}

static void serve_queue( struct close_queue *queue )
{
    struct job *job = STAILQ_FIRST( &queue->jobs );
    struct closing closing = { .thread = pthread_self(), .since = loop_now() };

    assert( job && queue->busy && queue->pending );
    STAILQ_REMOVE_HEAD( &queue->jobs, entry );
    LIST_INSERT_HEAD( &under_way, &closing, entry );
    pthread_mutex_unlock( &mutex );
    close( job->fd );
    free( job );
    pthread_mutex_lock( &mutex );
    LIST_REMOVE( &closing, entry );
    last_end = loop_now();
    queue->pending--;
    if ( !STAILQ_EMPTY( &queue->jobs ) ) make_ready( queue );
    else if ( queue->abandoned ) free( queue );
    else queue->busy = 0;
}

static void *closer( void *unused )
{
    (void)unused;
    pthread_mutex_lock( &mutex );
    starting--;
    for ( ;; )
    {
        struct close_queue *queue;

        idle++;
        while ( TAILQ_EMPTY( &ready ) && idle <= THREADS_KEPT ) pthread_cond_wait( &changed, &mutex );
        idle--;
        if ( !( queue = TAILQ_FIRST( &ready ) ) ) break;
        TAILQ_REMOVE( &ready, queue, in_ready );
        ready_count--;
        serve_queue( queue );
    }
    threads--;
    pthread_mutex_unlock( &mutex );
    return NULL;
}

/* 0 when there is none to be had. */
static int start_thread( void )
{
    pthread_attr_t attributes;
    pthread_t thread;
    int error;

    if ( threads == THREADS || pthread_attr_init( &attributes ) ) return 0;
    pthread_attr_setstacksize( &attributes, STACK_SIZE );
    pthread_attr_setdetachstate( &attributes, PTHREAD_CREATE_DETACHED );
    error = pthread_create( &thread, &attributes, closer, NULL );
    pthread_attr_destroy( &attributes );
    threads += !error;
    starting += !error;
    return !error;
}

static void interrupted( int signal ) { (void)signal; }

int closing_begin( void )
{
    const struct sigaction action = { .sa_handler = interrupted }; /* without SA_RESTART */
    int started;

    sigaction( SIGUSR1, &action, NULL );
    last_end = loop_now();

    pthread_mutex_lock( &mutex );
    started = start_thread();
    pthread_mutex_unlock( &mutex );
    return started ? 0 : -1;
}

void close_later_consume( int fd, struct close_queue *queue )
{
    struct job *job = malloc( sizeof( *job ) );

    if ( !job )
    {
        close( fd ); /* better late than with one more descriptor for ever */
        return;
    }
    job->fd = fd;
    pthread_mutex_lock( &mutex );
    STAILQ_INSERT_TAIL( &queue->jobs, job, entry );
    queue->pending++;
    if ( !queue->busy ) make_ready( queue );
    /* one for each that is ready: any of them may take for ever */
    if ( ready_count > idle + starting ) start_thread();
    pthread_cond_signal( &changed );
    pthread_mutex_unlock( &mutex );
}

void close_soon_consume( int fd, struct close_queue *queue )
{
    if ( !soon_count ) soon_at = loop_now() + SOON_MS;
    soon[soon_count].fd = fd;
    soon[soon_count++].queue = queue;
    if ( soon_count == SOON ) close_soon_now();
}

void close_soon_now( void )
{
    while ( soon_count )
    {
        soon_count--;
        close_later_consume( soon[soon_count].fd, soon[soon_count].queue );
    }
}

unsigned int close_pending( const struct close_queue *queue ) { return queue->pending; }

void close_queue_free( struct close_queue *queue )
{
    close_soon_now();
    pthread_mutex_lock( &mutex );
    if ( queue->busy ) queue->abandoned = 1;
    else free( queue );
    pthread_mutex_unlock( &mutex );
}

uint64_t closing_deadline( void )
{
    pthread_mutex_lock( &mutex );
    if ( LIST_EMPTY( &under_way ) ) look_at = 0;
    else if ( !look_at ) look_at = loop_now() + PATIENCE;
    pthread_mutex_unlock( &mutex );
    return soon_count && ( !look_at || soon_at < look_at ) ? soon_at : look_at;
}

void closing_run( void )
{
    const struct closing *closing;
    uint64_t now;

    if ( soon_count && loop_now() >= soon_at ) close_soon_now();
    if ( !look_at || ( now = loop_now() ) < look_at ) return;
    look_at = now + PATIENCE;
    pthread_mutex_lock( &mutex );
    LIST_FOREACH( closing, &under_way, entry )
    if ( now >= closing->since + PATIENCE ) pthread_kill( closing->thread, SIGUSR1 );
    pthread_mutex_unlock( &mutex );
}

int closing_is_stuck( void )
{
    int stuck;

    if ( threads < THREADS ) return 0;
    pthread_mutex_lock( &mutex );
    stuck = !idle && ready_count && loop_now() >= last_end + STUCK;
    pthread_mutex_unlock( &mutex );
    return stuck;
}
