/*
 * See load_order.h. The loader looks into WINEDLLOVERRIDES first, then into what the registry has for the program, then for all.
 * Each may name a DLL, with a star before it where that is meant in any folder.
 */
#include "base/ws2_32_private.h"
#include <winternl.h>
#include "sockets/load_order.h"

NTSTATUS NTAPI NtOpenKey( HANDLE *key, ACCESS_MASK access, OBJECT_ATTRIBUTES *attributes );
NTSTATUS NTAPI NtQueryValueKey( HANDLE key, UNICODE_STRING *name, int class, void *value, ULONG size, ULONG *needed );
NTSTATUS NTAPI RtlOpenCurrentUser( ACCESS_MASK access, HANDLE *key );

#define NAME L"ws2_32"

/* "native", "n,b", "builtin,native", "", ... */
static enum load_order parse_order( const WCHAR *order )
{
    while ( *order == ',' || *order == ' ' || *order == '\t' ) order++;
    return *order == 'n' || *order == 'N' ? LOAD_NATIVE : LOAD_BUILTIN;
}

/* Whether a list of names, "comctl32,*ws2_32.dll", has it. */
static BOOL names_it( const WCHAR *list, const WCHAR *end )
{
    static const WCHAR separators[] = L", \t";

    while ( list < end )
    {
        const WCHAR *name = list, *name_end;

        while ( list < end && !wcschr( separators, *list ) ) list++;
        name_end = list++;
        if ( name < name_end && *name == '*' ) name++;
        if ( name_end - name > 4 && !wcsnicmp( name_end - 4, L".dll", 4 ) ) name_end -= 4;
        if ( name_end - name == ARRAYSIZE( NAME ) - 1 && !wcsnicmp( name, NAME, ARRAYSIZE( NAME ) - 1 ) ) return TRUE;
    }
    return FALSE;
}

/* "comctl32,ws2_32=n,b;mshtml=" */
static enum load_order find_in_variable( const WCHAR *text )
{
    while ( *text )
    {
        const size_t length = wcscspn( text, L";" );
        const WCHAR *equal = wcschr( text, '=' );

        if ( equal && equal < text + length && names_it( text, equal ) ) return parse_order( equal + 1 );
        text += text[length] ? length + 1 : length;
    }
    return LOAD_NOT_SAID;
}

/* A value of a key of the user's. */
static enum load_order find_value( HANDLE key, const WCHAR *name )
{
    struct /* KEY_VALUE_PARTIAL_INFORMATION */
    {
        ULONG index, type, size;
        WCHAR text[64];
    } order = { 0 };
    UNICODE_STRING string;
    ULONG size;

    RtlInitUnicodeString( &string, name );
    if ( NtQueryValueKey( key, &string, 2 /* KeyValuePartialInformation */, &order, sizeof( order ) - sizeof( WCHAR ),
                          &size ) ||
         order.type != REG_SZ )
        return LOAD_NOT_SAID;
    return parse_order( order.text );
}

static enum load_order find_in_key( const WCHAR *path )
{
    enum load_order order = LOAD_NOT_SAID;
    OBJECT_ATTRIBUTES attributes;
    UNICODE_STRING string;
    HANDLE user, key;

    if ( RtlOpenCurrentUser( KEY_READ, &user ) ) return LOAD_NOT_SAID;
    RtlInitUnicodeString( &string, path );
    InitializeObjectAttributes( &attributes, &string, OBJ_CASE_INSENSITIVE, user, NULL );
    if ( !NtOpenKey( &key, KEY_READ, &attributes ) )
    {
        if ( ( order = find_value( key, NAME ) ) == LOAD_NOT_SAID ) order = find_value( key, L"*" NAME );
        NtClose( key );
    }
    NtClose( user );
    return order;
}

enum load_order load_order_of( const struct other_process *process )
{
    WCHAR text[OTHER_PROCESS_VALUE], image[MAX_PATH], key[MAX_PATH + 64], *name;
    DWORD size = ARRAYSIZE( image );
    enum load_order order = LOAD_NOT_SAID;

    if ( other_process_variable( process, L"WINEDLLOVERRIDES", text, ARRAYSIZE( text ) ) )
        order = find_in_variable( text );
    if ( order == LOAD_NOT_SAID && QueryFullProcessImageNameW( process->handle, 0, image, &size ) )
    {
        name = wcsrchr( image, '\\' );
        swprintf( key, ARRAYSIZE( key ), L"Software\\Wine\\AppDefaults\\%ls\\DllOverrides", name ? name + 1 : image );
        order = find_in_key( key );
    }
    if ( order == LOAD_NOT_SAID ) order = find_in_key( L"Software\\Wine\\DllOverrides" );
    return order;
}
