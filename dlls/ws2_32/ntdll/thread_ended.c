/* See thread_ended.h. */
#include "ntdll/hooks.h"
#include "ntdll/thread_ended.h"

#define DYING_MS 10 /* a thread whose object says that it has ended may run for a moment still */

BOOL thread_has_ended( DWORD thread )
{
    const LARGE_INTEGER none = { .QuadPart = 0 };
    const DWORD error = GetLastError();
    HANDLE handle = OpenThread( SYNCHRONIZE | THREAD_QUERY_LIMITED_INFORMATION, FALSE, thread );
    BOOL ended;

    if ( !handle ) ended = GetLastError() == ERROR_INVALID_PARAMETER;
    else
    {
        ended = GetProcessIdOfThread( handle ) != GetCurrentProcessId() ||
                !nt_NtWaitForSingleObject( handle, FALSE, (LARGE_INTEGER *)&none );
        nt_NtClose( handle );
    }
    if ( ended ) Sleep( DYING_MS );
    SetLastError( error );
    return ended;
}
