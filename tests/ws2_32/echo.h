/* Echo requests of ICMP and what answers them, for rawsockets.c and echo.c. */
#ifndef TESTS_ECHO_H
#define TESTS_ECHO_H

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

/* Of whole 16-bit words: 0 for what has a good one in it. */
static inline USHORT echo_checksum( const void *memory, unsigned int size )
{
    const USHORT *words = memory;
    ULONG sum = 0;

    for ( unsigned int i = 0; i < size / 2; i++ ) sum += words[i];
    while ( sum >> 16 ) sum = ( sum & 0xffff ) + ( sum >> 16 );
    return ~sum;
}

/* Its data are "abc"; of IPv6 the system fills the checksum in. */
static inline struct echo echo_request( BYTE type, USHORT id, USHORT sequence )
{
    struct echo echo = { .type = type, .id = htons( id ), .sequence = htons( sequence ), .data = "abc" };

    if ( type == ECHO_REQUEST ) echo.checksum = echo_checksum( &echo, sizeof( echo ) );
    return echo;
}

static inline void check_echo( const struct echo *echo, BYTE type, USHORT id, USHORT sequence )
{
    ok( echo->type == type && !echo->code, "type %u, code %u\n", echo->type, echo->code );
    ok( echo->id == htons( id ) && echo->sequence == htons( sequence ), "id %#x, sequence %u\n", ntohs( echo->id ),
        ntohs( echo->sequence ) );
    ok( !memcmp( echo->data, "abc", 4 ), "other data\n" );
}

/* A raw socket, or INVALID_SOCKET where only the administrator has them. */
static inline SOCKET echo_socket( int family )
{
    SOCKET s = socket( family, SOCK_RAW, family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6 );

    if ( s == INVALID_SOCKET )
    {
        ok( WSAGetLastError() == WSAEACCES, "error %d\n", WSAGetLastError() );
        skip( "raw sockets are the administrator's\n" );
        return s;
    }
    set_receive_timeout( s, 10000 );
    return s;
}

#endif
