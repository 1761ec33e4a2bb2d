/*
 * Connections: accepted, read when they are ready, answered now or later. A connection belongs to a process and, after
 * HELLO, to one client of it (or to an observer); losing it says nothing of the process.
 *
 * What a message means is not known here: the reader that main.c hands over (requests.c) is called for what is ready.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "server.h"
#include "ws2host/message.h"

#define LISTEN_AGAIN 100 /* ms */
#define SEND_AGAIN 20    /* ms, when too many descriptors of the user's are on their way */
#define TELL_AGAIN 50    /* ms, when there is no memory to tell which tickets ended */
#define CLOSING_MOST 64u /* descriptors of a process that wait to be closed while it is read from */
#define REST 1           /* ms that a process rests when it has had its turn */
/* What a process may send at once before it rests, in messages that nobody waits for: what it has sent is heard before what
 * others send later, as long as it is no flood. */
#define BURST 4096u
#define BURST_FORGIVEN 64u /* of it in each ms */
#define TURN_MOST 1024u    /* of it in one turn */
#define CLOSING_AGAIN 5    /* ms */
#define WAIT_EVENTS ( EPOLLIN | EPOLLRDHUP )

TAILQ_HEAD( held_list, connection );
static struct held_list held = TAILQ_HEAD_INITIALIZER( held ), due = TAILQ_HEAD_INITIALIZER( due );
static int spare_fd =
    -1; /* given up for a moment to accept, and so to refuse, a connection when there are no descriptors */
static int listener_fd = -1;
static struct source *listener;
static uint64_t listen_at; /* 0, or when connections are accepted again: there were no descriptors at all */
static struct connection_reader reader;
static unsigned int connections;
static int hearing;                 /* another one, while a message is handled: no deeper than that */
static struct close_queue *refused; /* connections that belong to nobody */

unsigned int connections_open( void ) { return connections; }

void connections_begin( struct connection_reader functions )
{
    reader = functions;
    if ( !refused ) refused = close_queue_create();
}

void connections_listen( int fd )
{
    listener_fd = fd;
    if ( spare_fd < 0 ) spare_fd = fcntl( fd, F_DUPFD_CLOEXEC, 0 );
}

/* Reads on, or waits until it can be written to. */
static void set_events( struct connection *connection )
{
    loop_change( &connection->source, connection->fd,
                 connection->unsent  ? EPOLLOUT | EPOLLRDHUP
                 : connection->waits ? EPOLLRDHUP
                                     : WAIT_EVENTS );
}

static void drop_unsent( struct connection *connection )
{
    free( connection->unsent );
    connection->unsent = NULL;
}

/* The record itself is freed by the event that is being handled. */
void connection_end( struct connection *connection )
{
    if ( connection->ended ) return;
    connection->ended = 1;
    LIST_REMOVE( connection, in_process );
    process_check_watch( connection->process );
    assert( connections );
    connections--;
    if ( connection->waits == WAITS_UNTIL ) TAILQ_REMOVE( connection->is_due ? &due : &held, connection, in_held );
    if ( connection->waits == WAITS_FOR_WORK ) work_cancel( &connection->work );
    if ( connection->request_fd >= 0 ) close_later_consume( connection->request_fd, connection->process->closing );
    if ( connection->client && connection->client->connection == connection ) connection->client->connection = NULL;
    drop_unsent( connection );
    loop_remove( connection->fd );
    close_later_consume( connection->fd, connection->process->closing );
    process_charge( connection->process, &connection->process->held.connections, -1 );
}

static void free_ended( struct connection *connection )
{
    if ( !connection->ended ) return;
    process_put( connection->process );
    free( connection );
}

/* 0 when it is still not to be had. */
static int send_unsent( struct connection *connection )
{
    struct unsent *unsent = connection->unsent;

    if ( message_send( connection->fd, unsent->message, unsent->size, &unsent->fd, unsent->fd >= 0, MSG_DONTWAIT ) < 0 )
    {
        if ( errno == EAGAIN || errno == ETOOMANYREFS || errno == ENOBUFS || errno == ENOMEM ) return 0;
        connection_end( connection );
        return 1;
    }
    drop_unsent( connection );
    return 1;
}

static void stop_waiting( struct connection *connection )
{
    if ( connection->waits != WAITS_UNTIL ) return;
    TAILQ_REMOVE( connection->is_due ? &due : &held, connection, in_held );
    connection->waits = NOT_WAITING;
}

/* Nothing more comes. What has been said before is heard, though it was made to wait; answers that there is no room for are for
 * nobody. */
static void hear_out( struct connection *connection )
{
    stop_waiting( connection );
    for ( int i = 0; i < 64 && !connection->ended && !connection->waits; i++ )
    {
        drop_unsent( connection );
        if ( !reader.receive( connection ) ) break;
    }
    connection_end( connection );
}

static void connection_ready( struct source *source, uint32_t events )
{
    struct connection *connection = (struct connection *)source;

    if ( connection->unsent && ( events & EPOLLOUT ) && !( events & ( EPOLLHUP | EPOLLERR ) ) )
    {
        if ( send_unsent( connection ) && !connection->ended ) set_events( connection );
    }
    else if ( events & EPOLLIN )
    {
        if ( loop_now_us() < connection->process->rests_until ) connection_wait( connection, REST );
        else if ( close_pending( connection->process->closing ) > CLOSING_MOST )
            connection_wait( connection, CLOSING_AGAIN );
        else reader.receive( connection );
    }
    else hear_out( connection );
    free_ended( connection );
}

/* A process that has ended has none: what another keeps open of it would be charged to nobody. */
static int may_connect( struct process *process, int connection )
{
    const unsigned int all = process_descriptor_share( CONNECTION_PART ),
                       room = all > connections ? all - connections : 0;

    return process_may_take( process, &process->held.connections, PROCESS_CONNECTIONS_ALWAYS, PROCESS_CONNECTIONS,
                             room ) &&
           ( process_is_foreign( process ) || !process_watch( process, connection, process_ended ) );
}

void connection_accept( struct source *source, uint32_t events )
{
    struct ucred peer;
    socklen_t size = sizeof( peer );
    static uint64_t serial;
    struct connection *connection;
    struct process *process = NULL;
    int fd = accept4( listener_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK );

    if ( fd < 0 )
    {
        if ( ( errno == EMFILE || errno == ENFILE ) && spare_fd >= 0 )
        {
            close( spare_fd );
            if ( ( fd = accept4( listener_fd, NULL, NULL, SOCK_CLOEXEC ) ) >= 0 ) close_later_consume( fd, refused );
            spare_fd = fcntl( listener_fd, F_DUPFD_CLOEXEC, 0 );
        }
        if ( spare_fd >= 0 || errno == EAGAIN ) return;
        listener = source;
        listen_at = loop_now() + LISTEN_AGAIN;
        loop_change( source, listener_fd, 0 );
        return;
    }
    if ( getsockopt( fd, SOL_SOCKET, SO_PEERCRED, &peer, &size ) < 0 || peer.uid != geteuid() ) goto refuse;
    /* a process that this server cannot see, in another PID name space, has no number here */
    process = peer.pid > 0 ? process_get( peer.pid ) : process_foreign();
    if ( !process || !may_connect( process, fd ) || !( connection = calloc( 1, sizeof( *connection ) ) ) ) goto refuse;
    connection->source.ready = connection_ready;
    connection->fd = fd;
    connection->request_fd = -1;
    connection->serial = ++serial;
    connection->process = process;
    if ( loop_add( &connection->source, fd, WAIT_EVENTS ) < 0 )
    {
        free( connection );
        goto refuse;
    }
    LIST_INSERT_HEAD( &process->connections, connection, in_process );
    process_charge( process, &process->held.connections, 1 );
    connections++;
    /* most have said something already */
    if ( events && connection_may_be_heard( connection ) && close_pending( process->closing ) <= CLOSING_MOST )
        connection_hear( connection );
    return;

refuse:
    if ( process )
    {
        process_check_watch( process );
        process_put( process );
    }
    close_later_consume( fd, refused );
}

/* What has been sent at once lately. */
static uint64_t burst_now( struct process *process )
{
    const uint64_t now = loop_now_us(), forgiven = ( now - process->burst_at ) * BURST_FORGIVEN / 1000;

    process->burst = process->burst > forgiven ? process->burst - forgiven : 0;
    process->burst_at = now;
    return process->burst;
}

int connection_may_go_on( struct connection *connection, unsigned int sent )
{
    return sent < TURN_MOST && close_pending( connection->process->closing ) <= CLOSING_MOST &&
           burst_now( connection->process ) + sent < BURST;
}

void connection_rest( struct connection *connection, unsigned int sent )
{
    struct process *process = connection->process;

    process->burst = burst_now( process ) + sent;
    if ( process->burst > BURST ) process->rests_until = process->burst_at + REST * 1000;
}

int connection_may_be_heard( const struct connection *connection )
{
    return !hearing && !connection->waits && !connection->unsent && loop_now_us() >= connection->process->rests_until;
}

int connection_hear( struct connection *connection )
{
    int heard;

    assert( !hearing && !connection->ended && !connection->waits && !connection->unsent );
    hearing = 1;
    heard = reader.receive( connection );
    hearing = 0;
    free_ended( connection );
    return heard;
}

void connection_drain( struct connection *connection )
{
    /* what the socket's buffer holds, and no more, though another process has the other end too and goes on writing */
    shutdown( connection->fd, SHUT_RD );
    hear_out( connection );
    free_ended( connection );
}

/* errno when it was not sent. */
int connection_try_reply( struct connection *connection, const void *message, size_t size, int fd )
{
    return message_send( connection->fd, message, size, &fd, fd >= 0, MSG_DONTWAIT ) == (ssize_t)size;
}

void connection_reply( struct connection *connection, const void *message, size_t size, int lasting_fd )
{
    struct unsent *unsent;

    assert( !connection->unsent );
    if ( message_send( connection->fd, message, size, &lasting_fd, lasting_fd >= 0, MSG_DONTWAIT ) == (ssize_t)size )
        return;
    if ( ( errno != EAGAIN && errno != ETOOMANYREFS && errno != ENOBUFS && errno != ENOMEM ) ||
         !( unsent = malloc( sizeof( *unsent ) + size ) ) )
    {
        connection_end( connection );
        return;
    }
    unsent->fd = lasting_fd;
    unsent->size = size;
    memcpy( unsent->message, message, size );
    connection->unsent = unsent;
    if ( errno == EAGAIN ) set_events( connection );
    else connection_wait( connection, SEND_AGAIN );
}

void connection_wait( struct connection *connection, uint64_t delay )
{
    connection->waits = WAITS_UNTIL;
    connection->held_until = loop_now() + delay;
    TAILQ_INSERT_TAIL( &held, connection, in_held );
    loop_change( &connection->source, connection->fd, EPOLLRDHUP );
}

static int work_step_of( struct work *work )
{
    struct connection *connection = (struct connection *)( (char *)work - offsetof( struct connection, work ) );

    connection->waits = NOT_WAITING;
    reader.go_on( connection );
    if ( connection->waits == WAITS_FOR_WORK ) return 1;
    connection->working = 0;
    if ( !connection->ended && !connection->waits ) set_events( connection );
    free_ended( connection );
    return 0;
}

void connection_work( struct connection *connection )
{
    const int goes_on = connection->working;

    connection->waits = WAITS_FOR_WORK;
    if ( goes_on ) return; /* it is in a step of it */
    connection->working = 1;
    connection->work.step = work_step_of;
    work_begin( &connection->work );
    loop_change( &connection->source, connection->fd, EPOLLRDHUP );
}

uint64_t connections_deadline( void )
{
    struct connection *connection;
    uint64_t deadline = clients_to_tell() ? loop_now() + TELL_AGAIN : 0;

    if ( listen_at && ( !deadline || listen_at < deadline ) ) deadline = listen_at;
    TAILQ_FOREACH( connection, &held, in_held )
    if ( !deadline || connection->held_until < deadline ) deadline = connection->held_until;
    return deadline;
}

/* The time is over. */
static void go_on( struct connection *connection )
{
    connection->waits = NOT_WAITING;
    if ( connection->unsent && !send_unsent( connection ) ) connection_wait( connection, SEND_AGAIN );
    if ( !connection->ended && !connection->waits ) set_events( connection );
    free_ended( connection );
}

/* Those that are due. */
void connections_run( void )
{
    struct connection *connection, *next;
    uint64_t now;

    if ( !listen_at && TAILQ_EMPTY( &held ) ) return;
    now = loop_now();
    if ( listen_at && now >= listen_at )
    {
        listen_at = 0;
        if ( spare_fd < 0 ) spare_fd = fcntl( listener_fd, F_DUPFD_CLOEXEC, 0 );
        loop_change( listener, listener_fd, EPOLLIN );
    }
    for ( connection = TAILQ_FIRST( &held ); connection; connection = next )
    {
        next = TAILQ_NEXT( connection, in_held );
        if ( connection->held_until > now ) continue;
        TAILQ_REMOVE( &held, connection, in_held );
        TAILQ_INSERT_TAIL( &due, connection, in_held );
        connection->is_due = 1;
    }
    while ( ( connection = TAILQ_FIRST( &due ) ) )
    {
        TAILQ_REMOVE( &due, connection, in_held );
        connection->is_due = 0;
        go_on( connection );
    }
}

void process_ended( struct source *source, uint32_t events )
{
    struct process *process = (struct process *)( (char *)source - offsetof( struct process, source ) );
    struct connection *connection;
    struct client *client;

    (void)events;
    process->users++;
    while ( ( client = LIST_FIRST( &process->clients ) ) )
    {
        /* others may know of the tickets that it has issued last */
        if ( client->connection )
        {
            client->connection->last_words = 1;
            connection_drain( client->connection );
        }
        if ( client == LIST_FIRST( &process->clients ) ) connection_end_client( client );
    }
    /* each ends when that is seen: one of them may be the one whose message is being handled */
    LIST_FOREACH( connection, &process->connections, in_process )
    shutdown( connection->fd, SHUT_RDWR );
    process_unwatch( process );
    process_put( process );
}

void connection_end_client( struct client *client )
{
    /* it may be the one whose message is being handled: freed by whoever does that, or when its end is seen */
    if ( client->connection ) client->connection->client = NULL;
    client->connection = NULL;
    ending_begin( client );
}
