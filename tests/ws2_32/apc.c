/*
 * Blocking calls are alertable waits (facts: sockets-2, section 1): a user APC that is queued to a thread waiting in recv,
 * select, accept or WSARecv runs there and then, and the call goes on; a call that is satisfied at once runs none.
 */
#include "support.h"

static LONG calls;
static DWORD ran_at, ran_on;

static void CALLBACK count_call( ULONG_PTR argument )
{
    InterlockedExchangeAdd( &calls, (LONG)argument );
    ran_at = GetTickCount();
    ran_on = GetCurrentThreadId();
}

struct later
{
    HANDLE thread;
    DWORD count; /* APCs, 30 ms apart */
    SOCKET send; /* then a byte is sent here, or a connection is made */
    union address connect;
    DWORD queued_at;
    LONG seen; /* APCs that had run before the call was satisfied */
};

static DWORD CALLBACK act_later( void *argument )
{
    struct later *later = argument;

    for ( DWORD i = 0; i < later->count; i++ )
    {
        Sleep( 100 );
        later->queued_at = GetTickCount();
        ok( QueueUserAPC( count_call, later->thread, 1 ), "QueueUserAPC failed, error %lu\n", GetLastError() );
    }
    Sleep( 200 );
    later->seen = calls;
    if ( later->connect.any.sa_family )
    {
        SOCKET s = socket( AF_INET, SOCK_STREAM, 0 );
        check_ok( connect( s, &later->connect.any, sizeof( later->connect.v4 ) ) );
        check_ok( closesocket( s ) );
    }
    else check_result( send( later->send, "x", 1, 0 ), 1 );
    return 0;
}

enum waiting_call
{
    CALL_RECV,
    CALL_WSARECV,
    CALL_SELECT,
    CALL_POLL,
    CALL_ACCEPT,
    CALL_COUNT
};
static const char *const names[CALL_COUNT] = { "recv", "WSARecv", "select", "WSAPoll", "accept" };

static void test_waiting( enum waiting_call call )
{
    struct later later = { .count = 2 };
    SOCKET client, server, listener = INVALID_SOCKET, accepted;
    DWORD done = 0, flags = 0;
    HANDLE thread;
    char byte = 0;
    WSABUF buffer = { 1, &byte };

    winetest_push_context( "%s", names[call] );
    calls = 0;
    tcp_pair( &client, &server );
    DuplicateHandle( GetCurrentProcess(), GetCurrentThread(), GetCurrentProcess(), &later.thread, 0, FALSE,
                     DUPLICATE_SAME_ACCESS );
    if ( call == CALL_ACCEPT ) listener = tcp_listener( AF_INET, &later.connect );
    else later.send = client;
    thread = CreateThread( NULL, 0, act_later, &later, 0, NULL );
    switch ( call )
    {
    case CALL_RECV: check_result( recv( server, &byte, 1, 0 ), 1 ); break;
    case CALL_WSARECV:
        check_ok( WSARecv( server, &buffer, 1, &done, &flags, NULL, NULL ) );
        ok( done == 1, "%lu bytes\n", done );
        break;
    case CALL_SELECT: ok( wait_readable( server, 10000 ), "select did not end in time\n" ); break;
    case CALL_POLL:
    {
        WSAPOLLFD fd = { server, POLLRDNORM, 0 };
        check_result( WSAPoll( &fd, 1, 10000 ), 1 );
        break;
    }
    case CALL_ACCEPT:
        accepted = accept( listener, NULL, NULL );
        ok( accepted != INVALID_SOCKET, "accept failed, error %d\n", WSAGetLastError() );
        closesocket( accepted );
        closesocket( listener );
        break;
    case CALL_COUNT: break;
    }
    WaitForSingleObject( thread, INFINITE );
    /* WSAPoll is not known to be alertable: it ends, and that is all */
    if ( call != CALL_POLL )
    {
        ok( later.seen == 2, "%ld APCs ran while the call waited\n", later.seen );
        ok( ran_on == GetCurrentThreadId(), "ran on thread %#lx\n", ran_on );
        ok( ran_at - later.queued_at < 100, "the last one ran %lu ms after it was queued\n", ran_at - later.queued_at );
    }
    SleepEx( 0, TRUE );
    ok( calls == 2, "%ld APCs ran\n", calls );
    CloseHandle( thread );
    CloseHandle( later.thread );
    closesocket( client );
    closesocket( server );
    winetest_pop_context();
}

/* Queued before a call that waits: it runs there. */
static void test_queued_before( void )
{
    struct later later = { .count = 0 };
    SOCKET client, server;
    HANDLE thread;
    char byte;

    calls = 0;
    tcp_pair( &client, &server );
    later.send = client;
    QueueUserAPC( count_call, GetCurrentThread(), 1 );
    thread = CreateThread( NULL, 0, act_later, &later, 0, NULL );
    check_result( recv( server, &byte, 1, 0 ), 1 );
    WaitForSingleObject( thread, INFINITE );
    CloseHandle( thread );
    ok( later.seen == 1, "%ld APCs ran while recv waited\n", later.seen );
    closesocket( client );
    closesocket( server );
}

static void test_satisfied_at_once( void )
{
    union address address;
    SOCKET client, server, listener, s, accepted;
    fd_set set;
    char byte;

    calls = 0;
    tcp_pair( &client, &server );
    listener = tcp_listener( AF_INET, &address );
    s = socket( AF_INET, SOCK_STREAM, 0 );
    check_ok( connect( s, &address.any, sizeof( address.v4 ) ) );
    check_result( send( client, "x", 1, 0 ), 1 );
    ok( wait_readable( server, 5000 ), "nothing arrived\n" );

    QueueUserAPC( count_call, GetCurrentThread(), 1 );
    FD_ZERO( &set );
    FD_SET( server, &set );
    check_result( select( 0, &set, NULL, NULL, NULL ), 1 );
    check_result( recv( server, &byte, 1, 0 ), 1 );
    check_result( send( server, &byte, 1, 0 ), 1 );
    accepted = accept( listener, NULL, NULL );
    ok( accepted != INVALID_SOCKET, "accept failed, error %d\n", WSAGetLastError() );
    ok( !calls, "%ld APCs ran in calls that had nothing to wait for\n", calls );
    ok( SleepEx( 0, TRUE ) == WAIT_IO_COMPLETION, "the APC is gone\n" );
    ok( calls == 1, "%ld APCs ran\n", calls );
    closesocket( client );
    closesocket( server );
    closesocket( listener );
    closesocket( s );
    closesocket( accepted );
}

/* What an APC does meanwhile is its own business: here it makes a blocking call itself. */
static SOCKET nested_receive;

static void CALLBACK receive_nested( ULONG_PTR argument )
{
    char byte;

    (void)argument;
    check_result( recv( nested_receive, &byte, 1, 0 ), 1 );
    calls++;
}

static DWORD CALLBACK feed_nested( void *argument )
{
    SOCKET *sockets = argument;

    Sleep( 150 );
    check_result( send( sockets[0], "n", 1, 0 ), 1 );
    Sleep( 150 );
    check_result( send( sockets[1], "o", 1, 0 ), 1 );
    return 0;
}

static void test_nested( void )
{
    SOCKET feeds[2], outer;
    HANDLE thread;
    char byte = 0;

    calls = 0;
    tcp_pair( &feeds[0], &nested_receive );
    tcp_pair( &feeds[1], &outer );
    QueueUserAPC( receive_nested, GetCurrentThread(), 0 );
    thread = CreateThread( NULL, 0, feed_nested, feeds, 0, NULL );
    check_result( recv( outer, &byte, 1, 0 ), 1 );
    ok( byte == 'o', "received %c\n", byte );
    ok( calls == 1, "%ld APCs ran\n", calls );
    WaitForSingleObject( thread, INFINITE );
    CloseHandle( thread );
    closesocket( feeds[0] );
    closesocket( feeds[1] );
    closesocket( outer );
    closesocket( nested_receive );
}

START_TEST( apc )
{
    if ( support_begin() ) return;
    for ( enum waiting_call call = 0; call < CALL_COUNT; call++ ) test_waiting( call );
    test_queued_before();
    test_satisfied_at_once();
    test_nested();
    support_end();
}
