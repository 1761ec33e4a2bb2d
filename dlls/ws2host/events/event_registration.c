/* Registering for network events, and fetching what is recorded: WSAEventSelect, WSAAsyncSelect, WSAEnumNetworkEvents. */
#include <sys/socket.h>
#include "client/connection.h"
#include "descriptors/socket_set.h"
#include "events/changes.h"
#include "events/event_record.h"
#include "sockets/option_bits.h"

static int32_t register_events( struct descriptor *d, uint64_t target, uint32_t message, uint32_t mask, uint32_t *due,
                                int32_t codes[WS2_EVENT_BIT_COUNT] )
{
    struct ws2_slot *slot = d->slot;
    uint64_t word = atomic_load( &slot->events ), next;
    uint32_t generation, seen, recorded;
    int32_t error;
    const int sent = slot->type == SOCK_STREAM && option_bit( slot, BIT_SENT ) && option_set_bit( slot, BIT_SENT, 0 );

    /* The target is in place before the generation that it belongs to: who signals looks at the generation first. The owner
     * before the target: another process that has read this one's target sees that it is not the owner any more. */
    atomic_store( &slot->event_owner, connection_client_index() );
    atomic_store( &slot->event_target, target );
    atomic_store( &slot->event_message, message );
    do {
        generation = ws2_events_generation( word ) + 1;
        if ( !generation ) generation = 1;
        seen = ws2_events_seen( word ) & ~( sent ? WS2_FD_WRITE : 0u );
        recorded = ws2_events_recorded( word );
        /* a window is told of everything that holds now, but for the connect */
        if ( message )
        {
            recorded = 0;
            seen = descriptor_flags( d ) & WS2_FLAG_CONNECTED ? WS2_FD_CONNECT : 0;
        }
        next = ws2_events( generation, seen, recorded, mask );
    } while ( !atomic_compare_exchange_weak( &slot->events, &word, next ) );

    if ( mask ) descriptor_set_flags( d, WS2_FLAG_NONBLOCKING );
    if ( ( error = events_watch( d, generation ) ) ) return error;
    event_evaluate_now( d );
    if ( message && slot->type != SOCK_STREAM ) event_record( d, WS2_FD_WRITE, 0, 0 );
    changes_registered( d );
    *due = event_still_due( d, ws2_events_recorded( atomic_load( &slot->events ) ) & mask );
    event_codes( d, *due, codes );
    if ( message ) event_mark_posted( d, *due );
    return 0;
}

NTSTATUS unix_event_select( void *args )
{
    struct ws2_event_select_params *params = args;
    NTSTATUS status;
    struct descriptor *d = descriptor_acquire( params->handle, &status );

    if ( !d ) return status;
    params->need_io_thread = 0;
    if ( !params->mask && !atomic_load( &d->slot->events ) ) params->error = 0; /* nothing to end */
    else if ( !( params->error = events_open( &params->need_io_thread ) ) )
    {
        events_receive_kicks();
        socket_set_renew( d );
        descriptor_renew( d );
        params->error =
            register_events( d, params->target, params->message, params->mask, &params->due, params->codes );
    }
    descriptor_release( d );
    return 0;
}

NTSTATUS unix_event_closing( void *args )
{
    struct ws2_event_closing_params *params = args;
    NTSTATUS status;
    struct descriptor *d = descriptor_acquire( params->handle, &status );
    struct ws2_slot *slot;

    if ( !d ) return status;
    slot = d->slot;
    params->error = 0;
    params->message = 0;
    if ( ( ws2_events_mask( atomic_load( &slot->events ) ) & WS2_FD_CLOSE ) && slot->type == SOCK_STREAM &&
         ( descriptor_flags( d ) & WS2_FLAG_CONNECTED ) &&
         atomic_load( &slot->event_owner ) == connection_client_index() && !descriptor_has_others( d ) )
    {
        params->target = atomic_load( &slot->event_target );
        params->message = atomic_load( &slot->event_message );
    }
    descriptor_release( d );
    return 0;
}

NTSTATUS unix_event_inherit( void *args )
{
    struct ws2_event_inherit_params *params = args;
    NTSTATUS status;
    struct descriptor *listener = descriptor_acquire( params->listener, &status ), *d;

    if ( !listener ) return status;
    params->target = atomic_load( &listener->slot->event_target );
    params->message = atomic_load( &listener->slot->event_message );
    params->mask = ws2_events_mask( atomic_load( &listener->slot->events ) );
    if ( atomic_load( &listener->slot->event_owner ) != connection_client_index() ) params->mask = 0;
    descriptor_release( listener );
    params->error = 0;
    if ( !params->mask ) return 0;
    if ( !( d = descriptor_acquire( params->handle, &status ) ) ) return status;
    params->error = register_events( d, params->target, params->message, params->mask, &params->due, params->codes );
    descriptor_release( d );
    return 0;
}

NTSTATUS unix_event_enum( void *args )
{
    struct ws2_event_enum_params *params = args;
    NTSTATUS status;
    struct descriptor *d = descriptor_acquire( params->handle, &status );

    if ( !d ) return status;
    params->error = 0;
    params->events = 0;
    if ( atomic_load( &d->slot->events ) )
    {
        descriptor_renew( d );
        params->events = event_take( d );
    }
    event_codes( d, WS2_EVENT_ALL, params->codes );
    descriptor_release( d );
    return 0;
}

NTSTATUS unix_event_attempt( void *args )
{
    struct ws2_event_attempt_params *params = args;
    NTSTATUS status;
    struct descriptor *d = descriptor_acquire( params->handle, &status );

    if ( !d ) return status;
    /* a window is told again after any attempt, an event object only after one that could have succeeded */
    if ( atomic_load( &d->slot->event_message ) ) events_reenable( d, params->event );
    descriptor_release( d );
    params->error = 0;
    return 0;
}
