/*
 * Which loader, and which server of it: the one place that decides, for ws2ctl, ws2run and the tests.
 *
 * In this order: WINELOADER; what WINE= named to configure, if it is there; `wine` in PATH; what configure found. Debian's
 * `wine` is a script that starts one of several programs, and says on each start that wine32 is missing where it is: there
 * the program is taken that it would start. The server is WINESERVER, or what lies beside the loader.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "ws2ctl.h"

#define SCRIPT_SIZE 4096

int loader_search( const char *name, char *found )
{
    const char *path = getenv( "PATH" );
    struct stat st;

    if ( strchr( name, '/' ) ) return realpath( name, found ) != NULL;
    for ( const char *end; path && *path; path = *end ? end + 1 : end )
    {
        char candidate[PATH_MAX];

        end = path + strcspn( path, ":" );
        snprintf( candidate, sizeof( candidate ), "%.*s/%s", (int)( end - path ), path, name );
        if ( !access( candidate, X_OK ) && !stat( candidate, &st ) && S_ISREG( st.st_mode ) &&
             realpath( candidate, found ) )
            return 1;
    }
    return 0;
}

/* The first loader that a script names and that is there; first_named: and whether it is the first that it names. */
static int named_by_script( const char *path, char *program, int *first_named )
{
    const int fd = open( path, O_RDONLY | O_CLOEXEC );
    char text[SCRIPT_SIZE];
    ssize_t got;

    *first_named = 1;
    if ( fd < 0 ) return 0;
    got = read( fd, text, sizeof( text ) - 1 );
    close( fd );
    if ( got < 2 || text[0] != '#' || text[1] != '!' ) return 0;
    text[got] = 0;
    for ( char *word = strpbrk( text, "\n" ); word && ( word = strchr( word, '/' ) ); )
    {
        const size_t size = strcspn( word, " \t\n\"';&|" );
        char candidate[PATH_MAX];
        const char *name;

        snprintf( candidate, sizeof( candidate ), "%.*s", (int)size, word );
        word += size;
        name = strrchr( candidate, '/' ) + 1;
        if ( strcmp( name, "wine" ) && strcmp( name, "wine32" ) && strcmp( name, "wine64" ) ) continue;
        if ( !access( candidate, X_OK ) && realpath( candidate, program ) ) return strcmp( program, path ) != 0;
        *first_named = 0;
    }
    return 0;
}

/* The program behind scripts; what is none is itself. */
static void follow_scripts( char *path )
{
    char program[PATH_MAX];
    int first;

    for ( int i = 0; i < 4 && named_by_script( path, program, &first ); i++ ) strcpy( path, program );
}

static const char *choose( void )
{
    static char chosen[PATH_MAX];
    const char *const named = getenv( "WINELOADER" ), *const names[] = { WS2_WINE_GIVEN, "wine", "wine-stable",
                                                                         "wine64", WS2_WINE };
    char real[PATH_MAX], program[PATH_MAX];
    int first;

    if ( named && *named ) return named;
    for ( unsigned int i = 0; i < sizeof( names ) / sizeof( names[0] ); i++ )
    {
        if ( !*names[i] || !loader_search( names[i], real ) || access( real, X_OK ) ) continue;
        if ( !strncmp( real, "/usr/bin/wine-", 14 ) && named_by_script( real, program, &first ) && !first )
            return strcpy( chosen, program );
        return names[i];
    }
    return "wine";
}

const char *loader_default( void )
{
    static const char *loader;

    return loader ? loader : ( loader = choose() );
}

int loader_program( char *program )
{
    if ( !loader_search( loader_default(), program ) ) return 0;
    follow_scripts( program );
    return 1;
}

/* In the loader's own folder, in that of the program that it starts, in the one that a build installs it in; in PATH. */
const char *loader_server( void )
{
    static const char *const names[] = { "wineserver", "wineserver-stable" };
    static char server[PATH_MAX + 20];
    const char *const named = getenv( "WINESERVER" );
    char found[3][PATH_MAX];
    unsigned int count = 0;

    if ( named && *named ) return named;
    if ( loader_search( loader_default(), found[0] ) )
    {
        strcpy( found[1], found[0] );
        follow_scripts( found[1] );
        count = loader_folder( loader_default(), found[2] ) ? 3 : 2;
    }
    for ( unsigned int i = 0; i < count; i++ )
    {
        if ( i < 2 ) *strrchr( found[i], '/' ) = 0;
        snprintf( server, sizeof( server ), "%s/wineserver", found[i] );
        if ( !access( server, X_OK ) ) return server;
    }
    if ( count == 3 )
    {
        snprintf( server, sizeof( server ), "%s/../../bin/wineserver", found[2] );
        if ( !access( server, X_OK ) ) return server;
    }
    for ( unsigned int i = 0; i < sizeof( names ) / sizeof( names[0] ); i++ )
        if ( loader_search( names[i], server ) ) return names[i];
    return names[0];
}

int command_loader( const struct options *options )
{
    const char *what = options->arguments[0];
    char path[PATH_MAX];

    if ( what && !strcmp( what, "server" ) )
    {
        puts( loader_server() );
        return 0;
    }
    if ( !loader_search( loader_default(), path ) )
        return fail( "No %s: install wine (tools/setup does), or name a loader in WINELOADER.", loader_default() );
    if ( !what )
    {
        printf( "loader   %s\nserver   %s\n", loader_default(), loader_server() );
        printf( "library  %s\n", loader_folder( loader_default(), path ) ? path : "not found" );
    }
    else if ( !strcmp( what, "start" ) ) puts( loader_default() );
    else if ( !strcmp( what, "program" ) ) puts( loader_program( path ) ? path : loader_default() );
    else if ( strcmp( what, "library" ) ) return -1;
    else if ( loader_folder( loader_default(), path ) ) puts( path );
    else return fail( "No library folder of %s is found.", loader_default() );
    return 0;
}
