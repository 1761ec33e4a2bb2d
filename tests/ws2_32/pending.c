/*
 * Operations that wait on a socket which another process has too, messages that wait, and an OVERLAPPED that is none.
 *
 * A pending receive is of the process that began it: it goes on when another process closes its descriptor, and two that
 * wait in two processes each take what comes, whole and once.
 */
#include "requests.h"
#include "puppets.h"

struct pair_of_processes
{
    SOCKET client, here, there;
    struct puppet puppet;
};

static void share( struct pair_of_processes *pair )
{
    WSAPROTOCOL_INFOA info;

    tcp_pair( &pair->client, &pair->here );
    puppet_create( &pair->puppet, 0 );
    check_ok( WSADuplicateSocketA( pair->here, pair->puppet.pid, &info ) );
    pair->there = puppet_open_a( &pair->puppet, &info, WSA_FLAG_OVERLAPPED );
    ok( pair->there != INVALID_SOCKET, "no duplicate, error %d\n", WSAGetLastError() );
}

static void check_pends_( int line, SOCKET s, char *data, DWORD size, OVERLAPPED *ov, HANDLE event )
{
    WSABUF buffer = { size, data };
    DWORD flags = 0;
    int result;

    memset( ov, 0, sizeof( *ov ) );
    ov->hEvent = event;
    result = WSARecv( s, &buffer, 1, NULL, &flags, ov, NULL );
    ok_( __FILE__, line )( result && WSAGetLastError() == WSA_IO_PENDING, "WSARecv gave %d, error %d\n", result,
                           WSAGetLastError() );
}
#define check_pends( s, data, size, ov, event ) check_pends_( __LINE__, s, data, size, ov, event )

static DWORD begin_there( struct pair_of_processes *pair, DWORD size )
{
    pair->puppet.message->value = size;
    return puppet_do_on( &pair->puppet, PUPPET_RECV_EX, pair->there );
}

static LONGLONG end_there( struct pair_of_processes *pair, DWORD milliseconds )
{
    pair->puppet.message->value = milliseconds;
    return puppet_do( &pair->puppet, PUPPET_RECEIVED );
}

/* The one that waits is not the one that closes. */
static void test_other_closes( void )
{
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL );
    struct pair_of_processes pair;
    char data[16] = "";
    OVERLAPPED ov;

    winetest_push_context( "the other process closes" );
    share( &pair );
    check_pends( pair.here, data, sizeof( data ), &ov, event );
    check_ok( puppet_do_on( &pair.puppet, PUPPET_CLOSE, pair.there ) );
    ok( WaitForSingleObject( event, 200 ) == WAIT_TIMEOUT, "ended, status %#lx\n", (DWORD)ov.Internal );
    check_result( send( pair.client, "hello", 5, 0 ), 5 );
    ok( !WaitForSingleObject( event, 5000 ), "not ended\n" );
    ok( !ov.Internal && ov.InternalHigh == 5 && !memcmp( data, "hello", 5 ), "status %#lx, %lu bytes\n",
        (DWORD)ov.Internal, (DWORD)ov.InternalHigh );
    puppet_destroy( &pair.puppet );
    closesocket( pair.here );
    closesocket( pair.client );
    winetest_pop_context();

    winetest_push_context( "this process closes" );
    share( &pair );
    check_result( begin_there( &pair, 16 ), 1 );
    check_ok( closesocket( pair.here ) );
    check_result( end_there( &pair, 200 ), -2 );
    check_result( send( pair.client, "hello", 5, 0 ), 5 );
    check_result( end_there( &pair, 5000 ), 5 );
    ok( !memcmp( pair.puppet.message->data, "hello", 5 ), "got %.5s\n", pair.puppet.message->data );
    puppet_destroy( &pair.puppet );
    closesocket( pair.client );
    winetest_pop_context();

    winetest_push_context( "the other process dies" );
    share( &pair );
    check_pends( pair.here, data, sizeof( data ), &ov, event );
    check_result( begin_there( &pair, 16 ), 1 );
    puppet_kill( &pair.puppet );
    check_result( send( pair.client, "again", 5, 0 ), 5 );
    ok( !WaitForSingleObject( event, 5000 ), "not ended\n" );
    ok( !ov.Internal && ov.InternalHigh == 5 && !memcmp( data, "again", 5 ), "status %#lx, %lu bytes\n",
        (DWORD)ov.Internal, (DWORD)ov.InternalHigh );
    closesocket( pair.here );
    closesocket( pair.client );
    winetest_pop_context();
    CloseHandle( event );
}

/* Both wait: four bytes go to one, the next four to the other; the end of the stream goes to both. */
static void test_both_wait( void )
{
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL );
    struct pair_of_processes pair;
    char data[4], seen[9] = "";
    OVERLAPPED ov;
    LONGLONG n;
    BOOL first_here;

    share( &pair );
    for ( int round = 0; round < 5; round++ )
    {
        winetest_push_context( "round %d", round );
        check_pends( pair.here, data, 4, &ov, event );
        check_result( begin_there( &pair, 4 ), 1 );
        check_result( send( pair.client, "abcd", 4, 0 ), 4 );
        n = end_there( &pair, 500 );
        first_here = n == -2;
        if ( first_here ) ok( !WaitForSingleObject( event, 5000 ), "no receive has ended\n" );
        else ok( WaitForSingleObject( event, 100 ) == WAIT_TIMEOUT, "both have ended\n" );
        if ( first_here ) memcpy( seen, data, 4 );
        else memcpy( seen, pair.puppet.message->data, 4 );
        check_result( send( pair.client, "efgh", 4, 0 ), 4 );
        if ( first_here )
        {
            check_result( end_there( &pair, 5000 ), 4 );
            memcpy( seen + 4, pair.puppet.message->data, 4 );
        }
        else
        {
            ok( !WaitForSingleObject( event, 5000 ), "the second receive has not ended\n" );
            memcpy( seen + 4, data, 4 );
        }
        ok( !ov.Internal && ov.InternalHigh == 4, "status %#lx, %lu bytes\n", (DWORD)ov.Internal,
            (DWORD)ov.InternalHigh );
        ok( !memcmp( seen, "abcdefgh", 8 ), "got %s\n", seen );
        winetest_pop_context();
    }
    check_pends( pair.here, data, 4, &ov, event );
    check_result( begin_there( &pair, 4 ), 1 );
    check_ok( shutdown( pair.client, SD_SEND ) );
    check_result( end_there( &pair, 5000 ), 0 );
    ok( !WaitForSingleObject( event, 5000 ), "no end of stream here\n" );
    ok( !ov.Internal && !ov.InternalHigh, "status %#lx, %lu bytes\n", (DWORD)ov.Internal, (DWORD)ov.InternalHigh );
    check_ok( puppet_do_on( &pair.puppet, PUPPET_CLOSE, pair.there ) );
    puppet_destroy( &pair.puppet );
    closesocket( pair.here );
    closesocket( pair.client );
    CloseHandle( event );
}

/* WSARecvMsg that waits, ended by WSASendMsg with an OVERLAPPED: address, control data and flags are there at the end. */
static void test_messages( void )
{
    HANDLE events[2] = { CreateEventW( NULL, TRUE, FALSE, NULL ), CreateEventW( NULL, TRUE, FALSE, NULL ) };
    LPFN_WSARECVMSG receive_message = NULL;
    union address address, sender_address, from;
    SOCKET receiver = udp_bound( AF_INET, &address ), sender = udp_bound( AF_INET, &sender_address );
    char data[16], control[256];
    WSABUF in = { sizeof( data ), data }, out = { 5, (char *)"hello" };
    OVERLAPPED ov[2];
    DWORD on = 1, size, flags;
    WSACMSGHDR *header;
    WSAMSG message;

    receive_message = extension( receiver, (GUID)WSAID_WSARECVMSG );
    check_ok( setsockopt( receiver, IPPROTO_IP, IP_PKTINFO, (char *)&on, sizeof( on ) ) );
    for ( int round = 0; round < 2; round++ )
    {
        winetest_push_context( "round %d", round );
        memset( ov, 0, sizeof( ov ) );
        memset( &from, 0, sizeof( from ) );
        memset( control, 0, sizeof( control ) );
        ov[0].hEvent = events[0];
        ov[1].hEvent = events[1];
        message = ( WSAMSG ){ &from.any, sizeof( from ), &in, 1, { sizeof( control ), control }, 0 };
        check_fails( receive_message( receiver, &message, NULL, &ov[0], NULL ), WSA_IO_PENDING );
        {
            WSAMSG sent = { &address.any, sizeof( address.v4 ), &out, 1, { 0, NULL }, 0 };
            int result = WSASendMsg( sender, &sent, 0, NULL, &ov[1], NULL );

            ok( !result || WSAGetLastError() == WSA_IO_PENDING, "WSASendMsg gave error %d\n", WSAGetLastError() );
        }
        for ( int i = 1; i >= 0; i-- )
        {
            ok( !WaitForSingleObject( events[i], 5000 ), "%d not ended\n", i );
            ok( !ov[i].Internal && ov[i].InternalHigh == 5, "%d: status %#lx, %lu bytes\n", i, (DWORD)ov[i].Internal,
                (DWORD)ov[i].InternalHigh );
        }
        check_result( WSAGetOverlappedResult( receiver, &ov[0], &size, FALSE, &flags ), TRUE );
        ok( size == 5 && !memcmp( data, "hello", 5 ), "%lu bytes, %.5s\n", size, data );
        ok( message.namelen == sizeof( from.v4 ) && address_port( &from ) == address_port( &sender_address ),
            "name of %d bytes, port %d\n", message.namelen, address_port( &from ) );
        ok( message.Control.len == WSA_CMSG_SPACE( sizeof( struct in_pktinfo ) ), "control data of %lu bytes\n",
            message.Control.len );
        header = WSA_CMSG_FIRSTHDR( &message );
        ok( header && header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO, "no IP_PKTINFO\n" );
        if ( header )
            ok( ( (struct in_pktinfo *)WSA_CMSG_DATA( header ) )->ipi_addr.s_addr == htonl( INADDR_LOOPBACK ),
                "wrong destination\n" );
        winetest_pop_context();
    }
    closesocket( receiver );
    closesocket( sender );
    CloseHandle( events[0] );
    CloseHandle( events[1] );
}

/* Codes handled in the DLL and of the driver's, transfers: memory that is no OVERLAPPED is WSAEFAULT, and no crash. */
static void test_bad_overlapped( void )
{
    static const DWORD codes[] = { SIO_GET_EXTENSION_FUNCTION_POINTER, FIONREAD, SIO_ADDRESS_LIST_CHANGE };
    OVERLAPPED *bad[] = { (OVERLAPPED *)8, memory_unmapped(), memory_read_only() };
    GUID guid = WSAID_ACCEPTEX;
    SOCKET client, server;
    char out[64];
    WSABUF buffer = { 1, out };
    DWORD size, flags = 0;

    tcp_pair( &client, &server );
    for ( unsigned int i = 0; i < ARRAY_SIZE( bad ); i++ )
    {
        winetest_push_context( "OVERLAPPED at %p", (void *)bad[i] );
        for ( unsigned int j = 0; j < ARRAY_SIZE( codes ); j++ )
        {
            BOOL takes_guid = codes[j] == SIO_GET_EXTENSION_FUNCTION_POINTER;

            winetest_push_context( "code %#lx", codes[j] );
            check_fails(
                guarded( WSAIoctl( server, codes[j], takes_guid ? &guid : NULL, takes_guid ? sizeof( guid ) : 0, out,
                                   takes_guid ? sizeof( void * ) : 4, &size, bad[i], NULL ) ),
                WSAEFAULT );
            winetest_pop_context();
        }
        check_fails( guarded( WSARecv( server, &buffer, 1, NULL, &flags, bad[i], NULL ) ), WSAEFAULT );
        check_fails( guarded( WSASend( server, &buffer, 1, NULL, 0, bad[i], NULL ) ), WSAEFAULT );
        winetest_pop_context();
    }
    check_flow( client, server );
    closesocket( client );
    closesocket( server );
}

START_TEST( pending )
{
    if ( support_begin() ) return;
    test_other_closes();
    test_both_wait();
    test_messages();
    test_bad_overlapped();
    support_end();
}
