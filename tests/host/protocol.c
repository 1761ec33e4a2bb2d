/*
 * Hostile input: whatever a client of the same user sends, the server answers it with an error or hangs up on it, keeps no
 * descriptor and nothing else beyond the client's end, and goes on serving others. Another user gets nothing.
 */
#include <pwd.h>
#include "harness.h"

#define PID 0x20

START_TEST( wrong_sizes )
{
    char message[4096];
    struct ws2_reply reply;
    int before, keeper;

    harness_begin();
    harness_start_server();
    keeper = raw_attach( 0, &reply, NULL );
    before = server_fds_at_rest();
    memset( message, 0, sizeof( message ) );
    message[0] = WS2_LIST;
    for ( size_t size = 0; size < sizeof( message ); size += size < 100 ? 1 : 333 )
    {
        int fd = raw_connect();
        if ( size == sizeof( struct ws2_request ) ) size++;
        ck_assert_int_eq( raw_send( fd, message, size, NULL, 0 ), size );
        ck_assert_msg( raw_hangs_up( fd ), "size %zu", size );
        close( fd );
        /* a descriptor that comes along is not kept, not even that of a message of no bytes */
        fd = raw_attach( PID, &reply, NULL );
        ck_assert_int_eq( raw_send( fd, message, size, &keeper, 1 ), size );
        ck_assert_msg( raw_hangs_up( fd ), "after HELLO, size %zu", size );
        close( fd );
    }
    check_unharmed( PID, before );
    close( keeper );
    harness_end();
}
END_TEST

START_TEST( order_and_rights )
{
    struct ws2_request request = { .version = WS2_LAYOUT_VERSION };
    struct ws2_reply reply;
    int before, keeper, fd;

    harness_begin();
    harness_start_server();
    keeper = raw_attach( 0, &reply, NULL );
    before = server_fds_at_rest();
    /* nothing before HELLO, nothing unknown, no second HELLO */
    for ( request.type = 0; request.type < 40; request.type++ )
    {
        if ( request.type == WS2_HELLO ) continue;
        fd = raw_connect();
        ck_assert_int_eq( raw_send( fd, &request, sizeof( request ), NULL, 0 ), sizeof( request ) );
        ck_assert_msg( raw_hangs_up( fd ), "type %u before HELLO", request.type );
        close( fd );
    }
    for ( request.type = 0; request.type < 40; request.type++ )
    {
        if ( request.type > WS2_HELLO && request.type < WS2_REQUEST_COUNT ) continue;
        fd = raw_attach( PID, &reply, NULL );
        ck_assert_int_eq( raw_send( fd, &request, sizeof( request ), NULL, 0 ), sizeof( request ) );
        ck_assert_msg( raw_hangs_up( fd ), "type %u", request.type );
        close( fd );
    }
    /* an observer can only look */
    for ( request.type = WS2_HELLO; request.type < WS2_REQUEST_COUNT; request.type++ )
    {
        fd = raw_attach( 0, &reply, NULL );
        if ( request.type == WS2_LIST ) ck_assert_int_eq( raw_request( fd, &request, -1, &reply, NULL ), 0 );
        else
        {
            ck_assert_int_eq( raw_send( fd, &request, sizeof( request ), NULL, 0 ), sizeof( request ) );
            ck_assert_msg( raw_hangs_up( fd ), "type %u from an observer", request.type );
        }
        close( fd );
    }
    /* another version is told ours */
    fd = raw_connect();
    request = ( struct ws2_request ){ .type = WS2_HELLO, .version = WS2_LAYOUT_VERSION + 1, .windows_pid = PID };
    ck_assert_int_eq( raw_request( fd, &request, -1, &reply, NULL ), WSAENETDOWN );
    ck_assert_uint_eq( reply.detail, WS2_DETAIL_VERSION );
    ck_assert_uint_eq( reply.instance, WS2_LAYOUT_VERSION );
    close( fd );
    check_unharmed( PID, before );
    close( keeper );
    harness_end();
}
END_TEST

/* Whoever asks for it gets its first slots with the greeting; an observer has none. */
START_TEST( greeting_with_a_lease )
{
    struct ws2_request hello = { .type = WS2_HELLO, .version = WS2_LAYOUT_VERSION, .windows_pid = PID, .flags = 1 };
    const struct ws2_request lease = { .type = WS2_LEASE };
    struct ws2_reply reply, next;
    int fd, other;

    harness_begin();
    harness_start_server();
    fd = raw_connect();
    ck_assert_int_eq( raw_request( fd, &hello, -1, &reply, NULL ), 0 );
    ck_assert_uint_eq( reply.count, WS2_BLOCK_SLOTS );
    ck_assert_uint_eq( reply.slot % WS2_BLOCK_SLOTS, 0 );
    ck_assert_uint_eq( harness_table().leased, 1 );
    ck_assert_int_eq( raw_request( fd, &lease, -1, &next, NULL ), 0 );
    ck_assert_uint_ne( next.slot, reply.slot );
    other = raw_attach( 2 * PID, &reply, NULL );
    ck_assert_uint_eq( reply.count, 0 );
    close( other );
    hello.windows_pid = 0;
    other = raw_connect();
    ck_assert_int_eq( raw_request( other, &hello, -1, &reply, NULL ), 0 );
    ck_assert_uint_eq( reply.count, 0 );
    ck_assert_uint_eq( harness_table().leased, 2 );
    close( other );
    raw_leave( fd );
    eventually( !harness_table().leased );
    harness_end();
}
END_TEST

/* A number that was not promised makes no ticket, and only a ticket of its own a client opens by itself. */
START_TEST( tickets_without_an_answer )
{
    struct ws2_request issue, taken, redeem;
    struct ws2_reply reply, other;
    int fd, target, host = socket( AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0 );
    uint32_t promised;

    harness_begin();
    harness_start_server();
    fd = raw_attach( PID, &reply, NULL );
    target = raw_attach( 2 * PID, &other, NULL );
    issue = ( struct ws2_request ){ .type = WS2_ADOPT, .handle = 0x34, .flags = AF_INET | SOCK_STREAM << 16 | 6 << 24 };
    ck_assert_int_eq( raw_request( fd, &issue, host, &reply, NULL ), 0 );
    issue = ( struct ws2_request ){ .type = WS2_ISSUE,
                                    .slot = reply.slot,
                                    .generation = reply.generation,
                                    .handle = 0x34,
                                    .windows_pid = 2 * PID,
                                    .ticket = 12345 };
    raw_send( fd, &issue, sizeof( issue ), &host, 1 );
    redeem = ( struct ws2_request ){ .type = WS2_REDEEM, .ticket = issue.ticket };
    ck_assert_int_eq( raw_request( target, &redeem, -1, &other, NULL ), WSAEINVAL );
    /* some are promised with the second for the same target, which is no other then */
    issue.type = WS2_DUPLICATE;
    issue.ticket = 0;
    for ( int i = 0; i < 2; i++ )
    {
        ck_assert_int_eq( raw_request( fd, &issue, host, &reply, NULL ), 0 );
        ck_assert_uint_eq( reply.count, i ? WS2_PROMISED : 0 );
    }
    promised = ws2_promised_number( reply.instance, 3 );
    issue.type = WS2_ISSUE;
    issue.ticket = promised;
    issue.windows_pid = PID;
    raw_send( fd, &issue, sizeof( issue ), &host, 1 );
    redeem.ticket = promised;
    ck_assert_int_eq( raw_request( fd, &redeem, -1, &other, NULL ), WSAEINVAL );
    ck_assert_int_eq( raw_request( target, &redeem, -1, &other, NULL ), WSAEINVAL );
    taken = ( struct ws2_request ){ .type = WS2_TAKEN,
                                    .slot = issue.slot,
                                    .generation = issue.generation,
                                    .handle = 0x34 + 4,
                                    .ticket = reply.ticket };
    raw_send( fd, &taken, sizeof( taken ), NULL, 0 );
    raw_send( target, &taken, sizeof( taken ), NULL, 0 );
    taken.ticket = promised;
    raw_send( target, &taken, sizeof( taken ), NULL, 0 );
    /* as it was promised, and once */
    issue.windows_pid = 2 * PID;
    raw_send( fd, &issue, sizeof( issue ), &host, 1 );
    raw_send( fd, &issue, sizeof( issue ), &host, 1 );
    ck_assert_int_eq( raw_request( target, &redeem, -1, &other, NULL ), 0 );
    ck_assert_int_eq( raw_request( target, &redeem, -1, &other, NULL ), WSAEINVAL );
    ck_assert_uint_eq( harness_table().descriptors, 2 );
    ck_assert_uint_eq( harness_table().tickets, 2 );
    raw_leave( fd );
    raw_leave( target );
    close( host );
    eventually( harness_table_empty() );
    harness_end();
}
END_TEST

/* The next message is an answer that came ahead, with a socket. */
static void expect_ahead( int fd, uint32_t ticket )
{
    struct ws2_reply answer;
    int received;

    ck_assert_int_eq( raw_receive( fd, &answer, sizeof( answer ), &received ), sizeof( answer ) );
    ck_assert_int_eq( answer.error, 0 );
    ck_assert_uint_eq( answer.detail, WS2_DETAIL_AHEAD );
    ck_assert_uint_eq( answer.ticket, ticket );
    ck_assert_int_ge( received, 0 );
    close( received );
}

/* The server has seen to all that was sent on fd, and has said nothing but the answer to this. */
static void expect_silence( int fd )
{
    const struct ws2_request asks = { .type = WS2_LIST, .slot = WS2_SLOT_COUNT };
    struct ws2_reply reply;

    ck_assert_int_eq( raw_request( fd, &asks, -1, &reply, NULL ), 0 );
    ck_assert_uint_eq( reply.detail, WS2_DETAIL_NONE );
    ck_assert_uint_eq( reply.slot, WS2_NO_INDEX );
}

/* Answers that come before they are asked for: to who says that it keeps them, as many as it says, and each ticket is still good
 * once. */
START_TEST( answers_ahead )
{
    struct ws2_request issue, taken, redeem, shut, hello, resumed = { .type = WS2_RESUMED };
    struct ws2_reply reply, other;
    int fd, target, received, host = socket( AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0 );
    uint64_t instance;
    uint32_t numbers[WS2_PROMISED], other_number;

    harness_begin();
    harness_start_server();
    fd = raw_attach( PID, &reply, NULL );
    target = raw_attach( 2 * PID, &other, NULL );
    instance = other.instance;
    issue = ( struct ws2_request ){ .type = WS2_ADOPT, .handle = 0x34, .flags = AF_INET | SOCK_STREAM << 16 | 6 << 24 };
    ck_assert_int_eq( raw_request( fd, &issue, host, &reply, NULL ), 0 );
    issue = ( struct ws2_request ){ .type = WS2_DUPLICATE,
                                    .slot = reply.slot,
                                    .generation = reply.generation,
                                    .handle = 0x34,
                                    .windows_pid = 2 * PID };
    ck_assert_int_eq( raw_request( fd, &issue, host, &reply, NULL ), 0 );
    other_number = reply.ticket;
    ck_assert_int_eq( raw_request( fd, &issue, host, &reply, NULL ), 0 );
    ck_assert_uint_eq( reply.count, WS2_PROMISED );
    for ( uint32_t i = 0; i < WS2_PROMISED; i++ ) numbers[i] = ws2_promised_number( reply.instance, i );
    issue.type = WS2_ISSUE;
    issue.ticket = numbers[0];
    /* nobody has said that it keeps any, nor opened one */
    raw_send( fd, &issue, sizeof( issue ), &host, 1 );
    expect_silence( fd );
    expect_silence( target );
    redeem = ( struct ws2_request ){ .type = WS2_REDEEM, .ticket = numbers[0], .slot = 100, .flags = 0x100 };
    ck_assert_int_eq( raw_request( target, &redeem, -1, &other, &received ), 0 );
    ck_assert_int_ge( received, 0 );
    close( received );
    /* so many, and no more */
    for ( uint32_t i = 1; i <= 1 + WS2_AHEAD_MOST; i++ )
    {
        issue.ticket = numbers[i];
        raw_send( fd, &issue, sizeof( issue ), &host, 1 );
    }
    expect_silence( fd );
    for ( uint32_t i = 1; i <= WS2_AHEAD_MOST; i++ ) expect_ahead( target, numbers[i] );
    expect_silence( target );
    ck_assert_uint_eq( harness_table().descriptors, 2 );
    ck_assert_uint_eq( harness_table().tickets, 3 + WS2_AHEAD_MOST );
    /* told by the request, which is not answered again */
    redeem.ticket = numbers[1];
    redeem.flags = 0x104;
    raw_send( target, &redeem, sizeof( redeem ), NULL, 0 );
    expect_silence( target );
    ck_assert_uint_eq( harness_table().descriptors, 3 );
    ck_assert_int_eq( raw_request( target, &redeem, -1, &other, NULL ), WSAEINVAL );
    /* by TAKEN; one of which no answer came is not to be had so */
    taken = ( struct ws2_request ){
        .type = WS2_TAKEN, .slot = issue.slot, .generation = issue.generation, .handle = 0x108, .ticket = numbers[2]
    };
    raw_send( target, &taken, sizeof( taken ), NULL, 0 );
    raw_send( target, &taken, sizeof( taken ), NULL, 0 );
    taken.ticket = other_number;
    raw_send( target, &taken, sizeof( taken ), NULL, 0 );
    expect_silence( target );
    ck_assert_uint_eq( harness_table().descriptors, 4 );
    /* by closing it */
    shut = ( struct ws2_request ){
        .type = WS2_CLOSE, .slot = issue.slot, .generation = issue.generation + 1, .handle = 0x10c, .ticket = numbers[3]
    };
    raw_send( target, &shut, sizeof( shut ), NULL, 0 );
    expect_silence( target );
    ck_assert_uint_eq( harness_table().tickets, WS2_AHEAD_MOST + 1 );
    shut.generation = issue.generation;
    raw_send( target, &shut, sizeof( shut ), NULL, 0 );
    expect_silence( target );
    ck_assert_uint_eq( harness_table().descriptors, 4 );
    ck_assert_uint_eq( harness_table().tickets, WS2_AHEAD_MOST );
    redeem.ticket = numbers[3];
    ck_assert_int_eq( raw_request( target, &redeem, -1, &other, NULL ), WSAEINVAL );
    /* its socket has not come */
    redeem.ticket = numbers[4];
    redeem.flags = 0x110;
    redeem.generation = 1;
    ck_assert_int_eq( raw_request( target, &redeem, -1, &other, &received ), 0 );
    ck_assert_int_ge( received, 0 );
    close( received );
    redeem.generation = 0;
    ck_assert_int_eq( raw_request( target, &redeem, -1, &other, NULL ), WSAEINVAL );
    /* there is room for some again */
    issue.ticket = numbers[WS2_AHEAD_MOST + 2];
    raw_send( fd, &issue, sizeof( issue ), &host, 1 );
    expect_ahead( target, issue.ticket );
    /* another connection has not had them; a ticket that its target says it has opened is good no more */
    close( target );
    target = raw_connect();
    hello = ( struct ws2_request ){
        .type = WS2_HELLO, .version = WS2_LAYOUT_VERSION, .windows_pid = 2 * PID, .instance = instance
    };
    ck_assert_int_eq( raw_request( target, &hello, -1, &other, NULL ), 0 );
    taken = ( struct ws2_request ){ .type = WS2_SPENT, .ticket = numbers[5] };
    raw_send( target, &taken, sizeof( taken ), NULL, 0 );
    raw_send( target, &resumed, sizeof( resumed ), NULL, 0 );
    redeem.ticket = numbers[5];
    ck_assert_int_eq( raw_request( target, &redeem, -1, &other, NULL ), WSAEINVAL );
    redeem.ticket = numbers[6];
    ck_assert_int_eq( raw_request( target, &redeem, -1, &other, &received ), 0 );
    ck_assert_int_ge( received, 0 );
    close( received );
    raw_leave( fd );
    raw_leave( target );
    close( host );
    eventually( harness_table_empty() );
    harness_end();
}
END_TEST

/* Whoever opens a ticket whose issuer is at opening one itself, in whatever order the messages of all three come in. */
START_TEST( tickets_in_a_row )
{
    const struct ws2_request asks = { .type = WS2_LIST, .slot = WS2_SLOT_COUNT };
    int clients[3], hosts[3], pending = 0;
    struct ws2_request issue[3], redeem[3];
    struct ws2_reply reply;
    pid_t server;

    harness_begin();
    harness_start_server();
    for ( int i = 0; i < 3; i++ ) clients[i] = raw_attach( ( i + 1 ) * PID, &reply, NULL );
    /* each of the others issues to the one before it */
    for ( int i = 1; i < 3; i++ )
    {
        hosts[i] = socket( AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0 );
        issue[i] =
            ( struct ws2_request ){ .type = WS2_ADOPT, .handle = 0x34, .flags = AF_INET | SOCK_STREAM << 16 | 6 << 24 };
        ck_assert_int_eq( raw_request( clients[i], &issue[i], hosts[i], &reply, NULL ), 0 );
        issue[i] = ( struct ws2_request ){ .type = WS2_DUPLICATE,
                                           .slot = reply.slot,
                                           .generation = reply.generation,
                                           .handle = 0x34,
                                           .windows_pid = i * PID };
        for ( int j = 0; j < 2; j++ )
            ck_assert_int_eq( raw_request( clients[i], &issue[i], hosts[i], &reply, NULL ), 0 );
        ck_assert_uint_eq( reply.count, WS2_PROMISED );
        issue[i].type = WS2_ISSUE;
        issue[i].ticket = ws2_promised_number( reply.instance, 0 );
        redeem[i - 1] = ( struct ws2_request ){ .type = WS2_REDEEM, .ticket = issue[i].ticket };
    }
    server = harness_server();
    kill( server, SIGSTOP );
    for ( int i = 0; i < 3; i++ )
    {
        if ( i ) raw_send( clients[i], &issue[i], sizeof( issue[i] ), &hosts[i], 1 );
        if ( i < 2 ) raw_send( clients[i], &redeem[i], sizeof( redeem[i] ), NULL, 0 );
    }
    kill( server, SIGCONT );
    for ( int i = 0; i < 2; i++ )
    {
        ck_assert_int_eq( raw_receive( clients[i], &reply, sizeof( reply ), NULL ), sizeof( reply ) );
        while ( reply.error == WSAEWOULDBLOCK && reply.detail == WS2_DETAIL_LATER && pending++ < 1000 )
        {
            usleep( reply.count * 1000 );
            raw_request( clients[i], &redeem[i], -1, &reply, NULL );
        }
        ck_assert_int_eq( reply.error, 0 );
    }
    ck_assert_int_eq( raw_request( clients[0], &asks, -1, &reply, NULL ), 0 );
    for ( int i = 0; i < 3; i++ ) raw_leave( clients[i] );
    for ( int i = 1; i < 3; i++ ) close( hosts[i] );
    eventually( harness_table_empty() );
    harness_end();
}
END_TEST

START_TEST( descriptors_where_none_belong )
{
    struct ws2_request request = { 0 };
    struct ws2_reply reply;
    int fds[16], before, keeper, fd;

    harness_begin();
    harness_start_server();
    keeper = raw_attach( 0, &reply, NULL );
    before = server_fds_at_rest();
    for ( int i = 0; i < 16; i++ ) fds[i] = open( "/dev/zero", O_RDONLY | O_CLOEXEC );
    fd = raw_attach( PID, &reply, NULL );
    for ( int count = 0; count <= 16; count++ )
        for ( request.type = WS2_HELLO + 1; request.type < WS2_REQUEST_COUNT; request.type++ )
        {
            if ( request.type == WS2_WATCH || request.type == WS2_LEAVE ) continue;
            ck_assert_int_eq( raw_send( fd, &request, sizeof( request ), fds, count ), sizeof( request ) );
            if ( ws2_request_is_one_way( request.type ) ) continue;
            ck_assert_int_ge( raw_receive( fd, &reply, sizeof( reply ), NULL ), (ssize_t)sizeof( reply ) );
            /* a LEASE or a LIST alone is in order; /dev/zero is no socket */
            if ( count || ( request.type != WS2_LEASE && request.type != WS2_LIST ) )
                ck_assert_uint_ne( reply.error, 0 );
        }
    for ( int i = 0; i < 16; i++ ) close( fds[i] );
    close( fd );
    check_unharmed( PID, before );
    close( keeper );
    harness_end();
}
END_TEST

/* What never hangs up would keep a ticket, and its socket, for ever. */
START_TEST( watches )
{
    struct ws2_request watch = { .type = WS2_WATCH, .windows_pid = PID + 4 };
    struct ws2_reply reply;
    int before, keeper, fd, pair[2], ends[2], dead[2];
    char path[64];

    harness_begin();
    harness_start_server();
    keeper = raw_attach( 0, &reply, NULL );
    before = server_fds_at_rest();
    fd = raw_attach( PID, &reply, NULL );
    ck_assert( !pipe2( ends, O_CLOEXEC ) && !pipe2( dead, O_CLOEXEC ) && !socketpair( AF_UNIX, SOCK_STREAM, 0, pair ) );
    close( dead[1] );
    snprintf( path, sizeof( path ), "/proc/self/fd/%d", ends[0] );
    {
        const int wrong[] = { socket( AF_INET, SOCK_DGRAM, 0 ),
                              socket( AF_INET, SOCK_STREAM, 0 ),
                              pair[0],
                              dead[0],
                              ends[1],
                              socket( AF_UNIX, SOCK_DGRAM, 0 ),
                              memfd_create( "watch", 0 ),
                              open( "/dev/zero", O_RDONLY ),
                              open( path, O_RDWR ) };

        for ( size_t i = 0; i < sizeof( wrong ) / sizeof( wrong[0] ); i++ )
        {
            ck_assert_int_ge( wrong[i], 0 );
            ck_assert_msg( raw_request( fd, &watch, wrong[i], &reply, NULL ) == WSAEINVAL, "descriptor %zu", i );
            if ( wrong[i] != ends[1] ) close( wrong[i] );
        }
    }
    ck_assert_int_eq( raw_request( fd, &watch, ends[0], &reply, NULL ), 0 );
    close( fd );
    check_unharmed( PID, before );
    close( keeper );
    harness_end();
}
END_TEST

START_TEST( wrong_indexes )
{
    static const uint32_t values[] = { 0,          1,          63,        64, WS2_SLOT_COUNT - 1, WS2_SLOT_COUNT,
                                       0x7fffffff, 0x80000000, 0xffffffff };
    struct ws2_reply reply, lease;
    int before, keeper, fd, socket_fd = socket( AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0 );
    const int count = sizeof( values ) / sizeof( values[0] );

    harness_begin();
    harness_start_server();
    keeper = raw_attach( 0, &reply, NULL );
    before = server_fds_at_rest();
    fd = raw_attach( PID, &reply, NULL );
    ck_assert_int_eq( raw_request( fd, &( struct ws2_request ){ .type = WS2_LEASE }, -1, &lease, NULL ), 0 );
    for ( int i = 0; i < count; i++ )
        for ( int j = 0; j < count; j++ )
        {
            struct ws2_request request = {
                .slot = values[i], .generation = values[j], .handle = values[j], .windows_pid = PID
            };

            /* slots that are FREE, another's, or no slots at all */
            request.type = WS2_DUPLICATE;
            ck_assert_int_eq( raw_request( fd, &request, socket_fd, &reply, NULL ), WSAENOTSOCK );
            request.type = WS2_CLOSE;
            ck_assert_int_eq( raw_send( fd, &request, sizeof( request ), NULL, 0 ), sizeof( request ) );
            request.type = WS2_PUBLISH;
            ck_assert_int_eq( raw_request( fd, &request, socket_fd, &reply, NULL ), WSAEINVAL );
            request.type = WS2_BIND;
            ck_assert_int_ge( raw_request( fd, &request, -1, &reply, NULL ), 0 );
            request.type = WS2_LIST;
            ck_assert_int_eq( raw_request( fd, &request, -1, &reply, NULL ), 0 );
            request.type = WS2_NAME;
            ck_assert_int_eq( raw_send( fd, &request, sizeof( request ), NULL, 0 ), sizeof( request ) );
            request.type = WS2_SPENT;
            request.ticket = values[i];
            ck_assert_int_eq( raw_send( fd, &request, sizeof( request ), NULL, 0 ), sizeof( request ) );
            request.type = WS2_DUPLICATE;
            if ( values[i] ) ck_assert_int_eq( raw_request( fd, &request, socket_fd, &reply, NULL ), WSAEINVAL );
        }
    close( fd );
    check_unharmed( PID, before );
    close( keeper );
    close( socket_fd );
    harness_end();
}
END_TEST

START_TEST( random_bytes )
{
    unsigned int seed = getpid();
    struct ws2_reply reply;
    int before, keeper, fd = -1;
    int fds[4] = { socket( AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0 ), open( "/dev/zero", O_RDONLY | O_CLOEXEC ),
                   memfd_create( "hostile", MFD_CLOEXEC ), socket( AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0 ) };

    printf( "protocol: seed %u\n", seed );
    harness_begin();
    harness_start_server();
    keeper = raw_attach( 0, &reply, NULL );
    before = server_fds_at_rest();
    for ( int i = 0; i < 20000; i++ )
    {
        struct
        {
            struct ws2_request request;
            char more[40];
        } message;
        const size_t size = rand_r( &seed ) % 100 ? sizeof( message.request ) : rand_r( &seed ) % sizeof( message );
        char answer[8192];

        if ( fd < 0 )
        {
            fd = raw_connect();
            if ( rand_r( &seed ) % 4 )
            {
                close( fd );
                fd = raw_attach( PID, &reply, NULL );
            }
        }
        for ( size_t j = 0; j < sizeof( message ); j++ )
            ( (char *)&message )[j] = rand_r( &seed ) % 3 ? 0 : rand_r( &seed );
        if ( rand_r( &seed ) % 20 ) message.request.type = rand_r( &seed ) % WS2_REQUEST_COUNT;
        if ( rand_r( &seed ) % 3 ) message.request.windows_pid = PID;
        /* guessing is slowed down, which another test looks at */
        if ( message.request.type == WS2_REDEEM ) message.request.type = WS2_CLOSE;
        if ( raw_send( fd, &message, size, fds + rand_r( &seed ) % 4, rand_r( &seed ) % 2 ) < 0 )
        {
            close( fd );
            fd = -1;
            continue;
        }
        while ( fd >= 0 && recv( fd, answer, sizeof( answer ), MSG_DONTWAIT ) > 0 ) continue;
    }
    if ( fd >= 0 ) close( fd );
    check_unharmed( PID, before );
    for ( int i = 0; i < 4; i++ ) close( fds[i] );
    close( keeper );
    harness_end();
}
END_TEST

struct door
{
    int open;
    pid_t server, client;
};

/* Neither a descriptor of the process (the table, sockets, tickets) nor its memory. */
static int reaches_into( pid_t pid )
{
    char path[64];
    int reached = 0;

    for ( int i = 0; i < 64; i++ )
    {
        snprintf( path, sizeof( path ), "/proc/%d/fd/%d", (int)pid, i );
        reached += open( path, O_RDONLY | O_CLOEXEC ) >= 0;
    }
    for ( int i = 0; i < 3; i++ )
    {
        snprintf( path, sizeof( path ), "/proc/%d/%s", (int)pid, ( const char *[] ){ "fd", "map_files", "mem" }[i] );
        reached += open( path, O_RDONLY | O_CLOEXEC ) >= 0;
    }
    return reached;
}

static int other_user( void *context )
{
    const struct passwd *nobody = getpwnam( "nobody" );
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    const struct door *door = context;
    int fd = socket( AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0 );
    char path[128];

    if ( !nobody || setgid( nobody->pw_gid ) || setuid( nobody->pw_uid ) ) return 1;
    snprintf( address.sun_path, sizeof( address.sun_path ), "%s/" WS2_SERVER_SOCKET, harness_directory );
    snprintf( path, sizeof( path ), "%s/" WS2_SERVER_LOCK, harness_directory );
    if ( reaches_into( door->server ) || reaches_into( door->client ) ) return 7;
    if ( !door->open )
    {
        if ( open( path, O_RDONLY ) >= 0 || errno != EACCES ) return 2;
        if ( !connect( fd, (struct sockaddr *)&address, sizeof( address ) ) || errno != EACCES ) return 3;
        return connection_attach( PID ) == WSAENETDOWN ? 0 : 4;
    }
    /* even where the directory has been opened to all, the server looks at who it is */
    if ( connect( fd, (struct sockaddr *)&address, sizeof( address ) ) ) return 5;
    return raw_hangs_up( fd ) ? 0 : 6;
}

/* Holds the table, a shared socket and a ticket, until it is killed. */
static int sharing_client( void *context )
{
    uint32_t slot, generation, ticket;
    int fd, unknown;

    if ( connection_attach( PID ) || ( fd = socket_make( 4, &slot, &generation ) ) < 0 ||
         ticket_issue( slot, generation, 4, fd, PID, &ticket, &unknown ) || write( *(int *)context, "", 1 ) != 1 )
        return 1;
    for ( ;; ) pause();
}

START_TEST( other_users )
{
    struct door door = { 0 };
    char path[128];
    int ready[2];

    harness_begin();
    ck_assert( !pipe( ready ) );
    door.client = process_start( sharing_client, &ready[1] );
    ck_assert_int_eq( read( ready[0], path, 1 ), 1 );
    door.server = harness_server();
    if ( geteuid() )
    {
        /* who cannot become another user can still see that the door is shut */
        struct stat st;
        ck_assert_int_eq( stat( harness_directory, &st ), 0 );
        ck_assert_int_eq( st.st_mode & 077, 0 );
    }
    else
    {
        ck_assert_int_gt( reaches_into( door.server ), 3 ); /* what it looks for is there */
        ck_assert_int_eq( process_wait( process_start( other_user, &door ) ), 0 );
        snprintf( path, sizeof( path ), "%s/" WS2_SERVER_SOCKET, harness_directory );
        chmod( harness_directory, 0777 );
        chmod( path, 0777 );
        door.open = 1;
        ck_assert_int_eq( process_wait( process_start( other_user, &door ) ), 0 );
        chmod( harness_directory, 0700 );
    }
    ck_assert_uint_eq( harness_table().tickets, 1 );
    kill( door.client, SIGKILL );
    process_wait( door.client );
    harness_end();
}
END_TEST

int main( void )
{
    Suite *suite = suite_create( "protocol" );
    TCase *test = tcase_create( "protocol" );

    tcase_set_timeout( test, 120 );
    tcase_add_test( test, wrong_sizes );
    tcase_add_test( test, order_and_rights );
    tcase_add_test( test, greeting_with_a_lease );
    tcase_add_test( test, tickets_without_an_answer );
    tcase_add_test( test, answers_ahead );
    tcase_add_test( test, tickets_in_a_row );
    tcase_add_test( test, descriptors_where_none_belong );
    tcase_add_test( test, watches );
    tcase_add_test( test, wrong_indexes );
    tcase_add_test( test, random_bytes );
    tcase_add_test( test, other_users );
    suite_add_tcase( suite, test );
    return harness_main( suite );
}
