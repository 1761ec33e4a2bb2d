/*
 * Requests of a socket whose handle is closed here while another process has the socket (facts: windows-behaviour 6.1, 6.3
 * and 9.1, afd 8). A request belongs to the socket, not to the handle: it goes on, takes what comes, and ends with the last
 * handle there is. Only what a completion port alone is told of ends with the process's last handle, and all that a thread
 * has pending otherwise ends with the thread.
 */
#include "puppets.h"
#include "requests.h"

#define SLOT6 ( sizeof( struct sockaddr_in6 ) + 16 )
#define STATUS_CANCELLED_ 0xc0000120
#define KEY 7

static LPFN_ACCEPTEX accept_ex;
static LPFN_CONNECTEX connect_ex;

enum request
{
    RECEIVE,
    RECEIVE_FROM, /* of a datagram socket */
    ACCEPT,
    ACCEPT_DATA, /* the connection is there, and its data is not */
    CONNECT,
    REQUESTS
};
static const char *const request_names[] = { "WSARecv", "WSARecvFrom", "AcceptEx", "AcceptEx with data", "ConnectEx" };

enum end
{
    HAPPENS,     /* what it waits for comes */
    LAST_CLOSES, /* the other process closes its handle */
    LAST_DIES,
    THREAD_ENDS, /* the one that made the request */
    ENDS
};
static const char *const end_names[] = { "happens", "the last one closes", "the last one dies", "its thread ends" };

struct outlived
{
    enum request request;
    int family;
    SOCKET s;    /* it is made on this */
    SOCKET peer; /* the one that makes it happen; of AcceptEx, a connected client */
    SOCKET acceptor, filling[4];
    union address address;
    char data[16 + 2 * SLOT6];
    OVERLAPPED ov;
    BOOL pends;
    HANDLE made, may_end;
};

static void load( void )
{
    SOCKET s = socket( AF_INET, SOCK_STREAM, 0 );

    accept_ex = extension( s, (GUID)WSAID_ACCEPTEX );
    connect_ex = extension( s, (GUID)WSAID_CONNECTEX );
    closesocket( s );
}

static SOCKET client_of( struct outlived *o )
{
    SOCKET s = socket( o->family, SOCK_STREAM, 0 );

    check_ok( connect( s, &o->address.any, address_length( o->family ) ) );
    return s;
}

/* The socket, and whatever the request waits for; FALSE: not here. */
static BOOL prepare( struct outlived *o )
{
    union address own;

    o->acceptor = o->peer = INVALID_SOCKET;
    switch ( o->request )
    {
    case RECEIVE: tcp_pair_family( o->family, &o->peer, &o->s ); break;
    case RECEIVE_FROM:
        o->s = udp_bound( o->family, &o->address );
        o->peer = socket( o->family, SOCK_DGRAM, 0 );
        break;
    case ACCEPT:
    case ACCEPT_DATA:
        o->s = tcp_listener( o->family, &o->address );
        o->acceptor = socket( o->family, SOCK_STREAM, 0 );
        break;
    case CONNECT:
        /* to a listener whose queue is full for a while */
        o->peer = tcp_listener( o->family, &o->address );
        check_ok( listen( o->peer, 1 ) );
        for ( unsigned int i = 0; i < ARRAY_SIZE( o->filling ); i++ )
        {
            o->filling[i] = socket( o->family, SOCK_STREAM, 0 );
            set_nonblocking( o->filling[i], TRUE );
            connect( o->filling[i], &o->address.any, address_length( o->family ) );
        }
        o->s = tcp_bound( o->family, &own );
        break;
    case REQUESTS: break;
    }
    return o->s != INVALID_SOCKET;
}

static void begin( struct outlived *o, HANDLE event )
{
    const int length = address_length( o->family );
    WSABUF buffer = { 16, o->data };
    DWORD flags = 0, size;
    static union address from;
    static int from_length;
    int result = 0;

    o->ov.hEvent = event;
    from_length = sizeof( from );
    switch ( o->request )
    {
    case RECEIVE: result = !WSARecv( o->s, &buffer, 1, NULL, &flags, &o->ov, NULL ); break;
    case RECEIVE_FROM:
        result = !WSARecvFrom( o->s, &buffer, 1, NULL, &flags, &from.any, &from_length, &o->ov, NULL );
        break;
    case ACCEPT: result = accept_ex( o->s, o->acceptor, o->data, 0, SLOT6, SLOT6, &size, &o->ov ); break;
    case ACCEPT_DATA: result = accept_ex( o->s, o->acceptor, o->data, 16, SLOT6, SLOT6, &size, &o->ov ); break;
    case CONNECT: result = connect_ex( o->s, &o->address.any, length, NULL, 0, NULL, &o->ov ); break;
    case REQUESTS: break;
    }
    o->pends = !result && WSAGetLastError() == WSA_IO_PENDING;
}

static DWORD WINAPI begin_in_thread( void *arg )
{
    struct outlived *o = arg;

    begin( o, o->ov.hEvent );
    SetEvent( o->made );
    WaitForSingleObject( o->may_end, 60000 );
    return 0;
}

static void make_happen( struct outlived *o )
{
    const int length = address_length( o->family );

    switch ( o->request )
    {
    case RECEIVE:
    case ACCEPT_DATA: check_result( send( o->peer, "hello", 5, 0 ), 5 ); break;
    case RECEIVE_FROM: check_result( sendto( o->peer, "hello", 5, 0, &o->address.any, length ), 5 ); break;
    case ACCEPT: o->peer = client_of( o ); break;
    case CONNECT:
        /* those before it are in the way, in whatever order they try again */
        set_nonblocking( o->peer, TRUE );
        for ( unsigned int i = 0; i < 1000 && WaitForSingleObject( o->ov.hEvent, 10 ); i++ )
            closesocket( accept( o->peer, NULL, NULL ) );
        break;
    case REQUESTS: break;
    }
}

static void check_happened( struct outlived *o )
{
    const DWORD expected = o->request == ACCEPT || o->request == CONNECT ? 0 : 5;

    ok( !o->ov.Internal && o->ov.InternalHigh == expected, "status %#lx, %lu bytes\n", (DWORD)o->ov.Internal,
        (DWORD)o->ov.InternalHigh );
    if ( expected ) ok( !memcmp( o->data, "hello", expected ), "got %.5s\n", o->data );
    if ( o->acceptor == INVALID_SOCKET ) return;
    check_flow( o->peer, o->acceptor );
    check_flow( o->acceptor, o->peer );
}

static void await_connection( struct outlived *o )
{
    o->peer = client_of( o );
    await_accepted( o->acceptor );
}

static SOCKET give_away( SOCKET s, struct puppet *puppet )
{
    WSAPROTOCOL_INFOA info;
    SOCKET there;

    puppet_create( puppet, 0 );
    check_ok( WSADuplicateSocketA( s, puppet->pid, &info ) );
    there = puppet_open_a( puppet, &info, WSA_FLAG_OVERLAPPED );
    ok( there != INVALID_SOCKET, "no duplicate, error %d\n", WSAGetLastError() );
    return there;
}

static void clean_up( struct outlived *o )
{
    closesocket( o->peer );
    closesocket( o->acceptor );
    for ( unsigned int i = 0; o->request == CONNECT && i < ARRAY_SIZE( o->filling ); i++ ) closesocket( o->filling[i] );
}

static void test_outlives( enum request request, enum end end, int family )
{
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL ), thread = NULL;
    struct outlived o = { .request = request, .family = family };
    struct puppet puppet;
    SOCKET there;

    winetest_push_context( "%s, %s, family %d", request_names[request], end_names[end], family );
    ok( prepare( &o ), "error %d\n", WSAGetLastError() );
    there = give_away( o.s, &puppet );
    if ( end == THREAD_ENDS )
    {
        o.ov.hEvent = event;
        o.made = CreateEventW( NULL, TRUE, FALSE, NULL );
        o.may_end = CreateEventW( NULL, TRUE, FALSE, NULL );
        thread = CreateThread( NULL, 0, begin_in_thread, &o, 0, NULL );
        ok( !WaitForSingleObject( o.made, 10000 ), "nothing is begun\n" );
    }
    else begin( &o, event );
    ok( o.pends, "does not pend\n" );
    if ( request == ACCEPT_DATA ) await_connection( &o );
    check_ok( closesocket( o.s ) );
    ok( WaitForSingleObject( event, request == CONNECT ? 0 : 100 ) == WAIT_TIMEOUT, "the event is set\n" );
    ok( o.ov.Internal == STATUS_PENDING, "status %#lx\n", (DWORD)o.ov.Internal );
    switch ( end )
    {
    case HAPPENS: make_happen( &o ); break;
    case LAST_CLOSES: check_ok( puppet_do_on( &puppet, PUPPET_CLOSE, there ) ); break;
    case LAST_DIES: puppet_kill( &puppet ); break;
    case THREAD_ENDS:
        SetEvent( o.may_end );
        WaitForSingleObject( thread, 10000 );
        break;
    case ENDS: break;
    }
    ok( !WaitForSingleObject( event, 10000 ), "the event is not set\n" );
    if ( end == HAPPENS ) check_happened( &o );
    else if ( request == RECEIVE && end != THREAD_ENDS )
        ok( o.ov.Internal && o.ov.Internal != STATUS_PENDING, "status %#lx\n", (DWORD)o.ov.Internal );
    else ok( o.ov.Internal == STATUS_CANCELLED_, "status %#lx\n", (DWORD)o.ov.Internal );
    if ( request == ACCEPT && end == HAPPENS )
    {
        /* the next one is the other process's */
        SOCKET client = client_of( &o ), accepted = puppet_do_on( &puppet, PUPPET_ACCEPT, there );

        ok( accepted != INVALID_SOCKET, "error %d\n", WSAGetLastError() );
        closesocket( client );
    }
    if ( request == RECEIVE && end == HAPPENS )
    {
        /* what comes next is the other process's, and the connection goes with it: the handle here has gone with the request */
        check_result( send( o.peer, "later", 5, 0 ), 5 );
        check_result( puppet_do_on( &puppet, PUPPET_RECV, there ), 5 );
        check_ok( puppet_do_on( &puppet, PUPPET_CLOSE, there ) );
        check_eof( o.peer );
    }
    if ( request == ACCEPT_DATA && end != HAPPENS && end != THREAD_ENDS ) check_refused( &o.address );
    if ( end != LAST_DIES ) puppet_destroy( &puppet );
    clean_up( &o );
    if ( thread )
    {
        CloseHandle( thread );
        CloseHandle( o.made );
        CloseHandle( o.may_end );
    }
    CloseHandle( event );
    winetest_pop_context();
}

/* With a completion port: what it alone is told of ends at once; what has an event besides goes on, and is told in both ways. */
static void test_port( enum request request, BOOL with_event )
{
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL ), port;
    struct outlived o = { .request = request, .family = AF_INET };
    struct puppet puppet;

    winetest_push_context( "%s, port and %s", request_names[request], with_event ? "event" : "nothing else" );
    ok( prepare( &o ), "error %d\n", WSAGetLastError() );
    port = CreateIoCompletionPort( (HANDLE)o.s, NULL, KEY, 0 );
    give_away( o.s, &puppet );
    begin( &o, with_event ? event : NULL );
    ok( o.pends, "does not pend\n" );
    if ( request == ACCEPT_DATA ) await_connection( &o );
    check_ok( closesocket( o.s ) );
    if ( with_event )
    {
        check_no_packet( port, request == CONNECT ? 0 : 100 );
        make_happen( &o );
        ok( !WaitForSingleObject( event, 10000 ), "the event is not set\n" );
        check_happened( &o );
    }
    check_packet_within( port, 10000, KEY, &o.ov, with_event,
                         request == RECEIVE ? ERROR_CONNECTION_ABORTED : ERROR_OPERATION_ABORTED, o.ov.InternalHigh );
    puppet_destroy( &puppet );
    clean_up( &o );
    CloseHandle( port );
    CloseHandle( event );
    winetest_pop_context();
}

/* The acceptor's end is the request's, whether the listener has a handle here or not. */
static void test_acceptor_closes( enum request request )
{
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL );
    struct outlived o = { .request = request, .family = AF_INET };
    struct puppet puppet;
    SOCKET there, client, accepted;

    winetest_push_context( "%s, the acceptor closes", request_names[request] );
    ok( prepare( &o ), "error %d\n", WSAGetLastError() );
    there = give_away( o.s, &puppet );
    begin( &o, event );
    if ( request == ACCEPT_DATA ) await_connection( &o );
    check_ok( closesocket( o.s ) );
    check_ok( closesocket( o.acceptor ) );
    ok( !WaitForSingleObject( event, 10000 ), "the event is not set\n" );
    ok( o.ov.Internal == STATUS_CANCELLED_, "status %#lx\n", (DWORD)o.ov.Internal );
    o.acceptor = INVALID_SOCKET;
    client = client_of( &o );
    accepted = puppet_do_on( &puppet, PUPPET_ACCEPT, there );
    ok( accepted != INVALID_SOCKET, "error %d\n", WSAGetLastError() );
    puppet_destroy( &puppet );
    closesocket( client );
    clean_up( &o );
    CloseHandle( event );
    winetest_pop_context();
}

/* --- an acceptor that another process has -------------------------------------------------------------------------------*/

enum acceptor_end
{
    STAYS,       /* its handle here, too: the connection is everybody's */
    CLOSES,      /* here; the request goes on */
    CLOSES_DATA, /* when the connection is there, and its data is not */
    CLOSES_EVERYWHERE,
    CLOSES_EVERYWHERE_DATA,
    CLOSES_AND_DIES,
    IS_CANCELLED,
    IS_CANCELLED_DATA,
    ACCEPTOR_ENDS
};

static void check_there( struct puppet *puppet, SOCKET there, SOCKET client )
{
    char data[8] = "";

    check_ok( puppet_do_on( puppet, PUPPET_GETPEERNAME, there ) );
    ok( address_port( &puppet->message->address ) == socket_port( client ), "the peer is at port %d\n",
        address_port( &puppet->message->address ) );
    check_result( puppet_send( puppet, there, "there" ), 5 );
    check_result( recv( client, data, 5, MSG_WAITALL ), 5 );
    ok( !memcmp( data, "there", 5 ), "got %.5s\n", data );
    check_result( send( client, "back", 4, 0 ), 4 );
    check_result( puppet_do_on( puppet, PUPPET_RECV, there ), 4 );
}

static void test_acceptor_elsewhere( enum request request, enum acceptor_end end, int family, BOOL by_port )
{
    const BOOL connected = end == CLOSES_DATA || end == CLOSES_EVERYWHERE_DATA || end == IS_CANCELLED_DATA;
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL ), port = NULL;
    struct outlived o = { .request = request, .family = family };
    struct puppet puppet;
    SOCKET there;

    if ( connected && request != ACCEPT_DATA ) return;
    winetest_push_context( "%s, end %d, family %d, port %d", request_names[request], end, family, by_port );
    ok( prepare( &o ), "error %d\n", WSAGetLastError() );
    there = give_away( o.acceptor, &puppet );
    if ( by_port ) port = CreateIoCompletionPort( (HANDLE)o.s, NULL, KEY, 0 );
    begin( &o, by_port ? NULL : event );
    ok( o.pends, "does not pend\n" );
    if ( connected ) await_connection( &o );
    if ( end != STAYS ) check_ok( closesocket( o.acceptor ) );
    if ( by_port ) check_no_packet( port, 50 );
    else ok( WaitForSingleObject( event, 50 ) == WAIT_TIMEOUT, "the event is set\n" );
    ok( o.ov.Internal == STATUS_PENDING, "status %#lx\n", (DWORD)o.ov.Internal );
    switch ( end )
    {
    case STAYS:
    case CLOSES:
    case CLOSES_DATA:
        if ( o.peer == INVALID_SOCKET ) o.peer = client_of( &o );
        if ( request == ACCEPT_DATA ) check_result( send( o.peer, "hello", 5, 0 ), 5 );
        break;
    case CLOSES_EVERYWHERE:
    case CLOSES_EVERYWHERE_DATA: check_ok( puppet_do_on( &puppet, PUPPET_CLOSE, there ) ); break;
    case CLOSES_AND_DIES: puppet_kill( &puppet ); break;
    case IS_CANCELLED:
    case IS_CANCELLED_DATA: ok( CancelIoEx( (HANDLE)o.s, &o.ov ), "error %lu\n", GetLastError() ); break;
    case ACCEPTOR_ENDS: break;
    }
    if ( by_port )
        check_packet_within( port, 10000, KEY, &o.ov, end <= CLOSES_DATA,
                             end <= CLOSES_DATA ? 0 : ERROR_OPERATION_ABORTED,
                             end <= CLOSES_DATA && request == ACCEPT_DATA ? 5 : 0 );
    else ok( !WaitForSingleObject( event, 10000 ), "the event is not set\n" );
    if ( end <= CLOSES_DATA )
    {
        if ( end != STAYS ) o.acceptor = INVALID_SOCKET;
        else check_ok( setsockopt( o.acceptor, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, (char *)&o.s, sizeof( o.s ) ) );
        check_happened( &o );
        if ( end == STAYS ) check_there( &puppet, there, o.peer );
        else
        {
            char data[8] = "";

            /* it has no context, and therefore no names */
            check_result( puppet_send( &puppet, there, "there" ), 5 );
            check_result( recv( o.peer, data, 5, MSG_WAITALL ), 5 );
            ok( !memcmp( data, "there", 5 ), "got %.5s\n", data );
            check_result( send( o.peer, "back", 4, 0 ), 4 );
            check_result( puppet_do_on( &puppet, PUPPET_RECV, there ), 4 );
        }
        check_open( o.peer );
        if ( end == STAYS ) check_ok( closesocket( o.acceptor ) );
        check_ok( puppet_do_on( &puppet, PUPPET_CLOSE, there ) );
        check_eof( o.peer );
    }
    else ok( o.ov.Internal == STATUS_CANCELLED_, "status %#lx\n", (DWORD)o.ov.Internal );
    /* also while the other process has the socket still */
    if ( end == IS_CANCELLED_DATA || end == CLOSES_EVERYWHERE_DATA ) check_gone( o.peer );
    o.acceptor = INVALID_SOCKET;
    if ( end != CLOSES_AND_DIES ) puppet_destroy( &puppet );
    closesocket( o.s );
    clean_up( &o );
    if ( port ) CloseHandle( port );
    CloseHandle( event );
    winetest_pop_context();
}

/* What the other process does first with the acceptor that it has had since before the connection. */
enum first_call
{
    FIRST_SHUTDOWN,
    FIRST_READABLE_BYTES,
    FIRST_OPTION,
    FIRST_DUPLICATE,
    FIRST_EVENTS,
    FIRST_NAME,
    FIRST_RECEIVE,
    FIRST_CALLS
};

static void test_first_call( enum first_call call )
{
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL );
    struct outlived o = { .request = ACCEPT, .family = AF_INET };
    const DWORD on = 1;
    struct puppet puppet;
    SOCKET there, more;
    DWORD value = 0;
    int size = sizeof( value );

    winetest_push_context( "first call %d", call );
    ok( prepare( &o ), "error %d\n", WSAGetLastError() );
    there = give_away( o.acceptor, &puppet );
    begin( &o, event );
    o.peer = client_of( &o );
    ok( !WaitForSingleObject( event, 10000 ) && !o.ov.Internal, "status %#lx\n", (DWORD)o.ov.Internal );
    check_ok( setsockopt( o.acceptor, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, (char *)&o.s, sizeof( o.s ) ) );
    check_result( send( o.peer, "hello", 5, 0 ), 5 );
    ok( wait_readable( o.acceptor, 10000 ), "nothing comes\n" );
    switch ( call )
    {
    case FIRST_SHUTDOWN:
        puppet.message->value = SD_SEND;
        check_ok( puppet_do_on( &puppet, PUPPET_SHUTDOWN, there ) );
        check_eof( o.peer );
        break;
    case FIRST_READABLE_BYTES:
        puppet.message->option = FIONREAD;
        puppet.message->value = 0;
        check_ok( puppet_do_on( &puppet, PUPPET_IOCTL, there ) );
        ok( puppet.message->value == 5, "%lu bytes\n", puppet.message->value );
        break;
    case FIRST_OPTION:
        puppet.message->level = SOL_SOCKET;
        puppet.message->option = SO_KEEPALIVE;
        puppet.message->length = sizeof( on );
        memcpy( puppet.message->data, &on, sizeof( on ) );
        check_ok( puppet_do_on( &puppet, PUPPET_SETSOCKOPT, there ) );
        check_ok( getsockopt( o.acceptor, SOL_SOCKET, SO_KEEPALIVE, (char *)&value, &size ) );
        ok( value, "the option is not set\n" );
        break;
    case FIRST_DUPLICATE:
        puppet.message->pid = GetCurrentProcessId();
        check_ok( puppet_do_on( &puppet, PUPPET_DUPLICATE, there ) );
        more = WSASocketA( FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &puppet.message->info_a, 0,
                           WSA_FLAG_OVERLAPPED );
        check_flow( more, o.peer );
        check_ok( closesocket( more ) );
        break;
    case FIRST_EVENTS:
        puppet.message->value = FD_READ;
        check_ok( puppet_do_on( &puppet, PUPPET_EVENT_SELECT, there ) );
        puppet.message->value = 10000;
        check_result( puppet_do_on( &puppet, PUPPET_WAIT_EVENT, there ), 1 );
        break;
    case FIRST_NAME:
        check_ok( puppet_do_on( &puppet, PUPPET_GETSOCKNAME, there ) );
        ok( address_port( &puppet.message->address ) == socket_port( o.acceptor ), "bound to port %d\n",
            address_port( &puppet.message->address ) );
        break;
    case FIRST_RECEIVE: check_result( puppet_do_on( &puppet, PUPPET_RECV, there ), 5 ); break;
    case FIRST_CALLS: break;
    }
    closesocket( o.s );
    puppet_destroy( &puppet );
    clean_up( &o );
    CloseHandle( event );
    winetest_pop_context();
}

START_TEST( outliving )
{
    int families;

    if ( support_begin() ) return;
    families = have_ipv6() ? 2 : 1;
    load();
    for ( enum request request = 0; request < REQUESTS; request++ )
        for ( enum end end = 0; end < ENDS; end++ )
            for ( int i = 0; i < families; i++ ) test_outlives( request, end, i ? AF_INET6 : AF_INET );
    for ( enum request request = 0; request < REQUESTS; request++ )
        for ( int with_event = 0; with_event < 2; with_event++ ) test_port( request, with_event );
    test_acceptor_closes( ACCEPT );
    test_acceptor_closes( ACCEPT_DATA );
    for ( enum acceptor_end end = 0; end < ACCEPTOR_ENDS; end++ )
        for ( int i = 0; i < families; i++ )
            for ( BOOL by_port = FALSE; by_port <= TRUE; by_port++ )
            {
                test_acceptor_elsewhere( ACCEPT, end, i ? AF_INET6 : AF_INET, by_port );
                test_acceptor_elsewhere( ACCEPT_DATA, end, i ? AF_INET6 : AF_INET, by_port );
            }
    for ( enum first_call call = 0; call < FIRST_CALLS; call++ ) test_first_call( call );
    support_end();
}
