/*
 * SO_LINGER with a time: closesocket of a blocking socket returns when the peer has all the data, or resets the connection
 * when the time is over. Only the last descriptor's closing lingers.
 *
 * The thread that closes waits, looking at the host's queue; nothing tells when that is empty.
 */
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include "base/host_clock.h"
#include "calls/linger.h"

#define LONGEST_NAP 20000000 /* ns */

static int data_left( struct descriptor *d )
{
    int bytes = 0;

    return descriptor_queued( d, QUEUE_SEND ) || ( !ioctl( d->fd, SIOCOUTQ, &bytes ) && bytes > 0 );
}

/* The peer is told at once, whoever has the host socket a moment longer: the I/O thread may be sending still. */
static void reset( int fd )
{
    const struct linger hard = { .l_onoff = 1 };
    const struct sockaddr none = { .sa_family = AF_UNSPEC };

    setsockopt( fd, SOL_SOCKET, SO_LINGER, &hard, sizeof( hard ) );
    if ( connect( fd, &none, sizeof( none ) ) ) shutdown( fd, SHUT_RDWR );
}

void linger_close( struct descriptor *d )
{
    const uint64_t time = atomic_load( &d->slot->linger_seconds ) * 1000000000ull;
    struct timespec nap = { 0, 500000 };
    const uint32_t flags = descriptor_flags( d );
    uint64_t end;

    if ( !atomic_load( &d->slot->linger_onoff ) || !time || d->slot->type != SOCK_STREAM ||
         !( flags & WS2_FLAG_CONNECTED ) || ( flags & WS2_FLAG_NONBLOCKING ) || descriptor_has_others( d ) )
        return;
    for ( end = host_now_ns() + time; data_left( d ); )
    {
        const uint64_t at = host_now_ns();

        if ( at >= end )
        {
            reset( d->fd );
            return;
        }
        if ( (uint64_t)nap.tv_nsec > end - at ) nap.tv_nsec = end - at;
        nanosleep( &nap, NULL );
        if ( nap.tv_nsec < LONGEST_NAP ) nap.tv_nsec *= 2;
    }
}
