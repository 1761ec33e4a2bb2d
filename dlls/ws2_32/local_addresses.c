/*
 * Addresses of AF_UNIX sockets.
 *
 * A program names such a socket by a Windows path, relative or not, in UTF-8; the host by a path of its own. What a program
 * bound or connected to is remembered by its host path for the life of the process, since the names of both ends are told
 * as they were given. A path that another process gave is told as an absolute one. Names without a path (none at all, or
 * one that begins with a NUL) are the same on both sides.
 */
#include "local_addresses.h"

#define LOCAL_FAMILY 1 /* AF_UNIX, which not all headers have */
#define PATH_OFFSET 2
#define PATH_SIZE ( LOCAL_ADDRESS_SIZE - PATH_OFFSET )

struct given
{
    struct given *next;
    char host[PATH_SIZE];
    char windows[PATH_SIZE];
};

static SRWLOCK lock = SRWLOCK_INIT;
static struct given *all_given;

static struct given *find( const char *host )
{
    struct given *given = all_given;

    while (given && strcmp( given->host, host )) given = given->next;
    return given;
}

static int remember( const char *host, const char *windows )
{
    struct given *given;

    AcquireSRWLockExclusive( &lock );
    if (!(given = find( host )) && (given = calloc( 1, sizeof(*given) )))
    {
        strcpy( given->host, host );
        given->next = all_given;
        all_given = given;
    }
    if (given) strcpy( given->windows, windows );
    ReleaseSRWLockExclusive( &lock );
    return given ? 0 : WSAENOBUFS;
}

int local_address_to_host( const struct sockaddr **name, int *size, char host[LOCAL_ADDRESS_SIZE] )
{
    char path[PATH_SIZE + 1] = "";
    WCHAR relative[PATH_SIZE + 1], full[MAX_PATH];
    int length = *size - PATH_OFFSET;
    USHORT family;

    if (*size < PATH_OFFSET || ws2_read( &family, *name, sizeof(family) ) || family != LOCAL_FAMILY) return 0;
    if (length > PATH_SIZE) length = PATH_SIZE;
    if (length && ws2_read( path, (const char *)*name + PATH_OFFSET, length )) return WSAEFAULT;
    memset( host, 0, LOCAL_ADDRESS_SIZE );
    memcpy( host, &family, sizeof(family) );
    *name = (const struct sockaddr *)host;
    if (!path[0])
    {
        while (length && !path[length - 1]) length--; /* nothing but NULs is no name */
        memcpy( host + PATH_OFFSET, path, length );
        *size = PATH_OFFSET + length;
        return 0;
    }
    if (strlen( path ) >= PATH_SIZE) return WSAEINVAL;
    if (!MultiByteToWideChar( CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, relative, ARRAYSIZE( relative ) )) return WSAEINVAL;
    if (!(length = GetFullPathNameW( relative, ARRAYSIZE( full ), full, NULL )) || length >= (int)ARRAYSIZE( full ) ||
        ws2host_host_path( full, host + PATH_OFFSET, PATH_SIZE ))
        return WSAEINVAL;
    *size = PATH_OFFSET + strlen( host + PATH_OFFSET ) + 1;
    return remember( host + PATH_OFFSET, path );
}

/* A path that this process has not given. */
static void foreign_path( const char *host, char windows[PATH_SIZE] )
{
    WCHAR wide[MAX_PATH], full[MAX_PATH + 2] = L"Z:"; /* the drive that is the host's root */

    if (!MultiByteToWideChar( CP_UTF8, 0, host, -1, wide, ARRAYSIZE( wide ) )) return;
    for (int i = 0;; i++)
        if (!(full[2 + i] = wide[i] == '/' ? '\\' : wide[i])) break;
    WideCharToMultiByte( CP_UTF8, 0, full, -1, windows, PATH_SIZE - 1, NULL, NULL );
}

int local_address_from_host( struct sockaddr *name )
{
    char address[LOCAL_ADDRESS_SIZE + 1] = "", windows[PATH_SIZE] = "";
    struct given *given;
    USHORT family;

    if (ws2_read( &family, name, sizeof(family) ) || family != LOCAL_FAMILY) return 0;
    if (ws2_read( address, name, LOCAL_ADDRESS_SIZE )) return WSAEFAULT;
    if (!address[PATH_OFFSET]) return 0;
    AcquireSRWLockShared( &lock );
    if ((given = find( address + PATH_OFFSET ))) strcpy( windows, given->windows );
    ReleaseSRWLockShared( &lock );
    if (!given) foreign_path( address + PATH_OFFSET, windows );
    return ws2_write( (char *)name + PATH_OFFSET, windows, PATH_SIZE );
}
