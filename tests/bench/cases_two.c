/* The cases with a second thread, or with a program at the other end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "bench.h"

int bench_load_port;
const char *bench_file;

static int failed( void )
{
    bench_failure = port_error();
    return bench_failure ? bench_failure : -1;
}

static SOCKET client, server, listener;
static port_thread other;

/* --- 64 bytes there and back ----------------------------------------------------------------------------------------------*/

#define PING_SIZE 64
static struct port_event client_event, server_event;

static int receive_by_event( struct port_event *event, char *buffer )
{
    int got;

    while ( ( got = recv( event->s, buffer, PING_SIZE, 0 ) ) < 0 && port_would_block() )
        if ( port_event_wait( event ) ) return -1;
    return got;
}

static void answer( void *argument )
{
    char buffer[PING_SIZE];
    int got;

    (void)argument;
    while ( ( got = recv( server, buffer, sizeof( buffer ), 0 ) ) > 0 ) send( server, buffer, got, 0 );
}

static void answer_by_event( void *argument )
{
    char buffer[PING_SIZE];
    int got;

    (void)argument;
    while ( ( got = receive_by_event( &server_event, buffer ) ) > 0 ) send( server, buffer, got, 0 );
}

int bench_ping_begin( int event )
{
    int error = bench_pair( &client, &server );

    client_event.event = server_event.event = NULL;
    if ( !error && event && !( error = port_event_open( &client_event, client ) ) )
        error = port_event_open( &server_event, server );
    if ( !error ) error = port_thread_start( &other, event ? answer_by_event : answer, NULL );
    if ( error ) bench_failure = error;
    return error;
}

int bench_ping( void )
{
    char buffer[PING_SIZE] = { 0 };

    return send( client, buffer, sizeof( buffer ), 0 ) == PING_SIZE &&
                   recv( client, buffer, sizeof( buffer ), 0 ) == PING_SIZE
               ? 0
               : failed();
}

int bench_ping_event( void )
{
    char buffer[PING_SIZE] = { 0 };

    return send( client, buffer, sizeof( buffer ), 0 ) == PING_SIZE &&
                   receive_by_event( &client_event, buffer ) == PING_SIZE
               ? 0
               : failed();
}

void bench_ping_end( void )
{
    shutdown( client, SD_SEND );
    port_thread_join( other );
    if ( client_event.event ) port_event_close( &client_event );
    if ( server_event.event ) port_event_close( &server_event );
    closesocket( client );
    closesocket( server );
}

/* --- one way ---------------------------------------------------------------------------------------------------------------*/

#define BULK_SIZE 65536
static char bulk_out[BULK_SIZE], bulk_in[BULK_SIZE];

static void swallow( void *argument )
{
    (void)argument;
    while ( recv( server, bulk_in, sizeof( bulk_in ), 0 ) > 0 ) continue;
}

int bench_bulk_begin( int argument )
{
    int error = bench_pair( &client, &server );

    (void)argument;
    return error ? error : port_thread_start( &other, swallow, NULL );
}

int bench_bulk( void ) { return send( client, bulk_out, sizeof( bulk_out ), 0 ) == sizeof( bulk_out ) ? 0 : failed(); }

void bench_bulk_end( void )
{
    shutdown( client, SD_SEND );
    port_thread_join( other );
    closesocket( client );
    closesocket( server );
}

/* --- connections: the server resets each, so that no ports are left in TIME_WAIT ---------------------------------------------*/

static int accept_port;

static void accept_all( void *argument )
{
    SOCKET s;
    char byte = 0;

    (void)argument;
    while ( ( s = accept( listener, NULL, NULL ) ) != INVALID_SOCKET )
    {
        int got = recv( s, &byte, 1, 0 );

        closesocket( s );
        if ( got <= 0 || byte == 'e' ) break;
    }
}

int bench_accept_begin( int argument )
{
    struct linger reset = { 1, 0 };
    int error = bench_listen( &listener, &accept_port );

    (void)argument;
    /* accepted sockets inherit it */
    if ( !error && setsockopt( listener, SOL_SOCKET, SO_LINGER, (char *)&reset, sizeof( reset ) ) ) error = failed();
    return error ? error : port_thread_start( &other, accept_all, NULL );
}

static int connect_once( char byte )
{
    SOCKET s;
    int error;

    if ( ( error = bench_connect( accept_port, &s ) ) ) return error;
    if ( send( s, &byte, 1, 0 ) != 1 ) error = failed();
    /* the server has closed its end */
    if ( !error ) recv( s, &byte, 1, 0 );
    closesocket( s );
    return error;
}

int bench_accept( void ) { return connect_once( 'x' ); }

void bench_accept_end( void )
{
    connect_once( 'e' );
    port_thread_join( other );
    closesocket( listener );
}

/* --- from a program's first call to its first connection: each time another process, which tells how long it took ------------*/

int bench_first_connect_run( int port )
{
    const double begin = port_now();
    char text[32];
    SOCKET s;

    port_begin();
    if ( bench_connect( port, &s ) ) return 1;
    snprintf( text, sizeof( text ), "%.0f\n", port_now() - begin );
    return send( s, text, (int)strlen( text ), 0 ) != (int)strlen( text ) || closesocket( s );
}

double bench_first_connect( double nanoseconds )
{
    const double begin = port_now();
    double sum = 0;
    unsigned int count = 0;
    char text[32];
    SOCKET s;
    int port;

    if ( bench_listen( &listener, &port ) ) return -1;
    do {
        int got = 0, part;

        snprintf( text, sizeof( text ), "%d", port );
        if ( ( bench_failure = port_spawn( "first-connect", text ) ) ) break;
        if ( ( s = accept( listener, NULL, NULL ) ) == INVALID_SOCKET )
        {
            failed();
            break;
        }
        while ( ( part = recv( s, text + got, (int)sizeof( text ) - 1 - got, 0 ) ) > 0 ) got += part;
        closesocket( s );
        text[got] = 0;
        if ( atof( text ) <= 0 ) bench_failure = -1;
        sum += atof( text );
        count++;
    } while ( !bench_failure && ( count < 3 || port_now() - begin < nanoseconds ) );
    closesocket( listener );
    return bench_failure ? -1 : sum / count;
}

/* --- served to the load generator (load.c), the same native program for all ---------------------------------------------------*/

static int command( SOCKET control, const char *text, char *reply, int size )
{
    int got = 0, part;

    if ( send( control, text, (int)strlen( text ), 0 ) != (int)strlen( text ) ) return failed();
    if ( !reply ) return 0;
    while ( !got || reply[got - 1] != '\n' )
    {
        if ( ( part = recv( control, reply + got, size - 1 - got, 0 ) ) <= 0 ) return failed();
        got += part;
    }
    reply[got] = 0;
    return 0;
}

static double echo( unsigned int connections, double nanoseconds )
{
    char text[128];
    SOCKET control;
    double result = -1;
    int port;

    if ( bench_listen( &listener, &port ) || bench_connect( bench_load_port, &control ) ) return -1;
    snprintf( text, sizeof( text ), "echo %d %u %.0f\n", port, connections, nanoseconds );
    if ( !command( control, text, NULL, 0 ) )
    {
        if ( ( bench_failure = port_echo_serve( listener, connections ) ) ) result = -1;
        else if ( !command( control, "\n", text, sizeof( text ) ) )
        {
            result = atof( text );
            if ( result < 0 ) bench_failure = -1;
        }
    }
    closesocket( control );
    closesocket( listener );
    return result;
}

double bench_echo_64( double nanoseconds ) { return echo( 64, nanoseconds ); }
double bench_echo_5000( double nanoseconds ) { return echo( 5000, nanoseconds ); }

/* nanoseconds a 100 MB file, until the receiver has it all */
double bench_transmit( double nanoseconds )
{
    char text[128];
    SOCKET control, s;
    double begin, spent, result = -1;
    unsigned int count = 0;
    int port;

    if ( bench_listen( &listener, &port ) || bench_connect( bench_load_port, &control ) ) return -1;
    snprintf( text, sizeof( text ), "swallow %d %d\n", port, BENCH_FILE_SIZE );
    if ( command( control, text, NULL, 0 ) ) goto no_file;
    if ( ( s = accept( listener, NULL, NULL ) ) == INVALID_SOCKET ) goto no_file;
    if ( ( bench_failure = port_file_open( bench_file ) ) ) goto no_open;
    begin = port_now();
    do {
        char byte;

        if ( ( bench_failure = port_file_send( s, BENCH_FILE_SIZE ) ) ) goto done;
        /* the receiver answers each file with a byte */
        if ( recv( s, &byte, 1, 0 ) != 1 )
        {
            failed();
            goto done;
        }
        count++;
        spent = port_now() - begin;
    } while ( spent < nanoseconds );
    result = spent / count;
done:
    port_file_close();
no_open:
    closesocket( s );
no_file:
    closesocket( control );
    closesocket( listener );
    return result;
}
