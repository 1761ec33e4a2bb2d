/* Hooks for waits, and for what is done to event objects: SOCKETs are waited for as files (overlapped/file_wait.c), events that
 * sockets set without wineserver (sockets/served_events.c). */
#include "base/ws2_32_private.h"
#include "ntdll/hooks.h"
#include "overlapped/file_wait.h"
#include "sockets/served_events.h"

NTSTATUS NTAPI hook_NtWaitForSingleObject( HANDLE handle, BOOLEAN alertable, const LARGE_INTEGER *timeout )
{
    NTSTATUS status;
    UINT64 entered;

    if ( !hooks_is_event( handle ) ) return file_wait_for_one( handle, alertable, timeout );
    if ( !alertable && served_event_wait( 1, &handle, timeout, &status ) ) return status;
    entered = served_event_enter( 1, &handle );
    status = nt_NtWaitForSingleObject( handle, alertable, timeout );
    served_event_leave( entered );
    return status;
}

/* How many of the handles are events. */
static ULONG count_events( ULONG count, const HANDLE *handles )
{
    ULONG events = 0;

    for ( ULONG i = 0; i < count; i++ ) events += hooks_is_event( handles[i] );
    return events;
}

/* Some loaders' WaitForSingleObject ends here. The array is the loader's own copy, or would fault in the original too. */
NTSTATUS NTAPI hook_NtWaitForMultipleObjects( ULONG count, const HANDLE *handles, BOOLEAN any, BOOLEAN alertable,
                                              const LARGE_INTEGER *timeout )
{
    const ULONG events = handles && count <= MAXIMUM_WAIT_OBJECTS ? count_events( count, handles ) : 0;
    HANDLE copy[MAXIMUM_WAIT_OBJECTS];
    NTSTATUS status;
    UINT64 entered;

    if ( !events ) return file_wait_for_many( count, handles, any, alertable, timeout );
    memcpy( copy, handles, count * sizeof( *copy ) );
    if ( events == count && ( any || count == 1 ) && !alertable && served_event_wait( count, copy, timeout, &status ) )
        return status;
    entered = served_event_enter( count, copy );
    status = file_wait_for_many( count, copy, any, alertable, timeout );
    served_event_leave( entered );
    return status;
}

NTSTATUS NTAPI hook_NtSignalAndWaitForSingleObject( HANDLE signalled, HANDLE handle, BOOLEAN alertable,
                                                    const LARGE_INTEGER *timeout )
{
    NTSTATUS status;
    UINT64 entered;

    if ( hooks_is_event( signalled ) )
    {
        if ( ( status = served_event_set( signalled, NULL ) ) ) return status;
        return hook_NtWaitForSingleObject( handle, alertable, timeout );
    }
    entered = served_event_enter( 1, &handle );
    status = nt_NtSignalAndWaitForSingleObject( signalled, handle, alertable, timeout );
    served_event_leave( entered );
    return status;
}

NTSTATUS NTAPI hook_NtSetEvent( HANDLE handle, LONG *previous )
{
    return hooks_is_event( handle ) ? served_event_set( handle, previous ) : nt_NtSetEvent( handle, previous );
}

NTSTATUS NTAPI hook_NtResetEvent( HANDLE handle, LONG *previous )
{
    return hooks_is_event( handle ) ? served_event_reset( handle, previous ) : nt_NtResetEvent( handle, previous );
}

NTSTATUS NTAPI hook_NtClearEvent( HANDLE handle )
{
    return hooks_is_event( handle ) ? served_event_reset( handle, NULL ) : nt_NtClearEvent( handle );
}

NTSTATUS NTAPI hook_NtPulseEvent( HANDLE handle, LONG *previous )
{
    return hooks_is_event( handle ) ? served_event_pulse( handle, previous ) : nt_NtPulseEvent( handle, previous );
}

NTSTATUS NTAPI hook_NtQueryEvent( HANDLE handle, ULONG class, void *information, ULONG size, ULONG *needed )
{
    const UINT64 entered = served_event_enter( 1, &handle );
    const NTSTATUS status = nt_NtQueryEvent( handle, class, information, size, needed );

    served_event_leave( entered );
    return status;
}
