/*
 * The loader's own library folder: with ws2host's bridge in it, plain `wine` needs no WINEDLLPATH in an enabled prefix.
 *
 * Links lead to the installation, so that an upgrade of it needs nothing here; --copy is for a loader that sees another
 * file system (containers), and puts the server there too.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "ws2ctl.h"

extern char **environ;

struct file
{
    const char *name;
    int copied_only; /* a link to ws2host.so leads to the server beside its target */
};

static const struct file files[] = { { "x86_64-windows/ws2host.dll", 0 },
                                     { "x86_64-unix/ws2host.so", 0 },
                                     { "i386-windows/ws2host.dll", 0 },
                                     { "i386-unix/ws2host.so", 0 },
                                     { "ws2server", 1 } };
#define FILE_COUNT ( sizeof( files ) / sizeof( files[0] ) )

static int is_file( const char *folder, const char *name )
{
    char path[2 * PATH_MAX];
    struct stat st;

    snprintf( path, sizeof( path ), "%s/%s", folder, name );
    return !stat( path, &st ) && S_ISREG( st.st_mode );
}

static int is_library_folder( const char *folder )
{
    return is_file( folder, "x86_64-unix/ntdll.so" ) || is_file( folder, "i386-unix/ntdll.so" );
}

int loader_folder( const char *wine, char *folder )
{
    /* from the loader's folder, and from a tree's top: as its own build installs it, as Debian does, as Proton does */
    static const char *const places[] = { "",
                                          "../lib/wine",
                                          "../lib64/wine",
                                          "../lib/x86_64-linux-gnu/wine",
                                          "../x86_64-linux-gnu/wine",
                                          "../lib/i386-linux-gnu/wine",
                                          "../i386-linux-gnu/wine",
                                          "lib/wine",
                                          "lib64/wine",
                                          "lib/x86_64-linux-gnu/wine",
                                          "files/lib/wine",
                                          "files/lib64/wine",
                                          "dist/lib64/wine",
                                          "dist/lib/wine" };
    char start[PATH_MAX];
    struct stat st;

    if ( !loader_search( wine, start ) ) return 0;
    if ( !stat( start, &st ) && !S_ISDIR( st.st_mode ) ) *strrchr( start, '/' ) = 0;
    for ( unsigned int i = 0; i < sizeof( places ) / sizeof( places[0] ); i++ )
    {
        char path[2 * PATH_MAX];

        snprintf( path, sizeof( path ), "%s/%s", start, places[i] );
        if ( is_library_folder( path ) && realpath( path, folder ) ) return 1;
    }
    return 0;
}

int loader_version( const char *wine, char *version, size_t size )
{
    char *const arguments[] = { (char *)wine, "--version", NULL };
    posix_spawn_file_actions_t actions;
    char text[256] = "";
    int ends[2], error;
    size_t used = 0;
    ssize_t got;
    pid_t pid;

    if ( pipe2( ends, O_CLOEXEC ) < 0 ) return 0;
    posix_spawn_file_actions_init( &actions );
    posix_spawn_file_actions_addopen( &actions, 0, "/dev/null", O_RDONLY, 0 );
    posix_spawn_file_actions_addopen( &actions, 2, "/dev/null", O_WRONLY, 0 );
    posix_spawn_file_actions_adddup2( &actions, ends[1], 1 );
    error = posix_spawnp( &pid, wine, &actions, NULL, arguments, environ );
    posix_spawn_file_actions_destroy( &actions );
    close( ends[1] );
    while ( !error && used < sizeof( text ) - 1 &&
            ( got = read( ends[0], text + used, sizeof( text ) - 1 - used ) ) > 0 )
        used += got;
    close( ends[0] );
    if ( error ) return 0;
    while ( waitpid( pid, NULL, 0 ) < 0 && errno == EINTR ) continue;
    if ( strncmp( text, "wine-", 5 ) ) return 0;
    snprintf( version, size, "%.*s", (int)strcspn( text + 5, "\n" ), text + 5 );
    return 1;
}

static int find_folder( const struct options *options, char *folder )
{
    const char *wine = options->arguments[0] ? options->arguments[0] : loader_default();

    if ( loader_folder( wine, folder ) ) return 0;
    return fail( "No library folder of %s is found: name the loader, or the folder with x86_64-unix/ntdll.so in it.",
                 wine );
}

enum loader_state loader_state( const char *folder )
{
    const char *library = library_directory();
    unsigned int wanted = 0, found = 0, current = 0;

    for ( unsigned int i = 0; i < FILE_COUNT; i++ )
    {
        char source[PATH_MAX], here[PATH_MAX], path[2 * PATH_MAX];

        if ( files[i].copied_only || !is_file( library, files[i].name ) ) continue;
        snprintf( path, sizeof( path ), "%s/%s", folder, files[i].name );
        *strrchr( path, '/' ) = 0;
        if ( access( path, F_OK ) ) continue;
        wanted++;
        snprintf( path, sizeof( path ), "%s/%s", folder, files[i].name );
        found += is_file( folder, files[i].name );
        snprintf( source, sizeof( source ), "%.2000s/%s", library, files[i].name );
        current += realpath( path, here ) && ( !strcmp( here, source ) || library_same( here, source ) );
    }
    return !found ? LOADER_NONE : found < wanted || current < wanted ? LOADER_OLD : LOADER_ALL;
}

int loader_finds_bridge( void )
{
    const char *library = library_directory(), *folders = getenv( "WINEDLLPATH" );
    const size_t length = strlen( library );
    char folder[PATH_MAX];

    if ( loader_folder( loader_default(), folder ) && loader_state( folder ) == LOADER_ALL ) return 1;
    for ( ; folders && *folders; folders += strcspn( folders, ":" ), folders += *folders == ':' )
        if ( strcspn( folders, ":" ) == length && !strncmp( folders, library, length ) ) return 1;
    return 0;
}

void loader_advise( void )
{
    if ( loader_finds_bridge() ) puts( "Plain `wine` uses it." );
    else
        printf( "Plain `wine` uses it after \"%s install-loader\", or with WINEDLLPATH=%s\n", self,
                library_directory() );
}

int command_install_loader( const struct options *options )
{
    const char *library = library_directory();
    char folder[PATH_MAX], from[PATH_MAX], to[2 * PATH_MAX];
    int installed = 0;

    if ( find_folder( options, folder ) ) return 1;
    for ( unsigned int i = 0; i < FILE_COUNT; i++ )
    {
        char old[PATH_MAX];
        ssize_t length;
        char *slash;

        if ( ( files[i].copied_only && !options->copy ) || !is_file( library, files[i].name ) ) continue;
        snprintf( from, sizeof( from ), "%.2000s/%s", library, files[i].name );
        snprintf( to, sizeof( to ), "%s/%s", folder, files[i].name );
        slash = strrchr( to, '/' );
        *slash = 0;
        if ( access( to, F_OK ) ) continue; /* the loader has not that width */
        *slash = '/';
        length = readlink( to, old, sizeof( old ) );
        if ( length == (ssize_t)strlen( from ) && !memcmp( old, from, length ) && !options->copy ) continue;
        if ( !strcmp( from, to ) ) continue;
        if ( options->copy ? library_copy( from, to ) : library_link( from, to ) )
            return fail( "%s: %s; run this as the user who owns the loader.", to, strerror( errno ) );
        installed++;
    }
    if ( !options->quiet )
        printf( installed ? "ws2host is installed in %s.\n" : "ws2host was installed in %s already.\n", folder );
    return 0;
}

int command_remove_loader( const struct options *options )
{
    char folder[PATH_MAX], path[2 * PATH_MAX];
    int error = 0;

    if ( find_folder( options, folder ) ) return 1;
    for ( unsigned int i = 0; i < FILE_COUNT; i++ )
    {
        snprintf( path, sizeof( path ), "%s/%s", folder, files[i].name );
        if ( unlink( path ) < 0 && errno != ENOENT && errno != ENOTDIR )
            error = fail( "%s: %s; run this as the user who owns the loader.", path, strerror( errno ) );
    }
    if ( !error && !options->quiet ) printf( "ws2host is removed from %s.\n", folder );
    return error;
}
