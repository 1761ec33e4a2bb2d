/* Files of AF_UNIX sockets are reparse points that only sockets open (local_files.c). */
#ifndef LOCAL_FILES_H
#define LOCAL_FILES_H

#include "ntdll/hooks.h"

/* Whether a file is not to be opened so because it is a socket's. */
BOOL local_file_refuses( ACCESS_MASK access, const OBJECT_ATTRIBUTES *attributes, ULONG disposition, ULONG options );

#endif
