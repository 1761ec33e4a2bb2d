/* Setting and resetting the program's event objects: by the hook where there may be more to it (sockets/served_events.c), which
 * counts what it asks of the loader's server, else at once. */
#ifndef EVENT_OBJECTS_H
#define EVENT_OBJECTS_H

#include "ntdll/hooks.h"
#include "base/counts.h"

NTSTATUS NTAPI NtSetEvent( HANDLE event, LONG *previous );
NTSTATUS NTAPI NtResetEvent( HANDLE event, LONG *previous );

static inline NTSTATUS event_set( HANDLE event )
{
    if ( hooks_is_event( event ) ) return NtSetEvent( event, NULL );
    count_asked();
    return nt_NtSetEvent( event, NULL );
}

static inline NTSTATUS event_reset( HANDLE event )
{
    if ( hooks_is_event( event ) ) return NtResetEvent( event, NULL );
    count_asked();
    return nt_NtResetEvent( event, NULL );
}

#endif
