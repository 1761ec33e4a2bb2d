/* select, WSAPoll, and the function behind FD_ISSET. */
#include "base/ws2_32_private.h"
#include "base/header_types.h"

/***********************************************************************
 *      select   (WS2_32.18)
 */
int WINAPI select( int ignored, fd_set *read, fd_set *write, fd_set *except, timeval_argument timeout )
{
    struct ws2_select_params params = { .read = ws2_pointer( read ),
                                        .write = ws2_pointer( write ),
                                        .except = ws2_pointer( except ),
                                        .timeval = ws2_pointer( timeout ),
                                        .timeout = WS2_TIMEOUT_UNREAD };
    int error;

    WS2_REQUIRE_STARTUP( SOCKET_ERROR );
    error = ws2_call( select, &params );
    return WS2_RESULT( error ? SOCKET_ERROR : (int)params.ready, error, "%d, read=%p, write=%p, except=%p, timeout=%p",
                       ignored, (void *)read, (void *)write, (void *)except, (void *)timeout );
}

/***********************************************************************
 *      WSAPoll   (WS2_32.@)
 */
int WINAPI WSAPoll( WSAPOLLFD *fds, ULONG count, int timeout )
{
    struct ws2_poll_params params = { .fds = ws2_pointer( fds ), .count = count, .timeout = timeout };
    int32_t status = 0;
    int error;

    WS2_REQUIRE_STARTUP( SOCKET_ERROR );
    if ( !count ) error = WSAEINVAL;
    else if ( !fds ) error = WSAEFAULT;
    else
    {
        /* unlike elsewhere, a handle that is no socket is an answer: POLLNVAL */
        while ( ( status = ws2host_call( ws2_call_poll, &params ) ) == WS2_STATUS_ALERT || status == WS2_STATUS_ADOPT )
        {
            if ( status == WS2_STATUS_ALERT ) ws2_alert();
            else ws2_adopt( params.unknown );
        }
        error = status ? WSAEFAULT : params.error;
    }
    return WS2_RESULT( error ? SOCKET_ERROR : (int)params.ready, error, "fds=%p, count=%lu, timeout=%d", (void *)fds,
                       count, timeout );
}

/***********************************************************************
 *      __WSAFDIsSet   (WS2_32.151)
 */
int WINAPI __WSAFDIsSet( SOCKET s, fd_set *set )
{
    for ( u_int i = 0; i < set->fd_count; i++ )
        if ( set->fd_array[i] == s ) return TRUE;
    return FALSE;
}
