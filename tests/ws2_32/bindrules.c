/*
 * Who may bind what (facts: sockets-1 section 5, sockets-2 section 4): SO_REUSEADDR, SO_EXCLUSIVEADDRUSE, wildcards and
 * single addresses, IPv4 and dual-stack IPv6, with both binders in one process and in two; who gets the connections.
 */
#include "puppets.h"

enum where
{
    ANY4,
    LOOP4,
    ANY6,
    LOOP6,
    MAPPED_ANY,
    MAPPED_LOOP
};

static const char *const where_names[] = { "0.0.0.0", "127.0.0.1",        "[::]",
                                           "[::1]",   "[::ffff:0.0.0.0]", "[::ffff:127.0.0.1]" };

static int where_family( enum where where ) { return where == ANY4 || where == LOOP4 ? AF_INET : AF_INET6; }

static int where_address( union address *address, enum where where, int port )
{
    int length;

    if ( where == ANY4 || where == ANY6 ) return address_any( address, where_family( where ), port );
    length = address_loopback( address, where_family( where ), port );
    if ( where == MAPPED_ANY || where == MAPPED_LOOP )
    {
        BYTE *bytes = address->v6.sin6_addr.s6_addr;

        memset( bytes, 0, 16 );
        bytes[10] = bytes[11] = 0xff;
        if ( where == MAPPED_LOOP ) bytes[12] = 127, bytes[15] = 1;
    }
    return length;
}

static void set_option( SOCKET s, int option, int value )
{
    check_ok( setsockopt( s, SOL_SOCKET, option, (char *)&value, sizeof( value ) ) );
}

static SOCKET make( enum where where, BOOL exclusive )
{
    SOCKET s = socket( where_family( where ), SOCK_STREAM, IPPROTO_TCP );
    int off = 0;

    if ( where_family( where ) == AF_INET6 )
        check_ok( setsockopt( s, IPPROTO_IPV6, IPV6_V6ONLY, (char *)&off, sizeof( off ) ) );
    if ( exclusive ) set_option( s, SO_EXCLUSIVEADDRUSE, 1 );
    return s;
}

static const struct
{
    enum where first;
    BOOL first_exclusive;
    enum where second;
    BOOL second_exclusive;
    int error;
} exclusive_rows[] = {
    { ANY4, TRUE, LOOP4, FALSE, WSAEACCES },
    { ANY4, TRUE, LOOP4, TRUE, WSAEACCES },
    { ANY6, TRUE, LOOP4, FALSE, WSAEACCES },
    { ANY6, TRUE, ANY4, FALSE, WSAEACCES },
    { ANY4, FALSE, LOOP4, TRUE, 0 },
    { ANY6, FALSE, ANY4, TRUE, 0 },
    { ANY6, FALSE, ANY4, FALSE, 0 },
    { LOOP4, TRUE, ANY4, FALSE, 0 },
    { LOOP4, FALSE, ANY4, TRUE, WSAEADDRINUSE },
    { LOOP4, FALSE, ANY6, TRUE, WSAEADDRINUSE },
    { MAPPED_LOOP, FALSE, ANY4, TRUE, WSAEADDRINUSE },
    { LOOP6, FALSE, ANY4, TRUE, 0 },
    { LOOP6, TRUE, LOOP4, TRUE, 0 },
    { ANY4, FALSE, ANY4, FALSE, WSAEADDRINUSE },
    { ANY4, FALSE, ANY4, TRUE, WSAEADDRINUSE },
    { LOOP4, TRUE, LOOP4, FALSE, WSAEADDRINUSE },
    { LOOP4, FALSE, LOOP4, TRUE, WSAEADDRINUSE },
    { MAPPED_ANY, FALSE, ANY4, FALSE, WSAEADDRINUSE },
    { MAPPED_LOOP, FALSE, LOOP4, FALSE, WSAEADDRINUSE },
    { LOOP4, FALSE, MAPPED_LOOP, FALSE, WSAEADDRINUSE },
};

/* puppet: the process of the second binder, NULL for this one */
static void test_exclusive( struct puppet *puppet )
{
    union address address;
    SOCKET first, second;
    unsigned int i;
    int length;

    for ( i = 0; i < ARRAY_SIZE( exclusive_rows ); i++ )
    {
        if ( !have_ipv6() && ( exclusive_rows[i].first > LOOP4 || exclusive_rows[i].second > LOOP4 ) ) continue;
        winetest_push_context( "%s%s, %s%s%s", where_names[exclusive_rows[i].first],
                               exclusive_rows[i].first_exclusive ? " X" : "", where_names[exclusive_rows[i].second],
                               exclusive_rows[i].second_exclusive ? " X" : "", puppet ? ", another process" : "" );
        first = make( exclusive_rows[i].first, exclusive_rows[i].first_exclusive );
        length = where_address( &address, exclusive_rows[i].first, 0 );
        check_ok( bind( first, &address.any, length ) );
        second = make( exclusive_rows[i].second, exclusive_rows[i].second_exclusive );
        length = where_address( &address, exclusive_rows[i].second, socket_port( first ) );
        if ( puppet )
        {
            /* the second binder's process gets the socket unbound, with its options */
            SOCKET there;

            check_ok( WSADuplicateSocketA( second, puppet->pid, &puppet->message->info_a ) );
            puppet->message->family = puppet->message->type = puppet->message->protocol = FROM_PROTOCOL_INFO;
            puppet->message->flags = 0;
            there = puppet_do( puppet, PUPPET_OPEN_A );
            check_ok( closesocket( second ) );
            puppet->message->address = address;
            if ( exclusive_rows[i].error )
                check_fails( puppet_do_on( puppet, PUPPET_BIND, there ), exclusive_rows[i].error );
            else check_ok( puppet_do_on( puppet, PUPPET_BIND, there ) );
            check_ok( puppet_do_on( puppet, PUPPET_CLOSE, there ) );
            check_ok( closesocket( first ) );
            winetest_pop_context();
            continue;
        }
        if ( exclusive_rows[i].error )
        {
            check_fails( bind( second, &address.any, length ), exclusive_rows[i].error );
            /* refused, it is unbound as before, and once the owner is gone it may */
            check_ok( closesocket( first ) );
            check_ok( bind( second, &address.any, length ) );
        }
        else
        {
            check_ok( bind( second, &address.any, length ) );
            ok( socket_port( second ) == socket_port( first ), "got port %d\n", socket_port( second ) );
            check_ok( closesocket( first ) );
        }
        check_ok( closesocket( second ) );
        winetest_pop_context();
    }
}

static void test_reuse( enum where where )
{
    union address address;
    SOCKET first, second;
    int length, port;

    winetest_push_context( "%s", where_names[where] );
    /* the owner did not consent */
    first = make( where, FALSE );
    length = where_address( &address, where, 0 );
    check_ok( bind( first, &address.any, length ) );
    port = socket_port( first );
    second = make( where, FALSE );
    set_option( second, SO_REUSEADDR, 1 );
    where_address( &address, where, port );
    check_fails( bind( second, &address.any, length ), WSAEACCES );
    closesocket( first );
    closesocket( second );

    /* it did: the newcomer must ask too */
    first = make( where, FALSE );
    set_option( first, SO_REUSEADDR, 1 );
    where_address( &address, where, 0 );
    check_ok( bind( first, &address.any, length ) );
    where_address( &address, where, socket_port( first ) );
    second = make( where, FALSE );
    check_result( bind( second, &address.any, length ), SOCKET_ERROR );
    set_option( second, SO_REUSEADDR, 1 );
    check_ok( bind( second, &address.any, length ) );
    closesocket( first );
    closesocket( second );

    /* an exclusive owner does not share */
    first = make( where, TRUE );
    where_address( &address, where, 0 );
    check_ok( bind( first, &address.any, length ) );
    where_address( &address, where, socket_port( first ) );
    second = make( where, FALSE );
    set_option( second, SO_REUSEADDR, 1 );
    check_fails( bind( second, &address.any, length ), WSAEACCES );
    closesocket( first );
    closesocket( second );
    winetest_pop_context();
}

/* The socket that a connection to the address arrives at: 0 or 1. */
static int arrives_at( const union address *address, int length, SOCKET first, SOCKET second )
{
    SOCKET client = socket( address->any.sa_family, SOCK_STREAM, 0 ), server;
    struct timeval timeout = { 5, 0 };
    fd_set set;
    int which;

    check_ok( connect( client, &address->any, length ) );
    FD_ZERO( &set );
    FD_SET( first, &set );
    if ( second != INVALID_SOCKET ) FD_SET( second, &set );
    check_result( select( 0, &set, NULL, NULL, &timeout ), 1 );
    which = !FD_ISSET( first, &set );
    server = accept( which ? second : first, NULL, NULL );
    ok( server != INVALID_SOCKET, "accept failed, error %d\n", WSAGetLastError() );
    closesocket( client );
    closesocket( server );
    return which;
}

/* Wildcard and single address on one port, both listening: the single address gets its connections. */
static void test_wildcard( int family )
{
    enum where any = family == AF_INET ? ANY4 : ANY6, loop = family == AF_INET ? LOOP4 : LOOP6;
    union address address;
    SOCKET wild, single;
    int order, length, port;

    for ( order = 0; order < 2; order++ )
    {
        winetest_push_context( "family %d, %s first", family, order ? "wildcard" : "single" );
        wild = make( any, FALSE );
        single = make( loop, FALSE );
        length = where_address( &address, order ? any : loop, 0 );
        check_ok( bind( order ? wild : single, &address.any, length ) );
        check_ok( listen( order ? wild : single, 5 ) );
        port = socket_port( order ? wild : single );
        where_address( &address, order ? loop : any, port );
        check_ok( bind( order ? single : wild, &address.any, length ) );
        check_ok( listen( order ? single : wild, 5 ) );
        where_address( &address, loop, port );
        ok( !arrives_at( &address, length, single, wild ), "it went to the wildcard\n" );
        ok( !arrives_at( &address, length, single, wild ), "it went to the wildcard\n" );
        closesocket( single );
        ok( !arrives_at( &address, length, wild, INVALID_SOCKET ), "it went nowhere\n" );
        closesocket( wild );
        winetest_pop_context();
    }
}

/* Several on one endpoint: the earliest gets everything, then the next. */
static void test_chain( void )
{
    union address address;
    SOCKET s[4];
    int i, length;

    for ( i = 0; i < 4; i++ )
    {
        s[i] = make( LOOP4, FALSE );
        set_option( s[i], SO_REUSEADDR, 1 );
    }
    length = where_address( &address, LOOP4, 0 );
    check_ok( bind( s[0], &address.any, length ) );
    where_address( &address, LOOP4, socket_port( s[0] ) );
    check_ok( bind( s[1], &address.any, length ) );
    check_ok( listen( s[0], 5 ) );
    check_ok( listen( s[1], 5 ) );
    ok( !arrives_at( &address, length, s[0], s[1] ), "the second got it\n" );
    ok( !arrives_at( &address, length, s[0], s[1] ), "the second got it\n" );
    closesocket( s[0] );
    check_ok( bind( s[2], &address.any, length ) );
    ok( !arrives_at( &address, length, s[1], INVALID_SOCKET ), "nobody got it\n" );
    closesocket( s[1] );
    check_ok( bind( s[3], &address.any, length ) );
    check_ok( listen( s[2], 5 ) );
    ok( !arrives_at( &address, length, s[2], INVALID_SOCKET ), "nobody got it\n" );
    closesocket( s[2] );
    check_ok( listen( s[3], 5 ) );
    ok( !arrives_at( &address, length, s[3], INVALID_SOCKET ), "nobody got it\n" );
    closesocket( s[3] );
}

/* A server that starts again binds its port though old connections are in TIME_WAIT. */
static void test_time_wait( void )
{
    union address address;
    SOCKET listener = tcp_listener( AF_INET, &address ), client, server;

    client = socket( AF_INET, SOCK_STREAM, 0 );
    check_ok( connect( client, &address.any, 16 ) );
    server = accept_one( listener );
    check_ok( closesocket( server ) );
    check_eof( client );
    check_ok( closesocket( client ) );
    check_ok( closesocket( listener ) );
    listener = socket( AF_INET, SOCK_STREAM, 0 );
    check_ok( bind( listener, &address.any, 16 ) );
    check_ok( listen( listener, 1 ) );
    closesocket( listener );
}

/* TCP and UDP ports do not meet; nor does a port whose holder died. */
static void test_others( void )
{
    union address address;
    SOCKET tcp = tcp_bound( AF_INET, &address ), udp = socket( AF_INET, SOCK_DGRAM, 0 ), s;
    struct puppet puppet;
    int i;

    if ( bind( udp, &address.any, 16 ) ) ok( WSAGetLastError() == WSAEADDRINUSE, "got error %d\n", WSAGetLastError() );
    else ok( socket_port( udp ) == socket_port( tcp ), "another port\n" );
    closesocket( udp );
    closesocket( tcp );

    puppet_create( &puppet, 0 );
    puppet.message->family = AF_INET;
    puppet.message->type = SOCK_STREAM;
    puppet.message->protocol = 0;
    puppet.message->flags = 0;
    puppet.message->s = puppet_do( &puppet, PUPPET_NEW );
    puppet.message->address = address;
    check_ok( puppet_do( &puppet, PUPPET_BIND ) );
    s = socket( AF_INET, SOCK_STREAM, 0 );
    check_fails( bind( s, &address.any, 16 ), WSAEADDRINUSE );
    puppet_kill( &puppet );
    for ( i = 0; i < 100 && bind( s, &address.any, 16 ); i++ ) Sleep( 20 );
    ok( i < 100, "the port is still held, error %d\n", WSAGetLastError() );
    closesocket( s );
}

START_TEST( bindrules )
{
    struct puppet puppet;

    support_begin();
    if ( !have_ipv6() ) skip( "no IPv6 loopback\n" );
    test_exclusive( NULL );
    puppet_create( &puppet, 0 );
    test_exclusive( &puppet );
    puppet_destroy( &puppet );
    test_reuse( LOOP4 );
    test_reuse( ANY4 );
    if ( have_ipv6() ) test_reuse( LOOP6 );
    test_wildcard( AF_INET );
    if ( have_ipv6() ) test_wildcard( AF_INET6 );
    test_chain();
    test_time_wait();
    test_others();
    support_end();
}
