/*
 * The other end of the cases that serve a client: always this native program, so that what differs is the server alone.
 * Prints "port N", then serves control connections one after another:
 *
 *     echo PORT CONNECTIONS NANOSECONDS   64-byte ping-pong on so many connections to PORT for that long, all closed at
 *                                         the end; an empty line afterwards is answered with nanoseconds per echo
 *     swallow PORT SIZE                   reads from one connection; a byte goes back after each SIZE bytes
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SIZE 64

static double now( void )
{
    struct timespec time;

    clock_gettime( CLOCK_MONOTONIC, &time );
    return time.tv_sec * 1e9 + time.tv_nsec;
}

static int open_connection( int port )
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons( port ) };
    struct linger reset = { 1, 0 };
    int fd = socket( AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0 ), on = 1;

    address.sin_addr.s_addr = htonl( INADDR_LOOPBACK );
    if ( fd < 0 || connect( fd, (struct sockaddr *)&address, sizeof( address ) ) )
    {
        if ( fd >= 0 ) close( fd );
        return -1;
    }
    setsockopt( fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof( on ) );
    /* no ports left in TIME_WAIT; the server sees a reset instead of an end, and closes all the same */
    setsockopt( fd, SOL_SOCKET, SO_LINGER, &reset, sizeof( reset ) );
    return fd;
}

static double echo( int port, int connections, double nanoseconds )
{
    int *fds = calloc( connections, sizeof( *fds ) ), queue = epoll_create1( EPOLL_CLOEXEC ), opened;
    struct epoll_event events[64];
    char buffer[SIZE] = { 0 };
    double begin, measured_from, spent = 0;
    uint64_t count = 0;

    if ( !fds ) return -1;
    for ( opened = 0; opened < connections; opened++ )
    {
        struct epoll_event event = { .events = EPOLLIN, .data.fd = -1 };

        if ( ( fds[opened] = open_connection( port ) ) < 0 ) break;
        event.data.fd = fds[opened];
        epoll_ctl( queue, EPOLL_CTL_ADD, fds[opened], &event );
    }
    if ( opened == connections )
    {
        for ( int i = 0; i < connections; i++ )
            if ( send( fds[i], buffer, SIZE, MSG_NOSIGNAL ) != SIZE ) goto done;
        /* the first round, until every connection has been served once, does not count */
        begin = measured_from = 0;
        for ( ;; )
        {
            int ready = epoll_wait( queue, events, 64, 5000 );

            if ( ready <= 0 ) goto done;
            for ( int i = 0; i < ready; i++ )
            {
                ssize_t got = recv( events[i].data.fd, buffer, SIZE, 0 );

                if ( got <= 0 || send( events[i].data.fd, buffer, got, MSG_NOSIGNAL ) != got )
                {
                    spent = -1;
                    goto done;
                }
            }
            count += ready;
            if ( !begin && count >= (uint64_t)connections )
            {
                begin = now();
                measured_from = count;
            }
            if ( begin && ( spent = now() - begin ) >= nanoseconds ) break;
        }
        count -= (uint64_t)measured_from;
    }
done:
    for ( int i = 0; i < opened; i++ ) close( fds[i] );
    close( queue );
    free( fds );
    return spent > 0 && count ? spent / count : -1;
}

static void swallow( int port, long size )
{
    static char buffer[1 << 18];
    int fd = open_connection( port );
    long left = size;
    ssize_t got;

    if ( fd < 0 ) return;
    while ( ( got = recv( fd, buffer, left < (long)sizeof( buffer ) ? left : (long)sizeof( buffer ), 0 ) ) > 0 )
        if ( !( left -= got ) )
        {
            if ( send( fd, buffer, 1, MSG_NOSIGNAL ) != 1 ) break;
            left = size;
        }
    close( fd );
}

static void serve( int control )
{
    FILE *in = fdopen( control, "r" );
    char line[128];
    double result = -1, nanoseconds;
    int port, connections;
    long size;

    while ( fgets( line, sizeof( line ), in ) )
    {
        if ( sscanf( line, "echo %d %d %lf", &port, &connections, &nanoseconds ) == 3 )
            result = echo( port, connections, nanoseconds );
        else if ( sscanf( line, "swallow %d %ld", &port, &size ) == 2 ) swallow( port, size );
        else if ( dprintf( control, "%.1f\n", result ) < 0 ) break;
    }
    fclose( in );
}

int main( void )
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t size = sizeof( address );
    struct rlimit limit;
    int listener = socket( AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0 ), control;

    if ( !getrlimit( RLIMIT_NOFILE, &limit ) )
    {
        limit.rlim_cur = limit.rlim_max;
        setrlimit( RLIMIT_NOFILE, &limit );
    }
    address.sin_addr.s_addr = htonl( INADDR_LOOPBACK );
    if ( bind( listener, (struct sockaddr *)&address, sizeof( address ) ) || listen( listener, 4 ) ||
         getsockname( listener, (struct sockaddr *)&address, &size ) )
    {
        perror( "load" );
        return 1;
    }
    printf( "port %d\n", ntohs( address.sin_port ) );
    fflush( stdout );
    while ( ( control = accept( listener, NULL, NULL ) ) >= 0 ) serve( control );
    return 0;
}
