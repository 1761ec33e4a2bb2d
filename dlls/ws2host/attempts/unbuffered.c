/* Sends without a buffer of the system's: see unbuffered.h. */
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include "attempts/unbuffered.h"
#include "sockets/socket.h"

/* How many unsent bytes make the host call the socket not writable; 0: as the system has it. */
static int set_lowest( const struct descriptor *d, int bytes )
{
    return setsockopt( d->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof( bytes ) );
}

int unbuffered_sends( const struct descriptor *d )
{
    return d->slot->type == SOCK_STREAM && d->slot->family != WS_AF_UNIX &&
           ( descriptor_flags( d ) & WS2_FLAG_SNDBUF_SET ) && !atomic_load( &d->slot->send_buffer );
}

int unbuffered_sent( struct descriptor *d )
{
    struct pollfd fd = { .fd = d->fd, .events = POLLOUT };
    int unsent = 0;

    if ( !unbuffered_sends( d ) ) return 1;
    if ( ioctl( d->fd, SIOCOUTQNSD, &unsent ) || !unsent || set_lowest( d, 1 ) ) return 1;
    /* this look is what makes the host tell when it has become true */
    if ( poll( &fd, 1, 0 ) == 0 ) return 0;
    unbuffered_ends( d );
    return 1;
}

void unbuffered_ends( struct descriptor *d ) { set_lowest( d, 0 ); }
