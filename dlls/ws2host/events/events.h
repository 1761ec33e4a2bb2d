/*
 * Network events: a socket's one registration, what is recorded for it, and the process's epoll that notices.
 *
 * The record stands in the slot (table.h), for every process the same. The process that made the registration has the
 * socket in its epoll, edge-triggered; its I/O thread (a thread of the PE side, inside unix_io_wait) records what it is
 * told and has the PE side set the event object. Any thread of any process may re-enable.
 */
#ifndef WS2HOST_EVENTS_H
#define WS2HOST_EVENTS_H

#include "descriptors/descriptor.h"

enum network_event
{
    WS2_FD_READ = 0x1,
    WS2_FD_WRITE = 0x2,
    WS2_FD_OOB = 0x4,
    WS2_FD_ACCEPT = 0x8,
    WS2_FD_CONNECT = 0x10,
    WS2_FD_CLOSE = 0x20,
    WS2_FD_ROUTING_INTERFACE_CHANGE = 0x100,
    WS2_FD_ADDRESS_LIST_CHANGE = 0x200
};

void events_reenable_slow( struct descriptor *descriptor, uint32_t event );

/* A re-enabling call has been made: the event is due again if its condition still holds. Free of system calls on a socket
 * without a registration. */
static inline void events_reenable( struct descriptor *d, uint32_t event )
{
    if ( atomic_load_explicit( &d->slot->events, memory_order_relaxed ) ) events_reenable_slow( d, event );
}

/* A send met WSAEWOULDBLOCK: FD_WRITE is due when there is room again. */
void events_send_blocked( struct descriptor *descriptor );

void events_sent_slow( struct descriptor *descriptor );

/* The host has taken what was sent, at once or after a wait: a stream's FD_WRITE, if it was told, is news to the next
 * registration. */
static inline void events_sent( struct descriptor *d )
{
    if ( atomic_load_explicit( &d->slot->events, memory_order_relaxed ) ) events_sent_slow( d );
}

/* Something that no epoll tells of has changed: what holds now is recorded. */
void events_look_again( struct descriptor *descriptor );

/* Events that no poll shows have come: they are recorded. The I/O thread's; what to tell in action, 0 when that is nothing. */
struct ws2_io_action;
int events_arrived( struct descriptor *descriptor, uint32_t events, struct ws2_io_action *action );

/* A connection has been begun: what was recorded of an earlier one does not count. */
void events_connect_begins( struct descriptor *descriptor );

/* --- for the files of the events */

/* What an epoll of network events shows: actions for it, at most `room`. */
uint32_t events_take( int epoll, struct ws2_io_action *actions, uint32_t room );
/* The same of what has been taken out already. */
struct epoll_event;
uint32_t events_act( const struct epoll_event *events, int count, struct ws2_io_action *actions );

/* The epoll of the network events, made on first need; *made as in io_loop_open. Winsock codes. */
int32_t events_open( uint32_t *made );
/* Puts the socket into the process's epoll, or gives its entry there the new generation. */
int32_t events_watch( struct descriptor *descriptor, uint32_t generation );
/* Records what holds, of an arrival or not; what to tell the program in action, 0 when it is nothing. */
int events_look( struct descriptor *descriptor, uint32_t revents, uint32_t arrivals, uint32_t generation,
                 struct ws2_io_action *action );

/* Kicks of other processes come to this one's I/O loop from now on, which is there. Without it only their re-enabling calls
 * go unnoticed. */
void events_receive_kicks( void );

/* --- for everybody */

/* Registers with the I/O loop, fills in the upcalls. At start. */
void events_init( void );
void event_kicks_init( void );
void event_waits_init( void );

/* The descriptor is going away (its users may still run): no more events through it. */
int events_forget( struct descriptor *descriptor ); /* 0: nothing was watched */
/* The host socket under a descriptor that was watched has been replaced. */
void events_watch_again( struct descriptor *descriptor );

#endif
