/*
 * Registered I/O, its objects: the table of functions, buffers, completion and request queues with their sizes and limits,
 * and the errors of all arguments.
 *
 * Where the documentation leaves open which of two errors a bad argument is, either will do.
 */
#include "registered.h"

/* A call that must give `result`, with one of two errors. */
#define check_either( call, result, error1, error2 ) \
    do { \
        long long result_; \
        int error_; \
        WSASetLastError( ERROR_UNTOUCHED ); \
        result_ = (long long)(INT_PTR)( call ); \
        error_ = WSAGetLastError(); \
        ok( result_ == (long long)(INT_PTR)( result ), "%s returned %lld\n", #call, result_ ); \
        ok( error_ == ( error1 ) || error_ == ( error2 ), "%s gave error %d\n", #call, error_ ); \
    } while ( 0 )

#define check_refused_argument( call ) check_either( call, 0, WSAEINVAL, WSAEFAULT )

static void test_table( void )
{
    static const GUID guid = WSAID_MULTIPLE_RIO, other = WSAID_CONNECTEX;
    SOCKET s = socket( AF_INET, SOCK_DGRAM, 0 );
    RIO_EXTENSION_FUNCTION_TABLE table;
    DWORD size = 0;

    /* any socket tells */
    memset( &table, 0, sizeof( table ) );
    check_clears( WSAIoctl( s, SIO_GET_MULTIPLE_EXTENSION_FUNCTION_POINTER, (void *)&guid, sizeof( guid ), &table,
                            sizeof( table ), &size, NULL, NULL ),
                  0 );
    ok( size == sizeof( table ) && table.cbSize == sizeof( table ), "%lu bytes, cbSize %lu\n", size, table.cbSize );
    for ( unsigned int i = 0; i < 13; i++ ) ok( ( (void **)&table.RIOReceive )[i] != NULL, "no function %u\n", i );
    check_fails( WSAIoctl( s, SIO_GET_MULTIPLE_EXTENSION_FUNCTION_POINTER, (void *)&other, sizeof( other ), &table,
                           sizeof( table ), &size, NULL, NULL ),
                 WSAEINVAL );
    check_fails( WSAIoctl( s, SIO_GET_MULTIPLE_EXTENSION_FUNCTION_POINTER, (void *)&guid, sizeof( guid ), &table,
                           sizeof( table ) - 1, &size, NULL, NULL ),
                 WSAEFAULT );
    check_fails( WSAIoctl( s, SIO_GET_MULTIPLE_EXTENSION_FUNCTION_POINTER, (void *)&guid, sizeof( guid ),
                           memory_unmapped(), sizeof( table ), &size, NULL, NULL ),
                 WSAEFAULT );
    /* it is no function by itself */
    check_fails( WSAIoctl( s, SIO_GET_EXTENSION_FUNCTION_POINTER, (void *)&guid, sizeof( guid ), &table,
                           sizeof( table ), &size, NULL, NULL ),
                 WSAEINVAL );
    closesocket( s );
}

static void test_buffers( void )
{
    char *page = VirtualAlloc( NULL, 0x10000, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE );
    static RIO_BUFFERID ids[2000];
    unsigned int same = 0;

    check_error( (INT_PTR)guarded( (INT_PTR)rio.RIORegisterBuffer( NULL, 16 ) ), (INT_PTR)RIO_INVALID_BUFFERID,
                 WSAEFAULT );
    check_error( (INT_PTR)guarded( (INT_PTR)rio.RIORegisterBuffer( memory_unmapped(), 16 ) ),
                 (INT_PTR)RIO_INVALID_BUFFERID, WSAEFAULT );
    check_either( rio.RIORegisterBuffer( page, 0 ), RIO_INVALID_BUFFERID, WSAEINVAL, WSAEFAULT );
    rio.RIODeregisterBuffer( RIO_INVALID_BUFFERID );

    /* one range many times, each with an id of its own; and once more, so that nothing is used up */
    for ( unsigned int round = 0; round < 20; round++ )
    {
        for ( unsigned int i = 0; i < ARRAY_SIZE( ids ); i++ )
        {
            ids[i] = rio.RIORegisterBuffer( page, 0x10000 );
            if ( ids[i] == RIO_INVALID_BUFFERID ) break;
        }
        ok( ids[ARRAY_SIZE( ids ) - 1] != RIO_INVALID_BUFFERID, "round %u: error %d\n", round, WSAGetLastError() );
        for ( unsigned int i = 1; i < ARRAY_SIZE( ids ); i++ ) same += ids[i] == ids[i - 1] || ids[i] == ids[0];
        for ( unsigned int i = 0; i < ARRAY_SIZE( ids ); i++ ) rio.RIODeregisterBuffer( ids[i] );
    }
    ok( !same, "%u ids were given twice\n", same );
    VirtualFree( page, 0, MEM_RELEASE );
}

static void test_completion_queues( void )
{
    RIO_NOTIFICATION_COMPLETION notification = { 0 };
    RIORESULT result;
    RIO_CQ queue;

    check_error( (INT_PTR)rio.RIOCreateCompletionQueue( 0, NULL ), 0, WSAEINVAL );
    check_error( (INT_PTR)rio.RIOCreateCompletionQueue( RIO_MAX_CQ_SIZE + 1, NULL ), 0, WSAEINVAL );
    notification.Type = 3;
    check_error( (INT_PTR)rio.RIOCreateCompletionQueue( 16, &notification ), 0, WSAEINVAL );
    check_error( (INT_PTR)guarded( (INT_PTR)rio.RIOCreateCompletionQueue( 16, memory_unmapped() ) ), 0, WSAEFAULT );

    queue = rio.RIOCreateCompletionQueue( 1, NULL );
    ok( queue != RIO_INVALID_CQ, "error %d\n", WSAGetLastError() );
    check_result( rio.RIODequeueCompletion( queue, &result, 1 ), 0 );
    check_result( rio.RIONotify( queue ), WSAEINVAL ); /* it has no way to */
    check_clears( rio.RIOResizeCompletionQueue( queue, 100 ), TRUE );
    check_error( rio.RIOResizeCompletionQueue( queue, RIO_MAX_CQ_SIZE + 1 ), FALSE, WSAEINVAL );
    rio.RIOCloseCompletionQueue( queue );

    check_result( rio.RIODequeueCompletion( RIO_INVALID_CQ, &result, 1 ), RIO_CORRUPT_CQ );
    check_result( rio.RIONotify( RIO_INVALID_CQ ), WSAEINVAL );
    check_either( rio.RIOResizeCompletionQueue( RIO_INVALID_CQ, 10 ), FALSE, WSAEFAULT, WSAEINVAL );
    rio.RIOCloseCompletionQueue( RIO_INVALID_CQ );
}

static void test_request_queues( void )
{
    RIO_CQ small = rio.RIOCreateCompletionQueue( 10, NULL ), large = rio.RIOCreateCompletionQueue( 100, NULL );
    SOCKET plain = WSASocketW( AF_INET, SOCK_STREAM, 0, NULL, 0, WSA_FLAG_OVERLAPPED );
    SOCKET s = WSASocketW( AF_INET, SOCK_DGRAM, 0, NULL, 0, WSA_FLAG_REGISTERED_IO ), other;
    HANDLE file = CreateEventW( NULL, TRUE, FALSE, NULL );
    RIO_RQ queue;

    check_error( (INT_PTR)rio.RIOCreateRequestQueue( INVALID_SOCKET, 1, 1, 1, 1, large, large, NULL ), 0, WSAENOTSOCK );
    check_error( (INT_PTR)rio.RIOCreateRequestQueue( (SOCKET)file, 1, 1, 1, 1, large, large, NULL ), 0, WSAENOTSOCK );
    check_error( (INT_PTR)rio.RIOCreateRequestQueue( plain, 1, 1, 1, 1, large, large, NULL ), 0, WSAEOPNOTSUPP );
    check_error( (INT_PTR)rio.RIOCreateRequestQueue( s, 1, 1, 1, 1, RIO_INVALID_CQ, large, NULL ), 0, WSAEINVAL );
    check_error( (INT_PTR)rio.RIOCreateRequestQueue( s, 1, 1, 1, 1, large, RIO_INVALID_CQ, NULL ), 0, WSAEINVAL );
    check_error( (INT_PTR)rio.RIOCreateRequestQueue( s, 0, 1, 0, 1, large, large, NULL ), 0, WSAEINVAL );
    check_error( (INT_PTR)rio.RIOCreateRequestQueue( s, 1, 2, 1, 1, large, large, NULL ), 0, WSAEINVAL );
    check_error( (INT_PTR)rio.RIOCreateRequestQueue( s, 1, 1, 1, 2, large, large, NULL ), 0, WSAEINVAL );

    /* the completion queue has room for all of both directions */
    check_error( (INT_PTR)rio.RIOCreateRequestQueue( s, 11, 1, 1, 1, small, large, NULL ), 0, WSAENOBUFS );
    check_error( (INT_PTR)rio.RIOCreateRequestQueue( s, 1, 1, 11, 1, large, small, NULL ), 0, WSAENOBUFS );
    check_error( (INT_PTR)rio.RIOCreateRequestQueue( s, 6, 1, 5, 1, small, small, NULL ), 0, WSAENOBUFS );
    queue = rio.RIOCreateRequestQueue( s, 6, 1, 4, 1, small, small, NULL );
    ok( queue != RIO_INVALID_RQ, "error %d\n", WSAGetLastError() );
    ok( rio.RIOCreateRequestQueue( s, 1, 1, 1, 1, large, large, NULL ) == RIO_INVALID_RQ, "two queues for a socket\n" );
    check_error( rio.RIOResizeCompletionQueue( small, 9 ), FALSE, WSAETOOMANYREFS );
    check_clears( rio.RIOResizeCompletionQueue( small, 10 ), TRUE );

    /* room that a request queue gives back is another's */
    check_error( rio.RIOResizeRequestQueue( queue, 7, 4 ), FALSE, WSAENOBUFS );
    check_error( rio.RIOResizeRequestQueue( queue, 0, 0 ), FALSE, WSAEINVAL );
    check_clears( rio.RIOResizeRequestQueue( queue, 5, 5 ), TRUE );
    check_clears( rio.RIOResizeRequestQueue( queue, 4, 3 ), TRUE );
    check_clears( rio.RIOResizeCompletionQueue( small, 9 ), TRUE );
    other = WSASocketW( AF_INET, SOCK_DGRAM, 0, NULL, 0, WSA_FLAG_REGISTERED_IO );
    check_error( (INT_PTR)rio.RIOCreateRequestQueue( other, 2, 1, 1, 1, small, small, NULL ), 0, WSAENOBUFS );
    ok( rio.RIOCreateRequestQueue( other, 2, 1, 0, 1, small, small, NULL ) != RIO_INVALID_RQ, "error %d\n",
        WSAGetLastError() );
    /* and what a closed socket had */
    closesocket( s );
    s = WSASocketW( AF_INET, SOCK_DGRAM, 0, NULL, 0, WSA_FLAG_REGISTERED_IO );
    ok( rio.RIOCreateRequestQueue( s, 3, 1, 4, 1, small, small, NULL ) != RIO_INVALID_RQ, "error %d\n",
        WSAGetLastError() );
    check_refused_argument( rio.RIOResizeRequestQueue( RIO_INVALID_RQ, 1, 1 ) );

    closesocket( s );
    closesocket( other );
    closesocket( plain );
    CloseHandle( file );
    rio.RIOCloseCompletionQueue( small );
    rio.RIOCloseCompletionQueue( large );
}

/* A request is outstanding until its end has been taken. */
static void test_limits( void )
{
    struct setting set;

    registered_set_up( &set );
    for ( ULONG i = 0; i < RECEIVES; i++ ) check_result( registered_receive( &set, 0, 1, 0, i ), TRUE );
    check_error( registered_receive( &set, 0, 1, 0, 99 ), FALSE, WSAENOBUFS );
    check_result( send( set.peer, "ab", 2, 0 ), 2 );
    Sleep( 100 );
    check_error( registered_receive( &set, 0, 1, 0, 99 ), FALSE, WSAENOBUFS );
    check_end( set.ends, 0, 0, 1 );
    check_result( registered_receive( &set, 0, 1, 0, 50 ), TRUE );
    check_error( registered_receive( &set, 0, 1, 0, 99 ), FALSE, WSAENOBUFS );
    /* the other direction counts for itself */
    for ( ULONG i = 0; i < SENDS; i++ ) check_result( registered_send( &set, 0, 1, 0, 200 + i ), TRUE );
    check_error( registered_send( &set, 0, 1, 0, 99 ), FALSE, WSAENOBUFS );

    /* resizing: not below what is outstanding */
    check_error( rio.RIOResizeRequestQueue( set.requests, RECEIVES - 1, SENDS ), FALSE, WSAETOOMANYREFS );
    check_clears( rio.RIOResizeCompletionQueue( set.ends, RECEIVES + SENDS + 1 ), TRUE );
    check_clears( rio.RIOResizeRequestQueue( set.requests, RECEIVES + 1, SENDS ), TRUE );
    check_result( registered_receive( &set, 0, 1, 0, 51 ), TRUE );
    check_error( registered_receive( &set, 0, 1, 0, 99 ), FALSE, WSAENOBUFS );
    registered_clean_up( &set );
}

static void test_arguments( void )
{
    char *lost = VirtualAlloc( NULL, 0x1000, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE );
    RIO_BUFFERID gone, unmapped = rio.RIORegisterBuffer( lost, 0x1000 );
    struct setting set;
    RIO_BUF data, two[2];
    RIORESULT result;

    registered_set_up( &set );
    gone = rio.RIORegisterBuffer( set.memory, 16 );
    rio.RIODeregisterBuffer( gone );
    data = slice( set.id, 0, 16 );
    two[0] = two[1] = data;
    check_error( rio.RIOReceive( RIO_INVALID_RQ, &data, 1, 0, NULL ), FALSE, WSAEINVAL );
    check_error( rio.RIOSend( RIO_INVALID_RQ, &data, 1, 0, NULL ), FALSE, WSAEINVAL );
    check_error( rio.RIOReceive( set.requests, &data, 1, 0x10, NULL ), FALSE, WSAEINVAL );
    check_error( rio.RIOSend( set.requests, &data, 1, 0x10, NULL ), FALSE, WSAEINVAL );
    check_error( rio.RIOSend( set.requests, &data, 1, RIO_MSG_WAITALL, NULL ), FALSE, WSAEINVAL );
    check_error( rio.RIOReceive( set.requests, two, 2, 0, NULL ), FALSE, WSAEINVAL );
    check_error( rio.RIOSend( set.requests, two, 2, 0, NULL ), FALSE, WSAEINVAL );
    /* committing is all that such a call does */
    check_error( rio.RIOReceive( set.requests, &data, 1, RIO_MSG_COMMIT_ONLY, NULL ), FALSE, WSAEINVAL );
    check_error( rio.RIOReceive( set.requests, NULL, 0, RIO_MSG_COMMIT_ONLY | RIO_MSG_DEFER, NULL ), FALSE, WSAEINVAL );
    check_error( rio.RIOSend( set.requests, NULL, 0, RIO_MSG_COMMIT_ONLY, CONTEXT( 1 ) ), FALSE, WSAEINVAL );
    check_clears( rio.RIOReceive( set.requests, NULL, 0, RIO_MSG_COMMIT_ONLY, NULL ), TRUE );
    check_clears( rio.RIOSend( set.requests, NULL, 0, RIO_MSG_COMMIT_ONLY, NULL ), TRUE );
    /* no memory of a registered buffer */
    check_refused_argument( guarded( rio.RIOReceive( set.requests, NULL, 1, 0, NULL ) ) );
    check_refused_argument( guarded( rio.RIOReceive( set.requests, memory_unmapped(), 1, 0, NULL ) ) );
    data = slice( RIO_INVALID_BUFFERID, 0, 16 );
    check_refused_argument( rio.RIOReceive( set.requests, &data, 1, 0, NULL ) );
    data = slice( gone, 0, 16 );
    check_refused_argument( rio.RIOReceive( set.requests, &data, 1, 0, NULL ) );
    data = slice( set.id, BUFFER_SIZE - 15, 16 );
    check_refused_argument( rio.RIOReceive( set.requests, &data, 1, 0, NULL ) );
    data = slice( set.id, 0xfffffff8, 16 );
    check_refused_argument( rio.RIOSend( set.requests, &data, 1, 0, NULL ) );
    /* handles of the wrong kind, and numbers that are none */
    check_refused_argument( guarded( rio.RIOReceive( (RIO_RQ)set.memory, &data, 1, 0, NULL ) ) );
    check_refused_argument( guarded( rio.RIOReceive( (RIO_RQ)set.ends, &data, 1, 0, NULL ) ) );
    check_result( guarded( rio.RIODequeueCompletion( (RIO_CQ)set.memory, &result, 1 ) ), RIO_CORRUPT_CQ );
    check_result( guarded( rio.RIODequeueCompletion( set.ends, NULL, 1 ) ), RIO_CORRUPT_CQ );
    check_no_end( set.ends );

    /* what cannot be given is not lost */
    check_result( registered_send( &set, 0, 4, 0, 7 ), TRUE );
    check_result( guarded( rio.RIODequeueCompletion( set.ends, memory_unmapped(), 1 ) ), RIO_CORRUPT_CQ );
    check_result( rio.RIODequeueCompletion( set.ends, &result, 0 ), 0 );
    check_end( set.ends, 7, 0, 4 );

    /* memory that was unmapped after it was registered: locked on Windows, so that the request succeeds there */
    VirtualFree( lost, 0, MEM_RELEASE );
    data = slice( unmapped, 0, 16 );
    check_result( guarded( rio.RIOSend( set.requests, &data, 1, 0, CONTEXT( 8 ) ) ), TRUE );
    check_result( registered_take( set.ends, &result, 1 ), 1 );
    ok( result.RequestContext == 8, "request %llu\n", result.RequestContext );
    ok( result.Status == WSAEFAULT || ( !result.Status && result.BytesTransferred == 16 ), "status %ld, %lu bytes\n",
        result.Status, result.BytesTransferred );
    rio.RIODeregisterBuffer( unmapped );
    registered_clean_up( &set );
}

START_TEST( registered_queues )
{
    if ( support_begin() ) return;
    if ( registered_load() )
    {
        test_table();
        test_buffers();
        test_completion_queues();
        test_request_queues();
        test_limits();
        test_arguments();
    }
    support_end();
}
