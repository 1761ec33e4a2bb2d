/* What a thread of the program has in this DLL: the buffers that functions of Winsock 1 return, and its blocking
 * hook. */
#ifndef THREAD_DATA_H
#define THREAD_DATA_H

#include <windows.h>

struct thread_buffer
{
    void *memory;
    size_t size;
};

/* A thread that takes packets from completion ports (ports/port_take.c). It counts as running for its port until it comes
 * back to one, waits, or ends. */
struct port_user
{
    struct port_user *next;   /* of its queue */
    struct port_queue *queue; /* the last that it took a packet from, counted */
    UINT32 thread;            /* the host's number */
    BOOL running;
};

struct thread_data
{
    char ntoa[16];
    struct thread_buffer host, service, protocol;
    FARPROC blocking_hook;   /* NULL: none */
    BOOL blocking;           /* inside the hook */
    BOOL blocking_cancelled; /* the call that waits is to end with WSAEINTR */
    HANDLE thread;           /* for APCs, NULL before the first */
    BOOL opens_points;       /* inside a CreateFileW that opens reparse points themselves */
    BOOL pended;             /* it has begun operations that waited */
    struct port_user port_user;
};

/* The calling thread's own; NULL without memory. Freed when the thread ends. */
struct thread_data *thread_data( void );

/* At least size bytes, the same as before while they suffice; NULL without memory. */
void *thread_buffer( struct thread_buffer *buffer, size_t size );

#endif
