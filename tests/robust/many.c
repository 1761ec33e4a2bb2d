/* Makes sockets until there are no more, or as many as its argument says: WSAEMFILE then, what is open goes on, and there is
 * room again when some are closed. Ends with 0 when all of that is so. */
#include <stdio.h>
#include <stdlib.h>
#include <winsock2.h>
#include <ws2tcpip.h>

#define MOST 100000

int main( int argc, char **argv )
{
    static SOCKET sockets[MOST];
    const int most = argc > 1 ? atoi( argv[1] ) : MOST;
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl( INADDR_LOOPBACK ) };
    int count, error, size = sizeof( address );
    SOCKET s;
    WSADATA data;
    char byte;

    if ( WSAStartup( MAKEWORD( 2, 2 ), &data ) ) return 2;
    s = socket( AF_INET, SOCK_DGRAM, 0 );
    if ( bind( s, (struct sockaddr *)&address, size ) || getsockname( s, (struct sockaddr *)&address, &size ) )
        return 3;
    for ( count = 0; count < most; count++ )
        if ( ( sockets[count] = socket( AF_INET, SOCK_STREAM, 0 ) ) == INVALID_SOCKET ) break;
    error = count < most ? WSAGetLastError() : 0;
    printf( "many: %d sockets, error %d\n", count, error );
    fflush( stdout );
    if ( count < most && error != WSAEMFILE ) return 4;
    if ( sendto( s, "x", 1, 0, (struct sockaddr *)&address, size ) != 1 || recv( s, &byte, 1, 0 ) != 1 ) return 5;
    for ( int i = 0; i < 8; i++ ) closesocket( sockets[--count] );
    if ( socket( AF_INET, SOCK_STREAM, 0 ) == INVALID_SOCKET ) return 6;
    return WSACleanup() != 0;
}
