/*
 * Files of other kinds beside sockets: a disk file, both ends of a named pipe, a mailslot and the console, each on the
 * completion port that sockets are on. Their reads and writes end, are cancelled, skip their packets and are closed as if no
 * socket were there, and no packet is another's.
 */
#include "support.h"

#define KEY_SOCKET 1
#define KEY_FILE 2

static SOCKET client, server;
static HANDLE port;

static void check_packet_( int line, ULONG_PTR key, OVERLAPPED *ov, BOOL result, DWORD size )
{
    OVERLAPPED *got = NULL;
    ULONG_PTR got_key = 0;
    DWORD got_size = 0xdead;
    BOOL done = GetQueuedCompletionStatus( port, &got_size, &got_key, &got, 5000 );

    ok_( __FILE__, line )( done == result, "returned %d, error %lu\n", done, GetLastError() );
    if ( !done ) ok_( __FILE__, line )( GetLastError() == ERROR_OPERATION_ABORTED, "error %lu\n", GetLastError() );
    ok_( __FILE__, line )( got == ov && got_key == key && got_size == size, "key %lu, OVERLAPPED %p, size %lu\n",
                           (DWORD)got_key, (void *)got, got_size );
}
#define check_packet( key, ov, result, size ) check_packet_( __LINE__, key, ov, result, size )

static void check_no_packet_( int line )
{
    OVERLAPPED *got = NULL;
    ULONG_PTR key = 0;
    DWORD size;

    ok_( __FILE__, line )( !GetQueuedCompletionStatus( port, &size, &key, &got, 30 ) && !got, "a packet with key %lu\n",
                           (DWORD)key );
}
#define check_no_packet() check_no_packet_( __LINE__ )

static void receive( OVERLAPPED *ov, char *data )
{
    WSABUF buffer = { 4, data };
    DWORD flags = 0;

    memset( ov, 0, sizeof( *ov ) );
    check_error( WSARecv( server, &buffer, 1, NULL, &flags, ov, NULL ), SOCKET_ERROR, WSA_IO_PENDING );
}

static void join( HANDLE file )
{
    ok( CreateIoCompletionPort( file, port, KEY_FILE, 0 ) == port, "no association, error %lu\n", GetLastError() );
    check_error( CreateIoCompletionPort( file, port, KEY_FILE, 0 ), 0, ERROR_INVALID_PARAMETER );
}

/* Data that is there, or comes later, through a file that waits for it; the socket's receive waits all the while. */
static void check_reads( HANDLE file, HANDLE writer )
{
    OVERLAPPED of_socket, ov = { 0 };
    char data[8], received[8];
    DWORD size;

    receive( &of_socket, received );
    check_error( ReadFile( file, data, sizeof( data ), NULL, &ov ), FALSE, ERROR_IO_PENDING );
    check_no_packet();
    ok( WriteFile( writer, "later", 5, &size, NULL ) && size == 5, "WriteFile failed, error %lu\n", GetLastError() );
    check_packet( KEY_FILE, &ov, TRUE, 5 );
    ok( !memcmp( data, "later", 5 ), "got %.5s\n", data );

    check_error( ReadFile( file, data, sizeof( data ), NULL, &ov ), FALSE, ERROR_IO_PENDING );
    check_result( CancelIoEx( file, &ov ), TRUE );
    check_packet( KEY_FILE, &ov, FALSE, 0 );
    check_error( CancelIoEx( file, &ov ), FALSE, ERROR_NOT_FOUND );
    check_error( ReadFile( file, data, sizeof( data ), NULL, &ov ), FALSE, ERROR_IO_PENDING );
    check_result( CancelIo( file ), TRUE );
    check_packet( KEY_FILE, &ov, FALSE, 0 );

    check_result( send( client, "data", 4, 0 ), 4 );
    check_packet( KEY_SOCKET, &of_socket, TRUE, 4 );
    check_no_packet();
}

static void test_disk( void )
{
    char directory[MAX_PATH], name[MAX_PATH], data[8] = "";
    OVERLAPPED ov = { 0 }, of_socket;
    HANDLE file, mapping;
    void *view;

    GetTempPathA( sizeof( directory ), directory );
    GetTempFileNameA( directory, "for", 0, name );
    file = CreateFileA( name, GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_ALWAYS,
                        FILE_FLAG_DELETE_ON_CLOSE | FILE_FLAG_OVERLAPPED, NULL );
    ok( file != INVALID_HANDLE_VALUE, "no file, error %lu\n", GetLastError() );
    join( file );
    receive( &of_socket, data );
    for ( DWORD offset = 0; offset < 12; offset += 4 )
    {
        ov.Offset = offset;
        ok( WriteFile( file, "disk", 4, NULL, &ov ) || GetLastError() == ERROR_IO_PENDING, "error %lu\n",
            GetLastError() );
        check_packet( KEY_FILE, &ov, TRUE, 4 );
    }
    ov.Offset = 6;
    ok( ReadFile( file, data, 4, NULL, &ov ) || GetLastError() == ERROR_IO_PENDING, "error %lu\n", GetLastError() );
    check_packet( KEY_FILE, &ov, TRUE, 4 );
    ok( !memcmp( data, "skdi", 4 ), "got %.4s\n", data );
    mapping = CreateFileMappingA( file, NULL, PAGE_READONLY, 0, 0, NULL );
    view = MapViewOfFile( mapping, FILE_MAP_READ, 0, 0, 0 );
    ok( view && !memcmp( view, "diskdisk", 8 ), "another view\n" );
    UnmapViewOfFile( view );
    ok( CloseHandle( mapping ), "CloseHandle failed\n" );
    ok( GetFileSize( file, NULL ) == 12, "size %lu\n", GetFileSize( file, NULL ) );
    ok( CloseHandle( file ), "CloseHandle failed\n" );
    check_result( CancelIoEx( (HANDLE)server, &of_socket ), TRUE );
    check_packet( KEY_SOCKET, &of_socket, FALSE, 0 );
}

static void test_pipe( void )
{
    static const char name[] = "\\\\.\\pipe\\ws2host_foreign_test";
    HANDLE first, second;
    OVERLAPPED ov = { 0 };
    char data[8];

    first = CreateNamedPipeA( name, PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED, PIPE_TYPE_BYTE, 1, 4096, 4096, 0, NULL );
    join( first );
    check_error( ConnectNamedPipe( first, &ov ), FALSE, ERROR_IO_PENDING );
    check_no_packet();
    second = CreateFileA( name, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL );
    ok( second != INVALID_HANDLE_VALUE, "error %lu\n", GetLastError() );
    check_packet( KEY_FILE, &ov, TRUE, 0 );
    check_reads( first, second );
    /* closed while a read waits */
    check_error( ReadFile( first, data, sizeof( data ), NULL, &ov ), FALSE, ERROR_IO_PENDING );
    ok( CloseHandle( second ), "CloseHandle failed\n" );
    {
        OVERLAPPED *got = NULL;
        ULONG_PTR key = 0;
        DWORD size;

        ok( !GetQueuedCompletionStatus( port, &size, &key, &got, 5000 ) && GetLastError() == ERROR_BROKEN_PIPE,
            "error %lu\n", GetLastError() );
        ok( got == &ov && key == KEY_FILE, "another packet\n" );
    }
    ok( CloseHandle( first ), "CloseHandle failed\n" );
}

static void test_mailslot( void )
{
    static const char name[] = "\\\\.\\mailslot\\ws2host_foreign_test";
    HANDLE slot = CreateMailslotA( name, 0, 100, NULL ), writer;
    DWORD size;
    char data[8];

    ok( slot != INVALID_HANDLE_VALUE, "no mailslot, error %lu\n", GetLastError() );
    writer = CreateFileA( name, GENERIC_WRITE, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL );
    ok( writer != INVALID_HANDLE_VALUE, "error %lu\n", GetLastError() );
    /* its read ends by its own time limit */
    ok( !ReadFile( slot, data, sizeof( data ), &size, NULL ) && GetLastError() == ERROR_SEM_TIMEOUT, "error %lu\n",
        GetLastError() );
    ok( WriteFile( writer, "mail", 4, &size, NULL ) && size == 4, "error %lu\n", GetLastError() );
    ok( WriteFile( writer, "second", 6, &size, NULL ) && size == 6, "error %lu\n", GetLastError() );
    ok( ReadFile( slot, data, sizeof( data ), &size, NULL ) && size == 4 && !memcmp( data, "mail", 4 ), "error %lu\n",
        GetLastError() );
    ok( ReadFile( slot, data, sizeof( data ), &size, NULL ) && size == 6, "error %lu\n", GetLastError() );
    ok( CloseHandle( writer ) && CloseHandle( slot ), "CloseHandle failed\n" );
}

/* In a child on a console that shows nothing; its exit code is the step that failed. */
static void console_child( void )
{
    CONSOLE_SCREEN_BUFFER_INFO info;
    DWORD size, mode;
    HANDLE in, out, copy;
    WSADATA data;

    if ( WSAStartup( MAKEWORD( 2, 2 ), &data ) ) ExitProcess( 1 );
    out = CreateFileA( "CONOUT$", GENERIC_READ | GENERIC_WRITE, FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL );
    if ( out == INVALID_HANDLE_VALUE ) ExitProcess( 3 );
    if ( !GetConsoleMode( out, &mode ) ) ExitProcess( 4 );
    if ( !GetConsoleScreenBufferInfo( out, &info ) ) ExitProcess( 5 );
    if ( !WriteFile( out, "\r", 1, &size, NULL ) || size != 1 ) ExitProcess( 6 );
    if ( !WriteConsoleA( out, "\r", 1, &size, NULL ) || size != 1 ) ExitProcess( 7 );
    if ( !DuplicateHandle( GetCurrentProcess(), out, GetCurrentProcess(), &copy, 0, FALSE,
                           DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE ) )
        ExitProcess( 8 );
    if ( !GetConsoleMode( copy, &mode ) || !CloseHandle( copy ) ) ExitProcess( 9 );
    in = CreateFileA( "CONIN$", GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL );
    if ( in == INVALID_HANDLE_VALUE || !GetNumberOfConsoleInputEvents( in, &size ) ) ExitProcess( 10 );
    if ( WaitForSingleObject( in, 0 ) == WAIT_FAILED || !CloseHandle( in ) ) ExitProcess( 11 );
    ExitProcess( 0 );
}

static void test_console( void )
{
    HRESULT( WINAPI * create )( COORD, HANDLE, HANDLE, DWORD, void ** );
    void( WINAPI * close )( void * );
    STARTUPINFOEXA startup = { .StartupInfo.cb = sizeof( startup ) };
    PROCESS_INFORMATION process = { 0 };
    HANDLE in[2], out[2];
    const COORD size = { 80, 25 };
    char list[256], command[1024], **argv;
    SIZE_T list_size = sizeof( list );
    void *console = NULL;
    DWORD code = 99;

    create = (void *)GetProcAddress( GetModuleHandleA( "kernel32.dll" ), "CreatePseudoConsole" );
    close = (void *)GetProcAddress( GetModuleHandleA( "kernel32.dll" ), "ClosePseudoConsole" );
    ok( create && close, "no pseudo consoles\n" );
    if ( !create || !close ) return;
    CreatePipe( &in[0], &in[1], NULL, 0 );
    CreatePipe( &out[0], &out[1], NULL, 0 );
    ok( !create( size, in[0], out[1], 0, &console ), "no console, error %lu\n", GetLastError() );
    startup.lpAttributeList = (void *)list;
    InitializeProcThreadAttributeList( startup.lpAttributeList, 1, 0, &list_size );
    ok( UpdateProcThreadAttribute( startup.lpAttributeList, 0, 0x20016 /* PROC_THREAD_ATTRIBUTE_PSEUDOCONSOLE */,
                                   console, sizeof( console ), NULL, NULL ),
        "no attribute, error %lu\n", GetLastError() );
    winetest_get_mainargs( &argv );
    snprintf( command, sizeof( command ), "\"%s\" %s console", argv[0], argv[1] );
    ok( CreateProcessA( NULL, command, NULL, NULL, FALSE, EXTENDED_STARTUPINFO_PRESENT, NULL, NULL,
                        &startup.StartupInfo, &process ),
        "CreateProcess failed, error %lu\n", GetLastError() );
    ok( !WaitForSingleObject( process.hProcess, 20000 ), "the child did not end\n" );
    GetExitCodeProcess( process.hProcess, &code );
    ok( !code, "step %lu failed\n", code );
    CloseHandle( process.hThread );
    CloseHandle( process.hProcess );
    close( console );
    for ( unsigned int i = 0; i < 2; i++ ) CloseHandle( in[i] ), CloseHandle( out[i] );
}

START_TEST( foreign )
{
    char **argv;

    if ( winetest_get_mainargs( &argv ) == 3 && !strcmp( argv[2], "console" ) ) console_child();
    if ( support_begin() ) return;
    tcp_pair( &client, &server );
    port = CreateIoCompletionPort( (HANDLE)server, NULL, KEY_SOCKET, 0 );
    test_disk();
    test_pipe();
    test_mailslot();
    test_console();
    closesocket( client );
    closesocket( server );
    CloseHandle( port );
    support_end();
}
