/* Threads of ours in the program's process. Each owns its start block and a reference to this DLL. */
#include "base/ws2_32_private.h"
#include "base/worker.h"
#include "base/upcalls.h"

/* It runs nothing of the program's, whose own threads may want far more: the least that loaders make. */
#define IO_THREAD_STACK 0x100000

struct start
{
    void ( *run )( void *argument );
    void *argument;
    HMODULE module;
};

static DWORD WINAPI thread_main( void *parameter )
{
    struct start start = *(struct start *)parameter;

    free( parameter );
    start.run( start.argument );
    FreeLibraryAndExitThread( start.module, 0 );
    return 0;
}

BOOL worker_start( void ( *run )( void *argument ), void *argument )
{
    struct start *start = malloc( sizeof( *start ) );
    HANDLE thread = NULL;

    if ( !start ) return FALSE;
    start->run = run;
    start->argument = argument;
    if ( GetModuleHandleExW( GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, (const WCHAR *)thread_main, &start->module ) )
    {
        if ( ( thread = CreateThread( NULL, 0, thread_main, start, 0, NULL ) ) ) CloseHandle( thread );
        else FreeLibrary( start->module );
    }
    if ( !thread ) free( start );
    return thread != NULL;
}

BOOL ws2_start_io_thread( void )
{
    HMODULE self;
    HANDLE thread;

    /* the thread runs in this DLL until the process ends */
    GetModuleHandleExW( GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN,
                        (WCHAR *)ws2_start_io_thread, &self );
    thread =
        CreateThread( NULL, IO_THREAD_STACK, ws2_upcalls.io_thread, NULL, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL );
    if ( !thread ) return FALSE;
    CloseHandle( thread );
    return TRUE;
}
