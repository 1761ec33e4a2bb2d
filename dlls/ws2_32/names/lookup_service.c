/*
 * WSALookupService*: queries that hand out one result after the other, over DNS (hosts, services by name) and NLA (the
 * networks that this computer is in). Begin makes the whole list; the look-up owns it, and the list of look-ups, under
 * its lock, owns those. A result is a query set whose pointers lie behind it in the program's buffer.
 */
#include "base/ws2_32_private.h"
#include <mswsock.h>
#include <svcguid.h>
#include <nspapi.h>
#include "names/records.h"
#include "names/resolver.h"
#include "base/strings.h"

#ifndef NS_NLA
#define NS_NLA 15
#endif

struct result
{
    DWORD name_space;
    GUID class;
    WCHAR *name;
    struct ws2_address *addresses;
    unsigned int address_count;
    USHORT port; /* network order */
    BYTE *blob;
    size_t blob_size;
};

struct lookup
{
    UINT_PTR id;
    DWORD flags; /* LUP_* of Begin */
    struct result *results;
    unsigned int count, next_result;
    struct lookup *next;
};

static SRWLOCK lookups_lock = SRWLOCK_INIT;
static struct lookup *lookups;
static UINT_PTR last_id;

static const GUID class_hostname = SVCID_HOSTNAME;
static const GUID class_address_text = SVCID_INET_HOSTADDRBYINETSTRING;
static const GUID class_service = SVCID_INET_SERVICEBYNAME;
static const GUID class_host = SVCID_INET_HOSTADDRBYNAME;
static const GUID class_nla = NLA_SERVICE_CLASS_GUID;

static void free_lookup( struct lookup *lookup )
{
    if ( !lookup ) return;
    for ( unsigned int i = 0; i < lookup->count; i++ )
    {
        free( lookup->results[i].name );
        free( lookup->results[i].addresses );
        free( lookup->results[i].blob );
    }
    free( lookup->results );
    free( lookup );
}

/* A new result at the end of the list, zeroed but for its name. */
static struct result *add_result( struct lookup *lookup, DWORD name_space, const GUID *class, const WCHAR *name )
{
    struct result *results = realloc( lookup->results, ( lookup->count + 1 ) * sizeof( *results ) ), *result;

    if ( !results ) return NULL;
    lookup->results = results;
    result = &results[lookup->count];
    memset( result, 0, sizeof( *result ) );
    result->name_space = name_space;
    result->class = *class;
    if ( !( result->name = _wcsdup( name ) ) ) return NULL;
    lookup->count++;
    return result;
}

/* --- DNS -----------------------------------------------------------------------------------------------------------*/

static int add_host( struct lookup *lookup, const GUID *class, struct resolver_answer *answer, USHORT port )
{
    WCHAR *name = string_wide( CP_UTF8, answer->names );
    struct result *result = name ? add_result( lookup, NS_DNS, class, name ) : NULL;
    unsigned int v4 = 0;

    free( name );
    if ( !result ) return WSA_NOT_ENOUGH_MEMORY;
    for ( unsigned int i = 0; i < answer->count; i++ ) v4 += answer->addresses[i].family == AF_INET;
    if ( v4 )
    {
        result->blob_size = record_host( answer, AF_INET, NULL, 0, 0 );
        if ( !( result->blob = malloc( result->blob_size ) ) ) return WSA_NOT_ENOUGH_MEMORY;
        record_host( answer, AF_INET, (char *)result->blob, result->blob_size, 0 );
    }
    result->addresses = answer->addresses;
    result->address_count = answer->count;
    result->port = port;
    answer->addresses = NULL;
    answer->count = 0;
    return 0;
}

static int query_host( struct lookup *lookup, const GUID *class, const WCHAR *name, int family, USHORT port )
{
    struct resolver_answer answer = { 0 };
    char *encoded;
    int error;

    if ( ( error = resolver_encode( name ? name : L"", TRUE, &encoded ) ) ) return error;
    error = resolver_lookup( encoded, family, FALSE, &answer );
    free( encoded );
    if ( !error ) error = add_host( lookup, class, &answer, port );
    resolver_free( &answer );
    return error == WSAHOST_NOT_FOUND ? WSASERVICE_NOT_FOUND : error;
}

/* The name of an address in text. */
static int query_address( struct lookup *lookup, const WCHAR *text )
{
    struct resolver_answer answer = { 0 };
    struct ws2_address address;
    int error;

    if ( !text || !resolver_parse_literal( text, &address ) ) return WSAEINVAL;
    if ( ( error = resolver_reverse( &address, &answer.names ) ) ) return error;
    if ( ( answer.addresses = malloc( sizeof( address ) ) ) )
    {
        answer.addresses[0] = address;
        answer.count = 1;
        error = add_host( lookup, &class_address_text, &answer, 0 );
    }
    else error = WSA_NOT_ENOUGH_MEMORY;
    resolver_free( &answer );
    return error;
}

/* "name/protocol", the result a servent with offsets for pointers. */
static int query_service( struct lookup *lookup, const WCHAR *name )
{
    char *narrow = string_narrow( CP_UTF8, name ? name : L"" ), *slash;
    struct netdb_entry entry;
    struct result *result;
    WCHAR *found_name;
    int error = 0;

    if ( !narrow ) return WSA_NOT_ENOUGH_MEMORY;
    if ( ( slash = strchr( narrow, '/' ) ) ) *slash++ = 0;
    if ( !netdb_service_by_name( narrow, slash && *slash ? slash : NULL, &entry ) ) error = WSASERVICE_NOT_FOUND;
    free( narrow );
    if ( error ) return error;
    if ( !( found_name = string_wide( CP_UTF8, entry.name ) ) ) return WSA_NOT_ENOUGH_MEMORY;
    result = add_result( lookup, NS_DNS, &class_service, found_name );
    free( found_name );
    if ( !result ) return WSA_NOT_ENOUGH_MEMORY;
    result->blob_size = record_service( &entry, NULL, 0, 0 );
    if ( !( result->blob = malloc( result->blob_size ) ) ) return WSA_NOT_ENOUGH_MEMORY;
    record_service( &entry, (char *)result->blob, result->blob_size, 0 );
    return 0;
}

static BOOL same_class( const GUID *a, const GUID *b ) { return !memcmp( a, b, sizeof( *a ) ); }

#define DNS_TYPE_A 1
#define DNS_TYPE_AAAA 28

static int query_dns( struct lookup *lookup, const GUID *class, const WCHAR *name )
{
    if ( same_class( class, &class_service ) ) return query_service( lookup, name );
    if ( same_class( class, &class_address_text ) ) return query_address( lookup, name );
    if ( same_class( class, &class_hostname ) ) return query_host( lookup, class, L"", AF_INET, 0 );
    if ( same_class( class, &class_host ) ) return query_host( lookup, class, name, AF_INET, 0 );
    if ( IS_SVCID_DNS( class ) )
        return query_host( lookup, class, name,
                           class->Data3 == DNS_TYPE_AAAA ? AF_INET6
                           : class->Data3 == DNS_TYPE_A  ? AF_INET
                                                         : AF_UNSPEC,
                           htons( 53 ) );
    if ( IS_SVCID_TCP( class ) || IS_SVCID_UDP( class ) )
        return query_host( lookup, class, name, AF_UNSPEC, htons( class->Data1 & 0xffff ) );
    return WSASERVICE_NOT_FOUND;
}

/* --- NLA: a network for each adapter that reaches beyond this computer ---------------------------------------------*/

/* The chain of blobs: what the adapter is, and how far the network reaches. */
static int add_network( struct lookup *lookup, const struct ws2_address *address, BOOL routed )
{
    static const WCHAR format[] = L"Network %u";
    NLA_BLOB interface_blob = { 0 }, connectivity = { 0 };
    struct result *result;
    char adapter[16];
    size_t first;
    WCHAR name[32];

    _snwprintf( name, ARRAYSIZE( name ), format, lookup->count + 1 );
    snprintf( adapter, sizeof( adapter ), "{if%lu}", (unsigned long)address->adapter );
    if ( !( result = add_result( lookup, NS_NLA, &class_nla, name ) ) ) return WSA_NOT_ENOUGH_MEMORY;
    first = ( offsetof( NLA_BLOB, data.interfaceData.adapterName ) + strlen( adapter ) + 1 + 7 ) & ~7u;
    result->blob_size = first + sizeof( connectivity.header ) + sizeof( connectivity.data.connectivity );
    if ( !( result->blob = calloc( 1, result->blob_size ) ) ) return WSA_NOT_ENOUGH_MEMORY;
    interface_blob.header.type = NLA_INTERFACE;
    interface_blob.header.dwSize = offsetof( NLA_BLOB, data.interfaceData.adapterName ) + strlen( adapter ) + 1;
    interface_blob.header.nextOffset = first;
    interface_blob.data.interfaceData.dwType = 6; /* Ethernet */
    memcpy( result->blob, &interface_blob, offsetof( NLA_BLOB, data.interfaceData.adapterName ) );
    strcpy( (char *)result->blob + offsetof( NLA_BLOB, data.interfaceData.adapterName ), adapter );
    connectivity.header.type = NLA_CONNECTIVITY;
    connectivity.header.dwSize = sizeof( connectivity.header ) + sizeof( connectivity.data.connectivity );
    connectivity.data.connectivity.type = NLA_NETWORK_UNMANAGED;
    connectivity.data.connectivity.internet = routed ? NLA_INTERNET_YES : NLA_INTERNET_UNKNOWN;
    memcpy( result->blob + first, &connectivity, connectivity.header.dwSize );
    return 0;
}

static int query_networks( struct lookup *lookup )
{
    struct ws2_address *addresses;
    unsigned int count;
    int error;

    if ( ( error = resolver_adapters( &addresses, &count ) ) ) return error;
    for ( unsigned int i = 0; i < count && !error; i++ )
    {
        BOOL first = !( addresses[i].flags & WS2_ADDRESS_LOOPBACK ), routed = FALSE;

        for ( unsigned int j = 0; j < count; j++ )
        {
            if ( addresses[j].adapter != addresses[i].adapter ) continue;
            first = first && j >= i;
            routed = routed || addresses[j].flags & WS2_ADDRESS_DEFAULT_ROUTE;
        }
        if ( first ) error = add_network( lookup, &addresses[i], routed );
    }
    free( addresses );
    return error;
}

/* --- the query -----------------------------------------------------------------------------------------------------*/

/* name and class are copies; class NULL when none was given. */
static int lookup_fill( struct lookup *lookup, DWORD name_space, const GUID *class, const WCHAR *name )
{
    if ( name_space != NS_ALL && name_space != NS_DNS && name_space != NS_NLA ) return WSASERVICE_NOT_FOUND;
    if ( name_space == NS_NLA || ( class && same_class( class, &class_nla ) ) || ( name_space == NS_ALL && !class ) )
        return query_networks( lookup );
    return class ? query_dns( lookup, class, name ) : WSAEINVAL;
}

/* Both forms of the query set lie alike, and so do their strings' pointers. */
static int lookup_begin( const WSAQUERYSETW *user, DWORD flags, HANDLE *handle, BOOL wide )
{
    struct lookup *lookup;
    WSAQUERYSETW query;
    WCHAR *name = NULL;
    HANDLE id = NULL;
    GUID class;
    int error;

    if ( !ws2_started ) return WSANOTINITIALISED;
    if ( !user || !handle ) return WSAEFAULT;
    if ( ( error = ws2_read( &query, user, sizeof( query ) ) ) ) return error;
    if ( ( error = ws2_write( handle, &id, sizeof( id ) ) ) ) return error;
    if ( query.dwSize < sizeof( query ) ) return WSAEINVAL;
    if ( query.lpServiceClassId && ( error = ws2_read( &class, query.lpServiceClassId, sizeof( class ) ) ) )
        return error;
    error = wide ? string_read_wide( query.lpszServiceInstanceName, &name )
                 : string_read_ansi( (char *)query.lpszServiceInstanceName, &name );
    if ( error ) return error;
    if ( ( lookup = calloc( 1, sizeof( *lookup ) ) ) )
    {
        lookup->flags = flags;
        error = lookup_fill( lookup, query.dwNameSpace, query.lpServiceClassId ? &class : NULL, name );
    }
    else error = WSA_NOT_ENOUGH_MEMORY;
    free( name );
    if ( error )
    {
        free_lookup( lookup );
        return error;
    }
    lock_exclusive( &lookups_lock );
    lookup->id = ++last_id;
    id = (HANDLE)lookup->id;
    lookup->next = lookups;
    lookups = lookup;
    ReleaseSRWLockExclusive( &lookups_lock );
    return ws2_write( handle, &id, sizeof( id ) );
}

/***********************************************************************
 *      WSALookupServiceBeginA   (WS2_32.@)
 */
INT WINAPI WSALookupServiceBeginA( LPWSAQUERYSETA query, DWORD flags, LPHANDLE handle )
{
    return WS2_RESULT_OF( lookup_begin( (WSAQUERYSETW *)query, flags, handle, FALSE ), "query=%p flags=%#lx", query,
                          flags );
}

/***********************************************************************
 *      WSALookupServiceBeginW   (WS2_32.@)
 */
INT WINAPI WSALookupServiceBeginW( LPWSAQUERYSETW query, DWORD flags, LPHANDLE handle )
{
    return WS2_RESULT_OF( lookup_begin( query, flags, handle, TRUE ), "query=%p flags=%#lx", query, flags );
}

/* --- results -------------------------------------------------------------------------------------------------------*/

/* A result being laid out; it only counts when block is NULL. */
struct layout
{
    char *block;
    char *base; /* where it will lie */
    size_t used;
};

static void *lookup_put( struct layout *layout, const void *data, size_t size )
{
    char *place;

    layout->used = ( layout->used + 7 ) & ~(size_t)7;
    place = layout->base + layout->used;
    if ( layout->block && data ) memcpy( layout->block + layout->used, data, size );
    layout->used += size;
    return place;
}

static void lay_addresses( struct layout *layout, const struct result *result, WSAQUERYSETW *set )
{
    size_t place;

    set->dwNumberOfCsAddrs = result->address_count;
    set->lpcsaBuffer = lookup_put( layout, NULL, result->address_count * sizeof( CSADDR_INFO ) );
    place = layout->used - result->address_count * sizeof( CSADDR_INFO );
    for ( unsigned int i = 0; i < result->address_count; i++ )
    {
        struct ws2_address any = { .family = result->addresses[i].family };
        SOCKADDR_STORAGE remote, local;
        CSADDR_INFO info = { 0 };

        info.iSocketType = IS_SVCID_UDP( &result->class ) ? SOCK_DGRAM : SOCK_STREAM;
        info.iProtocol = IS_SVCID_UDP( &result->class ) ? IPPROTO_UDP : IPPROTO_TCP;
        info.RemoteAddr.iSockaddrLength = resolver_sockaddr( &result->addresses[i], result->port, &remote );
        info.LocalAddr.iSockaddrLength = resolver_sockaddr( &any, 0, &local );
        info.RemoteAddr.lpSockaddr = lookup_put( layout, &remote, info.RemoteAddr.iSockaddrLength );
        info.LocalAddr.lpSockaddr = lookup_put( layout, &local, info.LocalAddr.iSockaddrLength );
        if ( layout->block ) memcpy( layout->block + place + i * sizeof( info ), &info, sizeof( info ) );
    }
}

static void lay_result( struct layout *layout, const struct result *result, DWORD flags, BOOL wide )
{
    WSAQUERYSETW set = { .dwSize = sizeof( set ), .dwNameSpace = result->name_space };

    layout->used = sizeof( set );
    if ( flags & LUP_RETURN_NAME )
    {
        char *narrow = wide ? NULL : string_narrow( CP_ACP, result->name );

        set.lpszServiceInstanceName = lookup_put( layout, wide ? (void *)result->name : narrow,
                                                  wide     ? ( wcslen( result->name ) + 1 ) * sizeof( WCHAR )
                                                  : narrow ? strlen( narrow ) + 1
                                                           : 0 );
        free( narrow );
    }
    if ( flags & LUP_RETURN_TYPE ) set.lpServiceClassId = lookup_put( layout, &result->class, sizeof( result->class ) );
    if ( flags & LUP_RETURN_ADDR && result->address_count ) lay_addresses( layout, result, &set );
    if ( flags & LUP_RETURN_BLOB && result->blob )
    {
        BLOB blob = { result->blob_size, lookup_put( layout, result->blob, result->blob_size ) };

        set.lpBlob = lookup_put( layout, &blob, sizeof( blob ) );
    }
    if ( layout->block ) memcpy( layout->block, &set, sizeof( set ) );
}

static struct lookup *lookup_find( HANDLE handle )
{
    struct lookup *lookup = lookups;

    while ( lookup && lookup->id != (UINT_PTR)handle ) lookup = lookup->next;
    return lookup;
}

/* The next result as it will lie at buffer; malloc'ed. Under the lock. WSAEFAULT with the size that is needed. */
static int lay_next( struct lookup *lookup, DWORD flags, char *buffer, DWORD size, BOOL wide, char **block,
                     DWORD *needed )
{
    struct layout layout = { NULL, buffer, 0 };
    const struct result *result;

    if ( !lookup ) return WSA_INVALID_HANDLE;
    if ( lookup->next_result >= lookup->count ) return WSA_E_NO_MORE;
    result = &lookup->results[lookup->next_result];
    /* what is returned was said at the beginning; LUP_FLUSHPREVIOUS passes a result that does not fit */
    lay_result( &layout, result, lookup->flags, wide );
    *needed = layout.used;
    if ( flags & LUP_FLUSHPREVIOUS )
    {
        lookup->next_result++;
        return lookup->next_result >= lookup->count
                   ? WSA_E_NO_MORE
                   : lay_next( lookup, flags & ~LUP_FLUSHPREVIOUS, buffer, size, wide, block, needed );
    }
    if ( !buffer || size < layout.used ) return WSAEFAULT;
    if ( !( *block = calloc( 1, layout.used ) ) ) return WSA_NOT_ENOUGH_MEMORY;
    layout.block = *block;
    lay_result( &layout, result, lookup->flags, wide );
    lookup->next_result++;
    return 0;
}

static int lookup_next( HANDLE handle, DWORD flags, DWORD *length, void *buffer, BOOL wide )
{
    DWORD size, needed = 0;
    char *block = NULL;
    int error;

    if ( !ws2_started ) return WSANOTINITIALISED;
    if ( ( error = ws2_read( &size, length, sizeof( size ) ) ) ) return error;
    lock_exclusive( &lookups_lock );
    error = lay_next( lookup_find( handle ), flags, buffer, size, wide, &block, &needed );
    ReleaseSRWLockExclusive( &lookups_lock );
    if ( !error ) error = ws2_write( buffer, block, needed );
    else if ( error == WSAEFAULT && ws2_write( length, &needed, sizeof( needed ) ) ) error = WSAEFAULT;
    free( block );
    return error;
}

/***********************************************************************
 *      WSALookupServiceNextA   (WS2_32.@)
 */
INT WINAPI WSALookupServiceNextA( HANDLE handle, DWORD flags, LPDWORD length, LPWSAQUERYSETA buffer )
{
    return WS2_RESULT_OF( lookup_next( handle, flags, length, buffer, FALSE ), "handle=%p flags=%#lx buffer=%p", handle,
                          flags, buffer );
}

/***********************************************************************
 *      WSALookupServiceNextW   (WS2_32.@)
 */
INT WINAPI WSALookupServiceNextW( HANDLE handle, DWORD flags, LPDWORD length, LPWSAQUERYSETW buffer )
{
    return WS2_RESULT_OF( lookup_next( handle, flags, length, buffer, TRUE ), "handle=%p flags=%#lx buffer=%p", handle,
                          flags, buffer );
}

/***********************************************************************
 *      WSALookupServiceEnd   (WS2_32.@)
 */
INT WINAPI WSALookupServiceEnd( HANDLE handle )
{
    struct lookup *lookup = NULL;

    lock_exclusive( &lookups_lock );
    for ( struct lookup **link = &lookups; *link; link = &( *link )->next )
        if ( ( *link )->id == (UINT_PTR)handle )
        {
            lookup = *link;
            *link = lookup->next;
            break;
        }
    ReleaseSRWLockExclusive( &lookups_lock );
    free_lookup( lookup );
    return WS2_RESULT_OF( lookup ? 0 : WSA_INVALID_HANDLE, "handle=%p", handle );
}

/* SIO_NSP_NOTIFY_CHANGE is the one code there is. Nothing here changes a look-up's results once it has them, so a
 * wait for that is never over, and asking without waiting finds none. */
static int namespace_ioctl( HANDLE handle, DWORD code, DWORD *returned, const WSACOMPLETION *completion )
{
    WSACOMPLETION copy;
    DWORD none = 0;
    BOOL known;
    int error;

    if ( !ws2_started ) return WSANOTINITIALISED;
    if ( !returned ) return WSAEFAULT;
    lock_exclusive( &lookups_lock );
    known = lookup_find( handle ) != NULL;
    ReleaseSRWLockExclusive( &lookups_lock );
    if ( !known ) return WSA_INVALID_HANDLE;
    if ( code != SIO_NSP_NOTIFY_CHANGE ) return WSAEOPNOTSUPP;
    if ( ( error = ws2_write( returned, &none, sizeof( none ) ) ) ) return error;
    if ( !completion ) return WSAEWOULDBLOCK;
    if ( ( error = ws2_read( &copy, completion, sizeof( copy ) ) ) ) return error;
    return copy.Type == NSP_NOTIFY_IMMEDIATELY ? WSAEWOULDBLOCK : WSA_IO_PENDING;
}

/***********************************************************************
 *      WSANSPIoctl   (WS2_32.@)
 */
INT WINAPI WSANSPIoctl( HANDLE handle, DWORD code, LPVOID in, DWORD in_size, LPVOID out, DWORD out_size,
                        LPDWORD returned, LPWSACOMPLETION completion )
{
    return WS2_RESULT_OF( namespace_ioctl( handle, code, returned, completion ),
                          "handle=%p code=%#lx in=%p %lu out=%p %lu", handle, code, in, in_size, out, out_size );
}
