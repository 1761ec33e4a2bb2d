/* ws2host into a prefix and out of it again. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "client/directory.h"
#include "ws2ctl.h"

/* Holds the order of loading that the prefix had, while it is enabled. */
#define STATE ".ws2host-before"

static int load_state( const char *prefix, char *value, size_t size )
{
    char path[PATH_MAX];
    FILE *file;

    *value = 0;
    snprintf( path, sizeof( path ), "%s/" STATE, prefix );
    if ( !( file = fopen( path, "re" ) ) ) return 0;
    if ( fgets( value, size, file ) ) value[strcspn( value, "\n" )] = 0;
    fclose( file );
    return 1;
}

/* Whole or not at all: an empty one would stand for a prefix without an order of its own. */
static int save_state( const char *prefix, const char *value )
{
    char path[PATH_MAX], temporary[PATH_MAX + 20];
    int failed;
    FILE *file;

    snprintf( path, sizeof( path ), "%s/" STATE, prefix );
    snprintf( temporary, sizeof( temporary ), "%s.new-%d", path, getpid() );
    if ( !( file = fopen( temporary, "we" ) ) ) return fail_to_write( path );
    failed = fprintf( file, "%s\n", value ) < 0;
    if ( !fclose( file ) && !failed && !rename( temporary, path ) ) return 0;
    fail_to_write( path );
    unlink( temporary );
    return 1;
}

static void remove_state( const char *prefix )
{
    char path[PATH_MAX];

    snprintf( path, sizeof( path ), "%s/" STATE, prefix );
    unlink( path );
}

static int find( char *prefix, size_t size ) { return prefix_find( prefix, size ) || prefix_check( prefix ); }

/* The server's directory, where ws2host's programs meet: better told now than by each of them. */
static int check_directory( void )
{
    char path[4096] = "";
    const int fd = directory_open( 1, path, sizeof( path ) );

    if ( fd >= 0 )
    {
        close( fd );
        return 0;
    }
    if ( errno == EPERM )
        return fail( "%s is not this user's alone: remove it, chmod 700 it if it is yours, or name another folder in "
                     "WS2HOST_DIR.",
                     *path ? path : "The server's directory" );
    return fail( "%s: %s; %sname another folder in WS2HOST_DIR.", *path ? path : "The server's directory",
                 strerror( errno ), is_no_room( errno ) ? "make room there, or " : "" );
}

/* The loader asks its own folder before all others. */
static int check_loader( void )
{
    char folder[PATH_MAX];

    if ( !loader_folder( loader_default(), folder ) || loader_state( folder ) != LOADER_OLD ) return 0;
    return fail( "Another build's bridge is in %s, which the loader asks before %s: run \"%s install-loader\" or \"%s "
                 "remove-loader\".",
                 folder, library_directory(), self, self );
}

int command_place( const struct options *options )
{
    char prefix[PATH_MAX];

    (void)options;
    return check_loader() || find( prefix, sizeof( prefix ) ) || check_directory() || prefix_place( prefix );
}

int command_enable( const struct options *options )
{
    char prefix[PATH_MAX], now[64], before[64];
    int was_known, error = 0;
    enum prefix_files was;

    if ( find( prefix, sizeof( prefix ) ) || check_directory() ) return 1;
    was = prefix_state( prefix );
    if ( prefix_place( prefix ) ) error = 1;
    registry_read( prefix, now, sizeof( now ) );
    was_known = load_state( prefix, before, sizeof( before ) );
    if ( !error && !was_known ) error = save_state( prefix, strcmp( now, REGISTRY_ORDER ) ? now : "" );
    if ( !error && ( strcmp( now, REGISTRY_ORDER ) || registry_in_use( prefix ) ) )
        error = registry_write( prefix, REGISTRY_ORDER );
    if ( error )
    {
        /* a prefix that is not enabled is as it was */
        if ( was == PREFIX_NONE && !was_known )
        {
            prefix_restore( prefix );
            remove_state( prefix );
        }
        return 1;
    }
    if ( !options->quiet )
    {
        printf( "ws2host is enabled in %s.\n", prefix );
        loader_advise();
    }
    return 0;
}

int command_disable( const struct options *options )
{
    char prefix[PATH_MAX], now[64], before[64];
    int known, error = 0;

    if ( find( prefix, sizeof( prefix ) ) ) return 1;
    registry_read( prefix, now, sizeof( now ) );
    known = load_state( prefix, before, sizeof( before ) );
    /* the user's own order, of a prefix that was never enabled, stays */
    if ( known && strcmp( now, before ) ) error = registry_write( prefix, before );
    else if ( !known && !strcmp( now, REGISTRY_ORDER ) && prefix_state( prefix ) != PREFIX_NONE )
        error = registry_write( prefix, "" ); /* enabled by a version that kept nothing */
    /* what is still enabled stays whole */
    if ( error || prefix_restore( prefix ) ) return 1;
    remove_state( prefix );
    if ( !options->quiet ) printf( "ws2host is disabled in %s.\n", prefix );
    return 0;
}
