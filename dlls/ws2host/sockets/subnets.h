/*
 * The computer's adapters, as far as datagrams depend on them: broadcasts and groups are on-link on every one, whatever the
 * routes say. Asked of the host anew each time; no state.
 */
#ifndef WS2HOST_SUBNETS_H
#define WS2HOST_SUBNETS_H

#include "sockets/socket.h"

struct adapter
{
    uint32_t index;
    struct in_addr address;
    struct in_addr broadcast; /* its subnet's, 0 when it has none */
    int loopback;
};

/* The adapter that has this address: 0 when there is none. */
int subnet_of( struct in_addr address, struct adapter *adapter );
/* The index of the adapter that has this address of either family, 0 for none. */
uint32_t subnet_index( const union host_address *address );
/* The one that broadcasts and groups leave and join by where no route says: 0 when the computer has none that is up. */
int adapter_default( struct adapter *adapter );

/* It is on the link of an adapter. */
int subnet_reaches( const union host_address *address );
int adapter_is_group( const union host_address *address );
/* 255.255.255.255 or the broadcast address of one of the adapters' subnets. */
int adapter_is_broadcast( const union host_address *address );

#endif
