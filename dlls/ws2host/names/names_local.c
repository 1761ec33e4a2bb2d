/*
 * What the host says of itself: the addresses of its adapters, and its data base of services. No state of
 * their own, any thread. Every pointer in the parameters is ws2_32's own memory, not the program's.
 */
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/unix_private.h"
#include "names/adapters.h"

NTSTATUS unix_etc_file( void *args )
{
    static const char *const paths[] = { [WS2_ETC_SERVICES] = "/etc/services" };
    struct ws2_etc_file_params *params = args;
    struct stat st;
    ssize_t got;
    int fd;

    params->error = WSANO_DATA;
    if ( params->file >= sizeof( paths ) / sizeof( paths[0] ) ) return 0;
    if ( ( fd = open( paths[params->file], O_RDONLY | O_CLOEXEC ) ) < 0 ) return 0;
    if ( !fstat( fd, &st ) && S_ISREG( st.st_mode ) )
    {
        params->length = st.st_size;
        params->error = st.st_size > params->size ? WSAENOBUFS : 0;
        if ( !params->error )
        {
            got = read( fd, (void *)(uintptr_t)params->text, params->length );
            params->length = got > 0 ? got : 0;
        }
    }
    close( fd );
    return 0;
}

/* Destination and mask (or prefix length) of zero. */
int interface_carries_default_route( const char *interface, int family )
{
    FILE *file = fopen( family == AF_INET ? "/proc/net/route" : "/proc/net/ipv6_route", "re" );
    char line[512], name[64], destination[40];
    unsigned int mask;
    int found = 0;

    if ( !file ) return 0;
    while ( !found && fgets( line, sizeof( line ), file ) )
    {
        if ( family == AF_INET )
            found = sscanf( line, "%63s %39s %*s %*s %*s %*s %*s %x", name, destination, &mask ) == 3;
        else found = sscanf( line, "%39s %x %*s %*s %*s %*s %*s %*s %*s %63s", destination, &mask, name ) == 3;
        found = found && !strcmp( name, interface ) && strspn( destination, "0" ) == strlen( destination ) && !mask;
    }
    fclose( file );
    return found;
}

static int adapter_describe( const struct ifaddrs *interface, struct ws2_address *address )
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)interface->ifa_addr;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)interface->ifa_addr;

    memset( address, 0, sizeof( *address ) );
    if ( !interface->ifa_addr || !( interface->ifa_flags & IFF_UP ) ) return 0;
    if ( interface->ifa_addr->sa_family == AF_INET )
    {
        address->family = WS2_FAMILY_INET;
        memcpy( address->bytes, &in->sin_addr, 4 );
    }
    else if ( interface->ifa_addr->sa_family == AF_INET6 )
    {
        address->family = WS2_FAMILY_INET6;
        address->scope = in6->sin6_scope_id;
        memcpy( address->bytes, &in6->sin6_addr, 16 );
        if ( IN6_IS_ADDR_LINKLOCAL( &in6->sin6_addr ) ) address->flags |= WS2_ADDRESS_LINK_LOCAL;
    }
    else return 0;
    address->adapter = if_nametoindex( interface->ifa_name );
    if ( interface->ifa_flags & IFF_LOOPBACK ) address->flags |= WS2_ADDRESS_LOOPBACK;
    else if ( interface_carries_default_route( interface->ifa_name, interface->ifa_addr->sa_family ) )
        address->flags |= WS2_ADDRESS_DEFAULT_ROUTE;
    return 1;
}

NTSTATUS unix_interfaces( void *args )
{
    struct ws2_interfaces_params *params = args;
    struct ws2_address *addresses = (struct ws2_address *)(uintptr_t)params->addresses, address;
    struct ifaddrs *list;

    params->count = 0;
    if ( getifaddrs( &list ) ) return params->error = WSAENETDOWN, 0;
    for ( struct ifaddrs *interface = list; interface; interface = interface->ifa_next )
    {
        if ( !adapter_describe( interface, &address ) ) continue;
        if ( params->count < params->capacity ) addresses[params->count] = address;
        params->count++;
    }
    freeifaddrs( list );
    params->error = params->count > params->capacity ? WSAENOBUFS : 0;
    return 0;
}
