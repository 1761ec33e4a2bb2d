/*
 * Options of a descriptor whose host socket is replaced: what the program has set on the one that goes holds for the one
 * that comes (AcceptEx sets a connection in an acceptor's place, DisconnectEx a fresh socket in a used one's). What the
 * table keeps needs nothing; what the kernel keeps is read from the one and set on the other. Constant.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include "options/option.h"

#define ANY_FAMILY 0

static const struct
{
    int family, level, name;
} carried[] = {
    { ANY_FAMILY, SOL_SOCKET, SO_KEEPALIVE },  { ANY_FAMILY, SOL_SOCKET, SO_OOBINLINE },
    { ANY_FAMILY, SOL_SOCKET, SO_LINGER },     { ANY_FAMILY, SOL_SOCKET, SO_DONTROUTE },
    { ANY_FAMILY, SOL_SOCKET, SO_PRIORITY },   { ANY_FAMILY, IPPROTO_TCP, TCP_NODELAY },
    { ANY_FAMILY, IPPROTO_TCP, TCP_KEEPIDLE }, { ANY_FAMILY, IPPROTO_TCP, TCP_KEEPINTVL },
    { ANY_FAMILY, IPPROTO_TCP, TCP_KEEPCNT },  { ANY_FAMILY, IPPROTO_TCP, TCP_USER_TIMEOUT },
    { AF_INET, IPPROTO_IP, IP_TTL },           { AF_INET, IPPROTO_IP, IP_TOS },
    { AF_INET, IPPROTO_IP, IP_MTU_DISCOVER },  { AF_INET6, IPPROTO_IPV6, IPV6_UNICAST_HOPS },
    { AF_INET6, IPPROTO_IPV6, IPV6_TCLASS },   { AF_INET6, IPPROTO_IPV6, IPV6_MTU_DISCOVER },
};

static int read_option( int fd, int level, int name, struct linger *value, socklen_t *size )
{
    memset( value, 0, sizeof( *value ) );
    *size = sizeof( *value );
    return getsockopt( fd, level, name, value, size );
}

/* The host's buffers tune themselves until somebody sets them: only what the program asked for goes on. */
static void carry_buffer( int from, int to, int name )
{
    int wanted, granted;
    socklen_t size = sizeof( int );

    if ( getsockopt( from, SOL_SOCKET, name, &wanted, &size ) || getsockopt( to, SOL_SOCKET, name, &granted, &size ) )
        return;
    wanted /= 2; /* the host tells the double of what it was given */
    if ( wanted > granted / 2 ) setsockopt( to, SOL_SOCKET, name, &wanted, sizeof( wanted ) );
}

static int is_touched( const struct descriptor *d )
{
    return option_bit( d->slot, BIT_KERNEL_SET ) ||
           ( descriptor_flags( d ) & ( WS2_FLAG_RCVBUF_SET | WS2_FLAG_SNDBUF_SET ) );
}

void option_carry( const struct descriptor *d, int from, int to, const struct descriptor *listener )
{
    const int family = d->slot->family == WS_AF_INET6 ? AF_INET6 : AF_INET;

    if ( d->slot->type != SOCK_STREAM ) return;
    /* as they were made, both of them */
    if ( !is_touched( d ) && ( !listener || !is_touched( listener ) ) ) return;
    for ( unsigned int i = 0; i < sizeof( carried ) / sizeof( carried[0] ); i++ )
    {
        struct linger old, new;
        socklen_t size, ignored;

        if ( carried[i].family != ANY_FAMILY && carried[i].family != family ) continue;
        if ( read_option( from, carried[i].level, carried[i].name, &old, &size ) ||
             read_option( to, carried[i].level, carried[i].name, &new, &ignored ) ||
             !memcmp( &old, &new, sizeof( old ) ) )
            continue;
        setsockopt( to, carried[i].level, carried[i].name, &old, size );
    }
    if ( descriptor_flags( d ) & WS2_FLAG_RCVBUF_SET ) carry_buffer( from, to, SO_RCVBUF );
    if ( descriptor_flags( d ) & WS2_FLAG_SNDBUF_SET ) carry_buffer( from, to, SO_SNDBUF );
}
