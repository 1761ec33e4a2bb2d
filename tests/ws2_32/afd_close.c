/*
 * AFD_POLL_CLOSE is tied to the last handle of the socket in the system, and a request of the completion port kind to the
 * last one in its process (facts: afd, section 8), however the other handles came to be: DuplicateHandle here or into
 * another process, inheritance, WSADuplicateSocket; used as sockets meanwhile or not.
 */
#include "afd.h"
#include "puppets.h"

static NTSTATUS poll_begin( SOCKET s, HANDLE event, void *context, IO_STATUS_BLOCK *iosb, struct afd_poll *poll,
                            ULONG mask )
{
    memset( poll, 0, sizeof( *poll ) );
    poll->timeout = NEVER;
    poll->count = 1;
    poll->sockets[0].s = s;
    poll->sockets[0].flags = mask;
    iosb_reset( iosb );
    if ( event ) ResetEvent( event );
    return NtDeviceIoControlFile( (HANDLE)s, event, NULL, context, iosb, IOCTL_AFD_POLL, poll, POLL_SIZE( 1 ), poll,
                                  POLL_SIZE( 1 ) );
}

static BOOL take_packet( HANDLE port, DWORD ms, OVERLAPPED_ENTRY *entry )
{
    ULONG count = 0;

    memset( entry, 0, sizeof( *entry ) );
    return GetQueuedCompletionStatusEx( port, entry, 1, &count, ms, FALSE ) && count == 1;
}

static HANDLE copy_into( HANDLE process, SOCKET s )
{
    HANDLE copy = NULL;

    ok( DuplicateHandle( GetCurrentProcess(), (HANDLE)s, process, &copy, 0, FALSE, DUPLICATE_SAME_ACCESS ),
        "DuplicateHandle failed, error %lu\n", GetLastError() );
    return copy;
}

/* A copy in the same process: nothing happens, and the poll goes on for what is left. */
static void test_same_process( BOOL used, BOOL port_style )
{
    HANDLE port = CreateIoCompletionPort( INVALID_HANDLE_VALUE, NULL, 0, 0 ),
           event = CreateEventW( NULL, TRUE, FALSE, NULL );
    SOCKET client, server;
    OVERLAPPED_ENTRY entry;
    IO_STATUS_BLOCK iosb;
    struct afd_poll poll;
    HANDLE copy;
    char byte;

    winetest_push_context( "used %d, port %d", used, port_style );
    tcp_pair( &client, &server );
    copy = copy_into( GetCurrentProcess(), server );
    if ( used ) check_flow( (SOCKET)copy, client );
    if ( port_style ) CreateIoCompletionPort( (HANDLE)server, port, 5, 0 );
    check_status( poll_begin( server, port_style ? NULL : event, port_style ? &poll : NULL, &iosb, &poll, AFD_READ ),
                  NT_PENDING );
    check_ok( closesocket( server ) );
    if ( port_style ) ok( !take_packet( port, 100, &entry ), "a packet, status %#lx\n", iosb.Status );
    else ok( WaitForSingleObject( event, 100 ) == WAIT_TIMEOUT, "the event is set\n" );
    check_iosb( &iosb, UNTOUCHED, 0xdead );

    check_result( send( client, "x", 1, 0 ), 1 );
    if ( port_style ) ok( take_packet( port, 5000, &entry ), "no packet\n" );
    else ok( !WaitForSingleObject( event, 5000 ), "the event is not set\n" );
    check_iosb( &iosb, 0, POLL_SIZE( 1 ) );
    ok( poll.count == 1 && poll.sockets[0].flags == AFD_READ && poll.sockets[0].s == server, "count %lu, flags %#lx\n",
        poll.count, poll.sockets[0].flags );

    check_result( recv( (SOCKET)copy, &byte, 1, 0 ), 1 );

    /* and with the last handle */
    check_status( poll_begin( (SOCKET)copy, event, NULL, &iosb, &poll, 0 ), NT_PENDING );
    ok( CloseHandle( copy ), "CloseHandle failed, error %lu\n", GetLastError() );
    ok( !WaitForSingleObject( event, 5000 ), "the event is not set\n" );
    ok( poll.count == 1 && poll.sockets[0].flags == AFD_CLOSE, "count %lu, flags %#lx\n", poll.count,
        poll.sockets[0].flags );
    check_eof( client );
    closesocket( client );
    CloseHandle( event );
    CloseHandle( port );
    winetest_pop_context();
}

enum way
{
    BY_HANDLE,
    BY_INHERITANCE,
    BY_INFO,
    WAYS
};

/* Another process has it: what is done with a packet only is cancelled, others wait on. */
static void test_other_process( enum way way, BOOL used )
{
    static const struct
    {
        BOOL context, event, cancelled;
    } kinds[] = { { FALSE, FALSE, FALSE }, { FALSE, TRUE, FALSE }, { TRUE, TRUE, FALSE }, { TRUE, FALSE, TRUE } };

    for ( unsigned int i = 0; i < ARRAY_SIZE( kinds ); i++ )
    {
        HANDLE port = CreateIoCompletionPort( INVALID_HANDLE_VALUE, NULL, 0, 0 );
        HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL );
        static IO_STATUS_BLOCK iosbs[ARRAY_SIZE( kinds ) * WAYS * 2], *iosb;
        static struct afd_poll polls[ARRAY_SIZE( kinds ) * WAYS * 2], *poll;
        const unsigned int number = ( way * 2 + used ) * ARRAY_SIZE( kinds ) + i;
        SOCKET client, server, there = 0;
        WSAPROTOCOL_INFOA info;
        struct puppet puppet;
        OVERLAPPED_ENTRY entry;

        /* what goes on waiting has memory that stays */
        iosb = &iosbs[number];
        poll = &polls[number];
        winetest_push_context( "way %d, used %d, kind %u", way, used, i );
        tcp_pair( &client, &server );
        SetHandleInformation( (HANDLE)client, HANDLE_FLAG_INHERIT, 0 );
        puppet_create( &puppet, way == BY_INHERITANCE ? PUPPET_INHERITS : 0 );
        switch ( way )
        {
        case BY_HANDLE: there = (SOCKET)copy_into( puppet.process, server ); break;
        case BY_INHERITANCE: there = server; break;
        case BY_INFO:
            check_ok( WSADuplicateSocketA( server, puppet.pid, &info ) );
            there = puppet_open_a( &puppet, &info, WSA_FLAG_OVERLAPPED );
            break;
        case WAYS: break;
        }
        if ( used ) check_result( puppet_send( &puppet, there, "x" ), 1 );
        CreateIoCompletionPort( (HANDLE)server, port, 5, 0 );
        check_status(
            poll_begin( server, kinds[i].event ? event : NULL, kinds[i].context ? poll : NULL, iosb, poll, AFD_OOB ),
            NT_PENDING );
        check_ok( closesocket( server ) );
        if ( kinds[i].cancelled )
        {
            /* the packet is there at once, the status block is filled when it is taken */
            if ( used ) Sleep( 50 );
            check_iosb( iosb, UNTOUCHED, 0xdead );
            ok( take_packet( port, 0, &entry ), "no packet\n" );
            ok( entry.lpCompletionKey == 5 && entry.lpOverlapped == (OVERLAPPED *)poll, "another packet\n" );
            ok( (NTSTATUS)entry.Internal == NT_CANCELLED, "status %#llx\n", (unsigned long long)entry.Internal );
            check_iosb( iosb, NT_CANCELLED, 0 );
        }
        else
        {
            ok( !take_packet( port, 50, &entry ), "a packet\n" );
            ok( WaitForSingleObject( event, 0 ) == WAIT_TIMEOUT, "the event is set\n" );
            check_iosb( iosb, UNTOUCHED, 0xdead );
        }
        check_result( puppet_send( &puppet, there, "alone" ), 5 );
        puppet_destroy( &puppet );
        closesocket( client );
        CloseHandle( port );
        if ( kinds[i].cancelled || !kinds[i].event ) CloseHandle( event );
        winetest_pop_context();
    }
}

START_TEST( afd_close )
{
    support_begin();
    for ( unsigned int i = 0; i < 4; i++ ) test_same_process( i & 1, i >> 1 );
    for ( enum way way = 0; way < WAYS; way++ )
        for ( BOOL used = FALSE; used <= TRUE; used++ ) test_other_process( way, used );
    support_end();
}
