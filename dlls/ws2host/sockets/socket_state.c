/* What a socket is and between which addresses: SO_BSP_STATE's and SO_PROTOCOL_INFO's part of the host half. */
#include "sockets/connect.h"

NTSTATUS unix_socket_state( void *args )
{
    struct ws2_socket_state_params *params = args;
    union host_address address;
    socklen_t size = sizeof( params->local );
    NTSTATUS status;
    struct descriptor *d = descriptor_acquire( params->handle, &status );

    if ( !d ) return status;
    if ( descriptor_flags( d ) & WS2_FLAG_CONNECTING ) connect_check( d );
    params->error = 0;
    params->family = d->slot->family;
    params->type = d->slot->type;
    params->protocol = d->slot->protocol;
    params->local_size = params->remote_size = 0;
    if ( descriptor_flags( d ) & WS2_FLAG_BOUND && !getsockname( d->fd, &address.any, &size ) )
        params->local_size = address_to_windows( &address, size, params->local );
    size = sizeof( params->remote );
    if ( descriptor_flags( d ) & WS2_FLAG_CONNECTED && !connect_peer( d, &address, &size ) )
        params->remote_size = address_to_windows( &address, size, params->remote );
    descriptor_release( d );
    return 0;
}
