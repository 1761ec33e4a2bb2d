/* The slot's copy of the local endpoint: see endpoint.h. Any thread. */
#include "sockets/endpoint.h"

void endpoint_copy( struct descriptor *d, const union host_address *address )
{
    if ( address->any.sa_family == AF_INET6 )
    {
        ws2_slot_set_address( d->slot, &address->in6.sin6_addr, 16 );
        atomic_store( &d->slot->local_port, ntohs( address->in6.sin6_port ) );
    }
    else if ( address->any.sa_family == AF_INET )
    {
        ws2_slot_set_address( d->slot, &address->in.sin_addr, 4 );
        atomic_store( &d->slot->local_port, ntohs( address->in.sin_port ) );
    }
}

void endpoint_remember( struct descriptor *d )
{
    union host_address address;
    socklen_t size = sizeof( address );

    if ( !getsockname( d->fd, &address.any, &size ) ) endpoint_copy( d, &address );
    descriptor_set_flags( d, WS2_FLAG_BOUND );
    if ( atomic_load( &d->local ) & LOCAL_UNBOUND ) atomic_fetch_and( &d->local, ~LOCAL_UNBOUND );
}

void endpoint_forget( struct descriptor *d )
{
    descriptor_clear_flags( d, WS2_FLAG_ENDPOINT );
    ws2_slot_set_address( d->slot, &in6addr_any, 16 );
    atomic_store( &d->slot->local_port, 0 );
}
