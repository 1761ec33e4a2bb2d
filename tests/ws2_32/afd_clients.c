/*
 * The event loops that programs bring along, in the calls that they make: wepoll and mio on a handle of \Device\Afd, libuv on
 * a socket of its own (facts: afd, section 12). Each watches many sockets, re-submits after every event, changes what it
 * watches, and sees sockets close; files of other kinds live on the same completion port.
 */
#include "afd.h"

#define PAIRS 40
#define ROUNDS 25

/* --- wepoll, mio: one request per socket, count 1, the same buffer in and out ------------------------------------------*/

struct watched
{
    IO_STATUS_BLOCK iosb;
    struct afd_poll poll;
    SOCKET s, peer;
    ULONG mask;
    BOOL pending, deleted;
    int got;
};

static NTSTATUS submit( HANDLE afd, struct watched *watched )
{
    NTSTATUS status;

    memset( &watched->poll, 0, sizeof( watched->poll ) );
    watched->poll.timeout = NEVER;
    watched->poll.count = 1;
    watched->poll.sockets[0].s = watched->s;
    watched->poll.sockets[0].flags = watched->mask;
    watched->iosb.Status = NT_PENDING;
    status = NtDeviceIoControlFile( afd, NULL, NULL, watched, &watched->iosb, IOCTL_AFD_POLL, &watched->poll,
                                    POLL_SIZE( 1 ), &watched->poll, POLL_SIZE( 1 ) );
    if ( !status || status == NT_PENDING ) watched->pending = TRUE;
    return status;
}

static void test_wepoll( const WCHAR *device )
{
    static struct watched watched[PAIRS];
    const ULONG mask = AFD_READ | AFD_HUP | AFD_RESET | AFD_CLOSE | AFD_ACCEPT | AFD_CONNECT_ERR;
    HANDLE port = CreateIoCompletionPort( INVALID_HANDLE_VALUE, NULL, 0, 0 ), afd = afd_open( device ), event;
    OVERLAPPED_ENTRY entries[16];
    OVERLAPPED user;
    IO_STATUS_BLOCK iosb;
    SOCKET base;
    DWORD size;
    ULONG count;
    int open = PAIRS, total = 0, users = 0;

    ok( CreateIoCompletionPort( afd, port, 0, 0 ) == port, "CreateIoCompletionPort failed, error %lu\n",
        GetLastError() );
    ok( SetFileCompletionNotificationModes( afd, FILE_SKIP_SET_EVENT_ON_HANDLE ), "modes failed, error %lu\n",
        GetLastError() );
    memset( watched, 0, sizeof( watched ) );
    for ( int i = 0; i < PAIRS; i++ )
    {
        tcp_pair( &watched[i].peer, &watched[i].s );
        set_nonblocking( watched[i].s, TRUE );
        base = 0;
        check_ok( WSAIoctl( watched[i].s, 0x48000022 /* SIO_BASE_HANDLE */, NULL, 0, &base, sizeof( base ), &size, NULL,
                            NULL ) );
        ok( base == watched[i].s, "base handle %#llx\n", (unsigned long long)base );
        watched[i].mask = mask;
        check_status( submit( afd, &watched[i] ), NT_PENDING );
    }
    for ( int i = 0; i < PAIRS; i++ ) send( watched[i].peer, "x", 1, 0 );
    PostQueuedCompletionStatus( port, 77, 7, &user );
    while ( open )
    {
        if ( !GetQueuedCompletionStatusEx( port, entries, ARRAY_SIZE( entries ), &count, 5000, FALSE ) ) break;
        for ( ULONG i = 0; i < count; i++ )
        {
            struct watched *w = (struct watched *)entries[i].lpOverlapped;
            const int number = w - watched;
            char byte;

            if ( entries[i].lpOverlapped == &user )
            {
                if ( entries[i].lpCompletionKey == 7 && entries[i].dwNumberOfBytesTransferred == 77 ) users++;
                continue;
            }
            if ( !w->pending ) ok( 0, "a packet of a request that is not pending\n" );
            w->pending = FALSE;
            if ( w->iosb.Status == NT_CANCELLED )
            {
                w->deleted = TRUE;
                open--;
                continue;
            }
            if ( w->iosb.Status || w->poll.count < 1 )
            {
                ok( 0, "status %#lx, count %lu\n", w->iosb.Status, w->poll.count );
                open--;
                continue;
            }
            if ( w->poll.sockets[0].flags & AFD_CLOSE )
            {
                w->deleted = TRUE;
                open--;
                continue;
            }
            if ( w->poll.sockets[0].flags & AFD_READ )
                while ( recv( w->s, &byte, 1, 0 ) == 1 ) w->got++, total++;
            if ( w->poll.sockets[0].flags & AFD_HUP )
            {
                w->deleted = TRUE;
                closesocket( w->s );
                open--;
                continue;
            }
            if ( w->got == ROUNDS )
            {
                /* three ways to end: the peer closes, the request is cancelled, the socket is closed under it */
                if ( number & 1 ) closesocket( w->peer );
                submit( afd, w );
                if ( ( number & 3 ) == 0 ) check_status( NtCancelIoFileEx( afd, &w->iosb, &iosb ), 0 );
                if ( ( number & 3 ) == 2 ) closesocket( w->s );
                continue;
            }
            send( w->peer, "y", 1, 0 );
            submit( afd, w );
        }
    }
    ok( !open, "%d sockets were never told of\n", open );
    ok( total == PAIRS * ROUNDS, "%d bytes of %d\n", total, PAIRS * ROUNDS );
    ok( users == 1, "%d packets of the program's own\n", users );

    /* a file of another kind on the same port */
    event = CreateNamedPipeA( "\\\\.\\pipe\\ws2host_afd_clients", PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED, 0, 1, 512,
                              512, 0, NULL );
    ok( CreateIoCompletionPort( event, port, 9, 0 ) == port, "error %lu\n", GetLastError() );
    memset( &user, 0, sizeof( user ) );
    ok( !ConnectNamedPipe( event, &user ) && GetLastError() == ERROR_IO_PENDING, "error %lu\n", GetLastError() );
    CloseHandle( CreateFileA( "\\\\.\\pipe\\ws2host_afd_clients", GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL ) );
    ok( GetQueuedCompletionStatusEx( port, entries, 1, &count, 5000, FALSE ) && entries[0].lpOverlapped == &user &&
            entries[0].lpCompletionKey == 9,
        "no packet of the pipe\n" );
    CloseHandle( event );
    for ( int i = 0; i < PAIRS; i++ )
    {
        if ( ( i & 3 ) == 0 ) closesocket( watched[i].s );
        if ( !( i & 1 ) ) closesocket( watched[i].peer );
    }
    CloseHandle( afd );
    CloseHandle( port );
}

/* --- libuv: a peer socket of the same provider, exclusive requests, two of them by turns --------------------------------*/

static void test_libuv( void )
{
    HANDLE port = CreateIoCompletionPort( INVALID_HANDLE_VALUE, NULL, 0, 0 );
    WSAPROTOCOL_INFOW info;
    OVERLAPPED requests[2];
    struct afd_poll polls[2];
    OVERLAPPED *got;
    SOCKET client, server, peer;
    ULONG_PTR key;
    DWORD size;
    int length = sizeof( info ), ended = 0;
    char byte;

    tcp_pair( &client, &server );
    check_ok( getsockopt( server, SOL_SOCKET, SO_PROTOCOL_INFOW, (char *)&info, &length ) );
    peer = WSASocketW( info.iAddressFamily, info.iSocketType, info.iProtocol, &info, 0, WSA_FLAG_OVERLAPPED );
    ok( peer != INVALID_SOCKET, "no peer, error %d\n", WSAGetLastError() );
    ok( CreateIoCompletionPort( (HANDLE)peer, port, server, 0 ) == port, "CreateIoCompletionPort failed, error %lu\n",
        GetLastError() );

#define SUBMIT( i, mask ) \
    ( memset( &polls[i], 0, sizeof( polls[i] ) ), polls[i].timeout = NEVER, polls[i].count = 1, \
      polls[i].exclusive = 1, polls[i].sockets[0].s = server, polls[i].sockets[0].flags = ( mask ), \
      memset( &requests[i], 0, sizeof( requests[i] ) ), requests[i].Internal = NT_PENDING, \
      NtDeviceIoControlFile( (HANDLE)peer, NULL, NULL, &requests[i], (IO_STATUS_BLOCK *)&requests[i].Internal, \
                             IOCTL_AFD_POLL, &polls[i], POLL_SIZE( 1 ), &polls[i], POLL_SIZE( 1 ) ) )
    check_status( SUBMIT( 0, AFD_READ | AFD_HUP | AFD_RESET | AFD_CLOSE ), NT_PENDING );
    /* interested in more from now on: the second request takes over, the first is over in whichever way */
    check_status( SUBMIT( 1, AFD_READ | AFD_HUP | AFD_RESET | AFD_CLOSE | AFD_OOB ), NT_PENDING );
    send( client, "x", 1, 0 );
    while ( !( ended & 2 ) )
    {
        if ( !GetQueuedCompletionStatus( port, &size, &key, &got, 5000 ) && !got ) break;
        ok( key == server, "key %#llx\n", (unsigned long long)key );
        ended |= got == &requests[0] ? 1 : got == &requests[1] ? 2 : 4;
    }
    ok( ( ended & 2 ) && !( ended & 4 ), "packets %#x\n", ended );
    ok( polls[1].count == 1 && polls[1].sockets[0].flags == AFD_READ, "count %lu, flags %#lx\n", polls[1].count,
        polls[1].sockets[0].flags );
    check_result( recv( server, &byte, 1, 0 ), 1 );

    /* event after event, then the stream ends */
    for ( int i = 0; i < ROUNDS; i++ )
    {
        NTSTATUS status = SUBMIT( i & 1, AFD_READ | AFD_HUP | AFD_WRITE );

        ok( !status && polls[i & 1].sockets[0].flags == AFD_WRITE, "status %#lx, flags %#lx\n", status,
            polls[i & 1].sockets[0].flags );
        ok( GetQueuedCompletionStatus( port, &size, &key, &got, 5000 ) && got == &requests[i & 1] &&
                size == POLL_SIZE( 1 ),
            "no packet, error %lu\n", GetLastError() );
        check_status( SUBMIT( i & 1, AFD_READ | AFD_HUP ), NT_PENDING );
        send( client, "x", 1, 0 );
        ok( GetQueuedCompletionStatus( port, &size, &key, &got, 5000 ) && got == &requests[i & 1] &&
                size == POLL_SIZE( 1 ),
            "no packet, error %lu\n", GetLastError() );
        ok( polls[i & 1].sockets[0].flags == AFD_READ, "flags %#lx\n", polls[i & 1].sockets[0].flags );
        check_result( recv( server, &byte, 1, 0 ), 1 );
    }
    check_status( SUBMIT( 0, AFD_READ | AFD_HUP ), NT_PENDING );
    check_ok( shutdown( client, SD_SEND ) );
    ok( GetQueuedCompletionStatus( port, &size, &key, &got, 5000 ) && got == &requests[0], "no packet\n" );
    ok( polls[0].sockets[0].flags == AFD_HUP, "flags %#lx\n", polls[0].sockets[0].flags );
    /* the peer goes first when the loop is closed, the request by CancelIoEx */
    check_status( SUBMIT( 1, AFD_OOB ), NT_PENDING );
    ok( CancelIoEx( (HANDLE)peer, &requests[1] ), "CancelIoEx failed, error %lu\n", GetLastError() );
    ok( !GetQueuedCompletionStatus( port, &size, &key, &got, 5000 ) && got == &requests[1] &&
            GetLastError() == ERROR_OPERATION_ABORTED,
        "error %lu\n", GetLastError() );
#undef SUBMIT
    closesocket( peer );
    closesocket( client );
    closesocket( server );
    CloseHandle( port );
}

/* --- the thread pool: what .NET and others bind handles to --------------------------------------------------------------*/

static HANDLE pool_event;
static LONG pool_calls;

static void CALLBACK pool_callback( PTP_CALLBACK_INSTANCE instance, void *context, void *overlapped, ULONG result,
                                    ULONG_PTR size, PTP_IO io )
{
    (void)instance, (void)io;
    ok( context == &pool_calls && overlapped && !result && size == 3, "result %lu, size %llu\n", result,
        (unsigned long long)size );
    InterlockedIncrement( &pool_calls );
    SetEvent( pool_event );
}

static void CALLBACK bound_callback( DWORD error, DWORD size, OVERLAPPED *overlapped )
{
    ok( overlapped && !error && size == 3, "error %lu, size %lu\n", error, size );
    InterlockedIncrement( &pool_calls );
    SetEvent( pool_event );
}

static void test_thread_pool( void )
{
    pool_event = CreateEventW( NULL, FALSE, FALSE, NULL );
    for ( int bound = 0; bound < 2; bound++ )
    {
        SOCKET client, server;
        OVERLAPPED overlapped = { 0 };
        DWORD flags = 0;
        char buffer[3];
        WSABUF buffers = { sizeof( buffer ), buffer };
        PTP_IO io = NULL;

        winetest_push_context( "%s", bound ? "BindIoCompletionCallback" : "CreateThreadpoolIo" );
        pool_calls = 0;
        tcp_pair( &client, &server );
        if ( bound ) ok( BindIoCompletionCallback( (HANDLE)server, bound_callback, 0 ), "error %lu\n", GetLastError() );
        else
        {
            io = CreateThreadpoolIo( (HANDLE)server, pool_callback, &pool_calls, NULL );
            ok( io != NULL, "error %lu\n", GetLastError() );
        }
        for ( int i = 1; i <= 3; i++ )
        {
            if ( io ) StartThreadpoolIo( io );
            check_fails( WSARecv( server, &buffers, 1, NULL, &flags, &overlapped, NULL ), WSA_IO_PENDING );
            check_result( send( client, "abc", 3, 0 ), 3 );
            ok( !WaitForSingleObject( pool_event, 5000 ), "the callback was not called\n" );
            ok( pool_calls == i, "%ld calls\n", pool_calls );
        }
        if ( io )
        {
            WaitForThreadpoolIoCallbacks( io, FALSE );
            CloseThreadpoolIo( io );
        }
        closesocket( client );
        closesocket( server );
        winetest_pop_context();
    }
    CloseHandle( pool_event );
}

START_TEST( afd_clients )
{
    if ( support_begin() ) return;
    test_wepoll( L"\\Device\\Afd\\Wepoll" );
    test_wepoll( L"\\Device\\Afd\\Mio" );
    test_libuv();
    test_thread_pool();
    support_end();
}
