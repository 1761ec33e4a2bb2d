/*
 * Socket options: the description of one (option_table.c holds them all), and what the rooms that carry them out share.
 *
 * An option's class says how lengths and values are judged, its place says where the value lives. Windows and the host
 * differ in defaults, limits and lengths, so only what changes the behaviour of the host socket goes to the kernel; the
 * rest is kept in the slot, where every process that has the socket sees it.
 */
#ifndef WS2HOST_OPTION_H
#define WS2HOST_OPTION_H

#include <stdint.h>
#include "sockets/option_bits.h"
#include "sockets/socket.h"

enum option_class
{
    CLASS_B4,    /* boolean of 4 bytes at SOL_SOCKET */
    CLASS_B1,    /* boolean of 1 byte */
    CLASS_DZ,    /* number at SOL_SOCKET; what is too short is zeroed */
    CLASS_DK,    /* number at SOL_SOCKET; what is too short is kept */
    CLASS_PB,    /* boolean of a protocol */
    CLASS_PN,    /* number of a protocol, 8 bits */
    CLASS_PS,    /* boolean of a protocol, strict about its length */
    CLASS_PD,    /* number of a protocol, strict about its length */
    CLASS_BYTES, /* anything else */
};

enum option_place
{
    PLACE_KERNEL,  /* where = HOST( level, name ), an int */
    PLACE_FLAG,    /* where = flag of the slot */
    PLACE_BIT,     /* where = enum option_bit; the bit is set when the value differs from `initial` */
    PLACE_CONTROL, /* the same, of an option that asks for control data */
    PLACE_FIELD,   /* where = offset of a 32-bit field of the slot */
    PLACE_OWN,     /* functions get and set */
};

enum option_types
{
    TYPE_NONE = 0,
    TYPE_STREAM = 1,
    TYPE_DGRAM = 2,
    TYPE_RAW = 4,
    TYPE_MESSAGE = TYPE_DGRAM | TYPE_RAW,
    TYPE_ANY = 7,
};

static inline enum option_types option_type( const struct descriptor *d )
{
    return d->slot->type == SOCK_STREAM ? TYPE_STREAM : d->slot->type == SOCK_DGRAM ? TYPE_DGRAM : TYPE_RAW;
}

enum option_access
{
    ACCESS_GET = 1,
    ACCESS_SET = 2,
    ACCESS_BOTH = 3,
    ACCESS_NULL = 4,          /* may be set with no value at all */
    ACCESS_IPV4_TOO = 8,      /* an IPPROTO_IPV6 option that AF_INET sockets have as well */
    ACCESS_LOW_NEGATIVE = 16, /* -1 stands for the system's default */
};

#define OPTION_MAX_BYTES 264 /* GROUP_SOURCE_REQ */

struct option_value
{
    uint32_t number;
    uint32_t size; /* CLASS_BYTES: bytes given, or to give */
    _Alignas( 8 ) unsigned char bytes[OPTION_MAX_BYTES];
};

struct option
{
    int32_t name;
    uint8_t class;
    uint8_t types;
    uint8_t access;
    uint8_t place;
    uint32_t where;
    uint32_t initial;
    uint32_t size; /* CLASS_BYTES: the fewest bytes that it can be set to */
    int32_t ( *get )( struct descriptor *descriptor, const struct option *option, struct option_value *value );
    int32_t ( *set )( struct descriptor *descriptor, const struct option *option, const struct option_value *value );
};

#define WS_SOL_SOCKET 0xffff

struct option_level
{
    int32_t level;
    uint32_t types;     /* sockets that have the level at all */
    uint32_t local;     /* AF_UNIX sockets have it */
    int32_t wrong_type; /* error for an option that the socket's type lacks */
    const struct option *options;
    uint32_t count;
};

extern const struct option_level option_levels[];
extern const uint32_t option_level_count;

/* --- option_values.c: the get and set functions of single options */
#define OPTION_GETTER( name ) \
    int32_t name( struct descriptor *descriptor, const struct option *option, struct option_value *value )
#define OPTION_SETTER( name ) \
    int32_t name( struct descriptor *descriptor, const struct option *option, const struct option_value *value )
OPTION_GETTER( option_get_flag );
OPTION_GETTER( option_get_kernel );
OPTION_GETTER( option_get_refused );
OPTION_SETTER( option_set_refused );
OPTION_GETTER( option_get_initial );
OPTION_GETTER( option_get_empty );
OPTION_SETTER( option_set_empty );
OPTION_SETTER( option_set_initial );
OPTION_SETTER( option_set_sharing );
OPTION_SETTER( option_set_oobinline );
OPTION_GETTER( option_get_linger );
OPTION_SETTER( option_set_linger );
OPTION_GETTER( option_get_dontlinger );
OPTION_SETTER( option_set_dontlinger );
OPTION_GETTER( option_get_buffer );
OPTION_SETTER( option_set_buffer );
OPTION_GETTER( option_get_error );
OPTION_SETTER( option_set_error );
OPTION_GETTER( option_get_type );
OPTION_GETTER( option_get_connect_time );
OPTION_SETTER( option_set_random_port );
OPTION_SETTER( option_set_accept_context );
OPTION_SETTER( option_set_connect_context );
OPTION_SETTER( option_set_keepalive );
OPTION_SETTER( option_set_keep_idle );
OPTION_GETTER( option_get_keep );
OPTION_SETTER( option_set_keep );
OPTION_GETTER( option_get_max_retransmit );
OPTION_SETTER( option_set_max_retransmit );
OPTION_GETTER( option_get_inverse_bit );
OPTION_SETTER( option_set_inverse_bit );
OPTION_GETTER( option_get_two_bits );
OPTION_SETTER( option_set_two_bits );
OPTION_GETTER( option_get_v6only );
OPTION_SETTER( option_set_v6only );
OPTION_GETTER( option_get_dontfragment );
OPTION_SETTER( option_set_dontfragment );
OPTION_SETTER( option_set_mtu_discover );
OPTION_GETTER( option_get_mtu );
OPTION_GETTER( option_get_unicast_if6 );
OPTION_SETTER( option_set_unicast_if6 );
OPTION_GETTER( option_get_protection );
OPTION_SETTER( option_set_protection );
OPTION_GETTER( option_get_ip_options );
OPTION_SETTER( option_set_ip_options );

/* --- multicast.c */
OPTION_GETTER( multicast_get_interface );
OPTION_SETTER( multicast_set_interface );
OPTION_SETTER( multicast_membership );
OPTION_SETTER( multicast_membership6 );
OPTION_SETTER( multicast_source );
OPTION_SETTER( multicast_group );
OPTION_SETTER( multicast_group_source );
OPTION_GETTER( multicast_get_loop );
OPTION_SETTER( multicast_set_loop );
void multicast_init( void );

/* --- option_carry.c: sets on one host socket, the descriptor's to be, what the program has set on the other, the
 * descriptor's own. listener: whose options the new one has to begin with, NULL for a fresh one. */
void option_carry( const struct descriptor *d, int from, int to, const struct descriptor *listener );

#endif
