/*
 * What clients (ws2host.so, ws2ctl) and ws2server say to each other: one fixed-size request and one fixed-size reply per
 * operation on an AF_UNIX SOCK_SEQPACKET connection, at most one descriptor with each. The server answers every request
 * except those marked one-way, in order. A message of another size, or of no known type, ends the connection. Errors are
 * Winsock codes (0 = success).
 *
 * A client is a process, for as long as it runs; a connection may be lost and made again, and its answers may be late. The
 * process then says HELLO with the table's instance, publishes what it holds, and says RESUMED: whether another server has
 * taken over or the same one is there still, it goes on as before.
 *
 * The socket is WS2_SERVER_SOCKET in the server directory (0700, owned by the user): WS2HOST_DIR, or
 * /tmp/.ws2host-UID/DEV-INO, DEV-INO of the WINEPREFIX folder in hexadecimal: the same for each process of user and prefix,
 * whatever else its environment says. A server locks the directory (flock), and the table (the first byte, F_OFD_SETLK).
 */
#ifndef WS2HOST_PROTOCOL_H
#define WS2HOST_PROTOCOL_H

#include <stdint.h>

#define WS2_SERVER_SOCKET "server"
#define WS2_SERVER_LOCK "lock"
#define WS2_SERVER_LEFT 'L' /* all that the lock file holds while the last server has gone because nobody needed it */
#define WS2_TRACE_FILE "trace-%u"       /* a client's, by its index: words as in WS2DEBUG, from ws2ctl */
#define WS2_SERVER_TRACE "trace-server" /* the server's lines, with WS2DEBUG=server */
#define WS2_SERVER_KILLED \
    75 /* exit status of the start-up process when its server was killed before it listened: try again */
#define WS2_KICK_SOCKET "kick-%u" /* a client's, by its index: see dlls/ws2host/client/event_kick.h */

#define WS2_CELLS 16384u

#define WS2_ADOPT_KNOWN 0x8000 /* beside the family in flags: only a socket that the table knows */

enum ws2_request_type
{
    /*                      in                                          out
     * HELLO                version, windows_pid, instance, flags       index = client index, instance, slot, count
     *   + the memfd of the table that the client holds (instance != 0)   + memfd, when its instance is another
     *   The first request. windows_pid 0: an observer (ws2ctl), which can only ask for LIST. WSAEWOULDBLOCK: connect again,
     *   to another server by then; WSAENOBUFS: again, later. flags 1: with a first LEASE of count slots, 0 where none was to be
     *   had. */
    WS2_HELLO = 1,
    /* LEASE                                                            slot = first of WS2_BLOCK_SLOTS; WSAEMFILE
     *   A lease ends with the process. */
    WS2_LEASE,
    /* DUPLICATE            slot, generation, handle, windows_pid = target, ticket, flags = 1 + cell      ticket, count, index,
     *                                                                                                   instance
     *   + the host socket. ticket 0: a new one; another value: a ticket of a server that died, published again. count: so many
     *   more for the same target, whose index in the table is told, may be issued on this connection without an answer (ISSUE).
     *   WSAEINVAL with detail WS2_DETAIL_UNKNOWN_TARGET: send WATCH first. */
    WS2_DUPLICATE,
    /* WATCH                windows_pid
     *   + the reading end of a pipe that hangs up when that process ends. Serves the tickets of this client only. */
    WS2_WATCH,
    /* REDEEM               ticket, handle = ms waited so far, flags = its handle       slot, generation
     *                      slot, generation                                                             + the host socket
     *   Counts one descriptor for the caller; its handle, if it has none yet (0), follows by NAME. WSAEINVAL for anything not its own. With detail
     *   WS2_DETAIL_LATER the caller is to wait, count ms, and its connection is free meanwhile: before the answer is used,
     *   or, when that is WSAEWOULDBLOCK, before the caller asks again. Who does not wait is not listened to.
     *   slot: so many answers (WS2_AHEAD_MOST at most) the caller keeps that may come before it asks, on this connection, with detail
     *   WS2_DETAIL_AHEAD and the ticket, between and before other answers: the tickets that it is issued by those whose tickets it has opened. Such
     *   a ticket is open until the caller says REDEEM, which is not answered again then, or TAKEN, or CLOSE with it. generation 1: the answer came ahead,
     *   and its socket did not come or is not kept; answer now, and if that fails it is as if none had come. */
    WS2_REDEEM,
    /* NAME (one-way)       slot, generation, handle                    the handle of the descriptor just redeemed */
    WS2_NAME,
    /* ADOPT                handle, flags = family | type << 16 | protocol << 24        slot, generation
     *   + the host socket. Counts one descriptor of a socket found by its cookie; of a new slot if none has it
     *   (error 0, detail WS2_DETAIL_NEW_SLOT: the caller fills the slot in), or WSAENOTSOCK with WS2_ADOPT_KNOWN. */
    WS2_ADOPT,
    /* CLOSE (one-way)      slot, generation, handle, ticket            closesocket need not wait: what this client asks
     *   next, and what others ask because it has closed, comes to the server after it. ticket: the descriptor was opened by an
     *   answer that came ahead, and the server has not been told of that (TAKEN) */
    WS2_CLOSE,
    /* NOTICE               + a stream socket, on which the server writes the number (4 bytes) of each ticket of this
     *   client that has ended, redeemed or not, if there is room: what the client kept for a server that takes over can
     *   go. What counts is the ticket's cell. Of one whose socket the client has open there is no notice, for what it keeps
     *   keeps nothing else; a 0 is written when it has closed it. */
    WS2_NOTICE,
    /* CELLS                + a memfd of WS2_CELLS numbers, sealed against growing and shrinking. The server writes the
     *   number of a ticket that has ended into the cell that DUPLICATE gave it (flags 0: none): before a client publishes
     *   a ticket it looks there, and so nobody can redeem it again. */
    WS2_CELLS_REQUEST,
    /* PUBLISH              slot, generation, handle                    after another server took over: a descriptor held
     *   + the host socket, where the client has it at hand */
    WS2_PUBLISH,
    /* SPENT (one-way)      ticket                                      on any connection after the first: a ticket that this
     *   client has redeemed, which the server may not know, or its source may publish again */
    WS2_SPENT,
    /* RESUMED (one-way)                                                 all has been published */
    WS2_RESUMED,
    /* BIND                 slot, generation                            count = endpoints of that port that it will share
     *                                                                  with, index = sockets that have left the port lately
     *   May the endpoint in the slot be bound, by Windows' rules: WSAEACCES or WSAEADDRINUSE if not. With detail
     *   WS2_DETAIL_LATER who has it is ending: the caller is to ask again in count ms. A refusal has in slot and generation the
     *   socket that has it, and in handle the number of a Windows process that has that, 0 for the caller. Of those that have
     *   left, the host may have one a moment longer. */
    WS2_BIND,
    /* BOUND (one-way)      slot, generation                            bound to a port that the host chose, or not bound, for
     *   the host has refused what BIND allowed */
    WS2_BOUND,
    /* LEAVE (one-way)                                                  the process is ending: what it holds is given up */
    WS2_LEAVE,
    /* LIST                 slot, handle = where to begin (0, 0)        slot, handle = where to go on, slot WS2_NO_INDEX
     *   at the end; count rows (at most WS2_LIST_ROWS) follow in the same message */
    WS2_LIST,
    /* SHARE                slot, generation, handle
     *   + the host socket. PRIVATE -> SHARED, for what follows. */
    WS2_SHARE,
    /* HELPER               slot, generation, flags = 1 + place, 0 for the next                     index = its place
     *   + what a datagram socket has beside its own host socket, for whoever opens or adopts it: at place 0 an epoll of all
     *   of them, then helpers. How many there are stands in the slot. WSAEALREADY: the place is taken; WSAENOBUFS. */
    WS2_HELPER,
    /* FETCH                slot, generation, flags = place                                         + what stands there
     *   WSAEINVAL: nothing yet; WSAEWOULDBLOCK: not yet published again; WSAENOTSOCK: it is gone. */
    WS2_FETCH,
    /* ISSUE (one-way)      slot, generation, handle, windows_pid = target, ticket, flags = 1 + cell
     *   + the host socket, which is SHARED already. What DUPLICATE does, with a number that the server has promised the client:
     *   what the target asks later comes to the server after it, or the server listens here first. */
    WS2_ISSUE,
    /* TAKEN (one-way)      slot, generation, handle, ticket            a ticket that this client has opened, and that it has
     *   issued to itself or had the answer to REDEEM of ahead. Counts one descriptor, as REDEEM does; without room for that the ticket
     *   stands for the descriptor, and nobody opens it again. */
    WS2_TAKEN,
    /* REPLACE (one-way)    slot, generation
     *   + the host socket that a shared stream socket has now, whose cookie stands in the slot, in place of the one that its
     *   holders have: FETCH of place 0 gives it to them. Nothing comes of it without room (the limit of helpers), from who is
     *   no holder, of a socket of another kind, or when another one has taken the place since. */
    WS2_REPLACE,
    WS2_REQUEST_COUNT
};

/* There is no reply. */
static inline int ws2_request_is_one_way( uint32_t type )
{
    return type == WS2_NAME || type == WS2_CLOSE || type == WS2_SPENT || type == WS2_RESUMED || type == WS2_BOUND ||
           type == WS2_LEAVE || type == WS2_ISSUE || type == WS2_TAKEN || type == WS2_REPLACE;
}

#define WS2_HOLDERS_MOST 0x40000u /* descriptors of shared sockets of one process */
#define WS2_PROMISED 15u          /* tickets at once */
#define WS2_AHEAD_MOST 8u         /* answers to REDEEM that one client has and has not used, or not told of */

/* The i-th number of those that are promised with an answer to DUPLICATE (instance: seed, count: how many). */
static inline uint32_t ws2_promised_number( uint64_t seed, uint32_t i )
{
    uint64_t value = seed + ( i + 1 ) * 0x9e3779b97f4a7c15ull;

    value = ( value ^ value >> 30 ) * 0xbf58476d1ce4e5b9ull;
    value = ( value ^ value >> 27 ) * 0x94d049bb133111ebull;
    return ( value ^ value >> 31 ) >> 32;
}

enum ws2_detail
{
    WS2_DETAIL_NONE = 0,
    WS2_DETAIL_UNKNOWN_TARGET, /* the server does not know whether the target process lives */
    WS2_DETAIL_NEW_SLOT,
    WS2_DETAIL_VERSION, /* instance = the server's layout version */
    WS2_DETAIL_CLAIMED, /* another process has this Windows number, and runs */
    WS2_DETAIL_FOREIGN, /* a process of a PID name space that the server cannot see */
    WS2_DETAIL_LATER,   /* in count ms */
    WS2_DETAIL_AHEAD    /* the answer to a REDEEM that has not come yet */
};

struct ws2_request
{
    uint32_t type; /* enum ws2_request_type */
    uint32_t version;
    uint32_t slot;
    uint32_t generation;
    uint32_t handle;
    uint32_t windows_pid;
    uint32_t ticket;
    uint32_t flags;
    uint64_t instance;
};

struct ws2_reply
{
    uint32_t error;  /* Winsock code */
    uint32_t detail; /* enum ws2_detail */
    uint32_t slot;
    uint32_t generation;
    uint32_t index;
    uint32_t ticket;
    uint32_t count;
    uint32_t handle;
    uint64_t instance;
};

#define WS2_LIST_ROWS 128u

/* One descriptor or one open ticket of a socket that the server counts. */
struct ws2_row
{
    uint32_t slot;
    uint32_t generation;
    uint32_t windows_pid;
    uint32_t unix_pid;
    uint32_t handle; /* 0 for a ticket */
    /* Windows pid that may redeem the ticket, 0 for a descriptor; the ticket itself stays secret */
    uint32_t ticket_target;
};

_Static_assert( sizeof( struct ws2_request ) == 40 && sizeof( struct ws2_reply ) == 40 &&
                    sizeof( struct ws2_row ) == 24,
                "fixed message sizes" );

#endif
