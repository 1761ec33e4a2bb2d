/*
 * WSAStartup, WSACleanup and the last error (facts: sockets-1, section 1): version negotiation, counting, what fails
 * before the first start-up, and the last clean-up closing every socket that the process still has, duplicates and
 * accepted sockets included.
 */
#include "support.h"

static void test_before( void )
{
    SOCKET s;

    WSASetLastError( 0xdeadbeef );
    s = WSASocketA( 0, 0, 0, NULL, 0, 0 );
    ok( s == INVALID_SOCKET, "got socket %#llx\n", (ULONGLONG)s );
    ok( WSAGetLastError() == WSANOTINITIALISED, "got error %d\n", WSAGetLastError() );
    WSASetLastError( 0xdeadbeef );
    ok( !gethostbyname( "localhost" ), "gethostbyname succeeded\n" );
    ok( WSAGetLastError() == WSANOTINITIALISED, "got error %d\n", WSAGetLastError() );
    WSASetLastError( 0xdeadbeef );
    ok( WSACleanup() == SOCKET_ERROR, "WSACleanup succeeded\n" );
    ok( WSAGetLastError() == WSANOTINITIALISED, "got error %d\n", WSAGetLastError() );
}

START_TEST( startup )
{
    test_before();
}
