/*
 * Datagram sockets bound to an adapter's address of IPv6: unicasts and the groups that they joined, of a link and beyond, here
 * and by duplicates. In a network of its own (tests/own-network).
 */
#include "hearing.h"

static int join6( SOCKET s, int option, const char *group, ULONG adapter )
{
    struct ipv6_mreq request = { .ipv6mr_interface = adapter };

    inet_pton( AF_INET6, group, &request.ipv6mr_multiaddr );
    return setsockopt( s, IPPROTO_IPV6, option, (char *)&request, sizeof( request ) ) ? WSAGetLastError() : 0;
}

static void put6( SOCKET s, const char *text, ULONG adapter, int port, const char *data )
{
    union address to = { .v6 = { .sin6_family = AF_INET6, .sin6_port = htons( port ), .sin6_scope_id = adapter } };

    inet_pton( AF_INET6, text, &to.v6.sin6_addr );
    check_result( sendto( s, data, (int)strlen( data ), 0, &to.any, sizeof( to.v6 ) ), (int)strlen( data ) );
}

/* Bound to an adapter's address: unicasts, and the groups that it joined, of a link and beyond; by duplicates too. */
static void test_ipv6( void )
{
    static const char *const groups[] = { "ff02::1234:1", "ff15::1234:2" };
    SOCKET s, sender, other, copy;
    WSAPROTOCOL_INFOW info;
    union address own;
    struct group_req request = { 0 };
    char text[64];
    ULONG adapter;
    int port;

    if ( !have_ipv6() || !address_link_local( &own ) )
    {
        skip( "no address of IPv6\n" );
        return;
    }
    adapter = own.v6.sin6_scope_id;
    own.v6.sin6_port = 0;
    inet_ntop( AF_INET6, &own.v6.sin6_addr, text, sizeof( text ) );
    s = socket( AF_INET6, SOCK_DGRAM, 0 );
    other = socket( AF_INET6, SOCK_DGRAM, 0 );
    sender = socket( AF_INET6, SOCK_DGRAM, 0 );
    check_ok( bind( s, &own.any, sizeof( own.v6 ) ) );
    check_ok( bind( sender, &own.any, sizeof( own.v6 ) ) );
    check_ok( setsockopt( sender, IPPROTO_IPV6, IPV6_MULTICAST_IF, (char *)&adapter, sizeof( adapter ) ) );
    port = socket_port( s );
    put6( sender, text, adapter, port, "unicast" );
    check_hears( s, "unicast" );
    for ( unsigned int i = 0; i < ARRAY_SIZE( groups ); i++ )
    {
        winetest_push_context( "%s", groups[i] );
        put6( sender, groups[i], adapter, port, "before" );
        check_silent( s );
        ok( !join6( s, IPV6_ADD_MEMBERSHIP, groups[i], adapter ), "error %d\n", WSAGetLastError() );
        put6( sender, groups[i], adapter, port, "joined" );
        check_hears( s, "joined" );
        check_silent( s );
        winetest_pop_context();
    }
    check_ok( WSADuplicateSocketW( s, GetCurrentProcessId(), &info ) );
    copy = WSASocketW( AF_INET6, SOCK_DGRAM, 0, &info, 0, WSA_FLAG_OVERLAPPED );
    put6( sender, groups[0], adapter, port, "copied" );
    check_hears( copy, "copied" );
    ok( !join6( s, IPV6_DROP_MEMBERSHIP, groups[0], adapter ), "error %d\n", WSAGetLastError() );
    put6( sender, groups[0], adapter, port, "left" );
    check_silent( copy );
    put6( sender, groups[1], adapter, port, "other" );
    check_hears( copy, "other" );
    closesocket( copy );

    /* joined by the other option, before it is bound */
    request.gr_interface = adapter;
    ( (struct sockaddr_in6 *)&request.gr_group )->sin6_family = AF_INET6;
    inet_pton( AF_INET6, groups[0], &( (struct sockaddr_in6 *)&request.gr_group )->sin6_addr );
    check_ok( setsockopt( other, IPPROTO_IPV6, MCAST_JOIN_GROUP, (char *)&request, sizeof( request ) ) );
    check_ok( bind( other, &own.any, sizeof( own.v6 ) ) );
    put6( sender, groups[0], adapter, socket_port( other ), "first" );
    check_hears( other, "first" );
    put6( sender, groups[1], adapter, socket_port( other ), "not joined" );
    check_silent( other );
    closesocket( other );
    closesocket( s );
    closesocket( sender );
}

START_TEST( adapters6 )
{
    if ( support_begin() ) return;
    if ( own_network() ) test_ipv6();
    else skip( "not in a network of its own\n" );
    support_end();
}
