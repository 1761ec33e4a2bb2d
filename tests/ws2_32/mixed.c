/*
 * Two processes, one of which may be on the loader's own ws2_32, as an override or its width can have it (tests/run-mixed): they
 * share sockets, or are told that they cannot. What comes of an info is never another socket than the one it was made of.
 */
#include "puppets.h"

static BOOL ours, theirs; /* not on the loader's own, as everybody is on Windows */

static BOOL is_own( void )
{
    return !winetest_is_wine() || memcmp( (char *)GetModuleHandleA( "ws2_32.dll" ) + 0x40, "Wine builtin DLL", 16 );
}

static SOCKET make( struct puppet *puppet, int type )
{
    SOCKET s;

    puppet->message->family = AF_INET;
    puppet->message->type = type;
    puppet->message->protocol = 0;
    puppet->message->flags = WSA_FLAG_OVERLAPPED;
    s = puppet_do( puppet, PUPPET_NEW );
    ok( s != INVALID_SOCKET, "no socket, error %d\n", WSAGetLastError() );
    return s;
}

/* By what Wine's own says of a duplicate. */
static BOOL puppet_is_own( struct puppet *puppet )
{
    SOCKET s = make( puppet, SOCK_DGRAM );

    puppet->message->pid = puppet->pid;
    check_result( puppet_do_on( puppet, PUPPET_DUPLICATE, s ), 0 );
    check_result( puppet_do_on( puppet, PUPPET_CLOSE, s ), 0 );
    return !winetest_is_wine() || puppet->message->info_a.dwServiceFlags4 != 0xff00ff00;
}

static void check_duplicate( struct puppet *puppet, const WSAPROTOCOL_INFOW *info, SOCKET peer )
{
    SOCKET s = puppet_open_w( puppet, info, 0 );
    char buffer[16];

    if ( ours != theirs )
    {
        int error = WSAGetLastError();
        ok( s == INVALID_SOCKET, "got a socket\n" );
        ok( error == WSAEINVAL, "got error %d\n", error );
        return;
    }
    ok( s != INVALID_SOCKET, "no duplicate, error %d\n", WSAGetLastError() );
    check_result( puppet_send( puppet, s, "from there" ), 10 );
    check_result( recv( peer, buffer, sizeof( buffer ), 0 ), 10 );
    check_result( puppet_do_on( puppet, PUPPET_CLOSE, s ), 0 );
}

static void test_to_other( struct puppet *puppet )
{
    WSAPROTOCOL_INFOW info;
    WSAPROTOCOL_INFOA info_a;
    SOCKET client, server;

    winetest_push_context( "to the other" );
    tcp_pair( &client, &server );
    if ( ours && !theirs )
    {
        check_fails( WSADuplicateSocketW( server, puppet->pid, &info ), WSAEINVAL );
        check_fails( WSADuplicateSocketA( server, puppet->pid, &info_a ), WSAEINVAL );
        check_fails( WSADuplicateSocketW( server, puppet->pid, &info ), WSAEINVAL );
    }
    else
    {
        check_ok( WSADuplicateSocketW( server, puppet->pid, &info ) );
        check_duplicate( puppet, &info, client );
    }
    check_flow( client, server );
    check_flow( server, client );
    check_ok( closesocket( server ) );
    /* the loader's own gives the other process a handle, which it cannot use */
    if ( ours || !theirs ) check_eof( client );
    check_ok( closesocket( client ) );
    winetest_pop_context();
}

static void test_from_other( struct puppet *puppet )
{
    union address address;
    SOCKET listener = tcp_listener( AF_INET, &address ), server, remote = make( puppet, SOCK_STREAM ), s;
    WSAPROTOCOL_INFOA *info = &puppet->message->info_a;

    winetest_push_context( "from the other" );
    puppet->message->address = address;
    check_result( puppet_do_on( puppet, PUPPET_CONNECT, remote ), 0 );
    server = accept_one( listener );
    puppet->message->pid = GetCurrentProcessId();
    if ( theirs && !ours ) check_error( puppet_do_on( puppet, PUPPET_DUPLICATE, remote ), SOCKET_ERROR, WSAEINVAL );
    else check_result( puppet_do_on( puppet, PUPPET_DUPLICATE, remote ), 0 );
    if ( ours && !theirs )
    {
        check_no_socket( WSASocketA( FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, info, 0, 0 ),
                         WSAEINVAL );
        check_no_socket( WSASocketA( AF_INET, SOCK_STREAM, IPPROTO_TCP, info, 0, WSA_FLAG_OVERLAPPED ), WSAEINVAL );
    }
    if ( ours == theirs )
    {
        s = WSASocketA( FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, info, 0, WSA_FLAG_OVERLAPPED );
        ok( s != INVALID_SOCKET, "no duplicate, error %d\n", WSAGetLastError() );
        check_flow( s, server );
        check_ok( closesocket( s ) );
    }
    check_result( puppet_send( puppet, remote, "still there" ), 11 );
    check_ok( closesocket( server ) );
    check_ok( closesocket( listener ) );
    winetest_pop_context();
}

/* What a process will be on is known before it has begun, by its width and by overrides. */
static void test_suspended( void )
{
    WSAPROTOCOL_INFOW info;
    struct puppet puppet;
    SOCKET client, server;
    int error;

    winetest_push_context( "suspended" );
    tcp_pair( &client, &server );
    puppet_create( &puppet, PUPPET_SUSPENDED );
    error = WSADuplicateSocketW( server, puppet.pid, &info ) ? WSAGetLastError() : 0;
    puppet_resume( &puppet );
    theirs = puppet_is_own( &puppet );
    ok( error == ( ours && !theirs ? WSAEINVAL : 0 ), "got error %d\n", error );
    if ( !error ) check_duplicate( &puppet, &info, client );
    check_ok( closesocket( client ) );
    check_ok( closesocket( server ) );
    puppet_destroy( &puppet );
    winetest_pop_context();
}

START_TEST( mixed )
{
    struct puppet puppet;

    if ( support_begin() ) return;
    ours = is_own();
    puppet_create( &puppet, 0 );
    theirs = puppet_is_own( &puppet );
    test_to_other( &puppet );
    test_from_other( &puppet );
    puppet_destroy( &puppet );
    test_suspended();
    support_end();
}
