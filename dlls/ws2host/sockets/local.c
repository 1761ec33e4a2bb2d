/* Names of AF_UNIX sockets: see local.h. No state but in the file system; called by any thread. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "sockets/endpoint.h"
#include "client/directory.h"
#include "sockets/local.h"
#include "sockets/local_keep.h"

#define NODE_PREFIX "local-"
#define NODE_SIZE ( sizeof( NODE_PREFIX ) - 1 + 16 )
#define NAME_SUFFIX ".name"
#define PATH_SIZE 4096
#define SWEEP_COUNT 32 /* entries that are left alone */
#define SWEEP_AGE 60   /* seconds: whoever made it may be about to bind */

/* --- nodes ------------------------------------------------------------------------------------------------------------*/

/* What follows the number in a name of ours; NULL for another name. */
static const char *node_end( const char *name, unsigned long long *number )
{
    int length = 0;

    if ( sscanf( name, NODE_PREFIX "%16llx%n", number, &length ) != 1 || length != NODE_SIZE ) return NULL;
    return name + length;
}

static const char *last_part( const char *path )
{
    const char *slash = strrchr( path, '/' );

    return slash ? slash + 1 : path;
}

static int is_node( const char *path )
{
    unsigned long long number;
    const char *end = node_end( last_part( path ), &number );

    return end && !*end;
}

/* The directory of an address that goes through a descriptor, which is therefore kept, until the directory is another. */
static int keep_directory_consume( int fd )
{
    static _Atomic int kept = -1;
    struct stat st, kept_st;
    int before = atomic_load( &kept );

    if ( before >= 0 && !fstat( fd, &st ) && !fstat( before, &kept_st ) && st.st_dev == kept_st.st_dev &&
         st.st_ino == kept_st.st_ino )
    {
        close( fd );
        return before;
    }
    atomic_store( &kept, fd );
    return fd;
}

struct node
{
    int directory;
    unsigned long long number;
    char name[NODE_SIZE + sizeof( NAME_SUFFIX )];
    char path[PATH_SIZE];
};

/* A new number in the server directory. */
static int32_t node_open( struct node *node )
{
    char path[PATH_SIZE];
    unsigned long long number;
    ssize_t length;

    if ( ( node->directory = directory_open( 1, path, sizeof( path ) ) ) < 0 ) return WSAENETDOWN;
    snprintf( path, sizeof( path ), "/proc/self/fd/%d", node->directory );
    length = readlink( path, node->path, sizeof( node->path ) - sizeof( node->name ) - 1 );
    if ( length <= 0 || getrandom( &number, sizeof( number ), 0 ) != sizeof( number ) )
    {
        close( node->directory );
        return WSAENETDOWN;
    }
    node->number = number;
    snprintf( node->name, sizeof( node->name ), NODE_PREFIX "%016llx", number );
    sprintf( node->path + length, "/%s", node->name );
    return 0;
}

/* Its address, which takes over the directory's descriptor: a path that is too long goes through that. */
static socklen_t node_address_consume( const struct node *node, struct sockaddr_un *address )
{
    memset( address, 0, sizeof( *address ) );
    address->sun_family = AF_UNIX;
    if ( strlen( node->path ) < sizeof( address->sun_path ) )
    {
        strcpy( address->sun_path, node->path );
        close( node->directory );
    }
    else
        snprintf( address->sun_path, sizeof( address->sun_path ), "/proc/self/fd/%d/%s",
                  keep_directory_consume( node->directory ), node->name );
    return sizeof( *address );
}

/* --- sweeping ---------------------------------------------------------------------------------------------------------*/

struct numbers
{
    unsigned long long *values;
    size_t count, room;
};

static int local_compare( const void *a, const void *b )
{
    const unsigned long long *x = a, *y = b;

    return ( *x > *y ) - ( *x < *y );
}

/* The numbers of all sockets of the host that are named by one: connections have their listener's name. -1: not known. */
static int read_living( struct numbers *living )
{
    FILE *sockets = fopen( "/proc/net/unix", "re" );
    char line[512];
    int result = sockets ? 0 : -1;

    while ( sockets && !result && fgets( line, sizeof( line ), sockets ) )
    {
        unsigned long long number;

        line[strcspn( line, "\n" )] = 0;
        if ( !node_end( last_part( line ), &number ) ) continue;
        if ( living->count == living->room )
        {
            unsigned long long *more = realloc( living->values, ( living->room += 64 ) * sizeof( number ) );

            if ( more ) living->values = more;
            else result = -1;
        }
        if ( !result ) living->values[living->count++] = number;
    }
    if ( sockets ) fclose( sockets );
    if ( living->count ) qsort( living->values, living->count, sizeof( *living->values ), local_compare );
    return result;
}

static void local_sweep( int directory )
{
    struct numbers living = { NULL, 0, 0 };
    const time_t now = time( NULL );
    unsigned long long number;
    struct dirent *entry;
    struct stat st;
    int fd = openat( directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC ), count = 0;
    DIR *entries = fd >= 0 ? fdopendir( fd ) : NULL;

    if ( !entries )
    {
        if ( fd >= 0 ) close( fd );
        return;
    }
    while ( ( entry = readdir( entries ) ) ) count += node_end( entry->d_name, &number ) != NULL;
    if ( count > SWEEP_COUNT && !read_living( &living ) )
    {
        rewinddir( entries );
        while ( ( entry = readdir( entries ) ) )
            if ( node_end( entry->d_name, &number ) &&
                 !( living.count &&
                    bsearch( &number, living.values, living.count, sizeof( number ), local_compare ) ) &&
                 !fstatat( directory, entry->d_name, &st, AT_SYMLINK_NOFOLLOW ) && st.st_mtime + SWEEP_AGE < now )
                unlinkat( directory, entry->d_name, 0 );
    }
    free( living.values );
    closedir( entries );
}

/* --- binding ----------------------------------------------------------------------------------------------------------*/

int32_t local_read( uint64_t pointer, uint32_t size, struct ws2_local_address *address )
{
    union host_address plain;
    socklen_t plain_size;
    const int32_t error = address_read( WS_AF_UNIX, pointer, size, &plain, &plain_size );

    if ( error ) return error;
    if ( size != sizeof( *address ) ) return WSAEINVAL; /* the socket has become one of AF_UNIX meanwhile */
    memcpy( address, (const void *)(uintptr_t)pointer, sizeof( *address ) );
    if ( address->length > sizeof( address->given ) ) address->length = sizeof( address->given );
    address->given[sizeof( address->given ) - 1] = 0;
    address->host[sizeof( address->host ) - 1] = 0;
    return 0;
}

/* A name that is no path, the same here and there. */
static socklen_t abstract_address( const struct ws2_local_address *address, struct sockaddr_un *host )
{
    memset( host, 0, sizeof( *host ) );
    host->sun_family = AF_UNIX;
    memcpy( host->sun_path, address->given, address->length );
    return offsetof( struct sockaddr_un, sun_path ) + address->length;
}

static int32_t file_error( int error )
{
    switch ( error )
    {
    case EEXIST:
    case EISDIR: return WSAEADDRINUSE;
    case EROFS: return WSAEACCES;
    case ENAMETOOLONG: return WSAEINVAL;
    default: return winsock_error( error ); /* no such folder: WSAENETDOWN */
    }
}

/* The file of a socket that is bound, by which the PE half knows it from any other. */
static int write_file( int fd, const char *text )
{
    const ssize_t length = strlen( text );
    struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };

    if ( ftruncate( fd, WS2_LOCAL_FILE_SIZE ) < 0 || write( fd, text, length ) != length ) return -1;
    clock_gettime( CLOCK_REALTIME, &times[1] );
    times[1].tv_nsec = WS2_LOCAL_FILE_TICKS * 100;
    futimens( fd, times );
    return 0;
}

static int32_t bind_path( struct descriptor *d, const struct ws2_local_address *address )
{
    struct sockaddr_un host;
    struct node node;
    socklen_t size;
    int32_t error = node_open( &node );
    int file;
    char text[PATH_SIZE + 1];

    if ( error ) return error;
    if ( ( file = open( address->host, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600 ) ) < 0 )
    {
        error = file_error( errno );
        close( node.directory );
        return error;
    }
    local_sweep( node.directory );
    snprintf( text, sizeof( text ), "%s" NAME_SUFFIX, node.name );
    if ( symlinkat( address->given, node.directory, text ) ) error = winsock_error( errno );
    size = node_address_consume( &node, &host );
    if ( !error && bind( d->fd, (struct sockaddr *)&host, size ) ) error = winsock_error( errno );
    if ( !error ) local_keep( d, node.path, node.number, address->given );
    /* not before: who reads it finds the socket bound */
    snprintf( text, sizeof( text ), "%s\n", node.path );
    if ( !error && write_file( file, text ) ) error = WSAENOBUFS;
    if ( error ) unlink( address->host );
    close( file );
    return error;
}

int32_t local_bind( struct descriptor *d, const struct ws2_local_address *address )
{
    int32_t error;

    if ( descriptor_flags( d ) & WS2_FLAG_BOUND ) return WSAEINVAL;
    if ( !address->length )
    {
        const sa_family_t family = AF_UNIX;

        /* a socket that can listen, without a file; the host finds a name for it, of which nobody is told */
        if ( !address->family_only ) return WSAEINVAL;
        error = bind( d->fd, (const struct sockaddr *)&family, sizeof( family ) ) ? winsock_error( errno ) : 0;
    }
    else if ( !address->given[0] )
    {
        struct sockaddr_un host;
        const socklen_t size = abstract_address( address, &host );

        error = bind( d->fd, (struct sockaddr *)&host, size ) ? winsock_error( errno ) : 0;
    }
    else error = bind_path( d, address );
    if ( !error ) endpoint_remember( d );
    return error;
}

void local_let_go( const struct sockaddr_un *address )
{
    if ( address->sun_path[0] && is_node( address->sun_path ) ) unlink( address->sun_path );
}

/* --- connecting -------------------------------------------------------------------------------------------------------*/

/* The address of a socket file of the host; a path that is too long for one goes through a link of ours. */
static int32_t local_reach( const char *path, struct sockaddr_un *host, socklen_t *size )
{
    struct node node;
    int32_t error;

    if ( strlen( path ) < sizeof( host->sun_path ) )
    {
        host->sun_family = AF_UNIX;
        strcpy( host->sun_path, path );
        *size = sizeof( *host );
        return 0;
    }
    if ( ( error = node_open( &node ) ) ) return error;
    local_sweep( node.directory );
    if ( symlinkat( path, node.directory, node.name ) ) error = winsock_error( errno );
    if ( error ) close( node.directory );
    else *size = node_address_consume( &node, host );
    return error;
}

/* The node that a file of ours names; 0 when it names one. */
static int32_t read_node( const char *path, char node[PATH_SIZE] )
{
    int fd = open( path, O_RDONLY | O_NONBLOCK | O_CLOEXEC );
    ssize_t length;

    if ( fd < 0 ) return errno == EACCES || errno == EPERM ? WSAEACCES : WSAECONNREFUSED;
    length = read( fd, node, PATH_SIZE - 1 );
    close( fd );
    if ( length <= 0 ) return WSAECONNREFUSED;
    node[length] = 0;
    node[strcspn( node, "\n" )] = 0;
    return node[0] == '/' && is_node( node ) ? 0 : WSAECONNREFUSED;
}

int32_t local_peer( const struct ws2_local_address *address, union host_address *host, socklen_t *size )
{
    char node[PATH_SIZE];
    struct stat st;
    int32_t error;

    memset( host, 0, sizeof( *host ) );
    if ( !address->length ) return WSAEINVAL;
    if ( !address->given[0] )
    {
        *size = abstract_address( address, &host->un );
        return 0;
    }
    host->un.sun_family = AF_UNIX;
    *size = LOCAL_NOBODY;
    if ( stat( address->host, &st ) ) return errno == EACCES ? WSAEACCES : 0;
    if ( S_ISSOCK( st.st_mode ) ) return local_reach( address->host, &host->un, size );
    if ( !S_ISREG( st.st_mode ) ) return 0;
    if ( !( error = read_node( address->host, node ) ) ) return local_reach( node, &host->un, size );
    return error == WSAECONNREFUSED ? 0 : error;
}

/* --- names ------------------------------------------------------------------------------------------------------------*/

/* The name that the program gave, which stands beside the node. */
static int node_given( const char *path, char *given, size_t size )
{
    unsigned long long number;
    char link[PATH_SIZE];
    ssize_t length;
    int directory;

    node_end( last_part( path ), &number );
    if ( !local_kept_name( number, given, size ) ) return 0;
    if ( strncmp( path, "/proc/self/fd/", 14 ) )
    {
        snprintf( link, sizeof( link ), "%s" NAME_SUFFIX, path );
        length = readlink( link, given, size );
        return length > 0 ? 0 : -1;
    }
    if ( ( directory = directory_open( 0, link, sizeof( link ) ) ) < 0 ) return -1;
    snprintf( link, sizeof( link ), "%s" NAME_SUFFIX, last_part( path ) );
    length = readlinkat( directory, link, given, size );
    close( directory );
    return length > 0 ? 0 : -1;
}

/* Five digits: what the host calls a socket that is bound to no name. */
static int is_hosts_own( const char *name, int length )
{
    if ( length != 5 ) return 0;
    for ( int i = 0; i < length; i++ )
        if ( !strchr( "0123456789abcdef", name[i] ) || !name[i] ) return 0;
    return 1;
}

void local_name( const struct sockaddr_un *address, socklen_t size, char *given )
{
    const size_t room = sizeof( address->sun_path );
    int length = size > sizeof( sa_family_t ) ? (int)( size - sizeof( sa_family_t ) ) : 0;
    char path[sizeof( address->sun_path ) + 1];

    memset( given, 0, room );
    if ( !length || (size_t)length > sizeof( path ) ) return;
    if ( !address->sun_path[0] )
    {
        if ( !is_hosts_own( address->sun_path + 1, length - 1 ) )
            memcpy( given, address->sun_path, (size_t)length < room ? (size_t)length : room );
        return;
    }
    /* a path of 108 bytes comes without its NUL, or with it behind the struct */
    snprintf( path, sizeof( path ), "%.*s", length, address->sun_path );
    if ( is_node( path ) && !node_given( path, given, room - 1 ) ) return;
    length = snprintf( given, room, "%s%s", path[0] == '/' ? "Z:" : "", path );
    for ( int i = 0; i < length && (size_t)i < room; i++ )
        if ( given[i] == '/' ) given[i] = '\\';
}

int local_has_name( int fd )
{
    struct sockaddr_un address;
    socklen_t size = sizeof( address ), peer_size = sizeof( address );

    if ( !getsockname( fd, (struct sockaddr *)&address, &size ) && size > sizeof( sa_family_t ) ) return 1;
    return !getpeername( fd, (struct sockaddr *)&address, &peer_size ) && peer_size > sizeof( sa_family_t );
}
