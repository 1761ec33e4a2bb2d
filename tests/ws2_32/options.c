/*
 * Socket options keep the promises of Windows: which lengths and values each class of option takes and gives, what an
 * option is to begin with, which sockets have it, and the order of the errors.
 */
#include "puppets.h"

/* --- classes of options -----------------------------------------------------------------------------------------------*/

enum class
{
    B4,
    B1,
    DZ,
    DK,
    PB,
    PN,
    PS
};

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
    { 0,
      1,
      { [B1] = WSAEFAULT, [DZ] = WSAEFAULT, [DK] = WSAEFAULT, [PB] = WSAEFAULT, [PN] = WSAEFAULT, [PS] = WSAEFAULT } },
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
    { 1,
      { [B4] = { 0, 1, 1 },
        [B1] = { 0, 1, 1 },
        [DZ] = { WSAEFAULT, 1, -1 },
        [DK] = { WSAEFAULT, 1, 0 },
        [PB] = { 0, 1, 1 },
        [PN] = { 0, 1, 1 },
        [PS] = { WSAEFAULT, 0, 0 } } },
    { 2,
      { [B4] = { 0, 1, 2 },
        [B1] = { 0, 1, 1 },
        [DZ] = { WSAEFAULT, 2, -2 },
        [DK] = { WSAEFAULT, 2, 0 },
        [PB] = { 0, 1, 1 },
        [PN] = { 0, 1, 1 },
        [PS] = { WSAEFAULT, 0, 0 } } },
    { 4,
      { [B4] = { 0, 4, 4 },
        [B1] = { 0, 1, 1 },
        [DZ] = { 0, 4, 4 },
        [DK] = { 0, 4, 4 },
        [PB] = { 0, 4, 4 },
        [PN] = { 0, 4, 4 },
        [PS] = { 0, 4, 4 } } },
    { 8,
      { [B4] = { 0, 4, 4 },
        [B1] = { 0, 1, 1 },
        [DZ] = { 0, 4, 4 },
        [DK] = { 0, 4, 4 },
        [PB] = { 0, 4, 4 },
        [PN] = { 0, 4, 4 },
        [PS] = { 0, 4, 4 } } },
    { 0,
      { [B4] = { WSAEFAULT, 0, 0 },
        [B1] = { WSAEFAULT, 0, 0 },
        [DZ] = { WSAEFAULT, 0, 0 },
        [DK] = { WSAEFAULT, 0, 0 },
        [PB] = { WSAEFAULT, 0, 0 },
        [PN] = { WSAEFAULT, 0, 0 },
        [PS] = { WSAEFAULT, 0, 0 } } },
    { -1,
      { [B4] = { WSAEFAULT, -1, 0 },
        [B1] = { WSAEFAULT, -1, 0 },
        [DZ] = { WSAEFAULT, -1, 0 },
        [DK] = { WSAEFAULT, -1, 0 },
        [PB] = { WSAEFAULT, -1, 0 },
        [PN] = { WSAEFAULT, -1, 0 },
        [PS] = { WSAEFAULT, -1, 0 } } },
};

static void check_sets( SOCKET s, int level, int name, enum class class )
{
    for ( unsigned int i = 0; i < ARRAY_SIZE( sets ); i++ )
    {
        DWORD value[2] = { sets[i].value, 0xffffffff }, read = 0;
        int error = sets[i].errors[class], result, length = 4, zero = 0;

        winetest_push_context( "set %#lx, length %d", sets[i].value, sets[i].length );
        setsockopt( s, level, name, (char *)&zero, sizeof( zero ) );
        WSASetLastError( ERROR_UNTOUCHED );
        result = setsockopt( s, level, name, (char *)value, sets[i].length );
        ok( result == ( error ? SOCKET_ERROR : 0 ), "returned %d\n", result );
        ok( WSAGetLastError() == error, "error %d, expected %d\n", WSAGetLastError(), error );

        if ( !error && sets[i].length > 0 )
        {
            DWORD expected = sets[i].value;

            if ( expected == 0x100 && class == B1 ) expected = 0;
            else if ( expected == 0x100 && class != DZ && class != DK ) expected = 1;
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
    for ( unsigned int i = 0; i < ARRAY_SIZE( reads ); i++ )
    {
        int error = reads[i].results[class].error, expected = reads[i].results[class].length;
        int written = reads[i].results[class].written, length = reads[i].length, result, good;
        unsigned char read[8];

        winetest_push_context( "get, length %d", length );
        if ( length == -1 && name == SO_OPENTYPE && level == SOL_SOCKET ) error = 0, expected = written = 4;
        memset( read, 0xcc, sizeof( read ) );
        WSASetLastError( ERROR_UNTOUCHED );
        result = getsockopt( s, level, name, (char *)read, &length );
        ok( result == ( error ? SOCKET_ERROR : 0 ), "returned %d\n", result );
        ok( WSAGetLastError() == error, "error %d, expected %d\n", WSAGetLastError(), error );
        ok( length == expected, "length %d, expected %d\n", length, expected );
        if ( written >= 0 ) good = !memcmp( read, one, written );
        else good = !memcmp( read, one + 1, -written );
        ok( good, "read %02x %02x %02x %02x\n", read[0], read[1], read[2], read[3] );
        written = abs( written );
        /* of the high half it is not known whether it is zeroed */
        for ( int j = written; j < 4; j++ ) ok( read[j] == 0xcc, "byte %d was written: %02x\n", j, read[j] );
        winetest_pop_context();
    }
}

static void test_classes( void )
{
    for ( unsigned int i = 0; i < ARRAY_SIZE( options ); i++ )
    {
        SOCKET s = socket( options[i].family, options[i].type, 0 );
        int level = options[i].level, name = options[i].name, length = 4;
        DWORD value;

        winetest_push_context( "%s", options[i].text );
        ok( s != INVALID_SOCKET, "no socket, error %d\n", WSAGetLastError() );
        check_sets( s, level, name, options[i].class );
        check_gets( s, level, name, options[i].class );
        if ( level != SOL_SOCKET || name != SO_OPENTYPE )
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
        if ( name == SO_OPENTYPE && level == SOL_SOCKET )
        {
            value = 0; /* the sockets of the tests to come are overlapped */
            check_ok( setsockopt( s, level, name, (char *)&value, sizeof( value ) ) );
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
    { -1, SET_ONLY },
    { 1, ALL_OK },
    { 2, WSAEINVAL, WSAEINVAL, 0 },
    { 3, ALL_OK },
    { 4, ALL_OK },
    { 9, NOT_TCP },
    { 10, NOT_TCP },
    { 11, NOT_TCP },
    { 12, SET_ONLY },
    { 13, SET_ONLY },
    { 14, ALL_OK },
    { 19, NOT_TCP },
    { 21, NOT_TCP },
    { 22, NOT_TCP },
    { 24, NOT_TCP },
    { 25, NOT_TCP },
    { 28, ALL_OK },
    { 31, ALL_OK },
    { 32, ALL_OK },
    { 33, UNSET },
    { 38, NOT_TCP },
    { 40, NOT_TCP },
    { 47, NOT_TCP },
    { 50, NOT_TCP },
    { 51, NOT_TCP },
    { 60, NOT_TCP },
    { 70, NOT_TCP },
    { 71, DEFAULT_IS_READ_ONLY },
    { 73, NEEDS_PEER },
    { 75, WSAEINVAL, 0, WSAEINVAL },
    { 76, ALL_OK },
};

static const struct validity ipv6[] = {
    { -1, SET_ONLY },
    { 1, ALL_OK },
    { 2, WSAEINVAL, WSAEINVAL, 0 },
    { 4, ALL_OK },
    { 9, NOT_TCP },
    { 10, NOT_TCP },
    { 11, NOT_TCP },
    { 12, SET_ONLY },
    { 13, SET_ONLY },
    { 14, ALL_OK },
    { 19, NOT_TCP },
    { 21, NOT_TCP },
    { 23, ALL_OK },
    { 24, NOT_TCP },
    { 25, NOT_TCP },
    { 27, ALL_OK },
    { 28, ALL_OK },
    { 31, ALL_OK },
    { 32, ALL_OK },
    { 33, UNSET },
    { 38, NOT_TCP },
    { 40, NOT_TCP },
    { 47, NOT_TCP },
    { 50, NOT_TCP },
    { 51, NOT_TCP },
    { 60, NOT_TCP },
    { 70, NOT_TCP },
    { 71, DEFAULT_IS_READ_ONLY },
    { 72, NEEDS_PEER },
    { 75, WSAEINVAL, 0, WSAEINVAL },
    { 76, ALL_OK },
};

static void check_validity( SOCKET s, int level, const struct validity *rows, unsigned int count, int type )
{
    for ( unsigned int i = 0; i < count; i++ )
    {
        int expected = type == SOCK_STREAM ? rows[i].tcp : type == SOCK_DGRAM ? rows[i].udp : rows[i].raw;
        char value[256];
        int length = sizeof( value ), result;

        winetest_push_context( "level %d, option %d, type %d", level, rows[i].name, type );
        WSASetLastError( ERROR_UNTOUCHED );
        result = getsockopt( s, level, rows[i].name, value, &length );
        ok( result == ( expected ? SOCKET_ERROR : 0 ), "get returned %d\n", result );
        ok( WSAGetLastError() == expected, "get gave error %d, expected %d\n", WSAGetLastError(), expected );
        if ( !expected )
        {
            int set_error = rows[i].name == 71 ? WSAEINVAL : 0;

            result = setsockopt( s, level, rows[i].name, value, length );
            ok( result == ( set_error ? SOCKET_ERROR : 0 ), "set returned %d\n", result );
            ok( WSAGetLastError() == set_error, "set gave error %d, length %d\n", WSAGetLastError(), length );
        }
        winetest_pop_context();
    }
}

static void test_validity( void )
{
    static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_RAW };

    for ( unsigned int i = 0; i < ARRAY_SIZE( types ); i++ )
    {
        SOCKET s4 = socket( AF_INET, types[i], types[i] == SOCK_RAW ? IPPROTO_RAW : 0 );
        SOCKET s6 = socket( AF_INET6, types[i], types[i] == SOCK_RAW ? IPPROTO_RAW : 0 );

        if ( types[i] == SOCK_RAW && s4 == INVALID_SOCKET )
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
    int length = sizeof( value );

    for ( unsigned int i = 0; i < ARRAY_SIZE( levels ); i++ )
    {
        winetest_push_context( "level %#x", levels[i] );
        check_fails( getsockopt( s, levels[i], SO_MAX_MSG_SIZE, (char *)&value, &length ), WSAEINVAL );
        check_fails( getsockopt( s, levels[i], SO_RCVTIMEO, (char *)&value, &length ), WSAEINVAL );
        check_fails( setsockopt( s, levels[i], SO_RCVTIMEO, (char *)&value, sizeof( value ) ), WSAEINVAL );
        winetest_pop_context();
    }
    check_fails( getsockopt( s, IPPROTO_IP, -1, (char *)&value, &length ), WSAENOPROTOOPT );
    check_fails( getsockopt( s, SOL_SOCKET, SO_LINGER, (char *)&value, &length ), WSAENOPROTOOPT );
    check_clears( getsockopt( s, SOL_SOCKET, SO_MAX_MSG_SIZE, (char *)&value, &length ), 0 );
    ok( value == 65507 || value == 65527, "SO_MAX_MSG_SIZE %lu\n", value );

    for ( value = SOCK_STREAM; value <= SOCK_DGRAM; value++ )
    {
        check_fails( setsockopt( s, SOL_SOCKET, SO_TYPE, (char *)&value, sizeof( value ) ), WSAEINVAL );
        check_fails( setsockopt( tcp, SOL_SOCKET, SO_TYPE, (char *)&value, sizeof( value ) ), WSAENOPROTOOPT );
    }
    check_clears( getsockopt( s, SOL_SOCKET, SO_TYPE, (char *)&value, &length ), 0 );
    ok( value == SOCK_DGRAM && length == 4, "type %lu, length %d\n", value, length );
    check_clears( getsockopt( tcp, SOL_SOCKET, SO_TYPE, (char *)&value, &length ), 0 );
    ok( value == SOCK_STREAM, "type %lu\n", value );
    closesocket( tcp );

    /* meant for raw sockets */
    for ( int family = 0; family < 4; family++ )
    {
        SOCKET other = socket( family & 1 ? AF_INET6 : AF_INET, family & 2 ? SOCK_STREAM : SOCK_DGRAM, 0 );

        value = 0xdeadbeef;
        check_fails( getsockopt( other, IPPROTO_IP, IP_HDRINCL, (char *)&value, &length ), WSAEINVAL );
        ok( value == 0xdeadbeef, "read %#lx\n", value );
        for ( value = 0; value < 2; value++ )
            check_fails( setsockopt( other, IPPROTO_IP, IP_HDRINCL, (char *)&value, sizeof( value ) ), WSAEINVAL );
        closesocket( other );
    }
    closesocket( s );
    check_fails( getsockopt( s, SOL_SOCKET, SO_TYPE, (char *)&value, &length ), WSAENOTSOCK );
    check_fails( getsockopt( s, SOL_SOCKET, SO_TYPE, NULL, NULL ), WSAENOTSOCK );
}

static void test_no_socket( void )
{
    char path[MAX_PATH], file_name[MAX_PATH];
    int value = 0, length = sizeof( value );
    HANDLE file;

    GetTempPathA( sizeof( path ), path );
    GetTempFileNameA( path, "opt", 0, file_name );
    file =
        CreateFileA( file_name, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, FILE_FLAG_DELETE_ON_CLOSE, NULL );
    ok( file != INVALID_HANDLE_VALUE, "no file\n" );
    check_fails( getsockopt( (SOCKET)file, SOL_SOCKET, -1, (char *)&value, &length ), WSAENOTSOCK );
    check_fails( getsockopt( (SOCKET)file, SOL_SOCKET, SO_TYPE, (char *)&value, &length ), WSAENOTSOCK );
    check_ok( getsockopt( (SOCKET)file, SOL_SOCKET, SO_OPENTYPE, (char *)&value, &length ) );
    check_ok( setsockopt( (SOCKET)file, SOL_SOCKET, SO_OPENTYPE, (char *)&value, length ) );
    CloseHandle( file );
}

/* --- socket types, and who sees a value ---------------------------------------------------------------------------*/

/* Winsock 1.1: SO_BROADCAST is not for streams, and what belongs to connections is not for datagrams. */
static void test_socket_types( void )
{
    static const struct
    {
        int name;
        BOOL stream;
    } rows[] = { { SO_BROADCAST, FALSE }, { SO_ACCEPTCONN, TRUE }, { SO_DONTLINGER, TRUE },
                 { SO_KEEPALIVE, TRUE },  { SO_LINGER, TRUE },     { SO_OOBINLINE, TRUE } };

    for ( unsigned int i = 0; i < ARRAY_SIZE( rows ); i++ )
    {
        SOCKET right = socket( AF_INET, rows[i].stream ? SOCK_STREAM : SOCK_DGRAM, 0 );
        SOCKET wrong = socket( AF_INET, rows[i].stream ? SOCK_DGRAM : SOCK_STREAM, 0 );
        DWORD value = 0;
        int length = sizeof( value );

        winetest_push_context( "option %#x", rows[i].name );
        check_ok( getsockopt( right, SOL_SOCKET, rows[i].name, (char *)&value, &length ) );
        length = sizeof( value );
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
    for ( unsigned int i = 0; i < ARRAY_SIZE( settable ); i++ )
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

        check_clears( setsockopt( s, level, name, (char *)&value, sizeof( value ) ), 0 );
        check_ok( getsockopt( s, level, name, (char *)&other, &length ) );
        ok( other == value, "read %#lx, expected %#lx\n", other, value );
        other = 0;
        length = 4;
        check_ok( getsockopt( duplicate, level, name, (char *)&other, &length ) );
        ok( other == value, "the duplicate reads %#lx, expected %#lx\n", other, value );
        memset( puppet.message->data, 0, sizeof( other ) );
        puppet.message->level = level;
        puppet.message->option = name;
        puppet.message->length = 4;
        ok( !puppet_do_on( &puppet, PUPPET_GETSOCKOPT, remote ), "error %d\n", WSAGetLastError() );
        memcpy( &other, puppet.message->data, sizeof( other ) );
        ok( other == value, "the other process reads %#lx, expected %#lx\n", other, value );

        closesocket( s );
        closesocket( duplicate );
        puppet_do_on( &puppet, PUPPET_CLOSE, remote );
        winetest_pop_context();
    }
    puppet_destroy( &puppet );
}

START_TEST( options )
{
    if ( support_begin() ) return;
    test_classes();
    test_validity();
    test_levels();
    test_no_socket();
    test_socket_types();
    test_shared();
    support_end();
}
