/*
 * The name services of the host: the C library's resolver and data bases. No state of their own, any thread.
 * Every pointer in the parameters is ws2_32's own memory, not the program's.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/unix_private.h"

#define HOSTENT_BUFFER 0x10000

NTSTATUS unix_hostname( void *args )
{
    struct ws2_hostname_params *params = args;
    char name[256];

    if ( gethostname( name, sizeof( name ) ) ) return params->error = WSAENETDOWN, 0;
    name[sizeof( name ) - 1] = 0;
    if ( strlen( name ) >= params->size ) return params->error = WSAEFAULT, 0;
    strcpy( (char *)(uintptr_t)params->name, name );
    params->error = 0;
    return 0;
}

static int32_t resolver_error( int error )
{
    switch ( error )
    {
    case 0: return 0;
    case EAI_AGAIN: return WSATRY_AGAIN;
    case EAI_FAIL: return WSANO_RECOVERY;
    case EAI_MEMORY: return WSA_NOT_ENOUGH_MEMORY;
    case EAI_FAMILY: return WSAEAFNOSUPPORT;
    case EAI_NODATA:
    case EAI_ADDRFAMILY: return WSANO_DATA;
    case EAI_NONAME: return WSAHOST_NOT_FOUND;
    default: return WSANO_RECOVERY;
    }
}

static int32_t hostent_error( int error )
{
    switch ( error )
    {
    case HOST_NOT_FOUND: return WSAHOST_NOT_FOUND;
    case TRY_AGAIN: return WSATRY_AGAIN;
    case NO_DATA: return WSANO_DATA;
    default: return WSANO_RECOVERY;
    }
}

static int host_family( uint32_t family )
{
    return family == WS2_FAMILY_INET ? AF_INET : family == WS2_FAMILY_INET6 ? AF_INET6 : AF_UNSPEC;
}

/* Appends a string to a list of names that an empty string ends. */
static void add_name( char *names, uint32_t size, uint32_t *used, const char *name )
{
    size_t length = name ? strlen( name ) + 1 : 1;

    if ( length == 1 || *used + length + 1 > size ) return;
    memcpy( names + *used, name, length );
    *used += length;
    names[*used] = 0;
}

static void add_hostent_names( char *names, uint32_t size, const struct hostent *host )
{
    uint32_t used = 0;

    if ( size ) names[0] = 0;
    add_name( names, size, &used, host->h_name );
    for ( char **alias = host->h_aliases; alias && *alias; alias++ ) add_name( names, size, &used, *alias );
}

static void add_address( struct ws2_resolve_params *params, int family, const void *bytes, uint32_t scope )
{
    struct ws2_address *addresses = (struct ws2_address *)(uintptr_t)params->addresses;
    struct ws2_address address = { 0 };

    address.family = family == AF_INET ? WS2_FAMILY_INET : WS2_FAMILY_INET6;
    address.scope = scope;
    memcpy( address.bytes, bytes, family == AF_INET ? 4 : 16 );
    /* the C library may list an address twice, once for each of its sources */
    for ( uint32_t i = 0; i < params->count && i < params->capacity; i++ )
        if ( !memcmp( &addresses[i], &address, sizeof( address ) ) ) return;
    if ( params->count < params->capacity ) addresses[params->count] = address;
    params->count++;
}

/* Through gethostbyname2, which tells the aliases; one family only. */
static int32_t resolve_with_aliases( struct ws2_resolve_params *params )
{
    char *names = (char *)(uintptr_t)params->names, *buffer = malloc( HOSTENT_BUFFER );
    struct hostent host, *found = NULL;
    int32_t error = 0;
    int h_error = 0;

    if ( !buffer ) return WSA_NOT_ENOUGH_MEMORY;
    if ( gethostbyname2_r( (char *)(uintptr_t)params->name, host_family( params->family ), &host, buffer,
                           HOSTENT_BUFFER, &found, &h_error ) ||
         !found )
        error = hostent_error( h_error );
    else
    {
        add_hostent_names( names, params->names_size, found );
        for ( char **address = found->h_addr_list; *address; address++ )
            add_address( params, found->h_addrtype, *address, 0 );
    }
    free( buffer );
    return error;
}

static int32_t resolve_all( struct ws2_resolve_params *params )
{
    struct addrinfo hints = { .ai_flags = AI_CANONNAME,
                              .ai_family = host_family( params->family ),
                              .ai_socktype = SOCK_STREAM };
    char *names = (char *)(uintptr_t)params->names;
    struct addrinfo *list;
    uint32_t used = 0;
    int error;

    if ( ( error = getaddrinfo( (char *)(uintptr_t)params->name, NULL, &hints, &list ) ) )
        return resolver_error( error );
    if ( params->names_size ) names[0] = 0;
    add_name( names, params->names_size, &used, list->ai_canonname );
    for ( struct addrinfo *info = list; info; info = info->ai_next )
    {
        struct sockaddr_in *in = (struct sockaddr_in *)info->ai_addr;
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)info->ai_addr;

        if ( info->ai_family == AF_INET ) add_address( params, AF_INET, &in->sin_addr, 0 );
        if ( info->ai_family == AF_INET6 ) add_address( params, AF_INET6, &in6->sin6_addr, in6->sin6_scope_id );
    }
    freeaddrinfo( list );
    return 0;
}

NTSTATUS unix_resolve( void *args )
{
    struct ws2_resolve_params *params = args;

    params->count = 0;
    params->error = params->aliases ? resolve_with_aliases( params ) : resolve_all( params );
    if ( !params->error && params->count > params->capacity ) params->error = WSAENOBUFS;
    return 0;
}

NTSTATUS unix_reverse( void *args )
{
    struct ws2_reverse_params *params = args;
    struct hostent host, *found = NULL;
    char *buffer = malloc( HOSTENT_BUFFER );
    int h_error = 0;

    if ( !buffer ) return params->error = WSA_NOT_ENOUGH_MEMORY, 0;
    if ( gethostbyaddr_r( params->bytes, params->family == WS2_FAMILY_INET ? 4 : 16, host_family( params->family ),
                          &host, buffer, HOSTENT_BUFFER, &found, &h_error ) ||
         !found )
        params->error = hostent_error( h_error );
    else
    {
        add_hostent_names( (char *)(uintptr_t)params->names, params->names_size, found );
        params->error = 0;
    }
    free( buffer );
    return 0;
}
