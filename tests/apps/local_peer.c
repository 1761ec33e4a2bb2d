/* A Windows program at one end of an AF_UNIX connection, for tests/run-local: local_peer serve PATH, or ask PATH TEXT. */
#include <stdio.h>
#include <string.h>
#include <winsock2.h>
#include <afunix.h>

static int fail( const char *what )
{
    printf( "%s: error %d\n", what, WSAGetLastError() );
    return 1;
}

/* Listens, answers one message with itself between brackets, and ends. */
static int serve( const struct sockaddr_un *address )
{
    SOCKET listener = socket( AF_UNIX, SOCK_STREAM, 0 ), s;
    char text[64] = "[";
    int n;

    if ( bind( listener, (const struct sockaddr *)address, sizeof( *address ) ) || listen( listener, 4 ) )
        return fail( "bind" );
    printf( "listening\n" );
    fflush( stdout );
    if ( ( s = accept( listener, NULL, NULL ) ) == INVALID_SOCKET ) return fail( "accept" );
    if ( ( n = recv( s, text + 1, sizeof( text ) - 2, 0 ) ) <= 0 ) return fail( "recv" );
    text[n + 1] = ']';
    return send( s, text, n + 2, 0 ) == n + 2 ? 0 : fail( "send" );
}

/* Prints the answer and the name of who gave it. */
static int ask( const struct sockaddr_un *address, const char *question )
{
    SOCKET s = socket( AF_UNIX, SOCK_STREAM, 0 );
    struct sockaddr_un peer;
    int size = sizeof( peer ), n;
    char text[64];

    if ( connect( s, (const struct sockaddr *)address, sizeof( *address ) ) ) return fail( "connect" );
    if ( getpeername( s, (struct sockaddr *)&peer, &size ) ) return fail( "getpeername" );
    send( s, question, strlen( question ), 0 );
    if ( ( n = recv( s, text, sizeof( text ) - 1, 0 ) ) <= 0 ) return fail( "recv" );
    text[n] = 0;
    printf( "%s from %s\n", text, peer.sun_path );
    return 0;
}

int main( int argc, char **argv )
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    WSADATA data;

    if ( argc < 3 || WSAStartup( MAKEWORD( 2, 2 ), &data ) ) return 2;
    snprintf( address.sun_path, sizeof( address.sun_path ), "%s", argv[2] );
    return strcmp( argv[1], "serve" ) ? ask( &address, argc > 3 ? argv[3] : "hello" ) : serve( &address );
}
