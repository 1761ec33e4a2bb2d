/*
 * The server's own life: one per directory however many processes start it at once, away when nobody needs it, and clear
 * words when there can be none.
 */
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

int main( void )
{
    Suite *suite = suite_create( "lifecycle" );
    TCase *test = tcase_create( "lifecycle" );

    tcase_set_timeout( test, 120 );
    tcase_add_test( test, racing_starts );
    tcase_add_test( test, leaves_when_idle );
    tcase_add_test( test, leaving_and_coming );
    tcase_add_test( test, no_server_to_be_had );
    tcase_add_test( test, long_paths );
    tcase_add_test( test, stale_directory );
    suite_add_tcase( suite, test );
    return harness_main( suite );
}
