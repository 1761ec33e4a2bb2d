/*
 * What shared datagram sockets of this process have beside their own host sockets (WS2_HELPER): the epoll of each set and
 * its helpers, one record for each socket, however many descriptors and open tickets of it the process has. All of it is
 * published to a server that takes over. What has taken a stream socket's place (WS2_REPLACE) the server is only told of; to the
 * next one it is published with the descriptors.
 *
 * The sets are guarded by connection's mutex.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <unistd.h>
#include "base/host_trace.h"
#include "client/client_private.h"
#include "ws2host/winsock_codes.h"

#define BUCKETS 64

struct helper_set
{
    LIST_ENTRY( helper_set ) entry;
    uint32_t slot, generation, users, count;
    int fds[WS2_HELPERS_MOST]; /* -1: nobody has it any more, or not known yet */
};

static LIST_HEAD(, helper_set ) sets[BUCKETS];

static struct helper_set *find( uint32_t slot, uint32_t generation )
{
    struct helper_set *set;

    LIST_FOREACH( set, &sets[slot % BUCKETS], entry )
    if ( set->slot == slot && set->generation == generation ) return set;
    return NULL;
}

static void store( struct helper_set *set, uint32_t place, int fd )
{
    while ( set->count <= place ) set->fds[set->count++] = -1;
    if ( set->fds[place] >= 0 ) close( fd );
    else set->fds[place] = fd;
}

int helper_sets_ref( uint32_t slot, uint32_t generation )
{
    struct helper_set *set = find( slot, generation );

    return set && ++set->users;
}

void helper_sets_unref( uint32_t slot, uint32_t generation )
{
    struct helper_set *set = find( slot, generation );

    if ( !set || --set->users ) return;
    LIST_REMOVE( set, entry );
    for ( uint32_t i = 0; i < set->count; i++ )
        if ( set->fds[i] >= 0 ) close( set->fds[i] );
    free( set );
}

void helper_sets_follow( const struct ws2_request *request, const struct ws2_reply *reply, int fd )
{
    struct helper_set *set;

    if ( request->type != WS2_HELPER || reply->error || reply->index >= WS2_HELPERS_MOST ) return;
    if ( ( set = find( request->slot, request->generation ) ) ) store( set, reply->index, fd );
}

void helper_sets_publish( void )
{
    struct helper_set *set;
    struct ws2_reply reply;

    for ( unsigned int i = 0; i < BUCKETS; i++ ) LIST_FOREACH( set, &sets[i], entry )
    for ( uint32_t place = 0; place < set->count; place++ )
    {
        struct ws2_request request = {
            .type = WS2_HELPER, .slot = set->slot, .generation = set->generation, .flags = 1 + place
        };

        if ( set->fds[place] >= 0 && connection_publish_request( &request, set->fds[place], &reply ) ) return;
    }
}

int32_t helper_set_open( uint32_t slot, uint32_t generation )
{
    struct helper_set *set;
    sigset_t before;

    connection_lock( &before );
    if ( ( set = find( slot, generation ) ) ) set->users++;
    else if ( ( set = malloc( sizeof( *set ) ) ) )
    {
        set->slot = slot;
        set->generation = generation;
        set->users = 1;
        set->count = 0;
        LIST_INSERT_HEAD( &sets[slot % BUCKETS], set, entry );
    }
    connection_unlock( &before );
    return set ? 0 : WSAENOBUFS;
}

void helper_set_close( uint32_t slot, uint32_t generation )
{
    sigset_t before;

    connection_lock( &before );
    helper_sets_unref( slot, generation );
    connection_unlock( &before );
}

int32_t helper_set_share( uint32_t slot, uint32_t generation, uint32_t handle, int fd )
{
    struct ws2_request request = { .type = WS2_SHARE, .slot = slot, .generation = generation, .handle = handle };
    struct ws2_reply reply;

    return connection_request( &request, fd, &reply, NULL );
}

int32_t helper_set_add_consume( uint32_t slot, uint32_t generation, uint32_t place, int fd, uint32_t *result )
{
    struct ws2_request request = {
        .type = WS2_HELPER, .slot = slot, .generation = generation, .flags = place == WS2_NO_INDEX ? 0 : 1 + place
    };
    struct ws2_reply reply;
    int32_t error = connection_request( &request, fd, &reply, NULL );

    if ( !error && reply.index >= WS2_HELPERS_MOST ) error = WSAENETDOWN;
    if ( error ) close( fd );
    *result = reply.index;
    return error;
}

int32_t helper_set_get( uint32_t slot, uint32_t generation, uint32_t place, int *fd )
{
    struct ws2_request request = { .type = WS2_FETCH, .slot = slot, .generation = generation, .flags = place };
    struct helper_set *set;
    struct ws2_reply reply;
    sigset_t before;
    int32_t error;

    *fd = -1;
    if ( place >= WS2_HELPERS_MOST ) return WSAEINVAL;
    connection_lock( &before );
    if ( ( set = find( slot, generation ) ) && place < set->count ) *fd = set->fds[place];
    connection_unlock( &before );
    if ( *fd >= 0 ) return 0;
    if ( ( error = connection_request( &request, -1, &reply, fd ) ) )
    {
        if ( *fd >= 0 ) close( *fd );
        *fd = -1;
        return error;
    }
    if ( *fd < 0 ) return WSAEMFILE;
    connection_lock( &before );
    if ( ( set = find( slot, generation ) ) )
    {
        store( set, place, *fd );
        *fd = set->fds[place];
    }
    else
    {
        close( *fd );
        *fd = -1;
    }
    connection_unlock( &before );
    return *fd < 0 ? WSAENOTSOCK : 0;
}

/* --- another host socket in a stream socket's place ------------------------------------------------------------------------*/

/* What could not be told at once. */
struct replaced
{
    struct replaced *next;
    struct ws2_request request;
    int fd;
};

static _Atomic( struct replaced * ) untold;

static void tell_later_dup( const struct ws2_request *request, int fd )
{
    struct replaced *replaced = malloc( sizeof( *replaced ) );

    if ( !replaced || ( fd = fcntl( fd, F_DUPFD_CLOEXEC, 0 ) ) < 0 )
    {
        host_trace( "no room to tell of slot %u's other host socket", request->slot );
        free( replaced );
        return;
    }
    *replaced = ( struct replaced ){ .request = *request, .fd = fd };
    replaced->next = atomic_load( &untold );
    while ( !atomic_compare_exchange_weak( &untold, &replaced->next, replaced ) ) continue;
    connection_tell_late();
}

void helper_sets_tell_late( void )
{
    struct replaced *replaced = atomic_exchange( &untold, NULL ), *next;

    /* in whatever order: of several the server takes the one that the slot names */
    for ( ; replaced; replaced = next )
    {
        struct ws2_reply reply;

        next = replaced->next;
        connection_request( &replaced->request, replaced->fd, &reply, NULL );
        close( replaced->fd );
        free( replaced );
    }
}

void connection_replace( uint32_t slot, uint32_t generation, int fd )
{
    const struct ws2_request request = { .type = WS2_REPLACE, .slot = slot, .generation = generation };

    if ( !connection_tell_now( &request, fd ) ) tell_later_dup( &request, fd );
}

int connection_replaced( uint32_t slot, uint32_t generation )
{
    struct ws2_request request = { .type = WS2_FETCH, .slot = slot, .generation = generation };
    struct ws2_reply reply;
    int fd = -1;

    if ( !connection_request( &request, -1, &reply, &fd ) || fd < 0 ) return fd;
    close( fd );
    return -1;
}
