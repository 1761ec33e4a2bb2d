/* Starting an operation of the host half, and telling the program of its end (completion.c). */
#ifndef COMPLETION_H
#define COMPLETION_H

#include "base/ws2_32_private.h"
#include "base/operation_options.h"
#include "overlapped/overlapped.h"

struct thread_data;

/* Starts what params, which begin with operation, say; code is that of the call. The status is as overlapped.h has it. */
NTSTATUS completion_start( unsigned int code, struct ws2_operation *operation, const struct overlapped_request *request,
                           enum overlapped_how how, UINT32 options );
/* The same of a transfer without a routine whose OVERLAPPED has no event: all of it in one call of the host half, which reads and
 * fills the OVERLAPPED. *error is Winsock's code, WSAEFAULT also where it ended well and could not say so (operation->ended), or
 * WS2_ERROR_EVENT: it has an event, and nothing has begun. */
NTSTATUS completion_start_block( unsigned int code, struct ws2_operation *operation, OVERLAPPED *overlapped,
                                 UINT32 options, int *error );
/* How what is no transfer is begun on the socket: nothing pends on one that is not overlapped. */
enum overlapped_how completion_how( SOCKET s );
/* Tells the program of all that has ended. */
void completion_deliver( void );
/* The same by a thread that comes to the host half next, by ws2_results_write or a wait at a port: what has been told of is
 * given back there. */
void completion_deliver_at_port( void );
/* Threads that wait for a status block to change. */
extern LONG completion_waiters;
/* The calling thread ends, and with it what it has pending. */
void completion_thread_ends( struct thread_data *data );
/* The same of another thread that has ended. */
void completion_cancel_of_thread( DWORD thread_id );

/* A request in Winsock's terms; WSAEFAULT. The OVERLAPPED is marked as pending. */
int completion_request( struct overlapped_request *request, OVERLAPPED *overlapped,
                        LPWSAOVERLAPPED_COMPLETION_ROUTINE routine );

#endif
