/*
 * Buffers of every kind of memory (facts: sockets-2, sections 10 and 11): memory whose writes are watched, as garbage
 * collectors do, and memory that is none; one OVERLAPPED for two receives, and sends of a socket without a send buffer.
 */
#include "requests.h"

#define PAGES 12
#define PAGE 0x1000

static char *watched;

static unsigned int pages_written( void )
{
    void *addresses[PAGES];
    ULONG_PTR count = PAGES;
    ULONG granularity;

    ok( !GetWriteWatch( WRITE_WATCH_FLAG_RESET, watched, PAGES * PAGE, addresses, &count, &granularity ), "error %lu\n",
        GetLastError() );
    return count;
}

enum way
{
    WAY_RECV,
    WAY_RECVFROM,
    WAY_WSARECV,
    WAY_WSARECVFROM,
    WAY_OVERLAPPED,
    WAY_READ_FILE,
    WAY_STREAMS, /* the others are of datagrams */
    WAY_MESSAGE = WAY_STREAMS,
    WAY_MESSAGE_OVERLAPPED,
    WAY_COUNT
};

static LPFN_WSARECVMSG receive_message;

struct reader
{
    SOCKET s;
    enum way way;
    DWORD done;
    int error;
    OVERLAPPED *ov;
};

static void load( void )
{
    SOCKET s = socket( AF_INET, SOCK_DGRAM, 0 );

    receive_message = extension( s, (GUID)WSAID_WSARECVMSG );
    closesocket( s );
}

/* Five bytes before a page, and more than a page after it. */
static DWORD WINAPI read_watched( void *arg )
{
    struct reader *reader = arg;
    WSABUF buffers[2] = { { 5, watched + PAGE - 5 }, { 2 * PAGE, watched + 2 * PAGE } };
    WSAMSG message = { .lpBuffers = buffers, .dwBufferCount = 2 };
    DWORD flags = 0;
    int n = -1;

    switch ( reader->way )
    {
    case WAY_RECV: n = recv( reader->s, watched + PAGE - 5, 2 * PAGE, 0 ); break;
    case WAY_RECVFROM: n = recvfrom( reader->s, watched + PAGE - 5, 2 * PAGE, 0, NULL, NULL ); break;
    case WAY_WSARECV:
        if ( !WSARecv( reader->s, buffers, 2, &reader->done, &flags, NULL, NULL ) ) n = reader->done;
        break;
    case WAY_WSARECVFROM:
        if ( !WSARecvFrom( reader->s, buffers, 2, &reader->done, &flags, NULL, NULL, NULL, NULL ) ) n = reader->done;
        break;
    case WAY_OVERLAPPED:
        if ( !WSARecv( reader->s, buffers, 2, NULL, &flags, reader->ov, NULL ) || WSAGetLastError() == WSA_IO_PENDING )
            if ( WSAGetOverlappedResult( reader->s, reader->ov, &reader->done, TRUE, &flags ) ) n = reader->done;
        break;
    case WAY_READ_FILE:
        if ( ReadFile( (HANDLE)reader->s, watched + PAGE - 5, 2 * PAGE, NULL, reader->ov ) ||
             GetLastError() == ERROR_IO_PENDING )
            if ( GetOverlappedResult( (HANDLE)reader->s, reader->ov, &reader->done, TRUE ) ) n = reader->done;
        break;
    case WAY_MESSAGE:
        if ( !receive_message( reader->s, &message, &reader->done, NULL, NULL ) ) n = reader->done;
        break;
    case WAY_MESSAGE_OVERLAPPED:
        if ( !receive_message( reader->s, &message, NULL, reader->ov, NULL ) || WSAGetLastError() == WSA_IO_PENDING )
            if ( WSAGetOverlappedResult( reader->s, reader->ov, &reader->done, TRUE, &flags ) ) n = reader->done;
        break;
    case WAY_COUNT: break;
    }
    reader->error = n < 0 ? WSAGetLastError() : 0;
    reader->done = n;
    return 0;
}

/* Data comes whole into memory that is watched, whether it waits there already or is waited for. */
static void test_watched( int family, int type )
{
    for ( unsigned int i = 0; i < 2 * ( type == SOCK_STREAM ? WAY_STREAMS : WAY_COUNT ); i++ )
    {
        OVERLAPPED ov = { .hEvent = CreateEventW( NULL, TRUE, FALSE, NULL ) };
        struct reader reader = { .way = i / 2, .ov = &ov };
        SOCKET client;
        char sent[300];
        HANDLE thread;

        winetest_push_context( "family %d, type %d, way %u, data %s", family, type, i / 2, i & 1 ? "first" : "later" );
        watched = VirtualAlloc( NULL, PAGES * PAGE, MEM_COMMIT | MEM_RESERVE | MEM_WRITE_WATCH, PAGE_READWRITE );
        ok( watched != NULL, "error %lu\n", GetLastError() );
        ok( !pages_written(), "written already\n" );
        if ( type == SOCK_STREAM ) tcp_pair_family( family, &client, &reader.s );
        else
        {
            union address address;

            reader.s = udp_bound( family, &address );
            client = socket( family, SOCK_DGRAM, 0 );
            check_ok( connect( client, &address.any,
                               family == AF_INET ? sizeof( struct sockaddr_in ) : sizeof( struct sockaddr_in6 ) ) );
        }
        for ( unsigned int j = 0; j < sizeof( sent ); j++ ) sent[j] = 'a' + j % 23;
        if ( i & 1 )
        {
            check_result( send( client, sent, sizeof( sent ), 0 ), sizeof( sent ) );
            ok( wait_readable( reader.s, 5000 ), "no data\n" );
        }
        thread = CreateThread( NULL, 0, read_watched, &reader, 0, NULL );
        if ( !( i & 1 ) )
        {
            ok( WaitForSingleObject( thread, 100 ) == WAIT_TIMEOUT, "it does not wait: error %d\n", reader.error );
            pages_written(); /* a collection begins while it waits: writes are watched from here on */
            check_result( send( client, sent, sizeof( sent ), 0 ), sizeof( sent ) );
        }
        ok( !WaitForSingleObject( thread, 10000 ), "it does not end\n" );
        ok( reader.done == sizeof( sent ) && !reader.error, "%lu bytes, error %d\n", reader.done, reader.error );
        ok( !memcmp( watched + PAGE - 5, sent, 5 ), "other bytes\n" );
        if ( ( reader.way >= WAY_WSARECV && reader.way <= WAY_OVERLAPPED ) || reader.way >= WAY_MESSAGE )
            ok( !memcmp( watched + 2 * PAGE, sent + 5, sizeof( sent ) - 5 ), "other bytes in the second buffer\n" );
        else ok( !memcmp( watched + PAGE, sent + 5, sizeof( sent ) - 5 ), "other bytes on the next page\n" );
        CloseHandle( thread );
        closesocket( client );
        closesocket( reader.s );
        VirtualFree( watched, 0, MEM_RELEASE );
        CloseHandle( ov.hEvent );
        winetest_pop_context();
    }
}

/* Which pages are reported; not reset. */
static unsigned int reported_pages( void **addresses )
{
    ULONG_PTR count = PAGES;
    ULONG granularity;

    ok( !GetWriteWatch( 0, watched, PAGES * PAGE, addresses, &count, &granularity ), "error %lu\n", GetLastError() );
    return count;
}

struct watched_receive
{
    SOCKET s;
    int way;
    WSABUF buffers[2];
    DWORD count, done;
};

static DWORD CALLBACK receive_watched( void *arg )
{
    struct watched_receive *receive = arg;
    DWORD flags = 0;
    int n = -1;

    switch ( receive->way )
    {
    case 1: n = recv( receive->s, receive->buffers[0].buf, receive->buffers[0].len, 0 ); break;
    case 2: n = recvfrom( receive->s, receive->buffers[0].buf, receive->buffers[0].len, 0, NULL, NULL ); break;
    case 3:
        if ( !WSARecv( receive->s, receive->buffers, receive->count, &receive->done, &flags, NULL, NULL ) ) return 0;
        break;
    case 4:
        if ( !WSARecvFrom( receive->s, receive->buffers, receive->count, &receive->done, &flags, NULL, NULL, NULL,
                           NULL ) )
            return 0;
        break;
    }
    receive->done = n;
    return 0;
}

/* Data that comes for a receive which waits adds nothing to what is reported; what the program writes is reported. */
static void test_unreported( void )
{
    static const struct
    {
        ULONG first, second, offset;
        unsigned int pages;
    } rows[] = { { 5, 0x8000, 0x3000, 9 }, { 5, 0x4000, 0x2000, 5 }, { 0x7002, 0, 0, 8 } };
    unsigned int row;
    int way, writes;

    for ( row = 0; row < ARRAY_SIZE( rows ); row++ )
        for ( way = 0; way < 6; way++ )
            for ( writes = 0; writes < 2; writes++ )
            {
                OVERLAPPED ov = { .hEvent = CreateEventW( NULL, TRUE, FALSE, NULL ) };
                struct watched_receive receive = { .way = way, .count = rows[row].second ? 2 : 1 };
                DWORD flags = 0;
                HANDLE thread = NULL;
                void *pages[PAGES];
                unsigned int count;
                SOCKET client;

                /* of the page beside the buffers there is none with one that covers it; two buffers need a call for two */
                if ( ( writes && !rows[row].second ) || ( rows[row].second && ( way == 1 || way == 2 ) ) )
                {
                    CloseHandle( ov.hEvent );
                    continue;
                }
                winetest_push_context( "row %u, way %d, writes %d", row, way, writes );
                watched =
                    VirtualAlloc( NULL, PAGES * PAGE, MEM_COMMIT | MEM_RESERVE | MEM_WRITE_WATCH, PAGE_READWRITE );
                tcp_pair( &client, &receive.s );
                receive.buffers[0] = ( WSABUF ){ rows[row].first, watched };
                receive.buffers[1] = ( WSABUF ){ rows[row].second, watched + rows[row].offset };
                pages_written();
                if ( way && way < 5 ) thread = CreateThread( NULL, 0, receive_watched, &receive, 0, NULL );
                else if ( way )
                    check_fails(
                        WSARecvFrom( receive.s, receive.buffers, receive.count, NULL, &flags, NULL, NULL, &ov, NULL ),
                        WSA_IO_PENDING );
                else
                    check_fails( WSARecv( receive.s, receive.buffers, receive.count, NULL, &flags, &ov, NULL ),
                                 WSA_IO_PENDING );
                if ( thread ) ok( WaitForSingleObject( thread, 200 ) == WAIT_TIMEOUT, "it does not wait\n" );
                count = reported_pages( pages );
                ok( count == rows[row].pages || !count, "%u pages reported\n", count );
                pages_written();
                if ( writes ) watched[PAGE] = 1;
                check_result( send( client, "thirteen byte", 13, 0 ), 13 );
                ok( !WaitForSingleObject( thread ? thread : ov.hEvent, 5000 ), "it does not end\n" );
                if ( !thread ) WSAGetOverlappedResult( receive.s, &ov, &receive.done, FALSE, &flags );
                ok( receive.done == 13, "got %lu bytes\n", receive.done );
                ok( !memcmp( watched, "thirteen byte", rows[row].first < 13 ? rows[row].first : 13 ), "other data\n" );
                count = reported_pages( pages );
                ok( count == (unsigned int)writes && ( !writes || pages[0] == watched + PAGE ), "%u pages reported\n",
                    count );
                if ( writes )
                {
                    watched[2 * PAGE] = 1;
                    count = reported_pages( pages );
                    ok( count == 2 && pages[0] == watched + PAGE && pages[1] == watched + 2 * PAGE,
                        "%u pages reported\n", count );
                }
                /* every page is watched still */
                pages_written();
                memset( watched, 1, PAGES * PAGE );
                ok( pages_written() == PAGES, "not all are watched\n" );
                if ( thread ) CloseHandle( thread );
                closesocket( client );
                closesocket( receive.s );
                VirtualFree( watched, 0, MEM_RELEASE );
                CloseHandle( ov.hEvent );
                winetest_pop_context();
            }
}

/* Datagrams, and an address and a length that are written besides. */
static void test_watched_datagrams( void )
{
    union address address, own, *from;
    SOCKET s = udp_bound( AF_INET, &address ), sender = udp_bound( AF_INET, &own );
    OVERLAPPED ov = { .hEvent = CreateEventW( NULL, TRUE, FALSE, NULL ) };
    DWORD size, flags = 0;
    WSABUF buffer;
    int *length;

    watched = VirtualAlloc( NULL, PAGES * PAGE, MEM_COMMIT | MEM_RESERVE | MEM_WRITE_WATCH, PAGE_READWRITE );
    from = (union address *)( watched + PAGE );
    length = (int *)( watched + 2 * PAGE );
    set_receive_timeout( s, 5000 );
    for ( unsigned int i = 0; i < 3; i++ )
    {
        winetest_push_context( "round %u", i );
        *length = sizeof( *from );
        pages_written();
        buffer = ( WSABUF ){ 100, watched + ( 4 + i ) * PAGE };
        if ( i == 2 )
            check_fails( WSARecvFrom( s, &buffer, 1, NULL, &flags, &from->any, length, &ov, NULL ), WSA_IO_PENDING );
        check_result( sendto( sender, "datagram", 8, 0, &address.any, sizeof( address.v4 ) ), 8 );
        if ( i == 0 ) check_result( recvfrom( s, buffer.buf, buffer.len, 0, &from->any, length ), 8 );
        if ( i == 1 ) check_ok( WSARecvFrom( s, &buffer, 1, &size, &flags, &from->any, length, NULL, NULL ) );
        if ( i == 2 ) check_result( WSAGetOverlappedResult( s, &ov, &size, TRUE, &flags ), TRUE );
        ok( !memcmp( buffer.buf, "datagram", 8 ), "got %.8s\n", buffer.buf );
        ok( *length == sizeof( from->v4 ) && address_port( from ) == address_port( &own ), "length %d, port %d\n",
            *length, address_port( from ) );
        winetest_pop_context();
    }
    VirtualFree( watched, 0, MEM_RELEASE );
    closesocket( s );
    closesocket( sender );
    CloseHandle( ov.hEvent );
}

/* A buffer that is none is refused when the receive is issued, and takes nothing; so is one that only begins well. */
static void test_no_memory( void )
{
    OVERLAPPED ov = { .hEvent = CreateEventW( NULL, TRUE, FALSE, NULL ) };
    char *edge = memory_before_fault( 100 ), data[8];
    char *bad[] = { memory_unmapped(), memory_read_only(), edge };
    SOCKET client, server;
    DWORD flags = 0;

    tcp_pair( &client, &server );
    for ( unsigned int there = 0; there < 2; there++ )
    {
        if ( there ) check_result( send( client, "data", 4, 0 ), 4 );
        if ( there ) ok( wait_readable( server, 5000 ), "no data\n" );
        for ( unsigned int i = 0; i < ARRAY_SIZE( bad ); i++ )
        {
            WSABUF buffer = { 200, bad[i] };

            winetest_push_context( "memory %u, data %u", i, there );
            check_fails( WSARecv( server, &buffer, 1, NULL, &flags, &ov, NULL ), WSAEFAULT );
            winetest_pop_context();
        }
    }
    check_result( recv( server, data, 8, 0 ), 4 );
    VirtualFree( (void *)( (ULONG_PTR)edge & ~(ULONG_PTR)0xffff ), 0, MEM_RELEASE );
    closesocket( client );
    closesocket( server );
    CloseHandle( ov.hEvent );
}

/* AcceptEx writes to such memory too. */
static void test_watched_accept( void )
{
    union address address;
    LPFN_ACCEPTEX accept_ex;

    for ( unsigned int reset = 0; reset < 2; reset++ )
    {
        SOCKET listener = tcp_listener( AF_INET, &address ), acceptor = socket( AF_INET, SOCK_STREAM, 0 ), client;
        OVERLAPPED ov = { .hEvent = CreateEventW( NULL, TRUE, FALSE, NULL ) };

        watched = VirtualAlloc( NULL, PAGES * PAGE, MEM_COMMIT | MEM_RESERVE | MEM_WRITE_WATCH, PAGE_READWRITE );
        accept_ex = extension( listener, (GUID)WSAID_ACCEPTEX );
        check_error( accept_ex( listener, acceptor, watched, PAGE + 8, 32, 32, NULL, &ov ), FALSE, ERROR_IO_PENDING );
        client = socket( AF_INET, SOCK_STREAM, 0 );
        check_ok( connect( client, &address.any, sizeof( address.v4 ) ) );
        ok( WaitForSingleObject( ov.hEvent, 100 ) == WAIT_TIMEOUT, "ended without data\n" );
        if ( reset ) pages_written();
        check_result( send( client, "hello", 5, 0 ), 5 );
        ok( !WaitForSingleObject( ov.hEvent, 5000 ), "not ended\n" );
        ok( !ov.Internal && ov.InternalHigh == 5 && !memcmp( watched, "hello", 5 ),
            "status %#lx, size %lu, data %.5s\n", (DWORD)ov.Internal, (DWORD)ov.InternalHigh, watched );
        closesocket( client );
        closesocket( acceptor );
        closesocket( listener );
        VirtualFree( watched, 0, MEM_RELEASE );
        CloseHandle( ov.hEvent );
    }
}

/* Two receives may have one OVERLAPPED: it tells of the one that ends last. */
static void test_one_overlapped( void )
{
    OVERLAPPED ov = { .hEvent = CreateEventW( NULL, TRUE, FALSE, NULL ) };
    char data[2][16], sent[32];
    SOCKET client, server;
    DWORD flags = 0;

    tcp_pair( &client, &server );
    for ( unsigned int i = 0; i < sizeof( sent ); i++ ) sent[i] = (char)i;
    for ( unsigned int i = 0; i < 2; i++ )
    {
        WSABUF buffer = { 16, data[i] };

        check_fails( WSARecv( server, &buffer, 1, NULL, &flags, &ov, NULL ), WSA_IO_PENDING );
    }
    check_result( send( client, sent, 32, 0 ), 32 );
    ok( !WaitForSingleObject( ov.hEvent, 5000 ), "not ended\n" );
    for ( int i = 0; i < 100 && memcmp( data[1], sent + 16, 16 ); i++ ) Sleep( 20 );
    ok( !memcmp( data[0], sent, 16 ) && !memcmp( data[1], sent + 16, 16 ), "out of order\n" );
    ok( !ov.Internal && ov.InternalHigh == 16, "status %#lx, size %lu\n", (DWORD)ov.Internal, (DWORD)ov.InternalHigh );
    closesocket( client );
    closesocket( server );
    CloseHandle( ov.hEvent );
}

/* Without a send buffer an overlapped send comes whole. SO_RCVTIMEO is none of an overlapped receive's. */
static void test_no_send_buffer( void )
{
    enum
    {
        SIZE = 1 << 20
    };
    OVERLAPPED ov = { .hEvent = CreateEventW( NULL, TRUE, FALSE, NULL ) };
    char *data = malloc( SIZE ), *got = malloc( SIZE );
    WSABUF buffer = { SIZE, data };
    SOCKET client, server;
    DWORD size, flags = 0, total;
    int none = 0, n;

    for ( unsigned int i = 0; i < SIZE; i++ ) data[i] = (char)( i * 13 + i / 509 );
    for ( unsigned int with_size = 0; with_size < 2; with_size++ )
    {
        winetest_push_context( "size %u", with_size );
        tcp_pair( &client, &server );
        check_ok( setsockopt( client, SOL_SOCKET, SO_SNDBUF, (char *)&none, sizeof( none ) ) );
        ResetEvent( ov.hEvent );
        set_receive_timeout( server, 30000 );
        /* pending, unless the system below has taken all of it */
        ok( !WSASend( client, &buffer, 1, with_size ? &size : NULL, 0, &ov, NULL ) ||
                WSAGetLastError() == WSA_IO_PENDING,
            "error %d\n", WSAGetLastError() );
        for ( total = 0; total < SIZE && ( n = recv( server, got + total, SIZE - total, 0 ) ) > 0; ) total += n;
        ok( total == SIZE && !memcmp( data, got, SIZE ), "%lu bytes, or others; error %d\n", total,
            n < 0 ? WSAGetLastError() : 0 );
        ok( !WaitForSingleObject( ov.hEvent, 5000 ), "not ended\n" );
        check_result( WSAGetOverlappedResult( client, &ov, &size, FALSE, &flags ), TRUE );
        ok( size == SIZE, "size %lu\n", size );
        closesocket( client );
        closesocket( server );
        winetest_pop_context();
    }

    tcp_pair( &client, &server );
    set_receive_timeout( server, 50 );
    buffer.len = 8;
    ResetEvent( ov.hEvent );
    check_fails( WSARecv( server, &buffer, 1, NULL, &flags, &ov, NULL ), WSA_IO_PENDING );
    ok( WaitForSingleObject( ov.hEvent, 300 ) == WAIT_TIMEOUT, "ended by the time-out\n" );
    check_result( send( client, "late", 4, 0 ), 4 );
    ok( !WaitForSingleObject( ov.hEvent, 5000 ) && ov.InternalHigh == 4, "size %lu\n", (DWORD)ov.InternalHigh );
    closesocket( client );
    closesocket( server );
    CloseHandle( ov.hEvent );
    free( data );
    free( got );
}

START_TEST( memory )
{
    if ( support_begin() ) return;
    load();
    for ( int v6 = 0; v6 < 1 + have_ipv6(); v6++ )
    {
        test_watched( v6 ? AF_INET6 : AF_INET, SOCK_STREAM );
        test_watched( v6 ? AF_INET6 : AF_INET, SOCK_DGRAM );
    }
    test_unreported();
    test_watched_datagrams();
    test_watched_accept();
    test_no_memory();
    test_one_overlapped();
    test_no_send_buffer();
    support_end();
}
