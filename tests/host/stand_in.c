/*
 * The stand-in of pooled SOCKETs: who has a descriptor of it gets, from its owner, the socket that a handle value names there, and
 * nothing else; nonsense, crowds and other users get nothing and keep nobody from asking; with the owner it ends.
 */
#include <pwd.h>
#include <sys/un.h>
#include "harness.h"
#include "descriptors/descriptor.h"
#include "sockets/socket.h"
#include "ws2host/interface.h"

#define PID 0x20
#define POOLED 0x100
#define OWN 0x104
#define UNKNOWN 0x108

static int stand_in = -1;

/* What a test finds out in the process that it runs in; the number of the line is its exit status' place. */
#define must( condition ) \
    do { \
        if ( condition ) break; \
        fprintf( stderr, "stand_in: line %d: %s\n", __LINE__, #condition ); \
        return 1; \
    } while ( 0 )

static uint64_t make( uint64_t handle, uint32_t pooled )
{
    struct ws2_socket_create_params create = { .family = WS_AF_INET, .type = SOCK_DGRAM, .protocol = 17 };
    struct ws2_socket_install_params install = { .handle = handle, .pooled = pooled, .inherited = 1 };

    if ( unix_socket_create( &create ) || create.error ) return 0;
    install.descriptor = create.descriptor;
    if ( unix_socket_install( &install ) || install.error ) return 0;
    return socket_cookie( create.fd );
}

static int own( void )
{
    struct ws2_attach_params attach = { .windows_pid = PID, .build = WS2_INTERFACE };
    struct ws2_fd_params params = { .fd = -1 };

    if ( unix_attach( &attach ) || attach.error || unix_stand_in( &params ) || params.error ) return 0;
    stand_in = params.fd;
    return 1;
}

/* The cookie of what is got for a value, 0 for nothing. */
static uint64_t ask_with( uint64_t handle, uint32_t end, struct ws2_stand_in_ask_params *params )
{
    uint64_t cookie = 0;

    *params = ( struct ws2_stand_in_ask_params ){ .fd = dup( stand_in ), .handle = handle, .end = end };
    if ( unix_stand_in_ask( params ) || params->error ) return params->fd < 0 ? 0 : 1;
    cookie = socket_cookie( params->fd );
    close( params->fd );
    return cookie;
}

static uint64_t ask( uint64_t handle )
{
    struct ws2_stand_in_ask_params params;

    return ask_with( handle, 0, &params );
}

/* A conversation by hand, with the owner of the stand-in. */
static int converse( void )
{
    struct sockaddr_un name;
    socklen_t size = sizeof( name );
    const struct timeval patience = { 20, 0 };
    int fd = socket( AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0 );

    if ( getsockname( stand_in, (struct sockaddr *)&name, &size ) ) return -1;
    name.sun_path[size++ - offsetof( struct sockaddr_un, sun_path )] = '?';
    setsockopt( fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof( patience ) );
    if ( !connect( fd, (struct sockaddr *)&name, size ) ) return fd;
    close( fd );
    return -1;
}

static int named_only( void *unused )
{
    struct ws2_stand_in_ask_params params = { .fd = socket( AF_UNIX, SOCK_SEQPACKET, 0 ) };
    struct ws2_handle_params close_params = { .handle = POOLED };
    uint64_t cookie, second;
    char byte = 0;

    (void)unused;
    must( own() );
    must( ( cookie = make( POOLED, 1 ) ) && make( OWN, 0 ) );
    must( ask( POOLED ) == cookie );
    must( ask( POOLED ) == cookie );
    /* one whose handle is of the socket itself, and none */
    must( !ask_with( OWN, 0, &params ) && params.error == WSAENOTSOCK );
    must( !ask_with( OWN, 1, &params ) && params.error == WSAENOTSOCK );
    must( !ask_with( UNKNOWN, 0, &params ) && params.error == WSAENOTSOCK );
    must( !ask_with( UINT64_MAX, 1, &params ) && params.error == WSAENOTSOCK );
    /* what is no stand-in is told apart */
    params = ( struct ws2_stand_in_ask_params ){ .fd = socket( AF_UNIX, SOCK_SEQPACKET, 0 ), .handle = POOLED };
    must( !unix_stand_in_ask( &params ) && params.error == WSAEOPNOTSUPP && params.fd < 0 );
    params = ( struct ws2_stand_in_ask_params ){ .fd = open( "/dev/null", O_RDONLY ), .handle = POOLED };
    must( !unix_stand_in_ask( &params ) && params.error == WSAEOPNOTSUPP );
    /* to a program that knows nothing of it, it is a stream that has ended */
    must( !read( stand_in, &byte, 1 ) );
    must( write( stand_in, &byte, 1 ) < 0 && errno == EPIPE );
    /* closed, the value is the pool's; used again, it names the next socket */
    must( !unix_close_begin( &close_params ) && close_params.pooled );
    must( !ask_with( POOLED, 0, &params ) && params.error == WSAENOTSOCK );
    must( !ask_with( POOLED, 1, &params ) && params.error == WSAENOTSOCK );
    must( ( second = make( POOLED, 1 ) ) && second != cookie && ask( POOLED ) == second );
    return 0;
}

/* The socket goes with who asks so. */
static int ended( void *unused )
{
    struct ws2_stand_in_ask_params params;
    struct ws2_socket_real_params real = { .handle = POOLED, .real = 0x300 };
    uint64_t cookie;
    NTSTATUS status;

    (void)unused;
    must( own() && ( cookie = make( POOLED, 1 ) ) );
    must( !unix_socket_real( &real ) && !real.error );
    must( ask_with( POOLED, 1, &params ) == cookie );
    must( params.real == 0x300 && params.inherited );
    must( !descriptor_acquire( POOLED, &status ) && status == WS2_STATUS_ADOPT );
    must( !ask_with( POOLED, 1, &params ) && params.error == WSAENOTSOCK );
    must( make( POOLED, 1 ) != cookie );
    return 0;
}

static int hung_up( int fd )
{
    char byte;

    return recv( fd, &byte, 1, 0 ) <= 0 && errno != EAGAIN;
}

static int hostile( void *unused )
{
    static const char nonsense[4096] = "?";
    uint64_t cookie;
    int idle[64], fds[2], fd;

    (void)unused;
    must( own() && ( cookie = make( POOLED, 1 ) ) && !pipe( fds ) );
    for ( unsigned int size = 0; size <= sizeof( nonsense ); size = 2 * size + 1 )
    {
        must( ( fd = converse() ) >= 0 );
        must( message_send( fd, nonsense, size, fds, size % 2 ? 2 : 0, 0 ) == (ssize_t)size );
        errno = 0;
        must( hung_up( fd ) );
        close( fd );
    }
    must( ask( POOLED ) == cookie );
    /* a crowd that says nothing: the earliest make room */
    for ( unsigned int i = 0; i < 64; i++ ) must( ( idle[i] = converse() ) >= 0 );
    must( ask( POOLED ) == cookie );
    errno = 0;
    must( hung_up( idle[0] ) );
    for ( unsigned int i = 0; i < 64; i++ ) close( idle[i] );
    must( ask( POOLED ) == cookie );
    /* and nothing of all that is left */
    for ( uint64_t deadline = harness_now() + 10000; descriptors_of( getpid() ) > 16 && harness_now() < deadline; )
        usleep( 10000 );
    must( descriptors_of( getpid() ) <= 16 );
    return 0;
}

static int as_nobody( void *unused )
{
    const struct passwd *nobody = getpwnam( "nobody" );
    struct ws2_stand_in_ask_params params;
    int fd;

    (void)unused;
    must( nobody && !setgid( nobody->pw_gid ) && !setuid( nobody->pw_uid ) );
    /* the name is anybody's to see, and says nothing */
    if ( ( fd = converse() ) >= 0 ) must( hung_up( fd ) );
    must( !ask_with( POOLED, 0, &params ) && params.error && params.error != WSAEOPNOTSUPP );
    return 0;
}

static int other_users_process( void *unused )
{
    uint64_t cookie;

    (void)unused;
    must( own() && ( cookie = make( POOLED, 1 ) ) );
    if ( !geteuid() ) must( !process_wait( process_start( as_nobody, NULL ) ) );
    must( ask( POOLED ) == cookie );
    return 0;
}

/* The owner waits to be killed; the stand-in comes by the pipe of descriptors. */
static int owner_process( void *context )
{
    must( own() && make( POOLED, 1 ) );
    must( message_send( *(int *)context, "", 1, &stand_in, 1, 0 ) == 1 );
    for ( ;; ) pause();
}

#define STARTED( name, function ) \
    START_TEST( name ) \
    { \
        harness_begin(); \
        harness_start_server(); \
        ck_assert_int_eq( process_wait( process_start( function, NULL ) ), 0 ); \
        eventually( harness_table_empty() ); \
        harness_end(); \
    } \
    END_TEST

STARTED( what_the_value_names, named_only )
STARTED( ended_by_who_asks, ended )
STARTED( nonsense_and_crowds, hostile )
STARTED( other_users, other_users_process )

START_TEST( killed_owner )
{
    struct ws2_stand_in_ask_params params;
    int pair[2];
    pid_t owner;
    char byte;

    harness_begin();
    harness_start_server();
    ck_assert( !socketpair( AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair ) );
    owner = process_start( owner_process, &pair[1] );
    ck_assert_int_eq( raw_receive( pair[0], &byte, 1, &stand_in ), 1 );
    ck_assert_int_ge( stand_in, 0 );
    ck_assert( ask( POOLED ) > 1 );
    kill( owner, SIGKILL );
    waitpid( owner, NULL, 0 );
    /* at once, and as an answer */
    ck_assert( !ask_with( POOLED, 0, &params ) );
    ck_assert_int_eq( params.error, WSAENETDOWN );
    close( stand_in );
    eventually( harness_table_empty() );
    harness_end();
}
END_TEST

int main( void )
{
    Suite *suite = suite_create( "stand_in" );
    TCase *test = tcase_create( "stand_in" );

    tcase_set_timeout( test, 120 );
    tcase_add_test( test, what_the_value_names );
    tcase_add_test( test, ended_by_who_asks );
    tcase_add_test( test, nonsense_and_crowds );
    tcase_add_test( test, other_users );
    tcase_add_test( test, killed_owner );
    suite_add_tcase( suite, test );
    return harness_main( suite );
}
