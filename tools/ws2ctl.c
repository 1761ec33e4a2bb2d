/*
 * ws2ctl: shows the socket table of a prefix, and puts ws2host into a prefix or takes it out again.
 *
 * It looks through an observer's connection: LIST says who holds which slot, the slots are read from the table itself,
 * and the kernel (sock_diag) is asked for the addresses, which it knows by the same cookies. It never starts a server.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <json.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "client/connection.h"

extern char **environ;

#ifndef PKGLIBDIR
#define PKGLIBDIR "/usr/local/lib/ws2host"
#endif

#define FAMILY_INET6 23 /* as Windows numbers it */
#define ADDRESS_SIZE ( INET6_ADDRSTRLEN + 10 )

static int fail( const char *format, ... )
{
    va_list args;

    fprintf( stderr, "ws2ctl: " );
    va_start( args, format );
    vfprintf( stderr, format, args );
    va_end( args );
    fputc( '\n', stderr );
    return 1;
}

/* --- what the kernel knows: the addresses of every internet socket, by cookie ------------------------------------------*/

struct kernel_socket
{
    uint64_t cookie;
    char local[ADDRESS_SIZE], peer[ADDRESS_SIZE];
    unsigned char state;
};

static struct kernel_socket *kernel_sockets;
static size_t kernel_count, kernel_size;

static void format_address( char *text, int family, const void *address, unsigned int port, int none_if_empty )
{
    static const unsigned char empty[16];
    char host[INET6_ADDRSTRLEN];

    if ( none_if_empty && !port && !memcmp( address, empty, family == AF_INET6 ? 16 : 4 ) ) strcpy( text, "-" );
    else
    {
        inet_ntop( family, address, host, sizeof( host ) );
        snprintf( text, ADDRESS_SIZE, family == AF_INET6 ? "[%s]:%u" : "%s:%u", host, port );
    }
}

static void add_kernel_socket( const struct inet_diag_msg *message )
{
    struct kernel_socket *found;

    if ( kernel_count == kernel_size )
    {
        const size_t size = kernel_size ? 2 * kernel_size : 256;
        void *larger = realloc( kernel_sockets, size * sizeof( *kernel_sockets ) );

        if ( !larger ) return;
        kernel_sockets = larger;
        kernel_size = size;
    }
    found = &kernel_sockets[kernel_count++];
    found->cookie = (uint64_t)message->id.idiag_cookie[1] << 32 | message->id.idiag_cookie[0];
    found->state = message->idiag_state;
    format_address( found->local, message->idiag_family, message->id.idiag_src, ntohs( message->id.idiag_sport ), 0 );
    format_address( found->peer, message->idiag_family, message->id.idiag_dst, ntohs( message->id.idiag_dport ), 1 );
}

static void ask_kernel( int fd, int family, int protocol )
{
    struct
    {
        struct nlmsghdr header;
        struct inet_diag_req_v2 request;
    } question = { .header = { .nlmsg_len = sizeof( question ),
                               .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                               .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
                   .request = { .sdiag_family = family, .sdiag_protocol = protocol, .idiag_states = ~0u } };
    static char buffer[0x10000] __attribute__( ( aligned( 8 ) ) );

    if ( send( fd, &question, sizeof( question ), 0 ) < 0 ) return;
    for ( ;; )
    {
        ssize_t size = recv( fd, buffer, sizeof( buffer ), 0 );
        const struct nlmsghdr *header = (const struct nlmsghdr *)buffer;

        if ( size <= 0 ) return;
        for ( ; NLMSG_OK( header, size ); header = NLMSG_NEXT( header, size ) )
        {
            if ( header->nlmsg_type == NLMSG_DONE || header->nlmsg_type == NLMSG_ERROR ) return;
            if ( header->nlmsg_type == SOCK_DIAG_BY_FAMILY ) add_kernel_socket( NLMSG_DATA( header ) );
        }
    }
}

static int compare_cookies( const void *a, const void *b )
{
    const uint64_t x = ( (const struct kernel_socket *)a )->cookie, y = ( (const struct kernel_socket *)b )->cookie;

    return x < y ? -1 : x > y;
}

static void load_kernel_sockets( void )
{
    static const int families[] = { AF_INET, AF_INET6 }, protocols[] = { IPPROTO_TCP, IPPROTO_UDP };
    const struct timeval patience = { 2, 0 };
    int fd = socket( AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG );

    kernel_count = 0;
    if ( fd < 0 ) return;
    setsockopt( fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof( patience ) );
    for ( int i = 0; i < 2; i++ )
        for ( int j = 0; j < 2; j++ ) ask_kernel( fd, families[i], protocols[j] );
    close( fd );
    if ( kernel_count ) qsort( kernel_sockets, kernel_count, sizeof( *kernel_sockets ), compare_cookies );
}

static const struct kernel_socket *find_kernel_socket( uint64_t cookie )
{
    const struct kernel_socket key = { .cookie = cookie };

    return kernel_count ? bsearch( &key, kernel_sockets, kernel_count, sizeof( key ), compare_cookies ) : NULL;
}

/* --- the server's view ------------------------------------------------------------------------------------------------*/

static struct
{
    int fd;
    void *table;
    char directory[4096];
} server = { .fd = -1 };

/* 0 when connected; else a sentence has been written. */
static int connect_server( void )
{
    struct ws2_request hello = { .type = WS2_HELLO, .version = WS2_LAYOUT_VERSION };
    const struct timeval patience = { 10, 0 };
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    char control[CMSG_SPACE( sizeof( int ) )];
    struct ws2_reply reply;
    struct iovec data = { &reply, sizeof( reply ) };
    struct msghdr header = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof( control )
    };
    struct cmsghdr *cmsg;
    struct stat st;
    int memfd, directory = directory_open( 0, server.directory, sizeof( server.directory ) );

    if ( directory < 0 && errno == EPERM )
        return fail( "%s is not this user's alone: chmod 700 it.", server.directory );
    if ( directory < 0 ) return fail( "No server runs for this prefix." );
    server.fd = socket( AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0 );
    snprintf( address.sun_path, sizeof( address.sun_path ), "/proc/self/fd/%d/" WS2_SERVER_SOCKET, directory );
    if ( server.fd < 0 || connect( server.fd, (struct sockaddr *)&address, sizeof( address ) ) < 0 )
    {
        close( directory );
        return fail( "No server runs in %s.", server.directory );
    }
    close( directory );
    setsockopt( server.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof( patience ) );
    if ( send( server.fd, &hello, sizeof( hello ), MSG_NOSIGNAL ) != sizeof( hello ) ||
         recvmsg( server.fd, &header, MSG_CMSG_CLOEXEC ) != sizeof( reply ) )
        return fail( "The server in %s does not answer.", server.directory );
    if ( reply.detail == WS2_DETAIL_VERSION )
        return fail( "This ws2ctl has version %u, the server in %s version %llu.", WS2_LAYOUT_VERSION, server.directory,
                     (unsigned long long)reply.instance );
    if ( reply.error || !( cmsg = CMSG_FIRSTHDR( &header ) ) || cmsg->cmsg_type != SCM_RIGHTS )
        return fail( "The server in %s does not show its table (%u).", server.directory, reply.error );
    memcpy( &memfd, CMSG_DATA( cmsg ), sizeof( memfd ) );
    if ( fstat( memfd, &st ) < 0 || st.st_size != (off_t)WS2_TABLE_SIZE ||
         ( server.table = mmap( NULL, WS2_TABLE_SIZE, PROT_READ, MAP_SHARED | MAP_NORESERVE, memfd, 0 ) ) ==
             MAP_FAILED )
        return fail( "The table of the server in %s cannot be read: %s.", server.directory, strerror( errno ) );
    close( memfd );
    return 0;
}

static struct ws2_row *rows;
static size_t row_count;

static int load_rows( void )
{
    struct ws2_request list = { .type = WS2_LIST };
    struct
    {
        struct ws2_reply reply;
        struct ws2_row rows[WS2_LIST_ROWS];
    } answer;

    row_count = 0;
    do {
        ssize_t size;
        struct ws2_row *larger;

        if ( send( server.fd, &list, sizeof( list ), MSG_NOSIGNAL ) != sizeof( list ) ||
             ( size = recv( server.fd, &answer, sizeof( answer ), 0 ) ) < (ssize_t)sizeof( answer.reply ) ||
             answer.reply.count > WS2_LIST_ROWS ||
             size != (ssize_t)( sizeof( answer.reply ) + answer.reply.count * sizeof( *rows ) ) )
            return fail( "The server in %s has gone.", server.directory );
        if ( !( larger = realloc( rows, ( row_count + answer.reply.count + 1 ) * sizeof( *rows ) ) ) )
            return fail( "No memory." );
        rows = larger;
        memcpy( rows + row_count, answer.rows, answer.reply.count * sizeof( *rows ) );
        row_count += answer.reply.count;
        list.slot = answer.reply.slot;
        list.handle = answer.reply.handle;
    } while ( list.slot != WS2_NO_INDEX );
    return 0;
}

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
    if ( ( kernel = find_kernel_socket( view->slot.cookie ) ) )
    {
        strcpy( view->local, kernel->local );
        strcpy( view->peer, kernel->peer );
    }
    else if ( view->slot.local_port )
        format_address( view->local, view->slot.family == FAMILY_INET6 ? AF_INET6 : AF_INET, view->slot.local_address,
                        view->slot.local_port, 0 );
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

    if ( load_rows() ) return 1;
    load_kernel_sockets();
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

static int watch( double seconds )
{
    const struct timespec pause = { (time_t)seconds, ( seconds - (time_t)seconds ) * 1e9 };

    for ( ;; )
    {
        if ( isatty( 1 ) ) fputs( "\033[H\033[J", stdout );
        if ( show( 0 ) ) return 1;
        fflush( stdout );
        nanosleep( &pause, NULL );
    }
}

/* --- a prefix ---------------------------------------------------------------------------------------------------------*/

static const char *const dlls[] = { "ws2_32.dll", "ws2host.dll" };
#define SAVED ".before-ws2host"

/* The directory with x86_64-windows in it: of the build tree, or of the installation. */
static int library_directory( char *path, size_t size )
{
    char program[4000];
    ssize_t length = readlink( "/proc/self/exe", program, sizeof( program ) - 1 );
    struct stat st;

    if ( length <= 0 ) return -1;
    program[length] = 0;
    *strrchr( program, '/' ) = 0;
    if ( snprintf( path, size, "%s/../lib/x86_64-windows", program ) < (int)size && !stat( path, &st ) )
        snprintf( path, size, "%s/../lib", program );
    else if ( snprintf( path, size, "%s/../lib/ws2host/x86_64-windows", program ) < (int)size && !stat( path, &st ) )
        snprintf( path, size, "%s/../lib/ws2host", program );
    else snprintf( path, size, "%s", PKGLIBDIR );
    return 0;
}

static int run_reg( char *const arguments[] )
{
    const char *wine = getenv( "WINE" );
    int status;
    pid_t pid;

    if ( posix_spawnp( &pid, wine && *wine ? wine : "wine", NULL, NULL, arguments, environ ) )
        return fail( "Cannot run wine." );
    while ( waitpid( pid, &status, 0 ) < 0 && errno == EINTR ) continue;
    return WIFEXITED( status ) && !WEXITSTATUS( status ) ? 0 : 1;
}

static int copy_file( const char *from, const char *to )
{
    char temporary[8400], buffer[0x10000];
    int in, out, result = -1;
    ssize_t size;

    snprintf( temporary, sizeof( temporary ), "%s.new", to );
    if ( ( in = open( from, O_RDONLY | O_CLOEXEC ) ) < 0 ) return -1;
    if ( ( out = open( temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644 ) ) >= 0 )
    {
        while ( ( size = read( in, buffer, sizeof( buffer ) ) ) > 0 && write( out, buffer, size ) == size ) continue;
        result = size ? -1 : 0;
        if ( close( out ) < 0 ) result = -1;
        if ( !result ) result = rename( temporary, to );
        if ( result ) unlink( temporary );
    }
    close( in );
    return result;
}

static int system32_path( char *path, size_t size )
{
    const char *prefix = getenv( "WINEPREFIX" ), *home = getenv( "HOME" );
    struct stat st;

    if ( prefix && *prefix ) snprintf( path, size, "%s/drive_c/windows/system32", prefix );
    else snprintf( path, size, "%s/.wine/drive_c/windows/system32", home ? home : "" );
    return stat( path, &st ) ? fail( "%s: %s; make the prefix first (wineboot -i).", path, strerror( errno ) ) : 0;
}

static int enable( void )
{
    char *const reg[] = { "wine",           "reg", "add", "HKCU\\Software\\Wine\\DllOverrides", "/v", "ws2_32", "/d",
                          "native,builtin", "/f",  NULL };
    char system32[4096], library[4096], from[8192], to[8192], saved[8300];

    if ( system32_path( system32, sizeof( system32 ) ) || library_directory( library, sizeof( library ) ) ) return 1;
    for ( unsigned int i = 0; i < sizeof( dlls ) / sizeof( dlls[0] ); i++ )
    {
        snprintf( from, sizeof( from ), "%s/x86_64-windows/%s", library, dlls[i] );
        snprintf( to, sizeof( to ), "%s/%s", system32, dlls[i] );
        snprintf( saved, sizeof( saved ), "%s" SAVED, to );
        /* what was there before is kept once, not again when enable is repeated; link refuses to replace it */
        if ( link( to, saved ) < 0 && errno != EEXIST && errno != ENOENT )
            return fail( "%s: %s.", saved, strerror( errno ) );
        if ( copy_file( from, to ) < 0 ) return fail( "%s -> %s: %s.", from, to, strerror( errno ) );
    }
    if ( run_reg( reg ) ) return fail( "The DllOverrides value could not be set." );
    printf( "ws2host is enabled in this prefix; run wine with WINEDLLPATH=%s\n", library );
    return 0;
}

static int disable( void )
{
    char *const reg[] = { "wine", "reg", "delete", "HKCU\\Software\\Wine\\DllOverrides", "/v", "ws2_32", "/f", NULL };
    char system32[4096], to[8192], saved[8300];
    int error;

    if ( system32_path( system32, sizeof( system32 ) ) ) return 1;
    error = run_reg( reg );
    for ( unsigned int i = 0; i < sizeof( dlls ) / sizeof( dlls[0] ); i++ )
    {
        snprintf( to, sizeof( to ), "%s/%s", system32, dlls[i] );
        snprintf( saved, sizeof( saved ), "%s" SAVED, to );
        if ( rename( saved, to ) < 0 && errno == ENOENT && !strcmp( dlls[i], "ws2host.dll" ) ) unlink( to );
    }
    if ( error ) return fail( "The DllOverrides value could not be removed." );
    puts( "ws2host is disabled in this prefix" );
    return 0;
}

/* ----------------------------------------------------------------------------------------------------------------------*/

static const char usage[] = "Usage: ws2ctl list [--json]        the sockets of WINEPREFIX (or ~/.wine)\n"
                            "       ws2ctl watch [SECONDS]      the same, refreshed\n"
                            "       ws2ctl enable | disable     put ws2host into the prefix, take it out again\n";

int main( int argc, char **argv )
{
    static const struct option options[] = { { "json", no_argument, NULL, 'j' },
                                             { "help", no_argument, NULL, 'h' },
                                             { 0 } };
    int option, as_json = 0;
    const char *command;

    while ( ( option = getopt_long( argc, argv, "jh", options, NULL ) ) != -1 )
    {
        if ( option == 'j' ) as_json = 1;
        else
        {
            fputs( usage, option == 'h' ? stdout : stderr );
            return option == 'h' ? 0 : 2;
        }
    }
    command = optind < argc ? argv[optind] : "";
    if ( !strcmp( command, "enable" ) ) return enable();
    if ( !strcmp( command, "disable" ) ) return disable();
    if ( !strcmp( command, "list" ) ) return connect_server() || show( as_json );
    if ( !strcmp( command, "watch" ) )
    {
        const double seconds = optind + 1 < argc ? atof( argv[optind + 1] ) : 1;
        return connect_server() || watch( seconds >= 0.05 ? seconds : 1 );
    }
    fputs( usage, stderr );
    return 2;
}
