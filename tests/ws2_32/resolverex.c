/*
 * GetAddrInfoEx: the same answers as getaddrinfo; in the background with an event, a completion routine or neither;
 * cancel and time limit. Without a network nothing can be made slow for certain, so cancel and limit are held to what
 * holds whichever comes first: one completion, with the result or with the reason why there is none.
 */
#include "support.h"

typedef void( CALLBACK *routine )( DWORD error, DWORD bytes, OVERLAPPED *overlapped );
typedef INT( WSAAPI *cancel_function )( HANDLE *handle );
typedef INT( WSAAPI *result_function )( OVERLAPPED *overlapped );
typedef INT( WSAAPI *get_function )( PCWSTR, PCWSTR, DWORD, GUID *, const ADDRINFOEXW *, ADDRINFOEXW **,
                                     struct timeval *, OVERLAPPED *, routine, HANDLE * );

/* older headers do not have them all */
static cancel_function cancel;
static result_function overlapped_result;
static get_function get;

static void test_plain( void )
{
    ADDRINFOEXW hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM, .ai_flags = AI_CANONNAME }, *list;
    ADDRINFOEXA *ansi;
    ADDRINFOW *other;
    int result;

    WSASetLastError( ERROR_UNTOUCHED );
    result = get( L"127.0.0.1", L"80", NS_DNS, NULL, &hints, &list, NULL, NULL, NULL, NULL );
    ok( !result && !WSAGetLastError(), "returned %d, error %d\n", result, WSAGetLastError() );
    if ( !result )
    {
        const struct sockaddr_in *address = (const struct sockaddr_in *)list->ai_addr;

        ok( list->ai_family == AF_INET && list->ai_socktype == SOCK_STREAM && !list->ai_next, "another entry\n" );
        ok( address->sin_addr.s_addr == htonl( INADDR_LOOPBACK ) && address->sin_port == htons( 80 ),
            "another address\n" );
        ok( list->ai_canonname && !wcscmp( list->ai_canonname, L"127.0.0.1" ), "another name\n" );
        ok( !list->ai_blob && !list->ai_bloblen, "a blob\n" );
        FreeAddrInfoExW( list );
    }
    result = GetAddrInfoExA( "localhost", NULL, NS_ALL, NULL, NULL, &ansi, NULL, NULL, NULL, NULL );
    ok( !result, "returned %d\n", result );
    if ( !result )
    {
        ok( !GetAddrInfoW( L"localhost", NULL, NULL, &other ), "failed\n" );
        ok( other->ai_family == ansi->ai_family && other->ai_addrlen == ansi->ai_addrlen, "another entry\n" );
        ok( !memcmp( other->ai_addr, ansi->ai_addr, ansi->ai_addrlen ), "another address\n" );
        FreeAddrInfoW( other );
        FreeAddrInfoEx( ansi );
    }
    list = (ADDRINFOEXW *)1;
    result = get( L"nxdomain.invalid", NULL, NS_DNS, NULL, NULL, &list, NULL, NULL, NULL, NULL );
    ok( result == WSAHOST_NOT_FOUND && !list && WSAGetLastError() == result, "returned %d, list %p\n", result, list );
}

/* The structure grew by fields at its end; AI_EXTENDED and a version say how many the caller knows. */
static void test_extended( void )
{
    struct
    {
        ADDRINFOEXW base;
        int version;
        WCHAR *fqdn;
        int adapter;
    } hints = { .base = { .ai_family = AF_INET, .ai_flags = 0x80000000 }, .version = 3 }, *list;
    int result = get( L"127.0.0.1", L"80", NS_DNS, NULL, &hints.base, (ADDRINFOEXW **)&list, NULL, NULL, NULL, NULL );

    ok( !result, "returned %d\n", result );
    if ( !result )
    {
        ok( list->version == 3 && !list->fqdn && !list->adapter, "version %d, name %p, adapter %d\n", list->version,
            list->fqdn, list->adapter );
        ok( list->base.ai_family == AF_INET && !list->base.ai_canonname, "another entry\n" );
        FreeAddrInfoExW( &list->base );
    }
}

static struct
{
    HANDLE event;
    DWORD error, bytes, thread;
    OVERLAPPED *overlapped;
    LONG calls;
} completion;

static void CALLBACK complete( DWORD error, DWORD bytes, OVERLAPPED *overlapped )
{
    completion.error = error;
    completion.bytes = bytes;
    completion.overlapped = overlapped;
    completion.thread = GetCurrentThreadId();
    InterlockedIncrement( &completion.calls );
    SetEvent( completion.event );
}

static void test_overlapped( void )
{
    static const struct
    {
        const WCHAR *name;
        int result;
    } rows[] = { { L"localhost", 0 }, { L"", 0 }, { L"nxdomain.invalid", WSAHOST_NOT_FOUND } };

    for ( unsigned int i = 0; i < ARRAY_SIZE( rows ) * 2; i++ )
    {
        BOOL with_routine = i % 2;
        OVERLAPPED overlapped = { 0 };
        ADDRINFOEXW *list = NULL;
        HANDLE handle = NULL, event = CreateEventW( NULL, TRUE, FALSE, NULL );
        int expected = rows[i / 2].result, result;

        winetest_push_context( "row %u%s", i / 2, with_routine ? " with a routine" : "" );
        memset( &completion, 0, sizeof( completion ) );
        completion.event = event;
        if ( !with_routine ) overlapped.hEvent = event;
        overlapped.Internal = 0xdeadbeef;
        list = (ADDRINFOEXW *)0xdeadbeef;
        result = get( rows[i / 2].name, L"80", NS_DNS, NULL, NULL, &list, NULL, &overlapped,
                      with_routine ? complete : NULL, &handle );
        ok( result == WSA_IO_PENDING && WSAGetLastError() == WSA_IO_PENDING, "returned %d\n", result );
        ok( list != (ADDRINFOEXW *)0xdeadbeef, "the list was left alone\n" );
        ok( overlapped.Internal == WSAEINPROGRESS || overlapped.Internal == (ULONG)expected, "Internal %#lx\n",
            (ULONG)overlapped.Internal );
        ok( overlapped.Pointer == &list, "Pointer %p\n", overlapped.Pointer );
        ok( WaitForSingleObject( event, 20000 ) == WAIT_OBJECT_0, "no completion\n" );
        ok( overlapped_result( &overlapped ) == expected, "result %d\n", overlapped_result( &overlapped ) );
        ok( !list == !!expected, "list %p\n", list );
        ok( overlapped.Internal == (ULONG)expected, "Internal %#lx\n", (ULONG)overlapped.Internal );
        if ( with_routine )
        {
            ok( completion.error == (DWORD)expected && completion.overlapped == &overlapped && completion.calls == 1,
                "error %lu, overlapped %p, %ld calls\n", completion.error, completion.overlapped, completion.calls );
            ok( completion.thread != GetCurrentThreadId(), "on this thread\n" );
            ok( !completion.bytes && !overlapped.hEvent, "%lu bytes, event %p\n", completion.bytes, overlapped.hEvent );
        }
        if ( list )
        {
            const union address *address = (const union address *)list->ai_addr;

            ok( address->v4.sin_port == htons( 80 ), "port %u\n", ntohs( address->v4.sin_port ) );
            FreeAddrInfoExW( list );
        }
        ok( cancel( &handle ) == WSA_INVALID_HANDLE, "a request that has ended can be cancelled\n" );
        CloseHandle( event );
        winetest_pop_context();
    }
}

/* A question that cannot be asked is refused at once, OVERLAPPED or not: neither event nor routine tells of it. */
static void test_refused_at_once( void )
{
    ADDRINFOEXW family = { .ai_family = 999 }, type = { .ai_socktype = 999 }, canonical = { .ai_flags = AI_CANONNAME };
    const struct
    {
        const WCHAR *node, *service;
        ADDRINFOEXW *hints;
        int error;
    } rows[] = {
        { NULL, NULL, NULL, WSAHOST_NOT_FOUND },
        { L"localhost", NULL, &family, WSAEAFNOSUPPORT },
        { L"localhost", NULL, &type, WSAESOCKTNOSUPPORT },
        { NULL, L"80", &canonical, WSAEINVAL },
    };

    for ( unsigned int i = 0; i < ARRAY_SIZE( rows ) * 3; i++ )
    {
        const unsigned int row = i / 3, form = i % 3; /* plain, with an event, with a routine */
        HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL );
        ADDRINFOEXW *list = (ADDRINFOEXW *)0xdeadbeef;
        OVERLAPPED overlapped = { 0 };
        HANDLE handle = NULL;

        winetest_push_context( "row %u, form %u", row, form );
        memset( &completion, 0, sizeof( completion ) );
        completion.event = event;
        if ( form == 1 ) overlapped.hEvent = event;
        check_error( get( rows[row].node, rows[row].service, NS_DNS, NULL, rows[row].hints, &list, NULL,
                          form ? &overlapped : NULL, form == 2 ? complete : NULL, form ? &handle : NULL ),
                     rows[row].error, rows[row].error );
        ok( !list, "list %p\n", list );
        ok( WaitForSingleObject( event, 100 ) == WAIT_TIMEOUT && !completion.calls, "an end is told\n" );
        CloseHandle( event );
        winetest_pop_context();
    }
}

static void test_arguments( void )
{
    OVERLAPPED overlapped = { 0 };
    ADDRINFOEXW *list;
    HANDLE handle;
    int result;

    overlapped.hEvent = CreateEventW( NULL, TRUE, FALSE, NULL );
    result = get( L"localhost", NULL, NS_DNS, NULL, NULL, &list, NULL, &overlapped, complete, NULL );
    ok( result == WSAEINVAL, "event and routine: %d\n", result );
    result = get( L"localhost", NULL, NS_DNS, NULL, NULL, &list, NULL, NULL, complete, NULL );
    ok( result == WSAEINVAL, "a routine without OVERLAPPED: %d\n", result );
    result = get( NULL, NULL, NS_DNS, NULL, NULL, &list, NULL, NULL, NULL, NULL );
    ok( result == WSAHOST_NOT_FOUND && !list, "no name: %d\n", result );
    ok( overlapped_result( NULL ) == WSAEINVAL, "no OVERLAPPED accepted\n" );
    handle = (HANDLE)0xdeadbeef;
    ok( cancel( &handle ) == WSA_INVALID_HANDLE, "a handle that is none was cancelled\n" );
    CloseHandle( overlapped.hEvent );
}

static void test_cancel( void )
{
    int cancelled = 0, completed = 0;

    for ( unsigned int i = 0; i < 50; i++ )
    {
        struct timeval limit = { 0, i % 2 ? 1000 : 20000000 };
        OVERLAPPED overlapped = { 0 };
        ADDRINFOEXW *list = NULL;
        HANDLE handle = NULL;
        int result, first, status;

        overlapped.hEvent = CreateEventW( NULL, TRUE, FALSE, NULL );
        result =
            get( L"localhost", NULL, NS_DNS, NULL, NULL, &list, i % 3 ? NULL : &limit, &overlapped, NULL, &handle );
        ok( result == WSA_IO_PENDING, "returned %d\n", result );
        first = cancel( &handle );
        ok( !first || first == WSA_INVALID_HANDLE, "cancel returned %d\n", first );
        ok( WaitForSingleObject( overlapped.hEvent, 20000 ) == WAIT_OBJECT_0, "no completion\n" );
        status = overlapped_result( &overlapped );
        if ( first ) ok( !status || status == WSAETIMEDOUT, "result %d\n", status );
        else ok( !status || status == WSA_E_CANCELLED || status == WSAETIMEDOUT, "result %d\n", status );
        ok( !list == !!status, "result %d with list %p\n", status, list );
        cancelled += status == WSA_E_CANCELLED;
        completed += !status;
        if ( list ) FreeAddrInfoExW( list );
        CloseHandle( overlapped.hEvent );
    }
    trace( "%d cancelled, %d completed\n", cancelled, completed );
    ok( cancelled + completed > 0, "neither\n" );
}

static void test_set( void )
{
    int result = SetAddrInfoExW( NULL, NULL, NULL, 0, NULL, 0, NS_DNS, NULL, NULL, NULL, NULL, NULL );

    ok( result && WSAGetLastError() == result, "returned %d, error %d\n", result, WSAGetLastError() );
    result = SetAddrInfoExA( NULL, NULL, NULL, 0, NULL, 0, NS_DNS, NULL, NULL, NULL, NULL, NULL );
    ok( result && WSAGetLastError() == result, "returned %d, error %d\n", result, WSAGetLastError() );
    result = SetAddrInfoExW( L"ws2host-test", L"80", NULL, 0, NULL, 0, NS_DNS, NULL, NULL, NULL, NULL, NULL );
    ok( result && WSAGetLastError() == result, "returned %d, error %d\n", result, WSAGetLastError() );
}

START_TEST( resolverex )
{
    HMODULE ws2_32 = GetModuleHandleW( L"ws2_32.dll" );

    if ( support_begin() ) return;
    cancel = (cancel_function)(void *)GetProcAddress( ws2_32, "GetAddrInfoExCancel" );
    overlapped_result = (result_function)(void *)GetProcAddress( ws2_32, "GetAddrInfoExOverlappedResult" );
    get = (get_function)(void *)GetProcAddress( ws2_32, "GetAddrInfoExW" );
    if ( get )
    {
        test_plain();
        test_extended();
    }
    if ( cancel && overlapped_result && get )
    {
        test_overlapped();
        test_refused_at_once();
        test_arguments();
        test_cancel();
    }
    else win_skip( "no GetAddrInfoEx that can be cancelled\n" );
    test_set();
    support_end();
}
