/*
 * The PE half of the bridge: the four things of loader.h, on Wine.
 *
 * Wine loads ws2host.so beside this DLL because the DLL carries the builtin mark and lies in a folder of its own or of
 * WINEDLLPATH. Where that is not so, Wine 11.2 and later load it by its path; older ones answer that they know no such
 * thing. Everything that is particular to Wine stands here; nothing is kept but what DllMain looks up once.
 */
#include <windows.h>
#include <winternl.h>
#include "ws2host/loader.h"

/* not in the mingw-w64 headers */
#define MEMORY_WINE_UNIX_FUNCS 1000
#define MEMORY_WINE_LOAD_UNIX_LIB_BY_NAME 1002
#define STATUS_OBJECT_PATH_NOT_FOUND ( (int32_t)0xc000003a )
NTSTATUS NTAPI NtQueryVirtualMemory( HANDLE process, const void *address, int class, void *buffer, SIZE_T size,
                                     SIZE_T *result );

typedef UINT64 unixlib_handle_t;

static unixlib_handle_t unixlib;
static NTSTATUS( WINAPI **unix_call_dispatcher )( unixlib_handle_t, unsigned int, void * );
static NTSTATUS( CDECL *fd_to_handle )( int, unsigned int, unsigned int, HANDLE * );
static NTSTATUS( CDECL *handle_to_fd )( HANDLE, unsigned int, int *, unsigned int * );
static char *( CDECL *get_unix_file_name )( const WCHAR * );
static int( CDECL *dbg_output )( const char * );

/* FILE_GENERIC_READ | FILE_GENERIC_WRITE without FILE_APPEND_DATA's neighbours that wineserver refuses for a socket */
#define SOCKET_ACCESS 0x0012019f

int32_t ws2host_call( unsigned int code, void *args ) { return ( *unix_call_dispatcher )( unixlib, code, args ); }

int32_t ws2host_fd_to_handle( int fd, unsigned int attributes, void **handle )
{
    return fd_to_handle( fd, SOCKET_ACCESS, attributes, handle );
}

int32_t ws2host_handle_to_fd( void *handle, int *fd ) { return handle_to_fd( handle, 0, fd, NULL ); }

int32_t ws2host_host_path( const uint16_t *dos_path, char *path, unsigned int size )
{
    char *name = get_unix_file_name ? get_unix_file_name( dos_path ) : NULL;
    int32_t status = -1;

    /* a folder that is missing: Wine 10.13 and later, which open the file or its folder, say ERROR_FILE_NOT_FOUND of it */
    if ( !name )
        return get_unix_file_name &&
                       ( GetLastError() == ERROR_PATH_NOT_FOUND || GetLastError() == ERROR_FILE_NOT_FOUND )
                   ? STATUS_OBJECT_PATH_NOT_FOUND
                   : -1;
    if ( strlen( name ) < size )
    {
        strcpy( path, name );
        status = 0;
    }
    HeapFree( GetProcessHeap(), 0, name );
    return status;
}

static NTSTATUS WINAPI no_host_half( unixlib_handle_t handle, unsigned int code, void *args )
{
    (void)handle, (void)code, (void)args;
    return (NTSTATUS)STATUS_DLL_NOT_FOUND;
}

static int32_t status;

int32_t ws2host_ready( void ) { return status; }

void ws2host_say( const char *line )
{
    if ( dbg_output ) dbg_output( line );
}

#ifndef WS2_LIBRARY
#define WS2_LIBRARY ""
#endif

/* ws2host.so in a folder of the host's, for one architecture of host processes; the answer's two words are its module and
 * its functions. */
static NTSTATUS load_from( const WCHAR *library, const WCHAR *architecture )
{
    WCHAR path[1024];
    UNICODE_STRING name;
    UINT64 loaded[2] = { 0 };
    NTSTATUS result;

    if ( *library != '/' || wcslen( library ) > 900 ) return (NTSTATUS)STATUS_DLL_NOT_FOUND;
    wcscpy( path, L"\\??\\unix" );
    wcscat( path, library );
    wcscat( path, architecture );
    wcscat( path, L"/ws2host.so" );
    for ( WCHAR *c = path; *c; c++ )
        if ( *c == '/' ) *c = '\\';
    RtlInitUnicodeString( &name, path );
    result = NtQueryVirtualMemory( GetCurrentProcess(), &name, MEMORY_WINE_LOAD_UNIX_LIB_BY_NAME, loaded,
                                   sizeof( loaded ), NULL );
    if ( !result ) unixlib = loaded[1];
    return result;
}

/* The folder that ws2run names, or that ws2host is installed in. A 32-bit program's host process has either width. */
static NTSTATUS load_by_path( void )
{
#ifdef __i386__
    static const WCHAR *const architectures[] = { L"/i386-unix", L"/x86_64-unix" };
#else
    static const WCHAR *const architectures[] = { L"/x86_64-unix" };
#endif
    WCHAR named[1024] = L"";
    const WCHAR *const libraries[] = { named, L"" WS2_LIBRARY };
    NTSTATUS result = (NTSTATUS)STATUS_DLL_NOT_FOUND;

    GetEnvironmentVariableW( L"WS2HOST_LIBRARY", named, sizeof( named ) / sizeof( *named ) );
    for ( unsigned int i = 0; i < 2; i++ )
        for ( unsigned int j = 0; j < sizeof( architectures ) / sizeof( *architectures ); j++ )
            if ( !( result = load_from( libraries[i], architectures[j] ) ) ) return 0;
    return result;
}

/* Without the host half it stays, so that ws2_32.dll can do better than not to load. */
BOOL WINAPI DllMain( HINSTANCE instance, DWORD reason, void *reserved )
{
    static NTSTATUS( WINAPI * none )( unixlib_handle_t, unsigned int, void * ) = no_host_half;
    HMODULE ntdll;

    (void)reserved;
    if ( reason != DLL_PROCESS_ATTACH ) return TRUE;
    DisableThreadLibraryCalls( instance );
    ntdll = GetModuleHandleW( L"ntdll.dll" );
    unix_call_dispatcher = (void *)GetProcAddress( ntdll, "__wine_unix_call_dispatcher" );
    fd_to_handle = (void *)GetProcAddress( ntdll, "wine_server_fd_to_handle" );
    handle_to_fd = (void *)GetProcAddress( ntdll, "wine_server_handle_to_fd" );
    dbg_output = (void *)GetProcAddress( ntdll, "__wine_dbg_output" );
    get_unix_file_name = (void *)GetProcAddress( GetModuleHandleW( L"kernel32.dll" ), "wine_get_unix_file_name" );
    if ( !unix_call_dispatcher || !fd_to_handle || !handle_to_fd ) status = (int32_t)STATUS_DLL_NOT_FOUND;
    else
        status = NtQueryVirtualMemory( GetCurrentProcess(), instance, MEMORY_WINE_UNIX_FUNCS, &unixlib,
                                       sizeof( unixlib ), NULL );
    if ( status && unix_call_dispatcher && fd_to_handle && handle_to_fd && !load_by_path() ) status = 0;
    if ( status ) unix_call_dispatcher = &none;
    return TRUE;
}
