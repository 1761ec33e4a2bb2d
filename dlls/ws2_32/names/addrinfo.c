/* getaddrinfo and GetAddrInfoW, and what GetAddrInfoEx (addrinfoex.c) shares with them. No state; any thread. */
#include "base/ws2_32_private.h"
#include "names/addrinfo.h"
#include "names/loader_dlls.h"
#include "names/netdb.h"
#include "base/strings.h"

#ifndef AI_V4MAPPED
#define AI_V4MAPPED 0x00000800
#endif
#ifndef AI_FQDN
#define AI_FQDN 0x00020000
#endif
#ifndef AI_DISABLE_IDN_ENCODING
#define AI_DISABLE_IDN_ENCODING 0x00080000
#endif

#ifndef AI_EXTENDED
#define AI_EXTENDED 0x80000000
#endif

/* What follows ADDRINFOEX in its versions 2 to 6: each adds fields at the end, and a reader looks at those of its
 * own. */
struct extension
{
    int version;
    void *fqdn;
    int adapter;
    HANDLE resolution;
    UINT ttl;
    UINT server_count;
    void *servers;
    ULONG64 response_flags;
};
#define FIRST_EXTENDED 2
#define LAST_EXTENDED 6

static const size_t entry_sizes[] = { [ADDRINFO_A] = sizeof( ADDRINFOA ),
                                      [ADDRINFO_W] = sizeof( ADDRINFOW ),
                                      [ADDRINFO_EX_A] = sizeof( ADDRINFOEXA ),
                                      [ADDRINFO_EX_W] = sizeof( ADDRINFOEXW ) };

static void **next_of( void *entry, enum addrinfo_form form )
{
    return form == ADDRINFO_A || form == ADDRINFO_W ? (void **)&( (ADDRINFOA *)entry )->ai_next
                                                    : (void **)&( (ADDRINFOEXA *)entry )->ai_next;
}

int addrinfo_read_hints( const void *user, enum addrinfo_form form, struct addrinfo_hints *hints )
{
    ADDRINFOEXA copy;
    int version = 0, error;

    memset( hints, 0, sizeof( *hints ) );
    if ( !user ) return 0;
    memset( &copy, 0, sizeof( copy ) );
    if ( ( error = ws2_read( &copy, user, entry_sizes[form] ) ) ) return error;
    if ( copy.ai_addrlen || copy.ai_canonname || copy.ai_addr || *next_of( &copy, form ) ) return WSANO_RECOVERY;
    if ( copy.ai_flags & AI_EXTENDED && ( form == ADDRINFO_EX_A || form == ADDRINFO_EX_W ) )
    {
        if ( ( error = ws2_read( &version, (const char *)user + entry_sizes[form], sizeof( version ) ) ) ) return error;
        if ( version < FIRST_EXTENDED || version > LAST_EXTENDED ) return WSAEINVAL;
    }
    *hints = ( struct addrinfo_hints ){ copy.ai_flags, copy.ai_family, copy.ai_socktype, copy.ai_protocol, version };
    return 0;
}

int addrinfo_check( const WCHAR *node, const WCHAR *service, const struct addrinfo_hints *hints )
{
    if ( !node && !service ) return WSAHOST_NOT_FOUND;
    if ( hints->flags & AI_CANONNAME && !node ) return WSAEINVAL;
    if ( hints->flags & AI_CANONNAME && hints->flags & AI_FQDN && !hints->version ) return WSAEINVAL;
    if ( hints->family != AF_UNSPEC && hints->family != AF_INET && hints->family != AF_INET6 ) return WSAEAFNOSUPPORT;
    if ( hints->type < 0 || hints->type > SOCK_RAW ) return WSAESOCKTNOSUPPORT;
    return 0;
}

static int find_port( const WCHAR *service, const struct addrinfo_hints *hints, USHORT *port )
{
    struct netdb_entry entry;
    ULONG number;
    BOOL found;
    char *name;
    WCHAR *end;

    *port = 0;
    if ( !service || !*service ) return 0;
    number = wcstoul( service, &end, 10 );
    if ( !*end )
    {
        if ( number > 0xffff ) return WSATYPE_NOT_FOUND;
        *port = htons( number );
        return 0;
    }
    if ( hints->flags & AI_NUMERICSERV ) return WSAHOST_NOT_FOUND;
    if ( !( name = string_narrow( CP_UTF8, service ) ) ) return WSA_NOT_ENOUGH_MEMORY;
    found = ( hints->type != SOCK_DGRAM && netdb_service_by_name( name, "tcp", &entry ) ) ||
            ( hints->type != SOCK_STREAM && netdb_service_by_name( name, "udp", &entry ) );
    free( name );
    if ( !found ) return WSATYPE_NOT_FOUND;
    *port = htons( entry.number );
    return 0;
}

/* An answer of constant addresses: literals, loopback and wildcard. */
static int answer_with( const struct ws2_address *addresses, unsigned int count, struct resolver_answer *answer )
{
    if ( !( answer->addresses = malloc( count * sizeof( *addresses ) ) ) ) return WSA_NOT_ENOUGH_MEMORY;
    memcpy( answer->addresses, addresses, count * sizeof( *addresses ) );
    answer->count = count;
    return 0;
}

/* No node: an address to listen at, or to reach what listens on this computer. */
static int query_nothing( const struct addrinfo_hints *hints, struct resolver_answer *answer )
{
    struct ws2_address addresses[2] = { 0 };
    unsigned int count = 0;

    if ( hints->family == AF_INET6 || ( !hints->family && resolver_has_ipv6() ) )
    {
        addresses[count].family = AF_INET6;
        addresses[count++].bytes[15] = hints->flags & AI_PASSIVE ? 0 : 1;
    }
    if ( hints->family != AF_INET6 )
    {
        addresses[count].family = AF_INET;
        if ( !( hints->flags & AI_PASSIVE ) ) memcpy( addresses[count].bytes, "\x7f\0\0\1", 4 );
        count++;
    }
    return answer_with( addresses, count, answer );
}

static void map_to_ipv6( struct ws2_address *address )
{
    BYTE mapped[16] = { [10] = 0xff, [11] = 0xff };

    if ( address->family != AF_INET ) return;
    memcpy( mapped + 12, address->bytes, 4 );
    memcpy( address->bytes, mapped, sizeof( mapped ) );
    address->family = AF_INET6;
}

static int query_literal( struct ws2_address *address, const struct addrinfo_hints *hints,
                          struct resolver_answer *answer )
{
    if ( hints->family == AF_INET6 && hints->flags & AI_V4MAPPED ) map_to_ipv6( address );
    if ( hints->family && hints->family != address->family ) return WSAHOST_NOT_FOUND;
    if ( address->family == AF_INET6 && !resolver_has_ipv6() ) return WSAHOST_NOT_FOUND;
    return answer_with( address, 1, answer );
}

static int query_name( const WCHAR *node, const struct addrinfo_hints *hints, struct resolver_answer *answer )
{
    BOOL mapped = hints->family == AF_INET6 && hints->flags & AI_V4MAPPED;
    int family = mapped && hints->flags & AI_ALL ? AF_UNSPEC : hints->family, error;
    char *name;

    if ( hints->flags & AI_NUMERICHOST ) return WSAHOST_NOT_FOUND;
    if ( ( error = resolver_encode( node, !( hints->flags & AI_DISABLE_IDN_ENCODING ), &name ) ) ) return error;
    error = resolver_lookup( name, family, FALSE, answer );
    if ( mapped && family && ( error == WSANO_DATA || error == WSAHOST_NOT_FOUND ) )
        error = resolver_lookup( name, AF_INET, FALSE, answer );
    free( name );
    for ( unsigned int i = 0; mapped && i < answer->count; i++ ) map_to_ipv6( &answer->addresses[i] );
    return error;
}

int addrinfo_query( const WCHAR *node, const WCHAR *service, const struct addrinfo_hints *hints,
                    struct addrinfo_answer *answer )
{
    struct ws2_address literal;
    BOOL is_literal;
    int error;

    memset( answer, 0, sizeof( *answer ) );
    if ( ( error = addrinfo_check( node, service, hints ) ) ) return error;
    if ( ( error = find_port( service, hints, &answer->port ) ) ) return error;
    is_literal = node && resolver_parse_literal( node, &literal );
    if ( !node ) error = query_nothing( hints, &answer->resolver );
    else if ( is_literal ) error = query_literal( &literal, hints, &answer->resolver );
    else error = query_name( node, hints, &answer->resolver );
    if ( !error && node && hints->flags & ( AI_CANONNAME | AI_FQDN ) )
    {
        answer->canonical = is_literal ? _wcsdup( node ) : string_wide( CP_UTF8, answer->resolver.names );
        if ( !answer->canonical ) error = WSA_NOT_ENOUGH_MEMORY;
    }
    if ( error ) addrinfo_free_answer( answer );
    return error;
}

void addrinfo_free_answer( struct addrinfo_answer *answer )
{
    resolver_free( &answer->resolver );
    free( answer->canonical );
    answer->canonical = NULL;
}

/* One entry with its address and name in one block. */
static void *build_entry( const struct ws2_address *address, USHORT port, const WCHAR *canonical,
                          const struct addrinfo_hints *hints, enum addrinfo_form form )
{
    BOOL wide = form == ADDRINFO_W || form == ADDRINFO_EX_W;
    char *narrow = wide ? NULL : string_narrow( CP_ACP, canonical );
    const void *name = wide ? (const void *)canonical : narrow;
    size_t name_size = !name ? 0 : wide ? ( wcslen( canonical ) + 1 ) * sizeof( WCHAR ) : strlen( narrow ) + 1;
    size_t entry_size = entry_sizes[form] + ( hints->version ? sizeof( struct extension ) : 0 );
    SOCKADDR_STORAGE sockaddr;
    int length = resolver_sockaddr( address, port, &sockaddr );
    char *block = calloc( 1, entry_size + length + name_size );
    ADDRINFOA *entry = (ADDRINFOA *)block;

    if ( entry )
    {
        entry->ai_family = address->family;
        entry->ai_socktype = hints->type;
        entry->ai_protocol = hints->protocol;
        entry->ai_addrlen = length;
        entry->ai_addr = memcpy( block + entry_size, &sockaddr, length );
        if ( name ) entry->ai_canonname = memcpy( block + entry_size + length, name, name_size );
    }
    if ( entry && hints->version )
    {
        struct extension *extension = (struct extension *)( block + entry_sizes[form] );

        extension->version = hints->version;
        if ( hints->flags & AI_FQDN ) extension->fqdn = entry->ai_canonname;
        if ( !( hints->flags & AI_CANONNAME ) ) entry->ai_canonname = NULL;
    }
    free( narrow );
    return entry;
}

void *addrinfo_build( const struct addrinfo_answer *answer, const struct addrinfo_hints *hints,
                      enum addrinfo_form form )
{
    void *list = NULL, *entry;

    for ( unsigned int i = answer->resolver.count; i--; )
    {
        entry = build_entry( &answer->resolver.addresses[i], answer->port, i ? NULL : answer->canonical, hints, form );
        if ( !entry )
        {
            addrinfo_free( list, form );
            return NULL;
        }
        *next_of( entry, form ) = list;
        list = entry;
    }
    return list;
}

void addrinfo_free( void *list, enum addrinfo_form form )
{
    while ( list )
    {
        void *next = *next_of( list, form );

        free( list );
        list = next;
    }
}

/* node and service are copies. *result is NULL on failure. */
static int addrinfo_get( const WCHAR *node, const WCHAR *service, const void *user_hints, void **result,
                         enum addrinfo_form form )
{
    struct addrinfo_answer answer = { 0 };
    struct addrinfo_hints hints;
    void *list = NULL;
    int error;

    if ( ( error = addrinfo_read_hints( user_hints, form, &hints ) ) ) return error;
    if ( ( error = addrinfo_query( node, service, &hints, &answer ) ) ) return error;
    if ( !( list = addrinfo_build( &answer, &hints, form ) ) ) error = WSA_NOT_ENOUGH_MEMORY;
    addrinfo_free_answer( &answer );
    if ( !error && ( error = ws2_write( result, &list, sizeof( list ) ) ) ) addrinfo_free( list, form );
    return error;
}

/***********************************************************************
 *      getaddrinfo   (WS2_32.@)
 */
int WINAPI getaddrinfo( const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result )
{
    WCHAR *node_copy = NULL, *service_copy = NULL;
    void *none = NULL;
    int error = ws2_write( result, &none, sizeof( none ) );

    if ( !error && !names_started() ) error = WSANOTINITIALISED;
    if ( !error ) error = string_read_ansi( node, &node_copy );
    if ( !error ) error = string_read_ansi( service, &service_copy );
    if ( !error ) error = addrinfo_get( node_copy, service_copy, hints, (void **)result, ADDRINFO_A );
    if ( !error && !node_copy ) loader_dll_order( __builtin_return_address( 0 ), result );
    WS2_RETURNS( __func__, TRACE_NUMBER, error, error, "node=%ls service=%ls", node_copy ? node_copy : L"(null)",
                 service_copy ? service_copy : L"(null)" );
    free( node_copy );
    free( service_copy );
    SetLastError( error );
    return error;
}

/***********************************************************************
 *      GetAddrInfoW   (WS2_32.@)
 */
int WINAPI GetAddrInfoW( const WCHAR *node, const WCHAR *service, const ADDRINFOW *hints, ADDRINFOW **result )
{
    WCHAR *node_copy = NULL, *service_copy = NULL;
    void *none = NULL;
    int error = ws2_write( result, &none, sizeof( none ) );

    if ( !error && !names_started() ) error = WSANOTINITIALISED;
    if ( !error ) error = string_read_wide( node, &node_copy );
    if ( !error ) error = string_read_wide( service, &service_copy );
    if ( !error ) error = addrinfo_get( node_copy, service_copy, hints, (void **)result, ADDRINFO_W );
    WS2_RETURNS( __func__, TRACE_NUMBER, error, error, "node=%ls service=%ls", node_copy ? node_copy : L"(null)",
                 service_copy ? service_copy : L"(null)" );
    free( node_copy );
    free( service_copy );
    SetLastError( error );
    return error;
}

/***********************************************************************
 *      freeaddrinfo   (WS2_32.@)
 */
void WINAPI freeaddrinfo( struct addrinfo *list )
{
    addrinfo_free( list, ADDRINFO_A );
    WS2_RETURNS( __func__, TRACE_NUMBER, 0, 0, "list=%p", list );
}

/***********************************************************************
 *      FreeAddrInfoW   (WS2_32.@)
 */
void WINAPI FreeAddrInfoW( ADDRINFOW *list )
{
    addrinfo_free( list, ADDRINFO_W );
    WS2_RETURNS( __func__, TRACE_NUMBER, 0, 0, "list=%p", list );
}
