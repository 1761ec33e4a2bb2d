/* Part of unixcall.h: what standing in at ntdll needs. */
#ifndef WS2HOST_UNIXCALL_HOOKS_H
#define WS2HOST_UNIXCALL_HOOKS_H

#include <stdint.h>

#define WS2_HOOK_CALLS( X ) \
    X( table_view ) \
    X( wait_thread ) \
    X( wait_alert )

/* Where the descriptor table stands, for looking a handle up without a call (read only): chunks[handle / 4 / entries] is
 * NULL or an array of that many entries, each NULL, `closing`, or a descriptor of the process. */
struct ws2_table_view_params
{
    int32_t error;
    uint32_t entries;  /* out: of a chunk */
    uint64_t chunks;   /* out */
    uint64_t count;    /* out: of chunks */
    uint64_t closing;  /* out */
    uint64_t waiters;  /* out: uint32_t, how many threads have ever waited for a socket in a blocking call, and live */
};

/* wait_thread: the calling thread, which has just looked for user APCs, is this one. wait_alert: a user APC has been
 * queued to this thread; a wait of its ends with WS2_STATUS_ALERT. */
struct ws2_thread_params
{
    int32_t error;
    uint32_t thread; /* Windows thread id */
};

#endif
