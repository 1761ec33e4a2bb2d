/* The cases of one thread, and the table of all. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "bench.h"

int bench_failure;

static int failed( void )
{
    bench_failure = port_error();
    return bench_failure ? bench_failure : -1;
}

static struct sockaddr_in loopback( int port )
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons( port ) };

    address.sin_addr.s_addr = htonl( INADDR_LOOPBACK );
    return address;
}

int bench_listen( SOCKET *listener, int *port )
{
    struct sockaddr_in address = loopback( 0 );
    socklen_t size = sizeof( address );

    if ( ( *listener = socket( AF_INET, SOCK_STREAM, IPPROTO_TCP ) ) == INVALID_SOCKET ) return failed();
    if ( bind( *listener, (struct sockaddr *)&address, sizeof( address ) ) || listen( *listener, 1024 ) ||
         getsockname( *listener, (struct sockaddr *)&address, &size ) )
        return failed();
    *port = ntohs( address.sin_port );
    return 0;
}

int bench_connect( int port, SOCKET *s )
{
    struct sockaddr_in address = loopback( port );

    if ( ( *s = socket( AF_INET, SOCK_STREAM, IPPROTO_TCP ) ) == INVALID_SOCKET ) return failed();
    return connect( *s, (struct sockaddr *)&address, sizeof( address ) ) ? failed() : 0;
}

int bench_pair( SOCKET *client, SOCKET *server )
{
    SOCKET listener;
    int port, error, on = 1;

    if ( ( error = bench_listen( &listener, &port ) ) || ( error = bench_connect( port, client ) ) ) return error;
    if ( ( *server = accept( listener, NULL, NULL ) ) == INVALID_SOCKET ) return failed();
    closesocket( listener );
    if ( setsockopt( *client, IPPROTO_TCP, TCP_NODELAY, (char *)&on, sizeof( on ) ) ||
         setsockopt( *server, IPPROTO_TCP, TCP_NODELAY, (char *)&on, sizeof( on ) ) )
        return failed();
    return 0;
}

/* bound, and connected to itself: what it sends it receives */
int bench_datagram( SOCKET *s )
{
    struct sockaddr_in address = loopback( 0 );
    socklen_t size = sizeof( address );

    if ( ( *s = socket( AF_INET, SOCK_DGRAM, IPPROTO_UDP ) ) == INVALID_SOCKET ) return failed();
    if ( bind( *s, (struct sockaddr *)&address, sizeof( address ) ) ||
         getsockname( *s, (struct sockaddr *)&address, &size ) ||
         connect( *s, (struct sockaddr *)&address, sizeof( address ) ) )
        return failed();
    return 0;
}

/* --- a connection, both ends in this thread -----------------------------------------------------------------------------*/

static SOCKET client, server;

static int pair_begin( int nonblocking )
{
#ifdef _WIN32
    u_long on = 1;
#else
    int on = 1;
#endif
    int error = bench_pair( &client, &server );

    if ( !error && nonblocking && ioctlsocket( client, FIONBIO, &on ) ) error = failed();
    return error;
}

static void pair_end( void )
{
    closesocket( client );
    closesocket( server );
}

static int send_receive( void )
{
    char byte = 'x';

    return send( client, &byte, 1, 0 ) == 1 && recv( server, &byte, 1, 0 ) == 1 ? 0 : failed();
}

static int receive_nothing( void )
{
    char byte;

    return recv( client, &byte, 1, 0 ) < 0 && port_would_block() ? 0 : failed();
}

static int get_option( void )
{
    int value = 0;
    socklen_t size = sizeof( value );

    return getsockopt( client, SOL_SOCKET, SO_ERROR, (char *)&value, &size ) ? failed() : 0;
}

static int bytes_to_read( void )
{
#ifdef _WIN32
    u_long count;
#else
    int count;
#endif
    return ioctlsocket( client, FIONREAD, &count ) ? failed() : 0;
}

static int get_name( void )
{
    struct sockaddr_in address;
    socklen_t size = sizeof( address );

    return getsockname( client, (struct sockaddr *)&address, &size ) ? failed() : 0;
}

/* --- many sockets -------------------------------------------------------------------------------------------------------*/

static SOCKET *many;
static WSAPOLLFD *poll_fds;
static int many_count, many_ready;
static SOCKET many_highest;
static fd_set many_set;

/* datagram sockets, the last `ready` of them with something to read */
static int many_begin( int count, int ready )
{
    int error;

    many = calloc( count, sizeof( *many ) );
    poll_fds = calloc( count, sizeof( *poll_fds ) );
    many_ready = ready;
    many_highest = 0;
    for ( many_count = 0; many_count < count; many_count++ )
    {
        if ( ( error = bench_datagram( &many[many_count] ) ) ) return error;
        if ( many_count >= count - ready && send( many[many_count], "x", 1, 0 ) != 1 ) return failed();
        if ( many[many_count] > many_highest ) many_highest = many[many_count];
        poll_fds[many_count].fd = many[many_count];
        poll_fds[many_count].events = POLLIN;
    }
    return 0;
}

static void many_end( void )
{
    for ( int i = 0; i < many_count; i++ ) closesocket( many[i] );
    free( many );
    free( poll_fds );
}

static int select_begin_with( int count, int ready )
{
    int error = many_begin( count, ready );

    FD_ZERO( &many_set );
    for ( int i = 0; !error && i < count; i++ ) FD_SET( many[i], &many_set );
    return error;
}

static int select_begin( int count ) { return select_begin_with( count, count ); }

static int select_one_begin( int count ) { return select_begin_with( count, 1 ); }

static int select_idle_begin( int count ) { return select_begin_with( count, 0 ); }

static int select_many( void )
{
    struct timeval none = { 0, 0 };
    fd_set set;

    memcpy( &set, &many_set, port_set_size( &many_set ) );
    return select( (int)many_highest + 1, &set, NULL, NULL, &none ) == many_ready ? 0 : failed();
}

static int poll_begin( int count ) { return many_begin( count, 1 ); }

static int poll_idle_begin( int count ) { return many_begin( count, 0 ); }

static int poll_many( void ) { return WSAPoll( poll_fds, many_count, 0 ) == many_ready ? 0 : failed(); }

/* --- datagrams, sockets coming and going --------------------------------------------------------------------------------*/

static int datagram_begin( int argument )
{
    (void)argument;
    return bench_datagram( &client );
}

static void datagram_end( void ) { closesocket( client ); }

static int datagram( void )
{
    char buffer[100] = { 0 };

    return send( client, buffer, sizeof( buffer ), 0 ) == sizeof( buffer ) &&
                   recv( client, buffer, sizeof( buffer ), 0 ) == sizeof( buffer )
               ? 0
               : failed();
}

static int nothing_begin( int argument )
{
    (void)argument;
    return 0;
}

static void nothing_end( void ) {}

static int create_close( void )
{
    SOCKET s = socket( AF_INET, SOCK_STREAM, IPPROTO_TCP );

    return s == INVALID_SOCKET || closesocket( s ) ? failed() : 0;
}

#define PASSES 1

static int pass_begin( int argument )
{
    int error = pair_begin( argument );

    if ( !error && ( error = port_pass_open() ) ) bench_failure = error;
    return error;
}

static int pass( void )
{
    int error = port_pass( client, PASSES );

    if ( error ) bench_failure = error;
    return error;
}

static void pass_end( void )
{
    port_pass_close();
    pair_end();
}

static int conversation_begin( int argument )
{
    (void)argument;
    return bench_failure = port_conversation_open();
}

static int conversation( void ) { return bench_failure = port_conversation(); }

static int packet_begin( int argument )
{
    (void)argument;
    return bench_failure = port_packet_open();
}

static int packet( void ) { return bench_failure = port_packet(); }

const struct bench_case bench_cases[] = {
    { "conversation", conversation_begin, conversation, port_conversation_close, 0, 16, 1, NULL },
    { "send-recv", pair_begin, send_receive, pair_end, 0, 16, 1, NULL },
    { "recv-would-block", pair_begin, receive_nothing, pair_end, 1, 64, 1, NULL },
    { "select-1", select_begin, select_many, many_end, 1, 64, 1, NULL },
    { "select-64", select_begin, select_many, many_end, 64, 8, 1, NULL },
    { "select-900", select_one_begin, select_many, many_end, 900, 1, 1, NULL },
    { "select-idle-200", select_idle_begin, select_many, many_end, 200, 4, 1, NULL },
    { "select-idle-900", select_idle_begin, select_many, many_end, 900, 1, 1, NULL },
    { "poll-1000", poll_begin, poll_many, many_end, 1000, 1, 1, NULL },
    { "poll-idle-200", poll_idle_begin, poll_many, many_end, 200, 4, 1, NULL },
    { "poll-idle-1000", poll_idle_begin, poll_many, many_end, 1000, 1, 1, NULL },
    { "poll-idle-5000", poll_idle_begin, poll_many, many_end, 5000, 1, 1, NULL },
    { "getsockopt", pair_begin, get_option, pair_end, 0, 64, 1, NULL },
    { "fionread", pair_begin, bytes_to_read, pair_end, 0, 64, 1, NULL },
    { "getsockname", pair_begin, get_name, pair_end, 0, 64, 1, NULL },
    { "ping-pong", bench_ping_begin, bench_ping, bench_ping_end, 0, 8, 1, NULL },
    { "ping-pong-event", bench_ping_begin, bench_ping_event, bench_ping_end, 1, 8, 1, NULL },
    { "bulk", bench_bulk_begin, bench_bulk, bench_bulk_end, 0, 4, 1, NULL },
    { "udp", datagram_begin, datagram, datagram_end, 0, 16, 1, NULL },
    { "socket-close", nothing_begin, create_close, nothing_end, 0, 16, 1, NULL },
    { "connect-accept", bench_accept_begin, bench_accept, bench_accept_end, 0, 4, 1, NULL },
    { "duplicate", pass_begin, pass, pass_end, 0, 1, PASSES, NULL },
    { "localhost", bench_names_begin, bench_localhost, bench_names_end, 0, 16, 1, NULL },
    { "no-node", bench_names_begin, bench_no_node, bench_names_end, 0, 16, 1, NULL },
    { "gethostbyname", bench_names_begin, bench_gethostbyname, bench_names_end, 0, 16, 1, NULL },
    { "own-name", bench_names_begin, bench_own_name, bench_names_end, 0, 16, 1, NULL },
    { "first-connect", NULL, NULL, NULL, 0, 0, 0, bench_first_connect },
    { "post-get", packet_begin, packet, port_packet_close, 0, 64, 1, NULL },
    { "echo-64", NULL, NULL, NULL, 0, 0, 0, bench_echo_64 },
    { "echo-5000", NULL, NULL, NULL, 0, 0, 0, bench_echo_5000 },
    { "transmit-file", NULL, NULL, NULL, 0, 0, 0, bench_transmit },
    { NULL, NULL, NULL, NULL, 0, 0, 0, NULL },
};
