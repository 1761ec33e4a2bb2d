/* Part of unixcall.h: calls of the name services. */
#define WS2_NAME_CALLS( X ) \
    X( hostname )

/* The host's name, NUL-terminated. WSAEFAULT when size (bytes) is too small. */
struct ws2_hostname_params
{
    int32_t error;
    uint32_t size;
    uint64_t name;
};
