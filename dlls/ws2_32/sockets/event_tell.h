/* Telling the program of network events: an event object is set, or messages are posted (event_tell.c). */
#ifndef EVENT_TELL_H
#define EVENT_TELL_H

#include "base/ws2_32_private.h"

/* Sets the event object, or posts a message for each event to the window when there is a message. codes: one for each bit
 * of events. */
void events_tell( UINT64 target, UINT32 message, SOCKET s, UINT32 events, const int32_t *codes );
/* Whether messages can be posted there. */
BOOL events_is_window( HWND window );

#endif
