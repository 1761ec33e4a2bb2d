/*
 * Calls for WS2DEBUG to tell of: one that waits and times out, one that fails, an overlapped receive, a network event; then a
 * byte sent and received 20 times a second until standard input ends. First a line with the process and two SOCKETs.
 */
#include <stdio.h>
#include <winsock2.h>
#include <ws2tcpip.h>
#include <mswsock.h>

static volatile LONG ended;

static DWORD WINAPI until_end( void *unused )
{
    (void)unused;
    while ( getchar() != EOF ) continue;
    ended = 1;
    return 0;
}

int main( void )
{
    struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr.s_addr = htonl( INADDR_LOOPBACK ) };
    int size = sizeof( name );
    DWORD patience = 60, flags = 0, bytes = 0;
    OVERLAPPED overlapped = { .hEvent = CreateEventA( NULL, TRUE, FALSE, NULL ) };
    HANDLE event = WSACreateEvent();
    SOCKET listener, client, server;
    char buffer[8];
    WSABUF part = { sizeof( buffer ), buffer };
    WSADATA data;

    if ( WSAStartup( MAKEWORD( 2, 2 ), &data ) ) return 1;
    listener = socket( AF_INET, SOCK_STREAM, 0 );
    if ( bind( listener, (struct sockaddr *)&name, size ) || listen( listener, 1 ) ||
         getsockname( listener, (struct sockaddr *)&name, &size ) )
        return 2;
    client = socket( AF_INET, SOCK_STREAM, 0 );
    if ( connect( client, (struct sockaddr *)&name, size ) ) return 3;
    server = accept( listener, NULL, NULL );
    printf( "%lu %#x %#x\n", GetCurrentProcessId(), (unsigned int)client, (unsigned int)server );
    fflush( stdout );

    setsockopt( server, SOL_SOCKET, SO_RCVTIMEO, (char *)&patience, sizeof( patience ) );
    recv( server, buffer, sizeof( buffer ), 0 );
    patience = 0;
    setsockopt( server, SOL_SOCKET, SO_RCVTIMEO, (char *)&patience, sizeof( patience ) );
    send( (SOCKET)4, buffer, 1, 0 );
    WSARecv( server, &part, 1, NULL, &flags, &overlapped, NULL );
    send( client, "abc", 3, 0 );
    WSAGetOverlappedResult( server, &overlapped, &bytes, TRUE, &flags );
    WSAEventSelect( server, event, FD_READ );
    send( client, "d", 1, 0 );
    WaitForSingleObject( event, 5000 );
    WSAEventSelect( server, NULL, 0 );
    CloseHandle( CreateThread( NULL, 0, until_end, NULL, 0, NULL ) );
    while ( !ended )
    {
        send( client, "e", 1, 0 );
        recv( server, buffer, sizeof( buffer ), 0 );
        Sleep( 50 );
    }
    return 0;
}
