/*
 * Addresses that may be of AF_UNIX, whose names local.c translates.
 *
 * Of a connected socket the host knows the name that its peer was bound to; Windows tells the one that the program has
 * connected by, which may be another spelling of it. That stands in the host socket itself, so that every descriptor in every
 * process finds it and nobody has to clean up: as a filter that lets everything pass, behind instructions whose operands are
 * the name. No filter of a stream of AF_UNIX is ever run.
 */
#include <linux/filter.h>
#include <string.h>
#include "sockets/local.h"
#include "sockets/socket.h"

int32_t address_read_peer( uint32_t family, uint64_t pointer, uint32_t size, union host_address *address,
                           socklen_t *host_size, struct given_name *given )
{
    struct ws2_local_address local;
    char known[sizeof( given->path )];
    int32_t error;

    given->path[0] = 0;
    if ( family != WS_AF_UNIX ) return address_read( family, pointer, size, address, host_size );
    if ( ( error = local_read( pointer, size, &local ) ) || ( error = local_peer( &local, address, host_size ) ) )
        return error;
    if ( *host_size == LOCAL_NOBODY ) return 0;
    local_name( &address->un, *host_size, known );
    if ( memcmp( known, local.given, sizeof( known ) ) ) memcpy( given->path, local.given, sizeof( known ) );
    return 0;
}

#define NAME_WORDS ( sizeof( struct given_name ) / sizeof( uint32_t ) )
_Static_assert( !( sizeof( struct given_name ) % sizeof( uint32_t ) ), "an operand has four bytes of the name" );

void given_name_keep( int fd, const struct given_name *given )
{
    struct sock_filter code[NAME_WORDS + 1];
    const struct sock_fprog program = { NAME_WORDS + 1, code };

    if ( !given->path[0] ) return;
    for ( unsigned int i = 0; i < NAME_WORDS; i++ )
    {
        code[i] = ( struct sock_filter ){ .code = BPF_LD | BPF_IMM };
        memcpy( &code[i].k, given->path + i * sizeof( code[i].k ), sizeof( code[i].k ) );
    }
    code[NAME_WORDS] = ( struct sock_filter ){ .code = BPF_RET | BPF_K, .k = UINT32_MAX };
    setsockopt( fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof( program ) );
}

void given_name_of( int fd, struct given_name *given )
{
    struct sock_filter code[NAME_WORDS + 1];
    socklen_t count = NAME_WORDS + 1; /* of instructions; of none there is no filter */

    memset( given, 0, sizeof( *given ) );
    if ( getsockopt( fd, SOL_SOCKET, SO_GET_FILTER, code, &count ) || count != NAME_WORDS + 1 ) return;
    for ( unsigned int i = 0; i < NAME_WORDS; i++ )
        memcpy( given->path + i * sizeof( code[i].k ), &code[i].k, sizeof( code[i].k ) );
    given->path[sizeof( given->path ) - 1] = 0;
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

int32_t address_write_peer( const union host_address *address, socklen_t host_size, const struct given_name *given,
                            uint64_t pointer, uint64_t size_pointer )
{
    uint8_t windows[sizeof( *address )];
    int32_t size;

    if ( !pointer || !size_pointer ) return 0;
    size = address_to_windows( address, host_size, windows );
    if ( given->path[0] ) memcpy( windows + sizeof( uint16_t ), given->path, sizeof( given->path ) );
    return address_give( windows, size, pointer, size_pointer );
}

int32_t address_write( const union host_address *address, socklen_t host_size, uint64_t pointer, uint64_t size_pointer )
{
    static const struct given_name none;

    return address_write_peer( address, host_size, &none, pointer, size_pointer );
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
