/*
 * A client of the same user that does not play by the rules: `rogue DIRECTORY` sends the server of that directory any
 * message, with and without descriptors, guesses tickets, writes anything into the slots that it has leased, and hangs up
 * at any moment. `rogue DIRECTORY storms` asks by the rules and without pause, one thing for some seconds after the other:
 * BIND and LIST with all slots that it gets, ADOPT of unknown sockets, guesses, connections, infos that nobody opens, answers
 * that it does not read. It ends when it is killed, and tells then what it did. Nobody else may notice it.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include "ws2host/message.h"
#include "ws2host/protocol.h"
#include "ws2host/table.h"

#define INFOS_MOST 500u

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

static int connect_to( const struct sockaddr_un *address )
{
    const struct timeval patience = { 2, 0 };
    int fd = socket( AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0 );

    setsockopt( fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof( patience ) );
    setsockopt( fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof( patience ) );
    if ( !connect( fd, (const struct sockaddr *)address, sizeof( *address ) ) )
    {
        connections++;
        return fd;
    }
    close( fd );
    usleep( 20000 );
    return -1;
}

static int32_t ask( int fd, const struct ws2_request *request, int send_fd, struct ws2_reply *reply )
{
    char message[sizeof( *reply ) + WS2_LIST_ROWS * sizeof( struct ws2_row )];

    messages++;
    if ( message_send( fd, request, sizeof( *request ), &send_fd, send_fd >= 0, 0 ) != sizeof( *request ) ) return -1;
    if ( recv( fd, message, sizeof( message ), 0 ) < (ssize_t)sizeof( *reply ) ) return -1;
    memcpy( reply, message, sizeof( *reply ) );
    return reply->error;
}

enum storm
{
    BINDS,
    LISTS,
    ADOPTS,
    GUESSES,
    CONNECTIONS,
    INFOS,
    DEAF,
    STORMS
};

/* One request; 0 when the connection is not to be had any more. */
static int blow( int fd, enum storm storm, uint32_t pid, uint32_t slot )
{
    struct ws2_request request = { .slot = slot, .generation = 1, .windows_pid = pid, .ticket = rand_r( &seed ) | 1 };
    struct ws2_reply reply;
    int unknown = -1, result;

    switch ( storm )
    {
    case BINDS: request.type = WS2_BIND; break;
    case LISTS: request = ( struct ws2_request ){ .type = WS2_LIST, .slot = slot }; break;
    case DEAF: request.type = WS2_BIND; return say( fd, &request, sizeof( request ), -1 );
    case GUESSES: request.type = WS2_REDEEM; break;
    default:
        unknown = socket( AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0 );
        request = ( struct ws2_request ){ .type = WS2_ADOPT, .handle = 4 + rand_r( &seed ) % 4000 * 4, .flags = 2 };
    }
    result = ask( fd, &request, unknown, &reply );
    /* no more than some, or what the server holds at most would be another each time */
    if ( storm == ADOPTS && !result )
    {
        const struct ws2_request close_it = {
            .type = WS2_CLOSE, .slot = reply.slot, .generation = reply.generation, .handle = request.handle
        };

        say( fd, &close_it, sizeof( close_it ), -1 );
    }
    if ( storm == INFOS && !result )
    {
        request = ( struct ws2_request ){ .type = WS2_DUPLICATE,
                                          .slot = reply.slot,
                                          .generation = reply.generation,
                                          .handle = request.handle,
                                          .windows_pid = pid };
        result = ask( fd, &request, unknown, &reply );
    }
    if ( unknown >= 0 ) close( unknown );
    return result != -1;
}

static void blow_for( const struct sockaddr_un *address, enum storm storm, int seconds )
{
    const struct ws2_request lease = { .type = WS2_LEASE };
    struct ws2_request hello = { .type = WS2_HELLO,
                                 .version = WS2_LAYOUT_VERSION,
                                 .windows_pid = 0x300000 + getpid() * 4 };
    const time_t until = time( NULL ) + seconds;
    struct ws2_reply reply = { 0 };
    uint32_t slots[64], count = 0;
    int fd = connect_to( address );

    if ( fd < 0 ) return;
    if ( !ask( fd, &hello, -1, &reply ) )
    {
        while ( count < 64 && !ask( fd, &lease, -1, &reply ) ) slots[count++] = reply.slot;
        for ( uint32_t i = 0; count && !ended && time( NULL ) < until && ( storm != INFOS || i < INFOS_MOST ); i++ )
        {
            if ( storm == CONNECTIONS )
            {
                const int more = connect_to( address );

                if ( more < 0 ) break;
                close( more );
            }
            else if ( !blow( fd, storm, hello.windows_pid, slots[i % count] + i % WS2_BLOCK_SLOTS ) )
            {
                if ( storm != DEAF ) break;
                usleep( 1000 );
            }
        }
    }
    if ( count )
    {
        const struct ws2_request leave = { .type = WS2_LEAVE };

        say( fd, &leave, sizeof( leave ), -1 );
    }
    close( fd );
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

    if ( argc < 2 ) return 2;
    snprintf( address.sun_path, sizeof( address.sun_path ), "%s/" WS2_SERVER_SOCKET, argv[1] );
    seed = getpid();
    signal( SIGTERM, end );
    for ( unsigned int i = seed; argc > 2 && !ended; i++ ) blow_for( &address, i % STORMS, 5 );
    while ( !ended ) visit( &address, fds, sizeof( fds ) / sizeof( fds[0] ) );
    fprintf( stderr, "robust: a rogue sent %lu messages on %lu connections\n", messages, connections );
    return 0;
}
