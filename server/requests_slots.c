/* Messages about slots, whoever shares them: Windows' bind rules, and the list for ws2ctl. */
#include "exchange.h"
#include "ws2host/winsock_codes.h"

#define LIST_STEP 0x800u  /* slots that one LIST looks at */
#define LIST_MOST 0x2000u /* rows of one slot that are listed */
#define HEARD_TURNS 4     /* before a bind is refused */
#define HEARD_MOST 16u    /* of those that have one socket */

static int knows_slot( struct exchange *e )
{
    const struct ws2_slot *slot = ws2_table_slot( table_mapping(), e->request->slot );
    struct share *share = share_at( e->request->slot, e->request->generation );

    if ( share ) return holder_of( share, e->client ) != NULL;
    return slot && block_owner( e->request->slot ) == e->client->index &&
           atomic_load( &slot->word ) == ws2_word( e->request->generation, e->client->index, WS2_SLOT_PRIVATE );
}

/* 1: it has said something. */
static int hear( struct exchange *e, struct client *client, int *ends )
{
    if ( !client || client == e->client ) return 0;
    if ( client->ended || process_has_ended( client->process ) )
    {
        *ends = 1;
        return 0;
    }
    return client->connection && client->connection != e->connection && connection_may_be_heard( client->connection ) &&
           connection_hear( client->connection );
}

/* Who has the socket may have closed it, or have ended, and the caller may know: what they have said counts first. */
static int hear_who_has( struct exchange *e, uint32_t slot, int *ends )
{
    struct share *share = share_of_slot( slot );
    const struct member *member;
    const struct ticket *ticket;
    unsigned int looked_at = 0;

    if ( !share ) return hear( e, client_at( block_owner( slot ) ), ends );
    LIST_FOREACH( member, &share->members, in_share )
    if ( looked_at++ == HEARD_MOST || hear( e, member->client, ends ) ) return looked_at <= HEARD_MOST;
    LIST_FOREACH( ticket, &share->tickets, in_share )
    if ( looked_at++ == HEARD_MOST || hear( e, client_of_windows_pid( ticket->target ), ends ) )
        return looked_at <= HEARD_MOST;
    return 0;
}

/* Another process that has the socket, if the caller has not; 0: none. */
static uint32_t who_has( const struct exchange *e, uint32_t slot )
{
    struct share *share = share_of_slot( slot );
    const struct client *client;

    if ( share && holder_of( share, e->client ) ) return 0;
    if ( share && LIST_EMPTY( &share->members ) )
        return LIST_EMPTY( &share->tickets ) ? 0 : LIST_FIRST( &share->tickets )->target;
    client = share ? LIST_FIRST( &share->members )->client : client_at( block_owner( slot ) );
    return client && client != e->client ? client->windows_pid : 0;
}

int32_t request_bind( struct exchange *e )
{
    struct endpoint_found found;
    int32_t error;
    uint32_t left = 0;
    int ends = 0;

    if ( !knows_slot( e ) ) return WSAENOTSOCK;
    for ( int turn = 0;; turn++ )
    {
        error = endpoint_check( e->request->slot, &found );
        left += found.left;
        if ( found.opponent == WS2_NO_INDEX || turn == HEARD_TURNS || !hear_who_has( e, found.opponent, &ends ) ) break;
    }
    e->reply.count = ends ? 1 : found.neighbours;
    e->reply.index = left;
    if ( ends ) e->reply.detail = WS2_DETAIL_LATER;
    if ( found.opponent != WS2_NO_INDEX )
    {
        e->reply.handle = who_has( e, found.opponent );
        e->reply.slot = found.opponent;
        e->reply.generation =
            ws2_word_generation( atomic_load( &ws2_table_slot( table_mapping(), found.opponent )->word ) );
    }
    return error;
}

int32_t request_bound( struct exchange *e )
{
    /* of whatever is in use: by now the socket may be closed, and the table alone tells what is bound */
    if ( block_owner( e->request->slot ) != WS2_NO_INDEX ) endpoint_note( e->request->slot );
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

int32_t request_list( struct exchange *e )
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
