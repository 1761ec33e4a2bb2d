/* Hooks for what happens to any handle: closing, duplicating; and for user APCs, which wake blocking calls. */
#include "base/ws2_32_private.h"
#include "base/worker.h"
#include "ports/ports.h"
#include "sockets/events.h"
#include "sockets/socket.h"
#include "overlapped/completion.h"
#include "sockets/handle_copies.h"
#include "sockets/handle_pool.h"
#include "sockets/served_events.h"
#include "ntdll/hooks.h"
#include "ports/port_queue.h"
#include "registered/registered_io.h"
#include "hooks/pull.h"
#include "hooks/replacement.h"
#include "base/nt_codes.h"

struct thread_basic_information /* not in the mingw-w64 headers */
{
    NTSTATUS exit_status;
    void *teb;
    CLIENT_ID id;
    ULONG_PTR affinity;
    LONG priority, base_priority;
};

/* CloseHandle on a SOCKET ends its descriptor as closesocket does. */
NTSTATUS NTAPI hook_NtClose( HANDLE handle )
{
    NTSTATUS status;

    if ( hooks_is_socket( handle ) )
    {
        events_closing( (UINT_PTR)handle & ~(UINT_PTR)3 );
        if ( !socket_close( (UINT_PTR)handle & ~(UINT_PTR)3 ) ) return 0;
    }
    if ( hooks_is_free( handle ) ) return STATUS_INVALID_HANDLE;
    if ( hooks_is_event( handle ) ) served_event_closing( handle );
    port_queue_closing( handle );
    if ( !port_closing( handle ) ) return nt_NtClose( handle );
    status = nt_NtClose( handle );
    port_closed();
    return status;
}

/* The source is one of our SOCKETs. */
static NTSTATUS duplicate_socket( HANDLE source, HANDLE target_process, HANDLE *target, ACCESS_MASK access,
                                  ULONG attributes, ULONG options )
{
    struct ws2_handle_params params = { .handle = (UINT_PTR)source & ~(UINT_PTR)3 };
    HANDLE made_anew;
    NTSTATUS status;

    if ( replacement_handle( source, &made_anew ) )
    {
        /* nothing but the end of it is wanted */
        if ( !target_process && made_anew && ( options & DUPLICATE_CLOSE_SOURCE ) )
        {
            nt_NtClose( made_anew );
            return socket_close( params.handle ) ? STATUS_INVALID_HANDLE : 0;
        }
        status = made_anew
                     ? replacement_duplicate( made_anew, source, target_process, target, access, attributes, options )
                     : STATUS_INSUFFICIENT_RESOURCES;
        if ( !status && pull_is_this_process( target_process ) ) handle_copied( *target );
        if ( options & DUPLICATE_CLOSE_SOURCE ) socket_close( params.handle );
        return status;
    }
    if ( !( options & DUPLICATE_CLOSE_SOURCE ) )
    {
        status =
            nt_NtDuplicateObject( GetCurrentProcess(), source, target_process, target, access, attributes, options );
        if ( !status && pull_is_this_process( target_process ) ) handle_copied( *target );
        return status;
    }
    if ( ws2_call( close_begin, &params ) )
        return nt_NtDuplicateObject( GetCurrentProcess(), source, target_process, target, access, attributes, options );
    registered_closing( (SOCKET)params.handle );
    status = nt_NtDuplicateObject( GetCurrentProcess(), source, target_process, target, access, attributes, options );
    ws2_call( close_end, &params );
    if ( params.completions ) completion_deliver();
    return status;
}

/* Copies that other processes have taken are of one socket with it and of no object that the loader knows. */
static BOOL is_same_socket( HANDLE first, HANDLE second )
{
    const HANDLE handles[2] = { first, second };
    struct ws2_socket_same_params params = { .fd = { -1, -1 } };
    BOOL files = TRUE;

    for ( unsigned int i = 0; files && i < 2; i++ )
    {
        params.handle[i] = (UINT_PTR)handles[i] & ~(UINT_PTR)3;
        if ( !hooks_is_socket( handles[i] ) ) files = !ws2host_handle_to_fd( handles[i], &params.fd[i] );
    }
    return !ws2host_call( ws2_call_socket_same, &params ) && params.same && files;
}

/* Two SOCKETs with stand-ins are not of one socket for that; a copy of one is of what is kept for its copies. */
NTSTATUS NTAPI hook_NtCompareObjects( HANDLE first, HANDLE second )
{
    HANDLE handles[2] = { first, second };
    BOOL copied = TRUE;
    NTSTATUS status;

    if ( hooks_is_free( first ) || hooks_is_free( second ) ) return STATUS_INVALID_HANDLE;
    if ( (UINT_PTR)first >> 2 == (UINT_PTR)second >> 2 ) return nt_NtCompareObjects( first, second );
    for ( unsigned int i = 0; i < 2; i++ )
    {
        struct ws2_socket_pooled_params pooled;

        if ( !handle_pool_look( handles[i], &pooled ) ) continue;
        if ( pooled.real ) handles[i] = (HANDLE)(UINT_PTR)pooled.real;
        else copied = FALSE;
    }
    status = nt_NtCompareObjects( handles[0], handles[1] );
    if ( !status && !copied ) status = STATUS_NOT_SAME_OBJECT; /* of two stand-ins */
    return status == STATUS_NOT_SAME_OBJECT && is_same_socket( first, second ) ? 0 : status;
}

NTSTATUS NTAPI hook_NtDuplicateObject( HANDLE source_process, HANDLE source, HANDLE target_process, HANDLE *target,
                                       ACCESS_MASK access, ULONG attributes, ULONG options )
{
    const BOOL own = pull_is_this_process( source_process );

    if ( own && hooks_is_free( source ) ) return STATUS_INVALID_HANDLE;
    if ( own && hooks_is_event( source ) )
    {
        if ( options & DUPLICATE_CLOSE_SOURCE ) served_event_closing( source );
        else served_event_refuse( source );
    }
    if ( own ) port_queue_duplicating( source, options & DUPLICATE_CLOSE_SOURCE );
    if ( !own ) return pull_duplicate( source_process, source, target_process, target, access, attributes, options );
    if ( hooks_is_socket( source ) )
        return duplicate_socket( source, target_process, target, access, attributes, options );
    return nt_NtDuplicateObject( source_process, source, target_process, target, access, attributes, options );
}

/* Whether a stand-in's new flags are known here alone. Protection from being closed the loader keeps with the value, which
 * then is no other SOCKET's any more. */
static BOOL set_pooled_flags( HANDLE handle, const struct object_handle_flags *flags )
{
    struct ws2_socket_pooled_params params = { .handle = (UINT_PTR)handle & ~(UINT_PTR)3,
                                               .set = WS2_POOLED_INHERITED | WS2_POOLED_MARKED,
                                               .inherited = flags->inherited,
                                               .marked = flags->protected };

    return hooks_is_socket( handle ) && !ws2host_call( ws2_call_socket_pooled, &params ) && params.pooled &&
           !params.marked;
}

NTSTATUS NTAPI hook_NtSetInformationObject( HANDLE handle, ULONG class, void *information, ULONG size )
{
    struct object_handle_flags flags;
    const BOOL known = class == OBJECT_DATA_INFORMATION && size >= sizeof( flags ) &&
                       !ws2_read( &flags, information, sizeof( flags ) );

    if ( hooks_is_free( handle ) ) return STATUS_INVALID_HANDLE;
    if ( known && flags.inherited ) port_queue_inheriting( handle );
    if ( known && flags.inherited && hooks_is_event( handle ) ) served_event_refuse( handle );
    if ( known && set_pooled_flags( handle, &flags ) ) return 0;
    return nt_NtSetInformationObject( handle, class, information, size );
}

/* The id of a thread of this process, else 0. */
static UINT32 thread_of( HANDLE thread )
{
    struct thread_basic_information info;

    if ( NtQueryInformationThread( thread, 0 /* ThreadBasicInformation */, &info, sizeof( info ), NULL ) ) return 0;
    if ( info.id.UniqueProcess != (HANDLE)(UINT_PTR)GetCurrentProcessId() ) return 0;
    return (UINT32)(UINT_PTR)info.id.UniqueThread;
}

/* A blocking call of that thread is an alertable wait. */
static NTSTATUS wake_blocked( HANDLE thread, NTSTATUS status )
{
    struct ws2_thread_params params = { 0 };

    if ( status || !*hooks_view.waiters ) return status;
    params.thread = thread == GetCurrentThread() ? GetCurrentThreadId() : thread_of( thread );
    if ( params.thread ) ws2host_call( ws2_call_wait_alert, &params );
    return status;
}

NTSTATUS NTAPI hook_NtQueueApcThread( HANDLE thread, void *function, ULONG_PTR a, ULONG_PTR b, ULONG_PTR c )
{
    return wake_blocked( thread, nt_NtQueueApcThread( thread, function, a, b, c ) );
}

NTSTATUS NTAPI hook_NtQueueApcThreadEx( HANDLE thread, HANDLE reserve, void *function, ULONG_PTR a, ULONG_PTR b,
                                        ULONG_PTR c )
{
    return wake_blocked( thread, nt_NtQueueApcThreadEx( thread, reserve, function, a, b, c ) );
}

NTSTATUS NTAPI hook_NtQueueApcThreadEx2( HANDLE thread, HANDLE reserve, ULONG flags, void *function, ULONG_PTR a,
                                         ULONG_PTR b, ULONG_PTR c )
{
    return wake_blocked( thread, nt_NtQueueApcThreadEx2( thread, reserve, flags, function, a, b, c ) );
}

/* What a thread has pending ends with it. One that ends by itself sees to that; another is waited for until it is gone, as it
 * may be about to make requests. */
NTSTATUS NTAPI hook_NtTerminateThread( HANDLE thread, LONG exit_status )
{
    const UINT32 id = thread && thread != GetCurrentThread() ? thread_of( thread ) : 0;
    LARGE_INTEGER limit = { .QuadPart = -10000000 };
    NTSTATUS status;

    if ( !id || id == GetCurrentThreadId() ) return nt_NtTerminateThread( thread, exit_status );
    if ( ( status = nt_NtTerminateThread( thread, exit_status ) ) ) return status;
    if ( !nt_NtWaitForSingleObject( thread, FALSE, &limit ) ) completion_cancel_of_thread( id );
    return status;
}

/* The process's own end, or with no handle that of all other threads: those of ours that are on their way arrive first. */
NTSTATUS NTAPI hook_NtTerminateProcess( HANDLE process, LONG exit_status )
{
    const BOOL own = !process || pull_is_this_process( process );
    NTSTATUS status;

    if ( own ) workers_settle();
    status = nt_NtTerminateProcess( process, exit_status );
    if ( own && status ) workers_go_on();
    return status;
}

/* What a thread waits for inside one call: the wait of a blocking call of Winsock's, or a request that its caller wants
 * done before it returns. */
NTSTATUS NTAPI hook_NtCancelSynchronousIoFile( HANDLE thread, IO_STATUS_BLOCK *which, IO_STATUS_BLOCK *iosb )
{
    struct ws2_thread_params wait = { .thread = thread_of( thread ) };
    struct ws2_operation_cancel_params cancel = { .thread_id = wait.thread, .options = TARGET_SYNCHRONOUS };
    IO_STATUS_BLOCK result = { { 0 }, 0 };

    /* sockets' status blocks in such calls are never the program's: one that is named is of another file */
    if ( !wait.thread || which ) return nt_NtCancelSynchronousIoFile( thread, which, iosb );
    if ( ws2host_call( ws2_call_wait_cancel, &wait ) || wait.error )
    {
        if ( ws2host_call( ws2_call_operation_cancel, &cancel ) || !cancel.count )
            return nt_NtCancelSynchronousIoFile( thread, which, iosb );
        completion_deliver();
    }
    return ws2_write( iosb, &result, sizeof( result ) ) ? STATUS_ACCESS_VIOLATION : 0;
}
