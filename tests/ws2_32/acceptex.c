/*
 * AcceptEx and GetAcceptExSockaddrs: what is refused, when it completes, what the program finds in its buffer, and what
 * ends it: closing of either socket. A listener that two processes share loses no connection.
 */
#include "requests.h"
#include "puppets.h"

static LPFN_ACCEPTEX accept_ex;
static LPFN_GETACCEPTEXSOCKADDRS get_addresses;

static BOOL load( SOCKET s )
{
    accept_ex = extension( s, (GUID)WSAID_ACCEPTEX );
    get_addresses = extension( s, (GUID)WSAID_GETACCEPTEXSOCKADDRS );
    return accept_ex && get_addresses;
}

static SOCKET fresh( void ) { return socket( AF_INET, SOCK_STREAM, 0 ); }

static void test_errors( void )
{
    SOCKET listener, acceptor = fresh(), bound, datagram, client, server;
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL );
    union address address, other;
    char buffer[1024];
    OVERLAPPED ov;
    DWORD size;

    listener = tcp_listener( AF_INET, &address );
    bound = tcp_bound( AF_INET, &other );
    datagram = socket( AF_INET, SOCK_DGRAM, 0 );
    tcp_pair( &client, &server );
    check_error( accept_ex( listener, acceptor, buffer, 0, SLOT, SLOT, &size, NULL ), FALSE, ERROR_INVALID_PARAMETER );
    prepare_overlapped( &ov, event );
    check_error( accept_ex( INVALID_SOCKET, acceptor, buffer, 0, SLOT, SLOT, &size, &ov ), FALSE, WSAENOTSOCK );
    ok( ov.Internal == STATUS_PENDING, "status %#lx\n", (DWORD)ov.Internal );
    check_error( accept_ex( bound, acceptor, buffer, 0, SLOT, SLOT, &size, &ov ), FALSE, WSAEINVAL );
    check_error( accept_ex( listener, INVALID_SOCKET, buffer, 0, SLOT, SLOT, &size, &ov ), FALSE, WSAENOTSOCK );
    check_error( accept_ex( listener, datagram, buffer, 0, SLOT, SLOT, &size, &ov ), FALSE, WSAEINVAL );
    check_error( accept_ex( listener, bound, buffer, 0, SLOT, SLOT, &size, &ov ), FALSE, WSAEINVAL );
    check_error( accept_ex( listener, client, buffer, 0, SLOT, SLOT, &size, &ov ), FALSE, WSAEINVAL );
    check_error( accept_ex( listener, server, buffer, 0, SLOT, SLOT, &size, &ov ), FALSE, WSAEINVAL );
    check_error( accept_ex( listener, acceptor, NULL, 0, SLOT, SLOT, &size, &ov ), FALSE, WSAEFAULT );
    check_error( accept_ex( listener, acceptor, buffer, 0, SLOT, 0, &size, &ov ), FALSE, WSAEFAULT );

    /* one acceptor, one AcceptEx; and nothing else meanwhile */
    check_error( accept_ex( listener, acceptor, buffer, 0, SLOT, SLOT, NULL, &ov ), FALSE, ERROR_IO_PENDING );
    check_error( accept_ex( listener, acceptor, buffer, 0, SLOT, SLOT, &size, &ov ), FALSE, WSAEINVAL );
    check_fails( connect( acceptor, &address.any, sizeof( address.v4 ) ), WSAEINVAL );
    closesocket( acceptor );
    ok( !WaitForSingleObject( event, 5000 ), "not ended by closing the acceptor\n" );
    check_error( GetOverlappedResult( (HANDLE)listener, &ov, &size, FALSE ), FALSE, ERROR_OPERATION_ABORTED );

    acceptor = fresh();
    prepare_overlapped( &ov, event );
    check_error( accept_ex( listener, acceptor, buffer, 0, SLOT, SLOT, NULL, &ov ), FALSE, ERROR_IO_PENDING );
    closesocket( listener );
    ok( !WaitForSingleObject( event, 5000 ), "not ended by closing the listener\n" );
    check_error( GetOverlappedResult( (HANDLE)listener, &ov, &size, FALSE ), FALSE, ERROR_OPERATION_ABORTED );
    closesocket( acceptor );
    closesocket( bound );
    closesocket( datagram );
    closesocket( client );
    closesocket( server );
    CloseHandle( event );
}

static void test_short_slots( void )
{
    static const DWORD sizes[] = { 3, 20 };
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL );
    SOCKET listener, acceptor, client, server;
    union address address;
    char buffer[1024];
    OVERLAPPED ov;
    DWORD size = 1;

    listener = tcp_listener( AF_INET, &address );
    for ( unsigned int i = 0; i < ARRAY_SIZE( sizes ); i++ )
    {
        winetest_push_context( "size %lu", sizes[i] );
        acceptor = fresh();
        prepare_overlapped( &ov, event );
        check_error( accept_ex( listener, acceptor, buffer, 0, sizes[i], SLOT, NULL, &ov ), FALSE, ERROR_IO_PENDING );
        client = tcp_client( &address );
        ok( !WaitForSingleObject( event, 5000 ), "not ended\n" );
        ok( ov.Internal == 0xc0000023, "status %#lx\n", (DWORD)ov.Internal ); /* STATUS_BUFFER_TOO_SMALL */
        check_error( GetOverlappedResult( (HANDLE)listener, &ov, &size, FALSE ), FALSE, ERROR_INSUFFICIENT_BUFFER );
        ok( !size, "size %lu\n", size );
        /* the connection is still there */
        server = accept_one( listener );
        check_flow( client, server );
        closesocket( server );
        closesocket( client );
        closesocket( acceptor );
        winetest_pop_context();
    }
    closesocket( listener );
    CloseHandle( event );
}

static void check_slots( const char *buffer, DWORD receive_size, DWORD local_size, const union address *local,
                         SOCKET client )
{
    struct sockaddr *found_local = (void *)1, *found_remote = NULL;
    int local_length = 77, remote_length = 0;
    union address name;

    get_addresses( (void *)buffer, receive_size, local_size, SLOT, &found_local, &local_length, &found_remote,
                   &remote_length );
    if ( local_size )
    {
        ok( local_length == sizeof( local->v4 ), "local length %d\n", local_length );
        ok( !memcmp( found_local, &local->v4, 8 ), "wrong local address\n" );
    }
    else ok( found_local == (void *)1 && local_length == 77, "a local address was given\n" );
    ok( remote_length == sizeof( name.v4 ), "remote length %d\n", remote_length );
    ok( ( (struct sockaddr_in *)found_remote )->sin_port == htons( socket_port( client ) ), "wrong remote port\n" );
}

static void test_completion( void )
{
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL );
    SOCKET listener, acceptor, client;
    union address address, name;
    int length = sizeof( name );
    char buffer[1024];
    OVERLAPPED ov;

    listener = tcp_listener( AF_INET, &address );

    /* without data */
    acceptor = fresh();
    prepare_overlapped( &ov, event );
    check_error( accept_ex( listener, acceptor, buffer, 0, SLOT, SLOT, NULL, &ov ), FALSE, ERROR_IO_PENDING );
    client = tcp_client( &address );
    ok( !WaitForSingleObject( event, 5000 ), "not ended\n" );
    ok( !ov.Internal && !ov.InternalHigh, "status %#lx, size %lu\n", (DWORD)ov.Internal, (DWORD)ov.InternalHigh );
    check_slots( buffer, 0, SLOT, &address, client );
    check_ok( setsockopt( acceptor, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, (char *)&listener, sizeof( listener ) ) );
    check_ok( getsockname( acceptor, &name.any, &length ) );
    ok( address_port( &name ) == address_port( &address ), "port %d\n", address_port( &name ) );
    length = sizeof( name );
    check_ok( getpeername( acceptor, &name.any, &length ) );
    ok( address_port( &name ) == socket_port( client ), "port %d\n", address_port( &name ) );
    check_flow( client, acceptor );
    check_flow( acceptor, client );
    closesocket( acceptor );
    check_eof( client );
    closesocket( client );

    /* with data, and no local address: a part of what is wanted is enough */
    acceptor = fresh();
    prepare_overlapped( &ov, event );
    check_error( accept_ex( listener, acceptor, buffer, 2, 0, SLOT, NULL, &ov ), FALSE, ERROR_IO_PENDING );
    client = tcp_client( &address );
    ok( WaitForSingleObject( event, 100 ) == WAIT_TIMEOUT, "ended without data\n" );
    check_fails( connect( acceptor, &address.any, sizeof( address.v4 ) ), WSAEINVAL );
    check_result( send( client, "x", 1, 0 ), 1 );
    ok( !WaitForSingleObject( event, 5000 ), "not ended\n" );
    ok( !ov.Internal && ov.InternalHigh == 1, "status %#lx, size %lu\n", (DWORD)ov.Internal, (DWORD)ov.InternalHigh );
    ok( buffer[0] == 'x', "got %c\n", buffer[0] );
    check_slots( buffer, 2, 0, &address, client );
    check_ok( setsockopt( acceptor, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, (char *)&listener, sizeof( listener ) ) );
    check_flow( client, acceptor );
    closesocket( client );
    closesocket( acceptor );

    /* the client leaves without a byte */
    acceptor = fresh();
    prepare_overlapped( &ov, event );
    check_error( accept_ex( listener, acceptor, buffer, 2, SLOT, SLOT, NULL, &ov ), FALSE, ERROR_IO_PENDING );
    client = tcp_client( &address );
    closesocket( client );
    ok( !WaitForSingleObject( event, 5000 ), "not ended\n" );
    ok( !ov.Internal && !ov.InternalHigh, "status %#lx, size %lu\n", (DWORD)ov.Internal, (DWORD)ov.InternalHigh );
    closesocket( acceptor );

    /* the listener goes while data is waited for */
    acceptor = fresh();
    prepare_overlapped( &ov, event );
    check_error( accept_ex( listener, acceptor, buffer, 2, SLOT, SLOT, NULL, &ov ), FALSE, ERROR_IO_PENDING );
    client = tcp_client( &address );
    ok( WaitForSingleObject( event, 100 ) == WAIT_TIMEOUT, "ended without data\n" );
    closesocket( listener );
    ok( !WaitForSingleObject( event, 5000 ), "not ended\n" );
    ok( ov.Internal == 0xc0000120, "status %#lx\n", (DWORD)ov.Internal );
    closesocket( client );
    closesocket( acceptor );
    CloseHandle( event );
}

/* Several at once, each gets its own connection; FD_ACCEPT is for what they leave. */
static void test_several( void )
{
    HANDLE events[8], network = WSACreateEvent();
    SOCKET listener, acceptors[8], clients[9], server;
    char buffers[8][128];
    union address address;
    OVERLAPPED ov[8];
    char byte;

    listener = tcp_listener( AF_INET, &address );
    for ( unsigned int i = 0; i < 8; i++ )
    {
        events[i] = CreateEventW( NULL, TRUE, FALSE, NULL );
        acceptors[i] = fresh();
        prepare_overlapped( &ov[i], events[i] );
        check_error( accept_ex( listener, acceptors[i], buffers[i], 0, SLOT, SLOT, NULL, &ov[i] ), FALSE,
                     ERROR_IO_PENDING );
    }
    check_ok( WSAEventSelect( listener, network, FD_ACCEPT ) );
    for ( unsigned int i = 0; i < 8; i++ )
    {
        clients[i] = tcp_client( &address );
        ok( !WaitForSingleObject( events[i], 5000 ), "%u not ended\n", i );
        byte = (char)i;
        check_result( send( clients[i], &byte, 1, 0 ), 1 );
    }
    ok( WaitForSingleObject( network, 100 ) == WAIT_TIMEOUT, "FD_ACCEPT for what AcceptEx took\n" );
    clients[8] = tcp_client( &address );
    ok( !WaitForSingleObject( network, 5000 ), "no FD_ACCEPT\n" );
    server = accept( listener, NULL, NULL );
    ok( server != INVALID_SOCKET, "error %d\n", WSAGetLastError() );
    for ( unsigned int i = 0; i < 8; i++ )
    {
        set_receive_timeout( acceptors[i], 5000 );
        check_ok(
            setsockopt( acceptors[i], SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, (char *)&listener, sizeof( listener ) ) );
        check_result( recv( acceptors[i], &byte, 1, 0 ), 1 );
        ok( byte == (char)i, "acceptor %u has client %d\n", i, byte );
        closesocket( acceptors[i] );
        closesocket( clients[i] );
        CloseHandle( events[i] );
    }
    closesocket( clients[8] );
    closesocket( server );
    closesocket( listener );
    WSACloseEvent( network );
}

/* A listener of two processes, each with an AcceptEx pending: each connection goes to one, and none is lost with a process
 * that dies. */
static void test_shared_listener( void )
{
    struct puppet puppets[2];
    WSAPROTOCOL_INFOA info;
    union address address;
    SOCKET listener, clients[2], shared[2], accepted[2] = { 0 };

    listener = tcp_listener( AF_INET, &address );
    for ( int i = 0; i < 2; i++ )
    {
        puppet_create( &puppets[i], 0 );
        check_ok( WSADuplicateSocketA( listener, puppets[i].pid, &info ) );
        shared[i] = puppet_open_a( &puppets[i], &info, WSA_FLAG_OVERLAPPED );
        check_result( puppet_do_on( &puppets[i], PUPPET_ACCEPT_EX, shared[i] ), 1 );
    }
    closesocket( listener );
    for ( int i = 0; i < 2; i++ ) clients[i] = tcp_client( &address );
    for ( int i = 0; i < 2; i++ )
    {
        puppets[i].message->value = 5000;
        accepted[i] = (SOCKET)puppet_do( &puppets[i], PUPPET_ACCEPTED );
        ok( accepted[i] != 0, "process %d got no connection\n", i );
        check_result( puppet_send( &puppets[i], accepted[i], "x" ), 1 );
    }
    for ( int i = 0; i < 2; i++ ) ok( wait_readable( clients[i], 5000 ), "client %d got nothing\n", i );
    for ( int i = 0; i < 2; i++ ) closesocket( clients[i] );

    for ( int round = 0; round < 2; round++ )
    {
        winetest_push_context( "round %d", round );
        check_result( puppet_do_on( &puppets[1], PUPPET_ACCEPT_EX, shared[1] ), 1 );
        if ( !round )
        {
            check_result( puppet_do_on( &puppets[0], PUPPET_ACCEPT_EX, shared[0] ), 1 );
            puppet_kill( &puppets[0] );
        }
        clients[0] = tcp_client( &address );
        puppets[1].message->value = 5000;
        ok( puppet_do( &puppets[1], PUPPET_ACCEPTED ) != 0, "the connection was lost\n" );
        closesocket( clients[0] );
        winetest_pop_context();
    }
    puppet_destroy( &puppets[1] );
}

static void accept_with( SOCKET listener, SOCKET acceptor, const union address *address, SOCKET *client )
{
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL );
    char buffer[128];
    OVERLAPPED ov;

    prepare_overlapped( &ov, event );
    check_error( accept_ex( listener, acceptor, buffer, 0, SLOT, SLOT, NULL, &ov ), FALSE, ERROR_IO_PENDING );
    *client = tcp_client( address );
    ok( !WaitForSingleObject( event, 5000 ), "no connection\n" );
    ok( !ov.Internal, "status %#lx\n", (DWORD)ov.Internal );
    check_slots( buffer, 0, SLOT, address, *client );
    CloseHandle( event );
}

/* What the program has set on the acceptor holds for the connection. */
static void test_options( void )
{
    static const struct
    {
        int level, option, length;
        DWORD value;
    } rows[] = {
        { SOL_SOCKET, SO_KEEPALIVE, 4, 1 },
        { SOL_SOCKET, SO_LINGER, 4, 0x00050001 },
        { SOL_SOCKET, SO_OOBINLINE, 4, 1 },
        { SOL_SOCKET, SO_RCVTIMEO, 4, 5000 },
        { SOL_SOCKET, SO_RCVBUF, 4, 100000 },
        { SOL_SOCKET, SO_SNDBUF, 4, 100000 },
        { IPPROTO_TCP, TCP_NODELAY, 4, 1 },
        { IPPROTO_IP, IP_TTL, 4, 17 },
        { IPPROTO_TCP, 3 /* TCP_KEEPALIVE */, 4, 77 },
        { IPPROTO_TCP, 16 /* TCP_KEEPCNT */, 4, 3 },
    };
    SOCKET listener, acceptor = fresh(), client;
    union address address;

    listener = tcp_listener( AF_INET, &address );
    for ( unsigned int i = 0; i < ARRAY_SIZE( rows ); i++ )
        check_ok( setsockopt( acceptor, rows[i].level, rows[i].option, (char *)&rows[i].value, rows[i].length ) );
    accept_with( listener, acceptor, &address, &client );
    for ( unsigned int i = 0; i < ARRAY_SIZE( rows ); i++ )
    {
        int length = rows[i].length;
        DWORD value = 0;

        winetest_push_context( "level %#x option %#x", rows[i].level, rows[i].option );
        check_ok( getsockopt( acceptor, rows[i].level, rows[i].option, (char *)&value, &length ) );
        /* a single byte is all that some of them give */
        ok( ( length == 1 ? value & 0xff : value ) == rows[i].value, "%#lx, expected %#lx\n", value, rows[i].value );
        winetest_pop_context();
    }
    check_flow( client, acceptor );
    closesocket( client );
    closesocket( acceptor );
    closesocket( listener );
}

/* What it has set on the listener does not, before it says so. */
static void test_listener_options( void )
{
    static const struct
    {
        int level, option;
    } rows[] = { { SOL_SOCKET, SO_KEEPALIVE }, { SOL_SOCKET, SO_OOBINLINE }, { IPPROTO_TCP, TCP_NODELAY } };
    SOCKET listener, acceptor = fresh(), client;
    const DWORD on = 1;
    union address address;

    listener = tcp_listener( AF_INET, &address );
    for ( unsigned int i = 0; i < ARRAY_SIZE( rows ); i++ )
        check_ok( setsockopt( listener, rows[i].level, rows[i].option, (const char *)&on, sizeof( on ) ) );
    accept_with( listener, acceptor, &address, &client );
    for ( unsigned int i = 0; i < ARRAY_SIZE( rows ); i++ )
    {
        DWORD value = 0;
        int length = sizeof( value );

        winetest_push_context( "level %#x option %#x", rows[i].level, rows[i].option );
        check_ok( getsockopt( acceptor, rows[i].level, rows[i].option, (char *)&value, &length ) );
        ok( !value, "%#lx\n", value );
        winetest_pop_context();
    }
    check_flow( client, acceptor );
    closesocket( client );
    closesocket( acceptor );
    closesocket( listener );
}

/* DisconnectEx with TF_REUSE_SOCKET: the acceptor accepts once more. */
static void test_reuse( void )
{
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL );
    SOCKET listener, acceptor = fresh(), client;
    LPFN_DISCONNECTEX disconnect_ex = extension( acceptor, (GUID)WSAID_DISCONNECTEX );
    union address address;
    OVERLAPPED ov;

    listener = tcp_listener( AF_INET, &address );
    for ( int i = 0; i < 4; i++ )
    {
        winetest_push_context( "round %d", i );
        accept_with( listener, acceptor, &address, &client );
        check_ok( setsockopt( acceptor, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, (char *)&listener, sizeof( listener ) ) );
        check_flow( client, acceptor );
        check_flow( acceptor, client );
        closesocket( client );
        check_eof( acceptor );
        prepare_overlapped( &ov, event );
        check_error( disconnect_ex( acceptor, &ov, TF_REUSE_SOCKET, 0 ), FALSE, ERROR_IO_PENDING );
        ok( !WaitForSingleObject( event, 5000 ), "not disconnected\n" );
        ok( !ov.Internal, "status %#lx\n", (DWORD)ov.Internal );
        check_fails( send( acceptor, "x", 1, 0 ), WSAENOTCONN );
        winetest_pop_context();
    }
    closesocket( acceptor );
    closesocket( listener );
    CloseHandle( event );
}

/* WSADuplicateSocket of an acceptor hands over the connection that it has got. */
static void test_duplicated( void )
{
    SOCKET listener, acceptor = fresh(), client, there;
    struct puppet puppet;
    WSAPROTOCOL_INFOA info;
    union address address;

    listener = tcp_listener( AF_INET, &address );
    accept_with( listener, acceptor, &address, &client );
    check_ok( setsockopt( acceptor, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, (char *)&listener, sizeof( listener ) ) );
    closesocket( listener );
    puppet_create( &puppet, 0 );
    check_ok( WSADuplicateSocketA( acceptor, puppet.pid, &info ) );
    check_ok( closesocket( acceptor ) );
    there = puppet_open_a( &puppet, &info, WSA_FLAG_OVERLAPPED );
    ok( there != INVALID_SOCKET, "no duplicate, error %d\n", WSAGetLastError() );
    check_open( client );
    check_result( puppet_send( &puppet, there, "hello" ), 5 );
    ok( wait_readable( client, 5000 ), "nothing arrived\n" );
    check_result( send( client, "world", 5, 0 ), 5 );
    check_result( puppet_do_on( &puppet, PUPPET_RECV, there ), 5 );
    ok( !memcmp( puppet.message->data, "world", 5 ), "got %.5s\n", puppet.message->data );
    check_result( puppet_do_on( &puppet, PUPPET_GETPEERNAME, there ), 0 );
    ok( address_port( &puppet.message->address ) == socket_port( client ), "the peer's port is %d\n",
        address_port( &puppet.message->address ) );
    check_ok( puppet_do_on( &puppet, PUPPET_CLOSE, there ) );
    puppet_destroy( &puppet );
    closesocket( client );
}

static DWORD CALLBACK connect_when_told( void *context )
{
    const struct sockaddr *address = context;
    SOCKET s = fresh();

    set_nonblocking( s, TRUE );
    connect( s, address, sizeof( struct sockaddr_in ) );
    return s;
}

/* A request that gets its connection while it is cancelled, or while its listener is closed, ends all the same: it waits for
 * data then, which nobody sends. */
static void test_cancelled_between( BOOL closes )
{
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL ), thread;
    char buffer[8 + 2 * SLOT];
    unsigned int stuck = 0;
    union address address;
    OVERLAPPED ov;
    DWORD size, client;

    for ( unsigned int turn = 0; turn < 300; turn++ )
    {
        SOCKET listener = tcp_listener( AF_INET, &address ), acceptor = fresh();

        prepare_overlapped( &ov, event );
        accept_ex( listener, acceptor, buffer, 8, SLOT, SLOT, &size, &ov );
        thread = CreateThread( NULL, 0, connect_when_told, &address, 0, NULL );
        for ( unsigned int i = turn % 100 * 40; i && ov.Internal == STATUS_PENDING; i-- ) YieldProcessor();
        if ( closes ) closesocket( listener );
        else CancelIoEx( (HANDLE)listener, &ov );
        WaitForSingleObject( thread, INFINITE );
        GetExitCodeThread( thread, &client );
        CloseHandle( thread );
        if ( WaitForSingleObject( event, 3000 ) ) stuck++;
        closesocket( acceptor );
        WaitForSingleObject( event, 3000 );
        closesocket( client );
        if ( !closes ) closesocket( listener );
        if ( stuck ) break;
    }
    ok( !stuck, "a request pends still\n" );
    CloseHandle( event );
}

START_TEST( acceptex )
{
    SOCKET s;

    if ( support_begin() ) return;
    s = fresh();
    if ( load( s ) )
    {
        test_errors();
        test_short_slots();
        test_completion();
        test_several();
        test_shared_listener();
        test_options();
        test_listener_options();
        test_reuse();
        test_duplicated();
        test_cancelled_between( FALSE );
        test_cancelled_between( TRUE );
    }
    closesocket( s );
    support_end();
}
