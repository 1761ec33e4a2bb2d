/* The slot's copy of what the socket is bound to, for the bind rules and for people who look at the table. */
#ifndef WS2HOST_ENDPOINT_H
#define WS2HOST_ENDPOINT_H

#include "sockets/socket.h"

void endpoint_copy( struct descriptor *descriptor, const union host_address *address );
/* The host has bound the socket, by itself perhaps: it is bound, and where is copied. */
void endpoint_remember( struct descriptor *descriptor );
/* Is it not bound, as far as this descriptor knows? */
static inline int endpoint_unknown( const struct descriptor *d )
{
    return !( descriptor_flags( d ) & WS2_FLAG_BOUND ) ||
           ( atomic_load_explicit( &d->local, memory_order_relaxed ) & LOCAL_UNBOUND );
}
void endpoint_forget( struct descriptor *descriptor );

#endif
