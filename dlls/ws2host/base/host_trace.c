/* Lines of WS2DEBUG=host (host_trace.h): 12:34:56.789012 292.1234 host REDEEM ticket 5f3a21 = 0, slot 64.2 */
#include <sys/syscall.h>
#include "base/host_trace.h"
#include "ws2host/trace_text.h"

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
    char who[40];
    va_list args;

    snprintf( who, sizeof( who ), "%u.%d host", trace_pid, (int)syscall( SYS_gettid ) );
    va_start( args, format );
    /* a line that cannot be written is missing */
    ws2_trace_line( trace_fd, who, format, args );
    va_end( args );
}
