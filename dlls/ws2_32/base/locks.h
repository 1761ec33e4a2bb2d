/*
 * How locks are taken here. The loader ends all other threads before it tells DLLs that the process ends; what those held stays
 * held, and nobody gives it back. Who comes after that takes it from them, as the loader itself does with critical sections.
 * A lock is given back by ReleaseSRWLock... as ever.
 */
#ifndef LOCKS_H
#define LOCKS_H

#include <winternl.h>

/* Whether only the calling thread is left. */
BOOLEAN NTAPI RtlDllShutdownInProgress( void );

static inline void lock_exclusive( SRWLOCK *lock )
{
    if ( TryAcquireSRWLockExclusive( lock ) ) return;
    if ( RtlDllShutdownInProgress() ) InitializeSRWLock( lock );
    AcquireSRWLockExclusive( lock );
}

static inline void lock_shared( SRWLOCK *lock )
{
    if ( TryAcquireSRWLockShared( lock ) ) return;
    if ( RtlDllShutdownInProgress() ) InitializeSRWLock( lock );
    AcquireSRWLockShared( lock );
}

#endif
