/*
 * WS2DEBUG: what the program's calls are told of, and where that is written.
 *
 * The words are read here, from the environment and from what `ws2ctl trace` leaves in the server's directory, and handed to
 * the PE side, which writes the lines. Whoever acquires a descriptor compares a number of the process's record in the table
 * with the one it knows (connection.h); when it is another one, the words are read again. One mutex.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "client/connection.h"
#include "client/directory.h"
#include "base/host_mutex.h"
#include "base/host_trace.h"
#include "base/unix_private.h"
#include "calls/trace.h"
#include "ws2host/trace_text.h"

/* what the PE side writes the lines of */
#define WS2_TRACE_OF_CALLS ( WS2_TRACE_CALLS | WS2_TRACE_ERRORS | WS2_TRACE_EVENTS | WS2_TRACE_OVERLAPPED )

static int log_fd = 2;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct ws2_trace_selection_params selection; /* in force */
static struct ws2_trace_selection_params environment;
static volatile uint32_t *pe_tracing;
static uint32_t selections; /* made so far */

static const char help[] =
    "WS2DEBUG says what ws2host writes of a program's Winsock calls. Words, with blanks or semicolons between them:\n"
    "  trace                  every call, when it has ended: time, process and thread, program, arguments, result, "
    "error.\n"
    "                         A call that waits longer than 10 ms is told of when it does, too\n"
    "  trace:send,recv        these functions only\n"
    "  trace:connect:0x44     on this SOCKET only; trace::0x44 every function on it\n"
    "  errors                 the calls that fail, except with WSA_IO_PENDING\n"
    "  events                 network events, when the program is told of them\n"
    "  overlapped             the ends of overlapped operations\n"
    "  host                   what the part on the host does by itself: its conversations with ws2server, the I/O "
    "loop\n"
    "  server                 what ws2server does, if this program starts it: in WS2DEBUG_FILE where that has a %p, "
    "for\n"
    "                         which \"server\" stands, or else in the file trace-server of its directory\n"
    "  help                   this\n"
    "WS2DEBUG_FILE names a file for the lines, instead of standard error; %p in it stands for the process.\n"
    "`ws2ctl trace PID WORD...` does the same to a program that runs, `ws2ctl trace PID off` undoes it.\n";

static void write_all( int fd, const char *text, size_t size )
{
    if ( write( fd, text, size ) < 0 ) return;
}

char trace_log_file[4096] WS2_SPARSE;

/* The log is to be had no more, or never was: said once, on stderr. */
static void log_fails( const char *what, const char *remedy )
{
    static _Atomic int said;
    char line[sizeof( trace_log_file ) + 256];
    int length = snprintf( line, sizeof( line ), "ws2host: cannot %s WS2DEBUG_FILE %s: %s; %s\n", what, trace_log_file,
                           strerror( errno ), remedy );

    if ( atomic_exchange( &said, 1 ) ) return;
    write_all( 2, line, length < (int)sizeof( line ) ? length : (int)sizeof( line ) - 1 );
}

NTSTATUS unix_log( void *args )
{
    struct ws2_log_params *params = args;
    const char *text = (const char *)(uintptr_t)params->text;
    uint32_t done = 0;

    while ( done < params->size )
    {
        ssize_t n = write( log_fd, text + done, params->size - done );
        if ( n < 0 && errno == EINTR ) continue;
        if ( n < 0 && log_fd != 2 ) log_fails( "write to", "make room for it" );
        if ( n <= 0 ) break;
        done += n;
    }
    params->error = 0;
    return 0;
}

static void open_log( uint32_t windows_pid )
{
    const char *file = getenv( "WS2DEBUG_FILE" );
    char who[16];
    int fd;

    if ( !file || !*file ) return;
    snprintf( who, sizeof( who ), "%u", windows_pid );
    if ( !ws2_trace_path( trace_log_file, sizeof( trace_log_file ), file, who ) ) return;
    if ( ( fd = open( trace_log_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600 ) ) >= 0 ) log_fd = fd;
    else log_fails( "open", "its lines are written here; make its folder, or name another file" );
}

/* trace[:FUNCTION,...][:SOCKET], its colon behind `word`. 0 when that is no such thing. */
static int read_trace( struct ws2_trace_selection_params *result, const char *word, size_t length )
{
    const char *colon, *end = word + length;
    char *after;

    result->what |= WS2_TRACE_CALLS;
    if ( !length ) return 1;
    if ( *word++ != ':' ) return 0;
    if ( !( colon = memchr( word, ':', end - word ) ) ) colon = end;
    if ( colon > word )
        snprintf( result->functions, sizeof( result->functions ), ",%.*s,", (int)( colon - word ), word );
    if ( colon == end ) return 1;
    result->socket = strtoull( colon + 1, &after, 0 );
    return after == end && after > colon + 1;
}

/* One that is no word is told, and left out. */
static void read_words( struct ws2_trace_selection_params *result, const char *text, int tell )
{
    static const struct
    {
        const char *word;
        uint32_t what;
    } words[] = { { "errors", WS2_TRACE_ERRORS },
                  { "events", WS2_TRACE_EVENTS },
                  { "overlapped", WS2_TRACE_OVERLAPPED },
                  { "host", WS2_TRACE_HOST },
                  { "server", WS2_TRACE_SERVER } };

    memset( result, 0, sizeof( *result ) );
    while ( *( text += strspn( text, " ;\n" ) ) )
    {
        const size_t length = strcspn( text, " ;\n" );
        int known = length >= 5 && !strncmp( text, "trace", 5 ) && read_trace( result, text + 5, length - 5 );

        for ( unsigned int i = 0; i < sizeof( words ) / sizeof( words[0] ); i++ )
            if ( strlen( words[i].word ) == length && !strncmp( text, words[i].word, length ) )
            {
                result->what |= words[i].what;
                known = 1;
            }
        if ( length == 3 && !strncmp( text, "off", 3 ) ) known = 1;
        if ( length == 4 && !strncmp( text, "help", 4 ) )
        {
            known = 1;
            if ( tell ) write_all( 2, help, sizeof( help ) - 1 );
        }
        if ( !known && tell )
        {
            char line[200];
            const int size = snprintf( line, sizeof( line ),
                                       "ws2host: WS2DEBUG: \"%.*s\" is none of its words; WS2DEBUG=help "
                                       "tells them\n",
                                       length > 80 ? 80 : (int)length, text );

            write_all( 2, line, size );
        }
        text += length;
    }
}

/* The mutex is held. */
static void use( const struct ws2_trace_selection_params *chosen )
{
    selection = *chosen;
    selections++;
    host_tracing = ( chosen->what & WS2_TRACE_HOST ) != 0;
    if ( pe_tracing ) *pe_tracing = chosen->what & WS2_TRACE_OF_CALLS ? selections : 0;
}

static int selection_file( void )
{
    char path[4096], name[32];
    const int directory = directory_open( 0, path, sizeof( path ) );
    int fd;

    if ( directory < 0 ) return -1;
    snprintf( name, sizeof( name ), WS2_TRACE_FILE, connection_client_index() );
    fd = openat( directory, name, O_RDONLY | O_CLOEXEC );
    close( directory );
    return fd;
}

/* What ws2ctl has left; without a file the environment's words hold again. */
static void select_again( void )
{
    struct ws2_trace_selection_params chosen = environment;
    char text[600];
    sigset_t before;
    ssize_t size;
    int fd;

    host_mutex_lock( &mutex, &before );
    if ( ( fd = selection_file() ) >= 0 )
    {
        if ( ( size = read( fd, text, sizeof( text ) - 1 ) ) >= 0 )
        {
            text[size] = 0;
            read_words( &chosen, text, 0 );
        }
        close( fd );
    }
    use( &chosen );
    host_mutex_unlock( &mutex, &before );
}

NTSTATUS unix_trace_selection( void *args )
{
    struct ws2_trace_selection_params *params = args;
    sigset_t before;

    host_mutex_lock( &mutex, &before );
    *params = selection;
    host_mutex_unlock( &mutex, &before );
    params->error = 0;
    return 0;
}

void trace_init( uint32_t windows_pid )
{
    const char *words = getenv( "WS2DEBUG" );

    open_log( windows_pid );
    if ( words ) read_words( &environment, words, 1 );
    selection = environment;
    selections = 1;
    host_trace_to( log_fd, windows_pid );
    host_tracing = ( selection.what & WS2_TRACE_HOST ) != 0;
}

void trace_follow( volatile uint32_t *tracing )
{
    if ( pe_tracing == tracing ) return;
    pe_tracing = tracing;
    *tracing = selection.what & WS2_TRACE_OF_CALLS ? selections : 0;
    connection_follow_trace( select_again );
}
