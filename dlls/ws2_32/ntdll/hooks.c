/*
 * Hooks in ntdll: which system calls are replaced, and in which way. By what they are, is the top floor's table.
 *
 * Programs close, read, duplicate and poll sockets by plain NT calls. Those end in ntdll's system call thunks: either each
 * thunk is replaced (thunks.c), or, where one has a shape that is not known, the one place that all call through
 * (dispatcher.c). All this happens when the DLL is loaded and at the first WSAStartup, while other threads may be running
 * the very thunks. It is never undone.
 */
#include "base/ws2_32_private.h"
#include "ntdll/dispatcher.h"
#include "ntdll/hooks.h"
#include "ntdll/thunks.h"

struct hooks_view hooks_view;
BOOL hooks_complete;

#define X( name, parameters ) NTSTATUS( NTAPI *nt_##name ) parameters;
HOOKS( X )
#undef X

static const struct hook *hooks; /* HOOK_COUNT */
static const struct hook *patched;
HANDLE( WINAPI *kernel_CreateFileW )
( const WCHAR *name, DWORD access, DWORD sharing, SECURITY_ATTRIBUTES *security, DWORD disposition, DWORD flags,
  HANDLE template );

static BOOL read_view( void )
{
    /* a program of 32 bits has 2 GB for everything, and never a million handles */
    const UINT32 handles = sizeof( void * ) == 4 ? 0x100000 : WS2_VIEW_HANDLES;
    UINT8 *view = VirtualAlloc( NULL, WS2_VIEW_MAP + handles, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE );
    struct ws2_table_view_params params = { .handles = handles, .view = ws2_pointer( view ) };

    if ( !view || ws2host_call( ws2_call_table_view, &params ) ) return FALSE;
    hooks_view = ( struct hooks_view ){ view + WS2_VIEW_MAP, handles, (UINT32 *)view };
    return TRUE;
}

/* What a hook is for, and whether it was installed when the DLL was loaded. */
static BOOL is_early( const struct hook *hook )
{
    /* \Device\Afd may be opened before WSAStartup, and completion ports be made, waited at, copied and closed */
    void **const early[] = { (void **)&nt_NtCreateFile,           (void **)&nt_NtOpenFile,
                             (void **)&nt_NtCreateIoCompletion,   (void **)&nt_NtRemoveIoCompletion,
                             (void **)&nt_NtRemoveIoCompletionEx, (void **)&nt_NtClose,
                             (void **)&nt_NtDuplicateObject };

    for ( unsigned int i = 0; i < ARRAYSIZE( early ); i++ )
        if ( hook->original == early[i] ) return TRUE;
    return FALSE;
}
static BOOL early_installed;

static unsigned char *found[HOOK_COUNT]; /* NULL: this loader has no such call */

/* As GetProcAddress, which takes the loader's lock and much longer for each. */
static void *find_export( const unsigned char *module, const char *name )
{
    const IMAGE_NT_HEADERS *headers = (const void *)( module + ( (const IMAGE_DOS_HEADER *)module )->e_lfanew );
    const DWORD table = headers->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_EXPORT].VirtualAddress;
    const IMAGE_EXPORT_DIRECTORY *exports = (const void *)( module + table );
    const DWORD *names = (const void *)( module + exports->AddressOfNames );
    const WORD *ordinals = (const void *)( module + exports->AddressOfNameOrdinals );
    const DWORD *functions = (const void *)( module + exports->AddressOfFunctions );
    DWORD low = 0, high = exports->NumberOfNames;

    while ( low < high )
    {
        const DWORD middle = ( low + high ) / 2;
        const int order = strcmp( name, (const char *)module + names[middle] );

        if ( !order ) return (void *)( module + functions[ordinals[middle]] );
        if ( order < 0 ) high = middle;
        else low = middle + 1;
    }
    return NULL;
}

/* The thunks of those hooks that are early, or of those that are not and have not been; the name of one whose shape is
 * unknown. */
static const char *find_thunks( unsigned char *thunks[HOOK_COUNT], BOOL early )
{
    const char *unknown = NULL;

    for ( unsigned int i = 0; i < HOOK_COUNT; i++ )
    {
        thunks[i] = NULL;
        if ( early ? !is_early( &hooks[i] ) : early_installed && is_early( &hooks[i] ) ) continue;
        thunks[i] = found[i];
        if ( thunks[i] && !unknown && !thunk_is_known( thunks[i] ) ) unknown = hooks[i].name;
    }
    return unknown;
}

/* Some could not be replaced. */
static BOOL incomplete;
static BOOL installed;

/* One way or the other for all of them; FALSE: neither. */
static BOOL install( unsigned char *const thunks[HOOK_COUNT], const char *unknown )
{
    HMODULE self;

    GetModuleHandleExW( GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN, (WCHAR *)install,
                        &self );
    if ( unknown ) return dispatcher_install( hooks, thunks );
    if ( !thunks_install( hooks, thunks, found ) ) incomplete = TRUE;
    return TRUE;
}

static BOOL WINAPI install_all( INIT_ONCE *once, void *parameter, void **context )
{
    unsigned char *thunks[HOOK_COUNT];
    const char *unknown = find_thunks( thunks, FALSE );
    const BOOL possible = !unknown || dispatcher_knows( thunks );

    (void)once, (void)parameter, (void)context;
    if ( possible && !read_view() ) return TRUE;
    if ( !possible || !install( thunks, unknown ) )
        ws2_log( "%s of this loader's ntdll has an unknown shape: CloseHandle, ReadFile, completion ports and "
                 "\\Device\\Afd do not know sockets, and sockets are made and closed more slowly; Winsock's own "
                 "functions are not affected",
                 unknown );
    else
    {
        hooks_complete = !incomplete;
        installed = TRUE;
    }
    return TRUE;
}

void hooks_install_early( const struct hook table[HOOK_COUNT], const struct hook *function )
{
    const unsigned char *ntdll = (const unsigned char *)GetModuleHandleW( L"ntdll.dll" );
    unsigned char *thunks[HOOK_COUNT];
    const char *unknown;

    hooks = table;
    patched = function;
    for ( unsigned int i = 0; i < HOOK_COUNT; i++ ) *hooks[i].original = found[i] = find_export( ntdll, hooks[i].name );
    unknown = find_thunks( thunks, TRUE );
    /* what cannot be done is told of when Winsock starts */
    early_installed = ( !unknown || dispatcher_knows( thunks ) ) && install( thunks, unknown );
}

void hooks_install( void )
{
    static INIT_ONCE once = INIT_ONCE_STATIC_INIT;

    InitOnceExecuteOnce( &once, install_all, NULL, NULL );
}

static BOOL WINAPI patch( INIT_ONCE *once, void *parameter, void **context )
{
    (void)once, (void)parameter, (void)context;
    if ( installed ) function_patch( patched );
    return TRUE;
}

void hooks_patch( void )
{
    static INIT_ONCE once = INIT_ONCE_STATIC_INIT;

    InitOnceExecuteOnce( &once, patch, NULL, NULL );
}
