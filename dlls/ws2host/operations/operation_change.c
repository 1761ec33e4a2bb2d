/*
 * SIO_ADDRESS_LIST_CHANGE and SIO_ROUTING_INTERFACE_CHANGE with an OVERLAPPED: they wait for what no poll of their socket
 * shows. A change is counted (changes.c), and every request that began at an earlier count ends.
 */
#include <stdlib.h>
#include "events/changes.h"
#include "operations/operation.h"

struct idle
{
    struct operation operation;
    uint32_t kind;
    uint32_t count;
};

static enum operation_result perform_change( struct operation *operation )
{
    const struct idle *idle = (struct idle *)operation;

    return changes_count( idle->kind ) == idle->count ? OPERATION_BLOCKED : OPERATION_DONE;
}

NTSTATUS unix_operation_idle( void *args )
{
    struct ws2_operation *params = args;
    NTSTATUS status;
    struct descriptor *d = descriptor_acquire( params->handle, &status );
    struct idle *idle = NULL;
    uint32_t kind;

    if ( !d ) return status;
    kind = changes_kind( d, params->how & WS2_OPERATION_ROUTES );
    if ( !( params->error = changes_watch( kind, &params->need_io_thread ) ) &&
         !( idle = calloc( 1, sizeof( *idle ) ) ) )
        params->error = WSAENOBUFS;
    if ( idle )
    {
        idle->kind = kind;
        idle->count = changes_count( kind );
        idle->operation.perform = perform_change;
        idle->operation.queue = QUEUE_CHANGE;
        operation_start( d, &idle->operation, params );
    }
    descriptor_release( d );
    return 0;
}
