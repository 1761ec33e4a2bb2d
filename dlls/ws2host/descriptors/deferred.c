/* Deferred connections: see deferred.h. Any thread. */
#include "descriptors/deferred.h"

void deferred_put_consume( struct descriptor *listener, struct descriptor *d )
{
    d->next_deferred = atomic_load( &listener->deferred );
    while ( !atomic_compare_exchange_weak( &listener->deferred, &d->next_deferred, d ) ) continue;
    descriptor_changed();
}

/* The list is taken as a whole, and what is left of it goes back. */
struct descriptor *deferred_take( struct descriptor *listener )
{
    struct descriptor *first, *rest, *last;

    if ( !atomic_load_explicit( &listener->deferred, memory_order_relaxed ) ) return NULL;
    if ( !( first = atomic_exchange( &listener->deferred, NULL ) ) ) return NULL;
    if ( !( rest = first->next_deferred ) ) return first;
    for ( last = rest; last->next_deferred; ) last = last->next_deferred;
    last->next_deferred = atomic_load( &listener->deferred );
    while ( !atomic_compare_exchange_weak( &listener->deferred, &last->next_deferred, rest ) ) continue;
    return first;
}

void deferred_discard_all( struct descriptor *listener )
{
    struct descriptor *d = atomic_exchange( &listener->deferred, NULL ), *next;

    for ( ; d; d = next )
    {
        next = d->next_deferred;
        descriptor_discard( d );
    }
}
