/*
 * ioctlsocket and WSAIoctl. The host half carries the codes out (dlls/ws2host/options/ioctl.c); function pointers are answered
 * here, and so is what an OVERLAPPED changes.
 *
 * Windows has two families of codes. Those handled in the DLL answer at once, with or without an OVERLAPPED, and a
 * success given with one is also reported as a completion of size 0. Those sent to the driver always pend when there is
 * an OVERLAPPED, and both outcome and size come with the completion.
 */
#include "base/ws2_32_private.h"
#include <winternl.h>
#include <mswsock.h>
#include <mstcpip.h>
#include "sockets/extensions.h"
#include "overlapped/overlapped.h"
#include "ws2host/registered_io.h"

static BOOL gets_functions( DWORD code )
{
    return code == SIO_GET_EXTENSION_FUNCTION_POINTER || code == SIO_GET_MULTIPLE_EXTENSION_FUNCTION_POINTER;
}

static BOOL handled_in_dll( DWORD code )
{
    return code == (DWORD)FIONBIO || gets_functions( code ) || code == SIO_ROUTING_INTERFACE_QUERY ||
           code == SIO_ADDRESS_LIST_QUERY || code == (DWORD)FIONREAD || code == (DWORD)SIOCATMARK ||
           code == (DWORD)SIO_KEEPALIVE_VALS;
}

static int get_functions( struct ws2_ioctl_params *params )
{
    struct ws2_socket_state_params state = { .handle = params->handle };
    DWORD size = sizeof( void * );
    const void *functions;
    void *function;
    GUID guid;
    int error;

    if ( ( error = ws2_call( socket_state, &state ) ) ) return error;
    if ( !params->has_count || params->in_size < sizeof( guid ) || params->out_size < size ) return WSAEFAULT;
    if ( ( error = ws2_read( &guid, (void *)(UINT_PTR)params->in, sizeof( guid ) ) ) ) return error;
    if ( params->code == SIO_GET_EXTENSION_FUNCTION_POINTER )
        functions = ( function = extensions_find( &guid ) ) ? &function : NULL;
    else functions = extensions_find_table( &guid, &size );
    if ( !functions ) return WSAEINVAL;
    if ( params->out_size < size ) return WSAEFAULT;
    if ( ( error = ws2_write( (void *)(UINT_PTR)params->out, functions, size ) ) ) return error;
    params->count = size;
    params->store_count = 1;
    return 0;
}

static int ioctl_run( struct ws2_ioctl_params *params )
{
    int error = gets_functions( params->code ) ? get_functions( params ) : ws2_call( ioctl, params );

    if ( params->need_io_thread && !ws2_start_io_thread() ) return WSAENOBUFS;
    return error;
}

/* --- completions ------------------------------------------------------------------------------------------------------*/

/* What the driver's statuses are, of the errors that a code of its can end with. */
static NTSTATUS status_of( int error )
{
    switch ( error )
    {
    case 0: return 0;
    case WSAEFAULT: return 0xc0000023;     /* STATUS_BUFFER_TOO_SMALL */
    case WSAEOPNOTSUPP: return 0xc00000bb; /* STATUS_NOT_SUPPORTED */
    case WSAENOTCONN: return 0xc0000140;   /* STATUS_INVALID_CONNECTION */
    case WSAEACCES: return 0xc0000022;     /* STATUS_ACCESS_DENIED */
    default: return 0xc000000d;            /* STATUS_INVALID_PARAMETER */
    }
}

static int run_overlapped( struct ws2_ioctl_params *params, OVERLAPPED *overlapped,
                           LPWSAOVERLAPPED_COMPLETION_ROUTINE routine )
{
    int error;

    if ( handled_in_dll( params->code ) )
    {
        /* this one has been made a request by the time it is looked at, and its size is told by the request alone */
        const BOOL request = params->code == (DWORD)SIO_KEEPALIVE_VALS && params->has_count;

        if ( request && ( error = overlapped_pending( overlapped ) ) ) return error;
        error = ioctl_run( params );
        if ( request && ( error || !routine ) ) params->store_count = 0;
        return error ? error : overlapped_complete( (SOCKET)params->handle, overlapped, routine, 0, 0 );
    }
    if ( params->code == SIO_ADDRESS_LIST_CHANGE || params->code == SIO_ROUTING_INTERFACE_CHANGE )
        return params->has_count ? overlapped_wait_for_change( (SOCKET)params->handle, overlapped, routine,
                                                               params->code == SIO_ROUTING_INTERFACE_CHANGE )
                                 : WSAEFAULT;
    /* the driver does not know the handle that this asks for */
    if ( params->code == SIO_BASE_HANDLE ) params->out = 0;
    error = ioctl_run( params );
    if ( error == WSAENOTSOCK || !params->has_count ) return error;
    if ( params->code == SIO_BASE_HANDLE ) error = WSAEOPNOTSUPP;
    params->store_count = 0;
    error = overlapped_complete( (SOCKET)params->handle, overlapped, routine, status_of( error ),
                                 error ? 0 : params->count );
    return error ? error : WSA_IO_PENDING;
}

/***********************************************************************
 *      WSAIoctl   (WS2_32.@)
 */
int WINAPI WSAIoctl( SOCKET s, DWORD code, LPVOID in, DWORD in_size, LPVOID out, DWORD out_size, LPDWORD returned,
                     LPWSAOVERLAPPED overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine )
{
    struct ws2_ioctl_params params = { .code = code,
                                       .handle = s,
                                       .in = ws2_pointer( in ),
                                       .in_size = in_size,
                                       .out = ws2_pointer( out ),
                                       .out_size = out_size,
                                       .width = sizeof( void * ),
                                       .has_count = returned != NULL,
                                       .change_fd = -1 };
    int error;

    WS2_REQUIRE_STARTUP( SOCKET_ERROR );
    error = overlapped ? run_overlapped( &params, overlapped, routine ) : ioctl_run( &params );
    if ( params.store_count && ws2_write( returned, &params.count, sizeof( *returned ) ) ) error = WSAEFAULT;
    return WS2_RESULT_OF( error, "s=%#zx, code=%#lx, in=%p+%lu, out=%p+%lu, returned=%p, overlapped=%p, routine=%p", s,
                          code, in, in_size, out, out_size, returned, overlapped, routine );
}

/***********************************************************************
 *      ioctlsocket   (WS2_32.10)
 */
int WINAPI ioctlsocket( SOCKET s, LONG code, u_long *value )
{
    struct ws2_ioctl_params params = { .code = code,
                                       .handle = s,
                                       .in = ws2_pointer( value ),
                                       .out = ws2_pointer( value ),
                                       .in_size = sizeof( *value ),
                                       .out_size = sizeof( *value ),
                                       .width = sizeof( void * ),
                                       .has_count = 1,
                                       .change_fd = -1 };
    int error;

    WS2_REQUIRE_STARTUP( SOCKET_ERROR );
    error = ioctl_run( &params );
    return WS2_RESULT_OF( error, "s=%#zx, code=%#lx, value=%p", s, code, value );
}
