/*
 * Messages: sends and receives with several buffers, an address or control data, without an OVERLAPPED.
 *
 * What the caller points to is copied before the descriptor is taken and written after it is given back, as either may
 * fault; working memory belongs to the thread, so that nothing is lost then.
 */
#include <errno.h>
#include <string.h>
#include "calls/blocking.h"
#include "sockets/control.h"
#include "events/events.h"
#include "sockets/datagram_send.h"
#include "operations/operation.h"
#include "sockets/endpoint.h"
#include "sockets/vectors.h"
#include "sockets/urgent.h"
#include "descriptors/wait.h"

#define STACK_VECTORS 16

/* Leaves out the first `done` bytes of vectors, in place. */
static void skip_vectors( struct iovec **vectors, uint32_t *count, uint64_t done )
{
    while ( *count && done >= ( *vectors )->iov_len )
    {
        done -= ( *vectors )->iov_len;
        ++*vectors;
        --*count;
    }
    if ( *count && done )
    {
        ( *vectors )->iov_base = (char *)( *vectors )->iov_base + done;
        ( *vectors )->iov_len -= done;
    }
}

NTSTATUS unix_sendmsg( void *args )
{
    struct ws2_message_params *params = args;
    struct iovec stack[STACK_VECTORS], *vectors = stack, *first;
    _Alignas( 8 ) unsigned char control[CONTROL_HOST_SIZE];
    union host_address address;
    struct msghdr message = { 0 };
    NTSTATUS status = 0;
    struct descriptor *d = descriptor_acquire( params->handle, &status );
    uint32_t family, type, left, total = 0;
    int flags, refused = 0, rest = 0;

    if ( !d ) return status;
    family = d->slot->family;
    type = d->slot->type;
    params->error = transfer_check_send( d, params->flags, params->address && params->size );
    descriptor_release( d );
    if ( params->error ) return 0;

    if ( params->address && params->size && type != SOCK_STREAM )
    {
        params->error = address_read( family, params->address, params->size, &address, &message.msg_namelen );
        if ( params->error || ( params->error = datagram_check_destination( &address ) ) ) return 0;
        message.msg_name = &address;
    }
    if ( params->control_size )
    {
        if ( ( params->error = control_to_host( (const void *)(uintptr_t)params->control, params->control_size,
                                                params->width, control, &message.msg_controllen ) ) )
            return 0;
        message.msg_control = control;
    }
    if ( params->count > MOST_VECTORS ||
         ( params->count > STACK_VECTORS && !( vectors = wait_scratch( params->count * sizeof( *vectors ) ) ) ) )
    {
        params->error = WSAENOBUFS;
        return 0;
    }
    vectors_read( params->buffers, params->count, vectors, &total );
    first = vectors;
    left = params->count;
    if ( !( d = descriptor_acquire( params->handle, &status ) ) ) return status;

    skip_vectors( &first, &left, params->done );
    flags = transfer_send_flags( params->flags );
    for ( ;; )
    {
        ssize_t n;

        message.msg_iov = first;
        message.msg_iovlen = vectors_count( left, type );
        n = transfer_queued_before( d, QUEUE_SEND ) ? -1 : datagram_sendmsg( d, &message, flags );
        if ( n >= 0 )
        {
            params->done += n;
            if ( params->flags & WS_MSG_OOB ) urgent_sent( d );
            if ( params->done >= total || type != SOCK_STREAM ) break;
            skip_vectors( &first, &left, n );
            continue;
        }
        if ( !blocking_send( d, params->flags, params->address && params->size, params->done, &params->wait, &refused,
                             &rest, &params->error, &status ) )
            break;
    }
    /* sending binds an unbound datagram socket */
    if ( !params->error && type != SOCK_STREAM && endpoint_unknown( d ) )
    {
        endpoint_remember( d );
        events_look_again( d );
    }
    descriptor_release( d );
    if ( rest )
    {
        params->error =
            operation_background_send( params->handle, first, left, params->flags, &params->need_io_thread );
        params->done = total;
    }
    return status;
}

/* Nowhere to put what comes, or too little room for its sender: then the datagram stays where it is. */
static int32_t message_check_receive( const struct descriptor *d, const struct ws2_message_params *params,
                                      int32_t capacity )
{
    if ( !params->count && !params->width ) return WSAEINVAL;
    if ( d->slot->type != SOCK_STREAM && params->address && params->size_pointer &&
         capacity < (int32_t)address_size( d->slot->family ) )
        return WSAEFAULT;
    return 0;
}

static uint64_t filled( const struct iovec *vectors, uint32_t count )
{
    uint64_t size = 0;

    while ( count-- ) size += vectors++->iov_len;
    return size;
}

NTSTATUS unix_recvmsg( void *args )
{
    struct ws2_message_params *params = args;
    struct iovec stack[STACK_VECTORS], *vectors = stack, *first;
    _Alignas( 8 ) unsigned char host_control[CONTROL_HOST_SIZE], control[CONTROL_USER_SIZE];
    uint32_t control_used = 0;
    int control_truncated = 0;
    union host_address address;
    struct msghdr message = { 0 };
    NTSTATUS status = 0;
    struct descriptor *d;
    uint32_t type = 0, left, total = 0;
    int flags, received = 0, touched = 0, goes_on = 0;
    int32_t capacity = 0;

    if ( params->size_pointer ) capacity = *(volatile int32_t *)(uintptr_t)params->size_pointer;
    if ( params->count > MOST_VECTORS ||
         ( params->count > STACK_VECTORS && !( vectors = wait_scratch( params->count * sizeof( *vectors ) ) ) ) )
    {
        params->error = WSAENOBUFS;
        return 0;
    }
    vectors_read( params->buffers, params->count, vectors, &total );
    if ( !( d = descriptor_acquire( params->handle, &status ) ) ) return status;
    if ( d->slot->type != SOCK_STREAM && !params->wait.deadline )
    {
        descriptor_release( d );
        transfer_touch( vectors, params->count, TOUCH_DATAGRAM );
        if ( !( d = descriptor_acquire( params->handle, &status ) ) ) return status;
    }
again:
    if ( ( params->error = blocking_check_receive( d, params->flags ) ) ) goto done;
    type = d->slot->type;
    if ( ( params->error = message_check_receive( d, params, capacity ) ) ) goto done;

    first = vectors;
    left = params->count;
    skip_vectors( &first, &left, params->done );
    flags = transfer_receive_flags( params->flags );
    for ( ;; )
    {
        ssize_t n;

        message.msg_iov = first;
        message.msg_iovlen = vectors_count( left, type );
        message.msg_name = type != SOCK_STREAM ? &address : NULL;
        message.msg_namelen = type != SOCK_STREAM ? sizeof( address ) : 0;
        if ( params->width && control_wanted( d ) )
        {
            message.msg_control = host_control;
            message.msg_controllen = sizeof( host_control );
        }
        n = transfer_queued_before( d, transfer_receive_queue( params->flags ) )
                ? -1
                : transfer_recvmsg( d, &message, flags, params->flags );
        if ( n >= 0 )
        {
            received = 1;
            if ( type == SOCK_STREAM && !n && params->done < total && !params->done )
                params->error = transfer_stream_ended( d );
            params->done += n;
            if ( params->width )
                control_used = control_from_host( d, &message, params->width, control,
                                                  params->control_size < sizeof( control ) ? params->control_size
                                                                                           : sizeof( control ),
                                                  &control_truncated );
            if ( message.msg_flags & MSG_TRUNC )
            {
                params->error = WSAEMSGSIZE;
                params->flags_out |= params->width ? WS_MSG_TRUNC : WS_MSG_PARTIAL;
            }
            if ( ( params->flags & WS_MSG_WAITALL ) && type == SOCK_STREAM && n && params->done < total &&
                 !( params->flags & WS_MSG_PEEK ) )
            {
                skip_vectors( &first, &left, n );
                continue;
            }
            /* one call takes IOV_MAX of them: the others follow as long as that need not wait */
            if ( type == SOCK_STREAM && n && left > IOV_MAX && !( params->flags & WS_MSG_PEEK ) &&
                 (uint64_t)n == filled( first, IOV_MAX ) )
            {
                skip_vectors( &first, &left, n );
                goes_on = 1;
                continue;
            }
            transfer_receive_ends( d, params->flags );
            break;
        }
        if ( goes_on && errno == EAGAIN )
        {
            transfer_receive_ends( d, params->flags );
            break;
        }
        if ( errno == EFAULT && !params->watched )
        {
            params->watched = 1;
            params->error = WSAEFAULT;
            break;
        }
        if ( errno == EFAULT && !touched++ )
        {
            descriptor_release( d );
            vectors_read( params->buffers, params->count, vectors, &total ); /* whole again */
            transfer_touch( vectors, params->count, total );
            if ( !( d = descriptor_acquire( params->handle, &status ) ) ) return status;
            goto again;
        }
        if ( !blocking_receive( d, params->flags, params->done, &params->wait, &params->error, &status ) ) break;
    }
done:
    descriptor_release( d );
    if ( received && type != SOCK_STREAM && message.msg_namelen )
    {
        int32_t error = address_write( &address, message.msg_namelen, params->address, params->size_pointer );
        if ( error ) params->error = error;
    }
    if ( received && params->width )
    {
        memcpy( (void *)(uintptr_t)params->control, control, control_used );
        params->control_size = control_used;
        if ( control_truncated )
        {
            params->flags_out |= WS_MSG_CTRUNC;
            params->error = WSAEMSGSIZE;
        }
    }
    return status;
}
