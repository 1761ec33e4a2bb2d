/*
 * \Device\Afd: the control codes by which wepoll, mio, libuv and others reach sockets past Winsock.
 *
 * Each code has a row in the table at the end. What it asks for is Winsock's own work, told of in NT's terms: a request
 * that has ended goes through overlapped_finish (iosb, event, APC, packet); an error status that is returned at once
 * leaves the iosb alone, unless a row says otherwise.
 */
#include "base/ws2_32_private.h"
#include "sockets/events.h"
#include "base/status.h"
#include "hooks/afd.h"
#include "overlapped/completion.h"
#include "ntdll/hooks.h"
#include "sockets/served_events.h"
#include "base/local_addresses.h"
#include "base/nt_codes.h"
#include "ws2host/table.h"

struct afd_call
{
    SOCKET s;
    const struct overlapped_request *request;
    void *in;
    ULONG in_size;
    void *out;
    ULONG out_size;
};

static NTSTATUS afd_finish( const struct afd_call *call, NTSTATUS status, ULONG_PTR information )
{
    overlapped_finish( (HANDLE)call->s, call->request, status, information );
    return status;
}

/* The first size bytes of the input. */
static NTSTATUS read_input( const struct afd_call *call, void *target, ULONG size )
{
    if ( !call->in || call->in_size < size ) return STATUS_INVALID_PARAMETER;
    return ws2_read( target, call->in, size ) ? STATUS_ACCESS_VIOLATION : 0;
}

/* --- binding ----------------------------------------------------------------------------------------------------------*/

static NTSTATUS write_name( const struct afd_call *call, int length )
{
    SOCKADDR_STORAGE name = { 0 };
    int capacity = sizeof( name );
    struct ws2_address_params params = { .handle = call->s,
                                         .address = ws2_pointer( &name ),
                                         .size = sizeof( name ),
                                         .size_pointer = ws2_pointer( &capacity ),
                                         .by_code = 1 };

    if ( ws2_call( getsockname, &params ) ) return STATUS_INVALID_PARAMETER;
    return ws2_write( call->out, &name, length ) ? STATUS_ACCESS_VIOLATION : 0;
}

static NTSTATUS serve_bind( const struct afd_call *call )
{
    struct ws2_socket_info_params info = { .handle = call->s };
    char input[4 + sizeof( SOCKADDR_STORAGE )] = { 0 }; /* a number that is not known, the address */
    const struct sockaddr *address = (const struct sockaddr *)( input + 4 );
    struct ws2_local_address local;
    ULONG size = call->in_size < sizeof( input ) ? call->in_size : sizeof( input );
    struct ws2_address_params params = { .handle = call->s, .by_code = 1 };
    NTSTATUS status;
    int length, host_length, error;

    if ( call->in_size < 4 + sizeof( address->sa_family ) ) return STATUS_INVALID_PARAMETER;
    if ( ( status = read_input( call, input, size ) ) ) return status;
    if ( ws2_call( socket_info, &info ) ) return STATUS_INVALID_HANDLE;
    length = address_length( info.family );
    if ( address->sa_family != info.family || size < 4 + (ULONG)length ) return STATUS_INVALID_ADDRESS;
    if ( !call->out || call->out_size < (ULONG)length ) return STATUS_INVALID_PARAMETER;
    if ( info.flags & WS2_FLAG_BOUND ) return STATUS_ADDRESS_ALREADY_ASSOCIATED;

    host_length = length;
    error = local_address_to_host( call->s, &address, &host_length, &local );
    params.address = ws2_pointer( address );
    params.size = host_length;
    if ( !error ) error = ws2_call( bind, &params );
    switch ( error )
    {
    case 0: status = write_name( call, length ); break;
    case WSAEADDRINUSE:
    case WSAEACCES: status = STATUS_SHARING_VIOLATION; break;
    case WSAEADDRNOTAVAIL: status = STATUS_INVALID_ADDRESS_COMPONENT; break;
    default: status = status_of_error( error ); break;
    }
    /* the transport has been asked: that is told of as pending, although it is over */
    afd_finish( call, status, status ? 0 : length );
    return STATUS_PENDING;
}

static NTSTATUS serve_listen( const struct afd_call *call )
{
    struct ws2_listen_params params = { .handle = call->s };
    struct
    {
        UINT32 unknown;
        INT32 backlog;
        UINT32 unknown2;
    } input;
    NTSTATUS status;
    int error;

    if ( ( status = read_input( call, &input, sizeof( input ) ) ) ) return status;
    params.backlog = input.backlog;
    return ( error = ws2_call( listen, &params ) ) ? status_of_error( error ) : afd_finish( call, 0, 0 );
}

static NTSTATUS serve_getsockname( const struct afd_call *call )
{
    struct ws2_socket_info_params info = { .handle = call->s };
    NTSTATUS status;
    int length;

    if ( ws2_call( socket_info, &info ) ) return STATUS_INVALID_HANDLE;
    length = address_length( info.family );
    if ( !( info.flags & WS2_FLAG_BOUND ) ) return STATUS_INVALID_PARAMETER;
    if ( !call->out || call->out_size < (ULONG)length ) return STATUS_BUFFER_TOO_SMALL;
    return ( status = write_name( call, length ) ) ? status : afd_finish( call, 0, length );
}

/* --- data -------------------------------------------------------------------------------------------------------------*/

struct afd_transfer
{
    WSABUF *buffers;
    UINT32 count;
    UINT32 flags;         /* enum afd_transfer_flag */
    UINT32 message_flags; /* enum afd_message_flag */
};

#define AFD_OVERLAPPED 0x2

enum afd_message_flag
{
    AFD_MESSAGE_NORMAL = 0x20,
    AFD_MESSAGE_OOB = 0x40,
    AFD_MESSAGE_PEEK = 0x80,
    AFD_MESSAGE_WAIT_ALL = 0x4000,
    AFD_SEND_OOB = 0x20
};

static NTSTATUS begin_transfer( const struct afd_call *call, struct afd_transfer *input )
{
    struct ws2_socket_info_params info = { .handle = call->s };

    if ( ws2_call( socket_info, &info ) ) return STATUS_INVALID_HANDLE;
    /* a socket that cannot have a connection comes before everything else */
    if ( info.type == SOCK_STREAM && !( info.flags & ( WS2_FLAG_CONNECTED | WS2_FLAG_CONNECTING ) ) )
        return STATUS_INVALID_CONNECTION;
    return read_input( call, input, sizeof( *input ) );
}

static enum overlapped_how transfer_how( const struct afd_transfer *input )
{
    return input->flags & AFD_OVERLAPPED ? OVERLAPPED_NORMAL : OVERLAPPED_NO_WAIT;
}

static NTSTATUS serve_recv( const struct afd_call *call )
{
    struct afd_transfer input;
    NTSTATUS status;
    DWORD flags;

    if ( ( status = begin_transfer( call, &input ) ) ) return status;
    if ( !( input.message_flags & AFD_MESSAGE_NORMAL ) == !( input.message_flags & AFD_MESSAGE_OOB ) )
        return STATUS_INVALID_PARAMETER;
    flags = ( input.message_flags & AFD_MESSAGE_OOB ? MSG_OOB : 0 ) |
            ( input.message_flags & AFD_MESSAGE_PEEK ? MSG_PEEK : 0 ) |
            ( input.message_flags & AFD_MESSAGE_WAIT_ALL ? MSG_WAITALL : 0 );
    return overlapped_start_receive( (HANDLE)call->s, call->request, input.buffers, input.count, flags,
                                     transfer_how( &input ) );
}

static NTSTATUS serve_send( const struct afd_call *call )
{
    struct afd_transfer input;
    NTSTATUS status;

    if ( ( status = begin_transfer( call, &input ) ) ) return status;
    return overlapped_start_send( (HANDLE)call->s, call->request, input.buffers, input.count,
                                  input.message_flags & AFD_SEND_OOB ? MSG_OOB : 0, transfer_how( &input ) );
}

/* --- events -----------------------------------------------------------------------------------------------------------*/

static const struct
{
    UINT32 event;
    UINT32 flags;
} event_flags[] = {
    { FD_READ, AFD_POLL_READ },
    { FD_OOB, AFD_POLL_OOB },
    { FD_WRITE, AFD_POLL_WRITE },
    { FD_ACCEPT, AFD_POLL_ACCEPT },
    { FD_CLOSE, AFD_POLL_HUP | AFD_POLL_RESET },
    { FD_CONNECT, AFD_POLL_CONNECT | AFD_POLL_CONNECT_ERR },
};
#define EVENT_COUNT ( sizeof( event_flags ) / sizeof( event_flags[0] ) )

static NTSTATUS serve_event_select( const struct afd_call *call )
{
    struct
    {
        HANDLE event;
        UINT_PTR mask; /* 32 bits and padding up to the handle's width */
    } input;
    IO_STATUS_BLOCK refused = { { STATUS_INVALID_PARAMETER }, 0 };
    NTSTATUS status = read_input( call, &input, sizeof( input ) );
    LONG mask = 0;
    int error;

    if ( !status && (UINT32)input.mask && !input.event ) status = STATUS_INVALID_PARAMETER;
    if ( status )
    {
        /* unlike the other codes, this one says so in the iosb too */
        ws2_write( call->request->iosb, &refused, sizeof( refused ) );
        return status;
    }
    for ( unsigned int i = 0; i < EVENT_COUNT; i++ )
        if ( input.mask & event_flags[i].flags ) mask |= event_flags[i].event;
    return ( error = events_select( call->s, input.event, mask ) ) ? status_of_error( error )
                                                                   : afd_finish( call, 0, 0 );
}

static NTSTATUS serve_get_events( const struct afd_call *call )
{
    struct
    {
        UINT32 flags;
        NTSTATUS status[AFD_POLL_BITS];
    } output = { 0 };
    int codes[FD_MAX_EVENTS], error;
    LONG events;

    if ( !call->out || call->out_size < sizeof( output ) ) return STATUS_INVALID_PARAMETER;
    if ( ws2_write( call->out, &output, sizeof( output ) ) ) return STATUS_ACCESS_VIOLATION;
    /* the pointer to the input is the event to reset */
    if ( call->in && !call->in_size ) ResetEvent( call->in );
    if ( ( error = events_take( call->s, &events, codes ) ) ) return status_of_error( error );
    for ( unsigned int i = 0; i < EVENT_COUNT; i++ )
        if ( events & event_flags[i].event ) output.flags |= event_flags[i].flags;
    if ( codes[FD_CONNECT_BIT] )
    {
        output.flags &= ~AFD_POLL_CONNECT;
        output.status[8] = status_of_error( codes[FD_CONNECT_BIT] ); /* stays although the event is taken */
    }
    else output.flags &= ~AFD_POLL_CONNECT_ERR;
    /* the end of the connection is one of two events, and neither has a status */
    output.flags &= codes[FD_CLOSE_BIT] ? ~AFD_POLL_HUP : ~AFD_POLL_RESET;
    ws2_write( call->out, &output, sizeof( output ) );
    return afd_finish( call, 0, sizeof( output ) );
}

/* --- polling ----------------------------------------------------------------------------------------------------------*/

/* Sockets named in a request may be handles that the process has not seen. */
static void adopt_entries( const struct afd_call *call )
{
    struct
    {
        HANDLE handle;
        UINT32 flags;
        NTSTATUS status;
    } entry;
    struct ws2_afd_poll_header header;
    const char *entries = (const char *)call->in + sizeof( header );

    if ( read_input( call, &header, sizeof( header ) ) ) return;
    if ( header.count > ( call->in_size - sizeof( header ) ) / sizeof( entry ) ) return;
    for ( UINT32 i = 0; i < header.count; i++ )
    {
        if ( ws2_read( &entry, entries + i * sizeof( entry ), sizeof( entry ) ) ) return;
        if ( !hooks_is_socket( entry.handle ) ) ws2_adopt( ws2_pointer( entry.handle ) );
    }
}

static NTSTATUS serve_poll( const struct afd_call *call )
{
    struct ws2_afd_poll_params params = { .operation.handle = call->s,
                                          .input = ws2_pointer( call->in ),
                                          .output = ws2_pointer( call->out ),
                                          .input_size = call->in_size,
                                          .output_size = call->out_size };

    adopt_entries( call );
    return completion_start( ws2_call_afd_poll, &params.operation, call->request, OVERLAPPED_NORMAL, 0 );
}

/* --- the table --------------------------------------------------------------------------------------------------------*/

static const struct
{
    ULONG code;
    NTSTATUS ( *serve )( const struct afd_call *call );
} afd_codes[] = {
    { AFD_POLL, serve_poll },
    { AFD_RECV, serve_recv },
    { AFD_SEND, serve_send },
    { AFD_EVENT_SELECT, serve_event_select },
    { AFD_GET_EVENTS, serve_get_events },
    { AFD_BIND, serve_bind },
    { AFD_LISTEN, serve_listen },
    { AFD_GETSOCKNAME, serve_getsockname },
};

NTSTATUS NTAPI hook_NtDeviceIoControlFile( HANDLE handle, HANDLE event, void *apc, void *apc_context,
                                           IO_STATUS_BLOCK *iosb, ULONG code, void *in, ULONG in_size, void *out,
                                           ULONG out_size )
{
    const struct overlapped_request request = { event, apc, apc_context, iosb };
    const struct afd_call call = { (UINT_PTR)handle & ~(UINT_PTR)3, &request, in, in_size, out, out_size };

    if ( hooks_is_free( handle ) ) return STATUS_INVALID_HANDLE;
    if ( code >> 16 == 1 )
        for ( unsigned int i = 0; i < sizeof( afd_codes ) / sizeof( afd_codes[0] ); i++ )
            if ( afd_codes[i].code == code && ( hooks_is_socket( handle ) || ws2_adopt( call.s ) ) )
                return afd_codes[i].serve( &call );
    if ( hooks_is_event( event ) ) served_event_refuse( event );
    return nt_NtDeviceIoControlFile( handle, event, apc, apc_context, iosb, code, in, in_size, out, out_size );
}
