/* Names of AF_UNIX sockets as they were given: to bind, to connect and its kin, and what the two ends are told. */
#include "puppets.h"
#include "requests.h"

#define UNTOUCHED 0xcc

/* A name of the full length, and nothing behind it. */
#define check_name( function, s, expected ) check_name_( __LINE__, function, s, expected )
static void check_name_( int line, int( WINAPI *function )( SOCKET, struct sockaddr *, int * ), SOCKET s,
                         const struct sockaddr_un *expected )
{
    unsigned char room[sizeof( *expected ) + 16];
    int length = sizeof( room );

    memset( room, UNTOUCHED, sizeof( room ) );
    ok_( __FILE__, line )( !function( s, (struct sockaddr *)room, &length ), "error %d\n", WSAGetLastError() );
    ok_( __FILE__, line )( length == sizeof( *expected ), "length %d\n", length );
    ok_( __FILE__, line )( !memcmp( room, expected, sizeof( *expected ) ), "path %s, not %s\n", room + 2,
                           expected->sun_path );
    ok_( __FILE__, line )( room[sizeof( *expected )] == UNTOUCHED, "written past the address\n" );
}

enum connect_by
{
    BY_CONNECT,
    BY_WSACONNECT,
    BY_NONBLOCKING,
    BY_CONNECTEX,
    CONNECT_WAYS
};

/* Connected by that way. */
static SOCKET client_by( enum connect_by way, const struct sockaddr_un *address )
{
    const struct sockaddr *name = (const struct sockaddr *)address;
    SOCKET s = local_socket();
    OVERLAPPED ov = { 0 };
    LPFN_CONNECTEX connect_ex;
    DWORD size, flags;

    switch ( way )
    {
    case BY_CONNECT: check_ok( connect( s, name, sizeof( *address ) ) ); break;
    case BY_WSACONNECT: check_ok( WSAConnect( s, name, sizeof( *address ), NULL, NULL, NULL, NULL ) ); break;
    case BY_NONBLOCKING:
        set_nonblocking( s, TRUE );
        if ( connect( s, name, sizeof( *address ) ) )
            ok( WSAGetLastError() == WSAEWOULDBLOCK, "error %d\n", WSAGetLastError() );
        set_nonblocking( s, FALSE );
        break;
    case BY_CONNECTEX:
        connect_ex = extension( s, (GUID)WSAID_CONNECTEX );
        check_ok( bind( s, name, sizeof( address->sun_family ) ) );
        if ( !connect_ex( s, name, sizeof( *address ), NULL, 0, NULL, &ov ) )
            ok( WSAGetLastError() == WSA_IO_PENDING, "error %d\n", WSAGetLastError() );
        ok( WSAGetOverlappedResult( s, &ov, &size, TRUE, &flags ), "error %d\n", WSAGetLastError() );
        check_ok( setsockopt( s, SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, NULL, 0 ) );
        break;
    case CONNECT_WAYS: break;
    }
    return s;
}

/* Who connects by another spelling than the listener was bound by is told his own, through every handle. */
static void test_given_names( const char *path, const char *other )
{
    struct sockaddr_un bound, given, none = { .sun_family = AF_UNIX };
    int size = local_address( &bound, path );
    SOCKET listener = local_socket();
    struct puppet puppet, heir;
    WSAPROTOCOL_INFOA info;

    winetest_push_context( "%s, %s", path, other );
    local_address( &given, other );
    check_ok( bind( listener, (struct sockaddr *)&bound, size ) );
    check_ok( listen( listener, 8 ) );
    for ( enum connect_by way = 0; way < CONNECT_WAYS; way++ )
    {
        SOCKET client = client_by( way, &given ), server = accept_one( listener ), copy, there;
        HANDLE handle;

        winetest_push_context( "way %d", way );
        check_name( getpeername, client, &given );
        check_name( getpeername, server, &none );
        if ( way != BY_CONNECTEX ) check_name( getsockname, client, &none );
        check_flow( client, server );
        check_flow( server, client );

        check_ok( WSADuplicateSocketA( client, GetCurrentProcessId(), &info ) );
        copy = WSASocketA( FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0, WSA_FLAG_OVERLAPPED );
        check_name( getpeername, copy, &given );
        ok( DuplicateHandle( GetCurrentProcess(), (HANDLE)client, GetCurrentProcess(), &handle, 0, FALSE,
                             DUPLICATE_SAME_ACCESS ),
            "error %lu\n", GetLastError() );
        check_name( getpeername, (SOCKET)handle, &given );
        check_ok( closesocket( (SOCKET)handle ) );
        if ( way == BY_CONNECT || way == BY_CONNECTEX )
        {
            puppet_create( &puppet, 0 );
            check_ok( WSADuplicateSocketA( client, puppet.pid, &info ) );
            there = puppet_open_a( &puppet, &info, WSA_FLAG_OVERLAPPED );
            puppet_create( &heir, PUPPET_INHERITS );
            check_ok( puppet_do_on( &heir, PUPPET_GETPEERNAME, client ) );
            ok( heir.message->length == size && !memcmp( &heir.message->address, &given, sizeof( given ) ),
                "length %d, path %s\n", heir.message->length, ( (char *)&heir.message->address ) + 2 );
            puppet_destroy( &heir );
            closesocket( client );
            check_ok( puppet_do_on( &puppet, PUPPET_GETPEERNAME, there ) );
            ok( puppet.message->length == size && !memcmp( &puppet.message->address, &given, sizeof( given ) ),
                "length %d, path %s\n", puppet.message->length, ( (char *)&puppet.message->address ) + 2 );
            puppet_destroy( &puppet );
        }
        else closesocket( client );
        /* also when the peer is gone */
        closesocket( server );
        check_name( getpeername, copy, &given );
        closesocket( copy );
        winetest_pop_context();
    }
    closesocket( listener );
    ok( DeleteFileA( path ), "error %lu\n", GetLastError() );
    winetest_pop_context();
}

/* What has no name says so and leaves the room as it is; streams take addresses that are none. */
static void test_no_names( const char *path )
{
    struct sockaddr_un address, found;
    SOCKET listener = local_socket(), client, server;
    int length = sizeof( found );
    unsigned char before[sizeof( found )];
    char buffer[8];

    check_ok( bind( listener, (struct sockaddr *)&address, local_address( &address, path ) ) );
    check_ok( listen( listener, 1 ) );
    memset( before, UNTOUCHED, sizeof( before ) );
    memset( &found, UNTOUCHED, sizeof( found ) );
    check_fails( getpeername( listener, (struct sockaddr *)&found, &length ), WSAENOTCONN );
    ok( length == sizeof( found ) && !memcmp( &found, before, sizeof( found ) ), "length %d, or it is touched\n",
        length );
    client = client_by( BY_CONNECT, &address );
    server = accept_one( listener );
    for ( int way = 0; way < 2; way++ )
    {
        SOCKET from = way ? server : client, to = way ? client : server;

        check_result( sendto( from, "hello", 5, 0, NULL, 0 ), 5 );
        memset( buffer, 0, sizeof( buffer ) );
        check_result( recvfrom( to, buffer, sizeof( buffer ), 0, NULL, NULL ), 5 );
        ok( !memcmp( buffer, "hello", 5 ), "got %.5s\n", buffer );
    }
    closesocket( client );
    closesocket( server );
    closesocket( listener );
    ok( DeleteFileA( path ), "error %lu\n", GetLastError() );
}

/* One file, however it is written. */
static void test_spellings( const char *directory )
{
    char absolute[MAX_PATH], slashes[MAX_PATH], rooted[MAX_PATH], upper[MAX_PATH], nt[MAX_PATH + 8];
    const char *const spellings[] = { absolute,   slashes,       rooted,       upper,     nt,
                                      "spelt.sk", ".\\spelt.sk", "./spelt.sk", "SPELT.SK" };
    struct sockaddr_un address;

    ok( snprintf( absolute, sizeof( absolute ), "%sspelt.sk", directory ) < (int)sizeof( absolute ),
        "the path is too long\n" );
    strcpy( slashes, absolute );
    for ( char *c = slashes; *c; c++ )
        if ( *c == '\\' ) *c = '/';
    strcpy( rooted, absolute + 2 ); /* of the current drive */
    strcpy( upper, absolute );
    CharUpperA( upper );
    sprintf( nt, "\\??\\%s", absolute );
    for ( unsigned int i = 0; i < ARRAY_SIZE( spellings ); i++ )
    {
        SOCKET listener = local_socket();

        winetest_push_context( "%s", spellings[i] );
        check_ok( bind( listener, (struct sockaddr *)&address, local_address( &address, spellings[i] ) ) );
        check_ok( listen( listener, 8 ) );
        ok( GetFileAttributesA( "spelt.sk" ) != INVALID_FILE_ATTRIBUTES, "there is no file\n" );
        for ( unsigned int j = 0; j < ARRAY_SIZE( spellings ); j++ )
        {
            SOCKET client = local_socket();

            winetest_push_context( "%s", spellings[j] );
            check_ok( connect( client, (struct sockaddr *)&address, local_address( &address, spellings[j] ) ) );
            check_name( getpeername, client, &address );
            closesocket( client );
            winetest_pop_context();
        }
        closesocket( listener );
        ok( DeleteFileA( "spelt.sk" ), "error %lu\n", GetLastError() );
        winetest_pop_context();
    }
}

START_TEST( localnames )
{
    char directory[MAX_PATH], old[MAX_PATH], given[MAX_PATH + 8];

    if ( local_begin() ) return;
    GetTempPathA( sizeof( directory ), directory );
    snprintf( given, sizeof( given ), "%s%s", directory, "given.sk" );
    GetCurrentDirectoryA( sizeof( old ), old );
    ok( SetCurrentDirectoryA( directory ), "error %lu\n", GetLastError() );
    test_spellings( directory );
    test_given_names( "given.sk", given );
    test_given_names( given, ".\\given.sk" );
    test_given_names( "given.sk", "given.sk" );
    test_no_names( "given.sk" );
    SetCurrentDirectoryA( old );
    support_end();
}
