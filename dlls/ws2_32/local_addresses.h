/* Addresses of AF_UNIX sockets: Windows paths outside, host paths inside (local_addresses.c). */
#ifndef LOCAL_ADDRESSES_H
#define LOCAL_ADDRESSES_H

#include "ws2_32_private.h"

#define LOCAL_ADDRESS_SIZE 110 /* of SOCKADDR_UN */

/* An address of the program's with its path as the host has it: *name and *size are changed to stand for host, unless
 * the address is of another family. */
int local_address_to_host( const struct sockaddr **name, int *size, char host[LOCAL_ADDRESS_SIZE] );
/* An address that the host half has written into memory of the program's, as the program knows it. */
int local_address_from_host( struct sockaddr *name );

#endif
