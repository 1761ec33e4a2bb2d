/* Registered I/O, for the rest of the DLL (registered_requests.c). */
#ifndef REGISTERED_IO_H
#define REGISTERED_IO_H

#include "base/ws2_32_private.h"

/* A request has ended in the host half. */
void registered_ended( const struct ws2_completion *completion );
/* The SOCKET goes away, and its value will be used again: its request queue goes with it. */
void registered_closing( SOCKET s );

#endif
