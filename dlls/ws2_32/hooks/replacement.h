/* Sockets whose handle was made of another host socket than theirs, or of none: stand-ins of the pool (replacement.c). */
#ifndef REPLACEMENT_H
#define REPLACEMENT_H

#include "ntdll/hooks.h"

/* Whether a SOCKET's own handle is of another host socket than the one it has. If so, *handle is a new one of that, to be
 * copied instead; NULL when it could not be made. */
BOOL replacement_handle( HANDLE socket, HANDLE *handle );
/* NtDuplicateObject of what replacement_handle gave, which is closed, as if it were the socket; the source stays open. */
NTSTATUS replacement_duplicate( HANDLE handle, HANDLE socket, HANDLE target_process, HANDLE *target, ACCESS_MASK access,
                                ULONG attributes, ULONG options );

#endif
