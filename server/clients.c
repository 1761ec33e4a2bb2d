/*
 * Clients: the processes of the table, one record each, from HELLO until the process has ended. Their indexes are those of
 * the client directory in the table.
 *
 * A client is known by its process (processes.c) and its Windows number, not by its connection: that may come and go. One
 * that a server before this one knew has its record before it comes back.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "server.h"
#include "ws2host/winsock_codes.h"

#define PID_BUCKETS 1024u

LIST_HEAD( pid_list, client );
static struct client *clients[WS2_CLIENT_COUNT];
static struct pid_list by_windows_pid[PID_BUCKETS];
static TAILQ_HEAD(, client ) to_tell = TAILQ_HEAD_INITIALIZER( to_tell );
static unsigned int alive, next_index;
static unsigned int
    missing_targets[WS2_TARGET_BITS]; /* clients that have not published all yet and may have such tickets */
static int server_directory = -1;     /* borrowed */

void client_set_directory( int directory ) { server_directory = directory; }

/* What is left of a process outside this server's memory: its record, the memory of its page of counts, and if it had them the
 * socket on which it was kicked (dlls/ws2host/client/event_kick.h) and what ws2ctl has left for it to trace. */
void client_clear_record( uint32_t index )
{
    struct ws2_client_record *record = ws2_table_clients( table_mapping() ) + index;
    char name[32];

    atomic_store( &record->unix_pid, 0 );
    atomic_store( &record->windows_pid, 0 );
    atomic_store( &record->start_time, 0 );
    atomic_store( &record->sharing, 0 );
    atomic_store( &record->targets, 0 );
    madvise( ws2_table_counts( table_mapping(), index ), sizeof( struct ws2_counts ), MADV_REMOVE );
    snprintf( name, sizeof( name ), WS2_KICK_SOCKET, index );
    unlinkat( server_directory, name, 0 );
    snprintf( name, sizeof( name ), WS2_TRACE_FILE, index );
    unlinkat( server_directory, name, 0 );
}

struct client *client_at( uint32_t index ) { return index < WS2_CLIENT_COUNT ? clients[index] : NULL; }
unsigned int clients_alive( void ) { return alive; }

struct client *client_of_windows_pid( uint32_t windows_pid )
{
    struct client *client;

    LIST_FOREACH( client, &by_windows_pid[windows_pid % PID_BUCKETS], in_pids )
    if ( client->windows_pid == windows_pid ) return client;
    return NULL;
}

struct client *client_of_process( const struct process *process, uint32_t windows_pid )
{
    struct client *client;

    LIST_FOREACH( client, &process->clients, in_process )
    if ( client->windows_pid == windows_pid ) return client;
    return NULL;
}

static struct client *create( struct process *process, uint32_t windows_pid, uint32_t index )
{
    struct ws2_client_record *record = ws2_table_clients( table_mapping() ) + index;
    struct client *client = calloc( 1, sizeof( *client ) );

    if ( !client ) return NULL;
    client->process = process;
    process->users++;
    process_charge( process, &process->held.clients, 1 );
    client->windows_pid = windows_pid;
    client->index = index;
    client->notice = client->cells = -1;
    clients[index] = client;
    LIST_INSERT_HEAD( &by_windows_pid[windows_pid % PID_BUCKETS], client, in_pids );
    LIST_INSERT_HEAD( &process->clients, client, in_process );
    alive++;
    atomic_store( &record->windows_pid, windows_pid );
    atomic_store( &record->start_time, process->start_time );
    atomic_store( &record->unix_pid, process->unix_pid );
    return client;
}

struct client *client_create( struct process *process, uint32_t windows_pid )
{
    if ( !process_may_take( process, &process->held.clients, 1, PROCESS_CLIENTS, WS2_CLIENT_COUNT - alive ) )
        return NULL;
    for ( uint32_t tried = 0; tried < WS2_CLIENT_COUNT; tried++ )
    {
        const uint32_t index = next_index;

        next_index = ( next_index + 1 ) % WS2_CLIENT_COUNT;
        if ( !clients[index] ) return create( process, windows_pid, index );
    }
    return NULL;
}

static void count_missing_targets( const struct client *client, int change )
{
    for ( unsigned int i = 0; i < WS2_TARGET_BITS; i++ )
        if ( client->targets_before >> i & 1 ) missing_targets[i] += change;
}

struct client *client_restore( struct process *process, uint32_t index )
{
    const struct ws2_client_record *record = ws2_table_clients( table_mapping() ) + index;
    struct client *client = create( process, atomic_load( &record->windows_pid ), index );

    if ( !client ) return NULL;
    /* a process that shared nothing has nothing to publish, and may be idle for ever */
    client->missing = atomic_load( &record->sharing ) != 0;
    if ( client->missing ) client->targets_before = atomic_load( &record->targets );
    count_missing_targets( client, 1 );
    return client;
}

void client_found( struct client *client )
{
    count_missing_targets( client, -1 );
    client->targets_before = 0;
    client->missing = 0;
    client_set_sharing( client );
}

int clients_missing_for( uint32_t windows_pid ) { return missing_targets[ws2_target_bit( windows_pid )] != 0; }

/* For a server that takes over: whether it must wait for this process, and for whom it may have tickets. One that has not
 * published all it holds is waited for by the server after this one too; and so is the source of a ticket that ended, until
 * it is told: who redeemed it may not have got the answer. */
void client_set_sharing( struct client *client )
{
    struct ws2_client_record *record = ws2_table_clients( table_mapping() ) + client->index;
    const uint64_t targets = client->targets_before | client->targets_now | client->targets_promised;

    if ( client->ended ) return;
    if ( atomic_load( &record->targets ) != targets ) atomic_store( &record->targets, targets );
    atomic_store( &record->sharing, client->holder_count + client->ticket_count + client->ahead_count +
                                        client->ended_count + client->missing );
}

void client_count_ticket( struct client *client, uint32_t target, int change )
{
    const unsigned int bit = ws2_target_bit( target );

    assert( change > 0 || ( client->ticket_count && client->targets[bit] ) );
    client->ticket_count += change;
    client->targets[bit] += change;
    if ( client->targets[bit] ) client->targets_now |= 1ull << bit;
    else client->targets_now &= ~( 1ull << bit );
    client_set_sharing( client );
}

static void drop_claim( struct client *client, const struct ended_ticket *ended )
{
    if ( !ended->unclaimed ) claim_drop( ended->slot, ended->generation, client );
}

void client_end( struct client *client )
{
    server_trace( "%u ends", client->windows_pid );
    client->ended = 1;
    /* who has tickets for it promised looks there */
    atomic_store( &ws2_table_clients( table_mapping() )[client->index].windows_pid, 0 );
    LIST_REMOVE( client, in_pids );
    LIST_REMOVE( client, in_process );
    count_missing_targets( client, -1 );
    client->targets_before = 0;
    if ( client->ended_count ) TAILQ_REMOVE( &to_tell, client, in_to_tell );
    for ( unsigned int i = 0; i < client->ended_count; i++ ) drop_claim( client, &client->ended_tickets[i] );
    client->ended_count = 0;
    free( client->ended_tickets );
    client->ended_tickets = NULL;
    if ( client->notice >= 0 ) close_later_consume( client->notice, client->process->closing );
    if ( client->cells >= 0 ) close_later_consume( client->cells, client->process->closing );
    client->notice = client->cells = -1;
    process_check_watch( client->process );
}

void client_free( struct client *client )
{
    assert( client->ended && clients[client->index] == client && alive );
    assert( LIST_EMPTY( &client->holders ) && LIST_EMPTY( &client->doubted ) && LIST_EMPTY( &client->tickets ) &&
            LIST_EMPTY( &client->promised ) && LIST_EMPTY( &client->aimed ) && LIST_EMPTY( &client->watches ) &&
            LIST_EMPTY( &client->taken ) && LIST_EMPTY( &client->taken_doubted ) && !client->first_awaited );
    clients[client->index] = NULL;
    client_clear_record( client->index );
    process_charge( client->process, &client->process->held.clients, -1 );
    process_put( client->process );
    alive--;
    free( client );
}

/* Written into memory that only grows with whoever gave it: sealed, so that writing cannot fail for want of a file. */
int client_set_cells_consume( struct client *client, int fd )
{
    const int needed = F_SEAL_SHRINK | F_SEAL_GROW;
    struct statfs file_system;
    struct stat st;

    if ( ( fcntl( fd, F_GET_SEALS ) & ( needed | F_SEAL_WRITE ) ) != needed || fstat( fd, &st ) < 0 ||
         st.st_size != WS2_CELLS * sizeof( uint32_t ) || fstatfs( fd, &file_system ) < 0 ||
         file_system.f_type != TMPFS_MAGIC )
    {
        close_later_consume( fd, client->process->closing );
        return 0;
    }
    if ( client->cells >= 0 ) close_later_consume( client->cells, client->process->closing );
    client->cells = fd;
    return 1;
}

/* Told when the current event is done, after the reply that redeemed the ticket: were it the other way round, a server
 * that dies in between would leave the ticket with nobody. */
void client_tell_ended( struct client *client, const struct ended_ticket *ended )
{
    if ( client->ended || ( client->notice < 0 && client->cells < 0 ) )
    {
        drop_claim( client, ended );
        return;
    }
    if ( client->ended_count == client->ended_size )
    {
        const unsigned int size = client->ended_size ? 2 * client->ended_size : 16;
        struct ended_ticket *more = realloc( client->ended_tickets, size * sizeof( *more ) );

        if ( !more )
        {
            drop_claim( client, ended );
            return;
        }
        client->ended_tickets = more;
        client->ended_size = size;
    }
    if ( !client->ended_count ) TAILQ_INSERT_TAIL( &to_tell, client, in_to_tell );
    client->ended_tickets[client->ended_count++] = *ended;
    if ( ended->quiet ) client->quiet = 1;
}

void client_has_closed( struct client *client )
{
    if ( !client->quiet ) return;
    client->quiet = 0;
    client_tell_ended( client, &( struct ended_ticket ){ .cell = WS2_CELLS, .unclaimed = 1 } );
}

/* The cell is what counts; the notice makes its reader look, and one that does not fit is not missed: there are others that
 * have not been read. */
static int tell( const struct client *client, const struct ended_ticket *ended )
{
    if ( client->cells >= 0 && ended->cell < WS2_CELLS &&
         pwrite( client->cells, &ended->number, sizeof( ended->number ), ended->cell * sizeof( ended->number ) ) < 0 &&
         ( errno == ENOSPC || errno == ENOMEM || errno == EINTR ) )
        return 0;
    if ( client->notice >= 0 && !ended->quiet )
        send( client->notice, &ended->number, sizeof( ended->number ), MSG_DONTWAIT | MSG_NOSIGNAL );
    return 1;
}

int clients_to_tell( void ) { return !TAILQ_EMPTY( &to_tell ); }

void clients_tell_ended( void )
{
    struct client *client, *next;

    for ( client = TAILQ_FIRST( &to_tell ); client; client = next )
    {
        unsigned int told = 0;

        next = TAILQ_NEXT( client, in_to_tell );
        while ( told < client->ended_count && tell( client, &client->ended_tickets[told] ) )
            drop_claim( client, &client->ended_tickets[told++] );
        client->ended_count -= told;
        memmove( client->ended_tickets, client->ended_tickets + told,
                 client->ended_count * sizeof( *client->ended_tickets ) );
        client_set_sharing( client );
        if ( !client->ended_count ) TAILQ_REMOVE( &to_tell, client, in_to_tell );
    }
}
