/*
 * Processes as the kernel knows them: one by its number and start time, watched by a pidfd while it has a client in the
 * table. What all its connections hold together is charged to it, and to its family, which is its session: no program takes
 * what the others need. So are its wrong guesses at tickets.
 *
 * The limits leave room: what one may hold is a part of what is still free, so that some is left however many ask for all.
 * A record lasts as long as a connection or a client of the process, or a ticket, watch or socket that it made, and some time
 * after a wrong guess: or one that leaves and comes again would be free.
 */
#include <assert.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "server.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

#define BUCKETS 1024u
#define FREE_GUESSES 4u /* a program may be wrong now and then */
#define FREE_GUESSES_OF_SESSION 64u
#define FREE_GUESSES_OF_ALL 1000u
#define FREE_GUESSES_AT_TARGET 64u
#define SLOWEST_GUESS 1000u /* ms */
#define SLOWEST_GUESS_OF_ALL 10u
#define GUESSES_AHEAD 8000u /* ms of waiting that a process may owe: many of its threads may wait at a time */
#define FORGIVEN 10000u     /* ms without a wrong one, for which half of them are forgiven */
#define REMEMBERED 60000u   /* ms */
#define SESSIONS 1024u

LIST_HEAD( process_list, process );
LIST_HEAD( family_list, family );
static struct process_list by_pid[BUCKETS];
static struct family_list by_session[BUCKETS];

static TAILQ_HEAD(, process ) guessers = TAILQ_HEAD_INITIALIZER( guessers ); /* in the order of their first guess */
static struct guesses of_session[SESSIONS], of_all; /* they outlast a session, or a new one would be free */

int process_look( pid_t pid, struct process_look *look )
{
    char path[32], text[1024], *field;
    ssize_t size;
    int fd;

    snprintf( path, sizeof( path ), "/proc/%d/stat", (int)pid );
    if ( pid <= 0 || ( fd = open( path, O_RDONLY | O_CLOEXEC ) ) < 0 ) return 0;
    size = read( fd, text, sizeof( text ) - 1 );
    close( fd );
    if ( size <= 0 ) return 0;
    text[size] = 0;
    /* the second field is the name in parentheses, which may hold anything */
    if ( !( field = strrchr( text, ')' ) ) ) return 0;
    for ( int i = 2; i < 22 && field; i++ )
    {
        if ( i == 6 ) look->session = atoi( field + 1 );
        field = strchr( field + 1, ' ' );
    }
    look->start_time = field ? strtoull( field + 1, NULL, 10 ) : 0;
    return look->start_time != 0;
}

static struct family *family_get( pid_t session )
{
    struct family *family;

    LIST_FOREACH( family, &by_session[(unsigned int)session % BUCKETS], in_sessions )
    if ( family->session == session ) break;
    if ( !family )
    {
        if ( !( family = calloc( 1, sizeof( *family ) ) ) ) return NULL;
        family->session = session;
        LIST_INSERT_HEAD( &by_session[(unsigned int)session % BUCKETS], family, in_sessions );
    }
    family->users++;
    return family;
}

static void family_put( struct family *family )
{
    assert( family->users );
    if ( --family->users ) return;
    LIST_REMOVE( family, in_sessions );
    free( family );
}

struct process *process_get( pid_t pid )
{
    struct process_look look = { 0 };
    struct process *process;

    if ( !process_look( pid, &look ) ) return NULL;
    LIST_FOREACH( process, &by_pid[(unsigned int)pid % BUCKETS], in_pids )
    if ( process->unix_pid == pid && process->start_time == look.start_time ) break;
    if ( !process )
    {
        if ( !( process = calloc( 1, sizeof( *process ) ) ) ) return NULL;
        if ( !( process->closing = close_queue_create() ) || !( process->family = family_get( look.session ) ) )
        {
            if ( process->closing ) close_queue_free( process->closing );
            free( process );
            return NULL;
        }
        process->unix_pid = pid;
        process->start_time = look.start_time;
        process->pidfd = -1;
        LIST_INSERT_HEAD( &by_pid[(unsigned int)pid % BUCKETS], process, in_pids );
    }
    process->users++;
    return process;
}

struct process *process_foreign( void )
{
    static struct process foreign = { .pidfd = -1, .users = 1 };
    static struct family family;

    if ( !foreign.closing && !( foreign.closing = close_queue_create() ) ) return NULL;
    foreign.family = &family;
    foreign.users++;
    return &foreign;
}

int process_is_foreign( const struct process *process ) { return !process->unix_pid; }

void process_put( struct process *process )
{
    assert( process->users );
    if ( --process->users ) return;
    LIST_REMOVE( process, in_pids );
    assert( LIST_EMPTY( &process->clients ) );
    process_unwatch( process ); /* of one that was watched, and that there was no room for in the table */
    family_put( process->family );
    close_queue_free( process->closing );
    free( process );
}

void process_charge( struct process *process, unsigned int *what, int change )
{
    unsigned int *of_family =
        (unsigned int *)( (char *)&process->family->held + ( (char *)what - (char *)&process->held ) );

    assert( change >= 0 || ( *what >= 0u - change && *of_family >= 0u - change ) );
    *what += change;
    *of_family += change;
}

int process_watch( struct process *process, int connection, void ( *ended )( struct source *source, uint32_t events ) )
{
    struct process_look look = { 0 };
    socklen_t size = sizeof( process->pidfd );
    int is_peer;

    if ( process->pidfd >= 0 ) return 0;
    is_peer = connection >= 0 && !getsockopt( connection, SOL_SOCKET, SO_PEERPIDFD, &process->pidfd, &size );
    if ( !is_peer ) process->pidfd = syscall( SYS_pidfd_open, process->unix_pid, 0 );
    if ( process->pidfd < 0 ) return -1;
    process->source.ready = ended;
    /* The number may have gone to another process before it was looked up here: then the one that was meant has ended. Who has
     * connected and still runs has had its number all the time since, so what was looked up by that is of it. */
    if ( process_has_ended( process ) ||
         ( !is_peer && ( !process_look( process->unix_pid, &look ) || look.start_time != process->start_time ) ) ||
         loop_add( &process->source, process->pidfd, EPOLLIN ) < 0 )
    {
        close( process->pidfd );
        process->pidfd = -1;
        return -1;
    }
    return 0;
}

void process_unwatch( struct process *process )
{
    if ( process->pidfd < 0 ) return;
    loop_remove( process->pidfd );
    close( process->pidfd );
    process->pidfd = -1;
}

void process_check_watch( struct process *process )
{
    if ( LIST_EMPTY( &process->clients ) && LIST_EMPTY( &process->connections ) ) process_unwatch( process );
}

int process_has_ended( const struct process *process )
{
    struct pollfd state = { .fd = process->pidfd, .events = POLLIN };

    return process->pidfd >= 0 && poll( &state, 1, 0 ) == 1;
}

/* A third of the descriptors that the server may have are for tickets, a sixth for watches. */
unsigned int process_descriptor_share( unsigned int part )
{
    static unsigned int files;
    struct rlimit limit;

    if ( !files )
        files = getrlimit( RLIMIT_NOFILE, &limit ) || limit.rlim_cur > 0x40000000 ? 0x40000000 : limit.rlim_cur;
    return files / part;
}

int process_may_take( const struct process *process, const unsigned int *what, unsigned int always, unsigned int most,
                      unsigned int free )
{
    const unsigned int of_family = *(const unsigned int *)( (const char *)&process->family->held +
                                                            ( (const char *)what - (const char *)&process->held ) );

    if ( *what >= most ) return 0;
    if ( *what < always ) return 1;
    return *what < free / 3 && of_family < free;
}

/* They wait one after the other, by however many connections they come. */
static uint64_t wait_for( struct guesses *guesses, uint64_t delay )
{
    const uint64_t now = loop_now();

    if ( guesses->until < now ) guesses->until = now;
    guesses->until += delay;
    return guesses->until - now;
}

static void remember( struct process *process )
{
    process->guesses.remembered = loop_now();
    if ( !process->has_guessed ) process->users++;
    process->has_guessed = 1;
    TAILQ_INSERT_TAIL( &guessers, process, in_guessers );
}

void guesses_forget( void )
{
    struct process *process;

    while ( ( process = TAILQ_FIRST( &guessers ) ) )
    {
        const uint64_t now = loop_now();

        if ( now < process->guesses.remembered + REMEMBERED ) return;
        TAILQ_REMOVE( &guessers, process, in_guessers );
        if ( now < process->guesses.last + REMEMBERED || now < process->guesses.until ) remember( process );
        else
        {
            process->has_guessed = 0;
            process_put( process );
        }
    }
}

/* ms for one wrong guess */
static uint64_t slow_down( struct guesses *guesses, unsigned int unpunished, uint64_t slowest )
{
    const uint64_t now = loop_now();
    unsigned int shift;
    uint64_t delay;

    for ( uint64_t quiet = now - guesses->last; guesses->wrong && quiet >= FORGIVEN; quiet -= FORGIVEN )
        guesses->wrong /= 2;
    guesses->last = now;
    if ( ++guesses->wrong <= unpunished ) return 0;
    shift = guesses->wrong - unpunished - 1;
    delay = 10ull << ( shift < 7 ? shift : 7 );
    return wait_for( guesses, delay < slowest ? delay : slowest );
}

uint64_t guess_wrong( struct process *process )
{
    const uint64_t delays[] = {
        slow_down( &process->guesses, FREE_GUESSES, SLOWEST_GUESS ),
        slow_down( &of_session[process->family->session % SESSIONS], FREE_GUESSES_OF_SESSION, SLOWEST_GUESS ),
        slow_down( &of_all, FREE_GUESSES_OF_ALL, SLOWEST_GUESS_OF_ALL ),
    };
    uint64_t most = delays[0];

    if ( !process->has_guessed ) remember( process );
    if ( delays[1] > most ) most = delays[1];
    if ( delays[2] > most ) most = delays[2];
    return most < GUESSES_AHEAD ? most : GUESSES_AHEAD;
}

void guess_at_target( struct guesses *guesses ) { slow_down( guesses, FREE_GUESSES_AT_TARGET, SLOWEST_GUESS ); }

uint64_t guesses_until( const struct guesses *guesses )
{
    const uint64_t now = loop_now();

    return guesses->until > now ? guesses->until - now : 0;
}

void guess_early( struct process *process, uint64_t delay )
{
    wait_for( &process->guesses, delay );
    if ( !process->has_guessed ) remember( process );
}

uint64_t guess_next( const struct process *process )
{
    const uint64_t now = loop_now();

    return process->guesses.until > now + GUESSES_AHEAD ? process->guesses.until - now - GUESSES_AHEAD : 0;
}
