/*
 * The system's own DLLs that stand on ws2_32 work over it, in the process and in one that they start: wsock32 by name and
 * by ordinal, mswsock, WinHTTP and WinINet (GET and POST, waiting and with callbacks, against a server in this process),
 * RPC over TCP, iphlpapi's view of the sockets, dnsapi. They are loaded when asked for, so that no other test pays for them.
 */
#include "puppets.h"
#include <winhttp.h>
#include <http.h>
#include <iphlpapi.h>
#include <rpc.h>
#include <windns.h>

/* --- a small HTTP server ---------------------------------------------------------------------------------------------*/

#define BODY_BYTES 300000

static unsigned char body[BODY_BYTES];
static SOCKET http_listener;
static int http_port;
static LONG http_requests, http_uploads;

static unsigned char body_byte( unsigned int i ) { return i * 7 + ( i >> 8 ); }

static DWORD checksum( DWORD sum, const void *data, size_t size )
{
    const unsigned char *bytes = data;

    while ( size-- ) sum = ( sum ^ *bytes++ ) * 16777619;
    return sum;
}

static void send_all( SOCKET s, const void *data, int size )
{
    const char *next = data;

    while ( size > 0 )
    {
        int sent = send( s, next, size, 0 );

        if ( sent <= 0 ) return;
        next += sent;
        size -= sent;
    }
}

/* Serves one connection until its peer goes; the connections are kept alive. */
static DWORD WINAPI http_connection( void *parameter )
{
    SOCKET s = (SOCKET)parameter;
    char buffer[8192], head[256], *end;
    int held = 0, got;

    while ( ( got = recv( s, buffer + held, sizeof( buffer ) - 1 - held, 0 ) ) > 0 )
    {
        DWORD sum = 0, length = 0, rest;
        char *field;

        held += got;
        buffer[held] = 0;
        if ( !( end = strstr( buffer, "\r\n\r\n" ) ) ) continue;
        end += 4;
        InterlockedIncrement( &http_requests );
        if ( ( field = strstr( buffer, "Content-Length: " ) ) && field < end ) length = atoi( field + 16 );
        if ( !strncmp( buffer, "POST ", 5 ) )
        {
            rest = held - ( end - buffer );
            sum = checksum( sum, end, rest );
            while ( rest < length && ( got = recv( s, buffer, sizeof( buffer ) - 1, 0 ) ) > 0 )
            {
                sum = checksum( sum, buffer, got );
                rest += got;
            }
            InterlockedIncrement( &http_uploads );
            got = snprintf( head, sizeof( head ), "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n%08lx", sum );
            send_all( s, head, got );
        }
        else if ( !strncmp( buffer, "GET /large ", 11 ) )
        {
            got = snprintf( head, sizeof( head ), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", BODY_BYTES );
            send_all( s, head, got );
            send_all( s, body, BODY_BYTES );
        }
        else if ( !strncmp( buffer, "GET /chunks ", 12 ) )
        {
            send_all( s, head,
                      snprintf( head, sizeof( head ), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" ) );
            for ( int i = 0; i < 10; i++ )
            {
                send_all( s, head, snprintf( head, sizeof( head ), "5\r\npart%d\r\n", i ) );
                Sleep( 10 );
            }
            send_all( s, "0\r\n\r\n", 5 );
        }
        else if ( !strncmp( buffer, "GET /silence ", 13 ) ) /* no answer */
            ;
        else send_all( s, head, snprintf( head, sizeof( head ), "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello" ) );
        held = 0;
    }
    closesocket( s );
    return 0;
}

static DWORD WINAPI http_server( void *unused )
{
    SOCKET s;

    (void)unused;
    while ( ( s = accept( http_listener, NULL, NULL ) ) != INVALID_SOCKET )
        CloseHandle( CreateThread( NULL, 0, http_connection, (void *)s, 0, NULL ) );
    return 0;
}

static HANDLE http_start( void )
{
    union address address;

    for ( unsigned int i = 0; i < BODY_BYTES; i++ ) body[i] = body_byte( i );
    http_listener = tcp_listener( AF_INET, &address );
    http_port = address_port( &address );
    return CreateThread( NULL, 0, http_server, NULL, 0, NULL );
}

/* The functions of a DLL that is loaded now. FALSE, and a skip, where the system has no such DLL. */
static HMODULE dll;
static BOOL load( const char *name )
{
    dll = LoadLibraryA( name );
    if ( !dll ) skip( "no %s\n", name );
    return dll != NULL;
}
#define GET( function ) \
    __typeof__( &function ) p##function = (__typeof__( &function ))(void *)GetProcAddress( dll, #function ); \
    ok( p##function != NULL, "no " #function "\n" )

/* --- WinHTTP ---------------------------------------------------------------------------------------------------------*/

static const struct
{
    const WCHAR *verb, *path;
    DWORD size; /* of the answer */
} http_rows[] = {
    { L"GET", L"/", 5 }, { L"GET", L"/large", BODY_BYTES }, { L"GET", L"/chunks", 50 }, { L"POST", L"/sum", 8 }
};

static DWORD http_expected( unsigned int row )
{
    char text[64] = "";

    switch ( row )
    {
    case 0: return checksum( 0, "hello", 5 );
    case 1: return checksum( 0, body, BODY_BYTES );
    case 2:
        for ( int i = 0; i < 10; i++ ) sprintf( text + 5 * i, "part%d", i );
        return checksum( 0, text, 50 );
    default: sprintf( text, "%08lx", checksum( 0, body, BODY_BYTES ) ); return checksum( 0, text, 8 );
    }
}

static void test_winhttp( void )
{
    HINTERNET session, connection, request;
    LONG before = http_requests;
    DWORD limit = 300, begin, error;
    BOOL received;

    if ( !load( "winhttp.dll" ) ) return;
    GET( WinHttpOpen );
    GET( WinHttpConnect );
    GET( WinHttpOpenRequest );
    GET( WinHttpSendRequest );
    GET( WinHttpReceiveResponse );
    GET( WinHttpReadData );
    GET( WinHttpQueryHeaders );
    GET( WinHttpCloseHandle );
    GET( WinHttpSetOption );
    GET( WinHttpSetTimeouts );

    session = pWinHttpOpen( L"ws2host", WINHTTP_ACCESS_TYPE_NO_PROXY, NULL, NULL, 0 );
    ok( session != NULL, "no session, error %lu\n", GetLastError() );
    connection = pWinHttpConnect( session, L"127.0.0.1", http_port, 0 );
    for ( unsigned int i = 0; i < ARRAY_SIZE( http_rows ); i++ )
    {
        DWORD sum = 0, size = 0, got, status = 0, length = sizeof( status );
        DWORD upload = wcscmp( http_rows[i].verb, L"POST" ) ? 0 : BODY_BYTES;
        char buffer[4096];

        winetest_push_context( "row %u", i );
        request = pWinHttpOpenRequest( connection, http_rows[i].verb, http_rows[i].path, NULL, NULL, NULL, 0 );
        ok( request != NULL, "no request, error %lu\n", GetLastError() );
        ok( pWinHttpSendRequest( request, NULL, 0, upload ? body : NULL, upload, upload, 0 ), "send: error %lu\n",
            GetLastError() );
        ok( pWinHttpReceiveResponse( request, NULL ), "receive: error %lu\n", GetLastError() );
        ok( pWinHttpQueryHeaders( request, WINHTTP_QUERY_STATUS_CODE | WINHTTP_QUERY_FLAG_NUMBER, NULL, &status,
                                  &length, NULL ) &&
                status == 200,
            "status %lu\n", status );
        while ( pWinHttpReadData( request, buffer, sizeof( buffer ), &got ) && got )
        {
            sum = checksum( sum, buffer, got );
            size += got;
        }
        ok( size == http_rows[i].size && sum == http_expected( i ), "%lu bytes, sum %lx\n", size, sum );
        pWinHttpCloseHandle( request );
        winetest_pop_context();
    }
    ok( http_requests - before == ARRAY_SIZE( http_rows ), "%ld requests came\n", http_requests - before );

    /* a server that does not answer: the time limit of receiving holds */
    request = pWinHttpOpenRequest( connection, L"GET", L"/silence", NULL, NULL, NULL, 0 );
    ok( pWinHttpSetTimeouts( request, 5000, 5000, 5000, limit ), "no time limits, error %lu\n", GetLastError() );
    ok( pWinHttpSetOption( request, WINHTTP_OPTION_RECEIVE_RESPONSE_TIMEOUT, &limit, sizeof( limit ) ),
        "no limit of the answer, error %lu\n", GetLastError() );
    ok( pWinHttpSendRequest( request, NULL, 0, NULL, 0, 0, 0 ), "send: error %lu\n", GetLastError() );
    SetLastError( ERROR_UNTOUCHED );
    begin = GetTickCount();
    received = pWinHttpReceiveResponse( request, NULL );
    ok( GetTickCount() - begin < 20000, "%lu ms\n", GetTickCount() - begin );
    error = GetLastError();
    ok( !received, "an answer\n" );
    todo_wine_if( error == WSAETIMEDOUT ) /* its WinHTTP hands Winsock's error on, over any ws2_32 */
        ok( error == ERROR_WINHTTP_TIMEOUT, "error %lu\n", error );
    pWinHttpCloseHandle( request );
    pWinHttpCloseHandle( connection );

    /* nobody listens */
    {
        union address address;
        SOCKET closed = tcp_bound( AF_INET, &address );

        connection = pWinHttpConnect( session, L"localhost", address_port( &address ), 0 );
        request = pWinHttpOpenRequest( connection, L"GET", L"/", NULL, NULL, NULL, 0 );
        SetLastError( ERROR_UNTOUCHED );
        ok( !pWinHttpSendRequest( request, NULL, 0, NULL, 0, 0, 0 ) && GetLastError() == ERROR_WINHTTP_CANNOT_CONNECT,
            "error %lu\n", GetLastError() );
        pWinHttpCloseHandle( request );
        pWinHttpCloseHandle( connection );
        check_ok( closesocket( closed ) );
    }
    pWinHttpCloseHandle( session );
    FreeLibrary( dll );
}

static struct
{
    HANDLE event;
    LONG last, closing;
    DWORD size, error;
} callback;

static void CALLBACK winhttp_callback( HINTERNET handle, DWORD_PTR context, DWORD status, void *information,
                                       DWORD size )
{
    (void)handle;
    (void)context;
    switch ( status )
    {
    case WINHTTP_CALLBACK_STATUS_REQUEST_ERROR:
        callback.error = ( (WINHTTP_ASYNC_RESULT *)information )->dwError;
        break;
    case WINHTTP_CALLBACK_STATUS_READ_COMPLETE: callback.size = size; break;
    case WINHTTP_CALLBACK_STATUS_HANDLE_CLOSING: InterlockedIncrement( &callback.closing ); return;
    case WINHTTP_CALLBACK_STATUS_SENDREQUEST_COMPLETE:
    case WINHTTP_CALLBACK_STATUS_HEADERS_AVAILABLE: break;
    default: return;
    }
    callback.last = status;
    SetEvent( callback.event );
}

static BOOL callback_wait( LONG status )
{
    if ( WaitForSingleObject( callback.event, 20000 ) ) return FALSE;
    return callback.last == status;
}

static void test_winhttp_async( void )
{
    static const DWORD wanted = WINHTTP_CALLBACK_FLAG_ALL_COMPLETIONS | WINHTTP_CALLBACK_FLAG_HANDLES;
    HINTERNET session, connection, request;

    if ( !load( "winhttp.dll" ) ) return;
    GET( WinHttpOpen );
    GET( WinHttpConnect );
    GET( WinHttpOpenRequest );
    GET( WinHttpSendRequest );
    GET( WinHttpReceiveResponse );
    GET( WinHttpReadData );
    GET( WinHttpSetStatusCallback );
    GET( WinHttpCloseHandle );

    memset( &callback, 0, sizeof( callback ) );
    callback.event = CreateEventW( NULL, FALSE, FALSE, NULL );
    session = pWinHttpOpen( L"ws2host", WINHTTP_ACCESS_TYPE_NO_PROXY, NULL, NULL, WINHTTP_FLAG_ASYNC );
    ok( session != NULL, "no session, error %lu\n", GetLastError() );
    ok( pWinHttpSetStatusCallback( session, winhttp_callback, wanted, 0 ) != WINHTTP_INVALID_STATUS_CALLBACK,
        "no callback, error %lu\n", GetLastError() );
    connection = pWinHttpConnect( session, L"localhost", http_port, 0 );
    for ( unsigned int i = 0; i < ARRAY_SIZE( http_rows ); i++ )
    {
        DWORD upload = wcscmp( http_rows[i].verb, L"POST" ) ? 0 : BODY_BYTES;
        static char buffer[65536];
        DWORD sum = 0, size = 0;

        winetest_push_context( "row %u", i );
        request = pWinHttpOpenRequest( connection, http_rows[i].verb, http_rows[i].path, NULL, NULL, NULL, 0 );
        ok( pWinHttpSendRequest( request, NULL, 0, upload ? body : NULL, upload, upload, 0 ), "send: error %lu\n",
            GetLastError() );
        ok( callback_wait( WINHTTP_CALLBACK_STATUS_SENDREQUEST_COMPLETE ), "status %lx, error %lu\n", callback.last,
            callback.error );
        ok( pWinHttpReceiveResponse( request, NULL ), "receive: error %lu\n", GetLastError() );
        ok( callback_wait( WINHTTP_CALLBACK_STATUS_HEADERS_AVAILABLE ), "status %lx, error %lu\n", callback.last,
            callback.error );
        for ( ;; )
        {
            if ( !pWinHttpReadData( request, buffer, sizeof( buffer ), NULL ) ||
                 !callback_wait( WINHTTP_CALLBACK_STATUS_READ_COMPLETE ) || !callback.size )
                break;
            sum = checksum( sum, buffer, callback.size );
            size += callback.size;
        }
        ok( size == http_rows[i].size && sum == http_expected( i ), "%lu bytes, sum %lx, status %lx\n", size, sum,
            callback.last );
        pWinHttpCloseHandle( request );
        winetest_pop_context();
    }
    pWinHttpCloseHandle( connection );
    pWinHttpCloseHandle( session );
    for ( int i = 0; i < 500 && callback.closing < (LONG)ARRAY_SIZE( http_rows ) + 2; i++ ) Sleep( 10 );
    ok( callback.closing == ARRAY_SIZE( http_rows ) + 2, "%ld handles told that they close\n", callback.closing );
    CloseHandle( callback.event );
}

/* --- WinINet: its header and WinHTTP's exclude each other --------------------------------------------------------------*/

static void test_wininet( void )
{
    HINTERNET( WINAPI * open )( const WCHAR *, DWORD, const WCHAR *, const WCHAR *, DWORD );
    HINTERNET( WINAPI * open_url )( HINTERNET, const WCHAR *, const WCHAR *, DWORD, DWORD, DWORD_PTR );
    HINTERNET( WINAPI * connection_open )
    ( HINTERNET, const WCHAR *, WORD, const WCHAR *, const WCHAR *, DWORD, DWORD, DWORD_PTR );
    HINTERNET( WINAPI * request_open )
    ( HINTERNET, const WCHAR *, const WCHAR *, const WCHAR *, const WCHAR *, const WCHAR **, DWORD, DWORD_PTR );
    BOOL( WINAPI * request_send )( HINTERNET, const WCHAR *, DWORD, void *, DWORD );
    BOOL( WINAPI * read )( HINTERNET, void *, DWORD, DWORD * );
    BOOL( WINAPI * close )( HINTERNET );
    const DWORD flags = 0x84000000 | 0x00400000; /* INTERNET_FLAG_RELOAD, _NO_CACHE_WRITE, _KEEP_CONNECTION */
    HINTERNET session, connection, request;
    WCHAR url[64];

    if ( !load( "wininet.dll" ) ) return;
    open = (void *)GetProcAddress( dll, "InternetOpenW" );
    open_url = (void *)GetProcAddress( dll, "InternetOpenUrlW" );
    connection_open = (void *)GetProcAddress( dll, "InternetConnectW" );
    request_open = (void *)GetProcAddress( dll, "HttpOpenRequestW" );
    request_send = (void *)GetProcAddress( dll, "HttpSendRequestW" );
    read = (void *)GetProcAddress( dll, "InternetReadFile" );
    close = (void *)GetProcAddress( dll, "InternetCloseHandle" );

    session = open( L"ws2host", 1 /* INTERNET_OPEN_TYPE_DIRECT */, NULL, NULL, 0 );
    ok( session != NULL, "no session, error %lu\n", GetLastError() );
    connection = connection_open( session, L"127.0.0.1", http_port, NULL, NULL, 3 /* INTERNET_SERVICE_HTTP */, 0, 0 );
    ok( connection != NULL, "no connection, error %lu\n", GetLastError() );
    for ( unsigned int i = 0; i < ARRAY_SIZE( http_rows ); i++ )
    {
        DWORD upload = wcscmp( http_rows[i].verb, L"POST" ) ? 0 : BODY_BYTES;
        DWORD sum = 0, size = 0, got;
        char buffer[5000];

        winetest_push_context( "row %u", i );
        if ( upload )
        {
            request = request_open( connection, L"POST", http_rows[i].path, NULL, NULL, NULL, flags, 0 );
            ok( request_send( request, NULL, 0, body, upload ), "error %lu\n", GetLastError() );
        }
        else
        {
            swprintf( url, ARRAY_SIZE( url ), L"http://localhost:%d%ls", http_port, http_rows[i].path );
            request = open_url( session, url, NULL, 0, flags, 0 );
            ok( request != NULL, "error %lu\n", GetLastError() );
        }
        while ( request && read( request, buffer, sizeof( buffer ), &got ) && got )
        {
            sum = checksum( sum, buffer, got );
            size += got;
        }
        ok( size == http_rows[i].size && sum == http_expected( i ), "%lu bytes, sum %lx\n", size, sum );
        close( request );
        winetest_pop_context();
    }
    close( connection );
    close( session );
}

/* --- a program that never calls WSAStartup ---------------------------------------------------------------------------*/

static void unstarted_child( int port )
{
    struct addrinfo *list;
    char name[MAX_COMPUTERNAME_LENGTH + 1];
    DWORD size = sizeof( name );

    check_result( getaddrinfo( "localhost", NULL, NULL, &list ), WSANOTINITIALISED );
    check_fails( gethostname( name, sizeof( name ) ), WSANOTINITIALISED );
    ok( GetComputerNameA( name, &size ), "the computer has no name, error %lu\n", GetLastError() );
    http_port = port;
    for ( unsigned int i = 0; i < BODY_BYTES; i++ ) body[i] = body_byte( i );
    test_winhttp_async();
}

static void test_unstarted( void )
{
    char arguments[32];
    HANDLE process;
    DWORD code;

    sprintf( arguments, "unstarted %d", http_port );
    process = run_child( arguments, NULL, NULL, 0, NULL );
    ok( !WaitForSingleObject( process, 60000 ), "the child does not end\n" );
    ok( GetExitCodeProcess( process, &code ) && !code, "exit code %lu\n", code );
    CloseHandle( process );
}

/* --- wsock32: the ordinals of programs of 1993 ------------------------------------------------------------------------*/

static void test_wsock32( void )
{
    static const struct
    {
        WORD ordinal;
        const char *name;
    } rows[] = { { 1, "accept" },
                 { 2, "bind" },
                 { 3, "closesocket" },
                 { 4, "connect" },
                 { 5, "getpeername" },
                 { 6, "getsockname" },
                 { 7, "getsockopt" },
                 { 8, "htonl" },
                 { 9, "htons" },
                 { 10, "inet_addr" },
                 { 11, "inet_ntoa" },
                 { 12, "ioctlsocket" },
                 { 13, "listen" },
                 { 14, "ntohl" },
                 { 15, "ntohs" },
                 { 16, "recv" },
                 { 17, "recvfrom" },
                 { 18, "select" },
                 { 19, "send" },
                 { 20, "sendto" },
                 { 21, "setsockopt" },
                 { 22, "shutdown" },
                 { 23, "socket" },
                 { 51, "gethostbyaddr" },
                 { 52, "gethostbyname" },
                 { 53, "getprotobyname" },
                 { 54, "getprotobynumber" },
                 { 55, "getservbyname" },
                 { 56, "getservbyport" },
                 { 57, "gethostname" },
                 { 101, "WSAAsyncSelect" },
                 { 102, "WSAAsyncGetHostByAddr" },
                 { 103, "WSAAsyncGetHostByName" },
                 { 107, "WSAAsyncGetServByName" },
                 { 108, "WSACancelAsyncRequest" },
                 { 109, "WSASetBlockingHook" },
                 { 110, "WSAUnhookBlockingHook" },
                 { 111, "WSAGetLastError" },
                 { 112, "WSASetLastError" },
                 { 113, "WSACancelBlockingCall" },
                 { 114, "WSAIsBlocking" },
                 { 115, "WSAStartup" },
                 { 116, "WSACleanup" },
                 { 151, "__WSAFDIsSet" },
                 { 1140, "TransmitFile" },
                 { 1141, "AcceptEx" },
                 { 1142, "GetAcceptExSockaddrs" } };
    union address address;
    SOCKET listener, client, server;
    struct ip_mreq group = { .imr_multiaddr.s_addr = inet_addr( "239.1.2.3" ) };
    int length, value;
    WSADATA data;
    char byte;

    if ( !load( "wsock32.dll" ) ) return;
    for ( unsigned int i = 0; i < ARRAY_SIZE( rows ); i++ )
    {
        void *by_ordinal = GetProcAddress( dll, (const char *)(ULONG_PTR)rows[i].ordinal );

        ok( by_ordinal && by_ordinal == GetProcAddress( dll, rows[i].name ), "%s is not %u\n", rows[i].name,
            rows[i].ordinal );
    }

    GET( WSAStartup );
    GET( WSACleanup );
    GET( socket );
    GET( bind );
    GET( listen );
    GET( accept );
    GET( connect );
    GET( getsockname );
    GET( getsockopt );
    GET( setsockopt );
    GET( send );
    GET( recv );
    GET( closesocket );
    GET( inet_addr );
    GET( gethostbyname );
    ok( !pWSAStartup( MAKEWORD( 1, 1 ), &data ) && data.wVersion == MAKEWORD( 1, 1 ), "version %x\n", data.wVersion );
    listener = psocket( AF_INET, SOCK_STREAM, 0 );
    ok( listener != INVALID_SOCKET, "no socket, error %d\n", WSAGetLastError() );
    length = address_loopback( &address, AF_INET, 0 );
    ok( pinet_addr( "127.0.0.1" ) == address.v4.sin_addr.s_addr, "another address\n" );
    check_ok( pbind( listener, &address.any, length ) );
    check_ok( pgetsockname( listener, &address.any, &length ) );
    check_ok( plisten( listener, 1 ) );
    client = psocket( AF_INET, SOCK_STREAM, 0 );
    check_ok( pconnect( client, &address.any, length ) );
    server = paccept( listener, NULL, NULL );
    check_result( psend( client, "x", 1, 0 ), 1 );
    check_result( precv( server, &byte, 1, 0 ), 1 );
    ok( byte == 'x', "another byte\n" );
    ok( pgethostbyname( "localhost" ) != NULL, "no localhost, error %d\n", WSAGetLastError() );
    check_ok( pclosesocket( client ) );
    check_result( precv( server, &byte, 1, 0 ), 0 );
    check_ok( pclosesocket( server ) );
    check_ok( pclosesocket( listener ) );

    /* the multicast options had other numbers: 2 to 6 for IF, TTL, LOOP, ADD and DROP */
    client = psocket( AF_INET, SOCK_DGRAM, 0 );
    value = 7;
    check_ok( psetsockopt( client, IPPROTO_IP, 3, (char *)&value, sizeof( value ) ) );
    value = 0;
    length = sizeof( value );
    check_ok( getsockopt( client, IPPROTO_IP, IP_MULTICAST_TTL, (char *)&value, &length ) );
    ok( value == 7, "TTL %d\n", value );
    group.imr_interface.s_addr = htonl( INADDR_LOOPBACK );
    check_ok( psetsockopt( client, IPPROTO_IP, 5, (char *)&group, sizeof( group ) ) );
    check_ok( psetsockopt( client, IPPROTO_IP, 6, (char *)&group, sizeof( group ) ) );
    check_ok( pclosesocket( client ) );
    check_ok( pWSACleanup() );
}

/* --- mswsock: functions that programs link to, and WSARecvEx ------------------------------------------------------------*/

static void test_mswsock( void )
{
    SOCKET listener, acceptor = socket( AF_INET, SOCK_STREAM, 0 ), client = socket( AF_INET, SOCK_STREAM, 0 );
    char buffer[2 * ( sizeof( struct sockaddr_in ) + 16 )], path[MAX_PATH], text[32] = { 0 };
    struct sockaddr *local, *remote;
    union address address, own;
    OVERLAPPED overlapped = { 0 };
    int length = sizeof( own ), local_size, remote_size, flags, got;
    DWORD received;
    HANDLE file;

    if ( !load( "mswsock.dll" ) ) return;
    GET( AcceptEx );
    GET( GetAcceptExSockaddrs );
    GET( TransmitFile );
    GET( WSARecvEx );
    listener = tcp_listener( AF_INET, &address );
    overlapped.hEvent = CreateEventW( NULL, TRUE, FALSE, NULL );
    check_error( pAcceptEx( listener, acceptor, buffer, 0, sizeof( struct sockaddr_in ) + 16,
                            sizeof( struct sockaddr_in ) + 16, &received, &overlapped ),
                 FALSE, WSA_IO_PENDING );
    check_ok( connect( client, &address.any, sizeof( address.v4 ) ) );
    ok( !WaitForSingleObject( overlapped.hEvent, 10000 ), "no connection came\n" );
    ok( GetOverlappedResult( (HANDLE)listener, &overlapped, &received, FALSE ), "error %lu\n", GetLastError() );
    check_ok( setsockopt( acceptor, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, (char *)&listener, sizeof( listener ) ) );
    pGetAcceptExSockaddrs( buffer, 0, sizeof( struct sockaddr_in ) + 16, sizeof( struct sockaddr_in ) + 16, &local,
                           &local_size, &remote, &remote_size );
    check_ok( getsockname( client, &own.any, &length ) );
    ok( local_size == sizeof( address.v4 ) && !memcmp( local, &address, local_size ), "another local address\n" );
    ok( remote_size == sizeof( own.v4 ) && !memcmp( remote, &own, remote_size ), "another remote address\n" );

    GetTempPathA( sizeof( path ) - 20, path );
    sprintf( path + strlen( path ), "ws2-%lx.txt", GetCurrentProcessId() );
    file = CreateFileA( path, GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, FILE_FLAG_DELETE_ON_CLOSE, NULL );
    ok( WriteFile( file, "from a file", 11, &received, NULL ), "error %lu\n", GetLastError() );
    SetFilePointer( file, 0, NULL, FILE_BEGIN );
    ok( pTransmitFile( acceptor, file, 0, 0, NULL, NULL, 0 ), "error %d\n", WSAGetLastError() );
    CloseHandle( file );
    set_receive_timeout( client, 10000 );
    flags = 0;
    got = pWSARecvEx( client, text, sizeof( text ), &flags );
    todo_wine /* its mswsock has no WSARecvEx */
        ok( got == 11 && !memcmp( text, "from a file", 11 ) && !flags, "%d bytes, flags %x, error %d\n", got, flags,
            WSAGetLastError() );

    check_ok( closesocket( client ) );
    check_ok( closesocket( acceptor ) );
    check_ok( closesocket( listener ) );
    CloseHandle( overlapped.hEvent );
}

/* --- iphlpapi: what it says of this process's sockets -----------------------------------------------------------------*/

/* From some version after 8 on the loader lists the sockets that its own server made, and no others. */
static BOOL lists_its_own_only( void )
{
    const char *( CDECL * get_version )( void ) =
        (void *)GetProcAddress( GetModuleHandleA( "ntdll.dll" ), "wine_get_version" );

    return GetModuleHandleA( "ws2host.dll" ) && get_version && atoi( get_version() ) > 8;
}

static void test_iphlpapi( void )
{
    union address address;
    SOCKET listener = tcp_listener( AF_INET, &address );
    IP_ADAPTER_ADDRESSES *adapters, *next;
    MIB_TCPTABLE_OWNER_PID *table;
    ULONG size = 0, result;
    BOOL found = FALSE, loopback = FALSE;
    char name[IF_NAMESIZE + 256];

    if ( !load( "iphlpapi.dll" ) ) return;
    GET( GetAdaptersAddresses );
    GET( GetExtendedTcpTable );
    GET( if_nametoindex );
    GET( if_indextoname );

    result = pGetAdaptersAddresses( AF_UNSPEC, 0, NULL, NULL, &size );
    ok( result == ERROR_BUFFER_OVERFLOW && size, "returned %lu, size %lu\n", result, size );
    adapters = malloc( size += 4096 );
    result = pGetAdaptersAddresses( AF_UNSPEC, 0, NULL, adapters, &size );
    ok( !result, "returned %lu\n", result );
    for ( next = result ? NULL : adapters; next; next = next->Next )
    {
        loopback |= next->IfType == IF_TYPE_SOFTWARE_LOOPBACK;
        if ( !next->IfIndex ) continue;
        ok( pif_indextoname( next->IfIndex, name ) != NULL, "interface %lu has no name\n", next->IfIndex );
        ok( pif_nametoindex( name ) == next->IfIndex, "%s has another index\n", name );
    }
    ok( loopback, "no loopback interface\n" );
    free( adapters );

    size = 0;
    pGetExtendedTcpTable( NULL, &size, FALSE, AF_INET, TCP_TABLE_OWNER_PID_LISTENER, 0 );
    table = malloc( size += 65536 );
    result = pGetExtendedTcpTable( table, &size, FALSE, AF_INET, TCP_TABLE_OWNER_PID_LISTENER, 0 );
    ok( !result, "returned %lu\n", result );
    for ( DWORD i = 0; !result && i < table->dwNumEntries; i++ )
    {
        if ( table->table[i].dwLocalPort != address.v4.sin_port ) continue;
        found = TRUE;
        ok( table->table[i].dwOwningPid == GetCurrentProcessId(), "owned by %lx\n", table->table[i].dwOwningPid );
    }
    todo_wine_if( lists_its_own_only() ) ok( found, "the listener is not in the table\n" );
    free( table );
    check_ok( closesocket( listener ) );
}

/* --- http.sys: the sockets are those of a driver's process; its client is here ------------------------------------------*/

static void test_http_sys( void )
{
    HTTPAPI_VERSION version = HTTPAPI_VERSION_1;
    char buffer[4096], answer[1024] = { 0 }, question[128];
    HTTP_REQUEST *request = (HTTP_REQUEST *)buffer;
    HTTP_RESPONSE response = { .StatusCode = 200, .pReason = "OK", .ReasonLength = 2, .EntityChunkCount = 1 };
    HTTP_DATA_CHUNK chunk = { .DataChunkType = HttpDataChunkFromMemory };
    OVERLAPPED overlapped = { 0 };
    union address address;
    HANDLE queue = NULL;
    WCHAR url[64];
    ULONG result, size;
    int length, got, held = 0;
    SOCKET s;

    if ( !load( "httpapi.dll" ) ) return;
    GET( HttpInitialize );
    GET( HttpTerminate );
    GET( HttpCreateHttpHandle );
    GET( HttpAddUrl );
    GET( HttpReceiveHttpRequest );
    GET( HttpSendHttpResponse );

    /* a service manager that has just come up refuses for a moment */
    for ( int i = 0; i < 20 && ( result = pHttpInitialize( version, HTTP_INITIALIZE_SERVER, NULL ) ); i++ )
        Sleep( 100 );
    if ( result )
    {
        skip( "no http.sys, error %lu\n", result );
        return;
    }
    result = pHttpCreateHttpHandle( &queue, 0 );
    ok( !result, "no queue, error %lu\n", result );
    /* a port that is free now */
    s = tcp_bound( AF_INET, &address );
    check_ok( closesocket( s ) );
    swprintf( url, ARRAY_SIZE( url ), L"http://localhost:%d/", address_port( &address ) );
    result = pHttpAddUrl( queue, url, NULL );
    if ( result == ERROR_ACCESS_DENIED && !winetest_is_wine() ) /* for administrators */
        skip( "may not add an URL\n" );
    else
    {
        ok( !result, "no URL, error %lu\n", result );
        overlapped.hEvent = CreateEventW( NULL, TRUE, FALSE, NULL );
        result = pHttpReceiveHttpRequest( queue, 0, 0, request, sizeof( buffer ), NULL, &overlapped );
        ok( result == ERROR_IO_PENDING, "receive: error %lu\n", result );
        s = socket( AF_INET, SOCK_STREAM, 0 );
        length = address_loopback( &address, AF_INET, address_port( &address ) );
        check_ok( connect( s, &address.any, length ) );
        set_receive_timeout( s, 10000 );
        length = snprintf( question, sizeof( question ), "GET /kernel?a=b HTTP/1.1\r\nHost: localhost:%d\r\n\r\n",
                           address_port( &address ) );
        check_result( send( s, question, length, 0 ), length );
        ok( !WaitForSingleObject( overlapped.hEvent, 10000 ), "no request came\n" );
        ok( GetOverlappedResult( queue, &overlapped, &size, FALSE ), "error %lu\n", GetLastError() );
        ok( request->Verb == HttpVerbGET && !wcscmp( request->CookedUrl.pAbsPath, L"/kernel?a=b" ),
            "another request\n" );
        chunk.FromMemory.pBuffer = (void *)"from the kernel";
        chunk.FromMemory.BufferLength = 15;
        response.pEntityChunks = &chunk;
        result = pHttpSendHttpResponse( queue, request->RequestId, 0, (HTTP_RESPONSE *)&response, NULL, &size, NULL, 0,
                                        NULL, NULL );
        ok( !result, "send: error %lu\n", result );
        while ( held < (int)sizeof( answer ) - 1 && !strstr( answer, "from the kernel" ) &&
                ( got = recv( s, answer + held, sizeof( answer ) - 1 - held, 0 ) ) > 0 )
            held += got;
        ok( !strncmp( answer, "HTTP/1.1 200 OK\r\n", 17 ) && strstr( answer, "\r\n\r\nfrom the kernel" ), "answer %s\n",
            answer );
        check_ok( closesocket( s ) );
        CloseHandle( overlapped.hEvent );
    }
    CloseHandle( queue );
    pHttpTerminate( HTTP_INITIALIZE_SERVER, NULL );
}

/* --- dnsapi: loads beside us, and what needs no network ----------------------------------------------------------------*/

static void test_dnsapi( void )
{
    DNS_STATUS( WINAPI * pDnsValidateName_A )( LPCSTR, DNS_NAME_FORMAT ); /* mingw-w64's prototype has no WINAPI */

    if ( !load( "dnsapi.dll" ) ) return;
    GET( DnsNameCompare_A );
    pDnsValidateName_A = (void *)GetProcAddress( dll, "DnsValidateName_A" );
    ok( pDnsNameCompare_A( "Host.Example", "host.example" ), "names differ\n" );
    ok( !pDnsValidateName_A( "host.example", DnsNameHostnameFull ), "a name is none\n" );
}

/* --- RPC over TCP: sockets with event objects, in a runtime of its own --------------------------------------------------*/

static DWORD WINAPI rpc_stop( void *event )
{
    RPC_STATUS( RPC_ENTRY * stop )( RPC_BINDING_HANDLE ) = (void *)GetProcAddress( dll, "RpcMgmtStopServerListening" );

    WaitForSingleObject( event, 20000 );
    return stop( NULL );
}

static void test_rpc( void )
{
    RPC_STATUS( RPC_ENTRY * use )( unsigned char *, unsigned int, void * );
    RPC_STATUS( RPC_ENTRY * inquire )( RPC_BINDING_VECTOR ** );
    RPC_STATUS( RPC_ENTRY * vector_free )( RPC_BINDING_VECTOR ** );
    RPC_STATUS( RPC_ENTRY * to_string )( RPC_BINDING_HANDLE, unsigned char ** );
    RPC_STATUS( RPC_ENTRY * parse )
    ( unsigned char *, unsigned char **, unsigned char **, unsigned char **, unsigned char **, unsigned char ** );
    RPC_STATUS( RPC_ENTRY * listen_rpc )( unsigned int, unsigned int, unsigned int );
    RPC_BINDING_VECTOR *vector = NULL;
    HANDLE event, thread;
    int port = 0;

    if ( !load( "rpcrt4.dll" ) ) return;
    use = (void *)GetProcAddress( dll, "RpcServerUseProtseqA" );
    inquire = (void *)GetProcAddress( dll, "RpcServerInqBindings" );
    vector_free = (void *)GetProcAddress( dll, "RpcBindingVectorFree" );
    to_string = (void *)GetProcAddress( dll, "RpcBindingToStringBindingA" );
    parse = (void *)GetProcAddress( dll, "RpcStringBindingParseA" );
    listen_rpc = (void *)GetProcAddress( dll, "RpcServerListen" );

    ok( !use( (unsigned char *)"ncacn_ip_tcp", 10, NULL ), "no TCP\n" );
    ok( !inquire( &vector ) && vector->Count, "no bindings\n" );
    for ( unsigned int i = 0; vector && i < vector->Count; i++ )
    {
        unsigned char *text, *sequence, *endpoint;

        if ( to_string( vector->BindingH[i], &text ) || parse( text, NULL, &sequence, NULL, &endpoint, NULL ) )
            continue;
        if ( !strcmp( (char *)sequence, "ncacn_ip_tcp" ) ) port = atoi( (char *)endpoint );
    }
    if ( vector ) vector_free( &vector );
    ok( port > 0, "no port\n" );

    event = CreateEventW( NULL, TRUE, FALSE, NULL );
    ok( !listen_rpc( 1, 10, TRUE ), "the server does not listen\n" );
    thread = CreateThread( NULL, 0, rpc_stop, event, 0, NULL );
    /* a bind PDU of an interface that nobody serves gets a bind_ack (12) that refuses the context, or a bind_nak (13) */
    {
        static const unsigned char bind_pdu[72] = {
            5,    0,    11,   3,    0x10, 0,    0,    0,    72,   0,    0,    0,    1,    0,    0,    0,    0xd0, 0x16,
            0xd0, 0x16, 0,    0,    0,    0,    1,    0,    0,    0,    0,    0,    1,    0,    0xde, 0xad, 0xbe, 0xef,
            0,    1,    2,    3,    4,    5,    6,    7,    8,    9,    10,   11,   1,    0,    0,    0,    0x04, 0x5d,
            0x88, 0x8a, 0xeb, 0x1c, 0xc9, 0x11, 0x9f, 0xe8, 0x08, 0x00, 0x2b, 0x10, 0x48, 0x60, 2,    0,    0,    0
        };
        unsigned char answer[512] = { 0 };
        union address address;
        SOCKET s = socket( AF_INET, SOCK_STREAM, 0 );
        int length = address_loopback( &address, AF_INET, port ), got;

        check_ok( connect( s, &address.any, length ) );
        set_receive_timeout( s, 10000 );
        check_result( send( s, (const char *)bind_pdu, sizeof( bind_pdu ), 0 ), sizeof( bind_pdu ) );
        got = recv( s, (char *)answer, sizeof( answer ), 0 );
        ok( got >= 16 && answer[0] == 5 && ( answer[2] == 12 || answer[2] == 13 ), "%d bytes, kind %u, error %d\n", got,
            answer[2], WSAGetLastError() );
        check_ok( closesocket( s ) );
    }
    SetEvent( event );
    ok( !WaitForSingleObject( thread, 20000 ), "the server does not stop\n" );
    CloseHandle( thread );
    CloseHandle( event );
}

START_TEST( dlls_on_top )
{
    HANDLE server;
    char **argv;

    if ( winetest_get_mainargs( &argv ) == 4 && !strcmp( argv[2], "unstarted" ) )
        return unstarted_child( atoi( argv[3] ) );
    if ( support_begin() ) return;
    server = http_start();
    test_winhttp();
    test_winhttp_async();
    test_wininet();
    test_unstarted();
    check_ok( closesocket( http_listener ) );
    ok( !WaitForSingleObject( server, 10000 ), "the server does not end\n" );
    CloseHandle( server );
    test_wsock32();
    test_mswsock();
    test_iphlpapi();
    test_http_sys();
    test_dnsapi();
    test_rpc();
    support_end();
}
