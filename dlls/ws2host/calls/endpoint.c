/* Listening, connecting, accepting, shutting down, and the names of both ends. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>
#include "sockets/helpers.h"
#include "attempts/attempt.h"
#include "descriptors/deferred.h"
#include "descriptors/upcalls.h"
#include "sockets/connect.h"
#include "sockets/datagram_send.h"
#include "events/events.h"
#include "operations/operation.h"
#include "sockets/endpoint.h"
#include "operations/afd_poll.h"
#include "sockets/socket.h"
#include "descriptors/wait.h"

static int is_any( const union host_address *address )
{
    if ( address->any.sa_family == AF_INET ) return !address->in.sin_addr.s_addr;
    return IN6_IS_ADDR_UNSPECIFIED( &address->in6.sin6_addr );
}

/* Windows binds a socket by itself before it connects or listens; so does the host. */
NTSTATUS unix_listen( void *args )
{
    struct ws2_listen_params *params = args;
    NTSTATUS status;
    struct descriptor *d = descriptor_acquire( params->handle, &status );
    uint32_t flags;
    int backlog = params->backlog;

    if ( !d ) return status;
    descriptor_renew( d );
    flags = descriptor_flags( d );
    if ( d->slot->type != SOCK_STREAM ) params->error = WSAEOPNOTSUPP;
    else if ( flags & ( WS2_FLAG_CONNECTED | WS2_FLAG_CONNECTING ) ) params->error = WSAEISCONN;
    else if ( !( flags & WS2_FLAG_BOUND ) ) params->error = WSAEINVAL;
    else
    {
        if ( backlog < 0 ) backlog = backlog == INT32_MIN ? INT32_MAX : -backlog; /* SOMAXCONN_HINT( n ) is -n */
        params->error = listen( d->fd, backlog < 1 ? 1 : backlog ) < 0 ? winsock_error( errno ) : 0;
        if ( !params->error )
        {
            atomic_store( &d->slot->backlog, backlog );
            descriptor_set_flags( d, WS2_FLAG_LISTENING );
            /* not before: the host refuses to listen beside others with a program attached */
            if ( flags & WS2_FLAG_REUSEADDR ) bind_prefer_earliest( d );
        }
    }
    descriptor_release( d );
    return 0;
}

/* With its peer the host gives up a port that it chose itself; Windows does not. */
static void keep_port( struct descriptor *d )
{
    const uint16_t port = htons( atomic_load( &d->slot->local_port ) );
    union host_address own;
    socklen_t size = sizeof( own );

    if ( !port || getsockname( d->fd, &own.any, &size ) || own.in.sin_port ) return;
    own.in.sin_port = port; /* the same place in both families */
    if ( !bind( d->fd, &own.any, size ) ) endpoint_remember( d );
}

static int32_t datagram_connect( struct descriptor *d, union host_address *address, socklen_t size, int disconnect )
{
    if ( datagram_connect_host( d->fd, address, size ) < 0 ) return winsock_error( errno );
    helpers_connect( d, &address->any, size );
    events_connect_begins( d );
    if ( disconnect )
    {
        descriptor_clear_flags( d, WS2_FLAG_CONNECTED );
        keep_port( d );
        return 0;
    }
    endpoint_remember( d );
    descriptor_set_flags( d, WS2_FLAG_CONNECTED );
    events_look_again( d ); /* nothing has arrived that the host would tell of */
    return 0;
}

/* A blocking connect keeps its failure out of SO_ERROR; select's except set shows it all the same. */
static int32_t blocking_connect_failed( struct descriptor *d ) { return atomic_exchange( &d->slot->error, 0 ); }

NTSTATUS unix_connect( void *args )
{
    struct ws2_address_params *params = args;
    union host_address address;
    struct given_name given;
    socklen_t size;
    NTSTATUS status = 0;
    struct descriptor *d = descriptor_acquire( params->handle, &status );
    uint32_t family, type;
    uint16_t given_family = WS_AF_UNSPEC;
    int disconnect = 0;

    if ( !d ) return status;
    family = d->slot->family;
    type = d->slot->type;
    if ( params->wait.deadline ) goto wait;
    descriptor_release( d );

    if ( type != SOCK_STREAM && params->size >= sizeof( given_family ) )
    {
        memcpy( &given_family, (const void *)(uintptr_t)params->address, sizeof( given_family ) );
        disconnect = given_family == WS_AF_UNSPEC;
    }
    if ( disconnect )
    {
        memset( &address, 0, sizeof( address ) );
        address.any.sa_family = AF_UNSPEC;
        size = sizeof( address.in );
    }
    else if ( ( params->error = address_read_peer( family, params->address, params->size, &address, &size, &given ) ) )
        return 0;
    else if ( type != SOCK_STREAM && is_any( &address ) )
    {
        /* the port stands at the same place in both families */
        if ( address.in.sin_port )
        {
            params->error = WSAEADDRNOTAVAIL;
            return 0;
        }
        disconnect = 1;
        memset( &address, 0, sizeof( address ) );
        address.any.sa_family = AF_UNSPEC;
        size = sizeof( address.in );
    }
    if ( !( d = descriptor_acquire( params->handle, &status ) ) ) return status;
    descriptor_renew( d );

    params->error = type == SOCK_STREAM ? connect_begin( d, &address, size, &given )
                                        : datagram_connect( d, &address, size, disconnect );
    if ( !params->error ) afd_poll_look( d ); /* nothing that the host would tell of */
    if ( params->error != WSAEWOULDBLOCK || ( descriptor_flags( d ) & WS2_FLAG_NONBLOCKING ) )
    {
        if ( !params->error && type == SOCK_STREAM && ( descriptor_flags( d ) & WS2_FLAG_NONBLOCKING ) )
            params->error = WSAEWOULDBLOCK; /* as on Windows; it is found writable at once */
        goto done;
    }
wait:
    for ( ;; )
    {
        enum connect_state state = connect_check( d );

        if ( state == CONNECT_DONE )
        {
            params->error = 0;
            break;
        }
        if ( state == CONNECT_FAILED )
        {
            params->error = blocking_connect_failed( d );
            if ( !params->error ) params->error = WSAECONNREFUSED;
            break;
        }
        enum wait_result result = wait_one( d, POLLOUT, 0, &params->wait );
        if ( result == WAIT_READY ) continue;
        status = wait_status( result, &params->error );
        break;
    }
done:
    descriptor_release( d );
    return status;
}

static void accept_inherit( struct descriptor *listener, struct descriptor *accepted )
{
    struct ws2_slot *from = listener->slot, *to = accepted->slot;

    to->receive_timeout = atomic_load( &from->receive_timeout );
    to->send_timeout = atomic_load( &from->send_timeout );
    to->receive_buffer = atomic_load( &from->receive_buffer );
    to->send_buffer = atomic_load( &from->send_buffer );
    to->linger_onoff = atomic_load( &from->linger_onoff );
    to->linger_seconds = atomic_load( &from->linger_seconds );
    to->option_set = atomic_load( &from->option_set );
    to->option_bits = atomic_load( &from->option_bits );
    connect_time_now( accepted );
    for ( unsigned int i = 0; i < sizeof( to->local_address ) / sizeof( to->local_address[0] ); i++ )
        to->local_address[i] = atomic_load( &from->local_address[i] );
    to->local_port = atomic_load( &from->local_port );
}

#define INHERITED_FLAGS \
    ( WS2_FLAG_NONBLOCKING | WS2_FLAG_OVERLAPPED | WS2_FLAG_SNDBUF_SET | WS2_FLAG_RCVBUF_SET | WS2_FLAG_REUSEADDR | \
      WS2_FLAG_EXCLUSIVE | WS2_FLAG_DEBUG | WS2_FLAG_DONTROUTE | WS2_FLAG_REGISTERED_IO | WS2_FLAG_OOBINLINE )

NTSTATUS unix_accept_defer( void *args )
{
    struct ws2_accept_defer_params *params = args;
    NTSTATUS status;
    struct descriptor *listener = descriptor_acquire( params->handle, &status ), *d;

    if ( !listener ) return status;
    if ( !( d = descriptor_remove( params->accepted, &status ) ) ) params->error = WSAENOTSOCK;
    else
    {
        events_forget( d );
        params->real = descriptor_take_real( d );
        params->pooled = descriptor_is_free( params->accepted );
        deferred_put_consume( listener, d );
        params->error = 0;
        if ( descriptor_queued( listener, QUEUE_RECEIVE ) ) operation_serve( listener );
        wait_wake( listener );
    }
    descriptor_release( listener );
    return 0;
}

NTSTATUS unix_accept( void *args )
{
    struct ws2_accept_params *params = args;
    union host_address address;
    socklen_t size;
    NTSTATUS status = 0;
    struct descriptor *d = descriptor_acquire( params->handle, &status ), *accepted = NULL;
    int32_t *user_size = (int32_t *)(uintptr_t)params->size_pointer;
    int fd = -1;

    if ( !d ) return status;
    if ( !( descriptor_flags( d ) & WS2_FLAG_LISTENING ) )
    {
        params->error = d->slot->type == SOCK_STREAM ? WSAEINVAL : WSAEOPNOTSUPP;
        descriptor_release( d );
        return 0;
    }
    if ( params->address && user_size )
    {
        uint32_t needed = address_size( d->slot->family );
        int32_t given;

        /* a buffer that is too small takes no connection off the queue */
        descriptor_release( d );
        given = *user_size;
        if ( given < (int32_t)needed )
        {
            params->error = WSAEFAULT;
            return 0;
        }
        if ( !( d = descriptor_acquire( params->handle, &status ) ) ) return status;
    }
    if ( ( accepted = deferred_take( d ) ) )
    {
        size = sizeof( address );
        getpeername( accepted->fd, &address.any, &size );
        fd = accepted->fd;
        params->error = 0;
        goto accepted;
    }
    for ( ;; )
    {
        enum wait_result result;

        size = sizeof( address );
        /* AcceptEx comes first */
        if ( descriptor_queued( d, QUEUE_RECEIVE ) ) operation_serve( d );
        errno = EAGAIN;
        if ( !descriptor_queued( d, QUEUE_RECEIVE ) &&
             ( fd = accept4( d->fd, &address.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC ) ) >= 0 )
            break;
        if ( errno == EINTR || errno == ECONNABORTED ) continue;
        if ( errno != EAGAIN )
        {
            params->error = winsock_error( errno );
            goto done;
        }
        if ( descriptor_flags( d ) & WS2_FLAG_NONBLOCKING )
        {
            params->error = WSAEWOULDBLOCK;
            goto done;
        }
        if ( ( result = wait_connection( d, &params->wait ) ) != WAIT_READY )
        {
            status = wait_status( result, &params->error );
            goto done;
        }
    }
    events_reenable( d, WS2_FD_ACCEPT );
    params->error = socket_wrap_consume( fd, d->slot->family, d->slot->type, d->slot->protocol,
                                         ( descriptor_flags( d ) & INHERITED_FLAGS ) | WS2_FLAG_BOUND |
                                             WS2_FLAG_CONNECTED | WS2_FLAG_ACCEPTED,
                                         &accepted );
    if ( !params->error ) accept_inherit( d, accepted );
accepted:
    if ( !params->error )
    {
        params->fd = fd;
        params->descriptor = (uintptr_t)accepted;
        params->inherited_events = ws2_events_mask( atomic_load( &d->slot->events ) ) != 0;
    }
done:
    descriptor_release( d );
    if ( accepted ) address_write( &address, size, params->address, params->size_pointer );
    return status;
}

NTSTATUS unix_shutdown( void *args )
{
    struct ws2_shutdown_params *params = args;
    static const uint32_t flags[] = { WS2_FLAG_SHUT_RECEIVE, WS2_FLAG_SHUT_SEND,
                                      WS2_FLAG_SHUT_RECEIVE | WS2_FLAG_SHUT_SEND };
    NTSTATUS status;
    struct descriptor *d = descriptor_acquire( params->handle, &status );

    if ( !d ) return status;
    descriptor_renew( d );
    params->error = 0;
    if ( params->how > 2 ) params->error = WSAEINVAL;
    else if ( d->slot->type == SOCK_STREAM &&
              ( connect_check( d ) != CONNECT_DONE || !( descriptor_flags( d ) & WS2_FLAG_CONNECTED ) ||
                ( descriptor_flags( d ) & WS2_FLAG_NEEDS_ACCEPT_CONTEXT ) ) )
        params->error = WSAENOTCONN;
    else
    {
        /* The receiving side is shut down by the flag alone: the host would show an end of stream that the peer never
         * sent, and FD_CLOSE is still due when the peer does send it. A peer that is gone already is no error. */
        if ( d->slot->type == SOCK_STREAM && params->how != 0 && !operation_shut_send( d ) &&
             shutdown( d->fd, SHUT_WR ) < 0 && errno != ENOTCONN )
            params->error = winsock_error( errno );
        if ( !params->error )
        {
            descriptor_set_flags( d, flags[params->how] );
            wait_wake( d );
        }
    }
    descriptor_release( d );
    return 0;
}

/* Winsock keeps its own record of what is bound, and that has not heard of a bind by a control code. */
static int is_unknown( const struct ws2_address_params *params, const struct descriptor *d )
{
    return !params->by_code && ( atomic_load( &d->local ) & LOCAL_BOUND_BY_CODE ) &&
           !( descriptor_flags( d ) & ( WS2_FLAG_CONNECTED | WS2_FLAG_LISTENING ) );
}

/* The name of one end, or the error of a socket that has none, before any pointer is looked at. given: of the other end. */
static NTSTATUS give_name( struct ws2_address_params *params, int32_t error, const union host_address *address,
                           socklen_t size, const struct given_name *given )
{
    if ( !error && ( !params->address || !params->size_pointer ) ) error = WSAEFAULT;
    params->error = error   ? error
                    : given ? address_write_peer( address, size, given, params->address, params->size_pointer )
                            : address_write_own( address, size, params->address, params->size_pointer );
    return 0;
}

NTSTATUS unix_getsockname( void *args )
{
    struct ws2_address_params *params = args;
    union host_address address;
    socklen_t size = sizeof( address );
    NTSTATUS status;
    struct descriptor *d = descriptor_acquire( params->handle, &status );
    int32_t error = 0;

    if ( !d ) return status;
    descriptor_renew( d );
    if ( !( descriptor_flags( d ) & WS2_FLAG_BOUND ) || is_unknown( params, d ) ) error = WSAEINVAL;
    else if ( getsockname( d->fd, &address.any, &size ) ) error = winsock_error( errno );
    descriptor_release( d );
    return give_name( params, error, &address, size, NULL );
}

/* connect() gives the socket the name at once, ConnectEx and AcceptEx with the option that updates the context. */
NTSTATUS unix_getpeername( void *args )
{
    struct ws2_address_params *params = args;
    union host_address address;
    struct given_name given = { "" };
    socklen_t size = sizeof( address );
    NTSTATUS status;
    struct descriptor *d = descriptor_acquire( params->handle, &status );
    uint32_t flags;
    int32_t error = 0;

    if ( !d ) return status;
    descriptor_renew( d );
    connect_check( d ); /* it may be connected by now, or have failed */
    flags = descriptor_flags( d );
    if ( ( !( flags & WS2_FLAG_CONNECTED ) && !connect_by_call( d ) ) ||
         ( flags & ( WS2_FLAG_NEEDS_CONNECT_CONTEXT | WS2_FLAG_NEEDS_ACCEPT_CONTEXT ) ) || is_unknown( params, d ) )
        error = WSAENOTCONN;
    else if ( connect_peer( d, &address, &size ) ) error = winsock_error( errno );
    else if ( d->slot->family == WS_AF_UNIX ) given_name_of( d->fd, &given );
    descriptor_release( d );
    return give_name( params, error, &address, size, &given );
}
