/*
 * One message of the server protocol on its way: bytes, and descriptors that go with them. Used on both sides of the
 * connection and by the tests that speak the protocol by hand.
 */
#ifndef WS2HOST_MESSAGE_H
#define WS2HOST_MESSAGE_H

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define MESSAGE_FDS 16

/* Sends `size` bytes with copies of `fd_count` (MESSAGE_FDS at most) descriptors, which stay the caller's. -1 and errno when
 * nothing was sent; a message is never sent in part. `flags` as for sendmsg; there is no SIGPIPE. */
static inline ssize_t message_send( int to, const void *message, size_t size, const int *fds, unsigned int fd_count,
                                    int flags )
{
    char control[CMSG_SPACE( MESSAGE_FDS * sizeof( int ) )] = { 0 };
    struct iovec data = { (void *)message, size };
    struct msghdr header = { .msg_iov = &data, .msg_iovlen = 1 };
    ssize_t sent;

    if ( fd_count )
    {
        struct cmsghdr *cmsg;

        header.msg_control = control;
        header.msg_controllen = CMSG_SPACE( fd_count * sizeof( int ) );
        cmsg = CMSG_FIRSTHDR( &header );
        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN( fd_count * sizeof( int ) );
        memcpy( CMSG_DATA( cmsg ), fds, fd_count * sizeof( int ) );
    }
    while ( ( sent = sendmsg( to, &header, flags | MSG_NOSIGNAL ) ) < 0 && errno == EINTR ) continue;
    return sent;
}

#endif
