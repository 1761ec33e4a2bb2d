/* Names of AF_UNIX sockets, which Windows has since version 1803 of Windows 10: files, and what is none. */
#include "support.h"
#include <winioctl.h>

#define GETPEERPID 0x58000100 /* SIO_AF_UNIX_GETPEERPID */

/* path in UTF-8; wide: the same for the file functions */
static void test_wide_path( const char *path, const WCHAR *wide )
{
    struct sockaddr_un address, found;
    int size = local_address( &address, path ), length;
    SOCKET listener = local_socket(), client = local_socket(), server, other;
    WSAPROTOCOL_INFOW info;
    DWORD pid = 0, bytes;

    winetest_push_context( "%s", path );
    DeleteFileW( wide );
    /* nobody is there */
    check_fails( connect( client, (struct sockaddr *)&address, size ), WSAECONNREFUSED );
    closesocket( client );
    client = local_socket();

    check_ok( bind( listener, (struct sockaddr *)&address, size ) );
    length = sizeof( found );
    check_ok( getsockname( listener, (struct sockaddr *)&found, &length ) );
    ok( found.sun_family == AF_UNIX && !strcmp( found.sun_path, path ), "path %s\n", found.sun_path );
    ok( GetFileAttributesW( wide ) != INVALID_FILE_ATTRIBUTES, "there is no file\n" );
    check_ok( listen( listener, 4 ) );
    other = local_socket();
    check_fails( bind( other, (struct sockaddr *)&address, size ), WSAEADDRINUSE );

    check_ok( connect( client, (struct sockaddr *)&address, size ) );
    memset( &found, 0xcc, sizeof( found ) );
    length = sizeof( found );
    server = accept( listener, (struct sockaddr *)&found, &length );
    ok( server != INVALID_SOCKET, "error %d\n", WSAGetLastError() );
    ok( found.sun_family == AF_UNIX && !found.sun_path[0], "the peer is %s\n", found.sun_path );
    check_flow( client, server );
    check_flow( server, client );
    length = sizeof( found );
    check_ok( getpeername( client, (struct sockaddr *)&found, &length ) );
    ok( !strcmp( found.sun_path, path ), "path %s\n", found.sun_path );
    length = sizeof( found );
    check_ok( getsockname( server, (struct sockaddr *)&found, &length ) );
    ok( !strcmp( found.sun_path, path ), "path %s\n", found.sun_path );

    check_ok( WSAIoctl( client, GETPEERPID, NULL, 0, &pid, sizeof( pid ), &bytes, NULL, NULL ) );
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
    ok( GetFileAttributesW( wide ) != INVALID_FILE_ATTRIBUTES, "the file is gone\n" );
    client = local_socket();
    check_fails( connect( client, (struct sockaddr *)&address, size ), WSAECONNREFUSED );
    check_fails( bind( client, (struct sockaddr *)&address, size ), WSAEADDRINUSE );
    ok( DeleteFileW( wide ), "error %lu\n", GetLastError() );
    ok( !bind( client, (struct sockaddr *)&address, size ), "error %d\n", WSAGetLastError() );
    closesocket( client );
    ok( DeleteFileW( wide ), "error %lu\n", GetLastError() );
    winetest_pop_context();
}

static void test_path( const char *path )
{
    WCHAR wide[MAX_PATH];

    MultiByteToWideChar( CP_ACP, 0, path, -1, wide, ARRAY_SIZE( wide ) );
    test_wide_path( path, wide );
}

/* A file is a socket's name as long as it exists, whichever socket has been there before. */
static void test_replaced( const char *path )
{
    SOCKET first = local_socket(), second = local_socket(), client, server;
    struct sockaddr_un address, found;
    int size = local_address( &address, path ), length = sizeof( found );

    check_ok( bind( first, (struct sockaddr *)&address, size ) );
    check_fails( bind( first, (struct sockaddr *)&address, size ), WSAEINVAL );
    /* bound, and nobody listens */
    client = local_socket();
    check_fails( connect( client, (struct sockaddr *)&address, size ), WSAECONNREFUSED );
    closesocket( client );
    check_ok( listen( first, 4 ) );
    ok( DeleteFileA( path ), "error %lu\n", GetLastError() );
    client = local_socket();
    check_fails( connect( client, (struct sockaddr *)&address, size ), WSAECONNREFUSED );
    check_ok( getsockname( first, (struct sockaddr *)&found, &length ) );
    ok( !strcmp( found.sun_path, path ), "path %s\n", found.sun_path );

    check_ok( bind( second, (struct sockaddr *)&address, size ) );
    check_ok( listen( second, 4 ) );
    check_ok( connect( client, (struct sockaddr *)&address, size ) );
    server = accept_one( second );
    check_flow( client, server );
    check_flow( server, client );
    ok( !wait_readable( first, 50 ), "the old socket has got the connection\n" );
    closesocket( server );
    closesocket( client );
    closesocket( first );
    /* what the file names has nothing to do with the first one's end */
    client = local_socket();
    check_ok( connect( client, (struct sockaddr *)&address, size ) );
    closesocket( client );
    closesocket( second );
    ok( DeleteFileA( path ), "error %lu\n", GetLastError() );
}

/* Both ends bound by the program, and the room for their names. */
static void test_names( const char *path, const char *own_path )
{
    SOCKET listener = local_socket(), client = local_socket(), server;
    struct sockaddr_un address, own, found;
    int size = local_address( &address, path ), length = sizeof( found );
    char room[sizeof( found ) + 16];

    local_address( &own, own_path );
    check_fails( getsockname( listener, (struct sockaddr *)&found, &length ), WSAEINVAL );
    check_fails( getpeername( listener, (struct sockaddr *)&found, &length ), WSAENOTCONN );
    check_fails( listen( listener, 1 ), WSAEINVAL );
    check_ok( bind( listener, (struct sockaddr *)&address, size ) );
    check_ok( listen( listener, 1 ) );
    check_ok( bind( client, (struct sockaddr *)&own, size ) );
    check_ok( connect( client, (struct sockaddr *)&address, size ) );
    length = sizeof( found ) - 1;
    check_no_socket( accept( listener, (struct sockaddr *)&found, &length ), WSAEFAULT );
    memset( room, 0xcc, sizeof( room ) );
    length = sizeof( room );
    server = accept( listener, (struct sockaddr *)room, &length );
    ok( server != INVALID_SOCKET, "error %d\n", WSAGetLastError() );
    ok( length == sizeof( found ), "length %d\n", length );
    memcpy( &found, room, sizeof( found ) );
    ok( found.sun_family == AF_UNIX && !strcmp( found.sun_path, own_path ), "path %s\n", found.sun_path );
    ok( (unsigned char)room[sizeof( found )] == 0xcc, "written past the address\n" );
    length = sizeof( found );
    check_ok( getpeername( server, (struct sockaddr *)&found, &length ) );
    ok( !strcmp( found.sun_path, own_path ), "path %s\n", found.sun_path );
    check_ok( getsockname( client, (struct sockaddr *)&found, &length ) );
    ok( !strcmp( found.sun_path, own_path ), "path %s\n", found.sun_path );
    /* as long as the path is, and its NUL */
    length = 2 + strlen( own_path );
    check_fails( getsockname( client, (struct sockaddr *)&found, &length ), WSAEFAULT );
    memset( room, 0xcc, sizeof( room ) );
    length = sizeof( room );
    check_ok( getsockname( client, (struct sockaddr *)room, &length ) );
    ok( length == 2 + (int)strlen( own_path ) + 1, "length %d\n", length );
    ok( !strcmp( room + 2, own_path ) && (unsigned char)room[length] == 0xcc, "path %s\n", room + 2 );
    memset( room, 0xcc, sizeof( room ) );
    length = sizeof( room );
    check_ok( getsockname( server, (struct sockaddr *)room, &length ) );
    ok( length == 2 + (int)strlen( path ) + 1, "length %d\n", length );
    ok( !strcmp( room + 2, path ) && (unsigned char)room[length] == 0xcc, "path %s\n", room + 2 );
    length = sizeof( room );
    check_ok( getpeername( client, (struct sockaddr *)room, &length ) );
    ok( length == sizeof( found ) && !strcmp( room + 2, path ), "length %d, path %s\n", length, room + 2 );
    length = sizeof( found );
    check_fails( getpeername( client, memory_read_only(), &length ), WSAEFAULT );
    check_fails( getsockname( client, NULL, &length ), WSAEFAULT );
    check_fails( connect( client, (struct sockaddr *)&address, size ), WSAEISCONN );
    check_fails( listen( client, 1 ), WSAEISCONN );

    /* the names stay when the listener and the files are gone */
    closesocket( listener );
    ok( DeleteFileA( path ), "error %lu\n", GetLastError() );
    ok( DeleteFileA( own_path ), "error %lu\n", GetLastError() );
    length = sizeof( found );
    check_ok( getsockname( server, (struct sockaddr *)&found, &length ) );
    ok( !strcmp( found.sun_path, path ), "path %s\n", found.sun_path );
    length = sizeof( found );
    check_ok( getpeername( client, (struct sockaddr *)&found, &length ) );
    ok( !strcmp( found.sun_path, path ), "path %s\n", found.sun_path );
    check_flow( client, server );
    closesocket( client );
    closesocket( server );
}

enum step
{
    STEP_BIND,
    STEP_CONNECT
};

/* Addresses that name nothing; in the temporary folder, which is the current one. */
static void test_refused( void )
{
    static const struct
    {
        enum step step;
        const char *path;
        int size; /* 0 for all of it */
        int error;
    } rows[] = {
        { STEP_BIND, "no such folder\\x.sk", 0, WSAENETDOWN },
        { STEP_CONNECT, "no such folder\\x.sk", 0, WSAENETDOWN },
        { STEP_CONNECT, "nothing.sk", 0, WSAECONNREFUSED },
        { STEP_BIND, ".", 0, WSAEADDRINUSE },
        { STEP_CONNECT, ".", 0, WSAECONNREFUSED },
        { STEP_BIND, "plain.txt", 0, WSAEADDRINUSE },
        { STEP_CONNECT, "plain.txt", 0, WSAECONNREFUSED },
        { STEP_BIND, "not<a>name.sk", 0, WSAEINVAL },
        { STEP_BIND, "bad\xff\xfe.sk", 0, WSAEINVAL },
        { STEP_BIND, "", 0, WSAEINVAL }, /* unnamed: there is no bind to a name that the system chooses */
        { STEP_CONNECT, "", 0, WSAEINVAL },
        { STEP_CONNECT, "", 2, WSAEINVAL },
        { STEP_BIND, "x.sk", 1, WSAEFAULT },
        { STEP_CONNECT, "x.sk", 1, WSAEFAULT },
        { STEP_CONNECT, "x.sk", -1, WSAEFAULT },
    };
    HANDLE file = CreateFileA( "plain.txt", GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL );
    struct sockaddr_un address;
    struct sockaddr_in internet = { .sin_family = AF_INET, .sin_addr.s_addr = htonl( INADDR_LOOPBACK ) };
    DWORD written;
    SOCKET s;

    ok( file != INVALID_HANDLE_VALUE, "error %lu\n", GetLastError() );
    WriteFile( file, "/etc/hosts\n", 11, &written, NULL );
    CloseHandle( file );
    for ( unsigned int i = 0; i < ARRAY_SIZE( rows ); i++ )
    {
        int size = local_address( &address, rows[i].path );

        winetest_push_context( "%u %s", i, rows[i].path );
        if ( rows[i].size ) size = rows[i].size;
        s = local_socket();
        if ( rows[i].step == STEP_BIND ) check_fails( bind( s, (struct sockaddr *)&address, size ), rows[i].error );
        else check_fails( connect( s, (struct sockaddr *)&address, size ), rows[i].error );
        closesocket( s );
        winetest_pop_context();
    }
    DeleteFileA( "plain.txt" );

    s = local_socket();
    memset( &address, 'a', sizeof( address ) );
    address.sun_family = AF_UNIX;
    check_fails( bind( s, (struct sockaddr *)&address, sizeof( address ) ), WSAEINVAL ); /* no NUL */
    check_fails( connect( s, (struct sockaddr *)&address, sizeof( address ) ), WSAEINVAL );
    check_fails( bind( s, (struct sockaddr *)&internet, sizeof( internet ) ), WSAEAFNOSUPPORT );
    check_fails( connect( s, (struct sockaddr *)&internet, sizeof( internet ) ), WSAEAFNOSUPPORT );
    check_fails( bind( s, NULL, sizeof( address ) ), WSAEFAULT );
    check_fails( bind( s, memory_unmapped(), sizeof( address ) ), WSAEFAULT );
    check_fails( connect( s, memory_unmapped(), sizeof( address ) ), WSAEFAULT );
    closesocket( s );
    local_address( &address, "inet.sk" );
    s = socket( AF_INET, SOCK_STREAM, 0 );
    check_fails( bind( s, (struct sockaddr *)&address, sizeof( address ) ), WSAEAFNOSUPPORT );
    check_fails( connect( s, (struct sockaddr *)&address, sizeof( address ) ), WSAEAFNOSUPPORT );
    ok( GetFileAttributesA( "inet.sk" ) == INVALID_FILE_ATTRIBUTES, "there is a file\n" );
    closesocket( s );
}

/* An address without a path binds too: the socket listens, and there is no file. */
static void test_no_path( void )
{
    SOCKET s = local_socket();
    struct sockaddr_un address;

    local_address( &address, "nowhere.sk" );
    check_fails( bind( s, (struct sockaddr *)&address, 0 ), WSAEFAULT );
    check_ok( bind( s, (struct sockaddr *)&address, 2 ) );
    check_ok( listen( s, 1 ) );
    ok( GetFileAttributesA( "nowhere.sk" ) == INVALID_FILE_ATTRIBUTES, "there is a file\n" );
    closesocket( s );

    /* the path is cut to the length */
    s = local_socket();
    check_ok( bind( s, (struct sockaddr *)&address, 3 ) );
    ok( GetFileAttributesA( "n" ) != INVALID_FILE_ATTRIBUTES, "there is no file\n" );
    closesocket( s );
    ok( DeleteFileA( "n" ), "error %lu\n", GetLastError() );
}

/* What file functions tell of a socket's file, and how it opens. */
static void check_reparse_point( const char *path )
{
    static const DWORD opening[] = { OPEN_EXISTING, OPEN_ALWAYS, CREATE_ALWAYS, TRUNCATE_EXISTING };
    const DWORD attributes = FILE_ATTRIBUTE_REPARSE_POINT | FILE_ATTRIBUTE_ARCHIVE;
    struct
    {
        ULONG tag;
        USHORT length, reserved;
        char data[64];
    } point;
    BY_HANDLE_FILE_INFORMATION info;
    WIN32_FILE_ATTRIBUTE_DATA data;
    WIN32_FIND_DATAA found;
    HANDLE file;
    DWORD size;

    ok( GetFileAttributesA( path ) == attributes, "attributes %#lx\n", GetFileAttributesA( path ) );
    ok( GetFileAttributesExA( path, GetFileExInfoStandard, &data ), "error %lu\n", GetLastError() );
    ok( data.dwFileAttributes == attributes && !data.nFileSizeLow, "attributes %#lx, %lu bytes\n",
        data.dwFileAttributes, data.nFileSizeLow );
    file = FindFirstFileA( path, &found );
    ok( file != INVALID_HANDLE_VALUE && found.dwFileAttributes == attributes && !found.nFileSizeLow,
        "attributes %#lx, %lu bytes\n", found.dwFileAttributes, found.nFileSizeLow );
    FindClose( file );

    for ( unsigned int i = 0; i < ARRAY_SIZE( opening ); i++ )
    {
        SetLastError( 0 );
        file = CreateFileA( path, opening[i] == OPEN_EXISTING ? GENERIC_READ : GENERIC_WRITE, FILE_SHARE_READ, NULL,
                            opening[i], 0, NULL );
        ok( file == INVALID_HANDLE_VALUE && GetLastError() == ERROR_CANT_ACCESS_FILE, "%lu: error %lu\n", opening[i],
            GetLastError() );
        if ( file != INVALID_HANDLE_VALUE ) CloseHandle( file );
    }
    SetLastError( 0 );
    file = CreateFileA( path, GENERIC_READ, FILE_SHARE_READ, NULL, CREATE_NEW, 0, NULL );
    ok( file == INVALID_HANDLE_VALUE && GetLastError() == ERROR_FILE_EXISTS, "error %lu\n", GetLastError() );

    file = CreateFileA( path, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, FILE_FLAG_OPEN_REPARSE_POINT, NULL );
    ok( file != INVALID_HANDLE_VALUE, "error %lu\n", GetLastError() );
    memset( &point, 0xcc, sizeof( point ) );
    ok( DeviceIoControl( file, FSCTL_GET_REPARSE_POINT, NULL, 0, &point, sizeof( point ), &size, NULL ), "error %lu\n",
        GetLastError() );
    ok( size == 8 && point.tag == 0x80000023 && !point.length, "%lu bytes, tag %#lx, length %u\n", size, point.tag,
        point.length );
    ok( GetFileInformationByHandle( file, &info ), "error %lu\n", GetLastError() );
    ok( info.dwFileAttributes == attributes && !info.nFileSizeLow, "attributes %#lx, %lu bytes\n",
        info.dwFileAttributes, info.nFileSizeLow );
    ok( !GetFileSize( file, NULL ), "size %lu\n", GetFileSize( file, NULL ) );
    CloseHandle( file );
}

/* A socket's file is a reparse point that only sockets open. */
static void test_reparse_point( void )
{
    SOCKET s = local_socket();
    struct sockaddr_un address;
    HANDLE file;

    check_ok( bind( s, (struct sockaddr *)&address, local_address( &address, "reparse.sk" ) ) );
    check_reparse_point( "reparse.sk" );
    closesocket( s );
    check_reparse_point( "reparse.sk" );
    /* its name is as another file's */
    ok( MoveFileA( "reparse.sk", "moved.sk" ), "error %lu\n", GetLastError() );
    check_reparse_point( "moved.sk" );
    ok( DeleteFileA( "moved.sk" ), "error %lu\n", GetLastError() );
    ok( GetFileAttributesA( "moved.sk" ) == INVALID_FILE_ATTRIBUTES && GetLastError() == ERROR_FILE_NOT_FOUND,
        "error %lu\n", GetLastError() );

    /* any other file is none */
    file = CreateFileA( "reparse.sk", GENERIC_WRITE, 0, NULL, CREATE_NEW, FILE_ATTRIBUTE_ARCHIVE, NULL );
    ok( file != INVALID_HANDLE_VALUE, "error %lu\n", GetLastError() );
    CloseHandle( file );
    ok( GetFileAttributesA( "reparse.sk" ) == FILE_ATTRIBUTE_ARCHIVE, "attributes %#lx\n",
        GetFileAttributesA( "reparse.sk" ) );
    file = CreateFileA( "reparse.sk", GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL );
    ok( file != INVALID_HANDLE_VALUE, "error %lu\n", GetLastError() );
    CloseHandle( file );
    DeleteFileA( "reparse.sk" );
}

/* A path that does not fill the address is as good with the length that it has, NUL or not. */
static void test_lengths( const char *path )
{
    static const int more[] = { 0, 1 };
    struct sockaddr_un address;

    for ( unsigned int i = 0; i < ARRAY_SIZE( more ); i++ )
    {
        SOCKET listener = local_socket(), client = local_socket();

        local_address( &address, path );
        check_ok( bind( listener, (struct sockaddr *)&address, 2 + strlen( path ) + more[i] ) );
        check_ok( listen( listener, 1 ) );
        /* what stands behind the NUL is nobody's */
        memset( address.sun_path + strlen( path ) + 1, 'x', sizeof( address.sun_path ) - strlen( path ) - 1 );
        check_ok( connect( client, (struct sockaddr *)&address, sizeof( address ) ) );
        closesocket( client );
        closesocket( listener );
        ok( DeleteFileA( path ), "error %lu\n", GetLastError() );
    }
}

/* Paths of Windows are as long as sun_path lets them be, whatever the folder's own path on the system below. */
static void test_long( const char *directory )
{
    char old[MAX_PATH], path[108], deep[32] = "";
    WCHAR wide[108];

    snprintf( deep, sizeof( deep ), "%.30s", "a folder with a rather long name" );
    GetCurrentDirectoryA( sizeof( old ), old );
    for ( unsigned int i = 0; i < 4; i++ )
    {
        CreateDirectoryA( deep, NULL );
        ok( SetCurrentDirectoryA( deep ), "error %lu\n", GetLastError() );
    }
    memset( path, 'p', sizeof( path ) );
    path[107] = 0;
    test_path( path );
    memset( path, 0, sizeof( path ) );
    for ( unsigned int i = 0; i + 3 <= sizeof( path ) - 3; i += 3 ) memcpy( path + i, "\xe2\x98\x83", 3 );
    MultiByteToWideChar( CP_UTF8, 0, path, -1, wide, ARRAY_SIZE( wide ) );
    test_wide_path( path, wide );
    for ( unsigned int i = 0; i < 4; i++ )
    {
        SetCurrentDirectoryA( ".." );
        ok( RemoveDirectoryA( deep ), "error %lu\n", GetLastError() );
    }
    SetCurrentDirectoryA( directory );
    SetCurrentDirectoryA( old );
}

/* Names that are no files. */
static void test_abstract( void )
{
    SOCKET listener = local_socket(), client = local_socket(), server;
    struct sockaddr_un address = { .sun_family = AF_UNIX }, found;
    int length = sizeof( found ), error;

    snprintf( address.sun_path + 1, sizeof( address.sun_path ) - 1, "ws2host test %lu", GetCurrentProcessId() );
    check_fails( connect( client, (struct sockaddr *)&address, sizeof( address ) ), WSAECONNREFUSED );
    error = bind( listener, (struct sockaddr *)&address, sizeof( address ) ) ? WSAGetLastError() : 0;
    ok( !error || broken( error == WSAEINVAL ), "error %d\n", error ); /* documented, and not in every version */
    if ( !error )
    {
        check_ok( getsockname( listener, (struct sockaddr *)&found, &length ) );
        ok( length == sizeof( found ) && !memcmp( &found, &address, sizeof( found ) ), "length %d, name %s\n", length,
            found.sun_path + 1 );
        check_ok( listen( listener, 1 ) );
        ok( GetFileAttributesA( address.sun_path + 1 ) == INVALID_FILE_ATTRIBUTES, "there is a file\n" );
        closesocket( client );
        client = local_socket();
        check_fails( bind( client, (struct sockaddr *)&address, sizeof( address ) ), WSAEADDRINUSE );
        check_ok( connect( client, (struct sockaddr *)&address, sizeof( address ) ) );
        server = accept_one( listener );
        check_flow( client, server );
        check_ok( getpeername( client, (struct sockaddr *)&found, &length ) );
        ok( !memcmp( &found, &address, sizeof( found ) ), "name %s\n", found.sun_path + 1 );
        closesocket( server );
    }
    closesocket( client );
    closesocket( listener );
}

/* Streams are all there is. */
static void test_creation( void )
{
    SOCKET s;

    check_no_socket( socket( AF_UNIX, SOCK_DGRAM, 0 ), WSAEPROTONOSUPPORT );
    check_no_socket( socket( AF_UNIX, SOCK_RAW, 0 ), WSAEPROTONOSUPPORT );
    check_no_socket( socket( AF_UNIX, SOCK_SEQPACKET, 0 ), WSAESOCKTNOSUPPORT );
    check_no_socket( socket( AF_UNIX, SOCK_STREAM, IPPROTO_TCP ), WSAEPROTONOSUPPORT );
    s = WSASocketW( AF_UNIX, SOCK_STREAM, 0, NULL, 0, 0 );
    ok( s != INVALID_SOCKET, "error %d\n", WSAGetLastError() );
    closesocket( s );
    s = socket( AF_UNIX, 0, 0 );
    ok( s != INVALID_SOCKET, "error %d\n", WSAGetLastError() );
    closesocket( s );
}

START_TEST( localsockets )
{
    char directory[MAX_PATH], old[MAX_PATH], path[MAX_PATH + 8];

    if ( local_begin() ) return;
    test_creation();
    GetTempPathA( sizeof( directory ), directory );
    snprintf( path, sizeof( path ), "%s%s", directory, "local.sk" );
    test_path( path );
    test_replaced( path );
    test_lengths( path );
    GetCurrentDirectoryA( sizeof( old ), old );
    ok( SetCurrentDirectoryA( directory ), "error %lu\n", GetLastError() );
    test_path( "relative.sk" );
    test_wide_path( "gr\xc3\xbc\xc3\x9f\x65 \xe2\x98\x83.sk", L"gr\x00fc\x00df\x65 \x2603.sk" );
    test_names( "listener.sk", "client.sk" );
    test_refused();
    test_no_path();
    test_reparse_point();
    test_long( directory );
    test_abstract();
    SetCurrentDirectoryA( old );
    support_end();
}
