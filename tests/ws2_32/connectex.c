/* ConnectEx and DisconnectEx: what is refused, data sent with the connection, refusals, and sockets used again. */
#include "requests.h"

static LPFN_CONNECTEX connect_ex;
static LPFN_DISCONNECTEX disconnect_ex;

static BOOL load( SOCKET s )
{
    connect_ex = extension( s, (GUID)WSAID_CONNECTEX );
    disconnect_ex = extension( s, (GUID)WSAID_DISCONNECTEX );
    return connect_ex && disconnect_ex;
}

static void test_errors( void )
{
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL );
    SOCKET listener, s, client, server;
    union address address, own;
    OVERLAPPED ov;

    listener = tcp_listener( AF_INET, &address );
    tcp_pair( &client, &server );
    prepare_overlapped( &ov, event );
    check_error( connect_ex( INVALID_SOCKET, &address.any, sizeof( address.v4 ), NULL, 0, NULL, &ov ), FALSE,
                 WSAENOTSOCK );
    prepare_overlapped( &ov, event );
    check_error( connect_ex( listener, &address.any, sizeof( address.v4 ), NULL, 0, NULL, &ov ), FALSE, WSAEINVAL );
    ok( ov.Internal == STATUS_PENDING && ov.InternalHigh == 0xbeef, "status %#lx, size %#lx\n", (DWORD)ov.Internal,
        (DWORD)ov.InternalHigh );
    s = socket( AF_INET, SOCK_STREAM, 0 );
    check_error( connect_ex( s, &address.any, sizeof( address.v4 ), NULL, 0, NULL, &ov ), FALSE, WSAEINVAL );
    closesocket( s );
    s = tcp_bound( AF_INET, &own );
    check_error( connect_ex( s, &address.any, sizeof( address.v4 ), NULL, 0, NULL, NULL ), FALSE,
                 ERROR_INVALID_PARAMETER );
    closesocket( s );
    prepare_overlapped( &ov, event );
    check_error( connect_ex( client, &address.any, sizeof( address.v4 ), NULL, 0, NULL, &ov ), FALSE, WSAEISCONN );
    ok( ov.Internal == STATUS_PENDING && ov.InternalHigh == 0xbeef, "status %#lx, size %#lx\n", (DWORD)ov.Internal,
        (DWORD)ov.InternalHigh );
    check_error( connect_ex( server, &address.any, sizeof( address.v4 ), NULL, 0, NULL, &ov ), FALSE, WSAEISCONN );
    check_error( disconnect_ex( INVALID_SOCKET, NULL, 0, 0 ), FALSE, WSAENOTSOCK );
    check_error( disconnect_ex( listener, &ov, 0, 0 ), FALSE, WSAENOTCONN );
    closesocket( listener );
    closesocket( client );
    closesocket( server );
    CloseHandle( event );
}

static void test_connect( void )
{
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL );
    SOCKET listener, s, server;
    union address address, own, nobody;
    char data[3] = { 'a', 'b', 'c' }, got[8];
    OVERLAPPED ov;
    DWORD size = 1;

    listener = tcp_listener( AF_INET, &address );
    for ( DWORD with_data = 0; with_data < 2; with_data++ )
    {
        winetest_push_context( "data %lu", with_data );
        s = tcp_bound( AF_INET, &own );
        memcpy( data, "abc", 3 );
        prepare_overlapped( &ov, event );
        check_error(
            connect_ex( s, &address.any, sizeof( address.v4 ), with_data ? data : NULL, with_data ? 3 : 0, &size, &ov ),
            FALSE, ERROR_IO_PENDING );
        memcpy( data, "xyz", 3 ); /* it was copied */
        ok( !WaitForSingleObject( event, 5000 ), "not connected\n" );
        ok( !ov.Internal && ov.InternalHigh == 3 * with_data, "status %#lx, size %lu\n", (DWORD)ov.Internal,
            (DWORD)ov.InternalHigh );
        check_fails( connect( s, &address.any, sizeof( address.v4 ) ), WSAEINVAL );
        check_ok( setsockopt( s, SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, NULL, 0 ) );
        server = accept_one( listener );
        if ( with_data )
        {
            set_receive_timeout( server, 5000 );
            check_result( recv( server, got, sizeof( got ), 0 ), 3 );
            ok( !memcmp( got, "abc", 3 ), "got %.3s\n", got );
        }
        check_flow( s, server );
        check_flow( server, s );
        closesocket( server );
        closesocket( s );
        winetest_pop_context();
    }

    closesocket( tcp_bound( AF_INET, &nobody ) );
    s = tcp_bound( AF_INET, &own );
    prepare_overlapped( &ov, event );
    check_error( connect_ex( s, &nobody.any, sizeof( nobody.v4 ), NULL, 0, NULL, &ov ), FALSE, ERROR_IO_PENDING );
    ok( !WaitForSingleObject( event, 10000 ), "not refused\n" );
    check_error( GetOverlappedResult( (HANDLE)s, &ov, &size, FALSE ), FALSE, ERROR_CONNECTION_REFUSED );
    ok( !size, "size %lu\n", size );
    closesocket( s );
    closesocket( listener );
    CloseHandle( event );
}

static void test_disconnect( void )
{
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL );
    SOCKET client, server;
    union address name;
    int length;
    OVERLAPPED ov;
    char byte;
    DWORD size = 1;

    for ( int overlapped = 0; overlapped < 2; overlapped++ )
    {
        winetest_push_context( "overlapped %d", overlapped );
        tcp_pair( &client, &server );
        length = sizeof( name );
        check_ok( getpeername( client, &name.any, &length ) );
        if ( overlapped )
        {
            prepare_overlapped( &ov, event );
            check_error( disconnect_ex( client, &ov, 0, 0 ), FALSE, ERROR_IO_PENDING );
            ok( !WaitForSingleObject( event, 5000 ), "not ended\n" );
            check_result( GetOverlappedResult( (HANDLE)client, &ov, &size, FALSE ), TRUE );
            ok( !size, "size %lu\n", size );
        }
        else
        {
            check_clears( disconnect_ex( client, NULL, 0, 0 ), TRUE );
            check_clears( disconnect_ex( client, NULL, 0, 0 ), TRUE );
        }
        check_fails( connect( client, &name.any, sizeof( name.v4 ) ), WSAEISCONN );
        check_fails( send( client, "x", 1, 0 ), WSAESHUTDOWN );
        check_eof( server );
        check_result( send( server, "y", 1, 0 ), 1 );
        check_result( recv( client, &byte, 1, 0 ), 1 );
        length = sizeof( name );
        check_ok( getpeername( client, &name.any, &length ) );
        check_ok( getpeername( server, &name.any, &length ) );
        closesocket( client );
        closesocket( server );
        winetest_pop_context();
    }
    CloseHandle( event );
}

/* TF_REUSE_SOCKET: the socket connects once more. */
static void test_reuse( void )
{
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL );
    SOCKET listener, s, server;
    union address address, own;
    OVERLAPPED ov;

    listener = tcp_listener( AF_INET, &address );
    s = tcp_bound( AF_INET, &own );
    for ( int i = 0; i < 3; i++ )
    {
        winetest_push_context( "round %d", i );
        prepare_overlapped( &ov, event );
        check_error( connect_ex( s, &address.any, sizeof( address.v4 ), NULL, 0, NULL, &ov ), FALSE, ERROR_IO_PENDING );
        ok( !WaitForSingleObject( event, 5000 ), "not connected\n" );
        ok( !ov.Internal, "status %#lx\n", (DWORD)ov.Internal );
        server = accept_one( listener );
        check_flow( s, server );
        /* the peer goes first: the connection's TIME_WAIT is its, and the address is free */
        closesocket( server );
        check_eof( s );
        prepare_overlapped( &ov, event );
        check_error( disconnect_ex( s, &ov, TF_REUSE_SOCKET, 0 ), FALSE, ERROR_IO_PENDING );
        ok( !WaitForSingleObject( event, 5000 ), "not disconnected\n" );
        ok( !ov.Internal, "status %#lx\n", (DWORD)ov.Internal );
        check_fails( send( s, "x", 1, 0 ), WSAENOTCONN );
        winetest_pop_context();
    }
    closesocket( s );
    closesocket( listener );
    CloseHandle( event );
}

#define ROUNDS 300

/* A port is made as soon as one is closed, and mostly under the same handle: a packet of the one before, whose socket ends late,
 * is not for it. */
static void test_port_after_port( void )
{
    struct linger abort = { 1, 0 };
    OVERLAPPED connecting, disconnecting[8], *ended;
    unsigned int strays = 0, missing = 0;
    union address address, own;
    SOCKET listener = tcp_listener( AF_INET, &address ), client, server;
    ULONG_PTR key;
    HANDLE port;
    DWORD size;

    for ( unsigned int i = 0; i < ROUNDS; i++ )
    {
        OVERLAPPED *disconnect = &disconnecting[i % ARRAY_SIZE( disconnecting )];

        port = CreateIoCompletionPort( INVALID_HANDLE_VALUE, NULL, 0, 0 );
        client = tcp_bound( AF_INET, &own );
        CreateIoCompletionPort( (HANDLE)client, port, 1000 + i, 0 );
        memset( &connecting, 0, sizeof( connecting ) );
        memset( disconnect, 0, sizeof( *disconnect ) );
        connect_ex( client, &address.any, sizeof( address.v4 ), NULL, 0, NULL, &connecting );
        server = accept_one( listener );
        CreateIoCompletionPort( (HANDLE)server, port, 1000 + i, 0 );
        ended = NULL;
        GetQueuedCompletionStatus( port, &size, &key, &ended, 5000 );
        missing += !ended;
        strays += ended && ( ended != &connecting || key != 1000 + i );
        setsockopt( client, SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, NULL, 0 );
        setsockopt( server, SOL_SOCKET, SO_LINGER, (char *)&abort, sizeof( abort ) );
        disconnect_ex( client, disconnect, TF_REUSE_SOCKET, 0 );
        closesocket( i % 2 ? client : server );
        closesocket( i % 2 ? server : client );
        CloseHandle( port );
    }
    ok( !strays && !missing, "of %u rounds %u got the packet of one before, %u none\n", ROUNDS, strays, missing );
    closesocket( listener );
}

START_TEST( connectex )
{
    SOCKET s;

    if ( support_begin() ) return;
    s = socket( AF_INET, SOCK_STREAM, 0 );
    if ( load( s ) )
    {
        test_errors();
        test_connect();
        test_disconnect();
        test_reuse();
        test_port_after_port();
    }
    closesocket( s );
    support_end();
}
