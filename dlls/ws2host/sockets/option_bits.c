/* See option_bits.h. */
#include <errno.h>
#include "descriptors/socket_set.h"
#include "sockets/option_bits.h"

int option_bit( const struct ws2_slot *slot, enum option_bit bit )
{
    if ( bit < 32 ) return atomic_load_explicit( &slot->option_bits, memory_order_relaxed ) >> bit & 1;
    return atomic_load_explicit( &slot->option_set, memory_order_relaxed ) >> ( bit - 32 ) & 1;
}

int option_set_bit( struct ws2_slot *slot, enum option_bit bit, int value )
{
    const uint32_t one = 1u << bit % 32;

    if ( bit < 32 )
        return !!( one & ( value ? atomic_fetch_or( &slot->option_bits, one )
                                 : atomic_fetch_and( &slot->option_bits, ~one ) ) );
    return !!( one &
               ( value ? atomic_fetch_or( &slot->option_set, one ) : atomic_fetch_and( &slot->option_set, ~one ) ) );
}

int32_t option_kernel_get( struct descriptor *d, uint32_t where, uint32_t *value )
{
    int number = 0;
    socklen_t size = sizeof( number );

    if ( getsockopt( d->fd, where >> 16, where & 0xffff, &number, &size ) ) return winsock_error( errno );
    *value = number;
    return 0;
}

void option_kernel_touched( struct ws2_slot *slot )
{
    if ( slot->type == SOCK_STREAM && !option_bit( slot, BIT_KERNEL_SET ) ) option_set_bit( slot, BIT_KERNEL_SET, 1 );
}

int32_t option_kernel_set( struct descriptor *d, uint32_t where, uint32_t value )
{
    int number = value;

    option_kernel_touched( d->slot );
    if ( setsockopt( d->fd, where >> 16, where & 0xffff, &number, sizeof( number ) ) ) return winsock_error( errno );
    socket_set_option( d, where >> 16, where & 0xffff, &number, sizeof( number ) );
    return 0;
}
