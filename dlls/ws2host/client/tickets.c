/*
 * Tickets as the process sees them: issued for WSADuplicateSocket, redeemed for WSASocket.
 *
 * A ticket must outlive the server that gave it. So a process keeps, for each ticket it issued, a descriptor of the socket
 * until the ticket has ended, and publishes all of them to a server that takes over. That a ticket has ended the server
 * writes into a cell, in memory that it shares with this process, right after the answer that redeemed it: so it is known
 * here whatever this process was doing, and no ticket that has been redeemed is published again. But for the last one, whose
 * server died in between: who redeemed it says so to the next server (SPENT).
 *
 * Who issues tickets for one target again and again is promised some: those need no answer (ISSUE), as long as the target is
 * there by the table. And one that the process has issued to itself it opens by itself, with the descriptor that it keeps.
 *
 * Who opens one ticket after another of those who issue so has the server's answer before it asks. The ticket stands for the
 * descriptor in what is counted until the server is told, which is not before something else is, most often that the
 * descriptor is closed; but soon, by the server monitor thread: until then the issuer keeps the socket open.
 *
 * The lists are guarded by connection's mutex.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <unistd.h>
#include "base/host_trace.h"
#include "client/client_private.h"
#include "client/table_map.h"
#include "ws2host/winsock_codes.h"

#define SPENT_KEPT 256
#define NOTICES_MANY 32
#define LATEST 10000 /* ms that the answer to REDEEM may take */
#define NO_CELL 0xffffffffu
#define SWEEP 32u /* more tickets than were open at the last look are looked at again */
#define BUCKETS 256
/* One more than the server knows of: asked to answer again it takes the first answer for gone before that is known here. */
#define AHEAD_PLACES ( WS2_AHEAD_MOST + 1 )

struct kept_ticket
{
    LIST_ENTRY( kept_ticket ) entry;
    LIST_ENTRY( kept_ticket ) in_slot;
    uint32_t number, slot, generation, target, cell;
    int fd;
    int helpers; /* it keeps those of its socket too */
    int unknown; /* to the server that there is now, which had no room for it */
};

struct kept_watch /* of a target that had no connection when its tickets were issued */
{
    LIST_ENTRY( kept_watch ) entry;
    uint32_t target;
    unsigned int tickets;
    int fd;
};

static LIST_HEAD(, kept_ticket ) kept_tickets[BUCKETS], kept_of_slots[BUCKETS];
static unsigned int kept_count, sweep_at = SWEEP;
static LIST_HEAD(, kept_watch ) kept_watches;
static uint32_t spent[SPENT_KEPT];
static unsigned int next_spent;

/* The cells of the tickets that are kept. */
static struct
{
    _Atomic uint32_t *numbers; /* NULL before there are any */
    int fd;
    uint32_t next;
    uint64_t used[WS2_CELLS / 64];
} cells = { .fd = -1 };

/* What is kept of the DUPLICATE that is on its way: one whose socket or cell cannot be kept is not asked for. */
static struct
{
    int fd;
    uint32_t cell;
} reserved = { -1, NO_CELL };

/* Numbers of tickets that the server has promised, for one target. */
static struct
{
    uint64_t seed;
    uint32_t target, index; /* of its record in the table */
    uint32_t next, count;
} promised;

/* Answers to REDEEM that have come ahead, on the connection that there is; and of those that have been used, what the server is
 * not told of yet. It sends no more than there are places. */
static struct
{
    uint32_t number; /* 0: none */
    uint32_t slot, generation, handle;
    int fd;   /* -1 when there was no room for it */
    int used; /* fd is another's, and handle is its */
} ahead[AHEAD_PLACES];
static unsigned int ahead_untold; /* how many are used */
static int ahead_comes;           /* the last ticket was answered so */
static int ahead_late;            /* the server monitor thread is going to look */

static struct kept_watch *find_watch( uint32_t target )
{
    struct kept_watch *watch;

    LIST_FOREACH( watch, &kept_watches, entry )
    if ( watch->target == target ) return watch;
    return NULL;
}

static void drop_watch( struct kept_watch *watch )
{
    LIST_REMOVE( watch, entry );
    close( watch->fd );
    free( watch );
}

/* fd is a descriptor of the watch. */
static void keep_watch_dup( uint32_t target, int fd )
{
    struct kept_watch *watch = find_watch( target );

    if ( watch )
    {
        /* of an earlier process with this number, or the same one again */
        close( watch->fd );
    }
    else
    {
        if ( !( watch = calloc( 1, sizeof( *watch ) ) ) ) return;
        watch->target = target;
        LIST_INSERT_HEAD( &kept_watches, watch, entry );
    }
    if ( ( watch->fd = fcntl( fd, F_DUPFD_CLOEXEC, 0 ) ) >= 0 ) return;
    LIST_REMOVE( watch, entry );
    free( watch );
}

#define CELLS_SIZE ( WS2_CELLS * sizeof( uint32_t ) )

static void drop_cells( void )
{
    if ( cells.numbers ) munmap( cells.numbers, CELLS_SIZE );
    close( cells.fd );
    cells.numbers = NULL;
    cells.fd = -1;
}

static int make_cells( void )
{
    void *memory;

    if ( cells.numbers ) return 0;
    if ( ( cells.fd = memfd_create( "ws2host-tickets", MFD_CLOEXEC | MFD_ALLOW_SEALING ) ) < 0 ) return -1;
    if ( ftruncate( cells.fd, CELLS_SIZE ) < 0 || fcntl( cells.fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW ) < 0 ||
         ( memory = mmap( NULL, CELLS_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, cells.fd, 0 ) ) == MAP_FAILED )
    {
        drop_cells();
        return -1;
    }
    cells.numbers = memory;
    return 0;
}

static uint32_t take_cell( void )
{
    for ( uint32_t i = 0; i < WS2_CELLS; i++ )
    {
        const uint32_t cell = ( cells.next + i ) % WS2_CELLS;

        if ( cells.used[cell / 64] >> cell % 64 & 1 ) continue;
        cells.used[cell / 64] |= 1ull << cell % 64;
        cells.next = cell + 1;
        atomic_store( &cells.numbers[cell], 0 );
        return cell;
    }
    return NO_CELL;
}

static void give_cell( uint32_t cell )
{
    assert( cells.used[cell / 64] >> cell % 64 & 1 );
    cells.used[cell / 64] &= ~( 1ull << cell % 64 );
}

static int has_ended( const struct kept_ticket *ticket )
{
    return atomic_load( &cells.numbers[ticket->cell] ) == ticket->number;
}

static void drop_ticket( struct kept_ticket *ticket )
{
    struct kept_watch *watch = find_watch( ticket->target );

    if ( watch && watch->tickets && !--watch->tickets ) drop_watch( watch );
    LIST_REMOVE( ticket, entry );
    LIST_REMOVE( ticket, in_slot );
    give_cell( ticket->cell );
    if ( ticket->helpers ) helper_sets_unref( ticket->slot, ticket->generation );
    if ( ticket->fd >= 0 ) close( ticket->fd );
    free( ticket );
    assert( kept_count );
    kept_count--;
}

/* All that have ended. */
static void drop_ended( void )
{
    struct kept_ticket *ticket, *next;

    for ( unsigned int i = 0; i < BUCKETS; i++ )
        for ( ticket = LIST_FIRST( &kept_tickets[i] ); ticket; ticket = next )
        {
            next = LIST_NEXT( ticket, entry );
            if ( has_ended( ticket ) ) drop_ticket( ticket );
        }
    sweep_at = 2 * kept_count + SWEEP;
}

/* A descriptor of this socket has been closed, the last one perhaps: what is kept of tickets that have ended must not keep it
 * open until the server is heard. */
static void drop_ended_of( uint32_t slot, uint32_t generation )
{
    struct kept_ticket *ticket, *next;

    for ( ticket = LIST_FIRST( &kept_of_slots[slot % BUCKETS] ); ticket; ticket = next )
    {
        next = LIST_NEXT( ticket, in_slot );
        if ( ticket->slot == slot && ticket->generation == generation && has_ended( ticket ) ) drop_ticket( ticket );
    }
}

static void drop_reserved( void )
{
    if ( reserved.fd >= 0 ) close( reserved.fd );
    if ( reserved.cell != NO_CELL ) give_cell( reserved.cell );
    reserved.fd = -1;
    reserved.cell = NO_CELL;
}

/* Each server is given the cells, before the first ticket. */
static int send_cells( void )
{
    struct ws2_request request = { .type = WS2_CELLS_REQUEST };
    struct ws2_reply reply;

    return cells.fd < 0 ? 0 : connection_publish_request( &request, cells.fd, &reply );
}

/* --- answers that come before they are asked for */

void tickets_ahead_consume( const struct ws2_reply *answer, int fd )
{
    unsigned int place = 0;

    while ( place < AHEAD_PLACES && ahead[place].number ) place++;
    if ( place == AHEAD_PLACES )
    {
        /* from no server that keeps to what it was told */
        if ( fd >= 0 ) close( fd );
        return;
    }
    ahead[place].number = answer->ticket;
    ahead[place].slot = answer->slot;
    ahead[place].generation = answer->generation;
    ahead[place].fd = fd;
    ahead[place].used = 0;
}

/* AHEAD_PLACES: it has not come, or is used. */
static unsigned int find_ahead( uint32_t number )
{
    for ( unsigned int i = 0; i < AHEAD_PLACES; i++ )
        if ( ahead[i].number == number && !ahead[i].used ) return i;
    return AHEAD_PLACES;
}

static void forget_ahead( unsigned int place )
{
    if ( ahead[place].used ) ahead_untold--;
    else if ( ahead[place].fd >= 0 ) close( ahead[place].fd );
    ahead[place].number = 0;
    ahead[place].used = 0;
}

int tickets_must_tell( void ) { return ahead_untold != 0; }

/* Before anything else is said. 0: not to be sent now. */
static int tell_used( void )
{
    for ( unsigned int i = 0; ahead_untold && i < AHEAD_PLACES; i++ )
    {
        const struct ws2_request request = { .type = WS2_TAKEN,
                                             .slot = ahead[i].slot,
                                             .generation = ahead[i].generation,
                                             .handle = ahead[i].handle,
                                             .ticket = ahead[i].number };

        if ( !ahead[i].used ) continue;
        if ( !connection_tell( &request, -1 ) ) return 0;
        forget_ahead( i );
    }
    return 1;
}

void tickets_tell_late( void )
{
    sigset_t before;

    connection_lock( &before );
    ahead_late = 0;
    /* what cannot be told now is, with what is said next or to the next server */
    tell_used();
    connection_unlock( &before );
}

/* The ticket that a CLOSE tells the server of, 0 for none. */
static uint32_t close_used( uint32_t slot, uint32_t generation, uint32_t handle )
{
    for ( unsigned int i = 0; ahead_untold && i < AHEAD_PLACES; i++ )
        if ( ahead[i].used && ahead[i].slot == slot && ahead[i].generation == generation && ahead[i].handle == handle )
        {
            const uint32_t number = ahead[i].number;

            forget_ahead( i );
            return number;
        }
    return 0;
}

static void note_spent( uint32_t number )
{
    spent[next_spent] = number;
    next_spent = ( next_spent + 1 ) % SPENT_KEPT;
}

static int take_ahead( uint32_t number, uint32_t handle, uint32_t *slot, uint32_t *generation, int *fd )
{
    unsigned int place = find_ahead( number );

    while ( place == AHEAD_PLACES && ahead_comes && connection_look() ) place = find_ahead( number );
    if ( place == AHEAD_PLACES || ahead[place].fd < 0 ) return 0;
    *slot = ahead[place].slot;
    *generation = ahead[place].generation;
    *fd = ahead[place].fd;
    ahead[place].handle = handle;
    ahead[place].used = 1;
    ahead_untold++;
    ahead_comes = 1;
    if ( !ahead_late ) connection_tell_soon();
    ahead_late = 1;
    note_spent( number );
    host_trace( "opens ticket %x by the answer that came ahead, slot %u.%u", number, *slot, *generation );
    in_flight_add( *slot, *generation, handle );
    return 1;
}

/* --- around each request */

static int32_t prepare_redeem( struct ws2_request *request )
{
    /* without a server monitor thread nobody would tell what is used */
    request->slot = connection_notice() < 0 ? 0 : WS2_AHEAD_MOST;
    /* its socket is not there; or another thread came upon it, and this one is told again */
    request->generation = find_ahead( request->ticket ) < AHEAD_PLACES;
    return 0;
}

int32_t tickets_prepare( struct ws2_request *request, int fd )
{
    if ( request->type == WS2_CLOSE )
    {
        drop_ended_of( request->slot, request->generation );
        request->ticket = close_used( request->slot, request->generation, request->handle );
        if ( !request->ticket ) tell_used();
        return 0;
    }
    if ( !tell_used() ) return WSAENOBUFS;
    if ( request->type == WS2_REDEEM ) return prepare_redeem( request );
    /* without a server monitor thread nobody would learn when it ends */
    if ( ( request->type != WS2_DUPLICATE && request->type != WS2_ISSUE ) || connection_notice() < 0 ||
         reserved.fd >= 0 )
        return 0;
    if ( !cells.numbers )
    {
        if ( make_cells() ) goto no_room;
        if ( send_cells() )
        {
            drop_cells();
            return 0; /* the server is gone, and the request finds out */
        }
    }
    if ( kept_count >= sweep_at ) drop_ended();
    if ( ( reserved.cell = take_cell() ) == NO_CELL )
    {
        drop_ended();
        reserved.cell = take_cell();
    }
    if ( reserved.cell == NO_CELL ) return WSAENOBUFS;
    reserved.fd = fcntl( fd, F_DUPFD_CLOEXEC, 0 );
    if ( reserved.fd < 0 && errno == EMFILE )
    {
        drop_ended();
        reserved.fd = fcntl( fd, F_DUPFD_CLOEXEC, 0 );
    }
    if ( reserved.fd < 0 ) goto no_room;
    request->flags = 1 + reserved.cell;
    return 0;

no_room:
    drop_reserved();
    if ( errno != EMFILE && errno != ENFILE ) return WSAENOBUFS;
    connection_out_of_descriptors();
    return WSAEMFILE;
}

static void keep_ticket( const struct ws2_request *request, uint32_t number )
{
    struct kept_ticket *ticket = malloc( sizeof( *ticket ) );
    struct kept_watch *watch = find_watch( request->windows_pid );

    if ( !ticket || reserved.fd < 0 )
    {
        free( ticket );
        return;
    }
    *ticket = ( struct kept_ticket ){ .number = number,
                                      .slot = request->slot,
                                      .generation = request->generation,
                                      .target = request->windows_pid,
                                      .cell = reserved.cell,
                                      .fd = reserved.fd,
                                      .helpers = helper_sets_ref( request->slot, request->generation ) };
    reserved.fd = -1;
    reserved.cell = NO_CELL;
    LIST_INSERT_HEAD( &kept_tickets[number % BUCKETS], ticket, entry );
    LIST_INSERT_HEAD( &kept_of_slots[ticket->slot % BUCKETS], ticket, in_slot );
    kept_count++;
    if ( watch ) watch->tickets++;
}

static struct kept_ticket *find_ticket( uint32_t number )
{
    struct kept_ticket *ticket;

    LIST_FOREACH( ticket, &kept_tickets[number % BUCKETS], entry )
    if ( ticket->number == number ) return ticket;
    return NULL;
}

void tickets_ended( const uint32_t *numbers, unsigned int count )
{
    /* there may have been more than the notices had room for */
    int look_at_all = count >= NOTICES_MANY;
    sigset_t before;

    connection_lock( &before );
    for ( unsigned int i = 0; i < count; i++ )
    {
        struct kept_ticket *ticket = find_ticket( numbers[i] );

        if ( ticket ) drop_ticket( ticket );
        if ( !numbers[i] ) look_at_all = 1;
    }
    if ( look_at_all ) drop_ended();
    connection_unlock( &before );
}

void tickets_follow( const struct ws2_request *request, const struct ws2_reply *reply, int fd )
{
    unsigned int place;

    switch ( request->type )
    {
    case WS2_WATCH:
        if ( !reply->error ) keep_watch_dup( request->windows_pid, fd );
        break;
    case WS2_DUPLICATE:
        if ( !reply->error ) keep_ticket( request, reply->ticket );
        drop_reserved();
        if ( reply->error || !reply->count ) break;
        promised.seed = reply->instance;
        promised.target = request->windows_pid;
        promised.index = reply->index;
        promised.next = 0;
        promised.count = reply->index < WS2_CLIENT_COUNT ? reply->count : 0;
        break;
    case WS2_REDEEM:
        /* whatever it has answered now, its answer that came ahead is good no more */
        if ( reply->detail != DETAIL_NOT_ASKED && ( place = find_ahead( request->ticket ) ) < AHEAD_PLACES )
            forget_ahead( place );
        if ( reply->error ) break;
        ahead_comes = reply->detail == WS2_DETAIL_AHEAD;
        note_spent( request->ticket );
        break;
    }
}

void tickets_publish( void )
{
    struct kept_ticket *ticket, *next;
    struct kept_watch *watch;
    struct ws2_reply reply;

    /* by another server, or on another connection */
    promised.count = promised.next = 0;
    for ( unsigned int i = 0; i < AHEAD_PLACES; i++ )
        if ( ahead[i].number ) forget_ahead( i );
    send_cells();
    drop_ended();
    LIST_FOREACH( watch, &kept_watches, entry )
    {
        struct ws2_request request = { .type = WS2_WATCH, .windows_pid = watch->target };
        if ( connection_publish_request( &request, watch->fd, &reply ) ) return;
    }
    for ( unsigned int i = 0; i < BUCKETS; i++ )
        for ( ticket = LIST_FIRST( &kept_tickets[i] ); ticket; ticket = next )
        {
            struct ws2_request request = { .type = WS2_DUPLICATE,
                                           .slot = ticket->slot,
                                           .generation = ticket->generation,
                                           .windows_pid = ticket->target,
                                           .ticket = ticket->number,
                                           .flags = 1 + ticket->cell };
            next = LIST_NEXT( ticket, entry );
            if ( connection_publish_request( &request, ticket->fd, &reply ) ) return;
            ticket->unknown = reply.error != 0;
            if ( reply.error == WSAEINVAL ) drop_ticket( ticket ); /* redeemed, or its target is gone */
        }
    for ( unsigned int i = 0; i < SPENT_KEPT; i++ )
    {
        struct ws2_request request = { .type = WS2_SPENT, .ticket = spent[i] };
        if ( spent[i] && connection_publish_request( &request, -1, &reply ) ) return;
    }
}

/* One of those that are promised. Of a socket that is not shared yet the server is to be asked: the process could close it
 * first. */
static int issue_promised( uint32_t slot, uint32_t generation, uint32_t handle, int fd, uint32_t target,
                           uint32_t *number )
{
    struct ws2_request request = {
        .type = WS2_ISSUE, .slot = slot, .generation = generation, .handle = handle, .windows_pid = target
    };
    uint64_t word;

    if ( promised.next >= promised.count || promised.target != target ) return 0;
    if ( atomic_load( &ws2_table_clients( connection_table() )[promised.index].windows_pid ) != target ) return 0;
    word = atomic_load( &table_slot( slot )->word );
    if ( ws2_word_state( word ) != WS2_SLOT_SHARED || ws2_word_generation( word ) != generation ) return 0;
    if ( tickets_prepare( &request, fd ) || reserved.fd < 0 ) return 0;
    request.ticket = ws2_promised_number( promised.seed, promised.next );
    if ( !connection_tell( &request, fd ) )
    {
        drop_reserved();
        return 0;
    }
    promised.next++;
    keep_ticket( &request, request.ticket );
    drop_reserved();
    *number = request.ticket;
    return 1;
}

int32_t ticket_issue( uint32_t slot, uint32_t generation, uint32_t handle, int fd, uint32_t target, uint32_t *ticket,
                      int *unknown_target )
{
    struct ws2_request request = {
        .type = WS2_DUPLICATE, .slot = slot, .generation = generation, .handle = handle, .windows_pid = target
    };
    struct ws2_reply reply;
    sigset_t before;
    int32_t error;
    int issued;

    *unknown_target = 0;
    connection_lock( &before );
    issued = issue_promised( slot, generation, handle, fd, target, ticket );
    connection_unlock( &before );
    if ( issued ) return 0;
    error = connection_request( &request, fd, &reply, NULL );
    *ticket = reply.ticket;
    *unknown_target = reply.detail == WS2_DETAIL_UNKNOWN_TARGET;
    return error;
}

/* One that this process has issued to itself, with the descriptor that is kept for a server that takes over: the server, which
 * has been told of the ticket on this connection, hears of it there. */
static int take_own( uint32_t number, uint32_t handle, uint32_t *slot, uint32_t *generation, int *fd )
{
    struct ws2_request request = { .type = WS2_TAKEN, .ticket = number, .handle = handle };
    struct kept_ticket *ticket = find_ticket( number );
    const struct ws2_client_record *own;

    if ( !ticket || ticket->target != connection_windows_pid() || ticket->unknown || has_ended( ticket ) ) return 0;
    /* near the limit of descriptors the server is to say whether there is room */
    own = ws2_table_clients( connection_table() ) + connection_client_index();
    if ( atomic_load( &own->sharing ) >= WS2_HOLDERS_MOST / 2 || !tell_used() ) return 0;
    request.slot = *slot = ticket->slot;
    request.generation = *generation = ticket->generation;
    if ( !connection_tell( &request, -1 ) ) return 0;
    *fd = ticket->fd;
    ticket->fd = -1;
    drop_ticket( ticket );
    in_flight_add( *slot, *generation, handle );
    return 1;
}

int32_t ticket_redeem_as( uint32_t ticket, uint32_t handle, uint32_t *slot, uint32_t *generation, int *fd )
{
    struct ws2_request request = { .type = WS2_REDEEM, .ticket = ticket, .flags = handle };
    struct ws2_reply reply;
    uint64_t begin = 0;
    uint32_t server = 0;
    sigset_t before;
    int32_t error;
    int taken;

    if ( !ticket ) return WSAEINVAL;
    connection_lock( &before );
    taken = take_own( ticket, handle, slot, generation, fd ) || take_ahead( ticket, handle, slot, generation, fd );
    connection_unlock( &before );
    if ( taken ) return 0;
    /* no mutex is held while this thread waits: the others have the connection */
    while ( ( error = connection_request( &request, -1, &reply, fd ) ), reply.detail == WS2_DETAIL_LATER )
    {
        const uint32_t asked = atomic_load( &( (struct ws2_table_header *)connection_table() )->server_pid );

        /* the time that a source has to come back in is each server's own */
        if ( asked != server ) begin = host_now_ms();
        server = asked;
        client_sleep_ms( reply.count < LATEST ? reply.count : LATEST );
        if ( error != WSAEWOULDBLOCK ) break;
        request.handle = host_now_ms() - begin;
    }
    if ( error )
    {
        if ( *fd >= 0 ) close( *fd );
        return error;
    }
    *slot = reply.slot;
    *generation = reply.generation;
    if ( *fd >= 0 && *slot < WS2_SLOT_COUNT ) return 0;
    /* the server counted a descriptor that did not arrive: this process has no room for one */
    if ( *fd >= 0 ) close( *fd );
    *fd = -1;
    connection_close( *slot, *generation, handle );
    connection_out_of_descriptors();
    return WSAEMFILE;
}

int32_t ticket_redeem( uint32_t ticket, uint32_t *slot, uint32_t *generation, int *fd )
{
    return ticket_redeem_as( ticket, 0, slot, generation, fd );
}
