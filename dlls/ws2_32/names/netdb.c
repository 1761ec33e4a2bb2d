/*
 * The data bases of hosts, services and protocols: files of lines, read anew for each question, as Windows does, so
 * that a change is seen at once. No state; any thread.
 */
#include "base/ws2_32_private.h"
#include "names/netdb.h"
#include "names/netdb_stock.h"

enum base
{
    HOSTS,
    SERVICES,
    PROTOCOLS
};

static const struct
{
    const WCHAR *file; /* in drivers\etc */
    const char *stock;
    int host_file; /* enum ws2_etc_file, or -1: the host's is not asked */
} bases[] = {
    [HOSTS] = { L"hosts", "", -1 },
    [SERVICES] = { L"services", stock_services, WS2_ETC_SERVICES },
    [PROTOCOLS] = { L"protocol", stock_protocols, -1 },
};

#define LARGEST_FILE 0x1000000

/* A whole file of the prefix, malloc'ed, NUL-terminated. */
static char *read_prefix_file( enum base base )
{
    WCHAR path[MAX_PATH + 32];
    LARGE_INTEGER size;
    char *text = NULL;
    DWORD got = 0;
    HANDLE file;

    if ( !GetSystemDirectoryW( path, MAX_PATH ) ) return NULL;
    wcscat( path, L"\\drivers\\etc\\" );
    wcscat( path, bases[base].file );
    file = CreateFileW( path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_EXISTING,
                        0, NULL );
    if ( file == INVALID_HANDLE_VALUE ) return NULL;
    if ( GetFileSizeEx( file, &size ) && size.QuadPart < LARGEST_FILE && ( text = malloc( size.QuadPart + 1 ) ) )
    {
        if ( !ReadFile( file, text, size.QuadPart, &got, NULL ) ) got = 0;
        text[got] = 0;
    }
    CloseHandle( file );
    return text;
}

static char *read_host_file( enum base base )
{
    struct ws2_etc_file_params params = { .file = bases[base].host_file, .size = 0x8000 };
    char *text = NULL, *larger;
    int error;

    if ( bases[base].host_file < 0 ) return NULL;
    for ( ;; )
    {
        if ( params.size > LARGEST_FILE || !( larger = realloc( text, params.size + 1 ) ) ) break;
        text = larger;
        params.text = ws2_pointer( text );
        if ( !( error = ws2_call( etc_file, &params ) ) )
        {
            text[params.length] = 0;
            return text;
        }
        if ( error != WSAENOBUFS ) break;
        params.size = params.length + 0x1000;
    }
    free( text );
    return NULL;
}

static char *next_field( char **position )
{
    char *start = *position + strspn( *position, " \t\r" );

    if ( !*start ) return NULL;
    *position = start + strcspn( start, " \t\r" );
    if ( **position ) *( *position )++ = 0;
    return start;
}

/* Takes entry->text apart. FALSE for a line that says nothing. */
static BOOL parse_line( enum base base, struct netdb_entry *entry )
{
    char *position = entry->text, *first, *second, *slash, *alias;

    entry->text[strcspn( entry->text, "#" )] = 0;
    first = next_field( &position );
    second = first ? next_field( &position ) : NULL;
    if ( !second ) return FALSE;
    entry->name = base == HOSTS ? second : first;
    entry->address = base == HOSTS ? first : NULL;
    entry->number = base == HOSTS ? 0 : strtoul( second, NULL, 10 );
    entry->protocol = NULL;
    if ( base == SERVICES )
    {
        if ( !( slash = strchr( second, '/' ) ) ) return FALSE;
        entry->protocol = slash + 1;
    }
    for ( entry->alias_count = 0; entry->alias_count < NETDB_ALIASES && ( alias = next_field( &position ) ); )
        entry->aliases[entry->alias_count++] = alias;
    return TRUE;
}

typedef BOOL match_function( const struct netdb_entry *entry, void *context );

static BOOL search_text( enum base base, const char *text, match_function *match, void *context,
                         struct netdb_entry *entry )
{
    size_t length;

    for ( ; text && *text; text += length + !!text[length] )
    {
        length = strcspn( text, "\n" );
        if ( length >= sizeof( entry->text ) ) continue;
        memcpy( entry->text, text, length );
        entry->text[length] = 0;
        if ( parse_line( base, entry ) && match( entry, context ) ) return TRUE;
    }
    return FALSE;
}

static BOOL netdb_search( enum base base, match_function *match, void *context, struct netdb_entry *entry )
{
    char *text = read_prefix_file( base );
    BOOL found = search_text( base, text, match, context, entry );

    free( text );
    if ( found || search_text( base, bases[base].stock, match, context, entry ) ) return TRUE;
    text = read_host_file( base );
    found = search_text( base, text, match, context, entry );
    free( text );
    return found;
}

BOOL netdb_has_name( const struct netdb_entry *entry, const char *name )
{
    if ( !_stricmp( entry->name, name ) ) return TRUE;
    for ( unsigned int i = 0; i < entry->alias_count; i++ )
        if ( !_stricmp( entry->aliases[i], name ) ) return TRUE;
    return FALSE;
}

struct key
{
    const char *name;
    unsigned int number;
    const char *protocol;
};

static BOOL match_key( const struct netdb_entry *entry, void *context )
{
    const struct key *key = context;

    if ( key->protocol && ( !entry->protocol || _stricmp( entry->protocol, key->protocol ) ) ) return FALSE;
    return key->name ? netdb_has_name( entry, key->name ) : entry->number == key->number;
}

BOOL netdb_service_by_name( const char *name, const char *protocol, struct netdb_entry *entry )
{
    struct key key = { name, 0, protocol };

    return netdb_search( SERVICES, match_key, &key, entry );
}

BOOL netdb_service_by_port( unsigned int port, const char *protocol, struct netdb_entry *entry )
{
    struct key key = { NULL, port, protocol };

    return netdb_search( SERVICES, match_key, &key, entry );
}

BOOL netdb_protocol_by_name( const char *name, struct netdb_entry *entry )
{
    struct key key = { name, 0, NULL };

    return netdb_search( PROTOCOLS, match_key, &key, entry );
}

BOOL netdb_protocol_by_number( unsigned int number, struct netdb_entry *entry )
{
    struct key key = { NULL, number, NULL };

    return netdb_search( PROTOCOLS, match_key, &key, entry );
}

BOOL netdb_walk_hosts( BOOL ( *match )( const struct netdb_entry *entry, void *context ), void *context,
                       struct netdb_entry *entry )
{
    return netdb_search( HOSTS, match, context, entry );
}
