/*
 * ICMP errors of datagram sockets. On Windows the next receive tells of one, whether the socket is connected or not, and a
 * send never does. The host keeps them in a queue beside the datagrams (IP_RECVERR) and ends the next call with the last,
 * whichever call that is: what a send or a poll finds is put down in the slot, for the next receive of any process.
 * No locks; two that look at once may tell of one error less.
 */
#ifndef WS2HOST_DATAGRAM_ERRORS_H
#define WS2HOST_DATAGRAM_ERRORS_H

#include "descriptors/descriptor.h"

/* Has the host keep the errors of a new socket of Windows' family. */
void datagram_errors_enable( int fd, uint32_t family );

/* One is put down: the next receive tells of it. */
static inline int datagram_error_known( const struct descriptor *d )
{
    return ( descriptor_flags( d ) & WS2_FLAG_DATAGRAM_ERROR ) && d->slot->type == SOCK_DGRAM;
}
/* It, as an error of Winsock's; 0 when another thread was first. */
int32_t datagram_error_take( struct descriptor *descriptor );

/* Empties the host's queue, for a socket that a poll shows an error of. */
void datagram_errors_look( struct descriptor *descriptor );

/* A receive has ended with `error` of the host's: what it is to tell, 0 for nothing, so that it is tried again; -1 when the
 * error is the receive's own. */
int32_t datagram_error_received( struct descriptor *descriptor, int error );

/* A send has ended with `error` of the host's, `*tries` times before: whether it is to be tried again, as the error belongs
 * to an earlier one. */
int datagram_error_sent( struct descriptor *descriptor, int error, int *tries );

/* SIO_UDP_CONNRESET or SIO_UDP_NETRESET has been turned off. */
void datagram_errors_forget( struct descriptor *descriptor );

#endif
