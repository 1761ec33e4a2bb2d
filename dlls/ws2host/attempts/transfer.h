/*
 * One send or receive, by all of Windows' rules, a step at a time: a step is what the host does without waiting. Whoever
 * makes it then waits (calls) or queues (operations), and makes the next one with what is left.
 */
#ifndef WS2HOST_TRANSFER_H
#define WS2HOST_TRANSFER_H

#include <sys/socket.h>
#include <sys/uio.h>
#include "events/events.h"
#include "sockets/socket.h"
#include "sockets/windows_message.h"

struct transfer
{
    struct iovec *vectors; /* what is left of the caller's buffers: steps shorten it, in place */
    uint32_t count;
    uint32_t flags;    /* MSG_* of Windows */
    uint64_t done;     /* bytes moved so far, */
    uint64_t total;    /* of so many in all buffers */
    int32_t error;     /* Winsock code */
    uint8_t truncated; /* the datagram was longer than the buffers */
    uint8_t icmp;      /* the error is no failure of this receive, but an answer to what was sent earlier */
    uint8_t orphan;    /* a send that goes on without its socket: nobody is told of it */
};

enum transfer_result
{
    TRANSFER_BLOCKED, /* the rest has to wait */
    TRANSFER_DONE,    /* the host has done it; error: a datagram that is cut, a stream that ends by a reset */
    TRANSFER_FAULT,   /* a receive: the host may not write to the vectors, error is WSAEFAULT */
    TRANSFER_FAILED   /* as error says */
};

/* One step. header brings the address and the control data of a datagram, NULL: none; its vectors are filled in. The
 * caller has looked for queued operations. */
enum transfer_result transfer_receive( struct descriptor *descriptor, struct transfer *transfer,
                                       struct msghdr *header );
enum transfer_result transfer_send( struct descriptor *descriptor, struct transfer *transfer, struct msghdr *header );

/* Leaves out the first n bytes of the vectors, which have been moved. */
void transfer_advance( struct transfer *transfer, uint64_t n );

/* What comes before the first step, and again after each wait: 0 or a Winsock code. */
int32_t transfer_check_receive( struct descriptor *descriptor, uint32_t flags );
/* addressed: a destination is given */
int32_t transfer_check_send( struct descriptor *descriptor, uint32_t flags, int addressed );
/* The Winsock code of what the host refused to do on a connection. */
int32_t transfer_error( struct descriptor *descriptor, int error );
/* Overlapped operations of the same direction come first: with some left the socket is as if it were not ready. */
int transfer_still_queued( struct descriptor *descriptor, enum operation_queue queue );
static inline int transfer_queued_before( struct descriptor *d, enum operation_queue queue )
{
    return descriptor_queued( d, queue ) && transfer_still_queued( d, queue );
}
static inline enum operation_queue transfer_receive_queue( uint32_t flags )
{
    return flags & WS_MSG_OOB ? QUEUE_URGENT : QUEUE_RECEIVE;
}
/* What every receive does after its last step, and every send. */
static inline void transfer_receive_ends( struct descriptor *d, uint32_t flags )
{
    events_reenable( d, flags & WS_MSG_OOB ? WS2_FD_OOB : WS2_FD_READ );
}
void transfer_send_ends( struct descriptor *descriptor );
/* Writes to each page of what is to be received into, of `limit` bytes at most, without changing it; may fault. The loader
 * watches the writes to some memory by taking the right to write away, of which the host's calls say EFAULT. */
void transfer_touch( const struct iovec *vectors, uint32_t count, uint64_t limit );
#define TOUCH_DATAGRAM 0x10000 /* the host drops a datagram that it cannot deliver */
#define TOUCH_OPERATION 0x100000
#endif
