/* TransmitFile and TransmitPackets: head, file and tail in order, offsets, the whole file, with and without OVERLAPPED. */
#include "requests.h"

static LPFN_TRANSMITFILE transmit_file;
static LPFN_TRANSMITPACKETS transmit_packets;

#define FILE_SIZE_ ( 3 << 20 )

static char byte_at( size_t i ) { return (char)( i * 7 + i / 251 ); }

static HANDLE make_file( void )
{
    char directory[MAX_PATH], name[MAX_PATH], *data = malloc( FILE_SIZE_ );
    HANDLE file;
    DWORD done;

    GetTempPathA( sizeof( directory ), directory );
    GetTempFileNameA( directory, "tmf", 0, name );
    file = CreateFileA( name, GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, FILE_FLAG_DELETE_ON_CLOSE, NULL );
    ok( file != INVALID_HANDLE_VALUE, "error %lu\n", GetLastError() );
    for ( size_t i = 0; i < FILE_SIZE_; i++ ) data[i] = byte_at( i );
    ok( WriteFile( file, data, FILE_SIZE_, &done, NULL ) && done == FILE_SIZE_, "wrote %lu\n", done );
    SetFilePointer( file, 0, NULL, FILE_BEGIN );
    free( data );
    return file;
}

struct reader
{
    SOCKET s;
    const char *head, *tail;
    size_t offset, size; /* of the file's part */
    size_t got, wrong;
};

static DWORD WINAPI read_all( void *arg )
{
    struct reader *reader = arg;
    size_t head = strlen( reader->head );
    char data[0x4000];
    int n;

    while ( ( n = recv( reader->s, data, sizeof( data ), 0 ) ) > 0 )
        for ( int i = 0; i < n; i++, reader->got++ )
        {
            size_t at = reader->got;
            char expected = at < head                  ? reader->head[at]
                            : at < head + reader->size ? byte_at( reader->offset + at - head )
                                                       : reader->tail[at - head - reader->size];
            reader->wrong += data[i] != expected;
        }
    return 0;
}

static const struct
{
    const char *head, *tail;
    DWORD offset, size;
    BOOL file, overlapped;
} sends[] = {
    { "", "", 0, 0, TRUE, TRUE },           { "", "", 0, 0, TRUE, FALSE },
    { "head", "tail", 0, 0, TRUE, TRUE },   { "head", "", 100, 50000, TRUE, TRUE },
    { "", "tail", 0x12345, 0, TRUE, TRUE }, { "head", "tail", 77, 1, TRUE, FALSE },
    { "head", "tail", 0, 0, FALSE, TRUE },
};

static void test_transmit_file( void )
{
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL ), file = make_file(), thread;

    for ( unsigned int i = 0; i < ARRAY_SIZE( sends ); i++ )
    {
        TRANSMIT_FILE_BUFFERS buffers = { (char *)sends[i].head, (DWORD)strlen( sends[i].head ), (char *)sends[i].tail,
                                          (DWORD)strlen( sends[i].tail ) };
        struct reader reader = { .head = sends[i].head, .tail = sends[i].tail, .offset = sends[i].offset };
        OVERLAPPED ov = { .Offset = sends[i].offset, .hEvent = event };
        SOCKET client, server;
        size_t total;
        BOOL done;

        winetest_push_context( "send %u", i );
        reader.size = !sends[i].file ? 0 : sends[i].size ? sends[i].size : FILE_SIZE_ - sends[i].offset;
        total = reader.size + buffers.HeadLength + buffers.TailLength;
        tcp_pair( &client, &server );
        reader.s = server;
        thread = CreateThread( NULL, 0, read_all, &reader, 0, NULL );
        ResetEvent( event );
        SetFilePointer( file, sends[i].overlapped ? 0 : sends[i].offset, NULL, FILE_BEGIN );
        done = transmit_file( client, sends[i].file ? file : NULL, sends[i].size, 0, sends[i].overlapped ? &ov : NULL,
                              &buffers, 0 );
        if ( sends[i].overlapped )
        {
            ok( done || WSAGetLastError() == ERROR_IO_PENDING, "error %d\n", WSAGetLastError() );
            ok( !WaitForSingleObject( event, 10000 ), "not ended\n" );
            ok( !ov.Internal && ov.InternalHigh == total, "status %#lx, size %lu\n", (DWORD)ov.Internal,
                (DWORD)ov.InternalHigh );
        }
        else ok( done, "error %d\n", WSAGetLastError() );
        closesocket( client );
        ok( !WaitForSingleObject( thread, 10000 ), "no end of stream\n" );
        ok( reader.got == total && !reader.wrong, "%zu of %zu bytes, %zu wrong\n", reader.got, total, reader.wrong );
        CloseHandle( thread );
        closesocket( server );
        winetest_pop_context();
    }
    CloseHandle( file );
    CloseHandle( event );
}

static void test_errors( void )
{
    SOCKET s = socket( AF_INET, SOCK_STREAM, 0 );

    check_error( transmit_file( INVALID_SOCKET, NULL, 0, 0, NULL, NULL, 0 ), FALSE, WSAENOTSOCK );
    check_error( transmit_file( s, NULL, 0, 0, NULL, NULL, 0 ), FALSE, WSAENOTCONN );
    closesocket( s );
}

static void test_disconnect( void )
{
    TRANSMIT_FILE_BUFFERS buffers = { (char *)"bye", 3, NULL, 0 };
    SOCKET client, server;
    char data[8];

    tcp_pair( &client, &server );
    check_result( transmit_file( client, NULL, 0, 0, NULL, &buffers, TF_DISCONNECT ), TRUE );
    check_result( recv( server, data, sizeof( data ), 0 ), 3 );
    check_eof( server );
    closesocket( client );
    closesocket( server );
}

static void test_transmit_packets( void )
{
    TRANSMIT_PACKETS_ELEMENT elements[3];
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL ), file = make_file(), thread;
    struct reader reader = { .head = "one", .tail = "three", .offset = 5000, .size = 100000 };
    OVERLAPPED ov = { .hEvent = event };
    SOCKET client, server;
    BOOL done;

    memset( elements, 0, sizeof( elements ) );
    elements[0].dwElFlags = TP_ELEMENT_MEMORY;
    elements[0].cLength = 3;
    elements[0].pBuffer = (char *)"one";
    elements[1].dwElFlags = TP_ELEMENT_FILE;
    elements[1].cLength = 100000;
    elements[1].nFileOffset.QuadPart = 5000;
    elements[1].hFile = file;
    elements[2].dwElFlags = TP_ELEMENT_MEMORY;
    elements[2].cLength = 5;
    elements[2].pBuffer = (char *)"three";
    tcp_pair( &client, &server );
    reader.s = server;
    thread = CreateThread( NULL, 0, read_all, &reader, 0, NULL );
    done = transmit_packets( client, elements, 3, 0, &ov, 0 );
    ok( done || WSAGetLastError() == ERROR_IO_PENDING, "error %d\n", WSAGetLastError() );
    ok( !WaitForSingleObject( event, 10000 ), "not ended\n" );
    ok( !ov.Internal && ov.InternalHigh == 100008, "status %#lx, size %lu\n", (DWORD)ov.Internal,
        (DWORD)ov.InternalHigh );
    closesocket( client );
    ok( !WaitForSingleObject( thread, 10000 ), "no end of stream\n" );
    ok( reader.got == 100008 && !reader.wrong, "%zu bytes, %zu wrong\n", reader.got, reader.wrong );
    CloseHandle( thread );
    closesocket( server );
    CloseHandle( file );
    CloseHandle( event );
}

START_TEST( transmitfile )
{
    SOCKET s;

    if ( support_begin() ) return;
    s = socket( AF_INET, SOCK_STREAM, 0 );
    transmit_file = extension( s, (GUID)WSAID_TRANSMITFILE );
    if ( transmit_file )
    {
        test_errors();
        test_transmit_file();
        test_disconnect();
    }
    transmit_packets = extension( s, (GUID)WSAID_TRANSMITPACKETS );
    if ( transmit_packets ) test_transmit_packets();
    closesocket( s );
    support_end();
}
