/*
 * ioctlsocket and WSAIoctl: one table of control codes and the loop that reads it.
 *
 * Order of the checks: handle, byte count, code, socket type, lengths, the rest. The caller's memory is touched only while
 * no descriptor is held, as it may fault. Codes that only the PE side can answer (function pointers) are handled there.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "descriptors/socket_set.h"
#include "events/changes.h"
#include "sockets/helpers.h"
#include "sockets/connect.h"
#include "client/connection.h"
#include "options/ioctl.h"
#include "sockets/datagram_errors.h"
#include "options/option.h"
#include "sockets/urgent.h"
#include "descriptors/wait.h"

static int32_t set_nonblocking( struct descriptor *d, struct ioctl_request *request )
{
    if ( ioctl_in_number( request ) ) descriptor_set_flags( d, WS2_FLAG_NONBLOCKING );
    /* an event registration needs it */
    else if ( ws2_events_mask( atomic_load( &d->slot->events ) ) ) return WSAEINVAL;
    else descriptor_clear_flags( d, WS2_FLAG_NONBLOCKING );
    return 0;
}

static int32_t readable_bytes( struct descriptor *d, struct ioctl_request *request )
{
    int bytes = 0;

    socket_set_renew( d );
    if ( ioctl( socket_set_of( d ) ? socket_set_next( d ) : d->fd, FIONREAD, &bytes ) < 0 )
        return winsock_error( errno );
    if ( urgent_watched( d ) )
    {
        const int taken = urgent_bytes( d );

        if ( ioctl( d->fd, FIONREAD, &bytes ) < 0 ) return winsock_error( errno );
        bytes += taken;
    }
    ioctl_out_number( request, bytes );
    return 0;
}

static int32_t at_mark( struct descriptor *d, struct ioctl_request *request )
{
    ioctl_out_number( request, urgent_at_mark( d ) );
    return 0;
}

/* struct tcp_keepalive: onoff, time and interval in ms; the host counts in seconds */
static int32_t keepalive_values( struct descriptor *d, struct ioctl_request *request )
{
    uint32_t values[3], seconds[2];
    int32_t error = 0;

    if ( d->slot->type != SOCK_STREAM ) return WSAENOPROTOOPT;
    memcpy( values, request->in, sizeof( values ) );
    for ( int i = 0; i < 2; i++ )
    {
        uint64_t rounded = ( (uint64_t)values[i + 1] + 999 ) / 1000;
        seconds[i] = rounded < 1 ? 1 : rounded > 32767 ? 32767 : rounded;
    }
    if ( values[0] )
    {
        error = option_kernel_set( d, HOST( IPPROTO_TCP, TCP_KEEPIDLE ), seconds[0] );
        if ( !error ) error = option_kernel_set( d, HOST( IPPROTO_TCP, TCP_KEEPINTVL ), seconds[1] );
        if ( !error ) option_set_bit( d->slot, BIT_KEEP_INTERVAL, 1 );
        if ( !error && !option_bit( d->slot, BIT_KEEP_COUNT ) )
            error = option_kernel_set( d, HOST( IPPROTO_TCP, TCP_KEEPCNT ), 10 );
    }
    return error ? error : option_kernel_set( d, HOST( SOL_SOCKET, SO_KEEPALIVE ), values[0] != 0 );
}

static int32_t base_handle( struct descriptor *d, struct ioctl_request *request )
{
    if ( request->out_size < request->width ) return WSAEFAULT;
    memcpy( request->out, &d->handle, request->width );
    request->count = request->width;
    return 0;
}

static int32_t send_backlog( struct descriptor *d, struct ioctl_request *request )
{
    if ( descriptor_flags( d ) & WS2_FLAG_CONNECTING ) connect_check( d );
    if ( !( descriptor_flags( d ) & WS2_FLAG_CONNECTED ) ) return WSAENOTCONN;
    ioctl_out_number( request, 0x10000 );
    return 0;
}

static int32_t set_flag( struct descriptor *d, uint32_t flag, uint32_t value )
{
    if ( value ) descriptor_set_flags( d, flag );
    else descriptor_clear_flags( d, flag );
    return 0;
}

static int32_t udp_connreset( struct descriptor *d, struct ioctl_request *request )
{
    set_flag( d, WS2_FLAG_CONNRESET, ioctl_in_number( request ) );
    datagram_errors_forget( d );
    return 0;
}

static int32_t udp_netreset( struct descriptor *d, struct ioctl_request *request )
{
    set_flag( d, WS2_FLAG_NETRESET, ioctl_in_number( request ) );
    datagram_errors_forget( d );
    return 0;
}

/* The host's loopback has no other path, and its queues of datagrams no other order of dropping. */
static int32_t accept_any( struct descriptor *d, struct ioctl_request *request )
{
    (void)d, (void)request;
    return 0;
}

/* TCP_INITIAL_RTO_PARAMETERS: USHORT Rtt, UCHAR MaxSynRetransmissions; 0, 0xff and 0xfe stand for defaults and none */
static int32_t initial_rto( struct descriptor *d, struct ioctl_request *request )
{
    const uint32_t rtt = request->in[0] | request->in[1] << 8, retransmissions = request->in[2];
    const int own_rtt = rtt && rtt != 0xffff, own_count = retransmissions && retransmissions != 0xff;

    if ( own_rtt || own_count )
        connect_limit_set( d, own_rtt ? rtt : CONNECT_INITIAL_RTO,
                           !own_count                ? CONNECT_RETRANSMISSIONS
                           : retransmissions == 0xfe ? 0
                                                     : retransmissions );
    return 0;
}

static int32_t multipoint_loopback( struct descriptor *d, struct ioctl_request *request )
{
    const struct option_value value = { .number = ioctl_in_number( request ) != 0 };

    return multicast_set_loop( d, NULL, &value );
}

static int32_t multicast_scope( struct descriptor *d, struct ioctl_request *request )
{
    return option_kernel_set( d,
                              d->slot->family == WS_AF_INET6 ? HOST( IPPROTO_IPV6, IPV6_MULTICAST_HOPS )
                                                             : HOST( IPPROTO_IP, IP_MULTICAST_TTL ),
                              ioctl_in_number( request ) );
}

static int32_t broadcast_address( struct descriptor *d, struct ioctl_request *request )
{
    struct sockaddr_in address = { .sin_family = WS_AF_INET, .sin_addr.s_addr = INADDR_BROADCAST };

    (void)d;
    memcpy( request->out, &address, sizeof( address ) );
    request->count = sizeof( address );
    return 0;
}

/* To hear all packets of an interface takes rights that no host socket of ours has. */
static int32_t receive_all( struct descriptor *d, struct ioctl_request *request )
{
    return helpers_receive_all( d, ioctl_in_number( request ) != 0 );
}

/* The wait, or what takes its place on a non-blocking socket, is begun by carry_out, which finds these functions in the
 * table. */
static int32_t address_change( struct descriptor *d, struct ioctl_request *request )
{
    (void)d, (void)request;
    return WSAEWOULDBLOCK;
}

static int32_t routing_change( struct descriptor *d, struct ioctl_request *request )
{
    (void)d, (void)request;
    return WSAEWOULDBLOCK;
}

/* SIO_AF_UNIX_GETPEERPID: the Windows id of the process at the other end. */
static int32_t local_peer( struct descriptor *d, struct ioctl_request *request )
{
    const struct ws2_client_record *clients = ws2_table_clients( connection_table() );
    struct ucred peer;
    socklen_t size = sizeof( peer );

    if ( d->slot->family != WS_AF_UNIX ) return WSAEOPNOTSUPP;
    if ( !( descriptor_flags( d ) & WS2_FLAG_CONNECTED ) ) return WSAENOTCONN;
    if ( getsockopt( d->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size ) ) return winsock_error( errno );
    for ( uint32_t i = 0; i < WS2_CLIENT_COUNT; i++ )
        if ( atomic_load( &clients[i].unix_pid ) == (uint32_t)peer.pid )
        {
            ioctl_out_number( request, atomic_load( &clients[i].windows_pid ) );
            return 0;
        }
    return WSAENOTCONN; /* it has gone */
}

static const struct ioctl_code
{
    uint32_t code;
    uint8_t types;       /* enum option_types; others: WSAEOPNOTSUPP */
    uint8_t keeps_count; /* a failure leaves the byte count alone */
    uint16_t in_least;   /* WSAEFAULT below, as for out_least */
    uint16_t out_least;
    ioctl_function *function;
} codes[] = {
    { 0x8004667e /* FIONBIO */, TYPE_ANY, 0, 4, 0, set_nonblocking },
    { 0x4004667f /* FIONREAD */, TYPE_ANY, 1, 0, 4, readable_bytes },
    { 0x40047307 /* SIOCATMARK */, TYPE_STREAM, 1, 0, 4, at_mark },
    { 0x58000100 /* SIO_AF_UNIX_GETPEERPID */, TYPE_STREAM, 0, 0, 4, local_peer },
    { 0x98000004 /* SIO_KEEPALIVE_VALS */, TYPE_ANY, 0, 12, 0, keepalive_values },
    { 0x48000022 /* SIO_BASE_HANDLE */, TYPE_ANY, 0, 0, 0, base_handle },
    { 0x4800001b /* SIO_BSP_HANDLE */, TYPE_ANY, 0, 0, 0, base_handle },
    { 0x4800001c /* SIO_BSP_HANDLE_SELECT */, TYPE_ANY, 0, 0, 0, base_handle },
    { 0x4800001d /* SIO_BSP_HANDLE_POLL */, TYPE_ANY, 0, 0, 0, base_handle },
    { 0xc8000014 /* SIO_ROUTING_INTERFACE_QUERY */, TYPE_ANY, 1, 0, 0, ioctl_routing_interface },
    { 0x48000016 /* SIO_ADDRESS_LIST_QUERY */, TYPE_ANY, 1, 0, 0, ioctl_address_list },
    { 0x4004747f /* SIO_GET_INTERFACE_LIST */, TYPE_ANY, 0, 0, 0, ioctl_interface_list },
    { 0x4004747b /* SIO_IDEAL_SEND_BACKLOG_QUERY */, TYPE_STREAM, 0, 0, 4, send_backlog },
    { 0x28000017 /* SIO_ADDRESS_LIST_CHANGE */, TYPE_ANY, 0, 0, 0, address_change },
    { 0x88000015 /* SIO_ROUTING_INTERFACE_CHANGE */, TYPE_ANY, 0, 16, 0, routing_change },
    { 0x9800000c /* SIO_UDP_CONNRESET */, TYPE_DGRAM, 0, 1, 0, udp_connreset },
    { 0x9800000f /* SIO_UDP_NETRESET */, TYPE_DGRAM, 0, 1, 0, udp_netreset },
    { 0x28000002 /* SIO_ENABLE_CIRCULAR_QUEUEING */, TYPE_DGRAM, 0, 0, 0, accept_any },
    { 0x98000010 /* SIO_LOOPBACK_FAST_PATH */, TYPE_STREAM, 0, 4, 0, accept_any },
    { 0x98000011 /* SIO_TCP_INITIAL_RTO */, TYPE_STREAM, 0, 3, 0, initial_rto },
    { 0xd8000027 /* SIO_TCP_INFO */, TYPE_STREAM, 0, 4, 0, ioctl_tcp_info },
    { 0x88000009 /* SIO_MULTIPOINT_LOOPBACK */, TYPE_MESSAGE, 0, 4, 0, multipoint_loopback },
    { 0x8800000a /* SIO_MULTICAST_SCOPE */, TYPE_MESSAGE, 0, 4, 0, multicast_scope },
    { 0x48000005 /* SIO_GET_BROADCAST_ADDRESS */, TYPE_MESSAGE, 0, 0, 16, broadcast_address },
    { 0x98000001 /* SIO_RCVALL */, TYPE_RAW, 0, 4, 0, receive_all },
    { 0x98000002 /* SIO_RCVALL_MCAST */, TYPE_RAW, 0, 4, 0, receive_all },
    { 0x98000003 /* SIO_RCVALL_IGMPMCAST */, TYPE_RAW, 0, 4, 0, receive_all },
};

static int32_t ioctl_run( struct descriptor *d, uint32_t code, struct ioctl_request *request,
                          const struct ioctl_code **row )
{
    int32_t error;

    for ( unsigned int i = 0; i < sizeof( codes ) / sizeof( codes[0] ); i++ )
    {
        if ( codes[i].code != code ) continue;
        if ( !( codes[i].types & option_type( d ) ) ) break;
        *row = &codes[i];
        if ( request->in_size < codes[i].in_least || request->out_size < codes[i].out_least ) error = WSAEFAULT;
        else error = codes[i].function( d, request );
        if ( error && !codes[i].keeps_count ) request->store_count = 1;
        return error;
    }
    request->store_count = 1;
    return WSAEOPNOTSUPP;
}

/* The blocking form of the two codes that report a change: waits for what `fd` tells. */
static NTSTATUS wait_for_change( struct descriptor *d, uint32_t kind, struct ws2_ioctl_params *params )
{
    struct pollfd fds[2] = { { .events = POLLIN } };
    enum wait_result result;

    if ( params->change_fd < 0 && ( params->change_fd = changes_open( kind ) ) < 0 )
    {
        params->error = WSAENOBUFS;
        return 0;
    }
    fds[0].fd = params->change_fd;
    params->error = 0;
    result = wait_many( &d, fds, 1, WAIT_FOREVER_US, &params->wait );
    return wait_status( result, &params->error );
}

static NTSTATUS carry_out( struct ws2_ioctl_params *params )
{
    const struct ioctl_code *row = NULL;
    struct ioctl_request request;
    NTSTATUS status = 0;
    struct descriptor *d = descriptor_acquire( params->handle, &status );

    if ( !d ) return status;
    descriptor_release( d );
    params->store_count = params->need_io_thread = 0;
    if ( !params->has_count )
    {
        params->error = WSAEFAULT;
        return 0;
    }
    request.in_size = params->in ? params->in_size : 0;
    if ( request.in_size )
        memcpy( request.in, (const void *)(uintptr_t)params->in,
                request.in_size < IOCTL_IN_BYTES ? request.in_size : IOCTL_IN_BYTES );
    request.out_address = params->out;
    request.out_size = params->out ? params->out_size : 0;
    request.width = params->width;
    request.count = request.store_count = 0;

    if ( !( d = descriptor_acquire( params->handle, &status ) ) ) return status;
    descriptor_renew( d );
    params->error = ioctl_run( d, params->code, &request, &row );
    if ( params->error == WSAEWOULDBLOCK )
    {
        const int routes = row->function == routing_change;
        int32_t error;

        if ( !( descriptor_flags( d ) & WS2_FLAG_NONBLOCKING ) )
            status = wait_for_change( d, changes_kind( d, routes ), params );
        else if ( ( error = changes_arm( d, routes, &params->need_io_thread ) ) ) params->error = error;
    }
    descriptor_release( d );
    params->count = request.count;
    if ( !params->error )
    {
        params->store_count = 1;
        if ( request.count ) memcpy( (void *)(uintptr_t)params->out, request.out, request.count );
    }
    else params->store_count = request.store_count;
    return status;
}

NTSTATUS unix_ioctl( void *args )
{
    struct ws2_ioctl_params *params = args;
    NTSTATUS status = carry_out( params );

    if ( status != WS2_STATUS_ALERT && params->change_fd >= 0 )
    {
        close( params->change_fd );
        params->change_fd = -1;
    }
    return status;
}
