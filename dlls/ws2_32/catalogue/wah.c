/*
 * The helpers for layered providers (Wah*, WPU*) and the notifications of a changing catalogue. What needs no layered
 * provider works: tables of handle contexts, threads that take APCs. What serves handles that are no true file
 * handles is refused: its support is off, as it is on every system unless an administrator enables it.
 */
#include "base/ws2_32_private.h"
#include <wchar.h>
#include <winternl.h>
#include <ws2spi.h>
#include "base/nt_codes.h"

#define FSCTL_PIPE_LISTEN 0x110008

/* --- tables of contexts by handle: the caller's structures, each beginning so --------------------------------------*/

struct context
{
    LONG references;
    HANDLE handle;
};

struct context_table
{
    SRWLOCK lock;
    struct context **contexts;
    unsigned int count, capacity;
};

typedef BOOL( CALLBACK *context_routine )( void *argument, struct context *context );

static unsigned int wah_place_of( const struct context_table *table, HANDLE handle )
{
    unsigned int i = 0;

    while ( i < table->count && table->contexts[i]->handle != handle ) i++;
    return i;
}

/***********************************************************************
 *      WahCreateHandleContextTable   (WS2_32.@)
 */
DWORD WINAPI WahCreateHandleContextTable( struct context_table **result )
{
    struct context_table *table = calloc( 1, sizeof( *table ) );
    DWORD error = table ? ws2_write( result, &table, sizeof( table ) ) : ERROR_NOT_ENOUGH_MEMORY;

    if ( error ) free( table );
    return WS2_RESULT( error, error, "table=%p", table );
}

/***********************************************************************
 *      WahDestroyHandleContextTable   (WS2_32.@)
 */
DWORD WINAPI WahDestroyHandleContextTable( struct context_table *table )
{
    DWORD error = table ? 0 : ERROR_INVALID_PARAMETER;

    if ( table ) free( table->contexts );
    free( table );
    return WS2_RESULT( error, error, "%s", "" );
}

/***********************************************************************
 *      WahInsertHandleContext   (WS2_32.@)
 *
 * The context that was there for the handle, or the new one; NULL without memory.
 */
struct context *WINAPI WahInsertHandleContext( struct context_table *table, struct context *context )
{
    struct context *result = context, **larger;
    unsigned int i;

    if ( !table || !context ) return WS2_RESULT( (struct context *)NULL, ERROR_INVALID_PARAMETER, "table=%p", table );
    lock_exclusive( &table->lock );
    i = wah_place_of( table, context->handle );
    if ( i < table->count )
    {
        result = table->contexts[i];
        table->contexts[i] = context;
    }
    else
    {
        if ( table->count == table->capacity )
        {
            unsigned int capacity = table->capacity ? table->capacity * 2 : 16;

            if ( ( larger = realloc( table->contexts, capacity * sizeof( *larger ) ) ) )
            {
                table->contexts = larger;
                table->capacity = capacity;
            }
        }
        if ( table->count < table->capacity ) table->contexts[table->count++] = context;
        else result = NULL;
    }
    ReleaseSRWLockExclusive( &table->lock );
    return WS2_RESULT( result, result ? 0 : ERROR_NOT_ENOUGH_MEMORY, "table=%p context=%p", table, context );
}

/***********************************************************************
 *      WahReferenceContextByHandle   (WS2_32.@)
 */
struct context *WINAPI WahReferenceContextByHandle( struct context_table *table, HANDLE handle )
{
    struct context *result = NULL;
    unsigned int i;

    if ( !table ) return WS2_RESULT( result, ERROR_INVALID_PARAMETER, "table=%p", table );
    lock_shared( &table->lock );
    i = wah_place_of( table, handle );
    if ( i < table->count )
    {
        result = table->contexts[i];
        InterlockedIncrement( &result->references );
    }
    ReleaseSRWLockShared( &table->lock );
    return WS2_RESULT( result, result ? 0 : WSAENOTSOCK, "table=%p handle=%p", table, handle );
}

/***********************************************************************
 *      WahRemoveHandleContext   (WS2_32.@)
 */
DWORD WINAPI WahRemoveHandleContext( struct context_table *table, struct context *context )
{
    DWORD error = WSAENOTSOCK;

    if ( !table ) return WS2_RESULT( (DWORD)ERROR_INVALID_PARAMETER, ERROR_INVALID_PARAMETER, "table=%p", table );
    lock_exclusive( &table->lock );
    for ( unsigned int i = 0; i < table->count; i++ )
    {
        if ( table->contexts[i] != context ) continue;
        table->contexts[i] = table->contexts[--table->count];
        error = 0;
    }
    ReleaseSRWLockExclusive( &table->lock );
    return WS2_RESULT( error, error, "table=%p context=%p", table, context );
}

/***********************************************************************
 *      WahEnumerateHandleContexts   (WS2_32.@)
 *
 * The routine may remove the context that it is given.
 */
BOOL WINAPI WahEnumerateHandleContexts( struct context_table *table, context_routine routine, void *argument )
{
    BOOL go_on = TRUE;
    struct context *context;
    unsigned int i;

    if ( !table || !routine ) return WS2_RESULT( FALSE, ERROR_INVALID_PARAMETER, "table=%p", table );
    lock_shared( &table->lock );
    i = table->count;
    ReleaseSRWLockShared( &table->lock );
    while ( go_on && i-- )
    {
        lock_shared( &table->lock );
        context = i < table->count ? table->contexts[i] : NULL;
        ReleaseSRWLockShared( &table->lock );
        if ( context ) go_on = routine( argument, context );
    }
    return WS2_RESULT( go_on, 0, "table=%p", table );
}

/* --- threads that take APCs ----------------------------------------------------------------------------------------*/

static HANDLE const apc_helper = (HANDLE)0x41504348; /* stands for itself: there is nothing to open */

/***********************************************************************
 *      WahOpenApcHelper   (WS2_32.@)
 */
DWORD WINAPI WahOpenApcHelper( HANDLE *helper )
{
    DWORD error = ws2_write( helper, &apc_helper, sizeof( apc_helper ) );

    return WS2_RESULT( error, error, "helper=%p", helper );
}

static DWORD check_helper( HANDLE helper ) { return helper == apc_helper ? 0 : ERROR_INVALID_PARAMETER; }

/***********************************************************************
 *      WahCloseApcHelper   (WS2_32.@)
 */
DWORD WINAPI WahCloseApcHelper( HANDLE helper )
{
    DWORD error = check_helper( helper );

    return WS2_RESULT( error, error, "helper=%p", helper );
}

/***********************************************************************
 *      WahOpenCurrentThread   (WS2_32.@)
 */
DWORD WINAPI WahOpenCurrentThread( HANDLE helper, WSATHREADID *thread )
{
    WSATHREADID id = { 0 };
    DWORD error = check_helper( helper );

    if ( !error && !DuplicateHandle( GetCurrentProcess(), GetCurrentThread(), GetCurrentProcess(), &id.ThreadHandle, 0,
                                     FALSE, DUPLICATE_SAME_ACCESS ) )
        error = GetLastError();
    if ( !error && ( error = ws2_write( thread, &id, sizeof( id ) ) ) ) CloseHandle( id.ThreadHandle );
    return WS2_RESULT( error, error, "helper=%p thread=%p", helper, thread );
}

/***********************************************************************
 *      WahCloseThread   (WS2_32.@)
 */
DWORD WINAPI WahCloseThread( HANDLE helper, WSATHREADID *thread )
{
    WSATHREADID id;
    DWORD error = check_helper( helper );

    if ( !error ) error = ws2_read( &id, thread, sizeof( id ) );
    if ( !error && !CloseHandle( id.ThreadHandle ) ) error = GetLastError();
    return WS2_RESULT( error, error, "helper=%p thread=%p", helper, thread );
}

/***********************************************************************
 *      WahQueueUserApc   (WS2_32.@)
 */
DWORD WINAPI WahQueueUserApc( HANDLE helper, WSATHREADID *thread, PAPCFUNC routine, ULONG_PTR context )
{
    WSATHREADID id;
    DWORD error = check_helper( helper );

    if ( !error ) error = routine ? ws2_read( &id, thread, sizeof( id ) ) : ERROR_INVALID_PARAMETER;
    if ( !error && !QueueUserAPC( routine, id.ThreadHandle, context ) ) error = ERROR_INVALID_HANDLE;
    return WS2_RESULT( error, error, "helper=%p thread=%p", helper, thread );
}

/* --- handles that are no file handles: not supported unless enabled, which is the administrator's ------------------*/

#define NON_IFS( name, ... ) \
    DWORD WINAPI name( __VA_ARGS__ ) \
    { \
        return WS2_RESULT( (DWORD)ERROR_NOT_SUPPORTED, ERROR_NOT_SUPPORTED, "no support for non-IFS handles" ); \
    }

/***********************************************************************
 *      WahOpenHandleHelper   (WS2_32.@)
 */
NON_IFS( WahOpenHandleHelper, HANDLE *helper __attribute__( ( unused ) ) )
/***********************************************************************
 *      WahCloseHandleHelper   (WS2_32.@)
 */
NON_IFS( WahCloseHandleHelper, HANDLE helper __attribute__( ( unused ) ) )
/***********************************************************************
 *      WahCreateSocketHandle   (WS2_32.@)
 */
NON_IFS( WahCreateSocketHandle, HANDLE helper __attribute__( ( unused ) ), SOCKET *s __attribute__( ( unused ) ) )
/***********************************************************************
 *      WahCloseSocketHandle   (WS2_32.@)
 */
NON_IFS( WahCloseSocketHandle, HANDLE helper __attribute__( ( unused ) ), SOCKET s __attribute__( ( unused ) ) )
/***********************************************************************
 *      WahCompleteRequest   (WS2_32.@)
 */
NON_IFS( WahCompleteRequest, HANDLE helper __attribute__( ( unused ) ), SOCKET s __attribute__( ( unused ) ),
         OVERLAPPED *overlapped __attribute__( ( unused ) ), DWORD error __attribute__( ( unused ) ),
         DWORD bytes __attribute__( ( unused ) ) )

/***********************************************************************
 *      WahEnableNonIFSHandleSupport   (WS2_32.@)
 */
DWORD WINAPI WahEnableNonIFSHandleSupport( void )
{
    return WS2_RESULT( (DWORD)ERROR_ACCESS_DENIED, ERROR_ACCESS_DENIED, "an administrator's" );
}

/***********************************************************************
 *      WahDisableNonIFSHandleSupport   (WS2_32.@)
 */
DWORD WINAPI WahDisableNonIFSHandleSupport( void )
{
    return WS2_RESULT( (DWORD)ERROR_ACCESS_DENIED, ERROR_ACCESS_DENIED, "an administrator's" );
}

/* --- changes of the catalogue: it is constant, so a notification never comes ---------------------------------------*/

/* A notification handle is a file, so that a completion port takes it: the listening end of a pipe of the name that it
 * has on Windows, to which nobody connects. */
static int open_notification( HANDLE *handle )
{
    static LONG count;
    WCHAR name[64];
    HANDLE pipe;
    int error;

    _snwprintf( name, ARRAYSIZE( name ), L"\\\\.\\pipe\\Winsock2\\CatalogChangeListener-%lx-%lx", GetCurrentProcessId(),
                InterlockedIncrement( &count ) );
    pipe = CreateNamedPipeW( name, PIPE_ACCESS_INBOUND | FILE_FLAG_OVERLAPPED | FILE_FLAG_FIRST_PIPE_INSTANCE,
                             PIPE_REJECT_REMOTE_CLIENTS, 1, 0, 0, 0, NULL );
    if ( pipe == INVALID_HANDLE_VALUE ) return WSA_NOT_ENOUGH_MEMORY;
    if ( ( error = ws2_write( handle, &pipe, sizeof( pipe ) ) ) ) CloseHandle( pipe );
    return error;
}

/***********************************************************************
 *      WahOpenNotificationHandleHelper   (WS2_32.@)
 */
DWORD WINAPI WahOpenNotificationHandleHelper( HANDLE *helper )
{
    DWORD error = open_notification( helper );

    return WS2_RESULT( error, error, "helper=%p", helper );
}

/***********************************************************************
 *      WahCloseNotificationHandleHelper   (WS2_32.@)
 */
DWORD WINAPI WahCloseNotificationHandleHelper( HANDLE helper )
{
    DWORD error = helper && CloseHandle( helper ) ? 0 : ERROR_INVALID_PARAMETER;

    return WS2_RESULT( error, error, "helper=%p", helper );
}

/***********************************************************************
 *      WahCreateNotificationHandle   (WS2_32.@)
 */
DWORD WINAPI WahCreateNotificationHandle( HANDLE helper, HANDLE *handle )
{
    DWORD error = helper ? open_notification( handle ) : ERROR_INVALID_PARAMETER;

    return WS2_RESULT( error, error, "helper=%p handle=%p", helper, handle );
}

/***********************************************************************
 *      WahNotifyAllProcesses   (WS2_32.@)
 */
DWORD WINAPI WahNotifyAllProcesses( HANDLE helper )
{
    DWORD error = helper ? ERROR_ACCESS_DENIED : ERROR_INVALID_PARAMETER;

    return WS2_RESULT( error, error, "helper=%p", helper );
}

static void CALLBACK wah_call_routine( void *routine, IO_STATUS_BLOCK *iosb, ULONG flags )
{
    ( (LPWSAOVERLAPPED_COMPLETION_ROUTINE)routine )( WSA_OPERATION_ABORTED, 0, (OVERLAPPED *)iosb, flags );
}

/* Without OVERLAPPED the caller means to wait, and waits. It ends with its handle, as nothing else ever does. */
static int wait_notification( HANDLE handle, OVERLAPPED *user, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine )
{
    OVERLAPPED own = { 0 }, *overlapped = user ? user : &own;
    HANDLE event;
    NTSTATUS status;

    if ( user ? ws2_read( &event, &user->hEvent, sizeof( event ) )
              : !( event = CreateEventW( NULL, TRUE, FALSE, NULL ) ) )
        return user ? WSAEFAULT : WSA_NOT_ENOUGH_MEMORY;
    if ( !user ) routine = NULL;
    status = NtFsControlFile( handle, routine ? NULL : (HANDLE)( (ULONG_PTR)event & ~(ULONG_PTR)1 ),
                              routine ? (PIO_APC_ROUTINE)(void *)wah_call_routine : NULL,
                              routine                ? (void *)routine
                              : (ULONG_PTR)event & 1 ? NULL
                                                     : overlapped,
                              (IO_STATUS_BLOCK *)overlapped, FSCTL_PIPE_LISTEN, NULL, 0, NULL, 0 );
    if ( user ) return status == STATUS_PENDING ? WSA_IO_PENDING : WSA_INVALID_HANDLE;
    if ( status == STATUS_PENDING )
        while ( WaitForSingleObjectEx( event, INFINITE, TRUE ) == WAIT_IO_COMPLETION ) continue;
    CloseHandle( event );
    return WSA_INVALID_HANDLE;
}

/***********************************************************************
 *      WahWaitForNotification   (WS2_32.@)
 */
DWORD WINAPI WahWaitForNotification( HANDLE helper, HANDLE handle, OVERLAPPED *overlapped,
                                     LPWSAOVERLAPPED_COMPLETION_ROUTINE routine )
{
    DWORD error = helper && handle ? wait_notification( handle, overlapped, routine ) : ERROR_INVALID_PARAMETER;

    return WS2_RESULT( error, error, "helper=%p handle=%p routine=%p", helper, handle, routine );
}

/***********************************************************************
 *      WSAProviderConfigChange   (WS2_32.@)
 *
 * A NULL handle is filled in; a second call with it waits for the next change.
 */
INT WINAPI WSAProviderConfigChange( LPHANDLE handle, LPWSAOVERLAPPED overlapped,
                                    LPWSAOVERLAPPED_COMPLETION_ROUTINE routine )
{
    int error = ws2_started ? 0 : WSANOTINITIALISED;
    HANDLE event;

    if ( !error ) error = ws2_read( &event, handle, sizeof( event ) );
    if ( !error ) error = event ? wait_notification( event, overlapped, routine ) : open_notification( handle );
    return WS2_RESULT_OF( error, "handle=%p overlapped=%p routine=%p", handle, overlapped, routine );
}

/* --- what only a provider calls ------------------------------------------------------------------------------------*/

/***********************************************************************
 *      WahWriteLSPEvent   (WS2_32.@)
 *
 * A line for the system's log of layered providers.
 */
DWORD WINAPI WahWriteLSPEvent( void *event, void *provider )
{
    DWORD error = event && provider ? ERROR_ACCESS_DENIED : ERROR_INVALID_PARAMETER;

    return WS2_RESULT( error, error, "event=%p provider=%p", event, provider );
}

/***********************************************************************
 *      WPUCompleteOverlappedRequest   (WS2_32.@)
 *
 * For providers without file handles of their own, of which there is none: a socket of ours is completed by us.
 */
int WINAPI WPUCompleteOverlappedRequest( SOCKET s, LPWSAOVERLAPPED overlapped, DWORD status, DWORD bytes,
                                         LPINT error_code )
{
    struct ws2_socket_info_params info = { .handle = s };
    int error = overlapped ? ws2_call( socket_info, &info ) : WSAEFAULT;

    if ( !error ) error = WSAEINVAL;
    ws2_write( error_code, &error, sizeof( error ) );
    return WS2_RESULT_OF( error, "s=%#zx overlapped=%p status=%lu bytes=%lu", s, overlapped, status, bytes );
}

/***********************************************************************
 *      WSAAdvertiseProvider   (WS2_32.@)
 *
 * Only a provider that is in the catalogue of name spaces as one of version 2 may offer itself; there is none.
 */
INT WINAPI WSAAdvertiseProvider( const GUID *provider, const LPCNSPV2_ROUTINE *routines )
{
    int error = !ws2_started ? WSANOTINITIALISED : !provider || !routines ? WSAEINVAL : 0;
    GUID id;

    if ( !error ) error = ws2_read( &id, provider, sizeof( id ) );
    return WS2_RESULT_OF( error ? error : WSAEINVAL, "provider=%p routines=%p", provider, routines );
}

/***********************************************************************
 *      WSAUnadvertiseProvider   (WS2_32.@)
 */
INT WINAPI WSAUnadvertiseProvider( const GUID *provider )
{
    return WS2_RESULT_OF( ws2_started ? WSAEINVAL : WSANOTINITIALISED, "provider=%p", provider );
}

/***********************************************************************
 *      WSAProviderCompleteAsyncCall   (WS2_32.@)
 */
INT WINAPI WSAProviderCompleteAsyncCall( HANDLE call, INT code )
{
    return WS2_RESULT_OF( ws2_started ? WSAEINVAL : WSANOTINITIALISED, "call=%p code=%d", call, code );
}

static BOOL( CALLBACK *post_routine )( HWND, UINT, WPARAM, LPARAM );

/***********************************************************************
 *      WSApSetPostRoutine   (WS2_32.@)
 *
 * What providers shall post messages with. Kept for them; our own messages take user32.
 */
int WINAPI WSApSetPostRoutine( void *routine )
{
    post_routine = routine;
    return WS2_RESULT_OF( 0, "routine=%p", (void *)post_routine );
}

/***********************************************************************
 *      WEP   (WS2_32.500)
 *
 * The exit procedure of 16-bit DLLs, kept for its ordinal.
 */
BOOL WINAPI WEP( void ) { return WS2_RESULT( TRUE, 0, "%s", "" ); }
