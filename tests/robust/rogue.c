/*
 * A client of the same user that does not play by the rules: `rogue DIRECTORY` sends the server of that directory any
 * message, with and without descriptors, guesses tickets, writes anything into the slots that it has leased, and hangs up
 * at any moment. It ends when it is killed, and tells then what it did. Nobody else may notice it.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "ws2host/message.h"
#include "ws2host/protocol.h"
#include "ws2host/table.h"

static unsigned int seed;
static volatile sig_atomic_t ended;
static unsigned long connections, messages;

static void end( int number )
{
    (void)number;
    ended = 1;
}

static int say( int fd, const void *message, size_t size, int send_fd )
{
    messages++;
    return message_send( fd, message, size, &send_fd, send_fd >= 0, MSG_DONTWAIT ) == (ssize_t)size;
}

static int hear( int fd, struct ws2_reply *reply, int *memfd )
{
    char control[CMSG_SPACE( sizeof( int ) )];
    struct iovec data = { reply, sizeof( *reply ) };
    struct msghdr header = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof( control )
    };
    ssize_t size = recvmsg( fd, &header, MSG_CMSG_CLOEXEC );
    struct cmsghdr *cmsg = size > 0 ? CMSG_FIRSTHDR( &header ) : NULL;

    *memfd = -1;
    if ( cmsg ) memcpy( memfd, CMSG_DATA( cmsg ), sizeof( int ) );
    return size == sizeof( *reply );
}

static void visit( const struct sockaddr_un *address, const int *fds, int fd_count )
{
    struct ws2_request request = { .type = WS2_HELLO, .version = WS2_LAYOUT_VERSION };
    const struct timeval patience = { 2, 0 };
    int fd = socket( AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0 ), memfd = -1, unused;
    uint32_t *words = NULL, pid = 0x100000 + rand_r( &seed ) % 64 * 4;
    struct ws2_reply reply;
    void *table = MAP_FAILED;

    setsockopt( fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof( patience ) );
    if ( connect( fd, (const struct sockaddr *)address, sizeof( *address ) ) )
    {
        usleep( 20000 );
        goto out;
    }
    connections++;
    request.windows_pid = pid;
    if ( !say( fd, &request, sizeof( request ), -1 ) || !hear( fd, &reply, &memfd ) || reply.error || memfd < 0 )
        goto out;
    table = mmap( NULL, WS2_TABLE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, memfd, 0 );
    request = ( struct ws2_request ){ .type = WS2_LEASE };
    if ( table == MAP_FAILED || !say( fd, &request, sizeof( request ), -1 ) || !hear( fd, &reply, &unused ) ||
         reply.error )
        goto out;
    words = (uint32_t *)ws2_table_slot( table, reply.slot );
    for ( int i = rand_r( &seed ) % 400; i > 0 && !ended; i-- )
    {
        struct
        {
            struct ws2_request request;
            char more[40];
        } message;
        char answer[8192];

        for ( size_t j = 0; j < sizeof( message ); j++ )
            ( (char *)&message )[j] = rand_r( &seed ) % 3 ? 0 : rand_r( &seed );
        message.request.type = rand_r( &seed ) % ( WS2_REQUEST_COUNT + 1 );
        if ( message.request.type == WS2_HELLO && rand_r( &seed ) % 50 ) message.request.type = WS2_DUPLICATE;
        if ( rand_r( &seed ) % 2 ) message.request.slot = reply.slot + rand_r( &seed ) % WS2_BLOCK_SLOTS;
        if ( rand_r( &seed ) % 2 )
            message.request.generation = words[( message.request.slot - reply.slot ) % WS2_BLOCK_SLOTS * 32 + 1];
        if ( rand_r( &seed ) % 2 ) message.request.windows_pid = pid;
        for ( int j = rand_r( &seed ) % 50; j > 0; j-- )
            words[rand_r( &seed ) % ( WS2_BLOCK_SLOTS * 32 )] = rand_r( &seed );
        if ( !say( fd, &message, rand_r( &seed ) % 50 ? sizeof( message.request ) : rand_r( &seed ) % sizeof( message ),
                   rand_r( &seed ) % 2 ? fds[rand_r( &seed ) % fd_count] : -1 ) )
            break;
        while ( recv( fd, answer, sizeof( answer ), MSG_DONTWAIT ) > 0 ) continue;
        /* others want the processor too */
        usleep( 2000 );
    }

out:
    if ( table != MAP_FAILED ) munmap( table, WS2_TABLE_SIZE );
    if ( memfd >= 0 ) close( memfd );
    close( fd );
}

int main( int argc, char **argv )
{
    const int fds[] = { socket( AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0 ),
                        socket( AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0 ),
                        socket( AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0 ), memfd_create( "rogue", MFD_CLOEXEC ) };
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    if ( argc != 2 ) return 2;
    snprintf( address.sun_path, sizeof( address.sun_path ), "%s/" WS2_SERVER_SOCKET, argv[1] );
    seed = getpid();
    signal( SIGTERM, end );
    while ( !ended ) visit( &address, fds, sizeof( fds ) / sizeof( fds[0] ) );
    fprintf( stderr, "robust: the rogue sent %lu messages on %lu connections\n", messages, connections );
    return 0;
}
