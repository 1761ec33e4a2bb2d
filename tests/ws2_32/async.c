/*
 * Winsock 1's look-ups that end in a window message (facts: names-and-protocols 5), their cancelling, and the blocking
 * hooks: when they are called, what they may do, and that they can end the call. The windows are message-only, so that no display is needed.
 */
#include "support.h"

#define WM_DONE ( WM_USER + 77 )

static HWND window;

/* The message of a request; its lParam, 0xdead without one. */
static LPARAM wait_message( HANDLE task )
{
    DWORD end = GetTickCount() + 20000;
    MSG msg;

    while ( (int)( end - GetTickCount() ) > 0 )
    {
        if ( !PeekMessageW( &msg, window, WM_DONE, WM_DONE, PM_REMOVE ) )
        {
            Sleep( 1 );
            continue;
        }
        ok( msg.wParam == (WPARAM)task, "message of task %#zx, expected %p\n", (size_t)msg.wParam, task );
        return msg.lParam;
    }
    ok( 0, "no message for task %p\n", task );
    return 0xdead;
}

static void test_services( void )
{
    static const struct
    {
        int port;
        const char *name, *protocol;
        BOOL buffer, good;
    } rows[] = {
        { 80, NULL, NULL, TRUE, TRUE },
        { 0, "http", "tcp", TRUE, TRUE },
        { 0, NULL, NULL, TRUE, FALSE },
        { 80, NULL, NULL, FALSE, FALSE },
        { 0, "", "tcp", TRUE, FALSE },
        { 0, "", "", FALSE, FALSE },
        { 0, "nosuchservice", NULL, TRUE, FALSE },
        { 0, "http", NULL, TRUE, TRUE },
        { 80, NULL, "tcp", TRUE, TRUE },
        { 0, NULL, NULL, FALSE, FALSE },
        { 0, "", NULL, TRUE, FALSE },
        { 0, "", NULL, FALSE, FALSE },
        { 0, "http", "tcp", FALSE, FALSE },
    };
    char buffer[MAXGETHOSTSTRUCT];

    for ( unsigned int i = 0; i < ARRAY_SIZE( rows ) * 2; i++ )
    {
        unsigned int r = i / 2;
        HWND target = i % 2 ? NULL : window; /* a NULL window is no error */
        char *place = rows[r].buffer ? buffer : NULL;
        int size = rows[r].buffer ? sizeof( buffer ) : 0;
        LPARAM result;
        HANDLE task;

        winetest_push_context( "row %u window %p", r, target );
        memset( buffer, 0, sizeof( buffer ) );
        if ( rows[r].name )
            task = WSAAsyncGetServByName( target, target ? WM_DONE : 0, rows[r].name, rows[r].protocol, place, size );
        else
            task = WSAAsyncGetServByPort( target, target ? WM_DONE : 0, htons( rows[r].port ), rows[r].protocol, place,
                                          size );
        ok( task != NULL, "no task, error %d\n", WSAGetLastError() );
        if ( target )
        {
            result = wait_message( task );
            ok( ( WSAGETASYNCERROR( result ) == 0 ) == rows[r].good, "error %d\n", WSAGETASYNCERROR( result ) );
            if ( rows[r].good )
            {
                const struct servent *service = (const struct servent *)buffer;

                ok( service->s_port == htons( 80 ) && !strcmp( service->s_name, "http" ), "another service\n" );
                ok( (char *)service->s_name > buffer && (char *)service->s_name < buffer + sizeof( buffer ),
                    "the name is elsewhere\n" );
            }
            else if ( !rows[r].buffer && rows[r].port )
                ok( WSAGETASYNCERROR( result ) == WSAENOBUFS, "error %d\n", WSAGETASYNCERROR( result ) );
        }
        else Sleep( 20 ); /* the buffer is the request's until it is done, and nobody says when */
        winetest_pop_context();
    }
}

/* No argument is looked at when the call is made; with a window and without, with a message and without. */
static void test_unchecked( void )
{
    static const struct
    {
        const char *name, *protocol; /* no name: by port */
        int port;
    } rows[] = { { NULL, NULL, 0 }, { NULL, NULL, 80 }, { NULL, "", 80 }, { NULL, "tcp", 0 },
                 { "", NULL, 0 },   { "", "", 0 },      { "http", "", 0 } };

    for ( unsigned int i = 0; i < ARRAY_SIZE( rows ) * 4; i++ )
    {
        unsigned int r = i / 4;
        HWND target = i & 1 ? window : NULL;
        UINT message = i & 2 ? WM_DONE : 0;
        HANDLE task;

        winetest_push_context( "row %u window %p message %#x", r, target, message );
        if ( rows[r].name ) task = WSAAsyncGetServByName( target, message, rows[r].name, rows[r].protocol, NULL, 0 );
        else task = WSAAsyncGetServByPort( target, message, htons( rows[r].port ), rows[r].protocol, NULL, 0 );
        ok( task != NULL, "no task, error %d\n", WSAGetLastError() );
        if ( target && message ) ok( WSAGETASYNCERROR( wait_message( task ) ) != 0, "no error\n" );
        winetest_pop_context();
    }
}

static void test_others( void )
{
    char buffer[MAXGETHOSTSTRUCT];
    const struct hostent *host = (const struct hostent *)buffer;
    const struct protoent *protocol = (const struct protoent *)buffer;
    ULONG loopback = htonl( INADDR_LOOPBACK );
    LPARAM result;

    result = wait_message( WSAAsyncGetHostByName( window, WM_DONE, "localhost", buffer, sizeof( buffer ) ) );
    ok( !WSAGETASYNCERROR( result ), "error %d\n", WSAGETASYNCERROR( result ) );
    ok( host->h_addrtype == AF_INET && !memcmp( host->h_addr_list[0], &loopback, 4 ), "another address\n" );
    ok( host->h_aliases == (char **)( host + 1 ), "another layout\n" );
    result = wait_message( WSAAsyncGetHostByName( window, WM_DONE, "nxdomain.invalid", buffer, sizeof( buffer ) ) );
    ok( WSAGETASYNCERROR( result ) == WSAHOST_NOT_FOUND, "error %d\n", WSAGETASYNCERROR( result ) );
    result = wait_message(
        WSAAsyncGetHostByAddr( window, WM_DONE, (char *)&loopback, 4, AF_INET, buffer, sizeof( buffer ) ) );
    ok( !WSAGETASYNCERROR( result ) && host->h_name && *host->h_name, "error %d\n", WSAGETASYNCERROR( result ) );
    result = wait_message( WSAAsyncGetHostByName( window, WM_DONE, "localhost", buffer, 8 ) );
    ok( WSAGETASYNCERROR( result ) == WSAENOBUFS, "error %d\n", WSAGETASYNCERROR( result ) );
    ok( WSAGETASYNCBUFLEN( result ) > 8, "needs %d\n", WSAGETASYNCBUFLEN( result ) );
    result = wait_message( WSAAsyncGetProtoByName( window, WM_DONE, "tcp", buffer, sizeof( buffer ) ) );
    ok( !WSAGETASYNCERROR( result ) && protocol->p_proto == 6, "error %d\n", WSAGETASYNCERROR( result ) );
    result = wait_message( WSAAsyncGetProtoByNumber( window, WM_DONE, 17, buffer, sizeof( buffer ) ) );
    ok( !WSAGETASYNCERROR( result ) && !strcmp( protocol->p_name, "udp" ), "error %d\n", WSAGETASYNCERROR( result ) );
    result = wait_message( WSAAsyncGetProtoByNumber( window, WM_DONE, 0xdead, buffer, sizeof( buffer ) ) );
    ok( WSAGETASYNCERROR( result ) == WSANO_DATA, "error %d\n", WSAGETASYNCERROR( result ) );
}

/* A cancelled request posts nothing; one that is over cannot be cancelled. */
static void test_cancel( void )
{
    char buffer[MAXGETHOSTSTRUCT];
    int cancelled = 0;
    HANDLE task;
    MSG msg;

    for ( unsigned int i = 0; i < 50; i++ )
    {
        task = WSAAsyncGetHostByName( window, WM_DONE, "localhost", buffer, sizeof( buffer ) );
        ok( task != NULL, "no task\n" );
        if ( !WSACancelAsyncRequest( task ) ) cancelled++;
        else
        {
            ok( WSAGetLastError() == WSAEALREADY, "error %d\n", WSAGetLastError() );
            wait_message( task );
        }
    }
    Sleep( 50 );
    ok( !PeekMessageW( &msg, window, WM_DONE, WM_DONE, PM_REMOVE ), "a cancelled request posted\n" );
    trace( "%d of 50 cancelled\n", cancelled );
    task = WSAAsyncGetProtoByName( window, WM_DONE, "tcp", buffer, sizeof( buffer ) );
    wait_message( task );
    check_fails( WSACancelAsyncRequest( task ), WSAEALREADY );
    check_fails( WSACancelAsyncRequest( NULL ), WSAEINVAL );
    check_fails( WSACancelAsyncRequest( (HANDLE)0xdeadbee ), WSAEINVAL );
}

static INT_PTR CALLBACK hook( void ) { return FALSE; }

static struct
{
    LONG calls, busy;
    BOOL cancel, inside;
    int other_error, cleanup_error, name_error;
    SOCKET other;
} hooked;

/* Once it has found that nothing else may be done, it lets the call go on, or ends it. */
static INT_PTR CALLBACK busy_hook( void )
{
    char byte, name[64];

    hooked.calls++;
    hooked.inside = WSAIsBlocking();
    hooked.other_error = recv( hooked.other, &byte, 1, 0 ) == SOCKET_ERROR ? WSAGetLastError() : 0;
    hooked.name_error = gethostname( name, sizeof( name ) ) ? WSAGetLastError() : 0;
    hooked.cleanup_error = WSACleanup() ? WSAGetLastError() : 0;
    if ( hooked.cancel && hooked.calls > 1 && WSACancelBlockingCall() ) hooked.busy = -1;
    return hooked.calls < 4; /* there was a message: call again at once */
}

static DWORD WINAPI send_later( void *s )
{
    Sleep( 300 );
    send( (SOCKET)s, "x", 1, 0 );
    return 0;
}

/* A thread without a hook of its own is not called. */
static DWORD WINAPI receive_elsewhere( void *s )
{
    char byte;

    return recv( (SOCKET)s, &byte, 1, 0 ) == 1;
}

/* What a waiting call of version 1 does with the thread's hook. */
static void test_hook_called( void )
{
    SOCKET client, server, listener;
    union address address;
    HANDLE thread;
    DWORD code;
    char byte;

    tcp_pair( &client, &server );
    set_receive_timeout( server, 20000 );
    memset( &hooked, 0, sizeof( hooked ) );
    hooked.other = client;
    ok( WSASetBlockingHook( (FARPROC)busy_hook ) != NULL, "no previous hook\n" );

    /* what is there at once calls nothing */
    check_result( send( client, "x", 1, 0 ), 1 );
    ok( wait_readable( server, 10000 ), "nothing arrived\n" );
    hooked.calls = 0;
    check_result( recv( server, &byte, 1, 0 ), 1 );
    ok( !hooked.calls, "%ld calls\n", hooked.calls );

    thread = CreateThread( NULL, 0, send_later, (void *)client, 0, NULL );
    check_result( recv( server, &byte, 1, 0 ), 1 );
    ok( hooked.calls >= 4, "%ld calls\n", hooked.calls );
    ok( hooked.inside, "was not blocking inside the hook\n" );
    ok( hooked.other_error == WSAEINPROGRESS, "another call: error %d\n", hooked.other_error );
    ok( hooked.name_error == WSAEINPROGRESS, "gethostname: error %d\n", hooked.name_error );
    ok( hooked.cleanup_error == WSAEINPROGRESS, "WSACleanup: error %d\n", hooked.cleanup_error );
    ok( !WSAIsBlocking(), "blocking\n" );
    WaitForSingleObject( thread, INFINITE );
    CloseHandle( thread );

    /* cancelled: receive, select and accept end, and the socket is good for more */
    hooked.cancel = TRUE;
    hooked.calls = hooked.busy = 0;
    check_fails( recv( server, &byte, 1, 0 ), WSAEINTR );
    ok( hooked.calls == 2 && !hooked.busy, "%ld calls\n", hooked.calls );
    listener = tcp_listener( AF_INET, &address );
    hooked.calls = 0;
    check_no_socket( accept( listener, NULL, NULL ), WSAEINTR );
    hooked.calls = 0;
    {
        struct timeval timeout = { 20, 0 };
        fd_set set;

        FD_ZERO( &set );
        FD_SET( server, &set );
        check_fails( select( 0, &set, NULL, NULL, &timeout ), WSAEINTR );
    }
    check_fails( WSACancelBlockingCall(), WSAEINVAL );
    hooked.cancel = FALSE;
    check_flow( client, server );

    /* another thread has no hook */
    hooked.calls = 0;
    thread = CreateThread( NULL, 0, receive_elsewhere, (void *)server, 0, NULL );
    Sleep( 200 );
    check_result( send( client, "x", 1, 0 ), 1 );
    WaitForSingleObject( thread, INFINITE );
    ok( GetExitCodeThread( thread, &code ) && code && !hooked.calls, "a hook was called for another thread\n" );
    CloseHandle( thread );

    check_ok( WSAUnhookBlockingHook() );
    hooked.calls = 0;
    set_receive_timeout( server, 200 );
    check_fails( recv( server, &byte, 1, 0 ), WSAETIMEDOUT );
    ok( !hooked.calls, "called after it was taken away\n" );
    check_ok( closesocket( listener ) );
    check_ok( closesocket( client ) );
    check_ok( closesocket( server ) );
}

/* Version 2 has no hooks; a program of version 1 gets its own back. */
static void test_hooks( void )
{
    FARPROC previous;
    WSADATA data;

    check_error( (ULONG_PTR)WSASetBlockingHook( hook ), 0, WSAEOPNOTSUPP );
    check_fails( WSAUnhookBlockingHook(), WSAEOPNOTSUPP );
    check_fails( WSACancelBlockingCall(), WSAEOPNOTSUPP );
    ok( !WSAIsBlocking(), "blocking\n" );

    check_ok( WSACleanup() );
    ok( !WSAStartup( MAKEWORD( 1, 1 ), &data ), "no version 1.1\n" );
    previous = WSASetBlockingHook( hook );
    ok( previous && previous != hook, "previous hook %p\n", previous );
    ok( WSASetBlockingHook( previous ) == hook, "another hook\n" );
    check_error( (ULONG_PTR)WSASetBlockingHook( NULL ), 0, WSAEFAULT );
    check_ok( WSAUnhookBlockingHook() );
    check_fails( WSACancelBlockingCall(), WSAEINVAL );
    ok( !WSAIsBlocking(), "blocking\n" );
    test_hook_called();
    check_ok( WSACleanup() );
    ok( !WSAStartup( MAKEWORD( 2, 2 ), &data ), "no version 2.2\n" );
}

START_TEST( async )
{
    if ( support_begin() ) return;
    window = CreateWindowExW( 0, L"Message", NULL, 0, 0, 0, 0, 0, HWND_MESSAGE, NULL, NULL, NULL );
    ok( window != NULL, "no window, error %lu\n", GetLastError() );
    test_services();
    test_unchecked();
    test_others();
    test_cancel();
    test_hooks();
    DestroyWindow( window );
    support_end();
}
