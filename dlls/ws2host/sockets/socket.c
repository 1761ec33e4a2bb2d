/*
 * Making descriptors: new sockets, handles seen for the first time (inherited, DuplicateHandle'd), duplicates.
 *
 * Every way ends with a struct descriptor that the PE side installs under a handle, or discards.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <sys/types.h>
#include <unistd.h>
#include "client/connection.h"
#include "descriptors/socket_set.h"
#include "sockets/echo.h"
#include "sockets/control.h"
#include "sockets/datagram_errors.h"
#include "sockets/local.h"
#include "sockets/option_bits.h"
#include "sockets/socket.h"

static void fill_slot( struct ws2_slot *slot, int fd, uint32_t family, uint32_t type, uint32_t protocol,
                       uint32_t flags )
{
    slot->family = family;
    slot->type = type;
    slot->protocol = protocol;
    /* until SIO_UDP_CONNRESET and SIO_UDP_NETRESET turn them off */
    if ( type == SOCK_DGRAM ) flags |= WS2_FLAG_CONNRESET | WS2_FLAG_NETRESET;
    atomic_store( &slot->flags, flags );
    atomic_store( &slot->cookie, socket_cookie( fd ) );
}

int32_t socket_wrap_consume( int fd, uint32_t family, uint32_t type, uint32_t protocol, uint32_t flags,
                             struct descriptor **descriptor )
{
    uint32_t slot_index, generation;
    int32_t error = lease_take( &slot_index, &generation );

    if ( error )
    {
        close( fd );
        return error;
    }
    if ( !( *descriptor = descriptor_create_consume( fd, slot_index, generation ) ) )
    {
        lease_give_back( slot_index, generation );
        return WSAENOBUFS;
    }
    fill_slot( ( *descriptor )->slot, fd, family, type, protocol, flags );
    return 0;
}

static int host_family( uint32_t family )
{
    return family == WS_AF_INET6 ? AF_INET6 : family == WS_AF_UNIX ? AF_UNIX : AF_INET;
}

/* The system answers them, and shows raw sockets only the answers that come. */
static void hide_echo_requests( int fd, uint32_t protocol )
{
    struct icmp_filter filter = { 1u << ICMP_ECHO };
    struct icmp6_filter filter6;

    if ( protocol == IPPROTO_ICMP ) setsockopt( fd, SOL_RAW, ICMP_FILTER, &filter, sizeof( filter ) );
    if ( protocol != IPPROTO_ICMPV6 ) return;
    ICMP6_FILTER_SETPASSALL( &filter6 );
    ICMP6_FILTER_SETBLOCK( ICMP6_ECHO_REQUEST, &filter6 );
    setsockopt( fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter6, sizeof( filter6 ) );
}

int socket_host( uint32_t family, uint32_t type, uint32_t protocol )
{
    int host_type = type == 3 ? SOCK_RAW : type == 1 ? SOCK_STREAM : SOCK_DGRAM, on = 1, off = 0;
    /* a raw socket of no protocol hears nothing before SIO_RCVALL: the host's that only sends */
    const int only_sends = host_type == SOCK_RAW && !protocol && family != WS_AF_UNIX;
    int fd = socket( host_family( family ), host_type | SOCK_NONBLOCK | SOCK_CLOEXEC,
                     family == WS_AF_UNIX ? 0
                     : only_sends         ? IPPROTO_RAW
                                          : (int)protocol );

    if ( fd < 0 && host_type == SOCK_RAW && ( errno == EPERM || errno == EACCES ) )
        fd = echo_socket( family, protocol );
    if ( fd >= 0 && only_sends && family == WS_AF_INET ) setsockopt( fd, IPPROTO_IP, IP_HDRINCL, &off, sizeof( off ) );

    /* Windows' default */
    if ( fd >= 0 && family == WS_AF_INET6 ) setsockopt( fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof( on ) );
    if ( fd >= 0 && host_type == SOCK_DGRAM ) datagram_errors_enable( fd, family );
    if ( fd >= 0 && host_type == SOCK_RAW ) hide_echo_requests( fd, protocol );
    /* a socket hears the groups that it has joined itself, and no other's */
    if ( fd >= 0 && host_type != SOCK_STREAM )
    {
        if ( family == WS_AF_INET6 ) setsockopt( fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, &off, sizeof( off ) );
        setsockopt( fd, IPPROTO_IP, IP_MULTICAST_ALL, &off, sizeof( off ) );
    }
    return fd;
}

NTSTATUS unix_socket_create( void *args )
{
    struct ws2_socket_create_params *params = args;
    struct descriptor *d = NULL;
    int fd = socket_host( params->family, params->type, params->protocol );

    if ( fd < 0 )
    {
        params->error = winsock_error( errno );
        if ( errno == EMFILE ) connection_out_of_descriptors();
        return 0;
    }
    params->error = socket_wrap_consume( fd, params->family, params->type, params->protocol, params->flags, &d );
    if ( !params->error && params->type == SOCK_RAW ) echo_mark( d );
    /* datagrams tell whom they were sent to */
    if ( !params->error && ( params->flags & WS2_FLAG_REGISTERED_IO ) && params->type != SOCK_STREAM )
        control_enable( d );
    params->fd = fd;
    params->descriptor = (uintptr_t)d;
    return 0;
}

/* What the kernel knows of a socket that no slot describes any more (its maker closed it before we first saw it). */
static void rebuild_slot( struct ws2_slot *slot, int fd, uint32_t family, uint32_t type, uint32_t protocol )
{
    union host_address address;
    socklen_t size = sizeof( address );
    int value = 0;
    uint32_t flags = WS2_FLAG_OVERLAPPED;

    if ( !getsockname( fd, &address.any, &size ) &&
         ( family == WS_AF_UNIX ? size > sizeof( sa_family_t ) : address.in.sin_port ) )
        flags |= WS2_FLAG_BOUND;
    size = sizeof( value );
    if ( !getsockopt( fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &size ) && value ) flags |= WS2_FLAG_LISTENING;
    size = sizeof( address );
    if ( !getpeername( fd, &address.any, &size ) ) flags |= WS2_FLAG_CONNECTED | WS2_FLAG_BOUND;
    fill_slot( slot, fd, family, type, protocol, flags );
    option_kernel_touched( slot ); /* nobody knows */
}

/* The family of a host socket of a kind that Winsock has, for connection_adopt; 0 for another. A nameless socket of AF_UNIX
 * is none of Winsock's unless the table knows it: programs of the host connect standard input and output by such. */
static uint32_t adopted_family( int fd )
{
    int domain = 0, type = 0;
    socklen_t size = sizeof( int );

    if ( getsockopt( fd, SOL_SOCKET, SO_DOMAIN, &domain, &size ) ||
         getsockopt( fd, SOL_SOCKET, SO_TYPE, &type, &size ) )
        return 0;
    switch ( domain )
    {
    case AF_INET: return WS_AF_INET;
    case AF_INET6: return WS_AF_INET6;
    case AF_UNIX: return type != SOCK_STREAM ? 0 : local_has_name( fd ) ? WS_AF_UNIX : WS_AF_UNIX | WS2_ADOPT_KNOWN;
    default: return 0;
    }
}

/* It is kept for making copies of a SOCKET of the pool, and none of the program's. */
static int is_kept( uint64_t handle )
{
    struct descriptor *d;
    uint64_t position = 0;
    int found = 0;

    if ( !( atomic_load( descriptor_real_word( handle ) ) & descriptor_handle_bit( handle ) ) ) return 0;
    while ( !found && ( d = descriptor_next( &position ) ) )
    {
        found = ( atomic_load( &d->real ) & ~REAL_STALE ) == handle;
        descriptor_release( d );
    }
    return found;
}

NTSTATUS unix_socket_adopt( void *args )
{
    struct ws2_socket_adopt_params *params = args;
    int type = 0, protocol = 0, new_slot = 0;
    socklen_t size = sizeof( int );
    uint32_t slot_index, generation, family;
    struct descriptor *d;

    params->error = WSAENOTSOCK;
    if ( !connection_table() || !( family = adopted_family( params->fd ) ) ||
         getsockopt( params->fd, SOL_SOCKET, SO_TYPE, &type, &size ) ||
         getsockopt( params->fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size ) || is_kept( params->handle ) )
        goto close_fd;
    params->error =
        connection_adopt( params->fd, family, type, protocol, params->handle, &slot_index, &generation, &new_slot );
    if ( params->error ) goto close_fd;
    fcntl( params->fd, F_SETFL, fcntl( params->fd, F_GETFL ) | O_NONBLOCK );
    if ( !( d = descriptor_create_consume( params->fd, slot_index, generation ) ) )
    {
        connection_close( slot_index, generation, params->handle );
        params->error = WSAENOBUFS;
        return 0;
    }
    if ( new_slot ) rebuild_slot( d->slot, params->fd, family, type, protocol );
    d->handle = params->handle;
    socket_set_renew( d );
    params->error = descriptor_install_found_consume( d, params->handle );
    return 0;

close_fd:
    close( params->fd );
    return 0;
}

NTSTATUS unix_socket_adopted( void *args )
{
    struct ws2_socket_adopt_params *params = args;

    params->error = descriptor_confirm( params->handle, params->fd );
    if ( params->fd >= 0 ) close( params->fd );
    return 0;
}

NTSTATUS unix_socket_info( void *args )
{
    struct ws2_socket_info_params *params = args;
    NTSTATUS status;
    struct descriptor *d = descriptor_acquire( params->handle, &status );

    if ( !d ) return status;
    params->family = d->slot->family;
    params->type = d->slot->type;
    params->protocol = d->slot->protocol;
    params->flags = descriptor_flags( d );
    params->shared = descriptor_is_shared( d );
    descriptor_release( d );
    params->error = 0;
    return 0;
}

NTSTATUS unix_duplicate( void *args )
{
    struct ws2_duplicate_params *params = args;
    NTSTATUS status;
    int unknown_target = 0;
    struct descriptor *d = descriptor_acquire( params->handle, &status );

    if ( !d ) return status;
    descriptor_renew( d );
    params->error = ticket_issue( d->slot_index, d->generation, d->handle, d->fd, params->target, &params->ticket,
                                  &unknown_target );
    params->unknown_target = unknown_target;
    descriptor_release( d );
    return 0;
}

NTSTATUS unix_watch_create( void *args )
{
    struct ws2_watch_params *params = args;
    int fds[2];

    if ( pipe2( fds, O_CLOEXEC ) < 0 )
    {
        params->error = winsock_error( errno );
        return 0;
    }
    params->fd = fds[1];
    params->other_fd = fds[0];
    params->error = 0;
    return 0;
}

NTSTATUS unix_watch_send( void *args )
{
    struct ws2_watch_params *params = args;

    close( params->fd );
    params->error = params->send ? connection_watch( params->target, params->other_fd ) : 0;
    close( params->other_fd );
    return 0;
}

NTSTATUS unix_redeem( void *args )
{
    struct ws2_redeem_params *params = args;
    uint32_t slot_index, generation;
    struct descriptor *d;
    int fd = -1;

    if ( ( params->error = ticket_redeem_as( params->ticket, params->handle, &slot_index, &generation, &fd ) ) )
        return 0;
    if ( !( d = descriptor_create_consume( fd, slot_index, generation ) ) )
    {
        connection_close( slot_index, generation, params->handle );
        params->error = WSAENOBUFS;
        return 0;
    }
    d->handle = params->handle;
    params->family = d->slot->family;
    params->type = d->slot->type;
    params->protocol = d->slot->protocol;
    /* that a socket is bound each descriptor knows for itself, from its opening or what is done through it */
    if ( params->type != SOCK_STREAM && !( descriptor_flags( d ) & WS2_FLAG_BOUND ) )
        atomic_store( &d->local, LOCAL_UNBOUND );
    params->descriptor = (uintptr_t)d;
    params->fd = fd;
    socket_set_renew( d );
    return 0;
}
