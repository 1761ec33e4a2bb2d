/*
 * Waiting for a socket as for a file, and ending another thread's wait: GetOverlappedResult for an OVERLAPPED without an
 * event waits for the handle, which is not signalled while the operation waits; CancelSynchronousIo ends a blocking call
 * with WSA_OPERATION_ABORTED and nothing else.
 */
#include "support.h"

struct sender
{
    SOCKET s;
    unsigned int count;
};

static DWORD CALLBACK send_later( void *argument )
{
    struct sender *sender = argument;

    for ( unsigned int i = 0; i < sender->count; i++ )
    {
        Sleep( 200 );
        check_result( send( sender->s, "hello", 5, 0 ), 5 );
    }
    return 0;
}

static int receive( SOCKET s, void *memory, ULONG size, OVERLAPPED *ov )
{
    WSABUF buffer = { size, memory };
    DWORD flags = 0;

    memset( ov, 0, sizeof( *ov ) );
    return WSARecv( s, &buffer, 1, NULL, &flags, ov, NULL );
}

static void test_result( BOOL winsock )
{
    SOCKET client, server;
    struct sender sender = { .count = 3 };
    DWORD size, flags, begin;
    HANDLE thread, handles[2];
    OVERLAPPED ov;
    char data[16];

    winetest_push_context( winsock ? "WSAGetOverlappedResult" : "GetOverlappedResult" );
    tcp_pair( &client, &server );
    sender.s = client;
    thread = CreateThread( NULL, 0, send_later, &sender, 0, NULL );
    for ( unsigned int i = 0; i < sender.count; i++ )
    {
        memset( data, 0, sizeof( data ) );
        begin = GetTickCount();
        check_fails( receive( server, data, sizeof( data ), &ov ), WSA_IO_PENDING );
        if ( !winsock && !i )
        {
            ok( WaitForSingleObject( (HANDLE)server, 50 ) == WAIT_TIMEOUT, "the handle is signalled\n" );
            check_error( GetOverlappedResult( (HANDLE)server, &ov, &size, FALSE ), FALSE, ERROR_IO_INCOMPLETE );
        }
        size = 0;
        if ( winsock ) check_result( WSAGetOverlappedResult( server, &ov, &size, TRUE, &flags ), TRUE );
        else check_result( GetOverlappedResult( (HANDLE)server, &ov, &size, TRUE ), TRUE );
        ok( GetTickCount() - begin >= 100, "done after %lu ms\n", GetTickCount() - begin );
        ok( size == 5 && !memcmp( data, "hello", 5 ), "%lu bytes, %.5s\n", size, data );
    }
    ok( !WaitForSingleObject( (HANDLE)server, 5000 ), "the handle is not signalled\n" );
    handles[0] = (HANDLE)server;
    handles[1] = CreateEventW( NULL, TRUE, TRUE, NULL );
    check_result( WaitForMultipleObjects( 2, handles, TRUE, 5000 ), 0 );
    check_fails( receive( server, data, sizeof( data ), &ov ), WSA_IO_PENDING );
    check_result( WaitForMultipleObjects( 2, handles, TRUE, 50 ), WAIT_TIMEOUT );
    check_result( WaitForMultipleObjects( 2, handles, FALSE, 50 ), 1 );
    ok( CancelIoEx( (HANDLE)server, &ov ), "CancelIoEx failed, error %lu\n", GetLastError() );
    check_result( WaitForMultipleObjects( 2, handles, TRUE, 5000 ), 0 );
    CloseHandle( handles[1] );
    WaitForSingleObject( thread, INFINITE );
    CloseHandle( thread );

    /* what was there at once leaves it signalled */
    check_result( send( client, "again", 5, 0 ), 5 );
    ok( wait_readable( server, 5000 ), "no data\n" );
    check_ok( receive( server, data, sizeof( data ), &ov ) );
    ok( !WaitForSingleObject( (HANDLE)server, 5000 ), "the handle is not signalled\n" );

    /* cancelling signals it */
    check_fails( receive( server, data, sizeof( data ), &ov ), WSA_IO_PENDING );
    ok( CancelIoEx( (HANDLE)server, &ov ), "CancelIoEx failed, error %lu\n", GetLastError() );
    check_error( winsock ? WSAGetOverlappedResult( server, &ov, &size, TRUE, &flags )
                         : GetOverlappedResult( (HANDLE)server, &ov, &size, TRUE ),
                 FALSE, WSA_OPERATION_ABORTED );
    closesocket( client );
    closesocket( server );
    winetest_pop_context();
}

enum blocking_call
{
    CALL_RECV,
    CALL_WSARECV,
    CALL_ACCEPT,
    CALL_SEND,
    CALL_READ_FILE,
    CALL_SELECT,
    CALL_CONNECT,
    CALL_COUNT
};
static const char *const names[CALL_COUNT] = { "recv", "WSARecv", "accept", "send", "ReadFile", "select", "connect" };

struct blocked
{
    enum blocking_call call;
    SOCKET s;
    union address address; /* of connect */
    LONGLONG result;
    DWORD error;
};

static DWORD CALLBACK block( void *argument )
{
    struct blocked *blocked = argument;
    static char data[1 << 16];
    WSABUF buffer = { 1, data };
    DWORD done, flags = 0;
    fd_set set;

    FD_ZERO( &set );
    FD_SET( blocked->s, &set );
    WSASetLastError( ERROR_UNTOUCHED );
    switch ( blocked->call )
    {
    case CALL_RECV: blocked->result = recv( blocked->s, data, 1, 0 ); break;
    case CALL_WSARECV: blocked->result = WSARecv( blocked->s, &buffer, 1, &done, &flags, NULL, NULL ); break;
    case CALL_ACCEPT: blocked->result = (INT_PTR)accept( blocked->s, NULL, NULL ); break;
    case CALL_SEND:
        while ( ( blocked->result = send( blocked->s, data, sizeof( data ), 0 ) ) > 0 ) continue;
        break;
    case CALL_READ_FILE: blocked->result = ReadFile( (HANDLE)blocked->s, data, 1, &done, NULL ) ? 0 : -1; break;
    case CALL_SELECT: blocked->result = select( 0, &set, NULL, NULL, NULL ); break;
    case CALL_CONNECT:
        blocked->result = connect( blocked->s, &blocked->address.any, sizeof( blocked->address.v4 ) );
        break;
    case CALL_COUNT: break;
    }
    blocked->error = GetLastError();
    return 0;
}

static void test_cancel( enum blocking_call call )
{
    struct blocked blocked = { .call = call };
    union address address;
    SOCKET client, server, listener = INVALID_SOCKET;
    HANDLE thread;

    winetest_push_context( "%s", names[call] );
    tcp_pair_with( call == CALL_READ_FILE ? 0 : WSA_FLAG_OVERLAPPED, &client, &server );
    set_receive_timeout( server, 0 );
    if ( call == CALL_ACCEPT ) listener = tcp_listener( AF_INET, &address );
    blocked.s = call == CALL_ACCEPT ? listener : server;
    thread = CreateThread( NULL, 0, block, &blocked, 0, NULL );
    /* into the middle of a long wait */
    ok( WaitForSingleObject( thread, 400 ) == WAIT_TIMEOUT, "did not block, result %lld, error %lu\n", blocked.result,
        blocked.error );
    check_result( CancelSynchronousIo( thread ), TRUE );
    ok( !WaitForSingleObject( thread, 5000 ), "still blocked\n" );
    ok( blocked.result == -1, "result %lld\n", blocked.result );
    ok( blocked.error == WSA_OPERATION_ABORTED, "error %lu\n", blocked.error );
    /* it waits for nothing any more */
    check_error( CancelSynchronousIo( thread ), FALSE, ERROR_NOT_FOUND );
    CloseHandle( thread );
    /* and the socket is as good as before */
    if ( call != CALL_ACCEPT && call != CALL_SEND ) check_flow( client, server );
    closesocket( client );
    closesocket( server );
    if ( listener != INVALID_SOCKET ) closesocket( listener );
    winetest_pop_context();
}

#define FILLERS 64

/* A listener that has no room for another connection: the host lets the next one wait, Windows refuses it. Cancelled, or the
 * socket closed, it ends at once. */
static void test_connect( BOOL closes )
{
    struct blocked blocked = { .call = CALL_CONNECT };
    SOCKET listener = tcp_bound( AF_INET, &blocked.address ), fillers[FILLERS];
    unsigned int count = 0;
    HANDLE thread;

    winetest_push_context( "connect, closes %d", closes );
    check_ok( listen( listener, 1 ) );
    for ( BOOL room = TRUE; room && count < FILLERS; count++ )
    {
        struct timeval timeout = { 0, 300000 };
        fd_set write;

        fillers[count] = socket( AF_INET, SOCK_STREAM, 0 );
        set_nonblocking( fillers[count], TRUE );
        check_fails( connect( fillers[count], &blocked.address.any, sizeof( blocked.address.v4 ) ), WSAEWOULDBLOCK );
        FD_ZERO( &write );
        FD_SET( fillers[count], &write );
        room = select( 0, NULL, &write, NULL, &timeout ) == 1;
    }
    ok( count < FILLERS, "%u connections that nobody accepts\n", count );
    blocked.s = socket( AF_INET, SOCK_STREAM, 0 );
    thread = CreateThread( NULL, 0, block, &blocked, 0, NULL );
    if ( WaitForSingleObject( thread, 500 ) == WAIT_TIMEOUT )
    {
        if ( closes ) check_ok( closesocket( blocked.s ) );
        else check_result( CancelSynchronousIo( thread ), TRUE );
        ok( !WaitForSingleObject( thread, 5000 ), "still blocked\n" );
        if ( closes )
            ok( blocked.error == WSAEINTR || blocked.error == WSAECONNABORTED || blocked.error == WSAENOTSOCK,
                "error %lu\n", blocked.error );
        else ok( blocked.error == WSA_OPERATION_ABORTED, "error %lu\n", blocked.error );
    }
    else ok( blocked.error == WSAECONNREFUSED || blocked.error == WSAETIMEDOUT, "error %lu\n", blocked.error );
    ok( blocked.result == -1, "result %lld\n", blocked.result );
    CloseHandle( thread );
    if ( !closes ) closesocket( blocked.s );
    while ( count-- ) closesocket( fillers[count] );
    closesocket( listener );
    winetest_pop_context();
}

static volatile LONG rounds, aborted;
static volatile BOOL stop;

static DWORD CALLBACK receive_always( void *argument )
{
    char byte;

    while ( !stop )
    {
        if ( recv( *(SOCKET *)argument, &byte, 1, 0 ) < 0 )
        {
            ok( WSAGetLastError() == WSA_OPERATION_ABORTED, "error %d\n", WSAGetLastError() );
            InterlockedIncrement( &aborted );
        }
        InterlockedIncrement( &rounds );
    }
    return 0;
}

/* A cancel that says it found something has ended exactly one call, whenever it came. */
static void test_cancel_always( void )
{
    SOCKET client, server;
    LONG cancelled = 0;
    HANDLE thread;

    tcp_pair( &client, &server );
    set_receive_timeout( server, 0 );
    thread = CreateThread( NULL, 0, receive_always, &server, 0, NULL );
    for ( unsigned int i = 0; i < 50; i++ )
    {
        LONG before = aborted;
        DWORD begin = GetTickCount();

        Sleep( i % 7 * 5 );
        while ( !CancelSynchronousIo( thread ) && GetTickCount() - begin < 5000 ) Sleep( 1 );
        cancelled++;
        while ( aborted == before && GetTickCount() - begin < 5000 ) Sleep( 0 );
        ok( aborted == before + 1, "%ld calls ended by one cancel\n", aborted - before );
    }
    stop = TRUE;
    check_result( send( client, "x", 1, 0 ), 1 );
    ok( !WaitForSingleObject( thread, 5000 ), "the thread does not end\n" );
    ok( aborted == cancelled, "%ld calls ended by %ld cancels\n", aborted, cancelled );
    CloseHandle( thread );
    closesocket( client );
    closesocket( server );
}

START_TEST( waits )
{
    if ( support_begin() ) return;
    test_result( FALSE );
    test_result( TRUE );
    for ( enum blocking_call call = 0; call < CALL_CONNECT; call++ ) test_cancel( call );
    test_connect( FALSE );
    test_connect( TRUE );
    test_cancel_always();
    support_end();
}
