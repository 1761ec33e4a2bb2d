/*
 * Waiting for a SOCKET's own handle, as GetOverlappedResult does for an OVERLAPPED without an event.
 *
 * A file is not signalled from the start of an operation that has no event of its own to the end of any such. To the loader
 * a socket is signalled always, so a thread that would wait for one waits for an event of its own here. Whether there is
 * something to wait for the host half knows; the list holds the threads that wait, and is read by the thread that tells of
 * ends only when there are any.
 */
#include "ntdll/hooks.h"
#include "overlapped/file_wait.h"
#include "base/nt_codes.h"

struct file_waiter
{
    struct file_waiter *next;
    UINT64 handle;
    HANDLE event;
};

static SRWLOCK waiters_lock = SRWLOCK_INIT;
static struct file_waiter *waiters;

static BOOL is_busy( UINT64 handle )
{
    struct ws2_port_params params = { .handle = handle, .wait = 1 };

    return !ws2host_call( ws2_call_port_query, &params ) && !params.error && params.unsignalled;
}

static BOOL signal_once( const struct ws2_completion *completion )
{
    struct ws2_delivered_params params = { .signal_sequence = completion->signal_sequence,
                                           .signal_before = completion->signal_before };
    UINT32 before = completion->signal_before;

    if ( completion->signal_sequence == (UINT_PTR)completion->signal_sequence )
        return __atomic_compare_exchange_n( (UINT32 *)(UINT_PTR)completion->signal_sequence, &before, before & ~1u, 0,
                                            __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST );
    return !ws2host_call( ws2_call_delivered, &params ) && !params.error;
}

void file_signal( const struct ws2_completion *completion )
{
    const UINT32 before = completion->signal_before;

    /* an operation that began after this one's end has it busy still, and so has any where the program wants no signal */
    if ( !( before & 1 ) || ( completion->port.modes & FILE_SKIP_SET_EVENT_ON_HANDLE ) || !signal_once( completion ) ||
         !__atomic_load_n( &waiters, __ATOMIC_SEQ_CST ) )
        return;
    lock_shared( &waiters_lock );
    for ( struct file_waiter *waiter = waiters; waiter; waiter = waiter->next )
        if ( waiter->handle == completion->handle ) SetEvent( waiter->event );
    ReleaseSRWLockShared( &waiters_lock );
}

static void waiter_add( struct file_waiter *waiter )
{
    lock_exclusive( &waiters_lock );
    waiter->next = waiters;
    __atomic_store_n( &waiters, waiter, __ATOMIC_SEQ_CST );
    ReleaseSRWLockExclusive( &waiters_lock );
}

static void waiter_remove( struct file_waiter *waiter )
{
    struct file_waiter **link = &waiters;

    lock_exclusive( &waiters_lock );
    while ( *link != waiter ) link = &( *link )->next;
    *link = waiter->next;
    ReleaseSRWLockExclusive( &waiters_lock );
}

/* The event that stands for a socket; FALSE when the handle itself may be waited for: that of a signalled socket, alone.
 * Among others it may not, since loaders with events in the process (esync) take no file's handle into such a wait. */
static BOOL begin_wait( struct file_waiter *waiter, HANDLE handle, BOOL among_others )
{
    BOOL busy;

    waiter->event = NULL;
    waiter->handle = 0;
    if ( !hooks_is_socket( handle ) ) return FALSE;
    busy = is_busy( (UINT_PTR)handle & ~(UINT_PTR)3 );
    if ( !( busy || among_others ) || !( waiter->event = CreateEventW( NULL, TRUE, !busy, NULL ) ) ) return FALSE;
    if ( !busy ) return TRUE;
    waiter->handle = (UINT_PTR)handle & ~(UINT_PTR)3;
    waiter_add( waiter );
    /* an end between the look and the entry in the list told nobody */
    if ( !is_busy( waiter->handle ) ) SetEvent( waiter->event );
    return TRUE;
}

static void end_wait( struct file_waiter *waiter )
{
    if ( !waiter->event ) return;
    if ( waiter->handle ) waiter_remove( waiter );
    nt_NtClose( waiter->event );
}

NTSTATUS file_wait_for_one( HANDLE handle, BOOLEAN alertable, const LARGE_INTEGER *timeout )
{
    struct file_waiter waiter;
    NTSTATUS status;

    if ( hooks_is_free( handle ) ) return STATUS_INVALID_HANDLE;
    if ( !hooks_is_socket( handle ) || !begin_wait( &waiter, handle, FALSE ) )
        return nt_NtWaitForSingleObject( handle, alertable, timeout );
    status = nt_NtWaitForSingleObject( waiter.event, alertable, timeout );
    end_wait( &waiter );
    return status;
}

static NTSTATUS wait_for_many( ULONG count, const HANDLE *handles, BOOLEAN any, BOOLEAN alertable,
                               const LARGE_INTEGER *timeout )
{
    struct file_waiter waiters[MAXIMUM_WAIT_OBJECTS];
    HANDLE replaced[MAXIMUM_WAIT_OBJECTS] = { 0 };
    NTSTATUS status;

    for ( ULONG i = 0; i < count; i++ )
        replaced[i] = begin_wait( &waiters[i], handles[i], count > 1 ) ? waiters[i].event : handles[i];
    status = nt_NtWaitForMultipleObjects( count, replaced, any, alertable, timeout );
    for ( ULONG i = 0; i < count; i++ ) end_wait( &waiters[i] );
    return status;
}

/* The array is the loader's own copy, or would fault in the original too. */
NTSTATUS file_wait_for_many( ULONG count, const HANDLE *handles, BOOLEAN any, BOOLEAN alertable,
                             const LARGE_INTEGER *timeout )
{
    for ( ULONG i = 0; count <= MAXIMUM_WAIT_OBJECTS && handles && i < count; i++ )
    {
        if ( hooks_is_free( handles[i] ) ) return STATUS_INVALID_HANDLE;
        if ( hooks_is_socket( handles[i] ) ) return wait_for_many( count, handles, any, alertable, timeout );
    }
    return nt_NtWaitForMultipleObjects( count, handles, any, alertable, timeout );
}
