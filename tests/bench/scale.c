/*
 * What one ready socket costs beside many idle ones.
 *
 *     scale IDLE...      for each number, ascending: holds that many idle datagram sockets, and prints a line
 *                        "IDLE CASE NANOSECONDS" per way of finding the one that is ready
 *
 * An idle socket of the event case has a registration, one of the port case a receive that waits.
 */
#include <winsock2.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_IDLE 100000
#define TURN 64 /* operations between two looks at the clock */
#define NANOSECONDS 200e6

static SOCKET idle[MAX_IDLE], active;
static OVERLAPPED overlapped[MAX_IDLE], active_overlapped;
static struct sockaddr_in active_address;
static WSAEVENT event;
static HANDLE port;
static char active_byte, idle_byte;
static unsigned int count;

static double now( void )
{
    LARGE_INTEGER ticks, frequency;

    QueryPerformanceFrequency( &frequency );
    QueryPerformanceCounter( &ticks );
    return ticks.QuadPart * 1e9 / frequency.QuadPart;
}

static SOCKET datagram_socket( void )
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    SOCKET s = socket( AF_INET, SOCK_DGRAM, 0 );

    address.sin_addr.s_addr = htonl( INADDR_LOOPBACK );
    if ( s != INVALID_SOCKET && !bind( s, (struct sockaddr *)&address, sizeof( address ) ) ) return s;
    fprintf( stderr, "scale: no socket %u: error %d\n", count, WSAGetLastError() );
    exit( 1 );
}

static int send_byte( void )
{
    return sendto( active, &active_byte, 1, 0, (struct sockaddr *)&active_address, sizeof( active_address ) ) == 1;
}

static int receive_byte( void ) { return recv( active, &active_byte, 1, 0 ) == 1; }

static int operate_transfer( void ) { return send_byte() && receive_byte(); }

static int operate_select( void )
{
    fd_set set;

    FD_ZERO( &set );
    FD_SET( active, &set );
    return send_byte() && select( 0, &set, NULL, NULL, NULL ) == 1 && receive_byte();
}

static int operate_poll( void )
{
    static WSAPOLLFD fds[MAX_IDLE + 1];

    for ( unsigned int i = 0; i < count; i++ ) fds[i] = ( WSAPOLLFD ){ .fd = idle[i], .events = POLLRDNORM };
    fds[count] = ( WSAPOLLFD ){ .fd = active, .events = POLLRDNORM };
    return send_byte() && WSAPoll( fds, count + 1, -1 ) == 1 && receive_byte();
}

static int begin_event( void )
{
    for ( unsigned int i = 0; i < count; i++ )
        if ( WSAEventSelect( idle[i], event, FD_READ ) ) return 0;
    return !WSAEventSelect( active, event, FD_READ );
}

static int operate_event( void )
{
    WSANETWORKEVENTS events;

    return send_byte() && WSAWaitForMultipleEvents( 1, &event, FALSE, 10000, FALSE ) == WSA_WAIT_EVENT_0 &&
           !WSAEnumNetworkEvents( active, event, &events ) && events.lNetworkEvents == FD_READ && receive_byte();
}

static int start_receive( SOCKET s, OVERLAPPED *operation, char *where )
{
    WSABUF buffer = { 1, where };
    DWORD flags = 0;

    return !WSARecv( s, &buffer, 1, NULL, &flags, operation, NULL ) || WSAGetLastError() == WSA_IO_PENDING;
}

static int begin_port( void )
{
    WSAEventSelect( active, NULL, 0 );
    port = CreateIoCompletionPort( (HANDLE)active, NULL, 1, 0 );
    for ( unsigned int i = 0; i < count; i++ )
    {
        WSAEventSelect( idle[i], NULL, 0 );
        if ( !CreateIoCompletionPort( (HANDLE)idle[i], port, 0, 0 ) ||
             !start_receive( idle[i], &overlapped[i], &idle_byte ) )
            return 0;
    }
    return port != NULL;
}

static int operate_port( void )
{
    OVERLAPPED *done;
    ULONG_PTR key;
    DWORD bytes;

    return start_receive( active, &active_overlapped, &active_byte ) && send_byte() &&
           GetQueuedCompletionStatus( port, &bytes, &key, &done, 10000 ) && key == 1 && bytes == 1;
}

static const struct way
{
    const char *name;
    int ( *begin )( void );
    int ( *operate )( void );
} ways[] = {
    { "transfer", NULL, operate_transfer },  { "select", NULL, operate_select },   { "poll-all", NULL, operate_poll },
    { "event", begin_event, operate_event }, { "port", begin_port, operate_port },
};

static double measure( const struct way *way, double nanoseconds )
{
    unsigned int operations = 0;
    double begin = now();

    do {
        for ( unsigned int i = 0; i < TURN; i++ )
            if ( !way->operate() )
            {
                printf( "%u %s error %d\n", count, way->name, WSAGetLastError() );
                exit( 1 );
            }
        operations += TURN;
    } while ( now() - begin < nanoseconds );
    return ( now() - begin ) / operations;
}

/* Sockets that nobody has used before: a completion port is for ever. */
static void renew( unsigned int wanted )
{
    int size = sizeof( active_address );

    while ( count ) closesocket( idle[--count] );
    if ( active ) closesocket( active );
    if ( port ) CloseHandle( port );
    port = NULL;
    active = datagram_socket();
    getsockname( active, (struct sockaddr *)&active_address, &size );
    for ( ; count < wanted; count++ ) idle[count] = datagram_socket();
}

int main( int argc, char **argv )
{
    WSADATA data;

    WSAStartup( MAKEWORD( 2, 2 ), &data );
    event = WSACreateEvent();
    for ( int i = 1; i < argc; i++ )
    {
        renew( atoi( argv[i] ) < MAX_IDLE ? atoi( argv[i] ) : MAX_IDLE );
        for ( unsigned int j = 0; j < sizeof( ways ) / sizeof( ways[0] ); j++ )
        {
            if ( ways[j].begin && !ways[j].begin() )
            {
                printf( "%u %s error %d\n", count, ways[j].name, WSAGetLastError() );
                return 1;
            }
            measure( &ways[j], NANOSECONDS / 10 );
            printf( "%u %s %.0f\n", count, ways[j].name, measure( &ways[j], NANOSECONDS ) );
            fflush( stdout );
        }
    }
    return 0;
}
