/* Sockets coming and going: creation and closing. */
#include "base/ws2_32_private.h"
#include "sockets/socket.h"
#include "catalogue/catalogue.h"
#include "overlapped/completion.h"
#include "sockets/duplicate.h"
#include "sockets/handle_copies.h"
#include "sockets/handle_pool.h"
#include "sockets/other_library.h"
#include "sockets/options.h"
#include "registered/registered_io.h"
#include "ws2host/table.h"

/* slot_flags: of enum ws2_slot_flag, besides */
static SOCKET socket_create_with( int family, int type, int protocol, DWORD flags, UINT32 slot_flags, int *error )
{
    struct ws2_socket_create_params create = {
        .family = family, .type = type, .protocol = protocol, .flags = slot_flags
    };

    if ( flags & WSA_FLAG_OVERLAPPED ) create.flags |= WS2_FLAG_OVERLAPPED;
    if ( flags & WSA_FLAG_REGISTERED_IO ) create.flags |= WS2_FLAG_REGISTERED_IO;
    if ( ( *error = ws2_call( socket_create, &create ) ) ) return INVALID_SOCKET;
    return handle_pool_install( create.fd, create.descriptor, flags, error );
}

static SOCKET socket_create( int family, int type, int protocol, DWORD flags, int *error )
{
    return socket_create_with( family, type, protocol, flags, 0, error );
}

SOCKET socket_open_helper( BOOL inherited )
{
    int error;

    return socket_create_with( AF_INET, SOCK_DGRAM, IPPROTO_UDP,
                               WSA_FLAG_OVERLAPPED | ( inherited ? 0 : WSA_FLAG_NO_HANDLE_INHERIT ), WS2_FLAG_HELPER,
                               &error );
}

/* info: a copy of the program's, NULL for none */
static SOCKET socket_create_from( int family, int type, int protocol, const WSAPROTOCOL_INFOW *info, DWORD flags,
                                  int *error )
{
    const WSAPROTOCOL_INFOW *entry;

    if ( info && other_library_made( info ) )
    {
        *error = WSAEINVAL;
        return INVALID_SOCKET;
    }
    if ( info && info->dwProviderReserved ) return duplicate_open( info->dwProviderReserved, flags, error );
    *error = info ? catalogue_resolve_info( family, type, protocol, info, &entry, &family, &type, &protocol )
                  : catalogue_resolve( family, type, protocol, &entry, &family, &type, &protocol );
    return *error ? INVALID_SOCKET : socket_create( family, type, protocol, flags, error );
}

/***********************************************************************
 *      socket   (WS2_32.23)
 */
SOCKET WINAPI socket( int family, int type, int protocol )
{
    int error;
    SOCKET s;

    WS2_REQUIRE_STARTUP( INVALID_SOCKET );
    s = socket_create_from( family, type, protocol, NULL, options_opentype() ? 0 : WSA_FLAG_OVERLAPPED, &error );
    return WS2_RESULT( s, error, "family=%d, type=%d, protocol=%d", family, type, protocol );
}

/***********************************************************************
 *      WSASocketW   (WS2_32.@)
 */
SOCKET WINAPI WSASocketW( int family, int type, int protocol, LPWSAPROTOCOL_INFOW info, GROUP group, DWORD flags )
{
    WSAPROTOCOL_INFOW copy;
    SOCKET s = INVALID_SOCKET;
    int error = 0;

    WS2_REQUIRE_STARTUP( INVALID_SOCKET );
    if ( info ) error = ws2_read( &copy, info, sizeof( copy ) );
    if ( !error ) s = socket_create_from( family, type, protocol, info ? &copy : NULL, flags, &error );
    return WS2_RESULT( s, error, "family=%d, type=%d, protocol=%d, info=%p, group=%u, flags=%#lx", family, type,
                       protocol, (void *)info, group, flags );
}

/***********************************************************************
 *      WSASocketA   (WS2_32.@)
 */
SOCKET WINAPI WSASocketA( int family, int type, int protocol, LPWSAPROTOCOL_INFOA info, GROUP group, DWORD flags )
{
    WSAPROTOCOL_INFOW copy;
    SOCKET s = INVALID_SOCKET;
    int error = 0;

    WS2_REQUIRE_STARTUP( INVALID_SOCKET );
    /* the two forms differ in the name at the end only, and the name is nobody's input */
    memset( &copy, 0, sizeof( copy ) );
    if ( info ) error = ws2_read( &copy, info, FIELD_OFFSET( WSAPROTOCOL_INFOA, szProtocol ) );
    if ( !error ) s = socket_create_from( family, type, protocol, info ? &copy : NULL, flags, &error );
    return WS2_RESULT( s, error, "family=%d, type=%d, protocol=%d, info=%p, group=%u, flags=%#lx", family, type,
                       protocol, (void *)info, group, flags );
}

int socket_close( SOCKET s )
{
    struct ws2_handle_params params = { .handle = s };
    int error;

    handle_copies( &params );
    if ( ( error = ws2_call( close_begin, &params ) ) ) return error;
    registered_closing( s );
    handle_pool_end( s, params.pooled, params.real );
    if ( params.completions ) completion_deliver();
    return 0;
}

/***********************************************************************
 *      closesocket   (WS2_32.3)
 */
int WINAPI closesocket( SOCKET s )
{
    const DWORD before = GetLastError();
    int error;

    WS2_REQUIRE_STARTUP( SOCKET_ERROR );
    if ( ( error = socket_close( s ) ) ) return WS2_RESULT_OF( error, "s=%#zx", s );
    WS2_RETURNS( __func__, TRACE_NUMBER, 0, 0, "s=%#zx", s );
    /* programs look at the error of the call before only after they have closed */
    SetLastError( before );
    return 0;
}
