/*
 * Claims: what the table says of who has what, a record for each process and shared socket that counts its descriptors, the
 * tickets that it has issued, and those that it was answered before it asked and may have opened. This server never reads them: they are for the one that takes over when it dies, which
 * waits with each socket for just those processes to publish what they hold.
 *
 * The array here is the truth, the table has a copy. What is counted there is never less than what the process has, at any
 * instruction: a claim is written before anybody is answered, and goes after its descriptor; that of a ticket when its
 * source has been told of the end, since it would publish the ticket until then.
 */
#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include "server.h"

#define BUCKETS 0x10000u
#define COUNT_MOST 0x1000000u /* that a table is believed */

struct claim
{
    uint32_t slot, generation, client;
    uint32_t count;
    uint32_t awaited; /* more, that a server before this one counted */
    uint32_t next;    /* in its bucket, or of the free ones */
    uint32_t next_awaited;
    unsigned char listed; /* by its client, as one of which some were, or are, awaited */
};

/* Numbers of claims are kept as 1 + number. */
static struct claim *claims;
static uint32_t used, first_free, live;
static uint32_t buckets[BUCKETS];
static uint64_t seed; /* nobody outside knows which bucket is whose */

static uint32_t *bucket_of( uint32_t slot, uint32_t generation, uint32_t client )
{
    uint64_t hash;

    while ( !seed && getrandom( &seed, sizeof( seed ), 0 ) != sizeof( seed ) ) continue;
    hash = ( seed ^ slot ) * 0x9e3779b97f4a7c15ull;
    hash = ( hash ^ hash >> 29 ^ client ) * 0xbf58476d1ce4e5b9ull;
    hash = ( hash ^ hash >> 32 ^ generation ) * 0x94d049bb133111ebull;
    return &buckets[( hash ^ hash >> 31 ) % BUCKETS];
}

static struct claim *find( uint32_t slot, uint32_t generation, uint32_t client )
{
    for ( uint32_t i = *bucket_of( slot, generation, client ); i; i = claims[i - 1].next )
    {
        struct claim *claim = &claims[i - 1];

        if ( claim->slot == slot && claim->generation == generation && claim->client == client ) return claim;
    }
    return NULL;
}

/* Addresses for all of them; memory comes as they are used, and none is moved. */
int claims_reserve( void )
{
    void *memory;

    if ( claims ) return 1;
    memory = mmap( NULL, WS2_CLAIM_COUNT * sizeof( *claims ), PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0 );
    if ( memory == MAP_FAILED ) return 0;
    claims = memory;
    return 1;
}

static void write_count( const struct claim *claim )
{
    atomic_store( &ws2_table_claims( table_mapping() )[claim - claims].count, claim->count + claim->awaited );
}

static void write_claim( const struct claim *claim )
{
    struct ws2_claim *record = &ws2_table_claims( table_mapping() )[claim - claims];

    atomic_store( &record->slot, claim->slot );
    atomic_store( &record->generation, claim->generation );
    atomic_store( &record->client, claim->client );
    write_count( claim );
}

static void put_free( struct claim *claim )
{
    claim->next = first_free;
    first_free = claim - claims + 1;
}

/* With a count that is to be written. */
static void make( struct claim *claim, uint32_t slot, uint32_t generation, uint32_t client )
{
    uint32_t *bucket = bucket_of( slot, generation, client );

    *claim = ( struct claim ){ .slot = slot, .generation = generation, .client = client, .next = *bucket };
    *bucket = claim - claims + 1;
    live++;
}

static struct claim *create( uint32_t slot, uint32_t generation, uint32_t client )
{
    struct claim *claim;

    if ( first_free )
    {
        claim = &claims[first_free - 1];
        first_free = claim->next;
    }
    else
    {
        if ( used == WS2_CLAIM_COUNT || !claims_reserve() ) return NULL;
        claim = &claims[used++];
        atomic_store( &ws2_table_header( table_mapping() )->claims, used );
    }
    make( claim, slot, generation, client );
    return claim;
}

static void check( struct claim *claim, struct client *client )
{
    uint32_t *next = bucket_of( claim->slot, claim->generation, claim->client );

    if ( claim->count || claim->awaited || claim->listed ) return;
    while ( *next != claim - claims + 1 ) next = &claims[*next - 1].next;
    *next = claim->next;
    put_free( claim );
    live--;
    process_charge( client->process, &client->process->held.claims, -1 );
}

enum claimed claim_add( uint32_t slot, uint32_t generation, struct client *client )
{
    struct claim *claim = find( slot, generation, client->index );
    enum claimed result = CLAIMED;

    if ( !claim )
    {
        if ( !process_may_take( client->process, &client->process->held.claims, PROCESS_CLAIMS_ALWAYS, WS2_CLAIM_COUNT,
                                WS2_CLAIM_COUNT - live ) ||
             !( claim = create( slot, generation, client->index ) ) )
            return NOT_CLAIMED;
        process_charge( client->process, &client->process->held.claims, 1 );
    }
    if ( claim->awaited )
    {
        claim->awaited--;
        result = CLAIMED_AGAIN;
    }
    if ( claim->count++ ) write_count( claim );
    else write_claim( claim );
    return result;
}

void claim_drop( uint32_t slot, uint32_t generation, struct client *client )
{
    struct claim *claim = find( slot, generation, client->index );

    assert( claim && claim->count );
    claim->count--;
    write_count( claim );
    check( claim, client );
}

/* One by which nobody is waited for is free, in the table too. */
static void restore_one( struct claim *claim, claim_restorer restore )
{
    struct ws2_claim *record = &ws2_table_claims( table_mapping() )[claim - claims];
    const uint32_t slot = atomic_load( &record->slot ), generation = atomic_load( &record->generation );
    const uint32_t index = atomic_load( &record->client ), count = atomic_load( &record->count );
    const uint32_t awaited = count < COUNT_MOST ? count : COUNT_MOST;
    struct client *client = NULL;

    /* twice in the table it is only by a hostile process */
    if ( count && !find( slot, generation, index ) ) client = restore( slot, generation, index, awaited );
    if ( !client )
    {
        if ( count ) atomic_store( &record->count, 0 );
        put_free( claim );
        return;
    }
    make( claim, slot, generation, index );
    claim->awaited = awaited;
    claim->listed = 1;
    claim->next_awaited = client->first_awaited;
    client->first_awaited = claim - claims + 1;
    process_charge( client->process, &client->process->held.claims, 1 );
}

void claims_restore( claim_restorer restore )
{
    const uint32_t written = atomic_load( &ws2_table_header( table_mapping() )->claims );
    const uint32_t count = written < WS2_CLAIM_COUNT ? written : WS2_CLAIM_COUNT;

    if ( !claims_reserve() )
    {
        /* the processes start another, and go on meanwhile */
        server_trace( "no memory to take over a table with %u claims", count );
        exit( 1 );
    }
    for ( used = 0; used < count; used++ ) restore_one( &claims[used], restore );
}

int claim_give_up( struct client *client, uint32_t *slot, uint32_t *generation, uint32_t *awaited )
{
    struct claim *claim;

    if ( !client->first_awaited ) return 0;
    claim = &claims[client->first_awaited - 1];
    client->first_awaited = claim->next_awaited;
    *slot = claim->slot;
    *generation = claim->generation;
    *awaited = claim->awaited;
    claim->awaited = 0;
    claim->listed = 0;
    write_count( claim );
    check( claim, client );
    return 1;
}
