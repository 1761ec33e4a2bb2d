/*
 * thunks WAY PROGRAM [ARGUMENT...]: runs a program whose ntdll is not as it was, from before its first instruction on.
 *
 * "shape": each thunk of a system call is changed in a byte that is never executed. "closed": NtCancelIoFileEx's thunk is a
 * jump to a copy of it, as other software's hooks leave it, which tells nothing of the call. The exit status is the program's;
 * 100 when this cannot be done.
 */
#include <stdio.h>
#include <string.h>
#include <windows.h>
#include <winternl.h>

#ifdef __i386__
#define THUNK_SIZE 16
#define THUNK_BEGIN "\xb8"
#define UNUSED_BYTE 15
#define UNUSED_CODE 0x90
#define UNUSED_BEFORE 0xd2 /* call *%edx */
#define UNUSED_BEFORE_BYTE 11
#else
#define THUNK_SIZE 32
#define THUNK_BEGIN "\x4c\x8b\xd1\xb8"
#define UNUSED_BYTE 23
#define UNUSED_CODE 0xc3
#define UNUSED_BEFORE 0x01 /* jmp over a ret */
#define UNUSED_BEFORE_BYTE 22
#endif

static int fail( const char *what )
{
    fprintf( stderr, "thunks: %s: error %lu\n", what, GetLastError() );
    exit( 100 );
}

static BOOL is_thunk( const unsigned char *code )
{
    return !memcmp( code, THUNK_BEGIN, sizeof( THUNK_BEGIN ) - 1 ) && code[UNUSED_BYTE] == UNUSED_CODE &&
           code[UNUSED_BEFORE_BYTE] == UNUSED_BEFORE;
}

static void poke( HANDLE process, void *address, const void *data, SIZE_T size )
{
    DWORD before;
    SIZE_T written;

    if ( !VirtualProtectEx( process, address, size, PAGE_EXECUTE_READWRITE, &before ) ||
         !WriteProcessMemory( process, address, data, size, &written ) || written != size ||
         !VirtualProtectEx( process, address, size, before, &before ) )
        fail( "cannot write" );
}

/* Those of the child stand where ours do. */
static unsigned char *find( HANDLE process, const char *name )
{
    unsigned char *thunk = (unsigned char *)(UINT_PTR)GetProcAddress( GetModuleHandleA( "ntdll.dll" ), name );
    unsigned char code[THUNK_SIZE];
    SIZE_T got;

    if ( !thunk || !is_thunk( thunk ) ) return NULL;
    if ( !ReadProcessMemory( process, thunk, code, sizeof( code ), &got ) || memcmp( code, thunk, sizeof( code ) ) )
        fail( "the child's ntdll is elsewhere" );
    return thunk;
}

static unsigned int change_shapes( HANDLE process )
{
    const unsigned char *const base = (const void *)GetModuleHandleA( "ntdll.dll" );
    const IMAGE_NT_HEADERS *headers = (const void *)( base + ( (const IMAGE_DOS_HEADER *)base )->e_lfanew );
    const IMAGE_EXPORT_DIRECTORY *exports =
        (const void *)( base + headers->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_EXPORT].VirtualAddress );
    const DWORD *names = (const DWORD *)( base + exports->AddressOfNames );
    unsigned int count = 0;

    for ( DWORD i = 0; i < exports->NumberOfNames; i++ )
    {
        const char *name = (const char *)base + names[i];
        unsigned char *thunk = strncmp( name, "Nt", 2 ) ? NULL : find( process, name );

        if ( !thunk ) continue;
        poke( process, thunk + UNUSED_BYTE, "\xcc", 1 );
        count++;
    }
    return count;
}

static unsigned int close_one( HANDLE process )
{
    unsigned char *thunk = find( process, "NtCancelIoFileEx" ), jump[14] = { 0xff, 0x25 };
    unsigned char *copy = VirtualAllocEx( process, NULL, THUNK_SIZE, MEM_RESERVE | MEM_COMMIT, PAGE_EXECUTE_READWRITE );

    if ( !thunk || !copy ) return 0;
    poke( process, copy, thunk, THUNK_SIZE );
#ifdef __i386__
    jump[0] = 0xe9;
    memcpy( jump + 1, &( INT32 ){ copy - ( thunk + 5 ) }, 4 );
    poke( process, thunk, jump, 5 );
#else
    memcpy( jump + 6, &copy, sizeof( copy ) );
    poke( process, thunk, jump, sizeof( jump ) );
#endif
    return 1;
}

int main( int argc, char **argv )
{
    STARTUPINFOA startup = { .cb = sizeof( startup ) };
    PROCESS_INFORMATION child;
    char line[4096] = "";
    unsigned int count;
    DWORD status;

    if ( argc < 3 ) return 100;
    for ( int i = 2; i < argc; i++ )
        snprintf( line + strlen( line ), sizeof( line ) - strlen( line ), "\"%s\" ", argv[i] );
    if ( !CreateProcessA( NULL, line, NULL, NULL, TRUE, CREATE_SUSPENDED, NULL, NULL, &startup, &child ) )
        fail( "cannot start the program" );
    count = strcmp( argv[1], "closed" ) ? change_shapes( child.hProcess ) : close_one( child.hProcess );
    printf( "thunks: %u changed\n", count );
    fflush( stdout );
    ResumeThread( child.hThread );
    WaitForSingleObject( child.hProcess, INFINITE );
    return GetExitCodeProcess( child.hProcess, &status ) ? status : 100;
}
