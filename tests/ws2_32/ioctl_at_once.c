/*
 * Control codes that are answered at once whatever they are given: FIONREAD, SIOCATMARK and SIO_KEEPALIVE_VALS. With an
 * OVERLAPPED they never pend, and are told of once more by a completion of size 0. What each leaves in the byte count and
 * in the OVERLAPPED, on sockets of both families, connected or not.
 */
#include "requests.h"
#include <mstcpip.h>

#define COUNT_UNTOUCHED 0xdeadbeef
#define KEY 123

/* The form with an OVERLAPPED, on a port, and with a routine. `port_count`, `routine_count`: the byte count afterwards. */
static void check_forms( SOCKET s, HANDLE port, SOCKET elsewhere, DWORD code, void *in, DWORD in_size, void *out,
                         DWORD out_size, DWORD port_count, DWORD routine_count )
{
    OVERLAPPED overlapped = { .Internal = 0xcccc, .InternalHigh = 0xdddd }, *ended = NULL;
    ULONG_PTR key = 0;
    DWORD count = COUNT_UNTOUCHED, size = COUNT_UNTOUCHED;

    check_fails( WSAIoctl( s, code, in, in_size, out, out_size, NULL, NULL, NULL ), WSAEFAULT );
    check_fails( WSAIoctl( s, code, in, in_size, out, out_size, NULL, &overlapped, NULL ), WSAEFAULT );
    check_fails( WSAIoctl( elsewhere, code, in, in_size, out, out_size, NULL, &overlapped, routine ), WSAEFAULT );
    check_no_packet( port, 0 );
    overlapped.Internal = 0xcccc;
    overlapped.InternalHigh = 0xdddd;

    check_clears( WSAIoctl( s, code, in, in_size, out, out_size, &count, &overlapped, NULL ), 0 );
    ok( count == port_count, "count %#lx, expected %#lx\n", count, port_count );
    ok( !overlapped.Internal && !overlapped.InternalHigh, "status %#lx, size %lu\n", (DWORD)overlapped.Internal,
        (DWORD)overlapped.InternalHigh );
    ok( GetQueuedCompletionStatus( port, &size, &key, &ended, 1000 ) && !size && key == KEY && ended == &overlapped,
        "size %lu, key %lu, overlapped %p\n", size, (DWORD)key, ended );
    check_no_packet( port, 0 );

    count = COUNT_UNTOUCHED;
    memset( &routine_seen, 0, sizeof( routine_seen ) );
    check_clears( WSAIoctl( elsewhere, code, in, in_size, out, out_size, &count, &overlapped, routine ), 0 );
    ok( count == routine_count, "count %#lx, expected %#lx\n", count, routine_count );
    ok( !routine_seen.calls, "it was called at once\n" );
    ok( SleepEx( 1000, TRUE ) == WAIT_IO_COMPLETION, "no completion\n" );
    ok( routine_seen.calls == 1 && !routine_seen.error && !routine_seen.size && !routine_seen.flags &&
            routine_seen.overlapped == &overlapped,
        "%d calls, error %lu, size %lu\n", routine_seen.calls, routine_seen.error, routine_seen.size );
    ok( !SleepEx( 0, TRUE ), "called once more\n" );
}

static HANDLE attach( SOCKET s )
{
    HANDLE port = CreateIoCompletionPort( (HANDLE)s, NULL, KEY, 0 );

    ok( port != NULL, "no port, error %lu\n", GetLastError() );
    return port;
}

static void test_counts( int family )
{
    static const struct
    {
        DWORD code;
        u_long idle, queued;
    } rows[] = { { FIONREAD, 0, 5 }, { SIOCATMARK, 1, 1 } };
    SOCKET client, server, fresh = socket( family, SOCK_STREAM, 0 ), bound = socket( family, SOCK_STREAM, 0 );
    union address address;
    HANDLE port;
    unsigned int i;

    tcp_pair_family( family, &client, &server );
    set_nonblocking( client, TRUE );
    set_nonblocking( server, TRUE );
    port = attach( client );
    check_ok( bind( bound, &address.any, address_loopback( &address, family, 0 ) ) );
    for ( i = 0; i < ARRAY_SIZE( rows ); i++ )
    {
        const DWORD code = rows[i].code;
        u_long value = 0xcc;
        DWORD count = COUNT_UNTOUCHED;

        winetest_push_context( "code %#lx", code );
        check_fails( guarded( ioctlsocket( client, code, (u_long *)1 ) ), WSAEFAULT );
        check_fails( WSAIoctl( client, code, NULL, 0, &value, 3, &count, NULL, NULL ), WSAEFAULT );
        ok( count == COUNT_UNTOUCHED, "count %#lx\n", count );
        check_clears( WSAIoctl( client, code, NULL, 0, &value, sizeof( value ), &count, NULL, NULL ), 0 );
        ok( count == sizeof( value ) && value == rows[i].idle, "count %lu, value %lu\n", count, value );
        check_forms( client, port, fresh, code, NULL, 0, &value, sizeof( value ), sizeof( value ), sizeof( value ) );
        ok( value == rows[i].idle, "value %lu\n", value );
        value = 0xcc;
        check_clears( ioctlsocket( fresh, code, &value ), 0 );
        ok( value == rows[i].idle, "value %lu\n", value );
        value = 0xcc;
        check_clears( ioctlsocket( bound, code, &value ), 0 );
        ok( value == rows[i].idle, "value %lu\n", value );
        winetest_pop_context();
    }
    check_result( send( server, "hello", 5, 0 ), 5 );
    ok( wait_readable( client, 5000 ), "nothing came\n" );
    for ( i = 0; i < ARRAY_SIZE( rows ); i++ )
    {
        u_long value = 0xcc;

        check_forms( client, port, server, rows[i].code, NULL, 0, &value, sizeof( value ), sizeof( value ),
                     sizeof( value ) );
        check_clears( ioctlsocket( client, rows[i].code, &value ), 0 );
        ok( value == rows[i].queued, "code %#lx: value %lu\n", rows[i].code, value );
    }
    closesocket( client );
    closesocket( server );
    closesocket( fresh );
    closesocket( bound );
    CloseHandle( port );
}

static void test_keepalive( int family )
{
    static struct tcp_keepalive rows[] = { { 0, 0, 0 },         { 1, 0, 0 },     { 1, 1000, 1000 },
                                           { 1, 10000, 10000 }, { 1, 100, 100 }, { 0, 100, 100 } };
    SOCKET s = socket( family, SOCK_STREAM, 0 ), other = socket( family, SOCK_STREAM, 0 );
    OVERLAPPED overlapped = { .Internal = 0xcccc, .InternalHigh = 0xdddd };
    HANDLE port = attach( s );
    DWORD count = COUNT_UNTOUCHED;
    unsigned int i;

    check_fails( WSAIoctl( s, SIO_KEEPALIVE_VALS, &rows[0], 0, NULL, 0, &count, NULL, NULL ), WSAEFAULT );
    ok( !count, "count %#lx\n", count );
    count = COUNT_UNTOUCHED;
    check_fails( WSAIoctl( s, SIO_KEEPALIVE_VALS, NULL, sizeof( rows[0] ), NULL, 0, &count, NULL, NULL ), WSAEFAULT );
    ok( !count, "count %#lx\n", count );
    for ( i = 0; i < ARRAY_SIZE( rows ); i++ )
    {
        count = COUNT_UNTOUCHED;
        check_clears( WSAIoctl( s, SIO_KEEPALIVE_VALS, &rows[i], sizeof( rows[i] ), NULL, 0, &count, NULL, NULL ), 0 );
        ok( !count, "count %#lx\n", count );
    }
    check_forms( s, port, other, SIO_KEEPALIVE_VALS, &rows[2], sizeof( rows[2] ), NULL, 0, COUNT_UNTOUCHED, 0 );

    /* what is refused has been marked as pending, and ends nowhere */
    count = COUNT_UNTOUCHED;
    check_fails( WSAIoctl( s, SIO_KEEPALIVE_VALS, &rows[0], sizeof( rows[0] ) - 1, NULL, 0, &count, &overlapped, NULL ),
                 WSAEFAULT );
    ok( count == COUNT_UNTOUCHED, "count %#lx\n", count );
    ok( overlapped.Internal == STATUS_PENDING && overlapped.InternalHigh == 0xdddd, "status %#lx, size %#lx\n",
        (DWORD)overlapped.Internal, (DWORD)overlapped.InternalHigh );
    check_no_packet( port, 0 );
    closesocket( s );
    closesocket( other );
    CloseHandle( port );
}

#ifndef SIO_ENABLE_CIRCULAR_QUEUEING
#define SIO_ENABLE_CIRCULAR_QUEUEING 0x28000002
#endif

/* Of more datagrams than there is room for the newest are there. */
static void test_circular( int family )
{
    union address address;
    SOCKET s = udp_bound( family, &address ), sender = socket( family, SOCK_DGRAM, 0 );
    const int length = family == AF_INET6 ? sizeof( address.v6 ) : sizeof( address.v4 );
    int room = 8192, number, last = -1;
    DWORD count = COUNT_UNTOUCHED;
    char data[1000] = { 0 };

    check_clears( WSAIoctl( s, SIO_ENABLE_CIRCULAR_QUEUEING, NULL, 0, NULL, 0, &count, NULL, NULL ), 0 );
    check_ok( setsockopt( s, SOL_SOCKET, SO_RCVBUF, (char *)&room, sizeof( room ) ) );
    for ( number = 0; number < 2000; number++ )
    {
        memcpy( data, &number, sizeof( number ) );
        check_result( sendto( sender, data, sizeof( data ), 0, &address.any, length ), sizeof( data ) );
    }
    set_nonblocking( s, TRUE );
    while ( recv( s, data, sizeof( data ), 0 ) == sizeof( data ) ) memcpy( &last, data, sizeof( last ) );
    todo_wine ok( last == 1999, "the last is %d\n", last );
    closesocket( sender );
    closesocket( s );
}

START_TEST( ioctl_at_once )
{
    static const int families[] = { AF_INET, AF_INET6 };
    unsigned int i;

    if ( support_begin() ) return;
    for ( i = 0; i < ( have_ipv6() ? 2 : 1 ); i++ )
    {
        winetest_push_context( "family %d", families[i] );
        test_counts( families[i] );
        test_keepalive( families[i] );
        test_circular( families[i] );
        winetest_pop_context();
    }
    support_end();
}
