/* Completion ports as the host half has them: an epoll each, counted (port.h). A lock that knows its holder guards the list. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "base/owner_lock.h"
#include "operations/port_private.h"

static owner_lock list_lock;
static struct port *all;

int port_epoll( const struct port *port ) { return port->epoll; }

int port_arm( struct port *port )
{
    struct epoll_event event = { .events = EPOLLIN, .data.u64 = io_key( IO_PORTS, (uintptr_t)port ) };
    uint32_t made = 0;
    int io;

    return io_loop_open( &made, &io ) || epoll_ctl( io, EPOLL_CTL_ADD, port->epoll, &event ) < 0 ? -1 : 0;
}

void port_disarm( struct port *port )
{
    uint32_t made = 0;
    int io;

    if ( !io_loop_open( &made, &io ) ) epoll_ctl( io, EPOLL_CTL_DEL, port->epoll, NULL );
}

void port_hold( struct port *port )
{
    const uint32_t before = atomic_fetch_add( &port->references, 1 );

    assert( before );
    (void)before;
}

void port_release( struct port *port )
{
    struct port **link;

    if ( !port ) return;
    owner_lock_take( &list_lock );
    assert( atomic_load( &port->references ) );
    if ( atomic_fetch_sub( &port->references, 1 ) != 1 ) port = NULL;
    else
    {
        for ( link = &all; *link != port; ) link = &( *link )->next;
        *link = port->next;
    }
    owner_lock_give( &list_lock );
    if ( !port ) return;
    close( port->epoll );
    close( port->wake );
    free( port );
}

/* The next one after that, counted, the one before given back. */
struct port *port_next( struct port *before )
{
    struct port *port;

    owner_lock_take( &list_lock );
    if ( ( port = before ? before->next : all ) ) atomic_fetch_add( &port->references, 1 );
    owner_lock_give( &list_lock );
    port_release( before );
    return port;
}

NTSTATUS unix_port_open( void *args )
{
    struct ws2_port_open_params *params = args;
    struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.u64 = PORT_WAKE_KEY };
    struct port *port = calloc( 1, sizeof( *port ) );
    int io;

    params->error = WSAENOBUFS;
    if ( !port ) return 0;
    port->references = 1;
    if ( ( port->epoll = epoll_create1( EPOLL_CLOEXEC ) ) < 0 ) goto free_port;
    if ( ( port->wake = eventfd( 0, EFD_CLOEXEC | EFD_NONBLOCK ) ) < 0 ) goto close_epoll;
    if ( epoll_ctl( port->epoll, EPOLL_CTL_ADD, port->wake, &event ) ) goto close_wake;
    if ( ( params->error = io_loop_open( &params->need_io_thread, &io ) ) ) goto close_wake;

    owner_lock_take( &list_lock );
    port->next = all;
    all = port;
    owner_lock_give( &list_lock );
    if ( !port_arm( port ) ) params->port = (uintptr_t)port;
    else
    {
        params->error = WSAENOBUFS;
        port_release( port );
    }
    return 0;

close_wake:
    close( port->wake );
close_epoll:
    close( port->epoll );
free_port:
    free( port );
    return 0;
}

NTSTATUS unix_port_close( void *args )
{
    struct ws2_port_open_params *params = args;
    struct port *port = (struct port *)(uintptr_t)params->port;

    params->error = 0;
    if ( !port ) return 0;
    port_release( port );
    return 0;
}
