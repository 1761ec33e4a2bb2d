/* Socket addresses as text, port and scope included: WSAAddressToString and WSAStringToAddress. No state. */
#include "base/ws2_32_private.h"
#include "names/ip_strings.h"
#include "names/ip_text.h"
#include "names/loader_dlls.h"
#include "base/strings.h"

#define TEXT_SIZE ( INET6_ADDRSTRLEN + 20 )

/* The text of a socket address of the program's, NUL included in *length. */
static int format_sockaddr( const void *user, DWORD size, WCHAR *text, DWORD *length )
{
    struct sockaddr_in6 in6;
    struct sockaddr_in in;
    ULONG room = TEXT_SIZE;
    USHORT family;
    int error;

    if ( !user ) return WSAEFAULT;
    if ( size < sizeof( family ) ) return WSAEINVAL;
    if ( ( error = ws2_read( &family, user, sizeof( family ) ) ) ) return error;
    if ( family == AF_INET )
    {
        if ( size < sizeof( in ) ) return WSAEINVAL;
        if ( ( error = ws2_read( &in, user, sizeof( in ) ) ) ) return error;
        if ( RtlIpv4AddressToStringExW( &in.sin_addr, in.sin_port, text, &room ) ) return WSAEINVAL;
    }
    else if ( family == AF_INET6 )
    {
        if ( size < sizeof( in6 ) ) return WSAEINVAL;
        if ( ( error = ws2_read( &in6, user, sizeof( in6 ) ) ) ) return error;
        if ( RtlIpv6AddressToStringExW( &in6.sin6_addr, in6.sin6_scope_id, in6.sin6_port, text, &room ) )
            return WSAEINVAL;
    }
    else return WSAEINVAL;
    *length = wcslen( text ) + 1;
    return 0;
}

static int address_to_string( const void *address, DWORD size, void *buffer, DWORD *length, BOOL wide )
{
    DWORD room, needed = 0;
    WCHAR text[TEXT_SIZE];
    char narrow[TEXT_SIZE];
    int error, status;

    if ( ( error = ws2_read( &room, length, sizeof( room ) ) ) ) return error;
    if ( ( error = format_sockaddr( address, size, text, &needed ) ) ) return error;
    error = !buffer || room < needed ? WSAEFAULT : 0;
    for ( DWORD i = 0; i < needed; i++ ) narrow[i] = text[i];
    if ( !error ) error = ws2_write( buffer, wide ? (void *)text : narrow, wide ? needed * sizeof( WCHAR ) : needed );
    if ( ( status = ws2_write( length, &needed, sizeof( needed ) ) ) ) return status;
    return error;
}

/***********************************************************************
 *      WSAAddressToStringA   (WS2_32.@)
 */
INT WINAPI WSAAddressToStringA( LPSOCKADDR address, DWORD size, LPWSAPROTOCOL_INFOA info, LPSTR buffer, LPDWORD length )
{
    int error = names_started() ? address_to_string( address, size, buffer, length, FALSE ) : WSANOTINITIALISED;

    return WS2_RESULT_OF( error, "address=%p size=%lu info=%p", address, size, info );
}

/***********************************************************************
 *      WSAAddressToStringW   (WS2_32.@)
 */
INT WINAPI WSAAddressToStringW( LPSOCKADDR address, DWORD size, LPWSAPROTOCOL_INFOW info, LPWSTR buffer,
                                LPDWORD length )
{
    int error = names_started() ? address_to_string( address, size, buffer, length, TRUE ) : WSANOTINITIALISED;

    return WS2_RESULT_OF( error, "address=%p size=%lu info=%p", address, size, info );
}

/* Text that is no address leaves what was understood of it, in a structure without family. */
static int string_to_address( const WCHAR *text, int family, void *address, int *length )
{
    struct sockaddr_in6 in6 = { 0 };
    struct sockaddr_in in = { 0 };
    struct ip_text_endpoint endpoint;
    int room, needed, error;
    const void *result;
    BOOL good;

    if ( !text ) return WSAEINVAL;
    if ( !address ) return WSAEFAULT;
    if ( ( error = ws2_read( &room, length, sizeof( room ) ) ) ) return error;
    if ( family == AF_INET ) needed = sizeof( in ), result = &in;
    else if ( family == AF_INET6 ) needed = sizeof( in6 ), result = &in6;
    else return WSAEINVAL;
    if ( room < needed )
    {
        if ( ( error = ws2_write( length, &needed, sizeof( needed ) ) ) ) return error;
        return WSAEFAULT;
    }
    if ( family == AF_INET )
    {
        good = ip_text_endpoint4( text, &endpoint );
        memcpy( &in.sin_addr, endpoint.address, sizeof( in.sin_addr ) );
        if ( good ) in.sin_family = AF_INET, in.sin_port = htons( endpoint.port );
    }
    else
    {
        good = ip_text_endpoint6( text, &endpoint );
        memcpy( &in6.sin6_addr, endpoint.address, sizeof( in6.sin6_addr ) );
        if ( good ) in6.sin6_family = AF_INET6, in6.sin6_port = htons( endpoint.port );
        if ( good ) in6.sin6_scope_id = endpoint.scope;
    }
    if ( good && ( error = ws2_write( length, &needed, sizeof( needed ) ) ) ) return error;
    if ( ( error = ws2_write( address, result, needed ) ) ) return error;
    return good ? 0 : WSAEINVAL;
}

/***********************************************************************
 *      WSAStringToAddressA   (WS2_32.@)
 */
INT WINAPI WSAStringToAddressA( LPSTR text, INT family, LPWSAPROTOCOL_INFOA info, LPSOCKADDR address, LPINT length )
{
    WCHAR *copy = NULL;
    int error = ws2_started ? string_read_ansi( text, &copy ) : WSANOTINITIALISED;

    if ( !error ) error = string_to_address( copy, family, address, length );
    free( copy );
    return WS2_RESULT_OF( error, "text=%p family=%d info=%p address=%p", text, family, info, address );
}

/***********************************************************************
 *      WSAStringToAddressW   (WS2_32.@)
 */
INT WINAPI WSAStringToAddressW( LPWSTR text, INT family, LPWSAPROTOCOL_INFOW info, LPSOCKADDR address, LPINT length )
{
    WCHAR *copy = NULL;
    int error = ws2_started ? string_read_wide( text, &copy ) : WSANOTINITIALISED;

    if ( !error ) error = string_to_address( copy, family, address, length );
    free( copy );
    return WS2_RESULT_OF( error, "text=%p family=%d info=%p address=%p", text, family, info, address );
}
