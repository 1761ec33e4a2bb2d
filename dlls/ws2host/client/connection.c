/*
 * The process's connection to its server: made on demand, made again when the server is gone, one request at a time.
 *
 * All state is guarded by one mutex, which is held with all signals blocked: the loader ends threads by signals, and a
 * mutex that dies locked would hang the process.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/host_counts.h"
#include "base/host_mutex.h"
#include "base/host_trace.h"
#include "client/client_private.h"
#include "client/directory.h"
#include "client/table_map.h"
#include "ws2host/message.h"
#include "ws2host/socket_cookie.h"
#include "ws2host/winsock_codes.h"

#define LAST_TRY 200 /* ms before a server is given up */

void ( *connection_enumerate_shared )( connection_publish_function publish );

static struct
{
    pthread_mutex_t mutex;
    int fd;          /* -1 when there is no connection */
    uint64_t serial; /* of the connection: its number may be used again by the next one */
    int memfd;
    void *_Atomic table;
    uint64_t instance;
    uint32_t windows_pid; /* 0 before connection_attach */
    _Atomic uint32_t index;
    int lost; /* another table is in use than the one we hold: no server can be had any more */
    int publish_error;
    int notice; /* the socket that servers write ended tickets to, -1 without a thread that reads it */
    const struct connection_parts *parts;
    struct begun *begun; /* a greeting whose answer has not been taken */
} connection = { .mutex = PTHREAD_MUTEX_INITIALIZER, .fd = -1, .memfd = -1, .index = WS2_NO_INDEX, .notice = -1 };

static _Atomic uint32_t first_block = WS2_NO_INDEX; /* that came with the server's greeting */
static _Atomic uint32_t no_trace;
static _Atomic int told; /* something that counts descriptors, which the table may not show yet */
struct connection_trace connection_trace = { .word = &no_trace };

void connection_follow_trace( void ( *changed )( void ) )
{
    _Atomic uint32_t *word = &ws2_table_clients( connection.table )[connection.index].trace;

    connection_trace.changed = changed;
    connection_trace.known = *word;
    connection_trace.word = word;
}

void *connection_table( void ) { return connection.table; }
uint32_t connection_client_index( void ) { return connection.index; }
uint32_t connection_windows_pid( void ) { return connection.windows_pid; }
uint32_t connection_take_block( void ) { return atomic_exchange( &first_block, WS2_NO_INDEX ); }

void connection_lock( sigset_t *before ) { host_mutex_lock( &connection.mutex, before ); }

void connection_unlock( const sigset_t *before ) { host_mutex_unlock( &connection.mutex, before ); }

/* --- finding, starting and greeting a server ------------------------------------------------------------------------*/

static int take_table( int memfd, uint64_t instance )
{
    const int seals = fcntl( memfd, F_GET_SEALS );
    struct ws2_table_header *header;
    struct stat st;
    void *table;

    if ( seals < 0 || !( seals & F_SEAL_SHRINK ) || fstat( memfd, &st ) < 0 || st.st_size != (off_t)WS2_TABLE_SIZE )
        return -1;
    if ( !( table = table_map( memfd ) ) ) return -1;
    header = ws2_table_header( table );
    if ( header->magic != WS2_TABLE_MAGIC || header->layout_version != WS2_LAYOUT_VERSION ||
         header->instance != instance )
    {
        table_unmap( table );
        return -1;
    }
    connection.table = table;
    return 0;
}

enum greeting
{
    GREETED,
    AGAIN,
    REFUSED
};

/* begun: the greeting has been sent. last: what might be better in a moment is told, too. */
static enum greeting connection_greet( int fd, const char *directory, int begun, int last )
{
    struct ws2_request request;
    enum exchange outcome;
    struct ws2_reply reply;
    int memfd;

    begin_request( &request, connection.windows_pid, connection.instance );
    outcome = begun ? exchange_receive( fd, &reply, &memfd )
                    : exchange_once( fd, &request, connection.memfd, &reply, &memfd );
    /* a server that needs the table finds it with the processes that have it */
    if ( outcome == EXCHANGE_NOT_SENT ) outcome = exchange_once( fd, &request, -1, &reply, &memfd );
    if ( outcome != EXCHANGE_DONE ) return AGAIN;
    if ( !last && ( reply.error == WSAEWOULDBLOCK || reply.error == WSAENOBUFS || reply.error == WSAEACCES ) )
        return AGAIN;
    if ( reply.detail == WS2_DETAIL_VERSION )
        complaint_say(
            "this program's ws2host.so has version %u, the server of %s has version %llu; end all Windows programs "
            "that use it and start again",
            WS2_LAYOUT_VERSION, directory, (unsigned long long)reply.instance );
    else if ( reply.detail == WS2_DETAIL_CLAIMED )
        complaint_say( "in %s another program runs under this one's process number (%#x); end it", directory,
                       connection.windows_pid );
    else if ( reply.detail == WS2_DETAIL_FOREIGN )
        complaint_say(
            "the server of %s runs in another PID name space (a container?) and cannot see this program; set "
            "WS2HOST_DIR to another directory for each",
            directory );
    else if ( reply.error == WSAEWOULDBLOCK )
        complaint_say( "another server than that of %s has the table of its programs; end it or them", directory );
    else if ( reply.error )
        complaint_say( "the server of %s takes no more processes (%u); end some Windows programs", directory,
                       reply.error );
    else if ( connection.table && ( reply.instance != connection.instance || reply.index != connection.index ) )
    {
        connection.lost = 1;
        complaint_say(
            "the server of %s has forgotten this process; its sockets go on, but cannot be shared: start the "
            "program again",
            directory );
    }
    else if ( !connection.table && ( memfd < 0 || take_table( memfd, reply.instance ) < 0 ) )
        complaint_say( "the server of %s did not hand over its table: %s; %s", directory, strerror( errno ),
                       errno == ENOMEM ? complaint_advice( errno ) : "end it and try again" );
    else
    {
        if ( connection.memfd < 0 ) connection.memfd = memfd;
        else if ( memfd >= 0 ) close( memfd );
        connection.instance = reply.instance;
        connection.index = reply.index;
        if ( host_tracing ) exchange_trace( &request, &reply );
        if ( request.flags && reply.count ) first_block = reply.slot;
        return GREETED;
    }
    if ( memfd >= 0 ) close( memfd );
    return REFUSED;
}

/* --- what the process holds, published to a server that has taken over ----------------------------------------------*/

int connection_publish_request( struct ws2_request *request, int fd, struct ws2_reply *reply )
{
    int received;
    enum exchange outcome;

    memset( reply, 0, sizeof( *reply ) );
    if ( connection.publish_error ) return -1;
    outcome = exchange_again( connection.fd, request, fd, reply, &received );
    /* a descriptor is counted without its socket, too */
    if ( outcome == EXCHANGE_NOT_SENT && request->type == WS2_PUBLISH )
        outcome = exchange_once( connection.fd, request, -1, reply, &received );
    if ( outcome != EXCHANGE_DONE )
    {
        connection.publish_error = 1;
        return -1;
    }
    if ( received >= 0 ) close( received );
    return 0;
}

/* One that has given way to another, which this process has not got yet, says nothing to a server. */
static int is_current( uint32_t slot, int fd )
{
    const struct ws2_slot *record = table_slot( slot );
    const uint64_t expected = atomic_load( &record->cookie );
    const uint64_t cookie = record->type == SOCK_STREAM && expected ? socket_cookie( fd ) : 0;

    return !cookie || cookie == expected;
}

static void publish_descriptor( uint32_t slot, uint32_t generation, uint32_t handle, int fd )
{
    struct ws2_request request = { .type = WS2_PUBLISH, .slot = slot, .generation = generation, .handle = handle };
    struct ws2_reply reply;

    in_flight_published( slot, generation, handle );
    if ( fd >= 0 && !is_current( slot, fd ) ) fd = -1;
    connection_publish_request( &request, fd, &reply );
}

void connection_publish_replaced( uint32_t slot, uint32_t generation, int fd )
{
    struct ws2_request request = { .type = WS2_REPLACE, .slot = slot, .generation = generation };
    struct ws2_reply reply;

    connection_publish_request( &request, fd, &reply );
}

/* A socket for the tickets that end goes to each server, before the first ticket. */
static void send_notice_socket( void )
{
    struct ws2_request request = { .type = WS2_NOTICE };
    struct ws2_reply reply;

    if ( connection.notice >= 0 ) connection_publish_request( &request, connection.notice, &reply );
}

static int publish_all( void )
{
    struct ws2_request resumed = { .type = WS2_RESUMED };
    struct ws2_reply reply;

    assert( host_mutex_held( &connection.mutex ) && connection.fd >= 0 );
    connection.publish_error = 0;
    in_flight_publish_begin();
    if ( connection_enumerate_shared ) connection_enumerate_shared( publish_descriptor );
    in_flight_publish( publish_descriptor );
    send_notice_socket();
    connection.parts->publish();
    connection_publish_request( &resumed, -1, &reply );
    return connection.publish_error ? -1 : 0;
}

/* --- the connection -------------------------------------------------------------------------------------------------*/

static void hang_up( void )
{
    assert( host_mutex_held( &connection.mutex ) );
    if ( connection.fd >= 0 ) host_trace( "hangs up" );
    if ( connection.fd >= 0 ) close( connection.fd );
    connection.fd = -1;
    connection.serial++;
}

/* Mutex held. */
static int32_t connection_establish( void )
{
    const uint64_t deadline = host_now_ms() + SERVER_DEADLINE;
    const int again = connection.table != NULL;
    struct begun *begun;
    char path[4096];
    unsigned int again_in = 1;
    int directory, begun_fd = -1, started = 0, error = WSAENETDOWN;

    assert( host_mutex_held( &connection.mutex ) );
    if ( connection.fd >= 0 ) return 0;
    if ( connection.lost ) return WSAENETDOWN;
    strcpy( path, "the server directory" );
    if ( ( begun = connection.begun ) )
    {
        connection.begun = NULL;
        directory = begun->directory;
        begun_fd = begun->fd;
        strcpy( path, begun->path );
        free( begun );
    }
    else if ( ( directory = directory_open( 1, path, sizeof( path ) ) ) < 0 )
    {
        if ( errno == EPERM ) complaint_say( "%s is not this user's alone; chmod 700 it or set WS2HOST_DIR", path );
        else
            complaint_say( "cannot make the server directory %s: %s; %s", path, strerror( errno ),
                           complaint_advice( errno ) );
        return WSAENETDOWN;
    }
    while ( host_now_ms() < deadline )
    {
        enum greeting greeting;
        const int is_begun = begun_fd >= 0, fd = is_begun ? begun_fd : exchange_connect( directory, path );

        if ( fd < 0 )
        {
            if ( errno != ECONNREFUSED && errno != ENOENT )
            {
                complaint_say( "cannot connect to the server in %s: %s; %s", path, strerror( errno ),
                               complaint_advice( errno ) );
                break;
            }
            host_trace( "no server listens in %s: starts one", path );
            if ( server_start( path ) < 0 ) break;
            if ( started++ ) client_sleep_ms( 20 );
            continue;
        }
        connection.fd = fd;
        connection.serial++;
        begun_fd = -1;
        greeting = connection_greet( fd, path, is_begun, host_now_ms() + LAST_TRY >= deadline );
        if ( greeting == GREETED && ( !again || !publish_all() ) )
        {
            error = 0;
            break;
        }
        hang_up();
        if ( greeting == REFUSED ) break;
        client_sleep_ms( again_in );
        if ( again_in < LAST_TRY / 2 ) again_in *= 2;
    }
    if ( error ) complaint_say( "no server answers in %s; end what runs there (ws2ctl list) and try again", path );
    else
    {
        host_trace( "%s the server in %s, client %u", again ? "has published all that is shared to" : "has found", path,
                    connection.index );
        complaint_forget();
        connection.parts->wake();
    }
    close( directory );
    return error;
}

int connection_begin( uint32_t windows_pid )
{
    sigset_t before;
    int result;

    if ( connection.table ) return 1;
    connection_lock( &before );
    if ( !connection.table && !connection.begun ) connection.begun = begin_greet( windows_pid );
    result = connection.table || connection.begun;
    connection_unlock( &before );
    return result;
}

int32_t connection_open( const struct connection_parts *parts, uint32_t windows_pid )
{
    sigset_t before;
    int32_t error;

    if ( connection.table ) return 0;
    connection_lock( &before );
    connection.parts = parts;
    connection.windows_pid = windows_pid;
    error = connection_establish();
    connection_unlock( &before );
    return error;
}

void connection_end( void )
{
    /* no mutex: the thread that held it may be dead. Nobody attaches again, and the server hears of the end now. */
    const struct ws2_request leave = { .type = WS2_LEAVE };

    connection.lost = 1;
    if ( connection.fd < 0 ) return;
    message_send( connection.fd, &leave, sizeof( leave ), NULL, 0, MSG_DONTWAIT );
    shutdown( connection.fd, SHUT_WR );
}

/* Mutex held. From the first sharing operation on, the server monitor thread looks after the connection. */
static void share_begins( void )
{
    static int tried;

    if ( tried ) return;
    tried = 1;
    connection.publish_error = 0;
    connection.notice = connection.parts->share_begins();
    send_notice_socket();
    if ( connection.publish_error ) hang_up();
}

int connection_notice( void ) { return connection.notice; }

int connection_fd( uint64_t *serial )
{
    sigset_t before;
    int fd;

    connection_lock( &before );
    fd = connection.fd;
    *serial = connection.serial;
    connection_unlock( &before );
    return fd;
}

void connection_mend( uint64_t serial )
{
    sigset_t before;

    connection_lock( &before );
    if ( connection.serial == serial && !connection.lost )
    {
        hang_up();
        connection_establish();
    }
    connection_unlock( &before );
}

/* Limits that a program meets in the server are told to a person too. */
static void complain_of_limit( uint32_t type, uint32_t error )
{
    if ( error == WSAEMFILE && ( type == WS2_LEASE || type == WS2_ADOPT ) )
        complaint_say(
            "there is no room for more sockets: all programs have %u together, one of them a quarter of that; end some "
            "Windows programs",
            WS2_SLOT_COUNT );
    if ( error == WSAENOBUFS && type == WS2_DUPLICATE )
        complaint_say(
            "there is no room for more infos of WSADuplicateSocket that nobody has opened (or for the server's "
            "open files: "
            "ulimit -n); end some Windows programs" );
}

/* Mutex held. A request whose reply was lost is sent again: to a server that takes over, it is as if it had not been sent,
 * for what the first one did is only what we publish. */
static int32_t request_locked( struct ws2_request *request, int send_fd, struct ws2_reply *reply, int *received_fd )
{
    const uint64_t deadline = host_now_ms() + SERVER_DEADLINE;
    enum exchange outcome;
    int32_t error;
    int received;

    /* servers that die one after the other are no reason to fail; one that hangs up each time is */
    for ( int tries = 0; tries < 5 || host_now_ms() < deadline; tries++ )
    {
        if ( tries >= 5 ) client_sleep_ms( 5 );
        if ( connection_establish() ) break;
        if ( request->type == WS2_DUPLICATE || request->type == WS2_REDEEM || request->type == WS2_ADOPT ||
             request->type == WS2_SHARE )
            share_begins();
        if ( connection.fd < 0 ) continue;
        connection.publish_error = 0;
        if ( ( error = connection.parts->prepare( request, send_fd ) ) )
        {
            /* the server was found to be gone */
            if ( connection.fd < 0 ) continue;
            *reply = ( struct ws2_reply ){ .error = error, .detail = DETAIL_NOT_ASKED };
            return error;
        }
        outcome = exchange_again( connection.fd, request, send_fd, reply, &received );
        if ( outcome == EXCHANGE_NOT_SENT )
        {
            complaint_say(
                "too many descriptors of this user's are on their way between programs; raise the limit of open "
                "files (ulimit -n) or end some programs" );
            reply->detail = DETAIL_NOT_ASKED;
            return reply->error = WSAENOBUFS;
        }
        if ( outcome == EXCHANGE_DONE )
        {
            if ( !ws2_request_is_one_way( request->type ) && reply->detail != WS2_DETAIL_AHEAD )
                atomic_store( &told, 0 );
            if ( received_fd ) *received_fd = received;
            else if ( received >= 0 ) close( received );
            if ( host_tracing ) exchange_trace( request, reply );
            complain_of_limit( request->type, reply->error );
            return reply->error;
        }
        hang_up();
    }
    memset( reply, 0, sizeof( *reply ) );
    return reply->error = WSAENETDOWN;
}

/* Mutex held. A descriptor has its name even when there was no server to tell. */
static void connection_follow( const struct ws2_request *request, const struct ws2_reply *reply )
{
    switch ( request->type )
    {
    case WS2_REDEEM:
        if ( !reply->error ) in_flight_add( reply->slot, reply->generation, request->flags );
        break;
    case WS2_ADOPT:
        if ( !reply->error ) in_flight_add( reply->slot, reply->generation, request->handle );
        break;
    case WS2_NAME: in_flight_name( request->slot, request->generation, request->handle ); break;
    }
}

/* Mutex held. A CLOSE is for the server that counted the descriptor. It is never sent again: the next server is not told of
 * the descriptor, and may know another one of the same socket that looks alike. */
static int32_t close_locked( struct ws2_request *request )
{
    struct ws2_reply reply;
    int received;

    in_flight_forget( request->slot, request->generation, request->handle );
    connection.parts->prepare( request, -1 );
    if ( connection.fd >= 0 )
    {
        if ( host_tracing ) exchange_trace( request, NULL );
        if ( exchange_once( connection.fd, request, -1, &reply, &received ) == EXCHANGE_DONE ) return 0;
        hang_up();
    }
    return connection_establish();
}

static void note_told( const struct ws2_request *request )
{
    host_count( WS2_COUNT_REQUESTS, 1 );
    if ( host_tracing ) exchange_trace( request, NULL );
}

int connection_tell( const struct ws2_request *request, int send_fd )
{
    struct ws2_reply reply;
    enum exchange outcome;
    int received;

    assert( host_mutex_held( &connection.mutex ) );
    if ( connection.fd < 0 ) return 0;
    outcome = exchange_once( connection.fd, request, send_fd, &reply, &received );
    if ( outcome == EXCHANGE_GONE ) hang_up();
    if ( outcome != EXCHANGE_DONE ) return 0;
    atomic_store( &told, 1 );
    note_told( request );
    return 1;
}

int connection_look( void )
{
    assert( host_mutex_held( &connection.mutex ) );
    return connection.fd >= 0 && exchange_look( connection.fd );
}

void connection_tell_late( void ) { connection.parts->wake(); }
void connection_tell_soon( void ) { connection.parts->wake_soon(); }

int connection_tell_now( const struct ws2_request *request, int send_fd )
{
    sigset_t before;
    int sent;

    if ( !host_mutex_try( &connection.mutex, &before ) ) return 0;
    sent = connection.fd >= 0 && !connection.parts->must_tell() &&
           message_send( connection.fd, request, sizeof( *request ), &send_fd, 1, MSG_DONTWAIT ) == sizeof( *request );
    if ( sent ) note_told( request );
    connection_unlock( &before );
    return sent;
}

int32_t connection_request( struct ws2_request *request, int send_fd, struct ws2_reply *reply, int *received_fd )
{
    sigset_t before;
    int32_t error;

    if ( received_fd ) *received_fd = -1;
    memset( reply, 0, sizeof( *reply ) );
    if ( !connection.windows_pid ) return reply->error = WSAENETDOWN;
    host_count( WS2_COUNT_REQUESTS, 1 );
    connection_lock( &before );
    if ( request->type == WS2_CLOSE ) error = close_locked( request );
    else
    {
        error = request_locked( request, send_fd, reply, received_fd );
        connection_follow( request, reply );
        connection.parts->follow( request, reply, send_fd );
    }
    connection_unlock( &before );
    return error;
}

/* --- sharing --------------------------------------------------------------------------------------------------------*/

int32_t connection_watch( uint32_t target, int fd )
{
    struct ws2_request request = { .type = WS2_WATCH, .windows_pid = target };
    struct ws2_reply reply;

    return connection_request( &request, fd, &reply, NULL );
}

int32_t connection_adopt( int fd, uint32_t family, uint32_t type, uint32_t protocol, uint32_t handle, uint32_t *slot,
                          uint32_t *generation, int *new_slot )
{
    struct ws2_request request = { .type = WS2_ADOPT, .handle = handle, .flags = family | type << 16 | protocol << 24 };
    struct ws2_reply reply;
    const int32_t error = connection_request( &request, fd, &reply, NULL );

    *slot = reply.slot;
    *generation = reply.generation;
    *new_slot = reply.detail == WS2_DETAIL_NEW_SLOT;
    return !error && reply.slot >= WS2_SLOT_COUNT ? WSAENETDOWN : error;
}

void connection_name( uint32_t slot, uint32_t generation, uint32_t handle )
{
    struct ws2_request request = { .type = WS2_NAME, .slot = slot, .generation = generation, .handle = handle };
    struct ws2_reply reply;

    connection_request( &request, -1, &reply, NULL );
}

void connection_close( uint32_t slot, uint32_t generation, uint32_t handle )
{
    struct ws2_request request = { .type = WS2_CLOSE, .slot = slot, .generation = generation, .handle = handle };
    struct ws2_reply reply;

    connection_request( &request, -1, &reply, NULL );
}

void connection_bound( uint32_t slot, uint32_t generation )
{
    struct ws2_request request = { .type = WS2_BOUND, .slot = slot, .generation = generation };
    struct ws2_reply reply;

    connection_request( &request, -1, &reply, NULL );
}

void connection_settle( void )
{
    /* requests are answered in order; this one asks for nothing */
    struct ws2_request request = { .type = WS2_LIST, .slot = WS2_SLOT_COUNT };
    struct ws2_reply reply;

    connection_request( &request, -1, &reply, NULL );
}

int connection_counts_are_late( void ) { return atomic_load( &told ); }

void connection_settle_counts( void )
{
    if ( connection_counts_are_late() ) connection_settle();
}
