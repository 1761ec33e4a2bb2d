/*
 * ws2_32 inside: what every room of the DLL uses.
 *
 * Each exported function ends with `return WS2_RESULT( … )`, which sets the thread's last error (0 on success, as Windows
 * does) and writes the trace line. Pointers of the caller are read and written through ws2_read/ws2_write or on the host
 * side, never directly: a bad one is WSAEFAULT and not a crash.
 */
#ifndef WS2_32_PRIVATE_H
#define WS2_32_PRIVATE_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <winsock2.h>
#include <ws2tcpip.h>
#include <windows.h>
#include "ws2host/loader.h"
#include "ws2host/unixcall.h"
#include "base/counts.h"
#include "base/locks.h"
#include "base/trace.h"

/* A function returns to the program: counted and, if that is selected, traced. The last error stays. */
#define WS2_RETURNS( function, kind, result, error, ... ) \
    do { \
        count_call(); \
        if ( ws2_tracing ) ws2_trace( function, kind, result, error, __VA_ARGS__ ); \
    } while ( 0 )

/* The result of an exported function, once its error is the thread's and traced: return WS2_RESULT( result, error, "..." ).
 * The words are a format, of arguments "name=value"; sockets are "s=%#zx" always. */
#define WS2_RESULT( result, error, ... ) WS2_RESULT_AS( __func__, result, error, __VA_ARGS__ )

/* The same of a function that the program knows by another name. */
#define WS2_RESULT_AS( function, result, error, ... ) \
    ( { \
        int ws2_error_ = ( error ); \
        __typeof__( result ) ws2_result_ = ( result ); \
        WS2_RETURNS( function, TRACE_RESULT( ws2_result_ ), (long long)(INT_PTR)ws2_result_, ws2_error_, \
                     __VA_ARGS__ ); \
        SetLastError( ws2_error_ ); \
        ws2_result_; \
    } )

/* The usual one: 0, or SOCKET_ERROR with an error. */
#define WS2_RESULT_OF( error, ... ) WS2_RESULT_OF_AS( __func__, error, __VA_ARGS__ )
#define WS2_RESULT_OF_AS( function, error, ... ) \
    ( { \
        int ws2_status_ = ( error ); \
        WS2_RESULT_AS( function, ws2_status_ ? SOCKET_ERROR : 0, ws2_status_, __VA_ARGS__ ); \
    } )

/* --- call.c */
extern LONG ws2_started; /* WSAStartup calls not yet undone */
extern WORD ws2_version; /* the lowest version that was negotiated since the first of them */

/* Runs a call of the host half; user APCs run in between when it waits, and a handle that the process has not seen is
 * adopted. The Winsock code of the result. */
int ws2_call_( unsigned int code, void *params );
/* Closes a descriptor of the host half; negative: none. */
void ws2_close_fd( int fd );
#define ws2_call( name, params ) ws2_call_( ws2_call_##name, params )

/* User APCs of the thread run now. */
void ws2_alert( void );

/* The first thing that most functions do: returns the result when Winsock is not started. */
#define WS2_REQUIRE_STARTUP( result ) \
    do { \
        if ( !ws2_started ) return WS2_RESULT( result, WSANOTINITIALISED, "%s", "before WSAStartup" ); \
    } while ( 0 )

static inline UINT64 ws2_pointer( const void *pointer ) { return (UINT_PTR)pointer; }

/* Copy from or to memory of the caller's; 0 or WSAEFAULT. */
int ws2_read( void *target, const void *user, size_t size );
int ws2_write( void *user, const void *source, size_t size );
/* Several writes in one call, which also gives back to the host half what the program has been told of. Addresses of this side
 * or of the host half, which a program of 32 bits may be unable to reach. */
struct ws2_operation_results_params;
void ws2_results_begin( struct ws2_operation_results_params *results );
void ws2_results_add( struct ws2_operation_results_params *results, UINT64 user, UINT64 source, UINT64 size );
/* FALSE: a pointer was bad, the one before results->done; called again it goes on from there. */
BOOL ws2_results_write( struct ws2_operation_results_params *results );

/* --- socket_handles.c */
/* Makes a SOCKET of a handle that the process has not seen (inherited, DuplicateHandle'd), if it is one. */
BOOL ws2_adopt( UINT64 handle );

/* --- worker.c */
/* The I/O thread; for callers that the host half tells that the process has none yet. */
BOOL ws2_start_io_thread( void );

#endif
