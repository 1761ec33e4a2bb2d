/* A port's queue, to the files that are about it: port_queue.c, port_forwarder.c, port_routes.c, port_take.c. */
#ifndef PORT_QUEUE_PRIVATE_H
#define PORT_QUEUE_PRIVATE_H

#include "ports/port_queue.h"
#include "base/nt_codes.h"

LONG NTAPI RtlWaitOnAddress( const void *address, const void *compare, SIZE_T size, const LARGE_INTEGER *timeout );
void NTAPI RtlWakeAddressAll( const void *address );

struct port_queue
{
    struct port_queue *next; /* in its bucket */
    HANDLE handle;
    LONG references;
    SRWLOCK lock; /* guards what follows */
    BOOL used;    /* packets are kept here */
    BOOL shared;  /* and never again will be */
    BOOL closed;
    BOOL unsure;                 /* threads may sleep in wineserver that came before anything stood in for that */
    BOOL foreign;                /* files of the loader's are at the port */
    UINT64 host;                 /* the host half's part; 0 before the first socket */
    struct port_packet *packets; /* a ring */
    UINT32 size, first, count;   /* size: 0 or a power of two */
    LONG waiting;                /* threads in the host's wait, without the lock; those ended there included */
    DWORD woken;                 /* when one of them was woken that has not come yet, else 0 */
    UINT32 in_server;            /* threads that sleep in wineserver, as the port is not used */
    UINT32 limit, running;       /* how many threads that took packets may run, and do */
    struct port_user *users;     /* all that took a packet here last */
    DWORD checked;               /* when one that is held back by that looked whether they run, else 0 */
    DWORD visited;               /* when a thread asked for a packet last */
    LONG carried;                /* a courier has it; without the lock */
    BOOL asked;                  /* the courier is to look who else has the port */
    UINT32 tries;                /* of the courier's, to pass an order on */
};

#define OBJECT_HANDLES_OF_OURS 3 /* the program's, the courier's, that of ports.c */

/* Posted to wineserver's queue, where the program does not see it: a thread that sleeps there is to sleep here. */
void port_queue_order( struct port_queue *queue );
static inline BOOL port_queue_is_order( const struct port_queue *queue, ULONG_PTR key, ULONG_PTR value )
{
    return key == (ULONG_PTR)queue && value == ~key;
}

/* Whether the handle can be a port with a queue: cheap, for what looks at every handle. */
BOOL port_queue_may_be( HANDLE port );
/* Takes the port's queue out, so that nobody finds it again; the reference is the caller's. */
struct port_queue *port_queue_forget( HANDLE port );

/* With the lock held. */
BOOL port_queue_append( struct port_queue *queue, const struct port_packet *packet );
struct port_packet port_queue_first( struct port_queue *queue );
/* Brings what lies in wineserver's queue, of `most` packets at most; how many those were. Orders are for others: whether
 * there was one, which is not there any more. */
UINT32 port_queue_fetch( struct port_queue *queue, HANDLE port, UINT32 most, BOOL *order );
/* Whether a thread that waits is to be woken now, which the caller does by port_queue_wake without the lock. */
BOOL port_queue_to_wake( struct port_queue *queue );
void port_queue_wake( struct port_queue *queue );

/* port_forwarder.c; no lock is held */
void port_forwarder_join( struct port_queue *queue );
void port_forwarder_leave( struct port_queue *queue );
void port_forwarder_part( struct port_queue *queue ); /* the same, and returns when it has */
void port_forwarder_look( struct port_queue *queue ); /* asked has been set */

/* Packets go to wineserver from now on; no courier has the port any more. */
void port_queue_give_up( struct port_queue *queue );

#endif
