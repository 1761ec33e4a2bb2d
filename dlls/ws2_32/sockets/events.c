/*
 * Network events: WSAEventSelect, WSAAsyncSelect, and event objects.
 *
 * What is registered and recorded belongs to the socket and stands in the shared table. What happens later the I/O thread
 * tells the program of; what is due already is told of here.
 */
#include "ntdll/event_objects.h"
#include "sockets/events.h"
#include "sockets/event_tell.h"
#include "sockets/served_events.h"

static int select_events( SOCKET s, const void *target, UINT32 message, LONG mask )
{
    struct ws2_event_select_params params = {
        .handle = s, .target = ws2_pointer( target ), .message = message, .mask = mask
    };
    int error;

    if ( ( error = ws2_call( event_select, &params ) ) ) return error;
    if ( params.need_io_thread && !ws2_start_io_thread() ) return WSAENOBUFS;
    if ( params.due && target ) events_tell( params.target, message, s, params.due, params.codes );
    if ( mask && !message ) served_event_begin( (HANDLE)(UINT_PTR)params.target );
    return 0;
}

int events_select( SOCKET s, HANDLE event, LONG mask ) { return select_events( s, event, 0, mask ); }

/***********************************************************************
 *      WSAEventSelect   (WS2_32.@)
 */
int WINAPI WSAEventSelect( SOCKET s, WSAEVENT event, LONG mask )
{
    int error;

    WS2_REQUIRE_STARTUP( SOCKET_ERROR );
    error = mask && !event ? WSAEINVAL : select_events( s, event, 0, mask );
    return WS2_RESULT_OF( error, "s=%#zx, event=%p, mask=%s", s, event, trace_event_mask( mask ) );
}

/***********************************************************************
 *      WSAAsyncSelect   (WS2_32.101)
 */
int WINAPI WSAAsyncSelect( SOCKET s, HWND window, u_int message, LONG mask )
{
    int error;

    WS2_REQUIRE_STARTUP( SOCKET_ERROR );
    error = mask && ( !message || !events_is_window( window ) ) ? WSAEINVAL : select_events( s, window, message, mask );
    return WS2_RESULT_OF( error, "s=%#zx, window=%p, message=%#x, mask=%s", s, (void *)window, message,
                          trace_event_mask( mask ) );
}

void events_closing( SOCKET s )
{
    static const int32_t none[FD_MAX_EVENTS];
    struct ws2_event_closing_params params = { .handle = s };

    if ( !ws2_call( event_closing, &params ) && params.message )
        events_tell( params.target, params.message, s, FD_CLOSE, none );
}

void events_inherit( SOCKET listener, SOCKET accepted )
{
    struct ws2_event_inherit_params params = { .handle = accepted, .listener = listener };

    if ( !ws2_call( event_inherit, &params ) && params.due )
        events_tell( params.target, params.message, accepted, params.due, params.codes );
}

int events_take( SOCKET s, LONG *events, int codes[FD_MAX_EVENTS] )
{
    struct ws2_event_enum_params params = { .handle = s };
    int error = ws2_call( event_enum, &params );

    *events = params.events;
    for ( unsigned int i = 0; i < FD_MAX_EVENTS; i++ ) codes[i] = params.codes[i];
    return error;
}

static int enum_events( SOCKET s, WSAEVENT event, WSANETWORKEVENTS *events )
{
    struct ws2_socket_info_params info = { .handle = s };
    int error, codes[FD_MAX_EVENTS];
    WSANETWORKEVENTS result;

    /* the record is cleared by reading it: look at the pointer first */
    if ( ( error = ws2_call( socket_info, &info ) ) ) return error;
    if ( ws2_read( &result, events, sizeof( result ) ) || ws2_write( events, &result, sizeof( result ) ) )
        return WSAEFAULT;
    if ( event ) event_reset( event );
    if ( ( error = events_take( s, &result.lNetworkEvents, codes ) ) ) return error;
    /* the codes of other events stay as they are */
    for ( unsigned int i = 0; i < FD_MAX_EVENTS; i++ )
        if ( result.lNetworkEvents & 1l << i ) result.iErrorCode[i] = codes[i];
    return ws2_write( events, &result, sizeof( result ) );
}

/***********************************************************************
 *      WSAEnumNetworkEvents   (WS2_32.@)
 */
int WINAPI WSAEnumNetworkEvents( SOCKET s, WSAEVENT event, LPWSANETWORKEVENTS events )
{
    int error;

    WS2_REQUIRE_STARTUP( SOCKET_ERROR );
    error = enum_events( s, event, events );
    return WS2_RESULT_OF( error, "s=%#zx, event=%p, events=%s", s, event,
                          trace_event_mask( error ? 0 : events->lNetworkEvents ) );
}

/***********************************************************************
 *      WSACreateEvent   (WS2_32.@)
 */
WSAEVENT WINAPI WSACreateEvent( void ) { return CreateEventW( NULL, TRUE, FALSE, NULL ); }

/***********************************************************************
 *      WSACloseEvent   (WS2_32.@)
 */
BOOL WINAPI WSACloseEvent( WSAEVENT event )
{
    BOOL done = CloseHandle( event );

    return WS2_RESULT( done, done ? 0 : WSA_INVALID_HANDLE, "event=%p", event );
}

/***********************************************************************
 *      WSASetEvent   (WS2_32.@)
 */
BOOL WINAPI WSASetEvent( WSAEVENT event )
{
    BOOL done = SetEvent( event );

    return WS2_RESULT( done, done ? 0 : WSA_INVALID_HANDLE, "event=%p", event );
}

/***********************************************************************
 *      WSAResetEvent   (WS2_32.@)
 */
BOOL WINAPI WSAResetEvent( WSAEVENT event )
{
    BOOL done = ResetEvent( event );

    return WS2_RESULT( done, done ? 0 : WSA_INVALID_HANDLE, "event=%p", event );
}

/***********************************************************************
 *      WSAWaitForMultipleEvents   (WS2_32.@)
 */
DWORD WINAPI WSAWaitForMultipleEvents( DWORD count, const WSAEVENT *events, BOOL all, DWORD timeout, BOOL alertable )
{
    return WaitForMultipleObjectsEx( count, events, all, timeout, alertable );
}
