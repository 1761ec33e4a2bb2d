/*
 * WSADuplicateSocket, and WSASocket with what it filled in.
 *
 * The info is the socket's catalogue entry with a ticket of the server in dwProviderReserved. The ticket keeps the
 * socket open until the target redeems it or ends; so that the server can see it end, a target that it does not know
 * yet is given a handle that nobody uses: the host descriptor behind it hangs up with the process.
 */
#include "base/ws2_32_private.h"
#include "catalogue/catalogue.h"
#include "sockets/duplicate.h"
#include "sockets/handle_pool.h"
#include "sockets/other_library.h"

SOCKET duplicate_open( DWORD ticket, DWORD flags, int *error )
{
    const HANDLE handle = handle_pool_take( flags );
    struct ws2_redeem_params redeem = { .ticket = ticket, .handle = (UINT_PTR)handle };

    if ( ( *error = ws2_call( redeem, &redeem ) ) )
    {
        handle_pool_give_back( handle );
        return INVALID_SOCKET;
    }
    return handle_pool_install_under( handle, redeem.fd, redeem.descriptor, flags, error );
}

/* An ended process still has its id while somebody holds a handle to it. */
static BOOL still_lives( HANDLE process ) { return WaitForSingleObject( process, 0 ) == WAIT_TIMEOUT; }

BOOL process_lives( DWORD pid )
{
    HANDLE process = OpenProcess( SYNCHRONIZE, FALSE, pid );
    BOOL lives;

    if ( !process ) return GetLastError() == ERROR_ACCESS_DENIED;
    lives = still_lives( process );
    CloseHandle( process );
    return lives;
}

static int give_handle( DWORD target, int fd )
{
    HANDLE process = OpenProcess( PROCESS_DUP_HANDLE | SYNCHRONIZE, FALSE, target );
    void *handle;
    HANDLE given;
    int error = WSAEINVAL;

    if ( !process ) return WSAEINVAL;
    if ( still_lives( process ) && !ws2host_fd_to_handle( fd, 0, &handle ) &&
         DuplicateHandle( GetCurrentProcess(), handle, process, &given, 0, FALSE,
                          DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE ) )
        error = 0;
    CloseHandle( process );
    return error;
}

static int watch_target( DWORD target )
{
    struct ws2_watch_params watch = { .target = target };
    int error = ws2_call( watch_create, &watch ), error_given;

    if ( error ) return error;
    error_given = other_library_serves( target ) ? WSAEINVAL : give_handle( target, watch.fd );
    watch.send = !error_given;
    error = ws2_call( watch_send, &watch );
    return error_given ? error_given : error;
}

static int issue_ticket( SOCKET s, DWORD target, DWORD *ticket )
{
    struct ws2_duplicate_params params = { .target = target, .handle = s };
    int error = ws2_call( duplicate, &params );

    if ( error == WSAEINVAL && params.unknown_target )
    {
        if ( ( error = watch_target( target ) ) ) return error;
        params.unknown_target = 0;
        error = ws2_call( duplicate, &params );
    }
    *ticket = params.ticket;
    return error;
}

/* The catalogue entry of a socket; a copy of the program's memory is written to first, so that a bad pointer is found
 * before a ticket exists. */
static int fill_info( SOCKET s, DWORD target, WSAPROTOCOL_INFOW *entry, void *user, BOOL ansi )
{
    struct ws2_socket_info_params info = { .handle = s };
    const WSAPROTOCOL_INFOW *found;
    WSAPROTOCOL_INFOA entry_a;
    int error;

    if ( ( error = ws2_call( socket_info, &info ) ) ) return error;
    if ( !( found = catalogue_entry( info.family, info.type, info.protocol ) ) ) return WSAENOTSOCK;
    *entry = *found;
    if ( ansi ) catalogue_to_ansi( entry, &entry_a );
    if ( ( error = ws2_write( user, ansi ? (void *)&entry_a : entry, ansi ? sizeof( entry_a ) : sizeof( *entry ) ) ) )
        return process_lives( target ) ? error : WSAEINVAL;
    if ( ( error = issue_ticket( s, target, &entry->dwProviderReserved ) ) ) return error;
    return ws2_write( (char *)user + FIELD_OFFSET( WSAPROTOCOL_INFOW, dwProviderReserved ), &entry->dwProviderReserved,
                      sizeof( entry->dwProviderReserved ) );
}

/***********************************************************************
 *      WSADuplicateSocketW   (WS2_32.@)
 */
int WINAPI WSADuplicateSocketW( SOCKET s, DWORD target, LPWSAPROTOCOL_INFOW info )
{
    WSAPROTOCOL_INFOW entry;

    WS2_REQUIRE_STARTUP( SOCKET_ERROR );
    return WS2_RESULT_OF( fill_info( s, target, &entry, info, FALSE ), "s=%#zx, target=%#lx, info=%p", s, target,
                          (void *)info );
}

/***********************************************************************
 *      WSADuplicateSocketA   (WS2_32.@)
 */
int WINAPI WSADuplicateSocketA( SOCKET s, DWORD target, LPWSAPROTOCOL_INFOA info )
{
    WSAPROTOCOL_INFOW entry;

    WS2_REQUIRE_STARTUP( SOCKET_ERROR );
    return WS2_RESULT_OF( fill_info( s, target, &entry, info, TRUE ), "s=%#zx, target=%#lx, info=%p", s, target,
                          (void *)info );
}
