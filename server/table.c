/*
 * The table's memfd: made, checked when it comes from a client, found again when a server before this one died.
 *
 * It is sealed against growing and shrinking, so that no client can make the server fault.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "server.h"

#define SEALS ( F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL )

static int memfd = -1;
static void *mapping;
static uint64_t instance;
static char memfd_name[64] = "ws2host";

int table_fd( void ) { return memfd; }
void *table_mapping( void ) { return mapping; }
uint64_t table_instance( void ) { return instance; }
void table_set_name( const char *name ) { snprintf( memfd_name, sizeof( memfd_name ), "ws2host-%s", name ); }
const char *table_name( void ) { return memfd_name; }

/* Held as long as this process has the table open; no other server serves it meanwhile, from whatever directory. */
static int lock_table( int fd )
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1 };

    if ( !fcntl( fd, F_OFD_SETLK, &lock ) ) return 0;
    errno = EBUSY;
    return -1;
}

/* The descriptor that holds the lock is not the one that clients are given: it would be theirs too. */
static int reopen( int fd )
{
    char path[40];

    snprintf( path, sizeof( path ), "/proc/self/fd/%d", fd );
    return open( path, O_RDWR | O_CLOEXEC );
}

static void *map_table( int fd )
{
    void *table = mmap( NULL, WS2_TABLE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0 );

    return table == MAP_FAILED ? NULL : table;
}

int table_create( void )
{
    struct ws2_table_header *header;
    int locked = -1, fd = memfd_create( memfd_name, MFD_CLOEXEC | MFD_ALLOW_SEALING );

    if ( fd < 0 ) return -1;
    if ( ftruncate( fd, WS2_TABLE_SIZE ) < 0 || fcntl( fd, F_ADD_SEALS, SEALS ) < 0 || ( locked = reopen( fd ) ) < 0 ||
         lock_table( locked ) < 0 || !( mapping = map_table( fd ) ) )
    {
        if ( locked >= 0 ) close( locked );
        close( fd );
        return -1;
    }
    do {
        if ( getrandom( &instance, sizeof( instance ), 0 ) != sizeof( instance ) ) instance = 0;
    } while ( !instance );
    header = ws2_table_header( mapping );
    header->magic = WS2_TABLE_MAGIC;
    header->layout_version = WS2_LAYOUT_VERSION;
    header->slot_count = WS2_SLOT_COUNT;
    header->instance = instance;
    atomic_store( &header->server_pid, getpid() );
    memfd = fd;
    return 0;
}

int table_take_over_consume( int fd )
{
    const int seals = fcntl( fd, F_GET_SEALS );
    struct ws2_table_header *header;
    struct statfs file_system;
    struct stat st;
    void *table;
    int locked;

    /* F_GET_SEALS answers for shared memory only; huge pages would let a fault kill the server */
    if ( seals < 0 || ( seals & SEALS ) != SEALS || fstat( fd, &st ) < 0 || st.st_size != (off_t)WS2_TABLE_SIZE ||
         fstatfs( fd, &file_system ) < 0 || file_system.f_type != TMPFS_MAGIC || !( table = map_table( fd ) ) )
    {
        close( fd );
        errno = EINVAL;
        return -1;
    }
    header = ws2_table_header( table );
    if ( header->magic != WS2_TABLE_MAGIC || header->layout_version != WS2_LAYOUT_VERSION ||
         header->slot_count != WS2_SLOT_COUNT || !header->instance )
    {
        munmap( table, WS2_TABLE_SIZE );
        close( fd );
        errno = EINVAL;
        return -1;
    }
    if ( ( locked = reopen( fd ) ) < 0 || lock_table( locked ) < 0 )
    {
        const int error = errno;

        if ( locked >= 0 ) close( locked );
        munmap( table, WS2_TABLE_SIZE );
        close( fd );
        errno = error;
        return -1;
    }
    instance = header->instance;
    mapping = table;
    memfd = fd;
    atomic_store( &header->server_pid, getpid() );
    return 0;
}

/* The table in the descriptors of one process, -1 if it has none. */
static int find_in_process( const char *pid, const char *target )
{
    char path[64], link[96];
    struct dirent *entry;
    int found = -1;
    DIR *dir;

    snprintf( path, sizeof( path ), "/proc/%.20s/fd", pid );
    if ( !( dir = opendir( path ) ) ) return -1;
    while ( found < 0 && ( entry = readdir( dir ) ) )
    {
        ssize_t length = readlinkat( dirfd( dir ), entry->d_name, link, sizeof( link ) - 1 );
        if ( length <= 0 ) continue;
        link[length] = 0;
        if ( !strcmp( link, target ) ) found = openat( dirfd( dir ), entry->d_name, O_RDWR | O_CLOEXEC );
    }
    closedir( dir );
    return found;
}

/* A process that comes new to a server that has just replaced a dead one brings no table, while others still hold the old
 * one: it is found among the descriptors of the user's processes. */
int table_find_orphan( const char *name )
{
    char target[96];
    struct dirent *entry;
    int result = -1, error = ENOENT;
    DIR *proc = opendir( "/proc" );

    if ( !proc ) return -1;
    snprintf( target, sizeof( target ), "/memfd:%s (deleted)", name );
    while ( result < 0 && ( entry = readdir( proc ) ) )
    {
        struct stat st;
        int fd;

        if ( entry->d_name[0] < '1' || entry->d_name[0] > '9' || atoi( entry->d_name ) == getpid() ) continue;
        if ( fstatat( dirfd( proc ), entry->d_name, &st, 0 ) < 0 || st.st_uid != geteuid() ) continue;
        if ( ( fd = find_in_process( entry->d_name, target ) ) < 0 ) continue;
        if ( ( result = table_take_over_consume( fd ) ) < 0 && errno == EBUSY ) error = EBUSY;
    }
    closedir( proc );
    errno = error;
    return result;
}
