/*
 * WSAConnectByName and WSAConnectByList: one address after the other until one answers. Made of Winsock's own
 * functions; the socket is non-blocking while it is tried, and as before afterwards.
 */
#include "base/local_addresses.h"
#include "base/ws2_32_private.h"
#include "base/header_types.h"
#include "names/addrinfo.h"
#include "base/strings.h"
#include "ws2host/table.h"

#ifndef IPV6_V6ONLY
#define IPV6_V6ONLY 27
#endif

/* Where the program wants an address told: both pointers may be NULL. */
struct place
{
    struct sockaddr *address;
    DWORD *length;
    BOOL wanted;
};

struct attempt
{
    SOCKET s;
    struct ws2_socket_info_params info;
    BOOL both_families; /* an IPv6 socket that reaches IPv4 too */
    int sockaddr_size;
    struct place local, remote;
    BOOL limited;
    ULONGLONG deadline; /* GetTickCount64 */
};

static int check_place( struct place *place, int size )
{
    DWORD length;
    int error;

    if ( !place->length ) return 0;
    if ( ( error = ws2_read( &length, place->length, sizeof( length ) ) ) ) return error;
    place->wanted = place->address != NULL;
    return (int)length < size ? WSAEFAULT : 0;
}

/* What can be judged before anything is looked up. */
static int connect_by_prepare( struct attempt *attempt, const struct timeval *timeout )
{
    struct timeval limit;
    int only = 1, size = sizeof( only ), error;

    attempt->info.handle = attempt->s;
    if ( ( error = ws2_call( socket_info, &attempt->info ) ) ) return error;
    if ( attempt->info.type != SOCK_STREAM ) return WSAEFAULT;
    if ( attempt->info.family != AF_INET && attempt->info.family != AF_INET6 ) return WSAEAFNOSUPPORT;
    attempt->sockaddr_size = address_length( attempt->info.family );
    if ( ( error = check_place( &attempt->local, attempt->sockaddr_size ) ) ) return error;
    if ( ( error = check_place( &attempt->remote, attempt->sockaddr_size ) ) ) return error;
    attempt->both_families = attempt->info.family == AF_INET6 &&
                             !getsockopt( attempt->s, IPPROTO_IPV6, IPV6_V6ONLY, (char *)&only, &size ) && !only;
    if ( !timeout ) return 0;
    if ( ( error = ws2_read( &limit, timeout, sizeof( limit ) ) ) ) return error;
    attempt->limited = TRUE;
    attempt->deadline = GetTickCount64() + (ULONGLONG)limit.tv_sec * 1000 + limit.tv_usec / 1000;
    return 0;
}

/* Waits for the end of a connect under way. */
static int wait_connected( const struct attempt *attempt )
{
    ULONGLONG now = GetTickCount64(), left = attempt->deadline > now ? attempt->deadline - now : 0;
    struct timeval limit = { left / 1000, left % 1000 * 1000 };
    fd_set writable = { 1, { attempt->s } }, failed = { 1, { attempt->s } };
    int error = 0, size = sizeof( error ), count;

    count = select( 0, NULL, &writable, &failed, attempt->limited ? &limit : NULL );
    if ( count == SOCKET_ERROR ) return GetLastError();
    if ( !count ) return WSAETIMEDOUT;
    if ( !failed.fd_count ) return 0;
    if ( getsockopt( attempt->s, SOL_SOCKET, SO_ERROR, (char *)&error, &size ) ) return GetLastError();
    return error ? error : WSAECONNREFUSED;
}

static int try_address( const struct attempt *attempt, const struct sockaddr *address, int size )
{
    u_long on = 1, off = 0;
    int error = 0;

    if ( ioctlsocket( attempt->s, FIONBIO, &on ) ) return GetLastError();
    if ( connect( attempt->s, address, size ) ) error = GetLastError();
    if ( error == WSAEWOULDBLOCK ) error = wait_connected( attempt );
    if ( !( attempt->info.flags & WS2_FLAG_NONBLOCKING ) ) ioctlsocket( attempt->s, FIONBIO, &off );
    return error;
}

static int tell_addresses( const struct place *place, const SOCKADDR_STORAGE *address, DWORD size )
{
    int error = 0;

    if ( place->wanted ) error = ws2_write( place->address, address, size );
    if ( !error && place->length ) error = ws2_write( place->length, &size, sizeof( size ) );
    return error;
}

static int tell_both( const struct attempt *attempt )
{
    SOCKADDR_STORAGE address;
    int size = sizeof( address ), error;

    if ( getsockname( attempt->s, (struct sockaddr *)&address, &size ) ) return GetLastError();
    ( (struct sockaddr_in *)&address )->sin_port = 0; /* Windows tells the address alone */
    if ( ( error = tell_addresses( &attempt->local, &address, attempt->sockaddr_size ) ) ) return error;
    size = sizeof( address );
    if ( getpeername( attempt->s, (struct sockaddr *)&address, &size ) ) return GetLastError();
    return tell_addresses( &attempt->remote, &address, attempt->sockaddr_size );
}

/* Tries addresses in their order; the error of the last one. */
static int try_all( const struct attempt *attempt, struct ws2_address *addresses, const USHORT *ports,
                    unsigned int count )
{
    int error = WSAEADDRNOTAVAIL;

    for ( unsigned int i = 0; i < count; i++ )
    {
        SOCKADDR_STORAGE sockaddr;
        int size;

        if ( attempt->both_families && addresses[i].family == AF_INET )
        {
            memmove( addresses[i].bytes + 12, addresses[i].bytes, 4 );
            memset( addresses[i].bytes, 0, 10 );
            memset( addresses[i].bytes + 10, 0xff, 2 );
            addresses[i].family = AF_INET6;
        }
        if ( addresses[i].family != attempt->info.family ) continue;
        size = resolver_sockaddr( &addresses[i], ports[i], &sockaddr );
        if ( !( error = try_address( attempt, (struct sockaddr *)&sockaddr, size ) ) ) return tell_both( attempt );
        if ( error == WSAETIMEDOUT && attempt->limited && GetTickCount64() >= attempt->deadline ) break;
        if ( error == WSAENOTSOCK || error == WSAEISCONN ) break;
    }
    return error;
}

static int by_name( struct attempt *attempt, const WCHAR *node, const WCHAR *service, const struct timeval *timeout )
{
    struct addrinfo_hints hints = { .type = SOCK_STREAM, .protocol = IPPROTO_TCP };
    struct addrinfo_answer answer;
    USHORT *ports;
    int error;

    if ( ( error = connect_by_prepare( attempt, timeout ) ) ) return error;
    if ( !attempt->both_families ) hints.family = attempt->info.family;
    if ( ( error = addrinfo_query( node, service, &hints, &answer ) ) ) return error;
    if ( ( ports = malloc( answer.resolver.count * sizeof( *ports ) ) ) )
    {
        for ( unsigned int i = 0; i < answer.resolver.count; i++ ) ports[i] = answer.port;
        error = try_all( attempt, answer.resolver.addresses, ports, answer.resolver.count );
    }
    else error = WSA_NOT_ENOUGH_MEMORY;
    free( ports );
    addrinfo_free_answer( &answer );
    return error;
}

/***********************************************************************
 *      WSAConnectByNameA   (WS2_32.@)
 */
BOOL WINAPI WSAConnectByNameA( SOCKET s, LPSTR node, LPSTR service, LPDWORD local_length, LPSOCKADDR local,
                               LPDWORD remote_length, LPSOCKADDR remote, timeval_argument timeout,
                               LPWSAOVERLAPPED reserved )
{
    struct attempt attempt = { .s = s, .local = { local, local_length }, .remote = { remote, remote_length } };
    WCHAR *node_copy = NULL, *service_copy = NULL;
    int error = !ws2_started ? WSANOTINITIALISED : !node || !service || reserved ? WSAEINVAL : 0;

    if ( !error ) error = string_read_ansi( node, &node_copy );
    if ( !error ) error = string_read_ansi( service, &service_copy );
    if ( !error ) error = by_name( &attempt, node_copy, service_copy, timeout );
    free( node_copy );
    free( service_copy );
    return WS2_RESULT( (BOOL)!error, error, "s=%#zx, node=%p, service=%p", s, node, service );
}

/***********************************************************************
 *      WSAConnectByNameW   (WS2_32.@)
 */
BOOL WINAPI WSAConnectByNameW( SOCKET s, LPWSTR node, LPWSTR service, LPDWORD local_length, LPSOCKADDR local,
                               LPDWORD remote_length, LPSOCKADDR remote, timeval_argument timeout,
                               LPWSAOVERLAPPED reserved )
{
    struct attempt attempt = { .s = s, .local = { local, local_length }, .remote = { remote, remote_length } };
    WCHAR *node_copy = NULL, *service_copy = NULL;
    int error = !ws2_started ? WSANOTINITIALISED : !node || !service || reserved ? WSAEINVAL : 0;

    if ( !error ) error = string_read_wide( node, &node_copy );
    if ( !error ) error = string_read_wide( service, &service_copy );
    if ( !error ) error = by_name( &attempt, node_copy, service_copy, timeout );
    free( node_copy );
    free( service_copy );
    return WS2_RESULT( (BOOL)!error, error, "s=%#zx, node=%p, service=%p", s, node, service );
}

static int read_list_entry( const SOCKET_ADDRESS_LIST *list, int i, struct ws2_address *address, USHORT *port )
{
    struct sockaddr_in6 in6 = { 0 };
    SOCKET_ADDRESS entry;
    int error, size;

    if ( ( error = ws2_read( &entry, &list->Address[i], sizeof( entry ) ) ) ) return error;
    size = min( entry.iSockaddrLength, (int)sizeof( in6 ) );
    if ( size < (int)sizeof( struct sockaddr_in ) ) return WSAEFAULT;
    if ( ( error = ws2_read( &in6, entry.lpSockaddr, size ) ) ) return error;
    memset( address, 0, sizeof( *address ) );
    address->family = in6.sin6_family;
    *port = in6.sin6_port;
    if ( in6.sin6_family == AF_INET ) memcpy( address->bytes, &( (struct sockaddr_in *)&in6 )->sin_addr, 4 );
    else if ( in6.sin6_family == AF_INET6 && size == sizeof( in6 ) )
    {
        memcpy( address->bytes, &in6.sin6_addr, 16 );
        address->scope = in6.sin6_scope_id;
    }
    else return WSAEAFNOSUPPORT;
    return 0;
}

static int by_list( struct attempt *attempt, const SOCKET_ADDRESS_LIST *list, const struct timeval *timeout )
{
    struct ws2_address *addresses = NULL;
    USHORT *ports = NULL;
    int count, error;

    if ( ( error = ws2_read( &count, &list->iAddressCount, sizeof( count ) ) ) ) return error;
    if ( count <= 0 || count > 0x10000 ) return WSAEINVAL;
    if ( ( error = connect_by_prepare( attempt, timeout ) ) ) return error;
    addresses = malloc( count * sizeof( *addresses ) );
    ports = malloc( count * sizeof( *ports ) );
    if ( !addresses || !ports ) error = WSA_NOT_ENOUGH_MEMORY;
    for ( int i = 0; i < count && !error; i++ ) error = read_list_entry( list, i, &addresses[i], &ports[i] );
    if ( !error ) error = try_all( attempt, addresses, ports, count );
    free( addresses );
    free( ports );
    return error;
}

/***********************************************************************
 *      WSAConnectByList   (WS2_32.@)
 */
BOOL WINAPI WSAConnectByList( SOCKET s, PSOCKET_ADDRESS_LIST list, LPDWORD local_length, LPSOCKADDR local,
                              LPDWORD remote_length, LPSOCKADDR remote, timeval_argument timeout,
                              LPWSAOVERLAPPED reserved )
{
    struct attempt attempt = { .s = s, .local = { local, local_length }, .remote = { remote, remote_length } };
    int error = !ws2_started ? WSANOTINITIALISED : !list || reserved ? WSAEINVAL : 0;

    if ( !error ) error = by_list( &attempt, list, timeout );
    return WS2_RESULT( (BOOL)!error, error, "s=%#zx, list=%p", s, list );
}

/* No quality-of-service template is installed, so no name of one is valid. */
static int find_template( SOCKET s, const WSABUF *name, QOS *qos )
{
    struct ws2_socket_info_params info = { .handle = s };
    WSABUF copy;
    int error;

    if ( !ws2_started ) return WSANOTINITIALISED;
    if ( ( error = ws2_call( socket_info, &info ) ) ) return error;
    if ( ( error = ws2_read( &copy, name, sizeof( copy ) ) ) ) return error;
    return qos ? WSAEINVAL : WSAEFAULT;
}

/***********************************************************************
 *      WSAGetQOSByName   (WS2_32.@)
 */
BOOL WINAPI WSAGetQOSByName( SOCKET s, LPWSABUF name, LPQOS qos )
{
    return WS2_RESULT( FALSE, find_template( s, name, qos ), "s=%#zx, name=%p", s, name );
}
