/*
 * Leases: which process may take slots of which block, and the server's own blocks.
 *
 * The array here is the truth; the block directory in the table is its copy for a server that takes over. Returned blocks
 * are leased again oldest first, so that what a closed socket left in its slot can be found for a while (share_adopt).
 */
#include <assert.h>
#include <stdlib.h>
#include "server.h"
#include "ws2host/winsock_codes.h"

#define NO_BLOCK WS2_NO_INDEX
#define NO_OWNER 0
#define BLOCKS_KEPT 16 /* returned blocks that rest before new ones are no longer preferred */

static struct
{
    uint32_t owner;  /* 1 + client index, NO_OWNER */
    uint32_t next;   /* in the queue of returned blocks, or in its owner's list */
    uint32_t pins;   /* see block_pin */
    uint64_t shared; /* a bit for each slot that is shared */
} blocks[WS2_BLOCK_COUNT];

static uint32_t owner_blocks[WS2_CLIENT_COUNT + 1]; /* 1 + first block of each owner */
static uint32_t queue_head = NO_BLOCK, queue_tail = NO_BLOCK, queue_length;
static uint32_t used; /* blocks from here on were never leased */

/* free slots of the server's own blocks, oldest first */
static uint32_t *free_slots;
static uint32_t free_size, free_first, free_count;

static void set_owner( uint32_t block, uint32_t owner )
{
    blocks[block].owner = owner;
    atomic_store( ws2_table_blocks( table_mapping() ) + block, owner );
}

static void queue_block( uint32_t block )
{
    blocks[block].next = NO_BLOCK;
    if ( queue_tail == NO_BLOCK ) queue_head = block;
    else blocks[queue_tail].next = block;
    queue_tail = block;
    queue_length++;
}

static uint32_t unqueue_block( void )
{
    const uint32_t block = queue_head;

    assert( block != NO_BLOCK && queue_length && blocks[block].owner == NO_OWNER && !blocks[block].pins );
    queue_head = blocks[block].next;
    if ( queue_head == NO_BLOCK ) queue_tail = NO_BLOCK;
    queue_length--;
    return block;
}

static void give_block( uint32_t block, uint32_t owner )
{
    assert( blocks[block].owner == NO_OWNER );
    set_owner( block, owner + 1 );
    blocks[block].next = owner_blocks[owner] ? owner_blocks[owner] - 1 : NO_BLOCK;
    owner_blocks[owner] = block + 1;
}

int32_t block_lease( uint32_t owner, uint32_t *first )
{
    uint32_t block;

    if ( queue_length > BLOCKS_KEPT || ( used == WS2_BLOCK_COUNT && queue_length ) ) block = unqueue_block();
    else if ( used < WS2_BLOCK_COUNT ) block = used++;
    else return WSAEMFILE;
    give_block( block, owner );
    *first = block * WS2_BLOCK_SLOTS;
    return 0;
}

/* A ring with room for all slots of the server's blocks. */
static int grow_free_slots( uint32_t size )
{
    uint32_t *slots = malloc( size * sizeof( *slots ) );

    if ( !slots ) return 0;
    for ( uint32_t i = 0; i < free_count; i++ ) slots[i] = free_slots[( free_first + i ) % free_size];
    free( free_slots );
    free_slots = slots;
    free_first = 0;
    free_size = size;
    return 1;
}

void block_restore( uint32_t block, uint32_t owner )
{
    if ( block < used || block >= WS2_BLOCK_COUNT ) return;
    while ( used < block ) queue_block( used++ );
    used++;
    if ( owner != WS2_NO_INDEX ) give_block( block, owner );
}

void block_restore_slot( uint32_t slot )
{
    if ( free_count == free_size && !grow_free_slots( free_size + WS2_BLOCK_SLOTS ) ) return;
    free_slots[( free_first + free_count++ ) % free_size] = slot;
}

void block_free_slot( uint32_t index, uint32_t generation )
{
    struct ws2_slot *slot = ws2_table_slot( table_mapping(), index );

    atomic_store( &slot->descriptors, 0 );
    atomic_store( &slot->word, ws2_word( generation + 1, 0, WS2_SLOT_FREE ) );
    if ( blocks[index / WS2_BLOCK_SLOTS].owner == WS2_SERVER_INDEX + 1 && free_count < free_size )
        free_slots[( free_first + free_count++ ) % free_size] = index;
}

uint32_t blocks_take_back( uint32_t owner, uint32_t most )
{
    uint32_t count = 0;

    for ( ; owner_blocks[owner] && count < most; count++ )
    {
        const uint32_t block = owner_blocks[owner] - 1;

        owner_blocks[owner] = blocks[block].next == NO_BLOCK ? 0 : blocks[block].next + 1;
        blocks[block].owner = NO_OWNER;
        for ( uint32_t i = 0; i < WS2_BLOCK_SLOTS; i++ )
        {
            const uint32_t index = block * WS2_BLOCK_SLOTS + i;
            const uint64_t word = atomic_load( &ws2_table_slot( table_mapping(), index )->word );

            if ( !( blocks[block].shared >> i & 1 ) && ws2_word_state( word ) != WS2_SLOT_FREE )
                block_free_slot( index, ws2_word_generation( word ) );
        }
        /* last, and in one step: a server that takes over looks into the blocks of the directory only */
        atomic_store( ws2_table_blocks( table_mapping() ) + block, blocks[block].pins ? WS2_BLOCK_PINNED : NO_OWNER );
        if ( !blocks[block].pins ) queue_block( block );
    }
    return count;
}

uint32_t block_owner( uint32_t slot )
{
    const uint32_t owner = slot < WS2_SLOT_COUNT ? blocks[slot / WS2_BLOCK_SLOTS].owner : NO_OWNER;

    return owner == NO_OWNER ? WS2_NO_INDEX : owner - 1;
}

void block_pin( uint32_t block ) { blocks[block].pins++; }

void block_unpin( uint32_t block )
{
    assert( blocks[block].pins );
    if ( --blocks[block].pins || blocks[block].owner != NO_OWNER ) return;
    set_owner( block, NO_OWNER );
    queue_block( block );
}

void block_share_slot( uint32_t slot )
{
    blocks[slot / WS2_BLOCK_SLOTS].shared |= 1ull << slot % WS2_BLOCK_SLOTS;
    block_pin( slot / WS2_BLOCK_SLOTS );
}

void block_unshare_slot( uint32_t slot )
{
    blocks[slot / WS2_BLOCK_SLOTS].shared &= ~( 1ull << slot % WS2_BLOCK_SLOTS );
    block_unpin( slot / WS2_BLOCK_SLOTS );
}

uint32_t blocks_free( void ) { return WS2_BLOCK_COUNT - used + queue_length; }

uint32_t blocks_end( void ) { return used * WS2_BLOCK_SLOTS; }

uint32_t block_take_slot( void )
{
    uint32_t first, slot;

    if ( !free_count )
    {
        if ( !grow_free_slots( free_size + WS2_BLOCK_SLOTS ) ) return WS2_NO_INDEX;
        if ( block_lease( WS2_SERVER_INDEX, &first ) )
        {
            free_size -= WS2_BLOCK_SLOTS;
            return WS2_NO_INDEX;
        }
        for ( uint32_t i = 0; i < WS2_BLOCK_SLOTS; i++ ) free_slots[free_count++] = first + i;
    }
    slot = free_slots[free_first];
    free_first = ( free_first + 1 ) % free_size;
    free_count--;
    return slot;
}
