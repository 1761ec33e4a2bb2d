/* The state of a stream connection being made: shared by connect, select, the options and the events. */
#ifndef WS2HOST_CONNECT_H
#define WS2HOST_CONNECT_H

#include <time.h>
#include "sockets/socket.h"

/* The slot's connect_time: ticks of which 64 are a second, never 0. */
#define CONNECT_CLOCK 64
static inline uint32_t connect_clock( void )
{
    struct timespec now;
    uint32_t ticks;

    clock_gettime( CLOCK_MONOTONIC_COARSE, &now );
    ticks = now.tv_sec * CONNECT_CLOCK + now.tv_nsec / ( 1000000000 / CONNECT_CLOCK );
    return ticks ? ticks : 1;
}

/* How long it has been connected, in ms; 0 when it has not been. */
static inline int connect_age( const struct descriptor *descriptor, uint64_t *ms )
{
    const uint32_t since = atomic_load( &descriptor->slot->connect_time );

    if ( since ) *ms = ( connect_clock() - since ) * 1000ull / CONNECT_CLOCK;
    return since != 0;
}

enum connect_state
{
    CONNECT_PENDING,
    CONNECT_DONE, /* or never begun */
    CONNECT_FAILED
};

/* Looks whether a connection under way is made or has failed, and takes the outcome down in the slot. Costs nothing when
 * none is under way. */
enum connect_state connect_check( struct descriptor *descriptor );
/* Takes down that the socket is connected; that its connection has failed (a Winsock code), in SO_ERROR too unless the caller
 * is told directly. */
void connect_done( struct descriptor *descriptor );
void connect_failed( struct descriptor *descriptor, int32_t error, int told );
/* On Windows a socket whose connect failed is as it was before: bound where it was, free to listen or to connect elsewhere. */
void connect_reset( struct descriptor *descriptor );
/* The other end's name, from the beginning of the connection until the socket is closed. errno, as getpeername. */
int connect_peer( const struct descriptor *descriptor, union host_address *address, socklen_t *size );
/* Under way by connect(), and not by ConnectEx, which waits in the queue of sends. */
static inline int connect_by_call( const struct descriptor *descriptor )
{
    return ( descriptor_flags( descriptor ) & WS2_FLAG_CONNECTING ) && !descriptor_queued( descriptor, QUEUE_SEND );
}
/* SO_CONNECT_TIME counts from now on. */
void connect_time_now( struct descriptor *descriptor );

/* --- connect_limit.c: the time after which a connection that nobody answers is given up */
#define CONNECT_INITIAL_RTO 3000 /* ms */
#define CONNECT_RETRANSMISSIONS 2
/* The host has begun to connect to peer; and the connection is made. */
void connect_limit_begins( struct descriptor *descriptor, const union host_address *peer );
void connect_limit_ends( struct descriptor *descriptor );
/* ms that are left for another attempt, 0 when there is to be none; and that it has been begun. */
uint32_t connect_limit_left( const struct descriptor *descriptor );
void connect_limit_continues( struct descriptor *descriptor, uint32_t ms );
/* The connection that has timed out was to this computer. */
int connect_limit_was_here( const struct descriptor *descriptor );
/* Connections of this socket are given up after so many SYNs beside the first, which waits for first_ms. */
void connect_limit_set( struct descriptor *descriptor, uint32_t first_ms, uint32_t retransmissions );

#endif
