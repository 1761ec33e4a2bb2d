/* Setting and asking for Winsock 1's blocking hooks, which only a program that has started version 1 has; base/blocking.c
 * calls them. */
#include "base/ws2_32_private.h"
#include "base/blocking.h"
#include "base/thread_data.h"

static INT_PTR CALLBACK default_hook( void ) { return FALSE; }

/* 0 where hooks exist. */
static int blocking_check( void )
{
    if ( !ws2_started ) return WSANOTINITIALISED;
    return LOBYTE( ws2_version ) > 1 ? WSAEOPNOTSUPP : 0;
}

static int blocking_replace( FARPROC hook, FARPROC *previous )
{
    struct thread_data *data;
    int error = blocking_check();

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
    int error = blocking_check();

    if ( !error ) error = hook ? blocking_replace( hook, &previous ) : WSAEFAULT;
    return WS2_RESULT( previous, error, "hook=%p", hook );
}

/***********************************************************************
 *      WSAUnhookBlockingHook   (WS2_32.110)
 */
int WINAPI WSAUnhookBlockingHook( void )
{
    FARPROC previous;

    return WS2_RESULT_OF( blocking_replace( NULL, &previous ), "%s", "" );
}

/***********************************************************************
 *      WSACancelBlockingCall   (WS2_32.113)
 *
 * Only a hook can call this while a call blocks; that call then ends with WSAEINTR.
 */
int WINAPI WSACancelBlockingCall( void )
{
    int error = blocking_check();

    if ( !error && !blocking_inside() ) error = WSAEINVAL;
    if ( !error ) thread_data()->blocking_cancelled = TRUE;
    return WS2_RESULT_OF( error, "%s", "" );
}

/***********************************************************************
 *      WSAIsBlocking   (WS2_32.114)
 */
BOOL WINAPI WSAIsBlocking( void ) { return WS2_RESULT( blocking_turns && blocking_inside(), 0, "%s", "" ); }
