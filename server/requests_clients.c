/* Messages of a process about itself: that it is there, what it leases and leaves, what it publishes again. */
#include <errno.h>
#include <sys/socket.h>
#include "exchange.h"
#include "ws2host/winsock_codes.h"

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
    tickets_doubt_taken( client );
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

int32_t request_lease( struct exchange *e ) { return lease( e, e->client ); }

int32_t request_hello( struct exchange *e )
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

int32_t request_leave( struct exchange *e )
{
    connection_end_client( e->client );
    return 0;
}

int32_t request_notice( struct exchange *e )
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

int32_t request_cells( struct exchange *e )
{
    const int fd = e->fd;

    e->fd = -1;
    return client_set_cells_consume( e->client, fd ) ? 0 : WSAEINVAL;
}

int32_t request_publish( struct exchange *e )
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
    if ( share_hold( share, e->client, e->request->handle ) ) return 0;
    /* still no room for one that a ticket has stood for */
    return ticket_taken_again( share, e->client ) ? 0 : WSAENOBUFS;
}

int32_t request_spent( struct exchange *e )
{
    if ( e->client->resuming ) ticket_spent( e->client, e->request->ticket, takeover_running() );
    return 0;
}

int32_t request_resumed( struct exchange *e )
{
    /* what it has issued on a connection that was lost it has said again */
    if ( e->client->resuming ) tickets_break_promises( e->client );
    takeover_client_done( e->client );
    ending_sweep( e->client );
    return 0;
}
