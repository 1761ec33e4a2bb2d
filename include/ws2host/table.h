/*
 * The socket table: one memfd of fixed virtual size, made by ws2server and mapped by every client.
 *
 * A slot holds what Winsock says belongs to the socket and not to one of its descriptors, as far as the kernel does not
 * share it already. The table is written by several processes at once, any of which may die at any instruction or be
 * hostile: fields are plain atomics, there is no lock in it, it holds indexes and never pointers, and whoever reads a
 * value checks it before using it as an index or a size.
 *
 * Who writes what:
 *   - the header but for its hints and what is behind it, the block directory, the client directory and the claims: the
 *     server only, but for a client's trace word: ws2ctl;
 *   - a process's page of counts: that process, for whoever looks; nothing is ever decided by them;
 *   - a PRIVATE slot: the process that leases its block;
 *   - the state word and the descriptor count of a SHARED slot: the server only;
 *   - the other fields of a SHARED slot: any process that holds a descriptor of the socket.
 */
#ifndef WS2HOST_TABLE_H
#define WS2HOST_TABLE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define WS2_TABLE_MAGIC 0x3254534f48325357ull /* "WS2HOST2" */
/* Of the table's layout and of the server protocol together: a client and a server of two versions refuse each other. */
#define WS2_LAYOUT_VERSION 6u

#define WS2_SLOT_COUNT 0x100000u /* sockets of one prefix */
#define WS2_BLOCK_SLOTS 64u      /* slots leased together */
#define WS2_BLOCK_COUNT ( WS2_SLOT_COUNT / WS2_BLOCK_SLOTS )
#define WS2_CLIENT_COUNT 0x4000u /* processes of one prefix */
#define WS2_NO_INDEX 0xffffffffu
#define WS2_SERVER_INDEX WS2_CLIENT_COUNT /* stands for the server where a client index is expected */
#define WS2_BLOCK_PINNED \
    ( WS2_SERVER_INDEX + 2 ) /* in the block directory: no lessee, but slots that are still shared */

/*
 * The state word: generation (32 bits) | owner's client index (24 bits) | state (8 bits).
 * PRIVATE -> SHARED (server) and PRIVATE -> FREE (owner) race; both are one compare-and-swap of this word.
 * Every step to FREE adds one to the generation, so that a stale (slot, generation) pair is recognised.
 */
enum ws2_slot_state
{
    WS2_SLOT_FREE = 0,
    WS2_SLOT_PRIVATE = 1, /* one process knows it, the one that leases the block */
    WS2_SLOT_SHARED = 2   /* the server counts its descriptors and tickets */
};

static inline uint64_t ws2_word( uint32_t generation, uint32_t owner, enum ws2_slot_state state )
{
    return (uint64_t)generation << 32 | (uint64_t)( owner & 0xffffff ) << 8 | (unsigned int)state;
}
static inline uint32_t ws2_word_generation( uint64_t word ) { return word >> 32; }
static inline uint32_t ws2_word_owner( uint64_t word ) { return word >> 8 & 0xffffff; }
static inline uint32_t ws2_word_state( uint64_t word ) { return word & 0xff; }

/* ws2_slot.flags */
enum ws2_slot_flag
{
    WS2_FLAG_NONBLOCKING = 0x00000001, /* FIONBIO, or an event registration */
    WS2_FLAG_BOUND = 0x00000002,
    WS2_FLAG_LISTENING = 0x00000004,
    WS2_FLAG_CONNECTING = 0x00000008,
    WS2_FLAG_CONNECTED = 0x00000010,
    WS2_FLAG_CONNECT_FAILED = 0x00000020, /* select's except set; cleared by the next connect */
    WS2_FLAG_SHUT_RECEIVE = 0x00000040,
    WS2_FLAG_SHUT_SEND = 0x00000080,
    WS2_FLAG_OVERLAPPED = 0x00000100,
    WS2_FLAG_REUSEADDR = 0x00000200,      /* SO_REUSEADDR as the program set it */
    WS2_FLAG_EXCLUSIVE = 0x00000400,      /* SO_EXCLUSIVEADDRUSE */
    WS2_FLAG_RESET = 0x00000800,          /* the peer reset the connection and that was reported */
    WS2_FLAG_DATAGRAM_ERROR = 0x00000800, /* of SOCK_DGRAM: the next receive tells of close_error */
    WS2_FLAG_CONDITIONAL_ACCEPT = 0x00001000,
    WS2_FLAG_NEEDS_ACCEPT_CONTEXT = 0x00002000,  /* accepted by AcceptEx, SO_UPDATE_ACCEPT_CONTEXT not yet set */
    WS2_FLAG_NEEDS_CONNECT_CONTEXT = 0x00004000, /* connected by ConnectEx, SO_UPDATE_CONNECT_CONTEXT not yet set */
    WS2_FLAG_SNDBUF_SET = 0x00008000,            /* sndbuf holds what the program set */
    WS2_FLAG_RCVBUF_SET = 0x00010000,
    WS2_FLAG_RANDOM_PORT = 0x00020000, /* SO_RANDOMIZE_PORT */
    WS2_FLAG_PORT_SCALABLE = 0x00040000,
    WS2_FLAG_DEBUG = 0x00080000, /* SO_DEBUG, stored only */
    WS2_FLAG_DONTROUTE = 0x00100000,
    WS2_FLAG_CONNRESET = 0x00200000,    /* SIO_UDP_CONNRESET: report ICMP port unreachable */
    WS2_FLAG_NETRESET = 0x00400000,     /* SIO_UDP_NETRESET: report host unreachable and time exceeded */
    WS2_FLAG_HAS_PORT = 0x00800000,     /* associated with a completion port */
    WS2_FLAG_SEND_BLOCKED = 0x01000000, /* a send met WSAEWOULDBLOCK: FD_WRITE is due when there is room */
    WS2_FLAG_HELPER = 0x02000000,       /* stands for \Device\Afd and is no socket to anybody */
    WS2_FLAG_DISCONNECTED = 0x04000000, /* DisconnectEx */
    WS2_FLAG_V6ONLY = 0x08000000,       /* IPV6_V6ONLY as it was when the socket was bound */
    WS2_FLAG_ENDPOINT = 0x10000000,     /* bound by the program, by the rules of WS2_BIND; not so an accepted socket */
    WS2_FLAG_ACCEPTED = 0x20000000,     /* came from accept, was never connecting */
    WS2_FLAG_OOBINLINE = 0x40000000,    /* SO_OOBINLINE as the program set it */
    WS2_FLAG_REGISTERED_IO = (int)0x80000000 /* made with WSA_FLAG_REGISTERED_IO */
};

/*
 * The socket's one event registration and what is recorded for it, in one word (ws2_slot.events) so that a step is one
 * compare-and-swap: generation (32 bits, one more with each registration) | seen | recorded | mask (10 FD_* bits each).
 * recorded: the event happened and has not been enumerated. seen: it was enumerated, and its condition has not been
 * re-enabled since; a new registration does not report it again.
 */
#define WS2_EVENT_BITS 10
#define WS2_EVENT_ALL 0x3ffu

static inline uint64_t ws2_events( uint32_t generation, uint32_t seen, uint32_t recorded, uint32_t mask )
{
    return (uint64_t)generation << 32 | (uint64_t)( seen & WS2_EVENT_ALL ) << 20 |
           (uint64_t)( recorded & WS2_EVENT_ALL ) << 10 | ( mask & WS2_EVENT_ALL );
}
static inline uint32_t ws2_events_generation( uint64_t events ) { return events >> 32; }
static inline uint32_t ws2_events_seen( uint64_t events ) { return events >> 20 & WS2_EVENT_ALL; }
static inline uint32_t ws2_events_recorded( uint64_t events ) { return events >> 10 & WS2_EVENT_ALL; }
static inline uint32_t ws2_events_mask( uint64_t events ) { return events & WS2_EVENT_ALL; }

/*
 * Every byte of a slot is used, and every flag. The next flag is one of another kind of socket's beside one of streams (as
 * DATAGRAM_ERROR beside RESET), or an option bit, of which some are left (enum option_bit in dlls/ws2host); the next field
 * shares one in the same way. What has no room so makes the slot larger for all, and is another WS2_LAYOUT_VERSION.
 */
struct ws2_slot
{
    _Atomic uint64_t word;             /*   0: see above */
    _Atomic uint64_t cookie;           /*   8: SO_COOKIE of the host socket, 0 before it is known */
    uint16_t family;                   /*  16: AF_* as Windows numbers them */
    uint8_t type;                      /*  18: SOCK_* */
    uint8_t protocol;                  /*  19: IPPROTO_* */
    _Atomic uint32_t handle;           /*  20: the owner's SOCKET while PRIVATE */
    _Atomic uint32_t flags;            /*  24: enum ws2_slot_flag */
    _Atomic uint32_t descriptors;      /*  28: descriptors in all processes while SHARED, for readers */
    _Atomic uint32_t error;            /*  32: WSA* code that SO_ERROR reads */
    _Atomic uint32_t connect_time;     /*  36: when it was connected, 1/64 s on CLOCK_MONOTONIC; 0 if it is not */
    _Atomic uint32_t receive_timeout;  /* 40: ms, 0 = none */
    _Atomic uint32_t send_timeout;     /*  44: ms, 0 = none */
    _Atomic uint32_t receive_buffer;   /* 48: bytes, as set */
    _Atomic uint32_t send_buffer;      /*  52: bytes, as set */
    _Atomic uint64_t events;           /*  56: see above */
    _Atomic uint32_t event_owner;      /*  64: client index of the process that registered, WS2_NO_INDEX for none */
    _Atomic uint32_t event_target;     /*  68: its event handle, or its window for WSAAsyncSelect */
    _Atomic uint32_t event_message;    /*  72: WSAAsyncSelect's message, 0 for WSAEventSelect */
    _Atomic uint16_t connect_error;    /*  76: iErrorCode of FD_CONNECT */
    _Atomic uint16_t close_error;      /*  78: iErrorCode of FD_CLOSE; WS2_FLAG_DATAGRAM_ERROR's */
    _Atomic uint64_t port_key;         /*  80: completion key */
    _Atomic uint32_t port_owner;       /*  88: client index of the process that associated a completion port */
    _Atomic uint32_t port_handle;      /*  92: the port's id there, and the notification modes: ws2_port_word */
    _Atomic uint32_t local_address[4]; /* 96: bound address, network order; IPv4 in the first */
    _Atomic uint16_t local_port;       /* 112: bound port, host order, 0 when unbound */
    _Atomic uint16_t linger_onoff;     /* 114 */
    _Atomic uint16_t linger_seconds;   /* 116 */
    _Atomic uint8_t protection_level;  /* 118: IPV6_PROTECTION_LEVEL / 10 */
    _Atomic uint8_t option_set;   /* 119: bits of options that only Windows has, private to dlls/ws2host/options.c */
    _Atomic uint32_t option_bits; /* 120: the same */
    _Atomic uint32_t
        backlog; /* 124: of listen; of SOCK_DGRAM, the server's: ws2_slot_helpers; else ws2_slot_listener */
};

_Static_assert( sizeof( struct ws2_slot ) == 128, "a socket costs 128 bytes of shared memory" );

/* A process of the prefix. unix_pid is 0 when the record is free. */
struct ws2_client_record
{
    _Atomic uint32_t unix_pid;
    _Atomic uint32_t windows_pid;
    _Atomic uint64_t start_time; /* field 22 of /proc/PID/stat, tells a reused pid */
    _Atomic uint32_t sharing; /* descriptors of shared sockets, and tickets, that it would publish to another server */
    /* counted up by ws2ctl when it has left other words for WS2DEBUG in the server's directory (WS2_TRACE_FILE) */
    _Atomic uint32_t trace;
    _Atomic uint64_t targets; /* whom its open tickets are for, a bit each by ws2_target_bit */
};

#define WS2_TARGET_BITS 64u
static inline unsigned int ws2_target_bit( uint32_t windows_pid ) { return windows_pid * 0x9e3779b1u >> 26; }

_Static_assert( sizeof( struct ws2_client_record ) == 32, "the client directory has fixed records" );

/* Everything but the word: what the next socket of a slot must not find of the one before. */
static inline void ws2_slot_clear( struct ws2_slot *slot )
{
    __builtin_memset( (char *)slot + sizeof( slot->word ), 0, sizeof( *slot ) - sizeof( slot->word ) );
    atomic_store( &slot->event_owner, WS2_NO_INDEX );
    atomic_store( &slot->port_owner, WS2_NO_INDEX );
}

/* What the server has of a datagram socket beside its host socket (WS2_HELPER): places 0 to this, an epoll and helpers. */
#define WS2_HELPERS_MOST 1025u
static inline uint32_t ws2_slot_helpers( const struct ws2_slot *slot )
{
    return atomic_load_explicit( &slot->backlog, memory_order_relaxed );
}
static inline void ws2_slot_set_helpers( struct ws2_slot *slot, uint32_t count )
{
    atomic_store( &slot->backlog, count );
}

/* The slot of the listener for which AcceptEx waits with a stream socket, WS2_NO_INDEX for none: told, and nothing more. */
static inline uint32_t ws2_slot_listener( const struct ws2_slot *slot )
{
    const uint32_t flags = atomic_load_explicit( &slot->flags, memory_order_relaxed );

    return flags & WS2_FLAG_LISTENING ? WS2_NO_INDEX : atomic_load_explicit( &slot->backlog, memory_order_relaxed ) - 1;
}
static inline void ws2_slot_set_listener( struct ws2_slot *slot, uint32_t index )
{
    atomic_store_explicit( &slot->backlog, index + 1, memory_order_relaxed );
}

/* port_handle: an id, whose two lowest bits no id uses, and SetFileCompletionNotificationModes' two flags in them. */
static inline uint32_t ws2_port_word( uint32_t handle, uint32_t modes ) { return ( handle & ~3u ) | ( modes & 3 ); }
static inline uint32_t ws2_port_word_handle( uint32_t word ) { return word & ~3u; }
static inline uint32_t ws2_port_word_modes( uint32_t word ) { return word & 3; }

/* 4 or 16 bytes of the bound address. */
static inline void ws2_slot_set_address( struct ws2_slot *slot, const void *bytes, size_t size )
{
    uint32_t words[4];

    __builtin_memcpy( words, bytes, size );
    for ( size_t i = 0; i < size / sizeof( words[0] ); i++ )
        atomic_store_explicit( &slot->local_address[i], words[i], memory_order_relaxed );
}
static inline void ws2_slot_address( const struct ws2_slot *slot, void *bytes, size_t size )
{
    uint32_t words[4];

    for ( size_t i = 0; i < size / sizeof( words[0] ); i++ )
        words[i] = atomic_load_explicit( &slot->local_address[i], memory_order_relaxed );
    __builtin_memcpy( bytes, words, size );
}

/*
 * What a process counts of itself, from its start on, for `ws2ctl stats`: a page for each, of lines that threads do not share
 * as long as they are few. A count is the sum over all lines.
 */
enum ws2_count
{
    WS2_COUNT_CALLS,      /* functions of Winsock's that have returned to the program */
    WS2_COUNT_ASKED,      /* questions to the loader's server, and ends told through it */
    WS2_COUNT_REQUESTS,   /* requests to ws2server */
    WS2_COUNT_OPERATIONS, /* overlapped operations begun */
    WS2_COUNT_RECEIVED,   /* bytes */
    WS2_COUNT_SENT,
    WS2_COUNT_WAITS, /* calls that had to wait */
    WS2_COUNTS
};
#define WS2_COUNT_LINES 64u
#define WS2_COUNT_HOST_LINES 16u /* the first ones, for the host half; the others are of single threads, but for one */
struct ws2_counts
{
    struct ws2_count_line
    {
        _Atomic uint64_t values[8]; /* by enum ws2_count */
    } lines[WS2_COUNT_LINES];
};
_Static_assert( sizeof( struct ws2_counts ) == 4096 && (int)WS2_COUNTS <= 8, "a page of counts for each process" );

struct ws2_table_header
{
    uint64_t magic;
    uint32_t layout_version;
    uint32_t slot_count;
    uint64_t instance;           /* random, of this table: tells a server that takes over from one of a new table */
    _Atomic uint32_t server_pid; /* of the server that owns the table now */
    _Atomic uint32_t sharings;   /* the server's: one more each time that a private slot becomes shared */
    /* Left by who sends urgent bytes, for the other end: 1 once there was one, and a set of hashes of connections, which only
     * grows (dlls/ws2host/sockets/urgent.h). Whoever sets them needlessly slows others down. */
    _Atomic uint32_t urgent_sent;
    _Atomic uint32_t urgent_hints[8];
    _Atomic uint32_t claims; /* the server's: claims from here on were never written */
};

/* Behind the header, on its page: the latest urgent bytes that were sent. An entry: receiver's port, sender's port (network
 * order, 16 bits each), and where the byte is in the stream (32 bits, modulo). Any process writes. */
#define WS2_URGENT_SENDS 256u
struct ws2_urgent_sends
{
    _Atomic uint32_t next; /* counts up; entry next % WS2_URGENT_SENDS is written next */
    uint32_t reserved;
    _Atomic uint64_t entries[WS2_URGENT_SENDS];
    /* of each entry, written before it: when that was, 1/64 s on CLOCK_MONOTONIC modulo 2^24, and the byte in the lowest 8 */
    _Atomic uint32_t values[WS2_URGENT_SENDS];
};
_Static_assert( sizeof( struct ws2_table_header ) + sizeof( struct ws2_urgent_sends ) <= 4096, "both on one page" );

/*
 * What one process has of one shared socket, told by a server to the one that takes over when it dies: that waits for as many
 * to be published by this process, and by nobody else. Written by the server only, and read but then. Free with a count of 0.
 */
struct ws2_claim
{
    _Atomic uint32_t slot, generation;
    _Atomic uint32_t client; /* its index */
    _Atomic uint32_t
        count; /* descriptors, and answers sent ahead; tickets that it has issued, until told of their end */
};

#define WS2_CLAIM_COUNT WS2_SLOT_COUNT

_Static_assert( sizeof( struct ws2_claim ) == 16, "claims have fixed records" );

/* The mapping, offsets in bytes from its start; every part begins on a page. */
#define WS2_TABLE_BLOCKS 4096u /* _Atomic uint32_t[WS2_BLOCK_COUNT]: 1 + client index of the lessee, 0 = not leased */
#define WS2_TABLE_CLIENTS ( WS2_TABLE_BLOCKS + WS2_BLOCK_COUNT * 4u )
#define WS2_TABLE_SLOTS ( WS2_TABLE_CLIENTS + WS2_CLIENT_COUNT * 32u )
#define WS2_TABLE_CLAIMS ( (size_t)WS2_TABLE_SLOTS + (size_t)WS2_SLOT_COUNT * sizeof( struct ws2_slot ) )
#define WS2_TABLE_COUNTS ( WS2_TABLE_CLAIMS + (size_t)WS2_CLAIM_COUNT * sizeof( struct ws2_claim ) )
/* The file. Clients map it up to the claims, which are for servers, and of the counts their own page. */
#define WS2_TABLE_SIZE ( WS2_TABLE_COUNTS + (size_t)WS2_CLIENT_COUNT * sizeof( struct ws2_counts ) )

static inline struct ws2_table_header *ws2_table_header( void *table ) { return table; }
static inline struct ws2_urgent_sends *ws2_table_urgent( void *table )
{
    return (struct ws2_urgent_sends *)( ws2_table_header( table ) + 1 );
}
static inline _Atomic uint32_t *ws2_table_blocks( void *table )
{
    return (_Atomic uint32_t *)( (char *)table + WS2_TABLE_BLOCKS );
}
static inline struct ws2_client_record *ws2_table_clients( void *table )
{
    return (struct ws2_client_record *)( (char *)table + WS2_TABLE_CLIENTS );
}
static inline struct ws2_claim *ws2_table_claims( void *table )
{
    return (struct ws2_claim *)( (char *)table + WS2_TABLE_CLAIMS );
}
static inline struct ws2_counts *ws2_table_counts( void *table, uint32_t client )
{
    return (struct ws2_counts *)( (char *)table + WS2_TABLE_COUNTS ) + client;
}
/* NULL when the index is out of range, so that an index read from shared memory can be passed as it is. */
static inline struct ws2_slot *ws2_table_slot( void *table, uint32_t index )
{
    return index < WS2_SLOT_COUNT ? (struct ws2_slot *)( (char *)table + WS2_TABLE_SLOTS ) + index : NULL;
}

#endif
