/*
 * Leases: the process's own blocks of slots, from which it takes a slot for each new socket without asking anybody.
 *
 * Free slots stand in a queue and are used again oldest first, and some are always left in it: what a closed socket left
 * in its slot is how the server knows a socket that a child inherited and its parent closed (see ADOPT). A slot that was
 * shared becomes FREE by the server's hand; walks over the blocks find those, seldom enough to cost nothing.
 *
 * The next block is asked for by a host thread, begun when few slots are left: a server that does not answer makes nobody wait
 * who can have one. Only when there is none the caller asks itself.
 *
 * An owner lock of this file guards the queue. It is not held while asking the server, whose answer may be late: who closes,
 * or finds a slot in the queue, does not wait for it. A thread that the loader ends with the lock held leaves at worst a slot
 * twice in the queue, of which one is passed over (lease_occupy), or none, which the next walk finds: the queue changes by one
 * store, and a slot's bit is set after that and cleared before. While the arrays themselves are exchanged signals are blocked.
 */
#include <assert.h>
#include <stdlib.h>
#include "base/host_mutex.h"
#include "base/host_thread.h"
#include "base/owner_lock.h"
#include "base/unix_private.h"
#include "client/connection.h"
#include "client/table_map.h"
#include "ws2host/winsock_codes.h"

#define SPARE 32u /* slots left to rest, when the server gives others in time */

static owner_lock lock;
static uint32_t *queue; /* a ring of queue_size */
static uint32_t queue_size;
static uint32_t queue_first, queue_end; /* modulo twice the size: where they are equal the queue is empty */
static uint32_t *blocks;                /* first slot of each */
static uint32_t block_count;
static uint32_t taken_since_walk;
static unsigned int asking;                        /* threads that ask for a block */
static int refused;                                /* the server gave none, and is asked only when there are no slots */
uint64_t lease_queued[WS2_BLOCK_COUNT] WS2_SPARSE; /* a bit per slot */

_Static_assert( WS2_BLOCK_SLOTS == 64, "a word of bits per block" );

static uint32_t queue_count( void )
{
    return queue_end - queue_first + ( queue_end < queue_first ? 2 * queue_size : 0 );
}

static void lease_put( uint32_t slot )
{
    const uint64_t bit = 1ull << slot % WS2_BLOCK_SLOTS;

    assert( owner_lock_held( &lock ) && slot < WS2_SLOT_COUNT );
    if ( lease_queued[slot / WS2_BLOCK_SLOTS] & bit || queue_count() == queue_size ) return;
    queue[queue_end % queue_size] = slot;
    atomic_signal_fence( memory_order_seq_cst );
    queue_end = ( queue_end + 1 ) % ( 2 * queue_size );
    atomic_signal_fence( memory_order_seq_cst );
    lease_queued[slot / WS2_BLOCK_SLOTS] |= bit;
}

/* There is one. */
static uint32_t lease_next( void )
{
    const uint32_t slot = queue[queue_first % queue_size];

    assert( owner_lock_held( &lock ) && slot < WS2_SLOT_COUNT );
    lease_queued[slot / WS2_BLOCK_SLOTS] &= ~( 1ull << slot % WS2_BLOCK_SLOTS );
    atomic_signal_fence( memory_order_seq_cst );
    queue_first = ( queue_first + 1 ) % ( 2 * queue_size );
    return slot;
}

/* The queue has room for every slot of the process, so that giving one back cannot fail. */
static int32_t add_block( uint32_t first )
{
    uint32_t *larger_queue = malloc( ( queue_size + WS2_BLOCK_SLOTS ) * sizeof( *queue ) ), *more_blocks;
    const uint32_t count = queue_count();

    more_blocks = realloc( blocks, ( block_count + 1 ) * sizeof( *blocks ) );
    if ( more_blocks ) blocks = more_blocks;
    /* for good: its slots are looked at and given back without asking again */
    if ( !larger_queue || !more_blocks || !table_pin( first ) )
    {
        free( larger_queue );
        return WSAENOBUFS;
    }
    for ( uint32_t i = 0; i < count; i++ ) larger_queue[i] = queue[( queue_first + i ) % queue_size];
    free( queue );
    queue = larger_queue;
    queue_size += WS2_BLOCK_SLOTS;
    queue_first = 0;
    queue_end = count;
    blocks[block_count++] = first;
    for ( uint32_t i = 0; i < WS2_BLOCK_SLOTS; i++ ) lease_put( first + i );
    return 0;
}

/* Called, and returns, with the lock held; asks without it. A block that cannot be kept stays leased and unused. */
static int32_t lease_block( void )
{
    struct ws2_request request = { .type = WS2_LEASE };
    struct ws2_reply reply;
    sigset_t before;
    int32_t error;

    host_signals_block( &before );
    asking++;
    owner_lock_give( &lock );
    reply.slot = connection_take_block();
    error = reply.slot == WS2_NO_INDEX ? connection_request( &request, -1, &reply, NULL ) : 0;
    owner_lock_take( &lock );
    asking--;
    if ( !error && ( reply.slot >= WS2_SLOT_COUNT || reply.slot % WS2_BLOCK_SLOTS ) ) error = WSAENETDOWN;
    if ( !error ) error = add_block( reply.slot );
    refused = error != 0;
    host_signals_restore( &before );
    return error;
}

static void *ask_ahead( void *unused )
{
    (void)unused;
    owner_lock_take( &lock );
    asking--;
    lease_block();
    owner_lock_give( &lock );
    return NULL;
}

static void begin_to_ask( void )
{
    sigset_t before;

    assert( owner_lock_held( &lock ) );
    host_signals_block( &before ); /* the one does not happen without the other */
    if ( host_thread_start( ask_ahead, NULL ) ) asking++;
    host_signals_restore( &before );
}

static void find_freed( void )
{
    for ( uint32_t block = 0; block < block_count; block++ )
        for ( uint32_t i = 0; i < WS2_BLOCK_SLOTS; i++ )
        {
            const struct ws2_slot *slot = table_slot( blocks[block] + i );
            if ( ws2_word_state( atomic_load( &slot->word ) ) == WS2_SLOT_FREE ) lease_put( blocks[block] + i );
        }
    taken_since_walk = 0;
}

/* 0 when the slot is not free after all: a value that only a hostile process writes. */
static int lease_occupy( uint32_t index, uint32_t *generation )
{
    struct ws2_slot *slot = table_slot( index );
    uint64_t word = atomic_load( &slot->word );

    if ( ws2_word_state( word ) != WS2_SLOT_FREE ) return 0;
    *generation = ws2_word_generation( word );
    /* before the word: nobody may find the old socket's cookie in a slot that is in use */
    ws2_slot_clear( slot );
    return atomic_compare_exchange_strong( &slot->word, &word,
                                           ws2_word( *generation, connection_client_index(), WS2_SLOT_PRIVATE ) );
}

static int32_t take_locked( uint32_t *slot, uint32_t *generation )
{
    int32_t error = 0;

    for ( ;; )
    {
        if ( queue_count() <= SPARE && taken_since_walk >= block_count * WS2_BLOCK_SLOTS / 2 && block_count )
            find_freed();
        if ( !queue_count() ) error = lease_block();
        else if ( queue_count() <= SPARE && !asking && !refused ) begin_to_ask();
        if ( !queue_count() ) return error;
        *slot = lease_next();
        taken_since_walk++;
        if ( lease_occupy( *slot, generation ) ) return 0;
    }
}

int32_t lease_take( uint32_t *slot, uint32_t *generation )
{
    int32_t error;

    if ( !connection_table() ) return WSAENETDOWN;
    owner_lock_take( &lock );
    error = take_locked( slot, generation );
    owner_lock_give( &lock );
    return error;
}

int lease_give_back( uint32_t index, uint32_t generation )
{
    struct ws2_slot *slot = table_slot( index );
    uint64_t word = ws2_word( generation, connection_client_index(), WS2_SLOT_PRIVATE );
    int given;

    owner_lock_take( &lock );
    given = atomic_compare_exchange_strong( &slot->word, &word, ws2_word( generation + 1, 0, WS2_SLOT_FREE ) );
    if ( given ) lease_put( index );
    owner_lock_give( &lock );
    return given;
}
