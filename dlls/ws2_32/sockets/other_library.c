/*
 * See other_library.h. The loader's own ws2_32.dll is told by the mark behind its DOS header, in another process's memory as in a
 * file. A 32-bit program cannot look into a 64-bit one: the file decides then, and an override for one program alone is not
 * seen; nor is that of a program that has loaded none yet.
 */
#include "base/ws2_32_private.h"
#include <winternl.h>
#include "sockets/other_library.h"

#define BUILTIN_DUPLICATE 0xff00ff00 /* dwServiceFlags4: dwServiceFlags3 is a handle of the target's */
#define MARK_OFFSET 0x40
#define LIBRARY L"ws2_32.dll"
#define MODULES_MOST 4096 /* a list that never ends is none */

/* PEB.Ldr, PEB_LDR_DATA's list of modules, and what a LDR_DATA_TABLE_ENTRY says, by width. */
static const struct layout
{
    unsigned int pointer, loader, modules, base, name;
} layouts[] = { { 4, 0x0c, 0x0c, 0x18, 0x2c }, { 8, 0x18, 0x10, 0x30, 0x58 } };

static void say( LONG *said, const char *line )
{
    if ( !InterlockedExchange( said, 1 ) ) ws2host_say( line );
}

static BOOL read_memory( HANDLE process, UINT64 address, void *buffer, SIZE_T size )
{
    return ReadProcessMemory( process, (void *)(UINT_PTR)address, buffer, size, NULL );
}

static UINT64 read_pointer( HANDLE process, UINT64 address, const struct layout *layout )
{
    UINT64 value = 0;

    return read_memory( process, address, &value, layout->pointer ) ? value : 0;
}

/* The 32-bit environment stands on the page behind the one of 64 bits, where the loader of that width keeps it; both say
 * where the program is. */
static UINT64 find_second_environment( HANDLE process )
{
    PROCESS_BASIC_INFORMATION basic = { 0 };
    UINT64 first, image = 0;
    UINT32 same = 0;

    NtQueryInformationProcess( process, ProcessBasicInformation, &basic, sizeof( basic ), NULL );
    first = (UINT_PTR)basic.PebBaseAddress;
    return first && read_memory( process, first + 0x10, &image, sizeof( image ) ) && image &&
                   read_memory( process, first + 0x1008, &same, sizeof( same ) ) && same == image
               ? first + 0x1000
               : 0;
}

/* Where its process environment block is, and how that is laid out; 0: not known. */
static UINT64 find_environment( HANDLE process, BOOL wide, const struct layout **layout )
{
    PROCESS_BASIC_INFORMATION basic = { 0 };

    *layout = &layouts[wide];
    if ( wide == ( sizeof( void * ) == 8 ) )
        NtQueryInformationProcess( process, ProcessBasicInformation, &basic, sizeof( basic ), NULL );
    else if ( !wide )
    {
        NtQueryInformationProcess( process, ProcessWow64Information, &basic.PebBaseAddress,
                                   sizeof( basic.PebBaseAddress ), NULL );
        /* no more than whether there is one, of host processes of that width */
        if ( (UINT_PTR)basic.PebBaseAddress == 1 ) return find_second_environment( process );
    }
    return (UINT_PTR)basic.PebBaseAddress;
}

static BOOL is_library( HANDLE process, UINT64 entry, const struct layout *layout )
{
    WCHAR name[ARRAYSIZE( LIBRARY )] = { 0 };
    USHORT size = 0;

    return read_memory( process, entry + layout->name, &size, sizeof( size ) ) &&
           size == sizeof( LIBRARY ) - sizeof( WCHAR ) &&
           read_memory( process, read_pointer( process, entry + layout->name + layout->pointer, layout ), name,
                        size ) &&
           !wcsicmp( name, LIBRARY );
}

static BOOL is_mark( const char *text )
{
    return !strncmp( text, "Wine builtin", 12 ) || !strncmp( text, "Wine placeholder", 16 );
}

/* -1: it has loaded none; else whether one of those that it has is the loader's own. */
static int look_at_modules( HANDLE process, BOOL wide )
{
    const struct layout *layout;
    UINT64 environment = find_environment( process, wide, &layout ), head, entry;
    int found = -1;

    if ( !environment || !( head = read_pointer( process, environment + layout->loader, layout ) ) ) return -1;
    head += layout->modules;
    entry = read_pointer( process, head, layout );
    for ( unsigned int i = 0; i < MODULES_MOST && entry && entry != head; i++ )
    {
        char text[32] = "";

        if ( is_library( process, entry, layout ) &&
             read_memory( process, read_pointer( process, entry + layout->base, layout ) + MARK_OFFSET, text,
                          sizeof( text ) - 1 ) )
        {
            if ( is_mark( text ) ) return 1;
            found = 0;
        }
        entry = read_pointer( process, entry, layout );
    }
    return found;
}

/* What a process of the other width will load unless something else is said for it alone. */
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

/* Whether the host of that process's width is one of 64 bits. */
static BOOL is_wide( HANDLE process, BOOL *other )
{
    BOOL narrow = FALSE, self_narrow = FALSE, wide;

    IsWow64Process( process, &narrow );
    IsWow64Process( GetCurrentProcess(), &self_narrow );
    wide = !narrow && ( sizeof( void * ) == 8 || self_narrow );
    *other = wide != ( sizeof( void * ) == 8 );
    return wide;
}

BOOL other_library_serves( DWORD pid )
{
    static LONG said;
    HANDLE process = OpenProcess( PROCESS_VM_READ | PROCESS_QUERY_INFORMATION, FALSE, pid );
    BOOL other, wide;
    int found;

    if ( !process ) return FALSE;
    wide = is_wide( process, &other );
    found = look_at_modules( process, wide );
    CloseHandle( process );
    if ( found == 0 || ( found < 0 && !( other && has_width_no_other() ) ) ) return FALSE;
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
