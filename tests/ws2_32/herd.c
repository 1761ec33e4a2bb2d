/*
 * A listener that several processes serve, each with AcceptEx or a blocking accept under way, while they are killed at random
 * moments: a connection that the dead process had not taken is served by another. Of what it had taken, its one connection at
 * a time, the client sees the end. None is left waiting.
 */
#include "requests.h"
#include "puppets.h"

#define SERVERS 3
#define KILLS 6

/* --- the servers ------------------------------------------------------------------------------------------------------*/

static SOCKET accept_overlapped( SOCKET listener )
{
    static LPFN_ACCEPTEX accept_ex;
    char buffer[2 * SLOT];
    OVERLAPPED ov = { .hEvent = CreateEventW( NULL, TRUE, FALSE, NULL ) };
    SOCKET s = socket( AF_INET, SOCK_STREAM, 0 );
    DWORD size, flags;

    if ( !accept_ex ) accept_ex = extension( listener, (GUID)WSAID_ACCEPTEX );
    if ( ( !accept_ex( listener, s, buffer, 0, SLOT, SLOT, NULL, &ov ) && WSAGetLastError() != ERROR_IO_PENDING ) ||
         !WSAGetOverlappedResult( listener, &ov, &size, TRUE, &flags ) )
    {
        closesocket( s );
        s = INVALID_SOCKET;
    }
    CloseHandle( ov.hEvent );
    return s;
}

static void serve( SOCKET listener, BOOL overlapped )
{
    WSADATA data;
    char byte;

    WSAStartup( MAKEWORD( 2, 2 ), &data );
    for ( ;; )
    {
        SOCKET s = overlapped ? accept_overlapped( listener ) : accept( listener, NULL, NULL );

        if ( s == INVALID_SOCKET ) ExitProcess( 1 );
        set_receive_timeout( s, 5000 );
        if ( recv( s, &byte, 1, 0 ) == 1 ) send( s, &byte, 1, 0 );
        closesocket( s );
    }
}

/* --- the clients ------------------------------------------------------------------------------------------------------*/

struct clients
{
    union address address;
    volatile LONG stop, served, ended, waiting;
};

static DWORD CALLBACK ask( void *argument )
{
    struct clients *clients = argument;
    char byte;

    while ( !clients->stop )
    {
        SOCKET s = socket( AF_INET, SOCK_STREAM, 0 );
        int result;

        set_receive_timeout( s, 15000 );
        result = connect( s, &clients->address.any, sizeof( clients->address.v4 ) );
        ok( !result, "connect failed, error %d\n", WSAGetLastError() );
        send( s, "x", 1, 0 );
        result = recv( s, &byte, 1, 0 );
        if ( result == 1 ) InterlockedIncrement( &clients->served );
        else if ( !result || WSAGetLastError() == WSAECONNRESET || WSAGetLastError() == WSAECONNABORTED )
            InterlockedIncrement( &clients->ended );
        else InterlockedIncrement( &clients->waiting );
        closesocket( s );
    }
    return 0;
}

static void wait_served( struct clients *clients, LONG more )
{
    const LONG goal = clients->served + more;

    for ( int i = 0; i < 3000 && clients->served < goal; i++ ) Sleep( 10 );
    ok( clients->served >= goal, "nobody serves\n" );
}

static void test_kills( BOOL overlapped )
{
    struct clients clients = { .stop = FALSE };
    HANDLE servers[SERVERS], thread;
    char arguments[64];
    unsigned int random = 12345;
    SOCKET listener;

    winetest_push_context( overlapped ? "AcceptEx" : "accept" );
    listener = tcp_listener( AF_INET, &clients.address );
    check_ok( listen( listener, 100 ) );
    snprintf( arguments, sizeof( arguments ), "serve %zx %d", (size_t)listener, overlapped );
    for ( unsigned int i = 0; i < SERVERS; i++ ) servers[i] = run_child( arguments, NULL, NULL, 0, NULL );
    thread = CreateThread( NULL, 0, ask, &clients, 0, NULL );
    wait_served( &clients, 20 );
    for ( unsigned int i = 0; i < KILLS; i++ )
    {
        random = random * 1103515245 + 12345;
        Sleep( random >> 16 & 63 );
        TerminateProcess( servers[i % SERVERS], 1 );
        /* those that are left do it alone for a while */
        wait_served( &clients, 20 );
        WaitForSingleObject( servers[i % SERVERS], 10000 );
        CloseHandle( servers[i % SERVERS] );
        servers[i % SERVERS] = run_child( arguments, NULL, NULL, 0, NULL );
    }
    wait_served( &clients, 20 );
    clients.stop = TRUE;
    ok( !WaitForSingleObject( thread, 20000 ), "a client waits\n" );
    CloseHandle( thread );
    ok( !clients.waiting, "%ld connections were served by nobody\n", clients.waiting );
    ok( clients.ended <= KILLS, "%ld connections ended with %d processes\n", clients.ended, KILLS );
    for ( unsigned int i = 0; i < SERVERS; i++ )
    {
        TerminateProcess( servers[i], 1 );
        WaitForSingleObject( servers[i], 10000 );
        CloseHandle( servers[i] );
    }
    closesocket( listener );
    check_refused( &clients.address );
    trace( "%ld served, %ld ended with their processes\n", clients.served, clients.ended );
    winetest_pop_context();
}

START_TEST( herd )
{
    char **argv;
    int argc = winetest_get_mainargs( &argv );

    if ( argc == 5 && !strcmp( argv[2], "serve" ) ) serve( (SOCKET)strtoull( argv[3], NULL, 16 ), atoi( argv[4] ) );
    if ( support_begin() ) return;
    test_kills( TRUE );
    test_kills( FALSE );
    support_end();
}
