/*
 * Hooks for watches of writes (MEM_WRITE_WATCH). Memory of a receive that waits was written to when that began, so that the host
 * can write there; a watch that begins anew takes that away, and the host half is to know of it before a datagram comes.
 */
#include "base/ws2_32_private.h"
#include "ntdll/hooks.h"

static void begins_anew( void )
{
    static LONG told;
    struct ws2_watches_params params = { 0 };

    if ( !told && !InterlockedExchange( &told, 1 ) ) ws2host_call( ws2_call_watches_begin_anew, &params );
}

NTSTATUS NTAPI hook_NtResetWriteWatch( HANDLE process, void *memory, SIZE_T size )
{
    begins_anew();
    return nt_NtResetWriteWatch( process, memory, size );
}

NTSTATUS NTAPI hook_NtGetWriteWatch( HANDLE process, ULONG flags, void *memory, SIZE_T size, void **addresses,
                                     ULONG_PTR *count, ULONG *granularity )
{
    if ( flags & WRITE_WATCH_FLAG_RESET ) begins_anew();
    return nt_NtGetWriteWatch( process, flags, memory, size, addresses, count, granularity );
}
