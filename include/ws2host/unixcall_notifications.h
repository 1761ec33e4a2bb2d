/* Part of unixcall.h: notifications of sockets' conditions by completion packets. */
#ifndef WS2HOST_UNIXCALL_NOTIFICATIONS_H
#define WS2HOST_UNIXCALL_NOTIFICATIONS_H

#include <stdint.h>

#define WS2_NOTIFICATION_CALLS( X ) \
    X( notify_register ) \
    X( notify_taken ) \
    X( notify_fetch )

/* One registration made, replaced, put off or removed; its numbers are those of SOCK_NOTIFY_REGISTRATION, checked. */
struct ws2_notify_register_params
{
    int32_t error; /* ERROR_NOT_FOUND: there is none to put off or to remove; WSA_INVALID_PARAMETER: it has another port */
    uint32_t port;
    uint64_t handle;
    uint64_t key;
    uint8_t filter, operation, trigger, reserved;
    uint32_t need_io_thread; /* out */
};

/* The program has taken the packets of that port: what is told of again and again is told of again if it holds. */
struct ws2_notify_taken_params
{
    int32_t error;
    uint32_t port;
};

/* What is to be queued to the ports. The caller calls again until count is 0, with the packets queued. */
#define WS2_NOTIFICATIONS 32
struct ws2_notify_fetch_params
{
    int32_t error;
    uint32_t count; /* out */
    struct
    {
        uint64_t key;
        uint32_t port;
        uint32_t events; /* SOCK_NOTIFY_EVENT_* */
    } packets[WS2_NOTIFICATIONS];
};

#endif
