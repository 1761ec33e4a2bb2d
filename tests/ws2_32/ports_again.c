/*
 * A port is free again as soon as the last socket on it is closed, or the process that had it is seen to have ended: the next
 * bind has it, whatever was going on on the socket. A listener that was shared refuses then, too.
 */
#include "puppets.h"

#define ROUNDS 10

/* What is on the socket when it is closed. */
enum busy
{
    IDLE,
    SHARED,        /* a duplicate in this process, which goes first */
    SHARED_LAST,   /* and which goes last */
    IN_CALL,       /* a thread waits in it */
    IN_SELECT,     /* or for it */
    PENDING,       /* a request without an end */
    SHARED_PENDING /* the same, through the duplicate */
};

static LPFN_ACCEPTEX accept_ex;

static SOCKET socket_at( int type, const union address *address )
{
    const SOCKET s = socket( address->any.sa_family, type, 0 );

    check_ok( bind( s, &address->any, address_length( address->any.sa_family ) ) );
    return s;
}

static SOCKET socket_on_some_port( int family, int type, union address *address )
{
    int size = sizeof( *address );
    SOCKET s;

    address_loopback( address, family, 0 );
    s = socket_at( type, address );
    check_ok( getsockname( s, &address->any, &size ) );
    if ( type == SOCK_STREAM ) check_ok( listen( s, 4 ) );
    return s;
}

static SOCKET duplicate_of( SOCKET s )
{
    WSAPROTOCOL_INFOA info;

    check_ok( WSADuplicateSocketA( s, GetCurrentProcessId(), &info ) );
    return WSASocketA( FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0, WSA_FLAG_OVERLAPPED );
}

static void check_free( const char *what, int type, const union address *address )
{
    const int size = address_length( address->any.sa_family );
    SOCKET s = socket( address->any.sa_family, type, 0 );

    ok( !bind( s, &address->any, size ), "%s: its port is not free: %d\n", what, WSAGetLastError() );
    check_ok( closesocket( s ) );
}

struct user
{
    SOCKET s;
    int type;
    BOOL selects;
    HANDLE begins;
};

static DWORD WINAPI use( void *context )
{
    const struct user user = *(struct user *)context;
    fd_set read = { 1, { user.s } };
    char byte;

    SetEvent( user.begins );
    if ( user.selects ) select( 0, &read, NULL, NULL, NULL );
    else if ( user.type == SOCK_STREAM ) accept( user.s, NULL, NULL );
    else recv( user.s, &byte, 1, 0 );
    return 0;
}

static HANDLE begin_use( SOCKET s, int type, BOOL selects )
{
    struct user user = { s, type, selects, CreateEventW( NULL, TRUE, FALSE, NULL ) };
    HANDLE thread = CreateThread( NULL, 0, use, &user, 0, NULL );

    WaitForSingleObject( user.begins, INFINITE );
    CloseHandle( user.begins );
    Sleep( 10 ); /* or it has not yet come to the call, which is fine */
    return thread;
}

static SOCKET begin_request( SOCKET s, int type, OVERLAPPED *ov )
{
    static char buffer[256];
    WSABUF in = { sizeof( buffer ), buffer };
    SOCKET acceptor = INVALID_SOCKET;
    DWORD count, flags = 0;

    if ( type == SOCK_STREAM )
    {
        SOCKADDR_STORAGE name;
        int size = sizeof( name );

        check_ok( getsockname( s, (struct sockaddr *)&name, &size ) );
        acceptor = socket( name.ss_family, SOCK_STREAM, 0 );
        check_error( accept_ex( s, acceptor, buffer, 0, size + 16, size + 16, &count, ov ), FALSE, ERROR_IO_PENDING );
    }
    else check_fails( WSARecv( s, &in, 1, NULL, &flags, ov, NULL ), WSA_IO_PENDING );
    return acceptor;
}

static void test_closed( int family, int type, enum busy busy )
{
    static const char *const names[] = { "idle",      "shared",  "shared, the duplicate last", "in a call",
                                         "in select", "pending", "pending on a duplicate" };

    winetest_push_context( "%s, %s, %s", family == AF_INET ? "IPv4" : "IPv6",
                           type == SOCK_STREAM ? "stream" : "datagram", names[busy] );
    for ( int i = 0; i < ROUNDS; i++ )
    {
        OVERLAPPED ov = { .hEvent = CreateEventW( NULL, TRUE, FALSE, NULL ) };
        SOCKET duplicate = INVALID_SOCKET, acceptor = INVALID_SOCKET, s;
        union address address;
        HANDLE thread = NULL;

        s = socket_on_some_port( family, type, &address );
        if ( busy == SHARED || busy == SHARED_LAST || busy == SHARED_PENDING ) duplicate = duplicate_of( s );
        if ( busy == IN_CALL || busy == IN_SELECT ) thread = begin_use( s, type, busy == IN_SELECT );
        if ( busy == PENDING || busy == SHARED_PENDING )
            acceptor = begin_request( busy == PENDING ? s : duplicate, type, &ov );
        if ( busy == SHARED ) check_ok( closesocket( duplicate ) );
        check_ok( closesocket( s ) );
        if ( busy == SHARED_LAST || busy == SHARED_PENDING ) check_ok( closesocket( duplicate ) );
        check_free( "closed", type, &address );
        if ( type == SOCK_STREAM && ( busy == SHARED || busy == SHARED_LAST ) )
        {
            s = socket( family, SOCK_STREAM, 0 );
            check_fails( connect( s, &address.any, address_length( family ) ), WSAECONNREFUSED );
            check_ok( closesocket( s ) );
        }
        if ( thread ) ok( !WaitForSingleObject( thread, 20000 ), "the thread hangs\n" );
        if ( thread ) CloseHandle( thread );
        if ( acceptor != INVALID_SOCKET ) closesocket( acceptor );
        if ( busy == PENDING || busy == SHARED_PENDING )
            ok( !WaitForSingleObject( ov.hEvent, 20000 ), "the request has no end\n" );
        CloseHandle( ov.hEvent );
    }
    winetest_pop_context();
}

/* The child has the last descriptor: opened, or only meant for it. */
static void test_ended( int type, BOOL killed, BOOL opened )
{
    winetest_push_context( "%s, %s, %s", type == SOCK_STREAM ? "stream" : "datagram", killed ? "killed" : "leaves",
                           opened ? "opened" : "not opened" );
    for ( int i = 0; i < 3; i++ )
    {
        union address address;
        WSAPROTOCOL_INFOA info;
        struct puppet puppet;
        SOCKET s;

        puppet_create( &puppet, 0 );
        s = socket_on_some_port( AF_INET, type, &address );
        check_ok( WSADuplicateSocketA( s, puppet.pid, &info ) );
        if ( opened ) puppet_open_a( &puppet, &info, WSA_FLAG_OVERLAPPED );
        check_ok( closesocket( s ) );
        if ( killed ) puppet_kill( &puppet );
        else puppet_destroy( &puppet );
        check_free( "ended", type, &address );
    }
    winetest_pop_context();
}

/* What another process has closed, as it says. */
static void test_closed_there( int type )
{
    struct puppet puppet;

    winetest_push_context( "%s", type == SOCK_STREAM ? "stream" : "datagram" );
    puppet_create( &puppet, 0 );
    for ( int i = 0; i < ROUNDS; i++ )
    {
        union address address;
        WSAPROTOCOL_INFOA info;
        SOCKET s = socket_on_some_port( AF_INET, type, &address ), other;

        check_ok( WSADuplicateSocketA( s, puppet.pid, &info ) );
        other = puppet_open_a( &puppet, &info, WSA_FLAG_OVERLAPPED );
        check_ok( closesocket( s ) );
        s = socket( AF_INET, type, 0 );
        check_fails( bind( s, &address.any, sizeof( address.v4 ) ), WSAEADDRINUSE );
        check_ok( puppet_do_on( &puppet, PUPPET_CLOSE, other ) );
        ok( !bind( s, &address.any, sizeof( address.v4 ) ), "its port is not free: %d\n", WSAGetLastError() );
        check_ok( closesocket( s ) );
    }
    puppet_destroy( &puppet );
    winetest_pop_context();
}

START_TEST( ports_again )
{
    GUID guid = WSAID_ACCEPTEX;
    DWORD count;
    SOCKET s;

    if ( support_begin() ) return;
    s = socket( AF_INET, SOCK_STREAM, 0 );
    check_ok( WSAIoctl( s, SIO_GET_EXTENSION_FUNCTION_POINTER, &guid, sizeof( guid ), &accept_ex, sizeof( accept_ex ),
                        &count, NULL, NULL ) );
    check_ok( closesocket( s ) );
    for ( enum busy busy = IDLE; busy <= SHARED_PENDING; busy++ )
    {
        test_closed( AF_INET, SOCK_STREAM, busy );
        test_closed( AF_INET, SOCK_DGRAM, busy );
        if ( have_ipv6() ) test_closed( AF_INET6, SOCK_STREAM, busy );
    }
    for ( int kind = 0; kind < 4; kind++ )
    {
        test_ended( SOCK_STREAM, kind & 1, kind >> 1 );
        test_ended( SOCK_DGRAM, kind & 1, kind >> 1 );
    }
    test_closed_there( SOCK_STREAM );
    test_closed_there( SOCK_DGRAM );
    support_end();
}
