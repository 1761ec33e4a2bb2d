/*
 * WSAEventSelect and WSAEnumNetworkEvents (facts: sockets-2 section 14, sockets-1 section 9): which event is recorded when,
 * what re-enables it, what selecting again does, and what enumerating clears. The scenarios are run in message mode too,
 * by messages.c.
 */
#include "events.h"

#define NOTHING_TIME 40 /* ms without a report are none */

void watcher_select( const struct watcher *watcher, SOCKET s, long mask )
{
    if ( watcher->event ) check_ok( WSAEventSelect( s, mask ? watcher->event : NULL, mask ) );
    else check_ok( WSAAsyncSelect( s, watcher->window, mask ? EVENTS_MESSAGE : 0, mask ) );
}

void watcher_reselect( const struct watcher *watcher, SOCKET s, long mask )
{
    if ( watcher->through_none ) watcher_select( watcher, s, 0 );
    watcher_select( watcher, s, mask );
}

static long collect_enumerated( const struct watcher *watcher, SOCKET s, long expected, int *error )
{
    DWORD begin = GetTickCount();
    WSANETWORKEVENTS events;
    long got = 0;

    while ( ( got & expected ) != expected || !expected )
    {
        DWORD wait = WaitForSingleObject( watcher->event, expected ? 2000 : NOTHING_TIME );

        memset( &events, 0xcc, sizeof( events ) );
        check_ok( WSAEnumNetworkEvents( s, watcher->event, &events ) );
        ok( !( events.lNetworkEvents && wait ), "events %#lx without a signal\n", events.lNetworkEvents );
        ok( !( got & events.lNetworkEvents ), "reported again: %#lx\n", got & events.lNetworkEvents );
        got |= events.lNetworkEvents;
        if ( events.lNetworkEvents & FD_CLOSE ) *error = events.iErrorCode[FD_CLOSE_BIT];
        if ( events.lNetworkEvents & FD_CONNECT ) *error = events.iErrorCode[FD_CONNECT_BIT];
        if ( !expected || GetTickCount() - begin > 2000 ) break;
    }
    return got;
}

/* Whose messages are not looked at: an accepted socket's, which inherits the registration. */
static SOCKET ignored_socket = INVALID_SOCKET;

static long collect_messages( const struct watcher *watcher, SOCKET s, long expected, int *error )
{
    DWORD begin = GetTickCount();
    long got = 0;
    MSG message;

    while ( GetTickCount() - begin < (DWORD)( ( got & expected ) == expected ? NOTHING_TIME : 2000 ) )
    {
        while ( PeekMessageA( &message, watcher->window, EVENTS_MESSAGE, EVENTS_MESSAGE, PM_REMOVE ) )
        {
            long event = WSAGETSELECTEVENT( message.lParam );

            if ( message.wParam == ignored_socket ) continue;
            ok( message.wParam == s, "message for socket %#llx\n", (ULONGLONG)message.wParam );
            ok( !( got & event ), "posted again: %#lx\n", event );
            ok( !( event & ( FD_CONNECT | FD_READ ) && got & FD_WRITE ), "event %#lx after FD_WRITE\n", event );
            got |= event;
            if ( event & ( FD_CLOSE | FD_CONNECT ) ) *error = WSAGETSELECTERROR( message.lParam );
            else ok( !WSAGETSELECTERROR( message.lParam ), "event %#lx with error\n", event );
        }
        Sleep( 5 );
    }
    return got;
}

void expect_events_( const char *file, int line, const struct watcher *watcher, SOCKET s, long event_mode,
                     long message_mode, int error )
{
    long expected = watcher->event ? event_mode : message_mode, got;
    int got_error = 0;

    winetest_push_context( "line %d", line );
    if ( watcher->event ) got = collect_enumerated( watcher, s, expected, &got_error );
    else got = collect_messages( watcher, s, expected, &got_error );
    winetest_pop_context();
    ok_( file, line )( got == expected, "got events %#lx, expected %#lx\n", got, expected );
    if ( got & ( FD_CLOSE | FD_CONNECT ) )
        ok_( file, line )( got_error == error, "got error %d, expected %d\n", got_error, error );
}

/* --- the scenarios ---------------------------------------------------------------------------------------------------*/

/* Closes up to two sockets; what was posted for them is thrown away, as their values may come again. */
static void done( const struct watcher *watcher, SOCKET a, SOCKET b )
{
    MSG message;

    check_ok( closesocket( a ) );
    if ( b != INVALID_SOCKET ) check_ok( closesocket( b ) );
    if ( watcher->event )
    {
        ResetEvent( watcher->event );
        return;
    }
    Sleep( 10 );
    while ( PeekMessageA( &message, watcher->window, EVENTS_MESSAGE, EVENTS_MESSAGE, PM_REMOVE ) ) continue;
}

static void test_accept( const struct watcher *w )
{
    SOCKET listener = socket( AF_INET, SOCK_STREAM, 0 ), first, second, third, a, b;
    long mask = FD_ACCEPT | FD_CONNECT | FD_READ | FD_WRITE | FD_OOB | FD_CLOSE;
    union address address;
    int length;

    watcher_select( w, listener, mask );
    expect_events( w, listener, 0, 0 );
    address_loopback( &address, AF_INET, 0 );
    check_ok( bind( listener, &address.any, 16 ) );
    length = sizeof( address );
    check_ok( getsockname( listener, &address.any, &length ) );
    check_ok( listen( listener, 5 ) );
    expect_events( w, listener, 0, 0 );

    first = tcp_client( &address );
    expect_events( w, listener, FD_ACCEPT, FD_ACCEPT );
    expect_events( w, listener, 0, 0 );
    watcher_reselect( w, listener, mask );
    expect_events( w, listener, 0, FD_ACCEPT );
    second = tcp_client( &address );
    expect_events( w, listener, FD_ACCEPT, 0 );
    a = accept( listener, NULL, NULL );
    ok( a != INVALID_SOCKET, "accept failed, error %d\n", WSAGetLastError() );
    watcher_select( w, a, 0 );
    ignored_socket = a;
    expect_events( w, listener, FD_ACCEPT, FD_ACCEPT );
    /* without FD_WRITE, so that what is accepted next reports nothing by itself */
    watcher_select( w, listener, FD_ACCEPT );
    expect_events( w, listener, 0, FD_ACCEPT );
    b = accept( listener, NULL, NULL );
    ok( b != INVALID_SOCKET, "accept failed, error %d\n", WSAGetLastError() );
    expect_events( w, listener, 0, 0 );
    ignored_socket = INVALID_SOCKET;
    done( w, first, second );
    done( w, a, b );

    /* before the first select, and while the mask lacks it */
    watcher_select( w, listener, FD_READ );
    third = tcp_client( &address );
    expect_events( w, listener, 0, 0 );
    watcher_select( w, listener, FD_ACCEPT );
    expect_events( w, listener, FD_ACCEPT, FD_ACCEPT );
    watcher_select( w, listener, 0 );
    a = accept( listener, NULL, NULL );
    ok( a != INVALID_SOCKET, "accept failed, error %d\n", WSAGetLastError() );
    done( w, third, a );
    watcher_select( w, listener, FD_READ );
    third = tcp_client( &address );
    ok( wait_readable( listener, 5000 ), "no connection\n" );
    a = accept( listener, NULL, NULL );
    watcher_select( w, listener, FD_ACCEPT );
    expect_events( w, listener, 0, 0 );
    done( w, third, a );
    done( w, listener, INVALID_SOCKET );

    listener = tcp_listener( AF_INET, &address );
    first = tcp_client( &address );
    ok( wait_readable( listener, 5000 ), "no connection\n" );
    watcher_select( w, listener, FD_ACCEPT );
    expect_events( w, listener, FD_ACCEPT, FD_ACCEPT );
    done( w, first, listener );
}

/* An accepted socket has the listener's registration, with nothing else said. */
static void test_inherits( const struct watcher *w )
{
    union address address;
    SOCKET listener = tcp_listener( AF_INET, &address ), client, server;
    u_long off = 0;

    watcher_select( w, listener, FD_ACCEPT | FD_WRITE | FD_READ );
    client = tcp_client( &address );
    expect_events( w, listener, FD_ACCEPT, FD_ACCEPT );
    server = accept( listener, NULL, NULL );
    expect_events( w, server, FD_WRITE, FD_WRITE );
    check_result( send( client, "x", 1, 0 ), 1 );
    expect_events( w, server, FD_READ, FD_READ );
    check_fails( ioctlsocket( server, FIONBIO, &off ), WSAEINVAL );
    done( w, client, server );
    done( w, listener, INVALID_SOCKET );
}

static void test_connect( const struct watcher *w )
{
    union address address, closed;
    SOCKET listener = tcp_listener( AF_INET, &address ), holder = tcp_bound( AF_INET, &closed ), s, server;
    long mask = FD_CONNECT | FD_READ | FD_WRITE | FD_OOB | FD_CLOSE;

    s = socket( AF_INET, SOCK_STREAM, 0 );
    watcher_select( w, s, mask );
    expect_events( w, s, 0, 0 );
    check_fails( connect( s, &address.any, 16 ), WSAEWOULDBLOCK );
    expect_events( w, s, FD_CONNECT | FD_WRITE, FD_CONNECT | FD_WRITE );
    expect_events( w, s, 0, 0 );
    watcher_reselect( w, s, mask );
    expect_events( w, s, 0, FD_WRITE );
    server = accept_one( listener );
    watcher_select( w, server, mask );
    expect_events( w, server, FD_WRITE, FD_WRITE );
    done( w, s, server );

    /* connected before anybody selects */
    s = tcp_client( &address );
    server = accept_one( listener );
    watcher_select( w, s, mask );
    expect_events( w, s, FD_CONNECT | FD_WRITE, FD_WRITE );
    done( w, s, server );

    /* masks that lack one or the other */
    s = socket( AF_INET, SOCK_STREAM, 0 );
    watcher_select( w, s, mask & ~FD_CONNECT );
    check_fails( connect( s, &address.any, 16 ), WSAEWOULDBLOCK );
    expect_events( w, s, FD_WRITE, FD_WRITE );
    watcher_select( w, s, mask );
    expect_events( w, s, FD_CONNECT, FD_WRITE );
    server = accept_one( listener );
    done( w, s, server );
    s = tcp_client( &address );
    server = accept_one( listener );
    watcher_select( w, s, mask & ~FD_WRITE );
    expect_events( w, s, FD_CONNECT, 0 );
    watcher_select( w, s, mask );
    expect_events( w, s, FD_WRITE, FD_WRITE );
    done( w, s, server );

    /* refused */
    s = socket( AF_INET, SOCK_STREAM, 0 );
    watcher_select( w, s, mask );
    check_fails( connect( s, &closed.any, 16 ), WSAEWOULDBLOCK );
    expect_error( w, s, FD_CONNECT, FD_CONNECT, WSAECONNREFUSED );
    done( w, s, holder );
    done( w, listener, INVALID_SOCKET );
}

static void test_write( const struct watcher *w )
{
    char *block = calloc( 1, 65536 );
    union address address;
    SOCKET client, server, s;
    char buffer[8];

    tcp_pair( &client, &server );
    watcher_select( w, server, FD_WRITE );
    expect_events( w, server, FD_WRITE, FD_WRITE );
    check_result( send( server, "x", 1, 0 ), 1 );
    expect_events( w, server, 0, 0 );
    check_result( recv( client, buffer, 1, 0 ), 1 );
    expect_events( w, server, 0, 0 );
    while ( send( server, block, 65536, 0 ) > 0 ) continue;
    ok( WSAGetLastError() == WSAEWOULDBLOCK, "got error %d\n", WSAGetLastError() );
    expect_events( w, server, 0, 0 );
    while ( wait_readable( client, 200 ) ) recv( client, block, 65536, 0 );
    expect_events( w, server, FD_WRITE, FD_WRITE );
    done( w, client, server );

    s = socket( AF_INET, SOCK_DGRAM, 0 );
    watcher_select( w, s, FD_CONNECT | FD_WRITE | FD_READ );
    expect_events( w, s, 0, FD_WRITE );
    client = udp_bound( AF_INET, &address );
    check_ok( connect( s, &address.any, 16 ) );
    expect_events( w, s, FD_CONNECT | FD_WRITE, FD_WRITE );
    done( w, s, client );
    free( block );
}

static void test_read( const struct watcher *w )
{
    long mask = FD_READ | FD_OOB | FD_CLOSE | FD_ACCEPT | FD_CONNECT;
    SOCKET client, server;
    char buffer[8];

    tcp_pair( &client, &server );
    watcher_select( w, server, mask );
    expect_events( w, server, 0, 0 );
    check_result( send( client, "data", 4, 0 ), 4 );
    expect_events( w, server, FD_READ, FD_READ );
    expect_events( w, server, 0, 0 );
    watcher_reselect( w, server, mask );
    expect_events( w, server, 0, FD_READ );
    check_result( send( client, "more", 4, 0 ), 4 );
    expect_events( w, server, FD_READ, 0 );
    check_result( recv( server, buffer, 2, 0 ), 2 );
    expect_events( w, server, FD_READ, FD_READ );
    check_fails( recv( server, buffer, -1, 0 ), WSAEFAULT );
    expect_events( w, server, 0, FD_READ );
    ok( wait_readable( server, 0 ), "select sees no data\n" );
    expect_events( w, server, 0, 0 );
    check_result( recv( server, buffer, 6, 0 ), 6 );
    expect_events( w, server, 0, 0 );

    /* while nobody asks */
    watcher_select( w, server, 0 );
    check_result( send( client, "x", 1, 0 ), 1 );
    ok( wait_readable( server, 5000 ), "nothing arrived\n" );
    watcher_select( w, server, mask );
    expect_events( w, server, FD_READ, FD_READ );
    check_result( recv( server, buffer, 1, 0 ), 1 );
    watcher_select( w, server, 0 );
    check_result( send( client, "x", 1, 0 ), 1 );
    ok( wait_readable( server, 5000 ), "nothing arrived\n" );
    check_result( recv( server, buffer, 1, 0 ), 1 );
    watcher_select( w, server, mask );
    expect_events( w, server, 0, 0 );
    done( w, client, server );
}

static void test_urgent( const struct watcher *w )
{
    long mask = FD_READ | FD_OOB | FD_CLOSE;
    SOCKET client, server;
    char buffer[8];

    tcp_pair( &client, &server );
    watcher_select( w, server, mask );
    check_result( send( client, "u", 1, MSG_OOB ), 1 );
    expect_events( w, server, FD_OOB, FD_OOB );
    watcher_reselect( w, server, mask );
    expect_events( w, server, 0, FD_OOB );
    check_result( send( client, "v", 1, MSG_OOB ), 1 );
    expect_events( w, server, FD_OOB, 0 );
    check_result( recv( server, buffer, 1, MSG_OOB ), 1 );
    expect_events( w, server, FD_OOB, FD_OOB );
    check_result( recv( server, buffer, 1, MSG_OOB ), 1 );
    expect_events( w, server, 0, 0 );
    watcher_select( w, server, 0 );
    check_result( send( client, "w", 1, MSG_OOB ), 1 );
    Sleep( 50 );
    watcher_select( w, server, mask );
    expect_events( w, server, FD_OOB, FD_OOB );
    done( w, client, server );
}

static void test_close( const struct watcher *w )
{
    long mask = FD_READ | FD_CLOSE;
    struct linger linger = { 1, 0 };
    SOCKET client, server;
    char buffer[8];

    tcp_pair( &client, &server );
    watcher_select( w, server, mask );
    check_ok( closesocket( client ) );
    expect_events( w, server, FD_CLOSE, FD_CLOSE );
    expect_events( w, server, 0, 0 );
    watcher_reselect( w, server, mask );
    expect_events( w, server, 0, FD_CLOSE );
    check_result( recv( server, buffer, 1, 0 ), 0 );
    expect_events( w, server, 0, 0 );
    done( w, server, INVALID_SOCKET );

    tcp_pair( &client, &server );
    watcher_select( w, server, mask );
    check_ok( shutdown( client, SD_SEND ) );
    expect_events( w, server, FD_CLOSE, FD_CLOSE );
    check_ok( closesocket( client ) );
    expect_events( w, server, 0, 0 );
    done( w, server, INVALID_SOCKET );

    tcp_pair( &client, &server );
    watcher_select( w, server, mask );
    check_ok( shutdown( client, SD_RECEIVE ) );
    expect_events( w, server, 0, 0 );
    check_ok( shutdown( server, SD_BOTH ) );
    expect_events( w, server, 0, 0 );
    check_ok( shutdown( client, SD_SEND ) );
    expect_events( w, server, FD_CLOSE, FD_CLOSE );
    done( w, client, server );

    /* unread data does not delay it */
    tcp_pair( &client, &server );
    watcher_select( w, server, mask );
    check_result( send( client, "rest", 4, 0 ), 4 );
    expect_events( w, server, FD_READ, FD_READ );
    check_ok( closesocket( client ) );
    expect_events( w, server, FD_CLOSE, FD_CLOSE );
    check_result( recv( server, buffer, 2, 0 ), 2 );
    expect_events( w, server, FD_READ, FD_READ );
    check_result( recv( server, buffer, 2, 0 ), 2 );
    expect_events( w, server, 0, 0 );
    done( w, server, INVALID_SOCKET );

    /* before the first select; while the mask lacks it */
    tcp_pair( &client, &server );
    check_ok( closesocket( client ) );
    ok( wait_readable( server, 5000 ), "no end\n" );
    watcher_select( w, server, mask );
    expect_events( w, server, FD_CLOSE, FD_CLOSE );
    done( w, server, INVALID_SOCKET );
    tcp_pair( &client, &server );
    watcher_select( w, server, FD_READ );
    check_ok( closesocket( client ) );
    expect_events( w, server, 0, 0 );
    watcher_select( w, server, mask );
    expect_events( w, server, FD_CLOSE, FD_CLOSE );
    done( w, server, INVALID_SOCKET );

    /* a reset */
    tcp_pair( &client, &server );
    watcher_select( w, server, mask );
    check_ok( setsockopt( client, SOL_SOCKET, SO_LINGER, (char *)&linger, sizeof( linger ) ) );
    check_ok( closesocket( client ) );
    expect_error( w, server, FD_CLOSE, FD_CLOSE, WSAECONNABORTED );
    watcher_reselect( w, server, mask );
    expect_error( w, server, 0, FD_CLOSE, WSAECONNABORTED );
    done( w, server, INVALID_SOCKET );
}

void event_scenarios( const struct watcher *watcher )
{
    winetest_push_context( watcher->through_none ? "by way of none" : "directly" );
    test_accept( watcher );
    test_inherits( watcher );
    test_connect( watcher );
    test_write( watcher );
    test_read( watcher );
    test_urgent( watcher );
    test_close( watcher );
    winetest_pop_context();
}

/* --- event mode only -------------------------------------------------------------------------------------------------*/

static BOOL signalled( HANDLE event ) { return !WaitForSingleObject( event, NOTHING_TIME ); }

static long enumerate( SOCKET s, HANDLE event )
{
    WSANETWORKEVENTS events = { -1, { 0 } };

    check_ok( WSAEnumNetworkEvents( s, event, &events ) );
    return events.lNetworkEvents;
}

/* The event object is the program's: selecting never resets it; bits outlive the masks that do not show them. */
static void test_recording( void )
{
    HANDLE event = WSACreateEvent(), other = WSACreateEvent();
    union address address;
    SOCKET listener = tcp_listener( AF_INET, &address ), client, server, s;

    check_ok( WSAEventSelect( listener, event, FD_ACCEPT ) );
    client = tcp_client( &address );
    ok( !WaitForSingleObject( event, 5000 ), "not signalled\n" );
    check_ok( WSAEventSelect( listener, event, FD_READ ) );
    ok( signalled( event ), "WSAEventSelect reset the event\n" );
    ResetEvent( event );
    check_ok( WSAEventSelect( listener, event, FD_READ ) );
    ok( !signalled( event ), "signalled for a bit outside the mask\n" );
    ok( !enumerate( listener, event ), "a bit outside the mask was enumerated\n" );
    check_ok( WSAEventSelect( listener, event, FD_ACCEPT ) );
    ok( signalled( event ), "a recorded bit is lost\n" );
    /* no event object: it stays signalled, the bits are cleared all the same */
    ok( enumerate( listener, NULL ) == FD_ACCEPT, "the bit is lost\n" );
    ok( signalled( event ), "WSAEnumNetworkEvents reset an event that it was not given\n" );
    ok( !enumerate( listener, event ), "the bit was not cleared\n" );
    ok( !signalled( event ), "WSAEnumNetworkEvents did not reset the event\n" );
    server = accept( listener, NULL, NULL );
    closesocket( listener );

    tcp_pair( &s, &client );
    check_ok( WSAEventSelect( s, event, 0 ) );
    ok( !enumerate( s, event ), "events with mask 0\n" );
    check_result( send( client, "x", 1, 0 ), 1 );
    ok( wait_readable( s, 5000 ), "nothing arrived\n" );
    ok( !enumerate( s, event ), "events with mask 0\n" );
    check_ok( WSAEventSelect( s, event, FD_READ | FD_WRITE ) );
    ok( signalled( event ), "not signalled\n" );
    ok( enumerate( s, event ) == ( FD_READ | FD_WRITE ), "the bits are lost\n" );
    /* another object takes the place of the first */
    check_ok( WSAEventSelect( s, other, FD_READ | FD_CLOSE ) );
    closesocket( client );
    ok( !WaitForSingleObject( other, 5000 ), "not signalled\n" );
    ok( !signalled( event ), "the earlier object is signalled\n" );
    closesocket( s );
    closesocket( server );
    WSACloseEvent( event );
    WSACloseEvent( other );
}

static void test_mode( void )
{
    HANDLE event = WSACreateEvent();
    SOCKET s = socket( AF_INET, SOCK_STREAM, 0 );
    DWORD count = 0xdead;
    u_long value;

    check_ok( WSAEventSelect( s, event, FD_READ ) );
    value = 1;
    check_ok( ioctlsocket( s, FIONBIO, &value ) );
    value = 0;
    check_fails( ioctlsocket( s, FIONBIO, &value ), WSAEINVAL );
    check_fails( WSAIoctl( s, FIONBIO, &value, sizeof( value ), NULL, 0, &count, NULL, NULL ), WSAEINVAL );
    ok( !count, "got count %lu\n", count );
    check_ok( WSAEventSelect( s, NULL, 0 ) );
    check_ok( ioctlsocket( s, FIONBIO, &value ) );
    closesocket( s );
    check_fails( WSAEventSelect( s, event, FD_READ ), WSAENOTSOCK );
    check_fails( WSAEventSelect( INVALID_SOCKET, event, FD_READ ), WSAENOTSOCK );
    WSACloseEvent( event );
}

static void test_event_objects( void )
{
    HANDLE a = WSACreateEvent(), b = WSACreateEvent(), both[2] = { a, b };

    ok( a && b, "no event\n" );
    ok( WSAWaitForMultipleEvents( 2, both, FALSE, 0, FALSE ) == WSA_WAIT_TIMEOUT, "signalled\n" );
    ok( WSASetEvent( b ), "WSASetEvent failed\n" );
    ok( WSAWaitForMultipleEvents( 2, both, FALSE, 0, FALSE ) == WSA_WAIT_EVENT_0 + 1, "not the second\n" );
    ok( WSAWaitForMultipleEvents( 2, both, TRUE, 0, FALSE ) == WSA_WAIT_TIMEOUT, "not both are set\n" );
    ok( WSASetEvent( a ), "WSASetEvent failed\n" );
    ok( WSAWaitForMultipleEvents( 2, both, TRUE, 0, FALSE ) == WSA_WAIT_EVENT_0, "both are set\n" );
    /* manual reset */
    ok( WSAWaitForMultipleEvents( 1, both, TRUE, 0, FALSE ) == WSA_WAIT_EVENT_0, "it was reset\n" );
    ok( WSAResetEvent( a ), "WSAResetEvent failed\n" );
    ok( WSAWaitForMultipleEvents( 1, both, TRUE, 0, FALSE ) == WSA_WAIT_TIMEOUT, "it is set\n" );
    ok( WSACloseEvent( a ), "WSACloseEvent failed\n" );
    ok( WSACloseEvent( b ), "WSACloseEvent failed\n" );
    check_error( WSACloseEvent( NULL ), FALSE, WSA_INVALID_HANDLE );
    check_error( WSASetEvent( NULL ), FALSE, WSA_INVALID_HANDLE );
    check_error( WSAResetEvent( NULL ), FALSE, WSA_INVALID_HANDLE );
}

START_TEST( events )
{
    struct watcher watcher = { 0 };

    support_begin();
    watcher.event = WSACreateEvent();
    for ( watcher.through_none = 0; watcher.through_none < 2; watcher.through_none++ ) event_scenarios( &watcher );
    WSACloseEvent( watcher.event );
    test_recording();
    test_mode();
    test_event_objects();
    support_end();
}
