/* Lines of WS2DEBUG=host (host_trace.h): 12:34:56.789012 292.1234 host REDEEM ticket 5f3a21 = 0, slot 64.2 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "base/host_trace.h"

volatile uint32_t host_tracing;

static int trace_fd = 2;
static uint32_t trace_pid;

void host_trace_to( int fd, uint32_t windows_pid )
{
    trace_fd = fd;
    trace_pid = windows_pid;
}

void host_trace_line( const char *format, ... )
{
    const int error = errno;
    char line[512];
    struct timespec now;
    struct tm local;
    va_list args;
    int length;

    clock_gettime( CLOCK_REALTIME, &now );
    localtime_r( &now.tv_sec, &local );
    length = snprintf( line, sizeof( line ), "%02d:%02d:%02d.%06ld %u.%d host ", local.tm_hour, local.tm_min,
                       local.tm_sec, now.tv_nsec / 1000, trace_pid, (int)syscall( SYS_gettid ) );
    va_start( args, format );
    length += vsnprintf( line + length, sizeof( line ) - length, format, args );
    va_end( args );
    if ( length >= (int)sizeof( line ) ) length = sizeof( line ) - 1;
    line[length++] = '\n';
    /* a line that cannot be written is missing */
    if ( write( trace_fd, line, length ) < 0 ) errno = error;
    errno = error;
}
