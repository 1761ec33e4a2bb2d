/*
 * Registered I/O under way: datagrams with the addresses of both ends, control data and flags; many sockets on one completion
 * queue, served by one thread that is notified; requests from one thread and commits from another; datagrams in bulk. Every
 * byte and every request is accounted for.
 */
#include "registered.h"

/* --- datagrams -----------------------------------------------------------------------------------------------------*/

/* Where the parts of a request lie in its buffer. */
struct parts
{
    SOCKADDR_INET local, remote;
    _Alignas( 8 ) char control[256];
    DWORD flags;
    char data[64];
};

struct datagrams
{
    SOCKET s, peer;
    union address address, peer_address;
    struct parts parts;
    RIO_BUFFERID id;
    RIO_CQ ends;
    RIO_RQ requests;
};

#define PART( set, part ) slice( ( set )->id, FIELD_OFFSET( struct parts, part ), sizeof( ( set )->parts.part ) )

static void set_up( struct datagrams *set, int family )
{
    memset( set, 0, sizeof( *set ) );
    set->s = registered_socket( family, SOCK_DGRAM, &set->address );
    set->peer = udp_bound( family, &set->peer_address );
    set_receive_timeout( set->peer, 10000 );
    set->id = rio.RIORegisterBuffer( (char *)&set->parts, sizeof( set->parts ) );
    set->ends = rio.RIOCreateCompletionQueue( 64, NULL );
    set->requests = rio.RIOCreateRequestQueue( set->s, 16, 1, 16, 1, set->ends, set->ends, NULL );
    ok( set->id != RIO_INVALID_BUFFERID && set->ends && set->requests, "error %d\n", WSAGetLastError() );
}

static void clean_up( struct datagrams *set )
{
    closesocket( set->s );
    closesocket( set->peer );
    rio.RIOCloseCompletionQueue( set->ends );
    rio.RIODeregisterBuffer( set->id );
}

static BOOL same_address( const SOCKADDR_INET *got, const union address *expected, int family )
{
    if ( family == AF_INET )
        return got->Ipv4.sin_family == AF_INET && got->Ipv4.sin_port == expected->v4.sin_port &&
               got->Ipv4.sin_addr.s_addr == expected->v4.sin_addr.s_addr;
    return got->Ipv6.sin6_family == AF_INET6 && got->Ipv6.sin6_port == expected->v6.sin6_port &&
           !memcmp( &got->Ipv6.sin6_addr, &expected->v6.sin6_addr, sizeof( IN6_ADDR ) );
}

/* A request with all its parts, each as an argument or not. */
static BOOL request( struct datagrams *set, BOOL sending, BOOL local, BOOL remote, BOOL control, BOOL flags,
                     ULONG length, ULONG_PTR context )
{
    RIO_BUF data = PART( set, data ),
            parts[4] = { PART( set, local ), PART( set, remote ), PART( set, control ), PART( set, flags ) };

    data.Length = length;
    return ( sending ? (LPFN_RIORECEIVEEX)rio.RIOSendEx : rio.RIOReceiveEx )(
               set->requests, &data, 1, local ? &parts[0] : NULL, remote ? &parts[1] : NULL, control ? &parts[2] : NULL,
               flags ? &parts[3] : NULL, 0, CONTEXT( context ) ) != FALSE;
}

static void test_addresses( int family )
{
    const int length = family == AF_INET ? sizeof( struct sockaddr_in ) : sizeof( struct sockaddr_in6 );
    struct datagrams set;
    union address from;
    int from_size = sizeof( from );
    char data[64];

    winetest_push_context( "family %d", family );
    set_up( &set, family );
    /* each part by itself, and all, of a receive that waits and of one that does not */
    for ( unsigned int parts = 0; parts < 16; parts++ )
        for ( int waits = 0; waits < 2; waits++ )
        {
            winetest_push_context( "parts %#x, waits %d", parts, waits );
            memset( &set.parts, 0x5a, sizeof( set.parts ) );
            if ( !waits )
            {
                check_result( sendto( set.peer, "hello", 5, 0, &set.address.any, length ), 5 );
                ok( wait_readable( set.s, 5000 ), "no datagram\n" );
            }
            check_clears( request( &set, FALSE, parts & 1, parts & 2, parts & 4, parts & 8, 64, parts ), TRUE );
            if ( waits ) check_result( sendto( set.peer, "hello", 5, 0, &set.address.any, length ), 5 );
            check_end( set.ends, parts, 0, 5 );
            ok( !memcmp( set.parts.data, "hello\x5a", 6 ), "got %.5s\n", set.parts.data );
            if ( parts & 1 ) ok( same_address( &set.parts.local, &set.address, family ), "another local address\n" );
            else ok( set.parts.local.si_family == 0x5a5a, "the local address was touched\n" );
            if ( parts & 2 ) ok( same_address( &set.parts.remote, &set.peer_address, family ), "another sender\n" );
            else ok( set.parts.remote.si_family == 0x5a5a, "the sender's address was touched\n" );
            if ( parts & 4 )
                ok( ( (RIO_CMSG_BUFFER *)set.parts.control )->TotalLength == RIO_CMSG_BASE_SIZE,
                    "control data of %lu bytes\n", ( (RIO_CMSG_BUFFER *)set.parts.control )->TotalLength );
            else ok( set.parts.control[0] == 0x5a, "control data was touched\n" );
            if ( parts & 8 ) ok( !set.parts.flags, "flags %#lx\n", set.parts.flags );
            else ok( set.parts.flags == 0x5a5a5a5a, "flags were touched\n" );
            winetest_pop_context();
        }

    /* to an address, from an address */
    for ( int local = 0; local < 2; local++ )
    {
        memset( &set.parts, 0, sizeof( set.parts ) );
        memcpy( &set.parts.remote, &set.peer_address, sizeof( set.parts.remote ) );
        memcpy( &set.parts.local, &set.address, sizeof( set.parts.local ) );
        strcpy( set.parts.data, "to you" );
        check_clears( request( &set, TRUE, local, TRUE, FALSE, FALSE, 6, 50 ), TRUE );
        check_end( set.ends, 50, 0, 6 );
        from_size = sizeof( from );
        check_result( recvfrom( set.peer, data, sizeof( data ), 0, &from.any, &from_size ), 6 );
        ok( !memcmp( data, "to you", 6 ) && address_port( &from ) == address_port( &set.address ), "got %.6s from %d\n",
            data, address_port( &from ) );
    }
    clean_up( &set );
    winetest_pop_context();
}

static void test_control_data( void )
{
    struct datagrams set;
    DWORD on = 1;
    WSACMSGHDR *header = (WSACMSGHDR *)( set.parts.control + RIO_CMSG_BASE_SIZE );
    RIO_CMSG_BUFFER *control = (RIO_CMSG_BUFFER *)set.parts.control;

    set_up( &set, AF_INET );
    check_ok( setsockopt( set.s, IPPROTO_IP, IP_PKTINFO, (char *)&on, sizeof( on ) ) );
    for ( int waits = 0; waits < 2; waits++ )
    {
        winetest_push_context( "waits %d", waits );
        memset( &set.parts, 0, sizeof( set.parts ) );
        if ( waits ) check_result( request( &set, FALSE, TRUE, TRUE, TRUE, TRUE, 64, 1 ), TRUE );
        check_result( sendto( set.peer, "hello", 5, 0, &set.address.any, sizeof( set.address.v4 ) ), 5 );
        if ( !waits )
        {
            ok( wait_readable( set.s, 5000 ), "no datagram\n" );
            check_result( request( &set, FALSE, TRUE, TRUE, TRUE, TRUE, 64, 1 ), TRUE );
        }
        check_end( set.ends, 1, 0, 5 );
        ok( control->TotalLength >= RIO_CMSG_BASE_SIZE + WSA_CMSG_LEN( sizeof( struct in_pktinfo ) ) &&
                control->TotalLength <= RIO_CMSG_BASE_SIZE + WSA_CMSG_SPACE( sizeof( struct in_pktinfo ) ),
            "control data of %lu bytes\n", control->TotalLength );
        ok( header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO, "level %d, type %d\n",
            header->cmsg_level, header->cmsg_type );
        ok( ( (struct in_pktinfo *)WSA_CMSG_DATA( header ) )->ipi_addr.s_addr == htonl( INADDR_LOOPBACK ),
            "another address\n" );
        /* whoever has no room for it does not miss it */
        check_result( sendto( set.peer, "again", 5, 0, &set.address.any, sizeof( set.address.v4 ) ), 5 );
        check_result( request( &set, FALSE, TRUE, TRUE, FALSE, FALSE, 64, 2 ), TRUE );
        check_end( set.ends, 2, 0, 5 );
        winetest_pop_context();
    }
    clean_up( &set );
}

static void test_cut_short( void )
{
    struct datagrams set;
    RIORESULT result;

    set_up( &set, AF_INET );
    memset( &set.parts, 0, sizeof( set.parts ) );
    check_result( request( &set, FALSE, FALSE, FALSE, FALSE, FALSE, 3, 1 ), TRUE );
    check_result( sendto( set.peer, "hello", 5, 0, &set.address.any, sizeof( set.address.v4 ) ), 5 );
    check_result( registered_take( set.ends, &result, 1 ), 1 );
    ok( result.Status == WSAEMSGSIZE || result.Status == ERROR_MORE_DATA, "status %ld\n", result.Status );
    ok( result.BytesTransferred == 3 && !memcmp( set.parts.data, "hel\0", 4 ), "%lu bytes, %.4s\n",
        result.BytesTransferred, set.parts.data );
    /* a datagram of nothing */
    check_result( request( &set, FALSE, FALSE, TRUE, FALSE, FALSE, 3, 2 ), TRUE );
    check_result( sendto( set.peer, "", 0, 0, &set.address.any, sizeof( set.address.v4 ) ), 0 );
    check_end( set.ends, 2, 0, 0 );
    ok( same_address( &set.parts.remote, &set.peer_address, AF_INET ), "another sender\n" );
    clean_up( &set );
}

static void test_bad_parts( void )
{
    struct datagrams set;
    RIO_BUF data, part;

    set_up( &set, AF_INET );
    data = PART( &set, data );
    part = slice( set.id, FIELD_OFFSET( struct parts, remote ), sizeof( SOCKADDR_INET ) - 1 );
    ok( !rio.RIOReceiveEx( set.requests, &data, 1, NULL, &part, NULL, NULL, 0, NULL ), "a short address is taken\n" );
    ok( WSAGetLastError() == WSAEINVAL || WSAGetLastError() == WSAEFAULT, "error %d\n", WSAGetLastError() );
    part = slice( RIO_INVALID_BUFFERID, 0, sizeof( SOCKADDR_INET ) );
    ok( !rio.RIOReceiveEx( set.requests, &data, 1, &part, NULL, NULL, NULL, 0, NULL ),
        "a buffer that is none is taken\n" );
    ok( WSAGetLastError() == WSAEINVAL || WSAGetLastError() == WSAEFAULT, "error %d\n", WSAGetLastError() );
    ok( !guarded( rio.RIOReceiveEx( set.requests, &data, 1, memory_unmapped(), NULL, NULL, NULL, 0, NULL ) ),
        "taken\n" );
    ok( WSAGetLastError() == WSAEINVAL || WSAGetLastError() == WSAEFAULT, "error %d\n", WSAGetLastError() );
    check_no_end( set.ends );
    clean_up( &set );
}

/* --- many sockets on one completion queue --------------------------------------------------------------------------*/

#define CONNECTIONS 32
#define CHUNK 1000
#define BYTES 400000u
#define DEPTH 4 /* receives, and sends, under way on each side */

struct side
{
    SOCKET s;
    RIO_RQ requests;
    unsigned int requested, sent, received, wrong, errors, disorder;
    unsigned int next_send, next_receive, ended_send, ended_receive;
};

static struct side sides[2 * CONNECTIONS];
static char ( *memory )[2][DEPTH][CHUNK]; /* of each side: in and out */
static RIO_BUFFERID memory_id;

static char byte_at( unsigned int side, unsigned int i ) { return (char)( side * 31 + i * 7 + i / 253 ); }

#define IS_SEND 0x10000u

static RIO_BUF chunk_of( struct side *side, BOOL out, unsigned int turn, ULONG size )
{
    return slice( memory_id, (ULONG)( memory[side - sides][out][turn % DEPTH] - &memory[0][0][0][0] ), size );
}

static void side_send( struct side *side )
{
    unsigned int index = (unsigned int)( side - sides ), size = 1 + ( side->requested * 13 + index * 7 ) % CHUNK;
    char *data = memory[index][1][side->next_send % DEPTH];
    RIO_BUF buffer;

    if ( size > BYTES - side->requested ) size = BYTES - side->requested;
    if ( !size ) return;
    for ( unsigned int i = 0; i < size; i++ ) data[i] = byte_at( index ^ 1, side->requested + i );
    side->requested += size;
    buffer = chunk_of( side, TRUE, side->next_send, size );
    side->errors += !rio.RIOSend( side->requests, &buffer, 1, 0, CONTEXT( IS_SEND | side->next_send++ % DEPTH ) );
}

static void side_receive( struct side *side )
{
    RIO_BUF buffer = chunk_of( side, FALSE, side->next_receive, CHUNK );

    side->errors += !rio.RIOReceive( side->requests, &buffer, 1, 0, CONTEXT( side->next_receive++ % DEPTH ) );
}

static void side_ends( const RIORESULT *result, unsigned int *done )
{
    struct side *side = (struct side *)(ULONG_PTR)result->SocketContext;
    unsigned int index = (unsigned int)( side - sides ), turn = result->RequestContext & 0xffff;

    side->errors += result->Status != 0;
    if ( result->RequestContext & IS_SEND )
    {
        side->disorder += turn != side->ended_send++ % DEPTH;
        side->sent += result->BytesTransferred;
        *done += side->sent == BYTES;
        side_send( side );
        return;
    }
    side->disorder += turn != side->ended_receive++ % DEPTH;
    for ( ULONG i = 0; i < result->BytesTransferred; i++ )
        side->wrong += memory[index][0][turn][i] != byte_at( index, side->received + i );
    side->received += result->BytesTransferred;
    *done += side->received == BYTES && result->BytesTransferred;
    side_receive( side );
}

static void test_many_sockets( void )
{
    RIO_NOTIFICATION_COMPLETION notification = { .Type = RIO_EVENT_COMPLETION };
    RIORESULT results[100];
    unsigned int done = 0;
    RIO_CQ ends;
    ULONG n;

    memory = VirtualAlloc( NULL, sizeof( *memory ) * 2 * CONNECTIONS, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE );
    memory_id = rio.RIORegisterBuffer( (char *)memory, sizeof( *memory ) * 2 * CONNECTIONS );
    notification.Event.EventHandle = CreateEventW( NULL, TRUE, FALSE, NULL );
    notification.Event.NotifyReset = TRUE;
    ends = rio.RIOCreateCompletionQueue( 2 * CONNECTIONS * 2 * DEPTH, &notification );
    ok( memory_id != RIO_INVALID_BUFFERID && ends, "error %d\n", WSAGetLastError() );
    memset( sides, 0, sizeof( sides ) );
    for ( unsigned int i = 0; i < CONNECTIONS; i++ ) registered_pair( &sides[2 * i].s, &sides[2 * i + 1].s );
    for ( unsigned int i = 0; i < 2 * CONNECTIONS; i++ )
    {
        sides[i].requests = rio.RIOCreateRequestQueue( sides[i].s, DEPTH, 1, DEPTH, 1, ends, ends, &sides[i] );
        ok( sides[i].requests != RIO_INVALID_RQ, "side %u: error %d\n", i, WSAGetLastError() );
        for ( unsigned int j = 0; j < DEPTH; j++ )
        {
            side_receive( &sides[i] );
            side_send( &sides[i] );
        }
    }
    while ( done < 2 * 2 * CONNECTIONS )
    {
        if ( !( n = rio.RIODequeueCompletion( ends, results, ARRAY_SIZE( results ) ) ) )
        {
            ok( !rio.RIONotify( ends ), "RIONotify failed\n" );
            if ( WaitForSingleObject( notification.Event.EventHandle, 20000 ) ) break;
            continue;
        }
        if ( n == RIO_CORRUPT_CQ ) break;
        for ( ULONG i = 0; i < n; i++ ) side_ends( &results[i], &done );
    }
    ok( done == 2 * 2 * CONNECTIONS, "%u of %u directions are done\n", done, 2 * 2 * CONNECTIONS );
    for ( unsigned int i = 0; i < 2 * CONNECTIONS; i++ )
    {
        ok( sides[i].sent == BYTES && sides[i].received == BYTES && !sides[i].wrong && !sides[i].errors &&
                !sides[i].disorder,
            "side %u sent %u, received %u, %u wrong, %u errors, %u out of order\n", i, sides[i].sent, sides[i].received,
            sides[i].wrong, sides[i].errors, sides[i].disorder );
        closesocket( sides[i].s );
    }
    /* the receives that are left end, each once */
    for ( done = 0;
          ( n = registered_take( ends, results, min( 2 * CONNECTIONS * DEPTH - done, ARRAY_SIZE( results ) ) ) );
          done += n )
        for ( ULONG i = 0; i < n; i++ )
            ok( !( results[i].RequestContext & IS_SEND ) && !results[i].BytesTransferred, "request %#llx, %lu bytes\n",
                results[i].RequestContext, results[i].BytesTransferred );
    ok( done == 2 * CONNECTIONS * DEPTH, "%u receives were left\n", done );
    rio.RIOCloseCompletionQueue( ends );
    rio.RIODeregisterBuffer( memory_id );
    VirtualFree( memory, 0, MEM_RELEASE );
    CloseHandle( notification.Event.EventHandle );
}

/* --- threads -------------------------------------------------------------------------------------------------------*/

static volatile LONG committing;

static DWORD WINAPI commit_thread( void *requests )
{
    while ( committing )
    {
        rio.RIOSend( requests, NULL, 0, RIO_MSG_COMMIT_ONLY, NULL );
        rio.RIOReceive( requests, NULL, 0, RIO_MSG_COMMIT_ONLY, NULL );
        SwitchToThread();
    }
    return 0;
}

#define ROUNDS 5000

/* One thread defers, another commits, a third takes the ends: nothing is lost, doubled or out of order. */
static void test_commit_elsewhere( void )
{
    static int values[ROUNDS], got[ROUNDS];
    RIO_BUFFERID out = rio.RIORegisterBuffer( (char *)values, sizeof( values ) );
    RIO_BUFFERID in = rio.RIORegisterBuffer( (char *)got, sizeof( got ) );
    RIO_CQ sent = rio.RIOCreateCompletionQueue( 64, NULL ), received = rio.RIOCreateCompletionQueue( 64, NULL );
    unsigned int next_send = 0, next_receive = 0, sends = 0, receives = 0, errors = 0, disorder = 0;
    DWORD begin = GetTickCount(), n;
    SOCKET client, server;
    RIO_RQ from, to;
    RIORESULT results[64];
    HANDLE threads[2];

    registered_pair( &client, &server );
    from = rio.RIOCreateRequestQueue( client, 1, 1, 32, 1, received, sent, NULL );
    to = rio.RIOCreateRequestQueue( server, 32, 1, 1, 1, received, sent, NULL );
    ok( from && to, "error %d\n", WSAGetLastError() );
    for ( int i = 0; i < ROUNDS; i++ ) values[i] = i * 77 + 1;
    memset( got, 0, sizeof( got ) );
    committing = TRUE;
    threads[0] = CreateThread( NULL, 0, commit_thread, from, 0, NULL );
    threads[1] = CreateThread( NULL, 0, commit_thread, to, 0, NULL );
    while ( ( sends < ROUNDS || receives < ROUNDS ) && GetTickCount() - begin < 60000 )
    {
        RIO_BUF data;

        for ( ; next_receive < ROUNDS && next_receive - receives < 32; next_receive++ )
        {
            data = slice( in, next_receive * sizeof( int ), sizeof( int ) );
            errors += !rio.RIOReceive( to, &data, 1, RIO_MSG_DEFER | RIO_MSG_WAITALL, CONTEXT( next_receive ) );
        }
        for ( ; next_send < ROUNDS && next_send - sends < 32; next_send++ )
        {
            data = slice( out, next_send * sizeof( int ), sizeof( int ) );
            errors += !rio.RIOSend( from, &data, 1, next_send % 5 ? RIO_MSG_DEFER : 0, CONTEXT( next_send ) );
        }
        n = rio.RIODequeueCompletion( sent, results, ARRAY_SIZE( results ) );
        for ( DWORD i = 0; i < n; i++ )
        {
            errors += results[i].Status || results[i].BytesTransferred != sizeof( int );
            disorder += results[i].RequestContext != sends++;
        }
        n = rio.RIODequeueCompletion( received, results, ARRAY_SIZE( results ) );
        for ( DWORD i = 0; i < n; i++ )
        {
            errors += results[i].Status || results[i].BytesTransferred != sizeof( int );
            disorder += results[i].RequestContext != receives++;
        }
        if ( !n ) SwitchToThread();
    }
    committing = FALSE;
    ok( !WaitForMultipleObjects( 2, threads, TRUE, 10000 ), "the threads go on\n" );
    ok( sends == ROUNDS && receives == ROUNDS && !errors && !disorder,
        "%u sends, %u receives, %u errors, %u out of order\n", sends, receives, errors, disorder );
    ok( !memcmp( values, got, sizeof( values ) ), "wrong bytes\n" );
    CloseHandle( threads[0] );
    CloseHandle( threads[1] );
    closesocket( client );
    closesocket( server );
    rio.RIOCloseCompletionQueue( sent );
    rio.RIOCloseCompletionQueue( received );
    rio.RIODeregisterBuffer( out );
    rio.RIODeregisterBuffer( in );
}

/* Sockets that other threads close, with requests under way: each request has one end. */
struct closing
{
    SOCKET client, server;
    RIO_CQ ends;
    RIO_RQ requests;
    volatile LONG begun;
};

static DWORD WINAPI close_thread( void *arg )
{
    struct closing *closing = arg;

    while ( closing->begun < 5 ) SwitchToThread();
    closesocket( closing->server );
    return 0;
}

static void test_close_elsewhere( void )
{
    static char data[64];
    RIO_BUFFERID id = rio.RIORegisterBuffer( data, sizeof( data ) );
    RIO_BUF buffer = slice( id, 0, sizeof( data ) );
    RIORESULT results[16];

    for ( int round = 0; round < 100; round++ )
    {
        struct closing closing = { 0 };
        ULONG begun = 0;
        HANDLE thread;

        winetest_push_context( "round %d", round );
        registered_pair( &closing.client, &closing.server );
        closing.ends = rio.RIOCreateCompletionQueue( 16, NULL );
        closing.requests = rio.RIOCreateRequestQueue( closing.server, 8, 1, 8, 1, closing.ends, closing.ends, NULL );
        ok( closing.requests != RIO_INVALID_RQ, "error %d\n", WSAGetLastError() );
        thread = CreateThread( NULL, 0, close_thread, &closing, 0, NULL );
        for ( int i = 0; i < 8; i++ )
        {
            begun += rio.RIOReceive( closing.requests, &buffer, 1, i % 3 == 1 ? RIO_MSG_DEFER : 0, NULL );
            closing.begun++;
            if ( i == 3 && round % 2 ) send( closing.client, "ab", 2, 0 );
        }
        ok( !WaitForSingleObject( thread, 10000 ), "closesocket hangs\n" );
        CloseHandle( thread );
        check_result( registered_take( closing.ends, results, begun ), begun );
        check_result( rio.RIODequeueCompletion( closing.ends, results, 1 ), 0 );
        closesocket( closing.client );
        rio.RIOCloseCompletionQueue( closing.ends );
        winetest_pop_context();
    }
    rio.RIODeregisterBuffer( id );
}

START_TEST( registered_traffic )
{
    if ( support_begin() ) return;
    if ( registered_load() )
    {
        test_addresses( AF_INET );
        if ( have_ipv6() ) test_addresses( AF_INET6 );
        test_control_data();
        test_cut_short();
        test_bad_parts();
        test_many_sockets();
        test_commit_elsewhere();
        test_close_elsewhere();
    }
    support_end();
}
