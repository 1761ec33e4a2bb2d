/*
 * A process that dies at any instruction leaves nothing behind: no slot, ticket, descriptor in the server, or record of
 * itself. Tried by killing real processes at random moments of creating, sharing, redeeming, naming and closing.
 */
#include <sys/prctl.h>
#include "harness.h"

#define WORKERS 6
#define ROUNDS 2400
#define BOARD_TICKETS 64

/* Where the workers leave each other tickets, in memory that they share. */
struct board
{
    _Atomic uint64_t tickets[BOARD_TICKETS]; /* target's Windows pid << 32 | ticket */
    _Atomic uint32_t pids[WORKERS];
    _Atomic uint64_t redeemed, wrong, failures;
};

struct job
{
    struct board *board;
    int worker;
    unsigned int seed;
};

#define HELD 16

static int worker_run( void *context )
{
    struct job *job = context;
    struct board *board = job->board;
    const uint32_t self = board->pids[job->worker];
    struct { int fd; uint32_t slot, generation, handle; int adopted; } held[HELD] = { { 0 } };
    uint32_t next_handle = 4;

    prctl( PR_SET_PDEATHSIG, SIGKILL );
    if (connection_attach( self )) return 1;
    for (int i = 0; i < HELD; i++) held[i].fd = -1;
    for (;;)
    {
        const int i = rand_r( &job->seed ) % HELD;
        uint32_t ticket;
        int unknown, new_slot;

        switch (rand_r( &job->seed ) % 6)
        {
        case 0: /* a socket of its own */
            if (held[i].fd >= 0) break;
            held[i].handle = next_handle += 4;
            held[i].fd = socket_make( held[i].handle, &held[i].slot, &held[i].generation );
            break;
        case 1: /* a ticket for another, or for itself */
        {
            const uint32_t target = board->pids[rand_r( &job->seed ) % WORKERS];
            int32_t error;

            if (held[i].fd < 0) break;
            error = ticket_issue( held[i].slot, held[i].generation, held[i].handle, held[i].fd, target, &ticket, &unknown );
            if (!error) board->tickets[rand_r( &job->seed ) % BOARD_TICKETS] = (uint64_t)target << 32 | ticket;
            /* the target may have died meanwhile, or have tickets enough */
            else if (!unknown && error != WSAENOBUFS) board->failures++;
            break;
        }
        case 2: /* a ticket left for it */
            if (held[i].fd >= 0) break;
            for (int j = 0; j < BOARD_TICKETS && held[i].fd < 0; j++)
            {
                uint64_t entry = board->tickets[j];

                if (entry >> 32 != self || !atomic_compare_exchange_strong( &board->tickets[j], &entry, 0 )) continue;
                if (ticket_redeem( entry, &held[i].slot, &held[i].generation, &held[i].fd ))
                {
                    board->wrong++;
                    held[i].fd = -1;
                    continue;
                }
                held[i].handle = next_handle += 4;
                connection_name( held[i].slot, held[i].generation, held[i].handle );
                board->redeemed++;
            }
            break;
        case 3: /* a socket that ws2host has not seen */
            if (held[i].fd >= 0) break;
            held[i].fd = socket( AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0 );
            held[i].handle = next_handle += 4;
            if (connection_adopt( held[i].fd, AF_INET, SOCK_STREAM, 6, held[i].handle, &held[i].slot, &held[i].generation,
                                  &new_slot ) || !new_slot)
                board->failures++;
            break;
        default: /* closing, more often than making */
            if (held[i].fd < 0) break;
            if (!lease_give_back( held[i].slot, held[i].generation ))
                connection_close( held[i].slot, held[i].generation, held[i].handle );
            close( held[i].fd );
            held[i].fd = -1;
        }
    }
}

START_TEST( nothing_is_left )
{
    struct board *board = mmap( NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0 );
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
    before = descriptors_of( server );
    for (int i = 0; i < WORKERS; i++)
    {
        jobs[i] = (struct job){ board, i, seed + i };
        board->pids[i] = next_pid += 4;
        workers[i] = 0;
    }
    for (int round = 0; round < ROUNDS; round++)
    {
        const int victim = rand_r( &seed ) % WORKERS;

        if (workers[victim])
        {
            usleep( rand_r( &seed ) % 8000 );
            kill( workers[victim], SIGKILL );
            ck_assert_int_eq( process_wait( workers[victim] ), 1000 + SIGKILL );
        }
        /* Windows process numbers are used again at once */
        if (rand_r( &seed ) % 2) board->pids[victim] = next_pid += 4;
        jobs[victim].seed = seed + round;
        jobs[victim].worker = victim;
        workers[victim] = process_start( worker_run, &jobs[victim] );
    }
    for (int i = 0; i < WORKERS; i++)
        if (workers[i])
        {
            kill( workers[i], SIGKILL );
            process_wait( workers[i] );
        }
    printf( "deaths: %d kills, %llu tickets redeemed, %llu of the dead met\n", ROUNDS, (unsigned long long)board->redeemed,
            (unsigned long long)board->wrong );
    ck_assert_uint_eq( board->failures, 0 );
    ck_assert_uint_gt( board->redeemed, 100 );
    ck_assert_int_eq( harness_table().server, server );
    eventually( harness_table().shared == 0 && harness_table().slots == 0 );
    ck_assert_uint_eq( harness_table().tickets, 0 );
    ck_assert_uint_eq( harness_table().descriptors, 0 );
    ck_assert_uint_eq( harness_table().processes, 0 );
    ck_assert_uint_eq( harness_table().leased, 0 );
    ck_assert_int_eq( descriptors_of( server ), before );
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
