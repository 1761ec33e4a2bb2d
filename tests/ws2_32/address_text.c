/*
 * What text is an address, and what is kept of text that is none (facts: windows-behaviour 10.2 to 10.5): inet_pton and
 * InetPtonW, WSAStringToAddress in both widths.
 */
#include "support.h"

/* Text that is or is not an address: what is understood is written in either case, up to an error. */
struct text_row
{
    const char *text;
    int result;
    const char *written; /* in hexadecimal; the bytes behind are left alone */
};

static const struct text_row rows_v4[] = {
    { "1.1.1.1", 1, "01010101" },
    { "0.0.0.0", 1, "00000000" },
    { "127.127.127.255", 1, "7f7f7fff" },
    { "255.255.255.255", 1, "ffffffff" },
    /* something behind four parts */
    { "127.127.127.255:123", 0, "7f7f7fff" },
    { "3.4.5.6 ", 0, "03040506" },
    { "3.4.5.6a", 0, "03040506" },
    { "3.4.5.6\n", 0, "03040506" },
    { "3.4.5.6/8", 0, "03040506" },
    { "1.1.1.0a", 0, "01010100" },
    { "1.1.1.0o10", 0, "01010100" },
    { "1.1.1.0b10", 0, "01010100" },
    /* errors */
    { "", 0, "" },
    { " ", 0, "" },
    { "127.127.127.256", 0, "" },
    { "127.256.127.1", 0, "" },
    { "4294967297.1.1.1", 0, "" },
    { "1.1.1.4294967297", 0, "" },
    { "a", 0, "" },
    { "1.1.1.0xaA", 0, "" },
    { "1.1.1.0x", 0, "" },
    { "1.1.1.0X1", 0, "" },
    { "0x1.1.1.1", 0, "" },
    { "01.1.1.1", 0, "" },
    { "1.1.1.010", 0, "" },
    { "1.1.1.00", 0, "" },
    { "1.1.1.-2", 0, "" },
    { "1.1.1.+2", 0, "" },
    { "1.1.1.", 0, "" },
    { "1..1.1", 0, "" },
    { ".1.1.1", 0, "" },
    { "1", 0, "" },
    { "1.2", 0, "" },
    { "1.2.3", 0, "" },
    { "203569230", 0, "" },
    { "3.4.5.6.7", 0, "" },
    { "3.4.5.6.", 0, "" },
    { " 3.4.5.6", 0, "" },
    { "\t3.4.5.6", 0, "" },
    { "3. 4.5.6", 0, "" },
    { "3 .4.5.6", 0, "" },
    { "[0.1.2.3]", 0, "" },
    { "0x00010203", 0, "" },
    { "0x2134", 0, "" },
    { "1234BEEF", 0, "" },
    { "017700000001", 0, "" },
    { "0777", 0, "" },
    { "::1", 0, "" },
    { "::1.2.3.4", 0, "" },
    { "2607:f0d0:1002:51::4", 0, "" },
    { ":1", 0, "" },
};

static const struct text_row rows_v6[] = {
    { "::", 1, "00000000000000000000000000000000" },
    { "::1", 1, "00000000000000000000000000000001" },
    { "1::", 1, "00010000000000000000000000000000" },
    { "2001:db8::ff", 1, "20010db80000000000000000000000ff" },
    { "1:2:3:4:5:6:7:8", 1, "00010002000300040005000600070008" },
    { "aBcD:EF01::", 1, "abcdef01000000000000000000000000" },
    { "0001:0020::", 1, "00010020000000000000000000000000" },
    /* a gap may stand for one word */
    { "0:0:0:0:0:0:0::", 1, "00000000000000000000000000000000" },
    { "::0:0:0:0:0:0:0", 1, "00000000000000000000000000000000" },
    { "::2:3:4:5:6:7:8", 1, "00000002000300040005000600070008" },
    { "1:2:3:4:5:6:7::", 1, "00010002000300040005000600070000" },
    { "1111::3333:4444:5555:6666:7777:8888", 1, "11110000333344445555666677778888" },
    { "1111:2222:3333:4444:5555:6666::8888", 1, "11112222333344445555666600008888" },
    /* four decimal parts at the end */
    { "::1.2.3.4", 1, "00000000000000000000000001020304" },
    { "1::001.2.3.4", 1, "00010000000000000000000001020304" },
    { "1::1.002.3.255", 1, "000100000000000000000000010203ff" },
    { "::ffff:255.255.255.255", 1, "00000000000000000000ffffffffffff" },
    { "0:0:0:0:0:0:13.1.68.3", 1, "0000000000000000000000000d014403" },
    { "1111:2222:3333:4444:5555::123.123.123.123", 1,
      "111122223333444455550000"
      "7b7b7b7b" },
    { "::2222:3333:4444:5555:6666:1.2.3.4", 1,
      "000022223333444455556666"
      "01020304" },
    /* errors before anything was written */
    { "", 0, "" },
    { " ", 0, "" },
    { "1111", 0, "" },
    { "0x1111", 0, "" },
    { "-1", 0, "" },
    { ":", 0, "" },
    { ":1111::", 0, "" },
    { "[::]", 0, "" },
    { "[::1]", 0, "" },
    { "12345::6:7:8", 0, "" },
    { " ::1", 0, "" },
    { "g::", 0, "" },
    /* errors behind words */
    { "1111:2222:", 0, "11112222" },
    { "1111:2222:3333", 0, "11112222" },
    { "1111:2222:12345", 0, "11112222" },
    { "2001:db8", 0, "2001" },
    { "1:2:3:4:5:6:7:", 0, "0001000200030004000500060007" },
    { "1:2:3:4:5:6:7:g", 0, "0001000200030004000500060007" },
    { "1:2:3:4:5:6:7:12345", 0, "0001000200030004000500060007" },
    { "1111::5555:", 0, "11115555" },
    { "1111::5555:g", 0, "11115555" },
    { "::01234", 0, "0000" },
    { "::12345678", 0, "0000" },
    { "::1:", 0, "0001" },
    { "1111:2222:3333:4444:5555::08888", 0, "11112222333344445555" },
    { "1111:2222:3333:4444:5555::fffff", 0, "11112222333344445555" },
    { "2001:0000:1234: 0000:0000:C1C0:ABCD:0876", 0, "200100001234" },
    /* something behind an address */
    { "::%16", 0, "00000000000000000000000000000000" },
    { "::/16", 0, "00000000000000000000000000000000" },
    { "::.", 0, "00000000000000000000000000000000" },
    { "::-1", 0, "00000000000000000000000000000000" },
    { ":::", 0, "00000000000000000000000000000000" },
    { ":: ", 0, "00000000000000000000000000000000" },
    { "::1%1", 0, "00000000000000000000000000000001" },
    { "::1]", 0, "00000000000000000000000000000001" },
    { "1111:2222:::", 0, "11112222000000000000000000000000" },
    { "1111::3333::5555:6666:1.2.3.4", 0, "11110000000000000000000000003333" },
    { "1::2::3", 0, "00010000000000000000000000000002" },
    { "1:2:3:4:5:6:7:8:9", 0, "00010002000300040005000600070008" },
    { "1:2:3:4:5:6:7:8::", 0, "00010002000300040005000600070008" },
    { "1111:2222:3333:4444:5555:6666:7777::8888", 0, "11112222333344445555666677770000" },
    { "1111:2222:3333:4444:5555:6666::7777:8888", 0, "11112222333344445555666600007777" },
    { "2001:0000:1234:0000:0000:C1C0:ABCD:0876  0", 0,
      "200100001234000000"
      "00c1c0abcd0876" },
    { "2001:0::b.0", 0, "2001000000000000000000000000000b" },
    /* hexadecimal's prefix: its value is taken, and the text ends before the x */
    { "::0x80000000", 0, "0000000000000000000000000000ffff" },
    { "::0x7ffffffe", 0, "0000000000000000000000000000fffe" },
    { "::0x012345678", 0, "00000000000000000000000000005678" },
    { "::0x", 0, "00000000000000000000000000000000" },
    { "::00x1", 0, "00000000000000000000000000000000" },
    { "1111:2222:3333:4444:5555::0X88:7777", 0, "11112222333344445555000000000088" },
    { "1111:2222:3333:4444:0x5555:6666:7777:8888", 0, "1111222233334444" },
    { "1111:2222:3333:4444:5555:6666:7777:0x123456789", 0, "1111222233334444555566667777ffff" },
    /* decimal parts in other places */
    { "1.2.3.4", 0, "010203" },
    { "1.2.3.256", 0, "010203" },
    { "1111:2222:1.2.3.4", 0, "11112222010203" },
    { "1111:2222:3333:4444:5555:6666:7777:1.2.3.4", 0, "11112222333344445555666677770001" },
    { "1111:2222:3333:4444:5555:6666::1.2.3.4", 0, "11112222333344445555666600000001" },
    { "1::1.", 0, "000101" },
    { "1::1.2", 0, "000101" },
    { "1::1.2.", 0, "00010102" },
    { "1::1.2.3", 0, "00010102" },
    { "1::1.2.3.", 0, "0001010203" },
    { "1::1.2.3.256", 0, "0001010203" },
    { "1::1.2.3.0004", 0, "0001010203" },
    { "1::256.2.3.4", 0, "0001" },
    { "1::0001.2.3.4", 0, "0001" },
    { "1::1.2.3.4::1", 0, "00010000000000000000000001020304" },
    { "1::1.2.3.4.5", 0, "00010000000000000000000001020304" },
    { "1::1.2.3.4a", 0, "00010000000000000000000001020304" },
    { "1::1a.2.3.4", 0, "0001000000000000000000000000001a" },
};

static void check_text( int family, const struct text_row *row )
{
    BYTE expected[20], bytes[20], wide_bytes[20];
    WCHAR wide[64];

    winetest_push_context( "\"%s\"", row->text );
    memset( expected, 0xa5, sizeof( expected ) );
    for ( unsigned int i = 0, byte; sscanf( row->written + 2 * i, "%2x", &byte ) == 1; i++ ) expected[i] = byte;
    memset( bytes, 0xa5, sizeof( bytes ) );
    memset( wide_bytes, 0xa5, sizeof( wide_bytes ) );
    MultiByteToWideChar( CP_ACP, 0, row->text, -1, wide, ARRAY_SIZE( wide ) );
    check_error( inet_pton( family, row->text, bytes ), row->result, ERROR_UNTOUCHED );
    check_error( InetPtonW( family, wide, wide_bytes ), row->result, row->result ? ERROR_UNTOUCHED : WSAEINVAL );
    ok( !memcmp( bytes, expected, sizeof( bytes ) ), "another address\n" );
    ok( !memcmp( wide_bytes, expected, sizeof( bytes ) ), "another address from the wide form\n" );
    for ( unsigned int i = 0; i < sizeof( bytes ); i++ )
        if ( bytes[i] != expected[i] ) trace( "byte %u is %#x, expected %#x\n", i, bytes[i], expected[i] );
    winetest_pop_context();
}

static void test_inet_pton( void )
{
    BYTE bytes[16];

    for ( unsigned int i = 0; i < ARRAY_SIZE( rows_v4 ); i++ ) check_text( AF_INET, &rows_v4[i] );
    for ( unsigned int i = 0; i < ARRAY_SIZE( rows_v6 ); i++ ) check_text( AF_INET6, &rows_v6[i] );
    for ( unsigned int i = 0; i < ARRAY_SIZE( rows_v6 ); i++ )
    {
        struct text_row row = { rows_v6[i].text, 0, "" };

        if ( strchr( row.text, ':' ) ) check_text( AF_INET, &row );
    }
    check_fails( inet_pton( AF_UNSPEC, "1.2.3.4", bytes ), WSAEAFNOSUPPORT );
    check_fails( InetPtonW( AF_UNSPEC, L"1.2.3.4", bytes ), WSAEAFNOSUPPORT );
    check_fails( InetPtonW( 1, L"1.2.3.4", bytes ), WSAEAFNOSUPPORT );
    check_fails( inet_pton( AF_INET, "1.2.3.4", NULL ), WSAEFAULT );
    /* the pointer is looked at before the family */
    check_fails( inet_pton( AF_UNSPEC, NULL, bytes ), WSAEFAULT );
    check_fails( inet_pton( AF_INET, NULL, bytes ), WSAEFAULT );
    check_fails( inet_pton( AF_INET6, NULL, bytes ), WSAEFAULT );
    check_fails( InetPtonW( AF_UNSPEC, NULL, bytes ), WSAEFAULT );
    check_fails( InetPtonW( AF_INET, NULL, bytes ), WSAEFAULT );
    check_fails( InetPtonW( AF_INET6, NULL, bytes ), WSAEFAULT );
}

/* Text of a whole socket address: the structure is zeroed, what is understood of the address stays, the rest is there
 * only when all is good. */
struct address_row
{
    const char *text;
    BOOL good;
    ULONG address; /* of IPv4, in host order */
    USHORT port;
};

static const struct address_row address_rows_v4[] = {
    { "1.1.1.1", TRUE, 0x01010101, 0 },
    { "0.0.0.0", TRUE, 0, 0 },
    { "127.127.127.255", TRUE, 0x7f7f7fff, 0 },
    { "255.255.255.255:65535", TRUE, 0xffffffff, 65535 },
    { "1:1", TRUE, 1, 1 },
    { "1.2.3:1", TRUE, 0x01020003, 1 },
    { "0777:10", TRUE, 0x1ff, 10 },
    { "1.223756", TRUE, 0x01036a0c, 0 },
    { "3.4.756", TRUE, 0x030402f4, 0 },
    { "3.4.65535", TRUE, 0x0304ffff, 0 },
    { "1.16777215", TRUE, 0x01ffffff, 0 },
    { "4294967295", TRUE, 0xffffffff, 0 },
    { "0xFF.0XfE.010.1", TRUE, 0xfffe0801, 0 },
    { "203569230", TRUE, 0x0c22384e, 0 },
    { "017700000001", TRUE, 0x7f000001, 0 },
    { "1.1.1.00", TRUE, 0x01010100, 0 },
    /* a single part is taken modulo 2^32 */
    { "0x123456789", TRUE, 0x23456789, 0 },
    { "127.127.127.127:123", TRUE, 0x7f7f7f7f, 123 },
    { "127.127.127.127:010", TRUE, 0x7f7f7f7f, 8 },
    { "127.127.127.127:007", TRUE, 0x7f7f7f7f, 7 },
    { "127.127.127.127:0xAbCd", TRUE, 0x7f7f7f7f, 43981 },
    { "127.127.127.127:0XaBcD", TRUE, 0x7f7f7f7f, 43981 },
    { "127.127.127.127:", FALSE, 0x7f7f7f7f, 0 },
    { "127.127.127.127:0", FALSE, 0x7f7f7f7f, 0 },
    { "127.127.127.127:65536", FALSE, 0x7f7f7f7f, 0 },
    { "127.127.127.127:65537", FALSE, 0x7f7f7f7f, 0 },
    { "127.127.127.127:4294967297", FALSE, 0x7f7f7f7f, 0 },
    { "127.127.127.127::1", FALSE, 0x7f7f7f7f, 0 },
    { "127.127.127.127:0x", FALSE, 0x7f7f7f7f, 0 },
    { "127.127.127.127:0x10000", FALSE, 0x7f7f7f7f, 0 },
    { "127.127.127.127:08", FALSE, 0x7f7f7f7f, 0 },
    { "127.127.127.127:008", FALSE, 0x7f7f7f7f, 0 },
    { "127.127.127.127:0a", FALSE, 0x7f7f7f7f, 0 },
    { "127.127.127.127:0o10", FALSE, 0x7f7f7f7f, 0 },
    { "127.127.127.127:0b10", FALSE, 0x7f7f7f7f, 0 },
    { "127.127.127.127:1:2", FALSE, 0x7f7f7f7f, 0 },
    { "127.127.127.127:-1", FALSE, 0x7f7f7f7f, 0 },
    { "3.4.5.6 ", FALSE, 0x03040506, 0 },
    { "3.4.5.6a", FALSE, 0x03040506, 0 },
    { "3.4.5.6:7 ", FALSE, 0x03040506, 0 },
    { "3.4.5.6: 7", FALSE, 0x03040506, 0 },
    { "1.1.1.008", FALSE, 0x01010100, 0 },
    { "1.1.1.0a", FALSE, 0x01010100, 0 },
    { "1.1.1.0o10", FALSE, 0x01010100, 0 },
    { "1.1.1.0b10", FALSE, 0x01010100, 0 },
    { "0x00010Q03", FALSE, 0x10, 0 },
    { "1234BEEF", FALSE, 1234, 0 },
    { "2001::1", FALSE, 2001, 0 },
    { "1.2 ", FALSE, 0x01000002, 0 },
    { "", FALSE, 0, 0 },
    { " ", FALSE, 0, 0 },
    { "255.255.255.256", FALSE, 0, 0 },
    { "a", FALSE, 0, 0 },
    { "1.1.1.0x", FALSE, 0, 0 },
    { "1.1.1.0x100", FALSE, 0, 0 },
    { "1.1.1.08", FALSE, 0, 0 },
    { "1.1.1.-2", FALSE, 0, 0 },
    { "-1", FALSE, 0, 0 },
    { "1000.2000", FALSE, 0, 0 },
    { "1.2.", FALSE, 0, 0 },
    { "1..2", FALSE, 0, 0 },
    { "1...2", FALSE, 0, 0 },
    { "1.2.3.", FALSE, 0, 0 },
    { "756.3.4", FALSE, 0, 0 },
    { "3.756.4", FALSE, 0, 0 },
    { "3.4.756.1", FALSE, 0, 0 },
    { "3.4.65536", FALSE, 0, 0 },
    { "3.16777216", FALSE, 0, 0 },
    { "3.4.5.6.7", FALSE, 0, 0 },
    { "3.4.5.6.", FALSE, 0, 0 },
    { "3.4.5.+6", FALSE, 0, 0 },
    { " 3.4.5.6", FALSE, 0, 0 },
    { "\t3.4.5.6", FALSE, 0, 0 },
    { "3. 4.5.6", FALSE, 0, 0 },
    { ".", FALSE, 0, 0 },
    { "[0.1.2.3]", FALSE, 0, 0 },
    { "x00010203", FALSE, 0, 0 },
    { "::1", FALSE, 0, 0 },
    { ":1", FALSE, 0, 0 },
};

static const struct
{
    const char *text;
    BOOL good;
    USHORT port;
    ULONG scope;
    BYTE address[16];
} address_rows_v6[] = {
    { "::1", TRUE, 0, 0, { [15] = 1 } },
    { "[::1]", TRUE, 0, 0, { [15] = 1 } },
    { "2001::1", TRUE, 0, 0, { 0x20, 1, [15] = 1 } },
    { "001::1", TRUE, 0, 0, { 0, 1, [15] = 1 } },
    { "::1:2:3:4:5:6:7", TRUE, 0, 0, { 0, 0, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7 } },
    { "[::1]:65535", TRUE, 65535, 0, { [15] = 1 } },
    { "[::1]:0x10", TRUE, 16, 0, { [15] = 1 } },
    { "[::1]:010", TRUE, 8, 0, { [15] = 1 } },
    { "fe80::1%3", TRUE, 0, 3, { 0xfe, 0x80, [15] = 1 } },
    { "[fe80::1%3]", TRUE, 0, 3, { 0xfe, 0x80, [15] = 1 } },
    { "[fe80::1%3]:7", TRUE, 7, 3, { 0xfe, 0x80, [15] = 1 } },
    { "::1]:65535", FALSE, 0, 0, { [15] = 1 } },
    { "[::1", FALSE, 0, 0, { [15] = 1 } },
    { "[::1]:65536", FALSE, 0, 0, { [15] = 1 } },
    { "[::1]:", FALSE, 0, 0, { [15] = 1 } },
    { "[::1] ", FALSE, 0, 0, { [15] = 1 } },
    { "[fe80::1%3]:", FALSE, 0, 0, { 0xfe, 0x80, [15] = 1 } },
    { "fe80::1%", FALSE, 0, 0, { 0xfe, 0x80, [15] = 1 } },
    { "fe80::1%3a", FALSE, 0, 0, { 0xfe, 0x80, [15] = 1 } },
    { "1.2.3.4", FALSE, 0, 0, { 1, 2, 3 } },
    { "1:2:3:", FALSE, 0, 0, { 0, 1, 0, 2, 0, 3 } },
    { "1::2:", FALSE, 0, 0, { 0, 1, 0, 2 } },
    { "", FALSE, 0, 0, { 0 } },
    { "[", FALSE, 0, 0, { 0 } },
    { "[]", FALSE, 0, 0, { 0 } },
    { "[[::1]]", FALSE, 0, 0, { 0 } },
};

/* Both widths of WSAStringToAddress. */
static void check_parsed( const char *text, int family, BOOL good, const union address *expected )
{
    const int size = family == AF_INET ? sizeof( expected->v4 ) : sizeof( expected->v6 );

    winetest_push_context( "\"%s\"", text );
    for ( int wide = 0; wide < 2; wide++ )
    {
        union address address;
        int length = sizeof( address ), result;
        WCHAR copy[64];

        memset( &address, 0xa5, sizeof( address ) );
        MultiByteToWideChar( CP_ACP, 0, text, -1, copy, ARRAY_SIZE( copy ) );
        WSASetLastError( ERROR_UNTOUCHED );
        if ( wide ) result = WSAStringToAddressW( copy, family, NULL, &address.any, &length );
        else result = WSAStringToAddressA( (char *)text, family, NULL, &address.any, &length );
        ok( result == ( good ? 0 : SOCKET_ERROR ), "wide %d: returned %d\n", wide, result );
        if ( !good ) ok( WSAGetLastError() == WSAEINVAL, "wide %d: error %d\n", wide, WSAGetLastError() );
        ok( length == ( good ? size : (int)sizeof( address ) ), "wide %d: length %d\n", wide, length );
        ok( address.any.sa_family == ( good ? family : 0 ), "wide %d: family %d\n", wide, address.any.sa_family );
        ok( address.v4.sin_port == expected->v4.sin_port, "wide %d: port %d\n", wide, ntohs( address.v4.sin_port ) );
        if ( family == AF_INET )
            ok( address.v4.sin_addr.s_addr == expected->v4.sin_addr.s_addr, "wide %d: address %#lx\n", wide,
                ntohl( address.v4.sin_addr.s_addr ) );
        else
        {
            ok( !memcmp( &address.v6.sin6_addr, &expected->v6.sin6_addr, 16 ), "wide %d: another address\n", wide );
            ok( address.v6.sin6_scope_id == expected->v6.sin6_scope_id, "wide %d: scope %lu\n", wide,
                address.v6.sin6_scope_id );
            ok( !address.v6.sin6_flowinfo, "wide %d: flow info %#lx\n", wide, address.v6.sin6_flowinfo );
        }
        ok( ( (BYTE *)&address )[size] == 0xa5, "wide %d: written behind the structure\n", wide );
    }
    winetest_pop_context();
}

static void test_string_to_address( void )
{
    union address address;
    int length;

    for ( unsigned int i = 0; i < ARRAY_SIZE( address_rows_v4 ); i++ )
    {
        memset( &address, 0, sizeof( address ) );
        address.v4.sin_port = htons( address_rows_v4[i].port );
        address.v4.sin_addr.s_addr = htonl( address_rows_v4[i].address );
        check_parsed( address_rows_v4[i].text, AF_INET, address_rows_v4[i].good, &address );
    }
    for ( unsigned int i = 0; i < ARRAY_SIZE( address_rows_v6 ); i++ )
    {
        memset( &address, 0, sizeof( address ) );
        address.v6.sin6_port = htons( address_rows_v6[i].port );
        memcpy( &address.v6.sin6_addr, address_rows_v6[i].address, 16 );
        address.v6.sin6_scope_id = address_rows_v6[i].scope;
        check_parsed( address_rows_v6[i].text, AF_INET6, address_rows_v6[i].good, &address );
    }
    length = 0;
    check_fails( WSAStringToAddressA( (char *)"127.127.127.127", AF_INET, NULL, &address.any, &length ), WSAEFAULT );
    ok( length >= (int)sizeof( address.v4 ), "length %d\n", length );
    length = 0;
    check_fails( WSAStringToAddressW( (WCHAR *)L"127.127.127.127", AF_INET, NULL, &address.any, &length ), WSAEFAULT );
    ok( length >= (int)sizeof( address.v4 ), "length %d\n", length );
    length = 0;
    check_fails( WSAStringToAddressW( (WCHAR *)L"::1", AF_INET6, NULL, &address.any, &length ), WSAEFAULT );
    ok( length >= (int)sizeof( address.v4 ), "length %d\n", length );
}

START_TEST( address_text )
{
    if ( support_begin() ) return;
    test_inet_pton();
    test_string_to_address();
    support_end();
}
