/* Threads of ours in the program's process: the I/O thread, and those for what must not block the caller. */
#ifndef WORKER_H
#define WORKER_H

#include <windows.h>

/* Runs a function on a thread of its own. The DLL stays loaded until it has returned. */
BOOL worker_start( void ( *run )( void *argument ), void *argument );

/* The process is about to end: returns when none of our threads is on its way into it any more, and lets none begin. Not to be
 * called with a lock of ours held. workers_go_on: it does not end after all. */
void workers_settle( void );
void workers_go_on( void );

#endif
