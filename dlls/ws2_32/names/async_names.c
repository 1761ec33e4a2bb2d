/*
 * Winsock 1's asynchronous look-ups: WSAAsyncGet*, which end in a message to a window. Each request has a worker
 * thread; the list of those under way is what WSACancelAsyncRequest looks at. Whoever takes a request out of the
 * list decides: a worker then writes the program's buffer and posts, a canceller leaves the worker nothing to do but
 * free it.
 */
#include "base/ws2_32_private.h"
#include "names/records.h"
#include "base/strings.h"
#include "base/worker.h"

enum question
{
    HOST_BY_NAME,
    HOST_BY_ADDRESS,
    SERVICE_BY_NAME,
    SERVICE_BY_PORT,
    PROTOCOL_BY_NAME,
    PROTOCOL_BY_NUMBER
};

struct request
{
    enum question question;
    HWND window;
    UINT message;
    void *buffer;
    int size;
    char *name, *protocol; /* copies */
    int number;            /* port, protocol number or address family */
    int length;
    BYTE address[16];
    int argument_error; /* told by the message, like every other one */
    /* under async_lock */
    UINT_PTR id;
    struct request *next;
};

static SRWLOCK async_lock = SRWLOCK_INIT;
static struct request *async_pending;
static UINT_PTR last_id;

/* user32 only when a window is to be told something: a service may well run without. */
static void async_post( HWND window, UINT message, WPARAM wparam, LPARAM lparam )
{
    static BOOL( WINAPI * post_message )( HWND, UINT, WPARAM, LPARAM );
    HMODULE user32;

    if ( !post_message && ( user32 = LoadLibraryW( L"user32.dll" ) ) )
        post_message = (void *)GetProcAddress( user32, "PostMessageW" );
    if ( post_message ) post_message( window, message, wparam, lparam );
}

static void async_free( struct request *request )
{
    free( request->name );
    free( request->protocol );
    free( request );
}

/* TRUE for the one who gets it: from then on nobody else looks at it. */
static BOOL async_take( struct request *request )
{
    BOOL taken = FALSE;

    lock_exclusive( &async_lock );
    for ( struct request **link = &async_pending; *link; link = &( *link )->next )
        if ( *link == request )
        {
            *link = request->next;
            taken = TRUE;
            break;
        }
    ReleaseSRWLockExclusive( &async_lock );
    return taken;
}

/* The record as it will lie in the program's buffer; its size, 0 with an error. */
static size_t async_find( struct request *request, char **block, int *error )
{
    struct resolver_answer answer = { 0 };
    UINT_PTR base = (UINT_PTR)request->buffer;
    struct netdb_entry entry;
    size_t size = 0;

    if ( ( *error = request->argument_error ) ) return 0;
    switch ( request->question )
    {
    case HOST_BY_NAME:
    case HOST_BY_ADDRESS:
        if ( request->question == HOST_BY_NAME ) request->number = AF_INET;
        *error = request->question == HOST_BY_NAME
                     ? record_find_host( request->name, &answer )
                     : record_find_host_by_address( request->address, request->length, request->number, &answer );
        if ( *error ) return 0;
        size = record_host( &answer, request->number, NULL, 0, base );
        if ( ( *block = malloc( size ) ) ) record_host( &answer, request->number, *block, size, base );
        resolver_free( &answer );
        break;
    case SERVICE_BY_NAME:
    case SERVICE_BY_PORT:
        if ( ( *error = record_find_service( request->name, request->number, request->protocol, &entry ) ) ) return 0;
        size = record_service( &entry, NULL, 0, base );
        if ( ( *block = malloc( size ) ) ) record_service( &entry, *block, size, base );
        break;
    case PROTOCOL_BY_NAME:
    case PROTOCOL_BY_NUMBER:
        if ( ( *error = record_find_protocol( request->name, request->number, &entry ) ) ) return 0;
        size = record_protocol( &entry, NULL, 0, base );
        if ( ( *block = malloc( size ) ) ) record_protocol( &entry, *block, size, base );
        break;
    }
    if ( !*block ) *error = WSA_NOT_ENOUGH_MEMORY;
    return size;
}

static void async_run( void *argument )
{
    struct request *request = argument;
    char *block = NULL;
    int error;
    size_t size = async_find( request, &block, &error );

    if ( async_take( request ) )
    {
        if ( !error && ( !request->buffer || request->size < 0 || (size_t)request->size < size ) ) error = WSAENOBUFS;
        if ( !error ) error = ws2_write( request->buffer, block, size );
        if ( request->window ) async_post( request->window, request->message, request->id, MAKELPARAM( size, error ) );
    }
    free( block );
    async_free( request );
}

/* Takes the request; its handle, or NULL and an error. */
static HANDLE async_start( struct request *request, int *error )
{
    HANDLE handle;

    lock_exclusive( &async_lock );
    request->id = ++last_id;
    request->next = async_pending;
    async_pending = request;
    ReleaseSRWLockExclusive( &async_lock );
    handle = (HANDLE)request->id;
    *error = 0;
    if ( worker_start( async_run, request ) ) return handle;
    async_take( request );
    async_free( request );
    *error = WSAEWOULDBLOCK;
    return NULL;
}

static struct request *async_create( enum question question, HWND window, UINT message, const char *name,
                                     const char *protocol, void *buffer, int size, int *error )
{
    struct request *request = ws2_started ? calloc( 1, sizeof( *request ) ) : NULL;

    *error = !ws2_started ? WSANOTINITIALISED : WSAENOBUFS;
    if ( !request ) return NULL;
    request->question = question;
    request->window = window;
    request->message = message;
    request->buffer = buffer;
    request->size = size;
    request->argument_error = string_read( name, &request->name );
    if ( !request->argument_error ) request->argument_error = string_read( protocol, &request->protocol );
    return request;
}

/***********************************************************************
 *      WSAAsyncGetHostByName   (WS2_32.103)
 */
HANDLE WINAPI WSAAsyncGetHostByName( HWND window, UINT message, const char *name, char *buffer, int size )
{
    HANDLE handle = NULL;
    int error;
    struct request *request = async_create( HOST_BY_NAME, window, message, name, NULL, buffer, size, &error );

    if ( request ) handle = async_start( request, &error );
    return WS2_RESULT( handle, error, "window=%p message=%#x name=%p", window, message, name );
}

/***********************************************************************
 *      WSAAsyncGetHostByAddr   (WS2_32.102)
 */
HANDLE WINAPI WSAAsyncGetHostByAddr( HWND window, UINT message, const char *address, int length, int family,
                                     char *buffer, int size )
{
    HANDLE handle = NULL;
    int error;
    struct request *request = async_create( HOST_BY_ADDRESS, window, message, NULL, NULL, buffer, size, &error );

    if ( request )
    {
        request->length = length;
        request->number = family;
        if ( length > 0 && !request->argument_error )
            request->argument_error =
                ws2_read( request->address, address, min( (size_t)length, sizeof( request->address ) ) );
        handle = async_start( request, &error );
    }
    return WS2_RESULT( handle, error, "window=%p message=%#x address=%p", window, message, address );
}

/***********************************************************************
 *      WSAAsyncGetServByName   (WS2_32.107)
 */
HANDLE WINAPI WSAAsyncGetServByName( HWND window, UINT message, const char *name, const char *protocol, char *buffer,
                                     int size )
{
    HANDLE handle = NULL;
    int error;
    struct request *request = async_create( SERVICE_BY_NAME, window, message, name, protocol, buffer, size, &error );

    if ( request )
    {
        if ( !name ) request->argument_error = WSAEFAULT;
        handle = async_start( request, &error );
    }
    return WS2_RESULT( handle, error, "window=%p message=%#x name=%p", window, message, name );
}

/***********************************************************************
 *      WSAAsyncGetServByPort   (WS2_32.106)
 */
HANDLE WINAPI WSAAsyncGetServByPort( HWND window, UINT message, int port, const char *protocol, char *buffer, int size )
{
    HANDLE handle = NULL;
    int error;
    struct request *request = async_create( SERVICE_BY_PORT, window, message, NULL, protocol, buffer, size, &error );

    if ( request )
    {
        request->number = port;
        handle = async_start( request, &error );
    }
    return WS2_RESULT( handle, error, "window=%p message=%#x port=%d", window, message, ntohs( port ) );
}

/***********************************************************************
 *      WSAAsyncGetProtoByName   (WS2_32.105)
 */
HANDLE WINAPI WSAAsyncGetProtoByName( HWND window, UINT message, const char *name, char *buffer, int size )
{
    HANDLE handle = NULL;
    int error;
    struct request *request = async_create( PROTOCOL_BY_NAME, window, message, name, NULL, buffer, size, &error );

    if ( request )
    {
        if ( !name ) request->argument_error = WSAEFAULT;
        handle = async_start( request, &error );
    }
    return WS2_RESULT( handle, error, "window=%p message=%#x name=%p", window, message, name );
}

/***********************************************************************
 *      WSAAsyncGetProtoByNumber   (WS2_32.104)
 */
HANDLE WINAPI WSAAsyncGetProtoByNumber( HWND window, UINT message, int number, char *buffer, int size )
{
    HANDLE handle = NULL;
    int error;
    struct request *request = async_create( PROTOCOL_BY_NUMBER, window, message, NULL, NULL, buffer, size, &error );

    if ( request )
    {
        request->number = number;
        handle = async_start( request, &error );
    }
    return WS2_RESULT( handle, error, "window=%p message=%#x number=%d", window, message, number );
}

/***********************************************************************
 *      WSACancelAsyncRequest   (WS2_32.108)
 */
int WINAPI WSACancelAsyncRequest( HANDLE handle )
{
    UINT_PTR id = (UINT_PTR)handle;
    int error;

    lock_exclusive( &async_lock );
    error = id && id <= last_id ? WSAEALREADY : WSAEINVAL;
    for ( struct request **link = &async_pending; *link; link = &( *link )->next )
        if ( ( *link )->id == id )
        {
            *link = ( *link )->next;
            error = 0;
            break;
        }
    ReleaseSRWLockExclusive( &async_lock );
    if ( !ws2_started ) error = WSANOTINITIALISED;
    return WS2_RESULT_OF( error, "handle=%p", handle );
}
