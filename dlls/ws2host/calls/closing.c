/*
 * closesocket, and descriptors whose handle has gone behind our back.
 *
 * A descriptor is taken out of the table first, so that no call finds it any more; its events, notifications, deferred
 * connections and overlapped operations end here; the waits on it are woken, the linger time is waited. The slot goes with
 * the last user (descriptor_release).
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "base/host_clock.h"
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

/* The last descriptor of a listener that was shared is about to be closed, as far as the table shows: an epoll with what this
 * process and the server, which was given it to share it, have open; -1: nobody is to wait. Asks nobody: the server may be stopped. */
static int watch_listener( const struct descriptor *d )
{
    struct epoll_event event = { .events = 0 };
    int epoll;

    if ( !( descriptor_flags( d ) & WS2_FLAG_LISTENING ) || !descriptor_is_shared( d ) ) return -1;
    /* another one may be under way to the server */
    if ( atomic_load( &d->slot->descriptors ) < 2 && connection_counts_are_late() ) host_sleep_ms( 1 );
    if ( atomic_load( &d->slot->descriptors ) > 1 || ( epoll = epoll_create1( EPOLL_CLOEXEC ) ) < 0 ) return -1;
    if ( !epoll_ctl( epoll, EPOLL_CTL_ADD, d->fd, &event ) ) return epoll;
    close( epoll );
    return -1;
}

/* The host takes out of an epoll what nobody has open any more, and tells what is left in it. */
static int is_empty( int epoll )
{
    char path[48], text[512];
    ssize_t size;
    int fd;

    snprintf( path, sizeof( path ), "/proc/self/fdinfo/%d", epoll );
    if ( ( fd = open( path, O_RDONLY | O_CLOEXEC ) ) < 0 ) return 1;
    size = read( fd, text, sizeof( text ) - 1 );
    close( fd );
    text[size > 0 ? size : 0] = 0;
    return !strstr( text, "tfd:" );
}

/* Whoever connects from now on is refused. */
static void await_refusal_consume( int epoll )
{
    const uint64_t end = host_now_ms() + LISTENS_STILL;

    while ( !is_empty( epoll ) && host_now_ms() < end ) host_sleep_ms( 1 );
    host_sleep_ms( 1 ); /* it is taken out a moment before it is closed */
    close( epoll );
}

NTSTATUS unix_close_begin( void *args )
{
    struct ws2_handle_params *params = args;
    NTSTATUS status;
    struct descriptor *d = descriptor_remove( params->handle, &status ), *survivor;
    int epoll;

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
    /* other handles of the host socket are closed later than this one, if at all */
    epoll = params->pooled && !params->real && !params->other_handles ? watch_listener( d ) : -1;
    descriptor_release( d );
    if ( epoll >= 0 ) await_refusal_consume( epoll );
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
