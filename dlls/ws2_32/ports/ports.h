/* Completion ports of sockets (ports.c). */
#ifndef PORTS_H
#define PORTS_H

#include "base/ws2_32_private.h"
#include <winternl.h>

/* FileCompletionInformation. The association is the socket's, not the handle's: STATUS_INVALID_PARAMETER when the socket
 * has one already, made through whichever descriptor. */
NTSTATUS port_associate( HANDLE s, HANDLE port, ULONG_PTR key );
/* FileIoCompletionNotificationInformation: FILE_SKIP_COMPLETION_PORT_ON_SUCCESS, FILE_SKIP_SET_EVENT_ON_HANDLE */
NTSTATUS port_set_modes( HANDLE s, ULONG modes );

/* Around the closing of any handle, which may be a port's: before it (cheap, no lock, for all others), and after it when the
 * first said so. */
BOOL port_closing( HANDLE handle );
void port_closed( void );

/* Queues a packet to a socket's port, whichever process's handle it is. */
void port_post( const struct ws2_port *port, void *value, LONG status, ULONG_PTR information );

/* The same of a request whose status block is filled when its packet is taken. */
void port_post_late( const struct ws2_port *port, void *value, IO_STATUS_BLOCK *iosb, LONG status,
                     ULONG_PTR information );

/* The delivery lock: held by the thread that tells the program of ends in order. It knows its holder, as a program may end that
 * at any instruction. TRUE: taken over from one that was ended. */
BOOL port_delivery_begin( void );
void port_delivery_end( void );
/* What a status block shows is in its port when nobody holds the lock: waits for that. */
void port_delivery_settle( void );
/* What is being set, from before the status or the packet can be seen: who sees one of them finds the event set, and may use
 * it again at once. */
extern HANDLE volatile port_delivering_event;
extern void *volatile port_delivering_value; /* of the packet that goes with it */
void port_deliver_event( HANDLE event, void *value );
void port_wait_for_event( HANDLE event );

/* Our own handle of a port of the program's, by which packets reach it also when the program has closed its handle. */
NTSTATUS port_keep( HANDLE theirs, HANDLE *ours );

#endif
