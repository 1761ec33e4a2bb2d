/* The native side: epoll, SCM_RIGHTS, sendfile. */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/wait.h>
#include <time.h>
#include "port.h"

double port_now( void )
{
    struct timespec now;

    clock_gettime( CLOCK_MONOTONIC, &now );
    return now.tv_sec * 1e9 + now.tv_nsec;
}

void port_begin( void )
{
    struct rlimit limit;

    if ( !getrlimit( RLIMIT_NOFILE, &limit ) )
    {
        limit.rlim_cur = limit.rlim_max;
        setrlimit( RLIMIT_NOFILE, &limit );
    }
}

struct start
{
    void ( *function )( void * );
    void *argument;
};

static void *run( void *argument )
{
    struct start start = *(struct start *)argument;

    free( argument );
    start.function( start.argument );
    return NULL;
}

int port_thread_start( port_thread *thread, void ( *function )( void * ), void *argument )
{
    struct start *start = malloc( sizeof( *start ) );

    if ( !start ) return ENOMEM;
    start->function = function;
    start->argument = argument;
    return pthread_create( thread, NULL, run, start );
}

void port_thread_join( port_thread thread ) { pthread_join( thread, NULL ); }

/* --- events -----------------------------------------------------------------------------------------------------------*/

int port_event_open( struct port_event *event, SOCKET s )
{
    event->s = s;
    event->event = NULL;
    return fcntl( s, F_SETFL, O_NONBLOCK ) ? errno : 0;
}

int port_event_wait( struct port_event *event )
{
    struct pollfd fd = { event->s, POLLIN, 0 };

    return poll( &fd, 1, -1 ) == 1 ? 0 : errno;
}

void port_event_close( struct port_event *event ) { (void)event; }

/* --- another process --------------------------------------------------------------------------------------------------*/

static int pass_fds[2];
static pid_t pass_child;

/* Takes one descriptor, closes it, and answers the last of each batch. */
static void pass_target( int channel )
{
    for ( ;; )
    {
        char last, control[CMSG_SPACE( sizeof( int ) )];
        struct iovec data = { &last, 1 };
        struct msghdr message = {
            .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof( control )
        };
        struct cmsghdr *header;
        int fd;

        if ( recvmsg( channel, &message, MSG_CMSG_CLOEXEC ) != 1 ) return;
        if ( !( header = CMSG_FIRSTHDR( &message ) ) ) return;
        memcpy( &fd, CMSG_DATA( header ), sizeof( fd ) );
        close( fd );
        if ( last && write( channel, &last, 1 ) != 1 ) return;
    }
}

int port_pass_open( void )
{
    if ( socketpair( AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pass_fds ) ) return errno;
    if ( !( pass_child = fork() ) )
    {
        close( pass_fds[0] );
        pass_target( pass_fds[1] );
        _exit( 0 );
    }
    close( pass_fds[1] );
    return 0;
}

int port_pass( SOCKET s, unsigned int count )
{
    char last;

    while ( count-- )
    {
        char control[CMSG_SPACE( sizeof( int ) )] = { 0 };
        struct iovec data = { &last, 1 };
        struct msghdr message = {
            .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof( control )
        };
        struct cmsghdr *header = CMSG_FIRSTHDR( &message );

        last = !count;
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN( sizeof( int ) );
        memcpy( CMSG_DATA( header ), &s, sizeof( s ) );
        if ( sendmsg( pass_fds[0], &message, 0 ) != 1 ) return errno;
    }
    return read( pass_fds[0], &last, 1 ) == 1 ? 0 : EPIPE;
}

void port_pass_close( void )
{
    close( pass_fds[0] );
    waitpid( pass_child, NULL, 0 );
}

int port_pass_target( int argc, char **argv )
{
    (void)argc, (void)argv;
    return 2;
}

/* --- many connections -------------------------------------------------------------------------------------------------*/

int port_echo_serve( SOCKET listener, unsigned int connections )
{
    struct epoll_event events[64];
    unsigned int left = connections;
    int queue = epoll_create1( EPOLL_CLOEXEC ), error = 0;

    for ( unsigned int i = 0; i < connections; i++ )
    {
        int fd = accept4( listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC ), on = 1;
        struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

        if ( fd < 0 || epoll_ctl( queue, EPOLL_CTL_ADD, fd, &event ) )
        {
            error = errno;
            close( queue );
            return error;
        }
        setsockopt( fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof( on ) );
    }
    while ( left )
    {
        int count = epoll_wait( queue, events, 64, -1 );

        for ( int i = 0; i < count; i++ )
        {
            char buffer[PORT_ECHO_SIZE];
            ssize_t got = recv( events[i].data.fd, buffer, sizeof( buffer ), 0 );

            if ( got > 0 ) got = send( events[i].data.fd, buffer, got, MSG_NOSIGNAL );
            if ( got > 0 || ( got < 0 && errno == EAGAIN ) ) continue;
            close( events[i].data.fd );
            left--;
        }
    }
    close( queue );
    return 0;
}

/* --- a file -----------------------------------------------------------------------------------------------------------*/

static int file = -1;

int port_file_open( const char *path ) { return ( file = open( path, O_RDONLY | O_CLOEXEC ) ) < 0 ? errno : 0; }

int port_file_send( SOCKET s, uint64_t size )
{
    off_t offset = 0;

    while ( (uint64_t)offset < size )
        if ( sendfile( s, file, &offset, size - offset ) <= 0 ) return errno;
    return 0;
}

void port_file_close( void ) { close( file ); }

/* --- a packet -----------------------------------------------------------------------------------------------------------*/

static int packets = -1;

int port_packet_open( void ) { return ( packets = eventfd( 0, EFD_CLOEXEC ) ) < 0 ? errno : 0; }

int port_packet( void )
{
    uint64_t number = 1;

    return write( packets, &number, sizeof( number ) ) == sizeof( number ) &&
                   read( packets, &number, sizeof( number ) ) == sizeof( number )
               ? 0
               : errno;
}

void port_packet_close( void ) { close( packets ); }

/* --- another process of this program -----------------------------------------------------------------------------------*/

extern char **environ;

int port_spawn( const char *command, const char *argument )
{
    char *arguments[] = { "/proc/self/exe", (char *)command, (char *)argument, NULL };
    pid_t pid;
    int status, error = posix_spawn( &pid, arguments[0], NULL, NULL, arguments, environ );

    if ( error ) return error;
    return waitpid( pid, &status, 0 ) == pid && WIFEXITED( status ) ? WEXITSTATUS( status ) : ECHILD;
}

/* --- a conversation -----------------------------------------------------------------------------------------------------*/

static int question[2] = { -1, -1 }, answer[2] = { -1, -1 };

int port_conversation_open( void )
{
    char message[64];
    pid_t pid;

    if ( pipe( question ) || pipe( answer ) || ( pid = fork() ) < 0 ) return errno;
    if ( !pid )
    {
        close( question[1] );
        while ( read( question[0], message, sizeof( message ) ) == sizeof( message ) &&
                write( answer[1], message, sizeof( message ) ) == sizeof( message ) )
            continue;
        _exit( 0 );
    }
    close( question[0] );
    close( answer[1] );
    return 0;
}

int port_conversation( void )
{
    char message[64] = { 0 };

    return write( question[1], message, sizeof( message ) ) == sizeof( message ) &&
                   read( answer[0], message, sizeof( message ) ) == sizeof( message )
               ? 0
               : errno;
}

void port_conversation_close( void )
{
    close( question[1] );
    close( answer[0] );
    wait( NULL );
}
