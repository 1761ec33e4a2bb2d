/*
 * The sockets of a prefix, for people: a line each as long as the terminal is wide enough, else a line and what belongs to
 * it below. Nothing is cut.
 */
#include <json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "view.h"

#define COLUMNS 6
static const char *const headings[COLUMNS] = { "TYPE", "STATE", "RECV", "SEND", "LOCAL", "PEER" };

#define OTHERS "PROGRAM PID (HOST PID) SOCKET, EVENTS, OPTIONS"

static void cell( const struct view *view, int column, char *text, size_t size )
{
    switch ( column )
    {
    case 0: snprintf( text, size, "%s", view->type ); break;
    case 1: snprintf( text, size, "%s", view->state ); break;
    case 2: snprintf( text, size, view->known ? "%u" : "-", view->receive_queue ); break;
    case 3: snprintf( text, size, view->known ? "%u" : "-", view->send_queue ); break;
    case 4: snprintf( text, size, "%s", view->local ); break;
    case 5: snprintf( text, size, "%s", view->peer ); break;
    }
}

static void event_names( char *text, size_t size, unsigned int mask )
{
    static const char *const names[] = { "read",  "write", "oob",       "accept", "connect",
                                         "close", "qos",   "group-qos", "route",  "address" };

    *text = 0;
    for ( unsigned int i = 0; i < sizeof( names ) / sizeof( names[0] ); i++ )
        if ( mask & 1u << i )
            snprintf( text + strlen( text ), size - strlen( text ), "%s%s", *text ? "," : "", names[i] );
}

#define PART_SIZE ( PATH_MAX + 64 )

/* What stands behind the columns, or below them, a part each; the number of parts. */
static int parts_of( const struct view *view, char ( **parts )[PART_SIZE] )
{
    const size_t most = view->end - view->first + 5;
    char( *result )[PART_SIZE] = calloc( most, sizeof( *result ) ), program[256], names[100];
    int count = 0;

    if ( !( *parts = result ) ) return 0;
    for ( size_t i = view->first; i < view->end; i++ )
    {
        view_program( rows[i].unix_pid, program, sizeof( program ) );
        if ( rows[i].ticket_target )
            snprintf( result[count++], PART_SIZE, "ticket for %u by %s %u", rows[i].ticket_target, program,
                      rows[i].windows_pid );
        else
            snprintf( result[count++], PART_SIZE, "%s %u (host %u) %#x", program, rows[i].windows_pid, rows[i].unix_pid,
                      rows[i].handle );
    }
    if ( view->event_pid )
    {
        event_names( names, sizeof( names ), ws2_events_mask( view->slot.events ) );
        snprintf( result[count++], PART_SIZE, "%s %s by %u", view->slot.event_message ? "window" : "event", names,
                  view->event_pid );
    }
    if ( view->listener != WS2_NO_INDEX )
        snprintf( result[count++], PART_SIZE, "AcceptEx on %s", view->listener_local );
    if ( *view->options ) snprintf( result[count++], PART_SIZE, "%s", view->options );
    if ( *view->timer ) snprintf( result[count++], PART_SIZE, "%s", view->timer );
    return count;
}

static void print_view( const struct view *view, const int widths[COLUMNS], int width )
{
    char text[PATH_MAX], ( *parts )[PART_SIZE];
    const int count = parts_of( view, &parts );
    int used = 0, behind = 0, length = 0;

    for ( int i = 0; i < COLUMNS; i++ )
    {
        cell( view, i, text, sizeof( text ) );
        /* no blanks at the end of a line */
        used += i < COLUMNS - 1 ? printf( "%-*s ", widths[i], text ) : printf( "%s", text );
        if ( i == COLUMNS - 1 && widths[i] > (int)strlen( text ) ) length = widths[i] - strlen( text );
    }
    for ( int i = 0; i < count; i++ ) behind += strlen( parts[i] ) + 2;
    if ( used + length + behind <= width )
        for ( int i = 0; i < count; i++ ) printf( "%*s%s", i ? 2 : length + 2, "", parts[i] );
    else
    {
        int at = INT_MAX / 2;

        for ( int i = 0; i < count; i++ )
        {
            at += strlen( parts[i] ) + 2;
            if ( at > width ) at = printf( "\n    %s", parts[i] ) - 1;
            else printf( "  %s", parts[i] );
        }
    }
    putchar( '\n' );
    free( parts );
}

static int compare_rows( const void *a, const void *b )
{
    const struct ws2_row *x = a, *y = b;

    if ( x->slot != y->slot ) return x->slot < y->slot ? -1 : 1;
    if ( x->windows_pid != y->windows_pid ) return x->windows_pid < y->windows_pid ? -1 : 1;
    return x->handle < y->handle ? -1 : x->handle > y->handle;
}

/* Each socket that passes the filters; NULL for no more. */
static int next_view( struct view *view, size_t *at, char **filters )
{
    while ( *at < row_count )
    {
        const size_t first = *at;

        for ( ( *at )++; *at < row_count && rows[*at].slot == rows[first].slot; ( *at )++ ) continue;
        view_make( view, first, *at );
        if ( filter_passes( view, filters ) ) return 1;
    }
    return 0;
}

static void print_table( char **filters )
{
    const int width = view_width();
    int widths[COLUMNS];
    unsigned int count = 0;
    char text[PATH_MAX];
    struct view view;
    int used = 0;

    for ( int i = 0; i < COLUMNS; i++ ) widths[i] = strlen( headings[i] );
    for ( size_t at = 0; next_view( &view, &at, filters ); )
        for ( int i = 0; i < COLUMNS; i++ )
        {
            cell( &view, i, text, sizeof( text ) );
            /* one long path does not push all the others to the right */
            if ( (int)strlen( text ) > widths[i] && ( i < 4 || strlen( text ) <= 47 ) ) widths[i] = strlen( text );
        }
    for ( int i = 0; i < COLUMNS; i++ ) used += printf( "%-*s ", widths[i], headings[i] );
    printf( "%s" OTHERS "\n", used + (int)sizeof( OTHERS ) > width ? "\n    " : " " );
    for ( size_t at = 0; next_view( &view, &at, filters ); count++ ) print_view( &view, widths, width );
    printf( "%u socket%s\n", count, count == 1 ? "" : "s" );
}

static void print_json( char **filters, int flags )
{
    json_object *document = json_object_new_object(), *sockets = json_object_new_array();
    struct view view;

    json_object_object_add( document, "directory", json_object_new_string( server.directory ) );
    json_object_object_add( document, "server", json_object_new_int64( ws2_table_header( server.table )->server_pid ) );
    json_object_object_add( document, "sockets", sockets );
    for ( size_t at = 0; next_view( &view, &at, filters ); ) json_object_array_add( sockets, view_json( &view ) );
    puts( json_object_to_json_string_ext( document, flags | JSON_C_TO_STRING_NOSLASHESCAPE ) );
    json_object_put( document );
}

static int load( void )
{
    if ( server_load_rows() ) return 1;
    if ( kernel_load() )
    {
        static int said;
        if ( !said++ )
            fail( "The kernel does not tell its sockets (sock_diag): states and queues are as the table knows them." );
    }
    if ( row_count ) qsort( rows, row_count, sizeof( *rows ), compare_rows );
    return 0;
}

int command_list( const struct options *options )
{
    if ( !filter_check( options->arguments ) ) return 2;
    if ( server_connect() || load() ) return 1;
    if ( options->as_json ) print_json( options->arguments, JSON_C_TO_STRING_PRETTY );
    else print_table( options->arguments );
    return 0;
}

/* A look a second, or as often as was asked for; a JSON document a line. A server that goes is waited for. */
int command_watch( const struct options *options )
{
    char **filters = options->arguments, *end = NULL;
    double seconds = *filters ? strtod( *filters, &end ) : 1;
    struct timespec pause;
    int waiting = 0;

    if ( *filters && end != *filters && !*end ) filters++;
    else seconds = 1;
    if ( !filter_check( filters ) ) return 2;
    if ( seconds < 0.05 ) seconds = 0.05;
    pause = ( struct timespec ){ (time_t)seconds, ( seconds - (time_t)seconds ) * 1e9 };
    for ( ;; nanosleep( &pause, NULL ) )
    {
        if ( !server.table && server_find() )
        {
            if ( !waiting++ ) fail( "No server runs for this prefix: waiting for one." );
            continue;
        }
        if ( load() )
        {
            server_close();
            continue;
        }
        waiting = 0;
        if ( options->as_json ) print_json( filters, JSON_C_TO_STRING_PLAIN );
        else
        {
            if ( isatty( 1 ) ) fputs( "\033[H\033[J", stdout );
            print_table( filters );
        }
        if ( fflush( stdout ) ) return 1;
    }
}
