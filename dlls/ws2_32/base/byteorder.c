/* Host and network byte order: the plain functions, and those that ask a socket whose order it is. */
#include "base/ws2_32_private.h"

/***********************************************************************
 *      htonl   (WS2_32.8)
 */
u_long WINAPI htonl( u_long value ) { return __builtin_bswap32( value ); }

/***********************************************************************
 *      htons   (WS2_32.9)
 */
u_short WINAPI htons( u_short value ) { return __builtin_bswap16( value ); }

/***********************************************************************
 *      ntohl   (WS2_32.14)
 */
u_long WINAPI ntohl( u_long value ) { return __builtin_bswap32( value ); }

/***********************************************************************
 *      ntohs   (WS2_32.15)
 */
u_short WINAPI ntohs( u_short value ) { return __builtin_bswap16( value ); }

/* Every protocol of the catalogue is big-endian, so the socket need only be one. */
static int check_socket( SOCKET s )
{
    struct ws2_socket_info_params info = { .handle = s };

    return ws2_started ? ws2_call( socket_info, &info ) : WSANOTINITIALISED;
}

static int convert_long( SOCKET s, u_long value, u_long *result )
{
    int error = check_socket( s );

    value = __builtin_bswap32( value );
    return error ? error : ws2_write( result, &value, sizeof( value ) );
}

static int convert_short( SOCKET s, u_short value, u_short *result )
{
    int error = check_socket( s );

    value = __builtin_bswap16( value );
    return error ? error : ws2_write( result, &value, sizeof( value ) );
}

/***********************************************************************
 *      WSAHtonl   (WS2_32.@)
 */
int WINAPI WSAHtonl( SOCKET s, u_long value, u_long *result )
{
    return WS2_RESULT_OF( convert_long( s, value, result ), "s=%#zx value=%#lx", s, value );
}

/***********************************************************************
 *      WSANtohl   (WS2_32.@)
 */
int WINAPI WSANtohl( SOCKET s, u_long value, u_long *result )
{
    return WS2_RESULT_OF( convert_long( s, value, result ), "s=%#zx value=%#lx", s, value );
}

/***********************************************************************
 *      WSAHtons   (WS2_32.@)
 */
int WINAPI WSAHtons( SOCKET s, u_short value, u_short *result )
{
    return WS2_RESULT_OF( convert_short( s, value, result ), "s=%#zx value=%#x", s, value );
}

/***********************************************************************
 *      WSANtohs   (WS2_32.@)
 */
int WINAPI WSANtohs( SOCKET s, u_short value, u_short *result )
{
    return WS2_RESULT_OF( convert_short( s, value, result ), "s=%#zx value=%#x", s, value );
}
