/*
 * What the hooks cost the files that are no sockets: each hook is called with a handle that is none of ours
 * through ntdll's thunk, while the system call behind it is, for that long, two instructions that return an error. The same
 * two instructions called directly are subtracted. ns a call; medians of ROUNDS rounds of CALLS calls.
 */
#include <winsock2.h>
#include <windows.h>
#include <winternl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 21
#define CALLS 200000

typedef NTSTATUS( NTAPI *system_call )( ULONG_PTR, ULONG_PTR, ULONG_PTR, ULONG_PTR, ULONG_PTR, ULONG_PTR, ULONG_PTR,
                                        ULONG_PTR, ULONG_PTR, ULONG_PTR, ULONG_PTR );

static UNICODE_STRING name = { 40, 42, L"\\??\\C:\\some\\file.txt" };
static OBJECT_ATTRIBUTES attributes = { .Length = sizeof( attributes ), .ObjectName = &name };
static HANDLE handles[3];

enum argument
{
    A_HANDLE,
    A_NOTHING,
    A_PROCESS,
    A_COUNT, /* of handles */
    A_HANDLES,
    A_ATTRIBUTES, /* third */
    A_CODE        /* sixth: of a file system */
};

static const struct
{
    const char *name;
    enum argument first, second, third;
    ULONG_PTR sixth;
} calls[] = {
    { "NtClose", A_HANDLE, A_NOTHING, A_NOTHING, 0 },
    { "NtDuplicateObject", A_PROCESS, A_HANDLE, A_PROCESS, 0 },
    { "NtReadFile", A_HANDLE, A_NOTHING, A_NOTHING, 0 },
    { "NtWriteFile", A_HANDLE, A_NOTHING, A_NOTHING, 0 },
    { "NtSetInformationFile", A_HANDLE, A_NOTHING, A_NOTHING, 0 },
    { "NtCancelIoFile", A_HANDLE, A_NOTHING, A_NOTHING, 0 },
    { "NtCancelIoFileEx", A_HANDLE, A_NOTHING, A_NOTHING, 0 },
    { "NtWaitForSingleObject", A_HANDLE, A_NOTHING, A_NOTHING, 0 },
    { "NtWaitForMultipleObjects", A_COUNT, A_HANDLES, A_NOTHING, 0 },
    { "NtQueryObject", A_HANDLE, A_NOTHING, A_NOTHING, 0 },
    { "NtCreateFile", A_NOTHING, A_NOTHING, A_ATTRIBUTES, 0 },
    { "NtOpenFile", A_NOTHING, A_NOTHING, A_ATTRIBUTES, 0 },
    { "NtDeviceIoControlFile", A_HANDLE, A_NOTHING, A_NOTHING, 0x2d1080 },
    { "NtSetIoCompletion", A_HANDLE, A_NOTHING, A_NOTHING, 0 },
    { "NtQueryIoCompletion", A_HANDLE, A_NOTHING, A_NOTHING, 0 },
    { "NtSetInformationObject", A_HANDLE, A_NOTHING, A_NOTHING, 0 },
    { "NtRemoveIoCompletion", A_HANDLE, A_NOTHING, A_NOTHING, 0 },
    { "NtRemoveIoCompletionEx", A_HANDLE, A_NOTHING, A_NOTHING, 0 },
    { "NtQueueApcThread", A_HANDLE, A_NOTHING, A_NOTHING, 0 },
};

static ULONG_PTR value_of( enum argument argument )
{
    switch ( argument )
    {
    case A_HANDLE: return (ULONG_PTR)handles[0];
    case A_PROCESS: return (ULONG_PTR)GetCurrentProcess();
    case A_COUNT: return 3;
    case A_HANDLES: return (ULONG_PTR)handles;
    case A_ATTRIBUTES: return (ULONG_PTR)&attributes;
    case A_NOTHING:
    case A_CODE: break;
    }
    return 0;
}

static int compare( const void *a, const void *b )
{
    const double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static double one_round( system_call call, unsigned int i )
{
    const ULONG_PTR a = value_of( calls[i].first ), b = value_of( calls[i].second ), c = value_of( calls[i].third );
    LARGE_INTEGER frequency, begin, end;

    QueryPerformanceFrequency( &frequency );
    QueryPerformanceCounter( &begin );
    for ( unsigned int n = 0; n < CALLS; n++ ) call( a, b, c, 0, 0, calls[i].sixth, 0, 0, 0, 0, 0 );
    QueryPerformanceCounter( &end );
    return (double)( end.QuadPart - begin.QuadPart ) * 1e9 / frequency.QuadPart / CALLS;
}

/* The copy of the thunk that the hook calls: behind the far jump that the thunk jumps to (dlls/ws2_32/ntdll/hooks.c). */
static unsigned char *copy_of( const unsigned char *thunk )
{
    INT32 distance;

    if ( !thunk || thunk[0] != 0xe9 ) return NULL;
    memcpy( &distance, thunk + 1, sizeof( distance ) );
    return (unsigned char *)thunk + 5 + distance + 16;
}

static int measure( unsigned int i )
{
    static const unsigned char error[6] = {
        0xb8, 0x08, 0x00, 0x00, 0xc0, 0xc3
    }; /* mov $STATUS_INVALID_HANDLE,%eax; ret */
    unsigned char *thunk = (unsigned char *)(UINT_PTR)GetProcAddress( GetModuleHandleA( "ntdll.dll" ), calls[i].name );
    unsigned char *copy = copy_of( thunk ), kept[sizeof( error )];
    double through[ROUNDS], direct[ROUNDS];
    DWORD before;

    if ( !copy )
    {
        printf( "%-26s not stood in for\n", calls[i].name );
        return 0;
    }
    VirtualProtect( copy, sizeof( error ), PAGE_EXECUTE_READWRITE, &before );
    memcpy( kept, copy, sizeof( kept ) );
    memcpy( copy, error, sizeof( error ) );
    for ( unsigned int round = 0; round < ROUNDS; round++ )
    {
        through[round] = one_round( (system_call)(UINT_PTR)thunk, i );
        direct[round] = one_round( (system_call)(UINT_PTR)copy, i );
    }
    memcpy( copy, kept, sizeof( kept ) );
    VirtualProtect( copy, sizeof( error ), before, &before );
    qsort( through, ROUNDS, sizeof( double ), compare );
    qsort( direct, ROUNDS, sizeof( double ), compare );
    printf( "%-26s %6.1f\n", calls[i].name, through[ROUNDS / 2] - direct[ROUNDS / 2] );
    fflush( stdout );
    return through[ROUNDS / 2] - direct[ROUNDS / 2] > 10;
}

int main( void )
{
    SOCKET sockets[3];
    WSADATA data;
    int slow = 0;

    WSAStartup( 0x202, &data );
    /* handles of both kinds side by side: the look-up goes all the way */
    for ( unsigned int i = 0; i < 3; i++ )
    {
        sockets[i] = socket( AF_INET, SOCK_DGRAM, 0 );
        handles[i] = CreateEventW( NULL, TRUE, TRUE, NULL );
    }
    for ( unsigned int i = 0; i < sizeof( calls ) / sizeof( calls[0] ); i++ ) slow += measure( i );
    printf( "%d above 10 ns\n", slow );
    for ( unsigned int i = 0; i < 3; i++ ) closesocket( sockets[i] );
    return slow;
}
