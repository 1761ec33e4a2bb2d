/*
 * What the host tests share: a server directory of the test's own, processes that stand for Windows processes, and looks
 * at the server from outside (its descriptors through /proc, its table through an observer's connection).
 *
 * The tests run the real server, the one built beside them, and the real client sources. Each test begins with
 * harness_begin and ends with harness_end, which ends the server; Check runs each in a process of its own.
 */
#ifndef WS2HOST_TEST_HARNESS_H
#define WS2HOST_TEST_HARNESS_H

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "client/connection.h"
#include "ws2host/message.h"
#include "ws2host/socket_cookie.h"
#include "ws2host/winsock_codes.h"

static char harness_directory[72];
static int harness_ended;

static inline uint64_t harness_now( void )
{
    struct timespec now;

    clock_gettime( CLOCK_MONOTONIC, &now );
    return (uint64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* How much of a long test is made: all, or a HOST_TEST_PART-th of it where that is set, for builds that are slow. */
static inline int harness_part( int whole )
{
    const char *text = getenv( "HOST_TEST_PART" );
    const int part = text ? atoi( text ) : 1;

    return part > 1 ? ( whole + part - 1 ) / part : whole;
}

static inline void harness_begin( void )
{
    static char server[4096];
    ssize_t length = readlink( "/proc/self/exe", server, sizeof( server ) - 64 );

    ck_assert_int_gt( length, 0 );
    server[length] = 0;
    /* BUILD/tests/host/NAME -> BUILD/lib/ws2server */
    for ( int i = 0; i < 3; i++ ) *strrchr( server, '/' ) = 0;
    strcat( server, "/lib/ws2server" );
    strcpy( harness_directory, "/tmp/ws2host-test-XXXXXX" );
    ck_assert_ptr_nonnull( mkdtemp( harness_directory ) );
    setenv( "WS2HOST_DIR", harness_directory, 1 );
    if ( harness_ended || !getenv( "WS2SERVER" ) ) setenv( "WS2SERVER", server, 1 );
    setenv( "WS2SERVER_LINGER", "5", 0 );
}

/* A connection of its own, speaking the protocol by hand; -1 when nobody listens. */
static inline int raw_connect( void )
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    const struct timeval patience = { 10, 0 };
    int fd = socket( AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0 );

    ck_assert_int_ge( fd, 0 );
    setsockopt( fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof( patience ) );
    snprintf( address.sun_path, sizeof( address.sun_path ), "%s/" WS2_SERVER_SOCKET, harness_directory );
    if ( !connect( fd, (struct sockaddr *)&address, sizeof( address ) ) ) return fd;
    close( fd );
    return -1;
}

static inline ssize_t raw_send( int fd, const void *message, size_t size, const int *fds, int fd_count )
{
    return message_send( fd, message, size, fds, fd_count, 0 );
}

/* The number of bytes; 0 or less when the server hung up. */
static inline ssize_t raw_receive( int fd, void *message, size_t size, int *received )
{
    char control[CMSG_SPACE( sizeof( int ) )];
    struct iovec data = { message, size };
    struct msghdr header = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof( control )
    };
    struct cmsghdr *cmsg;
    ssize_t result;

    /* a wait with a time limit ends with any signal, that of a start-up process's end too */
    while ( ( result = recvmsg( fd, &header, MSG_CMSG_CLOEXEC ) ) < 0 && errno == EINTR ) continue;
    cmsg = result >= 0 ? CMSG_FIRSTHDR( &header ) : NULL;
    if ( received ) *received = -1;
    if ( cmsg && cmsg->cmsg_type == SCM_RIGHTS )
    {
        int fd_received;
        memcpy( &fd_received, CMSG_DATA( cmsg ), sizeof( int ) );
        if ( received ) *received = fd_received;
        else close( fd_received );
    }
    return result;
}

/* One request and its reply; -1 when the server hung up, else the error of the reply. */
static inline int raw_request( int fd, const struct ws2_request *request, int send_fd, struct ws2_reply *reply,
                               int *received )
{
    char message[sizeof( *reply ) + WS2_LIST_ROWS * sizeof( struct ws2_row )];

    memset( reply, 0, sizeof( *reply ) );
    if ( raw_send( fd, request, sizeof( *request ), &send_fd, send_fd >= 0 ) < 0 ) return -1;
    if ( raw_receive( fd, message, sizeof( message ), received ) < (ssize_t)sizeof( *reply ) ) return -1;
    memcpy( reply, message, sizeof( *reply ) );
    return reply->error;
}

/* A connection that has said HELLO. */
static inline int raw_attach( uint32_t windows_pid, struct ws2_reply *reply, int *memfd )
{
    const struct ws2_request hello = { .type = WS2_HELLO, .version = WS2_LAYOUT_VERSION, .windows_pid = windows_pid };
    int fd = raw_connect();

    ck_assert_int_ge( fd, 0 );
    ck_assert_int_eq( raw_request( fd, &hello, -1, reply, memfd ), 0 );
    return fd;
}

/* The client ends, as its process would: losing its connection says nothing. */
static inline void raw_leave( int fd )
{
    const struct ws2_request leave = { .type = WS2_LEAVE };

    raw_send( fd, &leave, sizeof( leave ), NULL, 0 );
    close( fd );
}

/* The same, of one that has lost it. */
static inline void raw_forget( uint32_t windows_pid )
{
    struct ws2_reply reply;

    raw_leave( raw_attach( windows_pid, &reply, NULL ) );
}

/* Waits for condition, at most some seconds. */
#define eventually( condition ) \
    do { \
        const uint64_t deadline_ = harness_now() + 60000; \
        int met_; \
        while ( !( met_ = ( condition ) ) && harness_now() < deadline_ ) usleep( 2000 ); \
        ck_assert_msg( met_, "in time: %s", #condition ); \
    } while ( 0 )

/* The server hangs up. */
static inline int raw_hangs_up( int fd )
{
    char byte;
    struct pollfd state = { .fd = fd, .events = POLLIN };

    return poll( &state, 1, 5000 ) == 1 && recv( fd, &byte, 1, MSG_DONTWAIT ) <= 0;
}

/* What the table holds, seen by an observer. */
struct table_state
{
    pid_t server;
    unsigned int slots, shared, descriptors, tickets, processes, leased;
};

static inline struct table_state harness_table( void )
{
    struct table_state state = { 0 };
    struct ws2_request list = { .type = WS2_LIST };
    char message[sizeof( struct ws2_reply ) + WS2_LIST_ROWS * sizeof( struct ws2_row )];
    struct ws2_reply reply;
    int memfd, fd = raw_attach( 0, &reply, &memfd );
    void *table = mmap( NULL, WS2_TABLE_SIZE, PROT_READ, MAP_SHARED | MAP_NORESERVE, memfd, 0 );

    ck_assert_ptr_ne( table, MAP_FAILED );
    state.server = ws2_table_header( table )->server_pid;
    for ( uint32_t i = 0; i < WS2_CLIENT_COUNT; i++ ) state.processes += ws2_table_clients( table )[i].unix_pid != 0;
    for ( uint32_t i = 0; i < WS2_BLOCK_COUNT; i++ )
        state.leased += ws2_table_blocks( table )[i] != 0 && ws2_table_blocks( table )[i] != 1 + WS2_SERVER_INDEX;
    do {
        const struct ws2_row *rows = (const struct ws2_row *)( message + sizeof( reply ) );

        ck_assert_int_eq( raw_send( fd, &list, sizeof( list ), NULL, 0 ), sizeof( list ) );
        ck_assert_int_ge( raw_receive( fd, message, sizeof( message ), NULL ), (ssize_t)sizeof( reply ) );
        memcpy( &reply, message, sizeof( reply ) );
        for ( uint32_t i = 0; i < reply.count; i++ )
        {
            if ( rows[i].ticket_target ) state.tickets++;
            else state.descriptors++;
        }
        list.slot = reply.slot;
        list.handle = reply.handle;
    } while ( reply.slot != WS2_NO_INDEX );
    for ( uint32_t i = 0; i < WS2_SLOT_COUNT; i += WS2_BLOCK_SLOTS )
    {
        /* blocks that were never touched are not read: that would give them memory */
        const off_t data = lseek( memfd, WS2_TABLE_SLOTS + (off_t)i * sizeof( struct ws2_slot ), SEEK_DATA );

        if ( data < 0 || (size_t)data >= WS2_TABLE_CLAIMS ) break;
        for ( uint32_t j = i; j < i + WS2_BLOCK_SLOTS; j++ )
        {
            const uint32_t word_state = ws2_word_state( ws2_table_slot( table, j )->word );
            state.slots += word_state != WS2_SLOT_FREE;
            state.shared += word_state == WS2_SLOT_SHARED;
        }
    }
    munmap( table, WS2_TABLE_SIZE );
    close( memfd );
    close( fd );
    return state;
}

/* The server that answers now, 0 for none: it may be dying. */
static inline pid_t harness_server( void )
{
    const struct ws2_request hello = { .type = WS2_HELLO, .version = WS2_LAYOUT_VERSION };
    struct ws2_reply reply;
    struct ucred peer = { 0 };
    socklen_t size = sizeof( peer );
    int fd = raw_connect();

    if ( fd < 0 ) return 0;
    if ( raw_request( fd, &hello, -1, &reply, NULL ) || getsockopt( fd, SOL_SOCKET, SO_PEERCRED, &peer, &size ) )
        peer.pid = 0;
    close( fd );
    return peer.pid;
}

/* Whether the lock is held, seen without a connection that would keep the server. */
static inline int harness_server_quiet( void )
{
    char path[96];
    int fd, held;

    snprintf( path, sizeof( path ), "%s/" WS2_SERVER_LOCK, harness_directory );
    if ( ( fd = open( path, O_RDWR | O_CLOEXEC ) ) < 0 ) return 0;
    held = flock( fd, LOCK_EX | LOCK_NB ) != 0;
    close( fd );
    return held;
}

static inline int harness_table_empty( void )
{
    const struct table_state state = harness_table();

    return !state.slots && !state.shared && !state.descriptors && !state.tickets && !state.processes && !state.leased;
}

static inline int descriptors_of( pid_t pid )
{
    char path[32];
    int count = -2; /* . and .. */
    DIR *directory;

    snprintf( path, sizeof( path ), "/proc/%d/fd", (int)pid );
    if ( !( directory = opendir( path ) ) ) return -1;
    while ( readdir( directory ) ) count++;
    closedir( directory );
    return count;
}

static inline int server_fds( void ) { return descriptors_of( harness_server() ); }

/* The descriptors of a server at rest: connections that were just closed may count for a moment. */
static inline int server_fds_at_rest( void )
{
    int least = server_fds();

    for ( int i = 0; i < 25; i++ )
    {
        const int now = server_fds();

        if ( now < least ) least = now;
        usleep( 2000 );
    }
    return least;
}

/* Whatever was sent has left the server with the descriptors that it had, answering others; the client of that number ends. */
#define check_unharmed( windows_pid, before ) \
    do { \
        raw_forget( windows_pid ); \
        eventually( server_fds() == before ); \
        ck_assert( harness_table_empty() ); \
    } while ( 0 )

static inline void harness_end( void )
{
    char command[128];
    pid_t server;

    /* what this process still holds must not start another server */
    setenv( "WS2SERVER", "/bin/true", 1 );
    harness_ended = 1;
    if ( ( server = harness_server() ) ) kill( server, SIGTERM );
    while ( server && harness_server() ) usleep( 1000 );
    snprintf( command, sizeof( command ), "rm -rf %s", harness_directory );
    ck_assert_int_eq( system( command ), 0 );
}

/* A process that is a client of its own; body's result is its exit status. */
static inline pid_t process_start( int ( *body )( void *context ), void *context )
{
    pid_t pid;

    fflush( NULL );
    pid = fork();
    ck_assert_int_ge( pid, 0 );
    if ( pid ) return pid;
    _exit( body( context ) );
}

static inline int process_wait( pid_t pid )
{
    int status;

    ck_assert_int_eq( waitpid( pid, &status, 0 ), pid );
    return WIFEXITED( status ) ? WEXITSTATUS( status ) : 1000 + WTERMSIG( status );
}

static inline int attach_and_leave( void *unused )
{
    (void)unused;
    return connection_attach( 0xfff0 );
}

/* By a process that is gone afterwards: a test that forks clients must not be one itself, they would share its connection. */
static inline void harness_start_server( void )
{
    ck_assert_int_eq( process_wait( process_start( attach_and_leave, NULL ) ), 0 );
}

/* A TCP socket with its cookie in a slot of this process's own, as the descriptor table makes them. */
static inline int socket_make( uint32_t handle, uint32_t *slot, uint32_t *generation )
{
    int fd = socket( AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0 );
    struct ws2_slot *record;

    if ( fd < 0 || lease_take( slot, generation ) ) return -1;
    record = ws2_table_slot( connection_table(), *slot );
    record->family = AF_INET;
    record->type = SOCK_STREAM;
    record->protocol = 6;
    record->handle = handle;
    record->cookie = socket_cookie( fd );
    return fd;
}

static inline void socket_drop( int fd, uint32_t slot, uint32_t generation, uint32_t handle )
{
    if ( !lease_give_back( slot, generation ) ) connection_close( slot, generation, handle );
    close( fd );
}

static struct
{
    uint32_t slot, generation, handle;
    int fd;
} harness_published;

static inline void harness_publish( connection_publish_function publish )
{
    if ( harness_published.fd >= 0 )
        publish( harness_published.slot, harness_published.generation, harness_published.handle, harness_published.fd );
}

/* From now on the process's one descriptor that a server which takes over is told of; fd -1: it has none any more. */
static inline void socket_publish( uint32_t slot, uint32_t generation, uint32_t handle, int fd )
{
    harness_published.slot = slot;
    harness_published.generation = generation;
    harness_published.handle = handle;
    harness_published.fd = fd;
    connection_enumerate_shared = harness_publish;
}

/* Of the host socket that has taken another's place, as the server has it: its cookie, 0 for none. */
static inline uint64_t replaced_cookie( uint32_t slot, uint32_t generation )
{
    const int fd = connection_replaced( slot, generation );
    const uint64_t cookie = fd < 0 ? 0 : socket_cookie( fd );

    if ( fd >= 0 ) close( fd );
    return cookie;
}

static inline int harness_main( Suite *suite )
{
    SRunner *runner = srunner_create( suite );
    int failed;

    srunner_run_all( runner, CK_NORMAL );
    failed = srunner_ntests_failed( runner );
    srunner_free( runner );
    return failed != 0;
}

#endif
