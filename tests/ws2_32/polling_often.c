/* Sockets that are asked about hundreds of times in a row, as event loops do: each time select and WSAPoll tell of what has
 * happened since, whatever it was and whoever did it. */
#include "puppets.h"

#define SOCKETS 24
#define OFTEN 200
#define MANY ( ( 1u << SOCKETS ) - 1 )

enum way
{
    BY_POLL,
    BY_SELECT,
    WAYS
};

static SOCKET clients[SOCKETS], asked[SOCKETS];

/* Which of `asked` are readable, by bits; *count: what the function said. */
static UINT32 readable( enum way way, int *count )
{
    WSAPOLLFD fds[SOCKETS];
    struct timeval none = { 0, 0 };
    UINT32 mask = 0;
    fd_set set;

    FD_ZERO( &set );
    set.fd_count = SOCKETS;
    memcpy( set.fd_array, asked, sizeof( asked ) );
    for ( int i = 0; i < SOCKETS; i++ ) fds[i] = ( WSAPOLLFD ){ asked[i], POLLRDNORM, 0x7fff };
    *count = way == BY_POLL ? WSAPoll( fds, SOCKETS, 0 ) : select( 0, &set, NULL, NULL, &none );
    for ( int i = 0; i < SOCKETS; i++ )
        if ( way == BY_POLL ? fds[i].revents != 0 : FD_ISSET( asked[i], &set ) ) mask |= 1u << i;
    return mask;
}

/* So it comes to be, and so it stays. */
#define check_readable( way, expected ) check_readable_( __LINE__, way, expected )
static void check_readable_( int line, enum way way, UINT32 expected )
{
    const DWORD begin = GetTickCount();
    int count, members = 0, wrong = 0;
    UINT32 mask;

    for ( UINT32 left = expected; left; left &= left - 1 ) members++;
    while ( ( mask = readable( way, &count ) ) != expected && GetTickCount() - begin < 5000 ) Sleep( 1 );
    for ( int i = 0; i < OFTEN && !wrong; i++ )
        wrong = ( mask = readable( way, &count ) ) != expected || count != members;
    ok_( __FILE__, line )( !wrong, "way %d shows %#x, %d, expected %#x\n", way, mask, count, expected );
}

static void open_all( void )
{
    for ( int i = 0; i < SOCKETS; i++ ) tcp_pair( &clients[i], &asked[i] );
}

static void close_all( void )
{
    for ( int i = 0; i < SOCKETS; i++ )
    {
        closesocket( clients[i] );
        closesocket( asked[i] );
    }
}

static void test_data( enum way way )
{
    char byte;

    open_all();
    check_readable( way, 0 );
    for ( int i = 0; i < 3; i++ )
    {
        check_result( send( clients[i * 7], "x", 1, 0 ), 1 );
        check_readable( way, 1u << i * 7 );
        check_result( send( clients[2], "y", 1, 0 ), 1 );
        check_readable( way, 1u << i * 7 | 1u << 2 );
        check_result( recv( asked[2], &byte, 1, 0 ), 1 );
        check_result( recv( asked[i * 7], &byte, 1, 0 ), 1 );
        check_readable( way, 0 );
    }
    for ( int i = 0; i < SOCKETS; i++ ) check_result( send( clients[i], "x", 1, 0 ), 1 );
    check_readable( way, MANY );
    for ( int i = 0; i < SOCKETS; i++ ) check_result( recv( asked[i], &byte, 1, 0 ), 1 );
    check_readable( way, 0 );
    /* the end of a stream */
    check_ok( shutdown( clients[5], SD_SEND ) );
    check_readable( way, 1u << 5 );
    close_all();
}

/* Other sockets in the same places, and the same value for another socket. */
static void test_others( enum way way )
{
    SOCKET kept, again[64];
    union address to;
    unsigned int count = 0;
    int result;

    open_all();
    check_readable( way, 0 );
    check_result( send( clients[4], "x", 1, 0 ), 1 );
    kept = asked[4];
    asked[4] = clients[3];
    check_readable( way, 0 );
    asked[4] = kept;
    check_readable( way, 1u << 4 );

    kept = asked[9];
    closesocket( asked[9] );
    readable( way, &result );
    /* what is no socket is shown, and not counted; there is one with data */
    if ( way == BY_POLL ) ok( result == 1, "got %d\n", result );
    else ok( result == SOCKET_ERROR && WSAGetLastError() == WSAENOTSOCK, "got %d, %d\n", result, WSAGetLastError() );
    while ( count < ARRAY_SIZE( again ) )
    {
        again[count] = udp_bound( AF_INET, &to );
        check_result( sendto( again[count], "y", 1, 0, &to.any, sizeof( to.v4 ) ), 1 );
        if ( again[count++] == kept ) break;
    }
    if ( again[count - 1] == kept ) check_readable( way, 1u << 4 | 1u << 9 );
    else skip( "the value is not used again\n" );
    while ( count-- )
        if ( again[count] != kept ) closesocket( again[count] );
    close_all();
}

/* One socket in several places, asked for different things. */
static void test_twice( void )
{
    WSAPOLLFD fds[SOCKETS];
    struct timeval none = { 0, 0 };
    fd_set read, write, except;

    open_all();
    for ( int i = 0; i < SOCKETS; i++ ) fds[i] = ( WSAPOLLFD ){ asked[i], POLLRDNORM, 0 };
    fds[1].fd = asked[0];
    fds[1].events = POLLWRNORM;
    for ( int round = 0; round < 2; round++ )
    {
        int wrong = 0;

        for ( int i = 0; i < OFTEN && !wrong; i++ )
            wrong = WSAPoll( fds, SOCKETS, 0 ) != 1 + round || fds[0].revents != ( round ? POLLRDNORM : 0 ) ||
                    fds[1].revents != POLLWRNORM || fds[2].revents;
        ok( !wrong, "%d: %#x, %#x, %#x\n", round, fds[0].revents, fds[1].revents, fds[2].revents );
        check_result( send( clients[0], "x", 1, 0 ), 1 );
        ok( wait_readable( asked[0], 5000 ), "no data\n" );
    }
    for ( int round = 0; round < 2; round++ )
    {
        int wrong = 0, result = 0;

        for ( int i = 0; i < OFTEN && !wrong; i++ )
        {
            FD_ZERO( &read );
            FD_ZERO( &write );
            FD_ZERO( &except );
            read.fd_count = except.fd_count = SOCKETS;
            memcpy( read.fd_array, asked, sizeof( asked ) );
            memcpy( except.fd_array, asked, sizeof( asked ) );
            FD_SET( asked[0], &write );
            result = select( 0, &read, &write, &except, &none );
            wrong = result != 2 + round || read.fd_count != 1 || !FD_ISSET( asked[0], &read ) ||
                    !FD_ISSET( asked[0], &write ) || except.fd_count != (u_int)round ||
                    ( round && !FD_ISSET( asked[3], &except ) );
        }
        ok( !wrong, "%d: got %d, %u, %u, %u\n", round, result, read.fd_count, write.fd_count, except.fd_count );
        if ( round ) break;
        check_result( send( clients[3], "u", 1, MSG_OOB ), 1 );
        for ( DWORD begin = GetTickCount(); GetTickCount() - begin < 5000; Sleep( 1 ) )
        {
            FD_ZERO( &except );
            FD_SET( asked[3], &except );
            if ( select( 0, NULL, NULL, &except, &none ) == 1 ) break;
        }
    }
    close_all();
}

/* Room to send comes and goes. */
static void test_room( void )
{
    static char block[65536];
    WSAPOLLFD fds[SOCKETS];
    unsigned int rounds = 0, silent = 0;
    int ready = 0;
    DWORD begin;

    open_all();
    set_nonblocking( clients[0], TRUE );
    while ( send( clients[0], block, sizeof( block ), 0 ) > 0 ) continue;
    for ( int i = 0; i < SOCKETS; i++ ) fds[i] = ( WSAPOLLFD ){ asked[i], POLLRDNORM, 0 };
    fds[0] = ( WSAPOLLFD ){ clients[0], POLLWRNORM, 0 };
    /* what is under way may make room once more */
    for ( begin = GetTickCount(); silent < OFTEN && GetTickCount() - begin < 10000; silent = ready ? 0 : silent + 1 )
        if ( ( ready = WSAPoll( fds, SOCKETS, 0 ) ) )
            while ( send( clients[0], block, sizeof( block ), 0 ) > 0 ) continue;
    ok( silent == OFTEN, "got %d, %#x\n", ready, fds[0].revents );
    set_nonblocking( asked[0], TRUE );
    for ( begin = GetTickCount(); !ready && GetTickCount() - begin < 10000; rounds++ )
    {
        while ( recv( asked[0], block, sizeof( block ), 0 ) > 0 ) continue;
        ready = WSAPoll( fds, SOCKETS, 0 );
    }
    ok( ready == 1 && fds[0].revents == POLLWRNORM, "got %d, %#x after %u\n", ready, fds[0].revents, rounds );
    close_all();
}

/* Another process sends by a socket that both have, and takes what came. */
static void test_shared( enum way way )
{
    struct puppet puppet;
    char byte;

    open_all();
    check_readable( way, 0 );
    puppet_create( &puppet, PUPPET_INHERITS );
    check_readable( way, 0 );
    check_result( puppet_send( &puppet, clients[6], "child" ), 5 );
    check_readable( way, 1u << 6 );
    for ( int i = 0; i < 5; i++ ) check_result( recv( asked[6], &byte, 1, 0 ), 1 );
    check_readable( way, 0 );
    puppet_destroy( &puppet );
    check_readable( way, 0 );
    close_all();
}

static DWORD WINAPI close_one( void *context )
{
    closesocket( *(const SOCKET *)context );
    return 0;
}

/* Closed by another thread. */
static void test_closed( enum way way )
{
    for ( int round = 0; round < 20; round++ )
    {
        const int place = round % SOCKETS;
        const DWORD begin = GetTickCount();
        HANDLE thread;
        int result, seen = 0;

        open_all();
        for ( int i = 0; i < OFTEN; i++ ) readable( way, &result );
        thread = CreateThread( NULL, 0, close_one, &asked[place], 0, NULL );
        while ( !seen && GetTickCount() - begin < 5000 )
        {
            const UINT32 mask = readable( way, &result );

            seen = way == BY_POLL ? mask == 1u << place : result == SOCKET_ERROR && WSAGetLastError() == WSAENOTSOCK;
        }
        ok( seen, "%d: way %d does not see it\n", round, way );
        WaitForSingleObject( thread, 10000 );
        CloseHandle( thread );
        close_all();
    }
}

START_TEST( polling_often )
{
    support_begin();
    for ( enum way way = 0; way < WAYS; way++ )
    {
        test_data( way );
        test_others( way );
        test_shared( way );
        test_closed( way );
    }
    test_twice();
    test_room();
    support_end();
}
