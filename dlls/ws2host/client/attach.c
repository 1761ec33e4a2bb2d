/* A process attaches: the connection gets the parts that are built on it. */
#include "client/client_private.h"

static void parts_follow( const struct ws2_request *request, const struct ws2_reply *reply, int fd )
{
    helper_sets_follow( request, reply, fd );
    tickets_follow( request, reply, fd );
}

static void parts_publish( void )
{
    tickets_publish();
    helper_sets_publish();
}

int32_t connection_attach( uint32_t windows_pid )
{
    static const struct connection_parts parts = {
        .share_begins = server_monitor_start,
        .wake = server_monitor_wake,
        .wake_soon = server_monitor_wake_soon,
        .must_tell = tickets_must_tell,
        .prepare = tickets_prepare,
        .follow = parts_follow,
        .publish = parts_publish,
    };

    exchange_ahead_consume = tickets_ahead_consume;
    return connection_open( &parts, windows_pid );
}
