/* The computer's adapters: see subnets.h. */
#include <ifaddrs.h>
#include <net/if.h>
#include <string.h>
#include "sockets/subnets.h"

/* The first address of the list for which `wanted` says yes, as an adapter. */
static int find( int ( *wanted )( const struct adapter *, struct in_addr ), struct in_addr address,
                 struct adapter *adapter )
{
    struct ifaddrs *list;
    int found = 0;

    if ( getifaddrs( &list ) ) return 0;
    for ( struct ifaddrs *next = list; next && !found; next = next->ifa_next )
    {
        const unsigned int up = IFF_UP | IFF_BROADCAST;

        if ( !next->ifa_addr || next->ifa_addr->sa_family != AF_INET || !( next->ifa_flags & IFF_UP ) ) continue;
        *adapter = ( struct adapter ){ .address = ( (struct sockaddr_in *)next->ifa_addr )->sin_addr,
                                       .loopback = ( next->ifa_flags & IFF_LOOPBACK ) != 0 };
        if ( ( next->ifa_flags & up ) == up && next->ifa_netmask )
        {
            const uint32_t mask = ( (struct sockaddr_in *)next->ifa_netmask )->sin_addr.s_addr;

            /* a subnet of two addresses, or of one, has none */
            if ( ntohl( ~mask ) > 1 ) adapter->broadcast.s_addr = adapter->address.s_addr | ~mask;
        }
        found = wanted( adapter, address );
        if ( found ) adapter->index = if_nametoindex( next->ifa_name );
    }
    freeifaddrs( list );
    return found;
}

static int has_address( const struct adapter *adapter, struct in_addr address )
{
    return adapter->address.s_addr == address.s_addr;
}

static int has_broadcast( const struct adapter *adapter, struct in_addr address )
{
    return adapter->broadcast.s_addr && adapter->broadcast.s_addr == address.s_addr;
}

static int is_no_loopback( const struct adapter *adapter, struct in_addr address )
{
    (void)address;
    return !adapter->loopback;
}

int subnet_of( struct in_addr address, struct adapter *adapter ) { return find( has_address, address, adapter ); }

static int is_any( const struct adapter *adapter, struct in_addr address )
{
    (void)adapter, (void)address;
    return 1;
}

int adapter_default( struct adapter *adapter )
{
    const struct in_addr none = { 0 };

    return find( is_no_loopback, none, adapter ) || find( is_any, none, adapter );
}

uint32_t subnet_index( const union host_address *address )
{
    struct ifaddrs *list;
    uint32_t index = 0;

    if ( getifaddrs( &list ) ) return 0;
    for ( struct ifaddrs *next = list; next && !index; next = next->ifa_next )
    {
        const union host_address *own = (const union host_address *)next->ifa_addr;

        if ( !own || own->any.sa_family != address->any.sa_family ) continue;
        if ( own->any.sa_family == AF_INET ? own->in.sin_addr.s_addr == address->in.sin_addr.s_addr
             : own->any.sa_family == AF_INET6
                 ? IN6_ARE_ADDR_EQUAL( &own->in6.sin6_addr, &address->in6.sin6_addr ) &&
                       ( !address->in6.sin6_scope_id || own->in6.sin6_scope_id == address->in6.sin6_scope_id )
                 : 0 )
            index = if_nametoindex( next->ifa_name );
    }
    freeifaddrs( list );
    return index;
}

/* As far as the mask goes. */
static int same_network( const unsigned char *a, const unsigned char *b, const unsigned char *mask, size_t size )
{
    for ( size_t i = 0; i < size; i++ )
        if ( ( a[i] ^ b[i] ) & mask[i] ) return 0;
    return 1;
}

int subnet_reaches( const union host_address *address )
{
    struct ifaddrs *list;
    int found = 0;

    if ( getifaddrs( &list ) ) return 0;
    for ( struct ifaddrs *next = list; next && !found; next = next->ifa_next )
    {
        const union host_address *own = (const union host_address *)next->ifa_addr;
        const union host_address *mask = (const union host_address *)next->ifa_netmask;

        if ( !own || !mask || own->any.sa_family != address->any.sa_family ||
             ( next->ifa_flags & ( IFF_UP | IFF_LOOPBACK ) ) != IFF_UP )
            continue;
        if ( own->any.sa_family == AF_INET )
            found =
                same_network( (const unsigned char *)&own->in.sin_addr, (const unsigned char *)&address->in.sin_addr,
                              (const unsigned char *)&mask->in.sin_addr, 4 );
        else if ( own->any.sa_family == AF_INET6 )
            found = same_network( own->in6.sin6_addr.s6_addr, address->in6.sin6_addr.s6_addr,
                                  mask->in6.sin6_addr.s6_addr, 16 );
    }
    freeifaddrs( list );
    return found;
}

int adapter_is_group( const union host_address *address )
{
    if ( address->any.sa_family == AF_INET ) return IN_MULTICAST( ntohl( address->in.sin_addr.s_addr ) );
    return address->any.sa_family == AF_INET6 && IN6_IS_ADDR_MULTICAST( &address->in6.sin6_addr );
}

int adapter_is_broadcast( const union host_address *address )
{
    struct adapter adapter;

    if ( address->any.sa_family != AF_INET ) return 0;
    return address->in.sin_addr.s_addr == INADDR_BROADCAST || find( has_broadcast, address->in.sin_addr, &adapter );
}
