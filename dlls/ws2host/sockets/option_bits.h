/*
 * What the floors below the options know of them: the bits that only the slot keeps, and options of the kernel.
 */
#ifndef WS2HOST_OPTION_BITS_H
#define WS2HOST_OPTION_BITS_H

#include "sockets/socket.h"

/* Options that only the slot knows: bits of option_bits, and from 32 on of option_set. */
enum option_bit
{
    BIT_PKTINFO,
    BIT_TTL,
    BIT_TOS,
    BIT_RECVIF,
    BIT_RECVDSTADDR,
    BIT_RECVRTHDR,
    BIT_ARRIVAL_IF,
    BIT_ECN,
    BIT_PKTINFO_EX,
    BIT_BROADCAST,
    BIT_REDIRECT_RECORDS,
    BIT_REDIRECT_CONTEXT,
    BIT_IFLIST,
    BIT_RECVERR,
    BIT_V6ONLY,
    BIT_DONTFRAGMENT,
    BIT_MTU_DISCOVER, /* two bits */
    BIT_MTU_DISCOVER_HIGH,
    BIT_EXPEDITED,
    BIT_STDURG,
    BIT_TIMESTAMPS,
    BIT_FASTOPEN,
    BIT_DELAY_FIN_ACK,
    BIT_NO_SYN_RETRIES,
    BIT_ICMP_FAILS_CONNECT,
    BIT_KEEP_INTERVAL,
    BIT_KEEP_COUNT,
    BIT_OFFLOAD, /* two bits */
    BIT_OFFLOAD_HIGH,
    BIT_SEGMENT,
    BIT_CONNECT_LIMIT,               /* the host's limit for a connection under way is set (connect_limit.c) */
    BIT_MAX_RETRANSMIT,              /* TCP_MAXRT is */
    BIT_INITIAL_RTO = BIT_BROADCAST, /* of streams: SIO_TCP_INITIAL_RTO is */
    /* of streams: an option of the host socket may differ from what a fresh one has (option_carry.c) */
    BIT_KERNEL_SET = BIT_REDIRECT_RECORDS,
    BIT_MULTICAST_DEAF = BIT_KEEP_INTERVAL, /* of the others: IP_MULTICAST_LOOP is off */
    BIT_ECHO = BIT_FASTOPEN,                /* of raw ones: the host's is a ping socket (echo.c) */
    BIT_MESSAGES = BIT_DELAY_FIN_ACK,       /* of the others: WSARecvMsg was used */
    BIT_USELOOPBACK = 32,
    BIT_PAUSE_ACCEPT,
    BIT_REUSE_UNICASTPORT,
    BIT_REUSE_MULTICASTPORT,
    BIT_ADDRESS_CHANGE_ARMED, /* SIO_ADDRESS_LIST_CHANGE was asked for and FD_ADDRESS_LIST_CHANGE is due */
    BIT_ROUTING_CHANGE_ARMED,
    BIT_MULTICAST_IF,                   /* IP_MULTICAST_IF was given as an interface index */
    BIT_ABORTED,                        /* of WS2_FLAG_RESET: the reset came after the end of the peer's stream */
    BIT_SENT = BIT_REUSE_MULTICASTPORT, /* of streams: a send has succeeded since FD_WRITE was told */
};

int option_bit( const struct ws2_slot *slot, enum option_bit bit );
int option_set_bit( struct ws2_slot *slot, enum option_bit bit, int value ); /* what it was */

/* An option of the kernel with an int for a value, where = HOST( level, name ). Winsock codes. */
#define HOST( level, name ) ( (uint32_t)( level ) << 16 | ( name ) )
int32_t option_kernel_get( struct descriptor *descriptor, uint32_t where, uint32_t *value );
/* To be said of whatever else sets such an option. */
void option_kernel_touched( struct ws2_slot *slot );
int32_t option_kernel_set( struct descriptor *descriptor, uint32_t where, uint32_t value );

#endif
