/*
 * Completion queues of registered I/O: requests that have ended, in the order of their ends, until the program takes them.
 *
 * They stand in this process's memory, so that taking them makes no system call. Ends come from whichever thread sees a
 * request end; each request has had its place reserved since its request queue was made, so the queue never overflows.
 * The program is notified once for each RIONotify, by the queue's own handle of its event or completion port.
 */
#include "ntdll/event_objects.h"
#include "ports/port_queue.h"
#include "registered/registered.h"

NTSTATUS NTAPI NtQueryEvent( HANDLE event, int class, void *info, ULONG size, ULONG *result );
NTSTATUS NTAPI NtQueryIoCompletion( HANDLE port, int class, void *info, ULONG size, ULONG *result );

struct completion_queue
{
    struct registered_object object;
    SRWLOCK lock; /* for all that follows */
    volatile BOOL open;
    struct registered_request *volatile first, *last;
    UINT32 size, reserved;
    UINT32 users;                             /* halves of request queues */
    BOOL armed;                               /* the next end is to be notified of */
    RIO_NOTIFICATION_COMPLETION notification; /* Type 0: none; with our handle in place of the program's */
    struct port_queue *port;                  /* counted; NULL: packets go through wineserver */
};

/* Found, locked and open; NULL: nothing is held. */
static struct completion_queue *lock_queue( RIO_CQ handle )
{
    struct completion_queue *queue = registered_find( handle, REGISTERED_COMPLETIONS );

    if ( !queue ) return NULL;
    lock_exclusive( &queue->lock );
    if ( queue->object.id == (UINT32)(UINT_PTR)handle ) return queue;
    ReleaseSRWLockExclusive( &queue->lock );
    return NULL;
}

static HANDLE *handle_of( RIO_NOTIFICATION_COMPLETION *notification )
{
    return notification->Type == RIO_EVENT_COMPLETION ? &notification->Event.EventHandle
                                                      : &notification->Iocp.IocpHandle;
}

/* --- notification; the lock is held --------------------------------------------------------------------------------*/

/* Replaces the program's handle by one of ours. */
static int take_handle( RIO_NOTIFICATION_COMPLETION *notification, struct port_queue **port )
{
    HANDLE theirs = *handle_of( notification );
    ULONG info[2];

    if ( notification->Type == RIO_EVENT_COMPLETION )
    {
        if ( !theirs || NtQueryEvent( theirs, 0, info, sizeof( info ), NULL ) ) return WSAEINVAL;
    }
    else if ( notification->Type != RIO_IOCP_COMPLETION ) return WSAEINVAL;
    else if ( !theirs || !notification->Iocp.Overlapped ||
              NtQueryIoCompletion( theirs, 0, info, sizeof( *info ), NULL ) )
        return WSAEINVAL;

    /* the call itself: its hook would take a port for one that others use */
    if ( nt_NtDuplicateObject( GetCurrentProcess(), theirs, GetCurrentProcess(), handle_of( notification ), 0, 0,
                               DUPLICATE_SAME_ACCESS ) )
        return WSAENOBUFS;
    if ( notification->Type == RIO_IOCP_COMPLETION && ( *port = port_queue_find( theirs ) ) ) port_queue_begin( *port );
    return 0;
}

static void completions_notify( struct completion_queue *queue )
{
    const RIO_NOTIFICATION_COMPLETION *to = &queue->notification;

    queue->armed = FALSE;
    if ( to->Type == RIO_EVENT_COMPLETION ) event_set( to->Event.EventHandle );
    else if ( !queue->port || !port_queue_post( queue->port, (ULONG_PTR)to->Iocp.CompletionKey,
                                                (ULONG_PTR)to->Iocp.Overlapped, NULL, 0, 0 ) )
        nt_NtSetIoCompletion( to->Iocp.IocpHandle, (ULONG_PTR)to->Iocp.CompletionKey, (ULONG_PTR)to->Iocp.Overlapped, 0,
                              0 );
}

/***********************************************************************
 *      RIONotify
 */
INT WINAPI registered_notify( RIO_CQ handle )
{
    struct completion_queue *queue = lock_queue( handle );
    int error = 0;

    if ( !queue ) return WS2_RESULT_AS( "RIONotify", WSAEINVAL, WSAEINVAL, "queue=%p", (void *)handle );
    if ( !queue->notification.Type ) error = WSAEINVAL;
    else if ( queue->armed ) error = WSAEALREADY;
    else
    {
        if ( queue->notification.Type == RIO_EVENT_COMPLETION && queue->notification.Event.NotifyReset )
            event_reset( queue->notification.Event.EventHandle );
        queue->armed = TRUE;
        if ( queue->first ) completions_notify( queue );
    }
    ReleaseSRWLockExclusive( &queue->lock );
    return WS2_RESULT_AS( "RIONotify", error, error, "queue=%p", (void *)handle );
}

/* --- coming and going ----------------------------------------------------------------------------------------------*/

/***********************************************************************
 *      RIOCreateCompletionQueue
 */
RIO_CQ WINAPI registered_create_completions( DWORD size, PRIO_NOTIFICATION_COMPLETION notification )
{
    RIO_NOTIFICATION_COMPLETION copy = { 0 };
    struct completion_queue *queue;
    struct port_queue *port = NULL;
    RIO_CQ handle = RIO_INVALID_CQ;
    int error = 0;

    WS2_REQUIRE_STARTUP( RIO_INVALID_CQ );
    if ( !size || size > RIO_MAX_CQ_SIZE ) error = WSAEINVAL;
    else if ( notification && !( error = ws2_read( &copy, notification, sizeof( copy ) ) ) )
        error = take_handle( &copy, &port );
    if ( !error && !( queue = registered_create( REGISTERED_COMPLETIONS, sizeof( *queue ) ) ) )
    {
        if ( copy.Type ) nt_NtClose( *handle_of( &copy ) );
        port_queue_release( port );
        error = WSAENOBUFS;
    }
    if ( !error )
    {
        lock_exclusive( &queue->lock );
        queue->first = NULL;
        queue->size = size;
        queue->reserved = queue->users = 0;
        queue->armed = FALSE;
        queue->notification = copy;
        queue->port = port;
        queue->open = TRUE;
        handle = registered_publish( queue );
        ReleaseSRWLockExclusive( &queue->lock );
    }
    return WS2_RESULT_AS( "RIOCreateCompletionQueue", handle, error, "size=%lu, notification=%p", size,
                          (void *)notification );
}

static void free_requests( struct registered_request *request )
{
    struct registered_request *next;

    for ( ; request; request = next )
    {
        next = request->next;
        request->free( request );
    }
}

/***********************************************************************
 *      RIOCloseCompletionQueue
 */
void WINAPI registered_close_completions( RIO_CQ handle )
{
    struct completion_queue *queue = lock_queue( handle );
    struct registered_request *left;
    BOOL last;

    WS2_RETURNS( "RIOCloseCompletionQueue", TRACE_NUMBER, 0, 0, "queue=%p", (void *)handle );
    if ( !queue ) return;
    queue->open = FALSE;
    registered_hide( queue );
    if ( queue->notification.Type ) nt_NtClose( *handle_of( &queue->notification ) );
    port_queue_release( queue->port );
    left = queue->first;
    queue->first = NULL;
    last = !queue->users;
    ReleaseSRWLockExclusive( &queue->lock );
    if ( last ) registered_free( REGISTERED_COMPLETIONS, queue );
    free_requests( left );
}

/***********************************************************************
 *      RIOResizeCompletionQueue
 */
BOOL WINAPI registered_resize_completions( RIO_CQ handle, DWORD size )
{
    struct completion_queue *queue = lock_queue( handle );
    int error = 0;

    if ( !queue ) return WS2_RESULT_AS( "RIOResizeCompletionQueue", FALSE, WSAEFAULT, "queue=%p", (void *)handle );
    if ( !size || size > RIO_MAX_CQ_SIZE ) error = WSAEINVAL;
    else if ( size < queue->reserved ) error = WSAETOOMANYREFS;
    else queue->size = size;
    ReleaseSRWLockExclusive( &queue->lock );
    return WS2_RESULT_AS( "RIOResizeCompletionQueue", !error, error, "queue=%p, size=%lu", (void *)handle, size );
}

struct completion_queue *registered_reserve( RIO_CQ handle, UINT32 requests, int *error )
{
    struct completion_queue *queue = lock_queue( handle );

    *error = queue ? 0 : WSAEINVAL;
    if ( !queue ) return NULL;
    if ( requests > queue->size - queue->reserved ) *error = WSAENOBUFS;
    else
    {
        queue->reserved += requests;
        queue->users++;
    }
    ReleaseSRWLockExclusive( &queue->lock );
    return *error ? NULL : queue;
}

BOOL registered_reserve_again( struct completion_queue *queue, UINT32 before, UINT32 requests )
{
    BOOL room;

    lock_exclusive( &queue->lock );
    if ( ( room = requests <= before || ( queue->open && requests - before <= queue->size - queue->reserved ) ) )
        queue->reserved += requests - before;
    ReleaseSRWLockExclusive( &queue->lock );
    return room;
}

void registered_unreserve( struct completion_queue *queue, UINT32 requests )
{
    BOOL last;

    lock_exclusive( &queue->lock );
    queue->reserved -= requests;
    last = !--queue->users && !queue->open;
    ReleaseSRWLockExclusive( &queue->lock );
    if ( last ) registered_free( REGISTERED_COMPLETIONS, queue );
}

BOOL registered_is_open( const struct completion_queue *queue ) { return queue->open; }

/* --- ends ----------------------------------------------------------------------------------------------------------*/

void registered_push( struct completion_queue *queue, struct registered_request *request )
{
    BOOL taken;

    request->next = NULL;
    lock_exclusive( &queue->lock );
    if ( ( taken = queue->open ) )
    {
        if ( queue->first ) queue->last->next = request;
        else queue->first = request;
        queue->last = request;
        if ( queue->armed && !( request->flags & RIO_MSG_DONT_NOTIFY ) ) completions_notify( queue );
    }
    ReleaseSRWLockExclusive( &queue->lock );
    if ( !taken ) request->free( request );
}

#define RESULTS_AT_ONCE 64

/***********************************************************************
 *      RIODequeueCompletion
 */
ULONG WINAPI registered_dequeue( RIO_CQ handle, PRIORESULT results, ULONG count )
{
    struct completion_queue *queue = registered_find( handle, REGISTERED_COMPLETIONS );
    struct registered_request *taken, *request, *last;
    RIORESULT copies[RESULTS_AT_ONCE];
    ULONG done = 0, n;

    /* a thread that polls does not hold up those that bring ends */
    if ( queue && results && !queue->first )
        return WS2_RESULT_AS( "RIODequeueCompletion", 0u, 0, "queue=%p: empty", (void *)handle );
    if ( !results || !( queue = lock_queue( handle ) ) )
        return WS2_RESULT_AS( "RIODequeueCompletion", RIO_CORRUPT_CQ, 0, "queue=%p", (void *)handle );
    taken = queue->first;
    last = NULL;
    while ( done < count && queue->first )
    {
        struct registered_request *last_copied = last;

        for ( n = 0, request = queue->first; request && n < RESULTS_AT_ONCE && done + n < count;
              request = request->next )
        {
            copies[n++] = request->result;
            last_copied = request;
        }
        /* what cannot be given stays */
        if ( ws2_write( results + done, copies, n * sizeof( *copies ) ) )
        {
            if ( !done ) done = RIO_CORRUPT_CQ;
            break;
        }
        last = last_copied;
        queue->first = request;
        done += n;
    }
    if ( last ) last->next = NULL;
    else taken = NULL;
    ReleaseSRWLockExclusive( &queue->lock );
    free_requests( taken );
    return WS2_RESULT_AS( "RIODequeueCompletion", done, 0, "queue=%p, results=%p, count=%lu", (void *)handle,
                          (void *)results, count );
}
