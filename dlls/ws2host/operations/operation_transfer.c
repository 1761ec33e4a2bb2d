/*
 * Overlapped receives and sends: WSARecv, WSARecvFrom, WSARecvMsg, WSASend, WSASendTo, WSASendMsg.
 *
 * An operation begins on the caller's stack and is copied to the heap only when it has to wait.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/io_loop.h"
#include "sockets/control.h"
#include "sockets/endpoint.h"
#include "events/events.h"
#include "sockets/datagram_errors.h"
#include "sockets/datagram_send.h"
#include "operations/operation.h"
#include "attempts/transfer.h"
#include "attempts/unbuffered.h"
#include "sockets/urgent.h"
#include "sockets/vectors.h"

#define STACK_VECTORS 16
#define LARGEST_SENT 65527 /* of IPv6; IPv4's is shorter */
#define WS_MSG_PEEK 0x2
#define WS_MSG_OOB 0x1
#define WS_MSG_WAITALL 0x8
#define WS_MSG_TRUNC 0x100
#define WS_MSG_CTRUNC 0x200

/* WSAMSG as a 64-bit program lays it out */
struct windows_message
{
    uint64_t name;
    int32_t name_size;
    uint32_t padding;
    uint64_t buffers;
    uint32_t count;
    uint32_t padding2;
    struct windows_buffer control;
    uint32_t flags;
    uint32_t padding3;
};

struct windows_message32
{
    uint32_t name;
    int32_t name_size;
    uint32_t buffers;
    uint32_t count;
    struct windows_buffer32 control;
    uint32_t flags;
};

#define MESSAGE_OFFSET( field ) \
    ( CALLER_IS_32 ? offsetof( struct windows_message32, field ) : offsetof( struct windows_message, field ) )

/* May fault. */
static void read_message( struct windows_message *message, uint64_t user )
{
    struct windows_message32 copy;

    if ( !CALLER_IS_32 ) memcpy( message, (const void *)(uintptr_t)user, sizeof( *message ) );
    else
    {
        memcpy( &copy, (const void *)(uintptr_t)user, sizeof( copy ) );
        *message =
            ( struct windows_message ){ .name = copy.name,
                                        .name_size = copy.name_size,
                                        .buffers = copy.buffers,
                                        .count = copy.count,
                                        .flags = copy.flags,
                                        .control = { .size = copy.control.size, .pointer = copy.control.pointer } };
    }
}

/* What WSASendMsg and WSARecvMsg have beyond the others. */
struct message
{
    uint64_t user; /* the WSAMSG */
    uint64_t control_user;
    uint32_t capacity;
    uint32_t used;
    uint32_t flags;
    uint32_t reserved;
    uint64_t local_user; /* registered I/O: where to put the address that a datagram was sent to, or 0 */
    union host_address local;
    size_t host_size;
    _Alignas( 8 ) char host[CONTROL_HOST_SIZE];
    char control[CONTROL_USER_SIZE];
};

struct transfer
{
    struct operation operation;
    uint32_t flags; /* MSG_* of Windows */
    uint32_t total; /* bytes, of all buffers */
    struct iovec *vectors;
    uint32_t count;
    uint32_t first; /* vector that comes next, and how much of it is done */
    size_t skip;
    uint64_t address_user; /* receives: where to put the sender's address, of capacity */
    uint64_t size_user;
    int32_t capacity;
    int32_t address_written;
    union host_address address;
    socklen_t address_size;       /* sends: 0 for none */
    struct message *message;      /* NULL for all but the Msg functions */
    struct bounce_buffer *bounce; /* receives: NULL unless the host could not write to the caller's memory */
};

/* Memory whose writes the loader has begun to watch while the receive was waiting is written by the caller, who is given
 * the data with the end: the vectors are in `data` then. */
struct bounce_buffer
{
    uint64_t begins; /* so much has been received before */
    char *data;
    struct iovec vectors[]; /* the caller's */
};

/* The vectors that are left, at most `room` of them. */
static uint32_t vectors_left( const struct transfer *t, struct iovec *left, uint32_t room )
{
    uint32_t n = 0;

    for ( uint32_t i = t->first; i < t->count && n < room; i++ ) left[n++] = t->vectors[i];
    if ( n )
    {
        left[0].iov_base = (char *)left[0].iov_base + t->skip;
        left[0].iov_len -= t->skip;
    }
    return n;
}

static void advance_transfer( struct transfer *t, size_t done )
{
    t->operation.information += done;
    done += t->skip;
    while ( t->first < t->count && done >= t->vectors[t->first].iov_len ) done -= t->vectors[t->first++].iov_len;
    t->skip = done;
}

/* --- receiving --------------------------------------------------------------------------------------------------------*/

/* Leaves in the operation what goes to the caller beside the data. */
static void give_address( struct transfer *t, struct msghdr *header )
{
    struct operation *operation = &t->operation;
    struct descriptor *d = operation->descriptor;
    int truncated = 0;

    t->address_written = header->msg_namelen;
    if ( t->address.any.sa_family == AF_INET6 ) t->address.any.sa_family = WS_AF_INET6;
    if ( t->address_user && header->msg_namelen && d->slot->type != SOCK_STREAM )
    {
        if ( t->capacity < t->address_written ) operation->error = WSAEFAULT;
        else
        {
            operation_write( operation, t->address_user, &t->address, t->address_written );
            operation_write( operation, t->size_user, &t->address_written, sizeof( int32_t ) );
        }
    }
    if ( !t->message ) return;
    t->message->used =
        t->message->capacity || ( !t->message->local_user && control_wanted( d ) )
            ? control_from_host( d, header, caller_width, t->message->control, t->message->capacity, &truncated )
            : 0;
    if ( truncated )
    {
        operation->flags_out |= WS_MSG_CTRUNC;
        operation->error = WSAEMSGSIZE;
    }
    t->message->flags = operation->flags_out;
    if ( !t->message->local_user ) operation->flags_out = 0; /* the WSAMSG has them, and no completion */
    else
        operation_write( operation, t->message->local_user, &t->message->local,
                         control_destination( d, header, &t->message->local ) );
    operation_write( operation, t->message->control_user, t->message->control, t->message->used );
    operation_write( operation, t->message->user + MESSAGE_OFFSET( control.size ), &t->message->used,
                     sizeof( uint32_t ) );
    operation_write( operation, t->message->user + MESSAGE_OFFSET( flags ), &t->message->flags, sizeof( uint32_t ) );
}

static int bounce_begin( struct transfer *t )
{
    char *data;

    if ( t->count > WS2_COMPLETION_WRITES - ( t->message ? 5 : 2 ) ) return 0;
    if ( t->total > INT32_MAX ) return 0;
    if ( !( t->bounce = malloc( sizeof( *t->bounce ) + t->count * sizeof( struct iovec ) + t->total ) ) ) return 0;
    t->bounce->begins = t->operation.information;
    data = t->bounce->data = (char *)( t->bounce->vectors + t->count );
    for ( uint32_t i = 0; i < t->count; i++ )
    {
        t->bounce->vectors[i] = t->vectors[i];
        t->vectors[i].iov_base = data;
        data += t->vectors[i].iov_len;
    }
    return 1;
}

static void bounce_end( struct transfer *t )
{
    const struct bounce_buffer *bounce = t->bounce;
    uint64_t at = 0;

    t->operation.bounced = 1;
    for ( uint32_t i = 0; i < t->count && at < t->operation.information; i++ )
    {
        const uint64_t begin = bounce->begins > at ? bounce->begins : at;
        uint64_t end = at + bounce->vectors[i].iov_len;

        if ( end > t->operation.information ) end = t->operation.information;
        if ( end > begin )
            operation_write( &t->operation, (uintptr_t)bounce->vectors[i].iov_base + begin - at, bounce->data + begin,
                             end - begin );
        at += bounce->vectors[i].iov_len;
    }
}

/* A port that nobody has is another status than a connection that was reset, though the same error of Winsock's. */
static int32_t end_by_icmp( int32_t error ) { return error == WSAECONNRESET ? WS2_ERROR_PORT_UNREACHABLE : error; }

static enum operation_result perform_receive( struct operation *operation )
{
    struct transfer *t = (struct transfer *)operation;
    struct descriptor *d = operation->descriptor;
    const int stream = d->slot->type == SOCK_STREAM;
    const int flags = transfer_receive_flags( t->flags ),
              many = stream && t->count > IOV_MAX && !( t->flags & ( WS_MSG_PEEK | WS_MSG_WAITALL ) );

    if ( !stream && datagram_error_known( d ) && ( operation->error = end_by_icmp( datagram_error_take( d ) ) ) )
        return OPERATION_DONE;
    for ( ;; )
    {
        struct iovec left[STACK_VECTORS], *vectors = left;
        struct msghdr header = { .msg_iov = left };
        char byte;
        ssize_t n;

        if ( !t->total && stream )
        {
            /* a receive of nothing ends when there is something */
            if ( ( n = transfer_recv( d, &byte, 1, MSG_PEEK | MSG_DONTWAIT, WS_MSG_PEEK ) ) > 0 ) n = 0;
        }
        else if ( stream && t->count == 1 )
            n = transfer_recv( d, (char *)t->vectors->iov_base + t->skip, t->vectors->iov_len - t->skip, flags,
                               t->flags );
        else
        {
            if ( !t->first && !t->skip ) vectors = t->vectors;
            header.msg_iov = vectors;
            header.msg_iovlen =
                vectors == left ? vectors_left( t, left, STACK_VECTORS ) : vectors_count( t->count, d->slot->type );
            if ( !stream )
            {
                header.msg_name = &t->address;
                header.msg_namelen = sizeof( t->address );
                if ( t->message )
                {
                    header.msg_control = t->message->host;
                    header.msg_controllen = sizeof( t->message->host );
                }
            }
            n = transfer_recvmsg( d, &header, flags, t->flags );
        }
        if ( n < 0 && errno == EINTR ) continue;
        if ( n < 0 && errno == EAGAIN && !( many && operation->information ) ) return OPERATION_BLOCKED;
        if ( n < 0 && errno == EAGAIN ) n = 0;
        if ( n < 0 && errno == EFAULT && !t->bounce && bounce_begin( t ) ) continue;
        if ( n < 0 )
        {
            const int reason = errno;

            if ( !( operation->error = datagram_error_received( d, reason ) ) ) continue;
            operation->error = operation->error < 0 ? transfer_error( d, reason ) : end_by_icmp( operation->error );
            if ( operation->information ) operation->error = 0; /* what came is told first */
            if ( t->bounce ) bounce_end( t );
            return OPERATION_DONE;
        }
        if ( stream && !n && t->total && !operation->information ) operation->error = transfer_stream_ended( d );
        if ( t->flags & WS_MSG_PEEK ) operation->information = n;
        else advance_transfer( t, n );
        if ( ( t->flags & WS_MSG_WAITALL ) && stream && n && operation->information < t->total &&
             !( t->flags & WS_MSG_PEEK ) )
            continue;
        if ( many && n && !t->skip && t->first < t->count ) continue; /* one call takes IOV_MAX of them */
        if ( header.msg_flags & MSG_TRUNC )
        {
            operation->error = WSAEMSGSIZE;
            operation->flags_out |= t->message ? WS_MSG_TRUNC : WS_MSG_PARTIAL;
        }
        if ( !stream ) give_address( t, &header );
        if ( t->bounce ) bounce_end( t );
        return OPERATION_DONE;
    }
}

/* --- sending ----------------------------------------------------------------------------------------------------------*/

/* It has been given to the host, and waits for that to have sent it. */
static void detach_send( struct operation *operation ) { unbuffered_ends( operation->descriptor ); }

static enum operation_result perform_send( struct operation *operation )
{
    struct transfer *t = (struct transfer *)operation;
    struct descriptor *d = operation->descriptor;
    const int stream = d->slot->type == SOCK_STREAM;
    int refused = 0;

    if ( operation->detach ) return unbuffered_sent( d ) ? OPERATION_DONE : OPERATION_BLOCKED;
    for ( ;; )
    {
        struct iovec left[STACK_VECTORS];
        struct msghdr header = { .msg_iov = left };
        ssize_t n;

        if ( !t->first && !t->skip )
        {
            header.msg_iov = t->vectors;
            header.msg_iovlen = vectors_count( t->count, d->slot->type );
        }
        else header.msg_iovlen = vectors_left( t, left, STACK_VECTORS );
        if ( t->address_size )
        {
            header.msg_name = &t->address;
            header.msg_namelen = t->address_size;
        }
        if ( t->message && t->message->host_size )
        {
            header.msg_control = t->message->host;
            header.msg_controllen = t->message->host_size;
        }
        n = datagram_sendmsg( d, &header, transfer_send_flags( t->flags ) );
        if ( n < 0 && errno == EINTR ) continue;
        if ( n < 0 && errno == EAGAIN ) return OPERATION_BLOCKED;
        if ( n < 0 )
        {
            const int reason = errno;

            if ( !stream && datagram_error_sent( d, reason, &refused ) ) continue;
            /* the rest of an earlier send is sent after its descriptor is gone, and with it the slot */
            operation->error = operation->internal ? WSAECONNRESET : transfer_error( d, reason );
            return OPERATION_DONE;
        }
        advance_transfer( t, n );
        if ( ( t->flags & WS_MSG_OOB ) && !operation->internal ) urgent_sent( d );
        if ( stream && operation->information < t->total ) continue;
        if ( !stream || operation->internal || ( operation->how & WS2_OPERATION_NO_WAIT ) || unbuffered_sent( d ) )
            return OPERATION_DONE;
        operation->detach = detach_send;
        return OPERATION_BLOCKED;
    }
}

/* Such a send ends by another status than a receive whose buffer is too short, though with the same error of Winsock's. */
static enum operation_result perform_too_long( struct operation *operation )
{
    operation->error = WS2_ERROR_INVALID_USER_BUFFER;
    return OPERATION_DONE;
}

/* --- starting ---------------------------------------------------------------------------------------------------------*/

static void dispose_transfer( struct operation *operation )
{
    struct transfer *t = (struct transfer *)operation;

    free( t->message );
    free( t->bounce );
}

/* A copy on the heap, which has the bounce buffer from then on, or NULL. */
static struct operation *clone_transfer( const struct transfer *from )
{
    struct transfer *t = malloc( sizeof( *t ) + from->count * sizeof( struct iovec ) );

    if ( !t ) return NULL;
    *t = *from;
    t->operation.dispose = dispose_transfer;
    t->vectors = (struct iovec *)( t + 1 );
    memcpy( t->vectors, from->vectors, from->count * sizeof( struct iovec ) );
    if ( from->message )
    {
        if ( !( t->message = malloc( sizeof( *t->message ) ) ) )
        {
            free( t );
            return NULL;
        }
        *t->message = *from->message;
    }
    return &t->operation;
}

/* Copies what an ended operation leaves for the caller; may fault. */
static void write_now( const struct operation *operation )
{
    for ( unsigned int i = 0; i < operation->write_count; i++ )
        memcpy( (void *)(uintptr_t)operation->writes[i].target, (const void *)(uintptr_t)operation->writes[i].source,
                operation->writes[i].size );
}

/* A file that is not overlapped keeps its caller until an operation has ended. */
static int keeps_caller( const struct descriptor *d, const struct ws2_operation *params )
{
    return ( params->how & WS2_OPERATION_KIND ) && !( descriptor_flags( d ) & WS2_FLAG_OVERLAPPED ) &&
           !( ( params->how & WS2_OPERATION_NO_WAIT ) && ( descriptor_flags( d ) & WS2_FLAG_NONBLOCKING ) );
}

/* Both directions. The WSAMSG, if there is one, replaces the other parameters. */
static NTSTATUS start_transfer( struct ws2_operation_transfer_params *params, int sending )
{
    struct iovec stack[STACK_VECTORS];
    struct operation_attempt attempt;
    struct operation *copy;
    struct transfer t = { .flags = params->flags, .vectors = stack, .count = params->count };
    struct windows_message message;
    struct message extra;
    NTSTATUS status = 0;
    struct descriptor *d;
    uint64_t address = params->address;
    uint32_t size = params->size, family, type;
    int32_t error;

    if ( !( d = descriptor_acquire( params->operation.handle, &status ) ) ) return status;
    family = d->slot->family;
    type = d->slot->type;
    error = sending ? transfer_check_send( d, params->flags, size || params->message )
                    : transfer_check_receive( d, params->flags );
    descriptor_release( d );
    if ( ( params->operation.error = error ) ) return 0;

    if ( params->message )
    {
        read_message( &message, params->message );
        params->buffers = message.buffers;
        t.count = message.count;
        address = message.name;
        size = message.name_size;
        t.size_user = params->message + MESSAGE_OFFSET( name_size );
        t.capacity = message.name_size;
        memset( &extra, 0, offsetof( struct message, host ) );
        extra.user = params->message;
        extra.local_user = params->local;
        extra.control_user = message.control.pointer;
        extra.capacity = message.control.pointer ? message.control.size : 0;
        if ( sending )
        {
            if ( extra.capacity )
                params->operation.error = control_to_host( (const void *)(uintptr_t)extra.control_user, extra.capacity,
                                                           caller_width, extra.host, &extra.host_size );
            if ( params->operation.error ) return 0;
        }
        else if ( extra.capacity > CONTROL_USER_SIZE ) extra.capacity = CONTROL_USER_SIZE;
        t.message = &extra;
    }
    else if ( !sending && address && params->size_pointer )
    {
        t.size_user = params->size_pointer;
        t.capacity = *(const int32_t *)(uintptr_t)params->size_pointer;
    }
    if ( !sending ) t.address_user = t.size_user ? address : 0;
    else if ( address && size && type != SOCK_STREAM &&
              ( ( params->operation.error = address_read( family, address, size, &t.address, &t.address_size ) ) ||
                ( params->operation.error = datagram_check_destination( &t.address ) ) ) )
        return 0;

    if ( !sending && !params->message && !t.count ) params->operation.error = WSAEINVAL;
    /* too little room for its sender: the datagram stays where it is */
    if ( !sending && t.address_user && type != SOCK_STREAM && t.capacity < (int32_t)address_size( family ) )
        params->operation.error = WSAEFAULT;
    if ( params->operation.error ) return 0;
    operation_probe( params->buffers, t.count * WINDOWS_BUFFER_SIZE );
    if ( t.count > MOST_VECTORS ||
         ( t.count > STACK_VECTORS && !( t.vectors = malloc( t.count * sizeof( struct iovec ) ) ) ) )
    {
        params->operation.error = WSAENOBUFS;
        return 0;
    }
    vectors_read( params->buffers, t.count, t.vectors, &t.total );
    if ( !sending ) transfer_touch( t.vectors, t.count, TOUCH_OPERATION );
    if ( ( d = descriptor_acquire( params->operation.handle, &status ) ) )
    {
        t.operation.queue = sending ? QUEUE_SEND : params->flags & WS_MSG_OOB ? QUEUE_URGENT : QUEUE_RECEIVE;
        t.operation.perform = sending ? perform_send : perform_receive;
        if ( keeps_caller( d, &params->operation ) )
        {
            params->operation.synchronous = 1;
            params->operation.error = WSA_IO_PENDING;
        }
        else if ( sending && t.address_size && type == SOCK_DGRAM && t.total > LARGEST_SENT )
        {
            /* longer than any datagram: its end has the error, and a packet */
            if ( ( copy = clone_transfer( &t ) ) )
            {
                copy->perform = perform_too_long;
                operation_start( d, copy, &params->operation );
            }
            else params->operation.error = WSAENOBUFS;
        }
        else if ( operation_try( d, &t.operation, &params->operation, &attempt ) )
            operation_tried( &t.operation, &params->operation );
        else
        {
            copy = clone_transfer( &t );
            if ( copy ) t.bounce = NULL; /* the copy's, which may be gone after the call */
            operation_start_tried( d, copy, &params->operation, &attempt );
        }
        if ( params->operation.error == WS2_ERROR_PORT_UNREACHABLE ) params->operation.error = WSAECONNRESET;
        if ( params->operation.error != WSA_IO_PENDING && params->operation.error != WSAEWOULDBLOCK )
        {
            if ( !sending ) transfer_receive_ends( d, params->flags );
            else if ( type != SOCK_STREAM && endpoint_unknown( d ) )
            {
                endpoint_remember( d );
                events_look_again( d );
            }
        }
        descriptor_release( d );
    }
    if ( t.vectors != stack ) free( t.vectors );
    if ( d && params->operation.error != WSA_IO_PENDING )
    {
        write_now( &t.operation );
        free( t.bounce );
    }
    return status;
}

NTSTATUS unix_operation_receive( void *args ) { return start_transfer( args, 0 ); }
NTSTATUS unix_operation_send( void *args ) { return start_transfer( args, 1 ); }

/* --- the rest of a send that did not overlap ----------------------------------------------------------------------------*/

int32_t operation_background_send( uint64_t handle, const struct iovec *vectors, uint32_t count, uint32_t flags,
                                   uint32_t *need_io_thread )
{
    struct transfer *t;
    struct descriptor *d;
    struct iovec *one;
    uint64_t total = 0;
    NTSTATUS status;
    int32_t error;
    int epoll;

    for ( uint32_t i = 0; i < count; i++ )
    {
        operation_probe( (uintptr_t)vectors[i].iov_base, vectors[i].iov_len );
        total += vectors[i].iov_len;
    }
    if ( total > INT32_MAX || !( t = calloc( 1, sizeof( *t ) + sizeof( *one ) + total ) ) ) return WSAENOBUFS;
    one = t->vectors = (struct iovec *)( t + 1 );
    one->iov_base = one + 1;
    for ( uint32_t i = 0; i < count; i++ )
    {
        memcpy( (char *)one->iov_base + one->iov_len, vectors[i].iov_base, vectors[i].iov_len );
        one->iov_len += vectors[i].iov_len;
    }
    t->count = 1;
    t->total = total;
    t->flags = flags;
    t->operation.perform = perform_send;
    t->operation.queue = QUEUE_SEND;
    t->operation.internal = 1;
    if ( ( error = io_loop_open( need_io_thread, &epoll ) ) || !( d = descriptor_acquire( handle, &status ) ) )
    {
        free( t );
        return error ? error : WSAENOTSOCK;
    }
    descriptor_ref( d, 2 ); /* as its descriptor and its owner */
    t->operation.descriptor = t->operation.owner = d;
    if ( ( error = operation_queue( d, &t->operation ) ) )
    {
        descriptor_release( d );
        descriptor_release( d );
        free( t );
    }
    descriptor_release( d );
    return error;
}
