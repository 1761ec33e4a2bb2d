/*
 * closesocket, and descriptors whose handle has gone behind our back.
 *
 * A descriptor is taken out of the table first, so that no call finds it any more; its events, notifications, deferred
 * connections and overlapped operations end here; the waits on it are woken, the linger time is waited. The slot goes with
 * the last user (descriptor_release).
 */
#include <time.h>
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

#define LISTENS_STILL 100 /* ms */

/* The last descriptor of a listener that was shared is closed: whoever connects now is refused, as soon as the server has closed
 * what it was given to share it by. */
static void await_refusal( void )
{
    const struct timespec nap = { 0, 1000000 };

    for ( int waited = 0; waited < LISTENS_STILL; waited++ )
    {
        struct ws2_request request = { .type = WS2_LIST, .slot = WS2_SLOT_COUNT };
        struct ws2_reply reply;

        if ( connection_request( &request, -1, &reply, NULL ) || !reply.index ) return;
        nanosleep( &nap, NULL );
    }
}

NTSTATUS unix_close_begin( void *args )
{
    struct ws2_handle_params *params = args;
    NTSTATUS status;
    struct descriptor *d = descriptor_remove( params->handle, &status ), *survivor;
    int listened;

    if ( !d ) return status;
    survivor = params->survivor ? descriptor_acquire( params->survivor, &status ) : NULL;

    descriptor_begin_closing( d );
    params->real = descriptor_take_real( d );
    params->pooled = descriptor_is_free( params->handle );
    events_forget( d );
    notify_forget( d );
    deferred_discard_all( d );
    params->completions = operation_close( d, survivor, params->other_handles );
    if ( survivor ) descriptor_release( survivor );
    if ( atomic_load( &d->users ) > 1 ) wait_wake( d );
    linger_close( d );
    listened =
        ( descriptor_flags( d ) & WS2_FLAG_LISTENING ) && descriptor_is_shared( d ) && !descriptor_has_others( d );
    descriptor_release( d );
    if ( listened ) await_refusal();
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
    descriptor_begin_closing( d );
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
