/*
 * What the descriptors of one socket share: all of its state (the seed's page, facts/duplication.md). Options, blocking
 * mode, timeouts, names and connection state are set through one descriptor and seen through the others, in this process
 * and in another; the socket has one event registration, and the latest, through whichever descriptor, is it.
 */
#include "puppets.h"

#define FROM_INFO FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO

/* A socket, a second descriptor of it here, and a third in a puppet. */
struct trio
{
    SOCKET first, second, third;
    struct puppet puppet;
};

static void trio_create( struct trio *trio, SOCKET s )
{
    WSAPROTOCOL_INFOA info;

    trio->first = s;
    check_ok( WSADuplicateSocketA( s, GetCurrentProcessId(), &info ) );
    trio->second = WSASocketA( FROM_INFO, &info, 0, WSA_FLAG_OVERLAPPED );
    ok( trio->second != INVALID_SOCKET, "no duplicate, error %d\n", WSAGetLastError() );
    puppet_create( &trio->puppet, 0 );
    check_ok( WSADuplicateSocketA( s, trio->puppet.pid, &info ) );
    trio->third = puppet_open_a( &trio->puppet, &info, WSA_FLAG_OVERLAPPED );
    ok( trio->third != INVALID_SOCKET, "no duplicate, error %d\n", WSAGetLastError() );
}

static void trio_destroy( struct trio *trio )
{
    check_ok( closesocket( trio->first ) );
    check_ok( closesocket( trio->second ) );
    check_ok( puppet_do_on( &trio->puppet, PUPPET_CLOSE, trio->third ) );
    puppet_destroy( &trio->puppet );
}

/* --- the same calls on descriptor 0, 1 (here) and 2 (there) */

static int trio_setsockopt( struct trio *trio, unsigned int i, int level, int option, const void *value, int length )
{
    struct puppet_message *message = trio->puppet.message;

    if ( i < 2 ) return setsockopt( i ? trio->second : trio->first, level, option, value, length );
    message->level = level;
    message->option = option;
    message->length = length;
    memcpy( message->data, value, length );
    return puppet_do_on( &trio->puppet, PUPPET_SETSOCKOPT, trio->third );
}

static int trio_getsockopt( struct trio *trio, unsigned int i, int level, int option, void *value, int *length )
{
    struct puppet_message *message = trio->puppet.message;
    int result;

    if ( i < 2 ) return getsockopt( i ? trio->second : trio->first, level, option, value, length );
    message->level = level;
    message->option = option;
    message->length = *length;
    memcpy( message->data, value, *length );
    result = puppet_do_on( &trio->puppet, PUPPET_GETSOCKOPT, trio->third );
    *length = message->length;
    memcpy( value, message->data, message->length );
    return result;
}

static int trio_ioctl( struct trio *trio, unsigned int i, long code, u_long value )
{
    struct puppet_message *message = trio->puppet.message;

    if ( i < 2 ) return ioctlsocket( i ? trio->second : trio->first, code, &value );
    message->option = code;
    message->value = value;
    return puppet_do_on( &trio->puppet, PUPPET_IOCTL, trio->third );
}

static int trio_recv( struct trio *trio, unsigned int i, char *buffer, int length )
{
    int result;

    if ( i < 2 ) return recv( i ? trio->second : trio->first, buffer, length, 0 );
    result = puppet_do_on( &trio->puppet, PUPPET_RECV, trio->third );
    if ( result > 0 ) memcpy( buffer, trio->puppet.message->data, min( result, length ) );
    return result;
}

static void test_options( void )
{
    static const struct
    {
        int type, level, option, length;
        DWORD value, other;
    } rows[] = {
        { SOCK_STREAM, SOL_SOCKET, SO_RCVTIMEO, 4, 63000, 7 },
        { SOCK_STREAM, SOL_SOCKET, SO_SNDTIMEO, 4, 997000, 0 },
        { SOCK_STREAM, SOL_SOCKET, SO_RCVBUF, 4, 4096, 8192 },
        { SOCK_STREAM, SOL_SOCKET, SO_SNDBUF, 4, 4096, 30000 },
        { SOCK_STREAM, SOL_SOCKET, SO_LINGER, 4, 0x00050001, 0x00070001 },
        { SOCK_STREAM, SOL_SOCKET, SO_OOBINLINE, 4, 1, 0 },
        { SOCK_STREAM, SOL_SOCKET, SO_REUSEADDR, 4, 1, 0 },
        { SOCK_STREAM, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 4, 1, 0 },
        { SOCK_STREAM, SOL_SOCKET, SO_KEEPALIVE, 1, 1, 0 },
        { SOCK_STREAM, SOL_SOCKET, SO_DONTROUTE, 1, 1, 0 },
        { SOCK_STREAM, IPPROTO_TCP, TCP_NODELAY, 1, 1, 0 },
        { SOCK_STREAM, IPPROTO_IP, IP_TTL, 4, 17, 64 },
        { SOCK_STREAM, IPPROTO_IP, IP_DONTFRAGMENT, 4, 0, 1 },
        { SOCK_DGRAM, SOL_SOCKET, SO_BROADCAST, 4, 1, 0 },
        { SOCK_DGRAM, IPPROTO_IP, IP_MULTICAST_TTL, 4, 9, 1 },
        { SOCK_DGRAM, IPPROTO_IP, IP_MULTICAST_LOOP, 4, 0, 1 },
        { SOCK_DGRAM, IPPROTO_IP, IP_PKTINFO, 4, 1, 0 },
    };
    struct trio trios[2];
    unsigned int i, setter, getter;

    trio_create( &trios[0], socket( AF_INET, SOCK_STREAM, 0 ) );
    trio_create( &trios[1], socket( AF_INET, SOCK_DGRAM, 0 ) );
    for ( i = 0; i < ARRAY_SIZE( rows ); i++ )
    {
        struct trio *trio = &trios[rows[i].type == SOCK_DGRAM];

        for ( setter = 0; setter < 3; setter++ )
        {
            DWORD value = setter & 1 ? rows[i].other : rows[i].value, got;
            int length;

            winetest_push_context( "level %#x option %#x set through %u", rows[i].level, rows[i].option, setter );
            check_ok( trio_setsockopt( trio, setter, rows[i].level, rows[i].option, &value, rows[i].length ) );
            for ( getter = 0; getter < 3; getter++ )
            {
                got = 0;
                length = rows[i].length;
                check_ok( trio_getsockopt( trio, getter, rows[i].level, rows[i].option, &got, &length ) );
                ok( got == value, "descriptor %u reads %#lx, expected %#lx\n", getter, got, value );
            }
            winetest_pop_context();
        }
        /* back to what it was, for the next row */
        check_ok( trio_setsockopt( trio, 0, rows[i].level, rows[i].option, &rows[i].other, rows[i].length ) );
    }
    trio_destroy( &trios[0] );
    trio_destroy( &trios[1] );
}

/* An error that a program sets through one descriptor is what another reads next. */
static void test_error_option( void )
{
    struct trio trio;
    unsigned int i;

    trio_create( &trio, socket( AF_INET, SOCK_STREAM, 0 ) );
    for ( i = 0; i < 3; i++ )
    {
        DWORD value = 1234 + i;
        int length = sizeof( value );

        check_ok( trio_setsockopt( &trio, i, SOL_SOCKET, SO_ERROR, &value, sizeof( value ) ) );
        value = 0;
        check_ok( trio_getsockopt( &trio, ( i + 1 ) % 3, SOL_SOCKET, SO_ERROR, &value, &length ) );
        ok( value == 1234 + i, "set through %u, got %lu\n", i, value );
    }
    trio_destroy( &trio );
}

/* Two options exclude each other on the socket, not on the descriptor. */
static void test_exclusion( void )
{
    struct trio trio;
    int on = 1, off = 0;

    trio_create( &trio, socket( AF_INET, SOCK_STREAM, 0 ) );
    check_ok( trio_setsockopt( &trio, 0, SOL_SOCKET, SO_REUSEADDR, &on, 4 ) );
    check_fails( trio_setsockopt( &trio, 2, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, &on, 4 ), WSAEINVAL );
    check_ok( trio_setsockopt( &trio, 1, SOL_SOCKET, SO_REUSEADDR, &off, 4 ) );
    check_ok( trio_setsockopt( &trio, 2, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, &on, 4 ) );
    check_fails( trio_setsockopt( &trio, 0, SOL_SOCKET, SO_REUSEADDR, &on, 4 ), WSAEINVAL );
    trio_destroy( &trio );
}

static void test_blocking_mode( void )
{
    unsigned int setter, user;
    SOCKET client, server;
    struct trio trio;
    char buffer[16];
    DWORD timeout = 100;

    tcp_pair( &client, &server );
    trio_create( &trio, client );
    for ( setter = 0; setter < 3; setter++ )
    {
        winetest_push_context( "set through %u", setter );
        check_ok( trio_ioctl( &trio, setter, FIONBIO, 1 ) );
        for ( user = 0; user < 3; user++ )
            check_fails( trio_recv( &trio, user, buffer, sizeof( buffer ) ), WSAEWOULDBLOCK );
        check_ok( trio_ioctl( &trio, setter, FIONBIO, 0 ) );
        /* blocking again, now with a timeout that another descriptor set */
        check_ok( trio_setsockopt( &trio, ( setter + 1 ) % 3, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof( timeout ) ) );
        for ( user = 0; user < 3; user++ )
            check_fails( trio_recv( &trio, user, buffer, sizeof( buffer ) ), WSAETIMEDOUT );
        winetest_pop_context();
    }
    trio_destroy( &trio );
    check_eof( server );
    closesocket( server );
}

/* One stream of data: whoever receives first has it, in order; the other direction likewise. */
static void test_data( void )
{
    SOCKET client, server;
    struct trio trio;
    char buffer[1024];
    unsigned int i;

    tcp_pair( &client, &server );
    trio_create( &trio, client );
    for ( i = 0; i < 6; i++ )
    {
        char byte = 'a' + i;

        check_result( send( server, &byte, 1, 0 ), 1 );
        buffer[0] = 0;
        check_result( trio_recv( &trio, i % 3, buffer, 1 ), 1 );
        ok( buffer[0] == byte, "got %c\n", buffer[0] );
    }
    check_result( send( trio.first, "1", 1, 0 ), 1 );
    check_result( puppet_send( &trio.puppet, trio.third, "2" ), 1 );
    check_result( send( trio.second, "3", 1, 0 ), 1 );
    check_result( recv( server, buffer, 3, MSG_WAITALL ), 3 );
    ok( !memcmp( buffer, "123", 3 ), "got %.3s\n", buffer );
    /* shut down through one, shut down for all */
    trio.puppet.message->value = SD_SEND;
    check_ok( puppet_do_on( &trio.puppet, PUPPET_SHUTDOWN, trio.third ) );
    check_fails( send( trio.first, "x", 1, 0 ), WSAESHUTDOWN );
    check_fails( send( trio.second, "x", 1, 0 ), WSAESHUTDOWN );
    check_eof( server );
    check_result( send( server, "still", 5, 0 ), 5 );
    check_result( trio_recv( &trio, 0, buffer, 5 ), 5 );
    trio_destroy( &trio );
    closesocket( server );
}

/* Binding, listening and connecting are the socket's too. */
static void test_state( void )
{
    union address address, name;
    SOCKET client, server, listener, there;
    struct trio trio;
    int length;

    trio_create( &trio, socket( AF_INET, SOCK_STREAM, 0 ) );
    address_loopback( &trio.puppet.message->address, AF_INET, 0 );
    check_ok( puppet_do_on( &trio.puppet, PUPPET_BIND, trio.third ) );
    length = sizeof( name );
    check_ok( getsockname( trio.first, &name.any, &length ) );
    ok( address_port( &name ), "no port\n" );
    address_loopback( &address, AF_INET, 0 );
    check_fails( bind( trio.second, &address.any, sizeof( address.v4 ) ), WSAEINVAL );
    check_ok( listen( trio.second, 5 ) );
    /* each descriptor accepts */
    client = socket( AF_INET, SOCK_STREAM, 0 );
    check_ok( connect( client, &name.any, sizeof( name.v4 ) ) );
    server = accept_one( trio.first );
    check_flow( client, server );
    closesocket( client );
    closesocket( server );
    client = socket( AF_INET, SOCK_STREAM, 0 );
    check_ok( connect( client, &name.any, sizeof( name.v4 ) ) );
    there = puppet_do_on( &trio.puppet, PUPPET_ACCEPT, trio.third );
    ok( there != INVALID_SOCKET, "accept failed, error %d\n", WSAGetLastError() );
    check_result( puppet_send( &trio.puppet, there, "hello" ), 5 );
    ok( wait_readable( client, 10000 ), "nothing arrived\n" );
    check_ok( puppet_do_on( &trio.puppet, PUPPET_CLOSE, there ) );
    closesocket( client );
    /* a listener does not connect, whoever made it listen */
    check_fails( connect( trio.first, &name.any, sizeof( name.v4 ) ), WSAEINVAL );
    /* the source closes the listener, the others go on */
    check_ok( closesocket( trio.first ) );
    client = socket( AF_INET, SOCK_STREAM, 0 );
    check_ok( connect( client, &name.any, sizeof( name.v4 ) ) );
    server = accept_one( trio.second );
    closesocket( client );
    closesocket( server );
    check_ok( closesocket( trio.second ) );
    check_ok( puppet_do_on( &trio.puppet, PUPPET_CLOSE, trio.third ) );
    puppet_destroy( &trio.puppet );
    check_refused( &name );

    listener = tcp_listener( AF_INET, &address );
    trio_create( &trio, socket( AF_INET, SOCK_STREAM, 0 ) );
    trio.puppet.message->address = address;
    check_ok( puppet_do_on( &trio.puppet, PUPPET_CONNECT, trio.third ) );
    server = accept_one( listener );
    length = sizeof( name );
    check_ok( getpeername( trio.first, &name.any, &length ) );
    ok( length == sizeof( name.v4 ) && !memcmp( &name, &address, sizeof( name.v4 ) ), "another peer\n" );
    check_fails( connect( trio.second, &address.any, sizeof( address.v4 ) ), WSAEISCONN );
    check_flow( server, trio.first );
    check_flow( trio.second, server );
    trio_destroy( &trio );
    check_eof( server );
    closesocket( server );
    closesocket( listener );
}

static void test_datagrams( void )
{
    union address address, peer_address;
    SOCKET s = udp_bound( AF_INET, &address ), peer = udp_bound( AF_INET, &peer_address );
    struct trio trio;
    char buffer[64];

    trio_create( &trio, s );
    check_result( sendto( peer, "one", 3, 0, &address.any, sizeof( address.v4 ) ), 3 );
    check_result( trio_recv( &trio, 2, buffer, sizeof( buffer ) ), 3 );
    trio.puppet.message->address = peer_address;
    check_ok( puppet_do_on( &trio.puppet, PUPPET_CONNECT, trio.third ) );
    check_result( send( trio.first, "two", 3, 0 ), 3 );
    ok( wait_readable( peer, 10000 ), "nothing arrived\n" );
    check_result( recv( peer, buffer, sizeof( buffer ), 0 ), 3 );
    trio_destroy( &trio );
    closesocket( peer );
}

/* That a socket is bound each descriptor knows for itself, from the time when it was opened. */
static void test_bound( void )
{
    union address address, any;
    const int any_length = address_any( &any, AF_INET, 0 );
    SOCKET peer = udp_bound( AF_INET, &address ), s, duplicate;
    WSAPROTOCOL_INFOA info;
    char buffer[16];
    int length;

    for ( int late = 0; late < 2; late++ )
    {
        winetest_push_context( "opened %s", late ? "afterwards" : "before" );
        s = socket( AF_INET, SOCK_DGRAM, 0 );
        duplicate = INVALID_SOCKET;
        check_ok( WSADuplicateSocketA( s, GetCurrentProcessId(), &info ) );
        if ( !late ) duplicate = WSASocketA( 0, 0, 0, &info, 0, WSA_FLAG_OVERLAPPED );
        address_loopback( &address, AF_INET, 0 );
        check_ok( bind( s, &address.any, sizeof( address.v4 ) ) );
        length = sizeof( address );
        check_ok( getsockname( s, &address.any, &length ) );
        if ( late ) duplicate = WSASocketA( 0, 0, 0, &info, 0, WSA_FLAG_OVERLAPPED );
        set_receive_timeout( s, 10000 );
        check_result( sendto( peer, "hello", 5, 0, &address.any, length ), 5 );
        ok( wait_readable( s, 10000 ), "nothing arrived\n" );
        if ( late ) check_result( recvfrom( duplicate, buffer, sizeof( buffer ), 0, NULL, NULL ), 5 );
        else
        {
            check_fails( recvfrom( duplicate, buffer, sizeof( buffer ), 0, NULL, NULL ), WSAEINVAL );
            check_fails( recv( duplicate, buffer, sizeof( buffer ), 0 ), WSAEINVAL );
            check_result( recv( s, buffer, sizeof( buffer ), 0 ), 5 );
        }
        closesocket( duplicate );
        closesocket( s );
        winetest_pop_context();
    }
    /* who binds through the duplicate receives through it */
    s = socket( AF_INET, SOCK_DGRAM, 0 );
    check_ok( WSADuplicateSocketA( s, GetCurrentProcessId(), &info ) );
    duplicate = WSASocketA( 0, 0, 0, &info, 0, WSA_FLAG_OVERLAPPED );
    check_fails( recv( duplicate, buffer, sizeof( buffer ), 0 ), WSAEINVAL );
    check_ok( bind( duplicate, &any.any, any_length ) );
    set_nonblocking( duplicate, TRUE );
    check_fails( recv( duplicate, buffer, sizeof( buffer ), 0 ), WSAEWOULDBLOCK );
    closesocket( duplicate );
    closesocket( s );
    closesocket( peer );
}

/* --- one registration a socket ---------------------------------------------------------------------------------------*/

static int puppet_select( struct trio *trio, long mask )
{
    trio->puppet.message->value = mask;
    return puppet_do_on( &trio->puppet, PUPPET_EVENT_SELECT, trio->third );
}

static BOOL puppet_signalled( struct trio *trio, DWORD milliseconds )
{
    trio->puppet.message->value = milliseconds;
    return puppet_do( &trio->puppet, PUPPET_WAIT_EVENT );
}

static long puppet_events( struct trio *trio )
{
    check_ok( puppet_do_on( &trio->puppet, PUPPET_ENUM_EVENTS, trio->third ) );
    return trio->puppet.message->value;
}

static long events_of( SOCKET s, HANDLE event )
{
    WSANETWORKEVENTS events = { 0 };

    check_ok( WSAEnumNetworkEvents( s, event, &events ) );
    return events.lNetworkEvents;
}

static void test_registration( void )
{
    HANDLE event = CreateEventA( NULL, TRUE, FALSE, NULL ), second_event = CreateEventA( NULL, TRUE, FALSE, NULL );
    SOCKET client, server;
    struct trio trio;
    char buffer[16];
    long events;

    tcp_pair( &client, &server );
    trio_create( &trio, client );

    /* this process registers, the other takes the registration over */
    check_ok( WSAEventSelect( trio.first, event, FD_READ ) );
    check_ok( puppet_select( &trio, FD_READ ) );
    check_result( send( server, "1", 1, 0 ), 1 );
    ok( puppet_signalled( &trio, 10000 ), "the later registration got nothing\n" );
    ok( WaitForSingleObject( event, 100 ) == WAIT_TIMEOUT, "the cancelled registration was signalled\n" );
    events = puppet_events( &trio );
    ok( events == FD_READ, "got events %#lx\n", events );
    check_result( trio_recv( &trio, 1, buffer, 1 ), 1 );

    /* and back */
    check_ok( WSAEventSelect( trio.first, event, FD_READ ) );
    check_result( send( server, "2", 1, 0 ), 1 );
    ok( WaitForSingleObject( event, 10000 ) == WAIT_OBJECT_0, "the later registration got nothing\n" );
    ok( !puppet_signalled( &trio, 100 ), "the cancelled registration was signalled\n" );
    events = events_of( trio.first, event );
    ok( events == FD_READ, "got events %#lx\n", events );

    /* a receive through another descriptor re-enables it: more data, one more event */
    check_result( trio_recv( &trio, 2, buffer, 1 ), 1 );
    ok( WaitForSingleObject( event, 50 ) == WAIT_TIMEOUT, "signalled with nothing to read\n" );
    check_result( send( server, "3", 1, 0 ), 1 );
    ok( WaitForSingleObject( event, 10000 ) == WAIT_OBJECT_0, "no event after a receive through another descriptor\n" );
    events = events_of( trio.first, event );
    ok( events == FD_READ, "got events %#lx\n", events );
    check_result( trio_recv( &trio, 0, buffer, 1 ), 1 );

    /* two descriptors of one process */
    check_ok( WSAEventSelect( trio.second, second_event, FD_READ ) );
    check_result( send( server, "4", 1, 0 ), 1 );
    ok( WaitForSingleObject( second_event, 10000 ) == WAIT_OBJECT_0, "the later registration got nothing\n" );
    ok( WaitForSingleObject( event, 50 ) == WAIT_TIMEOUT, "the cancelled registration was signalled\n" );
    check_result( trio_recv( &trio, 0, buffer, 1 ), 1 );
    ResetEvent( second_event );

    /* not FD_READ for one and FD_CLOSE for the other: the later mask is the whole mask */
    check_ok( WSAEventSelect( trio.first, event, FD_READ ) );
    check_ok( puppet_select( &trio, FD_CLOSE ) );
    check_result( send( server, "5", 1, 0 ), 1 );
    ok( WaitForSingleObject( event, 100 ) == WAIT_TIMEOUT, "FD_READ was delivered to the cancelled registration\n" );
    ok( !puppet_signalled( &trio, 50 ), "FD_READ was delivered to a registration for FD_CLOSE\n" );
    check_result( trio_recv( &trio, 0, buffer, 1 ), 1 );

    /* blocking mode is bound to the registration, whoever asks */
    check_fails( trio_ioctl( &trio, 0, FIONBIO, 0 ), WSAEINVAL );
    check_fails( trio_ioctl( &trio, 2, FIONBIO, 0 ), WSAEINVAL );
    check_ok( trio_ioctl( &trio, 1, FIONBIO, 1 ) );
    /* mask 0 through any descriptor cancels */
    check_ok( WSAEventSelect( trio.second, NULL, 0 ) );
    check_ok( trio_ioctl( &trio, 2, FIONBIO, 0 ) );
    check_ok( closesocket( server ) );
    ok( !puppet_signalled( &trio, 100 ), "a cancelled registration was signalled\n" );

    trio_destroy( &trio );
    CloseHandle( event );
    CloseHandle( second_event );
}

/* A registration ends with the process that made it; the socket stays, and can be registered again. */
static void test_registered_process_dies( void )
{
    HANDLE event = CreateEventA( NULL, TRUE, FALSE, NULL );
    SOCKET client, server;
    struct trio trio;
    long events;
    char byte;

    tcp_pair( &client, &server );
    trio_create( &trio, client );
    check_ok( puppet_select( &trio, FD_READ | FD_CLOSE ) );
    puppet_kill( &trio.puppet );
    check_open( server );
    check_ok( WSAEventSelect( trio.first, event, FD_READ | FD_CLOSE ) );
    check_result( send( server, "x", 1, 0 ), 1 );
    ok( WaitForSingleObject( event, 10000 ) == WAIT_OBJECT_0, "no event\n" );
    events = events_of( trio.first, event );
    ok( events == FD_READ, "got events %#lx\n", events );
    /* a socket closed with unread data resets the connection: that is another matter */
    check_result( recv( trio.second, &byte, 1, 0 ), 1 );
    /* closing the descriptor that registered ends the registration too, not the socket */
    check_ok( closesocket( trio.first ) );
    check_open( server );
    check_flow( trio.second, server );
    check_ok( closesocket( trio.second ) );
    check_eof( server );
    closesocket( server );
    CloseHandle( event );
}

/* The two processes register in turn, and each receives what it is told of: an event that is set has something to read,
 * whether the byte was there before the registration or not. */
static void test_alternating( void )
{
    HANDLE event = CreateEventA( NULL, TRUE, FALSE, NULL );
    unsigned int early = 0, silent = 0, empty = 0, others = 0;
    SOCKET client, server;
    struct trio trio;
    char buffer[16];

    tcp_pair( &client, &server );
    trio_create( &trio, client );
    set_nonblocking( trio.first, TRUE );
    for ( unsigned int turn = 0; turn < 1000; turn++ )
    {
        const BOOL there = turn & 1, before = turn >> 1 & 1, late = turn >> 2 & 1;
        long events;

        if ( before )
        {
            check_ok( WSAEventSelect( trio.first, NULL, 0 ) );
            check_result( send( server, "x", 1, 0 ), 1 );
        }
        if ( there ) check_ok( puppet_select( &trio, FD_READ ) );
        else check_ok( WSAEventSelect( trio.first, event, FD_READ ) );
        if ( !before )
        {
            early += there ? puppet_signalled( &trio, 0 ) : WaitForSingleObject( event, 0 ) == WAIT_OBJECT_0;
            check_result( send( server, "x", 1, 0 ), 1 );
        }
        silent += there ? !puppet_signalled( &trio, 10000 ) : WaitForSingleObject( event, 10000 ) != WAIT_OBJECT_0;
        if ( late ) empty += trio_recv( &trio, there ? 2 : 0, buffer, sizeof( buffer ) ) != 1;
        events = there ? puppet_events( &trio ) : events_of( trio.first, event );
        if ( late ) continue;
        others += events != FD_READ;
        empty += trio_recv( &trio, there ? 2 : 0, buffer, sizeof( buffer ) ) != 1;
    }
    ok( !silent, "%u bytes were not told of\n", silent );
    ok( !empty, "%u times told of there was nothing to read\n", empty );
    ok( !others, "%u times other events\n", others );
    ok( !early, "%u times signalled before there was a byte\n", early );
    trio_destroy( &trio );
    closesocket( server );
    CloseHandle( event );
}

START_TEST( shared )
{
    support_begin();
    test_options();
    test_error_option();
    test_exclusion();
    test_blocking_mode();
    test_data();
    test_state();
    test_datagrams();
    test_bound();
    test_registration();
    test_registered_process_dies();
    test_alternating();
    support_end();
}
