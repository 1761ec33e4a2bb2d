/*
 * Sends and receives by rule: what is looked at first of wrong arguments, and through which handles; a receive into no
 * buffer; a sender's address without room for it, which costs no datagram; sockets that are not overlapped, on which
 * nothing pends; a send without a buffer of the system's, which ends when the peer has taken it.
 */
#include "support.h"

static const int families[] = { AF_INET, AF_INET6 };

/* --- arguments -------------------------------------------------------------------------------------------------------*/

static void test_order( int family )
{
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL ), copy = NULL;
    const SOCKET bad[] = { INVALID_SOCKET, (SOCKET)event, (SOCKET)0xdead0 };
    OVERLAPPED overlapped = { 0 };
    union address address;
    SOCKET client, server, udp;
    char byte = 'x';
    WSABUF buffer = { 1, &byte };
    DWORD count = 0xdeadbeef, flags = 0;
    int size = address_length( family );
    unsigned int i;

    address_loopback( &address, family, 9 );
    for ( i = 0; i < ARRAY_SIZE( bad ); i++ )
    {
        const SOCKET s = bad[i];

        winetest_push_context( "handle %#llx", (ULONGLONG)s );
        check_fails( WSASend( s, &buffer, 1, NULL, 0, NULL, NULL ), WSAENOTSOCK );
        check_fails( WSASend( s, &buffer, 1, &count, 0, NULL, NULL ), WSAENOTSOCK );
        check_fails( WSASend( s, &buffer, 1, NULL, 0, &overlapped, NULL ), WSAENOTSOCK );
        check_fails( WSASendTo( s, &buffer, 1, NULL, 0, &address.any, size, NULL, NULL ), WSAENOTSOCK );
        check_fails( WSASendTo( s, &buffer, 1, NULL, 0, &address.any, size, &overlapped, NULL ), WSAENOTSOCK );
        check_fails( WSARecv( s, &buffer, 1, NULL, &flags, NULL, NULL ), WSAENOTSOCK );
        check_fails( WSARecv( s, &buffer, 1, &count, NULL, NULL, NULL ), WSAENOTSOCK );
        check_fails( WSARecv( s, &buffer, 1, NULL, NULL, &overlapped, NULL ), WSAENOTSOCK );
        check_fails( WSARecvFrom( s, &buffer, 1, NULL, NULL, NULL, NULL, NULL, NULL ), WSAENOTSOCK );
        check_fails( send( s, &byte, -1, 0 ), WSAENOTSOCK );
        check_fails( sendto( s, &byte, -1, 0, &address.any, size ), WSAENOTSOCK );
        check_fails( recv( s, &byte, -1, 0 ), WSAENOTSOCK );
        winetest_pop_context();
    }
    /* the event is as it was */
    check_fails( closesocket( (SOCKET)event ), WSAENOTSOCK );
    ok( CloseHandle( event ), "error %lu\n", GetLastError() );

    tcp_pair_family( family, &client, &server );
    check_fails( WSASend( client, &buffer, 1, NULL, 0, NULL, NULL ), WSAEFAULT );
    check_fails( WSASendTo( client, &buffer, 1, NULL, 0, NULL, 0, NULL, NULL ), WSAEFAULT );
    check_fails( WSARecv( client, &buffer, 1, NULL, &flags, NULL, NULL ), WSAEFAULT );
    check_fails( WSARecv( client, &buffer, 1, &count, NULL, NULL, NULL ), WSAEFAULT );

    /* a copy of the handle is as good as the handle */
    ok( DuplicateHandle( GetCurrentProcess(), (HANDLE)client, GetCurrentProcess(), &copy, 0, FALSE,
                         DUPLICATE_SAME_ACCESS ),
        "error %lu\n", GetLastError() );
    check_result( send( (SOCKET)copy, "a", 1, 0 ), 1 );
    check_result( sendto( (SOCKET)copy, "b", 1, 0, NULL, 0 ), 1 );
    check_fails( WSASend( (SOCKET)copy, &buffer, 1, NULL, 0, NULL, NULL ), WSAEFAULT );
    check_ok( WSASend( (SOCKET)copy, &buffer, 1, &count, 0, NULL, NULL ) );
    ok( count == 1, "count %lu\n", count );
    check_result( recv( server, &byte, 1, 0 ), 1 );
    check_result( recv( server, &byte, 1, 0 ), 1 );
    check_result( recv( server, &byte, 1, 0 ), 1 );
    check_ok( closesocket( (SOCKET)copy ) );
    check_ok( closesocket( client ) );
    closesocket( server );

    udp = socket( family, SOCK_DGRAM, 0 );
    check_fails( WSASendTo( udp, &buffer, 1, NULL, 0, &address.any, size, NULL, NULL ), WSAEFAULT );
    check_clears( WSASendTo( udp, &buffer, 1, &count, 0, &address.any, size, NULL, NULL ), 0 );
    ok( socket_port( udp ) != 0, "not bound\n" );
    closesocket( udp );
}

static void test_no_buffers( int family )
{
    SOCKET client, server;
    OVERLAPPED overlapped = { .hEvent = CreateEventW( NULL, TRUE, FALSE, NULL ) };
    char data[8];
    WSABUF buffer = { 0, data };
    DWORD count = 0xdeadbeef, flags = 0;

    tcp_pair_family( family, &client, &server );
    check_fails( WSARecv( client, NULL, 0, &count, &flags, &overlapped, NULL ), WSAEINVAL );
    check_fails( WSARecv( client, &buffer, 0, &count, &flags, &overlapped, NULL ), WSAEINVAL );
    check_fails( WSARecv( client, &buffer, 0, NULL, &flags, &overlapped, NULL ), WSAEINVAL );
    check_fails( WSARecvFrom( client, &buffer, 0, &count, &flags, NULL, NULL, &overlapped, NULL ), WSAEINVAL );
    ok( WaitForSingleObject( overlapped.hEvent, 0 ) == WAIT_TIMEOUT, "the event is set\n" );

    /* one of no length waits for what comes, and takes none of it */
    check_fails( WSARecv( client, &buffer, 1, &count, &flags, &overlapped, NULL ), WSA_IO_PENDING );
    ok( WaitForSingleObject( overlapped.hEvent, 50 ) == WAIT_TIMEOUT, "it has ended\n" );
    check_result( send( server, "hello", 5, 0 ), 5 );
    ok( !WaitForSingleObject( overlapped.hEvent, 5000 ), "it has not ended\n" );
    ok( GetOverlappedResult( (HANDLE)client, &overlapped, &count, FALSE ) && !count, "count %lu\n", count );
    count = 0xdeadbeef;
    check_clears( WSARecv( client, &buffer, 1, &count, &flags, &overlapped, NULL ), 0 );
    ok( !count, "count %lu\n", count );
    check_result( recv( client, NULL, 0, 0 ), 0 );
    check_result( recv( client, data, sizeof( data ), 0 ), 5 );
    closesocket( client );
    closesocket( server );
    CloseHandle( overlapped.hEvent );
}

/* --- a sender's address without room --------------------------------------------------------------------------------*/

static int receive_by( int way, SOCKET s, char *data, int size, union address *from, int *from_size )
{
    OVERLAPPED overlapped = { .hEvent = CreateEventW( NULL, TRUE, FALSE, NULL ) };
    WSABUF buffer = { size, data };
    DWORD count = 0, flags = 0;
    int result;

    if ( way == 0 ) result = recvfrom( s, data, size, 0, &from->any, from_size );
    else
    {
        result =
            WSARecvFrom( s, &buffer, 1, &count, &flags, &from->any, from_size, way == 2 ? &overlapped : NULL, NULL );
        if ( !result ) result = (int)count;
    }
    CloseHandle( overlapped.hEvent );
    return result;
}

static void test_sender_address( int family )
{
    const int size = address_length( family );
    union address address, from;
    SOCKET s = udp_bound( family, &address ), client, server;
    int way, short_by, from_size;
    char data[64];

    set_nonblocking( s, TRUE );
    for ( way = 0; way < 3; way++ )
        for ( short_by = 1; short_by <= size; short_by += size - 2 )
        {
            winetest_push_context( "way %d, short by %d", way, short_by );
            check_result( sendto( s, "datagram", 8, 0, &address.any, size ), 8 );
            ok( wait_readable( s, 5000 ), "nothing came\n" );
            memset( &from, 0xcc, sizeof( from ) );
            memset( data, 0xcc, sizeof( data ) );
            from_size = size - short_by;
            check_fails( receive_by( way, s, data, sizeof( data ), &from, &from_size ), WSAEFAULT );
            ok( *(BYTE *)&from == 0xcc, "the address was written\n" );
            from_size = size;
            check_result( receive_by( way, s, data, sizeof( data ), &from, &from_size ), 8 );
            ok( from_size == size && !memcmp( data, "datagram", 8 ), "size %d\n", from_size );
            ok( address_port( &from ) == address_port( &address ), "from port %d\n", address_port( &from ) );
            winetest_pop_context();
        }
    for ( way = 0; way < 3; way++ )
    {
        char room[1024];

        winetest_push_context( "way %d", way );
        check_result( sendto( s, "datagram", 8, 0, &address.any, size ), 8 );
        ok( wait_readable( s, 5000 ), "nothing came\n" );
        memset( room, 0xcc, sizeof( room ) );
        from_size = sizeof( room );
        check_result( receive_by( way, s, data, sizeof( data ), (union address *)room, &from_size ), 8 );
        ok( from_size == size && (BYTE)room[size] == 0xcc && (BYTE)room[1023] == 0xcc, "size %d\n", from_size );
        winetest_pop_context();
    }
    closesocket( s );

    /* a stream has no sender */
    tcp_pair_family( family, &client, &server );
    check_result( send( client, "x", 1, 0 ), 1 );
    from_size = 1;
    check_result( recvfrom( server, data, 1, 0, &from.any, &from_size ), 1 );
    closesocket( client );
    closesocket( server );
}

/* --- sockets that are not overlapped ---------------------------------------------------------------------------------*/

struct late
{
    SOCKET s;
    volatile LONG sent;
};

static DWORD CALLBACK send_late( void *arg )
{
    struct late *late = arg;

    Sleep( 200 );
    late->sent = 1;
    check_result( send( late->s, "data", 4, 0 ), 4 );
    return 0;
}

static void test_synchronous( void )
{
    int with_event, way;

    for ( way = 0; way < 4; way++ )
        for ( with_event = 0; with_event < 2; with_event++ )
        {
            HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL ), thread;
            OVERLAPPED overlapped = { 0 };
            DWORD count = 0xdeadbeef, flags = 0;
            struct late late;
            SOCKET client, server;
            char data[8];
            WSABUF buffer = { sizeof( data ), data };

            winetest_push_context( "way %d, event %d", way, with_event );
            tcp_pair_with( 0, &client, &server );
            if ( way & 1 ) /* the accepted one is as its listener */
            {
                SOCKET other = client;
                client = server;
                server = other;
            }
            set_nonblocking( client, TRUE );
            set_nonblocking( server, TRUE );
            check_fails( recv( client, data, sizeof( data ), 0 ), WSAEWOULDBLOCK );
            check_fails( WSARecv( client, &buffer, 1, &count, &flags, NULL, NULL ), WSAEWOULDBLOCK );
            if ( with_event ) overlapped.hEvent = event;
            late.s = server;
            late.sent = 0;
            thread = CreateThread( NULL, 0, send_late, &late, 0, NULL );
            if ( way < 2 ) check_ok( WSARecv( client, &buffer, 1, &count, &flags, &overlapped, NULL ) );
            else check_ok( WSARecvFrom( client, &buffer, 1, &count, &flags, NULL, NULL, &overlapped, NULL ) );
            ok( late.sent, "it did not wait\n" );
            ok( count == 4, "count %lu\n", count );
            count = 0;
            ok( GetOverlappedResult( (HANDLE)client, &overlapped, &count, FALSE ) && count == 4,
                "count %lu, error %lu\n", count, GetLastError() );
            if ( with_event ) ok( !WaitForSingleObject( event, 0 ), "the event is not set\n" );
            WaitForSingleObject( thread, 10000 );
            CloseHandle( thread );

            /* and with what is there already */
            check_result( send( server, "more", 4, 0 ), 4 );
            ok( wait_readable( client, 5000 ), "nothing came\n" );
            check_ok( WSARecv( client, &buffer, 1, &count, &flags, &overlapped, NULL ) );
            ok( GetOverlappedResult( (HANDLE)client, &overlapped, &count, FALSE ) && count == 4, "count %lu\n", count );
            check_ok( WSASend( client, &buffer, 1, &count, 0, &overlapped, NULL ) );
            ok( GetOverlappedResult( (HANDLE)client, &overlapped, &count, FALSE ) && count == 8, "count %lu\n", count );
            closesocket( client );
            closesocket( server );
            CloseHandle( event );
            winetest_pop_context();
        }
}

/* --- a send without a buffer of the system's -------------------------------------------------------------------------*/

#define LARGE 0x100000

static char large_sent[LARGE], large_got[LARGE];

static DWORD CALLBACK drain( void *arg )
{
    SOCKET s = (SOCKET)arg;
    int got = 0, n;

    while ( got < LARGE )
    {
        fd_set set;

        FD_ZERO( &set );
        FD_SET( s, &set );
        select( 0, &set, NULL, NULL, NULL );
        if ( ( n = recv( s, large_got + got, LARGE - got, 0 ) ) <= 0 ) break;
        got += n;
    }
    ok( got == LARGE, "got %d\n", got );
    return 0;
}

#define MANY 64

static void test_unbuffered( int family )
{
    static OVERLAPPED more[MANY];
    OVERLAPPED overlapped = { .hEvent = CreateEventW( NULL, TRUE, FALSE, NULL ) }, second = { 0 };
    WSABUF buffer = { LARGE, large_sent };
    DWORD count = 0xdeadbeef, flags;
    int none = 0, i, got, n;
    SOCKET a, b;
    HANDLE thread;

    for ( i = 0; i < LARGE; i++ ) large_sent[i] = (char)( i * 7 + i / 4096 );
    tcp_pair_family( family, &a, &b );
    set_nonblocking( b, TRUE );
    check_ok( setsockopt( b, SOL_SOCKET, SO_SNDBUF, (char *)&none, sizeof( none ) ) );
    thread = CreateThread( NULL, 0, drain, (void *)b, 0, NULL );
    check_result( send( a, large_sent, LARGE, 0 ), LARGE );
    ok( !WaitForSingleObject( thread, 20000 ), "not all of it came\n" );
    CloseHandle( thread );

    check_fails( WSASend( b, &buffer, 1, &count, 0, &overlapped, NULL ), WSA_IO_PENDING );
    check_fails( WSASend( INVALID_SOCKET, &buffer, 1, NULL, 0, &second, NULL ), WSAENOTSOCK );
    /* slowly at first */
    for ( got = 0; got < LARGE; got += n )
    {
        const int most = got < 2000 ? 1 : LARGE - got;

        if ( ( n = recv( a, large_got + got, most, 0 ) ) <= 0 ) break;
    }
    ok( got == LARGE && !memcmp( large_sent, large_got, LARGE ), "got %d bytes\n", got );
    ok( !WaitForSingleObject( overlapped.hEvent, 1000 ), "it has not ended\n" );
    count = 0;
    ok( GetOverlappedResult( (HANDLE)b, &overlapped, &count, FALSE ) && count == LARGE, "count %lu\n", count );

    /* nobody reads any more: each pends, and what is more than the peer has room for waits */
    for ( i = 0; i < MANY; i++ )
    {
        memset( &more[i], 0, sizeof( more[i] ) );
        check_fails( WSASend( b, &buffer, 1, NULL, 0, &more[i], NULL ), WSA_IO_PENDING );
    }
    ok( !GetOverlappedResult( (HANDLE)b, &more[MANY - 1], &count, FALSE ) && GetLastError() == ERROR_IO_INCOMPLETE,
        "error %lu\n", GetLastError() );
    closesocket( b );
    closesocket( a );
    for ( i = 0; i < MANY; i++ )
        while ( !HasOverlappedIoCompleted( &more[i] ) ) Sleep( 1 );

    /* small ones pend and end; sends that do not overlap are as ever */
    tcp_pair_family( family, &a, &b );
    check_ok( setsockopt( b, SOL_SOCKET, SO_SNDBUF, (char *)&none, sizeof( none ) ) );
    for ( i = 0; i < 20; i++ )
    {
        ResetEvent( overlapped.hEvent );
        check_fails( WSASend( b, &( WSABUF ){ 5, large_sent }, 1, NULL, 0, &overlapped, NULL ), WSA_IO_PENDING );
        ok( WSAGetOverlappedResult( b, &overlapped, &count, TRUE, &flags ) && count == 5, "count %lu\n", count );
    }
    set_nonblocking( b, TRUE );
    check_result( send( b, large_sent, 4096, 0 ), 4096 );
    closesocket( a );
    closesocket( b );
    CloseHandle( overlapped.hEvent );
}

/* A send that does not wait takes all that it is given, or nothing; an overlapped one sends all, however much that is. */
static void test_large( int family )
{
    enum
    {
        SIZE = 50 << 20
    };
    OVERLAPPED overlapped = { .hEvent = CreateEventW( NULL, TRUE, FALSE, NULL ) };
    char *data = VirtualAlloc( NULL, SIZE, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE );
    WSABUF buffer = { SIZE, data };
    DWORD count = 0, flags;
    int got = 0, n = 0, sends, wrong = 0;
    SOCKET a, b;

    for ( int i = 0; i < SIZE; i++ ) data[i] = (char)( i * 11 + i / 5000 );
    tcp_pair_family( family, &a, &b );
    set_nonblocking( b, TRUE );
    for ( sends = 0; sends < 8 && ( n = send( b, data, SIZE, 0 ) ) == SIZE; sends++ ) continue;
    ok( sends && n == -1 && WSAGetLastError() == WSAEWOULDBLOCK, "%d sends, then %d, error %d\n", sends, n,
        WSAGetLastError() );
    check_fails( send( b, data, 1, 0 ), WSAEWOULDBLOCK );
    for ( int i = 0; i < sends; i++ )
        for ( got = 0; got < SIZE; got += n )
        {
            if ( ( n = recv( a, large_got, LARGE < SIZE - got ? LARGE : SIZE - got, 0 ) ) <= 0 ) break;
            wrong += memcmp( large_got, data + got, n ) != 0;
        }
    ok( got == SIZE && !wrong, "got %d bytes, %d blocks others\n", got, wrong );

    ok( !WSASend( b, &buffer, 1, NULL, 0, &overlapped, NULL ) || WSAGetLastError() == WSA_IO_PENDING, "error %d\n",
        WSAGetLastError() );
    for ( got = 0; got < SIZE; got += n )
    {
        if ( ( n = recv( a, large_got, LARGE, 0 ) ) <= 0 ) break;
        wrong += memcmp( large_got, data + got, n ) != 0;
    }
    ok( got == SIZE && !wrong, "got %d bytes, %d blocks others\n", got, wrong );
    ok( WSAGetOverlappedResult( b, &overlapped, &count, TRUE, &flags ) && count == SIZE, "count %lu\n", count );
    closesocket( a );
    closesocket( b );
    VirtualFree( data, 0, MEM_RELEASE );
    CloseHandle( overlapped.hEvent );
}

START_TEST( transfer_rules )
{
    unsigned int i;

    if ( support_begin() ) return;
    for ( i = 0; i < ( have_ipv6() ? 2 : 1 ); i++ )
    {
        winetest_push_context( "family %d", families[i] );
        test_order( families[i] );
        test_no_buffers( families[i] );
        test_sender_address( families[i] );
        test_unbuffered( families[i] );
        test_large( families[i] );
        winetest_pop_context();
    }
    test_synchronous();
    support_end();
}
