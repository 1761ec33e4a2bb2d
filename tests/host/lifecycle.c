/*
 * The server's own life: one per directory however many processes start it at once, away when nobody needs it, and clear
 * words when there can be none.
 */
#include <sys/resource.h>
#include "client/event_kick.h"
#include "complaint.h"

static int attach_and_report( void *context )
{
    const int *barrier = context;
    char byte;

    if ( read( barrier[0], &byte, 1 ) != 0 ) return 1; /* until the test closes its end */
    if ( connection_attach( getpid() ) ) return 2;
    return (pid_t)ws2_table_header( connection_table() )->server_pid == harness_server() ? 0 : 3;
}

START_TEST( racing_starts )
{
    for ( int round = 0; round < 20; round++ )
    {
        pid_t children[12];
        int barrier[2];

        harness_begin();
        ck_assert( !pipe( barrier ) );
        for ( int i = 0; i < 12; i++ )
        {
            fflush( NULL );
            if ( !( children[i] = fork() ) )
            {
                close( barrier[1] );
                _exit( attach_and_report( barrier ) );
            }
        }
        close( barrier[0] );
        close( barrier[1] );
        for ( int i = 0; i < 12; i++ ) ck_assert_int_eq( process_wait( children[i] ), 0 );
        harness_end();
    }
}
END_TEST

enum ahead
{
    NO_SERVER,
    SERVER_ANSWERS,
    SERVER_DIES
};

/* The greeting that is sent ahead is waited for by nobody before the process attaches. */
static int greet_ahead( void *context )
{
    const enum ahead what = *(const enum ahead *)context;
    const pid_t before = harness_server();
    uint32_t slot, generation;

    if ( what == SERVER_DIES ) kill( before, SIGSTOP );
    if ( connection_begin( 0x20 ) != ( what != NO_SERVER ) ) return 1;
    if ( connection_table() ) return 2;
    if ( what == SERVER_DIES ) kill( before, SIGKILL );
    if ( connection_attach( 0x20 ) || lease_take( &slot, &generation ) ) return 3;
    if ( ( harness_server() == before ) != ( what == SERVER_ANSWERS ) ) return 4;
    if ( !connection_begin( 0x20 ) || connection_attach( 0x20 ) ) return 5;
    return 0;
}

START_TEST( greeted_ahead )
{
    enum ahead what = _i;

    harness_begin();
    if ( what != NO_SERVER ) harness_start_server();
    ck_assert_int_eq( process_wait( process_start( greet_ahead, &what ) ), 0 );
    eventually( harness_table_empty() );
    harness_end();
}
END_TEST

START_TEST( leaves_when_idle )
{
    uint64_t begin;
    struct ws2_reply reply;
    int keeper;

    harness_begin();
    setenv( "WS2SERVER_LINGER", "0.3", 1 );
    harness_start_server();
    keeper = raw_attach( 0, &reply, NULL );
    usleep( 800000 );
    ck_assert_int_ne( harness_server(), 0 );
    begin = harness_now();
    close( keeper );
    eventually( !harness_server_quiet() );
    ck_assert_uint_ge( harness_now() - begin, 250 );
    /* and the next process starts another, with an empty table */
    harness_start_server();
    ck_assert( harness_table_empty() );
    harness_end();
}
END_TEST

struct attached
{
    uint64_t instance;
    pid_t server, holder;
};

/* A client, until it is killed; the holder, who has the table's memory too, is none. */
static int attach_and_hold( void *context )
{
    struct attached *attached = context;
    struct stat file;
    pid_t holder;

    if ( connection_attach( 0x20 ) ) return 1;
    attached->instance = ws2_table_header( connection_table() )->instance;
    if ( !( holder = fork() ) )
    {
        for ( int fd = 3; fd < 1000; fd++ )
            if ( !fstat( fd, &file ) && S_ISSOCK( file.st_mode ) ) close( fd );
        for ( ;; ) pause();
    }
    attached->holder = holder;
    atomic_store( (_Atomic pid_t *)&attached->server, ws2_table_header( connection_table() )->server_pid );
    for ( ;; ) pause();
}

/* A client comes and goes, and then the server, by itself or killed. */
static struct attached one_server( int killed )
{
    struct attached *shared =
        mmap( NULL, sizeof( *shared ), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0 );
    const pid_t client = process_start( attach_and_hold, shared );

    eventually( atomic_load( (_Atomic pid_t *)&shared->server ) );
    if ( killed ) kill( shared->server, SIGKILL );
    kill( client, SIGKILL );
    process_wait( client );
    eventually( !harness_server_quiet() );
    return *shared;
}

/* A table is looked for among the user's processes where a server died, and only there. */
START_TEST( looks_for_a_table )
{
    struct attached first, second, third;

    harness_begin();
    setenv( "WS2SERVER_LINGER", "0.1", 1 );
    first = one_server( _i );
    second = one_server( 1 );
    kill( second.holder, SIGKILL );
    third = one_server( 0 );
    if ( _i ) ck_assert_uint_eq( second.instance, first.instance );
    else ck_assert_uint_ne( second.instance, first.instance );
    /* that another server left before the one that died says nothing */
    ck_assert_uint_eq( third.instance, first.instance );
    kill( first.holder, SIGKILL );
    kill( third.holder, SIGKILL );
    harness_end();
}
END_TEST

/* A process in a hurry meets a server on its way out again and again. */
START_TEST( leaving_and_coming )
{
    harness_begin();
    setenv( "WS2SERVER_LINGER", "0", 1 );
    for ( int i = 0; i < 60; i++ )
    {
        harness_start_server();
        usleep( i % 10 * 300 );
    }
    harness_end();
}
END_TEST

START_TEST( no_server_to_be_had )
{
    harness_begin();
    setenv( "WS2SERVER", "/nonexistent/ws2server", 1 );
    check_complaint( NULL, "WS2SERVER", 5000 );
    setenv( "WS2SERVER", "/bin/false", 1 );
    check_complaint( NULL, "/bin/false failed", 5000 );
    chmod( harness_directory, 0755 );
    check_complaint( NULL, "chmod 700", 5000 );
    chmod( harness_directory, 0700 );
    setenv( "WS2HOST_DIR", "/nonexistent/directory", 1 );
    check_complaint( NULL, "WS2HOST_DIR", 5000 );
    setenv( "WS2HOST_DIR", harness_directory, 1 );
    harness_end();
}
END_TEST

/* Directories whose socket's path is longer than an address holds, with spaces and beyond ASCII. */
START_TEST( long_paths )
{
    char path[400];
    struct ws2_reply reply;

    harness_begin();
    snprintf( path, sizeof( path ),
              "%s/a directory with spaces und Umlauten \xc3\xa4\xc3\xb6\xc3\xbc, longer than any address can hold: "
              "0123456789012345678901234567890123456789012345678901234567890123456789",
              harness_directory );
    setenv( "WS2HOST_DIR", path, 1 );
    ck_assert_int_eq( connection_attach( 0x20 ), 0 );
    memset( &reply, 0, sizeof( reply ) );
    ck_assert_uint_ne( ws2_table_header( connection_table() )->server_pid, 0 );
    setenv( "WS2SERVER", "/bin/true", 1 );
    kill( ws2_table_header( connection_table() )->server_pid, SIGTERM );
    harness_end();
}
END_TEST

/* A socket file that a dead server left, and a lock file that nobody holds, are no obstacle. */
START_TEST( stale_directory )
{
    pid_t first;

    harness_begin();
    harness_start_server();
    first = harness_server();
    kill( first, SIGKILL );
    eventually( !harness_server_quiet() );
    harness_start_server();
    ck_assert_int_ne( harness_server(), first );
    harness_end();
}
END_TEST

/* A cleaner takes away what lies in the directory, or the directory: whoever comes then finds the same server. */
START_TEST( taken_away )
{
    static const char *const commands[] = { "rm -f %s/server", "rm -f %s/server %s/lock",
                                            "until rm -rf %s 2>&-; do :; done", "mv %s %s.away" };
    char command[256];
    struct ws2_reply reply;
    pid_t server;
    int fd;

    harness_begin();
    harness_start_server();
    server = harness_server();
    fd = raw_attach( 0x20, &reply, NULL );
    snprintf( command, sizeof( command ), commands[_i], harness_directory, harness_directory );
    ck_assert( system( command ) >= 0 );
    /* at once, or when it looks */
    for ( int i = 0; i < 7500 && harness_server() != server; i++ ) usleep( 2000 );
    ck_assert_int_eq( harness_server(), server );
    ck_assert_int_eq( process_wait( process_start( attach_and_leave, NULL ) ), 0 );
    ck_assert_int_eq( harness_server(), server );
    ck_assert_uint_eq( harness_table().processes, 1 );
    ck_assert( harness_server_quiet() ); /* the lock is held */
    raw_leave( fd );
    snprintf( command, sizeof( command ), "rm -rf %s.away", harness_directory );
    ck_assert_int_eq( system( command ), 0 );
    harness_end();
}
END_TEST

#define NODE "local-0123456789abcdef"

/* A process that is kicked, and listens as an AF_UNIX socket of a program does, its node kept; tells of each kick. */
static int kicked( void *context )
{
    const int tell = *(int *)context;
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int listener = socket( AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0 ), kicks;
    struct event_kick kick;
    uint32_t index;

    if ( connection_attach( 0x20 ) || ( kicks = event_kick_open() ) < 0 ) return 1;
    snprintf( address.sun_path, sizeof( address.sun_path ), "%s/" NODE, harness_directory );
    if ( bind( listener, (struct sockaddr *)&address, sizeof( address ) ) || listen( listener, 64 ) ) return 2;
    if ( open( address.sun_path, O_PATH | O_NOFOLLOW | O_CLOEXEC ) < 0 ) return 3;
    index = connection_client_index();
    if ( write( tell, &index, sizeof( index ) ) != sizeof( index ) ) return 4;
    for ( ;; )
    {
        struct pollfd ready = { .fd = kicks, .events = POLLIN };

        poll( &ready, 1, -1 );
        if ( event_kick_receive( kicks, &kick ) && write( tell, &kick.slot, sizeof( kick.slot ) ) < 0 ) return 5;
    }
}

static int is_kicked( int told, uint32_t index )
{
    static uint32_t number;
    uint32_t slot = 0;

    event_kick_send( index, ++number, 1 );
    usleep( 10000 );
    while ( read( told, &slot, sizeof( slot ) ) > 0 && slot != number ) continue;
    return slot == number;
}

static int is_reached( void )
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket( AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0 ), error;

    snprintf( address.sun_path, sizeof( address.sun_path ), "%s/" NODE, harness_directory );
    error = connect( fd, (struct sockaddr *)&address, sizeof( address ) );
    close( fd );
    return !error;
}

/* What processes have in the directory goes with it, and is there again: for the same server, and for the next one. */
START_TEST( nodes_taken_away )
{
    /* the server may make its socket again while rm is at work */
    static const char *const commands[] = { "until rm -rf %s 2>&-; do :; done", "mv %s %s.away", "rm -f %s/kick-*",
                                            "rm -rf %s", "rm %s/" NODE };
    const int with_server = _i == 3;
    uint32_t index;
    char command[256];
    int ends[2];
    pid_t process, server;

    harness_begin();
    ck_assert( !pipe2( ends, O_CLOEXEC ) );
    process = process_start( kicked, &ends[1] );
    ck_assert_int_eq( read( ends[0], &index, sizeof( index ) ), sizeof( index ) );
    fcntl( ends[0], F_SETFL, O_NONBLOCK );
    server = harness_server();
    eventually( is_kicked( ends[0], index ) && is_reached() );
    if ( with_server ) kill( server, SIGKILL );
    snprintf( command, sizeof( command ), commands[_i], harness_directory, harness_directory );
    ck_assert_int_eq( system( command ), 0 );
    if ( with_server )
    {
        /* it comes back by itself where it shares; here somebody else brings the next one, which finds the table */
        ck_assert_int_eq( process_wait( process_start( attach_and_leave, NULL ) ), 0 );
        ck_assert_int_ne( harness_server(), server );
    }
    eventually( is_kicked( ends[0], index ) && is_reached() );
    if ( _i == 4 )
    {
        /* and again */
        ck_assert_int_eq( system( command ), 0 );
        eventually( is_reached() );
    }
    kill( process, SIGKILL );
    process_wait( process );
    /* and go with their process */
    snprintf( command, sizeof( command ), "%s/kick-%u", harness_directory, index );
    eventually( access( command, F_OK ) && errno == ENOENT );
    snprintf( command, sizeof( command ), "rm -rf %s.away", harness_directory );
    ck_assert_int_eq( system( command ), 0 );
    harness_end();
}
END_TEST

/* Somebody else's server in its place: the table goes over to it, and what was shared goes on. */
START_TEST( another_in_its_place )
{
    const struct ws2_request lease = { .type = WS2_LEASE };
    struct ws2_request hello = { .type = WS2_HELLO, .version = WS2_LAYOUT_VERSION, .windows_pid = 0x20 };
    struct ws2_reply reply;
    char away[96];
    uint32_t first;
    pid_t server;
    int fd, memfd;

    harness_begin();
    harness_start_server();
    server = harness_server();
    fd = raw_attach( 0x20, &reply, &memfd );
    hello.instance = reply.instance;
    ck_assert_int_eq( raw_request( fd, &lease, -1, &reply, NULL ), 0 );
    first = reply.slot;
    snprintf( away, sizeof( away ), "%s.away", harness_directory );
    kill( server, SIGSTOP );
    ck_assert( !rename( harness_directory, away ) && !mkdir( harness_directory, 0700 ) );
    /* while the first holds the table nobody is given another */
    if ( !fork() )
    {
        const pid_t child = process_start( attach_and_leave, NULL );

        usleep( 1000000 );
        kill( server, SIGCONT );
        _exit( process_wait( child ) );
    }
    {
        int status;

        ck_assert_int_gt( wait( &status ), 0 );
        ck_assert_int_eq( status, 0 );
    }
    eventually( harness_server() && harness_server() != server );
    close( fd );
    fd = raw_connect();
    ck_assert_int_eq( raw_request( fd, &hello, memfd, &reply, NULL ), 0 );
    ck_assert_uint_eq( reply.instance, hello.instance );
    for ( int i = 0; i < 40; i++ )
    {
        ck_assert_int_eq( raw_request( fd, &lease, -1, &reply, NULL ), 0 );
        ck_assert_uint_ne( reply.slot, first );
    }
    raw_leave( fd );
    snprintf( away, sizeof( away ), "rm -rf %s.away", harness_directory );
    ck_assert_int_eq( system( away ), 0 );
    harness_end();
}
END_TEST

/* The first program may have little; the first that may have more starts the server that all have from then on. */
static int attach_poor( void *unused )
{
    const struct rlimit few = { 200, 200 };

    (void)unused;
    if ( setrlimit( RLIMIT_NOFILE, &few ) ) return 1;
    if ( connection_attach( 0x20 ) ) return 2;
    for ( ;; ) pause();
}

static rlim_t files_of( pid_t pid )
{
    struct rlimit limit = { 0 };

    prlimit( pid, RLIMIT_NOFILE, NULL, &limit );
    return limit.rlim_cur;
}

START_TEST( limits_of_the_first )
{
    pid_t poor, server;

    harness_begin();
    poor = process_start( attach_poor, NULL );
    eventually( harness_server() != 0 );
    server = harness_server();
    eventually( harness_table().processes == 1 );
    ck_assert_uint_eq( files_of( server ), 200 );
    ck_assert_int_eq( process_wait( process_start( attach_and_leave, NULL ) ), 0 );
    ck_assert_int_ne( harness_server(), server );
    ck_assert_uint_gt( files_of( harness_server() ), 200 );
    ck_assert_uint_eq( harness_table().processes, 1 );
    kill( poor, SIGKILL );
    process_wait( poor );
    eventually( harness_table_empty() );
    harness_end();
}
END_TEST

static void with_small_files( void )
{
    const struct rlimit small = { 0x100000, 0x100000 };

    ck_assert_int_eq( setrlimit( RLIMIT_FSIZE, &small ), 0 );
}

START_TEST( limits_too_small )
{
    harness_begin();
    check_complaint( with_small_files, "ulimit -f", 12000 );
    /* and the next is not hindered */
    harness_start_server();
    harness_end();
}
END_TEST

/* The same directory whatever the environment says, but for WS2HOST_DIR: by a link too. */
START_TEST( one_directory )
{
    char home[96], link[96], path[200];
    struct stat st;
    pid_t one;

    harness_begin();
    snprintf( home, sizeof( home ), "%s/prefix", harness_directory );
    ck_assert_int_eq( mkdir( home, 0700 ), 0 );
    setenv( "WINEPREFIX", home, 1 );
    setenv( "XDG_RUNTIME_DIR", harness_directory, 1 );
    setenv( "TMPDIR", harness_directory, 1 );
    unsetenv( "WS2HOST_DIR" );
    ck_assert_int_eq( stat( home, &st ), 0 );
    snprintf( path, sizeof( path ), "/tmp/.ws2host-%u/%llx-%llx", geteuid(), (unsigned long long)st.st_dev,
              (unsigned long long)st.st_ino );
    ck_assert_int_eq( process_wait( process_start( attach_and_leave, NULL ) ), 0 );
    strcpy( link, harness_directory );
    ck_assert_uint_lt( strlen( path ), sizeof( harness_directory ) );
    strcpy( harness_directory, path );
    ck_assert_int_gt( ( one = harness_server() ), 0 );
    unsetenv( "XDG_RUNTIME_DIR" );
    unsetenv( "TMPDIR" );
    ck_assert_int_eq( process_wait( process_start( attach_and_leave, NULL ) ), 0 );
    ck_assert_int_eq( harness_server(), one );
    /* the client and the server mean the same by a link */
    snprintf( path, sizeof( path ), "%s/link", link );
    ck_assert_int_eq( symlink( harness_directory, path ), 0 );
    setenv( "WS2HOST_DIR", path, 1 );
    ck_assert_int_eq( process_wait( process_start( attach_and_leave, NULL ) ), 0 );
    ck_assert_int_eq( harness_server(), one );
    kill( one, SIGTERM );
    eventually( !harness_server() );
    ck_assert_int_eq( process_wait( process_start( attach_and_leave, NULL ) ), 0 );
    ck_assert_int_gt( harness_server(), 0 );
    harness_end();
    snprintf( path, sizeof( path ), "rm -rf %s", link );
    ck_assert_int_eq( system( path ), 0 );
}
END_TEST

int main( void )
{
    Suite *suite = suite_create( "lifecycle" );
    TCase *test = tcase_create( "lifecycle" );

    tcase_set_timeout( test, 120 );
    tcase_add_test( test, racing_starts );
    tcase_add_loop_test( test, greeted_ahead, 0, 3 );
    tcase_add_test( test, leaves_when_idle );
    tcase_add_loop_test( test, looks_for_a_table, 0, 2 );
    tcase_add_test( test, leaving_and_coming );
    tcase_add_test( test, no_server_to_be_had );
    tcase_add_test( test, long_paths );
    tcase_add_test( test, stale_directory );
    tcase_add_loop_test( test, taken_away, 0, 4 );
    tcase_add_loop_test( test, nodes_taken_away, 0, 5 );
    tcase_add_test( test, another_in_its_place );
    tcase_add_test( test, limits_of_the_first );
    tcase_add_test( test, limits_too_small );
    tcase_add_test( test, one_directory );
    suite_add_tcase( suite, test );
    return harness_main( suite );
}
