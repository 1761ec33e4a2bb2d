/*
 * The process's I/O loop: one epoll, in which a thread of the PE side sleeps (unix_io_wait), and the sources that are in it.
 *
 * A source is a kind of entries: its key says the kind by its three lowest bits, so that an entry costs no look-up, and
 * the rest of the key is the source's own, a multiple of 8. The epoll is made when the first source needs it. Sources are
 * registered at start; their functions run in the loop's thread.
 */
#ifndef WS2HOST_IO_LOOP_H
#define WS2HOST_IO_LOOP_H

#include "base/unix_private.h"

/* In the order of their turns. An entry of an operation is served as it comes up, before any turn, so that the events look at
 * what the operations have left; ports have their turn before the operations', which counts what has ended. */
enum io_kind
{
    IO_CHANGES,
    IO_EVENTS,
    IO_KICKS,
    IO_AFD_POLLS,
    IO_PORTS,
    IO_OPERATIONS,
    IO_NOTIFICATIONS,
    IO_WAKE, /* the loop's own; with a value a thread that has ended (operations/operation_threads.c) */
    IO_KINDS
};

struct io_turn
{
    struct ws2_io_wait_params *params; /* what the PE side is told; the loop ends when there is something */
    uint32_t ready;                    /* a bit for each kind that had entries */
    int count; /* entries of all kinds; 0: the time was over; -1: the turn before the first wait */
};

struct io_source
{
    void ( *ready )( uint64_t value, uint32_t events ); /* an entry has come up, value is its key's; may be NULL */
    void ( *turn )( struct io_turn *turn );             /* after the entries of each wait; may be NULL */
    int ( *timeout )( void );                           /* ms until a turn is wanted, -1 for no limit; may be NULL */
};

void io_loop_register( enum io_kind kind, const struct io_source *source );

#define IO_KIND_BITS 7ull
static inline uint64_t io_key( enum io_kind kind, uint64_t value ) { return value | kind; }
static inline uint64_t io_value( uint64_t key ) { return key & ~IO_KIND_BITS; }

/* The epoll, made on first need; *made is set to 1 when the PE side is to start its thread. Winsock codes. */
int32_t io_loop_open( uint32_t *made, int *epoll );
/* The same, -1 when it has not been made. */
int io_loop_epoll( void );
/* The thread looks again: a turn for everybody. Only when there is an epoll. */
void io_loop_wake( void );
/* The entries of one kind that are ready, without the loop's thread: at the end of the process. Returns how many entries
 * there were, of all kinds. */
int io_loop_poll( enum io_kind kind );

#endif
