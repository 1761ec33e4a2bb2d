/*
 * The ends of connections and their names: what each side may still do after every kind of shutdown, the names of both ends
 * that stay until the socket is closed, a reset after the peer's end of stream, and what a socket answers while its
 * connection is under way, by connect and by ConnectEx.
 */
#include "requests.h"
#include <mswsock.h>

static const int families[] = { AF_INET, AF_INET6 };

struct names
{
    union address local, peer;
};

static void get_names( SOCKET s, struct names *names )
{
    int size = sizeof( names->local );

    memset( names, 0, sizeof( *names ) );
    check_ok( getsockname( s, &names->local.any, &size ) );
    size = sizeof( names->peer );
    check_ok( getpeername( s, &names->peer.any, &size ) );
}

#define check_names( s, names ) check_names_( __LINE__, s, names )
static void check_names_( int line, SOCKET s, const struct names *names )
{
    struct names now;

    get_names( s, &now );
    ok_( __FILE__, line )( !memcmp( &now, names, sizeof( now ) ), "other names\n" );
}

static void test_shutdown( int family )
{
    struct names client_names, server_names;
    SOCKET client, server, fresh = socket( family, SOCK_STREAM, 0 ), listener;
    union address address;
    char data[8];
    int how;

    listener = tcp_listener( family, &address );
    for ( how = SD_RECEIVE; how <= SD_BOTH; how++ )
    {
        check_fails( shutdown( fresh, how ), WSAENOTCONN );
        check_fails( shutdown( listener, how ), WSAENOTCONN );
    }

    tcp_pair_family( family, &client, &server );
    set_nonblocking( client, TRUE );
    get_names( client, &client_names );
    get_names( server, &server_names );
    check_ok( shutdown( client, SD_SEND ) );
    check_ok( shutdown( client, SD_SEND ) );
    check_fails( send( client, "x", 1, 0 ), WSAESHUTDOWN );
    check_result( recv( server, data, sizeof( data ), 0 ), 0 );
    check_result( recv( server, data, sizeof( data ), 0 ), 0 );
    check_ok( shutdown( server, SD_RECEIVE ) );
    check_fails( recv( server, data, sizeof( data ), 0 ), WSAESHUTDOWN );
    check_result( send( server, "hello", 5, 0 ), 5 );
    ok( wait_readable( client, 5000 ), "nothing came\n" );
    check_result( recv( client, data, sizeof( data ), 0 ), 5 );
    check_ok( shutdown( client, SD_RECEIVE ) );
    check_fails( recv( client, data, sizeof( data ), 0 ), WSAESHUTDOWN );
    check_fails( recv( client, data, sizeof( data ), 0 ), WSAESHUTDOWN );
    check_ok( shutdown( server, SD_SEND ) );
    check_fails( send( server, "x", 1, 0 ), WSAESHUTDOWN );
    /* nothing is left of the connection but the names of its ends */
    check_names( client, &client_names );
    check_names( server, &server_names );
    check_fails( connect( client, &address.any, address_length( family ) ), WSAEISCONN );
    check_fails( shutdown( client, 0xdeadbeef ), WSAEINVAL );
    check_names( client, &client_names );
    closesocket( client );
    closesocket( server );

    tcp_pair_family( family, &client, &server );
    get_names( client, &client_names );
    get_names( server, &server_names );
    check_ok( shutdown( client, SD_BOTH ) );
    check_fails( recv( client, data, sizeof( data ), 0 ), WSAESHUTDOWN );
    check_fails( send( client, "x", 1, 0 ), WSAESHUTDOWN );
    check_result( recv( server, data, sizeof( data ), 0 ), 0 );
    check_ok( shutdown( server, SD_BOTH ) );
    check_fails( recv( server, data, sizeof( data ), 0 ), WSAESHUTDOWN );
    check_fails( send( server, "x", 1, 0 ), WSAESHUTDOWN );
    check_names( client, &client_names );
    check_names( server, &server_names );
    closesocket( client );
    closesocket( server );
    closesocket( listener );
    closesocket( fresh );
}

/* The peer ends its stream, then the connection is reset. */
static void test_reset_after_end( int family )
{
    int way;

    for ( way = 0; way < 4; way++ )
    {
        SOCKET client, server;
        OVERLAPPED overlapped = { .hEvent = CreateEventW( NULL, TRUE, FALSE, NULL ) };
        char data[8];
        WSABUF buffer = { sizeof( data ), data };
        DWORD count, flags = 0;
        int i;

        winetest_push_context( "way %d", way );
        tcp_pair_family( family, &client, &server );
        check_ok( shutdown( client, SD_SEND ) );
        closesocket( client );
        check_result( send( server, "hello", 5, 0 ), 5 );
        Sleep( 50 );
        for ( i = 0; i < 2; i++ ) switch ( way )
            {
            case 0: check_fails( recv( server, data, sizeof( data ), 0 ), WSAECONNABORTED ); break;
            case 1: check_fails( recvfrom( server, data, sizeof( data ), 0, NULL, NULL ), WSAECONNABORTED ); break;
            case 2: check_fails( WSARecv( server, &buffer, 1, &count, &flags, NULL, NULL ), WSAECONNABORTED ); break;
            case 3:
                check_fails( WSARecv( server, &buffer, 1, &count, &flags, &overlapped, NULL ), WSAECONNABORTED );
                break;
            }
        closesocket( server );
        CloseHandle( overlapped.hEvent );
        winetest_pop_context();
    }
}

static DWORD WINAPI receive_in_thread( void *arg )
{
    char byte;

    return recv( *(SOCKET *)arg, &byte, 1, 0 ) == SOCKET_ERROR ? WSAGetLastError() : 0;
}

/* A reset is the end of every receive that waits, as it is of all that come. */
static void test_reset_ends_all( int family, BOOL data_first )
{
    struct linger hard = { 1, 0 };
    HANDLE threads[4];
    SOCKET client, server;
    OVERLAPPED ov[4];
    char data[4][16];
    DWORD code;

    winetest_push_context( "family %d, data first %d", family, data_first );
    tcp_pair_family( family, &client, &server );
    for ( unsigned int i = 0; i < ARRAY_SIZE( ov ); i++ )
    {
        WSABUF buffer = { i == 3 ? 0 : 16, data[i] };
        DWORD flags = 0;

        memset( &ov[i], 0, sizeof( ov[i] ) );
        ov[i].hEvent = CreateEventW( NULL, TRUE, FALSE, NULL );
        check_fails( WSARecv( server, &buffer, 1, NULL, &flags, &ov[i], NULL ), WSA_IO_PENDING );
    }
    if ( data_first )
    {
        check_result( send( client, "hello", 5, 0 ), 5 );
        ok( !WaitForSingleObject( ov[0].hEvent, 10000 ) && !ov[0].Internal, "not received\n" );
    }
    setsockopt( client, SOL_SOCKET, SO_LINGER, (char *)&hard, sizeof( hard ) );
    closesocket( client );
    for ( unsigned int i = data_first; i < ARRAY_SIZE( ov ); i++ )
    {
        DWORD size, flags;

        winetest_push_context( "receive %u", i );
        ok( !WaitForSingleObject( ov[i].hEvent, 10000 ), "the event is not set\n" );
        check_error( WSAGetOverlappedResult( server, &ov[i], &size, FALSE, &flags ), FALSE, WSAECONNRESET );
        winetest_pop_context();
    }
    for ( unsigned int i = 0; i < ARRAY_SIZE( ov ); i++ ) CloseHandle( ov[i].hEvent );
    closesocket( server );

    tcp_pair_family( family, &client, &server );
    for ( unsigned int i = 0; i < ARRAY_SIZE( threads ); i++ )
        threads[i] = CreateThread( NULL, 0, receive_in_thread, &server, 0, NULL );
    Sleep( 50 );
    setsockopt( client, SOL_SOCKET, SO_LINGER, (char *)&hard, sizeof( hard ) );
    closesocket( client );
    for ( unsigned int i = 0; i < ARRAY_SIZE( threads ); i++ )
    {
        ok( !WaitForSingleObject( threads[i], 20000 ), "thread %u waits\n", i );
        ok( GetExitCodeThread( threads[i], &code ) && code == WSAECONNRESET, "thread %u: error %lu\n", i, code );
        CloseHandle( threads[i] );
    }
    closesocket( server );
    winetest_pop_context();
}

/* A receive that waits is not touched by a shutdown after it; one that begins later is refused. */
static void test_pending( int family )
{
    OVERLAPPED pending = { .hEvent = CreateEventW( NULL, TRUE, FALSE, NULL ) }, other = { 0 };
    SOCKET client, server;
    char data[8], rest[8];
    WSABUF buffer = { sizeof( data ), data }, second = { sizeof( rest ), rest };
    DWORD count, flags = 0;

    tcp_pair_family( family, &client, &server );
    check_fails( WSARecv( client, &buffer, 1, &count, &flags, &pending, NULL ), WSA_IO_PENDING );
    check_ok( shutdown( client, SD_RECEIVE ) );
    check_fails( WSARecv( client, &second, 1, &count, &flags, NULL, NULL ), WSAESHUTDOWN );
    check_fails( WSARecv( client, &second, 1, &count, &flags, &other, NULL ), WSAESHUTDOWN );
    ok( WaitForSingleObject( pending.hEvent, 50 ) == WAIT_TIMEOUT, "the earlier one has ended\n" );
    check_result( send( server, "hello", 5, 0 ), 5 );
    ok( !WaitForSingleObject( pending.hEvent, 5000 ), "the earlier one has not ended\n" );
    ok( GetOverlappedResult( (HANDLE)client, &pending, &count, FALSE ) && count == 5, "count %lu\n", count );

    ResetEvent( pending.hEvent );
    check_fails( WSARecv( server, &buffer, 1, &count, &flags, &pending, NULL ), WSA_IO_PENDING );
    check_ok( shutdown( client, SD_SEND ) );
    ok( !WaitForSingleObject( pending.hEvent, 5000 ), "it has not ended\n" );
    ok( GetOverlappedResult( (HANDLE)server, &pending, &count, FALSE ) && !count, "count %lu\n", count );
    closesocket( client );
    closesocket( server );
    CloseHandle( pending.hEvent );
}

/* --- under way -------------------------------------------------------------------------------------------------------*/

static void check_refused_ex( LPFN_CONNECTEX function, SOCKET s, const union address *address )
{
    OVERLAPPED overlapped = { .Internal = 0xcccc, .InternalHigh = 0xdddd };
    DWORD sent;

    check_error( function( s, &address->any, sizeof( address->v4 ), NULL, 0, &sent, &overlapped ), FALSE, WSAEINVAL );
    ok( overlapped.Internal == STATUS_PENDING && overlapped.InternalHigh == 0xdddd, "status %#lx, size %#lx\n",
        (DWORD)overlapped.Internal, (DWORD)overlapped.InternalHigh );
}

static void test_under_way( void )
{
    OVERLAPPED overlapped = { .hEvent = CreateEventW( NULL, TRUE, FALSE, NULL ) };
    SOCKET fillers[6], listener, s;
    union address target, any, name;
    LPFN_CONNECTEX function;
    DWORD sent, count;
    int size, by_ex;
    unsigned int i;
    char byte;

    listener = deaf_listener( &target, fillers, ARRAY_SIZE( fillers ) );
    for ( by_ex = 0; by_ex < 2; by_ex++ )
    {
        winetest_push_context( "ConnectEx %d", by_ex );
        s = socket( AF_INET, SOCK_STREAM, 0 );
        set_nonblocking( s, TRUE );
        check_ok( bind( s, &any.any, address_any( &any, AF_INET, 0 ) ) );
        function = extension( s, (GUID)WSAID_CONNECTEX );
        if ( by_ex )
            check_error( function( s, &target.any, sizeof( target.v4 ), NULL, 0, &sent, &overlapped ), FALSE,
                         WSA_IO_PENDING );
        else check_fails( connect( s, &target.any, sizeof( target.v4 ) ), WSAEWOULDBLOCK );
        if ( !is_under_way( s ) ) skip( "the connection is not under way\n" );
        else
        {
            check_fails( connect( s, &target.any, sizeof( target.v4 ) ), by_ex ? WSAEINVAL : WSAEALREADY );
            check_refused_ex( function, s, &target );
            size = sizeof( name );
            check_ok( getsockname( s, &name.any, &size ) );
            ok( address_port( &name ) != 0, "no port\n" );
            size = sizeof( name );
            if ( by_ex ) check_fails( getpeername( s, &name.any, &size ), WSAENOTCONN );
            else
            {
                memset( &name, 0xcc, sizeof( name ) );
                check_ok( getpeername( s, &name.any, &size ) );
                ok( size == sizeof( name.v4 ) && !memcmp( &name.v4, &target.v4, sizeof( name.v4 ) ),
                    "size %d, port %d\n", size, address_port( &name ) );
            }
            check_fails( recv( s, &byte, 1, 0 ), WSAENOTCONN );
            check_fails( send( s, &byte, 1, 0 ), WSAENOTCONN );
        }
        closesocket( s );
        if ( by_ex )
        {
            ok( !WaitForSingleObject( overlapped.hEvent, 5000 ), "it has not ended\n" );
            ok( !GetOverlappedResult( NULL, &overlapped, &count, FALSE ), "it has succeeded\n" );
        }
        winetest_pop_context();
    }
    for ( i = 0; i < ARRAY_SIZE( fillers ); i++ ) closesocket( fillers[i] );
    closesocket( listener );
    CloseHandle( overlapped.hEvent );
}

/* The name that ConnectEx gives is there when the socket's context has been updated. */
static void test_connect_ex_name( int family )
{
    OVERLAPPED overlapped = { .hEvent = CreateEventW( NULL, TRUE, FALSE, NULL ) };
    union address address, any, name;
    SOCKET listener = tcp_listener( family, &address ), s = socket( family, SOCK_STREAM, 0 ), server;
    LPFN_CONNECTEX connect_ex = extension( s, (GUID)WSAID_CONNECTEX );
    int size = sizeof( name );
    DWORD sent;

    check_ok( bind( s, &any.any, address_any( &any, family, 0 ) ) );
    check_error( connect_ex( s, &address.any, address_length( family ), NULL, 0, &sent, &overlapped ), FALSE,
                 WSA_IO_PENDING );
    server = accept_one( listener );
    ok( !WaitForSingleObject( overlapped.hEvent, 5000 ), "it has not ended\n" );
    check_fails( getpeername( s, &name.any, &size ), WSAENOTCONN );
    check_ok( setsockopt( s, SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, NULL, 0 ) );
    check_ok( getpeername( s, &name.any, &size ) );
    ok( size == address_length( family ) && address_port( &name ) == address_port( &address ), "size %d, port %d\n",
        size, address_port( &name ) );
    closesocket( s );
    closesocket( server );
    closesocket( listener );
    CloseHandle( overlapped.hEvent );
}

START_TEST( connection_rules )
{
    unsigned int i;

    if ( support_begin() ) return;
    for ( i = 0; i < ( have_ipv6() ? 2 : 1 ); i++ )
    {
        winetest_push_context( "family %d", families[i] );
        test_shutdown( families[i] );
        test_reset_after_end( families[i] );
        test_reset_ends_all( families[i], FALSE );
        test_reset_ends_all( families[i], TRUE );
        test_pending( families[i] );
        test_connect_ex_name( families[i] );
        winetest_pop_context();
    }
    test_under_way();
    support_end();
}
