/*
 * Closing: descriptors that came from others are closed by threads of their own.
 *
 * The last close of a socket may take as long as its SO_LINGER says, that of a file in user space as long as its server
 * likes. Whoever sent the descriptor decides that, so the server never closes one itself: nor a connection, whose unread
 * messages may hold some. Descriptors of one process are closed one after the other; one that takes its time holds up
 * those of its own process only.
 *
 * A mutex guards everything here; it is held for some instructions and never during a close.
 */
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
#include "server.h"

#define STACK_SIZE 0x10000
#define THREADS 512u
#define THREADS_KEPT 2u

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

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static TAILQ_HEAD( ready_list, close_queue ) ready = TAILQ_HEAD_INITIALIZER( ready );
static unsigned int ready_count, idle, threads;

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

    assert( job && queue->busy && queue->pending );
    STAILQ_REMOVE_HEAD( &queue->jobs, entry );
    pthread_mutex_unlock( &mutex );
    close( job->fd );
    free( job );
    pthread_mutex_lock( &mutex );
    queue->pending--;
    if ( !STAILQ_EMPTY( &queue->jobs ) ) make_ready( queue );
    else if ( queue->abandoned ) free( queue );
    else queue->busy = 0;
}

static void *closer( void *unused )
{
    (void)unused;
    pthread_mutex_lock( &mutex );
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
    return !error;
}

int closing_begin( void )
{
    int started;

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
    if ( ready_count > idle ) start_thread();
    pthread_cond_signal( &changed );
    pthread_mutex_unlock( &mutex );
}

unsigned int close_pending( const struct close_queue *queue ) { return queue->pending; }

void close_queue_free( struct close_queue *queue )
{
    pthread_mutex_lock( &mutex );
    if ( queue->busy ) queue->abandoned = 1;
    else free( queue );
    pthread_mutex_unlock( &mutex );
}
