/* The time, by clocks that nobody sets unless another is named: for waits, limits and pauses. */
#ifndef WS2HOST_HOST_CLOCK_H
#define WS2HOST_HOST_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t host_clock_ns( clockid_t clock )
{
    struct timespec now;

    clock_gettime( clock, &now );
    return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static inline uint64_t host_now_ns( void ) { return host_clock_ns( CLOCK_MONOTONIC ); }
static inline uint64_t host_now_ms( void ) { return host_now_ns() / 1000000; }
/* As of the last tick of the host's: some ms behind, and cheaper. */
static inline uint64_t host_now_coarse_ms( void ) { return host_clock_ns( CLOCK_MONOTONIC_COARSE ) / 1000000; }

static inline void host_sleep_ms( unsigned int ms )
{
    const struct timespec time = { ms / 1000, ms % 1000 * 1000000 };

    nanosleep( &time, NULL );
}

#endif
