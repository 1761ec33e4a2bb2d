/*
 * Registered I/O inside: what its handles name, and what buffers, completion queues and request queues have of each other.
 *
 * A handle of the program's is a number: an index into a table, the kind of object, and how often its place has been used, so
 * that one that is stale or never was is none. Objects are never unmapped, and serve again as the same kind: a thread that
 * has found one takes its lock, and looks whether it is that one still.
 *
 * Locks are taken in this order: a request queue's `starting`, a completion queue's lock, a request queue's lock.
 */
#ifndef REGISTERED_H
#define REGISTERED_H

#include "base/ws2_32_private.h"
#include <mswsock.h>
#include "ws2host/registered_io.h"

/* --- registered_objects.c */
enum registered_kind
{
    REGISTERED_BUFFER = 1,
    REGISTERED_COMPLETIONS,
    REGISTERED_REQUESTS,
    REGISTERED_KINDS
};

struct registered_object
{
    volatile UINT32 id; /* 0: no handle names it */
    UINT32 next_id;
    struct registered_object *next_free;
};

/* An object of that kind without a handle, zeroed when it is new and as it was freed when it serves again. NULL: no
 * memory. */
void *registered_create( enum registered_kind kind, size_t size );
/* Gives it its handle, and takes that away. */
void *registered_publish( void *object );
void registered_hide( void *object );
void registered_free( enum registered_kind kind, void *object );
/* What a handle names; NULL for none of that kind. */
void *registered_find( const void *handle, enum registered_kind kind );

/* --- registered_buffers.c */
struct registered_segment
{
    char *memory;
    ULONG size;
};

/* A RIO_BUF of the program's; NULL is a segment of nothing. WSAEFAULT, WSAEINVAL. */
int registered_segment( const RIO_BUF *user, struct registered_segment *segment );

/* --- registered_completions.c */
struct completion_queue;
struct registered_request;

/* The queue of a handle with room for so many more requests, and one more user; NULL and the error. */
struct completion_queue *registered_reserve( RIO_CQ handle, UINT32 requests, int *error );
/* Other numbers for what a user has reserved; FALSE when there is no room. */
BOOL registered_reserve_again( struct completion_queue *queue, UINT32 before, UINT32 requests );
/* A user goes, with what it has reserved. */
void registered_unreserve( struct completion_queue *queue, UINT32 requests );
BOOL registered_is_open( const struct completion_queue *queue );
/* A request has ended; it is freed once the program has taken it. */
void registered_push( struct completion_queue *queue, struct registered_request *request );

/* --- registered_requests.c */
struct request_queue;

struct registered_request
{
    struct registered_request *next; /* in the one list where it is: free, deferred, ended */
    struct request_queue *queue;
    void ( *free )( struct registered_request *request ); /* once the program has taken its end */
    RIORESULT result;
    DWORD flags; /* RIO_MSG_* */
    BOOL sending;
    WSABUF data;
    char *address; /* of the other end; NULL for none */
    INT address_size;
    char *flags_user;                 /* where the flags of the end go; NULL for none */
    struct registered_extras *extras; /* NULL for most */
};

/* The functions of the table. */
BOOL WINAPI registered_receive( RIO_RQ queue, PRIO_BUF data, ULONG count, DWORD flags, PVOID context );
int WINAPI registered_receive_ex( RIO_RQ queue, PRIO_BUF data, ULONG count, PRIO_BUF local, PRIO_BUF remote,
                                  PRIO_BUF control, PRIO_BUF result_flags, DWORD flags, PVOID context );
BOOL WINAPI registered_send( RIO_RQ queue, PRIO_BUF data, ULONG count, DWORD flags, PVOID context );
BOOL WINAPI registered_send_ex( RIO_RQ queue, PRIO_BUF data, ULONG count, PRIO_BUF local, PRIO_BUF remote,
                                PRIO_BUF control, PRIO_BUF result_flags, DWORD flags, PVOID context );
void WINAPI registered_close_completions( RIO_CQ queue );
RIO_CQ WINAPI registered_create_completions( DWORD size, PRIO_NOTIFICATION_COMPLETION notification );
RIO_RQ WINAPI registered_create_requests( SOCKET s, ULONG receives, ULONG receive_buffers, ULONG sends,
                                          ULONG send_buffers, RIO_CQ receive_queue, RIO_CQ send_queue, PVOID context );
ULONG WINAPI registered_dequeue( RIO_CQ queue, PRIORESULT results, ULONG count );
void WINAPI registered_deregister_buffer( RIO_BUFFERID id );
INT WINAPI registered_notify( RIO_CQ queue );
RIO_BUFFERID WINAPI registered_register_buffer( PCHAR memory, DWORD size );
BOOL WINAPI registered_resize_completions( RIO_CQ queue, DWORD size );
BOOL WINAPI registered_resize_requests( RIO_RQ queue, DWORD receives, DWORD sends );

#endif
