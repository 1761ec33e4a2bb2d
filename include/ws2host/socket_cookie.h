/* The kernel's number of a host socket, equal through every descriptor of it in every process: what the table's `cookie` is. */
#ifndef WS2HOST_SOCKET_COOKIE_H
#define WS2HOST_SOCKET_COOKIE_H

#include <stdint.h>
#include <sys/socket.h>

/* 0: it is no socket. */
static inline uint64_t socket_cookie( int fd )
{
    uint64_t cookie = 0;
    socklen_t size = sizeof( cookie );

    return getsockopt( fd, SOL_SOCKET, SO_COOKIE, &cookie, &size ) < 0 ? 0 : cookie;
}

#endif
