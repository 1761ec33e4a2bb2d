/* What test files about overlapped requests share: Microsoft's extension functions, OVERLAPPEDs, routines, packets. */
#ifndef TESTS_REQUESTS_H
#define TESTS_REQUESTS_H

#include "support.h"

/* Of AcceptEx for IPv4: an address and 16 bytes. */
#define SLOT ( sizeof( struct sockaddr_in ) + 16 )

/* What SIO_GET_EXTENSION_FUNCTION_POINTER gives: extension( s, (GUID)WSAID_ACCEPTEX ). NULL and a failed check: nothing. */
#define extension( s, ... ) extension_( __FILE__, __LINE__, s, __VA_ARGS__ )
void *extension_( const char *file, int line, SOCKET s, GUID guid );

/* An OVERLAPPED whose results nobody has written yet; its event, if any, may have its low bit set. The event is reset. */
#define INTERNAL_UNTOUCHED 0xdead
#define INTERNAL_HIGH_UNTOUCHED 0xbeef
void prepare_overlapped( OVERLAPPED *ov, HANDLE event );

/* A completion routine, and what it was called with last. */
extern struct routine_seen
{
    int calls;
    DWORD error, size, flags, thread;
    OVERLAPPED *overlapped;
} routine_seen;
void CALLBACK routine( DWORD error, DWORD size, OVERLAPPED *ov, DWORD flags );

/* The next packet within so many milliseconds: of this OVERLAPPED and key, with the result, error and size of
 * GetQueuedCompletionStatus; and none within them. */
#define check_packet_within( port, ms, key, ov, result, error, size ) \
    check_packet_( __FILE__, __LINE__, port, ms, key, ov, result, error, size )
void check_packet_( const char *file, int line, HANDLE port, DWORD ms, ULONG_PTR key, OVERLAPPED *ov, BOOL result,
                    DWORD error, DWORD size );
#define check_no_packet( port, ms ) check_no_packet_( __FILE__, __LINE__, port, ms )
void check_no_packet_( const char *file, int line, HANDLE port, DWORD ms );

#endif
