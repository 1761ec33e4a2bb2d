/* Control data of datagrams: see control.h. Which of it a socket wants is bits of its slot (option.h). */
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <string.h>
#include "sockets/control.h"
#include "sockets/echo.h"
#include "sockets/option_bits.h"
#include "sockets/subnets.h"
#include "sockets/windows_message.h"

/* cmsg_type of Windows, at IPPROTO_IP and IPPROTO_IPV6 alike unless said otherwise */
enum
{
    WS_IP_TOS = 3, /* IPPROTO_IP */
    WS_IP_TTL = 4, /* IPPROTO_IP */
    WS_PKTINFO = 19,
    WS_HOPLIMIT = 21, /* of IPv4 too in older versions */
    WS_RECVIF = 24,
    WS_RECVDSTADDR = 25,
    WS_TCLASS = 39, /* IPPROTO_IPV6 */
    WS_ARRIVAL_IF = 47,
    WS_ECN = 50,
    WS_PKTINFO_EX = 51,
    WS_UDP_SEND_MSG_SIZE = 2 /* IPPROTO_UDP */
};

static const enum option_bit packet_bits[] = { BIT_PKTINFO,    BIT_RECVIF,     BIT_RECVDSTADDR,
                                               BIT_ARRIVAL_IF, BIT_PKTINFO_EX, BIT_MESSAGES };

static uint32_t bits_of( const struct ws2_slot *slot ) { return atomic_load( &slot->option_bits ); }

/* What asks for the packet's destination: registered I/O tells it without an option. */
static int wants_packet( const struct ws2_slot *slot )
{
    uint32_t bits = bits_of( slot );

    if ( atomic_load( &slot->flags ) & WS2_FLAG_REGISTERED_IO ) return 1;
    for ( unsigned int i = 0; i < sizeof( packet_bits ) / sizeof( packet_bits[0] ); i++ )
        if ( bits >> packet_bits[i] & 1 ) return 1;
    return 0;
}

int control_wanted( const struct descriptor *d )
{
    uint32_t bits = bits_of( d->slot );

    return wants_packet( d->slot ) || ( bits & ( 1u << BIT_TTL | 1u << BIT_TOS | 1u << BIT_ECN ) );
}

int32_t control_enable( struct descriptor *d )
{
    uint32_t bits = bits_of( d->slot ), packet = wants_packet( d->slot );
    /* the headers that are made up for ping sockets have it too */
    uint32_t ttl = ( bits >> BIT_TTL & 1 ) | (uint32_t)echo_stands_in( d );
    uint32_t tos = ( bits >> BIT_TOS | bits >> BIT_ECN ) & 1;
    int32_t error;

    if ( d->slot->family == WS_AF_INET6 )
    {
        if ( ( error = option_kernel_set( d, HOST( IPPROTO_IPV6, IPV6_RECVPKTINFO ), packet ) ) ) return error;
        if ( ( error = option_kernel_set( d, HOST( IPPROTO_IPV6, IPV6_RECVHOPLIMIT ), ttl ) ) ) return error;
        if ( ( error = option_kernel_set( d, HOST( IPPROTO_IPV6, IPV6_RECVTCLASS ), tos ) ) ) return error;
        /* IPv4 datagrams of a dual-stack socket bring theirs in IPv4's form; other sockets may refuse these */
        option_kernel_set( d, HOST( IPPROTO_IP, IP_PKTINFO ), packet );
        option_kernel_set( d, HOST( IPPROTO_IP, IP_RECVTTL ), ttl );
        option_kernel_set( d, HOST( IPPROTO_IP, IP_RECVTOS ), tos );
        return 0;
    }
    if ( ( error = option_kernel_set( d, HOST( IPPROTO_IP, IP_PKTINFO ), packet ) ) ) return error;
    if ( ( error = option_kernel_set( d, HOST( IPPROTO_IP, IP_RECVTTL ), ttl ) ) ) return error;
    return option_kernel_set( d, HOST( IPPROTO_IP, IP_RECVTOS ), tos );
}

void control_want_kind( struct descriptor *d )
{
    if ( d->slot->type != SOCK_STREAM && !option_bit( d->slot, BIT_MESSAGES ) &&
         !option_set_bit( d->slot, BIT_MESSAGES, 1 ) )
        control_enable( d );
}

/* --- sending */

/* WSACMSGHDR: SIZE_T cmsg_len, INT cmsg_level, INT cmsg_type; data and next header at multiples of the width. */
static uint32_t control_align( uint32_t size, uint32_t width ) { return ( size + width - 1 ) & ~( width - 1 ); }
static uint32_t header_size( uint32_t width ) { return width + 8; }

struct writer
{
    char *next;
    size_t left;
};

static int put_host( struct writer *writer, int level, int type, const void *data, uint32_t size )
{
    struct cmsghdr *header = (struct cmsghdr *)writer->next;

    if ( writer->left < CMSG_SPACE( size ) ) return 0;
    memset( header, 0, CMSG_SPACE( size ) );
    header->cmsg_len = CMSG_LEN( size );
    header->cmsg_level = level;
    header->cmsg_type = type;
    memcpy( CMSG_DATA( header ), data, size );
    writer->next += CMSG_SPACE( size );
    writer->left -= CMSG_SPACE( size );
    return 1;
}

/* One message of Windows'. 0 when it is not understood. */
static int convert_message( struct writer *writer, int32_t level, int32_t type, const unsigned char *data,
                            uint32_t size )
{
    int number = 0;

    if ( size >= 4 ) memcpy( &number, data, 4 );
    if ( level == IPPROTO_IP && type == WS_PKTINFO && size >= 8 )
    {
        struct in_pktinfo info = { 0 };

        memcpy( &info.ipi_spec_dst, data, 4 ); /* the address to send from */
        memcpy( &info.ipi_ifindex, data + 4, 4 );
        return put_host( writer, IPPROTO_IP, IP_PKTINFO, &info, sizeof( info ) );
    }
    if ( level == IPPROTO_IPV6 && type == WS_PKTINFO && size >= sizeof( struct in6_pktinfo ) )
        return put_host( writer, IPPROTO_IPV6, IPV6_PKTINFO, data, sizeof( struct in6_pktinfo ) );
    if ( size < 4 ) return 0;
    if ( level == IPPROTO_IP && ( type == WS_IP_TOS || type == WS_ECN ) )
        return put_host( writer, IPPROTO_IP, IP_TOS, &number, sizeof( number ) );
    if ( level == IPPROTO_IP && ( type == WS_IP_TTL || type == WS_HOPLIMIT ) )
        return put_host( writer, IPPROTO_IP, IP_TTL, &number, sizeof( number ) );
    if ( level == IPPROTO_IPV6 && ( type == WS_TCLASS || type == WS_ECN ) )
        return put_host( writer, IPPROTO_IPV6, IPV6_TCLASS, &number, sizeof( number ) );
    if ( level == IPPROTO_IPV6 && type == WS_HOPLIMIT )
        return put_host( writer, IPPROTO_IPV6, IPV6_HOPLIMIT, &number, sizeof( number ) );
    if ( level == IPPROTO_UDP && type == WS_UDP_SEND_MSG_SIZE )
    {
        uint16_t segment = number;
        return put_host( writer, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof( segment ) );
    }
    return 0;
}

int32_t control_to_host( const void *user, uint32_t size, uint32_t width, void *host, size_t *host_size )
{
    struct writer writer = { host, CONTROL_HOST_SIZE };
    const unsigned char *next = user;

    while ( size >= header_size( width ) )
    {
        uint64_t length = 0;
        int32_t level, type;
        uint32_t begin = control_align( header_size( width ), width ), step;

        memcpy( &length, next, width );
        memcpy( &level, next + width, 4 );
        memcpy( &type, next + width + 4, 4 );
        if ( length < begin || length > size ) return WSAEINVAL;
        if ( !convert_message( &writer, level, type, next + begin, length - begin ) ) return WSAEINVAL;
        step = control_align( length, width );
        if ( step >= size ) break;
        next += step;
        size -= step;
    }
    *host_size = writer.next - (char *)host;
    return 0;
}

/* --- receiving */

struct receiver
{
    uint32_t width;
    unsigned char *user;
    uint32_t used;
    uint32_t capacity;
    int truncated;
};

static void put_user( struct receiver *receiver, int32_t level, int32_t type, const void *data, uint32_t size )
{
    uint32_t width = receiver->width, begin = control_align( header_size( width ), width );
    uint64_t length = begin + size;
    unsigned char *target = receiver->user + receiver->used;

    if ( receiver->capacity - receiver->used < length )
    {
        receiver->truncated = 1;
        return;
    }
    memset( target, 0, begin );
    memcpy( target, &length, width );
    memcpy( target + width, &level, 4 );
    memcpy( target + width + 4, &type, 4 );
    memcpy( target + begin, data, size );
    receiver->used += length;
    /* padding belongs to the next header; the last message may end at the buffer's end without it */
    while ( receiver->used % width && receiver->used < receiver->capacity ) receiver->user[receiver->used++] = 0;
}

/* What IN_PKTINFO and its relatives say: destination address and interface. */
static void put_packet( struct receiver *receiver, uint32_t bits, int32_t level, const void *address,
                        uint32_t address_size, uint32_t interface )
{
    unsigned char info[24] = { 0 };
    uint32_t loopback_zone = 0; /* SCOPE_ID of IN_PKTINFO_EX */

    memcpy( info, address, address_size );
    memcpy( info + address_size, &interface, 4 );
    memcpy( info + address_size + 4, &loopback_zone, 4 );
    if ( bits >> BIT_PKTINFO & 1 ) put_user( receiver, level, WS_PKTINFO, info, address_size + 4 );
    if ( bits >> BIT_PKTINFO_EX & 1 ) put_user( receiver, level, WS_PKTINFO_EX, info, address_size + 8 );
    if ( bits >> BIT_RECVDSTADDR & 1 ) put_user( receiver, level, WS_RECVDSTADDR, address, address_size );
    if ( bits >> BIT_RECVIF & 1 ) put_user( receiver, level, WS_RECVIF, &interface, 4 );
    if ( bits >> BIT_ARRIVAL_IF & 1 ) put_user( receiver, level, WS_ARRIVAL_IF, &interface, 4 );
}

static void put_class( struct receiver *receiver, uint32_t bits, int32_t level, int32_t type, int value )
{
    int ecn = value & 3;

    if ( bits >> BIT_TOS & 1 ) put_user( receiver, level, type, &value, sizeof( value ) );
    if ( bits >> BIT_ECN & 1 ) put_user( receiver, level, WS_ECN, &ecn, sizeof( ecn ) );
}

static void put_ttl( struct receiver *receiver, uint32_t bits, int32_t level, int32_t type, int value )
{
    if ( bits >> BIT_TTL & 1 ) put_user( receiver, level, type, &value, sizeof( value ) );
}

/* The data of a message of the host's, if it is of that kind and whole. */
static int control_take( const struct cmsghdr *cmsg, int level, int type, void *data, size_t size )
{
    if ( cmsg->cmsg_level != level || cmsg->cmsg_type != type || cmsg->cmsg_len < CMSG_LEN( size ) ) return 0;
    memcpy( data, CMSG_DATA( cmsg ), size );
    return 1;
}

uint32_t control_from_host( const struct descriptor *d, struct msghdr *header, uint32_t width, void *user,
                            uint32_t capacity, int *truncated )
{
    struct receiver receiver = { width, user, 0, capacity, ( header->msg_flags & MSG_CTRUNC ) != 0 };
    uint32_t bits = bits_of( d->slot );

    for ( struct cmsghdr *cmsg = CMSG_FIRSTHDR( header ); cmsg; cmsg = CMSG_NXTHDR( header, cmsg ) )
    {
        struct in_pktinfo info;
        struct in6_pktinfo info6;
        unsigned char class;
        int number;

        if ( control_take( cmsg, IPPROTO_IP, IP_PKTINFO, &info, sizeof( info ) ) )
            put_packet( &receiver, bits, IPPROTO_IP, &info.ipi_addr, 4, info.ipi_ifindex );
        else if ( control_take( cmsg, IPPROTO_IPV6, IPV6_PKTINFO, &info6, sizeof( info6 ) ) )
        {
            /* a mapped destination has come as IP_PKTINFO too */
            if ( !IN6_IS_ADDR_V4MAPPED( &info6.ipi6_addr ) )
                put_packet( &receiver, bits, IPPROTO_IPV6, &info6.ipi6_addr, 16, info6.ipi6_ifindex );
        }
        else if ( control_take( cmsg, IPPROTO_IP, IP_TOS, &class, sizeof( class ) ) )
            put_class( &receiver, bits, IPPROTO_IP, WS_IP_TOS, class );
        else if ( control_take( cmsg, IPPROTO_IP, IP_TTL, &number, sizeof( number ) ) )
            put_ttl( &receiver, bits, IPPROTO_IP, WS_IP_TTL, number );
        else if ( control_take( cmsg, IPPROTO_IPV6, IPV6_HOPLIMIT, &number, sizeof( number ) ) )
            put_ttl( &receiver, bits, IPPROTO_IPV6, WS_HOPLIMIT, number );
        else if ( control_take( cmsg, IPPROTO_IPV6, IPV6_TCLASS, &number, sizeof( number ) ) )
            put_class( &receiver, bits, IPPROTO_IPV6, WS_TCLASS, number );
    }
    *truncated = receiver.truncated;
    return receiver.used;
}

/* The host gives the address of its own that a datagram has come to beside the one that it was sent to: another one when that
 * was a broadcast. It does not know the first of one that came before it was asked. */
static int was_broadcast( const struct in_pktinfo *info )
{
    union host_address address = { .in = { .sin_family = AF_INET, .sin_addr = info->ipi_addr } };

    if ( info->ipi_spec_dst.s_addr ) return info->ipi_spec_dst.s_addr != info->ipi_addr.s_addr;
    return adapter_is_broadcast( &address );
}

uint32_t control_kind( struct msghdr *header )
{
    for ( struct cmsghdr *cmsg = CMSG_FIRSTHDR( header ); cmsg; cmsg = CMSG_NXTHDR( header, cmsg ) )
    {
        struct in_pktinfo info;
        struct in6_pktinfo info6;

        if ( control_take( cmsg, IPPROTO_IP, IP_PKTINFO, &info, sizeof( info ) ) )
        {
            if ( IN_MULTICAST( ntohl( info.ipi_addr.s_addr ) ) ) return WS_MSG_MCAST;
            return was_broadcast( &info ) ? WS_MSG_BCAST : 0;
        }
        if ( control_take( cmsg, IPPROTO_IPV6, IPV6_PKTINFO, &info6, sizeof( info6 ) ) &&
             !IN6_IS_ADDR_V4MAPPED( &info6.ipi6_addr ) )
            return IN6_IS_ADDR_MULTICAST( &info6.ipi6_addr ) ? WS_MSG_MCAST : 0;
    }
    return 0;
}

uint32_t control_destination( const struct descriptor *d, struct msghdr *header, union host_address *address )
{
    uint16_t port = htons( atomic_load( &d->slot->local_port ) );

    memset( address, 0, sizeof( *address ) );
    for ( struct cmsghdr *cmsg = CMSG_FIRSTHDR( header ); cmsg; cmsg = CMSG_NXTHDR( header, cmsg ) )
    {
        if ( d->slot->family == WS_AF_INET6 && cmsg->cmsg_level == IPPROTO_IPV6 && cmsg->cmsg_type == IPV6_PKTINFO )
        {
            struct in6_pktinfo info;

            memcpy( &info, CMSG_DATA( cmsg ), sizeof( info ) );
            address->in6.sin6_family = WS_AF_INET6;
            address->in6.sin6_port = port;
            address->in6.sin6_addr = info.ipi6_addr;
            if ( IN6_IS_ADDR_LINKLOCAL( &info.ipi6_addr ) ) address->in6.sin6_scope_id = info.ipi6_ifindex;
            return sizeof( address->in6 );
        }
        if ( d->slot->family == WS_AF_INET && cmsg->cmsg_level == IPPROTO_IP && cmsg->cmsg_type == IP_PKTINFO )
        {
            struct in_pktinfo info;

            memcpy( &info, CMSG_DATA( cmsg ), sizeof( info ) );
            address->in.sin_family = WS_AF_INET;
            address->in.sin_port = port;
            address->in.sin_addr = info.ipi_addr;
            return sizeof( address->in );
        }
    }
    return 0;
}
