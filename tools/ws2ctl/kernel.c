/*
 * What the kernel knows of the host's sockets (sock_diag), to be looked up by the cookies that the table holds: addresses,
 * TCP's states, queues and timers; names of AF_UNIX sockets.
 */
#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
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

static struct kernel_socket *add( const uint32_t cookie[2] )
{
    struct kernel_socket *found;

    if ( kernel_count == kernel_size )
    {
        const size_t size = kernel_size ? 2 * kernel_size : 256;
        void *larger = realloc( kernel_sockets, size * sizeof( *kernel_sockets ) );

        if ( !larger ) return NULL;
        kernel_sockets = larger;
        kernel_size = size;
    }
    found = &kernel_sockets[kernel_count++];
    memset( found, 0, sizeof( *found ) );
    found->cookie = (uint64_t)cookie[1] << 32 | cookie[0];
    strcpy( found->local, "-" );
    strcpy( found->peer, "-" );
    return found;
}

static void add_inet( const void *data, size_t size )
{
    const struct inet_diag_msg *message = data;
    struct kernel_socket *found;

    if ( size < sizeof( *message ) || !( found = add( message->id.idiag_cookie ) ) ) return;
    found->state = message->idiag_state;
    found->receive_queue = message->idiag_rqueue;
    found->send_queue = message->idiag_wqueue;
    found->timer = message->idiag_timer;
    found->timer_ms = message->idiag_expires;
    found->retransmits = message->idiag_retrans;
    kernel_format_address( found->local, message->idiag_family, message->id.idiag_src, ntohs( message->id.idiag_sport ),
                           0 );
    kernel_format_address( found->peer, message->idiag_family, message->id.idiag_dst, ntohs( message->id.idiag_dport ),
                           1 );
}

static void add_unix( const void *data, size_t size )
{
    const struct unix_diag_msg *message = data;
    const struct unix_diag_rqlen *queue;
    struct kernel_socket *found;
    struct rtattr *attribute;
    int rest = size - NLMSG_ALIGN( sizeof( *message ) );

    if ( size < sizeof( *message ) || !( found = add( message->udiag_cookie ) ) ) return;
    found->state = message->udiag_state;
    for ( attribute = (struct rtattr *)( message + 1 ); RTA_OK( attribute, rest );
          attribute = RTA_NEXT( attribute, rest ) )
    {
        const size_t length = RTA_PAYLOAD( attribute );

        if ( attribute->rta_type == UNIX_DIAG_NAME && length < sizeof( found->name ) )
        {
            memcpy( found->name, RTA_DATA( attribute ), length );
            if ( !*found->name ) *found->name = '@';
        }
        if ( attribute->rta_type == UNIX_DIAG_RQLEN && length >= sizeof( *queue ) )
        {
            queue = RTA_DATA( attribute );
            found->receive_queue = queue->udiag_rqueue;
            found->send_queue = queue->udiag_wqueue;
        }
    }
}

/* Every socket that the question is about; -1 when the kernel does not answer it. */
static int ask( int fd, const void *question, size_t size, void ( *take )( const void *data, size_t size ) )
{
    static char buffer[0x10000] __attribute__( ( aligned( 8 ) ) );

    if ( send( fd, question, size, 0 ) < 0 ) return -1;
    for ( ;; )
    {
        ssize_t got = recv( fd, buffer, sizeof( buffer ), 0 );
        const struct nlmsghdr *header = (const struct nlmsghdr *)buffer;

        if ( got <= 0 ) return -1;
        for ( ; NLMSG_OK( header, got ); header = NLMSG_NEXT( header, got ) )
        {
            if ( header->nlmsg_type == NLMSG_ERROR ) return -1;
            if ( header->nlmsg_type == NLMSG_DONE ) return 0;
            if ( header->nlmsg_type == SOCK_DIAG_BY_FAMILY )
                take( NLMSG_DATA( header ), header->nlmsg_len - NLMSG_HDRLEN );
        }
    }
}

static int ask_inet( int fd, int family, int protocol )
{
    const struct
    {
        struct nlmsghdr header;
        struct inet_diag_req_v2 request;
    } question = { .header = { .nlmsg_len = sizeof( question ),
                               .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                               .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
                   .request = { .sdiag_family = family, .sdiag_protocol = protocol, .idiag_states = ~0u } };

    return ask( fd, &question, sizeof( question ), add_inet );
}

static int ask_unix( int fd )
{
    const struct
    {
        struct nlmsghdr header;
        struct unix_diag_req request;
    } question = {
        .header = { .nlmsg_len = sizeof( question ),
                    .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
        .request = { .sdiag_family = AF_UNIX, .udiag_states = ~0u, .udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_RQLEN }
    };

    return ask( fd, &question, sizeof( question ), add_unix );
}

static int compare_cookies( const void *a, const void *b )
{
    const uint64_t x = ( (const struct kernel_socket *)a )->cookie, y = ( (const struct kernel_socket *)b )->cookie;

    return x < y ? -1 : x > y;
}

int kernel_load( void )
{
    static const int families[] = { AF_INET, AF_INET6 }, protocols[] = { IPPROTO_TCP, IPPROTO_UDP };
    const struct timeval patience = { 2, 0 };
    int fd = socket( AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG ), error = 0;

    kernel_count = 0;
    if ( fd < 0 ) return -1;
    setsockopt( fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof( patience ) );
    for ( int i = 0; i < 2; i++ )
        for ( int j = 0; j < 2; j++ ) error |= ask_inet( fd, families[i], protocols[j] );
    ask_unix( fd ); /* a module that not every kernel has: names are found elsewhere then */
    close( fd );
    if ( kernel_count ) qsort( kernel_sockets, kernel_count, sizeof( *kernel_sockets ), compare_cookies );
    return error;
}

const struct kernel_socket *kernel_find( uint64_t cookie )
{
    const struct kernel_socket key = { .cookie = cookie };

    return kernel_count ? bsearch( &key, kernel_sockets, kernel_count, sizeof( key ), compare_cookies ) : NULL;
}

const char *kernel_state_name( unsigned int state )
{
    static const char *const names[] = { NULL,         "established", "syn-sent",    "syn-received", "fin-wait-1",
                                         "fin-wait-2", "time-wait",   "closed",      "close-wait",   "last-ack",
                                         "listening",  "closing",     "syn-received" };

    return state < sizeof( names ) / sizeof( names[0] ) ? names[state] : NULL;
}
