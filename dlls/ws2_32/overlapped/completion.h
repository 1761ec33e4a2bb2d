/* Starting an operation of the host half, and telling the program of its end (completion.c). */
#ifndef COMPLETION_H
#define COMPLETION_H

#include "base/ws2_32_private.h"
#include "overlapped/overlapped.h"

/* Winsock's receives leave their MSG_* flags in the OVERLAPPED's Offset, for WSAGetOverlappedResult. */
#define TARGET_STORE_FLAGS 1
/* Its thread waits for it inside the call that began it. */
#define TARGET_SYNCHRONOUS 2
/* A request of registered I/O: its iosb is the request, and only the closing of its socket cancels it. */
#define TARGET_REGISTERED 4

/* Starts what params, which begin with operation, say; code is that of the call. The status is as overlapped.h has it. */
NTSTATUS completion_start( unsigned int code, struct ws2_operation *operation, const struct overlapped_request *request,
                           enum overlapped_how how, UINT32 options );
/* Tells the program of all that has ended. */
void completion_deliver( void );

/* A request in Winsock's terms; WSAEFAULT. The OVERLAPPED is marked as pending. */
int completion_request( struct overlapped_request *request, OVERLAPPED *overlapped,
                        LPWSAOVERLAPPED_COMPLETION_ROUTINE routine );

#endif
