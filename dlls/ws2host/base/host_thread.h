/*
 * Threads of the host half's own, which the loader does not know: they run with all signals blocked, never call into Windows
 * code, and end by returning or with the process.
 */
#ifndef WS2HOST_HOST_THREAD_H
#define WS2HOST_HOST_THREAD_H

/* 0: none could be started. */
int host_thread_start( void *( *run )( void *argument ), void *argument );

#endif
