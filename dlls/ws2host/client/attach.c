/* A process attaches: the connection gets the parts that are built on it. */
#include "client/client_private.h"

int32_t connection_attach( uint32_t windows_pid )
{
    static const struct connection_parts parts = {
        .share_begins = server_monitor_start,
        .established = server_monitor_wake,
        .prepare = tickets_prepare,
        .follow = tickets_follow,
        .publish = tickets_publish,
    };

    return connection_open( &parts, windows_pid );
}
