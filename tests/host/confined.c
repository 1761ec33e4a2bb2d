/*
 * Processes that are confined: to a PID name space, to a control group that is frozen or has little memory, to a small disk.
 *
 * Each needs rights that a machine may refuse; then a line says what was not tried.
 */
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include "complaint.h"

#define PID 0x20
#define HANDLE 0x100

/* --- PID name spaces: a container that shares the directory ----------------------------------------------------------*/

static int own_processes( void *unused )
{
    (void)unused;
    return unshare( CLONE_NEWPID ) != 0;
}

/* Attaches, takes a socket, and says so; the first process of a name space of its own. */
static int inner( void *context )
{
    uint32_t slot, generation;

    prctl( PR_SET_PDEATHSIG, SIGKILL );
    if ( getpid() != 1 || connection_attach( PID ) || lease_take( &slot, &generation ) ) return 1;
    if ( write( *(int *)context, "", 1 ) != 1 ) return 2;
    for ( ;; ) pause();
}

static int container( void *context )
{
    prctl( PR_SET_PDEATHSIG, SIGKILL );
    if ( unshare( CLONE_NEWPID ) ) return 1;
    return process_wait( process_start( inner, context ) );
}

static pid_t container_start( void )
{
    int ends[2];
    char byte;
    pid_t pid;

    ck_assert( !pipe2( ends, O_CLOEXEC ) );
    pid = process_start( container, &ends[1] );
    close( ends[1] );
    ck_assert_int_eq( read( ends[0], &byte, 1 ), 1 );
    close( ends[0] );
    return pid;
}

/* The server sees into it: served, and its end is noticed. */
START_TEST( container_with_the_server_outside )
{
    pid_t pid;

    if ( process_wait( process_start( own_processes, NULL ) ) )
    {
        printf( "confined: no PID name spaces of one's own: not tried\n" );
        return;
    }
    harness_begin();
    harness_start_server();
    pid = container_start();
    ck_assert_uint_eq( harness_table().processes, 1 );
    kill( pid, SIGKILL );
    process_wait( pid );
    eventually( harness_table_empty() );
    harness_end();
}
END_TEST

/* The server is in it, and does not see who is outside: refused, with a line. */
START_TEST( container_with_the_server_inside )
{
    pid_t pid;

    if ( process_wait( process_start( own_processes, NULL ) ) ) return;
    harness_begin();
    pid = container_start();
    check_complaint( NULL, "PID name space", 5000 );
    /* and it has gone with its name space: there is service for all */
    kill( pid, SIGKILL );
    process_wait( pid );
    eventually( !harness_server_quiet() );
    harness_start_server();
    eventually( harness_table_empty() );
    harness_end();
}
END_TEST

/* --- control groups ---------------------------------------------------------------------------------------------------*/

static char group[128];

static int write_to( const char *name, const char *text )
{
    char path[192];
    int fd, result;

    snprintf( path, sizeof( path ), "%s/%s", group, name );
    if ( ( fd = open( path, O_WRONLY | O_CLOEXEC ) ) < 0 ) return -1;
    result = write( fd, text, strlen( text ) ) < 0 ? -1 : 0;
    close( fd );
    return result;
}

static int has( const char *name, const char *text )
{
    char path[192], found[256] = "";
    int fd;

    snprintf( path, sizeof( path ), "%s/%s", group, name );
    if ( ( fd = open( path, O_RDONLY | O_CLOEXEC ) ) < 0 ) return 0;
    if ( read( fd, found, sizeof( found ) - 1 ) < 0 ) found[0] = 0;
    close( fd );
    return strstr( found, text ) != NULL;
}

/* A group of this test's with that file in it, of the first hierarchy that has one: 0. */
static int group_make( const char *const *hierarchies, const char *file )
{
    char path[192];

    for ( ; *hierarchies; hierarchies++ )
    {
        snprintf( group, sizeof( group ), "%s/ws2host-test-%d", *hierarchies, (int)getpid() );
        snprintf( path, sizeof( path ), "%s/%s", group, file );
        if ( mkdir( group, 0700 ) ) continue;
        if ( !access( path, W_OK ) ) return 0;
        rmdir( group );
    }
    return -1;
}

static int group_enter( pid_t pid )
{
    char text[16];

    snprintf( text, sizeof( text ), "%d", (int)pid );
    return write_to( "cgroup.procs", text );
}

static int freezer_is_new; /* of the second version of control groups */

static int freezer_make( void )
{
    static const char *const new[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified", NULL };
    static const char *const old[] = { "/sys/fs/cgroup/freezer", NULL };

    freezer_is_new = !group_make( new, "cgroup.freeze" );
    return freezer_is_new ? 0 : group_make( old, "freezer.state" );
}

static void freeze( int on )
{
    if ( freezer_is_new )
    {
        ck_assert_int_eq( write_to( "cgroup.freeze", on ? "1" : "0" ), 0 );
        eventually( has( "cgroup.events", on ? "frozen 1" : "frozen 0" ) );
    }
    else
    {
        ck_assert_int_eq( write_to( "freezer.state", on ? "FROZEN" : "THAWED" ), 0 );
        eventually( has( "freezer.state", on ? "FROZEN" : "THAWED" ) );
    }
}

static int asks( void *unused )
{
    uint32_t slot, generation;

    (void)unused;
    if ( connection_attach( PID + 4 ) ) return 1;
    return lease_take( &slot, &generation ) ? 2 : 0;
}

/* Takes and gives back slots of its own lease, fewer than half: then it would ask for the next. */
static int needs_none( void *context )
{
    const int *ends = context;
    uint32_t slots[20], generations[20];
    char byte = 0;

    if ( connection_attach( PID ) || lease_take( &slots[0], &generations[0] ) ) return 1;
    if ( write( ends[1], &byte, 1 ) != 1 || read( ends[0], &byte, 1 ) != 1 ) return 2;
    for ( int i = 1; i < 20; i++ )
        if ( lease_take( &slots[i], &generations[i] ) ) return 3;
    for ( int i = 0; i < 20; i++ )
        if ( !lease_give_back( slots[i], generations[i] ) ) return 4;
    return 0;
}

/* A server that is frozen: what needs none goes on, what needs one waits, and is answered. */
START_TEST( frozen_server )
{
    pid_t server, asking, working;
    int to[2], from[2], ends[2], status;
    char byte;

    if ( freezer_make() )
    {
        printf( "confined: no freezer of one's own: tried by SIGSTOP only (identity)\n" );
        return;
    }
    harness_begin();
    ck_assert( !pipe2( to, O_CLOEXEC ) && !pipe2( from, O_CLOEXEC ) );
    ends[0] = to[0];
    ends[1] = from[1];
    working = process_start( needs_none, ends );
    ck_assert_int_eq( read( from[0], &byte, 1 ), 1 );
    server = harness_server();
    ck_assert_int_eq( group_enter( server ), 0 );
    freeze( 1 );
    asking = process_start( asks, NULL );
    ck_assert_int_eq( write( to[1], "", 1 ), 1 );
    ck_assert_int_eq( process_wait( working ), 0 );
    ck_assert_int_eq( waitpid( asking, &status, WNOHANG ), 0 );
    freeze( 0 );
    ck_assert_int_eq( harness_server(), server );
    ck_assert_int_eq( process_wait( asking ), 0 );
    harness_end();
    eventually( !rmdir( group ) );
}
END_TEST

static int holds_a_slot( void *context )
{
    const int *ends = context;
    uint32_t slot, generation;
    uint64_t word;
    char byte = 0;

    if ( connection_attach( PID ) || lease_take( &slot, &generation ) ) return 1;
    word = ws2_table_slot( connection_table(), slot )->word;
    if ( ws2_word_state( word ) != WS2_SLOT_PRIVATE || write( ends[1], &byte, 1 ) != 1 ) return 2;
    if ( read( ends[0], &byte, 1 ) != 1 ) return 3;
    if ( ws2_table_slot( connection_table(), slot )->word != word ) return 4;
    /* it is known to the server of now */
    connection_settle();
    return lease_take( &slot, &generation ) ? 5 : 0;
}

/* A process that is frozen while one server dies and another takes over: it keeps what it has, and nobody waits for it. */
START_TEST( frozen_client )
{
    char byte;
    int to[2], from[2], ends[2];
    pid_t holder, server;

    if ( freezer_make() ) return;
    harness_begin();
    ck_assert( !pipe2( to, O_CLOEXEC ) && !pipe2( from, O_CLOEXEC ) );
    ends[0] = to[0];
    ends[1] = from[1];
    holder = process_start( holds_a_slot, ends );
    ck_assert_int_eq( read( from[0], &byte, 1 ), 1 );
    ck_assert_int_eq( group_enter( holder ), 0 );
    freeze( 1 );
    server = harness_server();
    kill( server, SIGKILL );
    ck_assert_int_eq( process_wait( process_start( asks, NULL ) ), 0 );
    ck_assert_int_ne( harness_server(), server );
    ck_assert_uint_ge( harness_table().slots, 1 );
    freeze( 0 );
    ck_assert_int_eq( write( to[1], "", 1 ), 1 );
    ck_assert_int_eq( process_wait( holder ), 0 );
    eventually( harness_table_empty() );
    harness_end();
    eventually( !rmdir( group ) );
}
END_TEST

/* Descriptors of one socket, which the next server is told of. */
static struct
{
    uint32_t slot, generation, count;
    int fd;
} adopted;

static void enumerate( connection_publish_function publish )
{
    for ( uint32_t i = 0; i < adopted.count; i++ )
        publish( adopted.slot, adopted.generation, HANDLE + 4 * i, adopted.fd );
}

/* A server whose group has too little memory is ended by the host; the next one has all that its clients hold. */
START_TEST( little_memory )
{
    static const char *const new[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified", NULL };
    static const char *const old[] = { "/sys/fs/cgroup/memory", NULL };
    const char *limit = "memory.max";
    pid_t server;
    int new_slot;

    if ( group_make( new, limit ) && group_make( old, limit = "memory.limit_in_bytes" ) )
    {
        printf( "confined: no memory limit of one's own: not tried\n" );
        return;
    }
    harness_begin();
    ck_assert_int_eq( connection_attach( PID ), 0 );
    connection_enumerate_shared = enumerate;
    adopted.fd = socket( AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0 );
    server = harness_server();
    ck_assert_int_eq( write_to( limit, "2097152" ), 0 );
    write_to( "memory.swap.max", "0" );
    ck_assert_int_eq( group_enter( server ), 0 );
    for ( uint32_t i = 0; i < 40000; i++ )
    {
        ck_assert_int_eq( connection_adopt( adopted.fd, AF_INET, SOCK_STREAM, 6, HANDLE + 4 * i, &adopted.slot,
                                            &adopted.generation, &new_slot ),
                          0 );
        adopted.count++;
    }
    ck_assert_int_ne( harness_server(), server );
    ck_assert_uint_eq( ws2_table_slot( connection_table(), adopted.slot )->descriptors, adopted.count );
    harness_end();
    eventually( !rmdir( group ) );
}
END_TEST

/* --- a small disk under the directory ----------------------------------------------------------------------------------*/

static int own_mounts( void *unused )
{
    (void)unused;
    return unshare( CLONE_NEWNS ) || mount( NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL );
}

static int name_file( int number, int make )
{
    char path[128];
    int fd;

    snprintf( path, sizeof( path ), "%s/filler-%d", harness_directory, number );
    if ( !make ) return unlink( path );
    if ( ( fd = open( path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600 ) ) >= 0 ) close( fd );
    return fd < 0 ? -1 : 0;
}

/* No room is left for the socket that somebody deletes: who is connected goes on, and there is service again with the room. */
static int on_a_small_disk( void *unused )
{
    const struct ws2_request lease = { .type = WS2_LEASE };
    struct ws2_reply reply;
    char path[128];
    int fd, files = 0;
    pid_t server;

    if ( own_mounts( unused ) || mount( "none", harness_directory, "tmpfs", 0, "size=64k,nr_inodes=16,mode=700" ) )
        return 1;
    harness_start_server();
    server = harness_server();
    fd = raw_attach( PID, &reply, NULL );
    while ( !name_file( files, 1 ) ) files++;
    if ( errno != ENOSPC ) return 2;
    kill( server, SIGSTOP );
    snprintf( path, sizeof( path ), "%s/" WS2_SERVER_SOCKET, harness_directory );
    if ( unlink( path ) ) return 3;
    /* what was freed, if anything was: the socket that has no name any more may still stand there */
    if ( !name_file( files, 1 ) ) files++;
    kill( server, SIGCONT );
    for ( int i = 0; i < 20; i++ )
        if ( raw_request( fd, &lease, -1, &reply, NULL ) ) return 4;
    if ( !access( path, F_OK ) ) return 5;
    while ( files ) name_file( --files, 0 );
    eventually( harness_server() == server );
    raw_leave( fd );
    kill( server, SIGTERM );
    return 0;
}

START_TEST( small_disk )
{
    if ( process_wait( process_start( own_mounts, NULL ) ) )
    {
        printf( "confined: no mounts of one's own: a small disk is not tried\n" );
        return;
    }
    harness_begin();
    ck_assert_int_eq( process_wait( process_start( on_a_small_disk, NULL ) ), 0 );
    harness_end();
}
END_TEST

int main( void )
{
    Suite *suite = suite_create( "confined" );
    TCase *test = tcase_create( "confined" );

    tcase_set_timeout( test, 120 );
    tcase_add_test( test, container_with_the_server_outside );
    tcase_add_test( test, container_with_the_server_inside );
    tcase_add_test( test, frozen_server );
    tcase_add_test( test, frozen_client );
    tcase_add_test( test, little_memory );
    tcase_add_test( test, small_disk );
    suite_add_tcase( suite, test );
    return harness_main( suite );
}
