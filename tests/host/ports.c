/*
 * Binding and closing, where no Windows program can count what is tried and asked: a port that a program of the host's has is
 * refused at once, however often; one that a socket of this process has is waited for only while that very socket is being
 * closed; closing a listener that was shared waits for no server. The real host half and the real server.
 */
#include <pthread.h>
#include <sys/syscall.h>
#include "client/counts.h"
#include "base/host_counts.h"
#include "descriptors/descriptor.h"
#include "winsock.h"

#define PID 0x20
#define LISTENER 0x80
#define OTHER 0x84
#define SOCKETS 0x100
#define TIMES 10

static _Atomic unsigned int binds; /* of the host half, and of the test */

int bind( int fd, __CONST_SOCKADDR_ARG address, socklen_t size )
{
    atomic_fetch_add( &binds, 1 );
    return syscall( SYS_bind, fd, address.__sockaddr__, size );
}

static uint64_t requests( void )
{
    uint64_t sum = 0;

    for ( unsigned int i = 0; i < WS2_COUNT_LINES; i++ ) sum += host_counts->lines[i].values[WS2_COUNT_REQUESTS];
    return sum;
}

static void begin( void )
{
    harness_begin();
    harness_start_server();
    ck_assert( winsock_attach( PID ) );
}

static int32_t bind_to( uint64_t handle, const struct sockaddr_in *there )
{
    struct ws2_address_params params = { .handle = handle, .address = user( there ), .size = sizeof( *there ) };

    ck_assert( !unix_bind( &params ) );
    return params.error;
}

/* A listener that has nothing to do with Windows, and where. */
static int listen_outside( struct sockaddr_in *there )
{
    const int fd = socket( AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0 );
    socklen_t size = sizeof( *there );

    *there = ( struct sockaddr_in ){ .sin_family = AF_INET, .sin_addr.s_addr = htonl( INADDR_LOOPBACK ) };
    ck_assert( !bind( fd, (const struct sockaddr *)there, size ) && !listen( fd, 1 ) );
    ck_assert( !getsockname( fd, (struct sockaddr *)there, &size ) );
    return fd;
}

/* Each time the server is asked, the host tried, and the server told, once. */
static void check_refused_at_once( const struct sockaddr_in *there )
{
    for ( unsigned int i = 0; i < TIMES; i++ )
    {
        const uint64_t handle = SOCKETS + 4 * ( i % 2 );
        const unsigned int tried = binds;
        uint64_t asked;

        ck_assert( winsock_make( SOCK_STREAM, handle ) );
        asked = requests();
        ck_assert_int_eq( bind_to( handle, there ), WSAEADDRINUSE );
        ck_assert_uint_eq( binds - tried, 1 );
        ck_assert_uint_le( requests() - asked, 2 );
        ck_assert_int_eq( bind_to( handle, there ), WSAEADDRINUSE );
        ck_assert_uint_eq( binds - tried, 2 );
        ck_assert( winsock_close( handle ) );
    }
}

START_TEST( refused_by_host )
{
    struct sockaddr_in there;
    int fd;

    begin();
    fd = listen_outside( &there );
    check_refused_at_once( &there );
    close( fd );
    /* and nothing is left of that */
    ck_assert( winsock_make( SOCK_STREAM, SOCKETS ) );
    ck_assert_int_eq( bind_to( SOCKETS, &there ), 0 );
    ck_assert( winsock_close( SOCKETS ) );
    harness_end();
}
END_TEST

static uint64_t asked_before;

/* Leaves the call that it is in with a socket once that has been asked for twice. */
static void *leave_late( void *context )
{
    eventually( requests() >= asked_before + 2 );
    descriptor_release( context );
    return NULL;
}

static struct descriptor *close_in_call( uint64_t handle )
{
    NTSTATUS status;
    struct descriptor *d = descriptor_acquire( handle, &status );

    ck_assert_ptr_nonnull( d );
    ck_assert( winsock_close( handle ) );
    return d;
}

static int32_t bind_new( const struct sockaddr_in *there, uint64_t *asked )
{
    uint64_t before;
    int32_t error;

    ck_assert( winsock_make( SOCK_STREAM, SOCKETS ) );
    before = requests();
    error = bind_to( SOCKETS, there );
    *asked = requests() - before;
    ck_assert( winsock_close( SOCKETS ) );
    return error;
}

START_TEST( refused_by_own )
{
    struct sockaddr_in there, elsewhere;
    struct descriptor *leaving;
    pthread_t thread;
    uint64_t asked;

    begin();
    ck_assert( winsock_listen( LISTENER, &there ) && winsock_listen( OTHER, &elsewhere ) );
    leaving = close_in_call( OTHER );
    /* whatever else is being closed */
    ck_assert_int_eq( bind_new( &there, &asked ), WSAEADDRINUSE );
    ck_assert_uint_eq( asked, 1 );
    /* that is what is waited for */
    asked_before = requests();
    ck_assert( !pthread_create( &thread, NULL, leave_late, leaving ) );
    ck_assert_int_eq( bind_new( &elsewhere, &asked ), 0 );
    ck_assert( !pthread_join( thread, NULL ) );
    /* but not for ever, and not again: its thread may have been ended there */
    leaving = close_in_call( LISTENER );
    while ( bind_new( &there, &asked ) == WSAEADDRINUSE && asked > 1 ) continue;
    ck_assert_int_eq( bind_new( &there, &asked ), WSAEADDRINUSE );
    ck_assert_uint_eq( asked, 1 );
    descriptor_release( leaving );
    ck_assert_int_eq( bind_new( &there, &asked ), 0 );
    harness_end();
}
END_TEST

static void install_pooled( uint64_t descriptor, uint64_t handle )
{
    struct ws2_socket_install_params install = { .handle = handle, .descriptor = descriptor, .pooled = 1 };

    ck_assert( !unix_socket_install( &install ) && !install.error );
}

/* A listener under a handle of the pool that has been duplicated, the duplicate closed. */
static void listen_shared( struct sockaddr_in *there )
{
    struct ws2_socket_create_params create = { .family = WS_AF_INET, .type = SOCK_STREAM, .protocol = 6 };
    struct ws2_listen_params listen = { .handle = LISTENER, .backlog = 100 };
    struct ws2_duplicate_params duplicate = { .handle = LISTENER, .target = PID };
    struct ws2_redeem_params redeem = { .handle = OTHER };
    struct ws2_address_params name = { .handle = LISTENER, .address = user( there ) };
    struct ws2_handle_params end = { .handle = OTHER };
    int32_t size = sizeof( *there );

    /* where nobody else listens */
    *there = ( struct sockaddr_in ){ .sin_family = AF_INET, .sin_addr.s_addr = htonl( INADDR_LOOPBACK + 0x90807 ) };
    ck_assert( !unix_socket_create( &create ) && !create.error );
    install_pooled( create.descriptor, LISTENER );
    ck_assert_int_eq( bind_to( LISTENER, there ), 0 );
    ck_assert( !unix_listen( &listen ) && !listen.error );
    name.size_pointer = user( &size );
    ck_assert( !unix_getsockname( &name ) && !name.error );
    ck_assert( !unix_duplicate( &duplicate ) && !duplicate.error );
    redeem.ticket = duplicate.ticket;
    ck_assert( !unix_redeem( &redeem ) && !redeem.error );
    install_pooled( redeem.descriptor, OTHER );
    ck_assert( !unix_close_begin( &end ) && end.pooled );
}

static int connects( const struct sockaddr_in *there )
{
    const int fd = socket( AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0 );
    const int result = connect( fd, (const struct sockaddr *)there, sizeof( *there ) );

    close( fd );
    return !result;
}

/* Closing asks the server nothing. */
START_TEST( closed_listener )
{
    struct ws2_handle_params end = { .handle = LISTENER };
    struct sockaddr_in there;
    pid_t server;

    begin();
    for ( unsigned int i = 0; i < TIMES; i++ )
    {
        uint64_t asked, began, took;

        listen_shared( &there );
        connection_settle(); /* it knows that the duplicate is closed */
        asked = requests();
        began = harness_now();
        ck_assert( !unix_close_begin( &end ) && end.pooled );
        took = harness_now() - began;
        ck_assert_uint_eq( requests() - asked, 1 ); /* CLOSE, one way */
        /* it has given up waiting where the server was kept from running so long */
        ck_assert( !connects( &there ) || took >= 100 );
    }
    /* with a server that is stopped it returns, too */
    server = harness_server();
    listen_shared( &there );
    connection_settle();
    kill( server, SIGSTOP );
    ck_assert( !unix_close_begin( &end ) && end.pooled );
    kill( server, SIGCONT );
    eventually( !connects( &there ) );
    harness_end();
}
END_TEST

int main( void )
{
    Suite *suite = suite_create( "ports" );
    TCase *test = tcase_create( "ports" );

    tcase_set_timeout( test, 120 );
    tcase_add_test( test, refused_by_host );
    tcase_add_test( test, refused_by_own );
    tcase_add_test( test, closed_listener );
    suite_add_tcase( suite, test );
    return harness_main( suite );
}
