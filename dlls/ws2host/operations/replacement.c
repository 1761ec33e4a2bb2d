/*
 * Another host socket under the same descriptor: AcceptEx sets a connection in an acceptor's place, DisconnectEx a fresh
 * socket in a used one's.
 *
 * The loader's handle was made of the host socket that goes and keeps it. A descriptor that has been through this says so
 * (LOCAL_REPLACED), so that whoever makes copies of its handle can make them of the socket that came.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include "descriptors/socket_set.h"
#include "descriptors/upcalls.h"
#include "operations/afd_poll.h"
#include "events/events.h"
#include "events/notify.h"
#include "operations/operation_private.h"
#include "options/option.h"
#include "sockets/urgent.h"
#include "base/owner_lock.h"

static void set_made( struct descriptor *d, struct socket_set *set )
{
    const int own = atomic_load( &d->queues.lock ) == owner_lock_self();
    int watched;

    if ( !own ) owner_lock_take( &d->queues.lock );
    operation_forget( d );
    watched = events_forget( d );
    afd_poll_forget( d );
    notify_unwatch( d );
    atomic_store_explicit( &d->set, set, memory_order_release );
    descriptor_changed();
    if ( watched ) events_watch_again( d );
    afd_poll_watch_again( d );
    notify_watch_again( d );
    operation_watch_again( d );
    if ( !own ) owner_lock_give( &d->queues.lock );
}

void replacement_init( void ) { upcalls.set_made = set_made; }

void operation_replace_socket_consume( struct descriptor *d, int fd, const struct descriptor *listener )
{
    const int own = atomic_load( &d->queues.lock ) == owner_lock_self(); /* from perform: it is its own queues' turn */
    int watched;

    if ( !own ) owner_lock_take( &d->queues.lock );
    operation_forget( d );
    watched = events_forget( d );
    afd_poll_forget( d );
    notify_unwatch( d );
    option_carry( d, d->fd, fd, listener );
    dup3( fd, d->fd, O_CLOEXEC );
    descriptor_changed();
    close( fd );
    urgent_renewed( d );
    atomic_store( &d->slot->cookie, descriptor_cookie( d->fd ) );
    atomic_fetch_or( &d->local, LOCAL_REPLACED );
    if ( watched ) events_watch_again( d );
    afd_poll_watch_again( d );
    notify_watch_again( d );
    operation_watch_again( d );
    if ( !own ) owner_lock_give( &d->queues.lock );
}

static struct descriptor *find_next( struct ws2_socket_replaced_params *params )
{
    struct descriptor *d;

    while ( ( d = descriptor_next( &params->handle ) ) )
    {
        if ( atomic_load( &d->local ) & LOCAL_REPLACED ) return d;
        descriptor_release( d );
    }
    return NULL;
}

NTSTATUS unix_socket_replaced( void *args )
{
    struct ws2_socket_replaced_params *params = args;
    struct descriptor *d;
    NTSTATUS status;

    params->fd = -1;
    params->error = 0;
    if ( !( d = params->next ? find_next( params ) : descriptor_acquire( params->handle, &status ) ) )
    {
        if ( !params->next ) params->error = WSAENOTSOCK;
        return 0;
    }
    if ( !( atomic_load( &d->local ) & LOCAL_REPLACED ) ) params->error = WSAEINVAL;
    else if ( ( params->fd = fcntl( d->fd, F_DUPFD_CLOEXEC, 0 ) ) < 0 ) params->error = winsock_error( errno );
    descriptor_release( d );
    return 0;
}

NTSTATUS unix_fd_close( void *args )
{
    struct ws2_fd_params *params = args;

    close( params->fd );
    params->error = 0;
    return 0;
}
