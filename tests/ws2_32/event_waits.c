/*
 * Event objects that sockets set are event objects: whoever looks at one, in whatever way, sees what the sockets and the
 * program have set and reset, and a wait for one ends as any wait does.
 */
#include "support.h"
#include "puppets.h"

static SOCKET client, server;

static void deliver( void ) { check_result( send( client, "x", 1, 0 ), 1 ); }

static void take( void )
{
    char byte;

    check_result( recv( server, &byte, 1, 0 ), 1 );
}

static void enumerate( HANDLE event, long expected )
{
    WSANETWORKEVENTS events = { 0 };

    check_ok( WSAEnumNetworkEvents( server, event, &events ) );
    ok( events.lNetworkEvents == expected, "events %#lx, expected %#lx\n", events.lNetworkEvents, expected );
}

static HANDLE begin( BOOL manual, BOOL inherited )
{
    SECURITY_ATTRIBUTES attributes = { sizeof( attributes ), NULL, inherited };
    HANDLE event = CreateEventA( &attributes, manual, FALSE, NULL );

    tcp_pair( &client, &server );
    check_ok( WSAEventSelect( server, event, FD_READ | FD_CLOSE ) );
    return event;
}

static void end( HANDLE event )
{
    closesocket( client );
    closesocket( server );
    CloseHandle( event );
}

/* --- other threads --------------------------------------------------------------------------------------------------*/

struct helper
{
    HANDLE thread, event;
    volatile LONG begun;
    DWORD timeout, result;
    BOOL alertable;
};

static DWORD CALLBACK help_wait( void *argument )
{
    struct helper *helper = argument;

    InterlockedExchange( &helper->begun, 1 );
    helper->result = WSAWaitForMultipleEvents( 1, &helper->event, FALSE, helper->timeout, helper->alertable );
    return 0;
}

static DWORD CALLBACK help_look( void *argument )
{
    struct helper *helper = argument;

    helper->result = WaitForSingleObject( helper->event, 0 );
    return 0;
}

static DWORD CALLBACK help_send( void *argument )
{
    (void)argument;
    Sleep( 100 );
    deliver();
    return 0;
}

static DWORD CALLBACK help_set( void *argument )
{
    Sleep( 100 );
    SetEvent( argument );
    return 0;
}

static void helper_start( struct helper *helper, HANDLE event, BOOL alertable )
{
    *helper = ( struct helper ){ .event = event, .timeout = 20000, .result = 99, .alertable = alertable };
    helper->thread = CreateThread( NULL, 0, help_wait, helper, 0, NULL );
    while ( !helper->begun ) Sleep( 1 );
    Sleep( 50 ); /* it waits by now, which is what is to be tried, and no condition of anything */
}

static DWORD helper_end( struct helper *helper )
{
    ok( !WaitForSingleObject( helper->thread, 20000 ), "the thread does not end\n" );
    CloseHandle( helper->thread );
    return helper->result;
}

static void finish( HANDLE thread )
{
    ok( !WaitForSingleObject( thread, 20000 ), "the thread does not end\n" );
    CloseHandle( thread );
}

static DWORD look_elsewhere( HANDLE event )
{
    struct helper helper = { .event = event };

    finish( CreateThread( NULL, 0, help_look, &helper, 0, NULL ) );
    return helper.result;
}

/* --- what a wait leaves ---------------------------------------------------------------------------------------------*/

static void test_manual( void )
{
    HANDLE event = begin( TRUE, FALSE ), plain = CreateEventA( NULL, TRUE, FALSE, NULL ), both[2] = { plain, event },
           copy, thread;
    MSG message;

    for ( unsigned int i = 0; i < 3; i++ )
    {
        winetest_push_context( "%u", i );
        check_result( WaitForSingleObject( event, 20 ), WAIT_TIMEOUT );
        thread = CreateThread( NULL, 0, help_send, NULL, 0, NULL );
        check_result( WaitForSingleObject( event, 20000 ), 0 );
        finish( thread );
        /* it stays set, for everybody */
        check_result( WaitForSingleObject( event, 0 ), 0 );
        check_result( WaitForSingleObjectEx( event, 0, TRUE ), 0 );
        check_result( look_elsewhere( event ), 0 );
        check_result( WaitForMultipleObjects( 2, both, FALSE, 0 ), 1 );
        enumerate( event, FD_READ );
        check_result( WaitForSingleObject( event, 0 ), WAIT_TIMEOUT );
        check_result( look_elsewhere( event ), WAIT_TIMEOUT );
        check_result( WaitForMultipleObjects( 2, both, FALSE, 0 ), WAIT_TIMEOUT );
        take();
        check_result( WaitForSingleObject( event, 20 ), WAIT_TIMEOUT );
        winetest_pop_context();
    }
    /* nothing new comes of what has been told and not been taken */
    deliver();
    check_result( WaitForSingleObject( event, 20000 ), 0 );
    enumerate( event, FD_READ );
    check_result( WaitForSingleObject( event, 100 ), WAIT_TIMEOUT );
    take();
    /* reset without a look at the events */
    deliver();
    check_result( WaitForSingleObject( event, 20000 ), 0 );
    check_result( ResetEvent( event ), TRUE );
    check_result( WaitForSingleObject( event, 50 ), WAIT_TIMEOUT );
    enumerate( NULL, FD_READ );
    take();
    /* by a wait for messages, and in a wait for all */
    PeekMessageA( &message, NULL, 0, 0, PM_NOREMOVE );
    deliver();
    check_result( WaitForSingleObject( event, 20000 ), 0 );
    check_result( MsgWaitForMultipleObjects( 1, &event, FALSE, 20000, 0 ), 0 );
    enumerate( event, FD_READ );
    take();
    deliver();
    check_result( MsgWaitForMultipleObjects( 1, &event, FALSE, 20000, 0 ), 0 );
    SetEvent( plain );
    check_result( WaitForMultipleObjects( 2, both, TRUE, 20000 ), 0 );
    enumerate( event, FD_READ );
    check_result( WaitForMultipleObjects( 2, both, TRUE, 20 ), WAIT_TIMEOUT );
    take();
    /* by another handle, made while it is set, and set by that */
    deliver();
    check_result( WaitForSingleObject( event, 20000 ), 0 );
    check_result(
        DuplicateHandle( GetCurrentProcess(), event, GetCurrentProcess(), &copy, 0, FALSE, DUPLICATE_SAME_ACCESS ),
        TRUE );
    check_result( WaitForSingleObject( copy, 0 ), 0 );
    enumerate( event, FD_READ );
    check_result( WaitForSingleObject( copy, 0 ), WAIT_TIMEOUT );
    take();
    thread = CreateThread( NULL, 0, help_set, copy, 0, NULL );
    check_result( WaitForSingleObject( event, 20000 ), 0 );
    finish( thread );
    check_result( ResetEvent( copy ), TRUE );
    check_result( WaitForSingleObject( event, 20 ), WAIT_TIMEOUT );
    deliver();
    check_result( WaitForSingleObject( copy, 20000 ), 0 );
    CloseHandle( copy );
    CloseHandle( plain );
    end( event );
}

static void test_automatic( void )
{
    HANDLE event = begin( FALSE, FALSE ), thread;
    struct helper helpers[2];

    for ( unsigned int i = 0; i < 3; i++ )
    {
        thread = CreateThread( NULL, 0, help_send, NULL, 0, NULL );
        check_result( WaitForSingleObject( event, 20000 ), 0 );
        finish( thread );
        check_result( look_elsewhere( event ), WAIT_TIMEOUT );
        enumerate( NULL, FD_READ );
        take();
        check_result( WaitForSingleObject( event, 20 ), WAIT_TIMEOUT );
    }
    /* one of two that wait, and the other at the next */
    for ( unsigned int i = 0; i < 2; i++ ) helper_start( &helpers[i], event, FALSE );
    deliver();
    ok( WaitForMultipleObjects( 2, ( HANDLE[] ){ helpers[0].thread, helpers[1].thread }, FALSE, 20000 ) < 2,
        "no thread ends\n" );
    check_result( WaitForMultipleObjects( 2, ( HANDLE[] ){ helpers[0].thread, helpers[1].thread }, TRUE, 100 ),
                  WAIT_TIMEOUT );
    SetEvent( event );
    for ( unsigned int i = 0; i < 2; i++ ) check_result( helper_end( &helpers[i] ), 0 );
    check_result( WaitForSingleObject( event, 20 ), WAIT_TIMEOUT );
    end( event );
}

/* --- what ends a wait -----------------------------------------------------------------------------------------------*/

static volatile LONG routines;
static void CALLBACK routine( ULONG_PTR argument )
{
    (void)argument;
    InterlockedIncrement( &routines );
}

static void test_waiters( void )
{
    HANDLE event = begin( TRUE, FALSE );
    struct helper helpers[3];

    /* all that wait, whoever resets it first, by a socket and by the program */
    for ( unsigned int turn = 0; turn < 2; turn++ )
    {
        for ( unsigned int i = 0; i < 3; i++ ) helper_start( &helpers[i], event, FALSE );
        if ( turn ) SetEvent( event );
        else deliver();
        for ( unsigned int i = 0; i < 3; i++ ) check_result( helper_end( &helpers[i] ), 0 );
        enumerate( event, turn ? 0 : FD_READ );
        if ( !turn ) take();
        check_result( WaitForSingleObject( event, 0 ), WAIT_TIMEOUT );
    }
    /* an alertable one by a routine */
    helper_start( &helpers[0], event, TRUE );
    QueueUserAPC( routine, helpers[0].thread, 0 );
    check_result( helper_end( &helpers[0] ), WAIT_IO_COMPLETION );
    ok( routines == 1, "%ld routines\n", routines );
    /* no other */
    helper_start( &helpers[0], event, FALSE );
    QueueUserAPC( routine, helpers[0].thread, 0 );
    check_result( WaitForSingleObject( helpers[0].thread, 100 ), WAIT_TIMEOUT );
    deliver();
    check_result( helper_end( &helpers[0] ), 0 );
    enumerate( event, FD_READ );
    take();
    /* one that is ended from outside leaves the event to others */
    for ( unsigned int i = 0; i < 3; i++ )
    {
        helper_start( &helpers[0], event, FALSE );
        TerminateThread( helpers[0].thread, 7 );
        finish( helpers[0].thread );
        deliver();
        check_result( WaitForSingleObjectEx( event, 20000, TRUE ), 0 );
        enumerate( event, FD_READ );
        take();
    }
    /* a handle that is closed meanwhile does no harm */
    helper_start( &helpers[0], event, FALSE );
    check_result( WSACloseEvent( event ), TRUE );
    check_error( WaitForSingleObject( event, 0 ), WAIT_FAILED, ERROR_INVALID_HANDLE );
    TerminateThread( helpers[0].thread, 7 );
    finish( helpers[0].thread );
    end( NULL );
}

/* Threads wait for it while its handle is copied: by whichever handle it is set, and by its socket. */
static void test_copied_meanwhile( void )
{
    for ( unsigned int turn = 0; turn < 3; turn++ )
    {
        HANDLE event = begin( TRUE, FALSE ), copy = NULL;
        struct helper helpers[2];

        for ( unsigned int i = 0; i < 2; i++ ) helper_start( &helpers[i], event, FALSE );
        check_result(
            DuplicateHandle( GetCurrentProcess(), event, GetCurrentProcess(), &copy, 0, FALSE, DUPLICATE_SAME_ACCESS ),
            TRUE );
        if ( turn ) SetEvent( turn == 1 ? event : copy );
        else deliver();
        for ( unsigned int i = 0; i < 2; i++ ) check_result( helper_end( &helpers[i] ), 0 );
        check_result( WaitForSingleObject( copy, 0 ), 0 );
        enumerate( event, turn ? 0 : FD_READ );
        if ( !turn ) take();
        check_result( WaitForSingleObject( copy, 0 ), WAIT_TIMEOUT );
        deliver();
        check_result( WaitForSingleObject( copy, 20000 ), 0 );
        enumerate( event, FD_READ );
        take();
        CloseHandle( copy );
        end( event );
    }
}

static void test_several( void )
{
    HANDLE events[3];
    SOCKET clients[3], servers[3];
    WSANETWORKEVENTS told;
    char byte;

    for ( unsigned int i = 0; i < 3; i++ )
    {
        tcp_pair( &clients[i], &servers[i] );
        events[i] = CreateEventA( NULL, i != 1, FALSE, NULL );
        check_ok( WSAEventSelect( servers[i], events[i], FD_READ ) );
    }
    check_result( WSAWaitForMultipleEvents( 3, events, FALSE, 20, FALSE ), WSA_WAIT_TIMEOUT );
    for ( unsigned int i = 0; i < 9; i++ )
    {
        check_result( send( clients[i % 3], "x", 1, 0 ), 1 );
        check_result( WSAWaitForMultipleEvents( 3, events, FALSE, 20000, FALSE ), i % 3 );
        check_ok( WSAEnumNetworkEvents( servers[i % 3], events[i % 3], &told ) );
        ok( told.lNetworkEvents == FD_READ, "events %#lx\n", told.lNetworkEvents );
        check_result( recv( servers[i % 3], &byte, 1, 0 ), 1 );
        check_result( WSAWaitForMultipleEvents( 3, events, FALSE, 0, FALSE ), WSA_WAIT_TIMEOUT );
    }
    /* the first of those that are set, and no other is taken with it */
    check_result( send( clients[2], "x", 1, 0 ), 1 );
    check_result( WSAWaitForMultipleEvents( 3, events, FALSE, 20000, FALSE ), 2 );
    check_result( send( clients[1], "x", 1, 0 ), 1 );
    check_result( WaitForSingleObject( events[1], 20000 ), 0 );
    check_result( SetEvent( events[1] ), TRUE );
    check_result( WSAWaitForMultipleEvents( 3, events, FALSE, 20000, FALSE ), 1 );
    check_result( WSAWaitForMultipleEvents( 3, events, FALSE, 20000, FALSE ), 2 );
    check_result( SetEvent( events[0] ), TRUE );
    check_result( SetEvent( events[1] ), TRUE );
    check_result( WSAWaitForMultipleEvents( 3, events, FALSE, 20000, FALSE ), 0 );
    check_result( WaitForSingleObject( events[1], 0 ), 0 );
    check_result( WaitForSingleObject( events[1], 0 ), WAIT_TIMEOUT );
    check_result( WSAWaitForMultipleEvents( 3, events, TRUE, 20, FALSE ), WSA_WAIT_TIMEOUT );
    /* a socket that goes on to another event leaves the one it had */
    check_ok( WSAEventSelect( servers[0], events[2], FD_READ ) );
    ResetEvent( events[0] ), ResetEvent( events[2] );
    check_result( send( clients[0], "x", 1, 0 ), 1 );
    check_result( WSAWaitForMultipleEvents( 3, events, FALSE, 20000, FALSE ), 2 );
    for ( unsigned int i = 0; i < 3; i++ )
    {
        closesocket( clients[i] );
        closesocket( servers[i] );
        WSACloseEvent( events[i] );
    }
}

/* --- other processes ------------------------------------------------------------------------------------------------*/

static void child_sets( const char *text )
{
    unsigned long pid, value;
    HANDLE process, event;

    if ( sscanf( text, "set-%lx-%lx", &pid, &value ) != 2 ) ExitProcess( 2 );
    event = (HANDLE)(ULONG_PTR)value;
    if ( pid )
    {
        process = OpenProcess( PROCESS_DUP_HANDLE, FALSE, pid );
        if ( !DuplicateHandle( process, event, GetCurrentProcess(), &event, 0, FALSE, DUPLICATE_SAME_ACCESS ) )
            ExitProcess( 3 );
    }
    ExitProcess( SetEvent( event ) ? 0 : 4 );
}

/* More of them than anything has room for. */
static void test_many( void )
{
    enum
    {
        MANY = 80
    };
    static SOCKET clients[MANY], servers[MANY];
    static HANDLE events[MANY];

    for ( int i = 0; i < MANY; i++ )
    {
        events[i] = begin( i & 1, FALSE );
        clients[i] = client;
        servers[i] = server;
        check_result( WaitForSingleObject( events[i], 0 ), WAIT_TIMEOUT );
    }
    for ( int i = MANY - 1; i >= 0; i-- )
    {
        client = clients[i];
        server = servers[i];
        check_result( WaitForSingleObject( events[i], 20 ), WAIT_TIMEOUT );
        deliver();
        check_result( WaitForSingleObject( events[i], 20000 ), 0 );
        check_result( WaitForSingleObject( events[i], 0 ), i & 1 ? 0 : WAIT_TIMEOUT );
        enumerate( events[i], FD_READ );
        check_result( WaitForSingleObject( events[i], 0 ), WAIT_TIMEOUT );
        end( events[i] );
    }
}

static void test_processes( BOOL inherited )
{
    HANDLE event = begin( TRUE, inherited ), process;
    char command[64];

    deliver();
    check_result( WaitForSingleObject( event, 20000 ), 0 );
    enumerate( event, FD_READ );
    take();
    sprintf( command, "set-%lx-%lx", inherited ? 0 : GetCurrentProcessId(), (ULONG)(ULONG_PTR)event );
    process = run_child( command, NULL, NULL, 0, NULL );
    check_result( WaitForSingleObject( event, 20000 ), 0 );
    finish( process );
    enumerate( event, 0 );
    check_result( WaitForSingleObject( event, 20 ), WAIT_TIMEOUT );
    deliver();
    check_result( WaitForSingleObject( event, 20000 ), 0 );
    end( event );
}

START_TEST( event_waits )
{
    char **argv;

    if ( winetest_get_mainargs( &argv ) == 3 && !strncmp( argv[2], "set-", 4 ) ) child_sets( argv[2] );
    if ( support_begin() ) return;
    test_manual();
    test_automatic();
    test_waiters();
    test_copied_meanwhile();
    test_several();
    test_many();
    test_processes( FALSE );
    test_processes( TRUE );
    support_end();
}
