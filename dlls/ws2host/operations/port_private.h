/* A completion port's struct, for the two files that work on it: port.c makes and counts it, port_wait.c waits and serves. */
#ifndef WS2HOST_PORT_PRIVATE_H
#define WS2HOST_PORT_PRIVATE_H

#include "base/io_loop.h"
#include "operations/port.h"

#define PORT_WAITERS 64 /* more are not known here, and need not be */
#define PORT_WAKE_KEY \
    io_key( IO_WAKE, 0 ) /* of a port's eventfd, in its epoll, where the other keys are descriptors' */

struct port
{
    struct port *next; /* of all */
    _Atomic uint32_t references;
    int epoll;
    int wake;                           /* edge-triggered and never read */
    _Atomic uint32_t waiter_changes;    /* counts up as threads come and go */
    _Atomic uint32_t polled_by_waiters; /* it is not in the I/O thread's epoll */
    _Atomic uint32_t quiet;             /* who comes or goes is to wake the I/O thread, for its tick */
    _Atomic uint32_t
        waiters[PORT_WAITERS]; /* the host's numbers of threads that wait, of those ended in it too; 0: free */
    _Atomic uint32_t visitor;  /* the thread that came out of its wait last */
    uint32_t seen;             /* waiter_changes at the last tick; the I/O thread's, as the next */
    uint32_t unvisited;        /* ticks since a thread came or went */
};

/* Into the I/O loop's epoll, which is there as soon as there is a port; -1 and errno. And out of it. */
int port_arm( struct port *port );
void port_disarm( struct port *port );
/* The next one after that one (NULL: the first), counted, the one before given back. NULL at the end. */
struct port *port_next( struct port *before );

#endif
