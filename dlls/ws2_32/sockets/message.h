/* WSARecvMsg, which programs get by its GUID and not by its name. */
#ifndef MESSAGE_H
#define MESSAGE_H

#include <winsock2.h>
#include <mswsock.h>
#include "ws2host/unixcall.h"

/* The host half's recvmsg, made once more for a buffer whose writes are watched. Winsock codes. */
int message_call_receive( struct ws2_message_params *params );
int WINAPI message_receive( SOCKET s, LPWSAMSG message, LPDWORD received, LPWSAOVERLAPPED overlapped,
                            LPWSAOVERLAPPED_COMPLETION_ROUTINE routine );

#endif
