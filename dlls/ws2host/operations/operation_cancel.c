/* Cancelling what waits, and closing a descriptor that has operations waiting. Any thread. */
#include "base/io_loop.h"
#include "base/owner_lock.h"
#include "client/connection.h"
#include "operations/afd_poll.h"
#include "operations/operation_private.h"
#include "operations/survivor.h"

struct match
{
    struct descriptor *owner; /* NULL: any */
    uint64_t iosb;
    uint32_t thread_id;
    uint32_t keep_ports;
    uint32_t options;
    uint32_t excluded_options;
    uint32_t only_ports;
    uint32_t closing; /* the descriptor is being closed: receives end as the connection does */
};

static int cancel_matches( const struct match *match, const struct operation *operation )
{
    return !operation->internal && ( !match->owner || operation->owner == match->owner ) &&
           ( !match->iosb || operation->target.iosb == match->iosb ) &&
           ( !match->thread_id || operation->target.thread_id == match->thread_id ) &&
           ( operation->target.options & match->options ) == match->options &&
           !( operation->target.options & match->excluded_options ) &&
           !( match->keep_ports && operation_is_ports( operation ) ) &&
           !( match->only_ports && !operation_is_ports( operation ) );
}

static int32_t error_of_cancelled( const struct match *match, const struct descriptor *d,
                                   const struct operation *operation )
{
    const int receives = operation->queue == QUEUE_RECEIVE || operation->queue == QUEUE_URGENT;

    /* the second half of an AcceptEx is in the acceptor's queue and the listener's own */
    return match->closing && receives && operation->owner == d && d->slot->type == SOCK_STREAM &&
                   ( descriptor_flags( d ) & WS2_FLAG_CONNECTED )
               ? WSAECONNABORTED
               : WSA_OPERATION_ABORTED;
}

/* Something waits that the closing of the descriptor must deal with: an operation, a poll, or AcceptEx with it as acceptor. */
static int operation_pending( const struct descriptor *d )
{
    return descriptor_has_requests( d ) || descriptor_queued( d, QUEUE_CHANGE ) || atomic_load( &d->polls ) ||
           atomic_load( &d->queues.accepting );
}

/* Ends what matches in the queues of one descriptor. */
static uint32_t cancel_in( struct descriptor *d, const struct match *match )
{
    struct operation_queues *queues = &d->queues;
    uint32_t count = 0;

    operation_lock( d );
    for ( enum operation_queue queue = 0; queue < QUEUE_COUNT; queue++ )
    {
        struct operation *before = NULL, *operation, *next;

        for ( operation = atomic_load( &queues->first[queue] ); operation; operation = next )
        {
            next = operation->next;
            if ( cancel_matches( match, operation ) && !operation->finished )
            {
                operation->error = error_of_cancelled( match, d, operation );
                if ( queue != QUEUE_SEND ) operation->information = 0; /* of a send that much has gone */
                operation->write_count = 0;
                if ( ( operation->finished = operation->held ) )
                {
                    before = operation;
                    continue;
                }
                operation_take_out( d, before, operation );
                operation_end( operation );
                count++;
            }
            else before = operation;
        }
    }
    if ( queues->exclusive && !atomic_load( &queues->first[QUEUE_RECEIVE] ) ) operation_forget( d );
    owner_lock_give( &queues->lock );
    return count;
}

static uint32_t cancel_outliving( struct descriptor *d, const void *match ) { return cancel_in( d, match ); }

/* AcceptEx waits in the listener's queue for a connection, then in the acceptor's for data. */
static uint32_t cancel_everywhere( const struct match *match )
{
    struct descriptor *d;
    uint64_t handle = 0;
    uint32_t count = 0;

    operation_await_moves();
    while ( ( d = descriptor_next( &handle ) ) )
    {
        if ( descriptor_has_requests( d ) || descriptor_queued( d, QUEUE_CHANGE ) ) count += cancel_in( d, match );
        descriptor_release( d );
    }
    count += operation_outliving_each( cancel_outliving, match );
    replacement_settle();
    return count;
}

/* In its queues and, of a listener, in those of its acceptors. */
static uint32_t cancel_own( struct descriptor *d, const struct match *own, const struct match *of_listener )
{
    uint32_t count = cancel_in( d, own );

    if ( descriptor_flags( d ) & WS2_FLAG_LISTENING ) return count + cancel_everywhere( of_listener );
    replacement_settle();
    return count;
}

/* The requests of a descriptor that has been closed; only_ports: of which a port alone is told. */
static uint32_t cancel_all( struct descriptor *d, int only_ports )
{
    const struct match own = { .closing = 1, .only_ports = only_ports },
                       of_listener = { .owner = d, .only_ports = only_ports };

    return cancel_own( d, &own, &of_listener );
}

static uint32_t cancel_last( struct descriptor *d ) { return cancel_all( d, 0 ); }

/* Of an acceptor, whose request the listener's port is told of, and which ends with the acceptor's last handle. */
static uint32_t cancel_last_acceptor( struct descriptor *d )
{
    struct descriptor *listener = atomic_exchange( &d->queues.accepting, NULL );
    const uint32_t count = cancel_all( d, 0 );

    return listener ? count + operation_cancel_accept( listener, d ) : count;
}

/* An AcceptEx of the listener waits for data, in its acceptor's queue. */
static int has_accepted( const struct descriptor *listener )
{
    struct descriptor *acceptor;
    uint64_t handle = 0;
    int found = 0;

    if ( !( descriptor_flags( listener ) & WS2_FLAG_LISTENING ) ) return 0;
    while ( !found && ( acceptor = descriptor_next( &handle ) ) )
    {
        found = atomic_load( &acceptor->queues.accepting ) == listener;
        descriptor_release( acceptor );
    }
    return found;
}

/* What has no port waits on, as the socket lives in another process. */
static int outlives( const struct descriptor *d )
{
    return descriptor_may_have_others( d ) && ( descriptor_has_requests( d ) || has_accepted( d ) ) &&
           descriptor_has_others( d );
}

uint32_t operation_close( struct descriptor *d, struct descriptor *survivor, uint32_t other_handles )
{
    struct descriptor *listener = atomic_load( &d->queues.accepting ), *other = NULL;
    uint32_t count = 0;
    int only_ports;

    if ( io_loop_epoll() < 0 ) return 0;
    if ( !survivor && descriptor_is_shared( d ) &&
         ( listener || operation_pending( d ) || ( descriptor_flags( d ) & WS2_FLAG_LISTENING ) ) )
        survivor = other = descriptor_other( d );
    if ( survivor ) survivor_take_over( d, survivor );
    if ( !listener || survivor || !descriptor_has_others( d ) || !operation_outlives( d, cancel_last_acceptor ) )
    {
        listener = atomic_exchange( &d->queues.accepting, NULL );
        if ( survivor && listener && survivor_accepts( listener, d, survivor ) ) listener = NULL;
        only_ports = !listener && !survivor && outlives( d ) && operation_outlives( d, cancel_last );
        count = cancel_all( d, only_ports );
        if ( listener ) count += operation_cancel_accept( listener, d );
    }
    if ( atomic_load( &d->polls ) )
    {
        if ( descriptor_has_others( d ) ) connection_settle();
        other_handles |= descriptor_has_others( d );
    }
    /* what nobody polls is closed without asking the server */
    else other_handles |= descriptor_is_shared( d ) && atomic_load( &d->slot->descriptors ) > 1;
    count += afd_poll_close( d, survivor, other_handles );
    if ( other ) descriptor_release( other );
    return count;
}

NTSTATUS unix_operation_pending( void *args )
{
    struct ws2_handle_params *params = args;
    NTSTATUS status;
    struct descriptor *d = descriptor_acquire( params->handle, &status );

    if ( !d ) return status;
    params->error = operation_pending( d ) ? 0 : WSAEINVAL;
    params->polled = atomic_load( &d->polls ) != NULL;
    params->pooled = ( atomic_load( &d->local ) & LOCAL_POOLED ) != 0;
    params->real = atomic_load( &d->real ) & ~REAL_STALE;
    descriptor_release( d );
    return 0;
}

uint32_t operation_cancel_of_thread( uint32_t thread_id )
{
    const struct match match = { .thread_id = thread_id, .keep_ports = 1 };

    return cancel_everywhere( &match ) + afd_poll_cancel( NULL, 0, thread_id, 1 );
}

NTSTATUS unix_operation_cancel( void *args )
{
    struct ws2_operation_cancel_params *params = args;
    struct match match = { .iosb = params->iosb,
                           .thread_id = params->thread_id,
                           .keep_ports = params->keep_ports,
                           .options = params->options,
                           .excluded_options = params->excluded_options };
    NTSTATUS status;

    params->error = 0;
    params->count = 0;
    if ( params->handle )
    {
        if ( !( match.owner = descriptor_acquire( params->handle, &status ) ) ) return status;
        params->count = cancel_own( match.owner, &match, &match );
        params->count += afd_poll_cancel( match.owner, match.iosb, match.thread_id, match.keep_ports );
        descriptor_release( match.owner );
    }
    else if ( io_loop_epoll() >= 0 )
    {
        params->count = cancel_everywhere( &match );
        if ( !match.options ) params->count += afd_poll_cancel( NULL, match.iosb, match.thread_id, match.keep_ports );
    }
    return 0;
}

/* The AcceptEx that waits for a connection with this acceptor. */
uint32_t operation_cancel_accept( struct descriptor *listener, struct descriptor *acceptor )
{
    struct operation *before, *operation;

    if ( !descriptor_hold( listener ) ) return 0;
    operation_lock( listener );
    if ( ( operation = operation_of_acceptor( listener, acceptor, &before ) ) )
        operation_abort( listener, before, operation );
    owner_lock_give( &listener->queues.lock );
    descriptor_release( listener );
    return operation != NULL;
}
