/*
 * A request belongs to the socket, not to the handle that it was made through. When a descriptor goes and the process has
 * another of the same socket, that one, the survivor, takes over what waits in the queues. The queues' locks are taken one
 * at a time.
 */
#ifndef WS2HOST_SURVIVOR_H
#define WS2HOST_SURVIVOR_H

#include "operations/operation.h"

/* All that waits goes on with the survivor, the descriptor being out of the table already. */
void survivor_take_over( struct descriptor *descriptor, struct descriptor *survivor );
/* The same of the AcceptEx of the listener's that waits with the descriptor as its acceptor: 0 when it has ended. */
int survivor_accepts( struct descriptor *listener, struct descriptor *descriptor, struct descriptor *survivor );

#endif
