/*
 * Tickets: good once, in the named process only, whatever becomes of their source; wrong ones are refused; none outlives its
 * target.
 */
#include <pthread.h>
#include <sys/resource.h>
#include "redeemer.h"

#define SOURCE 0x20
#define TARGET 0x24
#define OTHER 0x28

START_TEST( redeemed_once_by_the_target_only )
{
    struct child target, other;
    uint32_t slot, generation, ticket;
    int fd, unknown;

    harness_begin();
    target = child_start( TARGET );
    other = child_start( OTHER );
    ck_assert_int_eq( connection_attach( SOURCE ), 0 );
    fd = socket_make( HANDLE, &slot, &generation );
    ck_assert_int_eq( ticket_issue( slot, generation, HANDLE, fd, TARGET, &ticket, &unknown ), 0 );
    ck_assert_uint_ne( ticket, 0 );
    ck_assert_int_eq( child_redeem( &other, ticket ), WSAEINVAL );
    ck_assert_int_eq( child_redeem( &target, ticket ^ 1 ), WSAEINVAL );
    /* the source closes first */
    socket_drop( fd, slot, generation, HANDLE );
    ck_assert_int_eq( child_redeem( &target, ticket ), 0 );
    ck_assert_uint_eq( harness_table().descriptors, 1 );
    ck_assert_uint_eq( harness_table().tickets, 0 );
    ck_assert_int_eq( child_redeem( &target, ticket ), WSAEINVAL );
    child_end( &target );
    child_end( &other );
    eventually( harness_table().shared == 0 );
    harness_end();
}
END_TEST

START_TEST( dies_with_its_target )
{
    uint32_t slot, generation, ticket;
    struct child target;
    int fd, unknown, before, watch[2];

    harness_begin();
    target = child_start( TARGET );
    ck_assert_int_eq( connection_attach( SOURCE ), 0 );
    fd = socket_make( HANDLE, &slot, &generation );
    /* the first duplicate takes the server monitor thread's descriptors along */
    ck_assert_int_eq( ticket_issue( slot, generation, HANDLE, fd, TARGET, &ticket, &unknown ), 0 );
    ck_assert_int_eq( child_redeem( &target, ticket ), 0 );
    before = server_fds_at_rest();
    for ( int i = 0; i < 20; i++ )
        ck_assert_int_eq( ticket_issue( slot, generation, HANDLE, fd, TARGET, &ticket, &unknown ), 0 );
    ck_assert_uint_eq( harness_table().tickets, 20 );
    /* killed without having opened any */
    kill( target.pid, SIGKILL );
    ck_assert_int_eq( process_wait( target.pid ), 1000 + SIGKILL );
    eventually( harness_table().tickets == 0 && harness_table().descriptors == 1 );
    eventually( server_fds_at_rest() < before ); /* its connection went too */

    /* a target that never attached: the watch tells */
    ck_assert_int_eq( ticket_issue( slot, generation, HANDLE, fd, OTHER, &ticket, &unknown ), WSAEINVAL );
    ck_assert_int_eq( unknown, 1 );
    ck_assert( !pipe2( watch, O_CLOEXEC ) );
    ck_assert_int_eq( connection_watch( OTHER, watch[0] ), 0 );
    ck_assert_int_eq( ticket_issue( slot, generation, HANDLE, fd, OTHER, &ticket, &unknown ), 0 );
    usleep( 50000 );
    ck_assert_uint_eq( harness_table().tickets, 1 );
    close( watch[1] );
    eventually( harness_table().tickets == 0 );
    ck_assert_int_eq( ticket_issue( slot, generation, HANDLE, fd, OTHER, &ticket, &unknown ), WSAEINVAL );
    ck_assert_int_eq( unknown, 1 );
    socket_drop( fd, slot, generation, HANDLE );
    ck_assert_uint_eq( harness_table().slots, 0 );
    harness_end();
}
END_TEST

/* The source dies before the target opens: the socket stays. */
static int short_lived_source( void *context )
{
    uint32_t slot, generation, ticket;
    int fd, unknown;

    if ( connection_attach( SOURCE ) ) return 1;
    fd = socket_make( HANDLE, &slot, &generation );
    if ( ticket_issue( slot, generation, HANDLE, fd, TARGET, &ticket, &unknown ) ) return 2;
    return write( *(int *)context, &ticket, sizeof( ticket ) ) != sizeof( ticket );
}

START_TEST( outlives_its_source )
{
    struct child target;
    uint32_t ticket;
    int ends[2];

    harness_begin();
    ck_assert( !pipe2( ends, O_CLOEXEC ) );
    target = child_start( TARGET );
    ck_assert_int_eq( process_wait( process_start( short_lived_source, &ends[1] ) ), 0 );
    ck_assert_int_eq( read( ends[0], &ticket, sizeof( ticket ) ), sizeof( ticket ) );
    eventually( harness_table().processes == 1 );
    ck_assert_uint_eq( harness_table().tickets, 1 );
    ck_assert_int_eq( child_redeem( &target, ticket ), 0 );
    child_end( &target );
    eventually( harness_table_empty() );
    harness_end();
}
END_TEST

/* --- tickets that need no answer: the server is stopped meanwhile ------------------------------------------------------*/

#define AT_ONCE 5

/* Those that are issued for one target again and again; as good as the others. */
START_TEST( issued_without_an_answer )
{
    uint32_t slot, generation, ticket, tickets[AT_ONCE];
    struct child target, other;
    int fd, unknown, answered = 0;
    pid_t server;

    harness_begin();
    target = child_start( TARGET );
    other = child_start( OTHER );
    ck_assert_int_eq( connection_attach( SOURCE ), 0 );
    fd = socket_make( HANDLE, &slot, &generation );
    for ( int i = 0; i < 2; i++ )
        ck_assert_int_eq( ticket_issue( slot, generation, HANDLE, fd, TARGET, &ticket, &unknown ), 0 );
    server = harness_server();
    for ( int round = 0; round < 10; round++ )
    {
        kill( server, SIGSTOP );
        for ( int i = 0; i < AT_ONCE; i++ )
            ck_assert_int_eq( ticket_issue( slot, generation, HANDLE, fd, TARGET, &tickets[i], &unknown ), 0 );
        kill( server, SIGCONT );
        if ( !round ) ck_assert_int_eq( child_redeem( &other, tickets[0] ), WSAEINVAL );
        for ( int i = AT_ONCE; i--; ) ck_assert_int_eq( child_redeem( &target, tickets[i] ), 0 );
        for ( int i = 0; i < AT_ONCE; i++ ) ck_assert_int_eq( child_redeem( &target, tickets[i] ), WSAEINVAL );
        ck_assert_uint_eq( harness_table().descriptors, 1 + ( round + 1 ) * AT_ONCE + answered );
        ck_assert_uint_eq( harness_table().tickets, 2 );
        /* more of them are promised with one that is answered */
        if ( round % 3 != 2 ) continue;
        ck_assert_int_eq( ticket_issue( slot, generation, HANDLE, fd, TARGET, &tickets[0], &unknown ), 0 );
        ck_assert_int_eq( child_redeem( &target, tickets[0] ), 0 );
        answered++;
    }
    /* the target ends, and none is issued for it any more */
    child_end( &target );
    eventually( harness_table().processes == 2 );
    ck_assert_int_eq( ticket_issue( slot, generation, HANDLE, fd, TARGET, &ticket, &unknown ), WSAEINVAL );
    ck_assert_int_eq( unknown, 1 );
    child_end( &other );
    socket_drop( fd, slot, generation, HANDLE );
    harness_end();
}
END_TEST

/* The answer is there before the target asks: it opens while the server stands still. What is told late is right after the server's
 * death, too. */
START_TEST( answered_ahead )
{
    uint32_t slot, generation, tickets[4];
    struct child target;
    int fd, unknown;
    pid_t server;

    harness_begin();
    target = child_start( TARGET );
    ck_assert_int_eq( connection_attach( SOURCE ), 0 );
    fd = socket_make( HANDLE, &slot, &generation );
    socket_publish( slot, generation, HANDLE, fd );
    for ( int i = 0; i < 4; i++ )
    {
        ck_assert_int_eq( ticket_issue( slot, generation, HANDLE, fd, TARGET, &tickets[0], &unknown ), 0 );
        ck_assert_int_eq( child_redeem( &target, tickets[0] ), 0 );
    }
    for ( int i = 0; i < 4; i++ )
        ck_assert_int_eq( ticket_issue( slot, generation, HANDLE, fd, TARGET, &tickets[i], &unknown ), 0 );
    connection_settle();
    server = harness_server();
    kill( server, SIGSTOP );
    for ( int i = 0; i < 2; i++ ) ck_assert_int_eq( child_redeem( &target, tickets[i] ), 0 );
    kill( server, SIGCONT );
    eventually( harness_table().descriptors == 1 + 4 + 2 && harness_table().tickets == 2 );
    ck_assert_int_eq( child_redeem( &target, tickets[1] ), WSAEINVAL );
    /* the server does not hear of the third, nor does it learn that the fourth has its answer */
    server = harness_server();
    kill( server, SIGSTOP );
    ck_assert_int_eq( child_redeem( &target, tickets[2] ), 0 );
    kill( server, SIGKILL );
    eventually( harness_server() && harness_server() != server );
    eventually( harness_table().descriptors == 1 + 4 + 3 && harness_table().tickets == 1 );
    ck_assert_int_eq( child_redeem( &target, tickets[2] ), WSAEINVAL );
    ck_assert_int_eq( child_redeem( &target, tickets[3] ), 0 );
    ck_assert_int_eq( child_redeem( &target, tickets[3] ), WSAEINVAL );
    socket_drop( fd, slot, generation, HANDLE );
    eventually( harness_table().descriptors == 4 + 4 && !harness_table().tickets );
    child_end( &target );
    eventually( !harness_table().shared && !harness_table().descriptors );
    harness_end();
}
END_TEST

/* The process's own, which it opens without an answer too. */
START_TEST( own_tickets )
{
    uint32_t slot, generation, tickets[AT_ONCE], ticket, opened_slot, opened_generation;
    int fd, unknown, none, opened[AT_ONCE];
    pid_t server;

    harness_begin();
    ck_assert_int_eq( connection_attach( SOURCE ), 0 );
    fd = socket_make( HANDLE, &slot, &generation );
    for ( int i = 0; i < 2; i++ )
    {
        ck_assert_int_eq( ticket_issue( slot, generation, HANDLE, fd, SOURCE, &ticket, &unknown ), 0 );
        ck_assert_int_eq( ticket_redeem_as( ticket, HANDLE + 4, &opened_slot, &opened_generation, &opened[0] ), 0 );
        socket_drop( opened[0], opened_slot, opened_generation, HANDLE + 4 );
    }
    socket_publish( slot, generation, HANDLE, fd );
    server = harness_server();
    kill( server, SIGSTOP );
    for ( int i = 0; i < AT_ONCE; i++ )
    {
        ck_assert_int_eq( ticket_issue( slot, generation, HANDLE, fd, SOURCE, &tickets[i], &unknown ), 0 );
        ck_assert_int_eq(
            ticket_redeem_as( tickets[i], HANDLE + 4 + 4 * i, &opened_slot, &opened_generation, &opened[i] ), 0 );
        ck_assert_uint_eq( opened_slot, slot );
        ck_assert_uint_eq( opened_generation, generation );
    }
    /* and if that server never hears of them, the next does */
    if ( _i ) kill( server, SIGKILL );
    kill( server, SIGCONT );
    for ( int i = 0; i < AT_ONCE; i++ )
        ck_assert_int_eq( ticket_redeem( tickets[i], &opened_slot, &opened_generation, &none ), WSAEINVAL );
    ck_assert_uint_eq( harness_table().descriptors, 1 + AT_ONCE );
    ck_assert_uint_eq( harness_table().tickets, 0 );
    for ( int i = 0; i < AT_ONCE; i++ ) socket_drop( opened[i], slot, generation, HANDLE + 4 + 4 * i );
    connection_settle();
    ck_assert_uint_eq( harness_table().descriptors, 1 );
    socket_drop( fd, slot, generation, HANDLE );
    harness_end();
}
END_TEST

/* Its process ends before the server has heard of the last ones. */
static int last_tickets( void *context )
{
    uint32_t slot, generation, tickets[2 + AT_ONCE];
    const int fds = *(int *)context;
    int fd, unknown;
    char stopped;

    if ( connection_attach( SOURCE ) ) return 1;
    fd = socket_make( HANDLE, &slot, &generation );
    for ( int i = 0; i < 2 + AT_ONCE; i++ )
    {
        if ( i == 2 && ( write( fds, "", 1 ) != 1 || read( fds, &stopped, 1 ) != 1 ) ) return 2;
        if ( ticket_issue( slot, generation, HANDLE, fd, TARGET, &tickets[i], &unknown ) ) return 3;
    }
    return write( fds, tickets, sizeof( tickets ) ) != sizeof( tickets );
}

START_TEST( issued_at_the_end )
{
    uint32_t tickets[2 + AT_ONCE];
    struct child target;
    int ends[2];
    pid_t source, server;
    char ready;

    harness_begin();
    target = child_start( TARGET );
    ck_assert( !socketpair( AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends ) );
    source = process_start( last_tickets, &ends[1] );
    ck_assert_int_eq( read( ends[0], &ready, 1 ), 1 );
    server = harness_server();
    kill( server, SIGSTOP );
    ck_assert_int_eq( write( ends[0], "", 1 ), 1 );
    ck_assert_int_eq( read( ends[0], tickets, sizeof( tickets ) ), sizeof( tickets ) );
    ck_assert_int_eq( process_wait( source ), 0 );
    kill( server, SIGCONT );
    for ( int i = 0; i < 2 + AT_ONCE; i++ ) ck_assert_int_eq( child_redeem( &target, tickets[i] ), 0 );
    ck_assert_uint_eq( harness_table().tickets, 0 );
    child_end( &target );
    eventually( harness_table_empty() );
    harness_end();
}
END_TEST

/* What is kept of a ticket for a server that takes over goes when the ticket has ended and the socket is closed. */
START_TEST( kept_no_longer_than_open )
{
    uint32_t slot, generation, ticket;
    int fd, unknown, before;
    struct child target;

    harness_begin();
    target = child_start( TARGET );
    ck_assert_int_eq( connection_attach( SOURCE ), 0 );
    fd = socket_make( HANDLE, &slot, &generation );
    ck_assert_int_eq( ticket_issue( slot, generation, HANDLE, fd, TARGET, &ticket, &unknown ), 0 );
    before = descriptors_of( getpid() );
    for ( int i = 0; i < 10; i++ )
    {
        ck_assert_int_eq( child_redeem( &target, ticket ), 0 );
        ck_assert_int_eq( ticket_issue( slot, generation, HANDLE, fd, TARGET, &ticket, &unknown ), 0 );
    }
    ck_assert_int_eq( child_redeem( &target, ticket ), 0 );
    socket_drop( fd, slot, generation, HANDLE );
    eventually( descriptors_of( getpid() ) == before - 2 );
    child_end( &target );
    harness_end();
}
END_TEST

/* The descriptor that goes with one does not fit the server: it is told again when it does. */
START_TEST( issued_without_room )
{
    const struct ws2_request asks = { .type = WS2_LIST, .slot = WS2_SLOT_COUNT };
    const uint32_t aim = _i ? SOURCE : TARGET;
    uint32_t slot, generation, ticket, opened_slot, opened_generation;
    int fd, unknown, opened = -1, observer;
    struct rlimit limit, none = { 3, 3 };
    struct ws2_reply reply;
    struct child target;
    pid_t server;

    harness_begin();
    target = child_start( TARGET );
    ck_assert_int_eq( connection_attach( SOURCE ), 0 );
    fd = socket_make( HANDLE, &slot, &generation );
    for ( int i = 0; i < 2; i++ )
        ck_assert_int_eq( ticket_issue( slot, generation, HANDLE, fd, aim, &ticket, &unknown ), 0 );
    socket_publish( slot, generation, HANDLE, fd );
    observer = raw_attach( 0, &reply, NULL );
    server = harness_server();
    kill( server, SIGSTOP );
    ck_assert_int_eq( ticket_issue( slot, generation, HANDLE, fd, aim, &ticket, &unknown ), 0 );
    if ( _i ) ck_assert_int_eq( ticket_redeem_as( ticket, HANDLE + 4, &opened_slot, &opened_generation, &opened ), 0 );
    ck_assert_int_eq( prlimit( server, RLIMIT_NOFILE, NULL, &limit ), 0 );
    none.rlim_max = limit.rlim_max;
    ck_assert_int_eq( prlimit( server, RLIMIT_NOFILE, &none, NULL ), 0 );
    kill( server, SIGCONT );
    /* it has come to it when it comes to this */
    ck_assert_int_eq( raw_request( observer, &asks, -1, &reply, NULL ), 0 );
    ck_assert_int_eq( prlimit( server, RLIMIT_NOFILE, &limit, NULL ), 0 );
    if ( !_i ) ck_assert_int_eq( child_redeem( &target, ticket ), 0 );
    connection_settle();
    ck_assert_uint_eq( harness_table().descriptors, 2 );
    ck_assert_uint_eq( harness_table().tickets, 2 );
    ck_assert_int_eq( harness_server(), server );
    if ( _i ) socket_drop( opened, slot, generation, HANDLE + 4 );
    else ck_assert_int_eq( child_redeem( &target, ticket ), WSAEINVAL );
    close( observer );
    child_end( &target );
    socket_drop( fd, slot, generation, HANDLE );
    harness_end();
}
END_TEST

/* Nor does it keep a socket open until the server is heard. */
START_TEST( closed_without_the_server )
{
    uint32_t slot, generation, ticket;
    int fd, unknown, before = 0, pair[2];
    struct child targets[2];
    pid_t server;
    char byte;

    harness_begin();
    for ( int i = 0; i < 2; i++ ) targets[i] = child_start( TARGET + 4 * i );
    ck_assert_int_eq( connection_attach( SOURCE ), 0 );
    fd = socket_make( HANDLE, &slot, &generation );
    ck_assert( !socketpair( AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair ) );
    ck_assert_int_eq( dup3( pair[0], fd, O_CLOEXEC ), fd );
    close( pair[0] );
    ws2_table_slot( connection_table(), slot )->cookie = socket_cookie( fd );
    for ( int i = 0; i < 2; i++ )
    {
        ck_assert_int_eq( ticket_issue( slot, generation, HANDLE, fd, TARGET + 4 * i, &ticket, &unknown ), 0 );
        ck_assert_int_eq( child_redeem( &targets[i], ticket ), 0 );
        child_end( &targets[i] );
        eventually( harness_table().processes == 2u - i && harness_table().descriptors == 1 );
        if ( !i ) before = server_fds_at_rest();
    }
    eventually( server_fds_at_rest() <= before );
    server = harness_server();
    kill( server, SIGSTOP );
    socket_drop( fd, slot, generation, HANDLE );
    ck_assert_int_eq( recv( pair[1], &byte, 1, MSG_DONTWAIT ), 0 );
    kill( server, SIGCONT );
    close( pair[1] );
    harness_end();
}
END_TEST

/* --- who waits for an answer has the connection for itself no longer than any other ------------------------------------*/

static struct
{
    _Atomic uint32_t ticket, asked, answered;
    _Atomic int32_t error;
} waiting;

static void *wait_for_ticket( void *unused )
{
    uint32_t slot, generation;
    int fd;

    (void)unused;
    while ( waiting.ticket )
    {
        waiting.asked++;
        waiting.error = ticket_redeem( waiting.ticket, &slot, &generation, &fd );
        waiting.answered++;
        if ( !waiting.error ) return NULL;
    }
    return NULL;
}

/* Whether so many requests of this thread are answered while the other's one is not. */
static int goes_on_meanwhile( void )
{
    const uint32_t asked = waiting.asked;

    if ( !asked || waiting.answered == asked ) return 0;
    for ( int i = 0; i < 20; i++ ) connection_settle();
    return waiting.answered == asked - 1 && waiting.asked == asked;
}

START_TEST( other_threads_do_not_wait )
{
    pthread_t thread;

    harness_begin();
    ck_assert_int_eq( connection_attach( TARGET ), 0 );
    waiting.ticket = 1; /* wrong, and so slower each time */
    ck_assert( !pthread_create( &thread, NULL, wait_for_ticket, NULL ) );
    eventually( waiting.answered > 6 && goes_on_meanwhile() );
    waiting.ticket = 0;
    pthread_join( thread, NULL );
    ck_assert_int_eq( waiting.error, WSAEINVAL );
    harness_end();
}
END_TEST

/* Nor for a source that does not come to a new server: it is stopped. */
static int source_of_ticket( void *context )
{
    uint32_t slot, generation, ticket;
    int fd, unknown;
    char attached;

    if ( read( *(int *)context, &attached, 1 ) != 1 || connection_attach( SOURCE ) ) return 1;
    fd = socket_make( HANDLE, &slot, &generation );
    if ( ticket_issue( slot, generation, HANDLE, fd, TARGET, &ticket, &unknown ) ) return 2;
    if ( write( *(int *)context, &ticket, sizeof( ticket ) ) != sizeof( ticket ) ) return 3;
    for ( ;; ) pause();
}

START_TEST( other_threads_do_not_wait_for_a_source )
{
    uint32_t ticket;
    pthread_t thread;
    pid_t source, server;
    int ends[2];

    harness_begin();
    /* a stream, either way */
    ck_assert( !socketpair( AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends ) );
    source = process_start( source_of_ticket, &ends[1] );
    ck_assert_int_eq( connection_attach( TARGET ), 0 );
    ck_assert_int_eq( write( ends[0], "", 1 ), 1 );
    ck_assert_int_eq( read( ends[0], &ticket, sizeof( ticket ) ), sizeof( ticket ) );
    server = harness_server();
    kill( source, SIGSTOP );
    kill( server, SIGKILL );
    eventually( harness_server() != server );
    connection_settle();
    waiting.ticket = ticket;
    ck_assert( !pthread_create( &thread, NULL, wait_for_ticket, NULL ) );
    eventually( goes_on_meanwhile() );
    kill( source, SIGCONT );
    pthread_join( thread, NULL );
    ck_assert_int_eq( waiting.error, 0 );
    kill( source, SIGKILL );
    process_wait( source );
    harness_end();
}
END_TEST

int main( void )
{
    Suite *suite = suite_create( "tickets" );
    TCase *test = tcase_create( "tickets" );

    tcase_set_timeout( test, 60 );
    tcase_add_test( test, redeemed_once_by_the_target_only );
    tcase_add_test( test, dies_with_its_target );
    tcase_add_test( test, outlives_its_source );
    tcase_add_test( test, issued_without_an_answer );
    tcase_add_test( test, answered_ahead );
    tcase_add_loop_test( test, own_tickets, 0, 2 );
    tcase_add_test( test, issued_at_the_end );
    tcase_add_loop_test( test, issued_without_room, 0, 2 );
    tcase_add_test( test, kept_no_longer_than_open );
    tcase_add_test( test, closed_without_the_server );
    tcase_add_test( test, other_threads_do_not_wait );
    tcase_add_test( test, other_threads_do_not_wait_for_a_source );
    suite_add_tcase( suite, test );
    return harness_main( suite );
}
