/* Part of unixcall.h: socket options and ioctls. */
#ifndef WS2HOST_UNIXCALL_OPTIONS_H
#define WS2HOST_UNIXCALL_OPTIONS_H

#include <stdint.h>

#define WS2_OPTION_CALLS( X ) \
    X( getsockopt ) \
    X( setsockopt ) \
    X( ioctl ) \
    X( socket_state )

/* Every option whose value is the same for callers of either width. level and name are Windows' numbers. */
struct ws2_option_params
{
    int32_t error;
    int32_t level;
    uint64_t handle;
    int32_t name;
    int32_t size;    /* setsockopt: optlen */
    uint64_t value;  /* optval */
    uint64_t length; /* getsockopt: int32_t *optlen */
};
WS2_ALIKE( struct ws2_option_params );

/* Windows' control codes. in and out are the caller's buffers. */
struct ws2_ioctl_params
{
    int32_t error;
    uint32_t code;
    uint64_t handle;
    uint64_t in;
    uint64_t out;
    uint32_t in_size;
    uint32_t out_size;
    uint32_t width;       /* of a pointer of the caller's: layout of what is returned */
    uint32_t has_count;   /* the caller gave a place for the byte count */
    uint32_t count;       /* out: the byte count */
    uint32_t store_count; /* out: it is to be stored; always so on success */
    struct ws2_wait wait;
    int32_t change_fd;       /* what the host half waits on, -1 to begin with */
    uint32_t need_io_thread; /* out: the PE side is to start it */
};
WS2_ALIKE( struct ws2_ioctl_params );

/* What SO_BSP_STATE and SO_PROTOCOL_INFO tell. Addresses are as Windows has them; size 0: there is none. */
struct ws2_socket_state_params
{
    int32_t error;
    uint32_t family;
    uint64_t handle;
    uint32_t type;
    uint32_t protocol;
    uint32_t local_size;
    uint32_t remote_size;
    uint8_t local[128];
    uint8_t remote[128];
};
WS2_ALIKE( struct ws2_socket_state_params );

#endif
