/*
 * The server's death costs nobody anything: the next one takes the table over, counts and tickets included, with no
 * process having to do anything; and a ticket stays good for once and only once across it.
 */
#include "redeemer.h"
#include "workers.h"

#define SOURCE 0x20
#define TARGET 0x24
#define LATE_TARGET 0x28
#define KILLS 40
#define SHARED_SOCKETS HELD

/* The server is killed, and another has taken over when this returns. */
static pid_t kill_server( pid_t server )
{
    pid_t next = server;

    ck_assert_int_gt( server, 1 );
    kill( server, SIGKILL );
    for ( const uint64_t deadline = harness_now() + 10000; next == server && harness_now() < deadline; usleep( 2000 ) )
    {
        const pid_t now = harness_server();
        if ( now ) next = now;
    }
    ck_assert_int_ne( next, server );
    return next;
}

struct source_order
{
    int tickets, done;
    int watched; /* hangs up when the late target ends */
};

/* A source with three open tickets: of a socket it holds, of one that it has closed, and for a process not attached yet. */
static int source( void *context )
{
    const struct source_order *order = context;
    uint32_t slot, generation, tickets[3];
    int fd, unknown;
    char byte;

    if ( connection_attach( SOURCE ) ) return 1;
    fd = socket_make( HANDLE, &slot, &generation );
    if ( ticket_issue( slot, generation, HANDLE, fd, TARGET, &tickets[0], &unknown ) ) return 2;
    held[0] = ( struct held ){ 1, fd, slot, generation, HANDLE };
    connection_enumerate_shared = worker_enumerate;
    fd = socket_make( HANDLE + 4, &slot, &generation );
    if ( ticket_issue( slot, generation, HANDLE + 4, fd, TARGET, &tickets[1], &unknown ) ) return 3;
    socket_drop( fd, slot, generation, HANDLE + 4 );
    fd = socket_make( HANDLE + 8, &slot, &generation );
    if ( ticket_issue( slot, generation, HANDLE + 8, fd, LATE_TARGET, &tickets[2], &unknown ) != WSAEINVAL || !unknown )
        return 4;
    if ( connection_watch( LATE_TARGET, order->watched ) ) return 5;
    close( order->watched );
    if ( ticket_issue( slot, generation, HANDLE + 8, fd, LATE_TARGET, &tickets[2], &unknown ) ) return 6;
    socket_drop( fd, slot, generation, HANDLE + 8 );
    if ( write( order->tickets, tickets, sizeof( tickets ) ) != sizeof( tickets ) ) return 7;
    return read( order->done, &byte, 1 ) < 0;
}

START_TEST( tickets_survive )
{
    int tickets[2], done[2], watched[2];
    struct source_order order;
    struct child target, late;
    uint32_t numbers[3];
    pid_t server, process;

    harness_begin();
    target = child_start( TARGET );
    ck_assert( !pipe2( tickets, O_CLOEXEC ) && !pipe2( done, O_CLOEXEC ) && !pipe2( watched, O_CLOEXEC ) );
    order = ( struct source_order ){ tickets[1], done[0], watched[0] };
    process = process_start( source, &order );
    close( watched[0] );
    ck_assert_int_eq( read( tickets[0], numbers, sizeof( numbers ) ), sizeof( numbers ) );
    ck_assert_uint_eq( harness_table().tickets, 3 );
    server = harness_table().server;
    for ( int i = 0; i < 3; i++ )
    {
        server = kill_server( server );
        /* nobody has asked for anything */
        eventually( harness_table().tickets == 3 );
        eventually( harness_table().shared == 3 && harness_table().descriptors == 1 );
    }
    ck_assert_int_eq( child_redeem( &target, numbers[2] ), WSAEINVAL );
    ck_assert_int_eq( child_redeem( &target, numbers[0] ), 0 );
    ck_assert_int_eq( child_redeem( &target, numbers[1] ), 0 );
    ck_assert_int_eq( child_redeem( &target, numbers[0] ), WSAEINVAL );
    kill_server( server );
    eventually( harness_table().tickets == 1 && harness_table().descriptors == 3 );
    ck_assert_int_eq( child_redeem( &target, numbers[0] ), WSAEINVAL );
    ck_assert_int_eq( child_redeem( &target, numbers[1] ), WSAEINVAL );
    late = child_start( LATE_TARGET );
    ck_assert_int_eq( child_redeem( &late, numbers[2] ), 0 );
    ck_assert_int_eq( child_redeem( &late, numbers[2] ), WSAEINVAL );
    ck_assert_uint_eq( harness_table().shared, 3 );
    child_end( &late );
    eventually( harness_table().shared == 2 );
    ck_assert_int_eq( write( done[1], "", 1 ), 1 );
    ck_assert_int_eq( process_wait( process ), 0 );
    eventually( harness_table().descriptors == 2 );
    child_end( &target );
    eventually( harness_table_empty() );
    harness_end();
}
END_TEST

/* A client that speaks the protocol by hand, with one socket in a slot of its own. */
struct by_hand
{
    int fd, memfd, host;
    uint32_t pid, index, slot;
    uint64_t instance;
    void *table;
};

static struct by_hand by_hand_start( uint32_t pid )
{
    const struct ws2_request lease = { .type = WS2_LEASE };
    struct by_hand client = { .pid = pid };
    struct ws2_reply reply;
    struct ws2_slot *slot;

    client.fd = raw_attach( pid, &reply, &client.memfd );
    client.instance = reply.instance;
    client.index = reply.index;
    client.table = mmap( NULL, WS2_TABLE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, client.memfd, 0 );
    ck_assert_ptr_ne( client.table, MAP_FAILED );
    ck_assert_int_eq( raw_request( client.fd, &lease, -1, &reply, NULL ), 0 );
    client.slot = reply.slot;
    client.host = socket( AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0 );
    slot = ws2_table_slot( client.table, client.slot );
    slot->handle = HANDLE;
    slot->cookie = socket_cookie( client.host );
    slot->word = ws2_word( 0, client.index, WS2_SLOT_PRIVATE );
    return client;
}

/* To the server that has taken over; what it holds is still to be published. */
static void by_hand_return( struct by_hand *client )
{
    const struct ws2_request hello = {
        .type = WS2_HELLO, .version = WS2_LAYOUT_VERSION, .windows_pid = client->pid, .instance = client->instance
    };
    struct ws2_reply reply;

    close( client->fd );
    client->fd = raw_connect();
    ck_assert_int_eq( raw_request( client->fd, &hello, client->memfd, &reply, NULL ), 0 );
    ck_assert_uint_eq( reply.index, client->index );
}

static void by_hand_end( struct by_hand *client )
{
    raw_leave( client->fd );
    close( client->host );
    munmap( client->table, WS2_TABLE_SIZE );
    close( client->memfd );
}

/* What the table says that this process has of what others have too, or has not published yet. */
static uint32_t sharing_of( void *table, uint32_t pid )
{
    const struct ws2_client_record *records = ws2_table_clients( table );

    for ( uint32_t i = 0; i < WS2_CLIENT_COUNT; i++ )
        if ( records[i].windows_pid == pid ) return records[i].sharing;
    return 0;
}

START_TEST( redeemed_ticket_is_not_published_again )
{
    struct ws2_request publish;
    struct by_hand client;
    struct ws2_reply reply;
    struct child target;
    uint32_t number;

    harness_begin();
    target = child_start( TARGET );
    /* a source that is never told which tickets ended: it sends no NOTICE */
    client = by_hand_start( SOURCE );
    publish =
        ( struct ws2_request ){ .type = WS2_DUPLICATE, .slot = client.slot, .handle = HANDLE, .windows_pid = TARGET };
    ck_assert_int_eq( raw_request( client.fd, &publish, client.host, &reply, NULL ), 0 );
    number = reply.ticket;
    ck_assert_int_eq( child_redeem( &target, number ), 0 );

    kill_server( harness_table().server );
    by_hand_return( &client );
    publish.type = WS2_PUBLISH;
    ck_assert_int_eq( raw_request( client.fd, &publish, client.host, &reply, NULL ), 0 );
    eventually( harness_table().descriptors == 2 );
    /* and what it has redeemed, with which it is not missing any more */
    eventually( sharing_of( client.table, TARGET ) == 1 );
    publish.type = WS2_DUPLICATE;
    publish.ticket = number;
    ck_assert_int_eq( raw_request( client.fd, &publish, client.host, &reply, NULL ), WSAEINVAL );
    ck_assert_uint_eq( harness_table().tickets, 0 );
    by_hand_end( &client );
    eventually( harness_table().descriptors == 1 );
    child_end( &target );
    harness_end();
}
END_TEST

#define REPLACED_TICKETS 3

static void replacer_enumerate( connection_publish_function publish )
{
    publish( held[0].slot, held[0].generation, held[0].handle, held[0].fd );
    if ( held[1].live ) connection_publish_replaced( held[0].slot, held[0].generation, held[0].fd );
}

/* A source whose socket is replaced after others have tickets for it; it closes what it has when told once more. */
static int replacer( void *context )
{
    const struct source_order *order = context;
    uint32_t slot, generation, tickets[REPLACED_TICKETS];
    int fd, unknown;
    char byte;

    if ( connection_attach( SOURCE ) ) return 1;
    fd = socket_make( HANDLE, &slot, &generation );
    for ( int i = 0; i < REPLACED_TICKETS; i++ )
        if ( ticket_issue( slot, generation, HANDLE, fd, TARGET, &tickets[i], &unknown ) ) return 2;
    held[0] = ( struct held ){ 1, fd, slot, generation, HANDLE };
    connection_enumerate_shared = replacer_enumerate;
    if ( write( order->tickets, tickets, sizeof( tickets ) ) != sizeof( tickets ) ) return 3;
    if ( read( order->done, &byte, 1 ) != 1 ) return 4;
    held[0].fd = socket( AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0 );
    ws2_table_slot( connection_table(), slot )->cookie = socket_cookie( held[0].fd );
    held[1].live = 1;
    connection_replace( slot, generation, held[0].fd );
    close( fd );
    if ( write( order->tickets, &slot, sizeof( slot ) ) != sizeof( slot ) ) return 5;
    return read( order->done, &byte, 1 ) != 1;
}

/* A socket that has given way to another: neither its descriptors elsewhere nor its tickets are lost, and the next server has
 * the other one for them, too. */
START_TEST( replaced_socket_survives )
{
    uint32_t numbers[REPLACED_TICKETS], slot;
    struct source_order order;
    int tickets[2], done[2];
    struct child target;
    pid_t process;

    harness_begin();
    target = child_start( TARGET );
    ck_assert( !pipe2( tickets, O_CLOEXEC ) && !pipe2( done, O_CLOEXEC ) );
    order = ( struct source_order ){ .tickets = tickets[1], .done = done[0] };
    process = process_start( replacer, &order );
    ck_assert_int_eq( read( tickets[0], numbers, sizeof( numbers ) ), sizeof( numbers ) );
    ck_assert_int_eq( child_redeem( &target, numbers[0] ), 0 );
    ck_assert_int_eq( write( done[1], "", 1 ), 1 );
    ck_assert_int_eq( read( tickets[0], &slot, sizeof( slot ) ), sizeof( slot ) );
    kill_server( harness_table().server );
    eventually( harness_table().tickets == 2 && harness_table().descriptors == 2 );
    ck_assert_int_eq( child_redeem( &target, numbers[1] ), REDEEMED_RENEWED );
    kill_server( harness_table().server );
    eventually( harness_table().tickets == 1 && harness_table().descriptors == 3 );
    ck_assert_int_eq( child_redeem( &target, numbers[2] ), REDEEMED_RENEWED );
    ck_assert_uint_eq( harness_table().shared, 1 );
    ck_assert_int_eq( write( done[1], "", 1 ), 1 );
    ck_assert_int_eq( process_wait( process ), 0 );
    child_end( &target );
    eventually( harness_table_empty() );
    harness_end();
}
END_TEST

struct sharer_order
{
    uint32_t pid, target;
    int tell;
};

/* Shares sockets with a second process, and has some tickets open; tells its slots, and lives until it is killed. */
static int sharer( void *context )
{
    const struct sharer_order *order = context;
    uint32_t ticket, slot, generation;
    int unknown;

    if ( connection_attach( order->pid ) ) return 1;
    connection_enumerate_shared = worker_enumerate;
    for ( int i = 0; i < SHARED_SOCKETS; i++ )
    {
        const int fd = socket_make( HANDLE + 4 * i, &slot, &generation );

        if ( fd < 0 || ticket_issue( slot, generation, HANDLE + 4 * i, fd, order->target, &ticket, &unknown ) )
            return 2;
        held[i] = ( struct held ){ 1, fd, slot, generation, HANDLE + 4 * i };
        /* every second one is redeemed */
        if ( write( order->tell, i % 2 ? &ticket : &( uint32_t ){ 0 }, sizeof( ticket ) ) < 0 ) return 3;
    }
    for ( ;; ) pause();
}

/* A server dies, and a process that shared sockets: before the next server, or before it has come back to that one. What it
 * shared with nobody else is free, while another that shares is stopped; what that one holds waits for it. */
START_TEST( stopped_process_keeps_its_own )
{
    struct sharer_order dying = { 0x40, TARGET, -1 }, stopped = { 0x44, TARGET, -1 };
    pid_t processes[2], server;
    struct child target;
    uint32_t ticket;
    int ends[2], opened = 0;

    harness_begin();
    target = child_start( TARGET );
    ck_assert( !pipe2( ends, O_CLOEXEC ) );
    dying.tell = stopped.tell = ends[1];
    processes[0] = process_start( sharer, &dying );
    processes[1] = process_start( sharer, &stopped );
    for ( int i = 0; i < 2 * SHARED_SOCKETS; i++ )
    {
        ck_assert_int_eq( read( ends[0], &ticket, sizeof( ticket ) ), sizeof( ticket ) );
        if ( !ticket ) continue;
        ck_assert_int_eq( child_redeem( &target, ticket ), 0 );
        opened++;
    }
    ck_assert_uint_eq( harness_table().shared, 2 * SHARED_SOCKETS );
    server = harness_table().server;
    for ( int i = 0; i < 2; i++ )
        if ( i || _i ) kill( processes[i], SIGSTOP );
    if ( !_i )
    {
        kill( server, SIGSTOP );
        kill( processes[0], SIGKILL );
        process_wait( processes[0] );
    }
    server = kill_server( server );
    if ( _i )
    {
        ck_assert_uint_eq( harness_table().shared, 2 * SHARED_SOCKETS );
        kill( processes[0], SIGKILL );
        process_wait( processes[0] );
    }
    /* the target's, which is back, and the stopped one's */
    eventually( harness_table().shared == SHARED_SOCKETS + SHARED_SOCKETS / 2 );
    eventually( harness_table().descriptors == (unsigned int)opened );
    child_end( &target );
    eventually( harness_table().shared == SHARED_SOCKETS );
    /* and so it is for the server after that, which somebody else must start */
    kill( server, SIGKILL );
    harness_start_server();
    eventually( harness_table().processes == 1 );
    ck_assert_uint_eq( harness_table().shared, SHARED_SOCKETS );
    kill( processes[1], SIGCONT );
    eventually( harness_table().descriptors == SHARED_SOCKETS );
    ck_assert_uint_eq( harness_table().shared, SHARED_SOCKETS );
    kill( processes[1], SIGKILL );
    process_wait( processes[1] );
    eventually( harness_table_empty() );
    harness_end();
}
END_TEST

struct adopter_order
{
    int host, adopted, done;
};

static int adopter( void *context )
{
    const struct adopter_order *order = context;
    uint32_t slot, generation;
    int new_slot;
    char byte;

    if ( connection_attach( TARGET ) ) return 1;
    if ( connection_adopt( order->host, AF_INET, SOCK_STREAM, 6, HANDLE + 4, &slot, &generation, &new_slot ) ) return 2;
    if ( write( order->adopted, &slot, sizeof( slot ) ) != sizeof( slot ) ) return 3;
    return read( order->done, &byte, 1 ) < 0;
}

/* A socket of a process that has not come back yet is adopted by another: its descriptor is counted then, and not once more
 * when its process publishes it. */
START_TEST( adopted_before_its_process_is_back )
{
    const struct ws2_request resumed = { .type = WS2_RESUMED };
    struct ws2_request publish;
    struct by_hand client;
    struct ws2_reply reply;
    int adopted[2], done[2];
    uint32_t slot;
    pid_t other;

    harness_begin();
    harness_start_server();
    client = by_hand_start( SOURCE );
    /* also when the other sees the slot before the process has written its handle there */
    if ( _i ) ws2_table_slot( client.table, client.slot )->handle = 0;
    ck_assert( !pipe2( adopted, O_CLOEXEC ) && !pipe2( done, O_CLOEXEC ) );
    kill( harness_server(), SIGKILL );
    other = process_start( adopter, &( struct adopter_order ){ client.host, adopted[1], done[0] } );
    ck_assert_int_eq( read( adopted[0], &slot, sizeof( slot ) ), sizeof( slot ) );
    ck_assert_uint_eq( slot, client.slot );
    ck_assert_uint_eq( harness_table().descriptors, 2 );
    by_hand_return( &client );
    publish = ( struct ws2_request ){ .type = WS2_PUBLISH, .slot = client.slot, .handle = HANDLE };
    ck_assert_int_eq( raw_request( client.fd, &publish, client.host, &reply, NULL ), 0 );
    raw_send( client.fd, &resumed, sizeof( resumed ), NULL, 0 );
    ck_assert_uint_eq( harness_table().descriptors, 2 );
    publish.type = WS2_CLOSE;
    raw_send( client.fd, &publish, sizeof( publish ), NULL, 0 );
    eventually( harness_table().descriptors == 1 );
    ck_assert_int_eq( write( done[1], "", 1 ), 1 );
    ck_assert_int_eq( process_wait( other ), 0 );
    eventually( harness_table().shared == 0 );
    by_hand_end( &client );
    harness_end();
}
END_TEST

/* One descriptor is being closed and another of the same socket has been opened and not been named when the server dies:
 * the next one never heard of the first, and its CLOSE must not hit the second. */
START_TEST( close_hits_no_other_descriptor )
{
    uint32_t slot, generation, opened_slot, opened_generation, ticket;
    int fd, opened, unknown;
    pid_t server;

    harness_begin();
    ck_assert_int_eq( connection_attach( SOURCE ), 0 );
    fd = socket_make( HANDLE, &slot, &generation );
    ck_assert_int_eq( ticket_issue( slot, generation, HANDLE, fd, SOURCE, &ticket, &unknown ), 0 );
    ck_assert_int_eq( ticket_redeem( ticket, &opened_slot, &opened_generation, &opened ), 0 );
    server = harness_table().server;
    /* no descriptor table shows either: the first has been taken out, the second is not yet in */
    if ( _i ) kill_server( server );
    else kill( server, SIGKILL ); /* found out by the CLOSE itself, or by the server monitor thread before it */
    connection_close( slot, generation, HANDLE );
    close( fd );
    connection_name( opened_slot, opened_generation, HANDLE + 4 );
    /* answered after the CLOSE and the NAME */
    ck_assert_int_eq( ticket_issue( opened_slot, opened_generation, HANDLE + 4, opened, SOURCE, &ticket, &unknown ),
                      0 );
    ck_assert_uint_eq( harness_table().descriptors, 1 );
    socket_drop( opened, opened_slot, opened_generation, HANDLE + 4 );
    harness_end();
}
END_TEST

START_TEST( killed_under_load )
{
    struct board *board = mmap( NULL, sizeof( *board ), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0 );
    const int processes_die = _i, kills = harness_part( KILLS );
    struct job jobs[WORKERS];
    pid_t workers[WORKERS], server;
    unsigned int seed = getpid();
    uint32_t next_pid = 0x20;

    harness_begin();
    harness_start_server();
    printf( "takeover: seed %u\n", seed );
    for ( int i = 0; i < WORKERS; i++ ) board->pids[i] = next_pid += 4;
    for ( int i = 0; i < WORKERS; i++ )
    {
        jobs[i] = ( struct job ){ board, i, seed + i };
        workers[i] = process_start( worker_run, &jobs[i] );
    }
    usleep( 100000 );
    server = harness_table().server;
    for ( int i = 0; i < kills; i++ )
    {
        usleep( rand_r( &seed ) % 60000 );
        if ( processes_die )
        {
            const int victim = rand_r( &seed ) % WORKERS;

            kill( workers[victim], SIGKILL );
            process_wait( workers[victim] );
            board->pids[victim] = next_pid += 4;
            jobs[victim].seed = seed;
            workers[victim] = process_start( worker_run, &jobs[victim] );
            usleep( rand_r( &seed ) % 10000 );
        }
        server = kill_server( server );
    }
    /* a source that leaves before it has come back to the last server takes its tickets along, as it may */
    sleep( 1 );
    board->stop = 1;
    for ( int i = 0; i < WORKERS; i++ ) ck_assert_int_eq( process_wait( workers[i] ), 0 );
    printf( "takeover: %d servers killed, %llu tickets redeemed, %llu refused\n", kills,
            (unsigned long long)board->redeemed, (unsigned long long)board->wrong );
    ck_assert_msg( !board->failures, "%llu failures, the last %u", (unsigned long long)board->failures,
                   board->last_failure );
    ck_assert_uint_gt( board->redeemed, harness_part( 100 ) );
    if ( !processes_die ) ck_assert_uint_eq( board->wrong, 0 );
    eventually( harness_table_empty() );
    harness_end();
}
END_TEST

int main( void )
{
    Suite *suite = suite_create( "takeover" );
    TCase *test = tcase_create( "takeover" );

    tcase_set_timeout( test, 120 );
    tcase_add_test( test, tickets_survive );
    tcase_add_test( test, redeemed_ticket_is_not_published_again );
    tcase_add_test( test, replaced_socket_survives );
    tcase_add_loop_test( test, stopped_process_keeps_its_own, 0, 2 );
    tcase_add_loop_test( test, adopted_before_its_process_is_back, 0, 2 );
    tcase_add_loop_test( test, close_hits_no_other_descriptor, 0, 2 );
    tcase_add_loop_test( test, killed_under_load, 0, 2 );
    suite_add_tcase( suite, test );
    return harness_main( suite );
}
