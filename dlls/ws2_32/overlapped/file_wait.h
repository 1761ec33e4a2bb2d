/* A SOCKET as a file that is waited for (file_wait.c). */
#ifndef FILE_WAIT_H
#define FILE_WAIT_H

#include "base/ws2_32_private.h"
#include <winternl.h>

/* As the system calls, of handles some of which are SOCKETs perhaps. */
NTSTATUS file_wait_for_one( HANDLE handle, BOOLEAN alertable, const LARGE_INTEGER *timeout );
NTSTATUS file_wait_for_many( ULONG count, const HANDLE *handles, BOOLEAN any, BOOLEAN alertable,
                             const LARGE_INTEGER *timeout );

/* An operation without an event has ended and the program has been told. */
void file_signal( const struct ws2_completion *completion );

#endif
