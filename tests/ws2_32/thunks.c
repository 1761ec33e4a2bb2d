/*
 * A system call's thunk that does not look as ws2host knows it, here one changed in a byte that is never executed: all is
 * then caught where the thunks call through. Blocking and event-driven calls, overlapped ones with an event and with a
 * routine, hand-overs, and what reaches sockets without Winsock work as ever. tests/run-thunks does the same with all thunks
 * of a process, and with one that tells nothing, where Winsock's own functions work alone. Elsewhere than on Wine nothing is
 * changed.
 */
#include "puppets.h"

static BOOL called;

static void CALLBACK routine( DWORD error, DWORD size, OVERLAPPED *ov, DWORD flags )
{
    (void)ov, (void)flags;
    ok( !error && size == 1, "error %lu, size %lu\n", error, size );
    called = TRUE;
}

/* A byte that is never executed becomes an int3: a ret that is jumped over, or what stands behind the last ret. */
#ifdef __i386__
#define THUNK_BEGIN "\xb8"
#define UNUSED_BYTE 15
#define UNUSED_CODE 0x90
#else
#define THUNK_BEGIN "\x4c\x8b\xd1\xb8"
#define UNUSED_BYTE 23
#define UNUSED_CODE 0xc3
#endif
static BOOL change_thunk( const char *name )
{
    unsigned char *thunk = (unsigned char *)(UINT_PTR)GetProcAddress( GetModuleHandleA( "ntdll.dll" ), name );
    DWORD before;

    if ( !thunk || memcmp( thunk, THUNK_BEGIN, sizeof( THUNK_BEGIN ) - 1 ) || thunk[UNUSED_BYTE] != UNUSED_CODE )
        return FALSE;
    VirtualProtect( thunk, UNUSED_BYTE + 1, PAGE_EXECUTE_READWRITE, &before );
    thunk[UNUSED_BYTE] = 0xcc;
    VirtualProtect( thunk, UNUSED_BYTE + 1, before, &before );
    return TRUE;
}

static void test_blocking( void )
{
    struct timeval timeout = { 5, 0 };
    SOCKET client, server;
    WSAPOLLFD poll = { .events = POLLRDNORM };
    fd_set readable;
    char data[8];

    tcp_pair( &client, &server );
    check_flow( client, server );
    check_flow( server, client );
    check_result( send( client, "x", 1, 0 ), 1 );
    FD_ZERO( &readable );
    FD_SET( server, &readable );
    check_result( select( 0, &readable, NULL, NULL, &timeout ), 1 );
    poll.fd = server;
    check_result( WSAPoll( &poll, 1, 5000 ), 1 );
    ok( poll.revents == POLLRDNORM, "events %#x\n", poll.revents );
    check_result( recv( server, data, sizeof( data ), 0 ), 1 );
    set_receive_timeout( server, 100 );
    check_fails( recv( server, data, sizeof( data ), 0 ), WSAETIMEDOUT );
    check_ok( closesocket( client ) );
    check_eof( server );
    check_ok( closesocket( server ) );
}

static void test_events( void )
{
    HANDLE event = WSACreateEvent();
    WSANETWORKEVENTS events;
    SOCKET client, server;
    OVERLAPPED ov = { 0 };
    char data[8];
    WSABUF buffer = { sizeof( data ), data };
    DWORD size, flags = 0;

    tcp_pair( &client, &server );
    check_ok( WSAEventSelect( server, event, FD_READ | FD_CLOSE ) );
    check_result( send( client, "x", 1, 0 ), 1 );
    ok( !WSAWaitForMultipleEvents( 1, &event, FALSE, 5000, FALSE ), "the event is not set\n" );
    check_ok( WSAEnumNetworkEvents( server, event, &events ) );
    ok( events.lNetworkEvents == FD_READ, "events %#lx\n", events.lNetworkEvents );
    check_result( recv( server, data, sizeof( data ), 0 ), 1 );
    check_ok( WSAEventSelect( server, NULL, 0 ) );
    set_nonblocking( server, FALSE );

    ov.hEvent = event;
    check_error( WSARecv( server, &buffer, 1, NULL, &flags, &ov, NULL ), SOCKET_ERROR, WSA_IO_PENDING );
    check_result( send( client, "y", 1, 0 ), 1 );
    ok( !WSAWaitForMultipleEvents( 1, &event, FALSE, 5000, FALSE ), "the event is not set\n" );
    check_result( WSAGetOverlappedResult( server, &ov, &size, FALSE, &flags ), TRUE );
    ok( size == 1 && data[0] == 'y', "size %lu\n", size );

    check_error( WSARecv( server, &buffer, 1, NULL, &flags, &ov, routine ), SOCKET_ERROR, WSA_IO_PENDING );
    check_result( send( client, "z", 1, 0 ), 1 );
    ok( SleepEx( 5000, TRUE ) == WAIT_IO_COMPLETION && called, "no routine\n" );
    WSACloseEvent( event );
    closesocket( client );
    closesocket( server );
}

static void test_hand_over( void )
{
    SOCKET client, server, again;
    WSAPROTOCOL_INFOA info;
    struct puppet puppet;

    tcp_pair( &client, &server );
    puppet_create( &puppet, 0 );
    check_ok( WSADuplicateSocketA( server, puppet.pid, &info ) );
    check_ok( closesocket( server ) );
    again = puppet_open_a( &puppet, &info, WSA_FLAG_OVERLAPPED );
    check_result( puppet_send( &puppet, again, "there" ), 5 );
    check_ok( puppet_do_on( &puppet, PUPPET_CLOSE, again ) );
    puppet_destroy( &puppet );
    closesocket( client );
}

/* Handles and ports that Winsock's functions are not asked for. */
static void test_without_winsock( void )
{
    SOCKET client, server;
    OVERLAPPED ov = { 0 }, *got;
    char data[8] = "";
    HANDLE port, copy;
    ULONG_PTR key;
    DWORD size;

    tcp_pair( &client, &server );
    port = CreateIoCompletionPort( (HANDLE)server, NULL, 7, 0 );
    ok( port != NULL, "no port: %lu\n", GetLastError() );
    ov.hEvent = CreateEventA( NULL, TRUE, FALSE, NULL );
    check_error( ReadFile( (HANDLE)server, data, sizeof( data ), NULL, &ov ), FALSE, ERROR_IO_PENDING );
    check_result( WriteFile( (HANDLE)client, "abc", 3, &size, &( OVERLAPPED ){ 0 } ), TRUE );
    got = NULL;
    check_result( GetQueuedCompletionStatus( port, &size, &key, &got, 5000 ), TRUE );
    ok( got == &ov && key == 7 && size == 3 && !memcmp( data, "abc", 3 ), "size %lu, data %s\n", size, data );
    check_result( PostQueuedCompletionStatus( port, 5, 8, NULL ), TRUE );
    check_result( GetQueuedCompletionStatus( port, &size, &key, &got, 5000 ), TRUE );
    ok( key == 8 && size == 5 && !got, "key %lu, size %lu\n", (DWORD)key, size );

    check_result( DuplicateHandle( GetCurrentProcess(), (HANDLE)server, GetCurrentProcess(), &copy, 0, FALSE,
                                   DUPLICATE_SAME_ACCESS ),
                  TRUE );
    check_result( CloseHandle( (HANDLE)server ), TRUE );
    check_fails( send( server, "x", 1, 0 ), WSAENOTSOCK );
    check_result( send( (SOCKET)copy, "x", 1, 0 ), 1 );
    check_result( CloseHandle( copy ), TRUE );
    check_result( recv( client, data, sizeof( data ), 0 ), 1 );
    check_eof( client );
    check_ok( closesocket( client ) );
    CloseHandle( ov.hEvent );
    CloseHandle( port );
}

START_TEST( thunks )
{
    char **argv;
    /* not in the child that gets a socket: it stands for other programs */
    BOOL changed = winetest_get_mainargs( &argv ) == 2 && change_thunk( "NtCancelIoFileEx" );

    if ( support_begin() ) return;
    trace( "%s\n", changed ? "a thunk was changed" : "nothing was changed" );
    test_blocking();
    test_events();
    test_hand_over();
    if ( !getenv( "THUNKS_CLOSED" ) ) test_without_winsock();
    support_end();
}
