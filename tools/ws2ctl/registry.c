/*
 * The prefix's order of loading for ws2_32: one value of the registry, which is a file when no server of the loader's
 * keeps it in memory. Then the file is changed here, under the lock that such a server would hold; else by the loader's
 * own reg, and the end is awaited: the server writes the file now and then, and when it leaves.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "ws2ctl.h"

extern char **environ;

#define KEY "[Software\\\\Wine\\\\DllOverrides]"
#define NAME "\"ws2_32\"="
#define LONGEST_SAVE 75 /* seconds; a server of the loader's writes every 30 */

static int is_key( const char *line ) { return !strncasecmp( line, KEY, sizeof( KEY ) - 1 ); }
static int is_value( const char *line ) { return !strncasecmp( line, NAME, sizeof( NAME ) - 1 ); }

void registry_read( const char *prefix, char *value, size_t size )
{
    char path[PATH_MAX], *line = NULL;
    size_t capacity = 0;
    int inside = 0;
    FILE *file;

    *value = 0;
    snprintf( path, sizeof( path ), "%s/user.reg", prefix );
    if ( !( file = fopen( path, "re" ) ) ) return;
    while ( getline( &line, &capacity, file ) > 0 )
    {
        if ( *line == '[' ) inside = is_key( line );
        else if ( inside && is_value( line ) )
        {
            const char *text = line + sizeof( NAME ) - 1;

            if ( *text == '"' ) snprintf( value, size, "%.*s", (int)strcspn( text + 1, "\"\r\n" ), text + 1 );
        }
    }
    free( line );
    fclose( file );
}

/* A loader's server works in a folder of its own, named after the prefix. Where that lies differs: /tmp/.wine-UID, and with
 * Debian /run/user/UID/wine or a folder in TMPDIR whose name the prefix holds. */
static void server_name( const char *prefix, char *name, size_t size )
{
    struct stat st = { 0 };

    stat( prefix, &st );
    snprintf( name, size, "/server-%llx-%llx", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino );
}

int registry_in_use( const char *prefix )
{
    char name[64], path[64], folder[PATH_MAX];
    const struct dirent *process;
    int found = 0;
    ssize_t length;
    DIR *proc;

    server_name( prefix, name, sizeof( name ) );
    if ( !( proc = opendir( "/proc" ) ) ) return 0;
    while ( !found && ( process = readdir( proc ) ) )
    {
        if ( !isdigit( (unsigned char)*process->d_name ) ) continue;
        snprintf( path, sizeof( path ), "/proc/%.20s/cwd", process->d_name );
        if ( ( length = readlink( path, folder, sizeof( folder ) - 1 ) ) < (ssize_t)strlen( name ) ) continue;
        folder[length] = 0;
        found = !strcmp( folder + length - strlen( name ), name );
    }
    closedir( proc );
    return found;
}

/* The lock that such a server would hold: none starts while it is ours. -1 when there has never been one. */
static int lock_server( const char *prefix )
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1 };
    char name[64], path[PATH_MAX + 100], own[40] = "";
    const char *temporary = getenv( "TMPDIR" );
    FILE *file;

    server_name( prefix, name, sizeof( name ) );
    snprintf( path, sizeof( path ), "%s/wineserver", prefix );
    if ( ( file = fopen( path, "re" ) ) )
    {
        if ( !fgets( own, sizeof( own ), file ) || strchr( own, '/' ) ) *own = 0;
        fclose( file );
    }
    if ( !temporary || !*temporary ) temporary = "/tmp";
    for ( int i = 0, fd; i < 3; i++ )
    {
        if ( i == 0 ) snprintf( path, sizeof( path ), "/tmp/.wine-%u%s/lock", geteuid(), name );
        if ( i == 1 ) snprintf( path, sizeof( path ), "/run/user/%u/wine%s/lock", geteuid(), name );
        if ( i == 2 ) snprintf( path, sizeof( path ), "%.2000s/%s%s/lock", temporary, *own ? own : "none", name );
        if ( ( fd = open( path, O_RDWR | O_NOFOLLOW | O_CLOEXEC ) ) < 0 ) continue;
        if ( !fcntl( fd, F_SETLK, &lock ) ) return fd;
        close( fd );
    }
    return -1;
}

/* The file with the value set or left out, through a file beside it. */
static int edit( const char *prefix, const char *value )
{
    char name[PATH_MAX], path[PATH_MAX], temporary[PATH_MAX + 20], *line = NULL;
    int inside = 0, written = !*value, failed;
    size_t capacity = 0;
    struct stat st;
    FILE *in, *out;

    snprintf( name, sizeof( name ), "%s/user.reg", prefix );
    if ( !realpath( name, path ) || !( in = fopen( path, "re" ) ) ) return fail( "%s: %s.", name, strerror( errno ) );
    snprintf( temporary, sizeof( temporary ), "%s.new-%d", path, getpid() );
    if ( !( out = fopen( temporary, "we" ) ) )
    {
        failed = errno;
        fclose( in );
        errno = failed;
        return fail_to_write( path );
    }
    while ( getline( &line, &capacity, in ) > 0 )
    {
        if ( *line == '[' )
        {
            if ( inside && !written ) written = fprintf( out, NAME "\"%s\"\n", value );
            inside = is_key( line );
        }
        else if ( inside && is_value( line ) )
        {
            if ( !written ) written = fprintf( out, NAME "\"%s\"\n", value );
            continue;
        }
        /* within its key, before the empty line that ends it */
        else if ( inside && !written && ( *line == '\n' || *line == '\r' ) )
            written = fprintf( out, NAME "\"%s\"\n", value );
        fputs( line, out );
    }
    if ( !written && inside ) fprintf( out, NAME "\"%s\"\n", value );
    else if ( !written ) fprintf( out, "\n" KEY " %lld\n" NAME "\"%s\"\n", (long long)time( NULL ), value );
    free( line );
    failed = ferror( in ) || ferror( out ) || fflush( out ) || fstat( fileno( in ), &st ) ||
             fchmod( fileno( out ), st.st_mode & 0777 ) || fsync( fileno( out ) );
    fclose( in );
    if ( fclose( out ) || failed || rename( temporary, path ) < 0 )
    {
        fail_to_write( path );
        unlink( temporary );
        return 1;
    }
    return 0;
}

static int run_reg( const char *prefix, const char *value )
{
    const char *wine = loader_default();
    char *add[] = { (char *)wine,  "reg", "add", "HKCU\\Software\\Wine\\DllOverrides", "/v", "ws2_32", "/d",
                    (char *)value, "/f",  NULL };
    char *delete[] = {
        (char *)wine, "reg", "delete", "HKCU\\Software\\Wine\\DllOverrides", "/v", "ws2_32", "/f", NULL
    };
    posix_spawn_file_actions_t actions;
    int error, status;
    pid_t pid;

    setenv( "WINEPREFIX", prefix, 1 );
    setenv( "WINEDLLOVERRIDES", "ws2_32=b", 1 ); /* whatever state the prefix is in */
    setenv( "WINEDEBUG", "-all", 1 );
    posix_spawn_file_actions_init( &actions );
    posix_spawn_file_actions_addopen( &actions, 0, "/dev/null", O_RDONLY, 0 );
    posix_spawn_file_actions_addopen( &actions, 1, "/dev/null", O_WRONLY, 0 );
    error = posix_spawnp( &pid, wine, &actions, NULL, *value ? add : delete, environ );
    posix_spawn_file_actions_destroy( &actions );
    if ( error )
        return fail( "%s cannot be run: %s; install wine, or name it in WINELOADER.", wine, strerror( error ) );
    while ( waitpid( pid, &status, 0 ) < 0 && errno == EINTR ) continue;
    return status ? fail( "\"wine reg\" could not change the order of loading ws2_32." ) : 0;
}

/* A server of the loader's that cannot write its file would be waited for in vain; errno. */
static int can_write( const char *prefix )
{
    struct statvfs space;

    if ( access( prefix, W_OK ) < 0 ) return 0;
    if ( statvfs( prefix, &space ) < 0 || !space.f_blocks || space.f_bavail ) return 1;
    errno = ENOSPC;
    return 0;
}

int registry_write( const char *prefix, const char *value )
{
    const struct timespec pause = { 0, 100000000 };
    char now[64], path[PATH_MAX];
    int error, lock;

    snprintf( path, sizeof( path ), "%s/user.reg", prefix );
    if ( !can_write( prefix ) ) return fail_to_write( path );
    if ( !registry_in_use( prefix ) )
    {
        lock = lock_server( prefix );
        error = edit( prefix, value );
        if ( lock >= 0 ) close( lock );
        /* one that has started meanwhile may have read the file before */
        if ( error || !registry_in_use( prefix ) ) return error;
    }
    if ( ( error = run_reg( prefix, value ) ) ) return error;
    for ( int i = 0; i < LONGEST_SAVE * 10; i++ )
    {
        registry_read( prefix, now, sizeof( now ) );
        if ( !strcmp( now, value ) ) return 0;
        if ( i == 30 )
            fputs( "ws2ctl: programs run in this prefix; waiting for Wine to write its registry, up to a minute\n",
                   stderr );
        nanosleep( &pause, NULL );
    }
    return fail( "Wine has not written %s/user.reg within %d s: it holds the change in memory only.", prefix,
                 LONGEST_SAVE );
}
