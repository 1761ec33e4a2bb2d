/*
 * TransmitFile and TransmitPackets: memory and parts of files in one operation. The host half has the host move the
 * file's bytes; it gets a host descriptor of each file, which is its own from then on.
 */
#include "overlapped/completion.h"
#include "base/upcalls.h"
#include "base/status.h"
#include "overlapped/connection_ex.h"
#include "ws2host/table.h"

#define MOST_ELEMENTS 0x10000

/* A part of a file; offset -1: where the file pointer stands. */
static int file_segment( struct ws2_segment *segment, HANDLE file, LONGLONG offset, DWORD size )
{
    LARGE_INTEGER here = { .QuadPart = 0 };

    if ( offset == -1 )
    {
        if ( !SetFilePointerEx( file, here, &here, FILE_CURRENT ) ) return WSAENOTSOCK;
        offset = here.QuadPart;
    }
    if ( ws2host_handle_to_fd( file, &segment->fd ) ) return WSAENOTSOCK;
    segment->offset = offset;
    segment->size = size;
    return 0;
}

static void memory_segment( struct ws2_segment *segment, const void *memory, DWORD size )
{
    *segment = ( struct ws2_segment ){ .memory = ws2_pointer( memory ), .size = size, .fd = -1 };
}

/* The segments' descriptors are gone when this returns. */
static int transmit_start( SOCKET s, struct ws2_segment *segments, DWORD count, OVERLAPPED *overlapped, DWORD flags )
{
    struct ws2_operation_transmit_params params = { .operation = { .handle = s },
                                                    .segments = ws2_pointer( segments ),
                                                    .count = count,
                                                    .flags = ( flags & TF_DISCONNECT ? WS2_TRANSMIT_DISCONNECT : 0 ) |
                                                             ( flags & TF_REUSE_SOCKET ? WS2_TRANSMIT_REUSE : 0 ) };
    struct overlapped_request request = { 0 };
    IO_STATUS_BLOCK iosb;
    NTSTATUS status;
    int error;

    request.iosb = &iosb;
    if ( flags & TF_REUSE_SOCKET ) ws2_upcalls.adopt_copies( s );
    if ( overlapped && ( error = completion_request( &request, overlapped, NULL ) ) ) return error;
    status = completion_start( ws2_call_operation_transmit, &params.operation, &request,
                               overlapped ? completion_how( s ) : OVERLAPPED_WAIT, 0 );
    if ( status == STATUS_PENDING ) return WSA_IO_PENDING;
    return status_to_error( status );
}

static int transmit_check( SOCKET s, DWORD flags )
{
    struct ws2_socket_info_params info = { .handle = s };
    int error = ws2_call( socket_info, &info );

    if ( error ) return error;
    if ( info.type != SOCK_STREAM || !( info.flags & WS2_FLAG_CONNECTED ) ) return WSAENOTCONN;
    /* a socket is only used again after it was disconnected */
    return ( flags & ( TF_REUSE_SOCKET | TF_DISCONNECT ) ) == TF_REUSE_SOCKET ? WSAEINVAL : 0;
}

static int send_file( SOCKET s, HANDLE file, DWORD size, OVERLAPPED *overlapped, TRANSMIT_FILE_BUFFERS *buffers,
                      DWORD flags )
{
    TRANSMIT_FILE_BUFFERS parts = { 0 };
    struct ws2_segment segments[3];
    OVERLAPPED copy = { 0 };
    LONGLONG offset = -1;
    DWORD count = 0;
    int error;

    if ( ( error = transmit_check( s, flags ) ) ) return error;
    if ( buffers && ws2_read( &parts, buffers, sizeof( parts ) ) ) return WSAEFAULT;
    if ( overlapped )
    {
        if ( ws2_read( &copy, overlapped, sizeof( copy ) ) ) return WSAEFAULT;
        offset = (LONGLONG)( (ULONGLONG)copy.OffsetHigh << 32 | copy.Offset );
    }
    memset( segments, 0, sizeof( segments ) );
    if ( parts.HeadLength ) memory_segment( &segments[count++], parts.Head, parts.HeadLength );
    if ( file && ( error = file_segment( &segments[count++], file, offset, size ) ) ) return error;
    if ( parts.TailLength ) memory_segment( &segments[count++], parts.Tail, parts.TailLength );
    return transmit_start( s, segments, count, overlapped, flags );
}

BOOL WINAPI transmit_file( SOCKET s, HANDLE file, DWORD size, DWORD per_send, OVERLAPPED *overlapped,
                           TRANSMIT_FILE_BUFFERS *buffers, DWORD flags )
{
    int error;

    WS2_REQUIRE_STARTUP( FALSE );
    error = send_file( s, file, size, overlapped, buffers, flags );
    return WS2_RESULT_AS( "TransmitFile", !error, error,
                          "s=%#zx, file=%p, size=%lu, per_send=%lu, overlapped=%p, buffers=%p, flags=%#lx", s, file,
                          size, per_send, (void *)overlapped, (void *)buffers, flags );
}

static int send_packets( SOCKET s, const TRANSMIT_PACKETS_ELEMENT *elements, DWORD count, OVERLAPPED *overlapped,
                         DWORD flags )
{
    struct ws2_segment *segments;
    TRANSMIT_PACKETS_ELEMENT element;
    int error;

    if ( ( error = transmit_check( s, flags ) ) ) return error;
    if ( count > MOST_ELEMENTS ) return WSAEINVAL;
    if ( !( segments = calloc( count ? count : 1, sizeof( *segments ) ) ) ) return WSAENOBUFS;
    for ( DWORD i = 0; i < count; i++ ) segments[i].fd = -1;
    for ( DWORD i = 0; i < count && !error; i++ )
    {
        if ( ws2_read( &element, &elements[i], sizeof( element ) ) ) error = WSAEFAULT;
        else if ( element.dwElFlags & TP_ELEMENT_MEMORY )
            memory_segment( &segments[i], element.pBuffer, element.cLength );
        else if ( element.dwElFlags & TP_ELEMENT_FILE )
            error = file_segment( &segments[i], element.hFile, element.nFileOffset.QuadPart, element.cLength );
        else error = WSAEINVAL;
    }
    /* with an error the files' descriptors go the same way, and nothing is sent */
    if ( error )
    {
        struct ws2_operation_transmit_params params = { .operation = { .handle = s },
                                                        .segments = ws2_pointer( segments ),
                                                        .count = count,
                                                        .flags = WS2_TRANSMIT_NOTHING };
        ws2_call( operation_transmit, &params );
    }
    else error = transmit_start( s, segments, count, overlapped, flags );
    free( segments );
    return error;
}

BOOL WINAPI transmit_packets( SOCKET s, TRANSMIT_PACKETS_ELEMENT *elements, DWORD count, DWORD per_send,
                              OVERLAPPED *overlapped, DWORD flags )
{
    int error;

    WS2_REQUIRE_STARTUP( FALSE );
    error = send_packets( s, elements, count, overlapped, flags );
    return WS2_RESULT_AS( "TransmitPackets", !error, error,
                          "s=%#zx, elements=%p, count=%lu, per_send=%lu, overlapped=%p, flags=%#lx", s,
                          (void *)elements, count, per_send, (void *)overlapped, flags );
}
