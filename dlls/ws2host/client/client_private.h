/*
 * What the files of the client floor share; no other floor includes it.
 *
 * connection.c is the ground: it knows the others only by the functions of struct connection_parts, which attach.c gives it.
 * "Mutex held" is connection's mutex, with all signals blocked.
 */
#ifndef WS2HOST_CLIENT_PRIVATE_H
#define WS2HOST_CLIENT_PRIVATE_H

#include "base/host_clock.h"
#include "client/connection.h"

#define SERVER_DEADLINE 10000 /* ms to find or start a server */

static inline void client_sleep_ms( unsigned int ms ) { host_sleep_ms( ms ); }

/* --- complaint.c */

/* One line a process, as printf: what is wrong and what to do. */
void complaint_say( const char *format, ... ) __attribute__( ( format( printf, 1, 2 ) ) );
/* What a person can do about an errno value. */
const char *complaint_advice( int error );
/* All is well again: the next one is said. */
void complaint_forget( void );

/* --- server_start.c */

/* Runs the server's start-up process, which ends when the server listens in the directory of that path. -1: it has failed
 * and a person has been told. */
int server_start( const char *directory );

/* --- exchange.c: no state; who uses a connection sees to it that nobody else does */

enum exchange
{
    EXCHANGE_DONE,    /* the server has answered, whatever it has answered */
    EXCHANGE_GONE,    /* the server has hung up */
    EXCHANGE_NOT_SENT /* nothing was sent, and the connection is as it was: errno */
};

/* A connection to the server that listens in the directory, or -1 and errno. */
int exchange_connect( int directory, const char *path );
/* What is done with an answer to REDEEM that has come ahead, and the descriptor that came with it, -1 for none. Set before any
 * client that takes such answers asks. */
extern void ( *exchange_ahead_consume )( const struct ws2_reply *answer, int fd );
/* One such answer, if one has come; nobody waits for another. 0: none has. */
int exchange_look( int fd );
/* A line of the trace; reply: NULL for a message that has none. */
void exchange_trace( const struct ws2_request *request, const struct ws2_reply *reply );
/* The reply to a request that has been sent; the descriptor that comes with it, or -1, is the caller's to close. */
enum exchange exchange_receive( int fd, struct ws2_reply *reply, int *received_fd );
/* One request and, unless it is one way, its reply. send_fd is borrowed, -1: none; the descriptor that comes with the reply,
 * or -1, is the caller's to close. Waits for the server however long it takes; a person is told. */
enum exchange exchange_once( int fd, const struct ws2_request *request, int send_fd, struct ws2_reply *reply,
                             int *received_fd );
/* The same, some times if the host has no room for one more descriptor on its way. */
enum exchange exchange_again( int fd, const struct ws2_request *request, int send_fd, struct ws2_reply *reply,
                              int *received_fd );

/* --- connection.c */

/* A reply's detail where no server was asked, on the connection that there still is: no server says so. */
#define DETAIL_NOT_ASKED 0xffffffffu

/* What is built on the connection; all but `wake` and `wake_soon` called with the mutex held. */
struct connection_parts
{
    /* The first sharing operation: the socket that servers are to write ended tickets to, or -1. */
    int ( *share_begins )( void );
    /* A server has been found, or found again, or what could not be told at once waits. */
    void ( *wake )( void );
    /* The same, in a while: for what need not be told if it is over by then. */
    void ( *wake_soon )( void );
    /* Whether the server is still to be told of something before REPLACE. */
    int ( *must_tell )( void );
    /* A request is about to be sent, again perhaps: an error that keeps it from that, or 0. CLOSE: it is told of, once. */
    int32_t ( *prepare )( struct ws2_request *request, int fd );
    /* A request has been answered, or has failed; fd went with it. */
    void ( *follow )( const struct ws2_request *request, const struct ws2_reply *reply, int fd );
    /* Publishes to a server that has taken over, by connection_publish_request. */
    void ( *publish )( void );
};

/* --- begin.c: a greeting whose answer is taken later; no state */

struct begun
{
    int fd; /* on which the server was greeted */
    int directory;
    char path[];
};
/* The caller's to free, with the descriptors; NULL: no server listens, or there is no memory. */
struct begun *begin_greet( uint32_t windows_pid );
/* A greeting; instance: of the table that the process has, 0: none. */
void begin_request( struct ws2_request *request, uint32_t windows_pid, uint64_t instance );

/* --- connection.c */

/* connection_attach, given the parts. */
int32_t connection_open( const struct connection_parts *parts, uint32_t windows_pid );
void connection_lock( sigset_t *before );
void connection_unlock( const sigset_t *before );
/* One message while publishing, mutex held; fd is borrowed. -1 when the server is gone again. */
int connection_publish_request( struct ws2_request *request, int fd, struct ws2_reply *reply );
/* One answer to REDEEM that has come ahead. 0: there is none. Mutex held. */
int connection_look( void );
/* A one-way message on the connection that there is, mutex held; fd is borrowed. 0: it was not sent. */
int connection_tell( const struct ws2_request *request, int fd );
/* The same with a descriptor, no mutex held, from where nothing may wait: 0 also when another thread has the connection. */
int connection_tell_now( const struct ws2_request *request, int fd );
/* Something waits to be told by the server monitor thread; any mutex. */
void connection_tell_late( void );
void connection_tell_soon( void );       /* and may be over by then */
uint32_t connection_windows_pid( void ); /* mutex held */
/* The socket that share_begins gave, -1 for none. Mutex held. */
int connection_notice( void );
/* The connection to watch, -1 when there is none, and which one it is; borrowed. */
int connection_fd( uint64_t *serial );
/* Makes the connection again unless that has been done since. */
void connection_mend( uint64_t serial );

/* --- in_flight.c: its part in a take-over and around each request, mutex held */
void in_flight_add( uint32_t slot, uint32_t generation, uint32_t handle );
void in_flight_name( uint32_t slot, uint32_t generation, uint32_t handle );
void in_flight_forget( uint32_t slot, uint32_t generation, uint32_t handle );
void in_flight_publish_begin( void );
void in_flight_published( uint32_t slot, uint32_t generation, uint32_t handle );
void in_flight_publish( connection_publish_function publish );

/* --- tickets.c: its part in a take-over and after each request, mutex held */
void tickets_publish( void );
int32_t tickets_prepare( struct ws2_request *request, int fd );
int tickets_must_tell( void );
void tickets_ahead_consume( const struct ws2_reply *answer, int fd );
void tickets_follow( const struct ws2_request *request, const struct ws2_reply *reply, int fd );
/* The server is told what it need not have been told at once; no mutex held. */
void tickets_tell_late( void );
/* Tickets have ended, their numbers as far as the notices had room for them; no mutex held. */
void tickets_ended( const uint32_t *numbers, unsigned int count );

/* --- helper_sets.c: the same, and what an open ticket keeps. ref: 0 when there is nothing of that socket. */
void helper_sets_follow( const struct ws2_request *request, const struct ws2_reply *reply, int fd );
void helper_sets_publish( void );
/* What connection_replace could not tell at once; no mutex held. */
void helper_sets_tell_late( void );
int helper_sets_ref( uint32_t slot, uint32_t generation );
void helper_sets_unref( uint32_t slot, uint32_t generation );

/* --- server_monitor.c: struct connection_parts' share_begins, wake and wake_soon */
int server_monitor_start( void );
void server_monitor_wake( void );
void server_monitor_wake_soon( void );

#endif
