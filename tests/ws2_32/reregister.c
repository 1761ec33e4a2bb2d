/*
 * Registrations replaced again and again, as programs do that change what they wait for before each wait: every WSAEventSelect
 * succeeds, no arrival goes untold, and FD_WRITE is told again after a send that succeeded, as curl relies on.
 */
#include "requests.h"

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

enum later
{
    LATER_SEND,
    LATER_FILE,
    LATERS
};

/* A send that pends is one when it has ended. */
static void test_write_later( enum later later )
{
    static char block[1 << 20];
    const long mask = FD_WRITE;
    WSAEVENT event = WSACreateEvent();
    OVERLAPPED ov[16] = { 0 };
    WSABUF buffer = { sizeof( block ), block };
    TRANSMIT_FILE_BUFFERS head = { .Head = block, .HeadLength = sizeof( block ) };
    LPFN_TRANSMITFILE transmit_file;
    SOCKET client, server;
    int pending = 0, count = 0;
    size_t got = 0;
    DWORD size;

    winetest_push_context( "%d", later );
    tcp_pair( &client, &server );
    transmit_file = extension( server, (GUID)WSAID_TRANSMITFILE );
    check_ok( WSAEventSelect( server, event, mask ) );
    ok( enumerate( server, event ) == FD_WRITE, "not told at first\n" );
    for ( ; count < (int)ARRAY_SIZE( ov ) && !pending; count++ )
    {
        int sent = 0;

        ov[count].hEvent = CreateEventW( NULL, TRUE, FALSE, NULL );
        check_ok( WSAEventSelect( server, event, mask ) ); /* what was sent before is news no more */
        enumerate( server, event );
        switch ( later )
        {
        case LATER_SEND: sent = !WSASend( server, &buffer, 1, NULL, 0, &ov[count], NULL ); break;
        case LATER_FILE: sent = transmit_file( server, NULL, 0, 0, &ov[count], &head, 0 ); break;
        case LATERS: break;
        }
        if ( !sent ) ok( WSAGetLastError() == WSA_IO_PENDING, "error %d\n", WSAGetLastError() );
        pending = !HasOverlappedIoCompleted( &ov[count] );
    }
    ok( pending, "none of %d waits\n", count );
    /* it ends, and no send is begun meanwhile */
    while ( got < (size_t)count * sizeof( block ) )
    {
        const int n = recv( client, block, sizeof( block ), 0 );

        if ( n <= 0 ) break;
        got += n;
    }
    ok( got == (size_t)count * sizeof( block ), "got %u bytes\n", (unsigned int)got );
    ok( !WaitForSingleObject( ov[count - 1].hEvent, 10000 ), "the send has not ended\n" );
    ok( GetOverlappedResult( (HANDLE)server, &ov[count - 1], &size, FALSE ) && size == sizeof( block ), "%lu bytes\n",
        size );
    check_ok( WSAEventSelect( server, event, 0 ) );
    check_ok( WSAEventSelect( server, event, mask ) );
    ok( !WaitForSingleObject( event, 5000 ), "the event is not set\n" );
    ok( enumerate( server, event ) == FD_WRITE, "not told again\n" );
    check_ok( WSAEventSelect( server, event, mask ) );
    ok( !enumerate( server, event ), "told twice\n" );
    closesocket( client );
    closesocket( server );
    for ( int i = 0; i < count; i++ ) CloseHandle( ov[i].hEvent );
    WSACloseEvent( event );
    winetest_pop_context();
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
    for ( enum later later = 0; later < LATERS; later++ ) test_write_later( later );
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
