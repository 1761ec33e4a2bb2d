/*
 * Everything at once: three processes, eight threads in each, first 504 connections between them that are all open at one
 * time, then hundreds more. Senders send pieces of random size in random ways, go on through duplicates of their sockets, and
 * cancel sends that wait; receivers take them with several overlapped receives at a time on a completion port, cancel at
 * random, hand connections to another process half way, and end with a close or a cancel while a receive waits. Every byte
 * has its value by connection and position, so that a lost, doubled or moved one is seen, and of a cancelled send as many
 * arrive as its end reports; every receive gives exactly one packet.
 *
 * Some seconds in the ordinary run; WS2HOST_STRESS=20 makes it that many.
 */
#include "puppets.h"

#define PROCESSES 3
#define SENDERS 4
#define RECEIVERS 4
#define AT_ONCE 42      /* connections of each sender to begin with: more than 500 in all */
#define CONNECTIONS 700 /* at least, in all */
#define CUT_SENDS 3     /* at a time, of which some are cancelled */
#define CUT_SIZE 3000000
#define RECEIVES 3 /* at a time */
#define MAILBOX 16
#define PATIENCE 20000

struct header
{
    DWORD seed, length;
};

/* What the receiver has taken, when it has all, or when the stream ended before. */
struct answer
{
    DWORD seed, position;
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
    volatile LONG open, cut, cancelled_sends, begun, ended, handed_over, cancelled, reopened, packets, aborted, errors;
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
    do { \
        BOOL good_ = !!( condition ); \
        if ( !good_ ) InterlockedIncrement( &shared->errors ); \
        ok( good_, __VA_ARGS__ ); \
    } while ( 0 )

/* --- sending ----------------------------------------------------------------------------------------------------------*/

/* The same socket through another descriptor. */
static SOCKET reopen( SOCKET s )
{
    WSAPROTOCOL_INFOW info;
    SOCKET again = INVALID_SOCKET;

    if ( !WSADuplicateSocketW( s, GetCurrentProcessId(), &info ) )
        again = WSASocketW( FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0, WSA_FLAG_OVERLAPPED );
    expect( again != INVALID_SOCKET, "no duplicate, error %d\n", WSAGetLastError() );
    if ( again == INVALID_SOCKET ) return s;
    closesocket( s );
    InterlockedIncrement( &shared->reopened );
    return again;
}

static BOOL send_piece( SOCKET s, char *data, DWORD size, BOOL overlapped, HANDLE event )
{
    OVERLAPPED ov = { .hEvent = event };
    WSABUF buffer = { size, data };
    DWORD done = 0, flags;

    if ( !overlapped ) done = send( s, data, size, 0 );
    else if ( WSASend( s, &buffer, 1, &done, 0, &ov, NULL ) )
    {
        if ( WSAGetLastError() != WSA_IO_PENDING || !WSAGetOverlappedResult( s, &ov, &done, TRUE, &flags ) ) done = 0;
    }
    expect( done == size, "%lu of %lu bytes sent, error %d\n", done, size, WSAGetLastError() );
    return done == size;
}

struct stream
{
    SOCKET s;
    struct header header;
    DWORD position;
};

static BOOL stream_open( struct stream *stream, DWORD *state )
{
    union address address;
    int result;

    stream->header.seed = next_random( state );
    stream->header.length = next_random( state ) % 60000;
    stream->position = 0;
    stream->s = socket( AF_INET, SOCK_STREAM, 0 );
    address_loopback( &address, AF_INET, shared->ports[next_random( state ) % PROCESSES] );
    result = connect( stream->s, &address.any, sizeof( address.v4 ) );
    expect( !result, "connect failed, error %d\n", WSAGetLastError() );
    if ( !result )
    {
        InterlockedIncrement( &shared->begun );
        return TRUE;
    }
    closesocket( stream->s );
    stream->s = INVALID_SOCKET;
    return FALSE;
}

static BOOL stream_send( struct stream *stream, DWORD *state, char *data, HANDLE event )
{
    DWORD size = next_random( state ) % 16000 + 1;

    if ( size > stream->header.length - stream->position ) size = stream->header.length - stream->position;
    for ( DWORD i = 0; i < size; i++ ) data[i] = value_at( stream->header.seed, stream->position + i );
    if ( !send_piece( stream->s, data, size, next_random( state ) & 1, event ) ) return FALSE;
    stream->position += size;
    InterlockedExchangeAdd64( &shared->sent, size );
    if ( !( next_random( state ) % 8 ) ) stream->s = reopen( stream->s );
    return TRUE;
}

static void stream_end( struct stream *stream )
{
    struct answer answer = { 0 };
    int result;

    set_receive_timeout( stream->s, PATIENCE );
    result = recv( stream->s, (char *)&answer, sizeof( answer ), MSG_WAITALL );
    expect( result == sizeof( answer ) && answer.seed == stream->header.seed, "answer of %d bytes, error %d\n", result,
            WSAGetLastError() );
    expect( answer.position == stream->position, "%lu bytes arrived, %lu were sent\n", answer.position,
            stream->position );
    closesocket( stream->s );
}

/* Several streams, a piece of each in turn. */
static void send_streams( DWORD *state, unsigned int count, BOOL all_at_once, char *data, HANDLE event )
{
    struct stream streams[AT_ONCE];
    unsigned int open = 0;

    while ( open < count && stream_open( &streams[open], state ) ) open++;
    if ( all_at_once )
    {
        InterlockedExchangeAdd( &shared->open, open );
        for ( int i = 0; i < 6000 && shared->open < PROCESSES * SENDERS * AT_ONCE; i++ ) Sleep( 5 );
        expect( shared->open == PROCESSES * SENDERS * AT_ONCE, "%ld connections at once\n", shared->open );
    }
    for ( unsigned int i = 0; i < open; i++ )
        send_piece( streams[i].s, (char *)&streams[i].header, sizeof( streams[i].header ), FALSE, event );
    for ( BOOL more = TRUE; more; )
    {
        more = FALSE;
        for ( unsigned int i = 0; i < open; i++ )
            if ( streams[i].position < streams[i].header.length )
                more |= stream_send( &streams[i], state, data, event );
    }
    for ( unsigned int i = 0; i < open; i++ ) stream_end( &streams[i] );
}

/* Sends that wait, cancelled: all, or the last. The stream ends before its length. */
static void send_cut( DWORD *state, char *data, HANDLE events[CUT_SENDS] )
{
    OVERLAPPED ovs[CUT_SENDS] = { { 0 } };
    const BOOL all = next_random( state ) & 1;
    const int room = 8192;
    DWORD sizes[CUT_SENDS], total = 0, done, flags;
    struct stream stream;
    BOOL cut = FALSE;

    if ( !stream_open( &stream, state ) ) return;
    setsockopt( stream.s, SOL_SOCKET, SO_SNDBUF, (const char *)&room, sizeof( room ) );
    for ( unsigned int i = 0; i < CUT_SENDS; i++ ) total += sizes[i] = next_random( state ) % CUT_SIZE + 1;
    stream.header.length = total + 1;
    for ( DWORD i = 0; i < total; i++ ) data[i] = value_at( stream.header.seed, i );
    send_piece( stream.s, (char *)&stream.header, sizeof( stream.header ), FALSE, events[0] );
    for ( unsigned int i = 0; i < CUT_SENDS; i++ )
    {
        WSABUF buffer = { sizes[i], data };

        data += sizes[i];
        ovs[i].hEvent = events[i];
        if ( WSASend( stream.s, &buffer, 1, NULL, 0, &ovs[i], NULL ) )
            expect( WSAGetLastError() == WSA_IO_PENDING, "WSASend failed, error %d\n", WSAGetLastError() );
    }
    if ( next_random( state ) & 1 ) Sleep( next_random( state ) % 4 );
    if ( !CancelIoEx( (HANDLE)stream.s, all ? NULL : &ovs[CUT_SENDS - 1] ) )
        expect( GetLastError() == ERROR_NOT_FOUND, "error %lu\n", GetLastError() );
    for ( unsigned int i = 0; i < CUT_SENDS; i++ )
    {
        done = 0;
        if ( WSAGetOverlappedResult( stream.s, &ovs[i], &done, TRUE, &flags ) )
        {
            expect( !cut && done == sizes[i], "%lu of %lu bytes after a cancelled send\n", done, sizes[i] );
        }
        else
        {
            expect( WSAGetLastError() == WSA_OPERATION_ABORTED, "error %d\n", WSAGetLastError() );
            expect( done < sizes[i] && ( !cut || !done ), "%lu of %lu bytes of a cancelled send\n", done, sizes[i] );
            cut = TRUE;
            InterlockedIncrement( &shared->cancelled_sends );
        }
        stream.position += done;
    }
    InterlockedExchangeAdd64( &shared->sent, stream.position );
    InterlockedIncrement( &shared->cut );
    shutdown( stream.s, SD_SEND );
    stream_end( &stream );
}

static DWORD CALLBACK sender( void *argument )
{
    DWORD state = (DWORD)(ULONG_PTR)argument * 7919 + own * 104729 + 1;
    char *data = malloc( CUT_SENDS * CUT_SIZE );
    HANDLE events[CUT_SENDS];

    for ( unsigned int i = 0; i < CUT_SENDS; i++ ) events[i] = CreateEventW( NULL, TRUE, FALSE, NULL );
    send_streams( &state, AT_ONCE, TRUE, data, events[0] );
    while ( !shared->stop || shared->begun < CONNECTIONS )
    {
        if ( shared->errors > 20 ) break;
        if ( next_random( &state ) % 8 ) send_streams( &state, next_random( &state ) % 3 + 1, FALSE, data, events[0] );
        else send_cut( &state, data, events );
    }
    free( data );
    for ( unsigned int i = 0; i < CUT_SENDS; i++ ) CloseHandle( events[i] );
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
    while ( InterlockedExchange( &shared->mailbox_lock[i], 1 ) ) Sleep( 0 );
}
static void unlock_mailbox( unsigned int i ) { InterlockedExchange( &shared->mailbox_lock[i], 0 ); }

static BOOL hand_over( SOCKET s, unsigned int to, const struct header *header, DWORD position )
{
    struct letter letter = { .header = *header, .position = position, .used = 1 };
    BOOL done = FALSE;

    if ( WSADuplicateSocketW( s, shared->pids[to], &letter.info ) )
    {
        expect( FALSE, "WSADuplicateSocket failed, error %d\n", WSAGetLastError() );
        return FALSE;
    }
    lock_mailbox( to );
    for ( unsigned int i = 0; i < MAILBOX && !done; i++ )
        if ( !shared->mailbox[to][i].used )
        {
            shared->mailbox[to][i] = letter;
            done = TRUE;
        }
    unlock_mailbox( to );
    if ( done ) InterlockedIncrement( &shared->handed_over );
    return done; /* a full mailbox: the ticket is never used */
}

static BOOL take_letter( struct letter *letter )
{
    BOOL found = FALSE;

    lock_mailbox( own );
    for ( unsigned int i = 0; i < MAILBOX && !found; i++ )
        if ( shared->mailbox[own][i].used )
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

    memset( &receive->ov, 0, sizeof( receive->ov ) );
    receive->order = order;
    receive->pending = TRUE;
    if ( !WSARecv( s, &buffer, 1, NULL, &flags, &receive->ov, NULL ) || WSAGetLastError() == WSA_IO_PENDING )
        return TRUE;
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
    if ( !ov ) return NULL;
    receive = CONTAINING_RECORD( ov, struct receive, ov );
    InterlockedIncrement( &shared->packets );
    expect( key == 0x5afe && receive->pending, "key %#zx, a receive that is not pending\n", (size_t)key );
    receive->pending = FALSE;
    /* cancelled, or by the close of the connection */
    if ( !*success )
        expect( GetLastError() == ERROR_OPERATION_ABORTED || GetLastError() == ERROR_CONNECTION_ABORTED, "error %lu\n",
                GetLastError() );
    return receive;
}

static void send_answer( SOCKET s, const struct header *header, DWORD position )
{
    const struct answer answer = { header->seed, position };
    const int size = send( s, (const char *)&answer, sizeof( answer ), 0 );

    expect( size == sizeof( answer ), "answer not sent, error %d\n", WSAGetLastError() );
}

/* Takes what the connection still brings. Receives end in the order in which they began: so do the packets of one socket. */
static void take_all( struct receiver *r, SOCKET s, const struct header *header, DWORD position )
{
    HANDLE port = CreateIoCompletionPort( (HANDLE)s, NULL, 0x5afe, 0 );
    DWORD order = 0, expected = 0, size, wrong = 0, pending = 0;
    struct receive *receive;
    OVERLAPPED *ov = NULL;
    ULONG_PTR key;
    BOOL success, end = FALSE;

    expect( port != NULL, "no port, error %lu\n", GetLastError() );
    if ( !port ) goto done;
    while ( position < header->length && !end )
    {
        for ( unsigned int i = 0; i < RECEIVES; i++ )
            if ( !r->receives[i].pending )
            {
                if ( !begin_receive( s, &r->receives[i], order,
                                     next_random( &r->random ) % sizeof( receive->data ) + 1 ) )
                    goto done;
                order++;
                pending++;
            }
        if ( !( next_random( &r->random ) % 16 ) && CancelIoEx( (HANDLE)s, NULL ) )
            InterlockedIncrement( &shared->cancelled );
        if ( !( receive = next_packet( port, &size, &success ) ) ) goto done;
        pending--;
        expect( receive->order == expected, "packet %lu came as %lu\n", receive->order, expected );
        expected++;
        if ( !success ) InterlockedIncrement( &shared->aborted );
        else if ( !size ) end = TRUE; /* cut: the sender will say whether it was here */
        else
        {
            for ( DWORD i = 0; i < size; i++ ) wrong += receive->data[i] != value_at( header->seed, position + i );
            expect( !wrong, "%lu wrong bytes after %lu of %lu\n", wrong, position, header->length );
            position += size;
            InterlockedExchangeAdd64( &shared->received, size );
        }
    }
    expect( end || position == header->length, "%lu bytes for %lu\n", position, header->length );
    if ( !pending && begin_receive( s, &r->receives[0], order, 1 ) ) pending++;
    /* the peer goes when it has its answer; what waits here ends before, by one of two ways */
    if ( next_random( &r->random ) & 1 )
    {
        /* what waits may have been cancelled already, and its packet not taken */
        if ( !CancelIoEx( (HANDLE)s, NULL ) )
            expect( GetLastError() == ERROR_NOT_FOUND, "error %lu\n", GetLastError() );
        send_answer( s, header, position );
    }
    else
    {
        send_answer( s, header, position );
        closesocket( s );
        s = INVALID_SOCKET;
    }
    while ( pending && ( receive = next_packet( port, &size, &success ) ) )
    {
        pending--;
        expect( !size, "%lu bytes after the end\n", size );
        if ( !success ) InterlockedIncrement( &shared->aborted );
    }
    success = GetQueuedCompletionStatus( port, &size, &key, &ov, 0 );
    expect( !success && !ov, "a packet too many\n" );
    InterlockedIncrement( &shared->ended );
done:
    if ( s != INVALID_SOCKET ) closesocket( s );
    if ( port ) CloseHandle( port );
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
    n = recv( s, (char *)&header, sizeof( header ), MSG_WAITALL );
    expect( n == sizeof( header ), "header of %d bytes, error %d\n", n, WSAGetLastError() );
    if ( n != sizeof( header ) ) goto done;
    while ( position < header.length && next_random( &r->random ) % 8 )
    {
        n = recv( s, &byte, 1, 0 );
        if ( !n ) break; /* cut: take_all sees it again */
        expect( n == 1 && byte == value_at( header.seed, position ), "wrong byte at %lu, error %d\n", position,
                WSAGetLastError() );
        if ( n != 1 ) goto done;
        position++;
        InterlockedExchangeAdd64( &shared->received, 1 );
    }
    if ( !( next_random( &r->random ) % 4 ) && hand_over( s, ( own + 1 ) % PROCESSES, &header, position ) ) goto done;
    take_all( r, s, &header, position );
    return;
done:
    closesocket( s );
}

static DWORD CALLBACK receiver( void *argument )
{
    struct receiver *r = calloc( 1, sizeof( *r ) );
    struct letter letter;
    SOCKET s;

    r->random = (DWORD)(ULONG_PTR)argument * 31337 + own * 65537 + 17;
    /* nobody leaves before everybody's connections have ended */
    while ( shared->senders || shared->ended < shared->begun )
    {
        if ( shared->errors > 20 ) break;
        if ( take_letter( &letter ) )
        {
            s = WSASocketW( FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &letter.info, 0,
                            WSA_FLAG_OVERLAPPED );
            expect( s != INVALID_SOCKET, "no duplicate, error %d\n", WSAGetLastError() );
            if ( s != INVALID_SOCKET ) take_all( r, s, &letter.header, letter.position );
        }
        else if ( ( s = accept( listener, NULL, NULL ) ) != INVALID_SOCKET ) serve( r, s );
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
    for ( int i = 0; i < 3000 && shared->ready < PROCESSES; i++ ) Sleep( 10 );
    ok( shared->ready == PROCESSES, "%ld processes\n", shared->ready );
    for ( ULONG_PTR i = 0; i < SENDERS + RECEIVERS; i++ )
        threads[i] = CreateThread( NULL, 0, i < SENDERS ? sender : receiver, (void *)( i + 1 ), 0, NULL );
    if ( !own )
    {
        char text[16];

        Sleep( GetEnvironmentVariableA( "WS2HOST_STRESS", text, sizeof( text ) ) ? atoi( text ) * 1000 : 3000 );
        shared->stop = TRUE;
    }
    WaitForMultipleObjects( SENDERS + RECEIVERS, threads, TRUE, INFINITE );
    for ( unsigned int i = 0; i < SENDERS + RECEIVERS; i++ ) CloseHandle( threads[i] );
    closesocket( listener );
}

START_TEST( stress )
{
    HANDLE mapping, children[PROCESSES];
    SECURITY_ATTRIBUTES inherited = { sizeof( inherited ), NULL, TRUE };
    char arguments[64], **argv;

    if ( support_begin() )
    {
        winetest_get_mainargs( &argv );
        own = atoi( argv[2] );
        mapping = (HANDLE)(ULONG_PTR)strtoull( argv[3], NULL, 16 );
        shared = MapViewOfFile( mapping, FILE_MAP_ALL_ACCESS, 0, 0, sizeof( *shared ) );
        ok( shared != NULL, "no shared memory, error %lu\n", GetLastError() );
        if ( shared ) run_process();
        support_end();
        return;
    }
    mapping = CreateFileMappingW( INVALID_HANDLE_VALUE, &inherited, PAGE_READWRITE, 0, sizeof( *shared ), NULL );
    shared = MapViewOfFile( mapping, FILE_MAP_ALL_ACCESS, 0, 0, sizeof( *shared ) );
    shared->senders = PROCESSES * SENDERS;
    for ( unsigned int i = 1; i < PROCESSES; i++ )
    {
        snprintf( arguments, sizeof( arguments ), "%u %zx", i, (size_t)mapping );
        children[i] = run_child( arguments, NULL, NULL, 0, NULL );
    }
    run_process();
    for ( unsigned int i = 1; i < PROCESSES; i++ )
    {
        winetest_wait_child_process( children[i] );
        CloseHandle( children[i] );
    }
    trace( "%ld connections, %lld bytes, %ld packets, %ld of them cancelled; %ld sends cancelled; %ld reopened, %ld "
           "handed over\n",
           shared->begun, shared->received, shared->packets, shared->aborted, shared->cancelled_sends, shared->reopened,
           shared->handed_over );
    ok( shared->begun >= CONNECTIONS, "%ld connections\n", shared->begun );
    ok( shared->ended == shared->begun, "%ld of %ld connections ended\n", shared->ended, shared->begun );
    ok( shared->received == shared->sent, "%lld of %lld bytes arrived\n", shared->received, shared->sent );
    ok( shared->cancelled && shared->aborted && shared->cut && shared->cancelled_sends && shared->reopened &&
            shared->handed_over,
        "something was never done\n" );
    UnmapViewOfFile( shared );
    CloseHandle( mapping );
    support_end();
}
