/* AcceptEx, GetAcceptExSockaddrs, ConnectEx, DisconnectEx. Their checks and queues are the host half's. */
#include "overlapped/completion.h"
#include "base/status.h"
#include "overlapped/connection_ex.h"
#include "base/upcalls.h"
#include "base/local_addresses.h"

/* Starts what is told of through an OVERLAPPED. */
static int connection_start( unsigned int code, struct ws2_operation *operation, OVERLAPPED *overlapped )
{
    struct overlapped_request request;
    NTSTATUS status;
    int error;

    if ( ( error = completion_request( &request, overlapped, NULL ) ) ) return error;
    status = completion_start( code, operation, &request, completion_how( (SOCKET)operation->handle ), 0 );
    if ( status == STATUS_PENDING ) return WSA_IO_PENDING;
    return operation->error ? operation->error : status_to_error( status );
}

static int accept_ex( SOCKET listener, SOCKET acceptor, void *buffer, DWORD receive_size, DWORD local_size,
                      DWORD remote_size, OVERLAPPED *overlapped )
{
    struct ws2_operation_accept_params params = { .operation = { .handle = listener },
                                                  .acceptor = acceptor,
                                                  .buffer = ws2_pointer( buffer ),
                                                  .receive_size = receive_size,
                                                  .local_size = local_size,
                                                  .remote_size = remote_size };
    struct ws2_socket_info_params info = { .handle = acceptor };

    if ( !overlapped ) return ERROR_INVALID_PARAMETER;
    ws2_call( socket_info, &info ); /* makes a socket of a handle that was inherited; the call itself looks at it */
    ws2_upcalls.adopt_copies( acceptor );
    return connection_start( ws2_call_operation_accept, &params.operation, overlapped );
}

/* AcceptEx */
BOOL WINAPI connection_accept( SOCKET listener, SOCKET acceptor, void *buffer, DWORD receive_size, DWORD local_size,
                               DWORD remote_size, DWORD *received, OVERLAPPED *overlapped )
{
    int error;

    WS2_REQUIRE_STARTUP( FALSE );
    error = accept_ex( listener, acceptor, buffer, receive_size, local_size, remote_size, overlapped );
    return WS2_RESULT_AS( "AcceptEx", !error, error,
                          "listener=%#zx, acceptor=%#zx, buffer=%p, sizes=%lu %lu %lu, received=%p, overlapped=%p",
                          listener, acceptor, buffer, receive_size, local_size, remote_size, (void *)received,
                          (void *)overlapped );
}

/* GetAcceptExSockaddrs: each slot begins with the length of the address. */
void WINAPI connection_addresses( void *buffer, DWORD receive_size, DWORD local_size, DWORD remote_size,
                                  struct sockaddr **local, int *local_length, struct sockaddr **remote,
                                  int *remote_length )
{
    char *slot = (char *)buffer + receive_size;

    (void)remote_size;
    if ( local_size )
    {
        *local_length = *(int *)slot;
        *local = (struct sockaddr *)( slot + sizeof( int ) );
    }
    slot += local_size;
    *remote_length = *(int *)slot;
    *remote = (struct sockaddr *)( slot + sizeof( int ) );
}

static int connect_ex( SOCKET s, const struct sockaddr *name, int size, void *data, DWORD data_size,
                       OVERLAPPED *overlapped )
{
    struct ws2_local_address local;
    int error = local_address_to_host( s, &name, &size, &local );
    struct ws2_operation_connect_params params = { .operation = { .handle = s },
                                                   .address = ws2_pointer( name ),
                                                   .address_size = size < 0 ? 0 : size,
                                                   .data = ws2_pointer( data ),
                                                   .data_size = data_size };
    struct ws2_socket_info_params info = { .handle = s };

    if ( error ) return error;
    if ( !overlapped )
    {
        /* this is looked at last */
        if ( ( error = ws2_call( socket_info, &info ) ) ) return error;
        return ERROR_INVALID_PARAMETER;
    }
    return connection_start( ws2_call_operation_connect, &params.operation, overlapped );
}

/* ConnectEx */
BOOL WINAPI connection_connect( SOCKET s, const struct sockaddr *name, int size, void *data, DWORD data_size,
                                DWORD *sent, OVERLAPPED *overlapped )
{
    int error;

    WS2_REQUIRE_STARTUP( FALSE );
    error = connect_ex( s, name, size, data, data_size, overlapped );
    return WS2_RESULT_AS( "ConnectEx", !error, error, "s=%#zx, name=%s, data=%p+%lu, sent=%p, overlapped=%p", s,
                          trace_address( name, size ), data, data_size, (void *)sent, (void *)overlapped );
}

static int disconnect_ex( SOCKET s, OVERLAPPED *overlapped, DWORD flags )
{
    struct ws2_operation_disconnect_params params = { .operation = { .handle = s },
                                                      .reuse = ( flags & TF_REUSE_SOCKET ) != 0 };
    IO_STATUS_BLOCK iosb;
    const struct overlapped_request request = { .iosb = &iosb };

    if ( flags & ~(DWORD)TF_REUSE_SOCKET ) return WSAEINVAL;
    if ( flags ) ws2_upcalls.adopt_copies( s );
    if ( overlapped ) return connection_start( ws2_call_operation_disconnect, &params.operation, overlapped );
    return status_to_error(
        completion_start( ws2_call_operation_disconnect, &params.operation, &request, OVERLAPPED_WAIT, 0 ) );
}

/* DisconnectEx */
BOOL WINAPI connection_disconnect( SOCKET s, OVERLAPPED *overlapped, DWORD flags, DWORD reserved )
{
    int error;

    WS2_REQUIRE_STARTUP( FALSE );
    error = reserved ? WSAEINVAL : disconnect_ex( s, overlapped, flags );
    return WS2_RESULT_AS( "DisconnectEx", !error, error, "s=%#zx, overlapped=%p, flags=%#lx", s, (void *)overlapped,
                          flags );
}
