/*
 * Take-over: the table of a server that died, carried on by this one.
 *
 * The directories in the table say which processes lived and what they leased; the dead are cleaned up, the living get a
 * record that waits for them (and a pidfd, should they die first). Who holds descriptors of the shared slots, and which
 * tickets are open, only the processes know: each publishes it when it comes back. Until the last of them has done so or
 * has died, no shared slot is freed, whatever its count.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include "server.h"

static unsigned int missing; /* processes that have not yet published all they hold */
static int running;
static unsigned int progress;

int takeover_running( void ) { return running; }
unsigned int takeover_progress( void ) { return progress; }
void takeover_ticket_published( void ) { progress++; }

static void takeover_check_end( void )
{
    if ( !running || missing ) return;
    running = 0;
    progress++;
    tickets_forget_spent();
    shares_check_all();
}

static void restore_clients( void ( *death )( struct source *source, uint32_t events ) )
{
    for ( uint32_t i = 0; i < WS2_CLIENT_COUNT; i++ )
    {
        struct ws2_client_record *record = ws2_table_clients( table_mapping() ) + i;
        const uint32_t pid = atomic_load( &record->unix_pid );
        const uint64_t start_time = atomic_load( &record->start_time );
        struct client *client;

        if ( !pid ) continue;
        if ( (int32_t)pid > 0 && start_time && process_start_time( pid ) == start_time &&
             ( client = client_restore( i, pid, atomic_load( &record->windows_pid ), start_time, death ) ) )
        {
            /* a process that shared nothing has nothing to publish, and may be idle for ever */
            client->missing = atomic_load( &record->sharing ) != 0;
            missing += client->missing;
            continue;
        }
        client_clear_record( i );
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
    }
}

void takeover_begin( void ( *death )( struct source *source, uint32_t events ) )
{
    running = 1;
    shares_keep();
    restore_clients( death );
    for ( uint32_t block = 0; block < WS2_BLOCK_COUNT; block++ )
    {
        const uint32_t entry = atomic_load( ws2_table_blocks( table_mapping() ) + block );
        uint32_t owner = entry - 1;

        if ( !entry ) continue;
        if ( owner != WS2_SERVER_INDEX && !client_at( owner ) ) owner = WS2_NO_INDEX;
        block_restore( block, owner );
        if ( client_at( owner ) ) client_at( owner )->process->blocks++;
        block_pin( block );
        restore_slots( block, owner );
        block_unpin( block );
    }
    takeover_check_end();
}

void takeover_client_done( struct client *client )
{
    client->resuming = 0;
    if ( !client->missing ) return;
    client->missing = 0;
    client_set_sharing( client );
    missing--;
    takeover_check_end();
}
