/*
 * How long a connection may take that nobody answers. Windows sends three SYNs, each waiting twice as long as the one
 * before, and gives up after 21 s; the host would go on for two minutes. Its time limit for data that is not acknowledged
 * holds for a SYN too, and ends it to the millisecond whoever watches: it is set while a connection is under way, unless
 * the program has set it for good (TCP_MAXRT). Bits of the slot say whose it is.
 */
#include <netinet/tcp.h>
#include "sockets/connect.h"
#include "sockets/option_bits.h"

#define PATIENCE 21000
/* A listener of this computer that does not answer has a full queue, of which Windows tells the client with a reset: that is
 * tried two times more, here at 1 s and 3 s. */
#define PATIENCE_HERE 3500

static void set( struct descriptor *d, uint32_t ms )
{
    option_kernel_touched( d->slot );
    setsockopt( d->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof( ms ) );
}

static int is_own_address( const struct descriptor *d, const union host_address *peer )
{
    union host_address own;
    socklen_t size = sizeof( own );

    if ( getsockname( d->fd, &own.any, &size ) || own.any.sa_family != peer->any.sa_family ) return 0;
    if ( own.any.sa_family == AF_INET ) return own.in.sin_addr.s_addr == peer->in.sin_addr.s_addr;
    return IN6_ARE_ADDR_EQUAL( &own.in6.sin6_addr, &peer->in6.sin6_addr );
}

void connect_limit_begins( struct descriptor *d, const union host_address *peer )
{
    if ( d->slot->family == WS_AF_UNIX || option_bit( d->slot, BIT_MAX_RETRANSMIT ) ||
         option_bit( d->slot, BIT_INITIAL_RTO ) )
        return;
    set( d, is_own_address( d, peer ) ? PATIENCE_HERE : PATIENCE );
    atomic_store( &d->slot->connect_time, connect_clock() );
    option_set_bit( d->slot, BIT_CONNECT_LIMIT, 1 );
}

void connect_limit_ends( struct descriptor *d )
{
    const uint32_t bits = 1u << BIT_CONNECT_LIMIT | 1u << BIT_INITIAL_RTO;

    if ( !( atomic_load_explicit( &d->slot->option_bits, memory_order_relaxed ) & bits ) ) return;
    if ( atomic_fetch_and( &d->slot->option_bits, ~bits ) & bits && !option_bit( d->slot, BIT_MAX_RETRANSMIT ) )
        set( d, 0 );
}

int connect_limit_was_here( const struct descriptor *d )
{
    uint32_t ms = 0;
    socklen_t size = sizeof( ms );

    return option_bit( d->slot, BIT_CONNECT_LIMIT ) &&
           !getsockopt( d->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, &size ) && ms == PATIENCE_HERE;
}

#define SHORTEST 500 /* ms that an attempt lasted: the host has asked the link, and did not know already */

/* The time that the last attempt was given tells when it began. */
uint32_t connect_limit_left( const struct descriptor *d )
{
    uint32_t given = 0;
    socklen_t size = sizeof( given );
    uint64_t age;

    if ( !option_bit( d->slot, BIT_CONNECT_LIMIT ) || !connect_age( d, &age ) || age >= PATIENCE ||
         getsockopt( d->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &given, &size ) || given == PATIENCE_HERE ||
         given > PATIENCE || age < PATIENCE - given + SHORTEST )
        return 0;
    return PATIENCE - age;
}

void connect_limit_continues( struct descriptor *d, uint32_t ms ) { set( d, ms ); }

void connect_limit_set( struct descriptor *d, uint32_t first_ms, uint32_t retransmissions )
{
    uint64_t ms = ( ( 2ull << ( retransmissions < 32 ? retransmissions : 32 ) ) - 1 ) * first_ms;

    if ( option_bit( d->slot, BIT_MAX_RETRANSMIT ) ) return;
    set( d, ms > INT32_MAX ? INT32_MAX : ms );
    option_set_bit( d->slot, BIT_INITIAL_RTO, 1 );
}
