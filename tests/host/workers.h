/*
 * Processes that do at random all that can be done to shared sockets: make, duplicate (for each other and themselves),
 * redeem, name, adopt, close. For the tests that kill them, or the server under them.
 */
#ifndef WS2HOST_TEST_WORKERS_H
#define WS2HOST_TEST_WORKERS_H

#include <sys/prctl.h>
#include "harness.h"

#define WORKERS 6
#define BOARD_TICKETS 64
#define HELD 16

/* Where the workers leave each other tickets, in memory that they share. */
struct board
{
    _Atomic uint64_t tickets[BOARD_TICKETS]; /* target's Windows pid << 32 | ticket */
    _Atomic uint32_t pids[WORKERS];
    _Atomic uint64_t redeemed, wrong, failures;
    _Atomic uint32_t last_failure, stop;
};

struct job
{
    struct board *board;
    int worker;
    unsigned int seed;
};

static struct held
{
    _Atomic int live; /* what a descriptor table would show */
    int fd;
    uint32_t slot, generation, handle;
} held[HELD];

static void worker_enumerate( connection_publish_function publish )
{
    for ( int i = 0; i < HELD; i++ )
        if ( held[i].live &&
             ws2_word_state( ws2_table_slot( connection_table(), held[i].slot )->word ) == WS2_SLOT_SHARED )
            publish( held[i].slot, held[i].generation, held[i].handle, held[i].fd );
}

static void worker_close( struct held *h )
{
    h->live = 0;
    socket_drop( h->fd, h->slot, h->generation, h->handle );
    h->fd = -1;
}

static void worker_failed( struct board *board, uint32_t where, int32_t error )
{
    board->failures++;
    board->last_failure = where * 100000 + error;
}

static void worker_step( struct job *job, struct held *h, uint32_t *next_handle )
{
    struct board *board = job->board;
    const uint32_t self = board->pids[job->worker];
    uint32_t ticket;
    int unknown, new_slot;
    int32_t error;

    switch ( rand_r( &job->seed ) % 6 )
    {
    case 0: /* a socket of its own */
        if ( h->fd >= 0 ) break;
        h->handle = *next_handle += 4;
        h->fd = socket_make( h->handle, &h->slot, &h->generation );
        if ( h->fd < 0 ) worker_failed( board, 1, 0 );
        else h->live = 1;
        break;
    case 1: /* a ticket for another, or for itself */
    {
        const uint32_t target = board->pids[rand_r( &job->seed ) % WORKERS];

        if ( h->fd < 0 ) break;
        error = ticket_issue( h->slot, h->generation, h->handle, h->fd, target, &ticket, &unknown );
        if ( !error ) board->tickets[rand_r( &job->seed ) % BOARD_TICKETS] = (uint64_t)target << 32 | ticket;
        /* the target may have died meanwhile, or have tickets enough */
        else if ( !unknown && error != WSAENOBUFS ) worker_failed( board, 2, error );
        break;
    }
    case 2: /* a ticket left for it */
        if ( h->fd >= 0 ) break;
        for ( int j = 0; j < BOARD_TICKETS && h->fd < 0; j++ )
        {
            uint64_t entry = board->tickets[j];

            if ( entry >> 32 != self || !atomic_compare_exchange_strong( &board->tickets[j], &entry, 0 ) ) continue;
            if ( ticket_redeem( entry, &h->slot, &h->generation, &h->fd ) )
            {
                board->wrong++;
                h->fd = -1;
                continue;
            }
            h->handle = *next_handle += 4;
            connection_name( h->slot, h->generation, h->handle );
            h->live = 1;
            board->redeemed++;
        }
        break;
    case 3: /* a socket that ws2host has not seen */
        if ( h->fd >= 0 ) break;
        h->fd = socket( AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0 );
        h->handle = *next_handle += 4;
        error = connection_adopt( h->fd, AF_INET, SOCK_STREAM, 6, h->handle, &h->slot, &h->generation, &new_slot );
        if ( error ) worker_failed( board, 3, error );
        h->live = !error;
        break;
    default: /* closing, more often than making */
        if ( h->fd >= 0 ) worker_close( h );
    }
}

/* Works until killed, or until board->stop is set: then it closes all it has and leaves. */
static int worker_run( void *context )
{
    struct job *job = context;
    uint32_t next_handle = 4;

    prctl( PR_SET_PDEATHSIG, SIGKILL );
    connection_enumerate_shared = worker_enumerate;
    for ( int i = 0; i < HELD; i++ ) held[i].fd = -1;
    if ( connection_attach( job->board->pids[job->worker] ) ) return 1;
    while ( !job->board->stop ) worker_step( job, &held[rand_r( &job->seed ) % HELD], &next_handle );
    for ( int i = 0; i < HELD; i++ )
        if ( held[i].fd >= 0 ) worker_close( &held[i] );
    return 0;
}

#endif
