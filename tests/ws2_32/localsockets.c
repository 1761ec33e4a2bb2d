/* AF_UNIX stream sockets, which Windows has since version 1803 of Windows 10. */
#include "support.h"
#include <afunix.h>

#define GETPEERPID 0x58000100 /* SIO_AF_UNIX_GETPEERPID */

static int local_address( struct sockaddr_un *address, const char *path )
{
    memset( address, 0, sizeof(*address) );
    address->sun_family = AF_UNIX;
    strcpy( address->sun_path, path );
    return sizeof(*address);
}

static SOCKET local_socket( void )
{
    SOCKET s = socket( AF_UNIX, SOCK_STREAM, 0 );
    ok( s != INVALID_SOCKET, "error %d\n", WSAGetLastError() );
    return s;
}

static void test_path( const char *path )
{
    struct sockaddr_un address, found;
    int size = local_address( &address, path ), length;
    SOCKET listener = local_socket(), client = local_socket(), server, other;
    WSAPROTOCOL_INFOW info;
    DWORD pid = 0, bytes;

    winetest_push_context( "%s", path );
    DeleteFileA( path );
    /* nobody is there */
    check_fails( connect( client, (struct sockaddr *)&address, size ), WSAECONNREFUSED );
    closesocket( client );
    client = local_socket();

    check_ok( bind( listener, (struct sockaddr *)&address, size ) );
    length = sizeof(found);
    check_ok( getsockname( listener, (struct sockaddr *)&found, &length ) );
    ok( found.sun_family == AF_UNIX && !strcmp( found.sun_path, path ), "path %s\n", found.sun_path );
    todo_wine ok( GetFileAttributesA( path ) != INVALID_FILE_ATTRIBUTES, "there is no file\n" );
    check_ok( listen( listener, 4 ) );
    other = local_socket();
    check_fails( bind( other, (struct sockaddr *)&address, size ), WSAEADDRINUSE );

    check_ok( connect( client, (struct sockaddr *)&address, size ) );
    memset( &found, 0xcc, sizeof(found) );
    length = sizeof(found);
    server = accept( listener, (struct sockaddr *)&found, &length );
    ok( server != INVALID_SOCKET, "error %d\n", WSAGetLastError() );
    ok( found.sun_family == AF_UNIX && !found.sun_path[0], "the peer is %s\n", found.sun_path );
    check_flow( client, server );
    check_flow( server, client );
    length = sizeof(found);
    check_ok( getpeername( client, (struct sockaddr *)&found, &length ) );
    ok( !strcmp( found.sun_path, path ), "path %s\n", found.sun_path );
    length = sizeof(found);
    check_ok( getsockname( server, (struct sockaddr *)&found, &length ) );
    ok( !strcmp( found.sun_path, path ), "path %s\n", found.sun_path );

    check_ok( WSAIoctl( client, GETPEERPID, NULL, 0, &pid, sizeof(pid), &bytes, NULL, NULL ) );
    ok( pid == GetCurrentProcessId(), "peer %lu, this is %lu\n", pid, GetCurrentProcessId() );

    /* a second descriptor of the same socket */
    closesocket( other );
    check_ok( WSADuplicateSocketW( client, GetCurrentProcessId(), &info ) );
    other = WSASocketW( FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0, 0 );
    ok( other != INVALID_SOCKET, "error %d\n", WSAGetLastError() );
    check_ok( closesocket( client ) );
    check_flow( other, server );
    check_ok( shutdown( other, SD_SEND ) );
    check_eof( server );
    closesocket( other );
    closesocket( server );

    /* the file outlives the socket, and nobody listens there */
    check_ok( closesocket( listener ) );
    todo_wine ok( GetFileAttributesA( path ) != INVALID_FILE_ATTRIBUTES, "the file is gone\n" );
    client = local_socket();
    check_fails( connect( client, (struct sockaddr *)&address, size ), WSAECONNREFUSED );
    check_fails( bind( client, (struct sockaddr *)&address, size ), WSAEADDRINUSE );
    /* the loader's file functions do not see the host's socket files */
    todo_wine ok( DeleteFileA( path ), "error %lu\n", GetLastError() );
    todo_wine ok( !bind( client, (struct sockaddr *)&address, size ), "error %d\n", WSAGetLastError() );
    closesocket( client );
    todo_wine ok( DeleteFileA( path ), "error %lu\n", GetLastError() );
    winetest_pop_context();
}

void func_localsockets( void )
{
    char directory[MAX_PATH], old[MAX_PATH], path[MAX_PATH + 8];
    SOCKET s;

    if (support_begin()) return;
    s = socket( AF_UNIX, SOCK_STREAM, 0 );
    if (s == INVALID_SOCKET && WSAGetLastError() == WSAEAFNOSUPPORT)
    {
        win_skip( "there is no AF_UNIX\n" );
        support_end();
        return;
    }
    closesocket( s );

    GetTempPathA( sizeof(directory), directory );
    snprintf( path, sizeof(path), "%s%s", directory, "local.sk" );
    test_path( path );
    GetCurrentDirectoryA( sizeof(old), old );
    ok( SetCurrentDirectoryA( directory ), "error %lu\n", GetLastError() );
    test_path( "relative.sk" );
    SetCurrentDirectoryA( old );
    support_end();
}
