/*
 * Descriptors that are closed while other threads use them: a closer ends sockets under threads that receive, send, select,
 * poll, register events and wait for one, begin and cancel overlapped operations, ask \Device\Afd, register notifications, duplicate and
 * redeem, in all combinations; their handle values are used again at once. Nobody hangs, no call returns what it cannot,
 * and nothing is left: no host descriptor and no slot.
 *
 * The real host half and the real server; `make check-races` builds both with ThreadSanitizer. RACES_SECONDS (0.5) is
 * the time of each mix of threads.
 */
#include <pthread.h>
#include "winsock.h"

#define PID 0x20
#define PAIRS 6 /* handles 2i and 2i+1 are the ends of a connection */
#define HANDLES ( 2 * PAIRS )
#define WORKERS 5
#define AGAIN 4u
#define KEPT \
    ( 26 + WORKERS ) /* descriptors that stay: connections, epolls, the served event's, a wake-up for each thread */

static _Atomic int stop;
static _Atomic uint64_t calls, closes, completions, wrong;
static _Atomic int32_t wrong_code;
static const char *_Atomic wrong_call;

struct worker
{
    pthread_t thread;
    unsigned int seed;
    uint32_t mix;
    uint32_t number;
    char buffer[4096];
};

/* Values as the loader gives them: each pair of a handle has one owner at a time, the thread that made it. */
static uint64_t handle_at( unsigned int i ) { return 0x100 + 4 * i; }

static int is_end( int32_t error )
{
    switch ( error )
    {
    case 0:
    case WSA_IO_PENDING:
    case WSAEWOULDBLOCK:
    case WSAENOTSOCK:
    case WSAEINTR:
    case WSA_OPERATION_ABORTED:
    case WSAETIMEDOUT:
    case WSAENOTCONN:
    case WSAECONNRESET:
    case WSAECONNABORTED:
    case WSAESHUTDOWN:
    case WSAEINVAL:
    case WS2_ERROR_NOT_FOUND:
    case WSA_INVALID_PARAMETER:
    case WSAEISCONN:
    case WSAEALREADY: return 1;
    }
    return 0;
}

/* What a call came to: the PE half turns these statuses into "no such socket" and another turn. */
static void note( const char *name, NTSTATUS status, int32_t error )
{
    atomic_fetch_add_explicit( &calls, 1, memory_order_relaxed );
    if ( status == WS2_STATUS_ADOPT || status == WS2_STATUS_CLOSED || status == WS2_STATUS_ALERT ) return;
    if ( !status && is_end( error ) ) return;
    if ( atomic_fetch_add( &wrong, 1 ) ) return;
    wrong_code = status ? status : error;
    wrong_call = name;
}
#define check_call( name, params, error ) note( #name, unix_##name( &( params ) ), error )

/* --- the process's parts of the PE half ---------------------------------------------------------------------------------*/

static __attribute__( ( noreturn ) ) void *io_thread( void *unused )
{
    static struct ws2_io_wait_params wait;
    static struct ws2_operation_fetch_params fetch;
    static struct ws2_notify_fetch_params notify;

    (void)unused;
    for ( ;; )
    {
        unix_io_wait( &wait );
        do {
            unix_operation_fetch( &fetch );
            for ( uint32_t i = 0; i < fetch.count; i++ )
            {
                winsock_copy( &fetch.completions[i] );
                winsock_told( &fetch.completions[i] );
                atomic_fetch_add( &completions, 1 );
            }
        } while ( fetch.count );
        do unix_notify_fetch( &notify );
        while ( notify.count );
    }
}

/* --- making and closing -----------------------------------------------------------------------------------------------*/

static pthread_mutex_t owners[PAIRS]; /* whoever makes and closes a pair; those that use it hold nothing */

static uint64_t listener_handle = 0x80;
static struct sockaddr_in listener_address;

static void close_one( uint64_t handle )
{
    if ( winsock_close( handle ) ) atomic_fetch_add_explicit( &closes, 1, memory_order_relaxed );
}

static void make_pair( unsigned int pair )
{
    const uint64_t client = handle_at( 2 * pair ), server = handle_at( 2 * pair + 1 );
    struct ws2_address_params connect = { .handle = client,
                                          .address = user( &listener_address ),
                                          .size = sizeof( listener_address ) };
    struct ws2_accept_params accept = { .handle = listener_handle };
    struct ws2_socket_install_params install = { .handle = server };
    NTSTATUS status;

    if ( pair == PAIRS - 1 )
    {
        winsock_make( SOCK_DGRAM, client );
        winsock_make( SOCK_DGRAM, server );
        return;
    }
    if ( !winsock_make( SOCK_STREAM, client ) ) return;
    while ( ( status = unix_connect( &connect ) ) == WS2_STATUS_ALERT ) continue;
    note( "connect", status, connect.error );
    /* not necessarily the one just connected: any will do */
    while ( ( status = unix_accept( &accept ) ) == WS2_STATUS_ALERT && !atomic_load( &stop ) ) continue;
    if ( status || accept.error ) return;
    install.descriptor = accept.descriptor;
    unix_socket_install( &install );
}

static void renew( unsigned int pair )
{
    if ( pthread_mutex_trylock( &owners[pair] ) ) return;
    close_one( handle_at( 2 * pair ) );
    close_one( handle_at( 2 * pair + 1 ) );
    make_pair( pair );
    pthread_mutex_unlock( &owners[pair] );
}

/* --- what the threads do ------------------------------------------------------------------------------------------------*/

static int over( const struct ws2_wait *wait ) { return atomic_load( &stop ) || ( wait->slice > 20 ); }

static void do_close( struct worker *w, uint64_t handle )
{
    (void)w;
    /* with the loader's lock on the value: it is used again at once, by renew */
    renew( ( handle - 0x100 ) / 8 );
}

static void do_receive( struct worker *w, uint64_t handle )
{
    struct ws2_transfer_params params = { .handle = handle, .buffer = user( w->buffer ), .size = 256 };
    NTSTATUS status;

    while ( ( status = unix_recv( &params ) ) == WS2_STATUS_ALERT && !over( &params.wait ) ) continue;
    note( "recv", status, params.error );
}

static void do_send( struct worker *w, uint64_t handle )
{
    struct ws2_transfer_params params = { .handle = handle,
                                          .buffer = user( w->buffer ),
                                          .size = 1 + rand_r( &w->seed ) % 256 };
    NTSTATUS status;

    while ( ( status = unix_send( &params ) ) == WS2_STATUS_ALERT && !over( &params.wait ) ) continue;
    note( "send", status, params.error );
}

static void do_select( struct worker *w, uint64_t handle )
{
    struct
    {
        uint32_t count, padding;
        uint64_t handles[2];
    } both = { 2, 0, { handle, handle_at( rand_r( &w->seed ) % HANDLES ) } }, read = both, except = both;
    struct ws2_select_params params = { .read = user( &read ), .except = user( &except ) };
    NTSTATUS status;

    /* what is asked again is remembered */
    for ( unsigned int i = 0; i < AGAIN; i++ )
    {
        status = unix_select( &params );
        note( "select", status, params.error );
        read = except = both;
    }
    params.timeout = 20000;
    while ( ( status = unix_select( &params ) ) == WS2_STATUS_ALERT && !over( &params.wait ) ) continue;
    note( "select", status, params.error );
}

static void do_poll( struct worker *w, uint64_t handle )
{
    struct
    {
        uint64_t fd;
        int16_t events, revents;
        uint32_t padding;
    } fds[3] = { { handle, 0x300, 0, 0 },
                 { handle_at( rand_r( &w->seed ) % HANDLES ), 0x310, 0, 0 },
                 { handle_at( rand_r( &w->seed ) % HANDLES ), 0x100, 0, 0 } };
    struct ws2_poll_params params = { .fds = user( fds ), .count = 3 };
    NTSTATUS status;

    for ( unsigned int i = 0; i < AGAIN; i++ )
    {
        status = unix_poll( &params );
        note( "poll", status, params.error );
    }
    params.timeout = 20;
    while ( ( status = unix_poll( &params ) ) == WS2_STATUS_ALERT && !over( &params.wait ) ) continue;
    note( "poll", status, params.error );
}

/* As often and as many as the thread's memory of what it polls takes to make an epoll of it. */
static void do_poll_often( struct worker *w, uint64_t handle )
{
    struct
    {
        uint64_t fd;
        int16_t events, revents;
        uint32_t padding;
    } fds[20];
    struct ws2_poll_params params = { .fds = user( fds ), .count = 20 };

    for ( unsigned int i = 0; i < params.count; i++ )
    {
        fds[i].fd = i ? handle_at( rand_r( &w->seed ) % HANDLES ) : handle;
        fds[i].events = rand_r( &w->seed ) % 2 ? 0x100 : 0x310;
    }
    for ( unsigned int i = 0; i < 80 && !atomic_load( &stop ); i++ )
    {
        NTSTATUS status = unix_poll( &params );

        note( "poll", status, params.error );
    }
}

static void do_events( struct worker *w, uint64_t handle )
{
    struct ws2_event_select_params select = { .handle = handle,
                                              .mask = rand_r( &w->seed ) % 3 ? 0x3f : 0,
                                              .target = 0x1000,
                                              .message = rand_r( &w->seed ) % 8 ? 0 : 0x400 };
    struct ws2_event_enum_params take = { .handle = handle };
    struct ws2_ioctl_params blocking = { .handle = handle,
                                         .code = 0x8004667e,
                                         .in = user( &( uint32_t ){ 0 } ),
                                         .in_size = 4,
                                         .has_count = 1,
                                         .change_fd = -1 };

    check_call( event_select, select, select.error );
    check_call( event_enum, take, take.error );
    if ( !select.mask ) check_call( ioctl, blocking, blocking.error );
}

static struct ws2_operation operation_for( struct worker *w, uint64_t handle )
{
    return ( struct ws2_operation ){
        .handle = handle,
        .target = { .iosb = 1 + w->number, .event = rand_r( &w->seed ) & 4, .thread_id = 1 + w->number }
    };
}

/* What an operation may still read and write when its thread has gone on. Several may write to one buffer at a time. */
static const char sent[256];
static char received[256];
static char answered[256];

const char *__tsan_default_suppressions( void );
const char *__tsan_default_suppressions( void ) { return "race:received\nrace:answered\n"; }

/* An event that is served: threads wait for it, alone or several at once, and look what has set it. */
static struct ws2_served_event served_event;

static void serve_event( void )
{
    struct ws2_event_serve_params serve = { .target = 0x1000, .state = user( &served_event ), .serve = 1 };

    check_call( event_serve, serve, serve.error );
}

static void do_wait( struct worker *w, uint64_t handle )
{
    struct ws2_event_wait_params wait = { .mask = 1, .timeout = rand_r( &w->seed ) % 3 ? 2000 : 0 };
    struct ws2_event_wake_params wake = { .mask = 1 };
    struct ws2_event_select_params select = { .handle = handle, .mask = 0x3f, .target = 0x1000 };

    wait.release = !wait.timeout && rand_r( &w->seed ) % 2;
    wait.seen[0] = atomic_load( (_Atomic uint32_t *)&served_event.sets );
    check_call( event_select, select, select.error );
    check_call( event_wait, wait, wait.error );
    atomic_store( (_Atomic uint32_t *)&served_event.deferred, 0 );
    if ( rand_r( &w->seed ) % 4 == 0 ) check_call( event_wake, wake, wake.error );
}

static void do_overlapped( struct worker *w, uint64_t handle )
{
    struct windows_buffer buffer = { .size = 1 + rand_r( &w->seed ) % 255, .pointer = user( received ) };
    struct ws2_operation_transfer_params params = { .operation = operation_for( w, handle ),
                                                    .buffers = user( &buffer ),
                                                    .count = 1 };
    struct ws2_operation_cancel_params cancel = { .handle = rand_r( &w->seed ) % 8 ? handle : 0,
                                                  .iosb = 1 + w->number };

    if ( rand_r( &w->seed ) % 2 ) check_call( operation_receive, params, params.operation.error );
    else
    {
        buffer.pointer = user( sent );
        check_call( operation_send, params, params.operation.error );
    }
    if ( rand_r( &w->seed ) % 2 ) check_call( operation_cancel, cancel, cancel.error );
}

static void do_afd( struct worker *w, uint64_t handle )
{
    struct
    {
        struct ws2_afd_poll_header header;
        struct ws2_afd_poll_entry entries[2];
    } input = { { -100000, 2, 0 }, { { handle, 0x1ff, 0 }, { handle_at( rand_r( &w->seed ) % HANDLES ), 0xa9, 0 } } };
    struct ws2_afd_poll_params params = { .operation = operation_for( w, handle ),
                                          .input = user( &input ),
                                          .input_size = sizeof( input ),
                                          .output = user( answered ),
                                          .output_size = sizeof( input ) };
    struct ws2_operation_cancel_params cancel = { .handle = handle, .iosb = 1 + w->number };

    check_call( afd_poll, params, params.operation.error );
    if ( rand_r( &w->seed ) % 4 == 0 ) check_call( operation_cancel, cancel, cancel.error );
}

static void do_notify( struct worker *w, uint64_t handle )
{
    struct ws2_notify_register_params params = { .handle = handle,
                                                 .port = 0x500,
                                                 .key = 1,
                                                 .filter = 0xf,
                                                 .operation = 1u << rand_r( &w->seed ) % 3,
                                                 .trigger = rand_r( &w->seed ) % 2 ? 1 : 4 };
    struct ws2_notify_taken_params taken = {
        .port = 0x500, .how = rand_r( &w->seed ) % 3, .count = 1, .handles = user( &handle )
    };

    check_call( notify_register, params, params.error );
    check_call( notify_taken, taken, taken.error );
}

/* A ticket for this very process: the socket is shared from then on, and closed through the server. */
static void do_share( struct worker *w, uint64_t handle )
{
    struct ws2_duplicate_params duplicate = { .handle = handle, .target = PID };
    struct ws2_redeem_params redeem = { 0 };
    struct ws2_socket_install_params install = { .handle = 0x800 + 4 * w->number };

    check_call( duplicate, duplicate, duplicate.error );
    if ( !( redeem.ticket = duplicate.ticket ) || duplicate.error ) return;
    check_call( redeem, redeem, redeem.error );
    if ( redeem.error ) return;
    install.descriptor = redeem.descriptor;
    unix_socket_install( &install );
    do_send( w, install.handle );
    close_one( install.handle );
}

static void do_ask( struct worker *w, uint64_t handle )
{
    char name[128];
    int32_t size = sizeof( name ), value = 0, length = sizeof( value );
    struct ws2_address_params address = { .handle = handle, .address = user( name ), .size_pointer = user( &size ) };
    struct ws2_option_params option = {
        .handle = handle, .level = 0xffff, .name = 0x1007, .value = user( &value ), .length = user( &length )
    };
    struct ws2_port_params port = { .handle = handle, .port = { .handle = 0x300, .key = w->number } };
    struct ws2_thread_params thread = { .thread = 1 + rand_r( &w->seed ) % WORKERS };

    check_call( getsockname, address, address.error );
    check_call( getsockopt, option, option.error );
    check_call( port_query, port, port.error );
    check_call( wait_alert, thread, thread.error );
}

static void do_disconnect( struct worker *w, uint64_t handle )
{
    struct ws2_shutdown_params params = { .handle = handle, .how = rand_r( &w->seed ) % 3 };
    NTSTATUS status = unix_shutdown( &params );

    note( "shutdown", status, params.error );
}

static const struct
{
    const char *name;
    void ( *perform )( struct worker *w, uint64_t handle );
} kinds[] = { { "receive", do_receive },
              { "send", do_send },
              { "select", do_select },
              { "poll", do_poll },
              { "poll often", do_poll_often },
              { "events", do_events },
              { "wait", do_wait },
              { "overlapped", do_overlapped },
              { "afd", do_afd },
              { "notify", do_notify },
              { "share", do_share },
              { "ask", do_ask },
              { "disconnect", do_disconnect } };
#define KINDS ( sizeof( kinds ) / sizeof( kinds[0] ) )

static void *work( void *context )
{
    struct worker *w = context;
    struct ws2_thread_params self = { .thread = 1 + w->number };

    unix_wait_thread( &self );
    while ( !atomic_load( &stop ) )
    {
        const uint64_t handle = handle_at( rand_r( &w->seed ) % HANDLES );
        const uint32_t choice = rand_r( &w->seed ) % 8;

        /* the first worker closes, and so do the others now and then */
        if ( w->number == 0 || choice == 0 ) do_close( w, handle );
        else if ( choice < 6 ) kinds[w->mix].perform( w, handle );
        else kinds[( w->mix + w->number ) % KINDS].perform( w, handle );
    }
    return NULL;
}

/* --- the test -----------------------------------------------------------------------------------------------------------*/

static unsigned int milliseconds( void )
{
    const char *text = getenv( "RACES_SECONDS" );

    return text ? (unsigned int)( atof( text ) * 1000 ) : 500;
}

/* In a process of its own, which has one connection to the server: the exit status tells. */
static int run_mix( void *context )
{
    const uint32_t mix = *(const int *)context;
    struct worker *workers = calloc( WORKERS, sizeof( *workers ) );
    pthread_t io;
    uint64_t deadline;
    int before;

    if ( !winsock_attach( PID ) || !winsock_listen( listener_handle, &listener_address ) ) return 1;
    for ( unsigned int i = 0; i < PAIRS; i++ ) pthread_mutex_init( &owners[i], NULL ), make_pair( i );
    serve_event();
    pthread_create( &io, NULL, io_thread, NULL );
    for ( uint32_t i = 0; i < WORKERS; i++ )
    {
        workers[i].number = i;
        workers[i].mix = mix;
        workers[i].seed = getpid() + i;
        pthread_create( &workers[i].thread, NULL, work, &workers[i] );
    }
    usleep( milliseconds() * 1000 );
    atomic_store( &stop, 1 );
    deadline = harness_now() + 30000;
    /* what blocks for good ends with its socket, and what was lost has no socket that would end it */
    for ( uint32_t i = 0; i < WORKERS; i++ )
    {
        struct timespec until;

        clock_gettime( CLOCK_REALTIME, &until );
        until.tv_sec += ( deadline - harness_now() ) / 1000 + 1;
        if ( pthread_timedjoin_np( workers[i].thread, NULL, &until ) ) return 2;
    }
    for ( unsigned int i = 0; i < HANDLES; i++ ) close_one( handle_at( i ) );
    close_one( listener_handle );
    before = descriptors_of( getpid() );
    printf( "races: %s: %llu calls, %llu closes, %llu completions, %d descriptors\n", kinds[mix].name,
            (unsigned long long)calls, (unsigned long long)closes, (unsigned long long)completions, before );
    if ( atomic_load( &wrong ) )
    {
        printf( "races: %llu wrong results, the first %#x of %s\n", (unsigned long long)wrong, wrong_code, wrong_call );
        fflush( NULL );
        return 3;
    }
    for ( deadline = harness_now() + 10000; descriptors_of( getpid() ) > KEPT && harness_now() < deadline; )
        usleep( 10000 );
    fflush( NULL );
    if ( descriptors_of( getpid() ) > KEPT ) return 4;
    if ( closes < 10 ) return 5;
    return 0;
}

START_TEST( closed_under_threads )
{
    const int mix = _i;

    harness_begin();
    harness_start_server();
    ck_assert_int_eq( process_wait( process_start( run_mix, (void *)&mix ) ), 0 );
    eventually( harness_table_empty() );
    harness_end();
}
END_TEST

int main( void )
{
    Suite *suite = suite_create( "races" );
    TCase *test = tcase_create( "races" );

    tcase_set_timeout( test, 600 );
    tcase_add_loop_test( test, closed_under_threads, 0, KINDS );
    suite_add_tcase( suite, test );
    return harness_main( suite );
}
