/*
 * Counts of buffers and sockets whose product with a size is more than 32 bits hold: refused, whatever little stands behind them
 * in memory, and nothing is written to what comes after it.
 */
#include "requests.h"

/* times 8, 12, 16 or 32, and more: something small when only 32 bits are kept */
static const DWORD counts[] = { 0x08000001, 0x10000001, 0x15555556, 0x20000001, 0x40000001, 0x80000001, 0xffffffff };

#define check_refused_count( call ) \
    do { \
        long long result_; \
        int error_; \
        WSASetLastError( ERROR_UNTOUCHED ); \
        result_ = guarded( call ); \
        error_ = WSAGetLastError(); \
        ok( result_ == SOCKET_ERROR, "%s returned %lld\n", #call, result_ ); \
        ok( error_ == WSAEFAULT || error_ == WSAENOBUFS || error_ == WSAEINVAL || error_ == WSAEMSGSIZE, \
            "%s gave error %d\n", #call, error_ ); \
    } while ( 0 )

static void test_buffers( SOCKET s, SOCKET peer, SOCKET datagram, const union address *address )
{
    WSABUF *buffers = memory_before_fault( 4 * sizeof( WSABUF ) );
    LPFN_TRANSMITPACKETS transmit_packets = NULL;
    LPFN_WSARECVMSG receive_message = NULL;
    TRANSMIT_PACKETS_ELEMENT *elements = memory_before_fault( sizeof( *elements ) );
    char data[4][16];
    DWORD size;
    unsigned int i;

    for ( i = 0; i < 4; i++ )
    {
        buffers[i].len = sizeof( data[i] );
        buffers[i].buf = data[i];
    }
    memset( elements, 0, sizeof( *elements ) );
    elements->dwElFlags = TP_ELEMENT_MEMORY;
    elements->cLength = sizeof( data );
    elements->pBuffer = data;
    transmit_packets = extension( s, (GUID)WSAID_TRANSMITPACKETS );
    receive_message = extension( datagram, (GUID)WSAID_WSARECVMSG );
    for ( i = 0; i < ARRAY_SIZE( counts ); i++ )
    {
        const DWORD count = counts[i];
        WSAMSG message = { (struct sockaddr *)&address->any, sizeof( address->v4 ), buffers, count, { 0, NULL }, 0 };
        OVERLAPPED ov = { 0 };
        DWORD flags = 0;

        winetest_push_context( "%#lx", count );
        check_refused_count( WSASend( s, buffers, count, &size, 0, NULL, NULL ) );
        check_refused_count( WSARecv( s, buffers, count, &size, &flags, NULL, NULL ) );
        check_refused_count( WSASend( s, buffers, count, NULL, 0, &ov, NULL ) );
        check_refused_count( WSARecv( s, buffers, count, NULL, &flags, &ov, NULL ) );
        check_refused_count(
            WSASendTo( datagram, buffers, count, &size, 0, &address->any, sizeof( address->v4 ), NULL, NULL ) );
        check_refused_count( WSARecvFrom( datagram, buffers, count, &size, &flags, NULL, NULL, NULL, NULL ) );
        check_refused_count( WSASendMsg( datagram, &message, 0, &size, NULL, NULL ) );
        check_refused_count( receive_message( datagram, &message, &size, NULL, NULL ) );
        check_refused_count( transmit_packets( s, elements, count, 0, NULL, 0 ) ? 0 : SOCKET_ERROR );
        winetest_pop_context();
    }
    check_open( s );
    check_open( peer );
    VirtualFree( (void *)( (UINT_PTR)buffers & ~(UINT_PTR)0xffff ), 0, MEM_RELEASE );
    VirtualFree( (void *)( (UINT_PTR)elements & ~(UINT_PTR)0xffff ), 0, MEM_RELEASE );
}

static void test_sockets( SOCKET s )
{
    WSAPOLLFD *polls = memory_before_fault( 2 * sizeof( *polls ) );
    fd_set *set = memory_before_fault( FIELD_OFFSET( fd_set, fd_array[2] ) );
    struct timeval none = { 0, 0 };
    unsigned int i;

    polls[0].fd = polls[1].fd = s;
    polls[0].events = polls[1].events = POLLWRNORM;
    for ( i = 0; i < ARRAY_SIZE( counts ); i++ )
    {
        winetest_push_context( "%#lx", counts[i] );
        check_refused_count( WSAPoll( polls, counts[i], 0 ) );
        set->fd_count = counts[i];
        set->fd_array[0] = set->fd_array[1] = s;
        check_refused_count( select( 0, NULL, set, NULL, &none ) );
        winetest_pop_context();
    }
    VirtualFree( (void *)( (UINT_PTR)polls & ~(UINT_PTR)0xffff ), 0, MEM_RELEASE );
    VirtualFree( (void *)( (UINT_PTR)set & ~(UINT_PTR)0xffff ), 0, MEM_RELEASE );
}

START_TEST( counts )
{
    union address address;
    SOCKET client, server, datagram;

    if ( support_begin() ) return;
    tcp_pair( &client, &server );
    datagram = udp_bound( AF_INET, &address );
    set_nonblocking( datagram, TRUE );
    set_nonblocking( client, TRUE );
    test_buffers( client, server, datagram, &address );
    test_sockets( client );
    check_flow( server, client );
    check_ok( closesocket( datagram ) );
    check_ok( closesocket( client ) );
    check_ok( closesocket( server ) );
    support_end();
}
