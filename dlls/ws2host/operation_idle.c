/*
 * SIO_ADDRESS_LIST_CHANGE and SIO_ROUTING_INTERFACE_CHANGE with an OVERLAPPED: they wait for what no poll of their socket
 * shows. The host tells of changes through one netlink socket each, in the I/O thread's epoll from the first request on;
 * a change is counted, and every request that began at an earlier count ends.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "ioctl.h"
#include "operation.h"

struct idle
{
    struct operation operation;
    uint32_t routes;
    uint32_t count;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* making the sockets */
static int watch_fds[2] = { -1, -1 };                      /* of addresses, of routes */
static _Atomic uint32_t counts[2];

static enum operation_result idling( struct operation *operation )
{
    const struct idle *idle = (struct idle *)operation;

    return atomic_load( &counts[idle->routes] ) == idle->count ? OPERATION_BLOCKED : OPERATION_DONE;
}

void operation_changed( uint64_t key )
{
    const uint32_t routes = key == OPERATION_KEY_ROUTES;
    struct ws2_handle_params next = { 0 };
    char messages[4096];

    while (recv( watch_fds[routes], messages, sizeof(messages), MSG_DONTWAIT ) > 0) continue;
    atomic_fetch_add( &counts[routes], 1 );
    while (unix_socket_next( &next ), next.handle)
    {
        NTSTATUS status;
        struct descriptor *d = descriptor_acquire( next.handle, &status );

        if (!d) continue;
        if (operation_queued( d, QUEUE_IDLE )) operation_serve( d );
        descriptor_release( d );
    }
}

static int32_t watch( uint32_t routes, int epoll )
{
    struct epoll_event event = { .events = EPOLLIN,
                                 .data.u64 = routes ? OPERATION_KEY_ROUTES : OPERATION_KEY_ADDRESSES };
    int32_t error = 0;
    int fd;

    pthread_mutex_lock( &mutex );
    if (watch_fds[routes] < 0)
    {
        if ((fd = interfaces_watch( routes )) < 0) error = WSAENOBUFS;
        else if (epoll_ctl( epoll, EPOLL_CTL_ADD, fd, &event ) < 0)
        {
            error = winsock_error( errno );
            close( fd );
        }
        else watch_fds[routes] = fd;
    }
    pthread_mutex_unlock( &mutex );
    return error;
}

NTSTATUS unix_operation_idle( void *args )
{
    struct ws2_operation *params = args;
    const uint32_t routes = ( params->how & WS2_OPERATION_ROUTES ) != 0;
    NTSTATUS status;
    struct descriptor *d = descriptor_acquire( params->handle, &status );
    struct idle *idle = NULL;
    int epoll;

    if (!d) return status;
    if (!(params->error = operation_epoll( &params->need_io_thread, &epoll )) &&
        !(params->error = watch( routes, epoll )) && !(idle = calloc( 1, sizeof(*idle) )))
        params->error = WSAENOBUFS;
    if (idle)
    {
        idle->routes = routes;
        idle->count = atomic_load( &counts[routes] );
        idle->operation.perform = idling;
        idle->operation.queue = QUEUE_IDLE;
        operation_start( d, &idle->operation, params, NULL );
    }
    descriptor_release( d );
    return 0;
}
