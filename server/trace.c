/*
 * WS2DEBUG=server, in the environment of the program that starts the server: a line for each message and what comes of it,
 * for processes that come and end, and for take-overs; in WS2DEBUG_FILE with "server" for %p, or, without that or in the
 * foreground, in the file trace-server of the server directory, or on standard error.
 *
 * 12:34:56.789012 server 292: REDEEM ticket 5f3a21 = 0, slot 64.2
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include "server.h"
#include "ws2host/trace_text.h"

int server_tracing;

static int trace_fd = -1;

static int is_wanted( void )
{
    const char *words = getenv( "WS2DEBUG" );

    while ( words && *( words += strspn( words, " ;\n" ) ) )
    {
        const size_t length = strcspn( words, " ;\n" );

        if ( length == 6 && !strncmp( words, "server", 6 ) ) return 1;
        words += length;
    }
    return 0;
}

void trace_begin( int directory, int foreground )
{
    const char *file = getenv( "WS2DEBUG_FILE" );
    char path[4096];

    if ( !is_wanted() ) return;
    if ( file && *file == '/' && strstr( file, "%p" ) && ws2_trace_path( path, sizeof( path ), file, "server" ) )
        trace_fd = open( path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600 );
    else if ( foreground ) trace_fd = fcntl( 2, F_DUPFD_CLOEXEC, 3 );
    if ( trace_fd < 0 )
        trace_fd = openat( directory, WS2_SERVER_TRACE, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600 );
    server_tracing = trace_fd >= 0;
}

void server_trace_line( const char *format, ... )
{
    va_list args;

    va_start( args, format );
    if ( ws2_trace_line( trace_fd, "server", format, args ) < 0 )
        server_tracing = 0; /* a full disk is no reason to be slow */
    va_end( args );
}
