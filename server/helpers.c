/*
 * Helpers: what a shared datagram socket has beside its own host socket, kept for whoever opens or adopts it. First comes
 * the epoll that all of them are in, and then the helpers; the clients know them by their place, which never changes, and by
 * how many there are, which stands in the slot. Of a stream socket it is the host socket that has taken the place of the one
 * that the holders have, alone, which they know by the cookie in the slot.
 *
 * They are charged to the process that brought the first, and go with the share.
 */
#include <stdlib.h>
#include "server.h"
#include "ws2host/winsock_codes.h"

struct helpers
{
    struct process *process; /* that they are charged to */
    uint32_t count;
    int fds[]; /* WS2_HELPERS_MOST; -1 where one has not been published again */
};

static unsigned int kept;

static unsigned int room_for_helpers( void )
{
    const unsigned int all = process_descriptor_share( HELPER_PART );

    return all > kept ? all - kept : 0;
}

static int may_keep( const struct process *process, uint32_t place )
{
    return place < WS2_HELPERS_MOST && process_may_take( process, &process->held.helpers, PROCESS_HELPERS_ALWAYS,
                                                         PROCESS_HELPERS, room_for_helpers() );
}

static struct helpers *helpers_create( struct process *process )
{
    struct helpers *helpers = malloc( sizeof( *helpers ) + WS2_HELPERS_MOST * sizeof( int ) );

    if ( !helpers ) return NULL;
    helpers->process = process;
    helpers->process->users++;
    helpers->count = 0;
    return helpers;
}

/* How many there are by the table, which a server before this one may have written. */
static uint32_t helpers_counted( const struct share *share )
{
    const struct ws2_slot *slot = ws2_table_slot( table_mapping(), share->slot );
    const uint32_t count = ws2_slot_helpers( slot );

    return share->claimants && count <= WS2_HELPERS_MOST ? count : 0;
}

/* The place is free. */
static int32_t keep_consume( struct share *share, struct process *process, uint32_t place, int fd )
{
    struct helpers *helpers = share->helpers;

    if ( !may_keep( helpers ? helpers->process : process, place ) ||
         ( !helpers && !( helpers = share->helpers = helpers_create( process ) ) ) )
    {
        close_later_consume( fd, process->closing );
        return WSAENOBUFS;
    }
    while ( helpers->count <= place ) helpers->fds[helpers->count++] = -1;
    helpers->fds[place] = fd;
    process_charge( helpers->process, &helpers->process->held.helpers, 1 );
    kept++;
    return 0;
}

int32_t helpers_add_consume( struct share *share, struct process *process, uint32_t place, int fd, uint32_t *result )
{
    const uint32_t counted = helpers_counted( share );
    const struct helpers *helpers = share->helpers;
    const uint32_t count = helpers ? helpers->count : 0;
    int32_t error;

    if ( place == WS2_NO_INDEX ) place = count > counted ? count : counted;
    *result = place;
    if ( place < count && helpers->fds[place] >= 0 )
    {
        close_later_consume( fd, process->closing );
        return WSAEALREADY;
    }
    if ( ( error = keep_consume( share, process, place, fd ) ) ) return error;
    if ( share->helpers->count > counted )
        ws2_slot_set_helpers( ws2_table_slot( table_mapping(), share->slot ), share->helpers->count );
    return 0;
}

int32_t helpers_replace_consume( struct share *share, struct process *process, int fd )
{
    struct helpers *helpers = share->helpers;

    if ( !helpers || !helpers->count || helpers->fds[0] < 0 ) return keep_consume( share, process, 0, fd );
    close_later_consume( helpers->fds[0], process->closing );
    helpers->fds[0] = fd;
    return 0;
}

int32_t helpers_find( const struct share *share, uint32_t place, int *fd )
{
    const struct helpers *helpers = share->helpers;

    *fd = helpers && place < helpers->count ? helpers->fds[place] : -1;
    if ( *fd >= 0 ) return 0;
    if ( share->claimants ) return WSAEWOULDBLOCK;
    return helpers && place < helpers->count ? WSAENOTSOCK : WSAEINVAL;
}

void helpers_free( struct share *share )
{
    struct helpers *helpers = share->helpers;

    if ( !helpers ) return;
    for ( uint32_t i = 0; i < helpers->count; i++ )
    {
        if ( helpers->fds[i] < 0 ) continue;
        close_later_consume( helpers->fds[i], helpers->process->closing );
        process_charge( helpers->process, &helpers->process->held.helpers, -1 );
        kept--;
    }
    process_put( helpers->process );
    free( helpers );
    share->helpers = NULL;
}
