/* Overlapped operations (overlapped.c): argument checks of Winsock's, then WSA_IO_PENDING or the result. */
#ifndef OVERLAPPED_H
#define OVERLAPPED_H

#include <winsock2.h>

int overlapped_send( SOCKET s, WSABUF *buffers, DWORD count, DWORD *sent, DWORD flags, const struct sockaddr *to,
                     int to_size, OVERLAPPED *overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine );
int overlapped_receive( SOCKET s, WSABUF *buffers, DWORD count, DWORD *received, DWORD *flags, struct sockaddr *from,
                        int *from_size, OVERLAPPED *overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine );

#endif
