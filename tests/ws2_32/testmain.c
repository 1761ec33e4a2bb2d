/*
 * The main program of the winetest executable: finds the test named on the command line, runs it, counts and reports.
 *
 * Without arguments it lists the tests; one name runs that test, NAME:FUNCTION one function of it (with-functions), what stands
 * around it included; several names, or --all, run each in a process of its own.
 * Its exit status is the number of failures, at most 255, also after a crash, which is reported at the last place that a check
 * passed through and counts as one. --json tells each summary to programs too, a line of JSON.
 */
#define __USE_MINGW_ANSI_STDIO 1
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "wine/test.h"

#define X( name ) \
    void func_##name( void ); \
    extern const char *const functions_##name[];
WINETEST_LIST
#undef X

static const struct
{
    const char *name;
    void ( *run )( void );
    const char *const *functions; /* NULL ends them */
} tests[] = {
#define X( name ) { #name, func_##name, functions_##name },
    WINETEST_LIST
#undef X
};

#define TEST_COUNT ( sizeof( tests ) / sizeof( tests[0] ) )
#define MAX_CONTEXTS 16

struct thread_state
{
    const char *file;
    int line;
    int todo_depth, todo_level, todo_loop;
    unsigned int context_count;
    char contexts[MAX_CONTEXTS][128];
};

int winetest_debug = 1;
int winetest_interactive;
const char *winetest_platform = "windows";
BOOL winetest_as_2003; /* as on Windows Server 2003: see newer.h */

static DWORD tls_index;
static char **main_argv;
static int main_argc;
static const char *current_test = "";
static const char *only_function; /* NULL: all of the test's */
static LONG successes, todo_successes, failures, skips, todo_failures;

/* Thread-local storage of the operating system, not of the compiler: tests start threads in every way there is. */
static struct thread_state *state( void )
{
    struct thread_state *result = TlsGetValue( tls_index );

    if ( !result )
    {
        result = calloc( 1, sizeof( *result ) );
        result->file = "?";
        TlsSetValue( tls_index, result );
    }
    return result;
}

/* One write per line, so that the lines of processes sharing an output do not mix. */
static void report( const char *kind, const char *format, va_list arguments )
{
    struct thread_state *here = state();
    char line[4096];
    const char *name = strrchr( here->file, '/' ), *backslash = strrchr( here->file, '\\' );
    size_t length;
    DWORD written;
    unsigned int i;

    if ( backslash > name ) name = backslash;
    name = name ? name + 1 : here->file;
    length = snprintf( line, 512, "%s:%d: ", name, here->line );
    length += snprintf( line + length, 64, "%s", kind );
    for ( i = 0; i < here->context_count && i < MAX_CONTEXTS; i++ )
        length += snprintf( line + length, 160, "%s: ", here->contexts[i] );
    length += vsnprintf( line + length, sizeof( line ) - length, format, arguments );
    if ( length >= sizeof( line ) ) length = sizeof( line ) - 1;
    WriteFile( GetStdHandle( STD_OUTPUT_HANDLE ), line, length, &written, NULL );
}

static void print( const char *format, ... ) WINETEST_PRINTF( 1, 2 );
static void print( const char *format, ... )
{
    char line[1024];
    va_list arguments;
    DWORD written;
    int length;

    va_start( arguments, format );
    length = vsnprintf( line, sizeof( line ), format, arguments );
    va_end( arguments );
    WriteFile( GetStdHandle( STD_OUTPUT_HANDLE ), line, length, &written, NULL );
}

/* Every function here keeps the last error: a check between a call and the look at its error changes nothing. */
#define REPORT( kind, format ) \
    do { \
        va_list arguments_; \
        va_start( arguments_, format ); \
        report( kind, format, arguments_ ); \
        va_end( arguments_ ); \
    } while ( 0 )

void winetest_set_location( const char *file, int line )
{
    DWORD error = GetLastError();
    struct thread_state *here = state();

    here->file = file;
    here->line = line;
    SetLastError( error );
}

int winetest_ok( int condition, const char *format, ... )
{
    DWORD error = GetLastError();

    if ( state()->todo_level )
    {
        if ( condition )
        {
            REPORT( "Test succeeded inside todo block: ", format );
            InterlockedIncrement( &todo_failures );
        }
        else
        {
            if ( winetest_debug > 0 ) REPORT( "Test marked todo: ", format );
            InterlockedIncrement( &todo_successes );
        }
        condition = !condition;
    }
    else if ( condition )
    {
        if ( winetest_debug > 1 ) REPORT( "Test succeeded: ", format );
        InterlockedIncrement( &successes );
    }
    else
    {
        REPORT( "Test failed: ", format );
        InterlockedIncrement( &failures );
    }
    SetLastError( error );
    return condition;
}

void winetest_skip( const char *format, ... )
{
    DWORD error = GetLastError();

    REPORT( "Tests skipped: ", format );
    InterlockedIncrement( &skips );
    SetLastError( error );
}

/* What Windows versions may lack or do otherwise, Wine must have and do, unless it stands for such a version. */
static BOOL must_be_good( void ) { return winetest_is_wine() && !winetest_as_2003; }

void winetest_win_skip( const char *format, ... )
{
    DWORD error = GetLastError();

    if ( must_be_good() )
    {
        REPORT( "Test failed: ", format );
        InterlockedIncrement( &failures );
    }
    else
    {
        REPORT( "Tests skipped: ", format );
        InterlockedIncrement( &skips );
    }
    SetLastError( error );
}

void winetest_trace( const char *format, ... )
{
    DWORD error = GetLastError();

    if ( winetest_debug > 0 ) REPORT( "", format );
    SetLastError( error );
}

void winetest_push_context( const char *format, ... )
{
    DWORD error = GetLastError();
    struct thread_state *here = state();
    va_list arguments;

    if ( here->context_count < MAX_CONTEXTS )
    {
        va_start( arguments, format );
        vsnprintf( here->contexts[here->context_count], sizeof( here->contexts[0] ), format, arguments );
        va_end( arguments );
    }
    here->context_count++;
    SetLastError( error );
}

void winetest_pop_context( void )
{
    struct thread_state *here = state();

    if ( here->context_count ) here->context_count--;
}

void winetest_start_todo( int is_todo )
{
    DWORD error = GetLastError();
    struct thread_state *here = state();

    here->todo_level = ( here->todo_level << 1 ) | ( is_todo != 0 );
    here->todo_depth++;
    here->todo_loop = 1;
    SetLastError( error );
}

int winetest_loop_todo( void )
{
    DWORD error = GetLastError();
    struct thread_state *here = state();
    int loop = here->todo_loop;

    here->todo_loop = 0;
    SetLastError( error );
    return loop;
}

void winetest_end_todo( void )
{
    DWORD error = GetLastError();
    struct thread_state *here = state();

    here->todo_level >>= 1;
    here->todo_depth--;
    SetLastError( error );
}

int winetest_broken( int condition ) { return !must_be_good() && condition; }

int winetest_get_mainargs( char ***argv )
{
    *argv = main_argv;
    return main_argc;
}

void winetest_wait_child_process( HANDLE process )
{
    DWORD code = 0;

    winetest_set_location( __FILE__, __LINE__ );
    if ( !winetest_ok( WaitForSingleObject( process, 60000 ) == WAIT_OBJECT_0, "child process did not end\n" ) )
    {
        TerminateProcess( process, 1 );
        return;
    }
    GetExitCodeProcess( process, &code );
    if ( code > 255 ) winetest_ok( 0, "child process crashed with %#lx\n", code );
    else if ( code )
    {
        print( "%s: %lu failures in child process\n", current_test, code );
        InterlockedExchangeAdd( &failures, code );
    }
}

/* What the parent of a test's process has set for it: WINETEST_JSON */
static BOOL as_json;

static LONG failure_count( void ) { return failures + todo_failures; }

static void print_summary( const char *end )
{
    const LONG executed = successes + failures + todo_successes + todo_failures;

    print( "%s: %ld tests executed (%ld marked as todo, %ld failures), %ld skipped.\n", current_test, executed,
           todo_successes, failure_count(), skips );
    if ( as_json )
        print( "{\"test\":\"%s\",\"platform\":\"%s\",\"bits\":%u,\"executed\":%ld,\"todo\":%ld,\"failures\":%ld,"
               "\"skipped\":%ld,"
               "\"end\":\"%s\"}\n",
               current_test, winetest_platform, (unsigned int)sizeof( void * ) * 8, executed, todo_successes,
               failure_count(), skips, end );
}

static UINT exit_status( LONG failed ) { return failed < 255 ? failed : 255; }

static LONG CALLBACK crashed( EXCEPTION_POINTERS *pointers )
{
    struct thread_state *here = state();

    InterlockedIncrement( &failures );
    print( "%s:%d: this is the last test seen before the exception\n%s: Unhandled exception: %08lx at %p\n", here->file,
           here->line, current_test, pointers->ExceptionRecord->ExceptionCode,
           pointers->ExceptionRecord->ExceptionAddress );
    if ( main_argc > 2 ) TerminateProcess( GetCurrentProcess(), pointers->ExceptionRecord->ExceptionCode );
    print_summary( "crash" );
    TerminateProcess( GetCurrentProcess(), exit_status( failure_count() ) );
    return EXCEPTION_CONTINUE_SEARCH;
}

/* No test takes minutes: one that does is stuck. */
static DWORD CALLBACK watchdog( void *argument )
{
    (void)argument;
    unsigned int limit = 100;
    char value[16];

    if ( GetEnvironmentVariableA( "WINETEST_SECONDS", value, sizeof( value ) ) ) limit = atoi( value );
    Sleep( limit * 1000 );
    InterlockedIncrement( &failures );
    print( "%s: no end after %u s\n", current_test, limit );
    if ( main_argc == 2 ) print_summary( "timeout" );
    TerminateProcess( GetCurrentProcess(), main_argc == 2 ? exit_status( failure_count() ) : 255 );
    return 0;
}

static int list_tests( FILE *file )
{
    unsigned int i;

    fprintf( file, "Valid test names:\n" );
    for ( i = 0; i < TEST_COUNT; i++ ) fprintf( file, "    %s\n", tests[i].name );
    return file == stderr;
}

/* "test_refused" may be called "refused". */
static BOOL is_function( const char *name, const char *function )
{
    return !strcmp( name, function ) || !strcmp( name, function + strlen( "test_" ) );
}

int winetest_function( const char *name );
int winetest_function( const char *name ) { return !only_function || is_function( only_function, name ); }

/* NAME or NAME:FUNCTION; its number, TEST_COUNT for what is none. */
static unsigned int find_test( const char *name )
{
    const size_t length = strcspn( name, ":" );
    const char *const *function;
    unsigned int i;

    for ( i = 0; i < TEST_COUNT; i++ )
        if ( !strncmp( tests[i].name, name, length ) && !tests[i].name[length] ) break;
    if ( i == TEST_COUNT || !name[length] ) return i;
    for ( function = tests[i].functions; *function && !is_function( name + length + 1, *function ); ) function++;
    return *function ? i : TEST_COUNT;
}

static BOOL is_test( const char *name ) { return find_test( name ) < TEST_COUNT; }

static int run_test( char *name )
{
    static char whole[128];
    const unsigned int i = find_test( name );
    char *colon = strchr( name, ':' );

    if ( i == TEST_COUNT )
    {
        fprintf( stderr, "%s: no such test.\n", name );
        return list_tests( stderr );
    }
    snprintf( whole, sizeof( whole ), "%s", name );
    current_test = whole;
    if ( colon )
    {
        only_function = colon + 1;
        *colon = 0; /* what starts itself by this name is to run as it always does */
    }
    tests[i].run();

    /* a child has no summary of its own: its exit status carries its failures to the parent */
    if ( main_argc == 2 ) print_summary( "exit" );
    return exit_status( failure_count() );
}

/* One test in a process of its own; its failures. */
static LONG run_alone( const char *name )
{
    STARTUPINFOA startup = { .cb = sizeof( startup ) };
    char program[MAX_PATH], line[MAX_PATH + 64];
    PROCESS_INFORMATION process;
    DWORD code = 1;

    GetModuleFileNameA( NULL, program, sizeof( program ) );
    snprintf( line, sizeof( line ), "\"%s\" %s", program, name );
    if ( !CreateProcessA( NULL, line, NULL, NULL, TRUE, 0, NULL, NULL, &startup, &process ) )
    {
        print( "%s: cannot be started, error %lu\n", name, GetLastError() );
        return 1;
    }
    WaitForSingleObject( process.hProcess, INFINITE );
    GetExitCodeProcess( process.hProcess, &code );
    CloseHandle( process.hThread );
    CloseHandle( process.hProcess );
    if ( code <= 255 ) return code;
    print( "%s: ended with %#lx\n", name, code );
    return 1;
}

/* The tests named, or all when there is no name. */
static int run_many( char **names, int count )
{
    unsigned int i, total = count ? (unsigned int)count : TEST_COUNT, with_failures = 0;
    LONG failed, sum = 0;

    for ( i = 0; i < total; i++ )
    {
        failed = run_alone( count ? names[i] : tests[i].name );
        with_failures += failed != 0;
        sum += failed;
    }
    print( "%u test files, %u with failures\n", total, with_failures );
    return exit_status( sum );
}

/* Options first, then names; a child of a test has other words behind its name and none of these. */
static int run_options( int argc, char **argv )
{
    BOOL all = FALSE;
    int i;

    for ( i = 1; i < argc && argv[i][0] == '-'; i++ )
    {
        if ( !strcmp( argv[i], "--list" ) )
        {
            for ( unsigned int j = 0; j < TEST_COUNT; j++ )
            {
                printf( "%s\n", tests[j].name );
                for ( const char *const *function = tests[j].functions; *function; function++ )
                    printf( "%s:%s\n", tests[j].name, *function + strlen( "test_" ) );
            }
            return 0;
        }
        if ( !strcmp( argv[i], "--all" ) ) all = TRUE;
        else if ( !strcmp( argv[i], "--json" ) ) SetEnvironmentVariableA( "WINETEST_JSON", "1" );
        else
        {
            fprintf( stderr, "usage: %s [--json] [--all | --list | NAME[:FUNCTION]...]\n", argv[0] );
            return 2;
        }
    }
    for ( int j = i; j < argc; j++ )
        if ( !is_test( argv[j] ) ) return run_test( argv[j] );
    if ( !all && i == argc ) return list_tests( stdout );
    return run_many( argv + i, argc - i );
}

/* Whether several are named, one of them wrongly perhaps: what a test says to its own child are no names of tests. */
static BOOL are_tests( int argc, char **argv )
{
    for ( int i = 2; i < argc; i++ )
        if ( is_test( argv[i] ) ) return TRUE;
    return FALSE;
}

int main( int argc, char **argv )
{
    char buffer[16];

    main_argc = argc;
    main_argv = argv;
    tls_index = TlsAlloc();
    setvbuf( stdout, NULL, _IONBF, 0 );
    if ( GetEnvironmentVariableA( "WINETEST_DEBUG", buffer, sizeof( buffer ) ) ) winetest_debug = atoi( buffer );
    if ( GetEnvironmentVariableA( "WINETEST_INTERACTIVE", buffer, sizeof( buffer ) ) )
        winetest_interactive = atoi( buffer );
    if ( GetProcAddress( GetModuleHandleA( "ntdll.dll" ), "wine_get_version" ) ) winetest_platform = "wine";
    SetErrorMode( SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX );
    SetUnhandledExceptionFilter( crashed );
    as_json = GetEnvironmentVariableA( "WINETEST_JSON", buffer, sizeof( buffer ) ) != 0;
    if ( argc < 2 ) return list_tests( stdout );
    if ( argv[1][0] == '-' || are_tests( argc, argv ) ) return run_options( argc, argv );
    CloseHandle( CreateThread( NULL, 0, watchdog, NULL, 0, NULL ) );
    return run_test( argv[1] );
}
