/*
 * The loader's own DLLs were written over a ws2_32 with habits that Windows' has not: looking names up works there before
 * WSAStartup (WinHTTP, wineboot, jsproxy and wbemprox do it), and IPv4 comes first. What they need of that is theirs
 * alone; other callers get what Windows does. No state; any thread.
 */
#include "names/loader_dlls.h"

#define MARK "Wine builtin DLL"
#define MARK_OFFSET 0x40 /* behind the DOS header */

static HMODULE module_of( const void *caller )
{
    HMODULE module;

    return GetModuleHandleExW( GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
                               caller, &module )
               ? module
               : NULL;
}

BOOL loader_dll_calls( const void *caller )
{
    const char *module = (const char *)module_of( caller );

    return module && !memcmp( module + MARK_OFFSET, MARK, sizeof( MARK ) );
}

/* rpcrt4 listens at the first wildcard address alone, and its callers reach it by IPv4. */
void loader_dll_order( const void *caller, struct addrinfo **list )
{
    struct addrinfo *first = *list, *second = first->ai_next;

    if ( !second || second->ai_next || second->ai_family != AF_INET ) return;
    if ( !loader_dll_calls( caller ) || module_of( caller ) != GetModuleHandleW( L"rpcrt4.dll" ) ) return;
    second->ai_next = first;
    first->ai_next = NULL;
    *list = second;
}
