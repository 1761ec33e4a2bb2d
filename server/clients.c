/*
 * Clients: the processes of the table, one record each.
 *
 * Their indexes are those of the client directory in the table. An observer (ws2ctl) has no index. A process that a
 * server before this one knew has a record without a connection until it comes back or its pidfd says that it ended.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "server.h"
#include "ws2host/winsock_codes.h"

#define PID_BUCKETS 1024u

LIST_HEAD( pid_list, client );
static struct client *clients[WS2_CLIENT_COUNT];
static struct pid_list by_windows_pid[PID_BUCKETS];
static TAILQ_HEAD(, client ) to_tell = TAILQ_HEAD_INITIALIZER( to_tell );
static unsigned int connections, next_index;
static unsigned int absent;       /* processes of the table that have not come back yet */
static int server_directory = -1; /* borrowed */

void client_set_directory( int directory ) { server_directory = directory; }

/* What is left of a process outside this server's memory: its record, and the socket on which it was kicked
 * (dlls/ws2host/client/event_kick.h) if it had one. */
void client_clear_record( uint32_t index )
{
    struct ws2_client_record *record = ws2_table_clients( table_mapping() ) + index;
    char name[32];

    atomic_store( &record->unix_pid, 0 );
    atomic_store( &record->windows_pid, 0 );
    atomic_store( &record->start_time, 0 );
    atomic_store( &record->sharing, 0 );
    snprintf( name, sizeof( name ), WS2_KICK_SOCKET, index );
    unlinkat( server_directory, name, 0 );
}

struct client *client_at( uint32_t index ) { return index < WS2_CLIENT_COUNT ? clients[index] : NULL; }
unsigned int clients_connected( void ) { return connections; }

struct client *client_of_windows_pid( uint32_t windows_pid )
{
    struct client *client;

    LIST_FOREACH( client, &by_windows_pid[windows_pid % PID_BUCKETS], in_pids )
    if ( client->windows_pid == windows_pid && !client->dropped ) return client;
    return NULL;
}

/* Field 22 of /proc/PID/stat: tells a process from a later one with the same number. */
uint64_t process_start_time( pid_t pid )
{
    char path[32], text[1024], *field;
    ssize_t size;
    int fd;

    snprintf( path, sizeof( path ), "/proc/%d/stat", (int)pid );
    if ( ( fd = open( path, O_RDONLY | O_CLOEXEC ) ) < 0 ) return 0;
    size = read( fd, text, sizeof( text ) - 1 );
    close( fd );
    if ( size <= 0 ) return 0;
    text[size] = 0;
    /* the second field is the name in parentheses, which may hold anything */
    if ( !( field = strrchr( text, ')' ) ) ) return 0;
    for ( int i = 2; i < 22 && field; i++ ) field = strchr( field + 1, ' ' );
    return field ? strtoull( field + 1, NULL, 10 ) : 0;
}

struct client *client_create( int fd, pid_t pid )
{
    struct client *client = calloc( 1, sizeof( *client ) );

    if ( client && !( client->process = process_get( pid ) ) )
    {
        free( client );
        client = NULL;
    }
    if ( !client ) return NULL;
    client->process->connections++;
    client->fd = fd;
    client->pidfd = client->notice = -1;
    client->index = WS2_NO_INDEX;
    client->unix_pid = pid;
    /* without an identity it is listed with the observers */
    LIST_INSERT_HEAD( &by_windows_pid[0], client, in_pids );
    connections++;
    return client;
}

void client_free( struct client *client )
{
    client->process->connections--;
    process_put( client->process );
    free( client );
}

static void set_record( struct client *client )
{
    struct ws2_client_record *record = ws2_table_clients( table_mapping() ) + client->index;

    atomic_store( &record->windows_pid, client->windows_pid );
    atomic_store( &record->start_time, client->start_time );
    atomic_store( &record->unix_pid, client->unix_pid );
}

/* For a server that takes over: whether it must wait for this process. One that has not published all it holds is waited
 * for by the server after this one too; and so is the source of a ticket that ended, until it is told: who redeemed it may
 * not have got the answer. */
void client_set_sharing( struct client *client )
{
    if ( client->index == WS2_NO_INDEX || client->dropped ) return;
    atomic_store( &ws2_table_clients( table_mapping() )[client->index].sharing,
                  client->holder_count + client->ticket_count + client->ended_count + client->missing );
}

/* A process that the table knows and that has come back takes its record over. */
static void client_resume( struct client *client, struct client *before )
{
    struct holder *holder;

    client->index = before->index;
    clients[client->index] = client;
    while ( ( holder = LIST_FIRST( &before->holders ) ) )
    {
        LIST_REMOVE( holder, in_client );
        LIST_INSERT_HEAD( &client->holders, holder, in_client );
        holder->client = client;
    }
    client->holder_count = before->holder_count;
    client->resuming = 1;
    client->missing = before->missing;
    absent--;
    LIST_REMOVE( before, in_pids );
    loop_remove( before->pidfd );
    close( before->pidfd );
    connections--;
    client_free( before );
}

int32_t client_greet( struct client *client, uint32_t windows_pid )
{
    struct client *before = NULL;

    client->windows_pid = windows_pid;
    client->greeted = 1;
    if ( !windows_pid ) return 0;
    client->start_time = process_start_time( client->unix_pid );
    for ( uint32_t i = 0; absent && i < WS2_CLIENT_COUNT && !before; i++ )
        if ( clients[i] && clients[i]->fd < 0 && clients[i]->unix_pid == client->unix_pid &&
             clients[i]->start_time == client->start_time )
            before = clients[i];
    if ( before ) client_resume( client, before );
    else
    {
        uint32_t tried = 0;

        while ( tried < WS2_CLIENT_COUNT && clients[next_index] )
        {
            next_index = ( next_index + 1 ) % WS2_CLIENT_COUNT;
            tried++;
        }
        if ( tried == WS2_CLIENT_COUNT ) return WSAENOBUFS;
        client->index = next_index;
        clients[next_index] = client;
        next_index = ( next_index + 1 ) % WS2_CLIENT_COUNT;
    }
    LIST_REMOVE( client, in_pids );
    LIST_INSERT_HEAD( &by_windows_pid[windows_pid % PID_BUCKETS], client, in_pids );
    set_record( client );
    return 0;
}

void client_remove( struct client *client )
{
    connections--;
    LIST_REMOVE( client, in_pids );
    if ( client->fd < 0 ) absent--;
    if ( client->notice >= 0 ) close( client->notice );
    if ( client->ended_count ) TAILQ_REMOVE( &to_tell, client, in_to_tell );
    client->ended_count = 0;
    free( client->ended );
    client->ended = NULL;
    client->notice = -1;
    if ( client->index == WS2_NO_INDEX ) return;
    clients[client->index] = NULL;
    client_clear_record( client->index );
}

struct client *client_restore( uint32_t index, pid_t unix_pid, uint32_t windows_pid, uint64_t start_time,
                               void ( *death )( struct source *source, uint32_t events ) )
{
    struct client *client = client_create( -1, unix_pid );

    if ( !client ) return NULL;
    client->death.ready = death;
    client->pidfd = syscall( SYS_pidfd_open, unix_pid, 0 );
    if ( client->pidfd < 0 || loop_add( &client->death, client->pidfd, EPOLLIN ) < 0 )
    {
        if ( client->pidfd >= 0 ) close( client->pidfd );
        LIST_REMOVE( client, in_pids );
        connections--;
        client_free( client );
        return NULL;
    }
    client->index = index;
    client->windows_pid = windows_pid;
    client->start_time = start_time;
    absent++;
    clients[index] = client;
    LIST_REMOVE( client, in_pids );
    LIST_INSERT_HEAD( &by_windows_pid[windows_pid % PID_BUCKETS], client, in_pids );
    return client;
}

static void flush_ended( struct client *client )
{
    const ssize_t sent = send( client->notice, client->ended, client->ended_count * sizeof( *client->ended ),
                               MSG_DONTWAIT | MSG_NOSIGNAL );
    const unsigned int count = sent > 0 ? sent / sizeof( *client->ended ) : 0;

    client->ended_count -= count;
    memmove( client->ended, client->ended + count, client->ended_count * sizeof( *client->ended ) );
    client_set_sharing( client );
}

/* Told when the current event is done, after the reply that redeemed the ticket: were it the other way round, a server
 * that dies in between would leave the ticket with nobody. */
void client_tell_ended( struct client *client, uint32_t ticket )
{
    if ( client->notice < 0 || client->dropped ) return;
    if ( !client->ended && !( client->ended = calloc( CLIENT_ENDED, sizeof( *client->ended ) ) ) ) return;
    if ( client->ended_count == CLIENT_ENDED ) return;
    if ( !client->ended_count ) TAILQ_INSERT_TAIL( &to_tell, client, in_to_tell );
    client->ended[client->ended_count++] = ticket;
}

int clients_to_tell( void ) { return !TAILQ_EMPTY( &to_tell ); }

void clients_tell_ended( void )
{
    struct client *client, *next;

    for ( client = TAILQ_FIRST( &to_tell ); client; client = next )
    {
        next = TAILQ_NEXT( client, in_to_tell );
        flush_ended( client );
        if ( !client->ended_count ) TAILQ_REMOVE( &to_tell, client, in_to_tell );
    }
}
