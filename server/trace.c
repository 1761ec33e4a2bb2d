/*
 * WS2DEBUG=server, in the environment of the program that starts the server: a line for each message and what comes of it,
 * for processes that come and end, and for take-overs; in WS2DEBUG_FILE with "server" for %p, or, without that or in the
 * foreground, in the file trace-server of the server directory, or on standard error.
 *
 * 12:34:56.789012 server 292: REDEEM ticket 5f3a21 = 0, slot 64.2
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "server.h"

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
    const char *file = getenv( "WS2DEBUG_FILE" ), *place;
    char path[4096];

    if ( !is_wanted() ) return;
    if ( file && *file == '/' && ( place = strstr( file, "%p" ) ) &&
         snprintf( path, sizeof( path ), "%.*sserver%s", (int)( place - file ), file, place + 2 ) <
             (int)sizeof( path ) )
        trace_fd = open( path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600 );
    else if ( foreground ) trace_fd = fcntl( 2, F_DUPFD_CLOEXEC, 3 );
    if ( trace_fd < 0 )
        trace_fd = openat( directory, WS2_SERVER_TRACE, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600 );
    server_tracing = trace_fd >= 0;
}

void server_trace_line( const char *format, ... )
{
    const int error = errno;
    struct timespec now;
    char line[512];
    struct tm local;
    va_list args;
    int length;

    clock_gettime( CLOCK_REALTIME, &now );
    localtime_r( &now.tv_sec, &local );
    length = snprintf( line, sizeof( line ), "%02d:%02d:%02d.%06ld server ", local.tm_hour, local.tm_min, local.tm_sec,
                       now.tv_nsec / 1000 );
    va_start( args, format );
    length += vsnprintf( line + length, sizeof( line ) - length, format, args );
    va_end( args );
    if ( length >= (int)sizeof( line ) ) length = sizeof( line ) - 1;
    line[length++] = '\n';
    if ( write( trace_fd, line, length ) < 0 ) server_tracing = 0; /* a full disk is no reason to be slow */
    errno = error;
}
