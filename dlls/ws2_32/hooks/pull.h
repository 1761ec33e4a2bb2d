/* Handles that are copied out of other processes (pull.c). */
#ifndef PULL_H
#define PULL_H

#include "ntdll/hooks.h"

/* NtDuplicateObject with a source in another process. */
NTSTATUS pull_duplicate( HANDLE source_process, HANDLE source, HANDLE target_process, HANDLE *target,
                         ACCESS_MASK access, ULONG attributes, ULONG options );
/* Closes a handle in another process; some loaders close there only what is copied from there. */
BOOL pull_close_in( HANDLE process, HANDLE handle );
/* A process, or the pseudo handle of this one. */
BOOL pull_is_this_process( HANDLE process );

#endif
