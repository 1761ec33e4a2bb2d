/*
 * Tickets: the right of one process to open one more descriptor of a socket, once; and the watches that tell that such a
 * process ended without ever having connected.
 *
 * A ticket keeps the host socket open by a descriptor of its own, so its source may close first, or die. It ends when it is
 * redeemed, or with its target: by the watch that it was issued under, or, issued to a connected process, with the last
 * connection of that process. Tickets and watches are charged to the process that made them.
 */
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
#define QUARTER( part, most ) \
    ( process_descriptor_share( part ) / 4 < most ? process_descriptor_share( part ) / 4 : most )

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

LIST_HEAD( ticket_list, ticket );
static struct ticket_list by_number[BUCKETS], by_target[BUCKETS];
static unsigned int open_tickets, watches;

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

int32_t ticket_create( struct client *issuer, struct share *share, int fd, uint32_t target, uint32_t number,
                       struct ticket **result )
{
    struct watch *watch = client_watch( issuer, target );
    struct ticket *ticket;
    unsigned int room;

    if ( !watch && !client_of_windows_pid( target ) ) return WSAEINVAL;
    if ( number && ( find_number( number ) || is_spent( number, target ) ) ) return WSAEINVAL;
    /* among the tickets published again may be some that have ended without their source knowing yet */
    room = number ? 2 : 1;
    if ( issuer->process->tickets >= room * QUARTER( TICKET_PART, PROCESS_TICKETS ) ||
         open_tickets >= 2 * process_descriptor_share( TICKET_PART ) )
        return WSAENOBUFS;
    /* who asks for few is served though others hoard them */
    if ( open_tickets >= room * process_descriptor_share( TICKET_PART ) &&
         issuer->process->tickets >= PROCESS_TICKETS_ALWAYS )
        return WSAENOBUFS;
    if ( !( ticket = calloc( 1, sizeof( *ticket ) ) ) ) return WSAENOBUFS;
    ticket->share = share;
    ticket->issuer = issuer;
    ticket->watch = watch;
    ticket->number = number ? number : new_number();
    ticket->target = target;
    ticket->fd = fd;
    ticket->process = process_get( issuer->unix_pid );
    ticket->process->tickets++;
    LIST_INSERT_HEAD( &by_number[ticket->number % BUCKETS], ticket, in_numbers );
    LIST_INSERT_HEAD( &by_target[target % BUCKETS], ticket, in_targets );
    LIST_INSERT_HEAD( &share->tickets, ticket, in_share );
    LIST_INSERT_HEAD( &issuer->tickets, ticket, in_issuer );
    if ( watch ) LIST_INSERT_HEAD( &watch->tickets, ticket, in_watch );
    issuer->ticket_count++;
    client_set_sharing( issuer );
    open_tickets++;
    share_count_ticket( share, 1 );
    *result = ticket;
    return 0;
}

struct ticket *ticket_find( uint32_t number, uint32_t target )
{
    struct ticket *ticket = find_number( number );

    return ticket && ticket->target == target ? ticket : NULL;
}

static void watch_free( struct watch *watch )
{
    if ( watch->client ) LIST_REMOVE( watch, in_client );
    watch->process->watches--;
    process_put( watch->process );
    watches--;
    loop_remove( watch->fd );
    close( watch->fd );
    free( watch );
}

/* Everything of a ticket but the question whether anything else still holds its socket or its watch. */
static void ticket_unlink( struct ticket *ticket )
{
    LIST_REMOVE( ticket, in_numbers );
    LIST_REMOVE( ticket, in_targets );
    LIST_REMOVE( ticket, in_share );
    if ( ticket->watch ) LIST_REMOVE( ticket, in_watch );
    if ( ticket->issuer )
    {
        LIST_REMOVE( ticket, in_issuer );
        ticket->issuer->ticket_count--;
        client_tell_ended( ticket->issuer, ticket->number );
        client_set_sharing( ticket->issuer );
    }
    if ( ticket->fd >= 0 ) close( ticket->fd );
    ticket->process->tickets--;
    process_put( ticket->process );
    open_tickets--;
    share_count_ticket( ticket->share, -1 );
    share_check( ticket->share );
    free( ticket );
}

void ticket_end( struct ticket *ticket )
{
    struct watch *watch = ticket->watch;

    ticket_unlink( ticket );
    if ( watch && !watch->client && LIST_EMPTY( &watch->tickets ) ) watch_free( watch );
}

static void watch_ready( struct source *source, uint32_t events )
{
    struct watch *watch = (struct watch *)source;
    struct ticket *ticket;

    if ( !( events & ( EPOLLHUP | EPOLLERR | EPOLLRDHUP ) ) ) return;
    while ( ( ticket = LIST_FIRST( &watch->tickets ) ) ) ticket_unlink( ticket );
    watch_free( watch );
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
    struct watch *watch;

    if ( client_watch( client, target ) )
    {
        close( fd );
        return 0;
    }
    if ( client->process->watches >= QUARTER( WATCH_PART, PROCESS_WATCHES ) ||
         watches >= process_descriptor_share( WATCH_PART ) || !( watch = calloc( 1, sizeof( *watch ) ) ) )
    {
        close( fd );
        return WSAENOBUFS;
    }
    watch->source.ready = watch_ready;
    watch->target = target;
    watch->fd = fd;
    watch->client = client;
    if ( !hangs_up( fd ) || loop_add( &watch->source, fd, EPOLLRDHUP ) < 0 )
    {
        free( watch );
        close( fd );
        return WSAEINVAL;
    }
    LIST_INSERT_HEAD( &client->watches, watch, in_client );
    watch->process = process_get( client->unix_pid );
    watch->process->watches++;
    watches++;
    return 0;
}

void tickets_client_gone( struct client *client )
{
    struct ticket *ticket, *next;
    struct watch *watch, *next_watch;

    for ( ticket = LIST_FIRST( &client->tickets ); ticket; ticket = next )
    {
        next = LIST_NEXT( ticket, in_issuer );
        LIST_REMOVE( ticket, in_issuer );
        ticket->issuer = NULL;
    }
    client->ticket_count = 0;
    for ( watch = LIST_FIRST( &client->watches ); watch; watch = next_watch )
    {
        next_watch = LIST_NEXT( watch, in_client );
        LIST_REMOVE( watch, in_client );
        watch->client = NULL;
        if ( LIST_EMPTY( &watch->tickets ) ) watch_free( watch );
    }
    if ( !client->windows_pid || client_of_windows_pid( client->windows_pid ) ) return;
    for ( ticket = LIST_FIRST( &by_target[client->windows_pid % BUCKETS] ); ticket; ticket = next )
    {
        next = LIST_NEXT( ticket, in_targets );
        if ( ticket->target == client->windows_pid && !ticket->watch ) ticket_end( ticket );
    }
}

void ticket_spent( struct client *target, uint32_t number )
{
    struct ticket *ticket = ticket_find( number, target->windows_pid );
    struct spent *entry;

    if ( ticket ) ticket_end( ticket );
    else if ( target->spent_count < CLIENT_SPENT && ( entry = malloc( sizeof( *entry ) ) ) )
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
