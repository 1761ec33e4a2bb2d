/* Functions by GUID. Constant. */
#include "ws2_32_private.h"
#include <mswsock.h>
#include "connection_ex.h"
#include "extensions.h"
#include "message.h"

static const struct
{
    GUID guid;
    void *function;
} extensions[] = {
    { WSAID_WSASENDMSG, WSASendMsg },
    { WSAID_WSARECVMSG, message_receive },
    { WSAID_ACCEPTEX, connection_accept },
    { WSAID_GETACCEPTEXSOCKADDRS, connection_addresses },
    { WSAID_CONNECTEX, connection_connect },
    { WSAID_DISCONNECTEX, connection_disconnect },
    { WSAID_TRANSMITFILE, transmit_file },
    { WSAID_TRANSMITPACKETS, transmit_packets },
    { WSAID_WSAPOLL, WSAPoll },
};

void *extensions_find( const GUID *guid )
{
    for (unsigned int i = 0; i < ARRAYSIZE( extensions ); i++)
        if (!memcmp( &extensions[i].guid, guid, sizeof(*guid) )) return extensions[i].function;
    return NULL;
}
