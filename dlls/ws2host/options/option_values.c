/*
 * The options whose values are neither a plain kernel option nor a plain field: what their get and set do. Called by
 * options.c with a descriptor held; value->number is judged by the option's class already.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include "sockets/connect.h"
#include "options/option.h"
#include "sockets/urgent.h"

/* --- general */

OPTION_GETTER( option_get_refused )
{
    (void)descriptor, (void)option, (void)value;
    return WSAEINVAL;
}
OPTION_SETTER( option_set_refused )
{
    (void)descriptor, (void)option, (void)value;
    return WSAEINVAL;
}

OPTION_GETTER( option_get_flag )
{
    value->number = ( descriptor_flags( descriptor ) & option->where ) != 0;
    return 0;
}

OPTION_GETTER( option_get_kernel ) { return option_kernel_get( descriptor, option->where, &value->number ); }

/* A constant, which can be set to itself. */
OPTION_GETTER( option_get_initial )
{
    (void)descriptor;
    value->number = option->initial;
    return 0;
}
OPTION_SETTER( option_set_initial )
{
    (void)descriptor;
    return value->number == option->initial ? 0 : WSAEINVAL;
}

OPTION_GETTER( option_get_empty )
{
    (void)descriptor, (void)option;
    value->size = 0;
    return 0;
}
OPTION_SETTER( option_set_empty )
{
    (void)descriptor, (void)option;
    return value->size ? WSAEINVAL : 0;
}

OPTION_GETTER( option_get_inverse_bit )
{
    value->number = !option_bit( descriptor->slot, option->where );
    return 0;
}
OPTION_SETTER( option_set_inverse_bit )
{
    option_set_bit( descriptor->slot, option->where, !value->number );
    return 0;
}

OPTION_GETTER( option_get_two_bits )
{
    value->number = option_bit( descriptor->slot, option->where ) | option_bit( descriptor->slot, option->where + 1 )
                                                                        << 1;
    return 0;
}
OPTION_SETTER( option_set_two_bits )
{
    if ( value->number > 2 ) return WSAEINVAL;
    option_set_bit( descriptor->slot, option->where, value->number & 1 );
    option_set_bit( descriptor->slot, option->where + 1, value->number >> 1 );
    return 0;
}

/* --- SOL_SOCKET */

/* SO_REUSEADDR and SO_EXCLUSIVEADDRUSE exclude each other. What the host is told is decided by bind. */
OPTION_SETTER( option_set_sharing )
{
    uint32_t other = ( WS2_FLAG_REUSEADDR | WS2_FLAG_EXCLUSIVE ) & ~option->where;

    if ( !value->number ) descriptor_clear_flags( descriptor, option->where );
    else if ( descriptor_flags( descriptor ) & other ) return WSAEINVAL;
    else descriptor_set_flags( descriptor, option->where );
    return 0;
}

OPTION_SETTER( option_set_oobinline )
{
    (void)option;
    urgent_set_inline( descriptor, value->number != 0 );
    return 0;
}

/* The slot keeps both halves as they were given; the host gets what changes the way of closing. */
/* The host is told of a hard close only. A time would have whoever closes the last descriptor sleep through it: the loader's
 * server as a rule, and every process of the prefix with it. Closing waits instead (linger.c). */
static int32_t apply_linger( struct descriptor *d, uint32_t onoff, uint32_t seconds )
{
    struct linger linger = { .l_onoff = onoff && !seconds };

    option_kernel_touched( d->slot );
    if ( setsockopt( d->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof( linger ) ) ) return winsock_error( errno );
    atomic_store( &d->slot->linger_onoff, onoff );
    atomic_store( &d->slot->linger_seconds, seconds );
    return 0;
}

OPTION_GETTER( option_get_linger )
{
    (void)option;
    value->number = atomic_load( &descriptor->slot->linger_onoff ) |
                    (uint32_t)atomic_load( &descriptor->slot->linger_seconds ) << 16;
    return 0;
}
OPTION_SETTER( option_set_linger )
{
    (void)option;
    return apply_linger( descriptor, value->number & 0xffff, value->number >> 16 );
}

OPTION_GETTER( option_get_dontlinger )
{
    (void)option;
    value->number = !atomic_load( &descriptor->slot->linger_onoff );
    return 0;
}
OPTION_SETTER( option_set_dontlinger )
{
    (void)option;
    return apply_linger( descriptor, !value->number, atomic_load( &descriptor->slot->linger_seconds ) );
}

/*
 * SO_SNDBUF and SO_RCVBUF read back exactly. The host's buffer only ever grows by them: Windows takes any send whole
 * however small the buffer is said to be, and a small SO_RCVBUF holds up no peer. A size that the host would cut to less
 * than it grants by itself is not passed on, as it would end the host's own tuning.
 */
static uint32_t limits[2]; /* bytes that the host accepts for sending and receiving */

static void read_limits( void )
{
    static const char *const names[] = { "/proc/sys/net/core/wmem_max", "/proc/sys/net/core/rmem_max" };

    for ( int i = 0; i < 2; i++ )
    {
        FILE *file = fopen( names[i], "re" );
        if ( !file || fscanf( file, "%u", &limits[i] ) != 1 ) limits[i] = 212992;
        if ( file ) fclose( file );
    }
}

OPTION_GETTER( option_get_buffer )
{
    int sending = option->where == SO_SNDBUF;
    uint32_t flag = sending ? WS2_FLAG_SNDBUF_SET : WS2_FLAG_RCVBUF_SET;

    value->number = !( descriptor_flags( descriptor ) & flag )
                        ? option->initial
                        : atomic_load( sending ? &descriptor->slot->send_buffer : &descriptor->slot->receive_buffer );
    return 0;
}
OPTION_SETTER( option_set_buffer )
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    int sending = option->where == SO_SNDBUF;
    uint32_t host = HOST( SOL_SOCKET, option->where ), current = 0, wanted = value->number;

    if ( wanted > option->initial )
    {
        pthread_once( &once, read_limits );
        if ( wanted > limits[!sending] ) wanted = limits[!sending];
        /* the host doubles what it is given, for its own overhead */
        if ( !option_kernel_get( descriptor, host, &current ) && wanted > current / 2 )
            option_kernel_set( descriptor, host, wanted );
    }
    atomic_store( sending ? &descriptor->slot->send_buffer : &descriptor->slot->receive_buffer, value->number );
    descriptor_set_flags( descriptor, sending ? WS2_FLAG_SNDBUF_SET : WS2_FLAG_RCVBUF_SET );
    return 0;
}

/* The outcome of a connect, or what the program has set; reading does not clear it. */
OPTION_GETTER( option_get_error )
{
    (void)option;
    if ( descriptor_flags( descriptor ) & WS2_FLAG_CONNECTING ) connect_check( descriptor );
    value->number = atomic_load( &descriptor->slot->error );
    return 0;
}
OPTION_SETTER( option_set_error )
{
    (void)option;
    atomic_store( &descriptor->slot->error, value->number );
    return 0;
}

OPTION_GETTER( option_get_type )
{
    (void)option;
    value->number = descriptor->slot->type;
    return 0;
}

/* Whole seconds. Datagram sockets have no such time. */
OPTION_GETTER( option_get_connect_time )
{
    uint64_t ms;

    (void)option;
    if ( descriptor_flags( descriptor ) & WS2_FLAG_CONNECTING ) connect_check( descriptor );
    value->number = UINT32_MAX;
    /* an acceptor whose AcceptEx waits for data is connected by then: servers find silent clients by it */
    if ( option_type( descriptor ) == TYPE_STREAM &&
         ( ( descriptor_flags( descriptor ) & WS2_FLAG_CONNECTED ) || atomic_load( &descriptor->queues.accepting ) ) &&
         connect_age( descriptor, &ms ) )
        value->number = ms / 1000;
    return 0;
}

OPTION_SETTER( option_set_random_port )
{
    if ( descriptor_flags( descriptor ) & WS2_FLAG_BOUND ) return WSAEINVAL;
    if ( value->number ) descriptor_set_flags( descriptor, option->where );
    else descriptor_clear_flags( descriptor, option->where );
    return 0;
}

/* The value is the listener's SOCKET, of the caller's width. */
OPTION_SETTER( option_set_accept_context )
{
    uint64_t handle = 0;
    NTSTATUS status;
    struct descriptor *listener;
    int listening;

    (void)option;
    memcpy( &handle, value->bytes, value->size < sizeof( handle ) ? value->size : sizeof( handle ) );
    if ( !( descriptor_flags( descriptor ) & WS2_FLAG_CONNECTED ) ) return WSAENOTCONN;
    if ( !( listener = descriptor_acquire( handle, &status ) ) ) return WSAENOTSOCK;
    listening = descriptor_flags( listener ) & WS2_FLAG_LISTENING;
    descriptor_release( listener );
    if ( !listening ) return WSAEINVAL;
    descriptor_clear_flags( descriptor, WS2_FLAG_NEEDS_ACCEPT_CONTEXT );
    return 0;
}

OPTION_SETTER( option_set_connect_context )
{
    (void)option, (void)value;
    if ( descriptor_flags( descriptor ) & WS2_FLAG_CONNECTING ) connect_check( descriptor );
    if ( !( descriptor_flags( descriptor ) & WS2_FLAG_CONNECTED ) ) return WSAENOTCONN;
    descriptor_clear_flags( descriptor, WS2_FLAG_NEEDS_CONNECT_CONTEXT );
    return 0;
}

/* --- TCP */

#define KEEP_MAX 32767 /* seconds, of the host */
#define KEEP_COUNT_MAX 127
#define KEEP_INTERVAL_INITIAL 1
#define KEEP_COUNT_INITIAL 10

/* Keep-alives that are turned on run at Windows' pace unless the program has set another. */
OPTION_SETTER( option_set_keepalive )
{
    if ( value->number )
    {
        if ( !option_bit( descriptor->slot, BIT_KEEP_INTERVAL ) )
            option_kernel_set( descriptor, HOST( IPPROTO_TCP, TCP_KEEPINTVL ), KEEP_INTERVAL_INITIAL );
        if ( !option_bit( descriptor->slot, BIT_KEEP_COUNT ) )
            option_kernel_set( descriptor, HOST( IPPROTO_TCP, TCP_KEEPCNT ), KEEP_COUNT_INITIAL );
    }
    return option_kernel_set( descriptor, option->where, value->number );
}

OPTION_SETTER( option_set_keep_idle )
{
    return option_kernel_set( descriptor, option->where, value->number > KEEP_MAX ? KEEP_MAX : value->number );
}

static enum option_bit keep_bit( const struct option *option )
{
    return option->where == HOST( IPPROTO_TCP, TCP_KEEPINTVL ) ? BIT_KEEP_INTERVAL : BIT_KEEP_COUNT;
}

OPTION_GETTER( option_get_keep )
{
    value->number = option->initial;
    if ( !option_bit( descriptor->slot, keep_bit( option ) ) ) return 0;
    return option_kernel_get( descriptor, option->where, &value->number );
}
OPTION_SETTER( option_set_keep )
{
    const int count = keep_bit( option ) == BIT_KEEP_COUNT;
    uint32_t limit = count ? KEEP_COUNT_MAX : KEEP_MAX;
    int32_t error;

    if ( count && value->number > 255 ) return WSAEINVAL;
    error = option_kernel_set( descriptor, option->where, value->number > limit ? limit : value->number );
    if ( !error ) option_set_bit( descriptor->slot, keep_bit( option ), 1 );
    return error;
}

/* TCP_MAXRT and TCP_MAXRTMS: where = ms in the option's unit. All ones: never give up, which the host cannot. */
OPTION_GETTER( option_get_max_retransmit )
{
    int32_t error;

    value->number = 0;
    if ( !option_bit( descriptor->slot, BIT_MAX_RETRANSMIT ) ) return 0;
    error = option_kernel_get( descriptor, HOST( IPPROTO_TCP, TCP_USER_TIMEOUT ), &value->number );
    value->number = value->number == INT32_MAX ? UINT32_MAX : value->number / option->where;
    return error;
}
OPTION_SETTER( option_set_max_retransmit )
{
    uint64_t ms = value->number == UINT32_MAX ? INT32_MAX : (uint64_t)value->number * option->where;

    option_set_bit( descriptor->slot, BIT_MAX_RETRANSMIT, value->number != 0 );
    option_set_bit( descriptor->slot, BIT_CONNECT_LIMIT, 0 );
    return option_kernel_set( descriptor, HOST( IPPROTO_TCP, TCP_USER_TIMEOUT ), ms > INT32_MAX ? INT32_MAX : ms );
}

/* --- IP and IPv6 */

/* AF_INET sockets have it as well, where it changes nothing. 1 to begin with: the bit says 0. */
OPTION_GETTER( option_get_v6only )
{
    (void)option;
    value->number = !option_bit( descriptor->slot, BIT_V6ONLY );
    return 0;
}
OPTION_SETTER( option_set_v6only )
{
    int32_t error = 0;

    (void)option;
    if ( descriptor_flags( descriptor ) & WS2_FLAG_BOUND ) return WSAEINVAL;
    if ( descriptor->slot->family == WS_AF_INET6 )
        error = option_kernel_set( descriptor, HOST( IPPROTO_IPV6, IPV6_V6ONLY ), value->number );
    /* to the host a raw socket is bound from the start, and hears IPv6 alone */
    if ( error && option_type( descriptor ) != TYPE_RAW ) return error;
    option_set_bit( descriptor->slot, BIT_V6ONLY, !value->number );
    return 0;
}

static int32_t set_discovery( struct descriptor *d, uint32_t level, uint32_t host_value )
{
    return option_kernel_set(
        d, level == IPPROTO_IP ? HOST( IPPROTO_IP, IP_MTU_DISCOVER ) : HOST( IPPROTO_IPV6, IPV6_MTU_DISCOVER ),
        host_value );
}

/* 1 on streams and 0 on the rest to begin with; the bit says that it was changed. where = level */
OPTION_GETTER( option_get_dontfragment )
{
    (void)option;
    value->number = option_bit( descriptor->slot, BIT_DONTFRAGMENT ) ^ ( option_type( descriptor ) == TYPE_STREAM );
    return 0;
}
OPTION_SETTER( option_set_dontfragment )
{
    int stream = option_type( descriptor ) == TYPE_STREAM;
    int32_t error = set_discovery( descriptor, option->where,
                                   !value->number ? IP_PMTUDISC_DONT
                                   : stream       ? IP_PMTUDISC_WANT
                                                  : IP_PMTUDISC_DO );
    if ( !error ) option_set_bit( descriptor->slot, BIT_DONTFRAGMENT, value->number ^ stream );
    return error;
}

/* PMTUD_STATE; 0, not set, cannot be set. initial = level */
OPTION_SETTER( option_set_mtu_discover )
{
    static const int host[] = { 0, IP_PMTUDISC_DO, IP_PMTUDISC_DONT, IP_PMTUDISC_PROBE };
    int32_t error;

    if ( !value->number || value->number > 3 ) return WSAEINVAL;
    if ( ( error = set_discovery( descriptor, option->initial, host[value->number] ) ) ) return error;
    option_set_bit( descriptor->slot, option->where, value->number & 1 );
    option_set_bit( descriptor->slot, option->where + 1, value->number >> 1 );
    return 0;
}

OPTION_GETTER( option_get_mtu )
{
    if ( !( descriptor_flags( descriptor ) & WS2_FLAG_CONNECTED ) ) return WSAENOTCONN;
    return option_kernel_get( descriptor, option->where, &value->number );
}

/* The interface index is in host order on Windows, and in network order here. */
OPTION_GETTER( option_get_unicast_if6 )
{
    int32_t error = option_kernel_get( descriptor, HOST( IPPROTO_IPV6, IPV6_UNICAST_IF ), &value->number );

    (void)option;
    value->number = ntohl( value->number );
    return error;
}
OPTION_SETTER( option_set_unicast_if6 )
{
    (void)option;
    return option_kernel_set( descriptor, HOST( IPPROTO_IPV6, IPV6_UNICAST_IF ), htonl( value->number ) );
}

#define PROTECTION_LEVEL_UNRESTRICTED 10
#define PROTECTION_LEVEL_RESTRICTED 30

OPTION_GETTER( option_get_protection )
{
    uint32_t level = atomic_load( &descriptor->slot->protection_level ) * 10;

    (void)option;
    value->number = level ? level : PROTECTION_LEVEL_UNRESTRICTED;
    return 0;
}
OPTION_SETTER( option_set_protection )
{
    (void)option;
    if ( !value->number || value->number % 10 || value->number > PROTECTION_LEVEL_RESTRICTED ) return WSAEINVAL;
    atomic_store( &descriptor->slot->protection_level, value->number / 10 );
    return 0;
}

OPTION_GETTER( option_get_ip_options )
{
    socklen_t size = 40;

    (void)option;
    if ( getsockopt( descriptor->fd, IPPROTO_IP, IP_OPTIONS, value->bytes, &size ) ) return winsock_error( errno );
    value->size = size;
    return 0;
}
OPTION_SETTER( option_set_ip_options )
{
    (void)option;
    return setsockopt( descriptor->fd, IPPROTO_IP, IP_OPTIONS, value->bytes, value->size ) ? winsock_error( errno ) : 0;
}
