/* Control codes: what ioctl.c asks of interfaces.c and tcp_info.c. All of them work with a descriptor held, on copies. */
#ifndef WS2HOST_IOCTL_H
#define WS2HOST_IOCTL_H

#include <stdint.h>
#include "sockets/socket.h"

#define IOCTL_IN_BYTES 128
#define IOCTL_OUT_BYTES 16384

struct ioctl_request
{
    unsigned char in[IOCTL_IN_BYTES]; /* as much of the input as fits */
    uint32_t in_size;                 /* as the caller said, 0 when there is no buffer */
    uint64_t out_address;             /* the caller's buffer, for pointers into it; not to be touched */
    uint32_t out_size;                /* of the caller's buffer, 0 when there is none */
    uint32_t width;
    uint32_t count;       /* bytes of out; what the byte count becomes */
    uint32_t store_count; /* store it though the call fails */
    unsigned char out[IOCTL_OUT_BYTES];
};

typedef int32_t ioctl_function( struct descriptor *descriptor, struct ioctl_request *request );

/* interfaces.c */
ioctl_function ioctl_routing_interface;
ioctl_function ioctl_address_list;
ioctl_function ioctl_interface_list;

/* tcp_info.c */
ioctl_function ioctl_tcp_info;

static inline uint32_t ioctl_in_number( const struct ioctl_request *request )
{
    uint32_t number = 0;

    __builtin_memcpy( &number, request->in, request->in_size < 4 ? request->in_size : 4 );
    return number;
}

static inline void ioctl_out_number( struct ioctl_request *request, uint32_t number )
{
    __builtin_memcpy( request->out, &number, 4 );
    request->count = 4;
}

#endif
