/*
 * How much address space is left to a program that has so many sockets, one with a receive that waits and one duplicate among
 * them: in KB, as VirtualAlloc gives it out in pieces of 64 KB and more. Everything is left open.
 */
#define _WIN32_WINNT 0x0a00
#include <winsock2.h>
#include <windows.h>
#include <stdio.h>
#include <stdlib.h>

static int fail( const char *what )
{
    printf( "%s: error %d\n", what, WSAGetLastError() );
    return 1;
}

int main( int argc, char **argv )
{
    const int count = argc > 1 ? atoi( argv[1] ) : 0;
    static OVERLAPPED pending;
    static char data[16];
    WSABUF buffer = { sizeof( data ), data };
    struct sockaddr_in address = { .sin_family = AF_INET };
    SIZE_T total = 0;
    DWORD flags = 0;
    WSADATA wsa;

    if ( WSAStartup( MAKEWORD( 2, 2 ), &wsa ) ) return fail( "WSAStartup" );
    address.sin_addr.s_addr = htonl( INADDR_LOOPBACK );
    for ( int i = 0; i < count; i++ )
    {
        WSAPROTOCOL_INFOW info;
        SOCKET s = socket( AF_INET, SOCK_DGRAM, 0 );

        if ( s == INVALID_SOCKET ) return fail( "socket" );
        if ( i == 0 &&
             ( bind( s, (struct sockaddr *)&address, sizeof( address ) ) ||
               !WSARecv( s, &buffer, 1, NULL, &flags, &pending, NULL ) || WSAGetLastError() != WSA_IO_PENDING ) )
            return fail( "WSARecv" );
        if ( i == 1 && ( WSADuplicateSocketW( s, GetCurrentProcessId(), &info ) ||
                         WSASocketW( -1, -1, -1, &info, 0, 0 ) == INVALID_SOCKET ) )
            return fail( "WSADuplicateSocket" );
    }
    for ( SIZE_T size = 0x20000000; size >= 0x10000; size /= 2 )
        while ( VirtualAlloc( NULL, size, MEM_RESERVE, PAGE_NOACCESS ) ) total += size;
    printf( "%lu\n", (unsigned long)( total / 1024 ) );
    return 0;
}
