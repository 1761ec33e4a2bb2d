/* Completion ports of sockets (ports.c). */
#ifndef PORTS_H
#define PORTS_H

#include "ws2_32_private.h"

/* Queues a packet to a socket's port, whichever process's handle it is. */
void port_post( const struct ws2_port *port, void *value, LONG status, ULONG_PTR information );

#endif
