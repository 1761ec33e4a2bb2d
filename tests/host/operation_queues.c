/*
 * The queues of overlapped operations, without a loader: dlls/ws2host/operations on real sockets. What waits goes on in the order
 * in which it was started, ends once and is told of once, in the order of the ends; what is cancelled takes nothing of the
 * others' data; the end of a descriptor ends all that waits in its queues.
 *
 * One thread, which is the program, the I/O loop and the one that tells, unless a test says otherwise.
 */
#include <pthread.h>
#include "base/io_loop.h"
#include "winsock.h"

#define LISTENER 0x80
#define CLIENT 0x100
#define SERVER 0x104
#define ACCEPTOR( i ) ( 0x200 + 4 * ( i ) )
#define MOST 4096

/* What has been told, in that order. */
static struct ws2_completion told[MOST];
static unsigned int told_count;

static struct sockaddr_in there;
static char buffers[MOST][8];

static void begin( void )
{
    harness_begin();
    harness_start_server();
    ck_assert( winsock_attach( 0x20 ) );
    ck_assert( winsock_listen( LISTENER, &there ) );
}

/* A connection: CLIENT and SERVER. */
static void connect_pair( void ) { winsock_connect( LISTENER, &there, CLIENT, SERVER ); }

/* Tells of all that has ended by now. */
static void fetch( void )
{
    static struct ws2_operation_fetch_params fetch;

    do {
        ck_assert_int_eq( unix_operation_fetch( &fetch ), 0 );
        for ( uint32_t i = 0; i < fetch.count; i++ )
        {
            const struct ws2_completion *completion = &fetch.completions[i];

            ck_assert_uint_lt( told_count, MOST );
            told[told_count++] = *completion;
            winsock_told( completion );
        }
    } while ( fetch.count );
}

/* The I/O loop goes on until so many have been told of. */
static void serve_until( unsigned int count )
{
    static struct ws2_io_wait_params wait;

    fetch();
    while ( told_count < count )
    {
        unix_io_wait( &wait );
        fetch();
    }
    ck_assert_uint_eq( told_count, count );
}

/* As the I/O loop does when the host says ready. */
static void serve( uint64_t handle )
{
    NTSTATUS status;
    struct descriptor *d = descriptor_acquire( handle, &status );

    ck_assert_ptr_nonnull( d );
    operation_serve( d );
    descriptor_release( d );
}

/* Some bytes, while what waits in the queues of the other end goes on. */
static uint32_t receive_and_serve( char *buffer, uint32_t size )
{
    struct ws2_transfer_params params = { .handle = SERVER, .buffer = user( buffer ), .size = size };

    serve( CLIENT );
    while ( unix_recv( &params ) == WS2_STATUS_ALERT ) serve( CLIENT );
    ck_assert_int_eq( params.error, 0 );
    ck_assert_uint_gt( params.done, 0 );
    return params.done;
}

static struct ws2_operation operation( uint64_t handle, uint64_t iosb )
{
    return ( struct ws2_operation ){ .handle = handle, .target = { .iosb = iosb, .event = 4, .thread_id = 1 } };
}

/* Of `size` bytes into the buffer of that number, which is the request's name, too. */
static struct ws2_operation receive_as( struct ws2_operation operation, unsigned int number, uint32_t size,
                                        uint32_t flags )
{
    struct windows_buffer buffer = { .size = size, .pointer = user( buffers[number] ) };
    struct ws2_operation_transfer_params params = {
        .operation = operation, .buffers = user( &buffer ), .count = 1, .flags = flags
    };

    ck_assert_int_eq( unix_operation_receive( &params ), 0 );
    return params.operation;
}

static void queue_receive( unsigned int number, uint32_t size )
{
    ck_assert_int_eq( receive_as( operation( SERVER, number ), number, size, 0 ).error, WSA_IO_PENDING );
}

static struct ws2_operation send_as( struct ws2_operation operation, const void *bytes, uint32_t size )
{
    struct windows_buffer buffer = { .size = size, .pointer = user( bytes ) };
    struct ws2_operation_transfer_params params = { .operation = operation, .buffers = user( &buffer ), .count = 1 };

    ck_assert_int_eq( unix_operation_send( &params ), 0 );
    return params.operation;
}

static void send_now( uint64_t handle, const char *bytes, uint32_t size )
{
    struct ws2_transfer_params params = { .handle = handle, .buffer = user( bytes ), .size = size };

    while ( unix_send( &params ) == WS2_STATUS_ALERT ) continue;
    ck_assert_int_eq( params.error, 0 );
}

static uint32_t cancel( uint64_t handle, uint64_t iosb, uint32_t thread_id )
{
    struct ws2_operation_cancel_params params = { .handle = handle, .iosb = iosb, .thread_id = thread_id };

    ck_assert_int_eq( unix_operation_cancel( &params ), 0 );
    ck_assert_int_eq( params.error, 0 );
    return params.count;
}

static void check_told( unsigned int i, uint64_t iosb, int32_t error, uint64_t information )
{
    ck_assert_uint_lt( i, told_count );
    ck_assert_uint_eq( told[i].target.iosb, iosb );
    ck_assert_int_eq( told[i].error, error );
    ck_assert_uint_eq( told[i].information, information );
}

static void end( void )
{
    const unsigned int count = told_count;

    winsock_close( CLIENT );
    winsock_close( SERVER );
    winsock_close( LISTENER );
    fetch();
    ck_assert_uint_eq( told_count, count ); /* nothing twice */
    harness_end();
}

/* --- order --------------------------------------------------------------------------------------------------------------*/

START_TEST( receives_in_order )
{
    char bytes[400];

    begin();
    connect_pair();
    for ( unsigned int i = 0; i < sizeof( bytes ); i++ ) bytes[i] = i;
    for ( unsigned int i = 0; i < 100; i++ ) queue_receive( i, 4 );
    /* some at a time, and then more at once than are fetched by one call */
    send_now( CLIENT, bytes, 6 );
    serve_until( 2 );
    send_now( CLIENT, bytes + 6, 2 );
    send_now( CLIENT, bytes + 8, sizeof( bytes ) - 8 - 2 );
    serve_until( 100 );
    for ( unsigned int i = 0; i < 100; i++ )
    {
        /* the second had the two bytes that were there */
        const unsigned int at = i < 2 ? 4 * i : 4 * i - 2;

        check_told( i, i, 0, i == 1 ? 2 : 4 );
        ck_assert_mem_eq( buffers[i], bytes + at, i == 1 ? 2 : 4 );
    }
    end();
}
END_TEST

/* Sends that wait are whole, one after the other, and so is what is sent without waiting behind them. */
START_TEST( sends_in_order )
{
    static char bytes[8][1 << 20], back[1 << 16];
    unsigned int pending = 0;
    size_t total = 0;

    begin();
    connect_pair();
    for ( unsigned int i = 0; i < 8; i++ )
    {
        struct ws2_operation sent;

        memset( bytes[i], 'a' + i, sizeof( bytes[i] ) );
        sent = send_as( operation( CLIENT, i ), bytes[i], sizeof( bytes[i] ) );
        if ( sent.error ) ck_assert_int_eq( sent.error, WSA_IO_PENDING );
        else ck_assert_uint_eq( pending, 0 ); /* nobody goes past those that wait */
        pending += sent.error == WSA_IO_PENDING;
    }
    ck_assert_uint_ge( pending, 2 );
    while ( total < sizeof( bytes ) )
    {
        const uint32_t count = receive_and_serve( back, sizeof( back ) );

        ck_assert_uint_le( total + count, sizeof( bytes ) );
        ck_assert_mem_eq( back, (char *)bytes + total, count );
        total += count;
    }
    serve_until( pending );
    for ( unsigned int i = 0; i < pending; i++ ) check_told( i, 8 - pending + i, 0, sizeof( bytes[0] ) );
    end();
}
END_TEST

/* The peer ends: all that wait are told, in order. */
START_TEST( end_of_stream )
{
    struct ws2_shutdown_params shutdown = { .handle = CLIENT, .how = 1 };

    begin();
    connect_pair();
    for ( unsigned int i = 0; i < 20; i++ ) queue_receive( i, 4 );
    send_now( CLIENT, "abcdef", 6 );
    ck_assert( !unix_shutdown( &shutdown ) && !shutdown.error );
    serve_until( 20 );
    check_told( 0, 0, 0, 4 );
    check_told( 1, 1, 0, 2 );
    for ( unsigned int i = 2; i < 20; i++ ) check_told( i, i, 0, 0 );
    end();
}
END_TEST

/* --- cancelling ---------------------------------------------------------------------------------------------------------*/

START_TEST( cancelled )
{
    begin();
    connect_pair();
    for ( unsigned int i = 1; i <= 5; i++ ) queue_receive( i, 4 );
    ck_assert_uint_eq( cancel( SERVER, 3, 0 ), 1 );
    ck_assert_uint_eq( cancel( SERVER, 3, 0 ), 0 );
    ck_assert_uint_eq( cancel( SERVER, 5, 0 ), 1 ); /* the last: what comes next stands behind the fourth */
    ck_assert_uint_eq( cancel( SERVER, 1, 0 ), 1 ); /* and the first */
    ck_assert_uint_eq( cancel( CLIENT, 2, 0 ), 0 ); /* through another handle nothing */
    ck_assert_uint_eq( cancel( SERVER, 0, 2 ), 0 ); /* nor another thread's */
    queue_receive( 6, 4 );
    send_now( CLIENT, "aaaabbbbcccc", 12 );
    serve_until( 6 );
    check_told( 0, 3, WSA_OPERATION_ABORTED, 0 );
    check_told( 1, 5, WSA_OPERATION_ABORTED, 0 );
    check_told( 2, 1, WSA_OPERATION_ABORTED, 0 );
    check_told( 3, 2, 0, 4 );
    check_told( 4, 4, 0, 4 );
    check_told( 5, 6, 0, 4 );
    ck_assert_mem_eq( buffers[2], "aaaa", 4 );
    ck_assert_mem_eq( buffers[4], "bbbb", 4 );
    ck_assert_mem_eq( buffers[6], "cccc", 4 );

    /* all of a thread's, and a queue that is empty takes the next */
    for ( unsigned int i = 7; i < 10; i++ ) queue_receive( i, 4 );
    ck_assert_uint_eq( cancel( SERVER, 0, 1 ), 3 );
    queue_receive( 10, 4 );
    send_now( CLIENT, "dddd", 4 );
    serve_until( 10 );
    for ( unsigned int i = 6; i < 9; i++ ) check_told( i, i + 1, WSA_OPERATION_ABORTED, 0 );
    check_told( 9, 10, 0, 4 );
    ck_assert_mem_eq( buffers[10], "dddd", 4 );

    /* of every socket */
    queue_receive( 11, 4 );
    ck_assert_int_eq( receive_as( operation( CLIENT, 12 ), 12, 4, 0 ).error, WSA_IO_PENDING );
    ck_assert_uint_eq( cancel( 0, 0, 1 ), 2 );
    serve_until( 12 );
    end();
}
END_TEST

/* A send of which a part has gone: nobody is told before it is released, and then once. */
START_TEST( held )
{
    static char much[1 << 24], back[1 << 16];
    struct ws2_operation sent = operation( CLIENT, 1 );

    begin();
    connect_pair();
    sent.how = WS2_OPERATION_TRY;
    sent = send_as( sent, much, sizeof( much ) );
    ck_assert_int_eq( sent.error, WSA_IO_PENDING );
    ck_assert_uint_ne( sent.held, 0 );
    ck_assert_int_eq( send_as( operation( CLIENT, 2 ), much, 1 ).error, WSA_IO_PENDING );
    if ( _i )
    {
        ck_assert_uint_eq( cancel( CLIENT, 1, 0 ), 0 ); /* not yet */
        fetch();
        ck_assert_uint_eq( told_count, 0 );
        ck_assert_int_eq( unix_operation_release( &sent ), 0 );
        serve_until( 1 );
        ck_assert_uint_eq( told[0].target.iosb, 1 );
        ck_assert_int_eq( told[0].error, WSA_OPERATION_ABORTED );
        ck_assert( told[0].information > 0 && told[0].information < sizeof( much ) ); /* that much has gone */
        ck_assert_uint_eq( cancel( CLIENT, 2, 0 ), 1 );
        serve_until( 2 );
        check_told( 1, 2, WSA_OPERATION_ABORTED, 0 );
    }
    else
    {
        ck_assert_int_eq( unix_operation_release( &sent ), 0 );
        for ( size_t total = 0; total < sizeof( much ) + 1; ) total += receive_and_serve( back, sizeof( back ) );
        serve_until( 2 );
        check_told( 0, 1, 0, sizeof( much ) );
        check_told( 1, 2, 0, 1 );
    }
    end();
}
END_TEST

/* --- the end of a descriptor --------------------------------------------------------------------------------------------*/

START_TEST( closed )
{
    static char much[1 << 24];
    static char back[1 << 16];
    const struct ws2_transfer_params again = { .handle = CLIENT, .buffer = user( back ), .size = sizeof( back ) };
    struct ws2_transfer_params receive;
    unsigned int ends[6] = { 0 };

    begin();
    connect_pair();
    for ( unsigned int i = 0; i < 3; i++ ) queue_receive( i, 4 );
    for ( unsigned int i = 3; i < 6; i++ )
        ck_assert_int_eq( send_as( operation( SERVER, i ), much, sizeof( much ) ).error, WSA_IO_PENDING );
    ck_assert( winsock_close( SERVER ) );
    fetch();
    ck_assert_uint_eq( told_count, 6 );
    for ( unsigned int i = 0; i < 6; i++ )
    {
        const uint64_t which = told[i].target.iosb;
        const int sends = which >= 3;

        ck_assert_uint_lt( which, 6 );
        ck_assert_uint_eq( ends[which]++, 0 );
        ck_assert_int_eq( told[i].error, sends ? WSA_OPERATION_ABORTED : WSAECONNABORTED );
        if ( !sends || which > 3 ) ck_assert_uint_eq( told[i].information, 0 );
        if ( i && which < 3 && told[i - 1].target.iosb < 3 ) ck_assert_uint_lt( told[i - 1].target.iosb, which );
    }
    /* and nothing holds the host socket any more: its peer comes to the end */
    do {
        receive = again;
        while ( unix_recv( &receive ) == WS2_STATUS_ALERT ) continue;
    } while ( !receive.error && receive.done );
    fetch();
    ck_assert_uint_eq( told_count, 6 );
    end();
}
END_TEST

/* --- AcceptEx, whose operations go from one queue to another -------------------------------------------------------------*/

static void queue_accept( unsigned int i, uint32_t receive_size )
{
    static char answers[8][1024];
    struct ws2_operation_accept_params params = { .operation = operation( LISTENER, 100 + i ),
                                                  .acceptor = ACCEPTOR( i ),
                                                  .buffer = user( answers[i] ),
                                                  .receive_size = receive_size,
                                                  .local_size = 32,
                                                  .remote_size = 32 };

    ck_assert( winsock_make( SOCK_STREAM, ACCEPTOR( i ) ) );
    ck_assert_int_eq( unix_operation_accept( &params ), 0 );
    ck_assert_int_eq( params.operation.error, WSA_IO_PENDING );
}

static int connect_plain( void )
{
    int fd = socket( AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0 );

    ck_assert_int_eq( connect( fd, (struct sockaddr *)&there, sizeof( there ) ), 0 );
    return fd;
}

/* Whether the acceptor is the other end of that connection. */
static void check_accepted( unsigned int i, int client )
{
    struct sockaddr_in own, peer;
    socklen_t length = sizeof( own );
    NTSTATUS status;
    struct descriptor *d = descriptor_acquire( ACCEPTOR( i ), &status );

    ck_assert_ptr_nonnull( d );
    ck_assert_int_eq( getsockname( client, (struct sockaddr *)&own, &length ), 0 );
    ck_assert_int_eq( getpeername( d->fd, (struct sockaddr *)&peer, &length ), 0 );
    descriptor_release( d );
    ck_assert_int_eq( peer.sin_port, own.sin_port );
}

START_TEST( accepts )
{
    int clients[5];

    begin();
    for ( unsigned int i = 0; i < 5; i++ ) queue_accept( i, i == 1 || i == 2 ? 16 : 0 );
    /* the end of an acceptor is the end of its request only */
    ck_assert( winsock_close( ACCEPTOR( 3 ) ) );
    fetch();
    ck_assert_uint_eq( told_count, 1 );
    check_told( 0, 103, WSA_OPERATION_ABORTED, 0 );
    /* first come, first served; two of them go on in their acceptors' queues and wait for data there */
    for ( unsigned int i = 0; i < 3; i++ ) clients[i] = connect_plain();
    serve_until( 2 );
    check_told( 1, 100, 0, 0 );
    check_accepted( 0, clients[0] );
    ck_assert_int_eq( write( clients[1], "hello", 5 ), 5 );
    serve_until( 3 );
    check_told( 2, 101, 0, 5 );
    check_accepted( 1, clients[1] );
    /* the one that has a connection, and waits for data in another queue, is the listener's still */
    ck_assert_uint_eq( cancel( ACCEPTOR( 2 ), 0, 0 ), 0 );
    ck_assert_uint_eq( cancel( LISTENER, 102, 0 ), 1 );
    /* and the end of the listener ends what is left */
    ck_assert( winsock_close( LISTENER ) );
    serve_until( 5 );
    check_told( 3, 102, WSA_OPERATION_ABORTED, 0 );
    check_told( 4, 104, WSA_OPERATION_ABORTED, 0 );
    for ( unsigned int i = 0; i < 5; i++ )
        if ( i != 3 ) ck_assert( winsock_close( ACCEPTOR( i ) ) );
    for ( unsigned int i = 0; i < 3; i++ ) close( clients[i] );
    end();
}
END_TEST

/* --- each once, in several threads --------------------------------------------------------------------------------------*/

#define RECEIVES 1000

static _Atomic unsigned int ended[RECEIVES];
static _Atomic int32_t end_error[RECEIVES];
static _Atomic uint32_t end_size[RECEIVES], ends;
static _Atomic unsigned int started, cancels;

static __attribute__( ( noreturn ) ) void *io_thread( void *unused )
{
    static struct ws2_io_wait_params wait;
    static struct ws2_operation_fetch_params fetch;

    (void)unused;
    for ( ;; )
    {
        unix_io_wait( &wait );
        do {
            unix_operation_fetch( &fetch );
            for ( uint32_t i = 0; i < fetch.count; i++ )
            {
                const uint64_t which = fetch.completions[i].target.iosb - 1;

                atomic_store( &end_error[which], fetch.completions[i].error );
                atomic_store( &end_size[which], (uint32_t)fetch.completions[i].information );
                atomic_fetch_add( &ended[which], 1 );
                winsock_told( &fetch.completions[i] );
                atomic_fetch_add( &ends, 1 );
            }
        } while ( fetch.count );
    }
}

static void *cancel_some( void *unused )
{
    unsigned int seed = 1, last;

    (void)unused;
    while ( ( last = atomic_load( &started ) ) < RECEIVES )
    {
        if ( last && cancel( SERVER, last - rand_r( &seed ) % last % 4, 0 ) )
        {
            atomic_fetch_add( &cancels, 1 );
            io_loop_wake();
        }
        sched_yield();
    }
    return NULL;
}

static _Atomic uint64_t sent_bytes;

static void *send_some( void *unused )
{
    unsigned int seed = 2, messages = 0;
    char bytes[16];

    (void)unused;
    while ( atomic_load( &started ) < RECEIVES )
    {
        const uint32_t size = 1 + rand_r( &seed ) % sizeof( bytes );

        for ( uint32_t i = 0; i < size; i++ ) bytes[i] = (char)( sent_bytes + i );
        send_now( CLIENT, bytes, size );
        sent_bytes += size;
        /* less than is waited for: a message ends some receives only */
        while ( ++messages > atomic_load( &started ) / 8 + 4 && atomic_load( &started ) < RECEIVES )
            sched_yield(), messages--;
    }
    return NULL;
}

START_TEST( once )
{
    pthread_t io, sender, canceller;
    uint64_t received = 0, aborted = 0;
    static char received_by[RECEIVES][8];

    begin();
    connect_pair();
    pthread_create( &io, NULL, io_thread, NULL );
    pthread_create( &sender, NULL, send_some, NULL );
    pthread_create( &canceller, NULL, cancel_some, NULL );
    for ( unsigned int i = 0; i < RECEIVES; i++ )
    {
        struct windows_buffer buffer = { .size = 1 + i % 8, .pointer = user( received_by[i] ) };
        struct ws2_operation_transfer_params params = { .operation = operation( SERVER, i + 1 ),
                                                        .buffers = user( &buffer ),
                                                        .count = 1 };

        /* the others are at it, too: by then more is asked for than may have been sent */
        if ( i == 300 )
            while ( !atomic_load( &cancels ) || !atomic_load( &sent_bytes ) ) sched_yield();
        ck_assert_int_eq( unix_operation_receive( &params ), 0 );
        if ( params.operation.error != WSA_IO_PENDING )
        {
            ck_assert_int_eq( params.operation.error, 0 );
            atomic_store( &end_size[i], (uint32_t)params.operation.information );
            atomic_fetch_add( &ended[i], 1 );
            atomic_fetch_add( &ends, 1 );
        }
        atomic_store( &started, i + 1 );
    }
    pthread_join( sender, NULL );
    pthread_join( canceller, NULL );
    if ( cancel( SERVER, 0, 0 ) ) io_loop_wake();
    eventually( atomic_load( &ends ) == RECEIVES );
    for ( unsigned int i = 0; i < RECEIVES; i++ )
    {
        ck_assert_uint_eq( ended[i], 1 );
        if ( end_error[i] )
        {
            ck_assert_int_eq( end_error[i], WSA_OPERATION_ABORTED );
            ck_assert_uint_eq( end_size[i], 0 );
            aborted++;
            continue;
        }
        /* in the order of their starts, without a gap where one was cancelled */
        for ( uint32_t j = 0; j < end_size[i]; j++ ) ck_assert_int_eq( received_by[i][j], (char)( received + j ) );
        received += end_size[i];
    }
    ck_assert_uint_gt( aborted, 0 );
    ck_assert_uint_gt( received, 0 );
    ck_assert_uint_le( received, sent_bytes );
    ck_assert( winsock_close( SERVER ) && winsock_close( CLIENT ) && winsock_close( LISTENER ) );
    harness_end();
}
END_TEST

int main( void )
{
    Suite *suite = suite_create( "operation_queues" );
    TCase *test = tcase_create( "operation_queues" );

    tcase_set_timeout( test, 120 );
    tcase_add_test( test, receives_in_order );
    tcase_add_test( test, sends_in_order );
    tcase_add_test( test, end_of_stream );
    tcase_add_test( test, cancelled );
    tcase_add_loop_test( test, held, 0, 2 );
    tcase_add_test( test, closed );
    tcase_add_test( test, accepts );
    tcase_add_test( test, once );
    suite_add_tcase( suite, test );
    return harness_main( suite );
}
