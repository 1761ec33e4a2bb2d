/*
 * WSARecvMsg and WSASendMsg: datagrams and their control data, which options bring which header with which length, and
 * what happens when the buffer for it is too short.
 */
#include "requests.h"
#include <stddef.h>

static LPFN_WSARECVMSG receive_message;
static LPFN_WSASENDMSG send_message;

static void get_functions( SOCKET s )
{
    receive_message = extension( s, (GUID)WSAID_WSARECVMSG );
    send_message = extension( s, (GUID)WSAID_WSASENDMSG );
}

static const struct
{
    int family, level, option, type, old_type;
    unsigned int size; /* of the data */
} options[] = {
    { AF_INET, IPPROTO_IP, IP_PKTINFO, IP_PKTINFO, 0, sizeof( IN_PKTINFO ) },
    { AF_INET, IPPROTO_IP, IP_RECVTTL, IP_TTL, IP_RECVTTL, sizeof( INT ) },
    { AF_INET, IPPROTO_IP, IP_RECVTOS, IP_TOS, 39 /* IP_TCLASS */, sizeof( INT ) },
    { AF_INET, IPPROTO_IP, IP_ECN, IP_ECN, 0, sizeof( INT ) },
    { AF_INET6, IPPROTO_IPV6, IPV6_HOPLIMIT, IPV6_HOPLIMIT, 0, sizeof( INT ) },
    { AF_INET6, IPPROTO_IPV6, IPV6_PKTINFO, IPV6_PKTINFO, 0, sizeof( IN6_PKTINFO ) },
    { AF_INET6, IPPROTO_IPV6, IPV6_RECVTCLASS, 39 /* IPV6_TCLASS */, 0, sizeof( INT ) },
    { AF_INET6, IPPROTO_IPV6, IPV6_ECN, IPV6_ECN, 0, sizeof( INT ) },
};

static void test_options( void )
{
    for ( unsigned int i = 0; i < 2 * ARRAY_SIZE( options ); i++ )
    {
        unsigned int row = i / 2;
        union address address, to;
        SOCKET s = socket( options[row].family, SOCK_DGRAM, 0 ), sender;
        char data[32], space[512];
        WSABUF buffer = { sizeof( data ), data };
        WSAMSG message = { .lpBuffers = &buffer, .dwBufferCount = 1, .Control = { sizeof( space ), space } };
        WSACMSGHDR *header = (WSACMSGHDR *)space;
        DWORD count = 0, on = 1;
        int length;

        winetest_push_context( "level %d, option %d, bound to %s", options[row].level, options[row].option,
                               i & 1 ? "any" : "loopback" );
        length = i & 1 ? address_any( &address, options[row].family, 0 )
                       : address_loopback( &address, options[row].family, 0 );
        check_ok( bind( s, &address.any, length ) );
        set_receive_timeout( s, 5000 );
        length = address_loopback( &to, options[row].family, socket_port( s ) );
        sender = socket( options[row].family, SOCK_DGRAM, 0 );
        get_functions( s );

        /* nothing is asked for */
        check_result( sendto( sender, "before", 6, 0, &to.any, length ), 6 );
        message.Control.buf = NULL;
        message.Control.len = 0;
        check_ok( receive_message( s, &message, &count, NULL, NULL ) );
        ok( count == 6 && !message.Control.len, "count %lu, control %lu\n", count, message.Control.len );
        check_result( sendto( sender, "before", 6, 0, &to.any, length ), 6 );
        message.Control.buf = space;
        message.Control.len = sizeof( space );
        check_ok( receive_message( s, &message, &count, NULL, NULL ) );
        ok( !message.Control.len, "control %lu\n", message.Control.len );

        check_ok( setsockopt( s, options[row].level, options[row].option, (char *)&on, sizeof( on ) ) );
        check_result( sendto( sender, "inside", 6, 0, &to.any, length ), 6 );
        memset( space, 0xcc, sizeof( space ) );
        message.Control.len = sizeof( space );
        message.dwFlags = 0;
        check_ok( receive_message( s, &message, &count, NULL, NULL ) );
        ok( count == 6 && !memcmp( data, "inside", 6 ), "count %lu\n", count );
        ok( !message.dwFlags, "flags %#lx\n", message.dwFlags );
        ok( message.Control.len >= sizeof( *header ) + options[row].size &&
                message.Control.len <= WSA_CMSG_SPACE( options[row].size ),
            "control %lu\n", message.Control.len );
        ok( header->cmsg_level == options[row].level, "level %d\n", header->cmsg_level );
        ok( header->cmsg_type == options[row].type ||
                broken( options[row].old_type && header->cmsg_type == options[row].old_type ),
            "type %d\n", header->cmsg_type );
        ok( header->cmsg_len == sizeof( *header ) + options[row].size, "length %zu\n", (size_t)header->cmsg_len );
        if ( options[row].option == IP_PKTINFO && options[row].family == AF_INET )
        {
            ok( message.Control.len == sizeof( *header ) + 8, "control %lu\n", message.Control.len );
            ok( ( (IN_PKTINFO *)WSA_CMSG_DATA( header ) )->ipi_addr.s_addr == htonl( INADDR_LOOPBACK ), "address\n" );
        }
        else if ( options[row].option == IPV6_PKTINFO )
            ok( IN6_IS_ADDR_LOOPBACK( &( (IN6_PKTINFO *)WSA_CMSG_DATA( header ) )->ipi6_addr ), "address\n" );
        else if ( options[row].option == IPV6_RECVTCLASS || options[row].option == IP_ECN )
            ok( !*(INT *)WSA_CMSG_DATA( header ), "class %d\n", *(INT *)WSA_CMSG_DATA( header ) );
        else ok( *(INT *)WSA_CMSG_DATA( header ) >= 32, "hops %d\n", *(INT *)WSA_CMSG_DATA( header ) );

        /* too short for the control data alone: the datagram comes whole, and it is an error all the same */
        check_result( sendto( sender, "beyond", 6, 0, &to.any, length ), 6 );
        message.Control.len = 1;
        message.dwFlags = 0;
        count = 0;
        check_fails( receive_message( s, &message, &count, NULL, NULL ), WSAEMSGSIZE );
        ok( count == 6 && !memcmp( data, "beyond", 6 ), "count %lu\n", count );
        ok( message.dwFlags == MSG_CTRUNC, "flags %#lx\n", message.dwFlags );
        set_nonblocking( s, TRUE );
        check_fails( recv( s, data, sizeof( data ), 0 ), WSAEWOULDBLOCK );

        closesocket( sender );
        closesocket( s );
        winetest_pop_context();
    }
}

static void test_receive( void )
{
    union address address, from;
    SOCKET s = udp_bound( AF_INET, &address ), sender = udp_bound( AF_INET, &from );
    char first[4], second[32];
    WSABUF buffers[2] = { { sizeof( first ), first }, { sizeof( second ), second } };
    union address name;
    WSAMSG message = { .name = &name.any, .namelen = sizeof( name ), .lpBuffers = buffers, .dwBufferCount = 2 };
    DWORD count = 0;

    get_functions( s );
    check_fails( receive_message( s, NULL, NULL, NULL, NULL ), WSAEFAULT );
    check_fails( receive_message( INVALID_SOCKET, &message, &count, NULL, NULL ), WSAENOTSOCK );
    set_receive_timeout( s, 5000 );
    check_result( sendto( sender, "0123456789", 10, 0, &address.any, sizeof( address.v4 ) ), 10 );
    check_ok( receive_message( s, &message, &count, NULL, NULL ) );
    ok( count == 10 && !memcmp( first, "0123", 4 ) && !memcmp( second, "456789", 6 ), "count %lu\n", count );
    ok( message.namelen == sizeof( name.v4 ) && address_port( &name ) == address_port( &from ),
        "from port %d, length %d\n", address_port( &name ), message.namelen );

    /* the datagram is longer than the buffers */
    check_result( sendto( sender, "0123456789", 10, 0, &address.any, sizeof( address.v4 ) ), 10 );
    message.dwBufferCount = 1;
    message.namelen = sizeof( name );
    check_fails( receive_message( s, &message, &count, NULL, NULL ), WSAEMSGSIZE );
    ok( count == 4 && message.dwFlags == MSG_TRUNC, "count %lu, flags %#lx\n", count, message.dwFlags );
    closesocket( s );
    closesocket( sender );
}

static void receive_kind( SOCKET s, WSAMSG *message, BOOL overlapped, DWORD expected )
{
    WSAOVERLAPPED ov = { .hEvent = CreateEventW( NULL, TRUE, FALSE, NULL ) };
    DWORD count = 0, flags;

    message->dwFlags = 0;
    if ( !overlapped ) check_ok( receive_message( s, message, &count, NULL, NULL ) );
    else
    {
        ok( !receive_message( s, message, NULL, &ov, NULL ) || WSAGetLastError() == WSA_IO_PENDING, "error %d\n",
            WSAGetLastError() );
        ok( WaitForSingleObject( ov.hEvent, 5000 ) == WAIT_OBJECT_0, "no end\n" );
        ok( WSAGetOverlappedResult( s, &ov, &count, FALSE, &flags ), "error %d\n", WSAGetLastError() );
    }
    ok( count == 4 && message->dwFlags == expected, "count %lu, flags %#lx, not %#lx\n", count, message->dwFlags,
        expected );
    CloseHandle( ov.hEvent );
}

/* A group on the adapter of an address, joined and sent to. */
static void use_group( SOCKET s, SOCKET sender, const union address *adapter, union address *group )
{
    const ULONG loopback = htonl( INADDR_LOOPBACK );
    struct ip_mreq request;
    struct ipv6_mreq request6;

    *group = *adapter;
    if ( adapter->any.sa_family == AF_INET )
    {
        group->v4.sin_addr.s_addr = request.imr_multiaddr.s_addr = inet_addr( "239.77.12.33" );
        request.imr_interface = adapter->v4.sin_addr;
        if ( !request.imr_interface.s_addr ) request.imr_interface.s_addr = loopback;
        check_ok( setsockopt( s, IPPROTO_IP, IP_ADD_MEMBERSHIP, (char *)&request, sizeof( request ) ) );
        check_ok( setsockopt( sender, IPPROTO_IP, IP_MULTICAST_IF, (char *)&request.imr_interface, 4 ) );
        return;
    }
    inet_pton( AF_INET6, "ff02::7712", &group->v6.sin6_addr );
    request6.ipv6mr_multiaddr = group->v6.sin6_addr;
    request6.ipv6mr_interface = adapter->v6.sin6_scope_id;
    check_ok( setsockopt( s, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, (char *)&request6, sizeof( request6 ) ) );
    check_ok( setsockopt( sender, IPPROTO_IPV6, IPV6_MULTICAST_IF, (char *)&request6.ipv6mr_interface, 4 ) );
}

/* Which datagrams were sent to many, whether or not anything is asked for, to a socket that is bound to any address or to an
 * adapter's. queued: the first is there before the first call. */
static void test_kinds( const union address *adapter, BOOL overlapped, BOOL queued )
{
    static const char *const broadcasts[] = { "255.255.255.255", "192.0.2.255" };
    const int family = adapter->any.sa_family,
              length = family == AF_INET ? sizeof( adapter->v4 ) : sizeof( adapter->v6 );
    const BOOL is_any = family == AF_INET && !adapter->v4.sin_addr.s_addr;
    union address own = *adapter, group;
    SOCKET s = socket( family, SOCK_DGRAM, 0 ), sender = socket( family, SOCK_DGRAM, 0 );
    char data[8];
    WSABUF buffer = { sizeof( data ), data };
    WSAMSG message = { .lpBuffers = &buffer, .dwBufferCount = 1 };
    DWORD on = 1;

    winetest_push_context( "family %d, %s%s%s", family, is_any ? "any, " : "", overlapped ? "overlapped" : "waiting",
                           queued ? ", queued" : "" );
    check_ok( bind( s, &own.any, length ) );
    set_receive_timeout( s, 5000 );
    get_functions( s );
    own.v4.sin_port = htons( socket_port( s ) ); /* IPv6's stands at the same place */
    use_group( s, sender, &own, &group );
    if ( is_any ) own.v4.sin_addr.s_addr = htonl( INADDR_LOOPBACK );
    if ( !queued )
    {
        check_result( sendto( sender, "self", 4, 0, &own.any, length ), 4 );
        receive_kind( s, &message, overlapped, 0 );
    }
    check_result( sendto( sender, "many", 4, 0, &group.any, length ), 4 );
    receive_kind( s, &message, overlapped, MSG_MCAST );
    check_result( sendto( sender, "self", 4, 0, &own.any, length ), 4 );
    receive_kind( s, &message, overlapped, 0 );
    closesocket( sender );

    sender = socket( family, SOCK_DGRAM, 0 );
    check_ok( setsockopt( sender, SOL_SOCKET, SO_BROADCAST, (char *)&on, sizeof( on ) ) );
    for ( unsigned int i = 0; family == AF_INET && i < ARRAY_SIZE( broadcasts ) - is_any; i++ )
    {
        group.v4.sin_addr.s_addr = inet_addr( broadcasts[i] );
        if ( sendto( sender, "many", 4, 0, &group.any, length ) == 4 )
            receive_kind( s, &message, overlapped, MSG_BCAST );
        else skip( "no network to broadcast to, error %d\n", WSAGetLastError() );
    }
    closesocket( sender );
    closesocket( s );
    winetest_pop_context();
}

static void test_kinds_of( union address adapter )
{
    if ( adapter.any.sa_family == AF_INET6 ) adapter.v6.sin6_port = 0;
    for ( unsigned int i = 0; i < 4; i++ ) test_kinds( &adapter, i & 1, i >> 1 );
}

static void test_send( void )
{
    union address address, name;
    SOCKET receiver = udp_bound( AF_INET, &address ), s = socket( AF_INET, SOCK_DGRAM, 0 );
    SOCKET stream = socket( AF_INET, SOCK_STREAM, 0 );
    char data[64], space[WSA_CMSG_SPACE( sizeof( IN_PKTINFO ) )] = { 0 };
    WSABUF buffers[2] = { { 12, (char *)"abcdefghijkl" }, { 6, (char *)"mnopqr" } };
    WSAMSG message = {
        .name = &address.any, .namelen = sizeof( address.v4 ), .lpBuffers = buffers, .dwBufferCount = 2
    };
    WSACMSGHDR *header = (WSACMSGHDR *)space;
    DWORD count = 0;
    int length = sizeof( name );

    get_functions( s );
    check_fails( send_message( INVALID_SOCKET, NULL, 0, NULL, NULL, NULL ), WSAENOTSOCK );
    check_fails( send_message( s, NULL, 0, NULL, NULL, NULL ), WSAEFAULT );
    check_fails( send_message( s, NULL, 0, &count, NULL, NULL ), WSAEFAULT );
    check_fails( getsockname( s, &name.any, &length ), WSAEINVAL );
    check_fails( send_message( s, &message, 0, NULL, NULL, NULL ), WSAEFAULT );
    check_ok( getsockname( s, &name.any, &length ) );
    ok( address_port( &name ) && !name.v4.sin_addr.s_addr, "bound to port %d\n", address_port( &name ) );
    closesocket( s );

    s = socket( AF_INET, SOCK_DGRAM, 0 );
    check_clears( send_message( s, &message, 0, &count, NULL, NULL ), 0 );
    ok( count == 18, "sent %lu\n", count );
    length = sizeof( name );
    check_ok( getsockname( s, &name.any, &length ) );
    ok( address_port( &name ) && !name.v4.sin_addr.s_addr, "bound to port %d\n", address_port( &name ) );
    set_receive_timeout( receiver, 5000 );
    /* the failed send may have left its datagram too */
    for ( int i = 0; i < 2 && length != 18; i++ ) length = recv( receiver, data, sizeof( data ), 0 );
    ok( length == 18 && !memcmp( data, "abcdefghijklmnopqr", 18 ), "received %d\n", length );

    /* control data names the address to send from */
    header->cmsg_len = WSA_CMSG_LEN( sizeof( IN_PKTINFO ) );
    header->cmsg_level = IPPROTO_IP;
    header->cmsg_type = IP_PKTINFO;
    ( (IN_PKTINFO *)WSA_CMSG_DATA( header ) )->ipi_addr.s_addr = inet_addr( "127.0.0.1" );
    message.Control.buf = space;
    message.Control.len = sizeof( space );
    check_clears( send_message( s, &message, 0, &count, NULL, NULL ), 0 );
    length = sizeof( name );
    check_result( recvfrom( receiver, data, sizeof( data ), 0, &name.any, &length ), 18 );
    ok( name.v4.sin_addr.s_addr == htonl( INADDR_LOOPBACK ), "from %#lx\n", name.v4.sin_addr.s_addr );
    header->cmsg_len = 3;
    check_fails( send_message( s, &message, 0, &count, NULL, NULL ), WSAEINVAL );

    message.Control.len = 0;
    check_fails( send_message( stream, &message, 0, &count, NULL, NULL ), WSAEINVAL );
    closesocket( stream );
    closesocket( s );
    closesocket( receiver );
}

/* Whatever the control data says, the call fails or sends; memory behind it is never touched. */
static void test_hostile( void )
{
    union address address;
    SOCKET receiver = udp_bound( AF_INET, &address ), s = socket( AF_INET, SOCK_DGRAM, 0 );
    WSABUF buffer = { 1, (char *)"x" };
    WSAMSG message = {
        .name = &address.any, .namelen = sizeof( address.v4 ), .lpBuffers = &buffer, .dwBufferCount = 1
    };
    static const SIZE_T lengths[] = { 0, 1, 15, 16, 17, 20, 24, 25, 0x7fffffff, 0xffffffff, ~(SIZE_T)0 };
    unsigned int seed = 12345, sent = 0;
    DWORD count;

    get_functions( s );
    for ( unsigned int round = 0; round < 2000; round++ )
    {
        unsigned int size = round % 70;
        char *space = memory_before_fault( size ? size : 1 );
        WSACMSGHDR *header = (WSACMSGHDR *)space;
        long long result;

        for ( unsigned int i = 0; i < size; i++ ) space[i] = ( seed = seed * 1103515245 + 12345 ) >> 16;
        if ( size >= sizeof( *header ) && !( (ULONG_PTR)space % sizeof( void * ) ) )
        {
            header->cmsg_len = lengths[round % ARRAY_SIZE( lengths )];
            header->cmsg_level = round & 1 ? IPPROTO_IP : IPPROTO_UDP;
            header->cmsg_type = round % 64;
        }
        message.Control.buf = space;
        message.Control.len = size;
        WSASetLastError( ERROR_UNTOUCHED );
        result = guarded( send_message( s, &message, 0, &count, NULL, NULL ) );
        ok( !result || result == SOCKET_ERROR, "round %u: %lld\n", round, result );
        ok( WSAGetLastError() != WSAEFAULT, "round %u: memory behind the control data was touched\n", round );
        if ( !result ) sent++;
        VirtualFree( (void *)( (ULONG_PTR)space & ~(ULONG_PTR)0xffff ), 0, MEM_RELEASE );
    }
    ok( sent, "nothing was sent\n" );
    closesocket( s );
    closesocket( receiver );
}

START_TEST( control )
{
    union address any = { .v4 = { .sin_family = AF_INET } };

    if ( support_begin() ) return;
    test_options();
    test_receive();
    test_kinds_of( any );
    if ( own_network() )
    {
        any.v4.sin_addr.s_addr = inet_addr( "192.0.2.1" );
        test_kinds_of( any );
    }
    else skip( "not in a network of its own\n" );
    if ( have_ipv6() && address_link_local( &any ) ) test_kinds_of( any );
    else skip( "no address of IPv6\n" );
    test_send();
    test_hostile();
    support_end();
}
