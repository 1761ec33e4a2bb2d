/*
 * One completion port under everything at once: sockets that receive, pipes, threads that post, threads that wait in
 * every way and some that are ended in their wait. Each packet comes once, and none is left.
 */
#include "support.h"

#define SOCKETS 12
#define PIPES 2
#define WAITERS 6
#define POSTERS 2
#define KEY_SOCKET 1000
#define KEY_PIPE 2000
#define KEY_POST 3000
#define KEY_STOP 4000
#define PATIENCE 20000

struct source /* a socket or a pipe, read at one end and written at the other */
{
    OVERLAPPED ov;
    HANDLE in;
    SOCKET s, peer;
    HANDLE out;
    volatile LONG pending;
    LONG rounds, wrong;
    volatile LONG written;
    char byte;
};

static struct source sources[SOCKETS + PIPES];
static HANDLE port;
static volatile LONG stop, posted[POSTERS], taken[POSTERS], doubled, unknown, failed;
static volatile LONG64 seen[POSTERS]; /* sum of the numbers posted, less those taken */

static BOOL is_pipe( unsigned int i ) { return i >= SOCKETS; }

/* The next read, and what it reads. */
static void source_begin( unsigned int i )
{
    struct source *source = &sources[i];
    WSABUF buffer = { 1, &source->byte };
    DWORD flags = 0, size;
    BOOL good;

    memset( &source->ov, 0, sizeof( source->ov ) );
    if ( InterlockedExchange( &source->pending, 1 ) ) InterlockedIncrement( &doubled );
    if ( is_pipe( i ) )
        good = ReadFile( source->in, &source->byte, 1, NULL, &source->ov ) || GetLastError() == ERROR_IO_PENDING;
    else
        good =
            !WSARecv( source->s, &buffer, 1, NULL, &flags, &source->ov, NULL ) || WSAGetLastError() == WSA_IO_PENDING;
    if ( !good ) InterlockedIncrement( &failed );
    InterlockedIncrement( &source->written );
    if ( is_pipe( i ) ) good = WriteFile( source->out, "p", 1, &size, NULL );
    else good = send( source->peer, "s", 1, 0 ) == 1;
    if ( !good ) InterlockedIncrement( &failed );
}

/* TRUE: it was the last one for this thread. */
static BOOL packet_done( ULONG_PTR key, OVERLAPPED *ov, DWORD size )
{
    struct source *source;

    if ( key == KEY_STOP ) return TRUE;
    if ( key >= KEY_POST && key < KEY_POST + POSTERS )
    {
        InterlockedIncrement( &taken[key - KEY_POST] );
        InterlockedExchangeAdd64( &seen[key - KEY_POST], -(LONG64)(LONG_PTR)ov );
        return FALSE;
    }
    if ( key < KEY_SOCKET || ( key >= KEY_SOCKET + SOCKETS && ( key < KEY_PIPE || key >= KEY_PIPE + PIPES ) ) )
    {
        InterlockedIncrement( &unknown );
        return FALSE;
    }
    source = &sources[key >= KEY_PIPE ? SOCKETS + key - KEY_PIPE : key - KEY_SOCKET];
    if ( ov != &source->ov || !InterlockedExchange( &source->pending, 0 ) )
    {
        InterlockedIncrement( &doubled );
        return FALSE;
    }
    if ( size != 1 || source->byte != ( key >= KEY_PIPE ? 'p' : 's' ) ) source->wrong++;
    source->rounds++;
    if ( !stop ) source_begin( (unsigned int)( source - sources ) );
    return FALSE;
}

/* Threads differ in how they ask: one at a time, several, alertable, with patience and without. */
static DWORD WINAPI wait_for_packets( void *argument )
{
    const unsigned int kind = (unsigned int)(ULONG_PTR)argument;
    OVERLAPPED_ENTRY entries[3];
    BOOL last = FALSE;
    ULONG count;

    while ( !last )
    {
        const DWORD timeout = kind % 3 == 0 ? INFINITE : kind % 3 == 1 ? 5 : 0;

        count = 0;
        if ( kind % 2 )
        {
            if ( !GetQueuedCompletionStatusEx( port, entries, ARRAY_SIZE( entries ), &count, timeout, kind == 3 ) )
            {
                if ( GetLastError() != WAIT_TIMEOUT ) InterlockedIncrement( &failed );
                count = 0;
            }
        }
        else
        {
            count = 1;
            entries[0].lpOverlapped = NULL;
            if ( !GetQueuedCompletionStatus( port, &entries[0].dwNumberOfBytesTransferred, &entries[0].lpCompletionKey,
                                             &entries[0].lpOverlapped, timeout ) )
            {
                if ( GetLastError() != WAIT_TIMEOUT ) InterlockedIncrement( &failed );
                count = 0;
            }
        }
        for ( ULONG i = 0; i < count; i++ )
            if ( packet_done( entries[i].lpCompletionKey, entries[i].lpOverlapped,
                              entries[i].dwNumberOfBytesTransferred ) )
            {
                /* one for each thread: this one has taken another's too */
                if ( last ) PostQueuedCompletionStatus( port, 0, KEY_STOP, NULL );
                last = TRUE;
            }
        if ( !count && !timeout ) Sleep( 1 );
    }
    return 0;
}

static DWORD WINAPI post_packets( void *argument )
{
    const unsigned int i = (unsigned int)(ULONG_PTR)argument;

    while ( !stop )
    {
        LONG number = InterlockedIncrement( &posted[i] );

        InterlockedExchangeAdd64( &seen[i], number );
        if ( !PostQueuedCompletionStatus( port, 0, KEY_POST + i, (OVERLAPPED *)(LONG_PTR)number ) )
            InterlockedIncrement( &failed );
        if ( number % 8 == 0 ) Sleep( number % 64 ? 0 : 5 );
        if ( posted[i] - taken[i] > 500 ) Sleep( 1 );
    }
    return 0;
}

static LONG begun; /* a thread that is ended while it starts keeps the loader's lock for ever, on Windows too */

static DWORD WINAPI wait_for_nothing( void *argument )
{
    OVERLAPPED *ov;
    ULONG_PTR key;
    DWORD size;

    InterlockedIncrement( &begun );
    return GetQueuedCompletionStatus( argument, &size, &key, &ov, INFINITE );
}

/* A thread is ended in the wait at a port where nothing comes for it, which has a socket of the same process. */
static void end_waiters( SOCKET s )
{
    HANDLE quiet = CreateIoCompletionPort( (HANDLE)s, NULL, 1, 0 ), thread;

    for ( unsigned int i = 0; i < 5; i++ )
    {
        InterlockedExchange( &begun, 0 );
        thread = CreateThread( NULL, 0, wait_for_nothing, quiet, 0, NULL );
        while ( !InterlockedCompareExchange( &begun, 0, 0 ) ) Sleep( 1 );
        Sleep( 20 );
        TerminateThread( thread, 0 );
        WaitForSingleObject( thread, 5000 );
        CloseHandle( thread );
    }
    PostQueuedCompletionStatus( quiet, 0, 1, NULL );
    ok( wait_for_nothing( quiet ), "no packet, error %lu\n", GetLastError() );
    CloseHandle( quiet );
}

static void pipe_open( struct source *source, unsigned int i )
{
    char name[64];

    snprintf( name, sizeof( name ), "\\\\.\\pipe\\ws2host-stress-%lu-%u", GetCurrentProcessId(), i );
    source->in =
        CreateNamedPipeA( name, PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED, PIPE_TYPE_BYTE, 1, 1024, 1024, 0, NULL );
    source->out = CreateFileA( name, GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL );
    ok( source->in != INVALID_HANDLE_VALUE && source->out != INVALID_HANDLE_VALUE, "error %lu\n", GetLastError() );
}

static LONG pending_sources( void )
{
    LONG count = 0;

    for ( unsigned int i = 0; i < ARRAY_SIZE( sources ); i++ ) count += sources[i].pending;
    return count;
}

static void run( DWORD concurrency, DWORD milliseconds )
{
    HANDLE threads[WAITERS + POSTERS];
    LONG rounds[2] = { 0, 0 }, least = MAXLONG;
    OVERLAPPED *ov;
    ULONG_PTR key;
    SOCKET a, b;
    DWORD size, begin;

    memset( sources, 0, sizeof( sources ) );
    stop = 0;
    port = CreateIoCompletionPort( INVALID_HANDLE_VALUE, NULL, 0, concurrency );
    for ( unsigned int i = 0; i < ARRAY_SIZE( sources ); i++ )
    {
        if ( is_pipe( i ) ) pipe_open( &sources[i], i );
        else tcp_pair( &sources[i].peer, &sources[i].s );
        ok( CreateIoCompletionPort( is_pipe( i ) ? sources[i].in : (HANDLE)sources[i].s, port,
                                    is_pipe( i ) ? KEY_PIPE + i - SOCKETS : KEY_SOCKET + i, 0 ) == port,
            "error %lu\n", GetLastError() );
    }
    for ( unsigned int i = 0; i < POSTERS; i++ ) posted[i] = taken[i] = seen[i] = 0;
    for ( unsigned int i = 0; i < WAITERS; i++ )
        threads[i] = CreateThread( NULL, 0, wait_for_packets, (void *)(ULONG_PTR)i, 0, NULL );
    for ( unsigned int i = 0; i < POSTERS; i++ )
        threads[WAITERS + i] = CreateThread( NULL, 0, post_packets, (void *)(ULONG_PTR)i, 0, NULL );
    for ( unsigned int i = 0; i < ARRAY_SIZE( sources ); i++ ) source_begin( i );
    tcp_pair( &a, &b );
    end_waiters( a );
    Sleep( milliseconds );
    stop = 1;
    ok( !WaitForMultipleObjects( POSTERS, threads + WAITERS, TRUE, PATIENCE ), "posters do not end\n" );
    for ( begin = GetTickCount(); GetTickCount() - begin < PATIENCE; Sleep( 10 ) )
        if ( !pending_sources() && taken[0] == posted[0] && taken[1] == posted[1] ) break;
    for ( unsigned int i = 0; i < WAITERS; i++ ) PostQueuedCompletionStatus( port, 0, KEY_STOP, NULL );
    ok( !WaitForMultipleObjects( WAITERS, threads, TRUE, PATIENCE ), "waiters do not end\n" );
    ok( !GetQueuedCompletionStatus( port, &size, &key, &ov, 0 ) && !ov, "a packet is left, key %lu\n", (DWORD)key );

    ok( !pending_sources(), "%ld reads have no packet\n", pending_sources() );
    for ( unsigned int i = 0; i < POSTERS; i++ )
        ok( taken[i] == posted[i] && !seen[i], "%ld of %ld posted packets came\n", taken[i], posted[i] );
    ok( !doubled && !unknown && !failed, "%ld doubled, %ld unknown, %ld failed\n", doubled, unknown, failed );
    for ( unsigned int i = 0; i < ARRAY_SIZE( sources ); i++ )
    {
        ok( !sources[i].wrong && sources[i].rounds == sources[i].written,
            "source %u: %ld wrong, %ld packets for %ld bytes\n", i, sources[i].wrong, sources[i].rounds,
            sources[i].written );
        rounds[is_pipe( i )] += sources[i].rounds;
        least = min( least, sources[i].rounds );
    }
    ok( least > 1, "a source was starved\n" );
    trace( "concurrency %lu: %ld packets of sockets, %ld of pipes, %ld posted; %ld of the slowest\n", concurrency,
           rounds[0], rounds[1], posted[0] + posted[1], least );
    for ( unsigned int i = 0; i < WAITERS + POSTERS; i++ ) CloseHandle( threads[i] );
    for ( unsigned int i = 0; i < ARRAY_SIZE( sources ); i++ )
    {
        CloseHandle( is_pipe( i ) ? sources[i].out : NULL );
        if ( is_pipe( i ) ) CloseHandle( sources[i].in );
        else closesocket( sources[i].s ), closesocket( sources[i].peer );
    }
    closesocket( a );
    closesocket( b );
    CloseHandle( port );
}

START_TEST( port_stress )
{
    static const DWORD concurrencies[] = { 0, 1, WAITERS };
    char seconds[8] = "1";

    if ( support_begin() ) return;
    GetEnvironmentVariableA( "WS2HOST_STRESS", seconds, sizeof( seconds ) );
    for ( unsigned int i = 0; i < ARRAY_SIZE( concurrencies ); i++ ) run( concurrencies[i], atoi( seconds ) * 1000 );
    support_end();
}
