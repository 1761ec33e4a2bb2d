/* Addresses of AF_UNIX sockets: how a Windows path goes to the host half (local_addresses.c). */
#ifndef LOCAL_ADDRESSES_H
#define LOCAL_ADDRESSES_H

#include "base/ws2_32_private.h"

#define LOCAL_ADDRESS_SIZE 110 /* of SOCKADDR_UN */

/* Of an address of a family that sockets have. */
static inline int address_length( int family )
{
    switch ( family )
    {
    case AF_INET: return sizeof( struct sockaddr_in );
    case AF_INET6: return sizeof( struct sockaddr_in6 );
    default: return LOCAL_ADDRESS_SIZE;
    }
}

/* Whether this process has named such a socket by a path, ever. */
extern BOOL local_paths_used;

/* An AF_UNIX address of the program's for an AF_UNIX socket: *name and *size are changed to stand for local. Other addresses,
 * and those for other sockets, are left as they are. */
int local_address_to_host( SOCKET s, const struct sockaddr **name, int *size, struct ws2_local_address *local );

#endif
