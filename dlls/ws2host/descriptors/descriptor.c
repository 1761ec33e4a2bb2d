/*
 * The descriptor table: a two-level array indexed by handle value / 4, chunks made on first use and kept.
 *
 * An entry is NULL, a descriptor, CLOSING while its handle is being closed, or FREE: the value is the pool's, and no handle to
 * anybody. Lookups add a user to what they found and look again; structs are recycled but never unmapped, so the worst that a
 * late user touches is another descriptor, which it gives back at once.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/host_clock.h"
#include "client/connection.h"
#include "client/table_map.h"
#include "descriptors/descriptor.h"
#include "descriptors/socket_set.h"
#include "base/owner_lock.h"
#include "descriptors/upcalls.h"
#include "descriptors/wait.h"

#define CHUNK_ENTRIES 1024u
#define CHUNK_COUNT ( WS2_VIEW_HANDLES / CHUNK_ENTRIES )
#define FEW_STRUCTS 4u /* that most processes get by with */
#define POOL_STRUCTS 256u

typedef _Atomic( struct descriptor * ) entry;

_Atomic( entry * ) descriptor_chunks[CHUNK_COUNT] WS2_SPARSE;
static struct descriptor marks[2];
#define CLOSING ( &marks[0] )
#define FREE ( &marks[1] )
static int is_mark( const struct descriptor *d ) { return d == CLOSING || d == FREE; }

static owner_lock pool_lock;
static struct descriptor *pool_free;
/* All that there are: a few, and regions of POOL_STRUCTS, of which the first holds nothing but the next region (next_free). */
static struct descriptor few[FEW_STRUCTS];
static _Atomic( struct descriptor * ) regions;
static _Atomic uint32_t highest_chunk;

/* unixcall_hooks.h */
static _Atomic uint8_t *_Atomic view;
static _Atomic uint32_t view_handles = WS2_VIEW_HANDLES;

/* The handle's entry; NULL: there has been none in its chunk, or it is no handle. */
static inline entry *find_entry( uint64_t handle )
{
    const uint64_t index = handle >> 2;
    entry *chunk;

    if ( ( handle & 3 ) || index >= atomic_load_explicit( &view_handles, memory_order_relaxed ) ) return NULL;
    chunk = atomic_load_explicit( &descriptor_chunks[index / CHUNK_ENTRIES], memory_order_acquire );
    return chunk ? chunk + index % CHUNK_ENTRIES : NULL;
}

/* The same, with a chunk for it; NULL: no memory, or no handle. */
static entry *make_entry( uint64_t handle )
{
    const uint32_t number = ( handle >> 2 ) / CHUNK_ENTRIES;
    entry *found = find_entry( handle ), *chunk, *expected = NULL;
    uint32_t highest;

    if ( found || ( handle & 3 ) || handle >> 2 >= atomic_load( &view_handles ) ) return found;
    if ( !( chunk = calloc( CHUNK_ENTRIES, sizeof( *chunk ) ) ) ) return NULL;
    if ( !atomic_compare_exchange_strong( &descriptor_chunks[number], &expected, chunk ) ) free( chunk );
    highest = atomic_load( &highest_chunk );
    while ( highest < number && !atomic_compare_exchange_weak( &highest_chunk, &highest, number ) ) continue;
    return find_entry( handle );
}

static uint8_t view_byte( const struct descriptor *d )
{
    return d == FREE ? WS2_VIEW_FREE : d && d != CLOSING ? WS2_VIEW_SOCKET : WS2_VIEW_NOTHING;
}

/* After a change of the handle's entry. */
static void show( uint64_t handle )
{
    _Atomic uint8_t *map = atomic_load( &view );
    entry *entry = find_entry( handle );
    uint8_t shown;

    if ( !map || !entry ) return; /* those that the map has no room for are not found either */
    do {
        shown = view_byte( atomic_load( entry ) );
        atomic_store( &map[handle >> 2], shown );
    } while ( shown != view_byte( atomic_load( entry ) ) );
}

/* Lock held. A struct that was in use, or one that never was, whose memory nobody has touched: most processes need few. */
static struct descriptor *take_struct( void )
{
    static struct descriptor *fresh = few;
    static unsigned int left = FEW_STRUCTS;
    struct descriptor *d = pool_free;

    assert( owner_lock_held( &pool_lock ) );
    if ( d )
    {
        pool_free = d->next_free;
        return d;
    }
    if ( !left )
    {
        d = mmap( NULL, POOL_STRUCTS * sizeof( *d ), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0 );
        if ( d == MAP_FAILED ) return NULL;
        d->next_free = atomic_load( &regions );
        atomic_store( &regions, d );
        fresh = d + 1;
        atomic_signal_fence( memory_order_seq_cst );
        left = POOL_STRUCTS - 1;
    }
    d = &fresh[left - 1];
    atomic_store( &d->users, DESCRIPTOR_FREE );
    left--;
    return d;
}

struct descriptor *descriptor_create_consume( int fd, uint32_t slot_index, uint32_t generation )
{
    struct ws2_slot *slot = table_pin( slot_index );
    struct descriptor *d;

    if ( !slot )
    {
        close( fd );
        return NULL;
    }
    owner_lock_take( &pool_lock );
    if ( !( d = take_struct() ) )
    {
        owner_lock_give( &pool_lock );
        table_unpin( slot_index );
        close( fd );
        return NULL;
    }
    owner_lock_give( &pool_lock );

    d->fd = fd;
    /* somebody may be looking for a socket of its former life (descriptor_leaving) */
    __atomic_store_n( &d->slot_index, slot_index, __ATOMIC_RELAXED );
    __atomic_store_n( &d->generation, generation, __ATOMIC_RELAXED );
    d->slot = slot;
    d->handle = 0;
    atomic_store( &d->closing, 0 );
    atomic_store( &d->local, 0 );
    atomic_store( &d->real, 0 );
    atomic_store( &d->event_generation, 0 );
    atomic_store( &d->signal_sequence, 0 );
    atomic_store( &d->deferred, NULL );
    atomic_store( &d->urgent, NULL );
    atomic_store( &d->urgent_hash, 0 );
    atomic_store( &d->notification, NULL );
    memset( &d->queues, 0, sizeof( d->queues ) );
    atomic_store( &d->polls, NULL );
    atomic_store( &d->set, NULL );
    d->joined = NULL;
    d->poll_watched = d->poll_events = 0;
    /* a late user of the struct's former life may be counted at this moment: add, never store */
    atomic_fetch_sub( &d->users, DESCRIPTOR_FREE - 1 );
    return d;
}

/* This thread is publishing, with the connection's mutex held: a descriptor that ends meanwhile is kept in a list, and the
 * server is told of its end by the next release. */
static __thread int publishing;
static _Atomic( struct descriptor * ) deferred_releases;

/* The slot's part of the end of a descriptor: free it, or tell the server. The struct goes back to the pool. */
static void give_up_slot( struct descriptor *d )
{
    socket_set_free( d );
    if ( !lease_give_back( d->slot_index, d->generation ) ) connection_close( d->slot_index, d->generation, d->handle );
    atomic_store( &d->closing, 0 );
    table_unpin( d->slot_index );
    owner_lock_take( &pool_lock );
    d->next_free = pool_free;
    /* a thread may be ended here: the rest of the pool stands behind it before it is the first */
    atomic_signal_fence( memory_order_seq_cst );
    pool_free = d;
    owner_lock_give( &pool_lock );
}

static void release_deferred( void )
{
    struct descriptor *d = atomic_load_explicit( &deferred_releases, memory_order_relaxed )
                               ? atomic_exchange( &deferred_releases, NULL )
                               : NULL;

    while ( d )
    {
        struct descriptor *next = d->next_deferred;
        give_up_slot( d );
        d = next;
    }
}

/* The slot goes with the last user and not with closesocket: until then a call may still write to it. */
void descriptor_release( struct descriptor *d )
{
    struct urgent_store *store;
    uint32_t users;

    users = atomic_fetch_sub( &d->users, 1 );
    assert( users & ~DESCRIPTOR_FREE );
    if ( users != 1 ) return;
    users = 0;
    /* of several that count it down to nothing, one destroys it */
    if ( !atomic_compare_exchange_strong( &d->users, &users, DESCRIPTOR_FREE ) ) return;
    upcalls.unwatch( d );
    close( d->fd );
    d->fd = -1;
    if ( ( store = atomic_exchange( &d->urgent, NULL ) ) )
    {
        close( store->fd );
        free( store );
    }
    if ( publishing )
    {
        d->next_deferred = atomic_load( &deferred_releases );
        while ( !atomic_compare_exchange_weak( &deferred_releases, &d->next_deferred, d ) ) continue;
        return;
    }
    give_up_slot( d );
    release_deferred();
}

int descriptor_hold( struct descriptor *d )
{
    if ( !( atomic_fetch_add( &d->users, 1 ) & DESCRIPTOR_FREE ) ) return 1;
    descriptor_release( d );
    return 0;
}

struct descriptor *descriptor_acquire( uint64_t handle, NTSTATUS *status )
{
    entry *entry = find_entry( handle );
    struct descriptor *d;

    connection_look_at_trace();
    if ( !entry )
    {
        *status = WS2_STATUS_ADOPT;
        return NULL;
    }
    while ( ( d = atomic_load_explicit( entry, memory_order_acquire ) ) && !is_mark( d ) )
    {
        atomic_fetch_add( &d->users, 1 );
        if ( atomic_load( entry ) == d ) return d;
        descriptor_release( d );
    }
    *status = d ? WS2_STATUS_CLOSED : WS2_STATUS_ADOPT;
    return NULL;
}

int descriptor_is_known( uint64_t handle )
{
    entry *entry = find_entry( handle );
    struct descriptor *d = entry ? atomic_load_explicit( entry, memory_order_acquire ) : NULL;

    return d && d != CLOSING;
}

int32_t descriptor_install( struct descriptor *d, uint64_t handle )
{
    const int named = d->handle == handle; /* a duplicate's is told when it is opened */
    entry *entry = make_entry( handle );
    struct descriptor *old;

    if ( !entry ) return WSAENOBUFS;
    d->handle = handle;
    /* a shared slot has a handle for each descriptor: the server keeps them */
    if ( descriptor_is_shared( d ) )
    {
        if ( !named ) connection_name( d->slot_index, d->generation, handle );
    }
    else atomic_store( &d->slot->handle, handle );
    old = atomic_exchange( entry, d );
    show( handle );
    descriptor_changed();
    if ( old && !is_mark( old ) )
        upcalls.lost_consume( old ); /* closed behind our back, and the loader has used the value again */
    return 0;
}

int32_t descriptor_install_found_consume( struct descriptor *d, uint64_t handle )
{
    entry *entry = make_entry( handle );
    struct descriptor *old = NULL;

    if ( !entry )
    {
        descriptor_release( d );
        return WSAENOBUFS;
    }
    d->handle = handle;
    if ( atomic_compare_exchange_strong( entry, &old, d ) )
    {
        show( handle );
        return 0;
    }
    /* another thread has found it too; or, meanwhile, the value is a new socket's */
    descriptor_release( d );
    return is_mark( old ) ? WSAENOTSOCK : 0;
}

int descriptor_is_stale( const struct descriptor *d )
{
    uint64_t cookie;

    if ( !descriptor_is_shared( d ) || d->slot->type != SOCK_STREAM ) return 0;
    return ( cookie = atomic_load( &d->slot->cookie ) ) && socket_cookie( d->fd ) != cookie;
}

int32_t descriptor_confirm( uint64_t handle, int fd )
{
    entry *entry = find_entry( handle );
    NTSTATUS status;
    struct descriptor *d = descriptor_acquire( handle, &status ), *expected = d;
    int32_t error = 0;

    if ( !d ) return WSAENOTSOCK;
    if ( fd < 0 || socket_cookie( fd ) != socket_cookie( d->fd ) )
    {
        error = WSAENOTSOCK;
        if ( atomic_compare_exchange_strong( entry, &expected, NULL ) )
        {
            show( handle );
            descriptor_changed();
            upcalls.lost_consume( d );
        }
    }
    descriptor_release( d );
    return error;
}

void descriptor_discard( struct descriptor *d ) { descriptor_release( d ); }

struct descriptor *descriptor_remove( uint64_t handle, NTSTATUS *status )
{
    entry *entry = find_entry( handle );
    struct descriptor *d = entry ? atomic_load( entry ) : NULL;

    *status = 0;
    do
        if ( !d || is_mark( d ) )
        {
            *status = d ? WS2_STATUS_CLOSED : WS2_STATUS_ADOPT;
            return NULL;
        }
    while ( !atomic_compare_exchange_strong( entry, &d, descriptor_is_pooled( d ) ? FREE : CLOSING ) );
    show( handle );
    descriptor_changed();
    return d;
}

void descriptor_begin_closing( struct descriptor *d )
{
    atomic_store( &d->closing, (uint32_t)host_now_coarse_ms() | 1 );
}

/* One that is free, or is being given up, counts as long as it has not been: its `closing` is cleared then. */
static void look_for_leaving( struct descriptor *structs, unsigned int count, uint32_t slot_index, uint32_t generation,
                              enum descriptor_leaving *found )
{
    for ( struct descriptor *d = structs; d < structs + count; d++ )
    {
        const uint32_t since = atomic_load( &d->closing ), users = atomic_load( &d->users );

        if ( ( !since && ( !users || users & DESCRIPTOR_FREE ) ) ||
             __atomic_load_n( &d->slot_index, __ATOMIC_RELAXED ) != slot_index ||
             __atomic_load_n( &d->generation, __ATOMIC_RELAXED ) != generation )
            continue;
        if ( !since || (int32_t)( (uint32_t)host_now_coarse_ms() - since ) >= DESCRIPTOR_LEAVING_TIME )
            *found = DESCRIPTOR_STAYS;
        else if ( *found != DESCRIPTOR_STAYS ) *found = DESCRIPTOR_LEAVES;
    }
}

enum descriptor_leaving descriptor_leaving( uint32_t slot_index, uint32_t generation )
{
    enum descriptor_leaving found = DESCRIPTOR_GONE;

    look_for_leaving( few, FEW_STRUCTS, slot_index, generation, &found );
    for ( struct descriptor *region = atomic_load( &regions ); region; region = region->next_free )
        look_for_leaving( region + 1, POOL_STRUCTS - 1, slot_index, generation, &found );
    return found;
}

void descriptor_end_closing( uint64_t handle )
{
    entry *entry = find_entry( handle );
    struct descriptor *mark = entry ? atomic_load( entry ) : NULL;

    if ( mark && is_mark( mark ) && atomic_compare_exchange_strong( entry, &mark, NULL ) ) show( handle );
}

int descriptor_is_free( uint64_t handle )
{
    entry *entry = find_entry( handle );

    return entry && atomic_load( entry ) == FREE;
}

/* The next handle of the table after that one, 0 for the first or none. */
static uint64_t next_handle( uint64_t handle )
{
    uint64_t index = handle ? ( handle >> 2 ) + 1 : 0;
    uint64_t end = ( (uint64_t)atomic_load( &highest_chunk ) + 1 ) * CHUNK_ENTRIES;

    for ( ; index < end; index++ )
    {
        entry *entry = find_entry( index << 2 );
        struct descriptor *d;

        if ( !entry )
        {
            index |= CHUNK_ENTRIES - 1;
            continue;
        }
        if ( ( d = atomic_load( entry ) ) && !is_mark( d ) ) return index << 2;
    }
    return 0;
}

struct descriptor *descriptor_next( uint64_t *handle )
{
    struct descriptor *d;
    NTSTATUS status;

    while ( ( *handle = next_handle( *handle ) ) )
        if ( ( d = descriptor_acquire( *handle, &status ) ) ) return d;
    return NULL;
}

struct descriptor *descriptor_next_other( const struct descriptor *d, uint64_t *handle )
{
    struct descriptor *other;

    while ( ( other = descriptor_next( handle ) ) )
    {
        if ( other != d && descriptor_is_same( d, other ) ) return other;
        descriptor_release( other );
    }
    return NULL;
}

struct descriptor *descriptor_other( const struct descriptor *d )
{
    uint64_t handle = 0;

    return descriptor_next_other( d, &handle );
}

NTSTATUS unix_socket_next( void *args )
{
    struct ws2_handle_params *params = args;

    params->handle = next_handle( params->handle );
    params->error = 0;
    return 0;
}

/* Runs while the connection publishes anew: no lock of this file is held across publish. */
static void enumerate_shared( connection_publish_function publish )
{
    struct descriptor *d;
    uint64_t handle = 0;

    publishing = 1;
    while ( ( d = descriptor_next( &handle ) ) )
    {
        if ( descriptor_is_shared( d ) )
        {
            publish( d->slot_index, d->generation, d->handle, d->fd );
            if ( atomic_load( &d->local ) & LOCAL_SUCCESSOR )
                connection_publish_replaced( d->slot_index, d->generation, d->fd );
        }
        descriptor_release( d );
    }
    publishing = 0;
}

void descriptor_init( void ) { connection_enumerate_shared = enumerate_shared; }

NTSTATUS unix_table_view( void *args )
{
    struct ws2_table_view_params *params = args;
    struct descriptor *d;
    uint64_t next = 0;
    uint8_t *memory = (uint8_t *)(uintptr_t)params->view;

    wait_show( (_Atomic uint32_t *)memory );
    atomic_store( &view_handles, params->handles );
    atomic_store( &view, (_Atomic uint8_t *)memory + WS2_VIEW_MAP );
    while ( ( d = descriptor_next( &next ) ) )
    {
        show( d->handle );
        descriptor_release( d );
    }
    params->error = 0;
    return 0;
}

NTSTATUS unix_delivered( void *args )
{
    struct ws2_delivered_params *params = args;
    uint32_t before = params->signal_before;

    params->error = 0;
    if ( params->undelivered ) atomic_fetch_sub( (_Atomic uint32_t *)(uintptr_t)params->undelivered, 1 );
    if ( params->signal_sequence &&
         !atomic_compare_exchange_strong( (_Atomic uint32_t *)(uintptr_t)params->signal_sequence, &before,
                                          before & ~1u ) )
        params->error = WSAEINVAL;
    if ( params->told ) atomic_store( (_Atomic uint32_t *)(uintptr_t)params->told, 1 );
    return 0;
}

NTSTATUS unix_socket_install( void *args )
{
    struct ws2_socket_install_params *params = args;
    struct descriptor *d = (struct descriptor *)(uintptr_t)params->descriptor;

    /* a deferred connection had another handle before */
    if ( atomic_load( &d->local ) & LOCAL_POOLED )
        atomic_fetch_and( &d->local, ~( LOCAL_REPLACED | LOCAL_POOLED | LOCAL_INHERITED | LOCAL_MARKED ) );
    if ( params->pooled )
        atomic_fetch_or( &d->local, LOCAL_REPLACED | LOCAL_POOLED | ( params->inherited ? LOCAL_INHERITED : 0 ) );
    params->error = descriptor_install( d, params->handle );
    return 0;
}

NTSTATUS unix_socket_discard( void *args )
{
    struct ws2_socket_install_params *params = args;

    descriptor_discard( (struct descriptor *)(uintptr_t)params->descriptor );
    params->error = 0;
    return 0;
}
