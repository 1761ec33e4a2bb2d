/*
 * WSAStartup, WSACleanup and the last error (facts: sockets-1, section 1): version negotiation, counting, what fails
 * before the first start-up, and the last clean-up closing every socket that the process still has, duplicates and
 * accepted sockets included.
 */
#include "puppets.h"

static void test_before( void )
{
    check_no_socket( WSASocketA( 0, 0, 0, NULL, 0, 0 ), WSANOTINITIALISED );
    check_no_socket( WSASocketW( AF_INET, SOCK_STREAM, 0, NULL, 0, 0 ), WSANOTINITIALISED );
    check_no_socket( socket( AF_INET, SOCK_STREAM, 0 ), WSANOTINITIALISED );
    check_error( (ULONG_PTR)gethostbyname( "localhost" ), 0, WSANOTINITIALISED );
    check_fails( WSACleanup(), WSANOTINITIALISED );
}

static void test_versions( void )
{
    static const struct
    {
        WORD asked;
        int result;
        WORD given;
    } rows[] = {
        /* the structure is filled in for those that are refused, too */
        { MAKEWORD( 0, 0 ), WSAVERNOTSUPPORTED, MAKEWORD( 2, 2 ) },
        { MAKEWORD( 0, 1 ), WSAVERNOTSUPPORTED, MAKEWORD( 2, 2 ) },
        { MAKEWORD( 0, 255 ), WSAVERNOTSUPPORTED, MAKEWORD( 2, 2 ) },
        { MAKEWORD( 1, 0 ), 0, MAKEWORD( 1, 0 ) },
        { MAKEWORD( 1, 1 ), 0, MAKEWORD( 1, 1 ) },
        { MAKEWORD( 1, 2 ), 0, MAKEWORD( 1, 1 ) },
        { MAKEWORD( 1, 255 ), 0, MAKEWORD( 1, 1 ) },
        { MAKEWORD( 2, 0 ), 0, MAKEWORD( 2, 0 ) },
        { MAKEWORD( 2, 1 ), 0, MAKEWORD( 2, 1 ) },
        { MAKEWORD( 2, 2 ), 0, MAKEWORD( 2, 2 ) },
        { MAKEWORD( 2, 3 ), 0, MAKEWORD( 2, 2 ) },
        { MAKEWORD( 2, 255 ), 0, MAKEWORD( 2, 2 ) },
        { MAKEWORD( 3, 0 ), 0, MAKEWORD( 2, 2 ) },
        { MAKEWORD( 255, 0 ), 0, MAKEWORD( 2, 2 ) },
    };
    unsigned int i;

    for ( i = 0; i < ARRAY_SIZE( rows ); i++ )
    {
        const BOOL first = LOBYTE( rows[i].given ) == 1;
        WSADATA data;
        int result;

        memset( &data, 0xcc, sizeof( data ) );
        data.lpVendorInfo = (char *)0xdeadbeef;
        result = WSAStartup( rows[i].asked, &data );
        winetest_push_context( "version %#x", rows[i].asked );
        ok( result == rows[i].result, "got %d\n", result );
        ok( data.wVersion == rows[i].given, "got version %#x\n", data.wVersion );
        ok( data.wHighVersion == MAKEWORD( 2, 2 ), "got high version %#x\n", data.wHighVersion );
        ok( !strcmp( data.szDescription, "WinSock 2.0" ), "got description %s\n", data.szDescription );
        ok( !strcmp( data.szSystemStatus, "Running" ), "got status %s\n", data.szSystemStatus );
        ok( data.iMaxSockets == ( first ? 32767 : 0 ), "got %u sockets\n", data.iMaxSockets );
        ok( data.iMaxUdpDg == ( first ? 65467 : 0 ), "got %u bytes\n", data.iMaxUdpDg );
        ok( data.lpVendorInfo == (char *)0xdeadbeef, "got vendor info %p\n", data.lpVendorInfo );
        if ( !result ) check_clears( WSACleanup(), 0 );
        check_fails( WSACleanup(), WSANOTINITIALISED );
        winetest_pop_context();
    }
    ok( WSAStartup( MAKEWORD( 0, 0 ), NULL ) == WSAVERNOTSUPPORTED, "version 0.0 accepted\n" );
    ok( WSAStartup( MAKEWORD( 0, 1 ), NULL ) == WSAVERNOTSUPPORTED, "version 0.1 accepted\n" );
    ok( WSAStartup( MAKEWORD( 1, 1 ), NULL ) == WSAEFAULT, "NULL data accepted\n" );
    ok( WSAStartup( MAKEWORD( 2, 2 ), NULL ) == WSAEFAULT, "NULL data accepted\n" );
    check_fails( WSACleanup(), WSANOTINITIALISED );
}

static void test_counting( void )
{
    WSADATA data;
    SOCKET s;
    int i;

    for ( i = 0; i < 3; i++ ) ok( !WSAStartup( MAKEWORD( 2, 2 ), &data ), "start %d failed\n", i );
    s = socket( AF_INET, SOCK_DGRAM, 0 );
    ok( s != INVALID_SOCKET, "socket failed, error %d\n", WSAGetLastError() );
    /* a start that fails counts for nothing */
    ok( WSAStartup( MAKEWORD( 0, 0 ), &data ) == WSAVERNOTSUPPORTED, "version 0.0 accepted\n" );
    check_clears( WSACleanup(), 0 );
    check_clears( WSACleanup(), 0 );
    check_ok( closesocket( s ) );
    check_clears( WSACleanup(), 0 );
    check_fails( WSACleanup(), WSANOTINITIALISED );
    check_fails( WSACleanup(), WSANOTINITIALISED );
}

static void test_last_error( void )
{
    int value = 1, size = sizeof( value );
    union address address;
    WSADATA data;
    SOCKET s;

    WSASetLastError( 12345 );
    ok( GetLastError() == 12345, "GetLastError gave %lu\n", GetLastError() );
    SetLastError( 54321 );
    ok( WSAGetLastError() == 54321, "WSAGetLastError gave %d\n", WSAGetLastError() );
    WSASetLastError( -1 );
    ok( WSAGetLastError() == -1, "WSAGetLastError gave %d\n", WSAGetLastError() );

    WSAStartup( MAKEWORD( 2, 2 ), &data );
    WSASetLastError( ERROR_UNTOUCHED );
    s = WSASocketA( AF_INET, SOCK_DGRAM, IPPROTO_UDP, NULL, 0, 0 );
    ok( s != INVALID_SOCKET && !WSAGetLastError(), "WSASocketA left error %d\n", WSAGetLastError() );
    check_clears( setsockopt( s, SOL_SOCKET, SO_BROADCAST, (char *)&value, sizeof( value ) ), 0 );
    check_clears( getsockopt( s, SOL_SOCKET, SO_BROADCAST, (char *)&value, &size ), 0 );
    address_loopback( &address, AF_INET, 0 );
    check_clears( bind( s, &address.any, sizeof( address.v4 ) ), 0 );
    address_loopback( &address, AF_INET, socket_port( s ) );
    check_clears( sendto( s, "x", 1, 0, &address.any, sizeof( address.v4 ) ), 1 );
    check_clears( recvfrom( s, (char *)&value, 1, 0, NULL, NULL ), 1 );
    check_ok( closesocket( s ) );
    check_ok( WSACleanup() );
}

/* Sockets of every origin, several of each; after the last clean-up none is one. */
static void test_sweep( void )
{
    enum
    {
        ROUNDS = 21,
        KINDS = 6
    };
    static SOCKET sockets[ROUNDS * KINDS];
    unsigned int count = 0, i, round;
    union address address;
    WSAPROTOCOL_INFOA info;
    WSADATA data;
    SOCKET listener;
    int length;
    char byte;

    ok( !WSAStartup( MAKEWORD( 2, 2 ), &data ), "WSAStartup failed\n" );
    listener = tcp_listener( AF_INET, &address );
    for ( round = 0; round < ROUNDS; round++ )
    {
        SOCKET client = socket( AF_INET, SOCK_STREAM, 0 ), server;

        check_ok( connect( client, &address.any, sizeof( address.v4 ) ) );
        server = accept_one( listener );
        sockets[count++] = client;
        sockets[count++] = server;
        check_ok( WSADuplicateSocketA( client, GetCurrentProcessId(), &info ) );
        sockets[count++] = WSASocketA( 0, 0, 0, &info, 0, 0 );
        check_ok( WSADuplicateSocketA( server, GetCurrentProcessId(), &info ) );
        sockets[count++] = WSASocketA( 0, 0, 0, &info, 0, 0 );
        sockets[count++] = socket( AF_INET, SOCK_DGRAM, 0 );
        sockets[count++] = tcp_bound( AF_INET, NULL );
    }
    for ( i = 0; i < count; i++ ) ok( sockets[i] != INVALID_SOCKET, "%u: no socket\n", i );
    /* a start-up that is undone again closes nothing */
    ok( !WSAStartup( MAKEWORD( 2, 2 ), &data ), "WSAStartup failed\n" );
    check_ok( WSACleanup() );
    check_flow( sockets[0], sockets[1] );
    check_flow( sockets[3], sockets[2] );
    check_ok( WSACleanup() );

    check_fails( send( sockets[0], "x", 1, 0 ), WSANOTINITIALISED );
    ok( !WSAStartup( MAKEWORD( 2, 2 ), &data ), "WSAStartup failed\n" );
    for ( i = 0; i < count; i++ )
    {
        winetest_push_context( "socket %u", i );
        length = sizeof( address );
        check_fails( send( sockets[i], "x", 1, 0 ), WSAENOTSOCK );
        check_fails( getsockname( sockets[i], &address.any, &length ), WSAENOTSOCK );
        winetest_pop_context();
    }
    check_fails( listen( listener, 1 ), WSAENOTSOCK );
    check_fails( recv( sockets[0], &byte, 1, 0 ), WSAENOTSOCK );
    check_fails( closesocket( sockets[0] ), WSAENOTSOCK );
    check_ok( WSACleanup() );
}

/* The peer in another process sees the connection end when the last clean-up takes the socket away. */
static void test_sweep_is_seen( void )
{
    union address address;
    struct puppet puppet;
    SOCKET listener, server;
    WSADATA data;

    ok( !WSAStartup( MAKEWORD( 2, 2 ), &data ), "WSAStartup failed\n" );
    listener = tcp_listener( AF_INET, &address );
    puppet_create( &puppet, 0 );
    puppet.message->family = AF_INET;
    puppet.message->type = SOCK_STREAM;
    puppet.message->protocol = IPPROTO_TCP;
    puppet.message->address = address;
    puppet.message->s = puppet_do( &puppet, PUPPET_NEW );
    check_ok( puppet_do( &puppet, PUPPET_CONNECT ) );
    server = accept_one( listener );
    check_open( server );
    check_ok( puppet_do( &puppet, PUPPET_CLEANUP ) );
    check_eof( server );
    check_fails( puppet_do( &puppet, PUPPET_CLEANUP ), WSANOTINITIALISED );
    puppet_destroy( &puppet );
    closesocket( server );
    closesocket( listener );
    check_ok( WSACleanup() );
}

START_TEST( startup )
{
    char **argv;

    /* a child that is told what to do starts Winsock by itself */
    if ( winetest_get_mainargs( &argv ) > 2 ) support_begin();
    test_before();
    test_versions();
    test_before();
    test_counting();
    test_last_error();
    test_sweep();
    test_sweep_is_seen();
    test_before();
}
