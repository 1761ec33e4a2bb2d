/*
 * Threads of ours in the program's process. Each owns its start block and a reference to this DLL.
 *
 * A loader's thread introduces itself to the loader's server, over a connection that the whole process has. Where the process
 * ends meanwhile, the loader takes that from under it, and the thread complains and may end the process with a status of its
 * own. A program that has made no thread must not see that: who ends the process waits for threads that are on their way.
 */
#include "base/ws2_32_private.h"
#include "base/worker.h"
#include "base/upcalls.h"

/* The I/O thread runs nothing of the program's, whose own threads may want far more: the least that loaders make. */
#define IO_THREAD_STACK 0x100000
#define STARTING_MOST 16 /* more at once are not waited for */
#define PATIENCE 100     /* ms for a thread's number, which its maker is about to learn */

/* Threads that have not begun: negative while one is being made, then its number; 0: none. */
static LONG starting[STARTING_MOST];
static LONG ending; /* the process is */

struct start
{
    void ( *run )( void *argument );
    void *argument;
    HMODULE module;
    LONG *place; /* of starting, NULL for none */
};

/* A place with a number that no other has; NULL when there is none. */
static LONG *take_place( LONG *number )
{
    static LONG count;

    *number = (LONG)( InterlockedIncrement( &count ) | 0x80000000 );
    for ( unsigned int i = 0; i < STARTING_MOST; i++ )
        if ( !InterlockedCompareExchange( &starting[i], *number, 0 ) ) return &starting[i];
    return NULL;
}

static void free_start( struct start *start )
{
    if ( start->place ) InterlockedExchange( start->place, 0 );
    free( start );
}

static DWORD WINAPI thread_main( void *parameter )
{
    const struct start start = *(struct start *)parameter;

    free_start( parameter );
    start.run( start.argument );
    FreeLibraryAndExitThread( start.module, 0 );
    return 0;
}

static BOOL thread_start( void ( *run )( void * ), void *argument, SIZE_T stack )
{
    struct start *start = malloc( sizeof( *start ) );
    LONG *place, number;
    HANDLE thread = NULL;
    HMODULE module;
    DWORD id;

    if ( !start ) return FALSE;
    *start = ( struct start ){ .run = run, .argument = argument };
    if ( !GetModuleHandleExW( GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, (const WCHAR *)thread_main, &module ) )
    {
        free_start( start );
        return FALSE;
    }
    start->module = module;
    start->place = place = take_place( &number );
    if ( !InterlockedOr( &ending, 0 ) )
        thread = CreateThread( NULL, stack, thread_main, start, stack ? STACK_SIZE_PARAM_IS_A_RESERVATION : 0, &id );
    if ( !thread )
    {
        free_start( start );
        FreeLibrary( module );
        return FALSE;
    }
    /* unless it has begun by now */
    if ( place ) InterlockedCompareExchange( place, (LONG)id, number );
    CloseHandle( thread );
    return TRUE;
}

BOOL worker_start( void ( *run )( void * ), void *argument ) { return thread_start( run, argument, 0 ); }

BOOL ws2_start_io_thread( void )
{
    HMODULE self;

    /* it runs in this DLL until the process ends */
    GetModuleHandleExW( GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN,
                        (const WCHAR *)thread_main, &self );
    return thread_start( ws2_upcalls.io_thread, NULL, IO_THREAD_STACK );
}

/* The number of the thread of a place, once that is known; 0 when it has begun, or is none of the loader's. */
static DWORD wait_for_number( volatile LONG *place )
{
    LONG number;

    for ( unsigned int turn = 0; ( number = *place ) < 0 && turn < PATIENCE; turn++ ) Sleep( 1 );
    return number > 0 ? number : 0;
}

void workers_go_on( void ) { InterlockedExchange( &ending, 0 ); }

void workers_settle( void )
{
    InterlockedExchange( &ending, 1 );
    if ( RtlDllShutdownInProgress() ) return; /* no other thread is left */
    for ( unsigned int i = 0; i < STARTING_MOST; i++ )
    {
        CONTEXT context = { .ContextFlags = CONTEXT_CONTROL };
        const DWORD id = wait_for_number( &starting[i] );
        HANDLE thread;

        /* a new thread may end the process itself, in what the program does with each that begins */
        if ( !id || id == GetCurrentThreadId() ) continue;
        thread = OpenThread( THREAD_SUSPEND_RESUME | THREAD_GET_CONTEXT | THREAD_QUERY_LIMITED_INFORMATION, FALSE, id );
        if ( !thread || GetProcessIdOfThread( thread ) != GetCurrentProcessId() )
        {
            /* it was ended before it began, and its number may be another process's by now */
            if ( thread ) CloseHandle( thread );
            InterlockedCompareExchange( &starting[i], 0, (LONG)id );
            continue;
        }
        /* the one thing that waits for a thread without its running the program's code, for which it may lack the loader's lock */
        if ( SuspendThread( thread ) != (DWORD)-1 )
        {
            GetThreadContext( thread, &context );
            ResumeThread( thread );
        }
        CloseHandle( thread );
    }
}
