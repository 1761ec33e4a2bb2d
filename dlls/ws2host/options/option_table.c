/*
 * Every socket option: its number on Windows, its class, the sockets that have it, and where its value lives. Data only;
 * options.c reads it. An option that is asked for often stands near the top of its level.
 */
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stddef.h>
#include "options/option.h"

#define FIELD( name ) offsetof( struct ws2_slot, name )

/* number, name, class, sockets, access, then place and where */
#define KERNEL( number, name, class, types, access, level, host ) \
    { \
        number, CLASS_##class, TYPE_##types, access, PLACE_KERNEL, HOST( level, host ), 0, 0, NULL, NULL \
    }
#define FLAG( number, name, class, types, access, flag ) \
    { \
        number, CLASS_##class, TYPE_##types, access, PLACE_FLAG, flag, 0, 0, NULL, NULL \
    }
#define BIT( number, name, class, types, bit, initial ) \
    { \
        number, CLASS_##class, TYPE_##types, ACCESS_BOTH, PLACE_BIT, bit, initial, 0, NULL, NULL \
    }
#define CONTROL( number, name, bit ) \
    { \
        number, CLASS_PS, TYPE_MESSAGE, ACCESS_BOTH, PLACE_CONTROL, bit, 0, 0, NULL, NULL \
    }
#define SLOT( number, name, class, types, access, field ) \
    { \
        number, CLASS_##class, TYPE_##types, access, PLACE_FIELD, FIELD( field ), 0, 0, NULL, NULL \
    }
/* functions of its own; detail is theirs */
#define OWN( number, name, class, types, access, detail, initial, get, set ) \
    { \
        number, CLASS_##class, TYPE_##types, access, PLACE_OWN, detail, initial, 0, get, set \
    }
/* a struct that can only be set: detail is the host's option */
#define STRUCT( number, name, types, size, detail, set ) \
    { \
        number, CLASS_BYTES, TYPE_##types, ACCESS_SET, PLACE_OWN, detail, 0, size, NULL, set \
    }

#define RW ACCESS_BOTH
#define RO ACCESS_GET
#define WO ACCESS_SET

static const struct option socket_options[] = {
    OWN( 0x1007, SO_ERROR, DK, ANY, RW, 0, 0, option_get_error, option_set_error ),
    OWN( 0x1008, SO_TYPE, DK, ANY, RO, 0, 0, option_get_type, NULL ),
    SLOT( 0x1006, SO_RCVTIMEO, DK, ANY, RW, receive_timeout ),
    SLOT( 0x1005, SO_SNDTIMEO, DK, ANY, RW, send_timeout ),
    OWN( 0x1002, SO_RCVBUF, DZ, ANY, RW, SO_RCVBUF, 65536, option_get_buffer, option_set_buffer ),
    OWN( 0x1001, SO_SNDBUF, DZ, ANY, RW, SO_SNDBUF, 65536, option_get_buffer, option_set_buffer ),
    OWN( 0x0008, SO_KEEPALIVE, B1, STREAM, RW, HOST( SOL_SOCKET, SO_KEEPALIVE ), 0, option_get_kernel,
         option_set_keepalive ),
    { 0x0004 /* SO_REUSEADDR */, CLASS_B4, TYPE_ANY, RW, PLACE_OWN, WS2_FLAG_REUSEADDR, 0, 0, option_get_flag,
      option_set_sharing },
    { ~0x0004 /* SO_EXCLUSIVEADDRUSE */, CLASS_B4, TYPE_ANY, RW, PLACE_OWN, WS2_FLAG_EXCLUSIVE, 0, 0, option_get_flag,
      option_set_sharing },
    OWN( 0x0080, SO_LINGER, DZ, STREAM, RW, 0, 0, option_get_linger, option_set_linger ),
    OWN( ~0x0080, SO_DONTLINGER, B4, STREAM, RW, 0, 0, option_get_dontlinger, option_set_dontlinger ),
    KERNEL( 0x0020, SO_BROADCAST, B4, MESSAGE, RW, SOL_SOCKET, SO_BROADCAST ),
    OWN( 0x0100, SO_OOBINLINE, B4, STREAM, RW, WS2_FLAG_OOBINLINE, 0, option_get_flag, option_set_oobinline ),
    /* the host's routes are never passed by: Windows accepts it and ignores it just so */
    FLAG( 0x0010, SO_DONTROUTE, B1, ANY, RW, WS2_FLAG_DONTROUTE ),
    FLAG( 0x0001, SO_DEBUG, B4, ANY, RW, WS2_FLAG_DEBUG ),
    FLAG( 0x0002, SO_ACCEPTCONN, DK, STREAM, RO, WS2_FLAG_LISTENING ),
    BIT( 0x0040, SO_USELOOPBACK, B4, ANY, BIT_USELOOPBACK, 0 ),
    OWN( 0x1003, SO_SNDLOWAT, DK, ANY, RW, 0, 0, option_get_refused, option_set_refused ),
    OWN( 0x1004, SO_RCVLOWAT, DK, ANY, RW, 0, 0, option_get_refused, option_set_refused ),
    OWN( 0x2001, SO_GROUP_ID, DK, ANY, RO, 0, 0, option_get_initial, NULL ),
    OWN( 0x2002, SO_GROUP_PRIORITY, DK, ANY, RW, 0, 0, option_get_initial, option_set_initial ),
    OWN( 0x2003, SO_MAX_MSG_SIZE, DK, MESSAGE, RO, 0, 65507, option_get_initial, NULL ),
    FLAG( 0x3002, SO_CONDITIONAL_ACCEPT, B4, STREAM, RW, WS2_FLAG_CONDITIONAL_ACCEPT ),
    BIT( 0x3003, SO_PAUSE_ACCEPT, B4, STREAM, BIT_PAUSE_ACCEPT, 0 ),
    OWN( 0x3004, SO_COMPARTMENT_ID, DK, ANY, RW, 0, 1, option_get_initial, option_set_initial ),
    OWN( 0x3005, SO_RANDOMIZE_PORT, B4, ANY, RW, WS2_FLAG_RANDOM_PORT, 0, option_get_flag, option_set_random_port ),
    FLAG( 0x3006, SO_PORT_SCALABILITY, B4, ANY, RW, WS2_FLAG_PORT_SCALABLE ),
    BIT( 0x3007, SO_REUSE_UNICASTPORT, B4, ANY, BIT_REUSE_UNICASTPORT, 0 ),
    BIT( 0x3008, SO_REUSE_MULTICASTPORT, B4, MESSAGE, BIT_REUSE_MULTICASTPORT, 0 ),
    OWN( 0x700c, SO_CONNECT_TIME, DK, ANY, RO, 0, 0, option_get_connect_time, NULL ),
    { 0x700b /* SO_UPDATE_ACCEPT_CONTEXT */, CLASS_BYTES, TYPE_STREAM, WO, PLACE_OWN, 0, 0, 4, NULL,
      option_set_accept_context },
    { 0x7010 /* SO_UPDATE_CONNECT_CONTEXT */, CLASS_BYTES, TYPE_STREAM, WO | ACCESS_NULL, PLACE_OWN, 0, 0, 0, NULL,
      option_set_connect_context },
};

static const struct option tcp_options[] = {
    KERNEL( 1, TCP_NODELAY, B1, STREAM, RW, IPPROTO_TCP, TCP_NODELAY ),
    OWN( 3, TCP_KEEPALIVE, PD, STREAM, RW, HOST( IPPROTO_TCP, TCP_KEEPIDLE ), 0, option_get_kernel,
         option_set_keep_idle ),
    OWN( 17, TCP_KEEPINTVL, PD, STREAM, RW, HOST( IPPROTO_TCP, TCP_KEEPINTVL ), 1, option_get_keep, option_set_keep ),
    OWN( 16, TCP_KEEPCNT, PD, STREAM, RW, HOST( IPPROTO_TCP, TCP_KEEPCNT ), 10, option_get_keep, option_set_keep ),
    KERNEL( 4, TCP_MAXSEG, PD, STREAM, RO, IPPROTO_TCP, TCP_MAXSEG ),
    OWN( 5, TCP_MAXRT, PD, STREAM, RW, 1000, 0, option_get_max_retransmit, option_set_max_retransmit ),
    OWN( 14, TCP_MAXRTMS, PD, STREAM, RW, 1, 0, option_get_max_retransmit, option_set_max_retransmit ),
    BIT( 2, TCP_EXPEDITED_1122, PB, STREAM, BIT_EXPEDITED, 0 ),
    BIT( 6, TCP_STDURG, PB, STREAM, BIT_STDURG, 0 ),
    BIT( 9, TCP_NOSYNRETRIES, PB, STREAM, BIT_NO_SYN_RETRIES, 0 ),
    BIT( 10, TCP_TIMESTAMPS, PB, STREAM, BIT_TIMESTAMPS, 0 ),
    OWN( 11, TCP_OFFLOAD_PREFERENCE, PD, STREAM, RW, BIT_OFFLOAD, 0, option_get_two_bits, option_set_two_bits ),
    BIT( 13, TCP_DELAY_FIN_ACK, PB, STREAM, BIT_DELAY_FIN_ACK, 0 ),
    BIT( 15, TCP_FASTOPEN, PB, STREAM, BIT_FASTOPEN, 0 ),
    BIT( 18, TCP_FAIL_CONNECT_ON_ICMP_ERROR, PB, STREAM, BIT_ICMP_FAILS_CONNECT, 0 ),
    OWN( 0x7000, TCP_BSDURGENT, PB, STREAM, RW, BIT_EXPEDITED, 0, option_get_inverse_bit, option_set_inverse_bit ),
};

static const struct option udp_options[] = {
    KERNEL( 1, UDP_NOCHECKSUM, PB, DGRAM, RW, SOL_SOCKET, SO_NO_CHECK ),
    KERNEL( 2, UDP_SEND_MSG_SIZE, PD, DGRAM, RW, IPPROTO_UDP, UDP_SEGMENT ),
};

/* What both versions of IP number alike and mean alike. */
#define IP_COMMON( prefix, host_level ) \
    BIT( 28, prefix##_IFLIST, PB, ANY, BIT_IFLIST, 0 ), \
        OWN( 29, prefix##_ADD_IFLIST, PD, ANY, WO, 0, 0, NULL, option_set_refused ), \
        OWN( 30, prefix##_DEL_IFLIST, PD, ANY, WO, 0, 0, NULL, option_set_refused ), \
        OWN( 33, prefix##_GET_IFLIST, BYTES, NONE, RO, 0, 0, NULL, NULL ), \
        CONTROL( 19, prefix##_PKTINFO, BIT_PKTINFO ), CONTROL( 24, prefix##_RECVIF, BIT_RECVIF ), \
        CONTROL( 25, prefix##_RECVDSTADDR, BIT_RECVDSTADDR ), CONTROL( 38, prefix##_RECVRTHDR, BIT_RECVRTHDR ), \
        CONTROL( 47, prefix##_ORIGINAL_ARRIVAL_IF, BIT_ARRIVAL_IF ), CONTROL( 50, prefix##_ECN, BIT_ECN ), \
        CONTROL( 51, prefix##_PKTINFO_EX, BIT_PKTINFO_EX ), \
        BIT( 60, prefix##_WFP_REDIRECT_RECORDS, PB, MESSAGE, BIT_REDIRECT_RECORDS, 0 ), \
        BIT( 70, prefix##_WFP_REDIRECT_CONTEXT, PB, MESSAGE, BIT_REDIRECT_CONTEXT, 0 ), \
        BIT( 75, prefix##_RECVERR, PB, DGRAM, BIT_RECVERR, 0 ), \
        OWN( 14, prefix##_DONTFRAGMENT, PB, ANY, RW, host_level, 0, option_get_dontfragment, \
             option_set_dontfragment ), \
        OWN( \
            71, prefix##_MTU_DISCOVER, PD, ANY, RW, BIT_MTU_DISCOVER, host_level, option_get_two_bits, \
            option_set_mtu_discover ), /* no packet of a host socket can be given a size of its own: the system's is the one that can be set */ \
        OWN( 76, prefix##_USER_MTU, PD, ANY, RW, 0, UINT32_MAX, option_get_initial, option_set_initial ), \
        OWN( 23, prefix##_PROTECTION_LEVEL, PD, ANY, RW, 0, 0, option_get_protection, option_set_protection ), \
        OWN( 32, prefix##_RTHDR, BYTES, ANY, RW | ACCESS_NULL, 0, 0, option_get_empty, option_set_empty ), \
        STRUCT( 41, MCAST_JOIN_GROUP, MESSAGE, 136, HOST( host_level, MCAST_JOIN_GROUP ), multicast_group ), \
        STRUCT( 42, MCAST_LEAVE_GROUP, MESSAGE, 136, HOST( host_level, MCAST_LEAVE_GROUP ), multicast_group ), \
        STRUCT( 43, MCAST_BLOCK_SOURCE, MESSAGE, 264, HOST( host_level, MCAST_BLOCK_SOURCE ), \
                multicast_group_source ), \
        STRUCT( 44, MCAST_UNBLOCK_SOURCE, MESSAGE, 264, HOST( host_level, MCAST_UNBLOCK_SOURCE ), \
                multicast_group_source ), \
        STRUCT( 45, MCAST_JOIN_SOURCE_GROUP, MESSAGE, 264, HOST( host_level, MCAST_JOIN_SOURCE_GROUP ), \
                multicast_group_source ), \
        STRUCT( 46, MCAST_LEAVE_SOURCE_GROUP, MESSAGE, 264, HOST( host_level, MCAST_LEAVE_SOURCE_GROUP ), \
                multicast_group_source )

static const struct option ip_options[] = {
    KERNEL( 4, IP_TTL, PN, ANY, RW, IPPROTO_IP, IP_TTL ),
    KERNEL( 3, IP_TOS, PN, ANY, RW, IPPROTO_IP, IP_TOS ),
    OWN( 1, IP_OPTIONS, BYTES, ANY, RW | ACCESS_NULL, 0, 0, option_get_ip_options, option_set_ip_options ),
    KERNEL( 2, IP_HDRINCL, PB, RAW, RW, IPPROTO_IP, IP_HDRINCL ),
    OWN( 9, IP_MULTICAST_IF, PD, MESSAGE, RW, 0, 0, multicast_get_interface, multicast_set_interface ),
    KERNEL( 10, IP_MULTICAST_TTL, PN, MESSAGE, RW, IPPROTO_IP, IP_MULTICAST_TTL ),
    OWN( 11, IP_MULTICAST_LOOP, PB, MESSAGE, RW, 0, 0, multicast_get_loop, multicast_set_loop ),
    STRUCT( 12, IP_ADD_MEMBERSHIP, MESSAGE, 8, HOST( IPPROTO_IP, IP_ADD_MEMBERSHIP ), multicast_membership ),
    STRUCT( 13, IP_DROP_MEMBERSHIP, MESSAGE, 8, HOST( IPPROTO_IP, IP_DROP_MEMBERSHIP ), multicast_membership ),
    STRUCT( 15, IP_ADD_SOURCE_MEMBERSHIP, MESSAGE, 12, HOST( IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP ), multicast_source ),
    STRUCT( 16, IP_DROP_SOURCE_MEMBERSHIP, MESSAGE, 12, HOST( IPPROTO_IP, IP_DROP_SOURCE_MEMBERSHIP ),
            multicast_source ),
    STRUCT( 17, IP_BLOCK_SOURCE, MESSAGE, 12, HOST( IPPROTO_IP, IP_BLOCK_SOURCE ), multicast_source ),
    STRUCT( 18, IP_UNBLOCK_SOURCE, MESSAGE, 12, HOST( IPPROTO_IP, IP_UNBLOCK_SOURCE ), multicast_source ),
    CONTROL( 21, IP_RECVTTL, BIT_TTL ),
    CONTROL( 40, IP_RECVTOS, BIT_TOS ),
    BIT( 22, IP_RECEIVE_BROADCAST, PB, MESSAGE, BIT_BROADCAST, 1 ),
    KERNEL( 31, IP_UNICAST_IF, PD, ANY, RW, IPPROTO_IP, IP_UNICAST_IF ),
    OWN( 73, IP_MTU, PD, ANY, RO, HOST( IPPROTO_IP, IP_MTU ), 0, option_get_mtu, NULL ),
    IP_COMMON( IP, IPPROTO_IP ),
};

static const struct option ipv6_options[] = {
    { 27 /* IPV6_V6ONLY */, CLASS_B1, TYPE_ANY, RW | ACCESS_IPV4_TOO, PLACE_OWN, 0, 0, 0, option_get_v6only,
      option_set_v6only },
    KERNEL( 4, IPV6_UNICAST_HOPS, PN, ANY, RW | ACCESS_LOW_NEGATIVE, IPPROTO_IPV6, IPV6_UNICAST_HOPS ),
    OWN( 1, IPV6_HOPOPTS, BYTES, ANY, RW | ACCESS_NULL, 0, 0, option_get_empty, option_set_empty ),
    KERNEL( 2, IPV6_HDRINCL, PB, RAW, RW, IPPROTO_IPV6, 36 /* IPV6_HDRINCL */ ),
    KERNEL( 9, IPV6_MULTICAST_IF, PD, MESSAGE, RW, IPPROTO_IPV6, IPV6_MULTICAST_IF ),
    KERNEL( 10, IPV6_MULTICAST_HOPS, PN, MESSAGE, RW | ACCESS_LOW_NEGATIVE, IPPROTO_IPV6, IPV6_MULTICAST_HOPS ),
    OWN( 11, IPV6_MULTICAST_LOOP, PB, MESSAGE, RW, 0, 0, multicast_get_loop, multicast_set_loop ),
    STRUCT( 12, IPV6_ADD_MEMBERSHIP, MESSAGE, 20, HOST( IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP ), multicast_membership6 ),
    STRUCT( 13, IPV6_DROP_MEMBERSHIP, MESSAGE, 20, HOST( IPPROTO_IPV6, IPV6_DROP_MEMBERSHIP ), multicast_membership6 ),
    CONTROL( 21, IPV6_HOPLIMIT, BIT_TTL ),
    CONTROL( 40, IPV6_RECVTCLASS, BIT_TOS ),
    KERNEL( 39, IPV6_TCLASS, PN, ANY, RW, IPPROTO_IPV6, IPV6_TCLASS ),
    KERNEL( 26, IPV6_CHECKSUM, PD, RAW, RW, IPPROTO_IPV6, IPV6_CHECKSUM ),
    OWN( 31, IPV6_UNICAST_IF, PD, ANY, RW, 0, 0, option_get_unicast_if6, option_set_unicast_if6 ),
    OWN( 72, IPV6_MTU, PD, ANY, RO, HOST( IPPROTO_IPV6, IPV6_MTU ), 0, option_get_mtu, NULL ),
    IP_COMMON( IPV6, IPPROTO_IPV6 ),
};

#define LEVEL( level, types, local, wrong_type, options ) \
    { \
        level, types, local, wrong_type, options, sizeof( options ) / sizeof( options[0] ) \
    }

const struct option_level option_levels[] = {
    LEVEL( WS_SOL_SOCKET, TYPE_ANY, 1, WSAENOPROTOOPT, socket_options ),
    LEVEL( IPPROTO_TCP, TYPE_STREAM, 0, WSAEINVAL, tcp_options ),
    LEVEL( IPPROTO_UDP, TYPE_DGRAM, 0, WSAEINVAL, udp_options ),
    LEVEL( IPPROTO_IP, TYPE_ANY, 0, WSAEINVAL, ip_options ),
    LEVEL( IPPROTO_IPV6, TYPE_ANY, 0, WSAEINVAL, ipv6_options ),
};
const uint32_t option_level_count = sizeof( option_levels ) / sizeof( option_levels[0] );
