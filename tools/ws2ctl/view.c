/* One socket as a person wants to see it, put together from its rows, its slot, the kernel and /proc; and filters. */
#include <ctype.h>
#include <stdarg.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "view.h"

int view_width( void )
{
    const char *columns = getenv( "COLUMNS" );
    struct winsize size;

    if ( columns && atoi( columns ) > 20 ) return atoi( columns );
    return isatty( 1 ) && !ioctl( 1, TIOCGWINSZ, &size ) && size.ws_col > 20 ? size.ws_col : isatty( 1 ) ? 80 : INT_MAX;
}

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
    const int six = slot->family == FAMILY_INET6;

    switch ( slot->type )
    {
    case SOCK_STREAM: return slot->family == 1 ? "unix" : six ? "tcp6" : "tcp";
    case SOCK_DGRAM: return six ? "udp6" : "udp";
    case SOCK_RAW: return six ? "raw6" : "raw";
    }
    return "other";
}

/* TCP's own state where there is one; else what Winsock's calls have made of the socket. */
static const char *state_name( const struct ws2_slot *slot, const struct kernel_socket *kernel )
{
    static const struct
    {
        uint32_t flag;
        const char *name;
    } names[] = { { WS2_FLAG_LISTENING, "listening" },   { WS2_FLAG_DISCONNECTED, "disconnected" },
                  { WS2_FLAG_CONNECTED, "connected" },   { WS2_FLAG_CONNECTING, "connecting" },
                  { WS2_FLAG_CONNECT_FAILED, "failed" }, { WS2_FLAG_BOUND, "bound" } };
    const char *tcp =
        slot->type == SOCK_STREAM && slot->family != 1 && kernel ? kernel_state_name( kernel->state ) : NULL;

    if ( tcp && strcmp( tcp, "closed" ) ) return tcp;
    for ( unsigned int i = 0; i < sizeof( names ) / sizeof( names[0] ); i++ )
        if ( slot->flags & names[i].flag ) return names[i].name;
    return kernel && slot->family == 1 && kernel->state == 10 ? "listening" : "new";
}

/* The path that the program gave: the target of a link beside the node that the host socket is bound to. */
static void unix_name( char *path, size_t size, const char *node )
{
    char link[PATH_MAX];
    ssize_t length;

    snprintf( link, sizeof( link ), "%s.name", node );
    /* the node may be named through the server's directory as the process that bound it had it open */
    if ( ( length = readlink( link, path, size - 1 ) ) < 0 && strrchr( node, '/' ) )
    {
        snprintf( link, sizeof( link ), "%.2000s%s.name", server.directory, strrchr( node, '/' ) );
        length = readlink( link, path, size - 1 );
    }
    if ( length >= 0 ) path[length] = 0;
    else snprintf( path, size, "%s", *node ? node : "-" );
}

void view_program( uint32_t unix_pid, char *name, size_t size )
{
    char path[64], line[PATH_MAX] = "";
    const char *start;
    FILE *file;

    snprintf( path, sizeof( path ), "/proc/%u/cmdline", unix_pid );
    if ( ( file = fopen( path, "re" ) ) )
    {
        if ( !fread( line, 1, sizeof( line ) - 1, file ) ) *line = 0;
        fclose( file );
    }
    start = strrchr( line, '\\' );
    if ( !start ) start = strrchr( line, '/' );
    snprintf( name, size, "%s", *line ? start ? start + 1 : line : "?" );
    for ( char *p = name; *p; p++ )
        if ( iscntrl( (unsigned char)*p ) ) *p = '?';
}

static void append( struct view *view, const char *format, ... ) __attribute__( ( format( printf, 2, 3 ) ) );
static void append( struct view *view, const char *format, ... )
{
    const size_t used = strlen( view->options );
    va_list args;

    if ( used && used + 2 < sizeof( view->options ) ) strcat( view->options, " " );
    va_start( args, format );
    vsnprintf( view->options + strlen( view->options ), sizeof( view->options ) - strlen( view->options ), format,
               args );
    va_end( args );
}

static void describe_options( struct view *view )
{
    static const struct
    {
        uint32_t flag;
        const char *name;
    } names[] = { { WS2_FLAG_NONBLOCKING, "nonblocking" },
                  { WS2_FLAG_REUSEADDR, "reuseaddr" },
                  { WS2_FLAG_EXCLUSIVE, "exclusive" },
                  { WS2_FLAG_SHUT_RECEIVE, "shut-receive" },
                  { WS2_FLAG_SHUT_SEND, "shut-send" },
                  { WS2_FLAG_HAS_PORT, "completion-port" },
                  { WS2_FLAG_NEEDS_ACCEPT_CONTEXT, "acceptex" },
                  { WS2_FLAG_NEEDS_CONNECT_CONTEXT, "connectex" },
                  { WS2_FLAG_CONDITIONAL_ACCEPT, "conditional-accept" },
                  { WS2_FLAG_REGISTERED_IO, "registered-io" },
                  { WS2_FLAG_SEND_BLOCKED, "send-blocked" },
                  { WS2_FLAG_RESET, "reset" } };
    const struct ws2_slot *slot = &view->slot;

    for ( unsigned int i = 0; i < sizeof( names ) / sizeof( names[0] ); i++ )
        if ( slot->flags & names[i].flag ) append( view, "%s", names[i].name );
    if ( slot->family == FAMILY_INET6 && slot->flags & WS2_FLAG_BOUND && !( slot->flags & WS2_FLAG_V6ONLY ) )
        append( view, "dual-stack" );
    if ( slot->receive_timeout ) append( view, "rcvtimeo=%u", slot->receive_timeout );
    if ( slot->send_timeout ) append( view, "sndtimeo=%u", slot->send_timeout );
    if ( slot->flags & WS2_FLAG_RCVBUF_SET ) append( view, "rcvbuf=%u", slot->receive_buffer );
    if ( slot->flags & WS2_FLAG_SNDBUF_SET ) append( view, "sndbuf=%u", slot->send_buffer );
    if ( slot->linger_onoff ) append( view, "linger=%u", slot->linger_seconds );
    if ( slot->error ) append( view, "error=%u", slot->error );
}

static void describe_timer( struct view *view, const struct kernel_socket *kernel )
{
    static const char *const names[] = { NULL, "retransmit", "keepalive", "time-wait", "probe" };
    const char *name = kernel->timer < sizeof( names ) / sizeof( names[0] ) ? names[kernel->timer] : NULL;

    if ( name )
        snprintf( view->timer, sizeof( view->timer ), "%s in %u.%u s, %u repeated", name, kernel->timer_ms / 1000,
                  kernel->timer_ms / 100 % 10, kernel->retransmits );
}

/* As the kernel knows it, or as the table does. */
static void local_name( char *name, size_t size, const struct ws2_slot *slot )
{
    const struct kernel_socket *kernel = kernel_find( slot->cookie );

    snprintf( name, size, "-" );
    if ( kernel && slot->family == 1 ) unix_name( name, size, kernel->name );
    else if ( kernel ) snprintf( name, size, "%s", kernel->local );
    else if ( slot->local_port )
        kernel_format_address( name, slot->family == FAMILY_INET6 ? AF_INET6 : AF_INET, slot->local_address,
                               slot->local_port, 0 );
}

static void describe_listener( struct view *view )
{
    const struct ws2_slot *listener;

    view->listener = view->slot.type == SOCK_STREAM ? ws2_slot_listener( &view->slot ) : WS2_NO_INDEX;
    if ( !( listener = ws2_table_slot( server.table, view->listener ) ) ) view->listener = WS2_NO_INDEX;
    else local_name( view->listener_local, sizeof( view->listener_local ), listener );
}

void view_make( struct view *view, size_t first, size_t end )
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
    strcpy( view->peer, "-" );
    local_name( view->local, sizeof( view->local ), &view->slot );
    if ( ( kernel = kernel_find( view->slot.cookie ) ) )
    {
        view->known = 1;
        view->receive_queue = kernel->receive_queue;
        view->send_queue = kernel->send_queue;
        if ( view->slot.family != 1 )
        {
            strcpy( view->peer, kernel->peer );
            describe_timer( view, kernel );
        }
    }
    describe_listener( view );
    view->state = state_name( &view->slot, kernel );
    owner = view->slot.event_owner;
    if ( ws2_events_mask( view->slot.events ) && owner < WS2_CLIENT_COUNT )
        view->event_pid = ws2_table_clients( server.table )[owner].windows_pid;
    describe_options( view );
}

unsigned int view_descriptors( const struct view *view )
{
    unsigned int count = 0;

    for ( size_t i = view->first; i < view->end; i++ ) count += !rows[i].ticket_target;
    return count;
}

/* --- filters: state, pid, port, program, family, shared */

static int port_of( const char *address, const char *port )
{
    const char *colon = strrchr( address, ':' );

    return colon && !strcmp( colon + 1, port );
}

static int matches( const struct view *view, const char *name, const char *value )
{
    char program[256];

    if ( !strcmp( name, "state" ) ) return !strcasecmp( view->state, value );
    if ( !strcmp( name, "family" ) ) return !strcasecmp( view->family, value ) || !strcasecmp( view->type, value );
    if ( !strcmp( name, "port" ) ) return port_of( view->local, value ) || port_of( view->peer, value );
    for ( size_t i = view->first; i < view->end; i++ )
    {
        if ( !strcmp( name, "pid" ) )
        {
            const uint32_t pid = strtoul( value, NULL, 0 );

            if ( rows[i].windows_pid == pid || rows[i].unix_pid == pid || rows[i].ticket_target == pid ) return 1;
            continue;
        }
        view_program( rows[i].unix_pid, program, sizeof( program ) );
        if ( strcasestr( program, value ) ) return 1;
    }
    return 0;
}

int filter_check( char **words )
{
    static const char *const names[] = { "state", "pid", "port", "program", "family" };

    for ( ; *words; words++ )
    {
        const char *equals = strchr( *words, '=' );
        int known = !strcmp( *words, "shared" );

        for ( unsigned int i = 0; equals && i < sizeof( names ) / sizeof( names[0] ); i++ )
            if ( strlen( names[i] ) == (size_t)( equals - *words ) && !strncmp( *words, names[i], equals - *words ) )
                known = 1;
        if ( !known )
        {
            fail( "No filter \"%s\": there are state=, pid=, port=, program=, family=, and shared.", *words );
            return 0;
        }
    }
    return 1;
}

int filter_passes( const struct view *view, char **words )
{
    for ( ; *words; words++ )
    {
        char name[16];
        const char *equals = strchr( *words, '=' );

        if ( !equals )
        {
            if ( !view->shared ) return 0;
            continue;
        }
        snprintf( name, sizeof( name ), "%.*s", (int)( equals - *words ), *words );
        if ( !matches( view, name, equals + 1 ) ) return 0;
    }
    return 1;
}
