/* The host's network interfaces as Winsock's ioctls show them. Asked anew each time; no state. */
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>
#include "names/adapters.h"
#include "options/ioctl.h"

/* The address from which a destination is reached: what a datagram socket connected to it is bound to. */
int32_t ioctl_routing_interface( struct descriptor *d, struct ioctl_request *request )
{
    union host_address address = { 0 };
    socklen_t size = address_size( d->slot->family );
    uint16_t family;
    int32_t error = 0;
    int any, fd;

    if ( d->slot->family != WS_AF_INET && d->slot->family != WS_AF_INET6 ) return WSAEOPNOTSUPP;
    if ( request->in_size < size ) return WSAEINVAL;
    memcpy( &family, request->in, sizeof( family ) );
    if ( family != d->slot->family ) return WSAEAFNOSUPPORT;
    memcpy( &address, request->in, size );
    address.any.sa_family = family == WS_AF_INET6 ? AF_INET6 : AF_INET;
    any = family == WS_AF_INET6 ? IN6_IS_ADDR_UNSPECIFIED( &address.in6.sin6_addr ) : !address.in.sin_addr.s_addr;
    if ( any ) return WSAEINVAL;
    if ( !request->out_address ) return WSAEFAULT;
    request->count = size;
    if ( request->out_size < size )
    {
        request->store_count = 1; /* the size that it takes */
        return WSAEFAULT;
    }
    if ( !address.in.sin_port ) address.in.sin_port = htons( 9 ); /* sin6_port lies at the same place */

    if ( ( fd = socket( address.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0 ) ) < 0 ) return winsock_error( errno );
    setsockopt( fd, SOL_SOCKET, SO_BROADCAST, &( int ){ 1 }, sizeof( int ) );
    if ( connect( fd, &address.any, size ) || getsockname( fd, &address.any, &size ) ) error = winsock_error( errno );
    close( fd );
    address.any.sa_family = family;
    address.in.sin_port = 0;
    memcpy( request->out, &address, request->count );
    return error;
}

static int is_listed( const struct ifaddrs *interface, int family )
{
    return interface->ifa_addr && interface->ifa_addr->sa_family == family && interface->ifa_flags & IFF_UP &&
           !( interface->ifa_flags & IFF_LOOPBACK );
}

/* SOCKET_ADDRESS_LIST: INT iAddressCount, then { LPSOCKADDR, INT }[], then the addresses that these point to. */
int32_t ioctl_address_list( struct descriptor *d, struct ioctl_request *request )
{
    int family = d->slot->family == WS_AF_INET6 ? AF_INET6 : AF_INET;
    uint32_t size = address_size( family == AF_INET6 ? WS_AF_INET6 : WS_AF_INET );
    uint32_t width = request->width, header = width, entry = 2 * width, count = 0, i = 0;
    int turn = 0;
    struct ifaddrs *list, *next;

    if ( getifaddrs( &list ) ) return winsock_error( errno );
    for ( next = list; next; next = next->ifa_next ) count += is_listed( next, family );
    if ( header + count * ( entry + size ) > IOCTL_OUT_BYTES ) count = ( IOCTL_OUT_BYTES - header ) / ( entry + size );

    request->count = header + count * ( entry + size );
    if ( request->out_size < request->count )
    {
        freeifaddrs( list );
        request->store_count = 1;
        if ( !request->out_size || request->out_size >= header ) return WSAEFAULT;
        request->count = 0;
        return WSAEINVAL;
    }
    memset( request->out, 0, request->count );
    memcpy( request->out, &count, 4 );
    /* those of a default route come first */
    for ( next = list; i < count && turn < 2; next = next->ifa_next ? next->ifa_next : ( turn++, list ) )
    {
        uint32_t offset = header + count * entry + i * size;
        uint64_t pointer = request->out_address + offset;
        uint16_t windows_family = d->slot->family;

        if ( !is_listed( next, family ) || interface_carries_default_route( next->ifa_name, family ) == turn ) continue;
        memcpy( request->out + header + i * entry, &pointer, width );
        memcpy( request->out + header + i * entry + width, &size, 4 );
        memcpy( request->out + offset, next->ifa_addr, size );
        memcpy( request->out + offset, &windows_family, 2 );
        i++;
    }
    memcpy( request->out, &i, 4 ); /* routes may have changed meanwhile */
    freeifaddrs( list );
    return 0;
}

/* INTERFACE_INFO: flags, then address, broadcast address and netmask, each in a sockaddr_gen of 24 bytes. */
struct interface_info
{
    uint32_t flags;
    uint8_t address[24];
    uint8_t broadcast[24];
    uint8_t netmask[24];
};
_Static_assert( sizeof( struct interface_info ) == 76, "Windows' size" );

static void put_address( uint8_t *target, const struct sockaddr *address )
{
    struct sockaddr_in in = { .sin_family = WS_AF_INET };

    if ( address ) in.sin_addr = ( (const struct sockaddr_in *)address )->sin_addr;
    memcpy( target, &in, sizeof( in ) );
}

int32_t ioctl_interface_list( struct descriptor *d, struct ioctl_request *request )
{
    static const struct
    {
        unsigned int host;
        uint32_t windows;
    } flags[] = {
        { IFF_UP, 1 }, { IFF_BROADCAST, 2 }, { IFF_LOOPBACK, 4 }, { IFF_POINTOPOINT, 8 }, { IFF_MULTICAST, 16 }
    };
    struct sockaddr_in all = { .sin_family = AF_INET, .sin_addr.s_addr = INADDR_BROADCAST };
    struct ifaddrs *list;

    (void)d;
    if ( getifaddrs( &list ) ) return winsock_error( errno );
    for ( struct ifaddrs *next = list; next; next = next->ifa_next )
    {
        struct interface_info info = { 0 };

        if ( !next->ifa_addr || next->ifa_addr->sa_family != AF_INET ) continue;
        if ( request->count + sizeof( info ) > request->out_size || request->count + sizeof( info ) > IOCTL_OUT_BYTES )
        {
            freeifaddrs( list );
            request->count = 0;
            return WSAEFAULT;
        }
        for ( unsigned int i = 0; i < sizeof( flags ) / sizeof( flags[0] ); i++ )
            if ( next->ifa_flags & flags[i].host ) info.flags |= flags[i].windows;
        put_address( info.address, next->ifa_addr );
        put_address( info.netmask, next->ifa_netmask );
        if ( next->ifa_flags & IFF_BROADCAST ) put_address( info.broadcast, (struct sockaddr *)&all );
        memcpy( request->out + request->count, &info, sizeof( info ) );
        request->count += sizeof( info );
    }
    freeifaddrs( list );
    return 0;
}
