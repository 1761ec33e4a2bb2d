/* Host sockets becoming descriptors (socket.c), and socket addresses crossing the boundary (address.c, peer_address.c). */
#ifndef WS2HOST_SOCKET_H
#define WS2HOST_SOCKET_H

#include <sys/socket.h>
#include <sys/un.h>
#include <netinet/in.h>
#include "descriptors/descriptor.h"

/* A slot and a descriptor for a host socket of the given Windows family, type and protocol. The slot's flags are set to
 * flags. */
int32_t socket_wrap_consume( int fd, uint32_t family, uint32_t type, uint32_t protocol, uint32_t flags,
                             struct descriptor **descriptor );

/* A host socket of Windows' family, type and protocol, as a new SOCKET has it; -1 and errno. */
int socket_host( uint32_t family, uint32_t type, uint32_t protocol );

union host_address
{
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct sockaddr_un un;
    struct sockaddr_storage storage;
};

#define WS_AF_UNSPEC 0
#define WS_AF_UNIX 1
#define WS_AF_INET 2
#define WS_AF_INET6 23

/* Of several sockets of the prefix at one port the earliest gets all (bind.c); for those that have joined it. */
void bind_prefer_earliest( struct descriptor *descriptor );

/* Size of a family's socket address on Windows, 0 for a family that is unknown. */
uint32_t address_size( uint32_t family );

/* Reads an address of the caller's for a socket of the family given; may fault. WSAEFAULT: too short;
 * WSAEAFNOSUPPORT: another family. */
int32_t address_read( uint32_t family, uint64_t pointer, uint32_t size, union host_address *address,
                      socklen_t *host_size );

/* What a program called the AF_UNIX socket to which it connects, when the host does not know it by that name: empty if it
 * does. */
struct given_name
{
    char path[108];
};

/* The same for a socket to connect to, whose address is one of ws2_local_address for AF_UNIX. */
int32_t address_read_peer( uint32_t family, uint64_t pointer, uint32_t size, union host_address *address,
                           socklen_t *host_size, struct given_name *given );

/* The host socket has been connected by that name, and has it from now on, whoever holds it. */
void given_name_keep( int fd, const struct given_name *given );
void given_name_of( int fd, struct given_name *given );

/* An address in Windows' form, its size; windows has room for a union host_address. */
uint32_t address_to_windows( const union host_address *address, socklen_t host_size, void *windows );

/* Writes an address in Windows' form and its size; may fault. Either pointer may be 0, then nothing is written.
 * WSAEFAULT when *size_pointer is too small. */
int32_t address_write( const union host_address *address, socklen_t host_size, uint64_t pointer,
                       uint64_t size_pointer );
/* The same of the peer of a host socket, which may have been connected by another name. */
int32_t address_write_peer( const union host_address *address, socklen_t host_size, const struct given_name *given,
                            uint64_t pointer, uint64_t size_pointer );
/* The same of the socket's own address: a path is as long as it is, and has a NUL. */
int32_t address_write_own( const union host_address *address, socklen_t host_size, uint64_t pointer,
                           uint64_t size_pointer );

#endif
