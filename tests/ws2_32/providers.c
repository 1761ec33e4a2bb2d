/*
 * Providers (facts: names-and-protocols 12 and 13): the name spaces' enumeration, WSCGetProviderPath's table of
 * arguments, the refusal of every change to an unprivileged program, and the helpers that need no layered provider.
 */
#include "support.h"
#include <ws2spi.h>

static GUID tcpip = { 0xe70f1aa0, 0xab8b, 0x11cf, { 0x8c, 0xa3, 0x00, 0x80, 0x5f, 0x48, 0xa1, 0x92 } }, zero;

static void test_namespaces( void )
{
    BOOL dns = FALSE, nla = FALSE;
    DWORD length = 0, needed;
    char *buffer;
    int count;

    ok( sizeof( WSANAMESPACE_INFOW ) == ( sizeof( void * ) == 8 ? 40 : 32 ), "size %d\n",
        (int)sizeof( WSANAMESPACE_INFOW ) );
    check_fails( guarded( WSAEnumNameSpaceProvidersW( NULL, NULL ) ), WSAEFAULT );
    check_fails( guarded( WSAEnumNameSpaceProvidersA( NULL, NULL ) ), WSAEFAULT );
    check_fails( WSAEnumNameSpaceProvidersW( &length, NULL ), WSAEFAULT );
    ok( length > sizeof( WSANAMESPACE_INFOW ), "needs %lu\n", length );
    needed = length;
    buffer = malloc( needed );
    count = WSAEnumNameSpaceProvidersW( &length, (WSANAMESPACE_INFOW *)buffer );
    ok( count > 0, "got %d, error %d\n", count, WSAGetLastError() );
    for ( int i = 0; i < count; i++ )
    {
        const WSANAMESPACE_INFOW *info = (const WSANAMESPACE_INFOW *)buffer + i;

        dns = dns || info->dwNameSpace == NS_DNS;
        nla = nla || info->dwNameSpace == NS_NLA;
        ok( (char *)info->lpszIdentifier >= buffer + count * sizeof( *info ) &&
                (char *)info->lpszIdentifier < buffer + needed,
            "entry %d: the identifier is elsewhere\n", i );
        ok( *info->lpszIdentifier, "entry %d has no identifier\n", i );
        ok( memcmp( &info->NSProviderId, &zero, sizeof( GUID ) ), "entry %d has no id\n", i );
        if ( info->dwNameSpace == NS_DNS ) ok( info->fActive, "DNS is not active\n" );
    }
    ok( dns && nla, "DNS %d, NLA %d\n", dns, nla );
    free( buffer );
    length = 0;
    check_fails( WSAEnumNameSpaceProvidersA( &length, NULL ), WSAEFAULT );
    ok( length && length < needed, "needs %lu\n", length );
    buffer = malloc( length );
    check_result( WSAEnumNameSpaceProvidersA( &length, (WSANAMESPACE_INFOA *)buffer ), count );
    ok( *( (WSANAMESPACE_INFOA *)buffer )->lpszIdentifier, "no identifier\n" );
    free( buffer );
    length = 0;
    check_fails( WSAEnumNameSpaceProvidersExW( &length, NULL ), WSAEFAULT );
    ok( length > needed, "needs %lu\n", length );
    buffer = malloc( length );
    check_result( WSAEnumNameSpaceProvidersExW( &length, (WSANAMESPACE_INFOEXW *)buffer ), count );
    free( buffer );
    length = 0;
    check_fails( WSAEnumNameSpaceProvidersExA( &length, NULL ), WSAEFAULT );
}

static void test_path( void )
{
    WCHAR path[256];
    int length, error;

    error = 0;
    ok( guarded( WSCGetProviderPath( NULL, NULL, NULL, &error ) ) == SOCKET_ERROR && error == WSAEFAULT, "error %d\n",
        error );
    error = 0;
    ok( guarded( WSCGetProviderPath( &zero, NULL, NULL, &error ) ) == SOCKET_ERROR && error == WSAEFAULT, "error %d\n",
        error );
    length = -1;
    ok( guarded( WSCGetProviderPath( NULL, NULL, &length, NULL ) ) == SOCKET_ERROR && length == -1, "length %d\n",
        length );
    ok( guarded( WSCGetProviderPath( NULL, path, NULL, NULL ) ) == SOCKET_ERROR, "succeeded\n" );
    /* whatever fails, a caller that wants no code gets none */
    ok( guarded( WSCGetProviderPath( &zero, NULL, NULL, NULL ) ) == SOCKET_ERROR, "succeeded\n" );
    length = 256;
    ok( guarded( WSCGetProviderPath( &zero, path, &length, NULL ) ) == SOCKET_ERROR && length == 256, "length %d\n",
        length );
    length = -1;
    error = 0;
    ok( WSCGetProviderPath( &zero, NULL, &length, &error ) == SOCKET_ERROR && error == WSAEINVAL && length == -1,
        "error %d, length %d\n", error, length );
    length = 256;
    error = 0;
    ok( WSCGetProviderPath( &zero, NULL, &length, &error ) == SOCKET_ERROR && error == WSAEINVAL && length == 256,
        "error %d, length %d\n", error, length );
    error = 0;
    ok( WSCGetProviderPath( &zero, path, &length, &error ) == SOCKET_ERROR && error == WSAEINVAL && length == 256,
        "error %d, length %d\n", error, length );
    error = 0;
    ok( !WSCGetProviderPath( &tcpip, path, &length, &error ), "error %d\n", error );
    ok( !_wcsicmp( path, L"%SystemRoot%\\system32\\mswsock.dll" ), "another path\n" );
    length = 4;
    error = 0;
    ok( WSCGetProviderPath( &tcpip, path, &length, &error ) == SOCKET_ERROR && error == WSAEFAULT, "error %d\n",
        error );
}

/* No right to change anything, and nothing installed under an unknown id. */
static void test_refused( void )
{
    GUID unknown = { 0xdeadbeef, 1, 2, { 3 } }, nobody = { 0 };
    GUID dns = { 0x22059d40, 0x7e9e, 0x11cf, { 0xae, 0x5a, 0, 0xaa, 0, 0xa7, 0x11, 0x2b } };
    WSAPROTOCOL_INFOW entry = { .iVersion = 2 };
    DWORD id = 1001, categories = 0xdead, previous;
    int error = 0;

#define check_wsc( call, expected ) \
    do { \
        int result_; \
        error = 0; \
        result_ = ( call ); \
        ok( result_ == SOCKET_ERROR && error == ( expected ), "%s: %d, error %d\n", #call, result_, error ); \
    } while ( 0 )

    check_wsc( WSCInstallProvider( &unknown, L"none.dll", &entry, 1, &error ), WSANO_RECOVERY );
    check_wsc( WSCInstallProvider( &unknown, L"none.dll", NULL, 1, &error ), WSAEFAULT );
    check_wsc( WSCDeinstallProvider( &unknown, &error ), WSAEINVAL );
    check_wsc( WSCDeinstallProvider( &tcpip, &error ), WSANO_RECOVERY );
    check_wsc( WSCDeinstallProvider( NULL, &error ), WSAEFAULT );
    check_wsc( WSCUpdateProvider( &unknown, L"none.dll", &entry, 1, &error ), WSAEINVAL );
    check_wsc( WSCUpdateProvider( &tcpip, L"none.dll", &entry, 1, &error ), WSANO_RECOVERY );
    check_wsc( WSCSetApplicationCategory( L"C:\\none.exe", 11, NULL, 0, 1, &previous, &error ), WSANO_RECOVERY );
    for ( unsigned int i = 0; i < 8; i++ )
        check_wsc( WSCGetApplicationCategory( i & 1 ? L"" : NULL, 0, i & 2 ? L"" : NULL, 0, i & 4 ? &categories : NULL,
                                              &error ),
                   WSAEINVAL );
    error = 0;
    ok( !WSCGetApplicationCategory( L"C:\\none.exe", 11, NULL, 0, &categories, &error ) && !categories,
        "error %d, categories %#lx\n", error, categories );
    {
        size_t size = sizeof( categories );

        categories = 0xdead;
        error = 0;
        ok( !WSCGetProviderInfo( &tcpip, ProviderInfoLspCategories, (BYTE *)&categories, &size, 0, &error ) &&
                !categories,
            "error %d, categories %#lx\n", error, categories );
        /* the provider is looked for first, and nothing else is looked at when there is none */
        for ( unsigned int i = 0; i < 16; i++ )
            check_wsc( WSCGetProviderInfo( i & 1 ? &nobody : &unknown, i & 2 ? -1 : ProviderInfoLspCategories,
                                           i & 4 ? (BYTE *)&categories : NULL, i & 8 ? &size : NULL, 0, &error ),
                       WSANO_RECOVERY );
        check_wsc( WSCGetProviderInfo( NULL, ProviderInfoLspCategories, (BYTE *)&categories, &size, 0, &error ),
                   WSAEFAULT );
        ok( guarded( WSCGetProviderInfo( NULL, -1, NULL, NULL, 0, NULL ) ) == SOCKET_ERROR, "it succeeded\n" );
        check_wsc( WSCSetProviderInfo( &tcpip, ProviderInfoLspCategories, (BYTE *)&categories, sizeof( categories ), 0,
                                       &error ),
                   WSANO_RECOVERY );
    }
    check_fails( WSCInstallNameSpace( (WCHAR *)L"none", (WCHAR *)L"none.dll", 4711, 1, &unknown ), WSAEACCES );
    check_fails( WSCInstallNameSpace( (WCHAR *)L"none", (WCHAR *)L"none.dll", NS_DNS, 1, &dns ), WSAEINVAL );
    check_fails( WSCInstallNameSpace( NULL, (WCHAR *)L"none.dll", NS_DNS, 1, &unknown ), WSAEFAULT );
    check_fails( WSCUnInstallNameSpace( &unknown ), WSAEINVAL );
    check_fails( WSCUnInstallNameSpace( &dns ), WSAEACCES );
    check_fails( WSCEnableNSProvider( &unknown, FALSE ), WSAEINVAL );
    check_fails( WSCEnableNSProvider( &dns, FALSE ), WSAEACCES );
    {
        int( WINAPI * write_order )( DWORD *, DWORD ) =
            (void *)GetProcAddress( GetModuleHandleW( L"ws2_32.dll" ), "WSCWriteProviderOrder" );

        ok( write_order( &id, 1 ) == WSANO_RECOVERY, "succeeded\n" );
        ok( write_order( NULL, 1 ) == WSAEFAULT, "succeeded\n" );
    }
    check_fails( WSAAdvertiseProvider( &unknown, NULL ), WSAEINVAL );
    check_fails( WSAUnadvertiseProvider( &unknown ), WSAEINVAL );
    check_fails( WSAProviderCompleteAsyncCall( NULL, 0 ), WSAEINVAL );
}

/* Every export of this kind, called with nothing: an error, no crash. The second width's functions answer like the
 * first's. */
static void test_nothing( void )
{
    enum
    {
        STATUS,
        CODE,
        NONE
    }; /* fails with SOCKET_ERROR, with an error code, with NULL */
    static const struct
    {
        const char *name;
        int kind;
    } rows[] = {
        { "WSCEnumProtocols", STATUS },
        { "WSCEnumProtocols32", STATUS },
        { "WSCGetProviderPath", STATUS },
        { "WSCGetProviderPath32", STATUS },
        { "WPUGetProviderPathEx", STATUS },
        { "WSCGetProviderInfo", STATUS },
        { "WSCGetProviderInfo32", STATUS },
        { "WSCSetProviderInfo", STATUS },
        { "WSCSetProviderInfo32", STATUS },
        { "WSCInstallProvider", STATUS },
        { "WSCInstallProvider64_32", STATUS },
        { "WSCInstallProviderEx", STATUS },
        { "WSCInstallProviderAndChains", STATUS },
        { "WSCInstallProviderAndChains64_32", STATUS },
        { "WSCDeinstallProvider", STATUS },
        { "WSCDeinstallProvider32", STATUS },
        { "WSCDeinstallProviderEx", STATUS },
        { "WSCUpdateProvider", STATUS },
        { "WSCUpdateProvider32", STATUS },
        { "WSCUpdateProviderEx", STATUS },
        { "WSCWriteProviderOrder", CODE },
        { "WSCWriteProviderOrder32", CODE },
        { "WSCWriteProviderOrderEx", CODE },
        { "WSCWriteNameSpaceOrder", CODE },
        { "WSCWriteNameSpaceOrder32", CODE },
        { "WSCInstallNameSpace", STATUS },
        { "WSCInstallNameSpace32", STATUS },
        { "WSCInstallNameSpaceEx", STATUS },
        { "WSCInstallNameSpaceEx2", STATUS },
        { "WSCInstallNameSpaceEx32", STATUS },
        { "WSCUnInstallNameSpace", STATUS },
        { "WSCUnInstallNameSpace32", STATUS },
        { "WSCUnInstallNameSpaceEx2", STATUS },
        { "WSCEnableNSProvider", STATUS },
        { "WSCEnableNSProvider32", STATUS },
        { "WSCEnumNameSpaceProviders32", STATUS },
        { "WSCEnumNameSpaceProvidersEx32", STATUS },
        { "WSCGetApplicationCategory", STATUS },
        { "WSCGetApplicationCategoryEx", STATUS },
        { "WSCSetApplicationCategory", STATUS },
        { "WSCSetApplicationCategoryEx", STATUS },
        { "WPUCompleteOverlappedRequest", STATUS },
        { "WSAAdvertiseProvider", STATUS },
        { "WSAUnadvertiseProvider", STATUS },
        { "WSANSPIoctl", STATUS },
        { "WSAProviderConfigChange", STATUS },
        { "WSALookupServiceNextA", STATUS },
        { "WSALookupServiceNextW", STATUS },
        { "WahCloseApcHelper", CODE },
        { "WahCloseNotificationHandleHelper", CODE },
        { "WahCloseThread", CODE },
        { "WahCreateHandleContextTable", CODE },
        { "WahDestroyHandleContextTable", CODE },
        { "WahCreateNotificationHandle", CODE },
        { "WahNotifyAllProcesses", CODE },
        { "WahOpenApcHelper", CODE },
        { "WahOpenNotificationHandleHelper", CODE },
        { "WahOpenCurrentThread", CODE },
        { "WahQueueUserApc", CODE },
        { "WahWaitForNotification", CODE },
        { "WahWriteLSPEvent", CODE },
        { "WahOpenHandleHelper", CODE },
        { "WahCloseHandleHelper", CODE },
        { "WahCreateSocketHandle", CODE },
        { "WahCloseSocketHandle", CODE },
        { "WahCompleteRequest", CODE },
        { "WahInsertHandleContext", NONE },
        { "WahReferenceContextByHandle", NONE },
        { "WahRemoveHandleContext", CODE },
    };
    HMODULE ws2_32 = GetModuleHandleW( L"ws2_32.dll" );

    for ( unsigned int i = 0; i < ARRAY_SIZE( rows ); i++ )
    {
        /* more arguments than any of them has do no harm in the 64-bit calling convention */
        int( WINAPI * function )( void *, void *, void *, void *, void *, void *, void *, void *, void * ) =
            (void *)GetProcAddress( ws2_32, rows[i].name );
        int result;

        winetest_push_context( "%s", rows[i].name );
        ok( function || broken( 1 ) /* some came with Vista */, "not exported\n" );
        if ( function && sizeof( void * ) == 8 )
        {
            result = guarded( function( NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL ) );
            if ( rows[i].kind == STATUS ) ok( result == SOCKET_ERROR, "returned %d\n", result );
            else if ( rows[i].kind == CODE ) ok( result > 0, "returned %d\n", result );
            else ok( !result, "returned %d\n", result );
        }
        winetest_pop_context();
    }
}

/* The functions of the other width, on a system where both have the same providers. */
static void test_other_width( void )
{
    int( WINAPI * get_path )( GUID *, WCHAR *, int *, int * );
    int( WINAPI * enumerate )( int *, WSAPROTOCOL_INFOW *, DWORD *, int * );
    int( WINAPI * enumerate_namespaces )( DWORD *, WSANAMESPACE_INFOW * );
    HMODULE ws2_32 = GetModuleHandleW( L"ws2_32.dll" );
    WSAPROTOCOL_INFOW entries[32], others[32];
    DWORD length = sizeof( entries ), other_length = sizeof( others );
    int count, error = 0, path_length = 256;
    WCHAR path[256];

    get_path = (void *)GetProcAddress( ws2_32, "WSCGetProviderPath32" );
    enumerate = (void *)GetProcAddress( ws2_32, "WSCEnumProtocols32" );
    enumerate_namespaces = (void *)GetProcAddress( ws2_32, "WSCEnumNameSpaceProviders32" );
    ok( !get_path( &tcpip, path, &path_length, &error ), "error %d\n", error );
    ok( wcsstr( path, L"mswsock.dll" ) != NULL, "another path\n" );
    count = WSCEnumProtocols( NULL, entries, &length, &error );
    ok( count > 0 && enumerate( NULL, others, &other_length, &error ) == count, "another count, error %d\n", error );
    length = other_length = 0;
    WSAEnumNameSpaceProvidersW( &length, NULL );
    check_fails( enumerate_namespaces( &other_length, NULL ), WSAEFAULT );
    ok( other_length == length, "needs %lu and %lu\n", other_length, length );
}

/* The catalogue does not change, so the notification does not come; to ask for it is no error. */
static void test_change( void )
{
    OVERLAPPED overlapped = { 0 }, *ended;
    HANDLE handle = NULL, other = NULL, port;
    SOCKET s = socket( AF_INET, SOCK_STREAM, 0 );
    ULONG_PTR key;
    DWORD size;

    check_fails( WSAProviderConfigChange( NULL, NULL, NULL ), WSAEFAULT );
    check_ok( WSAProviderConfigChange( &handle, NULL, NULL ) );
    ok( handle != NULL, "no handle\n" );
    /* it is a file: one for a completion port, beside sockets */
    port = CreateIoCompletionPort( (HANDLE)s, NULL, 1, 0 );
    ok( port != NULL, "no port, error %lu\n", GetLastError() );
    ok( CreateIoCompletionPort( handle, port, 2, 0 ) == port, "refused, error %lu\n", GetLastError() );
    check_fails( WSAProviderConfigChange( &handle, &overlapped, NULL ), WSA_IO_PENDING );
    ok( !GetQueuedCompletionStatus( port, &size, &key, &ended, 50 ) && !ended, "it has ended\n" );
    check_ok( WSAProviderConfigChange( &other, NULL, NULL ) );
    ok( other && other != handle, "one handle for both\n" );
    ok( CreateIoCompletionPort( other, NULL, 0, 0 ) != NULL, "refused, error %lu\n", GetLastError() );
    ok( CloseHandle( other ), "error %lu\n", GetLastError() );
    ok( CloseHandle( handle ), "error %lu\n", GetLastError() );
    ok( !GetQueuedCompletionStatus( port, &size, &key, &ended, 5000 ) && ended == &overlapped && key == 2,
        "key %p, overlapped %p\n", (void *)key, (void *)ended );
    closesocket( s );
    CloseHandle( port );
}

struct context
{
    LONG references;
    HANDLE handle;
    int number;
};

static BOOL CALLBACK count_context( void *argument, struct context *context )
{
    *(int *)argument += context->number;
    return TRUE;
}

static int apc_ran;
static void CALLBACK run_apc( ULONG_PTR context ) { apc_ran = context; }

#define LOAD( name ) *(void **)&name = (void *)GetProcAddress( ws2_32, "Wah" #name )

static void test_helpers( void )
{
    HMODULE ws2_32 = GetModuleHandleW( L"ws2_32.dll" );
    DWORD( WINAPI * CreateHandleContextTable )( void ** );
    DWORD( WINAPI * DestroyHandleContextTable )( void * );
    struct context *( WINAPI * InsertHandleContext )( void *, struct context * );
    struct context *( WINAPI * ReferenceContextByHandle )( void *, HANDLE );
    DWORD( WINAPI * RemoveHandleContext )( void *, struct context * );
    BOOL( WINAPI * EnumerateHandleContexts )( void *, void *, void * );
    DWORD( WINAPI * OpenApcHelper )( HANDLE * );
    DWORD( WINAPI * CloseApcHelper )( HANDLE );
    DWORD( WINAPI * OpenCurrentThread )( HANDLE, WSATHREADID * );
    DWORD( WINAPI * CloseThread )( HANDLE, WSATHREADID * );
    DWORD( WINAPI * QueueUserApc )( HANDLE, WSATHREADID *, PAPCFUNC, ULONG_PTR );
    DWORD( WINAPI * OpenHandleHelper )( HANDLE * );
    DWORD( WINAPI * EnableNonIFSHandleSupport )( void );
    struct context contexts[40], other;
    WSATHREADID thread;
    HANDLE helper;
    int sum = 0;
    void *table;

    LOAD( CreateHandleContextTable );
    LOAD( DestroyHandleContextTable );
    LOAD( InsertHandleContext );
    LOAD( ReferenceContextByHandle );
    LOAD( RemoveHandleContext );
    LOAD( EnumerateHandleContexts );
    LOAD( OpenApcHelper );
    LOAD( CloseApcHelper );
    LOAD( OpenCurrentThread );
    LOAD( CloseThread );
    LOAD( QueueUserApc );
    LOAD( OpenHandleHelper );
    LOAD( EnableNonIFSHandleSupport );

    ok( !CreateHandleContextTable( &table ), "no table\n" );
    for ( unsigned int i = 0; i < ARRAY_SIZE( contexts ); i++ )
    {
        contexts[i] = ( struct context ){ 1, (HANDLE)(UINT_PTR)( 4 * i + 4 ), 1 };
        ok( InsertHandleContext( table, &contexts[i] ) == &contexts[i], "context %u not inserted\n", i );
    }
    other = contexts[7];
    ok( InsertHandleContext( table, &other ) == &contexts[7], "the earlier context was not returned\n" );
    ok( ReferenceContextByHandle( table, other.handle ) == &other && other.references == 2, "not referenced\n" );
    ok( !ReferenceContextByHandle( table, (HANDLE)3 ), "an unknown handle has a context\n" );
    ok( EnumerateHandleContexts( table, count_context, &sum ) && sum == ARRAY_SIZE( contexts ), "counted %d\n", sum );
    ok( !RemoveHandleContext( table, &other ), "not removed\n" );
    ok( RemoveHandleContext( table, &other ) == WSAENOTSOCK, "removed twice\n" );
    ok( !ReferenceContextByHandle( table, other.handle ), "a removed context is found\n" );
    ok( !DestroyHandleContextTable( table ), "not destroyed\n" );

    ok( !OpenApcHelper( &helper ), "no helper\n" );
    ok( !OpenCurrentThread( helper, &thread ), "no thread\n" );
    ok( !QueueUserApc( helper, &thread, run_apc, 77 ), "not queued\n" );
    ok( SleepEx( 0, TRUE ) == WAIT_IO_COMPLETION && apc_ran == 77, "the APC did not run\n" );
    ok( !CloseThread( helper, &thread ), "not closed\n" );
    ok( !CloseApcHelper( helper ), "not closed\n" );
    ok( OpenHandleHelper( &helper ) == ERROR_NOT_SUPPORTED, "handles that are no file handles are supported\n" );
    ok( EnableNonIFSHandleSupport() == ERROR_ACCESS_DENIED, "an administrator's right was given\n" );
}

START_TEST( providers )
{
    if ( support_begin() ) return;
    test_namespaces();
    test_path();
    if ( have_administrator() ) skip( "an administrator is not refused\n" );
    else test_refused();
    test_nothing();
    test_other_width();
    test_change();
    test_helpers();
    support_end();
}
