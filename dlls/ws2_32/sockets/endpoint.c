/* Binding, listening, connecting, accepting, shutting down, and the names of both ends. */
#include "base/ws2_32_private.h"
#include "sockets/duplicate.h"
#include "sockets/events.h"
#include "sockets/handle_pool.h"
#include "sockets/socket.h"
#include "base/local_addresses.h"

#define ENDING_TIME 1000 /* ms that a bind may take, this side and the host half together */

static int bind_to( SOCKET s, const struct sockaddr *name, int size )
{
    struct ws2_local_address local;
    int error = local_address_to_host( s, &name, &size, &local );
    struct ws2_address_params params = { .handle = s, .address = ws2_pointer( name ), .size = size < 0 ? 0 : size };

    const ULONGLONG begin = GetTickCount64();

    if ( error ) return error;
    /* one that has been ended, as this program may have seen, can be there on the host a moment longer */
    for ( ;; )
    {
        error = ws2_call( bind, &params );
        if ( ( error != WSAEADDRINUSE && error != WSAEACCES ) || !params.holder || process_lives( params.holder ) )
            return error;
        if ( ( params.waited = GetTickCount64() - begin ) >= ENDING_TIME ) return error;
        Sleep( 1 );
    }
}

/***********************************************************************
 *      bind   (WS2_32.2)
 */
int WINAPI bind( SOCKET s, const struct sockaddr *name, int size )
{
    WS2_REQUIRE_STARTUP( SOCKET_ERROR );
    return WS2_RESULT_OF( bind_to( s, name, size ), "s=%#zx, name=%s", s, trace_address( name, size ) );
}

/***********************************************************************
 *      listen   (WS2_32.13)
 */
int WINAPI listen( SOCKET s, int backlog )
{
    struct ws2_listen_params params = { .handle = s, .backlog = backlog };

    WS2_REQUIRE_STARTUP( SOCKET_ERROR );
    return WS2_RESULT_OF( ws2_call( listen, &params ), "s=%#zx, backlog=%d", s, backlog );
}

static int connect_to( SOCKET s, const struct sockaddr *name, int size )
{
    struct ws2_local_address local;
    int error = local_address_to_host( s, &name, &size, &local );
    struct ws2_address_params params = { .handle = s, .address = ws2_pointer( name ), .size = size < 0 ? 0 : size };

    if ( !error ) error = ws2_call( connect, &params );
    /* version 1 has no code for a connect that is under way */
    return error == WSAEALREADY && LOBYTE( ws2_version ) < 2 ? WSAEINVAL : error;
}

/***********************************************************************
 *      connect   (WS2_32.4)
 */
int WINAPI connect( SOCKET s, const struct sockaddr *name, int size )
{
    WS2_REQUIRE_STARTUP( SOCKET_ERROR );
    return WS2_RESULT_OF( connect_to( s, name, size ), "s=%#zx, name=%s", s, trace_address( name, size ) );
}

/***********************************************************************
 *      WSAConnect   (WS2_32.@)
 *
 * TCP/IP carries no connect data and no quality of service: those pointers are not looked at.
 */
int WINAPI WSAConnect( SOCKET s, const struct sockaddr *name, int size, LPWSABUF caller, LPWSABUF callee,
                       LPQOS send_qos, LPQOS group_qos )
{
    WS2_REQUIRE_STARTUP( SOCKET_ERROR );
    return WS2_RESULT_OF( connect_to( s, name, size ), "s=%#zx, name=%s, data=%p %p, qos=%p %p", s,
                          trace_address( name, size ), (void *)caller, (void *)callee, (void *)send_qos,
                          (void *)group_qos );
}

static SOCKET accept_one( SOCKET s, struct sockaddr *name, int *size, int *error )
{
    struct ws2_accept_params params = { .handle = s,
                                        .address = ws2_pointer( name ),
                                        .size_pointer = ws2_pointer( size ) };
    SOCKET accepted;

    if ( ( *error = ws2_call( accept, &params ) ) ) return INVALID_SOCKET;
    accepted = handle_pool_install( params.fd, params.descriptor, 0, error );
    if ( accepted != INVALID_SOCKET && params.inherited_events ) events_inherit( s, accepted );
    return accepted;
}

/***********************************************************************
 *      accept   (WS2_32.1)
 */
SOCKET WINAPI accept( SOCKET s, struct sockaddr *name, int *size )
{
    SOCKET accepted;
    int error;

    WS2_REQUIRE_STARTUP( INVALID_SOCKET );
    accepted = accept_one( s, name, size, &error );
    return WS2_RESULT( accepted, error, "s=%#zx, name=%s", s, trace_address_out( name, size ) );
}

/* Asks the program about a connection that was just accepted; CF_ACCEPT, CF_REJECT or CF_DEFER. */
static int ask_condition( SOCKET accepted, LPCONDITIONPROC condition, DWORD_PTR context )
{
    SOCKADDR_STORAGE local, peer;
    int local_size = sizeof( local ), peer_size = sizeof( peer );
    WSABUF caller, callee, data = { 0, NULL }, answer = { 0, NULL };
    GROUP group = 0;

    getsockname( accepted, (struct sockaddr *)&local, &local_size );
    getpeername( accepted, (struct sockaddr *)&peer, &peer_size );
    caller = ( WSABUF ){ peer_size, (char *)&peer };
    callee = ( WSABUF ){ local_size, (char *)&local };
    return condition( &caller, &data, NULL, NULL, &callee, &answer, &group, context );
}

/***********************************************************************
 *      WSAAccept   (WS2_32.@)
 */
SOCKET WINAPI WSAAccept( SOCKET s, struct sockaddr *name, LPINT size, LPCONDITIONPROC condition, DWORD_PTR context )
{
    SOCKET accepted;
    int error;

    WS2_REQUIRE_STARTUP( INVALID_SOCKET );
    accepted = accept_one( s, name, size, &error );
    if ( accepted != INVALID_SOCKET && condition )
    {
        int decision = ask_condition( accepted, condition, context );

        if ( decision == CF_DEFER )
        {
            struct ws2_accept_defer_params defer = { .handle = s, .accepted = accepted };
            error = ws2_call( accept_defer, &defer );
            if ( !error )
            {
                handle_pool_end( accepted, defer.pooled, defer.real );
                error = WSATRY_AGAIN;
            }
        }
        else if ( decision != CF_ACCEPT )
        {
            struct linger reset = { 1, 0 };
            setsockopt( accepted, SOL_SOCKET, SO_LINGER, (char *)&reset, sizeof( reset ) );
            socket_close( accepted );
            error = WSAECONNREFUSED;
        }
        if ( error ) accepted = INVALID_SOCKET;
    }
    return WS2_RESULT( accepted, error, "s=%#zx, name=%s, condition=%p", s, trace_address_out( name, size ),
                       (void *)condition );
}

static int shut_down( SOCKET s, int how )
{
    struct ws2_shutdown_params params = { .handle = s, .how = how };

    return ws2_call( shutdown, &params );
}

/***********************************************************************
 *      shutdown   (WS2_32.22)
 */
int WINAPI shutdown( SOCKET s, int how )
{
    WS2_REQUIRE_STARTUP( SOCKET_ERROR );
    return WS2_RESULT_OF( shut_down( s, how ), "s=%#zx, how=%d", s, how );
}

/***********************************************************************
 *      WSASendDisconnect   (WS2_32.@)
 */
int WINAPI WSASendDisconnect( SOCKET s, LPWSABUF data )
{
    WS2_REQUIRE_STARTUP( SOCKET_ERROR );
    return WS2_RESULT_OF( shut_down( s, SD_SEND ), "s=%#zx, data=%p", s, (void *)data );
}

/***********************************************************************
 *      WSARecvDisconnect   (WS2_32.@)
 */
int WINAPI WSARecvDisconnect( SOCKET s, LPWSABUF data )
{
    WS2_REQUIRE_STARTUP( SOCKET_ERROR );
    return WS2_RESULT_OF( shut_down( s, SD_RECEIVE ), "s=%#zx, data=%p", s, (void *)data );
}

/***********************************************************************
 *      getsockname   (WS2_32.6)
 */
int WINAPI getsockname( SOCKET s, struct sockaddr *name, int *size )
{
    struct ws2_address_params params = { .handle = s,
                                         .address = ws2_pointer( name ),
                                         .size_pointer = ws2_pointer( size ) };

    WS2_REQUIRE_STARTUP( SOCKET_ERROR );
    return WS2_RESULT_OF( ws2_call( getsockname, &params ), "s=%#zx, name=%s", s, trace_address_out( name, size ) );
}

/***********************************************************************
 *      getpeername   (WS2_32.5)
 */
int WINAPI getpeername( SOCKET s, struct sockaddr *name, int *size )
{
    struct ws2_address_params params = { .handle = s,
                                         .address = ws2_pointer( name ),
                                         .size_pointer = ws2_pointer( size ) };

    WS2_REQUIRE_STARTUP( SOCKET_ERROR );
    return WS2_RESULT_OF( ws2_call( getpeername, &params ), "s=%#zx, name=%s", s, trace_address_out( name, size ) );
}
