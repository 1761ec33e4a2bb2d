/*
 * The calls from ws2_32.dll (PE) into ws2host.so (host): one entry per call in WS2_CALLS, one params struct each.
 *
 * Fixed-width fields only; pointers travel as 64 bits, so that one host half serves programs of either width. The first
 * field of every struct is the result, a Winsock code (0 = success). The NTSTATUS of the call itself is 0, or
 *   WS2_STATUS_ALERT      a waiting call looks for user APCs: run them (NtTestAlert) and call again with the same struct,
 *   an exception status   a pointer of the caller's was bad: WSAEFAULT.
 * The host half touches the caller's memory only before it takes a reference and after it has given it back, so that
 * such an exception leaves nothing behind.
 */
#ifndef WS2HOST_UNIXCALL_H
#define WS2HOST_UNIXCALL_H

#include <stdint.h>

#define WS2_STATUS_ALERT 0x000000c0 /* STATUS_USER_APC */

#include "ws2host/alike.h"
#include "ws2host/unixcall_sockets.h"
#include "ws2host/unixcall_events.h"
#include "ws2host/unixcall_notifications.h"
#include "ws2host/unixcall_overlapped.h"
#include "ws2host/unixcall_names.h"
#include "ws2host/unixcall_options.h"
#include "ws2host/unixcall_hooks.h"

/* The order of the calls, the same in both halves. */
#define WS2_CALLS( X ) \
    X( attach ) \
    X( log ) \
    X( trace_selection ) \
    X( copy ) \
    WS2_SOCKET_CALLS( X ) \
    WS2_EVENT_CALLS( X ) \
    WS2_NOTIFICATION_CALLS( X ) \
    WS2_OVERLAPPED_CALLS( X ) \
    WS2_NAME_CALLS( X ) \
    WS2_OPTION_CALLS( X ) \
    WS2_HOOK_CALLS( X )

enum ws2_call
{
#define X( name ) ws2_call_##name,
    WS2_CALLS( X )
#undef X
        ws2_call_count
};

/* --- process ---------------------------------------------------------------------------------------------------------*/

/* Attaches the process to its prefix's server, starting one if there is none; does nothing when attached.
 * WSAENETDOWN (and one line on stderr) when no server can be had; WSAVERNOTSUPPORTED when the two halves are of different
 * builds, as when a prefix has an older ws2_32.dll than the installation: no other call may be made then. This is the first
 * call, and its struct only grows, so that any two builds understand each other that far. windows_pid 0: compares builds.
 * begin 1: only begins where a server listens, so that it can answer while the PE half does its own part; then the same without. */
struct ws2_attach_params
{
    int32_t error;
    uint32_t windows_pid; /* in */
    uint32_t size;        /* in: of this struct, 0 of one that ends with build; out: 0 */
    uint32_t build;       /* in: WS2_INTERFACE, which the build makes from these headers */
    uint64_t library; /* char[library_size]: with WSAVERNOTSUPPORTED the host half's folder of DLLs, "" if not known */
    uint32_t library_size;
    uint32_t begin; /* out: 0 where no server listens, and nothing has been done */
    uint64_t
        tracing; /* uint32_t of the PE side's: 0, or the number of the selection that is in force. Written from now on
                       * by any call, and read without one */
    uint64_t
        counts; /* struct ws2_counts of the PE side's, a whole page: becomes the process's page of the table, with what
                      * was counted so far; 0: none */
};
WS2_ALIKE( struct ws2_attach_params );

/* What is told of: WS2DEBUG's words, or those of `ws2ctl trace` meanwhile. */
enum ws2_trace_what
{
    WS2_TRACE_CALLS = 1,
    WS2_TRACE_ERRORS = 2,
    WS2_TRACE_EVENTS = 4,
    WS2_TRACE_OVERLAPPED = 8,
    WS2_TRACE_HOST = 16,  /* the host half's own lines */
    WS2_TRACE_SERVER = 32 /* the lines of a server that this process starts: the server reads that itself */
};
struct ws2_trace_selection_params
{
    int32_t error;
    uint32_t what;       /* out: enum ws2_trace_what */
    uint64_t socket;     /* out: that SOCKET only, 0: all */
    char functions[496]; /* out: "" for all; else ",send,recv," for calls */
};
WS2_ALIKE( struct ws2_trace_selection_params );

/* Writes a line of the log, newline included: to stderr, or to WS2DEBUG_FILE. */
struct ws2_log_params
{
    int32_t error;
    uint32_t size;
    uint64_t text;
};
WS2_ALIKE( struct ws2_log_params );

/* Copies between memory of which either side may be unmapped: an exception status instead of a crash. */
struct ws2_copy_params
{
    int32_t error;
    uint32_t size;
    uint64_t target;
    uint64_t source;
};
WS2_ALIKE( struct ws2_copy_params );

#endif
