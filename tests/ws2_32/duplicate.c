/*
 * WSADuplicateSocket and the WSASocket that opens what it made (the seed's page, facts/duplication.md): the errors of the
 * documented table, what an info is good for and for whom, and when the socket behind several descriptors closes.
 * What descriptors share is in shared.c, how known programs call it in handover.c, exhaustion in limits.c.
 */
#include "puppets.h"

#define FROM_INFO FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO

static DWORD own_pid( void ) { return GetCurrentProcessId(); }

/* A process id that was one and is none any more. */
static DWORD exited_pid( void )
{
    struct puppet puppet;
    DWORD pid;

    puppet_create( &puppet, 0 );
    pid = puppet.pid;
    puppet_kill( &puppet );
    return pid;
}

static void test_not_started( void )
{
    WSAPROTOCOL_INFOA a;
    WSAPROTOCOL_INFOW w;

    check_fails( WSADuplicateSocketA( 4, own_pid(), &a ), WSANOTINITIALISED );
    check_fails( WSADuplicateSocketW( 4, own_pid(), &w ), WSANOTINITIALISED );
    check_fails( WSADuplicateSocketA( INVALID_SOCKET, 0, NULL ), WSANOTINITIALISED );
}

static void test_bad_pid( void )
{
    DWORD pids[] = { 0, 0xffffffff, 0x7ffffff0, exited_pid() };
    SOCKET client, server;
    WSAPROTOCOL_INFOA a;
    WSAPROTOCOL_INFOW w;
    unsigned int i;

    tcp_pair( &client, &server );
    for ( i = 0; i < ARRAY_SIZE( pids ); i++ )
    {
        winetest_push_context( "pid %#lx", pids[i] );
        check_fails( WSADuplicateSocketA( client, pids[i], &a ), WSAEINVAL );
        check_fails( WSADuplicateSocketW( client, pids[i], &w ), WSAEINVAL );
        /* the socket comes first, then the process, then the pointer */
        check_fails( WSADuplicateSocketA( client, pids[i], NULL ), WSAEINVAL );
        check_fails( WSADuplicateSocketW( client, pids[i], NULL ), WSAEINVAL );
        check_fails( WSADuplicateSocketA( 0, pids[i], NULL ), WSAENOTSOCK );
        check_fails( WSADuplicateSocketW( 0, pids[i], NULL ), WSAENOTSOCK );
        winetest_pop_context();
    }
    check_fails( WSADuplicateSocketA( 0, own_pid(), &a ), WSAENOTSOCK );
    check_fails( WSADuplicateSocketW( 0, own_pid(), NULL ), WSAENOTSOCK );
    check_flow( client, server );
    check_ok( closesocket( client ) );
    check_eof( server );
    check_ok( closesocket( server ) );
}

static void test_not_a_socket( void )
{
    char path[MAX_PATH], file_name[MAX_PATH];
    HANDLE file, event = CreateEventA( NULL, TRUE, FALSE, NULL ), pipe_read, pipe_write;
    SOCKET closed = socket( AF_INET, SOCK_STREAM, 0 );
    WSAPROTOCOL_INFOA a;
    WSAPROTOCOL_INFOW w;
    unsigned int i;

    GetTempPathA( sizeof( path ), path );
    GetTempFileNameA( path, "ws2", 0, file_name );
    file =
        CreateFileA( file_name, GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, FILE_FLAG_DELETE_ON_CLOSE, NULL );
    CreatePipe( &pipe_read, &pipe_write, NULL, 0 );
    closesocket( closed );
    {
        SOCKET bad[] = { INVALID_SOCKET,     0,       closed, (SOCKET)file, (SOCKET)event, (SOCKET)pipe_read,
                         (SOCKET)pipe_write, 0xdead0, 1 };

        for ( i = 0; i < ARRAY_SIZE( bad ); i++ )
        {
            winetest_push_context( "handle %u", i );
            check_fails( WSADuplicateSocketA( bad[i], own_pid(), &a ), WSAENOTSOCK );
            check_fails( WSADuplicateSocketW( bad[i], own_pid(), &w ), WSAENOTSOCK );
            winetest_pop_context();
        }
    }
    CloseHandle( file );
    CloseHandle( event );
    CloseHandle( pipe_read );
    CloseHandle( pipe_write );
}

static void test_bad_pointer( void )
{
    char *short_a = memory_before_fault( sizeof( WSAPROTOCOL_INFOA ) - 4 );
    char *short_w = memory_before_fault( sizeof( WSAPROTOCOL_INFOW ) - 4 );
    char *exact_a = memory_before_fault( sizeof( WSAPROTOCOL_INFOA ) );
    char *exact_w = memory_before_fault( sizeof( WSAPROTOCOL_INFOW ) );
    void *bad_a[] = { NULL, (void *)1, memory_unmapped(), memory_read_only(), short_a };
    void *bad_w[] = { NULL, (void *)1, memory_unmapped(), memory_read_only(), short_w };
    SOCKET client, server, duplicate;
    unsigned int i;

    tcp_pair( &client, &server );
    for ( i = 0; i < ARRAY_SIZE( bad_a ); i++ )
    {
        winetest_push_context( "pointer %u", i );
        check_fails( guarded( WSADuplicateSocketA( client, own_pid(), bad_a[i] ) ), WSAEFAULT );
        check_fails( guarded( WSADuplicateSocketW( client, own_pid(), bad_w[i] ) ), WSAEFAULT );
        winetest_pop_context();
    }
    /* the structure ends where the memory does */
    check_ok( guarded( WSADuplicateSocketA( client, own_pid(), (void *)exact_a ) ) );
    duplicate = guarded( WSASocketA( FROM_INFO, (void *)exact_a, 0, 0 ) );
    ok( duplicate != INVALID_SOCKET, "no duplicate, error %d\n", WSAGetLastError() );
    check_flow( duplicate, server );
    check_ok( closesocket( duplicate ) );
    check_ok( guarded( WSADuplicateSocketW( client, own_pid(), (void *)exact_w ) ) );
    duplicate = guarded( WSASocketW( FROM_INFO, (void *)exact_w, 0, 0 ) );
    ok( duplicate != INVALID_SOCKET, "no duplicate, error %d\n", WSAGetLastError() );
    check_flow( server, duplicate );
    check_ok( closesocket( duplicate ) );
    /* what failed holds the socket no longer than what succeeded */
    check_ok( closesocket( client ) );
    check_eof( server );
    check_ok( closesocket( server ) );
}

/* Opening reads the info: pointers that fault there. */
static void test_open_bad_pointer( void )
{
    void *bad[] = { (void *)1, memory_unmapped(), memory_before_fault( 4 ) };
    unsigned int i;

    for ( i = 0; i < ARRAY_SIZE( bad ); i++ )
    {
        winetest_push_context( "pointer %u", i );
        check_no_socket( guarded( WSASocketA( FROM_INFO, bad[i], 0, 0 ) ), WSAEFAULT );
        check_no_socket( guarded( WSASocketW( FROM_INFO, bad[i], 0, 0 ) ), WSAEFAULT );
        winetest_pop_context();
    }
}

/* All of an info but the ticket is the catalogue entry of the socket's protocol. */
static void test_contents( void )
{
    static const struct
    {
        int family, type, protocol;
    } kinds[] = {
        { AF_INET, SOCK_STREAM, IPPROTO_TCP },
        { AF_INET, SOCK_DGRAM, IPPROTO_UDP },
        { AF_INET6, SOCK_STREAM, IPPROTO_TCP },
        { AF_INET6, SOCK_DGRAM, IPPROTO_UDP },
    };
    unsigned int i;

    for ( i = 0; i < ARRAY_SIZE( kinds ); i++ )
    {
        SOCKET s = socket( kinds[i].family, kinds[i].type, 0 ), duplicate;
        WSAPROTOCOL_INFOA a, b, entry_a;
        WSAPROTOCOL_INFOW w, entry_w;
        int length;

        winetest_push_context( "kind %u", i );
        memset( &a, 0xcc, sizeof( a ) );
        memset( &w, 0xcc, sizeof( w ) );
        check_ok( WSADuplicateSocketA( s, own_pid(), &a ) );
        check_ok( WSADuplicateSocketA( s, own_pid(), &b ) );
        check_ok( WSADuplicateSocketW( s, own_pid(), &w ) );
        ok( a.dwProviderReserved && b.dwProviderReserved && w.dwProviderReserved, "no ticket\n" );
        ok( a.dwProviderReserved != b.dwProviderReserved && a.dwProviderReserved != w.dwProviderReserved &&
                b.dwProviderReserved != w.dwProviderReserved,
            "tickets %#lx %#lx %#lx\n", a.dwProviderReserved, b.dwProviderReserved, w.dwProviderReserved );
        ok( a.iAddressFamily == kinds[i].family && a.iSocketType == kinds[i].type && a.iProtocol == kinds[i].protocol,
            "got %d %d %d\n", a.iAddressFamily, a.iSocketType, a.iProtocol );
        ok( a.dwServiceFlags1 & XP1_IFS_HANDLES, "got flags %#lx\n", a.dwServiceFlags1 );

        length = sizeof( entry_a );
        check_ok( getsockopt( s, SOL_SOCKET, SO_PROTOCOL_INFOA, (char *)&entry_a, &length ) );
        length = sizeof( entry_w );
        check_ok( getsockopt( s, SOL_SOCKET, SO_PROTOCOL_INFOW, (char *)&entry_w, &length ) );
        ok( !entry_a.dwProviderReserved && !entry_w.dwProviderReserved, "a ticket is shown\n" );

        duplicate = WSASocketA( FROM_INFO, &a, 0, 0 );
        ok( duplicate != INVALID_SOCKET && duplicate != s, "got %#llx, error %d\n", (ULONGLONG)duplicate,
            WSAGetLastError() );
        length = sizeof( entry_a );
        check_ok( getsockopt( duplicate, SOL_SOCKET, SO_PROTOCOL_INFOA, (char *)&entry_a, &length ) );
        ok( !entry_a.dwProviderReserved, "a ticket is shown\n" );
        closesocket( duplicate );
        duplicate = WSASocketW( FROM_INFO, &w, 0, 0 );
        ok( duplicate != INVALID_SOCKET, "no duplicate, error %d\n", WSAGetLastError() );
        closesocket( duplicate );

        a.dwProviderReserved = w.dwProviderReserved = 0;
        ok( !memcmp( &a, &entry_a, FIELD_OFFSET( WSAPROTOCOL_INFOA, szProtocol ) ), "A: not the catalogue entry\n" );
        ok( !strcmp( a.szProtocol, entry_a.szProtocol ), "got name %s\n", a.szProtocol );
        ok( !memcmp( &w, &entry_w, FIELD_OFFSET( WSAPROTOCOL_INFOW, szProtocol ) ), "W: not the catalogue entry\n" );
        ok( !wcscmp( w.szProtocol, entry_w.szProtocol ), "W: another name\n" );

        /* without the ticket it is the entry: a new socket */
        duplicate = WSASocketA( FROM_INFO, &a, 0, 0 );
        ok( duplicate != INVALID_SOCKET, "no socket, error %d\n", WSAGetLastError() );
        length = sizeof( entry_a );
        check_fails( getsockname( duplicate, (struct sockaddr *)&entry_a, &length ), WSAEINVAL );
        closesocket( duplicate );

        /* an A info opens by the W function's layout too: only the names differ */
        memcpy( &w, &b, FIELD_OFFSET( WSAPROTOCOL_INFOA, szProtocol ) );
        duplicate = WSASocketW( FROM_INFO, &w, 0, 0 );
        ok( duplicate != INVALID_SOCKET, "no duplicate, error %d\n", WSAGetLastError() );
        closesocket( duplicate );
        closesocket( s );
        winetest_pop_context();
    }
}

/* An info works once; a used one has no effect on the socket. */
static void test_once( void )
{
    SOCKET client, server, duplicate, third;
    struct puppet puppet;
    WSAPROTOCOL_INFOA a;
    WSAPROTOCOL_INFOW w;

    tcp_pair( &client, &server );
    check_ok( WSADuplicateSocketA( client, own_pid(), &a ) );
    duplicate = WSASocketA( FROM_INFO, &a, 0, 0 );
    ok( duplicate != INVALID_SOCKET, "no duplicate, error %d\n", WSAGetLastError() );
    check_no_socket( WSASocketA( FROM_INFO, &a, 0, 0 ), WSAEINVAL );
    check_no_socket( WSASocketA( AF_INET, SOCK_STREAM, IPPROTO_TCP, &a, 0, WSA_FLAG_OVERLAPPED ), WSAEINVAL );
    check_ok( closesocket( duplicate ) );
    check_no_socket( WSASocketA( FROM_INFO, &a, 0, 0 ), WSAEINVAL );
    check_ok( WSADuplicateSocketW( client, own_pid(), &w ) );
    duplicate = WSASocketW( FROM_INFO, &w, 0, 0 );
    ok( duplicate != INVALID_SOCKET, "no duplicate, error %d\n", WSAGetLastError() );
    check_no_socket( WSASocketW( FROM_INFO, &w, 0, 0 ), WSAEINVAL );
    check_ok( closesocket( duplicate ) );

    puppet_create( &puppet, 0 );
    check_ok( WSADuplicateSocketA( client, puppet.pid, &a ) );
    duplicate = puppet_open_a( &puppet, &a, 0 );
    ok( duplicate != INVALID_SOCKET, "no duplicate, error %d\n", WSAGetLastError() );
    check_no_socket( puppet_open_a( &puppet, &a, 0 ), WSAEINVAL );
    check_no_socket( puppet_open_a( &puppet, &a, WSA_FLAG_OVERLAPPED ), WSAEINVAL );
    /* a second info of the same socket for the same process is another one */
    check_ok( WSADuplicateSocketA( client, puppet.pid, &a ) );
    third = puppet_open_a( &puppet, &a, 0 );
    ok( third != INVALID_SOCKET && third != duplicate, "got %#llx, error %d\n", (ULONGLONG)third, WSAGetLastError() );
    check_ok( puppet_do_on( &puppet, PUPPET_CLOSE, duplicate ) );
    check_ok( closesocket( client ) );
    check_open( server );
    check_ok( puppet_do_on( &puppet, PUPPET_CLOSE, third ) );
    check_eof( server );
    /* stale: the socket is gone */
    check_no_socket( puppet_open_a( &puppet, &a, 0 ), WSAEINVAL );
    puppet_destroy( &puppet );
    check_ok( closesocket( server ) );
}

/* An info is for the process that it was made for, whoever else gets to see it; their tries do not spend it. */
static void test_named_process_only( void )
{
    struct puppet named, other;
    SOCKET client, server, duplicate;
    WSAPROTOCOL_INFOA a;
    WSAPROTOCOL_INFOW w;
    unsigned int i;

    puppet_create( &named, 0 );
    puppet_create( &other, 0 );
    tcp_pair( &client, &server );
    check_ok( WSADuplicateSocketA( client, named.pid, &a ) );
    check_ok( WSADuplicateSocketW( client, named.pid, &w ) );
    for ( i = 0; i < 2; i++ )
    {
        check_no_socket( puppet_open_a( &other, &a, 0 ), WSAEINVAL );
        check_no_socket( puppet_open_w( &other, &w, 0 ), WSAEINVAL );
        check_no_socket( WSASocketA( FROM_INFO, &a, 0, 0 ), WSAEINVAL );
        check_no_socket( WSASocketW( FROM_INFO, &w, 0, WSA_FLAG_OVERLAPPED ), WSAEINVAL );
    }
    duplicate = puppet_open_a( &named, &a, 0 );
    ok( duplicate != INVALID_SOCKET, "no duplicate, error %d\n", WSAGetLastError() );
    check_result( puppet_send( &named, duplicate, "named" ), 5 );
    ok( wait_readable( server, 10000 ), "nothing arrived\n" );
    duplicate = puppet_open_w( &named, &w, 0 );
    ok( duplicate != INVALID_SOCKET, "no duplicate, error %d\n", WSAGetLastError() );
    /* replayed, in each of them */
    check_no_socket( puppet_open_a( &named, &a, 0 ), WSAEINVAL );
    check_no_socket( puppet_open_a( &other, &a, 0 ), WSAEINVAL );
    check_no_socket( WSASocketA( FROM_INFO, &a, 0, 0 ), WSAEINVAL );
    puppet_destroy( &named );
    puppet_destroy( &other );
    closesocket( client );
    closesocket( server );
}

static void test_forged( void )
{
    struct puppet puppet;
    SOCKET client, server, duplicate;
    WSAPROTOCOL_INFOA good, forged;
    WSAPROTOCOL_INFOW wide;
    unsigned int i;

    puppet_create( &puppet, 0 );
    tcp_pair( &client, &server );
    check_ok( WSADuplicateSocketA( client, puppet.pid, &good ) );
    {
        const DWORD tickets[] = { good.dwProviderReserved + 1,
                                  good.dwProviderReserved - 1,
                                  ~good.dwProviderReserved,
                                  good.dwProviderReserved ^ 0x80000000,
                                  (DWORD)client,
                                  (DWORD)server,
                                  4,
                                  0xffffffff };

        for ( i = 0; i < ARRAY_SIZE( tickets ); i++ )
        {
            winetest_push_context( "ticket %u", i );
            forged = good;
            forged.dwProviderReserved = tickets[i];
            check_no_socket( puppet_open_a( &puppet, &forged, 0 ), WSAEINVAL );
            if ( i < 4 ) check_no_socket( WSASocketA( FROM_INFO, &forged, 0, 0 ), WSAEINVAL );
            winetest_pop_context();
        }
    }
    memset( &forged, 0xcc, sizeof( forged ) );
    check_no_socket( WSASocketA( FROM_INFO, &forged, 0, 0 ), WSAEINVAL );
    check_no_socket( WSASocketA( 0, 0, 0, &forged, 0, 0 ), WSAEINVAL );
    memset( &wide, 0xcc, sizeof( wide ) );
    check_no_socket( WSASocketW( FROM_INFO, &wide, 0, 0 ), WSAEINVAL );
    memset( &forged, 0, sizeof( forged ) );
    check_no_socket( WSASocketA( FROM_INFO, &forged, 0, 0 ), WSAEINVAL );
    check_no_socket( WSASocketA( 0, 0, 0, &forged, 0, 0 ), WSAEINVAL );
    memset( &wide, 0, sizeof( wide ) );
    check_no_socket( WSASocketW( FROM_INFO, &wide, 0, 0 ), WSAEINVAL );
    /* nothing but the ticket carries the socket: layered code keeps that field only */
    forged = good;
    strcpy( forged.szProtocol, "another name" );
    forged.dwCatalogEntryId = 0x1234;
    duplicate = puppet_open_a( &puppet, &forged, 0 );
    ok( duplicate != INVALID_SOCKET, "no duplicate, error %d\n", WSAGetLastError() );
    check_result( puppet_send( &puppet, duplicate, "x" ), 1 );
    ok( wait_readable( server, 10000 ), "nothing arrived\n" );
    puppet_destroy( &puppet );
    closesocket( client );
    closesocket( server );
}

/* An unstarted target cannot open, and its failing try spends nothing. */
static void test_target_not_started( void )
{
    SOCKET client, server, duplicate;
    struct puppet puppet;
    WSAPROTOCOL_INFOA info;

    puppet_create( &puppet, PUPPET_BARE );
    tcp_pair( &client, &server );
    check_ok( WSADuplicateSocketA( client, puppet.pid, &info ) );
    check_no_socket( puppet_open_a( &puppet, &info, 0 ), WSANOTINITIALISED );
    check_ok( puppet_do( &puppet, PUPPET_STARTUP ) );
    duplicate = puppet_open_a( &puppet, &info, 0 );
    ok( duplicate != INVALID_SOCKET, "no duplicate, error %d\n", WSAGetLastError() );
    check_ok( closesocket( client ) );
    check_open( server );
    /* the target's last clean-up is its closesocket */
    check_ok( puppet_do( &puppet, PUPPET_CLEANUP ) );
    check_eof( server );
    puppet_destroy( &puppet );
    closesocket( server );
}

/* The socket lives from the first descriptor or info to the last closesocket: every order. */
static void test_lifetime( void )
{
    enum step
    {
        DO_DUPLICATE,
        DO_OPEN,
        DO_CLOSE_SOURCE,
        DO_CLOSE_TARGET,
        DO_USE_TARGET,
        DO_USE_SOURCE,
        DO_END
    };
    static const enum step orders[][8] = {
        { DO_DUPLICATE, DO_OPEN, DO_USE_TARGET, DO_USE_SOURCE, DO_CLOSE_SOURCE, DO_USE_TARGET, DO_CLOSE_TARGET,
          DO_END },
        { DO_DUPLICATE, DO_CLOSE_SOURCE, DO_OPEN, DO_USE_TARGET, DO_CLOSE_TARGET, DO_END },
        { DO_DUPLICATE, DO_OPEN, DO_CLOSE_TARGET, DO_USE_SOURCE, DO_CLOSE_SOURCE, DO_END },
        { DO_DUPLICATE, DO_OPEN, DO_CLOSE_SOURCE, DO_CLOSE_TARGET, DO_END },
        { DO_DUPLICATE, DO_OPEN, DO_CLOSE_TARGET, DO_DUPLICATE, DO_OPEN, DO_USE_TARGET, DO_CLOSE_SOURCE,
          DO_CLOSE_TARGET },
    };
    struct puppet puppet;
    unsigned int i, j;

    puppet_create( &puppet, 0 );
    for ( i = 0; i < ARRAY_SIZE( orders ); i++ )
    {
        SOCKET client, server, duplicate = INVALID_SOCKET;
        WSAPROTOCOL_INFOA info;

        winetest_push_context( "order %u", i );
        tcp_pair( &client, &server );
        for ( j = 0; j < ARRAY_SIZE( orders[i] ) && orders[i][j] != DO_END; j++ )
        {
            winetest_push_context( "step %u", j );
            check_open( server );
            switch ( orders[i][j] )
            {
            case DO_DUPLICATE: check_ok( WSADuplicateSocketA( client, puppet.pid, &info ) ); break;
            case DO_OPEN:
                duplicate = puppet_open_a( &puppet, &info, 0 );
                ok( duplicate != INVALID_SOCKET, "no duplicate, error %d\n", WSAGetLastError() );
                break;
            case DO_CLOSE_SOURCE:
                check_ok( closesocket( client ) );
                check_fails( closesocket( client ), WSAENOTSOCK );
                break;
            case DO_CLOSE_TARGET:
                check_ok( puppet_do_on( &puppet, PUPPET_CLOSE, duplicate ) );
                check_fails( puppet_do_on( &puppet, PUPPET_CLOSE, duplicate ), WSAENOTSOCK );
                break;
            case DO_USE_TARGET:
            {
                char buffer[8];

                check_result( puppet_send( &puppet, duplicate, "data" ), 4 );
                check_result( recv( server, buffer, sizeof( buffer ), 0 ), 4 );
                check_result( send( server, "answer", 6, 0 ), 6 );
                check_result( puppet_do_on( &puppet, PUPPET_RECV, duplicate ), 6 );
                ok( !memcmp( puppet.message->data, "answer", 6 ), "got %.6s\n", puppet.message->data );
                break;
            }
            case DO_USE_SOURCE:
                check_flow( client, server );
                check_flow( server, client );
                break;
            case DO_END: break;
            }
            winetest_pop_context();
        }
        check_eof( server );
        check_ok( closesocket( server ) );
        winetest_pop_context();
    }
    puppet_destroy( &puppet );
}

/* A target that goes away, killed or in order, before or after it opened, holds nothing any longer. */
static void test_target_dies( void )
{
    enum
    {
        NEVER_OPENS = 1,
        KILLED = 2,
        SOURCE_FIRST = 4,
        COMBINATIONS = 8
    };
    unsigned int how;

    for ( how = 0; how < COMBINATIONS; how++ )
    {
        SOCKET client, server, duplicate;
        struct puppet puppet;
        WSAPROTOCOL_INFOA info;

        winetest_push_context( "%s%s%s", how & NEVER_OPENS ? "never opens, " : "", how & KILLED ? "killed, " : "",
                               how & SOURCE_FIRST ? "source closes first" : "source closes last" );
        tcp_pair( &client, &server );
        puppet_create( &puppet, 0 );
        check_ok( WSADuplicateSocketA( client, puppet.pid, &info ) );
        if ( !( how & NEVER_OPENS ) )
        {
            duplicate = puppet_open_a( &puppet, &info, 0 );
            ok( duplicate != INVALID_SOCKET, "no duplicate, error %d\n", WSAGetLastError() );
        }
        if ( how & SOURCE_FIRST ) check_ok( closesocket( client ) );
        check_open( server );
        if ( how & KILLED ) puppet_kill( &puppet );
        else puppet_destroy( &puppet );
        if ( !( how & SOURCE_FIRST ) )
        {
            check_flow( client, server );
            check_open( server );
            check_no_socket( WSASocketA( FROM_INFO, &info, 0, 0 ), WSAEINVAL );
            check_ok( closesocket( client ) );
        }
        check_eof( server );
        check_ok( closesocket( server ) );
        winetest_pop_context();
    }
}

/* The source's end, killed even, takes nothing away from the target, opened or not. */
static void test_source_dies( void )
{
    unsigned int how;

    for ( how = 0; how < 4; how++ )
    {
        SOCKET listener, server, duplicate;
        union address address;
        struct puppet puppet;

        winetest_push_context( "%s, %s", how & 1 ? "killed" : "exits", how & 2 ? "opened before" : "opened after" );
        listener = tcp_listener( AF_INET, &address );
        puppet_create( &puppet, 0 );
        puppet.message->family = AF_INET;
        puppet.message->type = SOCK_STREAM;
        puppet.message->protocol = 0;
        puppet.message->flags = WSA_FLAG_OVERLAPPED;
        puppet.message->address = address;
        puppet.message->s = puppet_do( &puppet, PUPPET_NEW );
        check_ok( puppet_do( &puppet, PUPPET_CONNECT ) );
        server = accept_one( listener );
        puppet.message->pid = own_pid();
        check_ok( puppet_do( &puppet, PUPPET_DUPLICATE ) );
        {
            WSAPROTOCOL_INFOA info = puppet.message->info_a;

            duplicate = INVALID_SOCKET;
            if ( how & 2 ) duplicate = WSASocketA( FROM_INFO, &info, 0, 0 );
            if ( how & 1 ) puppet_kill( &puppet );
            else puppet_destroy( &puppet );
            check_open( server );
            if ( !( how & 2 ) ) duplicate = WSASocketA( FROM_INFO, &info, 0, 0 );
        }
        ok( duplicate != INVALID_SOCKET, "no duplicate, error %d\n", WSAGetLastError() );
        check_flow( duplicate, server );
        check_flow( server, duplicate );
        check_ok( closesocket( duplicate ) );
        check_eof( server );
        check_ok( closesocket( server ) );
        check_ok( closesocket( listener ) );
        winetest_pop_context();
    }
}

/* From process to process and back: the end of the chain is the same socket. */
static void test_chain( void )
{
    struct puppet first, second;
    SOCKET client, server, s;
    WSAPROTOCOL_INFOA info;

    puppet_create( &first, 0 );
    puppet_create( &second, 0 );
    tcp_pair( &client, &server );
    check_ok( WSADuplicateSocketA( client, first.pid, &info ) );
    check_ok( closesocket( client ) );
    first.message->s = puppet_open_a( &first, &info, 0 );
    first.message->pid = second.pid;
    check_ok( puppet_do( &first, PUPPET_DUPLICATE ) );
    check_ok( puppet_do( &first, PUPPET_CLOSE ) );
    second.message->s = puppet_open_a( &second, &first.message->info_a, 0 );
    ok( second.message->s != INVALID_SOCKET, "no duplicate, error %d\n", WSAGetLastError() );
    second.message->pid = own_pid();
    check_ok( puppet_do( &second, PUPPET_DUPLICATE ) );
    s = WSASocketA( FROM_INFO, &second.message->info_a, 0, 0 );
    ok( s != INVALID_SOCKET, "no duplicate, error %d\n", WSAGetLastError() );
    check_flow( s, server );
    check_flow( server, s );
    check_ok( closesocket( s ) );
    check_open( server );
    check_ok( puppet_do( &second, PUPPET_CLOSE ) );
    check_eof( server );
    puppet_destroy( &first );
    puppet_destroy( &second );
    closesocket( server );
}

/* Many infos at once, opened in another order than made, some never. */
static void test_many( void )
{
    enum
    {
        COUNT = 60
    };
    static WSAPROTOCOL_INFOW infos[COUNT];
    static SOCKET duplicates[COUNT];
    SOCKET client, server;
    struct puppet puppet;
    unsigned int i;

    puppet_create( &puppet, 0 );
    tcp_pair( &client, &server );
    for ( i = 0; i < COUNT; i++ ) check_ok( WSADuplicateSocketW( client, puppet.pid, &infos[i] ) );
    check_ok( closesocket( client ) );
    for ( i = COUNT; i-- > 20; )
    {
        duplicates[i] = puppet_open_w( &puppet, &infos[i], 0 );
        ok( duplicates[i] != INVALID_SOCKET, "%u: no duplicate, error %d\n", i, WSAGetLastError() );
    }
    for ( i = 20; i < COUNT; i++ ) check_ok( puppet_do_on( &puppet, PUPPET_CLOSE, duplicates[i] ) );
    check_open( server );
    puppet_destroy( &puppet );
    check_eof( server );
    closesocket( server );
}

/* Threads that open one info at the same time: one of them has it. */
struct opener
{
    const WSAPROTOCOL_INFOA *info;
    HANDLE go;
    SOCKET s;
    int error;
};

static DWORD CALLBACK open_thread( void *argument )
{
    struct opener *opener = argument;
    WSAPROTOCOL_INFOA info = *opener->info;

    WaitForSingleObject( opener->go, 10000 );
    opener->s = WSASocketA( FROM_INFO, &info, 0, 0 );
    opener->error = WSAGetLastError();
    return 0;
}

static void test_race( void )
{
    enum
    {
        THREADS = 3,
        ROUNDS = 3
    }; /* few: a wrong guess is answered late */
    SOCKET client, server;
    unsigned int round, i;

    tcp_pair( &client, &server );
    for ( round = 0; round < ROUNDS; round++ )
    {
        HANDLE go = CreateEventA( NULL, TRUE, FALSE, NULL ), threads[THREADS];
        struct opener openers[THREADS];
        WSAPROTOCOL_INFOA info;
        unsigned int opened = 0;

        check_ok( WSADuplicateSocketA( client, own_pid(), &info ) );
        for ( i = 0; i < THREADS; i++ )
        {
            openers[i].info = &info;
            openers[i].go = go;
            threads[i] = CreateThread( NULL, 0, open_thread, &openers[i], 0, NULL );
        }
        SetEvent( go );
        ok( WaitForMultipleObjects( THREADS, threads, TRUE, 20000 ) < THREADS, "threads are stuck\n" );
        for ( i = 0; i < THREADS; i++ )
        {
            if ( openers[i].s != INVALID_SOCKET )
            {
                opened++;
                check_ok( closesocket( openers[i].s ) );
            }
            else ok( openers[i].error == WSAEINVAL, "got error %d\n", openers[i].error );
            CloseHandle( threads[i] );
        }
        ok( opened == 1, "%u threads opened it\n", opened );
        CloseHandle( go );
    }
    check_ok( closesocket( client ) );
    check_eof( server );
    closesocket( server );
}

START_TEST( duplicate )
{
    char **argv;

    if ( winetest_get_mainargs( &argv ) == 2 ) test_not_started();
    support_begin();
    test_bad_pid();
    test_not_a_socket();
    test_bad_pointer();
    test_open_bad_pointer();
    test_contents();
    test_once();
    test_named_process_only();
    test_forged();
    test_target_not_started();
    test_lifetime();
    test_target_dies();
    test_source_dies();
    test_chain();
    test_many();
    test_race();
    support_end();
}
