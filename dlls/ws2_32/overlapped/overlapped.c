/* Overlapped receives and sends, and their results. */
#include "overlapped/completion.h"
#include "base/status.h"

LONG NTAPI RtlWaitOnAddress( const void *address, const void *compare, SIZE_T size, const LARGE_INTEGER *timeout );

static NTSTATUS overlapped_transfer( unsigned int code, HANDLE s, const struct overlapped_request *request,
                                     const WSABUF *buffers, DWORD count, DWORD flags, enum overlapped_how how )
{
    struct ws2_operation_transfer_params params = {
        .operation = { .handle = ws2_pointer( s ) }, .buffers = ws2_pointer( buffers ), .count = count, .flags = flags
    };

    return completion_start( code, &params.operation, request, how, 0 );
}

NTSTATUS overlapped_start_receive( HANDLE s, const struct overlapped_request *request, const WSABUF *buffers,
                                   DWORD count, DWORD flags, enum overlapped_how how )
{
    return overlapped_transfer( ws2_call_operation_receive, s, request, buffers, count, flags, how );
}

NTSTATUS overlapped_start_send( HANDLE s, const struct overlapped_request *request, const WSABUF *buffers, DWORD count,
                                DWORD flags, enum overlapped_how how )
{
    return overlapped_transfer( ws2_call_operation_send, s, request, buffers, count, flags, how );
}

static int bad_flags( SOCKET s )
{
    struct ws2_socket_info_params info = { .handle = s };
    const int error = ws2_call( socket_info, &info );

    return error ? error : WSAEFAULT;
}

/* Winsock's functions: the number of bytes and the flags are written when it ended at once. */
static int winsock_transfer( unsigned int code, struct ws2_operation_transfer_params *params, DWORD *done, DWORD *flags,
                             OVERLAPPED *overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine )
{
    const UINT32 options = code == ws2_call_operation_receive && !params->message ? TARGET_STORE_FLAGS : 0;
    struct overlapped_request request = { 0 };
    NTSTATUS status = 0;
    DWORD size;
    int error = WS2_ERROR_EVENT;

    if ( !routine )
    {
        params->flags_user = ws2_pointer( flags );
        params->done_user = ws2_pointer( done );
        status = completion_start_block( code, &params->operation, overlapped, options, &error );
        if ( params->operation.ended ) return error;
        request.apc_context = (void *)(UINT_PTR)params->operation.target.apc_context;
        params->flags_user = params->done_user = 0;
    }
    if ( error == WS2_ERROR_EVENT )
    {
        if ( flags && ws2_read( &params->flags, flags, sizeof( params->flags ) ) )
            return bad_flags( params->operation.handle );
        if ( ( error = completion_request( &request, overlapped, routine ) ) ) return error;
        status = completion_start( code, &params->operation, &request, OVERLAPPED_NORMAL, options );
    }
    if ( status == STATUS_PENDING ) return WSA_IO_PENDING;
    /* a warning (what came was cut short) is told once: not here when a routine or a packet tells of it */
    if ( (ULONG)status >> 30 == 2 &&
         ( request.apc || ( request.apc_context && params->operation.port.handle &&
                            !( params->operation.port.modes & FILE_SKIP_COMPLETION_PORT_ON_SUCCESS ) ) ) )
        return WSA_IO_PENDING;
    if ( (ULONG)status >> 30 == 3 ) /* errors that no status stands for come back as they were */
        return params->operation.error ? params->operation.error : status_to_error( status );
    size = (DWORD)params->operation.information;
    if ( done && ws2_write( done, &size, sizeof( size ) ) ) return WSAEFAULT;
    if ( flags && ws2_write( flags, &params->operation.flags, sizeof( *flags ) ) ) return WSAEFAULT;
    return status_to_error( status );
}

int overlapped_send( SOCKET s, WSABUF *buffers, DWORD count, DWORD *sent, DWORD flags, const struct sockaddr *to,
                     int to_size, OVERLAPPED *overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine )
{
    struct ws2_operation_transfer_params params = { .operation = { .handle = s },
                                                    .buffers = ws2_pointer( buffers ),
                                                    .count = count,
                                                    .flags = flags,
                                                    .address = to_size > 0 ? ws2_pointer( to ) : 0,
                                                    .size = to_size };

    return winsock_transfer( ws2_call_operation_send, &params, sent, NULL, overlapped, routine );
}

int overlapped_receive( SOCKET s, WSABUF *buffers, DWORD count, DWORD *received, DWORD *flags, struct sockaddr *from,
                        int *from_size, OVERLAPPED *overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine )
{
    struct ws2_operation_transfer_params params = { .operation = { .handle = s },
                                                    .buffers = ws2_pointer( buffers ),
                                                    .count = count,
                                                    .address = ws2_pointer( from ),
                                                    .size_pointer = ws2_pointer( from_size ) };

    if ( !flags ) return bad_flags( s );
    return winsock_transfer( ws2_call_operation_receive, &params, received, flags, overlapped, routine );
}

int overlapped_send_message( SOCKET s, const WSAMSG *message, DWORD *sent, DWORD flags, OVERLAPPED *overlapped,
                             LPWSAOVERLAPPED_COMPLETION_ROUTINE routine )
{
    struct ws2_operation_transfer_params params = { .operation = { .handle = s },
                                                    .message = ws2_pointer( message ),
                                                    .flags = flags };

    return winsock_transfer( ws2_call_operation_send, &params, sent, NULL, overlapped, routine );
}

int overlapped_receive_message( SOCKET s, WSAMSG *message, DWORD *received, DWORD flags, OVERLAPPED *overlapped,
                                LPWSAOVERLAPPED_COMPLETION_ROUTINE routine )
{
    struct ws2_operation_transfer_params params = { .operation = { .handle = s },
                                                    .message = ws2_pointer( message ),
                                                    .flags = flags };

    return winsock_transfer( ws2_call_operation_receive, &params, received, NULL, overlapped, routine );
}

static int get_result( SOCKET s, OVERLAPPED *overlapped, DWORD *size, BOOL wait, DWORD *flags, BOOL *done )
{
    struct ws2_port_params known = { .handle = s, .wait = wait };
    OVERLAPPED copy;
    NTSTATUS status;
    HANDLE event;

    *done = FALSE;
    /* a handle that no Winsock call has made a socket is none here */
    if ( ws2host_call( ws2_call_port_query, &known ) ) return WSAENOTSOCK;
    if ( ws2_read( &copy, overlapped, sizeof( copy ) ) ) return WSAEFAULT;
    if ( (NTSTATUS)copy.Internal == STATUS_PENDING )
    {
        if ( !wait ) return WSA_IO_INCOMPLETE;
        event = (HANDLE)( (ULONG_PTR)copy.hEvent & ~(ULONG_PTR)1 );
        if ( event )
        {
            if ( WaitForSingleObject( event, INFINITE ) == WAIT_FAILED ) return GetLastError();
        }
        else
        {
            const NTSTATUS pending = STATUS_PENDING;

            InterlockedIncrement( &completion_waiters );
            while ( *(volatile NTSTATUS *)&overlapped->Internal == STATUS_PENDING )
                RtlWaitOnAddress( &overlapped->Internal, &pending, sizeof( pending ), NULL );
            InterlockedDecrement( &completion_waiters );
        }
        if ( ws2_read( &copy, overlapped, sizeof( copy ) ) ) return WSAEFAULT;
    }
    status = (NTSTATUS)copy.Internal;
    if ( ws2_write( size, &( DWORD ){ (DWORD)copy.InternalHigh }, sizeof( *size ) ) ) return WSAEFAULT;
    *done = status >= 0;
    /* a failure leaves the flags as they were */
    if ( *done && flags && ws2_write( flags, &copy.Offset, sizeof( *flags ) ) )
    {
        *done = FALSE;
        return WSAEFAULT;
    }
    return status >= 0 ? (int)RtlNtStatusToDosError( status ) : status_to_error( status );
}

/***********************************************************************
 *      WSAGetOverlappedResult   (WS2_32.@)
 */
BOOL WINAPI WSAGetOverlappedResult( SOCKET s, LPWSAOVERLAPPED overlapped, LPDWORD size, BOOL wait, LPDWORD flags )
{
    BOOL done;
    int error;

    WS2_REQUIRE_STARTUP( FALSE );
    error = get_result( s, overlapped, size, wait, flags, &done );
    return WS2_RESULT( done, error, "s=%#zx, overlapped=%p, size=%p, wait=%d, flags=%p", s, (void *)overlapped,
                       (void *)size, wait, (void *)flags );
}
