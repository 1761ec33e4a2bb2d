/*
 * ioctlsocket and WSAIoctl: for each code the results, the byte count and the error of every form of the arguments; what
 * an OVERLAPPED changes for codes handled in the DLL and for those sent to the driver.
 */
#define NTDDI_VERSION 0x0A000006 /* for TCP_INFO_v0 */
#include "requests.h"
#include <mstcpip.h>

#ifndef SIO_IDEAL_SEND_BACKLOG_QUERY
#define SIO_IDEAL_SEND_BACKLOG_QUERY 0x4004747b
#endif
#define COUNT_UNTOUCHED 0xdeadbeef
#define NOT_IMPLEMENTED_CODE 0xdeadbeef

static DWORD count;

static int control( SOCKET s, DWORD code, void *in, DWORD in_size, void *out, DWORD out_size )
{
    count = COUNT_UNTOUCHED;
    return WSAIoctl( s, code, in, in_size, out, out_size, &count, NULL, NULL );
}

/* --- completions ------------------------------------------------------------------------------------------------------*/

/* A driver's code pends: the outcome comes with the completion. status 0: success */
static void check_pends( SOCKET s, DWORD code, void *out, DWORD out_size, DWORD status, int error, DWORD size )
{
    OVERLAPPED overlapped = { .Internal = 0xcccc, .InternalHigh = 0xcccc };
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL );

    overlapped.hEvent = event;
    count = COUNT_UNTOUCHED;
    check_fails( WSAIoctl( s, code, NULL, 0, out, out_size, &count, &overlapped, NULL ), WSA_IO_PENDING );
    ok( count == COUNT_UNTOUCHED, "count %lu\n", count );
    ok( !WaitForSingleObject( event, 1000 ), "the event is not signalled\n" );
    ok( (DWORD)overlapped.Internal == status, "status %#lx, expected %#lx\n", (DWORD)overlapped.Internal, status );
    ok( overlapped.InternalHigh == size, "size %lu, expected %lu\n", (DWORD)overlapped.InternalHigh, size );

    ResetEvent( event );
    memset( &routine_seen, 0, sizeof( routine_seen ) );
    check_fails( WSAIoctl( s, code, NULL, 0, out, out_size, &count, &overlapped, routine ), WSA_IO_PENDING );
    ok( SleepEx( 1000, TRUE ) == WAIT_IO_COMPLETION, "no completion\n" );
    ok( routine_seen.calls == 1, "%d calls\n", routine_seen.calls );
    ok( routine_seen.error == (DWORD)error, "error %lu, expected %d\n", routine_seen.error, error );
    ok( routine_seen.size == size, "size %lu, expected %lu\n", routine_seen.size, size );
    ok( !routine_seen.flags, "flags %#lx\n", routine_seen.flags );
    ok( routine_seen.overlapped == &overlapped, "another OVERLAPPED\n" );
    ok( WaitForSingleObject( event, 0 ) == WAIT_TIMEOUT, "the event is signalled beside a routine\n" );
    CloseHandle( event );
}

/* A code of the DLL succeeds at once, and completes with size 0. */
static void check_at_once( SOCKET s, DWORD code, void *in, DWORD in_size, void *out, DWORD out_size, DWORD expected )
{
    OVERLAPPED overlapped = { .Internal = 0xcccc, .InternalHigh = 0xcccc };
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL );

    overlapped.hEvent = event;
    count = COUNT_UNTOUCHED;
    check_clears( WSAIoctl( s, code, in, in_size, out, out_size, &count, &overlapped, NULL ), 0 );
    ok( count == expected, "count %lu, expected %lu\n", count, expected );
    ok( !overlapped.Internal && !overlapped.InternalHigh, "status %#lx, size %lu\n", (DWORD)overlapped.Internal,
        (DWORD)overlapped.InternalHigh );
    memset( &routine_seen, 0, sizeof( routine_seen ) );
    check_clears( WSAIoctl( s, code, in, in_size, out, out_size, &count, &overlapped, routine ), 0 );
    ok( SleepEx( 1000, TRUE ) == WAIT_IO_COMPLETION, "no completion\n" );
    ok( routine_seen.calls == 1 && !routine_seen.error && !routine_seen.size && !routine_seen.flags,
        "%d calls, error %lu, size %lu\n", routine_seen.calls, routine_seen.error, routine_seen.size );
    CloseHandle( event );
}

static void check_no_count( SOCKET s, DWORD code, void *in, DWORD in_size, void *out, DWORD out_size )
{
    OVERLAPPED overlapped = { 0 };

    check_fails( WSAIoctl( s, code, in, in_size, out, out_size, NULL, NULL, NULL ), WSAEFAULT );
    check_fails( WSAIoctl( s, code, in, in_size, out, out_size, NULL, &overlapped, NULL ), WSAEFAULT );
    check_fails( WSAIoctl( s, code, in, in_size, out, out_size, NULL, &overlapped, routine ), WSAEFAULT );
}

/* A code of the DLL fails at once too, and then nothing completes. */
static void check_not_begun( SOCKET s, DWORD code, void *in, DWORD in_size, void *out, DWORD out_size, int error,
                             DWORD expected )
{
    OVERLAPPED overlapped = { .Internal = 0xcccc, .InternalHigh = 0xdddd };
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL );

    overlapped.hEvent = event;
    count = COUNT_UNTOUCHED;
    check_fails( WSAIoctl( s, code, in, in_size, out, out_size, &count, &overlapped, NULL ), error );
    ok( count == expected, "count %lu, expected %lu\n", count, expected );
    ok( overlapped.Internal == 0xcccc && overlapped.InternalHigh == 0xdddd, "the OVERLAPPED was written\n" );
    ok( WaitForSingleObject( event, 0 ) == WAIT_TIMEOUT, "the event is signalled\n" );
    CloseHandle( event );
}

/* --- codes ------------------------------------------------------------------------------------------------------------*/

static void test_fionbio( void )
{
    SOCKET s = socket( AF_INET, SOCK_STREAM, 0 );
    u_long value = 1;
    char byte;
    WSAEVENT event;

    check_fails( guarded( ioctlsocket( s, FIONBIO, (u_long *)1 ) ), WSAEFAULT );
    check_fails( ioctlsocket( INVALID_SOCKET, FIONBIO, &value ), WSAENOTSOCK );
    check_no_count( s, FIONBIO, &value, sizeof( value ), NULL, 0 );
    check_fails( control( s, FIONBIO, &value, 3, NULL, 0 ), WSAEFAULT );
    check_clears( control( s, FIONBIO, &value, sizeof( value ), memory_unmapped(), 4 ), 0 );
    ok( !count, "count %lu\n", count );
    check_clears( control( s, FIONBIO, &value, 8, NULL, 0 ), 0 );
    check_at_once( s, FIONBIO, &value, sizeof( value ), NULL, 0, 0 );
    closesocket( s );

    s = socket( AF_INET, SOCK_DGRAM, 0 );
    union address address;
    check_ok( bind( s, &address.any, address_loopback( &address, AF_INET, 0 ) ) );
    check_clears( ioctlsocket( s, FIONBIO, &value ), 0 );
    check_fails( recv( s, &byte, 1, 0 ), WSAEWOULDBLOCK );
    value = 0;
    check_clears( ioctlsocket( s, FIONBIO, &value ), 0 );
    set_receive_timeout( s, 500 );
    check_fails( recv( s, &byte, 1, 0 ), WSAETIMEDOUT );

    event = WSACreateEvent();
    check_ok( WSAEventSelect( s, event, FD_READ ) );
    value = 0;
    check_fails( ioctlsocket( s, FIONBIO, &value ), WSAEINVAL );
    check_fails( control( s, FIONBIO, &value, sizeof( value ), NULL, 0 ), WSAEINVAL );
    ok( !count, "count %lu\n", count );
    value = 1;
    check_clears( ioctlsocket( s, FIONBIO, &value ), 0 );
    check_ok( WSAEventSelect( s, NULL, 0 ) );
    value = 0;
    check_clears( ioctlsocket( s, FIONBIO, &value ), 0 );
    WSACloseEvent( event );
    closesocket( s );
}

static void test_fionread( void )
{
    SOCKET client, server, udp, sender;
    union address address;
    u_long value;

    tcp_pair( &client, &server );
    check_clears( ioctlsocket( server, FIONREAD, &value ), 0 );
    ok( !value, "%lu bytes\n", value );
    check_result( send( client, "12345", 5, 0 ), 5 );
    ok( wait_readable( server, 5000 ), "no data\n" );
    check_clears( ioctlsocket( server, FIONREAD, &value ), 0 );
    ok( value == 5, "%lu bytes\n", value );
    check_fails( control( server, FIONREAD, NULL, 0, &value, 3 ), WSAEFAULT );
    check_clears( control( server, FIONREAD, NULL, 0, &value, sizeof( value ) ), 0 );
    ok( value == 5 && count == 4, "%lu bytes, count %lu\n", value, count );
    closesocket( client );
    closesocket( server );

    udp = udp_bound( AF_INET, &address );
    sender = socket( AF_INET, SOCK_DGRAM, 0 );
    check_result( sendto( sender, "1234567", 7, 0, &address.any, sizeof( address.v4 ) ), 7 );
    ok( wait_readable( udp, 5000 ), "no datagram\n" );
    check_clears( ioctlsocket( udp, FIONREAD, &value ), 0 );
    ok( value == 7, "%lu bytes\n", value );
    closesocket( udp );
    closesocket( sender );
}

/* An urgent byte that nobody fetches stays: the mark is not reached though all ordinary data is read, and the end of the
 * stream with it; MSG_OOB still gives it. */
static void test_mark_passed( BOOL with_wsarecv )
{
    SOCKET client, server;
    u_long value = 7;
    char buffer[256];
    int got, total = 0;

    tcp_pair( &client, &server );
    check_clears( ioctlsocket( server, SIOCATMARK, &value ), 0 );
    ok( value == 1, "after accept: %lu\n", value );
    check_result( send( client, "ordinary", 8, 0 ), 8 );
    check_result( recv( server, buffer, 8, MSG_WAITALL ), 8 );
    memset( buffer, 'u', sizeof( buffer ) );
    for ( int i = 0; i < 16; i++ ) check_result( send( client, buffer, 128, MSG_OOB ), 128 );
    check_ok( shutdown( client, SD_SEND ) );
    do {
        WSABUF wsabuf = { sizeof( buffer ), buffer };
        DWORD count = 0, flags = 0;

        if ( with_wsarecv ) got = WSARecv( server, &wsabuf, 1, &count, &flags, NULL, NULL ) ? -1 : (int)count;
        else got = recv( server, buffer, sizeof( buffer ), 0 );
        if ( got > 0 ) total += got;
    } while ( got > 0 );
    ok( !got && total > 0 && total < 2048, "%d bytes, then %d, error %d\n", total, got, WSAGetLastError() );
    check_clears( ioctlsocket( server, SIOCATMARK, &value ), 0 );
    ok( !value, "with an urgent byte unread: %lu\n", value );
    check_result( recv( server, buffer, 1, MSG_OOB | MSG_PEEK ), 1 );
    check_result( recv( server, buffer, 1, MSG_OOB ), 1 );
    ok( buffer[0] == 'u', "another byte\n" );
    closesocket( client );
    closesocket( server );
}

static void test_atmark( void )
{
    SOCKET client, server;
    u_long value = 7;
    char byte;
    fd_set except;
    TIMEVAL timeout = { 5, 0 };

    tcp_pair( &client, &server );
    check_clears( ioctlsocket( server, SIOCATMARK, &value ), 0 );
    ok( value == 1, "after accept: %lu\n", value );
    check_result( send( client, "a", 1, 0 ), 1 );
    check_result( recv( server, &byte, 1, 0 ), 1 );
    check_clears( ioctlsocket( server, SIOCATMARK, &value ), 0 );
    ok( value == 1, "after ordinary data: %lu\n", value );
    check_result( send( client, "b", 1, MSG_OOB ), 1 );
    FD_ZERO( &except );
    FD_SET( server, &except );
    check_result( select( 0, NULL, NULL, &except, &timeout ), 1 );
    check_clears( ioctlsocket( server, SIOCATMARK, &value ), 0 );
    ok( !value, "with an urgent byte: %lu\n", value );
    check_result( recv( server, &byte, 1, MSG_OOB ), 1 );
    check_clears( ioctlsocket( server, SIOCATMARK, &value ), 0 );
    ok( value == 1, "after reading it: %lu\n", value );
    closesocket( client );
    closesocket( server );
}

static void test_unsupported( void )
{
    static const DWORD codes[] = { NOT_IMPLEMENTED_CODE, FIOASYNC, 0x667e, SIO_FLUSH };
    SOCKET s = socket( AF_INET, SOCK_STREAM, 0 );

    for ( unsigned int i = 0; i < ARRAY_SIZE( codes ); i++ )
    {
        winetest_push_context( "code %#lx", codes[i] );
        check_no_count( s, codes[i], NULL, 0, NULL, 0 );
        check_fails( control( s, codes[i], NULL, 0, NULL, 0 ), WSAEOPNOTSUPP );
        ok( !count, "count %lu\n", count );
        check_pends( s, codes[i], NULL, 0, 0xc00000bb, WSAEOPNOTSUPP, 0 );
        winetest_pop_context();
    }
    check_fails( control( INVALID_SOCKET, SIO_FLUSH, NULL, 0, NULL, 0 ), WSAENOTSOCK );
    closesocket( s );
}

static void test_extension( void )
{
    GUID known = WSAID_WSARECVMSG, unknown = { 0x12345678, 1, 2, { 3 } };
    SOCKET s = socket( AF_INET, SOCK_DGRAM, 0 );
    OVERLAPPED overlapped = { .Internal = 0xcccc, .InternalHigh = 0xdddd };
    void *function = NULL;

    check_no_count( s, SIO_GET_EXTENSION_FUNCTION_POINTER, &known, sizeof( known ), &function, sizeof( function ) );
    check_clears(
        control( s, SIO_GET_EXTENSION_FUNCTION_POINTER, &known, sizeof( known ), &function, sizeof( function ) ), 0 );
    ok( count == sizeof( function ), "count %lu\n", count );
    ok( !!function, "no function\n" );
    check_at_once( s, SIO_GET_EXTENSION_FUNCTION_POINTER, &known, sizeof( known ), &function, sizeof( function ),
                   sizeof( function ) );
    check_fails(
        control( s, SIO_GET_EXTENSION_FUNCTION_POINTER, &unknown, sizeof( unknown ), &function, sizeof( function ) ),
        WSAEINVAL );
    count = COUNT_UNTOUCHED;
    check_fails( WSAIoctl( s, SIO_GET_EXTENSION_FUNCTION_POINTER, &unknown, sizeof( unknown ), &function,
                           sizeof( function ), &count, &overlapped, NULL ),
                 WSAEINVAL );
    ok( count == COUNT_UNTOUCHED, "count %lu\n", count );
    ok( overlapped.Internal == 0xcccc && overlapped.InternalHigh == 0xdddd, "the OVERLAPPED was written\n" );
    closesocket( s );
}

static void test_base_handle( void )
{
    for ( int i = 0; i < 4; i++ )
    {
        SOCKET s = socket( i & 1 ? AF_INET6 : AF_INET, i & 2 ? SOCK_STREAM : SOCK_DGRAM, 0 ), base = 0xdead;

        winetest_push_context( "socket %d", i );
        check_no_count( s, SIO_BASE_HANDLE, NULL, 0, &base, sizeof( base ) );
        check_clears( control( s, SIO_BASE_HANDLE, NULL, 0, &base, sizeof( base ) ), 0 );
        ok( base == s && count == sizeof( base ), "base %#zx of %#zx, count %lu\n", base, s, count );
        base = 0xdead;
        check_pends( s, SIO_BASE_HANDLE, &base, sizeof( base ), 0xc00000bb, WSAEOPNOTSUPP, 0 );
        ok( base == 0xdead, "output %#zx\n", base );
        closesocket( s );
        winetest_pop_context();
    }
}

static void test_send_backlog( void )
{
    SOCKET s = socket( AF_INET, SOCK_STREAM, 0 ), udp = socket( AF_INET, SOCK_DGRAM, 0 ), client, server;
    DWORD value = 0;

    check_fails( control( s, SIO_IDEAL_SEND_BACKLOG_QUERY, NULL, 0, &value, sizeof( value ) ), WSAENOTCONN );
    check_fails( control( udp, SIO_IDEAL_SEND_BACKLOG_QUERY, NULL, 0, &value, sizeof( value ) ), WSAEOPNOTSUPP );
    tcp_pair( &client, &server );
    check_clears( control( client, SIO_IDEAL_SEND_BACKLOG_QUERY, NULL, 0, &value, sizeof( value ) ), 0 );
    ok( value == 0x10000, "value %#lx\n", value );
    closesocket( s );
    closesocket( udp );
    closesocket( client );
    closesocket( server );
}

static void test_routing_interface( void )
{
    SOCKET s = socket( AF_INET, SOCK_DGRAM, 0 );
    struct sockaddr_in to = { .sin_family = AF_INET }, from;
    const DWORD code = SIO_ROUTING_INTERFACE_QUERY, size = sizeof( to );

    check_fails( control( s, code, &to, size, &from, size ), WSAEINVAL );
    ok( count == COUNT_UNTOUCHED, "0.0.0.0: count %lu\n", count );
    to.sin_addr.s_addr = htonl( INADDR_LOOPBACK );
    check_no_count( s, code, &to, size, &from, size );
    check_fails( control( s, code, &to, size - 1, &from, size ), WSAEINVAL );
    ok( count == COUNT_UNTOUCHED, "short input: count %lu\n", count );
    check_fails( control( s, code, NULL, size, &from, size ), WSAEINVAL );
    ok( count == COUNT_UNTOUCHED, "no input: count %lu\n", count );
    to.sin_family = 0;
    check_fails( control( s, code, &to, size, &from, size ), WSAEAFNOSUPPORT );
    ok( count == COUNT_UNTOUCHED, "family 0: count %lu\n", count );
    to.sin_family = AF_INET;
    check_fails( control( s, code, &to, size, &from, size - 1 ), WSAEFAULT );
    ok( count == size, "short output: count %lu\n", count );
    check_fails( control( s, code, &to, size, NULL, size ), WSAEFAULT );
    ok( count == COUNT_UNTOUCHED, "no output: count %lu\n", count );
    memset( &from, 0xcc, sizeof( from ) );
    check_clears( control( s, code, &to, size, &from, size ), 0 );
    ok( count == size, "count %lu\n", count );
    ok( from.sin_family == AF_INET && from.sin_addr.s_addr == htonl( INADDR_LOOPBACK ), "family %d, address %#lx\n",
        from.sin_family, from.sin_addr.s_addr );
    check_at_once( s, code, &to, size, &from, size, size );
    check_not_begun( s, code, &to, size - 1, &from, size, WSAEINVAL, COUNT_UNTOUCHED );
    check_not_begun( s, code, &to, size, &from, size - 1, WSAEFAULT, size );
    closesocket( s );
}

static void test_address_list( void )
{
    SOCKET s = socket( AF_INET, SOCK_DGRAM, 0 );
    char buffer[1024];
    SOCKET_ADDRESS_LIST *list = (SOCKET_ADDRESS_LIST *)buffer;
    const DWORD code = SIO_ADDRESS_LIST_QUERY, header = offsetof( SOCKET_ADDRESS_LIST, Address );
    DWORD needed, expected;

    check_no_count( s, code, NULL, 0, buffer, sizeof( buffer ) );
    check_fails( control( s, code, NULL, 0, NULL, 0 ), WSAEFAULT );
    needed = count;
    check_fails( control( s, code, NULL, 0, NULL, 1024 ), WSAEFAULT );
    ok( count == needed, "NULL, 1024: count %lu\n", count );
    check_fails( control( s, code, NULL, 0, buffer, 0 ), WSAEFAULT );
    ok( count == needed, "length 0: count %lu\n", count );
    check_fails( control( s, code, NULL, 0, buffer, 1 ), WSAEINVAL );
    ok( !count, "length 1: count %lu\n", count );
    check_clears( control( s, code, NULL, 0, buffer, sizeof( buffer ) ), 0 );
    ok( count == needed, "count %lu, needed %lu\n", count, needed );
    expected = header + list->iAddressCount * sizeof( list->Address[0] );
    for ( int i = 0; i < list->iAddressCount; i++ )
    {
        expected += list->Address[i].iSockaddrLength;
        ok( list->Address[i].lpSockaddr->sa_family == AF_INET, "address %d: family %d\n", i,
            list->Address[i].lpSockaddr->sa_family );
        ok( (char *)list->Address[i].lpSockaddr > buffer && (char *)list->Address[i].lpSockaddr < buffer + count,
            "address %d lies outside\n", i );
    }
    ok( needed == expected, "needed %lu, expected %lu\n", needed, expected );
    if ( list->iAddressCount )
    {
        list->iAddressCount = 0xcccc;
        check_fails( control( s, code, NULL, 0, buffer, header ), WSAEFAULT );
        ok( count == needed, "header only: count %lu\n", count );
        ok( list->iAddressCount == 0xcccc, "written: %d\n", list->iAddressCount );
    }
    check_at_once( s, code, NULL, 0, buffer, sizeof( buffer ), needed );
    check_not_begun( s, code, NULL, 0, NULL, 0, WSAEFAULT, needed );
    check_not_begun( s, code, NULL, 0, buffer, 1, WSAEINVAL, 0 );
    closesocket( s );
}

static void test_interface_list( void )
{
    SOCKET s = socket( AF_INET, SOCK_DGRAM, 0 );
    INTERFACE_INFO infos[64];
    const DWORD code = SIO_GET_INTERFACE_LIST;
    DWORD size;
    BOOL loopback = FALSE;

    ok( sizeof( infos[0] ) == 76, "size %zu\n", sizeof( infos[0] ) );
    check_fails( WSAIoctl( s, code, NULL, 0, infos, sizeof( infos ), NULL, NULL, NULL ), WSAEFAULT );
    check_fails( control( s, code, NULL, 0, infos, 75 ), WSAEFAULT );
    ok( !count, "count %lu\n", count );
    check_clears( control( s, code, NULL, 0, infos, sizeof( infos ) ), 0 );
    ok( count && !( count % 76 ), "count %lu\n", count );
    size = count;
    for ( DWORD i = 0; i < size / 76; i++ )
    {
        const struct sockaddr_in *address = &infos[i].iiAddress.AddressIn, *mask = &infos[i].iiNetmask.AddressIn;
        const struct sockaddr_in *broadcast = &infos[i].iiBroadcastAddress.AddressIn;

        winetest_push_context( "interface %lu, flags %#lx", i, infos[i].iiFlags );
        ok( address->sin_family == AF_INET && address->sin_addr.s_addr, "address\n" );
        ok( mask->sin_family == AF_INET && mask->sin_addr.s_addr, "netmask\n" );
        ok( broadcast->sin_family == ( infos[i].iiFlags & IFF_BROADCAST ? AF_INET : 0 ),
            "broadcast address's family %d\n", broadcast->sin_family );
        ok( !broadcast->sin_addr.s_addr == !( infos[i].iiFlags & IFF_BROADCAST ), "broadcast address\n" );
        if ( infos[i].iiFlags & IFF_LOOPBACK ) loopback = TRUE;
        winetest_pop_context();
    }
    ok( loopback, "no loopback interface\n" );
    check_pends( s, code, infos, sizeof( infos ), 0, 0, size );
    check_pends( s, code, infos, 75, 0xc0000023, WSAEFAULT, 0 );
    closesocket( s );
}

static DWORD WINAPI close_later( void *arg )
{
    Sleep( 300 );
    return closesocket( (SOCKET)arg );
}

static void test_address_change( void )
{
    SOCKET s = socket( AF_INET, 0, IPPROTO_TCP );
    union address address;
    HANDLE thread;

    check_ok( bind( s, &address.any, address_loopback( &address, AF_INET, 0 ) ) );
    set_nonblocking( s, TRUE );
    check_fails( control( s, SIO_ADDRESS_LIST_CHANGE, NULL, 0, NULL, 0 ), WSAEWOULDBLOCK );
    set_nonblocking( s, FALSE );
    thread = CreateThread( NULL, 0, close_later, (void *)s, 0, NULL );
    check_result( control( s, SIO_ADDRESS_LIST_CHANGE, NULL, 0, NULL, 0 ), SOCKET_ERROR );
    WaitForSingleObject( thread, INFINITE );
    CloseHandle( thread );
}

static void test_keepalive( void )
{
    SOCKET s = socket( AF_INET, SOCK_STREAM, 0 ), udp = socket( AF_INET, SOCK_DGRAM, 0 );
    struct tcp_keepalive values = { 1, 5000, 2000 };
    DWORD value = 0;
    int length = sizeof( value );

    check_fails( control( s, SIO_KEEPALIVE_VALS, &values, sizeof( values ) - 1, NULL, 0 ), WSAEFAULT );
    check_fails( control( s, SIO_KEEPALIVE_VALS, NULL, 0, NULL, 0 ), WSAEFAULT );
    check_clears( control( s, SIO_KEEPALIVE_VALS, &values, sizeof( values ), NULL, 0 ), 0 );
    ok( !count, "count %lu\n", count );
    check_ok( getsockopt( s, SOL_SOCKET, SO_KEEPALIVE, (char *)&value, &length ) );
    ok( (BYTE)value == 1, "SO_KEEPALIVE %#lx\n", value );
    length = sizeof( value );
    check_ok( getsockopt( s, IPPROTO_TCP, 3, (char *)&value, &length ) );
    ok( value == 5, "TCP_KEEPALIVE %lu\n", value );
    values.onoff = 0;
    check_clears( control( s, SIO_KEEPALIVE_VALS, &values, sizeof( values ), NULL, 0 ), 0 );
    value = 0xcccccccc;
    check_ok( getsockopt( s, SOL_SOCKET, SO_KEEPALIVE, (char *)&value, &length ) );
    ok( !(BYTE)value, "SO_KEEPALIVE %#lx\n", value );
    check_fails( control( udp, SIO_KEEPALIVE_VALS, &values, sizeof( values ), NULL, 0 ), WSAENOPROTOOPT );
    closesocket( s );
    closesocket( udp );
}

/* ICMP port unreachable: told by a receive unless turned off, never by a send. */
static void test_connreset( void )
{
    SOCKET s = socket( AF_INET, SOCK_DGRAM, 0 ), gone;
    union address address;
    BOOL off = FALSE;
    char byte;

    gone = udp_bound( AF_INET, &address );
    closesocket( gone );
    check_ok( connect( s, &address.any, sizeof( address.v4 ) ) );
    set_receive_timeout( s, 1000 );
    for ( int i = 0; i < 10; i++ ) check_result( send( s, "x", 1, 0 ), 1 );
    check_fails( recv( s, &byte, 1, 0 ), WSAECONNRESET );
    check_clears( control( s, SIO_UDP_CONNRESET, &off, sizeof( off ), NULL, 0 ), 0 );
    check_result( send( s, "x", 1, 0 ), 1 );
    while ( WSAGetLastError() == WSAECONNRESET ) recv( s, &byte, 1, 0 );
    check_fails( recv( s, &byte, 1, 0 ), WSAETIMEDOUT );
    closesocket( s );
}

static void test_tcp( void )
{
    SOCKET s = socket( AF_INET, SOCK_STREAM, 0 ), client, server;
    TCP_INITIAL_RTO_PARAMETERS rto = { TCP_INITIAL_RTO_UNSPECIFIED_RTT, 3 };
    TCP_INFO_v0 info;
    DWORD version = 0;
    BOOL on = TRUE;

    check_ok( control( s, SIO_LOOPBACK_FAST_PATH, &on, sizeof( on ), NULL, 0 ) );
    check_ok( control( s, SIO_TCP_INITIAL_RTO, &rto, sizeof( rto ), NULL, 0 ) );
    closesocket( s );
    tcp_pair( &client, &server );
    check_result( send( client, "12345", 5, 0 ), 5 );
    check_flow( server, client );
    check_ok( control( client, SIO_TCP_INFO, &version, sizeof( version ), &info, sizeof( info ) ) );
    ok( count == sizeof( info ), "count %lu\n", count );
    ok( info.State == 4, "state %d\n", info.State );
    ok( info.BytesOut >= 5 && info.Mss, "%llu bytes out, mss %lu\n", info.BytesOut, info.Mss );
    closesocket( client );
    closesocket( server );
}

START_TEST( ioctl )
{
    if ( support_begin() ) return;
    test_fionbio();
    test_fionread();
    test_atmark();
    test_mark_passed( FALSE );
    test_mark_passed( TRUE );
    test_unsupported();
    test_extension();
    test_base_handle();
    test_send_backlog();
    test_routing_interface();
    test_address_list();
    test_interface_list();
    test_address_change();
    test_keepalive();
    test_connreset();
    test_tcp();
    support_end();
}
