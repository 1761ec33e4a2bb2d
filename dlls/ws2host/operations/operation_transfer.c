/*
 * Overlapped receives and sends: WSARecv, WSARecvFrom, WSARecvMsg, WSASend, WSASendTo, WSASendMsg.
 *
 * An operation begins on the caller's stack and is copied to the heap only when it has to wait.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/io_loop.h"
#include "sockets/control.h"
#include "sockets/datagram_send.h"
#include "operations/operation.h"
#include "operations/status_block.h"
#include "attempts/transfer.h"
#include "attempts/unbuffered.h"
#include "sockets/vectors.h"

#define STACK_VECTORS 16
#define LARGEST_SENT 65527 /* of IPv6; IPv4's is shorter */

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

struct transfer_operation
{
    struct operation operation;
    struct transfer transfer;
    uint64_t address_user; /* receives: where to put the sender's address, of capacity */
    uint64_t size_user;
    int32_t capacity;
    int32_t address_written;
    union host_address address;
    socklen_t address_size;       /* sends: 0 for none */
    struct message *message;      /* owned on the heap; NULL for all but the Msg functions */
    struct bounce_buffer *bounce; /* owned; receives: NULL unless the host could not write to the caller's memory */
};

/* Memory whose writes the loader has begun to watch while the receive was waiting is written by the caller, who is given
 * the data with the end: what was left of the vectors then is in `data` now. */
struct bounce_buffer
{
    uint64_t begins; /* so much had been received before */
    char *data;
    uint32_t count;
    struct iovec vectors[]; /* the caller's */
};

/* --- receiving --------------------------------------------------------------------------------------------------------*/

/* Leaves in the operation what goes to the caller beside the data. */
static void give_address( struct transfer_operation *t, struct msghdr *header )
{
    struct operation *operation = &t->operation;
    struct descriptor *d = operation->descriptor;
    int truncated = 0;

    t->address_written = header->msg_namelen;
    if ( t->address.any.sa_family == AF_INET6 ) t->address.any.sa_family = WS_AF_INET6;
    if ( t->address_user && header->msg_namelen )
    {
        if ( t->capacity < t->address_written ) operation->error = WSAEFAULT;
        else
        {
            operation_write( operation, t->address_user, &t->address, t->address_written );
            operation_write( operation, t->size_user, &t->address_written, sizeof( int32_t ) );
        }
    }
    if ( !t->message ) return;
    if ( !t->message->local_user ) operation->flags_out |= control_kind( header );
    t->message->used =
        t->message->capacity || !t->message->local_user
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

static int bounce_begin( struct transfer_operation *t )
{
    struct transfer *transfer = &t->transfer;
    const uint64_t left = transfer->total - transfer->done;
    struct bounce_buffer *bounce;
    char *data;

    assert( !t->bounce && transfer->done <= transfer->total );
    if ( transfer->count > WS2_COMPLETION_WRITES - ( t->message ? 5 : 2 ) ) return 0;
    if ( transfer->total > INT32_MAX ) return 0;
    if ( !( bounce = malloc( sizeof( *bounce ) + transfer->count * sizeof( struct iovec ) + left ) ) ) return 0;
    bounce->begins = transfer->done;
    bounce->count = transfer->count;
    data = bounce->data = (char *)( bounce->vectors + bounce->count );
    for ( uint32_t i = 0; i < bounce->count; i++ )
    {
        bounce->vectors[i] = transfer->vectors[i];
        transfer->vectors[i].iov_base = data;
        data += transfer->vectors[i].iov_len;
    }
    t->bounce = bounce;
    return 1;
}

static void bounce_end( struct transfer_operation *t )
{
    const struct bounce_buffer *bounce = t->bounce;
    uint64_t left = t->transfer.done - bounce->begins;
    const char *data = bounce->data;

    assert( t->transfer.done >= bounce->begins );
    t->operation.bounced = 1;
    for ( uint32_t i = 0; i < bounce->count && left; i++ )
    {
        const uint64_t size = bounce->vectors[i].iov_len < left ? bounce->vectors[i].iov_len : left;

        if ( size ) operation_write( &t->operation, (uintptr_t)bounce->vectors[i].iov_base, data, size );
        data += size;
        left -= size;
    }
}

/* A port that nobody has is another status than a connection that was reset, though the same error of Winsock's. */
static int32_t end_by_icmp( int32_t error ) { return error == WSAECONNRESET ? WS2_ERROR_PORT_UNREACHABLE : error; }

/* A receive of nothing ends when there is something. */
static enum transfer_result receive_nothing( struct descriptor *d, struct transfer *t )
{
    char byte;
    struct iovec vector = { &byte, 1 };
    struct transfer look = { .vectors = &vector, .count = 1, .total = 1, .flags = WS_MSG_PEEK };
    const enum transfer_result result = transfer_receive( d, &look, NULL );

    t->error = look.error;
    return result;
}

static enum operation_result perform_receive( struct operation *operation )
{
    struct transfer_operation *t = (struct transfer_operation *)operation;
    struct descriptor *d = operation->descriptor;
    const int stream = d->slot->type == SOCK_STREAM;
    struct msghdr header = { 0 };
    enum transfer_result result;

    if ( !stream )
    {
        header.msg_name = &t->address;
        header.msg_namelen = sizeof( t->address );
        if ( t->message )
        {
            if ( !t->message->local_user ) control_want_kind( d );
            header.msg_control = t->message->host;
            header.msg_controllen = sizeof( t->message->host );
        }
    }
    if ( stream && !t->transfer.total ) result = receive_nothing( d, &t->transfer );
    else do
            result = transfer_receive( d, &t->transfer, stream ? NULL : &header );
        while ( result == TRANSFER_FAULT && !t->bounce && bounce_begin( t ) );
    operation->information = t->transfer.done;
    if ( result == TRANSFER_BLOCKED ) return OPERATION_BLOCKED;
    operation->error = t->transfer.icmp ? end_by_icmp( t->transfer.error ) : t->transfer.error;
    if ( result == TRANSFER_DONE )
    {
        if ( t->transfer.truncated ) operation->flags_out |= t->message ? WS_MSG_TRUNC : WS_MSG_PARTIAL;
        if ( !stream ) give_address( t, &header );
    }
    else if ( operation->information ) operation->error = 0; /* what came is told first */
    if ( t->bounce ) bounce_end( t );
    return OPERATION_DONE;
}

/* --- sending ----------------------------------------------------------------------------------------------------------*/

/* It has been given to the host, and waits for that to have sent it. */
static void detach_send( struct operation *operation ) { unbuffered_ends( operation->descriptor ); }

static enum operation_result perform_send( struct operation *operation )
{
    struct transfer_operation *t = (struct transfer_operation *)operation;
    struct descriptor *d = operation->descriptor;
    struct msghdr header = { 0 };
    enum transfer_result result;

    if ( operation->detach ) return unbuffered_sent( d ) ? OPERATION_DONE : OPERATION_BLOCKED;
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
    result = transfer_send( d, &t->transfer, header.msg_name || header.msg_control ? &header : NULL );
    operation->information = t->transfer.done;
    operation->error = t->transfer.error;
    if ( result == TRANSFER_BLOCKED ) return OPERATION_BLOCKED;
    if ( result != TRANSFER_DONE || operation->internal || ( operation->how & WS2_OPERATION_NO_WAIT ) ||
         unbuffered_sent( d ) )
        return OPERATION_DONE;
    operation->detach = detach_send;
    return OPERATION_BLOCKED;
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
    struct transfer_operation *t = (struct transfer_operation *)operation;

    free( t->message );
    free( t->bounce );
}

/* A copy on the heap, which has taken the bounce buffer over, or NULL and nothing has changed. */
static struct operation *clone_transfer( struct transfer_operation *from )
{
    const uint32_t count = from->transfer.count;
    struct transfer_operation *t = malloc( sizeof( *t ) + count * sizeof( struct iovec ) );

    if ( !t ) return NULL;
    *t = *from;
    t->operation.dispose = dispose_transfer;
    t->transfer.vectors = (struct iovec *)( t + 1 );
    memcpy( t->transfer.vectors, from->transfer.vectors, count * sizeof( struct iovec ) );
    if ( from->message )
    {
        if ( !( t->message = malloc( sizeof( *t->message ) ) ) )
        {
            free( t );
            return NULL;
        }
        *t->message = *from->message;
    }
    from->bounce = NULL;
    return &t->operation;
}

/* Copies what an ended operation leaves for the caller; may fault. */
static void write_now( const struct operation *operation )
{
    for ( unsigned int i = 0; i < operation->write_count; i++ )
        memcpy( (void *)(uintptr_t)operation->writes[i].target, (const void *)(uintptr_t)operation->writes[i].source,
                operation->writes[i].size );
}

/* The WSAMSG, which replaces the other parameters; may fault. */
static int32_t read_request_message( struct ws2_operation_transfer_params *params, int sending,
                                     struct transfer_operation *t, struct message *extra )
{
    struct windows_message message;

    read_message( &message, params->message );
    params->buffers = message.buffers;
    params->address = message.name;
    params->size = message.name_size;
    t->transfer.count = message.count;
    t->size_user = params->message + MESSAGE_OFFSET( name_size );
    t->capacity = message.name_size;
    memset( extra, 0, offsetof( struct message, host ) );
    extra->user = params->message;
    extra->local_user = params->local;
    extra->control_user = message.control.pointer;
    extra->capacity = message.control.pointer ? message.control.size : 0;
    t->message = extra;
    if ( sending && extra->capacity )
        return control_to_host( (const void *)(uintptr_t)extra->control_user, extra->capacity, caller_width,
                                extra->host, &extra->host_size );
    if ( !sending && extra->capacity > CONTROL_USER_SIZE ) extra->capacity = CONTROL_USER_SIZE;
    return 0;
}

/* What the program asks for, but for its buffers; may fault. */
static int32_t read_request( struct ws2_operation_transfer_params *params, int sending, uint32_t family, uint32_t type,
                             struct transfer_operation *t, struct message *extra )
{
    int32_t error = 0;

    t->transfer.flags = params->flags;
    t->transfer.count = params->count;
    if ( params->message ) error = read_request_message( params, sending, t, extra );
    else if ( !sending && params->address && params->size_pointer )
    {
        t->size_user = params->size_pointer;
        t->capacity = *(const int32_t *)(uintptr_t)params->size_pointer;
    }
    if ( error ) return error;
    if ( sending )
    {
        if ( !params->address || !params->size || type == SOCK_STREAM ) return 0;
        error = address_read( family, params->address, params->size, &t->address, &t->address_size );
        return error ? error : datagram_check_destination( &t->address );
    }
    t->address_user = t->size_user ? params->address : 0;
    /* too little room for its sender: the datagram stays where it is */
    if ( t->address_user && type != SOCK_STREAM && t->capacity < (int32_t)address_size( family ) ) return WSAEFAULT;
    return params->message || t->transfer.count ? 0 : WSAEINVAL;
}

/* Looks whether the socket lets the transfer begin, before any of the program's memory is touched but for the flags. 0, or
 * params have the error, or *status is set. */
static int check_transfer( struct ws2_operation_transfer_params *params, int sending, uint32_t *family, uint32_t *type,
                           NTSTATUS *status )
{
    struct descriptor *d;

    /* none is held while the program's memory is read, which may be none */
    if ( params->flags_user && !descriptor_is_known( params->operation.handle ) )
    {
        if ( !( d = descriptor_acquire( params->operation.handle, status ) ) ) return 1;
        descriptor_release( d );
    }
    if ( params->flags_user ) params->flags = *(const uint32_t *)(uintptr_t)params->flags_user;
    if ( !( d = descriptor_acquire( params->operation.handle, status ) ) ) return 1;
    *family = d->slot->family;
    *type = d->slot->type;
    params->operation.error = sending ? transfer_check_send( d, params->flags, params->size || params->message )
                                      : transfer_check_receive( d, params->flags );
    descriptor_release( d );
    return params->operation.error;
}

/* Both directions. */
static NTSTATUS start_transfer( struct ws2_operation_transfer_params *params, int sending )
{
    struct iovec stack[STACK_VECTORS], *vectors = stack;
    struct operation_attempt attempt;
    struct operation *copy;
    struct transfer_operation t = { 0 };
    struct message extra;
    NTSTATUS status = 0;
    struct descriptor *d;
    uint32_t family, type, total = 0;
    int too_long;

    params->operation.ended = 0;
    if ( ( params->operation.how & WS2_OPERATION_BLOCK ) && !status_block_begin( &params->operation ) ) return 0;
    if ( check_transfer( params, sending, &family, &type, &status ) ) return status;
    if ( ( params->operation.error = read_request( params, sending, family, type, &t, &extra ) ) ) return 0;

    params->operation.error = WSAENOBUFS;
    if ( t.transfer.count > MOST_VECTORS ) return 0;
    operation_probe( params->buffers, t.transfer.count * WINDOWS_BUFFER_SIZE ); /* nothing is allocated yet */
    if ( t.transfer.count > STACK_VECTORS && !( vectors = malloc( t.transfer.count * sizeof( *vectors ) ) ) ) return 0;
    params->operation.error = 0;
    vectors_read( params->buffers, t.transfer.count, vectors, &total );
    t.transfer.vectors = vectors;
    t.transfer.total = total;
    if ( !sending ) transfer_touch( vectors, t.transfer.count, TOUCH_OPERATION );
    if ( !( d = descriptor_acquire( params->operation.handle, &status ) ) ) goto done;

    t.operation.queue = sending ? QUEUE_SEND : transfer_receive_queue( params->flags );
    /* longer than any datagram: its end has the error, and a packet */
    too_long = sending && t.address_size && type == SOCK_DGRAM && total > LARGEST_SENT;
    t.operation.perform = too_long ? perform_too_long : sending ? perform_send : perform_receive;
    if ( operation_keeps_caller( d, &params->operation ) )
    {
        params->operation.synchronous = 1;
        params->operation.error = WSA_IO_PENDING;
    }
    else if ( too_long ||
              ( sending && total && !( params->operation.how & WS2_OPERATION_NO_WAIT ) && unbuffered_sends( d ) ) )
    {
        if ( ( copy = clone_transfer( &t ) ) ) operation_start( d, copy, &params->operation );
        else params->operation.error = WSAENOBUFS;
    }
    else if ( operation_try( d, &t.operation, &params->operation, &attempt ) )
        operation_tried( &t.operation, &params->operation );
    else operation_start_tried( d, clone_transfer( &t ), &params->operation, &attempt );
    if ( params->operation.error == WS2_ERROR_PORT_UNREACHABLE ) params->operation.error = WSAECONNRESET;
    if ( params->operation.error != WSA_IO_PENDING && params->operation.error != WSAEWOULDBLOCK )
    {
        if ( !sending ) transfer_receive_ends( d, params->flags );
        else transfer_send_ends( d );
    }
    descriptor_release( d );
done:
    if ( vectors != stack ) free( vectors );
    if ( d && params->operation.error != WSA_IO_PENDING ) write_now( &t.operation );
    free( t.bounce );
    if ( d && ( params->operation.how & WS2_OPERATION_BLOCK ) && !params->operation.error )
        status_block_end( params, !sending && !params->message );
    return status;
}

NTSTATUS unix_operation_receive( void *args ) { return start_transfer( args, 0 ); }
NTSTATUS unix_operation_send( void *args ) { return start_transfer( args, 1 ); }

/* --- the rest of a send that did not overlap ----------------------------------------------------------------------------*/

int32_t operation_background_send( uint64_t handle, const struct iovec *vectors, uint32_t count, uint32_t flags,
                                   uint32_t *need_io_thread )
{
    struct transfer_operation *t;
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
    one = (struct iovec *)( t + 1 );
    one->iov_base = one + 1;
    for ( uint32_t i = 0; i < count; i++ )
    {
        memcpy( (char *)one->iov_base + one->iov_len, vectors[i].iov_base, vectors[i].iov_len );
        one->iov_len += vectors[i].iov_len;
    }
    t->transfer = ( struct transfer ){ .vectors = one, .count = 1, .flags = flags, .total = total, .orphan = 1 };
    t->operation.perform = perform_send;
    t->operation.queue = QUEUE_SEND;
    t->operation.internal = 1;
    if ( ( error = io_loop_open( need_io_thread, &epoll ) ) ) goto free_operation;
    error = WSAENOTSOCK;
    if ( !( d = descriptor_acquire( handle, &status ) ) ) goto free_operation;
    descriptor_ref( d, 2 ); /* as its descriptor and its owner */
    t->operation.descriptor = t->operation.owner = d;
    if ( ( error = operation_queue( d, &t->operation ) ) ) operation_discard( &t->operation );
    descriptor_release( d );
    return error;

free_operation:
    free( t );
    return error;
}
