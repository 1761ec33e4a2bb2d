/*
 * The other control codes of \Device\Afd, and NtReadFile and NtWriteFile on sockets (facts: afd, sections 7 and 9 to 11):
 * receiving, binding, event selection and what it records.
 */
#include "afd.h"

static HANDLE event;

static NTSTATUS control( SOCKET s, IO_STATUS_BLOCK *iosb, ULONG code, void *in, ULONG in_size, void *out,
                         ULONG out_size )
{
    iosb_reset( iosb );
    ResetEvent( event );
    return NtDeviceIoControlFile( (HANDLE)s, event, NULL, NULL, iosb, code, in, in_size, out, out_size );
}

/* --- receiving --------------------------------------------------------------------------------------------------------*/

static NTSTATUS start_recv( SOCKET s, IO_STATUS_BLOCK *iosb, char *buffer, ULONG size, ULONG recv_flags,
                            ULONG msg_flags )
{
    WSABUF buffers = { size, buffer };
    struct afd_recv input = { &buffers, 1, recv_flags, msg_flags };
    NTSTATUS status = control( s, iosb, IOCTL_AFD_RECV, &input, sizeof( input ), NULL, 0 );

    /* both are captured */
    memset( &input, 0xcc, sizeof( input ) );
    memset( &buffers, 0xcc, sizeof( buffers ) );
    return status;
}

static void test_recv_arguments( void )
{
    union address address;
    SOCKET client, server, listener = tcp_listener( AF_INET, &address ), s;
    WSABUF buffers;
    struct afd_recv input = { &buffers, 1, 0, 0x20 };
    IO_STATUS_BLOCK iosb;
    char buffer[8];

    buffers.buf = buffer;
    buffers.len = sizeof( buffer );
    tcp_pair( &client, &server );
    check_status( control( listener, &iosb, IOCTL_AFD_RECV, NULL, 0, NULL, 0 ), NT_INVALID_CONNECTION );
    check_iosb( &iosb, UNTOUCHED, 0xdead );
    check_status( control( listener, &iosb, IOCTL_AFD_RECV, &input, sizeof( input ), NULL, 0 ), NT_INVALID_CONNECTION );
    check_status( control( server, &iosb, IOCTL_AFD_RECV, NULL, 0, NULL, 0 ), NT_INVALID_PARAMETER );
    check_status( control( server, &iosb, IOCTL_AFD_RECV, &input, sizeof( input ) - 1, NULL, 0 ),
                  NT_INVALID_PARAMETER );
    check_iosb( &iosb, UNTOUCHED, 0xdead );
    check_status( start_recv( server, &iosb, buffer, sizeof( buffer ), 0, 0 ), NT_INVALID_PARAMETER );
    check_status( start_recv( server, &iosb, buffer, sizeof( buffer ), 0, 0x60 ), NT_INVALID_PARAMETER );
    check_status( start_recv( server, &iosb, buffer, sizeof( buffer ), 0, 0x80 ), NT_INVALID_PARAMETER );
    s = socket( AF_INET, SOCK_DGRAM, 0 );
    check_status( start_recv( s, &iosb, buffer, sizeof( buffer ), 0, 0x20 ), NT_INVALID_PARAMETER );
    closesocket( s );

    set_nonblocking( server, TRUE );
    check_status( start_recv( server, &iosb, buffer, sizeof( buffer ), 0, 0x20 ), NT_DEVICE_NOT_READY );
    check_iosb( &iosb, UNTOUCHED, 0xdead );
    check_ok( shutdown( server, SD_RECEIVE ) );
    check_status( start_recv( server, &iosb, buffer, sizeof( buffer ), 0, 0x20 ), NT_PIPE_DISCONNECTED );
    check_iosb( &iosb, UNTOUCHED, 0xdead );
    closesocket( client );
    closesocket( server );
    closesocket( listener );
}

static void test_recv( void )
{
    SOCKET client, server;
    char buffer[16] = { 0 }, second[16] = { 0 };
    WSABUF buffers[2] = { { 3, buffer }, { sizeof( second ), second } };
    struct afd_recv input = { buffers, 2, 0, 0x20 };
    IO_STATUS_BLOCK iosb;

    tcp_pair( &client, &server );
    check_status( start_recv( server, &iosb, buffer, sizeof( buffer ), 0, 0x20 ), NT_PENDING );
    check_iosb( &iosb, UNTOUCHED, 0xdead );
    ok( WaitForSingleObject( event, 0 ) == WAIT_TIMEOUT, "the event is set\n" );
    send( client, "late", 4, 0 );
    ok( !WaitForSingleObject( event, 5000 ), "the event is not set\n" );
    check_iosb( &iosb, 0, 4 );
    ok( !memcmp( buffer, "late", 4 ), "wrong data\n" );

    send( client, "several", 7, 0 );
    ok( wait_readable( server, 5000 ), "nothing arrived\n" );
    check_status( control( server, &iosb, IOCTL_AFD_RECV, &input, sizeof( input ), NULL, 0 ), 0 );
    check_iosb( &iosb, 0, 7 );
    ok( !memcmp( buffer, "sev", 3 ) && !memcmp( second, "eral", 4 ), "wrong data\n" );
    ok( !WaitForSingleObject( event, 0 ), "the event is not set\n" );

    /* peeking takes nothing */
    send( client, "peek", 4, 0 );
    ok( wait_readable( server, 5000 ), "nothing arrived\n" );
    for ( int i = 0; i < 2; i++ )
    {
        memset( buffer, 0, sizeof( buffer ) );
        check_status( start_recv( server, &iosb, buffer, sizeof( buffer ), 0, 0xa0 ), 0 );
        check_iosb( &iosb, 0, 4 );
        ok( !memcmp( buffer, "peek", 4 ), "wrong data\n" );
    }
    /* all or nothing yet */
    check_status( start_recv( server, &iosb, buffer, 6, 0, 0x4020 ), NT_PENDING );
    ok( WaitForSingleObject( event, 100 ) == WAIT_TIMEOUT, "it ended with a part\n" );
    send( client, "ed", 2, 0 );
    ok( !WaitForSingleObject( event, 5000 ), "the event is not set\n" );
    check_iosb( &iosb, 0, 6 );
    ok( !memcmp( buffer, "peeked", 6 ), "wrong data\n" );

    /* urgent data has its own flag */
    send( client, "u", 1, MSG_OOB );
    send( client, "normal", 6, 0 );
    ok( wait_readable( server, 5000 ), "nothing arrived\n" );
    check_status( start_recv( server, &iosb, buffer, sizeof( buffer ), 0, 0x40 ), 0 );
    check_iosb( &iosb, 0, 1 );
    ok( *buffer == 'u', "wrong data\n" );
    check_status( start_recv( server, &iosb, buffer, sizeof( buffer ), 0, 0x20 ), 0 );
    check_iosb( &iosb, 0, 6 );
    ok( !memcmp( buffer, "normal", 6 ), "wrong data\n" );

    /* non-blocking and told to wait all the same; then the end of the stream */
    set_nonblocking( server, TRUE );
    check_status( start_recv( server, &iosb, buffer, sizeof( buffer ), 2, 0x20 ), NT_PENDING );
    check_ok( shutdown( client, SD_SEND ) );
    ok( !WaitForSingleObject( event, 5000 ), "the event is not set\n" );
    check_iosb( &iosb, 0, 0 );
    closesocket( client );
    closesocket( server );

    tcp_pair( &client, &server );
    check_status( start_recv( server, &iosb, buffer, sizeof( buffer ), 0, 0x20 ), NT_PENDING );
    check_ok( closesocket( server ) );
    ok( !WaitForSingleObject( event, 5000 ), "the event is not set\n" );
    check_iosb( &iosb, 0xc0000241, 0 ); /* STATUS_CONNECTION_ABORTED: the connection goes under a receive */
    closesocket( client );
}

static void test_recv_datagram( void )
{
    union address address;
    SOCKET receiver = udp_bound( AF_INET, &address ), sender = udp_bound( AF_INET, NULL );
    IO_STATUS_BLOCK iosb;
    char buffer[4];

    check_status( start_recv( receiver, &iosb, buffer, sizeof( buffer ), 0, 0x20 ), NT_PENDING );
    sendto( sender, "datagram", 8, 0, &address.any, sizeof( address.v4 ) );
    ok( !WaitForSingleObject( event, 5000 ), "the event is not set\n" );
    check_iosb( &iosb, NT_BUFFER_OVERFLOW, 4 );
    ok( !memcmp( buffer, "data", 4 ), "wrong data\n" );
    sendto( sender, "other one", 9, 0, &address.any, sizeof( address.v4 ) );
    ok( wait_readable( receiver, 5000 ), "nothing arrived\n" );
    check_status( start_recv( receiver, &iosb, buffer, sizeof( buffer ), 0, 0x20 ), NT_BUFFER_OVERFLOW );
    check_iosb( &iosb, NT_BUFFER_OVERFLOW, 4 );
    ok( !memcmp( buffer, "othe", 4 ), "wrong data\n" );
    closesocket( receiver );
    closesocket( sender );
}

/* --- binding ----------------------------------------------------------------------------------------------------------*/

#pragma pack( push, 4 )
struct afd_bind
{
    ULONG unknown;
    union address address;
};
#pragma pack( pop )

static void check_bind_end( NTSTATUS returned, const IO_STATUS_BLOCK *iosb, NTSTATUS status, ULONG size )
{
    ok( returned == NT_PENDING, "returned %#lx\n", returned );
    ok( !WaitForSingleObject( event, 5000 ), "the event is not set\n" );
    check_iosb( iosb, status, size );
}

static void test_bind( int family )
{
    const ULONG size = family == AF_INET ? 16 : 28;
    SOCKET s = socket( family, SOCK_STREAM, 0 ), other = socket( family, SOCK_STREAM, 0 );
    struct afd_bind bind = { 0 };
    union address out, again;
    IO_STATUS_BLOCK iosb;
    int length = sizeof( again );

    winetest_push_context( "family %d", family );
    address_loopback( &bind.address, family, 0 );
#define TRY( in_size, out_size ) control( s, &iosb, IOCTL_AFD_BIND, &bind, in_size, &out, out_size )
    check_status( TRY( 5, size ), NT_INVALID_PARAMETER );
    check_status( TRY( 6, size ), NT_INVALID_ADDRESS );
    check_status( TRY( 4 + size - 1, size ), NT_INVALID_ADDRESS );
    check_status( TRY( 4 + size - 1, size - 1 ), NT_INVALID_ADDRESS );
    check_status( TRY( 4 + size, size - 1 ), NT_INVALID_PARAMETER );
    bind.address.any.sa_family = 0xdead;
    check_status( TRY( 4 + size, size ), NT_INVALID_ADDRESS );
    bind.address.any.sa_family = family;

    /* not an address of this machine: 192.0.2.0, 100:: */
    if ( family == AF_INET ) bind.address.v4.sin_addr.s_addr = htonl( 0xc0000200 );
    else memset( &bind.address.v6.sin6_addr, 0, 16 ), bind.address.v6.sin6_addr.s6_addr[0] = 1;
    check_bind_end( TRY( 4 + size, size ), &iosb, NT_INVALID_ADDRESS_COMPONENT, 0 );

    address_loopback( &bind.address, family, 0 );
    if ( family == AF_INET6 ) bind.address.v6.sin6_flowinfo = 0xabcd;
    memset( &out, 0xcc, sizeof( out ) );
    check_bind_end( TRY( 4 + size, size ), &iosb, 0, size );
    ok( out.any.sa_family == family && address_port( &out ), "family %d, port %d\n", out.any.sa_family,
        address_port( &out ) );
    if ( family == AF_INET6 ) ok( !out.v6.sin6_flowinfo, "flow info %#lx\n", out.v6.sin6_flowinfo );
    else ok( out.v4.sin_addr.s_addr == htonl( INADDR_LOOPBACK ), "address %#lx\n", out.v4.sin_addr.s_addr );
    memset( &again, 0xcc, sizeof( again ) );
    check_status( control( s, &iosb, IOCTL_AFD_GETSOCKNAME, NULL, 0, &again, size ), 0 );
    check_iosb( &iosb, 0, size );
    ok( !memcmp( &again, &out, size ), "another name\n" );
    /* Winsock's own record has not heard of it */
    check_fails( getsockname( s, &again.any, &length ), WSAEINVAL );
    check_status( TRY( 4 + size, size ), NT_ALREADY_ASSOCIATED );

    bind.address = out;
    check_bind_end( control( other, &iosb, IOCTL_AFD_BIND, &bind, 4 + size, &again, size ), &iosb, NT_SHARING_VIOLATION,
                    0 );
#undef TRY
    closesocket( s );
    closesocket( other );
    winetest_pop_context();
}

/* --- events -----------------------------------------------------------------------------------------------------------*/

struct afd_select
{
    HANDLE event;
    ULONG mask;
};

struct afd_events
{
    ULONG flags;
    NTSTATUS status[13];
};

#define check_events( s, flags, refused ) check_events_( __FILE__, __LINE__, s, flags, refused )
static void check_events_( const char *file, int line, SOCKET s, ULONG flags, NTSTATUS refused )
{
    struct afd_events events;
    IO_STATUS_BLOCK iosb;
    NTSTATUS status;

    memset( &events, 0xcc, sizeof( events ) );
    status = control( s, &iosb, IOCTL_AFD_GET_EVENTS, NULL, 0, &events, sizeof( events ) );
    ok_( file, line )( !status, "returned %#lx\n", status );
    ok_( file, line )( events.flags == flags, "flags %#lx, expected %#lx\n", events.flags, flags );
    for ( unsigned int i = 0; i < ARRAY_SIZE( events.status ); i++ )
        ok_( file, line )( events.status[i] == ( i == 8 ? refused : 0 ), "status %u is %#lx\n", i, events.status[i] );
}

static void test_event_select( void )
{
    HANDLE told = CreateEventW( NULL, TRUE, FALSE, NULL );
    struct afd_select select = { told, 0 };
    struct afd_events events;
    WSANETWORKEVENTS network;
    SOCKET client, server;
    IO_STATUS_BLOCK iosb;

    tcp_pair( &client, &server );
#define SELECT( s, handle, bits ) \
    ( select.event = ( handle ), select.mask = ( bits ), \
      control( s, &iosb, IOCTL_AFD_EVENT_SELECT, &select, sizeof( select ), NULL, 0 ) )
    check_status( control( client, &iosb, IOCTL_AFD_EVENT_SELECT, NULL, 0, NULL, 0 ), NT_INVALID_PARAMETER );
    check_iosb( &iosb, NT_INVALID_PARAMETER, 0 );
    check_status( SELECT( client, NULL, AFD_READ ), NT_INVALID_PARAMETER );
    check_iosb( &iosb, NT_INVALID_PARAMETER, 0 );

    check_status( SELECT( client, told, AFD_CONNECT ), 0 );
    check_iosb( &iosb, 0, 0 );
    ok( !WaitForSingleObject( told, 1000 ), "the event is not set\n" );
    check_ok( WSAEnumNetworkEvents( client, told, &network ) );
    ok( network.lNetworkEvents == FD_CONNECT, "events %#lx\n", network.lNetworkEvents );
    ok( WaitForSingleObject( told, 0 ) == WAIT_TIMEOUT, "the event is set\n" );
    check_status( SELECT( client, NULL, 0 ), 0 );
    closesocket( client );
    closesocket( server );

    tcp_pair( &client, &server );
    check_status( SELECT( client, told, AFD_ALL ), 0 );
    ok( !WaitForSingleObject( told, 1000 ), "the event is not set\n" );
    check_ok( WSAEnumNetworkEvents( client, NULL, &network ) );
    ok( network.lNetworkEvents == ( FD_CONNECT | FD_WRITE ), "events %#lx\n", network.lNetworkEvents );
    check_events( client, 0, 0 );
    closesocket( client );
    closesocket( server );

    /* selected by Winsock, read by the control code */
    tcp_pair( &client, &server );
    ResetEvent( told );
    check_ok( WSAEventSelect( client, told, FD_ALL_EVENTS ) );
    check_ok( WSAEventSelect( server, told, FD_ALL_EVENTS ) );
    check_status( control( client, &iosb, IOCTL_AFD_GET_EVENTS, NULL, 0, NULL, 0 ), NT_INVALID_PARAMETER );
    check_events( client, AFD_WRITE | AFD_CONNECT, 0 );
    check_events( client, 0, 0 );
    SetEvent( told );
    check_status( control( server, &iosb, IOCTL_AFD_GET_EVENTS, told, 0, &events, sizeof( events ) ), 0 );
    ok( events.flags == AFD_WRITE, "flags %#lx\n", events.flags );
    ok( WaitForSingleObject( told, 0 ) == WAIT_TIMEOUT, "the event was not reset\n" );
    send( client, "x", 1, 0 );
    ok( !WaitForSingleObject( told, 5000 ), "the event is not set\n" );
    check_events( server, AFD_READ, 0 );
    closesocket( client );
    closesocket( server );
#undef SELECT
    CloseHandle( told );
}

static void test_failed_connect( void )
{
    HANDLE told = CreateEventW( NULL, TRUE, FALSE, NULL );
    union address dead;
    SOCKET bound = tcp_bound( AF_INET, &dead ), s = socket( AF_INET, SOCK_STREAM, 0 );

    check_ok( WSAEventSelect( s, told, FD_CONNECT ) );
    check_fails( connect( s, &dead.any, sizeof( dead.v4 ) ), WSAEWOULDBLOCK );
    ok( !WaitForSingleObject( told, 10000 ), "the event is not set\n" );
    check_events( s, AFD_CONNECT_ERR, NT_CONNECTION_REFUSED );
    ResetEvent( told );
    check_ok( WSAEventSelect( s, told, FD_CONNECT ) );
    ok( WaitForSingleObject( told, 0 ) == WAIT_TIMEOUT, "the event is set\n" );
    check_events( s, 0, NT_CONNECTION_REFUSED );
    closesocket( s );
    closesocket( bound );
    CloseHandle( told );
}

/* --- files ------------------------------------------------------------------------------------------------------------*/

static void test_files_overlapped( void )
{
    static const LONGLONG refused[] = { -1, -3 };
    LARGE_INTEGER offset;
    IO_STATUS_BLOCK iosb;
    SOCKET client, server;
    char buffer[8];

    tcp_pair_with( WSA_FLAG_OVERLAPPED, &client, &server );
#define READ( offset ) NtReadFile( (HANDLE)server, event, NULL, NULL, &iosb, buffer, sizeof( buffer ), offset, NULL )
#define WRITE( offset ) NtWriteFile( (HANDLE)client, event, NULL, NULL, &iosb, "data", 4, offset, NULL )
    check_status( READ( NULL ), NT_INVALID_PARAMETER );
    check_status( WRITE( NULL ), NT_INVALID_PARAMETER );
    for ( unsigned int i = 0; i < ARRAY_SIZE( refused ); i++ )
    {
        offset.QuadPart = refused[i];
        check_status( READ( &offset ), NT_INVALID_PARAMETER );
        check_status( WRITE( &offset ), NT_INVALID_PARAMETER );
    }
    for ( offset.QuadPart = 0; offset.QuadPart < 3; offset.QuadPart++ )
    {
        IO_STATUS_BLOCK reading;

        iosb_reset( &reading );
        ResetEvent( event );
        check_status(
            NtReadFile( (HANDLE)server, event, NULL, NULL, &reading, buffer, sizeof( buffer ), &offset, NULL ),
            NT_PENDING );
        check_iosb( &reading, UNTOUCHED, 0xdead );
        check_status( NtWriteFile( (HANDLE)client, NULL, NULL, NULL, &iosb, "data", 4, &offset, NULL ), 0 );
        check_iosb( &iosb, 0, 4 );
        ok( !WaitForSingleObject( event, 5000 ), "the event is not set\n" );
        check_iosb( &reading, 0, 4 );
        ok( !memcmp( buffer, "data", 4 ), "wrong data\n" );
    }
    closesocket( client );
    closesocket( server );
}

static DWORD CALLBACK write_later( void *argument )
{
    Sleep( 150 );
    send( *(SOCKET *)argument, "late", 4, 0 );
    return 0;
}

static void test_files_synchronous( void )
{
    IO_STATUS_BLOCK iosb;
    SOCKET client, server;
    HANDLE thread;
    char buffer[8];
    DWORD done;

    tcp_pair_with( 0, &client, &server );
    set_nonblocking( server, TRUE );
    check_status( WRITE( NULL ), 0 );
    check_iosb( &iosb, 0, 4 );
    ok( wait_readable( server, 5000 ), "nothing arrived\n" );
    check_status( READ( NULL ), 0 );
    check_iosb( &iosb, 0, 4 );
    /* it waits, non-blocking or not */
    thread = CreateThread( NULL, 0, write_later, &client, 0, NULL );
    iosb_reset( &iosb );
    check_status( READ( NULL ), 0 );
    check_iosb( &iosb, 0, 4 );
    ok( !memcmp( buffer, "late", 4 ), "wrong data\n" );
    WaitForSingleObject( thread, INFINITE );
    CloseHandle( thread );

    ok( WriteFile( (HANDLE)client, "file", 4, &done, NULL ) && done == 4, "WriteFile failed, error %lu\n",
        GetLastError() );
    ok( ReadFile( (HANDLE)server, buffer, 2, &done, NULL ) && done == 2 && !memcmp( buffer, "fi", 2 ),
        "read %lu bytes\n", done );
    ok( ReadFile( (HANDLE)server, buffer, sizeof( buffer ), &done, NULL ) && done == 2, "read %lu bytes\n", done );
    check_ok( shutdown( client, SD_SEND ) );
    ok( ReadFile( (HANDLE)server, buffer, sizeof( buffer ), &done, NULL ) && !done, "read %lu bytes\n", done );
    closesocket( client );
    closesocket( server );
}
#undef READ
#undef WRITE

/* A read is a receive: it makes FD_READ due again. */
static void test_files_and_events( void )
{
    HANDLE told = CreateEventW( NULL, TRUE, FALSE, NULL );
    OVERLAPPED overlapped = { 0 };
    WSANETWORKEVENTS network;
    SOCKET client, server;
    char buffer[2];
    DWORD done;

    tcp_pair( &client, &server );
    check_ok( WSAEventSelect( server, told, FD_READ ) );
    send( client, "four", 4, 0 );
    ok( !WaitForSingleObject( told, 5000 ), "the event is not set\n" );
    check_ok( WSAEnumNetworkEvents( server, told, &network ) );
    overlapped.hEvent = event;
    ok( ReadFile( (HANDLE)server, buffer, 2, &done, &overlapped ) && done == 2, "read %lu bytes, error %lu\n", done,
        GetLastError() );
    ok( !WaitForSingleObject( told, 5000 ), "the event is not set\n" );
    check_ok( WSAEnumNetworkEvents( server, told, &network ) );
    ok( network.lNetworkEvents == FD_READ, "events %#lx\n", network.lNetworkEvents );
    ok( ReadFile( (HANDLE)server, buffer, 2, &done, &overlapped ) && done == 2, "read %lu bytes, error %lu\n", done,
        GetLastError() );
    ok( WaitForSingleObject( told, 100 ) == WAIT_TIMEOUT, "the event is set\n" );
    closesocket( client );
    closesocket( server );
    CloseHandle( told );
}

static void test_object( void )
{
    SOCKET s = socket( AF_INET, SOCK_STREAM, 0 );
    PUBLIC_OBJECT_BASIC_INFORMATION info;

    check_status( NtQueryObject( (HANDLE)s, ObjectBasicInformation, &info, sizeof( info ), NULL ), 0 );
    ok( info.Attributes == 2 /* OBJ_INHERIT */, "attributes %#lx\n", info.Attributes );
    ok( info.GrantedAccess == 0x16019f, "access %#lx\n", info.GrantedAccess );
    ok( GetFileType( (HANDLE)s ) == FILE_TYPE_PIPE, "file type %lu\n", GetFileType( (HANDLE)s ) );
    closesocket( s );
}

struct change
{
    SOCKET s;
    DWORD code;
    union address to; /* of routes */
};

static DWORD CALLBACK wait_for_change( void *context )
{
    struct change *change = context;
    OVERLAPPED ov = { 0 };
    DWORD size;

    return WSAIoctl( change->s, change->code, &change->to, sizeof( change->to ), NULL, 0, &size, &ov, NULL )
               ? WSAGetLastError()
               : 0;
}

static void test_change_waits( int family, DWORD code )
{
    struct change change = { .s = WSASocketW( family, SOCK_DGRAM, 0, NULL, 0, 0 ), .code = code };
    DWORD result = 0;
    HANDLE thread;

    winetest_push_context( "code %#lx", code );
    address_loopback( &change.to, family, 1 );
    thread = CreateThread( NULL, 0, wait_for_change, &change, 0, NULL );
    ok( WaitForSingleObject( thread, 100 ) == WAIT_TIMEOUT, "it did not wait\n" );
    closesocket( change.s );
    ok( !WaitForSingleObject( thread, 10000 ), "it waits still\n" );
    GetExitCodeThread( thread, &result );
    ok( result && result != WSA_IO_PENDING, "error %lu\n", result );
    CloseHandle( thread );
    winetest_pop_context();
}

/* No operation pends on a socket that is not overlapped: the call waits for its end (facts: windows-behaviour 5.2). */
static void test_not_overlapped( int family )
{
    struct afd_poll poll = { .timeout = AFTER_MS( 50 ), .count = 1 };
    IO_STATUS_BLOCK iosb = { .Status = 0xdead };
    SOCKET s = WSASocketW( family, SOCK_DGRAM, 0, NULL, 0, 0 );
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL );
    union address address;

    check_ok( bind( s, &address.any, address_loopback( &address, family, 0 ) ) );
    poll.sockets[0].s = s;
    poll.sockets[0].flags = AFD_READ;
    check_status( NtDeviceIoControlFile( (HANDLE)s, event, NULL, NULL, &iosb, IOCTL_AFD_POLL, &poll, POLL_SIZE( 1 ),
                                         &poll, POLL_SIZE( 1 ) ),
                  NT_TIMEOUT );
    ok( iosb.Status == NT_TIMEOUT && !poll.count, "status %#lx, %lu\n", (DWORD)iosb.Status, poll.count );
    ok( !WaitForSingleObject( event, 0 ), "its event is not set\n" );

    closesocket( s );
    CloseHandle( event );
}

START_TEST( afd_requests )
{
    if ( support_begin() ) return;
    event = CreateEventW( NULL, TRUE, FALSE, NULL );
    test_recv_arguments();
    test_recv();
    test_recv_datagram();
    test_bind( AF_INET );
    if ( have_ipv6() ) test_bind( AF_INET6 );
    test_event_select();
    test_failed_connect();
    test_files_overlapped();
    test_files_synchronous();
    test_files_and_events();
    test_object();
    CloseHandle( event );
    test_not_overlapped( AF_INET );
    if ( have_ipv6() ) test_not_overlapped( AF_INET6 );
    for ( int families = have_ipv6() ? 2 : 1; families--; )
    {
        test_change_waits( families ? AF_INET6 : AF_INET, SIO_ADDRESS_LIST_CHANGE );
        test_change_waits( families ? AF_INET6 : AF_INET, SIO_ROUTING_INTERFACE_CHANGE );
    }
    support_end();
}
