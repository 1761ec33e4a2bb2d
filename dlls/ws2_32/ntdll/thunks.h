/* Thunks of system calls: one is replaced while other threads run it (thunks.c). */
#ifndef THUNKS_H
#define THUNKS_H

#include "ntdll/hooks.h"

BOOL thunk_is_known( const unsigned char *thunk );
/* Those that are not NULL, all of a known shape: the hook's function in place of each, and the originals callable. What
 * cannot be done is logged, and FALSE. all: these, and those that may come later, of any shape. */
BOOL thunks_install( const struct hook hooks[HOOK_COUNT], unsigned char *const thunks[HOOK_COUNT],
                     unsigned char *const all[HOOK_COUNT] );
/* A function above the system calls, by its name in kernelbase; nothing happens to one that is not made for it. */
void function_patch( const struct hook *hook );

#endif
