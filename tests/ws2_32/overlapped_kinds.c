/*
 * Overlapped operations of every kind, ended in every way: messages and what is cut short by event, routine and port;
 * MSG_PARTIAL, MSG_PEEK, MSG_WAITALL and operations of nothing; several sends at once; the handle as what is signalled;
 * whose operations CancelIo ends. And nothing touches a buffer once its operation has ended.
 */
#include "requests.h"

#define STATUS_CANCELLED_ 0xc0000120
#define STATUS_OVERFLOW_ 0x80000005
#define UNTOUCHED 0x5a5a5a5a

#define check_pends( call ) check_fails( call, WSA_IO_PENDING )

/* How the program is told. */
enum telling
{
    BY_EVENT,
    BY_ROUTINE,
    BY_PORT,
    TELLINGS
};
static const char *const tellings[TELLINGS] = { "event", "routine", "port" };

struct told
{
    enum telling how;
    HANDLE event, port;
    OVERLAPPED overlapped;
};

static void told_init( struct told *told, enum telling how, SOCKET s )
{
    memset( told, 0, sizeof( *told ) );
    told->how = how;
    if ( how == BY_EVENT ) told->event = CreateEventW( NULL, TRUE, FALSE, NULL );
    if ( how == BY_PORT ) told->port = CreateIoCompletionPort( (HANDLE)s, NULL, 42, 0 );
}

/* Before each operation. */
static OVERLAPPED *told_begin( struct told *told )
{
    memset( &told->overlapped, 0x5a, sizeof( told->overlapped ) );
    told->overlapped.hEvent = told->event;
    memset( &routine_seen, 0, sizeof( routine_seen ) );
    return &told->overlapped;
}

static LPWSAOVERLAPPED_COMPLETION_ROUTINE told_routine( const struct told *told )
{
    return told->how == BY_ROUTINE ? routine : NULL;
}

/* winsock, win32: the error as each side calls it */
static void check_told_( int line, struct told *told, DWORD status, int winsock, DWORD win32, DWORD size )
{
    OVERLAPPED *got = NULL;
    DWORD bytes = 0xdead;
    ULONG_PTR key = 0;
    BOOL result;

    switch ( told->how )
    {
    case BY_EVENT: ok_( __FILE__, line )( !WaitForSingleObject( told->event, 5000 ), "the event is not set\n" ); break;
    case BY_ROUTINE:
        ok_( __FILE__, line )( !routine_seen.calls, "called too early\n" );
        ok_( __FILE__, line )( SleepEx( 5000, TRUE ) == WAIT_IO_COMPLETION, "no routine ran\n" );
        ok_( __FILE__, line )( routine_seen.calls == 1 && routine_seen.overlapped == &told->overlapped, "%d calls\n",
                               routine_seen.calls );
        ok_( __FILE__, line )( routine_seen.error == (DWORD)winsock && routine_seen.size == size,
                               "called with error %lu, size %lu\n", routine_seen.error, routine_seen.size );
        ok_( __FILE__, line )( !SleepEx( 0, TRUE ), "a second routine ran\n" );
        break;
    case BY_PORT:
        result = GetQueuedCompletionStatus( told->port, &bytes, &key, &got, 5000 );
        ok_( __FILE__, line )( got == &told->overlapped && key == 42, "no packet\n" );
        ok_( __FILE__, line )( result == !win32 && ( result || GetLastError() == win32 ), "result %d, error %lu\n",
                               result, GetLastError() );
        ok_( __FILE__, line )( bytes == size, "a packet of %lu bytes\n", bytes );
        result = GetQueuedCompletionStatus( told->port, &bytes, &key, &got, 0 );
        ok_( __FILE__, line )( !result && !got, "a second packet\n" );
        break;
    case TELLINGS: break;
    }
    ok_( __FILE__, line )( told->overlapped.Internal == status, "status %#lx, expected %#lx\n",
                           (DWORD)told->overlapped.Internal, status );
    ok_( __FILE__, line )( told->overlapped.InternalHigh == size, "%lu bytes, expected %lu\n",
                           (DWORD)told->overlapped.InternalHigh, size );
}
#define check_told( told, status, winsock, win32, size ) check_told_( __LINE__, told, status, winsock, win32, size )

static void told_end( struct told *told )
{
    if ( told->event ) CloseHandle( told->event );
    if ( told->port ) CloseHandle( told->port );
}

/* --- messages ------------------------------------------------------------------------------------------------------*/

/* WSARecvMsg that waits and that need not, with room for its control data and without; WSASendMsg. */
static void test_messages( enum telling how )
{
    LPFN_WSARECVMSG receive_message = NULL;
    union address address, sender_address, from;
    SOCKET receiver = udp_bound( AF_INET, &address ), sender = udp_bound( AF_INET, &sender_address );
    struct told told, sent;
    char data[16], control[256];
    WSABUF in = { sizeof( data ), data }, out = { 6, (char *)"hello!" };
    DWORD on = 1, size, flags;
    WSAMSG message;
    int result;

    winetest_push_context( "%s", tellings[how] );
    receive_message = extension( receiver, (GUID)WSAID_WSARECVMSG );
    check_ok( setsockopt( receiver, IPPROTO_IP, IP_PKTINFO, (char *)&on, sizeof( on ) ) );
    told_init( &told, how, receiver );
    told_init( &sent, how, sender );
    for ( int variant = 0; variant < 4; variant++ )
    {
        const BOOL waits = variant & 1, cut_short = variant & 2;
        OVERLAPPED *ov = told_begin( &told );

        winetest_push_context( "waits %d, cut short %d", waits, cut_short );
        memset( &from, 0, sizeof( from ) );
        message = ( WSAMSG ){ &from.any, sizeof( from ), &in, 1, { cut_short ? 1 : sizeof( control ), control }, 0 };
        if ( waits )
        {
            check_pends( receive_message( receiver, &message, NULL, ov, told_routine( &told ) ) );
            ok( message.Control.len == ( cut_short ? 1 : sizeof( control ) ), "control data of %lu bytes\n",
                message.Control.len );
            check_result( sendto( sender, "hello!", 6, 0, &address.any, sizeof( address.v4 ) ), 6 );
        }
        else
        {
            check_result( sendto( sender, "hello!", 6, 0, &address.any, sizeof( address.v4 ) ), 6 );
            ok( wait_readable( receiver, 5000 ), "no datagram\n" );
            result = receive_message( receiver, &message, NULL, ov, told_routine( &told ) );
            if ( !cut_short ) ok( !result, "error %d\n", WSAGetLastError() );
            /* a warning is not reported inline where a completion is delivered */
            else if ( how == BY_ROUTINE )
                ok( result && WSAGetLastError() == WSA_IO_PENDING, "error %d\n", WSAGetLastError() );
            else
                ok( result && ( WSAGetLastError() == WSA_IO_PENDING || WSAGetLastError() == WSAEMSGSIZE ), "error %d\n",
                    WSAGetLastError() );
        }
        if ( cut_short ) check_told( &told, STATUS_OVERFLOW_, WSAEMSGSIZE, ERROR_MORE_DATA, 6 );
        else check_told( &told, 0, 0, 0, 6 );
        if ( how == BY_ROUTINE ) ok( !routine_seen.flags, "called with flags %#lx\n", routine_seen.flags );
        ok( !memcmp( data, "hello!", 6 ), "got %.6s\n", data );
        ok( address_port( &from ) == address_port( &sender_address ), "from port %d\n", address_port( &from ) );
        ok( message.dwFlags == ( cut_short ? MSG_CTRUNC : 0 ), "flags %#lx\n", message.dwFlags );
        if ( !cut_short )
            ok( message.Control.len == WSA_CMSG_SPACE( sizeof( struct in_pktinfo ) ), "control data of %lu bytes\n",
                message.Control.len );
        ok( ov->Offset == UNTOUCHED && ov->OffsetHigh == UNTOUCHED, "offset %#lx %#lx\n", ov->OffsetHigh, ov->Offset );
        size = flags = 0xdead;
        if ( cut_short )
        {
            check_error( WSAGetOverlappedResult( receiver, ov, &size, FALSE, &flags ), FALSE, WSAEMSGSIZE );
            ok( flags == 0xdead, "flags %#lx\n", flags );
        }
        else check_result( WSAGetOverlappedResult( receiver, ov, &size, FALSE, &flags ), TRUE );
        ok( size == 6, "%lu bytes\n", size );
        winetest_pop_context();
    }

    message = ( WSAMSG ){ &address.any, sizeof( address.v4 ), &out, 1, { 0, NULL }, 0 };
    result = WSASendMsg( sender, &message, 0, NULL, told_begin( &sent ), told_routine( &sent ) );
    ok( !result || WSAGetLastError() == WSA_IO_PENDING, "error %d\n", WSAGetLastError() );
    check_told( &sent, 0, 0, 0, 6 );
    check_result( recv( receiver, data, sizeof( data ), 0 ), 6 );
    /* cancelled while it waits */
    message = ( WSAMSG ){ NULL, 0, &in, 1, { 0, NULL }, 0 };
    check_pends( receive_message( receiver, &message, NULL, told_begin( &told ), told_routine( &told ) ) );
    check_result( CancelIoEx( (HANDLE)receiver, &told.overlapped ), TRUE );
    check_told( &told, STATUS_CANCELLED_, WSA_OPERATION_ABORTED, ERROR_OPERATION_ABORTED, 0 );
    closesocket( receiver );
    closesocket( sender );
    told_end( &told );
    told_end( &sent );
    winetest_pop_context();
}

/* --- flags, and operations of nothing ------------------------------------------------------------------------------*/

static int receive( SOCKET s, void *memory, ULONG size, DWORD flags, struct told *told )
{
    WSABUF buffer = { size, memory };

    return WSARecv( s, &buffer, 1, NULL, &flags, told_begin( told ), told_routine( told ) );
}

static void test_flags( enum telling how )
{
    SOCKET client, server, datagram, peer;
    union address address, peer_address;
    struct told told;
    char data[64];
    WSABUF nothing = { 0, data };
    int result;

    winetest_push_context( "%s", tellings[how] );
    tcp_pair( &client, &server );
    told_init( &told, how, server );
    /* a receive that takes parts, whatever comes first */
    check_pends( receive( server, data, 8, MSG_PARTIAL, &told ) );
    check_result( send( client, "abc", 3, 0 ), 3 );
    check_told( &told, 0, 0, 0, 3 );
    /* one that looks, and the one after it */
    check_pends( receive( server, data, 8, MSG_PEEK, &told ) );
    check_result( send( client, "def", 3, 0 ), 3 );
    check_told( &told, 0, 0, 0, 3 );
    check_result( receive( server, data + 8, 8, 0, &told ), 0 );
    check_told( &told, 0, 0, 0, 3 );
    ok( !memcmp( data, "def", 3 ) && !memcmp( data + 8, "def", 3 ), "got %.3s and %.3s\n", data, data + 8 );
    /* one that wants all, and gets what there is at the end */
    check_pends( receive( server, data, 8, MSG_WAITALL, &told ) );
    check_result( send( client, "ghi", 3, 0 ), 3 );
    Sleep( 50 );
    ok( told.overlapped.Internal == STATUS_PENDING, "status %#lx\n", (DWORD)told.overlapped.Internal );
    check_result( send( client, "jk", 2, 0 ), 2 );
    Sleep( 50 );
    ok( told.overlapped.Internal == STATUS_PENDING, "status %#lx\n", (DWORD)told.overlapped.Internal );
    check_ok( shutdown( client, SD_SEND ) );
    check_told( &told, 0, 0, 0, 5 );
    ok( !memcmp( data, "ghijk", 5 ), "got %.5s\n", data );
    check_result( receive( server, data, 8, 0, &told ), 0 );
    check_told( &told, 0, 0, 0, 0 );
    /* a send of nothing */
    result = WSASend( server, &nothing, 1, NULL, 0, told_begin( &told ), told_routine( &told ) );
    ok( !result, "error %d\n", WSAGetLastError() );
    check_told( &told, 0, 0, 0, 0 );
    closesocket( client );
    closesocket( server );
    told_end( &told );

    /* datagrams: a receive of nothing takes one all the same, and that is cut short; an empty one is a result */
    datagram = udp_bound( AF_INET, &address );
    peer = udp_bound( AF_INET, &peer_address );
    told_init( &told, how, datagram );
    check_pends( receive( datagram, data, 0, 0, &told ) );
    check_result( sendto( peer, "abc", 3, 0, &address.any, sizeof( address.v4 ) ), 3 );
    check_told( &told, STATUS_OVERFLOW_, WSAEMSGSIZE, ERROR_MORE_DATA, 0 );
    check_pends( receive( datagram, data, 8, 0, &told ) );
    check_result( sendto( peer, "", 0, 0, &address.any, sizeof( address.v4 ) ), 0 );
    check_told( &told, 0, 0, 0, 0 );
    check_pends( receive( datagram, data, 8, MSG_PEEK, &told ) );
    check_result( sendto( peer, "abc", 3, 0, &address.any, sizeof( address.v4 ) ), 3 );
    check_told( &told, 0, 0, 0, 3 );
    check_result( recv( datagram, data, 8, 0 ), 3 );
    closesocket( datagram );
    closesocket( peer );
    told_end( &told );
    winetest_pop_context();
}

/* --- several sends at once -----------------------------------------------------------------------------------------*/

#define SENDS 6
#define PIECE ( 4 << 20 )

static char piece_byte( unsigned int i ) { return (char)( i * 7 + i / 251 ); }

/* Sends that wait go one after the other, and end in that order. */
static void test_sends( void )
{
    char *data = malloc( SENDS * PIECE ), *in = malloc( 1 << 16 );
    HANDLE port;
    OVERLAPPED ov[SENDS];
    SOCKET client, server;
    unsigned int got = 0, wrong = 0;
    int n;

    for ( unsigned int i = 0; i < SENDS * PIECE; i++ ) data[i] = piece_byte( i );
    tcp_pair( &client, &server );
    port = CreateIoCompletionPort( (HANDLE)client, NULL, 42, 0 );
    memset( ov, 0, sizeof( ov ) );
    for ( unsigned int i = 0; i < SENDS; i++ )
    {
        WSABUF buffers[2] = { { PIECE / 3, data + i * PIECE }, { PIECE - PIECE / 3, data + i * PIECE + PIECE / 3 } };
        int result = WSASend( client, buffers, 2, NULL, 0, &ov[i], NULL );

        ok( !result || WSAGetLastError() == WSA_IO_PENDING, "send %u: error %d\n", i, WSAGetLastError() );
    }
    ok( ov[SENDS - 1].Internal == STATUS_PENDING, "nobody reads, and all is sent\n" );
    while ( got < SENDS * PIECE && ( n = recv( server, in, 1 << 16, 0 ) ) > 0 )
        for ( int i = 0; i < n; i++, got++ ) wrong += in[i] != piece_byte( got );
    ok( got == SENDS * PIECE && !wrong, "%u bytes, %u wrong\n", got, wrong );
    for ( unsigned int i = 0; i < SENDS; i++ )
    {
        OVERLAPPED *which = NULL;
        ULONG_PTR key;
        DWORD size = 0;

        check_result( GetQueuedCompletionStatus( port, &size, &key, &which, 5000 ), TRUE );
        ok( which == &ov[i] && size == PIECE, "packet %u is of send %d, %lu bytes\n", i, (int)( which - ov ), size );
    }
    closesocket( client );
    closesocket( server );
    CloseHandle( port );
    free( data );
    free( in );
}

/* --- the handle ----------------------------------------------------------------------------------------------------*/

static void wait_for_end( OVERLAPPED *ov )
{
    for ( int i = 0; i < 5000 && *(volatile ULONG_PTR *)&ov->Internal == STATUS_PENDING; i++ ) Sleep( 1 );
    Sleep( 50 ); /* what is signalled is signalled by now */
    ok( !ov->Internal, "status %#lx\n", (DWORD)ov->Internal );
}

/* FILE_SKIP_SET_EVENT_ON_HANDLE: the end of an operation signals its own event, and not the handle. */
static void test_no_signal( void )
{
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL );
    SOCKET client, server;
    OVERLAPPED ov;
    DWORD flags = 0;
    char data[8];
    WSABUF buffer = { sizeof( data ), data };

    for ( int silent = 0; silent < 2; silent++ )
    {
        winetest_push_context( "silent %d", silent );
        tcp_pair( &client, &server );
        if ( silent )
            check_result( SetFileCompletionNotificationModes( (HANDLE)server, FILE_SKIP_SET_EVENT_ON_HANDLE ), TRUE );
        memset( &ov, 0, sizeof( ov ) );
        check_pends( WSARecv( server, &buffer, 1, NULL, &flags, &ov, NULL ) );
        check_result( WaitForSingleObject( (HANDLE)server, 0 ), WAIT_TIMEOUT );
        check_result( send( client, "x", 1, 0 ), 1 );
        wait_for_end( &ov );
        /* a signal may come a while after the status, and none never does */
        check_result( WaitForSingleObject( (HANDLE)server, silent ? 0 : 5000 ), silent ? WAIT_TIMEOUT : 0 );
        memset( &ov, 0, sizeof( ov ) );
        ov.hEvent = event;
        ResetEvent( event );
        check_pends( WSARecv( server, &buffer, 1, NULL, &flags, &ov, NULL ) );
        check_result( send( client, "x", 1, 0 ), 1 );
        check_result( WaitForSingleObject( event, 5000 ), 0 );
        closesocket( client );
        closesocket( server );
        winetest_pop_context();
    }
    CloseHandle( event );
}

/* --- cancelling ----------------------------------------------------------------------------------------------------*/

struct other
{
    SOCKET s;
    struct told told;
    char data[16];
    HANDLE begun, end;
};

static DWORD WINAPI other_thread( void *arg )
{
    struct other *other = arg;

    check_pends( receive( other->s, other->data, sizeof( other->data ), 0, &other->told ) );
    SetEvent( other->begun );
    WaitForSingleObject( other->end, 10000 );
    return 0;
}

/* CancelIo is for the thread's own operations, CancelIoEx for those of all. */
static void test_threads( void )
{
    HANDLE thread;
    SOCKET client, server;
    struct other other;
    struct told told;
    char data[16];

    for ( int all = 0; all < 2; all++ )
    {
        winetest_push_context( "all %d", all );
        tcp_pair( &client, &server );
        told_init( &told, BY_EVENT, server );
        told_init( &other.told, BY_EVENT, server );
        other.s = server;
        other.begun = CreateEventW( NULL, TRUE, FALSE, NULL );
        other.end = CreateEventW( NULL, TRUE, FALSE, NULL );
        thread = CreateThread( NULL, 0, other_thread, &other, 0, NULL );
        ok( !WaitForSingleObject( other.begun, 5000 ), "not begun\n" );
        check_pends( receive( server, data, sizeof( data ), 0, &told ) );
        if ( all ) check_result( CancelIoEx( (HANDLE)server, NULL ), TRUE );
        else check_result( CancelIo( (HANDLE)server ), TRUE );
        check_told( &told, STATUS_CANCELLED_, WSA_OPERATION_ABORTED, ERROR_OPERATION_ABORTED, 0 );
        if ( all ) check_told( &other.told, STATUS_CANCELLED_, WSA_OPERATION_ABORTED, ERROR_OPERATION_ABORTED, 0 );
        else
        {
            check_result( WaitForSingleObject( other.told.event, 100 ), WAIT_TIMEOUT );
            check_result( send( client, "hello", 5, 0 ), 5 );
            check_told( &other.told, 0, 0, 0, 5 );
        }
        SetEvent( other.end );
        ok( !WaitForSingleObject( thread, 5000 ), "the thread hangs\n" );
        CloseHandle( thread );
        CloseHandle( other.begun );
        CloseHandle( other.end );
        told_end( &told );
        told_end( &other.told );
        closesocket( client );
        closesocket( server );
        winetest_pop_context();
    }
}

/* --- whose the buffer is -------------------------------------------------------------------------------------------*/

struct flood
{
    SOCKET s;
    volatile LONG stop;
};

static DWORD WINAPI flood_thread( void *arg )
{
    struct flood *flood = arg;
    char data[64];

    memset( data, 'f', sizeof( data ) );
    while ( !flood->stop && send( flood->s, data, sizeof( data ), 0 ) > 0 ) continue;
    return 0;
}

/* Data comes in all the while that receives are begun and cancelled: once the end is told the memory is the program's, and
 * may have been given back, at any moment. */
static void test_buffer_after_cancel( void )
{
    char rest[4096], *page = VirtualAlloc( NULL, 0x1000, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE );
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL ), thread;
    unsigned int touched = 0, cancelled = 0, received = 0, odd = 0;
    struct flood flood = { 0 };
    WSABUF buffer;
    SOCKET server;
    OVERLAPPED ov;
    DWORD old;

    tcp_pair( &flood.s, &server );
    thread = CreateThread( NULL, 0, flood_thread, &flood, 0, NULL );
    for ( int round = 0; round < 2000; round++ )
    {
        DWORD flags = MSG_WAITALL;

        memset( page, 'p', 0x1000 );
        memset( &ov, 0, sizeof( ov ) );
        ov.hEvent = event;
        buffer = ( WSABUF ){ 0x1000, page };
        if ( WSARecv( server, &buffer, 1, NULL, &flags, &ov, NULL ) && WSAGetLastError() != WSA_IO_PENDING ) odd++;
        CancelIoEx( (HANDLE)server, &ov );
        if ( WaitForSingleObject( event, 5000 ) ) odd++;
        if ( ov.Internal == STATUS_CANCELLED_ ) cancelled++;
        else if ( !ov.Internal ) received++;
        else odd++;
        memset( page, 'q', 0x1000 );
        VirtualProtect( page, 0x1000, round % 2 ? PAGE_NOACCESS : PAGE_READONLY, &old );
        /* what comes now is for others */
        recv( server, rest, 1 + round % sizeof( rest ), 0 );
        VirtualProtect( page, 0x1000, PAGE_READWRITE, &old );
        for ( int i = 0; i < 0x1000; i++ ) touched += page[i] != 'q';
    }
    ok( !touched && !odd, "%u bytes written afterwards, %u other results, %u cancelled, %u received\n", touched, odd,
        cancelled, received );
    flood.stop = TRUE;
    closesocket( server );
    ok( !WaitForSingleObject( thread, 5000 ), "the sender hangs\n" );
    CloseHandle( thread );
    closesocket( flood.s );
    CloseHandle( event );
    VirtualFree( page, 0, MEM_RELEASE );
}

/* The memory is freed when closesocket or CancelIoEx has returned: receives, datagrams with addresses, sends. */
static void test_freed( void )
{
    for ( int variant = 0; variant < 6; variant++ )
    {
        const BOOL closes = variant % 2;
        char *page = VirtualAlloc( NULL, 0x100000, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE );
        WSABUF buffer = { 0x100000 - 0x1000, page + 0x1000 };
        SOCKET s = INVALID_SOCKET, peer = INVALID_SOCKET;
        OVERLAPPED *ov = (OVERLAPPED *)page;
        union address address;
        DWORD flags = 0;
        int result = 0;

        winetest_push_context( "variant %d", variant );
        if ( variant / 2 == 1 )
        {
            s = udp_bound( AF_INET, &address );
            peer = udp_bound( AF_INET, NULL );
            *(int *)( page + 0x100 ) = sizeof( SOCKADDR_STORAGE );
            check_pends( WSARecvFrom( s, &buffer, 1, NULL, &flags, (struct sockaddr *)( page + 0x200 ),
                                      (int *)( page + 0x100 ), ov, NULL ) );
        }
        else
        {
            tcp_pair( &peer, &s );
            if ( !variant || variant == 1 ) check_pends( WSARecv( s, &buffer, 1, NULL, &flags, ov, NULL ) );
            else
                for ( int i = 0; i < 500 && !( result = WSASend( s, &buffer, 1, NULL, 0, ov, NULL ) ); i++ ) continue;
        }
        if ( variant / 2 == 2 ) ok( result && WSAGetLastError() == WSA_IO_PENDING, "no send waits\n" );
        if ( closes ) check_ok( closesocket( s ) );
        else check_result( CancelIoEx( (HANDLE)s, ov ), TRUE );
        /* the receives of a connection end as it does */
        ok( ov->Internal == ( variant == 1 ? 0xc0000241 : STATUS_CANCELLED_ ), "status %#lx\n", (DWORD)ov->Internal );
        VirtualFree( page, 0, MEM_RELEASE );
        if ( variant / 2 == 1 ) sendto( peer, "hello", 5, 0, &address.any, sizeof( address.v4 ) );
        else if ( variant < 2 ) send( peer, "hello", 5, 0 );
        else
        {
            char data[4096];

            set_nonblocking( peer, TRUE );
            while ( recv( peer, data, sizeof( data ), 0 ) > 0 ) continue;
        }
        Sleep( 50 ); /* a fault in a thread of the system's would end the test here */
        if ( !closes && variant < 2 )
        {
            char data[8];

            check_result( recv( s, data, sizeof( data ), 0 ), 5 );
        }
        if ( !closes ) closesocket( s );
        closesocket( peer );
        winetest_pop_context();
    }
}

START_TEST( overlapped_kinds )
{
    if ( support_begin() ) return;
    for ( enum telling how = 0; how < TELLINGS; how++ ) test_messages( how );
    for ( enum telling how = 0; how < TELLINGS; how++ ) test_flags( how );
    test_sends();
    test_no_signal();
    test_threads();
    test_buffer_after_cancel();
    test_freed();
    support_end();
}
