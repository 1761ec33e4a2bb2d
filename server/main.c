/*
 * ws2server: owns the socket table of one user and prefix. Started by the first process that needs it (see
 * dlls/ws2host/client/connection.c), with the server directory as its argument; leaves when nobody has needed it for a while.
 *
 * The start-up process ends only when the server listens, or has found that another one does: the process that started
 * it can connect at once.
 */
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "server.h"

#define LINGER_DEFAULT 5.0 /* seconds */

static uint64_t linger_time( void )
{
    const char *text = getenv( "WS2SERVER_LINGER" );
    char *end;
    double seconds = text && *text ? strtod( text, &end ) : LINGER_DEFAULT;

    if ( text && *text && ( *end || !( seconds >= 0 && seconds < 1e6 ) ) ) seconds = LINGER_DEFAULT;
    return seconds * 1000;
}

static int is_needed( void ) { return clients_alive() || connections_open() || tickets_open(); }

static uint64_t deadline( void )
{
    const uint64_t others[] = { connections_deadline(), nodes_deadline(), closing_deadline() };
    uint64_t first = place_deadline();

    for ( int i = 0; i < 3; i++ )
        if ( others[i] && others[i] < first ) first = others[i];
    return first;
}

static void run( void )
{
    connections_run();
    guesses_forget();
    clients_tell_ended();
    place_look();
    nodes_run();
    closing_run();
}

static int is_over( void ) { return place_is_lost() || limits_are_left() || closing_is_stuck(); }

static int serve( int ready, int foreground )
{
    static const struct loop_work work = { is_needed, deadline, run, is_over };
    const int taken = place_take();
    int null;

    if ( taken <= 0 ) return taken < 0;
    if ( limits_raise() < 0 ) return 1;
    /* the threads that close descriptors need no memory of their own */
    mallopt( M_ARENA_MAX, 1 );
    if ( loop_create() < 0 || closing_begin() < 0 || !claims_reserve() ) return fail( "cannot begin" ) < 0;
    connections_begin( ( struct connection_reader ){ request_receive, request_go_on } );
    trace_begin( place_directory(), foreground );
    if ( place_listen() < 0 ) return 1;
    server_trace( "listens" );
    if ( !foreground )
    {
        if ( ( null = open( "/dev/null", O_RDWR | O_CLOEXEC ) ) < 0 ) return fail( "/dev/null" ) < 0;
        for ( int fd = 0; fd <= 2; fd++ ) dup2( null, fd );
        if ( null > 2 ) close( null );
    }
    if ( ready >= 0 )
    {
        if ( write( ready, "", 1 ) < 0 ) return 1;
        close( ready );
    }
    loop_run( &work, linger_time() );
    /* nobody has a table of this server's; if it never had one, it is as the server before left it */
    server_trace( "leaves" );
    place_leave( !is_needed() && !is_over() && ( table_mapping() || place_was_left() ) );
    return 0;
}

/* The server itself in the background; the process that was started waits until it listens. */
static int start_in_background( void )
{
    int ends[2], status;
    char byte;
    pid_t child;

    if ( pipe2( ends, O_CLOEXEC ) < 0 ) return fail( "pipe" ) < 0;
    child = fork();
    if ( child < 0 ) return fail( "fork" ) < 0;
    if ( !child )
    {
        close( ends[0] );
        setsid();
        _exit( serve( ends[1], 0 ) );
    }
    close( ends[1] );
    if ( read( ends[0], &byte, 1 ) == 1 ) return 0;
    if ( waitpid( child, &status, 0 ) != child ) return 1;
    if ( WIFSIGNALED( status ) ) return WS2_SERVER_KILLED;
    return WIFEXITED( status ) ? WEXITSTATUS( status ) : 1;
}

int main( int argc, char **argv )
{
    const int foreground = argc > 1 && !strcmp( argv[1], "--foreground" );

    signal( SIGPIPE, SIG_IGN );
    signal( SIGXFSZ, SIG_IGN ); /* a limit of file sizes is told by an error */
    syscall( SYS_close_range, 3, ~0u, 0 );
    umask( 077 );
    if ( argc == 2 && !strcmp( argv[1], "--version" ) )
    {
        puts( "ws2server (ws2host) " WS2_VERSION );
        return 0;
    }
    if ( argc != 2 + foreground || ( argc == 2 && argv[1][0] == '-' ) )
    {
        fprintf( stderr, "Usage: ws2server [--foreground] DIRECTORY | --version\n"
                         "The server of ws2host's socket table; Windows programs start it by themselves.\n" );
        return 2;
    }
    if ( place_open( argv[1 + foreground] ) < 0 || chdir( "/" ) < 0 ) return 1;
    return foreground ? serve( -1, 1 ) : start_in_background();
}
