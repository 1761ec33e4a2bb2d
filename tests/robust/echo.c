/*
 * Echo traffic through sockets that are duplicated and closed all the time: what must go on while the server is killed.
 *
 * `echo.exe PROCESSES CONNECTIONS FILE` starts the other processes. Each process holds the two ends of its connections;
 * a round writes a block through one end, overlapped or not, which comes out at the other and is compared byte for byte. In
 * between, an end is exchanged for a duplicate of itself: duplicated for the process itself or for its neighbour, which
 * opens the info, sends a block through its descriptor and closes it. FILE tells when to stop; it prints what was
 * done and every error, and ends with 0 only when there was none.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <winsock2.h>
#include <ws2tcpip.h>
#include <windows.h>

#define BLOCK 512
#define MOST 8

struct order /* to the neighbour: open this, send a block through it */
{
    volatile LONG state; /* 0 free, 1 given, 2 done */
    int result;
    int error;
    WSAPROTOCOL_INFOW info;
    char block[BLOCK];
};

struct board
{
    volatile LONG stop, ready;
    volatile LONG pids[MOST];
    volatile LONG64 blocks, own, other, overlapped, failures;
    struct order orders[MOST];
};

static struct board *board;
static int self, processes, connections;
static SOCKET ( *ends )[2];
static unsigned int seed;
static WSAEVENT event[2];

static unsigned int chance( unsigned int below )
{
    seed = seed * 1103515245u + 12345u;
    return ( seed >> 16 ) % below;
}

static void failed( const char *what, int error )
{
    InterlockedIncrement64( &board->failures );
    printf( "echo: process %d: %s: error %d\n", self, what, error );
    fflush( stdout );
}

static void fill( char *block )
{
    for ( int i = 0; i < BLOCK; i++ ) block[i] = chance( 256 );
}

static int receive_all( SOCKET s, char *data, int size )
{
    for ( int done = 0, n; done < size; done += n )
        if ( ( n = recv( s, data + done, size - done, 0 ) ) <= 0 )
        {
            failed( n ? "recv" : "recv found the end", WSAGetLastError() );
            return 0;
        }
    return 1;
}

static void expect( SOCKET s, const char *block )
{
    char received[BLOCK];

    if ( receive_all( s, received, BLOCK ) && memcmp( received, block, BLOCK ) )
        failed( "other bytes than were sent", 0 );
    else InterlockedIncrement64( &board->blocks );
}

/* The receive first, so that it waits. */
static void overlapped_round( SOCKET from, SOCKET to )
{
    char block[BLOCK], received[BLOCK];
    WSABUF out = { BLOCK, block }, in = { BLOCK, received };
    WSAOVERLAPPED sending = { .hEvent = event[0] }, receiving = { .hEvent = event[1] };
    DWORD count = 0, flags = 0;

    fill( block );
    if ( WSARecv( to, &in, 1, NULL, &flags, &receiving, NULL ) && WSAGetLastError() != WSA_IO_PENDING )
        failed( "overlapped WSARecv", WSAGetLastError() );
    else if ( ( WSASend( from, &out, 1, NULL, 0, &sending, NULL ) && WSAGetLastError() != WSA_IO_PENDING ) ||
              !WSAGetOverlappedResult( from, &sending, &count, TRUE, &flags ) || count != BLOCK )
        failed( "overlapped WSASend", WSAGetLastError() );
    else if ( !WSAGetOverlappedResult( to, &receiving, &count, TRUE, &flags ) || !count )
        failed( "the end of WSARecv", WSAGetLastError() );
    else if ( receive_all( to, received + count, BLOCK - count ) && memcmp( received, block, BLOCK ) )
        failed( "other bytes than were sent, overlapped", 0 );
    else
    {
        InterlockedIncrement64( &board->blocks );
        InterlockedIncrement64( &board->overlapped );
    }
}

/* What the neighbour asked for. */
static void serve( void )
{
    struct order *order = &board->orders[self];
    SOCKET s;

    if ( order->state != 1 ) return;
    order->result = -1;
    s = WSASocketW( FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &order->info, 0, 0 );
    order->error = WSAGetLastError();
    if ( s != INVALID_SOCKET )
    {
        order->result = send( s, order->block, BLOCK, 0 );
        order->error = WSAGetLastError();
        if ( closesocket( s ) ) failed( "closesocket of a neighbour's socket", WSAGetLastError() );
    }
    InterlockedExchange( &order->state, 2 );
}

static void exchange_end( SOCKET *end )
{
    const int first = chance( 2 );
    WSAPROTOCOL_INFOW info;
    SOCKET other;

    if ( WSADuplicateSocketW( *end, GetCurrentProcessId(), &info ) )
    {
        failed( "WSADuplicateSocket", WSAGetLastError() );
        return;
    }
    /* the source closes first every other time */
    if ( first && closesocket( *end ) ) failed( "closesocket", WSAGetLastError() );
    other = WSASocketW( FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0, WSA_FLAG_OVERLAPPED );
    if ( other == INVALID_SOCKET )
    {
        failed( "WSASocket of an info", WSAGetLastError() );
        return;
    }
    if ( !first && closesocket( *end ) ) failed( "closesocket", WSAGetLastError() );
    InterlockedIncrement64( &board->own );
    *end = other;
}

static void through_neighbour( SOCKET from, SOCKET to )
{
    const int neighbour = ( self + 1 ) % processes;
    struct order *order = &board->orders[neighbour];

    if ( order->state ) return;
    fill( order->block );
    if ( WSADuplicateSocketW( from, board->pids[neighbour], &order->info ) )
    {
        failed( "WSADuplicateSocket for another", WSAGetLastError() );
        return;
    }
    InterlockedExchange( &order->state, 1 );
    while ( order->state != 2 )
    {
        serve();
        Sleep( 0 );
    }
    if ( order->result != BLOCK ) failed( "the neighbour's WSASocket or send", order->error );
    else
    {
        expect( to, order->block );
        InterlockedIncrement64( &board->other );
    }
    InterlockedExchange( &order->state, 0 );
}

static int connect_all( void )
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl( INADDR_LOOPBACK ) };
    int size = sizeof( address );
    SOCKET listener = socket( AF_INET, SOCK_STREAM, 0 );

    if ( bind( listener, (struct sockaddr *)&address, sizeof( address ) ) || listen( listener, 5 ) ||
         getsockname( listener, (struct sockaddr *)&address, &size ) )
        return 0;
    for ( int i = 0; i < connections; i++ )
    {
        ends[i][0] = socket( AF_INET, SOCK_STREAM, 0 );
        if ( connect( ends[i][0], (struct sockaddr *)&address, sizeof( address ) ) ) return 0;
        if ( ( ends[i][1] = accept( listener, NULL, NULL ) ) == INVALID_SOCKET ) return 0;
    }
    closesocket( listener );
    return 1;
}

static void work( void )
{
    char block[BLOCK];
    WSADATA data;

    seed = GetCurrentProcessId() * 77 + GetTickCount();
    if ( WSAStartup( MAKEWORD( 2, 2 ), &data ) )
    {
        failed( "WSAStartup", WSAGetLastError() );
        return;
    }
    ends = calloc( connections, sizeof( *ends ) );
    for ( int i = 0; i < 2; i++ ) event[i] = WSACreateEvent();
    board->pids[self] = GetCurrentProcessId();
    if ( !connect_all() ) failed( "making the connections", WSAGetLastError() );
    InterlockedIncrement( &board->ready );
    while ( board->ready < processes ) Sleep( 1 );
    while ( !board->stop )
    {
        SOCKET *pair = ends[chance( connections )];
        const int from = chance( 2 );

        serve();
        switch ( chance( 8 ) )
        {
        case 0: exchange_end( &pair[from] ); break;
        case 1: through_neighbour( pair[from], pair[!from] ); break;
        case 2: overlapped_round( pair[from], pair[!from] ); break;
        default:
            fill( block );
            if ( send( pair[from], block, BLOCK, 0 ) != BLOCK ) failed( "send", WSAGetLastError() );
            else expect( pair[!from], block );
        }
        if ( board->failures > 20 ) break;
    }
    /* the others may wait for an answer still */
    InterlockedDecrement( &board->ready );
    while ( board->ready > 0 && board->failures <= 20 )
    {
        serve();
        Sleep( 1 );
    }
    printf( "echo: process %d at rest\n", self );
    fflush( stdout );
    while ( board->stop < 2 ) Sleep( 10 );
    for ( int i = 0; i < connections; i++ )
        for ( int j = 0; j < 2; j++ )
            if ( closesocket( ends[i][j] ) ) failed( "closesocket at the end", WSAGetLastError() );
    while ( board->stop < 3 ) Sleep( 10 );
    WSACleanup();
}

/* Told by the first letter of the file: 1 come to rest, 2 close, 3 end. */
static DWORD WINAPI stages( void *file )
{
    while ( board->stop < 3 )
    {
        FILE *stream = fopen( file, "r" );
        int stage = stream ? fgetc( stream ) : EOF;

        if ( stream ) fclose( stream );
        if ( stage >= '1' && stage <= '3' ) InterlockedExchange( &board->stop, stage - '0' );
        Sleep( 50 );
    }
    return 0;
}

int main( int argc, char **argv )
{
    char name[64], command[MAX_PATH + 64], path[MAX_PATH];
    HANDLE mapping, children[MOST];

    if ( argc < 4 ) return 2;
    processes = atoi( argv[1] );
    connections = atoi( argv[2] );
    self = argc > 4 ? atoi( argv[4] ) : 0;
    if ( self ) strcpy( name, argv[3] );
    else sprintf( name, "ws2host-echo-%lu", GetCurrentProcessId() );
    mapping = CreateFileMappingA( INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, sizeof( *board ), name );
    board = MapViewOfFile( mapping, FILE_MAP_ALL_ACCESS, 0, 0, sizeof( *board ) );
    if ( self )
    {
        work();
        return board->failures != 0;
    }
    GetModuleFileNameA( NULL, path, sizeof( path ) );
    for ( int i = 1; i < processes; i++ )
    {
        STARTUPINFOA startup = { .cb = sizeof( startup ) };
        PROCESS_INFORMATION process;

        sprintf( command, "\"%s\" %d %d %s %d", path, processes, connections, name, i );
        startup.dwFlags = STARTF_USESTDHANDLES;
        startup.hStdOutput = GetStdHandle( STD_OUTPUT_HANDLE );
        startup.hStdError = GetStdHandle( STD_ERROR_HANDLE );
        if ( !CreateProcessA( NULL, command, NULL, NULL, TRUE, 0, NULL, NULL, &startup, &process ) ) return 2;
        children[i] = process.hProcess;
        CloseHandle( process.hThread );
    }
    CloseHandle( CreateThread( NULL, 0, stages, argv[3], 0, NULL ) );
    work();
    for ( int i = 1; i < processes; i++ ) WaitForSingleObject( children[i], 20000 );
    printf(
        "echo: %lld blocks, %lld of them overlapped and %lld through a neighbour, %lld ends exchanged, %lld failures\n",
        board->blocks, board->overlapped, board->other, board->own, board->failures );
    return board->failures != 0;
}
