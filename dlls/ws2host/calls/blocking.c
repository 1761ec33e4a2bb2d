/* See blocking.h. */
#include <errno.h>
#include <poll.h>
#include "calls/blocking.h"
#include "descriptors/wait.h"
#include "events/events.h"
#include "sockets/datagram_errors.h"

int32_t blocking_check_receive( struct descriptor *d, uint32_t flags )
{
    int32_t error = transfer_check_receive( d, flags );

    /* what must not wait cannot wait for all */
    if ( !error && ( flags & WS_MSG_WAITALL ) && ( descriptor_flags( d ) & WS2_FLAG_NONBLOCKING ) )
        return WSAEOPNOTSUPP;
    return error;
}

int blocking_receive( struct descriptor *d, uint32_t flags, uint32_t done, struct ws2_wait *wait, int32_t *error,
                      NTSTATUS *status )
{
    const int reason = errno;
    enum wait_result result;

    if ( errno == EINTR ) return 1;
    if ( errno != EAGAIN )
    {
        *error = datagram_error_received( d, reason );
        if ( *error < 0 ) *error = transfer_error( d, reason );
        else if ( *error ) events_reenable( d, WS2_FD_READ );
        return !*error;
    }
    events_reenable( d, WS2_FD_READ );
    if ( descriptor_flags( d ) & WS2_FLAG_NONBLOCKING )
    {
        if ( !done ) *error = WSAEWOULDBLOCK;
        return 0;
    }
    if ( ( result = wait_one( d, POLLIN, atomic_load( &d->slot->receive_timeout ), wait ) ) != WAIT_READY )
    {
        *status = wait_status( result, error );
        return 0;
    }
    return !( *error = transfer_check_receive( d, flags ) );
}

int blocking_send( struct descriptor *d, uint32_t flags, int addressed, uint32_t done, struct ws2_wait *wait,
                   int *refused, int *rest, int32_t *error, NTSTATUS *status )
{
    const int reason = errno;
    enum wait_result result;

    if ( errno == EINTR ) return 1;
    if ( errno != EAGAIN )
    {
        if ( datagram_error_sent( d, reason, refused ) ) return 1;
        *error = transfer_error( d, reason );
        return 0;
    }
    if ( descriptor_flags( d ) & WS2_FLAG_NONBLOCKING )
    {
        if ( done ) *rest = 1;
        else
        {
            *error = WSAEWOULDBLOCK;
            events_send_blocked( d );
        }
        return 0;
    }
    if ( ( result = wait_one( d, POLLOUT, atomic_load( &d->slot->send_timeout ), wait ) ) != WAIT_READY )
    {
        *status = wait_status( result, error );
        return 0;
    }
    return !( *error = transfer_check_send( d, flags, addressed ) );
}
