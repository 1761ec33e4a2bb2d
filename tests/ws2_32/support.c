/* What several test files share; see support.h. */
#include "puppets.h"

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

int address_length( int family )
{
    return family == AF_INET6 ? sizeof( struct sockaddr_in6 ) : sizeof( struct sockaddr_in );
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

BOOL own_network( void )
{
    char value[8];

    return GetEnvironmentVariableA( "WS2HOST_TEST_NETWORK", value, sizeof( value ) ) == 3 && !strcmp( value, "own" );
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

BOOL address_link_local( union address *address )
{
    SOCKET s = socket( AF_INET6, SOCK_DGRAM, 0 );
    char buffer[2048];
    SOCKET_ADDRESS_LIST *list = (SOCKET_ADDRESS_LIST *)buffer;
    DWORD size;
    BOOL found = FALSE;

    if ( !WSAIoctl( s, SIO_ADDRESS_LIST_QUERY, NULL, 0, buffer, sizeof( buffer ), &size, NULL, NULL ) )
        for ( int i = 0; i < list->iAddressCount && !found; i++ )
        {
            address->v6 = *(struct sockaddr_in6 *)list->Address[i].lpSockaddr;
            found = IN6_IS_ADDR_LINKLOCAL( &address->v6.sin6_addr ) && address->v6.sin6_scope_id;
        }
    closesocket( s );
    return found;
}

SOCKET udp_bound( int family, union address *address ) { return bound( family, SOCK_DGRAM, address ); }

SOCKET tcp_listener( int family, union address *address )
{
    SOCKET s = bound( family, SOCK_STREAM, address );

    check_ok( listen( s, 16 ) );
    return s;
}

int local_begin( void )
{
    SOCKET s;

    if ( support_begin() ) return 1;
    s = socket( AF_UNIX, SOCK_STREAM, 0 );
    if ( s != INVALID_SOCKET || WSAGetLastError() != WSAEAFNOSUPPORT )
    {
        closesocket( s );
        return 0;
    }
    win_skip( "there is no AF_UNIX\n" );
    support_end();
    return 1;
}

SOCKET local_socket( void )
{
    SOCKET s = socket( AF_UNIX, SOCK_STREAM, 0 );

    ok( s != INVALID_SOCKET, "error %d\n", WSAGetLastError() );
    return s;
}

int local_address( struct sockaddr_un *address, const char *path )
{
    memset( address, 0, sizeof( *address ) );
    address->sun_family = AF_UNIX;
    strcpy( address->sun_path, path );
    return sizeof( *address );
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

SOCKET deaf_listener( union address *address, SOCKET *fillers, unsigned int count )
{
    SOCKET listener = socket( AF_INET, SOCK_STREAM, 0 );
    int size = sizeof( *address );
    unsigned int i;

    check_ok( bind( listener, &address->any, address_loopback( address, AF_INET, 0 ) ) );
    check_ok( getsockname( listener, &address->any, &size ) );
    check_ok( listen( listener, 1 ) );
    for ( i = 0; i < count; i++ )
    {
        fillers[i] = socket( AF_INET, SOCK_STREAM, 0 );
        set_nonblocking( fillers[i], TRUE );
        connect( fillers[i], &address->any, sizeof( address->v4 ) );
    }
    return listener;
}

BOOL is_under_way( SOCKET s )
{
    struct timeval zero = { 0, 0 };
    fd_set write, except;

    FD_ZERO( &write );
    FD_ZERO( &except );
    FD_SET( s, &write );
    FD_SET( s, &except );
    return !select( 0, NULL, &write, &except, &zero );
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
    const int family = address->any.sa_family;
    int length = family == AF_UNIX ? sizeof( struct sockaddr_un ) : (size_t)address_length( family ), result, error;
    DWORD begin = GetTickCount();

    do {
        SOCKET s = socket( address->any.sa_family, SOCK_STREAM, 0 );

        result = connect( s, &address->any, length );
        error = WSAGetLastError();
        closesocket( s );
        if ( result && error != WSAECONNRESET ) break; /* reset: it let go in the middle */
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

void check_gone_( const char *file, int line, SOCKET s )
{
    char byte;
    int result;

    set_receive_timeout( s, 10000 );
    result = recv( s, &byte, 1, 0 );
    ok_( file, line )(
        !result || ( result < 0 && ( WSAGetLastError() == WSAECONNRESET || WSAGetLastError() == WSAECONNABORTED ) ),
        "recv returned %d, error %d instead of an end\n", result, WSAGetLastError() );
}

void await_accepted_( const char *file, int line, SOCKET s )
{
    const DWORD start = GetTickCount();
    DWORD seconds = ~0u;
    int size = sizeof( seconds );

    while ( !getsockopt( s, SOL_SOCKET, SO_CONNECT_TIME, (char *)&seconds, &size ) && seconds == ~0u &&
            GetTickCount() - start < 10000 )
        Sleep( 1 );
    ok_( file, line )( seconds != ~0u, "the acceptor has no connection\n" );
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

/* --- start and end ---------------------------------------------------------------------------------------------------*/

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
