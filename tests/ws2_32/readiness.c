/*
 * What select and the network events report, by rule: alertable waits however short, sets that are one, a socket closed in
 * WSAPoll, a bound datagram socket's FD_WRITE, which error codes are written, the window that learns of a socket's end by
 * CloseHandle, and the event record of a reset connection.
 */
#include "afd.h"

static const int families[] = { AF_INET, AF_INET6 };

/* --- select ----------------------------------------------------------------------------------------------------------*/

static int apc_calls;
static void CALLBACK count_apc( ULONG_PTR unused )
{
    (void)unused;
    apc_calls++;
}

static void queue_apc( void )
{
    apc_calls = 0;
    ok( QueueUserAPC( count_apc, GetCurrentThread(), 0 ), "error %lu\n", GetLastError() );
}

static int select_reads( SOCKET s, long microseconds )
{
    struct timeval timeout = { 0, microseconds };
    fd_set set;

    FD_ZERO( &set );
    FD_SET( s, &set );
    return select( 0, &set, NULL, NULL, &timeout );
}

static int select_writes( SOCKET s, long microseconds )
{
    struct timeval timeout = { 0, microseconds };
    fd_set set;

    FD_ZERO( &set );
    FD_SET( s, &set );
    return select( 0, NULL, &set, NULL, &timeout );
}

static void test_short_waits( void )
{
    static const long waits[] = { 1, 500, 3000, 30000, 500 };
    SOCKET client, server;
    unsigned int i;

    tcp_pair( &client, &server );
    for ( i = 0; i < ARRAY_SIZE( waits ); i++ )
    {
        queue_apc();
        check_result( select_reads( server, waits[i] ), 0 );
        ok( apc_calls == 1, "%ld us: %d calls\n", waits[i], apc_calls );
        /* there was nothing to wait for */
        queue_apc();
        check_result( select_writes( server, waits[i] ), 1 );
        ok( !apc_calls, "%ld us: the APC ran\n", waits[i] );
        check_result( select_reads( server, 0 ), 0 );
        ok( !apc_calls, "the APC ran in a look\n" );
        ok( SleepEx( 0, TRUE ) == WAIT_IO_COMPLETION && apc_calls == 1, "%d calls\n", apc_calls );
        ok( !SleepEx( 0, TRUE ) && apc_calls == 1, "%d calls\n", apc_calls );
    }
    for ( i = 0; i < 2; i++ )
    {
        WSAPOLLFD fd = { server, POLLRDNORM, -1 };

        queue_apc();
        check_result( WSAPoll( &fd, 1, 1 ), 0 );
        ok( apc_calls == 1, "%d calls\n", apc_calls );
    }
    closesocket( client );
    closesocket( server );
}

/* An APC that the system queues, as timers and files do, is seen by a row of short waits. */
static void CALLBACK timer_apc( void *unused, DWORD low, DWORD high )
{
    (void)unused, (void)low, (void)high;
    apc_calls++;
}

static void test_row_of_short_waits( void )
{
    HANDLE timer = CreateWaitableTimerW( NULL, TRUE, NULL );
    LARGE_INTEGER due = { .QuadPart = -200000 };
    SOCKET client, server;
    int i;

    tcp_pair( &client, &server );
    apc_calls = 0;
    ok( SetWaitableTimer( timer, &due, 0, timer_apc, NULL, FALSE ), "error %lu\n", GetLastError() );
    for ( i = 0; i < 3000 && !apc_calls; i++ ) select_reads( server, 1000 );
    ok( apc_calls == 1, "%d calls after %d waits\n", apc_calls, i );
    CloseHandle( timer );
    closesocket( client );
    closesocket( server );
}

/* One set for reading and writing; each socket of the union once, whatever the order of the handles. */
static void test_one_set( int family )
{
    static const struct
    {
        BOOL first_reads, first_writes, second_reads, second_writes;
        int expected;
    } rows[] = {
        { TRUE, TRUE, TRUE, TRUE, 2 },    { TRUE, FALSE, TRUE, TRUE, 2 },   { TRUE, TRUE, TRUE, FALSE, 2 },
        { FALSE, TRUE, TRUE, TRUE, 2 },   { TRUE, TRUE, FALSE, TRUE, 2 },   { FALSE, TRUE, FALSE, TRUE, 2 },
        { FALSE, TRUE, FALSE, FALSE, 1 }, { FALSE, FALSE, FALSE, TRUE, 1 }, { FALSE, FALSE, TRUE, FALSE, 1 },
        { TRUE, FALSE, TRUE, FALSE, 2 },  { FALSE, FALSE, TRUE, TRUE, 1 },
    };
    static char block[65536];
    struct timeval zero = { 0, 0 };
    unsigned int i, order;

    for ( i = 0; i < ARRAY_SIZE( rows ); i++ )
        for ( order = 0; order < 2; order++ )
        {
            SOCKET s[2], peer[2];
            BOOL seen[2] = { FALSE, FALSE };
            fd_set set;
            unsigned int j;
            int result;

            winetest_push_context( "row %u, order %u", i, order );
            for ( j = 0; j < 2; j++ )
            {
                tcp_pair_family( family, &s[j], &peer[j] );
                set_nonblocking( s[j], TRUE );
            }
            for ( j = 0; j < 2; j++ )
            {
                if ( !( j ? rows[i].second_writes : rows[i].first_writes ) )
                    while ( send( s[j], block, sizeof( block ), 0 ) > 0 ) continue;
                if ( !( j ? rows[i].second_reads : rows[i].first_reads ) ) continue;
                check_result( send( peer[j], "x", 1, 0 ), 1 );
                ok( wait_readable( s[j], 5000 ), "nothing came\n" );
            }
            FD_ZERO( &set );
            FD_SET( s[order], &set );
            FD_SET( s[!order], &set );
            result = select( 0, &set, &set, NULL, &zero );
            ok( result == rows[i].expected && (int)set.fd_count == result, "got %d, %u sockets\n", result,
                set.fd_count );
            for ( j = 0; j < set.fd_count; j++ )
            {
                const int which = set.fd_array[j] == s[1];

                ok( set.fd_array[j] == s[which] && !seen[which], "socket %#llx\n", (ULONGLONG)set.fd_array[j] );
                seen[which] = TRUE;
            }
            for ( j = 0; j < 2; j++ )
            {
                closesocket( s[j] );
                closesocket( peer[j] );
            }
            winetest_pop_context();
        }
}

/* --- WSAPoll ---------------------------------------------------------------------------------------------------------*/

#define BAD_HANDLE ( (SOCKET)0xabacab )

static DWORD CALLBACK close_later( void *s )
{
    Sleep( 200 );
    check_ok( closesocket( (SOCKET)s ) );
    return 0;
}

static void test_closed_in_poll( void )
{
    WSAPOLLFD fds[2] = { { .events = POLLRDNORM }, { BAD_HANDLE, POLLRDNORM, -1 } };
    SOCKET client, server;
    HANDLE thread;

    tcp_pair( &client, &server );
    fds[0].fd = server;
    queue_apc();
    thread = CreateThread( NULL, 0, close_later, (void *)server, 0, NULL );
    /* this one counts, unlike the one that was none from the start */
    check_result( WSAPoll( fds, 2, 10000 ), 1 );
    ok( fds[0].revents == POLLNVAL && fds[1].revents == POLLNVAL, "got %#x %#x\n", fds[0].revents, fds[1].revents );
    ok( apc_calls == 1, "%d calls\n", apc_calls );
    WaitForSingleObject( thread, 10000 );
    CloseHandle( thread );
    closesocket( client );
}

/* --- network events --------------------------------------------------------------------------------------------------*/

/* Rounds of a look by select and an enumeration: `first` is recorded once. */
static void check_rounds( SOCKET s, long mask, long first )
{
    HANDLE event = WSACreateEvent();
    int i;

    check_ok( WSAEventSelect( s, event, mask ) );
    for ( i = 0; i < 5; i++ )
    {
        WSANETWORKEVENTS events;
        unsigned int bit;

        select_writes( s, 20000 );
        memset( &events, 0xcc, sizeof( events ) );
        check_clears( WSAEnumNetworkEvents( s, i & 1 ? NULL : event, &events ), 0 );
        ok( events.lNetworkEvents == ( i ? 0 : first ), "round %d: %#lx\n", i, events.lNetworkEvents );
        /* the codes of events that are not told of are left alone */
        for ( bit = 0; bit < FD_MAX_EVENTS; bit++ )
            ok( events.iErrorCode[bit] == ( events.lNetworkEvents >> bit & 1 ? 0 : (int)0xcccccccc ),
                "round %d: code %u is %#x\n", i, bit, events.iErrorCode[bit] );
    }
    WSACloseEvent( event );
}

static void test_rounds( int family )
{
    const long mask = FD_READ | FD_WRITE;
    union address address;
    SOCKET s, client, server;

    s = tcp_bound( family, &address );
    check_rounds( s, mask, 0 );
    closesocket( s );
    tcp_pair_family( family, &client, &server );
    check_rounds( client, mask, FD_WRITE );
    check_rounds( server, mask, FD_WRITE );
    closesocket( client );
    closesocket( server );
    s = socket( family, SOCK_DGRAM, 0 );
    check_rounds( s, mask, 0 );
    closesocket( s );
    s = socket( family, SOCK_DGRAM, 0 );
    check_ok( bind( s, &address.any, address_any( &address, family, 0 ) ) );
    check_rounds( s, mask, FD_WRITE );
    closesocket( s );
}

/* Bound while it is registered: by bind, by a send, and by connect. */
static void test_bound_later( int family )
{
    const int size = family == AF_INET ? sizeof( struct sockaddr_in ) : sizeof( struct sockaddr_in6 );
    HANDLE event = WSACreateEvent();
    WSANETWORKEVENTS events;
    union address address, any;
    SOCKET target = udp_bound( family, &address );
    WSABUF buffer = { 1, (char *)"x" };
    int way;

    for ( way = 0; way < 4; way++ )
    {
        SOCKET s = socket( family, SOCK_DGRAM, 0 );
        OVERLAPPED overlapped = { 0 };
        DWORD sent;

        winetest_push_context( "way %d", way );
        ResetEvent( event );
        check_ok( WSAEventSelect( s, event, FD_READ | FD_WRITE ) );
        ok( WaitForSingleObject( event, 40 ) == WAIT_TIMEOUT, "signalled unbound\n" );
        switch ( way )
        {
        case 0: check_ok( bind( s, &any.any, address_any( &any, family, 0 ) ) ); break;
        case 1: check_result( sendto( s, "x", 1, 0, &address.any, size ), 1 ); break;
        case 2: check_ok( WSASendTo( s, &buffer, 1, &sent, 0, &address.any, size, &overlapped, NULL ) ); break;
        case 3: check_ok( connect( s, &address.any, size ) ); break;
        }
        ok( !WaitForSingleObject( event, 2000 ), "not signalled\n" );
        check_ok( WSAEnumNetworkEvents( s, event, &events ) );
        ok( events.lNetworkEvents == FD_WRITE, "got %#lx\n", events.lNetworkEvents );
        ok( WaitForSingleObject( event, 40 ) == WAIT_TIMEOUT, "signalled again\n" );
        closesocket( s );
        winetest_pop_context();
    }
    closesocket( target );
    WSACloseEvent( event );
}

static int count_messages( HWND window, UINT number, DWORD milliseconds, MSG *last )
{
    DWORD begin = GetTickCount();
    int count = 0;
    MSG message;

    do {
        while ( PeekMessageA( &message, window, number, number, PM_REMOVE ) ) *last = message, count++;
        Sleep( 5 );
    } while ( GetTickCount() - begin < milliseconds && !count );
    return count;
}

/* closesocket ends the registration first; a handle that is closed as any other's is told of. */
static void test_closed_handle( void )
{
    HWND window = CreateWindowExA( 0, "STATIC", "ws2 test", 0, 0, 0, 0, 0, HWND_MESSAGE, NULL, NULL, NULL );
    int way, pending, mask;

    if ( !window )
    {
        skip( "no message-only window, error %lu\n", GetLastError() );
        return;
    }
    for ( way = 0; way < 3; way++ )
        for ( pending = 0; pending < 2; pending++ )
            for ( mask = 0; mask < 2; mask++ )
            {
                OVERLAPPED overlapped = { 0 };
                SOCKET client, server;
                DWORD flags = 0, received;
                char byte;
                WSABUF buffer = { 1, &byte };
                MSG message = { 0 };
                int count;

                if ( way && !pending ) continue; /* not established */
                winetest_push_context( "way %d, pending %d, mask %d", way, pending, mask );
                tcp_pair( &client, &server );
                check_ok( WSAAsyncSelect( server, window, WM_USER + 5, mask ? FD_READ : FD_CLOSE | FD_READ ) );
                if ( pending )
                    check_fails( WSARecv( server, &buffer, 1, &received, &flags, &overlapped, NULL ), WSA_IO_PENDING );
                if ( way == 0 ) check_ok( closesocket( server ) );
                else if ( way == 1 ) ok( CloseHandle( (HANDLE)server ), "error %lu\n", GetLastError() );
                else check_status( NtClose( (HANDLE)server ), 0 );
                count = count_messages( window, WM_USER + 5, way && !mask ? 2000 : 60, &message );
                ok( count == ( way && !mask ), "%d messages\n", count );
                if ( way && !mask )
                    ok( message.lParam == FD_CLOSE && message.wParam == server, "wparam %#llx, lparam %#llx\n",
                        (ULONGLONG)message.wParam, (ULONGLONG)message.lParam );
                while ( pending && !HasOverlappedIoCompleted( &overlapped ) ) Sleep( 1 );
                closesocket( client );
                winetest_pop_context();
            }
    DestroyWindow( window );
}

/* --- \Device\Afd -----------------------------------------------------------------------------------------------------*/

struct afd_events
{
    ULONG flags;
    NTSTATUS status[13];
};

/* A reset is an event of its own there, without a status; Winsock makes FD_CLOSE with WSAECONNABORTED of it. */
static void test_reset_record( int family )
{
    int end, by_winsock;

    for ( end = 0; end < 2; end++ )
        for ( by_winsock = 0; by_winsock < 2; by_winsock++ )
        {
            struct afd_events events = { .flags = 0xcc }, none = { 0 };
            struct linger reset = { 1, 0 };
            HANDLE event = WSACreateEvent();
            IO_STATUS_BLOCK iosb;
            SOCKET s[2];

            winetest_push_context( "end %d", end );
            tcp_pair_family( family, &s[0], &s[1] );
            check_ok( WSAEventSelect( s[end], event, FD_ACCEPT | FD_CLOSE | FD_OOB | FD_READ ) );
            check_ok( setsockopt( s[!end], SOL_SOCKET, SO_LINGER, (char *)&reset, sizeof( reset ) ) );
            closesocket( s[!end] );
            ok( !WaitForSingleObject( event, 5000 ), "not signalled\n" );
            if ( by_winsock )
            {
                WSANETWORKEVENTS got;

                check_ok( WSAEnumNetworkEvents( s[end], event, &got ) );
                ok( got.lNetworkEvents == FD_CLOSE && got.iErrorCode[FD_CLOSE_BIT] == WSAECONNABORTED,
                    "got %#lx, code %d\n", got.lNetworkEvents, got.iErrorCode[FD_CLOSE_BIT] );
            }
            else
            {
                iosb_reset( &iosb );
                check_status( NtDeviceIoControlFile( (HANDLE)s[end], NULL, NULL, NULL, &iosb, IOCTL_AFD_GET_EVENTS,
                                                     NULL, 0, &events, sizeof( events ) ),
                              0 );
                ok( events.flags == AFD_RESET, "flags %#lx\n", events.flags );
                ok( !memcmp( events.status, none.status, sizeof( none.status ) ), "a status is set\n" );
            }
            events.flags = 0xcc;
            check_status( NtDeviceIoControlFile( (HANDLE)s[end], NULL, NULL, NULL, &iosb, IOCTL_AFD_GET_EVENTS, NULL, 0,
                                                 &events, sizeof( events ) ),
                          0 );
            ok( !events.flags, "then flags %#lx\n", events.flags );
            ok( !memcmp( events.status, none.status, sizeof( none.status ) ), "a status is set\n" );
            closesocket( s[end] );
            WSACloseEvent( event );
            winetest_pop_context();
        }
}

static NTSTATUS afd_poll_one( SOCKET s, ULONG mask, LONGLONG timeout, HANDLE event, IO_STATUS_BLOCK *iosb,
                              struct afd_poll *poll )
{
    memset( poll, 0, sizeof( *poll ) );
    poll->timeout = timeout;
    poll->count = 1;
    poll->sockets[0].s = s;
    poll->sockets[0].flags = mask;
    iosb_reset( iosb );
    return NtDeviceIoControlFile( (HANDLE)s, event, NULL, NULL, iosb, IOCTL_AFD_POLL, poll, POLL_SIZE( 1 ), poll,
                                  POLL_SIZE( 1 ) );
}

static void test_reset_poll( int family )
{
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL );
    struct linger reset = { 1, 0 };
    IO_STATUS_BLOCK iosb;
    struct afd_poll poll;
    SOCKET client, server;

    tcp_pair_family( family, &client, &server );
    check_status( afd_poll_one( server, ~( AFD_WRITE | AFD_CONNECT ), NEVER, event, &iosb, &poll ), NT_PENDING );
    check_ok( setsockopt( client, SOL_SOCKET, SO_LINGER, (char *)&reset, sizeof( reset ) ) );
    closesocket( client );
    ok( !WaitForSingleObject( event, 5000 ), "not signalled\n" );
    check_iosb( &iosb, 0, POLL_SIZE( 1 ) );
    ok( poll.count == 1 && poll.sockets[0].flags == AFD_RESET && !poll.sockets[0].status,
        "%lu, flags %#lx, status %#lx\n", poll.count, poll.sockets[0].flags, poll.sockets[0].status );
    check_status( afd_poll_one( server, AFD_ALL, 0, event, &iosb, &poll ), 0 );
    ok( poll.count == 1 && poll.sockets[0].flags == ( AFD_WRITE | AFD_CONNECT | AFD_RESET ), "flags %#lx\n",
        poll.sockets[0].flags );
    closesocket( server );
    CloseHandle( event );
}

static void check_name( SOCKET s, int size, NTSTATUS shorter, NTSTATUS whole )
{
    char name[sizeof( SOCKADDR_STORAGE )], expected[sizeof( SOCKADDR_STORAGE )];
    IO_STATUS_BLOCK iosb;
    int length = sizeof( expected );

    check_status(
        NtDeviceIoControlFile( (HANDLE)s, NULL, NULL, NULL, &iosb, IOCTL_AFD_GETSOCKNAME, NULL, 0, name, size - 1 ),
        shorter );
    iosb_reset( &iosb );
    memset( name, 0xcc, sizeof( name ) );
    check_status(
        NtDeviceIoControlFile( (HANDLE)s, NULL, NULL, NULL, &iosb, IOCTL_AFD_GETSOCKNAME, NULL, 0, name, size ),
        whole );
    if ( whole ) return;
    check_iosb( &iosb, 0, size );
    check_ok( getsockname( s, (struct sockaddr *)expected, &length ) );
    ok( length == size && !memcmp( name, expected, size ), "another name\n" );
}

/* Whether it is bound comes first, then the size. */
static void test_name( int family )
{
    const int size = family == AF_INET ? sizeof( struct sockaddr_in ) : sizeof( struct sockaddr_in6 );
    SOCKET client, server, s = socket( family, SOCK_STREAM, 0 );
    union address address;

    check_name( s, size, NT_INVALID_PARAMETER, NT_INVALID_PARAMETER );
    check_ok( bind( s, &address.any, address_loopback( &address, family, 0 ) ) );
    check_name( s, size, NT( 0xc0000023 ), 0 );
    closesocket( s );
    s = socket( family, SOCK_DGRAM, 0 );
    check_name( s, size, NT_INVALID_PARAMETER, NT_INVALID_PARAMETER );
    closesocket( s );
    tcp_pair_family( family, &client, &server );
    check_name( client, size, NT( 0xc0000023 ), 0 );
    check_name( server, size, NT( 0xc0000023 ), 0 );
    closesocket( client );
    closesocket( server );
}

START_TEST( readiness )
{
    unsigned int i;

    if ( support_begin() ) return;
    test_short_waits();
    test_row_of_short_waits();
    test_closed_in_poll();
    test_closed_handle();
    for ( i = 0; i < ( have_ipv6() ? 2 : 1 ); i++ )
    {
        winetest_push_context( "family %d", families[i] );
        test_one_set( families[i] );
        test_rounds( families[i] );
        test_bound_later( families[i] );
        test_reset_record( families[i] );
        test_reset_poll( families[i] );
        test_name( families[i] );
        winetest_pop_context();
    }
    support_end();
}
