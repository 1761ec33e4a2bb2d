/*
 * Event kicks: one process telling another that a network event is due again.
 *
 * An event registration is served by the process that made it, but any process may make the re-enabling call. It then
 * sends the owner's I/O thread a datagram with the slot, past the server. A kick is a hint to look, nothing is believed
 * of it; one that is lost (the owner died, its queue is full) loses nothing that the owner could still use.
 */
#ifndef WS2HOST_EVENT_KICK_H
#define WS2HOST_EVENT_KICK_H

#include <stdint.h>

struct event_kick
{
    uint32_t slot;
    uint32_t generation;
};

/* The socket on which this process is kicked, made once, non-blocking; -1 and errno. */
int event_kick_open( void );
/* The next kick received on it; 0 when there is none. */
int event_kick_receive( int fd, struct event_kick *kick );
void event_kick_send( uint32_t client_index, uint32_t slot, uint32_t generation );

#endif
