/*
 * IOCTL_AFD_POLL (facts: afd, sections 1 to 6 and 8): arguments, timeouts, what it reports in each state of a socket, how a
 * request that waits is told of, cancelled and ended by closing, and that operations which wait come first.
 */
#include "afd.h"

#define ONE ( (ULONG)POLL_SIZE( 1 ) )

static HANDLE event;

static NTSTATUS poll_on( HANDLE handle, HANDLE told, void *context, IO_STATUS_BLOCK *iosb, struct afd_poll *poll )
{
    ULONG size = POLL_SIZE( poll->count );

    return NtDeviceIoControlFile( handle, told, NULL, context, iosb, IOCTL_AFD_POLL, poll, size, poll, size );
}

static struct afd_poll poll_of( SOCKET s, ULONG flags, LONGLONG timeout )
{
    struct afd_poll poll = { .timeout = timeout, .count = 1 };

    poll.sockets[0].s = s;
    poll.sockets[0].flags = flags;
    poll.sockets[0].status = UNTOUCHED;
    return poll;
}

/* What a poll reports at once, or within ms. */
#define check_poll( s, mask, ms, flags, status ) check_poll_( __FILE__, __LINE__, s, mask, ms, flags, status )
static void check_poll_( const char *file, int line, SOCKET s, ULONG mask, DWORD ms, ULONG flags,
                         NTSTATUS socket_status )
{
    struct afd_poll poll = poll_of( s, mask, ms ? AFTER_MS( ms ) : 0 );
    IO_STATUS_BLOCK iosb;
    NTSTATUS status;

    iosb_reset( &iosb );
    ResetEvent( event );
    status = poll_on( (HANDLE)s, event, NULL, &iosb, &poll );
    if ( status == NT_PENDING )
    {
        ok_( file, line )( ms != 0, "a probe waits\n" );
        ok_( file, line )( !WaitForSingleObject( event, ms + 10000 ), "the event is not set\n" );
        status = iosb.Status;
    }
    ok_( file, line )( status == ( flags || !ms ? 0 : NT_TIMEOUT ), "status %#lx\n", status );
    ok_( file, line )( !WaitForSingleObject( event, 0 ), "the event is not set\n" );
    ok_( file, line )( iosb.Information == ( flags ? POLL_SIZE( 1 ) : 16 ), "size %llu\n",
                       (unsigned long long)iosb.Information );
    ok_( file, line )( poll.count == ( flags ? 1 : 0 ), "count %lu\n", poll.count );
    if ( !flags ) return;
    ok_( file, line )( poll.sockets[0].flags == flags, "flags %#lx, expected %#lx\n", poll.sockets[0].flags, flags );
    ok_( file, line )( poll.sockets[0].s == s, "another socket\n" );
    ok_( file, line )( poll.sockets[0].status == socket_status, "status %#lx of the socket\n", poll.sockets[0].status );
}

static void wait_for( SOCKET s, ULONG flags )
{
    struct afd_poll poll = poll_of( s, flags, AFTER_MS( 10000 ) );
    IO_STATUS_BLOCK iosb;

    if ( poll_on( (HANDLE)s, event, NULL, &iosb, &poll ) == NT_PENDING ) WaitForSingleObject( event, 11000 );
    ok( poll.count == 1, "nothing of %#lx in 10 s\n", flags );
}

/* --- opening ----------------------------------------------------------------------------------------------------------*/

static void test_open( void )
{
    static const WCHAR *const names[] = { L"\\Device\\Afd", L"\\Device\\Afd\\", L"\\Device\\Afd\\Wepoll",
                                          L"\\Device\\Afd\\Mio", L"\\Device\\Afd\\no such thing" };
    SOCKET s = udp_bound( AF_INET, NULL );

    for ( unsigned int i = 0; i < ARRAY_SIZE( names ); i++ )
    {
        struct afd_poll poll = poll_of( s, AFD_WRITE, 0 );
        UNICODE_STRING string;
        OBJECT_ATTRIBUTES attributes = { .Length = sizeof( attributes ), .ObjectName = &string };
        IO_STATUS_BLOCK iosb;
        HANDLE handle = NULL;

        winetest_push_context( "name %u", i );
        RtlInitUnicodeString( &string, names[i] );
        check_status( NtOpenFile( &handle, SYNCHRONIZE, &attributes, &iosb, 0, 0 ), 0 );
        check_status( poll_on( handle, NULL, NULL, &iosb, &poll ), 0 );
        ok( poll.count == 1 && poll.sockets[0].flags == AFD_WRITE, "%lu entries, flags %#lx\n", poll.count,
            poll.sockets[0].flags );
        ok( CloseHandle( handle ), "CloseHandle failed\n" );
        winetest_pop_context();
    }
    closesocket( s );
}

/* --- arguments --------------------------------------------------------------------------------------------------------*/

static void test_arguments( void )
{
    SOCKET s = udp_bound( AF_INET, NULL ), closed = udp_bound( AF_INET, NULL );
    HANDLE handle = (HANDLE)s;
    char big_in[256] = { 0 }, big_out[256];
    struct afd_poll poll = poll_of( s, AFD_WRITE, 0 ), out;
    IO_STATUS_BLOCK iosb;

    closesocket( closed );
#define TRY( in, in_size, out, out_size ) \
    NtDeviceIoControlFile( handle, NULL, NULL, NULL, &iosb, IOCTL_AFD_POLL, in, in_size, out, out_size )
    check_status( TRY( NULL, 0, &out, sizeof( out ) ), NT_INVALID_PARAMETER );
    check_status( TRY( &poll, 0, &out, sizeof( out ) ), NT_INVALID_PARAMETER );
    check_status( TRY( &poll, ONE, NULL, 0 ), NT_INVALID_PARAMETER );
    check_status( TRY( &poll, ONE, &out, ONE - 1 ), NT_INVALID_PARAMETER );
    check_status( TRY( &poll, ONE - 1, &out, ONE - 1 ), NT_INVALID_PARAMETER );
    check_status( TRY( &poll, ONE - 1, &out, ONE ), NT_INVALID_PARAMETER );
    check_status( TRY( &poll, ONE, &out, ONE ), 0 );
    check_status( TRY( &poll, ONE, &out, 64 ), 0 );
    memcpy( big_in, &poll, ONE );
    check_status( TRY( big_in, sizeof( big_in ), big_out, sizeof( big_out ) ), 0 );
    poll.count = 0;
    check_status( TRY( &poll, ONE, &out, ONE ), NT_INVALID_PARAMETER );
    poll.count = 2;
    check_status( TRY( &poll, ONE, &out, ONE ), NT_INVALID_PARAMETER );
    poll.count = 0x10000001; /* times 16 is 16 */
    check_status( TRY( &poll, ONE, &out, ONE ), NT_INVALID_PARAMETER );
    poll.count = 0xffffffff;
    check_status( TRY( &poll, ONE, &out, ONE ), NT_INVALID_PARAMETER );

    /* sizes first, handles afterwards; one bad handle is enough */
    iosb_reset( &iosb );
    poll = poll_of( 0, AFD_WRITE, 0 );
    check_status( TRY( &poll, ONE, &out, ONE ), NT_INVALID_HANDLE );
    poll = poll_of( 0xabacab, AFD_WRITE, 0 );
    check_status( TRY( &poll, ONE, &out, ONE ), NT_INVALID_HANDLE );
    poll = poll_of( closed, AFD_WRITE, 0 );
    check_status( TRY( &poll, ONE, &out, ONE ), NT_INVALID_HANDLE );
    poll = poll_of( s, AFD_WRITE, 0 );
    poll.count = 2;
    poll.sockets[1].s = 0xabacab;
    check_status( TRY( &poll, POLL_SIZE( 2 ), &out, POLL_SIZE( 2 ) ), NT_INVALID_HANDLE );
    check_iosb( &iosb, UNTOUCHED, 0xdead );
#undef TRY
    closesocket( s );
}

static void test_timeouts( void )
{
    SOCKET s = socket( AF_INET, SOCK_STREAM, 0 ), ready = udp_bound( AF_INET, NULL );
    struct afd_poll poll;
    IO_STATUS_BLOCK iosb;
    LARGE_INTEGER now;
    DWORD begin, took;

    /* a probe ends at once, with nothing */
    poll = poll_of( s, AFD_ALL, 0 );
    iosb_reset( &iosb );
    check_status( poll_on( (HANDLE)s, event, NULL, &iosb, &poll ), 0 );
    check_iosb( &iosb, 0, 16 );
    ok( !poll.count && poll.sockets[0].flags == AFD_ALL && poll.sockets[0].status == UNTOUCHED,
        "the entry was touched: %lu, %#lx, %#lx\n", poll.count, poll.sockets[0].flags, poll.sockets[0].status );

    poll = poll_of( s, AFD_READ, AFTER_MS( 150 ) );
    iosb_reset( &iosb );
    ResetEvent( event );
    begin = GetTickCount();
    check_status( poll_on( (HANDLE)s, event, NULL, &iosb, &poll ), NT_PENDING );
    check_iosb( &iosb, UNTOUCHED, 0xdead );
    ok( !WaitForSingleObject( event, 5000 ), "the event is not set\n" );
    took = GetTickCount() - begin;
    ok( took >= 120 && took < 2000, "took %lu ms\n", took );
    check_iosb( &iosb, NT_TIMEOUT, 16 );
    ok( !poll.count && poll.timeout == AFTER_MS( 150 ), "count %lu, timeout %lld\n", poll.count, poll.timeout );

    /* absolute: a time in the past waits in form only */
    GetSystemTimeAsFileTime( (FILETIME *)&now );
    poll = poll_of( s, AFD_READ, now.QuadPart - 10000000 );
    ResetEvent( event );
    check_status( poll_on( (HANDLE)s, event, NULL, &iosb, &poll ), NT_PENDING );
    ok( !WaitForSingleObject( event, 5000 ), "the event is not set\n" );
    check_iosb( &iosb, NT_TIMEOUT, 16 );
    poll = poll_of( s, AFD_READ, now.QuadPart + 3000000 );
    ResetEvent( event );
    begin = GetTickCount();
    check_status( poll_on( (HANDLE)s, event, NULL, &iosb, &poll ), NT_PENDING );
    ok( !WaitForSingleObject( event, 5000 ), "the event is not set\n" );
    ok( GetTickCount() - begin < 3000, "took %lu ms\n", GetTickCount() - begin );
    check_iosb( &iosb, NT_TIMEOUT, 16 );

    /* what is ready comes before the time */
    poll = poll_of( ready, AFD_WRITE, now.QuadPart - 10000000 );
    check_status( poll_on( (HANDLE)s, event, NULL, &iosb, &poll ), 0 );
    ok( poll.count == 1 && poll.timeout == now.QuadPart - 10000000, "count %lu\n", poll.count );
    closesocket( s );
    closesocket( ready );
}

/* --- states -----------------------------------------------------------------------------------------------------------*/

static void test_connected( void )
{
    SOCKET client, server;
    char buffer[16];
    BOOL on = TRUE;

    tcp_pair( &client, &server );
    check_poll( client, AFD_ALL, 0, AFD_WRITE | AFD_CONNECT, 0 );
    check_poll( server, AFD_ALL, 0, AFD_WRITE | AFD_CONNECT, 0 );
    check_poll( server, AFD_READ | AFD_HUP, 100, 0, 0 );
    send( client, "data", 4, 0 );
    wait_for( server, AFD_READ );
    for ( int i = 0; i < 2; i++ ) check_poll( server, AFD_ALL, 0, AFD_READ | AFD_WRITE | AFD_CONNECT, 0 );
    check_poll( server, AFD_READ, 0, AFD_READ, 0 );
    check_poll( server, AFD_OOB | AFD_HUP | AFD_ACCEPT, 0, 0, 0 );
    check_result( recv( server, buffer, sizeof( buffer ), 0 ), 4 );
    check_poll( server, AFD_ALL, 0, AFD_WRITE | AFD_CONNECT, 0 );

    send( client, "o", 1, MSG_OOB );
    wait_for( server, AFD_OOB );
    check_poll( server, AFD_ALL, 0, AFD_OOB | AFD_WRITE | AFD_CONNECT, 0 );
    check_result( recv( server, buffer, 1, MSG_OOB ), 1 );
    check_poll( server, AFD_ALL, 0, AFD_WRITE | AFD_CONNECT, 0 );
    check_ok( setsockopt( server, SOL_SOCKET, SO_OOBINLINE, (char *)&on, sizeof( on ) ) );
    send( client, "o", 1, MSG_OOB );
    wait_for( server, AFD_READ );
    check_poll( server, AFD_ALL, 0, AFD_READ | AFD_WRITE | AFD_CONNECT, 0 );
    closesocket( client );
    closesocket( server );
}

static void test_shutdown( void )
{
    SOCKET client, server;
    char buffer[16];

    tcp_pair( &client, &server );
    check_ok( shutdown( client, SD_RECEIVE ) );
    check_poll( client, AFD_ALL, 0, AFD_WRITE | AFD_CONNECT, 0 );
    check_poll( server, AFD_ALL, 0, AFD_WRITE | AFD_CONNECT, 0 );
    check_ok( shutdown( client, SD_SEND ) );
    wait_for( server, AFD_HUP );
    check_poll( client, AFD_ALL, 0, AFD_WRITE | AFD_CONNECT, 0 );
    check_poll( server, AFD_ALL, 0, AFD_WRITE | AFD_CONNECT | AFD_HUP, 0 );
    closesocket( client );
    closesocket( server );

    tcp_pair( &client, &server );
    send( client, "data", 4, 0 );
    wait_for( server, AFD_READ );
    check_ok( shutdown( client, SD_SEND ) );
    wait_for( server, AFD_HUP );
    check_poll( server, AFD_ALL, 0, AFD_READ | AFD_WRITE | AFD_CONNECT | AFD_HUP, 0 );
    check_result( recv( server, buffer, sizeof( buffer ), 0 ), 4 );
    check_poll( server, AFD_ALL, 0, AFD_WRITE | AFD_CONNECT | AFD_HUP, 0 );
    closesocket( client );
    closesocket( server );
}

static void test_full( void )
{
    static char block[0x10000];
    SOCKET client, server;
    int sent = 0, got = 0, n;

    tcp_pair( &client, &server );
    set_nonblocking( client, TRUE );
    set_nonblocking( server, TRUE );
    while ( ( n = send( client, block, sizeof( block ), 0 ) ) > 0 && sent < 0x8000000 ) sent += n;
    check_poll( client, AFD_ALL, 0, AFD_CONNECT, 0 );
    check_poll( client, AFD_WRITE, 100, 0, 0 );
    while ( got < sent )
        if ( ( n = recv( server, block, sizeof( block ), 0 ) ) > 0 ) got += n;
        else wait_for( server, AFD_READ );
    wait_for( client, AFD_WRITE );
    check_poll( client, AFD_ALL, 0, AFD_WRITE | AFD_CONNECT, 0 );
    closesocket( client );
    closesocket( server );
}

static void test_listener( void )
{
    union address address;
    SOCKET listener, first, second, accepted;

    listener = tcp_listener( AF_INET, &address );
    check_poll( listener, AFD_ALL, 100, 0, 0 );
    first = socket( AF_INET, SOCK_STREAM, 0 );
    check_poll( first, AFD_ALL, 100, 0, 0 );
    check_ok( connect( first, &address.any, sizeof( address.v4 ) ) );
    wait_for( listener, AFD_ACCEPT );
    for ( int i = 0; i < 2; i++ ) check_poll( listener, AFD_ALL, 0, AFD_ACCEPT, 0 );
    check_poll( listener, AFD_ALL & ~AFD_ACCEPT, 100, 0, 0 );
    second = socket( AF_INET, SOCK_STREAM, 0 );
    check_ok( connect( second, &address.any, sizeof( address.v4 ) ) );
    accepted = accept( listener, NULL, NULL );
    closesocket( accepted );
    check_poll( listener, AFD_ALL, 1000, AFD_ACCEPT, 0 );
    accepted = accept( listener, NULL, NULL );
    closesocket( accepted );
    check_poll( listener, AFD_ALL, 0, 0, 0 );
    closesocket( first );
    closesocket( second );
    closesocket( listener );
}

static void test_datagram( void )
{
    union address address;
    SOCKET s = socket( AF_INET, SOCK_DGRAM, 0 ), bound;
    struct afd_poll poll;
    IO_STATUS_BLOCK iosb;
    char buffer[8];

    check_poll( s, AFD_ALL, 0, AFD_WRITE, 0 );
    bound = udp_bound( AF_INET, &address );
    check_poll( bound, AFD_ALL, 0, AFD_WRITE, 0 );
    check_poll( bound, AFD_READ, 100, 0, 0 );
    check_result( sendto( s, "data", 4, 0, &address.any, sizeof( address.v4 ) ), 4 );
    wait_for( bound, AFD_READ );
    check_poll( bound, AFD_ALL, 0, AFD_READ | AFD_WRITE, 0 );
    check_poll( bound, AFD_READ, 0, AFD_READ, 0 );
    check_result( recv( bound, buffer, sizeof( buffer ), 0 ), 4 );
    check_poll( bound, AFD_READ, 0, 0, 0 );

    poll = poll_of( s, AFD_CONNECT, NEVER );
    ResetEvent( event );
    check_status( poll_on( (HANDLE)s, event, NULL, &iosb, &poll ), NT_PENDING );
    check_ok( connect( s, &address.any, sizeof( address.v4 ) ) );
    ok( !WaitForSingleObject( event, 5000 ), "connect did not end the poll\n" );
    check_iosb( &iosb, 0, POLL_SIZE( 1 ) );
    ok( poll.sockets[0].flags == AFD_CONNECT && !poll.sockets[0].status, "flags %#lx, status %#lx\n",
        poll.sockets[0].flags, poll.sockets[0].status );
    closesocket( s );
    closesocket( bound );
}

static void test_connect( void )
{
    union address address, dead;
    SOCKET listener = tcp_listener( AF_INET, &address ), closed = tcp_bound( AF_INET, &dead ), s;
    struct afd_poll poll;
    IO_STATUS_BLOCK iosb;

    s = socket( AF_INET, SOCK_STREAM, 0 );
    set_nonblocking( s, TRUE );
    poll = poll_of( s, AFD_ALL, NEVER );
    ResetEvent( event );
    check_status( poll_on( (HANDLE)s, event, NULL, &iosb, &poll ), NT_PENDING );
    connect( s, &address.any, sizeof( address.v4 ) );
    ok( !WaitForSingleObject( event, 5000 ), "connect did not end the poll\n" );
    check_iosb( &iosb, 0, POLL_SIZE( 1 ) );
    ok( poll.count == 1 && poll.sockets[0].flags == ( AFD_CONNECT | AFD_WRITE ), "count %lu, flags %#lx\n", poll.count,
        poll.sockets[0].flags );
    closesocket( s );

    /* refused; Windows takes seconds over it */
    s = socket( AF_INET, SOCK_STREAM, 0 );
    set_nonblocking( s, TRUE );
    check_fails( connect( s, &dead.any, sizeof( dead.v4 ) ), WSAEWOULDBLOCK );
    check_poll( s, AFD_ALL, 10000, AFD_CONNECT_ERR, NT_CONNECTION_REFUSED );
    check_poll( s, AFD_ALL, 0, AFD_CONNECT_ERR, NT_CONNECTION_REFUSED );
    check_poll( s, AFD_ALL & ~AFD_CONNECT_ERR, 0, 0, 0 );
    closesocket( s );

    s = socket( AF_INET, SOCK_STREAM, 0 );
    check_fails( connect( s, &dead.any, sizeof( dead.v4 ) ), WSAECONNREFUSED );
    check_poll( s, AFD_ALL, 0, AFD_CONNECT_ERR, NT_CONNECTION_REFUSED );
    check_ok( connect( s, &address.any, sizeof( address.v4 ) ) );
    check_poll( s, AFD_ALL, 0, AFD_CONNECT | AFD_WRITE, 0 );
    closesocket( s );
    closesocket( closed );
    closesocket( listener );
}

/* --- requests that wait -----------------------------------------------------------------------------------------------*/

static void test_pending( void )
{
    SOCKET client, server, other = udp_bound( AF_INET, NULL );
    struct afd_poll in, out;
    IO_STATUS_BLOCK iosb;

    tcp_pair( &client, &server );
    in = poll_of( server, AFD_READ, NEVER );
    memset( &out, 0xcc, sizeof( out ) );
    iosb_reset( &iosb );
    SetEvent( event );
    /* on a socket that has nothing to do with it; the input is captured */
    check_status( NtDeviceIoControlFile( (HANDLE)other, event, NULL, NULL, &iosb, IOCTL_AFD_POLL, &in, ONE, &out, 64 ),
                  NT_PENDING );
    memset( &in, 0xaa, sizeof( in ) );
    ok( WaitForSingleObject( event, 50 ) == WAIT_TIMEOUT, "the event was not reset\n" );
    check_iosb( &iosb, UNTOUCHED, 0xdead );
    send( client, "x", 1, 0 );
    ok( !WaitForSingleObject( event, 5000 ), "the event is not set\n" );
    check_iosb( &iosb, 0, POLL_SIZE( 1 ) );
    ok( out.count == 1 && out.timeout == NEVER && out.sockets[0].s == server && out.sockets[0].flags == AFD_READ &&
            !out.sockets[0].status,
        "count %lu, flags %#lx\n", out.count, out.sockets[0].flags );
    ok( out.sockets[1].flags == 0xcccccccc, "more was written than the size says\n" );
    closesocket( client );
    closesocket( server );
    closesocket( other );
}

static void test_several( void )
{
    SOCKET a, b, c, d, fresh = socket( AF_INET, SOCK_STREAM, 0 );
    struct afd_poll poll = { .timeout = NEVER, .count = 3 };
    IO_STATUS_BLOCK iosb;

    tcp_pair( &a, &b );
    tcp_pair( &c, &d );
    poll.sockets[0].s = fresh;
    poll.sockets[0].flags = AFD_ALL;
    poll.sockets[1].s = b;
    poll.sockets[1].flags = AFD_READ | AFD_HUP;
    poll.sockets[2].s = d;
    poll.sockets[2].flags = AFD_READ;
    ResetEvent( event );
    check_status( poll_on( (HANDLE)a, event, NULL, &iosb, &poll ), NT_PENDING );
    send( c, "x", 1, 0 );
    ok( !WaitForSingleObject( event, 5000 ), "the event is not set\n" );
    check_iosb( &iosb, 0, POLL_SIZE( 1 ) );
    ok( poll.count == 1 && poll.sockets[0].s == d && poll.sockets[0].flags == AFD_READ, "count %lu, flags %#lx\n",
        poll.count, poll.sockets[0].flags );

    /* ready on entry: all of them, in order, without the others */
    poll.count = 3;
    poll.sockets[0].s = b;
    poll.sockets[0].flags = AFD_WRITE;
    poll.sockets[1].s = fresh;
    poll.sockets[1].flags = AFD_ALL;
    poll.sockets[2].s = d;
    poll.sockets[2].flags = AFD_READ | AFD_WRITE;
    check_status( poll_on( (HANDLE)a, event, NULL, &iosb, &poll ), 0 );
    check_iosb( &iosb, 0, POLL_SIZE( 2 ) );
    ok( poll.count == 2 && poll.sockets[0].s == b && poll.sockets[0].flags == AFD_WRITE && poll.sockets[1].s == d &&
            poll.sockets[1].flags == ( AFD_READ | AFD_WRITE ),
        "count %lu, flags %#lx, %#lx\n", poll.count, poll.sockets[0].flags, poll.sockets[1].flags );

    /* one socket three times */
    poll.count = 3;
    for ( int i = 0; i < 3; i++ ) poll.sockets[i].s = d;
    poll.sockets[0].flags = AFD_READ;
    poll.sockets[1].flags = AFD_WRITE;
    poll.sockets[2].flags = AFD_READ | AFD_CONNECT;
    check_status( poll_on( (HANDLE)a, event, NULL, &iosb, &poll ), 0 );
    check_iosb( &iosb, 0, POLL_SIZE( 3 ) );
    ok( poll.count == 3 && poll.sockets[0].flags == AFD_READ && poll.sockets[1].flags == AFD_WRITE &&
            poll.sockets[2].flags == ( AFD_READ | AFD_CONNECT ),
        "count %lu\n", poll.count );
    poll.count = 3;
    poll.timeout = NEVER;
    for ( int i = 0; i < 3; i++ ) poll.sockets[i].s = b;
    poll.sockets[0].flags = AFD_HUP;
    poll.sockets[1].flags = AFD_READ;
    poll.sockets[2].flags = AFD_READ | AFD_OOB;
    ResetEvent( event );
    check_status( poll_on( (HANDLE)b, event, NULL, &iosb, &poll ), NT_PENDING );
    send( a, "x", 1, 0 );
    ok( !WaitForSingleObject( event, 5000 ), "the event is not set\n" );
    check_iosb( &iosb, 0, POLL_SIZE( 1 ) );
    ok( poll.count == 1 && poll.sockets[0].s == b && poll.sockets[0].flags == AFD_READ, "count %lu, flags %#lx\n",
        poll.count, poll.sockets[0].flags );
    closesocket( a );
    closesocket( b );
    closesocket( c );
    closesocket( d );
    closesocket( fresh );
}

#define check_packet( port, context, status, key ) check_packet_( __FILE__, __LINE__, port, context, status, key )
static void check_packet_( const char *file, int line, HANDLE port, void *context, NTSTATUS status, ULONG_PTR key )
{
    OVERLAPPED_ENTRY entry = { 0 };
    ULONG count = 0;

    ok_( file, line )( GetQueuedCompletionStatusEx( port, &entry, 1, &count, 5000, FALSE ) && count == 1,
                       "no packet, error %lu\n", GetLastError() );
    ok_( file, line )( entry.lpOverlapped == context, "value %p, expected %p\n", (void *)entry.lpOverlapped, context );
    ok_( file, line )( entry.lpCompletionKey == key, "key %#llx\n", (unsigned long long)entry.lpCompletionKey );
    ok_( file, line )( (NTSTATUS)entry.Internal == status, "status %#llx\n", (unsigned long long)entry.Internal );
}

static void check_no_packet( HANDLE port )
{
    OVERLAPPED *overlapped;
    ULONG_PTR key;
    DWORD size;

    ok( !GetQueuedCompletionStatus( port, &size, &key, &overlapped, 50 ) && !overlapped, "a packet came\n" );
}

static LONG apc_calls;
static void NTAPI count_apc( void *context, IO_STATUS_BLOCK *iosb, ULONG reserved )
{
    (void)iosb, (void)reserved;
    if ( context == &apc_calls ) apc_calls++;
}

static void test_ports( void )
{
    HANDLE port = CreateIoCompletionPort( INVALID_HANDLE_VALUE, NULL, 0, 0 ), handles[2];
    SOCKET client, server;
    struct afd_poll poll;
    IO_STATUS_BLOCK iosb;

    tcp_pair( &client, &server );
    handles[0] = afd_open( L"\\Device\\Afd\\Test" );
    handles[1] = (HANDLE)socket( AF_INET, SOCK_STREAM, 0 );
    for ( int i = 0; i < 2; i++ )
    {
        HANDLE handle = handles[i];
        char byte;

        winetest_push_context( "%s", i ? "socket" : "device" );
        ok( CreateIoCompletionPort( handle, port, 7 + i, 0 ) == port, "CreateIoCompletionPort failed, error %lu\n",
            GetLastError() );
        ok( SetFileCompletionNotificationModes( handle, FILE_SKIP_SET_EVENT_ON_HANDLE ),
            "SetFileCompletionNotificationModes failed, error %lu\n", GetLastError() );

        /* no context, no packet */
        poll = poll_of( server, AFD_WRITE, 0 );
        check_status( poll_on( handle, NULL, NULL, &iosb, &poll ), 0 );
        check_no_packet( port );
        /* at once, a probe of nothing, a timeout, an arrival: each has its packet */
        poll = poll_of( server, AFD_WRITE, 0 );
        check_status( poll_on( handle, NULL, &poll, &iosb, &poll ), 0 );
        check_packet( port, &poll, 0, 7 + i );
        poll = poll_of( server, AFD_READ, 0 );
        check_status( poll_on( handle, NULL, &poll, &iosb, &poll ), 0 );
        check_packet( port, &poll, 0, 7 + i );
        poll = poll_of( server, AFD_READ, AFTER_MS( 50 ) );
        check_status( poll_on( handle, NULL, &poll, &iosb, &poll ), NT_PENDING );
        check_packet( port, &poll, NT_TIMEOUT, 7 + i );
        poll = poll_of( server, AFD_READ, NEVER );
        ResetEvent( event );
        check_status( poll_on( handle, event, &iosb, &iosb, &poll ), NT_PENDING );
        send( client, "x", 1, 0 );
        check_packet( port, &iosb, 0, 7 + i );
        check_iosb( &iosb, 0, POLL_SIZE( 1 ) );
        ok( !WaitForSingleObject( event, 0 ), "the event is not set\n" );
        check_result( recv( server, &byte, 1, 0 ), 1 );

        /* an error has none; neither has an APC a place on such a handle */
        poll = poll_of( 0xabacab, AFD_READ, NEVER );
        check_status( poll_on( handle, NULL, &poll, &iosb, &poll ), NT_INVALID_HANDLE );
        poll = poll_of( server, AFD_WRITE, 0 );
        check_status(
            NtDeviceIoControlFile( handle, NULL, count_apc, &apc_calls, &iosb, IOCTL_AFD_POLL, &poll, ONE, &poll, ONE ),
            NT_INVALID_PARAMETER );
        check_no_packet( port );

        /* cancelled by its iosb, like wepoll and mio do */
        poll = poll_of( server, AFD_READ, NEVER );
        check_status( poll_on( handle, NULL, &poll, &iosb, &poll ), NT_PENDING );
        {
            IO_STATUS_BLOCK none, result;
            check_status( NtCancelIoFileEx( handle, &none, &result ), NT_NOT_FOUND );
            check_status( NtCancelIoFileEx( handle, &iosb, &result ), 0 );
            check_packet( port, &poll, NT_CANCELLED, 7 + i );
            check_iosb( &iosb, NT_CANCELLED, 0 );
            check_status( NtCancelIoFileEx( handle, &iosb, &result ), NT_NOT_FOUND );
        }

        /* the handle goes, the request stays: it ends with its time */
        poll = poll_of( server, AFD_READ, AFTER_MS( 200 ) );
        check_status( poll_on( handle, NULL, &poll, &iosb, &poll ), NT_PENDING );
        ok( CloseHandle( handle ), "CloseHandle failed, error %lu\n", GetLastError() );
        check_no_packet( port );
        check_packet( port, &poll, NT_TIMEOUT, 7 + i );
        check_iosb( &iosb, NT_TIMEOUT, 16 );
        winetest_pop_context();
    }
    closesocket( client );
    closesocket( server );
    CloseHandle( port );
}

static void test_apc( void )
{
    SOCKET client, server;
    struct afd_poll poll;
    IO_STATUS_BLOCK iosb;

    apc_calls = 0;
    tcp_pair( &client, &server );
    poll = poll_of( server, AFD_WRITE, 0 );
    check_status( NtDeviceIoControlFile( (HANDLE)server, NULL, count_apc, &apc_calls, &iosb, IOCTL_AFD_POLL, &poll, ONE,
                                         &poll, ONE ),
                  0 );
    ok( SleepEx( 0, TRUE ) == WAIT_IO_COMPLETION && apc_calls == 1, "%ld APCs ran\n", apc_calls );
    poll = poll_of( server, AFD_READ, NEVER );
    check_status( NtDeviceIoControlFile( (HANDLE)server, NULL, count_apc, &apc_calls, &iosb, IOCTL_AFD_POLL, &poll, ONE,
                                         &poll, ONE ),
                  NT_PENDING );
    ok( !SleepEx( 50, TRUE ), "an APC ran too soon\n" );
    send( client, "x", 1, 0 );
    ok( SleepEx( 5000, TRUE ) == WAIT_IO_COMPLETION && apc_calls == 2, "%ld APCs ran\n", apc_calls );
    check_iosb( &iosb, 0, POLL_SIZE( 1 ) );
    closesocket( client );
    closesocket( server );
}

static void test_close( void )
{
    HANDLE port = CreateIoCompletionPort( INVALID_HANDLE_VALUE, NULL, 0, 0 ),
           helper = afd_open( L"\\Device\\Afd\\Test" );
    SOCKET s = socket( AF_INET, SOCK_STREAM, 0 );
    struct afd_poll poll;
    IO_STATUS_BLOCK iosb;

    /* a mask of nothing waits for this */
    poll = poll_of( s, 0, NEVER );
    iosb_reset( &iosb );
    ResetEvent( event );
    check_status( poll_on( (HANDLE)s, event, NULL, &iosb, &poll ), NT_PENDING );
    check_ok( closesocket( s ) );
    ok( !WaitForSingleObject( event, 1000 ), "the event is not set\n" );
    check_iosb( &iosb, 0, POLL_SIZE( 1 ) );
    ok( poll.count == 1 && poll.sockets[0].s == s && poll.sockets[0].flags == AFD_CLOSE && !poll.sockets[0].status,
        "count %lu, flags %#lx\n", poll.count, poll.sockets[0].flags );

    s = socket( AF_INET, SOCK_STREAM, 0 );
    CreateIoCompletionPort( helper, port, 5, 0 );
    poll = poll_of( s, AFD_READ, NEVER );
    check_status( poll_on( helper, NULL, &poll, &iosb, &poll ), NT_PENDING );
    ok( CloseHandle( (HANDLE)s ), "CloseHandle failed\n" );
    check_packet( port, &poll, 0, 5 );
    ok( poll.count == 1 && poll.sockets[0].flags == AFD_CLOSE, "count %lu, flags %#lx\n", poll.count,
        poll.sockets[0].flags );
    CloseHandle( helper );
    CloseHandle( port );
}

/* What waits in an overlapped call takes what comes before a poll sees it. */
static void test_precedence( void )
{
    union address address;
    SOCKET client, server, listener, acceptor, first, second;
    OVERLAPPED overlapped = { .hEvent = CreateEventW( NULL, TRUE, FALSE, NULL ) };
    struct afd_poll poll;
    IO_STATUS_BLOCK iosb;
    char buffer[4], addresses[64];
    WSABUF buffers = { sizeof( buffer ), buffer };
    DWORD flags = 0, size;

    tcp_pair( &client, &server );
    check_fails( WSARecv( server, &buffers, 1, NULL, &flags, &overlapped, NULL ), WSA_IO_PENDING );
    poll = poll_of( server, AFD_READ, NEVER );
    ResetEvent( event );
    check_status( poll_on( (HANDLE)server, event, NULL, &iosb, &poll ), NT_PENDING );
    send( client, "abcd", 4, 0 );
    ok( !WaitForSingleObject( overlapped.hEvent, 5000 ), "the receive did not end\n" );
    ok( WaitForSingleObject( event, 100 ) == WAIT_TIMEOUT, "the poll ended\n" );
    send( client, "e", 1, 0 );
    ok( !WaitForSingleObject( event, 5000 ), "the poll did not end\n" );
    ok( poll.count == 1 && poll.sockets[0].flags == AFD_READ, "count %lu, flags %#lx\n", poll.count,
        poll.sockets[0].flags );
    closesocket( client );
    closesocket( server );

    /* more at once than the receive takes: the rest is the poll's */
    tcp_pair( &client, &server );
    ResetEvent( overlapped.hEvent );
    check_fails( WSARecv( server, &buffers, 1, NULL, &flags, &overlapped, NULL ), WSA_IO_PENDING );
    poll = poll_of( server, AFD_READ, NEVER );
    ResetEvent( event );
    check_status( poll_on( (HANDLE)server, event, NULL, &iosb, &poll ), NT_PENDING );
    send( client, "abcdefgh", 8, 0 );
    ok( !WaitForSingleObject( overlapped.hEvent, 5000 ), "the receive did not end\n" );
    ok( !WaitForSingleObject( event, 5000 ), "the poll did not end\n" );
    closesocket( client );
    closesocket( server );

    listener = tcp_listener( AF_INET, &address );
    acceptor = socket( AF_INET, SOCK_STREAM, 0 );
    ResetEvent( overlapped.hEvent );
    ok( !AcceptEx( listener, acceptor, addresses, 0, 32, 32, &size, &overlapped ) &&
            WSAGetLastError() == WSA_IO_PENDING,
        "AcceptEx gave %d\n", WSAGetLastError() );
    poll = poll_of( listener, AFD_ACCEPT, NEVER );
    ResetEvent( event );
    check_status( poll_on( (HANDLE)listener, event, NULL, &iosb, &poll ), NT_PENDING );
    first = socket( AF_INET, SOCK_STREAM, 0 );
    check_ok( connect( first, &address.any, sizeof( address.v4 ) ) );
    ok( !WaitForSingleObject( overlapped.hEvent, 5000 ), "AcceptEx did not end\n" );
    ok( WaitForSingleObject( event, 100 ) == WAIT_TIMEOUT, "the poll ended\n" );
    second = socket( AF_INET, SOCK_STREAM, 0 );
    check_ok( connect( second, &address.any, sizeof( address.v4 ) ) );
    ok( !WaitForSingleObject( event, 5000 ), "the poll did not end\n" );
    ok( poll.count == 1 && poll.sockets[0].flags == AFD_ACCEPT, "count %lu, flags %#lx\n", poll.count,
        poll.sockets[0].flags );
    closesocket( first );
    closesocket( second );
    closesocket( acceptor );
    closesocket( listener );
    CloseHandle( overlapped.hEvent );
}

START_TEST( afd )
{
    if ( support_begin() ) return;
    event = CreateEventW( NULL, TRUE, FALSE, NULL );
    test_open();
    test_arguments();
    test_timeouts();
    test_connected();
    test_shutdown();
    test_full();
    test_listener();
    test_datagram();
    test_connect();
    test_pending();
    test_several();
    test_ports();
    test_apc();
    test_close();
    test_precedence();
    CloseHandle( event );
    support_end();
}
