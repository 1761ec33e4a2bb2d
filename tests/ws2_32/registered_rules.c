/*
 * Registered I/O follows the rules of other receives and sends (facts: windows-behaviour 3 to 7 and 12): what shutdown,
 * closing and resets do, sockets that are not connected or not overlapped, datagrams that nobody takes, send buffers of 0,
 * urgent bytes, requests of nothing, write watches. What an error would be of another call is the end of a request here.
 */
#include "registered.h"

static void reset_on_close( SOCKET s )
{
    struct linger reset = { 1, 0 };

    check_ok( setsockopt( s, SOL_SOCKET, SO_LINGER, (char *)&reset, sizeof( reset ) ) );
}

/* --- connections ---------------------------------------------------------------------------------------------------*/

/* A receive that waits stays when the socket is shut, and takes what comes; later ones do not begin. */
static void test_shutdown( void )
{
    struct setting set;

    registered_set_up( &set );
    check_result( registered_receive( &set, 0, 16, 0, 1 ), TRUE );
    check_ok( shutdown( set.s, SD_RECEIVE ) );
    check_result( registered_receive( &set, 16, 16, 0, 2 ), TRUE );
    check_end( set.ends, 2, WSAESHUTDOWN, 0 );
    check_no_end( set.ends );
    check_result( send( set.peer, "hello", 5, 0 ), 5 );
    check_end( set.ends, 1, 0, 5 );
    ok( !memcmp( set.memory, "hello", 5 ), "got %.5s\n", set.memory );
    check_ok( shutdown( set.s, SD_SEND ) );
    check_result( registered_send( &set, 0, 5, 0, 3 ), TRUE );
    check_end( set.ends, 3, WSAESHUTDOWN, 0 );
    registered_clean_up( &set );

    /* the peer's end of the stream ends each receive, and then it is reset: that is an aborted connection */
    registered_set_up( &set );
    check_result( registered_receive( &set, 0, 16, 0, 1 ), TRUE );
    check_ok( shutdown( set.peer, SD_SEND ) );
    check_end( set.ends, 1, 0, 0 );
    check_result( registered_receive( &set, 0, 16, 0, 2 ), TRUE );
    check_end( set.ends, 2, 0, 0 );
    closesocket( set.peer );
    set.peer = INVALID_SOCKET;
    check_result( registered_send( &set, 0, 5, 0, 3 ), TRUE );
    check_end( set.ends, 3, 0, 5 );
    check_result( registered_receive( &set, 0, 16, 0, 4 ), TRUE );
    check_end( set.ends, 4, WSAECONNABORTED, 0 );
    registered_clean_up( &set );
}

/* A reset ends all receives, those that wait and those that come. */
static void test_reset( void )
{
    struct setting set;

    registered_set_up( &set );
    for ( ULONG i = 0; i < 3; i++ ) check_result( registered_receive( &set, 0, 16, 0, i ), TRUE );
    reset_on_close( set.peer );
    closesocket( set.peer );
    set.peer = INVALID_SOCKET;
    for ( ULONG i = 0; i < 3; i++ ) check_end( set.ends, i, WSAECONNRESET, 0 );
    check_result( registered_receive( &set, 0, 16, 0, 3 ), TRUE );
    check_end( set.ends, 3, WSAECONNRESET, 0 );
    check_result( registered_send( &set, 0, 16, 0, 4 ), TRUE );
    check_end( set.ends, 4, WSAECONNRESET, 0 );
    registered_clean_up( &set );
}

/* Without a connection. */
static void test_not_connected( int family )
{
    union address address;
    RIO_CQ ends = rio.RIOCreateCompletionQueue( 16, NULL );
    SOCKET s = registered_socket( family, SOCK_STREAM, &address );
    char memory[16];
    RIO_BUFFERID id = rio.RIORegisterBuffer( memory, sizeof( memory ) );
    RIO_BUF data = slice( id, 0, sizeof( memory ) );
    RIO_RQ requests = rio.RIOCreateRequestQueue( s, 4, 1, 4, 1, ends, ends, NULL );

    ok( requests != RIO_INVALID_RQ, "error %d\n", WSAGetLastError() );
    check_result( rio.RIOReceive( requests, &data, 1, 0, CONTEXT( 1 ) ), TRUE );
    check_end( ends, 1, WSAENOTCONN, 0 );
    check_result( rio.RIOSend( requests, &data, 1, 0, CONTEXT( 2 ) ), TRUE );
    check_end( ends, 2, WSAENOTCONN, 0 );
    closesocket( s );
    rio.RIOCloseCompletionQueue( ends );
    rio.RIODeregisterBuffer( id );
}

/* A connection that is being made is none yet, for either direction. */
static void test_connecting( void )
{
    SOCKET fillers[6], listener, s;
    union address target;
    RIO_CQ ends = rio.RIOCreateCompletionQueue( 16, NULL );
    char memory[64];
    RIO_BUFFERID id = rio.RIORegisterBuffer( memory, sizeof( memory ) );
    RIO_BUF data = slice( id, 0, 16 );
    RIO_RQ requests;

    listener = deaf_listener( &target, fillers, ARRAY_SIZE( fillers ) );
    s = WSASocketW( AF_INET, SOCK_STREAM, 0, NULL, 0, WSA_FLAG_REGISTERED_IO | WSA_FLAG_OVERLAPPED );
    set_nonblocking( s, TRUE );
    requests = rio.RIOCreateRequestQueue( s, 4, 1, 4, 1, ends, ends, NULL );
    ok( requests != RIO_INVALID_RQ, "error %d\n", WSAGetLastError() );
    check_fails( connect( s, &target.any, sizeof( target.v4 ) ), WSAEWOULDBLOCK );
    if ( !is_under_way( s ) ) skip( "the connection is not under way\n" );
    else
    {
        check_result( rio.RIOSend( requests, &data, 1, 0, CONTEXT( 1 ) ), TRUE );
        check_end( ends, 1, WSAENOTCONN, 0 );
        check_result( rio.RIOReceive( requests, &data, 1, 0, CONTEXT( 2 ) ), TRUE );
        check_end( ends, 2, WSAENOTCONN, 0 );
        check_result( rio.RIOSendEx( requests, &data, 1, NULL, NULL, NULL, NULL, 0, CONTEXT( 3 ) ), TRUE );
        check_end( ends, 3, WSAENOTCONN, 0 );
    }
    closesocket( s );
    for ( unsigned int i = 0; i < ARRAY_SIZE( fillers ); i++ ) closesocket( fillers[i] );
    closesocket( listener );
    rio.RIOCloseCompletionQueue( ends );
    rio.RIODeregisterBuffer( id );
}

/* The extended functions without any of the parts that they may have are as the others. */
static void test_no_parts( void )
{
    struct setting set;
    RIO_BUF data;

    registered_set_up( &set );
    data = slice( set.id, 0, 5 );
    memcpy( set.memory, "hello", 5 );
    check_result( rio.RIOSendEx( set.requests, &data, 1, NULL, NULL, NULL, NULL, 0, CONTEXT( 1 ) ), TRUE );
    check_end( set.ends, 1, 0, 5 );
    check_result( rio.RIOReceiveEx( set.requests, &data, 1, NULL, NULL, NULL, NULL, 0, CONTEXT( 2 ) ), TRUE );
    check_no_end( set.ends );
    check_result( send( set.peer, "world", 5, 0 ), 5 );
    check_end( set.ends, 2, 0, 5 );
    check_ok( shutdown( set.s, SD_BOTH ) );
    check_result( rio.RIOSendEx( set.requests, &data, 1, NULL, NULL, NULL, NULL, 0, CONTEXT( 3 ) ), TRUE );
    check_end( set.ends, 3, WSAESHUTDOWN, 0 );
    check_result( rio.RIOReceiveEx( set.requests, &data, 1, NULL, NULL, NULL, NULL, 0, CONTEXT( 4 ) ), TRUE );
    check_end( set.ends, 4, WSAESHUTDOWN, 0 );
    registered_clean_up( &set );
}

/* Neither the overlapped flag nor the blocking mode is asked for: a request waits, and its caller does not. */
static void test_modes( DWORD more_flags, BOOL nonblocking )
{
    struct setting set;

    winetest_push_context( "flags %#lx, nonblocking %d", more_flags, nonblocking );
    registered_set_up( &set );
    closesocket( set.s );
    closesocket( set.peer );
    tcp_pair_with( WSA_FLAG_REGISTERED_IO | more_flags, &set.peer, &set.s );
    set_nonblocking( set.s, nonblocking );
    set_receive_timeout( set.s, 10 );
    set.requests = rio.RIOCreateRequestQueue( set.s, RECEIVES, 1, SENDS, 1, set.ends, set.ends, NULL );
    ok( set.requests != RIO_INVALID_RQ, "error %d\n", WSAGetLastError() );
    check_clears( registered_receive( &set, 0, 16, 0, 1 ), TRUE );
    check_no_end( set.ends );
    /* and only its socket's end cancels it */
    CancelIoEx( (HANDLE)set.s, NULL );
    CancelIo( (HANDLE)set.s );
    check_no_end( set.ends );
    check_result( send( set.peer, "hello", 5, 0 ), 5 );
    check_end( set.ends, 1, 0, 5 );
    registered_clean_up( &set );
    winetest_pop_context();
}

/* A receive of nothing waits for data and leaves it there. */
static void test_nothing( void )
{
    struct setting set;

    registered_set_up( &set );
    check_result( registered_receive( &set, 0, 0, 0, 1 ), TRUE );
    check_no_end( set.ends );
    check_result( send( set.peer, "hello", 5, 0 ), 5 );
    check_end( set.ends, 1, 0, 0 );
    check_result( registered_receive( &set, 0, 0, 0, 2 ), TRUE );
    check_end( set.ends, 2, 0, 0 );
    check_result( registered_receive( &set, 0, 16, 0, 3 ), TRUE );
    check_end( set.ends, 3, 0, 5 );
    check_result( registered_send( &set, 0, 0, 0, 4 ), TRUE );
    check_end( set.ends, 4, 0, 0 );
    check_open( set.peer );
    registered_clean_up( &set );
}

/* Without a send buffer of its own the socket has the program's until the peer has taken all. */
static void test_no_send_buffer( void )
{
    const ULONG size = 1 << 20;
    char *memory = VirtualAlloc( NULL, size, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE ), buffer[65536];
    RIO_BUFFERID id = rio.RIORegisterBuffer( memory, size );
    RIO_BUF data = slice( id, 0, size );
    struct setting set;
    int none = 0, n;
    ULONG got = 0, wrong = 0;

    registered_set_up( &set );
    check_ok( setsockopt( set.s, SOL_SOCKET, SO_SNDBUF, (char *)&none, sizeof( none ) ) );
    for ( ULONG i = 0; i < size; i++ ) memory[i] = (char)( i % 251 );
    check_result( rio.RIOSend( set.requests, &data, 1, 0, CONTEXT( 1 ) ), TRUE );
    check_no_end( set.ends );
    while ( got < size && ( n = recv( set.peer, buffer, sizeof( buffer ), 0 ) ) > 0 )
    {
        for ( int i = 0; i < n; i++ ) wrong += buffer[i] != (char)( ( got + i ) % 251 );
        got += n;
    }
    ok( got == size && !wrong, "%lu bytes, %lu of them others\n", got, wrong );
    check_end( set.ends, 1, 0, size );
    registered_clean_up( &set );
    rio.RIODeregisterBuffer( id );
    VirtualFree( memory, 0, MEM_RELEASE );
}

/* Urgent bytes are beside the stream: receives pass them by, and they are there afterwards. */
static void test_urgent( BOOL waits )
{
    struct setting set;
    RIORESULT result;
    ULONG got = 0;
    char byte = 0;

    winetest_push_context( "waits %d", waits );
    registered_set_up( &set );
    if ( waits ) check_result( registered_receive( &set, 0, 16, 0, 1 ), TRUE );
    check_result( send( set.peer, "first", 5, 0 ), 5 );
    check_result( send( set.peer, "!", 1, MSG_OOB ), 1 );
    check_result( send( set.peer, "later", 5, 0 ), 5 );
    while ( got < 10 )
    {
        if ( !waits || got ) check_result( registered_receive( &set, got, 16, 0, 1 ), TRUE );
        if ( registered_take( set.ends, &result, 1 ) != 1 || result.Status || !result.BytesTransferred ) break;
        got += result.BytesTransferred;
    }
    ok( got == 10 && !memcmp( set.memory, "firstlater", 10 ), "%lu bytes, %.11s\n", got, set.memory );
    check_result( recv( set.s, &byte, 1, MSG_OOB ), 1 );
    ok( byte == '!', "urgent byte %#x\n", byte );
    registered_clean_up( &set );
    winetest_pop_context();
}

/* What the program is told of has come: after the event, after the packet. */
static void test_notified( BOOL by_port )
{
    HANDLE event = CreateEventW( NULL, FALSE, FALSE, NULL ),
           port = CreateIoCompletionPort( INVALID_HANDLE_VALUE, NULL, 0, 0 );
    RIO_NOTIFICATION_COMPLETION notification = { .Type = by_port ? RIO_IOCP_COMPLETION : RIO_EVENT_COMPLETION };
    OVERLAPPED ov = { 0 }, *got;
    struct setting set;
    ULONG late = 0;
    ULONG_PTR key;
    RIORESULT result;
    DWORD size;
    RIO_CQ ends;

    if ( by_port )
    {
        notification.Iocp.IocpHandle = port;
        notification.Iocp.Overlapped = &ov;
    }
    else
    {
        notification.Event.EventHandle = event;
        notification.Event.NotifyReset = FALSE;
    }
    ends = registered_set_up_told( &set, &notification );
    for ( int round = 0; round < 300; round++ )
    {
        check_result( rio.RIONotify( ends ), 0 );
        check_result( registered_receive( &set, 0, 1, 0, round ), TRUE );
        check_result( send( set.peer, "x", 1, 0 ), 1 );
        if ( by_port ) ok( GetQueuedCompletionStatus( port, &size, &key, &got, 10000 ), "error %lu\n", GetLastError() );
        else ok( !WaitForSingleObject( event, 10000 ), "the event is not set\n" );
        if ( rio.RIODequeueCompletion( ends, &result, 1 ) == 1 ) continue;
        late++;
        registered_take( ends, &result, 1 );
    }
    ok( !late, "%lu ends came late\n", late );
    rio.RIOCloseCompletionQueue( ends );
    registered_clean_up( &set );
    CloseHandle( event );
    CloseHandle( port );
}

/* --- datagrams -----------------------------------------------------------------------------------------------------*/

struct datagrams
{
    SOCKET s;
    union address address;
    struct
    {
        SOCKADDR_INET remote;
        char data[128];
    } memory;
    RIO_BUFFERID id;
    RIO_CQ ends;
    RIO_RQ requests;
};

static void set_up( struct datagrams *set, int family )
{
    memset( set, 0, sizeof( *set ) );
    set->s = registered_socket( family, SOCK_DGRAM, &set->address );
    set->id = rio.RIORegisterBuffer( (char *)&set->memory, sizeof( set->memory ) );
    set->ends = rio.RIOCreateCompletionQueue( 16, NULL );
    set->requests = rio.RIOCreateRequestQueue( set->s, 8, 1, 8, 1, set->ends, set->ends, NULL );
    ok( set->requests != RIO_INVALID_RQ, "error %d\n", WSAGetLastError() );
}

static void clean_up( struct datagrams *set )
{
    closesocket( set->s );
    rio.RIOCloseCompletionQueue( set->ends );
    rio.RIODeregisterBuffer( set->id );
}

static BOOL receive_datagram( struct datagrams *set, ULONG length, BOOL extended, ULONG_PTR context )
{
    RIO_BUF data = slice( set->id, sizeof( SOCKADDR_INET ), length ),
            remote = slice( set->id, 0, sizeof( SOCKADDR_INET ) );

    if ( !extended ) return rio.RIOReceive( set->requests, &data, 1, 0, CONTEXT( context ) );
    return rio.RIOReceiveEx( set->requests, &data, 1, NULL, &remote, NULL, NULL, 0, CONTEXT( context ) );
}

static BOOL send_datagram( struct datagrams *set, const union address *to, ULONG_PTR context )
{
    RIO_BUF data = slice( set->id, sizeof( SOCKADDR_INET ), 5 ), remote = slice( set->id, 0, sizeof( SOCKADDR_INET ) );

    if ( !to ) return rio.RIOSend( set->requests, &data, 1, 0, CONTEXT( context ) );
    memcpy( &set->memory.remote, to, sizeof( set->memory.remote ) );
    return rio.RIOSendEx( set->requests, &data, 1, NULL, &remote, NULL, NULL, 0, CONTEXT( context ) ) != 0;
}

/* A datagram that nobody takes: a receive hears of it, unless that is switched off. */
static void test_unreachable( int family, BOOL waits, BOOL connected )
{
    struct datagrams set;
    union address nobody;
    SOCKET gone = udp_bound( family, &nobody );
    BOOL off = FALSE;
    DWORD size;

    winetest_push_context( "family %d, waits %d, connected %d", family, waits, connected );
    closesocket( gone );
    set_up( &set, family );
    if ( connected ) check_ok( connect( set.s, &nobody.any, address_length( family ) ) );
    for ( int extended = 0; extended < 2; extended++ )
    {
        if ( waits ) check_result( receive_datagram( &set, 64, extended, 1 ), TRUE );
        check_result( send_datagram( &set, connected ? NULL : &nobody, 2 ), TRUE );
        if ( !waits )
        {
            check_end( set.ends, 2, 0, 5 );
            ok( wait_readable( set.s, 5000 ), "not told of\n" );
            check_result( receive_datagram( &set, 64, extended, 1 ), TRUE );
            check_end( set.ends, 1, WSAECONNRESET, 0 );
        }
        else
        {
            RIORESULT results[2] = { 0 };

            check_result( registered_take( set.ends, results, 2 ), 2 );
            for ( int i = 0; i < 2; i++ )
                ok( results[i].Status == ( results[i].RequestContext == 1 ? WSAECONNRESET : 0 ),
                    "request %llu: status %ld\n", results[i].RequestContext, results[i].Status );
        }
    }
    check_ok( WSAIoctl( set.s, SIO_UDP_CONNRESET, &off, sizeof( off ), NULL, 0, &size, NULL, NULL ) );
    check_result( receive_datagram( &set, 64, FALSE, 3 ), TRUE );
    check_result( send_datagram( &set, connected ? NULL : &nobody, 4 ), TRUE );
    check_end( set.ends, 4, 0, 5 );
    check_no_end( set.ends );
    closesocket( set.s );
    check_end( set.ends, 3, WSA_OPERATION_ABORTED, 0 );
    set.s = INVALID_SOCKET;
    clean_up( &set );
    winetest_pop_context();
}

/* A datagram larger than the buffer is cut, whoever sent it, and the rest of it is gone. */
static void test_cut( int family )
{
    const int length = address_length( family );
    struct datagrams set;
    union address address;
    SOCKET peer = udp_bound( family, &address );

    set_up( &set, family );
    for ( int waits = 0; waits < 2; waits++ )
        for ( int extended = 0; extended < 2; extended++ )
            for ( ULONG size = 0; size < 8; size += 3 )
            {
                winetest_push_context( "family %d, waits %d, extended %d, size %lu", family, waits, extended, size );
                memset( &set.memory, 0x5a, sizeof( set.memory ) );
                if ( waits ) check_result( receive_datagram( &set, size, extended, 1 ), TRUE );
                check_result( sendto( peer, "hello", 5, 0, &set.address.any, length ), 5 );
                if ( !waits ) ok( wait_readable( set.s, 5000 ), "nothing\n" );
                if ( !waits ) check_result( receive_datagram( &set, size, extended, 1 ), TRUE );
                check_end( set.ends, 1, size < 5 ? WSAEMSGSIZE : 0, size < 5 ? size : 5 );
                ok( !memcmp( set.memory.data, "hello", size < 5 ? size : 5 ) && set.memory.data[size] == 0x5a,
                    "got %.6s\n", set.memory.data );
                if ( extended )
                    ok( set.memory.remote.Ipv4.sin_port == address.v4.sin_port, "from port %d\n",
                        ntohs( set.memory.remote.Ipv4.sin_port ) );
                check_result( sendto( peer, "again", 5, 0, &set.address.any, length ), 5 );
                check_result( receive_datagram( &set, 64, extended, 2 ), TRUE );
                check_end( set.ends, 2, 0, 5 );
                ok( !memcmp( set.memory.data, "again", 5 ), "got %.5s\n", set.memory.data );
                winetest_pop_context();
            }
    closesocket( peer );
    clean_up( &set );
}

/* To everybody only with permission; connecting needs none, and then neither does sending. */
static void test_broadcast( void )
{
    union address all = { .v4 = { .sin_family = AF_INET, .sin_port = htons( 12345 ) } };
    struct datagrams set;
    DWORD on = 1;

    all.v4.sin_addr.s_addr = INADDR_BROADCAST;
    set_up( &set, AF_INET );
    check_result( send_datagram( &set, &all, 1 ), TRUE );
    check_end( set.ends, 1, WSAEACCES, 0 );
    check_ok( setsockopt( set.s, SOL_SOCKET, SO_BROADCAST, (char *)&on, sizeof( on ) ) );
    check_result( send_datagram( &set, &all, 2 ), TRUE );
    check_end( set.ends, 2, 0, 5 );
    on = 0;
    check_ok( setsockopt( set.s, SOL_SOCKET, SO_BROADCAST, (char *)&on, sizeof( on ) ) );
    check_result( send_datagram( &set, &all, 3 ), TRUE );
    check_end( set.ends, 3, WSAEACCES, 0 );
    check_ok( connect( set.s, &all.any, sizeof( all.v4 ) ) );
    check_result( send_datagram( &set, NULL, 4 ), TRUE );
    check_end( set.ends, 4, 0, 5 );
    clean_up( &set );
}

/* Without an address; and a receive on a socket that is closed. */
static void test_datagram_errors( int family )
{
    struct datagrams set;

    set_up( &set, family );
    check_result( send_datagram( &set, NULL, 1 ), TRUE );
    check_end( set.ends, 1, WSAENOTCONN, 0 );
    check_result( receive_datagram( &set, 64, FALSE, 2 ), TRUE );
    check_no_end( set.ends );
    check_ok( closesocket( set.s ) );
    check_end( set.ends, 2, WSA_OPERATION_ABORTED, 0 );
    set.s = INVALID_SOCKET;
    clean_up( &set );
}

/* Shut, with an address and without. */
static void test_datagrams_shut( int family )
{
    struct datagrams set;
    union address to;
    SOCKET receiver = udp_bound( family, &to );

    set_up( &set, family );
    check_result( send_datagram( &set, &to, 1 ), TRUE );
    check_end( set.ends, 1, 0, 5 );
    check_ok( shutdown( set.s, SD_SEND ) );
    check_result( send_datagram( &set, &to, 2 ), TRUE );
    check_end( set.ends, 2, WSAESHUTDOWN, 0 );
    check_result( send_datagram( &set, NULL, 3 ), TRUE );
    check_end( set.ends, 3, WSAESHUTDOWN, 0 );
    check_result( receive_datagram( &set, 64, FALSE, 4 ), TRUE );
    check_no_end( set.ends );
    check_ok( shutdown( set.s, SD_RECEIVE ) );
    check_result( receive_datagram( &set, 64, TRUE, 5 ), TRUE );
    check_end( set.ends, 5, WSAESHUTDOWN, 0 );
    clean_up( &set );
    closesocket( receiver );
}

/* Data that comes for a receive that waits is no write of the program's. */
static void test_write_watch( void )
{
    char *memory = VirtualAlloc( NULL, 0x10000, MEM_COMMIT | MEM_RESERVE | MEM_WRITE_WATCH, PAGE_READWRITE );
    RIO_BUFFERID id = rio.RIORegisterBuffer( memory, 0x10000 );
    RIO_BUF data = slice( id, 0x1ffd, 0x2000 );
    struct setting set;
    void *pages[16];
    ULONG_PTR count;
    ULONG page;

    registered_set_up( &set );
    memset( memory, 0, 0x10000 );
    check_result( rio.RIOReceive( set.requests, &data, 1, 0, CONTEXT( 1 ) ), TRUE );
    ResetWriteWatch( memory, 0x10000 );
    check_result( send( set.peer, "hello", 5, 0 ), 5 );
    check_end( set.ends, 1, 0, 5 );
    count = ARRAY_SIZE( pages );
    check_result( GetWriteWatch( 0, memory, 0x10000, pages, &count, &page ), 0 );
    ok( !count, "%lu pages are reported\n", (ULONG)count );
    ok( !memcmp( memory + 0x1ffd, "hello", 5 ), "got %.5s\n", memory + 0x1ffd );
    registered_clean_up( &set );
    rio.RIODeregisterBuffer( id );
    VirtualFree( memory, 0, MEM_RELEASE );
}

START_TEST( registered_rules )
{
    if ( support_begin() ) return;
    if ( registered_load() )
    {
        test_shutdown();
        test_reset();
        for ( int nonblocking = 0; nonblocking < 2; nonblocking++ )
        {
            test_modes( 0, nonblocking );
            test_modes( WSA_FLAG_OVERLAPPED, nonblocking );
        }
        test_connecting();
        test_no_parts();
        test_nothing();
        test_no_send_buffer();
        test_urgent( FALSE );
        test_urgent( TRUE );
        test_notified( FALSE );
        test_notified( TRUE );
        for ( int v6 = 0; v6 < 1 + have_ipv6(); v6++ )
        {
            const int family = v6 ? AF_INET6 : AF_INET;

            test_not_connected( family );
            for ( int way = 0; way < 4; way++ ) test_unreachable( family, way & 1, way >> 1 );
            test_cut( family );
            test_datagram_errors( family );
            test_datagrams_shut( family );
        }
        test_broadcast();
        test_write_watch();
    }
    support_end();
}
