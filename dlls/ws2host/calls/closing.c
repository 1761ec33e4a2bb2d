/*
 * closesocket, and descriptors whose handle has gone behind our back.
 *
 * A descriptor is taken out of the table first, so that no call finds it any more; its events, notifications, deferred
 * connections and overlapped operations end here; the waits on it are woken, the linger time is waited. The slot goes with
 * the last user (descriptor_release).
 */
#include <unistd.h>
#include "base/io_loop.h"
#include "calls/closing.h"
#include "calls/linger.h"
#include "client/connection.h"
#include "descriptors/deferred.h"
#include "descriptors/upcalls.h"
#include "descriptors/wait.h"
#include "events/events.h"
#include "events/notify.h"
#include "operations/operation.h"

NTSTATUS unix_close_begin( void *args )
{
    struct ws2_handle_params *params = args;
    NTSTATUS status;
    struct descriptor *d = descriptor_remove( params->handle, &status ), *survivor;

    if ( !d ) return status;
    survivor = params->survivor ? descriptor_acquire( params->survivor, &status ) : NULL;

    atomic_store( &d->closing, 1 );
    params->real = descriptor_take_real( d );
    params->pooled = descriptor_is_free( params->handle );
    events_forget( d );
    notify_forget( d );
    deferred_discard_all( d );
    params->completions = operation_close( d, survivor, params->other_handles );
    if ( survivor ) descriptor_release( survivor );
    if ( atomic_load( &d->users ) > 1 ) wait_wake( d );
    linger_close( d );
    descriptor_release( d );
    params->error = 0;
    return 0;
}

NTSTATUS unix_close_end( void *args )
{
    struct ws2_handle_params *params = args;

    descriptor_end_closing( params->handle );
    params->error = 0;
    return 0;
}

/* Its handle is gone, and with it the entry of the table. */
static void closing_lost( struct descriptor *d )
{
    atomic_store( &d->closing, 1 );
    events_forget( d );
    notify_forget( d );
    if ( operation_close( d, NULL, 0 ) ) io_loop_wake();
    wait_wake( d );
    descriptor_release( d );
}

void closing_init( void ) { upcalls.lost_consume = closing_lost; }

/* The process ends: whoever waits for that finds its sockets closed, though the host process lives a moment longer. */
NTSTATUS unix_process_end( void *args )
{
    struct ws2_handle_params *params = args;
    struct descriptor *d;
    uint64_t handle = 0;

    while ( ( d = descriptor_next( &handle ) ) ) close( d->fd ); /* the user is kept: nobody closes the number again */
    connection_end();
    params->error = 0;
    return 0;
}
