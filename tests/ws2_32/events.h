/*
 * The scenarios of network events (facts: sockets-2 section 14), told once and run in both modes: events.c gives them an
 * event object, messages.c a window. A step states what each mode reports.
 */
#ifndef TESTS_EVENTS_H
#define TESTS_EVENTS_H

#include "support.h"

#define EVENTS_MESSAGE ( WM_USER + 77 )

struct watcher
{
    HANDLE event; /* NULL: message mode */
    HWND window;
    BOOL through_none; /* selecting again goes by way of mask 0 */
};

void watcher_select( const struct watcher *watcher, SOCKET s, long mask );
void watcher_reselect( const struct watcher *watcher, SOCKET s, long mask );
/* Exactly these events are reported, each once, with these errors for FD_CLOSE and FD_CONNECT. */
#define expect_events( watcher, s, event_mode, message_mode ) \
    expect_events_( __FILE__, __LINE__, watcher, s, event_mode, message_mode, 0 )
#define expect_error( watcher, s, event_mode, message_mode, error ) \
    expect_events_( __FILE__, __LINE__, watcher, s, event_mode, message_mode, error )
void expect_events_( const char *file, int line, const struct watcher *watcher, SOCKET s, long event_mode,
                     long message_mode, int error );

void event_scenarios( const struct watcher *watcher );

#endif
