/*
 * The server's place: its directory, the locks that make it the only one there, and the socket that it listens on.
 *
 * Cleaners of temporary folders take files, and folders, away from under a running server. The directory is locked itself
 * (such cleaners spare a folder that somebody has locked), and what is missing is made again: at once when the host tells,
 * and looked for now and then. A server whose directory has become another's leaves, and the other takes its table over.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "server.h"

#define LOCK_PATIENCE 5000 /* ms that a server on its way out may take */
#define LOOK_AGAIN 10000   /* ms between looks at the directory */
#define LOOK_SOON 200      /* ms, while things are taken away */
#define LOOKS_SOON 10

static char path[PATH_MAX];
static int directory = -1, listener = -1, lock_file = -1;
static struct stat socket_file; /* as it was made */
static uint64_t look_at;
static unsigned int looks_soon;
static int lost;
static int was_left;
static struct source accepting = { connection_accept };

int fail( const char *format, ... )
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
static int open_directory( void )
{
    struct stat st;
    int fd = open( path, O_RDONLY | O_DIRECTORY | O_CLOEXEC );

    if ( fd < 0 || fstat( fd, &st ) < 0 ) fail( "%s", path );
    else if ( st.st_uid != geteuid() )
    {
        errno = 0;
        fail( "%s belongs to user %u, not to user %u", path, st.st_uid, geteuid() );
    }
    else if ( st.st_mode & 077 )
    {
        errno = 0;
        fail( "%s is open to others (mode %o): chmod 700 it", path, st.st_mode & 0777 );
    }
    else return fd;
    if ( fd >= 0 ) close( fd );
    return -1;
}

int place_open( const char *name )
{
    char text[40];
    struct stat st;
    uint64_t hash = 0xcbf29ce484222325ull;

    if ( !realpath( name, path ) ) return fail( "%s", name );
    if ( ( directory = open_directory() ) < 0 || fstat( directory, &st ) < 0 ) return -1;
    /* the same for a directory that is made anew in its place */
    for ( const char *p = path; *p; p++ ) hash = ( hash ^ (unsigned char)*p ) * 0x100000001b3ull;
    snprintf( text, sizeof( text ), "%llx-%llx", (unsigned long long)st.st_dev, (unsigned long long)hash );
    table_set_name( text );
    return 0;
}

int place_directory( void ) { return directory; }

/* The path of the socket may be longer than an address holds, so it is named by way of the directory's descriptor. */
static struct sockaddr_un socket_address( void )
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    snprintf( address.sun_path, sizeof( address.sun_path ), "/proc/self/fd/%d/" WS2_SERVER_SOCKET, directory );
    return address;
}

static int somebody_listens( void )
{
    const struct sockaddr_un address = socket_address();
    int fd = socket( AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0 );
    /* one that is slow listens too */
    const int result =
        fd >= 0 && ( !connect( fd, (const struct sockaddr *)&address, sizeof( address ) ) || errno == EAGAIN );

    if ( fd >= 0 ) close( fd );
    return result;
}

/* The lock file as well as the directory: servers before this one know only the file. 1: both are held. */
static int try_locks( void )
{
    if ( flock( directory, LOCK_EX | LOCK_NB ) ) return errno == EWOULDBLOCK ? 0 : fail( "%s", path );
    if ( lock_file < 0 )
        lock_file = openat( directory, WS2_SERVER_LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600 );
    if ( lock_file < 0 ) return fail( "lock file" );
    if ( flock( lock_file, LOCK_EX | LOCK_NB ) ) return errno == EWOULDBLOCK ? 0 : fail( "lock file" );
    return 1;
}

/* The mark in the lock file of a server that went when nobody needed it; it is gone before anybody is served. */
static int take_mark( void )
{
    char mark = 0;

    return pread( lock_file, &mark, 1, 0 ) == 1 && mark == WS2_SERVER_LEFT && !ftruncate( lock_file, 0 );
}

int place_was_left( void ) { return was_left; }

int place_take( void )
{
    for ( int waited = 0; waited < LOCK_PATIENCE; waited += 10 )
    {
        const int locked = try_locks();

        if ( locked > 0 ) was_left = take_mark();
        if ( locked ) return locked;
        if ( somebody_listens() ) return 0;
        usleep( 10000 );
    }
    errno = 0;
    return fail( "another server holds the lock and does not listen" );
}

static int make_listener( void )
{
    const struct sockaddr_un address = socket_address();
    int fd = socket( AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0 );

    if ( fd < 0 ) return fail( "socket" );
    unlinkat( directory, WS2_SERVER_SOCKET, 0 );
    if ( bind( fd, (const struct sockaddr *)&address, sizeof( address ) ) < 0 || listen( fd, 1024 ) < 0 ||
         fstatat( directory, WS2_SERVER_SOCKET, &socket_file, AT_SYMLINK_NOFOLLOW ) < 0 )
    {
        close( fd );
        return fail( "cannot listen in the server directory" );
    }
    return fd;
}

/* Those who came by the one before are let in first. */
static int listen_anew( void )
{
    const int before = listener;
    int fd = make_listener();

    if ( fd < 0 ) return -1;
    if ( before >= 0 )
    {
        for ( int i = 0; i < 1024; i++ ) connection_accept( &accepting, 0 );
        loop_remove( before );
        close( before );
    }
    listener = fd;
    connections_listen( listener );
    return loop_add( &accepting, listener, EPOLLIN );
}

static void notified( struct source *source, uint32_t events )
{
    _Alignas( struct inotify_event ) char buffer[4096];
    ssize_t size;

    (void)events;
    while ( ( size = read( ( (struct notifier *)source )->fd, buffer, sizeof( buffer ) ) ) > 0 )
        for ( const char *p = buffer; p < buffer + size; )
        {
            const struct inotify_event *event = (const struct inotify_event *)p;

            if ( event->len ) node_deleted( event->name );
            p += sizeof( *event ) + event->len;
        }
    looks_soon = LOOKS_SOON;
    look_at = 0;
}

static void watch_directory( void )
{
    static struct notifier notifier = { { notified }, -1 };
    char name[40];

    if ( notifier.fd >= 0 )
    {
        loop_remove( notifier.fd );
        close( notifier.fd );
    }
    snprintf( name, sizeof( name ), "/proc/self/fd/%d", directory );
    notifier.fd = inotify_init1( IN_CLOEXEC | IN_NONBLOCK );
    /* without it there are the looks now and then */
    if ( notifier.fd < 0 ) return;
    if ( inotify_add_watch( notifier.fd, name, IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF | IN_MOVE_SELF ) < 0 ||
         loop_add( &notifier.source, notifier.fd, EPOLLIN ) < 0 )
    {
        close( notifier.fd );
        notifier.fd = -1;
    }
}

int place_listen( void )
{
    client_set_directory( directory );
    nodes_set_directory( directory );
    watch_directory();
    look_at = loop_now() + LOOK_AGAIN;
    return listen_anew();
}

uint64_t place_deadline( void ) { return look_at; }
int place_is_lost( void ) { return lost; }

/* Another directory stands where ours was, or none. 0: it is not to be had now. */
static int move_in( void )
{
    const int before = directory, lock_before = lock_file;

    if ( mkdir( path, 0700 ) < 0 && errno != EEXIST ) return 0;
    if ( ( directory = open_directory() ) < 0 )
    {
        directory = before;
        return 0;
    }
    lock_file = -1;
    if ( try_locks() != 1 )
    {
        lost = 1; /* the server that has it finds our table as soon as we are gone */
        return 0;
    }
    close( before );
    close( lock_before );
    client_set_directory( directory );
    nodes_set_directory( directory );
    nodes_remake();
    watch_directory();
    return 1;
}

void place_look( void )
{
    const uint64_t now = loop_now();
    struct stat own, found;
    int moved = 0;

    if ( now < look_at ) return;
    look_at = now + ( looks_soon ? LOOK_SOON : LOOK_AGAIN );
    if ( looks_soon ) looks_soon--;
    if ( fstat( directory, &own ) < 0 || stat( path, &found ) < 0 || own.st_dev != found.st_dev ||
         own.st_ino != found.st_ino )
    {
        if ( !move_in() ) return;
        moved = 1;
    }
    if ( moved || fstatat( directory, WS2_SERVER_SOCKET, &found, AT_SYMLINK_NOFOLLOW ) < 0 ||
         found.st_dev != socket_file.st_dev || found.st_ino != socket_file.st_ino )
        listen_anew();
    if ( fstatat( directory, WS2_SERVER_LOCK, &found, AT_SYMLINK_NOFOLLOW ) < 0 )
    {
        close( lock_file );
        lock_file = -1;
        try_locks();
    }
}

void place_leave( int unneeded )
{
    const char mark = WS2_SERVER_LEFT;

    /* without it the next server looks for a table that processes may have, in vain */
    if ( unneeded && !lost && pwrite( lock_file, &mark, 1, 0 ) < 0 ) ftruncate( lock_file, 0 );
    /* still under the lock: the next server's socket cannot be hit; a client that connected in the last moment finds its
     * connection closed and starts the next server */
    if ( !lost ) unlinkat( directory, WS2_SERVER_SOCKET, 0 );
}
