/* The handles of SOCKETs: used again (handle_pool.c). */
#ifndef HANDLE_POOL_H
#define HANDLE_POOL_H

#include <winsock2.h>
#include <windows.h>

/* Gives a descriptor that the host half has made a handle, and installs it; the descriptor is taken over. fd is its host
 * socket, which stays the host half's. flags: WSA_FLAG_NO_HANDLE_INHERIT counts. INVALID_SOCKET and *error. */
SOCKET handle_pool_install( int fd, UINT64 descriptor, DWORD flags, int *error );
/* The same in two steps, for a host half that is to know the handle first. NULL: it gets one when it is installed. */
HANDLE handle_pool_take( DWORD flags );
void handle_pool_give_back( HANDLE handle ); /* NULL: nothing */
SOCKET handle_pool_install_under( HANDLE handle, int fd, UINT64 descriptor, DWORD flags, int *error );
/* The end of a SOCKET's handle, as close_begin and accept_defer tell of it: it goes back to the pool, or is closed. */
void handle_pool_end( UINT64 handle, UINT32 pooled, UINT32 real );

/* A child is about to inherit whatever is inherited. */
void handle_pool_inherited( void );

/* Whether a SOCKET's handle is a stand-in, and what is kept of it; *inherited, if given, as the program has it. */
BOOL handle_pool_look( HANDLE handle, struct ws2_socket_pooled_params *pooled );
BOOL handle_pool_has( HANDLE handle, BOOL *inherited );
/* The handle of the host socket itself that a SOCKET with a stand-in has, made if there was none; it stays the SOCKET's.
 * NULL when it cannot be made. Any other handle comes back as it is. */
HANDLE handle_pool_real( HANDLE handle );

/* The handle whose file is the host socket, for what the loader itself does with files. FALSE: there is no such handle. */
BOOL handle_pool_find_file( HANDLE *handle );
/* While it is on (it counts), what handle_pool_real has given is not closed, whatever becomes of the SOCKET. */
void handle_pool_hold( BOOL on );

#endif
