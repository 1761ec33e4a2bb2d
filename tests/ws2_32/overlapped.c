/*
 * Overlapped receives and sends: what pends, how its end is told (event, completion routine), the order of several, what
 * WSAGetOverlappedResult makes of each status, and what closing, cancelling and the end of a thread do to what is pending.
 */
#include "requests.h"

#define STATUS_CANCELLED_ 0xc0000120
#define STATUS_CONNECTION_ABORTED_ 0xc0000241
#define STATUS_RESET_ 0xc000020d

static WSABUF buffer_of( void *memory, ULONG size ) { return ( WSABUF ){ size, memory }; }

static int receive( SOCKET s, void *memory, ULONG size, OVERLAPPED *ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine )
{
    WSABUF buffer = buffer_of( memory, size );
    DWORD flags = 0, done = 0xdeadbeef;

    return WSARecv( s, &buffer, 1, &done, &flags, ov, routine );
}

#define check_pends( call ) check_fails( call, WSA_IO_PENDING )

#define check_done( ov, status, size ) check_done_( __LINE__, ov, status, size )
static void check_done_( int line, OVERLAPPED *ov, DWORD status, DWORD size )
{
    DWORD waited = WaitForSingleObject( ov->hEvent, 5000 );

    ok_( __FILE__, line )( !waited, "the event was not set\n" );
    ok_( __FILE__, line )( ov->Internal == status, "status %#lx, expected %#lx\n", (DWORD)ov->Internal, status );
    ok_( __FILE__, line )( ov->InternalHigh == size, "size %lu, expected %lu\n", (DWORD)ov->InternalHigh, size );
}

static void test_event( void )
{
    HANDLE event = CreateEventW( NULL, TRUE, TRUE, NULL );
    char data[16] = "untouched";
    SOCKET client, server;
    DWORD size, flags;
    OVERLAPPED ov;

    tcp_pair( &client, &server );
    for ( int nonblocking = 0; nonblocking < 2; nonblocking++ )
    {
        winetest_push_context( "nonblocking %d", nonblocking );
        set_nonblocking( server, nonblocking );
        /* nothing there: it pends, the event is reset */
        SetEvent( event );
        prepare_overlapped( &ov, event );
        check_pends( receive( server, data, sizeof( data ), &ov, NULL ) );
        ok( WaitForSingleObject( event, 50 ) == WAIT_TIMEOUT, "the event is set\n" );
        ok( ov.Internal == STATUS_PENDING, "status %#lx\n", (DWORD)ov.Internal );
        check_error( WSAGetOverlappedResult( server, &ov, &size, FALSE, &flags ), FALSE, WSA_IO_INCOMPLETE );
        check_result( send( client, "hello", 5, 0 ), 5 );
        check_done( &ov, 0, 5 );
        ok( !memcmp( data, "hello", 5 ), "got %.5s\n", data );
        size = flags = 0xdead;
        check_clears( WSAGetOverlappedResult( server, &ov, &size, FALSE, &flags ), TRUE );
        ok( size == 5, "size %lu\n", size );
        ok( !flags, "flags %#lx\n", flags );
        check_result( GetOverlappedResult( (HANDLE)server, &ov, &size, FALSE ), TRUE );

        /* something there: it ends at once, the event is set all the same */
        ResetEvent( event );
        check_result( send( client, "again", 5, 0 ), 5 );
        ok( wait_readable( server, 5000 ), "no data\n" );
        prepare_overlapped( &ov, event );
        check_clears( receive( server, data, sizeof( data ), &ov, NULL ), 0 );
        check_done( &ov, 0, 5 );
        winetest_pop_context();
    }
    closesocket( client );
    closesocket( server );
    CloseHandle( event );
}

/* One event for one operation after the other, each begun as soon as the one before has its status: what is set for an
 * operation that has ended does not tell that the next one has. */
static void test_event_again( void )
{
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL );
    SOCKET client, server;
    DWORD size, flags;
    int early = 0, wrong = 0;
    char data[16];
    OVERLAPPED ov;

    tcp_pair( &client, &server );
    for ( int i = 0; i < 2000 && !early && !wrong; i++ )
    {
        prepare_overlapped( &ov, event );
        wrong +=
            receive( server, data, sizeof( data ), &ov, NULL ) != SOCKET_ERROR || WSAGetLastError() != WSA_IO_PENDING;
        early += WaitForSingleObject( event, 0 ) != WAIT_TIMEOUT;
        wrong += send( client, "again", 5, 0 ) != 5;
        while ( i % 2 && *(volatile ULONG_PTR *)&ov.Internal == STATUS_PENDING ) continue;
        wrong += !WSAGetOverlappedResult( server, &ov, &size, TRUE, &flags ) || size != 5;
    }
    ok( !early, "the event was set while the operation waited\n" );
    ok( !wrong, "an operation did not pend or did not end\n" );
    closesocket( client );
    closesocket( server );
    CloseHandle( event );
}

static void test_order( void )
{
    HANDLE events[2] = { CreateEventW( NULL, TRUE, FALSE, NULL ), CreateEventW( NULL, TRUE, FALSE, NULL ) };
    char sent[32], data[2][16];
    SOCKET client, server;
    OVERLAPPED ov[2];

    tcp_pair( &client, &server );
    for ( unsigned int i = 0; i < sizeof( sent ); i++ ) sent[i] = (char)i;
    for ( unsigned int i = 0; i < 2; i++ )
    {
        prepare_overlapped( &ov[i], events[i] );
        check_pends( receive( server, data[i], 16, &ov[i], NULL ) );
    }
    check_result( send( client, sent, 32, 0 ), 32 );
    for ( unsigned int i = 0; i < 2; i++ )
    {
        check_done( &ov[i], 0, 16 );
        ok( !memcmp( data[i], sent + 16 * i, 16 ), "receive %u has the wrong bytes\n", i );
    }
    closesocket( client );
    closesocket( server );
    for ( unsigned int i = 0; i < 2; i++ ) CloseHandle( events[i] );
}

static void test_routine( void )
{
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL );
    struct linger reset = { 1, 0 };
    SOCKET client, server;
    OVERLAPPED ov;
    char data[16];

    tcp_pair( &client, &server );
    memset( &routine_seen, 0, sizeof( routine_seen ) );
    prepare_overlapped( &ov, event );
    check_pends( receive( server, data, sizeof( data ), &ov, routine ) );
    check_result( SleepEx( 50, TRUE ), 0 );
    check_result( send( client, "hello", 5, 0 ), 5 );
    Sleep( 100 );
    ok( !routine_seen.calls, "called outside an alertable wait\n" );
    check_result( SleepEx( 5000, TRUE ), WAIT_IO_COMPLETION );
    ok( routine_seen.calls == 1, "%d calls\n", routine_seen.calls );
    ok( !routine_seen.error && routine_seen.size == 5 && !routine_seen.flags, "error %lu, size %lu, flags %#lx\n",
        routine_seen.error, routine_seen.size, routine_seen.flags );
    ok( routine_seen.overlapped == &ov, "another OVERLAPPED\n" );
    ok( WaitForSingleObject( event, 0 ) == WAIT_TIMEOUT, "the event is set\n" );

    /* done at once: the routine is called all the same */
    check_result( send( client, "again", 5, 0 ), 5 );
    ok( wait_readable( server, 5000 ), "no data\n" );
    check_clears( receive( server, data, sizeof( data ), &ov, routine ), 0 );
    ok( routine_seen.calls == 1, "called at once\n" );
    check_result( SleepEx( 5000, TRUE ), WAIT_IO_COMPLETION );
    ok( routine_seen.calls == 2 && routine_seen.size == 5, "%d calls, size %lu\n", routine_seen.calls,
        routine_seen.size );

    /* a reset is told in Winsock's terms */
    check_pends( receive( server, data, sizeof( data ), &ov, routine ) );
    setsockopt( client, SOL_SOCKET, SO_LINGER, (char *)&reset, sizeof( reset ) );
    closesocket( client );
    check_result( SleepEx( 5000, TRUE ), WAIT_IO_COMPLETION );
    ok( routine_seen.calls == 3 && routine_seen.error == WSAECONNRESET && !routine_seen.size,
        "%d calls, error %lu, size %lu\n", routine_seen.calls, routine_seen.error, routine_seen.size );
    check_fails( receive( server, data, sizeof( data ), &ov, NULL ), WSAECONNRESET );
    closesocket( server );
    CloseHandle( event );
}

static void test_reset( void )
{
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL );
    struct linger reset = { 1, 0 };
    SOCKET client, server;
    DWORD size = 1, flags;
    OVERLAPPED ov;
    char data[16];

    tcp_pair( &client, &server );
    prepare_overlapped( &ov, event );
    check_pends( receive( server, data, sizeof( data ), &ov, NULL ) );
    setsockopt( client, SOL_SOCKET, SO_LINGER, (char *)&reset, sizeof( reset ) );
    closesocket( client );
    check_done( &ov, STATUS_RESET_, 0 );
    check_error( GetOverlappedResult( (HANDLE)server, &ov, &size, FALSE ), FALSE, ERROR_NETNAME_DELETED );
    check_error( WSAGetOverlappedResult( server, &ov, &size, FALSE, &flags ), FALSE, WSAECONNRESET );
    closesocket( server );
    CloseHandle( event );
}

/* closesocket, CancelIoEx (one, all), CancelIo */
static void test_cancel( void )
{
    HANDLE events[3];
    char data[3][16];
    SOCKET client, server;
    OVERLAPPED ov[3];
    DWORD size, flags;

    for ( unsigned int i = 0; i < 3; i++ ) events[i] = CreateEventW( NULL, TRUE, FALSE, NULL );
    tcp_pair( &client, &server );
    for ( unsigned int i = 0; i < 3; i++ )
    {
        prepare_overlapped( &ov[i], events[i] );
        check_pends( receive( server, data[i], 16, &ov[i], NULL ) );
    }
    closesocket( server );
    for ( unsigned int i = 0; i < 3; i++ ) check_done( &ov[i], STATUS_CONNECTION_ABORTED_, 0 );
    check_eof( client );
    check_error( GetOverlappedResult( (HANDLE)server, &ov[0], &size, FALSE ), FALSE, ERROR_CONNECTION_ABORTED );
    check_error( WSAGetOverlappedResult( server, &ov[0], &size, FALSE, &flags ), FALSE, WSAENOTSOCK );
    closesocket( client );
    for ( unsigned int i = 0; i < 3; i++ ) CloseHandle( events[i] );
}

static void test_peer_closes( void )
{
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL );
    SOCKET client, server;
    OVERLAPPED ov;
    char data[16];

    tcp_pair( &client, &server );
    prepare_overlapped( &ov, event );
    check_pends( receive( server, data, sizeof( data ), &ov, NULL ) );
    closesocket( client );
    check_done( &ov, 0, 0 );
    closesocket( server );
    CloseHandle( event );
}

/* MSG_WAITALL, MSG_PEEK, receives of nothing */
static void test_kinds( void )
{
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL );
    SOCKET client, server;
    OVERLAPPED ov;
    WSABUF buffers[2];
    DWORD flags, size;
    char data[16];

    tcp_pair( &client, &server );
    buffers[0] = buffer_of( data, 4 );
    buffers[1] = buffer_of( data + 4, 2 );
    flags = MSG_WAITALL;
    prepare_overlapped( &ov, event );
    check_pends( WSARecv( server, buffers, 2, NULL, &flags, &ov, NULL ) );
    check_result( send( client, "abcd", 4, 0 ), 4 );
    ok( WaitForSingleObject( event, 100 ) == WAIT_TIMEOUT, "done with a part\n" );
    check_result( send( client, "ef", 2, 0 ), 2 );
    check_done( &ov, 0, 6 );
    ok( !memcmp( data, "abcdef", 6 ), "got %.6s\n", data );

    flags = MSG_PEEK;
    prepare_overlapped( &ov, event );
    check_pends( WSARecv( server, buffers, 1, NULL, &flags, &ov, NULL ) );
    check_result( send( client, "gh", 2, 0 ), 2 );
    check_done( &ov, 0, 2 );
    check_result( recv( server, data, sizeof( data ), 0 ), 2 );

    flags = 0;
    buffers[0].len = 0;
    prepare_overlapped( &ov, event );
    check_pends( WSARecv( server, buffers, 1, NULL, &flags, &ov, NULL ) );
    ok( WaitForSingleObject( event, 100 ) == WAIT_TIMEOUT, "done without data\n" );
    check_result( send( client, "ij", 2, 0 ), 2 );
    check_done( &ov, 0, 0 );
    prepare_overlapped( &ov, event );
    check_result( WSARecv( server, buffers, 1, &size, &flags, &ov, NULL ), 0 );
    check_done( &ov, 0, 0 );
    check_result( recv( server, data, sizeof( data ), 0 ), 2 );
    closesocket( client );
    closesocket( server );
    CloseHandle( event );
}

/* A pending receive gets the data; select, WSAPoll and the network events see only what is left. */
static void test_precedence( void )
{
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL ), network = WSACreateEvent();
    SOCKET client, server;
    WSANETWORKEVENTS events;
    OVERLAPPED ov;
    char data[16];

    tcp_pair( &client, &server );
    check_ok( WSAEventSelect( server, network, FD_READ ) );
    prepare_overlapped( &ov, event );
    check_pends( receive( server, data, 5, &ov, NULL ) );
    check_fails( recv( server, data + 8, 1, 0 ), WSAEWOULDBLOCK );
    check_result( send( client, "hello", 5, 0 ), 5 );
    check_done( &ov, 0, 5 );
    ok( WaitForSingleObject( network, 100 ) == WAIT_TIMEOUT, "FD_READ for data that a receive took\n" );
    ok( !wait_readable( server, 100 ), "readable\n" );
    check_result( send( client, "x", 1, 0 ), 1 );
    ok( !WaitForSingleObject( network, 5000 ), "no FD_READ\n" );
    check_ok( WSAEnumNetworkEvents( server, network, &events ) );
    ok( events.lNetworkEvents == FD_READ, "events %#lx\n", events.lNetworkEvents );
    closesocket( client );
    closesocket( server );
    CloseHandle( event );
    WSACloseEvent( network );
}

struct drain
{
    SOCKET s;
    size_t size, bad;
};

static DWORD WINAPI drain( void *arg )
{
    struct drain *drain = arg;
    static char data[0x10000];
    int n;

    while ( ( n = recv( drain->s, data, sizeof( data ), 0 ) ) > 0 )
        for ( int i = 0; i < n; i++, drain->size++ )
            drain->bad += data[i] != (char)( drain->size * 7 + drain->size / 251 );
    return 0;
}

static char *pattern( size_t size )
{
    char *data = malloc( size );

    for ( size_t i = 0; i < size; i++ ) data[i] = (char)( i * 7 + i / 251 );
    return data;
}

/* A send that is too long for the host's buffers pends, and completes whole. */
static void test_long_send( void )
{
    const size_t size = 100 << 20;
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL ), thread;
    char *data = pattern( size );
    SOCKET client, server;
    struct drain sink = { 0 };
    OVERLAPPED ov;
    WSABUF buffer = buffer_of( data, size );

    tcp_pair( &client, &server );
    prepare_overlapped( &ov, event );
    check_pends( WSASend( client, &buffer, 1, NULL, 0, &ov, NULL ) );
    ok( WaitForSingleObject( event, 100 ) == WAIT_TIMEOUT, "done with nobody reading\n" );
    sink.s = server;
    thread = CreateThread( NULL, 0, drain, &sink, 0, NULL );
    ok( !WaitForSingleObject( event, 30000 ), "not sent\n" );
    ok( !ov.Internal && ov.InternalHigh == size, "status %#lx, size %lu\n", (DWORD)ov.Internal,
        (DWORD)ov.InternalHigh );
    check_ok( shutdown( client, SD_SEND ) );
    ok( !WaitForSingleObject( thread, 30000 ), "no end of stream\n" );
    ok( sink.size == size && !sink.bad, "%zu bytes arrived, %zu wrong\n", sink.size, sink.bad );
    CloseHandle( thread );
    closesocket( client );
    closesocket( server );
    CloseHandle( event );
    free( data );
}

/* A non-blocking send is taken whole or not at all, and what follows comes after it. */
static void test_nonblocking_send( void )
{
    const int size = 16 << 20;
    char *data = pattern( size );
    SOCKET client, server;
    struct drain sink = { 0 };
    int done = 0, n = 0;
    HANDLE thread;

    tcp_pair( &client, &server );
    set_nonblocking( client, TRUE );
    while ( done < size && ( n = send( client, data + done, min( size - done, 1 << 20 ), 0 ) ) > 0 )
    {
        ok( n == min( size - done, 1 << 20 ), "a part of %d was sent\n", n );
        done += n;
    }
    if ( n < 0 ) ok( WSAGetLastError() == WSAEWOULDBLOCK, "error %d\n", WSAGetLastError() );
    check_ok( shutdown( client, SD_SEND ) );
    closesocket( client );
    sink.s = server;
    thread = CreateThread( NULL, 0, drain, &sink, 0, NULL );
    ok( !WaitForSingleObject( thread, 30000 ), "no end of stream\n" );
    ok( sink.size == (size_t)done && !sink.bad, "%zu of %d bytes arrived, %zu wrong\n", sink.size, done, sink.bad );
    CloseHandle( thread );
    closesocket( server );
    free( data );
}

static void test_datagrams( void )
{
    HANDLE events[2] = { CreateEventW( NULL, TRUE, FALSE, NULL ), CreateEventW( NULL, TRUE, FALSE, NULL ) };
    union address address, from[2];
    int from_size[2] = { sizeof( from[0] ), sizeof( from[1] ) };
    SOCKET receiver = udp_bound( AF_INET, &address ), sender;
    union address sender_address;
    char data[2][4];
    OVERLAPPED ov[2];
    DWORD flags, size;

    sender = udp_bound( AF_INET, &sender_address );
    for ( unsigned int i = 0; i < 2; i++ )
    {
        WSABUF buffer = buffer_of( data[i], 4 );
        flags = 0;
        prepare_overlapped( &ov[i], events[i] );
        check_pends( WSARecvFrom( receiver, &buffer, 1, NULL, &flags, &from[i].any, &from_size[i], &ov[i], NULL ) );
    }
    check_result( sendto( sender, "ab", 2, 0, &address.any, sizeof( address.v4 ) ), 2 );
    check_result( sendto( sender, "cdefgh", 6, 0, &address.any, sizeof( address.v4 ) ), 6 );
    check_done( &ov[0], 0, 2 );
    check_done( &ov[1], 0x80000005, 4 ); /* STATUS_BUFFER_OVERFLOW */
    check_error( WSAGetOverlappedResult( receiver, &ov[1], &size, FALSE, &flags ), FALSE, WSAEMSGSIZE );
    ok( !memcmp( data[0], "ab", 2 ) && !memcmp( data[1], "cdef", 4 ), "wrong data\n" );
    for ( unsigned int i = 0; i < 2; i++ )
        ok( from_size[i] == sizeof( struct sockaddr_in ) && address_port( &from[i] ) == address_port( &sender_address ),
            "size %d, port %d\n", from_size[i], address_port( &from[i] ) );
    closesocket( receiver );
    closesocket( sender );
    for ( unsigned int i = 0; i < 2; i++ ) CloseHandle( events[i] );
}

static const struct
{
    DWORD status;
    BOOL result;
    int error;
} statuses[] = {
    { 0x00000000, TRUE, 0 },
    { 0x80000005, FALSE, WSAEMSGSIZE },
    { 0xc0000206, FALSE, WSAEMSGSIZE },
    { 0xc0000002, FALSE, WSAEOPNOTSUPP },
    { 0xc00000bb, FALSE, WSAEOPNOTSUPP },
    { 0xc0000005, FALSE, WSAEFAULT },
    { 0xc0000023, FALSE, WSAEFAULT },
    { 0xc00002c5, FALSE, WSAEFAULT },
    { 0xc0000007, FALSE, WSAENOBUFS },
    { 0xc0000017, FALSE, WSAENOBUFS },
    { 0xc0000018, FALSE, WSAENOBUFS },
    { 0xc0000044, FALSE, WSAENOBUFS },
    { 0xc0000097, FALSE, WSAENOBUFS },
    { 0xc000009a, FALSE, WSAENOBUFS },
    { 0xc00000a1, FALSE, WSAENOBUFS },
    { 0xc000012d, FALSE, WSAENOBUFS },
    { 0xc000013d, FALSE, WSAENOBUFS },
    { 0xc0000209, FALSE, WSAENOBUFS },
    { 0xc0000008, FALSE, WSAENOTSOCK },
    { 0xc0000024, FALSE, WSAENOTSOCK },
    { 0xc000000e, FALSE, WSAENETDOWN },
    { 0xc000000f, FALSE, WSAENETDOWN },
    { 0xc0000034, FALSE, WSAENETDOWN },
    { 0xc000003a, FALSE, WSAENETDOWN },
    { 0xc00000bf, FALSE, WSAENETDOWN },
    { 0xc00000c3, FALSE, WSAENETDOWN },
    { 0xc00000c4, FALSE, WSAENETDOWN },
    { 0xc0000022, FALSE, WSAEACCES },
    { 0xc0000043, FALSE, WSAEADDRINUSE },
    { 0xc000020a, FALSE, WSAEADDRINUSE },
    { 0xc00000a3, FALSE, WSAEWOULDBLOCK },
    { 0xc00000d0, FALSE, WSAEWOULDBLOCK },
    { 0xc00000b0, FALSE, WSAESHUTDOWN },
    { 0xc00000b5, FALSE, WSAETIMEDOUT },
    { 0xc000013f, FALSE, WSAETIMEDOUT },
    { 0xc00000bc, FALSE, WSAECONNREFUSED },
    { 0xc0000236, FALSE, WSAECONNREFUSED },
    { 0xc00000be, FALSE, WSAENETUNREACH },
    { 0xc000023c, FALSE, WSAENETUNREACH },
    { 0xc000023e, FALSE, WSAENETUNREACH },
    { 0xc0000120, FALSE, WSA_OPERATION_ABORTED },
    { 0xc000013b, FALSE, WSAECONNABORTED },
    { 0xc000020f, FALSE, WSAECONNABORTED },
    { 0xc0000241, FALSE, WSAECONNABORTED },
    { 0xc000013c, FALSE, WSAECONNRESET },
    { 0xc000013e, FALSE, WSAECONNRESET },
    { 0xc000020c, FALSE, WSAECONNRESET },
    { 0xc000020d, FALSE, WSAECONNRESET },
    { 0xc000023f, FALSE, WSAECONNRESET },
    { 0xc0000140, FALSE, WSAENOTCONN },
    { 0xc0000141, FALSE, WSAEADDRNOTAVAIL },
    { 0xc0000207, FALSE, WSAEADDRNOTAVAIL },
    { 0xc0000237, FALSE, WSAEDISCON },
    { 0xc000023b, FALSE, WSAEISCONN },
    { 0xc000023d, FALSE, WSAEHOSTUNREACH },
    { 0xc0000240, FALSE, WSAEINTR },
    { 0xc0000350, FALSE, WSAEHOSTDOWN },
    { 0x00000103, FALSE, WSA_IO_INCOMPLETE },
    { 0x800703e4, FALSE, WSA_IO_INCOMPLETE },
    { 0xc00703e4, FALSE, WSA_IO_INCOMPLETE },
    { 0xc00103e4, FALSE, WSA_IO_INCOMPLETE },
    /* other forms are not unwrapped */
    { 0xd000020d, FALSE, WSAEINVAL },
    { 0x80072746, FALSE, WSAEINVAL },
    { 0xc0072746, FALSE, WSAEINVAL },
    { 0x80000001, FALSE, WSAEINVAL },
    { 0xc0000001, FALSE, WSAEINVAL },
    { 0xc000000d, FALSE, WSAEINVAL },
};

static void test_result( void )
{
    HANDLE event = CreateEventW( NULL, TRUE, TRUE, NULL ), duplicate;
    DWORD size, flags;
    SOCKET s = socket( AF_INET, SOCK_STREAM, 0 );
    OVERLAPPED ov;

    for ( unsigned int i = 0; i < ARRAY_SIZE( statuses ); i++ )
    {
        winetest_push_context( "status %#lx", statuses[i].status );
        memset( &ov, 0, sizeof( ov ) );
        ov.Internal = statuses[i].status;
        ov.InternalHigh = 7;
        check_error( WSAGetOverlappedResult( s, &ov, &size, FALSE, &flags ), statuses[i].result, statuses[i].error );
        winetest_pop_context();
    }
    /* a success that is none is told as Win32 calls it */
    memset( &ov, 0, sizeof( ov ) );
    ov.Internal = 0x102; /* STATUS_TIMEOUT */
    check_error( WSAGetOverlappedResult( s, &ov, &size, FALSE, &flags ), TRUE, ERROR_TIMEOUT );
    /* the event counts, not the status */
    memset( &ov, 0, sizeof( ov ) );
    ov.Internal = STATUS_PENDING;
    ov.hEvent = event;
    check_result( WSAGetOverlappedResult( s, &ov, &size, TRUE, &flags ), TRUE );
    check_error( WSAGetOverlappedResult( INVALID_SOCKET, &ov, &size, FALSE, &flags ), FALSE, WSAENOTSOCK );
    check_error( WSAGetOverlappedResult( 0xabacad, &ov, &size, FALSE, &flags ), FALSE, WSAENOTSOCK );
    DuplicateHandle( GetCurrentProcess(), (HANDLE)s, GetCurrentProcess(), &duplicate, 0, FALSE, DUPLICATE_SAME_ACCESS );
    check_error( WSAGetOverlappedResult( (SOCKET)duplicate, &ov, &size, FALSE, &flags ), FALSE, WSAENOTSOCK );
    CloseHandle( duplicate );
    closesocket( s );
    CloseHandle( event );
}

static void test_errors( void )
{
    SOCKET s = socket( AF_INET, SOCK_STREAM, 0 ), client, server;
    OVERLAPPED ov;
    WSABUF buffer;
    DWORD flags = 0, size;
    char data[4];

    buffer = buffer_of( data, 4 );
    prepare_overlapped( &ov, NULL );
    check_fails( WSASend( INVALID_SOCKET, &buffer, 1, NULL, 0, &ov, NULL ), WSAENOTSOCK );
    check_fails( WSARecv( INVALID_SOCKET, &buffer, 1, NULL, &flags, &ov, NULL ), WSAENOTSOCK );
    check_fails( WSARecv( s, &buffer, 1, NULL, &flags, &ov, NULL ), WSAENOTCONN );
    check_fails( WSASend( s, &buffer, 1, NULL, 0, &ov, NULL ), WSAENOTCONN );
    closesocket( s );
    tcp_pair( &client, &server );
    check_ok( shutdown( client, SD_SEND ) );
    check_fails( WSASend( client, &buffer, 1, &size, 0, &ov, NULL ), WSAESHUTDOWN );
    closesocket( client );
    closesocket( server );
}

struct starter
{
    SOCKET s;
    OVERLAPPED *ov;
    char *data;
    int error;
};

static DWORD WINAPI start_receive( void *arg )
{
    struct starter *starter = arg;

    starter->error = receive( starter->s, starter->data, 16, starter->ov, NULL ) ? WSAGetLastError() : 0;
    return 0;
}

/* What a thread has pending ends with it. */
static void test_thread_ends( void )
{
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL ), thread;
    SOCKET client, server;
    char data[16], kept[16];
    OVERLAPPED ov;
    struct starter starter = { .ov = &ov, .data = data };

    tcp_pair( &client, &server );
    starter.s = server;
    prepare_overlapped( &ov, event );
    thread = CreateThread( NULL, 0, start_receive, &starter, 0, NULL );
    WaitForSingleObject( thread, 5000 );
    CloseHandle( thread );
    ok( starter.error == WSA_IO_PENDING, "error %d\n", starter.error );
    check_done( &ov, STATUS_CANCELLED_, 0 );
    memset( data, 'x', sizeof( data ) );
    memset( kept, 'x', sizeof( kept ) );
    check_result( send( client, "hello", 5, 0 ), 5 );
    check_result( recv( server, data + 8, 5, 0 ), 5 );
    ok( !memcmp( data, kept, 8 ), "a cancelled receive wrote\n" );
    closesocket( client );
    closesocket( server );
    CloseHandle( event );
}

START_TEST( overlapped )
{
    if ( support_begin() ) return;
    test_event();
    test_event_again();
    test_order();
    test_routine();
    test_reset();
    test_cancel();
    test_peer_closes();
    test_kinds();
    test_precedence();
    test_long_send();
    test_nonblocking_send();
    test_datagrams();
    test_result();
    test_errors();
    test_thread_ends();
    support_end();
}
