/*
 * bind, getsockname, getpeername and connect as functions of their arguments (facts: sockets-2 sections 4 and 5): which
 * address and which length is refused with which error, and in what order things are looked at.
 */
#include "support.h"

static void test_bind( void )
{
    static const struct
    {
        const char *what;
        int socket_family, family, length, error;
        BOOL null;
        ULONG v4;
    } rows[] = {
        { "NULL", AF_INET, AF_INET, 16, WSAEFAULT, TRUE, 0 },
        { "NULL, length 0", AF_INET, AF_INET, 0, WSAEFAULT, TRUE, 0 },
        { "NULL, long", AF_INET, AF_INET, 128, WSAEFAULT, TRUE, 0 },
        { "length 0", AF_INET, AF_INET, 0, WSAEFAULT, FALSE, INADDR_LOOPBACK },
        { "length 15", AF_INET, AF_INET, 15, WSAEFAULT, FALSE, INADDR_LOOPBACK },
        { "unknown family", AF_INET, 0xdead, 16, WSAEAFNOSUPPORT, FALSE, INADDR_LOOPBACK },
        { "v6, obsolete length", AF_INET6, AF_INET6, 24, WSAEFAULT, FALSE, 0 },
        { "not local", AF_INET, AF_INET, 16, WSAEADDRNOTAVAIL, FALSE, 0xc0000200 },
        { "loopback", AF_INET, AF_INET, 16, 0, FALSE, INADDR_LOOPBACK },
        { "longer", AF_INET, AF_INET, 28, 0, FALSE, INADDR_LOOPBACK },
        { "any", AF_INET, AF_INET, 16, 0, FALSE, 0 },
        { "another loopback", AF_INET, AF_INET, 16, 0, FALSE, 0x7f000002 },
        { "v6", AF_INET6, AF_INET6, 28, 0, FALSE, 0 },
    };
    union address address;
    unsigned int i, type;
    SOCKET s;

    for ( i = 0; i < ARRAY_SIZE( rows ); i++ )
    {
        for ( type = SOCK_STREAM; type <= SOCK_DGRAM; type++ )
        {
            if ( rows[i].socket_family == AF_INET6 && !have_ipv6() ) continue;
            winetest_push_context( "%s, %s", rows[i].what, type == SOCK_STREAM ? "TCP" : "UDP" );
            s = socket( rows[i].socket_family, type, 0 );
            address_loopback( &address, rows[i].socket_family, 0 );
            if ( rows[i].socket_family == AF_INET ) address.v4.sin_addr.s_addr = htonl( rows[i].v4 );
            address.any.sa_family = rows[i].family;
            if ( rows[i].error )
            {
                check_fails( bind( s, rows[i].null ? NULL : &address.any, rows[i].length ), rows[i].error );
                /* it stays unbound and can be bound */
                address_loopback( &address, rows[i].socket_family, 0 );
                check_clears( bind( s, &address.any, rows[i].socket_family == AF_INET6 ? 28 : 16 ), 0 );
            }
            else check_clears( bind( s, &address.any, rows[i].length ), 0 );
            ok( socket_port( s ), "no port\n" );
            check_fails( bind( s, &address.any, rows[i].socket_family == AF_INET6 ? 28 : 16 ), WSAEINVAL );
            closesocket( s );
            winetest_pop_context();
        }
    }
    if ( have_ipv6() )
    {
        s = socket( AF_INET6, SOCK_STREAM, 0 );
        address_loopback( &address, AF_INET6, 0 );
        address.v6.sin6_scope_id = 0xabacab;
        check_fails( bind( s, &address.any, 28 ), WSAEADDRNOTAVAIL );
        closesocket( s );
    }
    else skip( "no IPv6 loopback\n" );
}

static BOOL is_listed( const SOCKET_ADDRESS_LIST *list, const union address *name )
{
    for ( int i = 0; i < list->iAddressCount; i++ )
    {
        const union address *address = (const union address *)list->Address[i].lpSockaddr;

        if ( address->any.sa_family != name->any.sa_family ) continue;
        if ( name->any.sa_family == AF_INET ? address->v4.sin_addr.s_addr == name->v4.sin_addr.s_addr
                                            : IN6_ARE_ADDR_EQUAL( &address->v6.sin6_addr, &name->v6.sin6_addr ) &&
                                                  address->v6.sin6_scope_id == name->v6.sin6_scope_id )
            return TRUE;
    }
    return FALSE;
}

/* Every address of every adapter can be bound; a link-local one without its scope id, too, which then has the adapter's. */
static void test_adapters( int family )
{
    static char buffer[16384];
    SOCKET_ADDRESS_LIST *list = (SOCKET_ADDRESS_LIST *)buffer;
    unsigned int link_local = 0;
    union address address, name;
    DWORD size;
    SOCKET s = socket( family, SOCK_DGRAM, 0 );

    check_ok( WSAIoctl( s, SIO_ADDRESS_LIST_QUERY, NULL, 0, buffer, sizeof( buffer ), &size, NULL, NULL ) );
    closesocket( s );
    for ( int i = 0; i < 4 * list->iAddressCount; i++ )
    {
        const BOOL unscoped = i & 2;
        int length = list->Address[i / 4].iSockaddrLength;

        memset( &address, 0, sizeof( address ) );
        memcpy( &address, list->Address[i / 4].lpSockaddr, length );
        address.v4.sin_port = 0; /* at the same place in both */
        if ( unscoped && ( family == AF_INET || !IN6_IS_ADDR_LINKLOCAL( &address.v6.sin6_addr ) ) ) continue;
        winetest_push_context( "family %d, address %d, %s%s", family, i / 4, i & 1 ? "UDP" : "TCP",
                               unscoped ? ", no scope id" : "" );
        if ( unscoped )
        {
            address.v6.sin6_scope_id = 0;
            link_local++;
        }
        s = socket( family, i & 1 ? SOCK_DGRAM : SOCK_STREAM, 0 );
        check_clears( bind( s, &address.any, length ), 0 );
        memset( &name, 0xcc, sizeof( name ) );
        length = sizeof( name );
        check_clears( getsockname( s, &name.any, &length ), 0 );
        ok( is_listed( list, &name ), "bound to another address, or scope id\n" );
        ok( address_port( &name ), "no port\n" );
        closesocket( s );
        winetest_pop_context();
    }
    if ( family == AF_INET6 )
    {
        if ( !link_local ) skip( "no link-local address\n" );
        /* one that no adapter has */
        s = socket( AF_INET6, SOCK_STREAM, 0 );
        address_loopback( &address, AF_INET6, 0 );
        inet_pton( AF_INET6, "fe80::dead:beef:dead:beef", &address.v6.sin6_addr );
        check_fails( bind( s, &address.any, sizeof( address.v6 ) ), WSAEADDRNOTAVAIL );
        closesocket( s );
    }
}

static void test_getsockname( void )
{
    union address address, name;
    SOCKET s = socket( AF_INET, SOCK_STREAM, 0 ), client, server;
    int length, port;

    length = sizeof( name );
    check_fails( getsockname( s, &name.any, &length ), WSAEINVAL );
    address_loopback( &address, AF_INET, 0 );
    check_ok( bind( s, &address.any, 16 ) );
    memset( &name, 0xcc, sizeof( name ) );
    length = 128;
    check_ok( getsockname( s, &name.any, &length ) );
    ok( length == 16 && name.v4.sin_family == AF_INET && name.v4.sin_addr.s_addr == htonl( INADDR_LOOPBACK ),
        "got length %d, family %d\n", length, name.v4.sin_family );
    ok( !memcmp( name.v4.sin_zero, address.v4.sin_zero, 8 ), "sin_zero is not zero\n" );
    length = 15;
    check_fails( getsockname( s, &name.any, &length ), WSAEFAULT );
    length = 0;
    check_fails( getsockname( s, &name.any, &length ), WSAEFAULT );
    check_fails( guarded( getsockname( s, &name.any, NULL ) ), WSAEFAULT );
    length = 16;
    check_fails( guarded( getsockname( s, NULL, &length ) ), WSAEFAULT );
    port = address_port( &name );
    closesocket( s );
    /* a chosen port is the port */
    s = socket( AF_INET, SOCK_DGRAM, 0 );
    address_loopback( &address, AF_INET, port );
    if ( !bind( s, &address.any, 16 ) ) ok( socket_port( s ) == port, "got port %d\n", socket_port( s ) );
    else ok( WSAGetLastError() == WSAEADDRINUSE, "got error %d\n", WSAGetLastError() );
    closesocket( s );

    tcp_pair( &client, &server );
    length = sizeof( name );
    check_ok( getsockname( client, &name.any, &length ) );
    ok( name.v4.sin_port && name.v4.sin_addr.s_addr == htonl( INADDR_LOOPBACK ), "got %#lx\n",
        name.v4.sin_addr.s_addr );
    length = sizeof( address );
    check_ok( getpeername( server, &address.any, &length ) );
    ok( !memcmp( &name, &address, 16 ), "the two ends differ\n" );
    closesocket( client );
    closesocket( server );

    if ( have_ipv6() )
    {
        s = tcp_bound( AF_INET6, NULL );
        length = 24;
        check_fails( getsockname( s, &name.any, &length ), WSAEFAULT );
        length = 28;
        check_ok( getsockname( s, &name.any, &length ) );
        ok( length == 28 && name.v6.sin6_port, "got length %d\n", length );
        closesocket( s );
    }
    else skip( "no IPv6 loopback\n" );
}

static void test_getpeername( void )
{
    union address address, name;
    SOCKET s, client, server;
    int length;

    check_fails( getpeername( INVALID_SOCKET, NULL, NULL ), WSAENOTSOCK );
    s = socket( AF_INET, SOCK_DGRAM, 0 );
    check_fails( getpeername( s, NULL, NULL ), WSAENOTCONN );
    closesocket( s );
    s = socket( AF_INET, SOCK_STREAM, 0 );
    length = sizeof( name );
    check_fails( getpeername( s, &name.any, &length ), WSAENOTCONN );
    closesocket( s );

    tcp_pair( &client, &server );
    check_fails( guarded( getpeername( client, NULL, NULL ) ), WSAEFAULT );
    check_fails( guarded( getpeername( client, &name.any, NULL ) ), WSAEFAULT );
    length = 0;
    check_fails( guarded( getpeername( client, NULL, &length ) ), WSAEFAULT );
    check_fails( guarded( getpeername( client, &name.any, &length ) ), WSAEFAULT );
    ok( !length, "got length %d\n", length );
    length = 15;
    check_fails( guarded( getpeername( client, &name.any, &length ) ), WSAEFAULT );
    memset( &name, 0xcc, sizeof( name ) );
    length = 128;
    check_ok( getpeername( client, &name.any, &length ) );
    ok( length == 16, "got length %d\n", length );
    address_loopback( &address, AF_INET, socket_port( server ) );
    ok( !memcmp( &name, &address, 16 ), "got another address\n" );
    closesocket( server );
    closesocket( client );
}

static void test_connect( void )
{
    union address address;
    SOCKET holder = tcp_listener( AF_INET, &address ), s;

    s = socket( AF_INET, SOCK_STREAM, 0 );
    check_fails( guarded( connect( s, NULL, 16 ) ), WSAEFAULT );
    check_fails( connect( s, &address.any, 0 ), WSAEFAULT );
    check_fails( connect( s, &address.any, 15 ), WSAEFAULT );
    address.any.sa_family = 0xdead;
    check_fails( connect( s, &address.any, 16 ), WSAEAFNOSUPPORT );
    address_loopback( &address, AF_INET, 0 );
    check_fails( connect( s, &address.any, 16 ), WSAEADDRNOTAVAIL );
    address_loopback( &address, AF_INET, socket_port( holder ) );
    check_ok( connect( s, &address.any, 16 ) );
    check_fails( connect( s, &address.any, 16 ), WSAEISCONN );
    check_fails( bind( s, &address.any, 16 ), WSAEINVAL );
    closesocket( s );
    closesocket( holder );
}

START_TEST( endpoint )
{
    support_begin();
    test_bind();
    test_adapters( AF_INET );
    if ( have_ipv6() ) test_adapters( AF_INET6 );
    test_getsockname();
    test_getpeername();
    test_connect();
    support_end();
}
