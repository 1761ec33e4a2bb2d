/*
 * AcceptEx: an operation of the listener's that waits in the listener's queue for a connection, then, if the program wants
 * data with it, in the acceptor's for that.
 *
 * The acceptor exists before its connection does, so the accepted host socket takes the place of the acceptor's own under
 * the same descriptor (replacement.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/host_counts.h"
#include "descriptors/deferred.h"
#include "descriptors/upcalls.h"
#include "sockets/connect.h"
#include "sockets/endpoint.h"
#include "events/events.h"
#include "operations/operation.h"
#include "attempts/transfer.h"

/* An address as GetAcceptExSockaddrs finds it in the program's buffer. */
struct stored_address
{
    int32_t size;
    char bytes[sizeof( union host_address )];
};

struct accept
{
    struct operation operation;
    uint64_t buffer;
    uint32_t receive_size, local_size, remote_size;
    int has_connection;
    char *data; /* NULL unless the host could not write to the buffer, whose writes the loader watches */
    struct stored_address local, remote;
};

static void detach_accept( struct operation *operation )
{
    const struct accept *accept = (struct accept *)operation;
    struct descriptor *acceptor = operation->next_descriptor ? operation->next_descriptor : operation->descriptor;
    int fd;

    /* cancelled while it waited for data: the connection ends, and the acceptor is as it was, here and in other processes */
    if ( operation->error && accept->has_connection &&
         ( !atomic_load( &acceptor->closing ) || descriptor_is_shared( acceptor ) ) &&
         ( fd = socket_host( acceptor->slot->family, SOCK_STREAM, acceptor->slot->protocol ) ) >= 0 )
    {
        operation_replace_socket_consume( acceptor, fd, NULL );
        atomic_store( &acceptor->slot->connect_time, 0 );
    }
    ws2_slot_set_listener( acceptor->slot, WS2_NO_INDEX );
    atomic_store( &acceptor->queues.accepting, NULL );
}

static void dispose_accept( struct operation *operation )
{
    if ( operation->next_descriptor ) descriptor_release( operation->next_descriptor );
    free( ( (struct accept *)operation )->data );
}

static void store_address( struct stored_address *stored, const union host_address *address, socklen_t size )
{
    stored->size = address_to_windows( address, size, stored->bytes );
}

/* The acceptor is a connected socket from now on. */
static enum operation_result finish_accept( struct accept *accept, struct descriptor *acceptor )
{
    struct operation *operation = &accept->operation;

    if ( !operation->error )
    {
        endpoint_remember( acceptor );
        descriptor_set_flags( acceptor, WS2_FLAG_CONNECTED | WS2_FLAG_ACCEPTED | WS2_FLAG_NEEDS_ACCEPT_CONTEXT );
    }
    if ( accept->local_size )
        operation_write( operation, accept->buffer + accept->receive_size, &accept->local,
                         sizeof( accept->local.size ) + accept->local.size );
    operation_write( operation, accept->buffer + accept->receive_size + accept->local_size, &accept->remote,
                     sizeof( accept->remote.size ) + accept->remote.size );
    return OPERATION_DONE;
}

static enum operation_result first_data( struct operation *operation )
{
    struct accept *accept = (struct accept *)operation;
    struct descriptor *acceptor = operation->descriptor;
    ssize_t n;

    while ( ( n = recv( acceptor->fd, accept->data ? accept->data : (char *)(uintptr_t)accept->buffer,
                        accept->receive_size, MSG_DONTWAIT ) ) < 0 )
    {
        if ( errno == EINTR ) continue;
        if ( errno != EFAULT || accept->data || !( accept->data = malloc( accept->receive_size ) ) ) break;
    }
    /* a handle that is left of several is just getting the connection from the one that had it */
    if ( n < 0 && ( errno == EAGAIN || descriptor_is_stale( acceptor ) ) ) return OPERATION_BLOCKED;
    if ( n > 0 ) host_count( WS2_COUNT_RECEIVED, n );
    if ( n > 0 && accept->data ) operation_write( operation, accept->buffer, accept->data, n );
    if ( n < 0 ) operation->error = winsock_error( errno );
    else operation->information = n;
    return finish_accept( accept, acceptor );
}

/* The client has ended the connection hard while it waited in the queue: the program hears of it with the AcceptEx. */
static int was_reset( int fd )
{
    int error = 0;
    socklen_t size = sizeof( error );

    return !getsockopt( fd, SOL_SOCKET, SO_ERROR, &error, &size ) && error == ECONNRESET;
}

static enum operation_result take_connection( struct operation *operation )
{
    struct accept *accept = (struct accept *)operation;
    struct descriptor *listener = operation->descriptor, *acceptor = operation->next_descriptor, *deferred;
    /* Windows asks for 16 bytes more than the address, and for AF_UNIX for less: Go's runtime gives 116 bytes for 110 */
    const uint32_t family = listener->slot->family, needed = address_size( family ) + ( family == WS_AF_UNIX ? 4 : 16 );
    union host_address address;
    socklen_t size = sizeof( address );
    int fd;

    if ( ( accept->local_size && accept->local_size < needed ) || accept->remote_size < needed )
    {
        struct pollfd ready = { .fd = listener->fd, .events = POLLIN };

        /* the connection stays where it is, for a caller with more room */
        if ( !atomic_load( &listener->deferred ) && poll( &ready, 1, 0 ) <= 0 ) return OPERATION_BLOCKED;
        operation->error = WSA_INSUFFICIENT_BUFFER;
        return OPERATION_DONE;
    }
    if ( ( deferred = deferred_take( listener ) ) )
    {
        fd = fcntl( deferred->fd, F_DUPFD_CLOEXEC, 0 );
        descriptor_discard( deferred );
        if ( fd >= 0 ) getpeername( fd, &address.any, &size );
    }
    else
        while ( ( fd = accept4( listener->fd, &address.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC ) ) < 0 &&
                ( errno == EINTR || errno == ECONNABORTED ) )
            continue;
    if ( fd < 0 && errno == EAGAIN ) return OPERATION_BLOCKED;
    if ( fd < 0 )
    {
        operation->error = winsock_error( errno );
        return OPERATION_DONE;
    }
    if ( was_reset( fd ) )
    {
        close( fd );
        operation->error = WSAECONNRESET;
        return OPERATION_DONE;
    }
    store_address( &accept->remote, &address, size );
    size = sizeof( address );
    if ( !getsockname( fd, &address.any, &size ) ) store_address( &accept->local, &address, size );
    if ( ( operation->error = operation_replace_socket_consume( acceptor, fd, listener ) ) ) return OPERATION_DONE;
    connect_time_now( acceptor );
    accept->has_connection = 1;
    if ( !accept->receive_size ) return finish_accept( accept, acceptor );
    operation->perform = first_data;
    return OPERATION_MOVE;
}

/* AcceptEx waits with it, whichever of the process's descriptors it was given. */
static int is_accepting( const struct descriptor *acceptor )
{
    struct descriptor *d;
    uint64_t handle = 0;
    int found = atomic_load( &acceptor->queues.accepting ) != NULL;

    if ( found || !descriptor_is_shared( acceptor ) ) return found;
    while ( !found && ( d = descriptor_next_other( acceptor, &handle ) ) )
    {
        found = atomic_load( &d->queues.accepting ) != NULL;
        descriptor_release( d );
    }
    return found;
}

static int32_t check_acceptor( struct descriptor *acceptor )
{
    const uint32_t used = WS2_FLAG_BOUND | WS2_FLAG_CONNECTED | WS2_FLAG_CONNECTING | WS2_FLAG_LISTENING;

    if ( acceptor->slot->type != SOCK_STREAM || ( descriptor_flags( acceptor ) & used ) ) return WSAEINVAL;
    return is_accepting( acceptor ) ? WSAEINVAL : 0;
}

static int32_t start_accept( struct ws2_operation_accept_params *params, struct descriptor *listener )
{
    struct descriptor *acceptor, *nobody = NULL;
    struct accept *accept;
    NTSTATUS status;
    int32_t error;

    if ( !( descriptor_flags( listener ) & WS2_FLAG_LISTENING ) ) return WSAEINVAL;
    if ( !( acceptor = descriptor_acquire( params->acceptor, &status ) ) ) return WSAENOTSOCK;
    descriptor_renew( acceptor );
    if ( !( error = check_acceptor( acceptor ) ) && ( !params->buffer || !params->remote_size ) ) error = WSAEFAULT;
    if ( !error && !( accept = calloc( 1, sizeof( *accept ) ) ) ) error = WSAENOBUFS;
    if ( !error && !atomic_compare_exchange_strong( &acceptor->queues.accepting, &nobody, listener ) )
    {
        free( accept );
        error = WSAEINVAL;
    }
    if ( error )
    {
        descriptor_release( acceptor );
        return error;
    }
    ws2_slot_set_listener( acceptor->slot, listener->slot_index );
    accept->buffer = params->buffer;
    accept->receive_size = params->receive_size;
    accept->local_size = params->local_size;
    accept->remote_size = params->remote_size;
    accept->operation.perform = take_connection;
    accept->operation.detach = detach_accept;
    accept->operation.dispose = dispose_accept;
    accept->operation.queue = QUEUE_RECEIVE;
    accept->operation.next_descriptor = acceptor;
    operation_start( listener, &accept->operation, &params->operation );
    return params->operation.error;
}

NTSTATUS unix_operation_accept( void *args )
{
    struct ws2_operation_accept_params *params = args;
    const struct iovec data = { (char *)(uintptr_t)params->buffer, params->buffer ? params->receive_size : 0 };
    NTSTATUS status;
    struct descriptor *listener;

    transfer_touch( &data, 1, TOUCH_OPERATION );
    listener = descriptor_acquire( params->operation.handle, &status );

    if ( !listener ) return status;
    params->operation.error = start_accept( params, listener );
    descriptor_release( listener );
    return 0;
}
