/*
 * What a thread polled last. Event loops poll the same sockets again and again, and then nothing of an entry needs to be looked
 * at but whether the program still asks the same: no descriptor is counted between two calls, and that the host descriptors are those
 * of the SOCKETs still, before and after, descriptor_changes tells. A poll of a number that is another's by now does no harm,
 * and its answer is dropped. What has been asked often enough unchanged stands in an epoll, which the host answers without a
 * look at those that are silent: a process of several threads, as all are here, pays for each in a poll. That epoll, a descriptor
 * and up to 16384 of the entries that the host gives each user, stays until the thread asks otherwise for long, or ends.
 */
#ifndef WS2HOST_POLL_MEMORY_H
#define WS2HOST_POLL_MEMORY_H

#include <poll.h>
#include "descriptors/descriptor.h"

#define POLL_MEMORY_SETS 3u

struct poll_memory
{
    uint32_t count;                  /* entries; 0: nothing is remembered */
    uint32_t sets[POLL_MEMORY_SETS]; /* of select: how many are of each set; of WSAPoll 0 */
    uint64_t *handles;
    uint16_t *asked; /* of WSAPoll: the entries' events */
    struct pollfd *fds;
    /* what poll_memory_ask found: entries that the host has something to show of, in no order. `shown` is the caller's. */
    struct poll_memory_ready
    {
        uint32_t entry;
        uint16_t revents;
        uint16_t conditions; /* sockets/conditions.h; 0: by the descriptor */
        uint16_t shown;
    } * ready;
    uint8_t *marks; /* a byte an entry for the caller's use */
};

/* Before descriptors are looked up that may be remembered. */
struct poll_moment
{
    uint64_t changes;
    uint32_t sharings;
};
struct poll_moment poll_moment_now( void );

/* The calling thread's, NULL: it has none, or the program is of 32 bits. Good until the thread's next poll_memory_renew. */
struct poll_memory *poll_memory_own( void );
/* Asks the host: how many are in `ready`, or -1: the memory is not to be relied on, the long way is to be gone. */
int poll_memory_ask( struct poll_memory *memory );
/* For the caller to fill in `handles`, `asked` and `sets` of what it has polled by those descriptors and fds: NULL when that
 * cannot be remembered or is not worth it. */
struct poll_memory *poll_memory_renew( struct descriptor **descriptors, const struct pollfd *fds, uint32_t count,
                                       const struct poll_moment *moment );

#endif
