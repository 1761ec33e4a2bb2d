/*
 * Service classes and the publishing of services. The classes are Windows' own, made from the data base of services;
 * installing, removing and publishing are an administrator's and are refused as to an unprivileged caller.
 */
#include "base/ws2_32_private.h"
#include <svcguid.h>
#include "names/netdb.h"
#include "base/strings.h"

static const struct
{
    GUID id;
    const WCHAR *name;
} classes[] = {
    { SVCID_HOSTNAME, L"Hostname" },
    { SVCID_INET_HOSTADDRBYINETSTRING, L"HostAddrByInetString" },
    { SVCID_INET_SERVICEBYNAME, L"ServiceByName" },
    { SVCID_INET_HOSTADDRBYNAME, L"HostAddrByName" },
};

/* The name of a class; malloc'ed. Classes of well-known ports are called after their service. */
static WCHAR *class_name( const GUID *id )
{
    struct netdb_entry entry;

    for ( unsigned int i = 0; i < ARRAYSIZE( classes ); i++ )
        if ( !memcmp( &classes[i].id, id, sizeof( *id ) ) ) return _wcsdup( classes[i].name );
    if ( ( IS_SVCID_TCP( id ) && netdb_service_by_port( id->Data1 & 0xffff, "tcp", &entry ) ) ||
         ( IS_SVCID_UDP( id ) && netdb_service_by_port( id->Data1 & 0xffff, "udp", &entry ) ) )
        return string_wide( CP_UTF8, entry.name );
    return NULL;
}

static int find_class( const GUID *user, WCHAR **name )
{
    GUID id;
    int error;

    *name = NULL;
    if ( !ws2_started ) return WSANOTINITIALISED;
    if ( !user ) return WSAEINVAL;
    if ( ( error = ws2_read( &id, user, sizeof( id ) ) ) ) return error;
    *name = class_name( &id );
    return *name ? 0 : WSATYPE_NOT_FOUND;
}

static int class_name_by_id( const GUID *id, void *buffer, DWORD *length, BOOL wide )
{
    DWORD room, needed;
    char *narrow = NULL;
    WCHAR *name;
    int error;

    if ( ( error = find_class( id, &name ) ) ) return error;
    if ( !wide ) narrow = string_narrow( CP_ACP, name );
    if ( !( error = ws2_read( &room, length, sizeof( room ) ) ) )
    {
        needed = wide ? ( wcslen( name ) + 1 ) * sizeof( WCHAR ) : strlen( narrow ) + 1;
        error = !buffer || room < needed ? WSAEFAULT : ws2_write( buffer, wide ? (void *)name : narrow, needed );
        if ( ws2_write( length, &needed, sizeof( needed ) ) ) error = WSAEFAULT;
    }
    free( name );
    free( narrow );
    return error;
}

/***********************************************************************
 *      WSAGetServiceClassNameByClassIdA   (WS2_32.@)
 */
INT WINAPI WSAGetServiceClassNameByClassIdA( LPGUID id, LPSTR buffer, LPDWORD length )
{
    return WS2_RESULT_OF( class_name_by_id( id, buffer, length, FALSE ), "id=%p buffer=%p", id, buffer );
}

/***********************************************************************
 *      WSAGetServiceClassNameByClassIdW   (WS2_32.@)
 */
INT WINAPI WSAGetServiceClassNameByClassIdW( LPGUID id, LPWSTR buffer, LPDWORD length )
{
    return WS2_RESULT_OF( class_name_by_id( id, buffer, length, TRUE ), "id=%p buffer=%p", id, buffer );
}

/* A structure, its class id and its name in one buffer; no class here has further properties. */
static int class_info( const GUID *user, DWORD *length, void *buffer, BOOL wide )
{
    struct
    {
        WSASERVICECLASSINFOW info;
        GUID id;
        WCHAR name[64];
    } block = { 0 };
    DWORD room, needed;
    WCHAR *name;
    int error;

    if ( ( error = find_class( user, &name ) ) ) return error;
    if ( ( error = ws2_read( &block.id, user, sizeof( block.id ) ) ) ||
         ( error = ws2_read( &room, length, sizeof( room ) ) ) )
    {
        free( name );
        return error;
    }
    needed = offsetof( __typeof__( block ), name );
    if ( wide )
    {
        wcsncpy( block.name, name, ARRAYSIZE( block.name ) - 1 );
        needed += ( wcslen( block.name ) + 1 ) * sizeof( WCHAR );
    }
    else needed += WideCharToMultiByte( CP_ACP, 0, name, -1, (char *)block.name, sizeof( block.name ), NULL, NULL );
    free( name );
    block.info.lpServiceClassId = (GUID *)( (char *)buffer + offsetof( __typeof__( block ), id ) );
    block.info.lpszServiceClassName = (WCHAR *)( (char *)buffer + offsetof( __typeof__( block ), name ) );
    error = !buffer || room < needed ? WSAEFAULT : ws2_write( buffer, &block, needed );
    if ( ws2_write( length, &needed, sizeof( needed ) ) ) error = WSAEFAULT;
    return error;
}

/***********************************************************************
 *      WSAGetServiceClassInfoA   (WS2_32.@)
 */
INT WINAPI WSAGetServiceClassInfoA( LPGUID provider, LPGUID id, LPDWORD length, LPWSASERVICECLASSINFOA buffer )
{
    return WS2_RESULT_OF( class_info( id, length, buffer, FALSE ), "provider=%p id=%p", provider, id );
}

/***********************************************************************
 *      WSAGetServiceClassInfoW   (WS2_32.@)
 */
INT WINAPI WSAGetServiceClassInfoW( LPGUID provider, LPGUID id, LPDWORD length, LPWSASERVICECLASSINFOW buffer )
{
    return WS2_RESULT_OF( class_info( id, length, buffer, TRUE ), "provider=%p id=%p", provider, id );
}

static int install_class( const WSASERVICECLASSINFOW *user )
{
    WSASERVICECLASSINFOW info;
    GUID id;
    int error;

    if ( !ws2_started ) return WSANOTINITIALISED;
    if ( !user ) return WSAEINVAL;
    if ( ( error = ws2_read( &info, user, sizeof( info ) ) ) ) return error;
    if ( !info.lpServiceClassId || !info.lpszServiceClassName ) return WSAEINVAL;
    if ( ( error = ws2_read( &id, info.lpServiceClassId, sizeof( id ) ) ) ) return error;
    return WSAEACCES;
}

/***********************************************************************
 *      WSAInstallServiceClassA   (WS2_32.@)
 */
INT WINAPI WSAInstallServiceClassA( LPWSASERVICECLASSINFOA info )
{
    return WS2_RESULT_OF( install_class( (WSASERVICECLASSINFOW *)info ), "info=%p", info );
}

/***********************************************************************
 *      WSAInstallServiceClassW   (WS2_32.@)
 */
INT WINAPI WSAInstallServiceClassW( LPWSASERVICECLASSINFOW info )
{
    return WS2_RESULT_OF( install_class( info ), "info=%p", info );
}

/***********************************************************************
 *      WSARemoveServiceClass   (WS2_32.@)
 */
INT WINAPI WSARemoveServiceClass( LPGUID id )
{
    WCHAR *name;
    int error = find_class( id, &name );

    free( name );
    return WS2_RESULT_OF( error ? error : WSAEACCES, "id=%p", id );
}

/* Both forms of the query set lie alike. */
static int set_service( const WSAQUERYSETW *user, WSAESETSERVICEOP operation )
{
    WSAQUERYSETW query;
    int error;

    if ( !ws2_started ) return WSANOTINITIALISED;
    if ( !user ) return WSAEFAULT;
    if ( ( error = ws2_read( &query, user, sizeof( query ) ) ) ) return error;
    if ( query.dwSize < sizeof( query ) || operation < RNRSERVICE_REGISTER || operation > RNRSERVICE_DELETE )
        return WSAEINVAL;
    if ( !query.lpServiceClassId || !query.lpszServiceInstanceName ) return WSAEINVAL;
    return WSAEACCES;
}

/***********************************************************************
 *      WSASetServiceA   (WS2_32.@)
 */
INT WINAPI WSASetServiceA( LPWSAQUERYSETA query, WSAESETSERVICEOP operation, DWORD flags )
{
    return WS2_RESULT_OF( set_service( (WSAQUERYSETW *)query, operation ), "query=%p operation=%d flags=%#lx", query,
                          operation, flags );
}

/***********************************************************************
 *      WSASetServiceW   (WS2_32.@)
 */
INT WINAPI WSASetServiceW( LPWSAQUERYSETW query, WSAESETSERVICEOP operation, DWORD flags )
{
    return WS2_RESULT_OF( set_service( query, operation ), "query=%p operation=%d flags=%#lx", query, operation,
                          flags );
}
