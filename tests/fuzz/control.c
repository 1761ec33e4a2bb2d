/*
 * Control data, both ways. Sent: any bytes at all become a well-formed host list of known size, or WSAEINVAL. Received: any
 * list of the host's, whatever its messages are and however short, becomes a well-formed list of Windows' that stays within
 * the room given.
 *
 * An input's first byte says which (RECEIVED) and the width of a pointer; the rest is the data to send, or what the program
 * has asked for (4 bytes), its room (1), and messages of the host's: level, type, length of the data, data.
 */
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include "sockets/control.h"
#include "options/option.h"
#include "sockets/subnets.h"
#include "sockets/windows_message.h"

#define RECEIVED 0x80
#define HOST_ROOM 1024

int LLVMFuzzerTestOneInput( const uint8_t *data, size_t size );

int32_t option_kernel_set( struct descriptor *d, uint32_t where, uint32_t value )
{
    (void)d, (void)where, (void)value;
    return 0;
}

/* What asks for control data is the input's. */
int option_bit( const struct ws2_slot *slot, enum option_bit bit )
{
    return atomic_load( &slot->option_bits ) >> bit & 1;
}

int option_set_bit( struct ws2_slot *slot, enum option_bit bit, int value )
{
    (void)slot, (void)bit;
    return value;
}

int adapter_is_broadcast( const union host_address *address )
{
    return ( ntohl( address->in.sin_addr.s_addr ) & 0xff ) == 0xff;
}

static void send_it( const uint8_t *data, size_t size, uint32_t width )
{
    _Alignas( struct cmsghdr ) char host[CONTROL_HOST_SIZE];
    struct msghdr header = { .msg_control = host };
    size_t used = 0;
    /* of its exact size, so that a byte too many is seen */
    char *copy = malloc( size ? size : 1 );

    if ( !copy ) return;
    memcpy( copy, data, size );
    if ( !control_to_host( copy, size, width, host, &used ) )
    {
        if ( used > sizeof( host ) ) abort();
        header.msg_controllen = used;
        for ( struct cmsghdr *cmsg = CMSG_FIRSTHDR( &header ); cmsg; cmsg = CMSG_NXTHDR( &header, cmsg ) )
            if ( cmsg->cmsg_len < CMSG_LEN( 0 ) || (char *)cmsg + cmsg->cmsg_len > host + used ) abort();
    }
    free( copy );
}

static const int levels[] = { IPPROTO_IP, IPPROTO_IPV6, SOL_SOCKET, IPPROTO_UDP };
static const int types[] = {
    IP_PKTINFO, IPV6_PKTINFO, IP_TOS, IP_TTL, IPV6_HOPLIMIT, IPV6_TCLASS, IP_RECVERR, UDP_GRO
};
#define pick( table, byte ) ( table )[( byte ) % ( sizeof( table ) / sizeof( ( table )[0] ) )]

/* The host's list that the input describes, the last message ending where its memory does. */
static struct msghdr host_list( const uint8_t *data, size_t size )
{
    struct msghdr header = { .msg_control = calloc( 1, HOST_ROOM ) };
    size_t used = 0, end = 0;

    while ( header.msg_control && size >= 3 && HOST_ROOM - used >= CMSG_SPACE( 255 ) )
    {
        const size_t length = data[2] < size - 3 ? data[2] : size - 3;
        struct cmsghdr *cmsg = (struct cmsghdr *)( (char *)header.msg_control + used );

        cmsg->cmsg_level = pick( levels, data[0] );
        cmsg->cmsg_type = pick( types, data[1] );
        cmsg->cmsg_len = CMSG_LEN( length );
        memcpy( CMSG_DATA( cmsg ), data + 3, length );
        end = used + CMSG_LEN( length );
        used += CMSG_SPACE( length );
        data += 3 + length;
        size -= 3 + length;
    }
    header.msg_control = realloc( header.msg_control, end ? end : 1 );
    header.msg_controllen = end;
    return header;
}

static void check_user_list( const char *list, uint32_t used, uint32_t width )
{
    const uint32_t begin = ( width + 8 + width - 1 ) & ~( width - 1 );

    for ( uint32_t at = 0; at < used; )
    {
        uint64_t length = 0;

        if ( used - at < begin ) abort();
        memcpy( &length, list + at, width );
        if ( length < begin || length > used - at ) abort();
        at += ( length + width - 1 ) & ~( width - 1 );
    }
}

static void receive_it( const uint8_t *data, size_t size, uint32_t width )
{
    struct ws2_slot slot = { 0 };
    struct descriptor d = { .slot = &slot };
    uint32_t bits, capacity, used;
    struct msghdr header;
    int truncated;
    char *user;

    if ( size < 5 ) return;
    memcpy( &bits, data, 4 );
    atomic_store( &slot.option_bits, bits );
    capacity = 2u * data[4];
    header = host_list( data + 5, size - 5 );
    if ( ( user = malloc( capacity ? capacity : 1 ) ) && header.msg_control )
    {
        used = control_from_host( &d, &header, width, user, capacity, &truncated );
        if ( used > capacity ) abort();
        check_user_list( user, used, width );
        if ( control_kind( &header ) & ~( WS_MSG_BCAST | WS_MSG_MCAST ) ) abort();
    }
    free( user );
    free( header.msg_control );
}

int LLVMFuzzerTestOneInput( const uint8_t *data, size_t size )
{
    const uint32_t width = size && data[0] & 1 ? 4 : 8;

    if ( !size ) return 0;
    if ( data[0] & RECEIVED ) receive_it( data + 1, size - 1, width );
    else send_it( data + 1, size - 1, width );
    return 0;
}
