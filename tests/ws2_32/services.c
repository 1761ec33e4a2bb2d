/*
 * Services and protocols (facts: names-and-protocols 3 and 4): the stock data bases, found whatever files the host has,
 * the layout of their records, and one buffer per thread.
 */
#include "support.h"

static void test_protocols( void )
{
    static const struct
    {
        int number;
        const char *name, *alias;
    } rows[] = {
        { 0, "ip", "IP" },
        { 1, "icmp", "ICMP" },
        { 3, "ggp", "GGP" },
        { 6, "tcp", "TCP" },
        { 8, "egp", "EGP" },
        { 12, "pup", "PUP" },
        { 17, "udp", "UDP" },
        { 20, "hmp", "HMP" },
        { 22, "xns-idp", "XNS-IDP" },
        { 27, "rdp", "RDP" },
        { 41, "ipv6", "IPv6" },
        { 43, "ipv6-route", "IPv6-Route" },
        { 44, "ipv6-frag", "IPv6-Frag" },
        { 50, "esp", "ESP" },
        { 51, "ah", "AH" },
        { 58, "ipv6-icmp", "IPv6-ICMP" },
        { 59, "ipv6-nonxt", "IPv6-NoNxt" },
        { 60, "ipv6-opts", "IPv6-Opts" },
        { 66, "rvd", "RVD" },
    };

    ok( sizeof( struct protoent ) == ( sizeof( void * ) == 8 ? 24 : 12 ), "size %d\n", (int)sizeof( struct protoent ) );
    ok( !offsetof( struct protoent, p_name ) && offsetof( struct protoent, p_aliases ) == sizeof( void * ) &&
            offsetof( struct protoent, p_proto ) == 2 * sizeof( void * ),
        "another layout\n" );
    ok( sizeof( ( (struct protoent *)0 )->p_proto ) == 2, "p_proto is not 16 bits wide\n" );
    for ( unsigned int i = 0; i < ARRAY_SIZE( rows ); i++ )
    {
        char upper[32];
        const char *spellings[] = { rows[i].name, rows[i].alias, upper };

        strcpy( upper, rows[i].name );
        _strupr( upper );
        for ( unsigned int s = 0; s < ARRAY_SIZE( spellings ); s++ )
        {
            struct protoent *found = getprotobyname( spellings[s] );

            ok( found != NULL, "%s not found\n", spellings[s] );
            if ( !found ) continue;
            ok( found->p_proto == rows[i].number, "%s is %d\n", spellings[s], found->p_proto );
            ok( !strcmp( found->p_name, rows[i].name ), "%s is called %s\n", spellings[s], found->p_name );
            ok( found->p_aliases && found->p_aliases[0] && !strcmp( found->p_aliases[0], rows[i].alias ),
                "%s has another alias\n", spellings[s] );
        }
        {
            struct protoent *found = getprotobynumber( rows[i].number );

            ok( found && !strcmp( found->p_name, rows[i].name ), "%d not found\n", rows[i].number );
            ok( found && found->p_aliases[0] && !strcmp( found->p_aliases[0], rows[i].alias ), "%d has another alias\n",
                rows[i].number );
        }
    }
    /* these and no others, whatever the host knows */
    for ( int number = -1; number <= 256; number++ )
    {
        struct protoent *found;
        unsigned int i;

        for ( i = 0; i < ARRAY_SIZE( rows ) && rows[i].number != number; i++ ) continue;
        WSASetLastError( ERROR_UNTOUCHED );
        found = getprotobynumber( number );
        if ( i < ARRAY_SIZE( rows ) ) ok( found && found->p_proto == number, "%d not found\n", number );
        else ok( !found && WSAGetLastError() == WSANO_DATA, "%d found: %s\n", number, found ? found->p_name : "" );
    }
    check_error( (ULONG_PTR)getprotobyname( "sctp" ), 0, WSANO_DATA );
    check_error( (ULONG_PTR)getprotobyname( "igmp" ), 0, WSANO_DATA );
    check_error( (ULONG_PTR)getprotobyname( "nosuchprotocol" ), 0, WSANO_DATA );
    check_error( (ULONG_PTR)getprotobynumber( 0xdead ), 0, WSANO_DATA );
}

static const struct
{
    const char *name, *protocol;
    int port;
} services[] = { { "domain", "udp", 53 }, { "telnet", "tcp", 23 } };

static void check_service( const struct servent *service, unsigned int i )
{
    ok( service != NULL, "%s not found, error %d\n", services[i].name, WSAGetLastError() );
    if ( !service ) return;
    ok( service->s_port == (short)htons( services[i].port ), "port %d\n", ntohs( service->s_port ) );
    ok( !strcmp( service->s_proto, services[i].protocol ), "protocol %s\n", service->s_proto );
    ok( !strcmp( service->s_name, services[i].name ), "name %s\n", service->s_name );
}

static DWORD WINAPI service_thread( void *arg )
{
    HANDLE start = *(HANDLE *)arg;
    struct servent *buffer;

    getservbyname( services[0].name, services[0].protocol );
    buffer = getservbyname( services[1].name, services[1].protocol );
    WaitForSingleObject( start, INFINITE );
    for ( unsigned int n = 0; n < 50; n++ )
    {
        unsigned int i = n % ARRAY_SIZE( services );
        struct servent *service = getservbyname( services[i].name, services[i].protocol );

        Sleep( 1 ); /* time for the other threads to disturb it */
        check_service( service, i );
        ok( service == buffer, "another buffer\n" );
    }
    return 0;
}

static void test_services( void )
{
    HANDLE threads[4], start = CreateEventW( NULL, TRUE, FALSE, NULL );
    struct servent *found;

    ok( offsetof( struct servent, s_port ) == ( sizeof( void * ) == 8 ? 24 : 8 ), "s_port at %d\n",
        (int)offsetof( struct servent, s_port ) );
    ok( !offsetof( struct servent, s_name ) && offsetof( struct servent, s_aliases ) == sizeof( void * ) &&
            offsetof( struct servent, s_proto ) == ( sizeof( void * ) == 8 ? 16 : 12 ),
        "another layout\n" );
    ok( sizeof( ( (struct servent *)0 )->s_port ) == 2, "s_port is not 16 bits wide\n" );
    ok( sizeof( struct servent ) == ( sizeof( void * ) == 8 ? 32 : 16 ), "size %d\n", (int)sizeof( struct servent ) );
    for ( unsigned int i = 0; i < ARRAY_SIZE( services ); i++ )
        check_service( getservbyname( services[i].name, services[i].protocol ), i );
    found = getservbyport( htons( 80 ), NULL );
    ok( found && !strcmp( found->s_name, "http" ), "port 80 not found\n" );
    found = getservbyport( htons( 53 ), "udp" );
    ok( found && !strcmp( found->s_name, "domain" ) && !strcmp( found->s_proto, "udp" ), "port 53 not found\n" );
    found = getservbyname( "mail", NULL );
    ok( found && found->s_port == htons( 25 ) && !strcmp( found->s_name, "smtp" ), "alias not found\n" );
    check_error( (ULONG_PTR)getservbyname( "nosuchservice", "tcp" ), 0, WSANO_DATA );
    check_error( (ULONG_PTR)getservbyname( "telnet", "nosuchprotocol" ), 0, WSANO_DATA );
    check_error( (ULONG_PTR)getservbyport( htons( 53 ), "nosuchprotocol" ), 0, WSANO_DATA );
    check_error( (ULONG_PTR)getservbyname( NULL, "tcp" ), 0, WSAEFAULT );

    for ( unsigned int i = 0; i < ARRAY_SIZE( threads ); i++ )
        threads[i] = CreateThread( NULL, 0, service_thread, &start, 0, NULL );
    SetEvent( start );
    WaitForMultipleObjects( ARRAY_SIZE( threads ), threads, TRUE, INFINITE );
    for ( unsigned int i = 0; i < ARRAY_SIZE( threads ); i++ ) CloseHandle( threads[i] );
    CloseHandle( start );
}

/* The prefix's own file of services or protocols, put in the place of what is there; FALSE where it is the
 * administrator's. */
static BOOL moved;
static WCHAR path[MAX_PATH], aside[MAX_PATH];

static BOOL write_file( const WCHAR *name, const char *lines )
{
    HANDLE file;
    DWORD written;

    GetSystemDirectoryW( path, MAX_PATH - 32 );
    wcscat( path, L"\\drivers\\etc\\" );
    wcscat( path, name );
    wcscpy( aside, path );
    wcscat( aside, L".aside" );
    moved = MoveFileW( path, aside );
    file = CreateFileW( path, GENERIC_WRITE, FILE_SHARE_READ, NULL, CREATE_NEW, 0, NULL );
    if ( file == INVALID_HANDLE_VALUE )
    {
        skip( "no new file of %ls, error %lu\n", name, GetLastError() );
        return FALSE;
    }
    WriteFile( file, lines, strlen( lines ), &written, NULL );
    CloseHandle( file );
    return TRUE;
}

static void restore_file( void )
{
    DeleteFileW( path );
    if ( moved ) ok( MoveFileW( aside, path ), "error %lu\n", GetLastError() );
}

static void test_files( void )
{
    struct protoent *protocol;
    struct servent *service;

    if ( write_file( L"services", "# ours\r\nws2test  4321/udp  ws2alias # a comment\r\n" ) )
    {
        service = getservbyname( "ws2alias", "udp" );
        ok( service && service->s_port == (short)htons( 4321 ) && !strcmp( service->s_name, "ws2test" ),
            "not found\n" );
        service = getservbyport( htons( 4321 ), NULL );
        ok( service && !strcmp( service->s_name, "ws2test" ) && !strcmp( service->s_proto, "udp" ), "not found\n" );
        check_error( (ULONG_PTR)getservbyname( "ws2test", "tcp" ), 0, WSANO_DATA );
        restore_file();
    }
    if ( write_file( L"protocol", "ws2proto 253 WS2-PROTO\r\n" ) )
    {
        protocol = getprotobyname( "ws2-proto" );
        ok( protocol && protocol->p_proto == 253 && !strcmp( protocol->p_name, "ws2proto" ), "not found\n" );
        protocol = getprotobynumber( 253 );
        ok( protocol && !strcmp( protocol->p_name, "ws2proto" ), "not found\n" );
        restore_file();
    }
}

START_TEST( services )
{
    if ( support_begin() ) return;
    test_protocols();
    test_services();
    test_files();
    support_end();
}
