/*
 * Locks whose holder is gone: taken over, also when its thread number has gone to another thread, which must not be taken for
 * the holder, or stays with the process, as the first one's does; and never from one that lives.
 */
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "base/owner_lock.h"
#include "harness.h"

static owner_lock lock;
static int ends[2][2];
static _Atomic uint32_t thread;
static _Atomic int taken;

/* Says that it runs, and ends when it is told. */
static void *holder( void *takes )
{
    char byte;

    thread = owner_lock_self();
    if ( takes ) owner_lock_take( &lock );
    ck_assert_int_eq( write( ends[0][1], "", 1 ), 1 );
    ck_assert_int_eq( read( ends[1][0], &byte, 1 ), 1 );
    if ( takes && taken ) taken = 2; /* by somebody else, meanwhile */
    if ( takes ) owner_lock_give( &lock );
    return NULL;
}

static void *taker( void *unused )
{
    (void)unused;
    owner_lock_take( &lock );
    if ( !taken ) taken = 1;
    owner_lock_give( &lock );
    return NULL;
}

static pthread_t start_holder( int takes )
{
    pthread_t result;
    char byte;

    ck_assert( !pipe( ends[0] ) && !pipe( ends[1] ) );
    ck_assert( !pthread_create( &result, NULL, holder, takes ? &lock : NULL ) );
    ck_assert_int_eq( read( ends[0][0], &byte, 1 ), 1 );
    return result;
}

static void end_holder( pthread_t holding )
{
    ck_assert_int_eq( write( ends[1][1], "", 1 ), 1 );
    pthread_join( holding, NULL );
}

/* One thread, or all of a process, have ended since. */
START_TEST( holder_is_dead )
{
    pthread_t holding = start_holder( 1 );

    ck_assert_uint_eq( lock >> 32, thread );
    ck_assert( !owner_lock_try( &lock ) );
    /* its number, as it stands there, is nobody's */
    {
        const uint64_t before = lock;

        end_holder( holding );
        eventually( syscall( SYS_tgkill, getpid(), (pid_t)thread, 0 ) < 0 );
        lock = before;
    }
    owner_lock_take( &lock );
    ck_assert( owner_lock_held( &lock ) );
    owner_lock_give( &lock );
}
END_TEST

/* The number is that of a thread which runs, and began after the holder took the lock. */
START_TEST( number_is_used_again )
{
    const pthread_t holding = start_holder( 0 );
    struct timespec now;

    clock_gettime( CLOCK_BOOTTIME, &now );
    lock = (uint64_t)thread << 32 | (uint32_t)( now.tv_sec * 100 - 500 );
    owner_lock_take( &lock );
    ck_assert( owner_lock_held( &lock ) );
    owner_lock_give( &lock );
    end_holder( holding );
}
END_TEST

static void *takes_from_first( void *first )
{
    pthread_join( *(pthread_t *)first, NULL );
    owner_lock_take( &lock );
    _exit( owner_lock_held( &lock ) ? 0 : 1 );
}

/* The first thread of a process, whose number stays as long as the process. */
START_TEST( first_thread_is_dead )
{
    const pid_t process = fork();
    int status;

    if ( !process )
    {
        static pthread_t first;
        pthread_t other;

        first = pthread_self();
        alarm( 20 );
        owner_lock_take( &lock );
        if ( pthread_create( &other, NULL, takes_from_first, &first ) ) _exit( 2 );
        pthread_exit( NULL );
    }
    ck_assert_int_eq( waitpid( process, &status, 0 ), process );
    ck_assert_int_eq( status, 0 );
}
END_TEST

/* However long it has it. */
START_TEST( holder_lives )
{
    const pthread_t holding = start_holder( 1 );
    pthread_t taking;

    ck_assert( !pthread_create( &taking, NULL, taker, NULL ) );
    usleep( 500000 ); /* some thousand looks at the holder */
    end_holder( holding );
    pthread_join( taking, NULL );
    ck_assert_int_eq( taken, 1 );
}
END_TEST

int main( void )
{
    Suite *suite = suite_create( "locks" );
    TCase *test = tcase_create( "locks" );

    tcase_set_timeout( test, 30 );
    tcase_add_test( test, holder_is_dead );
    tcase_add_test( test, first_thread_is_dead );
    tcase_add_test( test, number_is_used_again );
    tcase_add_test( test, holder_lives );
    suite_add_tcase( suite, test );
    return harness_main( suite );
}
