/*
 * Sends of a socket whose SO_SNDBUF is 0. Windows sends such bytes from the program's own buffer, so that an overlapped send
 * ends when the peer has taken them. The host has copied them; what is waited for is that it has sent the last one. Called
 * with the lock of the descriptor's queues held.
 */
#ifndef WS2HOST_UNBUFFERED_H
#define WS2HOST_UNBUFFERED_H

#include "descriptors/descriptor.h"

/* The host has been given all bytes of a send: 1 when that is its end, else an edge for sending follows. */
int unbuffered_sent( struct descriptor *descriptor );
/* Nothing is waited for any more. */
void unbuffered_ends( struct descriptor *descriptor );

#endif
