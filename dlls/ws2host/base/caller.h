/*
 * How the program lays out what its pointers point to. A host half of 64 bits serves 64-bit programs and, by a loader that
 * runs 32-bit ones in 64-bit host processes, those too; one of 32 bits serves 32-bit programs only.
 */
#ifndef WS2HOST_CALLER_H
#define WS2HOST_CALLER_H

#include <stdint.h>
#include <string.h>

#if UINTPTR_MAX > 0xffffffff
extern uint32_t
    caller_width; /* bytes of a pointer of the program's: 4 or 8; set before the first call is carried out */
#else
#define caller_width 4u
#endif

#define CALLER_IS_32 ( caller_width == 4 )

#endif
