/*
 * The native end of a connection: listens on a free port of 127.0.0.1, prints "port N", serves one connection by sending
 * back what comes, prints "end" when the other side has closed in order, and "reset" otherwise. Gone after a minute.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

int main( void )
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t size = sizeof( address );
    int listener, connection;
    char buffer[4096];
    ssize_t got;

    alarm( 60 );
    setvbuf( stdout, NULL, _IOLBF, 0 );
    address.sin_addr.s_addr = htonl( INADDR_LOOPBACK );
    listener = socket( AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0 );
    if ( bind( listener, (struct sockaddr *)&address, sizeof( address ) ) || listen( listener, 1 ) ||
         getsockname( listener, (struct sockaddr *)&address, &size ) )
    {
        perror( "echo_peer" );
        return 1;
    }
    printf( "port %d\n", ntohs( address.sin_port ) );
    connection = accept( listener, NULL, NULL );
    while ( ( got = read( connection, buffer, sizeof( buffer ) ) ) > 0 )
        if ( write( connection, buffer, got ) != got ) break;
    puts( got ? "reset" : "end" );
    return got ? 1 : 0;
}
