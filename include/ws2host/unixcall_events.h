/* Part of unixcall.h: network events and the I/O thread. */
#ifndef WS2HOST_UNIXCALL_EVENTS_H
#define WS2HOST_UNIXCALL_EVENTS_H

#include <stdint.h>
#include "ws2host/unixcall_sockets.h"

#define WS2_EVENT_BIT_COUNT 10 /* FD_MAX_EVENTS */

#define WS2_EVENT_CALLS( X ) \
    X( event_select ) \
    X( event_enum ) \
    X( event_inherit ) \
    X( event_closing ) \
    X( event_attempt ) \
    X( event_serve ) \
    X( event_wait ) \
    X( event_wake ) \
    X( io_wait )

/* Makes the socket's one registration; the one before it, whoever made it, ends. */
struct ws2_event_select_params
{
    int32_t error;
    uint32_t mask; /* FD_* */
    uint64_t handle;
    uint64_t target;                    /* event handle, or window */
    uint32_t message;                   /* 0 for an event */
    uint32_t due;                       /* out: bits of the mask that are recorded already: set the event, or post */
    uint32_t need_io_thread;            /* out: the process has none yet */
    int32_t codes[WS2_EVENT_BIT_COUNT]; /* out, with due */
    uint32_t reserved;
};
WS2_ALIKE( struct ws2_event_select_params );

/* Reads and clears the recorded events of the mask. */
struct ws2_event_enum_params
{
    int32_t error;
    uint32_t events; /* out: FD_* */
    uint64_t handle;
    int32_t codes[WS2_EVENT_BIT_COUNT]; /* out: the last of each event, also of those that are not recorded */
};
WS2_ALIKE( struct ws2_event_enum_params );

/* An accepted socket takes over the registration of its listener. Like event_select otherwise. */
struct ws2_event_inherit_params
{
    int32_t error;
    uint32_t due;    /* out */
    uint64_t handle; /* the accepted socket */
    uint64_t listener;
    uint64_t target;                    /* out */
    uint32_t mask;                      /* out */
    uint32_t message;                   /* out */
    int32_t codes[WS2_EVENT_BIT_COUNT]; /* out, with due */
};
WS2_ALIKE( struct ws2_event_inherit_params );

/* The socket is being closed by another way than closesocket: the window, and its message, that is to be told; message 0
 * when there is none, this process did not register it, or other descriptors remain. */
struct ws2_event_closing_params
{
    int32_t error;
    uint32_t message; /* out */
    uint64_t handle;
    uint64_t target; /* out */
};
WS2_ALIKE( struct ws2_event_closing_params );

struct ws2_io_action
{
    uint64_t target;  /* event handle or window */
    uint32_t message; /* 0: set the event; else post it for each of events */
    uint32_t events;  /* 0: the setting of a served event that was deferred is not put off any longer */
    uint64_t handle;  /* the SOCKET */
    int32_t codes[WS2_EVENT_BIT_COUNT];
    uint32_t reserved[2];
};
WS2_ALIKE( struct ws2_io_action );

_Static_assert( sizeof( struct ws2_io_action ) == 72, "the same to programs of either width" );

/* A re-enabling function was called with arguments that it refuses. */
struct ws2_event_attempt_params
{
    int32_t error;
    uint32_t event; /* FD_* */
    uint64_t handle;
};
WS2_ALIKE( struct ws2_event_attempt_params );

#define WS2_IO_ACTIONS 32

/* An event object that is served in the process (events/README.md): what both halves look at, in memory that the PE side gives
 * for good. Programs of either width: 32 bits each. */
struct ws2_served_event
{
    uint32_t deferred; /* 1: it is set as far as the program can see, and wineserver has not been told */
    uint32_t sets;     /* one more with each setting, of either kind */
};

/* serve 1: the network events of the event `target` are looked after as number `index` from now on; 0: no longer, its handle has
 * gone. WSAENOBUFS: no descriptors. */
#define WS2_SERVED_EVENTS 64
struct ws2_event_serve_params
{
    int32_t error;
    uint32_t index;
    uint64_t target;
    uint64_t state; /* struct ws2_served_event */
    uint32_t serve;
    uint32_t exact; /* the I/O thread looks again as soon as no thread waits, not a moment later */
};
WS2_ALIKE( struct ws2_event_serve_params );

/* The calling thread waits for the events of a mask, and sees to what comes for them: what is due has been recorded, and
 * the events that it sets are deferred. Ends at once when `sets` of one is not what `seen` says (by index). Events of other
 * targets are for the caller to tell. timed_out: the time is over; look: the time has come to ask wineserver, or it may be, and to
 * call again. timeout 0 only looks; release 1 as well, and the I/O thread looks after them from now on. */
#define WS2_WAIT_ACTIONS 4
struct ws2_event_wait_params
{
    int32_t error;
    uint32_t count; /* out: actions */
    uint64_t mask;
    uint64_t timeout;   /* us, UINT64_MAX: none */
    uint32_t timed_out; /* out */
    uint32_t look;      /* out */
    uint32_t release;
    uint32_t reserved;
    struct ws2_wait wait;
    uint32_t seen[WS2_SERVED_EVENTS];
    struct ws2_io_action actions[WS2_WAIT_ACTIONS]; /* out */
};
WS2_ALIKE( struct ws2_event_wait_params );

/* Threads that wait for them look again. */
struct ws2_event_wake_params
{
    int32_t error;
    uint32_t reserved;
    uint64_t mask;
};
WS2_ALIKE( struct ws2_event_wake_params );

/* The I/O thread's call: sleeps until there is something to do on the PE side. */
struct ws2_io_wait_params
{
    int32_t error;
    uint32_t count;         /* out */
    uint32_t completions;   /* out: operation_fetch has something */
    uint32_t notifications; /* out: notify_fetch may have something */
    uint32_t outstanding;   /* out: notifications wait for their packets to be taken */
    uint32_t reserved;
    struct ws2_io_action actions[WS2_IO_ACTIONS]; /* out */
};
WS2_ALIKE( struct ws2_io_wait_params );

#endif
