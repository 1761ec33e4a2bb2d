/*
 * What a thread has pending when it ends, by itself or by TerminateThread (facts: windows-behaviour 6.1). All is cancelled,
 * and told as it would have been, before the thread's object is signalled; only what is told by a packet alone lives on.
 */
#include "afd.h"
#include "requests.h"
#include "puppets.h"

enum request
{
    POLL,
    RECEIVE,
    ACCEPT,
    READ_FILE,
    RECEIVE_FROM, /* of a datagram socket */
    SEND,         /* to a peer that reads nothing */
    CONNECT,      /* to a listener whose queue is full */
    CHANGE,       /* SIO_ADDRESS_LIST_CHANGE */
    REQUESTS
};

struct issuer
{
    enum request request;
    SOCKET s, acceptor;
    HANDLE event, issued;
    PIO_APC_ROUTINE apc;
    void *context; /* of a poll; the others have their OVERLAPPED, or nothing when the event's lowest bit is set */
    BOOL silent, stays;
    NTSTATUS status;
    int error;
    IO_STATUS_BLOCK iosb;
    OVERLAPPED ov;
    struct afd_poll poll;
    char buffer[256];
    union address address; /* of a sender, or to be connected to */
    int address_size;
};

static LPFN_ACCEPTEX accept_ex;
static LPFN_CONNECTEX connect_ex;
static unsigned int apcs;

static void NTAPI count_apc( void *context, IO_STATUS_BLOCK *iosb, ULONG reserved )
{
    (void)context, (void)iosb, (void)reserved;
    apcs++;
}

static DWORD WINAPI issue( void *arg )
{
    struct issuer *issuer = arg;
    WSABUF buffer = { 16, issuer->buffer };
    DWORD flags = 0, size;

    memset( &issuer->ov, 0, sizeof( issuer->ov ) );
    issuer->ov.hEvent = (HANDLE)( (ULONG_PTR)issuer->event | ( issuer->silent ? 1 : 0 ) );
    switch ( issuer->request )
    {
    case POLL:
        memset( &issuer->poll, 0, sizeof( issuer->poll ) );
        issuer->poll.timeout = AFTER_MS( 20000 );
        issuer->poll.count = 1;
        issuer->poll.sockets[0].s = issuer->s;
        issuer->poll.sockets[0].flags = ~0u;
        iosb_reset( &issuer->iosb );
        issuer->status = NtDeviceIoControlFile( (HANDLE)issuer->s, issuer->event, issuer->apc, issuer->context,
                                                &issuer->iosb, IOCTL_AFD_POLL, &issuer->poll, 32, &issuer->poll, 32 );
        break;
    case RECEIVE:
        issuer->error = WSARecv( issuer->s, &buffer, 1, NULL, &flags, &issuer->ov, NULL ) ? WSAGetLastError() : 0;
        break;
    case ACCEPT:
        issuer->error = accept_ex( issuer->s, issuer->acceptor, issuer->buffer, 0, SLOT, SLOT, &size, &issuer->ov )
                            ? 0
                            : WSAGetLastError();
        break;
    case READ_FILE:
        issuer->error = ReadFile( (HANDLE)issuer->s, issuer->buffer, 16, NULL, &issuer->ov ) ? 0 : (int)GetLastError();
        break;
    case RECEIVE_FROM:
        issuer->address_size = sizeof( issuer->address );
        issuer->error = WSARecvFrom( issuer->s, &buffer, 1, NULL, &flags, &issuer->address.any, &issuer->address_size,
                                     &issuer->ov, NULL )
                            ? WSAGetLastError()
                            : 0;
        break;
    case SEND:
        issuer->error = WSASend( issuer->s, &buffer, 1, NULL, 0, &issuer->ov, NULL ) ? WSAGetLastError() : 0;
        break;
    case CONNECT:
        issuer->error =
            connect_ex( issuer->s, &issuer->address.any, sizeof( issuer->address.v4 ), NULL, 0, NULL, &issuer->ov )
                ? 0
                : WSAGetLastError();
        break;
    case CHANGE:
        issuer->error = WSAIoctl( issuer->s, SIO_ADDRESS_LIST_CHANGE, NULL, 0, NULL, 0, &size, &issuer->ov, NULL )
                            ? WSAGetLastError()
                            : 0;
        break;
    case REQUESTS: break;
    }
    SetEvent( issuer->issued );
    while ( issuer->stays ) SleepEx( INFINITE, FALSE );
    return 0;
}

static void run_thread( struct issuer *issuer, BOOL kill )
{
    HANDLE thread;

    issuer->stays = kill;
    ResetEvent( issuer->event );
    thread = CreateThread( NULL, 0, issue, issuer, 0, NULL );
    ok( !WaitForSingleObject( issuer->issued, 10000 ), "the thread does not come\n" );
    if ( kill ) ok( TerminateThread( thread, 0 ), "error %lu\n", GetLastError() );
    ok( !WaitForSingleObject( thread, 10000 ), "the thread does not end\n" );
    CloseHandle( thread );
    SleepEx( 0, TRUE );
}

#define check_ended( port, value, status ) check_ended_( __LINE__, port, value, status )
static void check_ended_( int line, HANDLE port, void *value, NTSTATUS status )
{
    OVERLAPPED_ENTRY entry;
    ULONG count = 0;

    ok_( __FILE__, line )( GetQueuedCompletionStatusEx( port, &entry, 1, &count, 0, FALSE ) && count == 1,
                           "no packet\n" );
    if ( count != 1 ) return;
    ok_( __FILE__, line )( !entry.lpCompletionKey && entry.lpOverlapped == value, "key %u, value %p\n",
                           (unsigned int)entry.lpCompletionKey, entry.lpOverlapped );
    ok_( __FILE__, line )( (NTSTATUS)entry.Internal == status, "status %#lx\n", (DWORD)entry.Internal );
}

static void test_polls( BOOL kill, BOOL with_port )
{
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL ), issued = CreateEventW( NULL, FALSE, FALSE, NULL ), port;
    static struct issuer issuers[2][2][8]; /* those that are cancelled later write to them */
    union address address;

    for ( unsigned int i = 0; i < 8; i++ )
    {
        struct issuer *issuer = &issuers[kill][with_port][i];
        const BOOL pure = with_port && ( i & 4 ) && !( i & 1 );

        winetest_push_context( "kill %d, port %d, event %d, apc %d, context %d", kill, with_port, i & 1, i >> 1 & 1,
                               i >> 2 & 1 );
        *issuer = ( struct issuer ){ .request = POLL,
                                     .s = tcp_listener( AF_INET, &address ),
                                     .issued = issued,
                                     .event = i & 1 ? event : NULL,
                                     .apc = i & 2 ? count_apc : NULL,
                                     .context = i & 4 ? &issuer->poll : NULL };
        port = CreateIoCompletionPort( with_port ? (HANDLE)issuer->s : INVALID_HANDLE_VALUE, NULL, 0, 0 );
        apcs = 0;
        ResetEvent( event );
        run_thread( issuer, kill );
        if ( with_port && issuer->apc )
        {
            ok( issuer->status == NT_INVALID_PARAMETER, "status %#lx\n", issuer->status );
            check_no_packet( port, 20 );
        }
        else
        {
            IO_STATUS_BLOCK result;

            ok( issuer->status == NT_PENDING, "status %#lx\n", issuer->status );
            if ( pure )
            {
                check_iosb( &issuer->iosb, UNTOUCHED, 0xdead );
                check_no_packet( port, 20 );
                check_status( NtCancelIoFileEx( (HANDLE)issuer->s, NULL, &result ), 0 );
            }
            if ( !pure ) ok( issuer->iosb.Status == NT_CANCELLED, "status %#lx\n", issuer->iosb.Status );
            if ( i & 1 ) ok( !WaitForSingleObject( event, 0 ), "the event is not set\n" );
            if ( with_port && ( i & 4 ) ) check_ended( port, &issuer->poll, NT_CANCELLED );
            check_no_packet( port, 20 );
        }
        ok( !apcs, "%u APCs ran\n", apcs );
        closesocket( issuer->s );
        CloseHandle( port );
        winetest_pop_context();
    }
    CloseHandle( event );
    CloseHandle( issued );
}

struct others
{
    SOCKET client, listener, fillers[6];
};

/* What the request is made on, and who is at the other end. */
static void prepare( struct issuer *issuer, struct others *others )
{
    static char block[65536];
    union address address;

    memset( others, 0xff, sizeof( *others ) ); /* INVALID_SOCKET */
    issuer->acceptor = INVALID_SOCKET;
    switch ( issuer->request )
    {
    case ACCEPT:
        issuer->s = tcp_listener( AF_INET, &address );
        issuer->acceptor = socket( AF_INET, SOCK_STREAM, 0 );
        break;
    case RECEIVE_FROM: issuer->s = udp_bound( AF_INET, &address ); break;
    case CHANGE: issuer->s = socket( AF_INET, SOCK_DGRAM, 0 ); break;
    case CONNECT:
        others->listener = deaf_listener( &issuer->address, others->fillers, ARRAY_SIZE( others->fillers ) );
        issuer->s = tcp_bound( AF_INET, &address );
        break;
    default: tcp_pair( &others->client, &issuer->s ); break;
    }
    if ( issuer->request != SEND ) return;
    set_nonblocking( issuer->s, TRUE );
    while ( send( issuer->s, block, sizeof( block ), 0 ) > 0 ) continue;
}

static void clean_up( struct issuer *issuer, struct others *others )
{
    closesocket( issuer->s );
    closesocket( issuer->acceptor );
    closesocket( others->client );
    closesocket( others->listener );
    for ( unsigned int i = 0; i < ARRAY_SIZE( others->fillers ); i++ ) closesocket( others->fillers[i] );
}

/* What Winsock's functions, and ReadFile, have pending. */
static void test_transfers( enum request request, BOOL kill, BOOL with_port )
{
    enum
    {
        NO_EVENT,
        EVENT,
        EVENT_ALONE, /* its lowest bit is set */
        KINDS
    };
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL ), issued = CreateEventW( NULL, FALSE, FALSE, NULL ), port;
    static struct issuer issuers[REQUESTS][2][2][KINDS];
    struct others others;

    for ( int kind = NO_EVENT; kind < KINDS; kind++ )
    {
        struct issuer *issuer = &issuers[request][kill][with_port][kind];
        const BOOL pure = with_port && kind == NO_EVENT;

        winetest_push_context( "request %d, kill %d, port %d, kind %d", request, kill, with_port, kind );
        *issuer = ( struct issuer ){ .request = request, .issued = issued, .silent = kind == EVENT_ALONE };
        if ( kind != NO_EVENT ) issuer->event = event;
        prepare( issuer, &others );
        port = CreateIoCompletionPort( with_port ? (HANDLE)issuer->s : INVALID_HANDLE_VALUE, NULL, 0, 0 );
        run_thread( issuer, kill );
        ok( issuer->error == WSA_IO_PENDING, "error %d\n", issuer->error );
        if ( pure )
        {
            ok( issuer->ov.Internal == STATUS_PENDING, "status %#lx\n", (DWORD)issuer->ov.Internal );
            check_no_packet( port, 20 );
            ok( CancelIoEx( (HANDLE)issuer->s, NULL ), "error %lu\n", GetLastError() );
        }
        ok( (NTSTATUS)issuer->ov.Internal == NT_CANCELLED, "status %#lx\n", (DWORD)issuer->ov.Internal );
        if ( kind != NO_EVENT ) ok( !WaitForSingleObject( event, 0 ), "the event is not set\n" );
        if ( with_port && kind != EVENT_ALONE ) check_ended( port, &issuer->ov, NT_CANCELLED );
        check_no_packet( port, 20 );
        clean_up( issuer, &others );
        CloseHandle( port );
        winetest_pop_context();
    }
    CloseHandle( event );
    CloseHandle( issued );
}

/* --- by another process ------------------------------------------------------------------------------------------------*/

/* On Linux before 6.9 nobody is told: the test shows what is wanted, and not more. */
static BOOL ends_unheard( void )
{
    void( CDECL * host_version )( const char **system, const char **release ) =
        (void *)GetProcAddress( GetModuleHandleW( L"ntdll.dll" ), "wine_get_host_version" );
    const char *system, *release;
    int major = 0, minor = 0;

    if ( !host_version ) return FALSE;
    host_version( &system, &release );
    sscanf( release, "%d.%d", &major, &minor );
    return major < 6 || ( major == 6 && minor < 9 );
}

static void kill_from_elsewhere( HANDLE thread )
{
    char arguments[32];
    HANDLE process;

    snprintf( arguments, sizeof( arguments ), "kill %lu", GetThreadId( thread ) );
    process = run_child( arguments, NULL, NULL, 0, NULL );
    ok( !WaitForSingleObject( process, 20000 ), "the child does not end\n" );
    CloseHandle( process );
    ok( !WaitForSingleObject( thread, 10000 ), "the thread lives\n" );
}

static void test_killed_from_elsewhere( enum request request )
{
    HANDLE event = CreateEventW( NULL, TRUE, FALSE, NULL ), issued = CreateEventW( NULL, FALSE, FALSE, NULL ), thread;
    static struct issuer issuers[REQUESTS];
    struct issuer *issuer = &issuers[request];
    SOCKET client = INVALID_SOCKET;
    NTSTATUS status;
    union address address;

    winetest_push_context( "request %d", request );
    *issuer = ( struct issuer ){ .request = request, .issued = issued, .event = event, .stays = TRUE };
    if ( request == POLL ) issuer->s = tcp_listener( AF_INET, &address );
    else tcp_pair( &client, &issuer->s );
    thread = CreateThread( NULL, 0, issue, issuer, 0, NULL );
    ok( !WaitForSingleObject( issued, 10000 ), "the thread does not come\n" );
    kill_from_elsewhere( thread );
    todo_wine_if( ends_unheard() ) ok( !WaitForSingleObject( event, 5000 ), "the event is not set\n" );
    status = request == POLL ? issuer->iosb.Status : (NTSTATUS)issuer->ov.Internal;
    todo_wine_if( ends_unheard() ) ok( status == NT_CANCELLED, "status %#lx\n", status );
    CloseHandle( thread );
    CloseHandle( event );
    CloseHandle( issued );
    closesocket( client );
    closesocket( issuer->s );
    winetest_pop_context();
}

/* --- one that is busy at a port -----------------------------------------------------------------------------------------*/

#define WORKERS 100
#define OTHERS 5

struct worker
{
    SOCKET client, server;
    HANDLE port, begun;
    OVERLAPPED ov;
    char buffer[16];
};

static DWORD WINAPI work( void *arg )
{
    struct worker *worker = arg;
    WSABUF buffer = { sizeof( worker->buffer ), worker->buffer };
    DWORD flags, size;
    ULONG_PTR key;
    OVERLAPPED *ov;

    for ( unsigned int turns = 0;; turns++ )
    {
        flags = 0;
        WSARecv( worker->server, &buffer, 1, NULL, &flags, &worker->ov, NULL );
        send( worker->client, "x", 1, 0 );
        GetQueuedCompletionStatus( worker->port, &size, &key, &ov, INFINITE );
        if ( !turns ) SetEvent( worker->begun );
    }
    return 0;
}

/* Requests at another port, which it has nothing to do with. */
static BOOL others_end( SOCKET client, SOCKET server, HANDLE port )
{
    WSABUF buffer;
    DWORD flags, size;
    ULONG_PTR key;
    OVERLAPPED ov, *ended;
    char byte;

    for ( unsigned int i = 0; i < OTHERS; i++ )
    {
        memset( &ov, 0, sizeof( ov ) );
        buffer = ( WSABUF ){ 1, &byte };
        flags = 0;
        if ( WSARecv( server, &buffer, 1, NULL, &flags, &ov, NULL ) && WSAGetLastError() != WSA_IO_PENDING )
            return FALSE;
        if ( send( client, "y", 1, 0 ) != 1 ) return FALSE;
        if ( !GetQueuedCompletionStatus( port, &size, &key, &ended, 10000 ) || ended != &ov || size != 1 ) return FALSE;
    }
    return TRUE;
}

static void test_busy_workers( void )
{
    static struct worker workers[WORKERS]; /* what was pending when the thread was ended may be written later */
    const HANDLE port = CreateIoCompletionPort( INVALID_HANDLE_VALUE, NULL, 0, 0 );
    SOCKET client, server;
    BOOL goes_on = TRUE;

    tcp_pair( &client, &server );
    CreateIoCompletionPort( (HANDLE)server, port, 0, 0 );
    for ( unsigned int i = 0; i < WORKERS && goes_on; i++ )
    {
        struct worker *worker = &workers[i];
        HANDLE thread;

        winetest_push_context( "worker %u", i );
        tcp_pair( &worker->client, &worker->server );
        worker->port = CreateIoCompletionPort( (HANDLE)worker->server, NULL, 0, 0 );
        worker->begun = CreateEventW( NULL, FALSE, FALSE, NULL );
        thread = CreateThread( NULL, 0, work, worker, 0, NULL );
        ok( !WaitForSingleObject( worker->begun, 10000 ), "it does nothing\n" );
        ok( goes_on = others_end( client, server, port ), "others are not told, with it\n" );
        ok( TerminateThread( thread, 0 ), "error %lu\n", GetLastError() );
        ok( !WaitForSingleObject( thread, 10000 ), "it does not end\n" );
        if ( goes_on ) ok( goes_on = others_end( client, server, port ), "others are not told, without it\n" );
        closesocket( worker->client );
        closesocket( worker->server );
        CloseHandle( worker->port );
        CloseHandle( worker->begun );
        CloseHandle( thread );
        winetest_pop_context();
    }
    closesocket( client );
    closesocket( server );
    CloseHandle( port );
}

static void kill_thread( DWORD id )
{
    HANDLE thread = OpenThread( THREAD_TERMINATE, FALSE, id );

    ok( TerminateThread( thread, 0 ), "error %lu\n", GetLastError() );
    CloseHandle( thread );
}

START_TEST( thread_end )
{
    char **argv;
    int argc = winetest_get_mainargs( &argv );
    SOCKET s;

    if ( argc == 4 && !strcmp( argv[2], "kill" ) ) return kill_thread( strtoul( argv[3], NULL, 10 ) );
    if ( support_begin() ) return;
    s = socket( AF_INET, SOCK_STREAM, 0 );
    accept_ex = extension( s, (GUID)WSAID_ACCEPTEX );
    connect_ex = extension( s, (GUID)WSAID_CONNECTEX );
    closesocket( s );
    for ( BOOL kill = FALSE; kill <= TRUE; kill++ )
        for ( BOOL with_port = FALSE; with_port <= TRUE; with_port++ )
        {
            test_polls( kill, with_port );
            for ( enum request request = RECEIVE; request < REQUESTS; request++ )
                test_transfers( request, kill, with_port );
        }
    test_killed_from_elsewhere( POLL );
    test_killed_from_elsewhere( RECEIVE );
    test_killed_from_elsewhere( READ_FILE );
    test_busy_workers();
    support_end();
}
