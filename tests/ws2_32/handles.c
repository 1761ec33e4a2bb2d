/*
 * A SOCKET is a real handle, and the functions for handles of any kind know it: CloseHandle and DUPLICATE_CLOSE_SOURCE end
 * it, ReadFile and WriteFile move its data, its value serves another object afterwards; and every other kind of handle
 * works as if there were no sockets in the process.
 */
#include "support.h"

static void test_close_handle( void )
{
    SOCKET client, server, s;
    char byte;

    tcp_pair( &client, &server );
    ok( CloseHandle( (HANDLE)client ), "CloseHandle failed, error %lu\n", GetLastError() );
    check_fails( send( client, "x", 1, 0 ), WSAENOTSOCK );
    check_fails( closesocket( client ), WSAENOTSOCK );
    check_eof( server );
    check_ok( closesocket( server ) );
    SetLastError( ERROR_UNTOUCHED );
    ok( !CloseHandle( (HANDLE)server ), "CloseHandle of a closed socket succeeded\n" );
    ok( GetLastError() == ERROR_INVALID_HANDLE, "got error %lu\n", GetLastError() );

    /* datagram, never bound */
    s = socket( AF_INET, SOCK_DGRAM, 0 );
    ok( CloseHandle( (HANDLE)s ), "CloseHandle failed, error %lu\n", GetLastError() );
    check_fails( recv( s, &byte, 1, 0 ), WSAENOTSOCK );
}

/* The value of a closed socket's handle belongs to whatever is made next. */
static void test_value_reuse( void )
{
    unsigned int reused = 0;

    for ( unsigned int i = 0; i < 32; i++ )
    {
        SOCKET s = socket( AF_INET, SOCK_STREAM, 0 ), again;
        HANDLE event;
        DWORD flags;

        ok( CloseHandle( (HANDLE)s ), "CloseHandle failed, error %lu\n", GetLastError() );
        event = CreateEventW( NULL, TRUE, FALSE, NULL );
        if ( (SOCKET)event == s ) reused++;
        check_fails( ioctlsocket( (SOCKET)event, FIONREAD, &( u_long ){ 0 } ), WSAENOTSOCK );
        check_fails( closesocket( (SOCKET)event ), WSAENOTSOCK );
        ok( GetHandleInformation( event, &flags ), "the event is gone, error %lu\n", GetLastError() );
        ok( SetEvent( event ), "SetEvent failed, error %lu\n", GetLastError() );
        ok( WaitForSingleObject( event, 0 ) == WAIT_OBJECT_0, "the event is not set\n" );
        ok( CloseHandle( event ), "CloseHandle failed, error %lu\n", GetLastError() );

        again = socket( AF_INET, SOCK_DGRAM, 0 );
        ok( again != INVALID_SOCKET, "socket failed, error %d\n", WSAGetLastError() );
        check_ok( closesocket( again ) );
    }
    trace( "%u of 32 handle values were used again at once\n", reused );
}

static void test_close_source( void )
{
    SOCKET client, server;
    HANDLE copy;
    char buffer[8];

    tcp_pair( &client, &server );
    ok( DuplicateHandle( GetCurrentProcess(), (HANDLE)client, GetCurrentProcess(), &copy, 0, FALSE,
                         DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE ),
        "DuplicateHandle failed, error %lu\n", GetLastError() );
    if ( copy != (HANDLE)client ) check_fails( closesocket( client ), WSAENOTSOCK );
    /* the connection lives on in the copy */
    check_open( server );
    check_result( send( server, "abc", 3, 0 ), 3 );
    check_result( recv( (SOCKET)copy, buffer, sizeof( buffer ), 0 ), 3 );
    ok( CloseHandle( copy ), "CloseHandle failed, error %lu\n", GetLastError() );
    check_eof( server );
    check_ok( closesocket( server ) );
}

struct closer
{
    SOCKET s;
    DWORD delay;
};

static DWORD CALLBACK close_later( void *argument )
{
    struct closer *closer = argument;

    Sleep( closer->delay );
    ok( CloseHandle( (HANDLE)closer->s ), "CloseHandle failed, error %lu\n", GetLastError() );
    return 0;
}

/* CloseHandle by another thread ends a blocking call as closesocket does. */
static void test_close_while_waiting( void )
{
    struct closer closer = { 0, 100 };
    union address address;
    HANDLE thread;
    DWORD begin;

    closer.s = tcp_listener( AF_INET, &address );
    thread = CreateThread( NULL, 0, close_later, &closer, 0, NULL );
    begin = GetTickCount();
    ok( accept( closer.s, NULL, NULL ) == INVALID_SOCKET, "accept on a closed socket succeeded\n" );
    ok( GetTickCount() - begin < 5000, "accept came back late\n" );
    WaitForSingleObject( thread, INFINITE );
    CloseHandle( thread );
}

static void test_read_write( void )
{
    SOCKET client, server;
    OVERLAPPED overlapped = { 0 };
    char buffer[16];
    DWORD done;

    tcp_pair( &client, &server );
    overlapped.hEvent = CreateEventW( NULL, TRUE, FALSE, NULL );
    done = 0xdead;
    if ( !WriteFile( (HANDLE)client, "hello", 5, &done, &overlapped ) )
        ok( GetLastError() == ERROR_IO_PENDING && GetOverlappedResult( (HANDLE)client, &overlapped, &done, TRUE ),
            "WriteFile failed, error %lu\n", GetLastError() );
    ok( done == 5, "%lu bytes written\n", done );
    ok( wait_readable( server, 5000 ), "nothing arrived\n" );
    ResetEvent( overlapped.hEvent );
    done = 0xdead;
    if ( !ReadFile( (HANDLE)server, buffer, sizeof( buffer ), &done, &overlapped ) )
        ok( GetLastError() == ERROR_IO_PENDING && GetOverlappedResult( (HANDLE)server, &overlapped, &done, TRUE ),
            "ReadFile failed, error %lu\n", GetLastError() );
    ok( done == 5 && !memcmp( buffer, "hello", 5 ), "%lu bytes read\n", done );
    CloseHandle( overlapped.hEvent );
    check_ok( closesocket( client ) );
    check_ok( closesocket( server ) );
}

/* --- what is no socket is left alone ----------------------------------------------------------------------------------*/

static void test_files( void )
{
    char path[MAX_PATH], name[MAX_PATH], buffer[16];
    OVERLAPPED overlapped = { 0 }, *got;
    HANDLE file, port, event;
    ULONG_PTR key;
    DWORD done;

    GetTempPathA( sizeof( path ), path );
    GetTempFileNameA( path, "ws2", 0, name );
    file = CreateFileA( name, GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL );
    ok( file != INVALID_HANDLE_VALUE, "CreateFile failed, error %lu\n", GetLastError() );
    ok( WriteFile( file, "0123456789", 10, &done, NULL ) && done == 10, "WriteFile failed, error %lu\n",
        GetLastError() );
    ok( SetFilePointer( file, 2, NULL, FILE_BEGIN ) == 2, "SetFilePointer failed\n" );
    ok( ReadFile( file, buffer, 3, &done, NULL ) && done == 3 && !memcmp( buffer, "234", 3 ), "read %lu bytes\n",
        done );
    overlapped.Offset = 7;
    ok( ReadFile( file, buffer, 9, &done, &overlapped ) && done == 3 && !memcmp( buffer, "789", 3 ), "read %lu bytes\n",
        done );
    ok( CloseHandle( file ), "CloseHandle failed, error %lu\n", GetLastError() );

    file = CreateFileA( name, GENERIC_READ, 0, NULL, OPEN_EXISTING, FILE_FLAG_OVERLAPPED | FILE_FLAG_DELETE_ON_CLOSE,
                        NULL );
    event = CreateEventW( NULL, TRUE, FALSE, NULL );
    port = CreateIoCompletionPort( file, NULL, 0x1234, 0 );
    ok( port != NULL, "CreateIoCompletionPort failed, error %lu\n", GetLastError() );
    memset( &overlapped, 0, sizeof( overlapped ) );
    overlapped.Offset = 4;
    overlapped.hEvent = event;
    ok( ReadFile( file, buffer, 2, NULL, &overlapped ) || GetLastError() == ERROR_IO_PENDING, "ReadFile error %lu\n",
        GetLastError() );
    ok( GetQueuedCompletionStatus( port, &done, &key, &got, 5000 ), "no packet, error %lu\n", GetLastError() );
    ok( done == 2 && key == 0x1234 && got == &overlapped, "got %lu, %#llx, %p\n", done, (unsigned long long)key,
        (void *)got );
    ok( !memcmp( buffer, "45", 2 ), "wrong data\n" );
    ok( WaitForSingleObject( event, 0 ) == WAIT_OBJECT_0, "the event is not set\n" );
    ok( CloseHandle( file ) && CloseHandle( port ) && CloseHandle( event ), "CloseHandle failed\n" );
    ok( GetFileAttributesA( name ) == INVALID_FILE_ATTRIBUTES, "the file is still there\n" );
}

static void test_pipes( void )
{
    static const char name[] = "\\\\.\\pipe\\ws2host_handles_test";
    OVERLAPPED reading = { 0 }, *got;
    HANDLE server, client, port, in, out;
    ULONG_PTR key;
    char buffer[16];
    DWORD done;

    ok( CreatePipe( &in, &out, NULL, 0 ), "CreatePipe failed, error %lu\n", GetLastError() );
    ok( WriteFile( out, "pipe", 4, &done, NULL ) && done == 4, "WriteFile failed, error %lu\n", GetLastError() );
    ok( ReadFile( in, buffer, sizeof( buffer ), &done, NULL ) && done == 4, "ReadFile failed, error %lu\n",
        GetLastError() );
    ok( CloseHandle( out ), "CloseHandle failed\n" );
    ok( !ReadFile( in, buffer, sizeof( buffer ), &done, NULL ) && GetLastError() == ERROR_BROKEN_PIPE, "error %lu\n",
        GetLastError() );
    ok( CloseHandle( in ), "CloseHandle failed\n" );

    server =
        CreateNamedPipeA( name, PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED, PIPE_TYPE_BYTE, 1, 4096, 4096, 0, NULL );
    ok( server != INVALID_HANDLE_VALUE, "CreateNamedPipe failed, error %lu\n", GetLastError() );
    port = CreateIoCompletionPort( server, NULL, 7, 0 );
    ok( port != NULL, "CreateIoCompletionPort failed, error %lu\n", GetLastError() );
    client = CreateFileA( name, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL );
    ok( client != INVALID_HANDLE_VALUE, "CreateFile failed, error %lu\n", GetLastError() );
    ok( !ReadFile( server, buffer, sizeof( buffer ), NULL, &reading ) && GetLastError() == ERROR_IO_PENDING,
        "ReadFile error %lu\n", GetLastError() );
    ok( WriteFile( client, "named", 5, &done, NULL ) && done == 5, "WriteFile failed, error %lu\n", GetLastError() );
    ok( GetQueuedCompletionStatus( port, &done, &key, &got, 5000 ), "no packet, error %lu\n", GetLastError() );
    ok( done == 5 && key == 7 && got == &reading, "got %lu, %#llx, %p\n", done, (unsigned long long)key, (void *)got );

    /* a cancelled read */
    ok( !ReadFile( server, buffer, sizeof( buffer ), NULL, &reading ) && GetLastError() == ERROR_IO_PENDING,
        "ReadFile error %lu\n", GetLastError() );
    ok( CancelIoEx( server, &reading ), "CancelIoEx failed, error %lu\n", GetLastError() );
    ok( !GetQueuedCompletionStatus( port, &done, &key, &got, 5000 ) && GetLastError() == ERROR_OPERATION_ABORTED,
        "error %lu\n", GetLastError() );
    ok( got == &reading && !done, "got %p, %lu\n", (void *)got, done );
    ok( CloseHandle( client ) && CloseHandle( server ) && CloseHandle( port ), "CloseHandle failed\n" );
}

static void test_other_objects( void )
{
    HANDLE event, mutex, copy, process;

    event = CreateEventW( NULL, FALSE, FALSE, NULL );
    mutex = CreateMutexW( NULL, TRUE, NULL );
    ok( DuplicateHandle( GetCurrentProcess(), event, GetCurrentProcess(), &copy, 0, FALSE,
                         DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE ),
        "DuplicateHandle failed, error %lu\n", GetLastError() );
    ok( SetEvent( copy ) && WaitForSingleObject( copy, 0 ) == WAIT_OBJECT_0, "the copy is no event\n" );
    ok( ReleaseMutex( mutex ), "ReleaseMutex failed, error %lu\n", GetLastError() );
    ok( CloseHandle( copy ) && CloseHandle( mutex ), "CloseHandle failed\n" );
    SetLastError( ERROR_UNTOUCHED );
    ok( !CloseHandle( (HANDLE)0x7ffffffc ) && GetLastError() == ERROR_INVALID_HANDLE, "error %lu\n", GetLastError() );
    ok( !CloseHandle( NULL ), "CloseHandle( NULL ) succeeded\n" );
    process = GetCurrentProcess();
    ok( CloseHandle( process ), "the pseudo handle of the process cannot be closed\n" );
}

/* Threads close, make and use handles of both kinds at once: nobody's handle is ever another's. */
static LONG confusions, rounds;

static DWORD CALLBACK churn( void *argument )
{
    DWORD kind = (DWORD)(UINT_PTR)argument, end = GetTickCount() + 1500;

    while ( (int)( end - GetTickCount() ) > 0 )
    {
        if ( kind & 1 )
        {
            SOCKET s = socket( AF_INET, SOCK_DGRAM, 0 );
            int type = 0, length = sizeof( type );

            if ( getsockopt( s, SOL_SOCKET, SO_TYPE, (char *)&type, &length ) || type != SOCK_DGRAM )
                InterlockedIncrement( &confusions );
            if ( kind & 2 ? !CloseHandle( (HANDLE)s ) : closesocket( s ) ) InterlockedIncrement( &confusions );
        }
        else
        {
            HANDLE event = CreateEventW( NULL, TRUE, TRUE, NULL );

            if ( WaitForSingleObject( event, 0 ) ) InterlockedIncrement( &confusions );
            if ( !CloseHandle( event ) ) InterlockedIncrement( &confusions );
        }
        InterlockedIncrement( &rounds );
    }
    return 0;
}

static void test_churn( void )
{
    HANDLE threads[6];

    for ( unsigned int i = 0; i < ARRAY_SIZE( threads ); i++ )
        threads[i] = CreateThread( NULL, 0, churn, (void *)(UINT_PTR)i, 0, NULL );
    WaitForMultipleObjects( ARRAY_SIZE( threads ), threads, TRUE, INFINITE );
    for ( unsigned int i = 0; i < ARRAY_SIZE( threads ); i++ ) CloseHandle( threads[i] );
    ok( !confusions, "%ld of %ld rounds went wrong\n", confusions, rounds );
}

START_TEST( handles )
{
    if ( support_begin() ) return;
    test_close_handle();
    test_value_reuse();
    test_close_source();
    test_close_while_waiting();
    test_read_write();
    test_files();
    test_pipes();
    test_other_objects();
    test_churn();
    support_end();
}
