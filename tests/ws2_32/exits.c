/*
 * Processes that end while their other threads are anywhere in Winsock, ports and handles: they are ended there, with whatever
 * they hold, and the process still comes to its end, with the exit status that it was given.
 */
#include "puppets.h"

#define THREADS 4
#define CHILDREN 20
#define STATUS 42

static LONG rounds[THREADS];

/* Sockets and ports that come and go, with packets on their way. */
static DWORD WINAPI __attribute__( ( noreturn ) ) keep_busy( void *number )
{
    LONG *count = &rounds[(UINT_PTR)number];
    WSABUF buffer = { 1, "x" };
    DWORD size;

    for ( ;; )
    {
        SOCKET s = socket( AF_INET, SOCK_DGRAM, 0 );
        HANDLE port = CreateIoCompletionPort( (HANDLE)s, NULL, 1, 0 ), event = CreateEventA( NULL, TRUE, FALSE, NULL );
        OVERLAPPED ov = { 0 }, *got;
        union address address;
        const int length = address_loopback( &address, AF_INET, 9 );
        ULONG_PTR key;

        WSASendTo( s, &buffer, 1, NULL, 0, &address.any, length, &ov, NULL );
        GetQueuedCompletionStatus( port, &size, &key, &got, 1000 );
        WSAEventSelect( s, event, FD_READ );
        CloseHandle( port );
        closesocket( s );
        CloseHandle( event );
        InterlockedIncrement( count );
    }
}

static void be_child( void )
{
    for ( UINT_PTR i = 0; i < THREADS; i++ ) CloseHandle( CreateThread( NULL, 0, keep_busy, (void *)i, 0, NULL ) );
    for ( UINT_PTR i = 0; i < THREADS; i++ )
        while ( rounds[i] < 3 ) Sleep( 1 );
    ExitProcess( STATUS );
}

static void test_ends_while_threads_are_busy( void )
{
    HANDLE children[CHILDREN];

    for ( unsigned int i = 0; i < CHILDREN; i++ ) children[i] = run_child( "busy", NULL, NULL, 0, NULL );
    for ( unsigned int i = 0; i < CHILDREN; i++ )
    {
        DWORD status = 0;

        ok( !WaitForSingleObject( children[i], 60000 ), "child %u does not end\n", i );
        TerminateProcess( children[i], 1 );
        WaitForSingleObject( children[i], 10000 );
        ok( GetExitCodeProcess( children[i], &status ) && status == STATUS, "its status is %lu\n", status );
        CloseHandle( children[i] );
    }
}

START_TEST( exits )
{
    if ( support_begin() ) be_child();
    test_ends_while_threads_are_busy();
    support_end();
}
