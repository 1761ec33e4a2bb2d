/*
 * What each process of the prefix has done since it started: what it counts itself in its page of the table (table.h: struct
 * ws2_counts), and what the kernel knows of it. The page is written by a program, and nothing but shown.
 */
#include <json.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "view.h"

enum figure
{
    SOCKETS,
    SHARED,
    CALLS,
    OPERATIONS,
    RECEIVED,
    SENT,
    WAITS,
    ASKED,
    AVOIDED,
    FIGURES
};

static const struct
{
    const char *heading, *name;
    int width;
} figures[FIGURES] = {
    [SOCKETS] = { "SOCKETS", "sockets", 7 },
    [SHARED] = { "SHARED", "shared", 6 },
    [CALLS] = { "CALLS", "calls", 11 },
    [OPERATIONS] = { "OPERATIONS", "operations", 11 },
    [RECEIVED] = { "RECEIVED", "bytes_received", 14 },
    [SENT] = { "SENT", "bytes_sent", 14 },
    [WAITS] = { "WAITS", "waits", 10 },
    [ASKED] = { "ASKED", "servers_asked", 10 },
    [AVOIDED] = { "AVOIDED", "conversations_avoided", 11 },
};

struct process
{
    uint32_t windows_pid, unix_pid;
    uint64_t values[FIGURES];
    double seconds;
    char program[256];
};

static uint64_t sum( const struct ws2_counts *counts, enum ws2_count what )
{
    uint64_t result = 0;

    for ( unsigned int i = 0; i < WS2_COUNT_LINES; i++ )
        result += atomic_load_explicit( &counts->lines[i].values[what], memory_order_relaxed );
    return result;
}

static void load_counts( struct process *process, uint32_t client )
{
    const struct ws2_counts *counts = ws2_table_counts( server.table, client );
    uint64_t *values = process->values;

    values[CALLS] = sum( counts, WS2_COUNT_CALLS );
    values[OPERATIONS] = sum( counts, WS2_COUNT_OPERATIONS );
    values[RECEIVED] = sum( counts, WS2_COUNT_RECEIVED );
    values[SENT] = sum( counts, WS2_COUNT_SENT );
    values[WAITS] = sum( counts, WS2_COUNT_WAITS );
    values[ASKED] = sum( counts, WS2_COUNT_ASKED ) + sum( counts, WS2_COUNT_REQUESTS );
    /* the loader's own ws2_32 asks its server in each of them */
    values[AVOIDED] = values[CALLS] > values[ASKED] ? values[CALLS] - values[ASKED] : 0;
}

static void load_seconds( struct process *process )
{
    unsigned long user = 0, system = 0;
    char path[64], line[1024];
    const char *rest;
    FILE *file;

    snprintf( path, sizeof( path ), "/proc/%u/stat", process->unix_pid );
    if ( !( file = fopen( path, "re" ) ) ) return;
    /* behind the name, which may hold anything */
    if ( fgets( line, sizeof( line ), file ) && ( rest = strrchr( line, ')' ) ) &&
         sscanf( rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system ) == 2 )
        process->seconds = (double)( user + system ) / sysconf( _SC_CLK_TCK );
    fclose( file );
}

static void count_sockets( struct process *process )
{
    for ( size_t i = 0; i < row_count; i++ )
    {
        const struct ws2_slot *slot = ws2_table_slot( server.table, rows[i].slot );

        if ( rows[i].ticket_target || rows[i].unix_pid != process->unix_pid || !slot ) continue;
        process->values[SOCKETS]++;
        process->values[SHARED] += ws2_word_state( slot->word ) == WS2_SLOT_SHARED;
    }
}

static void print_line( const struct process *process )
{
    printf( "%-7u %-7u", process->windows_pid, process->unix_pid );
    for ( int i = 0; i < FIGURES; i++ ) printf( " %*llu", figures[i].width, (unsigned long long)process->values[i] );
    printf( " %9.2f  %s\n", process->seconds, process->program );
}

/* Where the line would be too long: the figures by name, as many on a line as there is room for. */
static void print_block( const struct process *process, int width )
{
    char part[80];
    int used = INT_MAX / 2;

    printf( "%s %u (host %u)", process->program, process->windows_pid, process->unix_pid );
    for ( int i = 0; i <= FIGURES; i++ )
    {
        if ( i == FIGURES ) snprintf( part, sizeof( part ), "seconds %.2f", process->seconds );
        else snprintf( part, sizeof( part ), "%s %llu", figures[i].name, (unsigned long long)process->values[i] );
        used += 2 + (int)strlen( part );
        if ( used > width ) used = printf( "\n    %s", part ) - 1;
        else printf( "  %s", part );
    }
    putchar( '\n' );
}

static int line_width( void )
{
    int width = 16 + 10 + 2;

    for ( int i = 0; i < FIGURES; i++ ) width += 1 + figures[i].width;
    return width;
}

static void print_heading( void )
{
    printf( "%-7s %-7s", "PID", "HOST" );
    for ( int i = 0; i < FIGURES; i++ ) printf( " %*s", figures[i].width, figures[i].heading );
    printf( " %9s  PROGRAM\n", "SECONDS" );
}

static json_object *process_json( const struct process *process )
{
    json_object *object = json_object_new_object();

    json_object_object_add( object, "windows_pid", json_object_new_int64( process->windows_pid ) );
    json_object_object_add( object, "unix_pid", json_object_new_int64( process->unix_pid ) );
    json_object_object_add( object, "program", json_object_new_string( process->program ) );
    for ( int i = 0; i < FIGURES; i++ )
        json_object_object_add( object, figures[i].name, json_object_new_int64( process->values[i] ) );
    json_object_object_add( object, "seconds", json_object_new_double( process->seconds ) );
    return object;
}

int command_stats( const struct options *options )
{
    json_object *array = options->as_json ? json_object_new_array() : NULL;
    const int width = view_width(), lines = width >= line_width() + 20;

    if ( server_connect() || server_load_rows() ) return 1;
    if ( !array && lines ) print_heading();
    for ( uint32_t i = 0; i < WS2_CLIENT_COUNT; i++ )
    {
        const struct ws2_client_record *record = &ws2_table_clients( server.table )[i];
        struct process process = { .windows_pid = record->windows_pid, .unix_pid = record->unix_pid };

        if ( !process.unix_pid || !process.windows_pid ) continue;
        view_program( process.unix_pid, process.program, sizeof( process.program ) );
        load_counts( &process, i );
        load_seconds( &process );
        count_sockets( &process );
        if ( array ) json_object_array_add( array, process_json( &process ) );
        else if ( lines ) print_line( &process );
        else print_block( &process, width );
    }
    if ( array )
    {
        puts( json_object_to_json_string_ext( array, JSON_C_TO_STRING_PRETTY ) );
        json_object_put( array );
    }
    return 0;
}
