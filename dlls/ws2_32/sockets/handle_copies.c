/*
 * What is left of a socket when a descriptor of it is closed: requests belong to the socket and end with its last handle in
 * the process, polls of \Device\Afd with AFD_POLL_CLOSE only with the last one in the system.
 *
 * ws2host counts descriptors; a copy that DuplicateHandle made, or a child's that inherited it, is none before somebody uses
 * it as a socket. The loader counts handles, and is asked only when something waits: a poll, or a request when this process
 * has made copies. The latest copies that were made for this process are remembered by value: one that is of the same object
 * becomes a descriptor, and what waits is its own from then on. Values are compared by the loader, so that a stale one does
 * no harm.
 */
#include "sockets/handle_copies.h"
#include "ntdll/hooks.h"
#include "base/nt_codes.h"

NTSTATUS NTAPI NtCompareObjects( HANDLE first, HANDLE second );

#define REMEMBERED 64

static HANDLE copies[REMEMBERED];
static LONG copied;

void handle_copied( HANDLE copy )
{
    __atomic_store_n( &copies[(ULONG)InterlockedIncrement( &copied ) % REMEMBERED], copy, __ATOMIC_RELAXED );
}

static BOOL survives( HANDLE copy, HANDLE socket )
{
    if ( !copy || copy == socket || NtCompareObjects( copy, socket ) ) return FALSE;
    return hooks_is_socket( copy ) || ws2_adopt( (UINT_PTR)copy );
}

/* Whether the object that copies are of has other handles. Of a stand-in they are made of another handle, if any were. */
static BOOL has_others( const struct ws2_handle_params *params )
{
    const HANDLE object = (HANDLE)(UINT_PTR)( params->pooled ? params->real : params->handle );
    PUBLIC_OBJECT_BASIC_INFORMATION basic;

    return object && !nt_NtQueryObject( object, OBJECT_BASIC_INFORMATION, &basic, sizeof( basic ), NULL ) &&
           basic.HandleCount > 1;
}

void handle_copies_adopt( UINT_PTR s )
{
    struct ws2_handle_params params = { .handle = s };

    if ( !copied || ws2host_call( ws2_call_operation_pending, &params ) || ( params.pooled && !params.real ) ) return;
    for ( unsigned int i = 0; i < REMEMBERED; i++ )
    {
        const HANDLE copy = __atomic_load_n( &copies[i], __ATOMIC_RELAXED );

        if ( !hooks_is_socket( copy ) ) survives( copy, (HANDLE)s );
    }
}

void handle_copies( struct ws2_handle_params *params )
{
    HANDLE socket = (HANDLE)(UINT_PTR)params->handle;

    if ( ws2host_call( ws2_call_operation_pending, params ) || params->error ) return;
    if ( !params->polled && !copied ) return;
    if ( !has_others( params ) ) return;
    params->other_handles = 1;
    for ( unsigned int i = 0; i < REMEMBERED && !params->survivor; i++ )
    {
        const HANDLE copy = __atomic_load_n( &copies[i], __ATOMIC_RELAXED );

        if ( survives( copy, socket ) ) params->survivor = (UINT_PTR)copy;
    }
}
