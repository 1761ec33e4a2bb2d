/*
 * Registrations replaced again and again, as programs do that change what they wait for before each wait: every WSAEventSelect
 * succeeds, no arrival goes untold, and FD_WRITE is told again after a send that succeeded, as curl relies on.
 */
#include "support.h"
#include <afunix.h>

#define ROUNDS 20000

/* Sends one byte back for each that it gets. */
static DWORD CALLBACK echo_bytes( void *argument )
{
    SOCKET s = (SOCKET)argument;
    char byte;

    while ( recv( s, &byte, 1, 0 ) == 1 )
        if ( send( s, &byte, 1, 0 ) != 1 ) break;
    return 0;
}

/* Reads to the end, slower than is sent. */
static DWORD CALLBACK read_slowly( void *argument )
{
    static char block[4096];
    SOCKET s = (SOCKET)argument;
    int n, turn = 0;

    while ( ( n = recv( s, block, sizeof( block ), 0 ) ) > 0 )
        if ( !( ++turn % 64 ) ) Sleep( 1 );
    return n;
}

static void local_pair( SOCKET *client, SOCKET *server )
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    SOCKET listener = socket( AF_UNIX, SOCK_STREAM, 0 );

    GetTempPathA( 80, address.sun_path );
    sprintf( address.sun_path + strlen( address.sun_path ), "reregister-%lu.sock", GetCurrentProcessId() );
    DeleteFileA( address.sun_path );
    check_ok( bind( listener, (struct sockaddr *)&address, sizeof( address ) ) );
    check_ok( listen( listener, 1 ) );
    *client = socket( AF_UNIX, SOCK_STREAM, 0 );
    check_ok( connect( *client, (struct sockaddr *)&address, sizeof( address ) ) );
    *server = accept( listener, NULL, NULL );
    closesocket( listener );
    DeleteFileA( address.sun_path );
}

static long enumerate( SOCKET s, WSAEVENT event )
{
    WSANETWORKEVENTS events = { 0 };

    check_ok( WSAEnumNetworkEvents( s, event, &events ) );
    return events.lNetworkEvents;
}

static void test_write_anew( SOCKET client, SOCKET server )
{
    const long mask = FD_READ | FD_WRITE | FD_CLOSE;
    WSAEVENT event = WSACreateEvent();
    char byte;

    check_ok( WSAEventSelect( server, event, mask ) );
    ok( enumerate( server, event ) == FD_WRITE, "not told at first\n" );
    check_ok( WSAEventSelect( server, event, 0 ) );
    check_ok( WSAEventSelect( server, event, mask ) );
    ok( !enumerate( server, event ), "told again, and nothing was sent\n" );
    for ( int size = 1; size >= 0; size-- ) /* a send of nothing is one, too */
    {
        check_result( send( server, "x", size, 0 ), size );
        ok( !enumerate( server, event ), "a send tells by itself\n" );
        check_ok( WSAEventSelect( server, event, 0 ) );
        check_ok( WSAEventSelect( server, event, mask ) );
        ok( !WaitForSingleObject( event, 5000 ), "size %d: the event is not set\n", size );
        ok( enumerate( server, event ) == FD_WRITE, "size %d: not told again\n", size );
        check_ok( WSAEventSelect( server, event, mask ) );
        ok( !enumerate( server, event ), "told twice\n" );
    }
    check_result( recv( client, &byte, 1, 0 ), 1 );
    closesocket( client );
    closesocket( server );
    WSACloseEvent( event );
}

static int is_writable( SOCKET s )
{
    WSAPOLLFD fd = { .fd = s, .events = POLLWRNORM };

    return WSAPoll( &fd, 1, 0 ) == 1;
}

/* As curl sends a file: a block, a send of nothing, and a registration for the wait until there is room. */
static void test_upload( SOCKET client, SOCKET server )
{
    static char block[65536];
    const long mask = FD_READ | FD_WRITE | FD_CLOSE;
    WSAEVENT event = WSACreateEvent();
    HANDLE thread = CreateThread( NULL, 0, read_slowly, (void *)server, 0, NULL );
    DWORD status = 1;
    int round, failed = 0, untold = 0;

    for ( round = 0; round < 200 && !failed && !untold; round++ )
    {
        if ( WSAEventSelect( client, event, mask ) ) failed = WSAGetLastError();
        if ( !is_writable( client ) && WaitForSingleObject( event, 10000 ) ) untold = 1;
        enumerate( client, NULL );
        if ( WSAEventSelect( client, event, 0 ) ) failed = WSAGetLastError();
        ResetEvent( event );
        if ( send( client, block, sizeof( block ), 0 ) < 0 && WSAGetLastError() != WSAEWOULDBLOCK )
            failed = WSAGetLastError();
        send( client, NULL, 0, 0 );
    }
    ok( !failed, "round %d: error %d\n", round, failed );
    ok( !untold, "round %d: there is room and the event was not set\n", round );
    closesocket( client );
    ok( !WaitForSingleObject( thread, 30000 ) && GetExitCodeThread( thread, &status ) && !status,
        "the reader ended with %ld\n", (long)status );
    closesocket( server );
    CloseHandle( thread );
    WSACloseEvent( event );
}

START_TEST( reregister )
{
    SOCKET client, server;
    WSAEVENT event;
    HANDLE thread;
    int round, failed = 0, untold = 0;

    if ( support_begin() ) return;
    tcp_pair( &client, &server );
    event = WSACreateEvent();
    thread = CreateThread( NULL, 0, echo_bytes, (void *)server, 0, NULL );

    for ( round = 0; round < ROUNDS && !failed && !untold; round++ )
    {
        char byte = 'x';

        if ( WSAEventSelect( client, event, FD_WRITE | FD_CLOSE ) ) failed = WSAGetLastError();
        if ( send( client, &byte, 1, 0 ) != 1 ) failed = WSAGetLastError();
        if ( WSAEventSelect( client, event, FD_READ | FD_CLOSE ) ) failed = WSAGetLastError();
        while ( !failed && !untold && recv( client, &byte, 1, 0 ) != 1 )
        {
            if ( WSAGetLastError() != WSAEWOULDBLOCK ) failed = WSAGetLastError();
            else if ( WaitForSingleObject( event, 5000 ) ) untold = 1;
            ResetEvent( event );
        }
    }
    ok( !failed, "round %d: error %d\n", round, failed );
    ok( !untold, "round %d: data came and the event was not set\n", round );

    closesocket( client );
    ok( !WaitForSingleObject( thread, 10000 ), "the echo does not end\n" );
    closesocket( server );
    CloseHandle( thread );
    WSACloseEvent( event );

    tcp_pair( &client, &server );
    test_write_anew( client, server );
    local_pair( &client, &server );
    test_write_anew( client, server );
    tcp_pair( &client, &server );
    test_upload( client, server );
    local_pair( &client, &server );
    test_upload( client, server );
    support_end();
}
