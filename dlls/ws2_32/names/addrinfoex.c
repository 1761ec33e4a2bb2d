/*
 * GetAddrInfoEx and its kin: getaddrinfo that can wait in the background, be cancelled and time out.
 *
 * A request with a time limit or OVERLAPPED has two threads: the resolver, which sits in the host's C library for as
 * long as that takes, and the owner, which alone gives the result to the program and is the last to touch its
 * memory. The owner waits for the resolver, the cancel event or the limit; a resolver that comes too late finds only
 * its own reference left. Pending overlapped requests stand in a list, where GetAddrInfoExCancel finds them by number.
 */
#include "base/ws2_32_private.h"
#include "names/addrinfo.h"
#include "base/header_types.h"
#include "names/loader_dlls.h"
#include "base/strings.h"
#include "base/worker.h"

#ifndef NS_ALL
#define NS_ALL 0
#endif
#ifndef NS_DNS
#define NS_DNS 12
#endif

/* the headers still have it as a reserved pointer */
typedef void( CALLBACK *completion_routine )( DWORD error, DWORD bytes, OVERLAPPED *overlapped );

struct request
{
    LONG references;
    WCHAR *node, *service;
    struct addrinfo_hints hints;
    enum addrinfo_form form;
    DWORD limit;      /* milliseconds, or INFINITE */
    HANDLE events[2]; /* resolved, cancelled */
    /* the resolver's, the owner's after the first event */
    struct addrinfo_answer answer;
    int error;
    /* the owner's */
    void **result;
    OVERLAPPED *overlapped;
    HANDLE event;
    completion_routine routine;
    /* under addrinfoex_lock */
    UINT_PTR id;
    struct request *next;
};

static SRWLOCK addrinfoex_lock = SRWLOCK_INIT;
static struct request *addrinfoex_pending;
static UINT_PTR last_id;

static void addrinfoex_release( struct request *request )
{
    if ( InterlockedDecrement( &request->references ) ) return;
    addrinfo_free_answer( &request->answer );
    if ( request->events[0] ) CloseHandle( request->events[0] );
    if ( request->events[1] ) CloseHandle( request->events[1] );
    free( request->node );
    free( request->service );
    free( request );
}

static void addrinfoex_resolve( void *argument )
{
    struct request *request = argument;

    request->error = addrinfo_query( request->node, request->service, &request->hints, &request->answer );
    SetEvent( request->events[0] );
    addrinfoex_release( request );
}

/* Starts the resolver and waits for what comes first. */
static int addrinfoex_run( struct request *request )
{
    InterlockedIncrement( &request->references );
    if ( !worker_start( addrinfoex_resolve, request ) )
    {
        addrinfoex_release( request );
        return WSA_NOT_ENOUGH_MEMORY;
    }
    switch ( WaitForMultipleObjects( 2, request->events, FALSE, request->limit ) )
    {
    case WAIT_OBJECT_0: return request->error;
    case WAIT_OBJECT_0 + 1: return WSA_E_CANCELLED;
    case WAIT_TIMEOUT: return WSAETIMEDOUT;
    default: return WSA_NOT_ENOUGH_MEMORY;
    }
}

/* Gives the program its list. */
static int addrinfoex_deliver( struct request *request )
{
    void *list = addrinfo_build( &request->answer, &request->hints, request->form );
    int error;

    if ( !list ) return WSA_NOT_ENOUGH_MEMORY;
    if ( ( error = ws2_write( request->result, &list, sizeof( list ) ) ) ) addrinfo_free( list, request->form );
    return error;
}

static void addrinfoex_own( void *argument )
{
    struct request *request = argument, **link;
    ULONG_PTR status;
    int error = addrinfoex_run( request );

    lock_exclusive( &addrinfoex_lock );
    for ( link = &addrinfoex_pending; *link != request; link = &( *link )->next ) continue;
    *link = request->next;
    ReleaseSRWLockExclusive( &addrinfoex_lock );

    if ( !error ) error = addrinfoex_deliver( request );
    status = error;
    ws2_write( &request->overlapped->Internal, &status, sizeof( status ) );
    if ( request->routine ) request->routine( error, 0, request->overlapped );
    else if ( request->event ) SetEvent( request->event );
    addrinfoex_release( request );
}

static int start_overlapped( struct request *request, HANDLE *handle )
{
    OVERLAPPED overlapped;
    HANDLE name;
    int error;

    if ( ( error = ws2_read( &overlapped, request->overlapped, sizeof( overlapped ) ) ) ) return error;
    if ( request->routine && overlapped.hEvent ) return WSAEINVAL;
    request->event = overlapped.hEvent;
    overlapped.Internal = WSAEINPROGRESS;
    overlapped.Pointer = request->result;
    if ( ( error = ws2_write( request->overlapped, &overlapped, sizeof( overlapped ) ) ) ) return error;
    if ( request->event ) ResetEvent( request->event );

    lock_exclusive( &addrinfoex_lock );
    request->id = ++last_id;
    request->next = addrinfoex_pending;
    addrinfoex_pending = request;
    ReleaseSRWLockExclusive( &addrinfoex_lock );
    name = (HANDLE)request->id;
    if ( handle ) error = ws2_write( handle, &name, sizeof( name ) );

    InterlockedIncrement( &request->references );
    if ( !error && worker_start( addrinfoex_own, request ) ) return WSA_IO_PENDING;
    addrinfoex_release( request );
    lock_exclusive( &addrinfoex_lock );
    for ( struct request **link = &addrinfoex_pending; *link; link = &( *link )->next )
        if ( *link == request )
        {
            *link = request->next;
            break;
        }
    ReleaseSRWLockExclusive( &addrinfoex_lock );
    return error ? error : WSA_NOT_ENOUGH_MEMORY;
}

static int read_limit( const struct timeval *timeout, DWORD *limit )
{
    struct timeval copy;
    int error;

    *limit = INFINITE;
    if ( !timeout ) return 0;
    if ( ( error = ws2_read( &copy, timeout, sizeof( copy ) ) ) ) return error;
    if ( copy.tv_sec < 0 || copy.tv_usec < 0 ) return WSAEINVAL;
    *limit = min( (ULONG64)copy.tv_sec * 1000 + ( copy.tv_usec + 999 ) / 1000, 0x7fffffff );
    return 0;
}

/* Takes node and service, copies of the program's. */
static int addrinfoex_get( WCHAR *node, WCHAR *service, DWORD name_space, const void *user_hints,
                           enum addrinfo_form form, void **result, const struct timeval *timeout,
                           OVERLAPPED *overlapped, completion_routine routine, HANDLE *handle )
{
    struct request *request = calloc( 1, sizeof( *request ) );
    int error;

    if ( !request )
    {
        free( node );
        free( service );
        return WSA_NOT_ENOUGH_MEMORY;
    }
    request->references = 1;
    request->node = node;
    request->service = service;
    request->form = form;
    request->result = result;
    request->overlapped = overlapped;
    request->routine = routine;
    if ( name_space != NS_ALL && name_space != NS_DNS ) error = WSASERVICE_NOT_FOUND;
    else if ( !overlapped && ( routine || handle ) ) error = WSAEINVAL;
    else error = addrinfo_read_hints( user_hints, form, &request->hints );
    if ( !error ) error = read_limit( timeout, &request->limit );
    /* a question that cannot be asked never pends */
    if ( !error ) error = addrinfo_check( node, service, &request->hints );
    if ( !error && ( overlapped || timeout ) )
    {
        request->events[0] = CreateEventW( NULL, TRUE, FALSE, NULL );
        request->events[1] = CreateEventW( NULL, TRUE, FALSE, NULL );
        if ( !request->events[0] || !request->events[1] ) error = WSA_NOT_ENOUGH_MEMORY;
    }
    if ( !error && overlapped ) error = start_overlapped( request, handle );
    else if ( !error )
    {
        if ( timeout ) error = addrinfoex_run( request );
        else error = addrinfo_query( request->node, request->service, &request->hints, &request->answer );
        if ( !error ) error = addrinfoex_deliver( request );
    }
    addrinfoex_release( request );
    return error;
}

/***********************************************************************
 *      GetAddrInfoExA   (WS2_32.@)
 */
int WINAPI GetAddrInfoExA( const char *node, const char *service, DWORD name_space, GUID *provider,
                           const ADDRINFOEXA *hints, ADDRINFOEXA **result, struct timeval *timeout,
                           OVERLAPPED *overlapped, lookup_routine routine, HANDLE *handle )
{
    WCHAR *node_copy = NULL, *service_copy = NULL;
    void *none = NULL;
    int error = ws2_write( result, &none, sizeof( none ) );

    if ( !error && !names_started() ) error = WSANOTINITIALISED;
    if ( !error ) error = string_read_ansi( node, &node_copy );
    if ( !error && ( error = string_read_ansi( service, &service_copy ) ) ) free( node_copy );
    if ( !error )
        error = addrinfoex_get( node_copy, service_copy, name_space, hints, ADDRINFO_EX_A, (void **)result, timeout,
                                overlapped, routine, handle );
    return WS2_RESULT( error, error, "node=%p service=%p namespace=%lu provider=%p overlapped=%p", node, service,
                       name_space, provider, overlapped );
}

/***********************************************************************
 *      GetAddrInfoExW   (WS2_32.@)
 */
int WINAPI GetAddrInfoExW( const WCHAR *node, const WCHAR *service, DWORD name_space, GUID *provider,
                           const ADDRINFOEXW *hints, ADDRINFOEXW **result, struct timeval *timeout,
                           OVERLAPPED *overlapped, lookup_routine routine, HANDLE *handle )
{
    WCHAR *node_copy = NULL, *service_copy = NULL;
    void *none = NULL;
    int error = ws2_write( result, &none, sizeof( none ) );

    if ( !error && !names_started() ) error = WSANOTINITIALISED;
    if ( !error ) error = string_read_wide( node, &node_copy );
    if ( !error && ( error = string_read_wide( service, &service_copy ) ) ) free( node_copy );
    if ( !error )
        error = addrinfoex_get( node_copy, service_copy, name_space, hints, ADDRINFO_EX_W, (void **)result, timeout,
                                overlapped, routine, handle );
    return WS2_RESULT( error, error, "node=%p service=%p namespace=%lu provider=%p overlapped=%p", node, service,
                       name_space, provider, overlapped );
}

/***********************************************************************
 *      GetAddrInfoExCancel   (WS2_32.@)
 *
 * The request completes with WSA_E_CANCELLED, unless it has its result already.
 */
int WINAPI GetAddrInfoExCancel( HANDLE *handle )
{
    int error;
    HANDLE id;

    if ( !( error = ws2_read( &id, handle, sizeof( id ) ) ) )
    {
        error = WSA_INVALID_HANDLE;
        lock_exclusive( &addrinfoex_lock );
        for ( struct request *request = addrinfoex_pending; request && error; request = request->next )
            if ( request->id == (UINT_PTR)id && SetEvent( request->events[1] ) ) error = 0;
        ReleaseSRWLockExclusive( &addrinfoex_lock );
    }
    return WS2_RESULT( error, error, "handle=%p", handle );
}

/***********************************************************************
 *      GetAddrInfoExOverlappedResult   (WS2_32.@)
 */
int WINAPI GetAddrInfoExOverlappedResult( OVERLAPPED *overlapped )
{
    ULONG_PTR status = 0;
    int error = overlapped ? ws2_read( &status, &overlapped->Internal, sizeof( status ) ) : WSAEINVAL;

    if ( !error ) error = status;
    return WS2_RESULT( error, error, "overlapped=%p", overlapped );
}

/***********************************************************************
 *      FreeAddrInfoEx   (WS2_32.@)
 */
void WINAPI FreeAddrInfoEx( ADDRINFOEXA *list )
{
    addrinfo_free( list, ADDRINFO_EX_A );
    WS2_RETURNS( __func__, TRACE_NUMBER, 0, 0, "list=%p", list );
}

/***********************************************************************
 *      FreeAddrInfoExW   (WS2_32.@)
 */
void WINAPI FreeAddrInfoExW( ADDRINFOEXW *list )
{
    addrinfo_free( list, ADDRINFO_EX_W );
    WS2_RETURNS( __func__, TRACE_NUMBER, 0, 0, "list=%p", list );
}

/* No name space of this system takes registrations from an unprivileged program. */
static int addrinfoex_set( const void *name, DWORD name_space, OVERLAPPED *overlapped, lookup_routine routine )
{
    if ( !ws2_started ) return WSANOTINITIALISED;
    if ( !name || overlapped || routine ) return WSAEINVAL;
    if ( name_space != NS_ALL && name_space != NS_DNS ) return WSASERVICE_NOT_FOUND;
    return WSAEACCES;
}

/***********************************************************************
 *      SetAddrInfoExA   (WS2_32.@)
 */
int WINAPI SetAddrInfoExA( const char *name, const char *service, SOCKET_ADDRESS *addresses, DWORD count, BLOB *blob,
                           DWORD flags, DWORD name_space, GUID *provider, struct timeval *timeout,
                           OVERLAPPED *overlapped, lookup_routine routine, HANDLE *handle )
{
    int error = addrinfoex_set( name, name_space, overlapped, routine );

    (void)blob, (void)timeout, (void)handle, (void)addresses;
    return WS2_RESULT( error, error, "name=%p service=%p count=%lu flags=%#lx namespace=%lu provider=%p", name, service,
                       count, flags, name_space, provider );
}

/***********************************************************************
 *      SetAddrInfoExW   (WS2_32.@)
 */
int WINAPI SetAddrInfoExW( const WCHAR *name, const WCHAR *service, SOCKET_ADDRESS *addresses, DWORD count, BLOB *blob,
                           DWORD flags, DWORD name_space, GUID *provider, struct timeval *timeout,
                           OVERLAPPED *overlapped, lookup_routine routine, HANDLE *handle )
{
    int error = addrinfoex_set( name, name_space, overlapped, routine );

    (void)blob, (void)timeout, (void)handle, (void)addresses;
    return WS2_RESULT( error, error, "name=%p service=%p count=%lu flags=%#lx namespace=%lu provider=%p", name, service,
                       count, flags, name_space, provider );
}
