/* See host_thread.h. */
#include "base/host_mutex.h"
#include "base/host_thread.h"

/* No function here needs a tenth of it. A 32-bit program has 2 GB for everything, and of a thread that has ended the C library
 * keeps the stack for the next one. */
#define STACK_SIZE ( sizeof( void * ) == 4 ? 0x10000 : 0x40000 )

int host_thread_start( void *( *run )(void *), void *argument )
{
    pthread_attr_t attributes;
    sigset_t before;
    pthread_t thread;
    int error;

    if ( pthread_attr_init( &attributes ) ) return 0;
    pthread_attr_setstacksize( &attributes, STACK_SIZE );
    pthread_attr_setdetachstate( &attributes, PTHREAD_CREATE_DETACHED );
    host_signals_block( &before ); /* the thread inherits them */
    error = pthread_create( &thread, &attributes, run, argument );
    host_signals_restore( &before );
    pthread_attr_destroy( &attributes );
    return !error;
}
