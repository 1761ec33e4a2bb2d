/*
 * What programs in the field rely on (facts: field-reports, "AcceptEx", "Flags, polls, names", "Completion ports and reuse"):
 * acceptors before and after their context is updated, flags that mean nothing, thousands of buffers, the name of a handle,
 * addresses of the other family, sockets used again, datagrams that no host sends.
 */
#include "requests.h"
#include <winternl.h>

static void reset( SOCKET s )
{
    struct linger hard = { 1, 0 };

    check_ok( setsockopt( s, SOL_SOCKET, SO_LINGER, (char *)&hard, sizeof( hard ) ) );
    closesocket( s );
}

static void test_acceptex( void )
{
    union address address, name;
    SOCKET listener = tcp_listener( AF_INET, &address ), acceptor = socket( AF_INET, SOCK_STREAM, 0 ), client;
    LPFN_ACCEPTEX accept_ex = extension( listener, (GUID)WSAID_ACCEPTEX );
    OVERLAPPED ov = { .hEvent = WSACreateEvent() };
    char buffer[200];
    DWORD count, flags, seconds = 0;
    int length = sizeof( name );

    /* reset while it waited in the queue */
    reset( tcp_client( &address ) );
    Sleep( 50 );
    if ( !accept_ex( listener, acceptor, buffer, 0, 32, 32, &count, &ov ) )
        ok( WSAGetLastError() == WSA_IO_PENDING, "error %d\n", WSAGetLastError() );
    ok( !WaitForSingleObject( ov.hEvent, 5000 ), "it waits still\n" );
    ok( !GetOverlappedResult( (HANDLE)listener, &ov, &count, FALSE ), "succeeded\n" );
    ok( GetLastError() == ERROR_NETNAME_DELETED, "error %lu\n", GetLastError() );

    /* the same acceptor takes the next; it has no peer until its context is updated */
    WSAResetEvent( ov.hEvent );
    ok( !accept_ex( listener, acceptor, buffer, 0, 32, 32, &count, &ov ) && WSAGetLastError() == WSA_IO_PENDING,
        "error %d\n", WSAGetLastError() );
    client = tcp_client( &address );
    ok( WSAGetOverlappedResult( listener, &ov, &count, TRUE, &flags ), "error %d\n", WSAGetLastError() );
    check_fails( shutdown( acceptor, SD_SEND ), WSAENOTCONN );
    check_fails( getpeername( acceptor, &name.any, &length ), WSAENOTCONN );
    check_flow( acceptor, client );
    check_flow( client, acceptor );
    check_ok( setsockopt( acceptor, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, (char *)&listener, sizeof( listener ) ) );
    check_ok( getpeername( acceptor, &name.any, &length ) );
    check_ok( shutdown( acceptor, SD_SEND ) );
    closesocket( client );
    closesocket( acceptor );

    /* silent clients are found by the time that they have been connected */
    acceptor = socket( AF_INET, SOCK_STREAM, 0 );
    length = sizeof( seconds );
    check_ok( getsockopt( acceptor, SOL_SOCKET, SO_CONNECT_TIME, (char *)&seconds, &length ) );
    ok( seconds == ~0u, "%lu s\n", seconds );
    WSAResetEvent( ov.hEvent );
    ok( !accept_ex( listener, acceptor, buffer, 100, 32, 32, &count, &ov ) && WSAGetLastError() == WSA_IO_PENDING,
        "error %d\n", WSAGetLastError() );
    check_ok( getsockopt( acceptor, SOL_SOCKET, SO_CONNECT_TIME, (char *)&seconds, &length ) );
    ok( seconds == ~0u, "%lu s\n", seconds );
    client = tcp_client( &address );
    for ( int i = 0; i < 100 && seconds == ~0u; i++ )
    {
        Sleep( 20 );
        check_ok( getsockopt( acceptor, SOL_SOCKET, SO_CONNECT_TIME, (char *)&seconds, &length ) );
    }
    ok( seconds < 60, "%lu s\n", seconds );
    closesocket( client );
    closesocket( acceptor );
    closesocket( listener );
    WSACloseEvent( ov.hEvent );
}

static void test_flags( void )
{
    union address address;
    SOCKET client, server, s = udp_bound( AF_INET, &address );
    char buffer[16];
    WSABUF in = { 3, buffer };
    DWORD count, flags = 0;

    tcp_pair( &client, &server );
    check_result( send( client, "abcdef", 6, 0 ), 6 );
    ok( wait_readable( server, 5000 ), "nothing arrived\n" );
    check_fails( recv( server, buffer, 3, MSG_WAITALL | MSG_PEEK ), WSAEOPNOTSUPP );
    check_fails( recv( server, buffer, 3, MSG_WAITALL | MSG_OOB ), WSAEOPNOTSUPP );
    set_nonblocking( server, TRUE );
    check_fails( recv( server, buffer, 3, MSG_WAITALL ), WSAEOPNOTSUPP );
    set_nonblocking( server, FALSE );
    check_result( recv( server, buffer, 3, MSG_WAITALL ), 3 );
    closesocket( client );
    closesocket( server );

    check_fails( recv( s, buffer, 3, MSG_WAITALL ), WSAEOPNOTSUPP );
    check_fails( recv( s, buffer, 3, MSG_OOB ), WSAEOPNOTSUPP );
    check_result( sendto( s, "0123456789", 10, 0, &address.any, sizeof( address.v4 ) ), 10 );
    ok( wait_readable( s, 5000 ), "nothing arrived\n" );
    check_fails( WSARecvFrom( s, &in, 1, &count, &flags, NULL, NULL, NULL, NULL ), WSAEMSGSIZE );
    ok( count == 3 && flags == MSG_PARTIAL, "%lu bytes, flags %#lx\n", count, flags );
    closesocket( s );
}

/* No send of a datagram has urgent bytes, whichever function is asked. */
static void test_urgent_datagrams( int family )
{
    union address address;
    SOCKET s = udp_bound( family, &address ), to = udp_bound( family, &address );
    const int size = address_length( family );
    WSABUF out = { 1, "u" };
    OVERLAPPED ov = { 0 };
    char buffer[4];
    DWORD count;

    winetest_push_context( family == AF_INET ? "IPv4" : "IPv6" );
    check_fails( sendto( s, "u", 1, MSG_OOB, &address.any, size ), WSAEOPNOTSUPP );
    check_ok( connect( s, &address.any, size ) );
    check_fails( send( s, "u", 1, MSG_OOB ), WSAEOPNOTSUPP );
    check_fails( sendto( s, "u", 1, MSG_OOB, &address.any, size ), WSAEOPNOTSUPP );
    check_fails( WSASend( s, &out, 1, &count, MSG_OOB, NULL, NULL ), WSAEOPNOTSUPP );
    check_fails( WSASend( s, &out, 1, &count, MSG_OOB, &ov, NULL ), WSAEOPNOTSUPP );
    check_fails( WSASendTo( s, &out, 1, &count, MSG_OOB, &address.any, size, NULL, NULL ), WSAEOPNOTSUPP );
    check_fails( WSASendTo( s, &out, 1, &count, MSG_OOB, &address.any, size, &ov, NULL ), WSAEOPNOTSUPP );
    /* and nothing was sent before this */
    check_result( send( s, "ok", 2, 0 ), 2 );
    ok( wait_readable( to, 5000 ), "nothing arrived\n" );
    set_nonblocking( to, TRUE );
    check_result( recv( to, buffer, sizeof( buffer ), 0 ), 2 );
    closesocket( s );
    closesocket( to );
    winetest_pop_context();
}

#define MANY 5000

/* One call fills them all, with an OVERLAPPED and without. */
static void test_many_buffers( BOOL overlapped )
{
    static WSABUF buffers[MANY];
    static char sent[MANY], got[MANY];
    OVERLAPPED ov = { .hEvent = WSACreateEvent() };
    SOCKET client, server;
    DWORD count = 0, flags = 0;
    u_long waiting = 0;

    winetest_push_context( overlapped ? "overlapped" : "at once" );
    tcp_pair( &client, &server );
    for ( int i = 0; i < MANY; i++ )
    {
        sent[i] = (char)( i * 7 );
        got[i] = 0;
        buffers[i] = ( WSABUF ){ 1, &got[i] };
    }
    check_result( send( client, sent, MANY, 0 ), MANY );
    for ( int i = 0; i < 500 && waiting < MANY; i++ )
    {
        check_ok( ioctlsocket( server, FIONREAD, &waiting ) );
        if ( waiting < MANY ) Sleep( 10 );
    }
    check_ok( WSARecv( server, buffers, MANY, &count, &flags, overlapped ? &ov : NULL, NULL ) );
    ok( count == MANY && !memcmp( sent, got, MANY ), "%lu bytes\n", count );
    /* what is not there yet is not waited for */
    check_result( send( client, sent, 1500, 0 ), 1500 );
    ok( wait_readable( server, 5000 ), "nothing arrived\n" );
    check_ok( WSARecv( server, buffers, MANY, &count, &flags, overlapped ? &ov : NULL, NULL ) );
    ok( count && count <= 1500, "%lu bytes\n", count );
    closesocket( client );
    closesocket( server );
    WSACloseEvent( ov.hEvent );
    winetest_pop_context();
}

static void test_name( void )
{
    NTSTATUS( NTAPI * query )
    ( HANDLE, ULONG, void *, ULONG, ULONG * ) =
        (void *)(UINT_PTR)GetProcAddress( GetModuleHandleA( "ntdll.dll" ), "NtQueryObject" );
    union address address;
    SOCKET sockets[] = { tcp_listener( AF_INET, &address ), udp_bound( AF_INET, &address ), INVALID_SOCKET };
    char buffer[256];
    const UNICODE_STRING *name = (UNICODE_STRING *)buffer;
    ULONG needed;
    HANDLE copy;

    /* the name is the first that anybody asks of this one */
    ok( DuplicateHandle( GetCurrentProcess(), (HANDLE)sockets[0], GetCurrentProcess(), &copy, 0, FALSE,
                         DUPLICATE_SAME_ACCESS ),
        "error %lu\n", GetLastError() );
    sockets[2] = (SOCKET)copy;
    for ( unsigned int i = 0; i < ARRAY_SIZE( sockets ); i++ )
    {
        ok( !query( (HANDLE)sockets[i], 1, buffer, sizeof( buffer ), &needed ), "no name\n" );
        ok( name->Length == 11 * sizeof( WCHAR ) && !memcmp( name->Buffer, L"\\Device\\Afd", name->Length ),
            "length %u\n", name->Length );
        closesocket( sockets[i] );
    }
}

static void test_other_family( void )
{
    union address v4, v6;
    SOCKET s;

    address_loopback( &v4, AF_INET, 0 );
    address_loopback( &v6, AF_INET6, 0 );
    for ( int type = SOCK_STREAM; type <= SOCK_DGRAM; type++ )
    {
        s = socket( AF_INET, type, 0 );
        check_fails( bind( s, &v6.any, sizeof( v6.v6 ) ), WSAEFAULT );
        closesocket( s );
        if ( !have_ipv6() ) continue;
        s = socket( AF_INET6, type, 0 );
        check_fails( bind( s, &v4.any, sizeof( v6.v6 ) ), WSAEFAULT );
        closesocket( s );
    }
}

/* Connected without being bound, disconnected for reuse, connected again. */
static void test_used_again( void )
{
    union address address, other;
    SOCKET listener = tcp_listener( AF_INET, &address ), second = tcp_listener( AF_INET, &other ),
           s = tcp_client( &address ), server = accept_one( listener );
    LPFN_DISCONNECTEX disconnect_ex = extension( s, (GUID)WSAID_DISCONNECTEX );
    LPFN_CONNECTEX connect_ex = extension( s, (GUID)WSAID_CONNECTEX );
    OVERLAPPED ov = { .hEvent = WSACreateEvent() };
    DWORD count, flags;

    check_result( disconnect_ex( s, NULL, TF_REUSE_SOCKET, 0 ), TRUE );
    closesocket( server );
    ok( socket_port( s ), "not bound any more\n" );
    if ( !connect_ex( s, &other.any, sizeof( other.v4 ), NULL, 0, NULL, &ov ) )
        ok( WSAGetLastError() == WSA_IO_PENDING, "error %d\n", WSAGetLastError() );
    ok( WSAGetOverlappedResult( s, &ov, &count, TRUE, &flags ), "error %d\n", WSAGetLastError() );
    server = accept_one( second );
    check_flow( s, server );
    closesocket( s );
    closesocket( server );
    closesocket( listener );
    closesocket( second );
    WSACloseEvent( ov.hEvent );
}

/* Fails at once, or its end does; the port is told of one of them. */
static void test_too_long( void )
{
    static char data[65536];
    union address address;
    SOCKET s = udp_bound( AF_INET, &address );
    HANDLE port = CreateIoCompletionPort( (HANDLE)s, NULL, 7, 0 );
    WSABUF buffer = { sizeof( data ), data };
    OVERLAPPED ov = { 0 }, *done = NULL;
    ULONG_PTR key;
    DWORD count, flags;
    int result = WSASendTo( s, &buffer, 1, &count, 0, &address.any, sizeof( address.v4 ), &ov, NULL ),
        error = WSAGetLastError();

    ok( result == SOCKET_ERROR && ( error == WSA_IO_PENDING || error == WSAEMSGSIZE ), "%d, error %d\n", result,
        error );
    if ( error == WSA_IO_PENDING )
    {
        ok( !GetQueuedCompletionStatus( port, &count, &key, &done, 5000 ) && done == &ov, "%p\n", (void *)done );
        check_error( WSAGetOverlappedResult( s, &ov, &count, FALSE, &flags ), FALSE, WSAEMSGSIZE );
    }
    else ok( !GetQueuedCompletionStatus( port, &count, &key, &done, 50 ) && !done, "%p\n", (void *)done );
    closesocket( s );
    CloseHandle( port );
}

/* connect to nobody dissolves a peer, and the port stays; nobody can be sent to, and nobody has port 0. */
static void test_nobody( int family )
{
    union address address, nobody, own;
    SOCKET to = udp_bound( family, &address ), s = socket( family, SOCK_DGRAM, 0 ), bound = udp_bound( family, &own );
    int length = family == AF_INET6 ? sizeof( nobody.v6 ) : sizeof( nobody.v4 ), port;
    char byte;

    winetest_push_context( family == AF_INET6 ? "IPv6" : "IPv4" );
    address_any( &nobody, family, 0 );
    check_ok( connect( bound, &address.any, length ) );
    check_ok( connect( bound, &nobody.any, length ) );
    check_result( sendto( s, "y", 1, 0, &own.any, length ), 1 );
    ok( wait_readable( bound, 5000 ), "nothing arrives any more\n" );
    check_result( recv( bound, &byte, 1, 0 ), 1 );
    closesocket( bound );
    check_ok( connect( s, &address.any, length ) );
    check_result( send( s, "x", 1, 0 ), 1 );
    port = socket_port( s );
    check_ok( connect( s, &nobody.any, length ) );
    ok( socket_port( s ) == port, "port %d, and now %d\n", port, socket_port( s ) );
    check_fails( send( s, "x", 1, 0 ), WSAENOTCONN );
    address_any( &nobody, family, socket_port( to ) );
    check_fails( sendto( s, "x", 1, 0, &nobody.any, length ), WSAEADDRNOTAVAIL );
    address_loopback( &nobody, family, 0 );
    check_result( sendto( s, "x", 1, 0, &nobody.any, length ), 1 );
    closesocket( s );
    closesocket( to );
    winetest_pop_context();
}

/* Of sockets that share a port, the one bound first gets what is sent to it, whoever sends. */
static void test_shared_port( void )
{
    SOCKET sockets[3], senders[20];
    union address address, own;
    BOOL on = TRUE;
    unsigned int i;
    char byte;

    address_loopback( &address, AF_INET, 0 );
    for ( i = 0; i < ARRAY_SIZE( sockets ); i++ )
    {
        sockets[i] = socket( AF_INET, SOCK_DGRAM, 0 );
        check_ok( setsockopt( sockets[i], SOL_SOCKET, SO_REUSEADDR, (char *)&on, sizeof( on ) ) );
        check_ok( bind( sockets[i], &address.any, sizeof( address.v4 ) ) );
        address_loopback( &address, AF_INET, socket_port( sockets[i] ) );
    }
    for ( i = 0; i < ARRAY_SIZE( senders ); i++ )
    {
        senders[i] = udp_bound( AF_INET, &own );
        check_result( sendto( senders[i], "x", 1, 0, &address.any, sizeof( address.v4 ) ), 1 );
    }
    for ( i = 0; i < ARRAY_SIZE( senders ); i++ )
    {
        ok( wait_readable( sockets[0], 5000 ), "datagram %u went elsewhere\n", i );
        check_result( recv( sockets[0], &byte, 1, 0 ), 1 );
        closesocket( senders[i] );
    }
    for ( i = 0; i < ARRAY_SIZE( sockets ); i++ ) closesocket( sockets[i] );
}

static HANDLE waited_port;
static LONG abandoned;

static DWORD CALLBACK port_waiter( void *arg )
{
    OVERLAPPED *done = (OVERLAPPED *)1;
    ULONG_PTR key;
    DWORD count;

    (void)arg;
    if ( !GetQueuedCompletionStatus( waited_port, &count, &key, &done, 20000 ) &&
         GetLastError() == ERROR_ABANDONED_WAIT_0 && !done )
        InterlockedIncrement( &abandoned );
    return 0;
}

/* Threads that waited before the port had a socket hear of its end like any other, and get no packet with it. */
static void test_port_abandoned( void )
{
    HANDLE threads[4];
    union address address;
    SOCKET s;
    unsigned int i;

    abandoned = 0;
    waited_port = CreateIoCompletionPort( INVALID_HANDLE_VALUE, NULL, 0, 4 );
    for ( i = 0; i < ARRAY_SIZE( threads ); i++ ) threads[i] = CreateThread( NULL, 0, port_waiter, NULL, 0, NULL );
    Sleep( 200 ); /* they sleep by now */
    s = udp_bound( AF_INET, &address );
    ok( CreateIoCompletionPort( (HANDLE)s, waited_port, 0, 0 ) == waited_port, "error %lu\n", GetLastError() );
    Sleep( 200 );
    CloseHandle( waited_port );
    ok( WaitForMultipleObjects( ARRAY_SIZE( threads ), threads, TRUE, 30000 ) < ARRAY_SIZE( threads ),
        "some wait on\n" );
    ok( abandoned == ARRAY_SIZE( threads ), "%ld of them were told\n", abandoned );
    for ( i = 0; i < ARRAY_SIZE( threads ); i++ ) CloseHandle( threads[i] );
    closesocket( s );
}

START_TEST( field )
{
    support_begin();
    test_acceptex();
    test_flags();
    test_urgent_datagrams( AF_INET );
    if ( have_ipv6() ) test_urgent_datagrams( AF_INET6 );
    test_many_buffers( FALSE );
    test_many_buffers( TRUE );
    test_name();
    test_other_family();
    test_used_again();
    test_too_long();
    test_nobody( AF_INET );
    if ( have_ipv6() ) test_nobody( AF_INET6 );
    test_shared_port();
    test_port_abandoned();
    support_end();
}
