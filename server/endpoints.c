/*
 * Endpoints: Windows' rules for which addresses may be bound together, over all sockets of the prefix.
 *
 * Linux refuses combinations that Windows allows and the other way round, so clients bind with SO_REUSEADDR where these
 * rules allow it and ask here first: a client sets address and port in its slot, asks, binds, and clears them if refused; one
 * that lets the host choose a port tells it afterwards, and so does one that the host refuses what was allowed here. What is
 * bound is the slots' own state; here they are listed by port, a socket that was closed until somebody comes by.
 */
#include <string.h>
#include "server.h"
#include "ws2host/winsock_codes.h"

#define FAMILY_INET 2 /* as Windows numbers them */
#define FAMILY_INET6 23

#define PORT_ENDPOINTS 16384u /* of one port, a quarter of them of one process: each is looked at by each BIND */

/* Slots are listed as BASE + index, so that 0 is nobody. */
#define NOT_LISTED 0u
#define FIRST 1u
#define BASE 2u

static struct link
{
    uint32_t next, previous;
    uint16_t port;
} links[WS2_SLOT_COUNT];
static uint32_t ports[0x10000];

/* How much an endpoint covers: a broader one meets every narrower one that it includes. */
enum breadth
{
    ONE_ADDRESS,
    ANY_INET,
    ANY_INET6_ONLY,
    ANY_DUAL
};

struct endpoint
{
    enum breadth breadth;
    int inet;                  /* an address of the IPv4 world, mapped ones included */
    unsigned char address[16]; /* IPv4 in the first four bytes */
};

static struct endpoint endpoint_of( const struct ws2_slot *slot )
{
    static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff }, any[16];
    struct endpoint e = { ONE_ADDRESS, slot->family == FAMILY_INET, { 0 } };

    ws2_slot_address( slot, e.address, e.inet ? 4 : 16 );
    if ( !e.inet && !memcmp( e.address, mapped, sizeof( mapped ) ) )
    {
        memmove( e.address, e.address + 12, 4 );
        memset( e.address + 4, 0, 12 );
        e.inet = 1;
    }
    if ( !memcmp( e.address, any, sizeof( any ) ) )
        e.breadth = e.inet ? ANY_INET : atomic_load( &slot->flags ) & WS2_FLAG_V6ONLY ? ANY_INET6_ONLY : ANY_DUAL;
    return e;
}

/* Whether a covers b and more. */
static int covers( const struct endpoint *a, const struct endpoint *b )
{
    switch ( a->breadth )
    {
    case ONE_ADDRESS: return 0;
    case ANY_INET: return b->inet && b->breadth == ONE_ADDRESS;
    case ANY_INET6_ONLY: return !b->inet && b->breadth == ONE_ADDRESS;
    case ANY_DUAL: return b->breadth != ANY_DUAL;
    }
    return 0;
}

static int same( const struct endpoint *a, const struct endpoint *b )
{
    return a->breadth == b->breadth && a->inet == b->inet && !memcmp( a->address, b->address, sizeof( a->address ) );
}

static int32_t conflict( const struct ws2_slot *newcomer, const struct ws2_slot *owner )
{
    const struct endpoint new_end = endpoint_of( newcomer ), old_end = endpoint_of( owner );
    const uint32_t new_flags = atomic_load( &newcomer->flags ), old_flags = atomic_load( &owner->flags );

    if ( same( &new_end, &old_end ) )
    {
        if ( !( new_flags & WS2_FLAG_REUSEADDR ) ) return WSAEADDRINUSE;
        return old_flags & WS2_FLAG_REUSEADDR ? 0 : WSAEACCES; /* the owner did not consent, or is exclusive */
    }
    if ( covers( &old_end, &new_end ) ) return old_flags & WS2_FLAG_EXCLUSIVE ? WSAEACCES : 0;
    if ( covers( &new_end, &old_end ) ) return new_flags & WS2_FLAG_EXCLUSIVE ? WSAEADDRINUSE : 0;
    return 0;
}

static void forget( uint32_t index )
{
    const uint32_t next = links[index].next, previous = links[index].previous;

    if ( previous == NOT_LISTED ) return;
    if ( previous == FIRST ) ports[links[index].port] = next;
    else links[previous - BASE].next = next;
    if ( next ) links[next - BASE].previous = previous;
    links[index].previous = NOT_LISTED;
}

/* Whether it is bound to the port it is listed with, by the program: a connection accepted from a listener has its address
 * without having been bound. */
static int is_bound( const struct ws2_slot *slot, uint32_t port )
{
    return atomic_load( &slot->local_port ) == port && ( atomic_load( &slot->flags ) & WS2_FLAG_ENDPOINT ) &&
           ws2_word_state( atomic_load( &slot->word ) ) != WS2_SLOT_FREE;
}

void endpoint_note( uint32_t index )
{
    const struct ws2_slot *slot = ws2_table_slot( table_mapping(), index );
    const uint16_t port = atomic_load( &slot->local_port );

    forget( index );
    if ( !port || !is_bound( slot, port ) ) return;
    links[index] = ( struct link ){ .next = ports[port], .previous = FIRST, .port = port };
    if ( ports[port] ) links[ports[port] - BASE].previous = BASE + index;
    ports[port] = BASE + index;
}

int32_t endpoint_check( uint32_t index, struct endpoint_found *found )
{
    const struct ws2_slot *newcomer = ws2_table_slot( table_mapping(), index );
    const uint32_t port = atomic_load( &newcomer->local_port );
    unsigned int listed = 0, own = 0;
    uint32_t entry, next;

    *found = ( struct endpoint_found ){ .opponent = WS2_NO_INDEX };
    if ( !port || ( newcomer->family != FAMILY_INET && newcomer->family != FAMILY_INET6 ) ) return 0;
    for ( entry = ports[port]; entry; entry = next )
    {
        const struct ws2_slot *slot = ws2_table_slot( table_mapping(), entry - BASE );
        int32_t error;

        next = links[entry - BASE].next;
        if ( entry - BASE == index ) continue;
        if ( !is_bound( slot, port ) )
        {
            forget( entry - BASE );
            found->left++;
            continue;
        }
        listed++;
        own += block_owner( entry - BASE ) == block_owner( index );
        if ( slot->protocol != newcomer->protocol || ( slot->family != FAMILY_INET && slot->family != FAMILY_INET6 ) )
            continue;
        if ( ( error = conflict( newcomer, slot ) ) )
        {
            found->opponent = entry - BASE;
            return error;
        }
        found->neighbours++;
    }
    if ( listed >= PORT_ENDPOINTS || own >= PORT_ENDPOINTS / 4 ) return WSAENOBUFS;
    endpoint_note( index );
    return 0;
}
