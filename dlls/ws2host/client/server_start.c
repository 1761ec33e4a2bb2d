/* Starting ws2server. Any thread, with connection's mutex held; no state. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "client/client_private.h"

extern char **environ;

/* WS2SERVER, or ws2server in the folder above that of ws2host.so; a loader's own library folder may hold a link to that. */
static int server_path( char *path, size_t size )
{
    const char *given = getenv( "WS2SERVER" ), *slash;
    char library[PATH_MAX];
    Dl_info info;

    if ( given && *given ) return snprintf( path, size, "%s", given ) < (int)size;
    if ( !dladdr( (void *)server_path, &info ) || !realpath( info.dli_fname, library ) ) return 0;
    if ( !( slash = strrchr( library, '/' ) ) ) return 0;
    return snprintf( path, size, "%.*s/../ws2server", (int)( slash - library ), library ) < (int)size;
}

/* Waits a moment, or for the end of the child where the host tells of that. */
static void await_end( int pidfd )
{
    struct pollfd fd = { .fd = pidfd, .events = POLLIN };

    if ( pidfd < 0 ) client_sleep_ms( 1 );
    else poll( &fd, 1, 100 );
}

int server_start( const char *directory )
{
    char path[4096];
    char *arguments[] = { path, (char *)directory, NULL };
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    int error, status = 0, pidfd;
    pid_t pid;

    if ( !server_path( path, sizeof( path ) ) )
    {
        complaint_say( "ws2server is not beside ws2host.so; name it in WS2SERVER" );
        return -1;
    }
    sigemptyset( &none );
    sigfillset( &all );
    posix_spawn_file_actions_init( &actions );
    posix_spawn_file_actions_addopen( &actions, 0, "/dev/null", O_RDONLY, 0 );
    posix_spawn_file_actions_adddup2( &actions, 2, 1 );
    posix_spawnattr_init( &attributes );
    posix_spawnattr_setflags( &attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF );
    posix_spawnattr_setsigmask( &attributes, &none );
    posix_spawnattr_setsigdefault( &attributes, &all );
    error = posix_spawn( &pid, path, &actions, &attributes, arguments, environ );
    posix_spawnattr_destroy( &attributes );
    posix_spawn_file_actions_destroy( &actions );
    if ( error )
    {
        complaint_say( "cannot start %s: %s; install it there or name it in WS2SERVER", path, strerror( error ) );
        return -1;
    }
    pidfd = syscall( SYS_pidfd_open, pid, 0 );
    for ( uint64_t deadline = host_now_ms() + SERVER_DEADLINE;; )
    {
        const pid_t done = waitpid( pid, &status, WNOHANG );

        if ( done == pid ) break;
        if ( done < 0 && errno != EINTR )
        {
            /* the process may have its children reaped by itself */
            if ( pidfd >= 0 ) close( pidfd );
            return 0;
        }
        if ( host_now_ms() > deadline )
        {
            complaint_say( "%s does not start up in %s; end it and try again", path, directory );
            if ( pidfd >= 0 ) close( pidfd );
            return -1;
        }
        await_end( pidfd );
    }
    if ( pidfd >= 0 ) close( pidfd );
    /* killed while starting up is no reason to give up: the next attempt starts another */
    if ( WIFSIGNALED( status ) || ( WIFEXITED( status ) && WEXITSTATUS( status ) == WS2_SERVER_KILLED ) ) return 0;
    if ( WIFEXITED( status ) && !WEXITSTATUS( status ) ) return 0;
    complaint_say( "%s failed in %s: see above, or run it there by hand (ws2server --foreground DIRECTORY)", path,
                   directory );
    return -1;
}
