/*
 * Connections: accepted, read when they are ready, answered now or later, and what ends with them.
 *
 * What a message means is not known here: the reader that main.c hands over (requests.c) is called for what is ready.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "server.h"
#include "ws2host/message.h"

#define LISTEN_AGAIN 100 /* ms */
#define TELL_AGAIN 50    /* ms, when a client is slow to read which tickets ended */
#define WAIT_EVENTS ( EPOLLIN | EPOLLRDHUP )

TAILQ_HEAD( held_list, client );
static struct held_list held = TAILQ_HEAD_INITIALIZER( held );
static int spare_fd =
    -1; /* given up for a moment to accept, and so to refuse, a connection when there are no descriptors */
static int listener_fd = -1;
static struct source *listener;
static uint64_t listen_at; /* 0, or when connections are accepted again: there were no descriptors at all */
static struct connection_reader reader;
static unsigned int tried_parked; /* takeover_progress when parked requests were last tried */

void connections_begin( int fd, struct connection_reader functions )
{
    reader = functions;
    listener_fd = fd;
    spare_fd = fcntl( fd, F_DUPFD_CLOEXEC, 0 );
}

static void client_ready( struct source *source, uint32_t events )
{
    struct client *client = (struct client *)source;

    if ( events & EPOLLIN ) reader.receive( client );
    else client_drop( client );
    if ( client->dropped ) client_free( client );
}

void client_accept( struct source *source, uint32_t events )
{
    struct ucred peer;
    socklen_t size = sizeof( peer );
    struct client *client;
    int fd = accept4( listener_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK );

    (void)events;
    if ( fd < 0 )
    {
        if ( ( errno == EMFILE || errno == ENFILE ) && spare_fd >= 0 )
        {
            close( spare_fd );
            if ( ( fd = accept4( listener_fd, NULL, NULL, SOCK_CLOEXEC ) ) >= 0 ) close( fd );
            spare_fd = fcntl( listener_fd, F_DUPFD_CLOEXEC, 0 );
        }
        if ( spare_fd >= 0 || errno == EAGAIN ) return;
        listener = source;
        listen_at = loop_now() + LISTEN_AGAIN;
        loop_change( source, listener_fd, 0 );
        return;
    }
    if ( getsockopt( fd, SOL_SOCKET, SO_PEERCRED, &peer, &size ) < 0 || peer.uid != geteuid() ||
         !( client = client_create( fd, peer.pid ) ) )
    {
        close( fd );
        return;
    }
    client->source.ready = client_ready;
    if ( client->process->connections > PROCESS_CONNECTIONS || loop_add( &client->source, fd, WAIT_EVENTS ) < 0 )
        client_drop( client );
    if ( client->dropped ) client_free( client );
}

/* Ends a client: all it held is given up. The record itself is freed by the event that is being handled. */
void client_drop( struct client *client )
{
    struct holder *holder;

    if ( client->dropped ) return;
    client->dropped = 1;
    if ( client->held_until ) TAILQ_REMOVE( &held, client, in_held );
    if ( client->fd >= 0 )
    {
        loop_remove( client->fd );
        close( client->fd );
    }
    if ( client->pidfd >= 0 )
    {
        loop_remove( client->pidfd );
        close( client->pidfd );
    }
    while ( ( holder = LIST_FIRST( &client->holders ) ) ) share_release( holder );
    tickets_client_gone( client );
    if ( client->index != WS2_NO_INDEX ) client->process->blocks -= blocks_take_back( client->index );
    client_remove( client );
    takeover_client_done( client );
}

void client_death_ready( struct source *source, uint32_t events )
{
    struct client *client = (struct client *)( (char *)source - offsetof( struct client, death ) );

    (void)events;
    client_drop( client );
    client_free( client );
}

int client_reply( struct client *client, const void *message, size_t size, int fd )
{
    if ( message_send( client->fd, message, size, &fd, fd >= 0, MSG_DONTWAIT ) == (ssize_t)size ) return 1;
    client_drop( client );
    return 0;
}

/* This is what slows guessing down. */
void client_hold( struct client *client, const struct ws2_reply *reply, uint64_t delay )
{
    client->held_reply = *reply;
    client->held_until = loop_now() + delay;
    TAILQ_INSERT_TAIL( &held, client, in_held );
    loop_change( &client->source, client->fd, EPOLLRDHUP );
}

uint64_t clients_deadline( void )
{
    struct client *client;
    uint64_t deadline = clients_to_tell() ? loop_now() + TELL_AGAIN : 0;

    if ( listen_at && ( !deadline || listen_at < deadline ) ) deadline = listen_at;
    TAILQ_FOREACH( client, &held, in_held )
    if ( !deadline || client->held_until < deadline ) deadline = client->held_until;
    return deadline;
}

static void client_resume_reading( struct client *client )
{
    client->held_until = 0;
    loop_change( &client->source, client->fd, WAIT_EVENTS );
}

/* 0 when it was dropped and is gone. */
static int retry( struct client *client )
{
    if ( reader.retry( client ) ) return 1;
    client_drop( client );
    client_free( client );
    return 0;
}

/* Parked requests again: a source has published what it holds, or all have. */
static void run_parked( void )
{
    struct held_list parked = TAILQ_HEAD_INITIALIZER( parked );
    struct client *client, *next;

    tried_parked = takeover_progress();
    for ( client = TAILQ_FIRST( &held ); client; client = next )
    {
        next = TAILQ_NEXT( client, in_held );
        if ( !client->parked ) continue;
        TAILQ_REMOVE( &held, client, in_held );
        TAILQ_INSERT_TAIL( &parked, client, in_held );
    }
    while ( ( client = TAILQ_FIRST( &parked ) ) )
    {
        const uint64_t deadline = client->held_until;

        TAILQ_REMOVE( &parked, client, in_held );
        client_resume_reading( client );
        if ( retry( client ) && client->parked && !client->deferred ) client->held_until = deadline; /* parked again */
    }
}

void clients_run_deadlines( void )
{
    struct client *client, *next;
    uint64_t now;

    if ( tried_parked != takeover_progress() ) run_parked();
    if ( !listen_at && TAILQ_EMPTY( &held ) ) return;
    now = loop_now();
    if ( listen_at && now >= listen_at )
    {
        listen_at = 0;
        if ( spare_fd < 0 ) spare_fd = fcntl( listener_fd, F_DUPFD_CLOEXEC, 0 );
        loop_change( listener, listener_fd, EPOLLIN );
    }
    for ( client = TAILQ_FIRST( &held ); client; client = next )
    {
        next = TAILQ_NEXT( client, in_held );
        if ( client->held_until > now ) continue;
        TAILQ_REMOVE( &held, client, in_held );
        client_resume_reading( client );
        if ( client->deferred )
        {
            retry( client );
            continue;
        }
        client->parked = 0;
        if ( !client_reply( client, &client->held_reply, sizeof( client->held_reply ), -1 ) ) client_free( client );
    }
}
