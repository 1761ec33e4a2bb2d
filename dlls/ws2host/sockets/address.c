/* Socket addresses: Windows numbers AF_INET6 differently and keeps the rest as the host has it. */
#include <string.h>
#include "sockets/socket.h"

uint32_t address_size( uint32_t family )
{
    switch ( family )
    {
    case WS_AF_INET: return 16;
    case WS_AF_INET6: return 28;
    case WS_AF_UNIX: return 110;
    default: return 0;
    }
}

int32_t address_read( uint32_t family, uint64_t pointer, uint32_t size, union host_address *address,
                      socklen_t *host_size )
{
    const void *user = (const void *)(uintptr_t)pointer;
    uint32_t needed = address_size( family );
    uint16_t given;

    memset( address, 0, sizeof( *address ) );
    if ( !user || size < sizeof( given ) ) return WSAEFAULT;
    memcpy( &given, user, sizeof( given ) );
    if ( given != family )
    {
        if ( !address_size( given ) ) return WSAEAFNOSUPPORT;
        return size < address_size( given ) ? WSAEFAULT : WSAEAFNOSUPPORT;
    }
    if ( family != WS_AF_UNIX && size < needed ) return WSAEFAULT;
    if ( size > needed ) size = needed;
    memcpy( address, user, size );
    address->any.sa_family = family == WS_AF_INET6 ? AF_INET6 : given;
    *host_size = size;
    return 0;
}
