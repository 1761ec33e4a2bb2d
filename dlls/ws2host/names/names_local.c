/*
 * What the host says of itself: the addresses of its adapters, and its data base of services. Any thread. Every
 * pointer in the parameters is ws2_32's own memory, not the program's.
 *
 * The adapters' addresses are kept while a netlink socket has nothing to say of a change: one system call a question. An
 * owner lock guards them, never held while they are read.
 */
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <libgen.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "base/owner_lock.h"
#include "base/unix_private.h"
#include "names/adapters.h"

NTSTATUS unix_etc_file( void *args )
{
    static const char *const paths[] = { [WS2_ETC_SERVICES] = "/etc/services" };
    struct ws2_etc_file_params *params = args;
    struct stat st;
    ssize_t got;
    int fd;

    params->error = WSANO_DATA;
    if ( params->file >= sizeof( paths ) / sizeof( paths[0] ) ) return 0;
    if ( ( fd = open( paths[params->file], O_RDONLY | O_CLOEXEC ) ) < 0 ) return 0;
    if ( !fstat( fd, &st ) && S_ISREG( st.st_mode ) )
    {
        params->length = st.st_size;
        params->error = st.st_size > params->size ? WSAENOBUFS : 0;
        if ( !params->error )
        {
            got = read( fd, (void *)(uintptr_t)params->text, params->length );
            params->length = got > 0 ? got : 0;
        }
    }
    close( fd );
    return 0;
}

/* A clock tick of the file system, generously: file times of some are whole seconds. */
#define SETTLED 3

NTSTATUS unix_file_state( void *args )
{
    struct ws2_file_state_params *params = args;
    const char *path = (const char *)(uintptr_t)params->path;
    struct stat st;
    struct timespec now;
    char *copy;
    int got = fstatat( AT_FDCWD, path, &st, 0 );

    memset( params->state, 0, sizeof( params->state ) );
    params->error = WSANO_DATA;
    if ( got && ( copy = strdup( path ) ) )
    {
        got = fstatat( AT_FDCWD, dirname( copy ), &st, 0 );
        free( copy );
    }
    if ( got ) return 0;
    params->state[0] = st.st_dev;
    params->state[1] = st.st_ino;
    params->state[2] = st.st_size;
    params->state[3] = st.st_mtim.tv_sec * 1000000000ull + st.st_mtim.tv_nsec;
    params->state[4] = st.st_ctim.tv_sec * 1000000000ull + st.st_ctim.tv_nsec;
    params->state[5] = st.st_mode;
    clock_gettime( CLOCK_REALTIME, &now );
    params->recent = st.st_ctim.tv_sec + SETTLED >= now.tv_sec;
    params->error = 0;
    return 0;
}

/* Destination and mask (or prefix length) of zero. */
int interface_carries_default_route( const char *interface, int family )
{
    FILE *file = fopen( family == AF_INET ? "/proc/net/route" : "/proc/net/ipv6_route", "re" );
    char line[512], name[64], destination[40];
    unsigned int mask;
    int found = 0;

    if ( !file ) return 0;
    while ( !found && fgets( line, sizeof( line ), file ) )
    {
        if ( family == AF_INET )
            found = sscanf( line, "%63s %39s %*s %*s %*s %*s %*s %x", name, destination, &mask ) == 3;
        else found = sscanf( line, "%39s %x %*s %*s %*s %*s %*s %*s %*s %63s", destination, &mask, name ) == 3;
        found = found && !strcmp( name, interface ) && strspn( destination, "0" ) == strlen( destination ) && !mask;
    }
    fclose( file );
    return found;
}

static int adapter_describe( const struct ifaddrs *interface, struct ws2_address *address )
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)interface->ifa_addr;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)interface->ifa_addr;

    memset( address, 0, sizeof( *address ) );
    if ( !interface->ifa_addr || !( interface->ifa_flags & IFF_UP ) ) return 0;
    if ( interface->ifa_addr->sa_family == AF_INET )
    {
        address->family = WS2_FAMILY_INET;
        memcpy( address->bytes, &in->sin_addr, 4 );
    }
    else if ( interface->ifa_addr->sa_family == AF_INET6 )
    {
        address->family = WS2_FAMILY_INET6;
        address->scope = in6->sin6_scope_id;
        memcpy( address->bytes, &in6->sin6_addr, 16 );
        if ( IN6_IS_ADDR_LINKLOCAL( &in6->sin6_addr ) ) address->flags |= WS2_ADDRESS_LINK_LOCAL;
    }
    else return 0;
    address->adapter = if_nametoindex( interface->ifa_name );
    if ( interface->ifa_flags & IFF_LOOPBACK ) address->flags |= WS2_ADDRESS_LOOPBACK;
    else if ( interface_carries_default_route( interface->ifa_name, interface->ifa_addr->sa_family ) )
        address->flags |= WS2_ADDRESS_DEFAULT_ROUTE;
    return 1;
}

static owner_lock adapters_lock;
static struct ws2_address *adapters; /* what is kept, or NULL; the lock's, like the rest */
static uint32_t adapters_count;
static int adapters_changes = -1; /* netlink: whatever has changed since adapters were read */
static uint32_t adapters_looks;   /* how often it had something to say: what was read before the last is not kept */

/* Everything that a change of addresses, of adapters or of default routes brings */
static int adapters_watch( void )
{
    struct sockaddr_nl address = { .nl_family = AF_NETLINK,
                                   .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
                                                RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE };
    int fd = socket( AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE );

    if ( fd >= 0 && bind( fd, (struct sockaddr *)&address, sizeof( address ) ) )
    {
        close( fd );
        return -1;
    }
    return fd;
}

/* Takes out what netlink has said, so that the next look sees later changes only. What is kept goes with it. */
static void adapters_look( void )
{
    struct ws2_address *old = adapters;
    char message[1];

    if ( adapters_changes < 0 ) adapters_changes = adapters_watch();
    if ( adapters_changes < 0 ) return;
    /* an error of the socket's is one of too many changes: they are lost, but not that there were any */
    while ( recv( adapters_changes, message, sizeof( message ), 0 ) >= 0 ||
            ( errno != EAGAIN && errno != EWOULDBLOCK ) )
    {
        adapters_looks++;
        adapters = NULL;
    }
    if ( !adapters ) free( old );
}

/* Reads them anew; *list is the caller's. */
static int32_t adapters_read( struct ws2_address **list, uint32_t *count )
{
    struct ifaddrs *interfaces;
    uint32_t most = 1;

    *count = 0;
    if ( getifaddrs( &interfaces ) ) return WSAENETDOWN;
    for ( struct ifaddrs *interface = interfaces; interface; interface = interface->ifa_next ) most++;
    if ( ( *list = malloc( most * sizeof( **list ) ) ) )
        for ( struct ifaddrs *interface = interfaces; interface; interface = interface->ifa_next )
            *count += adapter_describe( interface, &( *list )[*count] );
    freeifaddrs( interfaces );
    return *list ? 0 : WSA_NOT_ENOUGH_MEMORY;
}

static void adapters_give( struct ws2_interfaces_params *params, const struct ws2_address *list, uint32_t count )
{
    params->count = count;
    params->error = count > params->capacity ? WSAENOBUFS : 0;
    if ( !params->error ) memcpy( (void *)(uintptr_t)params->addresses, list, count * sizeof( *list ) );
}

NTSTATUS unix_interfaces( void *args )
{
    struct ws2_interfaces_params *params = args;
    struct ws2_address *list;
    uint32_t looks, count;
    int known;

    params->count = 0;
    owner_lock_take( &adapters_lock );
    adapters_look();
    looks = adapters_looks;
    if ( ( known = adapters != NULL ) ) adapters_give( params, adapters, adapters_count );
    owner_lock_give( &adapters_lock );
    if ( known || ( params->error = adapters_read( &list, &count ) ) ) return 0;

    adapters_give( params, list, count );
    owner_lock_take( &adapters_lock );
    if ( adapters_changes >= 0 && looks == adapters_looks && !adapters )
    {
        adapters_count = count;
        adapters = list;
        list = NULL;
    }
    owner_lock_give( &adapters_lock );
    free( list );
    return 0;
}
