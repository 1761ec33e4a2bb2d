/*
 * Raw sockets of ICMP for who may not have them: the host's ping sockets stand in, as far as they go. They send echo requests
 * and receive what answers them. The host puts a number of its own into the requests and shows no IP header; here the program
 * gets its number back, and of IPv4 a header that is made up.
 */
#ifndef WS2HOST_ECHO_H
#define WS2HOST_ECHO_H

#include "sockets/option_bits.h"

/* A ping socket for a raw one of that family and protocol: -1 and errno, EACCES where the host has none for us. */
int echo_socket( uint32_t family, uint32_t protocol );
/* A new raw socket's slot learns whether its host socket is one. */
void echo_mark( struct descriptor *descriptor );

static inline int echo_stands_in( const struct descriptor *d )
{
    return d->slot->type == SOCK_RAW && option_bit( d->slot, BIT_ECHO );
}

/* The program sends a request with this number, the two bytes as they stand in it. */
void echo_sends( struct descriptor *descriptor, uint8_t first, uint8_t second );
/* As recvmsg; header may be NULL. Sets *truncated. What cannot be written to the buffers stays: EFAULT. */
ssize_t echo_receive( struct descriptor *descriptor, const struct iovec *vectors, size_t count, struct msghdr *header,
                      int flags, uint8_t *truncated );

#endif
