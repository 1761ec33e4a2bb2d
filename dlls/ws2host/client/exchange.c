/* A request to the server and its reply, on a connection that is the caller's: see client_private.h. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/host_trace.h"
#include "client/client_private.h"
#include "ws2host/message.h"
#include "ws2host/trace_text.h"

#define SLOW_SERVER 5000 /* ms after which a person is told that the server does not answer */
#define SEND_AGAIN 20    /* ms, when too many descriptors of the user's are on their way */
#define SEND_TRIES 10

void ( *exchange_ahead_consume )( const struct ws2_reply *answer, int fd );

static int is_same_user( int fd )
{
    struct ucred peer;
    socklen_t size = sizeof( peer );

    return !getsockopt( fd, SOL_SOCKET, SO_PEERCRED, &peer, &size ) && peer.uid == geteuid();
}

int exchange_connect( int directory, const char *path )
{
    const struct timeval patience = { SLOW_SERVER / 1000, 0 };
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket( AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0 ), error;

    if ( fd < 0 ) return -1;
    setsockopt( fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof( patience ) );
    setsockopt( fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof( patience ) );
    /* by the directory's descriptor where the path is too long for an address: that takes the host longer */
    if ( snprintf( address.sun_path, sizeof( address.sun_path ), "%s/" WS2_SERVER_SOCKET, path ) >=
         (int)sizeof( address.sun_path ) )
        snprintf( address.sun_path, sizeof( address.sun_path ), "/proc/self/fd/%d/" WS2_SERVER_SOCKET, directory );
    for ( ;; )
    {
        if ( !connect( fd, (const struct sockaddr *)&address, sizeof( address ) ) )
        {
            /* the path may lead elsewhere than when the directory was looked at */
            if ( is_same_user( fd ) ) return fd;
            errno = EPERM;
            break;
        }
        if ( errno != EAGAIN && errno != EINTR ) break;
        /* more processes wait for it already than can stand in its queue */
        if ( errno == EAGAIN )
            complaint_say( "ws2server does not accept connections; if it is stopped, let it go on or end it" );
    }
    error = errno;
    close( fd );
    errno = error;
    return -1;
}

static void tell_slow( int fd )
{
    struct ucred peer = { 0 };
    socklen_t size = sizeof( peer );

    getsockopt( fd, SOL_SOCKET, SO_PEERCRED, &peer, &size );
    complaint_say(
        "ws2server (process %d) does not answer, and calls that need it wait; if it is stopped, let it go on "
        "(kill -CONT %d), or end it (kill -KILL %d): another takes over",
        peer.pid, peer.pid, peer.pid );
}

/* However long it takes, here and for an answer: a server that accepts is there, and hanging up would make it forget nothing
 * and help nobody. A person is told. */
static void wait_for_room( int fd )
{
    struct pollfd state = { .fd = fd, .events = POLLOUT };
    const uint64_t begin = host_now_ms();
    int ready;

    while ( ( ready = poll( &state, 1, SLOW_SERVER ) ) <= 0 )
        if ( !ready || host_now_ms() - begin > SLOW_SERVER ) tell_slow( fd );
}

static enum exchange send_message( int fd, const void *message, size_t size, int send_fd )
{
    for ( ;; )
    {
        if ( message_send( fd, message, size, &send_fd, send_fd >= 0, MSG_DONTWAIT ) == (ssize_t)size )
            return EXCHANGE_DONE;
        if ( errno == EAGAIN ) wait_for_room( fd );
        else
            return errno == ETOOMANYREFS || errno == ENOMEM || errno == ENOBUFS || errno == EBADF ? EXCHANGE_NOT_SENT
                                                                                                  : EXCHANGE_GONE;
    }
}

/* A reply of exactly size bytes; the descriptor that comes with it, or -1. With MSG_DONTWAIT: NOT_SENT when there is none. */
static enum exchange receive_message( int fd, void *message, size_t size, int *received_fd, int flags )
{
    char control[CMSG_SPACE( sizeof( int ) )];
    struct iovec data = { message, size };
    struct msghdr header = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof( control )
    };
    ssize_t received;

    *received_fd = -1;
    while ( ( received = recvmsg( fd, &header, MSG_CMSG_CLOEXEC | flags ) ) < 0 &&
            ( errno == EINTR || errno == EAGAIN ) )
    {
        if ( errno == EINTR ) continue;
        if ( flags & MSG_DONTWAIT ) return EXCHANGE_NOT_SENT;
        tell_slow( fd );
    }
    if ( received < 0 ) return EXCHANGE_GONE;
    for ( struct cmsghdr *cmsg = CMSG_FIRSTHDR( &header ); cmsg; cmsg = CMSG_NXTHDR( &header, cmsg ) )
        if ( cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS &&
             cmsg->cmsg_len == CMSG_LEN( sizeof( int ) ) )
            memcpy( received_fd, CMSG_DATA( cmsg ), sizeof( int ) );
    if ( received == (ssize_t)size && !( header.msg_flags & MSG_TRUNC ) ) return EXCHANGE_DONE;
    if ( *received_fd >= 0 ) close( *received_fd );
    *received_fd = -1;
    return EXCHANGE_GONE;
}

enum exchange exchange_receive( int fd, struct ws2_reply *reply, int *received_fd )
{
    memset( reply, 0, sizeof( *reply ) );
    return receive_message( fd, reply, sizeof( *reply ), received_fd, 0 );
}

enum exchange exchange_once( int fd, const struct ws2_request *request, int send_fd, struct ws2_reply *reply,
                             int *received_fd )
{
    enum exchange outcome;

    *received_fd = -1;
    memset( reply, 0, sizeof( *reply ) );
    outcome = send_message( fd, request, sizeof( *request ), send_fd );
    if ( outcome != EXCHANGE_DONE || ws2_request_is_one_way( request->type ) ) return outcome;
    while ( ( outcome = receive_message( fd, reply, sizeof( *reply ), received_fd, 0 ) ) == EXCHANGE_DONE &&
            reply->detail == WS2_DETAIL_AHEAD &&
            ( request->type != WS2_REDEEM || request->ticket != reply->ticket || request->generation ) )
        exchange_ahead_consume( reply, *received_fd );
    return outcome;
}

int exchange_look( int fd )
{
    struct ws2_reply answer;
    int received_fd;

    if ( receive_message( fd, &answer, sizeof( answer ), &received_fd, MSG_DONTWAIT ) != EXCHANGE_DONE ) return 0;
    exchange_ahead_consume( &answer, received_fd );
    return 1;
}

enum exchange exchange_again( int fd, const struct ws2_request *request, int send_fd, struct ws2_reply *reply,
                              int *received_fd )
{
    enum exchange outcome;

    for ( int tries = 0; ( outcome = exchange_once( fd, request, send_fd, reply, received_fd ) ) == EXCHANGE_NOT_SENT;
          tries++ )
    {
        if ( tries == SEND_TRIES || errno == EBADF ) break;
        client_sleep_ms( SEND_AGAIN );
    }
    return outcome;
}

void exchange_trace( const struct ws2_request *request, const struct ws2_reply *reply )
{
    char text[WS2_REQUEST_TEXT_SIZE], answer[WS2_REQUEST_TEXT_SIZE];

    if ( reply )
        host_trace_line( "%s = %s", ws2_request_text( text, request ), ws2_reply_text( answer, request, reply ) );
    else host_trace_line( "%s", ws2_request_text( text, request ) );
}
