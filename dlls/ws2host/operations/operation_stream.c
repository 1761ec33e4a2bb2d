/* ConnectEx, DisconnectEx, TransmitFile and TransmitPackets: operations of the send queue. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/host_counts.h"
#include "descriptors/upcalls.h"
#include "attempts/attempt.h"
#include "operations/afd_poll.h"
#include "sockets/connect.h"
#include "sockets/endpoint.h"
#include "events/events.h"
#include "sockets/local.h"
#include "operations/operation.h"
#include "attempts/transfer.h"

/* --- ConnectEx ----------------------------------------------------------------------------------------------------------*/

struct connecting
{
    struct operation operation;
    union host_address address;
    socklen_t address_size;
    struct given_name given;
    int begun;
    struct transfer transfer; /* of the data */
    struct iovec vector;
    char data[];
};

static int32_t begin_or_look( struct connecting *c, struct descriptor *d )
{
    int32_t error;

    if ( !c->begun )
    {
        c->begun = 1;
        if ( !( error = connect_begin( d, &c->address, c->address_size, &c->given ) ) ) afd_poll_look( d );
        /* a non-blocking socket's refusal may be known already, and no edge will tell of it */
        if ( error == WSAEWOULDBLOCK && ( descriptor_flags( d ) & WS2_FLAG_CONNECT_FAILED ) )
            error = atomic_load( &d->slot->connect_error );
        return error;
    }
    if ( descriptor_flags( d ) & WS2_FLAG_CONNECTED ) return 0;
    switch ( connect_check( d ) )
    {
    case CONNECT_PENDING: return WSAEWOULDBLOCK;
    case CONNECT_DONE: return 0;
    case CONNECT_FAILED: error = atomic_load( &d->slot->connect_error ); return error ? error : WSAECONNREFUSED;
    }
    return 0;
}

static enum operation_result perform_connect( struct operation *operation )
{
    struct connecting *c = (struct connecting *)operation;
    struct descriptor *d = operation->descriptor;
    enum transfer_result result;

    operation->error = begin_or_look( c, d );
    if ( operation->error == WSAEWOULDBLOCK )
    {
        operation->error = 0;
        return OPERATION_BLOCKED;
    }
    if ( operation->error ) return OPERATION_DONE;
    descriptor_set_flags( d, WS2_FLAG_NEEDS_CONNECT_CONTEXT );
    if ( !c->transfer.total ) return OPERATION_DONE;
    result = transfer_send( d, &c->transfer, NULL );
    operation->information = c->transfer.done;
    operation->error = c->transfer.error;
    return result == TRANSFER_BLOCKED ? OPERATION_BLOCKED : OPERATION_DONE;
}

NTSTATUS unix_operation_connect( void *args )
{
    struct ws2_operation_connect_params *params = args;
    NTSTATUS status;
    struct descriptor *d = descriptor_acquire( params->operation.handle, &status );
    uint32_t flags, family, type;
    union host_address address;
    struct given_name given;
    struct connecting *c;
    socklen_t size;
    int accepting;
    int32_t error = 0;

    if ( !d ) return status;
    flags = descriptor_flags( d );
    family = d->slot->family;
    type = d->slot->type;
    accepting = atomic_load( &d->queues.accepting ) != NULL;
    descriptor_release( d );

    if ( ( flags & WS2_FLAG_LISTENING ) || accepting || type != SOCK_STREAM ) error = WSAEINVAL;
    else if ( flags & WS2_FLAG_CONNECTED ) error = WSAEISCONN;
    else if ( !( flags & WS2_FLAG_BOUND ) ) error = WSAEINVAL;
    else if ( flags & WS2_FLAG_CONNECTING ) error = WSAEINVAL;
    else error = address_read_peer( family, params->address, params->address_size, &address, &size, &given );
    if ( ( params->operation.error = error ) ) return 0;
    if ( !params->data ) params->data_size = 0;
    operation_probe( params->data, params->data_size );
    if ( !( c = calloc( 1, sizeof( *c ) + params->data_size ) ) )
    {
        params->operation.error = WSAENOBUFS;
        return 0;
    }
    if ( params->data_size ) memcpy( c->data, (const void *)(uintptr_t)params->data, params->data_size );
    c->vector = ( struct iovec ){ c->data, params->data_size };
    c->transfer = ( struct transfer ){ .vectors = &c->vector, .count = 1, .total = params->data_size };
    c->address = address;
    c->address_size = size;
    c->given = given;
    c->operation.perform = perform_connect;
    c->operation.queue = QUEUE_SEND;
    if ( !( d = descriptor_acquire( params->operation.handle, &status ) ) )
    {
        free( c );
        return status;
    }
    descriptor_renew( d );
    operation_start( d, &c->operation, &params->operation );
    descriptor_release( d );
    return 0;
}

/* --- DisconnectEx -------------------------------------------------------------------------------------------------------*/

struct disconnecting
{
    struct operation operation;
    int reuse;
};

/* The connection ends; with reuse the descriptor gets a host socket that was never connected, bound where the program had
 * bound the old one. */
static int32_t disconnect( struct descriptor *d, int reuse )
{
    union host_address address;
    socklen_t size = sizeof( address );
    uint32_t flags = descriptor_flags( d );
    int fd, on = 1, rebind;
    int32_t error;

    if ( !reuse )
    {
        if ( shutdown( d->fd, SHUT_WR ) < 0 && errno != ENOTCONN ) return winsock_error( errno );
        return 0;
    }
    rebind = !( flags & WS2_FLAG_ACCEPTED ) && !getsockname( d->fd, &address.any, &size );
    if ( ( fd = socket_host( d->slot->family, d->slot->type, d->slot->protocol ) ) < 0 ) return winsock_error( errno );
    shutdown( d->fd, SHUT_RDWR );
    if ( rebind )
    {
        setsockopt( fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof( on ) );
        if ( d->slot->family == WS_AF_UNIX ) local_let_go( &address.un );
        rebind = !bind( fd, &address.any, size );
        /* a port that the host chose for connecting it gives to nobody for a while: it chooses another */
        if ( !rebind && address.any.sa_family != AF_UNIX )
        {
            address.in.sin_port = 0; /* the port stands at the same place in both families */
            rebind = !bind( fd, &address.any, size );
        }
    }
    if ( ( error = operation_replace_socket_consume( d, fd, NULL ) ) ) return error;
    if ( rebind ) endpoint_remember( d );
    descriptor_clear_flags(
        d, WS2_FLAG_CONNECTED | WS2_FLAG_CONNECTING | WS2_FLAG_CONNECT_FAILED | WS2_FLAG_SHUT_RECEIVE |
               WS2_FLAG_SHUT_SEND | WS2_FLAG_RESET | WS2_FLAG_NEEDS_ACCEPT_CONTEXT | WS2_FLAG_NEEDS_CONNECT_CONTEXT |
               WS2_FLAG_SEND_BLOCKED | WS2_FLAG_DISCONNECTED | WS2_FLAG_ACCEPTED | ( rebind ? 0 : WS2_FLAG_BOUND ) );
    atomic_store( &d->slot->connect_time, 0 );
    atomic_store( &d->slot->error, 0 );
    return 0;
}

static enum operation_result perform_disconnect( struct operation *operation )
{
    operation->error = disconnect( operation->descriptor, ( (struct disconnecting *)operation )->reuse );
    return OPERATION_DONE;
}

NTSTATUS unix_operation_disconnect( void *args )
{
    struct ws2_operation_disconnect_params *params = args;
    NTSTATUS status;
    struct descriptor *d = descriptor_acquire( params->operation.handle, &status );
    struct disconnecting *operation;

    if ( !d ) return status;
    descriptor_renew( d );
    if ( d->slot->type != SOCK_STREAM || !( descriptor_flags( d ) & WS2_FLAG_CONNECTED ) )
        params->operation.error = WSAENOTCONN;
    else if ( !( operation = calloc( 1, sizeof( *operation ) ) ) ) params->operation.error = WSAENOBUFS;
    else
    {
        operation->reuse = params->reuse;
        operation->operation.perform = perform_disconnect;
        operation->operation.queue = QUEUE_SEND;
        descriptor_set_flags( d, WS2_FLAG_DISCONNECTED | WS2_FLAG_SHUT_SEND );
        operation_start( d, &operation->operation, &params->operation );
    }
    descriptor_release( d );
    return 0;
}

/* --- TransmitFile, TransmitPackets --------------------------------------------------------------------------------------*/

struct transmission
{
    struct operation operation;
    uint32_t flags;
    uint32_t count, next;
    struct ws2_segment segments[];
};

static void dispose_segments( struct ws2_segment *segments, uint32_t count )
{
    for ( uint32_t i = 0; i < count; i++ )
        if ( segments[i].fd >= 0 ) close( segments[i].fd );
}

static void dispose_transmission( struct operation *operation )
{
    struct transmission *t = (struct transmission *)operation;

    dispose_segments( t->segments, t->count );
}

/* What the host's sendfile does not take (a pipe, an odd file system) goes through memory. */
static ssize_t send_through_memory( int to, struct ws2_segment *segment )
{
    char data[0x4000];
    ssize_t n =
        pread( segment->fd, data, segment->size < sizeof( data ) ? segment->size : sizeof( data ), segment->offset );

    return n > 0 ? send( to, data, n, MSG_DONTWAIT | MSG_NOSIGNAL ) : n;
}

/* The next part of a segment: bytes, 0 at its end, -1 and errno. Every part of a segment that is left is at its front. */
static ssize_t send_segment( int to, struct ws2_segment *segment, int more )
{
    off_t offset = segment->offset;
    ssize_t n;

    if ( !segment->size ) return 0;
    if ( segment->fd < 0 )
    {
        n = send( to, (const char *)(uintptr_t)segment->memory, segment->size > INT_MAX ? INT_MAX : segment->size,
                  MSG_DONTWAIT | MSG_NOSIGNAL | ( more ? MSG_MORE : 0 ) );
        if ( n > 0 ) segment->memory += n;
    }
    else
    {
        n = sendfile( to, segment->fd, &offset, segment->size > INT_MAX ? INT_MAX : segment->size );
        if ( n < 0 && ( errno == EINVAL || errno == ENOSYS ) ) n = send_through_memory( to, segment );
        if ( n > 0 ) segment->offset += n;
    }
    if ( n > 0 ) segment->size -= n;
    return n;
}

static enum operation_result perform_transmit( struct operation *operation )
{
    struct transmission *t = (struct transmission *)operation;
    struct descriptor *d = operation->descriptor;

    while ( t->next < t->count )
    {
        ssize_t n = send_segment( d->fd, &t->segments[t->next], t->next + 1 < t->count );

        if ( n < 0 && errno == EINTR ) continue;
        if ( n < 0 && errno == EAGAIN ) return OPERATION_BLOCKED;
        if ( n < 0 )
        {
            operation->error = transfer_error( d, errno );
            return OPERATION_DONE;
        }
        operation->information += n;
        host_count( WS2_COUNT_SENT, n );
        if ( !n ) t->next++;
    }
    events_sent( d );
    if ( t->flags & WS2_TRANSMIT_DISCONNECT )
    {
        descriptor_set_flags( d, WS2_FLAG_DISCONNECTED | WS2_FLAG_SHUT_SEND );
        operation->error = disconnect( d, ( t->flags & WS2_TRANSMIT_REUSE ) != 0 );
    }
    return OPERATION_DONE;
}

/* The array is the PE side's own; the memory that it names is the program's. */
NTSTATUS unix_operation_transmit( void *args )
{
    struct ws2_operation_transmit_params *params = args;
    const struct ws2_segment *segments = (const struct ws2_segment *)(uintptr_t)params->segments;
    struct transmission *t = calloc( 1, sizeof( *t ) + params->count * sizeof( *segments ) );
    NTSTATUS status;
    struct descriptor *d;

    if ( !t )
    {
        dispose_segments( (struct ws2_segment *)segments, params->count );
        params->operation.error = WSAENOBUFS;
        return 0;
    }
    t->flags = params->flags;
    t->count = params->count;
    memcpy( t->segments, segments, params->count * sizeof( *segments ) );
    t->operation.perform = perform_transmit;
    t->operation.dispose = dispose_transmission;
    t->operation.queue = QUEUE_SEND;
    if ( params->flags & WS2_TRANSMIT_NOTHING )
    {
        dispose_transmission( &t->operation );
        free( t );
        params->operation.error = 0;
        return 0;
    }
    if ( !( d = descriptor_acquire( params->operation.handle, &status ) ) )
    {
        /* the call may be made once more, with the same descriptors of files */
        free( t );
        return status;
    }
    descriptor_renew( d );
    if ( ( params->operation.error = d->slot->type == SOCK_STREAM ? transfer_check_send( d, 0, 0 ) : WSAENOTCONN ) )
    {
        dispose_transmission( &t->operation );
        free( t );
    }
    else
    {
        for ( uint32_t i = 0; i < t->count; i++ )
        {
            struct stat st;

            /* 0: from the offset to the end of the file */
            if ( t->segments[i].fd >= 0 && !t->segments[i].size && !fstat( t->segments[i].fd, &st ) &&
                 (uint64_t)st.st_size > t->segments[i].offset )
                t->segments[i].size = st.st_size - t->segments[i].offset;
        }
        operation_start( d, &t->operation, &params->operation );
    }
    descriptor_release( d );
    return 0;
}
