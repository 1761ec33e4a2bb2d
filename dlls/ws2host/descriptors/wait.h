/*
 * Waiting for host sockets inside a Winsock call.
 *
 * A wait ends when a socket is ready, at its deadline, when one of its descriptors is closed by another thread, and when
 * the PE side is to look for user APCs: one was queued from inside the process, or a slice is over. Each waiting thread has one eventfd, made on its first wait and
 * handed on when the thread ends; who closes a descriptor wakes the threads that may be waiting on it. No locks.
 */
#ifndef WS2HOST_WAIT_H
#define WS2HOST_WAIT_H

#include <poll.h>
#include <stdint.h>
#include <sys/epoll.h>
#include "descriptors/descriptor.h"

enum wait_result
{
    WAIT_READY,
    WAIT_TIMED_OUT,
    WAIT_CLOSED,    /* WSAEINTR */
    WAIT_CANCELLED, /* by unix_wait_cancel: WSA_OPERATION_ABORTED */
    WAIT_ALERT,     /* return WS2_STATUS_ALERT */
    WAIT_FAILED     /* out of descriptors for the eventfd: WSAENOBUFS */
};

/* fds has room for count + 1 entries; the last is the wait's own. timeout_ms counts from the call's first wait. */
enum wait_result wait_many( struct descriptor **descriptors, struct pollfd *fds, uint32_t count, uint64_t timeout_us,
                            struct ws2_wait *wait );
#define WAIT_FOREVER_US UINT64_MAX

/* One socket, timeout in ms, 0 for none. *revents may be NULL. */
enum wait_result wait_one( struct descriptor *descriptor, short events, uint32_t timeout_ms, struct ws2_wait *wait );

/* A connection to accept. With a listener that other processes have too, it wakes one of all that wait. Should that one die
 * with it, another finds it when its slice is over. */
enum wait_result wait_connection( struct descriptor *listener, struct ws2_wait *wait );

/* Served events (events/event_waits.c), a bit each. Between begin and end the calling thread waits for those of the mask; begin: 0
 * when it cannot. wait_served: fds show them, with room for one more entry, and due says that there is something to see
 * already. WAIT_READY: there is, or was, or may be; WAIT_ALERT: a slice is over. It is no alertable wait. */
int wait_served_begin( uint64_t mask );
enum wait_result wait_served( struct pollfd *fds, uint32_t count, int ( *due )( const void *context ),
                              const void *context, uint64_t timeout_us, struct ws2_wait *wait );
void wait_served_end( void );
/* The same by the epoll alone, which shows what wakes the thread too: *count of `events` have been taken out of it. */
enum wait_result wait_served_by( int epoll, struct epoll_event *events, int room, int *count,
                                 int ( *due )( const void *context ), const void *context, uint64_t timeout_us,
                                 struct ws2_wait *wait );
/* How many threads wait for one of them; those look again. */
unsigned int wait_serving( uint64_t mask );
void wait_wake_served( uint64_t mask );
/* The calling thread handles what was shown of these, 0 when it is done, or is about to have it shown: should it be ended before,
 * wait_served_ends is called. */
void wait_set_handling( uint64_t mask );
void wait_set_awaiting( uint64_t mask );
extern void ( *wait_served_ends )( uint64_t served, uint64_t handling, uint64_t awaiting );

/* Working memory of the calling thread, uninitialised, good until its next call; NULL when there is none to be had. */
void *wait_scratch( size_t size );

/* Ends the waits on a descriptor: WAIT_CLOSED if its `closing` is set, else WAIT_READY so that the call looks again. */
void wait_wake( struct descriptor *descriptor );

/* From now on how many threads have waited here and live stands there, for the PE side. */
void wait_show( _Atomic uint32_t *at );

/* What a call returns for a result other than WAIT_READY: sets *error or gives WS2_STATUS_ALERT. */
NTSTATUS wait_status( enum wait_result result, int32_t *error );

#endif
