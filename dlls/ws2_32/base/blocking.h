/* Blocking hooks (blocking.c): what the way of every call looks at. */
#ifndef BLOCKING_H
#define BLOCKING_H

#include <windows.h>

extern LONG blocking_hooks; /* a thread of this process has had a hook */
extern LONG blocking_turns; /* threads that are inside their hook */

/* The calling thread's wait has come to a pause: its hook is called. */
void blocking_turn( void );
BOOL blocking_inside( void );
/* The error that a call ends with, when its hook may have cancelled it. */
int blocking_error( int error );

#endif
