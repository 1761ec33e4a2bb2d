/*
 * getsockopt and setsockopt. The host half carries out what belongs to a socket (dlls/ws2host/options/options.c); here stand the
 * three options that it cannot answer: SO_OPENTYPE is of the calling thread and needs no socket, SO_PROTOCOL_INFO comes
 * from the catalogue, and SO_BSP_STATE holds pointers.
 */
#include "base/ws2_32_private.h"
#include <mswsock.h>
#include "catalogue/catalogue.h"
#include "sockets/options.h"

#ifndef SO_BSP_STATE
#define SO_BSP_STATE 0x1009
#endif

/* --- SO_OPENTYPE ------------------------------------------------------------------------------------------------------*/

/* Allocated by the first thread that sets the option; a thread that never did reads 0. */
static DWORD opentype_index( BOOL allocate )
{
    static LONG index = TLS_OUT_OF_INDEXES;
    LONG own;

    if ( index != (LONG)TLS_OUT_OF_INDEXES || !allocate ) return index;
    if ( ( own = TlsAlloc() ) == (LONG)TLS_OUT_OF_INDEXES ) return own;
    if ( InterlockedCompareExchange( &index, own, TLS_OUT_OF_INDEXES ) != (LONG)TLS_OUT_OF_INDEXES ) TlsFree( own );
    return index;
}

DWORD options_opentype( void )
{
    DWORD index = opentype_index( FALSE );

    return index == TLS_OUT_OF_INDEXES ? 0 : (DWORD)(UINT_PTR)TlsGetValue( index );
}

static int get_opentype( char *value, int *length )
{
    DWORD type = options_opentype();
    int size, error;

    if ( !value || !length ) return WSAEFAULT;
    if ( ( error = ws2_read( &size, length, sizeof( size ) ) ) ) return error;
    /* unlike any other option: -1 is as good as enough */
    if ( size >= 0 && size < (int)sizeof( type ) ) return WSAEFAULT;
    size = sizeof( type );
    if ( ( error = ws2_write( value, &type, sizeof( type ) ) ) ) return error;
    return ws2_write( length, &size, sizeof( size ) );
}

static int set_opentype( const char *value, int length )
{
    DWORD type, index;
    int error;

    if ( !value || ( length >= 0 && length < (int)sizeof( type ) ) ) return WSAEFAULT;
    if ( ( error = ws2_read( &type, value, sizeof( type ) ) ) ) return error;
    if ( ( index = opentype_index( TRUE ) ) == TLS_OUT_OF_INDEXES ) return WSAENOBUFS;
    TlsSetValue( index, (void *)(UINT_PTR)type );
    return 0;
}

/* --- SO_PROTOCOL_INFO and SO_BSP_STATE --------------------------------------------------------------------------------*/

static int get_protocol_info( SOCKET s, BOOL ansi, char *value, int *length )
{
    struct ws2_socket_state_params state = { .handle = s };
    int needed = ansi ? sizeof( WSAPROTOCOL_INFOA ) : sizeof( WSAPROTOCOL_INFOW ), size, error;
    const WSAPROTOCOL_INFOW *entry;
    WSAPROTOCOL_INFOA converted;

    if ( ( error = ws2_call( socket_state, &state ) ) ) return error;
    if ( !value || !length ) return WSAEFAULT;
    if ( ( error = ws2_read( &size, length, sizeof( size ) ) ) ) return error;
    if ( size < needed )
    {
        error = ws2_write( length, &needed, sizeof( needed ) );
        return error ? error : WSAEFAULT;
    }
    if ( !( entry = catalogue_entry( state.family, state.type, state.protocol ) ) ) return WSAEINVAL;
    if ( ansi ) catalogue_to_ansi( entry, &converted );
    return ws2_write( value, ansi ? (const void *)&converted : entry, needed );
}

/* CSADDR_INFO and, behind it in the same buffer, the addresses that it points to. *length never changes. */
static int get_bsp_state( SOCKET s, char *value, int *length )
{
    struct ws2_socket_state_params state = { .handle = s };
    char buffer[sizeof( CSADDR_INFO ) + sizeof( state.local ) + sizeof( state.remote )];
    CSADDR_INFO info = { 0 };
    int size, needed = sizeof( info ), error;

    if ( ( error = ws2_call( socket_state, &state ) ) ) return error;
    if ( !value || !length ) return WSAEFAULT;
    if ( ( error = ws2_read( &size, length, sizeof( size ) ) ) ) return error;
    if ( state.local_size )
    {
        info.LocalAddr.lpSockaddr = (struct sockaddr *)( value + needed );
        info.LocalAddr.iSockaddrLength = state.local_size;
        memcpy( buffer + needed, state.local, state.local_size );
        needed += state.local_size;
    }
    if ( state.remote_size )
    {
        info.RemoteAddr.lpSockaddr = (struct sockaddr *)( value + needed );
        info.RemoteAddr.iSockaddrLength = state.remote_size;
        memcpy( buffer + needed, state.remote, state.remote_size );
        needed += state.remote_size;
    }
    if ( size < needed ) return WSAEFAULT;
    info.iSocketType = state.type;
    info.iProtocol = state.protocol;
    memcpy( buffer, &info, sizeof( info ) );
    return ws2_write( value, buffer, needed );
}

/***********************************************************************
 *      getsockopt   (WS2_32.7)
 */
int WINAPI getsockopt( SOCKET s, int level, int name, char *value, int *length )
{
    struct ws2_option_params params = {
        .handle = s, .level = level, .name = name, .value = ws2_pointer( value ), .length = ws2_pointer( length )
    };
    int error;

    WS2_REQUIRE_STARTUP( SOCKET_ERROR );
    if ( level != SOL_SOCKET ) error = ws2_call( getsockopt, &params );
    else switch ( name )
        {
        case SO_OPENTYPE: error = get_opentype( value, length ); break;
        case SO_PROTOCOL_INFOA: error = get_protocol_info( s, TRUE, value, length ); break;
        case SO_PROTOCOL_INFOW: error = get_protocol_info( s, FALSE, value, length ); break;
        case SO_BSP_STATE: error = get_bsp_state( s, value, length ); break;
        default: error = ws2_call( getsockopt, &params );
        }
    return WS2_RESULT_OF( error, "s=%#zx, level=%#x, name=%#x, value=%p, length=%p", s, level, name, value, length );
}

/***********************************************************************
 *      setsockopt   (WS2_32.21)
 */
int WINAPI setsockopt( SOCKET s, int level, int name, const char *value, int length )
{
    struct ws2_option_params params = {
        .handle = s, .level = level, .name = name, .value = ws2_pointer( value ), .size = length
    };
    int error;

    WS2_REQUIRE_STARTUP( SOCKET_ERROR );
    if ( level == SOL_SOCKET && name == SO_OPENTYPE ) error = set_opentype( value, length );
    else error = ws2_call( setsockopt, &params );
    return WS2_RESULT_OF( error, "s=%#zx, level=%#x, name=%#x, value=%p, length=%d", s, level, name, value, length );
}
