/*
 * SO_BROADCAST (facts: windows-behaviour 12.1): sending to a broadcast address needs it, in all ways to send to an address;
 * connecting to one does not, nor does sending on the socket that is connected.
 */
#include "support.h"

static void set_broadcast( SOCKET s, int value )
{
    check_ok( setsockopt( s, SOL_SOCKET, SO_BROADCAST, (char *)&value, sizeof( value ) ) );
}

#define check_broadcast( s, expected ) check_broadcast_( __LINE__, s, expected )
static void check_broadcast_( int line, SOCKET s, int expected )
{
    int value = 0xdead, size = sizeof( value );

    ok_( __FILE__, line )( !getsockopt( s, SOL_SOCKET, SO_BROADCAST, (char *)&value, &size ) && value == expected,
                           "SO_BROADCAST is %d\n", value );
}

enum way
{
    SENDTO,
    WSASENDTO,
    OVERLAPPED_SENDTO,
    SENDMSG,
    WAYS
};

/* Bytes sent, or -1 and the last error. address NULL: to whom the socket is connected. */
static int send_by( enum way way, SOCKET s, const union address *address )
{
    const int length = address ? sizeof( address->v4 ) : 0;
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL );
    WSAOVERLAPPED ov = { .hEvent = event };
    WSABUF buffer = { 4, (char *)"test" };
    WSAMSG message = { .name = address ? (SOCKADDR *)&address->any : NULL, .namelen = length };
    DWORD size = 0, flags;
    int result = -1;

    message.lpBuffers = &buffer;
    message.dwBufferCount = 1;
    WSASetLastError( 0 );
    switch ( way )
    {
    case SENDTO: result = address ? sendto( s, "test", 4, 0, &address->any, length ) : send( s, "test", 4, 0 ); break;
    case WSASENDTO:
        if ( !WSASendTo( s, &buffer, 1, &size, 0, address ? &address->any : NULL, length, NULL, NULL ) ) result = size;
        break;
    case OVERLAPPED_SENDTO:
        if ( ( !WSASendTo( s, &buffer, 1, NULL, 0, address ? &address->any : NULL, length, &ov, NULL ) ||
               WSAGetLastError() == WSA_IO_PENDING ) &&
             WSAGetOverlappedResult( s, &ov, &size, TRUE, &flags ) )
            result = size;
        break;
    case SENDMSG:
        if ( !WSASendMsg( s, &message, 0, &size, NULL, NULL ) ) result = size;
        break;
    case WAYS: break;
    }
    CloseHandle( event );
    return result;
}

static void test_permission( enum way way, BOOL by_wsa )
{
    SOCKET s = socket( AF_INET, SOCK_DGRAM, 0 );
    union address all = { 0 }, loopback, none = { 0 };
    SOCKET receiver = udp_bound( AF_INET, &loopback );
    char data[16];

    winetest_push_context( "way %d", way );
    all.v4.sin_family = AF_INET;
    all.v4.sin_port = htons( 12345 );
    all.v4.sin_addr.s_addr = INADDR_BROADCAST;

    check_broadcast( s, 0 );
    check_fails( send_by( way, s, &all ), WSAEACCES );
    set_broadcast( s, 1 );
    if ( send_by( way, s, &all ) == -1 && WSAGetLastError() != WSAEACCES )
    {
        /* nothing goes out */
        skip( "no network to broadcast to, error %d\n", WSAGetLastError() );
        closesocket( receiver );
        closesocket( s );
        winetest_pop_context();
        return;
    }
    check_result( send_by( way, s, &all ), 4 );
    set_broadcast( s, 0 );
    check_broadcast( s, 0 );
    check_fails( send_by( way, s, &all ), WSAEACCES );

    if ( by_wsa ) check_ok( WSAConnect( s, &all.any, sizeof( all.v4 ), NULL, NULL, NULL, NULL ) );
    else check_ok( connect( s, &all.any, sizeof( all.v4 ) ) );
    check_broadcast( s, 0 );
    check_fails( send_by( way, s, &all ), WSAEACCES );
    check_result( send_by( way, s, NULL ), 4 );
    check_fails( send_by( way, s, &all ), WSAEACCES );
    check_broadcast( s, 0 );
    /* other addresses are as they were */
    check_result( send_by( way, s, &loopback ), 4 );
    check_result( recv( receiver, data, sizeof( data ), 0 ), 4 );

    set_broadcast( s, 1 );
    check_broadcast( s, 1 );
    check_result( send_by( way, s, &all ), 4 );
    check_result( send_by( way, s, NULL ), 4 );
    set_broadcast( s, 0 );
    check_result( send_by( way, s, NULL ), 4 );
    check_fails( send_by( way, s, &all ), WSAEACCES );

    /* and once more without a connection */
    check_ok( connect( s, &none.any, sizeof( none.v4 ) ) );
    check_fails( send_by( way, s, &all ), WSAEACCES );
    closesocket( receiver );
    closesocket( s );
    winetest_pop_context();
}

/* What two processes share. */
static void test_shared( void )
{
    SOCKET s = socket( AF_INET, SOCK_DGRAM, 0 ), other;
    union address all = { 0 };
    WSAPROTOCOL_INFOA info;

    all.v4.sin_family = AF_INET;
    all.v4.sin_port = htons( 12345 );
    all.v4.sin_addr.s_addr = INADDR_BROADCAST;
    check_ok( WSADuplicateSocketA( s, GetCurrentProcessId(), &info ) );
    other = WSASocketA( 0, 0, 0, &info, 0, WSA_FLAG_OVERLAPPED );
    if ( !connect( s, &all.any, sizeof( all.v4 ) ) )
    {
        check_broadcast( other, 0 );
        check_fails( send_by( SENDTO, other, &all ), WSAEACCES );
    }
    else skip( "no network to broadcast to, error %d\n", WSAGetLastError() );
    closesocket( other );
    closesocket( s );
}

/* IPv6 has no broadcasts: its multicasts need no option. */
static void test_ipv6( void )
{
    SOCKET s = socket( AF_INET6, SOCK_DGRAM, 0 );
    union address all = { 0 };

    all.v6.sin6_family = AF_INET6;
    all.v6.sin6_port = htons( 12345 );
    all.v6.sin6_addr.s6_addr[0] = 0xff;
    all.v6.sin6_addr.s6_addr[1] = 0x01;
    all.v6.sin6_addr.s6_addr[15] = 0x01;
    check_result( sendto( s, "test", 4, 0, &all.any, sizeof( all.v6 ) ), 4 );
    closesocket( s );
}

START_TEST( broadcast )
{
    if ( support_begin() ) return;
    for ( enum way way = 0; way < WAYS; way++ )
        for ( BOOL by_wsa = FALSE; by_wsa <= TRUE; by_wsa++ ) test_permission( way, by_wsa );
    test_shared();
    if ( have_ipv6() ) test_ipv6();
    support_end();
}
