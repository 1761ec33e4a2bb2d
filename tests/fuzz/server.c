/*
 * The server's messages and what it reads from the table: three clients of one process send any requests with and without
 * descriptors, write anywhere into the first slots, hang up and come back. loop.c is replaced by the steps of the input.
 *
 * An input is records of 42 bytes: what to do and which client, the place in the table, a request (or what to write).
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "server.h"
#include "ws2host/message.h"

#define CLIENTS 3
#define RECORD 42
#define MOST 256

int LLVMFuzzerTestOneInput( const uint8_t *data, size_t size );

static struct
{
    struct source *source;
    int fd;
    short events;
} sources[MOST];
static int listener = -1, ends[CLIENTS];
static struct sockaddr_un address = { .sun_family = AF_UNIX };
static socklen_t address_size = sizeof( address );

int loop_add( struct source *source, int fd, uint32_t events )
{
    for ( int i = 0; i < MOST; i++ )
        if ( !sources[i].source )
        {
            sources[i].source = source;
            sources[i].fd = fd;
            sources[i].events = events;
            return 0;
        }
    return -1;
}
void loop_change( struct source *source, int fd, uint32_t events )
{
    (void)source;
    for ( int i = 0; i < MOST; i++ )
        if ( sources[i].source && sources[i].fd == fd ) sources[i].events = events;
}
void loop_remove( int fd )
{
    for ( int i = 0; i < MOST; i++ )
        if ( sources[i].source && sources[i].fd == fd ) sources[i].source = NULL;
}
/* time passes at each look, so that what is held back ends */
uint64_t loop_now( void )
{
    static uint64_t now;
    return now += 100;
}
uint64_t loop_now_us( void ) { return loop_now() * 1000; }

/* No table is looked for among the processes of the machine. */
int place_was_left( void ) { return 1; }

static TAILQ_HEAD(, work ) works = TAILQ_HEAD_INITIALIZER( works );
void work_begin( struct work *work ) { TAILQ_INSERT_TAIL( &works, work, entry ); }
void work_cancel( struct work *work ) { TAILQ_REMOVE( &works, work, entry ); }
int work_pending( void ) { return !TAILQ_EMPTY( &works ); }
void work_step( void )
{
    struct work *work = TAILQ_FIRST( &works );

    if ( !work ) return;
    TAILQ_REMOVE( &works, work, entry );
    if ( work->step( work ) ) TAILQ_INSERT_TAIL( &works, work, entry );
}

static void begin( void )
{
    char name[32];

    /* its table is not that of another run which the first client would find */
    snprintf( name, sizeof( name ), "fuzz-%d", (int)getpid() );
    table_set_name( name );
    listener = socket( AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0 );
    /* an abstract name that the kernel chooses */
    if ( bind( listener, (struct sockaddr *)&address, sizeof( sa_family_t ) ) || listen( listener, 16 ) ||
         getsockname( listener, (struct sockaddr *)&address, &address_size ) )
        abort();
    closing_begin();
    connections_begin( ( struct connection_reader ){ request_receive, request_go_on } );
    connections_listen( listener );
    client_set_directory( open( "/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC ) );
    for ( int i = 0; i < CLIENTS; i++ ) ends[i] = -1;
}

/* What epoll would tell; EPOLL's bits are poll's. */
static void step( void )
{
    for ( int i = 0; i < MOST; i++ )
    {
        struct pollfd state = { .fd = sources[i].fd, .events = sources[i].events };

        if ( sources[i].source && poll( &state, 1, 0 ) > 0 )
            sources[i].source->ready( sources[i].source, state.revents );
    }
    for ( int i = 0; i < 4; i++ ) work_step();
    connections_run();
    clients_tell_ended();
}

static int is_left( void ) { return clients_alive() || connections_open() || tickets_open(); }
static int is_connected( void ) { return connections_open() != 0; }

/* A process is not read from while many of its descriptors wait to be closed, and the threads that do it have the machine's time,
 * not the input's. */
static void settle( int ( *under_way )( void ) )
{
    for ( int i = 0; i < 20 || ( under_way() && i < 20000 ); i++ )
    {
        step();
        if ( i >= 20 ) usleep( 1000 );
    }
}

int LLVMFuzzerTestOneInput( const uint8_t *data, size_t size )
{
    char drain[8192];

    if ( listener < 0 ) begin();
    for ( ; size >= RECORD && size <= 64 * RECORD; data += RECORD, size -= RECORD )
    {
        const int client = data[0] % CLIENTS, action = data[0] / CLIENTS % 8;
        const struct ws2_request hello = { .type = WS2_HELLO,
                                           .version = WS2_LAYOUT_VERSION,
                                           .windows_pid = 0x20 + 4 * client };
        int fd = -1;

        if ( ends[client] < 0 )
        {
            ends[client] = socket( AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0 );
            if ( connect( ends[client], (struct sockaddr *)&address, address_size ) ) abort();
            connection_accept( NULL, 0 );
            if ( action != 7 ) message_send( ends[client], &hello, sizeof( hello ), NULL, 0, MSG_DONTWAIT );
            step();
        }
        if ( action == 0 && table_mapping() )
        {
            memcpy( (char *)table_mapping() + WS2_TABLE_SLOTS + data[1] * 8, data + 2, 40 );
            continue;
        }
        if ( action == 1 )
        {
            close( ends[client] );
            ends[client] = -1;
            step();
            continue;
        }
        if ( action == 2 ) fd = socket( AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0 );
        if ( action == 3 ) fd = socket( AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0 );
        message_send( ends[client], data + 2, data[1] == 255 ? 39 : sizeof( struct ws2_request ), &fd, fd >= 0,
                      MSG_DONTWAIT );
        if ( fd >= 0 ) close( fd );
        step();
        while ( recv( ends[client], drain, sizeof( drain ), MSG_DONTWAIT ) > 0 ) continue;
    }
    /* a client that lost its connection is there still: each comes back, when there is room for its connection, and leaves */
    for ( int i = 0; i < CLIENTS; i++ )
    {
        if ( ends[i] >= 0 ) close( ends[i] );
        ends[i] = -1;
    }
    settle( is_connected );
    for ( int i = 0; i < CLIENTS; i++ )
    {
        const struct ws2_request hello = { .type = WS2_HELLO,
                                           .version = WS2_LAYOUT_VERSION,
                                           .windows_pid = 0x20 + 4 * i };
        const struct ws2_request leave = { .type = WS2_LEAVE };

        ends[i] = socket( AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0 );
        if ( connect( ends[i], (struct sockaddr *)&address, address_size ) ) abort();
        connection_accept( NULL, 0 );
        message_send( ends[i], &hello, sizeof( hello ), NULL, 0, MSG_DONTWAIT );
        /* who cannot be answered is not listened to any further */
        for ( int j = 0; j < 20000 && recv( ends[i], drain, sizeof( drain ), MSG_DONTWAIT ) <= 0; j++ )
        {
            step();
            if ( j >= 20 ) usleep( 1000 );
        }
        message_send( ends[i], &leave, sizeof( leave ), NULL, 0, MSG_DONTWAIT );
        step();
        close( ends[i] );
        ends[i] = -1;
        settle( is_connected );
    }
    settle( is_left );
    if ( is_left() ) abort();
    return 0;
}
