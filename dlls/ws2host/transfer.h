/* What a transfer checks and how its flags and errors translate: transfer.c, and whoever else moves data. */
#ifndef WS2HOST_TRANSFER_H
#define WS2HOST_TRANSFER_H

#include <sys/uio.h>
#include "socket.h"

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
/* An error of the host's that a receive does not report. */
int transfer_ignores( const struct descriptor *descriptor, int error );
/* What every receive does after its last system call. */
void transfer_receive_ends( struct descriptor *descriptor, uint32_t flags );
/* SO_OOBINLINE has been turned on: the host gives an urgent byte that was fetched by MSG_OOB before once more, Windows
 * does not. */
void transfer_urgent_inline( struct descriptor *descriptor );
/* Copies the caller's WSABUFs; may fault. */
int32_t transfer_buffers( uint64_t user, uint32_t count, struct iovec *vectors, uint32_t *total );

/* The slot's copy of the local address after the host has bound the socket by itself (endpoint.c). */
void endpoint_remember( struct descriptor *descriptor );

#endif
