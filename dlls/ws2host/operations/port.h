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

void port_release( struct port *port ); /* NULL is none */
int port_epoll( const struct port *port );

/* The socket's operations that wait are served at the port from now on, by its waiters. port is of the PE side, which holds
 * it. */
void port_attach( struct descriptor *descriptor, struct port *port );
/* By the I/O thread again: somebody waits for their end elsewhere. */
void port_detach( struct descriptor *descriptor );

/* The I/O thread, whose epoll holds those of ports that nobody attends. */
static inline int port_is_key( uint64_t key ) { return key & 1 && key > 15 /* OPERATION_KEY_LAST */; }
void port_fired( uint64_t key );
int port_patience( void ); /* ms to the next tick, -1 for none */
void port_tick( void );
/* Serves what is ready, of all ports. */
void port_serve_all( void );

#endif
