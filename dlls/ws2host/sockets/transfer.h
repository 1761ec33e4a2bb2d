/* What a transfer checks and how its flags and errors translate: transfer.c, and whoever else moves data. */
#ifndef WS2HOST_TRANSFER_H
#define WS2HOST_TRANSFER_H

#include <sys/uio.h>
#include "operations/operation.h"
#include "sockets/socket.h"

enum windows_message_flag
{
    WS_MSG_OOB = 0x1,
    WS_MSG_PEEK = 0x2,
    WS_MSG_DONTROUTE = 0x4,
    WS_MSG_WAITALL = 0x8,
    WS_MSG_INTERRUPT = 0x10,
    WS_MSG_PUSH_IMMEDIATE = 0x20,
    WS_MSG_TRUNC = 0x100,
    WS_MSG_CTRUNC = 0x200,
    WS_MSG_PARTIAL = 0x8000
};

/* WSABUF as a 64-bit program lays it out */
struct windows_buffer
{
    uint32_t size;
    uint32_t padding;
    uint64_t pointer;
};

int32_t transfer_check_receive( struct descriptor *descriptor, uint32_t flags );
/* addressed: a destination is given */
int32_t transfer_check_send( struct descriptor *descriptor, uint32_t flags, int addressed );
int32_t transfer_error( struct descriptor *descriptor, int error );
int transfer_receive_flags( uint32_t flags );
int transfer_send_flags( uint32_t flags );
/* Overlapped operations of the same direction come first: with some left the socket is as if it were not ready. */
int transfer_queued_before( struct descriptor *descriptor, enum operation_queue queue );
enum operation_queue transfer_receive_queue( uint32_t flags );
/* The host has refused a receive, or a send (errno); see transfer.c. */
int transfer_receive_blocked( struct descriptor *descriptor, uint32_t flags, uint32_t done, struct ws2_wait *wait,
                              int32_t *error, NTSTATUS *status );
int transfer_send_blocked( struct descriptor *descriptor, uint32_t flags, int addressed, uint32_t done,
                           struct ws2_wait *wait, int *refused, int *rest, int32_t *error, NTSTATUS *status );
/* What every receive does after its last system call. */
void transfer_receive_ends( struct descriptor *descriptor, uint32_t flags );
/* SO_OOBINLINE has been turned on: the host gives an urgent byte that was fetched by MSG_OOB before once more, Windows
 * does not. */
void transfer_urgent_inline( struct descriptor *descriptor );
/* Writes to each page of what is to be received into, of `limit` bytes at most, without changing it; may fault. The loader
 * watches the writes to some memory by taking the right to write away, of which the host's calls say EFAULT. */
void transfer_touch( const struct iovec *vectors, uint32_t count, uint64_t limit );
#define TOUCH_DATAGRAM 0x10000 /* the host drops a datagram that it cannot deliver */
#define TOUCH_OPERATION 0x100000
/* Copies the caller's WSABUFs; may fault (message.c). */
int32_t message_buffers( uint64_t user, uint32_t count, struct iovec *vectors, uint32_t *total );

/* The slot's copy of the local address after the host has bound the socket by itself (endpoint.c). */
void endpoint_remember( struct descriptor *descriptor );

#endif
