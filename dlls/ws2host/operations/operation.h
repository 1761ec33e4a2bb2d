/*
 * Overlapped operations that wait: a queue per descriptor and direction, served in order when the host says ready.
 *
 * The queues stand in the descriptor and are guarded by its queues' lock, which knows its holder: the loader ends threads
 * at any instruction, and who finds a dead holder takes the lock over. Under the lock the host touches the caller's
 * buffers by system calls only, which report a bad one; whatever else goes into the caller's memory is copied by the PE
 * side when it tells the program of the end. The I/O thread serves; so does any thread that looks whether the socket is
 * ready, so that data goes to the queued receives before select, poll and the network events see it.
 */
#ifndef WS2HOST_OPERATION_H
#define WS2HOST_OPERATION_H

#include <sys/uio.h>
#include "sockets/socket.h"
#include "ws2host/unixcall_overlapped.h"

enum operation_result
{
    OPERATION_BLOCKED,
    OPERATION_DONE, /* error and information are set */
    OPERATION_MOVE  /* it is to go on in the queue of operation->next_descriptor */
};

struct operation
{
    struct operation *next;
    struct descriptor *next_descriptor; /* with OPERATION_MOVE, counted */
    struct descriptor *descriptor;      /* in whose queue it is, counted */
    struct descriptor *owner; /* whose port it completes to and through whose handle it is cancelled, counted */
    /* Goes on with it; the queues' lock is held. */
    enum operation_result ( *perform )( struct operation *operation );
    void ( *detach )( struct operation *operation );  /* it has ended, however; may be NULL */
    void ( *dispose )( struct operation *operation ); /* frees what it holds, may be NULL */
    struct ws2_operation_target target;
    struct ws2_port port; /* of the owner when it ended */
    uint64_t information;
    int32_t error; /* Winsock code */
    uint32_t flags_out;
    uint32_t how;
    uint8_t queue;
    uint8_t internal; /* nobody is told of its end, and it outlives the closing of its descriptor */
    uint8_t write_count;
    uint8_t bounced;          /* the data is among the writes */
    uint8_t held;             /* the program may not be told before operation_release */
    uint8_t finished;         /* and it has ended meanwhile */
    uint8_t port_known;       /* port is filled in: its owner's handle has been closed */
    uint32_t signal_sequence; /* of the owner when it ended */
    _Atomic uint32_t told;    /* the PE side is done with it */
    struct
    {
        uint64_t target, source, size;
    } writes[WS2_COMPLETION_WRITES]; /* source: in what dispose frees */
};

/* A file that is not overlapped keeps its caller until an operation has ended: with WS2_OPERATION_KIND nothing is begun here. */
int operation_keeps_caller( const struct descriptor *d, const struct ws2_operation *params );

/* What operation_try has seen, for operation_start_tried. */
struct operation_attempt
{
    uint32_t readiness; /* of the queues before it */
    int tried;
};

/* Tries an operation that stands on the caller's stack, if its queue is empty. 1: it is over, or is not to wait
 * (WSAEWOULDBLOCK), and operation_tried fills in params; 0: a copy of it is to go to operation_start_tried. */
int operation_try( struct descriptor *d, struct operation *operation, const struct ws2_operation *params,
                   struct operation_attempt *attempt );
void operation_tried( const struct operation *operation, struct ws2_operation *params );
/* Queues the copy, which is on the heap (NULL: there was no memory). params: WSA_IO_PENDING, or why not. */
void operation_start_tried( struct descriptor *d, struct operation *operation_consume, struct ws2_operation *params,
                            const struct operation_attempt *attempt );
/* The same for an operation that has not been tried. */
void operation_start( struct descriptor *d, struct operation *operation_consume, struct ws2_operation *params );
/* Queues an operation on the heap, with its descriptor and owner, behind the others, and serves them. Unless it returns 0
 * the operation is the caller's still. */
int32_t operation_queue( struct descriptor *d, struct operation *operation );

/* An operation without an event begins to wait: the handle, as a file's, is signalled when one has ended. */
void operation_unsignal( struct descriptor *d );

/* Looks at memory of the caller's, so that a fault comes before anything is held. */
void operation_probe( uint64_t user, uint64_t size );

/* For operations that stand in no queue of a descriptor (afd_poll.c): the end of one, with its outcome filled in, and of one
 * that nobody is to be told of. descriptor and owner are counted; it is freed. */
void operation_complete( struct operation *operation );
void operation_discard( struct operation *operation );

/* Leave in the operation what the PE side is to copy to the caller. */
void operation_write( struct operation *operation, uint64_t target, const void *source, uint64_t size );

/* Operations have ended that nobody was told of. */
int operation_ended( void );
/* Gives back what the program has been told of. */
void operation_sweep( void );

/* The descriptor goes away: what is queued ends with WSA_OPERATION_ABORTED. Returns how much that was. survivor, other_handles: as in
 * afd_poll_close. */
uint32_t operation_close( struct descriptor *d, struct descriptor *survivor, uint32_t other_handles );
/* shutdown( SD_SEND ) while sends are queued: it follows them. 0 when there are none. */
int operation_shut_send( struct descriptor *d );
/* Ends the AcceptEx that waits for a connection with this acceptor. */
uint32_t operation_cancel_accept( struct descriptor *listener, struct descriptor *acceptor );
/* The socket's operations that wait are served at the port from now on, by its waiters. port is of the PE side, which holds
 * it. */
struct port;
void operation_attach_port( struct descriptor *descriptor, struct port *port );
/* By the I/O thread again: somebody waits for their end elsewhere. */
void operation_detach_port( struct descriptor *descriptor );
/* Registers with the I/O loop, fills in the upcalls. At start. */
void operation_init( void );
/* Serves the queues, if another thread is not at it. */
void operation_serve( struct descriptor *d );
/* What a poll of the host showed, less what the queues take. */
uint32_t operation_filter( struct descriptor *d, uint32_t revents );

/* A non-blocking send that the host took in part: the rest is copied (may fault) and follows by itself. */
int32_t operation_background_send( uint64_t handle, const struct iovec *vectors, uint32_t count, uint32_t flags,
                                   uint32_t *need_io_thread );

/* Is a packet all that the program is told of its end? Such a request outlives the thread that made it. */
int operation_is_ports( const struct operation *operation );

/* The calling thread, whose Windows number that is, begins an operation that is to end with it (operation_threads.c); after
 * io_loop_open. And what is then done, whoever ends it. */
void operation_watch_thread( uint32_t thread_id );
uint32_t operation_cancel_of_thread( uint32_t thread_id );
/* The descriptor, which has been closed, stays for what waits in its queues as long as another process has the socket, and is
 * ended by `end` then (operation_outliving.c). 0: no memory. */
int operation_outlives( struct descriptor *descriptor, uint32_t ( *end )( struct descriptor *descriptor ) );
/* The sum of what the function returns for those, which have a lock held that comes before the queues' ones. */
uint32_t operation_outliving_each( uint32_t ( *function )( struct descriptor *descriptor, const void *context ),
                                   const void *context );
/* The I/O loop's. */
int operation_outliving_timeout( void );
struct io_turn;
void operation_outliving_turn( struct io_turn *turn );
void operation_threads_init( uint32_t ( *cancel_of_thread )( uint32_t thread_id ) );

/* The port of its socket, and the one that an operation completes to. */
struct ws2_port port_of( const struct descriptor *d );
struct ws2_port operation_port( const struct operation *operation );

/* replacement.c: takes the descriptor's host socket out of the epolls and puts fd in its place. Asks nobody; what becomes of
 * the socket's other descriptors here is left for replacement_settle. Winsock codes.
 * listener: the one that fd was accepted from, NULL for a fresh host socket. */
int32_t operation_replace_socket_consume( struct descriptor *d, int fd, const struct descriptor *listener );
/* The other descriptors of sockets that have been replaced: no lock is held. Who comes too early for it renews its own. */
void replacement_settle_others( void );
extern _Atomic( struct replacement_due * ) replacements_due;
static inline void replacement_settle( void )
{
    if ( atomic_load_explicit( &replacements_due, memory_order_relaxed ) ) replacement_settle_others();
}
void replacement_init( void );

#endif
