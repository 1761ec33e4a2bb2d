/* The state of a stream connection being made (endpoint.c): shared by connect, select, the options and the events. */
#ifndef WS2HOST_CONNECT_H
#define WS2HOST_CONNECT_H

#include "sockets/socket.h"

enum connect_state
{
    CONNECT_PENDING,
    CONNECT_DONE, /* or never begun */
    CONNECT_FAILED
};

int32_t connect_begin( struct descriptor *descriptor, const union host_address *address, socklen_t size );
/* Looks whether a connection under way is made or has failed, and takes the outcome down in the slot. Costs nothing when
 * none is under way. */
enum connect_state connect_check( struct descriptor *descriptor );
/* The time of a connection that was accepted. */
void endpoint_connected_now( struct descriptor *descriptor );
/* How long it has been connected; 0 when it has not been. */
#define CONNECT_CLOCK 64 /* ticks a second of the slot's connect_time */
int endpoint_connected_ms( const struct descriptor *descriptor, uint64_t *ms );
/* A connection that the program's condition function put off, or NULL. */
struct descriptor *endpoint_take_deferred( struct descriptor *listener );
/* Takes down that the socket is connected. */
void connect_done( struct descriptor *descriptor );

#endif
