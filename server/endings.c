/*
 * Endings: what goes with a process, given up in steps between the events of others: it may be much.
 *
 * From the first step on nobody finds the client by its number; its index, and so what the table says of it, is used again
 * after the last.
 */
#include <stddef.h>
#include "server.h"

#define RELEASED 128u /* descriptors, or tickets and watches, in a step */
#define BLOCKS 8u

static int step( struct work *work )
{
    struct client *client = (struct client *)( (char *)work - offsetof( struct client, work ) );
    uint32_t blocks;

    if ( shares_release_some( &client->doubted, RELEASED ) || shares_release_some( &client->holders, RELEASED ) ||
         tickets_sweep_taken( client, RELEASED ) || tickets_release_some( client, RELEASED ) ||
         shares_settle_some( client, RELEASED ) )
        return 1;
    blocks = blocks_take_back( client->index, BLOCKS );
    process_charge( client->process, &client->process->held.slots, -(int)( blocks * WS2_BLOCK_SLOTS ) );
    if ( blocks == BLOCKS ) return 1;
    takeover_client_done( client );
    client_free( client );
    return 0;
}

void ending_begin( struct client *client )
{
    if ( client->sweeping ) work_cancel( &client->work );
    client_end( client );
    client->work.step = step;
    work_begin( &client->work );
}

static int sweep( struct work *work )
{
    struct client *client = (struct client *)( (char *)work - offsetof( struct client, work ) );

    client->sweeping = shares_release_some( &client->doubted, RELEASED ) || tickets_sweep_taken( client, RELEASED ) ||
                       shares_settle_some( client, RELEASED );
    return client->sweeping;
}

void ending_sweep( struct client *client )
{
    if ( client->sweeping ||
         ( LIST_EMPTY( &client->doubted ) && LIST_EMPTY( &client->taken_doubted ) && !client->first_awaited ) )
        return;
    client->sweeping = 1;
    client->work.step = sweep;
    work_begin( &client->work );
}
