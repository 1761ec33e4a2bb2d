/*
 * A small program that starts Winsock and ends in the middle of it.
 *
 *     start_end WAY      ends with 40 + WAY; prints what is wrong
 *
 * Everything is under way by then: bytes between two threads, receives that pend with an event, with a completion routine and at
 * a completion port with two waiters, a registration for events, which a third thread sets off all the time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <winsock2.h>

#define check( condition ) \
    do \
        if ( !( condition ) ) wrong( __LINE__, #condition ); \
    while ( 0 )

/* Not by stdio, which is closed before the last threads are ended. */
static void wrong( int line, const char *condition )
{
    const DWORD error = GetLastError();
    char text[256];
    DWORD written;

    snprintf( text, sizeof( text ), "line %d: %s, error %lu\n", line, condition, error );
    WriteFile( GetStdHandle( STD_OUTPUT_HANDLE ), text, strlen( text ), &written, NULL );
    TerminateProcess( GetCurrentProcess(), 1 );
}

enum way
{
    RETURN,           /* main returns with everything under way */
    EXIT_ELSEWHERE,   /* another thread calls ExitProcess */
    CLEANUP,          /* WSACleanup, and main returns */
    CLEANUP_AND_EXIT, /* WSACleanup in one thread while another calls ExitProcess */
    FREE,             /* FreeLibrary of ws2_32 once more than it was loaded here, then as RETURN */
    CLEANUP_AND_FREE, /* WSACleanup, FreeLibrary */
    TERMINATE,        /* TerminateProcess of itself */
    STARTED_ONLY,     /* WSAStartup alone */
    AGAIN,            /* WSACleanup and WSAStartup ten times with something pending each time */
    FIRST_REQUEST,    /* main returns when it has one receive that pends, and has made no thread */
    NEW_THREAD, /* the same, and ExitProcess is called by whatever thread comes to be then, before it does anything else */
};

static volatile LONG new_threads_exit;

static void NTAPI thread_comes( void *module, DWORD reason, void *reserved )
{
    (void)module;
    (void)reserved;
    if ( reason == DLL_THREAD_ATTACH && new_threads_exit ) ExitProcess( 40 + NEW_THREAD );
}

__attribute__( ( section( ".CRT$XLF" ), used ) ) static const PIMAGE_TLS_CALLBACK callback = thread_comes;

static volatile LONG rounds, begun;
static SOCKET pairs[4][2];

static void pair( SOCKET pair[2] )
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = 0x0100007f };
    SOCKET listener = WSASocketW( AF_INET, SOCK_STREAM, 0, NULL, 0, WSA_FLAG_OVERLAPPED );
    int length = sizeof( address );

    check( !bind( listener, (struct sockaddr *)&address, sizeof( address ) ) );
    check( !getsockname( listener, (struct sockaddr *)&address, &length ) );
    check( !listen( listener, 1 ) );
    pair[0] = WSASocketW( AF_INET, SOCK_STREAM, 0, NULL, 0, WSA_FLAG_OVERLAPPED );
    check( !connect( pair[0], (struct sockaddr *)&address, sizeof( address ) ) );
    check( ( pair[1] = accept( listener, NULL, NULL ) ) != INVALID_SOCKET );
    check( !closesocket( listener ) );
}

static DWORD WINAPI sends( void *unused )
{
    (void)unused;
    InterlockedIncrement( &begun );
    for ( unsigned int i = 0; send( pairs[i % 4][0], "x", 1, 0 ) == 1; i++ ) continue;
    Sleep( INFINITE );
    return 0;
}

static DWORD WINAPI receives( void *unused )
{
    char byte;

    (void)unused;
    InterlockedIncrement( &begun );
    while ( recv( pairs[0][1], &byte, 1, 0 ) == 1 ) InterlockedIncrement( &rounds );
    Sleep( INFINITE );
    return 0;
}

struct request
{
    OVERLAPPED overlapped;
    SOCKET s;
    char bytes[8];
};

static void begin( struct request *request, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine )
{
    WSABUF buffer = { sizeof( request->bytes ), request->bytes };
    DWORD flags = 0;

    WSARecv( request->s, &buffer, 1, NULL, &flags, &request->overlapped, routine );
}

static DWORD WINAPI waits_at_port( void *port )
{
    ULONG_PTR key;
    OVERLAPPED *overlapped;
    DWORD size;

    InterlockedIncrement( &begun );
    while ( GetQueuedCompletionStatus( port, &size, &key, &overlapped, INFINITE ) && size )
        begin( CONTAINING_RECORD( overlapped, struct request, overlapped ), NULL );
    Sleep( INFINITE );
    return 0;
}

static struct request by_routine;

static void CALLBACK routine( DWORD error, DWORD size, OVERLAPPED *overlapped, DWORD flags )
{
    (void)overlapped, (void)flags;
    if ( !error && size ) begin( &by_routine, routine );
}

static DWORD WINAPI waits_alertably( void *unused )
{
    (void)unused;
    InterlockedIncrement( &begun );
    by_routine.s = pairs[2][1];
    begin( &by_routine, routine );
    for ( ;; ) SleepEx( INFINITE, TRUE );
    return 0;
}

static void begin_all( void )
{
    static struct request at_port;
    HANDLE port = CreateIoCompletionPort( INVALID_HANDLE_VALUE, NULL, 0, 0 );

    for ( unsigned int i = 0; i < 4; i++ ) pair( pairs[i] );
    at_port.s = pairs[1][1];
    check( CreateIoCompletionPort( (HANDLE)at_port.s, port, 1, 0 ) == port );
    begin( &at_port, NULL );
    for ( unsigned int i = 0; i < 2; i++ ) CreateThread( NULL, 0, waits_at_port, port, 0, NULL );
    CreateThread( NULL, 0, waits_alertably, NULL, 0, NULL );
    check( !WSAEventSelect( pairs[3][1], CreateEventW( NULL, FALSE, FALSE, NULL ), FD_READ | FD_WRITE | FD_CLOSE ) );
    CreateThread( NULL, 0, receives, NULL, 0, NULL );
    CreateThread( NULL, 0, sends, NULL, 0, NULL );
    /* that a process ends while a thread of its own comes to be, the loader does not bear on any ws2_32 */
    while ( rounds < 20 || begun < 5 ) SwitchToThread();
}

static DWORD WINAPI exits( void *code )
{
    ExitProcess( (UINT)(UINT_PTR)code );
    return 0;
}

int main( int argc, char **argv )
{
    const int way = argc > 1 ? atoi( argv[1] ) : 0;
    WSADATA data;

    check( !WSAStartup( MAKEWORD( 2, 2 ), &data ) );
    if ( way == STARTED_ONLY ) return 40 + way;
    for ( int i = 0; way == AGAIN && i < 10; i++ )
    {
        struct request pending = { .s = INVALID_SOCKET };

        pair( pairs[0] );
        pending.s = pairs[0][1];
        pending.overlapped.hEvent = CreateEventW( NULL, TRUE, FALSE, NULL );
        begin( &pending, NULL );
        check( !WSACleanup() );
        check( !WaitForSingleObject( pending.overlapped.hEvent, 20000 ) );
        check( !WSAStartup( MAKEWORD( 2, 2 ), &data ) );
    }
    if ( way == FIRST_REQUEST || way == NEW_THREAD )
    {
        static struct request first;

        pair( pairs[0] );
        first.s = pairs[0][1];
        first.overlapped.hEvent = CreateEventW( NULL, TRUE, FALSE, NULL );
        new_threads_exit = way == NEW_THREAD;
        begin( &first, NULL );
        if ( way == NEW_THREAD )
            Sleep( 100 ), CreateThread( NULL, 0, exits, (void *)( 40 + NEW_THREAD ), 0, NULL ), Sleep( INFINITE );
        return 40 + way;
    }
    begin_all();
    if ( way == EXIT_ELSEWHERE || way == CLEANUP_AND_EXIT )
        CreateThread( NULL, 0, exits, (void *)(UINT_PTR)( 40 + way ), 0, NULL );
    if ( way == CLEANUP || way == CLEANUP_AND_EXIT || way == CLEANUP_AND_FREE ) check( !WSACleanup() );
    if ( way == FREE || way == CLEANUP_AND_FREE )
    {
        LoadLibraryA( "ws2_32.dll" );
        check( FreeLibrary( GetModuleHandleA( "ws2_32.dll" ) ) );
        FreeLibrary( GetModuleHandleA( "ws2_32.dll" ) );
    }
    if ( way == TERMINATE ) TerminateProcess( GetCurrentProcess(), 40 + way );
    if ( way == EXIT_ELSEWHERE || way == CLEANUP_AND_EXIT ) Sleep( INFINITE );
    return 40 + way;
}
