/*
 * Tickets as the process sees them: issued for WSADuplicateSocket, redeemed for WSASocket.
 *
 * A ticket must outlive the server that gave it. So a process keeps, for each ticket it issued, a descriptor of the socket
 * until the server has told it that the ticket ended, and publishes all of them to a server that takes over; and it tells
 * that server which tickets it has redeemed, lest a source that was not told in time publishes one again.
 *
 * The lists are guarded by connection's mutex.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <unistd.h>
#include "client/client_private.h"
#include "ws2host/winsock_codes.h"

#define SPENT_KEPT 256
#define BUCKETS 256

struct kept_ticket
{
    LIST_ENTRY( kept_ticket ) entry;
    uint32_t number, slot, generation, target;
    int fd;
};

struct kept_watch /* of a target that had no connection when its tickets were issued */
{
    LIST_ENTRY( kept_watch ) entry;
    uint32_t target;
    unsigned int tickets;
    int fd;
};

static LIST_HEAD(, kept_ticket ) kept_tickets[BUCKETS];
static LIST_HEAD(, kept_watch ) kept_watches;
static uint32_t spent[SPENT_KEPT];
static unsigned int next_spent;

int32_t ticket_issue( uint32_t slot, uint32_t generation, uint32_t handle, int fd, uint32_t target, uint32_t *ticket,
                      int *unknown_target )
{
    struct ws2_request request = {
        .type = WS2_DUPLICATE, .slot = slot, .generation = generation, .handle = handle, .windows_pid = target
    };
    struct ws2_reply reply;
    const int32_t error = connection_request( &request, fd, &reply, NULL );

    *ticket = reply.ticket;
    *unknown_target = reply.detail == WS2_DETAIL_UNKNOWN_TARGET;
    return error;
}

int32_t ticket_redeem( uint32_t ticket, uint32_t *slot, uint32_t *generation, int *fd )
{
    struct ws2_request request = { .type = WS2_REDEEM, .ticket = ticket };
    struct ws2_reply reply;
    int32_t error;

    if ( !ticket ) return WSAEINVAL;
    if ( ( error = connection_request( &request, -1, &reply, fd ) ) )
    {
        if ( *fd >= 0 ) close( *fd );
        return error;
    }
    *slot = reply.slot;
    *generation = reply.generation;
    if ( *fd >= 0 && *slot < WS2_SLOT_COUNT ) return 0;
    /* the server counted a descriptor that did not arrive: this process has no room for one */
    if ( *fd >= 0 ) close( *fd );
    *fd = -1;
    connection_close( *slot, *generation, 0 );
    connection_out_of_descriptors();
    return WSAEMFILE;
}

static struct kept_watch *find_watch( uint32_t target )
{
    struct kept_watch *watch;

    LIST_FOREACH( watch, &kept_watches, entry )
    if ( watch->target == target ) return watch;
    return NULL;
}

static void drop_watch( struct kept_watch *watch )
{
    LIST_REMOVE( watch, entry );
    close( watch->fd );
    free( watch );
}

static void keep_watch( uint32_t target, int fd )
{
    struct kept_watch *watch = find_watch( target );

    if ( watch )
    {
        /* of an earlier process with this number, or the same one again */
        close( watch->fd );
    }
    else
    {
        if ( !( watch = calloc( 1, sizeof( *watch ) ) ) ) return;
        watch->target = target;
        LIST_INSERT_HEAD( &kept_watches, watch, entry );
    }
    if ( ( watch->fd = fcntl( fd, F_DUPFD_CLOEXEC, 0 ) ) >= 0 ) return;
    LIST_REMOVE( watch, entry );
    free( watch );
}

static void keep_ticket( const struct ws2_request *request, uint32_t number, int fd )
{
    struct kept_ticket *ticket = malloc( sizeof( *ticket ) );
    struct kept_watch *watch = find_watch( request->windows_pid );

    if ( !ticket ) return;
    *ticket = ( struct kept_ticket ){ .number = number,
                                      .slot = request->slot,
                                      .generation = request->generation,
                                      .target = request->windows_pid,
                                      .fd = fcntl( fd, F_DUPFD_CLOEXEC, 0 ) };
    if ( ticket->fd < 0 )
    {
        free( ticket );
        return;
    }
    LIST_INSERT_HEAD( &kept_tickets[number % BUCKETS], ticket, entry );
    if ( watch ) watch->tickets++;
}

static void drop_ticket( struct kept_ticket *ticket )
{
    struct kept_watch *watch = find_watch( ticket->target );

    if ( watch && watch->tickets && !--watch->tickets ) drop_watch( watch );
    LIST_REMOVE( ticket, entry );
    close( ticket->fd );
    free( ticket );
}

void tickets_ended( uint32_t number )
{
    struct kept_ticket *ticket;
    sigset_t before;

    connection_lock( &before );
    LIST_FOREACH( ticket, &kept_tickets[number % BUCKETS], entry )
    if ( ticket->number == number ) break;
    if ( ticket ) drop_ticket( ticket );
    connection_unlock( &before );
}

void tickets_follow( const struct ws2_request *request, const struct ws2_reply *reply, int fd )
{
    if ( reply->error ) return;
    switch ( request->type )
    {
    case WS2_WATCH: keep_watch( request->windows_pid, fd ); break;
    /* without a server monitor thread nobody would learn when it ends */
    case WS2_DUPLICATE:
        if ( connection_notice() >= 0 ) keep_ticket( request, reply->ticket, fd );
        break;
    case WS2_REDEEM:
        spent[next_spent] = request->ticket;
        next_spent = ( next_spent + 1 ) % SPENT_KEPT;
        break;
    }
}

void tickets_publish( void )
{
    struct kept_ticket *ticket, *next;
    struct kept_watch *watch;
    struct ws2_reply reply;

    LIST_FOREACH( watch, &kept_watches, entry )
    {
        struct ws2_request request = { .type = WS2_WATCH, .windows_pid = watch->target };
        if ( connection_publish_request( &request, watch->fd, &reply ) ) return;
    }
    for ( unsigned int i = 0; i < BUCKETS; i++ )
        for ( ticket = LIST_FIRST( &kept_tickets[i] ); ticket; ticket = next )
        {
            struct ws2_request request = { .type = WS2_DUPLICATE,
                                           .slot = ticket->slot,
                                           .generation = ticket->generation,
                                           .windows_pid = ticket->target,
                                           .ticket = ticket->number };
            next = LIST_NEXT( ticket, entry );
            if ( connection_publish_request( &request, ticket->fd, &reply ) ) return;
            if ( reply.error ) drop_ticket( ticket ); /* redeemed, or its target is gone */
        }
    for ( unsigned int i = 0; i < SPENT_KEPT; i++ )
    {
        struct ws2_request request = { .type = WS2_SPENT, .ticket = spent[i] };
        if ( spent[i] && connection_publish_request( &request, -1, &reply ) ) return;
    }
}
