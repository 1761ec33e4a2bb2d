/*
 * AF_UNIX streams do what sockets do: overlapped operations, events, completion ports, \Device\Afd, files, duplicates and
 * inherited handles; and their names are Windows paths wherever an address is told.
 */
#include "afd.h"
#include "requests.h"
#include "puppets.h"

static const char listener_path[] = "streams.sk", client_path[] = "client.sk";

static int set_path( union address *address, const char *path )
{
    return local_address( (struct sockaddr_un *)address, path );
}

static const char *path_of( const void *address ) { return ( (const struct sockaddr_un *)address )->sun_path; }

static SOCKET local_bound( const char *path )
{
    SOCKET s = local_socket();
    union address address;

    DeleteFileA( path );
    check_ok( bind( s, &address.any, set_path( &address, path ) ) );
    return s;
}

static SOCKET local_listener( void )
{
    SOCKET s = local_bound( listener_path );

    check_ok( listen( s, 8 ) );
    return s;
}

static SOCKET local_connected( void )
{
    SOCKET s = local_socket();
    union address address;

    check_ok( connect( s, &address.any, set_path( &address, listener_path ) ) );
    return s;
}

static void local_pair( SOCKET *client, SOCKET *server )
{
    SOCKET listener = local_listener();

    *client = local_connected();
    *server = accept_one( listener );
    closesocket( listener );
    DeleteFileA( listener_path );
    set_receive_timeout( *client, 10000 );
    set_receive_timeout( *server, 10000 );
}

/* The result of an operation that was begun with an event. */
static void check_end_( int line, SOCKET s, OVERLAPPED *ov, DWORD error, DWORD expected )
{
    DWORD bytes = 0xdead, flags;
    BOOL done;

    ok_( __FILE__, line )( WaitForSingleObject( ov->hEvent, 10000 ) == WAIT_OBJECT_0, "it does not end\n" );
    done = WSAGetOverlappedResult( s, ov, &bytes, FALSE, &flags );
    ok_( __FILE__, line )( error ? !done && WSAGetLastError() == (int)error : done, "error %d\n", WSAGetLastError() );
    ok_( __FILE__, line )( bytes == expected, "%lu bytes, expected %lu\n", bytes, expected );
}
#define check_end( s, ov, error, expected ) check_end_( __LINE__, s, ov, error, expected )

/* --- AcceptEx, ConnectEx, DisconnectEx --------------------------------------------------------------------------------*/

static void test_accept_ex( void )
{
    static const struct
    {
        DWORD room; /* for each address: Go's runtime gives 116 bytes, others 16 more than the address */
        DWORD receive;
        BOOL bound;
    } rows[] = { { 126, 0, FALSE }, { 116, 0, FALSE }, { 126, 8, TRUE }, { 116, 8, TRUE } };

    for ( unsigned int i = 0; i < ARRAY_SIZE( rows ); i++ )
    {
        SOCKET listener = local_listener(), acceptor = local_socket(), client;
        LPFN_ACCEPTEX accept_ex = extension( listener, (GUID)WSAID_ACCEPTEX );
        LPFN_GETACCEPTEXSOCKADDRS get_addresses = extension( listener, (GUID)WSAID_GETACCEPTEXSOCKADDRS );
        OVERLAPPED ov = { .hEvent = CreateEventW( NULL, TRUE, FALSE, NULL ) };
        struct sockaddr *local = NULL, *remote = NULL;
        int local_length = 0, remote_length = 0, length;
        union address address, found;
        char buffer[8 + 2 * 126];
        DWORD bytes;

        winetest_push_context( "%u", i );
        check_error( accept_ex( listener, acceptor, buffer, rows[i].receive, rows[i].room, rows[i].room, &bytes, &ov ),
                     FALSE, WSA_IO_PENDING );
        client = rows[i].bound ? local_bound( client_path ) : local_socket();
        check_ok( connect( client, &address.any, set_path( &address, listener_path ) ) );
        if ( rows[i].receive )
        {
            ok( WaitForSingleObject( ov.hEvent, 100 ) == WAIT_TIMEOUT, "it does not wait for data\n" );
            check_result( send( client, "data", 4, 0 ), 4 );
        }
        check_end( listener, &ov, 0, rows[i].receive ? 4 : 0 );
        if ( rows[i].receive ) ok( !memcmp( buffer, "data", 4 ), "other data\n" );
        get_addresses( buffer, rows[i].receive, rows[i].room, rows[i].room, &local, &local_length, &remote,
                       &remote_length );
        ok( local_length == sizeof( struct sockaddr_un ) && local->sa_family == AF_UNIX &&
                !strcmp( path_of( local ), listener_path ),
            "length %d, path %s\n", local_length, path_of( local ) );
        ok( remote_length == sizeof( struct sockaddr_un ) && remote->sa_family == AF_UNIX &&
                !strcmp( path_of( remote ), rows[i].bound ? client_path : "" ),
            "length %d, path %s\n", remote_length, path_of( remote ) );
        check_ok( setsockopt( acceptor, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, (char *)&listener, sizeof( listener ) ) );
        length = sizeof( found );
        check_ok( getsockname( acceptor, &found.any, &length ) );
        ok( !strcmp( path_of( &found ), listener_path ), "path %s\n", path_of( &found ) );
        check_flow( client, acceptor );
        check_flow( acceptor, client );
        closesocket( client );
        closesocket( acceptor );
        closesocket( listener );
        DeleteFileA( listener_path );
        DeleteFileA( client_path );
        CloseHandle( ov.hEvent );
        winetest_pop_context();
    }
}

static void test_connect_ex( void )
{
    SOCKET listener = local_listener(), client = local_bound( client_path ), server;
    LPFN_CONNECTEX connect_ex = extension( client, (GUID)WSAID_CONNECTEX );
    LPFN_DISCONNECTEX disconnect_ex = extension( client, (GUID)WSAID_DISCONNECTEX );
    OVERLAPPED ov = { .hEvent = CreateEventW( NULL, TRUE, FALSE, NULL ) };
    union address address, found;
    int length = sizeof( found ), begun;
    char buffer[8];
    SOCKET s;

    s = local_socket();
    check_error( connect_ex( s, &address.any, set_path( &address, listener_path ), NULL, 0, NULL, &ov ), FALSE,
                 WSAEINVAL );
    closesocket( s );
    begun = connect_ex( client, &address.any, set_path( &address, listener_path ), (char *)"hello", 5, NULL, &ov );
    ok( begun || WSAGetLastError() == WSA_IO_PENDING, "error %d\n", WSAGetLastError() );
    check_end( client, &ov, 0, 5 );
    check_ok( setsockopt( client, SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, NULL, 0 ) );
    memset( &found, 0xcc, sizeof( found ) );
    server = accept( listener, &found.any, &length );
    ok( server != INVALID_SOCKET, "error %d\n", WSAGetLastError() );
    ok( !strcmp( path_of( &found ), client_path ), "path %s\n", path_of( &found ) );
    check_result( recv( server, buffer, 5, MSG_WAITALL ), 5 );
    length = sizeof( found );
    check_ok( getpeername( client, &found.any, &length ) );
    ok( !strcmp( path_of( &found ), listener_path ), "path %s\n", path_of( &found ) );

    /* used again, bound as it was */
    check_result( disconnect_ex( client, NULL, TF_REUSE_SOCKET, 0 ), TRUE );
    check_eof( server );
    closesocket( server );
    length = sizeof( found );
    check_ok( getsockname( client, &found.any, &length ) );
    ok( !strcmp( path_of( &found ), client_path ), "path %s\n", path_of( &found ) );
    ResetEvent( ov.hEvent );
    begun = connect_ex( client, &address.any, set_path( &address, listener_path ), NULL, 0, NULL, &ov );
    ok( begun || WSAGetLastError() == WSA_IO_PENDING, "error %d\n", WSAGetLastError() );
    check_end( client, &ov, 0, 0 );
    server = accept_one( listener );
    check_flow( client, server );
    closesocket( server );
    closesocket( client );
    closesocket( listener );

    /* nobody listens */
    DeleteFileA( client_path );
    client = local_bound( client_path );
    ResetEvent( ov.hEvent );
    begun = connect_ex( client, &address.any, set_path( &address, listener_path ), NULL, 0, NULL, &ov );
    ok( !begun, "connected\n" );
    if ( WSAGetLastError() == WSA_IO_PENDING ) check_end( client, &ov, WSAECONNREFUSED, 0 );
    else ok( WSAGetLastError() == WSAECONNREFUSED, "error %d\n", WSAGetLastError() );
    closesocket( client );
    DeleteFileA( client_path );
    DeleteFileA( listener_path );
    CloseHandle( ov.hEvent );
}

/* --- data -------------------------------------------------------------------------------------------------------------*/

static void test_overlapped( void )
{
    OVERLAPPED ov = { .hEvent = CreateEventW( NULL, TRUE, FALSE, NULL ) }, *taken;
    HANDLE port = CreateIoCompletionPort( INVALID_HANDLE_VALUE, NULL, 0, 0 );
    DWORD bytes, flags = 0;
    ULONG_PTR key;
    SOCKET client, server;
    union address from;
    char buffer[64], *block;
    int from_size = sizeof( from );
    WSABUF data = { sizeof( buffer ), buffer };

    local_pair( &client, &server );
    check_fails( WSARecv( server, &data, 1, NULL, &flags, &ov, NULL ), WSA_IO_PENDING );
    check_result( send( client, "first", 5, 0 ), 5 );
    check_end( server, &ov, 0, 5 );
    /* a stream's data comes without an address */
    memset( &from, 0xcc, sizeof( from ) );
    ResetEvent( ov.hEvent );
    check_fails( WSARecvFrom( server, &data, 1, NULL, &flags, &from.any, &from_size, &ov, NULL ), WSA_IO_PENDING );
    check_result( send( client, "second", 6, 0 ), 6 );
    check_end( server, &ov, 0, 6 );
    ok( from.any.sa_family == 0xcccc, "family %#x\n", from.any.sa_family );
    /* as a file */
    ResetEvent( ov.hEvent );
    ok( WriteFile( (HANDLE)client, "as a file", 9, &bytes, &ov ) || GetLastError() == ERROR_IO_PENDING, "error %lu\n",
        GetLastError() );
    check_end( client, &ov, 0, 9 );
    ResetEvent( ov.hEvent );
    ok( ReadFile( (HANDLE)server, buffer, sizeof( buffer ), &bytes, &ov ) || GetLastError() == ERROR_IO_PENDING,
        "error %lu\n", GetLastError() );
    check_end( server, &ov, 0, 9 );

    /* through a port */
    ok( CreateIoCompletionPort( (HANDLE)server, port, 42, 0 ) == port, "error %lu\n", GetLastError() );
    ov.hEvent = NULL;
    check_fails( WSARecv( server, &data, 1, NULL, &flags, &ov, NULL ), WSA_IO_PENDING );
    check_result( send( client, "third", 5, 0 ), 5 );
    ok( GetQueuedCompletionStatus( port, &bytes, &key, &taken, 10000 ), "error %lu\n", GetLastError() );
    ok( bytes == 5 && key == 42 && taken == &ov, "%lu bytes, key %zu\n", bytes, (size_t)key );
    check_fails( WSARecv( server, &data, 1, NULL, &flags, &ov, NULL ), WSA_IO_PENDING );
    check_result( CancelIoEx( (HANDLE)server, &ov ), TRUE );
    check_error( GetQueuedCompletionStatus( port, &bytes, &key, &taken, 10000 ), FALSE, ERROR_OPERATION_ABORTED );

    /* more than the host takes at once, sent whole */
    block = calloc( 1, 0x400000 );
    data.buf = block;
    data.len = 0x400000;
    ov.hEvent = CreateEventW( NULL, TRUE, FALSE, NULL );
    ok( !WSASend( client, &data, 1, NULL, 0, &ov, NULL ) || WSAGetLastError() == WSA_IO_PENDING, "error %d\n",
        WSAGetLastError() );
    for ( bytes = 0; bytes < data.len; )
    {
        int n = recv( server, block, 0x10000, 0 );

        ok( n > 0, "error %d after %lu bytes\n", WSAGetLastError(), bytes );
        if ( n <= 0 ) break;
        bytes += n;
    }
    check_end( client, &ov, 0, 0x400000 );
    free( block );

    /* the end */
    check_fails( WSARecv( server, ( &( WSABUF ){ sizeof( buffer ), buffer } ), 1, NULL, &flags, &ov, NULL ),
                 WSA_IO_PENDING );
    check_ok( closesocket( client ) );
    ok( GetQueuedCompletionStatus( port, &bytes, &key, &taken, 10000 ) && !bytes, "%lu bytes\n", bytes );
    closesocket( server );
    CloseHandle( port );
}

static void test_blocking_and_shutdown( void )
{
    struct linger linger = { 1, 3 };
    int length = sizeof( linger ), value;
    SOCKET client, server;
    char buffer[8];
    u_long count;

    local_pair( &client, &server );
    set_nonblocking( server, TRUE );
    check_fails( recv( server, buffer, 8, 0 ), WSAEWOULDBLOCK );
    set_nonblocking( server, FALSE );
    set_receive_timeout( server, 50 );
    check_fails( recv( server, buffer, 8, 0 ), WSAETIMEDOUT );
    set_receive_timeout( server, 10000 );
    check_result( send( client, "abcdef", 6, 0 ), 6 );
    ok( wait_readable( server, 10000 ), "nothing to read\n" );
    check_ok( ioctlsocket( server, FIONREAD, &count ) );
    ok( count == 6, "%lu bytes\n", count );
    check_result( recv( server, buffer, 2, MSG_PEEK ), 2 );
    check_result( recv( server, buffer, 6, MSG_WAITALL ), 6 );
    ok( !memcmp( buffer, "abcdef", 6 ), "other data\n" );
    /* an address beside the connection is not looked at */
    check_result( sendto( client, "x", 1, 0, (struct sockaddr *)buffer, 3 ), 1 );
    check_result( recv( server, buffer, 1, 0 ), 1 );

    check_ok( setsockopt( client, SOL_SOCKET, SO_LINGER, (char *)&linger, sizeof( linger ) ) );
    memset( &linger, 0, sizeof( linger ) );
    check_ok( getsockopt( client, SOL_SOCKET, SO_LINGER, (char *)&linger, &length ) );
    ok( linger.l_onoff && linger.l_linger == 3, "linger %d %d\n", linger.l_onoff, linger.l_linger );
    length = sizeof( value );
    check_ok( getsockopt( client, SOL_SOCKET, SO_TYPE, (char *)&value, &length ) );
    ok( value == SOCK_STREAM, "type %d\n", value );
    check_ok( getsockopt( client, SOL_SOCKET, SO_ERROR, (char *)&value, &length ) );
    ok( !value, "error %d\n", value );

    check_ok( shutdown( client, SD_SEND ) );
    check_fails( send( client, "x", 1, 0 ), WSAESHUTDOWN );
    check_eof( server );
    check_flow( server, client );
    check_ok( shutdown( client, SD_RECEIVE ) );
    check_fails( recv( client, buffer, 1, 0 ), WSAESHUTDOWN );
    closesocket( client );
    closesocket( server );
    client = local_socket();
    check_fails( shutdown( client, SD_BOTH ), WSAENOTCONN );
    check_fails( send( client, "x", 1, 0 ), WSAENOTCONN );
    check_fails( recv( client, buffer, 1, 0 ), WSAENOTCONN );
    closesocket( client );
}

/* --- waiting ----------------------------------------------------------------------------------------------------------*/

static void check_events_( int line, SOCKET s, HANDLE event, LONG expected )
{
    WSANETWORKEVENTS events = { 0 };

    ok_( __FILE__, line )( WaitForSingleObject( event, 10000 ) == WAIT_OBJECT_0, "no event\n" );
    /* two that come together may be told one after the other */
    for ( DWORD end = GetTickCount() + 10000;
          ( events.lNetworkEvents & expected ) != expected && GetTickCount() < end; )
    {
        WSANETWORKEVENTS more;

        if ( WSAEnumNetworkEvents( s, event, &more ) ) break;
        events.lNetworkEvents |= more.lNetworkEvents;
        Sleep( 1 );
    }
    ok_( __FILE__, line )( events.lNetworkEvents == expected, "events %#lx, expected %#lx\n", events.lNetworkEvents,
                           expected );
}
#define check_events( s, event, expected ) check_events_( __LINE__, s, event, expected )

/* What a socket showed before its connection is no end of that. */
static void test_connect_events( void )
{
    SOCKET listener = local_listener();
    WSANETWORKEVENTS events;
    union address address;
    unsigned int ends = 0;

    for ( unsigned int round = 0; round < 500; round++ )
    {
        SOCKET client = local_socket(), server;
        HANDLE event = WSACreateEvent();
        long seen = 0;

        WSAEventSelect( client, event, FD_CONNECT | FD_READ | FD_WRITE | FD_CLOSE );
        connect( client, &address.any, set_path( &address, listener_path ) );
        while ( !( seen & FD_CONNECT ) && !WaitForSingleObject( event, 10000 ) &&
                !WSAEnumNetworkEvents( client, event, &events ) )
            seen |= events.lNetworkEvents;
        ends += ( seen & ( FD_CONNECT | FD_CLOSE ) ) != FD_CONNECT;
        server = accept( listener, NULL, NULL );
        closesocket( client );
        closesocket( server );
        WSACloseEvent( event );
    }
    ok( !ends, "%u of 500 were not told of the connection, or of an end\n", ends );
    closesocket( listener );
    DeleteFileA( listener_path );
}

static void test_events( void )
{
    SOCKET listener = local_listener(), client = local_socket(), server;
    HANDLE listener_event = WSACreateEvent(), client_event = WSACreateEvent();
    union address address;
    WSAPOLLFD polled;
    char buffer[8];

    check_ok( WSAEventSelect( listener, listener_event, FD_ACCEPT ) );
    ok( WaitForSingleObject( listener_event, 0 ) == WAIT_TIMEOUT, "signalled\n" );
    check_ok( WSAEventSelect( client, client_event, FD_CONNECT | FD_READ | FD_WRITE | FD_CLOSE ) );
    check_fails( connect( client, &address.any, set_path( &address, listener_path ) ), WSAEWOULDBLOCK );
    check_events( client, client_event, FD_CONNECT | FD_WRITE );
    check_events( listener, listener_event, FD_ACCEPT );
    server = accept( listener, NULL, NULL );
    ok( server != INVALID_SOCKET, "error %d\n", WSAGetLastError() );
    check_ok( WSAEventSelect( server, NULL, 0 ) );
    check_result( send( server, "data", 4, 0 ), 4 );
    check_events( client, client_event, FD_READ );
    polled = ( WSAPOLLFD ){ .fd = client, .events = POLLIN | POLLOUT };
    check_result( WSAPoll( &polled, 1, 10000 ), 1 );
    ok( polled.revents == ( POLLRDNORM | POLLOUT ), "revents %#x\n", polled.revents );
    check_result( recv( client, buffer, 8, 0 ), 4 );
    closesocket( server );
    check_events( client, client_event, FD_CLOSE );
    polled.events = POLLIN;
    check_result( WSAPoll( &polled, 1, 10000 ), 1 );
    ok( polled.revents == POLLHUP, "revents %#x\n", polled.revents );
    closesocket( client );

    /* a refusal is told later */
    closesocket( listener );
    client = local_socket();
    check_ok( WSAEventSelect( client, client_event, FD_CONNECT ) );
    check_fails( connect( client, &address.any, set_path( &address, listener_path ) ), WSAEWOULDBLOCK );
    ok( WaitForSingleObject( client_event, 10000 ) == WAIT_OBJECT_0, "no event\n" );
    {
        WSANETWORKEVENTS events;

        check_ok( WSAEnumNetworkEvents( client, client_event, &events ) );
        ok( events.lNetworkEvents == FD_CONNECT && events.iErrorCode[FD_CONNECT_BIT] == WSAECONNREFUSED,
            "events %#lx, error %d\n", events.lNetworkEvents, events.iErrorCode[FD_CONNECT_BIT] );
    }
    closesocket( client );
    DeleteFileA( listener_path );
    WSACloseEvent( listener_event );
    WSACloseEvent( client_event );
}

static void test_select( void )
{
    SOCKET listener = local_listener(), client = local_socket(), server;
    struct timeval soon = { 10, 0 }, now = { 0, 0 };
    fd_set read, write, except;
    union address address;

    FD_ZERO( &read );
    FD_SET( listener, &read );
    check_result( select( 0, &read, NULL, NULL, &now ), 0 );
    set_nonblocking( client, TRUE );
    check_fails( connect( client, &address.any, set_path( &address, listener_path ) ), WSAEWOULDBLOCK );
    FD_ZERO( &read );
    FD_ZERO( &write );
    FD_SET( listener, &read );
    check_result( select( 0, &read, NULL, NULL, &soon ), 1 );
    FD_SET( client, &write );
    check_result( select( 0, NULL, &write, NULL, &soon ), 1 );
    server = accept_one( listener );
    FD_ZERO( &read );
    FD_SET( client, &read );
    check_result( select( 0, &read, NULL, NULL, &now ), 0 );
    closesocket( server );
    FD_ZERO( &read );
    FD_SET( client, &read );
    check_result( select( 0, &read, NULL, NULL, &soon ), 1 );
    closesocket( client );
    closesocket( listener );
    client = local_socket();
    set_nonblocking( client, TRUE );
    check_fails( connect( client, &address.any, set_path( &address, listener_path ) ), WSAEWOULDBLOCK );
    FD_ZERO( &except );
    FD_SET( client, &except );
    check_result( select( 0, NULL, NULL, &except, &soon ), 1 );
    closesocket( client );
    DeleteFileA( listener_path );
}

/* --- \Device\Afd ------------------------------------------------------------------------------------------------------*/

static void test_afd( void )
{
    struct
    {
        int unknown;
        struct sockaddr_un address;
    } input = { .address.sun_family = AF_UNIX };
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL );
    SOCKET s = local_socket();
    struct sockaddr_un found;
    IO_STATUS_BLOCK iosb;
    NTSTATUS status;

    strcpy( input.address.sun_path, client_path );
    memset( &found, 0xcc, sizeof( found ) );
    status = NtDeviceIoControlFile( (HANDLE)s, event, NULL, NULL, &iosb, IOCTL_AFD_BIND, &input, sizeof( input ),
                                    &found, sizeof( found ) );
    ok( !status || status == NT_PENDING, "status %#lx\n", status );
    ok( WaitForSingleObject( event, 10000 ) == WAIT_OBJECT_0, "it does not end\n" );
    ok( !iosb.Status && iosb.Information == sizeof( found ), "status %#lx, %zu bytes\n", iosb.Status,
        (size_t)iosb.Information );
    ok( !strcmp( found.sun_path, client_path ), "path %s\n", found.sun_path );
    memset( &found, 0xcc, sizeof( found ) );
    check_status( NtDeviceIoControlFile( (HANDLE)s, event, NULL, NULL, &iosb, IOCTL_AFD_GETSOCKNAME, NULL, 0, &found,
                                         sizeof( found ) ),
                  0 );
    ok( found.sun_family == AF_UNIX && !strcmp( found.sun_path, client_path ), "path %s\n", found.sun_path );
    closesocket( s );
    s = local_socket();
    status = NtDeviceIoControlFile( (HANDLE)s, event, NULL, NULL, &iosb, IOCTL_AFD_BIND, &input, sizeof( input ),
                                    &found, sizeof( found ) );
    ok( status == NT_SHARING_VIOLATION || ( status == NT_PENDING && iosb.Status == NT_SHARING_VIOLATION ),
        "status %#lx, %#lx\n", status, iosb.Status );
    closesocket( s );
    DeleteFileA( client_path );
    CloseHandle( event );
}

/* --- several processes ------------------------------------------------------------------------------------------------*/

static void check_puppet_name( struct puppet *puppet, enum puppet_call call, SOCKET s, const char *path )
{
    check_ok( puppet_do_on( puppet, call, s ) );
    ok( puppet->message->address.any.sa_family == AF_UNIX && !strcmp( path_of( &puppet->message->address ), path ),
        "path %s\n", path_of( &puppet->message->address ) );
}

static void test_duplicates( void )
{
    SOCKET listener = local_listener(), client, server, there, accepted;
    WSAPROTOCOL_INFOW info;
    struct puppet puppet;
    union address address;
    char buffer[8];

    puppet_create( &puppet, 0 );
    check_ok( WSADuplicateSocketW( listener, puppet.pid, &info ) );
    ok( info.iAddressFamily == AF_UNIX && info.iSocketType == SOCK_STREAM && !info.iProtocol &&
            info.iMaxSockAddr == 110,
        "family %d, type %d, protocol %d\n", info.iAddressFamily, info.iSocketType, info.iProtocol );
    there = puppet_open_w( &puppet, &info, 0 );
    ok( there != INVALID_SOCKET, "error %d\n", WSAGetLastError() );
    check_puppet_name( &puppet, PUPPET_GETSOCKNAME, there, listener_path );
    check_ok( closesocket( listener ) );
    client = local_connected();
    accepted = puppet_do_on( &puppet, PUPPET_ACCEPT, there );
    ok( accepted != INVALID_SOCKET, "error %d\n", WSAGetLastError() );
    check_puppet_name( &puppet, PUPPET_GETSOCKNAME, accepted, listener_path );
    check_result( puppet_send( &puppet, accepted, "child" ), 5 );
    check_result( recv( client, buffer, 5, MSG_WAITALL ), 5 );
    puppet_kill( &puppet );
    check_eof( client );
    closesocket( client );
    /* the process that listened is gone, its file is there */
    ok( GetFileAttributesA( listener_path ) != INVALID_FILE_ATTRIBUTES, "no file\n" );
    set_path( &address, listener_path );
    check_refused( &address );
    DeleteFileA( listener_path );

    local_pair( &client, &server );
    puppet_create( &puppet, 0 );
    check_ok( WSADuplicateSocketW( client, puppet.pid, &info ) );
    check_ok( closesocket( client ) );
    there = puppet_open_w( &puppet, &info, 0 );
    check_puppet_name( &puppet, PUPPET_GETPEERNAME, there, listener_path );
    check_result( puppet_send( &puppet, there, "child" ), 5 );
    check_result( recv( server, buffer, 5, MSG_WAITALL ), 5 );
    puppet_destroy( &puppet );
    check_eof( server );
    closesocket( server );
}

static void test_inherited( void )
{
    SOCKET listener = local_listener(), client = local_connected(), server = accept_one( listener ),
           fresh = local_socket();
    SOCKET copy = INVALID_SOCKET, there;
    struct puppet puppet;
    char buffer[8];

    SetHandleInformation( (HANDLE)client, HANDLE_FLAG_INHERIT, 0 );
    puppet_create( &puppet, PUPPET_INHERITS );
    check_puppet_name( &puppet, PUPPET_GETPEERNAME, server, "" );
    check_puppet_name( &puppet, PUPPET_GETSOCKNAME, server, listener_path );
    check_result( puppet_send( &puppet, server, "child" ), 5 );
    check_result( recv( client, buffer, 5, MSG_WAITALL ), 5 );
    check_ok( closesocket( server ) );
    check_open( client );
    there = puppet_do_on( &puppet, PUPPET_CLOSE, server );
    check_eof( client );
    closesocket( client );
    /* the listener's maker has closed it before the child looks */
    check_ok( closesocket( listener ) );
    client = local_connected();
    there = puppet_do_on( &puppet, PUPPET_ACCEPT, listener );
    ok( there != INVALID_SOCKET, "error %d\n", WSAGetLastError() );
    check_result( puppet_send( &puppet, there, "child" ), 5 );
    check_result( recv( client, buffer, 5, MSG_WAITALL ), 5 );
    /* a socket without any name */
    set_path( &puppet.message->address, listener_path );
    check_ok( puppet_do_on( &puppet, PUPPET_CONNECT, fresh ) );
    check_puppet_name( &puppet, PUPPET_GETPEERNAME, fresh, listener_path );
    puppet_destroy( &puppet );
    check_eof( client );
    closesocket( client );
    closesocket( fresh );
    DeleteFileA( listener_path );

    /* DuplicateHandle */
    local_pair( &client, &server );
    ok( DuplicateHandle( GetCurrentProcess(), (HANDLE)client, GetCurrentProcess(), (HANDLE *)&copy, 0, FALSE,
                         DUPLICATE_SAME_ACCESS ),
        "error %lu\n", GetLastError() );
    check_flow( copy, server );
    check_flow( server, copy );
    check_ok( closesocket( client ) );
    check_flow( copy, server );
    check_ok( closesocket( copy ) );
    check_eof( server );
    closesocket( server );
}

static void test_peer_process( void )
{
    SOCKET listener = local_listener(), client, there, server;
    struct puppet puppet;
    DWORD pid = 0, bytes;

    check_fails( WSAIoctl( listener, SIO_AF_UNIX_GETPEERPID, NULL, 0, &pid, sizeof( pid ), &bytes, NULL, NULL ),
                 WSAENOTCONN );
    puppet_create( &puppet, 0 );
    puppet.message->family = AF_UNIX;
    puppet.message->type = SOCK_STREAM;
    puppet.message->protocol = 0;
    puppet.message->flags = WSA_FLAG_OVERLAPPED;
    there = puppet_do( &puppet, PUPPET_NEW );
    set_path( &puppet.message->address, listener_path );
    check_ok( puppet_do_on( &puppet, PUPPET_CONNECT, there ) );
    server = accept_one( listener );
    check_ok( WSAIoctl( server, SIO_AF_UNIX_GETPEERPID, NULL, 0, &pid, sizeof( pid ), &bytes, NULL, NULL ) );
    ok( pid == puppet.pid && bytes == sizeof( pid ), "process %lu, expected %lu; %lu bytes\n", pid, puppet.pid, bytes );
    check_fails( WSAIoctl( server, SIO_AF_UNIX_GETPEERPID, NULL, 0, &pid, sizeof( pid ) - 1, &bytes, NULL, NULL ),
                 WSAEFAULT );
    closesocket( server );
    puppet_destroy( &puppet );
    closesocket( listener );
    DeleteFileA( listener_path );
    tcp_pair( &client, &server );
    check_fails( WSAIoctl( client, SIO_AF_UNIX_GETPEERPID, NULL, 0, &pid, sizeof( pid ), &bytes, NULL, NULL ),
                 WSAEOPNOTSUPP );
    closesocket( client );
    closesocket( server );
}

START_TEST( localstreams )
{
    char directory[MAX_PATH];

    if ( local_begin() ) return;
    GetTempPathA( sizeof( directory ), directory );
    ok( SetCurrentDirectoryA( directory ), "error %lu\n", GetLastError() );
    test_accept_ex();
    test_connect_ex();
    test_overlapped();
    test_blocking_and_shutdown();
    test_connect_events();
    test_events();
    test_select();
    test_afd();
    test_duplicates();
    test_inherited();
    test_peer_process();
    support_end();
}
