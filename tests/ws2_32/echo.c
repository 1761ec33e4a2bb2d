/*
 * Raw sockets of ICMP as whoever runs this may have them, in every way of receiving: echo requests to this computer and their
 * answers. tests/run-winetest runs it without the right to raw sockets, where the host's ping sockets stand in.
 */
#include "echo.h"
#include "requests.h"

static int family, header;
static union address self;
static int self_length;

static void send_request( SOCKET s, USHORT id, USHORT sequence )
{
    const struct echo echo = echo_request( family == AF_INET ? ECHO_REQUEST : ECHO_REQUEST6, id, sequence );

    check_result( sendto( s, (const char *)&echo, sizeof( echo ), 0, &self.any, self_length ), sizeof( echo ) );
}

static void check_packet( const void *packet, USHORT id, USHORT sequence )
{
    if ( header )
    {
        const BYTE *bytes = packet;

        ok( bytes[0] == 0x45 && bytes[9] == IPPROTO_ICMP && bytes[8], "version %#x, protocol %u, time to live %u\n",
            bytes[0], bytes[9], bytes[8] );
        ok( !memcmp( bytes + 12, "\x7f\0\0\1\x7f\0\0\1", 8 ), "other addresses\n" );
        ok( !echo_checksum( bytes + 20, sizeof( struct echo ) ), "a wrong checksum\n" );
    }
    check_echo( (const struct echo *)( (const BYTE *)packet + header ), family == AF_INET ? ECHO_REPLY : ECHO_REPLY6,
                id, sequence );
}

/* Into several buffers, the first of which are small. */
static void test_vectors( SOCKET s )
{
    BYTE packet[64] = { 0 };
    WSABUF buffers[] = { { 3, (char *)packet }, { 0, NULL }, { 9, (char *)packet + 3 }, { 52, (char *)packet + 12 } };
    union address from = { 0 };
    int length = sizeof( from );
    DWORD count = 0, flags = 0;

    send_request( s, 7, 1 );
    check_ok( WSARecvFrom( s, buffers, 4, &count, &flags, &from.any, &length, NULL, NULL ) );
    ok( count == header + sizeof( struct echo ) && !flags, "%lu bytes, flags %#lx\n", count, flags );
    check_packet( packet, 7, 1 );
    ok( length == self_length && !memcmp( &from, &self, self_length ), "from another, length %d\n", length );
    flags = MSG_PEEK;
    send_request( s, 7, 2 );
    check_ok( WSARecv( s, buffers, 4, &count, &flags, NULL, NULL ) );
    check_packet( packet, 7, 2 );
    flags = 0;
    memset( packet, 0, sizeof( packet ) );
    check_fails( WSARecv( s, buffers, 1, &count, &flags, NULL, NULL ), WSAEMSGSIZE );
    ok( flags & MSG_PARTIAL, "flags %#lx\n", flags );
    ok( !packet[3], "more than there was room for\n" );
}

/* Two programs' numbers on one socket, and one that is zero. */
static void test_numbers( SOCKET s )
{
    static const USHORT numbers[] = { 1, 0xffff, 0, 0x1234, 0x8000 };
    BYTE packet[64];

    for ( USHORT i = 0; i < 5; i++ )
    {
        send_request( s, numbers[i], i );
        check_result( recv( s, (char *)packet, sizeof( packet ), 0 ), header + sizeof( struct echo ) );
        check_packet( packet, numbers[i], i );
    }
}

static void test_readiness( SOCKET s )
{
    WSAPOLLFD poll = { .fd = s, .events = POLLIN };
    WSAEVENT event = WSACreateEvent();
    WSANETWORKEVENTS events;
    BYTE packet[64];

    check_result( WSAPoll( &poll, 1, 0 ), 0 );
    send_request( s, 9, 1 );
    check_result( WSAPoll( &poll, 1, 10000 ), 1 );
    check_result( recv( s, (char *)packet, sizeof( packet ), 0 ), header + sizeof( struct echo ) );
    check_ok( WSAEventSelect( s, event, FD_READ ) );
    send_request( s, 9, 2 );
    ok( !WaitForSingleObject( event, 10000 ), "no event\n" );
    check_ok( WSAEnumNetworkEvents( s, event, &events ) );
    ok( events.lNetworkEvents == FD_READ, "events %#lx\n", events.lNetworkEvents );
    check_result( recv( s, (char *)packet, sizeof( packet ), 0 ), header + sizeof( struct echo ) );
    check_packet( packet, 9, 2 );
    check_fails( recv( s, (char *)packet, sizeof( packet ), 0 ), WSAEWOULDBLOCK );
    check_ok( WSAEventSelect( s, NULL, 0 ) );
    set_nonblocking( s, FALSE );
    WSACloseEvent( event );
}

/* A receive that waits, told by an event and by a port. */
static void test_overlapped( SOCKET s )
{
    HANDLE port = CreateIoCompletionPort( (HANDLE)s, NULL, 5, 0 );
    OVERLAPPED overlapped = { 0 }, *told = NULL;
    BYTE packet[64];
    WSABUF buffer = { sizeof( packet ), (char *)packet };
    ULONG_PTR key = 0;
    DWORD count = 0, flags = 0;

    check_fails( WSARecv( s, &buffer, 1, NULL, &flags, &overlapped, NULL ), WSA_IO_PENDING );
    send_request( s, 11, 1 );
    ok( GetQueuedCompletionStatus( port, &count, &key, &told, 10000 ), "error %lu\n", GetLastError() );
    ok( told == &overlapped && key == 5 && count == header + sizeof( struct echo ), "%lu bytes\n", count );
    check_packet( packet, 11, 1 );
    CloseHandle( port );
}

/* WSARecvMsg brings no control data that was not asked for, and takes the time to live out of no header that comes later. */
static void test_messages( SOCKET s )
{
    const LPFN_WSARECVMSG receive_message = extension( s, (GUID)WSAID_WSARECVMSG );
    BYTE packet[64] = { 0 };
    WSABUF buffer = { sizeof( packet ), (char *)packet };
    union address from;
    WSAMSG message = { &from.any, sizeof( from ), &buffer, 1, { 0, NULL }, 0 };
    DWORD count = 0;
    BYTE ttl;

    send_request( s, 12, 1 );
    check_result( recv( s, (char *)packet, sizeof( packet ), 0 ), header + sizeof( struct echo ) );
    ttl = packet[8];
    send_request( s, 12, 2 );
    check_ok( receive_message( s, &message, &count, NULL, NULL ) );
    ok( count == header + sizeof( struct echo ) && !message.dwFlags, "%lu bytes, flags %#lx\n", count,
        message.dwFlags );
    check_packet( packet, 12, 2 );
    if ( header ) ok( packet[8] == ttl, "time to live %u, then %u\n", ttl, packet[8] );
    send_request( s, 12, 3 );
    check_result( recv( s, (char *)packet, sizeof( packet ), 0 ), header + sizeof( struct echo ) );
    check_packet( packet, 12, 3 );
    if ( header ) ok( packet[8] == ttl, "time to live %u, then %u\n", ttl, packet[8] );
}

/* What one descriptor asks, another hears as well. */
static void test_duplicate( SOCKET s )
{
    WSAPROTOCOL_INFOW info;
    BYTE packet[64];
    SOCKET other;

    check_ok( WSADuplicateSocketW( s, GetCurrentProcessId(), &info ) );
    other = WSASocketW( FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0, WSA_FLAG_OVERLAPPED );
    ok( other != INVALID_SOCKET, "error %d\n", WSAGetLastError() );
    send_request( s, 13, 1 );
    check_result( recv( other, (char *)packet, sizeof( packet ), 0 ), header + sizeof( struct echo ) );
    check_packet( packet, 13, 1 );
    closesocket( other );
}

static void test_family( int which )
{
    SOCKET s = echo_socket( which );

    if ( s == INVALID_SOCKET ) return;
    family = which;
    header = which == AF_INET ? 20 : 0;
    memset( &self, 0, sizeof( self ) );
    self_length = address_loopback( &self, which, 0 );
    test_numbers( s );
    test_vectors( s );
    test_readiness( s );
    test_messages( s );
    test_duplicate( s );
    test_overlapped( s );
    closesocket( s );
}

START_TEST( echo )
{
    if ( support_begin() ) return;
    test_family( AF_INET );
    if ( have_ipv6() ) test_family( AF_INET6 );
    support_end();
}
