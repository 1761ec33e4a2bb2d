/*
 * Single socket options: what each is to begin with, what it takes, what it does. The rules that they share are the
 * subject of options.c.
 */
#include "support.h"
#include <stddef.h>

#ifndef SO_BSP_STATE
#define SO_BSP_STATE 0x1009
#endif

static DWORD get_number( SOCKET s, int level, int name )
{
    DWORD value = 0;
    int length = sizeof( value );

    check_clears( getsockopt( s, level, name, (char *)&value, &length ), 0 );
    return value;
}

static void set_number( SOCKET s, int level, int name, DWORD value )
{
    check_clears( setsockopt( s, level, name, (char *)&value, sizeof( value ) ), 0 );
}

static void test_timeouts( void )
{
    static const DWORD values[] = { 63000, 0, 997000, 256 };
    SOCKET s = socket( AF_INET, SOCK_STREAM, 0 ), client, server;
    DWORD ticks;
    char byte;

    ok( !get_number( s, SOL_SOCKET, SO_RCVTIMEO ), "not 0 to begin with\n" );
    for ( unsigned int i = 0; i < ARRAY_SIZE( values ); i++ )
    {
        set_number( s, SOL_SOCKET, SO_RCVTIMEO, values[i] );
        ok( get_number( s, SOL_SOCKET, SO_RCVTIMEO ) == values[i], "receive timeout is not %lu\n", values[i] );
        set_number( s, SOL_SOCKET, SO_SNDTIMEO, values[i] );
        ok( get_number( s, SOL_SOCKET, SO_SNDTIMEO ) == values[i], "send timeout is not %lu\n", values[i] );
    }
    closesocket( s );

    tcp_pair( &client, &server );
    set_number( client, SOL_SOCKET, SO_RCVTIMEO, 600 );
    ticks = GetTickCount();
    check_fails( recv( client, &byte, 1, 0 ), WSAETIMEDOUT );
    ticks = GetTickCount() - ticks;
    ok( ticks >= 550 && ticks < 5000, "waited %lu ms\n", ticks );
    closesocket( client );
    closesocket( server );
}

static void test_buffers( void )
{
    static const int names[] = { SO_RCVBUF, SO_SNDBUF };
    static const DWORD values[] = { 4096, 0, 1024, 65536, 1 << 20 };
    static char data[4096];
    SOCKET client, server;
    int total = 0, n;

    tcp_pair( &client, &server );
    ok( get_number( server, SOL_SOCKET, SO_RCVBUF ) >= 12288, "SO_RCVBUF is smaller than usual\n" );
    for ( unsigned int i = 0; i < ARRAY_SIZE( values ) * 2; i++ )
    {
        set_number( client, SOL_SOCKET, names[i % 2], values[i / 2] );
        ok( get_number( client, SOL_SOCKET, names[i % 2] ) == values[i / 2], "%s is not %lu\n",
            i % 2 ? "SO_SNDBUF" : "SO_RCVBUF", values[i / 2] );
    }
    set_number( client, SOL_SOCKET, SO_SNDBUF, 0 );
    set_number( server, SOL_SOCKET, SO_RCVBUF, 1024 );
    set_nonblocking( client, TRUE );
    for ( int i = 0; i < 3; i++ ) check_result( send( client, data, sizeof( data ), 0 ), sizeof( data ) );
    while ( total < 3 * (int)sizeof( data ) && ( n = recv( server, data, sizeof( data ), 0 ) ) > 0 ) total += n;
    ok( total == 3 * sizeof( data ), "received %d\n", total );
    closesocket( client );
    closesocket( server );

    /* each overlapped receive has what it asks for, which is more than the buffer holds */
    tcp_pair( &client, &server );
    set_number( client, SOL_SOCKET, SO_SNDBUF, 0 );
    set_number( server, SOL_SOCKET, SO_RCVBUF, 1024 );
    set_nonblocking( client, TRUE );
    set_nonblocking( server, TRUE );
    for ( int i = 0; i < 3; i++ ) check_result( send( client, data, sizeof( data ), 0 ), sizeof( data ) );
    for ( int i = 0; i < 3; i++ )
    {
        OVERLAPPED ov = { .hEvent = CreateEventW( NULL, TRUE, FALSE, NULL ) };
        WSABUF buffer = { sizeof( data ), data };
        DWORD size = 0, flags = 0;

        n = WSARecv( server, &buffer, 1, NULL, &flags, &ov, NULL );
        ok( !n || WSAGetLastError() == WSA_IO_PENDING, "error %d\n", WSAGetLastError() );
        ok( !WaitForSingleObject( ov.hEvent, 10000 ), "receive %d does not end\n", i );
        check_result( WSAGetOverlappedResult( server, &ov, &size, FALSE, &flags ), TRUE );
        ok( size == sizeof( data ), "receive %d has %lu bytes\n", i, size );
        CloseHandle( ov.hEvent );
    }
    closesocket( client );
    closesocket( server );
}

static void test_linger( void )
{
    static const LINGER values[] = { { 0, 0 }, { 0, 73 }, { 1, 0 }, { 5, 189 }, { 0x100, 3 } };
    SOCKET s = socket( AF_INET, SOCK_STREAM, 0 ), client, server;
    LINGER linger;
    int length;
    char byte;

    for ( unsigned int i = 0; i < ARRAY_SIZE( values ); i++ )
    {
        winetest_push_context( "linger %d, %d", values[i].l_onoff, values[i].l_linger );
        check_clears( setsockopt( s, SOL_SOCKET, SO_LINGER, (char *)&values[i], sizeof( values[i] ) ), 0 );
        length = sizeof( linger );
        check_clears( getsockopt( s, SOL_SOCKET, SO_LINGER, (char *)&linger, &length ), 0 );
        ok( length == sizeof( linger ), "length %d\n", length );
        ok( !linger.l_onoff == !values[i].l_onoff, "read %d\n", linger.l_onoff );
        if ( values[i].l_onoff ) ok( linger.l_linger == values[i].l_linger, "read %d\n", linger.l_linger );
        ok( get_number( s, SOL_SOCKET, SO_DONTLINGER ) == !values[i].l_onoff, "SO_DONTLINGER disagrees\n" );
        winetest_pop_context();
    }
    ok( linger.l_onoff == 0x100, "stored as %#x\n", linger.l_onoff );
    closesocket( s );

    tcp_pair( &client, &server );
    linger.l_onoff = 1;
    linger.l_linger = 0;
    check_ok( setsockopt( client, SOL_SOCKET, SO_LINGER, (char *)&linger, sizeof( linger ) ) );
    check_ok( closesocket( client ) );
    check_fails( recv( server, &byte, 1, 0 ), WSAECONNRESET );
    closesocket( server );
}

static void test_error( void )
{
    SOCKET s = socket( AF_INET, SOCK_STREAM, 0 ), bound;
    union address address;
    DWORD value = 0;
    int length = 1;
    fd_set except;
    TIMEVAL timeout = { 10, 0 };

    ok( !get_number( s, SOL_SOCKET, SO_ERROR ), "not 0 to begin with\n" );
    set_number( s, SOL_SOCKET, SO_ERROR, 1234 );
    ok( get_number( s, SOL_SOCKET, SO_ERROR ) == 1234, "not what was set\n" );
    check_fails( getsockopt( s, SOL_SOCKET, SO_ERROR, (char *)&value, &length ), WSAEFAULT );
    closesocket( s );

    /* the outcome of a connection under way stays */
    bound = tcp_bound( AF_INET, &address );
    s = socket( AF_INET, SOCK_STREAM, 0 );
    set_nonblocking( s, TRUE );
    check_fails( connect( s, &address.any, sizeof( address.v4 ) ), WSAEWOULDBLOCK );
    FD_ZERO( &except );
    FD_SET( s, &except );
    check_result( select( 0, NULL, NULL, &except, &timeout ), 1 );
    for ( int i = 0; i < 2; i++ )
        ok( get_number( s, SOL_SOCKET, SO_ERROR ) == WSAECONNREFUSED, "read %d: not refused\n", i );
    closesocket( s );

    s = socket( AF_INET, SOCK_STREAM, 0 );
    check_fails( connect( s, &address.any, sizeof( address.v4 ) ), WSAECONNREFUSED );
    ok( !get_number( s, SOL_SOCKET, SO_ERROR ), "a blocking connect tells its error only once\n" );
    closesocket( s );
    closesocket( bound );
}

static void test_sharing( void )
{
    SOCKET s = socket( AF_INET, SOCK_STREAM, 0 );
    DWORD one = 1;

    ok( !get_number( s, SOL_SOCKET, SO_REUSEADDR ), "SO_REUSEADDR is set to begin with\n" );
    set_number( s, SOL_SOCKET, SO_REUSEADDR, 1 );
    check_fails( setsockopt( s, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, (char *)&one, sizeof( one ) ), WSAEINVAL );
    set_number( s, SOL_SOCKET, SO_REUSEADDR, 0 );
    set_number( s, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 1 );
    check_fails( setsockopt( s, SOL_SOCKET, SO_REUSEADDR, (char *)&one, sizeof( one ) ), WSAEINVAL );
    set_number( s, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 0 );
    set_number( s, SOL_SOCKET, SO_REUSEADDR, 1 );
    closesocket( s );
}

static void test_small_values( void )
{
    static const struct
    {
        DWORD value;
        int length;
        DWORD read;
    } ttls[] = { { 0xffffff0a, 1, 10 }, { 0xffff000b, 2, 11 }, { 0xff00000c, 3, 12 }, { 13, 4, 13 } };
    SOCKET s = socket( AF_INET, SOCK_DGRAM, 0 ), tcp = socket( AF_INET, SOCK_STREAM, 0 );
    char bytes[42] = { 1 };
    DWORD value = 0xdeadbeef;
    int length = 4;

    for ( unsigned int i = 0; i < ARRAY_SIZE( ttls ); i++ )
    {
        check_ok( setsockopt( s, IPPROTO_IP, IP_MULTICAST_TTL, (char *)&ttls[i].value, ttls[i].length ) );
        ok( get_number( s, IPPROTO_IP, IP_MULTICAST_TTL ) == ttls[i].read, "not %lu\n", ttls[i].read );
    }
    for ( int size = 1; size <= 42; size += size == 1 ? 3 : 38 )
    {
        bytes[0] = 1;
        check_clears( setsockopt( tcp, IPPROTO_TCP, TCP_NODELAY, bytes, size ), 0 );
        check_ok( getsockopt( tcp, IPPROTO_TCP, TCP_NODELAY, (char *)&value, &length ) );
        ok( value == 0xdeadbe01 && length == 1, "length %d: %#lx, %d\n", size, value, length );
        length = 4;
        bytes[0] = 0;
        check_ok( setsockopt( tcp, IPPROTO_TCP, TCP_NODELAY, bytes, size ) );
    }
    check_fails( setsockopt( tcp, IPPROTO_TCP, TCP_NODELAY, "\1", 0 ), WSAEFAULT );
    check_fails( setsockopt( tcp, IPPROTO_TCP, TCP_NODELAY, "\1", -1 ), WSAENOBUFS );
    check_ok( getsockopt( tcp, IPPROTO_TCP, TCP_NODELAY, (char *)&value, &length ) );
    ok( value == 0xdeadbe00, "a failed set changed it: %#lx\n", value );
    closesocket( s );
    closesocket( tcp );
}

static void test_dontfragment( void )
{
    static const struct
    {
        int family, type, level, name;
        DWORD initial;
    } rows[] = {
        { AF_INET, SOCK_DGRAM, IPPROTO_IP, IP_DONTFRAGMENT, 0 },
        { AF_INET, SOCK_STREAM, IPPROTO_IP, IP_DONTFRAGMENT, 1 },
        { AF_INET6, SOCK_DGRAM, IPPROTO_IPV6, IPV6_DONTFRAG, 0 },
        { AF_INET6, SOCK_STREAM, IPPROTO_IPV6, IPV6_DONTFRAG, 1 },
    };

    for ( unsigned int i = 0; i < ARRAY_SIZE( rows ); i++ )
    {
        SOCKET s = socket( rows[i].family, rows[i].type, 0 );

        winetest_push_context( "row %u", i );
        ok( get_number( s, rows[i].level, rows[i].name ) == rows[i].initial, "initial value\n" );
        set_number( s, rows[i].level, rows[i].name, !rows[i].initial );
        ok( get_number( s, rows[i].level, rows[i].name ) == !rows[i].initial, "changed value\n" );
        set_number( s, rows[i].level, rows[i].name, 0xdead );
        ok( get_number( s, rows[i].level, rows[i].name ) == 1, "normalised value\n" );
        closesocket( s );
        winetest_pop_context();
    }
}

static void test_v6only( void )
{
    union address address;
    SOCKET s = socket( AF_INET6, SOCK_STREAM, 0 );
    DWORD value;

    ok( (BYTE)get_number( s, IPPROTO_IPV6, IPV6_V6ONLY ) == 1, "not 1 to begin with\n" );
    set_number( s, IPPROTO_IPV6, IPV6_V6ONLY, 0 );
    check_ok( bind( s, &address.any, address_any( &address, AF_INET6, 0 ) ) );
    ok( !(BYTE)get_number( s, IPPROTO_IPV6, IPV6_V6ONLY ), "bind changed it\n" );
    closesocket( s );

    s = socket( AF_INET, SOCK_STREAM, 0 );
    ok( (BYTE)get_number( s, IPPROTO_IPV6, IPV6_V6ONLY ) == 1, "IPv4: not 1 to begin with\n" );
    set_number( s, IPPROTO_IPV6, IPV6_V6ONLY, 0 );
    ok( !(BYTE)get_number( s, IPPROTO_IPV6, IPV6_V6ONLY ), "IPv4: not stored\n" );
    check_ok( bind( s, &address.any, address_loopback( &address, AF_INET, 0 ) ) );
    for ( value = 0; value < 2; value++ )
        check_result( setsockopt( s, IPPROTO_IPV6, IPV6_V6ONLY, (char *)&value, sizeof( value ) ), SOCKET_ERROR );
    ok( !(BYTE)get_number( s, IPPROTO_IPV6, IPV6_V6ONLY ), "IPv4: not kept\n" );
    closesocket( s );
}

static void test_keepalive( int family )
{
    static const struct
    {
        int name;
        DWORD initial;
    } rows[] = { { 3, 7200 }, { 16, 10 }, { 17, 1 } };
    SOCKET s = socket( family, SOCK_STREAM, 0 );

    for ( unsigned int i = 0; i < ARRAY_SIZE( rows ); i++ )
    {
        winetest_push_context( "TCP option %d", rows[i].name );
        ok( get_number( s, IPPROTO_TCP, rows[i].name ) == rows[i].initial, "initial value\n" );
        set_number( s, IPPROTO_TCP, rows[i].name, 42 );
        ok( get_number( s, IPPROTO_TCP, rows[i].name ) == 42, "set value\n" );
        winetest_pop_context();
    }
    set_number( s, SOL_SOCKET, SO_KEEPALIVE, 1 );
    for ( unsigned int i = 0; i < ARRAY_SIZE( rows ); i++ )
        ok( get_number( s, IPPROTO_TCP, rows[i].name ) == 42, "SO_KEEPALIVE changed option %d\n", rows[i].name );
    closesocket( s );
}

/* The three of them, of four bytes and no fewer; a count is a byte's worth. */
static void test_keepalive_lengths( int family )
{
    static const int names[] = { 3 /* TCP_KEEPALIVE */, 16 /* TCP_KEEPCNT */, 17 /* TCP_KEEPINTVL */ };
    SOCKET s = socket( family, SOCK_STREAM, 0 );
    DWORD values[2], value, number;

    for ( unsigned int i = 0; i < ARRAY_SIZE( names ); i++ )
    {
        winetest_push_context( "option %d", names[i] );
        set_number( s, IPPROTO_TCP, names[i], 5 );
        ok( get_number( s, IPPROTO_TCP, names[i] ) == 5, "another value\n" );
        for ( int length = 0; length <= 2; length++ )
        {
            value = 7;
            check_fails( setsockopt( s, IPPROTO_TCP, names[i], (char *)&value, length ), WSAEFAULT );
            if ( !length ) continue;
            value = 0xdeadbeef;
            int given = length;
            check_fails( getsockopt( s, IPPROTO_TCP, names[i], (char *)&value, &given ), WSAEFAULT );
            ok( !given && value == 0xdeadbeef, "length %d, value %#lx\n", given, value );
        }
        check_fails( setsockopt( s, IPPROTO_TCP, names[i], (char *)&value, -1 ), WSAENOBUFS );
        ok( get_number( s, IPPROTO_TCP, names[i] ) == 5, "a failure has set it\n" );
        values[0] = 6;
        values[1] = ~0u;
        check_ok( setsockopt( s, IPPROTO_TCP, names[i], (char *)values, sizeof( values ) ) );
        int given = sizeof( values );
        check_ok( getsockopt( s, IPPROTO_TCP, names[i], (char *)values, &given ) );
        ok( given == 4 && values[0] == 6, "length %d, value %lu\n", given, values[0] );
        /* the host counts to 127 */
        set_number( s, IPPROTO_TCP, names[i], 200 );
        number = get_number( s, IPPROTO_TCP, names[i] );
        todo_wine_if( names[i] == 16 ) ok( number == 200, "value %lu\n", number );
        value = 256;
        if ( names[i] == 16 )
            check_fails( setsockopt( s, IPPROTO_TCP, names[i], (char *)&value, sizeof( value ) ), WSAEINVAL );
        else
        {
            set_number( s, IPPROTO_TCP, names[i], 256 );
            ok( get_number( s, IPPROTO_TCP, names[i] ) == 256, "another value\n" );
        }
        winetest_pop_context();
    }
    closesocket( s );
}

/* What is set before there is a connection holds for it. */
static void test_keepalive_before_connect( void )
{
    union address address;
    SOCKET listener = tcp_listener( AF_INET, &address ), client = socket( AF_INET, SOCK_STREAM, 0 ), server;
    static const int names[] = { 3 /* TCP_KEEPALIVE */, 16 /* TCP_KEEPCNT */, 17 /* TCP_KEEPINTVL */ };
    DWORD values[] = { 91, 4, 7 }, got;
    BYTE on = 1;
    int length = 1;

    check_ok( setsockopt( client, SOL_SOCKET, SO_KEEPALIVE, (char *)&on, 1 ) );
    for ( unsigned int i = 0; i < ARRAY_SIZE( names ); i++ ) set_number( client, IPPROTO_TCP, names[i], values[i] );
    check_ok( connect( client, &address.any, sizeof( address.v4 ) ) );
    server = accept_one( listener );
    on = 0;
    check_ok( getsockopt( client, SOL_SOCKET, SO_KEEPALIVE, (char *)&on, &length ) );
    ok( on == 1, "SO_KEEPALIVE %d\n", on );
    for ( unsigned int i = 0; i < ARRAY_SIZE( names ); i++ )
    {
        got = 0;
        length = sizeof( got );
        check_ok( getsockopt( client, IPPROTO_TCP, names[i], (char *)&got, &length ) );
        ok( got == values[i], "option %d is %lu, not %lu\n", names[i], got, values[i] );
    }
    check_flow( client, server );
    closesocket( client );
    closesocket( server );
    closesocket( listener );
}

static void test_states( void )
{
    SOCKET s = socket( AF_INET, SOCK_STREAM, 0 ), client, server;
    union address address;
    DWORD seconds;
    ULONGLONG begin;

    ok( get_number( s, SOL_SOCKET, SO_CONNECT_TIME ) == ~0u, "a fresh socket is connected\n" );
    check_ok( bind( s, &address.any, address_loopback( &address, AF_INET, 0 ) ) );
    ok( !get_number( s, SOL_SOCKET, SO_ACCEPTCONN ), "a bound socket listens\n" );
    check_ok( listen( s, 1 ) );
    ok( get_number( s, SOL_SOCKET, SO_ACCEPTCONN ) == 1, "a listening socket does not listen\n" );
    check_fails( setsockopt( s, SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, NULL, 0 ), WSAENOTCONN );
    closesocket( s );

    /* whole seconds since then, wherever the clock's second begins */
    begin = GetTickCount64();
    tcp_pair( &client, &server );
    do {
        seconds = get_number( client, SOL_SOCKET, SO_CONNECT_TIME );
        ok( seconds <= ( GetTickCount64() - begin + 50 ) / 1000, "connected for %lu s\n", seconds );
        seconds = get_number( server, SOL_SOCKET, SO_CONNECT_TIME );
        ok( seconds <= ( GetTickCount64() - begin + 50 ) / 1000, "accepted for %lu s\n", seconds );
        Sleep( 45 );
    } while ( GetTickCount64() - begin < 900 );
    closesocket( client );
    closesocket( server );

    /* datagrams have no time of connecting */
    s = udp_bound( AF_INET, &address );
    ok( get_number( s, SOL_SOCKET, SO_CONNECT_TIME ) == ~0u, "a bound datagram socket is connected\n" );
    check_ok( connect( s, &address.any, sizeof( address.v4 ) ) );
    ok( get_number( s, SOL_SOCKET, SO_CONNECT_TIME ) == ~0u, "a datagram socket is connected since then\n" );
    closesocket( s );
}

static void test_protection( void )
{
    static const struct
    {
        DWORD value;
        int error;
    } rows[] = { { 10, 0 }, { 20, 0 }, { 30, 0 }, { 5, WSAEINVAL }, { 40, WSAEINVAL } };
    SOCKET s = socket( AF_INET6, SOCK_STREAM, 0 );

    for ( unsigned int i = 0; i < ARRAY_SIZE( rows ); i++ )
    {
        int result = setsockopt( s, IPPROTO_IPV6, IPV6_PROTECTION_LEVEL, (char *)&rows[i].value, sizeof( DWORD ) );

        ok( result == ( rows[i].error ? SOCKET_ERROR : 0 ) && WSAGetLastError() == rows[i].error, "%lu: %d, error %d\n",
            rows[i].value, result, WSAGetLastError() );
    }
    ok( get_number( s, IPPROTO_IPV6, IPV6_PROTECTION_LEVEL ) == 30, "the last good value is kept\n" );
    closesocket( s );
}

/* --- SO_OPENTYPE, SO_PROTOCOL_INFO, SO_BSP_STATE ----------------------------------------------------------------------*/

static DWORD WINAPI opentype_thread( void *arg )
{
    DWORD value = 0xdeadbeef;
    int length = sizeof( value );

    (void)arg;
    getsockopt( INVALID_SOCKET, SOL_SOCKET, SO_OPENTYPE, (char *)&value, &length );
    return value;
}

static void test_opentype( void )
{
    static const DWORD values[] = { 0x100, 1, 0 };
    DWORD code = 1;
    HANDLE thread;

    for ( unsigned int i = 0; i < ARRAY_SIZE( values ); i++ )
    {
        set_number( INVALID_SOCKET, SOL_SOCKET, SO_OPENTYPE, values[i] );
        ok( get_number( INVALID_SOCKET, SOL_SOCKET, SO_OPENTYPE ) == values[i], "not %#lx\n", values[i] );
        thread = CreateThread( NULL, 0, opentype_thread, NULL, 0, NULL );
        WaitForSingleObject( thread, INFINITE );
        GetExitCodeThread( thread, &code );
        ok( !code, "another thread reads %#lx\n", code );
        CloseHandle( thread );
    }
}

static void test_protocol_info( void )
{
    static const int families[] = { AF_INET, AF_INET6 }, types[] = { SOCK_STREAM, SOCK_DGRAM };
    char a[2 * sizeof( WSAPROTOCOL_INFOA )], w[2 * sizeof( WSAPROTOCOL_INFOW )];
    int length = 7;

    check_fails( getsockopt( INVALID_SOCKET, SOL_SOCKET, SO_PROTOCOL_INFOA, NULL, NULL ), WSAENOTSOCK );
    check_fails( getsockopt( INVALID_SOCKET, SOL_SOCKET, SO_PROTOCOL_INFOW, w, &length ), WSAENOTSOCK );
    ok( length == 7, "length %d\n", length );
    for ( int i = 0; i < 4; i++ )
    {
        int family = families[i / 2], type = types[i % 2];
        SOCKET s = socket( family, type, 0 );
        WSAPROTOCOL_INFOA *info_a = (WSAPROTOCOL_INFOA *)a;
        WSAPROTOCOL_INFOW *info_w = (WSAPROTOCOL_INFOW *)w;
        char name[256];

        winetest_push_context( "family %d, type %d", family, type );
        check_fails( getsockopt( s, SOL_SOCKET, SO_PROTOCOL_INFOA, NULL, NULL ), WSAEFAULT );
        length = sizeof( a );
        check_fails( getsockopt( s, SOL_SOCKET, SO_PROTOCOL_INFOA, NULL, &length ), WSAEFAULT );
        check_fails( getsockopt( s, SOL_SOCKET, SO_PROTOCOL_INFOA, a, NULL ), WSAEFAULT );
        length = sizeof( *info_a ) / 2;
        check_fails( getsockopt( s, SOL_SOCKET, SO_PROTOCOL_INFOA, a, &length ), WSAEFAULT );
        ok( length == 372, "needs %d\n", length );
        check_clears( getsockopt( s, SOL_SOCKET, SO_PROTOCOL_INFOA, a, &length ), 0 );
        ok( length == 372, "length %d\n", length );
        length = sizeof( a );
        check_clears( getsockopt( s, SOL_SOCKET, SO_PROTOCOL_INFOA, a, &length ), 0 );
        ok( length == sizeof( a ), "a larger length became %d\n", length );
        length = sizeof( *info_w ) / 2;
        check_fails( getsockopt( s, SOL_SOCKET, SO_PROTOCOL_INFOW, w, &length ), WSAEFAULT );
        ok( length == 628, "needs %d\n", length );
        check_clears( getsockopt( s, SOL_SOCKET, SO_PROTOCOL_INFOW, w, &length ), 0 );
        ok( length == 628, "length %d\n", length );
        ok( info_w->iAddressFamily == family, "family %d\n", info_w->iAddressFamily );
        ok( info_w->iSocketType == type, "type %d\n", info_w->iSocketType );
        ok( info_w->iProtocol == ( type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP ), "protocol %d\n",
            info_w->iProtocol );
        ok( !info_w->dwProviderReserved, "reserved %#lx\n", info_w->dwProviderReserved );
        ok( !memcmp( a, w, offsetof( WSAPROTOCOL_INFOW, szProtocol ) ), "A and W differ\n" );
        WideCharToMultiByte( CP_ACP, 0, info_w->szProtocol, -1, name, sizeof( name ), NULL, NULL );
        ok( name[0] && !strcmp( name, info_a->szProtocol ), "names %s and %s\n", name, info_a->szProtocol );
        closesocket( s );
        winetest_pop_context();
    }
}

static void check_bsp( SOCKET s, BOOL local, BOOL remote )
{
    char buffer[128];
    CSADDR_INFO *info = (CSADDR_INFO *)buffer;
    union address name;
    int length = sizeof( buffer ), size = sizeof( name );

    check_clears( getsockopt( s, SOL_SOCKET, SO_BSP_STATE, buffer, &length ), 0 );
    ok( length == sizeof( buffer ), "length %d\n", length );
    ok( info->iSocketType == SOCK_STREAM && info->iProtocol == IPPROTO_TCP, "type %d, protocol %d\n", info->iSocketType,
        info->iProtocol );
    ok( !info->LocalAddr.lpSockaddr == !local, "local %p\n", info->LocalAddr.lpSockaddr );
    ok( !info->LocalAddr.iSockaddrLength == !local, "local length %d\n", info->LocalAddr.iSockaddrLength );
    ok( !info->RemoteAddr.lpSockaddr == !remote, "remote %p\n", info->RemoteAddr.lpSockaddr );
    ok( !info->RemoteAddr.iSockaddrLength == !remote, "remote length %d\n", info->RemoteAddr.iSockaddrLength );
    if ( !remote ) return;
    check_ok( getsockname( s, &name.any, &size ) );
    ok( info->LocalAddr.iSockaddrLength == size && !memcmp( info->LocalAddr.lpSockaddr, &name, size ),
        "local address\n" );
    size = sizeof( name );
    check_ok( getpeername( s, &name.any, &size ) );
    ok( info->RemoteAddr.iSockaddrLength == size && !memcmp( info->RemoteAddr.lpSockaddr, &name, size ),
        "remote address\n" );
}

static void test_bsp_state( void )
{
    SOCKET s = socket( AF_INET, SOCK_STREAM, 0 ), client, server;
    union address address;
    char buffer[128];
    int needed = sizeof( CSADDR_INFO ) + 2 * sizeof( struct sockaddr_in ), length;

    check_bsp( s, FALSE, FALSE );
    check_ok( bind( s, &address.any, address_loopback( &address, AF_INET, 0 ) ) );
    check_bsp( s, TRUE, FALSE );
    closesocket( s );

    tcp_pair( &client, &server );
    check_bsp( client, TRUE, TRUE );
    check_bsp( server, TRUE, TRUE );
    length = needed;
    check_clears( getsockopt( client, SOL_SOCKET, SO_BSP_STATE, buffer, &length ), 0 );
    ok( length == needed, "length %d\n", length );
    length = needed - 1;
    check_fails( getsockopt( client, SOL_SOCKET, SO_BSP_STATE, buffer, &length ), WSAEFAULT );
    length = sizeof( CSADDR_INFO );
    check_fails( getsockopt( client, SOL_SOCKET, SO_BSP_STATE, buffer, &length ), WSAEFAULT );
    ok( length == sizeof( CSADDR_INFO ), "length %d\n", length );
    closesocket( client );
    closesocket( server );
}

START_TEST( option_values )
{
    if ( support_begin() ) return;
    test_timeouts();
    test_buffers();
    test_linger();
    test_error();
    test_sharing();
    test_small_values();
    test_dontfragment();
    test_v6only();
    test_keepalive( AF_INET );
    test_keepalive_lengths( AF_INET );
    if ( have_ipv6() )
    {
        test_keepalive( AF_INET6 );
        test_keepalive_lengths( AF_INET6 );
    }
    test_keepalive_before_connect();
    test_states();
    test_protection();
    test_opentype();
    test_protocol_info();
    test_bsp_state();
    support_end();
}
