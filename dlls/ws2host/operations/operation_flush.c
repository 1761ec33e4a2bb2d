/* The end of the process: the rests of sends go out first. The only thread that is left. */
#include <time.h>
#include "base/io_loop.h"
#include "operations/operation_private.h"
#include "operations/port.h"

NTSTATUS unix_operation_flush( void *args )
{
    struct ws2_operation_flush_params *params = args;
    const struct timespec nap = { 0, 1000000 };

    params->error = 0;
    for ( uint32_t waited = 0; atomic_load( &operation_background_sends ) && waited < params->timeout; waited++ )
    {
        const int count = io_loop_poll( IO_OPERATIONS );

        port_serve_all();
        if ( !count ) nanosleep( &nap, NULL );
    }
    return 0;
}
