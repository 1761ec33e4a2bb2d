#include "requests.h"

void *extension_( const char *file, int line, SOCKET s, GUID guid )
{
    void *function = NULL;
    DWORD size = 0;
    int result = WSAIoctl( s, SIO_GET_EXTENSION_FUNCTION_POINTER, &guid, sizeof( guid ), &function, sizeof( function ),
                           &size, NULL, NULL );

    ok_( file, line )( !result && function, "no such function, error %d\n", WSAGetLastError() );
    ok_( file, line )( result || size == sizeof( function ), "size %lu\n", size );
    return function;
}

void prepare_overlapped( OVERLAPPED *ov, HANDLE event )
{
    memset( ov, 0, sizeof( *ov ) );
    ov->Internal = INTERNAL_UNTOUCHED;
    ov->InternalHigh = INTERNAL_HIGH_UNTOUCHED;
    ov->hEvent = event;
    if ( event ) ResetEvent( (HANDLE)( (ULONG_PTR)event & ~(ULONG_PTR)1 ) );
}

struct routine_seen routine_seen;

void CALLBACK routine( DWORD error, DWORD size, OVERLAPPED *ov, DWORD flags )
{
    routine_seen.calls++;
    routine_seen.error = error;
    routine_seen.size = size;
    routine_seen.flags = flags;
    routine_seen.thread = GetCurrentThreadId();
    routine_seen.overlapped = ov;
}

void check_packet_( const char *file, int line, HANDLE port, DWORD ms, ULONG_PTR key, OVERLAPPED *ov, BOOL result,
                    DWORD error, DWORD size )
{
    OVERLAPPED *got = NULL;
    ULONG_PTR got_key = 0;
    DWORD got_size = 0xdead;
    BOOL success;

    SetLastError( ERROR_UNTOUCHED );
    success = GetQueuedCompletionStatus( port, &got_size, &got_key, &got, ms );
    ok_( file, line )( got == ov, "packet of %p, expected %p, error %lu\n", (void *)got, (void *)ov, GetLastError() );
    if ( got != ov ) return;
    ok_( file, line )( success == result, "returned %d, error %lu\n", success, GetLastError() );
    if ( !success ) ok_( file, line )( GetLastError() == error, "error %lu, expected %lu\n", GetLastError(), error );
    ok_( file, line )( got_key == key, "key %#llx, expected %#llx\n", (unsigned long long)got_key,
                       (unsigned long long)key );
    ok_( file, line )( got_size == size, "size %lu, expected %lu\n", got_size, size );
}

void check_no_packet_( const char *file, int line, HANDLE port, DWORD ms )
{
    OVERLAPPED *got = (OVERLAPPED *)1;
    ULONG_PTR key;
    DWORD size = 0;

    ok_( file, line )( !GetQueuedCompletionStatus( port, &size, &key, &got, ms ) && !got, "a packet of %p, size %lu\n",
                       (void *)got, size );
}
