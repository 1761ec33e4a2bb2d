/*
 * Winsock 1's blocking hooks, as the way of every call meets them; start/blocking_hooks.c has the functions.
 *
 * They are the affair of a program that has started version 1 and of one thread, and there is no hook but the program's own,
 * as on every Windows that runs more than one program at a time. While a call of such a thread waits, its hook is called
 * each time that the wait looks for user APCs; a thread without a hook, and with it every program of version 2, costs one
 * look at a global. Inside its hook a thread may make no other call (WSAEINPROGRESS) than WSAIsBlocking and
 * WSACancelBlockingCall.
 */
#include "base/ws2_32_private.h"
#include "base/blocking.h"
#include "base/thread_data.h"

LONG blocking_hooks;
LONG blocking_turns;

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
