/*
 * A process that dies at any instruction leaves nothing behind: no slot, ticket, descriptor in the server, or record of
 * itself. Tried by killing real processes at random moments of creating, sharing, redeeming, naming and closing.
 */
#include "workers.h"

#define ROUNDS 2400

START_TEST( nothing_is_left )
{
    const int rounds = harness_part( ROUNDS );
    struct board *board = mmap( NULL, sizeof( *board ), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0 );
    struct job jobs[WORKERS];
    pid_t workers[WORKERS];
    struct ws2_reply reply;
    unsigned int seed = getpid(), next_pid = 0x20;
    int keeper, before;
    pid_t server;

    harness_begin();
    printf( "deaths: seed %u\n", seed );
    harness_start_server();
    keeper = raw_attach( 0, &reply, NULL );
    server = harness_table().server;
    before = server_fds_at_rest();
    for ( int i = 0; i < WORKERS; i++ )
    {
        jobs[i] = ( struct job ){ board, i, seed + i };
        board->pids[i] = next_pid += 4;
        workers[i] = 0;
    }
    for ( int round = 0; round < rounds; round++ )
    {
        const int victim = rand_r( &seed ) % WORKERS;

        if ( workers[victim] )
        {
            usleep( rand_r( &seed ) % 8000 );
            kill( workers[victim], SIGKILL );
            ck_assert_int_eq( process_wait( workers[victim] ), 1000 + SIGKILL );
        }
        /* Windows process numbers are used again at once */
        if ( rand_r( &seed ) % 2 ) board->pids[victim] = next_pid += 4;
        jobs[victim].seed = seed + round;
        jobs[victim].worker = victim;
        workers[victim] = process_start( worker_run, &jobs[victim] );
    }
    for ( int i = 0; i < WORKERS; i++ )
        if ( workers[i] )
        {
            kill( workers[i], SIGKILL );
            process_wait( workers[i] );
        }
    printf( "deaths: %d kills, %llu tickets redeemed, %llu of the dead met\n", rounds,
            (unsigned long long)board->redeemed, (unsigned long long)board->wrong );
    ck_assert_uint_eq( board->failures, 0 );
    ck_assert_uint_gt( board->redeemed, harness_part( 100 ) );
    ck_assert_int_eq( harness_table().server, server );
    eventually( harness_table().shared == 0 && harness_table().slots == 0 );
    ck_assert_uint_eq( harness_table().tickets, 0 );
    ck_assert_uint_eq( harness_table().descriptors, 0 );
    ck_assert_uint_eq( harness_table().processes, 0 );
    ck_assert_uint_eq( harness_table().leased, 0 );
    eventually( server_fds() == before );
    close( keeper );
    harness_end();
}
END_TEST

int main( void )
{
    Suite *suite = suite_create( "deaths" );
    TCase *test = tcase_create( "deaths" );

    tcase_set_timeout( test, 300 );
    tcase_add_test( test, nothing_is_left );
    suite_add_tcase( suite, test );
    return harness_main( suite );
}
