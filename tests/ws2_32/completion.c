/*
 * Completion ports: a packet for each operation that ends, at once or later, well or not; what suppresses packets; one
 * association a socket, whichever descriptor made it.
 */
#include "requests.h"
#include "puppets.h"

#define KEY ( (ULONG_PTR)0x1234567812345678ull )

static WSABUF buffer_of( void *memory, ULONG size ) { return ( WSABUF ){ size, memory }; }

static int receive( SOCKET s, void *memory, ULONG size, OVERLAPPED *ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine )
{
    WSABUF buffer = buffer_of( memory, size );
    DWORD flags = 0;

    return WSARecv( s, &buffer, 1, NULL, &flags, ov, routine );
}

#define check_pends( call ) check_fails( call, WSA_IO_PENDING )

#define check_packet( port, ov, result, error, size ) check_packet_within( port, 5000, KEY, ov, result, error, size )

static void CALLBACK never( DWORD error, DWORD size, OVERLAPPED *ov, DWORD flags )
{
    ok( 0, "called with %lu, %lu, %p, %#lx\n", error, size, (void *)ov, flags );
}

static void test_packets( void )
{
    HANDLE port, event = CreateEventW( NULL, TRUE, FALSE, NULL );
    struct linger reset = { 1, 0 };
    SOCKET client, server;
    OVERLAPPED ov = { 0 };
    char data[16];

    tcp_pair( &client, &server );
    port = CreateIoCompletionPort( (HANDLE)server, NULL, KEY, 0 );
    ok( port != NULL, "error %lu\n", GetLastError() );

    check_pends( receive( server, data, sizeof( data ), &ov, NULL ) );
    check_no_packet( port, 100 );
    check_result( send( client, "hello", 5, 0 ), 5 );
    check_packet( port, &ov, TRUE, 0, 5 );
    ok( !ov.Internal && ov.InternalHigh == 5, "status %#lx\n", (DWORD)ov.Internal );

    check_result( send( client, "again", 5, 0 ), 5 );
    ok( wait_readable( server, 5000 ), "no data\n" );
    check_ok( receive( server, data, sizeof( data ), &ov, NULL ) );
    check_packet( port, &ov, TRUE, 0, 5 );
    check_no_packet( port, 100 );

    /* an event gets set too; its lowest bit asks for no packet */
    memset( &ov, 0, sizeof( ov ) );
    ov.hEvent = event;
    check_pends( receive( server, data, sizeof( data ), &ov, NULL ) );
    check_result( send( client, "hello", 5, 0 ), 5 );
    check_packet( port, &ov, TRUE, 0, 5 );
    ok( !WaitForSingleObject( event, 0 ), "the event is not set\n" );
    ResetEvent( event );
    memset( &ov, 0, sizeof( ov ) );
    ov.hEvent = (HANDLE)( (ULONG_PTR)event | 1 );
    check_pends( receive( server, data, sizeof( data ), &ov, NULL ) );
    check_result( send( client, "hello", 5, 0 ), 5 );
    ok( !WaitForSingleObject( event, 5000 ), "the event is not set\n" );
    check_no_packet( port, 100 );

    /* no routine beside a port; calls without OVERLAPPED have no packets */
    memset( &ov, 0, sizeof( ov ) );
    check_fails( receive( server, data, sizeof( data ), &ov, never ), WSAEINVAL );
    check_result( send( client, "hello", 5, 0 ), 5 );
    check_result( recv( server, data, sizeof( data ), 0 ), 5 );
    check_result( send( server, "hello", 5, 0 ), 5 );
    check_no_packet( port, 100 );
    check_result( SleepEx( 0, TRUE ), 0 );

    memset( &ov, 0, sizeof( ov ) );
    check_pends( receive( server, data, sizeof( data ), &ov, NULL ) );
    setsockopt( client, SOL_SOCKET, SO_LINGER, (char *)&reset, sizeof( reset ) );
    closesocket( client );
    check_packet( port, &ov, FALSE, ERROR_NETNAME_DELETED, 0 );
    closesocket( server );

    tcp_pair( &client, &server );
    ok( CreateIoCompletionPort( (HANDLE)server, port, KEY, 0 ) == port, "error %lu\n", GetLastError() );
    memset( &ov, 0, sizeof( ov ) );
    check_pends( receive( server, data, sizeof( data ), &ov, NULL ) );
    closesocket( server );
    check_packet( port, &ov, FALSE, ERROR_CONNECTION_ABORTED, 0 );
    check_no_packet( port, 100 );
    closesocket( client );
    CloseHandle( port );
    CloseHandle( event );
}

static void test_modes( void )
{
    SOCKET client, server;
    OVERLAPPED ov = { 0 };
    char data[16];
    HANDLE port;

    tcp_pair( &client, &server );
    port = CreateIoCompletionPort( (HANDLE)server, NULL, KEY, 0 );
    check_result( SetFileCompletionNotificationModes( (HANDLE)server, FILE_SKIP_COMPLETION_PORT_ON_SUCCESS ), TRUE );
    check_result( send( client, "hello", 5, 0 ), 5 );
    ok( wait_readable( server, 5000 ), "no data\n" );
    check_ok( receive( server, data, sizeof( data ), &ov, NULL ) );
    check_no_packet( port, 100 );
    /* what pended has its packet all the same */
    check_pends( receive( server, data, sizeof( data ), &ov, NULL ) );
    check_result( send( client, "hello", 5, 0 ), 5 );
    check_packet( port, &ov, TRUE, 0, 5 );
    closesocket( client );
    closesocket( server );
    CloseHandle( port );
}

/* A datagram cut short at once is reported by the call, and by it alone: libuv asks for datagrams with buffers of no size,
 * and a packet besides would be a second end of the same request. */
static void test_cut_short( void )
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl( INADDR_LOOPBACK ) };
    SOCKET receiver = socket( AF_INET, SOCK_DGRAM, 0 ), sender = socket( AF_INET, SOCK_DGRAM, 0 );
    int length = sizeof( address );
    OVERLAPPED ov = { 0 };
    char data[16];
    HANDLE port;

    check_result( bind( receiver, (struct sockaddr *)&address, sizeof( address ) ), 0 );
    check_result( getsockname( receiver, (struct sockaddr *)&address, &length ), 0 );
    port = CreateIoCompletionPort( (HANDLE)receiver, NULL, KEY, 0 );
    check_result( SetFileCompletionNotificationModes( (HANDLE)receiver, FILE_SKIP_COMPLETION_PORT_ON_SUCCESS ), TRUE );
    check_result( sendto( sender, "hello", 5, 0, (struct sockaddr *)&address, sizeof( address ) ), 5 );
    ok( wait_readable( receiver, 5000 ), "no data\n" );
    check_fails( receive( receiver, data, 2, &ov, NULL ), WSAEMSGSIZE );
    check_no_packet( port, 100 );
    /* what pended has its packet all the same */
    check_pends( receive( receiver, data, 2, &ov, NULL ) );
    check_result( sendto( sender, "hello", 5, 0, (struct sockaddr *)&address, sizeof( address ) ), 5 );
    check_packet( port, &ov, FALSE, ERROR_MORE_DATA, 2 );
    closesocket( receiver );
    closesocket( sender );
    CloseHandle( port );
}

static void test_cancel( void )
{
    SOCKET client, server;
    OVERLAPPED ov[3] = { { 0 } };
    char data[3][16];
    HANDLE port;

    tcp_pair( &client, &server );
    port = CreateIoCompletionPort( (HANDLE)server, NULL, KEY, 0 );
    for ( unsigned int i = 0; i < 3; i++ ) check_pends( receive( server, data[i], 16, &ov[i], NULL ) );
    check_result( CancelIoEx( (HANDLE)server, &ov[1] ), TRUE );
    check_packet( port, &ov[1], FALSE, ERROR_OPERATION_ABORTED, 0 );
    check_error( CancelIoEx( (HANDLE)server, &ov[1] ), FALSE, ERROR_NOT_FOUND );
    check_result( send( client, "hello", 5, 0 ), 5 );
    check_packet( port, &ov[0], TRUE, 0, 5 );
    check_result( CancelIo( (HANDLE)server ), TRUE );
    check_packet( port, &ov[2], FALSE, ERROR_OPERATION_ABORTED, 0 );
    check_pends( receive( server, data[0], 16, &ov[0], NULL ) );
    check_pends( receive( server, data[1], 16, &ov[1], NULL ) );
    check_result( CancelIoEx( (HANDLE)server, NULL ), TRUE );
    for ( int i = 0; i < 2; i++ )
    {
        OVERLAPPED *got = NULL;
        ULONG_PTR key;
        DWORD size;

        check_error( GetQueuedCompletionStatus( port, &size, &key, &got, 5000 ), FALSE, ERROR_OPERATION_ABORTED );
        ok( got == &ov[0] || got == &ov[1], "OVERLAPPED %p\n", (void *)got );
        if ( got ) got->hEvent = (HANDLE)( (ULONG_PTR)got->hEvent + 4 ); /* a mark: each has one packet */
    }
    ok( ov[0].hEvent == (HANDLE)4 && ov[1].hEvent == (HANDLE)4, "not one packet each\n" );
    memset( ov, 0, sizeof( ov ) );
    /* nothing is lost: the next receive finds what comes next */
    check_result( send( client, "again", 5, 0 ), 5 );
    check_result( recv( server, data[2], 16, 0 ), 5 );
    ok( !memcmp( data[2], "again", 5 ), "got %.5s\n", data[2] );
    closesocket( client );
    closesocket( server );
    CloseHandle( port );
}

/* The association is the socket's. */
static void test_association( void )
{
    SOCKET client, server, duplicate;
    WSAPROTOCOL_INFOA info;
    OVERLAPPED ov = { 0 };
    char data[16];
    HANDLE port, copy;

    tcp_pair( &client, &server );
    port = CreateIoCompletionPort( (HANDLE)server, NULL, KEY, 0 );
    check_error( CreateIoCompletionPort( (HANDLE)server, port, KEY + 1, 0 ), 0, ERROR_INVALID_PARAMETER );
    check_ok( WSADuplicateSocketA( server, GetCurrentProcessId(), &info ) );
    duplicate = WSASocketA( FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0, WSA_FLAG_OVERLAPPED );
    ok( duplicate != INVALID_SOCKET, "error %d\n", WSAGetLastError() );
    check_error( CreateIoCompletionPort( (HANDLE)duplicate, port, KEY + 1, 0 ), 0, ERROR_INVALID_PARAMETER );
    /* through a copy of the handle, and to another port */
    check_result( DuplicateHandle( GetCurrentProcess(), (HANDLE)server, GetCurrentProcess(), &copy, 0, FALSE,
                                   DUPLICATE_SAME_ACCESS ),
                  TRUE );
    check_error( CreateIoCompletionPort( copy, port, KEY + 1, 0 ), 0, ERROR_INVALID_PARAMETER );
    check_error( CreateIoCompletionPort( copy, NULL, KEY + 1, 0 ), 0, ERROR_INVALID_PARAMETER );
    closesocket( server );
    check_pends( receive( (SOCKET)copy, data, sizeof( data ), &ov, NULL ) );
    check_result( send( client, "first", 5, 0 ), 5 );
    check_packet( port, &ov, TRUE, 0, 5 );
    CloseHandle( copy );
    check_pends( receive( duplicate, data, sizeof( data ), &ov, NULL ) );
    check_result( send( client, "hello", 5, 0 ), 5 );
    check_packet( port, &ov, TRUE, 0, 5 );
    check_error( CreateIoCompletionPort( (HANDLE)duplicate, port, KEY + 1, 0 ), 0, ERROR_INVALID_PARAMETER );
    closesocket( duplicate );
    closesocket( client );
    CloseHandle( port );
}

/* It is refused through another process's descriptor, too, before and after the one that made it has closed, and whichever
 * of the two processes made it. */
static void test_association_elsewhere( void )
{
    struct puppet puppet;
    SOCKET client, server, other;
    WSAPROTOCOL_INFOA info;
    OVERLAPPED ov = { 0 };
    char data[16];
    HANDLE port;

    puppet_create( &puppet, 0 );
    tcp_pair( &client, &server );
    port = CreateIoCompletionPort( (HANDLE)server, NULL, KEY, 0 );
    check_ok( WSADuplicateSocketA( server, puppet.pid, &info ) );
    other = puppet_open_a( &puppet, &info, WSA_FLAG_OVERLAPPED );
    ok( other != INVALID_SOCKET, "error %d\n", WSAGetLastError() );
    check_error( puppet_do_on( &puppet, PUPPET_ASSOCIATE, other ), 0, ERROR_INVALID_PARAMETER );
    check_pends( receive( server, data, sizeof( data ), &ov, NULL ) );
    check_result( send( client, "hello", 5, 0 ), 5 );
    check_packet( port, &ov, TRUE, 0, 5 );
    closesocket( server );
    check_error( puppet_do_on( &puppet, PUPPET_ASSOCIATE, other ), 0, ERROR_INVALID_PARAMETER );
    /* neither does it end with the program's last handle of the port */
    CloseHandle( port );
    check_error( puppet_do_on( &puppet, PUPPET_ASSOCIATE, other ), 0, ERROR_INVALID_PARAMETER );
    check_ok( puppet_do_on( &puppet, PUPPET_CLOSE, other ) );
    closesocket( client );

    tcp_pair( &client, &server );
    check_ok( WSADuplicateSocketA( server, puppet.pid, &info ) );
    other = puppet_open_a( &puppet, &info, WSA_FLAG_OVERLAPPED );
    ok( other != INVALID_SOCKET, "error %d\n", WSAGetLastError() );
    check_result( puppet_do_on( &puppet, PUPPET_ASSOCIATE, other ), 1 );
    port = CreateIoCompletionPort( INVALID_HANDLE_VALUE, NULL, 0, 0 );
    check_error( CreateIoCompletionPort( (HANDLE)server, port, KEY, 0 ), 0, ERROR_INVALID_PARAMETER );
    check_ok( puppet_do_on( &puppet, PUPPET_CLOSE, other ) );
    check_error( CreateIoCompletionPort( (HANDLE)server, port, KEY, 0 ), 0, ERROR_INVALID_PARAMETER );
    /* a socket of its own has none */
    ok( CreateIoCompletionPort( (HANDLE)client, port, KEY, 0 ) == port, "error %lu\n", GetLastError() );
    closesocket( server );
    closesocket( client );
    CloseHandle( port );
    puppet_destroy( &puppet );
}

/* Pending through A while B, in this process or another, receives and closes. */
static void test_shared( void )
{
    struct puppet puppet;
    SOCKET client, server, other;
    WSAPROTOCOL_INFOA info;
    OVERLAPPED ov[2] = { { 0 } };
    char data[2][16];
    HANDLE port;

    puppet_create( &puppet, 0 );
    tcp_pair( &client, &server );
    port = CreateIoCompletionPort( (HANDLE)server, NULL, KEY, 0 );
    check_ok( WSADuplicateSocketA( server, puppet.pid, &info ) );
    other = puppet_open_a( &puppet, &info, WSA_FLAG_OVERLAPPED );
    ok( other != INVALID_SOCKET, "error %d\n", WSAGetLastError() );
    check_pends( receive( server, data[0], 16, &ov[0], NULL ) );
    check_ok( puppet_do_on( &puppet, PUPPET_CLOSE, other ) );
    check_no_packet( port, 100 );
    check_result( send( client, "hello", 5, 0 ), 5 );
    check_packet( port, &ov[0], TRUE, 0, 5 );

    /* the one that is left closes: the peer sees the end */
    check_pends( receive( server, data[0], 16, &ov[0], NULL ) );
    closesocket( server );
    check_packet( port, &ov[0], FALSE, ERROR_CONNECTION_ABORTED, 0 );
    check_eof( client );
    closesocket( client );

    /* both have a receive pending through one descriptor each of one process: each byte comes once, in order */
    tcp_pair( &client, &server );
    check_ok( WSADuplicateSocketA( server, GetCurrentProcessId(), &info ) );
    other = WSASocketA( FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0, WSA_FLAG_OVERLAPPED );
    ok( CreateIoCompletionPort( (HANDLE)server, port, KEY, 0 ) == port, "error %lu\n", GetLastError() );
    memset( ov, 0, sizeof( ov ) );
    check_pends( receive( server, data[0], 4, &ov[0], NULL ) );
    check_pends( receive( other, data[1], 4, &ov[1], NULL ) );
    check_result( send( client, "abcdefgh", 8, 0 ), 8 );
    for ( int i = 0; i < 2; i++ )
    {
        OVERLAPPED *got = NULL;
        ULONG_PTR key = 0;
        DWORD size = 0;

        check_result( GetQueuedCompletionStatus( port, &size, &key, &got, 5000 ), TRUE );
        ok( size == 4, "size %lu\n", size );
        ok( got == &ov[0] || got == &ov[1], "OVERLAPPED %p\n", (void *)got );
    }
    ok( ( !memcmp( data[0], "abcd", 4 ) && !memcmp( data[1], "efgh", 4 ) ) ||
            ( !memcmp( data[1], "abcd", 4 ) && !memcmp( data[0], "efgh", 4 ) ),
        "got %.4s and %.4s\n", data[0], data[1] );
    closesocket( other );
    closesocket( server );
    closesocket( client );
    CloseHandle( port );
    puppet_destroy( &puppet );
}

static void test_ioctls( void )
{
    GUID guid = WSAID_CONNECTEX;
    SOCKET s = socket( AF_INET, SOCK_STREAM, 0 );
    HANDLE port = CreateIoCompletionPort( (HANDLE)s, NULL, KEY, 0 );
    struct sockaddr_in any = { .sin_family = AF_INET };
    OVERLAPPED ov = { 0 };
    void *function = NULL;
    DWORD size = 0xdead;

    check_clears( WSAIoctl( s, SIO_GET_EXTENSION_FUNCTION_POINTER, &guid, sizeof( guid ), &function, sizeof( function ),
                            &size, &ov, NULL ),
                  0 );
    ok( function && size == sizeof( function ), "size %lu\n", size );
    check_packet( port, &ov, TRUE, 0, 0 );
    check_no_packet( port, 100 );

    size = 0xdead;
    check_pends( WSAIoctl( s, 0xdeadbeef, NULL, 0, NULL, 0, &size, &ov, NULL ) );
    ok( size == 0xdead, "size %lu\n", size );
    check_packet( port, &ov, FALSE, ERROR_NOT_SUPPORTED, 0 );
    ok( ov.Internal == 0xc00000bb && !ov.InternalHigh, "status %#lx\n", (DWORD)ov.Internal );

    check_ok( bind( s, (struct sockaddr *)&any, sizeof( any ) ) );
    memset( &ov, 0, sizeof( ov ) );
    check_fails( WSAIoctl( s, SIO_ADDRESS_LIST_CHANGE, NULL, 0, NULL, 0, NULL, &ov, NULL ), WSAEFAULT );
    check_pends( WSAIoctl( s, SIO_ADDRESS_LIST_CHANGE, NULL, 0, NULL, 0, &size, &ov, NULL ) );
    check_no_packet( port, 100 );
    closesocket( s );
    check_packet( port, &ov, FALSE, ERROR_OPERATION_ABORTED, 0 );
    CloseHandle( port );
}

/* --- a stress test: every byte of many connections by checksum, receives and sends of random sizes from several threads */

#define CONNECTIONS 40
#define WORKERS 4
#define BYTES 200000

struct side
{
    SOCKET s;
    OVERLAPPED receive_ov, send_ov;
    char in[4096], out[4096];
    unsigned int sent, received, wrong, seed, errors;
    LONG done;
};

static struct side sides[2 * CONNECTIONS];
static LONG sides_done;
static HANDLE stress_port, stress_end;

static char stress_byte( unsigned int side, unsigned int i ) { return (char)( ( side ^ 1 ) * 31 + i * 7 + i / 253 ); }

static void side_receive( struct side *side )
{
    WSABUF buffer = buffer_of( side->in, 1 + side->seed % sizeof( side->in ) );
    DWORD flags = 0;

    side->seed = side->seed * 1103515245 + 12345;
    memset( &side->receive_ov, 0, sizeof( side->receive_ov ) );
    if ( WSARecv( side->s, &buffer, 1, NULL, &flags, &side->receive_ov, NULL ) && WSAGetLastError() != WSA_IO_PENDING )
        side->errors++;
}

static void side_send( struct side *side )
{
    unsigned int index = (unsigned int)( side - sides ), size = 1 + ( side->seed >> 7 ) % sizeof( side->out );
    WSABUF buffer;

    if ( size > BYTES - side->sent ) size = BYTES - side->sent;
    buffer = buffer_of( side->out, size );
    for ( unsigned int i = 0; i < size; i++ ) side->out[i] = stress_byte( index ^ 1, side->sent + i );
    memset( &side->send_ov, 0, sizeof( side->send_ov ) );
    if ( WSASend( side->s, &buffer, 1, NULL, 0, &side->send_ov, NULL ) && WSAGetLastError() != WSA_IO_PENDING )
        side->errors++;
}

static void side_half_done( struct side *side )
{
    if ( InterlockedIncrement( &side->done ) == 2 && InterlockedIncrement( &sides_done ) == 2 * CONNECTIONS )
        SetEvent( stress_end );
}

static DWORD WINAPI stress_worker( void *arg )
{
    OVERLAPPED *ov;
    ULONG_PTR key;
    DWORD size;

    (void)arg;
    for ( ;; )
    {
        BOOL done = GetQueuedCompletionStatus( stress_port, &size, &key, &ov, 20000 );
        struct side *side = (struct side *)key;

        if ( !ov || !side ) return 0;
        if ( !done ) side->errors++;
        else if ( ov == &side->send_ov )
        {
            side->sent += size;
            if ( side->sent < BYTES ) side_send( side );
            else side_half_done( side );
        }
        else
        {
            unsigned int index = (unsigned int)( side - sides );

            for ( DWORD i = 0; i < size; i++ ) side->wrong += side->in[i] != stress_byte( index, side->received + i );
            side->received += size;
            if ( side->received < BYTES && size ) side_receive( side );
            else side_half_done( side );
        }
    }
}

static void test_stress( void )
{
    HANDLE workers[WORKERS];

    stress_port = CreateIoCompletionPort( INVALID_HANDLE_VALUE, NULL, 0, 0 );
    stress_end = CreateEventW( NULL, TRUE, FALSE, NULL );
    for ( unsigned int i = 0; i < CONNECTIONS; i++ )
    {
        tcp_pair( &sides[2 * i].s, &sides[2 * i + 1].s );
        for ( unsigned int j = 0; j < 2; j++ )
        {
            sides[2 * i + j].seed = 77 * i + j;
            ok( CreateIoCompletionPort( (HANDLE)sides[2 * i + j].s, stress_port, (ULONG_PTR)&sides[2 * i + j], 0 ) ==
                    stress_port,
                "error %lu\n", GetLastError() );
        }
    }
    for ( unsigned int i = 0; i < WORKERS; i++ ) workers[i] = CreateThread( NULL, 0, stress_worker, NULL, 0, NULL );
    for ( unsigned int i = 0; i < 2 * CONNECTIONS; i++ )
    {
        side_receive( &sides[i] );
        side_send( &sides[i] );
    }
    ok( !WaitForSingleObject( stress_end, 60000 ), "only %ld sides are done\n", sides_done );
    for ( unsigned int i = 0; i < WORKERS; i++ ) PostQueuedCompletionStatus( stress_port, 0, 0, NULL );
    WaitForMultipleObjects( WORKERS, workers, TRUE, 30000 );
    for ( unsigned int i = 0; i < WORKERS; i++ ) CloseHandle( workers[i] );
    for ( unsigned int i = 0; i < 2 * CONNECTIONS; i++ )
    {
        ok( sides[i].sent == BYTES && sides[i].received == BYTES && !sides[i].wrong && !sides[i].errors,
            "side %u sent %u, received %u, %u wrong, %u errors\n", i, sides[i].sent, sides[i].received, sides[i].wrong,
            sides[i].errors );
        closesocket( sides[i].s );
    }
    CloseHandle( stress_port );
    CloseHandle( stress_end );
}

START_TEST( completion )
{
    if ( support_begin() ) return;
    test_packets();
    test_modes();
    test_cut_short();
    test_cancel();
    test_association();
    test_association_elsewhere();
    test_shared();
    test_ioctls();
    test_stress();
    support_end();
}
