/* Sockets coming and going (socket.c). */
#ifndef SOCKET_H
#define SOCKET_H

#include <winsock2.h>

/* closesocket without its last error and trace. */
int socket_close( SOCKET s );
/* A handle that stands for \Device\Afd. */
SOCKET socket_open_helper( BOOL inherited );

#endif
