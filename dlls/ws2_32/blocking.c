/*
 * Winsock 1's blocking hooks. They are the affair of a program that has started version 1 and of one thread; threads
 * block for real here, so a hook is kept and given back but there is nothing to call it for. Version 2 has none.
 */
#include "ws2_32_private.h"
#include "thread_data.h"

static INT_PTR CALLBACK default_hook( void ) { return FALSE; }

/* 0 where hooks exist. */
static int check( void )
{
    if (!ws2_started) return WSANOTINITIALISED;
    return LOBYTE( ws2_version ) > 1 ? WSAEOPNOTSUPP : 0;
}

static int replace( FARPROC hook, FARPROC *previous )
{
    struct thread_data *data;
    int error = check();

    if (error) return error;
    if (!(data = thread_data())) return WSA_NOT_ENOUGH_MEMORY;
    *previous = data->blocking_hook ? data->blocking_hook : default_hook;
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

    if (!error) error = hook ? replace( hook, &previous ) : WSAEFAULT;
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
 * Only a hook can call this while a call blocks.
 */
int WINAPI WSACancelBlockingCall( void )
{
    int error = check();

    WS2_RETURN_STATUS( error ? error : WSAEINVAL, "%s", "" );
}

/***********************************************************************
 *      WSAIsBlocking   (WS2_32.114)
 */
BOOL WINAPI WSAIsBlocking( void )
{
    WS2_RETURN( FALSE, 0, "%s", "" );
}
