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
    /* ERROR_NOT_FOUND: there is none to put off or to remove; WSA_INVALID_PARAMETER: it has another port */
    int32_t error;
    uint32_t port;
    uint64_t handle;
    uint64_t key;
    uint8_t filter, operation, trigger, reserved;
    uint32_t need_io_thread; /* out */
};
WS2_ALIKE( struct ws2_notify_register_params );

/* What is told of again and again, of that port, and whose packet the program has taken. NOTED: the packets of these
 * handles are in the program's hands. AGAIN: it has come back for more, so they are told of again if they hold.
 * EMPTY: nothing is queued at the port, so that all have been taken, and are told of again if they hold. */
enum ws2_notify_taken
{
    WS2_NOTIFY_NOTED,
    WS2_NOTIFY_AGAIN,
    WS2_NOTIFY_EMPTY
};
struct ws2_notify_taken_params
{
    int32_t error;
    uint32_t port;
    uint32_t how; /* enum ws2_notify_taken */
    uint32_t count;
    uint64_t handles; /* uint64_t[count], ours */
};
WS2_ALIKE( struct ws2_notify_taken_params );

/* What is to be queued to the ports. The caller calls again until count is 0, with the packets queued. */
#define WS2_NOTIFICATIONS 32
struct ws2_notify_fetch_params
{
    int32_t error;
    uint32_t count; /* out */
    struct
    {
        uint64_t key;
        uint64_t handle;
        uint32_t port;
        uint32_t events; /* SOCK_NOTIFY_EVENT_* */
    } packets[WS2_NOTIFICATIONS];
};
WS2_ALIKE( struct ws2_notify_fetch_params );

#endif
