/* Part of unixcall.h: what the hooks need. */
#ifndef WS2HOST_UNIXCALL_HOOKS_H
#define WS2HOST_UNIXCALL_HOOKS_H

#include <stdint.h>
#include "ws2host/unixcall_overlapped.h"

#define WS2_HOOK_CALLS( X ) \
    X( alone ) \
    X( table_view ) \
    X( delivered ) \
    X( wait_thread ) \
    X( wait_alert ) \
    X( wait_cancel ) \
    X( wait_cancel_self ) \
    X( watches_begin_anew ) \
    X( socket_replaced ) \
    X( fd_close ) \
    X( stand_in ) \
    X( stand_in_ask ) \
    X( socket_same ) \
    X( socket_real ) \
    X( socket_pooled ) \
    X( afd_poll )

/* Whether the process has no other thread than the calling one, the host's and those in the host half included. */
struct ws2_alone_params
{
    int32_t error;
    uint32_t alone;
};
WS2_ALIKE( struct ws2_alone_params );

/* The process has begun a watch of writes anew (MEM_WRITE_WATCH), so that the host may find the memory of a receive that waits
 * not writable: from now on a datagram is taken only where it can be put. */
struct ws2_watches_params
{
    int32_t error;
    uint32_t padding;
};
WS2_ALIKE( struct ws2_watches_params );

/* What can be looked up without a call, in memory that the PE side gives for good, zeroed, so that programs of either width
 * can read it: a uint32_t, how many threads have ever waited for a socket in a blocking call, and live; and from WS2_VIEW_MAP on
 * a byte for each of the handles, an enum ws2_view_byte of the one of its number (value / 4), on the same page for the first
 * handles of a process. Greater handles are no SOCKETs from then on. handles is at most WS2_VIEW_HANDLES. */
enum ws2_view_byte
{
    WS2_VIEW_NOTHING,
    WS2_VIEW_SOCKET, /* a descriptor of the process */
    WS2_VIEW_FREE,   /* a value that is the pool's, and no handle to the program */
    WS2_VIEW_EVENT   /* sockets of the process set this event: the PE side's own entry */
};
#define WS2_VIEW_MAP 64
#define WS2_VIEW_HANDLES 0x1000000u /* values below 64 M: as many as the host half has room for */
struct ws2_table_view_params
{
    int32_t error;
    uint32_t handles; /* in */
    uint64_t view;    /* in */
};
WS2_ALIKE( struct ws2_table_view_params );

/* The program has been told of an operation's end: what `undelivered`, `signal_sequence` and `told` of its ws2_completion say,
 * for a PE side that cannot reach the host half's memory. WSAEINVAL: an operation has begun to wait since. Each may be 0. */
struct ws2_delivered_params
{
    int32_t error;
    uint32_t signal_before;
    uint64_t undelivered;
    uint64_t signal_sequence;
    uint64_t told;
};
WS2_ALIKE( struct ws2_delivered_params );

/* wait_thread: the calling thread, which has just looked for user APCs, is this one. wait_alert: a user APC has been
 * queued to this thread; a wait of its ends with WS2_STATUS_ALERT. wait_cancel: the wait of this thread ends with
 * WSA_OPERATION_ABORTED; WSAEINVAL when it waits for no socket. wait_cancel_self: the calling thread's, which has come out of
 * it for WS2_STATUS_ALERT. */
struct ws2_thread_params
{
    int32_t error;
    uint32_t thread; /* Windows thread id */
};
WS2_ALIKE( struct ws2_thread_params );

/* A SOCKET whose host socket is not the one that its handle was made of: a pooled one, or one whose host socket was
 * replaced. next: the first such after handle (0 to begin) that a child may inherit, handle 0 at the end; else that handle
 * itself, WSAEINVAL when it is none. There is a handle of the host socket itself already (real), or fd, the caller's, for
 * fd_close. */
struct ws2_socket_replaced_params
{
    int32_t error;
    int32_t fd; /* out; -1: none */
    uint64_t handle;
    uint32_t next;
    uint32_t real;   /* out; it stays the socket's; 0: none */
    uint32_t pooled; /* out */
    uint32_t reserved;
};
WS2_ALIKE( struct ws2_socket_replaced_params );

/* socket_real: a handle made of the fd that socket_replaced gave is the pooled SOCKET's from now on. real comes back as the
 * one to use, another where somebody was faster; unused is to be closed, unless it is 0. WSAENOTSOCK: closed meanwhile. */
struct ws2_socket_real_params
{
    int32_t error;
    uint32_t real; /* in and out */
    uint64_t handle;
    uint32_t unused; /* out */
    uint32_t reserved;
};

/* socket_pooled: what is particular to a pooled SOCKET. `set` says which of the others are given; all come back as they are
 * then. */
enum ws2_pooled_set
{
    WS2_POOLED_INHERITED = 1,
    WS2_POOLED_MARKED = 2
};
struct ws2_socket_pooled_params
{
    int32_t error;
    uint32_t pooled; /* out: it is one; otherwise nothing is set or told */
    uint64_t handle;
    uint32_t set; /* enum ws2_pooled_set */
    uint32_t inherited;
    uint32_t marked; /* the loader has been told of a flag of the handle; never taken back */
    uint32_t real;   /* out: of the present host socket or one before, 0 for none */
};

/* stand_in takes struct ws2_fd_params: fd, for fd_close, is what the handles of the pool are made of. From then on the process
 * answers those who have copied such a handle out of it. */

/* stand_in_ask: what a copy of another process's handle is of. fd is the copy's descriptor, taken over. WSAEOPNOTSUPP: no
 * stand-in; WSAENOTSOCK: the owner says that this value is no SOCKET of its; another error: the owner cannot be asked. */
struct ws2_stand_in_ask_params
{
    int32_t error;
    int32_t fd;         /* in; out: the host socket, for fd_close; -1 with any error */
    uint64_t handle;    /* the value in the owner */
    uint32_t end;       /* the SOCKET ends there: the caller is about to close the handle in the owner */
    uint32_t real;      /* out, of `end`: another handle in the owner to be closed; 0: none */
    uint32_t inherited; /* out: as the owner's program has it */
    uint32_t reserved;
};

/* socket_same: whether two handles are of one host socket. fd: of a handle that is no SOCKET of the process, taken over; else
 * -1. */
struct ws2_socket_same_params
{
    int32_t error;
    uint32_t same; /* out */
    uint64_t handle[2];
    int32_t fd[2];
};

struct ws2_fd_params
{
    int32_t error;
    int32_t fd;
};
WS2_ALIKE( struct ws2_fd_params );

/* What IOCTL_AFD_POLL takes and gives, as a 64-bit program lays it out. */
struct ws2_afd_poll_entry
{
    uint64_t handle;
    uint32_t flags;
    int32_t status; /* NTSTATUS */
};

/* and a 32-bit one */
struct ws2_afd_poll_entry32
{
    uint32_t handle;
    uint32_t flags;
    int32_t status;
};

struct ws2_afd_poll_header
{
    int64_t timeout; /* 100 ns; negative: relative, positive: absolute */
    uint32_t count;
    uint32_t exclusive;
};

/* IOCTL_AFD_POLL. error: 0 when it has been answered (information tells the size of the answer in output),
 * WSA_IO_PENDING, WSAENOTSOCK for a handle in input, WSAEINVAL for its form. It ends later like any operation, error
 * WAIT_TIMEOUT when nothing came. */
struct ws2_afd_poll_params
{
    struct ws2_operation operation; /* handle: the one that the request was issued on */
    uint64_t input;
    uint64_t output;
    uint32_t input_size;
    uint32_t output_size;
};
WS2_ALIKE( struct ws2_afd_poll_params );

#endif
