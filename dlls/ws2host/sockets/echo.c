/* Ping sockets in place of raw ones: see echo.h. */
#include "sockets/echo.h"
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include "base/owner_lock.h"

#define HEADER 20u
#define MOST 65535u
#define ID_KNOWN 0x10000u /* of the slot's backlog, which raw sockets have no other use for: there is one */

/* One looks at what is next and takes it. */
static owner_lock echo_lock;

int echo_socket( uint32_t family, uint32_t protocol )
{
    const int v6 = family == WS_AF_INET6, on = 1;
    int fd;

    errno = EACCES;
    if ( protocol != ( v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP ) ) return -1;
    fd = socket( v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, (int)protocol );
    if ( fd >= 0 && !v6 ) setsockopt( fd, IPPROTO_IP, IP_RECVTTL, &on, sizeof( on ) );
    return fd;
}

void echo_mark( struct descriptor *d )
{
    int type = 0;
    socklen_t size = sizeof( type );

    option_set_bit( d->slot, BIT_ECHO, !getsockopt( d->fd, SOL_SOCKET, SO_TYPE, &type, &size ) && type == SOCK_DGRAM );
}

void echo_sends( struct descriptor *d, uint8_t first, uint8_t second )
{
    const uint8_t bytes[2] = { first, second };
    uint16_t id;

    memcpy( &id, bytes, sizeof( id ) );
    atomic_store( &d->slot->backlog, ID_KNOWN | id );
}

static uint16_t folded( uint32_t sum )
{
    while ( sum >> 16 ) sum = ( sum & 0xffff ) + ( sum >> 16 );
    return (uint16_t)sum;
}

/* The program's number in place of the host's, and the checksum after it. */
static void restore_id( struct descriptor *d, struct icmphdr *message, size_t size )
{
    const uint32_t id = atomic_load( &d->slot->backlog );
    uint16_t change;

    if ( !( id & ID_KNOWN ) || size < sizeof( *message ) ) return;
    change = folded( (uint16_t)~message->un.echo.id + ( id & 0xffff ) );
    message->checksum = (uint16_t)~folded( (uint16_t)~message->checksum + (uint32_t)change );
    message->un.echo.id = (uint16_t)id;
}

static uint8_t ttl_of( struct msghdr *message )
{
    int ttl = IPDEFTTL;

    for ( struct cmsghdr *one = CMSG_FIRSTHDR( message ); one; one = CMSG_NXTHDR( message, one ) )
        if ( one->cmsg_level == IPPROTO_IP && one->cmsg_type == IP_TTL )
            memcpy( &ttl, CMSG_DATA( one ), sizeof( ttl ) );
    return (uint8_t)ttl;
}

static void make_header( struct descriptor *d, uint8_t *packet, size_t size, struct msghdr *message )
{
    const struct sockaddr_in *from = message->msg_name;
    struct iphdr header = { .version = 4, .ihl = HEADER / 4, .protocol = IPPROTO_ICMP };
    struct sockaddr_in own = { 0 };
    socklen_t own_size = sizeof( own );
    uint16_t words[HEADER / 2];
    uint32_t sum = 0;

    getsockname( d->fd, (struct sockaddr *)&own, &own_size );
    header.tot_len = htons( (uint16_t)( size <= MOST ? size : MOST ) );
    header.ttl = ttl_of( message );
    header.saddr = from->sin_addr.s_addr;
    /* not told, and on loopback the same */
    header.daddr =
        own.sin_addr.s_addr || ntohl( header.saddr ) >> 24 != IN_LOOPBACKNET ? own.sin_addr.s_addr : header.saddr;
    memcpy( words, &header, HEADER );
    for ( size_t i = 0; i < HEADER / 2; i++ ) sum += words[i];
    header.check = (uint16_t)~folded( sum );
    memcpy( packet, &header, HEADER );
}

/* Into the program's buffers, which the host writes to, as they may be gone: how much, or -1. */
static ssize_t scatter( uint8_t *packet, size_t size, const struct iovec *vectors, size_t count )
{
    struct iovec from = { packet, 0 };
    size_t room = 0;

    if ( count > IOV_MAX ) count = IOV_MAX;
    for ( size_t i = 0; i < count; i++ ) room += vectors[i].iov_len;
    if ( !( from.iov_len = size < room ? size : room ) ) return 0;
    if ( process_vm_writev( getpid(), &from, 1, vectors, count, 0 ) == (ssize_t)from.iov_len )
        return (ssize_t)from.iov_len;
    errno = EFAULT;
    return -1;
}

static void copy_header( struct msghdr *header, const struct msghdr *message, int truncated )
{
    if ( header->msg_name )
        memcpy( header->msg_name, message->msg_name,
                header->msg_namelen < message->msg_namelen ? header->msg_namelen : message->msg_namelen );
    header->msg_namelen = message->msg_namelen;
    if ( header->msg_control && header->msg_controllen >= message->msg_controllen )
        memcpy( header->msg_control, message->msg_control, message->msg_controllen );
    header->msg_controllen =
        header->msg_control && header->msg_controllen >= message->msg_controllen ? message->msg_controllen : 0;
    header->msg_flags = truncated ? MSG_TRUNC : 0;
}

ssize_t echo_receive( struct descriptor *d, const struct iovec *vectors, size_t count, struct msghdr *header, int flags,
                      uint8_t *truncated )
{
    const size_t begin = d->slot->family == WS_AF_INET ? HEADER : 0;
    _Alignas( struct cmsghdr ) char control[256];
    union host_address from = { 0 };
    uint8_t *packet = malloc( HEADER + MOST );
    struct iovec whole = { packet + begin, MOST };
    struct msghdr message = { &from, sizeof( from ), &whole, 1, control, sizeof( control ), 0 };
    ssize_t size, written = -1;
    int error;

    if ( !packet )
    {
        errno = ENOBUFS;
        return -1;
    }
    owner_lock_take( &echo_lock );
    if ( ( size = recvmsg( d->fd, &message, MSG_DONTWAIT | MSG_PEEK ) ) >= 0 )
    {
        restore_id( d, (struct icmphdr *)( packet + begin ), (size_t)size );
        size += (ssize_t)begin;
        if ( begin ) make_header( d, packet, (size_t)size, &message );
        if ( ( written = scatter( packet, (size_t)size, vectors, count ) ) >= 0 )
        {
            *truncated = written < size;
            if ( header ) copy_header( header, &message, written < size );
            if ( !( flags & MSG_PEEK ) ) recv( d->fd, NULL, 0, MSG_DONTWAIT );
        }
    }
    error = errno;
    owner_lock_give( &echo_lock );
    free( packet );
    errno = error;
    return written;
}
