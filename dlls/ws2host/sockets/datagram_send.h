/*
 * Sends and connects of datagram sockets that the host refuses and Windows does not: to broadcast addresses on a socket that
 * is connected to one, to groups and 255.255.255.255 without a route, to port 0. All of it comes after the host's refusal
 * and costs nobody else anything. No state.
 */
#ifndef WS2HOST_DATAGRAM_SEND_H
#define WS2HOST_DATAGRAM_SEND_H

#include <errno.h>
#include <sys/socket.h>
#include "sockets/socket.h"
#include "sockets/vectors.h"

/* What Winsock says of an address to send a datagram to: 0 or an error. */
int32_t datagram_check_destination( const union host_address *address );

/* The host has refused to send message with `error`: the bytes sent after all, or -1 and errno. */
ssize_t datagram_send_anyway( struct descriptor *descriptor, const struct msghdr *message, int flags, int error );

/* sendmsg of a socket of any type, in any number of buffers. */
static inline ssize_t datagram_sendmsg( struct descriptor *d, const struct msghdr *message, int flags )
{
    ssize_t n = vectors_sendmsg( d->fd, message, flags );

    if ( n >= 0 || errno == EAGAIN || errno == EINTR || d->slot->type != SOCK_DGRAM ) return n;
    return datagram_send_anyway( d, message, flags, errno );
}

/* connect, of a datagram socket: 0, or -1 and errno. */
int datagram_connect_host( int fd, const union host_address *address, socklen_t size );

#endif
