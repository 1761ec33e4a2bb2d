/*
 * Events that are served in the process: which event objects have an epoll of their own, and who looks after it.
 *
 * The sockets that set such an event stand in its epoll instead of the common one. While threads wait for the event, and for a
 * moment after that, they see to it (event_waits.c) and the I/O thread does not; its next turn but one takes over again. What
 * was set and not told to wineserver is told by the I/O thread's turn, too, when the program has left it so for a moment.
 */
#ifndef WS2HOST_EVENT_SERVING_H
#define WS2HOST_EVENT_SERVING_H

#include "base/unix_private.h"

/* The lowest of a set of events, a bit each, which is not empty; it goes out of the set. */
static inline uint32_t serving_next( uint64_t *mask )
{
    const uint32_t index = __builtin_ctzll( *mask );

    *mask &= *mask - 1;
    return index;
}

/* The epoll of the event that is the target of a registration, -1: it has none. */
int serving_epoll( uint32_t target );
int serving_epoll_of( uint32_t index );
uint32_t serving_target_of( uint32_t index );
struct ws2_served_event *serving_state_of( uint32_t index );

/* Begins, ends: from now on serving_epoll finds it, or does not. Winsock codes. */
int32_t serving_begin( const struct ws2_event_serve_params *params );
void serving_end( uint32_t index );

/* The calling thread looks after these, from its wait_served_begin to its wait_served_end; they are the I/O thread's again some time
 * after the last has left, `now` at once. */
void serving_enter( uint64_t mask );
void serving_leave( uint64_t mask, int now );
/* Whether the calling thread, and no other, waits in the event's epoll itself, until it says that this has ended. */
int serving_single_begins( uint32_t index );
void serving_single_ends( uint32_t index );
/* Whoever waits for one of them looks again. */
void serving_wake( uint64_t mask );
/* The epoll of the event of that number has shown that. */
void serving_woken( uint64_t index );
/* The event has been set, and wineserver is to be told later. */
void serving_defer( uint32_t index );

/* The I/O thread's: the event of an entry's value, its turn, and when it wants one. */
uint64_t serving_bit( uint64_t value );
void serving_turn( struct ws2_io_wait_params *params );
int serving_timeout( void );

#endif
