/*
 * The server directory: where the processes of one user and prefix meet (protocol.h says how it is named). Computed from
 * the environment whenever it is asked for; no state.
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "client/directory.h"

static int prefix_name( char *name, size_t size )
{
    const char *prefix = getenv( "WINEPREFIX" );
    char path[4096];
    struct stat st;

    if ( !prefix || !*prefix )
    {
        const char *home = getenv( "HOME" );
        const struct passwd *user = home && *home ? NULL : getpwuid( geteuid() );

        snprintf( path, sizeof( path ), "%s/.wine", home && *home ? home : user ? user->pw_dir : "" );
        prefix = path;
    }
    if ( stat( prefix, &st ) < 0 ) return -1;
    snprintf( name, size, "%llx-%llx", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino );
    return 0;
}

static int is_safe( int fd )
{
    struct stat st;

    return !fstat( fd, &st ) && st.st_uid == geteuid() && !( st.st_mode & 077 );
}

static int open_made( const char *path, int flags, int create )
{
    int fd;

    flags |= O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    if ( ( fd = open( path, flags ) ) >= 0 || !create || errno != ENOENT ) return fd;
    return mkdir( path, 0700 ) < 0 && errno != EEXIST ? -1 : open( path, flags );
}

int directory_open( int create, char *path, size_t size )
{
    const char *given = getenv( "WS2HOST_DIR" );
    char name[40], parent[64];
    int fd;

    if ( given && *given )
    {
        if ( snprintf( path, size, "%s", given ) >= (int)size ) goto too_long;
    }
    else
    {
        /* nothing else of the environment has a say: all processes of a prefix are to meet, and a folder of the session's
         * would go with it */
        if ( prefix_name( name, sizeof( name ) ) < 0 ) return -1;
        snprintf( parent, sizeof( parent ), "/tmp/.ws2host-%u", geteuid() );
        /* in /tmp anybody could have made it */
        if ( ( fd = open_made( parent, O_NOFOLLOW, create ) ) < 0 ) return -1;
        if ( !is_safe( fd ) ) goto unsafe;
        close( fd );
        if ( snprintf( path, size, "%s/%s", parent, name ) >= (int)size ) goto too_long;
    }
    if ( ( fd = open_made( path, 0, create ) ) < 0 ) return -1;
    if ( is_safe( fd ) ) return fd;

unsafe:
    close( fd );
    errno = EPERM;
    return -1;

too_long:
    errno = ENAMETOOLONG;
    return -1;
}
