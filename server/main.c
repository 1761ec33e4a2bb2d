/*
 * ws2server: owns the socket table of one user and prefix. Started by the first process that needs it (see
 * dlls/ws2host/client/connection.c), with the server directory as its argument; leaves when nobody has needed it for a while.
 *
 * The start-up process ends only when the server listens, or has found that another one does: the process that started
 * it can connect at once. The lock on the lock file is what makes a server the only one of its directory.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "server.h"

#define LINGER_DEFAULT 5.0 /* seconds */
#define LOCK_PATIENCE 5000 /* ms that a server on its way out may take */

static int fail( const char *format, ... )
{
    const int error = errno;
    va_list args;

    fprintf( stderr, "ws2server: " );
    va_start( args, format );
    vfprintf( stderr, format, args );
    va_end( args );
    fprintf( stderr, error ? ": %s" : "", strerror( error ) );
    fprintf( stderr, error == ENOSPC || error == EDQUOT ? "; make room there or set WS2HOST_DIR\n" : "\n" );
    return -1;
}

/* The directory, when it is safe: the user's own, and nobody else's to enter. */
static int open_directory( const char *path )
{
    struct stat st;
    int fd = open( path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC );

    if ( fd < 0 || fstat( fd, &st ) < 0 ) return fail( "%s", path );
    errno = 0;
    if ( st.st_uid != geteuid() ) return fail( "%s belongs to user %u, not to user %u", path, st.st_uid, geteuid() );
    if ( st.st_mode & 077 ) return fail( "%s is open to others (mode %o): chmod 700 it", path, st.st_mode & 0777 );
    return fd;
}

/* The path of the socket may be longer than an address holds, so it is named by way of the directory's descriptor. */
static struct sockaddr_un socket_address( int directory )
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    snprintf( address.sun_path, sizeof( address.sun_path ), "/proc/self/fd/%d/" WS2_SERVER_SOCKET, directory );
    return address;
}

static int somebody_listens( int directory )
{
    const struct sockaddr_un address = socket_address( directory );
    int fd = socket( AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0 );
    const int result = fd >= 0 && !connect( fd, (const struct sockaddr *)&address, sizeof( address ) );

    if ( fd >= 0 ) close( fd );
    return result;
}

/* 1 with the lock held, 0 when another server listens, -1 on failure. The descriptor stays open until the process ends. */
static int take_lock( int directory )
{
    int fd = openat( directory, WS2_SERVER_LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600 );

    if ( fd < 0 ) return fail( "lock file" );
    for ( int waited = 0; waited < LOCK_PATIENCE; waited += 10 )
    {
        if ( !flock( fd, LOCK_EX | LOCK_NB ) ) return 1;
        if ( errno != EWOULDBLOCK ) return fail( "lock file" );
        if ( somebody_listens( directory ) ) return 0;
        usleep( 10000 );
    }
    errno = 0;
    return fail( "another server holds the lock and does not listen" );
}

static int open_listener( int directory )
{
    const struct sockaddr_un address = socket_address( directory );
    int fd = socket( AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0 );

    if ( fd < 0 ) return fail( "socket" );
    unlinkat( directory, WS2_SERVER_SOCKET, 0 );
    if ( bind( fd, (const struct sockaddr *)&address, sizeof( address ) ) < 0 || listen( fd, 1024 ) < 0 )
    {
        close( fd );
        return fail( "cannot listen in the server directory" );
    }
    return fd;
}

/* As many descriptors as the system allows: tickets hold one each. */
static void raise_limits( void )
{
    struct rlimit files;

    if ( getrlimit( RLIMIT_NOFILE, &files ) ) return;
    files.rlim_cur = files.rlim_max;
    setrlimit( RLIMIT_NOFILE, &files );
}

static uint64_t linger_time( void )
{
    const char *text = getenv( "WS2SERVER_LINGER" );
    char *end;
    double seconds = text && *text ? strtod( text, &end ) : LINGER_DEFAULT;

    if ( text && *text && ( *end || !( seconds >= 0 && seconds < 1e6 ) ) ) seconds = LINGER_DEFAULT;
    return seconds * 1000;
}

static int is_needed( void ) { return clients_connected() || tickets_open(); }

static void run( void )
{
    clients_run_deadlines();
    clients_tell_ended();
}

static int serve( int directory, int ready, int foreground )
{
    static const struct loop_work work = { is_needed, clients_deadline, run };
    static struct source source = { client_accept };
    struct stat st;
    char name[40];
    int locked = take_lock( directory ), listener, null;

    if ( locked <= 0 ) return locked < 0;
    if ( fstat( directory, &st ) < 0 || loop_create() < 0 || ( listener = open_listener( directory ) ) < 0 ) return 1;
    snprintf( name, sizeof( name ), "%llx-%llx", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino );
    table_set_name( name );
    client_set_directory( directory );
    connections_begin( listener, ( struct connection_reader ){ request_receive, request_retry } );
    if ( loop_add( &source, listener, EPOLLIN ) < 0 ) return fail( "epoll" ) < 0;
    raise_limits();
    if ( !foreground )
    {
        if ( ( null = open( "/dev/null", O_RDWR | O_CLOEXEC ) ) < 0 ) return fail( "/dev/null" ) < 0;
        for ( int fd = 0; fd <= 2; fd++ ) dup2( null, fd );
        if ( null > 2 ) close( null );
    }
    if ( ready >= 0 )
    {
        if ( write( ready, "", 1 ) < 0 ) return 1;
        close( ready );
    }
    loop_run( &work, linger_time() );
    /* still under the lock: the next server's socket cannot be hit; a client that connected in the last moment finds its
     * connection closed and starts the next server */
    unlinkat( directory, WS2_SERVER_SOCKET, 0 );
    return 0;
}

/* The server itself in the background; the process that was started waits until it listens. */
static int start_in_background( int directory )
{
    int ends[2], status;
    char byte;
    pid_t child;

    if ( pipe2( ends, O_CLOEXEC ) < 0 ) return fail( "pipe" ) < 0;
    child = fork();
    if ( child < 0 ) return fail( "fork" ) < 0;
    if ( !child )
    {
        close( ends[0] );
        setsid();
        _exit( serve( directory, ends[1], 0 ) );
    }
    close( ends[1] );
    if ( read( ends[0], &byte, 1 ) == 1 ) return 0;
    if ( waitpid( child, &status, 0 ) != child ) return 1;
    if ( WIFSIGNALED( status ) ) return WS2_SERVER_KILLED;
    return WIFEXITED( status ) ? WEXITSTATUS( status ) : 1;
}

int main( int argc, char **argv )
{
    const int foreground = argc > 1 && !strcmp( argv[1], "--foreground" );
    int directory;

    signal( SIGPIPE, SIG_IGN );
    syscall( SYS_close_range, 3, ~0u, 0 );
    umask( 077 );
    if ( argc == 2 && !strcmp( argv[1], "--version" ) )
    {
        puts( "ws2server (ws2host) " WS2_VERSION );
        return 0;
    }
    if ( argc != 2 + foreground || ( argc == 2 && argv[1][0] == '-' ) )
    {
        fprintf( stderr, "Usage: ws2server [--foreground] DIRECTORY | --version\n"
                         "The server of ws2host's socket table; Windows programs start it by themselves.\n" );
        return 2;
    }
    if ( ( directory = open_directory( argv[1 + foreground] ) ) < 0 ) return 1;
    if ( chdir( "/" ) < 0 ) return 1;
    return foreground ? serve( directory, -1, 1 ) : start_in_background( directory );
}
