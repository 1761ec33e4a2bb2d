/*
 * Winsock 1's blocking hooks. They are the affair of a program that has started version 1 and of one thread, and there is no
 * hook but the program's own, as on every Windows that runs more than one program at a time. While a call of such a thread
 * waits, its hook is called each time that the wait looks for user APCs; a thread without a hook, and with it every program
 * of version 2, costs one look at a global. Inside its hook a thread may make no other call (WSAEINPROGRESS) than
 * WSAIsBlocking and WSACancelBlockingCall.
 */
#include "base/ws2_32_private.h"
#include "base/blocking.h"
#include "base/thread_data.h"

LONG blocking_hooks;
LONG blocking_turns;

static INT_PTR CALLBACK default_hook( void ) { return FALSE; }

void blocking_turn( void )
{
    struct thread_data *data = thread_data();
    struct ws2_thread_params cancel = { .thread = GetCurrentThreadId() };
    FARPROC hook;

    if ( !data || !data->blocking_hook || data->blocking ) return;
    data->blocking = TRUE;
    InterlockedIncrement( &blocking_turns );
    /* as long as it finds something to do, and is there */
    do hook = data->blocking_hook;
    while ( hook && ( (INT_PTR( CALLBACK * )( void ))hook )() && !data->blocking_cancelled );
    InterlockedDecrement( &blocking_turns );
    data->blocking = FALSE;
    /* the wait that the call goes back to ends at once */
    if ( data->blocking_cancelled ) ws2host_call( ws2_call_wait_cancel_self, &cancel );
}

BOOL blocking_inside( void )
{
    const struct thread_data *data = thread_data();

    return data && data->blocking;
}

int blocking_error( int error )
{
    struct thread_data *data = thread_data();

    if ( !data || !data->blocking_cancelled ) return error;
    data->blocking_cancelled = FALSE;
    return error == WSA_OPERATION_ABORTED ? WSAEINTR : error;
}

/* 0 where hooks exist. */
static int check( void )
{
    if ( !ws2_started ) return WSANOTINITIALISED;
    return LOBYTE( ws2_version ) > 1 ? WSAEOPNOTSUPP : 0;
}

static int replace( FARPROC hook, FARPROC *previous )
{
    struct thread_data *data;
    int error = check();

    if ( error ) return error;
    if ( !( data = thread_data() ) ) return WSA_NOT_ENOUGH_MEMORY;
    *previous = data->blocking_hook ? data->blocking_hook : (FARPROC)default_hook;
    if ( hook == (FARPROC)default_hook ) hook = NULL;
    if ( hook ) InterlockedExchange( &blocking_hooks, 1 ); /* from now on waits ask their thread */
    data->blocking_hook = hook;
    return 0;
}

/***********************************************************************
 *      WSASetBlockingHook   (WS2_32.109)
 */
FARPROC WINAPI WSASetBlockingHook( FARPROC hook )
{
    FARPROC previous = NULL;
    int error = check();

    if ( !error ) error = hook ? replace( hook, &previous ) : WSAEFAULT;
    WS2_RETURN( previous, error, "hook=%p", hook );
}

/***********************************************************************
 *      WSAUnhookBlockingHook   (WS2_32.110)
 */
int WINAPI WSAUnhookBlockingHook( void )
{
    FARPROC previous;

    WS2_RETURN_STATUS( replace( NULL, &previous ), "%s", "" );
}

/***********************************************************************
 *      WSACancelBlockingCall   (WS2_32.113)
 *
 * Only a hook can call this while a call blocks; that call then ends with WSAEINTR.
 */
int WINAPI WSACancelBlockingCall( void )
{
    int error = check();

    if ( !error && !blocking_inside() ) error = WSAEINVAL;
    if ( !error ) thread_data()->blocking_cancelled = TRUE;
    WS2_RETURN_STATUS( error, "%s", "" );
}

/***********************************************************************
 *      WSAIsBlocking   (WS2_32.114)
 */
BOOL WINAPI WSAIsBlocking( void ) { WS2_RETURN( blocking_turns && blocking_inside(), 0, "%s", "" ); }
