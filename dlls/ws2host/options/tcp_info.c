/* SIO_TCP_INFO: the host's statistics of a connection in Windows' TCP_INFO_v0 and _v1. */
#include <errno.h>
#include <linux/tcp.h>
#include <stddef.h>
#include <string.h>
#include "sockets/connect.h"
#include "options/ioctl.h"

struct windows_tcp_info
{
    uint32_t state;
    uint32_t mss;
    uint64_t connection_time_ms;
    uint8_t timestamps;
    uint32_t rtt_us;
    uint32_t min_rtt_us;
    uint32_t bytes_in_flight;
    uint32_t congestion_window;
    uint32_t send_window;
    uint32_t receive_window;
    uint32_t receive_buffer;
    uint64_t bytes_out;
    uint64_t bytes_in;
    uint32_t bytes_reordered;
    uint32_t bytes_retransmitted;
    uint32_t fast_retransmits;
    uint32_t duplicate_acks;
    uint32_t timeouts;
    uint8_t syn_retransmits;
    /* version 1 */
    uint32_t receiver_limit_count;
    uint32_t receiver_limit_ms;
    uint64_t receiver_limit_bytes;
    uint32_t congestion_limit_count;
    uint32_t congestion_limit_ms;
    uint64_t congestion_limit_bytes;
    uint32_t sender_limit_count;
    uint32_t sender_limit_ms;
    uint64_t sender_limit_bytes;
};
#define VERSION_0_SIZE 88
_Static_assert( offsetof( struct windows_tcp_info, receiver_limit_count ) == VERSION_0_SIZE, "Windows' layout" );
_Static_assert( sizeof( struct windows_tcp_info ) == 136, "Windows' size" );

int32_t ioctl_tcp_info( struct descriptor *d, struct ioctl_request *request )
{
    /* TCPSTATE of Windows for each state of the host */
    static const uint8_t states[] = { 0, 4, 2, 3, 5, 6, 10, 0, 7, 9, 1, 8, 3 };
    uint32_t version = ioctl_in_number( request ), size = version ? sizeof( struct windows_tcp_info ) : VERSION_0_SIZE;
    struct windows_tcp_info info = { 0 };
    struct tcp_info host = { 0 };
    socklen_t host_size = sizeof( host );
    uint64_t since;

    if ( version > 1 ) return WSAEINVAL;
    if ( request->out_size < size ) return WSAEFAULT;
    if ( getsockopt( d->fd, IPPROTO_TCP, TCP_INFO, &host, &host_size ) ) return winsock_error( errno );
    info.state = host.tcpi_state < sizeof( states ) ? states[host.tcpi_state] : 0;
    info.mss = host.tcpi_snd_mss;
    if ( connect_age( d, &since ) ) info.connection_time_ms = since;
    info.timestamps = ( host.tcpi_options & TCPI_OPT_TIMESTAMPS ) != 0;
    info.rtt_us = host.tcpi_rtt;
    info.min_rtt_us = host.tcpi_min_rtt;
    info.bytes_in_flight = host.tcpi_unacked * host.tcpi_snd_mss;
    info.congestion_window = host.tcpi_snd_cwnd * host.tcpi_snd_mss;
    info.send_window = host.tcpi_snd_wnd;
    info.receive_window = host.tcpi_rcv_space;
    info.receive_buffer = host.tcpi_rcv_space;
    info.bytes_out = host.tcpi_bytes_sent;
    info.bytes_in = host.tcpi_bytes_received;
    info.bytes_retransmitted = host.tcpi_bytes_retrans;
    info.timeouts = host.tcpi_backoff;
    info.receiver_limit_ms = host.tcpi_rwnd_limited / 1000;
    info.sender_limit_ms = host.tcpi_sndbuf_limited / 1000;
    memcpy( request->out, &info, size );
    request->count = size;
    return 0;
}
