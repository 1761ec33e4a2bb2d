/*
 * The I/O thread, one a process and made on first need (ws2_start_io_thread). It sleeps in the host half, which also performs
 * what is ready there, and does here what only a Windows thread can: set event objects, post messages, queue APCs and
 * packets. It serves all floors, so it stands on the top one.
 */
#include "base/ws2_32_private.h"
#include "start/io_thread.h"
#include "overlapped/completion.h"
#include "sockets/served_events.h"
#include "sockets/notifications.h"

void io_thread( void *unused )
{
    static struct ws2_io_wait_params params; /* this thread's alone */

    (void)unused;
    for ( ;; )
    {
        if ( ws2host_call( ws2_call_io_wait, &params ) ) return;
        served_event_act( params.actions, params.count );
        if ( params.completions ) completion_deliver();
        if ( params.outstanding ) notifications_look();
        else if ( params.notifications ) notifications_deliver();
    }
}
