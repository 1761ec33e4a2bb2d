/*
 * Completion ports as their waiters see them: packets of sockets, of the program and of other files on one port come in
 * order, none is starved, each waiter that can have one gets one, and timeouts, APCs, other handles of the port and its
 * closing do what they do on any port.
 */
#include "puppets.h"

#define WAITERS 8
/* How long a waiter has slept when its packet comes: not at all, a moment, long. */
static const DWORD delays[] = { 0, 2, 60 };

struct port_socket
{
    SOCKET client, server;
    OVERLAPPED ov;
    char data[16];
};

static void socket_open( struct port_socket *s )
{
    memset( s, 0, sizeof( *s ) );
    tcp_pair( &s->client, &s->server );
}

static void socket_receive( struct port_socket *s )
{
    WSABUF buffer = { sizeof( s->data ), s->data };
    DWORD flags = 0;

    memset( &s->ov, 0, sizeof( s->ov ) );
    check_fails( WSARecv( s->server, &buffer, 1, NULL, &flags, &s->ov, NULL ), WSA_IO_PENDING );
}

static void socket_join( struct port_socket *s, HANDLE port, ULONG_PTR key )
{
    ok( CreateIoCompletionPort( (HANDLE)s->server, port, key, 0 ) == port, "error %lu\n", GetLastError() );
}

static void socket_close( struct port_socket *s )
{
    closesocket( s->client );
    closesocket( s->server );
}

static HANDLE port_open( void )
{
    HANDLE port = CreateIoCompletionPort( INVALID_HANDLE_VALUE, NULL, 0, 0 );

    ok( port != NULL, "error %lu\n", GetLastError() );
    return port;
}

#define check_key( port, expected ) check_key_( __LINE__, port, expected )
static void check_key_( int line, HANDLE port, ULONG_PTR expected )
{
    OVERLAPPED *ov = NULL;
    ULONG_PTR key = 0;
    DWORD size;
    BOOL done = GetQueuedCompletionStatus( port, &size, &key, &ov, 5000 );

    ok_( __FILE__, line )( done && key == expected, "returned %d, error %lu, key %#llx, expected %#llx\n", done,
                           GetLastError(), (unsigned long long)key, (unsigned long long)expected );
}

#define check_empty( port, milliseconds ) check_empty_( __LINE__, port, milliseconds )
static void check_empty_( int line, HANDLE port, DWORD milliseconds )
{
    OVERLAPPED *ov = (OVERLAPPED *)1;
    OVERLAPPED_ENTRY entry;
    ULONG_PTR key;
    DWORD size, begin = GetTickCount(), took;
    ULONG count;

    SetLastError( ERROR_UNTOUCHED );
    ok_( __FILE__, line )( !GetQueuedCompletionStatus( port, &size, &key, &ov, milliseconds ), "a packet\n" );
    took = GetTickCount() - begin;
    ok_( __FILE__, line )( GetLastError() == WAIT_TIMEOUT && !ov, "error %lu, OVERLAPPED %p\n", GetLastError(),
                           (void *)ov );
    /* the clock goes in steps of up to 16 ms */
    ok_( __FILE__, line )( took + 20 >= milliseconds && took < milliseconds + 3000, "%lu ms for %lu\n", took,
                           milliseconds );
    SetLastError( ERROR_UNTOUCHED );
    ok_( __FILE__, line )( !GetQueuedCompletionStatusEx( port, &entry, 1, &count, milliseconds, FALSE ), "a packet\n" );
    ok_( __FILE__, line )( GetLastError() == WAIT_TIMEOUT, "error %lu\n", GetLastError() );
}

/* What was posted before the first socket came, what ends on sockets, and what is posted: one order. */
static void test_order( void )
{
    HANDLE port = port_open();
    OVERLAPPED_ENTRY entries[8];
    struct port_socket s[2];
    ULONG count = 0;

    for ( unsigned int i = 0; i < 2; i++ ) socket_open( &s[i] );
    PostQueuedCompletionStatus( port, 0, 1, NULL );
    PostQueuedCompletionStatus( port, 0, 2, NULL );
    socket_join( &s[0], port, 3 );
    socket_join( &s[1], port, 5 );
    for ( unsigned int i = 0; i < 2; i++ ) socket_receive( &s[i] );
    CancelIo( (HANDLE)s[0].server ); /* a packet is there when it returns */
    PostQueuedCompletionStatus( port, 0, 4, NULL );
    CancelIo( (HANDLE)s[1].server );
    PostQueuedCompletionStatus( port, 0, 6, NULL );
    for ( ULONG_PTR expected = 1; expected <= 6; )
    {
        if ( !GetQueuedCompletionStatusEx( port, entries, expected == 4 ? 1 : 8, &count, 5000, FALSE ) )
        {
            ok( 0, "error %lu, packet %lu is missing\n", GetLastError(), (DWORD)expected );
            break;
        }
        ok( count >= 1 && ( expected != 4 || count == 1 ), "%lu packets\n", count );
        for ( ULONG i = 0; i < count; i++, expected++ )
            ok( entries[i].lpCompletionKey == expected, "key %lu, expected %lu\n", (DWORD)entries[i].lpCompletionKey,
                (DWORD)expected );
    }
    check_empty( port, 0 );
    check_empty( port, 3 );
    check_empty( port, 150 );

    /* many at once, more than any first room for them */
    for ( unsigned int i = 0; i < 1000; i++ ) PostQueuedCompletionStatus( port, i, 7, (OVERLAPPED *)(ULONG_PTR)i );
    for ( unsigned int i = 0; i < 1000; )
    {
        if ( !GetQueuedCompletionStatusEx( port, entries, 7, &count, 5000, FALSE ) ) break;
        for ( ULONG j = 0; j < count; j++, i++ )
            if ( entries[j].dwNumberOfBytesTransferred != i || (ULONG_PTR)entries[j].lpOverlapped != i )
                ok( 0, "packet %lu in place of %u\n", entries[j].dwNumberOfBytesTransferred, i );
        if ( i == 1000 ) ok( 1, "all came\n" );
    }
    check_empty( port, 0 );
    for ( unsigned int i = 0; i < 2; i++ ) socket_close( &s[i] );
    CloseHandle( port );
}

/* --- waiters ------------------------------------------------------------------------------------------------------------*/

struct waiter
{
    HANDLE port, thread;
    BOOL done, alertable;
    DWORD error;
    ULONG_PTR key;
    unsigned int apcs;
};

static DWORD WINAPI waiter_main( void *argument )
{
    struct waiter *waiter = argument;
    OVERLAPPED_ENTRY entry = { 0 };
    OVERLAPPED *ov;
    DWORD size;
    ULONG count;

    SetLastError( ERROR_UNTOUCHED );
    if ( waiter->alertable )
    {
        waiter->done = GetQueuedCompletionStatusEx( waiter->port, &entry, 1, &count, INFINITE, TRUE );
        waiter->key = entry.lpCompletionKey;
    }
    else waiter->done = GetQueuedCompletionStatus( waiter->port, &size, &waiter->key, &ov, INFINITE );
    waiter->error = waiter->done ? 0 : GetLastError();
    return 0;
}

static void waiter_start( struct waiter *waiter, HANDLE port, BOOL alertable )
{
    memset( waiter, 0, sizeof( *waiter ) );
    waiter->port = port;
    waiter->alertable = alertable;
    waiter->thread = CreateThread( NULL, 0, waiter_main, waiter, 0, NULL );
}

#define check_waiter( waiter, key, error ) check_waiter_( __LINE__, waiter, key, error )
static void check_waiter_( int line, struct waiter *waiter, ULONG_PTR key, DWORD error )
{
    DWORD result = WaitForSingleObject( waiter->thread, 5000 );

    ok_( __FILE__, line )( !result, "the waiter waits\n" );
    if ( !result )
    {
        ok_( __FILE__, line )( waiter->error == error, "error %lu, expected %lu\n", waiter->error, error );
        if ( !error ) ok_( __FILE__, line )( waiter->key == key, "key %lu\n", (DWORD)waiter->key );
    }
    else TerminateThread( waiter->thread, 0 );
    CloseHandle( waiter->thread );
}

/* Who waits before any socket comes gets its packets too. */
static void test_early_waiter( void )
{
    for ( unsigned int alertable = 0; alertable < 2; alertable++ )
    {
        HANDLE port = port_open();
        struct port_socket s;
        struct waiter waiter;

        socket_open( &s );
        waiter_start( &waiter, port, alertable );
        Sleep( 50 );
        socket_join( &s, port, 9 );
        socket_receive( &s );
        check_result( send( s.client, "hello", 5, 0 ), 5 );
        check_waiter( &waiter, 9, 0 );
        check_empty( port, 0 );
        socket_close( &s );
        CloseHandle( port );
    }
}

/* As many packets as waiters: all of them return, for each might wait for what another does. Several ports. */
static void test_many_waiters( void )
{
    struct waiter waiters[2][WAITERS];
    struct port_socket s[2];
    HANDLE ports[2];

    for ( unsigned int i = 0; i < 2; i++ )
    {
        ports[i] = port_open();
        socket_open( &s[i] );
        socket_join( &s[i], ports[i], 100 + i );
    }
    for ( unsigned int round = 0; round < 4 * ARRAY_SIZE( delays ); round++ )
    {
        for ( unsigned int i = 0; i < 2; i++ )
        {
            socket_receive( &s[i] );
            for ( unsigned int j = 0; j < WAITERS; j++ )
            {
                waiter_start( &waiters[i][j], ports[i], round % 2 && j % 2 );
                /* some sleep long, some have just begun */
                if ( j == WAITERS / 2 ) Sleep( delays[round % ARRAY_SIZE( delays )] );
            }
        }
        Sleep( delays[( round + 1 ) % ARRAY_SIZE( delays )] );
        for ( unsigned int i = 0; i < 2; i++ )
        {
            check_result( send( s[i].client, "hello", 5, 0 ), 5 );
            for ( unsigned int j = 1; j < WAITERS; j++ ) PostQueuedCompletionStatus( ports[i], 0, 100 + i, NULL );
        }
        for ( unsigned int i = 0; i < 2; i++ )
            for ( unsigned int j = 0; j < WAITERS; j++ ) check_waiter( &waiters[i][j], 100 + i, 0 );
    }
    for ( unsigned int i = 0; i < 2; i++ )
    {
        check_empty( ports[i], 0 );
        socket_close( &s[i] );
        CloseHandle( ports[i] );
    }
}

static void CALLBACK count_apc( ULONG_PTR argument ) { ( (struct waiter *)argument )->apcs++; }

static void test_alertable( void )
{
    HANDLE port = port_open();
    OVERLAPPED_ENTRY entry;
    struct port_socket s;
    struct waiter waiter;
    ULONG count;

    socket_open( &s );
    socket_join( &s, port, 1 );
    for ( unsigned int i = 0; i < ARRAY_SIZE( delays ); i++ )
    {
        waiter_start( &waiter, port, TRUE );
        Sleep( 20 + delays[i] );
        QueueUserAPC( count_apc, waiter.thread, (ULONG_PTR)&waiter );
        check_waiter( &waiter, 0, WAIT_IO_COMPLETION );
        ok( waiter.apcs == 1, "%u APCs\n", waiter.apcs );
    }
    /* without waiting */
    waiter.apcs = 0;
    QueueUserAPC( count_apc, GetCurrentThread(), (ULONG_PTR)&waiter );
    check_empty( port, 0 );
    ok( !waiter.apcs, "a wait that is not alertable ran an APC\n" );
    check_error( GetQueuedCompletionStatusEx( port, &entry, 1, &count, 0, TRUE ), FALSE, WAIT_IO_COMPLETION );
    ok( waiter.apcs == 1, "%u APCs\n", waiter.apcs );
    check_error( GetQueuedCompletionStatusEx( port, &entry, 1, &count, 0, TRUE ), FALSE, WAIT_TIMEOUT );
    socket_close( &s );
    CloseHandle( port );
}

/* Three threads wait at a port that is closed under them. FALSE: one of them was not in the call yet. */
static BOOL close_under_waiters( DWORD pause, DWORD delay, BOOL last_try )
{
    HANDLE port = port_open();
    struct waiter waiters[3];
    struct port_socket s;
    BOOL late = FALSE;

    socket_open( &s );
    socket_join( &s, port, 1 );
    for ( unsigned int i = 0; i < 3; i++ )
    {
        waiter_start( &waiters[i], port, i == 1 );
        Sleep( pause );
    }
    Sleep( delay );
    CloseHandle( port );
    for ( unsigned int i = 0; i < 3 && !last_try; i++ )
        late |= !WaitForSingleObject( waiters[i].thread, 5000 ) && waiters[i].error == ERROR_INVALID_HANDLE;
    for ( unsigned int i = 0; i < 3; i++ )
        check_waiter( &waiters[i], 0,
                      late && waiters[i].error == ERROR_INVALID_HANDLE ? ERROR_INVALID_HANDLE
                                                                       : ERROR_ABANDONED_WAIT_0 );
    /* the socket works on */
    check_flow( s.client, s.server );
    socket_close( &s );
    return !late;
}

static void test_closing( void )
{
    for ( unsigned int i = 0; i < ARRAY_SIZE( delays ); i++ )
        for ( DWORD pause = 20; !close_under_waiters( pause, delays[i], pause > 2000 ); pause *= 2 ) continue;
}

/* --- other files, handles and processes ---------------------------------------------------------------------------------*/

static void pipe_pair( HANDLE *server, HANDLE *client )
{
    char name[64];

    snprintf( name, sizeof( name ), "\\\\.\\pipe\\ws2host-ports-%lu", GetCurrentProcessId() );
    *server =
        CreateNamedPipeA( name, PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED, PIPE_TYPE_BYTE, 1, 1024, 1024, 0, NULL );
    ok( *server != INVALID_HANDLE_VALUE, "error %lu\n", GetLastError() );
    *client = CreateFileA( name, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL );
    ok( *client != INVALID_HANDLE_VALUE, "error %lu\n", GetLastError() );
}

/* A pipe beside sockets: it wakes waiters as they do, a poll finds it, and a port that never runs empty does not keep its
 * packets back. */
static void test_foreign( void )
{
    HANDLE port = port_open(), pipe, end;
    OVERLAPPED ov = { 0 }, *got;
    struct waiter waiter;
    struct port_socket s;
    DWORD size, begin;
    ULONG_PTR key;
    char data[16];

    socket_open( &s );
    pipe_pair( &pipe, &end );
    socket_join( &s, port, 1 );
    for ( unsigned int round = 0; round < 2 * ARRAY_SIZE( delays ); round++ )
    {
        /* the first waiter sleeps before the pipe comes */
        waiter_start( &waiter, port, FALSE );
        Sleep( delays[round / 2] );
        if ( !round ) ok( CreateIoCompletionPort( pipe, port, 2, 0 ) == port, "error %lu\n", GetLastError() );
        socket_receive( &s );
        check_error( ReadFile( pipe, data, sizeof( data ), NULL, &ov ), FALSE, ERROR_IO_PENDING );
        if ( round % 2 )
        {
            check_result( send( s.client, "hello", 5, 0 ), 5 );
            check_waiter( &waiter, 1, 0 );
            check_result( WriteFile( end, "hello", 5, &size, NULL ), TRUE );
            check_key( port, 2 );
        }
        else
        {
            check_result( WriteFile( end, "hello", 5, &size, NULL ), TRUE );
            check_waiter( &waiter, 2, 0 );
            check_result( send( s.client, "hello", 5, 0 ), 5 );
            check_key( port, 1 );
        }
    }

    check_error( ReadFile( pipe, data, sizeof( data ), NULL, &ov ), FALSE, ERROR_IO_PENDING );
    check_result( WriteFile( end, "hello", 5, &size, NULL ), TRUE );
    check_result( GetQueuedCompletionStatus( port, &size, &key, &got, 0 ), TRUE );
    ok( key == 2 && got == &ov && size == 5, "key %lu, size %lu\n", (DWORD)key, size );

    check_error( ReadFile( pipe, data, sizeof( data ), NULL, &ov ), FALSE, ERROR_IO_PENDING );
    for ( unsigned int i = 0; i < 10; i++ ) PostQueuedCompletionStatus( port, 0, 3, NULL );
    check_result( WriteFile( end, "hello", 5, &size, NULL ), TRUE );
    begin = GetTickCount();
    do {
        key = 0;
        if ( !GetQueuedCompletionStatus( port, &size, &key, &got, 5000 ) ) break;
        if ( key == 3 ) PostQueuedCompletionStatus( port, 0, 3, NULL );
    } while ( key == 3 && GetTickCount() - begin < 5000 );
    ok( key == 2, "the pipe's packet was starved\n" );
    for ( unsigned int i = 0; i < 10; i++ ) check_key( port, 3 );
    check_empty( port, 0 );
    CloseHandle( end );
    CloseHandle( pipe );
    socket_close( &s );
    CloseHandle( port );
}

/* Whichever handle of the port is waited on, posted to, or closed first. */
static void test_handles( void )
{
    HANDLE port = port_open(), other;
    struct waiter waiters[2];
    struct port_socket s;

    socket_open( &s );
    socket_join( &s, port, 1 );
    socket_receive( &s );
    PostQueuedCompletionStatus( port, 0, 2, NULL );
    PostQueuedCompletionStatus( port, 0, 3, NULL );
    waiter_start( &waiters[0], port, FALSE );
    check_waiter( &waiters[0], 2, 0 );
    check_result(
        DuplicateHandle( GetCurrentProcess(), port, GetCurrentProcess(), &other, 0, FALSE, DUPLICATE_SAME_ACCESS ),
        TRUE );
    check_key( other, 3 ); /* it was there before */
    waiter_start( &waiters[0], other, FALSE );
    Sleep( 50 );
    check_result( send( s.client, "hello", 5, 0 ), 5 );
    check_waiter( &waiters[0], 1, 0 );
    PostQueuedCompletionStatus( other, 0, 4, NULL );
    check_key( port, 4 );
    PostQueuedCompletionStatus( port, 0, 5, NULL );
    check_key( other, 5 );
    /* not the last one: a waiter on the other waits on */
    waiter_start( &waiters[1], other, FALSE );
    Sleep( 50 );
    CloseHandle( port );
    socket_receive( &s );
    check_result( send( s.client, "hello", 5, 0 ), 5 );
    check_waiter( &waiters[1], 1, 0 );
    socket_close( &s );
    CloseHandle( other );
}

/* Another process gets itself a handle and posts. */
static void test_processes( void )
{
    HANDLE port = port_open();
    struct puppet puppet;
    struct port_socket s;
    struct waiter waiter;

    puppet_create( &puppet, 0 );
    socket_open( &s );
    socket_join( &s, port, 1 );
    socket_receive( &s );
    for ( unsigned int i = 0; i < ARRAY_SIZE( delays ); i++ )
    {
        puppet.message->value = GetCurrentProcessId();
        waiter_start( &waiter, port, FALSE );
        Sleep( delays[i] );
        check_result( puppet_do_on( &puppet, PUPPET_POST, (SOCKET)port ), TRUE );
        check_waiter( &waiter, 42, 0 );
    }
    check_result( send( s.client, "hello", 5, 0 ), 5 );
    check_key( port, 1 );
    socket_close( &s );
    CloseHandle( port );
    puppet_destroy( &puppet );
}

START_TEST( ports )
{
    if ( support_begin() ) return;
    test_order();
    test_early_waiter();
    test_many_waiters();
    test_alertable();
    test_closing();
    test_foreign();
    test_handles();
    test_processes();
    support_end();
}
