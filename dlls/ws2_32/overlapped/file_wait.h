/* A SOCKET as a file that is waited for (file_wait.c). */
#ifndef FILE_WAIT_H
#define FILE_WAIT_H

#include "base/ws2_32_private.h"

/* An operation without an event has ended and the program has been told. */
void file_signal( const struct ws2_completion *completion );

#endif
