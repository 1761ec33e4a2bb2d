/*
 * Taking packets from a completion port: GetQueuedCompletionStatus and its kin.
 *
 * A thread that finds no packet waits in the host half, in the port's epoll, and performs the operations whose sockets
 * become ready; the packets of their ends it takes itself. The host wakes the thread that came last first, as Windows does.
 *
 * The concurrency value: as many threads may run that took a packet here. One counts until it comes back to a port, ends, or
 * waits for something else, of which nobody tells: a thread that is held back looks after a moment, and then from time to
 * time, whether the host has those that count asleep.
 */
#include "ports/port_queue_private.h"
#include "ports/ports.h"
#include "base/deadline.h"
#include "base/upcalls.h"
#include "base/thread_data.h"

#define PACKETS_AT_ONCE 64
#define SOCKETS_AT_ONCE 16 /* of a thread that takes one packet and is alone */
#define FIRST_CHECK 1      /* ms that a thread is held back before it looks, */
#define NEXT_CHECK 10      /* and between two looks */
#define MIXED_SLICE 15     /* ms between two looks into wineserver's queue, where no forwarder does that */
/* STATUS_ABANDONED_WAIT_0 is meant, of which Wine 8 makes another error: this becomes ERROR_ABANDONED_WAIT_0 everywhere */
#define CLOSED_WHILE_WAITING NT_STATUS( 0x800702df )
#define STATUS_OF_APC NT_STATUS( WS2_STATUS_ALERT )

struct take_request
{
    HANDLE port;
    ULONG_PTR *key, *value;
    IO_STATUS_BLOCK *iosb;
    struct port_packet *packets; /* NULL: one packet, by the three above */
    ULONG count, *taken;
    BOOLEAN alertable;
    BOOL owes; /* what the program has been told of is to be given back to the host half */
};

/* --- the program's memory -----------------------------------------------------------------------------------------------*/

static NTSTATUS ask_server( struct take_request *request, LARGE_INTEGER *timeout, BOOLEAN alertable )
{
    count_asked();
    if ( !request->packets )
        return nt_NtRemoveIoCompletion( request->port, request->key, request->value, request->iosb, timeout );
    return nt_NtRemoveIoCompletionEx( request->port, request->packets, request->count, request->taken, timeout,
                                      alertable );
}

static NTSTATUS give_packets( struct take_request *request, const struct port_packet *packets, ULONG count )
{
    struct ws2_operation_results_params results;

    ws2_results_begin( &results );
    if ( request->packets )
    {
        ws2_results_add( &results, ws2_pointer( request->packets ), ws2_pointer( packets ),
                         count * sizeof( *packets ) );
        ws2_results_add( &results, ws2_pointer( request->taken ), ws2_pointer( &count ), sizeof( count ) );
    }
    else
    {
        ws2_results_add( &results, ws2_pointer( request->key ), ws2_pointer( &packets->key ), sizeof( packets->key ) );
        ws2_results_add( &results, ws2_pointer( request->value ), ws2_pointer( &packets->value ),
                         sizeof( packets->value ) );
        ws2_results_add( &results, ws2_pointer( request->iosb ), ws2_pointer( &packets->iosb ),
                         sizeof( packets->iosb ) );
    }
    request->owes = FALSE;
    return ws2_results_write( &results ) ? 0 : STATUS_ACCESS_VIOLATION;
}

/* Before a thread does anything but wait at the port, or take a packet. */
static void give_back( struct take_request *request )
{
    struct ws2_operation_results_params nothing;

    if ( !request->owes ) return;
    ws2_results_begin( &nothing );
    ws2_results_write( &nothing );
    request->owes = FALSE;
}

/* The end of a call without a packet; Windows counts one all the same. */
static NTSTATUS give_none( struct take_request *request, NTSTATUS status )
{
    const ULONG one = 1;

    if ( request->packets && ws2_write( request->taken, &one, sizeof( one ) ) ) return STATUS_ACCESS_VIOLATION;
    return status;
}

/* What stands where one packet goes. */
static void read_result( const struct take_request *request, struct port_packet *packet )
{
    ws2_read( &packet->key, request->key, sizeof( packet->key ) );
    ws2_read( &packet->value, request->value, sizeof( packet->value ) );
    ws2_read( &packet->iosb, request->iosb, sizeof( packet->iosb ) );
}

/* wineserver gave packets; redirect packets among them are not the program's. FALSE: nothing else was. */
static BOOL drop_redirects( struct port_queue *queue, struct take_request *request )
{
    struct port_packet packet;
    ULONG count, kept = 0;

    if ( !request->packets )
        return ws2_read( &packet.key, request->key, sizeof( packet.key ) ) ||
               ws2_read( &packet.value, request->value, sizeof( packet.value ) ) ||
               !port_queue_is_redirect( queue, packet.key, packet.value );
    if ( ws2_read( &count, request->taken, sizeof( count ) ) ) return TRUE;
    for ( ULONG i = 0; i < count && !ws2_read( &packet, &request->packets[i], sizeof( packet ) ); i++ )
        if ( !port_queue_is_redirect( queue, packet.key, packet.value ) )
            ws2_write( &request->packets[kept++], &packet, sizeof( packet ) );
    ws2_write( request->taken, &kept, sizeof( kept ) );
    return kept != 0;
}

/* --- threads that run ---------------------------------------------------------------------------------------------------*/

/* Its queue's lock is held. */
static void stop_counting( struct port_user *user )
{
    if ( !user->running ) return;
    user->running = FALSE;
    user->queue->running--;
}

static void user_leaves( struct port_user *user )
{
    struct port_queue *queue = user->queue;
    struct port_user **link;
    BOOL wake;

    if ( !queue ) return;
    port_queue_lock( queue );
    stop_counting( user );
    for ( link = &queue->users; *link != user; ) link = &( *link )->next;
    *link = user->next;
    user->queue = NULL;
    wake = port_queue_to_wake( queue );
    port_queue_unlock( queue );
    if ( wake ) port_queue_wake( queue );
    port_queue_release( queue );
}

void port_user_ends( struct port_user *user ) { user_leaves( user ); }

/* The lock is held. */
static void count_running( struct port_queue *queue, struct port_user *user )
{
    if ( !user ) return;
    if ( !user->queue )
    {
        port_queue_hold( queue );
        user->queue = queue;
        user->next = queue->users;
        queue->users = user;
    }
    user->running = TRUE;
    queue->running++;
}

/* The calling thread, which takes packets from no other port any more. */
static struct port_user *user_comes( struct port_queue *queue )
{
    struct ws2_port_thread_params params = { 0 };
    struct thread_data *data = thread_data();

    if ( !data ) return NULL;
    if ( data->port_user.queue && data->port_user.queue != queue ) user_leaves( &data->port_user );
    if ( !data->port_user.thread && !ws2host_call( ws2_call_port_thread, &params ) )
        data->port_user.thread = params.thread;
    return &data->port_user;
}

/* Those that the host has asleep do not count, nor those that were ended. The lock is held. */
static void check_running( struct port_queue *queue )
{
    for ( struct port_user *user = queue->users; user; user = user->next )
    {
        struct ws2_port_thread_params params = { .thread = user->thread };

        if ( user->running && !ws2host_call( ws2_call_port_thread, &params ) && !params.running ) stop_counting( user );
    }
}

/* --- waiting ------------------------------------------------------------------------------------------------------------*/

/* -1 for ever. */
static int milliseconds_left( struct deadline *deadline )
{
    const LONGLONG left = deadline_left( deadline );

    return left == DEADLINE_NEVER ? -1 : (int)min( ( left + 9999 ) / 10000, MAXLONG );
}

static BOOL apcs_ran( struct take_request *request )
{
    struct ws2_thread_params params = { .thread = GetCurrentThreadId() };

    give_back( request );
    /* in this order: what is queued from now on wakes the wait that follows */
    ws2host_call( ws2_call_wait_thread, &params );
    return SleepEx( 0, TRUE ) == WAIT_IO_COMPLETION;
}

/* Waits and performs what is ready. The lock is held, and given back. TRUE: APCs ran. */
static BOOL wait_here( struct port_queue *queue, struct take_request *request, int timeout )
{
    struct ws2_port_wait_params params = { .port = queue->host, .timeout = timeout, .alertable = request->alertable };
    int32_t status;

    /* others that wait have their share */
    params.most = request->packets ? request->count : queue->waiting > 0 ? 1 : SOCKETS_AT_ONCE;
    request->owes = FALSE;
    if ( timeout ) InterlockedIncrement( &queue->waiting );
    port_queue_unlock( queue );
    status = ws2host_call( ws2_call_port_wait, &params );
    if ( timeout ) InterlockedDecrement( &queue->waiting );
    if ( params.ended )
    {
        queue->woken =
            GetTickCount() | 1; /* this thread looks at the packets next: nobody else need be woken for them */
        ws2_upcalls.operations_ended();
        request->owes = TRUE;
    }
    return status == WS2_STATUS_ALERT && apcs_ran( request );
}

/* A port whose packets are not kept here. The lock is held, and given back. FALSE: they are now. */
static BOOL wait_in_server( struct port_queue *queue, struct take_request *request, struct deadline *deadline,
                            NTSTATUS *status )
{
    int left = milliseconds_left( deadline );
    LARGE_INTEGER rest = { .QuadPart = -10000ll * left };
    struct port_packet before = { 0 };
    BOOL ours;

    if ( !request->packets ) read_result( request, &before );
    queue->in_server++;
    port_queue_unlock( queue );
    give_back( request );
    *status = ask_server( request, left < 0 ? NULL : &rest, request->alertable );
    port_queue_lock( queue );
    queue->in_server--;
    if ( ( ours = queue->state == PORT_CLOSED ) ) *status = give_none( request, CLOSED_WHILE_WAITING );
    port_queue_unlock( queue );
    if ( !*status ) ours = !drop_redirects( queue, request );
    /* a packet of ours that woke the thread leaves nothing behind: a call that fails has written nothing */
    if ( ours && !request->packets ) give_packets( request, &before, 1 );
    return *status || !ours;
}

/* What a forwarder would bring in a moment. The lock is held. */
static UINT32 fetch_from_server( struct port_queue *queue )
{
    BOOL redirect;
    UINT32 count = port_queue_fetch( queue, queue->handle, PACKETS_AT_ONCE, &redirect );

    if ( redirect && queue->in_server ) port_queue_redirect( queue, queue->handle );
    return count;
}

/* PORT_MIXED: a packet in wineserver's queue shows that no thread sleeps there. The lock is held. TRUE: status is the
 * call's. */
static BOOL look_in_server( struct port_queue *queue, struct take_request *request, NTSTATUS *status )
{
    LARGE_INTEGER none = { .QuadPart = 0 };

    if ( ( *status = ask_server( request, &none, FALSE ) ) == STATUS_TIMEOUT ) return FALSE;
    if ( !*status ) queue->state = PORT_KEPT;
    return TRUE;
}

/* A thread that was held back looks no more: another is to, from now on. The lock is held. */
static BOOL wakes_another( struct port_queue *queue, BOOL checking )
{
    if ( checking ) queue->checked = 0;
    return port_queue_to_wake( queue );
}

/* The lock is held, and given back. */
static NTSTATUS take_packets( struct port_queue *queue, struct take_request *request, struct port_user *user,
                              BOOL checking )
{
    struct port_packet packets[PACKETS_AT_ONCE];
    struct late_status *late = NULL;
    HANDLE event;
    ULONG count = min( queue->count, request->packets ? min( request->count, PACKETS_AT_ONCE ) : 1 );
    BOOL wake;

    for ( ULONG i = 0; i < count; i++ )
    {
        struct late_status *found;

        packets[i] = port_queue_first( queue );
        if ( !queue->late || !( found = port_queue_late( queue, &packets[i] ) ) ) continue;
        found->next = late;
        late = found;
    }
    count_running( queue, user );
    wake = wakes_another( queue, checking );
    port_queue_unlock( queue );
    if ( wake ) port_queue_wake( queue );
    port_queue_fill_late( late );
    if ( ( event = port_delivering_event ) )
    {
        void *const value = port_delivering_value;

        for ( ULONG i = 0; i < count; i++ )
            if ( packets[i].value == (ULONG_PTR)value ) port_wait_for_event( event );
    }
    return give_packets( request, packets, count );
}

/* The end without a packet. The lock is held, and given back. */
static NTSTATUS take_none( struct port_queue *queue, struct take_request *request, NTSTATUS status, BOOL checking )
{
    BOOL wake = wakes_another( queue, checking );

    port_queue_unlock( queue );
    if ( wake ) port_queue_wake( queue );
    return give_none( request, status );
}

static NTSTATUS take_until( struct port_queue *queue, struct take_request *request, LARGE_INTEGER *timeout )
{
    struct port_user *user = user_comes( queue );
    struct deadline deadline = { .timeout = timeout };
    unsigned int held = 0; /* times that it was */
    BOOL checking = FALSE, settled = FALSE, apcs;
    BOOL waited = FALSE; /* the port has been looked at, for as long as there was time */
    NTSTATUS status;
    int slice, left;

    port_queue_lock( queue );
    if ( user && user->queue ) stop_counting( user );
    for ( ;; )
    {
        switch ( queue->state )
        {
        case PORT_CLOSED: return take_none( queue, request, CLOSED_WHILE_WAITING, checking );
        case PORT_UNUSED:
        case PORT_ADOPTED:
        case PORT_SHARED:
            if ( port_queue_to_wake( queue ) ) port_queue_wake( queue );
            if ( wait_in_server( queue, request, &deadline, &status ) ) return status;
            port_queue_lock( queue );
            continue;
        case PORT_MIXED:
            queue->asked = GetTickCount();
            if ( !look_in_server( queue, request, &status ) ) break;
            port_queue_unlock( queue );
            if ( !status ) port_forwarder_join( queue );
            return status;
        case PORT_KEPT: queue->asked = GetTickCount(); break;
        }
        if ( queue->count && queue->running >= queue->limit && ( held++ || ( timeout && !timeout->QuadPart ) ) )
            check_running( queue );
        if ( queue->count && queue->running < queue->limit ) return take_packets( queue, request, user, checking );

        left = milliseconds_left( &deadline );
        if ( !left && waited && !settled )
        {
            /* who has seen the status of a request by now finds its packet too */
            settled = TRUE;
            port_queue_unlock( queue );
            port_delivery_settle();
            port_queue_lock( queue );
            continue;
        }
        if ( !left && waited )
        {
            /* files of the loader's end on their own: a thread that only looks finds what has ended by now */
            if ( !queue->foreign || !fetch_from_server( queue ) )
                return take_none( queue, request, STATUS_TIMEOUT, checking );
            continue;
        }
        waited = !left;
        slice = queue->state == PORT_MIXED ? MIXED_SLICE : -1;
        if ( checking && !queue->count ) queue->checked = 0;
        if ( ( checking = queue->count != 0 ) )
        {
            queue->checked = GetTickCount() | 1;
            slice = held > 1 ? NEXT_CHECK : FIRST_CHECK;
        }
        if ( slice >= 0 && ( left < 0 || slice < left ) ) left = slice;
        if ( request->alertable && !queue->count )
        {
            port_queue_unlock( queue );
            apcs = apcs_ran( request );
            port_queue_lock( queue );
            if ( apcs ) return take_none( queue, request, STATUS_OF_APC, checking );
            if ( queue->count || !port_queue_keeps( queue ) ) continue;
        }
        apcs = wait_here( queue, request, left );
        port_queue_lock( queue );
        queue->woken = 0;
        if ( apcs ) return take_none( queue, request, STATUS_OF_APC, checking );
    }
}

NTSTATUS NTAPI hook_NtRemoveIoCompletion( HANDLE port, ULONG_PTR *key, ULONG_PTR *value, IO_STATUS_BLOCK *iosb,
                                          LARGE_INTEGER *timeout )
{
    struct take_request request = { .port = port, .key = key, .value = value, .iosb = iosb };
    struct port_queue *queue = port_queue_of( port );
    const DWORD error = GetLastError();
    NTSTATUS status;

    if ( !queue ) return nt_NtRemoveIoCompletion( port, key, value, iosb, timeout );
    status = take_until( queue, &request, timeout );
    give_back( &request );
    port_queue_release( queue );
    SetLastError( error );
    return status;
}

NTSTATUS NTAPI hook_NtRemoveIoCompletionEx( HANDLE port, struct port_packet *packets, ULONG count, ULONG *taken,
                                            LARGE_INTEGER *timeout, BOOLEAN alertable )
{
    struct take_request request = {
        .port = port, .packets = packets, .count = count, .taken = taken, .alertable = alertable
    };
    struct port_queue *queue = packets && count ? port_queue_of( port ) : NULL;
    const DWORD error = GetLastError();
    NTSTATUS status;

    if ( !queue ) return nt_NtRemoveIoCompletionEx( port, packets, count, taken, timeout, alertable );
    status = take_until( queue, &request, timeout );
    give_back( &request );
    port_queue_release( queue );
    SetLastError( error );
    return status;
}
