/*
 * Many sockets: 100 000 in 50 processes, and 15 000 shared ones in a process that dies. Promised are 128 bytes of shared
 * memory a socket, nothing in the server for a socket that nobody shares, and a table that is empty when they are gone;
 * and that answers which nobody reads take none for good. What they cost is printed; no time is checked.
 */
#include <sys/prctl.h>
#include <sys/resource.h>
#include "client/table_map.h"
#include "harness.h"

#define PROCESSES 50
#define SOCKETS 2000
#define SHARED 15000

/* Where the processes say that they are ready; they then wait to be killed. */
struct counter
{
    _Atomic unsigned int ready, failed;
    unsigned int process;
};

static void raise_descriptors( void )
{
    struct rlimit limit;

    getrlimit( RLIMIT_NOFILE, &limit );
    limit.rlim_cur = limit.rlim_max;
    setrlimit( RLIMIT_NOFILE, &limit );
}

static struct counter *counter_make( void )
{
    void *counter = mmap( NULL, sizeof( struct counter ), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0 );

    ck_assert_ptr_ne( counter, MAP_FAILED );
    return counter;
}

static __attribute__( ( noreturn ) ) int wait_to_be_killed( struct counter *counter, int failed )
{
    counter->failed += failed;
    counter->ready++;
    for ( ;; ) pause();
}

static int hold_private( void *context )
{
    struct counter *counter = context;
    uint32_t slot, generation;

    prctl( PR_SET_PDEATHSIG, SIGKILL );
    raise_descriptors();
    if ( connection_attach( 0x100 + 4 * counter->process ) ) return wait_to_be_killed( counter, 1 );
    for ( uint32_t i = 0; i < SOCKETS; i++ )
        if ( socket_make( 4 * i + 4, &slot, &generation ) < 0 ) return wait_to_be_killed( counter, 1 );
    return wait_to_be_killed( counter, 0 );
}

static int hold_shared( void *context )
{
    struct counter *counter = context;

    prctl( PR_SET_PDEATHSIG, SIGKILL );
    raise_descriptors();
    if ( connection_attach( 0x100 ) ) return wait_to_be_killed( counter, 1 );
    for ( uint32_t i = 0; i < SHARED; i++ )
    {
        uint32_t slot, generation;
        int new_slot, fd = socket( AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0 );

        if ( fd < 0 || connection_adopt( fd, AF_INET, SOCK_STREAM, 6, 4 * i + 4, &slot, &generation, &new_slot ) )
            return wait_to_be_killed( counter, 1 );
    }
    return wait_to_be_killed( counter, 0 );
}

/* Bytes of memory that the table takes, by all who map it together. */
static uint64_t table_bytes( void )
{
    struct ws2_reply reply;
    struct stat status;
    int memfd, fd = raw_attach( 0, &reply, &memfd );

    ck_assert_int_eq( fstat( memfd, &status ), 0 );
    close( memfd );
    close( fd );
    return status.st_blocks * 512ull;
}

/* A process that counts, and ends. */
static int counts( void *context )
{
    struct ws2_counts *page;

    (void)context;
    if ( connection_attach( 0x100 ) ) return 1;
    if ( !( page = table_map_counts( connection_client_index(), NULL ) ) ) return 2;
    page->lines[0].values[0]++;
    return 0;
}

#define PAGES_OF_COUNTS 64

START_TEST( counts_of_processes_that_ended )
{
    uint64_t before;
    int keeper;

    harness_begin();
    harness_start_server();
    keeper = raw_attach( 0, &( struct ws2_reply ){ 0 }, NULL );
    /* blocks that were leased rest before they are leased again: so many are used in turn */
    for ( int i = 0; i < PAGES_OF_COUNTS; i++ ) ck_assert_int_eq( process_wait( process_start( counts, NULL ) ), 0 );
    eventually( harness_table().processes == 0 );
    before = table_bytes();
    for ( int i = 0; i < PAGES_OF_COUNTS; i++ ) ck_assert_int_eq( process_wait( process_start( counts, NULL ) ), 0 );
    eventually( table_bytes() <= before + PAGES_OF_COUNTS / 4 * sizeof( struct ws2_counts ) );
    close( keeper );
    harness_end();
}
END_TEST

static uint64_t server_bytes( void )
{
    char path[32], line[128];
    uint64_t kilobytes = 0;
    FILE *file;

    snprintf( path, sizeof( path ), "/proc/%d/status", (int)harness_server() );
    ck_assert_ptr_nonnull( ( file = fopen( path, "r" ) ) );
    while ( fgets( line, sizeof( line ), file ) )
        if ( !strncmp( line, "RssAnon:", 8 ) ) kilobytes = strtoull( line + 8, NULL, 10 );
    fclose( file );
    ck_assert_uint_gt( kilobytes, 0 );
    return kilobytes * 1024;
}

static void kill_all( const pid_t *pids, unsigned int count )
{
    for ( unsigned int i = 0; i < count; i++ ) kill( pids[i], SIGKILL );
    for ( unsigned int i = 0; i < count; i++ ) ck_assert_int_eq( process_wait( pids[i] ), 1000 + SIGKILL );
}

static void wait_ready( const struct counter *counter, unsigned int count )
{
    const uint64_t deadline = harness_now() + 120000;

    while ( counter->ready < count && harness_now() < deadline ) usleep( 1000 );
    ck_assert_uint_eq( counter->ready, count );
    ck_assert_uint_eq( counter->failed, 0 );
}

START_TEST( hundred_thousand_sockets )
{
    struct counter *counter = counter_make();
    uint64_t table, server, begin;
    pid_t pids[PROCESSES];
    int keeper, fds;

    harness_begin();
    harness_start_server();
    keeper = raw_attach( 0, &( struct ws2_reply ){ 0 }, NULL );
    table = table_bytes();
    server = server_bytes();
    fds = server_fds_at_rest();
    begin = harness_now();
    for ( counter->process = 0; counter->process < PROCESSES; counter->process++ )
    {
        pids[counter->process] = process_start( hold_private, counter );
        wait_ready( counter, counter->process + 1 );
    }
    begin = harness_now() - begin;
    ck_assert_uint_eq( harness_table().slots, PROCESSES * SOCKETS );
    table = table_bytes() - table;
    server = server_bytes() > server ? server_bytes() - server : 0;
    printf( "crowd: %u sockets in %u processes: made in %llu ms, %llu bytes of table and %llu of the server each\n",
            PROCESSES * SOCKETS, PROCESSES, (unsigned long long)begin,
            (unsigned long long)table / ( PROCESSES * SOCKETS ), (unsigned long long)server / ( PROCESSES * SOCKETS ) );
    /* a slot each, and of each process what is left of its last lease, one more, and pages half used */
    ck_assert_uint_le( table, 128ull * PROCESSES * SOCKETS + PROCESSES * 3 * WS2_BLOCK_SLOTS * 128 );
    ck_assert_uint_le( server, PROCESSES * 16384 );
    ck_assert_int_le( server_fds(), fds + PROCESSES * 4 );

    begin = harness_now();
    kill_all( pids, PROCESSES );
    eventually( harness_table().slots == 0 && harness_table().leased == 0 );
    printf( "crowd: all of them killed, the table empty after %llu ms\n",
            (unsigned long long)( harness_now() - begin ) );
    ck_assert_uint_eq( harness_table().processes, 0 );
    eventually( server_fds() == fds );
    close( keeper );
    harness_end();
}
END_TEST

START_TEST( death_with_many_shared )
{
    struct counter *counter = counter_make();
    uint64_t begin;
    pid_t pid, server;
    int keeper, fds;

    harness_begin();
    harness_start_server();
    keeper = raw_attach( 0, &( struct ws2_reply ){ 0 }, NULL );
    server = harness_server();
    fds = server_fds_at_rest();
    begin = harness_now();
    pid = process_start( hold_shared, counter );
    wait_ready( counter, 1 );
    begin = harness_now() - begin;
    ck_assert_uint_eq( harness_table().shared, SHARED );
    ck_assert_uint_eq( harness_table().descriptors, SHARED );
    printf( "crowd: %u shared sockets made in %llu ms, server holds %d descriptors\n", SHARED,
            (unsigned long long)begin, server_fds() );
    begin = harness_now();
    kill_all( &pid, 1 );
    eventually( harness_table().slots == 0 );
    printf( "crowd: their process killed, the table empty after %llu ms\n",
            (unsigned long long)( harness_now() - begin ) );
    ck_assert_uint_eq( harness_table().descriptors, 0 );
    ck_assert_int_eq( harness_server(), server );
    eventually( server_fds() == fds );
    close( keeper );
    harness_end();
}
END_TEST

#define UNREAD 200

/* What does not fit the way back is kept, one answer a connection, and is gone with it, whatever the server hears before. */
START_TEST( answers_never_read )
{
    struct ws2_request adopt = { .type = WS2_ADOPT, .flags = 2 | 1 << 16 | 6 << 24 }, list = { .type = WS2_LIST };
    const int host = socket( AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0 );
    char answer[sizeof( struct ws2_reply ) + WS2_LIST_ROWS * sizeof( struct ws2_row )];
    struct ws2_reply reply;
    uint64_t before = 0;
    int keeper, rounds = 60;

    harness_begin();
    harness_start_server();
    keeper = raw_attach( 0x20, &reply, NULL );
    for ( adopt.handle = 4; adopt.handle <= 4 * WS2_LIST_ROWS; adopt.handle += 4 )
        ck_assert_int_eq( raw_request( keeper, &adopt, host, &reply, NULL ), 0 );
    for ( int round = -rounds / 4; round < rounds; round++ )
    {
        const int fd = raw_attach( 0, &reply, NULL );

        if ( !round ) before = server_bytes();
        for ( int i = 0; i < UNREAD; i++ )
            ck_assert_int_eq( raw_send( fd, &list, sizeof( list ), NULL, 0 ), sizeof( list ) );
        shutdown( fd, SHUT_WR );
        while ( raw_receive( fd, answer, sizeof( answer ), NULL ) > 0 ) continue;
        close( fd );
    }
    /* of the answers to one connection, 64 and more did not fit */
    ck_assert_uint_lt( server_bytes(), before + rounds * 16 * sizeof( answer ) );
    raw_leave( keeper );
    close( host );
    harness_end();
}
END_TEST

int main( void )
{
    Suite *suite = suite_create( "crowd" );
    TCase *test = tcase_create( "crowd" );

    tcase_set_timeout( test, 300 );
    tcase_add_test( test, counts_of_processes_that_ended );
    tcase_add_test( test, hundred_thousand_sockets );
    tcase_add_test( test, death_with_many_shared );
    tcase_add_test( test, answers_never_read );
    suite_add_tcase( suite, test );
    return harness_main( suite );
}
