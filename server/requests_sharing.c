/* Messages about shared sockets: tickets, adoption, descriptors that are named and closed, helpers. */
#include <errno.h>
#include "exchange.h"
#include "ws2host/winsock_codes.h"

#define TAKEOVER_PATIENCE 2000 /* ms that a ticket may take to be published again */
#define REPLY_PATIENCE 1000    /* ms that a socket may take to be sent */
#define SLOWEST_AGAIN 100      /* ms until one that waits asks again */
#define HEARD_TURNS 4          /* of an issuer, before an info of it is opened: who has sent more is heard meanwhile */

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

/* With a ticket of a server that died, of the share by slot and generation: the stream socket that its issuer kept may have been
 * replaced since, and whoever opens it is given the other one (FETCH). */
static int may_publish( struct share *share, uint64_t cookie )
{
    return share_set_cookie( share, cookie ) ||
           ( cookie && ws2_table_slot( table_mapping(), share->slot )->type == SOCK_STREAM );
}

/* Who opens what this client issues has the answer before it asks. */
static void answer_ahead( struct ticket *ticket )
{
    const struct ws2_reply answer = { .detail = WS2_DETAIL_AHEAD,
                                      .slot = ticket->share->slot,
                                      .generation = ticket->share->generation,
                                      .ticket = ticket->number };

    if ( !ticket_set_ahead( ticket ) ) return;
    if ( connection_try_reply( ticket->aim->connection, &answer, sizeof( answer ), ticket->fd ) )
        server_trace( "to %u, ahead: ticket %x, slot %u.%u", ticket->target, answer.ticket, answer.slot,
                      answer.generation );
    else ticket_forget_ahead( ticket );
}

int32_t request_duplicate( struct exchange *e )
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
        if ( !share || !may_publish( share, socket_cookie( e->fd ) ) ) return WSAEINVAL;
        e->reply.ticket = request->ticket;
        if ( ticket_publish_known( e->client, share, request->ticket, request->flags - 1 ) ) return 0;
        if ( ticket_is_promised( e->client, request->windows_pid, request->ticket ) )
        {
            fd = e->fd;
            e->fd = -1;
            return ticket_keep_promise_consume( e->client, share, fd, request->windows_pid, request->ticket,
                                                request->flags - 1 );
        }
        if ( !takeover_running() ) return WSAEINVAL;
    }
    else if ( ( error = share_of_client( e, &share ) ) ) return error;
    fd = e->fd;
    e->fd = -1;
    if ( ( error = ticket_create_consume( e->client, share, fd, request->windows_pid, request->ticket,
                                          request->flags - 1, &ticket ) ) )
        return error;
    e->reply.ticket = ticket->number;
    answer_ahead( ticket );
    if ( !request->ticket &&
         ( e->reply.count = tickets_promise( e->client, request->windows_pid, &e->reply.instance ) ) )
        e->reply.index = client_of_windows_pid( request->windows_pid )->index;
    return 0;
}

int32_t request_issue( struct exchange *e )
{
    const struct ws2_request *request = e->request;
    struct ticket *ticket;
    struct share *share = NULL;
    const int fd = e->fd;
    int32_t error;

    share_of_client( e, &share );
    e->fd = -1;
    error =
        ticket_keep_promise_consume( e->client, share, fd, request->windows_pid, request->ticket, request->flags - 1 );
    /* nothing else tells the client, which says again what it has */
    if ( error == WSAENOBUFS ) connection_end( e->connection );
    else if ( !error && ( ticket = ticket_find( request->ticket, request->windows_pid ) ) ) answer_ahead( ticket );
    return error;
}

int32_t request_watch( struct exchange *e )
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

/* The ticket that is issued; of one that is promised, its issuer has sent it before it told anybody of it, and is listened to first. *unheard:
 * not to the end, yet. */
static struct ticket *find_ticket( struct exchange *e, int *unheard )
{
    struct ticket *ticket = ticket_find( e->request->ticket, e->client->windows_pid );

    *unheard = 0;
    for ( int turn = 0; ticket && !ticket->share; turn++ )
    {
        const struct client *issuer = ticket->issuer;
        int heard;

        /* one that has lost its connection comes back and says it again */
        *unheard = !issuer->ended && ( !issuer->connection || issuer->resuming );
        if ( *unheard || !issuer->connection || issuer->connection == e->connection ) break;
        if ( ( *unheard = turn == HEARD_TURNS || !connection_may_be_heard( issuer->connection ) ) ) break;
        heard = connection_hear( issuer->connection );
        ticket = ticket_find( e->request->ticket, e->client->windows_pid );
        if ( !heard ) break;
    }
    return ticket && ticket->share ? ticket : NULL;
}

/* One that has been answered is not answered again, whatever comes of it; unless that is what is asked for: then it has not
 * been, whatever comes of that. */
static int take_answered( struct exchange *e )
{
    struct ticket *ticket = ticket_answered( e->request->ticket, e->connection );

    if ( ticket && e->request->generation )
    {
        ticket_forget_ahead( ticket );
        share_check_registrations( ticket->share, e->client );
    }
    if ( !ticket || e->request->generation ) return 0;
    ticket_take( ticket, e->client, e->request->flags );
    e->replied = 1;
    return 1;
}

int32_t request_redeem( struct exchange *e )
{
    struct process *process = e->client->process;
    uint64_t not_before = guess_next( process );
    int unheard;

    e->connection->ahead_most = e->request->slot < WS2_AHEAD_MOST ? e->request->slot : WS2_AHEAD_MOST;
    if ( take_answered( e ) ) return 0;
    if ( !not_before ) not_before = target_guess_next( e->client->windows_pid );
    if ( not_before ) return answer_later( e, WSAEWOULDBLOCK, not_before );
    e->ticket = find_ticket( e, &unheard );
    /* its issuer may have been heard just now */
    if ( e->ticket && take_answered( e ) )
    {
        e->ticket = NULL;
        return 0;
    }
    if ( e->ticket )
    {
        if ( !( e->holder = share_hold( e->ticket->share, e->client, e->request->flags ) ) )
        {
            e->ticket = NULL;
            return WSAENOBUFS;
        }
        if ( e->ticket->issuer ) e->ticket->issuer->opener = e->client->windows_pid;
        e->reply.slot = e->ticket->share->slot;
        e->reply.generation = e->ticket->share->generation;
        e->send_fd = e->ticket->fd;
        return 0;
    }
    unheard = unheard && e->request->handle < TAKEOVER_PATIENCE;
    if ( !unheard && ticket_has_ended( e->request->ticket, e->client->windows_pid ) ) return WSAEINVAL;
    /* its source may not have come back yet */
    if ( unheard || ( takeover_running() && clients_missing_for( e->client->windows_pid ) &&
                      e->request->handle < TAKEOVER_PATIENCE ) )
    {
        const uint64_t delay = ask_again( e );

        guess_early( process, delay );
        return answer_later( e, WSAEWOULDBLOCK, delay );
    }
    target_guessed( e->client->windows_pid );
    return answer_later( e, WSAEINVAL, guess_wrong( process ) );
}

/* The socket goes out with the reply, or the ticket stays as it was. */
void reply_redeemed( struct exchange *e )
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

int32_t request_taken( struct exchange *e )
{
    struct ticket *ticket = ticket_find( e->request->ticket, e->client->windows_pid );
    struct share *share = share_at( e->request->slot, e->request->generation );

    if ( !ticket || !share || ticket->share != share ||
         ( ticket->issuer != e->client && ticket->ahead != e->connection->serial ) )
        return WSAEINVAL;
    ticket_take( ticket, e->client, e->request->handle );
    return 0;
}

int32_t request_name( struct exchange *e )
{
    struct share *share = share_at( e->request->slot, e->request->generation );
    struct holder *holder = share ? holder_find( share, e->client, 0 ) : NULL;

    if ( holder ) holder_name( holder, e->request->handle );
    return 0;
}

/* A step of it; the socket that nobody has shared yet is looked for among all slots. */
int32_t request_adopt( struct exchange *e )
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

int32_t request_close( struct exchange *e )
{
    struct share *share = share_at( e->request->slot, e->request->generation );
    struct ticket *ticket = e->request->ticket ? ticket_answered( e->request->ticket, e->connection ) : NULL;
    struct holder *holder;

    if ( ticket && ticket->share != share ) return WSAENOTSOCK;
    if ( ticket ) ticket_end( ticket );
    else if ( share && ( holder = holder_find( share, e->client, e->request->handle ) ) ) share_release( holder );
    else if ( share && ( ticket = ticket_taken( share, e->client ) ) ) ticket_end( ticket );
    else return WSAENOTSOCK;
    return 0;
}

int32_t request_share( struct exchange *e )
{
    struct share *share;

    return share_of_client( e, &share );
}

int32_t request_helper( struct exchange *e )
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

int32_t request_replace( struct exchange *e )
{
    struct share *share = share_at( e->request->slot, e->request->generation );
    const int fd = e->fd;
    int32_t error;

    if ( !share || ws2_table_slot( table_mapping(), e->request->slot )->type != SOCK_STREAM ||
         !holder_of( share, e->client ) )
        return WSAENOTSOCK;
    /* one that has been replaced itself by now */
    if ( !share_set_cookie( share, socket_cookie( fd ) ) ) return WSAEINVAL;
    e->fd = -1;
    if ( ( error = helpers_replace_consume( share, e->client->process, fd ) ) )
        server_trace( "no room for another host socket of slot %u.%u", share->slot, share->generation );
    return error;
}

int32_t request_fetch( struct exchange *e )
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
