/*
 * Sockets of every kind for `ws2ctl list` to show, until standard input ends; first a line with the process, a listener's port
 * and the port of a datagram socket. `sockets.exe PATH`: an AF_UNIX listener at PATH too.
 */
#include <stdio.h>
#include <string.h>
#include <winsock2.h>
#include <ws2tcpip.h>

static SOCKET bound( int family, int type )
{
    struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    struct sockaddr_in four = { .sin_family = AF_INET, .sin_addr.s_addr = htonl( INADDR_LOOPBACK ) };
    SOCKET s = socket( family, type, 0 );

    if ( s == INVALID_SOCKET || ( family == AF_INET ? bind( s, (struct sockaddr *)&four, sizeof( four ) )
                                                    : bind( s, (struct sockaddr *)&six, sizeof( six ) ) ) )
        printf( "error %d\n", WSAGetLastError() );
    return s;
}

static struct sockaddr_in name_of( SOCKET s )
{
    struct sockaddr_in name;
    int size = sizeof( name );

    getsockname( s, (struct sockaddr *)&name, &size );
    return name;
}

/* AcceptEx waits for a connection to the listener with it. */
static void wait_with_acceptor( SOCKET listener )
{
    static GUID accept_ex = { 0xb5367df1, 0xcbac, 0x11cf, { 0x95, 0xca, 0x00, 0x80, 0x5f, 0x48, 0xa1, 0x92 } };
    static OVERLAPPED overlapped;
    static char buffer[64];
    BOOL( WINAPI * function )( SOCKET, SOCKET, void *, DWORD, DWORD, DWORD, DWORD *, OVERLAPPED * ) = NULL;
    SOCKET acceptor = socket( AF_INET, SOCK_STREAM, 0 );
    DWORD bytes;

    if ( WSAIoctl( listener, SIO_GET_EXTENSION_FUNCTION_POINTER, &accept_ex, sizeof( accept_ex ), &function,
                   sizeof( function ), &bytes, NULL, NULL ) ||
         function( listener, acceptor, buffer, 0, 32, 32, &bytes, &overlapped ) || WSAGetLastError() != WSA_IO_PENDING )
        printf( "error %d\n", WSAGetLastError() );
}

static void unix_listener( const char *path )
{
    struct
    {
        unsigned short family;
        char path[108];
    } name = { .family = AF_UNIX };
    SOCKET s = socket( AF_UNIX, SOCK_STREAM, 0 );

    strncpy( name.path, path, sizeof( name.path ) - 1 );
    if ( bind( s, (struct sockaddr *)&name, sizeof( name ) ) || listen( s, 3 ) )
        printf( "error %d\n", WSAGetLastError() );
}

int main( int argc, char **argv )
{
    SOCKET listener, client, accepted, datagram, six;
    struct sockaddr_in to;
    DWORD patience = 1234;
    BOOL on = TRUE;
    WSADATA data;

    if ( WSAStartup( MAKEWORD( 2, 2 ), &data ) ) return 1;
    listener = bound( AF_INET, SOCK_STREAM );
    listen( listener, 5 );
    to = name_of( listener );
    client = socket( AF_INET, SOCK_STREAM, 0 );
    if ( connect( client, (struct sockaddr *)&to, sizeof( to ) ) ) return 2;
    accepted = accept( listener, NULL, NULL );
    send( client, "abc", 3, 0 );
    setsockopt( client, SOL_SOCKET, SO_RCVTIMEO, (char *)&patience, sizeof( patience ) );
    WSAEventSelect( accepted, WSACreateEvent(), FD_READ | FD_CLOSE );
    datagram = bound( AF_INET, SOCK_DGRAM );
    setsockopt( datagram, SOL_SOCKET, SO_BROADCAST, (char *)&on, sizeof( on ) );
    six = bound( AF_INET6, SOCK_STREAM );
    listen( six, SOMAXCONN );
    socket( AF_INET, SOCK_STREAM, 0 );
    wait_with_acceptor( listener );
    if ( argc > 1 ) unix_listener( argv[1] );
    printf( "%lu %d %d\n", GetCurrentProcessId(), ntohs( to.sin_port ), ntohs( name_of( datagram ).sin_port ) );
    fflush( stdout );
    while ( getchar() != EOF ) continue;
    return 0;
}
