/* What the tests of registered I/O share: the functions, a setting with one queue of each kind, and taking ends
 * (registered.c). */
#ifndef TESTS_REGISTERED_H
#define TESTS_REGISTERED_H

#include "support.h"
#include "ws2host/registered_io.h"

extern RIO_EXTENSION_FUNCTION_TABLE rio;

/* FALSE where there is none, which is a failed check. */
BOOL registered_load( void );

/* A socket for it, bound to loopback if it is of datagrams. */
SOCKET registered_socket( int family, int type, union address *address );
/* Both ends of a connection are for it. */
void registered_pair( SOCKET *client, SOCKET *server );

#define CONTEXT( n ) ( (void *)(ULONG_PTR)( n ) )

#define RECEIVES 8
#define SENDS 8
#define BUFFER_SIZE 4096

/* A connection of which one end uses registered I/O, with one completion queue for both directions. */
struct setting
{
    SOCKET peer, s;
    char memory[BUFFER_SIZE];
    RIO_BUFFERID id;
    RIO_CQ ends;
    RIO_RQ requests;
};

#define SOCKET_CONTEXT 0x1234567812345678ull

void registered_set_up( struct setting *set );
/* The same with another completion queue, which tells of its ends by the notification and is the caller's to close. */
RIO_CQ registered_set_up_told( struct setting *set, RIO_NOTIFICATION_COMPLETION *notification );
void registered_clean_up( struct setting *set );
/* Requests on bytes [offset, offset + length) of the setting's buffer. */
BOOL registered_receive( struct setting *set, ULONG offset, ULONG length, DWORD flags, ULONG_PTR context );
BOOL registered_send( struct setting *set, ULONG offset, ULONG length, DWORD flags, ULONG_PTR context );

/* Takes so many ends, or what has come within 10 s; the number. */
ULONG registered_take( RIO_CQ queue, RIORESULT *results, ULONG count );
/* The next end is that of the request with this context. */
#define check_end( queue, context, status, bytes ) check_end_( __LINE__, queue, context, status, bytes )
void check_end_( int line, RIO_CQ queue, ULONGLONG context, LONG status, ULONG bytes );
/* There is none, now and a moment later. */
#define check_no_end( queue ) check_no_end_( __LINE__, queue )
void check_no_end_( int line, RIO_CQ queue );

/* A part of a registered buffer. */
static inline RIO_BUF slice( RIO_BUFFERID id, ULONG offset, ULONG length ) { return ( RIO_BUF ){ id, offset, length }; }

#endif
