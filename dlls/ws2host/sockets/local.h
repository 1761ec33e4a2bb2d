/*
 * Names of AF_UNIX sockets.
 *
 * On Windows the name of such a socket is a file that every program can see and delete, by a path of 107 bytes as long as
 * the host's may be. The host's own socket files are neither seen nor deleted by the loader's file functions, and their
 * paths have a limit of their own. So a program's bind makes an ordinary file at its path, and binds the host socket to a
 * node in the server directory, local-NUMBER, NUMBER of 64 random bits; the file holds the node's path. Whoever connects
 * reads it there. So may a program of the host: `socat - UNIX-CONNECT:"$(cat FILE)"`. What a program of the host has bound
 * is a socket file, and connected to as it is. The path as the program gave it is the target of a symbolic link beside the
 * node, local-NUMBER.name, from where each process that has the socket tells it.
 *
 * The directory is this user's alone, as are the files: nobody else connects, or takes a node's place. A file whose socket
 * was closed, or killed, names a node at which nobody listens; a file that was deleted is found no more, and one made after
 * it has another number, whatever its inode. What is left in the directory is swept up by later binds, when there is no
 * socket of that number any more.
 */
#ifndef WS2HOST_LOCAL_H
#define WS2HOST_LOCAL_H

#include "sockets/socket.h"

/* Reads the address that the PE side has made of the program's. Errors as address_read. */
int32_t local_read( uint64_t pointer, uint32_t size, struct ws2_local_address *address );

int32_t local_bind( struct descriptor *d, const struct ws2_local_address *address );

/* The host's address of what is to be connected to, of the size LOCAL_NOBODY when nobody can be there. */
int32_t local_peer( const struct ws2_local_address *address, union host_address *host, socklen_t *size );
#define LOCAL_NOBODY ( (socklen_t)sizeof( sa_family_t ) )

/* sun_path as the program knows it that gave the name: 108 bytes. A path of the host is told as one of drive Z:. */
void local_name( const struct sockaddr_un *address, socklen_t size, char *given );

/* A socket of ours is to be bound in the place of another that had the address. */
void local_let_go( const struct sockaddr_un *address );

/* Whether the host socket has a name at either end: a pair that a program of the host made has none. */
int local_has_name( int fd );

#endif
