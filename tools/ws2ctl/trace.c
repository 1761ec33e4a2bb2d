/*
 * Other words for WS2DEBUG, for a program that runs: a file in the server's directory, and a number in the process's record of
 * the table that says so. The process looks at it with its next call on a socket.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "client/directory.h"
#include "ws2ctl.h"

/* The index of a process by its Windows id, or else the host's; WS2_NO_INDEX for none. */
static uint32_t find_client( uint32_t pid )
{
    const struct ws2_client_record *records = ws2_table_clients( server.table );
    uint32_t found = WS2_NO_INDEX;

    for ( uint32_t i = 0; i < WS2_CLIENT_COUNT; i++ )
    {
        if ( !records[i].unix_pid ) continue;
        if ( records[i].windows_pid == pid ) return i;
        if ( records[i].unix_pid == pid ) found = i;
    }
    return found;
}

static int write_words( uint32_t index, char **words )
{
    char path[4096], name[32], temporary[64];
    const int directory = directory_open( 0, path, sizeof( path ) );
    int fd, failed = 0;

    if ( directory < 0 ) return fail( "%s: %s.", path, strerror( errno ) );
    snprintf( name, sizeof( name ), WS2_TRACE_FILE, index );
    snprintf( temporary, sizeof( temporary ), "%s.new-%d", name, getpid() );
    if ( ( fd = openat( directory, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600 ) ) < 0 )
        fail( "%s/%s: %s.", path, temporary, strerror( errno ) );
    else
    {
        for ( ; *words; words++ ) failed |= dprintf( fd, "%s\n", *words ) < 0;
        failed |= close( fd ) < 0 || renameat( directory, temporary, directory, name ) < 0;
        if ( failed ) fail( "%s/%s: %s.", path, name, strerror( errno ) );
    }
    close( directory );
    return fd < 0 || failed;
}

int command_trace( const struct options *options )
{
    char **arguments = options->arguments, *end;
    _Atomic uint32_t *word;
    uint32_t pid, index;
    size_t length = 0;
    void *table;

    if ( !arguments[0] || !arguments[1] ) return -1;
    pid = strtoul( arguments[0], &end, 0 );
    if ( *end || end == arguments[0] ) return fail( "\"%s\" is no process id.", arguments[0] ) + 1;
    for ( char **w = arguments + 1; *w; w++ )
    {
        const int is_trace = !strncmp( *w, "trace", 5 ) && ( !( *w )[5] || ( *w )[5] == ':' );

        if ( !is_trace && strcmp( *w, "errors" ) && strcmp( *w, "events" ) && strcmp( *w, "overlapped" ) &&
             strcmp( *w, "host" ) && strcmp( *w, "off" ) )
            return fail( "\"%s\" is none of WS2DEBUG's words: trace[:FUNCTION,...][:SOCKET], errors, events, "
                         "overlapped, host; off.",
                         *w ) +
                   1;
        length += strlen( *w ) + 1;
    }
    if ( length > 500 ) return fail( "So many words are not taken." ) + 1;
    if ( server_connect() ) return 1;
    if ( ( index = find_client( pid ) ) == WS2_NO_INDEX )
        return fail( "No process %u of this prefix uses ws2host now; \"%s stats\" shows those that do.", pid, self );
    if ( write_words( index, arguments + 1 ) ) return 1;
    table = mmap( NULL, WS2_TABLE_SLOTS, PROT_READ | PROT_WRITE, MAP_SHARED, server.memfd, 0 );
    if ( table == MAP_FAILED ) return fail( "The table cannot be written: %s.", strerror( errno ) );
    word = &ws2_table_clients( table )[index].trace;
    atomic_fetch_add( word, 1 );
    munmap( table, WS2_TABLE_SLOTS );
    return 0;
}
