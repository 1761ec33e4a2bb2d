/*
 * A client is its process and not its connection: a connection that is lost, a server or a client that is stopped, an answer
 * that is late cost nobody a socket, and what a process holds ends with it however it was held.
 */
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <pwd.h>
#include "redeemer.h"

#define SOURCE 0x20
#define TARGET 0x24
#define OTHER 0x28

/* --- a connection that is lost ----------------------------------------------------------------------------------------*/

/* One more block, by hand. */
static uint32_t raw_lease( int fd )
{
    const struct ws2_request lease = { .type = WS2_LEASE };
    struct ws2_reply reply;

    ck_assert_int_eq( raw_request( fd, &lease, -1, &reply, NULL ), 0 );
    return reply.slot;
}

/* A socket in the slot, as a descriptor table makes it. */
static int raw_socket( void *table, uint32_t slot, uint32_t index, uint32_t handle )
{
    const int fd = socket( AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0 );
    struct ws2_slot *record = ws2_table_slot( table, slot );

    record->handle = handle;
    record->cookie = socket_cookie( fd );
    record->word = ws2_word( ws2_word_generation( record->word ), index, WS2_SLOT_PRIVATE );
    return fd;
}

START_TEST( lost_connection )
{
    const struct ws2_request resumed = { .type = WS2_RESUMED };
    struct ws2_request hello = { .type = WS2_HELLO, .version = WS2_LAYOUT_VERSION, .windows_pid = SOURCE };
    struct ws2_request request = { .type = WS2_DUPLICATE, .windows_pid = TARGET };
    uint32_t first, index, tickets[2];
    struct ws2_reply reply;
    struct child target;
    int fd, memfd, hosts[3];
    void *table;

    harness_begin();
    target = child_start( TARGET );
    fd = raw_attach( SOURCE, &reply, &memfd );
    index = reply.index;
    hello.instance = reply.instance;
    table = mmap( NULL, WS2_TABLE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, memfd, 0 );
    ck_assert_ptr_ne( table, MAP_FAILED );
    first = raw_lease( fd );
    for ( int i = 0; i < 3; i++ ) hosts[i] = raw_socket( table, first + i, index, HANDLE + 4 * i );
    for ( int i = 0; i < 2; i++ )
    {
        request.slot = first + i;
        request.handle = HANDLE + 4 * i;
        ck_assert_int_eq( raw_request( fd, &request, hosts[i], &reply, NULL ), 0 );
        tickets[i] = reply.ticket;
    }
    close( fd );
    usleep( 100000 );
    /* all is as it was: a private socket, two shared ones, their tickets */
    ck_assert_uint_eq( ws2_table_slot( table, first + 2 )->word, ws2_word( 0, index, WS2_SLOT_PRIVATE ) );
    ck_assert_uint_eq( harness_table().tickets, 2 );
    ck_assert_uint_eq( harness_table().descriptors, 3 );
    ck_assert_uint_eq( harness_table().processes, 2 );
    ck_assert_int_eq( child_redeem( &target, tickets[0] ), 0 );
    /* nobody else gets its slots */
    fd = raw_attach( OTHER, &reply, NULL );
    for ( int i = 0; i < 100; i++ ) ck_assert_uint_ne( raw_lease( fd ), first );
    raw_leave( fd );
    /* it comes back, and holds the second of the shared ones no more */
    fd = raw_connect();
    ck_assert_int_eq( raw_request( fd, &hello, memfd, &reply, NULL ), 0 );
    ck_assert_uint_eq( reply.index, index );
    request = ( struct ws2_request ){ .type = WS2_PUBLISH, .slot = first, .handle = HANDLE };
    ck_assert_int_eq( raw_request( fd, &request, hosts[0], &reply, NULL ), 0 );
    request =
        ( struct ws2_request ){ .type = WS2_DUPLICATE, .slot = first + 1, .windows_pid = TARGET, .ticket = tickets[1] };
    ck_assert_int_eq( raw_request( fd, &request, hosts[1], &reply, NULL ), 0 );
    /* what has been redeemed is not published again */
    request =
        ( struct ws2_request ){ .type = WS2_DUPLICATE, .slot = first, .windows_pid = TARGET, .ticket = tickets[0] };
    ck_assert_int_eq( raw_request( fd, &request, hosts[0], &reply, NULL ), WSAEINVAL );
    ck_assert_int_eq( raw_send( fd, &resumed, sizeof( resumed ), NULL, 0 ), sizeof( resumed ) );
    eventually( harness_table().descriptors == 3 ); /* its own first and third, and the target's */
    ck_assert_int_eq( child_redeem( &target, tickets[1] ), 0 );
    ck_assert_uint_eq( harness_table().tickets, 0 );
    /* another program in its place, which holds nothing */
    close( fd );
    fd = raw_attach( SOURCE, &reply, NULL );
    eventually( harness_table().descriptors == 2 );
    raw_leave( fd );
    child_end( &target );
    eventually( harness_table_empty() );
    harness_end();
}
END_TEST

static int attached_and_forked( void *context )
{
    int *ready = context;
    uint32_t slot, generation;

    if ( connection_attach( SOURCE ) || socket_make( HANDLE, &slot, &generation ) < 0 ) return 1;
    if ( fork() ) return 0;
    /* a child that knows nothing of it holds the connection */
    prctl( PR_SET_NAME, "holder" );
    if ( write( ready[1], &( pid_t ){ getpid() }, sizeof( pid_t ) ) < 0 ) return 1;
    for ( ;; ) pause();
}

START_TEST( ends_with_its_process )
{
    int ready[2];
    pid_t holder;

    harness_begin();
    harness_start_server();
    ck_assert( !pipe( ready ) );
    ck_assert_int_eq( process_wait( process_start( attached_and_forked, ready ) ), 0 );
    ck_assert_int_eq( read( ready[0], &holder, sizeof( holder ) ), sizeof( holder ) );
    eventually( harness_table_empty() );
    kill( holder, SIGKILL );
    harness_end();
}
END_TEST

/* --- a server that does not answer ------------------------------------------------------------------------------------*/

#define SOCKETS 40

struct stopped
{
    int go[2], done[2];
    int stderr_end;
    _Atomic int slow;
};

static void *ask( void *unused )
{
    (void)unused;
    connection_settle();
    return NULL;
}

/* Shares nothing. While the server does not answer one of its threads asks for something, others close and make sockets. */
static int client_of_stopped( void *context )
{
    struct stopped *stopped = context;
    uint32_t slots[SOCKETS], generations[SOCKETS];
    pthread_t thread;
    uint64_t begin;
    char byte;

    if ( dup2( stopped->stderr_end, 2 ) < 0 || connection_attach( SOURCE ) ) return 1;
    for ( int i = 0; i < SOCKETS; i++ )
    {
        if ( lease_take( &slots[i], &generations[i] ) ) return 2;
        ws2_table_slot( connection_table(), slots[i] )->flags = WS2_FLAG_CONNECTED;
    }
    if ( write( stopped->done[1], "", 1 ) != 1 || read( stopped->go[0], &byte, 1 ) != 1 ) return 3;
    pthread_create( &thread, NULL, ask, NULL );
    usleep( 100000 );
    begin = harness_now();
    for ( int i = 0; i < 20; i++ )
    {
        if ( !lease_give_back( slots[i], generations[i] ) || lease_take( &slots[i], &generations[i] ) ) return 4;
        ws2_table_slot( connection_table(), slots[i] )->flags = WS2_FLAG_CONNECTED;
    }
    if ( harness_now() - begin > 1000 ) stopped->slow = 1;
    pthread_join( thread, NULL );
    if ( write( stopped->done[1], "", 1 ) != 1 || read( stopped->go[0], &byte, 1 ) != 1 ) return 5;
    for ( int i = 0; i < SOCKETS; i++ )
        if ( ws2_table_slot( connection_table(), slots[i] )->flags != WS2_FLAG_CONNECTED ||
             ws2_table_slot( connection_table(), slots[i] )->word !=
                 ws2_word( generations[i], connection_client_index(), WS2_SLOT_PRIVATE ) )
            return 6;
    return 0;
}

/* It goes on after some seconds, or is killed. */
START_TEST( stopped_server )
{
    struct stopped *stopped =
        mmap( NULL, sizeof( *stopped ), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0 );
    struct ws2_reply reply;
    char text[1024] = "";
    int said[2], fd;
    pid_t server, client;

    harness_begin();
    harness_start_server();
    server = harness_server();
    ck_assert( !pipe( stopped->go ) && !pipe( stopped->done ) && !pipe( said ) );
    stopped->stderr_end = said[1];
    client = process_start( client_of_stopped, stopped );
    ck_assert_int_eq( read( stopped->done[0], text, 1 ), 1 );
    kill( server, SIGSTOP );
    ck_assert_int_eq( write( stopped->go[1], "", 1 ), 1 );
    usleep( 6500000 );
    /* told what to do */
    ck_assert_int_gt( read( said[0], text, sizeof( text ) - 1 ), 0 );
    ck_assert_msg( strstr( text, "does not answer" ) && strstr( text, "kill" ), "%s", text );
    kill( server, _i ? SIGKILL : SIGCONT );
    ck_assert_int_eq( read( stopped->done[0], text, 1 ), 1 );
    ck_assert_int_eq( stopped->slow, 0 );
    /* nobody is given its slots */
    eventually( harness_server() != 0 );
    fd = raw_attach( OTHER, &reply, NULL );
    for ( int i = 0; i < 40; i++ )
    {
        const uint32_t first = raw_lease( fd );
        ck_assert_uint_ge( first, 64 );
    }
    raw_leave( fd );
    ck_assert_int_eq( write( stopped->go[1], "", 1 ), 1 );
    ck_assert_int_eq( process_wait( client ), 0 );
    eventually( harness_table_empty() );
    harness_end();
}
END_TEST

/* Has a block of slots, and takes the others while the server is stopped. */
static int taker_of_leases( void *context )
{
    struct stopped *stopped = context;
    uint32_t slot, generation, taken = 1;
    char byte;

    if ( connection_attach( SOURCE ) || lease_take( &slot, &generation ) ) return 1;
    if ( write( stopped->done[1], "", 1 ) != 1 || read( stopped->go[0], &byte, 1 ) != 1 ) return 2;
    for ( ; taken < WS2_BLOCK_SLOTS; taken++ )
        if ( lease_take( &slot, &generation ) ) return 3;
    if ( write( stopped->done[1], "", 1 ) != 1 ) return 4;
    /* none is left: they come when the server goes on */
    for ( ; taken < 3 * WS2_BLOCK_SLOTS; taken++ )
        if ( lease_take( &slot, &generation ) ) return 5;
    return 0;
}

START_TEST( slots_left_under_a_stopped_server )
{
    struct stopped stopped;
    pid_t server, client;
    struct pollfd done;
    char byte;

    harness_begin();
    harness_start_server();
    server = harness_server();
    ck_assert( !pipe( stopped.go ) && !pipe( stopped.done ) );
    client = process_start( taker_of_leases, &stopped );
    ck_assert_int_eq( read( stopped.done[0], &byte, 1 ), 1 );
    kill( server, SIGSTOP );
    ck_assert_int_eq( write( stopped.go[1], "", 1 ), 1 );
    done = ( struct pollfd ){ .fd = stopped.done[0], .events = POLLIN };
    ck_assert_int_eq( poll( &done, 1, 60000 ), 1 );
    kill( server, SIGCONT );
    ck_assert_int_eq( process_wait( client ), 0 );
    eventually( harness_table_empty() );
    harness_end();
}
END_TEST

/* --- clients that do not run ------------------------------------------------------------------------------------------*/

struct source_order
{
    int tickets, count;
};

/* Issues tickets for the target, and goes on asking the server for things: it publishes whenever there is another. */
static int busy_source( void *context )
{
    const struct source_order *order = context;
    uint32_t slot, generation, ticket;
    int unknown, fd;

    prctl( PR_SET_PDEATHSIG, SIGKILL );
    if ( connection_attach( SOURCE ) ) return 1;
    fd = socket_make( HANDLE, &slot, &generation );
    socket_publish( slot, generation, HANDLE, fd );
    for ( int i = 0; i < order->count; i++ )
    {
        if ( ticket_issue( slot, generation, HANDLE, fd, TARGET, &ticket, &unknown ) ) return 2;
        if ( write( order->tickets, &ticket, sizeof( ticket ) ) != sizeof( ticket ) ) return 3;
    }
    for ( ;; ) connection_settle();
}

#define INFOS 1000

/* The source does not run while its infos are used, more than any notice has room for; the server dies; and the source's own
 * request is the first to meet the next. */
START_TEST( infos_of_a_stopped_source )
{
    const int infos = harness_part( INFOS );
    struct child target;
    int tickets[2];
    uint32_t *numbers = calloc( infos, sizeof( *numbers ) );
    pid_t source, server;

    harness_begin();
    target = child_start( TARGET );
    ck_assert( !pipe( tickets ) );
    source = process_start( busy_source, &( struct source_order ){ tickets[1], infos } );
    for ( int i = 0; i < infos; i++ )
        ck_assert_int_eq( read( tickets[0], &numbers[i], sizeof( numbers[i] ) ), sizeof( numbers[i] ) );
    kill( source, SIGSTOP );
    for ( int i = 0; i < infos - 1; i++ ) { ck_assert_int_eq( child_redeem( &target, numbers[i] ), 0 ); }
    server = harness_table().server;
    kill( server, SIGKILL );
    eventually( harness_server() && harness_server() != server );
    kill( source, SIGCONT );
    eventually( harness_table().tickets == 1 );
    for ( int i = 0; i < infos - 1; i += infos / 20 + 1 )
        ck_assert_int_eq( child_redeem( &target, numbers[i] ), WSAEINVAL );
    ck_assert_int_eq( child_redeem( &target, numbers[infos - 1] ), 0 );
    ck_assert_int_eq( child_redeem( &target, numbers[infos - 1] ), WSAEINVAL );
    kill( source, SIGKILL );
    process_wait( source );
    child_end( &target );
    eventually( harness_table_empty() );
    free( numbers );
    harness_end();
}
END_TEST

/* A process that shares does not run, and a server dies: the others share and close, and nothing of theirs waits for it. */
START_TEST( stopped_client )
{
    uint32_t ticket, slot, generation, opened_slot, opened_generation, old_slot, old_generation, old_ticket;
    int tickets[2], unknown, fd, opened, old;
    pid_t source, server;
    struct child target;
    uint64_t begin;

    harness_begin();
    target = child_start( TARGET );
    ck_assert( !pipe( tickets ) );
    source = process_start( busy_source, &( struct source_order ){ tickets[1], 1 } );
    ck_assert_int_eq( read( tickets[0], &ticket, sizeof( ticket ) ), sizeof( ticket ) );
    ck_assert_int_eq( connection_attach( OTHER ), 0 );
    /* one that this process has shared before */
    old = socket_make( HANDLE, &old_slot, &old_generation );
    ck_assert_int_eq( ticket_issue( old_slot, old_generation, HANDLE, old, OTHER, &old_ticket, &unknown ), 0 );
    socket_publish( old_slot, old_generation, HANDLE, old );
    kill( source, SIGSTOP );
    server = harness_table().server;
    kill( server, SIGKILL );
    eventually( harness_server() && harness_server() != server );
    for ( int i = 0; i < 200; i++ )
    {
        uint32_t number;

        fd = socket_make( HANDLE + 4, &slot, &generation );
        ck_assert_int_eq( ticket_issue( slot, generation, HANDLE + 4, fd, 0x5000, &number, &unknown ), WSAEINVAL );
        ck_assert_int_eq( ticket_issue( slot, generation, HANDLE + 4, fd, OTHER, &number, &unknown ), 0 );
        ck_assert_int_eq( ticket_redeem( number, &opened_slot, &opened_generation, &opened ), 0 );
        connection_close( opened_slot, opened_generation, 0 );
        close( opened );
        socket_drop( fd, slot, generation, HANDLE + 4 );
    }
    eventually( harness_table().shared <= 2 ); /* what was shared before: the stopped one's, and this process's */
    /* an info that has been used is answered at once, though a source has not come back */
    begin = harness_now();
    ck_assert_int_eq( ticket_redeem( old_ticket, &slot, &generation, &fd ), 0 );
    connection_close( slot, generation, 0 );
    close( fd );
    ck_assert_int_eq( ticket_redeem( old_ticket, &slot, &generation, &fd ), WSAEINVAL );
    ck_assert_uint_lt( harness_now() - begin, 1500 );
    kill( source, SIGCONT );
    ck_assert_int_eq( child_redeem( &target, ticket ), 0 );
    child_end( &target );
    kill( source, SIGKILL );
    process_wait( source );
    eventually( harness_table().shared == 1 );
    harness_end();
}
END_TEST

/* --- answers that cannot be sent ---------------------------------------------------------------------------------------*/

#define IN_FLIGHT 1024

/* All the descriptors on their way that a user may have. */
static int flood( void *context )
{
    int fds[200] = { 0 }, pair[2], full = 0;

    prctl( PR_SET_PDEATHSIG, SIGKILL );
    while ( !full && !socketpair( AF_UNIX, SOCK_DGRAM, 0, pair ) )
    {
        char control[CMSG_SPACE( sizeof( fds ) )] = { 0 };
        struct iovec data = { "", 1 };
        struct msghdr header = {
            .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof( control )
        };
        struct cmsghdr *cmsg = CMSG_FIRSTHDR( &header );

        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN( sizeof( fds ) );
        memcpy( CMSG_DATA( cmsg ), fds, sizeof( fds ) );
        while ( sendmsg( pair[0], &header, MSG_DONTWAIT ) > 0 ) continue;
        full = errno == ETOOMANYREFS;
    }
    if ( write( *(int *)context, "", 1 ) != 1 ) return 1;
    for ( ;; ) pause();
}

static int ordinary_user( void *context )
{
    const struct rlimit few = { IN_FLIGHT, IN_FLIGHT };
    const struct passwd *nobody = getpwnam( "nobody" );
    uint32_t slot, generation, private_slot, private_generation, ticket, own, spare, opened_slot, opened_generation;
    int fd, unknown, ready[2], opened;
    struct child target, other;
    char byte, path[96];
    pid_t flooder;

    (void)context;
    snprintf( path, sizeof( path ), "%s/user", harness_directory );
    if ( mkdir( path, 0700 ) || chown( path, nobody->pw_uid, nobody->pw_gid ) || chmod( harness_directory, 0711 ) )
        return 1;
    if ( setrlimit( RLIMIT_NOFILE, &few ) || setgid( nobody->pw_gid ) || setuid( nobody->pw_uid ) ) return 2;
    setenv( "WS2HOST_DIR", path, 1 );
    setenv( "WS2SERVER_LINGER", "0", 1 );
    target = child_start( TARGET );
    other = child_start( OTHER );
    if ( connection_attach( SOURCE ) || lease_take( &private_slot, &private_generation ) ) return 3;
    fd = socket_make( HANDLE, &slot, &generation );
    /* what the first takes along needs descriptors on their way too */
    if ( ticket_issue( slot, generation, HANDLE, fd, TARGET, &ticket, &unknown ) || child_redeem( &target, ticket ) )
        return 13;
    /* of what is issued next no answer goes out ahead: another has opened the last */
    if ( ticket_issue( slot, generation, HANDLE, fd, OTHER, &ticket, &unknown ) || child_redeem( &other, ticket ) )
        return 14;
    if ( ticket_issue( slot, generation, HANDLE, fd, TARGET, &ticket, &unknown ) ||
         ticket_issue( slot, generation, HANDLE, fd, SOURCE, &own, &unknown ) )
        return 4;
    if ( pipe( ready ) ) return 5;
    flooder = process_start( flood, &ready[1] );
    if ( read( ready[0], &byte, 1 ) != 1 ) return 6;
    /* the documented error, and soon */
    if ( ticket_issue( slot, generation, HANDLE, fd, SOURCE, &spare, &unknown ) != WSAENOBUFS ) return 7;
    /* a socket that cannot be handed over is not lost: the info stays good */
    if ( child_redeem( &target, ticket ) != WSAENOBUFS ) return 8;
    /* the process's own is not handed over */
    if ( ticket_redeem( own, &opened_slot, &opened_generation, &opened ) ) return 12;
    kill( flooder, SIGKILL );
    process_wait( flooder );
    if ( ticket_issue( slot, generation, HANDLE, fd, SOURCE, &spare, &unknown ) ) return 9;
    if ( child_redeem( &target, ticket ) ) return 10;
    child_end( &target );
    child_end( &other );
    if ( ws2_table_slot( connection_table(), private_slot )->word !=
         ws2_word( private_generation, connection_client_index(), WS2_SLOT_PRIVATE ) )
        return 11;
    connection_end();
    return 0;
}

START_TEST( descriptors_on_their_way )
{
    harness_begin();
    if ( geteuid() ) printf( "identity: not root: descriptors on their way are not tried\n" );
    else ck_assert_int_eq( process_wait( process_start( ordinary_user, NULL ) ), 0 );
    chmod( harness_directory, 0700 );
    harness_end();
}
END_TEST

int main( void )
{
    Suite *suite = suite_create( "identity" );
    TCase *test = tcase_create( "identity" );

    tcase_set_timeout( test, 120 );
    tcase_add_test( test, lost_connection );
    tcase_add_test( test, ends_with_its_process );
    tcase_add_loop_test( test, stopped_server, 0, 2 );
    tcase_add_test( test, slots_left_under_a_stopped_server );
    tcase_add_test( test, infos_of_a_stopped_source );
    tcase_add_test( test, stopped_client );
    tcase_add_test( test, descriptors_on_their_way );
    suite_add_tcase( suite, test );
    return harness_main( suite );
}
