/*
 * Tickets: the right of one process to open one more descriptor of a socket, once; and the watches that tell that such a
 * process ended without ever having connected.
 *
 * A ticket keeps the host socket open by a descriptor of its own, so its source may close first, or die. It ends when its
 * target has redeemed it: with the answer, or, answered before it was asked, when the server is told that it has been opened;
 * without room for the descriptor that it has become it stands for that until it is closed. And it ends with its target:
 * by the watch that it was issued under, or, issued to a process of the table, with that process. Tickets and watches are
 * charged to the process that made them.
 *
 * Guesses at the tickets for a target are counted for it too: who has each made by another process, of another session even,
 * is no faster. Other targets' tickets are looked up meanwhile.
 */
#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include <poll.h>
#include "server.h"
#include "ws2host/winsock_codes.h"

#define BUCKETS 4096u
#define TARGET_BUCKETS 1024u
#define WATCH_STEP 64u      /* tickets that end with their target between two events */
#define SPENT_NUMBERS 4096u /* that are known not to be guesses */

struct watch
{
    struct source source;
    LIST_ENTRY( watch ) in_client;
    LIST_HEAD(, ticket ) tickets;
    struct client *client;   /* NULL when it is gone: the watch stays as long as it has tickets */
    struct process *process; /* that it is charged to */
    uint32_t target;
    int fd;
};

struct target /* that there are open tickets for */
{
    LIST_ENTRY( target ) in_targets;
    uint32_t number;
    unsigned int tickets;
    struct guesses guesses;
};

LIST_HEAD( target_list, target );
static struct target_list by_target[TARGET_BUCKETS];
LIST_HEAD( ticket_list, ticket );
static struct ticket_list by_number[BUCKETS];
static unsigned int open_tickets, watches;

/* The last that ended: an info that is used again is no guess. */
static struct
{
    uint32_t number, target;
} ended[SPENT_NUMBERS];
static unsigned int next_ended;

/* numbers that their targets have redeemed from a server that died, kept until the take-over ends */
struct spent
{
    SLIST_ENTRY( spent ) entry;
    uint32_t number, target;
};
static SLIST_HEAD(, spent ) spent[BUCKETS];

unsigned int tickets_open( void ) { return open_tickets; }

static struct ticket *find_number( uint32_t number )
{
    struct ticket *ticket;

    LIST_FOREACH( ticket, &by_number[number % BUCKETS], in_numbers )
    if ( ticket->number == number ) return ticket;
    return NULL;
}

static uint32_t new_number( void )
{
    uint32_t number;

    do {
        if ( getrandom( &number, sizeof( number ), 0 ) != sizeof( number ) ) number = 0;
    } while ( !number || find_number( number ) );
    return number;
}

static struct watch *client_watch( struct client *client, uint32_t target )
{
    struct watch *watch;

    LIST_FOREACH( watch, &client->watches, in_client )
    if ( watch->target == target ) return watch;
    return NULL;
}

int watch_find( struct client *client, uint32_t target ) { return client_watch( client, target ) != NULL; }

static int is_spent( uint32_t number, uint32_t target )
{
    const struct spent *entry;

    SLIST_FOREACH( entry, &spent[number % BUCKETS], entry )
    if ( entry->number == number && entry->target == target ) return 1;
    return 0;
}

static struct target *find_target( uint32_t number )
{
    struct target *target;

    LIST_FOREACH( target, &by_target[number / 4 % TARGET_BUCKETS], in_targets )
    if ( target->number == number ) return target;
    return NULL;
}

static struct target *target_get( uint32_t number )
{
    struct target *target = find_target( number );

    if ( !target )
    {
        if ( !( target = calloc( 1, sizeof( *target ) ) ) ) return NULL;
        target->number = number;
        LIST_INSERT_HEAD( &by_target[number / 4 % TARGET_BUCKETS], target, in_targets );
    }
    target->tickets++;
    return target;
}

static void target_put( struct target *target )
{
    assert( target->tickets );
    if ( --target->tickets ) return;
    LIST_REMOVE( target, in_targets );
    free( target );
}

uint64_t target_guess_next( uint32_t number )
{
    const struct target *target = find_target( number );

    return target ? guesses_until( &target->guesses ) : 0;
}

void target_guessed( uint32_t number )
{
    struct target *target = find_target( number );

    if ( target ) guess_at_target( &target->guesses );
}

static unsigned int room_for_tickets( void )
{
    const unsigned int all = process_descriptor_share( TICKET_PART );

    return all > open_tickets ? all - open_tickets : 0;
}

void ticket_forget_ahead( struct ticket *ticket )
{
    struct client *target = ticket->aim;

    if ( !ticket->ahead ) return;
    if ( target->connection && target->connection->serial == ticket->ahead )
    {
        LIST_REMOVE( ticket, in_ahead );
        target->connection->ahead_count--;
    }
    ticket->ahead = 0;
    target->ahead_count--;
    claim_drop( ticket->share->slot, ticket->share->generation, target );
    client_set_sharing( target );
}

/* What make has done. */
static void unmake( struct ticket *ticket )
{
    assert( open_tickets );
    LIST_REMOVE( ticket, in_numbers );
    if ( ticket->issuer ) LIST_REMOVE( ticket, in_issuer );
    if ( ticket->aim ) LIST_REMOVE( ticket, in_aim );
    if ( ticket->watch ) LIST_REMOVE( ticket, in_watch );
    if ( ticket->taker ) LIST_REMOVE( ticket, in_taken );
    target_put( ticket->for_target );
    process_charge( ticket->process, &ticket->process->held.tickets, -1 );
    process_put( ticket->process );
    open_tickets--;
    free( ticket );
}

/* With a number, and nothing that it is for; NULL without memory. */
static struct ticket *make( struct client *issuer, uint32_t target, uint32_t number, struct client *aim,
                            struct watch *watch )
{
    struct ticket *ticket = calloc( 1, sizeof( *ticket ) );

    if ( !ticket ) return NULL;
    if ( !( ticket->for_target = target_get( target ) ) )
    {
        free( ticket );
        return NULL;
    }
    ticket->issuer = issuer;
    ticket->watch = watch;
    ticket->aim = watch ? NULL : aim;
    ticket->number = number;
    ticket->target = target;
    ticket->fd = -1;
    ticket->process = issuer->process;
    ticket->process->users++;
    process_charge( ticket->process, &ticket->process->held.tickets, 1 );
    LIST_INSERT_HEAD( &by_number[number % BUCKETS], ticket, in_numbers );
    if ( watch ) LIST_INSERT_HEAD( &watch->tickets, ticket, in_watch );
    else LIST_INSERT_HEAD( &aim->aimed, ticket, in_aim );
    LIST_INSERT_HEAD( &issuer->promised, ticket, in_issuer );
    open_tickets++;
    return ticket;
}

/* 0: no room. */
static int keep_promise( struct ticket *ticket, struct share *share, int fd, uint32_t cell )
{
    struct client *issuer = ticket->issuer;

    if ( !share_add_ticket( share, issuer ) ) return 0;
    ticket->share = share;
    ticket->fd = fd;
    ticket->cell = cell;
    ticket->counted = 1;
    LIST_REMOVE( ticket, in_issuer );
    LIST_INSERT_HEAD( &issuer->tickets, ticket, in_issuer );
    LIST_INSERT_HEAD( &share->tickets, ticket, in_share );
    client_count_ticket( issuer, ticket->target, 1 );
    return 1;
}

int32_t ticket_create_consume( struct client *issuer, struct share *share, int fd, uint32_t target, uint32_t number,
                               uint32_t cell, struct ticket **result )
{
    struct client *aim = client_of_windows_pid( target );
    struct watch *watch = client_watch( issuer, target );
    struct ticket *ticket;
    unsigned int room;
    int32_t error = WSAEINVAL;

    if ( !watch && !aim ) goto close_fd;
    if ( number && ( find_number( number ) || is_spent( number, target ) || ticket_has_ended( number, target ) ) )
        goto close_fd;
    error = WSAENOBUFS;
    /* among the tickets published again may be some that have ended without their source knowing yet */
    room = number ? 2 : 1;
    if ( !process_may_take( issuer->process, &issuer->process->held.tickets, PROCESS_TICKETS_ALWAYS,
                            room * PROCESS_TICKETS, room * room_for_tickets() ) ||
         open_tickets >= 2 * process_descriptor_share( TICKET_PART ) )
        goto close_fd;
    if ( !( ticket = make( issuer, target, number ? number : new_number(), aim, watch ) ) ) goto close_fd;
    if ( !keep_promise( ticket, share, fd, cell ) )
    {
        unmake( ticket );
        goto close_fd;
    }
    *result = ticket;
    return 0;

close_fd:
    close_later_consume( fd, issuer->process->closing );
    return error;
}

void tickets_break_promises( struct client *issuer )
{
    while ( !LIST_EMPTY( &issuer->promised ) ) unmake( LIST_FIRST( &issuer->promised ) );
}

static void break_promises_for_others( struct client *issuer, uint32_t target )
{
    struct ticket *ticket, *next;

    for ( ticket = LIST_FIRST( &issuer->promised ); ticket; ticket = next )
    {
        next = LIST_NEXT( ticket, in_issuer );
        if ( ticket->target != target ) unmake( ticket );
    }
}

unsigned int tickets_promise( struct client *issuer, uint32_t target, uint64_t *seed )
{
    struct client *aim = client_of_windows_pid( target );
    struct watch *watch = client_watch( issuer, target );
    const struct ticket *left = LIST_FIRST( &issuer->promised );
    const int again = issuer->last_target == target;
    struct process *process = issuer->process;

    issuer->last_target = target;
    if ( !aim || !again || ( left && left->target == target ) ) return 0;
    /* they count as open: no more than leaves others theirs, and this process some for other targets */
    if ( process->held.tickets + 2 * WS2_PROMISED > PROCESS_TICKETS ||
         !process_may_take( process, &process->held.tickets, 0, PROCESS_TICKETS, room_for_tickets() / 2 ) )
        return 0;
    for ( int tries = 0; tries < 4; tries++ )
    {
        unsigned int made = 0;

        if ( getrandom( seed, sizeof( *seed ), 0 ) != sizeof( *seed ) ) return 0;
        for ( uint32_t number; made < WS2_PROMISED && ( number = ws2_promised_number( *seed, made ) ); made++ )
            if ( find_number( number ) || !make( issuer, target, number, aim, watch ) ) break;
        if ( made == WS2_PROMISED )
        {
            /* the client has those that it was told of last */
            break_promises_for_others( issuer, target );
            issuer->targets_promised = 1ull << ws2_target_bit( target );
            client_set_sharing( issuer );
            return made;
        }
        while ( made-- ) unmake( LIST_FIRST( &issuer->promised ) ); /* the last that came */
    }
    return 0;
}

static struct ticket *find_promised( const struct client *issuer, uint32_t target, uint32_t number )
{
    struct ticket *ticket = find_number( number );

    return ticket && !ticket->share && ticket->issuer == issuer && ticket->target == target ? ticket : NULL;
}

int ticket_is_promised( const struct client *issuer, uint32_t target, uint32_t number )
{
    return find_promised( issuer, target, number ) != NULL;
}

int32_t ticket_keep_promise_consume( struct client *issuer, struct share *share, int fd, uint32_t target,
                                     uint32_t number, uint32_t cell )
{
    struct ticket *ticket = find_promised( issuer, target, number );

    if ( ticket && share && keep_promise( ticket, share, fd, cell ) ) return 0;
    close_later_consume( fd, issuer->process->closing );
    if ( ticket ) return WSAENOBUFS;
    /* the target has ended, most likely: what is kept for it can go */
    client_tell_ended( issuer, &( struct ended_ticket ){ .number = number, .cell = cell, .unclaimed = 1 } );
    return WSAEINVAL;
}

int ticket_publish_known( struct client *issuer, struct share *share, uint32_t number, uint32_t cell )
{
    struct ticket *ticket = find_number( number );

    if ( !ticket || !ticket->share || ticket->issuer != issuer || ticket->share != share ) return 0;
    ticket->cell = cell;
    return 1;
}

int ticket_issued( const struct client *issuer, const struct share *share )
{
    struct ticket *ticket;

    LIST_FOREACH( ticket, &share->tickets, in_share )
    if ( ticket->issuer == issuer ) return 1;
    return 0;
}

struct ticket *ticket_find( uint32_t number, uint32_t target )
{
    struct ticket *ticket = find_number( number );

    /* one for a process before it with the same number is about to end */
    return ticket && ticket->target == target && !ticket->taker && !( ticket->aim && ticket->aim->ended ) ? ticket
                                                                                                          : NULL;
}

int ticket_set_ahead( struct ticket *ticket )
{
    struct client *target = ticket->aim;
    struct connection *connection = target ? target->connection : NULL;

    if ( !connection || target == ticket->issuer || ticket->issuer->opener != ticket->target || target->resuming ||
         target->missing || connection->unsent || connection->ahead_count >= connection->ahead_most ||
         !share_claim( ticket->share, target ) )
        return 0;
    ticket->ahead = connection->serial;
    connection->ahead_count++;
    LIST_INSERT_HEAD( &connection->ahead, ticket, in_ahead );
    target->ahead_count++;
    client_set_sharing( target );
    return 1;
}

struct ticket *ticket_answered( uint32_t number, const struct connection *connection )
{
    struct ticket *ticket = ticket_find( number, connection->client->windows_pid );

    return ticket && ticket->ahead == connection->serial ? ticket : NULL;
}

int ticket_has_ended( uint32_t number, uint32_t target )
{
    for ( unsigned int i = 0; i < SPENT_NUMBERS; i++ )
        if ( ended[i].number == number && ended[i].target == target ) return 1;
    return 0;
}

static void watch_free( struct watch *watch )
{
    if ( watch->client ) LIST_REMOVE( watch, in_client );
    process_charge( watch->process, &watch->process->held.watches, -1 );
    loop_remove( watch->fd );
    close_later_consume( watch->fd, watch->process->closing );
    process_put( watch->process );
    assert( LIST_EMPTY( &watch->tickets ) && watches );
    watches--;
    free( watch );
}

/* Nobody redeems it any more. */
static void tell_ended( struct ticket *ticket )
{
    struct share *share = ticket->share;

    if ( ticket->issuer )
    {
        client_tell_ended( ticket->issuer,
                           &( struct ended_ticket ){ .number = ticket->number,
                                                     .cell = ticket->cell,
                                                     .slot = share->slot,
                                                     .generation = share->generation,
                                                     .quiet = holder_of( share, ticket->issuer ) != NULL } );
        client_count_ticket( ticket->issuer, ticket->target, -1 );
    }
    ended[next_ended].number = ticket->number;
    ended[next_ended].target = ticket->target;
    next_ended = ( next_ended + 1 ) % SPENT_NUMBERS;
}

/* Everything of a ticket but the question whether anything else still holds its socket or its watch. */
static void ticket_unlink( struct ticket *ticket )
{
    struct share *share = ticket->share;
    /* who may have had a descriptor by it */
    struct client *opener = ticket->taker ? ticket->taker : ticket->ahead ? ticket->aim : NULL;

    if ( share )
    {
        if ( !ticket->taker ) tell_ended( ticket );
        LIST_REMOVE( ticket, in_share );
        ticket_forget_ahead( ticket );
        if ( ticket->counted ) share_count_ticket( share, -1 );
        if ( share->count ) close_soon_consume( ticket->fd, ticket->process->closing );
        else close_later_consume( ticket->fd, ticket->process->closing );
    }
    unmake( ticket );
    if ( opener ) share_check_registrations( share, opener );
    if ( share ) share_check( share );
}

void ticket_end( struct ticket *ticket )
{
    struct watch *watch = ticket->watch;

    ticket_unlink( ticket );
    if ( watch && !watch->client && LIST_EMPTY( &watch->tickets ) ) watch_free( watch );
}

void ticket_take( struct ticket *ticket, struct client *target, uint32_t handle )
{
    if ( share_hold( ticket->share, target, handle ) )
    {
        ticket_end( ticket );
        return;
    }
    server_trace( "no room for a descriptor of %u: its ticket stands for it", target->windows_pid );
    tell_ended( ticket );
    ticket->taker = target;
    LIST_INSERT_HEAD( &target->taken, ticket, in_taken );
    if ( !ticket->issuer ) return;
    LIST_REMOVE( ticket, in_issuer );
    ticket->issuer = NULL;
}

struct ticket *ticket_taken( const struct share *share, const struct client *client )
{
    struct ticket *ticket;

    LIST_FOREACH( ticket, &client->taken, in_taken )
    if ( ticket->share == share ) return ticket;
    return NULL;
}

void tickets_doubt_taken( struct client *client )
{
    struct ticket *first = LIST_FIRST( &client->taken );

    if ( !LIST_EMPTY( &client->taken_doubted ) || !first ) return;
    client->taken_doubted.lh_first = first;
    first->in_taken.le_prev = &client->taken_doubted.lh_first;
    LIST_INIT( &client->taken );
}

int ticket_taken_again( const struct share *share, struct client *client )
{
    struct ticket *ticket;

    LIST_FOREACH( ticket, &client->taken_doubted, in_taken )
    if ( ticket->share == share )
    {
        LIST_REMOVE( ticket, in_taken );
        LIST_INSERT_HEAD( &client->taken, ticket, in_taken );
        return 1;
    }
    return 0;
}

int tickets_sweep_taken( struct client *client, unsigned int most )
{
    for ( ; most && !LIST_EMPTY( &client->taken_doubted ); most-- ) ticket_end( LIST_FIRST( &client->taken_doubted ) );
    return !LIST_EMPTY( &client->taken_doubted );
}

static void watch_ready( struct source *source, uint32_t events )
{
    struct watch *watch = (struct watch *)source;
    struct ticket *ticket;

    if ( !( events & ( EPOLLHUP | EPOLLERR | EPOLLRDHUP ) ) ) return;
    for ( unsigned int i = 0; i < WATCH_STEP && ( ticket = LIST_FIRST( &watch->tickets ) ); i++ )
        ticket_unlink( ticket );
    if ( LIST_EMPTY( &watch->tickets ) ) watch_free( watch );
}

/* The reading end of a pipe: nothing else hangs up for certain when the process that has the other end is gone. One that was
 * opened for writing too would be its own other end. */
static int hangs_up( int fd )
{
    struct pollfd state = { .fd = fd };
    struct stat st;

    return !fstat( fd, &st ) && S_ISFIFO( st.st_mode ) && ( fcntl( fd, F_GETFL ) & O_ACCMODE ) == O_RDONLY &&
           !poll( &state, 1, 0 );
}

int32_t watch_create_consume( struct client *client, uint32_t target, int fd )
{
    const unsigned int all = process_descriptor_share( WATCH_PART ), room = all > watches ? all - watches : 0;
    struct watch *watch;
    int32_t error = 0;

    if ( client_watch( client, target ) ) goto close_fd;
    error = WSAENOBUFS;
    if ( !process_may_take( client->process, &client->process->held.watches, 0, PROCESS_WATCHES, room ) ||
         !( watch = calloc( 1, sizeof( *watch ) ) ) )
        goto close_fd;
    watch->source.ready = watch_ready;
    watch->target = target;
    watch->fd = fd;
    watch->client = client;
    error = WSAEINVAL;
    if ( !hangs_up( fd ) || loop_add( &watch->source, fd, EPOLLRDHUP ) < 0 ) goto free_watch;
    LIST_INSERT_HEAD( &client->watches, watch, in_client );
    watch->process = client->process;
    watch->process->users++;
    process_charge( watch->process, &watch->process->held.watches, 1 );
    watches++;
    return 0;

free_watch:
    free( watch );
close_fd:
    close_later_consume( fd, client->process->closing );
    return error;
}

int tickets_release_some( struct client *client, unsigned int most )
{
    struct ticket *ticket;
    struct watch *watch;

    tickets_break_promises( client );
    for ( ; most && ( ticket = LIST_FIRST( &client->tickets ) ); most-- )
    {
        LIST_REMOVE( ticket, in_issuer );
        claim_drop( ticket->share->slot, ticket->share->generation, client );
        ticket->issuer = NULL;
    }
    for ( ; most && ( watch = LIST_FIRST( &client->watches ) ); most-- )
    {
        LIST_REMOVE( watch, in_client );
        watch->client = NULL;
        if ( LIST_EMPTY( &watch->tickets ) ) watch_free( watch );
    }
    for ( ; most && ( ticket = LIST_FIRST( &client->aimed ) ); most-- ) ticket_end( ticket );
    for ( ; most && ( ticket = LIST_FIRST( &client->taken ) ); most-- ) ticket_end( ticket );
    return !most;
}

void ticket_spent( struct client *target, uint32_t number, int keep )
{
    struct ticket *ticket = ticket_find( number, target->windows_pid );
    struct spent *entry;

    if ( ticket && ticket->share ) ticket_end( ticket );
    else if ( keep && target->spent_count < CLIENT_SPENT && ( entry = malloc( sizeof( *entry ) ) ) )
    {
        entry->number = number;
        entry->target = target->windows_pid;
        target->spent_count++;
        SLIST_INSERT_HEAD( &spent[number % BUCKETS], entry, entry );
    }
}

void tickets_forget_spent( void )
{
    for ( unsigned int i = 0; i < BUCKETS; i++ )
        while ( !SLIST_EMPTY( &spent[i] ) )
        {
            struct spent *entry = SLIST_FIRST( &spent[i] );
            SLIST_REMOVE_HEAD( &spent[i], entry );
            free( entry );
        }
}
