/*
 * More than the server can take at once: requests, connections, processes, closes that last. Others
 * are served all the same, and nothing is left of it.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include "harness.h"

#define PID 0x20

START_TEST( floods )
{
    struct ws2_request request = { .type = WS2_LIST };
    struct ws2_reply reply;
    int before, keeper, fds[64], sent = 0;

    harness_begin();
    harness_start_server();
    keeper = raw_attach( 0, &reply, NULL );
    before = server_fds_at_rest();
    /* requests whose answers are never read: not read any more, others served meanwhile; and answered when they are */
    fds[0] = raw_attach( PID, &reply, NULL );
    for ( uint64_t last = harness_now(); harness_now() - last < 500; )
        if ( message_send( fds[0], &request, sizeof( request ), NULL, 0, MSG_DONTWAIT ) == sizeof( request ) )
        {
            sent++;
            last = harness_now();
        }
        else usleep( 1000 );
    ck_assert_int_lt( sent, 10000 );
    ck_assert( harness_table_empty() || harness_table().processes == 1 );
    for ( ; sent; sent-- ) ck_assert_int_ge( raw_receive( fds[0], &reply, sizeof( reply ), NULL ), sizeof( reply ) );
    close( fds[0] );
    /* connections of one process are limited */
    for ( int i = 0; i < 64; i++ ) fds[i] = raw_connect();
    eventually( server_fds() < before + 16 );
    for ( int i = 0; i < 64; i++ ) close( fds[i] );
    eventually( server_fds() <= before ); /* it has heard that they are gone */
    check_unharmed( PID, before );
    close( keeper );
    harness_end();
}
END_TEST

struct latecomer
{
    int tell, stay;
};

/* Says HELLO where there is no room for one more process, hangs up, and lives on. */
static int late_client( void *context )
{
    const struct latecomer *latecomer = context;
    const struct ws2_request hello = { .type = WS2_HELLO, .version = WS2_LAYOUT_VERSION, .windows_pid = PID };
    struct ws2_reply reply;
    const int fd = raw_connect(), error = fd < 0 ? -1 : raw_request( fd, &hello, -1, &reply, NULL );
    char byte;

    close( fd );
    if ( write( latecomer->tell, &error, sizeof( error ) ) != sizeof( error ) ) return 1;
    return read( latecomer->stay, &byte, 1 ) != 0;
}

/* As many clients as it gets, however few connections it has at a time; tells how many, and stays. */
static int many_clients( void *context )
{
    struct ws2_request hello = { .type = WS2_HELLO, .version = WS2_LAYOUT_VERSION };
    int error = 0, count = 0;
    struct ws2_reply reply;

    prctl( PR_SET_PDEATHSIG, SIGKILL );
    setsid();
    while ( error <= 0 )
    {
        const int fd = raw_connect();

        /* it may have more connections at a moment than a process may have: they are closed when the server comes to it */
        hello.windows_pid = ( getpid() << 10 ) + 4 * count;
        if ( fd < 0 ) continue;
        if ( !( error = raw_request( fd, &hello, -1, &reply, NULL ) ) ) count++;
        close( fd );
    }
    if ( write( *(int *)context, &count, sizeof( count ) ) != sizeof( count ) ) return 1;
    for ( ;; ) pause();
}

/* The table is full of processes: no process has many of them, and one that comes then leaves nothing with the server, while it runs and when it ends. */
START_TEST( no_room_for_a_process )
{
    int tell[2], stay[2], error, keeper, before, count;
    unsigned int others = 0;
    struct latecomer latecomer;
    struct ws2_reply reply;
    pid_t child, pids[200];

    harness_begin();
    harness_start_server();
    keeper = raw_attach( 0, &reply, NULL );
    ck_assert( !pipe( tell ) );
    for ( uint32_t clients = 0; clients < WS2_CLIENT_COUNT; clients += count )
    {
        ck_assert_uint_lt( others, sizeof( pids ) / sizeof( pids[0] ) );
        pids[others++] = process_start( many_clients, &tell[1] );
        ck_assert_int_eq( read( tell[0], &count, sizeof( count ) ), sizeof( count ) );
        ck_assert_int_ge( count, 1 );
        ck_assert_int_le( count, 256 );
    }
    ck_assert( !pipe( stay ) );
    before = server_fds_at_rest();
    latecomer = ( struct latecomer ){ tell[1], stay[0] };
    if ( !( child = fork() ) )
    {
        close( stay[1] );
        _exit( late_client( &latecomer ) );
    }
    ck_assert_int_eq( read( tell[0], &error, sizeof( error ) ), sizeof( error ) );
    ck_assert_int_eq( error, WSAENOBUFS );
    eventually( server_fds() == before );
    close( stay[1] );
    ck_assert_int_eq( process_wait( child ), 0 );
    ck_assert_int_eq( harness_table().processes, WS2_CLIENT_COUNT );
    while ( others )
    {
        kill( pids[--others], SIGKILL );
        process_wait( pids[others] );
    }
    close( keeper );
    harness_end();
}
END_TEST

#define CLOSES 500
#define CLOSE_ROUNDS 10

/* Has that many descriptors of one socket, and closes them at once, as often as it is told. */
static int closer( void *context )
{
    struct ws2_request adopt = { .type = WS2_ADOPT, .flags = 2 | 1 << 16 | 6 << 24 }, close_one = { .type = WS2_CLOSE };
    const int *ends = context, fd = raw_connect(), host = socket( AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0 );
    const struct ws2_request hello = { .type = WS2_HELLO, .version = WS2_LAYOUT_VERSION, .windows_pid = PID };
    struct ws2_reply reply;
    char byte;

    if ( fd < 0 || raw_request( fd, &hello, -1, &reply, NULL ) ) return 1;
    for ( int round = 0; round < CLOSE_ROUNDS; round++ )
    {
        for ( adopt.handle = 4; adopt.handle <= 4 * CLOSES; adopt.handle += 4 )
            if ( raw_request( fd, &adopt, host, &reply, NULL ) ) return 2;
        close_one.slot = reply.slot;
        close_one.generation = reply.generation;
        usleep( 100000 ); /* a while in which it sends nothing: then what it sends at once is no flood */
        for ( close_one.handle = 4; close_one.handle <= 4 * CLOSES; close_one.handle += 4 )
            if ( raw_send( fd, &close_one, sizeof( close_one ), NULL, 0 ) < 0 ) return 3;
        if ( write( ends[1], "", 1 ) != 1 || read( ends[1], &byte, 1 ) != 1 ) return 4;
    }
    return 0;
}

/* What others ask after somebody has closed comes to the server after it, however many those were. */
START_TEST( closed_before_others_ask )
{
    struct ws2_request list = { .type = WS2_LIST };
    struct ws2_reply reply;
    int ends[2], observer;
    pid_t process;
    char byte;

    harness_begin();
    harness_start_server();
    ck_assert( !socketpair( AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends ) );
    observer = raw_attach( 0, &reply, NULL );
    process = process_start( closer, ends );
    for ( int round = 0; round < CLOSE_ROUNDS; round++ )
    {
        ck_assert_int_eq( read( ends[0], &byte, 1 ), 1 );
        ck_assert_int_eq( raw_request( observer, &list, -1, &reply, NULL ), 0 );
        ck_assert_uint_eq( reply.count, 0 );
        ck_assert_int_eq( write( ends[0], "", 1 ), 1 );
    }
    ck_assert_int_eq( process_wait( process ), 0 );
    close( observer );
    harness_end();
}
END_TEST

/* Makes a connection, gives it away, and ends. */
static int gives_away( void *context )
{
    struct ws2_reply reply;
    const int fd = raw_attach( 0, &reply, NULL );

    return message_send( *(int *)context, "", 1, &fd, 1, 0 ) != 1;
}

/* A connection ends with the process that made it: its giver is charged, and would be nobody. */
START_TEST( connections_given_away )
{
    int ends[2], before, given;
    char byte;

    harness_begin();
    harness_start_server();
    before = server_fds_at_rest();
    ck_assert( !socketpair( AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends ) );
    for ( int i = 0; i < 2 * 8; i++ )
    {
        ck_assert_int_eq( process_wait( process_start( gives_away, &ends[1] ) ), 0 );
        ck_assert_int_eq( raw_receive( ends[0], &byte, 1, &given ), 1 );
        ck_assert( given >= 0 && raw_hangs_up( given ) );
    }
    eventually( server_fds() == before );
    harness_end();
}
END_TEST

#define CLOSERS 520 /* more than the server has threads to close descriptors */

static int listener_of_linger = -1;

/* Leaves the server a socket whose last close would wait 600 s for a peer that reads nothing. */
static int lingering( void *unused )
{
    const struct ws2_request close_request = { .type = WS2_CLOSE };
    const struct linger linger = { 1, 600 };
    static const char data[65536];
    struct sockaddr_in address;
    socklen_t size = sizeof( address );
    int fd = socket( AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0 ), connection = raw_connect();

    (void)unused;
    if ( getsockname( listener_of_linger, (struct sockaddr *)&address, &size ) ||
         connect( fd, (struct sockaddr *)&address, sizeof( address ) ) )
        return 1;
    fcntl( fd, F_SETFL, O_NONBLOCK );
    while ( send( fd, data, sizeof( data ), MSG_NOSIGNAL ) > 0 ) continue;
    setsockopt( fd, SOL_SOCKET, SO_LINGER, &linger, sizeof( linger ) );
    return raw_send( connection, &close_request, sizeof( close_request ), &fd, 1 ) != sizeof( close_request );
}

/* Each by a process of its own, which has ended. Others' descriptors are closed all the same, and so others are served. */
START_TEST( closes_that_last )
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl( INADDR_LOOPBACK ) };
    struct ws2_request adopt = { .type = WS2_ADOPT, .flags = 2 | 1 << 16 | 6 << 24 };
    struct ws2_reply reply;
    int fd, host;
    pid_t server;

    harness_begin();
    harness_start_server();
    server = harness_server();
    fd = raw_attach( PID, &reply, NULL );
    host = socket( AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0 );
    listener_of_linger = socket( AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0 );
    ck_assert( !bind( listener_of_linger, (struct sockaddr *)&address, sizeof( address ) ) );
    ck_assert( !listen( listener_of_linger, CLOSERS ) );
    for ( int i = 0; i < CLOSERS; i++ )
    {
        ck_assert_int_eq( process_wait( process_start( lingering, NULL ) ), 0 );
        ck_assert_int_ge( accept4( listener_of_linger, NULL, NULL, SOCK_CLOEXEC ), 0 );
    }
    for ( int i = 0; i < 300; i++ )
    {
        adopt.handle += 4;
        ck_assert_int_eq( raw_request( fd, &adopt, host, &reply, NULL ), 0 );
    }
    raw_leave( fd );
    eventually( server_fds() < 32 );
    ck_assert_int_eq( harness_server(), server );
    harness_end();
}
END_TEST

int main( void )
{
    Suite *suite = suite_create( "floods" );
    TCase *test = tcase_create( "floods" );

    tcase_set_timeout( test, 120 );
    tcase_add_test( test, closed_before_others_ask );
    tcase_add_test( test, connections_given_away );
    tcase_add_test( test, closes_that_last );
    tcase_add_test( test, floods );
    tcase_add_test( test, no_room_for_a_process );
    suite_add_tcase( suite, test );
    return harness_main( suite );
}
