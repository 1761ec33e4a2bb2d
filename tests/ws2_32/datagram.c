/*
 * Datagram sockets (facts: sockets-1 sections 6 and 7, sockets-2 sections 5, 10, 11): sendto and recvfrom, connecting and
 * disconnecting, over-long and truncated datagrams, ICMP errors that senders never see, WSASendMsg and WSARecvMsg.
 */
#include "requests.h"

static void test_transfer( int family )
{
    union address a_address, b_address, from;
    SOCKET a = udp_bound( family, &a_address ), b = udp_bound( family, &b_address );
    int length, size = family == AF_INET6 ? 28 : 16;
    WSABUF out[2] = { { 4, (char *)"1234" }, { 12, (char *)"abcdefghijkl" } }, in;
    DWORD count, flags;
    char buffer[64];

    check_clears( sendto( a, "sixteen bytes ok", 16, 0, &b_address.any, size ), 16 );
    ok( wait_readable( b, 5000 ), "nothing arrived\n" );
    length = sizeof( from );
    memset( buffer, 0, sizeof( buffer ) );
    check_clears( recvfrom( b, buffer, sizeof( buffer ), 0, &from.any, &length ), 16 );
    ok( !memcmp( buffer, "sixteen bytes ok", 16 ), "got %.16s\n", buffer );
    ok( length == size && address_port( &from ) == address_port( &a_address ), "from length %d, port %d\n", length,
        address_port( &from ) );

    /* several buffers are one datagram; each receive takes one */
    check_ok( WSASendTo( a, out, 2, &count, 0, &b_address.any, size, NULL, NULL ) );
    ok( count == 16, "got %lu\n", count );
    check_result( sendto( a, "second", 6, 0, &b_address.any, size ), 6 );
    ok( wait_readable( b, 5000 ), "nothing arrived\n" );
    in.buf = buffer, in.len = sizeof( buffer );
    flags = 0;
    length = sizeof( from );
    check_ok( WSARecvFrom( b, &in, 1, &count, &flags, &from.any, &length, NULL, NULL ) );
    ok( count == 16 && !memcmp( buffer, "1234abcdefghijkl", 16 ) && length == size, "got %lu\n", count );
    check_result( recv( b, buffer, sizeof( buffer ), 0 ), 6 );

    /* longer than the buffer: the rest is lost */
    check_result( sendto( a, "truncated", 9, 0, &b_address.any, size ), 9 );
    check_result( sendto( a, "next", 4, 0, &b_address.any, size ), 4 );
    ok( wait_readable( b, 5000 ), "nothing arrived\n" );
    memset( buffer, 0, sizeof( buffer ) );
    check_fails( recv( b, buffer, 4, MSG_PEEK ), WSAEMSGSIZE );
    check_fails( recv( b, buffer, 4, 0 ), WSAEMSGSIZE );
    ok( !memcmp( buffer, "trun", 5 ), "got %.16s\n", buffer );
    check_result( recv( b, buffer, sizeof( buffer ), 0 ), 4 );

    /* an empty one is one */
    check_result( sendto( a, "", 0, 0, &b_address.any, size ), 0 );
    ok( wait_readable( b, 5000 ), "nothing arrived\n" );
    check_result( recv( b, buffer, sizeof( buffer ), 0 ), 0 );
    set_nonblocking( b, TRUE );
    check_fails( recv( b, buffer, sizeof( buffer ), 0 ), WSAEWOULDBLOCK );
    closesocket( a );
    closesocket( b );
}

static void test_too_long( void )
{
    union address address;
    SOCKET s = udp_bound( AF_INET, &address );
    char *data = calloc( 1, 70000 );
    int size = 0, length = sizeof( size ), receive = 0x20000;
    WSABUF halves[] = { { 35000, data }, { 35000, data + 35000 } };
    OVERLAPPED ov = { .hEvent = WSACreateEvent() };
    DWORD done;

    check_ok( getsockopt( s, SOL_SOCKET, SO_MAX_MSG_SIZE, (char *)&size, &length ) );
    ok( size == 65507 || broken( size == 65527 ), "got %d\n", size );
    check_ok( setsockopt( s, SOL_SOCKET, SO_RCVBUF, (char *)&receive, sizeof( receive ) ) );
    check_result( sendto( s, data, 65507, 0, &address.any, sizeof( address.v4 ) ), 65507 );
    ok( wait_readable( s, 5000 ), "nothing arrived\n" );
    check_result( recv( s, data, 70000, 0 ), 65507 );
    check_fails( sendto( s, data, 65508, 0, &address.any, sizeof( address.v4 ) ), WSAEMSGSIZE );
    check_fails( sendto( s, data, 70000, 0, &address.any, sizeof( address.v4 ) ), WSAEMSGSIZE );

    /* connected, in one buffer and in two, overlapped */
    check_ok( connect( s, &address.any, sizeof( address.v4 ) ) );
    check_fails( send( s, data, 65508, 0 ), WSAEMSGSIZE );
    check_fails( WSASend( s, halves, 2, &done, 0, NULL, NULL ), WSAEMSGSIZE );
    check_fails( WSASend( s, halves, 2, &done, 0, &ov, NULL ), WSAEMSGSIZE );
    check_fails( WSASendTo( s, halves, 2, &done, 0, NULL, 0, &ov, NULL ), WSAEMSGSIZE );
    check_result( send( s, data, 65507, 0 ), 65507 ); /* nothing of them is on its way */
    ok( wait_readable( s, 5000 ), "nothing arrived\n" );
    check_result( recv( s, data, 70000, 0 ), 65507 );
    WSACloseEvent( ov.hEvent );
    closesocket( s );
    free( data );
}

static void test_connect( void )
{
    union address a_address, b_address, c_address, name, none;
    SOCKET a = socket( AF_INET, SOCK_DGRAM, 0 ), b = udp_bound( AF_INET, &b_address ),
           c = udp_bound( AF_INET, &c_address );
    char buffer[16];
    int length;

    set_nonblocking( a, TRUE );
    check_fails( send( a, "x", 1, 0 ), WSAENOTCONN );
    check_fails( recv( a, buffer, 1, 0 ), WSAEINVAL );
    check_fails( getpeername( a, NULL, NULL ), WSAENOTCONN );
    address_loopback( &name, AF_INET, 0 );
    check_ok( bind( a, &name.any, sizeof( name.v4 ) ) );
    check_fails( send( a, "x", 1, 0 ), WSAENOTCONN );
    check_fails( recv( a, buffer, 1, 0 ), WSAEWOULDBLOCK );
    check_result( sendto( a, "x", 1, 0, &b_address.any, sizeof( b_address.v4 ) ), 1 );
    check_fails( getpeername( a, NULL, NULL ), WSAENOTCONN );
    closesocket( a );
    ok( wait_readable( b, 5000 ), "nothing arrived\n" );
    check_result( recv( b, buffer, sizeof( buffer ), 0 ), 1 );

    /* sendto binds */
    a = socket( AF_INET, SOCK_DGRAM, 0 );
    length = sizeof( name );
    check_fails( getsockname( a, &name.any, &length ), WSAEINVAL );
    check_result( sendto( a, "x", 1, 0, &b_address.any, sizeof( b_address.v4 ) ), 1 );
    ok( socket_port( a ), "not bound\n" );
    ok( wait_readable( b, 5000 ), "nothing arrived\n" );
    check_result( recv( b, buffer, sizeof( buffer ), 0 ), 1 );
    closesocket( a );

    /* so does connect */
    a = socket( AF_INET, SOCK_DGRAM, 0 );
    check_ok( connect( a, &b_address.any, sizeof( b_address.v4 ) ) );
    length = sizeof( a_address );
    check_ok( getsockname( a, &a_address.any, &length ) );
    ok( address_port( &a_address ), "no port\n" );
    length = sizeof( name );
    check_ok( getpeername( a, &name.any, &length ) );
    ok( length == 16 && !memcmp( &name, &b_address, 16 ), "got another peer\n" );
    length = sizeof( name );
    check_fails( getpeername( b, &name.any, &length ), WSAENOTCONN );
    check_result( send( a, "to b", 4, 0 ), 4 );
    ok( wait_readable( b, 5000 ), "nothing arrived\n" );
    check_result( recv( b, buffer, sizeof( buffer ), 0 ), 4 );
    /* others are not heard */
    set_nonblocking( a, TRUE );
    check_result( sendto( c, "stranger", 8, 0, &a_address.any, sizeof( a_address.v4 ) ), 8 );
    Sleep( 50 );
    check_fails( recv( a, buffer, sizeof( buffer ), 0 ), WSAEWOULDBLOCK );
    /* again, to the same and to another */
    check_ok( connect( a, &b_address.any, sizeof( b_address.v4 ) ) );
    check_ok( connect( a, &c_address.any, sizeof( c_address.v4 ) ) );
    length = sizeof( name );
    check_ok( getpeername( a, &name.any, &length ) );
    ok( !memcmp( &name, &c_address, 16 ), "got another peer\n" );
    check_result( send( a, "to c", 4, 0 ), 4 );
    ok( wait_readable( c, 5000 ), "nothing arrived\n" );
    check_result( recv( c, buffer, sizeof( buffer ), 0 ), 4 );
    memset( &none, 0, sizeof( none ) );
    check_ok( connect( a, &none.any, sizeof( none.v4 ) ) );
    length = sizeof( name );
    check_fails( getpeername( a, &name.any, &length ), WSAENOTCONN );
    check_fails( send( a, "x", 1, 0 ), WSAENOTCONN );
    closesocket( a );
    closesocket( b );
    closesocket( c );
}

/* The port unreachable that comes back is no error of later sends. */
static void test_unreachable( void )
{
    union address address;
    SOCKET closed = udp_bound( AF_INET, &address ), s = socket( AF_INET, SOCK_DGRAM, 0 );
    int i;

    closesocket( closed );
    check_ok( connect( s, &address.any, sizeof( address.v4 ) ) );
    for ( i = 0; i < 10; i++ ) check_result( send( s, "nobody", 6, 0 ), 6 );
    for ( i = 0; i < 3; i++ ) check_result( sendto( s, "nobody", 6, 0, NULL, 0 ), 6 );
    closesocket( s );
}

static void test_messages( void )
{
    LPFN_WSARECVMSG receive;
    INT( WINAPI * send_message )
    ( SOCKET, WSAMSG *, DWORD, DWORD *, LPWSAOVERLAPPED, LPWSAOVERLAPPED_COMPLETION_ROUTINE );
    union address address, from, name;
    SOCKET b = udp_bound( AF_INET, &address ), a = socket( AF_INET, SOCK_DGRAM, 0 ), stream;
    char buffer[64], control[512];
    WSABUF out[2] = { { 12, (char *)"twelve bytes" }, { 6, (char *)"and 6 " } }, in = { sizeof( buffer ), buffer };
    WSAMSG message = { &address.any, sizeof( address.v4 ), out, 2, { 0, NULL }, 0 }, received;
    WSACMSGHDR *header = (WSACMSGHDR *)control;
    DWORD count;
    int length, on = 1;

    receive = extension( b, (GUID)WSAID_WSARECVMSG );
    send_message = extension( a, (GUID)WSAID_WSASENDMSG );
    if ( !receive || !send_message ) return;
    check_fails( send_message( INVALID_SOCKET, NULL, 0, NULL, NULL, NULL ), WSAENOTSOCK );
    check_fails( send_message( a, NULL, 0, NULL, NULL, NULL ), WSAEFAULT );
    check_fails( send_message( a, NULL, 0, &count, NULL, NULL ), WSAEFAULT );
    length = sizeof( name );
    check_fails( getsockname( a, &name.any, &length ), WSAEINVAL );
    check_fails( send_message( a, &message, 0, NULL, NULL, NULL ), WSAEFAULT );
    length = sizeof( name );
    check_ok( getsockname( a, &name.any, &length ) );
    ok( !name.v4.sin_addr.s_addr && name.v4.sin_port, "got %#lx:%d\n", name.v4.sin_addr.s_addr, address_port( &name ) );
    closesocket( a );
    a = socket( AF_INET, SOCK_DGRAM, 0 );
    count = 0;
    check_clears( send_message( a, &message, 0, &count, NULL, NULL ), 0 );
    ok( count == 18, "got %lu\n", count );
    stream = socket( AF_INET, SOCK_STREAM, 0 );
    check_fails( send_message( stream, &message, 0, &count, NULL, NULL ), WSAEINVAL );
    closesocket( stream );

    check_fails( receive( b, NULL, NULL, NULL, NULL ), WSAEFAULT );
    memset( &received, 0, sizeof( received ) );
    received.name = &from.any;
    received.namelen = sizeof( from );
    received.lpBuffers = &in;
    received.dwBufferCount = 1;
    ok( wait_readable( b, 5000 ), "nothing arrived\n" );
    count = 0;
    check_ok( receive( b, &received, &count, NULL, NULL ) );
    ok( count == 18 && received.namelen == 16 && address_port( &from ) == socket_port( a ), "got %lu, name length %d\n",
        count, received.namelen );

    check_ok( setsockopt( b, IPPROTO_IP, IP_PKTINFO, (char *)&on, sizeof( on ) ) );
    check_result( sendto( a, "packet", 6, 0, &address.any, sizeof( address.v4 ) ), 6 );
    ok( wait_readable( b, 5000 ), "nothing arrived\n" );
    received.Control.buf = control;
    received.Control.len = sizeof( control );
    received.dwFlags = 0;
    check_ok( receive( b, &received, &count, NULL, NULL ) );
    ok( count == 6, "got %lu\n", count );
    ok( received.Control.len == WSA_CMSG_SPACE( sizeof( struct in_pktinfo ) ), "got control length %lu\n",
        received.Control.len );
    ok( header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO &&
            header->cmsg_len == WSA_CMSG_LEN( sizeof( struct in_pktinfo ) ),
        "got level %d type %d length %llu\n", header->cmsg_level, header->cmsg_type, (ULONGLONG)header->cmsg_len );
    ok( ( (struct in_pktinfo *)WSA_CMSG_DATA( header ) )->ipi_addr.s_addr == htonl( INADDR_LOOPBACK ), "got %#lx\n",
        ( (struct in_pktinfo *)WSA_CMSG_DATA( header ) )->ipi_addr.s_addr );

    check_result( sendto( a, "packet", 6, 0, &address.any, sizeof( address.v4 ) ), 6 );
    ok( wait_readable( b, 5000 ), "nothing arrived\n" );
    received.Control.len = 1;
    received.dwFlags = 0;
    count = 0;
    check_fails( receive( b, &received, &count, NULL, NULL ), WSAEMSGSIZE );
    ok( count == 6 && received.dwFlags == MSG_CTRUNC, "got %lu, flags %#lx\n", count, received.dwFlags );
    set_nonblocking( b, TRUE );
    check_fails( recv( b, buffer, sizeof( buffer ), 0 ), WSAEWOULDBLOCK );
    closesocket( a );
    closesocket( b );
}

static void test_shutdown( void )
{
    union address address;
    SOCKET s = udp_bound( AF_INET, &address );
    char byte;

    check_ok( shutdown( s, SD_SEND ) );
    check_fails( sendto( s, "x", 1, 0, &address.any, sizeof( address.v4 ) ), WSAESHUTDOWN );
    check_ok( shutdown( s, SD_RECEIVE ) );
    check_fails( recv( s, &byte, 1, 0 ), WSAESHUTDOWN );
    closesocket( s );
}

/* As many buffers as a program likes. */
#define MANY 3000
static char many_data[MANY * 2], many_got[MANY * 2 + 1];
static WSABUF many_buffers[MANY], many_targets[MANY];

static void many_fill( void )
{
    for ( int i = 0; i < MANY * 2; i++ ) many_data[i] = i * 7;
    for ( int i = 0; i < MANY; i++ )
    {
        many_buffers[i] = ( WSABUF ){ 2, many_data + 2 * i };
        many_targets[i] = ( WSABUF ){ 2, many_got + 2 * i };
    }
    memset( many_got, 0, sizeof( many_got ) );
}

/* One datagram each way, at once or overlapped; too long for its buffers; a buffer that is none. */
static void test_many_buffers_datagram( BOOL overlapped )
{
    union address address, sender;
    SOCKET from = socket( AF_INET, SOCK_DGRAM, 0 ), to = udp_bound( AF_INET, &address );
    OVERLAPPED ov = { .hEvent = WSACreateEvent() }, *used = overlapped ? &ov : NULL;
    int length = sizeof( sender );
    DWORD done = 0, flags = 0;

    winetest_push_context( overlapped ? "overlapped" : "at once" );
    many_fill();
    check_ok( WSASendTo( from, many_buffers, MANY, &done, 0, &address.any, sizeof( address.v4 ), used, NULL ) );
    ok( done == sizeof( many_data ), "sent %lu\n", done );
    ok( wait_readable( to, 5000 ), "nothing arrived\n" );
    check_ok( WSARecvFrom( to, many_targets, MANY, &done, &flags, &sender.any, &length, used, NULL ) );
    ok( done == sizeof( many_data ) && !memcmp( many_data, many_got, done ), "%lu bytes, or others, arrived\n", done );
    ok( !flags && address_port( &sender ) == socket_port( from ), "flags %#lx, port %d\n", flags,
        address_port( &sender ) );

    many_fill();
    check_result( sendto( from, many_data, sizeof( many_data ), 0, &address.any, sizeof( address.v4 ) ),
                  sizeof( many_data ) );
    ok( wait_readable( to, 5000 ), "nothing arrived\n" );
    check_fails( WSARecv( to, many_targets, MANY - 1, &done, &flags, used, NULL ), WSAEMSGSIZE );
    ok( !memcmp( many_data, many_got, sizeof( many_data ) - 2 ) && !many_got[sizeof( many_data ) - 2],
        "other bytes arrived\n" );

    if ( overlapped )
    {
        many_fill();
        flags = 0;
        check_fails( WSARecv( to, many_targets, MANY, NULL, &flags, &ov, NULL ), WSA_IO_PENDING );
        check_result( sendto( from, many_data, sizeof( many_data ), 0, &address.any, sizeof( address.v4 ) ),
                      sizeof( many_data ) );
        check_result( WSAGetOverlappedResult( to, &ov, &done, TRUE, &flags ), TRUE );
        ok( done == sizeof( many_data ) && !memcmp( many_data, many_got, done ), "%lu bytes, or others, arrived\n",
            done );
    }

    many_fill();
    many_buffers[MANY - 1].buf = memory_unmapped();
    check_fails( WSASendTo( from, many_buffers, MANY, &done, 0, &address.any, sizeof( address.v4 ), used, NULL ),
                 WSAEFAULT );
    set_nonblocking( to, TRUE );
    check_fails( recv( to, many_got, sizeof( many_got ), 0 ), WSAEWOULDBLOCK );
    WSACloseEvent( ov.hEvent );
    closesocket( from );
    closesocket( to );
    winetest_pop_context();
}

static void test_many_buffers_stream( void )
{
    SOCKET client, server;
    DWORD done, total, flags = 0;

    many_fill();
    tcp_pair( &client, &server );
    check_ok( WSASend( client, many_buffers, MANY, &done, 0, NULL, NULL ) );
    ok( done == sizeof( many_data ), "sent %lu\n", done );
    for ( total = 0; total < sizeof( many_data ); total += done )
    {
        if ( !wait_readable( server, 5000 ) ) break;
        if ( !total ) check_ok( WSARecv( server, many_targets, MANY, &done, &flags, NULL, NULL ) );
        else done = recv( server, many_got + total, sizeof( many_data ) - total, 0 );
    }
    ok( total == sizeof( many_data ) && !memcmp( many_data, many_got, total ), "%lu bytes, or others, arrived\n",
        total );
    closesocket( client );
    closesocket( server );
}

/* A connected socket's destination: an address of no length is none given. */
static void test_address_of_no_length( void )
{
    union address address, elsewhere;
    SOCKET from = socket( AF_INET, SOCK_DGRAM, 0 ), to = udp_bound( AF_INET, &address ),
           other = udp_bound( AF_INET, &elsewhere );
    OVERLAPPED ov = { .hEvent = WSACreateEvent() };
    WSABUF buffer = { 3, (char *)"one" };
    char got[8];
    DWORD done;

    check_ok( connect( from, &address.any, sizeof( address.v4 ) ) );
    check_ok( WSASendTo( from, &buffer, 1, &done, 0, &elsewhere.any, 0, NULL, NULL ) );
    ok( done == 3, "sent %lu\n", done );
    check_ok( WSASendTo( from, &buffer, 1, &done, 0, &elsewhere.any, 0, &ov, NULL ) );
    check_ok( WSASendTo( from, &buffer, 1, &done, 0, NULL, 0, NULL, NULL ) );
    check_result( sendto( from, "one", 3, 0, &elsewhere.any, 0 ), 3 );
    for ( int i = 0; i < 4; i++ )
    {
        ok( wait_readable( to, 5000 ), "datagram %d did not arrive\n", i );
        check_result( recv( to, got, sizeof( got ), 0 ), 3 );
    }
    ok( !wait_readable( other, 50 ), "it went elsewhere\n" );
    WSACloseEvent( ov.hEvent );
    closesocket( from );
    closesocket( to );
    closesocket( other );
}

START_TEST( datagram )
{
    support_begin();
    test_transfer( AF_INET );
    if ( have_ipv6() ) test_transfer( AF_INET6 );
    else skip( "no IPv6 loopback\n" );
    test_too_long();
    test_connect();
    test_unreachable();
    test_messages();
    test_shutdown();
    test_many_buffers_datagram( FALSE );
    test_many_buffers_datagram( TRUE );
    test_many_buffers_stream();
    test_address_of_no_length();
    support_end();
}
