/*
 * The process's one connection to its server, and what only the server can do. Plain host code, usable outside a loader.
 *
 * One connection a process, made by connection_attach and made again by whichever request first finds its server gone:
 * that request then starts another server, gives it the table, publishes what the process holds, and goes on. A mutex
 * guards the connection; no call of the data path takes it. Errors are Winsock codes; WSAENETDOWN means that no server
 * was to be had, and one line on stderr has said why.
 */
#ifndef WS2HOST_CONNECTION_H
#define WS2HOST_CONNECTION_H

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include "ws2host/protocol.h"
#include "ws2host/table.h"

/* Connects, starting a server if there is none, and maps the table. Does nothing when attached already (attach.c). */
int32_t connection_attach( uint32_t windows_pid );
/* Greets the server for that, if one listens, and does not wait for its answer (begin.c). 0: none listens. */
int connection_begin( uint32_t windows_pid );

/* Tells a person, once. */
void connection_out_of_descriptors( void );
/* bind failed for want of rights: says so once. */
void connection_port_refused( uint32_t port );

/* The process is ending, its other threads are gone: the server drops what it holds. */
void connection_end( void );

/* Other words for WS2DEBUG have been left for the process (WS2_TRACE_FILE): found out by whoever looks at a number in its
 * record of the table, at no cost beyond that. */
struct connection_trace
{
    _Atomic uint32_t *word;
    _Atomic uint32_t known;
    void ( *changed )( void );
};
extern struct connection_trace connection_trace;
static inline void connection_look_at_trace( void )
{
    const uint32_t now = atomic_load_explicit( connection_trace.word, memory_order_relaxed );

    if ( __builtin_expect( now == atomic_load_explicit( &connection_trace.known, memory_order_relaxed ), 1 ) ) return;
    atomic_store( &connection_trace.known, now );
    connection_trace.changed();
}
/* From now on, of an attached process. */
void connection_follow_trace( void ( *changed )( void ) );

/* The table, NULL before the process is attached: its header and directories; the slots are where table_map.h says. Never
 * moves. */
void *connection_table( void );
uint32_t connection_client_index( void );
/* The block that the server has leased with its greeting, as it says: once; WS2_NO_INDEX: none. */
uint32_t connection_take_block( void );

/* One request and its reply. send_fd (borrowed) goes with the request unless it is -1; a descriptor that comes with the
 * reply is stored in *received_fd, the caller's to close, or closed when received_fd is NULL. Returns reply->error. */
int32_t connection_request( struct ws2_request *request, int send_fd, struct ws2_reply *reply, int *received_fd );

/* Called with the connection's mutex held, once per descriptor of a shared socket, when another server took over. */
typedef void ( *connection_publish_function )( uint32_t slot, uint32_t generation, uint32_t handle, int fd );
/* The descriptor table's part in a take-over: calls publish for each live descriptor whose slot is SHARED. */
extern void ( *connection_enumerate_shared )( connection_publish_function publish );
/* Besides, of one just published whose host socket has taken another's place while it was shared. */
void connection_publish_replaced( uint32_t slot, uint32_t generation, int fd );

/* --- slots of the process's own leases (leases.c); no round trip but for the first of each block */

/* A PRIVATE slot of this process, its fields zeroed (indexes WS2_NO_INDEX). WSAEMFILE when the table is full. */
int32_t lease_take( uint32_t *slot, uint32_t *generation );
/* PRIVATE -> FREE. Returns 0 when the slot was shared meanwhile: the server is to be asked (CLOSE). */
int lease_give_back( uint32_t slot, uint32_t generation );

/* --- tickets that this process issued and that nobody has redeemed yet (tickets.c) */

/* WSADuplicateSocket's part: *ticket for target. WSAEINVAL and *unknown_target = 1 when the server must first be given a
 * descriptor that hangs up with the target (connection_watch). fd is borrowed. */
int32_t ticket_issue( uint32_t slot, uint32_t generation, uint32_t handle, int fd, uint32_t target, uint32_t *ticket,
                      int *unknown_target );
int32_t connection_watch( uint32_t target, int fd );
/* WSASocket's part: the slot and a descriptor of the caller's own, to be named when it has a handle. _as: it is to have this one. */
int32_t ticket_redeem( uint32_t ticket, uint32_t *slot, uint32_t *generation, int *fd );
int32_t ticket_redeem_as( uint32_t ticket, uint32_t handle, uint32_t *slot, uint32_t *generation, int *fd );

/* --- what a datagram socket has beside its host socket, for other processes too (helper_sets.c, WS2_HELPER) */

/* The process's record of one socket, kept until it has been closed as often as opened. */
int32_t helper_set_open( uint32_t slot, uint32_t generation );
void helper_set_close( uint32_t slot, uint32_t generation );
/* The socket is one that the server counts from now on. fd, its host socket, is borrowed. */
int32_t helper_set_share( uint32_t slot, uint32_t generation, uint32_t handle, int fd );
/* At place, or at the next one (WS2_NO_INDEX); fd is the record's from now on, or closed. WSAEALREADY, WSAENOBUFS. */
int32_t helper_set_add_consume( uint32_t slot, uint32_t generation, uint32_t place, int fd, uint32_t *result );
/* What stands there, which stays the record's. WSAENOTSOCK: nobody has it any more; WSAEWOULDBLOCK: after a take-over, who has
 * it may not have told the server yet; WSAEINVAL: nobody has put anything there. */
int32_t helper_set_get( uint32_t slot, uint32_t generation, uint32_t place, int *fd );

/* --- another host socket in a shared stream socket's place (helper_sets.c, WS2_REPLACE) */

/* Tells the server, one way: never waits, and may be called with locks held. What cannot be told now (another thread has the
 * connection, the server does not read or is gone) the server monitor thread tells. fd is borrowed. */
void connection_replace( uint32_t slot, uint32_t generation, int fd );
/* Asks for the latest that the server was told of, which is the caller's, or -1. No lock held. */
int connection_replaced( uint32_t slot, uint32_t generation );

/* --- sharing */
int32_t connection_adopt( int fd, uint32_t family, uint32_t type, uint32_t protocol, uint32_t handle, uint32_t *slot,
                          uint32_t *generation, int *new_slot );
void connection_name( uint32_t slot, uint32_t generation, uint32_t handle );
/* A descriptor of a SHARED slot is closed; the fd is closed by the caller. */
void connection_close( uint32_t slot, uint32_t generation, uint32_t handle );
/* The socket of this slot has got a port from the host. */
void connection_bound( uint32_t slot, uint32_t generation );
/* Returns when the server has seen to what this process has told it. */
void connection_settle( void );
/* The same, if the table may show fewer descriptors than this process and those that it has issued tickets to have. */
void connection_settle_counts( void );
int connection_counts_are_late( void ); /* it may */

#endif
