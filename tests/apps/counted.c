/*
 * Makes calls whose number it knows, from more threads than have a line of counts of their own, and prints what
 * `ws2ctl stats` is to say of it: process, calls, overlapped operations, bytes received and sent, waits. Then it waits for the
 * end of standard input.
 */
#include <stdio.h>
#include <winsock2.h>
#include <windows.h>

#define THREADS 70
#define TURNS 2 /* the threads of the second come where those of the first have ended */
#define DATAGRAMS 50
#define OPERATIONS 5
#define PAUSES 3

static volatile LONG calls, operations, received, sent, waits, wrong;

/* One call more. */
#define CALL( call ) ( InterlockedIncrement( &calls ), ( call ) )

static void check( BOOL right )
{
    if ( !right ) InterlockedIncrement( &wrong );
}

/* A datagram socket that is its own peer. */
static SOCKET make_socket( void )
{
    struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr.s_addr = 0x0100007f };
    SOCKET s = CALL( socket( AF_INET, SOCK_DGRAM, 0 ) );
    int size = sizeof( name );

    check( !CALL( bind( s, (struct sockaddr *)&name, sizeof( name ) ) ) );
    check( !CALL( getsockname( s, (struct sockaddr *)&name, &size ) ) );
    check( !CALL( connect( s, (struct sockaddr *)&name, size ) ) );
    return s;
}

static DWORD WINAPI talk( void *unused )
{
    SOCKET s = make_socket();
    ULONG one = 1;
    char data[32];

    (void)unused;
    check( !CALL( ioctlsocket( s, FIONBIO, &one ) ) );
    for ( int i = 0; i < DATAGRAMS; i++ )
    {
        check( CALL( send( s, "seven b", 7, 0 ) ) == 7 );
        InterlockedExchangeAdd( &sent, 7 );
        check( CALL( recv( s, data, sizeof( data ), MSG_PEEK ) ) == 7 ); /* which receives nothing */
        check( CALL( recv( s, data, sizeof( data ), 0 ) ) == 7 );
        InterlockedExchangeAdd( &received, 7 );
        check( CALL( recv( s, data, sizeof( data ), 0 ) ) == SOCKET_ERROR );
    }
    check( !CALL( closesocket( s ) ) );
    return 0;
}

static void talk_in_threads( void )
{
    HANDLE threads[THREADS];

    for ( int i = 0; i < THREADS; i++ ) check( ( threads[i] = CreateThread( NULL, 0, talk, NULL, 0, NULL ) ) != NULL );
    for ( int i = 0; i < THREADS; i++ )
    {
        check( !WaitForSingleObject( threads[i], INFINITE ) );
        CloseHandle( threads[i] );
    }
}

static void operate( SOCKET s )
{
    OVERLAPPED overlapped = { .hEvent = CreateEventW( NULL, TRUE, FALSE, NULL ) };
    char data[32], out[] = "twelve bytes";
    WSABUF into = { sizeof( data ), data }, from = { 12, out };
    DWORD flags = 0, bytes;

    check( CALL( WSARecv( s, &into, 1, NULL, &flags, &overlapped, NULL ) ) == SOCKET_ERROR );
    check( !CALL( WSASend( s, &from, 1, &bytes, 0, NULL, NULL ) ) );
    check( !WaitForSingleObject( overlapped.hEvent, INFINITE ) );
    check( CALL( WSAGetOverlappedResult( s, &overlapped, &bytes, FALSE, &flags ) ) && bytes == 12 );
    InterlockedIncrement( &operations );
    InterlockedExchangeAdd( &sent, 12 );
    InterlockedExchangeAdd( &received, 12 );
    CloseHandle( overlapped.hEvent );
}

static void pause( SOCKET s )
{
    struct timeval moment = { 0, 20000 };
    fd_set set;

    FD_ZERO( &set );
    FD_SET( s, &set );
    check( !CALL( select( 0, &set, NULL, NULL, &moment ) ) );
    InterlockedIncrement( &waits );
}

int main( void )
{
    WSADATA data;
    SOCKET s;

    check( !CALL( WSAStartup( MAKEWORD( 2, 2 ), &data ) ) );
    for ( int i = 0; i < TURNS; i++ ) talk_in_threads();
    s = make_socket();
    for ( int i = 0; i < OPERATIONS; i++ ) operate( s );
    for ( int i = 0; i < PAUSES; i++ ) pause( s );
    printf( "%lu %ld %ld %ld %ld %ld\n", GetCurrentProcessId(), calls, operations, received, sent, waits );
    if ( wrong ) printf( "%ld wrong\n", wrong );
    fflush( stdout );
    while ( getchar() != EOF ) continue;
    return 0;
}
