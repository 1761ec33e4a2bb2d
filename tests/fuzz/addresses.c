/*
 * Addresses in text: whatever stands in one, nothing beyond its NUL is read, nothing but the bytes that are said to be
 * written is; what the host's parser takes is taken, with the same address; and the forms agree with each other.
 *
 * dlls/ws2_32/names/ip_text.c for the host's compiler. An input is the text, a byte for a character.
 */
#include <winsock2.h>
#include <stdlib.h>
#include <string.h>
#include "names/ip_text.h"

int LLVMFuzzerTestOneInput( const uint8_t *data, size_t size );

/* the host's, whose headers do not go with Windows'; its number of AF_INET6 */
int inet_pton( int family, const char *text, void *address );
#define HOST_AF_INET6 10

#define UNTOUCHED 0xa5

static void demand( int condition )
{
    if ( !condition ) abort();
}

static BOOL untouched( const BYTE *bytes, size_t size )
{
    for ( size_t i = 0; i < size; i++ )
        if ( bytes[i] != UNTOUCHED ) return FALSE;
    return TRUE;
}

static void check_ipv4( const WCHAR *text, const WCHAR *last, const char *narrow )
{
    BYTE dotted[4], parts[4], unwrapped[4], host[4];
    struct ip_text_endpoint endpoint;
    const WCHAR *dotted_end, *parts_end, *unwrapped_end;
    BOOL good;

    memset( dotted, UNTOUCHED, sizeof( dotted ) );
    memset( parts, UNTOUCHED, sizeof( parts ) );
    memset( unwrapped, UNTOUCHED, sizeof( unwrapped ) );
    dotted_end = ip_text_dotted( text, dotted );
    parts_end = ip_text_parts( text, TRUE, parts );
    unwrapped_end = ip_text_parts( text, FALSE, unwrapped );
    good = ip_text_endpoint4( text, &endpoint );

    demand( dotted_end ? dotted_end > text && dotted_end <= last : untouched( dotted, 4 ) );
    demand( parts_end ? parts_end > text && parts_end <= last : untouched( parts, 4 ) );
    /* four decimal parts are parts, and so are those that need no wrapping */
    if ( dotted_end ) demand( parts_end == dotted_end && !memcmp( parts, dotted, 4 ) );
    if ( unwrapped_end ) demand( parts_end == unwrapped_end && !memcmp( parts, unwrapped, 4 ) );
    else demand( untouched( unwrapped, 4 ) );
    demand( !memcmp( endpoint.address, parts_end ? parts : ( BYTE[4] ){ 0 }, 4 ) );
    if ( good ) demand( parts_end && ( *parts_end == ':' ) == ( endpoint.port != 0 ) );
    else demand( !endpoint.port && ( !parts_end || *parts_end ) );
    if ( inet_pton( AF_INET, narrow, host ) == 1 )
        demand( dotted_end && !*dotted_end && !memcmp( host, dotted, sizeof( host ) ) );
    else demand( !dotted_end || *dotted_end );
}

static void check_ipv6( const WCHAR *text, const WCHAR *last, const char *narrow )
{
    static const BYTE zeros[16];
    struct ip_text_endpoint endpoint, inner;
    unsigned int written, inner_written;
    BYTE address[16], host[16], other[16];
    const WCHAR *end;
    BOOL good;

    memset( address, UNTOUCHED, sizeof( address ) );
    end = ip_text_ipv6( text, address, &written );
    good = ip_text_endpoint6( text, &endpoint );
    demand( written <= 16 && untouched( address + written, 16 - written ) );
    demand( !end || ( written == 16 && end > text && end <= last ) );
    if ( *text != '[' )
    {
        demand( !memcmp( endpoint.address, address, written ) );
        demand( !memcmp( endpoint.address + written, zeros, 16 - written ) );
        if ( good ) demand( end && ( !*end || *end == '%' ) && !endpoint.port );
    }
    else
    {
        demand( !end && !written );
        ip_text_ipv6( text + 1, other, &inner_written );
        demand( !memcmp( endpoint.address, other, inner_written ) );
    }
    if ( !good ) demand( !endpoint.port && !endpoint.scope );
    if ( inet_pton( HOST_AF_INET6, narrow, host ) == 1 )
    {
        demand( end && !*end && !memcmp( host, address, sizeof( host ) ) );
        demand( ip_text_endpoint6( text, &inner ) && !inner.scope );
    }
}

int LLVMFuzzerTestOneInput( const uint8_t *data, size_t size )
{
    WCHAR *text = malloc( ( size + 1 ) * sizeof( *text ) );
    char *narrow = malloc( size + 1 );

    demand( text && narrow );
    for ( size_t i = 0; i < size; i++ ) text[i] = narrow[i] = data[i];
    text[size] = narrow[size] = 0;
    size = strlen( narrow );
    check_ipv4( text, text + size, narrow );
    check_ipv6( text, text + size, narrow );
    free( narrow );
    free( text );
    return 0;
}
