/*
 * Take-over: the table of a server that died, carried on by this one.
 *
 * The directories in the table say which processes lived and what they leased; the dead are cleaned up, the living get a
 * record that waits for them. What they hold of the shared slots, descriptors and open tickets, only the processes know: each
 * publishes it when it comes back. How much that is of which slot, the table knows (claims): the slot is not freed before
 * each process that had some of it has published as much, or all it has, or has ended. A process that is stopped keeps what
 * is its own, and nothing else; what is shared since waits for nobody.
 */
#include "server.h"

static unsigned int missing; /* processes that have not yet published all they hold */
static int running;

int takeover_running( void ) { return running; }

static void takeover_check_end( void )
{
    if ( !running || missing ) return;
    running = 0;
    server_trace( "all processes of the server before have published what they share" );
    tickets_forget_spent();
}

static void restore_clients( void ( *ended )( struct source *source, uint32_t events ) )
{
    for ( uint32_t i = 0; i < WS2_CLIENT_COUNT; i++ )
    {
        struct ws2_client_record *record = ws2_table_clients( table_mapping() ) + i;
        const uint32_t pid = atomic_load( &record->unix_pid );
        struct process *process;
        struct client *client = NULL;

        if ( !pid ) continue;
        if ( ( process = process_get( (pid_t)pid ) ) )
        {
            if ( process->start_time == atomic_load( &record->start_time ) && !process_watch( process, -1, ended ) )
                client = client_restore( process, i );
            process_put( process );
        }
        if ( client ) missing += client->missing;
        else client_clear_record( i );
    }
}

static void restore_slots( uint32_t block, uint32_t owner )
{
    for ( uint32_t i = 0; i < WS2_BLOCK_SLOTS; i++ )
    {
        const uint32_t index = block * WS2_BLOCK_SLOTS + i;
        const uint64_t word = atomic_load( &ws2_table_slot( table_mapping(), index )->word );
        const uint32_t state = ws2_word_state( word );

        if ( state == WS2_SLOT_SHARED ) share_restore( index );
        else if ( state != WS2_SLOT_FREE && !client_at( owner ) ) block_free_slot( index, ws2_word_generation( word ) );
        else if ( state == WS2_SLOT_FREE && owner == WS2_SERVER_INDEX ) block_restore_slot( index );
        endpoint_note( index );
    }
}

void takeover_begin( void ( *ended )( struct source *source, uint32_t events ) )
{
    running = 1;
    restore_clients( ended );
    server_trace( "takes over the table of a server that died: %u processes have something to publish", missing );
    for ( uint32_t block = 0; block < WS2_BLOCK_COUNT; block++ )
    {
        const uint32_t entry = atomic_load( ws2_table_blocks( table_mapping() ) + block );
        uint32_t owner = entry - 1;
        struct client *client;

        if ( !entry ) continue;
        if ( owner != WS2_SERVER_INDEX && !client_at( owner ) ) owner = WS2_NO_INDEX;
        block_restore( block, owner );
        if ( ( client = client_at( owner ) ) )
            process_charge( client->process, &client->process->held.slots, WS2_BLOCK_SLOTS );
        block_pin( block );
        restore_slots( block, owner );
        block_unpin( block );
    }
    shares_restored();
    takeover_check_end();
}

void takeover_client_done( struct client *client )
{
    client->resuming = 0;
    if ( !client->missing ) return;
    client_found( client );
    missing--;
    takeover_check_end();
}
