/* What a thread polled last: see poll_memory.h. No locks; what the thread alone has. The program's memory is not touched. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "base/caller.h"
#include "client/connection.h"
#include "sockets/conditions.h"
#include "calls/poll_memory.h"

#define POLL_MEMORY_LEAST 3u /* a poll of fewer between two of many leaves those remembered */
#define POLL_MEMORY_MOST 0x10000u
#define EPOLL_LEAST 16u
#define EPOLL_MOST 0x4000u /* the host gives each user so many entries, and ports and network events need some */
/* An entry's coming into an epoll and going out of it costs what some fifty polls of it do. */
#define FIRST_PATIENCE 64u
#define LAST_PATIENCE 0x1000u
#define NO_ENTRY UINT32_MAX

struct own_memory
{
    struct poll_memory of; /* first */
    struct poll_moment moment;
    uint32_t size;
    uint32_t shared; /* entries whose slot other processes may change: their flags are looked at again */
    struct shared_flags
    {
        const _Atomic uint32_t *flags; /* the table stays mapped in 64 bits, whoever closes what (client/table_map.h) */
        uint32_t seen;
    } * shared_flags;
    struct descriptor **plain; /* NULL where an entry's is not: not counted, but its memory stays */
    int epoll;                 /* -1: none */
    uint32_t asked;            /* how often, since it was renewed */
    uint32_t patience;         /* after how many comes an epoll */
    uint32_t crowded;          /* so many were ready the last time that a poll is cheaper */
    uint32_t *same;            /* the next entry with the same host descriptor, of which the epoll has one */
    struct epoll_event *events;
};

static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t key;

/* A thread may be ended at any instruction, and then thread_ends runs: nothing is given back that stands there still. */
static void drop_epoll( struct own_memory *own )
{
    const int epoll = own->epoll;

    if ( epoll < 0 ) return;
    own->epoll = -1;
    close( epoll );
    /* has it been worth its entries? */
    if ( own->asked / 4 > own->patience ) own->patience = FIRST_PATIENCE;
    else if ( own->patience < LAST_PATIENCE ) own->patience *= 2;
}

static void drop_room( struct own_memory *own )
{
    void *memory = own->of.fds;

    own->of.fds = NULL;
    own->size = 0;
    free( memory );
}

static void thread_ends( void *argument )
{
    struct own_memory *own = argument;

    drop_epoll( own );
    drop_room( own );
    free( own );
}

static void make_key( void ) { pthread_key_create( &key, thread_ends ); }

static struct own_memory **own_place( void )
{
    static __thread struct own_memory *own;

    return &own;
}

/* Room for so many, whatever was remembered. */
static struct own_memory *own_with_room( uint32_t count )
{
    struct own_memory **place = own_place(), *own = *place;

    if ( !own )
    {
        pthread_once( &key_once, make_key );
        if ( !( own = calloc( 1, sizeof( *own ) ) ) ) return NULL;
        own->epoll = -1;
        own->patience = FIRST_PATIENCE;
        pthread_setspecific( key, *place = own );
    }
    own->of.count = 0;
    drop_epoll( own );
    if ( own->size >= count ) return own;
    drop_room( own );
    own->of.fds =
        malloc( (size_t)count * ( sizeof( *own->of.fds ) + sizeof( *own->shared_flags ) + sizeof( *own->plain ) +
                                  sizeof( *own->of.handles ) + sizeof( *own->of.ready ) + sizeof( *own->events ) +
                                  sizeof( *own->same ) + sizeof( *own->of.asked ) + sizeof( *own->of.marks ) ) );
    if ( !own->of.fds ) return NULL;
    own->size = count;
    own->shared_flags = (struct shared_flags *)( own->of.fds + count );
    own->plain = (struct descriptor **)( own->shared_flags + count );
    own->of.handles = (uint64_t *)( own->plain + count );
    own->of.ready = (struct poll_memory_ready *)( own->of.handles + count );
    own->events = (struct epoll_event *)( own->of.ready + count );
    own->same = (uint32_t *)( own->events + count );
    own->of.asked = (uint16_t *)( own->same + count );
    own->of.marks = (uint8_t *)( own->of.asked + count );
    return own;
}

struct poll_moment poll_moment_now( void )
{
    return ( struct poll_moment ){ atomic_load( &descriptor_changes ),
                                   atomic_load( &ws2_table_header( connection_table() )->sharings ) };
}

struct poll_memory *poll_memory_own( void )
{
    struct own_memory *own = *own_place();

    /* the entries of 32-bit programs are of another size, and what they map of the table comes and goes */
    return CALLER_IS_32 || !own || !own->of.count ? NULL : &own->of;
}

struct poll_memory *poll_memory_renew( struct descriptor **descriptors, const struct pollfd *fds, uint32_t count,
                                       const struct poll_moment *moment )
{
    struct own_memory *own;

    if ( CALLER_IS_32 || count < POLL_MEMORY_LEAST || count > POLL_MEMORY_MOST || !( own = own_with_room( count ) ) )
        return NULL;
    own->shared = own->asked = own->crowded = 0;
    for ( uint32_t i = 0; i < count; i++ )
    {
        struct descriptor *d = descriptors[i];

        if ( !poll_silence_is_answer( d ) ) return NULL;
        if ( descriptor_is_shared( d ) )
            own->shared_flags[own->shared++] = ( struct shared_flags ){ &d->slot->flags, descriptor_flags( d ) };
        own->plain[i] = poll_is_plain( d ) ? d : NULL;
        own->of.fds[i] = fds[i];
    }
    own->moment = *moment;
    own->of.count = count;
    return &own->of;
}

static int holds( const struct own_memory *own )
{
    const struct poll_moment now = poll_moment_now();

    if ( own->moment.changes != now.changes || own->moment.sharings != now.sharings ) return 0;
    for ( uint32_t i = 0; i < own->shared; i++ )
        if ( atomic_load( own->shared_flags[i].flags ) != own->shared_flags[i].seen ) return 0;
    return 1;
}

/* One entry of the epoll for each host descriptor, with all that is asked of it; 0 when there is none to be had. */
static int fill_epoll( struct own_memory *own )
{
    const uint32_t count = own->of.count;
    const struct pollfd *fds = own->of.fds;
    uint32_t *first; /* of each host descriptor the first entry and 1, of those from i on */
    int most = -1, done = 1;

    for ( uint32_t i = 0; i < count; i++ )
        if ( fds[i].fd > most ) most = fds[i].fd;
    if ( !( first = calloc( (size_t)most + 1, sizeof( *first ) ) ) ) return 0;
    for ( uint32_t i = count; i--; )
    {
        struct epoll_event *event = &own->events[i];

        *event = ( struct epoll_event ){ .events = (uint16_t)fds[i].events, .data.u32 = i };
        own->same[i] = NO_ENTRY;
        if ( fds[i].fd < 0 ) continue;
        if ( first[fds[i].fd] )
        {
            own->same[i] = first[fds[i].fd] - 1;
            event->events |= own->events[own->same[i]].events;
        }
        first[fds[i].fd] = i + 1;
    }
    for ( uint32_t i = 0; done && i < count; i++ )
        if ( fds[i].fd >= 0 && first[fds[i].fd] == i + 1 )
            done = !epoll_ctl( own->epoll, EPOLL_CTL_ADD, fds[i].fd, &own->events[i] );
    free( first );
    return done;
}

static void make_epoll( struct own_memory *own )
{
    if ( ( own->epoll = epoll_create1( EPOLL_CLOEXEC ) ) < 0 || !fill_epoll( own ) )
    {
        own->patience = LAST_PATIENCE;
        drop_epoll( own );
        own->asked = 0;
    }
}

static int take_ready( struct own_memory *own, int count, uint32_t entry, short revents )
{
    own->of.ready[count] = ( struct poll_memory_ready ){
        .entry = entry,
        .revents = (uint16_t)revents,
        .conditions = own->plain[entry] ? poll_plain_conditions( own->plain[entry], revents ) : 0,
    };
    return count + 1;
}

static int ask_epoll( struct own_memory *own )
{
    const int found = epoll_wait( own->epoll, own->events, (int)own->of.count, 0 );
    int ready = 0;

    for ( int k = 0; k < found; k++ )
        for ( uint32_t i = own->events[k].data.u32; i != NO_ENTRY; i = own->same[i] )
        {
            const short revents =
                (short)( own->events[k].events & ( (uint16_t)own->of.fds[i].events | POLLERR | POLLHUP ) );

            if ( revents ) ready = take_ready( own, ready, i, revents );
        }
    return found < 0 ? -1 : ready;
}

static int ask_poll( struct own_memory *own )
{
    const int found = poll( own->of.fds, own->of.count, 0 );
    int ready = 0;

    for ( uint32_t i = 0; ready < found; i++ )
        if ( own->of.fds[i].revents ) ready = take_ready( own, ready, i, own->of.fds[i].revents );
    return found < 0 ? -1 : ready;
}

int poll_memory_ask( struct poll_memory *memory )
{
    struct own_memory *own = (struct own_memory *)memory;
    int found;

    if ( !holds( own ) ) return -1;
    found = own->epoll >= 0 && !own->crowded ? ask_epoll( own ) : ask_poll( own );
    if ( found < 0 || !holds( own ) ) return -1;
    own->crowded = (uint32_t)found > own->of.count / 4;
    if ( own->asked != UINT32_MAX ) own->asked++;
    if ( own->epoll < 0 && own->asked >= own->patience && !own->crowded && own->of.count >= EPOLL_LEAST &&
         own->of.count <= EPOLL_MOST )
        make_epoll( own );
    return found;
}
