/*
 * Messages: sends and receives with several buffers, an address or control data, without an OVERLAPPED.
 *
 * What the caller points to is copied before the descriptor is taken and written after it is given back, as either may
 * fault; working memory belongs to the thread, so that nothing is lost then.
 */
#include <string.h>
#include "calls/blocking.h"
#include "descriptors/wait.h"
#include "operations/operation.h"
#include "sockets/control.h"
#include "sockets/datagram_send.h"
#include "sockets/vectors.h"

#define STACK_VECTORS 16

/* The caller's WSABUFs as vectors, of which `done` bytes are moved already; may fault. room: STACK_VECTORS of them. 0 or a
 * Winsock code. */
static int32_t message_vectors( const struct ws2_message_params *params, struct iovec *room, struct transfer *t )
{
    uint32_t total = 0;

    t->vectors = room;
    t->count = params->count;
    if ( t->count > MOST_VECTORS ||
         ( t->count > STACK_VECTORS && !( t->vectors = wait_scratch( t->count * sizeof( *t->vectors ) ) ) ) )
        return WSAENOBUFS;
    vectors_read( params->buffers, t->count, t->vectors, &total );
    t->total = total;
    if ( ( t->done = params->done ) ) transfer_advance( t, t->done );
    return 0;
}

NTSTATUS unix_sendmsg( void *args )
{
    struct ws2_message_params *params = args;
    struct transfer t = { .flags = params->flags };
    struct iovec vectors[STACK_VECTORS];
    _Alignas( 8 ) unsigned char control[CONTROL_HOST_SIZE];
    union host_address address;
    struct msghdr header = { 0 };
    NTSTATUS status = 0;
    struct descriptor *d = descriptor_acquire( params->handle, &status );
    const int addressed = params->address && params->size;
    uint32_t family, type;
    int rest;

    if ( !d ) return status;
    family = d->slot->family;
    type = d->slot->type;
    params->error = transfer_check_send( d, params->flags, addressed );
    descriptor_release( d );
    if ( params->error ) return 0;

    if ( addressed && type != SOCK_STREAM )
    {
        params->error = address_read( family, params->address, params->size, &address, &header.msg_namelen );
        if ( params->error || ( params->error = datagram_check_destination( &address ) ) ) return 0;
        header.msg_name = &address;
    }
    if ( params->control_size )
    {
        if ( ( params->error = control_to_host( (const void *)(uintptr_t)params->control, params->control_size,
                                                params->width, control, &header.msg_controllen ) ) )
            return 0;
        header.msg_control = control;
    }
    if ( ( params->error = message_vectors( params, vectors, &t ) ) ) return 0;
    if ( !( d = descriptor_acquire( params->handle, &status ) ) ) return status;

    rest = blocking_send( d, &t, header.msg_name || header.msg_control ? &header : NULL, addressed, &params->wait,
                          &status );
    if ( !t.error ) transfer_send_ends( d );
    descriptor_release( d );
    params->done = t.done;
    params->error = t.error;
    if ( rest )
    {
        params->error =
            operation_background_send( params->handle, t.vectors, t.count, t.flags, &params->need_io_thread );
        params->done = t.total;
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

NTSTATUS unix_recvmsg( void *args )
{
    struct ws2_message_params *params = args;
    struct transfer t = { .flags = params->flags };
    struct iovec vectors[STACK_VECTORS];
    _Alignas( 8 ) unsigned char host_control[CONTROL_HOST_SIZE], control[CONTROL_USER_SIZE];
    uint32_t control_used = 0;
    int control_truncated = 0;
    union host_address address;
    struct msghdr header = { 0 };
    NTSTATUS status = 0;
    struct descriptor *d;
    enum transfer_result result = TRANSFER_FAILED;
    int datagram = 0, touched = 0;
    int32_t capacity = 0;

    if ( params->size_pointer ) capacity = *(volatile int32_t *)(uintptr_t)params->size_pointer;
    if ( ( params->error = message_vectors( params, vectors, &t ) ) ) return 0;
    if ( !( d = descriptor_acquire( params->handle, &status ) ) ) return status;
    if ( d->slot->type != SOCK_STREAM && !params->wait.deadline &&
         !( d = blocking_touch( d, params->handle, &t, TOUCH_DATAGRAM, &status ) ) )
        return status;
again:
    if ( ( t.error = blocking_check_receive( d, t.flags ) ) ) goto done;
    if ( ( t.error = message_check_receive( d, params, capacity ) ) ) goto done;

    if ( ( datagram = d->slot->type != SOCK_STREAM ) )
    {
        header.msg_name = &address;
        header.msg_namelen = sizeof( address );
        if ( params->width )
        {
            control_want_kind( d );
            header.msg_control = host_control;
            header.msg_controllen = sizeof( host_control );
        }
    }
    result = blocking_receive( d, &t, datagram ? &header : NULL, &params->wait, &status );
    if ( result == TRANSFER_FAULT && params->watched && !touched++ )
    {
        if ( !( d = blocking_touch( d, params->handle, &t, UINT32_MAX, &status ) ) ) return status;
        goto again;
    }
    if ( result == TRANSFER_FAULT ) params->watched = 1;
    if ( result == TRANSFER_DONE && params->width )
        control_used = control_from_host(
            d, &header, params->width, control,
            params->control_size < sizeof( control ) ? params->control_size : sizeof( control ), &control_truncated );
done:
    descriptor_release( d );
    params->done = t.done;
    params->error = t.error;
    if ( result != TRANSFER_DONE ) return status;

    if ( datagram ) params->flags_out |= control_kind( &header );
    if ( t.truncated ) params->flags_out |= params->width ? WS_MSG_TRUNC : WS_MSG_PARTIAL;
    if ( datagram && header.msg_namelen )
    {
        int32_t error = address_write( &address, header.msg_namelen, params->address, params->size_pointer );
        if ( error ) params->error = error;
    }
    if ( params->width )
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
