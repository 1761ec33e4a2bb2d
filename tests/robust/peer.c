/* The other end of churn.exe's connections: prints its port, and for each line on standard input how many connections it
 * has accepted and how many of those are open. */
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#define MOST 4096

int main( void )
{
    static struct pollfd fds[MOST] = { { .fd = 0, .events = POLLIN } };
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl( INADDR_LOOPBACK ) };
    socklen_t size = sizeof( address );
    unsigned int count = 2, accepted = 0;
    char data[256];

    fds[1].fd = socket( AF_INET, SOCK_STREAM, 0 );
    fds[1].events = POLLIN;
    if ( bind( fds[1].fd, (struct sockaddr *)&address, size ) || listen( fds[1].fd, 512 ) ||
         getsockname( fds[1].fd, (struct sockaddr *)&address, &size ) )
        return 1;
    printf( "%u\n", ntohs( address.sin_port ) );
    fflush( stdout );
    while ( poll( fds, count, -1 ) > 0 )
    {
        for ( unsigned int i = count; i-- > 2; )
            if ( fds[i].revents && read( fds[i].fd, data, sizeof( data ) ) <= 0 )
            {
                close( fds[i].fd );
                fds[i] = fds[--count];
            }
        if ( fds[1].revents && count < MOST && ( fds[count].fd = accept( fds[1].fd, NULL, NULL ) ) >= 0 )
        {
            accepted++;
            fds[count].revents = 0;
            fds[count++].events = POLLIN;
        }
        if ( !fds[0].revents ) continue;
        if ( read( 0, data, sizeof( data ) ) <= 0 ) return 0;
        printf( "%u %u\n", accepted, count - 2 );
        fflush( stdout );
    }
    return 0;
}
