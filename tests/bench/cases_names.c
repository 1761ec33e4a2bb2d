/* The cases of names: what a program asks before each of its connections. */
#include <string.h>
#ifndef _WIN32
#include <netdb.h>
#endif
#include "bench.h"

int bench_names_begin( int argument )
{
    (void)argument;
    return 0;
}

void bench_names_end( void ) {}

static int resolve( const char *node, const char *service )
{
    struct addrinfo hints, *list;
    int error;

    memset( &hints, 0, sizeof( hints ) );
    hints.ai_socktype = SOCK_STREAM;
    if ( ( error = getaddrinfo( node, service, &hints, &list ) ) ) return bench_failure = error;
    freeaddrinfo( list );
    return 0;
}

int bench_localhost( void ) { return resolve( "localhost", "80" ); }

int bench_no_node( void ) { return resolve( NULL, "80" ); }

int bench_gethostbyname( void )
{
    if ( gethostbyname( "localhost" ) ) return 0;
    return bench_failure = -1;
}

int bench_own_name( void )
{
    struct sockaddr_in address;
    char name[256];
    int error;

    memset( &address, 0, sizeof( address ) );
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl( INADDR_LOOPBACK );
    error = getnameinfo( (struct sockaddr *)&address, sizeof( address ), name, sizeof( name ), NULL, 0, 0 );
    return error ? bench_failure = error : 0;
}
