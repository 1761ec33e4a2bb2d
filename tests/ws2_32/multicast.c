/*
 * Multicast: groups joined and left by options, by the interface's address and by its index, with and without a source,
 * and by WSAJoinLeaf. Only the loopback interface is used.
 */
#include "support.h"

static DWORD get_number( SOCKET s, int level, int name )
{
    DWORD value = 0;
    int length = sizeof( value );

    check_clears( getsockopt( s, level, name, (char *)&value, &length ), 0 );
    return value;
}

static void test_options( void )
{
    union address address;
    SOCKET s = udp_bound( AF_INET, &address ), sender;
    struct ip_mreq request;
    struct ip_mreq_source source;
    GROUP_REQ group = { 0 };
    struct sockaddr_in *group_address = (struct sockaddr_in *)&group.gr_group;
    struct sockaddr_in to = { 0 };
    char data[8];

    closesocket( s );
    s = socket( AF_INET, SOCK_DGRAM, 0 );
    check_ok( bind( s, &address.any, address_any( &address, AF_INET, 0 ) ) );
    request.imr_multiaddr.s_addr = inet_addr( "239.1.2.3" );
    request.imr_interface.s_addr = htonl( INADDR_LOOPBACK );
    check_fails( setsockopt( s, IPPROTO_IP, IP_ADD_MEMBERSHIP, (char *)&request, 7 ), WSAEFAULT );
    check_clears( setsockopt( s, IPPROTO_IP, IP_ADD_MEMBERSHIP, (char *)&request, sizeof( request ) ), 0 );

    sender = socket( AF_INET, SOCK_DGRAM, 0 );
    check_clears( setsockopt( sender, IPPROTO_IP, IP_MULTICAST_IF, (char *)&request.imr_interface, 4 ), 0 );
    ok( get_number( sender, IPPROTO_IP, IP_MULTICAST_IF ) == htonl( INADDR_LOOPBACK ), "interface\n" );
    request.imr_interface.s_addr = htonl( 1 ); /* by index */
    check_clears( setsockopt( sender, IPPROTO_IP, IP_MULTICAST_IF, (char *)&request.imr_interface, 4 ), 0 );
    ok( get_number( sender, IPPROTO_IP, IP_MULTICAST_IF ) == htonl( 1 ), "interface index\n" );
    request.imr_interface.s_addr = htonl( INADDR_LOOPBACK );
    to.sin_family = AF_INET;
    to.sin_addr = request.imr_multiaddr;
    to.sin_port = htons( socket_port( s ) );
    check_result( sendto( sender, "group", 5, 0, (struct sockaddr *)&to, sizeof( to ) ), 5 );
    set_receive_timeout( s, 5000 );
    check_result( recv( s, data, sizeof( data ), 0 ), 5 );
    check_clears( setsockopt( s, IPPROTO_IP, IP_DROP_MEMBERSHIP, (char *)&request, sizeof( request ) ), 0 );
    check_fails( setsockopt( s, IPPROTO_IP, IP_DROP_MEMBERSHIP, (char *)&request, sizeof( request ) ),
                 WSAEADDRNOTAVAIL );

    /* an interface index instead of an address: 1 is loopback's */
    request.imr_interface.s_addr = htonl( 1 );
    check_clears( setsockopt( s, IPPROTO_IP, IP_ADD_MEMBERSHIP, (char *)&request, sizeof( request ) ), 0 );
    check_clears( setsockopt( s, IPPROTO_IP, IP_DROP_MEMBERSHIP, (char *)&request, sizeof( request ) ), 0 );

    source.imr_multiaddr = request.imr_multiaddr;
    source.imr_sourceaddr.s_addr = source.imr_interface.s_addr = htonl( INADDR_LOOPBACK );
    check_clears( setsockopt( s, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, (char *)&source, sizeof( source ) ), 0 );
    check_result( sendto( sender, "group", 5, 0, (struct sockaddr *)&to, sizeof( to ) ), 5 );
    check_result( recv( s, data, sizeof( data ), 0 ), 5 );
    check_clears( setsockopt( s, IPPROTO_IP, IP_DROP_SOURCE_MEMBERSHIP, (char *)&source, sizeof( source ) ), 0 );

    group.gr_interface = 1;
    group_address->sin_family = AF_INET;
    group_address->sin_addr = request.imr_multiaddr;
    check_clears( setsockopt( s, IPPROTO_IP, MCAST_JOIN_GROUP, (char *)&group, sizeof( group ) ), 0 );
    check_result( sendto( sender, "group", 5, 0, (struct sockaddr *)&to, sizeof( to ) ), 5 );
    check_result( recv( s, data, sizeof( data ), 0 ), 5 );
    check_clears( setsockopt( s, IPPROTO_IP, MCAST_LEAVE_GROUP, (char *)&group, sizeof( group ) ), 0 );
    closesocket( sender );
    closesocket( s );

    s = socket( AF_INET, SOCK_STREAM, 0 );
    check_fails( setsockopt( s, IPPROTO_IP, IP_ADD_MEMBERSHIP, (char *)&request, sizeof( request ) ), WSAEINVAL );
    closesocket( s );
}

static void test_join_leaf( void )
{
    union address address;
    SOCKET s = WSASocketA( AF_INET, SOCK_DGRAM, 0, NULL, 0,
                           WSA_FLAG_OVERLAPPED | WSA_FLAG_MULTIPOINT_C_LEAF | WSA_FLAG_MULTIPOINT_D_LEAF );
    SOCKET stream = socket( AF_INET, SOCK_STREAM, 0 );
    struct ip_mreq request;
    struct sockaddr_in group = { .sin_family = AF_INET };

    group.sin_addr.s_addr = inet_addr( "239.4.5.6" );
    check_no_socket(
        WSAJoinLeaf( INVALID_SOCKET, (struct sockaddr *)&group, sizeof( group ), NULL, NULL, NULL, NULL, JL_BOTH ),
        WSAENOTSOCK );
    check_no_socket( WSAJoinLeaf( s, (struct sockaddr *)&group, sizeof( group ), NULL, NULL, NULL, NULL, JL_BOTH ),
                     WSAEINVAL ); /* not bound */
    check_ok( bind( s, &address.any, address_any( &address, AF_INET, 0 ) ) );
    closesocket( s );
    s = WSASocketA( AF_INET, SOCK_DGRAM, 0, NULL, 0,
                    WSA_FLAG_OVERLAPPED | WSA_FLAG_MULTIPOINT_C_LEAF | WSA_FLAG_MULTIPOINT_D_LEAF );
    check_ok( bind( s, &address.any, address_loopback( &address, AF_INET, 0 ) ) );
    check_no_socket( WSAJoinLeaf( s, NULL, sizeof( group ), NULL, NULL, NULL, NULL, JL_BOTH ), WSAEFAULT );
    check_no_socket( WSAJoinLeaf( s, (struct sockaddr *)&group, 3, NULL, NULL, NULL, NULL, JL_BOTH ), WSAEFAULT );
    check_no_socket( WSAJoinLeaf( s, (struct sockaddr *)&group, sizeof( group ), NULL, NULL, NULL, NULL, 0x80 ),
                     WSAEINVAL );
    check_result( WSAJoinLeaf( s, (struct sockaddr *)&group, sizeof( group ), NULL, NULL, NULL, NULL, JL_SENDER_ONLY ),
                  s );
    check_result( WSAJoinLeaf( s, (struct sockaddr *)&group, sizeof( group ), NULL, NULL, NULL, NULL, JL_BOTH ), s );
    check_result( WSAJoinLeaf( stream, (struct sockaddr *)&group, sizeof( group ), NULL, NULL, NULL, NULL, JL_BOTH ),
                  INVALID_SOCKET );
    /* joined, once, on the interface that the socket is bound to */
    request.imr_multiaddr = group.sin_addr;
    request.imr_interface.s_addr = htonl( INADDR_LOOPBACK );
    check_ok( setsockopt( s, IPPROTO_IP, IP_DROP_MEMBERSHIP, (char *)&request, sizeof( request ) ) );
    check_fails( setsockopt( s, IPPROTO_IP, IP_DROP_MEMBERSHIP, (char *)&request, sizeof( request ) ),
                 WSAEADDRNOTAVAIL );
    closesocket( s );
    closesocket( stream );
}

START_TEST( multicast )
{
    if ( support_begin() ) return;
    test_options();
    test_join_leaf();
    support_end();
}
