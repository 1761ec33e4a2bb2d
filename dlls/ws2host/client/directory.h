/* The server directory, where the processes of one user and prefix meet (directory.c). */
#ifndef WS2HOST_DIRECTORY_H
#define WS2HOST_DIRECTORY_H

#include <stddef.h>

/* A descriptor of it, the caller's to close, and its path in path (size bytes); create: makes it if it is not there. -1 and
 * errno, EPERM when it is not this user's alone. */
int directory_open( int create, char *path, size_t size );

#endif
