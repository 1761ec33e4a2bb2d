/* Part of unixcall.h: network events and the I/O thread. */
#ifndef WS2HOST_UNIXCALL_EVENTS_H
#define WS2HOST_UNIXCALL_EVENTS_H

#include <stdint.h>

#define WS2_EVENT_BIT_COUNT 10 /* FD_MAX_EVENTS */

#define WS2_EVENT_CALLS( X ) \
    X( event_select ) \
    X( event_enum ) \
    X( event_inherit ) \
    X( event_closing ) \
    X( event_attempt ) \
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
    uint32_t events;
    uint64_t handle; /* the SOCKET */
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
