/*
 * Sockets that go while others still use them: closed under threads that wait, their handle values used again at once;
 * Winsock cleaned up and processes ended with sockets open and operations pending; children made by the dozen while the parent
 * makes and closes what they inherit; closesocket with SO_LINGER, which nobody else may have to wait for.
 */
#include "puppets.h"

/* --- values used again ------------------------------------------------------------------------------------------------*/

#define USERS 3
#define ROUNDS 300

struct reuse
{
    volatile SOCKET s; /* of this moment, or just closed */
    volatile LONG stop, calls, wrong;
    volatile int wrong_error;
    const char *volatile wrong_call;
};

static void judge( struct reuse *reuse, const char *call, int result )
{
    const int error = WSAGetLastError();

    InterlockedIncrement( &reuse->calls );
    if ( result != SOCKET_ERROR ) return;
    switch ( error )
    {
    case WSAENOTSOCK:
    case WSAEINTR:
    case WSAEWOULDBLOCK:
    case WSAENOTCONN:
    case WSAEINVAL:
    case WSAETIMEDOUT:
    case WSA_IO_PENDING:
    case WSA_OPERATION_ABORTED:
    case WSAECONNABORTED:
    case WSAECONNRESET: return;
    }
    if ( !InterlockedIncrement( &reuse->wrong ) ) return;
    reuse->wrong_error = error;
    reuse->wrong_call = call;
}

static DWORD WINAPI use_values( void *context )
{
    struct reuse *reuse = context;
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL );
    WSANETWORKEVENTS events;
    char buffer[16];

    for ( unsigned int i = 0; !reuse->stop; i++ )
    {
        const SOCKET s = reuse->s;
        fd_set read = { 1, { s } };
        WSAPOLLFD fd = { s, POLLRDNORM, 0 };
        struct timeval timeout = { 0, 2000 };
        u_long bytes;

        switch ( i % 6 )
        {
        case 0: judge( reuse, "recv", recv( s, buffer, sizeof( buffer ), 0 ) ); break;
        case 1: judge( reuse, "select", select( 0, &read, NULL, NULL, &timeout ) ); break;
        case 2: judge( reuse, "WSAPoll", WSAPoll( &fd, 1, 2 ) ); break;
        case 3: judge( reuse, "WSAEventSelect", WSAEventSelect( s, event, FD_READ | FD_CLOSE ) ); break;
        case 4: judge( reuse, "WSAEnumNetworkEvents", WSAEnumNetworkEvents( s, event, &events ) ); break;
        case 5: judge( reuse, "ioctlsocket", ioctlsocket( s, FIONREAD, &bytes ) ); break;
        }
    }
    CloseHandle( event );
    return 0;
}

/* The users know a value that is closed under them and soon another socket's, or an event's: they get errors or the new
 * socket, never a hang, and what is made under the value works. */
static void test_values_used_again( void )
{
    struct reuse reuse = { 0 };
    HANDLE threads[USERS];
    unsigned int same = 0;
    SOCKET last = INVALID_SOCKET;

    reuse.s = INVALID_SOCKET;
    for ( int i = 0; i < USERS; i++ ) threads[i] = CreateThread( NULL, 0, use_values, &reuse, 0, NULL );
    for ( int i = 0; i < ROUNDS; i++ )
    {
        SOCKET s = socket( AF_INET, i % 2 ? SOCK_DGRAM : SOCK_STREAM, 0 );
        int type = 0, size = sizeof( type );
        HANDLE event;

        if ( s == last ) same++;
        last = s;
        reuse.s = s;
        if ( i % 4 == 0 ) Sleep( 1 );
        ok( !getsockopt( s, SOL_SOCKET, SO_TYPE, (char *)&type, &size ), "getsockopt failed, error %d\n",
            WSAGetLastError() );
        ok( type == ( i % 2 ? SOCK_DGRAM : SOCK_STREAM ), "got type %d\n", type );
        ok( !closesocket( s ), "closesocket failed, error %d\n", WSAGetLastError() );
        event = CreateEventW( NULL, TRUE, FALSE, NULL );
        ok( SetEvent( event ) && WaitForSingleObject( event, 0 ) == WAIT_OBJECT_0, "the event does not work\n" );
        ok( CloseHandle( event ), "CloseHandle failed, error %lu\n", GetLastError() );
    }
    reuse.stop = 1;
    ok( WaitForMultipleObjects( USERS, threads, TRUE, 20000 ) == WAIT_OBJECT_0,
        "a thread hangs in a call on a closed socket\n" );
    for ( int i = 0; i < USERS; i++ ) CloseHandle( threads[i] );
    ok( !reuse.wrong, "%ld wrong results, among them error %d of %s\n", reuse.wrong, reuse.wrong_error,
        reuse.wrong_call );
    ok( reuse.calls > ROUNDS, "only %ld calls\n", reuse.calls );
    trace( "%u of %u sockets had the value of the one before; %ld calls\n", same, ROUNDS, reuse.calls );
}

/* --- the end of Winsock under everything --------------------------------------------------------------------------------*/

static DWORD WINAPI receive_one( void *context )
{
    char byte;

    return recv( (SOCKET)context, &byte, 1, 0 ) == SOCKET_ERROR ? WSAGetLastError() : 0;
}

static DWORD WINAPI select_one( void *context )
{
    fd_set read = { 1, { (SOCKET)context } };

    return select( 0, &read, NULL, NULL, NULL ) == SOCKET_ERROR ? WSAGetLastError() : 0;
}

/* The last WSACleanup closes every socket: threads that wait come back, operations end, and Winsock begins anew. */
static void test_cleanup( void )
{
    SOCKET client, server, listener;
    WSAOVERLAPPED overlapped = { 0 };
    union address address;
    HANDLE threads[2];
    WSADATA data;
    WSABUF buffer;
    DWORD flags = 0;
    char bytes[4];
    int count;

    listener = tcp_listener( AF_INET, &address );
    tcp_pair( &client, &server );
    buffer.buf = bytes;
    buffer.len = sizeof( bytes );
    overlapped.hEvent = CreateEventW( NULL, TRUE, FALSE, NULL );
    check_fails( WSARecv( server, &buffer, 1, NULL, &flags, &overlapped, NULL ), WSA_IO_PENDING );
    set_receive_timeout( client, 0 );
    threads[0] = CreateThread( NULL, 0, receive_one, (void *)client, 0, NULL );
    threads[1] = CreateThread( NULL, 0, select_one, (void *)listener, 0, NULL );
    Sleep( 200 );
    for ( count = 0; !WSACleanup(); count++ ) continue;
    ok( count == 1, "%d times started up\n", count );
    ok( WaitForMultipleObjects( 2, threads, TRUE, 10000 ) == WAIT_OBJECT_0, "a thread waits on\n" );
    for ( int i = 0; i < 2; i++ ) CloseHandle( threads[i] );
    ok( WaitForSingleObject( overlapped.hEvent, 10000 ) == WAIT_OBJECT_0, "the receive pends on\n" );
    /* cancelled, or the end of the stream: the other end may be closed first */
    ok( overlapped.Internal != 0x103 && !overlapped.InternalHigh, "got status %#lx, %zu bytes\n",
        (DWORD)overlapped.Internal, (size_t)overlapped.InternalHigh );
    CloseHandle( overlapped.hEvent );
    ok( !WSAStartup( MAKEWORD( 2, 2 ), &data ), "WSAStartup failed\n" );
    check_fails( send( client, "x", 1, 0 ), WSAENOTSOCK );
    tcp_pair( &client, &server );
    check_flow( client, server );
    check_ok( closesocket( client ) );
    check_ok( closesocket( server ) );
}

/* A process that ends with an operation pending and a connection open: the peer sees the end, at once. */
static void test_exit( void )
{
    union address address;
    SOCKET listener = tcp_listener( AF_INET, &address ), server, s;
    struct puppet puppet;

    puppet_create( &puppet, 0 );
    puppet.message->family = AF_INET;
    puppet.message->type = SOCK_STREAM;
    puppet.message->protocol = IPPROTO_TCP;
    puppet.message->flags = WSA_FLAG_OVERLAPPED;
    s = puppet_do( &puppet, PUPPET_NEW );
    ok( s != INVALID_SOCKET, "no socket, error %d\n", WSAGetLastError() );
    puppet.message->address = address;
    check_ok( puppet_do_on( &puppet, PUPPET_CONNECT, s ) );
    server = accept_one( listener );
    puppet.message->value = 64;
    check_result( puppet_do_on( &puppet, PUPPET_RECV_EX, s ), 1 );
    puppet_destroy( &puppet );
    check_eof( server );
    check_ok( closesocket( server ) );
    check_ok( closesocket( listener ) );
}

/* --- children by the dozen ----------------------------------------------------------------------------------------------*/

#define CHILDREN 12
#define AT_ONCE 4

struct storm
{
    volatile LONG stop, made, failed;
};

static DWORD WINAPI make_and_close( void *context )
{
    struct storm *storm = context;

    while ( !storm->stop )
    {
        SOCKET sockets[8];

        for ( unsigned int i = 0; i < ARRAY_SIZE( sockets ); i++ )
        {
            sockets[i] = socket( AF_INET, i % 2 ? SOCK_DGRAM : SOCK_STREAM, 0 );
            if ( sockets[i] == INVALID_SOCKET ) InterlockedIncrement( &storm->failed );
        }
        for ( unsigned int i = 0; i < ARRAY_SIZE( sockets ); i++ )
            if ( closesocket( sockets[i] ) ) InterlockedIncrement( &storm->failed );
        InterlockedExchangeAdd( &storm->made, ARRAY_SIZE( sockets ) );
    }
    return 0;
}

/* Children inherit whatever there is at their moment. Each has the connection that was there all the time; none keeps a
 * connection alive that the parent has closed, once it has ended. */
static void test_storm( void )
{
    struct storm storm = { 0 };
    struct puppet puppets[AT_ONCE];
    SOCKET client, server, short_client, short_server;
    HANDLE threads[2];
    char buffer[8];

    tcp_pair( &client, &server );
    ok( SetHandleInformation( (HANDLE)client, HANDLE_FLAG_INHERIT, 0 ), "error %lu\n", GetLastError() );
    for ( int i = 0; i < 2; i++ ) threads[i] = CreateThread( NULL, 0, make_and_close, &storm, 0, NULL );
    for ( int i = 0; i < CHILDREN; i += AT_ONCE )
    {
        tcp_pair( &short_client, &short_server );
        ok( SetHandleInformation( (HANDLE)short_client, HANDLE_FLAG_INHERIT, 0 ), "error %lu\n", GetLastError() );
        for ( int j = 0; j < AT_ONCE; j++ ) puppet_create( &puppets[j], PUPPET_INHERITS );
        check_ok( closesocket( short_server ) );
        for ( int j = 0; j < AT_ONCE; j++ )
        {
            check_result( puppet_send( &puppets[j], server, "child" ), 5 );
            check_result( recv( client, buffer, 5, MSG_WAITALL ), 5 );
        }
        check_open( short_client );
        for ( int j = 0; j < AT_ONCE; j++ )
            if ( j % 2 ) puppet_kill( &puppets[j] );
            else puppet_destroy( &puppets[j] );
        check_eof( short_client );
        check_ok( closesocket( short_client ) );
    }
    storm.stop = 1;
    ok( WaitForMultipleObjects( 2, threads, TRUE, 20000 ) == WAIT_OBJECT_0, "a thread hangs\n" );
    for ( int i = 0; i < 2; i++ ) CloseHandle( threads[i] );
    ok( !storm.failed, "%ld of %ld sockets could not be made or closed\n", storm.failed, storm.made );
    check_flow( server, client );
    check_ok( closesocket( server ) );
    check_eof( client );
    check_ok( closesocket( client ) );
}

/* --- SO_LINGER ----------------------------------------------------------------------------------------------------------*/

struct others
{
    volatile LONG stop, sockets; /* made and closed */
};

static DWORD WINAPI make_sockets( void *context )
{
    struct others *others = context;

    while ( !others->stop )
    {
        closesocket( socket( AF_INET, SOCK_DGRAM, 0 ) );
        InterlockedIncrement( &others->sockets );
        Sleep( 5 );
    }
    return 0;
}

static void set_linger( SOCKET s, u_short seconds )
{
    struct linger linger = { 1, seconds };

    check_ok( setsockopt( s, SOL_SOCKET, SO_LINGER, (char *)&linger, sizeof( linger ) ) );
}

static void test_linger( void )
{
    char buffer[4096] = { 0 };
    struct others others = { 0 };
    SOCKET client, server;
    HANDLE thread;
    LONG sockets;
    DWORD begin;
    int n;

    /* the peer has all: no wait */
    tcp_pair( &client, &server );
    set_linger( client, 20 );
    check_result( send( client, buffer, 100, 0 ), 100 );
    begin = GetTickCount();
    check_ok( closesocket( client ) );
    ok( GetTickCount() - begin < 15000, "closesocket took %lu ms\n", GetTickCount() - begin );
    check_result( recv( server, buffer, 100, MSG_WAITALL ), 100 );
    check_eof( server );
    check_ok( closesocket( server ) );

    /* the peer reads nothing: closesocket waits for the time given, nobody else does, and the connection is reset */
    tcp_pair( &client, &server );
    set_nonblocking( client, TRUE );
    while ( send( client, buffer, sizeof( buffer ), 0 ) > 0 ) continue;
    ok( WSAGetLastError() == WSAEWOULDBLOCK, "got error %d\n", WSAGetLastError() );
    set_nonblocking( client, FALSE );
    set_linger( client, 4 );
    thread = CreateThread( NULL, 0, make_sockets, &others, 0, NULL );
    while ( !others.sockets ) Sleep( 1 );
    begin = GetTickCount();
    sockets = others.sockets;
    check_ok( closesocket( client ) );
    sockets = others.sockets - sockets;
    begin = GetTickCount() - begin;
    ok( begin > 3000 && begin < 30000, "closesocket took %lu ms\n", begin );
    others.stop = 1;
    ok( WaitForSingleObject( thread, 20000 ) == WAIT_OBJECT_0, "the thread hangs\n" );
    /* one that was under way may have ended with it, and one been made before it began */
    ok( sockets > 2, "another thread made %ld sockets meanwhile\n", sockets );
    CloseHandle( thread );
    while ( ( n = recv( server, buffer, sizeof( buffer ), 0 ) ) > 0 ) continue;
    ok( n == SOCKET_ERROR && WSAGetLastError() == WSAECONNRESET, "got %d, error %d\n", n, WSAGetLastError() );
    check_ok( closesocket( server ) );
}

START_TEST( closing )
{
    if ( support_begin() ) return;
    test_values_used_again();
    test_exit();
    test_storm();
    test_linger();
    test_cleanup();
    support_end();
}
