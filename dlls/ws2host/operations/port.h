/*
 * A completion port's epoll: sockets of the port are watched there, by the threads that wait at the port (port.c).
 *
 * The port stays for as long as a descriptor is watched through it or the PE side's queue names it, each counted.
 */
#ifndef WS2HOST_PORT_H
#define WS2HOST_PORT_H

#include <stdint.h>
#include "descriptors/descriptor.h"

struct port;

void port_hold( struct port *port );
void port_release( struct port *port ); /* NULL is none */
int port_epoll( const struct port *port );

/* Registers with the I/O loop, whose epoll holds those of ports that nobody attends. At start. */
void port_init( void );
/* Serves what is ready, of all ports. */
void port_serve_all( void );

#endif
