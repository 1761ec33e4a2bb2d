/*
 * Lines about what the program does (trace.h), and the one way to tell a person something.
 *
 * 12:34:56.789012 292.296 program.exe send( s=0x44, buffer=0x21fe40, size=5, flags=0 ) = 5
 */
#include "base/ws2_32_private.h"

volatile UINT32 ws2_tracing;

#define LINE_SIZE 1024

/* The selection in force, of the number that it was read under. */
static struct ws2_trace_selection_params selection;
static volatile UINT32 selected;
static SRWLOCK selecting = SRWLOCK_INIT;

static void select_lines( void )
{
    const UINT32 number = ws2_tracing;

    if ( selected == number ) return;
    lock_exclusive( &selecting );
    ws2host_call( ws2_call_trace_selection, &selection );
    selected = number;
    ReleaseSRWLockExclusive( &selecting );
}

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

static const char *program_name( void )
{
    static char name[64];
    WCHAR path[MAX_PATH];
    const WCHAR *slash;

    if ( *name ) return name;
    if ( !GetModuleFileNameW( NULL, path, MAX_PATH ) ) return "?";
    path[MAX_PATH - 1] = 0;
    slash = wcsrchr( path, '\\' );
    if ( !WideCharToMultiByte( CP_UTF8, 0, slash ? slash + 1 : path, -1, name, sizeof( name ) - 1, NULL, NULL ) )
        strcpy( name, "?" );
    return name;
}

/* Time, process, thread and program; the length. */
static int begin_line( char *line )
{
    FILETIME utc, local;
    SYSTEMTIME time;

    GetSystemTimePreciseAsFileTime( &utc );
    FileTimeToLocalFileTime( &utc, &local );
    FileTimeToSystemTime( &local, &time );
    return snprintf( line, LINE_SIZE, "%02d:%02d:%02d.%06u %lu.%lu %s ", time.wHour, time.wMinute, time.wSecond,
                     (unsigned int)( local.dwLowDateTime / 10 % 1000000 ), GetCurrentProcessId(), GetCurrentThreadId(),
                     program_name() );
}

static void append( char *line, int *length, const char *format, ... ) __attribute__( ( format( gnu_printf, 3, 4 ) ) );
static void append( char *line, int *length, const char *format, ... )
{
    va_list args;

    if ( *length >= LINE_SIZE ) return;
    va_start( args, format );
    *length += vsnprintf( line + *length, LINE_SIZE - *length, format, args );
    va_end( args );
}

static const char *error_name( int error )
{
    static const struct
    {
        int error;
        const char *name;
    } names[] = {
#define N( code ) { code, #code }
        N( WSA_INVALID_HANDLE ),
        N( WSA_NOT_ENOUGH_MEMORY ),
        N( WSA_INVALID_PARAMETER ),
        N( WSA_OPERATION_ABORTED ),
        N( WSA_IO_INCOMPLETE ),
        N( WSA_IO_PENDING ),
        N( WSAEINTR ),
        N( WSAEBADF ),
        N( WSAEACCES ),
        N( WSAEFAULT ),
        N( WSAEINVAL ),
        N( WSAEMFILE ),
        N( WSAEWOULDBLOCK ),
        N( WSAEINPROGRESS ),
        N( WSAEALREADY ),
        N( WSAENOTSOCK ),
        N( WSAEDESTADDRREQ ),
        N( WSAEMSGSIZE ),
        N( WSAEPROTOTYPE ),
        N( WSAENOPROTOOPT ),
        N( WSAEPROTONOSUPPORT ),
        N( WSAESOCKTNOSUPPORT ),
        N( WSAEOPNOTSUPP ),
        N( WSAEPFNOSUPPORT ),
        N( WSAEAFNOSUPPORT ),
        N( WSAEADDRINUSE ),
        N( WSAEADDRNOTAVAIL ),
        N( WSAENETDOWN ),
        N( WSAENETUNREACH ),
        N( WSAENETRESET ),
        N( WSAECONNABORTED ),
        N( WSAECONNRESET ),
        N( WSAENOBUFS ),
        N( WSAEISCONN ),
        N( WSAENOTCONN ),
        N( WSAESHUTDOWN ),
        N( WSAETIMEDOUT ),
        N( WSAECONNREFUSED ),
        N( WSAELOOP ),
        N( WSAENAMETOOLONG ),
        N( WSAEHOSTDOWN ),
        N( WSAEHOSTUNREACH ),
        N( WSAEPROCLIM ),
        N( WSASYSNOTREADY ),
        N( WSAVERNOTSUPPORTED ),
        N( WSANOTINITIALISED ),
        N( WSAEDISCON ),
        N( WSAENOMORE ),
        N( WSAECANCELLED ),
        N( WSAEINVALIDPROCTABLE ),
        N( WSASERVICE_NOT_FOUND ),
        N( WSATYPE_NOT_FOUND ),
        N( WSA_E_NO_MORE ),
        N( WSA_E_CANCELLED ),
        N( WSAEREFUSED ),
        N( WSAHOST_NOT_FOUND ),
        N( WSATRY_AGAIN ),
        N( WSANO_RECOVERY ),
        N( WSANO_DATA ),
        N( ERROR_ACCESS_DENIED ),
        N( ERROR_NOT_SUPPORTED ),
        N( ERROR_NETNAME_DELETED ),
        N( ERROR_NOT_FOUND ),
        N( ERROR_INSUFFICIENT_BUFFER ),
        N( ERROR_MORE_DATA ),
        N( ERROR_PORT_UNREACHABLE )
#undef N
    };

    for ( unsigned int i = 0; i < ARRAYSIZE( names ); i++ )
        if ( names[i].error == error ) return names[i].name;
    return "error";
}

static void append_error( char *line, int *length, int error )
{
    if ( error ) append( line, length, " %s (%d)", error_name( error ), error );
}

/* Whether the text has "NAME" between commas; none at all means any. */
static BOOL is_selected( const char *functions, const char *name )
{
    char word[80];

    if ( !*functions ) return TRUE;
    snprintf( word, sizeof( word ), ",%s,", name );
    return strstr( functions, word ) != NULL;
}

static BOOL is_selected_socket( const char *arguments, UINT64 result )
{
    char word[32];
    const char *found;
    int length;

    if ( !selection.socket || selection.socket == result ) return TRUE;
    length = snprintf( word, sizeof( word ), "=%#llx", (unsigned long long)selection.socket );
    for ( found = strstr( arguments, word ); found; found = strstr( found + 1, word ) )
        if ( !isxdigit( (unsigned char)found[length] ) ) return TRUE;
    return FALSE;
}

static BOOL failed( int error ) { return error && error != WSA_IO_PENDING; }

void ws2_trace( const char *function, enum trace_result kind, long long result, int error, const char *format, ... )
{
    const DWORD last_error = GetLastError();
    int length, arguments;
    char line[LINE_SIZE];
    va_list args;

    select_lines();
    if ( ( selection.what & WS2_TRACE_CALLS && is_selected( selection.functions, function ) ) ||
         ( selection.what & WS2_TRACE_ERRORS && failed( error ) ) )
    {
        length = begin_line( line );
        append( line, &length, "%s( ", function );
        arguments = length;
        va_start( args, format );
        if ( length < LINE_SIZE ) length += vsnprintf( line + length, LINE_SIZE - length, format, args );
        va_end( args );
        if ( is_selected_socket( line + arguments - 1, kind == TRACE_HANDLE ? (UINT64)result : 0 ) )
        {
            if ( kind != TRACE_HANDLE ) append( line, &length, " ) = %lld", result );
            else if ( (SOCKET)result == INVALID_SOCKET ) append( line, &length, " ) = -1" );
            else append( line, &length, " ) = %#llx", (unsigned long long)result );
            append_error( line, &length, error );
            append( line, &length, "\n" );
            write_line( line, length, sizeof( line ) );
        }
    }
    SetLastError( last_error );
}

static const struct
{
    const char *name; /* the public one, of the function or its best known kin */
    BOOL on_socket;
} waiting[] = { [ws2_call_bind] = { "bind", TRUE },
                [ws2_call_connect] = { "connect", TRUE },
                [ws2_call_accept] = { "accept", TRUE },
                [ws2_call_send] = { "send", TRUE },
                [ws2_call_recv] = { "recv", TRUE },
                [ws2_call_sendmsg] = { "WSASendTo", TRUE },
                [ws2_call_recvmsg] = { "WSARecvFrom", TRUE },
                [ws2_call_select] = { "select", FALSE },
                [ws2_call_poll] = { "WSAPoll", FALSE },
                [ws2_call_ioctl] = { "WSAIoctl", TRUE },
                [ws2_call_close_end] = { "closesocket", FALSE } };

void trace_waits( unsigned int code, const void *params )
{
    const struct ws2_handle_params *socket = params;
    char line[LINE_SIZE];
    int length;

    select_lines();
    if ( !( selection.what & WS2_TRACE_CALLS ) || code >= ARRAYSIZE( waiting ) || !waiting[code].name ) return;
    if ( *selection.functions && !is_selected( selection.functions, waiting[code].name ) ) return;
    if ( selection.socket && ( !waiting[code].on_socket || socket->handle != selection.socket ) ) return;
    length = begin_line( line );
    append( line, &length, "%s( ", waiting[code].name );
    if ( waiting[code].on_socket ) append( line, &length, "s=%#llx ", (unsigned long long)socket->handle );
    append( line, &length, ") waits\n" );
    write_line( line, length, sizeof( line ) );
}

void trace_operation_ends( UINT64 handle, UINT64 iosb, int error, UINT64 bytes )
{
    char line[LINE_SIZE];
    int length;

    select_lines();
    if ( !( selection.what & WS2_TRACE_OVERLAPPED ) || ( selection.socket && selection.socket != handle ) ) return;
    length = begin_line( line );
    append( line, &length, "overlapped %#llx of s=%#llx ends: %llu bytes", (unsigned long long)iosb,
            (unsigned long long)handle, (unsigned long long)bytes );
    append_error( line, &length, error );
    append( line, &length, "\n" );
    write_line( line, length, sizeof( line ) );
}

void trace_events( UINT64 handle, UINT32 mask, UINT64 target, UINT32 message )
{
    char line[LINE_SIZE];
    int length;

    select_lines();
    if ( !( selection.what & WS2_TRACE_EVENTS ) || ( selection.socket && handle && selection.socket != handle ) )
        return;
    length = begin_line( line );
    append( line, &length, "told of %s", trace_event_mask( mask ) );
    if ( handle ) append( line, &length, " of s=%#llx", (unsigned long long)handle );
    append( line, &length, message ? ": window %#llx, message %#x\n" : ": event %#llx\n", (unsigned long long)target,
            message );
    write_line( line, length, sizeof( line ) );
}

/* --- arguments */

#define TEXTS 256
#define TEXT_SIZE 128

/* This file stands below the calls that it tells of, ws2_read among them. */
static BOOL read_memory( void *target, const void *source, size_t size )
{
    struct ws2_copy_params params = { 0, size, ws2_pointer( target ), ws2_pointer( source ) };

    return !ws2host_call( ws2_call_copy, &params ) && !params.error;
}

static unsigned int host_order( const void *network )
{
    const unsigned char *bytes = network;

    return bytes[0] << 8 | bytes[1];
}

static char *new_text( void )
{
    static char texts[TEXTS][TEXT_SIZE];
    static LONG last;

    return texts[(ULONG)InterlockedIncrement( &last ) % TEXTS];
}

const char *trace_address( const struct sockaddr *address, int size )
{
    const DWORD last_error = GetLastError();
    union
    {
        struct sockaddr_in six_or_four;
        struct sockaddr_in6 six;
        char path[TEXT_SIZE];
    } copy;
    char *text = new_text();
    const unsigned char *b = (const unsigned char *)&copy.six_or_four.sin_addr;

    memset( &copy, 0, sizeof( copy ) );
    if ( size > (int)sizeof( copy ) - 1 ) size = sizeof( copy ) - 1;
    if ( !address || size < (int)sizeof( short ) || !read_memory( &copy, address, size ) )
        snprintf( text, TEXT_SIZE, "%p", (const void *)address );
    else if ( copy.six_or_four.sin_family == AF_INET )
        snprintf( text, TEXT_SIZE, "%u.%u.%u.%u:%u", b[0], b[1], b[2], b[3], host_order( &copy.six_or_four.sin_port ) );
    else if ( copy.six_or_four.sin_family == AF_INET6 )
    {
        int length = snprintf( text, TEXT_SIZE, "[" ), best = -1, best_run = 1;
        const unsigned short *words = (const unsigned short *)&copy.six.sin6_addr;

        for ( int i = 0, run; i < 8; i += run + 1 )
        {
            for ( run = 0; i + run < 8 && !words[i + run]; run++ ) continue;
            if ( run > best_run ) best = i, best_run = run;
        }
        for ( int i = 0; i < 8; i++ )
        {
            if ( i == best )
            {
                length += snprintf( text + length, TEXT_SIZE - length, "::" );
                i += best_run - 1;
            }
            else
                length += snprintf( text + length, TEXT_SIZE - length, i && i != best + best_run ? ":%x" : "%x",
                                    host_order( words + i ) );
        }
        if ( copy.six.sin6_scope_id )
            length += snprintf( text + length, TEXT_SIZE - length, "%%%lu", copy.six.sin6_scope_id );
        snprintf( text + length, TEXT_SIZE - length, "]:%u", host_order( &copy.six.sin6_port ) );
    }
    else if ( copy.six_or_four.sin_family == AF_UNIX )
        snprintf( text, TEXT_SIZE, "%.110s", copy.path[2] ? copy.path + 2 : "(no name)" );
    else snprintf( text, TEXT_SIZE, "family %u", copy.six_or_four.sin_family );
    SetLastError( last_error );
    return text;
}

const char *trace_address_out( const struct sockaddr *address, const int *size )
{
    int length = 0;

    if ( !address || !size || !read_memory( &length, size, sizeof( length ) ) ) length = 0;
    return trace_address( address, length );
}

const char *trace_count( const DWORD *count )
{
    const DWORD last_error = GetLastError();
    char *text = new_text();
    DWORD copy;

    if ( !count || !read_memory( &copy, count, sizeof( copy ) ) ) strcpy( text, "-" );
    else snprintf( text, TEXT_SIZE, "%lu", copy );
    SetLastError( last_error );
    return text;
}

const char *trace_event_mask( long mask )
{
    static const char *const names[] = { "FD_READ",
                                         "FD_WRITE",
                                         "FD_OOB",
                                         "FD_ACCEPT",
                                         "FD_CONNECT",
                                         "FD_CLOSE",
                                         "FD_QOS",
                                         "FD_GROUP_QOS",
                                         "FD_ROUTING_INTERFACE_CHANGE",
                                         "FD_ADDRESS_LIST_CHANGE" };
    char *text = new_text();
    int length = 0;

    for ( unsigned int i = 0; i < ARRAYSIZE( names ) && length < TEXT_SIZE; i++ )
        if ( mask & 1l << i )
            length += snprintf( text + length, TEXT_SIZE - length, "%s%s", length ? "|" : "", names[i] );
    if ( !length ) strcpy( text, "0" );
    return text;
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
