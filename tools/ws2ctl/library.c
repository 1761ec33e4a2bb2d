/* What was built or installed, found from where this program lies. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "ws2ctl.h"

static int has_dlls( const char *library )
{
    char path[PATH_MAX + 40];
    struct stat st;

    for ( int i = 0; i < 2; i++ )
    {
        snprintf( path, sizeof( path ), "%s/%s-windows/ws2_32.dll", library, i ? "i386" : "x86_64" );
        if ( !stat( path, &st ) ) return 1;
    }
    return 0;
}

const char *library_directory( void )
{
    static const char *const places[] = { "../lib", "../lib/ws2host" };
    static char found[PATH_MAX];
    char program[PATH_MAX], path[PATH_MAX + 40];
    ssize_t length;

    if ( *found ) return found;
    if ( ( length = readlink( "/proc/self/exe", program, sizeof( program ) - 1 ) ) > 0 )
    {
        program[length] = 0;
        *strrchr( program, '/' ) = 0;
        for ( int i = 0; i < 2; i++ )
        {
            snprintf( path, sizeof( path ), "%s/%s", program, places[i] );
            if ( has_dlls( path ) && realpath( path, found ) ) return found;
        }
    }
    snprintf( found, sizeof( found ), "%s", PKGLIBDIR );
    return found;
}

/* A write of less than all is no error yet: the next one tells why. */
static int copy_content( int in, int out )
{
    char buffer[0x10000];
    ssize_t size, written;

    while ( ( size = read( in, buffer, sizeof( buffer ) ) ) > 0 )
        for ( ssize_t done = 0; done < size; done += written )
            if ( ( written = write( out, buffer + done, size - done ) ) < 0 ) return -1;
    return size ? -1 : 0;
}

int library_stage( const char *from, const char *to, char *temporary, size_t size )
{
    int in, out, error, result = -1;
    struct stat st;

    if ( snprintf( temporary, size, "%s.new-%d", to, getpid() ) >= (int)size )
    {
        errno = ENAMETOOLONG;
        return -1;
    }
    if ( ( in = open( from, O_RDONLY | O_CLOEXEC ) ) < 0 ) return -1;
    unlink( temporary );
    if ( !fstat( in, &st ) &&
         ( out = open( temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, st.st_mode & 0777 ) ) >= 0 )
    {
        result = copy_content( in, out );
        error = errno;
        if ( close( out ) < 0 && !result )
        {
            result = -1;
            error = errno;
        }
        if ( result ) unlink( temporary );
        errno = error;
    }
    error = errno;
    close( in );
    errno = error;
    return result;
}

int library_copy( const char *from, const char *to )
{
    char temporary[PATH_MAX];
    int error;

    if ( library_stage( from, to, temporary, sizeof( temporary ) ) ) return -1;
    if ( !rename( temporary, to ) ) return 0;
    error = errno;
    unlink( temporary );
    errno = error;
    return -1;
}

int library_same( const char *a, const char *b )
{
    int first = open( a, O_RDONLY | O_CLOEXEC ), second = open( b, O_RDONLY | O_CLOEXEC ), result = 0;
    struct stat x, y;

    if ( first >= 0 && second >= 0 && !fstat( first, &x ) && !fstat( second, &y ) && x.st_size == y.st_size &&
         x.st_size )
    {
        void *p = mmap( NULL, x.st_size, PROT_READ, MAP_PRIVATE, first, 0 );
        void *q = mmap( NULL, x.st_size, PROT_READ, MAP_PRIVATE, second, 0 );

        result = p != MAP_FAILED && q != MAP_FAILED && !memcmp( p, q, x.st_size );
        if ( p != MAP_FAILED ) munmap( p, x.st_size );
        if ( q != MAP_FAILED ) munmap( q, x.st_size );
    }
    if ( first >= 0 ) close( first );
    if ( second >= 0 ) close( second );
    return result;
}

/* A rename: a program that starts meanwhile sees the old file or the new one. */
int library_link( const char *target, const char *path )
{
    char temporary[PATH_MAX];

    snprintf( temporary, sizeof( temporary ), "%s.new-%d", path, getpid() );
    unlink( temporary );
    if ( symlink( target, temporary ) < 0 ) return -1;
    if ( !rename( temporary, path ) ) return 0;
    unlink( temporary );
    return -1;
}
