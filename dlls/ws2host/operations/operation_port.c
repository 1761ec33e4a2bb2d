/*
 * A socket's one completion port. It stands in the slot: the port's handle in the process that associated it, with the
 * notification modes (ws2_port_word), that process, and the key.
 */
#include "client/connection.h"
#include "operations/operation.h"
#include "operations/port.h"

struct ws2_port port_of( const struct descriptor *d )
{
    const struct ws2_slot *slot = d->slot;
    struct ws2_port port = { 0 };
    uint32_t word = atomic_load( &slot->port_handle ), owner;

    port.modes = ws2_port_word_modes( word );
    if ( !( descriptor_flags( d ) & WS2_FLAG_HAS_PORT ) || !ws2_port_word_handle( word ) ) return port;
    owner = atomic_load( &slot->port_owner );
    if ( owner >= WS2_CLIENT_COUNT ) return port;
    port.handle = ws2_port_word_handle( word );
    port.key = atomic_load( &slot->port_key );
    port.owner = atomic_load( &ws2_table_clients( connection_table() )[owner].windows_pid );
    return port;
}

NTSTATUS unix_port_associate( void *args )
{
    struct ws2_port_params *params = args;
    NTSTATUS status;
    struct descriptor *d = descriptor_acquire( params->handle, &status );
    uint32_t before;

    if ( !d ) return status;
    /* whoever sets the flag is the one, of all processes */
    if ( atomic_fetch_or( &d->slot->flags, WS2_FLAG_HAS_PORT ) & WS2_FLAG_HAS_PORT )
        params->error = WSA_INVALID_PARAMETER;
    else
    {
        atomic_store( &d->slot->port_key, params->port.key );
        atomic_store( &d->slot->port_owner, connection_client_index() );
        before = atomic_load( &d->slot->port_handle );
        while ( !atomic_compare_exchange_weak( &d->slot->port_handle, &before,
                                               ws2_port_word( params->port.handle, ws2_port_word_modes( before ) ) ) )
            continue;
        params->error = 0;
        if ( params->queue ) operation_attach_port( d, (struct port *)(uintptr_t)params->queue );
    }
    descriptor_release( d );
    return 0;
}

NTSTATUS unix_port_modes( void *args )
{
    struct ws2_port_params *params = args;
    NTSTATUS status;
    struct descriptor *d = descriptor_acquire( params->handle, &status );

    if ( !d ) return status;
    atomic_fetch_or( &d->slot->port_handle, ws2_port_word( 0, params->port.modes ) );
    descriptor_release( d );
    params->error = 0;
    return 0;
}

NTSTATUS unix_port_query( void *args )
{
    struct ws2_port_params *params = args;
    NTSTATUS status;
    struct descriptor *d = descriptor_acquire( params->handle, &status );

    if ( !d ) return status;
    params->port = port_of( d );
    if ( params->wait ) operation_detach_port( d );
    params->unsignalled = atomic_load( &d->signal_sequence ) & 1;
    descriptor_release( d );
    params->error = 0;
    return 0;
}
