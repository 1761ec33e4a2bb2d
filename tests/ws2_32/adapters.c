/*
 * Datagram sockets bound to an adapter's address (facts: field-reports, "UDP on a network"; windows-behaviour 12.2): beside
 * their unicasts they hear the adapter's broadcasts and the groups that they joined, by every way of receiving. In a network
 * of its own (tests/own-network), where the adapter has 192.0.2.1/24.
 */
#include "hearing.h"
#include "puppets.h"
#include <mstcpip.h>

#define ADAPTER "192.0.2.1"
#define SUBNET "192.0.2.255"
#define LIMITED "255.255.255.255"
#define GROUP "239.1.2.3"
#define OTHER_GROUP "239.1.2.4"

static union address at( const char *text, int port )
{
    union address address = { .v4 = { .sin_family = AF_INET, .sin_port = htons( port ) } };

    address.v4.sin_addr.s_addr = inet_addr( text );
    return address;
}

static SOCKET bound_to( const char *text, int port )
{
    SOCKET s = socket( AF_INET, SOCK_DGRAM, 0 );
    union address address = at( text, port );
    BOOL on = TRUE;

    setsockopt( s, SOL_SOCKET, SO_REUSEADDR, (char *)&on, sizeof( on ) );
    setsockopt( s, SOL_SOCKET, SO_BROADCAST, (char *)&on, sizeof( on ) );
    check_ok( bind( s, &address.any, sizeof( address.v4 ) ) );
    return s;
}

static void put( SOCKET s, const char *text, int port, const char *data )
{
    union address to = at( text, port );

    check_result( sendto( s, data, (int)strlen( data ), 0, &to.any, sizeof( to.v4 ) ), (int)strlen( data ) );
}

static int join( SOCKET s, const char *group, const char *adapter )
{
    struct ip_mreq request;

    request.imr_multiaddr.s_addr = inet_addr( group );
    request.imr_interface.s_addr = inet_addr( adapter );
    return setsockopt( s, IPPROTO_IP, IP_ADD_MEMBERSHIP, (char *)&request, sizeof( request ) ) ? WSAGetLastError() : 0;
}

static int leave( SOCKET s, const char *group, const char *adapter )
{
    struct ip_mreq request;

    request.imr_multiaddr.s_addr = inet_addr( group );
    request.imr_interface.s_addr = inet_addr( adapter );
    return setsockopt( s, IPPROTO_IP, IP_DROP_MEMBERSHIP, (char *)&request, sizeof( request ) ) ? WSAGetLastError() : 0;
}

static const char *const kinds[] = { ADAPTER, LIMITED, SUBNET, GROUP };

/* Each kind arrives once; what is not its own does not. */
static void test_kinds( void )
{
    SOCKET s = bound_to( ADAPTER, 0 ), sender = bound_to( ADAPTER, 0 ), any, loopback;
    int port = socket_port( s );
    unsigned int i;

    ok( !join( s, GROUP, ADAPTER ), "error %d\n", WSAGetLastError() );
    any = bound_to( "0.0.0.0", port );
    loopback = bound_to( "127.0.0.1", port );
    for ( i = 0; i < ARRAY_SIZE( kinds ); i++ )
    {
        winetest_push_context( "%s", kinds[i] );
        put( sender, kinds[i], port, "hello" );
        check_hears( s, "hello" );
        check_silent( s );
        if ( i == 1 || i == 2 ) check_hears( any, "hello" );
        check_silent( any );
        check_silent( loopback );
        winetest_pop_context();
    }
    put( sender, OTHER_GROUP, port, "other" );
    check_silent( s );
    ok( !leave( s, GROUP, ADAPTER ), "error %d\n", WSAGetLastError() );
    put( sender, GROUP, port, "left" );
    check_silent( s );
    ok( leave( s, GROUP, ADAPTER ) == WSAEADDRNOTAVAIL, "left twice\n" );
    ok( !join( s, GROUP, ADAPTER ), "error %d\n", WSAGetLastError() );
    put( sender, GROUP, port, "again" );
    check_hears( s, "again" );
    closesocket( s );
    closesocket( sender );
    closesocket( any );
    closesocket( loopback );
}

/* Of several on one address and port that have joined a group each gets a copy, and who has not joined none. */
static void test_copies( void )
{
    SOCKET s[3], sender = bound_to( ADAPTER, 0 );
    int port;

    s[0] = bound_to( ADAPTER, 0 );
    port = socket_port( s[0] );
    s[1] = bound_to( ADAPTER, port );
    s[2] = bound_to( ADAPTER, port );
    for ( int i = 0; i < 2; i++ ) ok( !join( s[i], GROUP, ADAPTER ), "error %d\n", WSAGetLastError() );
    put( sender, GROUP, port, "copies" );
    for ( int i = 0; i < 2; i++ ) check_hears( s[i], "copies" );
    for ( int i = 0; i < 3; i++ ) check_silent( s[i] );
    closesocket( s[0] );
    put( sender, GROUP, port, "one" );
    check_hears( s[1], "one" );
    check_silent( s[2] );
    closesocket( s[1] );
    closesocket( s[2] );
    closesocket( sender );
}

/* Joined before it is bound. */
static void test_joined_first( void )
{
    SOCKET s = socket( AF_INET, SOCK_DGRAM, 0 ), sender = bound_to( ADAPTER, 0 );
    union address address = at( ADAPTER, 0 );

    ok( !join( s, GROUP, ADAPTER ), "error %d\n", WSAGetLastError() );
    check_ok( bind( s, &address.any, sizeof( address.v4 ) ) );
    put( sender, GROUP, socket_port( s ), "hello" );
    check_hears( s, "hello" );
    closesocket( s );
    closesocket( sender );
}

/* Every way of waiting, and of receiving. */
static void test_ways( const char *to )
{
    SOCKET s = bound_to( ADAPTER, 0 ), sender = bound_to( ADAPTER, 0 );
    WSAEVENT event = WSACreateEvent();
    WSANETWORKEVENTS events;
    WSAPOLLFD fd = { s, POLLRDNORM, 0 };
    union address from;
    OVERLAPPED ov = { .hEvent = WSACreateEvent() }, *done;
    HANDLE port;
    ULONG_PTR key;
    DWORD count, flags = 0;
    u_long readable;
    char data[16];
    WSABUF in = { sizeof( data ), data };
    int number = socket_port( s ), length = sizeof( from );

    winetest_push_context( "%s", to );
    ok( !join( s, GROUP, ADAPTER ), "error %d\n", WSAGetLastError() );
    check_result( WSAPoll( &fd, 1, 0 ), 0 );
    put( sender, to, number, "one" );
    fd.events = POLLRDNORM;
    check_result( WSAPoll( &fd, 1, 5000 ), 1 );
    ok( fd.revents == POLLRDNORM, "revents %#x\n", fd.revents );
    check_ok( ioctlsocket( s, FIONREAD, &readable ) );
    ok( readable == 3, "FIONREAD %lu\n", readable );
    check_result( recv( s, data, sizeof( data ), MSG_PEEK ), 3 );
    put( sender, ADAPTER, number, "unicast" );
    check_result( recvfrom( s, data, sizeof( data ), 0, &from.any, &length ), 3 );
    ok( from.v4.sin_addr.s_addr == inet_addr( ADAPTER ) && address_port( &from ) == socket_port( sender ),
        "another sender\n" );
    check_hears( s, "unicast" );

    set_receive_timeout( s, 5000 );
    put( sender, to, number, "two" );
    check_result( recv( s, data, sizeof( data ), 0 ), 3 );

    check_ok( WSAEventSelect( s, event, FD_READ ) );
    for ( int i = 0; i < 3; i++ )
    {
        put( sender, to, number, "three" );
        ok( !WaitForSingleObject( event, 5000 ), "no event\n" );
        check_ok( WSAEnumNetworkEvents( s, event, &events ) );
        ok( events.lNetworkEvents == FD_READ, "events %#lx\n", events.lNetworkEvents );
        check_result( recv( s, data, sizeof( data ), 0 ), 5 );
        check_fails( recv( s, data, sizeof( data ), 0 ), WSAEWOULDBLOCK );
    }
    check_ok( WSAEventSelect( s, event, 0 ) );
    set_nonblocking( s, FALSE );

    check_fails( WSARecvFrom( s, &in, 1, &count, &flags, NULL, NULL, &ov, NULL ), WSA_IO_PENDING );
    put( sender, to, number, "four" );
    ok( !WaitForSingleObject( ov.hEvent, 5000 ), "it waits still\n" );
    ok( ov.InternalHigh == 4, "got %lu\n", (DWORD)ov.InternalHigh );

    port = CreateIoCompletionPort( (HANDLE)s, NULL, 7, 0 );
    for ( int i = 0; i < 3; i++ )
    {
        memset( &ov, 0, sizeof( ov ) );
        flags = 0;
        check_fails( WSARecv( s, &in, 1, NULL, &flags, &ov, NULL ), WSA_IO_PENDING );
        put( sender, to, number, "five!" );
        done = NULL;
        ok( GetQueuedCompletionStatus( port, &count, &key, &done, 5000 ), "error %lu\n", GetLastError() );
        ok( done == &ov && count == 5, "%p, count %lu\n", (void *)done, count );
    }
    CloseHandle( port );
    WSACloseEvent( event );
    closesocket( s );
    closesocket( sender );
    winetest_pop_context();
}

/* Registered before there was anything to hear. */
static void test_watched_first( void )
{
    SOCKET s = socket( AF_INET, SOCK_DGRAM, 0 ), sender = bound_to( ADAPTER, 0 );
    union address address = at( ADAPTER, 0 );
    WSAEVENT event = WSACreateEvent();
    WSANETWORKEVENTS events;
    char data[16];

    check_ok( WSAEventSelect( s, event, FD_READ ) );
    check_ok( bind( s, &address.any, sizeof( address.v4 ) ) );
    put( sender, SUBNET, socket_port( s ), "hello" );
    ok( !WaitForSingleObject( event, 5000 ), "no event\n" );
    check_ok( WSAEnumNetworkEvents( s, event, &events ) );
    check_result( recv( s, data, sizeof( data ), 0 ), 5 );
    ok( !join( s, GROUP, ADAPTER ), "error %d\n", WSAGetLastError() );
    put( sender, GROUP, socket_port( s ), "group" );
    ok( !WaitForSingleObject( event, 5000 ), "no event\n" );
    check_result( recv( s, data, sizeof( data ), 0 ), 5 );
    WSACloseEvent( event );
    closesocket( s );
    closesocket( sender );
}

/* What LOOP says holds for the groups, however they are heard. */
static void test_loop( void )
{
    SOCKET s = bound_to( ADAPTER, 0 ), sender = bound_to( ADAPTER, 0 );
    DWORD off = 0, on = 1;
    int port = socket_port( s );

    ok( !join( s, GROUP, ADAPTER ), "error %d\n", WSAGetLastError() );
    check_ok( setsockopt( s, IPPROTO_IP, IP_MULTICAST_LOOP, (char *)&off, sizeof( off ) ) );
    put( sender, GROUP, port, "hello" );
    check_silent( s );
    ok( !join( s, OTHER_GROUP, ADAPTER ), "error %d\n", WSAGetLastError() );
    put( sender, OTHER_GROUP, port, "hello" );
    check_silent( s );
    put( sender, ADAPTER, port, "unicast" );
    check_hears( s, "unicast" );
    check_ok( setsockopt( s, IPPROTO_IP, IP_MULTICAST_LOOP, (char *)&on, sizeof( on ) ) );
    check_ok( setsockopt( sender, IPPROTO_IP, IP_MULTICAST_LOOP, (char *)&off, sizeof( off ) ) );
    put( sender, GROUP, port, "hello" );
    check_hears( s, "hello" );
    put( sender, OTHER_GROUP, port, "hello" );
    check_hears( s, "hello" );
    closesocket( s );
    closesocket( sender );
}

/* More groups than the host gives one of its sockets, on a socket bound to the adapter's address and on one to all. */
static void test_many_groups( const char *where )
{
    SOCKET s = bound_to( where, 0 ), sender = bound_to( ADAPTER, 0 );
    int port = socket_port( s ), error;
    char group[32];

    winetest_push_context( "%s", where );
    for ( int i = 1; i <= 60; i++ )
    {
        sprintf( group, "239.2.0.%d", i );
        error = join( s, group, ADAPTER );
        ok( !error, "group %d: error %d\n", i, error );
    }
    for ( int i = 1; i <= 60; i += 7 )
    {
        sprintf( group, "239.2.0.%d", i );
        put( sender, group, port, group );
        check_hears( s, group );
        check_silent( s );
    }
    ok( !leave( s, "239.2.0.50", ADAPTER ), "error %d\n", WSAGetLastError() );
    put( sender, "239.2.0.50", port, "left" );
    check_silent( s );
    closesocket( s );
    closesocket( sender );
    winetest_pop_context();
}

/* --- the same socket in other descriptors, and in other processes ----------------------------------------------------*/

static void check_puppet_hears( struct puppet *puppet, SOCKET s, const char *text )
{
    LONGLONG got;

    puppet->message->length = 16;
    got = puppet_do_on( puppet, PUPPET_RECV, s );
    ok( got == (int)strlen( text ) && !memcmp( puppet->message->data, text, strlen( text ) ),
        "%s: got %lld, error %lu\n", text, got, GetLastError() );
}

static LONGLONG puppet_join( struct puppet *puppet, SOCKET s, const char *group )
{
    struct ip_mreq request;

    request.imr_multiaddr.s_addr = inet_addr( group );
    request.imr_interface.s_addr = inet_addr( ADAPTER );
    puppet->message->level = IPPROTO_IP;
    puppet->message->option = IP_ADD_MEMBERSHIP;
    puppet->message->length = sizeof( request );
    memcpy( puppet->message->data, &request, sizeof( request ) );
    return puppet_do_on( puppet, PUPPET_SETSOCKOPT, s );
}

/* Two descriptors in one process: what one of them takes the other does not, and both hear all. */
static void test_duplicate( void )
{
    SOCKET s = bound_to( ADAPTER, 0 ), sender = bound_to( ADAPTER, 0 ), copy;
    const int port = socket_port( s );
    WSAEVENT event = WSACreateEvent();
    WSAPROTOCOL_INFOW info;
    char data[16];

    ok( !join( s, GROUP, ADAPTER ), "error %d\n", WSAGetLastError() );
    check_ok( WSADuplicateSocketW( s, GetCurrentProcessId(), &info ) );
    copy = WSASocketW( FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0, WSA_FLAG_OVERLAPPED );
    ok( copy != INVALID_SOCKET, "error %d\n", WSAGetLastError() );
    for ( unsigned int i = 0; i < ARRAY_SIZE( kinds ); i++ )
    {
        winetest_push_context( "%s", kinds[i] );
        put( sender, kinds[i], port, "first" );
        check_hears( copy, "first" );
        check_silent( s );
        put( sender, kinds[i], port, "second" );
        check_hears( s, "second" );
        check_silent( copy );
        winetest_pop_context();
    }
    /* joined by one, heard by the other, which waits already */
    check_ok( WSAEventSelect( copy, event, FD_READ ) );
    ok( !join( s, OTHER_GROUP, ADAPTER ), "error %d\n", WSAGetLastError() );
    put( sender, OTHER_GROUP, port, "other" );
    ok( !WaitForSingleObject( event, 5000 ), "no event\n" );
    check_result( recv( copy, data, sizeof( data ), 0 ), 5 );
    check_ok( WSAEventSelect( copy, event, 0 ) );
    closesocket( s );
    put( sender, GROUP, port, "third" );
    check_hears( copy, "third" );
    put( sender, OTHER_GROUP, port, "fourth" );
    check_hears( copy, "fourth" );
    closesocket( copy );
    closesocket( sender );
    WSACloseEvent( event );
}

/* The socket goes to another process, and its source closes it: before the other has opened it, or after. */
static void test_handed_over( BOOL closed_first )
{
    SOCKET s = bound_to( ADAPTER, 0 ), sender = bound_to( ADAPTER, 0 ), there;
    const int port = socket_port( s );
    struct puppet puppet;
    WSAPROTOCOL_INFOA info;

    winetest_push_context( closed_first ? "closed before" : "closed after" );
    set_receive_timeout( s, 10000 );
    ok( !join( s, GROUP, ADAPTER ), "error %d\n", WSAGetLastError() );
    puppet_create( &puppet, 0 );
    check_ok( WSADuplicateSocketA( s, puppet.pid, &info ) );
    if ( closed_first ) closesocket( s );
    there = puppet_open_a( &puppet, &info, WSA_FLAG_OVERLAPPED );
    ok( there != INVALID_SOCKET, "error %lu\n", GetLastError() );
    if ( !closed_first )
    {
        put( sender, LIMITED, port, "both" );
        check_hears( s, "both" );
        closesocket( s );
    }
    for ( unsigned int i = 0; i < ARRAY_SIZE( kinds ); i++ )
    {
        put( sender, kinds[i], port, kinds[i] );
        check_puppet_hears( &puppet, there, kinds[i] );
    }
    check_result( puppet_join( &puppet, there, OTHER_GROUP ), 0 );
    put( sender, OTHER_GROUP, port, "other" );
    check_puppet_hears( &puppet, there, "other" );
    puppet_destroy( &puppet );
    closesocket( sender );
    winetest_pop_context();
}

/* Inherited: heard by both, and what one joins the other hears too. */
static void test_inherited( void )
{
    SOCKET s = bound_to( ADAPTER, 0 ), sender = bound_to( ADAPTER, 0 );
    const int port = socket_port( s );
    struct puppet puppet;

    set_receive_timeout( s, 10000 );
    ok( !join( s, GROUP, ADAPTER ), "error %d\n", WSAGetLastError() );
    puppet_create( &puppet, PUPPET_INHERITS );
    for ( unsigned int i = 0; i < ARRAY_SIZE( kinds ); i++ )
    {
        put( sender, kinds[i], port, kinds[i] );
        check_puppet_hears( &puppet, s, kinds[i] );
    }
    check_result( puppet_join( &puppet, s, OTHER_GROUP ), 0 );
    put( sender, OTHER_GROUP, port, "to us" );
    check_hears( s, "to us" );
    put( sender, OTHER_GROUP, port, "to it" );
    check_puppet_hears( &puppet, s, "to it" );
    puppet_kill( &puppet );
    put( sender, OTHER_GROUP, port, "alone" );
    check_hears( s, "alone" );
    put( sender, SUBNET, port, "again" );
    check_hears( s, "again" );
    closesocket( s );
    closesocket( sender );
}

/* --- all that goes through an adapter ------------------------------------------------------------------------------------*/

/* A raw socket of no protocol, with SIO_RCVALL: whole packets, and who sent them. */
static void test_receive_all( void )
{
    SOCKET s = socket( AF_INET, SOCK_RAW, IPPROTO_IP ), sender = bound_to( ADAPTER, 0 );
    const int port = socket_port( sender );
    union address from, address = at( ADAPTER, 0 );
    DWORD on = 1, off = 0, count;
    unsigned char packet[2048];
    int length, got, found = 0;

    if ( s == INVALID_SOCKET )
    {
        ok( WSAGetLastError() == WSAEACCES, "error %d\n", WSAGetLastError() );
        skip( "raw sockets are the administrator's\n" );
        closesocket( sender );
        return;
    }
    check_fails( WSAIoctl( s, SIO_RCVALL, &on, sizeof( on ), NULL, 0, &count, NULL, NULL ), WSAEINVAL );
    check_ok( bind( s, &address.any, sizeof( address.v4 ) ) );
    check_ok( WSAIoctl( s, SIO_RCVALL, &on, sizeof( on ), NULL, 0, &count, NULL, NULL ) );
    set_receive_timeout( s, 10000 );
    put( sender, SUBNET, port, "seen" );
    while ( !found )
    {
        length = sizeof( from );
        got = recvfrom( s, (char *)packet, sizeof( packet ), 0, &from.any, &length );
        ok( got > 0, "got %d, error %d\n", got, WSAGetLastError() );
        if ( got <= 0 ) break;
        /* others may be seen too */
        found = got == 32 && packet[9] == IPPROTO_UDP && !memcmp( packet + 28, "seen", 4 );
    }
    ok( packet[0] == 0x45 && packet[20] == port >> 8 && packet[21] == ( port & 0xff ), "another packet\n" );
    ok( length == sizeof( from.v4 ) && from.v4.sin_family == AF_INET &&
            from.v4.sin_addr.s_addr == inet_addr( ADAPTER ) && !from.v4.sin_port,
        "from %#lx, port %u\n", (DWORD)from.v4.sin_addr.s_addr, from.v4.sin_port );
    check_ok( WSAIoctl( s, SIO_RCVALL, &off, sizeof( off ), NULL, 0, &count, NULL, NULL ) );
    closesocket( s );
    closesocket( sender );
}

/* Addresses of many cannot be bound; connected to one, a socket sends to it without SO_BROADCAST. */
static void test_addresses_of_many( void )
{
    static const char *const texts[] = { LIMITED, SUBNET, GROUP };
    union address address;
    SOCKET s, receiver = bound_to( ADAPTER, 0 );
    BOOL broadcasts = TRUE;
    int length = sizeof( broadcasts );

    for ( unsigned int i = 0; i < ARRAY_SIZE( texts ); i++ )
        for ( int type = SOCK_STREAM; type <= SOCK_DGRAM; type++ )
        {
            winetest_push_context( "%s, type %d", texts[i], type );
            s = socket( AF_INET, type, 0 );
            address = at( texts[i], 0 );
            check_fails( bind( s, &address.any, sizeof( address.v4 ) ), WSAEADDRNOTAVAIL );
            closesocket( s );
            winetest_pop_context();
        }
    for ( unsigned int i = 0; i < 2; i++ )
    {
        winetest_push_context( "%s", texts[i] );
        s = socket( AF_INET, SOCK_DGRAM, 0 );
        address = at( texts[i], socket_port( receiver ) );
        check_fails( sendto( s, "x", 1, 0, &address.any, sizeof( address.v4 ) ), WSAEACCES );
        check_ok( connect( s, &address.any, sizeof( address.v4 ) ) );
        check_ok( getsockopt( s, SOL_SOCKET, SO_BROADCAST, (char *)&broadcasts, &length ) );
        ok( !broadcasts, "SO_BROADCAST is on\n" );
        check_result( send( s, "x", 1, 0 ), 1 );
        check_hears( receiver, "x" );
        check_fails( sendto( s, "x", 1, 0, &address.any, sizeof( address.v4 ) ), WSAEACCES );
        closesocket( s );
        winetest_pop_context();
    }
    closesocket( receiver );
}

START_TEST( adapters )
{
    if ( support_begin() ) return;
    if ( !own_network() ) skip( "not in a network of its own\n" );
    else
    {
        test_kinds();
        test_copies();
        test_joined_first();
        for ( unsigned int i = 1; i < ARRAY_SIZE( kinds ); i++ ) test_ways( kinds[i] );
        test_watched_first();
        test_loop();
        test_many_groups( ADAPTER );
        test_many_groups( "0.0.0.0" );
        test_duplicate();
        test_handed_over( FALSE );
        test_handed_over( TRUE );
        test_inherited();
        test_receive_all();
        test_addresses_of_many();
    }
    support_end();
}
