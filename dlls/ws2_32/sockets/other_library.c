/*
 * See other_library.h. The loader's own ws2_32.dll is told by the mark behind its DOS header, in another process's memory as in a
 * file. Of a program that has loaded none yet it is known what the loader will do.
 */
#include "base/ws2_32_private.h"
#include "sockets/load_order.h"
#include "sockets/other_library.h"

#define BUILTIN_DUPLICATE 0xff00ff00 /* dwServiceFlags4: dwServiceFlags3 is a handle of the target's */
#define MARK_OFFSET 0x40
#define LIBRARY L"ws2_32.dll"
#define MODULES_MOST 4096 /* a list that never ends is none */

static void say( LONG *said, const char *line )
{
    if ( !InterlockedExchange( said, 1 ) ) ws2host_say( line );
}

static BOOL is_library( const struct other_process *process, UINT64 entry )
{
    const UINT64 string = entry + process->layout->name;
    WCHAR name[ARRAYSIZE( LIBRARY )] = { 0 };
    USHORT size = 0;

    return other_process_read( process, string, &size, sizeof( size ) ) &&
           size == sizeof( LIBRARY ) - sizeof( WCHAR ) &&
           other_process_read( process, other_process_pointer( process, string + process->layout->pointer ), name,
                               size ) &&
           !wcsicmp( name, LIBRARY );
}

static BOOL is_mark( const char *text )
{
    return !strncmp( text, "Wine builtin", 12 ) || !strncmp( text, "Wine placeholder", 16 );
}

/* -1: it has loaded none; else whether one of those that it has is the loader's own. */
static int look_at_modules( const struct other_process *process )
{
    UINT64 head, entry;
    int found = -1;

    if ( !process->block || !( head = other_process_pointer( process, process->block + process->layout->loader ) ) )
        return -1;
    head += process->layout->modules;
    entry = other_process_pointer( process, head );
    for ( unsigned int i = 0; i < MODULES_MOST && entry && entry != head; i++ )
    {
        char text[32] = "";

        if ( is_library( process, entry ) &&
             other_process_read( process, other_process_pointer( process, entry + process->layout->base ) + MARK_OFFSET,
                                 text, sizeof( text ) - 1 ) )
        {
            if ( is_mark( text ) ) return 1;
            found = 0;
        }
        entry = other_process_pointer( process, entry );
    }
    return found;
}

/* What a process of the other width finds in its system folder is the loader's own. */
static BOOL has_width_no_other( void )
{
    WCHAR path[MAX_PATH];
    char text[32] = "";
    HANDLE file;
    DWORD size;

#ifdef _WIN64
    if ( !GetSystemWow64DirectoryW( path, ARRAYSIZE( path ) - 16 ) ) return FALSE;
#else
    if ( !GetWindowsDirectoryW( path, ARRAYSIZE( path ) - 32 ) ) return FALSE;
    wcscat( path, L"\\sysnative" );
#endif
    wcscat( path, L"\\" LIBRARY );
    file = CreateFileW( path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_DELETE, NULL, OPEN_EXISTING, 0, NULL );
    if ( file == INVALID_HANDLE_VALUE ) return FALSE;
    SetFilePointer( file, MARK_OFFSET, NULL, FILE_BEGIN );
    if ( !ReadFile( file, text, sizeof( text ) - 1, &size, NULL ) ) text[0] = 0;
    CloseHandle( file );
    return is_mark( text );
}

/* Of a process that has loaded none yet. */
static BOOL will_load_other( const struct other_process *process )
{
    /* where nothing is said of it, it is as this process */
    return load_order_of( process ) == LOAD_BUILTIN || ( process->other && has_width_no_other() );
}

BOOL other_library_serves( DWORD pid )
{
    static LONG said;
    struct other_process process;
    BOOL other;
    int found;

    if ( !other_process_open( pid, &process ) ) return FALSE;
    found = look_at_modules( &process );
    other = found < 0 ? will_load_other( &process ) : found;
    other_process_close( &process );
    if ( !other ) return FALSE;
    say( &said,
         "ws2host: a program wants to share a socket with one that is on the loader's own ws2_32, which cannot be: "
         "WSADuplicateSocket fails; run both with ws2run, or in a prefix that \"ws2ctl enable\" has enabled for both "
         "widths\n" );
    return TRUE;
}

BOOL other_library_made( const WSAPROTOCOL_INFOW *info )
{
    static LONG said;

    if ( info->dwServiceFlags4 != BUILTIN_DUPLICATE || info->dwProviderReserved ) return FALSE;
    say( &said,
         "ws2host: a program is given a socket by one that is on the loader's own ws2_32, which cannot be: WSASocket "
         "fails; run both with ws2run, or in a prefix that \"ws2ctl enable\" has enabled for both widths\n" );
    return TRUE;
}
