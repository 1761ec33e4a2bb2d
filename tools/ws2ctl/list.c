/* The sockets of a prefix, as a table for people and as JSON for programs. */
#include <json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "ws2ctl.h"

/* One socket: its slot, the kernel's view of it, and its rows. */
struct view
{
    uint32_t id, generation;
    struct ws2_slot slot;
    char local[ADDRESS_SIZE], peer[ADDRESS_SIZE];
    const char *family, *type, *state;
    int shared;
    uint32_t event_pid;
    size_t first, end; /* rows */
};

static const char *family_name( unsigned int family )
{
    switch ( family )
    {
    case 1: return "unix";
    case 2: return "inet";
    case FAMILY_INET6: return "inet6";
    }
    return "other";
}

static const char *type_name( const struct ws2_slot *slot )
{
    switch ( slot->type )
    {
    case SOCK_STREAM: return slot->family == 1 ? "stream" : "tcp";
    case SOCK_DGRAM: return "udp";
    case SOCK_RAW: return "raw";
    }
    return "other";
}

static const char *state_name( uint32_t flags, const struct kernel_socket *kernel, int stream )
{
    static const struct
    {
        uint32_t flag;
        const char *name;
    } names[] = { { WS2_FLAG_LISTENING, "listening" },
                  { WS2_FLAG_DISCONNECTED, "disconnected" },
                  { WS2_FLAG_CONNECTED, "connected" },
                  { WS2_FLAG_CONNECTING, "connecting" },
                  { WS2_FLAG_CONNECT_FAILED, "failed" } };

    if ( stream && kernel && kernel->state == 8 && flags & WS2_FLAG_CONNECTED ) return "peer closed";
    for ( unsigned int i = 0; i < sizeof( names ) / sizeof( names[0] ); i++ )
        if ( flags & names[i].flag ) return names[i].name;
    /* a socket that ws2host has just adopted: the kernel knows more than the slot */
    if ( stream && kernel && kernel->state == 1 ) return "connected";
    if ( stream && kernel && kernel->state == 10 ) return "listening";
    return flags & WS2_FLAG_BOUND ? "bound" : "new";
}

static void make_view( struct view *view, size_t first, size_t end )
{
    const struct ws2_slot *slot = ws2_table_slot( server.table, rows[first].slot );
    const struct kernel_socket *kernel;
    uint32_t owner;

    memset( view, 0, sizeof( *view ) );
    view->id = rows[first].slot;
    view->generation = rows[first].generation;
    view->first = first;
    view->end = end;
    if ( slot ) memcpy( &view->slot, slot, sizeof( *slot ) );
    view->shared = ws2_word_state( view->slot.word ) == WS2_SLOT_SHARED;
    view->family = family_name( view->slot.family );
    view->type = type_name( &view->slot );
    strcpy( view->local, "-" );
    strcpy( view->peer, "-" );
    if ( ( kernel = kernel_find( view->slot.cookie ) ) )
    {
        strcpy( view->local, kernel->local );
        strcpy( view->peer, kernel->peer );
    }
    else if ( view->slot.local_port )
        kernel_format_address( view->local, view->slot.family == FAMILY_INET6 ? AF_INET6 : AF_INET,
                               view->slot.local_address, view->slot.local_port, 0 );
    view->state = state_name( view->slot.flags, kernel, view->slot.type == SOCK_STREAM );
    owner = view->slot.event_owner;
    if ( owner < WS2_CLIENT_COUNT ) view->event_pid = ws2_table_clients( server.table )[owner].windows_pid;
}

/* The descriptors that the rows show; a PRIVATE socket has one. */
static unsigned int view_descriptors( const struct view *view )
{
    unsigned int count = 0;

    for ( size_t i = view->first; i < view->end; i++ ) count += !rows[i].ticket_target;
    return count;
}

static void print_view( const struct view *view )
{
    char descriptors[16], tickets[256] = "", holders[512] = "", events[48] = "-";
    size_t t = 0, h = 0;

    for ( size_t i = view->first; i < view->end; i++ )
    {
        if ( rows[i].ticket_target && t < sizeof( tickets ) - 24 )
            t += snprintf( tickets + t, sizeof( tickets ) - t, "%sfor %04x", t ? ", " : "", rows[i].ticket_target );
        else if ( !rows[i].ticket_target && h < sizeof( holders ) - 24 )
            h += snprintf( holders + h, sizeof( holders ) - h, "%s%04x:%x", h ? " " : "", rows[i].windows_pid,
                           rows[i].handle );
    }
    if ( ws2_events_mask( view->slot.events ) && view->event_pid )
        snprintf( events, sizeof( events ), "%s %x by %04x", view->slot.event_message ? "window" : "event",
                  ws2_events_mask( view->slot.events ), view->event_pid );
    snprintf( descriptors, sizeof( descriptors ), "%u", view_descriptors( view ) );
    printf( "%-7u %-6s %-6s %-22s %-22s %-12s %-5s %-24s %-20s %s\n", view->id, view->family, view->type, view->local,
            view->peer, view->state, descriptors, h ? holders : "-", events, t ? tickets : "-" );
}

static json_object *view_json( const struct view *view )
{
    json_object *object = json_object_new_object(), *holders = json_object_new_array(),
                *tickets = json_object_new_array();

    json_object_object_add( object, "id", json_object_new_int64( view->id ) );
    json_object_object_add( object, "generation", json_object_new_int64( view->generation ) );
    json_object_object_add( object, "family", json_object_new_string( view->family ) );
    json_object_object_add( object, "type", json_object_new_string( view->type ) );
    json_object_object_add( object, "protocol", json_object_new_int( view->slot.protocol ) );
    json_object_object_add( object, "local",
                            strcmp( view->local, "-" ) ? json_object_new_string( view->local ) : NULL );
    json_object_object_add( object, "peer", strcmp( view->peer, "-" ) ? json_object_new_string( view->peer ) : NULL );
    json_object_object_add( object, "state", json_object_new_string( view->state ) );
    json_object_object_add( object, "shared", json_object_new_boolean( view->shared ) );
    json_object_object_add( object, "nonblocking",
                            json_object_new_boolean( ( view->slot.flags & WS2_FLAG_NONBLOCKING ) != 0 ) );
    json_object_object_add( object, "descriptors", json_object_new_int64( view_descriptors( view ) ) );
    for ( size_t i = view->first; i < view->end; i++ )
    {
        json_object *row = json_object_new_object();

        if ( rows[i].ticket_target )
        {
            json_object_object_add( row, "target", json_object_new_int64( rows[i].ticket_target ) );
            json_object_object_add( row, "source", json_object_new_int64( rows[i].windows_pid ) );
            json_object_array_add( tickets, row );
            continue;
        }
        json_object_object_add( row, "windows_pid", json_object_new_int64( rows[i].windows_pid ) );
        json_object_object_add( row, "unix_pid", json_object_new_int64( rows[i].unix_pid ) );
        json_object_object_add( row, "handle", json_object_new_int64( rows[i].handle ) );
        json_object_array_add( holders, row );
    }
    json_object_object_add( object, "holders", holders );
    json_object_object_add( object, "tickets", tickets );
    if ( ws2_events_mask( view->slot.events ) && view->event_pid )
    {
        json_object *events = json_object_new_object();

        json_object_object_add( events, "mask", json_object_new_int( ws2_events_mask( view->slot.events ) ) );
        json_object_object_add( events, "owner", json_object_new_int64( view->event_pid ) );
        json_object_object_add( events, "kind",
                                json_object_new_string( view->slot.event_message ? "window" : "event" ) );
        json_object_object_add( object, "events", events );
    }
    else json_object_object_add( object, "events", NULL );
    return object;
}

static int compare_rows( const void *a, const void *b )
{
    const struct ws2_row *x = a, *y = b;

    if ( x->slot != y->slot ) return x->slot < y->slot ? -1 : 1;
    if ( x->windows_pid != y->windows_pid ) return x->windows_pid < y->windows_pid ? -1 : 1;
    return x->handle < y->handle ? -1 : x->handle > y->handle;
}

static int show( int as_json )
{
    json_object *document = NULL, *sockets = NULL;
    unsigned int count = 0;

    if ( server_load_rows() ) return 1;
    kernel_load();
    if ( row_count ) qsort( rows, row_count, sizeof( *rows ), compare_rows );
    if ( as_json )
    {
        document = json_object_new_object();
        sockets = json_object_new_array();
        json_object_object_add( document, "directory", json_object_new_string( server.directory ) );
        json_object_object_add( document, "server",
                                json_object_new_int64( ws2_table_header( server.table )->server_pid ) );
        json_object_object_add( document, "sockets", sockets );
    }
    else
        printf( "%-7s %-6s %-6s %-22s %-22s %-12s %-5s %-24s %-20s %s\n", "ID", "FAMILY", "TYPE", "LOCAL", "PEER",
                "STATE", "DESCR", "HELD BY (PID:HANDLE)", "EVENTS", "TICKETS" );
    for ( size_t first = 0, end; first < row_count; first = end, count++ )
    {
        struct view view;

        for ( end = first + 1; end < row_count && rows[end].slot == rows[first].slot; end++ ) continue;
        make_view( &view, first, end );
        if ( as_json ) json_object_array_add( sockets, view_json( &view ) );
        else print_view( &view );
    }
    if ( as_json )
    {
        puts( json_object_to_json_string_ext( document, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE ) );
        json_object_put( document );
    }
    else printf( "%u socket%s\n", count, count == 1 ? "" : "s" );
    return 0;
}

int command_list( const struct options *options ) { return server_connect() || show( options->as_json ); }

int command_watch( const struct options *options )
{
    const double asked = options->arguments[0] ? atof( options->arguments[0] ) : 1, seconds = asked >= 0.05 ? asked : 1;
    const struct timespec pause = { (time_t)seconds, ( seconds - (time_t)seconds ) * 1e9 };

    if ( server_connect() ) return 1;
    for ( ;; )
    {
        if ( isatty( 1 ) ) fputs( "\033[H\033[J", stdout );
        if ( show( 0 ) ) return 1;
        fflush( stdout );
        nanosleep( &pause, NULL );
    }
}
