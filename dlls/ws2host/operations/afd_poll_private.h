/* What the files of the polls share: requests that wait (afd_poll.c), and the call that makes them (afd_poll_call.c). */
#ifndef WS2HOST_AFD_POLL_PRIVATE_H
#define WS2HOST_AFD_POLL_PRIVATE_H

#include "base/caller.h"
#include "operations/operation.h"

#define NO_DEADLINE UINT64_MAX
#define ENTRY_SIZE ( CALLER_IS_32 ? sizeof( struct ws2_afd_poll_entry32 ) : sizeof( struct ws2_afd_poll_entry ) )

struct afd_request;

struct afd_entry
{
    struct afd_request *request;
    struct descriptor *descriptor; /* counted; NULL once the socket has gone without ending the request */
    struct afd_entry *next;        /* of the descriptor's */
    uint64_t handle;
    uint32_t mask;
    uint32_t main; /* of the descriptor's requests this is the one that an exclusive one ends */
};

struct afd_request
{
    struct operation operation;       /* first: this is what its end is told by */
    struct afd_request *next, **link; /* pending ones; link points to it */
    uint64_t serial;
    uint64_t deadline; /* CLOCK_MONOTONIC ns */
    uint64_t output;
    struct
    {
        struct ws2_afd_poll_header header;
        union
        {
            struct ws2_afd_poll_entry entry;
            struct ws2_afd_poll_entry32 entry32;
        };
    } reply;
    uint32_t count;
    uint32_t reserved;
    struct afd_entry entries[];
};

/* The conditions (POLL_*) that hold of a socket, given the host's revents; the status that goes with them in an answer. */
uint32_t afd_poll_conditions( struct descriptor *descriptor, uint32_t revents );
int32_t afd_poll_status( const struct descriptor *descriptor, uint32_t flags );

/* The request, with its owner and entries counted, waits from now on: it is the I/O thread's, which may end and free it at any
 * moment. *serial names it; *settled: nothing can have happened since the caller's look at the sockets that no edge will
 * show. WSAENOTSOCK: a socket is being closed, WSAENOBUFS, or another error: it is freed. */
int32_t afd_request_begin( struct afd_request *request_consume, uint32_t *need_io_thread, uint64_t *serial,
                           int *settled );
/* Takes a request back if it is still pending: 0 when it has ended. */
int afd_request_withdraw( uint64_t serial );

#endif
