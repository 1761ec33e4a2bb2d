/*
 * Which helpers a datagram socket has (descriptors/socket_set.h): bound to an adapter's address, one for the limited and one
 * for the subnet's broadcast address; one for each group joined then, and for each beyond the host's limit of memberships.
 */
#ifndef WS2HOST_HELPERS_H
#define WS2HOST_HELPERS_H

#include "sockets/socket.h"

/* The socket has been bound to an address. */
void helpers_bound( struct descriptor *descriptor );

/* As setsockopt, for an option of the host's by which a socket joins or leaves group or goes on from what it joined. */
int helpers_membership( struct descriptor *descriptor, int level, int name, const void *request, socklen_t size,
                        const union host_address *group );

/* SIO_RCVALL: a raw IPv4 socket of no protocol that is bound to an adapter's address hears all that goes through it, with its
 * IP header. WSAEINVAL: not bound so; WSAEACCES: the host does not allow it, or another kind of raw socket. */
int32_t helpers_receive_all( struct descriptor *descriptor, int on );

/* The calls of descriptors/upcalls.h. At start. */
void helpers_init( void );

/* As connect, for a socket whose own host socket has done it. */
void helpers_connect( struct descriptor *descriptor, const struct sockaddr *address, socklen_t size );

#endif
