/*
 * Raw ICMP sockets (facts: windows-behaviour 12.3): the system answers echo requests and shows raw sockets the answers, not
 * the requests; of IPv4 with the IP header, of IPv6 without it. Over loopback.
 */
#include "support.h"

struct echo
{
    BYTE type, code;
    USHORT checksum, id, sequence;
    char data[4];
};

#define ECHO_REQUEST 8
#define ECHO_REPLY 0
#define ECHO_REQUEST6 128
#define ECHO_REPLY6 129
#define ID 0x1234

/* Of whole 16-bit words: 0 for what has a good one in it. */
static USHORT checksum( const void *memory, unsigned int size )
{
    const USHORT *words = memory;
    ULONG sum = 0;

    for ( unsigned int i = 0; i < size / 2; i++ ) sum += words[i];
    while ( sum >> 16 ) sum = ( sum & 0xffff ) + ( sum >> 16 );
    return ~sum;
}

static void send_request( SOCKET s, const union address *address, int length, BYTE type, USHORT sequence )
{
    struct echo echo = { .type = type, .id = htons( ID ), .sequence = htons( sequence ), .data = "abc" };

    if ( type == ECHO_REQUEST ) echo.checksum = checksum( &echo, sizeof( echo ) );
    check_result( sendto( s, (char *)&echo, sizeof( echo ), 0, &address->any, length ), sizeof( echo ) );
}

static void check_reply( const struct echo *echo, BYTE type, USHORT sequence )
{
    ok( echo->type == type && !echo->code, "type %u, code %u\n", echo->type, echo->code );
    ok( echo->id == htons( ID ) && echo->sequence == htons( sequence ), "id %#x, sequence %u\n", ntohs( echo->id ),
        ntohs( echo->sequence ) );
    ok( !memcmp( echo->data, "abc", 4 ), "other data\n" );
}

static SOCKET raw( int family, int protocol )
{
    SOCKET s = socket( family, SOCK_RAW, protocol );

    if ( s == INVALID_SOCKET )
    {
        ok( WSAGetLastError() == WSAEACCES, "error %d\n", WSAGetLastError() );
        skip( "raw sockets are the administrator's\n" );
        return s;
    }
    set_receive_timeout( s, 10000 );
    return s;
}

static void test_ipv4( void )
{
    SOCKET s = raw( AF_INET, IPPROTO_ICMP );
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
        ok( ( !buffer[10] && !buffer[11] ) || !checksum( buffer, 20 ), "a wrong checksum of the header\n" );
        check_reply( reply, ECHO_REPLY, sequence );
        ok( !checksum( reply, sizeof( *reply ) ), "a wrong checksum\n" );
    }
    set_nonblocking( s, TRUE );
    check_fails( recv( s, (char *)buffer, sizeof( buffer ), 0 ), WSAEWOULDBLOCK );
    closesocket( s );
}

static void test_ipv6( void )
{
    SOCKET s = raw( AF_INET6, IPPROTO_ICMPV6 );
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
        check_reply( &pseudo.echo, ECHO_REPLY6, sequence );
        ok( !checksum( &pseudo, sizeof( pseudo ) ), "a wrong checksum\n" );
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
