/* What a thread of the program has in this DLL: the buffers that functions of Winsock 1 return, and its blocking
 * hook. */
#ifndef THREAD_DATA_H
#define THREAD_DATA_H

#include <windows.h>
#include <winternl.h>

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
    DWORD id; /* of the thread */
    char ntoa[16];
    struct thread_buffer host, service, protocol;
    FARPROC blocking_hook;   /* NULL: none */
    BOOL blocking;           /* inside the hook */
    BOOL blocking_cancelled; /* the call that waits is to end with WSAEINTR */
    HANDLE thread;           /* for APCs, NULL before the first */
    BOOL opens_points;       /* inside a CreateFileW that opens reparse points themselves */
    BOOL pended;             /* it has begun operations that waited */
    struct port_user port_user;
    volatile UINT64 *calls; /* the thread's own count of calls (counts.h), NULL: none */
    BOOL lines_looked_at;   /* and so it stays */
};

/* The calling thread's own; NULL without memory. Freed when the thread ends. */
struct thread_data *thread_data( void );

/* The same, NULL where there is none yet. */
#ifdef _WIN32
extern DWORD thread_data_slot; /* of the thread's local storage */
#define THREAD_SLOTS 64        /* that stand in the TEB itself */
/* What NtCurrentTeb is in some headers, the compiler takes for an access beyond an array. */
static inline struct _TEB *thread_teb( void )
{
    struct _TEB *teb;

#ifdef __i386__
    __asm__( "movl %%fs:0x18, %0" : "=r"( teb ) );
#else
    __asm__( "movq %%gs:0x30, %0" : "=r"( teb ) );
#endif
    return teb;
}
static inline struct thread_data *thread_data_now( void )
{
    return thread_data_slot < THREAD_SLOTS ? thread_teb()->TlsSlots[thread_data_slot] : NULL;
}
#else
static inline struct thread_data *thread_data_now( void ) { return thread_data(); } /* tests of the host */
#endif

/* At least size bytes, the same as before while they suffice; NULL without memory. */
void *thread_buffer( struct thread_buffer *buffer, size_t size );

#endif
