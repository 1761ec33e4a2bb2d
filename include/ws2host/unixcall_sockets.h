/*
 * Part of unixcall.h: calls on sockets. In every struct that names a socket the handle stands at offset 8: a call on a
 * handle that the process has never seen answers WS2_STATUS_ADOPT, and the PE side adopts it and calls again.
 *
 * A call that may wait carries a struct ws2_wait, zero at first, which holds its progress across WS2_STATUS_ALERT.
 */
#ifndef WS2HOST_UNIXCALL_SOCKETS_H
#define WS2HOST_UNIXCALL_SOCKETS_H

#include <stdint.h>

#define WS2_SOCKET_CALLS( X ) \
    X( socket_create ) \
    X( socket_install ) \
    X( socket_discard ) \
    X( socket_adopt ) \
    X( socket_adopted ) \
    X( socket_info ) \
    X( socket_next ) \
    X( process_end ) \
    X( close_begin ) \
    X( close_end ) \
    X( duplicate ) \
    X( watch_create ) \
    X( watch_send ) \
    X( redeem ) \
    X( bind ) \
    X( listen ) \
    X( connect ) \
    X( accept ) \
    X( accept_defer ) \
    X( shutdown ) \
    X( getsockname ) \
    X( getpeername ) \
    X( send ) \
    X( recv ) \
    X( sendmsg ) \
    X( recvmsg ) \
    X( select ) \
    X( poll )

/* Not a result: the handle is none of the process's descriptors. */
#define WS2_STATUS_ADOPT 0x00007753
/* The handle is being closed by another thread: WSAENOTSOCK, and nothing to adopt. */
#define WS2_STATUS_CLOSED 0x00007754

struct ws2_wait
{
    uint64_t deadline; /* CLOCK_MONOTONIC ns, 0 before the call has waited */
    uint32_t slice;    /* ms of the last slice between two looks for user APCs */
    uint32_t counted;  /* among the process's waits */
};
WS2_ALIKE( struct ws2_wait );

/* close_begin: takes a SOCKET out of the process's descriptors; calls that wait on it end. The caller then closes the
 * handle itself and says close_end. WSAENOTSOCK when it is not in the table. */
struct ws2_handle_params
{
    int32_t error;
    uint32_t completions; /* out of close_begin: overlapped operations ended by it */
    uint64_t handle;
    /* into close_begin: another SOCKET of the same handle's object, which takes over what waits; 0 for none */
    uint64_t survivor;
    uint32_t other_handles; /* into close_begin: other handles of that object exist somewhere */
    uint32_t polled;        /* out of operation_pending */
    /* out of close_begin: the handle goes back to the pool instead of being closed, and then there is no close_end */
    uint32_t pooled;
    /* out of close_begin and operation_pending: another handle, of the host socket itself, that goes with this one; 0: none */
    uint32_t real;
};
WS2_ALIKE( struct ws2_handle_params );

/* A new host socket with its slot. The caller makes a handle of fd (which stays the host half's) and installs the
 * descriptor under it, or discards it. */
struct ws2_socket_create_params
{
    int32_t error;
    int32_t fd;          /* out */
    uint64_t descriptor; /* out */
    uint32_t family;     /* Windows' numbers */
    uint32_t type;
    uint32_t protocol;
    uint32_t flags; /* enum ws2_slot_flag to begin with */
};
WS2_ALIKE( struct ws2_socket_create_params );

struct ws2_socket_install_params
{
    int32_t error;
    uint32_t pooled; /* the handle is a stand-in of the pool's */
    uint64_t handle;
    uint64_t descriptor;
    uint32_t inherited; /* of a pooled one: the program wants children to inherit it */
    uint32_t reserved;
};
WS2_ALIKE( struct ws2_socket_install_params );

/* socket_adopt: fd, taken over, is a host descriptor of the handle's object. WSAENOTSOCK when that is no socket of ours.
 * socket_adopted: the same again (-1 when the handle has none any more), afterwards. WSAENOTSOCK when what was adopted is not
 * the handle's object any more; then it is nobody's. */
struct ws2_socket_adopt_params
{
    int32_t error;
    int32_t fd;
    uint64_t handle;
};
WS2_ALIKE( struct ws2_socket_adopt_params );

struct ws2_socket_info_params
{
    int32_t error;
    uint32_t flags; /* out: enum ws2_slot_flag */
    uint64_t handle;
    uint32_t family;
    uint32_t type;
    uint32_t protocol;
    uint32_t shared; /* other descriptors may exist */
};
WS2_ALIKE( struct ws2_socket_info_params );

/* process_end takes struct ws2_handle_params, of which it uses nothing: the last call of a process that ends by itself,
 * made when its other threads are gone. */
/* socket_next, a walk over the process's SOCKETs, takes struct ws2_handle_params: handle is the SOCKET seen last, 0 to begin
 * with, and comes back as the next live one, 0 at the end. */

struct ws2_duplicate_params
{
    int32_t error;
    uint32_t target; /* Windows pid */
    uint64_t handle;
    uint32_t ticket;         /* out */
    uint32_t unknown_target; /* out: send a watch first */
};
WS2_ALIKE( struct ws2_duplicate_params );

/* A descriptor that hangs up once the last handle made of it is closed. watch_create gives the end that goes to the
 * target as a handle; watch_send gives the other one to the server and closes both. */
struct ws2_watch_params
{
    int32_t error;
    uint32_t target;
    int32_t fd;       /* out of watch_create: the target's end */
    int32_t other_fd; /* in and out */
    int32_t send;     /* watch_send: 0 only closes */
    uint32_t reserved;
};
WS2_ALIKE( struct ws2_watch_params );

struct ws2_redeem_params
{
    int32_t error;
    int32_t fd;          /* out */
    uint64_t descriptor; /* out */
    uint32_t ticket;
    uint32_t family;   /* out */
    uint32_t type;     /* out */
    uint32_t protocol; /* out */
    uint64_t handle;   /* that it is to have, 0 when there is none yet */
};
WS2_ALIKE( struct ws2_redeem_params );

/*
 * A socket's file, by which the PE half knows it wherever the loader tells of files (dlls/ws2_32/hooks/local_files.c): its
 * size, and where the time of its last write is within the second, in NT's units of 100 ns. No other file has both, and
 * one that is copied has not either.
 */
#define WS2_LOCAL_FILE_SIZE 4099u
#define WS2_LOCAL_FILE_TICKS 7340219u

/* How an AF_UNIX address goes to bind, connect and operation_connect. */
struct ws2_local_address
{
    uint16_t family;      /* 1 */
    uint16_t length;      /* of given, without the NULs at its end */
    uint32_t family_only; /* the program's address ends before the path */
    char given[108];      /* sun_path as the program has it */
    char host[4096]; /* the host's name of that path; empty when there is no path in given, but another name or none */
};

/* bind, connect: address and size in; getsockname, getpeername: *size in and out */
struct ws2_address_params
{
    int32_t error;
    uint32_t size;
    uint64_t handle;
    uint64_t address;
    uint64_t size_pointer; /* int32_t * */
    struct ws2_wait wait;
    /* bind, getsockname: by a control code. What that binds Winsock's getsockname has no name of until it is connected
     * or listens. */
    uint32_t by_code;
    uint32_t holder; /* out, of bind that is refused: another process that has the endpoint, 0 for none */
    uint32_t waited; /* bind: ms that the program has waited for it already */
    uint32_t reserved;
};
WS2_ALIKE( struct ws2_address_params );

struct ws2_listen_params
{
    int32_t error;
    int32_t backlog;
    uint64_t handle;
};
WS2_ALIKE( struct ws2_listen_params );

/* The accepted socket is installed like a created one. address may be 0. */
struct ws2_accept_params
{
    int32_t error;
    int32_t fd; /* out */
    uint64_t handle;
    uint64_t descriptor; /* out */
    uint64_t address;
    uint64_t size_pointer;
    struct ws2_wait wait;
    uint32_t inherited_events; /* out: the listener's registration goes with it */
    uint32_t reserved;
};
WS2_ALIKE( struct ws2_accept_params );

/* Puts an accepted socket back to the head of its listener's queue, for this process; its descriptor leaves the table as
 * by close_begin, and is the next that accept gives. */
struct ws2_accept_defer_params
{
    int32_t error;
    uint32_t pooled; /* out, as of close_begin */
    uint64_t handle; /* the listener */
    uint64_t accepted;
    uint32_t real; /* out, as of close_begin */
    uint32_t reserved;
};
WS2_ALIKE( struct ws2_accept_defer_params );

struct ws2_shutdown_params
{
    int32_t error;
    uint32_t how; /* SD_* */
    uint64_t handle;
};
WS2_ALIKE( struct ws2_shutdown_params );

/* send and recv: one buffer, no address: the shortest way. */
struct ws2_transfer_params
{
    int32_t error;
    uint32_t flags; /* MSG_* of Windows */
    uint64_t handle;
    uint64_t buffer;
    uint32_t size;
    uint32_t done; /* out: bytes */
    struct ws2_wait wait;
    uint32_t need_io_thread; /* out: the host took a part, the process's own thread is to send the rest */
    uint32_t
        watched; /* recv: out with WSAEFAULT, the host may not write to the buffer yet; the second call writes to it first */
};
WS2_ALIKE( struct ws2_transfer_params );

/* The general form. buffers: WSABUF[count] in the caller's layout. */
struct ws2_message_params
{
    int32_t error;
    uint32_t flags;
    uint64_t handle;
    uint64_t buffers;
    uint32_t count;
    uint32_t done;         /* out: bytes */
    uint64_t address;      /* sendmsg: to; recvmsg: from; may be 0 */
    uint64_t size_pointer; /* recvmsg: int32_t * */
    uint32_t size;         /* sendmsg */
    uint32_t flags_out;    /* recvmsg: MSG_PARTIAL, MSG_CTRUNC… */
    uint64_t control;      /* control data of the caller's, or 0 */
    uint32_t control_size; /* recvmsg: in the room for it, out what was used */
    uint32_t width;        /* of a pointer of the caller's when control data is asked for, 0 when it is not */
    struct ws2_wait wait;
    uint32_t need_io_thread; /* out, as above */
    uint32_t watched;        /* recvmsg: as above */
};
WS2_ALIKE( struct ws2_message_params );

/* fd_sets of Windows (uint32_t count, handles at offset 8); any may be 0. */
struct ws2_select_params
{
    int32_t error;
    uint32_t ready;   /* out */
    uint64_t unknown; /* out with WS2_STATUS_ADOPT: the handle to adopt */
    uint64_t read;
    uint64_t write;
    uint64_t except;
    uint64_t timeval; /* a timeval of Windows, two int32_t; 0: none, and the call waits without end */
    int64_t timeout;  /* in and out, WS2_TIMEOUT_UNREAD at first: µs of the timeval, which is read once; -1 for none */
    struct ws2_wait wait;
};
#define WS2_TIMEOUT_UNREAD ( -2 )
WS2_ALIKE( struct ws2_select_params );

/* WSAPOLLFD[count] */
struct ws2_poll_params
{
    int32_t error;
    uint32_t ready;   /* out */
    uint64_t unknown; /* as in select */
    uint64_t fds;
    uint32_t count;
    int32_t timeout;       /* ms, negative for none */
    uint32_t adopted_from; /* in and out, 0 at first: entries before it have been offered for adoption already */
    uint32_t reserved;
    struct ws2_wait wait;
};
WS2_ALIKE( struct ws2_poll_params );

#endif
