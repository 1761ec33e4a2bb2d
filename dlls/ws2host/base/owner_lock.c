/* Locks that know their holder: see owner_lock.h. */
#include <assert.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "base/owner_lock.h"
#include "base/thread_stat.h"

#define TICKS 100u /* of a second, of the times in /proc */

static __thread uint64_t own_token;

static uint64_t token( void )
{
    struct timespec now;

    if ( own_token ) return own_token;
    clock_gettime( CLOCK_BOOTTIME, &now );
    own_token =
        (uint64_t)syscall( SYS_gettid ) << 32 | (uint32_t)( now.tv_sec * TICKS + now.tv_nsec / ( 1000000000 / TICKS ) );
    return own_token;
}

uint32_t owner_lock_self( void ) { return token() >> 32; }

int owner_lock_held( const owner_lock *lock ) { return atomic_load( lock ) == token(); }

/* When the thread began, in ticks; 0 when that is not to be had. */
static uint32_t beginning_of( uint32_t thread )
{
    char text[THREAD_STAT_SIZE], *field = thread_stat( thread, text );

    for ( int i = 3; i < 22 && field; i++ ) field = strchr( field + 1, ' ' );
    return field ? strtoull( field + 1, NULL, 10 ) : 0;
}

/* Its thread was ended while it held a lock. */
static int is_dead( uint64_t holder )
{
    const uint32_t thread = holder >> 32;
    uint32_t beginning;

    if ( thread_is_gone( thread ) ) return 1;
    beginning = beginning_of( thread );
    return beginning && (int32_t)( beginning - (uint32_t)holder ) > 0;
}

int owner_lock_take( owner_lock *lock )
{
    const struct timespec nap = { 0, 50000 };
    uint64_t holder = 0;

    for ( unsigned int turns = 1; !atomic_compare_exchange_strong( lock, &holder, token() ); turns++ )
    {
        if ( turns % 64 == 0 && holder && is_dead( holder ) &&
             atomic_compare_exchange_strong( lock, &holder, token() ) )
            return 1;
        if ( turns < 256 ) sched_yield();
        else nanosleep( &nap, NULL );
        holder = 0;
    }
    return 0;
}

int owner_lock_try( owner_lock *lock )
{
    uint64_t nobody = 0;

    return atomic_compare_exchange_strong( lock, &nobody, token() );
}

void owner_lock_give( owner_lock *lock )
{
    assert( owner_lock_held( lock ) );
    atomic_store_explicit( lock, 0, memory_order_release );
}
