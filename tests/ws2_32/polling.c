/*
 * select and WSAPoll (facts: sockets-2 sections 3 and 12, sockets-1 section 9): the argument checks, the whole table of
 * socket states, and what closing a socket does to a select that waits for it.
 */
#include "puppets.h"

enum
{
    R = 1,
    W = 2,
    E = 4,
    ALL = R | W | E
};

/* select on one socket in the sets asked for; which sets it is left in, its result in *result. */
static int select_one( SOCKET s, int sets, DWORD milliseconds, int *result )
{
    struct timeval timeout = { milliseconds / 1000, milliseconds % 1000 * 1000 }, before = timeout;
    fd_set read, write, except;
    int ready;

    FD_ZERO( &read );
    FD_ZERO( &write );
    FD_ZERO( &except );
    FD_SET( s, &read );
    FD_SET( s, &write );
    FD_SET( s, &except );
    *result = select( 0, sets & R ? &read : NULL, sets & W ? &write : NULL, sets & E ? &except : NULL, &timeout );
    ok( !memcmp( &timeout, &before, sizeof( timeout ) ), "the timeout was modified\n" );
    if ( *result < 0 ) return -1;
    ready = ( sets & R && FD_ISSET( s, &read ) ? R : 0 ) | ( sets & W && FD_ISSET( s, &write ) ? W : 0 ) |
            ( sets & E && FD_ISSET( s, &except ) ? E : 0 );
    ok( *result == (int)( sets & R && read.fd_count ) + (int)( sets & W && write.fd_count ) +
                       (int)( sets & E && except.fd_count ),
        "select returned %d\n", *result );
    return ready;
}

/* The state as select shows it: within the time, until it is as expected. */
#define check_select( s, expected ) check_select_( __LINE__, s, expected )
static void check_select_( int line, SOCKET s, int expected )
{
    DWORD begin = GetTickCount();
    int got, result = -1;

    while ( ( got = select_one( s, ALL, 0, &result ) ) != expected && GetTickCount() - begin < 3000 ) Sleep( 20 );
    ok_( __FILE__, line )( got == expected, "select shows%s%s%s, expected%s%s%s\n", got & R ? " R" : "",
                           got & W ? " W" : "", got & E ? " E" : "", expected & R ? " R" : "", expected & W ? " W" : "",
                           expected & E ? " E" : "" );
    /* each set alone says the same */
    if ( expected ) return;
    got = select_one( s, ALL, 30, &result );
    ok_( __FILE__, line )( !got && !result, "later it shows %#x\n", got );
}

static void test_states( void )
{
    union address address, closed;
    SOCKET listener, client, server, s, holder;
    char buffer[1024], *block = calloc( 1, 65536 );
    struct linger linger = { 1, 0 };
    int on = 1, got, result = -1;

    s = socket( AF_INET, SOCK_STREAM, 0 );
    winetest_push_context( "fresh TCP" );
    check_select( s, 0 );
    winetest_pop_context();
    closesocket( s );

    s = socket( AF_INET, SOCK_DGRAM, 0 );
    winetest_push_context( "fresh UDP" );
    check_select( s, W );
    winetest_pop_context();
    closesocket( s );

    listener = tcp_listener( AF_INET, &address );
    winetest_push_context( "listening" );
    check_select( listener, 0 );
    client = socket( AF_INET, SOCK_STREAM, 0 );
    check_ok( connect( client, &address.any, sizeof( address.v4 ) ) );
    check_select( listener, R );
    winetest_pop_context();
    server = accept_one( listener );
    check_select( listener, 0 );

    winetest_push_context( "connected" );
    check_select( client, W );
    check_select( server, W );
    check_result( send( client, "data", 4, 0 ), 4 );
    check_select( server, R | W );
    check_result( recv( server, buffer, 4, 0 ), 4 );
    check_select( server, W );
    winetest_pop_context();

    winetest_push_context( "urgent byte" );
    check_result( send( client, "u", 1, MSG_OOB ), 1 );
    check_select( server, W | E );
    check_result( recv( server, buffer, 1, MSG_OOB ), 1 );
    check_select( server, W );
    check_ok( setsockopt( server, SOL_SOCKET, SO_OOBINLINE, (char *)&on, sizeof( on ) ) );
    check_result( send( client, "u", 1, MSG_OOB ), 1 );
    check_select( server, R | W );
    check_result( recv( server, buffer, 1, 0 ), 1 );
    winetest_pop_context();

    winetest_push_context( "send buffer full" );
    set_nonblocking( client, TRUE );
    while ( send( client, block, 65536, 0 ) > 0 ) continue;
    ok( WSAGetLastError() == WSAEWOULDBLOCK, "got error %d\n", WSAGetLastError() );
    got = select_one( client, ALL, 0, &result );
    ok( !got, "got %#x\n", got );
    while ( wait_readable( server, 200 ) ) recv( server, block, 65536, 0 );
    check_select( client, W );
    winetest_pop_context();

    winetest_push_context( "peer closed" );
    check_ok( closesocket( client ) );
    got = select_one( server, R, 5000, &result );
    ok( got == R, "got %#x\n", got );
    got = select_one( server, E, 0, &result );
    ok( !got, "got %#x\n", got );
    check_result( recv( server, buffer, 1, 0 ), 0 );
    closesocket( server );
    winetest_pop_context();

    winetest_push_context( "reset" );
    tcp_pair( &client, &server );
    check_ok( setsockopt( client, SOL_SOCKET, SO_LINGER, (char *)&linger, sizeof( linger ) ) );
    check_ok( closesocket( client ) );
    check_select( server, R | W );
    got = select_one( server, E, 0, &result );
    ok( !got && !result, "got %#x\n", got );
    closesocket( server );
    winetest_pop_context();

    holder = tcp_bound( AF_INET, &closed );
    winetest_push_context( "blocking connect refused" );
    s = socket( AF_INET, SOCK_STREAM, 0 );
    check_fails( connect( s, &closed.any, sizeof( closed.v4 ) ), WSAECONNREFUSED );
    check_select( s, E );
    got = select_one( s, W, 50, &result );
    ok( !got && !result, "got %#x\n", got );
    closesocket( s );
    winetest_pop_context();
    closesocket( holder );
    closesocket( listener );
    free( block );
}

static int socket_error( SOCKET s )
{
    int error = -1, length = sizeof( error );

    check_ok( getsockopt( s, SOL_SOCKET, SO_ERROR, (char *)&error, &length ) );
    return error;
}

/* A refused non-blocking connect: shown in the except set and by SO_ERROR until a later connect succeeds. */
static void test_refused( void )
{
    union address closed, open, name;
    SOCKET holder = tcp_bound( AF_INET, &closed ), listener = tcp_listener( AF_INET, &open ), s, server, client;
    int i;

    s = socket( AF_INET, SOCK_STREAM, 0 );
    set_nonblocking( s, TRUE );
    check_fails( connect( s, &closed.any, sizeof( closed.v4 ) ), WSAEWOULDBLOCK );
    for ( i = 0; i < 2; i++ )
    {
        check_select( s, E );
        ok( socket_error( s ) == WSAECONNREFUSED, "got %d\n", socket_error( s ) );
    }
    check_fails( connect( s, &open.any, sizeof( open.v4 ) ), WSAEWOULDBLOCK );
    server = accept_one( listener );
    check_select( s, W );
    ok( !socket_error( s ), "got %d\n", socket_error( s ) );
    check_flow( s, server );
    closesocket( server );
    closesocket( s );

    s = socket( AF_INET, SOCK_STREAM, 0 );
    set_nonblocking( s, TRUE );
    check_fails( connect( s, &open.any, sizeof( open.v4 ) ), WSAEWOULDBLOCK );
    server = accept_one( listener );
    check_select( s, W );
    ok( !socket_error( s ), "got %d\n", socket_error( s ) );
    closesocket( server );
    closesocket( s );

    /* a bound socket whose connect failed can listen all the same */
    s = tcp_bound( AF_INET, &name );
    set_nonblocking( s, TRUE );
    check_fails( connect( s, &closed.any, sizeof( closed.v4 ) ), WSAEWOULDBLOCK );
    check_select( s, E );
    check_ok( listen( s, 1 ) );
    check_select( s, E );
    ok( socket_error( s ) == WSAECONNREFUSED, "got %d\n", socket_error( s ) );
    client = socket( AF_INET, SOCK_STREAM, 0 );
    check_ok( connect( client, &name.any, sizeof( name.v4 ) ) );
    server = accept_one( s );
    check_flow( client, server );
    closesocket( client );
    closesocket( server );
    closesocket( s );
    closesocket( holder );
    closesocket( listener );
}

static void test_arguments( void )
{
    struct timeval zero = { 0, 0 };
    SOCKET s = socket( AF_INET, SOCK_DGRAM, 0 ), closed = socket( AF_INET, SOCK_DGRAM, 0 );
    SOCKET bad[] = { INVALID_SOCKET, closed, 0, 0xdead0 };
    fd_set read, write, except;
    static const int counts[] = { -1, 0, 1, 0x7fffffff };
    unsigned int i;

    closesocket( closed );
    check_fails( select( 0, NULL, NULL, NULL, &zero ), WSAEINVAL );
    check_fails( select( 64, NULL, NULL, NULL, NULL ), WSAEINVAL );
    FD_ZERO( &read );
    FD_ZERO( &write );
    FD_ZERO( &except );
    check_fails( select( 0, &read, &write, &except, &zero ), WSAEINVAL );
    check_fails( select( 0, &read, NULL, NULL, &zero ), WSAEINVAL );
    for ( i = 0; i < ARRAY_SIZE( bad ); i++ )
    {
        unsigned int set;

        for ( set = 0; set < 3; set++ )
        {
            winetest_push_context( "socket %#llx in set %u", (ULONGLONG)bad[i], set );
            FD_ZERO( &read );
            FD_ZERO( &write );
            FD_ZERO( &except );
            FD_SET( s, &write );
            FD_SET( bad[i], set == 0 ? &read : set == 1 ? &write : &except );
            check_fails( select( 0, &read, &write, &except, &zero ), WSAENOTSOCK );
            ok( read.fd_count == ( set == 0 ) && write.fd_count == 1u + ( set == 1 ) && except.fd_count == ( set == 2 ),
                "got counts %u %u %u\n", read.fd_count, write.fd_count, except.fd_count );
            winetest_pop_context();
        }
    }
    for ( i = 0; i < ARRAY_SIZE( counts ); i++ )
    {
        FD_ZERO( &write );
        FD_SET( s, &write );
        check_result( select( counts[i], NULL, &write, NULL, NULL ), 1 );
    }
    closesocket( s );
}

static void test_sets( void )
{
    enum
    {
        COUNT = 200
    };
    static struct
    {
        u_int fd_count;
        SOCKET fd_array[COUNT];
    } large;
    struct timeval zero = { 0, 0 };
    SOCKET client, server, s;
    fd_set set, *edge;
    int i, result = -1;
    char byte;

    tcp_pair( &client, &server );
    check_result( send( client, "x", 1, 0 ), 1 );
    ok( wait_readable( server, 5000 ), "nothing arrived\n" );

    /* twice in one set: once in the result, what follows in memory stays */
    set.fd_count = 2;
    for ( i = 0; i < 4; i++ ) set.fd_array[i] = i < 2 ? server : 0xabcd;
    check_result( select( 0, &set, NULL, NULL, &zero ), 1 );
    ok( set.fd_count == 1 && set.fd_array[0] == server, "got count %u\n", set.fd_count );
    ok( set.fd_array[1] == server && set.fd_array[2] == 0xabcd, "memory past the new count was touched\n" );

    /* one set for two conditions: the union, each socket counted once */
    FD_ZERO( &set );
    FD_SET( server, &set );
    FD_SET( client, &set );
    check_result( select( 0, &set, &set, NULL, &zero ), 2 );
    ok( set.fd_count == 2, "got count %u\n", set.fd_count );
    FD_ZERO( &set );
    FD_SET( server, &set );
    check_result( select( 0, &set, &set, NULL, &zero ), 1 );

    /* in two sets: counted twice */
    result = 0;
    ok( select_one( server, ALL, 0, &result ) == ( R | W ) && result == 2, "got %d\n", result );
    check_result( recv( server, &byte, 1, 0 ), 1 );
    ok( !select_one( server, R | E, 0, &result ) && !result, "got %d\n", result );

    /* memory ends with the last entry used */
    edge = memory_before_fault( offsetof( fd_set, fd_array[2] ) );
    edge->fd_count = 2;
    edge->fd_array[0] = server;
    edge->fd_array[1] = client;
    check_result( guarded( select( 0, NULL, edge, NULL, &zero ) ), 2 );
    ok( edge->fd_count == 2, "got count %u\n", edge->fd_count );
    check_result( guarded( select( 0, edge, NULL, NULL, &zero ) ), 0 );
    ok( !edge->fd_count, "got count %u\n", edge->fd_count );

    /* more than FD_SETSIZE, in their order */
    large.fd_count = COUNT;
    for ( i = 0; i < COUNT; i++ )
    {
        s = socket( AF_INET, i % 3 ? SOCK_DGRAM : SOCK_STREAM, 0 );
        ok( s != INVALID_SOCKET, "%d: error %d\n", i, WSAGetLastError() );
        large.fd_array[i] = s;
    }
    {
        static SOCKET all[COUNT];
        unsigned int expected = 0;

        memcpy( all, large.fd_array, sizeof( all ) );
        check_result( select( 0, NULL, (fd_set *)&large, NULL, &zero ), COUNT - ( COUNT + 2 ) / 3 );
        for ( i = 0; i < COUNT; i++ )
            if ( i % 3 )
            {
                ok( large.fd_array[expected] == all[i], "entry %u is another socket\n", expected );
                expected++;
            }
        ok( large.fd_count == expected, "got count %u\n", large.fd_count );
        for ( i = 0; i < COUNT; i++ ) closesocket( all[i] );
    }
    closesocket( client );
    closesocket( server );
}

static void test_timeout( void )
{
    SOCKET client, server;
    DWORD begin, spent;
    int result = -1;

    tcp_pair( &client, &server );
    begin = GetTickCount();
    ok( !select_one( server, R, 150, &result ) && !result, "got %d\n", result );
    spent = GetTickCount() - begin;
    ok( spent >= 100 && spent < 5000, "it took %lu ms\n", spent );
    begin = GetTickCount();
    ok( !select_one( server, R, 0, &result ) && !result, "got %d\n", result );
    spent = GetTickCount() - begin;
    ok( spent < 2000, "it took %lu ms\n", spent );
    closesocket( client );
    closesocket( server );
}

/* --- closesocket while select waits ---------------------------------------------------------------------------------- */

struct waiting
{
    SOCKET s;
    int sets, result, error, ready;
    u_int except_count;
    HANDLE begins; /* an event: the thread is about to call select */
};

static DWORD CALLBACK select_thread( void *argument )
{
    struct waiting *waiting = argument;
    struct timeval timeout = { 10, 0 };
    fd_set read, except;

    FD_ZERO( &read );
    FD_ZERO( &except );
    FD_SET( waiting->s, &read );
    FD_SET( waiting->s, &except );
    SetEvent( waiting->begins );
    waiting->result = select( 0, waiting->sets & R ? &read : NULL, NULL, waiting->sets & E ? &except : NULL, &timeout );
    waiting->error = WSAGetLastError();
    waiting->ready = waiting->sets & R && FD_ISSET( waiting->s, &read ) ? R : 0;
    waiting->except_count = except.fd_count;
    return 0;
}

static void test_closed_while_waiting( void )
{
    static const struct
    {
        BOOL listening;
        int sets, result, error;
    } rows[] = {
        { TRUE, R, 1, 0 },
        { FALSE, R | E, 1, 0 },
        { FALSE, E, -1, WSAENOTSOCK },
    };
    unsigned int i;

    for ( i = 0; i < ARRAY_SIZE( rows ); i++ )
    {
        struct waiting waiting = { .sets = rows[i].sets, .begins = CreateEventW( NULL, FALSE, FALSE, NULL ) };
        SOCKET peer = INVALID_SOCKET;
        HANDLE thread;

        winetest_push_context( "row %u", i );
        if ( rows[i].listening ) waiting.s = tcp_listener( AF_INET, NULL );
        else tcp_pair( &waiting.s, &peer );
        thread = CreateThread( NULL, 0, select_thread, &waiting, 0, NULL );
        ok( !WaitForSingleObject( waiting.begins, 10000 ), "the thread does not begin\n" );
        ok( WaitForSingleObject( thread, 200 ) == WAIT_TIMEOUT, "it does not wait\n" );
        check_ok( closesocket( waiting.s ) );
        ok( !WaitForSingleObject( thread, 5000 ), "closesocket did not end the wait\n" );
        WaitForSingleObject( thread, 10000 );
        ok( waiting.result == rows[i].result, "got %d\n", waiting.result );
        if ( rows[i].error )
        {
            ok( waiting.error == rows[i].error, "got error %d\n", waiting.error );
            ok( !waiting.except_count, "got count %u\n", waiting.except_count );
        }
        else ok( waiting.ready == R, "not in the read set\n" );
        if ( peer != INVALID_SOCKET ) closesocket( peer );
        CloseHandle( waiting.begins );
        CloseHandle( thread );
        winetest_pop_context();
    }
}

/* --- WSAPoll ---------------------------------------------------------------------------------------------------------*/

static short poll_one( SOCKET s, short events )
{
    WSAPOLLFD fd = { s, events, 0x7fff };
    int result = WSAPoll( &fd, 1, 0 );

    ok( result == !!fd.revents, "WSAPoll returned %d, revents %#x, error %d\n", result, fd.revents, WSAGetLastError() );
    return fd.revents;
}

#define check_poll( s, events, expected ) \
    do { \
        short revents_ = poll_one( s, events ); \
        ok( revents_ == ( expected ), "got %#x, expected %#x\n", revents_, ( expected ) ); \
    } while ( 0 )

static void test_poll( void )
{
    union address address;
    SOCKET listener = tcp_listener( AF_INET, &address ), client, server, s;
    WSAPOLLFD fds[3];
    DWORD begin, spent;
    char buffer[8];

    check_poll( listener, POLLRDNORM, 0 );
    client = socket( AF_INET, SOCK_STREAM, 0 );
    check_ok( connect( client, &address.any, sizeof( address.v4 ) ) );
    ok( wait_readable( listener, 5000 ), "no connection\n" );
    check_poll( listener, POLLRDNORM, POLLRDNORM );
    check_poll( listener, POLLIN, POLLRDNORM );
    server = accept_one( listener );
    check_poll( client, POLLWRNORM | POLLRDNORM, POLLWRNORM );
    check_poll( client, POLLRDNORM, 0 );
    check_result( send( client, "x", 1, 0 ), 1 );
    ok( wait_readable( server, 5000 ), "nothing arrived\n" );
    check_poll( server, POLLRDNORM | POLLWRNORM, POLLRDNORM | POLLWRNORM );
    check_poll( server, POLLRDNORM, POLLRDNORM );
    check_poll( server, POLLRDBAND, 0 );
    check_result( recv( server, buffer, 1, 0 ), 1 );
    check_poll( server, POLLRDNORM, 0 );

    s = udp_bound( AF_INET, NULL );
    check_poll( s, POLLWRNORM | POLLRDNORM, POLLWRNORM );
    fds[0].fd = client, fds[0].events = POLLRDNORM, fds[0].revents = -1;
    fds[1].fd = s, fds[1].events = POLLWRNORM, fds[1].revents = -1;
    fds[2].fd = server, fds[2].events = POLLWRNORM, fds[2].revents = -1;
    check_result( WSAPoll( fds, 3, -1 ), 2 );
    ok( !fds[0].revents && fds[1].revents == POLLWRNORM && fds[2].revents == POLLWRNORM, "got %#x %#x %#x\n",
        fds[0].revents, fds[1].revents, fds[2].revents );

    /* a socket that is none is an entry with POLLNVAL, which does not count, next to others that are some */
    closesocket( s );
    fds[0].revents = fds[1].revents = fds[2].revents = -1;
    check_result( WSAPoll( fds, 3, 0 ), 1 );
    ok( !fds[0].revents && fds[1].revents == POLLNVAL && fds[2].revents == POLLWRNORM, "got %#x %#x %#x\n",
        fds[0].revents, fds[1].revents, fds[2].revents );

    begin = GetTickCount();
    fds[0].revents = -1;
    check_result( WSAPoll( fds, 1, 150 ), 0 );
    spent = GetTickCount() - begin;
    ok( !fds[0].revents && spent >= 100 && spent < 5000, "got %#x after %lu ms\n", fds[0].revents, spent );

    /* the end of the stream */
    check_ok( closesocket( client ) );
    ok( wait_readable( server, 5000 ), "no end\n" );
    check_poll( server, POLLRDNORM, POLLHUP );
    check_result( recv( server, buffer, 1, 0 ), 0 );
    closesocket( server );
    closesocket( listener );
}

/* A copy of a SOCKET's handle that no Winsock call has seen is a socket, whatever stands before it in the array. */
static void test_poll_unseen( void )
{
    SOCKET s = udp_bound( AF_INET, NULL );
    HANDLE events[2], copies[2];
    WSAPOLLFD fds[5] = { { s, POLLWRNORM, -1 } };

    for ( unsigned int i = 0; i < 2; i++ )
    {
        events[i] = CreateEventW( NULL, TRUE, FALSE, NULL );
        ok( DuplicateHandle( GetCurrentProcess(), (HANDLE)s, GetCurrentProcess(), &copies[i], 0, FALSE,
                             DUPLICATE_SAME_ACCESS ),
            "DuplicateHandle failed, error %lu\n", GetLastError() );
        fds[1 + 2 * i] = ( WSAPOLLFD ){ (SOCKET)events[i], POLLWRNORM, -1 };
        fds[2 + 2 * i] = ( WSAPOLLFD ){ (SOCKET)copies[i], POLLWRNORM, -1 };
    }
    check_result( WSAPoll( fds, 5, 0 ), 3 );
    for ( unsigned int i = 0; i < 5; i++ )
        ok( fds[i].revents == ( i == 1 || i == 3 ? POLLNVAL : POLLWRNORM ), "%u: got %#x\n", i, fds[i].revents );
    for ( unsigned int i = 0; i < 2; i++ )
    {
        check_ok( closesocket( (SOCKET)copies[i] ) );
        CloseHandle( events[i] );
    }
    closesocket( s );
}

/* The same array is asked again and again, and each time tells of what has happened since. */
static void test_poll_again( void )
{
    union address address;
    SOCKET listener = tcp_listener( AF_INET, &address ), client, server, accepted, again[64];
    SOCKET connecting = socket( AF_INET, SOCK_STREAM, 0 ), datagram = udp_bound( AF_INET, NULL ), old;
    WSAPOLLFD fds[4];
    struct puppet puppet;
    union address to;
    unsigned int count = 0;

    tcp_pair( &client, &server );
    set_nonblocking( connecting, TRUE );
    memset( fds, 0, sizeof( fds ) );
    fds[0] = ( WSAPOLLFD ){ listener, POLLRDNORM, 0 };
    fds[1] = ( WSAPOLLFD ){ server, POLLRDNORM, 0 };
    fds[2] = ( WSAPOLLFD ){ datagram, POLLRDNORM, 0 };
    for ( int i = 0; i < 3; i++ ) check_result( WSAPoll( fds, 3, 0 ), 0 );
    for ( int i = 0; i < 3; i++ )
    {
        /* data, and none again */
        check_result( send( client, "x", 1, 0 ), 1 );
        check_result( WSAPoll( fds, 3, 5000 ), 1 );
        ok( !fds[0].revents && fds[1].revents == POLLRDNORM && !fds[2].revents, "%#x %#x %#x\n", fds[0].revents,
            fds[1].revents, fds[2].revents );
        check_result( recv( server, ( char[1] ){ 0 }, 1, 0 ), 1 );
        check_result( WSAPoll( fds, 3, 0 ), 0 );
        ok( !fds[1].revents, "got %#x\n", fds[1].revents );
        check_result( WSAPoll( fds, 3, 20 ), 0 );
    }
    /* other events of the same sockets, and other sockets of the same events */
    fds[1].events = POLLWRNORM;
    check_result( WSAPoll( fds, 3, 0 ), 1 );
    fds[1].events = POLLRDNORM;
    check_result( WSAPoll( fds, 3, 0 ), 0 );
    fds[2].fd = client;
    check_result( WSAPoll( fds, 3, 0 ), 0 );
    fds[2].fd = datagram;

    /* a connection: it waits at the listener, it is taken, it is refused */
    fds[3] = ( WSAPOLLFD ){ connecting, POLLWRNORM, 0 };
    check_fails( connect( connecting, &address.any, sizeof( address.v4 ) ), WSAEWOULDBLOCK );
    ok( wait_readable( listener, 5000 ), "no connection\n" );
    check_result( WSAPoll( fds, 4, 5000 ), 2 );
    ok( fds[0].revents == POLLRDNORM && fds[3].revents == POLLWRNORM, "%#x %#x\n", fds[0].revents, fds[3].revents );
    accepted = accept_one( listener );
    fds[3].events = POLLRDNORM;
    for ( int i = 0; i < 2; i++ ) check_result( WSAPoll( fds, 4, 0 ), 0 );
    closesocket( accepted );
    check_result( WSAPoll( fds, 4, 5000 ), 1 );
    ok( fds[3].revents == POLLHUP, "got %#x\n", fds[3].revents );
    closesocket( connecting );

    /* closed, and the value used again by a socket that has something to tell */
    old = server;
    for ( int i = 0; i < 2; i++ ) check_result( WSAPoll( fds, 3, 0 ), 0 );
    closesocket( server );
    check_result( WSAPoll( fds, 3, 0 ), 0 );
    ok( fds[1].revents == POLLNVAL, "got %#x\n", fds[1].revents );
    for ( count = 0; count < ARRAY_SIZE( again ); )
    {
        again[count] = udp_bound( AF_INET, &to );
        check_result( sendto( again[count], "y", 1, 0, &to.any, sizeof( to.v4 ) ), 1 );
        ok( wait_readable( again[count], 5000 ), "no datagram\n" );
        if ( again[count++] == old ) break;
    }
    check_result( WSAPoll( fds, 3, 0 ), again[count - 1] == old ? 1 : 0 );
    while ( count-- ) closesocket( again[count] );
    closesocket( client );

    /* another process has the socket too, and ends what this one asks about */
    tcp_pair( &client, &server );
    fds[1].fd = server;
    for ( int i = 0; i < 2; i++ ) check_result( WSAPoll( fds, 3, 0 ), 0 );
    puppet_create( &puppet, PUPPET_INHERITS );
    for ( int i = 0; i < 2; i++ ) check_result( WSAPoll( fds, 3, 0 ), 0 );
    check_result( puppet_send( &puppet, client, "child" ), 5 );
    check_result( WSAPoll( fds, 3, 5000 ), 1 );
    ok( fds[1].revents == POLLRDNORM, "got %#x\n", fds[1].revents );
    puppet_destroy( &puppet );

    closesocket( client );
    closesocket( server );
    closesocket( listener );
    closesocket( datagram );
}

START_TEST( polling )
{
    support_begin();
    test_arguments();
    test_sets();
    test_states();
    test_refused();
    test_timeout();
    test_closed_while_waiting();
    test_poll();
    test_poll_unseen();
    test_poll_again();
    support_end();
}
