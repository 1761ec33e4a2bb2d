/*
 * Socket options keep the promises of Windows: which lengths and values each class of option takes and gives, what an
 * option is to begin with, which sockets have it, and the order of the errors.
 */
#include "support.h"
#include <mswsock.h>
#include <stddef.h>

#ifndef SO_BSP_STATE
#define SO_BSP_STATE 0x1009
#endif

/* --- classes of options -----------------------------------------------------------------------------------------------*/

enum class { B4, B1, DZ, DK, PB, PN, PS };

static const struct
{
    const char *text;
    int family, type, level, name;
    enum class class;
} options[] = {
    { "SO_BROADCAST", AF_INET, SOCK_DGRAM, SOL_SOCKET, SO_BROADCAST, B4 },
    { "SO_DONTLINGER", AF_INET, SOCK_STREAM, SOL_SOCKET, SO_DONTLINGER, B4 },
    { "SO_OOBINLINE", AF_INET, SOCK_STREAM, SOL_SOCKET, SO_OOBINLINE, B4 },
    { "SO_REUSEADDR", AF_INET, SOCK_STREAM, SOL_SOCKET, SO_REUSEADDR, B4 },
    { "SO_EXCLUSIVEADDRUSE", AF_INET, SOCK_STREAM, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, B4 },
    { "SO_KEEPALIVE", AF_INET, SOCK_STREAM, SOL_SOCKET, SO_KEEPALIVE, B1 },
    { "SO_DONTROUTE", AF_INET, SOCK_STREAM, SOL_SOCKET, SO_DONTROUTE, B1 },
    { "TCP_NODELAY", AF_INET, SOCK_STREAM, IPPROTO_TCP, TCP_NODELAY, B1 },
    { "IPV6_V6ONLY", AF_INET6, SOCK_DGRAM, IPPROTO_IPV6, IPV6_V6ONLY, B1 },
    { "SO_LINGER", AF_INET, SOCK_STREAM, SOL_SOCKET, SO_LINGER, DZ },
    { "SO_RCVBUF", AF_INET, SOCK_STREAM, SOL_SOCKET, SO_RCVBUF, DZ },
    { "SO_SNDBUF", AF_INET, SOCK_STREAM, SOL_SOCKET, SO_SNDBUF, DZ },
    { "SO_RCVTIMEO", AF_INET, SOCK_STREAM, SOL_SOCKET, SO_RCVTIMEO, DK },
    { "SO_SNDTIMEO", AF_INET, SOCK_STREAM, SOL_SOCKET, SO_SNDTIMEO, DK },
    { "SO_OPENTYPE", AF_INET, SOCK_STREAM, SOL_SOCKET, SO_OPENTYPE, DK },
    { "IP_MULTICAST_LOOP", AF_INET, SOCK_DGRAM, IPPROTO_IP, IP_MULTICAST_LOOP, PB },
    { "IPV6_MULTICAST_LOOP", AF_INET6, SOCK_DGRAM, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, PB },
    { "IPV6_DONTFRAG", AF_INET6, SOCK_STREAM, IPPROTO_IPV6, IPV6_DONTFRAG, PB },
    { "IP_TTL", AF_INET, SOCK_DGRAM, IPPROTO_IP, IP_TTL, PN },
    { "IP_TOS", AF_INET, SOCK_DGRAM, IPPROTO_IP, IP_TOS, PN },
    { "IP_MULTICAST_TTL", AF_INET, SOCK_DGRAM, IPPROTO_IP, IP_MULTICAST_TTL, PN },
    { "IPV6_UNICAST_HOPS", AF_INET6, SOCK_DGRAM, IPPROTO_IPV6, IPV6_UNICAST_HOPS, PN },
    { "IPV6_MULTICAST_HOPS", AF_INET6, SOCK_DGRAM, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, PN },
    { "IP_PKTINFO", AF_INET, SOCK_DGRAM, IPPROTO_IP, IP_PKTINFO, PS },
    { "IP_RECVTTL", AF_INET, SOCK_DGRAM, IPPROTO_IP, IP_RECVTTL, PS },
    { "IP_RECVTOS", AF_INET, SOCK_DGRAM, IPPROTO_IP, IP_RECVTOS, PS },
    { "IPV6_PKTINFO", AF_INET6, SOCK_DGRAM, IPPROTO_IPV6, IPV6_PKTINFO, PS },
    { "IPV6_HOPLIMIT", AF_INET6, SOCK_DGRAM, IPPROTO_IPV6, IPV6_HOPLIMIT, PS },
    { "IPV6_RECVTCLASS", AF_INET6, SOCK_DGRAM, IPPROTO_IPV6, IPV6_RECVTCLASS, PS },
};

/* error of a set for each class; the value and length are those of the row */
static const struct
{
    int length;
    DWORD value;
    int errors[7];
} sets[] = {
    { 1, 1, { [DZ] = WSAEFAULT, [DK] = WSAEFAULT, [PS] = WSAEFAULT } },
    { 2, 1, { [DZ] = WSAEFAULT, [DK] = WSAEFAULT, [PS] = WSAEFAULT } },
    { 4, 1, { 0 } },
    { 8, 1, { 0 } },
    { 0, 1, { [B1] = WSAEFAULT, [DZ] = WSAEFAULT, [DK] = WSAEFAULT, [PB] = WSAEFAULT, [PN] = WSAEFAULT,
              [PS] = WSAEFAULT } },
    { -1, 1, { [B1] = WSAENOBUFS, [PB] = WSAENOBUFS, [PN] = WSAENOBUFS, [PS] = WSAENOBUFS } },
    { 4, 0x100, { [PN] = WSAEINVAL } },
};

/* what a read of a stored 1 gives: error, length, and how many bytes of the value were written (-1: zeros) */
static const struct
{
    int length;
    struct
    {
        int error, length, written;
    } results[7];
} reads[] = {
    { 1, { [B4] = { 0, 1, 1 }, [B1] = { 0, 1, 1 }, [DZ] = { WSAEFAULT, 1, -1 }, [DK] = { WSAEFAULT, 1, 0 },
           [PB] = { 0, 1, 1 }, [PN] = { 0, 1, 1 }, [PS] = { WSAEFAULT, 0, 0 } } },
    { 2, { [B4] = { 0, 1, 2 }, [B1] = { 0, 1, 1 }, [DZ] = { WSAEFAULT, 2, -2 }, [DK] = { WSAEFAULT, 2, 0 },
           [PB] = { 0, 1, 1 }, [PN] = { 0, 1, 1 }, [PS] = { WSAEFAULT, 0, 0 } } },
    { 4, { [B4] = { 0, 4, 4 }, [B1] = { 0, 1, 1 }, [DZ] = { 0, 4, 4 }, [DK] = { 0, 4, 4 }, [PB] = { 0, 4, 4 },
           [PN] = { 0, 4, 4 }, [PS] = { 0, 4, 4 } } },
    { 8, { [B4] = { 0, 4, 4 }, [B1] = { 0, 1, 1 }, [DZ] = { 0, 4, 4 }, [DK] = { 0, 4, 4 }, [PB] = { 0, 4, 4 },
           [PN] = { 0, 4, 4 }, [PS] = { 0, 4, 4 } } },
    { 0, { [B4] = { WSAEFAULT, 0, 0 }, [B1] = { WSAEFAULT, 0, 0 }, [DZ] = { WSAEFAULT, 0, 0 },
           [DK] = { WSAEFAULT, 0, 0 }, [PB] = { WSAEFAULT, 0, 0 }, [PN] = { WSAEFAULT, 0, 0 },
           [PS] = { WSAEFAULT, 0, 0 } } },
    { -1, { [B4] = { WSAEFAULT, -1, 0 }, [B1] = { WSAEFAULT, -1, 0 }, [DZ] = { WSAEFAULT, -1, 0 },
            [DK] = { WSAEFAULT, -1, 0 }, [PB] = { WSAEFAULT, -1, 0 }, [PN] = { WSAEFAULT, -1, 0 },
            [PS] = { WSAEFAULT, -1, 0 } } },
};

static void check_sets( SOCKET s, int level, int name, enum class class )
{
    for (unsigned int i = 0; i < ARRAY_SIZE( sets ); i++)
    {
        DWORD value[2] = { sets[i].value, 0xffffffff }, read = 0;
        int error = sets[i].errors[class], result, length = 4, zero = 0;

        winetest_push_context( "set %#lx, length %d", sets[i].value, sets[i].length );
        setsockopt( s, level, name, (char *)&zero, sizeof(zero) );
        WSASetLastError( ERROR_UNTOUCHED );
        result = setsockopt( s, level, name, (char *)value, sets[i].length );
        ok( result == (error ? SOCKET_ERROR : 0), "returned %d\n", result );
        ok( WSAGetLastError() == error, "error %d, expected %d\n", WSAGetLastError(), error );

        if (!error && sets[i].length > 0)
        {
            DWORD expected = sets[i].value;

            if (expected == 0x100 && class == B1) expected = 0;
            else if (expected == 0x100 && class != DZ && class != DK) expected = 1;
            result = getsockopt( s, level, name, (char *)&read, &length );
            ok( !result, "get failed, error %d\n", WSAGetLastError() );
            ok( read == expected, "read back %#lx, expected %#lx\n", read, expected );
        }
        winetest_pop_context();
    }
}

static void check_gets( SOCKET s, int level, int name, enum class class )
{
    static const unsigned char one[4] = { 1 };
    DWORD value = 1;

    check_ok( setsockopt( s, level, name, (char *)&value, 4 ) );
    for (unsigned int i = 0; i < ARRAY_SIZE( reads ); i++)
    {
        int error = reads[i].results[class].error, expected = reads[i].results[class].length;
        int written = reads[i].results[class].written, length = reads[i].length, result, good;
        unsigned char read[8];

        winetest_push_context( "get, length %d", length );
        if (length == -1 && name == SO_OPENTYPE && level == SOL_SOCKET) error = 0, expected = written = 4;
        memset( read, 0xcc, sizeof(read) );
        WSASetLastError( ERROR_UNTOUCHED );
        result = getsockopt( s, level, name, (char *)read, &length );
        ok( result == (error ? SOCKET_ERROR : 0), "returned %d\n", result );
        ok( WSAGetLastError() == error, "error %d, expected %d\n", WSAGetLastError(), error );
        ok( length == expected, "length %d, expected %d\n", length, expected );
        if (written >= 0) good = !memcmp( read, one, written );
        else good = !memcmp( read, one + 1, -written );
        ok( good, "read %02x %02x %02x %02x\n", read[0], read[1], read[2], read[3] );
        written = abs( written );
        /* of the high half it is not known whether it is zeroed */
        for (int j = written; j < 4; j++) ok( read[j] == 0xcc, "byte %d was written: %02x\n", j, read[j] );
        winetest_pop_context();
    }
}

static void test_classes( void )
{
    for (unsigned int i = 0; i < ARRAY_SIZE( options ); i++)
    {
        SOCKET s = socket( options[i].family, options[i].type, 0 );
        int level = options[i].level, name = options[i].name, length = 4;
        DWORD value;

        winetest_push_context( "%s", options[i].text );
        ok( s != INVALID_SOCKET, "no socket, error %d\n", WSAGetLastError() );
        check_sets( s, level, name, options[i].class );
        check_gets( s, level, name, options[i].class );
        if (level != SOL_SOCKET || name != SO_OPENTYPE)
        {
            check_fails( getsockopt( INVALID_SOCKET, level, name, NULL, NULL ), WSAENOTSOCK );
            check_fails( setsockopt( INVALID_SOCKET, level, name, NULL, 0 ), WSAENOTSOCK );
            value = 0xdeadbeef;
            check_fails( getsockopt( INVALID_SOCKET, level, name, (char *)&value, &length ), WSAENOTSOCK );
            ok( value == 0xdeadbeef && length == 4, "%#lx, length %d\n", value, length );
        }
        check_fails( setsockopt( s, level, name, NULL, 0 ), WSAEFAULT );
        check_fails( setsockopt( s, level, name, NULL, 4 ), WSAEFAULT );
        check_fails( getsockopt( s, level, name, NULL, &length ), WSAEFAULT );
        check_fails( getsockopt( s, level, name, (char *)&value, NULL ), WSAEFAULT );
        check_fails( guarded( setsockopt( s, level, name, (char *)1, 4 ) ), WSAEFAULT );
        if (name == SO_OPENTYPE && level == SOL_SOCKET)
        {
            value = 0; /* the sockets of the tests to come are overlapped */
            check_ok( setsockopt( s, level, name, (char *)&value, sizeof(value) ) );
        }
        closesocket( s );
        winetest_pop_context();
    }
}

/* --- levels and socket types ------------------------------------------------------------------------------------------*/

/* error of getsockopt with 256 bytes; 0: what it gave can also be set */
struct validity
{
    int name;
    int tcp, udp, raw;
};
#define ALL_OK 0, 0, 0
#define NOT_TCP WSAEINVAL, 0, 0
#define SET_ONLY WSAENOPROTOOPT, WSAENOPROTOOPT, WSAENOPROTOOPT
#define UNSET WSAEINVAL, WSAEINVAL, WSAEINVAL
#define NEEDS_PEER WSAENOTCONN, WSAENOTCONN, WSAENOTCONN
#define DEFAULT_IS_READ_ONLY 0, 0, 0

static const struct validity ipv4[] = {
    { -1, SET_ONLY }, { 1, ALL_OK }, { 2, WSAEINVAL, WSAEINVAL, 0 }, { 3, ALL_OK }, { 4, ALL_OK }, { 9, NOT_TCP },
    { 10, NOT_TCP }, { 11, NOT_TCP }, { 12, SET_ONLY }, { 13, SET_ONLY }, { 14, ALL_OK }, { 19, NOT_TCP }, { 21, NOT_TCP },
    { 22, NOT_TCP }, { 24, NOT_TCP }, { 25, NOT_TCP }, { 28, ALL_OK }, { 31, ALL_OK }, { 32, ALL_OK }, { 33, UNSET },
    { 38, NOT_TCP }, { 40, NOT_TCP }, { 47, NOT_TCP }, { 50, NOT_TCP }, { 51, NOT_TCP }, { 60, NOT_TCP }, { 70, NOT_TCP },
    { 71, DEFAULT_IS_READ_ONLY }, { 73, NEEDS_PEER }, { 75, WSAEINVAL, 0, WSAEINVAL }, { 76, ALL_OK },
};

static const struct validity ipv6[] = {
    { -1, SET_ONLY }, { 1, ALL_OK }, { 2, WSAEINVAL, WSAEINVAL, 0 }, { 4, ALL_OK }, { 9, NOT_TCP }, { 10, NOT_TCP },
    { 11, NOT_TCP }, { 12, SET_ONLY }, { 13, SET_ONLY }, { 14, ALL_OK }, { 19, NOT_TCP }, { 21, NOT_TCP }, { 23, ALL_OK },
    { 24, NOT_TCP }, { 25, NOT_TCP }, { 27, ALL_OK }, { 28, ALL_OK }, { 31, ALL_OK }, { 32, ALL_OK }, { 33, UNSET },
    { 38, NOT_TCP }, { 40, NOT_TCP }, { 47, NOT_TCP }, { 50, NOT_TCP }, { 51, NOT_TCP }, { 60, NOT_TCP }, { 70, NOT_TCP },
    { 71, DEFAULT_IS_READ_ONLY }, { 72, NEEDS_PEER }, { 75, WSAEINVAL, 0, WSAEINVAL }, { 76, ALL_OK },
};

static void check_validity( SOCKET s, int level, const struct validity *rows, unsigned int count, int type )
{
    for (unsigned int i = 0; i < count; i++)
    {
        int expected = type == SOCK_STREAM ? rows[i].tcp : type == SOCK_DGRAM ? rows[i].udp : rows[i].raw;
        char value[256];
        int length = sizeof(value), result;

        winetest_push_context( "level %d, option %d, type %d", level, rows[i].name, type );
        WSASetLastError( ERROR_UNTOUCHED );
        result = getsockopt( s, level, rows[i].name, value, &length );
        ok( result == (expected ? SOCKET_ERROR : 0), "get returned %d\n", result );
        ok( WSAGetLastError() == expected, "get gave error %d, expected %d\n", WSAGetLastError(), expected );
        if (!expected)
        {
            int set_error = rows[i].name == 71 ? WSAEINVAL : 0;

            result = setsockopt( s, level, rows[i].name, value, length );
            ok( result == (set_error ? SOCKET_ERROR : 0), "set returned %d\n", result );
            ok( WSAGetLastError() == set_error, "set gave error %d, length %d\n", WSAGetLastError(), length );
        }
        winetest_pop_context();
    }
}

static void test_validity( void )
{
    static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_RAW };

    for (unsigned int i = 0; i < ARRAY_SIZE( types ); i++)
    {
        SOCKET s4 = socket( AF_INET, types[i], types[i] == SOCK_RAW ? IPPROTO_RAW : 0 );
        SOCKET s6 = socket( AF_INET6, types[i], types[i] == SOCK_RAW ? IPPROTO_RAW : 0 );

        if (types[i] == SOCK_RAW && s4 == INVALID_SOCKET)
        {
            ok( WSAGetLastError() == WSAEACCES, "raw sockets: error %d\n", WSAGetLastError() );
            continue;
        }
        check_validity( s4, IPPROTO_IP, ipv4, ARRAY_SIZE( ipv4 ), types[i] );
        check_validity( s6, IPPROTO_IPV6, ipv6, ARRAY_SIZE( ipv6 ), types[i] );
        closesocket( s4 );
        closesocket( s6 );
    }
}

static void test_levels( void )
{
    static const int levels[] = { -1, 0x1234ffff, (int)0x8000ffff, 0x8000, 0x800 };
    SOCKET s = socket( AF_INET, SOCK_DGRAM, 0 ), tcp = socket( AF_INET, SOCK_STREAM, 0 );
    DWORD value = 0;
    int length = sizeof(value);

    for (unsigned int i = 0; i < ARRAY_SIZE( levels ); i++)
    {
        winetest_push_context( "level %#x", levels[i] );
        check_fails( getsockopt( s, levels[i], SO_MAX_MSG_SIZE, (char *)&value, &length ), WSAEINVAL );
        check_fails( getsockopt( s, levels[i], SO_RCVTIMEO, (char *)&value, &length ), WSAEINVAL );
        check_fails( setsockopt( s, levels[i], SO_RCVTIMEO, (char *)&value, sizeof(value) ), WSAEINVAL );
        winetest_pop_context();
    }
    check_fails( getsockopt( s, IPPROTO_IP, -1, (char *)&value, &length ), WSAENOPROTOOPT );
    check_fails( getsockopt( s, SOL_SOCKET, SO_LINGER, (char *)&value, &length ), WSAENOPROTOOPT );
    check_clears( getsockopt( s, SOL_SOCKET, SO_MAX_MSG_SIZE, (char *)&value, &length ), 0 );
    ok( value == 65507 || value == 65527, "SO_MAX_MSG_SIZE %lu\n", value );

    for (value = SOCK_STREAM; value <= SOCK_DGRAM; value++)
    {
        check_fails( setsockopt( s, SOL_SOCKET, SO_TYPE, (char *)&value, sizeof(value) ), WSAEINVAL );
        check_fails( setsockopt( tcp, SOL_SOCKET, SO_TYPE, (char *)&value, sizeof(value) ), WSAENOPROTOOPT );
    }
    check_clears( getsockopt( s, SOL_SOCKET, SO_TYPE, (char *)&value, &length ), 0 );
    ok( value == SOCK_DGRAM && length == 4, "type %lu, length %d\n", value, length );
    check_clears( getsockopt( tcp, SOL_SOCKET, SO_TYPE, (char *)&value, &length ), 0 );
    ok( value == SOCK_STREAM, "type %lu\n", value );
    closesocket( tcp );

    /* meant for raw sockets */
    for (int family = 0; family < 4; family++)
    {
        SOCKET other = socket( family & 1 ? AF_INET6 : AF_INET, family & 2 ? SOCK_STREAM : SOCK_DGRAM, 0 );

        value = 0xdeadbeef;
        check_fails( getsockopt( other, IPPROTO_IP, IP_HDRINCL, (char *)&value, &length ), WSAEINVAL );
        ok( value == 0xdeadbeef, "read %#lx\n", value );
        for (value = 0; value < 2; value++)
            check_fails( setsockopt( other, IPPROTO_IP, IP_HDRINCL, (char *)&value, sizeof(value) ), WSAEINVAL );
        closesocket( other );
    }
    closesocket( s );
    check_fails( getsockopt( s, SOL_SOCKET, SO_TYPE, (char *)&value, &length ), WSAENOTSOCK );
    check_fails( getsockopt( s, SOL_SOCKET, SO_TYPE, NULL, NULL ), WSAENOTSOCK );
}

static void test_no_socket( void )
{
    char path[MAX_PATH], file_name[MAX_PATH];
    int value = 0, length = sizeof(value);
    HANDLE file;

    GetTempPathA( sizeof(path), path );
    GetTempFileNameA( path, "opt", 0, file_name );
    file = CreateFileA( file_name, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, FILE_FLAG_DELETE_ON_CLOSE, NULL );
    ok( file != INVALID_HANDLE_VALUE, "no file\n" );
    check_fails( getsockopt( (SOCKET)file, SOL_SOCKET, -1, (char *)&value, &length ), WSAENOTSOCK );
    check_fails( getsockopt( (SOCKET)file, SOL_SOCKET, SO_TYPE, (char *)&value, &length ), WSAENOTSOCK );
    check_ok( getsockopt( (SOCKET)file, SOL_SOCKET, SO_OPENTYPE, (char *)&value, &length ) );
    check_ok( setsockopt( (SOCKET)file, SOL_SOCKET, SO_OPENTYPE, (char *)&value, length ) );
    CloseHandle( file );
}

/* --- single options ---------------------------------------------------------------------------------------------------*/

static DWORD get_number( SOCKET s, int level, int name )
{
    DWORD value = 0;
    int length = sizeof(value);

    check_clears( getsockopt( s, level, name, (char *)&value, &length ), 0 );
    return value;
}

static void set_number( SOCKET s, int level, int name, DWORD value )
{
    check_clears( setsockopt( s, level, name, (char *)&value, sizeof(value) ), 0 );
}

static void test_timeouts( void )
{
    static const DWORD values[] = { 63000, 0, 997000, 256 };
    SOCKET s = socket( AF_INET, SOCK_STREAM, 0 ), client, server;
    DWORD ticks;
    char byte;

    ok( !get_number( s, SOL_SOCKET, SO_RCVTIMEO ), "not 0 to begin with\n" );
    for (unsigned int i = 0; i < ARRAY_SIZE( values ); i++)
    {
        set_number( s, SOL_SOCKET, SO_RCVTIMEO, values[i] );
        ok( get_number( s, SOL_SOCKET, SO_RCVTIMEO ) == values[i], "receive timeout is not %lu\n", values[i] );
        set_number( s, SOL_SOCKET, SO_SNDTIMEO, values[i] );
        ok( get_number( s, SOL_SOCKET, SO_SNDTIMEO ) == values[i], "send timeout is not %lu\n", values[i] );
    }
    closesocket( s );

    tcp_pair( &client, &server );
    set_number( client, SOL_SOCKET, SO_RCVTIMEO, 600 );
    ticks = GetTickCount();
    check_fails( recv( client, &byte, 1, 0 ), WSAETIMEDOUT );
    ticks = GetTickCount() - ticks;
    ok( ticks >= 550 && ticks < 5000, "waited %lu ms\n", ticks );
    closesocket( client );
    closesocket( server );
}

static void test_buffers( void )
{
    static const int names[] = { SO_RCVBUF, SO_SNDBUF };
    static const DWORD values[] = { 4096, 0, 1024, 65536, 1 << 20 };
    static char data[4096];
    SOCKET client, server;
    int total = 0, n;

    tcp_pair( &client, &server );
    ok( get_number( server, SOL_SOCKET, SO_RCVBUF ) >= 12288, "SO_RCVBUF is smaller than usual\n" );
    for (unsigned int i = 0; i < ARRAY_SIZE( values ) * 2; i++)
    {
        set_number( client, SOL_SOCKET, names[i % 2], values[i / 2] );
        ok( get_number( client, SOL_SOCKET, names[i % 2] ) == values[i / 2], "%s is not %lu\n",
            i % 2 ? "SO_SNDBUF" : "SO_RCVBUF", values[i / 2] );
    }
    set_number( client, SOL_SOCKET, SO_SNDBUF, 0 );
    set_number( server, SOL_SOCKET, SO_RCVBUF, 1024 );
    set_nonblocking( client, TRUE );
    for (int i = 0; i < 3; i++) check_result( send( client, data, sizeof(data), 0 ), sizeof(data) );
    while (total < 3 * (int)sizeof(data) && (n = recv( server, data, sizeof(data), 0 )) > 0) total += n;
    ok( total == 3 * sizeof(data), "received %d\n", total );
    closesocket( client );
    closesocket( server );
}

static void test_linger( void )
{
    static const LINGER values[] = { { 0, 0 }, { 0, 73 }, { 1, 0 }, { 5, 189 }, { 0x100, 3 } };
    SOCKET s = socket( AF_INET, SOCK_STREAM, 0 ), client, server;
    LINGER linger;
    int length;
    char byte;

    for (unsigned int i = 0; i < ARRAY_SIZE( values ); i++)
    {
        winetest_push_context( "linger %d, %d", values[i].l_onoff, values[i].l_linger );
        check_clears( setsockopt( s, SOL_SOCKET, SO_LINGER, (char *)&values[i], sizeof(values[i]) ), 0 );
        length = sizeof(linger);
        check_clears( getsockopt( s, SOL_SOCKET, SO_LINGER, (char *)&linger, &length ), 0 );
        ok( length == sizeof(linger), "length %d\n", length );
        ok( !linger.l_onoff == !values[i].l_onoff, "read %d\n", linger.l_onoff );
        if (values[i].l_onoff) ok( linger.l_linger == values[i].l_linger, "read %d\n", linger.l_linger );
        ok( get_number( s, SOL_SOCKET, SO_DONTLINGER ) == !values[i].l_onoff, "SO_DONTLINGER disagrees\n" );
        winetest_pop_context();
    }
    ok( linger.l_onoff == 0x100, "stored as %#x\n", linger.l_onoff );
    closesocket( s );

    tcp_pair( &client, &server );
    linger.l_onoff = 1;
    linger.l_linger = 0;
    check_ok( setsockopt( client, SOL_SOCKET, SO_LINGER, (char *)&linger, sizeof(linger) ) );
    check_ok( closesocket( client ) );
    check_fails( recv( server, &byte, 1, 0 ), WSAECONNRESET );
    closesocket( server );
}

static void test_error( void )
{
    SOCKET s = socket( AF_INET, SOCK_STREAM, 0 ), bound;
    union address address;
    DWORD value = 0;
    int length = 1;
    fd_set except;
    TIMEVAL timeout = { 10, 0 };

    ok( !get_number( s, SOL_SOCKET, SO_ERROR ), "not 0 to begin with\n" );
    set_number( s, SOL_SOCKET, SO_ERROR, 1234 );
    ok( get_number( s, SOL_SOCKET, SO_ERROR ) == 1234, "not what was set\n" );
    check_fails( getsockopt( s, SOL_SOCKET, SO_ERROR, (char *)&value, &length ), WSAEFAULT );
    closesocket( s );

    /* the outcome of a connection under way stays */
    bound = tcp_bound( AF_INET, &address );
    s = socket( AF_INET, SOCK_STREAM, 0 );
    set_nonblocking( s, TRUE );
    check_fails( connect( s, &address.any, sizeof(address.v4) ), WSAEWOULDBLOCK );
    FD_ZERO( &except );
    FD_SET( s, &except );
    check_result( select( 0, NULL, NULL, &except, &timeout ), 1 );
    for (int i = 0; i < 2; i++)
        ok( get_number( s, SOL_SOCKET, SO_ERROR ) == WSAECONNREFUSED, "read %d: not refused\n", i );
    closesocket( s );

    s = socket( AF_INET, SOCK_STREAM, 0 );
    check_fails( connect( s, &address.any, sizeof(address.v4) ), WSAECONNREFUSED );
    ok( !get_number( s, SOL_SOCKET, SO_ERROR ), "a blocking connect tells its error only once\n" );
    closesocket( s );
    closesocket( bound );
}

static void test_sharing( void )
{
    SOCKET s = socket( AF_INET, SOCK_STREAM, 0 );
    DWORD one = 1;

    ok( !get_number( s, SOL_SOCKET, SO_REUSEADDR ), "SO_REUSEADDR is set to begin with\n" );
    set_number( s, SOL_SOCKET, SO_REUSEADDR, 1 );
    check_fails( setsockopt( s, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, (char *)&one, sizeof(one) ), WSAEINVAL );
    set_number( s, SOL_SOCKET, SO_REUSEADDR, 0 );
    set_number( s, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 1 );
    check_fails( setsockopt( s, SOL_SOCKET, SO_REUSEADDR, (char *)&one, sizeof(one) ), WSAEINVAL );
    set_number( s, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 0 );
    set_number( s, SOL_SOCKET, SO_REUSEADDR, 1 );
    closesocket( s );
}

static void test_small_values( void )
{
    static const struct { DWORD value; int length; DWORD read; } ttls[] = {
        { 0xffffff0a, 1, 10 }, { 0xffff000b, 2, 11 }, { 0xff00000c, 3, 12 }, { 13, 4, 13 } };
    SOCKET s = socket( AF_INET, SOCK_DGRAM, 0 ), tcp = socket( AF_INET, SOCK_STREAM, 0 );
    char bytes[42] = { 1 };
    DWORD value = 0xdeadbeef;
    int length = 4;

    for (unsigned int i = 0; i < ARRAY_SIZE( ttls ); i++)
    {
        check_ok( setsockopt( s, IPPROTO_IP, IP_MULTICAST_TTL, (char *)&ttls[i].value, ttls[i].length ) );
        ok( get_number( s, IPPROTO_IP, IP_MULTICAST_TTL ) == ttls[i].read, "not %lu\n", ttls[i].read );
    }
    for (int size = 1; size <= 42; size += size == 1 ? 3 : 38)
    {
        bytes[0] = 1;
        check_clears( setsockopt( tcp, IPPROTO_TCP, TCP_NODELAY, bytes, size ), 0 );
        check_ok( getsockopt( tcp, IPPROTO_TCP, TCP_NODELAY, (char *)&value, &length ) );
        ok( value == 0xdeadbe01 && length == 1, "length %d: %#lx, %d\n", size, value, length );
        length = 4;
        bytes[0] = 0;
        check_ok( setsockopt( tcp, IPPROTO_TCP, TCP_NODELAY, bytes, size ) );
    }
    check_fails( setsockopt( tcp, IPPROTO_TCP, TCP_NODELAY, "\1", 0 ), WSAEFAULT );
    check_fails( setsockopt( tcp, IPPROTO_TCP, TCP_NODELAY, "\1", -1 ), WSAENOBUFS );
    check_ok( getsockopt( tcp, IPPROTO_TCP, TCP_NODELAY, (char *)&value, &length ) );
    ok( value == 0xdeadbe00, "a failed set changed it: %#lx\n", value );
    closesocket( s );
    closesocket( tcp );
}

static void test_dontfragment( void )
{
    static const struct { int family, type, level, name; DWORD initial; } rows[] = {
        { AF_INET, SOCK_DGRAM, IPPROTO_IP, IP_DONTFRAGMENT, 0 },
        { AF_INET, SOCK_STREAM, IPPROTO_IP, IP_DONTFRAGMENT, 1 },
        { AF_INET6, SOCK_DGRAM, IPPROTO_IPV6, IPV6_DONTFRAG, 0 },
        { AF_INET6, SOCK_STREAM, IPPROTO_IPV6, IPV6_DONTFRAG, 1 },
    };

    for (unsigned int i = 0; i < ARRAY_SIZE( rows ); i++)
    {
        SOCKET s = socket( rows[i].family, rows[i].type, 0 );

        winetest_push_context( "row %u", i );
        ok( get_number( s, rows[i].level, rows[i].name ) == rows[i].initial, "initial value\n" );
        set_number( s, rows[i].level, rows[i].name, !rows[i].initial );
        ok( get_number( s, rows[i].level, rows[i].name ) == !rows[i].initial, "changed value\n" );
        set_number( s, rows[i].level, rows[i].name, 0xdead );
        ok( get_number( s, rows[i].level, rows[i].name ) == 1, "normalised value\n" );
        closesocket( s );
        winetest_pop_context();
    }
}

static void test_v6only( void )
{
    union address address;
    SOCKET s = socket( AF_INET6, SOCK_STREAM, 0 );
    DWORD value;

    ok( (BYTE)get_number( s, IPPROTO_IPV6, IPV6_V6ONLY ) == 1, "not 1 to begin with\n" );
    set_number( s, IPPROTO_IPV6, IPV6_V6ONLY, 0 );
    check_ok( bind( s, &address.any, address_any( &address, AF_INET6, 0 ) ) );
    ok( !(BYTE)get_number( s, IPPROTO_IPV6, IPV6_V6ONLY ), "bind changed it\n" );
    closesocket( s );

    s = socket( AF_INET, SOCK_STREAM, 0 );
    ok( (BYTE)get_number( s, IPPROTO_IPV6, IPV6_V6ONLY ) == 1, "IPv4: not 1 to begin with\n" );
    set_number( s, IPPROTO_IPV6, IPV6_V6ONLY, 0 );
    ok( !(BYTE)get_number( s, IPPROTO_IPV6, IPV6_V6ONLY ), "IPv4: not stored\n" );
    check_ok( bind( s, &address.any, address_loopback( &address, AF_INET, 0 ) ) );
    for (value = 0; value < 2; value++)
        check_result( setsockopt( s, IPPROTO_IPV6, IPV6_V6ONLY, (char *)&value, sizeof(value) ), SOCKET_ERROR );
    ok( !(BYTE)get_number( s, IPPROTO_IPV6, IPV6_V6ONLY ), "IPv4: not kept\n" );
    closesocket( s );
}

static void test_keepalive( void )
{
    static const struct { int name; DWORD initial; } rows[] = { { 3, 7200 }, { 16, 10 }, { 17, 1 } };
    SOCKET s = socket( AF_INET, SOCK_STREAM, 0 );

    for (unsigned int i = 0; i < ARRAY_SIZE( rows ); i++)
    {
        winetest_push_context( "TCP option %d", rows[i].name );
        ok( get_number( s, IPPROTO_TCP, rows[i].name ) == rows[i].initial, "initial value\n" );
        set_number( s, IPPROTO_TCP, rows[i].name, 42 );
        ok( get_number( s, IPPROTO_TCP, rows[i].name ) == 42, "set value\n" );
        winetest_pop_context();
    }
    set_number( s, SOL_SOCKET, SO_KEEPALIVE, 1 );
    for (unsigned int i = 0; i < ARRAY_SIZE( rows ); i++)
        ok( get_number( s, IPPROTO_TCP, rows[i].name ) == 42, "SO_KEEPALIVE changed option %d\n", rows[i].name );
    closesocket( s );
}

static void test_states( void )
{
    SOCKET s = socket( AF_INET, SOCK_STREAM, 0 ), client, server;
    union address address;
    DWORD seconds;

    ok( get_number( s, SOL_SOCKET, SO_CONNECT_TIME ) == ~0u, "a fresh socket is connected\n" );
    check_ok( bind( s, &address.any, address_loopback( &address, AF_INET, 0 ) ) );
    ok( !get_number( s, SOL_SOCKET, SO_ACCEPTCONN ), "a bound socket listens\n" );
    check_ok( listen( s, 1 ) );
    ok( get_number( s, SOL_SOCKET, SO_ACCEPTCONN ) == 1, "a listening socket does not listen\n" );
    check_fails( setsockopt( s, SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, NULL, 0 ), WSAENOTCONN );
    closesocket( s );

    tcp_pair( &client, &server );
    seconds = get_number( client, SOL_SOCKET, SO_CONNECT_TIME );
    ok( seconds < 10, "connected for %lu s\n", seconds );
    seconds = get_number( server, SOL_SOCKET, SO_CONNECT_TIME );
    ok( seconds < 10, "accepted for %lu s\n", seconds );
    closesocket( client );
    closesocket( server );
}

/* Winsock 1.1: SO_BROADCAST is not for streams, and what belongs to connections is not for datagrams. */
static void test_socket_types( void )
{
    static const struct { int name; BOOL stream; } rows[] = {
        { SO_BROADCAST, FALSE }, { SO_ACCEPTCONN, TRUE }, { SO_DONTLINGER, TRUE }, { SO_KEEPALIVE, TRUE },
        { SO_LINGER, TRUE }, { SO_OOBINLINE, TRUE } };

    for (unsigned int i = 0; i < ARRAY_SIZE( rows ); i++)
    {
        SOCKET right = socket( AF_INET, rows[i].stream ? SOCK_STREAM : SOCK_DGRAM, 0 );
        SOCKET wrong = socket( AF_INET, rows[i].stream ? SOCK_DGRAM : SOCK_STREAM, 0 );
        DWORD value = 0;
        int length = sizeof(value);

        winetest_push_context( "option %#x", rows[i].name );
        check_ok( getsockopt( right, SOL_SOCKET, rows[i].name, (char *)&value, &length ) );
        length = sizeof(value);
        check_fails( getsockopt( wrong, SOL_SOCKET, rows[i].name, (char *)&value, &length ), WSAENOPROTOOPT );
        closesocket( right );
        closesocket( wrong );
        winetest_pop_context();
    }
}

/* What is set is read: through the same descriptor, another one, and another process's. */
static const struct
{
    int family, type, level, name;
    DWORD value;
} settable[] = {
    { AF_INET, SOCK_STREAM, SOL_SOCKET, SO_DEBUG, 1 },
    { AF_INET, SOCK_STREAM, SOL_SOCKET, SO_KEEPALIVE, 1 },
    { AF_INET, SOCK_STREAM, SOL_SOCKET, SO_REUSEADDR, 1 },
    { AF_INET, SOCK_STREAM, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 1 },
    { AF_INET, SOCK_STREAM, SOL_SOCKET, SO_RCVBUF, 12345 },
    { AF_INET, SOCK_STREAM, SOL_SOCKET, SO_SNDBUF, 54321 },
    { AF_INET, SOCK_STREAM, SOL_SOCKET, SO_RCVTIMEO, 1234 },
    { AF_INET, SOCK_STREAM, SOL_SOCKET, SO_SNDTIMEO, 4321 },
    { AF_INET, SOCK_STREAM, SOL_SOCKET, SO_LINGER, 3 | 7 << 16 },
    { AF_INET, SOCK_STREAM, SOL_SOCKET, SO_ERROR, WSAEACCES },
    { AF_INET, SOCK_STREAM, SOL_SOCKET, SO_CONDITIONAL_ACCEPT, 1 },
    { AF_INET, SOCK_DGRAM, SOL_SOCKET, SO_BROADCAST, 1 },
    { AF_INET, SOCK_STREAM, SOL_SOCKET, 0x3005 /* SO_RANDOMIZE_PORT */, 1 },
    { AF_INET, SOCK_STREAM, SOL_SOCKET, 0x3006 /* SO_PORT_SCALABILITY */, 1 },
    { AF_INET, SOCK_STREAM, SOL_SOCKET, 0x3007 /* SO_REUSE_UNICASTPORT */, 1 },
    { AF_INET, SOCK_STREAM, IPPROTO_TCP, TCP_NODELAY, 1 },
    { AF_INET, SOCK_STREAM, IPPROTO_TCP, 3 /* TCP_KEEPALIVE */, 77 },
    { AF_INET, SOCK_STREAM, IPPROTO_TCP, 15 /* TCP_FASTOPEN */, 1 },
    { AF_INET, SOCK_STREAM, IPPROTO_IP, IP_DONTFRAGMENT, 0 },
    { AF_INET, SOCK_DGRAM, IPPROTO_IP, IP_TTL, 33 },
    { AF_INET, SOCK_DGRAM, IPPROTO_IP, IP_TOS, 0x20 },
    { AF_INET, SOCK_DGRAM, IPPROTO_IP, IP_MULTICAST_TTL, 9 },
    { AF_INET, SOCK_DGRAM, IPPROTO_IP, IP_MULTICAST_LOOP, 0 },
    { AF_INET, SOCK_DGRAM, IPPROTO_IP, IP_PKTINFO, 1 },
    { AF_INET, SOCK_DGRAM, IPPROTO_IP, IP_RECVIF, 1 },
    { AF_INET, SOCK_DGRAM, IPPROTO_IP, 71 /* IP_MTU_DISCOVER */, 3 },
    { AF_INET, SOCK_DGRAM, IPPROTO_UDP, 1 /* UDP_NOCHECKSUM */, 1 },
    { AF_INET, SOCK_DGRAM, IPPROTO_UDP, 2 /* UDP_SEND_MSG_SIZE */, 1000 },
    { AF_INET6, SOCK_DGRAM, IPPROTO_IPV6, IPV6_V6ONLY, 0 },
    { AF_INET6, SOCK_DGRAM, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 44 },
    { AF_INET6, SOCK_DGRAM, IPPROTO_IPV6, IPV6_UNICAST_IF, 1 },
    { AF_INET6, SOCK_DGRAM, IPPROTO_IPV6, IPV6_MULTICAST_IF, 1 },
    { AF_INET6, SOCK_STREAM, IPPROTO_IPV6, IPV6_PROTECTION_LEVEL, 20 },
};

static void test_shared( void )
{
    struct puppet puppet;

    puppet_create( &puppet, 0 );
    for (unsigned int i = 0; i < ARRAY_SIZE( settable ); i++)
    {
        int level = settable[i].level, name = settable[i].name, length = 4;
        SOCKET s = socket( settable[i].family, settable[i].type, 0 ), duplicate, remote;
        DWORD value = settable[i].value, other = 0;
        WSAPROTOCOL_INFOA info;

        winetest_push_context( "level %d, option %#x", level, name );
        check_ok( WSADuplicateSocketA( s, GetCurrentProcessId(), &info ) );
        duplicate = WSASocketA( FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0, 0 );
        check_ok( WSADuplicateSocketA( s, puppet.pid, &info ) );
        remote = puppet_open_a( &puppet, &info, 0 );
        ok( duplicate != INVALID_SOCKET && remote != INVALID_SOCKET, "no duplicates\n" );

        check_clears( setsockopt( s, level, name, (char *)&value, sizeof(value) ), 0 );
        check_ok( getsockopt( s, level, name, (char *)&other, &length ) );
        ok( other == value, "read %#lx, expected %#lx\n", other, value );
        other = 0;
        length = 4;
        check_ok( getsockopt( duplicate, level, name, (char *)&other, &length ) );
        ok( other == value, "the duplicate reads %#lx, expected %#lx\n", other, value );
        memset( puppet.message->data, 0, sizeof(other) );
        puppet.message->level = level;
        puppet.message->option = name;
        puppet.message->length = 4;
        ok( !puppet_do_on( &puppet, PUPPET_GETSOCKOPT, remote ), "error %d\n", WSAGetLastError() );
        memcpy( &other, puppet.message->data, sizeof(other) );
        ok( other == value, "the other process reads %#lx, expected %#lx\n", other, value );

        closesocket( s );
        closesocket( duplicate );
        puppet_do_on( &puppet, PUPPET_CLOSE, remote );
        winetest_pop_context();
    }
    puppet_destroy( &puppet );
}

static void test_protection( void )
{
    static const struct { DWORD value; int error; } rows[] = {
        { 10, 0 }, { 20, 0 }, { 30, 0 }, { 5, WSAEINVAL }, { 40, WSAEINVAL } };
    SOCKET s = socket( AF_INET6, SOCK_STREAM, 0 );

    for (unsigned int i = 0; i < ARRAY_SIZE( rows ); i++)
    {
        int result = setsockopt( s, IPPROTO_IPV6, IPV6_PROTECTION_LEVEL, (char *)&rows[i].value, sizeof(DWORD) );

        ok( result == (rows[i].error ? SOCKET_ERROR : 0) && WSAGetLastError() == rows[i].error, "%lu: %d, error %d\n",
            rows[i].value, result, WSAGetLastError() );
    }
    ok( get_number( s, IPPROTO_IPV6, IPV6_PROTECTION_LEVEL ) == 30, "the last good value is kept\n" );
    closesocket( s );
}

/* --- SO_OPENTYPE, SO_PROTOCOL_INFO, SO_BSP_STATE ----------------------------------------------------------------------*/

static DWORD WINAPI opentype_thread( void *arg )
{
    DWORD value = 0xdeadbeef;
    int length = sizeof(value);

    (void)arg;
    getsockopt( INVALID_SOCKET, SOL_SOCKET, SO_OPENTYPE, (char *)&value, &length );
    return value;
}

static void test_opentype( void )
{
    static const DWORD values[] = { 0x100, 1, 0 };
    DWORD code = 1;
    HANDLE thread;

    for (unsigned int i = 0; i < ARRAY_SIZE( values ); i++)
    {
        set_number( INVALID_SOCKET, SOL_SOCKET, SO_OPENTYPE, values[i] );
        ok( get_number( INVALID_SOCKET, SOL_SOCKET, SO_OPENTYPE ) == values[i], "not %#lx\n", values[i] );
        thread = CreateThread( NULL, 0, opentype_thread, NULL, 0, NULL );
        WaitForSingleObject( thread, INFINITE );
        GetExitCodeThread( thread, &code );
        ok( !code, "another thread reads %#lx\n", code );
        CloseHandle( thread );
    }
}

static void test_protocol_info( void )
{
    static const int families[] = { AF_INET, AF_INET6 }, types[] = { SOCK_STREAM, SOCK_DGRAM };
    char a[2 * sizeof(WSAPROTOCOL_INFOA)], w[2 * sizeof(WSAPROTOCOL_INFOW)];
    int length = 7;

    check_fails( getsockopt( INVALID_SOCKET, SOL_SOCKET, SO_PROTOCOL_INFOA, NULL, NULL ), WSAENOTSOCK );
    check_fails( getsockopt( INVALID_SOCKET, SOL_SOCKET, SO_PROTOCOL_INFOW, w, &length ), WSAENOTSOCK );
    ok( length == 7, "length %d\n", length );
    for (int i = 0; i < 4; i++)
    {
        int family = families[i / 2], type = types[i % 2];
        SOCKET s = socket( family, type, 0 );
        WSAPROTOCOL_INFOA *info_a = (WSAPROTOCOL_INFOA *)a;
        WSAPROTOCOL_INFOW *info_w = (WSAPROTOCOL_INFOW *)w;
        char name[256];

        winetest_push_context( "family %d, type %d", family, type );
        check_fails( getsockopt( s, SOL_SOCKET, SO_PROTOCOL_INFOA, NULL, NULL ), WSAEFAULT );
        length = sizeof(a);
        check_fails( getsockopt( s, SOL_SOCKET, SO_PROTOCOL_INFOA, NULL, &length ), WSAEFAULT );
        check_fails( getsockopt( s, SOL_SOCKET, SO_PROTOCOL_INFOA, a, NULL ), WSAEFAULT );
        length = sizeof(*info_a) / 2;
        check_fails( getsockopt( s, SOL_SOCKET, SO_PROTOCOL_INFOA, a, &length ), WSAEFAULT );
        ok( length == 372, "needs %d\n", length );
        check_clears( getsockopt( s, SOL_SOCKET, SO_PROTOCOL_INFOA, a, &length ), 0 );
        ok( length == 372, "length %d\n", length );
        length = sizeof(a);
        check_clears( getsockopt( s, SOL_SOCKET, SO_PROTOCOL_INFOA, a, &length ), 0 );
        ok( length == sizeof(a), "a larger length became %d\n", length );
        length = sizeof(*info_w) / 2;
        check_fails( getsockopt( s, SOL_SOCKET, SO_PROTOCOL_INFOW, w, &length ), WSAEFAULT );
        ok( length == 628, "needs %d\n", length );
        check_clears( getsockopt( s, SOL_SOCKET, SO_PROTOCOL_INFOW, w, &length ), 0 );
        ok( length == 628, "length %d\n", length );
        ok( info_w->iAddressFamily == family, "family %d\n", info_w->iAddressFamily );
        ok( info_w->iSocketType == type, "type %d\n", info_w->iSocketType );
        ok( info_w->iProtocol == (type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP), "protocol %d\n", info_w->iProtocol );
        ok( !info_w->dwProviderReserved, "reserved %#lx\n", info_w->dwProviderReserved );
        ok( !memcmp( a, w, offsetof( WSAPROTOCOL_INFOW, szProtocol ) ), "A and W differ\n" );
        WideCharToMultiByte( CP_ACP, 0, info_w->szProtocol, -1, name, sizeof(name), NULL, NULL );
        ok( name[0] && !strcmp( name, info_a->szProtocol ), "names %s and %s\n", name, info_a->szProtocol );
        closesocket( s );
        winetest_pop_context();
    }
}

static void check_bsp( SOCKET s, BOOL local, BOOL remote )
{
    char buffer[128];
    CSADDR_INFO *info = (CSADDR_INFO *)buffer;
    union address name;
    int length = sizeof(buffer), size = sizeof(name);

    check_clears( getsockopt( s, SOL_SOCKET, SO_BSP_STATE, buffer, &length ), 0 );
    ok( length == sizeof(buffer), "length %d\n", length );
    ok( info->iSocketType == SOCK_STREAM && info->iProtocol == IPPROTO_TCP, "type %d, protocol %d\n", info->iSocketType,
        info->iProtocol );
    ok( !info->LocalAddr.lpSockaddr == !local, "local %p\n", info->LocalAddr.lpSockaddr );
    ok( !info->LocalAddr.iSockaddrLength == !local, "local length %d\n", info->LocalAddr.iSockaddrLength );
    ok( !info->RemoteAddr.lpSockaddr == !remote, "remote %p\n", info->RemoteAddr.lpSockaddr );
    ok( !info->RemoteAddr.iSockaddrLength == !remote, "remote length %d\n", info->RemoteAddr.iSockaddrLength );
    if (!remote) return;
    check_ok( getsockname( s, &name.any, &size ) );
    ok( info->LocalAddr.iSockaddrLength == size && !memcmp( info->LocalAddr.lpSockaddr, &name, size ), "local address\n" );
    size = sizeof(name);
    check_ok( getpeername( s, &name.any, &size ) );
    ok( info->RemoteAddr.iSockaddrLength == size && !memcmp( info->RemoteAddr.lpSockaddr, &name, size ),
        "remote address\n" );
}

static void test_bsp_state( void )
{
    SOCKET s = socket( AF_INET, SOCK_STREAM, 0 ), client, server;
    union address address;
    char buffer[128];
    int needed = sizeof(CSADDR_INFO) + 2 * sizeof(struct sockaddr_in), length;

    check_bsp( s, FALSE, FALSE );
    check_ok( bind( s, &address.any, address_loopback( &address, AF_INET, 0 ) ) );
    check_bsp( s, TRUE, FALSE );
    closesocket( s );

    tcp_pair( &client, &server );
    check_bsp( client, TRUE, TRUE );
    check_bsp( server, TRUE, TRUE );
    length = needed;
    check_clears( getsockopt( client, SOL_SOCKET, SO_BSP_STATE, buffer, &length ), 0 );
    ok( length == needed, "length %d\n", length );
    length = needed - 1;
    check_fails( getsockopt( client, SOL_SOCKET, SO_BSP_STATE, buffer, &length ), WSAEFAULT );
    length = sizeof(CSADDR_INFO);
    check_fails( getsockopt( client, SOL_SOCKET, SO_BSP_STATE, buffer, &length ), WSAEFAULT );
    ok( length == sizeof(CSADDR_INFO), "length %d\n", length );
    closesocket( client );
    closesocket( server );
}

/* --- multicast --------------------------------------------------------------------------------------------------------*/

static void test_multicast( void )
{
    union address address;
    SOCKET s = udp_bound( AF_INET, &address ), sender;
    struct ip_mreq request;
    struct ip_mreq_source source;
    GROUP_REQ group = { 0 };
    struct sockaddr_in *group_address = (struct sockaddr_in *)&group.gr_group;
    struct sockaddr_in to = { 0 };
    char data[8];

    closesocket( s );
    s = socket( AF_INET, SOCK_DGRAM, 0 );
    check_ok( bind( s, &address.any, address_any( &address, AF_INET, 0 ) ) );
    request.imr_multiaddr.s_addr = inet_addr( "239.1.2.3" );
    request.imr_interface.s_addr = htonl( INADDR_LOOPBACK );
    check_fails( setsockopt( s, IPPROTO_IP, IP_ADD_MEMBERSHIP, (char *)&request, 7 ), WSAEFAULT );
    check_clears( setsockopt( s, IPPROTO_IP, IP_ADD_MEMBERSHIP, (char *)&request, sizeof(request) ), 0 );

    sender = socket( AF_INET, SOCK_DGRAM, 0 );
    check_clears( setsockopt( sender, IPPROTO_IP, IP_MULTICAST_IF, (char *)&request.imr_interface, 4 ), 0 );
    ok( get_number( sender, IPPROTO_IP, IP_MULTICAST_IF ) == htonl( INADDR_LOOPBACK ), "interface\n" );
    request.imr_interface.s_addr = htonl( 1 ); /* by index */
    check_clears( setsockopt( sender, IPPROTO_IP, IP_MULTICAST_IF, (char *)&request.imr_interface, 4 ), 0 );
    ok( get_number( sender, IPPROTO_IP, IP_MULTICAST_IF ) == htonl( 1 ), "interface index\n" );
    request.imr_interface.s_addr = htonl( INADDR_LOOPBACK );
    to.sin_family = AF_INET;
    to.sin_addr = request.imr_multiaddr;
    to.sin_port = htons( socket_port( s ) );
    check_result( sendto( sender, "group", 5, 0, (struct sockaddr *)&to, sizeof(to) ), 5 );
    set_receive_timeout( s, 5000 );
    check_result( recv( s, data, sizeof(data), 0 ), 5 );
    check_clears( setsockopt( s, IPPROTO_IP, IP_DROP_MEMBERSHIP, (char *)&request, sizeof(request) ), 0 );
    check_fails( setsockopt( s, IPPROTO_IP, IP_DROP_MEMBERSHIP, (char *)&request, sizeof(request) ), WSAEADDRNOTAVAIL );

    /* an interface index instead of an address: 1 is loopback's */
    request.imr_interface.s_addr = htonl( 1 );
    check_clears( setsockopt( s, IPPROTO_IP, IP_ADD_MEMBERSHIP, (char *)&request, sizeof(request) ), 0 );
    check_clears( setsockopt( s, IPPROTO_IP, IP_DROP_MEMBERSHIP, (char *)&request, sizeof(request) ), 0 );

    source.imr_multiaddr = request.imr_multiaddr;
    source.imr_sourceaddr.s_addr = source.imr_interface.s_addr = htonl( INADDR_LOOPBACK );
    check_clears( setsockopt( s, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, (char *)&source, sizeof(source) ), 0 );
    check_result( sendto( sender, "group", 5, 0, (struct sockaddr *)&to, sizeof(to) ), 5 );
    check_result( recv( s, data, sizeof(data), 0 ), 5 );
    check_clears( setsockopt( s, IPPROTO_IP, IP_DROP_SOURCE_MEMBERSHIP, (char *)&source, sizeof(source) ), 0 );

    group.gr_interface = 1;
    group_address->sin_family = AF_INET;
    group_address->sin_addr = request.imr_multiaddr;
    check_clears( setsockopt( s, IPPROTO_IP, MCAST_JOIN_GROUP, (char *)&group, sizeof(group) ), 0 );
    check_result( sendto( sender, "group", 5, 0, (struct sockaddr *)&to, sizeof(to) ), 5 );
    check_result( recv( s, data, sizeof(data), 0 ), 5 );
    check_clears( setsockopt( s, IPPROTO_IP, MCAST_LEAVE_GROUP, (char *)&group, sizeof(group) ), 0 );
    closesocket( sender );
    closesocket( s );

    s = socket( AF_INET, SOCK_STREAM, 0 );
    check_fails( setsockopt( s, IPPROTO_IP, IP_ADD_MEMBERSHIP, (char *)&request, sizeof(request) ), WSAEINVAL );
    closesocket( s );
}

START_TEST( options )
{
    if (support_begin()) return;
    test_classes();
    test_validity();
    test_levels();
    test_no_socket();
    test_timeouts();
    test_buffers();
    test_linger();
    test_error();
    test_sharing();
    test_small_values();
    test_dontfragment();
    test_v6only();
    test_keepalive();
    test_states();
    test_socket_types();
    test_shared();
    test_protection();
    test_opentype();
    test_protocol_info();
    test_bsp_state();
    test_multicast();
    support_end();
}
