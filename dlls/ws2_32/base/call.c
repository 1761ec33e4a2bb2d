/*
 * Calls of the host half, and the program's memory.
 *
 * A call that waits comes back from time to time so that user APCs run here, and one on a handle that the process has not
 * seen comes back for the handle to be adopted; both are called again with the same parameters.
 */
#include "base/ws2_32_private.h"
#include "base/blocking.h"

LONG ws2_started;
WORD ws2_version;

NTSTATUS NTAPI NtTestAlert( void );

void ws2_alert( void )
{
    struct ws2_thread_params params = { .thread = GetCurrentThreadId() };

    /* in this order: what is queued from now on wakes the wait that follows */
    ws2host_call( ws2_call_wait_thread, &params );
    NtTestAlert();
}

int ws2_call_( unsigned int code, void *params )
{
    BOOL waits = FALSE;
    int32_t status;

    if ( blocking_turns && blocking_inside() ) return WSAEINPROGRESS;
    while ( ( status = ws2host_call( code, params ) ) )
    {
        switch ( status )
        {
        case WS2_STATUS_ALERT:
            if ( ws2_tracing && !waits ) trace_waits( code, params );
            waits = TRUE;
            ws2_alert();
            if ( blocking_hooks ) blocking_turn();
            break;
        case WS2_STATUS_ADOPT:
            if ( !ws2_adopt( ( (struct ws2_handle_params *)params )->handle ) ) return WSAENOTSOCK;
            break;
        case WS2_STATUS_CLOSED: return WSAENOTSOCK;
        default: return WSAEFAULT;
        }
    }
    return blocking_hooks ? blocking_error( *(int32_t *)params ) : *(int32_t *)params;
}

void ws2_close_fd( int fd )
{
    struct ws2_fd_params params = { .fd = fd };

    if ( fd >= 0 ) ws2host_call( ws2_call_fd_close, &params );
}

static int copy_memory( const void *target, const void *source, size_t size )
{
    struct ws2_copy_params params = { 0, size, ws2_pointer( target ), ws2_pointer( source ) };

    return ws2_call( copy, &params );
}

int ws2_read( void *target, const void *user, size_t size ) { return copy_memory( target, user, size ); }
int ws2_write( void *user, const void *source, size_t size ) { return copy_memory( user, source, size ); }

void ws2_results_begin( struct ws2_operation_results_params *results ) { results->count = results->done = 0; }

void ws2_results_add( struct ws2_operation_results_params *results, UINT64 user, UINT64 source, UINT64 size )
{
    const UINT32 i = results->count++;

    results->results[i].target = user;
    results->results[i].source = source;
    results->results[i].size = size;
}

BOOL ws2_results_write( struct ws2_operation_results_params *results )
{
    return !ws2host_call( ws2_call_operation_results, results );
}
