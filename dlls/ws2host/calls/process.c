/* The process as a client of ws2host: attaching, copies that may fault. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "calls/trace.h"
#include "client/connection.h"
#include "client/counts.h"
#include "calls/closing.h"
#include "events/changes.h"
#include "events/events.h"
#include "events/notify.h"
#include "operations/afd_poll.h"
#include "operations/operation.h"
#include "options/option.h"
#include "sockets/helpers.h"
#include "operations/port.h"
#include "ws2host/winsock_codes.h"
#include "ws2host/interface.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif
#define PAGE 4096ul
#define VARIABLES ( 8 * PAGE ) /* the large arrays stand behind (WS2_SPARSE) */

NTSTATUS unix_copy( void *args )
{
    struct ws2_copy_params *params = args;

    memcpy( (void *)(uintptr_t)params->target, (const void *)(uintptr_t)params->source, params->size );
    params->error = 0;
    return 0;
}

/* The host half's own variables, nearly all of which it is about to use: made at once, and not each page by a fault. */
static void make_variables( void )
{
    /* this library's, not the program's */
    extern char _edata[] __attribute__( ( visibility( "hidden" ) ) ),
        _end[] __attribute__( ( visibility( "hidden" ) ) );
    char *const begin = (char *)( (uintptr_t)_edata & -PAGE );
    const size_t rest = _end - begin;

    madvise( begin, rest < VARIABLES ? rest : VARIABLES, MADV_POPULATE_WRITE );
}

/* The higher floors fill in what the lower ones call of them. */
static uint32_t windows_pid;

static void process_start( void )
{
    make_variables();
    trace_init( windows_pid );
    descriptor_init();
    changes_init();
    events_init();
    event_kicks_init();
    event_waits_init();
    notify_init();
    multicast_init();
    operation_init();
    operation_threads_init( operation_cancel_of_thread );
    replacement_init();
    helpers_init();
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

/* The folder with an entry for each thread counts as a folder with so many in it. */
NTSTATUS unix_alone( void *args )
{
    struct ws2_alone_params *params = args;
    struct stat stat;

    params->alone = !fstatat( AT_FDCWD, "/proc/self/task", &stat, 0 ) && stat.st_nlink == 3;
    params->error = 0;
    return 0;
}

NTSTATUS unix_attach( void *args )
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct ws2_attach_params *params = args;
    const int grown = params->size >= offsetof( struct ws2_attach_params, tracing );

    params->error = WSAVERNOTSUPPORTED;
    params->size = 0;
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
    windows_pid = params->windows_pid;
    if ( params->begin && !( params->begin = connection_begin( params->windows_pid ) ) ) return 0;
    pthread_once( &once, process_start );
    if ( params->begin ) return 0;
    params->error = connection_attach( params->windows_pid );
    if ( params->error ) return 0;
    if ( params->counts ) counts_show( (struct ws2_counts *)(uintptr_t)params->counts );
    if ( params->tracing ) trace_follow( (volatile uint32_t *)(uintptr_t)params->tracing );
    return 0;
}
