/* What the host tells of a thread of this process. Any thread, any lock held. */
#ifndef THREAD_STAT_H
#define THREAD_STAT_H

#include <stdint.h>

#define THREAD_STAT_SIZE 1024

/* /proc/self/task/THREAD/stat from the space before its third field, the state, on; in text, which is the caller's. NULL: there is
 * no such thread, or it cannot be had. */
char *thread_stat( uint32_t thread, char text[THREAD_STAT_SIZE] );

/* There is no such thread any more. The first one of a process keeps its number as long as the process, and is gone all the same. */
int thread_is_gone( uint32_t thread );

#endif
