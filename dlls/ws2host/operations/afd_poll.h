/*
 * IOCTL_AFD_POLL: requests that wait for conditions of several sockets at once (afd_poll.c).
 *
 * A request belongs to the handle that it was issued on, which need not be one of the sockets, and stands in the list of
 * each socket that it watches. Everything here is guarded by one mutex, under which no memory of the caller's is touched.
 */
#ifndef WS2HOST_AFD_POLL_H
#define WS2HOST_AFD_POLL_H

#include "descriptors/descriptor.h"

/* Looks whether requests that watch the socket have come to their end; for changes that the host's poll does not show. */
void afd_poll_look_slow( struct descriptor *descriptor );
static inline void afd_poll_look( struct descriptor *d )
{
    if ( atomic_load_explicit( &d->polls, memory_order_relaxed ) ) afd_poll_look_slow( d );
}

/* Around the replacing of the host socket behind a descriptor. */
void afd_poll_forget( struct descriptor *descriptor );
void afd_poll_watch_again( struct descriptor *descriptor );

/* The descriptor goes away. elsewhere: the socket lives on, by descriptors that the server counts or by handles that nobody
 * has used yet; survivor: a descriptor of such a one in this process, which takes the requests over, or NULL. Returns how many
 * requests ended. */
uint32_t afd_poll_close( struct descriptor *descriptor, struct descriptor *survivor, int elsewhere );

/* Cancels requests issued on a descriptor (NULL: any); iosb and thread_id 0: any; keep_ports: not those that a completion
 * port alone is told of. Returns how many. */
uint32_t afd_poll_cancel( struct descriptor *owner, uint64_t iosb, uint32_t thread_id, uint32_t keep_ports );

/* Registers with the I/O loop. At start. */
void afd_poll_init( void );

#endif
