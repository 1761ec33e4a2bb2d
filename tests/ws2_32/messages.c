/*
 * WSAAsyncSelect (facts: sockets-2 section 14, the message-mode columns): the scenarios of events.h with a window, and what
 * only messages have. The window is message-only: no display is needed.
 */
#include "events.h"
#include "puppets.h"

static HWND create_window( void )
{
    return CreateWindowExA( 0, "STATIC", "ws2 test", 0, 0, 0, 0, 0, HWND_MESSAGE, NULL, NULL, NULL );
}

static BOOL next_message( HWND window, UINT number, DWORD milliseconds, MSG *message )
{
    DWORD begin = GetTickCount();

    do {
        if ( PeekMessageA( message, window, number, number, PM_REMOVE ) ) return TRUE;
        Sleep( 5 );
    } while ( GetTickCount() - begin < milliseconds );
    return FALSE;
}

static void test_parameters( HWND window )
{
    SOCKET client, server;
    u_long off = 0;
    char byte;
    MSG message;

    tcp_pair( &client, &server );
    check_fails( WSAAsyncSelect( INVALID_SOCKET, window, WM_USER + 1, FD_READ ), WSAENOTSOCK );
    check_fails( WSAAsyncSelect( server, (HWND)(ULONG_PTR)0xdead, WM_USER + 1, FD_READ ), WSAEINVAL );
    check_ok( WSAAsyncSelect( server, window, WM_USER + 1, FD_READ ) );
    /* it is non-blocking from now on */
    check_fails( recv( server, &byte, 1, 0 ), WSAEWOULDBLOCK );
    check_fails( ioctlsocket( server, FIONBIO, &off ), WSAEINVAL );
    check_result( send( client, "x", 1, 0 ), 1 );
    ok( next_message( window, WM_USER + 1, 5000, &message ), "no message\n" );
    ok( message.hwnd == window && message.wParam == server && message.lParam == MAKELONG( FD_READ, 0 ),
        "wparam %#llx, lparam %#llx\n", (ULONGLONG)message.wParam, (ULONGLONG)message.lParam );
    /* another message, another mask: the earlier registration is over */
    check_ok( WSAAsyncSelect( server, window, WM_USER + 2, FD_CLOSE ) );
    check_result( recv( server, &byte, 1, 0 ), 1 );
    check_result( send( client, "y", 1, 0 ), 1 );
    ok( !next_message( window, WM_USER + 1, 60, &message ), "a message of the cancelled registration\n" );
    check_ok( closesocket( client ) );
    ok( next_message( window, WM_USER + 2, 5000, &message ), "no message\n" );
    ok( message.lParam == MAKELONG( FD_CLOSE, 0 ), "lparam %#llx\n", (ULONGLONG)message.lParam );
    closesocket( server );
}

/* The two ways to register are one registration: the later cancels the earlier. */
static void test_either( HWND window )
{
    HANDLE event = WSACreateEvent();
    SOCKET client, server;
    MSG message;
    char byte;

    tcp_pair( &client, &server );
    check_ok( WSAEventSelect( server, event, FD_READ ) );
    check_ok( WSAAsyncSelect( server, window, WM_USER + 1, FD_READ ) );
    check_result( send( client, "x", 1, 0 ), 1 );
    ok( next_message( window, WM_USER + 1, 5000, &message ), "no message\n" );
    ok( WaitForSingleObject( event, 60 ) == WAIT_TIMEOUT, "the cancelled registration was signalled\n" );
    check_result( recv( server, &byte, 1, 0 ), 1 );
    check_ok( WSAEventSelect( server, event, FD_READ ) );
    check_result( send( client, "x", 1, 0 ), 1 );
    ok( !WaitForSingleObject( event, 5000 ), "no event\n" );
    ok( !next_message( window, WM_USER + 1, 60, &message ), "a message of the cancelled registration\n" );
    closesocket( client );
    closesocket( server );
    WSACloseEvent( event );
}

/* A registration made through a duplicate in another process cancels the window's. */
static void test_other_process( HWND window )
{
    WSAPROTOCOL_INFOA info;
    SOCKET client, server, there;
    struct puppet puppet;
    MSG message;

    tcp_pair( &client, &server );
    puppet_create( &puppet, 0 );
    check_ok( WSADuplicateSocketA( server, puppet.pid, &info ) );
    there = puppet_open_a( &puppet, &info, 0 );
    check_ok( WSAAsyncSelect( server, window, WM_USER + 1, FD_READ ) );
    puppet.message->value = FD_READ;
    check_ok( puppet_do_on( &puppet, PUPPET_EVENT_SELECT, there ) );
    check_result( send( client, "x", 1, 0 ), 1 );
    puppet.message->value = 5000;
    check_result( puppet_do( &puppet, PUPPET_WAIT_EVENT ), 1 );
    ok( !next_message( window, WM_USER + 1, 100, &message ), "a message of the cancelled registration\n" );
    puppet_destroy( &puppet );
    closesocket( client );
    closesocket( server );
}

START_TEST( messages )
{
    struct watcher watcher = { 0 };

    support_begin();
    watcher.window = create_window();
    if ( !watcher.window ) skip( "no message-only window, error %lu\n", GetLastError() );
    else
    {
        for ( watcher.through_none = 0; watcher.through_none < 2; watcher.through_none++ ) event_scenarios( &watcher );
        test_parameters( watcher.window );
        test_either( watcher.window );
        test_other_process( watcher.window );
        DestroyWindow( watcher.window );
    }
    support_end();
}
