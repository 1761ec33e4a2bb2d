/* What the host refuses to datagram sockets and Windows does not: see datagram_send.h. */
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include "base/owner_lock.h"
#include "sockets/subnets.h"
#include "sockets/datagram_send.h"

static int is_any( const union host_address *address )
{
    if ( address->any.sa_family == AF_INET ) return !address->in.sin_addr.s_addr;
    return address->any.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED( &address->in6.sin6_addr );
}

int32_t datagram_check_destination( const union host_address *address )
{
    return is_any( address ) ? WSAEADDRNOTAVAIL : 0;
}

static int is_broadcast( const union host_address *address )
{
    return address->any.sa_family == AF_INET && address->in.sin_addr.s_addr == INADDR_BROADCAST;
}

/* Is it reached by every adapter, the loopback one too, whatever the routes say? */
static int is_on_link( const union host_address *address )
{
    return is_broadcast( address ) || adapter_is_group( address );
}

/* While one call has it, what the program has asked for does not stand on the host socket. */
static owner_lock permission_lock;

static void permit_broadcast( int fd, int *before )
{
    const int on = 1;
    socklen_t size = sizeof( *before );

    owner_lock_take( &permission_lock );
    *before = 0;
    getsockopt( fd, SOL_SOCKET, SO_BROADCAST, before, &size );
    setsockopt( fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof( on ) );
}

static void permit_as_before( int fd, int before )
{
    setsockopt( fd, SOL_SOCKET, SO_BROADCAST, &before, sizeof( before ) );
    owner_lock_give( &permission_lock );
}

static ssize_t size_of( const struct msghdr *message )
{
    ssize_t size = 0;

    for ( size_t i = 0; i < message->msg_iovlen; i++ ) size += message->msg_iov[i].iov_len;
    return size;
}

static ssize_t send_by_adapter( int fd, const union host_address *to, const struct msghdr *message, int flags,
                                int error )
{
    union
    {
        struct cmsghdr header;
        char bytes[CMSG_SPACE( sizeof( struct in_pktinfo ) )];
    } control = { .header = { .cmsg_len = CMSG_LEN( sizeof( struct in_pktinfo ) ),
                              .cmsg_level = IPPROTO_IP,
                              .cmsg_type = IP_PKTINFO } };
    struct msghdr by_adapter = *message;
    struct in_pktinfo packet = { 0 };
    struct adapter adapter;

    /* where the host has no route for groups of IPv6 there is the loopback adapter alone, on which nobody has joined one */
    if ( to->any.sa_family == AF_INET6 ) return size_of( message );
    errno = error;
    /* who gives control data may have chosen one */
    if ( message->msg_controllen || !adapter_default( &adapter ) ) return -1;
    packet.ipi_ifindex = adapter.index;
    memcpy( CMSG_DATA( &control.header ), &packet, sizeof( packet ) );
    by_adapter.msg_control = &control;
    by_adapter.msg_controllen = sizeof( control );
    return vectors_sendmsg( fd, &by_adapter, flags );
}

ssize_t datagram_send_anyway( struct descriptor *d, const struct msghdr *message, int flags, int error )
{
    union host_address peer = { 0 };
    const union host_address *to = message->msg_name ? message->msg_name : &peer;
    socklen_t size = sizeof( peer );
    ssize_t n = -1;
    int permitted, before;

    errno = error;
    if ( error != EACCES && error != EINVAL && error != ENETUNREACH ) return -1;
    if ( !message->msg_name ) getpeername( d->fd, &peer.any, &size );
    if ( error == EINVAL && message->msg_name && ( to->any.sa_family == AF_INET || to->any.sa_family == AF_INET6 ) &&
         !to->in.sin_port )
        return size_of( message ); /* nobody has port 0: it goes, and arrives nowhere */
    /* who is connected to a broadcast address needs no SO_BROADCAST */
    permitted = !message->msg_name && ( error == EACCES || is_broadcast( to ) );
    if ( permitted ) permit_broadcast( d->fd, &before );
    if ( permitted && error == EACCES )
    {
        n = vectors_sendmsg( d->fd, message, flags );
        error = errno;
    }
    if ( n < 0 && error == ENETUNREACH && is_on_link( to ) )
    {
        n = send_by_adapter( d->fd, to, message, flags, error );
        error = errno;
    }
    if ( permitted ) permit_as_before( d->fd, before );
    errno = error;
    return n;
}

int datagram_connect_host( int fd, const union host_address *address, socklen_t size )
{
    struct adapter adapter;
    int result = connect( fd, &address->any, size ), error = errno, before, index = 0;

    if ( !result || address->any.sa_family != AF_INET || ( error != EACCES && error != ENETUNREACH ) ) return result;
    if ( error == ENETUNREACH && ( !is_on_link( address ) || !adapter_default( &adapter ) ) ) return result;
    permit_broadcast( fd, &before );
    if ( ( result = connect( fd, &address->any, size ) ) && errno == ENETUNREACH && is_on_link( address ) &&
         adapter_default( &adapter ) )
    {
        index = adapter.index;
        setsockopt( fd, SOL_SOCKET, SO_BINDTOIFINDEX, &index, sizeof( index ) );
        result = connect( fd, &address->any, size );
        error = errno;
        index = 0;
        setsockopt( fd, SOL_SOCKET, SO_BINDTOIFINDEX, &index, sizeof( index ) );
        errno = error;
    }
    error = errno;
    permit_as_before( fd, before );
    errno = error;
    return result;
}
