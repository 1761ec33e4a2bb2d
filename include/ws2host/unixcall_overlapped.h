/*
 * Part of unixcall.h: overlapped operations.
 *
 * A call that starts an operation begins with struct ws2_operation. error is 0 when it has ended well (information, port
 * tell the rest), WSA_IO_PENDING when it was queued, or why it failed at once. What was queued comes back as a
 * struct ws2_completion from operation_fetch, which one thread of the PE side calls at a time. Once the program has been
 * told, the PE side says so in `told`, and the next operation_fetch, operation_results or port_wait gives the operation back.
 */
#ifndef WS2HOST_UNIXCALL_OVERLAPPED_H
#include "ws2host/alike.h"

#define WS2HOST_UNIXCALL_OVERLAPPED_H

#include <stdint.h>

#define WS2_OVERLAPPED_CALLS( X ) \
    X( operation_receive ) \
    X( operation_send ) \
    X( operation_accept ) \
    X( operation_connect ) \
    X( operation_disconnect ) \
    X( operation_transmit ) \
    X( operation_idle ) \
    X( operation_release ) \
    X( operation_pending ) \
    X( operation_cancel ) \
    X( operation_fetch ) \
    X( operation_results ) \
    X( operation_flush ) \
    X( port_associate ) \
    X( port_modes ) \
    X( port_query ) \
    X( port_open ) \
    X( port_close ) \
    X( port_wait ) \
    X( port_wake ) \
    X( port_thread )

/* How the program is told of the end: carried through the host half, which looks at iosb and thread_id only. */
struct ws2_operation_target
{
    uint64_t iosb;
    uint64_t event;
    uint64_t apc;
    uint64_t apc_context;
    uint64_t thread; /* handle, for an apc */
    uint32_t thread_id;
    uint32_t options; /* bits of the PE side's own, and the one below */
};
WS2_ALIKE( struct ws2_operation_target );

/* Set by the host half in what has ended: iosb is filled when the packet is taken from the port. */
#define WS2_TARGET_LATE 0x80000000u

/* The socket's completion port. The modes are of FileIoCompletionNotificationInformation. */
struct ws2_port
{
    uint64_t key;
    uint32_t handle; /* its id in the process that associated it (dlls/ws2_32/ports/port_list.c), 0 for none */
    uint32_t owner;  /* that Windows process */
    uint32_t modes;
    uint32_t reserved;
};
WS2_ALIKE( struct ws2_port );

enum ws2_operation_how
{
    WS2_OPERATION_TRY = 1,     /* WSAEWOULDBLOCK instead of queueing it */
    WS2_OPERATION_NO_WAIT = 2, /* the same, on a non-blocking socket only */
    WS2_OPERATION_ROUTES = 4,  /* operation_idle: routes, and not addresses */
    WS2_OPERATION_KIND =
        8, /* a transfer or AFD poll on a socket that is not overlapped is not begun: `synchronous` is set */
    WS2_OPERATION_BLOCK =
        16 /* a transfer whose target's iosb is the program's OVERLAPPED, and no more of it is filled in. With
                                * an event in that it is not begun: WS2_ERROR_EVENT. Else the OVERLAPPED is marked as pending, and,
                                * when all is over and well, its results are written by the same call: `ended` is set */
};

struct ws2_operation
{
    int32_t error;
    uint32_t how; /* enum ws2_operation_how */
    uint64_t handle;
    struct ws2_operation_target target;
    struct ws2_port port;    /* out, not with a failure */
    uint64_t information;    /* out: bytes */
    uint32_t flags;          /* out: MSG_* of a receive */
    uint32_t need_io_thread; /* out */
    uint64_t held; /* out: it was queued in spite of WS2_OPERATION_TRY, a part of it being done; the program is told
                           * of its end after operation_release, which takes this struct */
    uint32_t synchronous; /* out, with WS2_OPERATION_KIND */
    uint32_t ended; /* out, with WS2_OPERATION_BLOCK; set before the results are written, one of which may fault */
};
WS2_ALIKE( struct ws2_operation );

#define WS2_ERROR_EVENT 0x10000001

/* operation_receive, operation_send. buffers: WSABUF[count]; address and size_pointer as in ws2_message_params;
 * message: WSAMSG whose name, control and flags are read and written, or 0. local: with a message, where to put the address
 * that a datagram was sent to, on a socket for registered I/O; or 0. flags_user, done_user: the program's own, or 0, which are
 * read and written as WSARecv's are, with WS2_OPERATION_BLOCK. */
struct ws2_operation_transfer_params
{
    struct ws2_operation operation;
    uint64_t buffers;
    uint32_t count;
    uint32_t flags;
    uint64_t address;
    uint64_t size_pointer;
    uint64_t message;
    uint32_t size;
    uint32_t reserved;
    uint64_t local;
    uint64_t flags_user;
    uint64_t done_user;
};
WS2_ALIKE( struct ws2_operation_transfer_params );

/* AcceptEx; handle is the listener's. */
struct ws2_operation_accept_params
{
    struct ws2_operation operation;
    uint64_t acceptor;
    uint64_t buffer;
    uint32_t receive_size;
    uint32_t local_size;
    uint32_t remote_size;
    uint32_t reserved;
};
WS2_ALIKE( struct ws2_operation_accept_params );

/* ConnectEx. The data is copied. */
struct ws2_operation_connect_params
{
    struct ws2_operation operation;
    uint64_t address;
    uint64_t data;
    uint32_t address_size;
    uint32_t data_size;
};
WS2_ALIKE( struct ws2_operation_connect_params );

/* DisconnectEx */
struct ws2_operation_disconnect_params
{
    struct ws2_operation operation;
    uint32_t reuse; /* TF_REUSE_SOCKET */
    uint32_t reserved;
};
WS2_ALIKE( struct ws2_operation_disconnect_params );

/* TransmitFile, TransmitPackets. A segment is memory, or a part of a file (fd >= 0, the host half's from now on, even when
 * the call fails). size 0 of a file: to its end. */
struct ws2_segment
{
    uint64_t memory;
    uint64_t offset;
    uint64_t size;
    int32_t fd;
    uint32_t reserved;
};
WS2_ALIKE( struct ws2_segment );

#define WS2_TRANSMIT_DISCONNECT 1
#define WS2_TRANSMIT_REUSE 2
#define WS2_TRANSMIT_NOTHING 4 /* only gives the descriptors back */
struct ws2_operation_transmit_params
{
    struct ws2_operation operation;
    uint64_t segments;
    uint32_t count;
    uint32_t flags; /* WS2_TRANSMIT_* */
};
WS2_ALIKE( struct ws2_operation_transmit_params );

/* operation_idle takes struct ws2_operation: it pends until the host's addresses, or routes, change. */

/* operation_pending takes struct ws2_handle_params: WSAEINVAL when nothing waits through the handle. */

/* Cancels what matches all that is given: handle (0: of every socket), iosb (0: any), thread_id (0: any). */
struct ws2_operation_cancel_params
{
    int32_t error; /* 0, WSAENOTSOCK */
    uint32_t thread_id;
    uint64_t handle;
    uint64_t iosb;
    uint32_t count;            /* out */
    uint32_t keep_ports;       /* not those of which a completion port alone is told */
    uint32_t options;          /* those whose target has all of these (0: any) */
    uint32_t excluded_options; /* not those whose target has any of these */
};
WS2_ALIKE( struct ws2_operation_cancel_params );

#define WS2_COMPLETION_WRITES 8
struct ws2_completion
{
    struct ws2_operation_target target;
    struct ws2_port port;
    uint64_t handle;
    uint64_t information;
    uint64_t undelivered; /* address of a uint32_t to decrement once the program has been told */
    uint64_t told;        /* address of a uint32_t to set last: nothing of this struct is touched any more */
    int32_t error;        /* Winsock code, 0 = success */
    uint32_t flags;       /* MSG_* of a receive */
    uint32_t write_count;
    uint32_t signal_before;
    uint32_t bounced; /* the data is among the writes: the host could not write it itself */
    uint32_t written; /* the status block has been filled, and the writes have been made */
    /* address of a uint32_t: if it is signal_before still, no operation has begun to wait since this one's end, and its
     * lowest bit is to be cleared once the program has been told (port_query) */
    uint64_t signal_sequence;
    struct
    {
        uint64_t target, source, size;
    } writes[WS2_COMPLETION_WRITES]; /* what to copy into the caller's memory first */
};
WS2_ALIKE( struct ws2_completion );

#define WS2_COMPLETIONS 16
struct ws2_operation_fetch_params
{
    int32_t error;
    uint32_t count; /* out */
    /* in: of the program's pointers. What ended well, to be told of by a packet and nothing else, is written at once; 0: nothing
     * is */
    uint32_t pointer_size;
    uint32_t flags_option;    /* in: targets with this option want the flags behind the status block, */
    uint32_t excluded_option; /* and those with this one are left alone */
    uint32_t more;            /* out: others have ended */
    /* out; with a pointer that was bad, the call ends by an exception status: with resume set it goes on behind that one */
    uint32_t next, step;
    uint32_t resume; /* in */
    uint32_t reserved;
    struct ws2_completion completions[WS2_COMPLETIONS];
};
WS2_ALIKE( struct ws2_operation_fetch_params );

/* Results for the program's memory, written in this order. A bad pointer ends the call by an exception status: done is how
 * many have been tried, that one included, and from there the next call goes on. */
#define WS2_RESULTS ( WS2_COMPLETION_WRITES + 3 )
struct ws2_operation_results_params
{
    int32_t error;
    uint32_t count;
    uint32_t done; /* in and out */
    uint32_t reserved;
    struct
    {
        uint64_t target, source, size;
    } results[WS2_RESULTS];
};
WS2_ALIKE( struct ws2_operation_results_params );

/* Waits until the host has taken what sends of this process left behind; at most timeout ms. */
struct ws2_operation_flush_params
{
    int32_t error;
    uint32_t timeout;
};
WS2_ALIKE( struct ws2_operation_flush_params );

/* port_associate: WSA_INVALID_PARAMETER when the socket has a port. port_modes: sets modes, adding. port_query: reads,
 * and tells whether an operation without an event waits and none has ended since it began. */
struct ws2_port_params
{
    int32_t error;
    uint32_t unsignalled; /* out */
    uint64_t handle;
    struct ws2_port port;
    uint64_t queue; /* port_associate: 0, or what port_open made: the port's waiters serve the socket */
    uint32_t wait;  /* port_query: the caller waits for the end of an operation, and not at the port */
    uint32_t reserved;
};
WS2_ALIKE( struct ws2_port_params );

/* port_open: for a port that this process has made. port_close gives it back. port_wake ends one thread's port_wait; when
 * none is in it, that of the next. */
struct ws2_port_open_params
{
    int32_t error;
    uint32_t need_io_thread; /* out */
    uint64_t port;
};
WS2_ALIKE( struct ws2_port_open_params );

/* Waits until sockets of the port are ready or it is woken, and performs what they were ready for. May return early. */
struct ws2_port_wait_params
{
    int32_t error;
    int32_t timeout; /* ms, -1: for ever */
    uint64_t port;
    uint32_t most;      /* sockets */
    uint32_t alertable; /* WS2_STATUS_ALERT when the thread is to look for APCs */
    uint32_t ended;     /* out: operations have ended that are to be told of */
    uint32_t reserved;
    struct ws2_wait wait;
};
WS2_ALIKE( struct ws2_port_wait_params );

/* thread 0: out, the host's number of the calling thread. Else whether that thread runs, and waits for nothing. */
struct ws2_port_thread_params
{
    int32_t error;
    uint32_t thread;
    uint32_t running; /* out */
    uint32_t reserved;
};
WS2_ALIKE( struct ws2_port_thread_params );

#endif
