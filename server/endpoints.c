/*
 * Endpoints: Windows' rules for which addresses may be bound together, over all sockets of the prefix.
 *
 * Linux refuses combinations that Windows allows and the other way round, so clients bind with SO_REUSEADDR where these
 * rules allow it and ask here first. The state is the slots' own (address, port, flags); nothing else is kept, and a slot
 * counts as bound as soon as its port is set: a client sets address and port, asks, binds, and clears the port if refused.
 */
#include <string.h>
#include "server.h"
#include "ws2host/winsock_codes.h"

#define FAMILY_INET 2 /* as Windows numbers them */
#define FAMILY_INET6 23

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

int32_t endpoint_check( uint32_t index, uint32_t *neighbours )
{
    const struct ws2_slot *newcomer = ws2_table_slot( table_mapping(), index );
    const uint32_t port = atomic_load( &newcomer->local_port );

    *neighbours = 0;
    if ( !port || ( newcomer->family != FAMILY_INET && newcomer->family != FAMILY_INET6 ) ) return 0;
    for ( uint32_t i = 0; i < blocks_end(); i++ )
    {
        const struct ws2_slot *slot = ws2_table_slot( table_mapping(), i );
        int32_t error;

        if ( i == index || atomic_load_explicit( &slot->local_port, memory_order_relaxed ) != port ) continue;
        if ( ws2_word_state( atomic_load( &slot->word ) ) == WS2_SLOT_FREE || slot->protocol != newcomer->protocol )
            continue;
        /* a connection accepted from a listener has its address without having been bound */
        if ( !( atomic_load( &slot->flags ) & WS2_FLAG_ENDPOINT ) ) continue;
        if ( slot->family != FAMILY_INET && slot->family != FAMILY_INET6 ) continue;
        if ( ( error = conflict( newcomer, slot ) ) ) return error;
        ++*neighbours;
    }
    return 0;
}
