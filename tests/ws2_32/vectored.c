/*
 * A program with a vectored exception handler, which sees every exception before anybody else: none is raised where the system
 * writes results and finds a bad pointer, and what ends beside that is told of as ever.
 */
#include "support.h"

typedef LONG NTSTATUS;
typedef struct
{
    ULONG_PTR status, information;
} STATUS_BLOCK;

static NTSTATUS( NTAPI *remove_packet )( HANDLE port, ULONG_PTR *key, ULONG_PTR *value, STATUS_BLOCK *iosb,
                                         LARGE_INTEGER *timeout );
static volatile LONG exceptions;
static SOCKET client, server; /* server's end is at the port */
static HANDLE port;

static LONG CALLBACK count_exceptions( EXCEPTION_POINTERS *pointers )
{
    if ( pointers->ExceptionRecord->ExceptionCode == (DWORD)EXCEPTION_ACCESS_VIOLATION )
        InterlockedIncrement( &exceptions );
    return EXCEPTION_CONTINUE_SEARCH;
}

static void check_none( const char *what )
{
    const LONG count = InterlockedExchange( &exceptions, 0 );

    ok( !count, "%s: the handler saw %ld exceptions\n", what, count );
}

static void test_packets( void )
{
    void *bad[] = { memory_unmapped(), memory_read_only() };
    const NTSTATUS violation = (NTSTATUS)0xc0000005;
    LARGE_INTEGER second = { .QuadPart = -10000000 }, none = { .QuadPart = 0 };
    OVERLAPPED_ENTRY entry;
    STATUS_BLOCK iosb;
    ULONG_PTR key, value;
    NTSTATUS status;
    ULONG count;

    for ( unsigned int i = 0; i < ARRAY_SIZE( bad ); i++ )
    {
        for ( unsigned int which = 0; which < 3; which++ )
        {
            ok( PostQueuedCompletionStatus( port, 1, 2, NULL ), "error %lu\n", GetLastError() );
            status = remove_packet( port, which == 0 ? bad[i] : &key, which == 1 ? bad[i] : &value,
                                    which == 2 ? bad[i] : &iosb, &second );
            ok( status == violation, "pointer %u: status %#lx\n", which, status );
            check_none( "NtRemoveIoCompletion" );
            while ( !remove_packet( port, &key, &value, &iosb, &none ) ) continue;
        }
        for ( unsigned int which = 0; which < 2; which++ )
        {
            BOOL taken;

            ok( PostQueuedCompletionStatus( port, 1, 2, NULL ), "error %lu\n", GetLastError() );
            SetLastError( ERROR_UNTOUCHED );
            taken = GetQueuedCompletionStatusEx( port, which == 0 ? bad[i] : &entry, 1, which == 1 ? bad[i] : &count,
                                                 1000, FALSE );
            ok( !taken && GetLastError() == ERROR_NOACCESS, "pointer %u: %d, error %lu\n", which, taken,
                GetLastError() );
            check_none( "GetQueuedCompletionStatusEx" );
            while ( !remove_packet( port, &key, &value, &iosb, &none ) ) continue;
        }
    }
}

/* Several receives wait, and a send ends them together; the OVERLAPPED of the one before the last cannot be written. */
static void test_status_blocks( BOOL with_events )
{
    OVERLAPPED *bad = VirtualAlloc( NULL, 4096, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE ), first, last, *found = NULL;
    HANDLE events[3];
    char bytes[3] = "";
    ULONG_PTR key;
    DWORD size = 0, old;
    BOOL taken = TRUE;

    for ( unsigned int i = 0; i < 3; i++ ) events[i] = with_events ? CreateEventW( NULL, TRUE, FALSE, NULL ) : NULL;
    receive_byte( server, &first, events[0], &bytes[0] );
    receive_byte( server, bad, events[1], &bytes[1] );
    receive_byte( server, &last, events[2], &bytes[2] );
    VirtualProtect( bad, 4096, PAGE_READONLY, &old );
    check_result( send( client, "abc", 3, 0 ), 3 );
    for ( unsigned int i = 0; i < 3 && taken && found != &last; i++ )
        taken = GetQueuedCompletionStatus( port, &size, &key, &found, 10000 );
    ok( found == &last && size == 1 && !last.Internal && last.InternalHigh == 1,
        "packet of %p, %lu bytes, status %#llx\n", (void *)found, size, (unsigned long long)last.Internal );
    ok( !memcmp( bytes, "abc", 3 ), "received %.3s\n", bytes );
    ok( !first.Internal && first.InternalHigh == 1, "the first: status %#llx\n", (unsigned long long)first.Internal );
    for ( unsigned int i = 0; with_events && i < 3; i++ )
    {
        ok( i == 1 || !WaitForSingleObject( events[i], 10000 ), "event %u is not set\n", i );
        CloseHandle( events[i] );
    }
    check_none( with_events ? "receives with events" : "receives" );
    VirtualFree( bad, 0, MEM_RELEASE );
}

START_TEST( vectored )
{
    void *handler;

    if ( support_begin() ) return;
    remove_packet = (void *)GetProcAddress( GetModuleHandleW( L"ntdll.dll" ), "NtRemoveIoCompletion" );
    port = CreateIoCompletionPort( INVALID_HANDLE_VALUE, NULL, 0, 0 );
    tcp_pair( &client, &server );
    ok( CreateIoCompletionPort( (HANDLE)server, port, 7, 0 ) == port, "error %lu\n", GetLastError() );
    handler = AddVectoredExceptionHandler( 1, count_exceptions );
    test_packets();
    test_status_blocks( FALSE );
    test_status_blocks( TRUE );
    RemoveVectoredExceptionHandler( handler );
    closesocket( client );
    closesocket( server );
    CloseHandle( port );
    support_end();
}
