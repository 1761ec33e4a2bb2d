/*
 * ProcessSocketNotifications: a socket's readiness as packets at a completion port.
 *
 * Windows has had it since Windows 11; where it is missing there is nothing to test.
 */
#include "support.h"
#include "ws2host/socket_notifications.h"

typedef DWORD( WINAPI *process_function )( HANDLE, UINT32, SOCK_NOTIFY_REGISTRATION *, UINT32, ULONG,
                                           OVERLAPPED_ENTRY *, UINT32 * );
static process_function process;

#define LEVEL_ONCE ( SOCK_NOTIFY_TRIGGER_LEVEL | SOCK_NOTIFY_TRIGGER_ONESHOT )
#define LEVEL_ALWAYS ( SOCK_NOTIFY_TRIGGER_LEVEL | SOCK_NOTIFY_TRIGGER_PERSISTENT )
#define EDGE_ALWAYS ( SOCK_NOTIFY_TRIGGER_EDGE | SOCK_NOTIFY_TRIGGER_PERSISTENT )
#define EDGE_ONCE ( SOCK_NOTIFY_TRIGGER_EDGE | SOCK_NOTIFY_TRIGGER_ONESHOT )
#undef IN
#undef OUT /* words of old headers */
#define IN SOCK_NOTIFY_EVENT_IN
#define OUT SOCK_NOTIFY_EVENT_OUT
#define HANGUP SOCK_NOTIFY_EVENT_HANGUP
#define REMOVED SOCK_NOTIFY_EVENT_REMOVE

static HANDLE new_port( void ) { return CreateIoCompletionPort( INVALID_HANDLE_VALUE, NULL, 0, 0 ); }

/* Its own result; the function's is checked. */
static DWORD change( HANDLE port, SOCKET s, ULONG_PTR key, UINT8 operation, UINT16 filter, UINT8 trigger )
{
    SOCK_NOTIFY_REGISTRATION registration = { .socket = s,
                                              .completionKey = (void *)key,
                                              .eventFilter = filter,
                                              .operation = operation,
                                              .triggerFlags = trigger,
                                              .registrationResult = 0xdead };

    check_result( process( port, 1, &registration, 0, 0, NULL, NULL ), 0 );
    return registration.registrationResult;
}

static DWORD enable( HANDLE port, SOCKET s, ULONG_PTR key, UINT16 filter, UINT8 trigger )
{
    return change( port, s, key, SOCK_NOTIFY_OP_ENABLE, filter, trigger );
}

/* The next packet through the function itself: its events, 0 after a time-out. */
static DWORD next( HANDLE port, ULONG_PTR *key, DWORD timeout )
{
    OVERLAPPED_ENTRY entry = { 0 };
    UINT32 count = 77;
    DWORD error = process( port, 0, NULL, timeout, 1, &entry, &count );

    if ( error == WAIT_TIMEOUT )
    {
        ok( !count, "%u packets in spite of the time-out\n", count );
        return 0;
    }
    ok( !error && count == 1, "error %lu, %u packets\n", error, count );
    if ( key ) *key = entry.lpCompletionKey;
    return entry.dwNumberOfBytesTransferred;
}

#define check_packet( port, key, events ) check_packet_( __LINE__, port, key, events )
static void check_packet_( int line, HANDLE port, ULONG_PTR key, DWORD events )
{
    ULONG_PTR found = 0;
    DWORD result = next( port, &found, 5000 );

    ok_( __FILE__, line )( result == events, "events %#lx, expected %#lx\n", result, events );
    ok_( __FILE__, line )( found == key, "key %#zx, expected %#zx\n", (size_t)found, (size_t)key );
}
#define check_none( port ) check_none_( __LINE__, port )
static void check_none_( int line, HANDLE port )
{
    DWORD result = next( port, NULL, 100 );

    ok_( __FILE__, line )( !result, "events %#lx, expected none\n", result );
}

static void put_byte( SOCKET s ) { check_result( send( s, "x", 1, 0 ), 1 ); }
static void take_byte( SOCKET s )
{
    char byte;
    check_result( recv( s, &byte, 1, 0 ), 1 );
}

static void test_arguments( void )
{
    static const struct
    {
        UINT16 filter;
        UINT8 operation, trigger;
    } refused[] = {
        { 0, SOCK_NOTIFY_OP_ENABLE, LEVEL_ONCE },
        { 0x100, SOCK_NOTIFY_OP_ENABLE, LEVEL_ONCE },
        { IN, SOCK_NOTIFY_OP_ENABLE, 0 },
        { IN, SOCK_NOTIFY_OP_ENABLE, SOCK_NOTIFY_TRIGGER_LEVEL },
        { IN, SOCK_NOTIFY_OP_ENABLE, SOCK_NOTIFY_TRIGGER_ONESHOT },
        { IN, SOCK_NOTIFY_OP_ENABLE, LEVEL_ONCE | SOCK_NOTIFY_TRIGGER_EDGE },
        { IN, SOCK_NOTIFY_OP_ENABLE, LEVEL_ONCE | SOCK_NOTIFY_TRIGGER_PERSISTENT },
        { IN, SOCK_NOTIFY_OP_ENABLE | SOCK_NOTIFY_OP_REMOVE, LEVEL_ONCE },
        { IN, SOCK_NOTIFY_OP_ENABLE | SOCK_NOTIFY_OP_DISABLE, LEVEL_ONCE },
    };
    SOCK_NOTIFY_REGISTRATION registrations[2] = { { 0 } };
    HANDLE port = new_port();
    OVERLAPPED_ENTRY entry;
    SOCKET a, b;
    UINT32 count;

    tcp_pair( &a, &b );
    for ( unsigned int i = 0; i < ARRAY_SIZE( refused ); i++ )
    {
        DWORD result = change( port, a, 1, refused[i].operation, refused[i].filter, refused[i].trigger );
        ok( result != 0, "%u: accepted\n", i );
    }
    ok( change( port, a, 1, SOCK_NOTIFY_OP_REMOVE, 0, 0 ), "removed what is not there\n" );
    ok( change( port, a, 1, SOCK_NOTIFY_OP_DISABLE, 0, 0 ), "put off what is not there\n" );
    ok( process( port, 1, NULL, 0, 0, NULL, NULL ), "no registrations where one is told of\n" );
    ok( process( port, 0, NULL, 0, 1, NULL, &count ), "no room for packets\n" );
    ok( process( port, 0, NULL, 0, 1, &entry, NULL ), "no room for the number of packets\n" );
    ok( process( NULL, 1, registrations, 0, 0, NULL, NULL ), "no port\n" );
    ok( process( (HANDLE)a, 1, registrations, 0, 0, NULL, NULL ), "a socket is no port\n" );

    /* one bad registration leaves the others alone */
    for ( int i = 0; i < 2; i++ )
        registrations[i] = ( SOCK_NOTIFY_REGISTRATION ){ .socket = i ? b : (SOCKET)0x12345678,
                                                         .eventFilter = OUT,
                                                         .completionKey = (void *)9,
                                                         .operation = SOCK_NOTIFY_OP_ENABLE,
                                                         .triggerFlags = LEVEL_ONCE,
                                                         .registrationResult = 0xdead };
    process( port, 2, registrations, 0, 0, NULL, NULL );
    ok( registrations[0].registrationResult && registrations[0].registrationResult != 0xdead, "result %#lx\n",
        registrations[0].registrationResult );
    ok( !registrations[1].registrationResult, "result %#lx\n", registrations[1].registrationResult );
    check_packet( port, 9, OUT );

    closesocket( a );
    closesocket( b );
    CloseHandle( port );
}

static void test_triggers( void )
{
    HANDLE port = new_port();
    SOCKET a, b;

    tcp_pair( &a, &b );

    /* once: the packet puts the registration off until it is enabled again */
    check_result( enable( port, a, 1, IN, LEVEL_ONCE ), 0 );
    check_none( port );
    put_byte( b );
    check_packet( port, 1, IN );
    check_none( port );
    check_result( enable( port, a, 2, IN, LEVEL_ONCE ), 0 );
    check_packet( port, 2, IN ); /* a level: it holds still */
    take_byte( a );
    check_result( enable( port, a, 3, IN, LEVEL_ONCE ), 0 );
    check_none( port );

    /* always, by level: again with each packet taken while it holds */
    check_result( enable( port, a, 4, IN, LEVEL_ALWAYS ), 0 );
    put_byte( b );
    for ( int i = 0; i < 3; i++ ) check_packet( port, 4, IN );
    take_byte( a );
    check_none( port );
    put_byte( b );
    check_packet( port, 4, IN );
    take_byte( a );
    check_none( port );

    /* always, by edge: with each arrival, no more */
    check_result( enable( port, a, 5, IN, EDGE_ALWAYS ), 0 );
    check_none( port );
    put_byte( b );
    check_packet( port, 5, IN );
    check_none( port );
    take_byte( a );
    check_none( port );
    put_byte( b );
    check_packet( port, 5, IN );
    take_byte( a );

    /* once, by edge */
    check_result( enable( port, a, 6, IN, EDGE_ONCE ), 0 );
    put_byte( b );
    check_packet( port, 6, IN );
    take_byte( a );
    put_byte( b );
    check_none( port );
    take_byte( a );

    closesocket( b );
    closesocket( a );
    CloseHandle( port );
}

static void test_end( void )
{
    HANDLE port = new_port();
    SOCKET a, b;

    tcp_pair( &a, &b );

    check_result( enable( port, a, 1, IN, LEVEL_ALWAYS ), 0 );
    check_result( change( port, a, 1, SOCK_NOTIFY_OP_DISABLE, 0, 0 ), 0 );
    put_byte( b );
    check_none( port );
    check_result( enable( port, a, 2, IN, LEVEL_ONCE ), 0 );
    check_packet( port, 2, IN );
    take_byte( a );

    /* the packet of the removal is the last */
    check_result( change( port, a, 2, SOCK_NOTIFY_OP_REMOVE, 0, 0 ), 0 );
    check_packet( port, 2, REMOVED );
    put_byte( b );
    check_none( port );
    take_byte( a );
    ok( change( port, a, 2, SOCK_NOTIFY_OP_REMOVE, 0, 0 ), "removed twice\n" );

    /* closing the socket removes it too */
    check_result( enable( port, a, 3, IN, LEVEL_ALWAYS ), 0 );
    closesocket( a );
    check_packet( port, 3, REMOVED );
    check_none( port );
    closesocket( b );
    CloseHandle( port );
}

static void test_conditions( void )
{
    const struct linger reset = { 1, 0 };
    union address address;
    HANDLE port = new_port();
    SOCKET a, b, listener;
    static char data[0x10000];
    DWORD events;
    int length;

    /* room to send, and that it is lost and comes again */
    tcp_pair( &a, &b );
    set_nonblocking( a, TRUE );
    check_result( enable( port, a, 1, IN | OUT | HANGUP, LEVEL_ONCE ), 0 );
    check_packet( port, 1, OUT );
    while ( send( a, data, sizeof( data ), 0 ) > 0 ) continue;
    ok( WSAGetLastError() == WSAEWOULDBLOCK, "error %d\n", WSAGetLastError() );
    check_result( enable( port, a, 2, IN | OUT | HANGUP, EDGE_ALWAYS ), 0 );
    check_none( port );
    for ( set_nonblocking( b, TRUE );; )
    {
        while ( recv( b, data, sizeof( data ), 0 ) > 0 ) continue;
        if ( ( events = next( port, NULL, 200 ) ) ) break;
    }
    ok( events == OUT, "events %#lx\n", events );

    /* the other end leaves in order, then by force */
    shutdown( b, SD_SEND );
    events = next( port, NULL, 5000 );
    ok( events & HANGUP, "events %#lx\n", events );
    closesocket( a );
    while ( ( events = next( port, NULL, 1000 ) ) && events != REMOVED ) continue;
    ok( events == REMOVED, "events %#lx\n", events );
    closesocket( b );

    tcp_pair( &a, &b );
    check_result( enable( port, a, 3, HANGUP, LEVEL_ONCE ), 0 );
    put_byte( b );
    check_none( port ); /* not asked for */
    setsockopt( b, SOL_SOCKET, SO_LINGER, (char *)&reset, sizeof( reset ) );
    closesocket( b );
    events = next( port, NULL, 5000 );
    ok( events & HANGUP, "events %#lx\n", events );
    closesocket( a );
    check_packet( port, 3, REMOVED );

    /* a connection to accept */
    listener = tcp_listener( AF_INET, &address );
    check_result( enable( port, listener, 4, IN, LEVEL_ALWAYS ), 0 );
    check_none( port );
    a = socket( AF_INET, SOCK_STREAM, 0 );
    check_ok( connect( a, &address.any, sizeof( address.v4 ) ) );
    check_packet( port, 4, IN );
    check_packet( port, 4, IN );
    b = accept_one( listener );
    check_none( port );
    closesocket( a );
    closesocket( b );
    closesocket( listener );
    check_packet( port, 4, REMOVED );

    /* a connection made */
    listener = tcp_listener( AF_INET, &address );
    a = socket( AF_INET, SOCK_STREAM, 0 );
    check_result( enable( port, a, 5, OUT, LEVEL_ONCE ), 0 );
    set_nonblocking( a, TRUE );
    check_fails( connect( a, &address.any, sizeof( address.v4 ) ), WSAEWOULDBLOCK );
    check_packet( port, 5, OUT );
    closesocket( a );
    check_packet( port, 5, REMOVED );
    closesocket( listener );

    /* datagrams */
    a = udp_bound( AF_INET, &address );
    b = udp_bound( AF_INET, NULL );
    length = sizeof( address.v4 );
    check_result( enable( port, a, 6, IN, EDGE_ALWAYS ), 0 );
    check_none( port );
    for ( int i = 0; i < 2; i++ )
    {
        check_result( sendto( b, "x", 1, 0, &address.any, length ), 1 );
        check_packet( port, 6, IN );
    }
    closesocket( a );
    closesocket( b );
    check_packet( port, 6, REMOVED );
    CloseHandle( port );
}

/* Programs may read the port by the functions that they always had. */
static void test_port_functions( void )
{
    HANDLE port = new_port();
    OVERLAPPED *overlapped;
    ULONG_PTR key;
    DWORD events;
    SOCKET a, b;

    tcp_pair( &a, &b );
    check_result( enable( port, a, 7, IN, LEVEL_ALWAYS ), 0 );
    put_byte( b );
    for ( int i = 0; i < 3; i++ )
    {
        events = key = 0;
        ok( GetQueuedCompletionStatus( port, &events, &key, &overlapped, 5000 ), "%d: error %lu\n", i, GetLastError() );
        ok( events == IN && key == 7, "%d: events %#lx, key %#zx\n", i, events, (size_t)key );
    }
    take_byte( a );
    /* one may have been on its way */
    GetQueuedCompletionStatus( port, &events, &key, &overlapped, 100 );
    ok( !GetQueuedCompletionStatus( port, &events, &key, &overlapped, 100 ), "events %#lx\n", events );
    closesocket( a );
    closesocket( b );
    ok( GetQueuedCompletionStatus( port, &events, &key, &overlapped, 5000 ), "error %lu\n", GetLastError() );
    ok( events == REMOVED && key == 7, "events %#lx, key %#zx\n", events, (size_t)key );
    CloseHandle( port );
}

/* Many sockets, many packets at once, handed out in batches. */
static void test_many( void )
{
    enum
    {
        COUNT = 200
    };
    static SOCKET a[COUNT], b[COUNT];
    static SOCK_NOTIFY_REGISTRATION registrations[COUNT];
    OVERLAPPED_ENTRY entries[64];
    HANDLE port = new_port();
    BYTE seen[COUNT] = { 0 };
    UINT32 count;
    int total = 0;

    for ( int i = 0; i < COUNT; i++ )
    {
        tcp_pair( &a[i], &b[i] );
        put_byte( b[i] );
        registrations[i] = ( SOCK_NOTIFY_REGISTRATION ){ .socket = a[i],
                                                         .completionKey = (void *)(ULONG_PTR)i,
                                                         .eventFilter = IN,
                                                         .operation = SOCK_NOTIFY_OP_ENABLE,
                                                         .triggerFlags = LEVEL_ALWAYS,
                                                         .registrationResult = 0xdead };
    }
    check_result( process( port, COUNT, registrations, 0, 0, NULL, NULL ), 0 );
    for ( int i = 0; i < COUNT; i++ )
        ok( !registrations[i].registrationResult, "%d: %lu\n", i, registrations[i].registrationResult );
    while ( total < COUNT && !process( port, 0, NULL, 2000, ARRAY_SIZE( entries ), entries, &count ) )
        for ( UINT32 i = 0; i < count; i++ )
        {
            ULONG_PTR key = entries[i].lpCompletionKey;

            ok( key < COUNT && entries[i].dwNumberOfBytesTransferred == IN, "key %#zx, events %#lx\n", (size_t)key,
                entries[i].dwNumberOfBytesTransferred );
            if ( key >= COUNT || seen[key] ) continue;
            seen[key] = 1;
            total++;
            take_byte( a[key] );
        }
    ok( total == COUNT, "%d sockets were told of\n", total );
    check_none( port );
    for ( int i = 0; i < COUNT; i++ ) closesocket( a[i] ), closesocket( b[i] );
    for ( total = 0; total < COUNT && next( port, NULL, 2000 ) == REMOVED; ) total++;
    ok( total == COUNT, "%d removals were told of\n", total );
    CloseHandle( port );
}

START_TEST( notifications )
{
    if ( support_begin() ) return;
    process = (void *)GetProcAddress( GetModuleHandleA( "ws2_32.dll" ), "ProcessSocketNotifications" );
    if ( !process )
    {
        win_skip( "there is no ProcessSocketNotifications\n" );
        support_end();
        return;
    }
    test_arguments();
    test_triggers();
    test_end();
    test_conditions();
    test_port_functions();
    test_many();
    support_end();
}
