/* Functions by GUID, one at a time and as a table. Constant. */
#include "base/ws2_32_private.h"
#include <mswsock.h>
#include "overlapped/connection_ex.h"
#include "sockets/extensions.h"
#include "sockets/message.h"
#include "registered/registered.h"

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
    for ( unsigned int i = 0; i < ARRAYSIZE( extensions ); i++ )
        if ( !memcmp( &extensions[i].guid, guid, sizeof( *guid ) ) ) return extensions[i].function;
    return NULL;
}

static const GUID registered_io_guid = WSAID_MULTIPLE_RIO;
static const RIO_EXTENSION_FUNCTION_TABLE registered_io = {
    .cbSize = sizeof( registered_io ),
    .RIOReceive = registered_receive,
    .RIOReceiveEx = registered_receive_ex,
    .RIOSend = registered_send,
    .RIOSendEx = registered_send_ex,
    .RIOCloseCompletionQueue = registered_close_completions,
    .RIOCreateCompletionQueue = registered_create_completions,
    .RIOCreateRequestQueue = registered_create_requests,
    .RIODequeueCompletion = registered_dequeue,
    .RIODeregisterBuffer = registered_deregister_buffer,
    .RIONotify = registered_notify,
    .RIORegisterBuffer = registered_register_buffer,
    .RIOResizeCompletionQueue = registered_resize_completions,
    .RIOResizeRequestQueue = registered_resize_requests,
};

const void *extensions_find_table( const GUID *guid, DWORD *size )
{
    if ( memcmp( guid, &registered_io_guid, sizeof( *guid ) ) ) return NULL;
    *size = sizeof( registered_io );
    return &registered_io;
}
