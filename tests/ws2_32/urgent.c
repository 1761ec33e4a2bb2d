/*
 * Urgent bytes: a queue beside the stream. What FIONREAD counts, where the mark is, what MSG_OOB gives and in which order, and
 * that ordinary receives of every kind neither meet urgent bytes nor lose them; SO_OOBINLINE turned on while one waits; select,
 * WSAPoll, network events and \Device\Afd of it.
 */
#include "afd.h"

static const int families[] = { AF_INET, AF_INET6 };

#define check_state( s, bytes, mark ) check_state_( __LINE__, s, bytes, mark )
static void check_state_( int line, SOCKET s, u_long bytes, u_long mark )
{
    u_long n = 0xcc, m = 0xcc;
    int i;

    for ( i = 0; i < 150; i++ )
    {
        check_ok( ioctlsocket( s, FIONREAD, &n ) );
        check_ok( ioctlsocket( s, SIOCATMARK, &m ) );
        if ( n == bytes && m == mark ) break;
        Sleep( 10 );
    }
    ok_( __FILE__, line )( n == bytes, "%lu bytes, expected %lu\n", n, bytes );
    ok_( __FILE__, line )( m == mark, "mark %lu, expected %lu\n", m, mark );
}

#define check_poll( s, expected ) check_poll_( __LINE__, s, expected )
static void check_poll_( int line, SOCKET s, short expected )
{
    WSAPOLLFD fd = { s, POLLRDNORM | POLLRDBAND, -1 };
    int i;

    for ( i = 0; i < 150; i++ )
    {
        WSAPoll( &fd, 1, 0 );
        if ( fd.revents == expected ) break;
        Sleep( 10 );
    }
    ok_( __FILE__, line )( fd.revents == expected, "got %#x, expected %#x\n", fd.revents, expected );
}

static void set_inline( SOCKET s, int on )
{
    int length = sizeof( on ), got = -1;

    check_ok( setsockopt( s, SOL_SOCKET, SO_OOBINLINE, (char *)&on, sizeof( on ) ) );
    check_ok( getsockopt( s, SOL_SOCKET, SO_OOBINLINE, (char *)&got, &length ) );
    ok( got == on, "got %d\n", got );
}

/* Step by step. */
static void test_steps( int family )
{
    SOCKET r, s;
    char data[16];

    tcp_pair_family( family, &s, &r );
    set_nonblocking( r, TRUE );
    check_state( r, 0, 1 );
    check_result( send( s, "hello", 5, 0 ), 5 );
    check_poll( r, POLLRDNORM );
    check_state( r, 5, 1 );
    check_result( send( s, "A", 1, MSG_OOB ), 1 );
    check_poll( r, POLLRDNORM | POLLRDBAND );
    check_state( r, 5, 0 );
    check_result( send( s, "B", 1, MSG_OOB ), 1 );
    Sleep( 50 );
    check_state( r, 5, 0 );
    check_result( recv( r, data, 3, 0 ), 3 );
    ok( !memcmp( data, "hel", 3 ), "other data\n" );
    check_state( r, 2, 0 );
    check_result( recv( r, data, 1, MSG_OOB | MSG_PEEK ), 1 );
    ok( data[0] == 'A', "got %c\n", data[0] );
    check_result( recv( r, data, 1, MSG_OOB ), 1 );
    ok( data[0] == 'A', "got %c\n", data[0] );
    check_poll( r, POLLRDNORM | POLLRDBAND );
    check_state( r, 2, 0 );
    check_result( recv( r, data, 5, 0 ), 2 );
    ok( !memcmp( data, "lo", 2 ), "other data\n" );
    check_state( r, 0, 0 );
    check_poll( r, POLLRDBAND );
    check_fails( recv( r, data, 5, 0 ), WSAEWOULDBLOCK );
    check_result( recv( r, data, 1, MSG_OOB ), 1 );
    ok( data[0] == 'B', "got %c\n", data[0] );
    check_state( r, 0, 1 );
    check_poll( r, 0 );
    check_result( send( s, "C", 1, MSG_OOB ), 1 );
    check_poll( r, POLLRDBAND );
    check_state( r, 0, 0 );
    set_inline( r, 1 ); /* what waits becomes ordinary data */
    check_poll( r, POLLRDNORM );
    check_state( r, 1, 0 );
    check_result( recv( r, data, 1, 0 ), 1 );
    ok( data[0] == 'C', "got %c\n", data[0] );
    check_state( r, 0, 1 );
    check_poll( r, 0 );
    check_result( send( s, "D", 1, MSG_OOB ), 1 );
    check_poll( r, POLLRDNORM );
    check_state( r, 1, 1 );
    check_fails( recv( r, data, 1, MSG_OOB ), WSAEINVAL );
    check_result( recv( r, data, 1, 0 ), 1 );
    ok( data[0] == 'D', "got %c\n", data[0] );
    set_inline( r, 0 );
    check_result( send( s, "E", 1, MSG_OOB ), 1 );
    check_poll( r, POLLRDBAND );
    check_result( recv( r, data, 1, MSG_OOB ), 1 );
    ok( data[0] == 'E', "got %c\n", data[0] );
    check_state( r, 0, 1 );
    closesocket( s );
    closesocket( r );
}

static int receive_by( int way, SOCKET r, char *data, int size )
{
    OVERLAPPED overlapped = { .hEvent = CreateEventW( NULL, TRUE, FALSE, NULL ) };
    WSABUF buffers[2] = { { 1, data }, { size - 1, data + 1 } };
    DWORD count = 0, flags = 0;
    int result = -1;

    switch ( way )
    {
    case 0: result = recv( r, data, size, 0 ); break;
    case 1: result = recvfrom( r, data, size, 0, NULL, NULL ); break;
    case 2: result = WSARecv( r, buffers, 2, &count, &flags, NULL, NULL ) ? -1 : (int)count; break;
    case 3:
        if ( WSARecv( r, buffers, 2, &count, &flags, &overlapped, NULL ) && WSAGetLastError() != WSA_IO_PENDING ) break;
        result = WSAGetOverlappedResult( r, &overlapped, &count, TRUE, &flags ) ? (int)count : -1;
        break;
    }
    CloseHandle( overlapped.hEvent );
    return result;
}

/* Read past, by a receiver that has not asked before: the byte is not lost. */
static void test_read_past( int family )
{
    int way, early, i, got, n;

    for ( way = 0; way < 4; way++ )
        for ( early = 0; early < 2; early++ )
        {
            char data[64], byte = 0;
            SOCKET r, s;

            winetest_push_context( "way %d, early %d", way, early );
            tcp_pair_family( family, &s, &r );
            if ( early ) check_result( send( s, "early", 5, 0 ), 5 );
            check_result( send( s, "u", 1, MSG_OOB ), 1 );
            check_result( send( s, "later", 5, 0 ), 5 );
            Sleep( 30 );
            for ( got = 0; got < ( early ? 10 : 5 ); got += n )
                if ( ( n = receive_by( way, r, data + got, sizeof( data ) - got ) ) <= 0 ) break;
            ok( got == ( early ? 10 : 5 ) && !memcmp( data, early ? "earlylater" : "later", got ),
                "got %d bytes: %.*s\n", got, got > 0 ? got : 0, data );
            check_result( recv( r, &byte, 1, MSG_OOB ), 1 );
            ok( byte == 'u', "got %c\n", byte );
            /* and again, with more than one */
            for ( i = 0; i < 3; i++ )
            {
                check_result( send( s, "abc" + i, 1, MSG_OOB ), 1 );
                check_poll( r, POLLRDBAND );
                check_result( send( s, "x", 1, 0 ), 1 );
                Sleep( 10 );
                check_result( receive_by( way, r, data, sizeof( data ) ), 1 );
                ok( data[0] == 'x', "got %c\n", data[0] );
            }
            for ( i = 0; i < 3; i++ )
            {
                check_result( recv( r, &byte, 1, MSG_OOB ), 1 );
                ok( byte == "abc"[i], "got %c\n", byte );
            }
            /* the stream goes on, to its end */
            check_result( send( s, "end", 3, 0 ), 3 );
            closesocket( s );
            check_result( receive_by( way, r, data, sizeof( data ) ), 3 );
            check_result( receive_by( way, r, data, sizeof( data ) ), 0 );
            closesocket( r );
            winetest_pop_context();
        }
}

/* Much data before the mark stays in order, and waits as long as it must. */
static void test_much_data( int family )
{
    static char block[60000], got[60000];
    int total = 0, i, n;
    SOCKET r, s;
    char byte = 0;

    for ( i = 0; i < (int)sizeof( block ); i++ ) block[i] = (char)( i * 13 + i / 251 );
    tcp_pair_family( family, &s, &r );
    check_result( send( s, block, sizeof( block ) / 2, 0 ), sizeof( block ) / 2 );
    check_result( send( s, "u", 1, MSG_OOB ), 1 );
    check_result( send( s, block + sizeof( block ) / 2, sizeof( block ) / 2, 0 ), sizeof( block ) / 2 );
    check_state( r, sizeof( block ), 0 );
    while ( total < (int)sizeof( block ) && ( n = recv( r, got + total, 777, 0 ) ) > 0 ) total += n;
    ok( total == (int)sizeof( block ) && !memcmp( got, block, total ), "got %d bytes\n", total );
    check_state( r, 0, 0 );
    check_result( recv( r, &byte, 1, MSG_OOB ), 1 );
    ok( byte == 'u', "got %c\n", byte );
    closesocket( s );
    closesocket( r );
}

/* Many at once, before anybody looks: all are there, in order, and none of them in the stream. */
static void test_burst( int family )
{
    int backwards;

    for ( backwards = 0; backwards < 2; backwards++ )
    {
        char data[64], byte = 0;
        SOCKET r, s;
        int i, got, n;

        winetest_push_context( "backwards %d", backwards );
        if ( backwards ) tcp_pair_family( family, &r, &s );
        else tcp_pair_family( family, &s, &r );
        check_state( r, 0, 1 );
        for ( i = 0; i < 8; i++ )
        {
            if ( i & 1 ) check_result( send( s, "xy", 2, 0 ), 2 );
            check_result( send( s, "abcdefgh" + i, 1, MSG_OOB ), 1 );
        }
        check_result( send( s, "z", 1, 0 ), 1 );
        Sleep( 50 );
        for ( got = 0; got < 9; got += n )
            if ( ( n = recv( r, data + got, sizeof( data ) - got, 0 ) ) <= 0 ) break;
        ok( got == 9 && !memcmp( data, "xyxyxyxyz", 9 ), "got %d: %.*s\n", got, got, data );
        for ( i = 0; i < 8; i++ )
        {
            check_result( recv( r, &byte, 1, MSG_OOB ), 1 );
            ok( byte == "abcdefgh"[i], "got %c\n", byte );
        }
        check_state( r, 0, 1 );
        check_flow( s, r );
        closesocket( s );
        closesocket( r );
        winetest_pop_context();
    }
}

/* The same on a socket whose program has not asked for anything yet: with data before them, with none, and when the first
 * thing that it does is an ordinary receive. */
static void test_burst_unasked( int family )
{
    static const char bytes[] = "abcd";
    int early, count, receives, i;

    for ( early = 0; early < 2; early++ )
        for ( receives = 0; receives < 2; receives++ )
            for ( count = 2; count <= 4; count++ )
            {
                char data[8], byte = 0;
                SOCKET r, s;

                winetest_push_context( "early %d, receives %d, count %d", early, receives, count );
                tcp_pair_family( family, &s, &r );
                if ( early ) check_result( send( s, "early", 5, 0 ), 5 );
                for ( i = 0; i < count; i++ ) check_result( send( s, bytes + i, 1, MSG_OOB ), 1 );
                if ( receives )
                {
                    check_result( send( s, "later", 5, 0 ), 5 );
                    check_result( recv( r, data, 5, 0 ), 5 );
                    ok( !memcmp( data, early ? "early" : "later", 5 ), "got %.5s\n", data );
                }
                else Sleep( 50 );
                for ( i = 0; i < count; i++ )
                {
                    check_result( recv( r, &byte, 1, MSG_OOB ), 1 );
                    ok( byte == bytes[i], "byte %d: got %c\n", i, byte );
                }
                if ( early ) check_result( recv( r, data, 5, 0 ), 5 );
                check_state( r, 0, 1 );
                check_flow( s, r );
                closesocket( s );
                closesocket( r );
                winetest_pop_context();
            }
}

/* FD_OOB: for each byte that comes, and again while one is left. */
static void test_events( int family )
{
    HANDLE event = WSACreateEvent();
    WSANETWORKEVENTS events;
    SOCKET r, s;
    char byte = 0;
    int i;

    tcp_pair_family( family, &s, &r );
    check_ok( WSAEventSelect( r, event, FD_OOB | FD_READ ) );
    for ( i = 0; i < 2; i++ )
    {
        check_result( send( s, "ab" + i, 1, MSG_OOB ), 1 );
        ok( !WaitForSingleObject( event, 2000 ), "not signalled\n" );
        check_ok( WSAEnumNetworkEvents( r, event, &events ) );
        ok( events.lNetworkEvents == FD_OOB, "got %#lx\n", events.lNetworkEvents );
    }
    check_result( recv( r, &byte, 1, MSG_OOB ), 1 );
    ok( byte == 'a', "got %c\n", byte );
    ok( !WaitForSingleObject( event, 2000 ), "not signalled\n" );
    check_ok( WSAEnumNetworkEvents( r, event, &events ) );
    ok( events.lNetworkEvents == FD_OOB, "got %#lx\n", events.lNetworkEvents );
    check_result( recv( r, &byte, 1, MSG_OOB ), 1 );
    ok( byte == 'b', "got %c\n", byte );
    ok( WaitForSingleObject( event, 60 ) == WAIT_TIMEOUT, "signalled\n" );
    check_ok( WSAEnumNetworkEvents( r, event, &events ) );
    ok( !events.lNetworkEvents, "got %#lx\n", events.lNetworkEvents );
    closesocket( s );
    closesocket( r );
    WSACloseEvent( event );
}

static void test_afd( int family )
{
    char data[8], byte = 0;
    WSABUF buffer = { sizeof( data ), data }, one = { 1, &byte };
    struct afd_recv normal = { &buffer, 1, 0, 0x20 }, urgent = { &one, 1, 0, 0x40 };
    IO_STATUS_BLOCK iosb;
    SOCKET r, s;

    tcp_pair_family( family, &s, &r );
    check_result( send( s, "u", 1, MSG_OOB ), 1 );
    check_result( send( s, "hello", 5, 0 ), 5 );
    ok( wait_readable( r, 5000 ), "nothing came\n" );
    iosb_reset( &iosb );
    check_status(
        NtDeviceIoControlFile( (HANDLE)r, NULL, NULL, NULL, &iosb, IOCTL_AFD_RECV, &normal, sizeof( normal ), NULL, 0 ),
        0 );
    check_iosb( &iosb, 0, 5 );
    iosb_reset( &iosb );
    check_status(
        NtDeviceIoControlFile( (HANDLE)r, NULL, NULL, NULL, &iosb, IOCTL_AFD_RECV, &urgent, sizeof( urgent ), NULL, 0 ),
        0 );
    check_iosb( &iosb, 0, 1 );
    ok( byte == 'u', "got %c\n", byte );
    closesocket( s );
    closesocket( r );
}

/* A receive that waits is not ended by an urgent byte, nor is one that blocks. */
static void test_waiting( int family )
{
    OVERLAPPED overlapped = { .hEvent = CreateEventW( NULL, TRUE, FALSE, NULL ) };
    DWORD count = 0, flags = 0;
    SOCKET r, s;
    char data[8], byte = 0;
    WSABUF buffer = { sizeof( data ), data };

    tcp_pair_family( family, &s, &r );
    check_fails( WSARecv( r, &buffer, 1, &count, &flags, &overlapped, NULL ), WSA_IO_PENDING );
    check_result( send( s, "u", 1, MSG_OOB ), 1 );
    ok( WaitForSingleObject( overlapped.hEvent, 100 ) == WAIT_TIMEOUT, "it has ended\n" );
    check_result( send( s, "hello", 5, 0 ), 5 );
    ok( !WaitForSingleObject( overlapped.hEvent, 5000 ), "it has not ended\n" );
    ok( GetOverlappedResult( (HANDLE)r, &overlapped, &count, FALSE ) && count == 5 && !memcmp( data, "hello", 5 ),
        "count %lu\n", count );
    check_result( recv( r, &byte, 1, MSG_OOB ), 1 );
    ok( byte == 'u', "got %c\n", byte );
    set_receive_timeout( r, 100 );
    check_result( send( s, "v", 1, MSG_OOB ), 1 );
    check_fails( recv( r, data, sizeof( data ), 0 ), WSAETIMEDOUT );
    check_result( recv( r, &byte, 1, MSG_OOB ), 1 );
    ok( byte == 'v', "got %c\n", byte );
    closesocket( s );
    closesocket( r );
    CloseHandle( overlapped.hEvent );
}

START_TEST( urgent )
{
    unsigned int i;

    if ( support_begin() ) return;
    for ( i = 0; i < ( have_ipv6() ? 2 : 1 ); i++ )
    {
        winetest_push_context( "family %d", families[i] );
        test_afd( families[i] );
        test_steps( families[i] );
        test_read_past( families[i] );
        test_much_data( families[i] );
        test_burst( families[i] );
        test_burst_unasked( families[i] );
        test_events( families[i] );
        test_waiting( families[i] );
        winetest_pop_context();
    }
    support_end();
}
