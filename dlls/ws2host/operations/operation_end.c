/*
 * Operations that have ended: they stand in a list until the PE side fetches them and tells the program.
 *
 * A lock that knows its holder guards the list; `delivering` is the fetching thread's, of which there is one at a time.
 */
#include <stdlib.h>
#include <string.h>
#include "base/owner_lock.h"
#include "client/connection.h"
#include "operations/operation_private.h"

static _Atomic uint32_t ended_lock;
static struct operation *_Atomic ended_first, *ended_last;
static struct operation *delivering; /* what the PE side is telling the program of now */

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

void operation_end( struct operation *operation )
{
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
    owner_lock_take( &ended_lock );
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

NTSTATUS unix_operation_fetch( void *args )
{
    struct ws2_operation_fetch_params *params = args;
    struct operation *operation, *next;

    for ( operation = delivering; operation; operation = next )
    {
        next = operation->next;
        operation_discard( operation );
    }
    delivering = NULL;
    params->error = 0;
    params->count = 0;
    if ( !ended_first ) return 0;

    owner_lock_take( &ended_lock );
    for ( operation = ended_first; operation && params->count < WS2_COMPLETIONS; operation = next )
    {
        struct ws2_completion *completion = &params->completions[params->count++];

        next = operation->next;
        completion->target = operation->target;
        completion->port = operation->port;
        completion->handle = operation->owner->handle;
        completion->information = operation->information;
        completion->signal_sequence = (uintptr_t)&operation->owner->signal_sequence;
        completion->signal_before = operation->signal_sequence;
        completion->undelivered = (uintptr_t)&operation->descriptor->queues.undelivered[operation->queue];
        completion->error = operation->error;
        completion->flags = operation->flags_out;
        completion->write_count = operation->write_count;
        completion->bounced = operation->bounced;
        memcpy( completion->writes, operation->writes, sizeof( completion->writes ) );
        operation->next = delivering;
        delivering = operation;
    }
    ended_first = operation;
    owner_lock_give( &ended_lock );
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
