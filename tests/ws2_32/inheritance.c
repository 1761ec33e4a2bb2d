/*
 * Sockets as handles (facts/duplication.md and the design's "a SOCKET is a real NT handle"): inherited by child processes
 * under the same value, copied by DuplicateHandle, read and written as files, and as a child's standard input and output.
 */
#include "puppets.h"

static void set_inherit( SOCKET s, BOOL inherit )
{
    ok( SetHandleInformation( (HANDLE)s, HANDLE_FLAG_INHERIT, inherit ? HANDLE_FLAG_INHERIT : 0 ),
        "SetHandleInformation failed, error %lu\n", GetLastError() );
}

/* A child uses what it inherits by the same value, before and after the parent's closesocket. */
static void test_inherited( void )
{
    SOCKET client, server, hidden_client, hidden_server;
    struct puppet puppet;
    char buffer[16];

    tcp_pair( &client, &server );
    tcp_pair( &hidden_client, &hidden_server );
    set_inherit( client, FALSE );
    set_inherit( hidden_client, FALSE );
    set_inherit( hidden_server, FALSE );
    puppet_create( &puppet, PUPPET_INHERITS );
    check_result( puppet_send( &puppet, server, "child" ), 5 );
    check_result( recv( client, buffer, 5, MSG_WAITALL ), 5 );
    check_flow( server, client );
    check_flow( client, server );
    check_result( send( client, "to the child", 12, 0 ), 12 );
    check_result( puppet_do_on( &puppet, PUPPET_RECV, server ), 12 );
    check_ok( puppet_do_on( &puppet, PUPPET_GETPEERNAME, server ) );
    ok( address_port( &puppet.message->address ) == socket_port( client ), "got port %d\n",
        address_port( &puppet.message->address ) );
    /* what is not inherited is no socket there */
    check_fails( puppet_send( &puppet, hidden_server, "x" ), WSAENOTSOCK );
    check_open( hidden_client );
    /* one socket: options and blocking mode are seen on both sides */
    puppet.message->option = FIONBIO;
    puppet.message->value = 1;
    check_ok( puppet_do_on( &puppet, PUPPET_IOCTL, server ) );
    check_fails( recv( server, buffer, 1, 0 ), WSAEWOULDBLOCK );
    check_ok( closesocket( server ) );
    check_open( client );
    check_result( puppet_send( &puppet, server, "alone" ), 5 );
    check_result( recv( client, buffer, 5, MSG_WAITALL ), 5 );
    check_ok( puppet_do_on( &puppet, PUPPET_CLOSE, server ) );
    check_eof( client );
    puppet_destroy( &puppet );
    closesocket( client );
    closesocket( hidden_client );
    closesocket( hidden_server );
}

/* A child that never touches what it inherits holds it until it ends. */
static void test_held( void )
{
    SOCKET client, server;
    struct puppet puppet;
    unsigned int killed;

    for ( killed = 0; killed < 2; killed++ )
    {
        winetest_push_context( killed ? "killed" : "exits" );
        tcp_pair( &client, &server );
        set_inherit( client, FALSE );
        puppet_create( &puppet, PUPPET_INHERITS | PUPPET_BARE );
        check_ok( puppet_do( &puppet, PUPPET_STARTUP ) );
        check_ok( closesocket( server ) );
        check_open( client );
        if ( killed ) puppet_kill( &puppet );
        else puppet_destroy( &puppet );
        check_eof( client );
        closesocket( client );
        winetest_pop_context();
    }
}

/* An inherited listener: accepted in the child, by the parent too, and by the child alone at last. */
static void test_inherited_listener( void )
{
    union address address;
    SOCKET listener = tcp_listener( AF_INET, &address ), client, server, there;
    struct puppet puppet;
    char buffer[8];

    puppet_create( &puppet, PUPPET_INHERITS );
    client = socket( AF_INET, SOCK_STREAM, 0 );
    check_ok( connect( client, &address.any, sizeof( address.v4 ) ) );
    there = puppet_do_on( &puppet, PUPPET_ACCEPT, listener );
    ok( there != INVALID_SOCKET, "accept failed, error %d\n", WSAGetLastError() );
    check_result( puppet_send( &puppet, there, "child" ), 5 );
    set_receive_timeout( client, 10000 );
    check_result( recv( client, buffer, 5, MSG_WAITALL ), 5 );
    check_ok( puppet_do_on( &puppet, PUPPET_CLOSE, there ) );
    check_eof( client );
    closesocket( client );
    client = socket( AF_INET, SOCK_STREAM, 0 );
    check_ok( connect( client, &address.any, sizeof( address.v4 ) ) );
    server = accept_one( listener );
    check_flow( server, client );
    closesocket( client );
    closesocket( server );
    check_ok( closesocket( listener ) );
    client = socket( AF_INET, SOCK_STREAM, 0 );
    check_ok( connect( client, &address.any, sizeof( address.v4 ) ) );
    there = puppet_do_on( &puppet, PUPPET_ACCEPT, listener );
    ok( there != INVALID_SOCKET, "accept failed, error %d\n", WSAGetLastError() );
    closesocket( client );
    puppet_destroy( &puppet );
    check_refused( &address );
}

/* A socket that the child inherited can be handed on by it. */
static void test_inherited_duplicate( void )
{
    SOCKET client, server, back;
    struct puppet puppet;

    tcp_pair( &client, &server );
    set_inherit( client, FALSE );
    puppet_create( &puppet, PUPPET_INHERITS );
    check_ok( closesocket( server ) );
    puppet.message->pid = GetCurrentProcessId();
    check_ok( puppet_do_on( &puppet, PUPPET_DUPLICATE, server ) );
    check_ok( puppet_do_on( &puppet, PUPPET_CLOSE, server ) );
    check_open( client );
    back = WSASocketA( FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &puppet.message->info_a, 0, 0 );
    ok( back != INVALID_SOCKET, "no duplicate, error %d\n", WSAGetLastError() );
    check_flow( client, back );
    check_flow( back, client );
    puppet_destroy( &puppet );
    check_ok( closesocket( back ) );
    check_eof( client );
    closesocket( client );
}

static void test_duplicate_handle( void )
{
    SOCKET client, server;
    HANDLE copy, there;
    struct puppet puppet;
    char buffer[16];
    DWORD count;

    tcp_pair_with( 0, &client, &server );
    ok( DuplicateHandle( GetCurrentProcess(), (HANDLE)server, GetCurrentProcess(), &copy, 0, FALSE,
                         DUPLICATE_SAME_ACCESS ),
        "DuplicateHandle failed, error %lu\n", GetLastError() );
    check_flow( (SOCKET)copy, client );
    check_flow( client, (SOCKET)copy );
    check_ok( closesocket( server ) );
    check_open( client );
    ok( WriteFile( copy, "file", 4, &count, NULL ) && count == 4, "WriteFile failed, error %lu\n", GetLastError() );
    check_result( recv( client, buffer, sizeof( buffer ), 0 ), 4 );
    ok( CloseHandle( copy ), "CloseHandle failed, error %lu\n", GetLastError() );
    check_eof( client );
    closesocket( client );

    /* into another process, which gets to know of it by its value */
    tcp_pair( &client, &server );
    puppet_create( &puppet, 0 );
    ok( DuplicateHandle( GetCurrentProcess(), (HANDLE)server, puppet.process, &there, 0, FALSE, DUPLICATE_SAME_ACCESS ),
        "DuplicateHandle failed, error %lu\n", GetLastError() );
    check_ok( closesocket( server ) );
    check_result( puppet_send( &puppet, (SOCKET)there, "there" ), 5 );
    check_result( recv( client, buffer, 5, MSG_WAITALL ), 5 );
    check_ok( puppet_do_on( &puppet, PUPPET_CLOSE, (SOCKET)there ) );
    check_eof( client );
    puppet_destroy( &puppet );
    closesocket( client );
}

/* Overlapped sockets want an OVERLAPPED of ReadFile and WriteFile; these are not. */
static void test_file_calls( void )
{
    SOCKET client, server;
    char buffer[16];
    DWORD count;

    tcp_pair_with( 0, &client, &server );
    ok( WriteFile( (HANDLE)client, "written", 7, &count, NULL ) && count == 7, "WriteFile failed, error %lu\n",
        GetLastError() );
    ok( wait_readable( server, 5000 ), "nothing arrived\n" );
    memset( buffer, 0, sizeof( buffer ) );
    ok( ReadFile( (HANDLE)server, buffer, 3, &count, NULL ) && count == 3, "ReadFile failed, error %lu\n",
        GetLastError() );
    ok( !memcmp( buffer, "wri", 4 ), "got %s\n", buffer );
    check_result( recv( server, buffer, sizeof( buffer ), 0 ), 4 );
    check_flow( server, client );
    /* the end of the stream is a read of nothing */
    check_ok( shutdown( client, SD_SEND ) );
    ok( wait_readable( server, 5000 ), "no end\n" );
    count = 99;
    ok( ReadFile( (HANDLE)server, buffer, sizeof( buffer ), &count, NULL ) && !count, "got %lu, error %lu\n", count,
        GetLastError() );
    closesocket( client );
    closesocket( server );

    /* CloseHandle closes a socket as a handle: the peer sees it */
    tcp_pair( &client, &server );
    ok( CloseHandle( (HANDLE)client ), "CloseHandle failed, error %lu\n", GetLastError() );
    check_eof( server );
    check_fails( send( client, "x", 1, 0 ), WSAENOTSOCK );
    closesocket( server );
}

/* The child copies its standard input to its standard output, as a program that knows nothing of sockets. */
static void copy_child( void )
{
    HANDLE in = GetStdHandle( STD_INPUT_HANDLE ), out = GetStdHandle( STD_OUTPUT_HANDLE );
    DWORD count, written;
    char buffer[64];

    while ( ReadFile( in, buffer, sizeof( buffer ), &count, NULL ) && count )
        if ( !WriteFile( out, buffer, count, &written, NULL ) || written != count ) ExitProcess( 2 );
    ExitProcess( 0 );
}

static void test_standard_handles( void )
{
    SOCKET client, server;
    char buffer[16];
    HANDLE process;
    DWORD code = 99;

    tcp_pair_with( 0, &client, &server );
    set_inherit( client, FALSE );
    process = run_child( "copy", (HANDLE)server, (HANDLE)server, 0, NULL );
    check_ok( closesocket( server ) );
    check_result( send( client, "to and fro", 10, 0 ), 10 );
    check_result( recv( client, buffer, 10, MSG_WAITALL ), 10 );
    ok( !memcmp( buffer, "to and fro", 10 ), "got %.10s\n", buffer );
    check_ok( shutdown( client, SD_SEND ) );
    check_eof( client );
    ok( !WaitForSingleObject( process, 10000 ), "the child did not end\n" );
    GetExitCodeProcess( process, &code );
    ok( !code, "the child ended with %lu\n", code );
    CloseHandle( process );
    closesocket( client );
}

START_TEST( inheritance )
{
    char **argv;

    if ( winetest_get_mainargs( &argv ) == 3 && !strcmp( argv[2], "copy" ) ) copy_child();
    support_begin();
    test_inherited();
    test_held();
    test_inherited_listener();
    test_inherited_duplicate();
    test_duplicate_handle();
    test_file_calls();
    test_standard_handles();
    support_end();
}
