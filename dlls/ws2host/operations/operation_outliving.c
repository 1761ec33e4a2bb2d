/*
 * Requests that outlive their handle: the descriptor has been closed, the socket lives on in another process only, and who
 * waits by an event or a routine is told as if nothing had happened. (What a completion port alone is told of ends with the
 * last handle of the process.) The descriptor stays behind the requests, in no table.
 *
 * With the last handle anywhere they end. Nobody tells this process of that: while there are such descriptors, the I/O loop
 * looks at their slots' counts from time to time.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include "base/io_loop.h"
#include "base/owner_lock.h"
#include "operations/operation_private.h"

#define TICK 100 /* ms */

struct outliving
{
    struct outliving *_Atomic next;
    struct descriptor *descriptor; /* counted */
    uint32_t ( *end )( struct descriptor *descriptor );
};

static struct outliving *_Atomic all; /* one store puts it in, and one takes it out */
static owner_lock lock;

int operation_outlives( struct descriptor *d, uint32_t ( *end )( struct descriptor *descriptor ) )
{
    struct outliving *outliving = malloc( sizeof( *outliving ) );

    if ( !outliving ) return 0;
    descriptor_ref( d, 1 );
    outliving->descriptor = d;
    outliving->end = end;
    owner_lock_take( &lock );
    outliving->next = all;
    all = outliving;
    owner_lock_give( &lock );
    io_loop_wake();
    return 1;
}

int operation_outliving_timeout( void ) { return all ? TICK : -1; }

uint32_t operation_outliving_each( uint32_t ( *function )( struct descriptor *d, const void *context ),
                                   const void *context )
{
    uint32_t sum = 0;

    if ( !all ) return 0;
    owner_lock_take( &lock );
    for ( const struct outliving *outliving = all; outliving; outliving = outliving->next )
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
    uint32_t own = 0;

    for ( const struct outliving *other = all; other; other = other->next )
        own += descriptor_is_same( d, other->descriptor );
    return atomic_load( &d->slot->descriptors ) <= own;
}

/* One whose requests are over, or are to be; NULL for none. */
static struct outliving *take_one( int *ends )
{
    struct outliving *_Atomic *link = &all, *outliving;

    owner_lock_take( &lock );
    for ( ; ( outliving = *link ); link = &outliving->next )
    {
        *ends = has_requests( outliving->descriptor );
        if ( *ends && !is_last( outliving->descriptor ) ) continue;
        *link = outliving->next;
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
    if ( all ) connection_settle_counts();
    while ( all && ( outliving = take_one( &ends ) ) )
    {
        if ( ends && outliving->end( outliving->descriptor ) ) io_loop_wake();
        descriptor_release( outliving->descriptor );
        free( outliving );
    }
}
