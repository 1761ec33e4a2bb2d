/* Sends and receives that the host has refused, in the calls that wait: blocking.c. */
#ifndef WS2HOST_BLOCKING_H
#define WS2HOST_BLOCKING_H

#include "attempts/transfer.h"

/* Whether a receive that waits may be tried: a Winsock code. */
int32_t blocking_check_receive( struct descriptor *descriptor, uint32_t flags );

/* The host has refused a receive (errno). Waits where that helps; 1: try again, 0: it ends with *error or *status. `done`
 * bytes have been received before. */
int blocking_receive( struct descriptor *descriptor, uint32_t flags, uint32_t done, struct ws2_wait *wait,
                      int32_t *error, NTSTATUS *status );
/* The same for a send. *rest is set when a non-blocking stream has taken a part: Windows takes all of it or nothing. */
int blocking_send( struct descriptor *descriptor, uint32_t flags, int addressed, uint32_t done, struct ws2_wait *wait,
                   int *refused, int *rest, int32_t *error, NTSTATUS *status );

#endif
