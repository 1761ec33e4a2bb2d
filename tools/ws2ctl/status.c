/* How ws2host stands in a prefix: version, prefix, server, and how near its limits are. */
#include <dirent.h>
#include <json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "ws2ctl.h"

static void load_server_process( struct status *status )
{
    char path[64], line[256], program[PATH_MAX];
    ssize_t length;
    FILE *file;
    DIR *folder;

    snprintf( path, sizeof( path ), "/proc/%u/fd", status->server_pid );
    if ( ( folder = opendir( path ) ) )
    {
        while ( readdir( folder ) ) status->descriptors++;
        closedir( folder );
        status->descriptors -= status->descriptors > 2 ? 2 : status->descriptors; /* . and .. */
    }
    snprintf( path, sizeof( path ), "/proc/%u/limits", status->server_pid );
    if ( ( file = fopen( path, "re" ) ) )
    {
        while ( fgets( line, sizeof( line ), file ) ) sscanf( line, "Max open files %u", &status->descriptor_limit );
        fclose( file );
    }
    snprintf( path, sizeof( path ), "/proc/%u/status", status->server_pid );
    if ( ( file = fopen( path, "re" ) ) )
    {
        while ( fgets( line, sizeof( line ), file ) ) sscanf( line, "VmRSS: %u", &status->memory_kb );
        fclose( file );
    }
    snprintf( path, sizeof( path ), "/proc/%u/exe", status->server_pid );
    if ( ( length = readlink( path, program, sizeof( program ) - 1 ) ) > 0 )
    {
        program[length] = 0;
        status->server_replaced = strstr( program, " (deleted)" ) != NULL;
    }
}

void status_load( struct status *status )
{
    memset( status, 0, sizeof( *status ) );
    if ( !server.table ) return;
    status->server_pid = ws2_table_header( server.table )->server_pid;
    for ( uint32_t i = 0; i < WS2_CLIENT_COUNT; i++ )
        status->processes += ws2_table_clients( server.table )[i].unix_pid != 0;
    if ( !server_load_rows() )
        for ( size_t i = 0; i < row_count; i++ )
        {
            const int first = !i || rows[i].slot != rows[i - 1].slot;

            status->sockets += first;
            status->shared +=
                first && ws2_word_state( ws2_table_slot( server.table, rows[i].slot )->word ) == WS2_SLOT_SHARED;
            status->tickets += rows[i].ticket_target != 0;
        }
    load_server_process( status );
}

static const char *files_name( enum prefix_files files )
{
    switch ( files )
    {
    case PREFIX_NONE: return "none";
    case PREFIX_SOME: return "some";
    case PREFIX_OLD: return "another build's";
    case PREFIX_ALL: return "all";
    }
    return "";
}

int command_status( const struct options *options )
{
    char prefix[PATH_MAX], order[64] = "", wine[PATH_MAX];
    enum prefix_files files = PREFIX_NONE;
    struct status status;
    const char *problem;
    int bits = 0, bridge;

    if ( prefix_find( prefix, sizeof( prefix ) ) ) return 1;
    if ( !access( prefix, F_OK ) )
    {
        bits = prefix_is_32_bit( prefix ) ? 32 : 64;
        registry_read( prefix, order, sizeof( order ) );
        files = prefix_state( prefix );
    }
    bridge = loader_folder( loader_default(), wine ) && loader_state( wine ) == LOADER_ALL;
    problem = server_find();
    status_load( &status );
    if ( options->as_json )
    {
        json_object *document = json_object_new_object();

#define NUMBER( name, value ) json_object_object_add( document, name, json_object_new_int64( value ) )
#define TEXT( name, value ) json_object_object_add( document, name, json_object_new_string( value ) )
#define TRUTH( name, value ) json_object_object_add( document, name, json_object_new_boolean( value ) )
        TEXT( "version", WS2_VERSION );
        TEXT( "library", library_directory() );
        TEXT( "prefix", prefix );
        NUMBER( "bits", bits );
        TRUTH( "enabled", !strcmp( order, REGISTRY_ORDER ) );
        TEXT( "dlls", files_name( files ) );
        TRUTH( "loader_has_bridge", bridge );
        TEXT( "directory", server.directory );
        NUMBER( "server", status.server_pid );
        NUMBER( "layout", WS2_LAYOUT_VERSION );
        NUMBER( "sockets", status.sockets );
        NUMBER( "sockets_limit", WS2_SLOT_COUNT );
        NUMBER( "shared", status.shared );
        NUMBER( "tickets", status.tickets );
        NUMBER( "processes", status.processes );
        NUMBER( "processes_limit", WS2_CLIENT_COUNT );
        NUMBER( "server_descriptors", status.descriptors );
        NUMBER( "server_descriptors_limit", status.descriptor_limit );
        NUMBER( "server_memory_kb", status.memory_kb );
        puts( json_object_to_json_string_ext( document, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE ) );
        json_object_put( document );
        return 0;
    }
    printf( "version      %s in %s\n", WS2_VERSION, library_directory() );
    if ( bits ) printf( "prefix       %s, %d bits\n", prefix, bits );
    else printf( "prefix       %s is not there yet\n", prefix );
    printf( "enabled      %s\n",
            strcmp( order, REGISTRY_ORDER ) ? "no: programs of ws2run only" : "yes: plain wine too" );
    printf( "its DLLs     %s\n", files_name( files ) );
    printf( "loader       %s\n",
            bridge ? "has the bridge" : "has no bridge of this build: plain wine needs WINEDLLPATH" );
    if ( problem )
    {
        printf( "server       %s\n", problem );
        return 0;
    }
    printf( "server       process %u, layout %u%s\n", status.server_pid, WS2_LAYOUT_VERSION,
            status.server_replaced ? ", of an earlier installation" : "" );
    printf( "directory    %s\n", server.directory );
    printf( "sockets      %u of %u, %u shared, %u tickets open\n", status.sockets, WS2_SLOT_COUNT, status.shared,
            status.tickets );
    printf( "processes    %u of %u\n", status.processes, WS2_CLIENT_COUNT );
    printf( "descriptors  %u of %u of the server\n", status.descriptors, status.descriptor_limit );
    printf( "memory       %u KB of the server\n", status.memory_kb );
    return 0;
}
