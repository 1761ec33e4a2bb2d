/* Network events (events.c). */
#ifndef EVENTS_H
#define EVENTS_H

#include "base/ws2_32_private.h"

/* WSAEventSelect and WSAEnumNetworkEvents without last error and trace. codes: Winsock's, of every event that has one. */
int events_select( SOCKET s, HANDLE event, LONG mask );
int events_take( SOCKET s, LONG *events, int codes[FD_MAX_EVENTS] );
/* An accepted socket takes over its listener's registration. */
void events_inherit( SOCKET listener, SOCKET accepted );
/* Before a socket is closed by another way than closesocket, which ends the registration first: a window is told. */
void events_closing( SOCKET s );
#endif
