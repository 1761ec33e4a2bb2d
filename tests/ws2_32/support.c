/* What several test files share; see support.h. */
#include "support.h"

static LONG puppet_count;

/* --- addresses -------------------------------------------------------------------------------------------------------*/

int address_loopback( union address *address, int family, int port )
{
    memset( address, 0, sizeof( *address ) );
    address->any.sa_family = family;
    if ( family == AF_INET6 )
    {
        address->v6.sin6_addr.s6_addr[15] = 1;
        address->v6.sin6_port = htons( port );
        return sizeof( address->v6 );
    }
    address->v4.sin_addr.s_addr = htonl( INADDR_LOOPBACK );
    address->v4.sin_port = htons( port );
    return sizeof( address->v4 );
}

int address_any( union address *address, int family, int port )
{
    int length = address_loopback( address, family, port );

    if ( family == AF_INET6 ) address->v6.sin6_addr.s6_addr[15] = 0;
    else address->v4.sin_addr.s_addr = 0;
    return length;
}

int address_port( const union address *address )
{
    return ntohs( address->any.sa_family == AF_INET6 ? address->v6.sin6_port : address->v4.sin_port );
}

int socket_port( SOCKET s )
{
    union address address;
    int length = sizeof( address );

    memset( &address, 0, sizeof( address ) );
    check_ok( getsockname( s, &address.any, &length ) );
    return address_port( &address );
}

BOOL have_administrator( void )
{
    TOKEN_ELEVATION elevation = { 0 };
    HANDLE token;
    DWORD size;

    if ( winetest_is_wine() || !OpenProcessToken( GetCurrentProcess(), TOKEN_QUERY, &token ) ) return FALSE;
    GetTokenInformation( token, TokenElevation, &elevation, sizeof( elevation ), &size );
    CloseHandle( token );
    return elevation.TokenIsElevated;
}

BOOL have_ipv6( void )
{
    static int known = -1;
    union address address;
    SOCKET s;

    if ( known < 0 )
    {
        s = WSASocketA( AF_INET6, SOCK_STREAM, IPPROTO_TCP, NULL, 0, 0 );
        known = s != INVALID_SOCKET && !bind( s, &address.any, address_loopback( &address, AF_INET6, 0 ) );
        if ( s != INVALID_SOCKET ) closesocket( s );
    }
    return known;
}

/* --- sockets ---------------------------------------------------------------------------------------------------------*/

static SOCKET bound( int family, int type, union address *address )
{
    union address own;
    SOCKET s = socket( family, type, 0 );
    int length;

    if ( !address ) address = &own;
    ok( s != INVALID_SOCKET, "socket failed, error %d\n", WSAGetLastError() );
    length = address_loopback( address, family, 0 );
    check_ok( bind( s, &address->any, length ) );
    length = sizeof( *address );
    check_ok( getsockname( s, &address->any, &length ) );
    return s;
}

SOCKET tcp_bound( int family, union address *address ) { return bound( family, SOCK_STREAM, address ); }
SOCKET tcp_client( const union address *address )
{
    SOCKET s = socket( AF_INET, SOCK_STREAM, 0 );

    check_ok( connect( s, &address->any, sizeof( address->v4 ) ) );
    return s;
}

SOCKET udp_bound( int family, union address *address ) { return bound( family, SOCK_DGRAM, address ); }

SOCKET tcp_listener( int family, union address *address )
{
    SOCKET s = bound( family, SOCK_STREAM, address );

    check_ok( listen( s, 16 ) );
    return s;
}

void set_nonblocking( SOCKET s, BOOL on )
{
    u_long value = on;

    check_ok( ioctlsocket( s, FIONBIO, &value ) );
}

void receive_byte( SOCKET s, OVERLAPPED *ov, HANDLE event, char *byte )
{
    WSABUF buffer = { 1, byte };
    DWORD flags = 0;

    memset( ov, 0, sizeof( *ov ) );
    ov->hEvent = event;
    check_fails( WSARecv( s, &buffer, 1, NULL, &flags, ov, NULL ), WSA_IO_PENDING );
}

void set_receive_timeout( SOCKET s, DWORD milliseconds )
{
    check_ok( setsockopt( s, SOL_SOCKET, SO_RCVTIMEO, (char *)&milliseconds, sizeof( milliseconds ) ) );
}

void tcp_pair_family( int family, SOCKET *client, SOCKET *server )
{
    union address address;
    SOCKET listener = tcp_listener( family, &address );

    *client = socket( family, SOCK_STREAM, IPPROTO_TCP );
    check_ok( connect( *client, &address.any, family == AF_INET6 ? sizeof( address.v6 ) : sizeof( address.v4 ) ) );
    *server = accept_one( listener );
    check_ok( closesocket( listener ) );
    set_receive_timeout( *client, 10000 );
    set_receive_timeout( *server, 10000 );
}

void tcp_pair_with( DWORD flags, SOCKET *client, SOCKET *server )
{
    SOCKET listener = WSASocketW( AF_INET, SOCK_STREAM, IPPROTO_TCP, NULL, 0, flags );
    union address address;
    int length = address_loopback( &address, AF_INET, 0 );

    check_ok( bind( listener, &address.any, length ) );
    check_ok( getsockname( listener, &address.any, &length ) );
    check_ok( listen( listener, 1 ) );
    *client = WSASocketW( AF_INET, SOCK_STREAM, IPPROTO_TCP, NULL, 0, flags );
    check_ok( connect( *client, &address.any, length ) );
    *server = accept( listener, NULL, NULL );
    ok( *server != INVALID_SOCKET, "accept failed, error %d\n", WSAGetLastError() );
    check_ok( closesocket( listener ) );
    set_receive_timeout( *client, 10000 );
    set_receive_timeout( *server, 10000 );
}

void tcp_pair( SOCKET *client, SOCKET *server ) { tcp_pair_family( AF_INET, client, server ); }

BOOL wait_readable( SOCKET s, DWORD milliseconds )
{
    struct timeval timeout = { milliseconds / 1000, milliseconds % 1000 * 1000 };
    fd_set set;

    FD_ZERO( &set );
    FD_SET( s, &set );
    return select( 0, &set, NULL, NULL, &timeout ) == 1;
}

SOCKET accept_one_( const char *file, int line, SOCKET listener )
{
    SOCKET s;

    if ( !wait_readable( listener, 10000 ) )
    {
        ok_( file, line )( 0, "no connection came\n" );
        return INVALID_SOCKET;
    }
    s = accept( listener, NULL, NULL );
    ok_( file, line )( s != INVALID_SOCKET, "accept failed, error %d\n", WSAGetLastError() );
    return s;
}

void check_flow_( const char *file, int line, SOCKET from, SOCKET to )
{
    char buffer[16] = { 0 };
    int result;

    result = send( from, "flow", 4, 0 );
    ok_( file, line )( result == 4, "send returned %d, error %d\n", result, WSAGetLastError() );
    if ( result != 4 ) return;
    ok_( file, line )( wait_readable( to, 10000 ), "nothing arrived\n" );
    result = recv( to, buffer, sizeof( buffer ), 0 );
    ok_( file, line )( result == 4 && !memcmp( buffer, "flow", 4 ), "recv returned %d, error %d, data %.16s\n", result,
                       WSAGetLastError(), buffer );
}

void check_open_( const char *file, int line, SOCKET s )
{
    char byte;
    int result;

    if ( !wait_readable( s, 50 ) )
    {
        ok_( file, line )( 1, "idle\n" );
        return;
    }
    result = recv( s, &byte, 1, MSG_PEEK );
    ok_( file, line )( 0, "recv returned %d, error %d on a connection that should be idle\n", result,
                       WSAGetLastError() );
}

void check_refused_( const char *file, int line, const union address *address )
{
    int length = address->any.sa_family == AF_INET6 ? sizeof( address->v6 ) : sizeof( address->v4 ), result, error;
    DWORD begin = GetTickCount();

    do {
        SOCKET s = socket( address->any.sa_family, SOCK_STREAM, 0 );

        result = connect( s, &address->any, length );
        error = WSAGetLastError();
        closesocket( s );
        if ( result ) break;
        Sleep( 20 );
    } while ( GetTickCount() - begin < 5000 );
    ok_( file, line )( result == SOCKET_ERROR && error == WSAECONNREFUSED, "connect returned %d, error %d\n", result,
                       error );
}

void check_eof_( const char *file, int line, SOCKET s )
{
    char byte;
    int result;

    if ( !wait_readable( s, 10000 ) )
    {
        ok_( file, line )( 0, "the end of the stream was not seen within 10 s\n" );
        return;
    }
    WSASetLastError( 0 );
    result = recv( s, &byte, 1, 0 );
    ok_( file, line )( !result, "recv returned %d, error %d instead of the end\n", result, WSAGetLastError() );
}

/* --- memory that faults and guards -----------------------------------------------------------------------------------*/

void *memory_unmapped( void )
{
    static void *page;

    if ( !page ) page = VirtualAlloc( NULL, 65536, MEM_RESERVE, PAGE_NOACCESS );
    return (char *)page + 256;
}

void *memory_read_only( void )
{
    static void *page;

    if ( !page ) page = VirtualAlloc( NULL, 65536, MEM_RESERVE | MEM_COMMIT, PAGE_READONLY );
    return page;
}

void *memory_before_fault( size_t size )
{
    char *pages = VirtualAlloc( NULL, 65536 * 2, MEM_RESERVE, PAGE_NOACCESS );

    VirtualAlloc( pages, 65536, MEM_COMMIT, PAGE_READWRITE );
    return pages + 65536 - size;
}

void *guard_buffer[5];
static DWORD guard_thread, guard_code;
static void *guard_handler;

static void guard_land( void ) { __builtin_longjmp( guard_buffer, 1 ); }

/* The faulting thread goes on in guard_land, on its own stack, as if it had been called there. */
static LONG CALLBACK guard_fault( EXCEPTION_POINTERS *pointers )
{
    DWORD code = pointers->ExceptionRecord->ExceptionCode;

    if ( guard_thread != GetCurrentThreadId() || code < 0xc0000000 ) return EXCEPTION_CONTINUE_SEARCH;
    guard_code = code;
#ifdef __i386__
    pointers->ContextRecord->Eip = (DWORD)(ULONG_PTR)guard_land;
    pointers->ContextRecord->Esp = ( ( pointers->ContextRecord->Esp - 256 ) & ~15u ) - 4;
#else
    pointers->ContextRecord->Rip = (DWORD64)(ULONG_PTR)guard_land;
    pointers->ContextRecord->Rsp = ( ( pointers->ContextRecord->Rsp - 256 ) & ~(DWORD64)15 ) - 8;
#endif
    return EXCEPTION_CONTINUE_EXECUTION;
}

void guard_enter( void )
{
    if ( !guard_handler ) guard_handler = AddVectoredExceptionHandler( TRUE, guard_fault );
    guard_code = 0;
    guard_thread = GetCurrentThreadId();
}

int guard_leave( void )
{
    guard_thread = 0;
    return guard_code;
}

/* --- children --------------------------------------------------------------------------------------------------------*/

const char *child_program( void )
{
    static char name[MAX_PATH];
    char **argv;

    if ( GetEnvironmentVariableA( "WINETEST_CHILD", name, sizeof( name ) ) ) return name;
    winetest_get_mainargs( &argv );
    return argv[0];
}

HANDLE run_child( const char *arguments, HANDLE in, HANDLE out, DWORD flags, HANDLE *thread )
{
    STARTUPINFOA startup = { .cb = sizeof( startup ), .dwFlags = STARTF_USESTDHANDLES };
    PROCESS_INFORMATION process = { 0 };
    char command[1024], **argv;

    winetest_get_mainargs( &argv );
    snprintf( command, sizeof( command ), "\"%s\" %s %s", child_program(), argv[1], arguments );
    startup.hStdInput = in ? in : GetStdHandle( STD_INPUT_HANDLE );
    startup.hStdOutput = out ? out : GetStdHandle( STD_OUTPUT_HANDLE );
    startup.hStdError = GetStdHandle( STD_ERROR_HANDLE );
    ok( CreateProcessA( NULL, command, NULL, NULL, TRUE, flags, NULL, NULL, &startup, &process ),
        "CreateProcess failed, error %lu\n", GetLastError() );
    if ( thread ) *thread = process.hThread;
    else CloseHandle( process.hThread );
    return process.hProcess;
}

static void puppet_names( const char *name, char mapping[64], char request[64], char reply[64] )
{
    snprintf( mapping, 64, "ws2-test-%s-mapping", name );
    snprintf( request, 64, "ws2-test-%s-request", name );
    snprintf( reply, 64, "ws2-test-%s-reply", name );
}

void puppet_create( struct puppet *puppet, unsigned int flags )
{
    STARTUPINFOA startup = { .cb = sizeof( startup ) };
    PROCESS_INFORMATION process = { 0 };
    char command[1024], name[32], mapping[64], request[64], reply[64], **argv;

    snprintf( name, sizeof( name ), "%lx-%lx", GetCurrentProcessId(), InterlockedIncrement( &puppet_count ) );
    puppet_names( name, mapping, request, reply );
    memset( puppet, 0, sizeof( *puppet ) );
    puppet->mapping =
        CreateFileMappingA( INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, sizeof( struct puppet_message ), mapping );
    puppet->message = MapViewOfFile( puppet->mapping, FILE_MAP_WRITE, 0, 0, 0 );
    puppet->request = CreateEventA( NULL, FALSE, FALSE, request );
    puppet->reply = CreateEventA( NULL, FALSE, FALSE, reply );
    winetest_get_mainargs( &argv );
    snprintf( command, sizeof( command ), "\"%s\" %s puppet %s %s", child_program(), argv[1], name,
              flags & PUPPET_BARE ? "bare" : "started" );
    ok( CreateProcessA( NULL, command, NULL, NULL, !!( flags & PUPPET_INHERITS ),
                        flags & PUPPET_SUSPENDED ? CREATE_SUSPENDED : 0, NULL, NULL, &startup, &process ),
        "CreateProcess failed, error %lu\n", GetLastError() );
    puppet->process = process.hProcess;
    puppet->thread = process.hThread;
    puppet->pid = process.dwProcessId;
}

void puppet_resume( struct puppet *puppet ) { ResumeThread( puppet->thread ); }

static void puppet_release( struct puppet *puppet )
{
    UnmapViewOfFile( puppet->message );
    CloseHandle( puppet->mapping );
    CloseHandle( puppet->request );
    CloseHandle( puppet->reply );
    CloseHandle( puppet->process );
    CloseHandle( puppet->thread );
}

void puppet_kill( struct puppet *puppet )
{
    TerminateProcess( puppet->process, 0 );
    ok( !WaitForSingleObject( puppet->process, 20000 ), "the child did not end\n" );
    puppet_release( puppet );
}

void puppet_destroy( struct puppet *puppet )
{
    DWORD code;

    puppet->message->call = PUPPET_EXIT;
    SetEvent( puppet->request );
    if ( WaitForSingleObject( puppet->process, 20000 ) )
    {
        ok( 0, "the child did not end\n" );
        TerminateProcess( puppet->process, 1 );
    }
    else
    {
        GetExitCodeProcess( puppet->process, &code );
        ok( !code, "the child ended with %#lx\n", code );
    }
    puppet_release( puppet );
}

LONGLONG puppet_do( struct puppet *puppet, enum puppet_call call )
{
    HANDLE handles[2] = { puppet->reply, puppet->process };
    DWORD wait;

    puppet->message->call = call;
    SetEvent( puppet->request );
    wait = WaitForMultipleObjects( 2, handles, FALSE, 30000 );
    if ( wait )
    {
        ok( 0, "call %d of the child: %s\n", call, wait == WAIT_OBJECT_0 + 1 ? "it died" : "no answer within 30 s" );
        WSASetLastError( WSASYSCALLFAILURE );
        return -1;
    }
    WSASetLastError( puppet->message->error );
    return puppet->message->result;
}

LONGLONG puppet_do_on( struct puppet *puppet, enum puppet_call call, SOCKET s )
{
    puppet->message->s = s;
    return puppet_do( puppet, call );
}

SOCKET puppet_open_a( struct puppet *puppet, const WSAPROTOCOL_INFOA *info, DWORD flags )
{
    struct puppet_message *message = puppet->message;

    message->family = message->type = message->protocol = FROM_PROTOCOL_INFO;
    message->info_a = *info;
    message->flags = flags;
    return puppet_do( puppet, PUPPET_OPEN_A );
}

SOCKET puppet_open_w( struct puppet *puppet, const WSAPROTOCOL_INFOW *info, DWORD flags )
{
    struct puppet_message *message = puppet->message;

    message->family = message->type = message->protocol = FROM_PROTOCOL_INFO;
    message->info_w = *info;
    message->flags = flags;
    return puppet_do( puppet, PUPPET_OPEN_W );
}

int puppet_send_( struct puppet *puppet, SOCKET s, const char *text, int length )
{
    memcpy( puppet->message->data, text, length );
    puppet->message->length = length;
    return puppet_do_on( puppet, PUPPET_SEND, s );
}

/* The puppet's one AcceptEx. */
static struct
{
    SOCKET acceptor;
    OVERLAPPED ov;
    char buffer[2 * ( sizeof( struct sockaddr_in ) + 16 )];
} accepting;

/* The one overlapped receive that a puppet has pending. */
static struct
{
    OVERLAPPED ov;
    char data[sizeof( ( (struct puppet_message *)0 )->data )];
} receiving;

static LONGLONG puppet_recv_ex( SOCKET s, DWORD size )
{
    WSABUF buffer = { size, receiving.data };
    DWORD flags = 0;

    memset( &receiving, 0, sizeof( receiving ) );
    receiving.ov.hEvent = CreateEventW( NULL, TRUE, FALSE, NULL );
    return WSARecv( s, &buffer, 1, NULL, &flags, &receiving.ov, NULL ) && WSAGetLastError() == WSA_IO_PENDING;
}

static LONGLONG puppet_received( struct puppet_message *message )
{
    if ( WaitForSingleObject( receiving.ov.hEvent, message->value ) ) return -2;
    CloseHandle( receiving.ov.hEvent );
    memcpy( message->data, receiving.data, sizeof( message->data ) );
    message->option = receiving.ov.Internal;
    return receiving.ov.Internal ? -1 : (LONGLONG)receiving.ov.InternalHigh;
}

static LONGLONG puppet_accept_ex( SOCKET s )
{
    const DWORD slot = sizeof( struct sockaddr_in ) + 16;
    GUID guid = WSAID_ACCEPTEX;
    LPFN_ACCEPTEX accept_ex;
    DWORD size;

    if ( WSAIoctl( s, SIO_GET_EXTENSION_FUNCTION_POINTER, &guid, sizeof( guid ), &accept_ex, sizeof( accept_ex ), &size,
                   NULL, NULL ) )
        return 0;
    memset( &accepting, 0, sizeof( accepting ) );
    accepting.acceptor = socket( AF_INET, SOCK_STREAM, 0 );
    accepting.ov.hEvent = CreateEventW( NULL, TRUE, FALSE, NULL );
    return !accept_ex( s, accepting.acceptor, accepting.buffer, 0, slot, slot, &size, &accepting.ov ) &&
           WSAGetLastError() == ERROR_IO_PENDING;
}

static LONGLONG puppet_accepted( DWORD milliseconds )
{
    if ( WaitForSingleObject( accepting.ov.hEvent, milliseconds ) || accepting.ov.Internal ) return 0;
    return accepting.acceptor;
}

static LONGLONG puppet_post( DWORD pid, HANDLE port )
{
    HANDLE process = OpenProcess( PROCESS_DUP_HANDLE, FALSE, pid ), ours = NULL;
    BOOL done = DuplicateHandle( process, port, GetCurrentProcess(), &ours, 0, FALSE, DUPLICATE_SAME_ACCESS ) &&
                PostQueuedCompletionStatus( ours, 0, 42, NULL );

    CloseHandle( ours );
    CloseHandle( process );
    return done;
}

static LONGLONG puppet_perform( struct puppet_message *message, HANDLE event )
{
    int address_length = message->address.any.sa_family == AF_INET6  ? sizeof( struct sockaddr_in6 )
                         : message->address.any.sa_family == AF_UNIX ? 110 /* SOCKADDR_UN */
                                                                     : sizeof( struct sockaddr_in );
    WSANETWORKEVENTS events = { 0 };
    LONGLONG result;
    DWORD count;
    WSADATA data;

    switch ( message->call )
    {
    case PUPPET_STARTUP: return WSAStartup( MAKEWORD( 2, 2 ), &data );
    case PUPPET_CLEANUP: return WSACleanup();
    case PUPPET_OPEN_A:
        return (INT_PTR)WSASocketA( message->family, message->type, message->protocol, &message->info_a, 0,
                                    message->flags );
    case PUPPET_OPEN_W:
        return (INT_PTR)WSASocketW( message->family, message->type, message->protocol, &message->info_w, 0,
                                    message->flags );
    case PUPPET_NEW:
        return (INT_PTR)WSASocketW( message->family, message->type, message->protocol, NULL, 0, message->flags );
    case PUPPET_DUPLICATE: return WSADuplicateSocketA( message->s, message->pid, &message->info_a );
    case PUPPET_CLOSE: return closesocket( message->s );
    case PUPPET_CLOSE_HANDLE: return CloseHandle( (HANDLE)(ULONG_PTR)message->s );
    case PUPPET_SEND: return send( message->s, message->data, message->length, 0 );
    case PUPPET_RECV: return recv( message->s, message->data, sizeof( message->data ), 0 );
    case PUPPET_ACCEPT: return (INT_PTR)accept( message->s, NULL, NULL );
    case PUPPET_ACCEPT_EX: return puppet_accept_ex( message->s );
    case PUPPET_ACCEPTED: return puppet_accepted( message->value );
    case PUPPET_RECV_EX: return puppet_recv_ex( message->s, message->value );
    case PUPPET_RECEIVED: return puppet_received( message );
    case PUPPET_CONNECT: return connect( message->s, &message->address.any, address_length );
    case PUPPET_BIND: return bind( message->s, &message->address.any, address_length );
    case PUPPET_LISTEN: return listen( message->s, 8 );
    case PUPPET_SHUTDOWN: return shutdown( message->s, message->value );
    case PUPPET_GETSOCKOPT:
        return getsockopt( message->s, message->level, message->option, message->data, &message->length );
    case PUPPET_SETSOCKOPT:
        return setsockopt( message->s, message->level, message->option, message->data, message->length );
    case PUPPET_IOCTL: return ioctlsocket( message->s, message->option, (u_long *)&message->value );
    case PUPPET_EVENT_SELECT: return WSAEventSelect( message->s, message->value ? event : NULL, message->value );
    case PUPPET_WAIT_EVENT: return WaitForSingleObject( event, message->value ) == WAIT_OBJECT_0;
    case PUPPET_ENUM_EVENTS:
        result = WSAEnumNetworkEvents( message->s, event, &events );
        message->value = events.lNetworkEvents;
        return result;
    case PUPPET_GETPEERNAME:
        message->length = sizeof( message->address );
        return getpeername( message->s, &message->address.any, &message->length );
    case PUPPET_GETSOCKNAME:
        message->length = sizeof( message->address );
        return getsockname( message->s, &message->address.any, &message->length );
    case PUPPET_WRITE_FILE:
        return WriteFile( (HANDLE)(ULONG_PTR)message->s, message->data, message->length, &count, NULL )
                   ? (LONGLONG)count
                   : -1;
    case PUPPET_READ_FILE:
        return ReadFile( (HANDLE)(ULONG_PTR)message->s, message->data, sizeof( message->data ), &count, NULL )
                   ? (LONGLONG)count
                   : -1;
    case PUPPET_HANDLE_FLAGS: return GetHandleInformation( (HANDLE)(ULONG_PTR)message->s, &message->value );
    case PUPPET_POST: return puppet_post( message->value, (HANDLE)(ULONG_PTR)message->s );
    case PUPPET_ASSOCIATE: return CreateIoCompletionPort( (HANDLE)(ULONG_PTR)message->s, NULL, 0, 0 ) != NULL;
    case PUPPET_EXIT: ExitProcess( 0 );
    }
    return -1;
}

/* A puppet whose parent is gone gives up by itself. */
static void puppet_main( const char *name, BOOL started )
{
    char mapping[64], request_name[64], reply_name[64];
    struct puppet_message *message;
    HANDLE request, reply, event = CreateEventA( NULL, TRUE, FALSE, NULL );
    WSADATA data;

    puppet_names( name, mapping, request_name, reply_name );
    message = MapViewOfFile( OpenFileMappingA( FILE_MAP_WRITE, FALSE, mapping ), FILE_MAP_WRITE, 0, 0, 0 );
    request = OpenEventA( SYNCHRONIZE, FALSE, request_name );
    reply = OpenEventA( EVENT_MODIFY_STATE, FALSE, reply_name );
    if ( !message || !request || !reply ) ExitProcess( 100 );
    if ( started && WSAStartup( MAKEWORD( 2, 2 ), &data ) ) ExitProcess( 101 );
    while ( !WaitForSingleObject( request, 60000 ) )
    {
        WSASetLastError( ERROR_UNTOUCHED );
        message->result = puppet_perform( message, event );
        message->error = WSAGetLastError();
        SetEvent( reply );
    }
    ExitProcess( 102 );
}

int support_begin( void )
{
    WSADATA data;
    char **argv;
    int argc = winetest_get_mainargs( &argv );

    if ( argc == 5 && !strcmp( argv[2], "puppet" ) ) puppet_main( argv[3], !strcmp( argv[4], "started" ) );
    ok( !WSAStartup( MAKEWORD( 2, 2 ), &data ), "WSAStartup failed\n" );
    return argc > 2;
}

void support_end( void ) { check_ok( WSACleanup() ); }
