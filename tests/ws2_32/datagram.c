/*
 * Datagram sockets (facts: sockets-1 sections 6 and 7, sockets-2 sections 5, 10, 11): sendto and recvfrom, connecting and
 * disconnecting, over-long and truncated datagrams, ICMP errors that senders never see, WSASendMsg and WSARecvMsg.
 */
#include "support.h"

static const GUID recvmsg_guid = WSAID_WSARECVMSG;
static const GUID sendmsg_guid = { 0xa441e712, 0x754f, 0x43ca, { 0x84, 0xa7, 0x0d, 0xee, 0x44, 0xcf, 0x60, 0x6d } };

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
    length = sizeof(from);
    memset( buffer, 0, sizeof(buffer) );
    check_clears( recvfrom( b, buffer, sizeof(buffer), 0, &from.any, &length ), 16 );
    ok( !memcmp( buffer, "sixteen bytes ok", 16 ), "got %.16s\n", buffer );
    ok( length == size && address_port( &from ) == address_port( &a_address ), "from length %d, port %d\n", length,
        address_port( &from ) );

    /* several buffers are one datagram; each receive takes one */
    check_ok( WSASendTo( a, out, 2, &count, 0, &b_address.any, size, NULL, NULL ) );
    ok( count == 16, "got %lu\n", count );
    check_result( sendto( a, "second", 6, 0, &b_address.any, size ), 6 );
    ok( wait_readable( b, 5000 ), "nothing arrived\n" );
    in.buf = buffer, in.len = sizeof(buffer);
    flags = 0;
    length = sizeof(from);
    check_ok( WSARecvFrom( b, &in, 1, &count, &flags, &from.any, &length, NULL, NULL ) );
    ok( count == 16 && !memcmp( buffer, "1234abcdefghijkl", 16 ) && length == size, "got %lu\n", count );
    check_result( recv( b, buffer, sizeof(buffer), 0 ), 6 );

    /* longer than the buffer: the rest is lost */
    check_result( sendto( a, "truncated", 9, 0, &b_address.any, size ), 9 );
    check_result( sendto( a, "next", 4, 0, &b_address.any, size ), 4 );
    ok( wait_readable( b, 5000 ), "nothing arrived\n" );
    memset( buffer, 0, sizeof(buffer) );
    check_fails( recv( b, buffer, 4, MSG_PEEK ), WSAEMSGSIZE );
    check_fails( recv( b, buffer, 4, 0 ), WSAEMSGSIZE );
    ok( !memcmp( buffer, "trun", 5 ), "got %.16s\n", buffer );
    check_result( recv( b, buffer, sizeof(buffer), 0 ), 4 );

    /* an empty one is one */
    check_result( sendto( a, "", 0, 0, &b_address.any, size ), 0 );
    ok( wait_readable( b, 5000 ), "nothing arrived\n" );
    check_result( recv( b, buffer, sizeof(buffer), 0 ), 0 );
    set_nonblocking( b, TRUE );
    check_fails( recv( b, buffer, sizeof(buffer), 0 ), WSAEWOULDBLOCK );
    closesocket( a );
    closesocket( b );
}

static void test_too_long( void )
{
    union address address;
    SOCKET s = udp_bound( AF_INET, &address );
    char *data = calloc( 1, 70000 );
    int size = 0, length = sizeof(size), receive = 0x20000;

    check_ok( getsockopt( s, SOL_SOCKET, SO_MAX_MSG_SIZE, (char *)&size, &length ) );
    ok( size == 65507 || broken( size == 65527 ), "got %d\n", size );
    check_ok( setsockopt( s, SOL_SOCKET, SO_RCVBUF, (char *)&receive, sizeof(receive) ) );
    check_result( sendto( s, data, 65507, 0, &address.any, sizeof(address.v4) ), 65507 );
    ok( wait_readable( s, 5000 ), "nothing arrived\n" );
    check_result( recv( s, data, 70000, 0 ), 65507 );
    check_fails( sendto( s, data, 65508, 0, &address.any, sizeof(address.v4) ), WSAEMSGSIZE );
    check_fails( sendto( s, data, 70000, 0, &address.any, sizeof(address.v4) ), WSAEMSGSIZE );
    closesocket( s );
    free( data );
}

static void test_connect( void )
{
    union address a_address, b_address, c_address, name, none;
    SOCKET a = socket( AF_INET, SOCK_DGRAM, 0 ), b = udp_bound( AF_INET, &b_address ), c = udp_bound( AF_INET, &c_address );
    char buffer[16];
    int length;

    set_nonblocking( a, TRUE );
    check_fails( send( a, "x", 1, 0 ), WSAENOTCONN );
    check_fails( recv( a, buffer, 1, 0 ), WSAEINVAL );
    check_fails( getpeername( a, NULL, NULL ), WSAENOTCONN );
    address_loopback( &name, AF_INET, 0 );
    check_ok( bind( a, &name.any, sizeof(name.v4) ) );
    check_fails( send( a, "x", 1, 0 ), WSAENOTCONN );
    check_fails( recv( a, buffer, 1, 0 ), WSAEWOULDBLOCK );
    check_result( sendto( a, "x", 1, 0, &b_address.any, sizeof(b_address.v4) ), 1 );
    check_fails( getpeername( a, NULL, NULL ), WSAENOTCONN );
    closesocket( a );
    ok( wait_readable( b, 5000 ), "nothing arrived\n" );
    check_result( recv( b, buffer, sizeof(buffer), 0 ), 1 );

    /* sendto binds */
    a = socket( AF_INET, SOCK_DGRAM, 0 );
    length = sizeof(name);
    check_fails( getsockname( a, &name.any, &length ), WSAEINVAL );
    check_result( sendto( a, "x", 1, 0, &b_address.any, sizeof(b_address.v4) ), 1 );
    ok( socket_port( a ), "not bound\n" );
    ok( wait_readable( b, 5000 ), "nothing arrived\n" );
    check_result( recv( b, buffer, sizeof(buffer), 0 ), 1 );
    closesocket( a );

    /* so does connect */
    a = socket( AF_INET, SOCK_DGRAM, 0 );
    check_ok( connect( a, &b_address.any, sizeof(b_address.v4) ) );
    length = sizeof(a_address);
    check_ok( getsockname( a, &a_address.any, &length ) );
    ok( address_port( &a_address ), "no port\n" );
    length = sizeof(name);
    check_ok( getpeername( a, &name.any, &length ) );
    ok( length == 16 && !memcmp( &name, &b_address, 16 ), "got another peer\n" );
    length = sizeof(name);
    check_fails( getpeername( b, &name.any, &length ), WSAENOTCONN );
    check_result( send( a, "to b", 4, 0 ), 4 );
    ok( wait_readable( b, 5000 ), "nothing arrived\n" );
    check_result( recv( b, buffer, sizeof(buffer), 0 ), 4 );
    /* others are not heard */
    set_nonblocking( a, TRUE );
    check_result( sendto( c, "stranger", 8, 0, &a_address.any, sizeof(a_address.v4) ), 8 );
    Sleep( 50 );
    check_fails( recv( a, buffer, sizeof(buffer), 0 ), WSAEWOULDBLOCK );
    /* again, to the same and to another */
    check_ok( connect( a, &b_address.any, sizeof(b_address.v4) ) );
    check_ok( connect( a, &c_address.any, sizeof(c_address.v4) ) );
    length = sizeof(name);
    check_ok( getpeername( a, &name.any, &length ) );
    ok( !memcmp( &name, &c_address, 16 ), "got another peer\n" );
    check_result( send( a, "to c", 4, 0 ), 4 );
    ok( wait_readable( c, 5000 ), "nothing arrived\n" );
    check_result( recv( c, buffer, sizeof(buffer), 0 ), 4 );
    memset( &none, 0, sizeof(none) );
    check_ok( connect( a, &none.any, sizeof(none.v4) ) );
    length = sizeof(name);
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
    check_ok( connect( s, &address.any, sizeof(address.v4) ) );
    for (i = 0; i < 10; i++) check_result( send( s, "nobody", 6, 0 ), 6 );
    for (i = 0; i < 3; i++) check_result( sendto( s, "nobody", 6, 0, NULL, 0 ), 6 );
    closesocket( s );
}

static void *extension( SOCKET s, const GUID *guid )
{
    void *function = NULL;
    DWORD count = 0;

    check_ok( WSAIoctl( s, SIO_GET_EXTENSION_FUNCTION_POINTER, (GUID *)guid, sizeof(*guid), &function, sizeof(function),
                        &count, NULL, NULL ) );
    ok( count == sizeof(function), "got count %lu\n", count );
    return function;
}

static void test_messages( void )
{
    LPFN_WSARECVMSG receive;
    INT ( WINAPI *send_message )( SOCKET, WSAMSG *, DWORD, DWORD *, LPWSAOVERLAPPED,
                                  LPWSAOVERLAPPED_COMPLETION_ROUTINE );
    union address address, from, name;
    SOCKET b = udp_bound( AF_INET, &address ), a = socket( AF_INET, SOCK_DGRAM, 0 ), stream;
    char buffer[64], control[512];
    WSABUF out[2] = { { 12, (char *)"twelve bytes" }, { 6, (char *)"and 6 " } }, in = { sizeof(buffer), buffer };
    WSAMSG message = { &address.any, sizeof(address.v4), out, 2, { 0, NULL }, 0 }, received;
    WSACMSGHDR *header = (WSACMSGHDR *)control;
    DWORD count;
    int length, on = 1;

    receive = extension( b, &recvmsg_guid );
    send_message = extension( a, &sendmsg_guid );
    if (!receive || !send_message) return;
    check_fails( send_message( INVALID_SOCKET, NULL, 0, NULL, NULL, NULL ), WSAENOTSOCK );
    check_fails( send_message( a, NULL, 0, NULL, NULL, NULL ), WSAEFAULT );
    check_fails( send_message( a, NULL, 0, &count, NULL, NULL ), WSAEFAULT );
    length = sizeof(name);
    check_fails( getsockname( a, &name.any, &length ), WSAEINVAL );
    check_fails( send_message( a, &message, 0, NULL, NULL, NULL ), WSAEFAULT );
    length = sizeof(name);
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
    memset( &received, 0, sizeof(received) );
    received.name = &from.any;
    received.namelen = sizeof(from);
    received.lpBuffers = &in;
    received.dwBufferCount = 1;
    ok( wait_readable( b, 5000 ), "nothing arrived\n" );
    count = 0;
    check_ok( receive( b, &received, &count, NULL, NULL ) );
    ok( count == 18 && received.namelen == 16 && address_port( &from ) == socket_port( a ), "got %lu, name length %d\n",
        count, received.namelen );

    check_ok( setsockopt( b, IPPROTO_IP, IP_PKTINFO, (char *)&on, sizeof(on) ) );
    check_result( sendto( a, "packet", 6, 0, &address.any, sizeof(address.v4) ), 6 );
    ok( wait_readable( b, 5000 ), "nothing arrived\n" );
    received.Control.buf = control;
    received.Control.len = sizeof(control);
    received.dwFlags = 0;
    check_ok( receive( b, &received, &count, NULL, NULL ) );
    ok( count == 6, "got %lu\n", count );
    ok( received.Control.len == 24, "got control length %lu\n", received.Control.len );
    ok( header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO && header->cmsg_len == 24,
        "got level %d type %d length %llu\n", header->cmsg_level, header->cmsg_type, (ULONGLONG)header->cmsg_len );
    ok( ((struct in_pktinfo *)WSA_CMSG_DATA( header ))->ipi_addr.s_addr == htonl( INADDR_LOOPBACK ), "got %#lx\n",
        ((struct in_pktinfo *)WSA_CMSG_DATA( header ))->ipi_addr.s_addr );

    check_result( sendto( a, "packet", 6, 0, &address.any, sizeof(address.v4) ), 6 );
    ok( wait_readable( b, 5000 ), "nothing arrived\n" );
    received.Control.len = 1;
    received.dwFlags = 0;
    count = 0;
    check_fails( receive( b, &received, &count, NULL, NULL ), WSAEMSGSIZE );
    ok( count == 6 && received.dwFlags == MSG_CTRUNC, "got %lu, flags %#lx\n", count, received.dwFlags );
    set_nonblocking( b, TRUE );
    check_fails( recv( b, buffer, sizeof(buffer), 0 ), WSAEWOULDBLOCK );
    closesocket( a );
    closesocket( b );
}

static void test_shutdown( void )
{
    union address address;
    SOCKET s = udp_bound( AF_INET, &address );
    char byte;

    check_ok( shutdown( s, SD_SEND ) );
    check_fails( sendto( s, "x", 1, 0, &address.any, sizeof(address.v4) ), WSAESHUTDOWN );
    check_ok( shutdown( s, SD_RECEIVE ) );
    check_fails( recv( s, &byte, 1, 0 ), WSAESHUTDOWN );
    closesocket( s );
}

/* As many buffers as a program likes: one datagram, and one stream in order. */
static void test_many_buffers( void )
{
    enum { COUNT = 3000 };
    static char data[COUNT * 2], got[COUNT * 2 + 1];
    static WSABUF buffers[COUNT], targets[COUNT];
    union address address;
    SOCKET from = socket( AF_INET, SOCK_DGRAM, 0 ), to = udp_bound( AF_INET, &address ), client, server;
    DWORD done, total, flags = 0;
    int i;

    for (i = 0; i < COUNT * 2; i++) data[i] = i * 7;
    for (i = 0; i < COUNT; i++)
    {
        buffers[i] = (WSABUF){ 2, data + 2 * i };
        targets[i] = (WSABUF){ 2, got + 2 * i };
    }
    check_ok( WSASendTo( from, buffers, COUNT, &done, 0, &address.any, sizeof(address.v4), NULL, NULL ) );
    ok( done == sizeof(data), "sent %lu\n", done );
    check_result( recv( to, got, sizeof(got), 0 ), sizeof(data) );
    ok( !memcmp( data, got, sizeof(data) ), "other bytes arrived\n" );
    closesocket( from );
    closesocket( to );

    memset( got, 0, sizeof(got) );
    tcp_pair( &client, &server );
    check_ok( WSASend( client, buffers, COUNT, &done, 0, NULL, NULL ) );
    ok( done == sizeof(data), "sent %lu\n", done );
    for (total = 0; total < sizeof(data); total += done)
    {
        if (!wait_readable( server, 5000 )) break;
        if (!total) check_ok( WSARecv( server, targets, COUNT, &done, &flags, NULL, NULL ) );
        else done = recv( server, got + total, sizeof(data) - total, 0 );
    }
    ok( total == sizeof(data) && !memcmp( data, got, sizeof(data) ), "%lu bytes, or others, arrived\n", total );
    closesocket( client );
    closesocket( server );
}

START_TEST( datagram )
{
    support_begin();
    test_transfer( AF_INET );
    if (have_ipv6()) test_transfer( AF_INET6 );
    else skip( "no IPv6 loopback\n" );
    test_too_long();
    test_connect();
    test_unreachable();
    test_messages();
    test_shutdown();
    test_many_buffers();
    support_end();
}
