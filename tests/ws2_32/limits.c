/*
 * The errors of WSADuplicateSocket's documented table that take exhaustion or a missing server to see: WSAENOBUFS,
 * WSAEMFILE and WSAENETDOWN. Windows has no such limits that a test could reach, so this is of ws2host only, and the part
 * that takes the server away only runs where the runner gave the test a server directory of its own.
 */
#include "puppets.h"

#define FROM_INFO FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO

/* More infos than one process may have open: WSAENOBUFS until some are used, or their target is gone. */
static void test_no_buffers( void )
{
    enum
    {
        MOST = 20000
    };
    SOCKET client, server, duplicate;
    struct puppet puppet, other;
    WSAPROTOCOL_INFOA first, info;
    int made;

    tcp_pair( &client, &server );
    puppet_create( &puppet, 0 );
    puppet_create( &other, 0 );
    check_ok( WSADuplicateSocketA( client, puppet.pid, &first ) );
    for ( made = 1; made < MOST && !WSADuplicateSocketA( client, puppet.pid, &info ); made++ ) continue;
    ok( made < MOST, "%d infos are open\n", made );
    ok( made >= 100, "only %d infos\n", made );
    check_fails( WSADuplicateSocketA( client, puppet.pid, &info ), WSAENOBUFS );
    check_fails( WSADuplicateSocketA( client, other.pid, &info ), WSAENOBUFS );
    check_flow( client, server );
    /* a used one makes room */
    duplicate = puppet_open_a( &puppet, &first, 0 );
    ok( duplicate != INVALID_SOCKET, "no duplicate, error %d\n", WSAGetLastError() );
    check_ok( WSADuplicateSocketA( client, other.pid, &info ) );
    check_fails( WSADuplicateSocketA( client, puppet.pid, &first ), WSAENOBUFS );
    duplicate = puppet_open_a( &other, &info, 0 );
    ok( duplicate != INVALID_SOCKET, "no duplicate, error %d\n", WSAGetLastError() );
    /* so does the target's end */
    puppet_kill( &puppet );
    for ( made = 0; made < 200 && WSADuplicateSocketA( client, other.pid, &info ); made++ ) Sleep( 20 );
    ok( made < 200, "no room after the target's end, error %d\n", WSAGetLastError() );
    check_ok( closesocket( client ) );
    check_open( server );
    puppet_destroy( &other );
    check_eof( server );
    closesocket( server );
}

/* As many sockets as there can be: WSAEMFILE, for new ones and for duplicates; closing one makes room for one. */
static void test_no_descriptors( void )
{
    enum
    {
        MOST = 70000,
        SOME = 16
    };
    static SOCKET sockets[MOST];
    SOCKET client, server, duplicate;
    WSAPROTOCOL_INFOA info;
    int count, i, error;

    tcp_pair( &client, &server );
    for ( count = 0; count < MOST; count++ )
        if ( ( sockets[count] = socket( AF_INET, SOCK_DGRAM, 0 ) ) == INVALID_SOCKET ) break;
    error = WSAGetLastError();
    if ( count == MOST ) skip( "no limit within %d sockets\n", MOST );
    else
    {
        ok( error == WSAEMFILE, "got error %d after %d sockets\n", error, count );
        check_no_socket( socket( AF_INET, SOCK_STREAM, 0 ), WSAEMFILE );
        /* the data path needs no more descriptors */
        check_result( send( client, "x", 1, 0 ), 1 );
        if ( WSADuplicateSocketA( client, GetCurrentProcessId(), &info ) )
            ok( WSAGetLastError() == WSAEMFILE, "got error %d\n", WSAGetLastError() );
        else check_no_socket( WSASocketA( FROM_INFO, &info, 0, 0 ), WSAEMFILE );
    }
    for ( i = 0; i < SOME && count; i++ ) check_ok( closesocket( sockets[--count] ) );
    check_ok( WSADuplicateSocketA( client, GetCurrentProcessId(), &info ) );
    duplicate = WSASocketA( FROM_INFO, &info, 0, 0 );
    ok( duplicate != INVALID_SOCKET, "no duplicate, error %d\n", WSAGetLastError() );
    check_ok( closesocket( duplicate ) );
    while ( count ) closesocket( sockets[--count] );
    check_ok( closesocket( client ) );
    check_result( recv( server, info.szProtocol, 1, 0 ), 1 );
    check_eof( server );
    closesocket( server );
}

/* --- no server to be had ---------------------------------------------------------------------------------------------*/

static char server_directory[MAX_PATH];

/* Runs a host shell with the script, and waits for it: the loader runs host programs, but does not wait for them. */
static BOOL host_shell( const char *script )
{
    STARTUPINFOA startup = { .cb = sizeof( startup ) };
    PROCESS_INFORMATION process = { 0 };
    char command[2048], mark[MAX_PATH + 8];
    int i;

    snprintf( mark, sizeof( mark ), "Z:%s.mark", server_directory );
    DeleteFileA( mark );
    snprintf( command, sizeof( command ), "/bin/sh -c \"%s; : > '%s.mark'\"", script, server_directory );
    if ( !CreateProcessA( "Z:\\bin\\sh", command, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &process ) ) return FALSE;
    CloseHandle( process.hProcess );
    CloseHandle( process.hThread );
    for ( i = 0; i < 500 && GetFileAttributesA( mark ) == INVALID_FILE_ATTRIBUTES; i++ ) Sleep( 20 );
    DeleteFileA( mark );
    return i < 500;
}

static void test_no_server( void )
{
    SOCKET client, server, duplicate;
    WSAPROTOCOL_INFOA info, pending;
    char script[1800];

    tcp_pair( &client, &server );
    check_ok( WSADuplicateSocketA( client, GetCurrentProcessId(), &info ) );
    duplicate = WSASocketA( FROM_INFO, &info, 0, 0 );
    ok( duplicate != INVALID_SOCKET, "no duplicate, error %d\n", WSAGetLastError() );
    check_ok( WSADuplicateSocketA( client, GetCurrentProcessId(), &pending ) );

    /* the server of this directory dies, and its directory is a file, so that there cannot be another; stopped first, or it
     * would make the directory again. What it is told before its last thread
     * has closed its connections is kept for the next, and no error. */
    snprintf(
        script, sizeof( script ),
        "d='%s'; s=; for p in /proc/[0-9]*; do "
        "if [ $(cat $p/comm)x = ws2serverx ] && grep -qzxF WS2HOST_DIR=$d $p/environ; then s=\\\"$s ${p#/proc/}\\\"; "
        "fi; done; kill -STOP $s; mv $d $d.away; : > $d; kill -9 $s; "
        "for p in $s; do while [ -e /proc/$p ] && { ! grep -q State:.Z /proc/$p/status || "
        "[ $(ls /proc/$p/task | wc -l) -gt 1 ]; }; do sleep 0.01; done; done",
        server_directory );
    if ( !host_shell( script ) )
    {
        ok( 0, "the host shell did not run\n" );
        return;
    }
    check_fails( WSADuplicateSocketA( client, GetCurrentProcessId(), &info ), WSAENETDOWN );
    check_no_socket( WSASocketA( FROM_INFO, &pending, 0, 0 ), WSAENETDOWN );
    /* nothing that is open is lost */
    check_flow( client, server );
    check_flow( server, duplicate );

    /* with the directory back, the next call that needs a server has one, and infos are good again */
    snprintf( script, sizeof( script ), "d='%s'; rm -f $d; mv $d.away $d", server_directory );
    ok( host_shell( script ), "the host shell did not run\n" );
    check_ok( WSADuplicateSocketA( client, GetCurrentProcessId(), &info ) );
    check_ok( closesocket( duplicate ) );
    duplicate = WSASocketA( FROM_INFO, &info, 0, 0 );
    ok( duplicate != INVALID_SOCKET, "no duplicate, error %d\n", WSAGetLastError() );
    check_ok( closesocket( client ) );
    check_flow( duplicate, server );
    check_ok( closesocket( duplicate ) );
    duplicate = WSASocketA( FROM_INFO, &pending, 0, 0 );
    ok( duplicate != INVALID_SOCKET, "the pending info is lost, error %d\n", WSAGetLastError() );
    check_flow( duplicate, server );
    check_ok( closesocket( duplicate ) );
    check_eof( server );
    closesocket( server );
}

START_TEST( limits )
{
    support_begin();
    if ( !GetModuleHandleA( "ws2host.dll" ) ) skip( "not ws2host: no limits to reach\n" );
    else
    {
        test_no_buffers();
        test_no_descriptors();
        if ( GetEnvironmentVariableA( "WS2HOST_DIR", server_directory, sizeof( server_directory ) ) ) test_no_server();
        else skip( "WS2HOST_DIR is not set: the server may be somebody else's\n" );
    }
    support_end();
}
