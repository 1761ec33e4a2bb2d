/*
 * Changes of the host's addresses and routes, for whoever has asked to be told of them.
 *
 * A kind of change is watched by one netlink socket in the I/O thread's epoll, from the first request for it on; a process
 * that asks for none has none. Requests with an OVERLAPPED wait in their descriptor's queue (operation_change.c); the others
 * arm the socket (a bit of its slot), and the next change records FD_ADDRESS_LIST_CHANGE or FD_ROUTING_INTERFACE_CHANGE,
 * once. The process that has the registration does that, or while there is none whichever comes first.
 */
#ifndef WS2HOST_CHANGES_H
#define WS2HOST_CHANGES_H

#include "descriptors/descriptor.h"

/* What a socket's requests are about: addresses or routes, of its family. */
uint32_t changes_kind( const struct descriptor *descriptor, int routes );
/* A host descriptor that becomes readable when there is a change. */
int changes_open( uint32_t kind );
/* How often it has changed since it is watched. */
uint32_t changes_count( uint32_t kind );
/* From now on the I/O thread looks; 0 or a Winsock code. */
int32_t changes_watch( uint32_t kind, uint32_t *need_io_thread );

/* The ioctl without an OVERLAPPED on a non-blocking socket: the next change is told as a network event. */
int32_t changes_arm( struct descriptor *descriptor, int routes, uint32_t *need_io_thread );
/* An event registration of this process's has been made, or another process has armed the socket. */
void changes_registered( struct descriptor *descriptor );

/* Registers with the I/O loop. At start. */
void changes_init( void );

#endif
