/* Addresses as text, without ports: the inet_ functions. The only state is each thread's inet_ntoa string. */
#include "base/ws2_32_private.h"
#include "names/ip_strings.h"
#include "names/ip_text.h"
#include "base/strings.h"
#include "base/thread_data.h"

/* Windows leaves this NTSTATUS unmapped in the last error. */
#define BAD_PARAMETER ( (int)0xc000000d )

static BOOL is_space( WCHAR c ) { return c == ' ' || ( c >= 9 && c <= 13 ); }

/***********************************************************************
 *      inet_addr   (WS2_32.11)
 *
 * Leaves the last error alone, except for a pointer that cannot be read.
 */
unsigned long WINAPI inet_addr( const char *text )
{
    DWORD last_error = GetLastError();
    ULONG result = INADDR_NONE;
    IN_ADDR address;
    const WCHAR *end;
    WCHAR *copy;
    int error = string_read_ansi( text, &copy );

    if ( !error && !text ) error = WSAEFAULT;
    if ( !error )
    {
        /* space behind a digit ends the text */
        end = ip_text_parts( copy, FALSE, (BYTE *)&address );
        if ( end && ( !*end || is_space( *end ) ) ) result = address.S_un.S_addr;
        else if ( !wcscmp( copy, L" " ) ) result = 0; /* no rule, but Windows */
    }
    free( copy );
    return WS2_RESULT( result, error ? error : (int)last_error, "text=%p", text );
}

/***********************************************************************
 *      inet_ntoa   (WS2_32.12)
 */
char *WINAPI inet_ntoa( struct in_addr address )
{
    struct thread_data *data = thread_data();
    const BYTE *bytes = (const BYTE *)&address;

    if ( !data ) return WS2_RESULT( (char *)NULL, WSA_NOT_ENOUGH_MEMORY, "no memory" );
    sprintf( data->ntoa, "%u.%u.%u.%u", bytes[0], bytes[1], bytes[2], bytes[3] );
    return WS2_RESULT( (char *)data->ntoa, 0, "address=%s", data->ntoa );
}

/* The text of an address, NUL included in *length. */
static int format_address( int family, const void *address, WCHAR *text, size_t *length )
{
    IN6_ADDR in6;
    IN_ADDR in;
    int error;

    if ( family == AF_INET )
    {
        if ( ( error = ws2_read( &in, address, sizeof( in ) ) ) ) return error;
        *length = RtlIpv4AddressToStringW( &in, text ) - text + 1;
        return 0;
    }
    if ( family == AF_INET6 )
    {
        if ( ( error = ws2_read( &in6, address, sizeof( in6 ) ) ) ) return error;
        *length = RtlIpv6AddressToStringW( &in6, text ) - text + 1;
        return 0;
    }
    return WSAEAFNOSUPPORT;
}

/***********************************************************************
 *      inet_ntop   (WS2_32.@)
 */
PCSTR WINAPI inet_ntop( INT family, const void *address, PSTR buffer, size_t size )
{
    WCHAR text[INET6_ADDRSTRLEN];
    char narrow[INET6_ADDRSTRLEN];
    size_t length = 0;
    int error = format_address( family, address, text, &length );

    if ( !error && ( !buffer || size < length ) ) error = BAD_PARAMETER;
    for ( size_t i = 0; !error && i < length; i++ ) narrow[i] = text[i];
    if ( !error ) error = ws2_write( buffer, narrow, length );
    return WS2_RESULT( (PCSTR)( error ? NULL : buffer ), error, "family=%d buffer=%p size=%zu", family, buffer, size );
}

/***********************************************************************
 *      InetNtopW   (WS2_32.@)
 */
PCWSTR WINAPI InetNtopW( INT family, const void *address, PWSTR buffer, size_t size )
{
    WCHAR text[INET6_ADDRSTRLEN];
    size_t length = 0;
    int error = format_address( family, address, text, &length );

    if ( !error && ( !buffer || size < length ) ) error = BAD_PARAMETER;
    if ( !error ) error = ws2_write( buffer, text, length * sizeof( WCHAR ) );
    return WS2_RESULT( (PCWSTR)( error ? NULL : buffer ), error, "family=%d buffer=%p size=%zu", family, buffer, size );
}

/* 1 for an address, 0 for text that is none, -1 with an error. What was understood is written in either case. */
static int parse( int family, const WCHAR *text, void *buffer, int *error )
{
    BYTE address[16];
    unsigned int written;
    const WCHAR *end;

    if ( family == AF_INET )
    {
        end = ip_text_dotted( text, address );
        written = end ? 4 : 0;
    }
    else if ( family == AF_INET6 ) end = ip_text_ipv6( text, address, &written );
    else
    {
        *error = WSAEAFNOSUPPORT;
        return -1;
    }
    if ( written && ( *error = ws2_write( buffer, address, written ) ) ) return -1;
    return end && !*end;
}

/***********************************************************************
 *      inet_pton   (WS2_32.@)
 *
 * Leaves the last error alone unless it returns -1.
 */
INT WINAPI inet_pton( INT family, PCSTR text, void *buffer )
{
    DWORD last_error = GetLastError();
    WCHAR *wide = NULL;
    int result = -1, error = text && buffer ? string_read_ansi( text, &wide ) : WSAEFAULT;

    if ( !error ) result = parse( family, wide, buffer, &error );
    free( wide );
    return WS2_RESULT( result, error ? error : (int)last_error, "family=%d text=%p", family, text );
}

/***********************************************************************
 *      InetPtonW   (WS2_32.@)
 *
 * Leaves the last error alone when it returns 1.
 */
INT WINAPI InetPtonW( INT family, PCWSTR text, void *buffer )
{
    DWORD last_error = GetLastError();
    WCHAR *wide = NULL;
    int result = -1, error = text && buffer ? string_read_wide( text, &wide ) : WSAEFAULT;

    if ( !error && !( result = parse( family, wide, buffer, &error ) ) ) error = WSAEINVAL;
    free( wide );
    return WS2_RESULT( result, error ? error : (int)last_error, "family=%d text=%p", family, text );
}
