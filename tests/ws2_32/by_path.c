/*
 * How the bridge comes by its host half, on loaders that are stood in for: one that has it beside the DLL; one that loads it
 * by its path, as Wine 11.2 and later do; one that knows no such call. The bridge's source is part of this program, with
 * its calls of the loader led here; sockets are no part of this, so it is the same anywhere.
 */
#include "support.h"
#include <winternl.h>

static NTSTATUS NTAPI loader_query( HANDLE process, const void *address, int class, void *buffer, SIZE_T size,
                                    SIZE_T *result );
static FARPROC loader_address( HMODULE module, const char *name );

#define WS2_LIBRARY "/opt/ws2host"
#define DllMain bridge_main
#define NtQueryVirtualMemory( process, address, class, buffer, size, result ) \
    loader_query( process, address, class, buffer, size, result )
#define GetProcAddress( module, name ) loader_address( module, name )
#include "../../dlls/ws2host/bridge.c"
#undef NtQueryVirtualMemory
#undef GetProcAddress

#define CLASS_UNKNOWN ( (NTSTATUS)0xc0000003 )
#define NOT_FOUND ( (NTSTATUS)STATUS_DLL_NOT_FOUND )
#define BESIDE 0x1234567812345678ull
#define BY_PATH 0x8765432187654321ull

#ifdef __i386__
#define ARCHITECTURES 2
static const char *const architectures[ARCHITECTURES] = { "i386-unix", "x86_64-unix" };
#else
#define ARCHITECTURES 1
static const char *const architectures[ARCHITECTURES] = { "x86_64-unix" };
#endif

/* what the loader does */
static BOOL has_beside;         /* class 1000 finds it */
static NTSTATUS by_path_status; /* of class 1002, but for the attempt that finds it */
static int found_at;            /* which attempt that is; -1: none */
/* what it saw */
static char attempts[8][300];
static int attempt_count;
static UINT64 called;

static NTSTATUS NTAPI loader_query( HANDLE process, const void *address, int class, void *buffer, SIZE_T size,
                                    SIZE_T *result )
{
    const UNICODE_STRING *name = address;
    UINT64 *answer = buffer;

    ok( process == GetCurrentProcess() && !result, "another process, or a size is wanted\n" );
    if ( class == 1000 )
    {
        ok( size == sizeof( UINT64 ), "size %u\n", (unsigned int)size );
        if ( has_beside ) *answer = BESIDE;
        return has_beside ? 0 : NOT_FOUND;
    }
    ok( class == 1002 && size == 2 * sizeof( UINT64 ), "class %d, size %u\n", class, (unsigned int)size );
    ok( attempt_count < 8 && name->Length < 600, "%d attempts, %u bytes\n", attempt_count, name->Length );
    for ( unsigned int i = 0; i < name->Length / 2u; i++ ) attempts[attempt_count][i] = name->Buffer[i];
    attempts[attempt_count][name->Length / 2] = 0;
    if ( attempt_count++ != found_at ) return by_path_status;
    answer[0] = 1; /* the module, which is nothing to the bridge */
    answer[1] = BY_PATH;
    return 0;
}

static NTSTATUS WINAPI loader_call( UINT64 handle, unsigned int code, void *args )
{
    (void)args;
    called = handle;
    return code;
}

static NTSTATUS( WINAPI *dispatcher )( UINT64, unsigned int, void * ) = loader_call;

static FARPROC loader_address( HMODULE module, const char *name )
{
    (void)module;
    return (FARPROC)(UINT_PTR)( strcmp( name, "__wine_unix_call_dispatcher" ) ? (void *)loader_query
                                                                              : (void *)&dispatcher );
}

/* The bridge is loaded, with that folder named by the environment; NULL: none. */
static void load( const char *named )
{
    attempt_count = 0;
    called = 0;
    status = 0;
    SetEnvironmentVariableA( "WS2HOST_LIBRARY", named );
    check_result( bridge_main( GetModuleHandleA( NULL ), DLL_PROCESS_ATTACH, NULL ), TRUE );
    SetEnvironmentVariableA( "WS2HOST_LIBRARY", NULL );
}

/* Attempts from that number on were one for each architecture in that folder. */
static void check_attempts( int first, const char *folder )
{
    char wanted[300];

    for ( int i = 0; i < ARCHITECTURES; i++ )
    {
        snprintf( wanted, sizeof( wanted ), "\\??\\unix%s\\%s\\ws2host.so", folder, architectures[i] );
        ok( first + i < attempt_count && !strcmp( attempts[first + i], wanted ), "attempt %d is %s, not %s\n",
            first + i, attempts[first + i], wanted );
    }
}

static void test_beside( void )
{
    has_beside = TRUE;
    load( "/somewhere" );
    has_beside = FALSE;
    check_result( ws2host_ready(), 0 );
    ok( !attempt_count, "%d attempts\n", attempt_count );
    check_result( ws2host_call( 7, NULL ), 7 );
    ok( called == BESIDE, "another host half was called\n" );
}

static void test_by_path( void )
{
    by_path_status = NOT_FOUND;
    /* each place in its turn: the named folder before the installed one, a host process of the program's width first */
    for ( found_at = 0; found_at < 2 * ARCHITECTURES; found_at++ )
    {
        load( "/some where/build/lib" );
        check_result( ws2host_ready(), 0 );
        ok( attempt_count == found_at + 1, "%d attempts\n", attempt_count );
        check_result( ws2host_call( 9, NULL ), 9 );
        ok( called == BY_PATH, "another host half was called\n" );
    }
    check_attempts( 0, "\\some where\\build\\lib" );
    check_attempts( ARCHITECTURES, "\\opt\\ws2host" );

    found_at = 0;
    load( NULL );
    check_result( ws2host_ready(), 0 );
    ok( attempt_count == 1, "%d attempts\n", attempt_count );
}

static void check_nowhere( void )
{
    ok( ws2host_ready() != 0, "there is a host half\n" );
    check_result( ws2host_call( 7, NULL ), NOT_FOUND );
    ok( !called, "a host half was called\n" );
}

static void test_nowhere( void )
{
    const NTSTATUS statuses[] = { NOT_FOUND, CLASS_UNKNOWN };

    found_at = -1;
    for ( unsigned int i = 0; i < ARRAY_SIZE( statuses ); i++ )
    {
        by_path_status = statuses[i];
        load( NULL );
        check_nowhere();
        ok( attempt_count == ARCHITECTURES, "%d attempts\n", attempt_count );
        check_attempts( 0, "\\opt\\ws2host" );
    }
}

/* What is no path of the host, or a longer one than there can be, is not asked for. */
static void test_unusable_names( void )
{
    char name[1020];

    load( "build/lib" );
    check_nowhere();
    ok( attempt_count == ARCHITECTURES, "%d attempts\n", attempt_count );
    memset( name, 'x', sizeof( name ) );
    name[0] = '/';
    name[sizeof( name ) - 1] = 0;
    load( name );
    check_nowhere();
    ok( attempt_count == ARCHITECTURES, "%d attempts\n", attempt_count );
}

START_TEST( by_path )
{
    test_beside();
    test_by_path();
    test_nowhere();
    test_unusable_names();
}
