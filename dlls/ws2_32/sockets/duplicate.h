/* Sockets shared between processes (duplicate.c). */
#ifndef DUPLICATE_H
#define DUPLICATE_H

#include <winsock2.h>

/* WSASocket's part: opens the socket that a ticket stands for; WSAEINVAL for a ticket that is not this process's. */
SOCKET duplicate_open( DWORD ticket, DWORD flags, int *error );

/* Whether there is a process with this number that has not ended. */
BOOL process_lives( DWORD pid );

#endif
