/*
 * Helpers of datagram sockets: see helpers.h. Made under one lock of the process, by the call that needs them; what a socket
 * joins before it is bound is kept until then.
 */
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/owner_lock.h"
#include "descriptors/socket_set.h"
#include "descriptors/upcalls.h"
#include "sockets/control.h"
#include "sockets/helpers.h"
#include "sockets/option_bits.h"
#include "sockets/subnets.h"

static _Atomic uint32_t helpers_lock;

static int is_any_address( const union host_address *address )
{
    if ( address->any.sa_family == AF_INET ) return !address->in.sin_addr.s_addr;
    return IN6_IS_ADDR_UNSPECIFIED( &address->in6.sin6_addr );
}

/* Where the socket is bound: 0 when it is not. */
static int bound_to( const struct descriptor *d, union host_address *address )
{
    socklen_t size = sizeof( *address );

    return ( descriptor_flags( d ) & WS2_FLAG_BOUND ) && d->slot->type == SOCK_DGRAM &&
           !getsockname( d->fd, &address->any, &size );
}

static void share( int fd )
{
    const int on = 1;

    setsockopt( fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof( on ) );
    setsockopt( fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof( on ) );
}

/* What the program has set of the kernel's options holds for the helper too. */
static void follow( const struct descriptor *d, int fd )
{
    int size;
    socklen_t length = sizeof( size );

    if ( ( descriptor_flags( d ) & WS2_FLAG_RCVBUF_SET ) &&
         !getsockopt( d->fd, SOL_SOCKET, SO_RCVBUF, &size, &length ) )
    {
        size /= 2; /* the host tells the double of what it was given */
        setsockopt( fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof( size ) );
    }
}

/* A helper bound to address, of the adapter alone unless that is 0; -1 and errno. The lock is held. */
static int helper_make( struct descriptor *d, const union host_address *address, uint32_t adapter )
{
    const int index = adapter;
    union host_address peer;
    socklen_t size = sizeof( peer );
    int fd = socket_host( d->slot->family, SOCK_DGRAM, d->slot->protocol );

    if ( fd < 0 ) return -1;
    share( fd );
    if ( index ) setsockopt( fd, SOL_SOCKET, SO_BINDTOIFINDEX, &index, sizeof( index ) );
    if ( bind( fd, &address->any, address->any.sa_family == AF_INET ? sizeof( address->in ) : sizeof( address->in6 ) ) )
    {
        const int error = errno;

        close( fd );
        errno = error;
        return -1;
    }
    follow( d, fd );
    if ( !getpeername( d->fd, &peer.any, &size ) ) connect( fd, &peer.any, size );
    if ( socket_set_of( d ) ? socket_set_add( d, fd ) : upcalls.first_helper( d, fd ) ) return -1;
    if ( control_wanted( d ) ) control_enable( d );
    if ( option_bit( d->slot, BIT_MULTICAST_DEAF ) ) upcalls.be_deaf( d, fd );
    return fd;
}

static int is_helper_of( int fd, const union host_address *group )
{
    union host_address address;
    socklen_t size = sizeof( address );

    if ( getsockname( fd, &address.any, &size ) || address.any.sa_family != group->any.sa_family ) return 0;
    if ( address.any.sa_family == AF_INET ) return address.in.sin_addr.s_addr == group->in.sin_addr.s_addr;
    return IN6_ARE_ADDR_EQUAL( &address.in6.sin6_addr, &group->in6.sin6_addr );
}

/* setsockopt on the helpers of a group until one takes it. */
static int ask_helpers( const struct descriptor *d, int level, int name, const void *request, socklen_t size,
                        const union host_address *group )
{
    const struct socket_set *set = socket_set_of( d );
    int result = -1;

    errno = EADDRNOTAVAIL;
    for ( uint32_t i = 0; set && result && i < atomic_load( &set->count ); i++ )
        if ( is_helper_of( set->helpers[i], group ) )
            result = setsockopt( set->helpers[i], level, name, request, size );
    return result;
}

static int is_join( int level, int name )
{
    if ( name == MCAST_JOIN_GROUP || name == MCAST_JOIN_SOURCE_GROUP ) return 1;
    return level == IPPROTO_IP ? name == IP_ADD_MEMBERSHIP || name == IP_ADD_SOURCE_MEMBERSHIP
                               : name == IPV6_ADD_MEMBERSHIP;
}

/* A group of IPv6 that is one of a link needs to be told which. */
static uint32_t scope_of( int name, const void *request, const union host_address *own )
{
    uint32_t index = 0;

    if ( name == IPV6_ADD_MEMBERSHIP ) index = ( (const struct ipv6_mreq *)request )->ipv6mr_interface;
    else memcpy( &index, request, sizeof( index ) );
    return index ? index : subnet_index( own );
}

/* Joins with a helper; own: where the socket is bound. */
static int join_with_helper( struct descriptor *d, int level, int name, const void *request, socklen_t size,
                             const union host_address *group, const union host_address *own )
{
    union host_address address = *group;
    int fd, result = ask_helpers( d, level, name, request, size, group );

    if ( !result || errno == EADDRINUSE ) return result;
    address.in.sin_port = own->in.sin_port; /* the port stands at the same place in both families */
    if ( address.any.sa_family == AF_INET6 ) address.in6.sin6_scope_id = scope_of( name, request, own );
    if ( ( fd = helper_make( d, &address, 0 ) ) < 0 ) return -1;
    return setsockopt( fd, level, name, request, size );
}

/* --- what is joined before the socket is bound --------------------------------------------------------------------------*/

struct joined
{
    struct joined *next;
    int level, name;
    socklen_t size;
    union host_address group;
    char request[sizeof( struct group_source_req )];
};

static void remember_join( struct descriptor *d, int level, int name, const void *request, socklen_t size,
                           const union host_address *group )
{
    struct joined *joined = calloc( 1, sizeof( *joined ) );

    if ( !joined ) return;
    joined->level = level;
    joined->name = name;
    joined->size = size;
    joined->group = *group;
    memcpy( joined->request, request, size );
    joined->next = d->joined;
    d->joined = joined;
}

static void forget_join( struct descriptor *d, const void *request, socklen_t size )
{
    struct joined **link = &d->joined, *joined;

    while ( ( joined = *link ) )
        if ( joined->size == size && !memcmp( joined->request, request, size ) )
        {
            *link = joined->next;
            free( joined );
        }
        else link = &joined->next;
}

int helpers_membership( struct descriptor *d, int level, int name, const void *request, socklen_t size,
                        const union host_address *group )
{
    union host_address own;
    const int bound = bound_to( d, &own );
    int result;

    owner_lock_take( &helpers_lock );
    if ( bound && is_join( level, name ) && !is_any_address( &own ) && adapter_is_group( group ) )
        result = join_with_helper( d, level, name, request, size, group, &own );
    else if ( ( result = setsockopt( d->fd, level, name, request, size ) ) )
    {
        const int error = errno;

        /* the host has a limit, which the program's rights are no part of */
        if ( error == ENOBUFS && bound && is_join( level, name ) )
            result = join_with_helper( d, level, name, request, size, group, &own );
        else if ( error == EADDRNOTAVAIL && socket_set_of( d ) && !is_join( level, name ) )
            result = ask_helpers( d, level, name, request, size, group );
        else errno = error;
    }
    else if ( !bound && d->slot->type == SOCK_DGRAM )
    {
        if ( is_join( level, name ) ) remember_join( d, level, name, request, size, group );
        else forget_join( d, request, size );
    }
    owner_lock_give( &helpers_lock );
    return result;
}

void helpers_bound( struct descriptor *d )
{
    union host_address own, address = { .in.sin_family = AF_INET };
    struct joined *joined, *next;
    struct adapter adapter;

    if ( d->slot->type != SOCK_DGRAM || !bound_to( d, &own ) ) return;
    owner_lock_take( &helpers_lock );
    joined = d->joined;
    d->joined = NULL;
    for ( ; joined; joined = next )
    {
        next = joined->next;
        if ( !is_any_address( &own ) )
            join_with_helper( d, joined->level, joined->name, joined->request, joined->size, &joined->group, &own );
        free( joined );
    }
    if ( own.any.sa_family == AF_INET && !is_any_address( &own ) &&
         ntohl( own.in.sin_addr.s_addr ) >> 24 != IN_LOOPBACKNET && subnet_of( own.in.sin_addr, &adapter ) &&
         !adapter.loopback && adapter.broadcast.s_addr )
    {
        address.in.sin_port = own.in.sin_port;
        address.in.sin_addr.s_addr = INADDR_BROADCAST;
        helper_make( d, &address, adapter.index );
        address.in.sin_addr = adapter.broadcast;
        helper_make( d, &address, adapter.index );
    }
    owner_lock_give( &helpers_lock );
}

void helpers_connect( struct descriptor *d, const struct sockaddr *address, socklen_t size )
{
    const struct socket_set *set = socket_set_of( d );

    for ( uint32_t i = 0; set && i < atomic_load( &set->count ); i++ ) connect( set->helpers[i], address, size );
}
