/* WSARecvMsg, which programs get by its GUID and not by its name. */
#ifndef MESSAGE_H
#define MESSAGE_H

#include <winsock2.h>
#include <mswsock.h>

int WINAPI message_receive( SOCKET s, LPWSAMSG message, LPDWORD received, LPWSAOVERLAPPED overlapped,
                            LPWSAOVERLAPPED_COMPLETION_ROUTINE routine );

#endif
