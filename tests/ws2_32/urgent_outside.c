/*
 * Urgent bytes from and to a program that is none of the prefix's (urgent.c has those between its own): one of the host's,
 * which connects and sends what it is asked for over the connection. One by one they are as any others. Of several at once the
 * host tells the place of the last alone.
 */
#include "support.h"

static const char script[] =
    "use Socket qw(:DEFAULT inet_pton); alarm 60; my ($f, $p, $q) = @ARGV; my $t;"
    "socket(S, $f == 6 ? PF_INET6 : PF_INET, SOCK_STREAM, 0) or die;"
    "setsockopt(S, 6, 1, 1);"
    "connect(S, $f == 6 ? pack_sockaddr_in6($p, inet_pton(AF_INET6, '::1')) : pack_sockaddr_in($p, "
    "inet_aton('127.0.0.1'))) or die;"
    "while (sysread(S, $t, 256)) { for my $c (split / /, $t) {"
    "my ($d, $b) = (substr($c, 0, 1), substr($c, 1));"
    "if ($d eq 'r') { my $e = ''; vec($e, fileno(S), 1) = 1; select(undef, undef, $e, 10); recv(S, $b, 1, MSG_OOB); $b "
    ".= $! if !length $b; send(S, $b, 0); }"
    "elsif ($d eq 'd') { socket(D, PF_INET, SOCK_DGRAM, 0); send(D, 'd', 0, pack_sockaddr_in($q, "
    "inet_aton('127.0.0.1'))); }"
    "else { send(S, $b, $d eq 'u' ? MSG_OOB : 0); } } }";

struct outside
{
    SOCKET s, done;
    HANDLE process;
};

static void await_done( const struct outside *peer )
{
    char byte;

    check_result( recv( peer->done, &byte, 1, 0 ), 1 );
}

/* FALSE: there are no programs of a host's. */
static BOOL begin( struct outside *peer, int family )
{
    STARTUPINFOA startup = { .cb = sizeof( startup ) };
    PROCESS_INFORMATION process = { 0 };
    union address address, done;
    SOCKET listener;
    char command[2048];

    if ( GetFileAttributesA( "Z:\\usr\\bin\\perl" ) == INVALID_FILE_ATTRIBUTES ) return FALSE;
    listener = tcp_listener( family, &address );
    peer->done = udp_bound( AF_INET, &done );
    set_receive_timeout( peer->done, 10000 );
    snprintf( command, sizeof( command ), "perl -e \"%s\" %d %d %d", script, family == AF_INET6 ? 6 : 4,
              address_port( &address ), address_port( &done ) );
    ok( CreateProcessA( "Z:\\usr\\bin\\perl", command, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &process ),
        "error %lu\n", GetLastError() );
    peer->s = accept_one( listener );
    peer->process = process.hProcess;
    CloseHandle( process.hThread );
    closesocket( listener );
    set_receive_timeout( peer->s, 10000 );
    return peer->s != INVALID_SOCKET;
}

static void end( struct outside *peer )
{
    closesocket( peer->s );
    closesocket( peer->done );
    CloseHandle( peer->process );
}

/* Words: n and bytes to be sent, u and such as are urgent, r: the urgent byte that comes is to be sent back, d: it is
 * to say that all is sent, elsewhere. */
static void ask( struct outside *peer, const char *words )
{
    check_result( send( peer->s, words, strlen( words ), 0 ), (int)strlen( words ) );
}

#define check_state( s, bytes, mark ) check_state_( __LINE__, s, bytes, mark )
static void check_state_( int line, SOCKET s, u_long bytes, u_long mark )
{
    u_long n = 0xcc, m = 0xcc;

    for ( int i = 0; i < 500; i++ )
    {
        check_ok( ioctlsocket( s, FIONREAD, &n ) );
        check_ok( ioctlsocket( s, SIOCATMARK, &m ) );
        if ( n == bytes && m == mark ) break;
        Sleep( 10 );
    }
    ok_( __FILE__, line )( n == bytes && m == mark, "%lu bytes, mark %lu, expected %lu, %lu\n", n, m, bytes, mark );
}

#define check_urgent( s, expected ) check_urgent_( __LINE__, s, expected )
static void check_urgent_( int line, SOCKET s, char expected )
{
    char byte = 0;
    int n = recv( s, &byte, 1, MSG_OOB );

    ok_( __FILE__, line )( n == 1 && byte == expected, "%d bytes, '%c', error %d\n", n, byte, WSAGetLastError() );
}

#define check_data( s, text ) check_data_( __LINE__, s, text )
static void check_data_( int line, SOCKET s, const char *text )
{
    const int length = strlen( text );
    char data[64];
    int got = 0, n;

    while ( got < length && ( n = recv( s, data + got, length - got, 0 ) ) > 0 ) got += n;
    ok_( __FILE__, line )( got == length && !memcmp( data, text, got ), "got %.*s\n", got, data );
}

static void await( SOCKET s, short events )
{
    WSAPOLLFD fd = { s, events, 0 };

    check_result( WSAPoll( &fd, 1, 10000 ), 1 );
    ok( fd.revents == events, "events %#x\n", fd.revents );
}

/* Before, behind and between data; waiting, taken late, taken at once. */
static void test_single( int family )
{
    struct outside peer;

    if ( !begin( &peer, family ) )
    {
        skip( "no programs of the host's\n" );
        return;
    }
    check_state( peer.s, 0, 1 );
    ask( &peer, "nhello u!" );
    check_state( peer.s, 5, 0 );
    await( peer.s, POLLRDNORM | POLLRDBAND );
    check_data( peer.s, "hello" );
    check_state( peer.s, 0, 0 );
    await( peer.s, POLLRDBAND );
    check_urgent( peer.s, '!' );
    check_state( peer.s, 0, 1 );

    /* in the middle, and read past */
    ask( &peer, "nfirst u? nlater" );
    check_state( peer.s, 10, 0 );
    check_data( peer.s, "firstlater" );
    check_urgent( peer.s, '?' );
    check_fails( recv( peer.s, ( char[1] ){ 0 }, 1, MSG_OOB ), WSAEINVAL );

    /* one after the other they become a queue */
    for ( int i = 0; i < 4; i++ )
    {
        ask( &peer, ( ( const char *[] ){ "ua", "ub nx", "ny uc", "ud nz" } )[i] );
        check_state( peer.s, ( ( u_long[] ){ 0, 1, 2, 3 } )[i], 0 );
    }
    for ( int i = 0; i < 4; i++ ) check_urgent( peer.s, "abcd"[i] );
    check_data( peer.s, "xyz" );
    check_state( peer.s, 0, 1 );
    end( &peer );
}

/* By what the program receives; it has not asked for urgent bytes. */
enum receive
{
    RECEIVE,         /* it waits when they come */
    RECEIVE_BY_ROOM, /* the same, of more than there is data */
    RECEIVE_OVERLAPPED,
    RECEIVE_AT_PORT,
    RECEIVES
};

struct late
{
    struct outside *peer;
    DWORD ms;
};

static DWORD WINAPI tell_late( void *arg )
{
    struct late *late = arg;

    Sleep( late->ms );
    ask( late->peer, "u! nlater" );
    return 0;
}

/* Whether the byte is there after a receive that was begun, if all went well, so long before it came. */
static BOOL is_there_after( int family, enum receive how, DWORD ms )
{
    struct outside peer;
    struct late late = { &peer, ms };
    char data[16] = "";
    WSABUF buffer = { sizeof( data ), data };
    OVERLAPPED ov = { 0 };
    HANDLE port, thread;
    DWORD flags = 0;
    int got = 0, n;
    char byte = 0;

    if ( !begin( &peer, family ) ) return TRUE;
    port = how == RECEIVE_AT_PORT ? CreateIoCompletionPort( (HANDLE)peer.s, NULL, 7, 0 ) : NULL;
    thread = CreateThread( NULL, 0, tell_late, &late, 0, NULL );
    if ( how <= RECEIVE_BY_ROOM )
        while ( got < 5 && ( n = recv( peer.s, data + got, how == RECEIVE ? 5 - got : 16 - got, 0 ) ) > 0 ) got += n;
    else
    {
        if ( !port ) ov.hEvent = CreateEventW( NULL, TRUE, FALSE, NULL );
        check_fails( WSARecv( peer.s, &buffer, 1, NULL, &flags, &ov, NULL ), WSA_IO_PENDING );
        if ( port )
        {
            OVERLAPPED *ended = NULL;
            ULONG_PTR key;
            DWORD size;

            ok( GetQueuedCompletionStatus( port, &size, &key, &ended, 10000 ) && ended == &ov, "error %lu\n",
                GetLastError() );
        }
        else ok( !WaitForSingleObject( ov.hEvent, 10000 ), "the event is not set\n" );
        got = ov.InternalHigh;
        if ( ov.hEvent ) CloseHandle( ov.hEvent );
    }
    ok( got == 5 && !memcmp( data, "later", 5 ), "got %.*s\n", got, data );
    n = recv( peer.s, &byte, 1, MSG_OOB );
    check_state( peer.s, 0, 1 );
    WaitForSingleObject( thread, 10000 );
    CloseHandle( thread );
    if ( port ) CloseHandle( port );
    end( &peer );
    return n == 1 && byte == '!';
}

/* A receive that waits passes no urgent byte by. Which has not come to wait yet when it comes, may. */
static void test_waiting( int family, enum receive how )
{
    BOOL there = FALSE;

    winetest_push_context( "receive %d", how );
    for ( DWORD ms = 50; !there && ms < 5000; ms *= 8 ) there = is_there_after( family, how, ms );
    ok( there, "no urgent byte\n" );
    winetest_pop_context();
}

/* One that finds it there does: the host has forgotten it then. */
static void test_passed( int family )
{
    struct outside peer;
    char byte = 0;

    if ( !begin( &peer, family ) ) return;
    ask( &peer, "nhello u! nlater d" );
    await_done( &peer );
    check_data( peer.s, "hellolater" );
    todo_wine check_result( recv( peer.s, &byte, 1, MSG_OOB ), 1 );
    check_state( peer.s, 0, 1 );
    end( &peer );
}

/* A window of the program's: events. */
static void test_events( int family )
{
    HANDLE event = CreateEventW( NULL, FALSE, FALSE, NULL );
    WSANETWORKEVENTS events;
    struct outside peer;

    if ( !begin( &peer, family ) ) return;
    check_ok( WSAEventSelect( peer.s, event, FD_OOB ) );
    for ( int i = 0; i < 3; i++ )
    {
        ask( &peer, i == 1 ? "nx u!" : "u!" );
        ok( !WaitForSingleObject( event, 10000 ), "round %d: the event is not set\n", i );
        check_ok( WSAEnumNetworkEvents( peer.s, NULL, &events ) );
        ok( events.lNetworkEvents == FD_OOB, "round %d: events %#lx\n", i, events.lNetworkEvents );
        check_urgent( peer.s, '!' );
    }
    ok( WaitForSingleObject( event, 100 ) == WAIT_TIMEOUT, "the event is set\n" );
    check_state( peer.s, 1, 1 );
    check_data( peer.s, "x" );
    end( &peer );
    CloseHandle( event );
}

/* SO_OOBINLINE: they are data, in their place. */
static void test_inline( int family )
{
    struct outside peer;
    int on = 1;

    if ( !begin( &peer, family ) ) return;
    check_ok( setsockopt( peer.s, SOL_SOCKET, SO_OOBINLINE, (char *)&on, sizeof( on ) ) );
    ask( &peer, "nhello u! nlater u? u." );
    check_data( peer.s, "hello!later?." );
    check_state( peer.s, 0, 1 );
    end( &peer );
}

/* At once: the last is known, no byte of data is lost, and all is in its order. */
static void test_burst( int family )
{
    struct outside peer;
    char data[32] = "";
    int got = 0, n;

    if ( !begin( &peer, family ) ) return;
    check_state( peer.s, 0, 1 );
    ask( &peer, "nABC ua nDEF ub nGHI uc nJKL d" );
    await_done( &peer );
    set_receive_timeout( peer.s, 500 );
    while ( got < 16 && ( n = recv( peer.s, data + got, sizeof( data ) - 1 - got, 0 ) ) > 0 ) got += n;
    set_receive_timeout( peer.s, 10000 );
    todo_wine ok( got == 12 && !strcmp( data, "ABCDEFGHIJKL" ), "got %s\n", data );
    for ( const char *from = data, *text = "ABCDEFGHIJKL"; *text; text++ )
    {
        while ( *from && *from != *text ) from++;
        ok( *from, "no %c in %s\n", *text, data );
    }
    ok( !strchr( data, 'c' ), "got %s\n", data );
    for ( got = 0; got < 4 && recv( peer.s, data + got, 1, MSG_OOB ) == 1; ) got++;
    ok( got && data[got - 1] == 'c', "%d urgent bytes, %.*s\n", got, got, data );
    check_state( peer.s, 0, 1 );
    end( &peer );
}

/* The other way. */
static void test_sending( int family )
{
    struct outside peer;

    if ( !begin( &peer, family ) ) return;
    for ( int i = 0; i < 3; i++ )
    {
        const char byte = "xyz"[i];

        ask( &peer, "r" );
        check_result( send( peer.s, &byte, 1, MSG_OOB ), 1 );
        check_data( peer.s, ( ( const char *[] ){ "x", "y", "z" } )[i] );
    }
    end( &peer );
}

START_TEST( urgent_outside )
{
    if ( support_begin() ) return;
    for ( int v6 = 0; v6 < 1 + have_ipv6(); v6++ )
    {
        const int family = v6 ? AF_INET6 : AF_INET;

        winetest_push_context( "family %d", family );
        test_single( family );
        for ( enum receive how = 0; how < RECEIVES; how++ ) test_waiting( family, how );
        test_passed( family );
        test_events( family );
        test_inline( family );
        test_burst( family );
        test_sending( family );
        winetest_pop_context();
    }
    support_end();
}
