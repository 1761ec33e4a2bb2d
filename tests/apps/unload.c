/*
 * ws2_32.dll loaded and freed by a program that does not import it.
 *
 *     unload cycles     loaded and freed 100 times without WSAStartup; after that it works
 *     unload free       freed as often as it was loaded while calls are pending: once started, Winsock stays in the process
 *                       until that ends, and what is pending ends as if nothing had happened
 *     unload cleanup    WSACleanup ends what is pending; the DLL is freed, loaded and started again, and works
 *     unload exit       the process ends after all that, with everything pending
 *
 * Prints what is wrong; ends with 40 when nothing is.
 */
#include <stdio.h>
#include <string.h>
#include <winsock2.h>

#define FUNCTIONS( DO ) \
    DO( WSAStartup ) \
    DO( WSACleanup ) \
    DO( WSAGetLastError ) \
    DO( WSARecv ) \
    DO( WSAEventSelect ) \
    DO( socket ) \
    DO( bind ) \
    DO( listen ) \
    DO( accept ) \
    DO( connect ) \
    DO( getsockname ) \
    DO( send ) \
    DO( recv ) \
    DO( closesocket )
#define POINTER( name ) static __typeof__( name ) *p_##name;
FUNCTIONS( POINTER )

#define LOADS 3
#define check( condition ) \
    do \
        if ( !( condition ) ) printf( "line %d: %s\n", __LINE__, #condition ), wrong = 1; \
    while ( 0 )

static HMODULE dll;
static int wrong;

static void load( unsigned int times )
{
    while ( times-- ) dll = LoadLibraryA( "ws2_32.dll" );
    check( dll );
#define FIND( name ) p_##name = (void *)GetProcAddress( dll, #name );
    FUNCTIONS( FIND )
}

static void unload( unsigned int times )
{
    while ( times-- ) check( FreeLibrary( dll ) );
}

static void start( void )
{
    WSADATA data;

    check( !p_WSAStartup( MAKEWORD( 2, 2 ), &data ) );
}

static void connected( SOCKET *client, SOCKET *server )
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = 0x0100007f };
    SOCKET listener = p_socket( AF_INET, SOCK_STREAM, 0 );
    int length = sizeof( address );

    check( !p_bind( listener, (struct sockaddr *)&address, sizeof( address ) ) );
    check( !p_getsockname( listener, (struct sockaddr *)&address, &length ) );
    check( !p_listen( listener, 1 ) );
    *client = p_socket( AF_INET, SOCK_STREAM, 0 );
    check( !p_connect( *client, (struct sockaddr *)&address, sizeof( address ) ) );
    *server = p_accept( listener, NULL, NULL );
    check( *server != INVALID_SOCKET );
    check( !p_closesocket( listener ) );
}

static void works( void )
{
    SOCKET client, server;
    char data[8];

    connected( &client, &server );
    check( p_send( client, "data", 4, 0 ) == 4 );
    check( p_recv( server, data, sizeof( data ), 0 ) == 4 && !memcmp( data, "data", 4 ) );
    check( !p_closesocket( client ) && !p_closesocket( server ) );
}

/* a thread in recv, an overlapped receive, a registration for events, each on a connection of its own */
static SOCKET clients[3], servers[3];
static char bytes[2][8];
static OVERLAPPED overlapped;
static HANDLE thread, event;
static volatile LONG result = -2;

static DWORD WINAPI receive( void *unused )
{
    (void)unused;
    result = p_recv( servers[0], bytes[0], sizeof( bytes[0] ), 0 );
    return 0;
}

static void pend( void )
{
    WSABUF buffer = { sizeof( bytes[1] ), bytes[1] };
    DWORD flags = 0;

    for ( unsigned int i = 0; i < 3; i++ ) connected( &clients[i], &servers[i] );
    thread = CreateThread( NULL, 0, receive, NULL, 0, NULL );
    overlapped.hEvent = CreateEventW( NULL, TRUE, FALSE, NULL );
    check( p_WSARecv( servers[1], &buffer, 1, NULL, &flags, &overlapped, NULL ) == SOCKET_ERROR &&
           p_WSAGetLastError() == WSA_IO_PENDING );
    event = CreateEventW( NULL, TRUE, FALSE, NULL );
    check( !p_WSAEventSelect( servers[2], event, FD_READ ) );
    Sleep( 300 ); /* the thread waits by now */
    check( result == -2 );
}

static void still_pending( void )
{
    check( WaitForSingleObject( thread, 200 ) == WAIT_TIMEOUT );
    check( WaitForSingleObject( overlapped.hEvent, 0 ) == WAIT_TIMEOUT );
    check( WaitForSingleObject( event, 0 ) == WAIT_TIMEOUT );
}

static void cycles( void )
{
    for ( unsigned int i = 0; i < 100 && !wrong; i++ )
    {
        load( 1 );
        unload( 1 );
    }
    load( 1 );
    start();
    works();
    check( !p_WSACleanup() );
    unload( 1 );
}

static void free_pending( void )
{
    load( LOADS );
    start();
    pend();
    unload( LOADS );
    check( GetModuleHandleA( "ws2_32.dll" ) == dll );
    if ( wrong ) ExitProcess( 1 ); /* what follows would call code that is gone */
    still_pending();
    for ( unsigned int i = 0; i < 3; i++ ) check( p_send( clients[i], "data", 4, 0 ) == 4 );
    check( !WaitForSingleObject( thread, 10000 ) && result == 4 && !memcmp( bytes[0], "data", 4 ) );
    check( !WaitForSingleObject( overlapped.hEvent, 10000 ) && !overlapped.Internal && overlapped.InternalHigh == 4 &&
           !memcmp( bytes[1], "data", 4 ) );
    check( !WaitForSingleObject( event, 10000 ) );
    load( 1 );
    works();
    check( !p_WSACleanup() );
}

static void cleanup( void )
{
    load( LOADS );
    start();
    pend();
    check( !p_WSACleanup() );
    /* cancelled, aborted with its connection, or the end of the stream: the other end may be closed first */
    check( !WaitForSingleObject( thread, 10000 ) && ( result == -1 || !result ) );
    check( !WaitForSingleObject( overlapped.hEvent, 10000 ) && !overlapped.InternalHigh &&
           ( overlapped.Internal == 0xc0000120 || overlapped.Internal == 0xc0000241 || !overlapped.Internal ) );
    unload( LOADS );
    load( 1 );
    start();
    check( p_send( clients[0], "data", 4, 0 ) == -1 && p_WSAGetLastError() == WSAENOTSOCK );
    works();
    check( !p_WSACleanup() );
    unload( 1 );
}

int main( int argc, char **argv )
{
    const char *what = argc > 1 ? argv[1] : "";

    check( !GetModuleHandleA( "ws2_32.dll" ) ); /* nothing else has brought it here */
    if ( !strcmp( what, "cycles" ) ) cycles();
    else if ( !strcmp( what, "free" ) ) free_pending();
    else if ( !strcmp( what, "cleanup" ) ) cleanup();
    else if ( !strcmp( what, "exit" ) )
    {
        load( LOADS );
        start();
        pend();
        unload( LOADS );
        still_pending();
    }
    else return 2;
    return wrong ? 1 : 40;
}
