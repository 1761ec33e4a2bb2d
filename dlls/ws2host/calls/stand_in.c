/*
 * The stand-in: what the loader's server holds in place of the host sockets of the process's pooled SOCKETs (LOCAL_POOLED), and how
 * another process that has copied such a handle out of this one comes by the socket itself.
 *
 * It is a socket of AF_UNIX by which nothing can be sent or received, of a kind that is no SOCKET to anybody. Its name tells it
 * anywhere, random and in the name space that has no files, so that nothing is left of a process that dies. The owner
 * listens under that name and a mark: who has the handle connects, says its value, and gets the host socket that stands under
 * it. Only the same user is answered, about pooled SOCKETs only, and a few at a time: one more takes the place of the one that
 * came first, so that nobody keeps others from asking.
 *
 * The thread that answers begins with the pool and lasts as long as the process. The loader does not know it: it runs with all
 * signals blocked, never calls into Windows code, and takes no lock but those of ending a descriptor.
 */
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include "base/host_thread.h"
#include "descriptors/descriptor.h"
#include "ws2host/message.h"

#define ASKERS 8
#define PATIENCE 5 /* s that an owner is waited for */

#define PREFIX "ws2host-stand-in-"
#define NAME_LENGTH ( sizeof( PREFIX ) - 1 + 32 ) /* behind the zero that abstract names begin with */
#define ASK '?'

struct question
{
    uint64_t handle;
    uint32_t end;
    uint32_t size; /* of the question, for a later one */
};

struct answer
{
    int32_t error;
    uint32_t real;
    uint32_t inherited;
    uint32_t reserved;
};

static socklen_t size_of_name( size_t length ) { return offsetof( struct sockaddr_un, sun_path ) + 1 + length; }

/* --- the owner --------------------------------------------------------------------------------------------------------*/

static void find_answer( const struct question *question, struct answer *answer, struct descriptor *d )
{
    const uint32_t local = d ? atomic_load( &d->local ) : 0;

    answer->inherited = ( local & LOCAL_INHERITED ) != 0;
    answer->error = local & LOCAL_POOLED ? 0 : WSAENOTSOCK;
    if ( answer->error || !question->end ) return;
    /* as when a handle has gone behind our back, which it is about to */
    descriptor_confirm( question->handle, -1 );
    answer->real = descriptor_take_real( d );
}

/* 0: the conversation is over. */
static int answer_one( int fd )
{
    struct question question;
    struct answer answer = { 0 };
    const ssize_t size = recv( fd, &question, sizeof( question ), MSG_DONTWAIT | MSG_TRUNC );
    struct descriptor *d;
    NTSTATUS status;
    int sent;

    if ( size < 0 && errno == EAGAIN ) return 1;
    if ( size != sizeof( question ) || question.size != sizeof( question ) ) return 0;
    d = descriptor_acquire( question.handle, &status );
    find_answer( &question, &answer, d );
    /* a socket that ends here is open until it is on its way */
    sent = message_send( fd, &answer, sizeof( answer ), d ? &d->fd : NULL, d && !answer.error, MSG_DONTWAIT ) > 0;
    if ( d ) descriptor_release( d );
    return sent;
}

static int is_same_user( int fd )
{
    struct ucred peer;
    socklen_t size = sizeof( peer );

    return !getsockopt( fd, SOL_SOCKET, SO_PEERCRED, &peer, &size ) && peer.uid == geteuid();
}

static int accept_asker( int listener )
{
    const struct timespec nap = { 0, 10000000 };
    int fd = accept4( listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC );

    if ( fd < 0 && ( errno == EMFILE || errno == ENFILE ) ) nanosleep( &nap, NULL );
    if ( fd < 0 || is_same_user( fd ) ) return fd;
    close( fd );
    return -1;
}

static void *attend( void *argument )
{
    struct pollfd fds[1 + ASKERS];
    unsigned int next = 0;
    int fd;

    for ( unsigned int i = 0; i <= ASKERS; i++ ) fds[i] = ( struct pollfd ){ .fd = -1, .events = POLLIN };
    fds[0].fd = (int)(intptr_t)argument;
    for ( ;; )
    {
        if ( poll( fds, 1 + ASKERS, -1 ) < 0 )
        {
            if ( errno != EINTR && errno != ENOMEM ) return NULL;
            continue;
        }
        for ( unsigned int i = 1; i <= ASKERS; i++ )
            if ( fds[i].fd >= 0 && fds[i].revents && !answer_one( fds[i].fd ) )
            {
                close( fds[i].fd );
                fds[i].fd = -1;
            }
        if ( !fds[0].revents || ( fd = accept_asker( fds[0].fd ) ) < 0 ) continue;
        next = next % ASKERS + 1;
        if ( fds[next].fd >= 0 ) close( fds[next].fd );
        fds[next].fd = fd;
    }
}

static int name_stand_in( struct sockaddr_un *name )
{
    unsigned long long random[2];

    *name = ( struct sockaddr_un ){ .sun_family = AF_UNIX };
    if ( getrandom( random, sizeof( random ), 0 ) != sizeof( random ) ) return 0;
    snprintf( name->sun_path + 1, sizeof( name->sun_path ) - 1, PREFIX "%016llx%016llx", random[0], random[1] );
    name->sun_path[1 + NAME_LENGTH] = ASK;
    return 1;
}

/* Of the two ends of a pair one is enough. */
static int make_stand_in( const struct sockaddr_un *name )
{
    int fds[2];

    if ( socketpair( AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds ) < 0 ) return -1;
    if ( !shutdown( fds[0], SHUT_RDWR ) && !bind( fds[0], (const struct sockaddr *)name, size_of_name( NAME_LENGTH ) ) )
    {
        close( fds[1] );
        return fds[0];
    }
    close( fds[0] );
    close( fds[1] );
    return -1;
}

NTSTATUS unix_stand_in( void *args )
{
    struct ws2_fd_params *params = args;
    struct sockaddr_un name;
    int listener = socket( AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0 );

    params->fd = -1;
    params->error = WSAENOBUFS;
    if ( listener < 0 ) return 0;
    if ( name_stand_in( &name ) && !bind( listener, (const struct sockaddr *)&name, size_of_name( NAME_LENGTH + 1 ) ) &&
         !listen( listener, ASKERS ) && ( params->fd = make_stand_in( &name ) ) >= 0 )
    {
        if ( host_thread_start( attend, (void *)(intptr_t)listener ) )
        {
            params->error = 0;
            return 0;
        }
        close( params->fd );
        params->fd = -1;
    }
    close( listener );
    return 0;
}

/* --- who asks ---------------------------------------------------------------------------------------------------------*/

static int read_name( int fd, struct sockaddr_un *name )
{
    socklen_t size = sizeof( *name );

    *name = ( struct sockaddr_un ){ .sun_family = AF_UNSPEC };
    return !getsockname( fd, (struct sockaddr *)name, &size ) && name->sun_family == AF_UNIX &&
           size == size_of_name( NAME_LENGTH ) && !name->sun_path[0] &&
           !memcmp( name->sun_path + 1, PREFIX, sizeof( PREFIX ) - 1 );
}

static int connect_owner( struct sockaddr_un *name )
{
    const struct timeval patience = { PATIENCE, 0 };
    int fd = socket( AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0 ), result;

    if ( fd < 0 ) return -1;
    setsockopt( fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof( patience ) );
    setsockopt( fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof( patience ) );
    name->sun_path[1 + NAME_LENGTH] = ASK;
    do result = connect( fd, (struct sockaddr *)name, size_of_name( NAME_LENGTH + 1 ) );
    while ( result && errno == EINTR );
    if ( !result && is_same_user( fd ) ) return fd;
    close( fd );
    return -1;
}

static int is_socket( int fd )
{
    struct stat stat;

    return fd >= 0 && !fstat( fd, &stat ) && S_ISSOCK( stat.st_mode );
}

/* The descriptor that comes with an answer, or -1. */
static int receive_answer( int fd, struct answer *answer )
{
    char control[CMSG_SPACE( sizeof( int ) )];
    struct iovec data = { answer, sizeof( *answer ) };
    struct msghdr header = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof( control )
    };
    struct cmsghdr *cmsg;
    int received = -1;
    ssize_t size;

    while ( ( size = recvmsg( fd, &header, MSG_CMSG_CLOEXEC ) ) < 0 && errno == EINTR ) continue;
    if ( size >= 0 && ( cmsg = CMSG_FIRSTHDR( &header ) ) && cmsg->cmsg_level == SOL_SOCKET &&
         cmsg->cmsg_type == SCM_RIGHTS && cmsg->cmsg_len == CMSG_LEN( sizeof( int ) ) )
        memcpy( &received, CMSG_DATA( cmsg ), sizeof( int ) );
    if ( size != sizeof( *answer ) ) answer->error = WSAENETDOWN;
    return received;
}

static int32_t ask( int fd, struct ws2_stand_in_ask_params *params )
{
    const struct question question = { params->handle, params->end, sizeof( question ) };
    struct answer answer;
    int received;

    if ( send( fd, &question, sizeof( question ), MSG_NOSIGNAL ) != sizeof( question ) ) return WSAENETDOWN;
    received = receive_answer( fd, &answer );
    if ( !answer.error && !is_socket( received ) ) answer.error = WSAENETDOWN;
    if ( answer.error )
    {
        if ( received >= 0 ) close( received );
        return answer.error;
    }
    params->fd = received;
    params->real = answer.real;
    params->inherited = answer.inherited;
    return 0;
}

NTSTATUS unix_stand_in_ask( void *args )
{
    struct ws2_stand_in_ask_params *params = args;
    struct sockaddr_un name;
    const int known = read_name( params->fd, &name );
    int fd;

    close( params->fd );
    params->fd = -1;
    params->real = params->inherited = 0;
    params->error = known ? WSAENETDOWN : WSAEOPNOTSUPP;
    if ( !known || ( fd = connect_owner( &name ) ) < 0 ) return 0;
    params->error = ask( fd, params );
    close( fd );
    return 0;
}

NTSTATUS unix_socket_same( void *args )
{
    struct ws2_socket_same_params *params = args;
    uint64_t cookies[2] = { 0 };

    for ( unsigned int i = 0; i < 2; i++ )
    {
        NTSTATUS status;
        struct descriptor *d = params->fd[i] < 0 ? descriptor_acquire( params->handle[i], &status ) : NULL;

        if ( d ) cookies[i] = socket_cookie( d->fd );
        else if ( params->fd[i] >= 0 ) cookies[i] = socket_cookie( params->fd[i] );
        if ( d ) descriptor_release( d );
        if ( params->fd[i] >= 0 ) close( params->fd[i] );
    }
    params->same = cookies[0] && cookies[0] == cookies[1];
    params->error = 0;
    return 0;
}
