/*
 * Which socket a family, type and protocol make (facts: sockets-1, section 3): the whole tables, with and without a
 * protocol info, what SO_PROTOCOL_INFO tells of the result, raw sockets, and the handle's inherit flag.
 */
#include "support.h"
#include <wsipx.h>

struct triple
{
    int family, type, protocol;
};

static BOOL get_triple( SOCKET s, struct triple *triple )
{
    WSAPROTOCOL_INFOA info;
    int length = sizeof( info );

    memset( &info, 0xcc, sizeof( info ) );
    if ( getsockopt( s, SOL_SOCKET, SO_PROTOCOL_INFOA, (char *)&info, &length ) ) return FALSE;
    triple->family = info.iAddressFamily;
    triple->type = info.iSocketType;
    triple->protocol = info.iProtocol;
    return TRUE;
}

static void test_arguments( void )
{
    enum
    {
        BAD = 0xdead
    };
    static const struct
    {
        int family, type, protocol;
        int error;
        struct triple result; /* family 0: that of the system's first entry */
    } rows[] = {
        { BAD, SOCK_STREAM, IPPROTO_TCP, WSAEAFNOSUPPORT, { 0 } },
        { -1, SOCK_STREAM, IPPROTO_TCP, WSAEAFNOSUPPORT, { 0 } },
        { BAD, SOCK_STREAM, IPPROTO_UDP, WSAEAFNOSUPPORT, { 0 } },
        { BAD, SOCK_STREAM, BAD, WSAEAFNOSUPPORT, { 0 } },
        { AF_INET, BAD, IPPROTO_TCP, WSAESOCKTNOSUPPORT, { 0 } },
        { AF_INET, -1, IPPROTO_TCP, WSAESOCKTNOSUPPORT, { 0 } },
        { AF_INET, BAD, BAD, WSAESOCKTNOSUPPORT, { 0 } },
        { AF_INET, BAD, 0, WSAESOCKTNOSUPPORT, { 0 } },
        { BAD, BAD, IPPROTO_TCP, WSAESOCKTNOSUPPORT, { 0 } },
        { AF_INET, SOCK_STREAM, BAD, WSAEPROTONOSUPPORT, { 0 } },
        { AF_INET, SOCK_STREAM, -1, WSAEPROTONOSUPPORT, { 0 } },
        { AF_INET, SOCK_STREAM, IPPROTO_UDP, WSAEPROTONOSUPPORT, { 0 } },
        { AF_INET, SOCK_DGRAM, IPPROTO_TCP, WSAEPROTONOSUPPORT, { 0 } },
        { AF_INET, 0, BAD, WSAEPROTONOSUPPORT, { 0 } },
        { AF_IPX, SOCK_DGRAM, NSPROTO_IPX, WSAEAFNOSUPPORT, { 0 } }, /* as where IPX is not installed */
        { AF_INET, SOCK_STREAM, 0, 0, { AF_INET, SOCK_STREAM, IPPROTO_TCP } },
        { AF_INET, SOCK_DGRAM, 0, 0, { AF_INET, SOCK_DGRAM, IPPROTO_UDP } },
        { AF_INET, SOCK_STREAM, IPPROTO_TCP, 0, { AF_INET, SOCK_STREAM, IPPROTO_TCP } },
        { AF_INET, SOCK_DGRAM, IPPROTO_UDP, 0, { AF_INET, SOCK_DGRAM, IPPROTO_UDP } },
        { AF_INET, 0, IPPROTO_TCP, 0, { AF_INET, SOCK_STREAM, IPPROTO_TCP } },
        { AF_INET, 0, IPPROTO_UDP, 0, { AF_INET, SOCK_DGRAM, IPPROTO_UDP } },
        { AF_INET, 0, 0, 0, { AF_INET, SOCK_STREAM, IPPROTO_TCP } },
        { AF_INET6, SOCK_STREAM, 0, 0, { AF_INET6, SOCK_STREAM, IPPROTO_TCP } },
        { AF_INET6, SOCK_DGRAM, 0, 0, { AF_INET6, SOCK_DGRAM, IPPROTO_UDP } },
        { AF_INET6, 0, IPPROTO_TCP, 0, { AF_INET6, SOCK_STREAM, IPPROTO_TCP } },
        { AF_INET6, SOCK_DGRAM, IPPROTO_TCP, WSAEPROTONOSUPPORT, { 0 } },
        { AF_UNSPEC, SOCK_STREAM, IPPROTO_TCP, 0, { 0, SOCK_STREAM, IPPROTO_TCP } },
        { AF_UNSPEC, 0, IPPROTO_TCP, 0, { 0, SOCK_STREAM, IPPROTO_TCP } },
        { AF_UNSPEC, 0, IPPROTO_UDP, 0, { 0, SOCK_DGRAM, IPPROTO_UDP } },
        { AF_UNSPEC, SOCK_STREAM, BAD, WSAEPROTONOSUPPORT, { 0 } },
        { AF_UNSPEC, 0, BAD, WSAEPROTONOSUPPORT, { 0 } },
        { AF_UNSPEC, BAD, IPPROTO_UDP, WSAESOCKTNOSUPPORT, { 0 } },
        { AF_UNSPEC, SOCK_STREAM, 0, WSAEINVAL, { 0 } },
        { AF_UNSPEC, SOCK_DGRAM, 0, WSAEINVAL, { 0 } },
        { AF_UNSPEC, BAD, 0, WSAEINVAL, { 0 } },
        { AF_UNSPEC, 0, 0, WSAEINVAL, { 0 } },
    };
    static const char *const functions[] = { "WSASocketA", "WSASocketW", "socket" };
    unsigned int i, function;
    SOCKET s;

    for ( function = 0; function < ARRAY_SIZE( functions ); function++ )
    {
        for ( i = 0; i < ARRAY_SIZE( rows ); i++ )
        {
            int family = rows[i].family, type = rows[i].type, protocol = rows[i].protocol, error;
            struct triple triple = { 0 };

            winetest_push_context( "%s( %#x, %#x, %#x )", functions[function], family, type, protocol );
            WSASetLastError( ERROR_UNTOUCHED );
            s = function == 0   ? WSASocketA( family, type, protocol, NULL, 0, 0 )
                : function == 1 ? WSASocketW( family, type, protocol, NULL, 0, WSA_FLAG_OVERLAPPED )
                                : socket( family, type, protocol );
            error = WSAGetLastError();
            ok( ( s == INVALID_SOCKET ) == !!rows[i].error, "got socket %#llx\n", (ULONGLONG)s );
            ok( error == rows[i].error, "got error %d, expected %d\n", error, rows[i].error );
            if ( s != INVALID_SOCKET )
            {
                ok( get_triple( s, &triple ), "no protocol info, error %d\n", WSAGetLastError() );
                ok( rows[i].result.family ? triple.family == rows[i].result.family
                                          : triple.family == AF_INET || broken( triple.family == AF_INET6 ),
                    "got family %d\n", triple.family );
                ok( triple.type == rows[i].result.type, "got type %d\n", triple.type );
                ok( triple.protocol == rows[i].result.protocol, "got protocol %d\n", triple.protocol );
                check_ok( closesocket( s ) );
            }
            winetest_pop_context();
        }
    }
}

/* The info's triple stands in for arguments that are 0 or FROM_PROTOCOL_INFO. */
static void test_info( void )
{
    static const struct
    {
        struct triple arguments, info;
        int error, type;
    } rows[] = {
        { { -1, -1, -1 }, { AF_INET, SOCK_DGRAM, IPPROTO_UDP }, 0, SOCK_DGRAM },
        { { -1, -1, -1 }, { AF_INET, SOCK_STREAM, IPPROTO_TCP }, 0, SOCK_STREAM },
        { { 0, 0, 0 }, { AF_INET, SOCK_DGRAM, IPPROTO_UDP }, 0, SOCK_DGRAM },
        { { 0, 0, 0 }, { AF_INET, SOCK_STREAM, IPPROTO_TCP }, 0, SOCK_STREAM },
        { { AF_INET, SOCK_STREAM, IPPROTO_TCP }, { AF_INET, SOCK_DGRAM, IPPROTO_UDP }, 0, SOCK_STREAM },
        { { 0, 0, IPPROTO_UDP }, { -1, -1, -1 }, WSAEAFNOSUPPORT, 0 },
        { { 0, 0, IPPROTO_UDP }, { 0, 0, 0 }, WSAEAFNOSUPPORT, 0 },
    };
    unsigned int i, wide;
    SOCKET s;

    for ( i = 0; i < ARRAY_SIZE( rows ); i++ )
    {
        for ( wide = 0; wide < 2; wide++ )
        {
            const struct triple *arguments = &rows[i].arguments, *given = &rows[i].info;
            WSAPROTOCOL_INFOA info_a = { .iAddressFamily = given->family,
                                         .iSocketType = given->type,
                                         .iProtocol = given->protocol };
            WSAPROTOCOL_INFOW info_w = { .iAddressFamily = given->family,
                                         .iSocketType = given->type,
                                         .iProtocol = given->protocol };
            int type = -1, length = sizeof( type ), error;

            winetest_push_context( "row %u%s", i, wide ? " W" : " A" );
            WSASetLastError( ERROR_UNTOUCHED );
            if ( wide ) s = WSASocketW( arguments->family, arguments->type, arguments->protocol, &info_w, 0, 0 );
            else s = WSASocketA( arguments->family, arguments->type, arguments->protocol, &info_a, 0, 0 );
            error = WSAGetLastError();
            ok( ( s == INVALID_SOCKET ) == !!rows[i].error, "got socket %#llx\n", (ULONGLONG)s );
            ok( error == rows[i].error, "got error %d, expected %d\n", error, rows[i].error );
            if ( s != INVALID_SOCKET )
            {
                check_ok( getsockopt( s, SOL_SOCKET, SO_TYPE, (char *)&type, &length ) );
                ok( type == rows[i].type, "got type %d\n", type );
                check_ok( closesocket( s ) );
            }
            winetest_pop_context();
        }
    }
}

/* Every entry of the catalogue that can be had makes the socket it describes; no entry shows a duplicate's ticket. */
static void test_catalogue( void )
{
    DWORD size = 0;
    int protocols[] = { IPPROTO_TCP, IPPROTO_UDP, 0 }, count, i;
    WSAPROTOCOL_INFOW *entries;

    check_fails( WSAEnumProtocolsW( protocols, NULL, &size ), WSAENOBUFS );
    entries = malloc( size );
    count = WSAEnumProtocolsW( protocols, entries, &size );
    ok( count >= 2, "got %d entries, error %d\n", count, WSAGetLastError() );
    for ( i = 0; i < count; i++ )
    {
        struct triple triple = { 0 };
        SOCKET s;

        winetest_push_context( "entry %d (%d %d %d)", i, entries[i].iAddressFamily, entries[i].iSocketType,
                               entries[i].iProtocol );
        ok( !entries[i].dwProviderReserved, "reserved field is %#lx\n", entries[i].dwProviderReserved );
        s = WSASocketW( FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &entries[i], 0,
                        WSA_FLAG_OVERLAPPED );
        ok( s != INVALID_SOCKET, "no socket, error %d\n", WSAGetLastError() );
        ok( get_triple( s, &triple ), "no protocol info, error %d\n", WSAGetLastError() );
        ok( triple.family == entries[i].iAddressFamily && triple.type == entries[i].iSocketType &&
                triple.protocol == entries[i].iProtocol,
            "got %d %d %d\n", triple.family, triple.type, triple.protocol );
        closesocket( s );
        winetest_pop_context();
    }
    free( entries );
}

static void test_protocol_info( void )
{
    static const struct triple kinds[] = {
        { AF_INET, SOCK_STREAM, IPPROTO_TCP },
        { AF_INET, SOCK_DGRAM, IPPROTO_UDP },
        { AF_INET6, SOCK_STREAM, IPPROTO_TCP },
        { AF_INET6, SOCK_DGRAM, IPPROTO_UDP },
    };
    unsigned int i;

    for ( i = 0; i < ARRAY_SIZE( kinds ); i++ )
    {
        SOCKET s = socket( kinds[i].family, kinds[i].type, kinds[i].protocol );
        struct
        {
            WSAPROTOCOL_INFOW info;
            char more[628];
        } w;
        WSAPROTOCOL_INFOA a;
        int length = sizeof( a );
        char name[256];

        winetest_push_context( "kind %u", i );
        check_ok( getsockopt( s, SOL_SOCKET, SO_PROTOCOL_INFOA, (char *)&a, &length ) );
        ok( length == 372, "got length %d\n", length );
        length = sizeof( w.info );
        check_ok( getsockopt( s, SOL_SOCKET, SO_PROTOCOL_INFOW, (char *)&w, &length ) );
        ok( length == 628, "got length %d\n", length );
        ok( !memcmp( &a, &w.info, 116 ), "the first 116 bytes differ\n" );
        WideCharToMultiByte( CP_ACP, 0, w.info.szProtocol, -1, name, sizeof( name ), NULL, NULL );
        ok( a.szProtocol[0] && !strcmp( name, a.szProtocol ), "names %s and %s\n", name, a.szProtocol );
        ok( a.iAddressFamily == kinds[i].family && a.iSocketType == kinds[i].type && a.iProtocol == kinds[i].protocol,
            "got %d %d %d\n", a.iAddressFamily, a.iSocketType, a.iProtocol );
        ok( a.dwServiceFlags1 & XP1_IFS_HANDLES, "got flags %#lx\n", a.dwServiceFlags1 );
        ok( !a.dwProviderReserved, "reserved field is %#lx\n", a.dwProviderReserved );

        length = sizeof( w );
        check_ok( getsockopt( s, SOL_SOCKET, SO_PROTOCOL_INFOW, (char *)&w, &length ) );
        ok( length == sizeof( w ), "got length %d\n", length );
        length = sizeof( a ) / 2;
        check_fails( getsockopt( s, SOL_SOCKET, SO_PROTOCOL_INFOA, (char *)&a, &length ), WSAEFAULT );
        ok( length == 372, "got length %d\n", length );
        check_fails( getsockopt( s, SOL_SOCKET, SO_PROTOCOL_INFOA, NULL, &length ), WSAEFAULT );
        check_fails( getsockopt( s, SOL_SOCKET, SO_PROTOCOL_INFOA, (char *)&a, NULL ), WSAEFAULT );
        check_fails( getsockopt( s, SOL_SOCKET, SO_PROTOCOL_INFOA, NULL, NULL ), WSAEFAULT );
        length = 7;
        check_fails( getsockopt( INVALID_SOCKET, SOL_SOCKET, SO_PROTOCOL_INFOA, NULL, &length ), WSAENOTSOCK );
        ok( length == 7, "got length %d\n", length );
        closesocket( s );
        winetest_pop_context();
    }
}

static USHORT internet_sum( const USHORT *words, unsigned int count )
{
    ULONG sum = 0;

    while ( count-- ) sum += *words++;
    while ( sum >> 16 ) sum = ( sum & 0xffff ) + ( sum >> 16 );
    return ~sum;
}

/* An echo to loopback and its answer, which comes with its IP header; the request is seen as well. */
static void test_echo( void )
{
    SOCKET s = socket( AF_INET, SOCK_RAW, IPPROTO_ICMP );
    BYTE packet[40] = { 8 }, answer[128];
    union address to, from;
    BOOL echoed = FALSE;
    int length, got;

    if ( s == INVALID_SOCKET )
    {
        ok( WSAGetLastError() == WSAEACCES, "got error %d\n", WSAGetLastError() );
        skip( "raw sockets are not for this user\n" );
        return;
    }
    *(USHORT *)( packet + 4 ) = GetCurrentProcessId();
    packet[7] = 1;
    for ( unsigned int i = 8; i < sizeof( packet ); i++ ) packet[i] = i;
    *(USHORT *)( packet + 2 ) = internet_sum( (USHORT *)packet, sizeof( packet ) / 2 );
    length = address_loopback( &to, AF_INET, 0 );
    check_result( sendto( s, (char *)packet, sizeof( packet ), 0, &to.any, length ), sizeof( packet ) );
    set_receive_timeout( s, 10000 );
    while ( !echoed && ( length = sizeof( from ),
                         got = recvfrom( s, (char *)answer, sizeof( answer ), 0, &from.any, &length ) ) > 0 )
    {
        ok( answer[0] == 0x45, "no IP header: %#x\n", answer[0] );
        if ( got != 20 + sizeof( packet ) || answer[20] || memcmp( answer + 24, packet + 4, 4 ) ) continue;
        echoed = TRUE;
        ok( !memcmp( answer + 28, packet + 8, sizeof( packet ) - 8 ), "other data\n" );
        ok( from.v4.sin_family == AF_INET && from.v4.sin_addr.s_addr == to.v4.sin_addr.s_addr && !from.v4.sin_port,
            "another sender\n" );
    }
    ok( echoed, "no answer, error %d\n", WSAGetLastError() );
    check_ok( closesocket( s ) );
}

/* Raw sockets take a privilege: without it they fail when they are made. */
static void test_raw( void )
{
    static const struct triple kinds[] = {
        { AF_INET, SOCK_RAW, IPPROTO_ICMP },
        { AF_INET, SOCK_RAW, IPPROTO_TCP },
        { 0, 0, IPPROTO_RAW },
    };
    unsigned int i;

    for ( i = 0; i < ARRAY_SIZE( kinds ); i++ )
    {
        SOCKET s = WSASocketA( kinds[i].family, kinds[i].type, kinds[i].protocol, NULL, 0, 0 );
        int type = 0, length = sizeof( type );
        WSAPROTOCOL_INFOW info;

        winetest_push_context( "raw %u", i );
        if ( s == INVALID_SOCKET )
        {
            ok( WSAGetLastError() == WSAEACCES, "got error %d\n", WSAGetLastError() );
            winetest_pop_context();
            continue;
        }
        check_ok( getsockopt( s, SOL_SOCKET, SO_TYPE, (char *)&type, &length ) );
        ok( type == SOCK_RAW, "got type %d\n", type );
        if ( !i )
        {
            length = sizeof( info );
            check_ok( getsockopt( s, SOL_SOCKET, SO_PROTOCOL_INFOW, (char *)&info, &length ) );
            ok( info.iAddressFamily == AF_INET && info.iSocketType == SOCK_RAW, "got %d %d\n", info.iAddressFamily,
                info.iSocketType );
            ok( !info.iProtocol, "got protocol %d\n", info.iProtocol );
            ok( info.iProtocolMaxOffset == 255, "got offset %d\n", info.iProtocolMaxOffset );
            ok( info.iMaxSockAddr == 16 && info.iMinSockAddr == 16, "got lengths %d %d\n", info.iMaxSockAddr,
                info.iMinSockAddr );
            ok( info.dwProviderFlags == ( PFL_MATCHES_PROTOCOL_ZERO | PFL_HIDDEN ), "got flags %#lx\n",
                info.dwProviderFlags );
            ok( info.dwServiceFlags1 == 0x20609, "got service flags %#lx\n", info.dwServiceFlags1 );
        }
        closesocket( s );
        winetest_pop_context();
    }
}

static void test_handle( void )
{
    static const struct
    {
        DWORD flags, inherit;
    } rows[] = {
        { 0, HANDLE_FLAG_INHERIT },
        { WSA_FLAG_OVERLAPPED, HANDLE_FLAG_INHERIT },
        { WSA_FLAG_NO_HANDLE_INHERIT, 0 },
        { WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT, 0 },
    };
    unsigned int i;
    DWORD flags;
    SOCKET s;

    for ( i = 0; i < ARRAY_SIZE( rows ); i++ )
    {
        s = WSASocketW( AF_INET, SOCK_STREAM, 0, NULL, 0, rows[i].flags );
        ok( GetHandleInformation( (HANDLE)s, &flags ), "GetHandleInformation failed\n" );
        ok( ( flags & HANDLE_FLAG_INHERIT ) == rows[i].inherit, "flags %#lx: got %#lx\n", rows[i].flags, flags );
        ok( GetFileType( (HANDLE)s ) == FILE_TYPE_PIPE, "got type %#lx\n", GetFileType( (HANDLE)s ) );
        ok( !( s & 3 ), "got value %#llx\n", (ULONGLONG)s );
        check_ok( closesocket( s ) );
        ok( !GetHandleInformation( (HANDLE)s, &flags ), "the handle is still there\n" );
        check_fails( closesocket( s ), WSAENOTSOCK );
    }
    s = socket( AF_INET, SOCK_STREAM, 0 );
    ok( GetHandleInformation( (HANDLE)s, &flags ) && ( flags & HANDLE_FLAG_INHERIT ), "got %#lx\n", flags );
    closesocket( s );
}

/* A socket that is not overlapped works as any other; SO_OPENTYPE is the thread's. */
static DWORD CALLBACK opentype_thread( void *argument )
{
    int value = -1, length = sizeof( value );

    (void)argument;
    check_ok( getsockopt( INVALID_SOCKET, SOL_SOCKET, SO_OPENTYPE, (char *)&value, &length ) );
    ok( !value, "a new thread starts with %d\n", value );
    return 0;
}

static void test_opentype( void )
{
    static const int values[] = { 1, 0x100, 0 };
    int value, length;
    unsigned int i;
    SOCKET a, b;
    HANDLE thread;

    for ( i = 0; i < ARRAY_SIZE( values ); i++ )
    {
        check_ok( setsockopt( INVALID_SOCKET, SOL_SOCKET, SO_OPENTYPE, (const char *)&values[i], sizeof( int ) ) );
        value = -1;
        length = sizeof( value );
        check_ok( getsockopt( INVALID_SOCKET, SOL_SOCKET, SO_OPENTYPE, (char *)&value, &length ) );
        ok( value == values[i] && length == 4, "got %#x, length %d\n", value, length );
        thread = CreateThread( NULL, 0, opentype_thread, NULL, 0, NULL );
        WaitForSingleObject( thread, 10000 );
        CloseHandle( thread );
        tcp_pair( &a, &b );
        check_flow( a, b );
        check_flow( b, a );
        closesocket( a );
        check_eof( b );
        closesocket( b );
    }
}

START_TEST( creation )
{
    support_begin();
    test_arguments();
    test_info();
    test_catalogue();
    test_protocol_info();
    test_raw();
    test_echo();
    test_handle();
    test_opentype();
    support_end();
}
