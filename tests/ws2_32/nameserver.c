/*
 * Names that a name server has, and one that keeps silent (facts: names-and-protocols 9 to 11): the test is the name server,
 * at port 53 of a network of its own (tests/own-network). What the server says of hosts becomes lists of addresses, names
 * and errors; requests to a server that does not answer can be cancelled and have a limit.
 */
#include "support.h"
#include <initguid.h>
#include <svcguid.h>

#define WS2_E_CANCELLED 10111
#define SLOW_MS 600

/* --- the server ------------------------------------------------------------------------------------------------------*/

static const struct record
{
    const char *name;
    WORD type; /* 1 A, 5 CNAME, 12 PTR, 28 AAAA */
    const char *data;
} records[] = {
    { "alias.ws2.test", 5, "four.ws2.test" },
    { "host.ws2.test", 1, "192.0.2.10" },
    { "host.ws2.test", 28, "2001:db8::10" },
    { "xn--bcher-kva.ws2.test", 1, "192.0.2.15" },
    { "four.ws2.test", 1, "192.0.2.11" },
    { "six.ws2.test", 28, "2001:db8::12" },
    { "two.ws2.test", 1, "192.0.2.13" },
    { "two.ws2.test", 1, "192.0.2.14" },
    { "slow.ws2.test", 1, "192.0.2.16" },
    { "self.ws2.test", 1, "127.0.0.1" },
    { "second.ws2.test", 1, "127.0.0.9" },
    { "second.ws2.test", 1, "127.0.0.1" },
    { "11.2.0.192.in-addr.arpa", 12, "four.ws2.test" },
};

static SOCKET server_socket;
static LONG questions; /* of the silent name */

static int put_name( BYTE *out, const char *name )
{
    BYTE *start = out;

    while ( *name )
    {
        size_t length = strcspn( name, "." );

        *out++ = length;
        memcpy( out, name, length );
        out += length;
        name += length + ( name[length] == '.' );
    }
    *out++ = 0;
    return out - start;
}

static int put_record( BYTE *out, const struct record *record )
{
    const int family = record->type == 1 ? AF_INET : AF_INET6;
    BYTE *start = out, data[256];
    union address address;
    int size = sizeof( address );

    if ( record->type != 1 && record->type != 28 ) size = put_name( data, record->data );
    else
    {
        WSAStringToAddressA( (char *)record->data, family, NULL, &address.any, &size );
        size = family == AF_INET ? 4 : 16;
        memcpy( data, family == AF_INET ? (void *)&address.v4.sin_addr : (void *)&address.v6.sin6_addr, size );
    }
    out += put_name( out, record->name );
    memcpy( out, ( BYTE[] ){ 0, record->type, 0, 1, 0, 0, 0, 0, 0, size }, 10 );
    memcpy( out + 10, data, size );
    return out + 10 + size - start;
}

/* Answers one question; 0 for silence. */
static int answer( BYTE *message, int length )
{
    char name[256] = "";
    int at = 12, type, end, count = 0, known = 0;
    const char *wanted = name;

    while ( at < length && message[at] )
    {
        snprintf( name + strlen( name ), sizeof( name ) - strlen( name ), "%s%.*s", *name ? "." : "", message[at],
                  message + at + 1 );
        at += message[at] + 1;
    }
    type = message[at + 2];
    end = at + 5;
    _strlwr( name );
    if ( !strcmp( name, "silent.ws2.test" ) )
    {
        InterlockedIncrement( &questions );
        return 0;
    }
    if ( !strcmp( name, "slow.ws2.test" ) ) Sleep( SLOW_MS );
    /* an alias stands before what it stands for */
    for ( unsigned int i = 0; i < ARRAY_SIZE( records ); i++ )
    {
        if ( strcmp( records[i].name, wanted ) || ( known = 1, records[i].type != type && records[i].type != 5 ) )
            continue;
        end += put_record( message + end, &records[i] );
        count++;
        if ( records[i].type == 5 ) wanted = records[i].data;
    }
    message[2] = 0x84;
    message[3] = !strcmp( name, "broken.ws2.test" ) ? 0x82 : known ? 0x80 : 0x83;
    memcpy( message + 6, ( BYTE[] ){ 0, count, 0, 0, 0, 0 }, 6 );
    return end;
}

static DWORD WINAPI server( void *unused )
{
    union address from;
    BYTE message[2048];
    int got, size = sizeof( from );

    (void)unused;
    while ( ( got = recvfrom( server_socket, (char *)message, 512, 0, &from.any, &size ) ) > 12 )
    {
        if ( ( got = answer( message, got ) ) ) sendto( server_socket, (char *)message, got, 0, &from.any, size );
        size = sizeof( from );
    }
    return 0;
}

/* --- what programs see -----------------------------------------------------------------------------------------------*/

static void ip( const char *arguments )
{
    STARTUPINFOA startup = { .cb = sizeof( startup ) };
    PROCESS_INFORMATION process;
    char command[256];
    DWORD code = 1;

    snprintf( command, sizeof( command ), "start.exe /wait /unix /usr/sbin/ip %s", arguments );
    ok( CreateProcessA( NULL, command, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &process ), "error %lu\n",
        GetLastError() );
    ok( !WaitForSingleObject( process.hProcess, 20000 ), "ip %s does not end\n", arguments );
    GetExitCodeProcess( process.hProcess, &code );
    ok( !code, "ip %s: exit code %lu\n", arguments, code );
    CloseHandle( process.hProcess );
    CloseHandle( process.hThread );
}

/* What ip does may be done after it is said to have ended: waits until names have their IPv6 addresses, or have not. */
static void wait_global( BOOL there )
{
    struct addrinfo hints = { .ai_family = AF_INET6 }, *list;
    int result = 0;

    for ( int i = 0; i < 200; i++ )
    {
        if ( !( result = getaddrinfo( "host.ws2.test", NULL, &hints, &list ) ) ) freeaddrinfo( list );
        if ( result == ( there ? 0 : WSANO_DATA ) ) return;
        Sleep( 50 );
    }
    ok( 0, "returned %d, with a global address: %d\n", result, there );
}

/* This computer's IPv4 addresses, once there are so many. */
static const struct hostent *wait_addresses( int wanted )
{
    const struct hostent *host = NULL;
    int count = 0;

    for ( int i = 0; i < 200; i++ )
    {
        host = gethostbyname( "" );
        for ( count = 0; host && host->h_addr_list[count]; ) count++;
        if ( count == wanted ) return host;
        Sleep( 50 );
    }
    ok( 0, "%d addresses, expected %d\n", count, wanted );
    return NULL;
}

/* The addresses of a list as text, in one string. */
static const char *list_text( const struct addrinfo *list )
{
    static char text[512];

    *text = 0;
    for ( ; list; list = list->ai_next )
    {
        char one[64] = "?";

        getnameinfo( list->ai_addr, list->ai_addrlen, one, sizeof( one ), NULL, 0, NI_NUMERICHOST );
        snprintf( text + strlen( text ), sizeof( text ) - strlen( text ), "%s%s", *text ? " " : "", one );
    }
    return text;
}

static void check_list_( int line, const char *name, int family, int flags, int expected, const char *addresses )
{
    struct addrinfo hints = { .ai_family = family,
                              .ai_flags = flags,
                              .ai_socktype = SOCK_STREAM,
                              .ai_protocol = IPPROTO_TCP },
                    *list;
    int result = getaddrinfo( name, "80", &hints, &list );

    ok_( __FILE__, line )( result == expected, "%s: returned %d, expected %d\n", name, result, expected );
    if ( result ) return;
    ok_( __FILE__, line )( !strcmp( list_text( list ), addresses ), "%s: %s instead of %s\n", name, list_text( list ),
                           addresses );
    ok_( __FILE__, line )( !list->ai_flags && list->ai_socktype == SOCK_STREAM && list->ai_protocol == IPPROTO_TCP &&
                               ( flags & AI_CANONNAME ? !!list->ai_canonname : !list->ai_canonname ),
                           "another entry\n" );
    freeaddrinfo( list );
}
#define check_list( ... ) check_list_( __LINE__, __VA_ARGS__ )

static void test_lists( void )
{
    struct addrinfo hints = { .ai_flags = AI_CANONNAME }, *list;
    int result;

    /* this computer has no global IPv6 address */
    check_list( "host.ws2.test", AF_UNSPEC, 0, 0, "192.0.2.10" );
    check_list( "host.ws2.test", AF_UNSPEC, AI_ALL | 0x10 /* AI_DNS_ONLY */, 0, "192.0.2.10" );
    check_list( "host.ws2.test", AF_INET, 0, 0, "192.0.2.10" );
    check_list( "host.ws2.test", AF_INET6, 0, WSANO_DATA, "" );
    check_list( "six.ws2.test", AF_UNSPEC, 0, WSANO_DATA, "" );
    check_list( "two.ws2.test", AF_INET, 0, 0, "192.0.2.13 192.0.2.14" );
    check_list( "HOST.WS2.Test", AF_INET, 0, 0, "192.0.2.10" );
    check_list( "none.ws2.test", AF_UNSPEC, 0, WSAHOST_NOT_FOUND, "" );
    check_list( "broken.ws2.test", AF_INET, 0, WSATRY_AGAIN, "" );
    check_list( "alias.ws2.test", AF_INET, AI_CANONNAME, 0, "192.0.2.11" );

    result = getaddrinfo( "alias.ws2.test", NULL, &hints, &list );
    ok( !result, "returned %d\n", result );
    if ( !result )
    {
        ok( !strcmp( list->ai_canonname, "four.ws2.test" ), "named %s\n", list->ai_canonname );
        freeaddrinfo( list );
    }

    ip( "-6 address add 2001:db8::1/64 dev ws2test nodad" );
    wait_global( TRUE );
    check_list( "host.ws2.test", AF_INET6, 0, 0, "2001:db8::10" );
    check_list( "four.ws2.test", AF_INET6, 0, WSANO_DATA, "" );
    check_list( "six.ws2.test", AF_INET, 0, WSANO_DATA, "" );
    check_list( "host.ws2.test", AF_UNSPEC, 0, 0, "2001:db8::10 192.0.2.10" );
    ip( "-6 address del 2001:db8::1/64 dev ws2test" );
    wait_global( FALSE );
}

/* Without hints, or with any that do not ask for IPv6, a name with addresses of both families has the IPv4 one alone as long
 * as this computer has no global IPv6 address; and what the request's flags were is not in the entries. */
static void test_filter( void )
{
    static const struct
    {
        int type, protocol, flags;
    } rows[] = {
        { 0, 0, 0 },
        { SOCK_STREAM, 0, 0 },
        { SOCK_DGRAM, 0, 0 },
        { 0, IPPROTO_TCP, 0 },
        { 0, IPPROTO_UDP, 0 },
        { SOCK_STREAM, IPPROTO_TCP, 0 },
        { SOCK_DGRAM, IPPROTO_UDP, 0 },
        { SOCK_STREAM, IPPROTO_UDP, 0 },
        { SOCK_DGRAM, IPPROTO_TCP, 0 },
        { SOCK_STREAM, IPPROTO_TCP, AI_ALL | 0x10 /* AI_DNS_ONLY */ },
    };
    struct addrinfo *list;

    for ( int i = -1; i < (int)ARRAY_SIZE( rows ); i++ )
    {
        struct addrinfo hints = { 0 };

        winetest_push_context( "row %d", i );
        if ( i >= 0 )
        {
            hints.ai_socktype = rows[i].type;
            hints.ai_protocol = rows[i].protocol;
            hints.ai_flags = rows[i].flags;
        }
        list = NULL;
        check_clears( getaddrinfo( "host.ws2.test", NULL, i >= 0 ? &hints : NULL, &list ), 0 );
        if ( list )
        {
            ok( !strcmp( list_text( list ), "192.0.2.10" ), "got %s\n", list_text( list ) );
            ok( !list->ai_flags && list->ai_family == AF_INET && list->ai_socktype == hints.ai_socktype &&
                    list->ai_protocol == hints.ai_protocol,
                "another entry\n" );
            ok( !list->ai_canonname && list->ai_addrlen == 16, "a name, or length %d\n", (int)list->ai_addrlen );
            ok( !( (struct sockaddr_in *)list->ai_addr )->sin_port, "a port\n" );
            freeaddrinfo( list );
        }
        hints.ai_family = AF_INET6;
        if ( !hints.ai_flags )
        {
            list = (struct addrinfo *)1;
            check_error( getaddrinfo( "host.ws2.test", NULL, &hints, &list ), WSANO_DATA, WSANO_DATA );
            ok( !list, "a list\n" );
        }
        winetest_pop_context();
    }
}

static void test_international( void )
{
    static const WCHAR name[] = L"b\u00fccher.ws2.test";
    ADDRINFOW hints = { .ai_family = AF_INET }, *list = NULL, *other = NULL;

    for ( unsigned int i = 0; i < 2; i++ )
    {
        const ADDRINFOW *given = i ? &hints : NULL;

        ok( !GetAddrInfoW( L"xn--bcher-kva.ws2.test", NULL, given, &list ), "error %d\n", WSAGetLastError() );
        ok( !GetAddrInfoW( name, NULL, given, &other ), "error %d\n", WSAGetLastError() );
        if ( !list || !other ) continue;
        ok( list->ai_addrlen == other->ai_addrlen && !memcmp( list->ai_addr, other->ai_addr, list->ai_addrlen ) &&
                !list->ai_next && !other->ai_next,
            "another list\n" );
        FreeAddrInfoW( list );
        FreeAddrInfoW( other );
    }
    hints.ai_flags = 0x80000; /* AI_DISABLE_IDN_ENCODING */
    list = (ADDRINFOW *)1;
    check_result( GetAddrInfoW( name, NULL, &hints, &list ), WSAHOST_NOT_FOUND );
    ok( !list, "a list\n" );
}

static void test_hosts( void )
{
    const struct hostent *host = gethostbyname( "alias.ws2.test" );
    ULONG expected = inet_addr( "192.0.2.11" );
    union address address;
    char name[256];

    ok( host != NULL, "error %d\n", WSAGetLastError() );
    if ( host )
    {
        ok( !strcmp( host->h_name, "four.ws2.test" ), "named %s\n", host->h_name );
        ok( host->h_aliases[0] && !strcmp( host->h_aliases[0], "alias.ws2.test" ), "another alias\n" );
        ok( !memcmp( host->h_addr_list[0], &expected, 4 ) && !host->h_addr_list[1], "another address\n" );
    }
    check_error( (ULONG_PTR)gethostbyname( "none.ws2.test" ), 0, WSAHOST_NOT_FOUND );
    check_error( (ULONG_PTR)gethostbyname( "six.ws2.test" ), 0, WSANO_DATA );
    host = gethostbyaddr( (char *)&expected, 4, AF_INET );
    ok( host && !strcmp( host->h_name, "four.ws2.test" ), "named %s, error %d\n", host ? host->h_name : "",
        WSAGetLastError() );

    address_loopback( &address, AF_INET, 80 );
    address.v4.sin_addr.s_addr = expected;
    check_ok( getnameinfo( &address.any, sizeof( address.v4 ), name, sizeof( name ), NULL, 0, 0 ) );
    ok( !strcmp( name, "four.ws2.test" ), "named %s\n", name );
    address.v4.sin_addr.s_addr = inet_addr( "192.0.2.99" );
    check_result( getnameinfo( &address.any, sizeof( address.v4 ), name, sizeof( name ), NULL, 0, NI_NAMEREQD ),
                  WSAHOST_NOT_FOUND );
    check_ok( getnameinfo( &address.any, sizeof( address.v4 ), name, sizeof( name ), NULL, 0, 0 ) );
    ok( !strcmp( name, "192.0.2.99" ), "named %s\n", name );
}

/* This computer's addresses: the one by which the default route goes is the first, whatever order the adapters have. */
static void test_own_addresses( void )
{
    SOCKET s = socket( AF_INET, SOCK_DGRAM, 0 );
    ULONG first = inet_addr( "192.0.2.1" );
    char buffer[1024];
    SOCKET_ADDRESS_LIST *list = (SOCKET_ADDRESS_LIST *)buffer;
    const struct hostent *host;
    DWORD size;

    ip( "address add 203.0.113.1/24 dev ws2peer" );
    host = wait_addresses( 2 );
    ok( host && !memcmp( host->h_addr_list[0], &first, 4 ), "another first\n" );
    check_ok( WSAIoctl( s, SIO_ADDRESS_LIST_QUERY, NULL, 0, list, sizeof( buffer ), &size, NULL, NULL ) );
    ok( list->iAddressCount == 2, "%d addresses\n", list->iAddressCount );
    if ( list->iAddressCount == 2 )
    {
        ok( ( (struct sockaddr_in *)list->Address[0].lpSockaddr )->sin_addr.s_addr == first, "another first\n" );
        ok( ( (struct sockaddr_in *)list->Address[1].lpSockaddr )->sin_addr.s_addr == inet_addr( "203.0.113.1" ),
            "another second\n" );
    }
    ip( "address del 203.0.113.1/24 dev ws2peer" );
    wait_addresses( 1 );
    check_ok( closesocket( s ) );
}

/* Without any IPv6 address there are no IPv6 literals; without any but the loopback address, that one is alone. */
static void test_bare( void )
{
    static const struct
    {
        const char *node;
        int flags, family;
    } rows[] = { { "2a00:2039:dead:beef:cafe::6666", 0, 0 },
                 { "[beef::cafe]", 0, 0 },
                 { "[beef::cafe]:10239", 0, 0 },
                 { "[beef::cafe]", AI_NUMERICHOST, AF_INET6 },
                 { "::1", 0, AF_INET6 } };
    ULONG loopback = htonl( INADDR_LOOPBACK );
    struct addrinfo *list = NULL;
    const struct hostent *host = NULL;

    if ( have_ipv6() )
    {
        ip( "-6 address flush dev ws2test" );
        ip( "-6 address flush dev ws2peer" );
        ip( "-6 address del ::1/128 dev lo" );
    }
    for ( int i = 0; i < 200 && !getaddrinfo( "::1", NULL, NULL, &list ); i++ )
    {
        freeaddrinfo( list );
        Sleep( 50 );
    }
    for ( unsigned int i = 0; i < ARRAY_SIZE( rows ); i++ )
    {
        struct addrinfo hints = { .ai_flags = rows[i].flags, .ai_family = rows[i].family };

        winetest_push_context( "%s", rows[i].node );
        list = (struct addrinfo *)1;
        check_error( getaddrinfo( rows[i].node, NULL, rows[i].flags || rows[i].family ? &hints : NULL, &list ),
                     WSAHOST_NOT_FOUND, WSAHOST_NOT_FOUND );
        ok( !list, "a list\n" );
        winetest_pop_context();
    }

    ip( "address del 192.0.2.1/24 dev ws2test" );
    for ( int i = 0; i < 200; i++ )
    {
        if ( ( host = gethostbyname( "" ) ) && !memcmp( host->h_addr_list[0], &loopback, 4 ) ) break;
        Sleep( 50 );
    }
    ok( host && !memcmp( host->h_addr_list[0], &loopback, 4 ) && !host->h_addr_list[1], "not loopback alone\n" );
}

static void test_lookup_service( void )
{
    GUID class = SVCID_INET_HOSTADDRBYNAME;
    WSAQUERYSETW query = { .dwSize = sizeof( query ),
                           .lpServiceClassId = &class,
                           .dwNameSpace = NS_DNS,
                           .lpszServiceInstanceName = (WCHAR *)L"two.ws2.test" };
    char buffer[4096];
    WSAQUERYSETW *result = (WSAQUERYSETW *)buffer;
    DWORD size = sizeof( buffer );
    HANDLE lookup = NULL;

    check_ok( WSALookupServiceBeginW( &query, LUP_RETURN_NAME | LUP_RETURN_ADDR, &lookup ) );
    check_ok( WSALookupServiceNextW( lookup, 0, &size, result ) );
    ok( result->dwNumberOfCsAddrs == 2, "%lu addresses\n", result->dwNumberOfCsAddrs );
    if ( result->dwNumberOfCsAddrs == 2 )
    {
        const struct sockaddr_in *first = (const struct sockaddr_in *)result->lpcsaBuffer[0].RemoteAddr.lpSockaddr;

        ok( first->sin_addr.s_addr == inet_addr( "192.0.2.13" ), "another address\n" );
    }
    size = sizeof( buffer );
    check_fails( WSALookupServiceNextW( lookup, 0, &size, result ), WSA_E_NO_MORE );
    check_ok( WSALookupServiceEnd( lookup ) );
}

static void test_connect( void )
{
    union address address;
    SOCKET listener = tcp_listener( AF_INET, &address ), s, accepted;
    static const WCHAR *names[] = { L"self.ws2.test", L"second.ws2.test" };
    WCHAR service[8];

    swprintf( service, ARRAY_SIZE( service ), L"%d", address_port( &address ) );
    for ( unsigned int i = 0; i < ARRAY_SIZE( names ); i++ )
    {
        struct timeval limit = { 20, 0 };

        s = socket( AF_INET, SOCK_STREAM, 0 );
        check_result( WSAConnectByNameW( s, (WCHAR *)names[i], service, NULL, NULL, NULL, NULL, &limit, NULL ), TRUE );
        accepted = accept_one( listener );
        check_ok( closesocket( accepted ) );
        check_ok( closesocket( s ) );
    }
    check_ok( closesocket( listener ) );
}

/* --- a server that is silent or slow -------------------------------------------------------------------------------------*/

static struct
{
    HANDLE event;
    DWORD error, thread;
    LONG calls;
} completion;

static void CALLBACK complete( DWORD error, DWORD bytes, OVERLAPPED *overlapped )
{
    (void)bytes, (void)overlapped;
    completion.error = error;
    InterlockedIncrement( &completion.calls );
    SetEvent( completion.event );
}

static INT( WSAAPI *cancel )( HANDLE * );
static INT( WSAAPI *overlapped_result )( OVERLAPPED * );
static INT( WSAAPI *get )( PCWSTR, PCWSTR, DWORD, GUID *, const ADDRINFOEXW *, ADDRINFOEXW **, struct timeval *,
                           OVERLAPPED *, LPLOOKUPSERVICE_COMPLETION_ROUTINE, HANDLE * );

static void test_pending( void )
{
    static const struct
    {
        const WCHAR *name;
        BOOL routine, cancel;
        LONG limit; /* ms */
        int result;
    } rows[] = { { L"silent.ws2.test", FALSE, TRUE, 0, WS2_E_CANCELLED },
                 { L"silent.ws2.test", TRUE, TRUE, 0, WS2_E_CANCELLED },
                 { L"silent.ws2.test", FALSE, FALSE, 300, WSAETIMEDOUT },
                 { L"silent.ws2.test", TRUE, FALSE, 300, WSAETIMEDOUT },
                 { L"silent.ws2.test", FALSE, TRUE, 60000, WS2_E_CANCELLED },
                 { L"slow.ws2.test", FALSE, FALSE, 0, 0 },
                 { L"slow.ws2.test", TRUE, FALSE, 30000, 0 } };

    for ( unsigned int i = 0; i < ARRAY_SIZE( rows ); i++ )
    {
        struct timeval limit = { rows[i].limit / 1000, rows[i].limit % 1000 * 1000 };
        ADDRINFOEXW hints = { .ai_family = AF_INET }, *list = NULL;
        HANDLE handle = NULL, event = CreateEventW( NULL, TRUE, FALSE, NULL );
        OVERLAPPED overlapped = { 0 };
        DWORD begin = GetTickCount();
        int result;

        winetest_push_context( "row %u", i );
        memset( &completion, 0, sizeof( completion ) );
        completion.event = event;
        if ( !rows[i].routine ) overlapped.hEvent = event;
        result = get( rows[i].name, L"80", NS_DNS, NULL, &hints, &list, rows[i].limit ? &limit : NULL, &overlapped,
                      rows[i].routine ? complete : NULL, &handle );
        ok( result == WSA_IO_PENDING, "returned %d\n", result );
        ok( WaitForSingleObject( event, 50 ) == WAIT_TIMEOUT, "ended at once\n" );
        ok( overlapped_result( &overlapped ) == WSAEINPROGRESS, "result %d while it pends\n",
            overlapped_result( &overlapped ) );
        if ( rows[i].cancel ) check_result( cancel( &handle ), 0 );
        ok( !WaitForSingleObject( event, 20000 ), "no completion\n" );
        ok( GetTickCount() - begin < 4000, "%lu ms\n", GetTickCount() - begin );
        ok( overlapped_result( &overlapped ) == rows[i].result, "result %d\n", overlapped_result( &overlapped ) );
        ok( !list == !!rows[i].result, "list %p\n", list );
        ok( cancel( &handle ) == WSA_INVALID_HANDLE, "cancelled twice\n" );
        if ( list ) FreeAddrInfoExW( list );
        if ( rows[i].routine )
        {
            Sleep( 50 );
            ok( completion.calls == 1 && completion.error == (DWORD)rows[i].result, "%ld calls, error %lu\n",
                completion.calls, completion.error );
        }
        CloseHandle( event );
        winetest_pop_context();
    }
    ok( questions > 0, "nobody asked for the silent name\n" );
}

/* Without an OVERLAPPED the limit holds too. */
static void test_limit( void )
{
    struct timeval limit = { 0, 300000 };
    ADDRINFOEXW *list = (ADDRINFOEXW *)1;
    DWORD begin = GetTickCount();

    check_result( get( L"silent.ws2.test", NULL, NS_DNS, NULL, NULL, &list, &limit, NULL, NULL, NULL ), WSAETIMEDOUT );
    ok( GetTickCount() - begin < 4000, "%lu ms\n", GetTickCount() - begin );
    ok( !list, "a list\n" );
}

START_TEST( nameserver )
{
    HMODULE ws2_32 = GetModuleHandleW( L"ws2_32.dll" );
    union address address;
    HANDLE thread;

    if ( support_begin() ) return;
    cancel = (void *)GetProcAddress( ws2_32, "GetAddrInfoExCancel" );
    overlapped_result = (void *)GetProcAddress( ws2_32, "GetAddrInfoExOverlappedResult" );
    get = (void *)GetProcAddress( ws2_32, "GetAddrInfoExW" );
    server_socket = socket( AF_INET, SOCK_DGRAM, 0 );
    ok( server_socket != INVALID_SOCKET, "no socket, error %d\n", WSAGetLastError() );
    if ( !own_network() ) skip( "no network with a name server of its own\n" );
    else
    {
        check_ok( bind( server_socket, &address.any, address_loopback( &address, AF_INET, 53 ) ) );
        thread = CreateThread( NULL, 0, server, NULL, 0, NULL );
        test_lists();
        test_filter();
        test_international();
        test_hosts();
        test_own_addresses();
        test_lookup_service();
        test_connect();
        if ( cancel && overlapped_result && get )
        {
            test_pending();
            test_limit();
        }
        else win_skip( "no GetAddrInfoEx that can be cancelled\n" );
        test_bare(); /* the last: the network is of no more use then */
        check_ok( closesocket( server_socket ) );
        server_socket = INVALID_SOCKET;
        ok( !WaitForSingleObject( thread, 10000 ), "the server does not end\n" );
        CloseHandle( thread );
    }
    if ( server_socket != INVALID_SOCKET ) check_ok( closesocket( server_socket ) );
    support_end();
}
