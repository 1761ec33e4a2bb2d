/*
 * Addresses of AF_UNIX sockets.
 *
 * A program names such a socket by a Windows path, relative or not, in UTF-8; the host half gets it with the host's name of
 * that path, which only the loader can tell. Names without a path (none at all, or one that begins with a NUL) go as they
 * are. What comes back from the host half is the program's path again (dlls/ws2host/sockets/local.h).
 */
#include "base/local_addresses.h"
#include "base/nt_codes.h"
#include "base/upcalls.h"

#define LOCAL_FAMILY 1 /* AF_UNIX, which not all headers have */
#define PATH_OFFSET 2
#define PATH_SIZE ( LOCAL_ADDRESS_SIZE - PATH_OFFSET )

BOOL local_paths_used;

static int host_path( struct ws2_local_address *local )
{
    WCHAR path[PATH_SIZE];

    if ( !MultiByteToWideChar( CP_UTF8, MB_ERR_INVALID_CHARS, local->given, -1, path, ARRAYSIZE( path ) ) )
        return WSAEINVAL;
    /* Wine before 10.13 refuses these itself */
    for ( const WCHAR *p = path + wcslen( path ); p > path && p[-1] != '\\' && p[-1] != '/'; p-- )
        if ( p[-1] < ' ' || wcschr( L"<>\"|?*", p[-1] ) ) return WSAEINVAL;
    switch ( ws2host_host_path( path, local->host, sizeof( local->host ) ) )
    {
    case 0: return 0;
    case STATUS_OBJECT_PATH_NOT_FOUND: return WSAENETDOWN;
    default: return WSAEINVAL;
    }
}

int local_address_to_host( SOCKET s, const struct sockaddr **name, int *size, struct ws2_local_address *local )
{
    struct ws2_socket_info_params info = { .handle = s };
    int length = *size - PATH_OFFSET;

    if ( length < 0 || !*name || ws2_read( &local->family, *name, sizeof( local->family ) ) ) return 0;
    if ( local->family != LOCAL_FAMILY || ws2_call( socket_info, &info ) || info.family != LOCAL_FAMILY ) return 0;
    if ( length > PATH_SIZE ) length = PATH_SIZE;
    memset( local->given, 0, sizeof( local->given ) );
    local->host[0] = 0;
    local->family_only = !length;
    if ( length && ws2_read( local->given, (const char *)*name + PATH_OFFSET, length ) ) return WSAEFAULT;
    *name = (const struct sockaddr *)local;
    *size = sizeof( *local );
    if ( !local->given[0] )
    {
        while ( length && !local->given[length - 1] ) length--; /* nothing but NULs is no name */
        local->length = length;
        return 0;
    }
    local->length = strnlen( local->given, PATH_SIZE );
    if ( local->length == PATH_SIZE ) return WSAEINVAL;
    memset( local->given + local->length, 0, PATH_SIZE - local->length );
    if ( !local_paths_used ) ws2_upcalls.path_named();
    local_paths_used = TRUE;
    return host_path( local );
}
