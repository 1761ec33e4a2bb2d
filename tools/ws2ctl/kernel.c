/*
 * What the kernel knows of the host's internet sockets (sock_diag), to be looked up by the cookies that the table holds.
 */
#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include "ws2ctl.h"

static struct kernel_socket *kernel_sockets;
static size_t kernel_count, kernel_size;

void kernel_format_address( char *text, int family, const void *address, unsigned int port, int none_if_empty )
{
    static const unsigned char empty[16];
    char host[INET6_ADDRSTRLEN];

    if ( none_if_empty && !port && !memcmp( address, empty, family == AF_INET6 ? 16 : 4 ) ) strcpy( text, "-" );
    else
    {
        inet_ntop( family, address, host, sizeof( host ) );
        snprintf( text, ADDRESS_SIZE, family == AF_INET6 ? "[%s]:%u" : "%s:%u", host, port );
    }
}

static void add_kernel_socket( const struct inet_diag_msg *message )
{
    struct kernel_socket *found;

    if ( kernel_count == kernel_size )
    {
        const size_t size = kernel_size ? 2 * kernel_size : 256;
        void *larger = realloc( kernel_sockets, size * sizeof( *kernel_sockets ) );

        if ( !larger ) return;
        kernel_sockets = larger;
        kernel_size = size;
    }
    found = &kernel_sockets[kernel_count++];
    found->cookie = (uint64_t)message->id.idiag_cookie[1] << 32 | message->id.idiag_cookie[0];
    found->state = message->idiag_state;
    kernel_format_address( found->local, message->idiag_family, message->id.idiag_src, ntohs( message->id.idiag_sport ),
                           0 );
    kernel_format_address( found->peer, message->idiag_family, message->id.idiag_dst, ntohs( message->id.idiag_dport ),
                           1 );
}

static void ask_kernel( int fd, int family, int protocol )
{
    struct
    {
        struct nlmsghdr header;
        struct inet_diag_req_v2 request;
    } question = { .header = { .nlmsg_len = sizeof( question ),
                               .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                               .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
                   .request = { .sdiag_family = family, .sdiag_protocol = protocol, .idiag_states = ~0u } };
    static char buffer[0x10000] __attribute__( ( aligned( 8 ) ) );

    if ( send( fd, &question, sizeof( question ), 0 ) < 0 ) return;
    for ( ;; )
    {
        ssize_t size = recv( fd, buffer, sizeof( buffer ), 0 );
        const struct nlmsghdr *header = (const struct nlmsghdr *)buffer;

        if ( size <= 0 ) return;
        for ( ; NLMSG_OK( header, size ); header = NLMSG_NEXT( header, size ) )
        {
            if ( header->nlmsg_type == NLMSG_DONE || header->nlmsg_type == NLMSG_ERROR ) return;
            if ( header->nlmsg_type == SOCK_DIAG_BY_FAMILY ) add_kernel_socket( NLMSG_DATA( header ) );
        }
    }
}

static int compare_cookies( const void *a, const void *b )
{
    const uint64_t x = ( (const struct kernel_socket *)a )->cookie, y = ( (const struct kernel_socket *)b )->cookie;

    return x < y ? -1 : x > y;
}

void kernel_load( void )
{
    static const int families[] = { AF_INET, AF_INET6 }, protocols[] = { IPPROTO_TCP, IPPROTO_UDP };
    const struct timeval patience = { 2, 0 };
    int fd = socket( AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG );

    kernel_count = 0;
    if ( fd < 0 ) return;
    setsockopt( fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof( patience ) );
    for ( int i = 0; i < 2; i++ )
        for ( int j = 0; j < 2; j++ ) ask_kernel( fd, families[i], protocols[j] );
    close( fd );
    if ( kernel_count ) qsort( kernel_sockets, kernel_count, sizeof( *kernel_sockets ), compare_cookies );
}

const struct kernel_socket *kernel_find( uint64_t cookie )
{
    const struct kernel_socket key = { .cookie = cookie };

    return kernel_count ? bsearch( &key, kernel_sockets, kernel_count, sizeof( key ), compare_cookies ) : NULL;
}
