/*
 * The data bases of hosts, services and protocols: files of lines. Windows reads them anew for each question, so that a change
 * is seen at once. Here what was read is kept while the host says that the file is the same. Any thread; a lock for what is
 * kept, shared by those who search it.
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

/* Of each data base the prefix's file, and the host's */
enum source
{
    PREFIX,
    HOST
};

static struct kept
{
    char path[1024]; /* the host's name of the file; empty: not looked for yet */
    BOOL known;      /* what follows is of a file that was read */
    UINT64 state[WS2_FILE_STATES];
    char *text; /* NULL: there is none */
} kept[3][2];
static SRWLOCK kept_lock = SRWLOCK_INIT;

static BOOL prefix_path( enum base base, WCHAR path[MAX_PATH + 32] )
{
    if ( !GetSystemDirectoryW( path, MAX_PATH ) ) return FALSE;
    wcscat( path, L"\\drivers\\etc\\" );
    wcscat( path, bases[base].file );
    return TRUE;
}

/* A whole file of the prefix, malloc'ed, NUL-terminated. */
static char *read_prefix_file( enum base base )
{
    WCHAR path[MAX_PATH + 32];
    LARGE_INTEGER size;
    char *text = NULL;
    DWORD got = 0;
    HANDLE file;

    if ( !prefix_path( base, path ) ) return NULL;
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

static const char *const host_files[] = { [HOSTS] = NULL, [SERVICES] = "/etc/services", [PROTOCOLS] = NULL };

/* Its name may have come to be written in another case. */
static void find_path( enum base base, enum source source, struct kept *file )
{
    WCHAR path[MAX_PATH + 32];

    if ( source == HOST ) strcpy( file->path, host_files[base] );
    else if ( !prefix_path( base, path ) || ws2host_host_path( path, file->path, sizeof( file->path ) ) )
        file->path[0] = 0;
}

/* With the lock held in either way. *state is what the file is like now. */
static BOOL is_current( const struct kept *file, struct ws2_file_state_params *state )
{
    state->path = ws2_pointer( file->path );
    return file->path[0] && !ws2_call( file_state, state ) && file->known &&
           !memcmp( file->state, state->state, sizeof( file->state ) );
}

/* With the lock held for oneself */
static void refresh( enum base base, enum source source, struct kept *file )
{
    struct ws2_file_state_params state = { 0 };

    find_path( base, source, file );
    if ( is_current( file, &state ) ) return;
    free( file->text );
    file->text = source == HOST ? read_host_file( base ) : read_prefix_file( base );
    file->known = file->path[0] && !state.error && !state.recent;
    memcpy( file->state, state.state, sizeof( file->state ) );
}

static BOOL search_file( enum base base, enum source source, match_function *match, void *context,
                         struct netdb_entry *entry )
{
    struct kept *file = &kept[base][source];
    struct ws2_file_state_params state;
    BOOL found;

    lock_shared( &kept_lock );
    if ( is_current( file, &state ) )
    {
        found = search_text( base, file->text, match, context, entry );
        ReleaseSRWLockShared( &kept_lock );
        return found;
    }
    ReleaseSRWLockShared( &kept_lock );
    lock_exclusive( &kept_lock );
    refresh( base, source, file );
    found = search_text( base, file->text, match, context, entry );
    ReleaseSRWLockExclusive( &kept_lock );
    return found;
}

static BOOL netdb_search( enum base base, match_function *match, void *context, struct netdb_entry *entry )
{
    if ( search_file( base, PREFIX, match, context, entry ) ) return TRUE;
    if ( search_text( base, bases[base].stock, match, context, entry ) ) return TRUE;
    return bases[base].host_file >= 0 && search_file( base, HOST, match, context, entry );
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
