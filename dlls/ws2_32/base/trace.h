/*
 * What the program does, for a person: a line per call, or per failed one, per event told, per end of an overlapped operation,
 * as WS2DEBUG or `ws2ctl trace` selects. Costs one look at a variable while nothing is selected. Any thread.
 */
#ifndef TRACE_H
#define TRACE_H

#include <winsock2.h>
#include <windows.h>

/* 0: nothing is selected; else another number with each selection. The host half writes it (unix_attach gives it the address). */
extern volatile UINT32 ws2_tracing;

/* How a result is shown */
enum trace_result
{
    TRACE_NUMBER,
    TRACE_HANDLE
};
#define TRACE_RESULT( result ) \
    ( __builtin_types_compatible_p( __typeof__( result ), SOCKET ) || __builtin_classify_type( result ) == 5 \
          ? TRACE_HANDLE \
          : TRACE_NUMBER )

/* The end of an exported function, by its public name. Keeps the last error. */
void ws2_trace( const char *function, enum trace_result kind, long long result, int error, const char *format, ... )
    __attribute__( ( format( gnu_printf, 5, 6 ) ) );
/* A call of the host half (enum ws2_call) begins to wait. */
void trace_waits( unsigned int code, const void *params );
/* An overlapped operation has ended and the program is being told. */
void trace_operation_ends( UINT64 handle, UINT64 iosb, int error, UINT64 bytes );
/* Network events are told: an event object, or a window. */
void trace_events( UINT64 handle, UINT32 mask, UINT64 target, UINT32 message );

/* Arguments as text, good until some hundred more have been made: "127.0.0.1:80", "[::1]:80", a path, or the pointer where
 * nothing can be read; the names of FD_* bits. */
const char *trace_address( const struct sockaddr *address, int size );
/* The same, of the size that a function has given back. */
const char *trace_address_out( const struct sockaddr *address, const int *size );
const char *trace_event_mask( long mask );
/* A count that a function has given back, "-" for none. */
const char *trace_count( const DWORD *count );

/* One line on stderr whatever is selected: for what a person must know. */
void ws2_log( const char *format, ... ) __attribute__( ( format( gnu_printf, 1, 2 ) ) );

#endif
