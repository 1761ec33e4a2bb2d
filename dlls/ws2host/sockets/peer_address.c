/* Addresses that may be of AF_UNIX, whose names local.c translates. */
#include <string.h>
#include "sockets/local.h"
#include "sockets/socket.h"

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

static int32_t address_give( const void *windows, int32_t size, uint64_t pointer, uint64_t size_pointer )
{
    int32_t *user_size = (int32_t *)(uintptr_t)size_pointer;

    if ( *user_size < size ) return WSAEFAULT;
    memcpy( (void *)(uintptr_t)pointer, windows, size );
    *user_size = size;
    return 0;
}

int32_t address_write( const union host_address *address, socklen_t host_size, uint64_t pointer, uint64_t size_pointer )
{
    uint8_t windows[sizeof( *address )];

    if ( !pointer || !size_pointer ) return 0;
    return address_give( windows, address_to_windows( address, host_size, windows ), pointer, size_pointer );
}

int32_t address_write_own( const union host_address *address, socklen_t host_size, uint64_t pointer,
                           uint64_t size_pointer )
{
    uint8_t windows[sizeof( *address )];
    const char *path = (const char *)windows + sizeof( uint16_t );
    int32_t size;

    if ( !pointer || !size_pointer ) return 0;
    size = address_to_windows( address, host_size, windows );
    if ( address->any.sa_family == AF_UNIX && *path ) size = sizeof( uint16_t ) + strlen( path ) + 1;
    return address_give( windows, size, pointer, size_pointer );
}
