/* The time of day jumps by a day at each look, back and forth; the monotonic clock does not. Loaded before the C library. */
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define DAY 86400

static time_t jump( void )
{
    static _Atomic unsigned int looks;

    return looks++ % 2 ? DAY : -DAY;
}

int clock_gettime( clockid_t clock, struct timespec *now )
{
    const int result = syscall( SYS_clock_gettime, clock, now );

    if ( !result && ( clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE ) ) now->tv_sec += jump();
    return result;
}

int gettimeofday( struct timeval *now, void *zone )
{
    const int result = syscall( SYS_gettimeofday, now, zone );

    if ( !result ) now->tv_sec += jump();
    return result;
}

time_t time( time_t *result )
{
    struct timespec now;

    clock_gettime( CLOCK_REALTIME, &now );
    if ( result ) *result = now.tv_sec;
    return now.tv_sec;
}
