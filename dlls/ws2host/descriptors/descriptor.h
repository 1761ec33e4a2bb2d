/*
 * The process's descriptors: SOCKET value -> host descriptor and slot, read without locks.
 *
 * A descriptor counts its users: one for standing in the table, one for each call that works on it. The last one closes
 * the host descriptor, so a number is never reused under a call that is still running. The structs are never unmapped.
 */
#ifndef WS2HOST_DESCRIPTOR_H
#define WS2HOST_DESCRIPTOR_H

#include <assert.h>
#include <stdatomic.h>
#include <stdint.h>
#include "ws2host/socket_cookie.h"
#include "ws2host/table.h"
#include "base/owner_lock.h"
#include "base/unix_private.h"
#include "client/connection.h"

enum operation_queue
{
    QUEUE_RECEIVE, /* and accept */
    QUEUE_SEND,    /* and connect, disconnect, transmit */
    QUEUE_URGENT,  /* receives of out-of-band data */
    QUEUE_CHANGE,  /* waits for what no poll shows */
    QUEUE_COUNT
};

/* descriptor.local */
enum descriptor_local
{
    LOCAL_WATCHED = 0x1,       /* network events: in the epoll */
    LOCAL_INITIAL = 0x2,       /* that owes an event that is no arrival: it tells what was ready at registration */
    LOCAL_REPLACED = 0x4,      /* the handle was made of another host socket (replacement.c) */
    LOCAL_BOUND_BY_CODE = 0x8, /* and not by Winsock's bind */
    LOCAL_UNBOUND = 0x10,      /* a duplicate opened before the socket was bound, by which nothing is received */
    /* the handle is one of the pool's, a stand-in (operations/replacement.c) */
    LOCAL_POOLED = 0x20,
    LOCAL_INHERITED = 0x40, /* of LOCAL_POOLED: as the program sees it, children inherit it */
    LOCAL_MARKED = 0x80,    /* and the loader knows of a flag of the handle, so that the pool does not take it back */
    LOCAL_SUCCESSOR = 0x100 /* its host socket came while the socket was shared: a server that takes over is given it */
};

#define REAL_STALE 1u

struct operation;
struct notification;

/* Overlapped operations that wait (operation.h). */
struct operation_queues
{
    owner_lock lock;
    _Atomic uint32_t readiness;                /* how often the epoll said that something changed */
    _Atomic uint32_t undelivered[QUEUE_COUNT]; /* queued, or ended and the program has not been told */
    _Atomic( struct operation * ) first[QUEUE_COUNT];
    struct operation *last[QUEUE_COUNT];
    uint32_t watched;   /* events in the epoll */
    int epoll;          /* in which, when there are any */
    struct port *port;  /* counted: whose epoll that is to be (port.h); NULL: the I/O thread's */
    uint32_t exclusive; /* a shared listener: in the epoll only while something is queued */
    struct descriptor *next_exclusive;
    uint32_t shut_send;                       /* shutdown when the send queue is empty */
    _Atomic( struct descriptor * ) accepting; /* listener for which AcceptEx waits with this socket, not counted */
};

/* Urgent bytes and data taken out of the host's queue, in a memory file (sockets/urgent.c). */
struct urgent_store
{
    owner_lock lock;
    int fd;
    uint32_t first, count;         /* of the ring of urgent bytes */
    uint32_t begin, end;           /* of the ordinary data */
    uint32_t moved;                /* where that ends which SO_OOBINLINE has made ordinary data */
    uint32_t host_inline;          /* the host's SO_OOBINLINE has been turned on for this */
    uint32_t ports;                /* of its connection, as in struct ws2_urgent_sends; 0: not known */
    uint32_t seen;                 /* of those sends */
    uint32_t looked;               /* for those that came before it was watched */
    uint32_t sent_count, sent[32]; /* those of its own that were not taken yet, in order */
};

#define DESCRIPTOR_FREE 0x80000000u

struct descriptor
{
    _Alignas( 16 ) _Atomic uint32_t users; /* DESCRIPTOR_FREE in a free struct */
    int fd;                                /* O_NONBLOCK, close-on-exec, owned */
    uint32_t slot_index;
    uint32_t generation;
    struct ws2_slot *slot; /* never NULL in a live descriptor */
    uint64_t handle;
    /* taken out of the table, and when (host_now_coarse_ms, odd): waits end with WSAENOTSOCK; 0: it is not */
    _Atomic uint32_t closing;
    _Atomic uint32_t local;                  /* bits of this descriptor, not of the socket: enum descriptor_local */
    _Atomic( struct urgent_store * ) urgent; /* NULL unless urgent bytes are watched for */
    _Atomic uint32_t urgent_hash;            /* 1 + hash of its connection, 0 before it is known (urgent.h) */
    /* of LOCAL_POOLED: a handle of the host socket itself, of which every copy is made; 0 before the first. With REAL_STALE
     * it is of the one before the present one. */
    _Atomic uint32_t real;
    struct descriptor *next_free;
    _Atomic( struct descriptor * ) deferred; /* accepted sockets that the program's condition function put off */
    struct descriptor *next_deferred;
    _Atomic uint32_t event_generation; /* of the registration that this process's I/O thread watches, 0 for none */
    _Atomic int event_epoll;           /* that it is watched in, of LOCAL_WATCHED */
    _Atomic uint32_t notified_room;    /* notifications by edge: that it can send has been told */
    _Atomic( struct notification * ) notification; /* notify.h */
    _Atomic uint32_t
        signal_sequence; /* odd: an operation without an event waits, and none has ended since its start, so that the
                               * handle, as a file's, is not signalled; counts up with each start */
    struct operation_queues queues;
    _Atomic( struct afd_entry * ) polls; /* requests that watch it, and its place in their epoll (afd_poll.c) */
    _Atomic uint32_t poll_watched;
    _Atomic uint32_t poll_events;
    _Atomic( struct socket_set * ) set; /* helpers (socket_set.h), NULL for none */
    struct joined *joined;              /* what it joined before it was bound (helpers.c); begins with the next one */
};

/* The descriptor of params->handle with one more user, or NULL and *status, which the call returns as it is. */
struct descriptor *descriptor_acquire( uint64_t handle, NTSTATUS *status );
void descriptor_release( struct descriptor *descriptor );
/* Whether there is one that is not closing, at this moment: for a look that decides nothing. */
int descriptor_is_known( uint64_t handle );
/* `count` more users of a descriptor that the caller has counted, or that whoever it got it from has. */
static inline void descriptor_ref( struct descriptor *d, uint32_t count )
{
    const uint32_t before = atomic_fetch_add( &d->users, count );

    assert( before && !( before & DESCRIPTOR_FREE ) );
    (void)before;
}
/* One more user of a struct that may have been given back meanwhile: 0 then. */
int descriptor_hold( struct descriptor *descriptor );

/* A descriptor of a new host socket with one user, the caller. NULL: out of memory. */
struct descriptor *descriptor_create_consume( int fd, uint32_t slot_index, uint32_t generation );
/* Puts it into the table under its handle; the user that descriptor_create_consume gave stands for the table from now on. */
int32_t descriptor_install( struct descriptor *descriptor, uint64_t handle );
/* The same for a handle that was found, not made: 0 and another descriptor if one stands there by now; WSAENOTSOCK when the
 * handle is being closed. */
int32_t descriptor_install_found_consume( struct descriptor *descriptor, uint64_t handle );
/* Is fd (-1: none) a descriptor of the socket under that handle? If not, what stands there goes. */
int32_t descriptor_confirm( uint64_t handle, int fd );
/* Takes a live descriptor out of the table without ending it; its user is the caller's from now on, and calls find the
 * handle being closed until descriptor_end_closing. NULL and *status: not there, or being closed already. */
struct descriptor *descriptor_remove( uint64_t handle, NTSTATUS *status );
void descriptor_end_closing( uint64_t handle );
/* Taken out of the table: calls that use it end, and the last of them gives it up. */
void descriptor_begin_closing( struct descriptor *descriptor );
/* What this process has of a socket. What has not ended DESCRIPTOR_LEAVING_TIME after it was closed stays: a request that
 * outlives its handle, a thread that was ended in a call. Looks at every descriptor that there is. */
#define DESCRIPTOR_LEAVING_TIME 1000 /* ms */
enum descriptor_leaving
{
    DESCRIPTOR_GONE,   /* nothing */
    DESCRIPTOR_LEAVES, /* nothing that has not been closed, and a moment ago */
    DESCRIPTOR_STAYS
};
enum descriptor_leaving descriptor_leaving( uint32_t slot_index, uint32_t generation );
/* That one was pooled: its value is the pool's now, until end_closing says that it is nothing to us any more. */
int descriptor_is_free( uint64_t handle );
/* Walks over the table: the next descriptor after *handle (0: the first), with one more user, and its handle there. NULL at
 * the end. Sockets that come and go meanwhile may be missed. */
struct descriptor *descriptor_next( uint64_t *handle );
static inline int descriptor_is_same( const struct descriptor *d, const struct descriptor *other )
{
    return other->slot_index == d->slot_index && other->generation == d->generation;
}
/* Another descriptor of the same socket in this process, counted, NULL when there is none: as descriptor_next, or any. */
struct descriptor *descriptor_next_other( const struct descriptor *descriptor, uint64_t *handle );
struct descriptor *descriptor_other( const struct descriptor *descriptor );
/* Of a shared stream socket: another process, or another descriptor in this one, has set another host socket in the place of
 * the one that this descriptor has. */
int descriptor_is_stale( const struct descriptor *descriptor );
/* From now on a server that takes over is told of what stands in the table. At start. */
void descriptor_init( void );
/* The end of a descriptor that was never installed. */
void descriptor_discard( struct descriptor *descriptor );

/* One more at each change of what a poll of the process's descriptors depends on, beside what the host shows: which descriptors
 * stand in the table, their host sockets, and the flags below. What other processes do to shared slots is not counted. */
extern _Atomic uint64_t descriptor_changes;
static inline void descriptor_changed( void ) { atomic_fetch_add( &descriptor_changes, 1 ); }
#define READINESS_FLAGS \
    ( WS2_FLAG_CONNECTED | WS2_FLAG_CONNECTING | WS2_FLAG_LISTENING | WS2_FLAG_CONNECT_FAILED | WS2_FLAG_RESET )

/* flags of the slot */
static inline uint32_t descriptor_flags( const struct descriptor *d )
{
    return atomic_load_explicit( &d->slot->flags, memory_order_relaxed );
}
static inline void descriptor_set_flags( struct descriptor *d, uint32_t flags )
{
    atomic_fetch_or( &d->slot->flags, flags );
    if ( flags & READINESS_FLAGS ) descriptor_changed();
}
static inline void descriptor_clear_flags( struct descriptor *d, uint32_t flags )
{
    atomic_fetch_and( &d->slot->flags, ~flags );
    if ( flags & READINESS_FLAGS ) descriptor_changed();
}

/* A handle's of 64 bits, which others share: for sets that are asked which handles they have not. */
static inline uint64_t descriptor_handle_bit( uint64_t handle ) { return 1ull << ( handle >> 2 & 63 ); }

/* Which handles may be such as are kept in `real`, by some of their bits: all others need not be looked for. Nothing leaves it. */
#define DESCRIPTOR_REAL_WORDS 64u
extern _Atomic uint64_t descriptor_reals[DESCRIPTOR_REAL_WORDS];
static inline _Atomic uint64_t *descriptor_real_word( uint64_t handle )
{
    return &descriptor_reals[( handle >> 8 ) % DESCRIPTOR_REAL_WORDS];
}

/* The handle of the host socket itself, which the caller closes with the SOCKET; 0: there is none. */
static inline uint32_t descriptor_take_real( struct descriptor *d )
{
    return atomic_exchange( &d->real, 0 ) & ~REAL_STALE;
}
/* The handle goes back to the pool when the SOCKET is closed. */
static inline int descriptor_is_pooled( const struct descriptor *d )
{
    return ( atomic_load( &d->local ) & ( LOCAL_POOLED | LOCAL_MARKED ) ) == LOCAL_POOLED;
}

/* Whether overlapped operations wait in a queue, and in one of the two that a poll shows. */
static inline int descriptor_queued( const struct descriptor *d, enum operation_queue queue )
{
    return atomic_load( &d->queues.first[queue] ) != NULL;
}
static inline int descriptor_has_operations( const struct descriptor *d )
{
    return descriptor_queued( d, QUEUE_RECEIVE ) || descriptor_queued( d, QUEUE_SEND );
}
/* The same, or urgent bytes are waited for. */
static inline int descriptor_has_requests( const struct descriptor *d )
{
    return descriptor_has_operations( d ) || descriptor_queued( d, QUEUE_URGENT );
}

/* The server counts its descriptors: other processes may have it, or this one twice. Whether there may be others now, by the table;
 * and whether there are, for which the server may be asked. */
static inline int descriptor_is_shared( const struct descriptor *d )
{
    return ws2_word_state( atomic_load( &d->slot->word ) ) == WS2_SLOT_SHARED;
}
static inline int descriptor_may_have_others( const struct descriptor *d )
{
    return descriptor_is_shared( d ) && ( atomic_load( &d->slot->descriptors ) > 1 || connection_counts_are_late() );
}
static inline int descriptor_has_others( const struct descriptor *d )
{
    if ( !descriptor_is_shared( d ) ) return 0;
    if ( atomic_load( &d->slot->descriptors ) < 2 ) connection_settle_counts();
    return atomic_load( &d->slot->descriptors ) > 1;
}

#endif
