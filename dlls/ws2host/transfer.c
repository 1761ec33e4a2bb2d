/*
 * Sending and receiving without an OVERLAPPED: one system call when nothing has to be waited for.
 *
 * The state that Winsock checks first (shut down, not connected, reset) stands in the slot's flags; the buffers go to the
 * host as they are, which reports a bad one itself.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include "connect.h"
#include "events.h"
#include "operation.h"
#include "transfer.h"
#include "wait.h"
#include "control.h"

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

#define SEND_FLAGS ( WS_MSG_OOB | WS_MSG_DONTROUTE | WS_MSG_PARTIAL )
#define RECEIVE_FLAGS \
    ( WS_MSG_OOB | WS_MSG_PEEK | WS_MSG_WAITALL | WS_MSG_INTERRUPT | WS_MSG_PUSH_IMMEDIATE | WS_MSG_PARTIAL )

int32_t transfer_check_receive( struct descriptor *d, uint32_t flags )
{
    uint32_t state = descriptor_flags( d );

    if (flags & ~RECEIVE_FLAGS) return WSAEOPNOTSUPP;
    if (state & WS2_FLAG_SHUT_RECEIVE) return WSAESHUTDOWN;
    if (d->slot->type == SOCK_STREAM)
    {
        if (!( state & WS2_FLAG_CONNECTED ) &&
            ( connect_check( d ) != CONNECT_DONE || !( descriptor_flags( d ) & WS2_FLAG_CONNECTED ) ))
            return WSAENOTCONN;
        if (state & WS2_FLAG_RESET) return WSAECONNRESET;
    }
    else if (!( state & WS2_FLAG_BOUND )) return WSAEINVAL;
    return 0;
}

int32_t transfer_check_send( struct descriptor *d, uint32_t flags, int addressed )
{
    uint32_t state = descriptor_flags( d );

    if (flags & ~SEND_FLAGS) return WSAEOPNOTSUPP;
    if (state & WS2_FLAG_SHUT_SEND) return WSAESHUTDOWN;
    if (d->slot->type == SOCK_STREAM)
    {
        if (!( state & WS2_FLAG_CONNECTED ) &&
            ( connect_check( d ) != CONNECT_DONE || !( descriptor_flags( d ) & WS2_FLAG_CONNECTED ) ))
            return WSAENOTCONN;
        if (state & WS2_FLAG_RESET) return WSAECONNRESET;
    }
    /* asked without an address, the host would bind the socket before it refuses */
    else if (!addressed && !( state & WS2_FLAG_CONNECTED )) return WSAENOTCONN;
    return 0;
}

/* The code of a failed transfer on the host. A reset is told by the host once, by Windows again and again. */
int32_t transfer_error( struct descriptor *d, int error )
{
    if (d->slot->type != SOCK_STREAM) return error == ECONNREFUSED ? WSAECONNRESET : winsock_error( error );
    if (error == ECONNRESET || error == EPIPE)
    {
        descriptor_set_flags( d, WS2_FLAG_RESET );
        return WSAECONNRESET;
    }
    if (error == EINVAL) return WSAEINVAL;
    return winsock_error( error );
}

int transfer_receive_flags( uint32_t flags )
{
    return MSG_DONTWAIT | ( flags & WS_MSG_OOB ? MSG_OOB : 0 ) | ( flags & WS_MSG_PEEK ? MSG_PEEK : 0 );
}

int transfer_send_flags( uint32_t flags )
{
    return MSG_DONTWAIT | MSG_NOSIGNAL | ( flags & WS_MSG_OOB ? MSG_OOB : 0 ) |
           ( flags & WS_MSG_DONTROUTE ? MSG_DONTROUTE : 0 );
}

/* Receiving tells of an ICMP port unreachable that an earlier datagram met, unless SIO_UDP_CONNRESET has turned it off. */
int transfer_ignores( const struct descriptor *d, int error )
{
    return error == ECONNREFUSED && d->slot->type != SOCK_STREAM && !( descriptor_flags( d ) & WS2_FLAG_CONNRESET );
}

void transfer_urgent_inline( struct descriptor *d )
{
    int at_mark = 0;
    char byte;

    if (!( descriptor_flags( d ) & WS2_FLAG_URGENT_TAKEN )) return;
    if (!ioctl( d->fd, SIOCATMARK, &at_mark ) && at_mark) recv( d->fd, &byte, 1, MSG_DONTWAIT );
    descriptor_clear_flags( d, WS2_FLAG_URGENT_TAKEN );
}

void transfer_receive_ends( struct descriptor *d, uint32_t flags )
{
    if (( flags & ( WS_MSG_OOB | WS_MSG_PEEK ) ) == WS_MSG_OOB) descriptor_set_flags( d, WS2_FLAG_URGENT_TAKEN );
    events_reenable( d, flags & WS_MSG_OOB ? WS2_FD_OOB : WS2_FD_READ );
}

/* Overlapped operations of the same direction come first: with some left the socket is as if it were not ready. */
static int queued_before( struct descriptor *d, enum operation_queue queue )
{
    if (!operation_queued( d, queue )) return 0;
    operation_serve( d );
    errno = EAGAIN;
    return operation_queued( d, queue );
}

static enum operation_queue receive_queue( uint32_t flags ) { return flags & WS_MSG_OOB ? QUEUE_URGENT : QUEUE_RECEIVE; }

NTSTATUS unix_recv( void *args )
{
    struct ws2_transfer_params *params = args;
    NTSTATUS status = 0;
    struct descriptor *d = descriptor_acquire( params->handle, &status );
    int stream, flags;

    if (!d) return status;
    if ((params->error = transfer_check_receive( d, params->flags ))) goto done;
    stream = d->slot->type == SOCK_STREAM;
    flags = transfer_receive_flags( params->flags ) | ( stream ? 0 : MSG_TRUNC );
    for (;;)
    {
        uint32_t left = params->size - params->done;
        ssize_t n = queued_before( d, receive_queue( params->flags ) )
                        ? -1
                        : recv( d->fd, (char *)(uintptr_t)params->buffer + params->done, left, flags );

        if (n >= 0)
        {
            if ((size_t)n > left)
            {
                params->error = WSAEMSGSIZE;
                n = left;
            }
            params->done += n;
            if (( params->flags & WS_MSG_WAITALL ) && stream && n && params->done < params->size &&
                !( params->flags & WS_MSG_PEEK ))
                continue;
            transfer_receive_ends( d, params->flags );
            break;
        }
        if (errno == EINTR || transfer_ignores( d, errno )) continue;
        if (errno != EAGAIN)
        {
            params->error = transfer_error( d, errno );
            break;
        }
        events_reenable( d, WS2_FD_READ );
        if (descriptor_flags( d ) & WS2_FLAG_NONBLOCKING)
        {
            if (!params->done) params->error = WSAEWOULDBLOCK;
            break;
        }
        enum wait_result result =
            wait_one( d, POLLIN, atomic_load( &d->slot->receive_timeout ), &params->wait );
        if (result != WAIT_READY)
        {
            status = wait_status( result, &params->error );
            break;
        }
        if ((params->error = transfer_check_receive( d, params->flags ))) break;
    }
done:
    descriptor_release( d );
    return status;
}

NTSTATUS unix_send( void *args )
{
    struct ws2_transfer_params *params = args;
    NTSTATUS status = 0;
    struct descriptor *d = descriptor_acquire( params->handle, &status );
    uint32_t rest = 0;
    int flags, refused = 0;

    if (!d) return status;
    if ((params->error = transfer_check_send( d, params->flags, 0 ))) goto done;
    flags = transfer_send_flags( params->flags );
    for (;;)
    {
        ssize_t n = queued_before( d, QUEUE_SEND )
                        ? -1
                        : send( d->fd, (const char *)(uintptr_t)params->buffer + params->done,
                                params->size - params->done, flags );

        if (n >= 0)
        {
            params->done += n;
            if (params->done >= params->size || d->slot->type != SOCK_STREAM) break;
            continue;
        }
        if (errno == EINTR) continue;
        /* an earlier datagram was answered by ICMP port unreachable: sending does not report that */
        if (errno == ECONNREFUSED && d->slot->type != SOCK_STREAM && !refused++) continue;
        if (errno != EAGAIN)
        {
            params->error = transfer_error( d, errno );
            break;
        }
        if (descriptor_flags( d ) & WS2_FLAG_NONBLOCKING)
        {
            if (!params->done)
            {
                params->error = WSAEWOULDBLOCK;
                events_send_blocked( d );
            }
            else rest = params->size - params->done;
            break;
        }
        enum wait_result result = wait_one( d, POLLOUT, atomic_load( &d->slot->send_timeout ), &params->wait );
        if (result != WAIT_READY)
        {
            status = wait_status( result, &params->error );
            break;
        }
        if ((params->error = transfer_check_send( d, params->flags, 0 ))) break;
    }
done:
    descriptor_release( d );
    if (rest)
    {
        /* Windows takes all of it or nothing */
        struct iovec vector = { (char *)(uintptr_t)params->buffer + params->done, rest };

        params->error = operation_send_rest( params->handle, &vector, 1, params->flags, &params->need_io_thread );
        params->done = params->size;
    }
    return status;
}

/* --- several buffers, addresses, control data ---------------------------------------------------------------------------
 * The caller's WSABUFs are copied before the descriptor is taken: that copy may fault. */

int32_t transfer_buffers( uint64_t user, uint32_t count, struct iovec *vectors, uint32_t *total )
{
    const struct windows_buffer *buffers = (const struct windows_buffer *)(uintptr_t)user;
    uint64_t sum = 0;

    for (uint32_t i = 0; i < count; i++)
    {
        vectors[i].iov_base = (void *)(uintptr_t)buffers[i].pointer;
        vectors[i].iov_len = buffers[i].size;
        sum += buffers[i].size;
    }
    *total = sum > UINT32_MAX ? UINT32_MAX : sum;
    return 0;
}

#define STACK_VECTORS 16

/* Leaves out the first `done` bytes of vectors; what is left of at most IOV_MAX of them, in place. */
static uint32_t skip_vectors( struct iovec **vectors, uint32_t *count, uint64_t done )
{
    while (*count && done >= ( *vectors )->iov_len)
    {
        done -= ( *vectors )->iov_len;
        ++*vectors;
        --*count;
    }
    if (*count && done)
    {
        ( *vectors )->iov_base = (char *)( *vectors )->iov_base + done;
        ( *vectors )->iov_len -= done;
    }
    return *count < IOV_MAX ? *count : IOV_MAX;
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

    if (!d) return status;
    family = d->slot->family;
    type = d->slot->type;
    params->error = transfer_check_send( d, params->flags, params->address && params->size );
    descriptor_release( d );
    if (params->error) return 0;

    if (params->address && params->size && type != SOCK_STREAM)
    {
        if ((params->error = address_read( family, params->address, params->size, &address, &message.msg_namelen )))
            return 0;
        message.msg_name = &address;
    }
    if (params->control_size)
    {
        if ((params->error = control_to_host( (const void *)(uintptr_t)params->control, params->control_size,
                                              params->width, control, &message.msg_controllen )))
            return 0;
        message.msg_control = control;
    }
    /* a first look at the array, so that a fault leaves no memory behind */
    if (params->count)
    {
        volatile const char *array = (const char *)(uintptr_t)params->buffers;
        for (uint64_t i = 0; i < params->count * sizeof(struct windows_buffer); i += 4096) (void)array[i];
        (void)array[params->count * sizeof(struct windows_buffer) - 1];
    }
    if (params->count > STACK_VECTORS && !(vectors = malloc( params->count * sizeof(*vectors) )))
    {
        params->error = WSAENOBUFS;
        return 0;
    }
    transfer_buffers( params->buffers, params->count, vectors, &total );
    if (!(d = descriptor_acquire( params->handle, &status ))) goto free_vectors;

    first = vectors;
    left = params->count;
    skip_vectors( &first, &left, params->done );
    flags = transfer_send_flags( params->flags );
    for (;;)
    {
        ssize_t n;

        message.msg_iov = first;
        message.msg_iovlen = left < IOV_MAX ? left : IOV_MAX;
        if (queued_before( d, QUEUE_SEND )) n = -1;
        else if (left > IOV_MAX && type != SOCK_STREAM)
        {
            /* one datagram is one system call: more buffers than the host takes are put together */
            struct iovec one = { malloc( total ? total : 1 ), 0 };
            if (!one.iov_base)
            {
                params->error = WSAENOBUFS;
                break;
            }
            for (uint32_t i = 0; i < left; i++)
            {
                memcpy( (char *)one.iov_base + one.iov_len, first[i].iov_base, first[i].iov_len );
                one.iov_len += first[i].iov_len;
            }
            message.msg_iov = &one;
            message.msg_iovlen = 1;
            n = sendmsg( d->fd, &message, flags );
            free( one.iov_base );
        }
        else n = sendmsg( d->fd, &message, flags );

        if (n >= 0)
        {
            params->done += n;
            if (params->done >= total || type != SOCK_STREAM) break;
            skip_vectors( &first, &left, n );
            continue;
        }
        if (errno == EINTR) continue;
        if (errno == ECONNREFUSED && type != SOCK_STREAM && !refused++) continue;
        if (errno != EAGAIN)
        {
            params->error = transfer_error( d, errno );
            break;
        }
        if (descriptor_flags( d ) & WS2_FLAG_NONBLOCKING)
        {
            if (!params->done)
            {
                params->error = WSAEWOULDBLOCK;
                events_send_blocked( d );
            }
            else rest = 1;
            break;
        }
        enum wait_result result = wait_one( d, POLLOUT, atomic_load( &d->slot->send_timeout ), &params->wait );
        if (result != WAIT_READY)
        {
            status = wait_status( result, &params->error );
            break;
        }
        if ((params->error = transfer_check_send( d, params->flags, params->address && params->size ))) break;
    }
    /* sending binds an unbound datagram socket */
    if (!params->error && type != SOCK_STREAM && !( descriptor_flags( d ) & WS2_FLAG_BOUND )) endpoint_remember( d );
    descriptor_release( d );
    if (rest)
    {
        params->error = operation_send_rest( params->handle, first, left, params->flags, &params->need_io_thread );
        params->done = total;
    }
free_vectors:
    if (vectors != stack) free( vectors );
    return status;
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
    int flags, received = 0;

    if (params->count)
    {
        volatile const char *array = (const char *)(uintptr_t)params->buffers;
        for (uint64_t i = 0; i < params->count * sizeof(struct windows_buffer); i += 4096) (void)array[i];
        (void)array[params->count * sizeof(struct windows_buffer) - 1];
    }
    if (params->size_pointer) (void)*(volatile int32_t *)(uintptr_t)params->size_pointer;
    if (params->count > STACK_VECTORS && !(vectors = malloc( params->count * sizeof(*vectors) )))
    {
        params->error = WSAENOBUFS;
        return 0;
    }
    transfer_buffers( params->buffers, params->count, vectors, &total );
    if (!(d = descriptor_acquire( params->handle, &status ))) goto free_vectors;
    if ((params->error = transfer_check_receive( d, params->flags ))) goto done;
    type = d->slot->type;

    first = vectors;
    left = params->count;
    skip_vectors( &first, &left, params->done );
    flags = transfer_receive_flags( params->flags );
    for (;;)
    {
        ssize_t n;

        message.msg_iov = first;
        message.msg_iovlen = left < IOV_MAX ? left : IOV_MAX;
        message.msg_name = type != SOCK_STREAM ? &address : NULL;
        message.msg_namelen = type != SOCK_STREAM ? sizeof(address) : 0;
        if (params->width && control_wanted( d ))
        {
            message.msg_control = host_control;
            message.msg_controllen = sizeof(host_control);
        }
        n = queued_before( d, receive_queue( params->flags ) ) ? -1 : recvmsg( d->fd, &message, flags );
        if (n >= 0)
        {
            received = 1;
            params->done += n;
            if (params->width)
                control_used = control_from_host( d, &message, params->width, control,
                                                  params->control_size < sizeof(control) ? params->control_size
                                                                                         : sizeof(control),
                                                  &control_truncated );
            if (message.msg_flags & MSG_TRUNC)
            {
                params->error = WSAEMSGSIZE;
                params->flags_out |= WS_MSG_TRUNC;
            }
            if (( params->flags & WS_MSG_WAITALL ) && type == SOCK_STREAM && n && params->done < total &&
                !( params->flags & WS_MSG_PEEK ))
            {
                skip_vectors( &first, &left, n );
                continue;
            }
            transfer_receive_ends( d, params->flags );
            break;
        }
        if (errno == EINTR || transfer_ignores( d, errno )) continue;
        if (errno != EAGAIN)
        {
            params->error = transfer_error( d, errno );
            break;
        }
        events_reenable( d, WS2_FD_READ );
        if (descriptor_flags( d ) & WS2_FLAG_NONBLOCKING)
        {
            if (!params->done) params->error = WSAEWOULDBLOCK;
            break;
        }
        enum wait_result result = wait_one( d, POLLIN, atomic_load( &d->slot->receive_timeout ), &params->wait );
        if (result != WAIT_READY)
        {
            status = wait_status( result, &params->error );
            break;
        }
        if ((params->error = transfer_check_receive( d, params->flags ))) break;
    }
done:
    descriptor_release( d );
free_vectors:
    if (vectors != stack) free( vectors );
    if (received && type != SOCK_STREAM && message.msg_namelen)
    {
        int32_t error = address_write( &address, message.msg_namelen, params->address, params->size_pointer );
        if (error) params->error = error;
    }
    if (received && params->width)
    {
        memcpy( (void *)(uintptr_t)params->control, control, control_used );
        params->control_size = control_used;
        if (control_truncated)
        {
            params->flags_out |= WS_MSG_CTRUNC;
            params->error = WSAEMSGSIZE;
        }
    }
    return status;
}
