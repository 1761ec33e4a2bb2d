/*
 * Shares: sockets that more than one descriptor knows, their descriptors (holders) and what they count.
 *
 * A slot is shared by one compare-and-swap PRIVATE -> SHARED that its owner may lose by closing first, and that makes the
 * owner lose when it closes later. From then on the server alone writes its state word; when the last holder and ticket
 * is gone the slot is FREE again, with the next generation.
 */
#include <stdlib.h>
#include <string.h>
#include "server.h"
#include "ws2host/winsock_codes.h"

#define COOKIE_BUCKETS 0x10000u
/* flags that say something of a registration and not of the socket */
#define FLAGS_NOT_INHERITED ( WS2_FLAG_HAS_PORT | WS2_FLAG_SEND_BLOCKED )

LIST_HEAD( cookie_list, share );
static struct cookie_list by_cookie[COOKIE_BUCKETS];
static struct share *by_slot[WS2_SLOT_COUNT];
static int kept; /* a take-over is going on */

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

    if ( !share ) return NULL;
    share->slot = slot;
    share->generation = generation;
    share->cookie = cookie;
    LIST_INSERT_HEAD( cookie_bucket( cookie ), share, in_cookies );
    by_slot[slot] = share;
    block_share_slot( slot );
    return share;
}

static void publish_count( struct share *share )
{
    atomic_store( &ws2_table_slot( table_mapping(), share->slot )->descriptors, share->count );
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
    uint64_t word = ws2_word( generation, owner->index, WS2_SLOT_PRIVATE );
    struct share *share;

    *error = 0;
    if ( !( share = share_create( slot, generation, cookie ) ) || !share_hold( share, owner, handle ) )
        *error = WSAENOBUFS;
    else if ( atomic_compare_exchange_strong( &record->word, &word,
                                              ws2_word( generation, owner->index, WS2_SLOT_SHARED ) ) )
    {
        atomic_store( &record->cookie, cookie );
        LIST_FIRST( &share->holders )->anonymous = !handle;
        return share;
    }
    if ( share )
    {
        struct holder *holder = LIST_FIRST( &share->holders );

        if ( holder )
        {
            LIST_REMOVE( holder, in_client );
            owner->holder_count--;
            client_set_sharing( owner );
            free( holder );
        }
        LIST_REMOVE( share, in_cookies );
        by_slot[slot] = NULL;
        block_unshare_slot( slot );
        free( share );
    }
    return NULL;
}

/* What the next socket of a slot must not find of the one before. Everything up to the word itself. */
static void clear_slot( struct ws2_slot *slot )
{
    memset( (char *)slot + sizeof( slot->word ), 0, sizeof( *slot ) - sizeof( slot->word ) );
    atomic_store( &slot->event_owner, WS2_NO_INDEX );
    atomic_store( &slot->port_owner, WS2_NO_INDEX );
}

/* A slot of the server's own for a socket that nobody holds any more, or that ws2host never made. */
static struct share *share_new( uint64_t cookie, uint32_t kind, const struct ws2_slot *ghost )
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
    }
    else
    {
        clear_slot( slot );
        slot->family = kind & 0xffff;
        slot->type = kind >> 16;
        slot->protocol = kind >> 24;
    }
    atomic_store( &slot->cookie, cookie );
    atomic_store( &slot->word, ws2_word( generation, WS2_SERVER_INDEX, WS2_SLOT_SHARED ) );
    return share;
}

struct share *share_adopt( uint64_t cookie, uint32_t kind, int *new_slot, int32_t *error )
{
    struct ws2_slot *ghost = NULL;
    uint64_t ghost_word = 0;
    struct share *share;

    *new_slot = 0;
    *error = 0;
    if ( ( share = share_by_cookie( cookie ) ) ) return share;
    for ( uint32_t i = 0; i < blocks_end(); i++ )
    {
        struct ws2_slot *slot = ws2_table_slot( table_mapping(), i );
        uint64_t word;
        struct client *owner;

        if ( atomic_load_explicit( &slot->cookie, memory_order_relaxed ) != cookie ) continue;
        word = atomic_load( &slot->word );
        if ( ws2_word_state( word ) == WS2_SLOT_FREE )
        {
            ghost = slot;
            ghost_word = word;
        }
        else if ( ws2_word_state( word ) == WS2_SLOT_PRIVATE && !share_of_slot( i ) &&
                  ( owner = client_at( block_owner( i ) ) ) )
        {
            share = share_private( owner, i, ws2_word_generation( word ), atomic_load( &slot->handle ), cookie, error );
            if ( share || *error ) return share;
            ghost = slot; /* closed while we looked */
            ghost_word = atomic_load( &slot->word );
        }
    }
    if ( ghost )
    {
        /* its blocking mode, timeouts and options are the socket's, unless the slot is taken again while we copy */
        struct ws2_slot copy = *ghost;

        if ( ws2_word_state( ghost_word ) != WS2_SLOT_FREE || atomic_load( &ghost->word ) != ghost_word ||
             atomic_load( &copy.cookie ) != cookie )
            ghost = NULL;
        else if ( ( share = share_new( cookie, kind, &copy ) ) )
        {
            atomic_store( &ghost->cookie, 0 );
            return share;
        }
    }
    if ( !ghost && ( kind & WS2_ADOPT_KNOWN ) )
    {
        *error = WSAENOTSOCK;
        return NULL;
    }
    if ( !ghost && ( share = share_new( cookie, kind, NULL ) ) ) *new_slot = 1;
    if ( !share ) *error = WSAEMFILE;
    return share;
}

struct share *share_restore( uint32_t slot )
{
    struct ws2_slot *record = ws2_table_slot( table_mapping(), slot );

    return share_create( slot, ws2_word_generation( atomic_load( &record->word ) ), atomic_load( &record->cookie ) );
}

struct holder *share_hold( struct share *share, struct client *client, uint32_t handle )
{
    struct holder *holder;

    if ( client->holder_count >= CLIENT_HOLDERS || !( holder = calloc( 1, sizeof( *holder ) ) ) ) return NULL;
    holder->share = share;
    holder->client = client;
    holder->handle = handle;
    LIST_INSERT_HEAD( &share->holders, holder, in_share );
    LIST_INSERT_HEAD( &client->holders, holder, in_client );
    client->holder_count++;
    client_set_sharing( client );
    share->count++;
    publish_count( share );
    return holder;
}

struct holder *share_find_holder( struct share *share, struct client *client, uint32_t handle )
{
    struct holder *holder, *anonymous = NULL;

    LIST_FOREACH( holder, &share->holders, in_share )
    {
        if ( holder->client != client ) continue;
        if ( holder->anonymous ) anonymous = holder;
        else if ( holder->handle == handle ) return holder;
    }
    return anonymous;
}

void share_name( struct holder *holder, uint32_t handle )
{
    holder->handle = handle;
    holder->anonymous = 0;
}

int share_is_held( struct share *share, struct client *client )
{
    struct holder *holder;

    LIST_FOREACH( holder, &share->holders, in_share )
    if ( holder->client == client ) return 1;
    return 0;
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
    struct share *share = holder->share;
    struct client *client = holder->client;

    LIST_REMOVE( holder, in_share );
    LIST_REMOVE( holder, in_client );
    client->holder_count--;
    client_set_sharing( client );
    free( holder );
    if ( !share_is_held( share, client ) ) drop_registrations( share, client );
    share->count--;
    publish_count( share );
    share_check( share );
}

void share_count_ticket( struct share *share, int change )
{
    share->count += change;
    publish_count( share );
}

void share_check( struct share *share )
{
    /* until every process has published, one that has not may hold it */
    if ( share->count || kept ) return;
    by_slot[share->slot] = NULL;
    LIST_REMOVE( share, in_cookies );
    block_free_slot( share->slot, share->generation );
    block_unshare_slot( share->slot );
    free( share );
}

void shares_keep( void ) { kept = 1; }

void shares_check_all( void )
{
    kept = 0;
    for ( uint32_t i = 0; i < blocks_end(); i++ )
        if ( by_slot[i] ) share_check( by_slot[i] );
}
