/*
 * Holders: the descriptors of shared sockets, one record each, and for each process that has some of one socket a member
 * that counts them. Found by socket, process and handle in one look, however many there are.
 */
#include <assert.h>
#include <stdlib.h>
#include <sys/random.h>
#include "server.h"

#define HOLDER_BUCKETS 0x10000u

static struct holder_list by_handle[HOLDER_BUCKETS];
static LIST_HEAD( member_list, member ) by_client[HOLDER_BUCKETS];
static uint64_t seed; /* nobody outside knows which bucket is whose */

static uint32_t bucket_of( uint32_t slot, uint32_t client, uint32_t handle )
{
    uint64_t hash;

    while ( !seed && getrandom( &seed, sizeof( seed ), 0 ) != sizeof( seed ) ) continue;
    hash = ( seed ^ slot ) * 0x9e3779b97f4a7c15ull;
    hash = ( hash ^ hash >> 29 ^ client ) * 0xbf58476d1ce4e5b9ull;
    hash = ( hash ^ hash >> 32 ^ handle ) * 0x94d049bb133111ebull;
    return ( hash ^ hash >> 31 ) % HOLDER_BUCKETS;
}

struct member *holder_of( struct share *share, struct client *client )
{
    struct member *member;

    LIST_FOREACH( member, &by_client[bucket_of( share->slot, client->index, 0 )], in_bucket )
    if ( member->share == share && member->client == client ) return member;
    return NULL;
}

static struct member *get_member( struct share *share, struct client *client )
{
    struct member *member = holder_of( share, client );

    if ( member || !( member = calloc( 1, sizeof( *member ) ) ) ) return member;
    member->share = share;
    member->client = client;
    LIST_INSERT_HEAD( &by_client[bucket_of( share->slot, client->index, 0 )], member, in_bucket );
    LIST_INSERT_HEAD( &share->members, member, in_share );
    return member;
}

static void member_check( struct member *member )
{
    if ( member->count ) return;
    assert( LIST_EMPTY( &member->holders ) );
    LIST_REMOVE( member, in_bucket );
    LIST_REMOVE( member, in_share );
    free( member );
}

static struct holder *find_named( struct share *share, struct client *client, uint32_t handle )
{
    struct holder *holder;

    LIST_FOREACH( holder, &by_handle[bucket_of( share->slot, client->index, handle )], in_bucket )
    if ( holder->handle == handle && holder->member->share == share && holder->member->client == client ) return holder;
    return NULL;
}

/* Where it is found by its handle; those without one, and second ones with the same, stand apart, so that a bucket holds
 * none alike. */
static void holder_list( struct holder *holder, uint32_t handle, int anonymous )
{
    struct member *member = holder->member;

    if ( holder->listed ) LIST_REMOVE( holder, in_bucket );
    holder->listed = 1;
    holder->handle = handle;
    if ( !anonymous && handle && !find_named( member->share, member->client, handle ) )
        LIST_INSERT_HEAD( &by_handle[bucket_of( member->share->slot, member->client->index, handle )], holder,
                          in_bucket );
    else if ( !anonymous && !handle ) LIST_INSERT_HEAD( &member->unnamed, holder, in_bucket );
    else LIST_INSERT_HEAD( &member->anonymous, holder, in_bucket );
}

void holder_remove( struct holder *holder )
{
    struct member *member = holder->member;

    LIST_REMOVE( holder, in_bucket );
    LIST_REMOVE( holder, in_member );
    LIST_REMOVE( holder, in_client );
    assert( member->count && member->client->holder_count );
    member->count--;
    member->client->holder_count--;
    process_charge( member->client->process, &member->client->process->held.holders, -1 );
    client_set_sharing( member->client );
    free( holder );
    member_check( member );
}

struct holder *holder_add( struct share *share, struct client *client, uint32_t handle )
{
    struct holder *holder;
    struct member *member;

    if ( client->process->held.holders >= PROCESS_HOLDERS || !( member = get_member( share, client ) ) ) return NULL;
    if ( !( holder = calloc( 1, sizeof( *holder ) ) ) )
    {
        member_check( member );
        return NULL;
    }
    holder->member = member;
    LIST_INSERT_HEAD( &member->holders, holder, in_member );
    LIST_INSERT_HEAD( &client->holders, holder, in_client );
    holder_list( holder, handle, 0 );
    member->count++;
    client->holder_count++;
    process_charge( client->process, &client->process->held.holders, 1 );
    client_set_sharing( client );
    return holder;
}

struct holder *holder_find( struct share *share, struct client *client, uint32_t handle )
{
    struct holder *holder = handle ? find_named( share, client, handle ) : NULL;
    struct member *member;

    if ( holder || !( member = holder_of( share, client ) ) ) return holder;
    if ( !handle && !LIST_EMPTY( &member->unnamed ) ) return LIST_FIRST( &member->unnamed );
    return LIST_FIRST( &member->anonymous );
}

void holder_name( struct holder *holder, uint32_t handle )
{
    struct client *client = holder->member->client;

    LIST_REMOVE( holder, in_client );
    LIST_INSERT_HEAD( &client->holders, holder, in_client );
    if ( !holder->handle || holder->handle != handle ) holder_list( holder, handle, 0 );
}

void holder_set_anonymous( struct holder *holder ) { holder_list( holder, 0, 1 ); }

void holders_doubt( struct client *client )
{
    struct holder *first = LIST_FIRST( &client->holders );

    if ( !LIST_EMPTY( &client->doubted ) || !first ) return;
    client->doubted.lh_first = first;
    first->in_client.le_prev = &client->doubted.lh_first;
    LIST_INIT( &client->holders );
}
