/* SO_LINGER at the closing of a socket: linger.c. */
#ifndef WS2HOST_LINGER_H
#define WS2HOST_LINGER_H

#include "descriptors/descriptor.h"

/* Waits as SO_LINGER says. The descriptor is out of the table and counted still; no lock is held. */
void linger_close( struct descriptor *descriptor );

#endif
