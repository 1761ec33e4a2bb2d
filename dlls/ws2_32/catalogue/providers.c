/*
 * The management of transport and name-space providers (WSC*): the answers of a system that has only its base
 * providers, to a caller who is no administrator. Arguments are judged first, then what they name, then the caller's
 * rights. The catalogue of 32-bit programs is the same, and so are its functions' answers. No state.
 */
#include "base/ws2_32_private.h"
#include "catalogue/catalogue.h"
#include "catalogue/namespaces.h"

/* The documented code for a caller without administrative rights: of transports, and of name spaces. */
#define TRANSPORT_DENIED WSANO_RECOVERY
#define NAMESPACE_DENIED WSAEACCES

static const WCHAR provider_path[] = L"%SystemRoot%\\system32\\mswsock.dll";

/* These functions tell their error through a pointer too, which may be NULL. */
#define WSC_RESULT( error, pointer, ... ) \
    ( { \
        int wsc_error_ = ( error ); \
        if ( wsc_error_ ) ws2_write( pointer, &wsc_error_, sizeof( wsc_error_ ) ); \
        WS2_RESULT_OF( wsc_error_, __VA_ARGS__ ); \
    } )

/* 0 for an installed transport provider, WSAEFAULT or WSAEINVAL. */
static int check_transport( const GUID *user )
{
    GUID id;
    int error;

    if ( !user ) return WSAEFAULT;
    if ( ( error = ws2_read( &id, user, sizeof( id ) ) ) ) return error;
    for ( unsigned int i = 0; i < catalogue_count; i++ )
        if ( !memcmp( &catalogue[i].ProviderId, &id, sizeof( id ) ) ) return 0;
    return WSAEINVAL;
}

static int check_namespace( const GUID *user )
{
    GUID id;
    int error;

    if ( !user ) return WSAEFAULT;
    if ( ( error = ws2_read( &id, user, sizeof( id ) ) ) ) return error;
    return namespace_by_provider( &id ) ? 0 : WSAEINVAL;
}

static int denied( int error, int code ) { return error ? error : code; }

static int get_path( const GUID *id, WCHAR *path, int *length )
{
    int room, needed = ARRAYSIZE( provider_path ), error;

    if ( !id || !length ) return WSAEFAULT;
    if ( ( error = ws2_read( &room, length, sizeof( room ) ) ) ) return error;
    if ( room < 0 ) return WSAEINVAL;
    if ( ( error = check_transport( id ) ) ) return error;
    if ( !path || room < needed ) return WSAEFAULT;
    if ( ( error = ws2_write( path, provider_path, sizeof( provider_path ) ) ) ) return error;
    return ws2_write( length, &needed, sizeof( needed ) );
}

/***********************************************************************
 *      WSCGetProviderPath   (WS2_32.@)
 */
int WINAPI WSCGetProviderPath( GUID *id, WCHAR *path, int *length, int *error )
{
    return WSC_RESULT( get_path( id, path, length ), error, "id=%p path=%p length=%p", id, path, length );
}

/***********************************************************************
 *      WSCGetProviderPath32   (WS2_32.@)
 */
int WINAPI WSCGetProviderPath32( GUID *id, WCHAR *path, int *length, int *error )
{
    return WSC_RESULT( get_path( id, path, length ), error, "id=%p path=%p length=%p", id, path, length );
}

/***********************************************************************
 *      WPUGetProviderPathEx   (WS2_32.@)
 */
int WINAPI WPUGetProviderPathEx( GUID *id, void *catalogue_name, WCHAR *path, int *length, int *error )
{
    return WSC_RESULT( get_path( id, path, length ), error, "id=%p catalogue=%p path=%p length=%p", id, catalogue_name,
                       path, length );
}

/* The one kind of information there is, the categories of a layered provider: a base provider is in none. */
static int get_info( const GUID *id, int type, void *info, size_t *size )
{
    DWORD categories = 0;
    size_t room, needed = sizeof( categories );
    int error;

    if ( ( error = check_transport( id ) ) ) return error == WSAEINVAL ? WSANO_RECOVERY : error;
    if ( type ) return WSAEINVAL;
    if ( ( error = ws2_read( &room, size, sizeof( room ) ) ) ) return error;
    if ( ( error = ws2_write( size, &needed, sizeof( needed ) ) ) ) return error;
    return !info || room < needed ? WSAEFAULT : ws2_write( info, &categories, sizeof( categories ) );
}

/***********************************************************************
 *      WSCGetProviderInfo   (WS2_32.@)
 */
int WINAPI WSCGetProviderInfo( GUID *id, int type, BYTE *info, size_t *size, DWORD flags, int *error )
{
    return WSC_RESULT( get_info( id, type, info, size ), error, "id=%p type=%d flags=%#lx", id, type, flags );
}

/***********************************************************************
 *      WSCGetProviderInfo32   (WS2_32.@)
 */
int WINAPI WSCGetProviderInfo32( GUID *id, int type, BYTE *info, size_t *size, DWORD flags, int *error )
{
    return WSC_RESULT( get_info( id, type, info, size ), error, "id=%p type=%d flags=%#lx", id, type, flags );
}

static int set_info( const GUID *id, int type, const void *info, size_t size )
{
    int error = check_transport( id );

    if ( error == WSAEINVAL ) error = WSANO_RECOVERY;
    if ( !error && !info ) error = WSAEFAULT;
    if ( !error && ( type || size != sizeof( DWORD ) ) ) error = WSAEINVAL;
    return denied( error, TRANSPORT_DENIED );
}

/***********************************************************************
 *      WSCSetProviderInfo   (WS2_32.@)
 */
int WINAPI WSCSetProviderInfo( GUID *id, int type, BYTE *info, size_t size, DWORD flags, int *error )
{
    return WSC_RESULT( set_info( id, type, info, size ), error, "id=%p type=%d flags=%#lx", id, type, flags );
}

/***********************************************************************
 *      WSCSetProviderInfo32   (WS2_32.@)
 */
int WINAPI WSCSetProviderInfo32( GUID *id, int type, BYTE *info, size_t size, DWORD flags, int *error )
{
    return WSC_RESULT( set_info( id, type, info, size ), error, "id=%p type=%d flags=%#lx", id, type, flags );
}

/* A new transport provider: an id, a path and entries that make sense. */
static int check_install( const GUID *user, const WCHAR *path, const void *entries, DWORD count, BOOL may_be_empty )
{
    WSAPROTOCOL_INFOW entry;
    WCHAR first;
    GUID id;
    int error;

    if ( !user || !path || ( !entries && !may_be_empty ) ) return WSAEFAULT;
    if ( ( error = ws2_read( &id, user, sizeof( id ) ) ) ) return error;
    if ( ( error = ws2_read( &first, path, sizeof( first ) ) ) ) return error;
    if ( !first || ( !count && !may_be_empty ) ) return WSAEINVAL;
    if ( count && ( error = ws2_read( &entry, entries, sizeof( entry ) ) ) ) return error;
    return 0;
}

/***********************************************************************
 *      WSCInstallProvider   (WS2_32.@)
 */
int WINAPI WSCInstallProvider( GUID *id, const WCHAR *path, WSAPROTOCOL_INFOW *entries, DWORD count, int *error )
{
    return WSC_RESULT( denied( check_install( id, path, entries, count, FALSE ), TRANSPORT_DENIED ), error,
                       "id=%p count=%lu", id, count );
}

/***********************************************************************
 *      WSCInstallProvider64_32   (WS2_32.@)
 */
int WINAPI WSCInstallProvider64_32( GUID *id, const WCHAR *path, WSAPROTOCOL_INFOW *entries, DWORD count, int *error )
{
    return WSC_RESULT( denied( check_install( id, path, entries, count, FALSE ), TRANSPORT_DENIED ), error,
                       "id=%p count=%lu", id, count );
}

/***********************************************************************
 *      WSCInstallProviderEx   (WS2_32.@)
 */
int WINAPI WSCInstallProviderEx( GUID *id, const WCHAR *path, const WCHAR *path32, DWORD flags,
                                 WSAPROTOCOL_INFOW *entries, DWORD count, int *error )
{
    return WSC_RESULT( denied( check_install( id, path, entries, count, FALSE ), TRANSPORT_DENIED ), error,
                       "id=%p path32=%p flags=%#lx count=%lu", id, path32, flags, count );
}

/***********************************************************************
 *      WSCInstallProviderAndChains   (WS2_32.@)
 */
int WINAPI WSCInstallProviderAndChains( GUID *id, const WCHAR *path, const WCHAR *name, DWORD flags,
                                        WSAPROTOCOL_INFOW *entries, DWORD count, DWORD *catalogue_id, int *error )
{
    return WSC_RESULT( denied( check_install( id, path, entries, count, TRUE ), TRANSPORT_DENIED ), error,
                       "id=%p name=%p flags=%#lx count=%lu catalogue_id=%p", id, name, flags, count, catalogue_id );
}

/***********************************************************************
 *      WSCInstallProviderAndChains64_32   (WS2_32.@)
 */
int WINAPI WSCInstallProviderAndChains64_32( GUID *id, const WCHAR *path, const WCHAR *path32, const WCHAR *name,
                                             DWORD flags, WSAPROTOCOL_INFOW *entries, DWORD count, DWORD *catalogue_id,
                                             int *error )
{
    return WSC_RESULT( denied( check_install( id, path, entries, count, TRUE ), TRANSPORT_DENIED ), error,
                       "id=%p path32=%p name=%p flags=%#lx count=%lu catalogue_id=%p", id, path32, name, flags, count,
                       catalogue_id );
}

/***********************************************************************
 *      WSCDeinstallProvider   (WS2_32.@)
 */
int WINAPI WSCDeinstallProvider( GUID *id, int *error )
{
    return WSC_RESULT( denied( check_transport( id ), TRANSPORT_DENIED ), error, "id=%p", id );
}

/***********************************************************************
 *      WSCDeinstallProvider32   (WS2_32.@)
 */
int WINAPI WSCDeinstallProvider32( GUID *id, int *error )
{
    return WSC_RESULT( denied( check_transport( id ), TRANSPORT_DENIED ), error, "id=%p", id );
}

/***********************************************************************
 *      WSCDeinstallProviderEx   (WS2_32.@)
 */
int WINAPI WSCDeinstallProviderEx( GUID *id, DWORD catalogue_type, int *error )
{
    return WSC_RESULT( denied( check_transport( id ), TRANSPORT_DENIED ), error, "id=%p type=%lu", id, catalogue_type );
}

static int check_update( const GUID *id, const WCHAR *path, const void *entries, DWORD count )
{
    int error = check_install( id, path, entries, count, FALSE );

    return error ? error : check_transport( id );
}

/***********************************************************************
 *      WSCUpdateProvider   (WS2_32.@)
 */
int WINAPI WSCUpdateProvider( GUID *id, const WCHAR *path, WSAPROTOCOL_INFOW *entries, DWORD count, int *error )
{
    return WSC_RESULT( denied( check_update( id, path, entries, count ), TRANSPORT_DENIED ), error, "id=%p count=%lu",
                       id, count );
}

/***********************************************************************
 *      WSCUpdateProvider32   (WS2_32.@)
 */
int WINAPI WSCUpdateProvider32( GUID *id, const WCHAR *path, WSAPROTOCOL_INFOW *entries, DWORD count, int *error )
{
    return WSC_RESULT( denied( check_update( id, path, entries, count ), TRANSPORT_DENIED ), error, "id=%p count=%lu",
                       id, count );
}

/***********************************************************************
 *      WSCUpdateProviderEx   (WS2_32.@)
 */
int WINAPI WSCUpdateProviderEx( GUID *id, const WCHAR *path, WSAPROTOCOL_INFOW *entries, DWORD count,
                                DWORD catalogue_type, int *error )
{
    return WSC_RESULT( denied( check_update( id, path, entries, count ), TRANSPORT_DENIED ), error,
                       "id=%p count=%lu type=%lu", id, count, catalogue_type );
}

/***********************************************************************
 *      WSCEnumProtocolsEx   (WS2_32.@)
 */
int WINAPI WSCEnumProtocolsEx( DWORD catalogue_type, int *protocols, WSAPROTOCOL_INFOW *buffer, DWORD *length,
                               int *error )
{
    int WINAPI WSCEnumProtocols( int *, WSAPROTOCOL_INFOW *, DWORD *, int * );

    (void)catalogue_type; /* both catalogues are one */
    return WSCEnumProtocols( protocols, buffer, length, error );
}

/* The order functions return their error instead of telling it through a pointer. */
static int check_order( const void *ids, size_t id_size, DWORD count, int code )
{
    BYTE id[sizeof( GUID )];
    int error;

    if ( !ids ) return WSAEFAULT;
    if ( !count ) return WSAEINVAL;
    if ( ( error = ws2_read( id, ids, id_size ) ) ) return error;
    return code;
}

/***********************************************************************
 *      WSCWriteProviderOrder   (WS2_32.@)
 */
int WINAPI WSCWriteProviderOrder( DWORD *ids, DWORD count )
{
    int error = check_order( ids, sizeof( *ids ), count, TRANSPORT_DENIED );

    return WS2_RESULT( error, error, "ids=%p count=%lu", ids, count );
}

/***********************************************************************
 *      WSCWriteProviderOrder32   (WS2_32.@)
 */
int WINAPI WSCWriteProviderOrder32( DWORD *ids, DWORD count )
{
    int error = check_order( ids, sizeof( *ids ), count, TRANSPORT_DENIED );

    return WS2_RESULT( error, error, "ids=%p count=%lu", ids, count );
}

/***********************************************************************
 *      WSCWriteProviderOrderEx   (WS2_32.@)
 */
int WINAPI WSCWriteProviderOrderEx( DWORD *ids, DWORD count, DWORD catalogue_type, int *error_code )
{
    int error = check_order( ids, sizeof( *ids ), count, TRANSPORT_DENIED );

    ws2_write( error_code, &error, sizeof( error ) );
    return WS2_RESULT( error, error, "ids=%p count=%lu type=%lu", ids, count, catalogue_type );
}

/***********************************************************************
 *      WSCWriteNameSpaceOrder   (WS2_32.@)
 */
int WINAPI WSCWriteNameSpaceOrder( GUID *ids, DWORD count )
{
    int error = check_order( ids, sizeof( *ids ), count, NAMESPACE_DENIED );

    return WS2_RESULT( error, error, "ids=%p count=%lu", ids, count );
}

/***********************************************************************
 *      WSCWriteNameSpaceOrder32   (WS2_32.@)
 */
int WINAPI WSCWriteNameSpaceOrder32( GUID *ids, DWORD count )
{
    int error = check_order( ids, sizeof( *ids ), count, NAMESPACE_DENIED );

    return WS2_RESULT( error, error, "ids=%p count=%lu", ids, count );
}

/* --- name spaces ---------------------------------------------------------------------------------------------------*/

static int install_namespace( const WCHAR *identifier, const WCHAR *path, const GUID *id )
{
    WCHAR first;
    GUID copy;
    int error;

    if ( !identifier || !path || !id ) return WSAEFAULT;
    if ( ( error = ws2_read( &first, identifier, sizeof( first ) ) ) ) return error;
    if ( ( error = ws2_read( &first, path, sizeof( first ) ) ) ) return error;
    if ( ( error = ws2_read( &copy, id, sizeof( copy ) ) ) ) return error;
    return namespace_by_provider( &copy ) ? WSAEINVAL : NAMESPACE_DENIED;
}

/***********************************************************************
 *      WSCInstallNameSpace   (WS2_32.@)
 */
int WINAPI WSCInstallNameSpace( WCHAR *identifier, WCHAR *path, DWORD name_space, DWORD version, GUID *id )
{
    return WS2_RESULT_OF( install_namespace( identifier, path, id ), "namespace=%lu version=%lu", name_space, version );
}

/***********************************************************************
 *      WSCInstallNameSpace32   (WS2_32.@)
 */
int WINAPI WSCInstallNameSpace32( WCHAR *identifier, WCHAR *path, DWORD name_space, DWORD version, GUID *id )
{
    return WS2_RESULT_OF( install_namespace( identifier, path, id ), "namespace=%lu version=%lu", name_space, version );
}

/***********************************************************************
 *      WSCInstallNameSpaceEx   (WS2_32.@)
 */
int WINAPI WSCInstallNameSpaceEx( WCHAR *identifier, WCHAR *path, DWORD name_space, DWORD version, GUID *id,
                                  BLOB *blob )
{
    return WS2_RESULT_OF( install_namespace( identifier, path, id ), "namespace=%lu version=%lu blob=%p", name_space,
                          version, blob );
}

/***********************************************************************
 *      WSCInstallNameSpaceEx32   (WS2_32.@)
 */
int WINAPI WSCInstallNameSpaceEx32( WCHAR *identifier, WCHAR *path, DWORD name_space, DWORD version, GUID *id,
                                    BLOB *blob )
{
    return WS2_RESULT_OF( install_namespace( identifier, path, id ), "namespace=%lu version=%lu blob=%p", name_space,
                          version, blob );
}

/***********************************************************************
 *      WSCInstallNameSpaceEx2   (WS2_32.@)
 */
int WINAPI WSCInstallNameSpaceEx2( WCHAR *identifier, WCHAR *path, DWORD name_space, DWORD version, GUID *id,
                                   DWORD catalogue_type, BLOB *blob )
{
    return WS2_RESULT_OF( install_namespace( identifier, path, id ), "namespace=%lu version=%lu type=%lu blob=%p",
                          name_space, version, catalogue_type, blob );
}

/***********************************************************************
 *      WSCUnInstallNameSpace   (WS2_32.@)
 */
int WINAPI WSCUnInstallNameSpace( GUID *id )
{
    return WS2_RESULT_OF( denied( check_namespace( id ), NAMESPACE_DENIED ), "id=%p", id );
}

/***********************************************************************
 *      WSCUnInstallNameSpace32   (WS2_32.@)
 */
int WINAPI WSCUnInstallNameSpace32( GUID *id )
{
    return WS2_RESULT_OF( denied( check_namespace( id ), NAMESPACE_DENIED ), "id=%p", id );
}

/***********************************************************************
 *      WSCUnInstallNameSpaceEx2   (WS2_32.@)
 */
int WINAPI WSCUnInstallNameSpaceEx2( GUID *id, DWORD catalogue_type )
{
    return WS2_RESULT_OF( denied( check_namespace( id ), NAMESPACE_DENIED ), "id=%p type=%lu", id, catalogue_type );
}

/***********************************************************************
 *      WSCEnableNSProvider   (WS2_32.@)
 */
int WINAPI WSCEnableNSProvider( GUID *id, BOOL enable )
{
    return WS2_RESULT_OF( denied( check_namespace( id ), NAMESPACE_DENIED ), "id=%p enable=%d", id, enable );
}

/***********************************************************************
 *      WSCEnableNSProvider32   (WS2_32.@)
 */
int WINAPI WSCEnableNSProvider32( GUID *id, BOOL enable )
{
    return WS2_RESULT_OF( denied( check_namespace( id ), NAMESPACE_DENIED ), "id=%p enable=%d", id, enable );
}

/* --- categories of applications: none has been given any -----------------------------------------------------------*/

static int get_category( const WCHAR *path, DWORD length, DWORD *categories )
{
    DWORD none = 0;
    WCHAR first;
    int error;

    if ( !path || !length ) return WSAEINVAL;
    if ( ( error = ws2_read( &first, path, sizeof( first ) ) ) ) return error;
    return ws2_write( categories, &none, sizeof( none ) );
}

/***********************************************************************
 *      WSCGetApplicationCategory   (WS2_32.@)
 */
int WINAPI WSCGetApplicationCategory( const WCHAR *path, DWORD path_length, const WCHAR *extra, DWORD extra_length,
                                      DWORD *categories, int *error )
{
    return WSC_RESULT( get_category( path, path_length, categories ), error, "path=%p extra=%p %lu", path, extra,
                       extra_length );
}

/***********************************************************************
 *      WSCGetApplicationCategoryEx   (WS2_32.@)
 */
int WINAPI WSCGetApplicationCategoryEx( const WCHAR *path, DWORD path_length, const WCHAR *extra, DWORD extra_length,
                                        DWORD *categories, DWORD *flags, int *error )
{
    DWORD none = 0;
    int result = get_category( path, path_length, categories );

    if ( !result && flags ) result = ws2_write( flags, &none, sizeof( none ) );
    return WSC_RESULT( result, error, "path=%p extra=%p %lu", path, extra, extra_length );
}

static int set_category( const WCHAR *path, DWORD length )
{
    DWORD ignored;

    return denied( get_category( path, length, &ignored ), TRANSPORT_DENIED );
}

/***********************************************************************
 *      WSCSetApplicationCategory   (WS2_32.@)
 */
int WINAPI WSCSetApplicationCategory( const WCHAR *path, DWORD path_length, const WCHAR *extra, DWORD extra_length,
                                      DWORD categories, DWORD *previous, int *error )
{
    return WSC_RESULT( set_category( path, path_length ), error, "path=%p extra=%p %lu categories=%#lx previous=%p",
                       path, extra, extra_length, categories, previous );
}

/***********************************************************************
 *      WSCSetApplicationCategoryEx   (WS2_32.@)
 */
int WINAPI WSCSetApplicationCategoryEx( const WCHAR *path, DWORD path_length, const WCHAR *extra, DWORD extra_length,
                                        DWORD categories, DWORD *previous, DWORD *flags, int *error )
{
    return WSC_RESULT( set_category( path, path_length ), error,
                       "path=%p extra=%p %lu categories=%#lx previous=%p flags=%p", path, extra, extra_length,
                       categories, previous, flags );
}
