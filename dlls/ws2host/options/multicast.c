/*
 * Multicast options: the interface to send by, groups and sources. Windows names an interface by one of its addresses, or
 * by its index as the address 0.x.x.x. Where Windows takes its default interface and the host has no route for
 * multicast at all, the first adapter stands in, or loopback where there is none. The kernel keeps all of it but
 * IP_MULTICAST_LOOP, which Windows means for the receiver and the host for the sender.
 */
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stddef.h>
#include <string.h>
#include <linux/filter.h>
#include "descriptors/upcalls.h"
#include "sockets/helpers.h"
#include "descriptors/socket_set.h"
#include "options/option.h"
#include "sockets/subnets.h"

/* The host's name for an interface of Windows'. */
static void name_interface( uint32_t address, struct ip_mreqn *request )
{
    uint32_t index = ntohl( address );

    request->imr_address.s_addr = index >> 24 ? address : 0;
    request->imr_ifindex = index >> 24 ? 0 : index;
}

static uint32_t loopback_index( void ) { return if_nametoindex( "lo" ); }

/* Where Windows takes its default interface and no route of the host names one. */
static uint32_t default_index( void )
{
    struct adapter adapter;

    return adapter_default( &adapter ) ? adapter.index : loopback_index();
}

/* What a membership's refusal is on Windows: joined already; no group's address. */
static int32_t membership_error( int error )
{
    return error == EADDRINUSE ? WSAEINVAL : error == EINVAL ? WSAEADDRNOTAVAIL : winsock_error( error );
}

/* Fills in the one that is 0 of an IPv4 address and the index of its interface; leaves it 0 when there is none. */
static void find_interface( uint32_t *address, uint32_t *index )
{
    struct ifaddrs *list;

    if ( getifaddrs( &list ) ) return;
    for ( struct ifaddrs *next = list; next; next = next->ifa_next )
    {
        uint32_t its_address, its_index;

        if ( !next->ifa_addr || next->ifa_addr->sa_family != AF_INET ) continue;
        its_address = ( (struct sockaddr_in *)next->ifa_addr )->sin_addr.s_addr;
        its_index = if_nametoindex( next->ifa_name );
        if ( ( *address && *address != its_address ) || ( *index && *index != its_index ) ) continue;
        *address = its_address;
        *index = its_index;
        break;
    }
    freeifaddrs( list );
}

/* The kernel tells of the interface only the address to send from, so one that was given by its index is looked up. */
OPTION_GETTER( multicast_get_interface )
{
    struct in_addr address = { 0 };
    socklen_t size = sizeof( address );
    uint32_t index = 0;

    (void)option;
    if ( getsockopt( descriptor->fd, IPPROTO_IP, IP_MULTICAST_IF, &address, &size ) ) return winsock_error( errno );
    value->number = address.s_addr;
    if ( option_bit( descriptor->slot, BIT_MULTICAST_IF ) && address.s_addr )
    {
        find_interface( &address.s_addr, &index );
        value->number = htonl( index );
    }
    return 0;
}

OPTION_SETTER( multicast_set_interface )
{
    struct ip_mreqn request = { 0 };
    uint32_t index;

    (void)option;
    name_interface( value->number, &request );
    if ( ( index = request.imr_ifindex ) ) find_interface( &request.imr_address.s_addr, &index );
    if ( setsockopt( descriptor->fd, IPPROTO_IP, IP_MULTICAST_IF, &request, sizeof( request ) ) )
        return winsock_error( errno );
    option_set_bit( descriptor->slot, BIT_MULTICAST_IF, request.imr_ifindex != 0 );
    return 0;
}

OPTION_SETTER( multicast_membership )
{
    struct ip_mreqn request = { 0 };
    union host_address group = { 0 };
    const int name = option->where & 0xffff;
    uint32_t interface;

    memcpy( &request.imr_multiaddr, value->bytes, 4 );
    memcpy( &interface, value->bytes + 4, 4 );
    name_interface( interface, &request );
    group.in = ( struct sockaddr_in ){ .sin_family = AF_INET, .sin_addr = request.imr_multiaddr };
    if ( !helpers_membership( descriptor, IPPROTO_IP, name, &request, sizeof( request ), &group ) ) return 0;
    if ( errno != ENODEV || interface ) return membership_error( errno );
    request.imr_ifindex = default_index();
    return helpers_membership( descriptor, IPPROTO_IP, name, &request, sizeof( request ), &group )
               ? membership_error( errno )
               : 0;
}

OPTION_SETTER( multicast_membership6 )
{
    struct ipv6_mreq request;
    union host_address group = { 0 };
    const int name = option->where & 0xffff;

    memcpy( &request, value->bytes, sizeof( request ) );
    group.in6 = ( struct sockaddr_in6 ){ .sin6_family = AF_INET6, .sin6_addr = request.ipv6mr_multiaddr };
    if ( !helpers_membership( descriptor, IPPROTO_IPV6, name, &request, sizeof( request ), &group ) ) return 0;
    if ( errno != ENODEV || request.ipv6mr_interface ) return membership_error( errno );
    request.ipv6mr_interface = default_index();
    return helpers_membership( descriptor, IPPROTO_IPV6, name, &request, sizeof( request ), &group )
               ? membership_error( errno )
               : 0;
}

static void put_address( struct sockaddr_storage *target, const unsigned char *address )
{
    struct sockaddr_in in = { .sin_family = AF_INET };

    memcpy( &in.sin_addr, address, 4 );
    memcpy( target, &in, sizeof( in ) );
}

/* The form that takes an interface index, for a request of the form that takes an address. */
static int source_by_index( struct descriptor *d, uint32_t host_option, const unsigned char *bytes, uint32_t index,
                            const union host_address *group )
{
    struct group_source_req request = { .gsr_interface = index };
    int name = host_option == IP_ADD_SOURCE_MEMBERSHIP    ? MCAST_JOIN_SOURCE_GROUP
               : host_option == IP_DROP_SOURCE_MEMBERSHIP ? MCAST_LEAVE_SOURCE_GROUP
               : host_option == IP_BLOCK_SOURCE           ? MCAST_BLOCK_SOURCE
                                                          : MCAST_UNBLOCK_SOURCE;

    put_address( &request.gsr_group, bytes );
    put_address( &request.gsr_source, bytes + 4 );
    return helpers_membership( d, IPPROTO_IP, name, &request, sizeof( request ), group );
}

/* Windows: group, source, interface. The host: group, interface, source. */
OPTION_SETTER( multicast_source )
{
    struct ip_mreq_source request;
    union host_address group = { .in.sin_family = AF_INET };
    uint32_t name = option->where & 0xffff;
    int result;

    memcpy( &request.imr_multiaddr, value->bytes, 4 );
    memcpy( &request.imr_sourceaddr, value->bytes + 4, 4 );
    memcpy( &request.imr_interface, value->bytes + 8, 4 );
    group.in.sin_addr = request.imr_multiaddr;
    if ( request.imr_interface.s_addr && !( ntohl( request.imr_interface.s_addr ) >> 24 ) )
        result = source_by_index( descriptor, name, value->bytes, ntohl( request.imr_interface.s_addr ), &group );
    else
    {
        result = helpers_membership( descriptor, IPPROTO_IP, name, &request, sizeof( request ), &group );
        if ( result && errno == ENODEV && !request.imr_interface.s_addr )
            result = source_by_index( descriptor, name, value->bytes, default_index(), &group );
    }
    return result ? membership_error( errno ) : 0;
}

/* GROUP_REQ and GROUP_SOURCE_REQ: the interface and addresses from offset 8 on, as 64-bit hosts have them too; with
 * Windows' address families. */
#define ADDRESS_SIZE 128

static int32_t group_family( struct sockaddr_storage *address )
{
    if ( address->ss_family == WS_AF_INET6 ) address->ss_family = AF_INET6;
    else if ( address->ss_family != WS_AF_INET ) return WSAEAFNOSUPPORT;
    return 0;
}

static int32_t set_group( struct descriptor *d, uint32_t where, void *request, socklen_t size )
{
    uint32_t *interface = request;
    union host_address group = { 0 };

    memcpy( &group, (char *)request + offsetof( struct group_req, gr_group ), sizeof( group.in6 ) );
    if ( !helpers_membership( d, where >> 16, where & 0xffff, request, size, &group ) ) return 0;
    if ( errno != ENODEV || *interface ) return membership_error( errno );
    *interface = default_index();
    return helpers_membership( d, where >> 16, where & 0xffff, request, size, &group ) ? membership_error( errno ) : 0;
}

OPTION_SETTER( multicast_group )
{
    struct group_req request;
    int32_t error;

    memcpy( &request.gr_interface, value->bytes, 4 );
    memcpy( &request.gr_group, value->bytes + 8, ADDRESS_SIZE );
    if ( ( error = group_family( &request.gr_group ) ) ) return error;
    return set_group( descriptor, option->where, &request, sizeof( request ) );
}

OPTION_SETTER( multicast_group_source )
{
    struct group_source_req request;
    int32_t error;

    memcpy( &request.gsr_interface, value->bytes, 4 );
    memcpy( &request.gsr_group, value->bytes + 8, ADDRESS_SIZE );
    memcpy( &request.gsr_source, value->bytes + 8 + ADDRESS_SIZE, ADDRESS_SIZE );
    if ( ( error = group_family( &request.gsr_group ) ) || ( error = group_family( &request.gsr_source ) ) )
        return error;
    return set_group( descriptor, option->where, &request, sizeof( request ) );
}

_Static_assert( sizeof( struct sockaddr_storage ) == ADDRESS_SIZE, "Windows' size" );

/* --- IP_MULTICAST_LOOP: a socket for which it is off hears no group's datagram that comes from this computer */

static void be_deaf_socket( int fd, int deaf )
{
    const uint32_t loopback = loopback_index();
    struct sock_filter code[] = {
        /* which version: the address that it was sent to decides, at its place there */
        { BPF_LD | BPF_B | BPF_ABS, 0, 0, (uint32_t)SKF_NET_OFF },
        { BPF_ALU | BPF_RSH | BPF_K, 0, 0, 4 },
        { BPF_JMP | BPF_JEQ | BPF_K, 3, 0, 6 },
        { BPF_LD | BPF_B | BPF_ABS, 0, 0, (uint32_t)SKF_NET_OFF + 16 },
        { BPF_ALU | BPF_AND | BPF_K, 0, 0, 0xf0 },
        { BPF_JMP | BPF_JEQ | BPF_K, 2, 7, 0xe0 },
        { BPF_LD | BPF_B | BPF_ABS, 0, 0, (uint32_t)SKF_NET_OFF + 24 },
        { BPF_JMP | BPF_JEQ | BPF_K, 0, 5, 0xff },
        /* of a group: it comes from here if it came by the loopback interface, or was looped back on its way out */
        { BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)( SKF_AD_OFF + SKF_AD_IFINDEX ) },
        { BPF_JMP | BPF_JEQ | BPF_K, 2, 0, loopback },
        { BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)( SKF_AD_OFF + SKF_AD_PKTTYPE ) },
        { BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 5 /* PACKET_LOOPBACK */ },
        { BPF_RET | BPF_K, 0, 0, 0 },
        { BPF_RET | BPF_K, 0, 0, UINT32_MAX },
    };
    const struct sock_fprog program = { sizeof( code ) / sizeof( code[0] ), code };
    const int unused = 0;

    if ( deaf ) setsockopt( fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof( program ) );
    else setsockopt( fd, SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof( unused ) );
}

static void be_deaf( const struct descriptor *d, int deaf )
{
    const struct socket_set *set = socket_set_of( d );

    be_deaf_socket( d->fd, deaf );
    for ( uint32_t i = 0; set && i < atomic_load( &set->count ); i++ ) be_deaf_socket( set->helpers[i], deaf );
}

static void be_deaf_helper( struct descriptor *d, int fd )
{
    (void)d;
    be_deaf_socket( fd, 1 );
}

void multicast_init( void ) { upcalls.be_deaf = be_deaf_helper; }

OPTION_GETTER( multicast_get_loop )
{
    (void)option;
    value->number = !option_bit( descriptor->slot, BIT_MULTICAST_DEAF );
    return 0;
}

OPTION_SETTER( multicast_set_loop )
{
    (void)option;
    if ( option_set_bit( descriptor->slot, BIT_MULTICAST_DEAF, !value->number ) != !value->number )
        be_deaf( descriptor, !value->number );
    return 0;
}
