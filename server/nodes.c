/*
 * Nodes in the server directory that are not the server's: the sockets on which processes are kicked, and those to which
 * AF_UNIX sockets of programs are bound. Somebody may take the directory away; the sockets are there still, and the processes
 * keep a descriptor of each node (dlls/ws2host/client/event_kick.c, dlls/ws2host/sockets/local_keep.c). A link to that, in the
 * directory that the server has made again, does what the node did.
 *
 * They are found among the processes' descriptors, some at a time, and only when something is known to be missing; the
 * next such search waits, however often something goes.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "server.h"

#define STEP 64          /* descriptors, or processes without any */
#define REST 1000u       /* ms between searches at least */
#define PART_OF_TIME 10u /* that searches may take */

static int server_directory = -1; /* borrowed */
static struct
{
    struct work work;
    uint32_t next, index; /* of clients */
    DIR *descriptors;
    pid_t pid;
    uint64_t begun, next_at;
    unsigned char running, wanted;
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

static int end_search( void )
{
    const uint64_t now = loop_now(), rest = PART_OF_TIME * ( now - search.begun );

    search.next_at = now + ( rest > REST ? rest : REST );
    return search.running = 0;
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
        if ( !search.descriptors && search.next >= WS2_CLIENT_COUNT ) return end_search();
    }
    return 1;
}

void nodes_remake( void )
{
    search.wanted = 1;
    nodes_run();
}

uint64_t nodes_deadline( void ) { return search.wanted && !search.running ? search.next_at : 0; }

void nodes_run( void )
{
    if ( !search.wanted || search.running || loop_now() < search.next_at ) return;
    search.wanted = 0;
    search.next = 0;
    search.begun = loop_now();
    search.running = 1;
    search.work.step = step;
    work_begin( &search.work );
}

void node_deleted( const char *name )
{
    const struct client *client;
    unsigned long long number;
    unsigned int index;
    int end = 0;

    if ( sscanf( name, "local-%16llx%n", &number, &end ) == 1 && end == 22 && !name[end] )
    {
        /* perhaps by its process, which is about to make it again, or with those that have ended, when many have gathered */
        const uint64_t later = loop_now() + REST;

        if ( !search.wanted && search.next_at < later ) search.next_at = later;
        search.wanted = 1;
    }
    else if ( end = 0, sscanf( name, WS2_KICK_SOCKET "%n", &index, &end ) == 1 && !name[end] )
    {
        client = client_at( index );
        if ( client && !client->ended ) nodes_remake();
    }
}
