/* See blocking.h. */
#include <poll.h>
#include "calls/blocking.h"
#include "descriptors/socket_set.h"
#include "descriptors/wait.h"
#include "events/events.h"
#include "sockets/urgent.h"

/* Must a transfer that was blocked wait? If not it has ended, as error and *status say. */
static int blocking_wait( struct descriptor *d, struct transfer *t, short events, uint32_t timeout,
                          struct ws2_wait *wait, NTSTATUS *status )
{
    struct pollfd fds[2] = { { .fd = socket_set_fd( d, events ), .events = events } };
    enum wait_result result;

    if ( events == POLLIN ) fds[0].events |= urgent_awaited( d );
    result = wait_many( &d, fds, 1, timeout ? timeout * 1000ull : WAIT_FOREVER_US, wait );
    if ( result == WAIT_READY && ( fds[0].revents & POLLPRI ) ) urgent_watch( d );
    if ( result == WAIT_READY ) return 1;
    *status = wait_status( result, &t->error );
    return 0;
}

enum transfer_result blocking_receive_on( struct descriptor *d, struct transfer *t, struct msghdr *header,
                                          struct ws2_wait *wait, NTSTATUS *status, enum transfer_result result )
{
    for ( ;; result = blocking_try_receive( d, t, header ) )
    {
        if ( result == TRANSFER_DONE ) transfer_receive_ends( d, t->flags );
        if ( result == TRANSFER_BLOCKED || t->icmp ) events_reenable( d, WS2_FD_READ );
        if ( result != TRANSFER_BLOCKED ) return result;
        if ( descriptor_flags( d ) & WS2_FLAG_NONBLOCKING )
        {
            if ( !t->done ) t->error = WSAEWOULDBLOCK;
            return TRANSFER_FAILED;
        }
        if ( !blocking_wait( d, t, POLLIN, atomic_load( &d->slot->receive_timeout ), wait, status ) ||
             ( t->error = transfer_check_receive( d, t->flags ) ) )
            return TRANSFER_FAILED;
    }
}

int blocking_send_on( struct descriptor *d, struct transfer *t, struct msghdr *header, int addressed,
                      struct ws2_wait *wait, NTSTATUS *status )
{
    do {
        if ( descriptor_flags( d ) & WS2_FLAG_NONBLOCKING )
        {
            if ( t->done )
            {
                events_sent( d );
                return 1;
            }
            t->error = WSAEWOULDBLOCK;
            events_send_blocked( d );
            return 0;
        }
        if ( !blocking_wait( d, t, POLLOUT, atomic_load( &d->slot->send_timeout ), wait, status ) ||
             ( t->error = transfer_check_send( d, t->flags, addressed ) ) )
            return 0;
    } while ( blocking_try_send( d, t, header ) == TRANSFER_BLOCKED );
    return 0;
}

struct descriptor *blocking_touch( struct descriptor *d, uint64_t handle, const struct transfer *t, uint64_t limit,
                                   NTSTATUS *status )
{
    descriptor_release( d );
    transfer_touch( t->vectors, t->count, limit );
    return descriptor_acquire( handle, status );
}
