/*
 * Processes as the kernel knows them: what all connections of one hold together is charged here and limited (server.h:
 * PROCESS_...), so that no process takes what the others need; and the wrong guesses at tickets, charged to the Windows
 * process in whose name they were made, whatever connection or process they came by.
 *
 * A record lasts as long as a connection of the process, or a ticket or watch that it made.
 */
#include <stdlib.h>
#include <sys/resource.h>
#include "server.h"

#define PID_BUCKETS 1024u
#define FREE_GUESSES 4u     /* programs do replay an info now and then */
#define SLOWEST_GUESS 1000u /* ms */
#define FORGIVEN 10000u     /* ms without a wrong one, for which half of them are forgiven */
#define GUESSERS 1024u

LIST_HEAD( process_list, process );
static struct process_list by_pid[PID_BUCKETS];

static struct
{
    unsigned int wrong;
    uint64_t last;  /* when */
    uint64_t until; /* no other is looked at before */
} guesses[GUESSERS];

struct process *process_get( pid_t pid )
{
    struct process *process;

    LIST_FOREACH( process, &by_pid[(unsigned int)pid % PID_BUCKETS], in_pids )
    if ( process->unix_pid == pid ) break;
    if ( !process )
    {
        if ( !( process = calloc( 1, sizeof( *process ) ) ) ) return NULL;
        process->unix_pid = pid;
        LIST_INSERT_HEAD( &by_pid[(unsigned int)pid % PID_BUCKETS], process, in_pids );
    }
    process->users++;
    return process;
}

void process_put( struct process *process )
{
    if ( --process->users ) return;
    LIST_REMOVE( process, in_pids );
    free( process );
}

/* A third of the descriptors that the server may have are for tickets, a sixth for watches; of either, a process gets a
 * quarter at most. */
unsigned int process_descriptor_share( unsigned int part )
{
    static unsigned int files;
    struct rlimit limit;

    if ( !files )
        files = getrlimit( RLIMIT_NOFILE, &limit ) || limit.rlim_cur > 0x40000000 ? 0x40000000 : limit.rlim_cur;
    return files / part;
}

static unsigned int guesser( uint32_t windows_pid ) { return windows_pid / 4 % GUESSERS; }

uint64_t guess_wait( uint32_t windows_pid )
{
    const uint64_t now = loop_now(), until = guesses[guesser( windows_pid )].until;

    return until > now ? until - now : 0;
}

uint64_t guess_wrong( uint32_t windows_pid )
{
    const unsigned int i = guesser( windows_pid );
    const uint64_t now = loop_now();
    unsigned int shift;
    uint64_t delay;

    for ( uint64_t quiet = now - guesses[i].last; guesses[i].wrong && quiet >= FORGIVEN; quiet -= FORGIVEN )
        guesses[i].wrong /= 2;
    guesses[i].last = now;
    if ( ++guesses[i].wrong <= FREE_GUESSES ) return 0;
    shift = guesses[i].wrong - FREE_GUESSES - 1;
    delay = 10ull << ( shift < 7 ? shift : 7 );
    if ( delay > SLOWEST_GUESS ) delay = SLOWEST_GUESS;
    guesses[i].until = now + delay;
    return delay;
}
