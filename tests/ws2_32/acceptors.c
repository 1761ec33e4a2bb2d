/*
 * The acceptor of an AcceptEx, and a socket that DisconnectEx made fit for use again, are the sockets that they were: who
 * gets their handles by inheritance, DuplicateHandle or WSADuplicateSocket has the connection of the time, be it by recv and
 * send, by ReadFile and WriteFile, or as a child that knows nothing of sockets.
 */
#include "requests.h"
#include "puppets.h"

static LPFN_ACCEPTEX accept_ex;
static LPFN_DISCONNECTEX disconnect_ex;

static BOOL load( SOCKET s )
{
    accept_ex = extension( s, (GUID)WSAID_ACCEPTEX );
    disconnect_ex = extension( s, (GUID)WSAID_DISCONNECTEX );
    return accept_ex && disconnect_ex;
}

static SOCKET fresh( DWORD flags ) { return WSASocketW( AF_INET, SOCK_STREAM, 0, NULL, 0, flags ); }

static void set_inherit( SOCKET s, BOOL inherit )
{
    ok( SetHandleInformation( (HANDLE)s, HANDLE_FLAG_INHERIT, inherit ? HANDLE_FLAG_INHERIT : 0 ),
        "SetHandleInformation failed, error %lu\n", GetLastError() );
}

/* The other end, which no child has. */
static SOCKET accept_into( SOCKET listener, SOCKET acceptor, const union address *address )
{
    SOCKET client = fresh( WSA_FLAG_OVERLAPPED );
    OVERLAPPED ov = { .hEvent = CreateEventW( NULL, TRUE, FALSE, NULL ) };
    char buffer[2 * SLOT];
    DWORD size, flags;

    set_inherit( client, FALSE );
    set_receive_timeout( client, 10000 );
    check_error( accept_ex( listener, acceptor, buffer, 0, SLOT, SLOT, NULL, &ov ), FALSE, ERROR_IO_PENDING );
    check_ok( connect( client, &address->any, sizeof( address->v4 ) ) );
    ok( !WaitForSingleObject( ov.hEvent, 10000 ), "not accepted\n" );
    ok( WSAGetOverlappedResult( listener, &ov, &size, FALSE, &flags ), "failed, error %d\n", WSAGetLastError() );
    check_ok( setsockopt( acceptor, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, (char *)&listener, sizeof( listener ) ) );
    CloseHandle( ov.hEvent );
    return client;
}

/* A child of whatever kind answers on the other end. */
static void check_echo( SOCKET client, const char *text )
{
    const int length = strlen( text );
    char buffer[64] = "";

    check_result( send( client, text, length, 0 ), length );
    check_result( recv( client, buffer, length, MSG_WAITALL ), length );
    ok( !memcmp( buffer, text, length ), "got %s\n", buffer );
}

static void check_puppet( struct puppet *puppet, SOCKET there, SOCKET client )
{
    char buffer[16];

    check_result( puppet_send( puppet, there, "there" ), 5 );
    check_result( recv( client, buffer, 5, MSG_WAITALL ), 5 );
    check_result( send( client, "to the child", 12, 0 ), 12 );
    check_result( puppet_do_on( puppet, PUPPET_RECV, there ), 12 );
    check_ok( puppet_do_on( puppet, PUPPET_GETPEERNAME, there ) );
    ok( address_port( &puppet->message->address ) == socket_port( client ), "got port %d\n",
        address_port( &puppet->message->address ) );
}

/* The children: standard input goes to standard output, by the calls of files or of sockets. */
static void copy_child( BOOL sockets )
{
    HANDLE in = GetStdHandle( STD_INPUT_HANDLE ), out = GetStdHandle( STD_OUTPUT_HANDLE );
    DWORD count, written;
    char buffer[64];
    WSADATA data;

    if ( sockets ) WSAStartup( 0x202, &data );
    for ( ;; )
        if ( sockets )
        {
            const int n = recv( (SOCKET)in, buffer, sizeof( buffer ), 0 );

            if ( !n ) ExitProcess( 0 );
            if ( n < 0 || send( (SOCKET)out, buffer, n, 0 ) != n ) ExitProcess( 3 );
        }
        else
        {
            if ( !ReadFile( in, buffer, sizeof( buffer ), &count, NULL ) || !count ) ExitProcess( 0 );
            if ( !WriteFile( out, buffer, count, &written, NULL ) || written != count ) ExitProcess( 2 );
        }
}

/* As inetd and its like do it: the connection is the child's standard input and output. */
static void test_standard_handles( SOCKET listener, const union address *address )
{
    static const struct
    {
        const char *child;
        DWORD flags;
    } children[] = { { "copy-files", 0 }, { "copy-sockets", 0 }, { "copy-sockets", WSA_FLAG_OVERLAPPED } };

    for ( unsigned int i = 0; i < ARRAY_SIZE( children ); i++ )
    {
        SOCKET acceptor = fresh( children[i].flags ), client;
        DWORD code = 99;
        HANDLE process;

        winetest_push_context( "%s, flags %lu", children[i].child, children[i].flags );
        client = accept_into( listener, acceptor, address );
        process = run_child( children[i].child, (HANDLE)acceptor, (HANDLE)acceptor, 0, NULL );
        check_ok( closesocket( acceptor ) );
        check_echo( client, "to and fro" );
        check_echo( client, "once more" );
        check_ok( shutdown( client, SD_SEND ) );
        check_eof( client );
        ok( !WaitForSingleObject( process, 10000 ), "the child did not end\n" );
        GetExitCodeProcess( process, &code );
        ok( !code, "the child ended with %lu\n", code );
        CloseHandle( process );
        closesocket( client );
        winetest_pop_context();
    }
}

#define MANY 8

/* By value, among handles that the child does not inherit. */
static void test_inherited( SOCKET listener, const union address *address )
{
    SOCKET acceptors[MANY], clients[MANY], hidden, hidden_client;
    HANDLE between[MANY];
    struct puppet puppet;

    for ( unsigned int i = 0; i < MANY; i++ )
    {
        between[i] = CreateEventW( NULL, TRUE, FALSE, NULL );
        acceptors[i] = fresh( WSA_FLAG_OVERLAPPED );
    }
    hidden = fresh( WSA_FLAG_OVERLAPPED );
    set_inherit( hidden, FALSE );
    for ( unsigned int i = 0; i < MANY; i++ ) clients[i] = accept_into( listener, acceptors[i], address );
    hidden_client = accept_into( listener, hidden, address );
    for ( unsigned int i = 0; i < MANY; i += 2 ) CloseHandle( between[i] );

    puppet_create( &puppet, PUPPET_INHERITS );
    for ( unsigned int i = 0; i < MANY; i++ )
    {
        winetest_push_context( "%u", i );
        check_puppet( &puppet, acceptors[i], clients[i] );
        check_result( puppet_do_on( &puppet, PUPPET_HANDLE_FLAGS, acceptors[i] ), TRUE );
        ok( puppet.message->value == HANDLE_FLAG_INHERIT, "flags %#lx\n", puppet.message->value );
        winetest_pop_context();
    }
    check_fails( puppet_send( &puppet, hidden, "x" ), WSAENOTSOCK );
    check_open( hidden_client );
    /* the parent has it still, and the peer sees the end when both have closed */
    check_flow( acceptors[0], clients[0] );
    check_ok( closesocket( acceptors[0] ) );
    check_open( clients[0] );
    check_ok( puppet_do_on( &puppet, PUPPET_CLOSE, acceptors[0] ) );
    check_eof( clients[0] );
    puppet_destroy( &puppet );

    /* one that is made suspended, and whose parent closes before it runs */
    puppet_create( &puppet, PUPPET_INHERITS | PUPPET_SUSPENDED );
    check_ok( closesocket( acceptors[1] ) );
    puppet_resume( &puppet );
    check_puppet( &puppet, acceptors[1], clients[1] );
    puppet_destroy( &puppet );
    check_eof( clients[1] );

    for ( unsigned int i = 0; i < MANY; i++ )
    {
        if ( i % 2 ) CloseHandle( between[i] );
        if ( i > 1 ) closesocket( acceptors[i] );
        closesocket( clients[i] );
    }
    closesocket( hidden );
    closesocket( hidden_client );
}

static void test_duplicate_handle( SOCKET listener, const union address *address )
{
    SOCKET acceptor = fresh( 0 ), client;
    struct puppet puppet;
    HANDLE copy, there;

    client = accept_into( listener, acceptor, address );
    ok( DuplicateHandle( GetCurrentProcess(), (HANDLE)acceptor, GetCurrentProcess(), &copy, 0, FALSE,
                         DUPLICATE_SAME_ACCESS ),
        "DuplicateHandle failed, error %lu\n", GetLastError() );
    check_flow( (SOCKET)copy, client );
    check_flow( client, (SOCKET)copy );
    CloseHandle( copy );

    puppet_create( &puppet, 0 );
    ok( DuplicateHandle( GetCurrentProcess(), (HANDLE)acceptor, puppet.process, &there, 0, FALSE,
                         DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE ),
        "DuplicateHandle failed, error %lu\n", GetLastError() );
    check_fails( send( acceptor, "x", 1, 0 ), WSAENOTSOCK );
    check_open( client );
    check_puppet( &puppet, (SOCKET)there, client );
    check_ok( puppet_do_on( &puppet, PUPPET_CLOSE, (SOCKET)there ) );
    check_eof( client );
    puppet_destroy( &puppet );
    closesocket( client );
}

/* --- several handles of one acceptor --------------------------------------------------------------------------------------*/

enum order
{
    NONE_CLOSES,
    ACCEPTOR_CLOSES,
    COPY_CLOSES,
    ACCEPTOR_CLOSES_CONNECTED, /* the connection is there, and its data is not */
    BOTH_CLOSE,
    BOTH_CLOSE_CONNECTED,
    ORDERS
};

static SOCKET copy_of( SOCKET s, BOOL by_info )
{
    WSAPROTOCOL_INFOA info;
    HANDLE copy;

    if ( by_info )
    {
        check_ok( WSADuplicateSocketA( s, GetCurrentProcessId(), &info ) );
        return WSASocketA( FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0, WSA_FLAG_OVERLAPPED );
    }
    ok( DuplicateHandle( GetCurrentProcess(), (HANDLE)s, GetCurrentProcess(), &copy, 0, FALSE, DUPLICATE_SAME_ACCESS ),
        "DuplicateHandle failed, error %lu\n", GetLastError() );
    return (SOCKET)copy;
}

static SOCKET connect_to( const union address *address )
{
    SOCKET s = fresh( WSA_FLAG_OVERLAPPED );

    set_receive_timeout( s, 10000 );
    check_ok( connect( s, &address->any, sizeof( address->v4 ) ) );
    return s;
}

/* The connection is every handle's, and the request ends with the last of them. */
static void test_several( SOCKET listener, const union address *address, BOOL by_info, DWORD size, enum order order )
{
    const BOOL connected = order == ACCEPTOR_CLOSES_CONNECTED || order == BOTH_CLOSE_CONNECTED;
    const BOOL ends = order == BOTH_CLOSE || order == BOTH_CLOSE_CONNECTED;
    SOCKET acceptor = fresh( WSA_FLAG_OVERLAPPED ), copy = copy_of( acceptor, by_info ), client = INVALID_SOCKET;
    OVERLAPPED ov = { .hEvent = CreateEventW( NULL, TRUE, FALSE, NULL ) }, other = { 0 };
    char buffer[16 + 2 * SLOT], more[16 + 2 * SLOT];
    union address name;
    DWORD got, flags;
    int length;

    if ( connected && !size ) return;
    winetest_push_context( "info %d, size %lu, order %d", by_info, size, order );
    check_error( accept_ex( listener, acceptor, buffer, size, SLOT, SLOT, NULL, &ov ), FALSE, ERROR_IO_PENDING );
    check_error( accept_ex( listener, copy, more, size, SLOT, SLOT, NULL, &other ), FALSE, WSAEINVAL );
    if ( connected )
    {
        client = connect_to( address );
        await_accepted( acceptor );
    }
    if ( order != NONE_CLOSES ) check_ok( closesocket( order == COPY_CLOSES ? copy : acceptor ) );
    ok( WaitForSingleObject( ov.hEvent, 50 ) == WAIT_TIMEOUT && ov.Internal == STATUS_PENDING, "status %#lx\n",
        (DWORD)ov.Internal );
    if ( ends ) check_ok( closesocket( copy ) );
    else
    {
        if ( client == INVALID_SOCKET ) client = connect_to( address );
        if ( size ) check_result( send( client, "hello", 5, 0 ), 5 );
    }
    ok( !WaitForSingleObject( ov.hEvent, 10000 ), "it does not end\n" );
    if ( ends )
    {
        check_error( WSAGetOverlappedResult( listener, &ov, &got, FALSE, &flags ), FALSE, WSA_OPERATION_ABORTED );
        if ( client != INVALID_SOCKET ) { check_gone( client ); }
        else
        {
            /* the next connection is the next one's */
            SOCKET accepted;

            client = connect_to( address );
            accepted = accept_one( listener );
            check_flow( client, accepted );
            closesocket( accepted );
        }
    }
    else
    {
        ok( WSAGetOverlappedResult( listener, &ov, &got, FALSE, &flags ) && got == ( size ? 5u : 0u ),
            "%lu bytes, error %d\n", got, WSAGetLastError() );
        if ( size ) ok( !memcmp( buffer, "hello", 5 ), "got %.5s\n", buffer );
        for ( int i = 0; i < 2; i++ )
        {
            SOCKET s = i ? copy : acceptor;

            if ( order == ( i ? COPY_CLOSES : ACCEPTOR_CLOSES ) || ( !i && order == ACCEPTOR_CLOSES_CONNECTED ) )
                continue;
            check_ok( setsockopt( s, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, (char *)&listener, sizeof( listener ) ) );
            length = sizeof( name );
            check_ok( getpeername( s, &name.any, &length ) );
            ok( address_port( &name ) == socket_port( client ), "the peer is at port %d\n", address_port( &name ) );
            check_flow( client, s );
            check_flow( s, client );
            ok( wait_readable( client, 0 ) == FALSE, "more has come\n" );
        }
        if ( order != ACCEPTOR_CLOSES && order != ACCEPTOR_CLOSES_CONNECTED ) check_ok( closesocket( acceptor ) );
        if ( order == NONE_CLOSES ) check_open( client );
        if ( order != COPY_CLOSES ) check_ok( closesocket( copy ) );
        check_eof( client );
    }
    closesocket( client );
    CloseHandle( ov.hEvent );
    winetest_pop_context();
}

/* A socket that is used again is so through each of its handles. */
static void test_several_used_again( SOCKET listener, const union address *address, BOOL by_info )
{
    SOCKET acceptor = fresh( WSA_FLAG_OVERLAPPED ), copy, first, second;

    first = accept_into( listener, acceptor, address );
    copy = copy_of( acceptor, by_info );
    check_result( disconnect_ex( acceptor, NULL, TF_REUSE_SOCKET, 0 ), TRUE );
    check_eof( first );
    check_fails( send( copy, "x", 1, 0 ), WSAENOTCONN );
    second = accept_into( listener, copy, address );
    check_flow( second, acceptor );
    check_flow( acceptor, second );
    check_flow( copy, second );
    closesocket( acceptor );
    check_open( second );
    closesocket( copy );
    check_eof( second );
    closesocket( first );
    closesocket( second );
}

/* The same through a duplicate that another process has had from the start. */
static void test_used_again_elsewhere( SOCKET listener, const union address *address, BOOL receives_first )
{
    SOCKET acceptor = fresh( WSA_FLAG_OVERLAPPED ), first, second, there;
    WSAPROTOCOL_INFOA info;
    struct puppet puppet;

    winetest_push_context( "receives first: %d", receives_first );
    puppet_create( &puppet, 0 );
    check_ok( WSADuplicateSocketA( acceptor, puppet.pid, &info ) );
    there = puppet_open_a( &puppet, &info, WSA_FLAG_OVERLAPPED );
    first = accept_into( listener, acceptor, address );
    check_puppet( &puppet, there, first );
    check_result( disconnect_ex( acceptor, NULL, TF_REUSE_SOCKET, 0 ), TRUE );
    check_eof( first );
    check_fails( puppet_send( &puppet, there, "x" ), WSAENOTCONN );
    second = accept_into( listener, acceptor, address );
    if ( receives_first )
    {
        check_result( send( second, "second", 6, 0 ), 6 );
        check_result( puppet_do_on( &puppet, PUPPET_RECV, there ), 6 );
    }
    check_puppet( &puppet, there, second );
    check_flow( second, acceptor );
    closesocket( acceptor );
    check_open( second );
    check_puppet( &puppet, there, second );
    check_ok( puppet_do_on( &puppet, PUPPET_CLOSE, there ) );
    check_eof( second );
    puppet_destroy( &puppet );
    closesocket( first );
    closesocket( second );
    winetest_pop_context();
}

/* A socket that has had a connection, and has another. */
static void test_used_again( SOCKET listener, const union address *address )
{
    SOCKET acceptor = fresh( WSA_FLAG_OVERLAPPED ), first, second;
    struct puppet puppet;
    HANDLE copy;

    first = accept_into( listener, acceptor, address );
    check_result( disconnect_ex( acceptor, NULL, TF_REUSE_SOCKET, 0 ), TRUE );
    check_eof( first );
    puppet_create( &puppet, PUPPET_INHERITS );
    check_fails( puppet_send( &puppet, acceptor, "x" ), WSAENOTCONN );
    puppet_destroy( &puppet );

    second = accept_into( listener, acceptor, address );
    ok( DuplicateHandle( GetCurrentProcess(), (HANDLE)acceptor, GetCurrentProcess(), &copy, 0, FALSE,
                         DUPLICATE_SAME_ACCESS ),
        "DuplicateHandle failed, error %lu\n", GetLastError() );
    puppet_create( &puppet, PUPPET_INHERITS );
    check_ok( closesocket( acceptor ) );
    check_flow( (SOCKET)copy, second );
    check_puppet( &puppet, acceptor, second );
    CloseHandle( copy );
    check_open( second );
    puppet_destroy( &puppet );
    check_eof( second );
    closesocket( first );
    closesocket( second );
}

START_TEST( acceptors )
{
    union address address;
    SOCKET listener;
    char **argv;

    if ( winetest_get_mainargs( &argv ) == 3 && !strcmp( argv[2], "copy-files" ) ) copy_child( FALSE );
    if ( winetest_get_mainargs( &argv ) == 3 && !strcmp( argv[2], "copy-sockets" ) ) copy_child( TRUE );
    support_begin();
    listener = tcp_listener( AF_INET, &address );
    set_inherit( listener, FALSE );
    if ( load( listener ) )
    {
        test_standard_handles( listener, &address );
        test_inherited( listener, &address );
        test_duplicate_handle( listener, &address );
        test_used_again( listener, &address );
        for ( BOOL by_info = FALSE; by_info <= TRUE; by_info++ )
        {
            for ( enum order order = 0; order < ORDERS; order++ )
            {
                test_several( listener, &address, by_info, 0, order );
                test_several( listener, &address, by_info, 16, order );
            }
            test_several_used_again( listener, &address, by_info );
            test_used_again_elsewhere( listener, &address, by_info );
        }
    }
    closesocket( listener );
    support_end();
}
