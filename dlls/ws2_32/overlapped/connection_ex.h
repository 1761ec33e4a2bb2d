/* What programs get by GUID: connections the overlapped way (connection_ex.c), and files on them (transmit.c). */
#ifndef CONNECTION_EX_H
#define CONNECTION_EX_H

#include <winsock2.h>
#include <mswsock.h>

BOOL WINAPI connection_accept( SOCKET listener, SOCKET acceptor, void *buffer, DWORD receive_size, DWORD local_size,
                               DWORD remote_size, DWORD *received, OVERLAPPED *overlapped );
void WINAPI connection_addresses( void *buffer, DWORD receive_size, DWORD local_size, DWORD remote_size,
                                  struct sockaddr **local, int *local_length, struct sockaddr **remote,
                                  int *remote_length );
BOOL WINAPI connection_connect( SOCKET s, const struct sockaddr *name, int size, void *data, DWORD data_size,
                                DWORD *sent, OVERLAPPED *overlapped );
BOOL WINAPI connection_disconnect( SOCKET s, OVERLAPPED *overlapped, DWORD flags, DWORD reserved );
BOOL WINAPI transmit_file( SOCKET s, HANDLE file, DWORD size, DWORD per_send, OVERLAPPED *overlapped,
                           TRANSMIT_FILE_BUFFERS *buffers, DWORD flags );
BOOL WINAPI transmit_packets( SOCKET s, TRANSMIT_PACKETS_ELEMENT *elements, DWORD count, DWORD per_send,
                              OVERLAPPED *overlapped, DWORD flags );

#endif
