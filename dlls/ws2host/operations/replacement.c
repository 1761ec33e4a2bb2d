/*
 * Another host socket under the same descriptor: AcceptEx sets a connection in an acceptor's place, DisconnectEx a fresh
 * socket in a used one's.
 *
 * All of the process's descriptors of the socket change with it, as soon as no lock is held any more (replacement_settle). Those
 * of other processes do when they are used next (descriptor_renew): the server, which is told without a wait, keeps the one that
 * came for them.
 *
 * The loader's handle was made of the host socket that goes and keeps it. A descriptor that has been through this says so
 * (LOCAL_REPLACED), so that whoever makes copies of its handle can make them of the socket that came.
 *
 * A handle of the pool (LOCAL_POOLED) was made of no socket of the program's at all: it is a stand-in from the start. The first
 * copy has a handle of the host socket made, which is kept (`real`): of it all copies are made, so that the loader knows
 * them to be of one object.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include "client/connection.h"
#include "descriptors/socket_set.h"
#include "descriptors/upcalls.h"
#include "operations/afd_poll.h"
#include "events/events.h"
#include "events/notify.h"
#include "operations/operation_private.h"
#include "options/option.h"
#include "sockets/urgent.h"
#include "base/owner_lock.h"

struct unwatched
{
    int own, events;
};

/* Nothing of this process watches the host socket from here to watch_again; from perform it is its own queues' turn. */
static struct unwatched unwatch( struct descriptor *d )
{
    struct unwatched before = { .own = owner_lock_held( &d->queues.lock ) };

    if ( !before.own ) operation_lock( d );
    operation_forget( d );
    before.events = events_forget( d );
    afd_poll_forget( d );
    notify_unwatch( d );
    return before;
}

static void watch_again( struct descriptor *d, struct unwatched before )
{
    if ( before.events ) events_watch_again( d );
    afd_poll_watch_again( d );
    notify_watch_again( d );
    operation_watch_again( d );
    if ( !before.own ) owner_lock_give( &d->queues.lock );
}

static void set_made( struct descriptor *d, struct socket_set *set )
{
    const struct unwatched before = unwatch( d );

    atomic_store_explicit( &d->set, set, memory_order_release );
    descriptor_changed();
    watch_again( d, before );
}

/* Its queues' lock is held, and nothing watches it. errno. */
static int replace( struct descriptor *d, int fd )
{
    if ( dup3( fd, d->fd, O_CLOEXEC ) < 0 ) return -1;
    descriptor_changed();
    urgent_renewed( d );
    atomic_fetch_or( &d->local, LOCAL_REPLACED | ( descriptor_is_shared( d ) ? LOCAL_SUCCESSOR : 0 ) );
    if ( atomic_load( &d->real ) ) atomic_fetch_or( &d->real, REAL_STALE );
    return 0;
}

/* No lock is held. */
static void renew_from( struct descriptor *d, int fd )
{
    operation_lock( d );
    if ( descriptor_is_stale( d ) )
    {
        const struct unwatched before = unwatch( d );

        replace( d, fd );
        watch_again( d, before );
    }
    owner_lock_give( &d->queues.lock );
}

/* --- the socket's other descriptors: told, and those of the process locked, when no lock is held --------------------------*/

struct replacement_due
{
    struct replacement_due *next;
    struct descriptor *descriptor; /* counted */
};

_Atomic( struct replacement_due * ) replacements_due;

static void settle_later( struct descriptor *d )
{
    struct replacement_due *due = malloc( sizeof( *due ) );

    if ( !due )
    {
        /* each here is renewed when it is used */
        connection_replace( d->slot_index, d->generation, d->fd );
        return;
    }
    descriptor_ref( d, 1 );
    due->descriptor = d;
    due->next = atomic_load( &replacements_due );
    while ( !atomic_compare_exchange_weak( &replacements_due, &due->next, due ) ) continue;
}

static void settle( struct descriptor *d )
{
    struct descriptor *other;
    uint64_t handle = 0;
    uint32_t here = 0;

    for ( ; ( other = descriptor_next( &handle ) ); descriptor_release( other ) )
    {
        if ( !descriptor_is_same( d, other ) ) continue;
        here++;
        if ( other != d && !descriptor_is_stale( d ) ) renew_from( other, d->fd );
    }
    /* somebody may have one that is not in this process's table: by the counts, which are never less than there are */
    if ( ( connection_counts_are_late() || atomic_load( &d->slot->descriptors ) > here ) && !descriptor_is_stale( d ) )
        connection_replace( d->slot_index, d->generation, d->fd );
}

void replacement_settle_others( void )
{
    struct replacement_due *due = atomic_exchange( &replacements_due, NULL ), *next;

    for ( ; due; due = next )
    {
        next = due->next;
        settle( due->descriptor );
        descriptor_release( due->descriptor );
        free( due );
    }
}

int32_t operation_replace_socket_consume( struct descriptor *d, int fd, const struct descriptor *listener )
{
    const struct unwatched before = unwatch( d );
    int32_t error = 0;

    option_carry( d, d->fd, fd, listener );
    if ( replace( d, fd ) ) error = winsock_error( errno );
    else atomic_store( &d->slot->cookie, socket_cookie( d->fd ) );
    close( fd );
    watch_again( d, before );
    if ( !error && descriptor_is_shared( d ) ) settle_later( d );
    return error;
}

/* --- one whose host socket another has taken the place of -------------------------------------------------------------------*/

/* A descriptor of the host socket that the slot names, from this process's other descriptors; -1. */
static int find_here_dup( const struct descriptor *d )
{
    struct descriptor *other;
    uint64_t handle = 0;
    int fd = -1;

    for ( ; fd < 0 && ( other = descriptor_next_other( d, &handle ) ); descriptor_release( other ) )
        if ( !descriptor_is_stale( other ) ) fd = fcntl( other->fd, F_DUPFD_CLOEXEC, 0 );
    return fd;
}

/* The same from the server, whose client may just be telling it. */
static int find_there( const struct descriptor *d )
{
    int fd = connection_replaced( d->slot_index, d->generation );

    if ( fd < 0 || socket_cookie( fd ) == atomic_load( &d->slot->cookie ) ) return fd;
    close( fd );
    return -1;
}

#define PATIENCE_TURNS 20
#define PATIENCE_MS 5

static int renew( struct descriptor *d )
{
    int fd;

    /* from perform: what goes on with an operation that was begun waits for nobody */
    if ( !descriptor_is_stale( d ) || owner_lock_held( &d->queues.lock ) ) return 0;
    for ( unsigned int turn = 0; turn < PATIENCE_TURNS && descriptor_is_stale( d ); turn++ )
    {
        if ( turn ) usleep( PATIENCE_MS * 1000 );
        if ( ( fd = find_here_dup( d ) ) < 0 && ( fd = find_there( d ) ) < 0 ) continue;
        fcntl( fd, F_SETFL, fcntl( fd, F_GETFL ) | O_NONBLOCK );
        renew_from( d, fd );
        close( fd );
    }
    return !descriptor_is_stale( d );
}

void replacement_init( void )
{
    upcalls.set_made = set_made;
    upcalls.renew = renew;
}

static struct descriptor *find_next( struct ws2_socket_replaced_params *params )
{
    struct descriptor *d;

    while ( ( d = descriptor_next( &params->handle ) ) )
    {
        const uint32_t local = atomic_load( &d->local );

        if ( ( local & LOCAL_REPLACED ) && ( !( local & LOCAL_POOLED ) || ( local & LOCAL_INHERITED ) ) ) return d;
        descriptor_release( d );
    }
    return NULL;
}

NTSTATUS unix_socket_replaced( void *args )
{
    struct ws2_socket_replaced_params *params = args;
    struct descriptor *d;
    NTSTATUS status;
    uint32_t local, real;

    params->fd = -1;
    params->real = params->pooled = 0;
    params->error = 0;
    if ( !( d = params->next ? find_next( params ) : descriptor_acquire( params->handle, &status ) ) )
    {
        if ( !params->next ) params->error = WSAENOTSOCK;
        return 0;
    }
    local = atomic_load( &d->local );
    real = atomic_load( &d->real );
    params->pooled = ( local & LOCAL_POOLED ) != 0;
    if ( !( local & LOCAL_REPLACED ) ) params->error = WSAEINVAL;
    else if ( real && !( real & REAL_STALE ) ) params->real = real;
    else if ( ( params->fd = fcntl( d->fd, F_DUPFD_CLOEXEC, 0 ) ) < 0 ) params->error = winsock_error( errno );
    descriptor_release( d );
    return 0;
}

static void keep_real( struct descriptor *d, struct ws2_socket_real_params *params )
{
    const uint32_t made = params->real;
    uint32_t old = 0;

    atomic_fetch_or( descriptor_real_word( made ), descriptor_handle_bit( made ) );
    while ( !atomic_compare_exchange_weak( &d->real, &old, made ) )
        if ( old && !( old & REAL_STALE ) )
        {
            params->real = old;
            params->unused = made;
            return;
        }
    params->unused = old & ~REAL_STALE;
    /* closing came by before: nobody takes it any more */
    if ( !atomic_load( &d->closing ) || !descriptor_take_real( d ) ) return;
    params->error = WSAENOTSOCK;
    params->unused = made;
}

NTSTATUS unix_socket_real( void *args )
{
    struct ws2_socket_real_params *params = args;
    NTSTATUS status;
    struct descriptor *d = descriptor_acquire( params->handle, &status );

    params->error = 0;
    if ( d && ( atomic_load( &d->local ) & LOCAL_POOLED ) ) keep_real( d, params );
    else
    {
        params->error = WSAENOTSOCK;
        params->unused = params->real;
    }
    if ( d ) descriptor_release( d );
    return 0;
}

NTSTATUS unix_socket_pooled( void *args )
{
    struct ws2_socket_pooled_params *params = args;
    NTSTATUS status;
    struct descriptor *d = descriptor_acquire( params->handle, &status );
    uint32_t local = d ? atomic_load( &d->local ) : 0;

    params->error = 0;
    if ( ( params->pooled = ( local & LOCAL_POOLED ) != 0 ) )
    {
        if ( ( params->set & WS2_POOLED_MARKED ) && params->marked ) atomic_fetch_or( &d->local, LOCAL_MARKED );
        if ( ( params->set & WS2_POOLED_INHERITED ) && params->inherited )
            atomic_fetch_or( &d->local, LOCAL_INHERITED );
        else if ( params->set & WS2_POOLED_INHERITED ) atomic_fetch_and( &d->local, ~LOCAL_INHERITED );
        local = atomic_load( &d->local );
        params->inherited = ( local & LOCAL_INHERITED ) != 0;
        params->marked = ( local & LOCAL_MARKED ) != 0;
        params->real = atomic_load( &d->real ) & ~REAL_STALE;
    }
    if ( d ) descriptor_release( d );
    return 0;
}

NTSTATUS unix_fd_close( void *args )
{
    struct ws2_fd_params *params = args;

    close( params->fd );
    params->error = 0;
    return 0;
}
