/* Start-up, clean-up and the last error; the loading of the DLL, which makes the floors known to each other. */
#include <stddef.h>
#include "base/ws2_32_private.h"
#include "base/blocking.h"
#include "base/thread_data.h"
#include "base/upcalls.h"
#include "sockets/handle_copies.h"
#include "overlapped/completion.h"
#include "ports/port_queue.h"
#include "sockets/socket.h"
#include "start/fallback.h"
#include "start/hook_table.h"
#include "start/io_thread.h"
#include "ws2host/table.h"

/***********************************************************************
 *      WSAGetLastError   (WS2_32.111)
 */
int WINAPI WSAGetLastError( void ) { return GetLastError(); }

/***********************************************************************
 *      WSASetLastError   (WS2_32.112)
 */
void WINAPI WSASetLastError( int error ) { SetLastError( error ); }

/* lpVendorInfo keeps what the caller has in it; it is the last member for 32 bits, and in the middle for 64. */
static int write_data( WSADATA *data, const WSADATA *source )
{
    const size_t vendor = offsetof( WSADATA, lpVendorInfo ), behind = vendor + sizeof( data->lpVendorInfo );
    int error = ws2_write( data, source, vendor );

    if ( !error && behind < sizeof( *data ) )
        error = ws2_write( (char *)data + behind, (const char *)source + behind, sizeof( *data ) - behind );
    return error;
}

/***********************************************************************
 *      WSAStartup   (WS2_32.115)
 */
int WINAPI WSAStartup( WORD version, LPWSADATA data )
{
    WSADATA result = { 0 };
    int error;

    /* the version that the caller asks for when it is one of ours, the highest otherwise; 0.x is none, and is told ours */
    result.wHighVersion = MAKEWORD( 2, 2 );
    result.wVersion = !LOBYTE( version ) || LOBYTE( version ) > 2 || ( LOBYTE( version ) == 2 && HIBYTE( version ) > 2 )
                          ? MAKEWORD( 2, 2 )
                      : LOBYTE( version ) == 1 && HIBYTE( version ) > 1 ? MAKEWORD( 1, 1 )
                                                                        : version;
    strcpy( result.szDescription, "WinSock 2.0" );
    strcpy( result.szSystemStatus, "Running" );
    if ( LOBYTE( result.wVersion ) == 1 ) result.iMaxSockets = 32767, result.iMaxUdpDg = 65467;
    error = write_data( data, &result );
    if ( !LOBYTE( version ) ) return WSAVERNOTSUPPORTED;
    if ( error ) return error;
    if ( ws2_attach() ) return WSASYSNOTREADY;
    if ( !ws2_started || LOBYTE( result.wVersion ) < LOBYTE( ws2_version ) ) ws2_version = result.wVersion;
    InterlockedIncrement( &ws2_started );
    return WS2_RESULT( 0, 0, "version=%#x", version );
}

/* The last clean-up closes every socket that the process still has; a handle of \Device\Afd is not Winsock's. */
static void close_all( void )
{
    struct ws2_handle_params next = { 0 };

    while ( !ws2_call( socket_next, &next ) && next.handle )
    {
        struct ws2_socket_info_params info = { .handle = next.handle };

        if ( ws2_call( socket_info, &info ) || !( info.flags & WS2_FLAG_HELPER ) ) socket_close( (SOCKET)next.handle );
    }
}

/***********************************************************************
 *      WSACleanup   (WS2_32.116)
 */
int WINAPI WSACleanup( void )
{
    LONG count = ws2_started;

    if ( blocking_turns && blocking_inside() ) return WS2_RESULT_OF( WSAEINPROGRESS, "inside a blocking hook" );
    do {
        if ( !count ) return WS2_RESULT_OF( WSANOTINITIALISED, "not started" );
    } while ( !__atomic_compare_exchange_n( &ws2_started, &count, count - 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST ) );
    if ( count == 1 ) close_all();
    return WS2_RESULT_OF( 0, "%ld left", count - 1 );
}

NTSTATUS NTAPI NtClose( HANDLE handle );

/* A process that waits for this one to end finds its sockets closed, as on Windows. The loader's server would close the handles a
 * moment after it has told the waiter, so those of a process with few sockets are closed first; one with thousands is not
 * held up by that. */
#define CLOSED_AT_EXIT 64

static void process_ends( void )
{
    struct ws2_operation_flush_params flush = { .timeout = 5000 };
    struct ws2_handle_params next = { 0 };

    /* what a non-blocking send left to this process is not lost with it; the I/O thread is gone already */
    ws2host_call( ws2_call_operation_flush, &flush );
    for ( unsigned int i = 0; i < CLOSED_AT_EXIT && !ws2_call( socket_next, &next ) && next.handle; i++ )
        NtClose( (HANDLE)(UINT_PTR)next.handle );
    ws2host_call( ws2_call_process_end, &next );
}

static void thread_ends( struct thread_data *data )
{
    completion_thread_ends( data );
    port_user_ends( &data->port_user );
    counts_thread_ends( data );
}

static BOOL elsewhere; /* another ws2_32.dll serves, or none */

BOOL WINAPI DllMain( HINSTANCE instance, DWORD reason, void *reserved )
{
    switch ( reason )
    {
    case DLL_PROCESS_ATTACH:
        DisableThreadLibraryCalls( instance );
        ws2_upcalls = ( struct ws2_upcalls ){ .io_thread = io_thread,
                                              .thread_ends = thread_ends,
                                              .operations_ended = completion_deliver_at_port,
                                              .adopt_copies = handle_copies_adopt,
                                              .path_named = hooks_patch };
        if ( !( elsewhere = fallback_begin( instance ) ) ) hooks_install_early( hook_table, &patched_function );
        break;
    case DLL_PROCESS_DETACH:
        if ( reserved && !elsewhere ) process_ends();
        break;
    }
    return TRUE;
}
