/*
 * Event objects that sockets of the process set, and that are waited for and reset without a conversation with wineserver.
 *
 * The hooks bring what happens to such handles here (hooks/waits.c). What an event is set to stands in two places: in
 * wineserver's object, as ever, and in the record's `deferred`, by the thread that waits and has seen to the sockets itself. It
 * is set as far as the program can see while either says so. Whatever looks at the object in a way that does not come here has
 * the deferred one made good before, or by the I/O thread a moment later.
 */
#ifndef SERVED_EVENTS_H
#define SERVED_EVENTS_H

#include "ntdll/hooks.h"

/* Sockets set this event from now on: hooks_is_event says so. */
void served_event_begin( HANDLE handle );
/* The handle is about to be closed. */
void served_event_closing( HANDLE handle );
/* Others may know the event, or change it in ways that do not come here: what happens to it is wineserver's affair for good. */
void served_event_refuse( HANDLE handle );
/* What the host half has found to be due: events are set and messages posted, and of an action without either, a setting that was
 * deferred is not put off any longer. */
void served_event_act( const struct ws2_io_action *actions, UINT32 count );

/* What the system calls do; of handles for which hooks_is_event has been true. */
NTSTATUS served_event_set( HANDLE handle, LONG *previous );
NTSTATUS served_event_reset( HANDLE handle, LONG *previous );
NTSTATUS served_event_pulse( HANDLE handle, LONG *previous );

/* Waits for any of them, not alertable; FALSE: that is for wineserver. */
BOOL served_event_wait( ULONG count, const HANDLE *handles, const LARGE_INTEGER *timeout, NTSTATUS *status );
/* Around a look or a wait of another kind that handles some of which may be such events take part in: which of them do, for the
 * end of it. */
UINT64 served_event_enter( ULONG count, const HANDLE *handles );
void served_event_leave( UINT64 entered );

#endif
