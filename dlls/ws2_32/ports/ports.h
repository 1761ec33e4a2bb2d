/* Completion ports of sockets (ports.c). */
#ifndef PORTS_H
#define PORTS_H

#include "base/ws2_32_private.h"

/* Queues a packet to a socket's port, whichever process's handle it is. */
void port_post( const struct ws2_port *port, void *value, LONG status, ULONG_PTR information );

/* Our own handle of a port of the program's, by which packets reach it also when the program has closed its handle. */
NTSTATUS port_keep( HANDLE theirs, HANDLE *ours );

#endif
