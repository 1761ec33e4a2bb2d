/*
 * The server of the prefix through an observer's connection: LIST says who holds which slot, the slots are read from the
 * table itself. It is never started from here.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>
#include "client/directory.h"
#include "ws2ctl.h"

struct server server = { .fd = -1 };

static const char *problem( const char *format, ... ) __attribute__( ( format( printf, 1, 2 ) ) );
static const char *problem( const char *format, ... )
{
    static char text[sizeof( server.directory ) + 200];
    va_list args;

    va_start( args, format );
    vsnprintf( text, sizeof( text ), format, args );
    va_end( args );
    server_close();
    return text;
}

void server_close( void )
{
    if ( server.table )
    {
        munmap( server.table, WS2_TABLE_SIZE );
        close( server.memfd );
    }
    if ( server.fd >= 0 ) close( server.fd );
    server.table = NULL;
    server.fd = -1;
}

const char *server_find( void )
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
    void *table;
    int memfd, directory = directory_open( 0, server.directory, sizeof( server.directory ) );

    if ( server.table ) return NULL;
    if ( directory < 0 && errno == EPERM )
        return problem( "%s is not this user's alone: chmod 700 it.", server.directory );
    if ( directory < 0 ) return problem( "No server runs for this prefix: none of its programs uses ws2host now." );
    server.fd = socket( AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0 );
    snprintf( address.sun_path, sizeof( address.sun_path ), "/proc/self/fd/%d/" WS2_SERVER_SOCKET, directory );
    if ( server.fd < 0 || connect( server.fd, (struct sockaddr *)&address, sizeof( address ) ) < 0 )
    {
        close( directory );
        return problem( "No server runs in %s: no program of this prefix uses ws2host now.", server.directory );
    }
    close( directory );
    setsockopt( server.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof( patience ) );
    if ( send( server.fd, &hello, sizeof( hello ), MSG_NOSIGNAL ) != sizeof( hello ) ||
         recvmsg( server.fd, &header, MSG_CMSG_CLOEXEC ) != sizeof( reply ) )
        return problem( "The server in %s does not answer.", server.directory );
    if ( reply.detail == WS2_DETAIL_VERSION )
        return problem( "This ws2ctl has version %u, the server in %s version %llu.", WS2_LAYOUT_VERSION,
                        server.directory, (unsigned long long)reply.instance );
    if ( reply.error || !( cmsg = CMSG_FIRSTHDR( &header ) ) || cmsg->cmsg_type != SCM_RIGHTS )
        return problem( "The server in %s does not show its table (%u).", server.directory, reply.error );
    memcpy( &memfd, CMSG_DATA( cmsg ), sizeof( memfd ) );
    table = fstat( memfd, &st ) < 0 || st.st_size != (off_t)WS2_TABLE_SIZE
                ? MAP_FAILED
                : mmap( NULL, WS2_TABLE_SIZE, PROT_READ, MAP_SHARED | MAP_NORESERVE, memfd, 0 );
    if ( table == MAP_FAILED )
    {
        close( memfd );
        return problem( "The table of the server in %s cannot be read: %s.", server.directory, strerror( errno ) );
    }
    server.memfd = memfd;
    server.table = table;
    return NULL;
}

int server_connect( void )
{
    const char *why = server_find();

    return why ? fail( "%s", why ) : 0;
}

struct ws2_row *rows;
size_t row_count;

int server_load_rows( void )
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
