/* Urgent bytes that were read past: see urgent.h. */
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include "sockets/urgent.h"

static int urgent_outstanding( const struct descriptor *d )
{
    struct pollfd fd = { .fd = d->fd, .events = POLLPRI };

    poll( &fd, 1, 0 );
    return fd.revents & POLLPRI;
}

int urgent_at_mark( struct descriptor *d )
{
    return !( atomic_fetch_or( &d->local, LOCAL_MARK_WATCHED ) & LOCAL_URGENT_KEPT ) && !urgent_outstanding( d );
}

int urgent_look_slow( struct descriptor *d )
{
    uint8_t byte;

    return recv( d->fd, &byte, 1, MSG_OOB | MSG_PEEK | MSG_DONTWAIT ) == 1 ? byte : -1;
}

void urgent_passed_slow( struct descriptor *d, int byte )
{
    if ( urgent_outstanding( d ) || ( atomic_load( &d->local ) & LOCAL_URGENT_KEPT ) ) return;
    atomic_store( &d->urgent, byte );
    atomic_fetch_or( &d->local, LOCAL_URGENT_KEPT );
}

int urgent_fetch( struct descriptor *d, uint32_t flags, uint8_t *byte )
{
    uint32_t local = atomic_load_explicit( &d->local, memory_order_relaxed );

    if ( !( local & LOCAL_URGENT_KEPT ) ) return 0;
    *byte = atomic_load( &d->urgent );
    return flags & WS_MSG_PEEK ? 1 : !!( atomic_fetch_and( &d->local, ~LOCAL_URGENT_KEPT ) & LOCAL_URGENT_KEPT );
}

void urgent_inlined( struct descriptor *d )
{
    int at_mark = 0;
    char byte;

    if ( !( descriptor_flags( d ) & WS2_FLAG_URGENT_TAKEN ) ) return;
    if ( !ioctl( d->fd, SIOCATMARK, &at_mark ) && at_mark ) recv( d->fd, &byte, 1, MSG_DONTWAIT );
    descriptor_clear_flags( d, WS2_FLAG_URGENT_TAKEN );
}
