/*
 * Prints whose ws2_32.dll it has, how much comes on standard input, and its arguments; ends with 30 + their number.
 */
#include <stdio.h>
#include <string.h>
#include <winsock2.h>
#include <psapi.h>

/* The loader's own ws2_32.dll is in the process: marked behind the DOS header. */
static int loaders( void )
{
    HMODULE modules[256];
    DWORD size = 0;
    char name[MAX_PATH];

    EnumProcessModules( GetCurrentProcess(), modules, sizeof( modules ), &size );
    for ( DWORD i = 0; i < size / sizeof( modules[0] ); i++ )
        if ( GetModuleBaseNameA( GetCurrentProcess(), modules[i], name, sizeof( name ) ) &&
             !_stricmp( name, "ws2_32.dll" ) && !memcmp( (const char *)modules[i] + 0x40, "Wine builtin DLL", 16 ) )
            return 1;
    return 0;
}

int main( int argc, char **argv )
{
    WSADATA data;
    int count = 0, i;
    SOCKET s;

    if ( WSAStartup( MAKEWORD( 2, 2 ), &data ) ) return 1;
    while ( getchar() != EOF ) count++;
    /* it serves, whosever it is */
    if ( ( s = socket( AF_INET, SOCK_STREAM, 0 ) ) == INVALID_SOCKET || closesocket( s ) ) return 2;
    printf( "%s, %d bytes", loaders() ? "the loader's" : "ours", count );
    for ( i = 1; i < argc; i++ ) printf( ", [%s]", argv[i] );
    printf( "\n" );
    WSACleanup();
    return 30 + argc - 1;
}
