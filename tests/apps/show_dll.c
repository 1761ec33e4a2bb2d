/*
 * Prints whose ws2_32.dll it has, how much comes on standard input, and its arguments; ends with 30 + their number.
 */
#include <stdio.h>
#include <winsock2.h>

int main( int argc, char **argv )
{
    WSADATA data;
    int count = 0, i;

    if ( WSAStartup( MAKEWORD( 2, 2 ), &data ) ) return 1;
    while ( getchar() != EOF ) count++;
    printf( "%s, %d bytes", GetModuleHandleA( "ws2host.dll" ) ? "ours" : "the loader's", count );
    for ( i = 1; i < argc; i++ ) printf( ", [%s]", argv[i] );
    printf( "\n" );
    WSACleanup();
    return 30 + argc - 1;
}
