/*
 * Input that no function may crash on: pointers that are NULL, point nowhere or at read-only memory, wrong lengths, and
 * handles that are no sockets. Each call is guarded: a crash in it is one failed check and the run goes on.
 */
#include "support.h"

/* --- handles: every function, every kind of value that is no socket --------------------------------------------------*/

enum call
{
    CALL_ACCEPT,
    CALL_BIND,
    CALL_CLOSESOCKET,
    CALL_CONNECT,
    CALL_GETPEERNAME,
    CALL_GETSOCKNAME,
    CALL_GETSOCKOPT,
    CALL_IOCTLSOCKET,
    CALL_LISTEN,
    CALL_RECV,
    CALL_RECVFROM,
    CALL_SEND,
    CALL_SENDTO,
    CALL_SETSOCKOPT,
    CALL_SHUTDOWN,
    CALL_WSAACCEPT,
    CALL_WSACONNECT,
    CALL_WSADUPLICATESOCKETA,
    CALL_WSADUPLICATESOCKETW,
    CALL_WSAENUMNETWORKEVENTS,
    CALL_WSAEVENTSELECT,
    CALL_WSAIOCTL,
    CALL_WSARECV,
    CALL_WSARECVFROM,
    CALL_WSARECVDISCONNECT,
    CALL_WSASEND,
    CALL_WSASENDTO,
    CALL_WSASENDDISCONNECT,
    CALL_SELECT,
    CALL_COUNT
};

static const char *const call_names[CALL_COUNT] = {
    "accept",
    "bind",
    "closesocket",
    "connect",
    "getpeername",
    "getsockname",
    "getsockopt",
    "ioctlsocket",
    "listen",
    "recv",
    "recvfrom",
    "send",
    "sendto",
    "setsockopt",
    "shutdown",
    "WSAAccept",
    "WSAConnect",
    "WSADuplicateSocketA",
    "WSADuplicateSocketW",
    "WSAEnumNetworkEvents",
    "WSAEventSelect",
    "WSAIoctl",
    "WSARecv",
    "WSARecvFrom",
    "WSARecvDisconnect",
    "WSASend",
    "WSASendTo",
    "WSASendDisconnect",
    "select",
};

static LONGLONG perform( enum call call, SOCKET s )
{
    static HANDLE event;
    struct timeval zero = { 0, 0 };
    union address address;
    WSANETWORKEVENTS events;
    WSAPROTOCOL_INFOA info_a;
    WSAPROTOCOL_INFOW info_w;
    int length = sizeof( address ), value = 0;
    char buffer[8] = "buffer";
    WSABUF buf = { sizeof( buffer ), buffer };
    DWORD count, flags = 0;
    u_long argument = 1;
    fd_set set;

    if ( !event ) event = CreateEventA( NULL, TRUE, FALSE, NULL );
    address_loopback( &address, AF_INET, 9 );
    FD_ZERO( &set );
    FD_SET( s, &set );
    switch ( call )
    {
    case CALL_ACCEPT: return (int)accept( s, &address.any, &length );
    case CALL_BIND: return bind( s, &address.any, 16 );
    case CALL_CLOSESOCKET: return closesocket( s );
    case CALL_CONNECT: return connect( s, &address.any, 16 );
    case CALL_GETPEERNAME: return getpeername( s, &address.any, &length );
    case CALL_GETSOCKNAME: return getsockname( s, &address.any, &length );
    case CALL_GETSOCKOPT:
        length = sizeof( value );
        return getsockopt( s, SOL_SOCKET, SO_TYPE, (char *)&value, &length );
    case CALL_IOCTLSOCKET: return ioctlsocket( s, FIONBIO, &argument );
    case CALL_LISTEN: return listen( s, 1 );
    case CALL_RECV: return recv( s, buffer, sizeof( buffer ), 0 );
    case CALL_RECVFROM: return recvfrom( s, buffer, sizeof( buffer ), 0, &address.any, &length );
    case CALL_SEND: return send( s, buffer, 1, 0 );
    case CALL_SENDTO: return sendto( s, buffer, 1, 0, &address.any, 16 );
    case CALL_SETSOCKOPT: return setsockopt( s, SOL_SOCKET, SO_REUSEADDR, (char *)&value, sizeof( value ) );
    case CALL_SHUTDOWN: return shutdown( s, SD_BOTH );
    case CALL_WSAACCEPT: return (int)WSAAccept( s, NULL, NULL, NULL, 0 );
    case CALL_WSACONNECT: return WSAConnect( s, &address.any, 16, NULL, NULL, NULL, NULL );
    case CALL_WSADUPLICATESOCKETA: return WSADuplicateSocketA( s, GetCurrentProcessId(), &info_a );
    case CALL_WSADUPLICATESOCKETW: return WSADuplicateSocketW( s, GetCurrentProcessId(), &info_w );
    case CALL_WSAENUMNETWORKEVENTS: return WSAEnumNetworkEvents( s, NULL, &events );
    case CALL_WSAEVENTSELECT: return WSAEventSelect( s, event, FD_READ );
    case CALL_WSAIOCTL: return WSAIoctl( s, FIONBIO, &argument, sizeof( argument ), NULL, 0, &count, NULL, NULL );
    case CALL_WSARECV: return WSARecv( s, &buf, 1, &count, &flags, NULL, NULL );
    case CALL_WSARECVFROM: return WSARecvFrom( s, &buf, 1, &count, &flags, &address.any, &length, NULL, NULL );
    case CALL_WSARECVDISCONNECT: return WSARecvDisconnect( s, NULL );
    case CALL_WSASEND: return WSASend( s, &buf, 1, &count, 0, NULL, NULL );
    case CALL_WSASENDTO: return WSASendTo( s, &buf, 1, &count, 0, &address.any, 16, NULL, NULL );
    case CALL_WSASENDDISCONNECT: return WSASendDisconnect( s, NULL );
    case CALL_SELECT: return select( 0, &set, NULL, NULL, &zero );
    case CALL_COUNT: break;
    }
    return 0;
}

static void test_not_started( void )
{
    enum call call;

    for ( call = 0; call < CALL_COUNT; call++ )
    {
        winetest_push_context( "%s", call_names[call] );
        check_fails( guarded( perform( call, INVALID_SOCKET ) ), WSANOTINITIALISED );
        check_fails( guarded( perform( call, 4 ) ), WSANOTINITIALISED );
        winetest_pop_context();
    }
}

static void test_handles( void )
{
    char path[MAX_PATH], file_name[MAX_PATH];
    HANDLE file, event, pipe_read, pipe_write, thread, mapping;
    SOCKET closed = socket( AF_INET, SOCK_STREAM, 0 );
    unsigned int i;
    enum call call;
    DWORD flags;

    GetTempPathA( sizeof( path ), path );
    GetTempFileNameA( path, "ws2", 0, file_name );
    closesocket( closed );
    /* the first handle made after a socket is closed may well get its value */
    event = CreateEventA( NULL, TRUE, FALSE, NULL );
    file =
        CreateFileA( file_name, GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, FILE_FLAG_DELETE_ON_CLOSE, NULL );
    CreatePipe( &pipe_read, &pipe_write, NULL, 0 );
    DuplicateHandle( GetCurrentProcess(), GetCurrentThread(), GetCurrentProcess(), &thread, 0, FALSE,
                     DUPLICATE_SAME_ACCESS );
    mapping = CreateFileMappingA( INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 4096, NULL );
    {
        const struct
        {
            const char *what;
            SOCKET value;
            BOOL live;
        } handles[] = {
            { "INVALID_SOCKET", INVALID_SOCKET, FALSE },
            { "0", 0, FALSE },
            { "closed", closed, FALSE },
            { "1", 1, FALSE },
            { "garbage", 0x00badbad, FALSE },
            { "large garbage", (SOCKET)0x7fffffff0ull, FALSE },
            { "-2", (SOCKET)-2, FALSE },
            { "file", (SOCKET)file, TRUE },
            { "event", (SOCKET)event, TRUE },
            { "pipe, reading end", (SOCKET)pipe_read, TRUE },
            { "pipe, writing end", (SOCKET)pipe_write, TRUE },
            { "thread", (SOCKET)thread, TRUE },
            { "mapping", (SOCKET)mapping, TRUE },
        };

        for ( i = 0; i < ARRAY_SIZE( handles ); i++ )
        {
            for ( call = 0; call < CALL_COUNT; call++ )
            {
                winetest_push_context( "%s on %s", call_names[call], handles[i].what );
                check_fails( guarded( perform( call, handles[i].value ) ), WSAENOTSOCK );
                if ( handles[i].live )
                    ok( GetHandleInformation( (HANDLE)handles[i].value, &flags ), "the handle was closed\n" );
                winetest_pop_context();
            }
        }
    }
    CloseHandle( file );
    CloseHandle( event );
    CloseHandle( pipe_read );
    CloseHandle( pipe_write );
    CloseHandle( thread );
    CloseHandle( mapping );
}

/* --- pointers --------------------------------------------------------------------------------------------------------*/

enum pointer
{
    POINTER_NULL,
    POINTER_ONE,
    POINTER_UNMAPPED,
    POINTER_READ_ONLY,
    POINTER_COUNT
};

static const char *const pointer_names[POINTER_COUNT] = { "NULL", "(void *)1", "unmapped", "read-only" };

static void *bad_pointer( enum pointer pointer )
{
    switch ( pointer )
    {
    case POINTER_NULL: return NULL;
    case POINTER_ONE: return (void *)1;
    case POINTER_UNMAPPED: return memory_unmapped();
    case POINTER_READ_ONLY: return memory_read_only();
    case POINTER_COUNT: break;
    }
    return NULL;
}

#define faults( call ) check_fails( guarded( call ), WSAEFAULT )

/* What is only read: NULL and nowhere. */
static void test_inputs( void )
{
    union address address;
    SOCKET listener = tcp_listener( AF_INET, &address ), tcp, udp = udp_bound( AF_INET, NULL ), client, server;
    struct timeval zero = { 0, 0 };
    enum pointer pointer;
    DWORD count, on = 1;
    fd_set set;

    tcp_pair( &client, &server );
    tcp = socket( AF_INET, SOCK_STREAM, 0 );
    for ( pointer = POINTER_NULL; pointer <= POINTER_UNMAPPED; pointer++ )
    {
        void *bad = bad_pointer( pointer );
        WSABUF buf = { 16, bad }, good = { 4, (char *)"good" };

        winetest_push_context( "%s", pointer_names[pointer] );
        faults( bind( tcp, bad, 16 ) );
        faults( connect( tcp, bad, 16 ) );
        faults( WSAConnect( tcp, bad, 16, NULL, NULL, NULL, NULL ) );
        faults( send( client, bad, 16, 0 ) );
        faults( WSASend( client, &buf, 1, &count, 0, NULL, NULL ) );
        faults( WSASend( client, bad, 1, &count, 0, NULL, NULL ) );
        faults( sendto( udp, bad, 16, 0, &address.any, 16 ) );
        faults( WSASendTo( udp, &buf, 1, &count, 0, &address.any, 16, NULL, NULL ) );
        faults( WSASendTo( udp, bad, 1, &count, 0, &address.any, 16, NULL, NULL ) );
        if ( bad )
        {
            faults( sendto( udp, "x", 1, 0, bad, 16 ) );
            faults( WSASendTo( udp, &good, 1, &count, 0, bad, 16, NULL, NULL ) );
            FD_ZERO( &set );
            FD_SET( udp, &set );
            faults( select( 0, bad, NULL, NULL, &zero ) );
            faults( select( 0, NULL, &set, bad, &zero ) );
            faults( select( 0, NULL, &set, NULL, bad ) );
        }
        faults( setsockopt( tcp, SOL_SOCKET, SO_REUSEADDR, bad, 4 ) );
        faults( setsockopt( tcp, SOL_SOCKET, SO_LINGER, bad, 4 ) );
        faults( setsockopt( tcp, SOL_SOCKET, SO_RCVTIMEO, bad, 4 ) );
        faults( setsockopt( tcp, IPPROTO_TCP, TCP_NODELAY, bad, 1 ) );
        faults( setsockopt( udp, IPPROTO_IP, IP_TTL, bad, 4 ) );
        faults( ioctlsocket( tcp, FIONBIO, bad ) );
        faults( WSAIoctl( tcp, FIONBIO, bad, 4, NULL, 0, &count, NULL, NULL ) );
        winetest_pop_context();
    }
    /* the sockets are as they were */
    address_loopback( &address, AF_INET, socket_port( listener ) );
    check_ok( setsockopt( tcp, SOL_SOCKET, SO_REUSEADDR, (char *)&on, 4 ) );
    check_ok( connect( tcp, &address.any, 16 ) );
    check_flow( client, server );
    check_open( server );
    closesocket( tcp );
    closesocket( udp );
    closesocket( client );
    closesocket( server );
    closesocket( listener );
}

/* What is written: NULL, nowhere, and memory that may not be written. */
static void test_outputs( void )
{
    union address address, name;
    SOCKET listener = tcp_listener( AF_INET, &address ), client, server, udp, connection;
    enum pointer pointer;
    DWORD count, flags;
    char buffer[16];
    int length;

    tcp_pair( &client, &server );
    udp = udp_bound( AF_INET, &name );
    for ( pointer = 0; pointer < POINTER_COUNT; pointer++ )
    {
        void *bad = bad_pointer( pointer );
        WSABUF buf = { 16, bad }, good = { sizeof( buffer ), buffer };

        winetest_push_context( "%s", pointer_names[pointer] );
        length = 16;
        faults( getsockname( client, bad, &length ) );
        faults( getsockname( client, &name.any, bad ) );
        length = 16;
        faults( getpeername( client, bad, &length ) );
        faults( getpeername( client, &name.any, bad ) );
        length = 4;
        faults( getsockopt( client, SOL_SOCKET, SO_TYPE, bad, &length ) );
        faults( getsockopt( client, SOL_SOCKET, SO_TYPE, buffer, bad ) );
        length = 4;
        faults( getsockopt( client, SOL_SOCKET, SO_LINGER, bad, &length ) );
        length = 1;
        faults( getsockopt( client, IPPROTO_TCP, TCP_NODELAY, bad, &length ) );
        length = 628;
        faults( getsockopt( client, SOL_SOCKET, SO_PROTOCOL_INFOW, bad, &length ) );
        faults( ioctlsocket( client, FIONREAD, bad ) );
        faults( ioctlsocket( client, SIOCATMARK, bad ) );
        faults( WSAIoctl( client, FIONREAD, NULL, 0, bad, 4, &count, NULL, NULL ) );
        faults( WSAIoctl( client, FIONREAD, NULL, 0, &flags, 4, bad, NULL, NULL ) );
        faults( WSAIoctl( client, SIO_BASE_HANDLE, NULL, 0, &connection, sizeof( connection ), bad, NULL, NULL ) );
        faults( WSAPoll( bad, 1, 0 ) );
        faults( WSAEnumNetworkEvents( client, NULL, bad ) );

        /* data waits to be received; a call that cannot deliver it says so */
        check_result( send( server, "stream", 6, 0 ), 6 );
        ok( wait_readable( client, 5000 ), "nothing arrived\n" );
        faults( recv( client, bad, 16, 0 ) );
        flags = 0;
        faults( WSARecv( client, &buf, 1, &count, &flags, NULL, NULL ) );
        if ( pointer != POINTER_READ_ONLY ) faults( WSARecv( client, bad, 1, &count, &flags, NULL, NULL ) );
        faults( WSARecv( client, &good, 1, &count, bad, NULL, NULL ) );
        /* what is left of it is taken out of the way */
        set_nonblocking( client, TRUE );
        while ( recv( client, buffer, sizeof( buffer ), 0 ) > 0 ) continue;
        ok( WSAGetLastError() == WSAEWOULDBLOCK, "got error %d\n", WSAGetLastError() );
        set_nonblocking( client, FALSE );

        if ( bad )
        {
            connection = socket( AF_INET, SOCK_STREAM, 0 );
            check_ok( connect( connection, &address.any, 16 ) );
            length = 16;
            check_no_socket( guarded( accept( listener, bad, &length ) ), WSAEFAULT );
            closesocket( connection );
            closesocket( listener );
            listener = tcp_listener( AF_INET, &address );
        }
        winetest_pop_context();
    }
    check_flow( client, server );
    check_flow( server, client );
    closesocket( udp );
    closesocket( client );
    closesocket( server );
    closesocket( listener );
}

/* select rewrites its sets: one that may not be written, though there is nothing wrong with what it holds. */
static void test_read_only_set( void )
{
    fd_set *set = VirtualAlloc( NULL, 65536, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE );
    SOCKET s = udp_bound( AF_INET, NULL );
    struct timeval zero = { 0, 0 };
    DWORD old;

    FD_SET( s, set );
    VirtualProtect( set, 65536, PAGE_READONLY, &old );
    faults( select( 0, set, NULL, NULL, &zero ) );
    VirtualFree( set, 0, MEM_RELEASE );
    closesocket( s );
}

/* Byte counts of calls without OVERLAPPED are not optional. */
static void test_counts( void )
{
    SOCKET client, server;
    char buffer[8];
    WSABUF out = { 1, (char *)"x" }, in = { sizeof( buffer ), buffer };
    DWORD flags = 0;

    tcp_pair( &client, &server );
    faults( WSASend( client, &out, 1, NULL, 0, NULL, NULL ) );
    check_result( send( client, "y", 1, 0 ), 1 );
    ok( wait_readable( server, 5000 ), "nothing arrived\n" );
    faults( WSARecv( server, &in, 1, NULL, &flags, NULL, NULL ) );
    closesocket( client );
    closesocket( server );
}

static void test_lengths( void )
{
    union address address, name;
    SOCKET udp = udp_bound( AF_INET, &address ), tcp = socket( AF_INET, SOCK_STREAM, 0 );
    static const int short_lengths[] = { -1, 0, 1, 2, 15 };
    unsigned int i;
    char buffer[8];
    int length;

    for ( i = 0; i < ARRAY_SIZE( short_lengths ); i++ )
    {
        winetest_push_context( "length %d", short_lengths[i] );
        faults( bind( tcp, &address.any, short_lengths[i] ) );
        faults( connect( tcp, &address.any, short_lengths[i] ) );
        if ( short_lengths[i] > 0 ) faults( sendto( udp, "x", 1, 0, &address.any, short_lengths[i] ) );
        length = short_lengths[i];
        faults( getsockname( udp, &name.any, &length ) );
        winetest_pop_context();
    }
    faults( recv( udp, buffer, -1, 0 ) );
    faults( WSAIoctl( tcp, FIONBIO, &length, 3, NULL, 0, (DWORD *)buffer, NULL, NULL ) );
    closesocket( udp );
    closesocket( tcp );
}

START_TEST( badinput )
{
    char **argv;

    if ( winetest_get_mainargs( &argv ) == 2 ) test_not_started();
    support_begin();
    test_handles();
    test_inputs();
    test_outputs();
    test_read_only_set();
    test_counts();
    test_lengths();
    support_end();
}
