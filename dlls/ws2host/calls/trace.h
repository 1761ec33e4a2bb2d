/* WS2DEBUG: what the program's calls are told of, and where that is written. */
#ifndef TRACE_H
#define TRACE_H

#include <stdint.h>

/* At start: reads WS2DEBUG and WS2DEBUG_FILE. windows_pid stands for %p in the file's name. */
void trace_init( uint32_t windows_pid );
/* The process is attached: from now on *tracing (the PE side's) is the number of the selection in force, also when `ws2ctl
 * trace` makes another. */
void trace_follow( volatile uint32_t *tracing );

#endif
