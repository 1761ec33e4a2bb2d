/* Strings of the program's: copied once, safely, and converted. No state. */
#include "base/ws2_32_private.h"
#include "base/strings.h"

#define PAGE 0x1000

/* Copies up to and with a terminator of `unit` bytes, never reading beyond the page that holds it. */
static int read_terminated( const char *user, size_t unit, void **copy )
{
    size_t used = 0, size = 0, piece;
    char *string = NULL, *larger;
    int error;

    *copy = NULL;
    if ( !user ) return 0;
    for ( ;; )
    {
        piece = PAGE - (UINT_PTR)( user + used ) % PAGE;
        if ( piece > 256 ) piece = 256;
        /* a wide character may straddle two pages when the string is misaligned */
        if ( piece < unit ) piece = unit;
        piece -= piece % unit;
        if ( used + piece > size )
        {
            size = ( used + piece ) * 2;
            if ( !( larger = realloc( string, size ) ) )
            {
                free( string );
                return WSA_NOT_ENOUGH_MEMORY;
            }
            string = larger;
        }
        if ( ( error = ws2_read( string + used, user + used, piece ) ) )
        {
            free( string );
            return error;
        }
        for ( size_t end = used + piece; used < end; used += unit )
        {
            if ( unit == 1 ? string[used] : *(WCHAR *)( string + used ) ) continue;
            *copy = string;
            return 0;
        }
    }
}

int string_read( const char *user, char **copy ) { return read_terminated( user, 1, (void **)copy ); }

int string_read_wide( const WCHAR *user, WCHAR **copy )
{
    return read_terminated( (const char *)user, sizeof( WCHAR ), (void **)copy );
}

int string_read_ansi( const char *user, WCHAR **copy )
{
    char *string;
    int error;

    *copy = NULL;
    if ( ( error = string_read( user, &string ) ) || !string ) return error;
    *copy = string_wide( CP_ACP, string );
    free( string );
    return *copy ? 0 : WSA_NOT_ENOUGH_MEMORY;
}

WCHAR *string_wide( UINT code_page, const char *string )
{
    int length = string ? MultiByteToWideChar( code_page, 0, string, -1, NULL, 0 ) : 0;
    WCHAR *wide = length ? malloc( length * sizeof( WCHAR ) ) : NULL;

    if ( wide ) MultiByteToWideChar( code_page, 0, string, -1, wide, length );
    return wide;
}

char *string_narrow( UINT code_page, const WCHAR *string )
{
    int length = string ? WideCharToMultiByte( code_page, 0, string, -1, NULL, 0, NULL, NULL ) : 0;
    char *narrow = length ? malloc( length ) : NULL;

    if ( narrow ) WideCharToMultiByte( code_page, 0, string, -1, narrow, length, NULL, NULL );
    return narrow;
}
