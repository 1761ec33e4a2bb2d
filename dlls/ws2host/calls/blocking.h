/* Sends and receives in the calls that wait: step after step (attempts/transfer.h), with the waiting between them. */
#ifndef WS2HOST_BLOCKING_H
#define WS2HOST_BLOCKING_H

#include "attempts/transfer.h"

/* Whether a receive that waits may be tried: a Winsock code. */
static inline int32_t blocking_check_receive( struct descriptor *d, uint32_t flags )
{
    const int32_t error = transfer_check_receive( d, flags );

    /* what must not wait cannot wait for all */
    if ( !error && ( flags & WS_MSG_WAITALL ) && ( descriptor_flags( d ) & WS2_FLAG_NONBLOCKING ) )
        return WSAEOPNOTSUPP;
    return error;
}

static inline enum transfer_result blocking_try_receive( struct descriptor *d, struct transfer *t,
                                                         struct msghdr *header )
{
    if ( transfer_queued_before( d, transfer_receive_queue( t->flags ) ) ) return TRANSFER_BLOCKED;
    return transfer_receive( d, t, header );
}
static inline enum transfer_result blocking_try_send( struct descriptor *d, struct transfer *t, struct msghdr *header )
{
    return transfer_queued_before( d, QUEUE_SEND ) ? TRANSFER_BLOCKED : transfer_send( d, t, header );
}

/* After a try that ended with `result`: waits where the socket does, and tries again. */
enum transfer_result blocking_receive_on( struct descriptor *descriptor, struct transfer *transfer,
                                          struct msghdr *header, struct ws2_wait *wait, NTSTATUS *status,
                                          enum transfer_result result );
int blocking_send_on( struct descriptor *descriptor, struct transfer *transfer, struct msghdr *header, int addressed,
                      struct ws2_wait *wait, NTSTATUS *status );

/* Receives, and waits where the socket does. The outcome is in the transfer; a wait that ends early has its own in *status. */
static inline enum transfer_result blocking_receive( struct descriptor *d, struct transfer *t, struct msghdr *header,
                                                     struct ws2_wait *wait, NTSTATUS *status )
{
    const enum transfer_result result = blocking_try_receive( d, t, header );

    if ( result != TRANSFER_DONE ) return blocking_receive_on( d, t, header, wait, status, result );
    transfer_receive_ends( d, t->flags );
    return result;
}
/* The same for a send. 1: a non-blocking stream has taken a part, of which Windows takes all or nothing: the rest, which the
 * transfer has, is to be sent in the background. */
static inline int blocking_send( struct descriptor *d, struct transfer *t, struct msghdr *header, int addressed,
                                 struct ws2_wait *wait, NTSTATUS *status )
{
    if ( blocking_try_send( d, t, header ) != TRANSFER_BLOCKED ) return 0;
    return blocking_send_on( d, t, header, addressed, wait, status );
}

/* Writes to what is to be received into (transfer_touch), with the descriptor given back. What stands under the handle then,
 * or NULL and *status. */
struct descriptor *blocking_touch( struct descriptor *descriptor_consume, uint64_t handle,
                                   const struct transfer *transfer, uint64_t limit, NTSTATUS *status );

#endif
