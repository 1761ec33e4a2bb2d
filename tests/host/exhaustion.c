/*
 * Exhaustion, in the server and in a client: no room in the table, no descriptors, no memory, no room on the disk, no right
 * to the directory. Each gives the documented Winsock error and a line that says what to do; what is open goes on, and
 * there is service again as soon as there is room.
 */
#include <netinet/in.h>
#include <pwd.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include "complaint.h"

#define PID 0x20
#define HANDLE 0x100
#define HOARDERS 12
#define PROCESS_CONNECTIONS 8 /* that the server lets one process have */

struct hoard
{
    _Atomic uint32_t blocks[HOARDERS], errors[HOARDERS], done;
    int hold[2];
    int number;
};

/* Leases all it gets, and holds it until killed; in a session of its own, or four in one. */
static int hoarder( void *context )
{
    const struct ws2_request lease = { .type = WS2_LEASE };
    struct hoard *hoard = context;
    struct ws2_reply reply;
    int fd;

    prctl( PR_SET_PDEATHSIG, SIGKILL );
    if ( hoard->number >= HOARDERS / 3 ) setsid();
    fd = raw_attach( PID + 4 + 4 * hoard->number, &reply, NULL );
    while ( !raw_request( fd, &lease, -1, &reply, NULL ) ) hoard->blocks[hoard->number]++;
    hoard->errors[hoard->number] = reply.error;
    hoard->done++;
    for ( ;; ) pause();
    return 0;
}

static struct hoard *hoard_begin( pid_t *pids, int count )
{
    struct hoard *hoard = mmap( NULL, sizeof( *hoard ), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0 );

    ck_assert_ptr_ne( hoard, MAP_FAILED );
    for ( int i = 0; i < count; i++ )
    {
        hoard->number = i;
        pids[i] = process_start( hoarder, hoard );
        eventually( hoard->done == (uint32_t)i + 1 );
    }
    return hoard;
}

static int modest_client( void *context )
{
    uint32_t slot, generation;
    int new_slot, fd = socket( AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0 );

    (void)context;
    if ( connection_attach( PID ) ) return 1;
    for ( int i = 0; i < 2 * (int)WS2_BLOCK_SLOTS; i++ )
        if ( lease_take( &slot, &generation ) ) return 2;
    return connection_adopt( fd, AF_INET, SOCK_STREAM, 6, HANDLE, &slot, &generation, &new_slot ) ? 3 : 0;
}

static int greedy_client( void *context )
{
    uint32_t slot, generation;

    if ( dup2( *(int *)context, 2 ) < 0 || connection_attach( PID ) ) return 1;
    while ( !lease_take( &slot, &generation ) ) continue;
    return lease_take( &slot, &generation ) == WSAEMFILE ? 0 : 2;
}

/* One process gets a quarter, a session at most half; and however many ask for all they get, something is left for who asks
 * for little. */
START_TEST( table_full )
{
    pid_t hoarders[HOARDERS];
    uint32_t sum = 0, of_session = 0;
    struct hoard *hoard;
    char text[1024] = "";
    int said[2];

    harness_begin();
    harness_start_server();
    hoard = hoard_begin( hoarders, HOARDERS );
    for ( int i = 0; i < HOARDERS; i++ )
    {
        ck_assert_uint_eq( hoard->errors[i], WSAEMFILE );
        ck_assert_uint_le( hoard->blocks[i], WS2_BLOCK_COUNT / 4 );
        sum += hoard->blocks[i];
        if ( i < HOARDERS / 3 ) of_session += hoard->blocks[i];
    }
    ck_assert_uint_ge( hoard->blocks[0], WS2_BLOCK_COUNT / 4 - 1 );
    ck_assert_uint_le( of_session, WS2_BLOCK_COUNT / 2 + HOARDERS );
    ck_assert_uint_gt( sum, WS2_BLOCK_COUNT / 2 );
    ck_assert_uint_lt( sum, WS2_BLOCK_COUNT );
    ck_assert_int_eq( process_wait( process_start( modest_client, NULL ) ), 0 );
    /* who asks for more is told */
    ck_assert( !pipe( said ) );
    ck_assert_int_eq( process_wait( process_start( greedy_client, &said[1] ) ), 0 );
    ck_assert_int_gt( read( said[0], text, sizeof( text ) - 1 ), 0 );
    ck_assert_msg( strstr( text, "end some Windows programs" ), "%s", text );
    for ( int i = 0; i < HOARDERS; i++ )
    {
        kill( hoarders[i], SIGKILL );
        process_wait( hoarders[i] );
    }
    eventually( harness_table_empty() );
    harness_end();
}
END_TEST

/* Tickets are charged to the process, whatever connection they came by, and as long as they are open. */
START_TEST( tickets_of_a_process )
{
    struct ws2_request lease = { .type = WS2_LEASE }, duplicate;
    uint32_t slot, generation, index, ticket = 0;
    int fd, unknown, issued = 0, raw, memfd;
    struct ws2_reply reply;
    struct ws2_slot *record;
    int32_t error;

    harness_begin();
    ck_assert_int_eq( connection_attach( PID ), 0 );
    fd = socket_make( HANDLE, &slot, &generation );
    while ( !( error = ticket_issue( slot, generation, HANDLE, fd, PID, &ticket, &unknown ) ) && issued < 20000 )
        issued++;
    ck_assert_int_eq( error, WSAENOBUFS );
    ck_assert_int_le( issued, 10000 );
    ck_assert_uint_eq( harness_table().tickets, issued );
    /* nor by another connection */
    raw = raw_attach( PID + 4, &reply, &memfd );
    index = reply.index;
    duplicate = ( struct ws2_request ){ .type = WS2_DUPLICATE, .handle = HANDLE, .windows_pid = PID };
    ck_assert_int_eq( raw_request( raw, &lease, -1, &reply, NULL ), 0 );
    duplicate.slot = reply.slot;
    record = ws2_table_slot( connection_table(), reply.slot );
    record->word = ws2_word( ws2_word_generation( record->word ), index, WS2_SLOT_PRIVATE );
    duplicate.generation = ws2_word_generation( record->word );
    ck_assert_int_eq( raw_request( raw, &duplicate, fd, &reply, NULL ), WSAENOBUFS );
    close( raw );
    close( memfd );
    harness_end();
}
END_TEST

static void limit_soft( pid_t pid, int resource, rlim_t soft )
{
    struct rlimit limit;

    ck_assert_int_eq( prlimit( pid, resource, NULL, &limit ), 0 );
    limit.rlim_cur = soft < limit.rlim_max ? soft : limit.rlim_max;
    ck_assert_int_eq( prlimit( pid, resource, &limit, NULL ), 0 );
}

/* ms of the processor that a process takes in so many ms */
static int processor_time( pid_t pid, unsigned int ms )
{
    unsigned long ticks[2];

    for ( int i = 0; i < 2; i++ )
    {
        unsigned long user = 0, system = 0;
        char path[32];
        FILE *file;

        if ( i ) usleep( ms * 1000 );
        snprintf( path, sizeof( path ), "/proc/%d/stat", (int)pid );
        ck_assert_ptr_nonnull( ( file = fopen( path, "r" ) ) );
        ck_assert_int_eq(
            fscanf( file, "%*d (ws2server) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system ), 2 );
        fclose( file );
        ticks[i] = user + system;
    }
    return ( ticks[1] - ticks[0] ) * 1000 / sysconf( _SC_CLK_TCK );
}

static int attach_now( void *unused )
{
    (void)unused;
    return connection_attach( PID + 8 ) ? 1 : 0;
}

/* The descriptors of the server: its sockets, the processes that it watches, and the highest number. */
struct server_files
{
    int sockets, processes, highest;
};

static struct server_files files_of( pid_t pid )
{
    struct server_files files = { .highest = -1 };
    const struct dirent *entry;
    char path[32], target[64];
    DIR *directory;

    snprintf( path, sizeof( path ), "/proc/%d/fd", (int)pid );
    ck_assert_ptr_nonnull( ( directory = opendir( path ) ) );
    while ( ( entry = readdir( directory ) ) )
    {
        const ssize_t size = readlinkat( dirfd( directory ), entry->d_name, target, sizeof( target ) - 1 );

        if ( size < 0 ) continue; /* . and .., and what was closed meanwhile */
        target[size] = 0;
        files.sockets += !strncmp( target, "socket:", 7 );
        files.processes += !strncmp( target, "anon_inode:[pidfd]", 18 ) || !strncmp( target, "pidfd:", 6 );
        if ( atoi( entry->d_name ) > files.highest ) files.highest = atoi( entry->d_name );
    }
    closedir( directory );
    return files;
}

/* Nothing waits to be closed: of sockets there are the one that it listens on, which it has twice, and these connections,
 * all of one process. */
static int server_rests( pid_t pid, int open_connections )
{
    const struct server_files files = files_of( pid );

    return files.sockets == 2 + open_connections && files.processes == ( open_connections != 0 );
}

/* It refuses one connection more, and for good: nothing that it had open before waited to be closed. */
static int server_is_full( pid_t pid, int *fds, int most, int *filled )
{
    const struct ws2_request hello = { .type = WS2_HELLO, .version = WS2_LAYOUT_VERSION };
    struct ws2_reply reply;

    if ( !server_rests( pid, *filled ) ) return 0;
    ck_assert_int_lt( *filled, most );
    ck_assert_int_ge( ( fds[*filled] = raw_connect() ), 0 );
    if ( !raw_request( fds[*filled], &hello, -1, &reply, NULL ) )
    {
        ++*filled;
        return 0;
    }
    close( fds[*filled] );
    return 1;
}

START_TEST( server_without_descriptors )
{
    uint32_t slot, generation, ticket;
    int fd, unknown, fds[PROCESS_CONNECTIONS], filled = 1;
    struct ws2_reply reply;
    pid_t server;

    harness_begin();
    harness_start_server();
    server = harness_server();
    /* without a connection it would leave, and the next one have all it needs */
    fds[0] = raw_attach( 0, &reply, NULL );
    eventually( server_rests( server, filled ) );
    limit_soft( server, RLIMIT_NOFILE, files_of( server ).highest + 1 );
    eventually( server_is_full( server, fds, PROCESS_CONNECTIONS, &filled ) );
    check_complaint( NULL, "; end ", 25000 ); /* refused, or not even that */
    /* not even refused: it looks again now and then, without turning round and round */
    limit_soft( server, RLIMIT_NOFILE, 3 );
    fd = raw_connect();
    usleep( 200000 );
    ck_assert_int_lt( processor_time( server, 1000 ), 500 );
    limit_soft( server, RLIMIT_NOFILE, RLIM_INFINITY );
    close( fd );
    while ( filled ) close( fds[--filled] );
    ck_assert_int_eq( process_wait( process_start( attach_now, NULL ) ), 0 );

    ck_assert_int_eq( connection_attach( PID ), 0 );
    fd = socket_make( HANDLE, &slot, &generation );
    ck_assert_int_eq( ticket_issue( slot, generation, HANDLE, fd, PID, &ticket, &unknown ), 0 );
    limit_soft( server, RLIMIT_NOFILE, 3 );
    ck_assert_int_eq( ticket_issue( slot, generation, HANDLE, fd, PID, &ticket, &unknown ), WSAENOBUFS );
    limit_soft( server, RLIMIT_NOFILE, RLIM_INFINITY );
    ck_assert_int_eq( ticket_issue( slot, generation, HANDLE, fd, PID, &ticket, &unknown ), 0 );
    ck_assert_uint_eq( harness_table().tickets, 2 );
    ck_assert_int_eq( harness_server(), server );
    harness_end();
}
END_TEST

static rlim_t address_space( pid_t pid )
{
    unsigned long pages = 0;
    char path[32];
    FILE *file;

    snprintf( path, sizeof( path ), "/proc/%d/statm", (int)pid );
    ck_assert_ptr_nonnull( ( file = fopen( path, "r" ) ) );
    ck_assert_int_eq( fscanf( file, "%lu", &pages ), 1 );
    fclose( file );
    return (rlim_t)pages * sysconf( _SC_PAGESIZE );
}

START_TEST( server_without_memory )
{
    uint32_t slot, generation, none[2];
    int fd, new_slot, adopted = 0;
    pid_t server;
    int32_t error = 0;

    harness_begin();
    ck_assert_int_eq( connection_attach( PID ), 0 );
    server = harness_server();
    fd = socket( AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0 );
    limit_soft( server, RLIMIT_AS, address_space( server ) );
    while ( !error && adopted < 200000 )
    {
        error = connection_adopt( fd, AF_INET, SOCK_STREAM, 6, HANDLE + 4 * adopted, adopted ? &none[0] : &slot,
                                  adopted ? &none[1] : &generation, &new_slot );
        adopted += !error;
    }
    ck_assert_int_eq( error, WSAENOBUFS );
    /* what it holds is given back without any */
    for ( int i = 0; i < adopted / 2; i++ ) connection_close( slot, generation, HANDLE + 4 * i );
    ck_assert_int_eq( connection_adopt( fd, AF_INET, SOCK_STREAM, 6, HANDLE, &slot, &generation, &new_slot ), 0 );
    limit_soft( server, RLIMIT_AS, RLIM_INFINITY );
    ck_assert_int_eq( harness_table().descriptors, adopted - adopted / 2 + 1 );
    ck_assert_int_eq( harness_server(), server );
    harness_end();
}
END_TEST

/* --- a client without ---------------------------------------------------------------------------------------------------*/

static void without_memory( void ) { limit_soft( 0, RLIMIT_AS, address_space( getpid() ) + 0x1000000 ); }
static void without_descriptors( void ) { limit_soft( 0, RLIMIT_NOFILE, 3 ); }

static int redeemer_without_descriptors( void *tickets )
{
    uint32_t slot, generation;
    int redeemed = -1;
    int32_t error;

    if ( connection_attach( PID ) ) return 1;
    if ( write( ( (int *)tickets )[1], "", 1 ) != 1 ) return 2;
    for ( int i = 0; i < 2; i++ )
    {
        uint32_t ticket;

        if ( read( ( (int *)tickets )[1], &ticket, sizeof( ticket ) ) != sizeof( ticket ) ) return 3;
        if ( !i ) limit_soft( 0, RLIMIT_NOFILE, 3 );
        error = ticket_redeem( ticket, &slot, &generation, &redeemed );
        limit_soft( 0, RLIMIT_NOFILE, RLIM_INFINITY );
        if ( !i && ( error != WSAEMFILE || redeemed != -1 ) ) return 4;
    }
    /* the first was not counted */
    if ( harness_table().descriptors != 2 ) return 5;
    return error ? 6 : 0;
}

static void redeem_without_descriptors( void )
{
    uint32_t slot, generation, ticket, opened_slot, opened_generation;
    int fd, unknown, opened, tickets[2];
    pid_t redeemer;
    char byte;

    ck_assert( !socketpair( AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, tickets ) );
    redeemer = process_start( redeemer_without_descriptors, tickets );
    ck_assert_int_eq( read( tickets[0], &byte, 1 ), 1 );
    ck_assert_int_eq( connection_attach( 2 * PID ), 0 );
    fd = socket_make( HANDLE, &slot, &generation );
    for ( int i = 0; i < 2; i++ )
    {
        ck_assert_int_eq( ticket_issue( slot, generation, HANDLE, fd, PID, &ticket, &unknown ), 0 );
        ck_assert_int_eq( write( tickets[0], &ticket, sizeof( ticket ) ), sizeof( ticket ) );
    }
    ck_assert_int_eq( process_wait( redeemer ), 0 );
    /* what a process has issued to itself it opens without one more */
    ck_assert_int_eq( ticket_issue( slot, generation, HANDLE, fd, 2 * PID, &ticket, &unknown ), 0 );
    limit_soft( 0, RLIMIT_NOFILE, 3 );
    ck_assert_int_eq( ticket_redeem_as( ticket, HANDLE + 4, &opened_slot, &opened_generation, &opened ), 0 );
    limit_soft( 0, RLIMIT_NOFILE, RLIM_INFINITY );
    socket_drop( opened, opened_slot, opened_generation, HANDLE + 4 );
    socket_drop( fd, slot, generation, HANDLE );
}

START_TEST( client_without )
{
    harness_begin();
    harness_start_server();
    check_complaint( without_memory, "memory", 5000 );
    check_complaint( without_descriptors, "ulimit -n", 5000 );
    redeem_without_descriptors();
    connection_end();
    eventually( harness_table_empty() );
    harness_end();
}
END_TEST

/* --- directories ----------------------------------------------------------------------------------------------------------*/

static void as_nobody( void )
{
    const struct passwd *nobody = getpwnam( "nobody" );

    ck_assert( nobody && !setgid( nobody->pw_gid ) && !setuid( nobody->pw_uid ) );
}

/* Containers may forbid mounts of one's own. */
static int own_mounts( void *unused )
{
    (void)unused;
    return unshare( CLONE_NEWNS ) || mount( NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL );
}

/* A disk with room for two names, in a name space of its own: the directory itself, and no file in it. */
static void on_a_full_disk( void )
{
    char path[128];

    ck_assert_int_eq( own_mounts( NULL ), 0 );
    ck_assert_int_eq( mount( "none", harness_directory, "tmpfs", 0, "size=4k,nr_inodes=2,mode=700" ), 0 );
    snprintf( path, sizeof( path ), "%s/directory", harness_directory );
    setenv( "WS2HOST_DIR", path, 1 );
}

static void on_a_read_only_disk( void )
{
    on_a_full_disk();
    ck_assert_int_eq( mount( NULL, harness_directory, NULL, MS_REMOUNT | MS_RDONLY, NULL ), 0 );
}

START_TEST( no_place_for_a_server )
{
    harness_begin();
    if ( geteuid() ) printf( "exhaustion: not root: another user's directory is not tried\n" );
    else check_complaint( as_nobody, "Permission denied; set WS2HOST_DIR", 5000 );
    if ( process_wait( process_start( own_mounts, NULL ) ) )
        printf( "exhaustion: no mounts of one's own: full and read-only disks are not tried\n" );
    else
    {
        check_complaint( on_a_full_disk, "No space left on device", 5000 );
        check_complaint( on_a_full_disk, "make room", 5000 );
        check_complaint( on_a_read_only_disk, "Read-only file system; set WS2HOST_DIR", 5000 );
    }
    /* where it cannot be made, for anybody */
    setenv( "WS2HOST_DIR", "/proc/nowhere", 1 );
    check_complaint( NULL, "set WS2HOST_DIR", 5000 );
    setenv( "WS2HOST_DIR", harness_directory, 1 );
    harness_end();
}
END_TEST

static int attach_and_tell( void *context )
{
    const pid_t server = connection_attach( 0x20 ) ? 0 : (pid_t)ws2_table_header( connection_table() )->server_pid;

    return write( *(int *)context, &server, sizeof( server ) ) != sizeof( server );
}

static pid_t server_of_prefix( const char *name )
{
    char path[256];
    pid_t server;
    int ends[2];

    snprintf( path, sizeof( path ), "%s/%s", harness_directory, name );
    mkdir( path, 0700 );
    setenv( "WINEPREFIX", path, 1 );
    ck_assert( !pipe( ends ) );
    ck_assert_int_eq( process_wait( process_start( attach_and_tell, &ends[1] ) ), 0 );
    ck_assert_int_eq( read( ends[0], &server, sizeof( server ) ), sizeof( server ) );
    ck_assert_int_gt( server, 1 );
    close( ends[0] );
    close( ends[1] );
    return server;
}

/* Prefixes beside each other, one with spaces in its name and one beyond ASCII, have a server each. */
START_TEST( prefixes )
{
    pid_t one, other;

    harness_begin();
    unsetenv( "WS2HOST_DIR" );
    setenv( "XDG_RUNTIME_DIR", harness_directory, 1 );
    one = server_of_prefix( "a prefix with spaces" );
    other = server_of_prefix( "Pr\xc3\xa4"
                              "fix \xe6\x97\xa5\xe6\x9c\xac" );
    ck_assert_int_ne( one, other );
    ck_assert_int_eq( server_of_prefix( "a prefix with spaces" ), one );
    kill( other, SIGKILL );
    ck_assert_int_eq( server_of_prefix( "a prefix with spaces" ), one );
    kill( one, SIGTERM );
    harness_end();
}
END_TEST

int main( void )
{
    Suite *suite = suite_create( "exhaustion" );
    TCase *test = tcase_create( "exhaustion" );

    tcase_set_timeout( test, 120 );
    tcase_add_test( test, table_full );
    tcase_add_test( test, tickets_of_a_process );
    tcase_add_test( test, server_without_descriptors );
    tcase_add_test( test, server_without_memory );
    tcase_add_test( test, client_without );
    tcase_add_test( test, no_place_for_a_server );
    tcase_add_test( test, prefixes );
    suite_add_tcase( suite, test );
    return harness_main( suite );
}
