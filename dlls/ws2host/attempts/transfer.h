/* What a transfer checks and how its flags and errors translate, whether its caller waits (calls) or queues (operations). */
#ifndef WS2HOST_TRANSFER_H
#define WS2HOST_TRANSFER_H

#include <sys/socket.h>
#include <sys/uio.h>
#include "sockets/socket.h"
#include "sockets/windows_message.h"

int32_t transfer_check_receive( struct descriptor *descriptor, uint32_t flags );
/* addressed: a destination is given */
int32_t transfer_check_send( struct descriptor *descriptor, uint32_t flags, int addressed );
int32_t transfer_error( struct descriptor *descriptor, int error );
/* A stream has given nothing: 0 for its end, or the error when a reset came after it. */
int32_t transfer_stream_ended( struct descriptor *descriptor );
/* recv and vectors_receive_any, less the urgent bytes of a stream that is watched (sockets/urgent.h). host_flags: the host's MSG_*,
 * flags: Windows'. */
ssize_t transfer_recv( struct descriptor *descriptor, void *buffer, size_t size, int host_flags, uint32_t flags );
ssize_t transfer_recvmsg( struct descriptor *descriptor, struct msghdr *message, int host_flags, uint32_t flags );
int transfer_receive_flags( uint32_t flags );
int transfer_send_flags( uint32_t flags );
/* Overlapped operations of the same direction come first: with some left the socket is as if it were not ready. */
int transfer_queued_before( struct descriptor *descriptor, enum operation_queue queue );
enum operation_queue transfer_receive_queue( uint32_t flags );
/* What every receive does after its last system call. */
void transfer_receive_ends( struct descriptor *descriptor, uint32_t flags );
/* Writes to each page of what is to be received into, of `limit` bytes at most, without changing it; may fault. The loader
 * watches the writes to some memory by taking the right to write away, of which the host's calls say EFAULT. */
void transfer_touch( const struct iovec *vectors, uint32_t count, uint64_t limit );
#define TOUCH_DATAGRAM 0x10000 /* the host drops a datagram that it cannot deliver */
#define TOUCH_OPERATION 0x100000
#endif
