/*
 * Names of hosts (facts: names-and-protocols 9 and 10): getaddrinfo and GetAddrInfoW with their hints, literals and
 * services; getnameinfo; gethostname; gethostbyname with the memory layout that programs depend on; the prefix's hosts
 * file. Only names that need no network: this computer, localhost, literals, the hosts file, the domain that has no
 * names.
 */
#include "support.h"

static char self[256];

static BOOL same_list( const struct addrinfo *a, const struct addrinfo *b )
{
    for ( ; a && b; a = a->ai_next, b = b->ai_next )
    {
        if ( a->ai_flags != b->ai_flags || a->ai_family != b->ai_family || a->ai_socktype != b->ai_socktype ||
             a->ai_protocol != b->ai_protocol || a->ai_addrlen != b->ai_addrlen )
            return FALSE;
        if ( memcmp( a->ai_addr, b->ai_addr, a->ai_addrlen ) ) return FALSE;
        if ( !a->ai_canonname != !b->ai_canonname ) return FALSE;
        if ( a->ai_canonname && strcmp( a->ai_canonname, b->ai_canonname ) ) return FALSE;
    }
    return !a && !b;
}

/* GetAddrInfoW answers as getaddrinfo did: the same error or list. */
static void check_wide( int line, const char *node, const char *service, const struct addrinfo *hints, int expected,
                        const struct addrinfo *list )
{
    WCHAR wide_node[256], wide_service[64], name[256];
    ADDRINFOW wide_hints, *wide = (ADDRINFOW *)0xdeadbeef, *info;
    int result;

    if ( node ) MultiByteToWideChar( CP_ACP, 0, node, -1, wide_node, ARRAY_SIZE( wide_node ) );
    if ( service ) MultiByteToWideChar( CP_ACP, 0, service, -1, wide_service, ARRAY_SIZE( wide_service ) );
    if ( hints ) memcpy( &wide_hints, hints, sizeof( wide_hints ) );
    WSASetLastError( ERROR_UNTOUCHED );
    result = GetAddrInfoW( node ? wide_node : NULL, service ? wide_service : NULL, hints ? &wide_hints : NULL, &wide );
    ok_( __FILE__, line )( result == expected, "GetAddrInfoW returned %d, expected %d\n", result, expected );
    ok_( __FILE__, line )( WSAGetLastError() == result, "last error of GetAddrInfoW %d\n", WSAGetLastError() );
    ok_( __FILE__, line )( !wide == !!result, "result of GetAddrInfoW %p\n", wide );
    if ( result ) return;
    for ( info = wide; info && list; info = info->ai_next, list = list->ai_next )
    {
        ok_( __FILE__, line )( info->ai_flags == list->ai_flags && info->ai_family == list->ai_family &&
                                   info->ai_socktype == list->ai_socktype && info->ai_protocol == list->ai_protocol &&
                                   info->ai_addrlen == list->ai_addrlen,
                               "another entry in the wide list\n" );
        ok_( __FILE__,
             line )( info->ai_addrlen == list->ai_addrlen && !memcmp( info->ai_addr, list->ai_addr, list->ai_addrlen ),
                     "another address in the wide list\n" );
        *name = 0;
        if ( list->ai_canonname ) MultiByteToWideChar( CP_ACP, 0, list->ai_canonname, -1, name, ARRAY_SIZE( name ) );
        ok_( __FILE__, line )( !info->ai_canonname == !list->ai_canonname &&
                                   ( !info->ai_canonname || !wcscmp( info->ai_canonname, name ) ),
                               "another name in the wide list\n" );
    }
    ok_( __FILE__, line )( !info && !list, "the wide list has another length\n" );
    FreeAddrInfoW( wide );
}

/* getaddrinfo, with what it promises of every result, and GetAddrInfoW beside it. */
#define lookup( ... ) lookup_( __LINE__, __VA_ARGS__ )
static struct addrinfo *lookup_( int line, const char *node, const char *service, const struct addrinfo *hints,
                                 int expected )
{
    struct addrinfo *list = (struct addrinfo *)0xdeadbeef;
    int result;

    WSASetLastError( ERROR_UNTOUCHED );
    result = getaddrinfo( node, service, hints, &list );
    ok_( __FILE__, line )( result == expected, "getaddrinfo returned %d, expected %d\n", result, expected );
    ok_( __FILE__, line )( WSAGetLastError() == result, "last error %d\n", WSAGetLastError() );
    ok_( __FILE__, line )( !list == !!result, "result %p\n", list );
    for ( struct addrinfo *info = result ? NULL : list; info; info = info->ai_next )
    {
        int family = info->ai_family,
            size = family == AF_INET ? sizeof( struct sockaddr_in ) : sizeof( struct sockaddr_in6 );

        ok_( __FILE__, line )( family == AF_INET || family == AF_INET6, "family %d\n", family );
        ok_( __FILE__, line )( info->ai_addr && info->ai_addr->sa_family == family, "another family in the address\n" );
        ok_( __FILE__, line )( (int)info->ai_addrlen >= size, "address length %d\n", (int)info->ai_addrlen );
        if ( !hints || !( hints->ai_flags & AI_CANONNAME ) )
            ok_( __FILE__, line )( !info->ai_canonname, "name %s\n", info->ai_canonname );
        ok_( __FILE__, line )( info->ai_socktype == ( hints ? hints->ai_socktype : 0 ), "type %d\n",
                               info->ai_socktype );
        ok_( __FILE__, line )( info->ai_protocol == ( hints ? hints->ai_protocol : 0 ), "protocol %d\n",
                               info->ai_protocol );
        if ( hints && hints->ai_family ) ok_( __FILE__, line )( family == hints->ai_family, "family %d\n", family );
        if ( !hints ) ok_( __FILE__, line )( !info->ai_flags, "flags %#x\n", info->ai_flags );
    }
    check_wide( line, node, service, hints, expected, result ? NULL : list );
    return result ? NULL : list;
}

static void check_same( const char *node, const char *service, const char *node2, const char *service2 )
{
    struct addrinfo *a = lookup( node, service, NULL, 0 ), *b = lookup( node2, service2, NULL, 0 );

    ok( same_list( a, b ), "the lists of \"%s\":\"%s\" and \"%s\":\"%s\" differ\n", node ? node : "(null)",
        service ? service : "(null)", node2 ? node2 : "(null)", service2 ? service2 : "(null)" );
    freeaddrinfo( a );
    freeaddrinfo( b );
}

static void check_fails_with( const char *node, const char *service, const struct addrinfo *hints, int expected )
{
    winetest_push_context( "%s:%s", node ? node : "(null)", service ? service : "(null)" );
    lookup( node, service, hints, expected );
    winetest_pop_context();
}

static void test_combinations( void )
{
    static const char *const services[] = { NULL, "", "0", "80" };
    struct addrinfo zero = { 0 };

    ok( sizeof( zero ) == ( sizeof( void * ) == 8 ? 48 : 32 ), "size %d\n", (int)sizeof( zero ) );
    ok( offsetof( struct addrinfo, ai_family ) == 4 && offsetof( struct addrinfo, ai_socktype ) == 8 &&
            offsetof( struct addrinfo, ai_protocol ) == 12 && offsetof( struct addrinfo, ai_addrlen ) == 16,
        "another layout\n" );
    ok( offsetof( struct addrinfo, ai_canonname ) == 16 + sizeof( void * ) &&
            offsetof( struct addrinfo, ai_addr ) == 16 + 2 * sizeof( void * ) &&
            offsetof( struct addrinfo, ai_next ) == 16 + 3 * sizeof( void * ),
        "another layout\n" );
    check_fails_with( NULL, NULL, NULL, WSAHOST_NOT_FOUND );
    freeaddrinfo( lookup( "", NULL, NULL, 0 ) );
    check_same( NULL, "0", NULL, "" );
    check_same( "", "0", "", "" );
    check_same( self, NULL, "", NULL );
    check_same( self, "", "", "" );
    check_same( self, "0", "", "0" );
    for ( unsigned int i = 0; i < ARRAY_SIZE( services ); i++ )
    {
        struct addrinfo *list = lookup( "localhost", services[i], NULL, 0 );
        USHORT port = services[i] ? atoi( services[i] ) : 0;

        for ( struct addrinfo *info = list; info; info = info->ai_next )
        {
            const union address *address = (const union address *)info->ai_addr;

            ok( address->v4.sin_port == htons( port ), "service %s: port %u\n", services[i] ? services[i] : "(null)",
                ntohs( address->v4.sin_port ) );
        }
        freeaddrinfo( list );
        freeaddrinfo( lookup( "localhost", services[i], &zero, 0 ) );
    }
    check_fails_with( "nxdomain.invalid", NULL, NULL, WSAHOST_NOT_FOUND );
    check_fails_with( NULL, "nosuchservice", &zero, WSATYPE_NOT_FOUND );
}

static void test_literals( void )
{
    static const struct
    {
        const char *node, *service;
        int flags, family, error, result_family;
    } rows[] = {
        { "192.168.1.253", NULL, 0, 0, 0, AF_INET },
        { "192.168.1.253:1024", NULL, AI_NUMERICHOST, 0, WSAHOST_NOT_FOUND, 0 },
        { "localhost", "80", AI_NUMERICHOST, 0, WSAHOST_NOT_FOUND, 0 },
        { "2a00:2039:dead:beef:cafe::6666", NULL, 0, 0, 0, AF_INET6 },
        { "[beef::cafe]", NULL, 0, 0, 0, AF_INET6 },
        { "[beef::cafe]", NULL, AI_NUMERICHOST, AF_INET6, 0, AF_INET6 },
        { "[beef::cafe]", NULL, AI_NUMERICHOST, AF_INET, WSAHOST_NOT_FOUND, 0 },
        { "[beef::cafe]:10239", NULL, 0, 0, 0, AF_INET6 },
        { "[beef::cafe", NULL, AI_NUMERICHOST, AF_INET, WSAHOST_NOT_FOUND, 0 },
        { "beef::cafe]", NULL, AI_NUMERICHOST, AF_INET, WSAHOST_NOT_FOUND, 0 },
        { "1.2.3.4", NULL, AI_NUMERICHOST, AF_INET, 0, AF_INET },
    };

    for ( unsigned int i = 0; i < ARRAY_SIZE( rows ); i++ )
    {
        struct addrinfo hints = { .ai_flags = rows[i].flags, .ai_family = rows[i].family }, *list;
        /* such a literal is no name of a host where there is no IPv6 at all */
        int error = rows[i].result_family == AF_INET6 && !have_ipv6() ? WSAHOST_NOT_FOUND : rows[i].error;

        winetest_push_context( "%s", rows[i].node );
        list = lookup( rows[i].node, rows[i].service, rows[i].flags || rows[i].family ? &hints : NULL, error );
        if ( list )
        {
            const union address *address = (const union address *)list->ai_addr;

            ok( list->ai_family == rows[i].result_family, "family %d\n", list->ai_family );
            ok( !list->ai_next, "more than one\n" );
            ok( !address->v4.sin_port, "port %u\n", ntohs( address->v4.sin_port ) );
        }
        freeaddrinfo( list );
        winetest_pop_context();
    }
}

static void test_hints( void )
{
    static const int families[] = { AF_UNSPEC, AF_INET };
    static const int types[] = { 0, SOCK_STREAM, SOCK_DGRAM };
    static const int protocols[] = { 0, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_IPV6, 999 };
    struct addrinfo hints = { 0 }, *list;

    for ( unsigned int f = 0; f < ARRAY_SIZE( families ); f++ )
        for ( unsigned int p = 0; p < ARRAY_SIZE( protocols ); p++ )
        {
            hints.ai_family = families[f];
            hints.ai_protocol = protocols[p];
            for ( unsigned int t = 0; t < ARRAY_SIZE( types ); t++ )
            {
                hints.ai_socktype = types[t];
                if ( !types[t] && protocols[p] == 999 ) continue;
                winetest_push_context( "family %d type %d protocol %d", families[f], types[t], protocols[p] );
                freeaddrinfo( lookup( "localhost", NULL, &hints, 0 ) );
                winetest_pop_context();
            }
            if ( !protocols[p] || protocols[p] == 999 ) continue;
            hints.ai_socktype = 999;
            lookup( "localhost", NULL, &hints, WSAESOCKTNOSUPPORT );
        }

    memset( &hints, 0, sizeof( hints ) );
    hints.ai_family = 999;
    lookup( "localhost", NULL, &hints, WSAEAFNOSUPPORT );
    hints.ai_family = AF_INET;
    hints.ai_flags = AI_CANONNAME;
    list = lookup( self, NULL, &hints, 0 );
    ok( list && list->ai_canonname && !_stricmp( list->ai_canonname, self ), "canonical name %s\n",
        list && list->ai_canonname ? list->ai_canonname : "(null)" );
    if ( list && list->ai_next ) ok( !list->ai_next->ai_canonname, "a name in the second entry\n" );
    freeaddrinfo( list );
    lookup( NULL, "80", &hints, WSAEINVAL );
    hints.ai_flags = 0;
    hints.ai_addrlen = 16;
    lookup( "localhost", NULL, &hints, WSANO_RECOVERY );

    hints.ai_addrlen = 0;
    list = lookup( NULL, "80", &hints, 0 );
    ok( list && ( (struct sockaddr_in *)list->ai_addr )->sin_addr.s_addr == htonl( INADDR_LOOPBACK ),
        "not loopback\n" );
    ok( list && ( (struct sockaddr_in *)list->ai_addr )->sin_port == htons( 80 ), "another port\n" );
    freeaddrinfo( list );
    hints.ai_flags = AI_PASSIVE;
    list = lookup( NULL, "http", &hints, 0 );
    ok( list && ( (struct sockaddr_in *)list->ai_addr )->sin_addr.s_addr == INADDR_ANY, "not the wildcard\n" );
    ok( list && ( (struct sockaddr_in *)list->ai_addr )->sin_port == htons( 80 ), "another port\n" );
    freeaddrinfo( list );
}

static void test_wide( void )
{
    ADDRINFOW hints = { .ai_flags = AI_CANONNAME, .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *list;
    int result;

    WSASetLastError( ERROR_UNTOUCHED );
    result = GetAddrInfoW( L"127.0.0.1", L"8080", &hints, &list );
    ok( !result && !WSAGetLastError(), "returned %d, error %d\n", result, WSAGetLastError() );
    if ( !result )
    {
        const struct sockaddr_in *address = (const struct sockaddr_in *)list->ai_addr;

        ok( address->sin_addr.s_addr == htonl( INADDR_LOOPBACK ) && address->sin_port == htons( 8080 ),
            "another address\n" );
        ok( list->ai_socktype == SOCK_STREAM && !list->ai_protocol && !list->ai_next, "another entry\n" );
        FreeAddrInfoW( list );
    }
    list = (ADDRINFOW *)1;
    result = GetAddrInfoW( L"nxdomain.invalid", NULL, NULL, &list );
    ok( result == WSAHOST_NOT_FOUND && !list, "returned %d, list %p\n", result, list );
    /* an international name without its ACE form is no name to a resolver */
    hints = ( ADDRINFOW ){ .ai_flags = 0x80000 /* AI_DISABLE_IDN_ENCODING */ };
    list = (ADDRINFOW *)1;
    result = GetAddrInfoW( L"n\x00fc\x00df\x6f22.invalid", NULL, &hints, &list );
    ok( result == WSAHOST_NOT_FOUND && !list, "returned %d, list %p\n", result, list );
    result = guarded( GetAddrInfoW( L"localhost", NULL, NULL, NULL ) );
    ok( result == WSAEFAULT, "returned %d\n", result );
}

static void test_nameinfo( void )
{
    union address address;
    int length = address_loopback( &address, AF_INET, 80 ), result;
    char host[256], service[64];
    WCHAR wide_host[256], wide_service[64];

    result = getnameinfo( &address.any, length, host, sizeof( host ), service, sizeof( service ),
                          NI_NUMERICHOST | NI_NUMERICSERV );
    ok( !result && !strcmp( host, "127.0.0.1" ) && !strcmp( service, "80" ), "%d: %s, %s\n", result, host, service );
    result = getnameinfo( &address.any, length, NULL, 0, service, sizeof( service ), 0 );
    ok( !result && !strcmp( service, "http" ), "%d: %s\n", result, service );
    result = GetNameInfoW( &address.any, length, wide_host, ARRAY_SIZE( wide_host ), wide_service,
                           ARRAY_SIZE( wide_service ), NI_NUMERICHOST );
    ok( !result && !wcscmp( wide_host, L"127.0.0.1" ) && !wcscmp( wide_service, L"http" ), "returned %d\n", result );
    /* an address of this computer has this computer's name */
    result = getnameinfo( &address.any, length, host, sizeof( host ), NULL, 0, NI_NAMEREQD );
    ok( !result && *host && strcmp( host, "127.0.0.1" ), "%d: %s\n", result, host );
    result = getnameinfo( &address.any, length, NULL, 0, NULL, 0, 0 );
    ok( result == WSAHOST_NOT_FOUND, "returned %d\n", result );
    result = getnameinfo( &address.any, 3, host, sizeof( host ), NULL, 0, NI_NUMERICHOST );
    ok( result == WSAEFAULT, "returned %d\n", result );
    address.any.sa_family = 99;
    result = getnameinfo( &address.any, length, host, sizeof( host ), NULL, 0, NI_NUMERICHOST );
    ok( result == WSAEAFNOSUPPORT, "returned %d\n", result );
    if ( have_ipv6() )
    {
        length = address_loopback( &address, AF_INET6, 53 );
        result = getnameinfo( &address.any, length, host, sizeof( host ), service, sizeof( service ),
                              NI_NUMERICHOST | NI_DGRAM );
        ok( !result && !strcmp( host, "::1" ) && !strcmp( service, "domain" ), "%d: %s, %s\n", result, host, service );
    }
}

static void test_hostname( void )
{
    int length = strlen( self );
    WCHAR wide[256];
    char buffer[256];

    check_fails( gethostname( NULL, 256 ), WSAEFAULT );
    memset( buffer, 0x5a, sizeof( buffer ) );
    check_fails( gethostname( buffer, length ), WSAEFAULT );
    ok( buffer[0] == 0x5a && buffer[length] == 0x5a, "the buffer was touched\n" );
    check_ok( gethostname( buffer, length + 1 ) );
    ok( !strcmp( buffer, self ), "got %s\n", buffer );
    check_fails( GetHostNameW( NULL, 256 ), WSAEFAULT );
    memset( wide, 0x5a, sizeof( wide ) );
    check_fails( GetHostNameW( wide, length ), WSAEFAULT );
    ok( wide[0] == 0x5a5a, "the buffer was touched\n" );
    check_ok( GetHostNameW( wide, length + 1 ) );
    ok( (int)wcslen( wide ) == length, "got %d characters\n", (int)wcslen( wide ) );
}

/* One block: the structure, alias pointers, address pointers, the first address. */
static void check_layout( const struct hostent *host )
{
    char **p = (char **)( host + 1 );

    ok( sizeof( *host ) == ( sizeof( void * ) == 8 ? 32 : 16 ), "size %d\n", (int)sizeof( *host ) );
    ok( !offsetof( struct hostent, h_name ) && offsetof( struct hostent, h_aliases ) == sizeof( void * ) &&
            offsetof( struct hostent, h_addrtype ) == 2 * sizeof( void * ) &&
            offsetof( struct hostent, h_length ) == 2 * sizeof( void * ) + 2 &&
            offsetof( struct hostent, h_addr_list ) == 3 * sizeof( void * ),
        "another layout\n" );
    ok( host->h_aliases == p, "aliases at %p, expected %p\n", host->h_aliases, p );
    while ( *p ) p++;
    p++;
    ok( host->h_addr_list == p, "addresses at %p, expected %p\n", host->h_addr_list, p );
    while ( *p ) p++;
    p++;
    ok( host->h_addr_list[0] == (char *)p, "first address at %p, expected %p\n", host->h_addr_list[0], p );
}

static void test_gethostbyname( void )
{
    static const char *const names[] = { "localhost", "", "127.0.0.1", NULL };
    struct hostent *host, *again;
    ULONG loopback = htonl( INADDR_LOOPBACK );
    int count;

    for ( unsigned int i = 0; i <= ARRAY_SIZE( names ); i++ )
    {
        host = gethostbyname( i < ARRAY_SIZE( names ) ? names[i] : self );
        ok( host != NULL, "row %u failed, error %d\n", i, WSAGetLastError() );
        if ( !host ) continue;
        ok( host->h_addrtype == AF_INET && host->h_length == 4, "row %u: type %d, length %d\n", i, host->h_addrtype,
            host->h_length );
        ok( host->h_name && *host->h_name, "row %u has no name\n", i );
        check_layout( host );
        for ( count = 0; host->h_addr_list[count]; count++ )
            if ( !memcmp( host->h_addr_list[count], &loopback, 4 ) && i != 0 && i != 2 )
                ok( !count && !host->h_addr_list[1], "row %u: loopback among others\n", i );
        ok( count, "row %u has no address\n", i );
    }
    host = gethostbyname( "localhost" );
    ok( host && !memcmp( host->h_addr_list[0], &loopback, 4 ), "another address\n" );
    again = gethostbyname( "127.0.0.1" );
    ok( again == host, "two buffers, %p and %p\n", host, again );
    check_error( (ULONG_PTR)gethostbyname( "nxdomain.invalid" ), 0, WSAHOST_NOT_FOUND );

    host = gethostbyaddr( (char *)&loopback, 4, AF_INET );
    ok( host != NULL, "failed, error %d\n", WSAGetLastError() );
    if ( host )
    {
        check_layout( host );
        ok( !memcmp( host->h_addr_list[0], &loopback, 4 ) && !host->h_addr_list[1], "another address\n" );
    }
    check_error( (ULONG_PTR)gethostbyaddr( NULL, 4, AF_INET ), 0, WSAEFAULT );
    check_error( (ULONG_PTR)gethostbyaddr( (char *)&loopback, 3, AF_INET ), 0, WSAEFAULT );
}

/* A name in Unicode and its ACE form are one; the resolver knows the latter. The hosts file has it now. */
static void test_international( ULONG address )
{
    static const WCHAR *const names[] = { L"xn--bcher-kva.invalid",
                                          L"b\x00fc"
                                          L"cher.invalid",
                                          L"B\x00dc"
                                          L"CHER.invalid" };
    ADDRINFOW hints = { .ai_family = AF_INET }, *list;

    for ( unsigned int i = 0; i < ARRAY_SIZE( names ) * 2; i++ )
    {
        int result = GetAddrInfoW( names[i / 2], NULL, i % 2 ? &hints : NULL, &list );

        ok( !result, "row %u: returned %d\n", i, result );
        if ( result ) continue;
        ok( list->ai_family == AF_INET && !list->ai_next, "row %u: another list\n", i );
        ok( ( (struct sockaddr_in *)list->ai_addr )->sin_addr.s_addr == address, "row %u: another address\n", i );
        FreeAddrInfoW( list );
    }
    hints.ai_flags = 0x80000; /* AI_DISABLE_IDN_ENCODING */
    list = (ADDRINFOW *)1;
    ok( GetAddrInfoW( names[1], NULL, &hints, &list ) == WSAHOST_NOT_FOUND && !list,
        "encoded although it must not be\n" );
    ok( !GetAddrInfoW( names[0], NULL, &hints, &list ), "the ACE form is not found\n" );
    FreeAddrInfoW( list );
}

/* Strings are not read beyond their end. */
static void test_string_ends( void )
{
    static const char name[] = "localhost";
    char *place = memory_before_fault( sizeof( name ) );
    struct addrinfo *list;

    memcpy( place, name, sizeof( name ) );
    ok( !guarded( getaddrinfo( place, NULL, NULL, &list ) ), "failed\n" );
    freeaddrinfo( list );
    ok( guarded( gethostbyname( place ) != NULL ), "failed\n" );
    VirtualFree( place, 0, MEM_RELEASE );
    place = memory_before_fault( sizeof( L"localhost" ) );
    memcpy( place, L"localhost", sizeof( L"localhost" ) );
    {
        ADDRINFOW *wide;

        ok( !guarded( GetAddrInfoW( (WCHAR *)place, NULL, NULL, &wide ) ), "failed\n" );
        FreeAddrInfoW( wide );
    }
    VirtualFree( place, 0, MEM_RELEASE );
}

/* The prefix's hosts file counts at once, for the computer's programs as for its administrator. */
static void test_hosts_file( void )
{
    static const char lines[] = "\r\n192.0.2.77 ws2host-test.example ws2host-alias # a comment\r\n"
                                "2001:db8::77 ws2host-test.example\r\n192.0.2.78\tWS2HOST-TEST.example\r\n"
                                "192.0.2.79 xn--bcher-kva.invalid\r\n";
    struct addrinfo hints = { .ai_family = AF_INET, .ai_flags = AI_CANONNAME }, *list;
    WCHAR path[MAX_PATH + 32], aside[MAX_PATH + 32];
    struct hostent *host;
    ULONG address = htonl( 0xc000024d );
    HANDLE file;
    DWORD written;
    BOOL moved;

    GetSystemDirectoryW( path, MAX_PATH );
    wcscat( path, L"\\drivers\\etc\\hosts" );
    wcscpy( aside, path );
    wcscat( aside, L".aside" );
    moved = MoveFileW( path, aside );
    file = CreateFileW( path, GENERIC_WRITE, FILE_SHARE_READ, NULL, CREATE_NEW, 0, NULL );
    if ( file == INVALID_HANDLE_VALUE )
    {
        skip( "the hosts file is the administrator's, error %lu\n", GetLastError() );
        return;
    }
    WriteFile( file, lines, sizeof( lines ) - 1, &written, NULL );
    CloseHandle( file );

    list = lookup( "ws2host-alias", "80", &hints, 0 );
    ok( list && !memcmp( &( (struct sockaddr_in *)list->ai_addr )->sin_addr, &address, 4 ), "another address\n" );
    ok( list && list->ai_canonname && !strcmp( list->ai_canonname, "ws2host-test.example" ), "canonical name %s\n",
        list ? list->ai_canonname : "" );
    ok( list && !list->ai_next, "more than one\n" );
    freeaddrinfo( list );
    list = lookup( "ws2host-test.example", NULL, &hints, 0 );
    ok( list && list->ai_next && !list->ai_next->ai_next, "not two addresses\n" );
    freeaddrinfo( list );
    hints.ai_flags = 0;
    hints.ai_family = AF_INET6;
    list = lookup( "ws2host-test.example", NULL, &hints, 0 );
    ok( list && !list->ai_next && list->ai_family == AF_INET6, "not one address\n" );
    freeaddrinfo( list );
    host = gethostbyname( "ws2host-test.example" );
    ok( host && !strcmp( host->h_name, "ws2host-test.example" ), "failed\n" );
    ok( host && host->h_aliases[0] && !strcmp( host->h_aliases[0], "ws2host-alias" ), "no alias\n" );
    if ( host ) check_layout( host );
    host = gethostbyaddr( (char *)&address, 4, AF_INET );
    ok( host && !strcmp( host->h_name, "ws2host-test.example" ), "another name\n" );

    test_international( htonl( 0xc000024f ) );
    DeleteFileW( path );
    if ( moved ) ok( MoveFileW( aside, path ), "error %lu\n", GetLastError() );
}

START_TEST( resolver )
{
    if ( support_begin() ) return;
    check_ok( gethostname( self, sizeof( self ) ) );
    test_combinations();
    test_literals();
    test_hints();
    test_wide();
    test_nameinfo();
    test_hostname();
    test_gethostbyname();
    test_string_ends();
    test_hosts_file();
    support_end();
}
