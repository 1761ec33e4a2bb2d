/*
 * Raw ICMP sockets (facts: windows-behaviour 12.3): the system answers echo requests and shows raw sockets the answers, not
 * the requests; of IPv4 with the IP header, of IPv6 without it. Over loopback.
 */
#include "echo.h"

#define ID 0x1234

static void send_request( SOCKET s, const union address *address, int length, BYTE type, USHORT sequence )
{
    const struct echo echo = echo_request( type, ID, sequence );

    check_result( sendto( s, (const char *)&echo, sizeof( echo ), 0, &address->any, length ), sizeof( echo ) );
}

static void test_ipv4( void )
{
    SOCKET s = echo_socket( AF_INET );
    BYTE buffer[256];
    union address address;
    const struct echo *reply = (const struct echo *)( buffer + 20 );

    if ( s == INVALID_SOCKET ) return;
    address_loopback( &address, AF_INET, 0 );
    address.v4.sin_port = 0;
    send_request( s, &address, sizeof( address.v4 ), ECHO_REQUEST, 1 );
    check_fails( recv( s, (char *)buffer, 31, 0 ), WSAEMSGSIZE ); /* and is gone */
    for ( USHORT sequence = 2; sequence < 5; sequence++ )
    {
        send_request( s, &address, sizeof( address.v4 ), ECHO_REQUEST, sequence );
        memset( buffer, 0, sizeof( buffer ) );
        check_result( recv( s, (char *)buffer, sizeof( buffer ), 0 ), 32 );
        ok( buffer[0] == 0x45 && buffer[9] == IPPROTO_ICMP, "version and length %#x, protocol %u\n", buffer[0],
            buffer[9] );
        ok( !buffer[2] && buffer[3] == 32, "total length %u\n", buffer[2] << 8 | buffer[3] );
        ok( !( buffer[6] & 0x1f ) && !buffer[7], "offset %u\n", ( buffer[6] & 0x1f ) << 8 | buffer[7] );
        ok( !memcmp( buffer + 12, "\x7f\0\0\1", 4 ), "another source\n" );
        ok( ( !buffer[10] && !buffer[11] ) || !echo_checksum( buffer, 20 ), "a wrong checksum of the header\n" );
        check_echo( reply, ECHO_REPLY, ID, sequence );
        ok( !echo_checksum( reply, sizeof( *reply ) ), "a wrong checksum\n" );
    }
    set_nonblocking( s, TRUE );
    check_fails( recv( s, (char *)buffer, sizeof( buffer ), 0 ), WSAEWOULDBLOCK );
    closesocket( s );
}

static void test_ipv6( void )
{
    SOCKET s = echo_socket( AF_INET6 );
    struct
    {
        BYTE source[16], destination[16];
        ULONG length, next;
        struct echo echo;
    } pseudo = { .source[15] = 1, .destination[15] = 1, .length = htonl( 12 ), .next = htonl( IPPROTO_ICMPV6 ) };
    char buffer[256];
    union address address;

    if ( s == INVALID_SOCKET ) return;
    address_loopback( &address, AF_INET6, 0 );
    address.v6.sin6_port = 0;
    for ( USHORT sequence = 1; sequence < 4; sequence++ )
    {
        /* the system fills the checksum in */
        send_request( s, &address, sizeof( address.v6 ), ECHO_REQUEST6, sequence );
        memset( buffer, 0, sizeof( buffer ) );
        check_result( recv( s, buffer, sizeof( buffer ), 0 ), sizeof( pseudo.echo ) );
        memcpy( &pseudo.echo, buffer, sizeof( pseudo.echo ) );
        check_echo( &pseudo.echo, ECHO_REPLY6, ID, sequence );
        ok( !echo_checksum( &pseudo, sizeof( pseudo ) ), "a wrong checksum\n" );
    }
    set_nonblocking( s, TRUE );
    check_fails( recv( s, buffer, sizeof( buffer ), 0 ), WSAEWOULDBLOCK );
    closesocket( s );
}

START_TEST( rawsockets )
{
    if ( support_begin() ) return;
    test_ipv4();
    if ( have_ipv6() ) test_ipv6();
    support_end();
}
