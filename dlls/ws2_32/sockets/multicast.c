/*
 * WSAJoinLeaf, on datagram sockets: joining a multicast group. IP's groups have no root, so the socket given is itself
 * the leaf that is returned. Groups can be joined by options too (dlls/ws2host/options/multicast.c), which this comes down to.
 */
#include "base/local_addresses.h"
#include "base/ws2_32_private.h"

static int multicast_join( SOCKET s, const struct ws2_socket_state_params *state, const SOCKADDR_STORAGE *group )
{
    struct ip_mreq request4;
    struct ipv6_mreq request6;
    struct ws2_option_params params = { .handle = s };

    if ( state->family == AF_INET6 )
    {
        request6.ipv6mr_multiaddr = ( (const struct sockaddr_in6 *)group )->sin6_addr;
        request6.ipv6mr_interface = ( (const struct sockaddr_in6 *)group )->sin6_scope_id;
        params.level = IPPROTO_IPV6;
        params.name = IPV6_ADD_MEMBERSHIP;
        params.value = ws2_pointer( &request6 );
        params.size = sizeof( request6 );
    }
    else
    {
        /* the interface that the socket is bound to */
        request4.imr_multiaddr = ( (const struct sockaddr_in *)group )->sin_addr;
        request4.imr_interface = ( (const struct sockaddr_in *)state->local )->sin_addr;
        params.level = IPPROTO_IP;
        params.name = IP_ADD_MEMBERSHIP;
        params.value = ws2_pointer( &request4 );
        params.size = sizeof( request4 );
    }
    return ws2_call( setsockopt, &params );
}

static int join_leaf( SOCKET s, const struct sockaddr *name, int size, DWORD flags )
{
    struct ws2_socket_state_params state = { .handle = s };
    int needed, error = ws2_call( socket_state, &state );
    SOCKADDR_STORAGE group = { 0 };

    if ( error ) return error;
    if ( state.type != SOCK_DGRAM ) return WSAEOPNOTSUPP;
    needed = address_length( state.family );
    if ( !name || size < needed || ws2_read( &group, name, needed ) ) return WSAEFAULT;
    if ( (UINT)group.ss_family != state.family ) return WSAEAFNOSUPPORT;
    if ( flags != JL_SENDER_ONLY && flags != JL_RECEIVER_ONLY && flags != JL_BOTH ) return WSAEINVAL;
    if ( !state.local_size ) return WSAEINVAL;
    return flags == JL_SENDER_ONLY ? 0 : multicast_join( s, &state, &group );
}

/***********************************************************************
 *      WSAJoinLeaf   (WS2_32.@)
 */
SOCKET WINAPI WSAJoinLeaf( SOCKET s, const struct sockaddr *name, int size, LPWSABUF caller_data, LPWSABUF callee_data,
                           LPQOS qos, LPQOS group_qos, DWORD flags )
{
    int error;

    WS2_REQUIRE_STARTUP( INVALID_SOCKET );
    error = join_leaf( s, name, size, flags );
    return WS2_RESULT( error ? INVALID_SOCKET : s, error,
                       "s=%#zx, name=%p, size=%d, caller_data=%p, callee_data=%p, qos=%p, group_qos=%p, flags=%#lx", s,
                       (void *)name, size, (void *)caller_data, (void *)callee_data, (void *)qos, (void *)group_qos,
                       flags );
}
