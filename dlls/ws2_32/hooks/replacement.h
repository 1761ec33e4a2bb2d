/* Sockets whose handle was made of another host socket than theirs is now (replacement.c). */
#ifndef REPLACEMENT_H
#define REPLACEMENT_H

#include "ntdll/hooks.h"

/* A new handle of the host socket that a SOCKET has now, to be copied instead of the SOCKET's own; NULL when that will do. */
HANDLE replacement_handle( HANDLE socket );
/* NtDuplicateObject of what replacement_handle gave, which is closed, as if it were the socket; the source stays open. */
NTSTATUS replacement_duplicate( HANDLE handle, HANDLE socket, HANDLE target_process, HANDLE *target, ACCESS_MASK access,
                                ULONG attributes, ULONG options );

#endif
