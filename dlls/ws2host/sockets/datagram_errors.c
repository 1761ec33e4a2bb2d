/* ICMP errors of datagram sockets: see datagram_errors.h. */
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <linux/errqueue.h>
#include "client/connection.h"
#include "client/table_map.h"
#include "descriptors/wait.h"
#include "sockets/datagram_errors.h"
#include "sockets/socket.h"

void datagram_errors_enable( int fd, uint32_t family )
{
    const int on = 1;

    /* a socket of both families meets those of both */
    if ( family == WS_AF_INET6 ) setsockopt( fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof( on ) );
    if ( family != WS_AF_UNIX ) setsockopt( fd, IPPROTO_IP, IP_RECVERR, &on, sizeof( on ) );
}

static int is_own( const struct sockaddr *address )
{
    struct ifaddrs *list;
    int own = 0;

    if ( getifaddrs( &list ) ) return 0;
    for ( struct ifaddrs *next = list; next && !own; next = next->ifa_next )
    {
        if ( !next->ifa_addr || next->ifa_addr->sa_family != address->sa_family ) continue;
        if ( address->sa_family == AF_INET )
            own = ( (struct sockaddr_in *)next->ifa_addr )->sin_addr.s_addr ==
                  ( (const struct sockaddr_in *)address )->sin_addr.s_addr;
        else if ( address->sa_family == AF_INET6 )
            own = IN6_ARE_ADDR_EQUAL( &( (struct sockaddr_in6 *)next->ifa_addr )->sin6_addr,
                                      &( (const struct sockaddr_in6 *)address )->sin6_addr );
    }
    freeifaddrs( list );
    return own;
}

/* The host's own word that nobody answers to an address is no ICMP error of Windows'. */
static int is_from_elsewhere( const struct sock_extended_err *error )
{
    const int expired = error->ee_origin == SO_EE_ORIGIN_ICMP6 ? error->ee_type == ICMP6_TIME_EXCEEDED
                                                               : error->ee_type == ICMP_TIME_EXCEEDED;

    return expired || !is_own( SO_EE_OFFENDER( error ) );
}

static int is_taken_in( const struct ws2_slot *slots, uint16_t port )
{
    for ( const struct ws2_slot *slot = slots; slot < slots + WS2_BLOCK_SLOTS; slot++ )
        if ( slot->type == SOCK_DGRAM && atomic_load( &slot->local_port ) == port &&
             ws2_word_state( atomic_load( &slot->word ) ) != WS2_SLOT_FREE &&
             ( atomic_load( &slot->flags ) & WS2_FLAG_CONNECTED ) )
            return 1;
    return 0;
}

/* Whether a socket of the prefix has the port and is connected to somebody else. On Windows the port is taken then, and what
 * comes is dropped without a word. */
static int is_taken( uint16_t port )
{
    const _Atomic uint32_t *blocks = ws2_table_blocks( connection_table() );
    int taken = 0;

    for ( uint32_t block = 0; block < WS2_BLOCK_COUNT && !taken; block++ )
    {
        const struct ws2_slot *slots =
            atomic_load_explicit( &blocks[block], memory_order_relaxed ) ? table_pin( block * WS2_BLOCK_SLOTS ) : NULL;

        if ( !slots ) continue;
        taken = is_taken_in( slots, port );
        table_unpin( block * WS2_BLOCK_SLOTS );
    }
    return taken;
}

/* What a receive tells of an error, 0 for nothing. detail, and to whom the datagram went: NULL when that is not known. */
static int32_t datagram_error_judge( const struct descriptor *d, int error, const struct sock_extended_err *detail,
                                     const union host_address *to )
{
    const uint32_t flags = descriptor_flags( d );

    switch ( error )
    {
    case ECONNREFUSED:
        if ( !( flags & WS2_FLAG_CONNRESET ) ) return 0;
        /* the port stands at the same place in both families */
        return detail && is_taken( ntohs( to->in.sin_port ) ) && is_own( SO_EE_OFFENDER( detail ) ) ? 0 : WSAECONNRESET;
    case EHOSTUNREACH:
    case ENETUNREACH: return ( flags & WS2_FLAG_NETRESET ) && detail && is_from_elsewhere( detail ) ? WSAENETRESET : 0;
    default: return 0;
    }
}

/* The errors that the host makes of ICMP's, and those that it keeps of its own beside telling them. */
static int is_queued( int error )
{
    switch ( error )
    {
    case ECONNREFUSED:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EMSGSIZE:
    case EPROTO:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
    case EACCES:
    case EHOSTDOWN:
    case ENONET: return 1;
    default: return 0;
    }
}

/* Takes one out of the host's queue: 0 when it is empty. *told: what a receive is to tell of it, 0 for nothing. *local: it
 * was the outcome of a send, which has told it. */
static int datagram_errors_dequeue( const struct descriptor *d, int32_t *told, int *local )
{
    _Alignas( struct cmsghdr ) char control[512];
    union host_address to = { 0 };
    struct msghdr message = {
        .msg_name = &to, .msg_namelen = sizeof( to ), .msg_control = control, .msg_controllen = sizeof( control )
    };

    *told = *local = 0;
    while ( recvmsg( d->fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT ) < 0 )
        if ( errno != EINTR ) return 0;
    for ( struct cmsghdr *item = CMSG_FIRSTHDR( &message ); item; item = CMSG_NXTHDR( &message, item ) )
    {
        const struct sock_extended_err *error = (const struct sock_extended_err *)CMSG_DATA( item );

        if ( !( item->cmsg_level == IPPROTO_IP && item->cmsg_type == IP_RECVERR ) &&
             !( item->cmsg_level == IPPROTO_IPV6 && item->cmsg_type == IPV6_RECVERR ) )
            continue;
        if ( error->ee_origin == SO_EE_ORIGIN_ICMP || error->ee_origin == SO_EE_ORIGIN_ICMP6 )
            *told = datagram_error_judge( d, error->ee_errno, error, &to );
        else *local = 1;
    }
    return 1;
}

static void put_down( struct descriptor *d, int32_t error )
{
    atomic_store( &d->slot->close_error, error );
    descriptor_set_flags( d, WS2_FLAG_DATAGRAM_ERROR );
    /* who waits for a datagram may have missed the moment at which the host showed it */
    wait_wake( d );
}

int32_t datagram_error_take( struct descriptor *d )
{
    if ( !( atomic_fetch_and( &d->slot->flags, ~WS2_FLAG_DATAGRAM_ERROR ) & WS2_FLAG_DATAGRAM_ERROR ) ) return 0;
    return atomic_load( &d->slot->close_error );
}

/* Empties the queue; how many of it were no outcomes of sends. */
static int datagram_errors_drain( struct descriptor *d )
{
    int count = 0, local;
    int32_t told, first = 0;

    while ( datagram_errors_dequeue( d, &told, &local ) )
    {
        count += !local;
        if ( !first ) first = told;
    }
    if ( first && !datagram_error_known( d ) ) put_down( d, first );
    return count;
}

void datagram_errors_look( struct descriptor *d )
{
    int error;
    socklen_t size = sizeof( error );

    /* without anything in the queue: of a connected socket whose errors are turned off */
    if ( !datagram_errors_drain( d ) ) getsockopt( d->fd, SOL_SOCKET, SO_ERROR, &error, &size );
}

int32_t datagram_error_received( struct descriptor *d, int error )
{
    int32_t told;
    int local;

    if ( d->slot->type != SOCK_DGRAM || d->slot->family == WS_AF_UNIX || !is_queued( error ) ) return -1;
    while ( datagram_errors_dequeue( d, &told, &local ) )
        if ( !local ) return told;
    /* another thread has taken it out and put it down */
    if ( datagram_error_known( d ) && ( told = datagram_error_take( d ) ) ) return told;
    return datagram_error_judge( d, error, NULL, NULL );
}

#define SEND_TRIES 1000

int datagram_error_sent( struct descriptor *d, int error, int *tries )
{
    int found;

    if ( d->slot->type != SOCK_DGRAM || d->slot->family == WS_AF_UNIX || !is_queued( error ) ) return 0;
    found = datagram_errors_drain( d );
    return ( found || error == ECONNREFUSED ) && ++*tries < SEND_TRIES;
}

void datagram_errors_forget( struct descriptor *d )
{
    const int32_t error = atomic_load( &d->slot->close_error );
    const uint32_t wanted = error == WSAECONNRESET ? WS2_FLAG_CONNRESET : WS2_FLAG_NETRESET;

    if ( datagram_error_known( d ) && !( descriptor_flags( d ) & wanted ) ) datagram_error_take( d );
}
