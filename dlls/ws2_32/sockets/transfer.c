/* Sending and receiving. What an OVERLAPPED asks for is overlapped.c's. */
#include "base/ws2_32_private.h"
#include "base/write_watch.h"
#include "overlapped/overlapped.h"
#include "sockets/message.h"

/* Arguments that are none: WSAEFAULT, or what is wrong with the handle before that. */
static int refuse( SOCKET s )
{
    struct ws2_socket_info_params info = { .handle = s };
    int error = ws2_call( socket_info, &info );

    return error ? error : WSAEFAULT;
}

/* A negative length: WSAEFAULT, or what is wrong with the socket before that. */
static int refuse_receive( SOCKET s )
{
    struct ws2_event_attempt_params params = { .handle = s, .event = FD_READ };
    int error = ws2_call( event_attempt, &params );

    return error ? error : WSAEFAULT;
}

/***********************************************************************
 *      send   (WS2_32.19)
 */
int WINAPI send( SOCKET s, const char *buffer, int size, int flags )
{
    struct ws2_transfer_params params = { .handle = s, .buffer = ws2_pointer( buffer ), .size = size, .flags = flags };
    int error;

    WS2_REQUIRE_STARTUP( SOCKET_ERROR );
    error = size < 0 ? refuse( s ) : ws2_call( send, &params );
    if ( params.need_io_thread ) ws2_start_io_thread();
    return WS2_RESULT( error ? SOCKET_ERROR : (int)params.done, error, "s=%#zx, buffer=%p, size=%d, flags=%#x", s,
                       (void *)buffer, size, flags );
}

/***********************************************************************
 *      recv   (WS2_32.16)
 */
int WINAPI recv( SOCKET s, char *buffer, int size, int flags )
{
    struct ws2_transfer_params params = { .handle = s, .buffer = ws2_pointer( buffer ), .size = size, .flags = flags };
    int error;

    WS2_REQUIRE_STARTUP( SOCKET_ERROR );
    error = size < 0 ? refuse_receive( s ) : ws2_call( recv, &params );
    if ( error == WSAEFAULT && params.watched )
    {
        struct write_watch watch = { 0 };

        if ( params.wait.deadline ) write_watch_note( &watch, buffer, size );
        error = ws2_call( recv, &params );
        write_watch_end( &watch );
    }
    return WS2_RESULT( error ? SOCKET_ERROR : (int)params.done, error, "s=%#zx, buffer=%p, size=%d, flags=%#x", s,
                       (void *)buffer, size, flags );
}

static int send_message( SOCKET s, const WSABUF *buffers, DWORD count, DWORD *done, DWORD flags,
                         const struct sockaddr *to, int to_size )
{
    struct ws2_message_params params = { .handle = s,
                                         .buffers = ws2_pointer( buffers ),
                                         .count = count,
                                         .flags = flags,
                                         .address = to_size > 0 ? ws2_pointer( to ) : 0,
                                         .size = to_size };
    int error = ws2_call( sendmsg, &params );

    if ( params.need_io_thread ) ws2_start_io_thread();
    if ( !error ) *done = params.done;
    return error;
}

static int receive_message( SOCKET s, const WSABUF *buffers, DWORD count, DWORD *done, DWORD *flags,
                            struct sockaddr *from, int *from_size )
{
    struct ws2_message_params params = { .handle = s,
                                         .buffers = ws2_pointer( buffers ),
                                         .count = count,
                                         .flags = *flags,
                                         .address = ws2_pointer( from ),
                                         .size_pointer = ws2_pointer( from_size ) };
    const int error = message_call_receive( &params );

    *done = params.done;
    *flags = params.flags_out;
    return error;
}

/***********************************************************************
 *      sendto   (WS2_32.20)
 */
int WINAPI sendto( SOCKET s, const char *buffer, int size, int flags, const struct sockaddr *to, int to_size )
{
    WSABUF one = { size, (char *)buffer };
    DWORD done = 0;
    int error;

    WS2_REQUIRE_STARTUP( SOCKET_ERROR );
    error = size < 0 ? refuse( s ) : send_message( s, &one, 1, &done, flags, to, to_size );
    return WS2_RESULT( error ? SOCKET_ERROR : (int)done, error, "s=%#zx, buffer=%p, size=%d, flags=%#x, to=%s", s,
                       (void *)buffer, size, flags, trace_address( to, to_size ) );
}

/***********************************************************************
 *      recvfrom   (WS2_32.17)
 */
int WINAPI recvfrom( SOCKET s, char *buffer, int size, int flags, struct sockaddr *from, int *from_size )
{
    WSABUF one = { size, buffer };
    DWORD done = 0, message_flags = flags;
    int error;

    WS2_REQUIRE_STARTUP( SOCKET_ERROR );
    error = size < 0 ? refuse_receive( s ) : receive_message( s, &one, 1, &done, &message_flags, from, from_size );
    return WS2_RESULT( error ? SOCKET_ERROR : (int)done, error, "s=%#zx, buffer=%p, size=%d, flags=%#x, from=%s", s,
                       (void *)buffer, size, flags, trace_address_out( from, from_size ) );
}

static int send_all( SOCKET s, WSABUF *buffers, DWORD count, DWORD *sent, DWORD flags, const struct sockaddr *to,
                     int to_size, OVERLAPPED *overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine )
{
    DWORD done = 0;
    int error;

    if ( overlapped ) return overlapped_send( s, buffers, count, sent, flags, to, to_size, overlapped, routine );
    if ( !sent ) return refuse( s );
    if ( ( error = send_message( s, buffers, count, &done, flags, to, to_size ) ) ) return error;
    return ws2_write( sent, &done, sizeof( done ) );
}

/***********************************************************************
 *      WSASend   (WS2_32.@)
 */
int WINAPI WSASend( SOCKET s, LPWSABUF buffers, DWORD count, LPDWORD sent, DWORD flags, LPWSAOVERLAPPED overlapped,
                    LPWSAOVERLAPPED_COMPLETION_ROUTINE routine )
{
    WS2_REQUIRE_STARTUP( SOCKET_ERROR );
    return WS2_RESULT_OF( send_all( s, buffers, count, sent, flags, NULL, 0, overlapped, routine ),
                          "s=%#zx, buffers=%p, count=%lu, bytes=%s, flags=%#lx, overlapped=%p, routine=%p", s,
                          (void *)buffers, count, trace_count( sent ), flags, (void *)overlapped, (void *)routine );
}

/***********************************************************************
 *      WSASendTo   (WS2_32.@)
 */
int WINAPI WSASendTo( SOCKET s, LPWSABUF buffers, DWORD count, LPDWORD sent, DWORD flags, const struct sockaddr *to,
                      int to_size, LPWSAOVERLAPPED overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine )
{
    WS2_REQUIRE_STARTUP( SOCKET_ERROR );
    return WS2_RESULT_OF( send_all( s, buffers, count, sent, flags, to, to_size, overlapped, routine ),
                          "s=%#zx, buffers=%p, count=%lu, bytes=%s, flags=%#lx, to=%s, overlapped=%p, routine=%p", s,
                          (void *)buffers, count, trace_count( sent ), flags, trace_address( to, to_size ),
                          (void *)overlapped, (void *)routine );
}

static int receive_all( SOCKET s, WSABUF *buffers, DWORD count, DWORD *received, DWORD *flags, struct sockaddr *from,
                        int *from_size, OVERLAPPED *overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine )
{
    DWORD done = 0, message_flags;
    int error;

    if ( overlapped )
        return overlapped_receive( s, buffers, count, received, flags, from, from_size, overlapped, routine );
    if ( !received || ws2_read( &message_flags, flags, sizeof( message_flags ) ) ) return refuse( s );
    error = receive_message( s, buffers, count, &done, &message_flags, from, from_size );
    if ( error && error != WSAEMSGSIZE ) return error;
    if ( ws2_write( received, &done, sizeof( done ) ) || ws2_write( flags, &message_flags, sizeof( message_flags ) ) )
        return WSAEFAULT;
    return error;
}

/***********************************************************************
 *      WSARecv   (WS2_32.@)
 */
int WINAPI WSARecv( SOCKET s, LPWSABUF buffers, DWORD count, LPDWORD received, LPDWORD flags,
                    LPWSAOVERLAPPED overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine )
{
    WS2_REQUIRE_STARTUP( SOCKET_ERROR );
    return WS2_RESULT_OF( receive_all( s, buffers, count, received, flags, NULL, NULL, overlapped, routine ),
                          "s=%#zx, buffers=%p, count=%lu, bytes=%s, flags=%p, overlapped=%p, routine=%p", s,
                          (void *)buffers, count, trace_count( received ), (void *)flags, (void *)overlapped,
                          (void *)routine );
}

/***********************************************************************
 *      WSARecvFrom   (WS2_32.@)
 */
int WINAPI WSARecvFrom( SOCKET s, LPWSABUF buffers, DWORD count, LPDWORD received, LPDWORD flags, struct sockaddr *from,
                        LPINT from_size, LPWSAOVERLAPPED overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine )
{
    WS2_REQUIRE_STARTUP( SOCKET_ERROR );
    return WS2_RESULT_OF( receive_all( s, buffers, count, received, flags, from, from_size, overlapped, routine ),
                          "s=%#zx, buffers=%p, count=%lu, bytes=%s, flags=%p, from=%s, overlapped=%p, routine=%p", s,
                          (void *)buffers, count, trace_count( received ), (void *)flags,
                          trace_address_out( from, from_size ), (void *)overlapped, (void *)routine );
}
