/* Connecting, tried once. */
#ifndef WS2HOST_ATTEMPT_H
#define WS2HOST_ATTEMPT_H

#include "sockets/socket.h"

/* Begins a stream connection: 0, WSAEWOULDBLOCK (under way), or the error. Of one that is made at once the host tells nobody:
 * the network events have been told, polls of \Device\Afd are the caller's to look at. */
int32_t connect_begin( struct descriptor *descriptor, const union host_address *address, socklen_t size,
                       const struct given_name *given );

#endif
