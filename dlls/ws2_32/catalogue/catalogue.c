/*
 * The protocol catalogue. One table answers which sockets can be made, what SO_PROTOCOL_INFO and duplicates' infos say
 * of them, and what the enumerations list; its order is visible in all three. Constant, so any thread may read it.
 */
#include "base/ws2_32_private.h"
#include "catalogue/catalogue.h"

#define TCPIP4 \
    { \
        0xe70f1aa0, 0xab8b, 0x11cf, { 0x8c, 0xa3, 0x00, 0x80, 0x5f, 0x48, 0xa1, 0x92 } \
    }
#define TCPIP6 \
    { \
        0xf9eab0c0, 0x26d4, 0x11d0, { 0xbb, 0xbf, 0x00, 0xaa, 0x00, 0x6c, 0x34, 0xe4 } \
    }
#define AFUNIX \
    { \
        0xa00943d9, 0x9c2e, 0x4633, { 0x9b, 0x59, 0x00, 0x57, 0xa3, 0x16, 0x09, 0x94 } \
    }

#define RELIABLE ( XP1_GUARANTEED_DELIVERY | XP1_GUARANTEED_ORDER | XP1_GRACEFUL_CLOSE | XP1_IFS_HANDLES )
#define STREAM ( RELIABLE | XP1_EXPEDITED_DATA )
#define DATAGRAM \
    ( XP1_CONNECTIONLESS | XP1_MESSAGE_ORIENTED | XP1_SUPPORT_BROADCAST | XP1_SUPPORT_MULTIPOINT | XP1_IFS_HANDLES )

#define ENTRY( id, guid, af, max, min, type, protocol, offset, services, flags, message_size, name ) \
    { \
        .dwServiceFlags1 = services, .dwProviderFlags = flags, .ProviderId = guid, .dwCatalogEntryId = id, \
        .ProtocolChain = { .ChainLen = BASE_PROTOCOL }, .iVersion = 2, .iAddressFamily = af, .iMaxSockAddr = max, \
        .iMinSockAddr = min, .iSocketType = type, .iProtocol = protocol, .iProtocolMaxOffset = offset, \
        .iNetworkByteOrder = BIGENDIAN, .iSecurityScheme = SECURITY_PROTOCOL_NONE, .dwMessageSize = message_size, \
        .szProtocol = name \
    }
#define ZERO PFL_MATCHES_PROTOCOL_ZERO
#define HIDDEN_ZERO ( PFL_MATCHES_PROTOCOL_ZERO | PFL_HIDDEN )

#ifndef AF_UNIX
#define AF_UNIX 1
#endif

const WSAPROTOCOL_INFOW catalogue[] = {
    /*     id, provider, family, address sizes, socket type, protocol + offset, services, flags, message size, name */
    ENTRY( 1001, TCPIP4, AF_INET, 16, 16, SOCK_STREAM, IPPROTO_TCP, 0, STREAM, ZERO, 0, L"MSAFD Tcpip [TCP/IP]" ),
    ENTRY( 1002, TCPIP4, AF_INET, 16, 16, SOCK_DGRAM, IPPROTO_UDP, 0, DATAGRAM, ZERO, 0xffbb, L"MSAFD Tcpip [UDP/IP]" ),
    ENTRY( 1003, TCPIP4, AF_INET, 16, 16, SOCK_RAW, 0, 255, DATAGRAM, HIDDEN_ZERO, 0x8000, L"MSAFD Tcpip [RAW/IP]" ),
    ENTRY( 1004, TCPIP6, AF_INET6, 28, 28, SOCK_STREAM, IPPROTO_TCP, 0, STREAM, ZERO, 0, L"MSAFD Tcpip [TCP/IPv6]" ),
    ENTRY( 1005, TCPIP6, AF_INET6, 28, 28, SOCK_DGRAM, IPPROTO_UDP, 0, DATAGRAM, ZERO, 0xffbb,
           L"MSAFD Tcpip [UDP/IPv6]" ),
    ENTRY( 1006, TCPIP6, AF_INET6, 28, 28, SOCK_RAW, 0, 255, DATAGRAM, HIDDEN_ZERO, 0x8000, L"MSAFD Tcpip [RAW/IPv6]" ),
    ENTRY( 1007, AFUNIX, AF_UNIX, 110, 2, SOCK_STREAM, 0, 0, RELIABLE, 0, 0, L"AF_UNIX" ),
};
const unsigned int catalogue_count = ARRAYSIZE( catalogue );

static BOOL knows_family( int family )
{
    for ( unsigned int i = 0; i < catalogue_count; i++ )
        if ( catalogue[i].iAddressFamily == family ) return TRUE;
    return FALSE;
}

static BOOL knows_type( int type )
{
    for ( unsigned int i = 0; i < catalogue_count; i++ )
        if ( catalogue[i].iSocketType == type ) return TRUE;
    return FALSE;
}

static BOOL takes_protocol( const WSAPROTOCOL_INFOW *entry, int protocol )
{
    if ( !protocol && entry->dwProviderFlags & PFL_MATCHES_PROTOCOL_ZERO ) return TRUE;
    return protocol >= entry->iProtocol && protocol - entry->iProtocol <= entry->iProtocolMaxOffset;
}

/* 0 stands for any family and any type here. */
static const WSAPROTOCOL_INFOW *find( int family, int type, int protocol )
{
    for ( unsigned int i = 0; i < catalogue_count; i++ )
    {
        if ( family && catalogue[i].iAddressFamily != family ) continue;
        if ( type && catalogue[i].iSocketType != type ) continue;
        if ( takes_protocol( &catalogue[i], protocol ) ) return &catalogue[i];
    }
    return NULL;
}

int catalogue_resolve( int family, int type, int protocol, const WSAPROTOCOL_INFOW **entry, int *resolved_family,
                       int *resolved_type, int *resolved_protocol )
{
    const WSAPROTOCOL_INFOW *found;

    if ( !family && !protocol ) return WSAEINVAL;
    if ( type && !knows_type( type ) ) return WSAESOCKTNOSUPPORT;
    if ( family && !knows_family( family ) ) return WSAEAFNOSUPPORT;
    if ( !( found = find( family, type, protocol ) ) ) return WSAEPROTONOSUPPORT;
    *entry = found;
    *resolved_family = found->iAddressFamily;
    *resolved_type = found->iSocketType;
    *resolved_protocol = protocol ? protocol : found->iProtocol;
    return 0;
}

int catalogue_resolve_info( int family, int type, int protocol, const WSAPROTOCOL_INFOW *info,
                            const WSAPROTOCOL_INFOW **entry, int *resolved_family, int *resolved_type,
                            int *resolved_protocol )
{
    BOOL from_family = !family || family == FROM_PROTOCOL_INFO;
    BOOL from_type = !type || type == FROM_PROTOCOL_INFO;
    BOOL from_protocol = !protocol || protocol == FROM_PROTOCOL_INFO;

    /* nothing but the info speaks: one that names no entry is no info */
    if ( from_family && from_type && from_protocol &&
         !catalogue_entry( info->iAddressFamily, info->iSocketType, info->iProtocol ) )
        return WSAEINVAL;
    if ( from_family ) family = info->iAddressFamily;
    if ( from_type ) type = info->iSocketType;
    if ( from_protocol ) protocol = info->iProtocol;
    /* Judged before the type, unlike without an info, and 0 is no wildcard. */
    if ( !knows_family( family ) ) return WSAEAFNOSUPPORT;
    return catalogue_resolve( family, type, protocol, entry, resolved_family, resolved_type, resolved_protocol );
}

const WSAPROTOCOL_INFOW *catalogue_entry( int family, int type, int protocol )
{
    return family && type ? find( family, type, protocol ) : NULL;
}

void catalogue_to_ansi( const WSAPROTOCOL_INFOW *entry, WSAPROTOCOL_INFOA *ansi )
{
    memset( ansi, 0, sizeof( *ansi ) );
    memcpy( ansi, entry, offsetof( WSAPROTOCOL_INFOW, szProtocol ) );
    WideCharToMultiByte( CP_ACP, 0, entry->szProtocol, -1, ansi->szProtocol, sizeof( ansi->szProtocol ), NULL, NULL );
}

/* Is a protocol in the program's list, which a 0 ends? All are in no list. WSAEFAULT for an unreadable list. */
static int catalogue_lists( const int *protocols, int protocol, BOOL *result )
{
    int value, error;

    *result = !protocols;
    for ( ; protocols && !*result; protocols++ )
    {
        if ( ( error = ws2_read( &value, protocols, sizeof( value ) ) ) ) return error;
        if ( !value ) break;
        *result = value == protocol;
    }
    return 0;
}

/* Writes the entries of an enumeration; *count is how many there are. */
static int catalogue_enumerate( const int *protocols, void *buffer, DWORD *length, BOOL hidden, BOOL wide, int *count )
{
    size_t entry_size = wide ? sizeof( WSAPROTOCOL_INFOW ) : sizeof( WSAPROTOCOL_INFOA );
    BOOL wanted[ARRAYSIZE( catalogue )];
    DWORD size, needed;
    int error;

    if ( ( error = ws2_read( &size, length, sizeof( size ) ) ) ) return error;
    *count = 0;
    for ( unsigned int i = 0; i < catalogue_count; i++ )
    {
        if ( ( error = catalogue_lists( protocols, catalogue[i].iProtocol, &wanted[i] ) ) ) return error;
        if ( catalogue[i].dwProviderFlags & PFL_HIDDEN && !hidden ) wanted[i] = FALSE;
        *count += wanted[i];
    }
    needed = *count * entry_size;
    if ( !buffer || size < needed )
    {
        if ( ( error = ws2_write( length, &needed, sizeof( needed ) ) ) ) return error;
        return WSAENOBUFS;
    }
    for ( unsigned int i = 0; i < catalogue_count; i++ )
    {
        const void *source = &catalogue[i];
        WSAPROTOCOL_INFOA ansi;

        if ( !wanted[i] ) continue;
        if ( !wide )
        {
            catalogue_to_ansi( &catalogue[i], &ansi );
            source = &ansi;
        }
        if ( ( error = ws2_write( buffer, source, entry_size ) ) ) return error;
        buffer = (char *)buffer + entry_size;
    }
    return 0;
}

/***********************************************************************
 *      WSAEnumProtocolsA   (WS2_32.@)
 */
int WINAPI WSAEnumProtocolsA( LPINT protocols, LPWSAPROTOCOL_INFOA buffer, LPDWORD length )
{
    int count = 0, error = ws2_started ? catalogue_enumerate( protocols, buffer, length, FALSE, FALSE, &count )
                                       : WSANOTINITIALISED;

    return WS2_RESULT( error ? SOCKET_ERROR : count, error, "protocols=%p buffer=%p length=%p", protocols, buffer,
                       length );
}

/***********************************************************************
 *      WSAEnumProtocolsW   (WS2_32.@)
 */
int WINAPI WSAEnumProtocolsW( LPINT protocols, LPWSAPROTOCOL_INFOW buffer, LPDWORD length )
{
    int count = 0,
        error = ws2_started ? catalogue_enumerate( protocols, buffer, length, FALSE, TRUE, &count ) : WSANOTINITIALISED;

    return WS2_RESULT( error ? SOCKET_ERROR : count, error, "protocols=%p buffer=%p length=%p", protocols, buffer,
                       length );
}

/***********************************************************************
 *      WSCEnumProtocols   (WS2_32.@)
 *
 * Hidden entries too, and needs no WSAStartup.
 */
int WINAPI WSCEnumProtocols( LPINT protocols, LPWSAPROTOCOL_INFOW buffer, LPDWORD length, LPINT error_code )
{
    int count, error = catalogue_enumerate( protocols, buffer, length, TRUE, TRUE, &count );

    if ( error ) ws2_write( error_code, &error, sizeof( error ) );
    return WS2_RESULT( error ? SOCKET_ERROR : count, error, "protocols=%p buffer=%p length=%p", protocols, buffer,
                       length );
}

/***********************************************************************
 *      WSCEnumProtocols32   (WS2_32.@)
 *
 * The catalogue of 32-bit programs is the same.
 */
int WINAPI WSCEnumProtocols32( LPINT protocols, LPWSAPROTOCOL_INFOW buffer, LPDWORD length, LPINT error_code )
{
    return WSCEnumProtocols( protocols, buffer, length, error_code );
}
