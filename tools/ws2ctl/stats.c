/*
 * What each process of the prefix does, as the kernel counts it: bytes of the TCP connections that it holds now, how often its
 * threads waited, its time. Nothing is counted in the process itself, so this costs it nothing.
 */
#include <dirent.h>
#include <json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "view.h"

struct process
{
    uint32_t windows_pid, unix_pid, sockets, shared;
    uint64_t sent, received, waits, preempted;
    double seconds;
};

/* Context switches of all its threads, those that a thread waited for first. */
static void load_switches( struct process *process, const char *task )
{
    unsigned long long number;
    char path[300], line[200];
    FILE *file;

    snprintf( path, sizeof( path ), "/proc/%u/task/%.200s/status", process->unix_pid, task );
    if ( !( file = fopen( path, "re" ) ) ) return;
    while ( fgets( line, sizeof( line ), file ) )
    {
        if ( sscanf( line, "voluntary_ctxt_switches: %llu", &number ) == 1 ) process->waits += number;
        if ( sscanf( line, "nonvoluntary_ctxt_switches: %llu", &number ) == 1 ) process->preempted += number;
    }
    fclose( file );
}

static void load_process( struct process *process )
{
    unsigned long user = 0, system = 0;
    const struct dirent *entry;
    char path[64], line[1024];
    const char *rest;
    FILE *file;
    DIR *tasks;

    snprintf( path, sizeof( path ), "/proc/%u/task", process->unix_pid );
    if ( ( tasks = opendir( path ) ) )
    {
        while ( ( entry = readdir( tasks ) ) )
            if ( entry->d_name[0] != '.' ) load_switches( process, entry->d_name );
        closedir( tasks );
    }
    snprintf( path, sizeof( path ), "/proc/%u/stat", process->unix_pid );
    if ( !( file = fopen( path, "re" ) ) ) return;
    /* behind the name, which may hold anything */
    if ( fgets( line, sizeof( line ), file ) && ( rest = strrchr( line, ')' ) ) &&
         sscanf( rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system ) == 2 )
        process->seconds = (double)( user + system ) / sysconf( _SC_CLK_TCK );
    fclose( file );
}

static void add_sockets( struct process *process )
{
    for ( size_t i = 0; i < row_count; i++ )
    {
        const struct ws2_slot *slot = ws2_table_slot( server.table, rows[i].slot );
        const struct kernel_socket *kernel;

        if ( rows[i].ticket_target || rows[i].unix_pid != process->unix_pid || !slot ) continue;
        process->sockets++;
        process->shared += ws2_word_state( slot->word ) == WS2_SLOT_SHARED;
        if ( !( kernel = kernel_find( slot->cookie ) ) ) continue;
        process->sent += kernel->bytes_sent;
        process->received += kernel->bytes_received;
    }
}

static void print_process( const struct process *process, json_object *array )
{
    json_object *object;
    char program[256];

    view_program( process->unix_pid, program, sizeof( program ) );
    if ( !array )
    {
        printf( "%-7u %-7u %7u %6u %13llu %13llu %9llu %8.2f  %s\n", process->windows_pid, process->unix_pid,
                process->sockets, process->shared, (unsigned long long)process->received,
                (unsigned long long)process->sent, (unsigned long long)process->waits, process->seconds, program );
        return;
    }
    object = json_object_new_object();
#define NUMBER( name, value ) json_object_object_add( object, name, json_object_new_int64( value ) )
    NUMBER( "windows_pid", process->windows_pid );
    NUMBER( "unix_pid", process->unix_pid );
    json_object_object_add( object, "program", json_object_new_string( program ) );
    NUMBER( "sockets", process->sockets );
    NUMBER( "shared", process->shared );
    NUMBER( "bytes_received", process->received );
    NUMBER( "bytes_sent", process->sent );
    NUMBER( "waits", process->waits );
    NUMBER( "preempted", process->preempted );
    json_object_object_add( object, "seconds", json_object_new_double( process->seconds ) );
    json_object_array_add( array, object );
}

int command_stats( const struct options *options )
{
    json_object *array = options->as_json ? json_object_new_array() : NULL;

    if ( server_connect() || server_load_rows() ) return 1;
    kernel_load();
    if ( !array )
        printf( "%-7s %-7s %7s %6s %13s %13s %9s %8s  %s\n", "PID", "HOST", "SOCKETS", "SHARED", "RECEIVED", "SENT",
                "WAITS", "SECONDS", "PROGRAM" );
    for ( uint32_t i = 0; i < WS2_CLIENT_COUNT; i++ )
    {
        const struct ws2_client_record *record = &ws2_table_clients( server.table )[i];
        struct process process = { .windows_pid = record->windows_pid, .unix_pid = record->unix_pid };

        if ( !process.unix_pid || !process.windows_pid ) continue;
        load_process( &process );
        add_sockets( &process );
        print_process( &process, array );
    }
    if ( array )
    {
        puts( json_object_to_json_string_ext( array, JSON_C_TO_STRING_PRETTY ) );
        json_object_put( array );
    }
    return 0;
}
