/* The process as a client of ws2host: attaching, the log, copies that may fault. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "client/connection.h"
#include "calls/closing.h"
#include "events/changes.h"
#include "events/events.h"
#include "events/notify.h"
#include "operations/afd_poll.h"
#include "operations/operation.h"
#include "operations/port.h"
#include "ws2host/winsock_codes.h"
#include "ws2host/interface.h"

static int log_fd = 2;

/* The log is to be had no more, or never was: said once, on stderr. */
static void log_fails( const char *what )
{
    static _Atomic int said;
    char line[256];
    int length =
        snprintf( line, sizeof( line ), "ws2host: cannot %s WS2DEBUG_FILE: %s; make room or name another file\n", what,
                  strerror( errno ) );

    if ( atomic_exchange( &said, 1 ) ) return;
    if ( write( 2, line, length < (int)sizeof( line ) ? length : (int)sizeof( line ) - 1 ) < 0 ) return;
}

NTSTATUS unix_log( void *args )
{
    struct ws2_log_params *params = args;
    const char *text = (const char *)(uintptr_t)params->text;
    uint32_t done = 0;

    while ( done < params->size )
    {
        ssize_t n = write( log_fd, text + done, params->size - done );
        if ( n < 0 && errno == EINTR ) continue;
        if ( n < 0 && log_fd != 2 ) log_fails( "write to" );
        if ( n <= 0 ) break;
        done += n;
    }
    params->error = 0;
    return 0;
}

NTSTATUS unix_copy( void *args )
{
    struct ws2_copy_params *params = args;

    memcpy( (void *)(uintptr_t)params->target, (const void *)(uintptr_t)params->source, params->size );
    params->error = 0;
    return 0;
}

static void open_log( void )
{
    const char *file = getenv( "WS2DEBUG_FILE" );
    int fd = file && *file ? open( file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600 ) : -1;

    if ( fd >= 0 ) log_fd = fd;
    else if ( file && *file ) log_fails( "open" );
}

/* The higher floors fill in what the lower ones call of them. */
static void process_start( void )
{
    open_log();
    descriptor_init();
    changes_init();
    events_init();
    event_kicks_init();
    notify_init();
    operation_init();
    port_init();
    afd_poll_init();
    closing_init();
}

/* The folder with the DLLs of this build: two up from ws2host.so, or from what a link to it leads to. */
static void library_folder( struct ws2_attach_params *params )
{
    char *result = (char *)(uintptr_t)params->library, path[PATH_MAX], *slash;
    Dl_info info;

    if ( !dladdr( (void *)library_folder, &info ) || !realpath( info.dli_fname, path ) ) return;
    for ( int i = 0; i < 2; i++ )
    {
        if ( !( slash = strrchr( path, '/' ) ) ) return;
        *slash = 0;
    }
    if ( strlen( path ) < params->library_size ) strcpy( result, path );
}

NTSTATUS unix_attach( void *args )
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct ws2_attach_params *params = args;
    const char *debug = getenv( "WS2DEBUG" );
    const int grown = params->trace >= sizeof( *params );

    params->error = WSAVERNOTSUPPORTED;
    params->trace = 0;
    if ( params->build != WS2_INTERFACE )
    {
        if ( grown ) library_folder( params );
        else
            fprintf(
                stderr,
                "ws2host: this program's ws2_32.dll (%08x) and ws2host.so (%08x) are of different builds; start it "
                "with ws2run, or run \"ws2ctl enable\" for its prefix again\n",
                params->build, WS2_INTERFACE );
        return 0;
    }
    params->error = 0;
    if ( !params->windows_pid ) return 0;
    pthread_once( &once, process_start );
    params->trace = debug && !strcmp( debug, "trace" );
    params->error = connection_attach( params->windows_pid );
    return 0;
}
