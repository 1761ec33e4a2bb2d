/* Event kicks: see event_kick.h. The socket lies in the server directory, which is this user's alone; the server removes
 * it with the process. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "client/connection.h"
#include "client/directory.h"
#include "client/event_kick.h"

/* Through /proc/self/fd, because the directory's own path may be longer than a socket address. -1: no directory. */
static int kick_address( uint32_t client_index, struct sockaddr_un *address )
{
    char path[4096];
    int directory = directory_open( 0, path, sizeof( path ) );

    memset( address, 0, sizeof( *address ) );
    address->sun_family = AF_UNIX;
    if ( directory >= 0 )
        snprintf( address->sun_path, sizeof( address->sun_path ), "/proc/self/fd/%d/" WS2_KICK_SOCKET, directory,
                  client_index );
    return directory;
}

int event_kick_open( void )
{
    struct sockaddr_un address;
    int directory = kick_address( connection_client_index(), &address );
    int fd = directory >= 0 ? socket( AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0 ) : -1;

    if ( fd >= 0 )
    {
        unlink( address.sun_path ); /* of a process that had the index before */
        /* the node stays open as long as the process: by that the server makes it again when somebody takes it away */
        if ( bind( fd, (struct sockaddr *)&address, sizeof( address ) ) < 0 ||
             open( address.sun_path, O_PATH | O_NOFOLLOW | O_CLOEXEC ) < 0 )
        {
            close( fd );
            fd = -1;
        }
    }
    if ( directory >= 0 ) close( directory );
    return fd;
}

int event_kick_receive( int fd, struct event_kick *kick )
{
    return recv( fd, kick, sizeof( *kick ), MSG_DONTWAIT ) == sizeof( *kick );
}

void event_kick_send( uint32_t client_index, uint32_t slot, uint32_t generation )
{
    const struct event_kick kick = { slot, generation };
    struct sockaddr_un address;
    int directory, fd;

    if ( client_index >= WS2_CLIENT_COUNT || ( directory = kick_address( client_index, &address ) ) < 0 ) return;
    if ( ( fd = socket( AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0 ) ) >= 0 )
    {
        sendto( fd, &kick, sizeof( kick ), MSG_NOSIGNAL, (struct sockaddr *)&address, sizeof( address ) );
        close( fd );
    }
    close( directory );
}
