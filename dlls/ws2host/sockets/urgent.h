/*
 * Urgent bytes that ordinary data was read past. Windows keeps them for MSG_OOB, and its mark stays unreached; the host
 * forgets them. To notice costs system calls, so it is done for descriptors whose program has asked where the mark is
 * (SIOCATMARK), and for no others; any thread.
 */
#ifndef WS2HOST_URGENT_H
#define WS2HOST_URGENT_H

#include "descriptors/descriptor.h"
#include "sockets/windows_message.h"

/* SIOCATMARK: whether no urgent byte is outstanding; from now on the descriptor is watched. */
int urgent_at_mark( struct descriptor *descriptor );

/* Before an ordinary receive: the urgent byte that it may pass, -1 for none. After it: is it still there? */
int urgent_look_slow( struct descriptor *descriptor );
void urgent_passed_slow( struct descriptor *descriptor, int byte );
static inline int urgent_look( struct descriptor *d, uint32_t flags )
{
    if ( !( atomic_load_explicit( &d->local, memory_order_relaxed ) & LOCAL_MARK_WATCHED ) ) return -1;
    return flags & ( WS_MSG_OOB | WS_MSG_PEEK ) ? -1 : urgent_look_slow( d );
}
static inline void urgent_passed( struct descriptor *d, int byte )
{
    if ( byte >= 0 ) urgent_passed_slow( d, byte );
}

/* MSG_OOB: the byte that was kept; 0 when there is none. */
int urgent_fetch( struct descriptor *descriptor, uint32_t flags, uint8_t *byte );

/* SO_OOBINLINE has been turned on: the host gives an urgent byte that was fetched by MSG_OOB before once more, Windows
 * does not. */
void urgent_inlined( struct descriptor *descriptor );

#endif
