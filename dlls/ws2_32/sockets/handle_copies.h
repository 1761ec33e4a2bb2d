/* Copies of a SOCKET's handle that nobody has used as sockets yet (handle_copies.c). */
#ifndef HANDLE_COPIES_H
#define HANDLE_COPIES_H

#include "base/ws2_32_private.h"

/* A handle of this process is a copy of a SOCKET's. */
void handle_copied( HANDLE copy );
/* For close_begin: fills in whether handles of the socket's object are left anywhere, and one of this process. Does nothing
 * for a socket that no poll watches. */
void handle_copies( struct ws2_handle_params *params );
/* Makes sockets of the copies of this one's handle that the process has. */
void handle_copies_adopt( UINT_PTR s );

#endif
