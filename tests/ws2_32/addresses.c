/*
 * Addresses as text and byte order (facts: names-and-protocols 6 to 8): inet_addr's whole grammar, inet_ntoa's
 * string per thread, inet_ntop, WSAAddressToString and back, htons with and without a socket. What text is an address,
 * and what is kept of text that is none: address_text.c.
 */
#include "support.h"

#define STATUS_BAD_PARAMETER 0xc000000d

static void test_inet_addr( void )
{
    static const struct
    {
        const char *text;
        BOOL good;
        BYTE bytes[4];
    } rows[] = {
        { "1", TRUE, { 0, 0, 0, 1 } },
        { "1.2", TRUE, { 1, 0, 0, 2 } },
        { "1.2.3", TRUE, { 1, 2, 0, 3 } },
        { "203569230", TRUE, { 12, 34, 56, 78 } },
        { "1.2.3.0xaA", TRUE, { 1, 2, 3, 170 } },
        { "1.2.3.010", TRUE, { 1, 2, 3, 8 } },
        { "1.2.3.00", TRUE, { 1, 2, 3, 0 } },
        { "0x2134", TRUE, { 0, 0, 33, 52 } },
        { "0x00010203", TRUE, { 0, 1, 2, 3 } },
        { "017700000001", TRUE, { 127, 0, 0, 1 } },
        { "0777", TRUE, { 0, 0, 1, 255 } },
        { "3.4.5.6 ", TRUE, { 3, 4, 5, 6 } },
        { "3.4.5.6  7", TRUE, { 3, 4, 5, 6 } },
        { "3.4.5.6\t", TRUE, { 3, 4, 5, 6 } },
        { "3.4.5.6\r\n", TRUE, { 3, 4, 5, 6 } },
        { "1 2 3 4", TRUE, { 0, 0, 0, 1 } },
        { "3 .4.5.6", TRUE, { 0, 0, 0, 3 } },
        { "1.2.3 .4", TRUE, { 1, 2, 0, 3 } },
        { "1.2.3 \xfe\xff", TRUE, { 1, 2, 0, 3 } },
        { "0xa1a2b3b4 ", TRUE, { 161, 162, 179, 180 } },
        { " ", TRUE, { 0, 0, 0, 0 } },
        { "0.0.0.0", TRUE, { 0, 0, 0, 0 } },
        { "127.127.127.255", TRUE, { 127, 127, 127, 255 } },
        { "127.127.127.255:123", FALSE, { 0 } },
        { "::1/128", FALSE, { 0 } },
        { "[0.1.2.3]", FALSE, { 0 } },
        { " 3.4.5.6", FALSE, { 0 } },
        { "\t3.4.5.6", FALSE, { 0 } },
        { "3. 4.5.6", FALSE, { 0 } },
        { "1.2.3. 4", FALSE, { 0 } },
        { "3.4.5.6. 7", FALSE, { 0 } },
        { " 0", FALSE, { 0 } },
        { "", FALSE, { 0 } },
        { ".", FALSE, { 0 } },
        { ".1.2.3", FALSE, { 0 } },
        { "1.1.1.0x", FALSE, { 0 } },
        { "3.4.5.6.7", FALSE, { 0 } },
        { "127.127.127.256", FALSE, { 0 } },
        { "256.1.1.1", FALSE, { 0 } },
        { "1.256.1.1", FALSE, { 0 } },
        { "1.2.65536", FALSE, { 0 } },
        { "1.16777216", FALSE, { 0 } },
        { "4294967296", FALSE, { 0 } },
        { "1.2.65535", TRUE, { 1, 2, 255, 255 } },
        { "1.16777215", TRUE, { 1, 255, 255, 255 } },
        { "4294967294", TRUE, { 255, 255, 255, 254 } },
        { "0xFfFfFfFe", TRUE, { 255, 255, 255, 254 } },
        { "0x7f.1", TRUE, { 127, 0, 0, 1 } },
        { "010.0x10.020.1", TRUE, { 8, 16, 16, 1 } },
        { "3.4.5.6\v7", TRUE, { 3, 4, 5, 6 } },
        { "3.4.5.6\f.7", TRUE, { 3, 4, 5, 6 } },
        { "1..2", FALSE, { 0 } },
        { "1.2.3.", FALSE, { 0 } },
        { "0x", FALSE, { 0 } },
        { "08", FALSE, { 0 } },
        { "+1", FALSE, { 0 } },
        { "-1", FALSE, { 0 } },
        { "a", FALSE, { 0 } },
        { "1234BEEF", FALSE, { 0 } },
        { "1.2.3.0a", FALSE, { 0 } },
        { "1.1.1.0o10", FALSE, { 0 } },
        { "1.1.1.0b10", FALSE, { 0 } },
        { "1.1.1.-2", FALSE, { 0 } },
        { "::1", FALSE, { 0 } },
        { "::177.32.45.20", FALSE, { 0 } },
        { "2607:f0d0:1002:51::4", FALSE, { 0 } },
        { ":1", FALSE, { 0 } },
        { "  ", FALSE, { 0 } },
        { "\t", FALSE, { 0 } },
    };

    for ( unsigned int i = 0; i < ARRAY_SIZE( rows ); i++ )
    {
        ULONG expected = INADDR_NONE, got;

        if ( rows[i].good ) memcpy( &expected, rows[i].bytes, 4 );
        WSASetLastError( ERROR_UNTOUCHED );
        got = inet_addr( rows[i].text );
        ok( got == expected, "\"%s\" gave %#lx, expected %#lx\n", rows[i].text, got, expected );
        ok( WSAGetLastError() == (int)ERROR_UNTOUCHED, "\"%s\" left error %d\n", rows[i].text, WSAGetLastError() );
    }
    /* nothing but the seven characters of white space may follow the digits */
    for ( int c = 1; c < 256; c++ )
    {
        char text[] = "3.4.5.6?";
        BOOL good = ( c >= 9 && c <= 13 ) || c == 32 || ( c >= '0' && c <= '9' );

        text[7] = c;
        ok( ( inet_addr( text ) != INADDR_NONE ) == good, "character %d: %#lx\n", c, inet_addr( text ) );
    }
    check_error( inet_addr( NULL ), INADDR_NONE, WSAEFAULT );
}

static DWORD WINAPI ntoa_thread( void *arg )
{
    struct in_addr address;

    address.s_addr = htonl( 0x01020304 );
    *(char **)arg = inet_ntoa( address );
    ok( !strcmp( inet_ntoa( address ), "1.2.3.4" ), "got %s\n", inet_ntoa( address ) );
    return 0;
}

static void test_inet_ntoa( void )
{
    static const struct
    {
        ULONG address;
        const char *text;
    } rows[] = {
        { 0, "0.0.0.0" }, { 0x15102020, "21.16.32.32" }, { 0xffffffff, "255.255.255.255" }, { 0x0a000001, "10.0.0.1" }
    };
    char *mine, *other = NULL;
    struct in_addr address;
    HANDLE thread;

    for ( unsigned int i = 0; i < ARRAY_SIZE( rows ); i++ )
    {
        char buffer[32];

        address.s_addr = htonl( rows[i].address );
        ok( !strcmp( inet_ntoa( address ), rows[i].text ), "got %s\n", inet_ntoa( address ) );
        ok( inet_ntop( AF_INET, &address, buffer, sizeof( buffer ) ) == buffer, "inet_ntop failed\n" );
        ok( !strcmp( buffer, rows[i].text ), "got %s\n", buffer );
    }
    /* the text of an IPv4 address takes as many characters, and one for the NUL */
    for ( unsigned int i = 0; i < ARRAY_SIZE( rows ); i++ )
    {
        WCHAR wide[32];
        char buffer[32];
        int length = strlen( rows[i].text );

        address.s_addr = htonl( rows[i].address );
        check_error( (ULONG_PTR)inet_ntop( AF_INET, &address, buffer, length ), 0, STATUS_BAD_PARAMETER );
        check_error( (ULONG_PTR)inet_ntop( AF_INET, &address, buffer, 0 ), 0, STATUS_BAD_PARAMETER );
        check_error( (ULONG_PTR)inet_ntop( AF_INET, &address, NULL, 32 ), 0, STATUS_BAD_PARAMETER );
        check_error( (ULONG_PTR)inet_ntop( 1, &address, buffer, 32 ), 0, WSAEAFNOSUPPORT );
        check_error( (ULONG_PTR)InetNtopW( AF_INET, &address, wide, length ), 0, STATUS_BAD_PARAMETER );
        check_error( (ULONG_PTR)InetNtopW( AF_INET, &address, NULL, 32 ), 0, STATUS_BAD_PARAMETER );
        ok( inet_ntop( AF_INET, &address, buffer, length + 1 ) == buffer, "failed\n" );
        ok( inet_ntop( AF_INET, &address, buffer, 0x7fffffff ) == buffer, "failed\n" );
        ok( InetNtopW( AF_INET, &address, wide, length + 1 ) == wide, "failed\n" );
    }
    mine = inet_ntoa( address );
    thread = CreateThread( NULL, 0, ntoa_thread, &other, 0, NULL );
    WaitForSingleObject( thread, INFINITE );
    CloseHandle( thread );
    ok( other && other != mine, "one string for two threads\n" );
    ok( !strcmp( mine, rows[3].text ), "the other thread made it %s\n", mine );
}

static void test_inet_ntop( void )
{
    static const struct
    {
        BYTE bytes[16];
        const char *text;
    } rows[] = {
        { { [10] = 0xff, 0xfe, 0xcc, 0x98, 0xbd, 0x74 }, "::fffe:cc98:bd74" },
        { { 0x20, 0x30, 0xa4, 0xb1 }, "2030:a4b1::" },
        { { [12] = 0xcc, 0x98, 0xbd, 0x74 }, "::204.152.189.116" },
        { { [15] = 1 }, "::1" },
        { { 0 }, "::" },
    };
    WCHAR wide[64], expected[64];
    char buffer[64];

    for ( unsigned int i = 0; i < ARRAY_SIZE( rows ); i++ )
    {
        ok( inet_ntop( AF_INET6, rows[i].bytes, buffer, sizeof( buffer ) ) == buffer, "failed\n" );
        ok( !strcmp( buffer, rows[i].text ), "got %s, expected %s\n", buffer, rows[i].text );
        ok( InetNtopW( AF_INET6, rows[i].bytes, wide, ARRAY_SIZE( wide ) ) == wide, "failed\n" );
        MultiByteToWideChar( CP_ACP, 0, buffer, -1, expected, ARRAY_SIZE( expected ) );
        ok( !wcscmp( wide, expected ), "the wide form differs\n" );
        /* the size counts the NUL; more than there is does not matter */
        check_error( (ULONG_PTR)inet_ntop( AF_INET6, rows[i].bytes, buffer, strlen( rows[i].text ) ), 0,
                     STATUS_BAD_PARAMETER );
        ok( inet_ntop( AF_INET6, rows[i].bytes, buffer, strlen( rows[i].text ) + 1 ) == buffer, "failed\n" );
        ok( inet_ntop( AF_INET6, rows[i].bytes, buffer, 0x7fffffff ) == buffer, "failed\n" );
        check_error( (ULONG_PTR)inet_ntop( AF_INET6, rows[i].bytes, buffer, 0 ), 0, STATUS_BAD_PARAMETER );
        check_error( (ULONG_PTR)inet_ntop( AF_INET6, rows[i].bytes, NULL, 64 ), 0, STATUS_BAD_PARAMETER );
        check_error( (ULONG_PTR)inet_ntop( 1, rows[i].bytes, buffer, 64 ), 0, WSAEAFNOSUPPORT );
        check_error( (ULONG_PTR)InetNtopW( 1, rows[i].bytes, wide, 64 ), 0, WSAEAFNOSUPPORT );
        check_error( (ULONG_PTR)InetNtopW( AF_INET6, rows[i].bytes, wide, strlen( rows[i].text ) ), 0,
                     STATUS_BAD_PARAMETER );
    }
}

static void test_address_to_string( void )
{
    static const struct
    {
        int family;
        BYTE bytes[16];
        USHORT port;
        ULONG scope;
        const char *text;
    } rows[] = {
        { AF_INET, { 0 }, 0, 0, "0.0.0.0" },
        { AF_INET, { 255, 255, 255, 255 }, 0, 0, "255.255.255.255" },
        { AF_INET, { 0 }, 65535, 0, "0.0.0.0:65535" },
        { AF_INET, { 255, 255, 255, 255 }, 65535, 0, "255.255.255.255:65535" },
        { AF_INET6, { [15] = 1 }, 0, 0, "::1" },
        { AF_INET6, { 0x20, 0xab, [15] = 1 }, 0, 0, "20ab::1" },
        { AF_INET6, { 0x20, 0xab, [14] = 0x20, 1 }, 33274, 0, "[20ab::2001]:33274" },
        { AF_INET6, { 0x20, 0xab, [14] = 0x20, 1 }, 33274, 4660, "[20ab::2001%4660]:33274" },
        { AF_INET6, { 0x20, 0xab, [14] = 0x20, 1 }, 0, 4660, "20ab::2001%4660" },
    };

    for ( unsigned int i = 0; i < ARRAY_SIZE( rows ); i++ )
    {
        union address address = { 0 }, parsed;
        WCHAR wide[64], wide_expected[64];
        DWORD length, needed = strlen( rows[i].text ) + 1;
        int size = rows[i].family == AF_INET ? sizeof( address.v4 ) : sizeof( address.v6 ), parsed_size;
        char text[64];

        winetest_push_context( "%s", rows[i].text );
        address.any.sa_family = rows[i].family;
        address.v4.sin_port = htons( rows[i].port );
        if ( rows[i].family == AF_INET ) memcpy( &address.v4.sin_addr, rows[i].bytes, 4 );
        else memcpy( &address.v6.sin6_addr, rows[i].bytes, 16 );
        if ( rows[i].family == AF_INET6 ) address.v6.sin6_scope_id = rows[i].scope;

        length = sizeof( text );
        check_ok( WSAAddressToStringA( &address.any, size, NULL, text, &length ) );
        ok( !strcmp( text, rows[i].text ) && length == needed, "got %s, %lu\n", text, length );
        length = ARRAY_SIZE( wide );
        check_ok( WSAAddressToStringW( &address.any, size, NULL, wide, &length ) );
        MultiByteToWideChar( CP_ACP, 0, rows[i].text, -1, wide_expected, ARRAY_SIZE( wide_expected ) );
        ok( !wcscmp( wide, wide_expected ) && length == needed, "wide: length %lu\n", length );

        length = needed - 1;
        check_fails( WSAAddressToStringA( &address.any, size, NULL, text, &length ), WSAEFAULT );
        ok( length == needed, "got %lu\n", length );
        length = needed - 1;
        check_fails( WSAAddressToStringW( &address.any, size, NULL, wide, &length ), WSAEFAULT );
        ok( length == needed, "got %lu\n", length );
        length = 0;
        check_fails( WSAAddressToStringW( &address.any, size, NULL, NULL, &length ), WSAEFAULT );
        ok( length == needed, "got %lu\n", length );
        length = 0;
        check_fails( WSAAddressToStringA( &address.any, size, NULL, NULL, &length ), WSAEFAULT );
        ok( length == needed, "got %lu\n", length );
        length = needed;
        check_ok( WSAAddressToStringA( &address.any, size, NULL, text, &length ) );
        ok( length == needed, "got %lu\n", length );
        length = needed;
        check_ok( WSAAddressToStringW( &address.any, size, NULL, wide, &length ) );
        ok( length == needed, "got %lu\n", length );

        parsed_size = sizeof( parsed );
        memset( &parsed, 0xcc, sizeof( parsed ) );
        check_ok( WSAStringToAddressA( (char *)rows[i].text, rows[i].family, NULL, &parsed.any, &parsed_size ) );
        ok( parsed_size == size && !memcmp( &parsed, &address, size ), "does not come back\n" );
        parsed_size = sizeof( parsed );
        memset( &parsed, 0xcc, sizeof( parsed ) );
        check_ok( WSAStringToAddressW( wide_expected, rows[i].family, NULL, &parsed.any, &parsed_size ) );
        ok( parsed_size == size && !memcmp( &parsed, &address, size ), "the wide form does not come back\n" );
        parsed_size = size - 1;
        check_fails( WSAStringToAddressA( (char *)rows[i].text, rows[i].family, NULL, &parsed.any, &parsed_size ),
                     WSAEFAULT );
        ok( parsed_size == size, "got %d\n", parsed_size );
        winetest_pop_context();
    }
    {
        union address address = { 0 };
        int size = sizeof( address );
        DWORD length = 64;
        char text[64];

        address.any.sa_family = AF_INET;
        check_fails( WSAAddressToStringA( NULL, sizeof( address.v4 ), NULL, text, &length ), WSAEFAULT );
        check_fails( WSAAddressToStringA( &address.any, sizeof( address.v4 ), NULL, text, NULL ), WSAEFAULT );
        check_fails( WSAStringToAddressA( (char *)"nonsense", AF_INET, NULL, &address.any, &size ), WSAEINVAL );
        check_fails( WSAStringToAddressA( (char *)"1.2.3.4", AF_INET6, NULL, &address.any, &size ), WSAEINVAL );
        check_fails( WSAStringToAddressA( NULL, AF_INET, NULL, &address.any, &size ), WSAEINVAL );
    }
}

static void test_byte_order( void )
{
    SOCKET s = socket( AF_INET, SOCK_DGRAM, 0 );
    u_short word;
    u_long value;

    ok( htons( 0x1234 ) == 0x3412 && ntohs( 0x1234 ) == 0x3412, "got %#x, %#x\n", htons( 0x1234 ), ntohs( 0x1234 ) );
    ok( htonl( 0x12345678 ) == 0x78563412 && ntohl( 0x12345678 ) == 0x78563412, "got %#lx\n", htonl( 0x12345678 ) );
    check_ok( WSAHtons( s, 0x1234, &word ) );
    ok( word == 0x3412, "got %#x\n", word );
    check_ok( WSANtohs( s, 0x1234, &word ) );
    ok( word == 0x3412, "got %#x\n", word );
    check_ok( WSAHtonl( s, 0x12345678, &value ) );
    ok( value == 0x78563412, "got %#lx\n", value );
    check_ok( WSANtohl( s, 0x12345678, &value ) );
    ok( value == 0x78563412, "got %#lx\n", value );
    check_fails( WSAHtons( s, 1, NULL ), WSAEFAULT );
    check_fails( WSANtohl( s, 1, NULL ), WSAEFAULT );
    check_fails( WSAHtons( INVALID_SOCKET, 1, &word ), WSAENOTSOCK );
    check_fails( WSAHtonl( INVALID_SOCKET, 1, &value ), WSAENOTSOCK );
    closesocket( s );
    check_fails( WSANtohs( s, 1, &word ), WSAENOTSOCK );
}

START_TEST( addresses )
{
    if ( support_begin() ) return;
    test_inet_addr();
    test_inet_ntoa();
    test_inet_ntop();
    test_address_to_string();
    test_byte_order();
    support_end();
}
