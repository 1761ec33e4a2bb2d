/*
 * Where this DLL cannot work itself: its installation has gone and left it in a prefix, or was replaced by one of another
 * build, or the loader does not find the bridge.
 *
 * Another ws2_32.dll serves the program then: that of the bridge's own build, or the loader's. Programs are linked to the
 * exports of this one before DllMain runs, so a jump is written over each export's first bytes; the build aligns functions to
 * 16 and merges none. What the other DLL has not stays here, where nothing was started. One thread, under the loader's lock.
 */
#include "ws2host/interface.h"
#include "base/ws2_32_private.h"
#include "start/fallback.h"
#include "ws2host/interface.h"

#ifdef __x86_64__
#define LIBRARY_FOLDER L"\\x86_64-windows\\ws2_32.dll"
#else
#define LIBRARY_FOLDER L"\\i386-windows\\ws2_32.dll"
#endif
#define PATH_SIZE 2048
#define BUILTIN_MARK "Wine builtin DLL"
#define BUILTIN_MARK_OFFSET 0x40 /* behind the DOS header */

enum problem
{
    PROBLEM_NONE,
    PROBLEM_NO_BRIDGE,
    PROBLEM_OTHER_BUILD
};

/* A bridge of an early build has no such function, and does not load when it is not ready. */
static int32_t bridge_status( void )
{
    int32_t ( *ready )( void ) = (void *)GetProcAddress( GetModuleHandleW( L"ws2host.dll" ), "ws2host_ready" );

    return ready ? ready() : 0;
}

static void say( const char *line )
{
    void ( *bridge_say )( const char * ) = (void *)GetProcAddress( GetModuleHandleW( L"ws2host.dll" ), "ws2host_say" );

    if ( bridge_say ) bridge_say( line );
}

/* What is in the way; library: the folder of the bridge's own build, or empty. */
static enum problem look( char *library, unsigned int size )
{
    struct ws2_attach_params look = {
        .size = sizeof( look ), .build = WS2_INTERFACE, .library = ws2_pointer( library ), .library_size = size
    };

    *library = 0;
    if ( bridge_status() ) return PROBLEM_NO_BRIDGE;
    return ws2host_call( ws2_call_attach, &look ) || look.error ? PROBLEM_OTHER_BUILD : PROBLEM_NONE;
}

static BOOL is_builtin( HMODULE module )
{
    return module && !memcmp( (const char *)module + BUILTIN_MARK_OFFSET, BUILTIN_MARK, sizeof( BUILTIN_MARK ) );
}

/* The loader's own, out of the folders that it names to its programs. */
static HMODULE load_builtin( void )
{
    WCHAR path[PATH_SIZE], name[24];

    for ( unsigned int i = 0; i < 16; i++ )
    {
        HMODULE module;
        DWORD length;

        swprintf( name, ARRAYSIZE( name ), L"WINEDLLDIR%u", i );
        length = GetEnvironmentVariableW( name, path, PATH_SIZE - ARRAYSIZE( LIBRARY_FOLDER ) );
        if ( !length ) break;
        if ( length >= PATH_SIZE - ARRAYSIZE( LIBRARY_FOLDER ) ) continue;
        if ( !wcsncmp( path, L"\\??\\", 4 ) ) path[1] = '\\';
        wcscat( path, LIBRARY_FOLDER );
        if ( !( module = LoadLibraryExW( path, NULL, 0 ) ) ) continue;
        if ( is_builtin( module ) ) return module;
        FreeLibrary( module );
    }
    return NULL;
}

static HMODULE load_from( const char *library )
{
    WCHAR path[PATH_SIZE] = L"\\\\?\\unix";
    const size_t start = wcslen( path );

    if ( !*library || !MultiByteToWideChar( CP_UTF8, 0, library, -1, path + start,
                                            PATH_SIZE - start - ARRAYSIZE( LIBRARY_FOLDER ) ) )
        return NULL;
    for ( WCHAR *p = path + start; *p; p++ )
        if ( *p == '/' ) *p = '\\';
    wcscat( path, LIBRARY_FOLDER );
    return LoadLibraryExW( path, NULL, 0 );
}

static void write_jump( unsigned char *entry, const void *target )
{
#ifdef __x86_64__
    const unsigned char jump[] = { 0xff, 0x25, 0, 0, 0, 0 }; /* jmp [rip], the address follows */

    memcpy( entry, jump, sizeof( jump ) );
    memcpy( entry + sizeof( jump ), &target, sizeof( target ) );
#else
    const INT32 distance = (const unsigned char *)target - ( entry + 5 );

    *entry = 0xe9;
    memcpy( entry + 1, &distance, sizeof( distance ) );
#endif
}

/* Every export that the other module has too leads there from now on. */
static BOOL redirect( HINSTANCE instance, HMODULE other )
{
    unsigned char *const base = (unsigned char *)instance;
    const IMAGE_NT_HEADERS *headers = (const void *)( base + ( (const IMAGE_DOS_HEADER *)base )->e_lfanew );
    const IMAGE_SECTION_HEADER *text = IMAGE_FIRST_SECTION( headers );
    const IMAGE_DATA_DIRECTORY *where = &headers->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_EXPORT];
    const IMAGE_EXPORT_DIRECTORY *exports = (const void *)( base + where->VirtualAddress );
    const DWORD *functions = (const DWORD *)( base + exports->AddressOfFunctions );
    const DWORD *names = (const DWORD *)( base + exports->AddressOfNames );
    const WORD *ordinals = (const WORD *)( base + exports->AddressOfNameOrdinals );
    DWORD protection;

    if ( !other || other == instance ) return FALSE;
    if ( !VirtualProtect( base + text->VirtualAddress, text->Misc.VirtualSize, PAGE_EXECUTE_READWRITE, &protection ) )
        return FALSE;
    for ( DWORD i = 0; i < exports->NumberOfNames; i++ )
    {
        const DWORD entry = functions[ordinals[i]];
        const void *target = (const void *)GetProcAddress( other, (const char *)base + names[i] );

        if ( target && entry >= text->VirtualAddress && entry < text->VirtualAddress + text->Misc.VirtualSize )
            write_jump( base + entry, target );
    }
    VirtualProtect( base + text->VirtualAddress, text->Misc.VirtualSize, protection, &protection );
    FlushInstructionCache( GetCurrentProcess(), base + text->VirtualAddress, text->Misc.VirtualSize );
    return TRUE;
}

/* Not each of the loader's own services, and nobody who asked for silence. */
static BOOL is_wanted( void )
{
    char debug[256] = ",";

    GetEnvironmentVariableA( "WINEDEBUG", debug + 1, sizeof( debug ) - 1 );
    return !strstr( debug, ",-all" ) && !is_builtin( GetModuleHandleW( NULL ) );
}

BOOL fallback_begin( HINSTANCE instance )
{
    char library[PATH_SIZE], setting[4] = "";
    const enum problem problem = look( library, sizeof( library ) );

    if ( problem == PROBLEM_NONE ) return FALSE;
    if ( problem == PROBLEM_OTHER_BUILD && redirect( instance, load_from( library ) ) ) return TRUE;
    GetEnvironmentVariableA( "WS2HOST_FALLBACK", setting, sizeof( setting ) );
    if ( strcmp( setting, "0" ) && redirect( instance, load_builtin() ) )
    {
        if ( is_wanted() )
            say(
                "ws2host: ws2host.so is not found, or of another build: this program uses the loader's own ws2_32; run "
                "\"ws2ctl install-loader\" for ws2host, or \"ws2ctl disable\" for this prefix\n" );
    }
    else if ( problem == PROBLEM_NO_BRIDGE )
        say( "ws2host: this prefix's ws2_32.dll finds no ws2host.so, and nothing else serves sockets: install ws2host "
             "and "
             "run \"ws2ctl install-loader\", or \"ws2ctl disable\" for this prefix\n" );
    else
        say( "ws2host: this prefix's ws2_32.dll and ws2host.so are of different builds, and nothing else serves "
             "sockets: "
             "run \"ws2ctl enable\" for this prefix again, or start the program with ws2run\n" );
    return TRUE;
}
