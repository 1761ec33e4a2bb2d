/*
 * Nodes in the server directory that are not the server's: the sockets on which processes are kicked, and those to which
 * AF_UNIX sockets of programs are bound. Somebody may take the directory away; the sockets are there still, and the processes
 * keep a descriptor of each node (dlls/ws2host/client/event_kick.c, dlls/ws2host/sockets/local_keep.c). A link to that, in the
 * directory that the server has made again, does what the node did.
 *
 * They are found among the processes' descriptors, some at a time, and only when something is known to be missing.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "server.h"

#define STEP 64 /* descriptors, or processes without any */

static int server_directory = -1; /* borrowed */
static struct
{
    struct work work;
    uint32_t next, index; /* of clients */
    DIR *descriptors;
    pid_t pid;
    unsigned char running;
} search;

void nodes_set_directory( int directory ) { server_directory = directory; }

/* The node's name when that is what the descriptor is of. */
static const char *node_of( int descriptors, const char *number, char *target, size_t size )
{
    const ssize_t length = readlinkat( descriptors, number, target, size - 1 );
    unsigned long long node;
    unsigned int index = 0;
    struct stat st;
    char *name;
    int end = 0;

    if ( length <= 0 ) return NULL;
    target[length] = 0;
    if ( target[0] != '/' || !( name = strrchr( target, '/' ) ) ) return NULL;
    name++;
    if ( ( sscanf( name, "local-%16llx%n", &node, &end ) != 1 || end != 22 ) &&
         ( end = 0, sscanf( name, WS2_KICK_SOCKET "%n", &index, &end ) != 1 ) )
        return NULL;
    if ( !end || ( name[0] == 'k' && index != search.index ) || ( name[end] && strcmp( name + end, " (deleted)" ) ) )
        return NULL;
    name[end] = 0;
    return !fstatat( descriptors, number, &st, 0 ) && S_ISSOCK( st.st_mode ) ? name : NULL;
}

static void remake( const char *number )
{
    char target[4096 + 16], path[64];
    const char *name = node_of( dirfd( search.descriptors ), number, target, sizeof( target ) );

    if ( !name ) return;
    snprintf( path, sizeof( path ), "/proc/%d/fd/%s", (int)search.pid, number );
    /* one that is there is not touched */
    if ( symlinkat( path, server_directory, name ) < 0 ) return;
}

static int step( struct work *work )
{
    (void)work;
    for ( int i = 0; i < STEP; i++ )
    {
        const struct dirent *entry;

        if ( search.descriptors )
        {
            if ( ( entry = readdir( search.descriptors ) ) )
            {
                remake( entry->d_name );
                continue;
            }
            closedir( search.descriptors );
            search.descriptors = NULL;
        }
        for ( uint32_t end = search.next + 1024; search.next < end && search.next < WS2_CLIENT_COUNT; )
        {
            const struct client *client = client_at( search.next++ );
            char path[32];

            if ( !client || client->ended ) continue;
            search.pid = client->process->unix_pid;
            search.index = client->index;
            snprintf( path, sizeof( path ), "/proc/%d/fd", (int)search.pid );
            search.descriptors = opendir( path );
            break;
        }
        if ( !search.descriptors && search.next >= WS2_CLIENT_COUNT ) return search.running = 0;
    }
    return 1;
}

void nodes_remake( void )
{
    search.next = 0;
    if ( search.running ) return;
    search.running = 1;
    search.work.step = step;
    work_begin( &search.work );
}

int node_is_missed( const char *name )
{
    const struct client *client;
    unsigned int index;
    int end = 0;

    if ( sscanf( name, WS2_KICK_SOCKET "%n", &index, &end ) != 1 || name[end] ) return 0;
    client = client_at( index );
    return client && !client->ended;
}
