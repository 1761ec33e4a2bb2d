/*
 * What a datagram socket has beside its own host socket goes wherever the socket goes: to who adopts it, to who redeems a
 * ticket of it when its source has closed it or is gone, and over to the next server. One socket keeps its places, whoever
 * adds to it. And what has come in place of a stream socket's host socket.
 */
#include <sys/epoll.h>
#include <sys/resource.h>
#include "harness.h"

#define HANDLE 0x100
#define SOURCE 0x20
#define TARGET 0x24
#define HELPERS 3

/* A datagram socket of this process. */
static int datagram_make( uint32_t *slot, uint32_t *generation )
{
    int stream = socket_make( HANDLE, slot, generation ), fd = socket( AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0 );
    struct ws2_slot *record = ws2_table_slot( connection_table(), *slot );

    close( stream );
    record->type = SOCK_DGRAM;
    record->cookie = socket_cookie( fd );
    return fd;
}

struct told /* what the source has, told to its parent */
{
    uint32_t slot, generation, ticket, places;
    uint64_t cookies[HELPERS + 1];
};

struct source_order
{
    int told, go_on, done;
    int closes; /* its descriptor, and has only the ticket then */
};

/* The epoll of the set and its helpers are with the server, a descriptor and a ticket too. */
static int source( void *context )
{
    const struct source_order *order = context;
    struct told told = { 0 };
    uint32_t slot, generation, place;
    int unknown, fd, own;
    char byte;

    if ( connection_attach( SOURCE ) ) return 1;
    own = datagram_make( &slot, &generation );
    socket_publish( slot, generation, HANDLE, own );
    if ( helper_set_open( slot, generation ) || helper_set_share( slot, generation, HANDLE, own ) ||
         helper_set_add_consume( slot, generation, 0, epoll_create1( EPOLL_CLOEXEC ), &place ) || place )
        return 2;
    if ( helper_set_add_consume( slot, generation, 0, epoll_create1( EPOLL_CLOEXEC ), &place ) != WSAEALREADY )
        return 3;
    for ( uint32_t i = 1; i <= HELPERS; i++ )
    {
        fd = socket( AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0 );
        told.cookies[i] = socket_cookie( fd );
        if ( helper_set_add_consume( slot, generation, WS2_NO_INDEX, fd, &place ) || place != i ) return 4;
    }
    if ( ticket_issue( slot, generation, HANDLE, own, TARGET, &told.ticket, &unknown ) ) return 5;
    told.slot = slot;
    told.generation = generation;
    told.places = ws2_slot_helpers( ws2_table_slot( connection_table(), slot ) );
    if ( order->closes )
    {
        helper_set_close( slot, generation );
        socket_publish( slot, generation, HANDLE, -1 );
        socket_drop( own, slot, generation, HANDLE );
        connection_settle();
    }
    if ( write( order->told, &told, sizeof( told ) ) != sizeof( told ) ) return 6;
    return read( order->done, &byte, 1 ) < 0;
}

struct target_order
{
    struct told told;
    int told_fd, ready;
};

/* What the server says of that place in the end: while the take-over goes on, its source may publish one there still. */
static int32_t get_told( uint32_t slot, uint32_t generation, uint32_t place, int *helper )
{
    int32_t error;

    while ( ( error = helper_set_get( slot, generation, place, helper ) ) == WSAEWOULDBLOCK ) usleep( 10000 );
    return error;
}

/* Redeems the source's ticket and finds what belongs to it, and adds one. */
static int target( void *context )
{
    const struct target_order *order = context;
    uint32_t slot, generation, place;
    struct told told;
    int fd, helper;

    if ( connection_attach( TARGET ) || write( order->ready, "", 1 ) != 1 ) return 1;
    if ( read( order->told_fd, &told, sizeof( told ) ) != sizeof( told ) ) return 2;
    if ( helper_set_get( told.slot, told.generation, 0, &helper ) != WSAENOTSOCK ) return 3; /* it has no descriptor */
    if ( ticket_redeem( told.ticket, &slot, &generation, &fd ) || slot != told.slot ) return 4;
    connection_name( slot, generation, HANDLE );
    if ( helper_set_open( slot, generation ) || get_told( slot, generation, 0, &helper ) ) return 5;
    for ( uint32_t i = 1; i <= HELPERS; i++ )
        if ( get_told( slot, generation, i, &helper ) || socket_cookie( helper ) != told.cookies[i] ) return 6;
    if ( get_told( slot, generation, HELPERS + 1, &helper ) != WSAEINVAL ) return 7;
    helper = socket( AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0 );
    if ( helper_set_add_consume( slot, generation, WS2_NO_INDEX, helper, &place ) || place != HELPERS + 1 ) return 8;
    if ( ws2_slot_helpers( ws2_table_slot( connection_table(), slot ) ) != HELPERS + 2 ) return 9;
    helper_set_close( slot, generation );
    socket_drop( fd, slot, generation, HANDLE );
    return 0;
}

/* _i & 1: the source closes; _i & 2: the server is killed in between. */
START_TEST( goes_with_the_socket )
{
    int told[2], done[2], given[2], ready[2], before;
    struct source_order order;
    struct target_order target_order;
    struct told what;
    pid_t source_pid, target_pid, server;
    char byte;

    harness_begin();
    harness_start_server();
    ck_assert( !pipe2( told, O_CLOEXEC ) && !pipe2( done, O_CLOEXEC ) && !pipe2( given, O_CLOEXEC ) &&
               !pipe2( ready, O_CLOEXEC ) );
    before = server_fds_at_rest();
    target_order = ( struct target_order ){ .told_fd = given[0], .ready = ready[1] };
    target_pid = process_start( target, &target_order );
    ck_assert_int_eq( read( ready[0], &byte, 1 ), 1 );
    order = ( struct source_order ){ .told = told[1], .done = done[0], .closes = _i & 1 };
    source_pid = process_start( source, &order );
    ck_assert_int_eq( read( told[0], &what, sizeof( what ) ), sizeof( what ) );
    ck_assert_uint_eq( what.places, HELPERS + 1 );
    if ( _i & 2 )
    {
        server = harness_server();
        ck_assert_int_gt( server, 1 );
        kill( server, SIGKILL );
        eventually( harness_server() && harness_server() != server );
    }
    ck_assert_int_eq( write( given[1], &what, sizeof( what ) ), sizeof( what ) );
    ck_assert_int_eq( process_wait( target_pid ), 0 );
    ck_assert_int_eq( write( done[1], "", 1 ), 1 );
    ck_assert_int_eq( process_wait( source_pid ), 0 );
    eventually( harness_table_empty() );
    eventually( server_fds() <= before );
    harness_end();
}
END_TEST

/* One process can keep so many with the server, and what it has over is its own. */
static int greedy( void *unused )
{
    struct rlimit files = { 8192, 8192 };
    uint32_t slot, generation, place, count = 0;
    int32_t error = 0;
    int fd;

    (void)unused;
    setrlimit( RLIMIT_NOFILE, &files );
    if ( connection_attach( SOURCE ) ) return 1;
    for ( unsigned int i = 0; i < 6 && !error; i++ )
    {
        fd = datagram_make( &slot, &generation );
        if ( helper_set_open( slot, generation ) || helper_set_share( slot, generation, HANDLE, fd ) ) return 2;
        while ( !( error = helper_set_add_consume( slot, generation, WS2_NO_INDEX, socket( AF_INET, SOCK_DGRAM, 0 ),
                                                   &place ) ) )
            count++;
        if ( error != WSAENOBUFS ) return 3;
        if ( place == WS2_HELPERS_MOST ) error = 0; /* of this socket */
    }
    return error == WSAENOBUFS && count >= 64 ? 0 : 4;
}

/* A process that does that and ends, of which nothing is left. */
static void run_alone( int ( *function )( void *context ) )
{
    int before;

    harness_begin();
    harness_start_server();
    before = server_fds_at_rest();
    ck_assert_int_eq( process_wait( process_start( function, NULL ) ), 0 );
    eventually( harness_table_empty() );
    eventually( server_fds() <= before );
    harness_end();
}

START_TEST( limits ) { run_alone( greedy ); }
END_TEST

/* Only of a datagram socket, by who holds it, at a place that there is. */
static int refused( void *unused )
{
    struct ws2_request request = { .type = WS2_HELPER };
    uint32_t slot, generation, place;
    struct ws2_reply reply;
    int fd, helper;

    (void)unused;
    if ( connection_attach( SOURCE ) ) return 1;
    fd = socket_make( HANDLE, &slot, &generation );
    if ( helper_set_add_consume( slot, generation, 0, dup( fd ), &place ) != WSAENOTSOCK ) return 2; /* not shared */
    if ( helper_set_share( slot, generation, HANDLE + 4, dup( fd ) ) ) return 3;
    if ( helper_set_add_consume( slot, generation, 0, dup( fd ), &place ) != WSAENOTSOCK ) return 4; /* a stream */
    if ( helper_set_get( slot, generation, 0, &helper ) != WSAEINVAL ) return 5;
    socket_drop( fd, slot, generation, HANDLE + 4 );
    fd = datagram_make( &slot, &generation );
    if ( helper_set_share( slot, generation, HANDLE, fd ) ) return 6;
    request.slot = slot;
    request.generation = generation;
    request.flags = 1 + WS2_HELPERS_MOST;
    if ( connection_request( &request, fd, &reply, NULL ) != WSAENOBUFS ) return 7;
    request.flags = UINT32_MAX;
    if ( connection_request( &request, fd, &reply, NULL ) != WSAENOBUFS ) return 8;
    request.generation++;
    if ( connection_request( &request, fd, &reply, NULL ) != WSAENOTSOCK ) return 9;
    request = ( struct ws2_request ){ .type = WS2_FETCH, .slot = slot, .generation = generation, .flags = UINT32_MAX };
    if ( connection_request( &request, -1, &reply, NULL ) != WSAEINVAL ) return 10;
    return 0;
}

START_TEST( misuse ) { run_alone( refused ); }
END_TEST

#define MANY 40

static struct ws2_slot *record_of( uint32_t slot ) { return ws2_table_slot( connection_table(), slot ); }

/* The process sets another host socket in its stream socket's place, and tells. */
static void replace( uint32_t slot, uint32_t generation, int fd )
{
    record_of( slot )->cookie = socket_cookie( fd );
    connection_replace( slot, generation, fd );
}

/* A stream socket's host socket gives way to another, and that to the next: the latest is what is told, and the one before it is
 * closed. */
static int replaced( void *unused )
{
    const int streams[] = { socket( AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0 ),
                            socket( AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0 ) };
    uint32_t slot, generation, other, other_generation;
    int fd, before, now, datagram, new_slot;

    (void)unused;
    if ( connection_attach( SOURCE ) ) return 1;
    fd = socket_make( HANDLE, &slot, &generation );
    connection_replace( slot, generation, fd ); /* not shared */
    if ( helper_set_share( slot, generation, HANDLE, fd ) || replaced_cookie( slot, generation ) ) return 2;
    before = server_fds_at_rest();
    for ( int i = 0; i < MANY; i++ )
    {
        replace( slot, generation, streams[i % 2] );
        if ( replaced_cookie( slot, generation ) != socket_cookie( streams[i % 2] ) ) return 3;
        /* late news of one that has given way itself, and of another socket's */
        connection_replace( slot, generation, streams[( i + 1 ) % 2] );
        connection_replace( slot, generation + 1, streams[i % 2] );
        if ( replaced_cookie( slot, generation ) != socket_cookie( streams[i % 2] ) ) return 4;
    }
    /* not one for each; the server may have opened others for itself meanwhile */
    for ( int i = 0; ( now = server_fds() ) > before + MANY / 2 && i < 1000; i++ ) usleep( 10000 );
    if ( now > before + MANY / 2 ) return 5;
    /* who finds a handle that was made of it has found this socket; and if nobody has told the server, too */
    for ( int i = 0; i < 2; i++ )
    {
        if ( connection_adopt( streams[i ? 0 : 1], AF_INET, SOCK_STREAM | WS2_ADOPT_KNOWN, 6, HANDLE + 4, &other,
                               &other_generation, &new_slot ) )
            return 6;
        if ( other != slot || other_generation != generation || new_slot ) return 7;
        connection_close( slot, generation, HANDLE + 4 );
        record_of( slot )->cookie = socket_cookie( streams[0] );
    }
    socket_drop( fd, slot, generation, HANDLE );
    connection_replace( slot, generation, streams[0] ); /* nobody has it */
    datagram = datagram_make( &slot, &generation );
    if ( helper_set_share( slot, generation, HANDLE, datagram ) ) return 8;
    record_of( slot )->cookie = socket_cookie( streams[0] );
    connection_replace( slot, generation, streams[0] );
    return replaced_cookie( slot, generation ) ? 9 : 0;
}

START_TEST( stream ) { run_alone( replaced ); }
END_TEST

#define QUEUED 600 /* more than a server's queue takes */

/* With the server stopped nobody waits, and when it goes on it hears of all. */
static int replaced_meanwhile( void *unused )
{
    const int stream = socket( AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0 );
    uint32_t slot, generation;
    pid_t server;
    int fd;

    (void)unused;
    if ( connection_attach( SOURCE ) ) return 1;
    fd = socket_make( HANDLE, &slot, &generation );
    if ( helper_set_share( slot, generation, HANDLE, fd ) ) return 2;
    server = ( (struct ws2_table_header *)connection_table() )->server_pid;
    kill( server, SIGSTOP );
    for ( int i = 0; i < QUEUED; i++ ) connection_replace( slot, generation, fd );
    replace( slot, generation, stream );
    kill( server, SIGCONT );
    for ( int i = 0; i < 1000 && replaced_cookie( slot, generation ) != socket_cookie( stream ); i++ ) usleep( 10000 );
    return replaced_cookie( slot, generation ) != socket_cookie( stream );
}

START_TEST( stopped ) { run_alone( replaced_meanwhile ); }
END_TEST

int main( void )
{
    Suite *suite = suite_create( "helpers" );
    TCase *tcase = tcase_create( "helpers" );

    tcase_set_timeout( tcase, 120 );
    tcase_add_loop_test( tcase, goes_with_the_socket, 0, 4 );
    tcase_add_test( tcase, limits );
    tcase_add_test( tcase, misuse );
    tcase_add_test( tcase, stream );
    tcase_add_test( tcase, stopped );
    suite_add_tcase( suite, tcase );
    return harness_main( suite );
}
