/*
 * In-flight descriptors: those that the server counts for this process and that the descriptor table may not show yet, for
 * they are on their way into it. A server that takes over must hear of them too (connection.h: connection_enumerate_shared).
 *
 * Guarded by connection's mutex, like everything here. An entry stays until its descriptor is closed or newer ones need the
 * room; one that the table has shown is not published a second time.
 */
#include "client/client_private.h"

#define KEPT 64u

static struct in_flight
{
    uint32_t slot, generation, handle;
    int used, published;
} kept[KEPT];
static unsigned int next;

static struct in_flight *in_flight_find( uint32_t slot, uint32_t generation, uint32_t handle )
{
    for ( unsigned int i = 0; i < KEPT; i++ )
        if ( kept[i].used && kept[i].slot == slot && kept[i].generation == generation && kept[i].handle == handle )
            return &kept[i];
    return NULL;
}

void in_flight_add( uint32_t slot, uint32_t generation, uint32_t handle )
{
    for ( unsigned int i = 0; i < KEPT && kept[next].used; i++ ) next = ( next + 1 ) % KEPT;
    /* when all are used, the one that was added longest ago */
    kept[next] = ( struct in_flight ){ slot, generation, handle, 1, 0 };
    next = ( next + 1 ) % KEPT;
}

void in_flight_name( uint32_t slot, uint32_t generation, uint32_t handle )
{
    struct in_flight *found = in_flight_find( slot, generation, 0 );

    if ( found ) found->handle = handle;
}

void in_flight_forget( uint32_t slot, uint32_t generation, uint32_t handle )
{
    struct in_flight *found = in_flight_find( slot, generation, handle );

    if ( found ) found->used = 0;
}

void in_flight_publish_begin( void )
{
    for ( unsigned int i = 0; i < KEPT; i++ ) kept[i].published = 0;
}

void in_flight_published( uint32_t slot, uint32_t generation, uint32_t handle )
{
    struct in_flight *found = in_flight_find( slot, generation, handle );

    if ( found ) found->published = 1;
}

void in_flight_publish( connection_publish_function publish )
{
    for ( unsigned int i = 0; i < KEPT; i++ )
        if ( kept[i].used && !kept[i].published ) publish( kept[i].slot, kept[i].generation, kept[i].handle, -1 );
}
