/*
 * WSAConnectByName and WSAConnectByList (facts: sockets-1, section 8): the table of arguments, the addresses that are
 * told, and going on to the next address when one refuses. WSAGetQOSByName knows no template.
 */
#include "support.h"

static char service[8];
static SOCKET listener;

static SOCKET accepted( void )
{
    SOCKET s = wait_readable( listener, 5000 ) ? accept( listener, NULL, NULL ) : INVALID_SOCKET;

    ok( s != INVALID_SOCKET, "accept failed, error %d\n", WSAGetLastError() );
    return s;
}

static void test_success( void )
{
    static const struct
    {
        BOOL addresses, lengths;
        DWORD length;
    } rows[] = { { TRUE, TRUE, 16 }, { TRUE, FALSE, 0 }, { FALSE, TRUE, 16 }, { FALSE, FALSE, 0 }, { TRUE, TRUE, 50 } };

    for ( unsigned int i = 0; i < ARRAY_SIZE( rows ) * 2; i++ )
    {
        unsigned int r = i / 2;
        DWORD local_length = rows[r].length, remote_length = rows[r].length;
        DWORD *local_pointer = rows[r].lengths ? &local_length : NULL;
        DWORD *remote_pointer = rows[r].lengths ? &remote_length : NULL;
        SOCKET s = socket( AF_INET, SOCK_STREAM, 0 ), peer;
        union address local, remote, expected;
        struct sockaddr *local_address = rows[r].addresses ? &local.any : NULL;
        struct sockaddr *remote_address = rows[r].addresses ? &remote.any : NULL;
        int size = sizeof( expected );

        winetest_push_context( "row %u%s", r, i % 2 ? " wide" : "" );
        memset( &local, 0xcc, sizeof( local ) );
        memset( &remote, 0xcc, sizeof( remote ) );
        if ( i % 2 )
        {
            WCHAR wide[8];

            MultiByteToWideChar( CP_ACP, 0, service, -1, wide, ARRAY_SIZE( wide ) );
            check_result( WSAConnectByNameW( s, (WCHAR *)L"127.0.0.1", wide, local_pointer, local_address,
                                             remote_pointer, remote_address, NULL, NULL ),
                          TRUE );
        }
        else
            check_result( WSAConnectByNameA( s, (char *)"localhost", service, local_pointer, local_address,
                                             remote_pointer, remote_address, NULL, NULL ),
                          TRUE );
        peer = accepted();
        check_ok( setsockopt( s, SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, NULL, 0 ) );
        check_flow( s, peer );
        check_flow( peer, s );
        if ( rows[r].lengths )
            ok( local_length == 16 && remote_length == 16, "lengths %lu, %lu\n", local_length, remote_length );
        if ( rows[r].addresses && rows[r].lengths )
        {
            check_ok( getpeername( s, &expected.any, &size ) );
            ok( size == 16 && !memcmp( &remote, &expected, 16 ), "another remote address\n" );
            size = sizeof( expected );
            check_ok( getsockname( s, &expected.any, &size ) );
            ok( !local.v4.sin_port, "local port %u\n", ntohs( local.v4.sin_port ) );
            expected.v4.sin_port = 0;
            ok( !memcmp( &local, &expected, 8 ), "another local address\n" );
        }
        else ok( ( (BYTE *)&local )[0] == 0xcc && ( (BYTE *)&remote )[0] == 0xcc, "addresses were written\n" );
        closesocket( s );
        closesocket( peer );
        winetest_pop_context();
    }
}

static void test_failures( void )
{
    SOCKET s = socket( AF_INET, SOCK_STREAM, 0 ), udp = socket( AF_INET, SOCK_DGRAM, 0 ), closed;
    char node[] = "127.0.0.1", unknown[] = "nosuchservice";
    DWORD short_length = 3, other_length = 3, length = 16;
    union address address, refusing;
    SOCKET bound;

    check_error(
        WSAConnectByNameA( s, node, service, &short_length, &address.any, &other_length, &address.any, NULL, NULL ),
        FALSE, WSAEFAULT );
    ok( short_length == 3 && other_length == 3, "lengths %lu, %lu\n", short_length, other_length );
    check_error( WSAConnectByNameA( s, NULL, service, NULL, NULL, NULL, NULL, NULL, NULL ), FALSE, WSAEINVAL );
    check_error( WSAConnectByNameA( s, node, NULL, NULL, NULL, NULL, NULL, NULL, NULL ), FALSE, WSAEINVAL );
    check_error( WSAConnectByNameA( s, node, unknown, NULL, NULL, NULL, NULL, NULL, NULL ), FALSE, WSATYPE_NOT_FOUND );
    check_error( WSAConnectByNameA( udp, node, service, NULL, NULL, NULL, NULL, NULL, NULL ), FALSE, WSAEFAULT );
    check_error( WSAConnectByNameA( s, node, service, NULL, NULL, NULL, NULL, NULL, (WSAOVERLAPPED *)&address ), FALSE,
                 WSAEINVAL );
    check_error( WSAConnectByNameW( s, NULL, (WCHAR *)L"80", &length, &address.any, NULL, NULL, NULL, NULL ), FALSE,
                 WSAEINVAL );
    closed = socket( AF_INET, SOCK_STREAM, 0 );
    closesocket( closed );
    check_error( WSAConnectByNameA( closed, node, NULL, NULL, NULL, NULL, NULL, NULL, NULL ), FALSE, WSAEINVAL );
    check_error( WSAConnectByNameA( closed, node, service, NULL, NULL, NULL, NULL, NULL, NULL ), FALSE, WSAENOTSOCK );

    bound = tcp_bound( AF_INET, &refusing );
    {
        struct timeval limit = { 10, 0 };
        char port[8];

        sprintf( port, "%u", address_port( &refusing ) );
        check_error( WSAConnectByNameA( s, node, port, NULL, NULL, NULL, NULL, &limit, NULL ), FALSE, WSAECONNREFUSED );
    }
    closesocket( bound );
    closesocket( udp );
    closesocket( s );
}

static void test_list( void )
{
    SOCKET s = socket( AF_INET, SOCK_STREAM, 0 ), peer, bound;
    union address refusing, good, remote;
    SOCKET_ADDRESS_LIST *list = malloc( sizeof( *list ) + sizeof( SOCKET_ADDRESS ) );
    struct timeval limit = { 10, 0 };
    DWORD length = sizeof( remote );
    int size = sizeof( good );

    bound = tcp_bound( AF_INET, &refusing );
    check_ok( getsockname( listener, &good.any, &size ) );
    list->iAddressCount = 2;
    list->Address[0] = ( SOCKET_ADDRESS ){ &refusing.any, sizeof( refusing.v4 ) };
    list->Address[1] = ( SOCKET_ADDRESS ){ &good.any, sizeof( good.v4 ) };
    check_result( WSAConnectByList( s, list, NULL, NULL, &length, &remote.any, &limit, NULL ), TRUE );
    ok( length == 16 && !memcmp( &remote, &good, 8 ), "another remote address\n" );
    peer = accepted();
    check_ok( setsockopt( s, SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, NULL, 0 ) );
    check_flow( s, peer );
    set_receive_timeout( s, 50 );
    {
        char c;

        /* it blocks, as it did before */
        check_fails( recv( s, &c, 1, 0 ), WSAETIMEDOUT );
    }
    closesocket( peer );
    closesocket( s );
    closesocket( bound );
    free( list );
    check_error( WSAConnectByList( INVALID_SOCKET, NULL, NULL, NULL, NULL, NULL, NULL, NULL ), FALSE, WSAEINVAL );
}

static void test_qos( void )
{
    SOCKET s = socket( AF_INET, SOCK_STREAM, 0 );
    WSABUF name = { 5, (char *)"G711" };
    QOS qos;

    check_error( WSAGetQOSByName( s, &name, &qos ), FALSE, WSAEINVAL );
    check_error( WSAGetQOSByName( INVALID_SOCKET, &name, &qos ), FALSE, WSAENOTSOCK );
    closesocket( s );
}

START_TEST( connectby )
{
    union address address;

    if ( support_begin() ) return;
    listener = tcp_listener( AF_INET, &address );
    sprintf( service, "%u", address_port( &address ) );
    test_success();
    test_failures();
    test_list();
    test_qos();
    closesocket( listener );
    support_end();
}
