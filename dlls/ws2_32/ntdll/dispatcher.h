/* The one place that all thunks of system calls call through (dispatcher.c). */
#ifndef DISPATCHER_H
#define DISPATCHER_H

#include "ntdll/hooks.h"

/* Whether each thunk that is not NULL tells its number and leads to that place. */
BOOL dispatcher_knows( unsigned char *const thunks[HOOK_COUNT] );
/* The same thunks: the hook's function in place of each, and the originals callable. Changes nothing when it returns
 * FALSE: the place is not to be written, or calls do not come through it. */
BOOL dispatcher_install( const struct hook hooks[HOOK_COUNT], unsigned char *const thunks[HOOK_COUNT] );

#endif
