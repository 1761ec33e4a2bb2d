/* See host_mutex.h. */
#include "base/host_mutex.h"

void host_signals_block( sigset_t *before )
{
    sigset_t all;

    sigfillset( &all );
    pthread_sigmask( SIG_BLOCK, &all, before );
}

void host_signals_restore( const sigset_t *before ) { pthread_sigmask( SIG_SETMASK, before, NULL ); }

void host_mutex_lock( pthread_mutex_t *mutex, sigset_t *before )
{
    host_signals_block( before );
    pthread_mutex_lock( mutex );
}

int host_mutex_try( pthread_mutex_t *mutex, sigset_t *before )
{
    host_signals_block( before );
    if ( !pthread_mutex_trylock( mutex ) ) return 1;
    host_signals_restore( before );
    return 0;
}

void host_mutex_unlock( pthread_mutex_t *mutex, const sigset_t *before )
{
    pthread_mutex_unlock( mutex );
    host_signals_restore( before );
}

int host_mutex_held( pthread_mutex_t *mutex )
{
    if ( pthread_mutex_trylock( mutex ) ) return 1;
    pthread_mutex_unlock( mutex );
    return 0;
}
