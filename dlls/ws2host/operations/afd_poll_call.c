/* IOCTL_AFD_POLL: looks at the sockets, and begins a request that waits when nothing holds. See afd_poll.h. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include "base/host_clock.h"
#include "base/host_counts.h"
#include "descriptors/socket_set.h"
#include "descriptors/wait.h"
#include "operations/afd_poll_private.h"
#include "operations/operation.h"
#include "sockets/conditions.h"

#define MAXIMUM_ENTRIES 0x10000u

/* --- the program's memory -----------------------------------------------------------------------------------------------*/

struct poll_work
{
    struct ws2_afd_poll_header header;
    struct ws2_afd_poll_entry *entries; /* captured; then those that are ready */
    struct descriptor **descriptors;    /* counted */
    struct pollfd *fds;
};

/* Captures the input; may fault, and nothing is held. */
static int32_t afd_poll_capture( const struct ws2_afd_poll_params *params, struct poll_work *work )
{
    const char *input = (const char *)(uintptr_t)params->input;
    uint64_t size;
    char *memory;

    if ( !input || params->input_size < sizeof( work->header ) || params->output_size < params->input_size )
        return WSAEINVAL;
    memcpy( &work->header, input, sizeof( work->header ) );
    size = work->header.count * (uint64_t)ENTRY_SIZE;
    if ( !work->header.count || params->input_size - sizeof( work->header ) < size ) return WSAEINVAL;
    if ( work->header.count > MAXIMUM_ENTRIES ) return WSAENOBUFS;
    if ( !( memory = wait_scratch( work->header.count * ( sizeof( *work->entries ) + sizeof( *work->descriptors ) +
                                                          sizeof( *work->fds ) ) ) ) )
        return WSAENOBUFS;
    work->entries = (struct ws2_afd_poll_entry *)memory;
    work->descriptors = (struct descriptor **)( work->entries + work->header.count );
    work->fds = (struct pollfd *)( work->descriptors + work->header.count );
    if ( !CALLER_IS_32 ) memcpy( work->entries, input + sizeof( work->header ), size );
    else
        for ( uint32_t i = 0; i < work->header.count; i++ )
        {
            struct ws2_afd_poll_entry32 entry;

            memcpy( &entry, input + sizeof( work->header ) + i * sizeof( entry ), sizeof( entry ) );
            work->entries[i] = ( struct ws2_afd_poll_entry ){ entry.handle, entry.flags, entry.status };
        }
    return 0;
}

/* Leaves in the entries those that are ready, if any is; returns how many. */
static uint32_t find_ready( struct poll_work *work )
{
    uint32_t ready = 0;

    for ( uint32_t i = 0; i < work->header.count; i++ )
    {
        struct descriptor *d = work->descriptors[i];

        socket_set_renew( d );
        work->fds[i] = ( struct pollfd ){ .fd = d->fd, .events = poll_host_events( d, work->entries[i].flags ) };
        if ( !work->fds[i].events ) work->fds[i].fd = -1;
    }
    while ( poll( work->fds, work->header.count, 0 ) < 0 && errno == EINTR ) continue;
    for ( uint32_t i = 0; i < work->header.count; i++ )
    {
        struct descriptor *d = work->descriptors[i];
        uint32_t flags = afd_poll_conditions( d, work->fds[i].fd < 0 ? 0 : poll_renewed( d, work->fds[i].revents ) ) &
                         work->entries[i].flags;

        if ( flags )
            work->entries[ready++] =
                ( struct ws2_afd_poll_entry ){ work->entries[i].handle, flags, afd_poll_status( d, flags ) };
    }
    return ready;
}

/* --- the call -----------------------------------------------------------------------------------------------------------*/

#define WINDOWS_EPOCH 116444736000000000ull /* 1970 in 100 ns since 1601 */

static uint64_t deadline_of( int64_t timeout )
{
    uint64_t now = host_now_ns(), system, left;

    if ( timeout == INT64_MAX ) return NO_DEADLINE;
    if ( timeout < 0 ) left = -(uint64_t)timeout;
    else
    {
        system = host_clock_ns( CLOCK_REALTIME ) / 100 + WINDOWS_EPOCH;
        left = (uint64_t)timeout > system ? timeout - system : 0;
    }
    return left > ( NO_DEADLINE - now ) / 100 - 1 ? NO_DEADLINE - 1 : now + left * 100;
}

/* Begins a wait for what the work asks for; 0 when something is ready after all. */
static int32_t begin_wait( struct descriptor *owner, struct ws2_afd_poll_params *params, struct poll_work *work,
                           uint32_t *ready )
{
    struct afd_request *request;
    uint64_t serial;
    int32_t error;
    int settled, ports;

    if ( !( request = calloc( 1, sizeof( *request ) + work->header.count * sizeof( request->entries[0] ) ) ) )
        return WSAENOBUFS;
    request->operation.descriptor = request->operation.owner = owner;
    request->operation.target = params->operation.target;
    request->operation.queue = QUEUE_CHANGE;
    ports = operation_is_ports( &request->operation );
    descriptor_ref( owner, 2 );
    request->output = params->output;
    request->reply.header = work->header;
    request->count = work->header.count;
    request->deadline = deadline_of( work->header.timeout );
    for ( uint32_t i = 0; i < request->count; i++ )
    {
        request->entries[i] = ( struct afd_entry ){ .request = request,
                                                    .descriptor = work->descriptors[i],
                                                    .handle = work->entries[i].handle,
                                                    .mask = work->entries[i].flags };
        descriptor_ref( work->descriptors[i], 1 );
    }
    if ( ( error = afd_request_begin( request, &params->operation.need_io_thread, &serial, &settled ) ) ) return error;
    if ( !ports ) operation_watch_thread( params->operation.target.thread_id );
    /* the request is the I/O thread's from now on, which may have ended and freed it */
    if ( settled || !( *ready = find_ready( work ) ) || !afd_request_withdraw( serial ) ) return WSA_IO_PENDING;
    return 0;
}

NTSTATUS unix_afd_poll( void *args )
{
    struct ws2_afd_poll_params *params = args;
    struct poll_work work;
    struct descriptor *owner;
    uint32_t held = 0, ready = 0;
    NTSTATUS status = 0;
    char *output = (char *)(uintptr_t)params->output;

    if ( ( params->operation.error = afd_poll_capture( params, &work ) ) ) return 0;
    if ( !( owner = descriptor_acquire( params->operation.handle, &status ) ) ) return status;
    if ( operation_keeps_caller( owner, &params->operation ) )
    {
        params->operation.synchronous = 1;
        descriptor_release( owner );
        return 0;
    }
    while ( held < work.header.count &&
            ( work.descriptors[held] = descriptor_acquire( work.entries[held].handle, &status ) ) )
        held++;
    host_count( WS2_COUNT_OPERATIONS, 1 );
    if ( held < work.header.count ) params->operation.error = WSAENOTSOCK;
    else if ( !( ready = find_ready( &work ) ) && work.header.timeout )
        params->operation.error =
            params->operation.how & WS2_OPERATION_TRY ? WSAEWOULDBLOCK : begin_wait( owner, params, &work, &ready );
    params->operation.port = port_of( owner );
    while ( held-- ) descriptor_release( work.descriptors[held] );
    descriptor_release( owner );
    if ( params->operation.error ) return 0;

    work.header.count = ready;
    params->operation.information = sizeof( work.header ) + ready * ENTRY_SIZE;
    memcpy( output, &work.header, sizeof( work.header ) );
    if ( !CALLER_IS_32 ) memcpy( output + sizeof( work.header ), work.entries, ready * sizeof( *work.entries ) );
    else
        for ( uint32_t i = 0; i < ready; i++ )
        {
            const struct ws2_afd_poll_entry32 entry = { work.entries[i].handle, work.entries[i].flags,
                                                        work.entries[i].status };

            memcpy( output + sizeof( work.header ) + i * sizeof( entry ), &entry, sizeof( entry ) );
        }
    return 0;
}
