/*
 * Binding to internet addresses (local.c has those of AF_UNIX).
 *
 * Who may bind what is decided by Windows' rules, which the server applies to every endpoint of the prefix (WS2_BIND). The
 * host is then told to let the sockets of one prefix coexist, which takes options that Windows does not have: SO_REUSEADDR
 * for ports in TIME_WAIT, SO_REUSEPORT for sockets that share a port. A socket gets the latter after it is bound, so that
 * those of this prefix can join it; it is bound with it only beside one of them, so that nobody else's port is joined.
 */
#include <errno.h>
#include <ifaddrs.h>
#include <linux/filter.h>
#include <net/if.h>
#include <string.h>
#include "base/host_clock.h"
#include "descriptors/upcalls.h"
#include "sockets/helpers.h"
#include "client/connection.h"
#include "sockets/endpoint.h"
#include "sockets/subnets.h"
#include "sockets/local.h"
#include "sockets/socket.h"

/* ms that a bind may take, for a process to be given up that has ended, a thread to leave a call; and of them for the host to
 * have no socket any more that has been closed */
#define ENDING_TIME 1000u
#define LEAVING_TIME 500u

static void turn_on( struct descriptor *d, int option )
{
    const int on = 1;

    setsockopt( d->fd, SOL_SOCKET, option, &on, sizeof( on ) );
}

/* Who has closed the port's socket may have it, though a thread was in a call with it or has yet to tell that it is closed; so may
 * who has seen the other program's end. *gone: the socket that refused it the last time and was not there any more. */
static int may_be_free_soon( const struct ws2_reply *reply, uint64_t *gone )
{
    const uint64_t opponent = (uint64_t)reply->generation << 32 | reply->slot;
    const uint64_t before = *gone;

    if ( reply->detail == WS2_DETAIL_LATER ) return 1;
    if ( reply->handle ) return 0;
    switch ( descriptor_leaving( reply->slot, reply->generation ) )
    {
    case DESCRIPTOR_STAYS: return 0;
    case DESCRIPTOR_LEAVES: return 1;
    case DESCRIPTOR_GONE: break; /* since it refused; twice: it has another reason to be there */
    }
    *gone = opponent;
    return opponent != before;
}

/* Asks the server whether the endpoint may be bound, until `end` at most, and prepares the host for it. *left: sockets of the
 * prefix that have been closed had the port. *holder: the Windows process that has it. */
static int32_t bind_ask( struct descriptor *d, const union host_address *address, uint64_t end, int *joins, int *left,
                         uint32_t *holder )
{
    const struct ws2_request request = { .type = WS2_BIND, .slot = d->slot_index, .generation = d->generation };
    uint64_t gone = UINT64_MAX;
    struct ws2_reply reply;
    int32_t error;

    endpoint_copy( d, address );
    descriptor_set_flags( d, WS2_FLAG_ENDPOINT ); /* from here on others see it, whoever of two asks first */
    for ( ;; )
    {
        struct ws2_request again = request;

        error = connection_request( &again, -1, &reply, NULL );
        *left |= reply.index != 0;
        if ( ( error != WSAEADDRINUSE && error != WSAEACCES ) || host_now_ms() >= end ) break;
        if ( !may_be_free_soon( &reply, &gone ) ) break;
        host_sleep_ms( 1 );
    }
    if ( error )
    {
        *holder = reply.handle;
        endpoint_forget( d );
        return error;
    }
    if ( d->slot->type == SOCK_STREAM ) turn_on( d, SO_REUSEADDR );
    if ( ( *joins = reply.count != 0 ) ) turn_on( d, SO_REUSEPORT );
    return 0;
}

/* The host may still have what has left: the server, which has yet to close what it was given to share, or a thread that was
 * in a call when its socket was closed, has it open. */
static int bind_host( const struct descriptor *d, const union host_address *address, socklen_t size, int left,
                      uint64_t end )
{
    const uint64_t left_by = left ? host_now_ms() + LEAVING_TIME : 0;
    int result;

    if ( end > left_by ) end = left_by;
    while ( ( result = bind( d->fd, &address->any, size ) ) < 0 && errno == EADDRINUSE && left && host_now_ms() < end )
        host_sleep_ms( 1 );
    return result;
}

static void remember_v6only( struct descriptor *d )
{
    int only = 0;
    socklen_t size = sizeof( only );

    getsockopt( d->fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, &size );
    if ( only ) descriptor_set_flags( d, WS2_FLAG_V6ONLY );
    else descriptor_clear_flags( d, WS2_FLAG_V6ONLY );
}

/* The zone of a link-local address of this computer, which Windows finds by itself; 0: it is not one. */
static uint32_t zone_of( const struct in6_addr *address )
{
    struct ifaddrs *list;
    uint32_t zone = 0;

    if ( getifaddrs( &list ) ) return 0;
    for ( struct ifaddrs *next = list; next && !zone; next = next->ifa_next )
    {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)next->ifa_addr;

        if ( in6 && in6->sin6_family == AF_INET6 && IN6_ARE_ADDR_EQUAL( &in6->sin6_addr, address ) )
            zone = in6->sin6_scope_id;
    }
    freeifaddrs( list );
    return zone;
}

/* A group's or a broadcast address is no adapter's; the host would bind to it. */
static int is_of_many( const union host_address *address )
{
    if ( adapter_is_group( address ) ) return 1;
    if ( address->any.sa_family != AF_INET || !address->in.sin_addr.s_addr ||
         ntohl( address->in.sin_addr.s_addr ) >> 24 == IN_LOOPBACKNET )
        return 0;
    return adapter_is_broadcast( address );
}

/* Of several sockets at one endpoint the host would choose by turns; on Windows the earliest gets everything. */
void bind_prefer_earliest( struct descriptor *d )
{
    struct sock_filter first[] = { { BPF_RET | BPF_K, 0, 0, 0 } };
    const struct sock_fprog program = { 1, first };

    setsockopt( d->fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof( program ) );
}

static int32_t bind_checked( struct descriptor *d, union host_address *address, socklen_t size, uint64_t end,
                             uint32_t *holder )
{
    int32_t error;
    int joins = 0, left = 0;

    if ( descriptor_flags( d ) & WS2_FLAG_BOUND ) return WSAEINVAL;
    if ( is_of_many( address ) ) return WSAEADDRNOTAVAIL;
    if ( address->any.sa_family == AF_INET6 )
    {
        char name[IF_NAMESIZE];

        if ( address->in6.sin6_scope_id && !if_indextoname( address->in6.sin6_scope_id, name ) )
            return WSAEADDRNOTAVAIL;
        if ( !address->in6.sin6_scope_id && IN6_IS_ADDR_LINKLOCAL( &address->in6.sin6_addr ) &&
             !( address->in6.sin6_scope_id = zone_of( &address->in6.sin6_addr ) ) )
            return WSAEADDRNOTAVAIL;
        remember_v6only( d );
    }
    /* the port stands at the same place in both families */
    if ( address->in.sin_port && ( error = bind_ask( d, address, end, &joins, &left, holder ) ) ) return error;
    if ( bind_host( d, address, size, left, end ) < 0 )
    {
        if ( errno == EACCES ) connection_port_refused( ntohs( address->in.sin_port ) );
        error = winsock_error( errno );
        endpoint_forget( d );
        /* nobody is to wait for the host because of a socket that never had the port */
        if ( address->in.sin_port ) connection_bound( d->slot_index, d->generation );
        return error;
    }
    descriptor_set_flags( d, WS2_FLAG_ENDPOINT );
    if ( d->slot->type == SOCK_STREAM && !address->in.sin_port ) turn_on( d, SO_REUSEADDR );
    turn_on( d, SO_REUSEPORT );
    if ( joins && d->slot->type != SOCK_STREAM ) bind_prefer_earliest( d );
    endpoint_remember( d );
    if ( !address->in.sin_port ) connection_bound( d->slot_index, d->generation );
    helpers_bound( d );
    return 0;
}

static int is_internet( uint32_t family ) { return family == WS_AF_INET || family == WS_AF_INET6; }

NTSTATUS unix_bind( void *args )
{
    struct ws2_address_params *params = args;
    struct ws2_local_address local;
    union host_address address;
    socklen_t size;
    NTSTATUS status;
    struct descriptor *d = descriptor_acquire( params->handle, &status );
    uint32_t family;
    uint64_t end;

    if ( !d ) return status;
    family = d->slot->family;
    descriptor_release( d ); /* reading the caller's memory may fault */
    params->holder = 0;
    params->error = family == WS_AF_UNIX ? local_read( params->address, params->size, &local )
                                         : address_read( family, params->address, params->size, &address, &size );
    if ( params->error == WSAEAFNOSUPPORT && is_internet( family ) )
    {
        uint16_t given;

        memcpy( &given, (const void *)(uintptr_t)params->address, sizeof( given ) );
        if ( is_internet( given ) ) params->error = WSAEFAULT; /* the other version's */
    }
    if ( params->error ) return 0;
    if ( !( d = descriptor_acquire( params->handle, &status ) ) ) return status;
    descriptor_renew( d );
    end = host_now_ms() + ENDING_TIME - ( params->waited < ENDING_TIME ? params->waited : ENDING_TIME );
    params->error =
        family == WS_AF_UNIX ? local_bind( d, &local ) : bind_checked( d, &address, size, end, &params->holder );
    if ( !params->error && params->by_code ) atomic_fetch_or( &d->local, LOCAL_BOUND_BY_CODE );
    /* a datagram socket may send now: FD_WRITE, of which no poll tells */
    if ( !params->error && d->slot->type != SOCK_STREAM ) upcalls.look_again( d );
    descriptor_release( d );
    return 0;
}
