/*
 * The whole life of a SOCKET as a handle: what the system says of it while it lives and once it is closed, that two are two,
 * that another process takes it out of its owner by DuplicateHandle, and that children get all that is inherited, when there are
 * hundreds and also when the parent is killed.
 *
 *     handle_pool hold COUNT        makes so many sockets and connections, prints "held", waits for its input's end
 *     handle_pool many              a number a line: makes so many sockets, or, below 0, closes so many; prints how many there are
 *     handle_pool owner             a socket whose handle others may take: prints "PID HANDLE", then what its peer receives
 *     handle_pool program PATH      starts that program, which copies five bytes, with a socket as input and output
 */
#include <stdlib.h>
#include "puppets.h"

#define MANY 300
#ifndef ERROR_NOT_SAME_OBJECT /* some headers have it */
#define ERROR_NOT_SAME_OBJECT 1656
#endif

static BOOL( WINAPI *compare )( HANDLE first, HANDLE second ); /* not before Windows 10 */

static BOOL has_flags( HANDLE handle, DWORD expected )
{
    DWORD flags = 0xdead;

    return GetHandleInformation( handle, &flags ) && flags == expected;
}

#define check_no_handle( call ) \
    do { \
        SetLastError( ERROR_UNTOUCHED ); \
        ok( !( call ), "%s succeeded\n", #call ); \
        ok( GetLastError() == ERROR_INVALID_HANDLE, "%s: error %lu\n", #call, GetLastError() ); \
    } while ( 0 )

/* What is closed is no handle to any function, as long as nothing else is made. */
static void check_closed( HANDLE handle )
{
    OVERLAPPED overlapped = { 0 };
    char byte = 0;
    HANDLE copy;
    DWORD count;

    SetLastError( ERROR_UNTOUCHED );
    ok( GetFileType( handle ) == FILE_TYPE_UNKNOWN, "got type %lu\n", GetFileType( handle ) );
    ok( GetLastError() == ERROR_INVALID_HANDLE, "GetFileType: error %lu\n", GetLastError() );
    check_no_handle( GetHandleInformation( handle, &count ) );
    check_no_handle( SetHandleInformation( handle, HANDLE_FLAG_INHERIT, 0 ) );
    check_no_handle( ReadFile( handle, &byte, 1, &count, &overlapped ) );
    check_no_handle( WriteFile( handle, &byte, 1, &count, &overlapped ) );
    check_no_handle( CancelIo( handle ) );
    check_no_handle( FlushFileBuffers( handle ) );
    check_no_handle(
        DuplicateHandle( GetCurrentProcess(), handle, GetCurrentProcess(), &copy, 0, FALSE, DUPLICATE_SAME_ACCESS ) );
    check_no_handle( WaitForSingleObject( handle, 0 ) == WAIT_OBJECT_0 );
    check_no_handle( CloseHandle( handle ) );
    if ( compare ) ok( !compare( handle, GetCurrentProcess() ), "a closed socket is the process\n" );
    check_fails( closesocket( (SOCKET)handle ), WSAENOTSOCK );
}

static void test_life( void )
{
    SOCKET client, server, s = socket( AF_INET, SOCK_DGRAM, 0 ),
                           hidden = WSASocketW( AF_INET, SOCK_STREAM, 0, NULL, 0, WSA_FLAG_NO_HANDLE_INHERIT );

    tcp_pair( &client, &server );
    ok( GetFileType( (HANDLE)s ) == FILE_TYPE_PIPE, "got type %lu\n", GetFileType( (HANDLE)s ) );
    ok( GetFileType( (HANDLE)server ) == FILE_TYPE_PIPE, "got type %lu\n", GetFileType( (HANDLE)server ) );
    ok( has_flags( (HANDLE)s, HANDLE_FLAG_INHERIT ), "wrong flags of a new socket\n" );
    ok( has_flags( (HANDLE)server, HANDLE_FLAG_INHERIT ), "wrong flags of an accepted socket\n" );
    ok( has_flags( (HANDLE)hidden, 0 ), "wrong flags of one that is not inherited\n" );
    ok( SetHandleInformation( (HANDLE)s, HANDLE_FLAG_INHERIT, 0 ), "error %lu\n", GetLastError() );
    ok( has_flags( (HANDLE)s, 0 ), "it is inherited still\n" );
    ok( has_flags( (HANDLE)server, HANDLE_FLAG_INHERIT ), "another's flags have changed\n" );
    ok( SetHandleInformation( (HANDLE)hidden, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT ), "error %lu\n",
        GetLastError() );
    ok( has_flags( (HANDLE)hidden, HANDLE_FLAG_INHERIT ), "it is not inherited\n" );
    check_flow( client, server );

    check_ok( closesocket( s ) );
    check_closed( (HANDLE)s );
    ok( CloseHandle( (HANDLE)hidden ), "error %lu\n", GetLastError() );
    check_closed( (HANDLE)hidden );
    check_ok( closesocket( client ) );
    check_closed( (HANDLE)client );
    check_eof( server );
    check_ok( closesocket( server ) );

    /* nothing is left of the flags in the next socket, whatever its value is */
    for ( unsigned int i = 0; i < 8; i++ )
    {
        s = socket( AF_INET, SOCK_DGRAM, 0 );
        ok( has_flags( (HANDLE)s, HANDLE_FLAG_INHERIT ), "wrong flags of new socket %u\n", i );
        ok( SetHandleInformation( (HANDLE)s, HANDLE_FLAG_INHERIT, 0 ), "error %lu\n", GetLastError() );
        check_ok( closesocket( s ) );
    }
}

static HANDLE copy_of( HANDLE handle )
{
    HANDLE copy = NULL;

    ok( DuplicateHandle( GetCurrentProcess(), handle, GetCurrentProcess(), &copy, 0, FALSE, DUPLICATE_SAME_ACCESS ),
        "DuplicateHandle failed, error %lu\n", GetLastError() );
    return copy;
}

static void test_compare( void )
{
    HANDLE first = (HANDLE)socket( AF_INET, SOCK_DGRAM, 0 ), second = (HANDLE)socket( AF_INET, SOCK_DGRAM, 0 );
    HANDLE event = CreateEventW( NULL, FALSE, FALSE, NULL ), copy, another;

    if ( !compare )
    {
        win_skip( "no CompareObjectHandles\n" );
        return;
    }
    ok( compare( first, first ), "a socket is not itself\n" );
    ok( !compare( first, second ), "two sockets are one\n" );
    ok( GetLastError() == ERROR_NOT_SAME_OBJECT, "got error %lu\n", GetLastError() );
    ok( !compare( first, event ), "a socket is an event\n" );
    copy = copy_of( first );
    ok( compare( first, copy ) && compare( copy, first ), "a copy is of another socket\n" );
    ok( !compare( second, copy ), "a copy is of two sockets\n" );
    another = copy_of( first );
    ok( compare( copy, another ), "two copies are of two sockets\n" );
    check_ok( closesocket( (SOCKET)first ) );
    ok( compare( copy, another ), "two copies are of two sockets, once it is closed\n" );
    ok( !compare( second, another ), "a copy is of two sockets, once it is closed\n" );
    ok( CloseHandle( copy ) && CloseHandle( another ) && CloseHandle( event ), "error %lu\n", GetLastError() );
    check_ok( closesocket( (SOCKET)second ) );
}

/* --- taken out of the owner -------------------------------------------------------------------------------------------*/

/* A socket of the puppet's, connected to *peer. */
static SOCKET puppet_connected( struct puppet *puppet, SOCKET *peer )
{
    SOCKET listener = tcp_listener( AF_INET, &puppet->message->address ), s;
    union address address = puppet->message->address;

    puppet->message->family = AF_INET;
    puppet->message->type = SOCK_STREAM;
    puppet->message->protocol = 0;
    puppet->message->flags = WSA_FLAG_OVERLAPPED;
    s = puppet_do( puppet, PUPPET_NEW );
    puppet->message->address = address;
    check_ok( puppet_do_on( puppet, PUPPET_CONNECT, s ) );
    *peer = accept_one( listener );
    set_receive_timeout( *peer, 10000 );
    closesocket( listener );
    return s;
}

static HANDLE pull( struct puppet *puppet, SOCKET s, BOOL inherited, DWORD options )
{
    HANDLE pulled = NULL;

    ok( DuplicateHandle( puppet->process, (HANDLE)s, GetCurrentProcess(), &pulled, 0, inherited,
                         DUPLICATE_SAME_ACCESS | options ),
        "DuplicateHandle failed, error %lu\n", GetLastError() );
    return pulled;
}

static void test_pulled( void )
{
    SOCKET there, peer, none;
    HANDLE pulled, again;
    struct puppet puppet;
    char buffer[16];

    puppet_create( &puppet, 0 );
    there = puppet_connected( &puppet, &peer );
    pulled = pull( &puppet, there, FALSE, 0 );
    ok( GetFileType( pulled ) == FILE_TYPE_PIPE, "got type %lu\n", GetFileType( pulled ) );
    ok( has_flags( pulled, 0 ), "wrong flags\n" );
    check_flow( (SOCKET)pulled, peer );
    check_flow( peer, (SOCKET)pulled );
    again = pull( &puppet, there, TRUE, 0 );
    ok( has_flags( again, HANDLE_FLAG_INHERIT ), "wrong flags\n" );
    if ( compare ) ok( compare( pulled, again ), "what was taken twice is two sockets\n" );
    check_result( puppet_send( &puppet, there, "owner" ), 5 );
    check_result( recv( peer, buffer, 5, MSG_WAITALL ), 5 );
    /* the owner closes: the copies are the socket */
    check_ok( puppet_do_on( &puppet, PUPPET_CLOSE, there ) );
    check_open( peer );
    ok( CloseHandle( pulled ), "error %lu\n", GetLastError() );
    check_flow( (SOCKET)again, peer );
    ok( CloseHandle( again ), "error %lu\n", GetLastError() );
    check_eof( peer );
    closesocket( peer );
    /* a value that is closed there is none */
    pulled = NULL;
    check_no_handle( DuplicateHandle( puppet.process, (HANDLE)there, GetCurrentProcess(), &pulled, 0, FALSE,
                                      DUPLICATE_SAME_ACCESS ) );
    check_no_handle( DuplicateHandle( puppet.process, (HANDLE)there, GetCurrentProcess(), &pulled, 0, FALSE,
                                      DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE ) );
    none = puppet_connected( &puppet, &peer );
    check_result( puppet_send( &puppet, none, "works" ), 5 );
    closesocket( peer );
    puppet_destroy( &puppet );
}

/* DUPLICATE_CLOSE_SOURCE ends it in the owner. */
static void test_moved( void )
{
    SOCKET there, peer;
    struct puppet puppet;
    HANDLE pulled, none;
    DWORD ignored;

    puppet_create( &puppet, 0 );
    there = puppet_connected( &puppet, &peer );
    pulled = pull( &puppet, there, FALSE, DUPLICATE_CLOSE_SOURCE );
    check_flow( (SOCKET)pulled, peer );
    check_flow( peer, (SOCKET)pulled );
    check_fails( puppet_send( &puppet, there, "x" ), WSAENOTSOCK );
    check_no_handle(
        DuplicateHandle( puppet.process, (HANDLE)there, GetCurrentProcess(), &none, 0, FALSE, DUPLICATE_SAME_ACCESS ) );
    check_ok( closesocket( (SOCKET)pulled ) );
    check_eof( peer );
    closesocket( peer );

    /* of which the owner has given a copy before */
    there = puppet_connected( &puppet, &peer );
    puppet.message->pid = GetCurrentProcessId();
    pulled = pull( &puppet, there, FALSE, 0 );
    check_flow( (SOCKET)pulled, peer );
    ok( CloseHandle( pulled ), "error %lu\n", GetLastError() );
    pulled = pull( &puppet, there, FALSE, DUPLICATE_CLOSE_SOURCE );
    check_flow( (SOCKET)pulled, peer );
    check_ok( closesocket( (SOCKET)pulled ) );
    check_eof( peer );
    closesocket( peer );

    /* only its end */
    there = puppet_connected( &puppet, &peer );
    ok( DuplicateHandle( puppet.process, (HANDLE)there, NULL, NULL, 0, FALSE, DUPLICATE_CLOSE_SOURCE ),
        "DuplicateHandle failed, error %lu\n", GetLastError() );
    check_eof( peer );
    check_fails( puppet_send( &puppet, there, "x" ), WSAENOTSOCK );
    closesocket( peer );

    /* what the owner makes next has values of its own */
    for ( unsigned int i = 0; i < 8; i++ )
    {
        there = puppet_connected( &puppet, &peer );
        check_result( puppet_send( &puppet, there, "y" ), 1 );
        check_ok( puppet_do_on( &puppet, PUPPET_CLOSE, there ) );
        closesocket( peer );
    }
    ok( GetExitCodeProcess( puppet.process, &ignored ) && ignored == STILL_ACTIVE, "the owner has ended\n" );
    puppet_destroy( &puppet );
}

/* From one process into a third, and back into the owner. */
static void test_pulled_for_another( void )
{
    SOCKET there, peer;
    HANDLE given = NULL, back = NULL;
    struct puppet owner, user;
    char buffer[16];

    puppet_create( &owner, 0 );
    puppet_create( &user, 0 );
    there = puppet_connected( &owner, &peer );
    ok( DuplicateHandle( owner.process, (HANDLE)there, user.process, &given, 0, FALSE, DUPLICATE_SAME_ACCESS ),
        "DuplicateHandle failed, error %lu\n", GetLastError() );
    ok( DuplicateHandle( owner.process, (HANDLE)there, owner.process, &back, 0, FALSE, DUPLICATE_SAME_ACCESS ),
        "DuplicateHandle failed, error %lu\n", GetLastError() );
    check_result( puppet_send( &user, (SOCKET)given, "third" ), 5 );
    check_result( recv( peer, buffer, 5, MSG_WAITALL ), 5 );
    check_ok( puppet_do_on( &owner, PUPPET_CLOSE, there ) );
    check_result( puppet_send( &owner, (SOCKET)back, "again" ), 5 );
    check_result( recv( peer, buffer, 5, MSG_WAITALL ), 5 );
    puppet_kill( &owner );
    check_open( peer );
    check_ok( puppet_do_on( &user, PUPPET_CLOSE, (SOCKET)given ) );
    check_eof( peer );
    puppet_destroy( &user );
    closesocket( peer );
}

/* --- inherited --------------------------------------------------------------------------------------------------------*/

/* They have values in a row, so that the child's own handles come before, between or behind them. */
static void test_many_inherited( void )
{
    SOCKET many[MANY], sink, hidden, late_client, late_server;
    union address address, sink_address;
    struct puppet puppet;
    char buffer[8];
    SOCKET listener = tcp_listener( AF_INET, &address );

    sink = udp_bound( AF_INET, &sink_address );
    set_receive_timeout( sink, 10000 );
    for ( unsigned int i = 0; i < MANY; i++ )
    {
        many[i] = socket( AF_INET, SOCK_DGRAM, 0 );
        ok( !connect( many[i], &sink_address.any, sizeof( sink_address.v4 ) ), "connect %u: error %d\n", i,
            WSAGetLastError() );
    }
    hidden = socket( AF_INET, SOCK_DGRAM, 0 );
    SetHandleInformation( (HANDLE)hidden, HANDLE_FLAG_INHERIT, 0 );
    for ( unsigned int child = 0; child < 3; child++ )
    {
        winetest_push_context( "child %u", child );
        /* the last one inherits all that the process has below, too, so that its own handles have values above */
        for ( UINT_PTR value = 4; child == 2 && value < many[0]; value += 4 )
            SetHandleInformation( (HANDLE)value, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT );
        puppet_create( &puppet, PUPPET_INHERITS );
        for ( unsigned int i = 0; i < MANY; i++ )
        {
            snprintf( buffer, sizeof( buffer ), "%05u", i );
            check_result( puppet_send_( &puppet, many[i], buffer, 5 ), 5 );
            memset( buffer, 0, sizeof( buffer ) );
            check_result( recv( sink, buffer, 5, 0 ), 5 );
            ok( (unsigned int)atoi( buffer ) == i, "%u came as %s\n", i, buffer );
        }
        puppet.message->option = FIONBIO;
        puppet.message->value = 1;
        check_fails( puppet_do_on( &puppet, PUPPET_IOCTL, hidden ), WSAENOTSOCK );
        puppet_destroy( &puppet );
        winetest_pop_context();
    }
    /* made after there were children */
    late_client = WSASocketW( AF_INET, SOCK_STREAM, 0, NULL, 0, WSA_FLAG_NO_HANDLE_INHERIT );
    check_ok( connect( late_client, &address.any, sizeof( address.v4 ) ) );
    set_receive_timeout( late_client, 10000 );
    late_server = accept_one( listener );
    puppet_create( &puppet, PUPPET_INHERITS );
    check_fails( puppet_do_on( &puppet, PUPPET_GETPEERNAME, late_client ), WSAENOTSOCK );
    check_result( puppet_send( &puppet, late_server, "late!" ), 5 );
    check_result( recv( late_client, buffer, 5, MSG_WAITALL ), 5 );
    check_ok( closesocket( late_server ) );
    for ( unsigned int i = 0; i < MANY; i++ ) check_ok( closesocket( many[i] ) );
    check_result( puppet_send( &puppet, late_server, "alone" ), 5 );
    check_result( recv( late_client, buffer, 5, MSG_WAITALL ), 5 );
    check_result( puppet_send( &puppet, many[MANY - 1], "after" ), 5 );
    check_result( recv( sink, buffer, 5, 0 ), 5 );
    puppet_destroy( &puppet );
    check_eof( late_client );
    closesocket( late_client );
    closesocket( sink );
    closesocket( hidden );
    closesocket( listener );
}

#define HEIRS 5

/* The child: a byte for each of its sockets, then what comes goes back, until all have ended. */
static void heir_child( int argc, char **argv )
{
    WSADATA data;
    char byte;

    WSAStartup( MAKEWORD( 2, 2 ), &data );
    for ( int i = 0; i < argc; i++ ) send( strtoull( argv[i], NULL, 16 ), "r", 1, 0 );
    for ( int i = 0; i < argc; i++ )
        while ( recv( strtoull( argv[i], NULL, 16 ), &byte, 1, 0 ) == 1 )
            send( strtoull( argv[i], NULL, 16 ), &byte, 1, 0 );
    ExitProcess( 0 );
}

/* The parent: sockets that its child inherits, and nothing more until it is killed. */
static void heir_parent( const char *port )
{
    char arguments[512] = "heir";
    union address address;
    SOCKET s[HEIRS];
    WSADATA data;

    WSAStartup( MAKEWORD( 2, 2 ), &data );
    address_loopback( &address, AF_INET, atoi( port ) );
    for ( unsigned int i = 0; i < HEIRS; i++ )
    {
        s[i] = socket( AF_INET, SOCK_STREAM, 0 );
        if ( connect( s[i], &address.any, sizeof( address.v4 ) ) ) ExitProcess( 1 );
        snprintf( arguments + strlen( arguments ), sizeof( arguments ) - strlen( arguments ), " %llx",
                  (unsigned long long)s[i] );
    }
    run_child( arguments, NULL, NULL, 0, NULL );
    Sleep( INFINITE );
}

static void test_killed_parent( void )
{
    char arguments[32], byte;
    SOCKET peer[HEIRS];
    union address address;
    SOCKET listener = tcp_listener( AF_INET, &address );
    HANDLE parent;

    SetHandleInformation( (HANDLE)listener, HANDLE_FLAG_INHERIT, 0 );
    snprintf( arguments, sizeof( arguments ), "parent %d", address_port( &address ) );
    parent = run_child( arguments, NULL, NULL, 0, NULL );
    for ( unsigned int i = 0; i < HEIRS; i++ )
    {
        peer[i] = accept_one( listener );
        set_receive_timeout( peer[i], 30000 );
    }
    for ( unsigned int i = 0; i < HEIRS; i++ ) check_result( recv( peer[i], &byte, 1, 0 ), 1 );
    ok( TerminateProcess( parent, 9 ), "error %lu\n", GetLastError() );
    ok( !WaitForSingleObject( parent, 30000 ), "the parent lives\n" );
    for ( unsigned int i = 0; i < HEIRS; i++ )
    {
        check_result( send( peer[i], "s", 1, 0 ), 1 );
        check_result( recv( peer[i], &byte, 1, 0 ), 1 );
        ok( byte == 's', "got %#x\n", byte );
        check_ok( shutdown( peer[i], SD_SEND ) );
    }
    for ( unsigned int i = 0; i < HEIRS; i++ )
    {
        check_eof( peer[i] );
        closesocket( peer[i] );
    }
    CloseHandle( parent );
    closesocket( listener );
}

/* --- for tests/run-handles --------------------------------------------------------------------------------------------*/

static void wait_for_input( void )
{
    char byte;
    DWORD count;

    fflush( stdout );
    while ( ReadFile( GetStdHandle( STD_INPUT_HANDLE ), &byte, 1, &count, NULL ) && count ) continue;
}

static void hold( unsigned int count )
{
    union address address;
    SOCKET listener = tcp_listener( AF_INET, &address ), s;
    unsigned int held = 0;

    /* of three, one never connected, and the two ends of a connection */
    for ( unsigned int i = 0; i < count / 3; i++ )
    {
        held += socket( AF_INET, SOCK_DGRAM, 0 ) != INVALID_SOCKET;
        s = socket( AF_INET, SOCK_STREAM, 0 );
        held += !connect( s, &address.any, sizeof( address.v4 ) );
        held += accept( listener, NULL, NULL ) != INVALID_SOCKET;
    }
    printf( "held %u\n", held );
    wait_for_input();
}

/* The next line of the input as a number; 0 at its end. */
static int read_number( void )
{
    char line[32];
    DWORD count, size = 0;

    while ( size < sizeof( line ) - 1 && ReadFile( GetStdHandle( STD_INPUT_HANDLE ), line + size, 1, &count, NULL ) &&
            count && line[size] != '\n' )
        size++;
    line[size] = 0;
    return atoi( line );
}

static void many( void )
{
    SOCKET *sockets = NULL;
    unsigned int count = 0, room = 0;
    int change;

    while ( ( change = read_number() ) )
    {
        for ( ; change > 0; change-- )
        {
            if ( count == room && !( sockets = realloc( sockets, ( room = 2 * room + 1024 ) * sizeof( *sockets ) ) ) )
                return;
            if ( ( sockets[count] = socket( AF_INET, SOCK_STREAM, 0 ) ) == INVALID_SOCKET ) break;
            count++;
        }
        for ( ; change < 0 && count; change++ )
            if ( closesocket( sockets[--count] ) ) break;
        printf( "%u\n", change ? 0 : count );
        fflush( stdout );
    }
    free( sockets );
}

static void own( void )
{
    SOCKET client, server;
    char buffer[8];

    tcp_pair( &client, &server );
    printf( "%lu %llu\n", GetCurrentProcessId(), (unsigned long long)client );
    wait_for_input();
    set_nonblocking( server, TRUE );
    printf( "received %d\n", recv( server, buffer, sizeof( buffer ), 0 ) );
    check_flow( client, server );
    fflush( stdout );
}

static void start_program( char *path )
{
    STARTUPINFOA startup = { .cb = sizeof( startup ), .dwFlags = STARTF_USESTDHANDLES };
    char buffer[8] = "", command[512];
    PROCESS_INFORMATION process;
    SOCKET client, server;

    snprintf( command, sizeof( command ), "\"%s\" -c 5", path );
    for ( unsigned int inherits = 0; inherits < 2; inherits++ )
    {
        tcp_pair( &client, &server );
        send( client, "hello", 5, 0 );
        wait_readable( server, 10000 );
        startup.hStdInput = startup.hStdOutput = (HANDLE)server;
        startup.hStdError = GetStdHandle( STD_ERROR_HANDLE );
        if ( !CreateProcessA( path, command, NULL, NULL, inherits, 0, NULL, NULL, &startup, &process ) )
            printf( "error %lu\n", GetLastError() );
        closesocket( server );
        memset( buffer, 0, sizeof( buffer ) );
        recv( client, buffer, 5, MSG_WAITALL );
        printf( "%s %s\n", inherits ? "inherits" : "standard", buffer );
        closesocket( client );
    }
    fflush( stdout );
}

START_TEST( handle_pool )
{
    char **argv;
    int argc = winetest_get_mainargs( &argv );

    compare = (void *)GetProcAddress( GetModuleHandleA( "kernelbase.dll" ), "CompareObjectHandles" );
    if ( argc > 3 && !strcmp( argv[2], "heir" ) ) heir_child( argc - 3, argv + 3 );
    if ( argc > 3 && !strcmp( argv[2], "parent" ) ) heir_parent( argv[3] );
    support_begin();
    if ( argc > 3 && !strcmp( argv[2], "hold" ) ) hold( atoi( argv[3] ) );
    else if ( argc > 2 && !strcmp( argv[2], "many" ) ) many();
    else if ( argc > 2 && !strcmp( argv[2], "owner" ) ) own();
    else if ( argc > 3 && !strcmp( argv[2], "program" ) ) start_program( argv[3] );
    else
    {
        test_life();
        test_compare();
        test_pulled();
        test_moved();
        test_pulled_for_another();
        test_many_inherited();
        test_killed_parent();
    }
    support_end();
}
