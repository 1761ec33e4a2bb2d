/*
 * Packets of completion ports, kept in this process (port_queue.c): what ends on our sockets, and what the program posts,
 * is taken by the program's threads without a call of wineserver.
 */
#ifndef PORT_QUEUE_H
#define PORT_QUEUE_H

#include "ws2_32_private.h"

struct port_queue;

/* The queue of a port that this process has made, counted; NULL for other handles. */
struct port_queue *port_queue_find( HANDLE port );
void port_queue_hold( struct port_queue *queue );
void port_queue_release( struct port_queue *queue ); /* NULL is none */

/* A socket has come to the port: from now on its packets are kept here. */
void port_queue_begin( struct port_queue *queue );
/* Others than those who look here wait for its packets, or for its being empty: all goes through wineserver from now on. */
void port_queue_share( struct port_queue *queue );
/* A file of the loader's has: its packets come through wineserver. */
void port_queue_foreign( HANDLE port );
/* FALSE: the packet is to go to wineserver. */
BOOL port_queue_post( struct port_queue *queue, ULONG_PTR key, ULONG_PTR value, NTSTATUS status, ULONG_PTR information );

/* Before a handle, of whatever, is closed or duplicated. */
void port_queue_closing( HANDLE handle );
void port_queue_duplicating( HANDLE process, HANDLE handle, BOOL moved );

#endif
