/*
 * Shares: sockets that more than one descriptor knows, their descriptors (holders) and what they count.
 *
 * A slot is shared by one compare-and-swap PRIVATE -> SHARED that its owner may lose by closing first, and that makes the
 * owner lose when it closes later. From then on the server alone writes its state word; when the last holder and ticket
 * is gone the slot is FREE again, with the next generation.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "server.h"
#include "ws2host/winsock_codes.h"

#define COOKIE_BUCKETS 0x10000u
#define RESTORED_STEP 256u
#define ADOPT_STEP 4096u /* slots that are looked at between two events */
/* flags that say something of a registration and not of the socket */
#define FLAGS_NOT_INHERITED ( WS2_FLAG_HAS_PORT | WS2_FLAG_SEND_BLOCKED )

LIST_HEAD( cookie_list, share );
static struct cookie_list by_cookie[COOKIE_BUCKETS];
static struct share *by_slot[WS2_SLOT_COUNT];
static LIST_HEAD(, share ) restored;

static struct cookie_list *cookie_bucket( uint64_t cookie )
{
    return &by_cookie[( cookie ^ cookie >> 16 ) % COOKIE_BUCKETS];
}

struct share *share_of_slot( uint32_t slot ) { return slot < WS2_SLOT_COUNT ? by_slot[slot] : NULL; }

struct share *share_at( uint32_t slot, uint32_t generation )
{
    struct share *share = share_of_slot( slot );

    return share && share->generation == generation ? share : NULL;
}

static struct share *share_by_cookie( uint64_t cookie )
{
    struct share *share;

    LIST_FOREACH( share, cookie_bucket( cookie ), in_cookies )
    if ( share->cookie == cookie ) return share;
    return NULL;
}

static struct share *share_create( uint32_t slot, uint32_t generation, uint64_t cookie )
{
    struct share *share = calloc( 1, sizeof( *share ) );

    assert( !by_slot[slot] );
    if ( !share ) return NULL;
    share->slot = slot;
    share->generation = generation;
    share->cookie = cookie;
    LIST_INSERT_HEAD( cookie_bucket( cookie ), share, in_cookies );
    by_slot[slot] = share;
    block_share_slot( slot );
    return share;
}

/* Undoes share_create; nothing refers to it any more. */
static void share_destroy( struct share *share )
{
    assert( LIST_EMPTY( &share->members ) && LIST_EMPTY( &share->tickets ) && by_slot[share->slot] == share );
    block_unshare_slot( share->slot );
    by_slot[share->slot] = NULL;
    LIST_REMOVE( share, in_cookies );
    free( share );
}

/* Never less than there are, at any instruction. */
static void publish_count( struct share *share )
{
    const uint64_t count = share->count + share->awaited;

    atomic_store( &ws2_table_slot( table_mapping(), share->slot )->descriptors,
                  count < UINT32_MAX ? count : UINT32_MAX );
}

/* The socket of a descriptor can be replaced under the same slot (DisconnectEx with TF_REUSE_SOCKET does): believed when
 * the slot says so too. */
int share_set_cookie( struct share *share, uint64_t cookie )
{
    if ( share->cookie == cookie ) return 1;
    if ( atomic_load( &ws2_table_slot( table_mapping(), share->slot )->cookie ) != cookie ) return 0;
    LIST_REMOVE( share, in_cookies );
    share->cookie = cookie;
    LIST_INSERT_HEAD( cookie_bucket( cookie ), share, in_cookies );
    return 1;
}

struct share *share_private( struct client *owner, uint32_t slot, uint32_t generation, uint32_t handle, uint64_t cookie,
                             int32_t *error )
{
    struct ws2_slot *record = ws2_table_slot( table_mapping(), slot );
    uint64_t word = ws2_word( generation, owner->index, WS2_SLOT_PRIVATE ), unknown = 0;
    struct share *share;

    *error = WSAENOBUFS;
    if ( !( share = share_create( slot, generation, cookie ) ) ) return NULL;
    if ( !share_hold( share, owner, handle ) ) goto destroy_share;
    *error = 0;
    if ( !atomic_compare_exchange_strong( &record->word, &word,
                                          ws2_word( generation, owner->index, WS2_SLOT_SHARED ) ) )
        goto remove_holder;
    /* what the owner has replaced meanwhile it knows better */
    atomic_compare_exchange_strong( &record->cookie, &unknown, cookie );
    atomic_fetch_add( &ws2_table_header( table_mapping() )->sharings, 1 );
    if ( !handle ) holder_set_anonymous( LIST_FIRST( &LIST_FIRST( &share->members )->holders ) );
    return share;

remove_holder:
    holder_remove( LIST_FIRST( &LIST_FIRST( &share->members )->holders ) );
    claim_drop( slot, generation, owner );
destroy_share:
    share_destroy( share );
    return NULL;
}

/* Slots of the server's own are charged to the process that had them made. */
static int may_make( const struct client *client )
{
    return process_may_take( client->process, &client->process->held.slots, PROCESS_SLOTS_ALWAYS, PROCESS_SLOTS,
                             blocks_free() * WS2_BLOCK_SLOTS );
}

/* A slot of the server's own for a socket that nobody holds any more, or that ws2host never made. */
static struct share *share_new( uint64_t cookie, uint32_t kind, const struct ws2_slot *ghost, struct client *maker )
{
    const uint32_t index = block_take_slot();
    struct ws2_slot *slot = ws2_table_slot( table_mapping(), index );
    struct share *share;
    uint32_t generation;

    if ( !slot ) return NULL;
    generation = ws2_word_generation( atomic_load( &slot->word ) );
    if ( !( share = share_create( index, generation, cookie ) ) )
    {
        block_free_slot( index, generation );
        return NULL;
    }
    if ( ghost )
    {
        memcpy( (char *)slot + sizeof( slot->word ), (const char *)ghost + sizeof( slot->word ),
                sizeof( *slot ) - sizeof( slot->word ) );
        atomic_fetch_and( &slot->flags, ~FLAGS_NOT_INHERITED );
        atomic_store( &slot->events, 0 );
        atomic_store( &slot->event_owner, WS2_NO_INDEX );
        atomic_store( &slot->port_owner, WS2_NO_INDEX );
        atomic_store( &slot->handle, 0 );
        if ( slot->type == SOCK_DGRAM ) ws2_slot_set_helpers( slot, 0 );
    }
    else
    {
        ws2_slot_clear( slot );
        slot->family = kind & 0xffff;
        slot->type = kind >> 16;
        slot->protocol = kind >> 24;
    }
    share->maker = maker->process;
    share->maker->users++;
    process_charge( share->maker, &share->maker->held.slots, 1 );
    atomic_store( &slot->cookie, cookie );
    atomic_store( &slot->word, ws2_word( generation, WS2_SERVER_INDEX, WS2_SLOT_SHARED ) );
    return share;
}

static struct share *adopt_scanned( struct adoption *adoption, struct client *adopter, int32_t *error )
{
    struct ws2_slot *ghost =
        adoption->ghost == WS2_NO_INDEX ? NULL : ws2_table_slot( table_mapping(), adoption->ghost );
    struct share *share = NULL;

    if ( ghost )
    {
        /* its blocking mode, timeouts and options are the socket's, unless the slot is taken again while we copy */
        struct ws2_slot copy = *ghost;

        if ( ws2_word_state( adoption->ghost_word ) != WS2_SLOT_FREE ||
             atomic_load( &ghost->word ) != adoption->ghost_word || atomic_load( &copy.cookie ) != adoption->cookie )
            ghost = NULL;
        else if ( may_make( adopter ) && ( share = share_new( adoption->cookie, adoption->kind, &copy, adopter ) ) )
        {
            atomic_store( &ghost->cookie, 0 );
            return share;
        }
    }
    if ( !ghost && ( adoption->kind & WS2_ADOPT_KNOWN ) )
    {
        *error = WSAENOTSOCK;
        return NULL;
    }
    if ( !ghost && may_make( adopter ) && ( share = share_new( adoption->cookie, adoption->kind, NULL, adopter ) ) )
        adoption->new_slot = 1;
    if ( !share ) *error = WSAEMFILE;
    return share;
}

int share_adopt( struct adoption *adoption, struct client *adopter, struct share **result, int32_t *error )
{
    const uint32_t end = blocks_end();
    struct share *share;

    *error = 0;
    *result = NULL;
    if ( ( *result = share_by_cookie( adoption->cookie ) ) ) return 1;
    for ( uint32_t last = adoption->next + ADOPT_STEP; adoption->next < end && adoption->next < last; adoption->next++ )
    {
        const uint32_t i = adoption->next;
        struct ws2_slot *slot = ws2_table_slot( table_mapping(), i );
        uint64_t word;
        struct client *owner;

        if ( atomic_load_explicit( &slot->cookie, memory_order_relaxed ) != adoption->cookie ) continue;
        word = atomic_load( &slot->word );
        /* its host socket was replaced, and nobody had to tell */
        if ( ws2_word_state( word ) == WS2_SLOT_SHARED && ( share = share_at( i, ws2_word_generation( word ) ) ) &&
             share_set_cookie( share, adoption->cookie ) )
        {
            *result = share;
            return 1;
        }
        if ( ws2_word_state( word ) == WS2_SLOT_FREE )
        {
            adoption->ghost = i;
            adoption->ghost_word = word;
        }
        else if ( ws2_word_state( word ) == WS2_SLOT_PRIVATE && !share_of_slot( i ) &&
                  ( owner = client_at( block_owner( i ) ) ) && !owner->ended )
        {
            share = share_private( owner, i, ws2_word_generation( word ), atomic_load( &slot->handle ),
                                   adoption->cookie, error );
            if ( share || *error )
            {
                *result = share;
                return 1;
            }
            adoption->ghost = i; /* closed while we looked */
            adoption->ghost_word = atomic_load( &slot->word );
        }
    }
    if ( adoption->next < end ) return 0;
    *result = adopt_scanned( adoption, adopter, error );
    return 1;
}

struct share *share_restore( uint32_t slot )
{
    struct ws2_slot *record = ws2_table_slot( table_mapping(), slot );
    struct share *share =
        share_create( slot, ws2_word_generation( atomic_load( &record->word ) ), atomic_load( &record->cookie ) );

    if ( !share ) return NULL;
    share->restored = 1;
    LIST_INSERT_HEAD( &restored, share, in_restored );
    return share;
}

/* One of those that a server before this one counted is waited for if its process is. */
static struct client *restore_claim( uint32_t slot, uint32_t generation, uint32_t index, uint32_t count )
{
    struct client *client = client_at( index );
    struct share *share = share_at( slot, generation );

    if ( !share || !client || !client->missing ) return NULL;
    share->claimants++;
    share->awaited += count;
    return client;
}

static int check_restored( struct work *work )
{
    struct share *share;

    (void)work;
    for ( unsigned int i = 0; i < RESTORED_STEP && ( share = LIST_FIRST( &restored ) ); i++ )
    {
        LIST_REMOVE( share, in_restored );
        share->restored = 0;
        publish_count( share );
        share_check( share );
    }
    return !LIST_EMPTY( &restored );
}

void shares_restored( void )
{
    static struct work work = { .step = check_restored };

    claims_restore( restore_claim );
    if ( !LIST_EMPTY( &restored ) ) work_begin( &work );
}

/* In the table before anybody is answered. */
int share_claim( struct share *share, struct client *client )
{
    const enum claimed claimed = claim_add( share->slot, share->generation, client );

    if ( claimed == CLAIMED_AGAIN ) share->awaited--;
    return claimed != NOT_CLAIMED;
}

struct holder *share_hold( struct share *share, struct client *client, uint32_t handle )
{
    struct holder *holder = holder_add( share, client, handle );

    if ( !holder ) return NULL;
    if ( !share_claim( share, client ) )
    {
        holder_remove( holder );
        return NULL;
    }
    share->count++;
    publish_count( share );
    return holder;
}

/* The event registration and the completion port end with the last descriptor of the process that made them. */
static void drop_registrations( struct share *share, struct client *client )
{
    struct ws2_slot *slot = ws2_table_slot( table_mapping(), share->slot );

    if ( atomic_load( &slot->event_owner ) == client->index )
    {
        const uint64_t events = atomic_load( &slot->events );

        atomic_store( &slot->event_owner, WS2_NO_INDEX );
        atomic_store( &slot->events, ws2_events( ws2_events_generation( events ) + 1, ws2_events_seen( events ),
                                                 ws2_events_recorded( events ), 0 ) );
    }
    if ( atomic_load( &slot->port_owner ) == client->index ) atomic_store( &slot->port_owner, WS2_NO_INDEX );
}

void share_release( struct holder *holder )
{
    struct share *share = holder->member->share;
    struct client *client = holder->member->client;

    holder_remove( holder );
    share_check_registrations( share, client );
    if ( !holder_of( share, client ) ) client_has_closed( client );
    assert( share->count );
    share->count--;
    publish_count( share );
    claim_drop( share->slot, share->generation, client );
    share_check( share );
}

int shares_release_some( struct holder_list *list, unsigned int most )
{
    for ( ; most && !LIST_EMPTY( list ); most-- ) share_release( LIST_FIRST( list ) );
    return !LIST_EMPTY( list );
}

/* A ticket that stands for a descriptor of the client's, or may: it has the answer, ahead, and need not have told. */
static int may_have_opened( const struct share *share, const struct client *client )
{
    struct ticket *ticket;

    LIST_FOREACH( ticket, &client->taken, in_taken )
    if ( ticket->share == share ) return 1;
    if ( !client->connection ) return 0;
    LIST_FOREACH( ticket, &client->connection->ahead, in_ahead )
    if ( ticket->share == share ) return 1;
    return 0;
}

void share_check_registrations( struct share *share, struct client *client )
{
    if ( !holder_of( share, client ) && !may_have_opened( share, client ) ) drop_registrations( share, client );
}

int share_add_ticket( struct share *share, struct client *issuer )
{
    if ( !share_claim( share, issuer ) ) return 0;
    share_count_ticket( share, 1 );
    return 1;
}

void share_count_ticket( struct share *share, int change )
{
    assert( change > 0 || share->count >= (uint32_t)-change );
    share->count += change;
    publish_count( share );
}

void share_check( struct share *share )
{
    /* a process that had some of it, and has not published all it has, may hold it */
    if ( share->count || share->awaited ) return;
    if ( share->restored ) LIST_REMOVE( share, in_restored );
    close_soon_now();
    block_free_slot( share->slot, share->generation );
    helpers_free( share );
    if ( share->maker )
    {
        process_charge( share->maker, &share->maker->held.slots, -1 );
        process_put( share->maker );
    }
    share_destroy( share );
}

int shares_settle_some( struct client *client, unsigned int most )
{
    uint32_t slot, generation, awaited;

    for ( ; most && claim_give_up( client, &slot, &generation, &awaited ); most-- )
    {
        struct share *share = share_at( slot, generation );

        if ( !share ) continue; /* all of it was published, and closed */
        share->claimants--;
        share->awaited -= awaited;
        publish_count( share );
        share_check( share );
    }
    return !most;
}
