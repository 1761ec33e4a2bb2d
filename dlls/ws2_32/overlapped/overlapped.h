/*
 * Overlapped operations: the engine's face to the rest of the DLL and to the hooks.
 *
 * An operation is tried at once in the caller, unless operations of its direction wait on the socket already; what would
 * wait is queued in the host half, performed in order by the I/O thread or by a thread that waits at the socket's completion
 * port, and completed the Windows way. What a request asks for is said in NT's terms; Winsock's own functions
 * (overlapped_send and so on) put theirs into these.
 *
 * Statuses are NT's. STATUS_PENDING: the request was queued, its iosb is untouched until it ends. An error status
 * (0xC...) returned at once leaves no trace: iosb untouched, no event, no packet. Any other status (0, 0x8...) is a
 * request that has ended: iosb, event, APC and packet have been seen to.
 *
 * A SOCKET that the process has not seen is adopted; STATUS_INVALID_HANDLE (nothing done) when the handle is no socket.
 */
#ifndef OVERLAPPED_H
#define OVERLAPPED_H

#include <winsock2.h>
#include <windows.h>
#include <winternl.h>

/* How a request ends, as NtReadFile and its like are told it. */
struct overlapped_request
{
    HANDLE event;      /* reset at the start, set at the end; NULL for none; low bits do not count */
    void *apc;         /* PIO_APC_ROUTINE, queued to the calling thread as apc( apc_context, iosb, 0 ) */
    void *apc_context; /* without an apc: the packet's second value (the OVERLAPPED); NULL for no packet */
    IO_STATUS_BLOCK *iosb;
};

enum overlapped_how
{
    OVERLAPPED_NORMAL = 0,  /* pends, also on a non-blocking socket */
    OVERLAPPED_NO_WAIT = 1, /* STATUS_DEVICE_NOT_READY on a non-blocking socket when it would pend */
    OVERLAPPED_WAIT = 2     /* returns when it is done: for handles that are not overlapped, whatever FIONBIO says */
};

/* flags: MSG_* of Winsock. The array of buffers is read during the call; the buffers are the engine's until the end. */
NTSTATUS overlapped_start_receive( HANDLE s, const struct overlapped_request *request, const WSABUF *buffers,
                                   DWORD count, DWORD flags, enum overlapped_how how );
NTSTATUS overlapped_start_send( HANDLE s, const struct overlapped_request *request, const WSABUF *buffers, DWORD count,
                                DWORD flags, enum overlapped_how how );

/* Cancels what this process has pending on the socket: all of it, or the requests with that iosb; only_this_thread: those
 * that the calling thread began. STATUS_NOT_FOUND when there was none. What was cancelled has been completed with
 * STATUS_CANCELLED (event, APC, packet) when this returns, and its buffers are the caller's again. */
NTSTATUS overlapped_cancel( HANDLE s, IO_STATUS_BLOCK *iosb, BOOL only_this_thread );

/* Ends a request that needed no queue, the Windows way (event, APC, packet); iosb is written. For requests that the caller
 * serves itself, and Winsock's ioctls. s may be a handle that is no socket: then no port is looked for. */
void overlapped_finish( HANDLE s, const struct overlapped_request *request, NTSTATUS status, ULONG_PTR information );

/* --- Winsock's functions: argument checks, then 0, WSA_IO_PENDING or the error */
int overlapped_send( SOCKET s, WSABUF *buffers, DWORD count, DWORD *sent, DWORD flags, const struct sockaddr *to,
                     int to_size, OVERLAPPED *overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine );
int overlapped_receive( SOCKET s, WSABUF *buffers, DWORD count, DWORD *received, DWORD *flags, struct sockaddr *from,
                        int *from_size, OVERLAPPED *overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine );
int overlapped_send_message( SOCKET s, const WSAMSG *message, DWORD *sent, DWORD flags, OVERLAPPED *overlapped,
                             LPWSAOVERLAPPED_COMPLETION_ROUTINE routine );
int overlapped_receive_message( SOCKET s, WSAMSG *message, DWORD *received, DWORD flags, OVERLAPPED *overlapped,
                                LPWSAOVERLAPPED_COMPLETION_ROUTINE routine );
/* SIO_ADDRESS_LIST_CHANGE, SIO_ROUTING_INTERFACE_CHANGE */
int overlapped_wait_for_change( SOCKET s, OVERLAPPED *overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine,
                                BOOL routes );
/* Marks it as pending; WSAEFAULT when it is none. */
int overlapped_pending( OVERLAPPED *overlapped );
/* A call that Winsock serves itself and that was given an OVERLAPPED: completes it with that status and size. WSAEFAULT
 * when it is none. */
int overlapped_complete( SOCKET s, OVERLAPPED *overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, NTSTATUS status,
                         DWORD size );

#endif
