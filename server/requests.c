/*
 * The messages: received, checked against one table of what each may carry, answered. What each of them does stands in the
 * files of its kind (requests_*.c).
 *
 * Whatever a client sends, the server answers or drops the connection. A descriptor that comes where none belongs is
 * closed; every reply leaves without waiting, and a client that does not read its replies is dropped.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include "exchange.h"
#include "ws2host/trace_text.h"
#include "ws2host/winsock_codes.h"

#define TURN 300          /* us of one connection before the others get theirs */
#define COST_OF_ANSWER 8u /* in messages that are not answered */
#define FDS_MOST 253      /* of one message, as the host has it */

enum descriptor_rule
{
    NO_FD,
    MAY_HAVE_FD,
    NEEDS_FD
};

static const struct
{
    int32_t ( *handle )( struct exchange *e );
    enum descriptor_rule fd;
    unsigned char observer; /* an observer may send it */
} requests[WS2_REQUEST_COUNT] = {
    [WS2_LEAVE] = { request_leave, NO_FD, 0 },
    [WS2_BOUND] = { request_bound, NO_FD, 0 },
    [WS2_CELLS_REQUEST] = { request_cells, NEEDS_FD, 0 },
    [WS2_HELLO] = { request_hello, MAY_HAVE_FD, 1 },
    [WS2_LEASE] = { request_lease, NO_FD, 0 },
    [WS2_DUPLICATE] = { request_duplicate, NEEDS_FD, 0 },
    [WS2_WATCH] = { request_watch, NEEDS_FD, 0 },
    [WS2_REDEEM] = { request_redeem, NO_FD, 0 },
    [WS2_NAME] = { request_name, NO_FD, 0 },
    [WS2_ADOPT] = { request_adopt, NEEDS_FD, 0 },
    [WS2_CLOSE] = { request_close, NO_FD, 0 },
    [WS2_NOTICE] = { request_notice, NEEDS_FD, 0 },
    [WS2_PUBLISH] = { request_publish, MAY_HAVE_FD, 0 },
    [WS2_SPENT] = { request_spent, NO_FD, 0 },
    [WS2_RESUMED] = { request_resumed, NO_FD, 0 },
    [WS2_BIND] = { request_bind, NO_FD, 0 },
    [WS2_SHARE] = { request_share, NEEDS_FD, 0 },
    [WS2_HELPER] = { request_helper, NEEDS_FD, 0 },
    [WS2_FETCH] = { request_fetch, NO_FD, 0 },
    [WS2_REPLACE] = { request_replace, NEEDS_FD, 0 },
    [WS2_LIST] = { request_list, NO_FD, 1 },
    [WS2_ISSUE] = { request_issue, NEEDS_FD, 0 },
    [WS2_TAKEN] = { request_taken, NO_FD, 0 },
};

/* The first descriptor of a message, -1 for none; any others are closed. */
static int take_fd( struct msghdr *header, struct process *process )
{
    int result = -1;

    for ( struct cmsghdr *cmsg = CMSG_FIRSTHDR( header ); cmsg; cmsg = CMSG_NXTHDR( header, cmsg ) )
    {
        if ( cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS ) continue;
        for ( size_t offset = 0; offset + sizeof( int ) <= cmsg->cmsg_len - CMSG_LEN( 0 ); offset += sizeof( int ) )
        {
            int fd;

            memcpy( &fd, CMSG_DATA( cmsg ) + offset, sizeof( fd ) );
            if ( result < 0 ) result = fd;
            else close_later_consume( fd, process->closing );
        }
    }
    return result;
}

static void reply( struct exchange *e )
{
    connection_reply( e->connection, &e->reply, sizeof( e->reply ), e->send_fd );
}

/* The rows stand right behind the reply. */
static void reply_list( struct exchange *e )
{
    char message[sizeof( e->reply ) + WS2_LIST_ROWS * sizeof( e->rows[0] )];
    const size_t rows = e->reply.count * sizeof( e->rows[0] );

    memcpy( message, &e->reply, sizeof( e->reply ) );
    memcpy( message + sizeof( e->reply ), e->rows, rows );
    connection_reply( e->connection, message, sizeof( e->reply ) + rows, -1 );
}

static void trace_message( const struct exchange *e )
{
    char text[WS2_REQUEST_TEXT_SIZE], answer[WS2_REQUEST_TEXT_SIZE];
    const uint32_t from = e->client ? e->client->windows_pid : e->request->windows_pid;

    if ( ws2_request_is_one_way( e->request->type ) )
        server_trace_line( "%u: %s", from, ws2_request_text( text, e->request ) );
    else
        server_trace_line( "%u: %s = %s", from, ws2_request_text( text, e->request ),
                           ws2_reply_text( answer, e->request, &e->reply ) );
}

/* A client that breaks the protocol loses its connection, and nothing else. */
static void handle( struct connection *connection, const struct ws2_request *request, int fd, int truncated )
{
    static struct ws2_row rows[WS2_LIST_ROWS];
    struct exchange e = { .connection = connection,
                          .client = connection->client,
                          .request = request,
                          .rows = rows,
                          .fd = fd,
                          .send_fd = -1 };

    /* a process that has ended knows of nothing but what it has done itself */
    if ( connection->last_words && !ws2_request_is_one_way( request->type ) ) connection_end( connection );
    else if ( request->type < WS2_REQUEST_COUNT && requests[request->type].handle &&
              ( request->type == WS2_HELLO ) == !connection->greeted &&
              ( requests[request->type].observer || connection->client ) )
    {
        const enum descriptor_rule rule = requests[request->type].fd;

        if ( fd < 0 && truncated )
        {
            e.reply.error = WSAENOBUFS;
            /* nothing else tells the client, which says again what it has */
            if ( ws2_request_is_one_way( request->type ) ) connection_end( connection );
        }
        else if ( ( rule == NO_FD && fd >= 0 ) || ( rule == NEEDS_FD && fd < 0 ) ) e.reply.error = WSAEINVAL;
        else e.reply.error = requests[request->type].handle( &e );
        if ( server_tracing ) trace_message( &e );
        if ( e.ticket ) reply_redeemed( &e );
        else if ( !e.replied && !connection->waits && !ws2_request_is_one_way( request->type ) )
            ( request->type == WS2_LIST ? reply_list : reply )( &e );
    }
    else
    {
        server_trace( "a message that breaks the protocol: its connection ends" );
        connection_end( connection );
    }
    if ( e.fd >= 0 ) close_later_consume( e.fd, connection->process->closing );
}

void request_go_on( struct connection *connection )
{
    const struct ws2_request request = connection->parked;
    const int fd = connection->request_fd;

    connection->request_fd = -1;
    handle( connection, &request, fd, 0 );
}

int request_receive( struct connection *connection )
{
    const uint64_t end = loop_now_us() + TURN;
    unsigned int sent = 0;
    int received = 0, one_way;

    do {
        struct ws2_request request[2]; /* room to tell a message that is too long */
        /* for all that one message can carry: what does not fit the host would close, here and now */
        char control[CMSG_SPACE( FDS_MOST * sizeof( int ) )];
        struct iovec data = { request, sizeof( request ) };
        struct msghdr header = {
            .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof( control )
        };
        const ssize_t size = recvmsg( connection->fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC );
        int fd;

        if ( size < 0 && ( errno == EAGAIN || errno == EINTR ) ) return received;
        if ( size < 0 ) goto broken;
        received = 1;
        /* a message of no bytes, which is also how the end looks, may carry some */
        fd = take_fd( &header, connection->process );
        if ( size != sizeof( request[0] ) )
        {
            if ( fd >= 0 ) close_later_consume( fd, connection->process->closing );
            goto broken;
        }
        one_way = ws2_request_is_one_way( request->type );
        sent += one_way ? 1 : COST_OF_ANSWER;
        handle( connection, request, fd, header.msg_flags & MSG_CTRUNC );
        if ( connection->ended || connection->waits || connection->unsent ) return received;
        /* said once, and most of its time is the server's own affair: what comes next need not wait for that */
        if ( request->type == WS2_HELLO ) return received;
        /* what nobody waits for is heard to its end: others may ask because of it */
    } while ( loop_now_us() < end || ( one_way && connection_may_go_on( connection, sent ) ) );
    connection_rest( connection, sent );
    return received;

broken:
    connection_end( connection );
    return received;
}
