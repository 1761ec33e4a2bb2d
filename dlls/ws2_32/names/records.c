/* hostent, servent and protoent: finding what they say and laying them out. No state; any thread. */
#include "base/ws2_32_private.h"
#include "names/records.h"
#include "base/strings.h"

/* A block being filled front to back; it only counts when there is no room. */
struct layout
{
    char *block;
    UINT_PTR base;
    size_t used;
};

static UINT_PTR layout_put( struct layout *layout, const void *data, size_t size )
{
    UINT_PTR place = layout->base + layout->used;

    if ( layout->block && size ) memcpy( layout->block + layout->used, data, size );
    layout->used += size;
    return place;
}

static char *put_string( struct layout *layout, const char *string )
{
    return (char *)layout_put( layout, string, strlen( string ) + 1 );
}

/* Reserves a NULL-terminated array of pointers. */
static char **put_array( struct layout *layout, unsigned int count )
{
    size_t place = layout->used;

    layout->used += ( count + 1 ) * sizeof( char * );
    if ( !layout->block ) return NULL;
    memset( layout->block + place, 0, layout->used - place );
    return (char **)( layout->block + place );
}

#define AT( layout, place ) (void *)( ( layout )->base + ( place ) )

/* The order is Windows': the structure, alias pointers, address pointers, addresses, and here the strings last. */
static void lay_host( struct layout *layout, const struct resolver_answer *answer, int family )
{
    size_t size = family == AF_INET ? 4 : 16, alias_place, address_place;
    unsigned int alias_count = 0, address_count = 0, n = 0;
    struct hostent host = { 0 };
    char **array;

    for ( const char *p = answer->names + strlen( answer->names ) + 1; *p; p += strlen( p ) + 1 ) alias_count++;
    for ( unsigned int i = 0; i < answer->count; i++ ) address_count += answer->addresses[i].family == family;

    layout->used = sizeof( host );
    alias_place = layout->used;
    put_array( layout, alias_count );
    address_place = layout->used;
    array = put_array( layout, address_count );
    for ( unsigned int i = 0; i < answer->count; i++ )
    {
        UINT_PTR place;

        if ( answer->addresses[i].family != family ) continue;
        place = layout_put( layout, answer->addresses[i].bytes, size );
        if ( array ) array[n++] = (char *)place;
    }
    host.h_addrtype = family;
    host.h_length = size;
    host.h_aliases = AT( layout, alias_place );
    host.h_addr_list = AT( layout, address_place );
    host.h_name = put_string( layout, answer->names );
    array = layout->block ? (char **)( layout->block + alias_place ) : NULL;
    n = 0;
    for ( const char *p = answer->names + strlen( answer->names ) + 1; *p; p += strlen( p ) + 1 )
    {
        char *place = put_string( layout, p );

        if ( array ) array[n++] = place;
    }
    if ( layout->block ) memcpy( layout->block, &host, sizeof( host ) );
}

size_t record_host( const struct resolver_answer *answer, int family, char *block, size_t size, UINT_PTR base )
{
    struct layout layout = { NULL, base, 0 };

    lay_host( &layout, answer, family );
    if ( !block || layout.used > size ) return layout.used;
    layout.block = block;
    lay_host( &layout, answer, family );
    return layout.used;
}

static char **lay_aliases( struct layout *layout, const struct netdb_entry *entry )
{
    size_t place = layout->used;
    char **array = put_array( layout, entry->alias_count );

    for ( unsigned int i = 0; i < entry->alias_count; i++ )
    {
        char *alias = put_string( layout, entry->aliases[i] );

        if ( array ) array[i] = alias;
    }
    return AT( layout, place );
}

static void lay_service( struct layout *layout, const struct netdb_entry *entry )
{
    struct servent service = { 0 };

    layout->used = sizeof( service );
    service.s_aliases = lay_aliases( layout, entry );
    service.s_name = put_string( layout, entry->name );
    service.s_proto = put_string( layout, entry->protocol );
    service.s_port = htons( entry->number );
    if ( layout->block ) memcpy( layout->block, &service, sizeof( service ) );
}

size_t record_service( const struct netdb_entry *entry, char *block, size_t size, UINT_PTR base )
{
    struct layout layout = { NULL, base, 0 };

    lay_service( &layout, entry );
    if ( !block || layout.used > size ) return layout.used;
    layout.block = block;
    lay_service( &layout, entry );
    return layout.used;
}

static void lay_protocol( struct layout *layout, const struct netdb_entry *entry )
{
    struct protoent protocol = { 0 };

    layout->used = sizeof( protocol );
    protocol.p_aliases = lay_aliases( layout, entry );
    protocol.p_name = put_string( layout, entry->name );
    protocol.p_proto = entry->number;
    if ( layout->block ) memcpy( layout->block, &protocol, sizeof( protocol ) );
}

size_t record_protocol( const struct netdb_entry *entry, char *block, size_t size, UINT_PTR base )
{
    struct layout layout = { NULL, base, 0 };

    lay_protocol( &layout, entry );
    if ( !block || layout.used > size ) return layout.used;
    layout.block = block;
    lay_protocol( &layout, entry );
    return layout.used;
}

/* An answer of one address and one name. */
static int single( const struct ws2_address *address, const char *name, struct resolver_answer *answer )
{
    memset( answer, 0, sizeof( *answer ) );
    answer->names = calloc( 1, strlen( name ) + 2 );
    answer->addresses = malloc( sizeof( *address ) );
    if ( !answer->names || !answer->addresses )
    {
        resolver_free( answer );
        return WSA_NOT_ENOUGH_MEMORY;
    }
    strcpy( answer->names, name );
    answer->addresses[0] = *address;
    answer->count = 1;
    return 0;
}

int record_find_host( const char *name, struct resolver_answer *answer )
{
    WCHAR *wide = string_wide( CP_ACP, name ? name : "" );
    struct ws2_address address;
    char *encoded;
    int error;

    if ( !wide ) return WSA_NOT_ENOUGH_MEMORY;
    if ( resolver_parse_literal( wide, &address ) )
        error = address.family == AF_INET ? single( &address, name, answer ) : WSANO_DATA;
    else if ( !( error = resolver_encode( wide, TRUE, &encoded ) ) )
    {
        error = resolver_lookup( encoded, AF_INET, TRUE, answer );
        free( encoded );
    }
    free( wide );
    return error;
}

int record_find_host_by_address( const void *bytes, int length, int family, struct resolver_answer *answer )
{
    struct ws2_address address = { .family = family };
    int size = family == AF_INET ? 4 : 16, error;
    char *names;

    if ( family != AF_INET && family != AF_INET6 ) return WSAEAFNOSUPPORT;
    if ( !bytes || length < size ) return WSAEFAULT;
    if ( ( error = ws2_read( address.bytes, bytes, size ) ) ) return error;
    /* an address without a name is a thing that has no data of the kind */
    if ( ( error = resolver_reverse( &address, &names ) ) ) return error == WSAHOST_NOT_FOUND ? WSANO_DATA : error;
    memset( answer, 0, sizeof( *answer ) );
    answer->names = names;
    if ( !( answer->addresses = malloc( sizeof( address ) ) ) )
    {
        resolver_free( answer );
        return WSA_NOT_ENOUGH_MEMORY;
    }
    answer->addresses[0] = address;
    answer->count = 1;
    return 0;
}

int record_find_service( const char *name, int port, const char *protocol, struct netdb_entry *entry )
{
    if ( protocol && !*protocol ) protocol = NULL;
    if ( name ? netdb_service_by_name( name, protocol, entry )
              : netdb_service_by_port( ntohs( port ), protocol, entry ) )
        return 0;
    return WSANO_DATA;
}

int record_find_protocol( const char *name, int number, struct netdb_entry *entry )
{
    if ( name ? netdb_protocol_by_name( name, entry ) : netdb_protocol_by_number( number, entry ) ) return 0;
    return WSANO_DATA;
}
