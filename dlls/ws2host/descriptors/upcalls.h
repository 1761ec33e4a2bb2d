/*
 * What lower floors have to tell higher ones of a descriptor. The higher floors fill this in when the process attaches,
 * before there is a descriptor (calls/process.c); none is NULL after that.
 */
#ifndef WS2HOST_UPCALLS_H
#define WS2HOST_UPCALLS_H

#include "descriptors/descriptor.h"

extern struct upcalls
{
    /* events.c: something that no epoll tells of has changed. */
    void ( *look_again )( struct descriptor *descriptor );
    /* operation.c: goes on with the operations that are queued; what a poll showed, less what they take. */
    void ( *serve )( struct descriptor *descriptor );
    uint32_t ( *filter )( struct descriptor *descriptor, uint32_t revents );
    /* operation_watch.c: the last user has gone, the host descriptor is about to be closed. */
    void ( *unwatch )( struct descriptor *descriptor );
    /* closing.c: it has been taken out of the table because its handle is gone. */
    void ( *lost_consume )( struct descriptor *descriptor );
    /* replacement.c: the descriptor has this set from now on, which whoever watches it has to watch too. */
    void ( *set_made )( struct descriptor *descriptor, struct socket_set *set );
    /* replacement.c: another descriptor's call may have given the shared stream socket another host socket: 1, and this one has
     * it too, from here or from the server. For calls, before they use the host socket; no lock is held. */
    int ( *renew )( struct descriptor *descriptor ); /* called as descriptor_renew */
    /* helpers.c: fetches helpers that other processes have made. */
    void ( *fetch_helpers )( struct descriptor *descriptor );
    /* multicast.c: what IP_MULTICAST_LOOP says, for a helper. */
    void ( *be_deaf )( struct descriptor *descriptor, int fd );
} upcalls;

static inline int descriptor_renew( struct descriptor *d ) { return descriptor_is_shared( d ) && upcalls.renew( d ); }

#endif
