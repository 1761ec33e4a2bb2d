/* Addresses as text, without ports: the inet_ functions. The only state is each thread's inet_ntoa string. */
#include "base/ws2_32_private.h"
#include "names/ip_strings.h"
#include "base/strings.h"
#include "base/thread_data.h"

/* Windows leaves this NTSTATUS unmapped in the last error. */
#define BAD_PARAMETER ( (int)0xc000000d )

static BOOL is_space( char c ) { return c == ' ' || ( c >= 9 && c <= 13 ); }

static int digit_value( char c )
{
    if ( c >= '0' && c <= '9' ) return c - '0';
    if ( c >= 'a' && c <= 'f' ) return c - 'a' + 10;
    if ( c >= 'A' && c <= 'F' ) return c - 'A' + 10;
    return 99;
}

/* One part: decimal, 0x hexadecimal or octal with a leading 0; moves *text behind it. */
static BOOL parse_part( const char **text, ULONG *value )
{
    const char *p = *text, *digits;
    ULONG64 result = 0;
    int base = 10;

    if ( p[0] == '0' && ( p[1] == 'x' || p[1] == 'X' ) ) base = 16, p += 2;
    else if ( p[0] == '0' ) base = 8;
    for ( digits = p; digit_value( *p ) < base; p++ )
        if ( ( result = result * base + digit_value( *p ) ) > 0xffffffff ) return FALSE;
    if ( p == digits ) return FALSE;
    *text = p;
    *value = result;
    return TRUE;
}

/* 1 to 4 parts, the last of which fills the low bytes that are left; space behind a digit ends the text. */
static ULONG parse_ipv4( const char *text )
{
    ULONG address = 0, part;

    if ( !strcmp( text, " " ) ) return 0; /* no rule, but Windows */
    for ( int count = 0; count < 4; count++ )
    {
        if ( !parse_part( &text, &part ) ) return INADDR_NONE;
        if ( !*text || is_space( *text ) )
        {
            if ( (ULONG64)part >> ( 32 - 8 * count ) ) return INADDR_NONE;
            return htonl( address | part );
        }
        if ( *text++ != '.' || part > 255 ) return INADDR_NONE;
        address |= part << ( 24 - 8 * count );
    }
    return INADDR_NONE;
}

/***********************************************************************
 *      inet_addr   (WS2_32.11)
 *
 * Leaves the last error alone, except for a pointer that cannot be read.
 */
unsigned long WINAPI inet_addr( const char *text )
{
    DWORD last_error = GetLastError();
    ULONG result = INADDR_NONE;
    char *copy;
    int error = string_read( text, &copy );

    if ( !error && !text ) error = WSAEFAULT;
    if ( !error ) result = parse_ipv4( copy );
    free( copy );
    WS2_RETURN( result, error ? error : (int)last_error, "text=%p", text );
}

/***********************************************************************
 *      inet_ntoa   (WS2_32.12)
 */
char *WINAPI inet_ntoa( struct in_addr address )
{
    struct thread_data *data = thread_data();
    const BYTE *bytes = (const BYTE *)&address;

    if ( !data ) WS2_RETURN( (char *)NULL, WSA_NOT_ENOUGH_MEMORY, "no memory" );
    sprintf( data->ntoa, "%u.%u.%u.%u", bytes[0], bytes[1], bytes[2], bytes[3] );
    WS2_RETURN( (char *)data->ntoa, 0, "address=%s", data->ntoa );
}

/* The text of an address, NUL included in *length. */
static int format( int family, const void *address, WCHAR *text, size_t *length )
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
    int error = format( family, address, text, &length );

    if ( !error && ( !buffer || size < length ) ) error = BAD_PARAMETER;
    for ( size_t i = 0; !error && i < length; i++ ) narrow[i] = text[i];
    if ( !error ) error = ws2_write( buffer, narrow, length );
    WS2_RETURN( (PCSTR)( error ? NULL : buffer ), error, "family=%d buffer=%p size=%zu", family, buffer, size );
}

/***********************************************************************
 *      InetNtopW   (WS2_32.@)
 */
PCWSTR WINAPI InetNtopW( INT family, const void *address, PWSTR buffer, size_t size )
{
    WCHAR text[INET6_ADDRSTRLEN];
    size_t length = 0;
    int error = format( family, address, text, &length );

    if ( !error && ( !buffer || size < length ) ) error = BAD_PARAMETER;
    if ( !error ) error = ws2_write( buffer, text, length * sizeof( WCHAR ) );
    WS2_RETURN( (PCWSTR)( error ? NULL : buffer ), error, "family=%d buffer=%p size=%zu", family, buffer, size );
}

/* 1 and the address, 0 for text that is none, -1 with an error. */
static int parse( int family, const WCHAR *text, void *buffer, int *error )
{
    IN6_ADDR in6;
    IN_ADDR in;
    WCHAR *end;

    if ( !text || !buffer ) *error = WSAEFAULT;
    else if ( family == AF_INET )
    {
        if ( RtlIpv4StringToAddressW( text, TRUE, &end, &in ) || *end ) return *error = WSAEINVAL, 0;
        *error = ws2_write( buffer, &in, sizeof( in ) );
    }
    else if ( family == AF_INET6 )
    {
        if ( RtlIpv6StringToAddressW( text, &end, &in6 ) || *end ) return *error = WSAEINVAL, 0;
        *error = ws2_write( buffer, &in6, sizeof( in6 ) );
    }
    else *error = WSAEAFNOSUPPORT;
    return *error ? -1 : 1;
}

/***********************************************************************
 *      inet_pton   (WS2_32.@)
 */
INT WINAPI inet_pton( INT family, PCSTR text, void *buffer )
{
    WCHAR *wide = NULL;
    int result = -1,
        error = family == AF_INET || family == AF_INET6 ? string_read_ansi( text, &wide ) : WSAEAFNOSUPPORT;

    if ( !error ) result = parse( family, wide, buffer, &error );
    free( wide );
    WS2_RETURN( result, error, "family=%d text=%p", family, text );
}

/***********************************************************************
 *      InetPtonW   (WS2_32.@)
 */
INT WINAPI InetPtonW( INT family, PCWSTR text, void *buffer )
{
    WCHAR *wide = NULL;
    int result = -1,
        error = family == AF_INET || family == AF_INET6 ? string_read_wide( text, &wide ) : WSAEAFNOSUPPORT;

    if ( !error ) result = parse( family, wide, buffer, &error );
    free( wide );
    WS2_RETURN( result, error, "family=%d text=%p", family, text );
}
