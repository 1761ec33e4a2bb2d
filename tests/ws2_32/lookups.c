/*
 * WSALookupService* (facts: names-and-protocols 11): the errors of their arguments, the known networks, hosts and
 * services by class, results that need room; service classes and what an unprivileged program may not do with them.
 */
#include "support.h"
#include <initguid.h>
#include <svcguid.h>
#include <nspapi.h>

static GUID class_host = SVCID_INET_HOSTADDRBYNAME, class_service = SVCID_INET_SERVICEBYNAME,
            class_text = SVCID_INET_HOSTADDRBYINETSTRING, class_http = SVCID_TCP( 80 ),
            class_none = { 0xdeadbeef, 1, 2, { 3 } };

static void test_arguments( void )
{
    WSAQUERYSETW query = { 0 };
    HANDLE handle = NULL;

    ok( sizeof( query ) == ( sizeof( void * ) == 8 ? 120 : 60 ), "size %d\n", (int)sizeof( query ) );
    check_fails( guarded( WSALookupServiceBeginW( NULL, 0, &handle ) ), WSAEFAULT );
    check_fails( guarded( WSALookupServiceBeginW( &query, 0, NULL ) ), WSAEFAULT );
    check_fails( WSALookupServiceBeginW( &query, 0, &handle ), WSAEINVAL );
    check_fails( guarded( WSALookupServiceBeginW( NULL, LUP_RETURN_ALL | LUP_DEEP, &handle ) ), WSAEFAULT );
    check_fails( guarded( WSALookupServiceBeginA( NULL, 0, &handle ) ), WSAEFAULT );
    check_fails( WSALookupServiceEnd( NULL ), ERROR_INVALID_HANDLE );
    query.dwSize = sizeof( query );
    check_fails( guarded( WSALookupServiceBeginW( &query, LUP_RETURN_ALL | LUP_DEEP, NULL ) ), WSAEFAULT );
    query.dwNameSpace = 0xdead;
    ok( WSALookupServiceBeginW( &query, LUP_RETURN_ALL, &handle ) == SOCKET_ERROR,
        "an unknown name space succeeded\n" );
}

static void test_networks( void )
{
    WSAQUERYSETW query = { .dwSize = sizeof( query ) };
    char buffer[4096];
    WSAQUERYSETW *result = (WSAQUERYSETW *)buffer;
    HANDLE handle = NULL;
    DWORD size;
    int count = 0;

    check_ok( WSALookupServiceBeginW( &query, LUP_RETURN_ALL | LUP_DEEP, &handle ) );
    ok( handle != NULL && handle != INVALID_HANDLE_VALUE, "handle %p\n", handle );
    for ( ; count < 100; count++ )
    {
        size = sizeof( buffer );
        WSASetLastError( ERROR_UNTOUCHED );
        if ( WSALookupServiceNextW( handle, 0, &size, result ) ) break;
        ok( result->lpszServiceInstanceName && *result->lpszServiceInstanceName, "a network without a name\n" );
        ok( (char *)result->lpszServiceInstanceName > buffer &&
                (char *)result->lpszServiceInstanceName < buffer + sizeof( buffer ),
            "the name is elsewhere\n" );
        if ( result->lpBlob )
        {
            DWORD at = 0, header[3];

            do {
                memcpy( header, result->lpBlob->pBlobData + at, sizeof( header ) );
                ok( header[0] <= 4, "blob type %lu\n", header[0] );
                ok( header[1] >= sizeof( header ) && at + header[1] <= result->lpBlob->cbSize, "blob size %lu\n",
                    header[1] );
                ok( !header[2] || header[2] > at, "next at %lu\n", header[2] );
                at = header[2];
            } while ( at && at < result->lpBlob->cbSize );
        }
    }
    ok( WSAGetLastError() == WSA_E_NO_MORE, "error %d\n", WSAGetLastError() );
    check_ok( WSALookupServiceEnd( handle ) );
    check_fails( WSALookupServiceEnd( handle ), ERROR_INVALID_HANDLE );
}

static void test_hosts( void )
{
    WSAQUERYSETW query = { .dwSize = sizeof( query ),
                           .lpServiceClassId = &class_host,
                           .dwNameSpace = NS_DNS,
                           .lpszServiceInstanceName = (WCHAR *)L"localhost" };
    WSAQUERYSETA query_a = { .dwSize = sizeof( query_a ),
                             .lpServiceClassId = &class_http,
                             .dwNameSpace = NS_DNS,
                             .lpszServiceInstanceName = (char *)"localhost" };
    char buffer[4096];
    WSAQUERYSETW *result = (WSAQUERYSETW *)buffer;
    WSAQUERYSETA *result_a = (WSAQUERYSETA *)buffer;
    ULONG loopback = htonl( INADDR_LOOPBACK );
    HANDLE handle;
    DWORD size;

    check_ok( WSALookupServiceBeginW( &query, LUP_RETURN_ALL, &handle ) );
    /* no room: the need is told, and the result waits */
    size = sizeof( *result );
    check_fails( WSALookupServiceNextW( handle, 0, &size, result ), WSAEFAULT );
    ok( size > sizeof( *result ) && size <= sizeof( buffer ), "needs %lu\n", size );
    check_ok( WSALookupServiceNextW( handle, 0, &size, result ) );
    ok( result->dwSize == sizeof( *result ) && result->dwNameSpace == NS_DNS, "another query set\n" );
    ok( result->lpszServiceInstanceName && *result->lpszServiceInstanceName, "no name\n" );
    ok( result->dwNumberOfCsAddrs == 1, "%lu addresses\n", result->dwNumberOfCsAddrs );
    if ( result->dwNumberOfCsAddrs )
    {
        const CSADDR_INFO *info = result->lpcsaBuffer;
        const struct sockaddr_in *address = (const struct sockaddr_in *)info->RemoteAddr.lpSockaddr;

        ok( address->sin_family == AF_INET && address->sin_addr.s_addr == loopback, "another address\n" );
    }
    ok( result->lpBlob != NULL, "no blob\n" );
    if ( result->lpBlob )
    {
        /* a hostent with offsets */
        const char *blob = (const char *)result->lpBlob->pBlobData;
        const struct hostent *host = (const struct hostent *)blob;
        const char *const *list = (const char *const *)( blob + (UINT_PTR)host->h_addr_list );

        ok( host->h_addrtype == AF_INET && (UINT_PTR)host->h_name < result->lpBlob->cbSize, "no hostent\n" );
        ok( !memcmp( blob + (UINT_PTR)list[0], &loopback, 4 ), "another address in the blob\n" );
    }
    size = sizeof( buffer );
    check_fails( WSALookupServiceNextW( handle, 0, &size, result ), WSA_E_NO_MORE );
    check_ok( WSALookupServiceEnd( handle ) );

    /* a class of a port gives addresses with that port */
    check_ok( WSALookupServiceBeginA( &query_a, LUP_RETURN_ADDR | LUP_RETURN_NAME, &handle ) );
    size = sizeof( buffer );
    check_ok( WSALookupServiceNextA( handle, 0, &size, result_a ) );
    ok( result_a->lpszServiceInstanceName && !strcmp( result_a->lpszServiceInstanceName, "localhost" ),
        "another name\n" );
    ok( !result_a->lpBlob && !result_a->lpServiceClassId, "more than was asked for\n" );
    for ( DWORD i = 0; i < result_a->dwNumberOfCsAddrs; i++ )
    {
        const CSADDR_INFO *info = &result_a->lpcsaBuffer[i];

        ok( ( (const struct sockaddr_in *)info->RemoteAddr.lpSockaddr )->sin_port == htons( 80 ), "another port\n" );
        ok( info->iSocketType == SOCK_STREAM && info->iProtocol == IPPROTO_TCP, "another protocol\n" );
    }
    ok( result_a->dwNumberOfCsAddrs > 0, "no address\n" );
    check_ok( WSALookupServiceEnd( handle ) );

    query.lpServiceClassId = &class_text;
    query.lpszServiceInstanceName = (WCHAR *)L"127.0.0.1";
    check_ok( WSALookupServiceBeginW( &query, LUP_RETURN_NAME, &handle ) );
    size = sizeof( buffer );
    check_ok( WSALookupServiceNextW( handle, 0, &size, result ) );
    ok( result->lpszServiceInstanceName && *result->lpszServiceInstanceName, "no name\n" );
    check_ok( WSALookupServiceEnd( handle ) );

    query.lpServiceClassId = &class_service;
    query.lpszServiceInstanceName = (WCHAR *)L"http/tcp";
    check_ok( WSALookupServiceBeginW( &query, LUP_RETURN_BLOB, &handle ) );
    size = sizeof( buffer );
    check_ok( WSALookupServiceNextW( handle, 0, &size, result ) );
    ok( result->lpBlob != NULL, "no blob\n" );
    if ( result->lpBlob )
    {
        const struct servent *service = (const struct servent *)result->lpBlob->pBlobData;

        ok( service->s_port == htons( 80 ), "port %u\n", ntohs( service->s_port ) );
        ok( !strcmp( (const char *)service + (UINT_PTR)service->s_name, "http" ), "another name\n" );
    }
    {
        DWORD returned;

        check_fails( WSANSPIoctl( handle, 0xdead, NULL, 0, NULL, 0, &returned, NULL ), WSAEOPNOTSUPP );
        check_fails( WSANSPIoctl( NULL, SIO_NSP_NOTIFY_CHANGE, NULL, 0, NULL, 0, &returned, NULL ),
                     ERROR_INVALID_HANDLE );
    }
    check_ok( WSALookupServiceEnd( handle ) );
}

static void test_classes( void )
{
    WSASERVICECLASSINFOW info = { .lpServiceClassId = &class_none, .lpszServiceClassName = (WCHAR *)L"ws2host-test" };
    WSAQUERYSETW query = { .dwSize = sizeof( query ),
                           .lpServiceClassId = &class_http,
                           .dwNameSpace = NS_DNS,
                           .lpszServiceInstanceName = (WCHAR *)L"ws2host-test" };
    WCHAR name[64];
    char buffer[256];
    DWORD size = 0;

    check_fails( WSAGetServiceClassNameByClassIdW( &class_http, NULL, &size ), WSAEFAULT );
    ok( size > 0 && size <= sizeof( name ), "needs %lu\n", size );
    check_ok( WSAGetServiceClassNameByClassIdW( &class_http, name, &size ) );
    ok( !wcscmp( name, L"http" ), "another name\n" );
    size = sizeof( buffer );
    check_ok( WSAGetServiceClassNameByClassIdA( &class_http, buffer, &size ) );
    ok( !strcmp( buffer, "http" ), "got %s\n", buffer );
    size = sizeof( buffer );
    check_fails( WSAGetServiceClassNameByClassIdA( &class_none, buffer, &size ), WSATYPE_NOT_FOUND );
    size = sizeof( buffer );
    check_ok( WSAGetServiceClassInfoW( NULL, &class_http, &size, (WSASERVICECLASSINFOW *)buffer ) );
    ok( !memcmp( ( (WSASERVICECLASSINFOW *)buffer )->lpServiceClassId, &class_http, sizeof( GUID ) ),
        "another class\n" );
    ok( !wcscmp( ( (WSASERVICECLASSINFOW *)buffer )->lpszServiceClassName, L"http" ), "another name\n" );
    size = 1;
    check_fails( WSAGetServiceClassInfoA( NULL, &class_http, &size, (WSASERVICECLASSINFOA *)buffer ), WSAEFAULT );
    ok( size > 1, "needs %lu\n", size );

    check_fails( WSAInstallServiceClassW( NULL ), WSAEINVAL );
    if ( have_administrator() )
    {
        skip( "an administrator is not refused\n" );
        return;
    }
    check_fails( WSAInstallServiceClassW( &info ), WSAEACCES );
    check_fails( WSARemoveServiceClass( &class_none ), WSATYPE_NOT_FOUND );
    check_fails( WSARemoveServiceClass( &class_http ), WSAEACCES );
    check_fails( WSASetServiceW( &query, RNRSERVICE_REGISTER, 0 ), WSAEACCES );
    query.dwSize = 0;
    check_fails( WSASetServiceW( &query, RNRSERVICE_REGISTER, 0 ), WSAEINVAL );
}

START_TEST( lookups )
{
    if ( support_begin() ) return;
    test_arguments();
    test_networks();
    test_hosts();
    test_classes();
    support_end();
}
