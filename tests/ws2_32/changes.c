/*
 * Changes of this computer's addresses and routes: SIO_ADDRESS_LIST_CHANGE and SIO_ROUTING_INTERFACE_CHANGE blocking, with
 * an OVERLAPPED and as network events, also when another process has the registration (facts: sockets-2, sections 14 and
 * 15). tests/own-network gives the test a network that it may change; elsewhere what needs a change is skipped.
 */
#include "puppets.h"

/* Runs the host's ip, and waits for what it leaves behind: the handle of a host program's process tells nothing of its
 * end. */
static void ip( const char *arguments )
{
    STARTUPINFOA startup = { .cb = sizeof( startup ) };
    PROCESS_INFORMATION process;
    char command[256], status[8] = "";
    HANDLE file = INVALID_HANDLE_VALUE;
    DWORD size = 0;

    DeleteFileA( "ip.done" );
    snprintf( command, sizeof( command ), "sh -c \"/usr/sbin/ip %s; echo $? >ip.new; mv ip.new ip.done\"", arguments );
    if ( !CreateProcessA( "Z:\\bin\\sh", command, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &process ) )
    {
        ok( 0, "ip does not run, error %lu\n", GetLastError() );
        return;
    }
    for ( int i = 0; i < 2000 && file == INVALID_HANDLE_VALUE; i++ )
    {
        file = CreateFileA( "ip.done", GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                            OPEN_EXISTING, 0, NULL );
        if ( file == INVALID_HANDLE_VALUE ) Sleep( 10 );
    }
    ok( file != INVALID_HANDLE_VALUE, "ip %s does not end\n", arguments );
    ok( ReadFile( file, status, sizeof( status ) - 1, &size, NULL ) && status[0] == '0', "ip %s: exit status %s\n",
        arguments, status );
    CloseHandle( file );
    DeleteFileA( "ip.done" );
    CloseHandle( process.hProcess );
    CloseHandle( process.hThread );
}

static int control( SOCKET s, DWORD code, OVERLAPPED *overlapped )
{
    union address to;
    DWORD count;

    address_loopback( &to, AF_INET, 1 );
    return WSAIoctl( s, code, &to, code == SIO_ROUTING_INTERFACE_CHANGE ? sizeof( to.v4 ) : 0, NULL, 0, &count,
                     overlapped, NULL );
}

static const struct
{
    DWORD code;
    LONG event;
    int bit;
    const char *make, *undo;
} rows[] = { { SIO_ADDRESS_LIST_CHANGE, FD_ADDRESS_LIST_CHANGE, FD_ADDRESS_LIST_CHANGE_BIT,
               "address add 192.0.2.7/24 dev ws2test", "address del 192.0.2.7/24 dev ws2test" },
             { SIO_ROUTING_INTERFACE_CHANGE, FD_ROUTING_INTERFACE_CHANGE, FD_ROUTING_INTERFACE_CHANGE_BIT,
               "route add 198.51.100.0/24 dev ws2test", "route del 198.51.100.0/24 dev ws2test" } };

/* The registration alone is never told; an armed socket once for each time that it was armed. */
static void test_events( unsigned int row )
{
    SOCKET s = socket( AF_INET, SOCK_DGRAM, 0 ), six = socket( AF_INET6, SOCK_DGRAM, 0 );
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL ), other = CreateEventW( NULL, TRUE, FALSE, NULL );
    WSANETWORKEVENTS events;

    check_ok( WSAEventSelect( s, event, rows[row].event ) );
    ip( rows[row].make );
    ok( WaitForSingleObject( event, 300 ) == WAIT_TIMEOUT, "told without being asked\n" );

    check_fails( control( s, rows[row].code, NULL ), WSAEWOULDBLOCK );
    set_nonblocking( six, TRUE );
    check_ok( WSAEventSelect( six, other, FD_ADDRESS_LIST_CHANGE | FD_ROUTING_INTERFACE_CHANGE ) );
    check_fails( WSAIoctl( six, SIO_ADDRESS_LIST_CHANGE, NULL, 0, NULL, 0, ( DWORD[1] ){ 0 }, NULL, NULL ),
                 WSAEWOULDBLOCK );
    ok( WaitForSingleObject( event, 100 ) == WAIT_TIMEOUT, "told before a change\n" );
    ip( rows[row].undo );
    ok( !WaitForSingleObject( event, 10000 ), "not told\n" );
    ok( WaitForSingleObject( other, 100 ) == WAIT_TIMEOUT, "IPv6 was told of IPv4's change\n" );
    check_ok( WSAEnumNetworkEvents( s, event, &events ) );
    ok( events.lNetworkEvents == rows[row].event && !events.iErrorCode[rows[row].bit], "events %lx, error %d\n",
        events.lNetworkEvents, events.iErrorCode[rows[row].bit] );

    /* once only */
    ip( rows[row].make );
    ok( WaitForSingleObject( event, 300 ) == WAIT_TIMEOUT, "told twice\n" );
    check_fails( control( s, rows[row].code, NULL ), WSAEWOULDBLOCK );
    ip( rows[row].undo );
    ok( !WaitForSingleObject( event, 10000 ), "not told the second time\n" );
    check_ok( WSAEnumNetworkEvents( s, event, &events ) );
    ok( events.lNetworkEvents == rows[row].event, "events %lx\n", events.lNetworkEvents );

    /* armed first, registered after the change */
    check_ok( WSAEventSelect( s, NULL, 0 ) );
    check_fails( control( s, rows[row].code, NULL ), WSAEWOULDBLOCK );
    ip( rows[row].make );
    Sleep( 200 );
    check_ok( WSAEventSelect( s, event, rows[row].event ) );
    ok( !WaitForSingleObject( event, 10000 ), "not told of what was recorded\n" );
    ip( rows[row].undo );
    check_ok( closesocket( six ) );
    check_ok( closesocket( s ) );
    CloseHandle( other );
    CloseHandle( event );
}

static void test_overlapped( unsigned int row )
{
    SOCKET s = socket( AF_INET, SOCK_STREAM, 0 );
    OVERLAPPED overlapped = { 0 };
    DWORD size;

    overlapped.hEvent = CreateEventW( NULL, TRUE, FALSE, NULL );
    check_fails( control( s, rows[row].code, &overlapped ), WSA_IO_PENDING );
    ok( WaitForSingleObject( overlapped.hEvent, 100 ) == WAIT_TIMEOUT, "ended before a change\n" );
    ip( rows[row].make );
    ok( !WaitForSingleObject( overlapped.hEvent, 10000 ), "did not end\n" );
    ok( GetOverlappedResult( (HANDLE)s, &overlapped, &size, FALSE ) && !size, "size %lu, error %lu\n", size,
        GetLastError() );
    ip( rows[row].undo );
    check_ok( closesocket( s ) );
    CloseHandle( overlapped.hEvent );
}

struct blocked
{
    SOCKET s;
    DWORD code;
    int result;
};

static DWORD WINAPI block( void *parameter )
{
    struct blocked *blocked = parameter;

    blocked->result = control( blocked->s, blocked->code, NULL );
    return 0;
}

static void test_blocking( unsigned int row )
{
    struct blocked blocked = { socket( AF_INET, SOCK_STREAM, 0 ), rows[row].code, 1 };
    HANDLE thread = CreateThread( NULL, 0, block, &blocked, 0, NULL );

    ok( WaitForSingleObject( thread, 300 ) == WAIT_TIMEOUT, "ended before a change\n" );
    ip( rows[row].make );
    ok( !WaitForSingleObject( thread, 10000 ), "did not end\n" );
    ok( !blocked.result, "returned %d\n", blocked.result );
    ip( rows[row].undo );
    CloseHandle( thread );
    check_ok( closesocket( blocked.s ) );
}

static void test_message( void )
{
    HWND window = CreateWindowExW( 0, L"Message", NULL, 0, 0, 0, 0, 0, HWND_MESSAGE, NULL, NULL, NULL );
    SOCKET s = socket( AF_INET, SOCK_DGRAM, 0 );
    DWORD begin = GetTickCount();
    BOOL got = FALSE;
    MSG msg;

    check_ok( WSAAsyncSelect( s, window, WM_USER, FD_ADDRESS_LIST_CHANGE ) );
    check_fails( control( s, SIO_ADDRESS_LIST_CHANGE, NULL ), WSAEWOULDBLOCK );
    ip( rows[0].make );
    while ( !got && GetTickCount() - begin < 10000 )
    {
        got = PeekMessageW( &msg, window, WM_USER, WM_USER, PM_REMOVE );
        if ( !got ) Sleep( 10 );
    }
    ok( got && msg.wParam == s && msg.lParam == FD_ADDRESS_LIST_CHANGE, "message %d, lParam %zx\n", got,
        (size_t)msg.lParam );
    ip( rows[0].undo );
    check_ok( closesocket( s ) );
    DestroyWindow( window );
}

/* The child has the registration, this process asks. */
static void test_shared( void )
{
    SOCKET s = socket( AF_INET, SOCK_DGRAM, 0 );
    WSAPROTOCOL_INFOA info;
    struct puppet puppet;
    SOCKET copy;

    puppet_create( &puppet, 0 );
    check_ok( WSADuplicateSocketA( s, puppet.pid, &info ) );
    copy = puppet_open_a( &puppet, &info, 0 );
    puppet.message->value = FD_ADDRESS_LIST_CHANGE;
    check_ok( puppet_do_on( &puppet, PUPPET_EVENT_SELECT, copy ) );
    check_fails( control( s, SIO_ADDRESS_LIST_CHANGE, NULL ), WSAEWOULDBLOCK );
    puppet.message->value = 300;
    check_result( puppet_do( &puppet, PUPPET_WAIT_EVENT ), 0 );
    ip( rows[0].make );
    puppet.message->value = 10000;
    check_result( puppet_do( &puppet, PUPPET_WAIT_EVENT ), 1 );
    check_ok( puppet_do_on( &puppet, PUPPET_ENUM_EVENTS, copy ) );
    ok( puppet.message->value == FD_ADDRESS_LIST_CHANGE, "events %lx\n", puppet.message->value );
    ip( rows[0].undo );
    puppet_destroy( &puppet );
    check_ok( closesocket( s ) );
}

/* Without a change nothing comes, and closing ends what waits. */
static void test_quiet( unsigned int row )
{
    SOCKET s = socket( AF_INET, SOCK_STREAM, 0 );
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL );
    OVERLAPPED overlapped = { 0 };
    WSANETWORKEVENTS events;

    overlapped.hEvent = CreateEventW( NULL, TRUE, FALSE, NULL );
    check_ok( WSAEventSelect( s, event, rows[row].event ) );
    check_fails( control( s, rows[row].code, NULL ), WSAEWOULDBLOCK );
    check_fails( control( s, rows[row].code, &overlapped ), WSA_IO_PENDING );
    check_ok( WSAEnumNetworkEvents( s, event, &events ) );
    ok( !events.lNetworkEvents, "events %lx\n", events.lNetworkEvents );
    check_ok( closesocket( s ) );
    ok( !WaitForSingleObject( overlapped.hEvent, 10000 ) && overlapped.Internal == 0xc0000120, "status %zx\n",
        (size_t)overlapped.Internal );
    CloseHandle( overlapped.hEvent );
    CloseHandle( event );
}

/* With no adapter but the loopback one, that is where broadcasts and groups go. */
static void test_loopback_alone( void )
{
    static const char *const groups[] = { "ff01::1", "ff02::1", "ff0e::1234" };
    SOCKET s = socket( AF_INET, SOCK_DGRAM, 0 ), member, six;
    union address to = { 0 };
    struct ip_mreq join = { 0 };
    BOOL on = TRUE;
    char data[8];

    ip( "link set ws2test down" );
    ip( "link set ws2peer down" );
    member = socket( AF_INET, SOCK_DGRAM, 0 );
    check_ok( bind( member, &to.any, address_any( &to, AF_INET, 0 ) ) );
    to.v4.sin_port = htons( socket_port( member ) );
    join.imr_multiaddr.s_addr = inet_addr( "239.255.7.7" );
    check_ok( setsockopt( member, IPPROTO_IP, IP_ADD_MEMBERSHIP, (char *)&join, sizeof( join ) ) );
    to.v4.sin_addr = join.imr_multiaddr;
    check_result( sendto( s, "test", 4, 0, &to.any, sizeof( to.v4 ) ), 4 );
    set_receive_timeout( member, 5000 );
    check_result( recv( member, data, sizeof( data ), 0 ), 4 );
    to.v4.sin_addr.s_addr = INADDR_BROADCAST;
    check_fails( sendto( s, "test", 4, 0, &to.any, sizeof( to.v4 ) ), WSAEACCES );
    check_ok( setsockopt( s, SOL_SOCKET, SO_BROADCAST, (char *)&on, sizeof( on ) ) );
    check_result( sendto( s, "test", 4, 0, &to.any, sizeof( to.v4 ) ), 4 );
    closesocket( member );
    closesocket( s );

    six = socket( AF_INET6, SOCK_DGRAM, 0 );
    memset( &to, 0, sizeof( to ) );
    to.v6.sin6_family = AF_INET6;
    to.v6.sin6_port = htons( 12345 );
    for ( unsigned int i = 0; six != INVALID_SOCKET && i < ARRAY_SIZE( groups ); i++ )
    {
        DWORD size = 0;

        inet_pton( AF_INET6, groups[i], &to.v6.sin6_addr );
        check_result( sendto( six, "test", 4, 0, &to.any, sizeof( to.v6 ) ), 4 );
        check_ok(
            WSASendTo( six, &( WSABUF ){ 4, (char *)"test" }, 1, &size, 0, &to.any, sizeof( to.v6 ), NULL, NULL ) );
        ok( size == 4, "sent %lu\n", size );
    }
    closesocket( six );
}

START_TEST( changes )
{
    if ( support_begin() ) return;
    for ( unsigned int i = 0; i < ARRAY_SIZE( rows ); i++ )
    {
        winetest_push_context( "row %u", i );
        test_quiet( i );
        if ( own_network() )
        {
            test_events( i );
            test_overlapped( i );
            test_blocking( i );
        }
        winetest_pop_context();
    }
    if ( own_network() )
    {
        test_message();
        test_shared();
        test_loopback_alone(); /* the last one: it leaves no other adapter */
    }
    else skip( "no network whose addresses may be changed\n" );
    support_end();
}
