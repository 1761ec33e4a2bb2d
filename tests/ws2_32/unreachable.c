/*
 * Port unreachable (facts: field-reports, "UDP on a network"): what a datagram socket sent to a port that nobody has makes
 * its next receive fail once, connected or not, in every form of receive and readiness; a send never fails for it, and
 * SIO_UDP_CONNRESET turns all of it off.
 */
#include "support.h"

static int family, length_of_address;

/* A port of loopback that nobody has, for as long as the test lasts: the port of a stream socket. */
static SOCKET dead_port( union address *address ) { return tcp_bound( family, address ); }

static void send_to_nobody( SOCKET s, const union address *nobody )
{
    check_result( sendto( s, "x", 1, 0, &nobody->any, length_of_address ), 1 );
}

static void turn_off( SOCKET s )
{
    BOOL off = FALSE;
    DWORD count;

    check_ok( WSAIoctl( s, SIO_UDP_CONNRESET, &off, sizeof( off ), NULL, 0, &count, NULL, NULL ) );
}

static void check_told_once( SOCKET s )
{
    char buffer[16];

    set_nonblocking( s, TRUE );
    check_fails( recv( s, buffer, sizeof( buffer ), 0 ), WSAECONNRESET );
    check_fails( recv( s, buffer, sizeof( buffer ), 0 ), WSAEWOULDBLOCK );
    ok( !wait_readable( s, 0 ), "readable still\n" );
}

static void test_receives( const union address *nobody )
{
    union address own, from;
    SOCKET s = udp_bound( family, &own );
    int length = sizeof( from );
    DWORD count, flags = 0;
    char buffer[16];
    WSABUF in = { sizeof( buffer ), buffer };

    set_receive_timeout( s, 5000 );
    send_to_nobody( s, nobody );
    check_fails( recv( s, buffer, sizeof( buffer ), 0 ), WSAECONNRESET ); /* which waits for it */
    send_to_nobody( s, nobody );
    check_fails( recvfrom( s, buffer, sizeof( buffer ), 0, &from.any, &length ), WSAECONNRESET );
    send_to_nobody( s, nobody );
    check_fails( WSARecv( s, &in, 1, &count, &flags, NULL, NULL ), WSAECONNRESET );
    send_to_nobody( s, nobody );
    length = sizeof( from );
    check_fails( WSARecvFrom( s, &in, 1, &count, &flags, &from.any, &length, NULL, NULL ), WSAECONNRESET );
    send_to_nobody( s, nobody );
    ok( wait_readable( s, 5000 ), "not told\n" );
    check_told_once( s );
    closesocket( s );
}

/* What comes from somebody else comes after the errors, and whole. */
static void test_datagram_behind( const union address *nobody )
{
    union address own, other;
    SOCKET s = udp_bound( family, &own ), somebody = udp_bound( family, &other );
    char buffer[16];
    int errors = 0, got;

    set_receive_timeout( s, 5000 );
    for ( int i = 0; i < 3; i++ ) send_to_nobody( s, nobody );
    ok( wait_readable( s, 5000 ), "not told\n" );
    check_result( sendto( somebody, "hello", 5, 0, &own.any, length_of_address ), 5 );
    while ( ( got = recv( s, buffer, sizeof( buffer ), 0 ) ) < 0 && WSAGetLastError() == WSAECONNRESET ) errors++;
    ok( got == 5 && !memcmp( buffer, "hello", 5 ), "got %d, error %d\n", got, WSAGetLastError() );
    ok( errors >= 1 && errors <= 3, "%d errors\n", errors );
    closesocket( s );
    closesocket( somebody );
}

static const union address *target;
static LONG failed_sends;

static DWORD CALLBACK sender( void *arg )
{
    for ( int i = 0; i < 200; i++ )
        if ( sendto( (SOCKET)arg, "x", 1, 0, &target->any, length_of_address ) != 1 )
            InterlockedIncrement( &failed_sends );
    return 0;
}

static void test_sends( const union address *nobody )
{
    union address own;
    SOCKET s = udp_bound( family, &own );
    HANDLE threads[2];
    char buffer[16];
    int i;

    target = nobody;
    failed_sends = 0;
    for ( i = 0; i < 2; i++ ) threads[i] = CreateThread( NULL, 0, sender, (void *)s, 0, NULL );
    WaitForMultipleObjects( 2, threads, TRUE, INFINITE );
    for ( i = 0; i < 2; i++ ) CloseHandle( threads[i] );
    ok( !failed_sends, "%ld sends failed\n", failed_sends );
    /* the receive is told all the same */
    set_receive_timeout( s, 5000 );
    check_fails( recv( s, buffer, sizeof( buffer ), 0 ), WSAECONNRESET );
    closesocket( s );
}

static void test_readiness( const union address *nobody )
{
    union address own;
    SOCKET s = udp_bound( family, &own );
    WSAEVENT event = WSACreateEvent();
    WSANETWORKEVENTS events;
    WSAPOLLFD fd = { s, POLLRDNORM, 0 };

    send_to_nobody( s, nobody );
    check_result( WSAPoll( &fd, 1, 5000 ), 1 );
    ok( fd.revents & POLLRDNORM, "revents %#x\n", fd.revents );
    check_told_once( s );
    fd.events = POLLRDNORM;
    check_result( WSAPoll( &fd, 1, 0 ), 0 );

    check_ok( WSAEventSelect( s, event, FD_READ ) );
    send_to_nobody( s, nobody );
    ok( !WaitForSingleObject( event, 5000 ), "no event\n" );
    check_ok( WSAEnumNetworkEvents( s, event, &events ) );
    ok( events.lNetworkEvents == FD_READ, "events %#lx\n", events.lNetworkEvents );
    check_told_once( s );
    ok( WaitForSingleObject( event, 0 ) == WAIT_TIMEOUT, "another event\n" );
    closesocket( s );
    WSACloseEvent( event );
}

static void test_overlapped( const union address *nobody )
{
    union address own;
    SOCKET s = udp_bound( family, &own );
    HANDLE port = CreateIoCompletionPort( (HANDLE)s, NULL, 7, 0 );
    OVERLAPPED ov = { 0 }, *done = NULL;
    DWORD count, flags = 0;
    ULONG_PTR key;
    char buffer[16];
    WSABUF in = { sizeof( buffer ), buffer };

    check_fails( WSARecvFrom( s, &in, 1, &count, &flags, NULL, NULL, &ov, NULL ), WSA_IO_PENDING );
    send_to_nobody( s, nobody );
    SetLastError( 0 );
    ok( !GetQueuedCompletionStatus( port, &count, &key, &done, 5000 ), "succeeded\n" );
    ok( GetLastError() == ERROR_PORT_UNREACHABLE, "error %lu\n", GetLastError() );
    ok( done == &ov && key == 7 && !count, "%p, key %lu, count %lu\n", (void *)done, (DWORD)key, count );
    ok( (NTSTATUS)ov.Internal == (NTSTATUS)0xc000023f, "status %#lx\n", (DWORD)ov.Internal );
    check_error( WSAGetOverlappedResult( s, &ov, &count, FALSE, &flags ), FALSE, WSAECONNRESET );
    closesocket( s );
    CloseHandle( port );

    /* connected, by event */
    s = udp_bound( family, &own );
    check_ok( connect( s, &nobody->any, length_of_address ) );
    memset( &ov, 0, sizeof( ov ) );
    ov.hEvent = WSACreateEvent();
    flags = 0;
    check_fails( WSARecv( s, &in, 1, &count, &flags, &ov, NULL ), WSA_IO_PENDING );
    check_result( send( s, "x", 1, 0 ), 1 );
    ok( !WaitForSingleObject( ov.hEvent, 5000 ), "it waits still\n" );
    ok( (NTSTATUS)ov.Internal == (NTSTATUS)0xc000023f, "status %#lx\n", (DWORD)ov.Internal );
    ok( !GetOverlappedResult( (HANDLE)s, &ov, &count, FALSE ), "succeeded\n" );
    ok( GetLastError() == ERROR_PORT_UNREACHABLE, "error %lu\n", GetLastError() );
    WSACloseEvent( ov.hEvent );
    closesocket( s );
}

/* Turned off, nobody is told: no readiness, no event, and a receive waits for what comes. */
static void test_turned_off( const union address *nobody, BOOL connected )
{
    union address own, other;
    SOCKET s = udp_bound( family, &own ), somebody = udp_bound( family, &other );
    WSAEVENT event = WSACreateEvent();
    OVERLAPPED ov = { .hEvent = WSACreateEvent() };
    DWORD count, flags = 0;
    char buffer[16];
    WSABUF in = { sizeof( buffer ), buffer };
    WSAPOLLFD fd = { s, POLLRDNORM, 0 };
    int got;

    winetest_push_context( connected ? "connected" : "unconnected" );
    turn_off( s );
    if ( connected ) check_ok( connect( s, &nobody->any, length_of_address ) );
    check_ok( WSAEventSelect( s, event, FD_READ ) );
    for ( int i = 0; i < 3; i++ )
        if ( connected ) check_result( send( s, "x", 1, 0 ), 1 );
        else send_to_nobody( s, nobody );
    ok( !wait_readable( s, 100 ), "readable\n" );
    check_result( WSAPoll( &fd, 1, 0 ), 0 );
    ok( WaitForSingleObject( event, 100 ) == WAIT_TIMEOUT, "an event\n" );
    check_fails( recv( s, buffer, sizeof( buffer ), 0 ), WSAEWOULDBLOCK );
    check_ok( WSAEventSelect( s, event, 0 ) );
    set_nonblocking( s, FALSE );

    check_fails( WSARecv( s, &in, 1, &count, &flags, &ov, NULL ), WSA_IO_PENDING );
    if ( connected ) check_result( send( s, "x", 1, 0 ), 1 );
    else send_to_nobody( s, nobody );
    ok( WaitForSingleObject( ov.hEvent, 100 ) == WAIT_TIMEOUT, "it ended, status %#lx\n", (DWORD)ov.Internal );
    if ( connected ) CancelIo( (HANDLE)s );
    else
    {
        check_result( sendto( somebody, "hello", 5, 0, &own.any, length_of_address ), 5 );
        ok( !WaitForSingleObject( ov.hEvent, 5000 ), "nothing arrived\n" );
        ok( ov.InternalHigh == 5, "got %lu\n", (DWORD)ov.InternalHigh );
    }

    set_receive_timeout( s, 200 );
    if ( connected ) check_result( send( s, "x", 1, 0 ), 1 );
    else send_to_nobody( s, nobody );
    got = recv( s, buffer, sizeof( buffer ), 0 );
    ok( got < 0 && WSAGetLastError() == WSAETIMEDOUT, "got %d, error %d\n", got, WSAGetLastError() );
    WSACloseEvent( event );
    WSACloseEvent( ov.hEvent );
    closesocket( s );
    closesocket( somebody );
    winetest_pop_context();
}

/* What was told of and not fetched when it was turned off is not told. */
static void test_turned_off_late( const union address *nobody )
{
    union address own;
    SOCKET s = udp_bound( family, &own );
    char buffer[16];

    send_to_nobody( s, nobody );
    ok( wait_readable( s, 5000 ), "not told\n" );
    turn_off( s );
    set_nonblocking( s, TRUE );
    check_fails( recv( s, buffer, sizeof( buffer ), 0 ), WSAEWOULDBLOCK );
    closesocket( s );
}

/* SO_ERROR knows nothing of it, and keeps nothing from the receive. */
static void test_option( const union address *nobody )
{
    union address own;
    SOCKET s = udp_bound( family, &own );
    int error = -1, length = sizeof( error );

    send_to_nobody( s, nobody );
    ok( wait_readable( s, 5000 ), "not told\n" );
    check_ok( getsockopt( s, SOL_SOCKET, SO_ERROR, (char *)&error, &length ) );
    ok( !error, "SO_ERROR %d\n", error );
    check_told_once( s );
    closesocket( s );
}

static void test_family( int which )
{
    union address nobody;
    SOCKET keeper;

    family = which;
    length_of_address = family == AF_INET6 ? sizeof( nobody.v6 ) : sizeof( nobody.v4 );
    winetest_push_context( family == AF_INET6 ? "IPv6" : "IPv4" );
    keeper = dead_port( &nobody );
    test_receives( &nobody );
    test_datagram_behind( &nobody );
    test_sends( &nobody );
    test_readiness( &nobody );
    test_overlapped( &nobody );
    test_turned_off( &nobody, FALSE );
    test_turned_off( &nobody, TRUE );
    test_turned_off_late( &nobody );
    test_option( &nobody );
    closesocket( keeper );
    winetest_pop_context();
}

START_TEST( unreachable )
{
    support_begin();
    test_family( AF_INET );
    if ( have_ipv6() ) test_family( AF_INET6 );
    else skip( "no IPv6 loopback\n" );
    support_end();
}
