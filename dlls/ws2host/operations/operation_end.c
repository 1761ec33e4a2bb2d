/*
 * Operations that have ended: they stand in a list until the PE side fetches them and tells the program.
 *
 * A lock that knows its holder guards the lists. What was fetched stands in `fetched` until the PE side has told the
 * program, and then until a thread comes by that gives it back: also when the one that told was ended.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/owner_lock.h"
#include "client/connection.h"
#include "operations/operation_private.h"

static owner_lock ended_lock;
static struct operation *_Atomic ended_first, *ended_last;
static struct operation *_Atomic fetched; /* what the PE side is telling the program of, or has told */

_Atomic uint32_t operation_background_sends;

struct ws2_port operation_port( const struct operation *operation )
{
    return operation->port_known ? operation->port : port_of( operation->owner );
}

int operation_is_ports( const struct operation *operation )
{
    const struct ws2_operation_target *target = &operation->target;

    return target->apc_context && !target->apc && !target->event && operation_port( operation ).handle;
}

void operation_free( struct operation *operation )
{
    if ( operation->dispose ) operation->dispose( operation );
    free( operation );
}

void operation_discard( struct operation *operation )
{
    if ( operation->dispose ) operation->dispose( operation );
    descriptor_release( operation->owner );
    descriptor_release( operation->descriptor );
    free( operation );
}

/* The last one is whichever comes to be the last: a dead holder may have put one there, or taken it, and not said so. */
static void take_ended_lock( void )
{
    struct operation *last;

    if ( !owner_lock_take( &ended_lock ) || !( last = ended_first ) ) return;
    while ( last->next ) last = last->next;
    ended_last = last;
}

void operation_end( struct operation *operation )
{
    assert( atomic_load( &operation->descriptor->queues.undelivered[operation->queue] ) );
    assert( atomic_load( &operation->owner->users ) );
    if ( operation->internal )
    {
        atomic_fetch_sub( &operation->descriptor->queues.undelivered[operation->queue], 1 );
        atomic_fetch_sub( &operation_background_sends, 1 );
        operation_discard( operation );
        return;
    }
    if ( operation->detach ) operation->detach( operation );
    operation->port = operation_port( operation );
    operation->signal_sequence = atomic_load( &operation->owner->signal_sequence );
    operation->next = NULL;
    take_ended_lock();
    if ( ended_first ) ended_last->next = operation;
    else ended_first = operation;
    ended_last = operation;
    owner_lock_give( &ended_lock );
}

void operation_complete( struct operation *operation )
{
    atomic_fetch_add( &operation->descriptor->queues.undelivered[operation->queue], 1 );
    operation_end( operation );
}

int operation_ended( void ) { return ended_first != NULL; }

void operation_sweep( void )
{
    struct operation *told = NULL, *before = NULL, *operation, *next;

    if ( !atomic_load( &fetched ) ) return;
    take_ended_lock();
    for ( operation = atomic_load( &fetched ); operation; operation = next )
    {
        next = operation->next;
        if ( !atomic_load( &operation->told ) )
        {
            before = operation;
            continue;
        }
        if ( before ) before->next = next;
        else atomic_store( &fetched, next );
        operation->next = told;
        told = operation;
    }
    owner_lock_give( &ended_lock );
    for ( ; told; told = next )
    {
        next = told->next;
        operation_discard( told );
    }
}

/* --- the program's memory; no lock is held, and any copy may fault ------------------------------------------------------*/

static void write_result( uint64_t target, const void *source, uint64_t size )
{
    /* what says how far it is stands before the copy, and the copies stay in order: the status is seen last */
    atomic_signal_fence( memory_order_seq_cst );
    memcpy( (void *)(uintptr_t)target, source, size );
    atomic_signal_fence( memory_order_seq_cst );
}

/* Steps of one: its writes, the flags, Information and, if that could be written, Status. */
static void write_completion( struct ws2_operation_fetch_params *params, const struct ws2_completion *completion )
{
    const uint64_t iosb = completion->target.iosb;
    const uint32_t pointer_size = params->pointer_size, writes = completion->write_count, status = 0;

    while ( params->step < writes )
    {
        const uint32_t i = params->step++;

        write_result( completion->writes[i].target, (const void *)(uintptr_t)completion->writes[i].source,
                      completion->writes[i].size );
    }
    if ( params->step == writes )
    {
        params->step++;
        if ( completion->target.options & params->flags_option )
            write_result( iosb + 2 * pointer_size, &completion->flags, sizeof( completion->flags ) );
    }
    if ( params->step == writes + 1 )
    {
        params->step++;
        write_result( iosb + pointer_size, &completion->information, pointer_size );
        write_result( iosb, &status, sizeof( status ) );
    }
}

static void write_completions( struct ws2_operation_fetch_params *params )
{
    for ( ; params->next < params->count; params->next++, params->step = 0 )
        if ( params->completions[params->next].written ) write_completion( params, &params->completions[params->next] );
}

NTSTATUS unix_operation_results( void *args )
{
    struct ws2_operation_results_params *params = args;

    operation_sweep();
    params->error = 0;
    while ( params->done < params->count )
    {
        const uint32_t i = params->done++;

        write_result( params->results[i].target, (const void *)(uintptr_t)params->results[i].source,
                      params->results[i].size );
    }
    return 0;
}

/* --- fetching -----------------------------------------------------------------------------------------------------------*/

/* Whether all that is to be done before its packet is posted can be done here. */
static int is_plain( const struct ws2_operation_fetch_params *params, const struct operation *operation )
{
    const struct ws2_operation_target *target = &operation->target;

    return params->pointer_size && !operation->error && !operation->bounced && operation->port.handle &&
           target->apc_context && !target->apc && !target->event &&
           !( target->options & ( WS2_TARGET_LATE | params->excluded_option ) );
}

NTSTATUS unix_operation_fetch( void *args )
{
    struct ws2_operation_fetch_params *params = args;
    struct operation *operation, *next;

    params->error = 0;
    if ( params->resume )
    {
        params->resume = 0;
        write_completions( params );
        return 0;
    }
    operation_sweep();
    params->count = params->more = params->next = params->step = 0;
    if ( !ended_first ) return 0;

    take_ended_lock();
    for ( operation = ended_first; operation && params->count < WS2_COMPLETIONS; operation = next )
    {
        struct ws2_completion *completion = &params->completions[params->count];

        next = operation->next;
        completion->target = operation->target;
        completion->port = operation->port;
        completion->handle = operation->owner->handle;
        completion->information = operation->information;
        completion->signal_sequence = (uintptr_t)&operation->owner->signal_sequence;
        completion->signal_before = operation->signal_sequence;
        completion->undelivered = (uintptr_t)&operation->descriptor->queues.undelivered[operation->queue];
        completion->told = (uintptr_t)&operation->told;
        completion->error = operation->error;
        completion->flags = operation->flags_out;
        completion->written = is_plain( params, operation );
        completion->write_count = operation->write_count;
        completion->bounced = operation->bounced;
        memcpy( completion->writes, operation->writes, sizeof( *completion->writes ) * operation->write_count );
        /* out of one list before it is counted, and then into the other: a thread that is ended in between takes one with it, and
         * no list, and leaves nobody one that has been told of */
        ended_first = next;
        atomic_signal_fence( memory_order_seq_cst );
        params->count++;
        atomic_signal_fence( memory_order_seq_cst );
        operation->next = atomic_load( &fetched );
        atomic_store( &fetched, operation );
    }
    params->more = operation != NULL;
    owner_lock_give( &ended_lock );
    write_completions( params );
    return 0;
}

void operation_probe( uint64_t user, uint64_t size )
{
    volatile const char *memory = (const char *)(uintptr_t)user;

    for ( uint64_t i = 0; i < size; i += 4096 ) (void)memory[i];
    if ( size ) (void)memory[size - 1];
}

void operation_write( struct operation *operation, uint64_t target, const void *source, uint64_t size )
{
    unsigned int i = operation->write_count;

    if ( !target || !size || i >= WS2_COMPLETION_WRITES ) return;
    operation->writes[i].target = target;
    operation->writes[i].source = (uintptr_t)source;
    operation->writes[i].size = size;
    operation->write_count++;
}
