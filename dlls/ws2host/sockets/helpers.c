/*
 * Helpers of datagram sockets: see helpers.h. Made under one lock of the process, by the call that needs them; what a socket
 * joins before it is bound is kept until then.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/owner_lock.h"
#include "client/connection.h"
#include "descriptors/socket_set.h"
#include "descriptors/upcalls.h"
#include "sockets/control.h"
#include "sockets/helpers.h"
#include "sockets/option_bits.h"
#include "sockets/subnets.h"

static owner_lock helpers_lock;

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

/* --- sets, which other processes have too --------------------------------------------------------------------------------*/

/* What others have added, up to so many helpers. One that cannot be had now is asked for the next time, and one that nobody
 * has any more never. */
static void fetch_up_to( struct descriptor *d, struct socket_set *set, uint32_t count )
{
    int32_t error = 0;
    int fd;

    while ( set->shared && atomic_load( &set->count ) < count && atomic_load( &set->count ) < SOCKET_SET_HELPERS )
    {
        error = helper_set_get( d->slot_index, d->generation, atomic_load( &set->count ) + 1, &fd );
        if ( error && error != WSAENOTSOCK ) return;
        socket_set_add( set, error ? -1 : fd, set->own_epoll );
    }
}

/* The set that the server has; NULL when it cannot be had. */
static struct socket_set *fetch_set( struct descriptor *d )
{
    struct socket_set *set = NULL;
    int32_t error;
    int fd;

    if ( helper_set_open( d->slot_index, d->generation ) ) return NULL;
    error = helper_set_get( d->slot_index, d->generation, 0, &fd );
    if ( error == WSAENOTSOCK ) set = socket_set_make( d->fd );
    else if ( !error && ( fd = fcntl( fd, F_DUPFD_CLOEXEC, 0 ) ) >= 0 ) set = socket_set_of_epoll( fd );
    if ( !set )
    {
        helper_set_close( d->slot_index, d->generation );
        return NULL;
    }
    set->shared = 1;
    set->own_epoll = error != 0;
    upcalls.set_made( d, set );
    return set;
}

static void fetch_helpers( struct descriptor *d )
{
    const uint32_t places = ws2_slot_helpers( d->slot );
    struct socket_set *set;

    /* not waited for: locks that come after it may be held here */
    if ( !owner_lock_try( &helpers_lock ) ) return;
    if ( places && places <= WS2_HELPERS_MOST && ( ( set = socket_set_of( d ) ) || ( set = fetch_set( d ) ) ) )
        fetch_up_to( d, set, places - 1 );
    owner_lock_give( &helpers_lock );
}

void helpers_init( void ) { upcalls.fetch_helpers = fetch_helpers; }

/* Gives the server a new set: 0, or the error for which it does not. */
static int32_t share_set( struct descriptor *d, struct socket_set *set )
{
    int32_t error = helper_set_open( d->slot_index, d->generation );
    uint32_t place;
    int epoll = -1;

    if ( error ) return error;
    error = helper_set_share( d->slot_index, d->generation, d->handle, d->fd );
    if ( !error && ( epoll = fcntl( set->epoll, F_DUPFD_CLOEXEC, 0 ) ) < 0 ) error = WSAEMFILE;
    if ( !error ) error = helper_set_add_consume( d->slot_index, d->generation, 0, epoll, &place );
    if ( error ) helper_set_close( d->slot_index, d->generation );
    else set->shared = 1;
    return error;
}

/* The descriptor's set, made when there is none; NULL and errno. */
static struct socket_set *set_for( struct descriptor *d )
{
    struct socket_set *set = socket_set_of( d );

    if ( set || ( ws2_slot_helpers( d->slot ) && ( set = fetch_set( d ) ) ) ) return set;
    errno = ENOBUFS;
    if ( !( set = socket_set_make( d->fd ) ) ) return NULL;
    /* without the server's help it is this process's alone; another may have made one at this moment */
    if ( share_set( d, set ) == WSAEALREADY )
    {
        socket_set_discard( set );
        return fetch_set( d );
    }
    upcalls.set_made( d, set );
    return set;
}

/* 0, or -1 and errno. */
static int set_add_consume( struct descriptor *d, struct socket_set *set, int helper )
{
    uint32_t place;

    if ( !set->shared && atomic_load( &set->count ) < SOCKET_SET_HELPERS ) socket_set_add( set, helper, 1 );
    else if ( set->shared && !helper_set_add_consume( d->slot_index, d->generation, WS2_NO_INDEX, helper, &place ) )
    {
        socket_set_watch_place( set, place, helper );
        fetch_up_to( d, set, place );
    }
    else
    {
        if ( !set->shared ) close( helper );
        errno = ENOBUFS;
        return -1;
    }
    return 0;
}

/* --- making them -----------------------------------------------------------------------------------------------------*/

/* A helper bound to address, of the adapter alone unless that is 0; -1 and errno. The lock is held. */
static int helper_make( struct descriptor *d, const union host_address *address, uint32_t adapter )
{
    const int index = adapter;
    union host_address peer;
    socklen_t size = sizeof( peer );
    int fd = socket_host( d->slot->family, SOCK_DGRAM, d->slot->protocol );
    struct socket_set *set;

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
    if ( !( set = set_for( d ) ) )
    {
        close( fd );
        return -1;
    }
    if ( set_add_consume( d, set, fd ) ) return -1;
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

    socket_set_renew( d );
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

/* Packets of IP, or none: what leaves is shown only to who asks for all protocols. */
static void show_packets( int fd, int shown )
{
    struct sock_filter code[] = {
        { BPF_LD | BPF_H | BPF_ABS, 0, 0, (uint32_t)( SKF_AD_OFF + SKF_AD_PROTOCOL ) },
        { BPF_JMP | BPF_JEQ | BPF_K, 0, 1, ETH_P_IP },
        { BPF_RET | BPF_K, 0, 0, shown ? UINT32_MAX : 0 },
        { BPF_RET | BPF_K, 0, 0, 0 },
    };
    const struct sock_fprog program = { sizeof( code ) / sizeof( code[0] ), code };

    setsockopt( fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof( program ) );
}

int32_t helpers_receive_all( struct descriptor *d, int on )
{
    struct sockaddr_ll adapter = { .sll_family = AF_PACKET, .sll_protocol = htons( ETH_P_ALL ) };
    union host_address own;
    socklen_t size = sizeof( own );
    struct socket_set *set;
    int fd, error = 0;

    if ( d->slot->family != WS_AF_INET || d->slot->protocol ) return on ? WSAEACCES : 0;
    if ( !( descriptor_flags( d ) & WS2_FLAG_BOUND ) || getsockname( d->fd, &own.any, &size ) ||
         !( adapter.sll_ifindex = (int)subnet_index( &own ) ) )
        return WSAEINVAL;
    owner_lock_take( &helpers_lock );
    if ( ( set = socket_set_of( d ) ) ) show_packets( set->helpers[0], on ); /* a helper is there for good */
    else if ( on )
    {
        if ( ( fd = socket( AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0 ) ) < 0 ) error = WSAEACCES;
        else
        {
            show_packets( fd, 1 );
            if ( !bind( fd, (const struct sockaddr *)&adapter, sizeof( adapter ) ) ) set = socket_set_make( d->fd );
            if ( set )
            {
                socket_set_add( set, fd, 1 );
                upcalls.set_made( d, set );
            }
            else
            {
                close( fd );
                error = WSAENOBUFS;
            }
        }
    }
    owner_lock_give( &helpers_lock );
    return error;
}

void helpers_connect( struct descriptor *d, const struct sockaddr *address, socklen_t size )
{
    const struct socket_set *set = socket_set_of( d );

    for ( uint32_t i = 0; set && i < atomic_load( &set->count ); i++ ) connect( set->helpers[i], address, size );
}
