/*
 * Names to addresses and back. What Windows answers by itself is answered here (this computer, localhost, the prefix's
 * hosts file), the rest by the host's resolver. No state; any thread.
 */
#include "base/ws2_32_private.h"
#include "names/ip_text.h"
#include "names/netdb.h"
#include "names/resolver.h"
#include "base/strings.h"

#define NAMES_SIZE 0x4000

static const struct ws2_address loopback4 = { .family = AF_INET,
                                              .flags = WS2_ADDRESS_LOOPBACK,
                                              .bytes = { 127, 0, 0, 1 } };
static const struct ws2_address loopback6 = { .family = AF_INET6,
                                              .flags = WS2_ADDRESS_LOOPBACK,
                                              .bytes = { [15] = 1 } };

static BOOL wanted( int family, const struct ws2_address *address ) { return !family || family == address->family; }

static int add_address( struct resolver_answer *answer, const struct ws2_address *address )
{
    struct ws2_address *larger = realloc( answer->addresses, ( answer->count + 1 ) * sizeof( *larger ) );

    if ( !larger ) return WSA_NOT_ENOUGH_MEMORY;
    answer->addresses = larger;
    answer->addresses[answer->count++] = *address;
    return 0;
}

/* Names of one string, or of those of a line. */
static int set_names( struct resolver_answer *answer, const char *name, const struct netdb_entry *entry )
{
    char *p;

    if ( !( answer->names = calloc( 1, strlen( name ) + ( entry ? sizeof( entry->text ) : 0 ) + 2 ) ) )
        return WSA_NOT_ENOUGH_MEMORY;
    p = strcpy( answer->names, name );
    for ( unsigned int i = 0; entry && i < entry->alias_count; i++ )
    {
        p += strlen( p ) + 1;
        strcpy( p, entry->aliases[i] );
    }
    return 0;
}

void resolver_free( struct resolver_answer *answer )
{
    free( answer->addresses );
    free( answer->names );
    memset( answer, 0, sizeof( *answer ) );
}

int resolver_hostname( char name[RESOLVER_HOSTNAME_SIZE] )
{
    struct ws2_hostname_params params = { .size = RESOLVER_HOSTNAME_SIZE, .name = ws2_pointer( name ) };

    return ws2_call( hostname, &params );
}

int resolver_adapters( struct ws2_address **addresses, unsigned int *count )
{
    struct ws2_interfaces_params params = { .capacity = 64 };
    int error;

    do {
        if ( !( *addresses = malloc( params.capacity * sizeof( **addresses ) ) ) ) return WSA_NOT_ENOUGH_MEMORY;
        params.addresses = ws2_pointer( *addresses );
        if ( !( error = ws2_call( interfaces, &params ) ) ) break;
        free( *addresses );
        *addresses = NULL;
        params.capacity = params.count + 16;
    } while ( error == WSAENOBUFS );
    *count = error ? 0 : params.count;
    return error;
}

static BOOL any_adapter( int family, unsigned int without_flags )
{
    struct ws2_address *addresses;
    unsigned int count;
    BOOL found = FALSE;

    if ( resolver_adapters( &addresses, &count ) ) return FALSE;
    for ( unsigned int i = 0; i < count && !found; i++ )
        found = wanted( family, &addresses[i] ) && !( addresses[i].flags & without_flags );
    free( addresses );
    return found;
}

BOOL resolver_has_ipv6( void ) { return any_adapter( AF_INET6, 0 ); }

/* The order in which this computer's addresses are listed: IPv6 first; the adapter with the default route before
 * others, link-local addresses last. Loopback addresses have no place. */
static unsigned int rank( const struct ws2_address *address )
{
    if ( address->flags & WS2_ADDRESS_LOOPBACK ) return ~0u;
    return ( address->family == AF_INET ? 4 : 0 ) + ( address->flags & WS2_ADDRESS_LINK_LOCAL ? 2 : 0 ) +
           ( address->flags & WS2_ADDRESS_DEFAULT_ROUTE ? 0 : 1 );
}

static int lookup_loopback( int family, struct resolver_answer *answer )
{
    int error = 0;

    if ( wanted( family, &loopback6 ) && resolver_has_ipv6() ) error = add_address( answer, &loopback6 );
    if ( !error && wanted( family, &loopback4 ) ) error = add_address( answer, &loopback4 );
    return !error && !answer->count ? WSANO_DATA : error;
}

/* This computer: its adapters' addresses, or loopback alone when it has no other. */
static int lookup_self( int family, struct resolver_answer *answer )
{
    struct ws2_address *addresses;
    unsigned int count;
    int error;

    if ( ( error = resolver_adapters( &addresses, &count ) ) ) return error;
    for ( unsigned int place = 0; place < 8; place++ )
        for ( unsigned int i = 0; i < count && !error; i++ )
            if ( rank( &addresses[i] ) == place && wanted( family, &addresses[i] ) )
                error = add_address( answer, &addresses[i] );
    free( addresses );
    if ( error || answer->count ) return error;
    if ( family == AF_INET6 && any_adapter( AF_INET, WS2_ADDRESS_LOOPBACK ) ) return WSANO_DATA;
    return lookup_loopback( family, answer );
}

struct hosts_search
{
    const char *name;
    int family;
    struct resolver_answer *answer;
    BOOL known;
    int error;
};

/* Collects every line with the name, so it never ends the walk except on an error. */
static BOOL collect_host( const struct netdb_entry *entry, void *context )
{
    struct hosts_search *search = context;
    struct ws2_address address;
    WCHAR *text;
    BOOL valid;

    if ( !netdb_has_name( entry, search->name ) ) return FALSE;
    text = string_wide( CP_UTF8, entry->address );
    valid = text && resolver_parse_literal( text, &address );
    free( text );
    if ( !valid ) return FALSE;
    search->known = TRUE;
    if ( !wanted( search->family, &address ) ) return FALSE;
    if ( !search->answer->names ) search->error = set_names( search->answer, entry->name, entry );
    if ( !search->error ) search->error = add_address( search->answer, &address );
    return search->error != 0;
}

/* TRUE when the prefix's hosts file knows the name. */
static BOOL lookup_hosts( const char *name, int family, struct resolver_answer *answer, int *error )
{
    struct hosts_search search = { name, family, answer, FALSE, 0 };
    struct netdb_entry entry;

    netdb_walk_hosts( collect_host, &search, &entry );
    *error = search.error ? search.error : answer->count ? 0 : WSANO_DATA;
    return search.known;
}

/* Without an address that reaches beyond its link, Windows does not show IPv6 addresses that do. */
static int drop_unusable( struct resolver_answer *answer )
{
    static const BYTE link_local[] = { 0xfe, 0x80 };
    unsigned int kept = 0;

    if ( any_adapter( AF_INET6, WS2_ADDRESS_LOOPBACK | WS2_ADDRESS_LINK_LOCAL ) ) return 0;
    for ( unsigned int i = 0; i < answer->count; i++ )
    {
        const struct ws2_address *address = &answer->addresses[i];

        if ( address->family == AF_INET || !memcmp( address->bytes, loopback6.bytes, 16 ) ||
             !memcmp( address->bytes, link_local, sizeof( link_local ) ) )
            answer->addresses[kept++] = *address;
    }
    answer->count = kept;
    return kept ? 0 : WSANO_DATA;
}

static int lookup_host( const char *name, int family, BOOL aliases, struct resolver_answer *answer )
{
    struct ws2_resolve_params params = { .family = family,
                                         .name = ws2_pointer( name ),
                                         .capacity = 64,
                                         .names_size = NAMES_SIZE,
                                         .aliases = aliases && family };
    int error;

    if ( !( answer->names = calloc( 1, NAMES_SIZE ) ) ) return WSA_NOT_ENOUGH_MEMORY;
    params.names = ws2_pointer( answer->names );
    do {
        if ( !( answer->addresses = malloc( params.capacity * sizeof( *answer->addresses ) ) ) )
            return WSA_NOT_ENOUGH_MEMORY;
        params.addresses = ws2_pointer( answer->addresses );
        if ( !( error = ws2_call( resolve, &params ) ) ) break;
        free( answer->addresses );
        answer->addresses = NULL;
        params.capacity = params.count + 16;
    } while ( error == WSAENOBUFS );
    if ( !error )
    {
        answer->count = params.count;
        return drop_unusable( answer );
    }
    /* "try again" is for a network that has trouble; where there is none, Windows knows no such host */
    if ( error == WSATRY_AGAIN && !any_adapter( AF_UNSPEC, WS2_ADDRESS_LOOPBACK ) ) error = WSAHOST_NOT_FOUND;
    return error;
}

/* Is it in the domain that, by standard, holds no name? */
static BOOL is_invalid( const char *name )
{
    size_t length = strlen( name );

    if ( length && name[length - 1] == '.' ) length--;
    return length >= 8 && !_strnicmp( name + length - 8, ".invalid", 8 );
}

int resolver_lookup( const char *name, int family, BOOL aliases, struct resolver_answer *answer )
{
    char self[RESOLVER_HOSTNAME_SIZE];
    int error;

    memset( answer, 0, sizeof( *answer ) );
    if ( ( error = resolver_hostname( self ) ) ) return error;
    if ( !*name || !lookup_hosts( name, family, answer, &error ) )
    {
        if ( !*name || !_stricmp( name, self ) ) name = self, error = lookup_self( family, answer );
        else if ( !_stricmp( name, "localhost" ) ) error = lookup_loopback( family, answer );
        else if ( is_invalid( name ) ) error = WSAHOST_NOT_FOUND;
        else error = lookup_host( name, family, aliases, answer );
    }
    if ( !error && ( !answer->names || !answer->names[0] ) )
    {
        free( answer->names );
        error = set_names( answer, name, NULL );
    }
    if ( error ) resolver_free( answer );
    return error;
}

static BOOL match_address( const struct netdb_entry *entry, void *context )
{
    const struct ws2_address *wanted_address = context;
    struct ws2_address address;
    WCHAR *text = string_wide( CP_UTF8, entry->address );
    BOOL valid = text && resolver_parse_literal( text, &address );

    free( text );
    return valid && address.family == wanted_address->family &&
           !memcmp( address.bytes, wanted_address->bytes, sizeof( address.bytes ) );
}

/* Is it an address of this computer? Windows then answers with the computer's name. */
static BOOL is_own( const struct ws2_address *address )
{
    struct ws2_address *addresses;
    unsigned int count;
    BOOL found = FALSE;

    if ( address->family == AF_INET && address->bytes[0] == 127 ) return TRUE;
    if ( resolver_adapters( &addresses, &count ) ) return FALSE;
    for ( unsigned int i = 0; i < count && !found; i++ )
        found = addresses[i].family == address->family &&
                !memcmp( addresses[i].bytes, address->bytes, sizeof( address->bytes ) );
    free( addresses );
    return found;
}

int resolver_reverse( const struct ws2_address *address, char **names )
{
    struct ws2_reverse_params params = { .family = address->family, .names_size = NAMES_SIZE, .scope = address->scope };
    struct resolver_answer answer = { 0 };
    char self[RESOLVER_HOSTNAME_SIZE];
    struct netdb_entry entry;
    int error;

    *names = NULL;
    if ( netdb_walk_hosts( match_address, (void *)address, &entry ) ) error = set_names( &answer, entry.name, &entry );
    else if ( is_own( address ) )
    {
        if ( !( error = resolver_hostname( self ) ) ) error = set_names( &answer, self, NULL );
    }
    else
    {
        if ( !( answer.names = calloc( 1, NAMES_SIZE ) ) ) return WSA_NOT_ENOUGH_MEMORY;
        params.names = ws2_pointer( answer.names );
        memcpy( params.bytes, address->bytes, sizeof( params.bytes ) );
        error = ws2_call( reverse, &params );
    }
    if ( error ) free( answer.names );
    else *names = answer.names;
    return error;
}

int resolver_encode( const WCHAR *name, BOOL idn, char **encoded )
{
    BOOL ascii = TRUE;
    WCHAR *ace;
    int length;

    for ( const WCHAR *p = name; *p; p++ ) ascii = ascii && *p < 0x80;
    if ( ascii || !idn )
    {
        *encoded = string_narrow( CP_UTF8, name );
        return *encoded ? 0 : WSA_NOT_ENOUGH_MEMORY;
    }
    *encoded = NULL;
    if ( ( length = IdnToAscii( 0, name, -1, NULL, 0 ) ) <= 0 ) return WSAHOST_NOT_FOUND;
    if ( !( ace = malloc( length * sizeof( WCHAR ) ) ) ) return WSA_NOT_ENOUGH_MEMORY;
    IdnToAscii( 0, name, -1, ace, length );
    *encoded = string_narrow( CP_UTF8, ace );
    free( ace );
    return *encoded ? 0 : WSA_NOT_ENOUGH_MEMORY;
}

BOOL resolver_parse_literal( const WCHAR *text, struct ws2_address *address )
{
    struct ip_text_endpoint endpoint;
    const WCHAR *end;

    memset( address, 0, sizeof( *address ) );
    if ( ( end = ip_text_parts( text, TRUE, address->bytes ) ) && !*end )
    {
        address->family = AF_INET;
        return TRUE;
    }
    memset( address, 0, sizeof( *address ) );
    if ( ip_text_endpoint6( text, &endpoint ) )
    {
        address->family = AF_INET6;
        address->scope = endpoint.scope;
        memcpy( address->bytes, endpoint.address, sizeof( endpoint.address ) );
        return TRUE;
    }
    return FALSE;
}

int resolver_sockaddr( const struct ws2_address *address, USHORT port, SOCKADDR_STORAGE *sockaddr )
{
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)sockaddr;
    struct sockaddr_in *in = (struct sockaddr_in *)sockaddr;

    memset( sockaddr, 0, sizeof( *sockaddr ) );
    sockaddr->ss_family = address->family;
    in->sin_port = port; /* at the same offset in both */
    if ( address->family == AF_INET )
    {
        memcpy( &in->sin_addr, address->bytes, sizeof( in->sin_addr ) );
        return sizeof( *in );
    }
    memcpy( &in6->sin6_addr, address->bytes, sizeof( in6->sin6_addr ) );
    in6->sin6_scope_id = address->scope;
    return sizeof( *in6 );
}
