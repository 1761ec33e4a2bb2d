/*
 * What the process counts of itself for `ws2ctl stats`: an instruction each. Any thread; threads that happen to share a line
 * do so without losing a count.
 */
#ifndef WS2HOST_HOST_COUNTS_H
#define WS2HOST_HOST_COUNTS_H

#include "ws2host/table.h"

/* The process's page of the table, or before it has that (client/counts.c) a page of its own. */
extern struct ws2_counts *_Atomic host_counts;

static inline void host_count( enum ws2_count what, uint64_t n )
{
    const uint64_t thread = (uintptr_t)__builtin_thread_pointer() * 0x9e3779b97f4a7c15u;
    struct ws2_counts *counts = atomic_load_explicit( &host_counts, memory_order_relaxed );

    atomic_fetch_add_explicit( &counts->lines[( thread >> 32 ) % WS2_COUNT_HOST_LINES].values[what], n,
                               memory_order_relaxed );
}

#endif
