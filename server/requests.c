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
#include "ws2host/winsock_codes.h"

#define REQUESTS_AT_ONCE 16    /* of one client before the others get their turn */
#define TAKEOVER_PATIENCE 2000 /* ms that a ticket may take to be published again */

/* Handlers fill in the reply, may take *fd (setting it to -1), and leave the descriptor to send in *send_fd (borrowed). */
struct exchange
{
    struct client *client;
    const struct ws2_request *request;
    struct ws2_reply reply;
    uint64_t delay; /* ms before it is answered */
    struct ws2_row rows[WS2_LIST_ROWS];
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
static int find_table( struct exchange *e )
{
    const int fd = e->fd;

    if ( table_mapping() ) return 1;
    e->fd = -1;
    if ( ( fd >= 0 && !table_take_over_consume( fd ) ) || !table_find_orphan( table_name() ) )
    {
        takeover_begin( client_death_ready );
        return 1;
    }
    return !table_create();
}

static int32_t request_hello( struct exchange *e )
{
    if ( e->request->version != WS2_LAYOUT_VERSION )
    {
        e->reply.detail = WS2_DETAIL_VERSION;
        e->reply.instance = WS2_LAYOUT_VERSION;
        return WSAENETDOWN;
    }
    if ( e->client->greeted ) return WSAEINVAL;
    if ( !find_table( e ) ) return WSAENOBUFS;
    e->reply.error = client_greet( e->client, e->request->windows_pid );
    e->reply.index = e->client->index;
    e->reply.instance = table_instance();
    if ( e->request->instance != table_instance() ) e->send_fd = table_fd();
    return e->reply.error;
}

static int32_t request_lease( struct exchange *e )
{
    if ( e->client->process->blocks >= PROCESS_BLOCKS ) return WSAEMFILE;
    if ( block_lease( e->client->index, &e->reply.slot ) ) return WSAEMFILE;
    e->client->process->blocks++;
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
    if ( !share || !share_find_holder( share, e->client, request->handle ) || !share_set_cookie( share, cookie ) )
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

    if ( !request->windows_pid ) return WSAEINVAL;
    if ( !client_of_windows_pid( request->windows_pid ) && !watch_find( e->client, request->windows_pid ) )
    {
        e->reply.detail = WS2_DETAIL_UNKNOWN_TARGET;
        return WSAEINVAL;
    }
    if ( request->ticket )
    {
        /* published again, perhaps by a source that has closed its descriptor since */
        share = e->client->resuming && takeover_running() ? share_at( request->slot, request->generation ) : NULL;
        if ( !share || !share_set_cookie( share, socket_cookie( e->fd ) ) ) return WSAEINVAL;
    }
    else if ( ( error = share_of_client( e, &share ) ) ) return error;
    if ( ( error = ticket_create( e->client, share, e->fd, request->windows_pid, request->ticket, &ticket ) ) )
        return error;
    e->fd = -1;
    if ( request->ticket ) takeover_ticket_published();
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

static int32_t request_redeem( struct exchange *e )
{
    struct ticket *ticket;

    /* not even looked at while an earlier one is paid for, or guessing on many connections would be fast */
    if ( ( e->delay = guess_wait( e->client->windows_pid ) ) )
    {
        e->client->parked = e->request->ticket;
        e->client->deferred = 1;
        return WSAEINVAL;
    }
    ticket = ticket_find( e->request->ticket, e->client->windows_pid );
    if ( !ticket && takeover_running() )
    {
        /* its source may not have come back yet */
        e->client->parked = e->request->ticket;
        e->delay = TAKEOVER_PATIENCE;
        return WSAEINVAL;
    }
    if ( !ticket )
    {
        e->delay = guess_wrong( e->client->windows_pid );
        return WSAEINVAL;
    }
    if ( !share_hold( ticket->share, e->client, 0 ) ) return WSAENOBUFS;
    e->reply.slot = ticket->share->slot;
    e->reply.generation = ticket->share->generation;
    /* closed when the reply has gone out with it */
    e->fd = e->send_fd = ticket->fd;
    ticket->fd = -1;
    ticket_end( ticket );
    return 0;
}

static int32_t request_name( struct exchange *e )
{
    struct share *share = share_at( e->request->slot, e->request->generation );
    struct holder *holder = share ? share_find_holder( share, e->client, 0 ) : NULL;

    if ( holder ) share_name( holder, e->request->handle );
    return 0;
}

static int32_t request_adopt( struct exchange *e )
{
    const uint64_t cookie = socket_cookie( e->fd );
    struct share *share;
    int new_slot;
    int32_t error;

    if ( !cookie ) return WSAENOTSOCK;
    if ( !( share = share_adopt( cookie, e->request->flags, &new_slot, &error ) ) ) return error;
    if ( !share_hold( share, e->client, e->request->handle ) )
    {
        share_check( share );
        return WSAENOBUFS;
    }
    e->reply.slot = share->slot;
    e->reply.generation = share->generation;
    if ( new_slot ) e->reply.detail = WS2_DETAIL_NEW_SLOT;
    return 0;
}

static int32_t request_close( struct exchange *e )
{
    struct share *share = share_at( e->request->slot, e->request->generation );
    struct holder *holder = share ? share_find_holder( share, e->client, e->request->handle ) : NULL;

    if ( !holder ) return WSAENOTSOCK;
    share_release( holder );
    return 0;
}

static int32_t request_notice( struct exchange *e )
{
    int domain = 0, type = 0;
    socklen_t size = sizeof( domain );

    if ( getsockopt( e->fd, SOL_SOCKET, SO_DOMAIN, &domain, &size ) < 0 || domain != AF_UNIX ||
         getsockopt( e->fd, SOL_SOCKET, SO_TYPE, &type, &size ) < 0 || type != SOCK_STREAM || e->client->notice >= 0 )
        return WSAEINVAL;
    e->client->notice = e->fd;
    e->fd = -1;
    return 0;
}

static int32_t request_publish( struct exchange *e )
{
    struct share *share = share_at( e->request->slot, e->request->generation );
    const uint64_t cookie = e->fd >= 0 ? socket_cookie( e->fd ) : 0;
    struct holder *holder = NULL;

    if ( !e->client->resuming || !share || ( e->fd >= 0 && !share_set_cookie( share, cookie ) ) ) return WSAEINVAL;
    /* one that was counted before the process came back: another adopted the socket meanwhile */
    if ( e->request->handle && ( holder = share_find_holder( share, e->client, e->request->handle ) ) )
    {
        share_name( holder, e->request->handle );
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
    return 0;
}

static int32_t request_bind( struct exchange *e )
{
    const struct ws2_slot *slot = ws2_table_slot( table_mapping(), e->request->slot );
    struct share *share = share_at( e->request->slot, e->request->generation );

    if ( share ? !share_is_held( share, e->client )
               : !slot || block_owner( e->request->slot ) != e->client->index ||
                     atomic_load( &slot->word ) !=
                         ws2_word( e->request->generation, e->client->index, WS2_SLOT_PRIVATE ) )
        return WSAENOTSOCK;
    return endpoint_check( e->request->slot, &e->reply.count );
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
    row->unix_pid = client ? client->unix_pid : 0;
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
        struct holder *holder;
        struct ticket *ticket;

        LIST_FOREACH( holder, &share->holders, in_share )
        if ( !add_row( e, &skip, slot, share->generation, holder->client, holder->handle, 0 ) ) return 0;
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
    const uint32_t end = blocks_end(), pause = slot < end && end - slot > 0x4000 ? slot + 0x4000 : end;

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
    [WS2_LIST] = { request_list, NO_FD, 0, 1 },
};

/* The first descriptor of a message, -1 for none; any others are closed. */
static int take_fd( struct msghdr *header )
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
            else close( fd );
        }
    }
    return result;
}

/* 0 when the client breaks the protocol. */
static int request_handle( struct client *client, const struct ws2_request *request, int fd, int truncated )
{
    struct exchange e = { .client = client, .request = request, .fd = fd, .send_fd = -1 };
    int alive = 0;

    if ( request->type < WS2_REQUEST_COUNT && requests[request->type].handle &&
         ( request->type == WS2_HELLO ) == !client->greeted &&
         ( requests[request->type].observer || client->windows_pid ) )
    {
        const enum descriptor_rule rule = requests[request->type].fd;

        alive = 1;
        if ( fd < 0 && truncated ) e.reply.error = WSAENOBUFS;
        else if ( ( rule == NO_FD && fd >= 0 ) || ( rule == NEEDS_FD && fd < 0 ) ) e.reply.error = WSAEINVAL;
        else e.reply.error = requests[request->type].handle( &e );
        if ( e.delay ) client_hold( client, &e.reply, e.delay );
        else if ( !requests[request->type].one_way )
        {
            /* the rows stand right behind the reply */
            char message[sizeof( e.reply ) + sizeof( e.rows )];
            const size_t rows = request->type == WS2_LIST ? e.reply.count * sizeof( e.rows[0] ) : 0;

            memcpy( message, &e.reply, sizeof( e.reply ) );
            memcpy( message + sizeof( e.reply ), e.rows, rows );
            alive = client_reply( client, message, sizeof( e.reply ) + rows, e.send_fd );
        }
    }
    if ( e.fd >= 0 ) close( e.fd );
    return alive;
}

int request_retry( struct client *client )
{
    const struct ws2_request request = { .type = WS2_REDEEM, .ticket = client->parked };

    client->parked = client->deferred = 0;
    return request_handle( client, &request, -1, 0 );
}

void request_receive( struct client *client )
{
    for ( int i = 0; i < REQUESTS_AT_ONCE; i++ )
    {
        struct ws2_request request[2]; /* room to tell a message that is too long */
        char control[CMSG_SPACE( 4 * sizeof( int ) )];
        struct iovec data = { request, sizeof( request ) };
        struct msghdr header = {
            .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof( control )
        };
        const ssize_t size = recvmsg( client->fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC );
        int fd;

        if ( size < 0 && ( errno == EAGAIN || errno == EINTR ) ) return;
        if ( size < 0 ) goto drop;
        /* a message of no bytes, which is also how the end looks, may carry some */
        fd = take_fd( &header );
        if ( size != sizeof( request[0] ) )
        {
            if ( fd >= 0 ) close( fd );
            goto drop;
        }
        if ( !request_handle( client, request, fd, header.msg_flags & MSG_CTRUNC ) ) goto drop;
        if ( client->held_until ) return;
    }
    return;

drop:
    client_drop( client );
}
