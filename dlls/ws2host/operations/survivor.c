/* What becomes of requests when one of several handles of a socket is closed: see survivor.h. */
#include "base/io_loop.h"
#include "base/owner_lock.h"
#include "operations/operation_private.h"
#include "operations/survivor.h"

/* Counts the survivor as the owner; the old owner's count is the caller's. */
static void change_owner( struct operation *operation, struct descriptor *from, struct descriptor *survivor )
{
    struct descriptor *acceptor = operation->next_descriptor ? operation->next_descriptor : operation->descriptor;
    struct descriptor *expected = from;

    atomic_compare_exchange_strong( &acceptor->queues.accepting, &expected, survivor );
    descriptor_hold( survivor );
    operation->owner = survivor;
    if ( !operation->target.event ) operation_unsignal( survivor );
}

/* Takes out of the queues what can go on elsewhere: a list, in order. */
static struct operation *take_all_out( struct descriptor *d )
{
    struct operation *first = NULL, **end = &first, *operation, *next, *before;

    operation_lock( d );
    for ( enum operation_queue queue = 0; queue < QUEUE_COUNT; queue++ )
        for ( operation = atomic_load( &d->queues.first[queue] ), before = NULL; operation; operation = next )
        {
            next = operation->next;
            if ( operation->internal || operation->held || operation->owner != d )
            {
                before = operation;
                continue;
            }
            operation_take_out( d, before, operation );
            atomic_fetch_sub( &d->queues.undelivered[queue], 1 );
            *end = operation;
            end = &operation->next;
        }
    *end = NULL;
    owner_lock_give( &d->queues.lock );
    return first;
}

/* Of a listener: those that wait for data in their acceptors' queues. How many counts of it are the caller's. */
static uint32_t take_over_acceptors( struct descriptor *d, struct descriptor *survivor )
{
    struct descriptor *acceptor;
    uint64_t handle = 0;
    uint32_t released = 0;

    while ( ( acceptor = descriptor_next( &handle ) ) )
    {
        operation_lock( acceptor );
        for ( struct operation *operation = atomic_load( &acceptor->queues.first[QUEUE_RECEIVE] ); operation;
              operation = operation->next )
            if ( operation->owner == d && operation->descriptor == acceptor && acceptor != d )
            {
                change_owner( operation, d, survivor );
                released++;
            }
        owner_lock_give( &acceptor->queues.lock );
        descriptor_release( acceptor );
    }
    return released;
}

/* The AcceptEx that waits for a connection with this acceptor. */
static int accepts_next( struct descriptor *listener, const struct descriptor *d, struct descriptor *survivor )
{
    struct operation *operation, *before;

    if ( !descriptor_hold( listener ) ) return 0;
    operation_lock( listener );
    if ( ( operation = operation_of_acceptor( listener, d, &before ) ) )
    {
        descriptor_hold( survivor );
        operation->next_descriptor = survivor;
        if ( !operation_set_accepting( survivor, listener ) && atomic_exchange( &survivor->queues.accepting, NULL ) )
            operation_abort( listener, before, operation );
    }
    owner_lock_give( &listener->queues.lock );
    descriptor_release( listener );
    return operation != NULL;
}

/* The one that has its connection and waits for data in the acceptor's queue. */
static int accepts_data( struct descriptor *listener, struct descriptor *d, struct descriptor *survivor )
{
    struct operation *operation, *before = NULL;
    int ends = 0;

    operation_lock( d );
    operation = atomic_load( &d->queues.first[QUEUE_RECEIVE] );
    while ( operation && ( operation->owner != listener || operation->held ) )
    {
        before = operation;
        operation = operation->next;
    }
    if ( operation )
    {
        operation_take_out( d, before, operation );
        atomic_fetch_sub( &d->queues.undelivered[QUEUE_RECEIVE], 1 );
        descriptor_hold( survivor );
        operation->descriptor = survivor;
        ends = !operation_set_accepting( survivor, listener );
    }
    owner_lock_give( &d->queues.lock );
    if ( !operation ) return 0;
    if ( ends || operation_queue( survivor, operation ) )
    {
        operation->error = WSA_OPERATION_ABORTED;
        operation_complete( operation );
        replacement_settle();
    }
    return 1;
}

int survivor_accepts( struct descriptor *listener, struct descriptor *d, struct descriptor *survivor )
{
    if ( !accepts_next( listener, d, survivor ) )
    {
        operation_await_moves();
        if ( !accepts_data( listener, d, survivor ) ) return 0;
    }
    if ( operation_ended() ) io_loop_wake();
    descriptor_release( d );
    return 1;
}

void survivor_take_over( struct descriptor *d, struct descriptor *survivor )
{
    struct operation *operation = take_all_out( d ), *next;
    uint32_t released = 0;

    for ( ; operation; operation = next )
    {
        next = operation->next;
        change_owner( operation, d, survivor );
        descriptor_hold( survivor );
        operation->descriptor = survivor;
        released += 2;
        if ( !operation_queue( survivor, operation ) ) continue;
        operation->error = WSA_OPERATION_ABORTED;
        operation_complete( operation );
    }
    if ( descriptor_flags( d ) & WS2_FLAG_LISTENING ) released += take_over_acceptors( d, survivor );
    while ( released-- ) descriptor_release( d );
}
