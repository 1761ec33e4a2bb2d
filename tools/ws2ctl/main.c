/*
 * ws2ctl: shows what ws2host does in a prefix, puts it into a prefix and into a loader, and takes it out again.
 *
 * A table of commands; each stands in the file of its concept.
 */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "ws2ctl.h"

const char *self = "ws2ctl";

int fail( const char *format, ... )
{
    va_list args;

    fprintf( stderr, "ws2ctl: " );
    va_start( args, format );
    vfprintf( stderr, format, args );
    va_end( args );
    fputc( '\n', stderr );
    return 1;
}

int is_no_room( int error ) { return error == ENOSPC || error == EDQUOT; }

int fail_to_write( const char *path )
{
    const int error = errno;

    if ( is_no_room( error ) ) return fail( "%s: %s; make room there, and do this again.", path, strerror( error ) );
    if ( error == EROFS || error == EACCES || error == EPERM )
        return fail( "%s: %s; see to it that you may write there, or name another prefix in WINEPREFIX.", path,
                     strerror( error ) );
    return fail( "%s: %s.", path, strerror( error ) );
}

static const struct command
{
    const char *name;
    int ( *run )( const struct options *options );
    int most; /* arguments */
    const char *synopsis, *help;
} commands[] = {
    { "list", command_list, 64, "list [FILTER...] [--json]", "the sockets of the prefix" },
    { "watch", command_watch, 64, "watch [SECONDS] [FILTER...] [--json]", "the same, again and again" },
    { "status", command_status, 0, "status [--json]", "version, prefix, server, how near the limits are" },
    { "stats", command_stats, 0, "stats [--json]", "what each process does: sockets, bytes, waits, time" },
    { "doctor", command_doctor, 0, "doctor", "what can be wrong, a line each, with what to do" },
    { "trace", command_trace, 64, "trace PID WORD...",
      "what a program that runs does, from its next call on; off ends it" },
    { "enable", command_enable, 0, "enable", "ws2host into the prefix, for plain wine" },
    { "disable", command_disable, 0, "disable", "out of it again; what was there before comes back" },
    { "loader", command_loader, 1, "loader [start|program|server|library]",
      "which loader ws2run and ws2ctl use: WINELOADER, or configure's, or the one in PATH" },
    { "install-loader", command_install_loader, 1, "install-loader [WINE] [--copy]",
      "the bridge into a loader's own folder: no WINEDLLPATH is needed" },
    { "remove-loader", command_remove_loader, 1, "remove-loader [WINE]", "out of it again" },
    { "place", command_place, 0, "place", "the DLLs into the prefix and no more, as ws2run does" },
};

#define COMMAND_COUNT ( sizeof( commands ) / sizeof( commands[0] ) )

static void usage( FILE *file )
{
    for ( unsigned int i = 0; i < COMMAND_COUNT; i++ )
        fprintf( file, "%s ws2ctl %s\n           %s\n", i ? "      " : "Usage:", commands[i].synopsis,
                 commands[i].help );
    fputs( "FILTER: state=established pid=292 port=80 program=name family=inet6 (or tcp, udp, unix), shared.\n"
           "WORD: trace trace:send,recv trace:connect:0x44 errors events overlapped host off, as in WS2DEBUG "
           "(WS2DEBUG=help "
           "tells).\n"
           "WINEPREFIX names the prefix (default ~/.wine). WINE is a loader or the top of its tree (default: `wine`).\n"
           "--copy makes copies, for a loader that does not see the installation. --version tells the version.\n",
           file );
}

int main( int argc, char **argv )
{
    static const struct option long_options[] = {
        { "json", no_argument, NULL, 'j' }, { "copy", no_argument, NULL, 'c' },    { "quiet", no_argument, NULL, 'q' },
        { "help", no_argument, NULL, 'h' }, { "version", no_argument, NULL, 'v' }, { 0 }
    };
    struct options options = { 0 };
    int option;

    if ( argc && *argv[0] ) self = argv[0];
    while ( ( option = getopt_long( argc, argv, "jh", long_options, NULL ) ) != -1 ) switch ( option )
        {
        case 'j': options.as_json = 1; break;
        case 'c': options.copy = 1; break;
        case 'q': options.quiet = 1; break;
        case 'h': usage( stdout ); return 0;
        case 'v': puts( "ws2ctl (ws2host) " WS2_VERSION ); return 0;
        default: usage( stderr ); return 2;
        }
    for ( unsigned int i = 0; optind < argc && i < COMMAND_COUNT; i++ )
    {
        if ( strcmp( commands[i].name, argv[optind] ) ) continue;
        options.arguments = argv + optind + 1;
        if ( argc - optind - 1 <= commands[i].most )
        {
            const int result = commands[i].run( &options );

            if ( result < 0 ) break;
            return result;
        }
        fprintf( stderr, "ws2ctl: %s takes no \"%s\"\n", argv[optind], argv[optind + 1 + commands[i].most] );
        break;
    }
    usage( stderr );
    return 2;
}
