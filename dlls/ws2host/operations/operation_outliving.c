/*
 * Requests that outlive their handle: the descriptor has been closed, the socket lives on in another process only, and who
 * waits by an event or a routine is told as if nothing had happened. (What a completion port alone is told of ends with the
 * last handle of the process.) The descriptor stays behind the requests, in no table.
 *
 * With the last handle anywhere they end. Nobody tells this process of that: while there are such descriptors, the I/O loop
 * looks at their slots' counts from time to time.
 */
#include <stdlib.h>
#include <sys/queue.h>
#include "base/io_loop.h"
#include "base/owner_lock.h"
#include "operations/operation_private.h"

#define TICK 100 /* ms */

struct outliving
{
    LIST_ENTRY( outliving ) entry;
    struct descriptor *descriptor; /* counted */
    uint32_t ( *end )( struct descriptor *descriptor );
};

static LIST_HEAD(, outliving ) all;
static owner_lock lock;
static _Atomic uint32_t count;

int operation_outlives( struct descriptor *d, uint32_t ( *end )( struct descriptor *descriptor ) )
{
    struct outliving *outliving = malloc( sizeof( *outliving ) );

    if ( !outliving ) return 0;
    descriptor_ref( d, 1 );
    outliving->descriptor = d;
    outliving->end = end;
    owner_lock_take( &lock );
    LIST_INSERT_HEAD( &all, outliving, entry );
    atomic_fetch_add( &count, 1 );
    owner_lock_give( &lock );
    io_loop_wake();
    return 1;
}

int operation_outliving_timeout( void ) { return atomic_load( &count ) ? TICK : -1; }

uint32_t operation_outliving_each( uint32_t ( *function )( struct descriptor *d, const void *context ),
                                   const void *context )
{
    struct outliving *outliving;
    uint32_t sum = 0;

    if ( !atomic_load( &count ) ) return 0;
    owner_lock_take( &lock );
    LIST_FOREACH( outliving, &all, entry )
    sum += function( outliving->descriptor, context );
    owner_lock_give( &lock );
    return sum;
}

/* Requests wait, in its queues or, of a listener, in those of acceptors that have their connection: of these each counts it; of
 * an acceptor, in the listener's. */
static int has_requests( const struct descriptor *d )
{
    return descriptor_has_requests( d ) || atomic_load( &d->queues.accepting ) ||
           ( ( descriptor_flags( d ) & WS2_FLAG_LISTENING ) && atomic_load( &d->users ) > 1 );
}

/* All that the server counts of the socket are such as are here. */
static int is_last( const struct descriptor *d )
{
    const struct outliving *other;
    uint32_t own = 0;

    LIST_FOREACH( other, &all, entry )
    own += descriptor_is_same( d, other->descriptor );
    return atomic_load( &d->slot->descriptors ) <= own;
}

/* One whose requests are over, or are to be; NULL for none. */
static struct outliving *take_one( int *ends )
{
    struct outliving *outliving;

    owner_lock_take( &lock );
    LIST_FOREACH( outliving, &all, entry )
    {
        *ends = has_requests( outliving->descriptor );
        if ( *ends && !is_last( outliving->descriptor ) ) continue;
        LIST_REMOVE( outliving, entry );
        atomic_fetch_sub( &count, 1 );
        break;
    }
    owner_lock_give( &lock );
    return outliving;
}

void operation_outliving_turn( struct io_turn *turn )
{
    struct outliving *outliving;
    int ends;

    (void)turn;
    if ( atomic_load( &count ) ) connection_settle_counts();
    while ( atomic_load( &count ) && ( outliving = take_one( &ends ) ) )
    {
        if ( ends && outliving->end( outliving->descriptor ) ) io_loop_wake();
        descriptor_release( outliving->descriptor );
        free( outliving );
    }
}
