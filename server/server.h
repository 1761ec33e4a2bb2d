/*
 * ws2server inside: what its rooms offer each other.
 *
 * The server is one thread. Its own records (blocks, clients, shares, tickets) are the truth; what it writes of them into
 * the table is for readers and for a server that takes over. Nothing read from the table or from a message is used before
 * it is checked. A function named ..._consume owns the descriptor it is given, whatever it returns.
 */
#ifndef WS2SERVER_H
#define WS2SERVER_H

#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>
#include "ws2host/protocol.h"
#include "ws2host/table.h"

/* --- loop.c: descriptors that the server waits on, and the time */
struct source
{
    void ( *ready )( struct source *source, uint32_t events );
};
int loop_create( void );
int loop_add( struct source *source, int fd, uint32_t events );
void loop_change( struct source *source, int fd, uint32_t events );
void loop_remove( int fd );
uint64_t loop_now( void ); /* ms, monotonic */
/* What the loop asks of who uses it. */
struct loop_work
{
    int ( *needed )( void );        /* 0: the server may leave */
    uint64_t ( *deadline )( void ); /* when run is due, 0 for never */
    void ( *run )( void );          /* after each event, and when it is due */
};
/* Serves until nobody has needed the server for linger ms. */
void loop_run( const struct loop_work *work, uint64_t linger );

/* --- table.c: the memfd */
int table_create( void );
int table_take_over_consume( int fd ); /* -1 and errno when fd is not a table of this version */
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
void block_restore_slot( uint32_t slot );    /* a FREE slot of the server's own blocks */
uint32_t blocks_take_back( uint32_t owner ); /* how many they were */
uint32_t block_owner( uint32_t slot );       /* client index of the slot's lessee, WS2_NO_INDEX for none */
void block_pin( uint32_t block );            /* the block stays when its lessee is gone */
void block_unpin( uint32_t block );
void block_share_slot( uint32_t slot ); /* pins its block */
void block_unshare_slot( uint32_t slot );
uint32_t blocks_end( void );      /* no slot from here on was ever leased */
uint32_t block_take_slot( void ); /* a FREE slot of the server's own blocks, WS2_NO_INDEX when there is none */
void block_free_slot( uint32_t slot, uint32_t generation ); /* any state -> FREE, one generation on */

/* --- shares.c: sockets that more than one descriptor knows */
struct client;
struct ticket;

struct holder /* one descriptor */
{
    LIST_ENTRY( holder ) in_share;
    LIST_ENTRY( holder ) in_client;
    struct share *share;
    struct client *client;
    uint32_t handle; /* 0 until its process has named it */
    unsigned char
        anonymous; /* another process's adoption made it known before its own had a handle: NAME may never come */
};

struct share
{
    LIST_ENTRY( share ) in_cookies;
    LIST_HEAD(, holder ) holders;
    LIST_HEAD(, ticket ) tickets;
    uint64_t cookie; /* of the host socket, as the kernel told this server */
    uint32_t slot;
    uint32_t generation;
    uint32_t count;
};

struct share *share_at( uint32_t slot, uint32_t generation );
struct share *share_of_slot( uint32_t slot );
/* PRIVATE -> SHARED, with the owner's descriptor counted. NULL when the owner closed it first, or *error WSAENOBUFS. */
struct share *share_private( struct client *owner, uint32_t slot, uint32_t generation, uint32_t handle, uint64_t cookie,
                             int32_t *error );
/* The socket with this cookie, whoever holds it; of a new slot when nobody does (*new_slot). */
struct share *share_adopt( uint64_t cookie, uint32_t kind, int *new_slot, int32_t *error );
/* A slot that the table says is SHARED, found by a server that takes over. */
struct share *share_restore( uint32_t slot );
int share_set_cookie( struct share *share, uint64_t cookie );
struct holder *share_hold( struct share *share, struct client *client, uint32_t handle );
/* The descriptor with this handle, 0 being one that was redeemed and is still to be named; else an anonymous one. */
struct holder *share_find_holder( struct share *share, struct client *client, uint32_t handle );
void share_name( struct holder *holder, uint32_t handle );
int share_is_held( struct share *share, struct client *client );
void share_release( struct holder *holder );
void share_count_ticket( struct share *share, int change );
/* Frees the slot when nothing refers to it. */
void share_check( struct share *share );
/* None is freed from here on, until shares_check_all. */
void shares_keep( void );
void shares_check_all( void );

/* --- tickets.c: tickets, and the watches that tell that a target ended */
struct ticket
{
    LIST_ENTRY( ticket ) in_numbers;
    LIST_ENTRY( ticket ) in_targets;
    LIST_ENTRY( ticket ) in_share;
    LIST_ENTRY( ticket ) in_issuer; /* while issuer != NULL */
    LIST_ENTRY( ticket ) in_watch;  /* while watch != NULL */
    struct share *share;
    struct client *issuer;   /* NULL when it is gone */
    struct process *process; /* that it is charged to */
    struct watch *watch;     /* NULL when the target had a connection */
    uint32_t number;
    uint32_t target;
    int fd;
};

int32_t ticket_create( struct client *issuer, struct share *share, int fd, uint32_t target, uint32_t number,
                       struct ticket **result );
/* The ticket, when target may redeem it. */
struct ticket *ticket_find( uint32_t number, uint32_t target );
void ticket_end( struct ticket *ticket );
int32_t watch_create_consume( struct client *client, uint32_t target, int fd );
int watch_find( struct client *client, uint32_t target );
void tickets_client_gone( struct client *client );
unsigned int tickets_open( void );
/* SPENT: told by the target of a ticket while a take-over is going on. */
void ticket_spent( struct client *target, uint32_t number );
void tickets_forget_spent( void );

/* --- processes.c: what the connections of one process hold together, and guesses */
#define PROCESS_CONNECTIONS 8u
#define PROCESS_TICKETS 1024u      /* open, each with a descriptor, or fewer: a quarter of what there may be in all */
#define PROCESS_TICKETS_ALWAYS 32u /* even when there are as many as there may be in all */
#define PROCESS_WATCHES 512u       /* the same */
#define PROCESS_BLOCKS ( WS2_BLOCK_COUNT / 4 )
#define TICKET_PART 3 /* of the server's descriptors */
#define WATCH_PART 6

struct process
{
    LIST_ENTRY( process ) in_pids;
    pid_t unix_pid;
    unsigned int users; /* connections, tickets and watches */
    unsigned int connections, tickets, watches, blocks;
};

struct process *process_get( pid_t pid );
void process_put( struct process *process );
/* The part-th part of the server's descriptors. */
unsigned int process_descriptor_share( unsigned int part );
/* ms until a ticket for this Windows process is looked up again. */
uint64_t guess_wait( uint32_t windows_pid );
/* One was wrong: ms until it is answered, which grow with each; a right one does not make up for it. */
uint64_t guess_wrong( uint32_t windows_pid );

/* --- clients.c: the processes of the table */
#define CLIENT_HOLDERS 0x40000u      /* descriptors of shared sockets */
#define CLIENT_ENDED PROCESS_TICKETS /* tickets that it has not been told of */
#define CLIENT_SPENT 256u            /* what a client keeps, dlls/ws2host/client/tickets.c */

struct client
{
    struct source source;
    struct source death; /* of a process known from the table only, by pidfd */
    LIST_ENTRY( client ) in_pids;
    TAILQ_ENTRY( client ) in_held;
    TAILQ_ENTRY( client ) in_to_tell; /* while ended_count != 0 */
    LIST_HEAD(, holder ) holders;
    LIST_HEAD(, ticket ) tickets;
    LIST_HEAD(, watch ) watches;
    uint32_t index;       /* WS2_NO_INDEX before HELLO and for an observer */
    uint32_t windows_pid; /* 0 for an observer */
    pid_t unix_pid;
    struct process *process;
    uint64_t start_time;
    int fd; /* -1: a process of the table that has not come back yet */
    int pidfd;
    int notice;      /* socket for the tickets that ended, or -1 */
    uint32_t *ended; /* tickets it has not been told of */
    unsigned int ended_count;
    unsigned int holder_count;
    unsigned int ticket_count;
    unsigned int spent_count;
    uint64_t held_until; /* 0, or when the answer to a wrong guess is due */
    struct ws2_reply held_reply;
    uint32_t parked;        /* a ticket that it wants to redeem and that its source may yet publish, 0 for none */
    unsigned char deferred; /* the parked one is looked at when held_until is over: guesses were wrong before it */
    unsigned char greeted;
    unsigned char resuming; /* it may publish what it holds */
    unsigned char missing;  /* the take-over waits for it */
    unsigned char dropped;  /* to be freed when the current event is done */
};

/* One more connection of a process, or with fd -1 a process of the table. NULL without memory. */
struct client *client_create( int fd, pid_t pid );
void client_free( struct client *client );
/* Takes it out of the directories and of the table. */
void client_remove( struct client *client );
/* The server directory's descriptor, which stays the caller's. */
void client_set_directory( int directory );
struct client *client_at( uint32_t index );
struct client *client_of_windows_pid( uint32_t windows_pid );
int32_t client_greet( struct client *client, uint32_t windows_pid );
void client_clear_record( uint32_t index );
void client_set_sharing( struct client *client );
void client_tell_ended( struct client *client, uint32_t ticket );
int clients_to_tell( void );
void clients_tell_ended( void );
unsigned int clients_connected( void );
/* A process of a table that is taken over; death is called when it ends. */
struct client *client_restore( uint32_t index, pid_t unix_pid, uint32_t windows_pid, uint64_t start_time,
                               void ( *death )( struct source *source, uint32_t events ) );
uint64_t process_start_time( pid_t pid ); /* 0 when there is no such process */

/* --- takeover.c: the table of a server that died */
void takeover_begin( void ( *death )( struct source *source, uint32_t events ) );
int takeover_running( void );
void takeover_client_done( struct client *client ); /* it has published what it holds, or it is gone */
void takeover_ticket_published( void );
unsigned int takeover_progress( void ); /* another number when a parked request may have its answer */

/* --- endpoints.c: Windows' bind rules */
/* 0, WSAEACCES or WSAEADDRINUSE; on success how many endpoints share the port with it. */
int32_t endpoint_check( uint32_t slot, uint32_t *neighbours );

/* --- connections.c: the clients' messages on their way */
struct connection_reader
{
    void ( *receive )( struct client *client ); /* there is something to read */
    int ( *retry )( struct client *client );    /* the parked request again; 0 when the client is to be dropped */
};
void connections_begin( int listener, struct connection_reader reader );
void client_accept( struct source *listener, uint32_t events );
void client_drop( struct client *client );
void client_death_ready( struct source *source, uint32_t events );
/* 0 when the client was dropped, because it does not read or is gone. */
int client_reply( struct client *client, const void *message, size_t size, int fd );
/* The answer comes later, and nothing is read from the client until then. */
void client_hold( struct client *client, const struct ws2_reply *reply, uint64_t delay );
uint64_t clients_deadline( void ); /* when clients_run_deadlines is due, 0 for never */
void clients_run_deadlines( void );

/* --- requests.c: the messages */
void request_receive( struct client *client );
int request_retry( struct client *client );

#endif
