/*
 * Sends of a socket whose SO_SNDBUF is 0. Windows sends such bytes from the program's own buffer, so that an overlapped send
 * pends, and ends when the peer has taken them. The host has copied them; what is waited for is that it has sent the last
 * one. Where that is so at once, the send still ends behind the call.
 */
#ifndef WS2HOST_UNBUFFERED_H
#define WS2HOST_UNBUFFERED_H

#include "descriptors/descriptor.h"

/* Does what is sent on the socket wait for the peer? */
int unbuffered_sends( const struct descriptor *descriptor );
/* The host has been given all bytes of a send: 1 when that is its end, else an edge for sending follows. The lock of the
 * descriptor's queues is held. */
int unbuffered_sent( struct descriptor *descriptor );
/* Nothing is waited for any more. */
void unbuffered_ends( struct descriptor *descriptor );

#endif
