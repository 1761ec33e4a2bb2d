/* Socket addresses: Windows numbers AF_INET6 differently and keeps the rest as the host has it. */
#include <string.h>
#include "sockets/local.h"
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

int32_t address_read_peer( uint32_t family, uint64_t pointer, uint32_t size, union host_address *address,
                           socklen_t *host_size )
{
    struct ws2_local_address local;
    int32_t error;

    if ( family != WS_AF_UNIX ) return address_read( family, pointer, size, address, host_size );
    if ( ( error = local_read( pointer, size, &local ) ) ) return error;
    return local_peer( &local, address, host_size );
}

uint32_t address_to_windows( const union host_address *address, socklen_t host_size, void *windows )
{
    const uint16_t family = address->any.sa_family == AF_INET6 ? WS_AF_INET6 : address->any.sa_family;

    if ( family == WS_AF_UNIX )
    {
        local_name( &address->un, host_size, (char *)windows + sizeof( family ) );
        host_size = address_size( family );
    }
    else memcpy( windows, address, host_size );
    memcpy( windows, &family, sizeof( family ) );
    return host_size;
}

int32_t address_write( const union host_address *address, socklen_t host_size, uint64_t pointer, uint64_t size_pointer )
{
    int32_t *user_size = (int32_t *)(uintptr_t)size_pointer;
    uint8_t *user = (uint8_t *)(uintptr_t)pointer;
    uint8_t windows[sizeof( *address )];
    int32_t size;

    if ( !user || !user_size ) return 0;
    size = address_to_windows( address, host_size, windows );
    if ( *user_size < size ) return WSAEFAULT;
    memcpy( user, windows, size );
    *user_size = size;
    return 0;
}
