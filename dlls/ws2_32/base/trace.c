/* WS2DEBUG=trace: one line per Winsock call. Also the one way to tell a person something. */
#include "base/ws2_32_private.h"

BOOL ws2_tracing;

static void write_line( char *line, int length, int size )
{
    struct ws2_log_params params = { 0 };

    if ( length >= size ) length = size - 1;
    if ( length < 0 ) return;
    line[length - 1] = '\n';
    params.text = ws2_pointer( line );
    params.size = length;
    ws2host_call( ws2_call_log, &params );
}

void ws2_trace( const char *function, long long result, int error, const char *format, ... )
{
    DWORD last_error = GetLastError();
    char line[512];
    int length;
    va_list args;

    length =
        snprintf( line, sizeof( line ), "%04lx:%04lx:%s( ", GetCurrentProcessId(), GetCurrentThreadId(), function );
    va_start( args, format );
    length += vsnprintf( line + length, sizeof( line ) - length, format, args );
    va_end( args );
    if ( length < (int)sizeof( line ) )
        length += snprintf( line + length, sizeof( line ) - length, " ) = %lld, error %d ", result, error );
    write_line( line, length, sizeof( line ) );
    SetLastError( last_error );
}

void ws2_log( const char *format, ... )
{
    DWORD last_error = GetLastError();
    char line[512];
    int length;
    va_list args;

    length = snprintf( line, sizeof( line ), "ws2host: " );
    va_start( args, format );
    length += vsnprintf( line + length, sizeof( line ) - length, format, args );
    va_end( args );
    if ( length < (int)sizeof( line ) - 1 ) line[length++] = ' ';
    write_line( line, length, sizeof( line ) );
    SetLastError( last_error );
}
