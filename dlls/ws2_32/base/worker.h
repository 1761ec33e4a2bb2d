/* Threads of ours in the program's process, for look-ups that must not block the caller. */
#ifndef WORKER_H
#define WORKER_H

#include <windows.h>

/* Runs a function on a thread of its own. The DLL stays loaded until it has returned. */
BOOL worker_start( void ( *run )( void *argument ), void *argument );

#endif
