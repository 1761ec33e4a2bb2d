/*
 * getsockopt and setsockopt: one loop for every option of option_table.c.
 *
 * Order of the checks: handle, pointers, level, option, socket type, length, value. The caller's memory is touched only
 * while no descriptor is held, as it may fault. No state of its own: values live in the slot or in the kernel.
 */
#include <errno.h>
#include <string.h>
#include "descriptors/socket_set.h"
#include "sockets/control.h"
#include "options/option.h"
#include "sockets/urgent.h"

enum short_read
{
    SHORT_ALL,      /* as many bytes as there are, and one is reported */
    SHORT_BYTE,     /* one byte, which is the value */
    SHORT_ZEROED,   /* WSAEFAULT, and what there is is zeroed */
    SHORT_KEPT,     /* WSAEFAULT */
    SHORT_NO_LENGTH /* WSAEFAULT, and the length becomes 0 */
};

/* What a class says of lengths: fewest bytes to set, bytes that are looked at, error of a negative length (0: it counts as
 * a long one), bytes of a full read, and what becomes of a shorter one. */
static const struct
{
    uint8_t set_least;
    uint8_t width;
    uint8_t boolean;
    uint8_t short_read;
    int32_t negative;
} rules[] = {
    [CLASS_B4] = { 0, 4, 1, SHORT_ALL, 0 },
    [CLASS_B1] = { 1, 1, 1, SHORT_BYTE, WSAENOBUFS },
    [CLASS_DZ] = { 4, 4, 0, SHORT_ZEROED, 0 },
    [CLASS_DK] = { 4, 4, 0, SHORT_KEPT, 0 },
    [CLASS_PB] = { 1, 4, 1, SHORT_BYTE, WSAENOBUFS },
    [CLASS_PN] = { 1, 4, 0, SHORT_BYTE, WSAENOBUFS },
    [CLASS_PS] = { 4, 4, 1, SHORT_NO_LENGTH, WSAENOBUFS },
    [CLASS_PD] = { 4, 4, 0, SHORT_NO_LENGTH, WSAENOBUFS },
    [CLASS_BYTES] = { 0, 0, 0, SHORT_KEPT, WSAENOBUFS },
};

/* Whether the socket has the option, and may have it read or written. */
static int32_t find_option( const struct descriptor *d, int32_t level, int32_t name, uint32_t access,
                            const struct option **found )
{
    uint32_t type = option_type( d ), i, j;

    for ( i = 0; i < option_level_count; i++ )
        if ( option_levels[i].level == level ) break;
    if ( i == option_level_count || !( option_levels[i].types & type ) ) return WSAEINVAL;
    if ( d->slot->family == WS_AF_UNIX && !option_levels[i].local ) return WSAEINVAL;

    for ( j = 0; j < option_levels[i].count; j++ )
    {
        const struct option *option = &option_levels[i].options[j];

        if ( option->name != name ) continue;
        if ( level == IPPROTO_IPV6 && d->slot->family != WS_AF_INET6 && !( option->access & ACCESS_IPV4_TOO ) )
            return WSAEINVAL;
        /* a read-only option of SOL_SOCKET is another error on sockets other than streams */
        if ( !( option->access & access ) )
            return access == ACCESS_SET && level == WS_SOL_SOCKET && type != TYPE_STREAM ? WSAEINVAL : WSAENOPROTOOPT;
        if ( !( option->types & type ) ) return option_levels[i].wrong_type;
        *found = option;
        return 0;
    }
    return WSAENOPROTOOPT;
}

static int32_t read_value( struct descriptor *d, const struct option *option, struct option_value *value )
{
    switch ( (enum option_place)option->place )
    {
    case PLACE_KERNEL: return option_kernel_get( d, option->where, &value->number );
    case PLACE_FLAG: value->number = ( descriptor_flags( d ) & option->where ) != 0; return 0;
    case PLACE_BIT:
    case PLACE_CONTROL: value->number = option_bit( d->slot, option->where ) ^ option->initial; return 0;
    case PLACE_FIELD: value->number = atomic_load( (_Atomic uint32_t *)( (char *)d->slot + option->where ) ); return 0;
    case PLACE_OWN: return option->get( d, option, value );
    }
    return WSAENOPROTOOPT;
}

static int32_t write_value( struct descriptor *d, const struct option *option, const struct option_value *value )
{
    switch ( (enum option_place)option->place )
    {
    case PLACE_KERNEL: return option_kernel_set( d, option->where, value->number );
    case PLACE_FLAG:
        if ( value->number ) descriptor_set_flags( d, option->where );
        else descriptor_clear_flags( d, option->where );
        return 0;
    case PLACE_BIT: option_set_bit( d->slot, option->where, value->number ^ option->initial ); return 0;
    case PLACE_CONTROL:
        option_set_bit( d->slot, option->where, value->number ^ option->initial );
        return control_enable( d );
    case PLACE_FIELD: atomic_store( (_Atomic uint32_t *)( (char *)d->slot + option->where ), value->number ); return 0;
    case PLACE_OWN: return option->set( d, option, value );
    }
    return WSAENOPROTOOPT;
}

/* Gives the value to the caller; may fault. */
static int32_t store_value( const struct option *option, const struct option_value *value, unsigned char *user,
                            int32_t *user_length )
{
    int32_t length = *user_length;
    uint32_t width = rules[option->class].width;

    if ( length <= 0 ) return WSAEFAULT;
    if ( option->class == CLASS_BYTES )
    {
        if ( (uint32_t)length < value->size ) return WSAEFAULT;
        memcpy( user, value->bytes, value->size );
        *user_length = value->size;
        return 0;
    }
    if ( (uint32_t)length >= width )
    {
        memcpy( user, &value->number, width );
        *user_length = width;
        return 0;
    }
    switch ( (enum short_read)rules[option->class].short_read )
    {
    case SHORT_ALL:
        memcpy( user, &value->number, length );
        *user_length = 1;
        return 0;
    case SHORT_BYTE:
        *user = value->number;
        *user_length = 1;
        return 0;
    case SHORT_ZEROED: memset( user, 0, length ); break;
    case SHORT_KEPT: break;
    case SHORT_NO_LENGTH: *user_length = 0; break;
    }
    return WSAEFAULT;
}

NTSTATUS unix_getsockopt( void *args )
{
    struct ws2_option_params *params = args;
    const struct option *option;
    struct option_value value;
    NTSTATUS status;
    struct descriptor *d = descriptor_acquire( params->handle, &status );

    if ( !d ) return status;
    descriptor_renew( d );
    if ( !params->value || !params->length ) params->error = WSAEFAULT;
    else if ( !( params->error = find_option( d, params->level, params->name, ACCESS_GET, &option ) ) )
        params->error = read_value( d, option, &value );
    descriptor_release( d );
    if ( !params->error )
        params->error = store_value( option, &value, (unsigned char *)(uintptr_t)params->value,
                                     (int32_t *)(uintptr_t)params->length );
    return 0;
}

/* Takes the value from the caller; may fault. *nothing: a length that is accepted and changes nothing. */
static int32_t load_value( const struct option *option, const void *user, int32_t length, struct option_value *value,
                           int *nothing )
{
    uint32_t width = rules[option->class].width;

    *nothing = 0;
    if ( length < 0 )
    {
        if ( rules[option->class].negative ) return rules[option->class].negative;
        length = width;
    }
    if ( option->class == CLASS_BYTES )
    {
        if ( (uint32_t)length < option->size ) return WSAEFAULT;
        value->size = (uint32_t)length < OPTION_MAX_BYTES ? (uint32_t)length : OPTION_MAX_BYTES;
        if ( value->size ) memcpy( value->bytes, user, value->size );
        return 0;
    }
    if ( length < rules[option->class].set_least ) return WSAEFAULT;
    if ( !length ) *nothing = 1;
    value->number = 0;
    memcpy( &value->number, user, (uint32_t)length < width ? (uint32_t)length : width );
    if ( rules[option->class].boolean ) value->number = value->number != 0;
    if ( option->class == CLASS_PN && value->number > 255 &&
         !( option->access & ACCESS_LOW_NEGATIVE && value->number == UINT32_MAX ) )
        return WSAEINVAL;
    return 0;
}

NTSTATUS unix_setsockopt( void *args )
{
    struct ws2_option_params *params = args;
    const struct option *option = NULL;
    struct option_value value;
    int nothing;
    NTSTATUS status;
    struct descriptor *d = descriptor_acquire( params->handle, &status );

    if ( !d ) return status;
    params->error = find_option( d, params->level, params->name, ACCESS_SET, &option );
    descriptor_release( d );
    if ( !params->value && !( option && option->access & ACCESS_NULL ) ) params->error = WSAEFAULT;
    if ( params->error ) return 0;
    if ( !params->value && params->size > 0 ) params->error = WSAEFAULT;
    else params->error = load_value( option, (const void *)(uintptr_t)params->value, params->size, &value, &nothing );
    if ( params->error || nothing ) return 0;

    if ( !( d = descriptor_acquire( params->handle, &status ) ) ) return status;
    socket_set_renew( d );
    descriptor_renew( d );
    params->error = write_value( d, option, &value );
    descriptor_release( d );
    return 0;
}
