/*
 * Registered I/O, its requests: on streams, in order, deferred; the three ways of notification; what the ends of threads,
 * sockets and queues do. Its objects: registered_queues.c; datagrams and load: registered_traffic.c.
 */
#include "registered.h"

RIO_EXTENSION_FUNCTION_TABLE rio;

BOOL registered_load( void )
{
    static const GUID guid = WSAID_MULTIPLE_RIO;
    SOCKET s = WSASocketW( AF_INET, SOCK_STREAM, 0, NULL, 0, WSA_FLAG_REGISTERED_IO );
    DWORD size = 0;
    int result;

    ok( s != INVALID_SOCKET, "no socket, error %d\n", WSAGetLastError() );
    result = WSAIoctl( s, SIO_GET_MULTIPLE_EXTENSION_FUNCTION_POINTER, (void *)&guid, sizeof( guid ), &rio,
                       sizeof( rio ), &size, NULL, NULL );
    ok( !result, "no registered I/O, error %d\n", WSAGetLastError() );
    ok( result || ( size == sizeof( rio ) && rio.cbSize == sizeof( rio ) ), "%lu bytes, cbSize %lu\n", size,
        rio.cbSize );
    closesocket( s );
    return !result;
}

SOCKET registered_socket( int family, int type, union address *address )
{
    SOCKET s = WSASocketW( family, type, 0, NULL, 0, WSA_FLAG_REGISTERED_IO | WSA_FLAG_OVERLAPPED );
    int length = address_loopback( address, family, 0 );

    ok( s != INVALID_SOCKET, "no socket, error %d\n", WSAGetLastError() );
    check_ok( bind( s, &address->any, length ) );
    check_ok( getsockname( s, &address->any, &length ) );
    return s;
}

void registered_pair( SOCKET *client, SOCKET *server )
{
    tcp_pair_with( WSA_FLAG_REGISTERED_IO | WSA_FLAG_OVERLAPPED, client, server );
}

ULONG registered_take( RIO_CQ queue, RIORESULT *results, ULONG count )
{
    DWORD begin = GetTickCount();
    ULONG done = 0, n;

    while ( done < count && GetTickCount() - begin < 10000 )
    {
        n = rio.RIODequeueCompletion( queue, results + done, count - done );
        if ( n == RIO_CORRUPT_CQ ) break;
        done += n;
        if ( !n ) Sleep( 1 );
    }
    return done;
}

void check_end_( int line, RIO_CQ queue, ULONGLONG context, LONG status, ULONG bytes )
{
    RIORESULT result = { 0x5a, 0x5a, 0x5a, 0x5a };

    ok_( __FILE__, line )( registered_take( queue, &result, 1 ) == 1, "no end\n" );
    ok_( __FILE__, line )( result.RequestContext == context, "the end of request %llu, expected %llu\n",
                           result.RequestContext, context );
    ok_( __FILE__, line )( result.Status == status, "status %ld, expected %ld\n", result.Status, status );
    ok_( __FILE__, line )( result.BytesTransferred == bytes, "%lu bytes, expected %lu\n", result.BytesTransferred,
                           bytes );
}

void check_no_end_( int line, RIO_CQ queue )
{
    RIORESULT result;

    for ( int i = 0; i < 2; i++ )
    {
        ok_( __FILE__, line )( !rio.RIODequeueCompletion( queue, &result, 1 ), "an end\n" );
        Sleep( 50 );
    }
}

void registered_set_up( struct setting *set )
{
    memset( set, 0, sizeof( *set ) );
    registered_pair( &set->peer, &set->s );
    set->id = rio.RIORegisterBuffer( set->memory, BUFFER_SIZE );
    ok( set->id != RIO_INVALID_BUFFERID, "no buffer, error %d\n", WSAGetLastError() );
    set->ends = rio.RIOCreateCompletionQueue( RECEIVES + SENDS, NULL );
    ok( set->ends != RIO_INVALID_CQ, "no completion queue, error %d\n", WSAGetLastError() );
    set->requests =
        rio.RIOCreateRequestQueue( set->s, RECEIVES, 1, SENDS, 1, set->ends, set->ends, CONTEXT( SOCKET_CONTEXT ) );
    ok( set->requests != RIO_INVALID_RQ, "no request queue, error %d\n", WSAGetLastError() );
}

RIO_CQ registered_set_up_told( struct setting *set, RIO_NOTIFICATION_COMPLETION *notification )
{
    RIO_CQ ends;

    registered_set_up( set );
    closesocket( set->s );
    closesocket( set->peer );
    registered_pair( &set->peer, &set->s );
    ends = rio.RIOCreateCompletionQueue( RECEIVES + SENDS, notification );
    ok( ends != RIO_INVALID_CQ, "error %d\n", WSAGetLastError() );
    set->requests = rio.RIOCreateRequestQueue( set->s, RECEIVES, 1, SENDS, 1, ends, ends, NULL );
    ok( set->requests != RIO_INVALID_RQ, "error %d\n", WSAGetLastError() );
    return ends;
}

void registered_clean_up( struct setting *set )
{
    if ( set->s != INVALID_SOCKET ) closesocket( set->s );
    closesocket( set->peer );
    rio.RIOCloseCompletionQueue( set->ends );
    rio.RIODeregisterBuffer( set->id );
}

BOOL registered_receive( struct setting *set, ULONG offset, ULONG length, DWORD flags, ULONG_PTR context )
{
    RIO_BUF data = slice( set->id, offset, length );

    return rio.RIOReceive( set->requests, &data, 1, flags, CONTEXT( context ) );
}

BOOL registered_send( struct setting *set, ULONG offset, ULONG length, DWORD flags, ULONG_PTR context )
{
    RIO_BUF data = slice( set->id, offset, length );

    return rio.RIOSend( set->requests, &data, 1, flags, CONTEXT( context ) );
}

/* --- requests ------------------------------------------------------------------------------------------------------*/

static void test_stream( void )
{
    struct setting set;
    RIORESULT result;
    char data[64];

    registered_set_up( &set );
    /* a receive that waits, and one that does not */
    check_clears( registered_receive( &set, 0, 16, 0, 1 ), TRUE );
    check_no_end( set.ends );
    check_result( send( set.peer, "hello", 5, 0 ), 5 );
    check_result( registered_take( set.ends, &result, 1 ), 1 );
    ok( !result.Status && result.BytesTransferred == 5, "status %ld, %lu bytes\n", result.Status,
        result.BytesTransferred );
    ok( result.SocketContext == (ULONG_PTR)CONTEXT( SOCKET_CONTEXT ) && result.RequestContext == 1,
        "contexts %llx, %llx\n", result.SocketContext, result.RequestContext );
    ok( !memcmp( set.memory, "hello", 6 ), "got %.6s\n", set.memory );
    check_result( send( set.peer, "again", 5, 0 ), 5 );
    ok( wait_readable( set.s, 5000 ), "no data\n" );
    check_clears( registered_receive( &set, 100, 3, 0, 2 ), TRUE );
    check_end( set.ends, 2, 0, 3 );
    check_clears( registered_receive( &set, 200, 16, 0, 3 ), TRUE );
    check_end( set.ends, 3, 0, 2 );
    ok( !memcmp( set.memory + 100, "aga\0", 4 ) && !memcmp( set.memory + 200, "in\0", 3 ), "wrong bytes\n" );

    strcpy( set.memory + 300, "to the peer" );
    check_clears( registered_send( &set, 300, 11, 0, 4 ), TRUE );
    check_end( set.ends, 4, 0, 11 );
    check_result( recv( set.peer, data, sizeof( data ), 0 ), 11 );
    ok( !memcmp( data, "to the peer", 11 ), "got %.11s\n", data );

    /* the whole or the end of the stream */
    check_clears( registered_receive( &set, 0, 8, RIO_MSG_WAITALL, 5 ), TRUE );
    check_result( send( set.peer, "1234", 4, 0 ), 4 );
    check_no_end( set.ends );
    check_result( send( set.peer, "5678", 4, 0 ), 4 );
    check_end( set.ends, 5, 0, 8 );
    ok( !memcmp( set.memory, "12345678", 8 ), "got %.8s\n", set.memory );
    check_clears( registered_receive( &set, 0, 8, RIO_MSG_WAITALL, 6 ), TRUE );
    check_clears( registered_receive( &set, 8, 8, 0, 7 ), TRUE );
    check_result( send( set.peer, "abc", 3, 0 ), 3 );
    check_ok( shutdown( set.peer, SD_SEND ) );
    check_end( set.ends, 6, 0, 3 );
    check_end( set.ends, 7, 0, 0 );
    registered_clean_up( &set );
}

static void test_reset( void )
{
    struct linger reset = { 1, 0 };
    struct setting set;
    RIORESULT result;

    registered_set_up( &set );
    check_result( registered_receive( &set, 0, 8, 0, 1 ), TRUE );
    setsockopt( set.peer, SOL_SOCKET, SO_LINGER, (char *)&reset, sizeof( reset ) );
    closesocket( set.peer );
    check_result( registered_take( set.ends, &result, 1 ), 1 );
    ok( result.Status == WSAECONNRESET || result.Status == ERROR_NETNAME_DELETED, "status %ld\n", result.Status );
    ok( !result.BytesTransferred, "%lu bytes\n", result.BytesTransferred );
    set.peer = INVALID_SOCKET;
    registered_clean_up( &set );
}

/* Receives are filled, and sends are sent, in the order in which they were requested; their ends come in that order. */
static void test_order( void )
{
    RIORESULT results[RECEIVES + SENDS];
    struct setting set;
    char data[SENDS * 4];
    int n, done = 0;

    registered_set_up( &set );
    for ( int round = 0; round < 50; round++ )
    {
        winetest_push_context( "round %d", round );
        for ( ULONG i = 0; i < RECEIVES; i++ ) check_result( registered_receive( &set, 4 * i, 4, 0, i ), TRUE );
        memset( set.memory, 0, 4 * RECEIVES );
        for ( ULONG i = 0; i < sizeof( data ); i++ ) data[i] = (char)( round + i );
        check_result( send( set.peer, data, sizeof( data ), 0 ), sizeof( data ) );
        check_result( registered_take( set.ends, results, RECEIVES ), RECEIVES );
        for ( ULONG i = 0; i < RECEIVES; i++ )
            ok( results[i].RequestContext == i && !results[i].Status && results[i].BytesTransferred == 4,
                "end %lu: request %llu, status %ld, %lu bytes\n", i, results[i].RequestContext, results[i].Status,
                results[i].BytesTransferred );
        ok( !memcmp( set.memory, data, sizeof( data ) ), "wrong bytes\n" );

        for ( ULONG i = 0; i < SENDS; i++ ) check_result( registered_send( &set, 4 * i, 4, 0, 100 + i ), TRUE );
        check_result( registered_take( set.ends, results, SENDS ), SENDS );
        for ( ULONG i = 0; i < SENDS; i++ )
            ok( results[i].RequestContext == 100 + i && !results[i].Status, "end %lu: request %llu, status %ld\n", i,
                results[i].RequestContext, results[i].Status );
        for ( done = 0;
              done < (int)sizeof( data ) && ( n = recv( set.peer, data + done, sizeof( data ) - done, 0 ) ) > 0; )
            done += n;
        ok( done == sizeof( data ) && !memcmp( data, set.memory, sizeof( data ) ), "%d bytes, or wrong ones\n", done );
        winetest_pop_context();
    }
    registered_clean_up( &set );
}

/* Deferred requests are carried out in their order, at the latest with the next that is not, or when they are committed. */
static void test_deferred( void )
{
    struct setting set;
    char data[16];

    registered_set_up( &set );
    for ( ULONG i = 0; i < 3; i++ ) check_clears( registered_receive( &set, i, 1, RIO_MSG_DEFER, 10 + i ), TRUE );
    check_clears( registered_receive( &set, 3, 1, 0, 13 ), TRUE );
    check_result( send( set.peer, "abcd", 4, 0 ), 4 );
    for ( ULONG i = 0; i < 4; i++ ) check_end( set.ends, 10 + i, 0, 1 );
    ok( !memcmp( set.memory, "abcd", 4 ), "got %.4s\n", set.memory );

    for ( ULONG i = 0; i < 3; i++ ) check_clears( registered_send( &set, i, 1, RIO_MSG_DEFER, 20 + i ), TRUE );
    check_clears( rio.RIOSend( set.requests, NULL, 0, RIO_MSG_COMMIT_ONLY, NULL ), TRUE );
    for ( ULONG i = 0; i < 3; i++ ) check_end( set.ends, 20 + i, 0, 1 );
    Sleep( 50 );
    check_result( recv( set.peer, data, sizeof( data ), 0 ), 3 );
    ok( !memcmp( data, "abc", 3 ), "got %.3s\n", data );

    /* they count */
    for ( ULONG i = 0; i < RECEIVES; i++ )
        check_result( registered_receive( &set, 0, 1, RIO_MSG_DEFER, 30 + i ), TRUE );
    check_error( registered_receive( &set, 0, 1, RIO_MSG_DEFER, 99 ), FALSE, WSAENOBUFS );
    check_result( rio.RIOReceive( set.requests, NULL, 0, RIO_MSG_COMMIT_ONLY, NULL ), TRUE );
    check_result( send( set.peer, "12345678", 8, 0 ), 8 );
    for ( ULONG i = 0; i < RECEIVES; i++ ) check_end( set.ends, 30 + i, 0, 1 );

    /* and end with their socket */
    for ( ULONG i = 0; i < 2; i++ ) check_result( registered_receive( &set, 0, 1, RIO_MSG_DEFER, 40 + i ), TRUE );
    closesocket( set.s );
    set.s = INVALID_SOCKET;
    for ( ULONG i = 0; i < 2; i++ ) check_end( set.ends, 40 + i, WSA_OPERATION_ABORTED, 0 );
    registered_clean_up( &set );
}

/* --- notification --------------------------------------------------------------------------------------------------*/

static void test_event( BOOL reset )
{
    HANDLE event = CreateEventW( NULL, TRUE, TRUE, NULL );
    RIO_NOTIFICATION_COMPLETION notification = { .Type = RIO_EVENT_COMPLETION };
    struct setting set;
    RIO_CQ ends;

    winetest_push_context( "reset %d", reset );
    notification.Event.EventHandle = event;
    notification.Event.NotifyReset = reset;
    ends = registered_set_up_told( &set, &notification );

    check_result( rio.RIONotify( ends ), 0 );
    check_result( WaitForSingleObject( event, 0 ), reset ? WAIT_TIMEOUT : 0 );
    ResetEvent( event );
    check_result( rio.RIONotify( ends ), WSAEALREADY );
    check_result( registered_receive( &set, 0, 1, 0, 1 ), TRUE );
    check_result( WaitForSingleObject( event, 50 ), WAIT_TIMEOUT );
    check_result( send( set.peer, "abcd", 4, 0 ), 4 );
    check_result( WaitForSingleObject( event, 5000 ), 0 );
    check_end( ends, 1, 0, 1 );

    /* once for each RIONotify */
    ResetEvent( event );
    check_result( registered_receive( &set, 0, 1, 0, 2 ), TRUE );
    check_result( WaitForSingleObject( event, 50 ), WAIT_TIMEOUT );
    /* there is an end already: at once */
    check_result( rio.RIONotify( ends ), 0 );
    check_result( WaitForSingleObject( event, 5000 ), 0 );
    check_end( ends, 2, 0, 1 );

    /* ends that notify nobody */
    ResetEvent( event );
    check_result( rio.RIONotify( ends ), 0 );
    check_result( registered_receive( &set, 0, 1, RIO_MSG_DONT_NOTIFY, 3 ), TRUE );
    check_end( ends, 3, 0, 1 );
    check_result( WaitForSingleObject( event, 50 ), WAIT_TIMEOUT );
    check_result( registered_receive( &set, 0, 1, 0, 4 ), TRUE );
    check_result( WaitForSingleObject( event, 5000 ), 0 );
    check_end( ends, 4, 0, 1 );

    /* the queue has a handle of its own to the event */
    ResetEvent( event );
    {
        HANDLE copy;

        check_result(
            DuplicateHandle( GetCurrentProcess(), event, GetCurrentProcess(), &copy, 0, FALSE, DUPLICATE_SAME_ACCESS ),
            TRUE );
        CloseHandle( event );
        check_result( rio.RIONotify( ends ), 0 );
        check_result( registered_send( &set, 0, 1, 0, 5 ), TRUE );
        check_result( WaitForSingleObject( copy, 5000 ), 0 );
        check_end( ends, 5, 0, 1 );
        CloseHandle( copy );
    }
    rio.RIOCloseCompletionQueue( ends );
    registered_clean_up( &set );
    winetest_pop_context();
}

static void check_packet_( int line, HANDLE port, ULONG_PTR key, OVERLAPPED *overlapped, DWORD milliseconds )
{
    OVERLAPPED *got = NULL;
    ULONG_PTR got_key = 0;
    DWORD size = 0xdead;
    BOOL result = GetQueuedCompletionStatus( port, &size, &got_key, &got, milliseconds );

    if ( !overlapped )
        ok_( __FILE__, line )( !result && !got && GetLastError() == WAIT_TIMEOUT, "a packet, key %#zx\n",
                               (size_t)got_key );
    else
    {
        ok_( __FILE__, line )( result, "error %lu\n", GetLastError() );
        ok_( __FILE__, line )( got == overlapped && got_key == key, "overlapped %p, key %#zx\n", (void *)got,
                               (size_t)got_key );
    }
}
#define check_packet( port, overlapped ) check_packet_( __LINE__, port, 77, overlapped, 5000 )
#define check_no_packet( port ) check_packet_( __LINE__, port, 0, NULL, 50 )

/* with_files: the port is also that of an overlapped socket, whose packets are its own. */
static void test_port( BOOL with_sockets )
{
    HANDLE port = CreateIoCompletionPort( INVALID_HANDLE_VALUE, NULL, 0, 0 );
    RIO_NOTIFICATION_COMPLETION notification = { .Type = RIO_IOCP_COMPLETION };
    OVERLAPPED overlapped = { 0 }, other = { 0 };
    SOCKET client, server;
    struct setting set;
    char data[4];
    WSABUF buffer = { sizeof( data ), data };
    DWORD flags = 0;
    RIO_CQ ends;

    winetest_push_context( "with sockets %d", with_sockets );
    if ( with_sockets )
    {
        tcp_pair( &client, &server );
        ok( CreateIoCompletionPort( (HANDLE)server, port, 77, 0 ) == port, "error %lu\n", GetLastError() );
    }
    notification.Iocp.IocpHandle = port;
    notification.Iocp.CompletionKey = CONTEXT( 77 );
    notification.Iocp.Overlapped = &overlapped;
    ends = registered_set_up_told( &set, &notification );

    for ( ULONG i = 0; i < 3; i++ ) check_result( registered_receive( &set, 0, 1, 0, i ), TRUE );
    check_result( send( set.peer, "a", 1, 0 ), 1 );
    Sleep( 100 );
    check_no_packet( port ); /* nobody has asked */
    check_result( rio.RIONotify( ends ), 0 );
    check_packet( port, &overlapped ); /* there is an end already */
    check_end( ends, 0, 0, 1 );
    check_result( rio.RIONotify( ends ), 0 );
    check_result( rio.RIONotify( ends ), WSAEALREADY );
    check_no_packet( port );
    check_result( send( set.peer, "bc", 2, 0 ), 2 );
    check_packet( port, &overlapped );
    check_end( ends, 1, 0, 1 );
    check_end( ends, 2, 0, 1 );
    check_no_packet( port ); /* two ends, one packet */
    if ( with_sockets )
    {
        check_fails( WSARecv( server, &buffer, 1, NULL, &flags, &other, NULL ), WSA_IO_PENDING );
        check_result( rio.RIONotify( ends ), 0 );
        check_result( send( client, "x", 1, 0 ), 1 );
        check_packet( port, &other );
        check_result( registered_send( &set, 0, 1, 0, 9 ), TRUE );
        check_packet( port, &overlapped );
        check_end( ends, 9, 0, 1 );
        closesocket( client );
        closesocket( server );
    }
    /* packets of the program's own */
    check_result( PostQueuedCompletionStatus( port, 0, 77, &other ), TRUE );
    check_packet( port, &other );
    CloseHandle( port );
    check_result( rio.RIONotify( ends ), 0 );
    check_result( registered_send( &set, 0, 1, 0, 10 ), TRUE );
    check_end( ends, 10, 0, 1 );
    rio.RIOCloseCompletionQueue( ends );
    registered_clean_up( &set );
    winetest_pop_context();
}

/* --- ends of things ------------------------------------------------------------------------------------------------*/

static DWORD WINAPI receive_thread( void *arg ) { return registered_receive( arg, 0, 16, 0, 1 ); }

/* A request belongs to no thread; the memory of a deregistered buffer is in use until the request ends. */
static void test_thread_ends( void )
{
    struct setting set;
    HANDLE thread;
    DWORD code;

    registered_set_up( &set );
    thread = CreateThread( NULL, 0, receive_thread, &set, 0, NULL );
    check_result( WaitForSingleObject( thread, 10000 ), 0 );
    GetExitCodeThread( thread, &code );
    ok( code == TRUE, "the thread gave %lu\n", code );
    CloseHandle( thread );
    check_no_end( set.ends );
    check_result( send( set.peer, "hello", 5, 0 ), 5 );
    check_end( set.ends, 1, 0, 5 );
    ok( !memcmp( set.memory, "hello", 5 ), "got %.5s\n", set.memory );
    registered_clean_up( &set );
}

/* how: closesocket, CloseHandle, the last WSACleanup */
static void test_close( int how )
{
    char *page = VirtualAlloc( NULL, 0x10000, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE );
    RIO_BUFFERID id = rio.RIORegisterBuffer( page, 0x10000 );
    struct setting set;
    RIO_BUF data = slice( id, 0, 0x10000 );
    ULONG sends = 0;
    RIORESULT result;
    WSADATA wsa;

    winetest_push_context( "how %d", how );
    registered_set_up( &set );
    for ( ULONG i = 0; i < 3; i++ ) check_result( rio.RIOReceive( set.requests, &data, 1, 0, CONTEXT( i ) ), TRUE );
    /* sends until one waits */
    while ( sends < 200 )
    {
        check_result( rio.RIOSend( set.requests, &data, 1, 0, CONTEXT( 100 ) ), TRUE );
        sends++;
        Sleep( 20 );
        if ( !rio.RIODequeueCompletion( set.ends, &result, 1 ) ) break;
        ok( !result.Status && result.RequestContext == 100, "status %ld\n", result.Status );
    }
    ok( sends < 200, "no send waits\n" );
    if ( how == 0 ) check_ok( closesocket( set.s ) );
    if ( how == 1 ) check_result( CloseHandle( (HANDLE)set.s ), TRUE );
    if ( how == 2 )
    {
        check_ok( WSACleanup() );
        check_ok( WSAStartup( MAKEWORD( 2, 2 ), &wsa ) );
        set.peer = INVALID_SOCKET;
    }
    set.s = INVALID_SOCKET;
    {
        RIORESULT results[4];
        unsigned int seen[3] = { 0 }, sent = 0;

        check_result( registered_take( set.ends, results, 4 ), 4 );
        for ( int i = 0; i < 4; i++ )
        {
            const BOOL receive = results[i].RequestContext < 3;

            /* as other receives of a connection that goes, and other sends. The last WSACleanup closes the peer too, perhaps
             * before, so that the end of the stream is told */
            ok( ( results[i].Status == ( receive ? WSAECONNABORTED : WSA_OPERATION_ABORTED ) || how == 2 ) &&
                    !results[i].BytesTransferred,
                "end %d: status %ld, %lu bytes\n", i, results[i].Status, results[i].BytesTransferred );
            if ( results[i].RequestContext < 3 ) seen[results[i].RequestContext]++;
            else sent += results[i].RequestContext == 100;
        }
        ok( seen[0] == 1 && seen[1] == 1 && seen[2] == 1 && sent == 1, "not each once\n" );
    }
    /* the memory is the program's again, and may be gone */
    rio.RIODeregisterBuffer( id );
    VirtualFree( page, 0, MEM_RELEASE );
    if ( how != 2 ) check_result( send( set.peer, "x", 1, 0 ) != 0xdead, TRUE );
    Sleep( 50 );
    check_no_end( set.ends );
    registered_clean_up( &set );
    winetest_pop_context();
}

/* A completion queue that is closed before its requests end. */
static void test_queue_closes_first( void )
{
    struct setting set;

    registered_set_up( &set );
    check_result( registered_receive( &set, 0, 16, 0, 1 ), TRUE );
    check_result( registered_send( &set, 0, 1, 0, 2 ), TRUE ); /* its end is never taken */
    rio.RIOCloseCompletionQueue( set.ends );
    check_result( send( set.peer, "hello", 5, 0 ), 5 );
    Sleep( 50 );
    closesocket( set.s );
    set.s = INVALID_SOCKET;
    set.ends = RIO_INVALID_CQ;
    registered_clean_up( &set );
    /* nothing of it is in the way of the next */
    registered_set_up( &set );
    check_no_end( set.ends );
    registered_clean_up( &set );
}

START_TEST( registered )
{
    if ( support_begin() ) return;
    if ( registered_load() )
    {
        test_stream();
        test_reset();
        test_order();
        test_deferred();
        test_event( FALSE );
        test_event( TRUE );
        test_port( FALSE );
        test_port( TRUE );
        test_thread_ends();
        for ( int how = 0; how < 3; how++ ) test_close( how );
        test_queue_closes_first();
    }
    support_end();
}
