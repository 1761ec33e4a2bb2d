/* WSASendMsg and WSARecvMsg: datagrams with their control data. The conversion is the host half's (control.c). */
#include "base/local_addresses.h"
#include "base/ws2_32_private.h"
#include "base/write_watch.h"
#include "sockets/message.h"
#include "overlapped/overlapped.h"

/* The checks that both begin with; *copy is the caller's WSAMSG. */
static int message_check( SOCKET s, const WSAMSG *message, WSAMSG *copy )
{
    struct ws2_socket_state_params state = { .handle = s };
    int error = ws2_call( socket_state, &state );

    if ( error ) return error;
    if ( !message || ws2_read( copy, message, sizeof( *copy ) ) ) return WSAEFAULT;
    return state.type == SOCK_STREAM ? WSAEINVAL : 0;
}

/* What a send that cannot be carried out has done already: the socket is bound to any address and port. */
static void bind_any( SOCKET s )
{
    struct ws2_socket_state_params state = { .handle = s };
    SOCKADDR_STORAGE any = { 0 };
    struct ws2_address_params params = { .handle = s, .address = ws2_pointer( &any ) };

    if ( ws2_call( socket_state, &state ) || state.local_size ) return;
    any.ss_family = state.family;
    params.size = address_length( state.family );
    ws2_call( bind, &params );
}

static int message_send( SOCKET s, const WSAMSG *message, DWORD flags, DWORD *sent, OVERLAPPED *overlapped,
                         LPWSAOVERLAPPED_COMPLETION_ROUTINE routine )
{
    WSAMSG copy;
    int error = message_check( s, message, &copy );

    if ( error ) return error;
    if ( overlapped ) return overlapped_send_message( s, message, sent, flags, overlapped, routine );
    if ( !sent && !overlapped )
    {
        bind_any( s );
        return WSAEFAULT;
    }
    struct ws2_message_params params = { .handle = s,
                                         .buffers = ws2_pointer( copy.lpBuffers ),
                                         .count = copy.dwBufferCount,
                                         .flags = flags,
                                         .address = copy.namelen > 0 ? ws2_pointer( copy.name ) : 0,
                                         .size = copy.namelen,
                                         .control = ws2_pointer( copy.Control.buf ),
                                         .control_size = copy.Control.len,
                                         .width = sizeof( void * ) };
    if ( ( error = ws2_call( sendmsg, &params ) ) ) return error;
    return ws2_write( sent, &params.done, sizeof( *sent ) );
}

/***********************************************************************
 *      WSASendMsg   (WS2_32.@)
 */
int WINAPI WSASendMsg( SOCKET s, LPWSAMSG message, DWORD flags, LPDWORD sent, LPWSAOVERLAPPED overlapped,
                       LPWSAOVERLAPPED_COMPLETION_ROUTINE routine )
{
    WS2_REQUIRE_STARTUP( SOCKET_ERROR );
    return WS2_RESULT_OF( message_send( s, message, flags, sent, overlapped, routine ),
                          "s=%#zx, message=%p, flags=%#lx, sent=%p, overlapped=%p, routine=%p", s, (void *)message,
                          flags, (void *)sent, (void *)overlapped, (void *)routine );
}

int message_call_receive( struct ws2_message_params *params )
{
    const WSABUF *buffers = (const WSABUF *)(UINT_PTR)params->buffers;
    struct write_watch watch = { 0 };
    int error = ws2_call( recvmsg, params );
    WSABUF one;

    if ( error != WSAEFAULT || !params->watched ) return error;
    for ( DWORD i = 0; i < params->count && params->wait.deadline && !ws2_read( &one, &buffers[i], sizeof( one ) );
          i++ )
        write_watch_note( &watch, one.buf, one.len );
    error = ws2_call( recvmsg, params );
    write_watch_end( &watch );
    return error;
}

static int receive_message( SOCKET s, WSAMSG *message, DWORD *received, OVERLAPPED *overlapped,
                            LPWSAOVERLAPPED_COMPLETION_ROUTINE routine )
{
    WSAMSG copy;
    int error = message_check( s, message, &copy );

    if ( error ) return error;
    if ( overlapped ) return overlapped_receive_message( s, message, received, copy.dwFlags, overlapped, routine );
    if ( !received ) return WSAEFAULT;
    struct ws2_message_params params = { .handle = s,
                                         .buffers = ws2_pointer( copy.lpBuffers ),
                                         .count = copy.dwBufferCount,
                                         .flags = copy.dwFlags,
                                         .address = ws2_pointer( copy.name ),
                                         .size_pointer = copy.name ? ws2_pointer( &message->namelen ) : 0,
                                         .control = ws2_pointer( copy.Control.buf ),
                                         .control_size = copy.Control.buf ? copy.Control.len : 0,
                                         .width = sizeof( void * ) };
    error = message_call_receive( &params );
    if ( error && error != WSAEMSGSIZE ) return error;
    /* a truncated datagram is delivered all the same */
    if ( ws2_write( &message->Control.len, &params.control_size, sizeof( params.control_size ) ) ||
         ws2_write( &message->dwFlags, &params.flags_out, sizeof( params.flags_out ) ) ||
         ws2_write( received, &params.done, sizeof( params.done ) ) )
        return WSAEFAULT;
    return error;
}

int WINAPI message_receive( SOCKET s, LPWSAMSG message, LPDWORD received, LPWSAOVERLAPPED overlapped,
                            LPWSAOVERLAPPED_COMPLETION_ROUTINE routine )
{
    WS2_REQUIRE_STARTUP( SOCKET_ERROR );
    return WS2_RESULT_OF_AS( "WSARecvMsg", receive_message( s, message, received, overlapped, routine ),
                             "s=%#zx, message=%p, bytes=%s, overlapped=%p, routine=%p", s, (void *)message,
                             trace_count( received ), (void *)overlapped, (void *)routine );
}
