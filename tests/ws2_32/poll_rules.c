/*
 * WSAPoll by rule: the order of its checks, what it counts, which bits may be asked of whatever kind of socket, and what each
 * state of a socket shows.
 */
#include "support.h"

#define BAD_HANDLE ( (SOCKET)0xabacab )
#define POLL_ALL ( POLLRDNORM | POLLRDBAND | POLLWRNORM )

static void test_poll_checks( SOCKET idle )
{
    const struct
    {
        WSAPOLLFD fds[2];
        int count, result, error;
        short revents[2];
    } rows[] = {
        { { { idle, POLLIN, 0 }, { BAD_HANDLE, POLLERR, 0 } }, 2, -1, WSAEINVAL, { 0, 0 } },
        { { { BAD_HANDLE, POLLERR, 0 }, { idle, POLLIN, 0 } }, 2, -1, WSAEINVAL, { 0, 0 } },
        { { { idle, POLLHUP, 0 }, { INVALID_SOCKET, POLLIN, 0 } }, 2, -1, WSAEINVAL, { 0, 0 } },
        { { { INVALID_SOCKET, POLLERR, 0 }, { idle, POLLIN, 0 } }, 2, 0, 0, { POLLNVAL, 0 } },
        { { { idle, POLLIN, 0 }, { BAD_HANDLE, POLLIN, 0 } }, 2, 0, 0, { 0, POLLNVAL } },
        { { { idle, POLLOUT, 0 }, { BAD_HANDLE, POLLIN, 0 } }, 2, 1, 0, { POLLOUT, POLLNVAL } },
        { { { INVALID_SOCKET, POLLIN, 0 }, { idle, POLLOUT, 0 } }, 2, 1, 0, { POLLNVAL, POLLOUT } },
        { { { INVALID_SOCKET, POLLERR, 0 }, { BAD_HANDLE, POLLERR, 0 } }, 2, -1, WSAENOTSOCK, { POLLNVAL, POLLNVAL } },
        { { { BAD_HANDLE, POLLIN, 0 }, { BAD_HANDLE, POLLIN, 0 } }, 2, -1, WSAENOTSOCK, { POLLNVAL, POLLNVAL } },
        { { { INVALID_SOCKET, POLLIN, 0 } }, 1, -1, WSAENOTSOCK, { POLLNVAL } },
        { { { idle, POLLIN, 0 } }, 1, 0, 0, { 0 } },
        { { { idle, 0, 0 } }, 1, 0, 0, { 0 } },
    };
    unsigned int i;

    for ( i = 0; i < ARRAY_SIZE( rows ); i++ )
    {
        WSAPOLLFD fds[2];
        int result, j;

        winetest_push_context( "row %u", i );
        memcpy( fds, rows[i].fds, sizeof( fds ) );
        fds[0].revents = fds[1].revents = -1;
        WSASetLastError( 0xdeadbeef );
        result = WSAPoll( fds, rows[i].count, 0 );
        ok( result == rows[i].result && WSAGetLastError() == rows[i].error, "got %d, error %d\n", result,
            WSAGetLastError() );
        for ( j = 0; j < rows[i].count; j++ )
            ok( fds[j].revents == rows[i].revents[j], "entry %d: %#x\n", j, fds[j].revents );
        winetest_pop_context();
    }
    check_fails( WSAPoll( NULL, 0, 0 ), WSAEINVAL );
    check_fails( WSAPoll( NULL, 0, -1 ), WSAEINVAL );
    check_fails( WSAPoll( NULL, 1, 0 ), WSAEFAULT );
}

/* Each bit but three is one that cannot be asked for. */
static void test_poll_bits( SOCKET s )
{
    unsigned int bit;

    for ( bit = 0; bit < 16; bit++ )
    {
        WSAPOLLFD fd = { s, (short)( 1u << bit ), -1 };

        winetest_push_context( "bit %#x", 1u << bit );
        if ( ( 1u << bit ) & POLL_ALL ) check_result( WSAPoll( &fd, 1, 0 ), fd.revents != 0 );
        else check_fails( WSAPoll( &fd, 1, 0 ), WSAEINVAL );
        fd.events = (short)( POLLRDNORM | 1u << bit );
        if ( ( 1u << bit ) & POLL_ALL ) check_result( WSAPoll( &fd, 1, 0 ), fd.revents != 0 );
        else
        {
            check_fails( WSAPoll( &fd, 1, 0 ), WSAEINVAL );
            ok( !fd.revents, "got %#x\n", fd.revents );
        }
        winetest_pop_context();
    }
}

/* Of whatever kind of socket they are asked. */
static void test_poll_bits_of( int family )
{
    union address address;
    SOCKET listener = tcp_listener( family, &address ), s;

    test_poll_bits( listener );
    closesocket( listener );
    s = udp_bound( family, &address );
    test_poll_bits( s );
    closesocket( s );
    s = socket( family, SOCK_DGRAM, 0 );
    test_poll_bits( s );
    closesocket( s );
    s = socket( family, SOCK_STREAM, 0 );
    test_poll_bits( s );
    closesocket( s );
}

/* Within moments it is so, and stays so. */
#define check_poll( s, events, expected ) check_poll_( __LINE__, s, events, expected )
static void check_poll_( int line, SOCKET s, short events, short expected )
{
    WSAPOLLFD fd = { s, events, -1 };
    int result = -1, i;

    for ( i = 0; i < 150; i++ )
    {
        result = WSAPoll( &fd, 1, 0 );
        if ( fd.revents == expected ) break;
        Sleep( 20 );
    }
    ok_( __FILE__, line )( fd.revents == expected, "got %#x, expected %#x\n", fd.revents, expected );
    ok_( __FILE__, line )( result == !!expected, "got %d, error %d\n", result, WSAGetLastError() );
    result = WSAPoll( &fd, 1, 0 );
    ok_( __FILE__, line )( fd.revents == expected && result == !!expected, "then %#x\n", fd.revents );
}

static void test_poll_states( int family )
{
    union address address, closed;
    SOCKET listener = tcp_listener( family, &address ), client = socket( family, SOCK_STREAM, 0 ), server, s, holder;
    int size = family == AF_INET ? sizeof( address.v4 ) : sizeof( address.v6 ), on = 1;
    struct linger reset = { 1, 0 };
    char byte;

    check_poll( listener, POLL_ALL, 0 );
    check_ok( connect( client, &address.any, size ) );
    check_poll( listener, POLL_ALL, POLLRDNORM );
    check_poll( listener, POLLRDBAND | POLLWRNORM, 0 );
    server = accept_one( listener );
    check_poll( listener, POLL_ALL, 0 );
    check_poll( client, POLL_ALL, POLLWRNORM );
    check_poll( server, POLL_ALL, POLLWRNORM );
    check_poll( server, 0, 0 );
    check_result( send( client, "x", 1, 0 ), 1 );
    check_poll( server, POLL_ALL, POLLWRNORM | POLLRDNORM );
    check_result( recv( server, &byte, 1, 0 ), 1 );
    check_poll( server, POLL_ALL, POLLWRNORM );
    check_result( send( client, "x", 1, MSG_OOB ), 1 );
    check_poll( server, POLL_ALL, POLLWRNORM | POLLRDBAND );
    check_result( recv( server, &byte, 1, MSG_OOB ), 1 );
    check_poll( server, POLL_ALL, POLLWRNORM );
    check_ok( setsockopt( server, SOL_SOCKET, SO_OOBINLINE, (char *)&on, sizeof( on ) ) );
    check_result( send( client, "x", 1, MSG_OOB ), 1 );
    check_poll( server, POLL_ALL, POLLWRNORM | POLLRDNORM );
    check_result( recv( server, &byte, 1, 0 ), 1 );
    check_poll( server, POLL_ALL, POLLWRNORM );
    closesocket( client );
    check_poll( server, POLL_ALL, POLLWRNORM | POLLHUP );
    check_poll( server, 0, POLLHUP );
    closesocket( server );

    tcp_pair_family( family, &client, &server );
    check_ok( shutdown( client, SD_RECEIVE ) );
    check_poll( client, POLL_ALL, POLLWRNORM );
    check_poll( server, POLL_ALL, POLLWRNORM );
    check_result( send( client, "x", 1, 0 ), 1 );
    check_ok( shutdown( client, SD_SEND ) );
    check_poll( client, POLL_ALL, POLLWRNORM );
    check_poll( server, POLL_ALL, POLLWRNORM | POLLRDNORM | POLLHUP );
    check_result( recv( server, &byte, 1, 0 ), 1 );
    check_poll( server, POLL_ALL, POLLWRNORM | POLLHUP );
    closesocket( client );
    closesocket( server );

    tcp_pair_family( family, &client, &server );
    check_ok( setsockopt( client, SOL_SOCKET, SO_LINGER, (char *)&reset, sizeof( reset ) ) );
    closesocket( client );
    check_poll( server, POLL_ALL, POLLWRNORM | POLLHUP | POLLERR );
    check_poll( server, 0, POLLHUP | POLLERR );
    closesocket( server );

    holder = tcp_bound( family, &closed );
    s = socket( family, SOCK_STREAM, 0 );
    set_nonblocking( s, TRUE );
    check_fails( connect( s, &closed.any, size ), WSAEWOULDBLOCK );
    check_poll( s, POLL_ALL, POLLWRNORM | POLLHUP | POLLERR );
    check_poll( s, 0, POLLHUP | POLLERR );
    closesocket( s );
    s = socket( family, SOCK_STREAM, 0 );
    check_fails( connect( s, &closed.any, size ), WSAECONNREFUSED );
    check_poll( s, POLL_ALL, POLLWRNORM | POLLHUP | POLLERR );
    closesocket( s );
    closesocket( holder );
    closesocket( listener );

    s = socket( family, SOCK_DGRAM, 0 );
    check_poll( s, POLL_ALL, POLLWRNORM );
    closesocket( s );
    s = udp_bound( family, &address );
    check_poll( s, POLL_ALL, POLLWRNORM );
    check_result( sendto( s, "x", 1, 0, &address.any, size ), 1 );
    check_poll( s, POLL_ALL, POLLWRNORM | POLLRDNORM );
    closesocket( s );
}

START_TEST( poll_rules )
{
    static const int families[] = { AF_INET, AF_INET6 };
    SOCKET client, server;
    unsigned int i;

    if ( support_begin() ) return;
    tcp_pair( &client, &server );
    test_poll_checks( server );
    test_poll_bits( server );
    closesocket( client );
    closesocket( server );
    for ( i = 0; i < ( have_ipv6() ? 2 : 1 ); i++ )
    {
        winetest_push_context( "family %d", families[i] );
        test_poll_bits_of( families[i] );
        test_poll_states( families[i] );
        winetest_pop_context();
    }
    support_end();
}
