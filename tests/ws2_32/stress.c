/*
 * Everything at once: three processes, eight threads in each, several hundred connections between them. Senders send
 * pieces of random size in random ways, and go on through duplicates of their sockets; receivers take them with several
 * overlapped receives at a time on a completion port, cancel at random, hand connections to another process half way,
 * and end with a close or a cancel while a receive waits. Every byte has its value by connection and position, so that a
 * lost, doubled or moved one is seen; every receive gives exactly one packet.
 *
 * Some seconds in the ordinary run; WS2HOST_STRESS=20 makes it that many.
 */
#include "support.h"

#define PROCESSES 3
#define SENDERS 4
#define RECEIVERS 4
#define CONNECTIONS 500 /* at least, in all */
#define RECEIVES 3      /* at a time */
#define MAILBOX 16
#define PATIENCE 20000

struct header
{
    DWORD seed, length;
};

/* A connection on its way to another process: the header has been read, and `position` bytes after it. */
struct letter
{
    WSAPROTOCOL_INFOW info;
    struct header header;
    DWORD position, used;
};

struct shared
{
    volatile LONG ports[PROCESSES], pids[PROCESSES], ready, stop, senders;
    volatile LONG begun, ended, handed_over, cancelled, reopened, packets, aborted, errors;
    volatile LONGLONG sent, received;
    volatile LONG mailbox_lock[PROCESSES];
    struct letter mailbox[PROCESSES][MAILBOX];
};

static struct shared *shared;
static unsigned int own;
static SOCKET listener;

static DWORD next_random( DWORD *state )
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    return *state ^= *state << 5;
}

static char value_at( DWORD seed, DWORD position ) { return (char)( ( seed ^ position * 2654435761u ) >> 13 ); }

#define expect( condition, ... ) \
    do \
    { \
        BOOL good_ = !!(condition); \
        if (!good_) InterlockedIncrement( &shared->errors ); \
        ok( good_, __VA_ARGS__ ); \
    } while (0)

/* --- sending ----------------------------------------------------------------------------------------------------------*/

/* The same socket through another descriptor. */
static SOCKET reopen( SOCKET s )
{
    WSAPROTOCOL_INFOW info;
    SOCKET again = INVALID_SOCKET;

    if (!WSADuplicateSocketW( s, GetCurrentProcessId(), &info ))
        again = WSASocketW( FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0, WSA_FLAG_OVERLAPPED );
    expect( again != INVALID_SOCKET, "no duplicate, error %d\n", WSAGetLastError() );
    if (again == INVALID_SOCKET) return s;
    closesocket( s );
    InterlockedIncrement( &shared->reopened );
    return again;
}

static BOOL send_piece( SOCKET s, char *data, DWORD size, BOOL overlapped, HANDLE event )
{
    OVERLAPPED ov = { .hEvent = event };
    WSABUF buffer = { size, data };
    DWORD done = 0, flags;

    if (!overlapped) done = send( s, data, size, 0 );
    else if (WSASend( s, &buffer, 1, &done, 0, &ov, NULL ))
    {
        if (WSAGetLastError() != WSA_IO_PENDING || !WSAGetOverlappedResult( s, &ov, &done, TRUE, &flags )) done = 0;
    }
    expect( done == size, "%lu of %lu bytes sent, error %d\n", done, size, WSAGetLastError() );
    return done == size;
}

static void send_one( DWORD *state, char *data, HANDLE event )
{
    struct header header = { next_random( state ), next_random( state ) % 60000 };
    union address address;
    SOCKET s = socket( AF_INET, SOCK_STREAM, 0 );
    DWORD answer = 0, size;
    int result;

    address_loopback( &address, AF_INET, shared->ports[next_random( state ) % PROCESSES] );
    result = connect( s, &address.any, sizeof(address.v4) );
    expect( !result, "connect failed, error %d\n", WSAGetLastError() );
    if (result)
    {
        closesocket( s );
        return;
    }
    InterlockedIncrement( &shared->begun );
    if (!send_piece( s, (char *)&header, sizeof(header), FALSE, event )) goto done;
    for (DWORD position = 0; position < header.length; position += size)
    {
        size = next_random( state ) % 16000 + 1;
        if (size > header.length - position) size = header.length - position;
        for (DWORD i = 0; i < size; i++) data[i] = value_at( header.seed, position + i );
        if (!send_piece( s, data, size, next_random( state ) & 1, event )) goto done;
        InterlockedExchangeAdd64( &shared->sent, size );
        if (!( next_random( state ) % 8 )) s = reopen( s );
    }
    set_receive_timeout( s, PATIENCE );
    result = recv( s, (char *)&answer, sizeof(answer), MSG_WAITALL );
    expect( result == sizeof(answer) && answer == header.seed, "answer of %d bytes, error %d\n", result, WSAGetLastError() );
done:
    closesocket( s );
}

static DWORD CALLBACK sender( void *argument )
{
    DWORD state = (DWORD)(ULONG_PTR)argument * 7919 + own * 104729 + 1;
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL );
    char *data = malloc( 16000 );

    while (!shared->stop || shared->begun < CONNECTIONS)
    {
        if (shared->errors > 20) break;
        send_one( &state, data, event );
    }
    free( data );
    CloseHandle( event );
    InterlockedDecrement( &shared->senders );
    return 0;
}

/* --- receiving --------------------------------------------------------------------------------------------------------*/

struct receive
{
    OVERLAPPED ov;
    BOOL pending;
    DWORD order;
    char data[8000];
};

struct receiver
{
    DWORD random;
    struct receive receives[RECEIVES];
};

static void lock_mailbox( unsigned int i )
{
    while (InterlockedExchange( &shared->mailbox_lock[i], 1 )) Sleep( 0 );
}
static void unlock_mailbox( unsigned int i ) { InterlockedExchange( &shared->mailbox_lock[i], 0 ); }

static BOOL hand_over( SOCKET s, unsigned int to, const struct header *header, DWORD position )
{
    struct letter letter = { .header = *header, .position = position, .used = 1 };
    BOOL done = FALSE;

    if (WSADuplicateSocketW( s, shared->pids[to], &letter.info ))
    {
        expect( FALSE, "WSADuplicateSocket failed, error %d\n", WSAGetLastError() );
        return FALSE;
    }
    lock_mailbox( to );
    for (unsigned int i = 0; i < MAILBOX && !done; i++)
        if (!shared->mailbox[to][i].used)
        {
            shared->mailbox[to][i] = letter;
            done = TRUE;
        }
    unlock_mailbox( to );
    if (done) InterlockedIncrement( &shared->handed_over );
    return done; /* a full mailbox: the ticket is never used */
}

static BOOL take_letter( struct letter *letter )
{
    BOOL found = FALSE;

    lock_mailbox( own );
    for (unsigned int i = 0; i < MAILBOX && !found; i++)
        if (shared->mailbox[own][i].used)
        {
            *letter = shared->mailbox[own][i];
            shared->mailbox[own][i].used = 0;
            found = TRUE;
        }
    unlock_mailbox( own );
    return found;
}

static BOOL begin_receive( SOCKET s, struct receive *receive, DWORD order, DWORD size )
{
    WSABUF buffer = { size, receive->data };
    DWORD flags = 0;

    memset( &receive->ov, 0, sizeof(receive->ov) );
    receive->order = order;
    receive->pending = TRUE;
    if (!WSARecv( s, &buffer, 1, NULL, &flags, &receive->ov, NULL ) || WSAGetLastError() == WSA_IO_PENDING) return TRUE;
    expect( FALSE, "WSARecv failed, error %d\n", WSAGetLastError() );
    return receive->pending = FALSE;
}

/* The next packet: of a receive that waits, and of no other. */
static struct receive *next_packet( HANDLE port, DWORD *size, BOOL *success )
{
    struct receive *receive = NULL;
    OVERLAPPED *ov = NULL;
    ULONG_PTR key = 0;

    *success = GetQueuedCompletionStatus( port, size, &key, &ov, PATIENCE );
    expect( ov != NULL, "no packet, error %lu\n", GetLastError() );
    if (!ov) return NULL;
    receive = CONTAINING_RECORD( ov, struct receive, ov );
    InterlockedIncrement( &shared->packets );
    expect( key == 0x5afe && receive->pending, "key %#zx, a receive that is not pending\n", key );
    receive->pending = FALSE;
    if (!*success) expect( GetLastError() == ERROR_OPERATION_ABORTED, "error %lu\n", GetLastError() );
    return receive;
}

/* Takes what the connection still brings. Receives end in the order in which they began: so do the packets of one socket. */
static void take_all( struct receiver *r, SOCKET s, const struct header *header, DWORD position )
{
    HANDLE port = CreateIoCompletionPort( (HANDLE)s, NULL, 0x5afe, 0 );
    DWORD order = 0, expected = 0, size, wrong = 0, pending = 0;
    struct receive *receive;
    OVERLAPPED *ov = NULL;
    ULONG_PTR key;
    BOOL success;

    expect( port != NULL, "no port, error %lu\n", GetLastError() );
    if (!port) goto done;
    while (position < header->length)
    {
        for (unsigned int i = 0; i < RECEIVES; i++)
            if (!r->receives[i].pending)
            {
                if (!begin_receive( s, &r->receives[i], order, next_random( &r->random ) % sizeof(receive->data) + 1 )) goto done;
                order++;
                pending++;
            }
        if (!( next_random( &r->random ) % 16 ) && CancelIoEx( (HANDLE)s, NULL )) InterlockedIncrement( &shared->cancelled );
        if (!(receive = next_packet( port, &size, &success ))) goto done;
        pending--;
        expect( receive->order == expected, "packet %lu came as %lu\n", receive->order, expected );
        expected++;
        if (!success) InterlockedIncrement( &shared->aborted );
        else
        {
            expect( size, "the stream ended at %lu of %lu\n", position, header->length );
            if (!size) goto done;
            for (DWORD i = 0; i < size; i++) wrong += receive->data[i] != value_at( header->seed, position + i );
            expect( !wrong, "%lu wrong bytes after %lu of %lu\n", wrong, position, header->length );
            position += size;
            InterlockedExchangeAdd64( &shared->received, size );
        }
    }
    expect( position == header->length, "%lu bytes for %lu\n", position, header->length );
    if (!pending && begin_receive( s, &r->receives[0], order, 1 )) pending++;
    /* the peer goes when it has its answer; what waits here ends before, by one of two ways */
    if (next_random( &r->random ) & 1)
    {
        /* what waits may have been cancelled already, and its packet not taken */
        if (!CancelIoEx( (HANDLE)s, NULL )) expect( GetLastError() == ERROR_NOT_FOUND, "error %lu\n", GetLastError() );
        size = send( s, (char *)&header->seed, sizeof(header->seed), 0 );
        expect( size == sizeof(header->seed), "answer not sent, error %d\n", WSAGetLastError() );
    }
    else
    {
        size = send( s, (char *)&header->seed, sizeof(header->seed), 0 );
        expect( size == sizeof(header->seed), "answer not sent, error %d\n", WSAGetLastError() );
        closesocket( s );
        s = INVALID_SOCKET;
    }
    while (pending && (receive = next_packet( port, &size, &success )))
    {
        pending--;
        expect( !size, "%lu bytes after the end\n", size );
        if (!success) InterlockedIncrement( &shared->aborted );
    }
    success = GetQueuedCompletionStatus( port, &size, &key, &ov, 0 );
    expect( !success && !ov, "a packet too many\n" );
    InterlockedIncrement( &shared->ended );
done:
    if (s != INVALID_SOCKET) closesocket( s );
    if (port) CloseHandle( port );
}

/* The beginning of a connection is read here; the rest here or in another process. */
static void serve( struct receiver *r, SOCKET s )
{
    struct header header = { 0 };
    DWORD position = 0;
    char byte;
    int n;

    set_nonblocking( s, FALSE );
    set_receive_timeout( s, PATIENCE );
    n = recv( s, (char *)&header, sizeof(header), MSG_WAITALL );
    expect( n == sizeof(header), "header of %d bytes, error %d\n", n, WSAGetLastError() );
    if (n != sizeof(header)) goto done;
    while (position < header.length && next_random( &r->random ) % 8)
    {
        n = recv( s, &byte, 1, 0 );
        expect( n == 1 && byte == value_at( header.seed, position ), "wrong byte at %lu, error %d\n", position,
                WSAGetLastError() );
        if (n != 1) goto done;
        position++;
        InterlockedExchangeAdd64( &shared->received, 1 );
    }
    if (!( next_random( &r->random ) % 4 ) && hand_over( s, ( own + 1 ) % PROCESSES, &header, position )) goto done;
    take_all( r, s, &header, position );
    return;
done:
    closesocket( s );
}

static DWORD CALLBACK receiver( void *argument )
{
    struct receiver *r = calloc( 1, sizeof(*r) );
    struct letter letter;
    SOCKET s;

    r->random = (DWORD)(ULONG_PTR)argument * 31337 + own * 65537 + 17;
    /* nobody leaves before everybody's connections have ended */
    while (shared->senders || shared->ended < shared->begun)
    {
        if (shared->errors > 20) break;
        if (take_letter( &letter ))
        {
            s = WSASocketW( FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &letter.info, 0, WSA_FLAG_OVERLAPPED );
            expect( s != INVALID_SOCKET, "no duplicate, error %d\n", WSAGetLastError() );
            if (s != INVALID_SOCKET) take_all( r, s, &letter.header, letter.position );
        }
        else if ((s = accept( listener, NULL, NULL )) != INVALID_SOCKET) serve( r, s );
        else wait_readable( listener, 20 );
    }
    free( r );
    return 0;
}

/* --- processes --------------------------------------------------------------------------------------------------------*/

static void run_process( void )
{
    HANDLE threads[SENDERS + RECEIVERS];
    union address address;

    listener = tcp_listener( AF_INET, &address );
    check_ok( listen( listener, SOMAXCONN ) );
    set_nonblocking( listener, TRUE );
    shared->pids[own] = GetCurrentProcessId();
    shared->ports[own] = address_port( &address );
    InterlockedIncrement( &shared->ready );
    for (int i = 0; i < 3000 && shared->ready < PROCESSES; i++) Sleep( 10 );
    ok( shared->ready == PROCESSES, "%ld processes\n", shared->ready );
    for (ULONG_PTR i = 0; i < SENDERS + RECEIVERS; i++)
        threads[i] = CreateThread( NULL, 0, i < SENDERS ? sender : receiver, (void *)( i + 1 ), 0, NULL );
    if (!own)
    {
        char text[16];

        Sleep( GetEnvironmentVariableA( "WS2HOST_STRESS", text, sizeof(text) ) ? atoi( text ) * 1000 : 3000 );
        shared->stop = TRUE;
    }
    WaitForMultipleObjects( SENDERS + RECEIVERS, threads, TRUE, INFINITE );
    for (unsigned int i = 0; i < SENDERS + RECEIVERS; i++) CloseHandle( threads[i] );
    closesocket( listener );
}

START_TEST( stress )
{
    HANDLE mapping, children[PROCESSES];
    SECURITY_ATTRIBUTES inherited = { sizeof(inherited), NULL, TRUE };
    char arguments[64], **argv;

    if (support_begin())
    {
        winetest_get_mainargs( &argv );
        own = atoi( argv[2] );
        mapping = (HANDLE)(ULONG_PTR)strtoull( argv[3], NULL, 16 );
        shared = MapViewOfFile( mapping, FILE_MAP_ALL_ACCESS, 0, 0, sizeof(*shared) );
        ok( shared != NULL, "no shared memory, error %lu\n", GetLastError() );
        if (shared) run_process();
        support_end();
        return;
    }
    mapping = CreateFileMappingW( INVALID_HANDLE_VALUE, &inherited, PAGE_READWRITE, 0, sizeof(*shared), NULL );
    shared = MapViewOfFile( mapping, FILE_MAP_ALL_ACCESS, 0, 0, sizeof(*shared) );
    shared->senders = PROCESSES * SENDERS;
    for (unsigned int i = 1; i < PROCESSES; i++)
    {
        snprintf( arguments, sizeof(arguments), "%u %zx", i, (ULONG_PTR)mapping );
        children[i] = run_child( arguments, NULL, NULL, 0, NULL );
    }
    run_process();
    for (unsigned int i = 1; i < PROCESSES; i++)
    {
        winetest_wait_child_process( children[i] );
        CloseHandle( children[i] );
    }
    trace( "%ld connections, %lld bytes, %ld packets, %ld of them cancelled; %ld reopened, %ld handed over\n", shared->begun,
           shared->received, shared->packets, shared->aborted, shared->reopened, shared->handed_over );
    ok( shared->begun >= CONNECTIONS, "%ld connections\n", shared->begun );
    ok( shared->ended == shared->begun, "%ld of %ld connections ended\n", shared->ended, shared->begun );
    ok( shared->received == shared->sent, "%lld of %lld bytes arrived\n", shared->received, shared->sent );
    ok( shared->cancelled && shared->aborted && shared->reopened && shared->handed_over, "something was never done\n" );
    UnmapViewOfFile( shared );
    CloseHandle( mapping );
    support_end();
}
