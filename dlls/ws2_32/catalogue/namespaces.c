/* The name-space providers and their enumeration. Constant, so any thread. */
#include "base/ws2_32_private.h"
#include "catalogue/namespaces.h"
#include "base/strings.h"

#ifndef NS_DNS
#define NS_DNS 12
#endif
#ifndef NS_NLA
#define NS_NLA 15
#endif

const struct namespace_entry namespaces[] = {
    { { 0x22059d40, 0x7e9e, 0x11cf, { 0xae, 0x5a, 0x00, 0xaa, 0x00, 0xa7, 0x11, 0x2b } }, NS_DNS, 0, L"Tcpip" },
    { { 0x6642243a, 0x3ba8, 0x4aa6, { 0xba, 0xa5, 0x2e, 0x0b, 0xd7, 0x1f, 0xdd, 0x83 } },
      NS_NLA,
      0,
      L"Network Location Awareness Legacy (NLAv1) Namespace" },
};
const unsigned int namespace_count = ARRAYSIZE( namespaces );

const struct namespace_entry *namespace_by_provider( const GUID *provider )
{
    for ( unsigned int i = 0; i < namespace_count; i++ )
        if ( !memcmp( &namespaces[i].provider, provider, sizeof( *provider ) ) ) return &namespaces[i];
    return NULL;
}

/* The four forms differ in their strings and in a BLOB at the end, of which these providers have none. */
static int namespaces_enumerate( DWORD *length, void *buffer, BOOL wide, BOOL extended, int *count )
{
    size_t entry_size = extended ? sizeof( WSANAMESPACE_INFOEXW ) : sizeof( WSANAMESPACE_INFOW );
    DWORD size, needed = namespace_count * entry_size;
    char *block, *text;
    int error;

    if ( ( error = ws2_read( &size, length, sizeof( size ) ) ) ) return error;
    for ( unsigned int i = 0; i < namespace_count; i++ )
        needed += ( wcslen( namespaces[i].identifier ) + 1 ) * ( wide ? sizeof( WCHAR ) : 1 );
    if ( !buffer || size < needed )
    {
        if ( ( error = ws2_write( length, &needed, sizeof( needed ) ) ) ) return error;
        return WSAEFAULT;
    }
    if ( !( block = calloc( 1, needed ) ) ) return WSA_NOT_ENOUGH_MEMORY;
    text = block + namespace_count * entry_size;
    for ( unsigned int i = 0; i < namespace_count; i++ )
    {
        WSANAMESPACE_INFOW *info = (WSANAMESPACE_INFOW *)( block + i * entry_size );
        const WCHAR *identifier = namespaces[i].identifier;

        info->NSProviderId = namespaces[i].provider;
        info->dwNameSpace = namespaces[i].name_space;
        info->fActive = TRUE;
        info->dwVersion = namespaces[i].version;
        info->lpszIdentifier = (WCHAR *)( (char *)buffer + ( text - block ) );
        if ( wide )
        {
            wcscpy( (WCHAR *)text, identifier );
            text += ( wcslen( identifier ) + 1 ) * sizeof( WCHAR );
        }
        else do
                *text++ = *identifier;
            while ( *identifier++ );
    }
    error = ws2_write( buffer, block, needed );
    free( block );
    *count = namespace_count;
    return error;
}

static int enumerate_started( DWORD *length, void *buffer, BOOL wide, BOOL extended, int *count )
{
    return ws2_started ? namespaces_enumerate( length, buffer, wide, extended, count ) : WSANOTINITIALISED;
}

/***********************************************************************
 *      WSAEnumNameSpaceProvidersA   (WS2_32.@)
 */
INT WINAPI WSAEnumNameSpaceProvidersA( LPDWORD length, LPWSANAMESPACE_INFOA buffer )
{
    int count = 0, error = enumerate_started( length, buffer, FALSE, FALSE, &count );

    return WS2_RESULT( error ? SOCKET_ERROR : count, error, "length=%p buffer=%p", length, buffer );
}

/***********************************************************************
 *      WSAEnumNameSpaceProvidersW   (WS2_32.@)
 */
INT WINAPI WSAEnumNameSpaceProvidersW( LPDWORD length, LPWSANAMESPACE_INFOW buffer )
{
    int count = 0, error = enumerate_started( length, buffer, TRUE, FALSE, &count );

    return WS2_RESULT( error ? SOCKET_ERROR : count, error, "length=%p buffer=%p", length, buffer );
}

/***********************************************************************
 *      WSAEnumNameSpaceProvidersExA   (WS2_32.@)
 */
INT WINAPI WSAEnumNameSpaceProvidersExA( LPDWORD length, LPWSANAMESPACE_INFOEXA buffer )
{
    int count = 0, error = enumerate_started( length, buffer, FALSE, TRUE, &count );

    return WS2_RESULT( error ? SOCKET_ERROR : count, error, "length=%p buffer=%p", length, buffer );
}

/***********************************************************************
 *      WSAEnumNameSpaceProvidersExW   (WS2_32.@)
 */
INT WINAPI WSAEnumNameSpaceProvidersExW( LPDWORD length, LPWSANAMESPACE_INFOEXW buffer )
{
    int count = 0, error = enumerate_started( length, buffer, TRUE, TRUE, &count );

    return WS2_RESULT( error ? SOCKET_ERROR : count, error, "length=%p buffer=%p", length, buffer );
}

/***********************************************************************
 *      WSCEnumNameSpaceProviders32   (WS2_32.@)
 */
INT WINAPI WSCEnumNameSpaceProviders32( LPDWORD length, LPWSANAMESPACE_INFOW buffer )
{
    int count = 0, error = enumerate_started( length, buffer, TRUE, FALSE, &count );

    return WS2_RESULT( error ? SOCKET_ERROR : count, error, "length=%p buffer=%p", length, buffer );
}

/***********************************************************************
 *      WSCEnumNameSpaceProvidersEx32   (WS2_32.@)
 */
INT WINAPI WSCEnumNameSpaceProvidersEx32( LPDWORD length, LPWSANAMESPACE_INFOEXW buffer )
{
    int count = 0, error = enumerate_started( length, buffer, TRUE, TRUE, &count );

    return WS2_RESULT( error ? SOCKET_ERROR : count, error, "length=%p buffer=%p", length, buffer );
}
