/*
 * What can be wrong with the installation, the loader, the prefix, the server and the computer's limits: a line each, with
 * what to do. Looks only, and starts nothing but `wine --version`.
 */
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include "client/directory.h"
#include "ws2ctl.h"

enum verdict
{
    GOOD,
    NOTE, /* works, but not as one may expect */
    BAD
};

static int worst;

static void tell( enum verdict verdict, const char *format, ... ) __attribute__( ( format( printf, 2, 3 ) ) );
static void tell( enum verdict verdict, const char *format, ... )
{
    static const char *const marks[] = { "ok  ", "note", "BAD " };
    va_list args;

    if ( (int)verdict > worst ) worst = verdict;
    printf( "%s  ", marks[verdict] );
    va_start( args, format );
    vprintf( format, args );
    va_end( args );
    putchar( '\n' );
}

static void check_library( void )
{
    static const char *const files[] = { "x86_64-windows/ws2_32.dll", "x86_64-windows/ws2host.dll",
                                         "x86_64-unix/ws2host.so", "ws2server" };
    const char *library = library_directory();
    char path[PATH_MAX];
    int missing = 0;

    for ( unsigned int i = 0; i < sizeof( files ) / sizeof( files[0] ); i++ )
    {
        snprintf( path, sizeof( path ), "%s/%s", library, files[i] );
        if ( !access( path, i == 3 ? X_OK : R_OK ) ) continue;
        tell( BAD, "installation: %s: %s; install ws2host again", path, strerror( errno ) );
        missing = 1;
    }
    if ( !missing ) tell( GOOD, "installation: ws2host " WS2_VERSION " in %s", library );
}

static void check_loader( void )
{
    const char *wine = loader_default();
    char version[100], folder[PATH_MAX];

    if ( !loader_version( wine, version, sizeof( version ) ) )
    {
        tell( BAD, "loader: %s does not run: install wine, or name a loader in WINELOADER", wine );
        return;
    }
    if ( atoi( version ) < 8 ) tell( BAD, "loader: %s is of version %s: ws2host needs 8.0 or newer", wine, version );
    else tell( GOOD, "loader: %s, version %s", wine, version );
    if ( !loader_folder( wine, folder ) )
    {
        tell( NOTE,
              "loader: its library folder is not found: ws2run serves it by WINEDLLPATH; \"%s install-loader FOLDER\" "
              "for plain wine",
              self );
        return;
    }
    switch ( loader_state( folder ) )
    {
    case LOADER_ALL: tell( GOOD, "loader: the bridge is in %s", folder ); break;
    case LOADER_NONE:
        tell( NOTE, "loader: no bridge in %s: programs of ws2run only are served; \"%s install-loader\" for plain wine",
              folder, self );
        break;
    case LOADER_OLD:
        tell( BAD,
              "loader: another build's bridge, or a part of one, is in %s and comes before this one: run \"%s "
              "install-loader\"",
              folder, self );
        break;
    }
}

static int is_full( const struct statvfs *space ) { return space->f_bavail == 0 && space->f_blocks; }

static void check_prefix( void )
{
    char prefix[PATH_MAX], order[64];
    const char *overrides = getenv( "WINEDLLOVERRIDES" );
    struct statvfs space;
    struct stat st;

    if ( prefix_find( prefix, sizeof( prefix ) ) )
    {
        tell( BAD, "prefix: none is named: set WINEPREFIX" );
        return;
    }
    if ( stat( prefix, &st ) < 0 )
    {
        tell( NOTE, "prefix: %s: %s; ws2run makes it", prefix, strerror( errno ) );
        return;
    }
    if ( st.st_uid != geteuid() )
    {
        tell( BAD, "prefix: %s belongs to user %u: run this as that user, or name another in WINEPREFIX", prefix,
              st.st_uid );
        return;
    }
    if ( prefix_check( prefix ) )
    {
        tell( BAD, "prefix: %s is not whole: run \"ws2run --prepare\"", prefix );
        return;
    }
    tell( GOOD, "prefix: %s, of %d bits", prefix, prefix_is_32_bit( prefix ) ? 32 : 64 );
    if ( access( prefix, W_OK ) < 0 )
        tell( NOTE,
              "prefix: %s: %s: Wine keeps no changes, and ws2host is neither put there nor taken out; see to it that "
              "you may write there, or name another in WINEPREFIX",
              prefix, strerror( errno ) );
    if ( !statvfs( prefix, &space ) && is_full( &space ) )
        tell( BAD, "prefix: no room in the file system of %s: make room there", prefix );
    registry_read( prefix, order, sizeof( order ) );
    switch ( prefix_state( prefix ) )
    {
    case PREFIX_NONE:
        if ( !strcmp( order, REGISTRY_ORDER ) )
            tell( BAD,
                  "prefix: the order of loading is ws2host's, but its DLLs are not there: run \"%s enable\" or \"%s "
                  "disable\"",
                  self, self );
        else tell( GOOD, "prefix: without ws2host; ws2run puts its DLLs there" );
        break;
    case PREFIX_SOME:
        tell( BAD, "prefix: a part of ws2host's DLLs is there: run \"%s enable\" or \"%s disable\"", self, self );
        break;
    case PREFIX_OLD:
        tell( NOTE, "prefix: another build's DLLs; programs are handed to this one's. \"%s enable\" renews them",
              self );
        break;
    case PREFIX_ALL: tell( GOOD, "prefix: ws2host's DLLs are there, of this build" ); break;
    }
    if ( strcmp( order, REGISTRY_ORDER ) ) tell( GOOD, "prefix: not enabled: plain wine uses its own ws2_32" );
    else if ( loader_finds_bridge() ) tell( GOOD, "prefix: enabled: plain wine uses ws2host" );
    else
        tell( NOTE,
              "prefix: enabled, but plain wine goes on with its own ws2_32 as its loader has no bridge: run \"%s "
              "install-loader\", or set WINEDLLPATH=%s",
              self, library_directory() );
    if ( *order && strcmp( order, REGISTRY_ORDER ) )
        tell( NOTE, "prefix: its own order of loading for ws2_32 is \"%s\"", order );
    if ( overrides && strstr( overrides, "ws2_32" ) )
        tell( NOTE, "environment: WINEDLLOVERRIDES=%s decides about ws2_32 for plain wine", overrides );
    if ( getenv( "WS2HOST_FALLBACK" ) ) tell( NOTE, "environment: WS2HOST_FALLBACK=%s", getenv( "WS2HOST_FALLBACK" ) );
}

static void check_directory( void )
{
    char path[4096] = "";
    const int fd = directory_open( 0, path, sizeof( path ) );
    struct statvfs space;

    if ( fd < 0 && errno == EPERM )
        tell( BAD, "server: %s is not this user's alone: remove it, or chmod 700 it if it is yours",
              *path ? path : "its directory" );
    else if ( fd < 0 && errno != ENOENT )
        tell( BAD, "server: %s: %s; name another folder in WS2HOST_DIR", *path ? path : "its directory",
              strerror( errno ) );
    if ( fd >= 0 && !fstatvfs( fd, &space ) && is_full( &space ) )
        tell( BAD, "server: no room in the file system of %s: make room there, or name another folder in WS2HOST_DIR",
              path );
    if ( fd >= 0 ) close( fd );
}

static void check_server( void )
{
    struct status status;
    const char *problem = server_find();

    if ( problem )
    {
        tell( strstr( problem, "runs" ) ? GOOD : BAD, "server: %s", problem );
        return;
    }
    status_load( &status );
    tell( GOOD, "server: process %u in %s, %u processes, %u sockets", status.server_pid, server.directory,
          status.processes, status.sockets );
    if ( status.server_replaced )
        tell( NOTE, "server: it runs the program of an earlier installation until its last process has ended" );
    if ( status.sockets > WS2_SLOT_COUNT / 10 * 9 )
        tell( BAD, "server: %u of %u sockets: programs get WSAEMFILE soon", status.sockets, WS2_SLOT_COUNT );
    if ( status.processes > WS2_CLIENT_COUNT / 10 * 9 )
        tell( BAD, "server: %u of %u processes", status.processes, WS2_CLIENT_COUNT );
    if ( status.descriptor_limit && status.descriptors > status.descriptor_limit / 10 * 9 )
        tell( BAD,
              "server: %u of %u descriptors: sockets are not shared soon; raise \"ulimit -Hn\" before its first "
              "program starts",
              status.descriptors, status.descriptor_limit );
}

static void check_limits( void )
{
    struct rlimit limit;

    if ( !getrlimit( RLIMIT_NOFILE, &limit ) )
        tell( limit.rlim_max < 4096 ? NOTE : GOOD, "limits: %llu descriptors for a process (ulimit -Hn)%s",
              (unsigned long long)limit.rlim_max,
              limit.rlim_max < 4096 ? ": so many sockets at most; raise it for servers" : "" );
    if ( !getrlimit( RLIMIT_AS, &limit ) && limit.rlim_cur != RLIM_INFINITY )
        tell( NOTE, "limits: %llu MB of address space (ulimit -v): the socket table takes 129 of them",
              (unsigned long long)limit.rlim_cur >> 20 );
    if ( kernel_load() )
        tell( NOTE,
              "kernel: sock_diag is not to be had: ws2ctl list shows no queues, and states as the table knows them" );
    else tell( GOOD, "kernel: tells its sockets (sock_diag)" );
}

int command_doctor( const struct options *options )
{
    (void)options;
    check_library();
    check_loader();
    check_prefix();
    check_directory();
    check_server();
    check_limits();
    return worst == BAD;
}
