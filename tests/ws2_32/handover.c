/*
 * How known programs hand a socket over (facts/duplication.md, "How well-known programs call it"): each sequence of calls,
 * with the ways of inter-process communication that the program uses and a real child process where it has one.
 */
#include "puppets.h"

#define FROM_INFO FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO

static DWORD handle_flags( SOCKET s )
{
    DWORD flags = 0;

    ok( GetHandleInformation( (HANDLE)s, &flags ), "GetHandleInformation failed, error %lu\n", GetLastError() );
    return flags;
}

static void set_inherit( SOCKET s, BOOL inherit )
{
    ok( SetHandleInformation( (HANDLE)s, HANDLE_FLAG_INHERIT, inherit ? HANDLE_FLAG_INHERIT : 0 ),
        "SetHandleInformation failed, error %lu\n", GetLastError() );
}

/* --- PostgreSQL: a suspended child, infos in an inherited mapping, the numeric value of the parent's handles ----------*/

#define BACKEND_SOCKETS 3

struct backend_parameters
{
    WSAPROTOCOL_INFOA infos[BACKEND_SOCKETS];
    ULONGLONG values[BACKEND_SOCKETS]; /* the parent's */
    BOOL inherited[BACKEND_SOCKETS];
};

static void backend_child( HANDLE mapping, HANDLE parent_closed )
{
    struct backend_parameters *parameters = MapViewOfFile( mapping, FILE_MAP_READ, 0, 0, 0 );
    SOCKET sockets[BACKEND_SOCKETS];
    char buffer[16];
    unsigned int i;
    WSADATA data;

    /* the parent has closed its descriptors before this process's first Winsock call */
    ok( !WaitForSingleObject( parent_closed, 10000 ), "no word from the parent\n" );
    ok( !WSAStartup( MAKEWORD( 2, 2 ), &data ), "WSAStartup failed\n" );
    for ( i = 0; i < BACKEND_SOCKETS; i++ )
    {
        sockets[i] = WSASocketA( FROM_INFO, &parameters->infos[i], 0, 0 );
        ok( sockets[i] != INVALID_SOCKET, "%u: no duplicate, error %d\n", i, WSAGetLastError() );
    }
    for ( i = 0; i < BACKEND_SOCKETS; i++ )
    {
        if ( parameters->inherited[i] ) check_ok( closesocket( parameters->values[i] ) );
        else check_fails( closesocket( parameters->values[i] ), WSAENOTSOCK );
        check_fails( closesocket( parameters->values[i] ), WSAENOTSOCK );
    }
    for ( i = 0; i < BACKEND_SOCKETS; i++ )
    {
        set_receive_timeout( sockets[i], 10000 );
        check_result( recv( sockets[i], buffer, sizeof( buffer ), 0 ), 5 );
        check_result( send( sockets[i], "reply", 5, 0 ), 5 );
        check_ok( closesocket( sockets[i] ) );
    }
    check_ok( WSACleanup() );
}

static void test_postgresql( void )
{
    SECURITY_ATTRIBUTES inherit = { sizeof( inherit ), NULL, TRUE };
    HANDLE mapping = CreateFileMappingA( INVALID_HANDLE_VALUE, &inherit, PAGE_READWRITE, 0,
                                         sizeof( struct backend_parameters ), NULL );
    HANDLE closed = CreateEventA( &inherit, TRUE, FALSE, NULL ), process, thread;
    struct backend_parameters *parameters = MapViewOfFile( mapping, FILE_MAP_WRITE, 0, 0, 0 );
    SOCKET clients[BACKEND_SOCKETS], servers[BACKEND_SOCKETS];
    char arguments[64], buffer[16];
    unsigned int i;

    for ( i = 0; i < BACKEND_SOCKETS; i++ )
    {
        tcp_pair( &clients[i], &servers[i] );
        set_inherit( clients[i], FALSE );
        /* the last is not inherited: its value means nothing in the child */
        parameters->inherited[i] = i < BACKEND_SOCKETS - 1;
        set_inherit( servers[i], parameters->inherited[i] );
        parameters->values[i] = servers[i];
    }
    snprintf( arguments, sizeof( arguments ), "backend %lu %lu", (unsigned long)(ULONG_PTR)mapping,
              (unsigned long)(ULONG_PTR)closed );
    process = run_child( arguments, NULL, NULL, CREATE_SUSPENDED, &thread );
    /* the child has not run an instruction */
    for ( i = 0; i < BACKEND_SOCKETS; i++ )
        check_ok( WSADuplicateSocketA( servers[i], GetProcessId( process ), &parameters->infos[i] ) );
    ResumeThread( thread );
    for ( i = 0; i < BACKEND_SOCKETS; i++ ) check_ok( closesocket( servers[i] ) );
    SetEvent( closed );
    for ( i = 0; i < BACKEND_SOCKETS; i++ ) check_result( send( clients[i], "query", 5, 0 ), 5 );
    for ( i = 0; i < BACKEND_SOCKETS; i++ )
    {
        check_result( recv( clients[i], buffer, sizeof( buffer ), 0 ), 5 );
        ok( !memcmp( buffer, "reply", 5 ), "got %.5s\n", buffer );
        /* the child closes its descriptor and the copy that it inherited: nobody holds the socket */
        check_eof( clients[i] );
        check_ok( closesocket( clients[i] ) );
    }
    winetest_wait_child_process( process );
    CloseHandle( process );
    CloseHandle( thread );
    UnmapViewOfFile( parameters );
    CloseHandle( mapping );
    CloseHandle( closed );
}

/* The suspended child is killed before its first instruction: nothing is left of what was made for it. */
static void test_suspended_dies( void )
{
    SOCKET client, server;
    struct puppet puppet;
    WSAPROTOCOL_INFOA info;

    tcp_pair( &client, &server );
    puppet_create( &puppet, PUPPET_SUSPENDED );
    check_ok( WSADuplicateSocketA( server, puppet.pid, &info ) );
    check_ok( closesocket( server ) );
    check_open( client );
    puppet_kill( &puppet );
    check_eof( client );
    check_ok( closesocket( client ) );
}

/* A parent that closes at once, and a child that starts Winsock long after. */
static void test_suspended_resumes( void )
{
    SOCKET client, server, duplicate;
    struct puppet puppet;
    WSAPROTOCOL_INFOW info;

    tcp_pair( &client, &server );
    puppet_create( &puppet, PUPPET_SUSPENDED | PUPPET_BARE );
    check_ok( WSADuplicateSocketW( server, puppet.pid, &info ) );
    check_ok( closesocket( server ) );
    check_result( send( client, "early", 5, 0 ), 5 );
    puppet_resume( &puppet );
    check_ok( puppet_do( &puppet, PUPPET_STARTUP ) );
    duplicate = puppet_open_w( &puppet, &info, 0 );
    ok( duplicate != INVALID_SOCKET, "no duplicate, error %d\n", WSAGetLastError() );
    check_result( puppet_do_on( &puppet, PUPPET_RECV, duplicate ), 5 );
    check_ok( puppet_do_on( &puppet, PUPPET_CLOSE, duplicate ) );
    check_eof( client );
    puppet_destroy( &puppet );
    closesocket( client );
}

/* --- Apache httpd: the child says that it is ready, raw structures through a pipe, one for each listener --------------*/

#define LISTENERS 3

static void worker_child( void )
{
    HANDLE in = GetStdHandle( STD_INPUT_HANDLE ), ready = OpenEventA( EVENT_MODIFY_STATE, FALSE, "ws2-test-worker" );
    SOCKET listeners[LISTENERS], s;
    WSAPROTOCOL_INFOW info;
    unsigned int i;
    WSADATA data;
    DWORD count;

    ok( !WSAStartup( MAKEWORD( 2, 2 ), &data ), "WSAStartup failed\n" );
    SetEvent( ready );
    for ( i = 0; i < LISTENERS; i++ )
    {
        ok( ReadFile( in, &info, sizeof( info ), &count, NULL ) && count == sizeof( info ), "short info, %lu\n",
            count );
        listeners[i] = WSASocketW( FROM_INFO, &info, 0, 0 );
        ok( listeners[i] != INVALID_SOCKET, "%u: no duplicate, error %d\n", i, WSAGetLastError() );
        ok( handle_flags( listeners[i] ) & HANDLE_FLAG_INHERIT, "a duplicate is not inheritable\n" );
        set_inherit( listeners[i], FALSE );
        ok( !( handle_flags( listeners[i] ) & HANDLE_FLAG_INHERIT ), "it still is inheritable\n" );
    }
    for ( i = 0; i < LISTENERS; i++ )
    {
        char name = 'A' + i;

        s = accept( listeners[i], NULL, NULL );
        ok( s != INVALID_SOCKET, "%u: accept failed, error %d\n", i, WSAGetLastError() );
        check_result( send( s, &name, 1, 0 ), 1 );
        check_ok( closesocket( s ) );
        check_ok( closesocket( listeners[i] ) );
    }
    check_ok( WSACleanup() );
}

static void test_apache( void )
{
    HANDLE ready = CreateEventA( NULL, TRUE, FALSE, "ws2-test-worker" ), in, out, process;
    union address addresses[LISTENERS];
    SOCKET listeners[LISTENERS], client;
    WSAPROTOCOL_INFOW info;
    unsigned int i;
    DWORD count;
    char byte;

    CreatePipe( &in, &out, NULL, 0 );
    SetHandleInformation( in, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT );
    for ( i = 0; i < LISTENERS; i++ )
    {
        listeners[i] = tcp_listener( AF_INET, &addresses[i] );
        set_inherit( listeners[i], FALSE );
    }
    process = run_child( "worker", in, NULL, 0, NULL );
    CloseHandle( in );
    ok( !WaitForSingleObject( ready, 20000 ), "the child is not ready\n" );
    for ( i = 0; i < LISTENERS; i++ )
    {
        check_ok( WSADuplicateSocketW( listeners[i], GetProcessId( process ), &info ) );
        ok( WriteFile( out, &info, sizeof( info ), &count, NULL ) && count == sizeof( info ), "short write, %lu\n",
            count );
    }
    for ( i = 0; i < LISTENERS; i++ )
    {
        client = socket( AF_INET, SOCK_STREAM, 0 );
        check_ok( connect( client, &addresses[i].any, sizeof( addresses[i].v4 ) ) );
        set_receive_timeout( client, 10000 );
        check_result( recv( client, &byte, 1, 0 ), 1 );
        ok( byte == (char)( 'A' + i ), "got %c\n", byte );
        check_eof( client );
        closesocket( client );
        check_ok( closesocket( listeners[i] ) );
    }
    winetest_wait_child_process( process );
    for ( i = 0; i < LISTENERS; i++ ) { check_refused( &addresses[i] ); }
    CloseHandle( process );
    CloseHandle( out );
    CloseHandle( ready );
}

/* --- libuv, Node's cluster: a wide info over a named pipe, overlapped, not inheritable, non-blocking, events -----------*/

#define CLUSTER_PIPE "\\\\.\\pipe\\ws2-test-cluster"

static void cluster_child( void )
{
    HANDLE pipe = CreateFileA( CLUSTER_PIPE, GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL ), event;
    WSANETWORKEVENTS events = { 0 };
    WSAPROTOCOL_INFOW info;
    u_long on = 1;
    SOCKET listener, s;
    WSADATA data;
    DWORD count;
    char byte;

    ok( !WSAStartup( MAKEWORD( 2, 2 ), &data ), "WSAStartup failed\n" );
    ok( ReadFile( pipe, &info, sizeof( info ), &count, NULL ) && count == sizeof( info ), "short info, %lu\n", count );
    listener = WSASocketW( FROM_INFO, &info, 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT );
    ok( listener != INVALID_SOCKET, "no duplicate, error %d\n", WSAGetLastError() );
    ok( !( handle_flags( listener ) & HANDLE_FLAG_INHERIT ), "it is inheritable\n" );
    check_ok( ioctlsocket( listener, FIONBIO, &on ) );
    event = WSACreateEvent();
    check_ok( WSAEventSelect( listener, event, FD_ACCEPT ) );
    ok( !WaitForSingleObject( event, 20000 ), "no connection\n" );
    check_ok( WSAEnumNetworkEvents( listener, event, &events ) );
    ok( events.lNetworkEvents == FD_ACCEPT && !events.iErrorCode[FD_ACCEPT_BIT], "got events %#lx\n",
        events.lNetworkEvents );
    s = accept( listener, NULL, NULL );
    ok( s != INVALID_SOCKET, "accept failed, error %d\n", WSAGetLastError() );
    check_fails( recv( s, &byte, 1, 0 ), WSAEWOULDBLOCK );
    check_result( send( s, "cluster", 7, 0 ), 7 );
    check_ok( closesocket( s ) );
    check_ok( closesocket( listener ) );
    WSACloseEvent( event );
    CloseHandle( pipe );
    check_ok( WSACleanup() );
}

static void test_libuv( void )
{
    HANDLE pipe =
        CreateNamedPipeA( CLUSTER_PIPE, PIPE_ACCESS_OUTBOUND, PIPE_TYPE_BYTE | PIPE_WAIT, 1, 4096, 4096, 0, NULL );
    HANDLE process;
    union address address;
    WSAPROTOCOL_INFOW info;
    SOCKET listener = tcp_listener( AF_INET, &address ), client;
    char buffer[16];
    DWORD count;

    set_nonblocking( listener, TRUE );
    set_inherit( listener, FALSE );
    process = run_child( "cluster", NULL, NULL, 0, NULL );
    ok( ConnectNamedPipe( pipe, NULL ) || GetLastError() == ERROR_PIPE_CONNECTED, "no connection to the pipe\n" );
    check_ok( WSADuplicateSocketW( listener, GetProcessId( process ), &info ) );
    ok( WriteFile( pipe, &info, sizeof( info ), &count, NULL ) && count == sizeof( info ), "short write, %lu\n",
        count );
    client = socket( AF_INET, SOCK_STREAM, 0 );
    set_inherit( client, FALSE );
    /* the child registers for FD_ACCEPT before or after the connection comes: both must tell it */
    check_ok( connect( client, &address.any, sizeof( address.v4 ) ) );
    set_receive_timeout( client, 20000 );
    check_result( recv( client, buffer, sizeof( buffer ), 0 ), 7 );
    winetest_wait_child_process( process );
    closesocket( client );
    check_ok( closesocket( listener ) );
    CloseHandle( process );
    CloseHandle( pipe );
}

/* --- the others: a row is a way to open ------------------------------------------------------------------------------*/

static void test_ways_to_open( void )
{
    static const struct
    {
        const char *program;
        BOOL own_pid, wide, close_first, clear_inheritance;
        int family, type, protocol;
        DWORD flags;
    } rows[] = {
        { "CPython share", FALSE, TRUE, FALSE, TRUE, -1, -1, -1, WSA_FLAG_OVERLAPPED },
        { "CPython share in one process", TRUE, TRUE, FALSE, TRUE, -1, -1, -1, WSA_FLAG_OVERLAPPED },
        { ".NET DuplicateAndClose", FALSE, TRUE, TRUE, FALSE, -1, -1, -1,
          WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT },
        { ".NET in one process", TRUE, TRUE, TRUE, FALSE, -1, -1, -1,
          WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT },
        { "Cygwin fork", FALSE, FALSE, FALSE, FALSE, -1, -1, -1, WSA_FLAG_OVERLAPPED },
        { "Cygwin dup", TRUE, FALSE, FALSE, FALSE, -1, -1, -1, WSA_FLAG_OVERLAPPED },
        { "OCaml Unix.dup", TRUE, FALSE, FALSE, FALSE, AF_INET, SOCK_STREAM, IPPROTO_TCP, WSA_FLAG_OVERLAPPED },
        { "HTCondor", TRUE, FALSE, FALSE, FALSE, -1, -1, -1, 0 },
        { "zeros", TRUE, FALSE, FALSE, FALSE, 0, 0, 0, 0 },
        { "zeros in a child", FALSE, FALSE, FALSE, FALSE, 0, 0, 0, WSA_FLAG_NO_HANDLE_INHERIT },
        { "explicit in a child", FALSE, TRUE, TRUE, FALSE, AF_INET, SOCK_STREAM, IPPROTO_TCP, 0 },
        { "explicit without protocol", TRUE, TRUE, TRUE, FALSE, AF_INET, SOCK_STREAM, 0, WSA_FLAG_OVERLAPPED },
    };
    struct puppet puppet;
    unsigned int i, source_inherits;

    puppet_create( &puppet, 0 );
    for ( i = 0; i < ARRAY_SIZE( rows ) * 2; i++ )
    {
        BOOL own = rows[i / 2].own_pid, wide = rows[i / 2].wide;
        DWORD flags, pid = own ? GetCurrentProcessId() : puppet.pid;
        SOCKET client, server, duplicate;
        struct puppet_message *message = puppet.message;

        source_inherits = i & 1;
        winetest_push_context( "%s, source %s", rows[i / 2].program,
                               source_inherits ? "inheritable" : "not inheritable" );
        tcp_pair( &client, &server );
        set_inherit( server, source_inherits );
        check_ok( wide ? WSADuplicateSocketW( server, pid, &message->info_w )
                       : WSADuplicateSocketA( server, pid, &message->info_a ) );
        if ( rows[i / 2].close_first ) check_ok( closesocket( server ) );
        message->family = rows[i / 2].family;
        message->type = rows[i / 2].type;
        message->protocol = rows[i / 2].protocol;
        message->flags = rows[i / 2].flags;
        if ( !own ) duplicate = puppet_do( &puppet, wide ? PUPPET_OPEN_W : PUPPET_OPEN_A );
        else if ( wide )
            duplicate =
                WSASocketW( message->family, message->type, message->protocol, &message->info_w, 0, message->flags );
        else
            duplicate =
                WSASocketA( message->family, message->type, message->protocol, &message->info_a, 0, message->flags );
        ok( duplicate != INVALID_SOCKET, "no duplicate, error %d\n", WSAGetLastError() );
        /* a duplicate is inheritable like any new socket, whatever the source's handle is */
        if ( own ) flags = handle_flags( duplicate );
        else
        {
            check_result( puppet_do_on( &puppet, PUPPET_HANDLE_FLAGS, duplicate ), 1 );
            flags = message->value;
        }
        ok( ( flags & HANDLE_FLAG_INHERIT ) ==
                ( rows[i / 2].flags & WSA_FLAG_NO_HANDLE_INHERIT ? 0 : HANDLE_FLAG_INHERIT ),
            "handle flags %#lx\n", flags );
        if ( own )
        {
            if ( rows[i / 2].clear_inheritance ) set_inherit( duplicate, FALSE );
            check_flow( client, duplicate );
            check_flow( duplicate, client );
        }
        else
        {
            check_result( puppet_send( &puppet, duplicate, "there" ), 5 );
            check_result( recv( client, message->data, 5, MSG_WAITALL ), 5 );
        }
        if ( !rows[i / 2].close_first )
        {
            ok( !( handle_flags( server ) & HANDLE_FLAG_INHERIT ) == !source_inherits, "the source's flags changed\n" );
            check_flow( server, client );
            check_ok( closesocket( server ) );
            check_open( client );
        }
        check_ok( own ? closesocket( duplicate ) : puppet_do_on( &puppet, PUPPET_CLOSE, duplicate ) );
        check_eof( client );
        closesocket( client );
        winetest_pop_context();
    }
    puppet_destroy( &puppet );
}

/* The seed's scenario: the target asks for nothing but its own id and the info. */
static void test_scenario( void )
{
    SOCKET listener, server, source, target;
    union address address;
    struct puppet puppet;
    WSAPROTOCOL_INFOA info;
    char buffer[16];

    listener = tcp_listener( AF_INET, &address );
    source = WSASocketA( AF_INET, SOCK_STREAM, IPPROTO_TCP, NULL, 0, WSA_FLAG_OVERLAPPED );
    check_ok( WSAConnect( source, &address.any, sizeof( address.v4 ), NULL, NULL, NULL, NULL ) );
    server = accept( listener, NULL, NULL );
    puppet_create( &puppet, 0 );
    check_ok( WSADuplicateSocketA( source, puppet.pid, &info ) );
    target = puppet_open_a( &puppet, &info, WSA_FLAG_OVERLAPPED );
    ok( target != INVALID_SOCKET, "no duplicate, error %d\n", WSAGetLastError() );
    check_result( send( source, "source", 6, 0 ), 6 );
    check_result( puppet_send( &puppet, target, "target" ), 6 );
    check_result( recv( server, buffer, 12, MSG_WAITALL ), 12 );
    ok( !memcmp( buffer, "sourcetarget", 12 ), "got %.12s\n", buffer );
    check_ok( closesocket( source ) );
    check_open( server );
    check_result( puppet_send( &puppet, target, "again" ), 5 );
    check_result( recv( server, buffer, 5, MSG_WAITALL ), 5 );
    check_ok( puppet_do_on( &puppet, PUPPET_CLOSE, target ) );
    check_eof( server );
    puppet_destroy( &puppet );
    closesocket( server );
    closesocket( listener );
}

START_TEST( handover )
{
    char **argv;
    int argc = winetest_get_mainargs( &argv );

    if ( argc == 5 && !strcmp( argv[2], "backend" ) )
    {
        backend_child( (HANDLE)(ULONG_PTR)strtoul( argv[3], NULL, 10 ),
                       (HANDLE)(ULONG_PTR)strtoul( argv[4], NULL, 10 ) );
        return;
    }
    if ( argc == 3 && !strcmp( argv[2], "worker" ) ) return worker_child();
    if ( argc == 3 && !strcmp( argv[2], "cluster" ) ) return cluster_child();
    support_begin();
    test_scenario();
    test_postgresql();
    test_suspended_dies();
    test_suspended_resumes();
    test_apache();
    test_libuv();
    test_ways_to_open();
    support_end();
}
