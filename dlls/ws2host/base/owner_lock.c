/* Locks that know their holder: see owner_lock.h. */
#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "base/owner_lock.h"

uint32_t owner_lock_self( void )
{
    static __thread uint32_t id;

    if ( !id ) id = syscall( SYS_gettid );
    return id;
}

void owner_lock_take( _Atomic uint32_t *lock )
{
    const struct timespec nap = { 0, 50000 };
    uint32_t holder = 0;

    for ( unsigned int turns = 1; !atomic_compare_exchange_strong( lock, &holder, owner_lock_self() ); turns++ )
    {
        if ( turns % 64 == 0 && holder && syscall( SYS_tgkill, getpid(), holder, 0 ) < 0 && errno == ESRCH )
        {
            /* its thread was ended while it held the lock */
            if ( atomic_compare_exchange_strong( lock, &holder, owner_lock_self() ) ) break;
        }
        if ( turns < 256 ) sched_yield();
        else nanosleep( &nap, NULL );
        holder = 0;
    }
}

int owner_lock_try( _Atomic uint32_t *lock )
{
    uint32_t nobody = 0;

    return atomic_compare_exchange_strong( lock, &nobody, owner_lock_self() );
}

void owner_lock_give( _Atomic uint32_t *lock )
{
    assert( owner_lock_held( lock ) );
    atomic_store_explicit( lock, 0, memory_order_release );
}
