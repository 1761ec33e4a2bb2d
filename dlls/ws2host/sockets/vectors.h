/* System calls of transfers: one buffer, and datagrams in more buffers than the host takes in one call. */
#ifndef WS2HOST_VECTORS_H
#define WS2HOST_VECTORS_H

#include <limits.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include "descriptors/socket_set.h"

/* recv and send without the C library's look for cancellation, which no thread here is ended by, and which costs two locked
 * instructions in a process of several threads. */
static inline ssize_t vectors_recv_one( int fd, void *buffer, size_t size, int flags )
{
    return syscall( SYS_recvfrom, fd, buffer, size, flags, NULL, NULL );
}
static inline ssize_t vectors_send_one( int fd, const void *buffer, size_t size, int flags )
{
    return syscall( SYS_sendto, fd, buffer, size, flags, NULL, 0 );
}

/* As sendmsg and recvmsg, for one datagram in more than IOV_MAX buffers. */
ssize_t vectors_send( int fd, const struct msghdr *message, int flags );
ssize_t vectors_receive( int fd, struct msghdr *message, int flags );

/* Copies the caller's WSABUFs, and their sum (UINT32_MAX if it is more) to *total; may fault. */
void vectors_read( uint64_t user, uint32_t count, struct iovec *vectors, uint32_t *total );

/* How many of the vectors one call takes: a stream's go in several, a datagram's all in one. */
static inline size_t vectors_count( size_t count, uint32_t type )
{
    return count < IOV_MAX || type != SOCK_STREAM ? count : IOV_MAX;
}

static inline ssize_t vectors_sendmsg( int fd, const struct msghdr *message, int flags )
{
    return message->msg_iovlen <= IOV_MAX ? sendmsg( fd, message, flags ) : vectors_send( fd, message, flags );
}

static inline ssize_t vectors_recvmsg( int fd, struct msghdr *message, int flags )
{
    return message->msg_iovlen <= IOV_MAX ? recvmsg( fd, message, flags ) : vectors_receive( fd, message, flags );
}

/* The same from whichever host socket of a descriptor has something. */
static inline ssize_t vectors_receive_any( struct descriptor *d, struct msghdr *message, int flags )
{
    if ( socket_set_of( d ) ) return socket_set_recvmsg( d, message, flags, vectors_receive );
    return vectors_recvmsg( d->fd, message, flags );
}

#endif
