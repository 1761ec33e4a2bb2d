/* Changes of addresses and routes: see changes.h. */
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/host_mutex.h"
#include "base/io_loop.h"
#include "events/changes.h"
#include "client/connection.h"
#include "events/events.h"
#include "descriptors/upcalls.h"
#include "sockets/option_bits.h"
#include "base/owner_lock.h"
#include "client/event_kick.h"

static const uint32_t groups[] = { RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR, RTMGRP_IPV4_ROUTE, RTMGRP_IPV6_ROUTE };
#define KINDS ( sizeof( groups ) / sizeof( groups[0] ) )

static owner_lock making;      /* lock: making the sockets */
static _Atomic int fds[KINDS]; /* of the watched kinds, 0 for the others */
static _Atomic uint32_t counts[KINDS];
static _Atomic uint32_t
    undelivered; /* a bit per kind whose change has not been told to every socket yet; the I/O thread's */

static const struct
{
    enum network_event event;
    int armed;
} rows[] = { { WS2_FD_ADDRESS_LIST_CHANGE, BIT_ADDRESS_CHANGE_ARMED },
             { WS2_FD_ROUTING_INTERFACE_CHANGE, BIT_ROUTING_CHANGE_ARMED } };

uint32_t changes_kind( const struct descriptor *d, int routes )
{
    return 2 * !!routes + ( d->slot->family == WS_AF_INET6 );
}

uint32_t changes_count( uint32_t kind ) { return atomic_load( &counts[kind] ); }

int changes_open( uint32_t kind )
{
    struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = groups[kind] };
    int fd = socket( AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE );

    if ( fd >= 0 && bind( fd, (struct sockaddr *)&address, sizeof( address ) ) )
    {
        close( fd );
        return -1;
    }
    return fd;
}

/* Returns when the I/O thread is done with every change that came before this request, which waits for a later one. */
static void changes_barrier( uint32_t kind )
{
    struct pollfd change = { .fd = atomic_load( &fds[kind] ), .events = POLLIN };

    for ( int i = 0; i < 2000 && ( poll( &change, 1, 0 ) > 0 || ( atomic_load( &undelivered ) & 1u << kind ) ); i++ )
    {
        io_loop_wake();
        usleep( 500 );
    }
}

int32_t changes_watch( uint32_t kind, uint32_t *need_io_thread )
{
    struct epoll_event event = { .events = EPOLLIN, .data.u64 = io_key( IO_CHANGES, kind << 3 ) };
    int32_t error = 0;
    sigset_t before;
    int fd, epoll;

    if ( ( error = io_loop_open( need_io_thread, &epoll ) ) ) return error;
    if ( atomic_load( &fds[kind] ) )
    {
        changes_barrier( kind );
        return 0;
    }
    host_signals_block( &before );
    owner_lock_take( &making );
    if ( !atomic_load( &fds[kind] ) )
    {
        if ( ( fd = changes_open( kind ) ) < 0 ) error = WSAENOBUFS;
        else if ( epoll_ctl( epoll, EPOLL_CTL_ADD, fd, &event ) < 0 )
        {
            error = winsock_error( errno );
            close( fd );
        }
        else atomic_store( &fds[kind], fd );
    }
    owner_lock_give( &making );
    host_signals_restore( &before );
    return error;
}

/* Another process has the registration that this event is for. */
static int another_is_told( const struct descriptor *d, uint32_t event )
{
    return ( ws2_events_mask( atomic_load( &d->slot->events ) ) & event ) &&
           atomic_load( &d->slot->event_owner ) != connection_client_index();
}

int32_t changes_arm( struct descriptor *d, int routes, uint32_t *need_io_thread )
{
    int32_t error = changes_watch( changes_kind( d, routes ), need_io_thread );

    if ( error ) return error;
    events_reenable( d, rows[routes].event );
    option_set_bit( d->slot, rows[routes].armed, 1 );
    if ( another_is_told( d, rows[routes].event ) )
        event_kick_send( atomic_load( &d->slot->event_owner ), d->slot_index, d->generation );
    return 0;
}

void changes_registered( struct descriptor *d )
{
    uint32_t mask = ws2_events_mask( atomic_load( &d->slot->events ) ), made = 0;

    for ( int routes = 0; routes < 2; routes++ )
        if ( ( mask & rows[routes].event ) && option_bit( d->slot, rows[routes].armed ) )
            changes_watch( changes_kind( d, routes ), &made ); /* registrations have their I/O thread already */
}

static void changes_seen( uint64_t value, uint32_t events )
{
    const uint32_t kind = value >> 3;
    struct descriptor *d;
    uint64_t handle = 0;
    char messages[4096];

    (void)events;
    atomic_fetch_or( &undelivered, 1u << kind ); /* before the socket is quiet: changes_barrier */
    /* an overrun (ENOBUFS) is a change too */
    while ( recv( atomic_load( &fds[kind] ), messages, sizeof( messages ), MSG_DONTWAIT ) >= 0 || errno == ENOBUFS )
        continue;
    atomic_fetch_add( &counts[kind], 1 );
    while ( ( d = descriptor_next( &handle ) ) )
    {
        if ( descriptor_queued( d, QUEUE_CHANGE ) ) upcalls.serve( d );
        descriptor_release( d );
    }
}

static uint32_t changes_due( struct descriptor *d )
{
    uint32_t events = 0;

    for ( int routes = 0; routes < 2; routes++ )
        if ( ( atomic_load( &undelivered ) & 1u << changes_kind( d, routes ) ) &&
             !another_is_told( d, rows[routes].event ) && option_set_bit( d->slot, rows[routes].armed, 0 ) )
            events |= rows[routes].event;
    return events;
}

static void changes_deliver( struct io_turn *turn )
{
    struct ws2_io_wait_params *params = turn->params;
    uint64_t handle = 0;

    if ( !atomic_load( &undelivered ) ) return;
    /* a socket that has been told is not armed any more, so that a second turn begins where the first ended */
    while ( params->count < WS2_IO_ACTIONS )
    {
        struct descriptor *d = descriptor_next( &handle );
        uint32_t events;

        if ( !d )
        {
            atomic_store( &undelivered, 0 );
            break;
        }
        if ( ( events = changes_due( d ) ) )
            params->count += events_arrived( d, events, &params->actions[params->count] );
        descriptor_release( d );
    }
}

void changes_init( void )
{
    static const struct io_source source = { .ready = changes_seen, .turn = changes_deliver };

    io_loop_register( IO_CHANGES, &source );
}
