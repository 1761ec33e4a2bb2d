/* Part of unixcall.h: calls on sockets. */
#define WS2_SOCKET_CALLS( X ) \
    X( close_begin ) \
    X( close_end )

/* Takes a SOCKET out of the process's descriptors; calls that wait on it end. The caller then closes the handle itself
 * and says close_end. WSAENOTSOCK when it is not in the table. */
struct ws2_handle_params
{
    int32_t error;
    uint32_t reserved;
    uint64_t handle;
};
