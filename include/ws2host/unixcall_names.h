/* Part of unixcall.h: calls of the name services. */
#define WS2_NAME_CALLS( X ) \
    X( hostname ) \
    X( etc_file ) \
    X( file_state ) \
    X( interfaces ) \
    X( resolve ) \
    X( reverse )

/* The host's name, NUL-terminated. WSAEFAULT when size (bytes) is too small. */
struct ws2_hostname_params
{
    int32_t error;
    uint32_t size;
    uint64_t name;
};
WS2_ALIKE( struct ws2_hostname_params );

/* A data base of the host, whole. length is its size; WSAENOBUFS when that is above size, WSANO_DATA when there is
 * none. */
enum ws2_etc_file
{
    WS2_ETC_SERVICES
};
struct ws2_etc_file_params
{
    int32_t error;
    uint32_t file;
    uint64_t text;
    uint32_t size;
    uint32_t length;
};
WS2_ALIKE( struct ws2_etc_file_params );

/* What a file is like: any change of it changes state (device, inode, size, time of data, time of all else), for a reader
 * that keeps what it read. A file that is not there has the state of its folder. recent: it changed so lately that a
 * second change may not show: what is read now is not to be kept. */
#define WS2_FILE_STATES 6
struct ws2_file_state_params
{
    int32_t error; /* WSANO_DATA: not even the folder is there */
    uint32_t recent;
    uint64_t path; /* the host's, NUL-terminated */
    uint64_t state[WS2_FILE_STATES];
};
WS2_ALIKE( struct ws2_file_state_params );

/* An address with Windows' number of its family; bytes in network order. */
#define WS2_FAMILY_INET 2
#define WS2_FAMILY_INET6 23
#define WS2_ADDRESS_LOOPBACK 1
#define WS2_ADDRESS_LINK_LOCAL 2
#define WS2_ADDRESS_DEFAULT_ROUTE 4 /* its adapter carries the family's default route */
struct ws2_address
{
    uint16_t family;
    uint16_t flags;
    uint32_t scope;   /* of an IPv6 link-local address */
    uint32_t adapter; /* index of the adapter; of this computer's addresses only */
    uint8_t bytes[16];
};

/* The addresses of this computer's adapters that are up. count is how many there are; WSAENOBUFS when above
 * capacity. */
struct ws2_interfaces_params
{
    int32_t error;
    uint32_t capacity;
    uint32_t count;
    uint32_t reserved;
    uint64_t addresses;
};
WS2_ALIKE( struct ws2_interfaces_params );

/* What the host's resolver knows of a name (WS2_FAMILY_*, 0 for both); may take long. names gets NUL-terminated
 * strings, the canonical name first, aliases after it (with one family only), an empty string last; what does not
 * fit is left out. */
struct ws2_resolve_params
{
    int32_t error;
    uint32_t family;
    uint64_t name;
    uint64_t addresses;
    uint64_t names;
    uint32_t capacity;
    uint32_t count;
    uint32_t names_size;
    uint32_t aliases; /* in: are they wanted? */
};
WS2_ALIKE( struct ws2_resolve_params );

/* The names of an address, in the same form. */
struct ws2_reverse_params
{
    int32_t error;
    uint32_t family;
    uint64_t names;
    uint32_t names_size;
    uint32_t scope;
    uint8_t bytes[16];
};
WS2_ALIKE( struct ws2_reverse_params );
