/*
 * SO_LINGER with a time: closesocket of a blocking socket returns when the peer has all the data, or resets the connection
 * when the time is over. Only the last descriptor's closing lingers.
 *
 * The thread that closes waits, looking at the host's queue; nothing tells when that is empty.
 */
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include "calls/linger.h"

#define LONGEST_NAP 20000000 /* ns */

static int data_left( struct descriptor *d )
{
    int bytes = 0;

    return descriptor_queued( d, QUEUE_SEND ) || ( !ioctl( d->fd, SIOCOUTQ, &bytes ) && bytes > 0 );
}

void linger_close( struct descriptor *d )
{
    const struct linger hard = { .l_onoff = 1 };
    uint64_t left = atomic_load( &d->slot->linger_seconds ) * 1000000000ull;
    struct timespec nap = { 0, 500000 };
    const uint32_t flags = descriptor_flags( d );

    if ( !atomic_load( &d->slot->linger_onoff ) || !left || d->slot->type != SOCK_STREAM ||
         !( flags & WS2_FLAG_CONNECTED ) || ( flags & WS2_FLAG_NONBLOCKING ) || descriptor_has_others( d ) )
        return;
    while ( data_left( d ) )
    {
        if ( !left )
        {
            setsockopt( d->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof( hard ) );
            shutdown( d->fd, SHUT_RDWR ); /* ends what the I/O thread is sending still */
            return;
        }
        if ( (uint64_t)nap.tv_nsec > left ) nap.tv_nsec = left;
        nanosleep( &nap, NULL );
        left -= nap.tv_nsec;
        if ( nap.tv_nsec < LONGEST_NAP ) nap.tv_nsec *= 2;
    }
}
