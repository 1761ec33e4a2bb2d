/*
 * Handles used again: what stands behind a SOCKET's value in the loader's server is a stand-in, one object for all SOCKETs of
 * the process. A handle is taken from here when a socket is made, and comes back when it is closed, so that neither asks
 * the loader's server anything, and it holds no descriptor of the socket.
 *
 * What leaves the process, by inheritance, DuplicateHandle or as a standard handle, is a handle of the host socket itself,
 * made with the first copy and kept with the SOCKET (`real`); hooks/replacement.c and hooks/handles.c see to that. A value that
 * is free is no handle to the program: the hooks say so. Hence there is no pool where system calls cannot be replaced.
 *
 * Children that inherit everything have the handles put right one by one. Once there was such a child, SOCKETs that children
 * inherit are made with handles of their own, so that the next child costs what it costs without Winsock.
 *
 * What the loader has been told to remember of a handle (WS2_POOLED_MARKED), like its protection from being closed, stays with the value:
 * such a handle is closed instead of coming back. pool_lock is held while the array is touched, and nothing is called with it.
 */
#include "base/ws2_32_private.h"
#include "ntdll/hooks.h"
#include "sockets/handle_pool.h"
#include "base/nt_codes.h"

#define KEPT 1024

static SRWLOCK pool_lock = SRWLOCK_INIT;
static HANDLE free_handles[KEPT];
static unsigned int free_count;
static HANDLE stand_in;
static LONG parent; /* of children that inherit everything */

/* What handle_pool_hold keeps, in a list that is as long as it must be. */
static SRWLOCK hold_lock = SRWLOCK_INIT;
static unsigned int holders, held_count, held_room;
static HANDLE *held;

/* A new handle of a host descriptor, NULL on failure. */
static HANDLE make_handle( int fd, ULONG attributes )
{
    void *handle = NULL;

    count_asked();
    return ws2host_fd_to_handle( fd, attributes, &handle ) ? NULL : handle;
}

static BOOL make_stand_in( void )
{
    struct ws2_fd_params params = { .fd = -1 };
    HANDLE handle;

    if ( ws2host_call( ws2_call_stand_in, &params ) || params.error ) return FALSE;
    handle = make_handle( params.fd, 0 );
    ws2_close_fd( params.fd );
    if ( handle && InterlockedCompareExchangePointer( &stand_in, handle, NULL ) ) nt_NtClose( handle );
    return stand_in != NULL;
}

HANDLE handle_pool_take( DWORD flags )
{
    HANDLE handle = NULL;

    if ( !hooks_complete || ( !( flags & WSA_FLAG_NO_HANDLE_INHERIT ) && parent ) ) return NULL;
    lock_exclusive( &pool_lock );
    if ( free_count ) handle = free_handles[--free_count];
    ReleaseSRWLockExclusive( &pool_lock );
    if ( handle || ( !stand_in && !make_stand_in() ) ) return handle;
    return nt_NtDuplicateObject( GetCurrentProcess(), stand_in, GetCurrentProcess(), &handle, 0, 0,
                                 DUPLICATE_SAME_ACCESS )
               ? NULL
               : handle;
}

static BOOL give( HANDLE handle )
{
    BOOL kept;

    lock_exclusive( &pool_lock );
    if ( ( kept = free_count < KEPT ) ) free_handles[free_count++] = handle;
    ReleaseSRWLockExclusive( &pool_lock );
    return kept;
}

static BOOL hold_instead( HANDLE real )
{
    HANDLE *more;
    BOOL kept = FALSE;

    lock_exclusive( &hold_lock );
    if ( holders && held_count == held_room && ( more = realloc( held, ( 2 * held_room + 16 ) * sizeof( *more ) ) ) )
    {
        held = more;
        held_room = 2 * held_room + 16;
    }
    if ( ( kept = holders && held_count < held_room ) ) held[held_count++] = real;
    ReleaseSRWLockExclusive( &hold_lock );
    return kept;
}

static void close_real( UINT32 real )
{
    const HANDLE handle = (HANDLE)(UINT_PTR)real;

    if ( !real || hold_instead( handle ) ) return;
    count_asked();
    nt_NtClose( handle );
}

void handle_pool_hold( BOOL on )
{
    HANDLE *closed = NULL;
    unsigned int count = 0;

    lock_exclusive( &hold_lock );
    holders += on ? 1 : -1;
    if ( !holders )
    {
        closed = held;
        count = held_count;
        held = NULL;
        held_count = held_room = 0;
    }
    ReleaseSRWLockExclusive( &hold_lock );
    while ( count ) nt_NtClose( closed[--count] );
    free( closed );
}

static void end_closing( UINT64 handle )
{
    struct ws2_handle_params params = { .handle = handle };

    ws2host_call( ws2_call_close_end, &params );
}

/* A value of the pool's, which is nothing to us before it can be another object's. */
static void give_up( HANDLE handle )
{
    end_closing( (UINT_PTR)handle );
    nt_NtClose( handle );
}

void handle_pool_end( UINT64 handle, UINT32 pooled, UINT32 real )
{
    HANDLE closed = (HANDLE)(UINT_PTR)handle;

    close_real( real );
    if ( pooled )
    {
        if ( !give( closed ) ) give_up( closed );
        return;
    }
    nt_NtClose( closed );
    end_closing( handle );
}

void handle_pool_give_back( HANDLE handle )
{
    /* one that was new has not been free to anybody */
    if ( handle && !( hooks_is_free( handle ) && give( handle ) ) ) give_up( handle );
}

SOCKET handle_pool_install( int fd, UINT64 descriptor, DWORD flags, int *error )
{
    return handle_pool_install_under( handle_pool_take( flags ), fd, descriptor, flags, error );
}

SOCKET handle_pool_install_under( HANDLE handle, int fd, UINT64 descriptor, DWORD flags, int *error )
{
    struct ws2_socket_install_params install = { .descriptor = descriptor,
                                                 .inherited = !( flags & WSA_FLAG_NO_HANDLE_INHERIT ) };

    install.pooled = handle != NULL;
    if ( !handle && !( handle = make_handle( fd, install.inherited ? OBJ_INHERIT : 0 ) ) )
    {
        ws2host_call( ws2_call_socket_discard, &install );
        *error = WSAEMFILE;
        return INVALID_SOCKET;
    }
    install.handle = ws2_pointer( handle );
    if ( ( *error = ws2host_call( ws2_call_socket_install, &install ) ? WSAEFAULT : install.error ) )
    {
        ws2host_call( ws2_call_socket_discard, &install );
        give_up( handle );
        return INVALID_SOCKET;
    }
    return (SOCKET)handle;
}

void handle_pool_inherited( void ) { InterlockedExchange( &parent, 1 ); }

BOOL handle_pool_look( HANDLE handle, struct ws2_socket_pooled_params *pooled )
{
    *pooled = ( struct ws2_socket_pooled_params ){ .handle = (UINT_PTR)handle & ~(UINT_PTR)3 };
    return hooks_is_socket( handle ) && !ws2host_call( ws2_call_socket_pooled, pooled ) && pooled->pooled;
}

BOOL handle_pool_has( HANDLE handle, BOOL *inherited )
{
    struct ws2_socket_pooled_params pooled;

    if ( !handle_pool_look( handle, &pooled ) ) return FALSE;
    if ( inherited ) *inherited = pooled.inherited;
    return TRUE;
}

HANDLE handle_pool_real( HANDLE handle )
{
    struct ws2_socket_replaced_params params = { .handle = (UINT_PTR)handle & ~(UINT_PTR)3 };
    struct ws2_socket_real_params keep = { .handle = params.handle };
    HANDLE made;

    if ( !hooks_is_socket( handle ) || ws2host_call( ws2_call_socket_replaced, &params ) ) return handle;
    if ( !params.pooled )
    {
        ws2_close_fd( params.fd );
        return handle;
    }
    if ( params.real ) return (HANDLE)(UINT_PTR)params.real;
    if ( params.error ) return NULL;
    made = make_handle( params.fd, 0 );
    ws2_close_fd( params.fd );
    if ( !made ) return NULL;
    keep.real = (UINT32)(UINT_PTR)made;
    ws2host_call( ws2_call_socket_real, &keep );
    close_real( keep.unused );
    return keep.error ? NULL : (HANDLE)(UINT_PTR)keep.real;
}

BOOL handle_pool_find_file( HANDLE *handle )
{
    return !hooks_is_free( *handle ) && ( !hooks_is_socket( *handle ) || ( *handle = handle_pool_real( *handle ) ) );
}
