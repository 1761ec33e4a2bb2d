/*
 * The protocol catalogue (facts: names-and-protocols 2, sockets-1 3.3): how the enumerations answer, what the
 * entries say, and that names of either width and the service provider's view agree.
 */
#include "support.h"
#include <stddef.h>
#include <ws2spi.h>

#define XP1_QOS 0x2000

static void test_calls( void )
{
    static int tcp_only[] = { IPPROTO_TCP, 0 };
    WSAPROTOCOL_INFOA *a;
    WSAPROTOCOL_INFOW *w;
    DWORD length, needed;
    int count;

    length = 0;
    check_fails( WSAEnumProtocolsA( NULL, NULL, &length ), WSAENOBUFS );
    ok( length && length % sizeof( *a ) == 0, "got %lu bytes\n", length );
    needed = length;
    length = 0;
    check_fails( WSAEnumProtocolsA( NULL, (WSAPROTOCOL_INFOA *)&length, &length ), WSAENOBUFS );
    ok( length == needed, "got %lu bytes\n", length );
    length = needed - 1;
    a = malloc( needed );
    check_fails( WSAEnumProtocolsA( NULL, a, &length ), WSAENOBUFS );
    ok( length == needed, "got %lu bytes\n", length );
    WSASetLastError( ERROR_UNTOUCHED );
    count = WSAEnumProtocolsA( NULL, a, &length );
    ok( count == (int)( needed / sizeof( *a ) ), "got %d entries\n", count );
    free( a );

    length = 0;
    check_fails( WSAEnumProtocolsW( NULL, NULL, &length ), WSAENOBUFS );
    ok( length == count * sizeof( *w ), "got %lu bytes\n", length );
    length = 0;
    check_fails( WSAEnumProtocolsW( NULL, (WSAPROTOCOL_INFOW *)&length, &length ), WSAENOBUFS );
    ok( length == count * sizeof( *w ), "got %lu bytes\n", length );
    w = malloc( length );
    check_result( WSAEnumProtocolsW( NULL, w, &length ), count );
    free( w );

    /* a NULL buffer counts as too small, whatever the length says */
    length = 0x10000;
    check_fails( WSAEnumProtocolsW( tcp_only, NULL, &length ), WSAENOBUFS );
    ok( length && length < count * sizeof( *w ) && length % sizeof( *w ) == 0, "got %lu bytes\n", length );
    w = malloc( length );
    check_result( WSAEnumProtocolsW( tcp_only, w, &length ), length / sizeof( *w ) );
    free( w );
    length = 0x10000;
    check_fails( WSAEnumProtocolsA( tcp_only, NULL, &length ), WSAENOBUFS );
    ok( length && length < needed && length % sizeof( *a ) == 0, "got %lu bytes\n", length );
    a = malloc( length );
    check_result( WSAEnumProtocolsA( tcp_only, a, &length ), length / sizeof( *a ) );
    free( a );

    check_fails( guarded( WSAEnumProtocolsA( NULL, NULL, NULL ) ), WSAEFAULT );
}

static void test_list( void )
{
    static int list[] = { 0xdead, IPPROTO_TCP, 0xcafe, IPPROTO_UDP, 0xbeef, 0 };
    WSAPROTOCOL_INFOW entries[32];
    WSAPROTOCOL_INFOA ansi[32];
    DWORD length = sizeof( entries ), ansi_length = sizeof( ansi );
    int count = WSAEnumProtocolsW( list, entries, &length );
    BOOL tcp = FALSE, udp = FALSE;

    ok( count >= 2, "got %d entries\n", count );
    check_result( WSAEnumProtocolsA( list, ansi, &ansi_length ), count );
    for ( int i = 0; i < count; i++ )
    {
        ok( entries[i].iProtocol == IPPROTO_TCP || entries[i].iProtocol == IPPROTO_UDP, "entry %d has protocol %d\n", i,
            entries[i].iProtocol );
        ok( ansi[i].iProtocol == entries[i].iProtocol && ansi[i].iAddressFamily == entries[i].iAddressFamily,
            "entry %d differs between the two forms\n", i );
        tcp = tcp || entries[i].iProtocol == IPPROTO_TCP;
        udp = udp || entries[i].iProtocol == IPPROTO_UDP;
    }
    ok( tcp && udp, "TCP %d, UDP %d\n", tcp, udp );
}

static void test_entries( void )
{
    static const GUID ipv4 = { 0xe70f1aa0, 0xab8b, 0x11cf, { 0x8c, 0xa3, 0x00, 0x80, 0x5f, 0x48, 0xa1, 0x92 } };
    static const GUID ipv6 = { 0xf9eab0c0, 0x26d4, 0x11d0, { 0xbb, 0xbf, 0x00, 0xaa, 0x00, 0x6c, 0x34, 0xe4 } };
    static const struct
    {
        int family, type, protocol, address;
        DWORD services;
        const GUID *provider;
    } rows[] = {
        { AF_INET, SOCK_STREAM, IPPROTO_TCP, 16, 0x20066, &ipv4 },
        { AF_INET, SOCK_DGRAM, IPPROTO_UDP, 16, 0x20609, &ipv4 },
        { AF_INET6, SOCK_STREAM, IPPROTO_TCP, 28, 0x20066, &ipv6 },
        { AF_INET6, SOCK_DGRAM, IPPROTO_UDP, 28, 0x20609, &ipv6 },
    };
    WSAPROTOCOL_INFOW entries[32];
    WSAPROTOCOL_INFOA ansi[32];
    DWORD length = sizeof( entries ), ansi_length = sizeof( ansi );
    int count = WSAEnumProtocolsW( NULL, entries, &length );
    int ansi_count = WSAEnumProtocolsA( NULL, ansi, &ansi_length ), first_zero = -1;

    ok( sizeof( entries[0] ) == 628 && sizeof( ansi[0] ) == 372, "sizes %u, %u\n", (int)sizeof( entries[0] ),
        (int)sizeof( ansi[0] ) );
    ok( count == ansi_count, "%d wide entries, %d narrow ones\n", count, ansi_count );
    for ( int i = 0; i < count; i++ )
    {
        char name[WSAPROTOCOL_LEN + 1];

        winetest_push_context( "entry %d", i );
        ok( !( entries[i].dwProviderFlags & PFL_HIDDEN ), "hidden\n" );
        ok( entries[i].szProtocol[0], "no name\n" );
        ok( !entries[i].dwProviderReserved, "reserved %#lx\n", entries[i].dwProviderReserved );
        ok( !memcmp( &entries[i], &ansi[i], offsetof( WSAPROTOCOL_INFOW, szProtocol ) ), "the two forms differ\n" );
        WideCharToMultiByte( CP_ACP, 0, entries[i].szProtocol, -1, name, sizeof( name ), NULL, NULL );
        ok( !strcmp( name, ansi[i].szProtocol ), "names differ: %s, %s\n", name, ansi[i].szProtocol );
        if ( first_zero < 0 && entries[i].iAddressFamily == AF_INET &&
             entries[i].dwProviderFlags & PFL_MATCHES_PROTOCOL_ZERO )
            first_zero = i;
        winetest_pop_context();
    }
    ok( first_zero >= 0 && entries[first_zero].iSocketType == SOCK_STREAM,
        "protocol 0 does not mean a stream first\n" );

    for ( unsigned int r = 0; r < ARRAY_SIZE( rows ); r++ )
    {
        int found = -1;

        winetest_push_context( "family %d type %d", rows[r].family, rows[r].type );
        for ( int i = 0; i < count && found < 0; i++ )
            if ( entries[i].iAddressFamily == rows[r].family && entries[i].iProtocol == rows[r].protocol ) found = i;
        ok( found >= 0, "no entry\n" );
        if ( found >= 0 )
        {
            const WSAPROTOCOL_INFOW *entry = &entries[found];

            ok( ( entry->dwServiceFlags1 & ~XP1_QOS ) == rows[r].services, "services %#lx\n", entry->dwServiceFlags1 );
            ok( entry->iVersion == 2, "version %d\n", entry->iVersion );
            ok( entry->iSocketType == rows[r].type, "type %d\n", entry->iSocketType );
            ok( entry->iMaxSockAddr == rows[r].address && entry->iMinSockAddr == rows[r].address, "sizes %d, %d\n",
                entry->iMaxSockAddr, entry->iMinSockAddr );
            ok( entry->ProtocolChain.ChainLen == BASE_PROTOCOL, "chain %d\n", entry->ProtocolChain.ChainLen );
            ok( !memcmp( &entry->ProviderId, rows[r].provider, sizeof( GUID ) ), "another provider\n" );
            ok( entry->dwCatalogEntryId != 0, "no id\n" );
        }
        winetest_pop_context();
    }
}

/* Where programs that build or read an info by hand find its fields, in both widths of pointer. */
static void test_layout( void )
{
#define FIELD( field, at ) \
    { \
#field, offsetof( WSAPROTOCOL_INFOW, field ), offsetof( WSAPROTOCOL_INFOA, field ), at \
    }
    static const struct
    {
        const char *name;
        size_t wide, ansi, expected;
    } rows[] = {
        FIELD( dwServiceFlags1, 0 ),      FIELD( dwServiceFlags2, 4 ),   FIELD( dwServiceFlags3, 8 ),
        FIELD( dwServiceFlags4, 12 ),     FIELD( dwProviderFlags, 16 ),  FIELD( ProviderId, 20 ),
        FIELD( dwCatalogEntryId, 36 ),    FIELD( ProtocolChain, 40 ),    FIELD( iVersion, 72 ),
        FIELD( iAddressFamily, 76 ),      FIELD( iMaxSockAddr, 80 ),     FIELD( iMinSockAddr, 84 ),
        FIELD( iSocketType, 88 ),         FIELD( iProtocol, 92 ),        FIELD( iProtocolMaxOffset, 96 ),
        FIELD( iNetworkByteOrder, 100 ),  FIELD( iSecurityScheme, 104 ), FIELD( dwMessageSize, 108 ),
        FIELD( dwProviderReserved, 112 ), FIELD( szProtocol, 116 ),
    };
#undef FIELD

    for ( unsigned int i = 0; i < ARRAY_SIZE( rows ); i++ )
        ok( rows[i].wide == rows[i].expected && rows[i].ansi == rows[i].expected, "%s at %d and %d\n", rows[i].name,
            (int)rows[i].wide, (int)rows[i].ansi );
}

/* The six entries of the two base providers as the catalogue has them, the hidden ones too. */
static void test_base_entries( void )
{
    static const struct
    {
        int family, type, protocol, address;
        const WCHAR *name;
    } rows[] = {
        { AF_INET, SOCK_STREAM, IPPROTO_TCP, 16, L"MSAFD Tcpip [TCP/IP]" },
        { AF_INET, SOCK_DGRAM, IPPROTO_UDP, 16, L"MSAFD Tcpip [UDP/IP]" },
        { AF_INET, SOCK_RAW, 0, 16, L"MSAFD Tcpip [RAW/IP]" },
        { AF_INET6, SOCK_STREAM, IPPROTO_TCP, 28, L"MSAFD Tcpip [TCP/IPv6]" },
        { AF_INET6, SOCK_DGRAM, IPPROTO_UDP, 28, L"MSAFD Tcpip [UDP/IPv6]" },
        { AF_INET6, SOCK_RAW, 0, 28, L"MSAFD Tcpip [RAW/IPv6]" },
    };
    WSAPROTOCOL_INFOW entries[32];
    DWORD length = sizeof( entries ), first = 0;
    int error = 0, count = WSCEnumProtocols( NULL, entries, &length, &error );

    for ( unsigned int r = 0; r < ARRAY_SIZE( rows ); r++ )
    {
        const WSAPROTOCOL_INFOW *entry = NULL;

        winetest_push_context( "%ls", rows[r].name );
        for ( int i = 0; i < count && !entry; i++ )
            if ( !wcscmp( entries[i].szProtocol, rows[r].name ) ) entry = &entries[i];
        ok( entry != NULL, "no entry\n" );
        if ( entry )
        {
            if ( !r ) first = entry->dwCatalogEntryId;
            ok( entry->iAddressFamily == rows[r].family && entry->iSocketType == rows[r].type &&
                    entry->iProtocol == rows[r].protocol,
                "family %d, type %d, protocol %d\n", entry->iAddressFamily, entry->iSocketType, entry->iProtocol );
            ok( entry->iMaxSockAddr == rows[r].address && entry->iMinSockAddr == rows[r].address, "sizes %d, %d\n",
                entry->iMaxSockAddr, entry->iMinSockAddr );
            ok( ( entry->dwServiceFlags1 & ~XP1_QOS ) == ( rows[r].type == SOCK_STREAM ? 0x20066 : 0x20609 ),
                "services %#lx\n", entry->dwServiceFlags1 );
            ok( entry->ProtocolChain.ChainLen == BASE_PROTOCOL, "chain %d\n", entry->ProtocolChain.ChainLen );
            ok( entry->dwCatalogEntryId == first + r, "id %lu, the first has %lu\n", entry->dwCatalogEntryId, first );
        }
        winetest_pop_context();
    }
}

/* The provider's view has the hidden entries too and gives its error through a pointer. */
static void test_provider_view( void )
{
    WSAPROTOCOL_INFOW entries[32];
    DWORD length = 0;
    int count, error = 0, raw = 0;

    ok( WSCEnumProtocols( NULL, NULL, &length, &error ) == SOCKET_ERROR, "succeeded\n" );
    ok( error == WSAENOBUFS, "got error %d\n", error );
    ok( length && length % sizeof( entries[0] ) == 0, "got %lu bytes\n", length );
    length = sizeof( entries );
    count = WSCEnumProtocols( NULL, entries, &length, &error );
    for ( int i = 0; i < count; i++ )
    {
        if ( entries[i].iSocketType != SOCK_RAW || entries[i].iAddressFamily != AF_INET ) continue;
        ok( entries[i].dwProviderFlags == ( PFL_MATCHES_PROTOCOL_ZERO | PFL_HIDDEN ), "flags %#lx\n",
            entries[i].dwProviderFlags );
        ok( ( entries[i].dwServiceFlags1 & ~XP1_QOS ) == 0x20609, "services %#lx\n", entries[i].dwServiceFlags1 );
        ok( entries[i].iProtocol == 0 && entries[i].iProtocolMaxOffset == 255, "protocol %d + %d\n",
            entries[i].iProtocol, entries[i].iProtocolMaxOffset );
        raw++;
    }
    ok( raw == 1, "%d raw entries\n", raw );
}

START_TEST( catalogue )
{
    if ( support_begin() ) return;
    test_calls();
    test_list();
    test_entries();
    test_layout();
    test_base_entries();
    test_provider_view();
    support_end();
}
