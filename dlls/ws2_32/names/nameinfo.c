/* getnameinfo and GetNameInfoW: a socket address to the names of its host and service. No state; any thread. */
#include "base/ws2_32_private.h"
#include "names/ip_strings.h"
#include "names/loader_dlls.h"
#include "names/netdb.h"
#include "names/resolver.h"
#include "base/strings.h"

static int read_address( const void *user, int length, struct ws2_address *address, USHORT *port )
{
    struct sockaddr_in6 in6 = { 0 };
    struct sockaddr_in in;
    USHORT family;
    int error;

    if ( !user || length < (int)sizeof( family ) ) return WSAEFAULT;
    if ( ( error = ws2_read( &family, user, sizeof( family ) ) ) ) return error;
    memset( address, 0, sizeof( *address ) );
    address->family = family;
    if ( family == AF_INET )
    {
        if ( length < (int)sizeof( in ) ) return WSAEFAULT;
        if ( ( error = ws2_read( &in, user, sizeof( in ) ) ) ) return error;
        memcpy( address->bytes, &in.sin_addr, sizeof( in.sin_addr ) );
        *port = in.sin_port;
        return 0;
    }
    if ( family != AF_INET6 ) return WSAEAFNOSUPPORT;
    if ( length < (int)sizeof( in6 ) ) return WSAEFAULT;
    if ( ( error = ws2_read( &in6, user, sizeof( in6 ) ) ) ) return error;
    memcpy( address->bytes, &in6.sin6_addr, sizeof( in6.sin6_addr ) );
    address->scope = in6.sin6_scope_id;
    *port = in6.sin6_port;
    return 0;
}

static int host_name( const struct ws2_address *address, int flags, WCHAR **name )
{
    WCHAR text[INET6_ADDRSTRLEN + 20], *dot;
    ULONG length = ARRAYSIZE( text );
    char *names;
    int error;

    if ( !( flags & NI_NUMERICHOST ) )
    {
        if ( !( error = resolver_reverse( address, &names ) ) )
        {
            *name = string_wide( CP_UTF8, names );
            free( names );
            if ( *name && flags & NI_NOFQDN && ( dot = wcschr( *name, '.' ) ) ) *dot = 0;
            return *name ? 0 : WSA_NOT_ENOUGH_MEMORY;
        }
        if ( flags & NI_NAMEREQD ) return error == WSANO_DATA ? WSAHOST_NOT_FOUND : error;
    }
    if ( address->family == AF_INET ) RtlIpv4AddressToStringW( (const IN_ADDR *)address->bytes, text );
    else RtlIpv6AddressToStringExW( (const IN6_ADDR *)address->bytes, address->scope, 0, text, &length );
    *name = _wcsdup( text );
    return *name ? 0 : WSA_NOT_ENOUGH_MEMORY;
}

static int service_name( USHORT port, int flags, WCHAR **name )
{
    struct netdb_entry entry;
    WCHAR number[8];

    if ( !( flags & NI_NUMERICSERV ) &&
         netdb_service_by_port( ntohs( port ), flags & NI_DGRAM ? "udp" : "tcp", &entry ) )
        *name = string_wide( CP_UTF8, entry.name );
    else
    {
        _snwprintf( number, ARRAYSIZE( number ), L"%u", ntohs( port ) );
        *name = _wcsdup( number );
    }
    return *name ? 0 : WSA_NOT_ENOUGH_MEMORY;
}

/* Puts a name where the program wants it; size in characters. */
static int nameinfo_give( const WCHAR *name, void *buffer, DWORD size, BOOL wide )
{
    char *narrow = wide ? NULL : string_narrow( CP_ACP, name );
    size_t length;
    int error;

    if ( !wide && !narrow ) return WSA_NOT_ENOUGH_MEMORY;
    length = wide ? wcslen( name ) + 1 : strlen( narrow ) + 1;
    if ( length > size ) error = WSAEFAULT;
    else error = ws2_write( buffer, wide ? (const void *)name : narrow, wide ? length * sizeof( WCHAR ) : length );
    free( narrow );
    return error;
}

static int nameinfo_get( const void *sockaddr, int length, void *host, DWORD host_size, void *service,
                         DWORD service_size, int flags, BOOL wide )
{
    BOOL want_host = host && host_size, want_service = service && service_size;
    WCHAR *host_text = NULL, *service_text = NULL;
    struct ws2_address address;
    USHORT port = 0;
    int error;

    if ( ( error = read_address( sockaddr, length, &address, &port ) ) ) return error;
    if ( !want_host && !want_service ) return WSAHOST_NOT_FOUND;
    if ( want_host ) error = host_name( &address, flags, &host_text );
    if ( !error && want_service ) error = service_name( port, flags, &service_text );
    if ( !error && want_host ) error = nameinfo_give( host_text, host, host_size, wide );
    if ( !error && want_service ) error = nameinfo_give( service_text, service, service_size, wide );
    free( host_text );
    free( service_text );
    return error;
}

/***********************************************************************
 *      getnameinfo   (WS2_32.@)
 */
int WINAPI getnameinfo( const SOCKADDR *address, socklen_t length, char *host, DWORD host_size, char *service,
                        DWORD service_size, int flags )
{
    int error = names_started() ? nameinfo_get( address, length, host, host_size, service, service_size, flags, FALSE )
                                : WSANOTINITIALISED;

    return WS2_RESULT( error, error, "address=%p length=%d flags=%#x", address, length, flags );
}

/***********************************************************************
 *      GetNameInfoW   (WS2_32.@)
 */
int WINAPI GetNameInfoW( const SOCKADDR *address, socklen_t length, WCHAR *host, DWORD host_size, WCHAR *service,
                         DWORD service_size, int flags )
{
    int error = names_started() ? nameinfo_get( address, length, host, host_size, service, service_size, flags, TRUE )
                                : WSANOTINITIALISED;

    return WS2_RESULT( error, error, "address=%p length=%d flags=%#x", address, length, flags );
}
