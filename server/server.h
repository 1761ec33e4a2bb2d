/*
 * ws2server inside: what its rooms offer each other.
 *
 * The server is one thread; others of it do nothing but close descriptors (closing.c). Its own records (blocks, clients,
 * shares, tickets) are the truth; what it writes of them into the table is for readers and for a server that takes over.
 * Nothing read from the table or from a message is used before it is checked. A function named
 * ..._consume owns the descriptor it is given, whatever it returns.
 */
#ifndef WS2SERVER_H
#define WS2SERVER_H

#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>
#include "ws2host/protocol.h"
#include "ws2host/table.h"

/* --- trace.c: WS2DEBUG=server */

extern int server_tracing;
void trace_begin( int directory, int foreground ); /* directory is borrowed */
void server_trace_line( const char *format, ... ) __attribute__( ( format( printf, 1, 2 ) ) ); /* without its newline */
#define server_trace( ... ) \
    do { \
        if ( __builtin_expect( server_tracing, 0 ) ) server_trace_line( __VA_ARGS__ ); \
    } while ( 0 )

/* --- loop.c: descriptors that the server waits on, the time, and work in steps */
struct source
{
    void ( *ready )( struct source *source, uint32_t events );
};
int loop_create( void );
int loop_add( struct source *source, int fd, uint32_t events );
void loop_change( struct source *source, int fd, uint32_t events );
void loop_remove( int fd );
uint64_t loop_now( void ); /* ms, monotonic */
uint64_t loop_now_us( void );
/* What the loop asks of who uses it. */
struct loop_work
{
    int ( *needed )( void );        /* 0: the server may leave */
    uint64_t ( *deadline )( void ); /* when run is due, 0 for never */
    void ( *run )( void );          /* after each event, and when it is due */
    int ( *over )( void );          /* the server is to leave now */
};
/* Serves until nobody has needed the server for linger ms. */
void loop_run( const struct loop_work *work, uint64_t linger );
/* What takes long: a step of some 100 us at most, between the events of others, until it returns 0. */
struct work
{
    TAILQ_ENTRY( work ) entry;
    int ( *step )( struct work *work );
};
void work_begin( struct work *work );
void work_cancel( struct work *work ); /* not from its own step */
int work_pending( void );
void work_step( void );

/* --- closing.c: descriptors whose close may take its time */
struct close_queue;
int closing_begin( void );
struct close_queue *close_queue_create( void ); /* NULL without memory */
void close_queue_free( struct close_queue *queue );
void close_later_consume( int fd, struct close_queue *queue );
/* One that is certainly not the last of its socket, while close_soon_now is not called: with some others, which wakes fewer
 * threads. */
void close_soon_consume( int fd, struct close_queue *queue );
void close_soon_now( void );
unsigned int close_pending( const struct close_queue *queue );
uint64_t closing_deadline( void ); /* when closing_run is due, 0 for never */
void closing_run( void );
int closing_is_stuck( void ); /* no descriptor can be closed any more: the server is to leave */

/* --- limits.c: what the server may have */
int limits_raise( void );         /* -1, and said on stderr, when it is too little */
int limits_give_way( pid_t pid ); /* this process may have more of what is too little: the server is to leave */
int limits_are_left( void );

/* --- table.c: the memfd */
int table_create( void );
/* -1 and errno when fd is not a table of this version, EBUSY when another server serves it. */
int table_take_over_consume( int fd );
int table_find_orphan( const char *name );
void table_set_name( const char *name ); /* of the memfd, tells the tables of two server directories apart */
const char *table_name( void );
int table_fd( void ); /* -1 before there is one */
void *table_mapping( void );
uint64_t table_instance( void );

/* --- blocks.c: leases */
int32_t block_lease( uint32_t owner, uint32_t *first );
/* The lease of a block that a server before this one gave, in ascending order of blocks; WS2_NO_INDEX: nobody's, the caller
 * pins it. */
void block_restore( uint32_t block, uint32_t owner );
void block_restore_slot( uint32_t slot );                   /* a FREE slot of the server's own blocks */
uint32_t blocks_take_back( uint32_t owner, uint32_t most ); /* how many they were */
uint32_t block_owner( uint32_t slot ); /* client index of the slot's lessee, WS2_NO_INDEX for none */
void block_pin( uint32_t block );      /* the block stays when its lessee is gone */
void block_unpin( uint32_t block );
void block_share_slot( uint32_t slot ); /* pins its block */
void block_unshare_slot( uint32_t slot );
uint32_t blocks_free( void );
uint32_t blocks_end( void );      /* no slot from here on was ever leased */
uint32_t block_take_slot( void ); /* a FREE slot of the server's own blocks, WS2_NO_INDEX when there is none */
void block_free_slot( uint32_t slot, uint32_t generation ); /* any state -> FREE, one generation on */

/* --- endpoints.c: Windows' bind rules */
struct endpoint_found
{
    uint32_t neighbours; /* endpoints that share the port with it */
    uint32_t left;       /* sockets that have left the port since somebody last came by */
    uint32_t opponent;   /* who refuses it, WS2_NO_INDEX for nobody */
};
/* 0, WSAEACCES or WSAEADDRINUSE. */
int32_t endpoint_check( uint32_t slot, struct endpoint_found *found );
void endpoint_note( uint32_t slot ); /* it has been bound, or is not bound any more */

/* --- processes.c: processes as the kernel knows them, and what is charged to them */
#define PROCESS_CONNECTIONS 8u
#define PROCESS_CONNECTIONS_ALWAYS 2u /* one that is lost may still count when the next is there */
#define PROCESS_CLIENTS 256u          /* a program of Windows is one */
#define PROCESS_TICKETS 10000u        /* open, each with a descriptor */
#define PROCESS_TICKETS_ALWAYS 32u    /* even when others hoard them */
#define PROCESS_WATCHES 512u
#define PROCESS_SLOTS WS2_SLOT_COUNT /* leased, or of sockets that it had adopted */
#define PROCESS_SLOTS_ALWAYS ( 8 * WS2_BLOCK_SLOTS )
#define PROCESS_HOLDERS WS2_HOLDERS_MOST
#define PROCESS_CLAIMS_ALWAYS 1024u
#define PROCESS_HELPERS \
    4096u /* of datagram sockets, and what took the place of stream sockets; each with a descriptor */
#define PROCESS_HELPERS_ALWAYS 64u
#define CONNECTION_PART 4 /* of the server's descriptors */
#define TICKET_PART 3
#define WATCH_PART 6
#define HELPER_PART 6

struct client;
struct connection;
struct charges
{
    unsigned int connections, clients, tickets, watches, slots, holders, claims, helpers;
};

struct guesses
{
    unsigned int wrong;
    uint64_t last;       /* when */
    uint64_t until;      /* whoever made them is to wait */
    uint64_t remembered; /* since, of a process */
};

struct family /* the processes of a session */
{
    LIST_ENTRY( family ) in_sessions;
    pid_t session;
    unsigned int users;
    struct charges held;
};

struct process
{
    struct source source; /* readable when it has ended */
    LIST_ENTRY( process ) in_pids;
    TAILQ_ENTRY( process ) in_guessers; /* while it has guessed, not long ago */
    LIST_HEAD(, client ) clients;
    LIST_HEAD(, connection ) connections;
    struct family *family;
    struct close_queue *closing;
    pid_t unix_pid;
    uint64_t start_time; /* field 22 of /proc/PID/stat, tells a reused number */
    unsigned int users;
    struct charges held;
    struct guesses guesses;
    unsigned char has_guessed;
    uint64_t burst, burst_at; /* what it has sent at once lately, as of then (us) */
    uint64_t rests_until;     /* us: it has asked for much at once */
    int pidfd;                /* -1 while it has no client and no connection */
};

struct process_look
{
    uint64_t start_time;
    pid_t session;
};
int process_look( pid_t pid, struct process_look *look ); /* 0 when there is no such process */
struct process *process_get( pid_t pid );                 /* NULL without such a process, or memory */
struct process *process_foreign( void );                  /* what stands for all that cannot be seen */
int process_is_foreign( const struct process *process );
void process_put( struct process *process );
/* -1 when it has ended, or there is no descriptor; connection: one that it has made, or -1. */
int process_watch( struct process *process, int connection, void ( *ended )( struct source *source, uint32_t events ) );
void process_unwatch( struct process *process );
void process_check_watch( struct process *process ); /* while it has a client or a connection */
int process_has_ended( const struct process *process );
/* what: a field of process->held */
void process_charge( struct process *process, unsigned int *what, int change );
/* Whether one more of what may be taken, of which there are free ones: a third of what then is left, together with its family
 * as much as is left; at least `always`. */
int process_may_take( const struct process *process, const unsigned int *what, unsigned int always, unsigned int most,
                      unsigned int free );
/* The part-th part of the server's descriptors. */
unsigned int process_descriptor_share( unsigned int part );
/* A wrong guess at a ticket: ms that the process is to wait, which grow with each. */
uint64_t guess_wrong( struct process *process );
/* One that may yet prove right: it costs so many ms. */
void guess_early( struct process *process, uint64_t delay );
/* 0, or in how many ms the process is listened to again: it has not waited as it was told. */
uint64_t guess_next( const struct process *process );
void guess_at_target( struct guesses *guesses );         /* of whoever may redeem some tickets */
uint64_t guesses_until( const struct guesses *guesses ); /* ms */
void guesses_forget( void );                             /* those of long ago, now and then */

/* --- claims.c: what the table says of who has what of which socket */
struct client;
enum claimed
{
    NOT_CLAIMED, /* no room */
    CLAIMED,
    CLAIMED_AGAIN /* one that a server before this one counted */
};
int claims_reserve( void ); /* addresses for them; 0: there are none */
/* One more. */
enum claimed claim_add( uint32_t slot, uint32_t generation, struct client *client );
void claim_drop( uint32_t slot, uint32_t generation, struct client *client );
/* Those that a server before this one wrote. The restorer says whose one is, NULL when there is nothing to wait for. */
typedef struct client *( *claim_restorer )( uint32_t slot, uint32_t generation, uint32_t index, uint32_t count );
void claims_restore( claim_restorer restore );
/* One that is waited for no more, of which none, or too few, were published. 0: the client has no more of them. */
int claim_give_up( struct client *client, uint32_t *slot, uint32_t *generation, uint32_t *awaited );

/* --- clients.c: the processes of the table */
struct holder;
struct ticket;
struct watch;
struct connection;
LIST_HEAD( holder_list, holder );

struct ended_ticket
{
    uint32_t number, cell;
    uint32_t slot, generation; /* of its socket, which may be free again */
    unsigned char quiet;       /* the client has the socket open, and need not look now */
    unsigned char unclaimed;
};

struct client
{
    LIST_ENTRY( client ) in_pids;
    LIST_ENTRY( client ) in_process;
    TAILQ_ENTRY( client ) in_to_tell; /* while ended_count != 0 */
    struct work work;                 /* its end, or what it did not publish */
    struct holder_list holders;
    struct holder_list doubted; /* to be published again by a client that came back to this server */
    LIST_HEAD(, ticket ) tickets;
    LIST_HEAD(, ticket ) promised; /* numbers of tickets that it may issue without being answered, all for one target */
    LIST_HEAD(, ticket ) aimed;    /* for it to redeem, issued while it was in the table */
    LIST_HEAD(, ticket ) taken;    /* that it has opened, and that stand for descriptors that there is no room for */
    LIST_HEAD(, ticket ) taken_doubted; /* as doubted */
    LIST_HEAD(, watch ) watches;
    struct process *process;
    struct connection *connection; /* NULL when it is lost */
    uint32_t index, windows_pid;
    int notice;                         /* socket that is written to when a ticket has ended, or -1 */
    int cells;                          /* memory for the tickets that have ended, or -1 */
    struct ended_ticket *ended_tickets; /* that it has not been told of */
    unsigned int ended_count, ended_size;
    uint32_t last_target;      /* of its tickets */
    uint32_t opener;           /* the target that has opened one of them last */
    unsigned int ahead_count;  /* answers that it was sent ahead, of tickets that are open */
    uint64_t targets_promised; /* bits: for whom it may have issued tickets that the server has not heard of yet */
    unsigned int holder_count, ticket_count, spent_count;
    uint32_t first_awaited;               /* of its claims: 1 + number, 0 for none */
    uint16_t targets[WS2_TARGET_BITS];    /* how many of its tickets there are for each */
    uint64_t targets_now, targets_before; /* bits; before: by the table, until it has published all */
    unsigned char quiet;                  /* some tickets have ended whose sockets it has open */
    unsigned char resuming;               /* it may publish what it holds */
    unsigned char missing;                /* the take-over waits for it */
    unsigned char sweeping;               /* work is at what it did not publish */
    unsigned char ended;
};

#define CLIENT_SPENT 256u /* what a client keeps, dlls/ws2host/client/tickets.c */

struct client *client_create( struct process *process, uint32_t windows_pid ); /* NULL: no room */
/* A process of the table that is taken over, which is watched. */
struct client *client_restore( struct process *process, uint32_t index );
void client_end( struct client *client ); /* found by its index only */
void client_free( struct client *client );
/* The server directory's descriptor, which stays the caller's. */
void client_set_directory( int directory );
struct client *client_at( uint32_t index );
struct client *client_of_windows_pid( uint32_t windows_pid );
struct client *client_of_process( const struct process *process, uint32_t windows_pid );
void client_found( struct client *client );      /* it is not missing any more */
int clients_missing_for( uint32_t windows_pid ); /* one that is missing may have tickets for this process */
void client_clear_record( uint32_t index );
void client_set_sharing( struct client *client );
void client_count_ticket( struct client *client, uint32_t target, int change );
int client_set_cells_consume( struct client *client, int fd ); /* 0 when it is not what it has to be */
/* Its claim lasts until it is told. */
void client_tell_ended( struct client *client, const struct ended_ticket *ended );
void client_has_closed( struct client *client ); /* its last descriptor of some socket */
int clients_to_tell( void );
void clients_tell_ended( void );
unsigned int clients_alive( void );

/* --- nodes.c: the processes' own sockets in the server directory */
void nodes_set_directory( int directory ); /* stays the caller's */
void nodes_remake( void );                 /* those that are missing */
uint64_t nodes_deadline( void );           /* when nodes_run is due, 0 for never */
void nodes_run( void );
void node_deleted( const char *name ); /* somebody has: its process may be there still */

/* --- holders.c: descriptors of shared sockets */
struct member /* the descriptors of one process */
{
    LIST_ENTRY( member ) in_bucket;
    LIST_ENTRY( member ) in_share;
    struct holder_list holders;
    struct holder_list unnamed; /* their handle is not known yet */
    /* another process's adoption made them known before their own had a handle: NAME may never come */
    struct holder_list anonymous;
    struct share *share;
    struct client *client;
    uint32_t count;
};

struct holder /* one descriptor */
{
    LIST_ENTRY( holder ) in_bucket;
    LIST_ENTRY( holder ) in_member;
    LIST_ENTRY( holder ) in_client;
    struct member *member;
    uint32_t handle; /* 0 until its process has named it */
    uint32_t listed;
};

struct holder *holder_add( struct share *share, struct client *client, uint32_t handle ); /* NULL: no room */
void holder_remove( struct holder *holder );
/* The descriptor with this handle, 0 being one that was redeemed and is still to be named; else an anonymous one. */
struct holder *holder_find( struct share *share, struct client *client, uint32_t handle );
void holder_name( struct holder *holder, uint32_t handle ); /* it is not in doubt any more */
void holder_set_anonymous( struct holder *holder );
struct member *holder_of( struct share *share, struct client *client );
void holders_doubt( struct client *client );

/* --- shares.c: sockets that more than one descriptor knows */
struct share
{
    LIST_ENTRY( share ) in_cookies;
    LIST_ENTRY( share ) in_restored; /* while restored */
    LIST_HEAD(, member ) members;
    LIST_HEAD(, ticket ) tickets;
    struct process *maker;   /* that its slot is charged to, if it is the server's own */
    struct helpers *helpers; /* NULL for none */
    uint64_t cookie;         /* of the host socket, as the kernel told this server */
    uint32_t slot;
    uint32_t generation;
    uint32_t count;
    uint64_t awaited;       /* that a server before this one counted, and that their processes have not published yet */
    uint32_t claimants;     /* processes that may still publish some */
    unsigned char restored; /* it is to be seen whether anybody claims it */
};

struct adoption /* of a socket by its cookie, so far */
{
    uint64_t cookie, ghost_word;
    uint32_t kind, next, ghost;
    int new_slot;
};

struct share *share_at( uint32_t slot, uint32_t generation );
struct share *share_of_slot( uint32_t slot );
/* PRIVATE -> SHARED, with the owner's descriptor counted. NULL when the owner closed it first, or *error WSAENOBUFS. */
struct share *share_private( struct client *owner, uint32_t slot, uint32_t generation, uint32_t handle, uint64_t cookie,
                             int32_t *error );
/* The socket with this cookie, whoever holds it; of a new slot when nobody does. 0: to be gone on with. */
int share_adopt( struct adoption *adoption, struct client *adopter, struct share **result, int32_t *error );
/* A slot that the table says is SHARED, found by a server that takes over. */
struct share *share_restore( uint32_t slot );
/* All have been found, and all clients: who claims what is read from the table, and what nobody does is given up. */
void shares_restored( void );
int share_set_cookie( struct share *share, uint64_t cookie );
struct holder *share_hold( struct share *share, struct client *client, uint32_t handle );
void share_release( struct holder *holder );
int shares_release_some( struct holder_list *list, unsigned int most ); /* 0 when none is left */
/* A ticket of the issuer's. 0: no room. */
int share_add_ticket( struct share *share, struct client *issuer );
/* The client is to be waited for, if another server takes over, with a descriptor that is not counted yet. 0: no room. */
int share_claim( struct share *share, struct client *client );
/* What the client has registered ends if it has no descriptor any more, and cannot have opened one without having told yet. */
void share_check_registrations( struct share *share, struct client *client );
void share_count_ticket( struct share *share, int change );
/* Frees the slot when nothing refers to it. */
void share_check( struct share *share );
/* What the client, which has published all it holds or has ended, did not publish is not waited for. 0 when there is no
 * more. */
int shares_settle_some( struct client *client, unsigned int most );

/* --- helpers.c: what shared datagram sockets have beside their host sockets, and what has taken a shared stream socket's place */
/* place: WS2_NO_INDEX for the next. WSAEALREADY, WSAENOBUFS. */
int32_t helpers_add_consume( struct share *share, struct process *process, uint32_t place, int fd, uint32_t *result );
/* At place 0, instead of what stands there. WSAENOBUFS. */
int32_t helpers_replace_consume( struct share *share, struct process *process, int fd );
/* The descriptor, which stays the share's; as FETCH answers. */
int32_t helpers_find( const struct share *share, uint32_t place, int *fd );
void helpers_free( struct share *share );

/* --- tickets.c: tickets, and the watches that tell that a target ended */
struct ticket
{
    LIST_ENTRY( ticket ) in_numbers;
    LIST_ENTRY( ticket ) in_aim; /* while aim != NULL */
    LIST_ENTRY( ticket ) in_share;
    LIST_ENTRY( ticket ) in_issuer; /* while issuer != NULL */
    LIST_ENTRY( ticket ) in_watch;  /* while watch != NULL */
    LIST_ENTRY( ticket ) in_taken;  /* while taker != NULL */
    LIST_ENTRY( ticket ) in_ahead;  /* while its target has the connection on which it was answered ahead */
    struct share *share;            /* NULL of one that is promised */
    struct client *issuer;          /* NULL when it is gone */
    struct client *aim;             /* the target, if it was in the table */
    struct client *taker;           /* has opened it, and it stands for the descriptor that there is no room for */
    struct process *process;        /* that it is charged to */
    struct watch *watch;            /* that its target ends with */
    struct target *for_target;
    uint32_t number;
    uint32_t target;
    uint32_t cell;
    int fd;
    uint64_t ahead;        /* serial of the target's connection on which the answer was sent ahead, 0 for none */
    unsigned char counted; /* by its share */
};

int32_t ticket_create_consume( struct client *issuer, struct share *share, int fd, uint32_t target, uint32_t number,
                               uint32_t cell, struct ticket **result );
/* After the client was given a ticket for the target: numbers of more, by ws2_promised_number, if it goes on issuing for the
 * same. How many, 0 for none. */
unsigned int tickets_promise( struct client *issuer, uint32_t target, uint64_t *seed );
void tickets_break_promises( struct client *issuer );
/* ISSUE, of a number that has been promised. Whatever it returns, the client takes the ticket for issued. WSAENOBUFS: the number
 * is promised still. */
int32_t ticket_keep_promise_consume( struct client *issuer, struct share *share, int fd, uint32_t target,
                                     uint32_t number, uint32_t cell );
int ticket_is_promised( const struct client *issuer, uint32_t target, uint32_t number );
/* Published again to the server that gave it. 0: it has not, or not this client's. */
int ticket_publish_known( struct client *issuer, struct share *share, uint32_t number, uint32_t cell );
/* Whether this client has issued one that is open. */
int ticket_issued( const struct client *issuer, const struct share *share );
/* The ticket, when target may redeem it, or will when its issuer has been listened to (share NULL). */
struct ticket *ticket_find( uint32_t number, uint32_t target );
int ticket_has_ended( uint32_t number, uint32_t target ); /* not long ago: it is no guess */
/* It has been issued, and its answer is sent ahead. 0: it is not to be, for its target has not opened any of the issuer's, or has
 * no room. */
int ticket_set_ahead( struct ticket *ticket );
/* It was not sent, or its target has not got the socket: as if it never had been. */
void ticket_forget_ahead( struct ticket *ticket );
/* The ticket, when its answer was sent ahead on this connection; NULL. */
struct ticket *ticket_answered( uint32_t number, const struct connection *connection );
/* Its target has opened it, and has this handle: it counts as a descriptor from now on. */
void ticket_take( struct ticket *ticket, struct client *target, uint32_t handle );
/* One that stands for a descriptor of the client's, NULL for none. */
struct ticket *ticket_taken( const struct share *share, const struct client *client );
/* The client comes back: those that it says nothing of end (tickets_sweep_taken, 0 when there are no more of them). */
void tickets_doubt_taken( struct client *client );
/* One of them stands for what it publishes. 0: there is none. */
int ticket_taken_again( const struct share *share, struct client *client );
int tickets_sweep_taken( struct client *client, unsigned int most );
/* ms until a ticket for the target is looked up: others have guessed at them. */
uint64_t target_guess_next( uint32_t target );
void target_guessed( uint32_t target ); /* wrong */
void ticket_end( struct ticket *ticket );
int32_t watch_create_consume( struct client *client, uint32_t target, int fd );
int watch_find( struct client *client, uint32_t target );
int tickets_release_some( struct client *client, unsigned int most ); /* 0 when a client that ends has no more */
unsigned int tickets_open( void );
/* SPENT: told by the target of a ticket that comes back. keep: one that is not there may be published yet. */
void ticket_spent( struct client *target, uint32_t number, int keep );
void tickets_forget_spent( void );

/* --- takeover.c: the table of a server that died */
void takeover_begin( void ( *ended )( struct source *source, uint32_t events ) );
int takeover_running( void );
void takeover_client_done( struct client *client ); /* it has published what it holds, or it is gone */

/* --- endings.c: what goes with a process */
void ending_begin( struct client *client );
void ending_sweep( struct client *client ); /* what it did not publish */

/* --- connections.c: the clients' messages on their way */
enum waiting
{
    NOT_WAITING,
    WAITS_UNTIL, /* held_until */
    WAITS_FOR_WORK
};

struct unsent /* a reply that could not be sent yet */
{
    int fd; /* borrowed, -1 for none */
    size_t size;
    char message[];
};

struct connection
{
    struct source source;
    struct work work;
    TAILQ_ENTRY( connection ) in_held;   /* while WAITS_UNTIL */
    LIST_ENTRY( connection ) in_process; /* until it ends */
    struct process *process;
    struct client *client; /* NULL before HELLO, for an observer, and when it has ended */
    struct unsent *unsent;
    uint64_t serial;            /* no other has it */
    uint32_t ahead_most;        /* answers to REDEEM that it may be sent ahead */
    uint32_t ahead_count;       /* and has been, of tickets that are open: */
    LIST_HEAD(, ticket ) ahead; /* while it is its client's */
    int fd;
    int request_fd; /* of the request that is being worked at, or -1 */
    enum waiting waits;
    uint64_t held_until;
    struct ws2_request parked; /* to be handled again */
    struct adoption adoption;
    unsigned char is_due, working, greeted, ended;
    unsigned char last_words; /* its process has ended: what was to be answered is not done any more */
};

struct connection_reader
{
    int ( *receive )( struct connection *connection ); /* there is something to read; 0 when there was not */
    void ( *go_on )( struct connection *connection );  /* with the parked request */
};
void connections_begin( struct connection_reader reader );
void connections_listen( int listener );
void connection_accept( struct source *listener, uint32_t events );
void connection_end( struct connection *connection );
void connection_end_client( struct client *client );
/* What has been sent on it is handled now, as far as a turn goes. 0: there is nothing. Only of one that may be heard: it does not
 * wait or rest, and none is being heard already. */
int connection_hear( struct connection *connection );
int connection_may_be_heard( const struct connection *connection );
/* It has had its turn, has sent so much, and may have sent more: others have theirs. When that was too much lately, all of its
 * process rests meanwhile. */
void connection_rest( struct connection *connection, unsigned int sent );
/* Its turn is over; it has sent so much, the last of it a message that nobody waits for. */
int connection_may_go_on( struct connection *connection, unsigned int sent );
/* Handles what it has sent already and ends it: its client has another. */
void connection_drain( struct connection *connection );
void process_ended( struct source *source, uint32_t events );
/* Sent now or, as soon as it can be, later. lasting_fd: one that the server has for ever, or -1. */
void connection_reply( struct connection *connection, const void *message, size_t size, int lasting_fd );
int connection_try_reply( struct connection *connection, const void *message, size_t size, int fd ); /* 0 and errno */
/* Nothing is read from the client until then: ms from now. */
void connection_wait( struct connection *connection, uint64_t delay );
/* The request (connection->parked) is handled again in the next step. */
void connection_work( struct connection *connection );
unsigned int connections_open( void );
uint64_t connections_deadline( void ); /* when connections_run is due, 0 for never */
void connections_run( void );

/* --- place.c: the server's directory, locks and listening socket */
struct notifier
{
    struct source source;
    int fd;
};
int fail( const char *format, ... ); /* -1, said on stderr with errno's words */
int place_open( const char *name );
int place_take( void ); /* 1 with the locks held, 0 when another server listens, -1 */
int place_listen( void );
int place_directory( void ); /* its descriptor, which stays place.c's */
void place_look( void );     /* what was taken away is made again */
uint64_t place_deadline( void );
int place_is_lost( void );  /* to another server */
int place_was_left( void ); /* the server before this one went, needed by nobody: no process has a table of its */
/* unneeded: the same of this server. */
void place_leave( int unneeded );

/* --- requests.c: the messages */
int request_receive( struct connection *connection );
void request_go_on( struct connection *connection );

#endif
