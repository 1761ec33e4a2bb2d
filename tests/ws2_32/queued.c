/*
 * AcceptEx and ConnectEx beside others (facts: sockets-2, sections 1 and 5 to 8): whose request it is, who comes first at a
 * connection that was put off, short slots, and what a completion port is told of connecting.
 */
#include "requests.h"

#define KEY 0x4242

static LPFN_ACCEPTEX accept_ex;
static LPFN_CONNECTEX connect_ex;

static BOOL load( void )
{
    SOCKET s = socket( AF_INET, SOCK_STREAM, 0 );

    accept_ex = extension( s, (GUID)WSAID_ACCEPTEX );
    connect_ex = extension( s, (GUID)WSAID_CONNECTEX );
    closesocket( s );
    return accept_ex && connect_ex;
}

static SOCKET fresh( void ) { return socket( AF_INET, SOCK_STREAM, 0 ); }

/* Every refusal leaves STATUS_PENDING in the OVERLAPPED, even that of a handle that is none. */
static void test_refusals( void )
{
    union address address, other;
    SOCKET listener = tcp_listener( AF_INET, &address ), bound = tcp_bound( AF_INET, &other ), acceptor = fresh();
    SOCKET datagram = socket( AF_INET, SOCK_DGRAM, 0 );
    char buffer[128];
    const struct
    {
        SOCKET listener, acceptor;
        void *buffer;
        DWORD remote;
        int error;
    } rows[] = {
        { INVALID_SOCKET, acceptor, buffer, SLOT, WSAENOTSOCK },
        { bound, acceptor, buffer, SLOT, WSAEINVAL },
        { listener, INVALID_SOCKET, buffer, SLOT, WSAENOTSOCK },
        { listener, datagram, buffer, SLOT, WSAEINVAL },
        { listener, bound, buffer, SLOT, WSAEINVAL },
        { listener, acceptor, NULL, SLOT, WSAEFAULT },
        { listener, acceptor, buffer, 0, WSAEFAULT },
    };
    OVERLAPPED ov;

    for ( unsigned int i = 0; i < ARRAY_SIZE( rows ); i++ )
    {
        winetest_push_context( "row %u", i );
        prepare_overlapped( &ov, NULL );
        check_error(
            accept_ex( rows[i].listener, rows[i].acceptor, rows[i].buffer, 0, SLOT, rows[i].remote, NULL, &ov ), FALSE,
            rows[i].error );
        ok( ov.Internal == STATUS_PENDING, "status %#lx\n", (DWORD)ov.Internal );
        winetest_pop_context();
    }
    check_error( accept_ex( listener, acceptor, buffer, 0, 0, 0, NULL, NULL ), FALSE, ERROR_INVALID_PARAMETER );
    check_error( accept_ex( listener, acceptor, buffer, 0, SLOT, SLOT, NULL, NULL ), FALSE, ERROR_INVALID_PARAMETER );
    closesocket( listener );
    closesocket( bound );
    closesocket( acceptor );
    closesocket( datagram );
}

/* A slot that is a byte too short is taken at the call, and refused when a client comes. */
static void test_a_byte_short( void )
{
    static const DWORD slots[][2] = { { SLOT - 1, SLOT }, { SLOT, SLOT - 1 } };
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL );

    for ( unsigned int i = 0; i < ARRAY_SIZE( slots ); i++ )
    {
        union address address;
        SOCKET listener = tcp_listener( AF_INET, &address ), acceptor = fresh(), client, server;
        char buffer[128];
        OVERLAPPED ov;
        DWORD size = 1;

        winetest_push_context( "local %lu, remote %lu", slots[i][0], slots[i][1] );
        prepare_overlapped( &ov, event );
        check_error( accept_ex( listener, acceptor, buffer, 0, slots[i][0], slots[i][1], NULL, &ov ), FALSE,
                     ERROR_IO_PENDING );
        ok( WaitForSingleObject( event, 50 ) == WAIT_TIMEOUT, "ended without a client\n" );
        client = tcp_client( &address );
        ok( !WaitForSingleObject( event, 5000 ), "not ended\n" );
        check_error( GetOverlappedResult( (HANDLE)listener, &ov, &size, FALSE ), FALSE, ERROR_INSUFFICIENT_BUFFER );
        server = accept_one( listener );
        check_flow( client, server );
        closesocket( server );
        closesocket( client );
        closesocket( acceptor );
        closesocket( listener );
        winetest_pop_context();
    }
    CloseHandle( event );
}

/* The request is the listener's. */
static void test_cancel( void )
{
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL );
    union address address;
    SOCKET listener = tcp_listener( AF_INET, &address ), acceptor = fresh(), client, server;
    char buffer[128];
    OVERLAPPED ov, other = { 0 };
    DWORD size;

    prepare_overlapped( &ov, event );
    check_error( accept_ex( listener, acceptor, buffer, 0, SLOT, SLOT, NULL, &ov ), FALSE, ERROR_IO_PENDING );
    check_error( connect_ex( acceptor, &address.any, sizeof( address.v4 ), NULL, 0, NULL, &other ), FALSE, WSAEINVAL );
    CancelIo( (HANDLE)acceptor );
    ok( WaitForSingleObject( event, 100 ) == WAIT_TIMEOUT, "ended through the acceptor\n" );
    ok( ov.Internal == STATUS_PENDING, "status %#lx\n", (DWORD)ov.Internal );
    check_result( CancelIo( (HANDLE)listener ), TRUE );
    ok( !WaitForSingleObject( event, 5000 ), "not cancelled\n" );
    check_error( GetOverlappedResult( (HANDLE)listener, &ov, &size, FALSE ), FALSE, ERROR_OPERATION_ABORTED );
    /* the acceptor is free, and no connection was lost */
    client = tcp_client( &address );
    prepare_overlapped( &ov, event );
    check_error( accept_ex( listener, acceptor, buffer, 0, SLOT, SLOT, NULL, &ov ), FALSE, ERROR_IO_PENDING );
    ok( !WaitForSingleObject( event, 5000 ), "not ended\n" );
    ok( !ov.Internal, "status %#lx\n", (DWORD)ov.Internal );
    check_flow( client, acceptor );
    closesocket( acceptor );
    closesocket( client );
    client = tcp_client( &address );
    server = accept_one( listener );
    check_flow( client, server );
    closesocket( server );
    closesocket( client );
    closesocket( listener );
    CloseHandle( event );
}

static int CALLBACK defers( WSABUF *caller, WSABUF *caller_data, QOS *sqos, QOS *gqos, WSABUF *callee,
                            WSABUF *callee_data, GROUP *group, DWORD_PTR context )
{
    (void)caller, (void)caller_data, (void)sqos, (void)gqos, (void)callee, (void)callee_data, (void)group,
        (void)context;
    return CF_DEFER;
}

/* A connection that was put off is the next, for AcceptEx too. */
static void test_deferred( void )
{
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL );
    union address address;
    SOCKET listener = tcp_listener( AF_INET, &address ), acceptor = fresh(), clients[2], server;
    char buffer[128];
    OVERLAPPED ov;

    clients[0] = tcp_client( &address );
    check_no_socket( WSAAccept( listener, NULL, NULL, defers, 0 ), WSATRY_AGAIN );
    prepare_overlapped( &ov, event );
    check_error( accept_ex( listener, acceptor, buffer, 0, SLOT, SLOT, NULL, &ov ), FALSE, ERROR_IO_PENDING );
    ok( !WaitForSingleObject( event, 5000 ), "not ended\n" );
    ok( !ov.Internal && !ov.InternalHigh, "status %#lx\n", (DWORD)ov.Internal );
    clients[1] = tcp_client( &address );
    server = accept_one( listener );
    check_flow( clients[0], acceptor );
    check_flow( clients[1], server );
    closesocket( server );
    closesocket( clients[1] );

    /* and for accept, after one that AcceptEx has not got */
    closesocket( clients[0] );
    clients[0] = tcp_client( &address );
    check_no_socket( WSAAccept( listener, NULL, NULL, defers, 0 ), WSATRY_AGAIN );
    clients[1] = tcp_client( &address );
    server = accept_one( listener );
    check_flow( clients[0], server );
    closesocket( server );
    server = accept_one( listener );
    check_flow( clients[1], server );
    closesocket( server );
    closesocket( clients[0] );
    closesocket( clients[1] );
    closesocket( acceptor );
    closesocket( listener );
    CloseHandle( event );
}

#define check_packet( port, ov, error ) check_packet_within( port, 10000, KEY, ov, !( error ), error, 0 )

static void test_port( void )
{
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL ),
           port = CreateIoCompletionPort( INVALID_HANDLE_VALUE, NULL, 0, 0 );
    union address address, nobody, own;
    SOCKET listener = tcp_listener( AF_INET, &address ), holder = tcp_bound( AF_INET, &nobody ), s, server;
    OVERLAPPED ov;

    for ( unsigned int skips = 0; skips < 2; skips++ )
    {
        winetest_push_context( "skips %u", skips );
        s = tcp_bound( AF_INET, &own );
        ok( CreateIoCompletionPort( (HANDLE)s, port, KEY, 0 ) == port, "error %lu\n", GetLastError() );
        if ( skips )
            check_result( SetFileCompletionNotificationModes( (HANDLE)s, FILE_SKIP_COMPLETION_PORT_ON_SUCCESS ), TRUE );
        /* refused, then connected: a packet each, for neither ends at once */
        prepare_overlapped( &ov, event );
        check_error( connect_ex( s, &nobody.any, sizeof( nobody.v4 ), NULL, 0, NULL, &ov ), FALSE, ERROR_IO_PENDING );
        check_packet( port, &ov, ERROR_CONNECTION_REFUSED );
        ok( !WaitForSingleObject( event, 1000 ), "the event is not set\n" );
        prepare_overlapped( &ov, event );
        check_error( connect_ex( s, &address.any, sizeof( address.v4 ), NULL, 0, NULL, &ov ), FALSE, ERROR_IO_PENDING );
        check_packet( port, &ov, 0 );
        ok( !WaitForSingleObject( event, 1000 ), "the event is not set\n" );
        check_no_packet( port, 50 );
        server = accept_one( listener );
        closesocket( server );
        closesocket( s );
        winetest_pop_context();
    }

    /* the event's lowest bit */
    s = tcp_bound( AF_INET, &own );
    ok( CreateIoCompletionPort( (HANDLE)s, port, KEY, 0 ) == port, "error %lu\n", GetLastError() );
    prepare_overlapped( &ov, (HANDLE)( (ULONG_PTR)event | 1 ) );
    check_error( connect_ex( s, &address.any, sizeof( address.v4 ), NULL, 0, NULL, &ov ), FALSE, ERROR_IO_PENDING );
    ok( !WaitForSingleObject( (HANDLE)( (ULONG_PTR)event | 1 ), 5000 ), "the event is not set\n" );
    check_no_packet( port, 50 );
    server = accept_one( listener );
    closesocket( server );
    closesocket( s );

    /* connect tells no port, waiting or not */
    for ( unsigned int nonblocking = 0; nonblocking < 2; nonblocking++ )
    {
        s = fresh();
        ok( CreateIoCompletionPort( (HANDLE)s, port, KEY, 0 ) == port, "error %lu\n", GetLastError() );
        set_nonblocking( s, nonblocking );
        if ( nonblocking ) check_fails( connect( s, &address.any, sizeof( address.v4 ) ), WSAEWOULDBLOCK );
        else check_ok( connect( s, &address.any, sizeof( address.v4 ) ) );
        server = accept_one( listener );
        check_no_packet( port, 50 );
        closesocket( server );
        closesocket( s );
    }
    closesocket( listener );
    closesocket( holder );
    CloseHandle( port );
    CloseHandle( event );
}

START_TEST( queued )
{
    if ( support_begin() ) return;
    if ( load() )
    {
        test_refusals();
        test_a_byte_short();
        test_cancel();
        test_deferred();
        test_port();
    }
    support_end();
}
