/* Control data of WSASendMsg: any bytes at all become a well-formed host list of known size, or WSAEINVAL. */
#include <stdlib.h>
#include <string.h>
#include "control.h"
#include "option.h"

int LLVMFuzzerTestOneInput( const uint8_t *data, size_t size );

int32_t option_kernel_set( struct descriptor *d, uint32_t where, uint32_t value )
{
    (void)d, (void)where, (void)value;
    return 0;
}

int LLVMFuzzerTestOneInput( const uint8_t *data, size_t size )
{
    _Alignas( struct cmsghdr ) char host[CONTROL_HOST_SIZE];
    struct msghdr header = { .msg_control = host };
    size_t used = 0;
    char *copy;

    if (!size) return 0;
    /* of its exact size, so that a byte too many is seen */
    if (!(copy = malloc( size - 1 ? size - 1 : 1 ))) return 0;
    memcpy( copy, data + 1, size - 1 );
    if (!control_to_host( copy, size - 1, data[0] & 1 ? 4 : 8, host, &used ))
    {
        if (used > sizeof(host)) abort();
        header.msg_controllen = used;
        for (struct cmsghdr *cmsg = CMSG_FIRSTHDR( &header ); cmsg; cmsg = CMSG_NXTHDR( &header, cmsg ))
            if (cmsg->cmsg_len < CMSG_LEN( 0 ) || (char *)cmsg + cmsg->cmsg_len > host + used) abort();
    }
    free( copy );
    return 0;
}
