/*
 * Overlapped operations of a socket as a file: ReadFileEx and WriteFileEx with their routines, CloseHandle with operations
 * that wait, the end of the process. And what waits comes before those who only look: WSAPoll, the same by its GUID, select.
 */
#include "requests.h"
#include "puppets.h"

#define check_pends( call ) check_fails( call, WSA_IO_PENDING )

static struct
{
    int calls;
    DWORD error, size;
    OVERLAPPED *overlapped;
} called;

static void CALLBACK file_routine( DWORD error, DWORD size, OVERLAPPED *overlapped )
{
    called.calls++;
    called.error = error;
    called.size = size;
    called.overlapped = overlapped;
}

#define check_routine( ov, error, size ) check_routine_( __LINE__, ov, error, size )
static void check_routine_( int line, OVERLAPPED *ov, DWORD error, DWORD size )
{
    ok_( __FILE__, line )( !called.calls, "called too early\n" );
    ok_( __FILE__, line )( SleepEx( 5000, TRUE ) == WAIT_IO_COMPLETION, "no routine ran\n" );
    ok_( __FILE__, line )( called.calls == 1 && called.overlapped == ov, "%d calls\n", called.calls );
    ok_( __FILE__, line )( called.error == error && called.size == size, "error %lu, size %lu\n", called.error,
                           called.size );
    memset( &called, 0, sizeof( called ) );
}

static int receive( SOCKET s, void *memory, ULONG size, OVERLAPPED *ov, HANDLE event )
{
    WSABUF buffer = { size, memory };
    DWORD flags = 0;

    memset( ov, 0, sizeof( *ov ) );
    ov->hEvent = event;
    return WSARecv( s, &buffer, 1, NULL, &flags, ov, NULL );
}

struct drain
{
    SOCKET s;
    size_t size, got;
};

static DWORD CALLBACK drain( void *argument )
{
    struct drain *d = argument;
    static char data[1 << 16];
    int n;

    while ( d->got < d->size && ( n = recv( d->s, data, sizeof( data ), 0 ) ) > 0 ) d->got += n;
    return 0;
}

/* The routine gets Win32's error, whatever ended the operation; the event is the program's own. */
static void test_routines( void )
{
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL );
    const size_t size = 32 << 20;
    char *large = calloc( 1, size ), data[1 << 16];
    struct linger reset = { 1, 0 };
    SOCKET client, server;
    OVERLAPPED ov = { .hEvent = event };
    struct drain other = { .size = size };
    HANDLE thread;

    tcp_pair( &client, &server );
    memset( &called, 0, sizeof( called ) );
    /* a read that waits, and one that need not */
    check_result( ReadFileEx( (HANDLE)server, data, 16, &ov, file_routine ), TRUE );
    check_result( SleepEx( 50, TRUE ), 0 );
    check_result( send( client, "hello", 5, 0 ), 5 );
    check_routine( &ov, 0, 5 );
    ok( !memcmp( data, "hello", 5 ), "got %.5s\n", data );
    check_result( send( client, "again", 5, 0 ), 5 );
    ok( wait_readable( server, 5000 ), "no data\n" );
    check_result( ReadFileEx( (HANDLE)server, data, 16, &ov, file_routine ), TRUE );
    check_routine( &ov, 0, 5 );
    check_result( WaitForSingleObject( event, 0 ), WAIT_TIMEOUT );

    /* a write that need not wait, and one that does */
    check_result( WriteFileEx( (HANDLE)server, "back", 4, &ov, file_routine ), TRUE );
    check_routine( &ov, 0, 4 );
    check_result( recv( client, data, sizeof( data ), 0 ), 4 );
    check_result( WriteFileEx( (HANDLE)server, large, (DWORD)size, &ov, file_routine ), TRUE );
    check_result( SleepEx( 50, TRUE ), 0 );
    /* by another thread: a receive that waits is where routines are called, too */
    other.s = client;
    thread = CreateThread( NULL, 0, drain, &other, 0, NULL );
    check_result( WaitForSingleObject( thread, 60000 ), 0 );
    CloseHandle( thread );
    ok( other.got == size, "%zu bytes\n", other.got );
    check_routine( &ov, 0, (DWORD)size );

    /* cancelled; the end of the stream; a reset */
    check_result( ReadFileEx( (HANDLE)server, data, 16, &ov, file_routine ), TRUE );
    check_result( CancelIo( (HANDLE)server ), TRUE );
    check_routine( &ov, ERROR_OPERATION_ABORTED, 0 );
    check_result( ReadFileEx( (HANDLE)client, data, 16, &ov, file_routine ), TRUE );
    check_ok( shutdown( server, SD_SEND ) );
    check_result( SleepEx( 5000, TRUE ), WAIT_IO_COMPLETION );
    ok( called.calls == 1 && !called.size && ( !called.error || called.error == ERROR_HANDLE_EOF ),
        "error %lu, size %lu\n", called.error, called.size );
    memset( &called, 0, sizeof( called ) );
    check_result( ReadFileEx( (HANDLE)server, data, 16, &ov, file_routine ), TRUE );
    setsockopt( client, SOL_SOCKET, SO_LINGER, (char *)&reset, sizeof( reset ) );
    closesocket( client );
    check_routine( &ov, ERROR_NETNAME_DELETED, 0 );
    closesocket( server );
    CloseHandle( event );
    free( large );
}

/* CloseHandle ends what waits, as closesocket does: in both directions, told by events and by packets. A receive of a
 * connection is aborted with it, a send is cancelled (facts: windows-behaviour 6.3). */
static void test_close_handle( BOOL by_port )
{
    HANDLE events[3], port = NULL;
    char *large = calloc( 1, 1 << 20 ), data[2][16];
    WSABUF buffer = { 1 << 20, large };
    OVERLAPPED ov[3];
    SOCKET client, server;
    unsigned int sent = 0, ended = 0;
    int result = 0;
    DWORD error;

    winetest_push_context( "by port %d", by_port );
    tcp_pair( &client, &server );
    for ( int i = 0; i < 3; i++ ) events[i] = CreateEventW( NULL, TRUE, FALSE, NULL );
    if ( by_port ) port = CreateIoCompletionPort( (HANDLE)server, NULL, 42, 0 );
    for ( int i = 0; i < 2; i++ ) check_pends( receive( server, data[i], 16, &ov[i], by_port ? NULL : events[i] ) );
    for ( ; sent < 200; sent++ )
    {
        OVERLAPPED *which = NULL;
        ULONG_PTR key;
        DWORD size;

        memset( &ov[2], 0, sizeof( ov[2] ) );
        if ( !by_port ) ov[2].hEvent = events[2];
        result = WSASend( server, &buffer, 1, NULL, 0, &ov[2], NULL );
        if ( result && WSAGetLastError() != WSA_IO_PENDING ) break;
        if ( by_port ? !GetQueuedCompletionStatus( port, &size, &key, &which, 200 )
                     : WaitForSingleObject( events[2], 200 ) )
            break;
    }
    ok( sent < 200 && ov[2].Internal == STATUS_PENDING, "%u sends, status %#lx\n", sent, (DWORD)ov[2].Internal );
    check_result( CloseHandle( (HANDLE)server ), TRUE );
    for ( int i = 0; i < 3; i++ )
    {
        OVERLAPPED *which = NULL;
        ULONG_PTR key = 0;
        DWORD size;

        if ( !by_port )
        {
            check_result( WaitForSingleObject( events[i], 5000 ), 0 );
            ended |= 1u << i;
            continue;
        }
        result = GetQueuedCompletionStatus( port, &size, &key, &which, 5000 );
        error = GetLastError();
        ok( !result && error == ( which == &ov[2] ? ERROR_OPERATION_ABORTED : ERROR_CONNECTION_ABORTED ),
            "result %d, error %lu\n", result, error );
        ok( which >= ov && which < ov + 3 && key == 42, "OVERLAPPED %p, key %#zx\n", (void *)which, (size_t)key );
        if ( which >= ov && which < ov + 3 ) ended |= 1u << ( which - ov );
    }
    ok( ended == 7, "ended: %#x\n", ended );
    /* how much of the send had gone is not said of Windows */
    for ( int i = 0; i < 3; i++ )
        ok( ov[i].Internal == ( i == 2 ? 0xc0000120 : 0xc0000241 ) && ( i == 2 || !ov[i].InternalHigh ),
            "%d: status %#lx\n", i, (DWORD)ov[i].Internal );
    check_fails( recv( server, data[0], 1, 0 ), WSAENOTSOCK );
    closesocket( client );
    for ( int i = 0; i < 3; i++ ) CloseHandle( events[i] );
    if ( port ) CloseHandle( port );
    free( large );
    winetest_pop_context();
}

/* A process leaves with a receive that waits: its peers see the end, and who has the socket too goes on. */
static void test_process_exits( BOOL shared )
{
    WSAPROTOCOL_INFOA info;
    SOCKET client, here, there;
    struct puppet puppet;
    OVERLAPPED ov;
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL );
    char data[16];

    winetest_push_context( "shared %d", shared );
    tcp_pair( &client, &here );
    puppet_create( &puppet, 0 );
    check_ok( WSADuplicateSocketA( here, puppet.pid, &info ) );
    there = puppet_open_a( &puppet, &info, WSA_FLAG_OVERLAPPED );
    ok( there != INVALID_SOCKET, "no duplicate, error %d\n", WSAGetLastError() );
    puppet.message->value = 16;
    check_result( puppet_do_on( &puppet, PUPPET_RECV_EX, there ), 1 );
    if ( !shared ) check_ok( closesocket( here ) );
    puppet_destroy( &puppet ); /* without closing anything */
    if ( shared )
    {
        check_open( client );
        check_pends( receive( here, data, sizeof( data ), &ov, event ) );
        check_result( send( client, "hello", 5, 0 ), 5 );
        check_result( WaitForSingleObject( event, 5000 ), 0 );
        ok( !ov.Internal && ov.InternalHigh == 5 && !memcmp( data, "hello", 5 ), "status %#lx, %lu bytes\n",
            (DWORD)ov.Internal, (DWORD)ov.InternalHigh );
        closesocket( here );
    }
    else check_eof( client );
    closesocket( client );
    CloseHandle( event );
    winetest_pop_context();
}

/* Data that a waiting receive takes is nobody else's to see; what it leaves is. */
static void test_pollers( void )
{
    typedef int( WINAPI * poll_function )( WSAPOLLFD *, ULONG, INT );
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL );
    poll_function polls[2] = { WSAPoll, NULL };
    SOCKET client, server;
    WSAPOLLFD fd;
    OVERLAPPED ov;
    char data[16];

    tcp_pair( &client, &server );
    polls[1] = extension( server, (GUID)WSAID_WSAPOLL );
    for ( unsigned int i = 0; i < ARRAY_SIZE( polls ); i++ )
    {
        if ( !polls[i] ) continue; /* a failed check, above */
        winetest_push_context( "poll %u", i );
        for ( int round = 0; round < 20; round++ )
        {
            check_pends( receive( server, data, 5, &ov, event ) );
            check_result( send( client, "hello", 5, 0 ), 5 );
            fd = ( WSAPOLLFD ){ server, POLLRDNORM, 0 };
            check_result( polls[i]( &fd, 1, round % 2 ? 0 : 20 ), 0 );
            ok( !fd.revents, "events %#x\n", fd.revents );
            check_result( WaitForSingleObject( event, 5000 ), 0 );
            ok( ov.InternalHigh == 5, "%lu bytes\n", (DWORD)ov.InternalHigh );
            ok( !wait_readable( server, 0 ), "readable\n" );
        }
        check_pends( receive( server, data, 3, &ov, event ) );
        check_result( send( client, "hello", 5, 0 ), 5 );
        fd = ( WSAPOLLFD ){ server, POLLRDNORM, 0 };
        check_result( polls[i]( &fd, 1, 5000 ), 1 );
        ok( fd.revents == POLLRDNORM, "events %#x\n", fd.revents );
        check_result( recv( server, data + 8, 8, 0 ), 2 );
        ok( !memcmp( data, "hel", 3 ) && !memcmp( data + 8, "lo", 2 ), "got %.3s and %.2s\n", data, data + 8 );
        winetest_pop_context();
    }
    closesocket( client );
    closesocket( server );
    CloseHandle( event );
}

/* WSASendTo with an OVERLAPPED, told by a routine and by a packet; the address is read during the call. */
static void CALLBACK winsock_routine( DWORD error, DWORD size, OVERLAPPED *overlapped, DWORD flags )
{
    ok( !flags, "flags %#lx\n", flags );
    file_routine( error, size, overlapped );
}

static void test_send_to( void )
{
    union address address, sender_address, to;
    SOCKET receiver = udp_bound( AF_INET, &address ), sender = udp_bound( AF_INET, &sender_address );
    WSABUF buffers[2] = { { 3, (char *)"abc" }, { 2, (char *)"de" } };
    OVERLAPPED ov = { 0 }, *which = NULL;
    ULONG_PTR key = 0;
    DWORD size = 0;
    char data[16];
    HANDLE port;
    int result;

    set_receive_timeout( receiver, 10000 );
    for ( int by_port = 0; by_port < 2; by_port++ )
    {
        winetest_push_context( "by port %d", by_port );
        memset( &called, 0, sizeof( called ) );
        port = by_port ? CreateIoCompletionPort( (HANDLE)sender, NULL, 42, 0 ) : NULL;
        to = address;
        result =
            WSASendTo( sender, buffers, 2, NULL, 0, &to.any, sizeof( to.v4 ), &ov, by_port ? NULL : winsock_routine );
        memset( &to, 0, sizeof( to ) );
        ok( !result || WSAGetLastError() == WSA_IO_PENDING, "error %d\n", WSAGetLastError() );
        if ( by_port )
        {
            check_result( GetQueuedCompletionStatus( port, &size, &key, &which, 5000 ), TRUE );
            ok( which == &ov && key == 42 && size == 5, "OVERLAPPED %p, %lu bytes\n", (void *)which, size );
            CloseHandle( port );
        }
        else check_routine( &ov, 0, 5 );
        check_result( recv( receiver, data, sizeof( data ), 0 ), 5 );
        ok( !memcmp( data, "abcde", 5 ), "got %.5s\n", data );
        winetest_pop_context();
    }
    closesocket( receiver );
    closesocket( sender );
}

START_TEST( overlapped_files )
{
    if ( support_begin() ) return;
    test_routines();
    test_close_handle( FALSE );
    test_close_handle( TRUE );
    test_process_exits( FALSE );
    test_process_exits( TRUE );
    test_pollers();
    test_send_to();
    support_end();
}
