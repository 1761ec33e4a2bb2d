/* A port's queue, to the files that are about it: port_queue.c, port_forwarder.c, port_routes.c, port_take.c. */
#ifndef PORT_QUEUE_PRIVATE_H
#define PORT_QUEUE_PRIVATE_H

#include "ports/port_queue.h"
#include "base/locks.h"
#include "base/nt_codes.h"
#include "base/thread_data.h"
#include "ntdll/thread_ended.h"

LONG NTAPI RtlWaitOnAddress( const void *address, const void *compare, SIZE_T size, const LARGE_INTEGER *timeout );
void NTAPI RtlWakeAddressAll( const void *address );

enum port_state
{
    PORT_UNUSED,  /* no socket has come yet: packets go through wineserver */
    PORT_ADOPTED, /* the same of a port that was made before the hooks: threads may sleep in wineserver, unknown to us */
    PORT_MIXED,   /* such a port with sockets: packets are kept here while a thread waits here, else they go there */
    PORT_KEPT,    /* packets are kept here */
    PORT_SHARED,  /* others have the port too: packets go through wineserver, for good */
    PORT_CLOSED   /* nobody can want packets any more */
};

/* A status block that is filled when the packet of that value is taken. */
struct late_status
{
    struct late_status *next;
    ULONG_PTR value;
    IO_STATUS_BLOCK *iosb, status;
};

struct port_queue
{
    struct port_queue *next; /* in its bucket */
    HANDLE handle;
    LONG references;
    LONG forgotten; /* its handle may be another object's by now */
    UINT32 id;      /* in port_list.c, 0 before it is there */
    LONG locked;    /* the thread that has what follows, else 0 */
    enum port_state state;
    BOOL foreign;                /* files of the loader's are at the port */
    UINT64 host;                 /* the host half's part; 0 before the first socket */
    struct port_packet *packets; /* a ring */
    UINT32 size;                 /* 0 or a power of two */
    union
    {
        struct
        {
            UINT32 first, count;
        };
        volatile UINT64 first_and_count; /* a packet is taken by one store: threads are ended at any instruction */
    };
    struct late_status *late; /* of its packets, hardly ever one */
    LONG waiting;             /* threads in the host's wait, without the lock; those ended there included */
    DWORD woken;              /* when one of them was woken that has not come yet, else 0 */
    UINT32 in_server;         /* threads of ours that sleep in wineserver, as packets are not kept here */
    UINT32 limit, running;    /* how many threads that took packets may run, and do */
    struct port_user *users;  /* all that took a packet here last */
    DWORD checked;            /* when one that is held back by that looked whether they run, else 0 */
    DWORD asked;              /* when a thread asked for a packet last */
    LONG forwarded;           /* a forwarder has it; without the lock */
    BOOL suspect;             /* the forwarder is to look who else has the port */
    UINT32 redirects;         /* that the forwarder passed on */
};

#define QUEUE_YIELDS 1024 /* until the holder is looked for */

/* For whoever has waited for it long enough. */
static inline BOOL port_queue_lock_of_ended( struct port_queue *queue, LONG holder )
{
    return holder && thread_has_ended( holder ) &&
           __atomic_compare_exchange_n( &queue->locked, &holder, (LONG)GetCurrentThreadId(), FALSE, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED );
}

/* Held for some instructions, and hardly ever wanted by two at once. */
static inline void port_queue_lock( struct port_queue *queue )
{
    const LONG self = (LONG)GetCurrentThreadId();
    LONG holder = 0;

    for ( unsigned int turns = 1;
          !__atomic_compare_exchange_n( &queue->locked, &holder, self, FALSE, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED );
          turns++ )
    {
        if ( turns % 64 ) YieldProcessor();
        else if ( RtlDllShutdownInProgress() ) break; /* its holder is no more */
        else if ( turns % ( 64 * QUEUE_YIELDS ) ) SwitchToThread();
        else if ( port_queue_lock_of_ended( queue, holder ) ) break;
        holder = 0;
    }
}
static inline void port_queue_unlock( struct port_queue *queue )
{
    __atomic_store_n( &queue->locked, 0, __ATOMIC_RELEASE );
}

/* The queue of the port that the calling thread took a packet from last, which it has counted, if that has its handle still;
 * else NULL. */
static inline struct port_queue *port_queue_of_thread( void )
{
    const struct thread_data *data = thread_data_now();
    struct port_queue *queue = data ? data->port_user.queue : NULL;

    return queue && !__atomic_load_n( &queue->forgotten, __ATOMIC_ACQUIRE ) ? queue : NULL;
}

static inline BOOL port_queue_keeps( const struct port_queue *queue )
{
    return queue->state == PORT_KEPT || queue->state == PORT_MIXED;
}

#define OBJECT_HANDLES_OF_OURS 3 /* the program's, the forwarder's, that of port_list.c */

/* A redirect packet, posted to wineserver's queue and never shown to the program: a thread that sleeps there is to come and
 * sleep here. port: a handle of it that is open. */
void port_queue_redirect( struct port_queue *queue, HANDLE port );
static inline BOOL port_queue_is_redirect( const struct port_queue *queue, ULONG_PTR key, ULONG_PTR value )
{
    return key == (ULONG_PTR)queue && value == ~key;
}

/* As port_queue_find, and faster for a thread that takes packets from the port itself. */
static inline struct port_queue *port_queue_of( HANDLE port )
{
    struct port_queue *queue = port_queue_of_thread();

    if ( !queue || !is_same_handle( queue->handle, port ) ) return port_queue_find( port );
    port_queue_hold( queue );
    return queue;
}

/* Whether the handle can be a port with a queue: cheap, for what looks at every handle. */
BOOL port_queue_may_be( HANDLE port );
/* Takes the port's queue out, so that nobody finds it again; the reference is the caller's. */
struct port_queue *port_queue_forget( HANDLE port );

/* With the lock held. */
BOOL port_queue_append( struct port_queue *queue, const struct port_packet *packet );
struct port_packet port_queue_first( struct port_queue *queue );
/* FALSE: no memory. */
BOOL port_queue_add_late( struct port_queue *queue, ULONG_PTR value, IO_STATUS_BLOCK *iosb, NTSTATUS status,
                          ULONG_PTR information );
/* What is to be filled as a packet is taken: the caller's, for port_queue_fill_late without the lock. */
struct late_status *port_queue_late( struct port_queue *queue, const struct port_packet *packet );
void port_queue_fill_late( struct late_status *late );
/* Brings what lies in wineserver's queue, of `most` packets at most; how many those were. A redirect packet is for
 * another thread: whether there was one, which is taken out, and ends the fetching. */
UINT32 port_queue_fetch( struct port_queue *queue, HANDLE port, UINT32 most, BOOL *redirect );
/* Whether a thread that waits is to be woken now, which the caller does by port_queue_wake without the lock. */
BOOL port_queue_to_wake( struct port_queue *queue );
void port_queue_wake( struct port_queue *queue );

/* port_forwarder.c; no lock is held */
void port_forwarder_join( struct port_queue *queue );
void port_forwarder_leave( struct port_queue *queue );
void port_forwarder_part( struct port_queue *queue ); /* the same, and returns when it has */
void port_forwarder_look( struct port_queue *queue ); /* suspect has been set */

/* Packets go through wineserver from now on; no forwarder has the port any more. */
void port_queue_give_up( struct port_queue *queue );

#endif
