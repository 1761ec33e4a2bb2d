/* What the files of the operations share. */
#ifndef WS2HOST_OPERATION_PRIVATE_H
#define WS2HOST_OPERATION_PRIVATE_H

#include "base/io_loop.h"
#include "operations/operation.h"

/* --- operation_end.c */

/* It was never queued: its own memory goes, nothing is released. */
void operation_free( struct operation *operation );
/* It is out of its queue; the program is to be told, or nobody. */
void operation_end( struct operation *operation );
/* Internal operations: rests of sends that are under way. */
extern _Atomic uint32_t operation_background_sends;

/* --- operation_watch.c; but for the first the queues' lock is held */

/* Takes the lock of the descriptor's queues, from a dead thread, too, and mends what that left. Given back by owner_lock_give. */
void operation_lock( struct descriptor *d );

/* The queue's host events are watched from now on. Winsock codes. */
int32_t operation_watch( struct descriptor *d, enum operation_queue queue );
/* Out of the epoll; and, with what is queued, into it once more. */
void operation_forget( struct descriptor *d );
void operation_watch_again( struct descriptor *d );
/* Listeners that are watched exclusively: whether there are any, and those, counted, that there is room for; no lock held. */
int operation_has_exclusive( void );
unsigned int operation_exclusive( struct descriptor **listeners, unsigned int room );
void operation_watch_init( void );

/* --- operation.c */

/* Until those that were between two queues are in the next: who looks for an operation in all of them looks afterwards. No lock
 * of queues is held. */
void operation_await_moves( void );
/* What is after `before` (NULL: the first) leaves the queue, whose lock is held. */
void operation_take_out( struct descriptor *d, struct operation *before, struct operation *operation );
/* The same, and it ends: WSA_OPERATION_ABORTED. */
void operation_abort( struct descriptor *d, struct operation *before, struct operation *operation );
/* The AcceptEx in the listener's queue, whose lock is held, that waits for a connection with this acceptor, and the one before
 * it; NULL. */
struct operation *operation_of_acceptor( const struct descriptor *listener, const struct descriptor *acceptor,
                                         struct operation **before );
/* The listener's AcceptEx waits with this descriptor of its acceptor from now on; 0: that is being closed, by a thread that may
 * have looked before. Of the two one sees the other. */
static inline int operation_set_accepting( struct descriptor *acceptor, struct descriptor *listener )
{
    atomic_store( &acceptor->queues.accepting, listener );
    return !atomic_load( &acceptor->closing );
}
/* The epoll shows a descriptor, value being its address: serves it. */
void operation_edge( uint64_t value, uint32_t events );

#endif
