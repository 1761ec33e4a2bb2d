/*
 * What the process counts of itself, on this side: `ws2ctl stats` shows it. Each thread has a line of the page to itself and
 * counts there as in memory of its own; threads beyond the number of lines share the last one. Any thread.
 */
#ifndef COUNTS_H
#define COUNTS_H

#include "base/thread_data.h"
#include "ws2host/table.h"

/* The host half puts the process's page of the table in its place (unix_attach). */
extern struct ws2_counts ws2_counts;

/* Of a thread that has no line: gives it one if there is one left. */
void count_call_shared( struct thread_data *data );
/* The thread ends: its line is another's. */
void counts_thread_ends( struct thread_data *data );

#ifdef _WIN32
/* A function of Winsock's returns to the program. */
static inline void count_call( void )
{
    struct thread_data *data = thread_data_now();

    if ( data && data->calls ) ++*data->calls;
    else count_call_shared( data );
}

/* The loader's server is asked something, or told of an end for somebody who waits. */
static inline void count_asked( void )
{
    atomic_fetch_add_explicit( &ws2_counts.lines[WS2_COUNT_LINES - 1].values[WS2_COUNT_ASKED], 1,
                               memory_order_relaxed );
}
#else
static inline void count_call( void ) {} /* tests of the host */
static inline void count_asked( void ) {}
#endif

#endif
