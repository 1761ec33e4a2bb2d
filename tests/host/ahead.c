/*
 * Answers to REDEEM that come before they are asked for, where something goes wrong: what is registered stays, requests go on, no
 * socket is kept open by who has told nothing, nobody waits for an answer that has been.
 */
#include <sys/ioctl.h>
#include <sys/resource.h>
#include "harness.h"
#include "client/client_private.h"

#define SOURCE 0x20
#define TARGET 0x24
#define OTHER 0x28
#define HANDLE 0x100

/* --- an issuer, and this process that opens ----------------------------------------------------------------------------*/

struct issuer
{
    pid_t pid;
    int orders, peer; /* what the socket that it shares is connected to */
    int own_end[2];
};

/* 'i': one more ticket, whose answer has gone out when its number is told; 'c': it closes the socket. */
static int issue_when_told( void *context )
{
    const struct issuer *issuer = context;
    const int orders = issuer->own_end[0], fd = issuer->own_end[1];
    uint32_t slot, generation, ticket = 0;
    struct ws2_slot *record;
    int unknown;
    char order;

    close( issuer->orders );
    close( issuer->peer );
    if ( read( orders, &order, 1 ) != 1 || connection_attach( SOURCE ) || lease_take( &slot, &generation ) ) return 1;
    record = ws2_table_slot( connection_table(), slot );
    record->family = AF_INET;
    record->type = SOCK_STREAM;
    record->handle = HANDLE;
    record->cookie = socket_cookie( fd );
    socket_publish( slot, generation, HANDLE, fd );
    while ( read( orders, &order, 1 ) == 1 )
    {
        if ( order == 'c' )
        {
            socket_publish( slot, generation, HANDLE, -1 );
            socket_drop( fd, slot, generation, HANDLE );
        }
        else if ( ticket_issue( slot, generation, HANDLE, fd, TARGET, &ticket, &unknown ) ) return 2;
        connection_settle();
        if ( write( orders, &ticket, sizeof( ticket ) ) != sizeof( ticket ) ) return 3;
    }
    return 0;
}

static uint32_t order( struct issuer *issuer, char what )
{
    uint32_t ticket;

    ck_assert_int_eq( write( issuer->orders, &what, 1 ), 1 );
    ck_assert_int_eq( read( issuer->orders, &ticket, sizeof( ticket ) ), sizeof( ticket ) );
    return ticket;
}

struct opened
{
    uint32_t slot, generation, handle;
    int fd;
};

static struct opened open_next( struct issuer *issuer, uint32_t handle )
{
    struct opened opened = { .handle = handle };

    ck_assert_int_eq( ticket_redeem_as( order( issuer, 'i' ), handle, &opened.slot, &opened.generation, &opened.fd ),
                      0 );
    return opened;
}

static void shut( const struct opened *opened )
{
    connection_close( opened->slot, opened->generation, opened->handle );
    close( opened->fd );
}

/* The process that opens is this one, and has opened two, and closed them: the answers to the others come ahead. */
static void begin( struct issuer *issuer )
{
    int orders[2], sockets[2];

    harness_begin();
    ck_assert( !socketpair( AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, orders ) &&
               !socketpair( AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets ) );
    *issuer = ( struct issuer ){ .orders = orders[0], .peer = sockets[0], .own_end = { orders[1], sockets[1] } };
    issuer->pid = process_start( issue_when_told, issuer );
    close( orders[1] );
    close( sockets[1] );
    ck_assert_int_eq( connection_attach( TARGET ), 0 );
    ck_assert_int_eq( write( issuer->orders, "", 1 ), 1 );
    for ( int i = 0; i < 2; i++ )
    {
        const struct opened opened = open_next( issuer, HANDLE );

        shut( &opened );
    }
}

static void end( struct issuer *issuer )
{
    close( issuer->orders );
    kill( issuer->pid, SIGCONT );
    ck_assert_int_eq( process_wait( issuer->pid ), 0 );
    harness_end();
}

/* What is registered for one of two descriptors, of neither of which the server has been told, outlives the other. */
START_TEST( one_of_two_closed )
{
    struct opened first, second;
    struct ws2_slot *slot;
    struct issuer issuer;

    begin( &issuer );
    first = open_next( &issuer, HANDLE );
    second = open_next( &issuer, HANDLE + 4 );
    slot = ws2_table_slot( connection_table(), first.slot );
    slot->event_owner = slot->port_owner = connection_client_index();
    shut( &second );
    connection_settle();
    ck_assert_uint_eq( slot->event_owner, connection_client_index() );
    ck_assert_uint_eq( slot->port_owner, connection_client_index() );
    shut( &first );
    connection_settle();
    ck_assert_uint_eq( slot->event_owner, WS2_NO_INDEX );
    ck_assert_uint_eq( slot->port_owner, WS2_NO_INDEX );
    end( &issuer );
}
END_TEST

/* Nor does a close that the server has not heard of yet end what is registered since, for one that was answered before it. */
START_TEST( registered_before_a_close_is_heard )
{
    struct opened first, second = { .handle = HANDLE + 4 };
    struct ws2_slot *slot;
    struct issuer issuer;
    uint32_t ticket;
    pid_t server;

    begin( &issuer );
    first = open_next( &issuer, HANDLE );
    ticket = order( &issuer, 'i' );
    slot = ws2_table_slot( connection_table(), first.slot );
    server = harness_server();
    kill( server, SIGSTOP );
    shut( &first );
    ck_assert_int_eq( ticket_redeem_as( ticket, second.handle, &second.slot, &second.generation, &second.fd ), 0 );
    slot->event_owner = slot->port_owner = connection_client_index();
    kill( server, SIGCONT );
    connection_settle();
    ck_assert_uint_eq( slot->event_owner, connection_client_index() );
    ck_assert_uint_eq( slot->port_owner, connection_client_index() );
    shut( &second );
    connection_settle();
    ck_assert_uint_eq( slot->event_owner, WS2_NO_INDEX );
    end( &issuer );
}
END_TEST

/* The server dies, and a request is the first to find out, with something untold. */
START_TEST( server_dies_untold )
{
    struct issuer issuer;

    begin( &issuer );
    for ( int i = 0; i < 5; i++ )
    {
        const pid_t server = harness_server();
        const struct opened opened = open_next( &issuer, HANDLE );
        uint64_t serial;
        struct pollfd connection = { .fd = connection_fd( &serial ) };
        uint32_t ticket;
        sigset_t before;
        int unknown;

        /* the server monitor thread, which sees it too, waits for the mutex meanwhile */
        connection_lock( &before );
        kill( server, SIGKILL );
        while ( !( connection.revents & POLLHUP ) ) poll( &connection, 1, -1 );
        connection_unlock( &before );
        ck_assert_int_eq( ticket_issue( opened.slot, opened.generation, HANDLE, opened.fd, TARGET, &ticket, &unknown ),
                          0 );
        eventually( harness_table().tickets == 1 && harness_table().descriptors == 2 );
        ck_assert_int_eq( ticket_redeem_as( ticket, HANDLE + 4, &( uint32_t ){ 0 }, &( uint32_t ){ 0 }, &unknown ), 0 );
        close( unknown );
        connection_close( opened.slot, opened.generation, HANDLE + 4 );
        shut( &opened );
        eventually( harness_table().descriptors == 1 );
        /* the answer that came ahead is of a connection that is gone: it is to come again */
        for ( int j = 0; j < 2; j++ )
        {
            const struct opened again = open_next( &issuer, HANDLE );

            shut( &again );
        }
    }
    end( &issuer );
}
END_TEST

/* How often a process has the socket open. */
static int open_in( pid_t pid, int fd )
{
    char own[64] = "", path[64], other[64];
    struct dirent *entry;
    DIR *directory;
    int count = 0;

    snprintf( path, sizeof( path ), "/proc/self/fd/%d", fd );
    ck_assert_int_gt( readlink( path, own, sizeof( own ) - 1 ), 0 );
    snprintf( path, sizeof( path ), "/proc/%d/fd", (int)pid );
    ck_assert_ptr_nonnull( ( directory = opendir( path ) ) );
    while ( ( entry = readdir( directory ) ) )
    {
        memset( other, 0, sizeof( other ) );
        if ( readlinkat( dirfd( directory ), entry->d_name, other, sizeof( other ) - 1 ) > 0 )
            count += !strcmp( own, other );
    }
    closedir( directory );
    return count;
}

static void wait_for_end( const struct issuer *issuer )
{
    struct pollfd peer = { .fd = issuer->peer, .events = POLLIN };

    ck_assert_int_eq( poll( &peer, 1, 60000 ), 1 );
}

/* Who has opened one and does nothing but use it lets the issuer go, which need not run when it is closed. */
START_TEST( nothing_said )
{
    struct opened opened;
    struct issuer issuer;

    begin( &issuer );
    opened = open_next( &issuer, HANDLE );
    eventually( harness_table().descriptors == 2 && !harness_table().tickets );
    order( &issuer, 'c' );
    eventually( !open_in( issuer.pid, opened.fd ) );
    kill( issuer.pid, SIGSTOP );
    shut( &opened );
    wait_for_end( &issuer );
    end( &issuer );
}
END_TEST

/* Who closes it at once does not keep it open either. */
START_TEST( closed_at_once )
{
    struct opened opened;
    struct issuer issuer;

    begin( &issuer );
    opened = open_next( &issuer, HANDLE );
    order( &issuer, 'c' );
    shut( &opened );
    wait_for_end( &issuer );
    eventually( !harness_table().shared );
    end( &issuer );
}
END_TEST

static void limit_files( rlim_t most )
{
    struct rlimit limit;

    ck_assert_int_eq( getrlimit( RLIMIT_NOFILE, &limit ), 0 );
    limit.rlim_cur = most < limit.rlim_max ? most : limit.rlim_max;
    ck_assert_int_eq( setrlimit( RLIMIT_NOFILE, &limit ), 0 );
}

/* The socket of an answer had no room, and the request for another is not sent: the next one is. */
START_TEST( not_sent )
{
    struct issuer issuer;
    struct opened opened;
    uint32_t ticket;
    uint64_t serial;
    int fd, kept;

    begin( &issuer );
    ticket = order( &issuer, 'i' );
    limit_files( 3 );
    connection_settle();
    limit_files( RLIM_INFINITY );
    fd = connection_fd( &serial );
    kept = dup( fd );
    close( fd );
    ck_assert_int_eq( ticket_redeem_as( ticket, HANDLE, &opened.slot, &opened.generation, &opened.fd ), WSAENOBUFS );
    ck_assert_int_eq( dup2( kept, fd ), fd );
    close( kept );
    ck_assert_int_eq( ticket_redeem_as( ticket, HANDLE, &opened.slot, &opened.generation, &opened.fd ), 0 );
    opened.handle = HANDLE;
    eventually( harness_table().descriptors == 2 && !harness_table().tickets );
    shut( &opened );
    eventually( harness_table().descriptors == 1 );
    end( &issuer );
}
END_TEST

#ifndef __SANITIZE_ADDRESS__ /* which takes its address space beforehand */
static void limit_memory( pid_t pid, rlim_t most )
{
    struct rlimit limit;

    ck_assert_int_eq( prlimit( pid, RLIMIT_AS, NULL, &limit ), 0 );
    limit.rlim_cur = most < limit.rlim_max ? most : limit.rlim_max;
    ck_assert_int_eq( prlimit( pid, RLIMIT_AS, &limit, NULL ), 0 );
}

static rlim_t address_space( pid_t pid )
{
    unsigned long pages = 0;
    char path[32];
    FILE *file;

    snprintf( path, sizeof( path ), "/proc/%d/statm", (int)pid );
    ck_assert_ptr_nonnull( ( file = fopen( path, "r" ) ) );
    ck_assert_int_eq( fscanf( file, "%lu", &pages ), 1 );
    fclose( file );
    return (rlim_t)pages * sysconf( _SC_PAGESIZE );
}

/* The server has no room for the descriptor; its ticket stands for it until the process says again what it has, and there is. */
START_TEST( no_room_at_first )
{
    struct ws2_request adopt = { .type = WS2_ADOPT, .flags = AF_INET | SOCK_STREAM << 16 | 6 << 24 };
    int host = socket( AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0 ), filler;
    struct ws2_reply reply;
    struct opened opened;
    struct issuer issuer;
    uint64_t serial;
    sigset_t before;
    pid_t server;

    begin( &issuer );
    server = harness_server();
    filler = raw_attach( OTHER, &reply, NULL );
    opened = open_next( &issuer, HANDLE );
    connection_lock( &before );
    limit_memory( server, address_space( server ) );
    do adopt.handle += 4;
    while ( !raw_request( filler, &adopt, host, &reply, NULL ) && adopt.handle < 4 * 200000 );
    ck_assert_uint_eq( reply.error, WSAENOBUFS );
    connection_unlock( &before );
    connection_settle();
    limit_memory( server, RLIM_INFINITY );
    raw_leave( filler );
    eventually( harness_table().descriptors == 1 && harness_table().tickets == 1 );
    /* a connection is lost: the process has another, on which it publishes what it has */
    shutdown( connection_fd( &serial ), SHUT_RDWR );
    eventually( harness_table().descriptors == 2 && !harness_table().tickets );
    shut( &opened );
    order( &issuer, 'c' );
    eventually( !harness_table().shared );
    ck_assert_int_eq( harness_server(), server );
    close( host );
    end( &issuer );
}
END_TEST
#endif

/* --- messages by hand --------------------------------------------------------------------------------------------------*/

struct pair
{
    int issuer, target, host;
    struct ws2_request duplicate;
    struct ws2_slot *slot;
    uint32_t target_index;
};

static uint32_t pair_issue( struct pair *pair )
{
    struct ws2_reply reply;

    ck_assert_int_eq( raw_request( pair->issuer, &pair->duplicate, pair->host, &reply, NULL ), 0 );
    return reply.ticket;
}

/* The next message is an answer that came ahead. */
static void take_ahead( struct pair *pair, uint32_t ticket )
{
    struct ws2_reply answer;
    int received;

    ck_assert_int_eq( raw_receive( pair->target, &answer, sizeof( answer ), &received ), sizeof( answer ) );
    ck_assert_uint_eq( answer.detail, WS2_DETAIL_AHEAD );
    ck_assert_uint_eq( answer.ticket, ticket );
    ck_assert_int_ge( received, 0 );
    close( received );
}

/* From now on the answers come ahead. */
static void pair_begin( struct pair *pair )
{
    const struct ws2_request adopt = { .type = WS2_ADOPT,
                                       .handle = HANDLE,
                                       .flags = AF_INET | SOCK_STREAM << 16 | 6 << 24 };
    struct ws2_request redeem = { .type = WS2_REDEEM, .slot = WS2_AHEAD_MOST, .flags = HANDLE };
    struct ws2_request shut = { .type = WS2_CLOSE, .handle = HANDLE };
    struct ws2_reply reply;
    int memfd, received;
    void *table;

    harness_begin();
    harness_start_server();
    pair->host = socket( AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0 );
    pair->issuer = raw_attach( SOURCE, &reply, NULL );
    pair->target = raw_attach( TARGET, &reply, &memfd );
    pair->target_index = reply.index;
    table = mmap( NULL, WS2_TABLE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, memfd, 0 );
    ck_assert_ptr_ne( table, MAP_FAILED );
    close( memfd );
    ck_assert_int_eq( raw_request( pair->issuer, &adopt, pair->host, &reply, NULL ), 0 );
    pair->slot = ws2_table_slot( table, reply.slot );
    pair->duplicate = ( struct ws2_request ){ .type = WS2_DUPLICATE,
                                              .slot = reply.slot,
                                              .generation = reply.generation,
                                              .handle = HANDLE,
                                              .windows_pid = TARGET };
    redeem.ticket = pair_issue( pair );
    ck_assert_int_eq( raw_request( pair->target, &redeem, -1, &reply, &received ), 0 );
    ck_assert_int_ge( received, 0 );
    close( received );
    shut.slot = pair->duplicate.slot;
    shut.generation = pair->duplicate.generation;
    raw_send( pair->target, &shut, sizeof( shut ), NULL, 0 );
}

static void pair_end( struct pair *pair )
{
    raw_leave( pair->issuer );
    raw_leave( pair->target );
    close( pair->host );
    eventually( harness_table_empty() );
    harness_end();
}

/* How many messages have come, when no more do; the server goes on with others meanwhile. */
static int waiting_messages( const struct pair *pair, int fd )
{
    int size = -1, before;

    do {
        const struct ws2_request list = { .type = WS2_LIST, .slot = WS2_SLOT_COUNT };
        struct ws2_reply reply;

        before = size;
        for ( int i = 0; i < 50; i++ )
        {
            ck_assert_int_eq( raw_request( pair->issuer, &list, -1, &reply, NULL ), 0 );
            usleep( 1000 );
        }
        ck_assert_int_eq( ioctl( fd, FIONREAD, &size ), 0 );
    } while ( size != before );
    return size / (int)sizeof( struct ws2_reply );
}

/* There is no room for one more answer: what is registered through the one before stays. */
START_TEST( one_more_not_sent )
{
    const struct ws2_request list = { .type = WS2_LIST, .slot = WS2_SLOT_COUNT };
    struct ws2_reply reply;
    int observer, room;
    struct pair pair;
    char message[sizeof( reply )];

    pair_begin( &pair );
    take_ahead( &pair, pair_issue( &pair ) );
    pair.slot->event_owner = pair.slot->port_owner = pair.target_index;
    observer = raw_attach( 0, &reply, NULL );
    do {
        while ( message_send( observer, &list, sizeof( list ), NULL, 0, MSG_DONTWAIT ) > 0 ) continue;
        room = waiting_messages( &pair, observer );
    } while ( message_send( observer, &list, sizeof( list ), NULL, 0, MSG_DONTWAIT ) > 0 );
    close( observer );
    for ( int i = 0; i < room; i++ ) raw_send( pair.target, &list, sizeof( list ), NULL, 0 );
    ck_assert_int_eq( waiting_messages( &pair, pair.target ), room );
    pair_issue( &pair );
    ck_assert_uint_eq( pair.slot->event_owner, pair.target_index );
    ck_assert_uint_eq( pair.slot->port_owner, pair.target_index );
    /* it was not sent */
    for ( int i = 0; i < room; i++ )
        ck_assert_int_eq( raw_receive( pair.target, message, sizeof( message ), NULL ), sizeof( message ) );
    ck_assert_int_eq( raw_request( pair.target, &list, -1, &reply, NULL ), 0 );
    ck_assert_uint_eq( reply.detail, WS2_DETAIL_NONE );
    pair_end( &pair );
}
END_TEST

/* Who has had the answer and not the socket, and is put off when it asks for it, is not answered by silence when it asks as if it
 * had had none. */
START_TEST( put_off )
{
    struct ws2_request redeem = { .type = WS2_REDEEM, .slot = WS2_AHEAD_MOST, .flags = HANDLE, .ticket = 1 };
    struct ws2_reply reply = { 0 };
    int received = -1, error;
    struct pair pair;
    uint32_t ticket;

    pair_begin( &pair );
    take_ahead( &pair, ticket = pair_issue( &pair ) );
    /* wrong ones, without waiting as it is told, until it is not listened to */
    do redeem.ticket++;
    while ( raw_request( pair.target, &redeem, -1, &reply, NULL ) == WSAEINVAL && redeem.ticket < 1000 );
    ck_assert_uint_eq( reply.error, WSAEWOULDBLOCK );
    redeem.ticket = ticket;
    redeem.generation = 1;
    error = raw_request( pair.target, &redeem, -1, &reply, &received );
    redeem.generation = 0;
    while ( error == WSAEWOULDBLOCK )
    {
        ck_assert_uint_eq( reply.detail, WS2_DETAIL_LATER );
        usleep( reply.count * 1000 );
        error = raw_request( pair.target, &redeem, -1, &reply, &received );
    }
    ck_assert_int_eq( error, 0 );
    ck_assert_int_ge( received, 0 );
    close( received );
    pair_end( &pair );
}
END_TEST

static uint64_t time_of( pid_t pid )
{
    unsigned long long time = 0;
    char path[40];
    FILE *file;

    snprintf( path, sizeof( path ), "/proc/%d/schedstat", (int)pid );
    ck_assert_ptr_nonnull( ( file = fopen( path, "r" ) ) );
    ck_assert_int_eq( fscanf( file, "%llu", &time ), 1 );
    fclose( file );
    return time;
}

#define TICKETS 3000
#define CLOSES 20000

/* What so many of them cost the server, of a socket that the target has no descriptor of. */
static uint64_t cost_of_closes( const struct pair *pair, pid_t server )
{
    const struct ws2_request shut = {
        .type = WS2_CLOSE, .slot = pair->duplicate.slot, .generation = pair->duplicate.generation, .handle = 0x7000
    };
    const struct ws2_request list = { .type = WS2_LIST, .slot = WS2_SLOT_COUNT };
    const uint64_t begin = time_of( server );
    const int closes = harness_part( CLOSES );
    struct ws2_reply reply;

    for ( int i = 0; i < closes; i++ ) raw_send( pair->target, &shut, sizeof( shut ), NULL, 0 );
    ck_assert_int_eq( raw_request( pair->target, &list, -1, &reply, NULL ), 0 );
    return time_of( server ) - begin;
}

/* A descriptor that is none is not looked for among all the tickets of its socket. */
START_TEST( closes_of_nothing )
{
    struct ws2_reply reply = { 0 };
    uint64_t without;
    struct pair pair;
    pid_t server;

    pair_begin( &pair );
    server = harness_server();
    without = cost_of_closes( &pair, server );
    pair.duplicate.windows_pid = SOURCE;
    for ( int i = 0; i < TICKETS && !reply.error; i++ )
        raw_request( pair.issuer, &pair.duplicate, pair.host, &reply, NULL );
    ck_assert_uint_lt( cost_of_closes( &pair, server ), 3 * without );
    pair_end( &pair );
}
END_TEST

int main( void )
{
    Suite *suite = suite_create( "ahead" );
    TCase *test = tcase_create( "ahead" );

    tcase_set_timeout( test, 120 );
    tcase_add_test( test, one_of_two_closed );
    tcase_add_test( test, registered_before_a_close_is_heard );
    tcase_add_test( test, server_dies_untold );
    tcase_add_test( test, nothing_said );
    tcase_add_test( test, closed_at_once );
    tcase_add_test( test, not_sent );
#ifndef __SANITIZE_ADDRESS__
    tcase_add_test( test, no_room_at_first );
#endif
    tcase_add_test( test, one_more_not_sent );
    tcase_add_test( test, put_off );
    tcase_add_test( test, closes_of_nothing );
    suite_add_tcase( suite, test );
    return harness_main( suite );
}
