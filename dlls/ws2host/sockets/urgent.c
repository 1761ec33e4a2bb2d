/* Urgent bytes as a queue beside the stream: see urgent.h. */
#include <assert.h>
#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/owner_lock.h"
#include "descriptors/upcalls.h"
#include "sockets/connect.h"
#include "sockets/urgent.h"

#define BYTES 4096             /* room for urgent bytes, a ring at the file's beginning; behind it ordinary data */
#define DATA_LIMIT ( 1 << 20 ) /* a peer that goes on sending urgent bytes fills no memory that nobody reads */

/* States of a connection of which the other end has not ended its stream, as TCP_INFO numbers them. */
#define HOST_ESTABLISHED 1
#define HOST_FIN_WAIT1 4
#define HOST_FIN_WAIT2 5

static int is_inline( const struct descriptor *d ) { return ( descriptor_flags( d ) & WS2_FLAG_OOBINLINE ) != 0; }

static int set_host( struct descriptor *d, int on )
{
    return setsockopt( d->fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof( on ) );
}

/* Ports of both ends; 0: not known. */
static int ports( const struct descriptor *d, uint16_t *local, uint16_t *peer )
{
    union host_address address;
    socklen_t size = sizeof( address );

    if ( d->slot->family == WS_AF_UNIX || getsockname( d->fd, &address.any, &size ) ) return 0;
    *local = address.in.sin_port;
    size = sizeof( address );
    if ( connect_peer( d, &address, &size ) ) return 0;
    *peer = address.in.sin_port;
    return 1;
}

void urgent_watch( struct descriptor *d )
{
    struct urgent_store *store, *none = NULL;
    uint16_t local, peer;

    if ( atomic_load( &d->urgent ) || d->slot->type != SOCK_STREAM || d->slot->family == WS_AF_UNIX ||
         descriptor_is_shared( d ) || !( descriptor_flags( d ) & WS2_FLAG_CONNECTED ) )
        return;
    if ( !( store = calloc( 1, sizeof( *store ) ) ) ) return;
    if ( ports( d, &local, &peer ) ) store->ports = (uint32_t)local << 16 | peer;
    store->seen = atomic_load( &ws2_table_urgent( connection_table() )->next ) - WS2_URGENT_SENDS;
    if ( ( store->fd = memfd_create( "ws2host-urgent", MFD_CLOEXEC ) ) >= 0 && !ftruncate( store->fd, BYTES ) &&
         atomic_compare_exchange_strong( &d->urgent, &none, store ) )
    {
        descriptor_changed();
        return;
    }
    if ( store->fd >= 0 ) close( store->fd );
    free( store );
}

short urgent_awaited( const struct descriptor *d )
{
    const struct urgent_store *store = atomic_load( &d->urgent );

    if ( d->slot->type != SOCK_STREAM || d->slot->family == WS_AF_UNIX || descriptor_is_shared( d ) || is_inline( d ) )
        return 0;
    return store && store->count >= BYTES ? 0 : POLLPRI;
}

/* --- hints: a set of hashes of connections, which only grows ----------------------------------------------------------*/

static uint32_t hash( uint16_t receiver, uint16_t sender )
{
    return ( receiver * 0x9e3779b1u ^ sender * 0x85ebca6bu ) >> 24;
}

void urgent_sends( struct descriptor *d )
{
    struct ws2_table_header *header = ws2_table_header( connection_table() );
    uint16_t local, peer;
    uint32_t bit;

    if ( !ports( d, &local, &peer ) ) return;
    bit = hash( peer, local );
    atomic_fetch_or( &header->urgent_hints[bit / 32], 1u << bit % 32 );
    atomic_store( &header->urgent_sent, 1 );
}

void urgent_sent( struct descriptor *d, uint8_t byte )
{
    struct ws2_urgent_sends *sends = ws2_table_urgent( connection_table() );
    uint16_t local, peer;

    if ( !ports( d, &local, &peer ) ) return;
    for ( int tries = 0; tries < 8; tries++ )
    {
        struct tcp_info before = { 0 }, after = { 0 };
        socklen_t size = sizeof( before );
        uint32_t place, index;
        int waiting;

        if ( getsockopt( d->fd, IPPROTO_TCP, TCP_INFO, &before, &size ) || ioctl( d->fd, SIOCOUTQ, &waiting ) ) return;
        size = sizeof( after );
        if ( getsockopt( d->fd, IPPROTO_TCP, TCP_INFO, &after, &size ) ) return;
        if ( before.tcpi_bytes_acked != after.tcpi_bytes_acked ) continue;
        /* who connected has had its own beginning counted as a byte */
        place = after.tcpi_bytes_acked + waiting - !( descriptor_flags( d ) & WS2_FLAG_ACCEPTED ) - 1;
        index = atomic_fetch_add( &sends->next, 1 ) % WS2_URGENT_SENDS;
        atomic_store( &sends->values[index], connect_clock() << 8 | byte );
        atomic_store( &sends->entries[index], (uint64_t)( (uint32_t)peer << 16 | local ) << 32 | place );
        return;
    }
}

int urgent_hinted( struct descriptor *d )
{
    struct ws2_table_header *header = ws2_table_header( connection_table() );
    uint32_t known = atomic_load_explicit( &d->urgent_hash, memory_order_relaxed );
    uint16_t local, peer;

    if ( !known )
    {
        if ( d->slot->type != SOCK_STREAM || !( descriptor_flags( d ) & WS2_FLAG_CONNECTED ) ) return 0;
        known = 1 + ( ports( d, &local, &peer ) ? hash( local, peer ) : 0 );
        atomic_store_explicit( &d->urgent_hash, known, memory_order_relaxed );
    }
    known--;
    if ( !( atomic_load( &header->urgent_hints[known / 32] ) >> known % 32 & 1 ) ) return 0;
    urgent_watch( d );
    return atomic_load( &d->urgent ) != NULL;
}

/* --- the store; its lock is held ----------------------------------------------------------------------------------------*/

static struct urgent_store *take_store( struct descriptor *d )
{
    struct urgent_store *store = atomic_load( &d->urgent );

    if ( store ) owner_lock_take( &store->lock );
    return store;
}

static void give_store( struct urgent_store *store ) { owner_lock_give( &store->lock ); }

static void append( struct urgent_store *store, const void *data, size_t size )
{
    assert( owner_lock_held( &store->lock ) );
    if ( pwrite( store->fd, data, size, BYTES + store->end ) == (ssize_t)size ) store->end += size;
}

static void passed( struct urgent_store *store, size_t size )
{
    assert( owner_lock_held( &store->lock ) && size <= store->end - store->begin );
    store->begin += size;
    if ( store->begin < store->end ) return;
    store->begin = store->end = store->moved = 0;
    /* the data ends where the file does */
    if ( ftruncate( store->fd, BYTES ) ) store->begin = 0;
}

/* So much of what the host has is put by as ordinary data. */
static int put_by( struct descriptor *d, struct urgent_store *store, size_t size )
{
    char data[0x4000];
    ssize_t n;

    for ( ; size; size -= n )
    {
        n = recv( d->fd, data, size < sizeof( data ) ? size : sizeof( data ), MSG_DONTWAIT );
        if ( n <= 0 ) return 0;
        append( store, data, n );
    }
    return 1;
}

static int take_byte( struct descriptor *d, struct urgent_store *store )
{
    char byte;

    if ( store->count == BYTES || recv( d->fd, &byte, 1, MSG_DONTWAIT ) != 1 ) return 0;
    store->count += pwrite( store->fd, &byte, 1, ( store->first + store->count ) % BYTES ) == 1;
    return 1;
}

/* Where in the stream the next byte of the host's is; 0: it cannot be told. */
static int read_position( const struct descriptor *d, uint32_t *position )
{
    for ( int tries = 0; tries < 8; tries++ )
    {
        struct tcp_info before = { 0 }, after = { 0 };
        socklen_t size = sizeof( before );
        int waiting;

        if ( getsockopt( d->fd, IPPROTO_TCP, TCP_INFO, &before, &size ) || ioctl( d->fd, FIONREAD, &waiting ) )
            return 0;
        size = sizeof( after );
        if ( getsockopt( d->fd, IPPROTO_TCP, TCP_INFO, &after, &size ) ) return 0;
        if ( before.tcpi_bytes_received != after.tcpi_bytes_received ) continue;
        /* the end of the stream has been counted as a byte */
        *position = after.tcpi_bytes_received - waiting -
                    !( after.tcpi_state == HOST_ESTABLISHED || after.tcpi_state == HOST_FIN_WAIT1 ||
                       after.tcpi_state == HOST_FIN_WAIT2 );
        return 1;
    }
    return 0;
}

/* What came before anybody looked: the host has dropped those urgent bytes, or ordinary receives have passed them. Their
 * senders have left them in the table; another connection between the same ports is older than this one. */
static void take_missed( struct descriptor *d, struct urgent_store *store )
{
    struct ws2_urgent_sends *sends = ws2_table_urgent( connection_table() );
    const uint32_t next = atomic_load( &sends->next ), begin = atomic_load( &d->slot->connect_time );
    uint32_t position, i = next - store->seen > WS2_URGENT_SENDS ? next - WS2_URGENT_SENDS : store->seen;

    if ( !begin || !store->ports || !read_position( d, &position ) ) return;
    for ( ; i != next && store->count < BYTES; i++ )
    {
        const uint64_t entry = atomic_load( &sends->entries[i % WS2_URGENT_SENDS] );
        const uint32_t value = atomic_load( &sends->values[i % WS2_URGENT_SENDS] );
        const char byte = (char)value;

        if ( (uint32_t)( entry >> 32 ) != store->ports || (int32_t)( (uint32_t)entry - position ) >= 0 ||
             (int32_t)( ( value & ~0xffu ) - ( begin << 8 ) ) < 0 )
            continue;
        store->count += pwrite( store->fd, &byte, 1, ( store->first + store->count ) % BYTES ) == 1;
    }
}

/* Several urgent bytes may have come of which the host shows the last alone. What senders of the prefix have said tells where
 * the others are, and is believed when it says of the last what the host says. */
static void take_sent( struct descriptor *d, struct urgent_store *store )
{
    struct ws2_urgent_sends *sends = ws2_table_urgent( connection_table() );
    const uint32_t next = atomic_load( &sends->next );
    uint32_t position, i, gone;
    int at_mark = 0, mark;

    if ( next - store->seen > WS2_URGENT_SENDS ) store->seen = next - WS2_URGENT_SENDS;
    for ( ; store->seen != next; store->seen++ )
    {
        const uint64_t entry = atomic_load( &sends->entries[store->seen % WS2_URGENT_SENDS] );

        if ( (uint32_t)( entry >> 32 ) != store->ports || !store->ports ) continue;
        if ( store->sent_count == sizeof( store->sent ) / sizeof( store->sent[0] ) ) return;
        store->sent[store->sent_count++] = entry;
    }
    if ( !store->sent_count || !read_position( d, &position ) ) return;
    for ( gone = 0; gone < store->sent_count && (int32_t)( store->sent[gone] - position ) < 0; gone++ ) continue;
    store->sent_count -= gone;
    memmove( store->sent, store->sent + gone, store->sent_count * sizeof( store->sent[0] ) );
    if ( store->sent_count < 2 || ioctl( d->fd, SIOCATMARK, &at_mark ) ) return;
    mark = at_mark ? 0 : recv( d->fd, NULL, 1 << 26, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT );
    if ( mark < 0 || store->sent[store->sent_count - 1] - position != (uint32_t)mark ) return;
    for ( i = 0; i < store->sent_count; i++ )
    {
        const uint32_t distance = store->sent[i] - position;

        if ( (int32_t)distance < 0 || store->end - store->begin + distance > DATA_LIMIT ) break;
        if ( !put_by( d, store, distance ) || !take_byte( d, store ) ) break;
        position += distance + 1;
    }
}

/* Takes out what the host shows at its mark, and what lies before it. */
static void collect( struct descriptor *d, struct urgent_store *store )
{
    const struct ws2_urgent_sends *sends = ws2_table_urgent( connection_table() );
    struct pollfd fd = { .fd = d->fd, .events = POLLPRI };
    uint32_t sent = atomic_load( &sends->next ) - 1; /* looked at once at least */

    assert( owner_lock_held( &store->lock ) );
    if ( descriptor_is_shared( d ) )
    {
        if ( store->host_inline && !is_inline( d ) ) set_host( d, 0 );
        store->host_inline = 0;
        return;
    }
    if ( !store->host_inline ) store->host_inline = !set_host( d, 1 );
    if ( is_inline( d ) )
    {
        store->looked = 1;
        return;
    }
    if ( !store->looked )
    {
        take_missed( d, store );
        store->looked = 1;
    }
    while ( poll( &fd, 1, 0 ) > 0 && ( fd.revents & POLLPRI ) )
    {
        char data[0x4000];
        int at_mark = 0;
        ssize_t n;

        if ( sent != atomic_load( &sends->next ) )
        {
            sent = atomic_load( &sends->next );
            take_sent( d, store );
            continue;
        }
        if ( ioctl( d->fd, SIOCATMARK, &at_mark ) ) break;
        if ( at_mark )
        {
            if ( take_byte( d, store ) ) continue;
            break;
        }
        /* it stops at the mark */
        if ( store->end - store->begin >= DATA_LIMIT ) break;
        if ( ( n = recv( d->fd, data, sizeof( data ), MSG_DONTWAIT ) ) <= 0 ) break;
        append( store, data, n );
    }
}

/* As much of the vectors as takes no more than `most` bytes. */
static size_t cut( const struct iovec *vectors, size_t count, struct iovec *cut, size_t room, size_t most )
{
    size_t used = 0;

    for ( ; used < count && used < room && most; used++ )
    {
        cut[used] = vectors[used];
        if ( cut[used].iov_len > most ) cut[used].iov_len = most;
        most -= cut[used].iov_len;
    }
    return used;
}

/* From the host, no more than was there before the look for urgent bytes: those that come meanwhile are not among it. */
static ssize_t receive_from_host( struct descriptor *d, struct urgent_store *store, const struct iovec *vectors,
                                  size_t count, int peek )
{
    for ( ;; )
    {
        struct iovec part[16];
        struct msghdr message = { .msg_iov = part };
        int there = 0;
        ssize_t n;
        char byte;

        if ( ioctl( d->fd, FIONREAD, &there ) ) return -1;
        collect( d, store );
        if ( store->begin < store->end ) return preadv( store->fd, vectors, count, BYTES + store->begin );
        if ( there > 0 && !ioctl( d->fd, FIONREAD, &there ) && there > 0 )
        {
            message.msg_iovlen = cut( vectors, count, part, 16, there );
            return recvmsg( d->fd, &message, MSG_DONTWAIT | peek );
        }
        /* the end of the stream, an error, or nothing */
        if ( ( n = recv( d->fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK ) ) <= 0 ) return n;
    }
}

ssize_t urgent_receive( struct descriptor *d, const struct iovec *vectors, size_t count, uint32_t flags )
{
    struct urgent_store *store = take_store( d );
    const int peek = flags & WS_MSG_PEEK ? MSG_PEEK : 0;
    int error, stored;
    ssize_t n;

    collect( d, store );
    if ( ( stored = store->begin < store->end ) ) n = preadv( store->fd, vectors, count, BYTES + store->begin );
    else
    {
        n = receive_from_host( d, store, vectors, count, peek );
        stored = store->begin < store->end;
    }
    error = errno;
    if ( stored && n > 0 && !peek ) passed( store, n );
    give_store( store );
    errno = error;
    return n;
}

int urgent_fetch( struct descriptor *d, const struct iovec *vectors, size_t count, uint32_t flags )
{
    struct urgent_store *store = take_store( d );
    struct iovec one;
    int n = 0, error;

    collect( d, store );
    if ( store->count && !is_inline( d ) && cut( vectors, count, &one, 1, 1 ) )
        n = preadv( store->fd, &one, 1, store->first );
    error = errno;
    if ( n == 1 && !( flags & WS_MSG_PEEK ) )
    {
        store->first = ( store->first + 1 ) % BYTES;
        store->count--;
    }
    give_store( store );
    errno = error;
    return n;
}

uint32_t urgent_poll( struct descriptor *d, uint32_t revents )
{
    struct pollfd fd = { .fd = d->fd, .events = POLLIN };
    struct urgent_store *store;
    uint32_t urgent = revents & POLLPRI;

    if ( urgent ) urgent_watch( d );
    if ( ( store = take_store( d ) ) )
    {
        collect( d, store );
        if ( !descriptor_is_shared( d ) || store->count ) urgent = store->count ? POLLPRI : 0;
        if ( poll( &fd, 1, 0 ) < 0 ) fd.revents = revents;
        if ( store->begin < store->end ) fd.revents |= POLLIN;
        give_store( store );
        revents = ( revents & ~POLLIN ) | ( fd.revents & POLLIN );
        if ( descriptor_queued( d, QUEUE_RECEIVE ) ) revents &= ~POLLIN;
    }
    return ( revents & ~POLLPRI ) | ( is_inline( d ) ? 0 : urgent );
}

int urgent_has_data( struct descriptor *d )
{
    struct urgent_store *store = take_store( d );
    int has = 0;

    if ( !store ) return 0;
    has = store->begin < store->end;
    give_store( store );
    return has;
}

int urgent_at_mark( struct descriptor *d )
{
    struct pollfd fd = { .fd = d->fd, .events = POLLPRI };
    struct urgent_store *store;
    int reached;

    urgent_watch( d );
    if ( !( store = take_store( d ) ) ) return is_inline( d ) || poll( &fd, 1, 0 ) <= 0 || !( fd.revents & POLLPRI );
    collect( d, store );
    reached = is_inline( d ) ? store->begin >= store->moved : !store->count;
    give_store( store );
    return reached;
}

int urgent_bytes( struct descriptor *d )
{
    struct urgent_store *store = take_store( d );
    int bytes;

    if ( !store ) return 0;
    collect( d, store );
    bytes = store->end - store->begin;
    give_store( store );
    return bytes;
}

void urgent_set_inline( struct descriptor *d, int on )
{
    struct urgent_store *store;
    char byte;

    if ( on ) urgent_watch( d );
    store = take_store( d );
    if ( !on )
    {
        descriptor_clear_flags( d, WS2_FLAG_OOBINLINE );
        if ( !store || !store->host_inline ) set_host( d, 0 );
    }
    else
    {
        if ( store ) collect( d, store );
        descriptor_set_flags( d, WS2_FLAG_OOBINLINE );
        set_host( d, 1 );
        for ( ; store && store->count; store->count-- )
        {
            if ( pread( store->fd, &byte, 1, store->first ) == 1 ) append( store, &byte, 1 );
            store->first = ( store->first + 1 ) % BYTES;
            store->moved = store->end;
        }
    }
    if ( !store ) return;
    give_store( store );
    upcalls.serve( d );
    upcalls.look_again( d );
}

void urgent_renewed( struct descriptor *d )
{
    struct urgent_store *store = take_store( d );

    atomic_store( &d->urgent_hash, 0 );
    if ( !store ) return;
    store->first = store->count = store->host_inline = store->sent_count = store->ports = 0;
    store->looked = 1;
    passed( store, store->end - store->begin );
    set_host( d, is_inline( d ) );
    give_store( store );
}
