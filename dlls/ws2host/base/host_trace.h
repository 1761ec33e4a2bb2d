/*
 * WS2DEBUG=host: lines about what the host half does by itself, which no Winsock call shows: its conversations with the server,
 * servers that come and go, the I/O loop. Costs one look at a variable while it is off. Any thread, any lock held.
 */
#ifndef HOST_TRACE_H
#define HOST_TRACE_H

#include <stdint.h>

extern volatile uint32_t host_tracing;

#define host_trace( ... ) \
    do { \
        if ( __builtin_expect( host_tracing, 0 ) ) host_trace_line( __VA_ARGS__ ); \
    } while ( 0 )

/* One line, as printf, without its newline. errno stays as it is. */
void host_trace_line( const char *format, ... ) __attribute__( ( format( printf, 1, 2 ) ) );
/* From now on to fd, which stays the caller's and open; windows_pid begins each line. */
void host_trace_to( int fd, uint32_t windows_pid );

#endif
