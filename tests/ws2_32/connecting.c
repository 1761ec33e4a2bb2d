/*
 * Connecting (facts: field-reports, "Connecting"): connect called again and again, timeouts that are none of its, a full
 * queue, and, in a network of its own (tests/own-network), addresses where nobody answers: 21 s, unless the program says
 * otherwise.
 */
#include "requests.h"
#include <mstcpip.h>

#ifndef TCP_MAXRT
#define TCP_MAXRT 5
#endif

static int try_connect( SOCKET s, const union address *address )
{
    return connect( s, &address->any, sizeof( address->v4 ) ) ? WSAGetLastError() : 0;
}

/* Until it is connected, without a select between. */
static void test_again( void )
{
    union address address;
    SOCKET listener = tcp_listener( AF_INET, &address ), s = socket( AF_INET, SOCK_STREAM, 0 );
    int error = 0, tries;

    set_nonblocking( s, TRUE );
    ok( try_connect( s, &address ) == WSAEWOULDBLOCK, "error %d\n", WSAGetLastError() );
    for ( tries = 0; tries < 1000 && ( error = try_connect( s, &address ) ) == WSAEALREADY; tries++ ) Sleep( 2 );
    ok( error == WSAEISCONN, "error %d after %d tries\n", error, tries );
    check_result( send( s, "x", 1, 0 ), 1 );
    closesocket( s );
    closesocket( listener );
}

/* A refusal ends the attempt: the next connect begins another. */
static void test_again_refused( void )
{
    union address nobody, address;
    SOCKET keeper = tcp_bound( AF_INET, &nobody ), listener = tcp_listener( AF_INET, &address ),
           s = socket( AF_INET, SOCK_STREAM, 0 );
    WSAPOLLFD fd = { s, POLLWRNORM, 0 };
    int error = 0, tries;

    set_nonblocking( s, TRUE );
    ok( try_connect( s, &nobody ) == WSAEWOULDBLOCK, "error %d\n", WSAGetLastError() );
    check_result( WSAPoll( &fd, 1, 10000 ), 1 );
    ok( fd.revents == ( POLLWRNORM | POLLHUP | POLLERR ), "revents %#x\n", fd.revents );
    fd.events = 0;
    check_result( WSAPoll( &fd, 1, 10000 ), 1 );
    ok( fd.revents == ( POLLHUP | POLLERR ), "revents %#x\n", fd.revents );
    ok( try_connect( s, &address ) == WSAEWOULDBLOCK, "error %d\n", WSAGetLastError() );
    for ( tries = 0; tries < 1000 && ( error = try_connect( s, &address ) ) == WSAEALREADY; tries++ ) Sleep( 2 );
    ok( error == WSAEISCONN, "error %d after %d tries\n", error, tries );
    closesocket( s );
    closesocket( keeper );
    closesocket( listener );
}

#define CLIENTS 40

/* Connects until one is left waiting, as the listener's queue is full. 0: none is. */
static int fill_queue( const union address *address, SOCKET clients[CLIENTS] )
{
    for ( int i = 0; i < CLIENTS; i++ )
    {
        fd_set set;
        struct timeval limit = { 0, 200000 };

        clients[i] = socket( AF_INET, SOCK_STREAM, 0 );
        set_nonblocking( clients[i], TRUE );
        try_connect( clients[i], address );
        FD_ZERO( &set );
        FD_SET( clients[i], &set );
        if ( !select( 0, NULL, &set, NULL, &limit ) ) return i + 1;
    }
    return 0;
}

static DWORD CALLBACK accept_later( void *arg )
{
    SOCKET accepted;

    Sleep( 500 );
    while ( ( accepted = accept( (SOCKET)arg, NULL, NULL ) ) != INVALID_SOCKET ) closesocket( accepted );
    return 0;
}

/* What SO_SNDTIMEO and SO_RCVTIMEO limit is no connect. */
static void test_timeouts( void )
{
    union address address;
    SOCKET listener = tcp_listener( AF_INET, &address ), clients[CLIENTS], s = socket( AF_INET, SOCK_STREAM, 0 );
    DWORD limit = 50;
    HANDLE thread;
    int count;

    check_ok( listen( listener, 1 ) );
    if ( !( count = fill_queue( &address, clients ) ) ) skip( "no queue gets full\n" );
    else
    {
        check_ok( setsockopt( s, SOL_SOCKET, SO_SNDTIMEO, (char *)&limit, sizeof( limit ) ) );
        check_ok( setsockopt( s, SOL_SOCKET, SO_RCVTIMEO, (char *)&limit, sizeof( limit ) ) );
        thread = CreateThread( NULL, 0, accept_later, (void *)listener, 0, NULL );
        check_ok( connect( s, &address.any, sizeof( address.v4 ) ) );
        while ( count-- ) closesocket( clients[count] );
        closesocket( listener );
        WaitForSingleObject( thread, INFINITE );
        CloseHandle( thread );
    }
    closesocket( s );
}

/* Who finds the queue full and nobody making room is refused, after some tries. */
static void test_full_queue( void )
{
    union address address;
    SOCKET listener = tcp_listener( AF_INET, &address ), clients[CLIENTS];
    WSAPOLLFD fd = { .events = POLLWRNORM };
    int count, error = 0, length = sizeof( error );

    check_ok( listen( listener, 1 ) );
    if ( !( count = fill_queue( &address, clients ) ) ) skip( "no queue gets full\n" );
    else
    {
        fd.fd = clients[count - 1];
        ok( try_connect( fd.fd, &address ) == WSAEALREADY, "error %d\n", WSAGetLastError() );
        check_result( WSAPoll( &fd, 1, 15000 ), 1 );
        ok( fd.revents == ( POLLWRNORM | POLLHUP | POLLERR ), "revents %#x\n", fd.revents );
        check_ok( getsockopt( fd.fd, SOL_SOCKET, SO_ERROR, (char *)&error, &length ) );
        ok( error == WSAECONNREFUSED, "error %d\n", error );
        while ( count-- ) closesocket( clients[count] );
    }
    closesocket( listener );
}

/* Version 1 has no WSAEALREADY. */
static void test_version_1( void )
{
    union address address;
    SOCKET listener, clients[CLIENTS];
    WSADATA data;
    int count;

    check_ok( WSACleanup() );
    check_ok( WSAStartup( 0x101, &data ) );
    listener = tcp_listener( AF_INET, &address );
    check_ok( listen( listener, 1 ) );
    if ( !( count = fill_queue( &address, clients ) ) ) skip( "no queue gets full\n" );
    else
    {
        ok( try_connect( clients[count - 1], &address ) == WSAEINVAL, "error %d\n", WSAGetLastError() );
        while ( count-- ) closesocket( clients[count] );
    }
    closesocket( listener );
    check_ok( WSACleanup() );
    check_ok( WSAStartup( 0x202, &data ) );
}

/* --- addresses where nobody answers -----------------------------------------------------------------------------------*/

enum way
{
    WAY_BLOCKING,
    WAY_SELECT,
    WAY_EVENT,
    WAY_CONNECTEX,
    WAY_MAXRT,       /* TCP_MAXRT of 3 s */
    WAY_INITIAL_RTO, /* 1 s and one retransmission: 3 s */
    WAY_COUNT
};

static const char *const way_names[] = { "blocking", "select", "event", "ConnectEx", "TCP_MAXRT", "TCP_INITIAL_RTO" };

struct attempt
{
    enum way way;
    const union address *to;
    int error;
    DWORD ms;
};

static union address silent, silent_here;

static int attempt_ex( SOCKET s, const union address *to )
{
    LPFN_CONNECTEX connect_ex = NULL;
    OVERLAPPED ov = { .hEvent = WSACreateEvent() };
    union address any;
    DWORD count, flags;
    int error = 0;

    address_any( &any, AF_INET, 0 );
    bind( s, &any.any, sizeof( any.v4 ) );
    connect_ex = extension( s, (GUID)WSAID_CONNECTEX );
    if ( !connect_ex( s, &to->any, sizeof( to->v4 ), NULL, 0, NULL, &ov ) && WSAGetLastError() != WSA_IO_PENDING )
        error = WSAGetLastError();
    else if ( !WSAGetOverlappedResult( s, &ov, &count, TRUE, &flags ) ) error = WSAGetLastError();
    WSACloseEvent( ov.hEvent );
    return error;
}

static int attempt_event( SOCKET s, const union address *to )
{
    WSANETWORKEVENTS events = { 0 };
    WSAEVENT event = WSACreateEvent();

    WSAEventSelect( s, event, FD_CONNECT );
    try_connect( s, to );
    WaitForSingleObject( event, 60000 );
    WSAEnumNetworkEvents( s, event, &events );
    WSACloseEvent( event );
    return events.lNetworkEvents == FD_CONNECT ? events.iErrorCode[FD_CONNECT_BIT] : -1;
}

static int attempt_select( SOCKET s, const union address *to )
{
    struct timeval limit = { 60, 0 };
    int error = 0, length = sizeof( error );
    fd_set set;

    set_nonblocking( s, TRUE );
    try_connect( s, to );
    FD_ZERO( &set );
    FD_SET( s, &set );
    if ( select( 0, NULL, NULL, &set, &limit ) != 1 ) return -1;
    getsockopt( s, SOL_SOCKET, SO_ERROR, (char *)&error, &length );
    return error;
}

static DWORD CALLBACK attempt( void *arg )
{
    struct attempt *a = arg;
    SOCKET s = socket( AF_INET, SOCK_STREAM, 0 );
    TCP_INITIAL_RTO_PARAMETERS parameters = { 1000, 1 };
    DWORD seconds = 3, count;

    a->ms = GetTickCount();
    switch ( a->way )
    {
    case WAY_MAXRT: setsockopt( s, IPPROTO_TCP, TCP_MAXRT, (char *)&seconds, sizeof( seconds ) ); break;
    case WAY_INITIAL_RTO:
        WSAIoctl( s, SIO_TCP_INITIAL_RTO, &parameters, sizeof( parameters ), NULL, 0, &count, NULL, NULL );
        break;
    default: break;
    }
    switch ( a->way )
    {
    case WAY_BLOCKING:
    case WAY_MAXRT:
    case WAY_INITIAL_RTO: a->error = try_connect( s, a->to ); break;
    case WAY_SELECT: a->error = attempt_select( s, a->to ); break;
    case WAY_EVENT: a->error = attempt_event( s, a->to ); break;
    case WAY_CONNECTEX: a->error = attempt_ex( s, a->to ); break;
    case WAY_COUNT: break;
    }
    a->ms = GetTickCount() - a->ms;
    closesocket( s );
    return 0;
}

static void test_silence( void )
{
    struct attempt attempts[WAY_COUNT + WAY_MAXRT];
    HANDLE threads[WAY_COUNT + WAY_MAXRT];
    int i;

    if ( !own_network() )
    {
        skip( "not in a network of its own\n" );
        return;
    }
    silent.v4 = ( struct sockaddr_in ){ .sin_family = AF_INET, .sin_port = htons( 9 ) };
    silent.v4.sin_addr.s_addr = inet_addr( "198.51.100.1" );
    /* beyond a router, and where nobody of the adapter's own network has the address */
    silent_here = silent;
    silent_here.v4.sin_addr.s_addr = inet_addr( "192.0.2.77" );
    for ( i = 0; i < WAY_COUNT + WAY_MAXRT; i++ )
    {
        attempts[i].way = i % WAY_COUNT;
        attempts[i].to = i < WAY_COUNT ? &silent : &silent_here;
        threads[i] = CreateThread( NULL, 0, attempt, &attempts[i], 0, NULL );
    }
    WaitForMultipleObjects( WAY_COUNT + WAY_MAXRT, threads, TRUE, 90000 );
    for ( i = 0; i < WAY_COUNT + WAY_MAXRT; i++ )
    {
        const DWORD expected = attempts[i].way < WAY_MAXRT ? 21000 : 3000;

        winetest_push_context( "%s, %s", way_names[attempts[i].way], i < WAY_COUNT ? "beyond" : "here" );
        ok( attempts[i].error == WSAETIMEDOUT, "error %d\n", attempts[i].error );
        ok( attempts[i].ms > expected - 1500 && attempts[i].ms < expected + 5000, "after %lu ms\n", attempts[i].ms );
        CloseHandle( threads[i] );
        winetest_pop_context();
    }
}

/* The limit of a connection is no limit of what is sent over it, and none that the program has set. */
static void test_limit_is_gone( void )
{
    SOCKET client, server;
    int value = 7, length = sizeof( value );

    tcp_pair( &client, &server );
    check_ok( getsockopt( client, IPPROTO_TCP, TCP_MAXRT, (char *)&value, &length ) );
    ok( !value, "TCP_MAXRT %d\n", value );
    value = 30;
    check_ok( setsockopt( client, IPPROTO_TCP, TCP_MAXRT, (char *)&value, sizeof( value ) ) );
    value = 0;
    check_ok( getsockopt( client, IPPROTO_TCP, TCP_MAXRT, (char *)&value, &length ) );
    ok( value == 30, "TCP_MAXRT %d\n", value );
    closesocket( client );
    closesocket( server );
}

START_TEST( connecting )
{
    support_begin();
    test_again();
    test_again_refused();
    test_timeouts();
    test_full_queue();
    test_version_1();
    test_limit_is_gone();
    test_silence();
    support_end();
}
