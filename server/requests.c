/*
 * The messages: received, checked against one table of what each may carry, answered.
 *
 * Whatever a client sends, the server answers or drops the connection. A descriptor that comes where none belongs is
 * closed; every reply leaves without waiting, and a client that does not read its replies is dropped.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "server.h"
#include "ws2host/trace_text.h"
#include "ws2host/winsock_codes.h"

#define TURN 300               /* us of one connection before the others get theirs */
#define COST_OF_ANSWER 8u      /* in messages that are not answered */
#define TAKEOVER_PATIENCE 2000 /* ms that a ticket may take to be published again */
#define REPLY_PATIENCE 1000    /* ms that a socket may take to be sent */
#define SLOWEST_AGAIN 100      /* ms until one that waits asks again */
#define LIST_STEP 0x800u       /* slots that one LIST looks at */
#define LIST_MOST 0x2000u      /* rows of one slot that are listed */
#define FDS_MOST 253           /* of one message, as the host has it */

/* Handlers fill in the reply, may take *fd (setting it to -1), and leave a descriptor of the server's own to send in *send_fd
 * (borrowed). One that answers later has the connection wait. */
struct exchange
{
    struct connection *connection;
    struct client *client; /* NULL for an observer, and before HELLO */
    const struct ws2_request *request;
    struct ws2_reply reply;
    struct ws2_row rows[WS2_LIST_ROWS];
    struct ticket *ticket; /* redeemed by this reply, if it can be sent */
    struct holder *holder;
    int replied;
    int fd;
    int send_fd;
};

static uint64_t socket_cookie( int fd )
{
    uint64_t cookie = 0;
    socklen_t size = sizeof( cookie );

    return getsockopt( fd, SOL_SOCKET, SO_COOKIE, &cookie, &size ) < 0 ? 0 : cookie;
}

/* The first process brings the table of a server that died, or there is none yet. */
static int32_t find_table( struct exchange *e )
{
    const int fd = e->fd;

    if ( table_mapping() ) return 0;
    e->fd = -1;
    errno = 0;
    if ( ( fd >= 0 && !table_take_over_consume( fd ) ) || ( !place_was_left() && !table_find_orphan( table_name() ) ) )
    {
        takeover_begin( process_ended );
        nodes_remake();
        return 0;
    }
    /* another server serves it, from a directory that was put aside: it will find out, and give way */
    if ( errno == EBUSY ) return WSAEWOULDBLOCK;
    return table_create() ? WSAENOBUFS : 0;
}

/* The client that comes back, or NULL and why not. What it has not published when it says RESUMED it does not have. */
static struct client *returning_client( struct exchange *e )
{
    struct process *process = e->connection->process;
    struct client *client = client_of_process( process, e->request->windows_pid );

    if ( client && client->connection )
    {
        connection_drain( client->connection );
        client = client_of_process( process, e->request->windows_pid );
    }
    if ( !client ) return NULL;
    if ( e->request->instance != table_instance() )
    {
        /* another program in the same process, which holds nothing of this table */
        connection_end_client( client );
        return NULL;
    }
    holders_doubt( client );
    client->resuming = 1;
    return client;
}

static int32_t new_client( struct exchange *e, struct client **result )
{
    struct process *process = e->connection->process;
    struct client *other = client_of_windows_pid( e->request->windows_pid );

    if ( other && process_has_ended( other->process ) )
    {
        process_ended( &other->process->source, 0 );
        other = client_of_windows_pid( e->request->windows_pid );
    }
    if ( other && other->process != process )
    {
        e->reply.detail = WS2_DETAIL_CLAIMED;
        return WSAEACCES;
    }
    if ( process_watch( process, e->connection->fd, process_ended ) < 0 ||
         !( *result = client_create( process, e->request->windows_pid ) ) )
        return WSAENOBUFS;
    return 0;
}

static int32_t lease( struct exchange *e, struct client *client )
{
    struct process *process = client->process;

    if ( !process_may_take( process, &process->held.slots, PROCESS_SLOTS_ALWAYS, PROCESS_SLOTS,
                            blocks_free() * WS2_BLOCK_SLOTS ) ||
         block_lease( client->index, &e->reply.slot ) )
        return WSAEMFILE;
    process_charge( process, &process->held.slots, WS2_BLOCK_SLOTS );
    return 0;
}

static int32_t request_lease( struct exchange *e ) { return lease( e, e->client ); }

static int32_t request_hello( struct exchange *e )
{
    struct client *client = NULL;
    int32_t error;

    if ( e->request->version != WS2_LAYOUT_VERSION )
    {
        e->reply.detail = WS2_DETAIL_VERSION;
        e->reply.instance = WS2_LAYOUT_VERSION;
        return WSAENETDOWN;
    }
    if ( process_is_foreign( e->connection->process ) )
    {
        e->reply.detail = WS2_DETAIL_FOREIGN;
        return WSAENETDOWN;
    }
    if ( e->request->windows_pid && limits_give_way( e->connection->process->unix_pid ) ) return WSAEWOULDBLOCK;
    if ( ( error = find_table( e ) ) ) return error;
    if ( e->request->windows_pid && !( client = returning_client( e ) ) && ( error = new_client( e, &client ) ) )
        return error;
    e->connection->greeted = 1;
    e->connection->client = client;
    if ( client ) client->connection = e->connection;
    e->reply.index = client ? client->index : WS2_NO_INDEX;
    e->reply.instance = table_instance();
    if ( e->request->instance != table_instance() ) e->send_fd = table_fd();
    if ( client && ( e->request->flags & 1 ) && !lease( e, client ) ) e->reply.count = WS2_BLOCK_SLOTS;
    return 0;
}

static int32_t request_leave( struct exchange *e )
{
    connection_end_client( e->client );
    return 0;
}

/* The share of a socket that the client says it has a descriptor of. */
static int32_t share_of_client( struct exchange *e, struct share **result )
{
    const struct ws2_request *request = e->request;
    const uint64_t cookie = socket_cookie( e->fd );
    struct share *share = share_at( request->slot, request->generation );
    int32_t error = 0;

    if ( !cookie ) return WSAENOTSOCK;
    if ( !share && !share_of_slot( request->slot ) && block_owner( request->slot ) == e->client->index )
        share = share_private( e->client, request->slot, request->generation, request->handle, cookie, &error );
    if ( error ) return error;
    if ( !share || !holder_find( share, e->client, request->handle ) || !share_set_cookie( share, cookie ) )
        return WSAENOTSOCK;
    *result = share;
    return 0;
}

static int32_t request_duplicate( struct exchange *e )
{
    const struct ws2_request *request = e->request;
    struct ticket *ticket;
    struct share *share;
    int32_t error;
    int fd;

    if ( !request->windows_pid ) return WSAEINVAL;
    if ( !client_of_windows_pid( request->windows_pid ) && !watch_find( e->client, request->windows_pid ) )
    {
        e->reply.detail = WS2_DETAIL_UNKNOWN_TARGET;
        return WSAEINVAL;
    }
    if ( request->ticket )
    {
        /* published again, perhaps by a source that has closed its descriptor since */
        share = e->client->resuming ? share_at( request->slot, request->generation ) : NULL;
        if ( !share || !share_set_cookie( share, socket_cookie( e->fd ) ) ) return WSAEINVAL;
        e->reply.ticket = request->ticket;
        if ( ticket_publish_known( e->client, share, request->ticket, request->flags - 1 ) ) return 0;
        if ( !takeover_running() ) return WSAEINVAL;
    }
    else if ( ( error = share_of_client( e, &share ) ) ) return error;
    fd = e->fd;
    e->fd = -1;
    if ( ( error = ticket_create_consume( e->client, share, fd, request->windows_pid, request->ticket,
                                          request->flags - 1, &ticket ) ) )
        return error;
    e->reply.ticket = ticket->number;
    return 0;
}

static int32_t request_watch( struct exchange *e )
{
    const int fd = e->fd;

    if ( !e->request->windows_pid ) return WSAEINVAL;
    e->fd = -1;
    return watch_create_consume( e->client, e->request->windows_pid, fd );
}

/* More and more seldom. */
static uint64_t ask_again( const struct exchange *e )
{
    const uint64_t waited = e->request->handle;

    return waited < 1 ? 1 : waited < SLOWEST_AGAIN ? waited : SLOWEST_AGAIN;
}

/* The caller's other threads need the connection, so it waits by itself. */
static int32_t answer_later( struct exchange *e, int32_t error, uint64_t delay )
{
    e->reply.detail = delay ? WS2_DETAIL_LATER : WS2_DETAIL_NONE;
    e->reply.count = delay;
    return error;
}

static int32_t request_redeem( struct exchange *e )
{
    struct process *process = e->client->process;
    uint64_t not_before = guess_next( process );

    if ( !not_before ) not_before = target_guess_next( e->client->windows_pid );
    if ( not_before ) return answer_later( e, WSAEWOULDBLOCK, not_before );
    if ( ( e->ticket = ticket_find( e->request->ticket, e->client->windows_pid ) ) )
    {
        if ( !( e->holder = share_hold( e->ticket->share, e->client, 0 ) ) )
        {
            e->ticket = NULL;
            return WSAENOBUFS;
        }
        e->reply.slot = e->ticket->share->slot;
        e->reply.generation = e->ticket->share->generation;
        e->send_fd = e->ticket->fd;
        return 0;
    }
    if ( ticket_has_ended( e->request->ticket, e->client->windows_pid ) ) return WSAEINVAL;
    /* its source may not have come back yet */
    if ( takeover_running() && clients_missing_for( e->client->windows_pid ) && e->request->handle < TAKEOVER_PATIENCE )
    {
        const uint64_t delay = ask_again( e );

        guess_early( process, delay );
        return answer_later( e, WSAEWOULDBLOCK, delay );
    }
    target_guessed( e->client->windows_pid );
    return answer_later( e, WSAEINVAL, guess_wrong( process ) );
}

/* The socket goes out with the reply, or the ticket stays as it was. */
static void reply_redeemed( struct exchange *e )
{
    int error;

    /* what the client finds in the table is right as soon as it has the answer */
    share_count_ticket( e->ticket->share, -1 );
    e->ticket->counted = 0;
    if ( connection_try_reply( e->connection, &e->reply, sizeof( e->reply ), e->send_fd ) )
    {
        ticket_end( e->ticket );
        return;
    }
    error = errno;
    share_count_ticket( e->ticket->share, 1 );
    e->ticket->counted = 1;
    share_release( e->holder );
    e->reply = ( struct ws2_reply ){ .error = WSAENOBUFS };
    e->send_fd = -1;
    if ( e->request->handle < REPLY_PATIENCE ) e->reply.error = answer_later( e, WSAEWOULDBLOCK, ask_again( e ) );
    if ( error != EAGAIN && error != ETOOMANYREFS && error != ENOBUFS && error != ENOMEM )
        connection_end( e->connection );
    else connection_reply( e->connection, &e->reply, sizeof( e->reply ), -1 );
}

static int32_t request_name( struct exchange *e )
{
    struct share *share = share_at( e->request->slot, e->request->generation );
    struct holder *holder = share ? holder_find( share, e->client, 0 ) : NULL;

    if ( holder ) holder_name( holder, e->request->handle );
    return 0;
}

/* A step of it; the socket that nobody has shared yet is looked for among all slots. */
static int32_t request_adopt( struct exchange *e )
{
    struct adoption *adoption = &e->connection->adoption;
    struct share *share;
    int32_t error;

    if ( !e->connection->working )
    {
        *adoption =
            ( struct adoption ){ .cookie = socket_cookie( e->fd ), .kind = e->request->flags, .ghost = WS2_NO_INDEX };
        if ( !adoption->cookie ) return WSAENOTSOCK;
    }
    if ( !share_adopt( adoption, e->client, &share, &error ) )
    {
        /* the descriptor keeps the socket meanwhile */
        if ( !e->connection->working ) e->connection->parked = *e->request;
        e->connection->request_fd = e->fd;
        e->fd = -1;
        connection_work( e->connection );
        return 0;
    }
    if ( !share ) return error;
    if ( !share_hold( share, e->client, e->request->handle ) )
    {
        share_check( share );
        return WSAENOBUFS;
    }
    e->reply.slot = share->slot;
    e->reply.generation = share->generation;
    if ( adoption->new_slot ) e->reply.detail = WS2_DETAIL_NEW_SLOT;
    return 0;
}

static int32_t request_close( struct exchange *e )
{
    struct share *share = share_at( e->request->slot, e->request->generation );
    struct holder *holder = share ? holder_find( share, e->client, e->request->handle ) : NULL;

    if ( !holder ) return WSAENOTSOCK;
    share_release( holder );
    return 0;
}

static int32_t request_notice( struct exchange *e )
{
    int domain = 0, type = 0, old = e->client->notice;
    socklen_t size = sizeof( domain );

    if ( getsockopt( e->fd, SOL_SOCKET, SO_DOMAIN, &domain, &size ) < 0 || domain != AF_UNIX ||
         getsockopt( e->fd, SOL_SOCKET, SO_TYPE, &type, &size ) < 0 || type != SOCK_STREAM )
        return WSAEINVAL;
    if ( old >= 0 ) close_later_consume( old, e->client->process->closing );
    e->client->notice = e->fd;
    e->fd = -1;
    return 0;
}

static int32_t request_cells( struct exchange *e )
{
    const int fd = e->fd;

    e->fd = -1;
    return client_set_cells_consume( e->client, fd ) ? 0 : WSAEINVAL;
}

static int32_t request_publish( struct exchange *e )
{
    struct share *share = share_at( e->request->slot, e->request->generation );
    const uint64_t cookie = e->fd >= 0 ? socket_cookie( e->fd ) : 0;
    struct holder *holder = NULL;

    if ( !e->client->resuming || !share || ( e->fd >= 0 && !share_set_cookie( share, cookie ) ) ) return WSAEINVAL;
    /* one that was counted before the process came back: another adopted the socket meanwhile */
    if ( e->request->handle && ( holder = holder_find( share, e->client, e->request->handle ) ) )
    {
        holder_name( holder, e->request->handle );
        return 0;
    }
    return share_hold( share, e->client, e->request->handle ) ? 0 : WSAENOBUFS;
}

static int32_t request_spent( struct exchange *e )
{
    if ( e->client->resuming && takeover_running() ) ticket_spent( e->client, e->request->ticket );
    return 0;
}

static int32_t request_resumed( struct exchange *e )
{
    takeover_client_done( e->client );
    ending_sweep( e->client );
    return 0;
}

static int knows_slot( struct exchange *e )
{
    const struct ws2_slot *slot = ws2_table_slot( table_mapping(), e->request->slot );
    struct share *share = share_at( e->request->slot, e->request->generation );

    if ( share ) return holder_of( share, e->client ) != NULL;
    return slot && block_owner( e->request->slot ) == e->client->index &&
           atomic_load( &slot->word ) == ws2_word( e->request->generation, e->client->index, WS2_SLOT_PRIVATE );
}

static int32_t request_bind( struct exchange *e )
{
    return knows_slot( e ) ? endpoint_check( e->request->slot, &e->reply.count ) : WSAENOTSOCK;
}

static int32_t request_bound( struct exchange *e )
{
    if ( knows_slot( e ) ) endpoint_note( e->request->slot );
    return 0;
}

static int32_t request_share( struct exchange *e )
{
    struct share *share;

    return share_of_client( e, &share );
}

static int32_t request_helper( struct exchange *e )
{
    const struct ws2_request *request = e->request;
    struct share *share = share_at( request->slot, request->generation );
    const int fd = e->fd;

    if ( !share || ws2_table_slot( table_mapping(), request->slot )->type != SOCK_DGRAM ||
         ( !holder_of( share, e->client ) && !( e->client->resuming && ticket_issued( e->client, share ) ) ) )
        return WSAENOTSOCK;
    e->fd = -1;
    return helpers_add_consume( share, e->client->process, request->flags ? request->flags - 1 : WS2_NO_INDEX, fd,
                                &e->reply.index );
}

static int32_t request_fetch( struct exchange *e )
{
    struct share *share = share_at( e->request->slot, e->request->generation );
    int32_t error;
    int fd;

    if ( !share || !holder_of( share, e->client ) ) return WSAENOTSOCK;
    if ( ( error = helpers_find( share, e->request->flags, &fd ) ) ) return error;
    /* it goes with the share: what cannot be sent now is asked for again */
    if ( !connection_try_reply( e->connection, &e->reply, sizeof( e->reply ), fd ) ) return WSAEWOULDBLOCK;
    e->replied = 1;
    return 0;
}

static int add_row( struct exchange *e, uint32_t *skip, uint32_t slot, uint32_t generation, struct client *client,
                    uint32_t handle, uint32_t target )
{
    struct ws2_row *row = &e->rows[e->reply.count];

    if ( *skip )
    {
        --*skip;
        return 1;
    }
    if ( e->reply.count == WS2_LIST_ROWS ) return 0;
    row->slot = slot;
    row->generation = generation;
    row->windows_pid = client ? client->windows_pid : 0;
    row->unix_pid = client ? client->process->unix_pid : 0;
    row->handle = handle;
    row->ticket_target = target;
    e->reply.count++;
    return 1;
}

/* The rows of one slot; 0 when there was no room for all of them. */
static int list_slot( struct exchange *e, uint32_t slot, uint32_t skip )
{
    struct ws2_slot *record = ws2_table_slot( table_mapping(), slot );
    const uint64_t word = atomic_load( &record->word );
    struct share *share = share_of_slot( slot );
    struct client *client;

    if ( atomic_load( &record->flags ) & WS2_FLAG_HELPER ) return 1;
    if ( share )
    {
        struct member *member;
        struct holder *holder;
        struct ticket *ticket;

        if ( skip >= LIST_MOST ) return 1;
        LIST_FOREACH( member, &share->members, in_share )
        LIST_FOREACH( holder, &member->holders, in_member )
        if ( !add_row( e, &skip, slot, share->generation, member->client, holder->handle, 0 ) ) return 0;
        LIST_FOREACH( ticket, &share->tickets, in_share )
        if ( !add_row( e, &skip, slot, share->generation, ticket->issuer, 0, ticket->target ) ) return 0;
    }
    else if ( ws2_word_state( word ) == WS2_SLOT_PRIVATE && ( client = client_at( block_owner( slot ) ) ) )
        return add_row( e, &skip, slot, ws2_word_generation( word ), client, atomic_load( &record->handle ), 0 );
    return 1;
}

static int32_t request_list( struct exchange *e )
{
    uint32_t slot = e->request->slot, skip = e->request->handle;
    const uint32_t end = blocks_end(), pause = slot < end && end - slot > LIST_STEP ? slot + LIST_STEP : end;

    for ( ; slot < pause; slot++, skip = 0 )
    {
        const uint32_t before = e->reply.count;

        if ( list_slot( e, slot, skip ) ) continue;
        e->reply.slot = slot;
        e->reply.handle = skip + e->reply.count - before;
        return 0;
    }
    e->reply.slot = pause < end ? pause : WS2_NO_INDEX;
    return 0;
}

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
    unsigned char one_way;
    unsigned char observer; /* an observer may send it */
} requests[WS2_REQUEST_COUNT] = {
    [WS2_LEAVE] = { request_leave, NO_FD, 1, 0 },
    [WS2_BOUND] = { request_bound, NO_FD, 1, 0 },
    [WS2_CELLS_REQUEST] = { request_cells, NEEDS_FD, 0, 0 },
    [WS2_HELLO] = { request_hello, MAY_HAVE_FD, 0, 1 },
    [WS2_LEASE] = { request_lease, NO_FD, 0, 0 },
    [WS2_DUPLICATE] = { request_duplicate, NEEDS_FD, 0, 0 },
    [WS2_WATCH] = { request_watch, NEEDS_FD, 0, 0 },
    [WS2_REDEEM] = { request_redeem, NO_FD, 0, 0 },
    [WS2_NAME] = { request_name, NO_FD, 1, 0 },
    [WS2_ADOPT] = { request_adopt, NEEDS_FD, 0, 0 },
    [WS2_CLOSE] = { request_close, NO_FD, 1, 0 },
    [WS2_NOTICE] = { request_notice, NEEDS_FD, 0, 0 },
    [WS2_PUBLISH] = { request_publish, MAY_HAVE_FD, 0, 0 },
    [WS2_SPENT] = { request_spent, NO_FD, 1, 0 },
    [WS2_RESUMED] = { request_resumed, NO_FD, 1, 0 },
    [WS2_BIND] = { request_bind, NO_FD, 0, 0 },
    [WS2_SHARE] = { request_share, NEEDS_FD, 0, 0 },
    [WS2_HELPER] = { request_helper, NEEDS_FD, 0, 0 },
    [WS2_FETCH] = { request_fetch, NO_FD, 0, 0 },
    [WS2_LIST] = { request_list, NO_FD, 0, 1 },
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
    /* the rows stand right behind the reply */
    char message[sizeof( e->reply ) + sizeof( e->rows )];
    const size_t rows = e->request->type == WS2_LIST ? e->reply.count * sizeof( e->rows[0] ) : 0;

    memcpy( message, &e->reply, sizeof( e->reply ) );
    memcpy( message + sizeof( e->reply ), e->rows, rows );
    connection_reply( e->connection, message, sizeof( e->reply ) + rows, e->send_fd );
}

static void trace_message( const struct exchange *e )
{
    char text[WS2_REQUEST_TEXT_SIZE], answer[WS2_REQUEST_TEXT_SIZE];
    const uint32_t from = e->client ? e->client->windows_pid : e->request->windows_pid;

    if ( requests[e->request->type].one_way ) server_trace_line( "%u: %s", from, ws2_request_text( text, e->request ) );
    else
        server_trace_line( "%u: %s = %s", from, ws2_request_text( text, e->request ),
                           ws2_reply_text( answer, e->request, &e->reply ) );
}

/* A client that breaks the protocol loses its connection, and nothing else. */
static void handle( struct connection *connection, const struct ws2_request *request, int fd, int truncated )
{
    struct exchange e = {
        .connection = connection, .client = connection->client, .request = request, .fd = fd, .send_fd = -1
    };

    if ( request->type < WS2_REQUEST_COUNT && requests[request->type].handle &&
         ( request->type == WS2_HELLO ) == !connection->greeted &&
         ( requests[request->type].observer || connection->client ) )
    {
        const enum descriptor_rule rule = requests[request->type].fd;

        if ( fd < 0 && truncated ) e.reply.error = WSAENOBUFS;
        else if ( ( rule == NO_FD && fd >= 0 ) || ( rule == NEEDS_FD && fd < 0 ) ) e.reply.error = WSAEINVAL;
        else e.reply.error = requests[request->type].handle( &e );
        if ( server_tracing ) trace_message( &e );
        if ( e.ticket ) reply_redeemed( &e );
        else if ( !e.replied && !connection->waits && !requests[request->type].one_way ) reply( &e );
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

static int is_one_way( uint32_t type ) { return type < WS2_REQUEST_COUNT && requests[type].one_way; }

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
        one_way = is_one_way( request->type );
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
