/*
 * A handle of \Device\Afd is the system's and not Winsock's: it can be opened before WSAStartup, serves polls of the sockets
 * made later, with a completion port as wepoll and mio use it and with an event, and outlives WSACleanup.
 */
#include "afd.h"

static BOOL take_packet( HANDLE port, OVERLAPPED_ENTRY *entry )
{
    ULONG count = 0;

    memset( entry, 0, sizeof( *entry ) );
    return GetQueuedCompletionStatusEx( port, entry, 1, &count, 5000, FALSE ) && count == 1;
}

static struct afd_poll poll_of( SOCKET s, ULONG mask )
{
    struct afd_poll poll = { .timeout = NEVER, .count = 1 };

    poll.sockets[0].s = s;
    poll.sockets[0].flags = mask;
    return poll;
}

static NTSTATUS begin( HANDLE afd, HANDLE event, void *context, IO_STATUS_BLOCK *iosb, struct afd_poll *poll )
{
    iosb_reset( iosb );
    return NtDeviceIoControlFile( afd, event, NULL, context, iosb, IOCTL_AFD_POLL, poll, POLL_SIZE( 1 ), poll,
                                  POLL_SIZE( 1 ) );
}

static void use( HANDLE afd, HANDLE port, ULONG_PTR key )
{
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL );
    SOCKET client, server;
    OVERLAPPED_ENTRY entry;
    IO_STATUS_BLOCK iosb, cancelled;
    struct afd_poll poll;

    tcp_pair( &client, &server );
    poll = poll_of( server, AFD_READ | AFD_HUP );
    check_status( begin( afd, event, port ? &poll : NULL, &iosb, &poll ), NT_PENDING );
    check_result( send( client, "x", 1, 0 ), 1 );
    ok( !WaitForSingleObject( event, 5000 ), "the event is not set\n" );
    check_iosb( &iosb, 0, POLL_SIZE( 1 ) );
    ok( poll.count == 1 && poll.sockets[0].flags == AFD_READ, "count %lu, flags %#lx\n", poll.count,
        poll.sockets[0].flags );
    if ( port )
    {
        ok( take_packet( port, &entry ), "no packet\n" );
        ok( entry.lpCompletionKey == key && entry.lpOverlapped == (OVERLAPPED *)&poll, "another packet\n" );
    }
    poll = poll_of( server, AFD_HUP );
    check_status( begin( afd, event, NULL, &iosb, &poll ), NT_PENDING );
    check_status( NtCancelIoFileEx( afd, &iosb, &cancelled ), 0 );
    ok( !WaitForSingleObject( event, 5000 ), "the event is not set\n" );
    ok( iosb.Status == NT_CANCELLED, "status %#lx\n", iosb.Status );
    closesocket( client );
    closesocket( server );
    CloseHandle( event );
}

START_TEST( afd_early )
{
    HANDLE afd[3] = { afd_open( L"\\Device\\Afd" ), afd_open( L"\\Device\\Afd\\Wepoll" ),
                      afd_open( L"\\Device\\Afd\\Mio" ) };
    HANDLE port = CreateIoCompletionPort( INVALID_HANDLE_VALUE, NULL, 0, 0 );
    WSADATA data;

    for ( ULONG_PTR i = 1; i < ARRAY_SIZE( afd ); i++ )
    {
        ok( CreateIoCompletionPort( afd[i], port, i, 0 ) == port, "no association, error %lu\n", GetLastError() );
        ok( SetFileCompletionNotificationModes( afd[i], FILE_SKIP_SET_EVENT_ON_HANDLE ), "no modes, error %lu\n",
            GetLastError() );
    }
    /* it starts nothing: Winsock is as it was */
    check_no_socket( socket( AF_INET, SOCK_STREAM, 0 ), WSANOTINITIALISED );
    support_begin();
    for ( ULONG_PTR i = 0; i < ARRAY_SIZE( afd ); i++ ) use( afd[i], i ? port : NULL, i );
    check_ok( WSACleanup() );
    ok( !WSAStartup( MAKEWORD( 2, 2 ), &data ), "WSAStartup failed\n" );
    for ( ULONG_PTR i = 0; i < ARRAY_SIZE( afd ); i++ )
    {
        use( afd[i], i ? port : NULL, i );
        ok( CloseHandle( afd[i] ), "CloseHandle failed, error %lu\n", GetLastError() );
    }
    CloseHandle( port );
    support_end();
}
