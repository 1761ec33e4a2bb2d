/*
 * Notifications (ProcessSocketNotifications): conditions of sockets, told of by packets at completion ports.
 *
 * A registration belongs to a descriptor of this process, has an entry in an epoll of its own, edge-triggered, and is
 * guarded with all others by one mutex. When a packet is due is decided here; the PE side queues it, one thread at a time,
 * so that the one that tells of a removal is the last. Of a registration that tells of a level again and again one packet
 * is outstanding at most: until the program has taken it there is nothing to add.
 */
#ifndef WS2HOST_NOTIFY_H
#define WS2HOST_NOTIFY_H

#include "descriptors/descriptor.h"

/* The descriptor is going away. */
void notify_forget( struct descriptor *d );
/* Its host socket is about to be replaced, and has been. */
void notify_unwatch( struct descriptor *d );
void notify_watch_again( struct descriptor *d );
/* Registers with the I/O loop. At start. */
void notify_init( void );

/* A send met WSAEWOULDBLOCK: that there is room will be news. */
static inline void notify_send_blocked( struct descriptor *d )
{
    if ( atomic_load_explicit( &d->notification, memory_order_relaxed ) ) atomic_store( &d->notified_room, 0 );
}

#endif
