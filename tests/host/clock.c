/*
 * The time of day may jump: nothing here is timed by it. Server and clients run with a clock that jumps by a day at each
 * look (preload/clock_jumps.c), and whatever waits, lingers or is slowed down takes the time it takes otherwise.
 */
#include "redeemer.h"

#define SOURCE 0x20
#define TARGET 0x24

START_TEST( time_of_day_jumps )
{
    const time_t one = time( NULL ), other = time( NULL );
    uint32_t slot, generation, ticket;
    struct child target;
    uint64_t begin;
    int fd, unknown;

    ck_assert( one - other > 80000 || other - one > 80000 );
    harness_begin();
    setenv( "WS2SERVER_LINGER", "1", 1 );
    begin = harness_now();
    target = child_start( TARGET );
    ck_assert_int_eq( connection_attach( SOURCE ), 0 );
    ck_assert_uint_lt( harness_now() - begin, 5000 );
    fd = socket_make( HANDLE, &slot, &generation );
    ck_assert_int_eq( ticket_issue( slot, generation, HANDLE, fd, TARGET, &ticket, &unknown ), 0 );

    /* guesses: slowed down, and not for ever */
    begin = harness_now();
    for ( uint32_t i = 1; i <= 12; i++ ) ck_assert_int_eq( child_redeem( &target, ticket ^ i ), WSAEINVAL );
    ck_assert_uint_gt( harness_now() - begin, 1000 );
    ck_assert_uint_lt( harness_now() - begin, 20000 );

    /* a server that dies: the ticket is waited for, and there */
    kill( harness_server(), SIGKILL );
    begin = harness_now();
    ck_assert_int_eq( child_redeem( &target, ticket ), 0 );
    ck_assert_uint_lt( harness_now() - begin, 10000 );
    socket_drop( fd, slot, generation, HANDLE );
    child_end( &target );

    /* it leaves when nobody needs it, after its second and not before */
    harness_ended = 1;
    setenv( "WS2SERVER", "/bin/true", 1 );
    begin = harness_now();
    connection_end();
    eventually( !harness_server_quiet() );
    ck_assert_uint_gt( harness_now() - begin, 700 );
    harness_end();
}
END_TEST

int main( int argc, char **argv )
{
    static char path[4096];
    const ssize_t length = readlink( "/proc/self/exe", path, sizeof( path ) - 64 );
    Suite *suite = suite_create( "clock" );
    TCase *test = tcase_create( "clock" );

    (void)argc;
    if ( length <= 0 ) return 1;
    strcpy( strrchr( path, '/' ), "/preload" );
    if ( !getenv( "LD_PRELOAD" ) )
    {
        /* its name alone: a space in a path would end it */
        setenv( "LD_LIBRARY_PATH", path, 1 );
        setenv( "LD_PRELOAD", "clock_jumps.so", 1 );
        setenv( "ASAN_OPTIONS", "verify_asan_link_order=0", 0 );
        execv( "/proc/self/exe", argv );
        return 1;
    }
    tcase_set_timeout( test, 120 );
    tcase_add_test( test, time_of_day_jumps );
    suite_add_tcase( suite, test );
    return harness_main( suite );
}
