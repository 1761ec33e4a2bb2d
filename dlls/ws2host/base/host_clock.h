/* The time in ms, which nobody sets: for waits, limits and pauses. */
#ifndef WS2HOST_HOST_CLOCK_H
#define WS2HOST_HOST_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t host_clock_ms( clockid_t clock )
{
    struct timespec now;

    clock_gettime( clock, &now );
    return (uint64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline uint64_t host_now_ms( void ) { return host_clock_ms( CLOCK_MONOTONIC ); }
/* As of the last tick of the host's: some ms behind, and cheaper. */
static inline uint64_t host_now_coarse_ms( void ) { return host_clock_ms( CLOCK_MONOTONIC_COARSE ); }

#endif
