/* See other_process.h. */
#include "base/ws2_32_private.h"
#include <winternl.h>
#include "sockets/other_process.h"

#define PIECE 0x100          /* characters that are read at once; no page's end is passed over */
#define ENVIRONMENT 0x40000u /* characters, more is none */

static const struct process_layout layouts[] = { { 4, 0x0c, 0x10, 0x0c, 0x18, 0x2c, 0x48 },
                                                 { 8, 0x18, 0x20, 0x10, 0x30, 0x58, 0x80 } };

#ifndef _WIN64
/* ntdll has it where there may be processes of 64 bits. */
static BOOL read_wide( HANDLE process, UINT64 address, void *buffer, UINT32 size )
{
    static NTSTATUS( WINAPI * read )( HANDLE, ULONG64, void *, ULONG64, ULONG64 * );
    ULONG64 done = 0;

    if ( !read ) read = (void *)GetProcAddress( GetModuleHandleW( L"ntdll.dll" ), "NtWow64ReadVirtualMemory64" );
    return read && !read( process, address, buffer, size, &done ) && done == size;
}
#endif

BOOL other_process_read( const struct other_process *process, UINT64 address, void *buffer, UINT32 size )
{
#ifndef _WIN64
    if ( process->wide ) return read_wide( process->handle, address, buffer, size );
#endif
    return ReadProcessMemory( process->handle, (void *)(UINT_PTR)address, buffer, size, NULL );
}

UINT64 other_process_pointer( const struct other_process *process, UINT64 address )
{
    UINT64 value = 0;

    return other_process_read( process, address, &value, process->layout->pointer ) ? value : 0;
}

static UINT64 find_block_of_own_width( HANDLE process )
{
    PROCESS_BASIC_INFORMATION basic = { 0 };

    NtQueryInformationProcess( process, ProcessBasicInformation, &basic, sizeof( basic ), NULL );
    return (UINT_PTR)basic.PebBaseAddress;
}

#ifdef _WIN64
static UINT64 find_block( const struct other_process *process )
{
    UINT64 block = 0, image = 0;
    UINT32 same = 0;

    if ( process->wide ) return find_block_of_own_width( process->handle );
    NtQueryInformationProcess( process->handle, ProcessWow64Information, &block, sizeof( block ), NULL );
    /* no more than whether there is one, of host processes of 32 bits */
    if ( block != 1 ) return block;
    /* it stands on the page behind that of 64 bits, where the loader of that width keeps it; both say where the program is */
    block = find_block_of_own_width( process->handle );
    return block && other_process_read( process, block + 0x10, &image, sizeof( image ) ) && image &&
                   other_process_read( process, block + 0x1008, &same, sizeof( same ) ) && same == image
               ? block + 0x1000
               : 0;
}
#else
static UINT64 find_block( const struct other_process *process )
{
    static NTSTATUS( WINAPI * query )( HANDLE, PROCESSINFOCLASS, void *, ULONG, ULONG * );
    struct
    {
        UINT64 status, block, affinity, priority, id, parent;
    } basic = { 0 };
    UINT64 block;
    UINT32 image = 0;

    if ( !process->wide ) return find_block_of_own_width( process->handle );
    if ( !query )
        query = (void *)GetProcAddress( GetModuleHandleW( L"ntdll.dll" ), "NtWow64QueryInformationProcess64" );
    if ( query && !query( process->handle, ProcessBasicInformation, &basic, sizeof( basic ), NULL ) )
        return basic.block;
    /* older loaders lack that; they keep all such blocks below 4 GB, and tell the lower half of where */
    block = find_block_of_own_width( process->handle );
    return block && other_process_read( process, block + 0x10, &image, sizeof( image ) ) && image ? block : 0;
}
#endif

BOOL other_process_open( DWORD pid, struct other_process *process )
{
    BOOL narrow = FALSE, self_narrow = FALSE;

    process->handle = OpenProcess( PROCESS_VM_READ | PROCESS_QUERY_INFORMATION, FALSE, pid );
    if ( !process->handle ) return FALSE;
    IsWow64Process( process->handle, &narrow );
    IsWow64Process( GetCurrentProcess(), &self_narrow );
    process->wide = !narrow && ( sizeof( void * ) == 8 || self_narrow );
    process->other = process->wide != ( sizeof( void * ) == 8 );
    process->layout = &layouts[process->wide];
    process->block = find_block( process );
    return TRUE;
}

void other_process_close( struct other_process *process ) { CloseHandle( process->handle ); }

/* Characters up to a zero, which are dropped where they are too many; the address behind it, 0 where that cannot be read. */
static UINT64 read_line( const struct other_process *process, UINT64 address, WCHAR *line, unsigned int size )
{
    for ( unsigned int length = 0; length < ENVIRONMENT; )
    {
        WCHAR piece[PIECE];
        const UINT32 count = ( PIECE * sizeof( WCHAR ) - ( address % ( PIECE * sizeof( WCHAR ) ) ) ) / sizeof( WCHAR );

        if ( !count || !other_process_read( process, address, piece, count * sizeof( WCHAR ) ) ) return 0;
        for ( UINT32 i = 0; i < count; i++, length++ )
        {
            if ( length < size ) line[length] = piece[i];
            if ( piece[i] ) continue;
            if ( length >= size ) *line = '='; /* no variable's name begins so */
            return address + ( i + 1 ) * sizeof( WCHAR );
        }
        address += count * sizeof( WCHAR );
    }
    return 0;
}

BOOL other_process_variable( const struct other_process *process, const WCHAR *name, WCHAR *value, unsigned int size )
{
    const size_t length = wcslen( name );
    UINT64 address =
        process->block ? other_process_pointer( process, process->block + process->layout->parameters ) : 0;
    WCHAR line[64 + OTHER_PROCESS_VALUE]; /* with the longest name that is asked for */

    if ( !address || !( address = other_process_pointer( process, address + process->layout->variables ) ) )
        return FALSE;
    for ( const UINT64 begin = address; address - begin < ENVIRONMENT * sizeof( WCHAR ); )
    {
        if ( !( address = read_line( process, address, line, ARRAYSIZE( line ) ) ) || !*line ) break;
        if ( wcsnicmp( line, name, length ) || line[length] != '=' ) continue;
        if ( wcslen( line + length + 1 ) >= size ) break;
        wcscpy( value, line + length + 1 );
        return TRUE;
    }
    return FALSE;
}
