/* Addresses written as text: the one parser behind every function that takes them. No state. */
#include <winsock2.h>
#include <string.h>
#include "names/ip_text.h"

#define LARGEST_LONG 0x7fffffff

struct number
{
    UINT32 value; /* its low 32 bits */
    BOOL wrapped; /* it has more */
};

/* 99 for what is no digit in any base. */
static unsigned int digit_value( WCHAR c )
{
    if ( c >= '0' && c <= '9' ) return c - '0';
    if ( c >= 'a' && c <= 'f' ) return c - 'a' + 10;
    if ( c >= 'A' && c <= 'F' ) return c - 'A' + 10;
    return 99;
}

static BOOL is_x( WCHAR c ) { return c == 'x' || c == 'X'; }

/* Moves *text behind the digits and returns how many there were. */
static size_t read_digits( const WCHAR **text, unsigned int base, struct number *number )
{
    const WCHAR *start = *text;
    UINT64 next;

    *number = ( struct number ){ 0 };
    for ( ; digit_value( **text ) < base; ( *text )++ )
    {
        next = (UINT64)number->value * base + digit_value( **text );
        number->value = (UINT32)next;
        number->wrapped |= next >> 32 != 0;
    }
    return *text - start;
}

/* Decimal, octal behind a 0, or hexadecimal behind 0x. */
static BOOL read_number( const WCHAR **text, struct number *number )
{
    unsigned int base = 10;

    if ( **text == '0' && is_x( ( *text )[1] ) ) base = 16, *text += 2;
    else if ( **text == '0' && digit_value( ( *text )[1] ) < 10 ) base = 8, *text += 1;
    return read_digits( text, base, number ) != 0;
}

const WCHAR *ip_text_dotted( const WCHAR *text, BYTE address[4] )
{
    struct number part;
    BYTE bytes[4];

    for ( int i = 0; i < 4; i++ )
    {
        if ( *text == '0' && ( digit_value( text[1] ) < 10 || is_x( text[1] ) ) ) return NULL;
        if ( !read_digits( &text, 10, &part ) || part.wrapped || part.value > 255 ) return NULL;
        bytes[i] = part.value;
        if ( ( *text == '.' ) != ( i < 3 ) ) return NULL;
        if ( i < 3 ) text++;
    }
    memcpy( address, bytes, sizeof( bytes ) );
    return text;
}

const WCHAR *ip_text_parts( const WCHAR *text, BOOL wraps, BYTE address[4] )
{
    struct number part;
    UINT32 value = 0;

    for ( int count = 0; count < 4; count++ )
    {
        if ( !read_number( &text, &part ) ) return NULL;
        if ( *text != '.' )
        {
            if ( part.wrapped && ( count || !wraps ) ) return NULL;
            if ( (UINT64)part.value >> ( 32 - 8 * count ) ) return NULL;
            value |= part.value;
            for ( int i = 0; i < 4; i++ ) address[i] = value >> ( 24 - 8 * i );
            return text;
        }
        if ( part.wrapped || part.value > 255 ) return NULL;
        value |= part.value << ( 24 - 8 * count );
        text++;
    }
    return NULL;
}

/* What was understood of an IPv6 address. */
struct scan
{
    BYTE *address;
    unsigned int size; /* bytes in address */
    int gap;           /* where "::" stands among them, or -1 */
    unsigned int *written;
};

static void put_byte( struct scan *scan, BYTE byte )
{
    scan->address[scan->size++] = byte;
    if ( scan->size > *scan->written ) *scan->written = scan->size;
}

static void put_word( struct scan *scan, UINT32 word )
{
    put_byte( scan, word >> 8 );
    put_byte( scan, word );
}

/* Room that a component must leave: a gap stands for one word at least. */
static unsigned int gap_size( const struct scan *scan ) { return scan->gap >= 0 ? 2 : 0; }

static const WCHAR *finish( struct scan *scan, const WCHAR *end )
{
    const unsigned int missing = 16 - scan->size;

    if ( scan->gap >= 0 )
    {
        memmove( scan->address + scan->gap + missing, scan->address + scan->gap, scan->size - scan->gap );
        memset( scan->address + scan->gap, 0, missing );
        *scan->written = 16;
    }
    return end;
}

/* The last four bytes as decimal parts. A part is stored when its dot is seen, the last when it completes the address. */
static const WCHAR *scan_dotted_tail( struct scan *scan, const WCHAR *text )
{
    struct number part;
    size_t digits;

    for ( int i = 0; i < 4; i++ )
    {
        digits = read_digits( &text, 10, &part );
        if ( digits < 1 || digits > 3 || part.value > 255 ) return NULL;
        if ( i == 3 ) break;
        if ( *text++ != '.' ) return NULL;
        put_byte( scan, part.value );
    }
    if ( scan->size != 15 && scan->gap < 0 ) return NULL;
    put_byte( scan, part.value );
    return finish( scan, text );
}

const WCHAR *ip_text_ipv6( const WCHAR *text, BYTE address[16], unsigned int *written )
{
    struct scan scan = { .address = address, .gap = -1, .written = written };
    const WCHAR *start, *other, *behind_gap = NULL;
    struct number word;
    size_t digits;

    *written = 0;
    if ( *text == ':' )
    {
        if ( *++text != ':' ) return NULL;
        put_word( &scan, 0 );
        scan.size = scan.gap = 0;
        behind_gap = ++text;
    }
    for ( ;; )
    {
        start = other = text;
        digits = read_digits( &text, 16, &word );
        if ( !digits ) return text == behind_gap ? finish( &scan, text ) : NULL;
        if ( scan.size + 4 + gap_size( &scan ) <= 16 && *text == '.' &&
             read_digits( &other, 10, &( struct number ){ 0 } ) == digits )
            return scan_dotted_tail( &scan, start );
        if ( digits == 1 && *start == '0' && is_x( *text ) )
        {
            /* the value is that of the digits behind the x, but the text ends before it */
            other = text + 1;
            read_digits( &other, 16, &word );
            if ( word.wrapped || word.value > LARGEST_LONG ) word.value = LARGEST_LONG;
        }
        else if ( digits > 4 ) return NULL;
        else if ( *text == ':' && scan.size + 2 + gap_size( &scan ) < 16 )
        {
            put_word( &scan, word.value );
            if ( text[1] != ':' )
            {
                text++;
                continue;
            }
            if ( scan.gap >= 0 ) return finish( &scan, text );
            scan.gap = scan.size;
            behind_gap = text += 2;
            if ( scan.size == 14 ) return finish( &scan, text );
            continue;
        }
        if ( scan.size + 2 != 16 && scan.gap < 0 ) return NULL;
        put_word( &scan, word.value );
        return finish( &scan, text );
    }
}

/* ":port", or nothing, up to the end of the text. */
static BOOL read_port( const WCHAR *text, USHORT *port )
{
    struct number number;

    if ( !*text ) return TRUE;
    if ( *text++ != ':' || !read_number( &text, &number ) || *text ) return FALSE;
    if ( number.wrapped || !number.value || number.value > 0xffff ) return FALSE;
    *port = number.value;
    return TRUE;
}

BOOL ip_text_endpoint4( const WCHAR *text, struct ip_text_endpoint *endpoint )
{
    memset( endpoint, 0, sizeof( *endpoint ) );
    text = ip_text_parts( text, TRUE, endpoint->address );
    return text && read_port( text, &endpoint->port );
}

BOOL ip_text_endpoint6( const WCHAR *text, struct ip_text_endpoint *endpoint )
{
    const BOOL bracket = *text == '[';
    struct number scope = { 0 };
    unsigned int written;

    memset( endpoint, 0, sizeof( *endpoint ) );
    if ( !( text = ip_text_ipv6( text + bracket, endpoint->address, &written ) ) ) return FALSE;
    if ( *text == '%' && ( text++, !read_digits( &text, 10, &scope ) || scope.wrapped ) ) return FALSE;
    if ( bracket ? *text++ != ']' || !read_port( text, &endpoint->port ) : *text ) return FALSE;
    endpoint->scope = scope.value;
    return TRUE;
}
