/*
 * Packets of completion ports, kept in this process (port_queue.c): what ends on our sockets, and what the program posts,
 * is taken by the program's threads without a call of wineserver.
 */
#ifndef PORT_QUEUE_H
#define PORT_QUEUE_H

#include "base/ws2_32_private.h"
#include "ntdll/hooks.h"

struct port_queue;

/* The queue of a port that this process has made, counted; NULL for other handles. */
struct port_queue *port_queue_find( HANDLE port );
/* The same of a port that was made before anything stood in at ntdll; NULL when others have handles of it. */
struct port_queue *port_queue_adopt( HANDLE port );
/* The id of a queue's port in port_list.c; and the queue of that id, counted, if the calling thread takes packets there and it has its
 * handle still. */
void port_queue_name( struct port_queue *queue, UINT32 id );
struct port_queue *port_queue_own( UINT32 id );
void port_queue_hold( struct port_queue *queue );
void port_queue_release( struct port_queue *queue ); /* NULL is none */

/* A socket comes to the port: from now on its packets are kept here. What port_associate takes as the queue. */
UINT64 port_queue_begin( struct port_queue *queue );
/* Others than those who look here wait for its packets, or for its being empty: all goes through wineserver from now on. */
void port_queue_share( struct port_queue *queue );
/* A file of the loader's has come to the port. */
void port_queue_foreign( HANDLE port );
/* FALSE: the packet is to go to wineserver. late: filled when the packet is taken; NULL for none. */
BOOL port_queue_post( struct port_queue *queue, ULONG_PTR key, ULONG_PTR value, IO_STATUS_BLOCK *late, NTSTATUS status,
                      ULONG_PTR information );
void port_queue_fill( IO_STATUS_BLOCK *iosb, NTSTATUS status, ULONG_PTR information );

/* Before a handle, of whatever, is closed, duplicated, or made one that child processes get. */
void port_queue_closing( HANDLE handle );
void port_queue_duplicating( HANDLE handle, BOOL moved );
void port_queue_inheriting( HANDLE handle );

/* The calling thread ends (port_take.c). */
struct port_user;
void port_user_ends( struct port_user *user );

#endif
