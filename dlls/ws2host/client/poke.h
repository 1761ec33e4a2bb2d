/*
 * Pokes: one process telling another that a network event is due again.
 *
 * An event registration is served by the process that made it, but any process may make the re-enabling call. It then
 * sends the owner's I/O thread a datagram with the slot, past the server. A poke is a hint to look, nothing is believed
 * of it; one that is lost (the owner died, its queue is full) loses nothing that the owner could still use.
 */
#ifndef WS2HOST_POKE_H
#define WS2HOST_POKE_H

#include <stdint.h>

struct poke
{
    uint32_t slot;
    uint32_t generation;
};

/* The socket on which this process is poked, made once, non-blocking; -1 and errno. */
int poke_open( void );
/* The next poke received on it; 0 when there is none. */
int poke_receive( int fd, struct poke *poke );
void poke_send( uint32_t client_index, uint32_t slot, uint32_t generation );

#endif
