/*
 * How the program is told of an end (facts: windows-behaviour 6.2, 6.3, 9.1). An end that is told in several ways is told
 * in all of them when the program notices the first; the receives of a connection that is closed end as aborted
 * connections do, whoever began them; and a request belongs to the socket, not to the handle that it was made through.
 */
#include "requests.h"
#include <winternl.h>

#define STATUS_CONNECTION_ABORTED_ 0xc0000241
#define STATUS_CANCELLED_ 0xc0000120
#define SLOT6 ( sizeof( struct sockaddr_in6 ) + 16 )
#define KEY 125

NTSTATUS NTAPI NtClose( HANDLE handle );

static LPFN_ACCEPTEX accept_ex;
static LPFN_DISCONNECTEX disconnect_ex;

static void load( void )
{
    SOCKET s = socket( AF_INET, SOCK_STREAM, 0 );

    accept_ex = extension( s, (GUID)WSAID_ACCEPTEX );
    disconnect_ex = extension( s, (GUID)WSAID_DISCONNECTEX );
    closesocket( s );
}

static int receive( SOCKET s, char *data, OVERLAPPED *ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine )
{
    WSABUF buffer = { 16, data };
    DWORD flags = 0;

    return WSARecv( s, &buffer, 1, NULL, &flags, ov, routine );
}

/* What is in the port, without waiting. */
#define check_packet_now( port, ov, result, error, size ) check_packet_within( port, 0, KEY, ov, result, error, size )
/* The same within 300 ms. */
#define check_packet( port, ov, result, error, size ) check_packet_within( port, 300, KEY, ov, result, error, size )

/* --- in all ways at once ------------------------------------------------------------------------------------------------*/

enum notice
{
    BY_EVENT,  /* then the packet is there */
    BY_STATUS, /* then too */
    BY_PACKET, /* then the event is set */
    NOTICES
};

static void await( enum notice notice, HANDLE event, const OVERLAPPED *ov )
{
    const DWORD start = GetTickCount();

    if ( notice == BY_EVENT ) ok( !WaitForSingleObject( event, 10000 ), "the event is not set\n" );
    else if ( notice == BY_STATUS )
        while ( *(volatile ULONG_PTR *)&ov->Internal == STATUS_PENDING && GetTickCount() - start < 10000 )
            SwitchToThread();
}

static DWORD WINAPI send_slowly( void *arg )
{
    for ( int i = 0; i < 100; i++ )
    {
        if ( send( *(SOCKET *)arg, "hello", 5, 0 ) != 5 ) return 1;
        if ( i % 4 ) Sleep( 1 );
    }
    return 0;
}

static void test_all_ways( enum notice notice, BOOL skips )
{
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL ), port, thread;
    SOCKET client, server;
    unsigned int received = 0;
    DWORD code;

    winetest_push_context( "notice %d, skip %d", notice, skips );
    tcp_pair( &client, &server );
    port = CreateIoCompletionPort( (HANDLE)server, NULL, KEY, 0 );
    if ( skips ) SetFileCompletionNotificationModes( (HANDLE)server, FILE_SKIP_COMPLETION_PORT_ON_SUCCESS );
    thread = CreateThread( NULL, 0, send_slowly, &client, 0, NULL );
    while ( received < 500 )
    {
        OVERLAPPED ov = { .hEvent = event };
        char data[16];
        BOOL at_once;

        at_once = !receive( server, data, &ov, NULL );
        if ( !at_once && WSAGetLastError() != WSA_IO_PENDING )
        {
            ok( 0, "error %d\n", WSAGetLastError() );
            break;
        }
        if ( notice == BY_PACKET && !( at_once && skips ) )
        {
            OVERLAPPED *got = NULL;
            ULONG_PTR key;
            DWORD size;

            ok( GetQueuedCompletionStatus( port, &size, &key, &got, 10000 ) && got == &ov && size == ov.InternalHigh,
                "packet of %p, error %lu\n", got, GetLastError() );
            ok( !WaitForSingleObject( event, 0 ), "the event is not set\n" );
        }
        else
        {
            await( notice, event, &ov );
            if ( at_once && skips ) check_no_packet( port, 0 );
            else check_packet_now( port, &ov, TRUE, 0, ov.InternalHigh );
            ok( !WaitForSingleObject( event, 10000 ), "the event is not set\n" );
        }
        ok( !ov.Internal && ov.InternalHigh, "status %#lx, %lu bytes\n", (DWORD)ov.Internal, (DWORD)ov.InternalHigh );
        received += ov.InternalHigh;
    }
    WaitForSingleObject( thread, 20000 );
    ok( GetExitCodeThread( thread, &code ) && !code, "sending failed\n" );
    CloseHandle( thread );
    closesocket( client );
    closesocket( server );
    CloseHandle( event );
    CloseHandle( port );
    winetest_pop_context();
}

/* The same of functions that end well without data; and those that have no OVERLAPPED have no packet. */
static void test_disconnect( enum notice notice, BOOL skips )
{
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL ), port;
    OVERLAPPED ov = { .hEvent = event };
    SOCKET client, server;
    DWORD size = 0xdead;
    BOOL at_once;

    winetest_push_context( "disconnect, notice %d, skip %d", notice, skips );
    tcp_pair( &client, &server );
    port = CreateIoCompletionPort( (HANDLE)server, NULL, KEY, 0 );
    if ( skips ) SetFileCompletionNotificationModes( (HANDLE)server, FILE_SKIP_COMPLETION_PORT_ON_SUCCESS );
    at_once = disconnect_ex( server, &ov, 0, 0 );
    ok( at_once || WSAGetLastError() == WSA_IO_PENDING, "error %d\n", WSAGetLastError() );
    await( notice == BY_PACKET ? BY_EVENT : notice, event, &ov );
    if ( at_once && skips ) check_no_packet( port, 0 );
    else check_packet_now( port, &ov, TRUE, 0, 0 );
    ok( !WaitForSingleObject( event, 10000 ), "the event is not set\n" );
    ok( GetOverlappedResult( (HANDLE)server, &ov, &size, FALSE ) && !size, "error %lu, %lu bytes\n", GetLastError(),
        size );
    check_no_packet( port, 0 );
    closesocket( client );
    closesocket( server );
    CloseHandle( port );

    tcp_pair( &client, &server );
    port = CreateIoCompletionPort( (HANDLE)server, NULL, KEY, 0 );
    CreateIoCompletionPort( (HANDLE)client, port, KEY, 0 );
    memset( &ov, 0, sizeof( ov ) );
    ov.hEvent = (HANDLE)( (ULONG_PTR)event | 1 );
    ResetEvent( event );
    ok( disconnect_ex( server, &ov, 0, 0 ) || WSAGetLastError() == WSA_IO_PENDING, "error %d\n", WSAGetLastError() );
    ok( !WaitForSingleObject( event, 10000 ), "the event is not set\n" );
    check_no_packet( port, 0 );
    ok( disconnect_ex( client, NULL, 0, 0 ), "error %d\n", WSAGetLastError() );
    check_no_packet( port, 50 );
    closesocket( client );
    closesocket( server );

    tcp_pair( &client, &server );
    CreateIoCompletionPort( (HANDLE)server, port, KEY, 0 );
    CreateIoCompletionPort( (HANDLE)client, port, KEY, 0 );
    check_ok( shutdown( server, SD_SEND ) );
    check_ok( WSASendDisconnect( client, NULL ) );
    check_ok( WSARecvDisconnect( client, NULL ) );
    check_no_packet( port, 50 );
    closesocket( client );
    closesocket( server );
    for ( int shut = SD_RECEIVE; shut <= SD_BOTH; shut++ )
    {
        tcp_pair( &client, &server );
        CreateIoCompletionPort( (HANDLE)server, port, KEY, 0 );
        CreateIoCompletionPort( (HANDLE)client, port, KEY, 0 );
        check_ok( shutdown( server, shut ) );
        check_ok( shutdown( client, shut ) );
        check_no_packet( port, 50 );
        closesocket( client );
        closesocket( server );
        check_no_packet( port, 50 );
    }
    CloseHandle( port );
    CloseHandle( event );
    winetest_pop_context();
}

/* --- closing with a receive pending -------------------------------------------------------------------------------------*/

enum closing
{
    CLOSESOCKET,
    CLOSE_HANDLE,
    NT_CLOSE,
    CLOSINGS
};

static void close_by( enum closing how, SOCKET s )
{
    if ( how == CLOSESOCKET ) check_ok( closesocket( s ) );
    else if ( how == CLOSE_HANDLE ) ok( CloseHandle( (HANDLE)s ), "error %lu\n", GetLastError() );
    else ok( !NtClose( (HANDLE)s ), "NtClose failed\n" );
}

enum function
{
    WSA_RECV,
    READ_FILE,
    WSA_RECV_PEEK,
    FUNCTIONS
};

struct starter
{
    SOCKET s;
    enum function function;
    char data[16];
    OVERLAPPED ov;
    int error;
};

static DWORD WINAPI start_receive( void *arg )
{
    struct starter *starter = arg;
    WSABUF buffer = { 16, starter->data };
    DWORD flags = starter->function == WSA_RECV_PEEK ? MSG_PEEK : 0;
    BOOL done = starter->function == READ_FILE ? ReadFile( (HANDLE)starter->s, starter->data, 16, NULL, &starter->ov )
                                               : !WSARecv( starter->s, &buffer, 1, NULL, &flags, &starter->ov, NULL );

    starter->error = done ? 0 : (int)GetLastError();
    return 0;
}

static void start( struct starter *starter, SOCKET s, enum function function, BOOL in_thread )
{
    HANDLE thread;

    memset( starter, 0, sizeof( *starter ) );
    starter->s = s;
    starter->function = function;
    if ( in_thread )
    {
        thread = CreateThread( NULL, 0, start_receive, starter, 0, NULL );
        ok( !WaitForSingleObject( thread, 10000 ), "the thread does not end\n" );
        CloseHandle( thread );
    }
    else start_receive( starter );
    ok( starter->error == WSA_IO_PENDING, "error %d\n", starter->error );
}

static void test_closing( int family, enum closing how, enum function function, BOOL in_thread )
{
    struct starter starter, other;
    SOCKET client, server;
    HANDLE port;

    winetest_push_context( "family %d, closing %d, function %d, thread %d", family, how, function, in_thread );
    tcp_pair_family( family, &client, &server );
    port = CreateIoCompletionPort( (HANDLE)server, NULL, KEY, 0 );
    start( &starter, server, function, in_thread );
    check_no_packet( port, 50 );
    close_by( how, server );
    check_packet( port, &starter.ov, FALSE, ERROR_CONNECTION_ABORTED, 0 );
    ok( (DWORD)starter.ov.Internal == STATUS_CONNECTION_ABORTED_ && !starter.ov.InternalHigh,
        "status %#lx, %lu bytes\n", (DWORD)starter.ov.Internal, (DWORD)starter.ov.InternalHigh );
    check_no_packet( port, 50 );
    closesocket( client );

    /* each of several */
    tcp_pair_family( family, &client, &server );
    CreateIoCompletionPort( (HANDLE)server, port, KEY, 0 );
    start( &starter, server, function, in_thread );
    start( &other, server, function, in_thread );
    close_by( how, server );
    check_packet( port, &starter.ov, FALSE, ERROR_CONNECTION_ABORTED, 0 );
    check_packet( port, &other.ov, FALSE, ERROR_CONNECTION_ABORTED, 0 );
    check_no_packet( port, 50 );
    closesocket( client );

    /* nothing pending */
    tcp_pair_family( family, &client, &server );
    CreateIoCompletionPort( (HANDLE)server, port, KEY, 0 );
    close_by( how, server );
    check_no_packet( port, 50 );
    closesocket( client );
    CloseHandle( port );
    winetest_pop_context();
}

/* Told by an event or a routine instead. */
static void test_closing_elsewhere( int family )
{
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL );
    OVERLAPPED ov = { .hEvent = event };
    SOCKET client, server;
    char data[16];
    DWORD size;

    tcp_pair_family( family, &client, &server );
    check_fails( receive( server, data, &ov, NULL ), WSA_IO_PENDING );
    check_ok( closesocket( server ) );
    ok( !WaitForSingleObject( event, 300 ), "the event is not set\n" );
    check_error( GetOverlappedResult( (HANDLE)server, &ov, &size, FALSE ), FALSE, ERROR_CONNECTION_ABORTED );
    ok( (DWORD)ov.Internal == STATUS_CONNECTION_ABORTED_, "status %#lx\n", (DWORD)ov.Internal );
    closesocket( client );

    memset( &ov, 0, sizeof( ov ) );
    routine_seen.calls = 0;
    tcp_pair_family( family, &client, &server );
    check_fails( receive( server, data, &ov, routine ), WSA_IO_PENDING );
    check_ok( closesocket( server ) );
    check_result( SleepEx( 300, TRUE ), WAIT_IO_COMPLETION );
    ok( routine_seen.calls == 1 && routine_seen.error == WSAECONNABORTED, "%u calls, error %lu\n", routine_seen.calls,
        routine_seen.error );
    closesocket( client );
    CloseHandle( event );
}

/* What has no connection is cancelled. */
static void test_closing_others( int family, enum closing how )
{
    char data[16], buffer[2 * SLOT6];
    SOCKET s, acceptor;
    union address address;
    HANDLE port;
    DWORD size;

    winetest_push_context( "others, family %d, closing %d", family, how );
    for ( int connected = 0; connected < 2; connected++ )
    {
        OVERLAPPED ov = { 0 };

        s = udp_bound( family, &address );
        if ( connected )
            check_ok( connect( s, &address.any, family == AF_INET ? sizeof( address.v4 ) : sizeof( address.v6 ) ) );
        port = CreateIoCompletionPort( (HANDLE)s, NULL, KEY, 0 );
        check_fails( receive( s, data, &ov, NULL ), WSA_IO_PENDING );
        close_by( how, s );
        check_packet( port, &ov, FALSE, ERROR_OPERATION_ABORTED, 0 );
        ok( (DWORD)ov.Internal == STATUS_CANCELLED_, "status %#lx\n", (DWORD)ov.Internal );
        check_no_packet( port, 50 );
        CloseHandle( port );
    }
    for ( int late = 0; late < 2; late++ )
    {
        OVERLAPPED ov = { 0 };

        s = tcp_listener( family, &address );
        acceptor = socket( family, SOCK_STREAM, 0 );
        port = CreateIoCompletionPort( late ? INVALID_HANDLE_VALUE : (HANDLE)s, NULL, KEY, 0 );
        check_error( accept_ex( s, acceptor, buffer, 0, SLOT6, SLOT6, &size, &ov ), FALSE, WSA_IO_PENDING );
        if ( late ) CreateIoCompletionPort( (HANDLE)s, port, KEY, 0 );
        close_by( how, s );
        check_packet( port, &ov, FALSE, ERROR_OPERATION_ABORTED, 0 );
        ok( (DWORD)ov.Internal == STATUS_CANCELLED_, "status %#lx\n", (DWORD)ov.Internal );
        check_no_packet( port, 50 );
        closesocket( acceptor );
        CloseHandle( port );
    }
    winetest_pop_context();
}

/* --- whose a request is -------------------------------------------------------------------------------------------------*/

static SOCKET duplicate_by( BOOL by_info, SOCKET s )
{
    WSAPROTOCOL_INFOA info;
    HANDLE copy = NULL;

    if ( !by_info )
    {
        ok( DuplicateHandle( GetCurrentProcess(), (HANDLE)s, GetCurrentProcess(), &copy, 0, FALSE,
                             DUPLICATE_SAME_ACCESS ),
            "error %lu\n", GetLastError() );
        return (SOCKET)copy;
    }
    check_ok( WSADuplicateSocketA( s, GetCurrentProcessId(), &info ) );
    return WSASocketA( 0, 0, 0, &info, 0, WSA_FLAG_OVERLAPPED );
}

static void test_accept_through_duplicate( BOOL by_info )
{
    char buffer[2 * SLOT6];
    union address address;
    SOCKET listener, duplicate, acceptor, client;
    HANDLE port;
    DWORD size;

    for ( int order = 0; order < 6; order++ )
    {
        OVERLAPPED ov = { 0 };

        winetest_push_context( "info %d, order %d", by_info, order );
        listener = tcp_listener( AF_INET, &address );
        port = CreateIoCompletionPort( (HANDLE)listener, NULL, KEY, 0 );
        duplicate = duplicate_by( by_info, listener );
        acceptor = socket( AF_INET, SOCK_STREAM, 0 );
        check_error( accept_ex( duplicate, acceptor, buffer, 0, SLOT6, SLOT6, &size, &ov ), FALSE, WSA_IO_PENDING );
        /* the first alone ends nothing; with the other it does, at once or later */
        closesocket( order & 1 ? listener : duplicate );
        if ( !( order & 4 ) )
        {
            check_no_packet( port, 100 );
            ok( ov.Internal == STATUS_PENDING, "status %#lx\n", (DWORD)ov.Internal );
        }
        if ( order & 2 )
        {
            client = socket( AF_INET, SOCK_STREAM, 0 );
            check_ok( connect( client, &address.any, sizeof( address.v4 ) ) );
            check_packet_within( port, 10000, KEY, &ov, TRUE, 0, 0 );
            closesocket( client );
        }
        closesocket( order & 1 ? duplicate : listener );
        if ( !( order & 2 ) )
        {
            check_packet( port, &ov, FALSE, ERROR_OPERATION_ABORTED, 0 );
            ok( (DWORD)ov.Internal == STATUS_CANCELLED_, "status %#lx\n", (DWORD)ov.Internal );
        }
        check_no_packet( port, 50 );
        closesocket( acceptor );
        CloseHandle( port );
        winetest_pop_context();
    }
}

/* Receives likewise: what was begun through the one that is closed first gets the data that comes afterwards. */
static void test_receive_through_duplicate( BOOL by_info, BOOL data_comes )
{
    SOCKET client, server, duplicate;
    OVERLAPPED ov = { 0 };
    char data[16];
    HANDLE port;

    winetest_push_context( "info %d, data %d", by_info, data_comes );
    tcp_pair( &client, &server );
    port = CreateIoCompletionPort( (HANDLE)server, NULL, KEY, 0 );
    duplicate = duplicate_by( by_info, server );
    check_fails( receive( duplicate, data, &ov, NULL ), WSA_IO_PENDING );
    closesocket( duplicate );
    check_no_packet( port, 100 );
    if ( data_comes )
    {
        check_result( send( client, "hello", 5, 0 ), 5 );
        check_packet_within( port, 10000, KEY, &ov, TRUE, 0, 5 );
        ok( !memcmp( data, "hello", 5 ), "other data\n" );
    }
    closesocket( server );
    if ( !data_comes ) check_packet( port, &ov, FALSE, ERROR_CONNECTION_ABORTED, 0 );
    check_no_packet( port, 50 );
    closesocket( client );
    CloseHandle( port );
    winetest_pop_context();
}

/* Values of copies that were closed are other objects' later on, perhaps of the same kind: nothing is taken for what it was. */
static void test_values_again( void )
{
    HANDLE others[16];

    for ( unsigned int i = 0; i < ARRAY_SIZE( others ); i++ )
    {
        test_receive_through_duplicate( FALSE, i & 1 );
        others[i] = CreateEventW( NULL, FALSE, FALSE, NULL );
    }
    for ( unsigned int i = 0; i < ARRAY_SIZE( others ); i++ ) CloseHandle( others[i] );
}

START_TEST( ends )
{
    if ( support_begin() ) return;
    load();
    for ( enum notice notice = 0; notice < NOTICES; notice++ )
        for ( BOOL skips = FALSE; skips <= TRUE; skips++ )
        {
            test_all_ways( notice, skips );
            test_disconnect( notice, skips );
        }
    for ( int v6 = 0; v6 < 1 + have_ipv6(); v6++ )
    {
        const int family = v6 ? AF_INET6 : AF_INET;

        for ( enum closing how = 0; how < CLOSINGS; how++ )
        {
            for ( enum function function = 0; function < FUNCTIONS; function++ )
                for ( BOOL in_thread = FALSE; in_thread <= TRUE; in_thread++ )
                    test_closing( family, how, function, in_thread );
            test_closing_others( family, how );
        }
        test_closing_elsewhere( family );
    }
    for ( BOOL by_info = FALSE; by_info <= TRUE; by_info++ )
    {
        test_accept_through_duplicate( by_info );
        test_receive_through_duplicate( by_info, FALSE );
        test_receive_through_duplicate( by_info, TRUE );
    }
    test_values_again();
    support_end();
}
